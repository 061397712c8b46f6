"""A picture of lines in panels with the same logarithmic axes, written as SVG without any package."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

# The colours of Okabe & Ito, which all eyes tell apart; the last is for what is there to compare with.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#999999")
ACROSS = 2  # panels beside each other
WIDTH, HEIGHT = 400, 290  # of what a panel's axes enclose
LEFT, RIGHT, TOP, BOTTOM = 90, 20, 84, 60  # around all panels
GAP, ABOVE = 44, 40  # between panels, where their names stand


@dataclass(frozen=True)
class Line:
    """Points above 0, in the order in which they are joined."""

    name: str
    points: Sequence[tuple[float, float]]
    number: int = 0  # of its colour
    dashes: str = ""


@dataclass(frozen=True)
class Panel:
    """Lines between axes of their own."""

    name: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Axes:
    """Where a panel stands, and the powers of ten that it reaches over."""

    left: float
    top: float
    across: range
    up: range

    def place(self, x: float, y: float) -> tuple[float, float]:
        share_x = (math.log10(x) - self.across[0]) / (self.across[-1] - self.across[0])
        share_y = (math.log10(y) - self.up[0]) / (self.up[-1] - self.up[0])
        return self.left + share_x * WIDTH, self.top + (1 - share_y) * HEIGHT


def draw(path: Path, panels: Sequence[Panel], x: str, y: str, title: str) -> None:
    """Write a picture of panels; their axes reach over the same whole powers of ten.

    Parameters
    ----------
    path : of the SVG file
    panels : at least one point among them
    x, y, title : what is written at the axes and above
    """
    points = [point for panel in panels for line in panel.lines for point in line.points]
    across, up = powers([a for a, _ in points]), powers([b for _, b in points])
    columns = min(ACROSS, len(panels))
    rows = math.ceil(len(panels) / columns)
    width = LEFT + columns * WIDTH + (columns - 1) * GAP + RIGHT
    height = TOP + rows * (HEIGHT + ABOVE) - ABOVE + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        text(width / 2, 24, title, "middle", 16),
        text((LEFT + width - RIGHT) / 2, height - 14, x, "middle"),
        f'<g transform="translate(24 {(TOP + height - BOTTOM) / 2}) rotate(-90)">{text(0, 0, y, "middle")}</g>',
        *keys(panels, width),
    ]
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        axes = Axes(LEFT + column * (WIDTH + GAP), TOP + row * (HEIGHT + ABOVE), across, up)
        parts += frame(axes, column == 0, number + columns >= len(panels))
        parts.append(text(axes.left + WIDTH / 2, axes.top - 8, panel.name, "middle", 14))
        for line in panel.lines:
            parts += curve(line, [axes.place(a, b) for a, b in line.points])
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


def powers(values: Sequence[float]) -> range:
    """Return the whole powers of ten that enclose some values, two at least.

    >>> powers([0.02, 30.0]), powers([1.0])
    (range(-2, 3), range(0, 2))
    """
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return range(low, max(high, low + 1) + 1)


def frame(axes: Axes, left: bool, below: bool) -> list[str]:
    """Rules at the powers of ten, with numbers at the outer panels."""
    parts = []
    for k in axes.across:
        (at, low), (_, high) = (
            axes.place(10.0**k, 10.0 ** axes.up[0]),
            axes.place(10.0**k, 10.0 ** axes.up[-1]),
        )
        parts.append(rule(at, low, at, high))
        if below:
            parts.append(text(at, low + 18, f"1e{k}", "middle"))
    for k in axes.up:
        (start, at), (stop, _) = (
            axes.place(10.0 ** axes.across[0], 10.0**k),
            axes.place(10.0 ** axes.across[-1], 10.0**k),
        )
        parts.append(rule(start, at, stop, at))
        if left:
            parts.append(text(start - 8, at + 4, f"1e{k}" if k < -3 or k > 3 else f"{10.0**k:g}", "end"))
    return parts


def curve(line: Line, points: Sequence[tuple[float, float]]) -> list[str]:
    """The line itself, with a dot at each point."""
    joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    colour = COLOURS[line.number % len(COLOURS)]
    dots = [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
    return [f'<polyline points="{joined}" fill="none" {stroke(line)}/>', *dots]


def keys(panels: Sequence[Panel], width: float) -> list[str]:
    """A sample of each kind of line with its name, beside each other below the title."""
    lines = list({line.name: line for panel in panels for line in panel.lines}.values())
    parts, at = [], (width - sum(key_width(line) for line in lines)) / 2
    for line in lines:
        parts.append(f'<line x1="{at:.1f}" y1="46" x2="{at + 28:.1f}" y2="46" {stroke(line)}/>')
        parts.append(text(at + 36, 50, line.name))
        at += key_width(line)
    return parts


def key_width(line: Line) -> float:
    return 60 + 7.2 * len(line.name)


def stroke(line: Line) -> str:
    dashes = f' stroke-dasharray="{line.dashes}"' if line.dashes else ""
    return f'stroke="{COLOURS[line.number % len(COLOURS)]}" stroke-width="2"{dashes}'


def rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def text(x: float, y: float, words: str, anchor: str = "start", size: int = 13) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'
