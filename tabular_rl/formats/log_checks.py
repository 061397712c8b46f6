"""What is wrong with the columns of a log, each fault with the place of its entry, and what the columns say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import SHOWN_FAULTS, Fault, ModelError, quoted
from tabular_rl.formats.fields import AN_EMPTY_CELL, number_fault, spelled_number
from tabular_rl.formats.log_columns import Column, Source, Texts, named, text_at, values_of
from tabular_rl.formats.log_roles import Found
from tabular_rl.model.names import LONGEST_NAME, name_fault
from tabular_rl.model.rationals import nearest
from tabular_rl.model.rows import LARGEST, Floats
from tabular_rl.model.transitions import A_PROPENSITY, Ints

Flags = NDArray[np.bool_]
ENDS = {text: end for end, word in ((False, "false"), (True, "true"))
        for text in (str(int(end)), f"{int(end)}.0", word, word.title(), word.upper())}  # fmt: skip
WITHOUT = "Without this column they are those of the next line of the episode"
AN_END = "expected 0, 1, false or true"
MOST_FAULTS = 1000


@dataclass
class Check:
    """Collects what is wrong with which entry, in the order of the entries."""

    columns: Mapping[str, Column]
    found: Found
    source: Source
    notes: list[tuple[int, int, Callable[[bool], str], str | None]] = field(default_factory=list)

    def note(
        self, wrong: Flags, what: Callable[[int, bool], str], pair: bool = True, to: bool = False
    ) -> None:
        """Note entries that are wrong (N,): `what(i, hint)` says it, of the pair, and of the transition to s'."""
        if wrong.any():
            rank = len(self.notes)
            for i in np.flatnonzero(wrong)[:MOST_FAULTS].tolist():
                place = "to" if to else "pair" if pair else None
                self.notes.append((i, rank, lambda hint, i=i: what(i, hint), place))  # type: ignore[misc]

    def entry(self, role: str, i: int) -> str:
        """Return what stands there, for messages."""
        return text_at(self.columns[role], i)

    def named(self, role: str) -> str:
        """Return how messages name a role: with the column, where that is called something else."""
        called = self.found.called(role)
        return role if called == role else f"{role} (column {quoted(called)})"

    def raise_any(self) -> None:
        """Raise ModelError with the faults, where there are some."""
        if not self.notes:
            return
        notes = sorted(self.notes, key=lambda note: note[:2])[:MOST_FAULTS]
        lines = self.source.lines([note[0] for note in notes])
        faults: list[Fault] = []
        for (i, _, what, kind), line in zip(notes, lines, strict=True):
            place: dict[str, Any] = {}
            if kind is not None:
                place = {role: self.entry(role, i) for role in ("state", "action")}
            if kind == "to":
                place["next_state"] = self.entry("next_state", i)
            text = what(len(faults) < SHOWN_FAULTS)  # the search for the closest name takes its time
            faults.append(
                Fault(text if line is not None else f"{text} (transition {i + 1})", line=line, **place)
            )
        raise ModelError(faults)


def check_names(check: Check, role: str, own: bool) -> None:
    """Note names that can be none; those of a model only where they are empty or without end.

    Parameters
    ----------
    check : that collects the faults
    role : of the column of names
    own : the names are those of the log, not of a model
    """
    column = check.columns[role]
    if isinstance(column, np.ndarray):
        if column.dtype.kind == "f":
            wrong = ~(np.abs(column) < 2.0**53) | (column != np.floor(column))
            expected = "expected whole numbers or names. Say in which of finitely many cells it is"
            check.note(wrong, lambda i, _: f"{check.named(role)}: found {column[i]}, {expected}", pair=False)
        return
    texts = named(column)
    what = [
        "" if text.strip() and not own and len(text) <= LONGEST_NAME
        else name_fault(text) if text.strip() else AN_EMPTY_CELL
        for text in texts.texts
    ]  # fmt: skip
    if role == "next_state":
        what = [f"{text}. {WITHOUT}" if text == AN_EMPTY_CELL else text for text in what]
    if any(what):
        wrong = texts.where(map(bool, what), np.bool_)
        check.note(wrong, lambda i, _: f"{check.named(role)}: {what[int(texts.code[i])]}", pair=False)


