"""The dual of the linear programme: how often each action is taken, and what it falls short of the best."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tabular_rl.errors import NotAnswerable, escape
from tabular_rl.model.numbers import aligned, general
from tabular_rl.report.blocks import Block, Lines, Sheet, Table
from tabular_rl.report.columns import q_column
from tabular_rl.report.layout import Rows
from tabular_rl.report.words import action_of
from tabular_rl.solving.solution import Solution

NONE = 1e-9  # visits, as a share of all, below which HiGHS means none


def dual_blocks(solution: Solution, chosen: Rows) -> list[Block]:
    """Return state / c / value / action / x / slack: the visits of the dual beside the slack of each inequality.

    Parameters
    ----------
    solution : an answer of linear programming
    chosen : the states that are shown, by index

    Returns
    -------
    The table, and below it what the two programmes are worth. Values are in the sign of the model, the slack
    |v(s) - q(s,a)| is never negative but by rounding.

    Raises
    ------
    NotAnswerable : HiGHS failed, and left no dual
    """
    mdp, x, c = solution.mdp, _visits(solution), solution.extra["weights"]
    v, q = solution.v, solution.q
    lines: list[list[str]] = []
    before: dict[int, str] = {}
    for place, s in enumerate(chosen.rows):
        if place in chosen.gaps:
            before[len(lines)] = chosen.gaps[place]
        first = [escape(mdp.states[s]), general(float(c[s])), general(float(v[s]))]
        for i in mdp.rows(s):
            slack = mdp.sign * float(v[s] - q[i])
            near = 1e-9 * max(1.0, abs(float(v[s])))
            lines.append(
                [*first, action_of(mdp, i), general(float(x[i])), general(slack if slack > near else 0.0)]
            )
            first = [""] * len(first)
        if mdp.terminal[s]:
            lines.append([*first, "", "", ""])
    for column in (1, 2, 4, 5):
        for line, text in zip(lines, aligned(line[column] for line in lines), strict=True):
            line[column] = text
    headers = ["state", "c", "value", "action", "x", "slack"]
    earned, primal = float(x @ mdp.r), float(c @ v)
    below = [
        f"dual: Σ x r = {general(earned)}; primal: Σ c v = {general(primal)}; Σ x = {general(float(x.sum()))}",
        "x(s,a): how often a is taken in s, discounted, from a start drawn by c; where x > 0 the slack |v - q| is 0",
        "x comes from HiGHS and is not proven; the values are",
    ]
    if not np.array_equal(c, np.where(mdp.terminal, 0.0, mdp.start)):
        below.insert(2, "c is half the start distribution and half uniform, so that every state is visited")
    return [Table(headers, lines, left="state,action", wrap="action", gaps=before), Lines(below)]


def dual_entries(solution: Solution) -> dict[str, Any]:
    """Return what JSON says of the dual: "occupancy" by action, "weights" c, and the "objective" of HiGHS.

    Raises
    ------
    NotAnswerable : HiGHS failed, and left no dual
    """
    return {
        "occupancy": q_column(solution.mdp, _visits(solution)),
        "weights": [float(w) for w in solution.extra["weights"]],
        "objective": solution.extra["objective"],
    }


def dual_sheet(solution: Solution) -> Sheet:
    """Return state,weight,value,action,occupancy,q: a line an action, one for a terminal state.

    Raises
    ------
    NotAnswerable : HiGHS failed, and left no dual
    """
    mdp, x, c = solution.mdp, _visits(solution), solution.extra["weights"]

    def lines(s: int) -> Iterator[list[Any]]:
        first = [mdp.states[s], float(c[s]), float(solution.v[s])]
        for i in mdp.rows(s):
            yield [*first, action_of(mdp, i), float(x[i]), float(solution.q[i])]
        if mdp.terminal[s]:
            yield [*first, None, None, None]

    return Sheet(["state", "weight", "value", "action", "occupancy", "q"], (lines(s) for s in range(mdp.S)))


def _visits(solution: Solution) -> Any:
    """The x of the dual (L,); what HiGHS means by none is 0."""
    x = solution.extra.get("occupancy")
    if x is None:
        raise NotAnswerable(
            "HiGHS failed on this programme and left no dual: the answer without it has values alone"
        )
    return np.where(x > NONE * max(float(x.sum()), 1e-300), x, 0.0)
