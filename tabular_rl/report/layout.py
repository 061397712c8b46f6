"""Tables that fit the screen: columns are wrapped, folded below each other or left out, which is then said."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import spoken
from tabular_rl.report.screen import signs

USUAL = 80  # characters of a line where neither COLUMNS nor a terminal says how many
LEAST = 20  # of a line: a narrower screen breaks the lines itself
HEAD, TAIL = 12, 6
LONGEST = 24  # rows that are shown without a gap
CHANGES = 12  # rows more, where the action changes
ENTRY = re.compile(r"[\w, ]+ : ")  # of a list of parameters


def columns() -> int:
    """How many characters a line may have: what COLUMNS says, else the terminal, else 80."""
    return max(shutil.get_terminal_size((USUAL, 24)).columns, LEAST)


def width(text: str) -> int:
    """The columns that a text takes on a terminal.

    >>> width("abc"), width("状态")
    (3, 4)
    """
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(c: str) -> int:
    return 0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1


def wrapped(text: str, most: int) -> list[str]:
    """The lines of a text, broken at spaces, and within words that are longer than a line.

    >>> wrapped("1 linear solve, 1 sweep", 16), wrapped("abcdef", 4), wrapped("value-iteration", 9), wrapped("", 4)
    (['1 linear solve,', '1 sweep'], ['abcd', 'ef'], ['value-', 'iteration'], [''])
    """
    lines, line = [], ""
    for word in text.split(" "):
        if line and width(line) + 1 + width(word) <= most:
            line += " " + word
            continue
        if line:
            lines.append(line)
        while width(word) > most:
            at = 1
            while width(word[: at + 1]) <= most:
                at += 1
            hyphen = word.rfind("-", 0, at) + 1
            at = hyphen if 2 * hyphen > at else at
            lines.append(word[:at])
            word = word[at:]
        line = word
    return [*lines, line]


def reflowed(text: str, most: int) -> str:
    """A docstring with lines of at most `most` characters; indented paragraphs and entries stay indented.

    What fits is left as it is, and what examples print; their code is broken behind a comma.

    >>> print(reflowed("One long line of words.\\n\\n    x = y\\n\\nsteps : how many of them", 16))
    One long line of
    words.
    <BLANKLINE>
        x = y
    <BLANKLINE>
    steps : how many
        of them
    """
    parts = []
    for block in re.split(r"(\n\s*\n)", text):
        rows = block.split("\n")
        if not block.strip() or max(map(width, rows)) <= most:
            parts.append(block)
            continue
        if ">>>" in block:
            parts.append("\n".join(line for row in rows for line in _broken(row, most)))
            continue
        lines: list[str] = []
        for indent, words in _paragraphs(rows):
            hang = indent + "    " * bool(ENTRY.match(words))
            first, *rest = wrapped(words, most - len(indent))
            lines.append(indent + first)
            if rest:
                lines += [hang + line for line in wrapped(" ".join(rest), most - len(hang))]
        parts.append("\n".join(lines))
    return "".join(parts)


def _broken(row: str, most: int) -> list[str]:
    """A line of an example, its code broken behind commas outside of quotes.

    >>> _broken(">>> f(1, 'a, b', 3)", 18)
    [">>> f(1, 'a, b',", '...     3)']
    """
    code = row.lstrip(" ")
    if width(row) <= most or not code.startswith((">>> ", "... ")):
        return [row]
    ends = [
        found.end()
        for found in re.finditer(r",(?= )", row)
        if found.end() <= most and row[: found.end()].count('"') % 2 == row[: found.end()].count("'") % 2 == 0
    ]
    if not ends or ends[-1] >= len(row):
        return [row]
    indent = row[: len(row) - len(code)]
    first, rest = row[: ends[-1]], f"{indent}...     {row[ends[-1] :].lstrip()}"
    return [first, *(_broken(rest, most) if len(rest) < len(row) else [rest])]


def _paragraphs(rows: Sequence[str]) -> list[tuple[str, str]]:
    """(indent, words) of each paragraph, and of each entry "name : ..." with the indented lines that go on with it."""
    found: list[tuple[str, str]] = []
    for row in rows:
        words = row.lstrip(" ")
        indent = row[: len(row) - len(words)]
        if found and not ENTRY.match(words) and words.strip("-"):
            before, said = found[-1]
            if said.strip("-") and (indent == before or (ENTRY.match(said) and len(indent) > len(before))):
                found[-1] = before, f"{said} {words}"
                continue
        found.append((indent, words))
    return found


@dataclass(frozen=True)
class Rows:
    """Which rows of a long table are shown, and what is said instead of those before a row that are not."""

    rows: list[int]
    gaps: Mapping[int, str] = field(default_factory=dict)  # by place in `rows`


def rows_shown(
    count: int, everything: bool = False, what: str = "states", changes: NDArray[Any] | None = None
) -> Rows:
    """The first rows and the last ones of a long table, and between them those where the action changes.

    Where there are too many changes they are counted only.

    Parameters
    ----------
    count : rows of the table
    everything : show all of them
    what : what the rows are, in the plural
    changes : the rows whose action is another than that of the row before, in order; None where no action is shown

    Returns
    -------
    Rows: the numbers of the rows that are shown, from 0, and by place among them the text that stands before a row
    instead of those left out.

    Examples
    --------
    >>> rows_shown(10).rows == list(range(10)), rows_shown(1000).rows == [*range(12), *range(994, 1000)]
    (True, True)
    >>> rows_shown(1000, changes=np.array([5, 50])).gaps[13]
    '… 943 more states, same action'
    """
    if everything or count <= LONGEST:
        return Rows(list(range(count)))
    first, last = HEAD, count - TAIL
    inside = np.zeros(0, np.int64) if changes is None else changes[(changes >= first) & (changes < last)]
    kept = inside.tolist() if len(inside) <= CHANGES else []
    rows = [*range(first), *kept, *range(last, count)]
    same = ", same action" if changes is not None and len(inside) <= CHANGES else ""
    if len(inside) > CHANGES:
        same = f", whose action changes {len(inside)} times"
    gaps: dict[int, str] = {}
    for place in range(1, len(rows)):
        left = rows[place] - rows[place - 1] - 1
        if left:
            shows = "" if gaps else spoken(" (--all shows them)")
            gaps[place] = f"{signs().dots} {left} more {what if left > 1 else what.rstrip('s')}{same}{shows}"
    return Rows(rows, gaps)
