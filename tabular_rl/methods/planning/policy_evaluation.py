"""Iterative policy evaluation."""

from __future__ import annotations

from typing import Any

from tabular_rl.methods.planning._goal import Goal, backward
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.cost import Cost, Facts
from tabular_rl.solving.method import method
from tabular_rl.solving.solution import Solution

MOST_SWEEPS = 300  # before `auto` goes on by a linear solve


def cost(facts: Facts) -> Cost | None:
    """One sweep a time step; tens of sweeps where moves lead anywhere, as such models mix; else None."""
    if facts.horizon is not None:
        return Cost(facts.horizon, "the model has a horizon: one sweep a time step is the answer")
    if facts.scattered and not facts.must_end and not facts.slow:
        why = "moves lead anywhere: the interval shrinks as the model mixes"
        return Cost(30, why, {"sweeps": MOST_SWEEPS}, capped=True)
    return None


@method(
    equation="v(s) ← Σ_a π(a|s) [ r(s,a) + γ Σ_s' p(s'|s,a) v(s') ]",
    source="Sutton & Barto (2018), 4.1, (4.5); Puterman (1994), 6.1",
    cost=cost,
)
def policy_evaluation(
    mdp: MDP,
    policy: Policy,
    *,
    tolerance: o.Tolerance = 1e-6,
    relative: o.Relative = False,
    sweeps: o.Sweeps = 1_000_000,
    in_place: o.InPlace = False,
    threads: o.Threads = 1,
    time_limit: o.TimeLimit = None,
    start_from: Any = None,
) -> Solution:
    """Find the values of a policy by repeated Bellman backups.

        v(s) ← Σ_a π(a|s) [ r(s,a) + γ Σ_s' p(s'|s,a) v(s') ]

    until the proven interval is no wider than the tolerance. For a finite horizon one backup a time step is the
    answer: v_t from v_{t+1}.

    Parameters
    ----------
    mdp : the model
    policy : what to evaluate; one that depends on time for a finite horizon, if you like
    tolerance, relative, sweeps, in_place, threads, time_limit, start_from : as in value_iteration

    Returns
    -------
    Solution with v (S,), or (T + 1, S) for a finite horizon, and the interval that contains v_π.

    Raises
    ------
    NoFiniteAnswer : at γ = 1, where the policy collects reward without end.

    Sources
    -------
    Sutton & Barto (2018), section 4.1.

    Examples
    --------
    From "a" the policy stops with probability 1/2 and pays 1 a step: v = -1 + v/2, so v = -2.

    >>> from tabular_rl import MDP, Policy
    >>> mdp = MDP([[[0.5, 0.5]], [[0.0, 0.0]]], [[-1.0], [0.0]], 1, states=["a", "end"], terminal=["end"])
    >>> answer = policy_evaluation(mdp, Policy.uniform(mdp))
    >>> abs(answer["a"] - -2) <= answer.bound < 1e-6
    True
    """
    run = policy_evaluation.run(locals())
    if mdp.problem.timed:
        return backward(run, mdp, policy, threads)
    return Goal(run, mdp, threads, policy).swept(sweeps, in_place, start_from)