def numbers(check: Check, role: str) -> tuple[Floats, tuple[Fraction, ...] | None, Ints | None]:
    """Return numbers (N,), and where they are spelled as texts the exact ones, and which one stands where."""
    column = check.columns[role]
    exact: tuple[Fraction, ...] | None = None
    code: Ints | None = None
    if isinstance(column, Texts):
        spelled: list[Any] = [spelled_number(text, True) for text in column.texts]
        values = column.where([np.nan if x is None else nearest(x) for x in spelled], np.float64)
        if None not in spelled:
            exact, code = tuple(spelled), column.code.astype(np.int64)
    else:
        values = values_of(column).astype(np.float64)
    return values, exact, code


def check_rewards(check: Check, values: Floats) -> None:
    """Note rewards that are no numbers, or too large ones."""

    def what(i: int, _: bool) -> str:
        text = check.entry("reward", i)
        if isinstance(check.columns["reward"], np.ndarray):
            return f"found {check.named('reward')} {text}, expected a finite number up to {LARGEST:g}"
        return f"found {check.named('reward')} {quoted(text)}, {number_fault(text)}"

    check.note(~(np.abs(values) <= LARGEST), what)


def flags(check: Check, role: str, N: int) -> Flags:
    """Return whether each transition is one of which the column says so.

    Parameters
    ----------
    check : that collects the faults
    role : of the column of flags, which may lack
    N : number of transitions

    Returns
    -------
    (N,), False where there is no column
    """
    column = check.columns.get(role)
    if column is None:
        return np.zeros(N, dtype=np.bool_)
    if isinstance(column, Texts):
        found = [ENDS.get(text) for text in column.texts]
        wrong = column.where([end is None for end in found], np.bool_)
        said = column.where(map(bool, found), np.bool_)
    else:
        values = values_of(column)
        said = np.asarray(values == 1)
        wrong = ~(said | (values == 0))

    def what(i: int, _: bool) -> str:
        text = check.entry(role, i)
        shown = text if isinstance(column, np.ndarray) else quoted(text)
        return f"{check.named(role)}: found {shown}, {AN_END}"

    check.note(wrong, what)
    return said


def propensities(check: Check) -> Floats | None:
    """Return the probability with which each action was chosen (N,); None where the log does not say it."""
    if "propensity" not in check.columns:
        return None
    chosen, _, _ = numbers(check, "propensity")

    def what(i: int, _: bool) -> str:
        text = check.entry("propensity", i)
        shown = text if isinstance(check.columns["propensity"], np.ndarray) else quoted(text)
        return f"{check.named('propensity')}: found {shown}, {A_PROPENSITY}"

    check.note(~((chosen > 0) & (chosen <= 1)), what)
    return chosen


def steps(check: Check) -> Floats | None:
    """Return the step of each entry (N,), which is a number or a date; None where the log has none."""
    column = check.columns.get("step")
    if column is None:
        return None
    if isinstance(column, np.ndarray) and column.dtype.kind in "mM":
        return column.astype(np.int64).astype(np.float64)
    if isinstance(column, Texts):
        dates = _dates(column.texts)
        if dates is not None:
            return np.asarray(dates[column.code])
    values, _, _ = numbers(check, "step")
    expected = "expected a number or a date such as 2024-05-31"
    check.note(
        np.isnan(values),
        lambda i, _: f"{check.named('step')}: found {quoted(check.entry('step', i))}, {expected}",
    )
    return values


def _dates(texts: list[str]) -> Floats | None:
    """Return dates in the order of time; None where one is none, or may be a number."""
    if not texts or not all("-" in text[1:] for text in texts):
        return None
    try:
        return np.array(texts, dtype="datetime64[us]").astype(np.int64).astype(np.float64)
    except ValueError:
        return None
