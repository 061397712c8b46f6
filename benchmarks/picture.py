"""A picture of lines between logarithmic axes, written as SVG without any package."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

# The colours of Okabe & Ito, which all eyes tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 520, 80, 230, 50, 60


@dataclass(frozen=True)
class Line:
    """Points above 0, in the order in which they are joined."""

    name: str
    points: Sequence[tuple[float, float]]
    number: int = 0  # of its colour
    dashes: str = ""


def draw(path: Path, lines: Sequence[Line], x: str, y: str, title: str) -> None:
    """Write a picture of lines; each axis reaches over whole powers of ten.

    Parameters
    ----------
    path : of the SVG file
    lines : at least one point among them
    x, y, title : what is written at the axes and above
    """
    across = powers([a for line in lines for a, _ in line.points])
    up = powers([b for line in lines for _, b in line.points])

    def place(a: float, b: float) -> tuple[float, float]:
        share_x = (math.log10(a) - across[0]) / (across[-1] - across[0])
        share_y = (math.log10(b) - up[0]) / (up[-1] - up[0])
        return LEFT + share_x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - share_y * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text((LEFT + WIDTH - RIGHT) / 2, 28, title, "middle", 16),
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x, "middle"),
        f'<g transform="translate(22 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)">{text(0, 0, y, "middle")}</g>',
    ]
    for k in across:
        (at, low), (_, high) = place(10.0**k, 10.0 ** up[0]), place(10.0**k, 10.0 ** up[-1])
        parts += [rule(at, low, at, high), text(at, low + 18, f"1e{k}", "middle")]
    for k in up:
        (left, at), (right, _) = place(10.0 ** across[0], 10.0**k), place(10.0 ** across[-1], 10.0**k)
        parts += [
            rule(left, at, right, at),
            text(left - 8, at + 4, f"1e{k}" if k < -3 or k > 3 else f"{10.0**k:g}", "end"),
        ]
    for number, line in enumerate(lines):
        parts += curve(line, [place(a, b) for a, b in line.points])
        parts += key(line, WIDTH - RIGHT + 16, TOP + 10 + 20 * number)
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


def powers(values: Sequence[float]) -> range:
    """Return the whole powers of ten that enclose some values, two at least.

    >>> powers([0.02, 30.0]), powers([1.0])
    (range(-2, 3), range(0, 2))
    """
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return range(low, max(high, low + 1) + 1)


def curve(line: Line, points: Sequence[tuple[float, float]]) -> list[str]:
    """The line itself, with a dot at each point."""
    joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    colour = COLOURS[line.number % len(COLOURS)]
    dots = [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
    return [f'<polyline points="{joined}" fill="none" {stroke(line)}/>', *dots]


def key(line: Line, x: float, y: float) -> list[str]:
    """A sample of the line, with its name."""
    sample = f'<line x1="{x}" y1="{y}" x2="{x + 28}" y2="{y}" {stroke(line)}/>'
    return [sample, text(x + 36, y + 4, line.name)]


def stroke(line: Line) -> str:
    dashes = f' stroke-dasharray="{line.dashes}"' if line.dashes else ""
    return f'stroke="{COLOURS[line.number % len(COLOURS)]}" stroke-width="2"{dashes}'


def rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#cccccc"/>'


def text(x: float, y: float, words: str, anchor: str = "start", size: int = 13) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'
