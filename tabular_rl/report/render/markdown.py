"""Blocks as Markdown: formulas are code, in the signs of the docstrings, which every reader shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from tabular_rl.report.blocks import Block, Grid, Heading, Lines, Prose, Report, Table, Typed

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&])")


def report_parts(report: Report) -> Iterator[str]:
    """Yield a report as Markdown."""
    yield markdown(report.blocks())


def markdown(blocks: Iterable[Block]) -> str:
    """Return blocks as Markdown.

    >>> print(markdown([Heading("Two states"), Table(["state", "v"], [["a|b", "2"]], left="state")]), end="")
    # Two states
    <BLANKLINE>
    | state | v |
    |:--|--:|
    | a\\|b | 2 |
    """
    return "\n\n".join(filter(None, map(_block, blocks))) + "\n"


def escaped(text: str) -> str:
    """Return a text in which no sign means anything to Markdown.

    >>> print(escaped("a_b <i> 1. *"))
    a\\_b \\<i\\> 1. \\*
    """
    return SPECIAL.sub(r"\\\1", text)


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'##' if block.part else '#'} {escaped(block.text)}"
    if isinstance(block, Prose):
        return _code_lines([block.text]) if block.display else _prose(block)
    if isinstance(block, Lines):
        return "  \n".join(map(escaped, block.lines))
    if isinstance(block, Typed):
        return _code_lines(block.lines)
    if isinstance(block, Table):
        return _table(block)
    return _code_lines(["  ".join(row) for row in block.cells]) if isinstance(block, Grid) else ""


def _code_lines(lines: Sequence[str]) -> str:
    """Lines as they stand, between fences that are longer than any in them."""
    longest = max((len(found) for line in lines for found in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}text", *lines, fence])


def _prose(block: Prose) -> str:
    """A paragraph, in which each formula is one piece of code."""
    parts: list[str] = []
    formula = ""
    for span in [*block.line, None]:
        if span is not None and span.maths:
            formula += span.text
            continue
        if formula:
            parts.append(_code(formula))
            formula = ""
        if span is not None:
            parts.append(_code(span.text) if span.name else escaped(span.text))
    return "".join(parts)


def _code(text: str) -> str:
    """A text as code within a line."""
    longest = max((len(found) for found in re.findall("`+", text)), default=0)
    space = " " * (text[:1] == "`" or text[-1:] == "`")
    return f"{'`' * (longest + 1)}{space}{text}{space}{'`' * (longest + 1)}"


def _table(block: Table) -> str:
    left = block.left.split(",")
    rows = [list(map(escaped, block.headers)), *(list(map(escaped, row)) for row in block.rows)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    rule = "|" + "|".join(":--" if header in left else "--:" for header in block.headers) + "|"
    table = "\n".join([lines[0], rule, *lines[1:]])
    around = [list(map(escaped, part)) for part in (block.above, block.below)]
    return "\n\n".join(filter(None, ("  \n".join(around[0]), table, "  \n".join(around[1]))))
