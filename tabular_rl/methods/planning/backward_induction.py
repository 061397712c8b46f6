"""Backward induction for finite horizons."""

from __future__ import annotations

from tabular_rl.methods.planning._goal import backward
from tabular_rl.model.mdp import MDP
from tabular_rl.solving import options as o
from tabular_rl.solving.cost import Cost, Facts
from tabular_rl.solving.method import FINITE, method
from tabular_rl.solving.solution import Solution


def cost(facts: Facts) -> Cost:
    """One sweep a time step, which is the answer."""
    return Cost(facts.horizon or 0, "the model has a horizon: one sweep a time step is the answer")


@method(
    equation="v_t(s) = max_a [ r(s,a) + γ Σ_s' p(s'|s,a) v_{t+1}(s') ],  v_T = final reward",
    source="Puterman (1994), 4.5; Bellman (1957)",
    problems=(FINITE,),
    cost=cost,
)
def backward_induction(
    mdp: MDP,
    *,
    tolerance: o.Tolerance = 1e-6,
    relative: o.Relative = False,
    threads: o.Threads = 1,
    time_limit: o.TimeLimit = None,
) -> Solution:
    """Find the optimal values and decisions of each time step, from the last to the first.

        v_T(s) = final reward,    v_t(s) = max_a [ r(s,a) + γ Σ_s' p(s'|s,a) v_{t+1}(s') ]

    T decisions are made, at t = 0 .. T - 1; the policy has one row a time step.

    Parameters
    ----------
    mdp : a model with a horizon
    tolerance : the largest width of the interval that the answer must have; rounding is all that widens it
    relative, threads, time_limit : as in value_iteration

    Returns
    -------
    Solution with v (T + 1, S), policy.actions (T, S), q (T, L), and optimal_actions (T, L).

    Sources
    -------
    Puterman (1994), section 4.5.

    Examples
    --------
    Wait for 1 a step, or sell for 3 and be done; two decisions: wait first, then sell.

    >>> from tabular_rl import MDP
    >>> P = [[[1, 0], [0, 1]], [[0, 0], [0, 0]]]
    >>> mdp = MDP(P, [[1, 3], [0, 0]], 1, states=["owner", "sold"], actions=["wait", "sell"],
    ...           terminal=["sold"], horizon=2, axes="sas")
    >>> answer = backward_induction(mdp)
    >>> answer["owner"].tolist(), answer.policy["owner"]
    ([4.0, 3.0, 0.0], ['wait', 'sell'])
    """
    return backward(backward_induction.run(locals()), mdp, threads=threads)
