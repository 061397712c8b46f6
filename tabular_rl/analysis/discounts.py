"""Values and the best policy against the discount, and where the best policy changes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NoFiniteAnswer, OptionError
from tabular_rl.methods.ask import evaluate, solve
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.solution import Floats, Solution

POINTS = 50  # discounts that are tried
LAST = Fraction(99, 100)  # the largest of them, where the model's own is no larger
HALVINGS = 20  # of a gap in which the best policy changes: to a millionth of it
MOST = 1000  # states
MOST_CHANGES = 8  # in one gap


@dataclass(frozen=True)
class Discounts:
    """What is best at each of some discounts, at the first decision.

    Parameters
    ----------
    mdp : the model
    gamma : (n,) the discounts, rising
    v : (n, S) the values
    best : (n, L) the actions not proven worse, or those that the given policy takes
    changes : discounts at which an action that was best in some state no longer is
    """

    mdp: MDP
    gamma: Floats
    v: Floats
    best: NDArray[np.bool_]
    changes: tuple[float, ...]


def by_discount(mdp: MDP, policy: Policy | None = None, points: int = POINTS) -> Discounts:
    """Solve a model, or evaluate a policy, at discounts from 0 up to its own or 0.99.

    Parameters
    ----------
    mdp : the model
    policy : the policy that is evaluated; without, the best one of each discount is found
    points : how many discounts are tried; between two of them that differ the change is found by halving

    Returns
    -------
    Discounts: values, best actions, and the changes. What has no finite answer (at discount 1) is left out.

    Raises
    ------
    OptionError : a model of too many states

    Examples
    --------
    Go and get 1 a step later, or take 1/2 now: going is better where γ > 1/2.

    >>> moves = [("here", "wait", "there", 1, 0), ("here", "take", "end", 1, "1/2"), ("there", "take", "end", 1, 1)]
    >>> found = by_discount(MDP.from_outcomes(moves, "9/10", terminal=["end"]))
    >>> [round(g, 5) for g in found.changes]
    [0.5]
    """
    if mdp.S > MOST:
        raise OptionError(
            f"--draw: found {mdp.S} states, expected at most {MOST} to be solved at many discounts"
        )
    last = max(mdp.gamma_exact, LAST)

    def ask(gamma: Fraction) -> Solution:
        changed = mdp.replace(gamma=gamma)
        return solve(changed) if policy is None else evaluate(changed, Policy(changed, **_parts(policy)))

    answers: list[tuple[Fraction, Solution]] = []
    for k in range(points + 1):
        with contextlib.suppress(NoFiniteAnswer):
            answers.append((last * k / points, ask(last * k / points)))
    best = [_best(answer) for _, answer in answers]
    changes: list[Fraction] = []
    if policy is None and best:
        still = best[0]
        for (low, _), (high, _), kept in zip(answers, answers[1:], best[1:], strict=False):
            found, still = _changes(ask, mdp, still, kept, (low, high))
            changes += found
    values = np.array([np.atleast_2d(answer.v)[0] for _, answer in answers])
    gammas = np.array([float(gamma) for gamma, _ in answers])
    return Discounts(mdp, gammas, values, np.array(best), tuple(map(float, changes)))


def _parts(policy: Policy) -> dict[str, Any]:
    """A policy as it is given to another model of the same rows."""
    return {"rows": policy.rows} if policy.rows is not None else {"probs": policy.probs}


def _best(answer: Solution) -> NDArray[np.bool_]:
    """(L,) the actions not proven worse at the first decision, or those that the policy takes."""
    keep = answer.optimal_actions
    if answer.task == "control" and keep is not None:
        return keep[0] if keep.ndim == 2 else keep
    assert answer.policy is not None
    now = answer.policy.at(0) if answer.policy.timed else answer.policy
    return np.asarray(now.takes)


def _lost(mdp: MDP, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(S,) the states that have actions, none of which is kept."""
    left = np.zeros(mdp.S, dtype=np.bool_)
    left[mdp.pair_state[keep]] = True
    return np.asarray(~left & ~mdp.terminal)


def _changes(
    ask: Callable[[Fraction], Solution],
    mdp: MDP,
    still: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    gap: tuple[Fraction, Fraction],
) -> tuple[list[Fraction], NDArray[np.bool_]]:
    """The discounts in a gap from which on what was best no longer is, and what is best at its end, and was before."""
    found: list[Fraction] = []
    low, high = gap
    while _lost(mdp, still & kept).any() and len(found) < MOST_CHANGES:
        end, after = high, kept
        for _ in range(HALVINGS):
            middle = (low + end) / 2
            now = _best(ask(middle))
            if _lost(mdp, still & now).any():
                end, after = middle, now
            else:
                low = middle
        found.append(end)
        low, still = end, after
    return found, still & kept
