"""What an answer says of each state, in columns: described once, written as JSON and as CSV."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.formats.answer_json import SCHEMA, VERSION
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import spell, spell_float, spell_short
from tabular_rl.report.blocks import Column, Sheet, plain, ranges
from tabular_rl.solving.solution import Floats, Solution

# The columns that a sheet has too, and what it calls those whose key in JSON is another.
SHEET = ("states", "values", "lower", "upper", "visits", "policy")
HEADERS = {"states": "state", "values": "value", "policy": "action"}


def answer_entries(solution: Solution, **more: Any) -> dict[str, Any]:
    """Return an answer for JSON in the order of its schema, with `more` before what it says of each state."""
    mdp = solution.mdp
    spelled = spell_short if mdp.gamma_exact == Fraction(mdp.gamma) else spell
    entries = {
        "schema": SCHEMA,
        "version": VERSION,
        "model": mdp.name,
        "digest": mdp.digest,
        "problem": mdp.problem,
        "gamma": mdp.gamma,
        "gamma_exact": spelled(mdp.gamma_exact),
        "horizon": mdp.horizon,
        "sense": mdp.sense,
        "task": solution.task,
        "method": solution.method,
        "options": dict(solution.options),
        "seed": solution.seed,
        "status": solution.status.name,
        "message": solution.status.value + (f" ({solution.note})" if solution.note else ""),
        "reached": solution.status.reached,
        "tolerance": solution.options.get("tolerance"),
        "bound": solution.bound,
        "start": None if mdp.start_given else "uniform over non-terminal states",
        "start_value": solution.value_of_start(),
        "work": dict(solution.work),
        "seconds": solution.seconds,
        **more,
        **_columns(solution),
    }
    if solution.policy is not None and solution.policy.rows is None and solution.policy.exact is None:
        entries["numbers"] = "float64"
    return entries


def answer_sheet(solution: Solution, show_q: bool = False, visits: Column | None = None) -> Sheet:
    """Return [time,]state,value[,lower,upper][,visits][,action], a line a state, and a time step of a horizon.

    With `show_q` it is [time,]state,...,action,probability,q: a line an action, one for a terminal state.

    Parameters
    ----------
    solution : an answer
    show_q : with the q of each action
    visits : how often each state was met, where that is known

    Returns
    -------
    Sheet with its headers, and its lines in blocks that are made as they are read. Values are in the sign of the model.
    """
    mdp, policy, timed = solution.mdp, solution.policy, solution.v.ndim == 2
    known = _columns(solution)
    action = known.pop("policy")
    known["visits"] = visits
    if action is not None and policy is not None and policy.rows is not None and not show_q:
        known["policy"] = replace(action, steps=mdp.horizon)
    columns = {HEADERS.get(key, key): column for key in SHEET if (column := known.get(key)) is not None}
    headers = [*["time"] * timed, *columns]
    if show_q:
        headers += ["action", *["probability"] * (policy is not None), "q"]
    q = np.atleast_2d(solution.q) if show_q else np.zeros((0, 0))

    def blocks() -> Iterator[Iterable[Sequence[Any]]]:
        for t in range(len(solution.v) if timed else 1):
            for first, last in ranges(mdp.S):
                cells = [column.lines(t, first, last) for column in columns.values()]
                lines = zip(*[[t] * (last - first)] * timed, *cells, strict=True)
                if t < len(q):
                    now = None if policy is None else policy.at(t)
                    yield _each_action(mdp, now, q[t], first, last, lines)
                else:
                    yield ([*line, *[None] * (len(headers) - len(line))] for line in lines)

    return Sheet(headers, blocks())


def q_column(mdp: MDP, q: Floats) -> Column:
    """Return the value of each action by name, from q (L,) or (T, L)."""

    def values(row: Floats, first: int, last: int) -> list[dict[str, float]]:
        return _by_state(mdp, first, last, lambda rows: row[rows].tolist())

    return Column.of_steps(q, mdp.S, values)


def _columns(solution: Solution) -> dict[str, Column | None]:
    """What an answer says of each state, by its key in JSON; None for what it does not know."""
    mdp, policy, keep = solution.mdp, solution.policy, solution.optimal_actions

    def numbers(values: NDArray[Any] | None) -> Column | None:
        return None if values is None else Column.numbers(values)

    return {
        "states": Column(lambda _, first, last: list(mdp.states[first:last]), mdp.S),
        "values": numbers(solution.v),
        "lower": numbers(solution.lower),
        "upper": numbers(solution.upper),
        "exact": None if solution.exact is None else _fractions(solution.v, solution.exact),
        "policy": None if policy is None else _actions(mdp, policy),
        "optimal_actions": None if keep is None else _kept(mdp, keep),
        "proven_optimal": numbers(solution.proven_optimal),
        **{name: numbers(solution.extra.get(name)) for name in mdp.problem.beside},
    }


def _fractions(v: Floats, exact: Sequence[Fraction]) -> Column:
    """Exact values of the shape of v, given one time step after the other."""
    values = np.empty(len(exact), dtype=object)
    values[:] = exact
    return Column.of_steps(
        values.reshape(v.shape), v.shape[-1], lambda row, first, last: list(map(spell, row[first:last]))
    )


def _actions(mdp: MDP, policy: Policy) -> Column:
    """The action of each state by name, or the probabilities {action: p}; None where a state has no actions."""
    names = [*mdp.actions, None]

    def chosen(rows: NDArray[Any], first: int, last: int) -> list[str | None]:
        rows = rows[first:last]
        actions = np.where(rows >= 0, mdp.pair_action[np.maximum(rows, 0)], -1) if mdp.L else rows
        return [names[a] for a in actions.tolist()]

    def probabilities(t: int, first: int, last: int) -> list[dict[str, Any] | None]:
        now = policy.at(t)
        return [entry or None for entry in _by_state(mdp, first, last, lambda rows: _shares(now, rows))]

    if policy.rows is not None:
        return Column.of_steps(policy.rows, mdp.S, chosen)
    return Column(probabilities, mdp.S, len(policy.weights) if policy.timed else None)


def _kept(mdp: MDP, keep: NDArray[np.bool_]) -> Column:
    """The names of the actions that are not proven worse, of keep (L,) or (T, L)."""

    def kept(row: NDArray[np.bool_], first: int, last: int) -> list[list[str]]:
        rows, ends = _rows(mdp, first, last)
        names = list(itertools.compress(_action_names(mdp, rows), row[rows].tolist()))
        ends = np.append(0, np.cumsum(row[rows]))[ends]
        return [names[a:b] for a, b in itertools.pairwise(ends.tolist())]

    return Column.of_steps(keep, mdp.S, kept)


def _shares(policy: Policy, rows: slice, spelled: Callable[[float], Any] = float) -> list[Any]:
    """The probabilities of some rows: texts where they are exact, else floats."""
    if policy.exact is not None:
        return [spell(policy.exact[i]) for i in range(rows.start, rows.stop)]
    return list(map(spelled, policy.weights[rows].tolist()))


def _each_action(
    mdp: MDP, policy: Policy | None, q: Floats, first: int, last: int, lines: Iterable[Sequence[Any]]
) -> Iterator[Sequence[Any]]:
    """The lines of some states, each repeated for every action with its name, its probability and q."""
    rows, ends = _rows(mdp, first, last)
    cells: list[list[Any]] = [_action_names(mdp, rows), plain(q[rows])]
    if policy is not None:
        cells.insert(1, _shares(policy, rows, spell_float))
    pairs, nothing = zip(*cells, strict=True), (None,) * len(cells)
    for line, count in zip(lines, np.diff(ends).tolist(), strict=True):
        for pair in itertools.islice(pairs, count) if count else [nothing]:
            yield (*line, *pair)


def _by_state(mdp: MDP, first: int, last: int, entries: Callable[[slice], list[Any]]) -> list[dict[str, Any]]:
    """The entries of the rows of some states, {action: entry} for each state."""
    rows, ends = _rows(mdp, first, last)
    actions, made = _action_names(mdp, rows), entries(rows)
    return [dict(zip(actions[a:b], made[a:b], strict=True)) for a, b in itertools.pairwise(ends.tolist())]


def _rows(mdp: MDP, first: int, last: int) -> tuple[slice, NDArray[Any]]:
    """The rows of some states, and where among them those of each state begin and end."""
    ptr = mdp.pair_ptr[first : last + 1]
    return slice(int(ptr[0]), int(ptr[-1])), ptr - ptr[0]


def _action_names(mdp: MDP, rows: slice) -> list[str]:
    """The actions of some rows."""
    names = list(mdp.actions)
    return [names[a] for a in mdp.pair_action[rows].tolist()]
