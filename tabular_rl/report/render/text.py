"""Blocks as text that fits the screen: tables are wrapped, folded below each other or cut, which is then said."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tabular_rl.report.blocks import Block, Grid, Heading, Lines, Prose, Report, Table, Typed
from tabular_rl.report.layout import columns, width, wrapped
from tabular_rl.report.screen import spelled

NARROW = 12  # characters that a column is wrapped to at least
ROOM = 24  # and one that may be left out instead
BROKEN = 8  # and one that is broken within words, where nothing else helps


def text(blocks: Iterable[Block]) -> str:
    """Return blocks as text, with an empty line between each two.

    >>> values = Table(["state", "value"], [["high", "15.2"], ["low", "9.0"]], left="state")
    >>> print(text([Lines(["two states"]), values]))
    two states
    <BLANKLINE>
    state  value
    high    15.2
    low      9.0
    """
    return "\n\n".join(filter(None, map(_text, blocks)))


def report_text(report: Report) -> str:
    """The blocks of a report as text that the screen can show."""
    shown = text(report.blocks())
    return "\n".join(map(spelled, shown.split("\n"))) if report.mathematical else shown


def report_parts(report: Report) -> Iterator[str]:
    """Yield a report as a text, of the width of the screen."""
    yield text(report.blocks()) + "\n"


def _text(block: Block) -> str:
    if isinstance(block, Lines):
        return "\n".join(block.lines)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Prose):
        return _prose(block)
    if isinstance(block, Heading):
        return block.text if block.part else f"{block.text}\n{'=' * width(block.text)}"
    if isinstance(block, Typed):
        return "\n".join("    " + line for line in block.lines)
    return _grid(block) if isinstance(block, Grid) else ""


def _prose(block: Prose) -> str:
    """A paragraph with lines that fit; a formula is indented, and goes on further to the right."""
    if not block.display:
        return "\n".join(wrapped(block.text, columns()))
    first, *rest = wrapped(block.text, columns() - 8)
    return "\n".join(["    " + first, *("        " + line for line in rest)])


def fits(table_block: Table) -> bool:
    """Whether a table is no wider than the screen."""
    return max(map(width, _table(table_block).split("\n"))) <= columns()


def _grid(block: Grid) -> str:
    wide = max(len(cell) for row in block.cells for cell in row)
    return "\n".join("  ".join(cell.rjust(wide) for cell in row).rstrip() for row in block.cells)


def _table(block: Table) -> str:
    """Return a table that fits the screen; long texts are broken as the last resort.

    A terminal that is narrower still breaks the lines.
    """
    most, headers = columns(), list(block.headers)
    natural = [max(map(width, column)) for column in zip(headers, *block.rows, strict=True)]
    least = _least_widths(block, natural)
    kept = list(range(len(headers)))
    for name in filter(None, block.drop.split(",")):
        if _total(_widths(natural, least, kept, most)) > most and name in headers:
            kept.remove(headers.index(name))
    widths = _widths(natural, least, kept, most)
    parts = [kept]
    if block.fold:
        parts = _folded(kept, block.fold, widths, most)
    else:
        words = [c for c in kept if headers[c] in block.left.split(",")]
        while _total(widths) > most:  # the widest gives way
            broken = [c for c in words if widths[c] > max(BROKEN, width(headers[c]))]
            if not broken:
                break
            widths[max(broken, key=lambda c: widths[c])] -= 1
    shown = "\n\n".join(_lines(block, part, widths) for part in parts)
    if len(kept) < len(headers):
        names = ", ".join(name for c, name in enumerate(headers) if c not in kept)
        wide = _total(dict(enumerate(natural)))
        shown += f"\n\nleft out on a screen {most} wide: {names} (COLUMNS={wide} shows all)"
    return "\n".join([*block.above, shown, *block.below])


def _total(widths: Mapping[int, int]) -> int:
    """The width of a line of columns."""
    return sum(widths.values()) + 2 * (len(widths) - 1)


def _least_widths(block: Table, natural: Sequence[int]) -> list[int]:
    """The width that each column has at least: that of its longest word where it may be wrapped, within bounds."""
    least = list(natural)
    for c, header in enumerate(block.headers):
        if header in block.wrap.split(","):
            words = (word for text in (header, *(row[c] for row in block.rows)) for word in text.split())
            longest = min(max(map(width, words), default=0), 2 * NARROW)
            least[c] = min(natural[c], max(longest, ROOM if header in block.drop.split(",") else NARROW))
    return least


def _widths(natural: Sequence[int], least: Sequence[int], kept: Sequence[int], most: int) -> dict[int, int]:
    """Natural widths where they fit; else columns that may be wrapped share what the others leave."""
    widths = {c: natural[c] for c in kept}
    if _total(widths) <= most:
        return widths
    widths = {c: least[c] for c in kept}
    growing = [c for c in kept if least[c] < natural[c]]
    for _ in range(most - _total(widths)):
        widths[max(growing, key=lambda c: natural[c] / widths[c])] += 1
        growing = [c for c in growing if widths[c] < natural[c]]
    return widths


def _folded(kept: Sequence[int], fold: int, widths: Mapping[int, int], most: int) -> list[list[int]]:
    """The columns in parts that fit, each with the first ones."""
    parts = [list(kept[:fold])]
    for c in kept[fold:]:
        if len(parts[-1]) > fold and _total({k: widths[k] for k in [*parts[-1], c]}) > most:
            parts.append(list(kept[:fold]))
        parts[-1].append(c)
    return parts


def _lines(block: Table, shown: Sequence[int], widths: Mapping[int, int]) -> str:
    """One part of a table, with the columns that are shown."""
    left = block.left.split(",")
    lines = []
    for at, row in enumerate((block.headers, *block.rows), start=-1):
        if at < 0 and not any(row):
            continue
        if at in block.gaps:
            lines.append(block.gaps[at])
        cells = [wrapped(row[c], widths[c]) if width(row[c]) > widths[c] else [row[c]] for c in shown]
        for line in itertools.zip_longest(*cells, fillvalue=""):
            parts = []
            for c, text in zip(shown, line, strict=True):
                space = " " * (widths[c] - width(text))
                parts.append(text + space if block.headers[c] in left else space + text)
            lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)
