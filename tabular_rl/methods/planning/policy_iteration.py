"""Policy iteration."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from tabular_rl.errors import NumericalError
from tabular_rl.methods.planning._goal import QUICK, Goal
from tabular_rl.methods.planning._lists import Lists
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import shared_error
from tabular_rl.model.rows import Floats, Ints
from tabular_rl.solving import options as o
from tabular_rl.solving.cost import DENSE, Cost, Facts
from tabular_rl.solving.method import DISCOUNTED, TOTAL, method
from tabular_rl.solving.ordering import elimination_patterns
from tabular_rl.solving.solution import Solution

if TYPE_CHECKING:
    from tabular_rl.methods.planning._elimination import Elimination

SWEEPS = 10_000  # where a linear system cannot be solved
SMALL = 500  # states up to which dense linear solves are quickest
AHEAD = 100  # states from which better values are carried back between linear solves, at γ = 1
LONG = 200  # outcomes a state from which to look at the rows takes longer than to solve for them
SOLVES = 5  # linear solves and sweeps that it takes to the end, most often
SOLVED, SWEPT = 16, 3  # a state of an elimination, an outcome of a sweep, in products
SURE = 20  # sweeps below which nothing else is quicker
MAZE = 60  # sweeps that a method may take which begins where states end
LAST = 1e6  # sweeps that everything else takes before
SLOW = 0.25  # of the largest gain of an improvement, at which the next one is slow: near to the best, gains fall fast
MOST_IMPROVEMENTS = 50  # before `auto` goes on by another method

# From values and rows: those of the rows, how many were exchanged or whether, and the least and the largest T v - v.
Improved = Callable[[Floats, Ints], tuple[Floats, int, float, float]]


def cost(facts: Facts) -> Cost | None:
    """A handful of linear solves where they are cheap; None where nothing says how many entries a factor would have."""
    if facts.S <= SMALL and facts.K <= LONG * facts.S:
        return Cost(10, f"up to {SMALL} states a handful of dense linear solves is quickest", final=True)
    if facts.must_end and facts.thin:
        why = "rows lead to two states at most on average: chains are solved by elimination"
        return Cost(10, why, final=True)
    if not facts.elimination:
        if facts.must_end and facts.S <= DENSE:
            return Cost(LAST, "linear solves do where states are seldom left")
        return None
    a_solve = facts.S * (SOLVED + facts.elimination[0]) / (SWEPT * max(facts.K, 1))
    solves = 1 if facts.L <= facts.S else SOLVES
    # In one order news travels with it alone, and against it by a state each time: in mazes, from where states end.
    maze = len(facts.elimination) == 1 and facts.moves <= 4 * facts.S**0.5 and facts.ends
    why = "elimination solves its linear systems: moves are short, or states have few neighbours"
    sweeps = solves * (1 + a_solve) + MAZE * maze
    return Cost(sweeps, why, {"improvements": MOST_IMPROVEMENTS}, capped=True, final=sweeps < SURE)


@method(
    equation="v = (I - γ P_π)⁻¹ r_π;  π ← greedy(v)",
    source="Howard (1960); Puterman (1994), 6.4",
    problems=(DISCOUNTED, TOTAL),
    cost=cost,
)
def policy_iteration(
    mdp: MDP,
    *,
    tolerance: o.Tolerance = 1e-6,
    relative: o.Relative = False,
    improvements: o.Improvements = 10_000,
    linear_solver: o.LinearSolver = "auto",
    threads: o.Threads = 1,
    time_limit: o.TimeLimit = None,
    start_from: Any = None,
) -> Solution:
    """Find the optimal policy by evaluating it exactly and improving it where that helps.

        v = (I - γ P_π)⁻¹ r_π,    π(s) ← argmax_a [ r(s,a) + γ Σ_s' p(s'|s,a) v(s') ]

    An action is exchanged only for one that is better by more than the rounding error, so that ties never cycle.

    Parameters
    ----------
    mdp : the model; discounted, or total reward (γ = 1, from a policy that ends)
    improvements : stop after this number of improvements
    linear_solver : "auto" chooses by size and structure; "dense", "sparse", "elimination" or "iterative"
    tolerance, relative, threads, time_limit, start_from : as in value_iteration

    Returns
    -------
    Solution with v (S,), lower, upper (S,), policy, and optimal_actions (L,).

    Sources
    -------
    Puterman (1994), section 6.4.

    Examples
    --------
    Puterman's two states at γ = .95: in state 0 stay for 5 (and go with probability 1/2), or go for 10; state 1 costs
    1 in each step, so v(1) = -1 / (1 - γ) = -20.

    >>> from tabular_rl import MDP
    >>> mdp = MDP([[[0.5, 0.5], [0, 1]], [[0, 1], [0, 0]]], [[5, 10], [-1, 0]], 0.95, axes="sas")
    >>> answer = policy_iteration(mdp)
    >>> round(answer["1"], 6), round(answer["0"], 4) == round((5 - 5.5 * .95) / (.525 * .05), 4)
    (-20.0, True)
    """
    from tabular_rl.methods.exact.linear_solve import Seen, Singular

    run = policy_iteration.run(locals())
    goal = Goal(run, mdp, threads)
    v, rows, seen = goal.start(start_from), goal.rows(), Seen()
    solver: Elimination | None = None

    def asked() -> Ints:
        """The rows that a proof is asked for with; what it needs the room of goes."""
        if solver is not None:
            solver.make_room()
        return rows

    run.stopped = "budget"
    try:
        with run.until_stopped():
            solver = _elimination(goal, linear_solver)
            if linear_solver == "auto" and Lists.fit(goal):
                improved: Improved = Lists(goal, improvements).improved
            else:
                improved = solver.improved if solver else _by_chains(goal, linear_solver)
                if not mdp.problem.must_end:  # where it is, the policy that ends is kept
                    if v.any():
                        goal.sweeper.optimal(v, np.empty_like(v), rows)
                    else:
                        goal.sweeper.best_paid(rows)
            settled, enough = 0, 2 if solver else 1  # the values of a second elimination have more digits
            while run.work.get("improvements", 0) < improvements:
                v, changed, low, high = improved(v, rows)
                run.did("improvements")
                # Else rounding leads it round in a circle.
                settled = 0 if changed and not seen.again(rows, changed) else settled + 1
                if goal.met(low, high, v, asked, run.work["improvements"]) or settled == enough:
                    run.stopped = None  # without a change more work changes nothing: floats do no better
                    break
    except Singular as error:
        run.remark(f"policy iteration stopped: {error}")
        return goal.swept(SWEEPS, start_from=start_from)  # what can be proven of it is the answer
    return goal.solution(v, asked())


def _by_chains(goal: Goal, linear_solver: str) -> Improved:
    """Evaluate the chain of each policy, then improve it.

    At γ = 1 better values are carried back along paths by sweeps in place, in the order in which value flows, and the
    rows that gain by them are exchanged too. Where that comes to rest, its values are looked at before one more chain
    is solved. Where all policies end, and the first rows of all states are improved slowly, the shortest ways are
    looked at too, once: what is better of two policies is better than both.
    """
    from tabular_rl.methods.exact.linear_solve import CARRIED, chain_values, improve

    model, sweeper = goal.model, goal.sweeper
    ahead = goal.mdp.problem.must_end and model.S > AHEAD
    centred = not (goal.ends or goal.relative or goal.mdp.problem.must_end)
    rested: Floats | None = None
    gain, looks = math.inf, goal.total.must_end  # of the last improvement; whether to look at one more policy

    def improved(_: Floats, rows: Ints) -> tuple[Floats, bool, float, float]:
        nonlocal rested, gain, looks
        v, by_sweeps = rested, rested is not None
        if v is None:
            policy = Policy.partial(model, rows=rows)  # its rows are those of sweeps
            v = chain_values(sweeper, policy, linear_solver, goal.run)
            goal.run.did("linear solves")
        if centred:  # as the certificate does it, whose sweep is then the one that improves
            v -= v.max() / 2 + v.min() / 2
        changed, low, high = improve(sweeper, v, rows)
        rested = None
        if ahead and changed:
            noise, carried = 2 * shared_error(model, sweeper.norm(v)), v.copy()
            slow, gain = high > SLOW * gain, high
            if slow and looks:
                looks = False
                with suppress(NumericalError):  # they need not be looked at
                    nearest = goal.total.nearest_rows
                    other = chain_values(
                        sweeper, Policy.partial(model, rows=nearest), linear_solver, goal.run
                    )
                    goal.run.did("linear solves")
                    better = other > v + noise
                    rows[better], carried[better] = nearest[better], other[better]
            if sweeper.carry_back(carried, rows, noise, CARRIED) and model.L > QUICK and not by_sweeps:
                rested = carried
        return v, changed or by_sweeps, low, high

    return improved


def _elimination(goal: Goal, linear_solver: str) -> Elimination | None:
    """What evaluates and improves policies along an order of elimination, where one fits and is asked for."""
    model = goal.model
    thin = (
        goal.mdp.problem.must_end and model.L < model.K <= 2 * model.L
    )  # their chains are solved part by part
    if linear_solver not in ("auto", "elimination") or (
        linear_solver == "auto" and (model.S <= SMALL or thin)
    ):
        return None
    from tabular_rl.methods.exact.linear_solve import Singular
    from tabular_rl.methods.planning._elimination import Elimination, most_entries

    most = None if linear_solver == "auto" else most_entries()
    patterns = elimination_patterns(goal.model, most, goal.run.check_stop)
    if not patterns and linear_solver == "elimination":
        raise Singular("the factors of an elimination would not fit into memory")
    if not patterns:
        return None
    proven = None if goal.mdp.problem.must_end else goal.certifier.checked
    return Elimination(goal.sweeper, patterns, centred=not goal.relative, proven=proven)
