"""Blocks as HTML for notebooks: tables and maps in colour. Every text is escaped, and nothing else is loaded."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.report.blocks import (
    ELSEWHERE,
    TERMINAL,
    WALL,
    Block,
    Grid,
    Heading,
    Lines,
    Map,
    Prose,
    Report,
    Table,
    Typed,
)
from tabular_rl.report.render.ink import face, inks
from tabular_rl.report.subject import WAYS

if TYPE_CHECKING:
    from tabular_rl.analysis.exercises.prose import Span

LINE = "margin:.2em 0;white-space:pre-wrap"
TABLE = "border-collapse:collapse;margin:.4em 0"
CELL = "padding:.2em .6em;font-variant-numeric:tabular-nums"
SQUARE = "width:4.2em;height:3.2em;padding:.1em;text-align:center;line-height:1.15;border:1px solid #8888"
SIGNS = {way: sign for sign, way in WAYS.items()}


def report_html(report: Report) -> str:
    """Return a report as HTML."""
    return blocks_html(report.shown())


def blocks_html(blocks: Iterable[Block]) -> str:
    """Return blocks as HTML; curves and graphs are left out.

    >>> blocks_html([Lines(["a < b"])])
    '<div><p style="margin:.2em 0;white-space:pre-wrap">a &lt; b</p></div>'
    """
    return f"<div>{chr(10).join(filter(None, map(_block, blocks)))}</div>"


def _block(block: Block) -> str:
    if isinstance(block, Lines):
        return "\n".join(_line(line) for line in block.lines if line)
    if isinstance(block, Table):
        return "\n".join([*map(_line, block.above), *_table(block), *map(_line, block.below)])
    if isinstance(block, Heading):
        return f"<p><b>{html.escape(block.text)}</b></p>"
    if isinstance(block, Prose):
        indent = "0 2em" if block.display else "0"
        return f'<p style="margin:.4em {indent}">{"".join(map(_span, block.line))}</p>'
    if isinstance(block, Typed):
        return f"<pre>{html.escape(chr(10).join(block.lines))}</pre>"
    if isinstance(block, Grid):
        rows = [
            "".join(f'<td style="{CELL}">{html.escape(cell)}</td>' for cell in row) for row in block.cells
        ]
        return f'<table style="{TABLE}">{"".join(f"<tr>{row}</tr>" for row in rows)}</table>'
    return "\n".join(_map(block)) if isinstance(block, Map) else ""


def _span(span: Span) -> str:
    """Mathematics stands upright in its signs, and a name as it is."""
    text = html.escape(span.text)
    return (
        f'<span style="font-family:serif">{text}</span>'
        if span.maths
        else f"<i>{text}</i>"
        if span.name
        else text
    )


def _line(text: str) -> str:
    return f'<p style="{LINE}">{html.escape(text)}</p>'


def _colours(value: float) -> str:
    """The style of a cell whose value is a share from 0 to 1; nothing where it has none."""
    if not np.isfinite(value):
        return ""
    colour = face(value)
    numbers = ",".join(str(round(255 * float(x))) for x in colour)
    return f";background:rgb({numbers});color:{inks(colour)}"


def _shares(values: NDArray[Any]) -> NDArray[np.float64]:
    """Where each value lies between the least, 0, and the largest, 1."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return np.asarray((values - low) / (high - low) if high > low else values * 0.0 + 0.5)


def _table(block: Table) -> Iterator[str]:
    """The lines of a table, its shaded columns in colour."""
    left = [header in block.left.split(",") for header in block.headers]
    shades = {
        c: _shares(np.asarray(block.shades[name]))
        for c, name in enumerate(block.headers)
        if name in block.shades
    }
    flush = [f"{CELL};text-align:" + ("left" if at else "right;white-space:nowrap") for at in left]
    yield f'<table style="{TABLE}">'
    if any(block.headers):
        named = zip(flush, block.headers, strict=True)
        heads = (f'<th scope="col" style="{style}">{_header(text)}</th>' for style, text in named)
        yield f"<thead><tr>{''.join(heads)}</tr></thead>"
    yield "<tbody>"
    for at, row in enumerate(block.rows):
        if at in block.gaps:
            yield f'<tr><td colspan="{len(row)}" style="{CELL}">{html.escape(block.gaps[at])}</td></tr>'
        styles = (flush[c] + (_colours(float(shades[c][at])) if c in shades else "") for c in range(len(row)))
        cells = zip(styles, row, strict=True)
        made = (f'<td style="{style}">{html.escape(text.strip())}</td>' for style, text in cells)
        yield f"<tr>{''.join(made)}</tr>"
    yield "</tbody></table>"


def _header(text: str) -> str:
    """The name of a column: numbers of steps stand below the line.

    >>> _header("v of π_12"), _header("step_size")
    ('v of π<sub>12</sub>', 'step_size')
    """
    return re.sub(r"\b([Vπ])_([0-9]+)$", r"\1<sub>\2</sub>", html.escape(text))


def _map(block: Map) -> Iterator[str]:
    """The lines of a map: numbers in colour, with the signs of arrows below them."""
    rows, columns = block.values.shape[:2]
    shares = _shares(-block.values if block.down else block.values)
    signs: dict[tuple[int, int], str] = {}
    for arrow in block.arrows:
        place = arrow.row, arrow.column
        signs[place] = signs.get(place, "") + SIGNS[arrow.dx, arrow.dy]
    yield _line(block.title)
    yield f'<table style="{TABLE}">'
    if block.columns:
        heads = (f'<th scope="col" style="{CELL}">{html.escape(name)}</th>' for name in block.columns)
        yield f"<thead><tr><td></td>{''.join(heads)}</tr></thead>"
    yield "<tbody>"
    for i in range(rows):
        head = (
            f'<th scope="row" style="{CELL};text-align:left">{html.escape(block.rows[i])}</th>'
            if block.rows
            else ""
        )
        cells = []
        for j in range(columns):
            kind = -1 if block.kinds is None else int(block.kinds[i, j])
            text = "<br>".join(
                map(html.escape, filter(None, [*block.texts[i][j].split("\n"), signs.get((i, j), "")]))
            )
            style, said = _kind(kind)
            cells.append(f'<td style="{SQUARE}{style or _colours(float(shares[i, j]))}"{said}>{text}</td>')
        yield f"<tr>{head}{''.join(cells)}</tr>"
    yield "</tbody></table>"


def _kind(kind: int) -> tuple[str, str]:
    """The style of a wall, an end or a cell that leads elsewhere, and what a pointer is told of it."""
    if kind == WALL:
        return ";background:#404040", ' title="wall"'
    if kind == TERMINAL:
        return ";border:4px double #888", ' title="end"'
    if kind == ELSEWHERE:
        hatched = "repeating-linear-gradient(45deg,#8886 0 2px,transparent 2px 8px)"
        return f";background:{hatched}", ' title="leads to another cell at once"'
    return "", ""
