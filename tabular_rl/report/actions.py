"""Q beside V: a line an action, q(s, a) = r(s, a) + γ Σ p(s') v(s') beside the value of its state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from tabular_rl.errors import escape
from tabular_rl.model.numbers import (
    aligned,
    fraction_text,
    general,
    rounded_up,
    share_text,
    shown,
    shown_exact,
)
from tabular_rl.report.layout import Rows, table
from tabular_rl.report.screen import signs
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.solution import Solution, Status

SHORT = 16  # characters of a fraction


def q_table(solution: Solution, chosen: Rows, decimals: int) -> str:
    """state / value / action / q, and which action the policy takes; with the time of a finite horizon."""
    mdp, timed = solution.mdp, solution.v.ndim == 2
    proven = math.isfinite(solution.bound)
    v, q = np.atleast_2d(solution.v), np.atleast_2d(solution.q)
    lines: list[list[str]] = []
    gaps: dict[int, str] = {}
    for t in range(len(q)):
        for place, s in enumerate(chosen.rows):
            if place in chosen.gaps:
                gaps[len(lines)] = chosen.gaps[place]
            if solution.exact is not None:
                value = _fraction(solution.exact[t * mdp.S + s], decimals)
            else:
                value = shown(float(v[t, s]), decimals) if proven else general(float(v[t, s]))
            first = [str(t)] * timed + [escape(mdp.states[s]), value]
            for i in mdp.rows(s):
                if solution.exact is not None:
                    text = _fraction(exact_q(solution, t, i), decimals)
                else:
                    text = shown(float(q[t, i]), decimals) if proven else general(float(q[t, i]))
                lines.append(
                    [*first, escape(mdp.actions[int(mdp.pair_action[i])]), text, taken(solution, t, i)]
                )
                first = [""] * len(first)
            if mdp.terminal[s]:
                lines.append([*first, "", "", ""])
    if not proven:
        for c in (1 + timed, 3 + timed):
            for line, text in zip(lines, aligned(line[c] for line in lines), strict=True):
                line[c] = text
    headers = ["time"] * timed + ["state", "value" if proven else "not proven", "action", "q", "policy"]
    parts = [table(headers, lines, left="state,action,policy", wrap="action", gaps=gaps)]
    if solution.exact is None and proven:
        error = q_error(solution) + 0.5 * 10.0**-decimals
        parts.append(f"values and q: all {signs().plus_minus} {rounded_up(error)} at most")
    return "\n\n".join(parts)


def _fraction(x: Fraction, decimals: int) -> str:
    """An exact number, as a fraction where that is short."""
    text = fraction_text(x, SHORT)
    return text if "digit" not in text else shown_exact(x, decimals)


def taken(solution: Solution, t: int, row: int) -> str:
    """The probability of an action under the policy, and whether another action may be as good as it."""
    policy = solution.policy
    if policy is None:
        return ""
    now = policy.at(t) if policy.timed else policy
    p = share_text(float(now.weights[row])) if now.weights[row] > 0 else ""
    keep = solution.optimal_actions
    if solution.task != "control" or keep is None or p:
        return p
    kept = bool((keep if keep.ndim == 1 else keep[t])[row])
    return (("=" if solution.status is Status.EXACT else signs().close) + " as good") if kept else ""


def exact_q(solution: Solution, t: int, row: int) -> Fraction:
    """q of a row in rational arithmetic, from exact values."""
    mdp, values = solution.mdp, solution.exact
    assert values is not None
    after = 0 if solution.v.ndim == 1 else (t + 1) * mdp.S
    ks = range(int(mdp.row_ptr[row]), int(mdp.row_ptr[row + 1]))
    exact = mdp.exact
    p = [exact.prob[k] if exact is not None else Fraction(float(mdp.prob[k])) for k in ks]
    total = sum(p, Fraction(0))
    if mdp.reward is None:
        r = exact.r[row] if exact is not None and exact.r is not None else Fraction(float(mdp.r[row]))
    else:
        given = exact.reward if exact is not None else None
        rewards = [given[k] if given is not None else Fraction(float(mdp.reward[k])) for k in ks]
        r = sum((x * y for x, y in zip(p, rewards, strict=True)), Fraction(0)) / total
    next_values = sum(
        (x * values[after + int(mdp.next_state[k])] for x, k in zip(p, ks, strict=True)), Fraction(0)
    )
    return Fraction(r + mdp.gamma_exact * next_values / total)


def q_error(solution: Solution) -> float:
    """How far q, computed from the values, can be from the true one: γ times their error, and rounding.

    A row of n outcomes is rounded by (n + 4) 2^-52 of its parts |r| and γ Σ p |v| at most, twice what is needed for
    products and sums, so that the rounding of p, r and γ themselves is in it.
    """
    mdp = solution.mdp
    counts = np.diff(mdp.row_ptr)
    largest = float(np.max(np.abs(solution.v), initial=0.0))
    size = float(np.max(np.abs(mdp.r), initial=0.0)) + mdp.gamma * largest
    if mdp.reward is not None:
        size = max(size, float(np.max(np.abs(mdp.reward), initial=0.0)) + mdp.gamma * largest)
    return solution.bound + (int(counts.max(initial=0)) + 4) * 2.0**-52 * size


def learned_q_table(learned: Learned, chosen: Sequence[tuple[int, int]], decimals: int, gaps: Rows) -> str:
    """state / learned / action / q / exact / visits of each action; what was never tried has no value."""
    mdp, timed = learned.mdp, learned.mdp.horizon is not None
    v, q = np.atleast_2d(learned.v), np.atleast_2d(learned.q)
    reference = None if learned.reference is None else np.atleast_2d(learned.reference.q)
    tries = None if learned.learned_q is None else np.atleast_2d(learned.visits.sum(axis=0))
    lines: list[list[str]] = []
    at: dict[int, str] = {}
    for place, (t, s) in enumerate(chosen):
        if place in gaps.gaps:
            at[len(lines)] = gaps.gaps[place]
        first = [str(t)] * timed + [escape(mdp.states[s]), _known(v[t, s], decimals)]
        for i in mdp.rows(s):
            lines.append(
                [
                    *first,
                    escape(mdp.actions[int(mdp.pair_action[i])]),
                    _known(q[t, i], decimals, "never tried"),
                ]
                + ([] if reference is None else [shown(float(reference[t, i]), decimals)])
                + ([] if tries is None else [f"{int(tries[t, i]):,}"])
                + [taken(learned, t, i)]
            )
            first = [""] * len(first)
        if mdp.terminal[s]:
            lines.append([*first, *[""] * (3 + (reference is not None) + (tries is not None))])
    headers = ["time"] * timed + ["state", "learned", "action", "q"]
    headers += ["exact"] * (reference is not None) + ["visits"] * (tries is not None) + ["policy"]
    text = table(headers, lines, left="state,action,policy", wrap="action", gaps=at)
    return text if tries is not None else f"{text}\n\nq is computed from the values learned, by the model"


def _known(x: float, decimals: int, unknown: str = "never visited") -> str:
    return unknown if math.isnan(x) else shown(float(x), decimals)
