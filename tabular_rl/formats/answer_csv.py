"""Answers as CSV, a line a state. The columns are in docs/command-line.md."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

from tabular_rl.errors import Fault, ModelError, closest, escape, quoted
from tabular_rl.formats.answer_entries import (
    EMPTY,
    Answer,
    Table,
    add_action,
    number_of,
    policy_of_entries,
    state_of,
)
from tabular_rl.formats.sheet import Sheet, cells_of, refuse
from tabular_rl.model.mdp import MDP

COLUMNS = ("time", "state", "value", "lower", "upper", "visits", "action", "probability", "q")


def read_answer_csv(text: str, mdp: MDP, policy_only: bool = False) -> Answer:
    """[time,]state[,value][,lower,upper][,action[,probability]], the columns in any order.

    Parameters
    ----------
    text : the whole file
    mdp : the model that it answers
    policy_only : skip the values where there is a column action

    Returns
    -------
    Answer in the order of the model's states and in its sign: values, lower and upper (S,), or (T + 1, S) for a finite
    horizon, None where there is no such column; its policy, None where the file names no action.

    Raises
    ------
    ModelError : the line, and what was found and expected there
    """
    sheet = Sheet.of(iter(io.StringIO(text, newline="")))
    if not sheet.names:
        raise ModelError(EMPTY)
    at = sheet.column
    wanted = _wanted(sheet, mdp, policy_only)
    tables = {name: Table(mdp) for name in wanted if name in at}
    policies: dict[int, dict[str, Any]] = {}
    seen: dict[tuple[int, int], int] = {}
    for number, line in sheet.records():
        if len(line) != sheet.width:
            refuse(f"found {len(line)} fields, expected {sheet.width}", number)
        s = state_of(mdp, line[at["state"]], number)
        place: dict[str, Any] = {"state": mdp.states[s], "line": number}
        t = _time(mdp, line[at["time"]], place) if "time" in at else 0
        twin = seen.setdefault((t, s), number)
        if twin != number and "probability" not in at:
            raise ModelError(Fault(f"found twice, first on line {twin}, expected once", **place))
        for name, table in tables.items():
            empty = None if name == "value" else -math.inf if name == "lower" else math.inf
            table.array[t, s] = number_of(line[at[name]], place, name, empty)
        if "action" in at and line[at["action"]] != "":
            p = line[at["probability"]] if "probability" in at else None
            add_action(policies.setdefault(t, {}), mdp, s, line[at["action"]], p, place)
    found = {name: table.done(name) for name, table in tables.items()}
    policy = policy_of_entries(mdp, policies, "time" in at) if policies else None
    return Answer(found.get("value"), found.get("lower"), found.get("upper"), policy)


def _wanted(sheet: Sheet, mdp: MDP, policy_only: bool) -> tuple[str, ...]:
    """Return the columns of numbers that are read; ModelError where the columns are not those of an answer."""
    columns, timed = sheet.column, mdp.problem.timed
    if "state" not in columns or not {"value", "action"} & set(columns) or len(columns) < sheet.width:
        shown = ", ".join(map(escape, cells_of(sheet.header, sheet.line)[:8]))
        refuse(f"found the columns {shown}; expected state and value, or state and action", sheet.line)
    unknown = next((name for name in columns if name not in COLUMNS), None)
    if unknown is not None:
        begun = next((name for name in COLUMNS if unknown and name.startswith(unknown)), unknown)
        way_out = closest(begun, COLUMNS) or f", expected {', '.join(COLUMNS)}"
        refuse(f"found the column {quoted(unknown)}{way_out}", sheet.line)
    if "time" in columns and not timed:
        refuse("found a column time, expected none: the model has no horizon", sheet.line)
    wanted = () if policy_only and "action" in columns else ("value", "lower", "upper")
    if "time" not in columns and timed and "value" in columns and wanted:
        refuse("found no column time, expected one: the model has a horizon", sheet.line)
    return wanted


def _time(mdp: MDP, text: str, place: Mapping[str, Any]) -> int:
    T = mdp.horizon or 0
    if text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= T:
        return int(text)
    raise ModelError(Fault(f"found time {quoted(text)}, expected 0 to {T}", **place))
