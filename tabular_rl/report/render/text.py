"""Blocks as text that fits the screen: tables are wrapped, folded below each other or cut, which is then said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tabular_rl.report.blocks import Block, Grid, Lines, Report, Table
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


def _text(block: Block) -> str:
    if isinstance(block, Lines):
        return "\n".join(block.lines)
    if isinstance(block, Table):
        return table(block)
    return grid(block) if isinstance(block, Grid) else ""


def fits(table_block: Table) -> bool:
    """Whether a table is no wider than the screen."""
    return max(map(width, table(table_block).split("\n"))) <= columns()


def grid(block: Grid) -> str:
    wide = max(len(cell) for row in block.cells for cell in row)
    return "\n".join("  ".join(cell.rjust(wide) for cell in row).rstrip() for row in block.cells)


def table(block: Table) -> str:
    """Return a table that fits the screen; long texts are broken as the last resort.

    A terminal that is narrower still breaks the lines.
    """
    most, headers, rows = columns(), list(block.headers), block.rows
    flush_left, may_wrap, may_drop = (set(x.split(",")) for x in (block.left, block.wrap, block.drop))
    natural = [max(map(width, column)) for column in zip(headers, *rows, strict=True)]
    shown, dropped = list(range(len(headers))), []

    def total(widths: Mapping[int, int]) -> int:
        return sum(widths.values()) + 2 * (len(widths) - 1)

    def widths_of(kept: Sequence[int], narrow: Mapping[int, int]) -> dict[int, int]:
        """Natural widths where they fit; else columns that may be wrapped share what the others leave."""
        widths = {c: natural[c] for c in kept}
        if total(widths) <= most:
            return widths
        for c in kept:
            widths[c] = min(natural[c], narrow.get(c, natural[c]))
        room = most - total(widths)
        while room > 0:
            growing = [c for c in kept if widths[c] < natural[c]]
            if not growing:
                break
            widths[max(growing, key=lambda c: natural[c] / widths[c])] += 1
            room -= 1
        return widths

    narrow = {
        c: max(
            [ROOM if h in may_drop else NARROW]
            + [
                min(width(word), 2 * NARROW)
                for text in (h, *(row[c] for row in rows))
                for word in text.split()
            ]
        )
        for c, h in enumerate(headers)
        if h in may_wrap
    }
    widths = widths_of(shown, narrow)
    for name in block.drop.split(",") if block.drop else ():
        if total(widths) > most and name in headers:
            dropped.append(headers.index(name))
            shown = [c for c in shown if c not in dropped]
            widths = widths_of(shown, narrow)
    parts = [shown]
    if block.fold and total(widths) > most:
        parts, always = [], shown[: block.fold]
        for c in shown[block.fold :]:
            if parts and total({k: widths[k] for k in [*parts[-1], c]}) <= most:
                parts[-1].append(c)
            else:
                parts.append([*always, c])
    elif total(widths) > most:
        while total(widths) > most:  # the widest gives way
            flexible = [
                c for c in shown if headers[c] in flush_left and widths[c] > max(BROKEN, width(headers[c]))
            ]
            if not flexible:
                break
            widths[max(flexible, key=lambda c: widths[c])] -= 1
    shown_text = "\n\n".join(_lines(block, part, widths, flush_left) for part in parts)
    if dropped:
        names = ", ".join(headers[c] for c in sorted(dropped))
        wide = sum(natural) + 2 * (len(natural) - 1)
        shown_text += f"\n\nleft out on a screen {most} wide: {names} (COLUMNS={wide} shows all)"
    return "\n".join([*block.above, shown_text, *block.below])


def _lines(block: Table, shown: Sequence[int], widths: Mapping[int, int], flush_left: set[str]) -> str:
    """One part of a table, with the columns that are shown."""
    lines = []
    for at, row in enumerate((block.headers, *block.rows), start=-1):
        if at < 0 and not any(row):
            continue
        if at in block.gaps:
            lines.append(block.gaps[at])
        cells = [wrapped(row[c], widths[c]) if width(row[c]) > widths[c] else [row[c]] for c in shown]
        for i in range(max(map(len, cells))):
            parts = []
            for c, cell in zip(shown, cells, strict=True):
                text = cell[i] if i < len(cell) else ""
                space = " " * (widths[c] - width(text))
                parts.append(text + space if block.headers[c] in flush_left else space + text)
            lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)
