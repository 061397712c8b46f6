"""A sheet: a line of column names, and lines of cells. Models, logs, answers and counts in CSV are read with it.

A sheet without faults is read column by column (`chunks`), one with faults a second time, line by line (`records`,
`fitting`), to say where they are.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, closest, quoted

CHUNK = 1 << 11  # lines at once: lists that live for long cost time in the garbage collector


class Faulty(Exception):
    """The sheet has faults; reading it line by line tells where."""


class Codes(dict[str, int]):
    """Texts, each with its number in order of first appearance."""

    def __missing__(self, text: str) -> int:
        self[text] = at = len(self)
        return at

    def of(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the numbers of texts (n,).

        >>> Codes().of(["b", "a", "b"]).tolist()
        [0, 1, 0]
        """
        return np.fromiter(map(self.__getitem__, texts), np.int64, len(texts))


class Sheet:
    """The names of the columns, in lower case and as they are `called`, and the lines below, which can be read once."""

    def __init__(self, header: str, line: int, below: Iterator[str]) -> None:
        self.header, self.line, self.below = header, line, below
        self.called = full([cell.strip() for cell in cells_of(header, line, strict=True)])
        self.names = [name.lower() for name in self.called]
        self.width = len(self.names)
        self.column = {name: i for i, name in enumerate(self.names)}

    @classmethod
    def of(cls, lines: Iterator[str]) -> Sheet:
        """Return a sheet whose first line with something in it names the columns."""
        number, line = 0, ""
        for number, line in enumerate(lines, 1):  # noqa: B007
            if not is_blank(line):
                break
        return cls(line, number, lines)

    def check(
        self,
        needed: Sequence[str],
        known: Sequence[str],
        expected: str,
        *,
        once: str = "",
        hints: bool = True,
    ) -> None:
        """Raise where the columns are not those that are needed, and perhaps others that are known."""
        what = None
        missing = [name for name in needed if name not in self.column]
        unknown = [name for name in self.names if name not in known]
        called = dict(zip(reversed(self.names), reversed(self.called), strict=True))
        marks = [name for mark, name in ((";", "semicolons"), ("\t", "tabs")) if mark in self.header]
        if "," not in self.header and marks:
            what = f"found columns divided by {marks[0]}, expected commas"
        elif unknown:
            hint = closest(unknown[0], known) if hints and unknown[0] else ""
            name = f"the column {quoted(called[unknown[0]])}" if unknown[0] else "a column without a name"
            what = f"found {name}{hint or ', ' + expected}"
        elif len(self.column) < self.width:
            twice = next(name for i, name in enumerate(self.names) if name in self.names[:i])
            what = f"found the column {quoted(twice)} twice, {once or expected}"
        elif missing:
            what = f"found no column {quoted(missing[0])}, {expected}"
        if what is not None:
            raise ModelError(Fault(what, line=self.line))

    def cut(self, fields: list[str]) -> list[str]:
        """Return the fields of a line without empty ones past the columns."""
        return fields if any(fields[self.width :]) else fields[: self.width]

    def chunks(self) -> Iterator[dict[str, tuple[str, ...]]]:
        """Yield the columns of some lines at once, by name; Faulty where a line does not fit."""
        for columns in self.lists():
            yield dict(zip(self.names, columns, strict=True))

    def lists(self) -> Iterator[list[tuple[str, ...]]]:
        """Yield the columns of some lines at once, in their order; Faulty where a line does not fit."""
        rows = csv.reader(self.below, strict=True)
        try:
            while chunk := list(islice(rows, CHUNK)):
                kept = [row if len(row) == self.width else self.cut(row) for row in chunk if any(row)]
                if any(len(row) != self.width for row in kept):
                    raise Faulty
                if kept:
                    yield list(zip(*kept, strict=True))
        except csv.Error:
            raise Faulty from None

    def records(self, fault: Callable[[str, int], None] | None = None) -> Iterator[tuple[int, list[str]]]:
        """Yield the fields of each line that has some with its number, as far as they can be read.

        What cannot be read goes to `fault`, as a text and its line; without it a ModelError is raised.
        """
        rows = csv.reader(self.below, strict=True)
        while True:
            line = self.line + rows.line_num + 1
            try:
                fields = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                (fault or refuse)(f"not valid CSV: {error}", line)
                return
            if any(fields):
                yield line, self.cut(fields)

    def fitting(self, fault: Callable[[str, int], None]) -> Iterator[tuple[int, list[str]]]:
        """Yield the records that have as many fields as there are columns; the others go to `fault`."""
        for line, fields in self.records(fault):
            if len(fields) == self.width:
                yield line, fields
            else:
                expected = f"{self.width} as in the line of column names"
                fault(f"found {len(fields)} fields, expected {expected}", line)


def refuse(what: str, line: int) -> None:
    """Raise a fault with its line."""
    raise ModelError(Fault(what, line=line))


def is_blank(line: str) -> bool:
    """Whether a line has nothing but what divides cells."""
    return not line.strip(" \t\r\n,;")


def cells_of(line: str, number: int, strict: bool = False) -> list[str]:
    """Return the cells of a line; ModelError with its number where one is too long or, with `strict`, badly quoted.

    Parameters
    ----------
    line : of a CSV file
    number : its number, for the message
    strict : refuse quotes that are out of place

    Returns
    -------
    The cells as texts; none of an empty line.

    Raises
    ------
    ModelError : a cell is too long, or quoted badly with `strict`

    Examples
    --------
    >>> cells_of('a,"b,c"', 1)
    ['a', 'b,c']
    """
    try:
        return next(csv.reader([line], strict=strict), [])
    except csv.Error as error:
        raise ModelError(Fault(f"not valid CSV: {error}", line=number)) from None


def full(cells: list[str]) -> list[str]:
    """Return cells without the empty ones at the end, which a sheet adds to its shorter lines.

    >>> full(["a", "", "b", ""])
    ['a', '', 'b']
    """
    last = max((n for n, cell in enumerate(cells, 1) if cell), default=0)
    return cells[:last]


# -- writing ----------------------------------------------------------------------------------------------------


def csv_text(name: str) -> str:
    """Return a name as a field of CSV, in quotes where it needs them.

    >>> csv_text("say go"), csv_text("a,b")
    ('say go', '"a,b"')
    """
    if "\0" in name:
        raise ModelError(
            f"name {quoted(name)}: found a NUL character, which CSV does not hold. Write it as .npz."
        )
    if not name or name[0] == "#" or any(c in name for c in ',"\r\n'):
        return '"' + name.replace('"', '""') + '"'
    return name
