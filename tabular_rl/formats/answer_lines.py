"""Answers whose lines have columns, a line a state: those of CSV files, of data frames and of Parquet files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabular_rl.errors import Fault, ModelError, closest, escape, quoted
from tabular_rl.formats.answer_entries import (
    Answer,
    Table,
    add_action,
    number_of,
    policy_of_entries,
    state_of,
)
from tabular_rl.model.mdp import MDP

COLUMNS = ("time", "state", "value", "lower", "upper", "visits", "action", "probability", "q", "optimal")


@dataclass(frozen=True)
class AnswerLines:
    """Columns by their place, and the lines below them.

    Each line has its number in the file, None where it has none; a cell is a number or a text, "" or None where there
    is nothing. `header` are the names as they stand there, `line` the number of their line.
    """

    column: Mapping[str, int]
    header: Sequence[str]
    lines: Iterable[tuple[int | None, Sequence[Any]]]
    line: int | None = None

    @classmethod
    def of_columns(cls, columns: Mapping[str, Sequence[Any]]) -> AnswerLines:
        """Return the lines of columns of one length.

        >>> list(AnswerLines.of_columns({"state": ["a", "b"], "value": [1.0, 2.0]}).lines)
        [(None, ('a', 1.0)), (None, ('b', 2.0))]
        """
        place = {str(name).strip().lower(): at for at, name in enumerate(columns)}
        rows = zip(*columns.values(), strict=True)
        return cls(place, list(map(str, columns)), ((None, row) for row in rows))

    def wanted(self, mdp: MDP, policy_only: bool) -> tuple[str, ...]:
        """Return the columns of numbers that are read; ModelError where the columns are not those of an answer."""
        columns, timed = self.column, mdp.problem.timed
        fault = None
        unknown = next((name for name in columns if name not in COLUMNS), None)
        wanted = () if policy_only and "action" in columns else ("value", "lower", "upper")
        if (
            "state" not in columns
            or not {"value", "action"} & set(columns)
            or len(columns) < len(self.header)
        ):
            shown = ", ".join(map(escape, self.header[:8]))
            fault = f"found the columns {shown}; expected state and value, or state and action"
        elif unknown is not None:
            begun = next((name for name in COLUMNS if unknown and name.startswith(unknown)), unknown)
            way_out = closest(begun, COLUMNS) or f", expected {', '.join(COLUMNS)}"
            fault = f"found the column {quoted(unknown)}{way_out}"
        elif "time" in columns and not timed:
            fault = "found a column time, expected none: the model has no horizon"
        elif "time" not in columns and timed and "value" in columns and wanted:
            fault = "found no column time, expected one: the model has a horizon"
        if fault is not None:
            raise ModelError(Fault(fault, line=self.line))
        return wanted


def answer_of_lines(given: AnswerLines, mdp: MDP, policy_only: bool = False) -> Answer:
    """[time,]state[,value][,lower,upper][,action[,probability]], the columns in any order.

    Parameters
    ----------
    given : the columns and lines
    mdp : the model that they answer
    policy_only : skip the values where there is a column action

    Returns
    -------
    Answer in the order of the model's states and in its sign: values, lower and upper (S,), or (T + 1, S) for a finite
    horizon, None where there is no such column; its policy, None where no action is named.

    Raises
    ------
    ModelError : the line, and what was found and expected there
    """
    at = given.column
    tables = {name: Table(mdp) for name in given.wanted(mdp, policy_only) if name in at}
    policies: dict[int, dict[str, Any]] = {}
    seen: dict[tuple[int, int], tuple[int, str]] = {}
    for row, (number, line) in enumerate(given.lines):
        if len(line) != len(given.header):
            raise ModelError(Fault(f"found {len(line)} fields, expected {len(given.header)}", line=number))
        s = state_of(mdp, "" if line[at["state"]] is None else line[at["state"]], number)
        place: dict[str, Any] = {"state": mdp.states[s], "line": number}
        t = _time(mdp, line[at["time"]], place) if "time" in at else 0
        first, where = seen.setdefault(
            (t, s), (row, f"in row {row}" if number is None else f"on line {number}")
        )
        if first != row and "probability" not in at:
            raise ModelError(Fault(f"found twice, first {where}, expected once", **place))
        for name, table in tables.items():
            empty = None if name == "value" else -math.inf if name == "lower" else math.inf
            table.array[t, s] = number_of(line[at[name]], place, name, empty)
        if "action" in at and line[at["action"]] not in ("", None):
            p = line[at["probability"]] if "probability" in at else None
            p = "" if p is None and "probability" in at else p
            add_action(policies.setdefault(t, {}), mdp, s, line[at["action"]], p, place)
    found = {name: table.done(name) for name, table in tables.items()}
    policy = policy_of_entries(mdp, policies, "time" in at) if policies else None
    return Answer(found.get("value"), found.get("lower"), found.get("upper"), policy)


def _time(mdp: MDP, given: Any, place: Mapping[str, Any]) -> int:
    T, text = mdp.horizon or 0, str(given)
    if text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= T:
        return int(text)
    raise ModelError(Fault(f"found time {quoted(text)}, expected 0 to {T}", **place))
