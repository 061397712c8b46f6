"""Value iteration."""

from __future__ import annotations

from typing import Any

from tabular_rl.methods.planning._goal import Goal
from tabular_rl.model.mdp import MDP
from tabular_rl.solving import options as o
from tabular_rl.solving.method import DISCOUNTED, TOTAL, method
from tabular_rl.solving.solution import Solution


@method(
    equation="v(s) ← max_a [ r(s,a) + γ Σ_s' p(s'|s,a) v(s') ]",
    source="Puterman (1994), 6.3; Sutton & Barto (2018), (4.10)",
    problems=(DISCOUNTED, TOTAL),
)
def value_iteration(
    mdp: MDP,
    *,
    tolerance: o.Tolerance = 1e-6,
    relative: o.Relative = False,
    sweeps: o.Sweeps = 1_000_000,
    in_place: o.InPlace = False,
    threads: o.Threads = 1,
    time_limit: o.TimeLimit = None,
    start_from: Any = None,
) -> Solution:
    """Find the optimal values by repeated Bellman backups.

    Each sweep replaces every value by its best backup,

        v(s) ← max_a [ r(s,a) + γ Σ_s' p(s'|s,a) v(s') ]

    until the interval that follows from the least and the largest change of a sweep is proven to be no wider than
    the tolerance. With `in_place` each new value is used at once (Gauss-Seidel), forward and backward in turn: better
    where values travel along paths, worse where the model mixes well, since the two-sided bound then shrinks slowly.

    Parameters
    ----------
    mdp : the model; discounted, or total reward (γ = 1)
    tolerance : largest width of the proven interval, in units of reward
    relative : the tolerance is a share of the largest |value|
    sweeps : stop after this number of sweeps
    in_place : Gauss-Seidel instead of synchronous sweeps
    threads : for synchronous sweeps; the bits do not depend on it
    time_limit : seconds
    start_from : values (S,) or a Solution to start from

    Returns
    -------
    Solution with v (S,), lower, upper (S,), the greedy policy, and optimal_actions (L,).

    Raises
    ------
    NoFiniteAnswer : at γ = 1, where the total reward is not finite; NumericalError on overflow.

    Sources
    -------
    Puterman (1994), sections 6.3 and 6.6; MacQueen (1966) for the bounds.

    Examples
    --------
    One state: earn 1 in each step at γ = 1/2. v = 1 + v/2, so v = 2.

    >>> from tabular_rl import MDP
    >>> answer = value_iteration(MDP([[[1.0]]], [[1.0]], 0.5))
    >>> answer["0"], answer.bound < 1e-6
    (2.0, True)
    """
    run = value_iteration.run(locals())
    return Goal(run, mdp, threads).swept(sweeps, in_place, start_from)
