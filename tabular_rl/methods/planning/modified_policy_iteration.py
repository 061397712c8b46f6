"""Modified policy iteration."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular_rl.methods.planning._goal import Goal
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import Floats
from tabular_rl.solving import options as o
from tabular_rl.solving.cost import DENSE, Cost, Facts
from tabular_rl.solving.method import DISCOUNTED, TOTAL, method
from tabular_rl.solving.solution import Solution

CAP = 20_000  # sweeps, before `auto` goes on by linear solves
MOST_INNER = 512
ROUGH_SWEEPS = 100


def cost(facts: Facts) -> Cost:
    """Some hundreds of sweeps, Gauss-Seidel where states are reached by short moves.

    Capped where policy iteration can go on: a state that is left seldom holds up all sweeps.
    """
    near, capped = facts.moves <= 4 * facts.S**0.5, facts.must_end and facts.S <= DENSE
    options = {"in_place": near, "sweeps": CAP} if capped else {"in_place": near}
    if near:
        return Cost(200, "moves lead nearby: values travel along them in place", options, capped)
    return Cost(200, "moves lead anywhere: the interval shrinks as the model mixes", options, capped)


@method(
    equation="π ← greedy(v);  v ← T_π^m v",
    source="Puterman (1994), 6.5; Puterman & Shin (1978)",
    problems=(DISCOUNTED, TOTAL),
    cost=cost,
)
def modified_policy_iteration(
    mdp: MDP,
    *,
    tolerance: o.Tolerance = 1e-6,
    relative: o.Relative = False,
    sweeps: o.Sweeps = 1_000_000,
    inner_sweeps: o.InnerSweeps = None,
    in_place: o.InPlace = False,
    threads: o.Threads = 1,
    time_limit: o.TimeLimit = None,
    start_from: Any = None,
) -> Solution:
    """Find the optimal values by improving the policy, and evaluating it by a few sweeps only.

        π(s) ← argmax_a [ r(s,a) + γ Σ_s' p(s'|s,a) v(s') ],    then m times    v ← T_π v

    A sweep of one policy costs a share 1/|A| of a full backup. Without `inner_sweeps` m grows while the policy keeps
    its actions and shrinks when it changes. With `in_place` the m sweeps are Gauss-Seidel, forward and backward.

    Parameters
    ----------
    mdp : the model; discounted, or total reward (γ = 1)
    inner_sweeps : m, the same each time
    sweeps : stop after this number of sweeps, of either kind
    tolerance, relative, in_place, threads, time_limit, start_from : as in value_iteration

    Returns
    -------
    Solution with v (S,), lower, upper (S,), the greedy policy, and optimal_actions (L,).

    Sources
    -------
    Puterman (1994), section 6.5.

    Examples
    --------
    Stay for 1, or leave to a state that earns 3 in each step: at γ = 1/2 leaving is worth 0 + 6/2 = 3, staying 2.

    >>> from tabular_rl import MDP
    >>> mdp = MDP([[[1, 0], [0, 1]], [[0, 1], [0, 0]]], [[1, 0], [3, 0]], 0.5, actions=["stay", "go"], axes="sas")
    >>> answer = modified_policy_iteration(mdp)
    >>> answer.policy["0"], round(answer["0"], 5), bool(answer.proven_optimal.all())
    ('go', 3.0, True)
    """
    run = modified_policy_iteration.run(locals())
    goal = Goal(run, mdp, threads)
    v, rows = goal.start(start_from), goal.rows()
    forward = False
    run.stopped = "budget"
    m = 4 if inner_sweeps is None else inner_sweeps
    done = 0
    inner_spread = 0.0
    with run.until_stopped():
        if mdp.problem.must_end and start_from is None:
            # From the values of a proper policy: from above, a greedy policy may be one that never ends.
            v = _proper_values(goal)
        spare = v if in_place else np.empty_like(v)
        while done < sweeps:
            low, high = goal.sweeper.optimal(v, spare, rows, forward)
            v, spare, forward = spare, v, not forward
            done += 1
            run.did("sweeps")
            if goal.met(low, high, v, rows, done):
                run.stopped = None
                break
            if inner_sweeps is None:
                # Improving changed little more than evaluating did: evaluate longer. Else improve more often.
                m = min(2 * m, MOST_INNER) if goal.spread(low, high) <= 2 * inner_spread else max(m // 2, 1)
            policy = Policy(goal.model, rows=rows)
            for _ in range(min(m, sweeps - done)):
                low, high = goal.sweeper.policy(policy, v, spare, forward)
                v, spare, forward = spare, v, not forward
                done += 1
                run.did("evaluation sweeps")
                inner_spread = goal.spread(low, high)
                if goal.enough(low, high):
                    break
    return goal.solution(v, rows)


def _proper_values(goal: Goal) -> Floats:
    """Rough values of one policy that ends, to start from at γ = 1: a few Gauss-Seidel sweeps suffice."""
    policy = Policy(goal.model, rows=goal.total.proper_rows)
    v = np.zeros(goal.model.S)
    for sweep in range(ROUGH_SWEEPS):
        low, high = goal.sweeper.policy(policy, v, v, forward=sweep % 2 == 1)
        goal.run.did("evaluation sweeps")
        if max(-low, high) <= 0.01 * goal.sweeper.norm(v):
            break
    return v
