"""Short texts that several reports say: counts, names, the problem, the start, times."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import escape, spoken
from tabular_rl.model.graph.search import starts
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import exact_or_decimal, plural, share_text
from tabular_rl.model.rationals import spell_short
from tabular_rl.report.screen import signs
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.solution import Status

LISTED = 8  # states that are listed by name in a sentence
FEW = 4  # with a number each


def some(names: list[str], most: int, count: int) -> str:
    """The first names of a list of `count`.

    Parameters
    ----------
    names : the list, or its first `most` names
    most : how many are shown
    count : how many there are

    Returns
    -------
    The names as text, and how many more there are.

    Examples
    --------
    >>> some(["a", "b", "c"], 2, 3)
    'a, b and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {count - most} more" if count > most else "")


def listed(mdp: MDP, states: NDArray[Any]) -> str:
    """Names of some states, the first few."""
    return some([escape(mdp.states[int(s)]) for s in states[:LISTED]], LISTED, len(states))


def action_of(mdp: MDP, row: int) -> str:
    """The action of a row by name."""
    return escape(mdp.actions[int(mdp.pair_action[row])])


def names_of(mdp: MDP, row: int) -> tuple[str, str]:
    """The state and the action of a row, as the model names them."""
    return mdp.states[mdp.state_of_row(row)], mdp.actions[int(mdp.pair_action[row])]


def pair_of(mdp: MDP, row: int) -> tuple[str, str]:
    """The state and the action of a row by name, for the screen."""
    state, action = names_of(mdp, row)
    return escape(state), escape(action)


def problem_text(mdp: MDP) -> str:
    """Return the problem of a model, its discount, and whether it has costs.

    >>> problem_text(MDP([[[1.0]]], [[1.0]], 0.5, sense="min"))
    'discounted, γ = 0.5, costs'
    """
    gamma = f"{signs().gamma} = {spell_short(mdp.gamma_exact)}"
    return mdp.problem.text(mdp, gamma, mdp.problem.short) + (", costs" if mdp.sense == "min" else "")


def title(mdp: MDP) -> str:
    """The name of a model for the screen."""
    return escape(mdp.name or mdp.origin or "a model")


def header(mdp: MDP) -> str:
    """The name of a model, its problem and its size."""
    return f"{title(mdp)}: {problem_text(mdp)}, {plural(mdp.S, 'state')}"


def heading(what: str, mdp: MDP) -> dict[str, Any]:
    """The first entries of JSON: what it is, and of which model."""
    return {"schema": f"tabular-rl {what}", "version": 1, "model": mdp.name, "digest": mdp.digest}


def start_where(mdp: MDP) -> str:
    """The start distribution in words."""
    used = np.flatnonzero(starts(mdp))
    if len(used) == 1:
        return escape(mdp.states[int(used[0])])
    if not mdp.start_given:
        return "uniform over non-terminal states"
    if len(used) <= FEW:
        given = mdp.exact.start if mdp.exact is not None else None

        def share(s: int) -> str:
            p = float(mdp.start[s])
            return share_text(p, 4) if p or given is None else exact_or_decimal(given[s], p)

        return ", ".join(f"{escape(mdp.states[s])} {share(s)}" for s in used.tolist())
    return f"{len(used)} states"


def start_fractions(mdp: MDP) -> list[tuple[int, Fraction]]:
    """The start distribution in exact numbers: floats are their dyadics over their sum."""
    used = np.flatnonzero(starts(mdp)).tolist()
    if not mdp.start_given:
        return [(s, Fraction(1, len(used))) for s in used]
    given = mdp.exact.start if mdp.exact is not None else None
    weights = [given[s] if given is not None else Fraction(float(mdp.start[s])) for s in used]
    total = sum(weights, Fraction(0))
    return [(s, p / total) for s, p in zip(used, weights, strict=True)]


def seconds_text(seconds: float) -> str:
    """Return a time in seconds, short.

    >>> seconds_text(0.123), seconds_text(75.2)
    ('0.12 s', '75 s')
    """
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def rate_text(rate: float) -> str:
    """Return a rate, short; "?" where it is not known.

    >>> rate_text(26_543_000.0), rate_text(191.2), rate_text(math.nan)
    ('26.5 million', '191', '?')
    """
    if not math.isfinite(rate):
        return "?"
    return f"{rate / 1e6:.3g} million" if rate >= 1e5 else f"{rate:.0f}"


def cut_short(learned: Learned) -> str:
    """Why a run stopped before its last step, and the way on; nothing where it did not."""
    done = f"after {learned.steps:,} of {plural(learned.options.get('steps', learned.steps), 'step', ',')}"
    if learned.status is Status.TIME_SPENT:
        return spoken(
            f"not reached: the time limit is over {done}; raise --time-limit, or go on with --resume"
        )
    if learned.status is Status.INTERRUPTED:
        return f"interrupted {done}: what was learned is kept"
    return ""


def stopped_text(why: str) -> str:
    """Why episodes are fewer than were asked for."""
    return {"time": "the time limit is over; raise --time-limit", "signal": "interrupted"}[why]
