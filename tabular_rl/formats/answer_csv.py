"""Answers as CSV, a line a state. The columns are in docs/command-line.md."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, closest, escape, quoted
from tabular_rl.formats.answer_entries import (
    EMPTY,
    Answer,
    Table,
    Written,
    action_names,
    add_action,
    number_of,
    policy_of_entries,
    state_of,
)
from tabular_rl.formats.json import ranges
from tabular_rl.formats.output import write_text
from tabular_rl.formats.sheet import Sheet, cells_of, refuse
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import spell, spell_float
from tabular_rl.solving.solution import Solution

COLUMNS = ("time", "state", "value", "lower", "upper", "visits", "action", "probability", "q")


def read_answer_csv(text: str, mdp: MDP, policy_only: bool = False) -> Answer:
    """[time,]state[,value][,lower,upper][,action[,probability]], the columns in any order."""
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


# -- writing ----------------------------------------------------------------------------------------------------


def write_answer_csv(answer: Written, file: BinaryIO) -> None:
    """Write an answer as CSV."""
    write_text(answer.rows(), file)


def csv_parts(solution: Solution) -> Iterator[str]:
    """Yield an answer as CSV: [time,]state,value[,lower,upper][,action]."""
    mdp, timed = solution.mdp, solution.v.ndim == 2
    policy = solution.policy if solution.policy is not None and solution.policy.rows is not None else None
    interval = solution.lower is not None and solution.upper is not None
    yield (
        ",".join(
            ["time"] * timed
            + ["state", "value"]
            + ["lower", "upper"] * interval
            + ["action"] * (policy is not None)
        )
        + "\n"
    )
    v = np.atleast_2d(solution.v)
    columns, names = [v], [*mdp.actions, ""]
    if solution.lower is not None and solution.upper is not None:
        columns += [np.atleast_2d(solution.lower), np.atleast_2d(solution.upper)]
    for t in range(len(v)):
        rows = None
        if policy is not None and policy.rows is not None and t < (len(v) - timed):
            rows = policy.at(t).rows
        for first, last in ranges(mdp.S):
            lines: list[list[Any]] = [[t] * (last - first)] if timed else []
            lines.append(list(mdp.states[first:last]))
            lines += [[_number_text(x) for x in column[t, first:last].tolist()] for column in columns]
            if policy is not None:
                here = np.full(last - first, -1) if rows is None else rows[first:last]
                lines.append(action_names(mdp, here, names))
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(zip(*lines, strict=True))
            yield text.getvalue()


def q_csv(solution: Solution, more: Mapping[str, NDArray[Any]] | None = None) -> Iterator[str]:
    """Yield [time,]state,value[,lower,upper][,...],action,probability,q: a line an action, one for a terminal state.

    `more` are further columns, numbers by state (S,) or (T, S).
    """
    mdp, timed, policy = solution.mdp, solution.v.ndim == 2, solution.policy
    v, q = np.atleast_2d(solution.v), np.atleast_2d(solution.q)
    columns = {"value": v}
    if solution.lower is not None and solution.upper is not None:
        columns |= {"lower": np.atleast_2d(solution.lower), "upper": np.atleast_2d(solution.upper)}
    columns |= {name: np.atleast_2d(x) for name, x in (more or {}).items()}
    header = ["time"] * timed + ["state", *columns, "action"] + ["probability"] * (policy is not None) + ["q"]
    yield ",".join(header) + "\n"
    for t in range(len(v)):
        now = policy.at(t) if policy is not None and policy.timed and t < len(q) else policy
        for first, last in ranges(mdp.S):
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            for s in range(first, last):
                numbers = [x[t, s].item() if t < len(x) else 0 for x in columns.values()]
                begin = [t] * timed + [mdp.states[s]]
                begin += [_number_text(x) if isinstance(x, float) else x for x in numbers]
                rows = mdp.rows(s) if t < len(q) else range(0)
                for i in rows:
                    p = [] if now is None else [_probability_text(now, i)]
                    writer.writerow(
                        [*begin, mdp.actions[int(mdp.pair_action[i])], *p, _number_text(float(q[t, i]))]
                    )
                if not rows:
                    writer.writerow([*begin, ""] + [""] * (policy is not None) + [""])
            yield text.getvalue()


def _probability_text(policy: Policy, row: int) -> str:
    return spell(policy.exact[row]) if policy.exact is not None else spell_float(policy.weights[row])


def _number_text(x: float) -> str:
    return repr(x) if math.isfinite(x) else ""
