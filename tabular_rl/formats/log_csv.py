"""Logs in CSV, for people and databases.

A log is read column by column, never whole. Where its lines do not fit it is read a second time, line by line.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from tabular_rl.errors import Fault, ModelError
from tabular_rl.formats import input
from tabular_rl.formats.fields import spelled_number
from tabular_rl.formats.log_checks import MOST_FAULTS
from tabular_rl.formats.log_columns import Column, Numbers, Source, Texts
from tabular_rl.formats.log_entries import COLUMNS, columns_of
from tabular_rl.formats.log_roles import Found, LogAsked, roles_of
from tabular_rl.formats.log_transitions import log_of_columns
from tabular_rl.formats.memory import require
from tabular_rl.formats.sheet import Codes, Faulty, Sheet, csv_text
from tabular_rl.model.numbers import size_text
from tabular_rl.model.rationals import DECIMAL, nearest
from tabular_rl.model.rows import LARGEST, Floats
from tabular_rl.model.transitions import Log, Transitions

EXPECTED = f"expected the columns {','.join(COLUMNS)}, and perhaps truncated, episode, step and propensity"
CHUNK = 1 << 12  # lines written at once
LONGEST_LINE = 1 << 20  # bytes
KEPT = 1 << 16  # different numbers that are kept as they are spelled; beyond, the nearest floats
NUMBERS = ("reward", "step", "propensity")


def read_log_csv(file: BinaryIO, asked: LogAsked) -> tuple[Log | Transitions, str]:
    """Return the transitions of a CSV file, and what is to be said of them; ModelError with all its faults."""
    input.check_text(file.read(8))
    file.seek(0)
    _scan(file)
    try:
        found, columns = _columns(file, asked)
    except (Faulty, UnicodeDecodeError):
        raise _faults(file, asked) from None
    return log_of_columns(columns, found, asked, _Lines(file))


def _scan(file: BinaryIO) -> None:
    """Look for what no text holds before lines are read: NUL, and a line without end."""
    line, far = 1, 0
    while part := file.read(LONGEST_LINE):
        if b"\0" in part:
            end = file.tell()
            file.seek(0)
            input.decode(file.read(end))  # says the line
        found = max(part.rfind(b"\n"), part.rfind(b"\r"))
        far = far + len(part) if found < 0 else len(part) - found
        if far > LONGEST_LINE:
            what = f"found a line of more than {size_text(LONGEST_LINE)}, expected a transition a line"
            raise ModelError(Fault(what, line=line + _ends(part)))
        line += _ends(part)
    file.seek(0)


def _ends(part: bytes) -> int:
    return part.count(b"\n") or part.count(b"\r")


def _text(file: BinaryIO) -> io.TextIOWrapper:
    file.seek(0)
    return io.TextIOWrapper(file, "utf-8-sig", newline="")


def _sheet(lines: io.TextIOWrapper, asked: LogAsked) -> tuple[Sheet, Found]:
    """Return the sheet, and which of its columns has which role."""
    sheet = Sheet.of(lines)
    if not sheet.names:
        raise ModelError("found no line of column names, " + EXPECTED)
    marks = [name for mark, name in ((";", "semicolons"), ("\t", "tabs")) if mark in sheet.header]
    if "," not in sheet.header and marks:
        what = f"found columns divided by {marks[0]}, expected commas"
        raise ModelError(Fault(what, line=sheet.line))
    try:
        return sheet, roles_of(sheet.called, asked)
    except ValueError as error:
        raise ModelError(Fault(str(error), line=sheet.line)) from None


@dataclass
class _Kept:
    """The texts of a column as codes; where they are numbers and many different ones, as floats."""

    number: bool
    codes: Codes = field(default_factory=Codes)
    parts: list[Any] = field(default_factory=list)
    floats: list[Floats] = field(default_factory=list)
    odd: dict[int, str] = field(default_factory=dict)
    N: int = 0

    def add(self, texts: Sequence[str]) -> None:
        if self.number and len(self.codes) > KEPT:
            values = np.array([_float(text) for text in texts], dtype=np.float64)
            if len(self.odd) < MOST_FAULTS:
                self.odd |= {self.N + i: texts[i] for i in np.flatnonzero(np.isnan(values)).tolist()}
            self.floats.append(values)
        else:
            self.parts.append(self.codes.of(texts).astype(np.int32))
        self.N += len(texts)

    def done(self) -> Column:
        texts = Texts(list(self.codes), np.concatenate([np.zeros(0, np.int32), *self.parts]))
        if not self.floats:
            return texts
        spelled = [_float(text) for text in texts.texts]
        before = texts.where(spelled, np.float64)
        odd = {int(i): texts.at(i) for i in np.flatnonzero(np.isnan(before))[:MOST_FAULTS]}
        return Numbers(np.concatenate([before, *self.floats]), odd | self.odd)


def _float(text: str) -> float:
    """Return the float nearest to a number, NaN for what is none."""
    if DECIMAL.fullmatch(text):
        x = float(text)
        if -LARGEST <= x <= LARGEST:
            return x
    exact: Any = spelled_number(text, True)
    return float("nan") if exact is None else nearest(exact)


def _columns(file: BinaryIO, asked: LogAsked) -> tuple[Found, dict[str, Column]]:
    """Return the columns that have a role; Faulty where a line does not fit."""
    lines = _text(file)
    try:
        sheet, found = _sheet(lines, asked)
        kept = {role: _Kept(role in NUMBERS) for role in found.at}
        for columns in sheet.lists():
            for role, i in found.at.items():
                kept[role].add(columns[i])
    finally:
        lines.detach()
    return found, {role: column.done() for role, column in kept.items()}


class _Lines(Source):
    """The lines of the file, which are counted when a fault asks where it is."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self.file = file

    def lines(self, entries: list[int]) -> list[int | None]:
        """Return the line on which each entry stands; entries rise."""
        lines = _text(self.file)
        asked, made = set(entries), dict.fromkeys(entries, 0)
        sheet = Sheet.of(lines)
        for at, (line, _) in enumerate(sheet.records()):
            if at in asked:
                made[at] = line
                if at == entries[-1]:
                    break
        lines.detach()
        return [made[i] for i in entries]


def _faults(file: BinaryIO, asked: LogAsked) -> ModelError:
    """Say which lines do not fit."""
    require(3 * file.seek(0, 2))
    file.seek(0)
    input.decode(file.read())  # says the line of a byte that is not UTF-8
    faults: list[Fault] = []
    lines = _text(file)
    sheet, _ = _sheet(lines, asked)
    for _ in sheet.fitting(lambda what, line: faults.append(Fault(what, line=line))):
        if len(faults) >= MOST_FAULTS:
            break
    lines.detach()
    return ModelError(faults)


# -- writing ------------------------------------------------------------


def write_log_csv(transitions: Transitions, file: BinaryIO) -> None:
    """Write transitions as CSV, one a line."""
    mdp, columns = transitions.mdp, columns_of(transitions)
    columns["done"] = transitions.done.astype(np.int8)
    states, actions = [csv_text(name) for name in mdp.states], [csv_text(name) for name in mdp.actions]
    file.write((",".join(columns) + "\n").encode())
    for i in range(0, len(transitions), CHUNK):
        part = (x[i : i + CHUNK].tolist() for x in columns.values())
        text = "".join(
            ",".join((str(e), states[b], actions[c], repr(r), states[d], str(end), *map(repr, more))) + "\n"
            for e, b, c, r, d, end, *more in zip(*part, strict=True)
        )
        file.write(text.encode("utf-8"))
