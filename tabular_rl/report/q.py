"""Q beside V: a line an action, q(s, a) = r(s, a) + γ Σ p(s') v(s') beside the value of its state."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from tabular_rl.certificates.intervals import q_error
from tabular_rl.errors import escape
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import aligned, fraction_text, general, rounded_up, shown, shown_exact
from tabular_rl.report.blocks import Block, Lines, Table
from tabular_rl.report.layout import Rows
from tabular_rl.report.policy import taken
from tabular_rl.report.screen import signs
from tabular_rl.report.words import action_of
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.solution import Solution

LEFT = "state,action,policy"  # columns that are flush left
SHORT = 16  # characters of a fraction


def q_blocks(solution: Solution, chosen: Rows, decimals: int) -> list[Block]:
    """Return state / value / action / q, and which action the policy takes; with the time of a finite horizon.

    Parameters
    ----------
    solution : an answer
    chosen : the states that are shown, by index
    decimals : digits behind the point of proven numbers

    Returns
    -------
    The table, and a line with the error of proven numbers that are not exact. Values are in the sign of the model.
    """
    mdp, timed, exact = solution.mdp, solution.v.ndim == 2, solution.exact
    proven = math.isfinite(solution.bound)
    v, q = np.atleast_2d(solution.v), np.atleast_2d(solution.q)

    def number(x: float) -> str:
        return shown(x, decimals) if proven else general(x)

    def value(t: int, s: int) -> str:
        return number(float(v[t, s])) if exact is None else _fraction(exact[t * mdp.S + s], decimals)

    def cells(t: int, i: int) -> list[str]:
        text = number(float(q[t, i])) if exact is None else _fraction(exact_q(solution, t, i), decimals)
        return [text, taken(solution, t, i)]

    places = [(t, s) for t in range(len(q)) for s in chosen.rows]
    gaps = {t * len(chosen.rows) + at: said for t in range(len(q)) for at, said in chosen.gaps.items()}
    lines, gaps = _by_action(mdp, timed, places, gaps, value, cells, 3)
    if not proven:
        for c in (1 + timed, 3 + timed):
            for line, text in zip(lines, aligned(line[c] for line in lines), strict=True):
                line[c] = text
    headers = ["time"] * timed + ["state", "value" if proven else "not proven", "action", "q", "policy"]
    blocks: list[Block] = [Table(headers, lines, left=LEFT, wrap="action", gaps=gaps)]
    if exact is None and proven:
        error = q_error(solution) + 0.5 * 10.0**-decimals
        blocks.append(Lines([f"values and q: all {signs().plus_minus} {rounded_up(error)} at most"]))
    return blocks


def learned_q_blocks(
    learned: Learned, places: Sequence[tuple[int, int]], decimals: int, gaps: Mapping[int, str]
) -> list[Block]:
    """Return state / learned / action / q / exact / visits of each action; what was never tried has no value.

    Parameters
    ----------
    learned : what was learned
    places : (time, state) by index, time 0 without a horizon
    decimals : digits behind the point
    gaps : by number of a place, the text that stands before it instead of places left out

    Returns
    -------
    The table, and a line where q was not learned itself. Values are in the sign of the model.
    """
    mdp, timed = learned.mdp, learned.mdp.problem.timed
    v, q = np.atleast_2d(learned.v), np.atleast_2d(learned.q)
    reference = None if learned.reference is None else np.atleast_2d(learned.reference.q)
    tries = None if learned.learned_q is None else np.atleast_2d(learned.visits.sum(axis=0))

    def cells(t: int, i: int) -> list[str]:
        exact = [] if reference is None else [shown(float(reference[t, i]), decimals)]
        visits = [] if tries is None else [f"{int(tries[t, i]):,}"]
        return [_known(q[t, i], decimals, "never tried"), *exact, *visits, taken(learned, t, i)]

    headers = ["q"] + ["exact"] * (reference is not None) + ["visits"] * (tries is not None) + ["policy"]
    lines, gaps = _by_action(
        mdp, timed, places, gaps, lambda t, s: _known(v[t, s], decimals), cells, 1 + len(headers)
    )
    headers = ["time"] * timed + ["state", "learned", "action", *headers]
    table = Table(headers, lines, left=LEFT, wrap="action", gaps=gaps)
    said = "q is computed from the values learned, by the model"
    return [table] if tries is not None else [table, Lines([said])]


def _by_action(
    mdp: MDP,
    timed: bool,
    places: Sequence[tuple[int, int]],
    gaps: Mapping[int, str],
    value: Callable[[int, int], str],
    cells: Callable[[int, int], list[str]],
    count: int,
) -> tuple[list[list[str]], dict[int, str]]:
    """A line for each action of some times and states, with what stands before a line instead of others.

    The state and its value stand in its first line; a terminal state has one line, whose last `count` cells are empty.
    """
    lines: list[list[str]] = []
    before: dict[int, str] = {}
    for place, (t, s) in enumerate(places):
        if place in gaps:
            before[len(lines)] = gaps[place]
        first = [str(t)] * timed + [escape(mdp.states[s]), value(t, s)]
        for i in mdp.rows(s):
            lines.append([*first, action_of(mdp, i), *cells(t, i)])
            first = [""] * len(first)
        if mdp.terminal[s]:
            lines.append([*first, *[""] * count])
    return lines, before


def _fraction(x: Fraction, decimals: int) -> str:
    """An exact number, as a fraction where that is short."""
    text = fraction_text(x, SHORT)
    return text if "digit" not in text else shown_exact(x, decimals)


def exact_q(solution: Solution, t: int, row: int) -> Fraction:
    """Return q of a row in rational arithmetic, from exact values.

    Parameters
    ----------
    solution : an answer with exact values
    t : the time step, 0 without a horizon
    row : of the action, from 0 to L - 1

    Returns
    -------
    r + γ Σ p v(s') as a fraction, in the sign of the model.
    """
    mdp, values = solution.mdp, solution.exact
    assert values is not None
    after = 0 if solution.v.ndim == 1 else (t + 1) * mdp.S
    outcomes, r = mdp.rational(row)
    return r + mdp.gamma_exact * sum((p * values[after + s2] for s2, p in outcomes), Fraction(0))


def _known(x: float, decimals: int, unknown: str = "never visited") -> str:
    return unknown if math.isnan(x) else shown(float(x), decimals)
