"""Modified policy iteration by Gauss-Seidel sweeps in the order in which value flows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular_rl.methods.planning._chains import Chains
from tabular_rl.methods.planning._front import follow_front
from tabular_rl.methods.planning._goal import Goal
from tabular_rl.methods.planning._growth import Growth, by_distance
from tabular_rl.methods.planning._ordered import Packed, Stored, in_line, line_up, successors_first
from tabular_rl.methods.planning._relaxation import MOST_INNER, Evaluation
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rows import Ints
from tabular_rl.solving import options as o
from tabular_rl.solving.cost import Cost, Facts
from tabular_rl.solving.method import DISCOUNTED, TOTAL, method
from tabular_rl.solving.solution import Solution
from tabular_rl.solving.sweeps import Sweeper

PATIENCE = 30  # improvements without smaller changes, after which policies are not evaluated


def cost(facts: Facts) -> Cost | None:
    """Some sixty sweeps where states end and few, nearby, lead to each; capped: they may lead there seldom.

    One sweep where no way leads back. There a state that is seldom left holds up all other sweeps.
    """
    near = 4 * facts.S**0.5
    if (facts.S > near and facts.moves > near) or facts.successors > 8 or not facts.ends:
        once = not facts.returns and successors_first(Sweeper(facts.mdp)) is not None
        return Cost(1, "no way leads back: values flow backward in one sweep") if once else None
    # At γ = 1 nothing else goes on faster.
    cap: dict[str, Any] = {} if facts.must_end else {"sweeps": 3000}
    return Cost(60, "states end: values flow backward from those", cap, capped=not facts.must_end)


@method(
    equation="v(s) ← max_a [ r(s,a) + γ Σ_{s'≠s} p(s'|s,a) v(s') ] / (1 - γ p(s|s,a)), ends first",
    source="Puterman (1994), 6.3.3 and 6.5; Wingate & Seppi (2005)",
    problems=(DISCOUNTED, TOTAL),
    cost=cost,
)
def ordered_gauss_seidel(
    mdp: MDP,
    *,
    tolerance: o.Tolerance = 1e-6,
    relative: o.Relative = False,
    sweeps: o.Sweeps = 1_000_000,
    threads: o.Threads = 1,
    time_limit: o.TimeLimit = None,
    start_from: Any = None,
) -> Solution:
    """Find the optimal values by sweeps in the order in which value flows: from the states that end.

        v(s) ← max_a [ r(s,a) + γ Σ_{s'≠s} p(s'|s,a) v(s') ] / (1 - γ p(s|s,a))

    States that end, terminal ones and those that are never left, come first, then those that most likely lead to them,
    breadth-first. Each new value is used at once, so that one sweep carries value along all the likely ways. A row is
    taken as what it is worth until it leaves its state. Between two sweeps over all rows some follow over those of
    the best policy, over-relaxed where these are slow and where that pays. In a model without cycles states stand after
    their successors, and one sweep is enough. States from which no end is reached, such as walled-in cells, have the
    values of their policies from linear solves. At γ = 1, where sweeps take long and elimination few steps, policy
    iteration goes on. The interval comes of a sweep of the model as it is.

    Good for grids, mazes and other models in which one moves to an end. Where no state ends the sweeps are those of
    value iteration.

    Parameters
    ----------
    mdp : the model; discounted, or total reward (γ = 1)
    tolerance : largest width of the proven interval, in units of reward
    relative : the tolerance is a share of the largest |value|
    sweeps : stop after this number of sweeps, of all rows or of those of a policy
    threads : for the sweeps that prove; those in order take one
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
    Puterman (1994), 6.3.3 for Gauss-Seidel, 6.5 for sweeps of a policy; Wingate & Seppi (2005) for the order; Young
    (1954) for over-relaxation.

    Examples
    --------
    Each step costs 1 and succeeds half the time: v = -2 in the last state, -4 in the one before.

    >>> from tabular_rl import MDP
    >>> steps = [("a", "go", "b", 0.5, -1), ("a", "go", "a", 0.5, -1)]
    >>> steps += [("b", "go", "end", 0.5, -1), ("b", "go", "b", 0.5, -1)]
    >>> answer = ordered_gauss_seidel(MDP.from_outcomes(steps, 1, terminal=["end"]))
    >>> round(answer["a"], 6), round(answer["b"], 6)
    (-4.0, -2.0)
    """
    run = ordered_gauss_seidel.run(locals())
    goal = Goal(run, mdp, threads)
    v = goal.start(start_from)
    rows: Ints | None = None
    run.stopped = "budget"
    with run.until_stopped():
        line = line_up(goal.sweeper)
        if not line.reached:
            return goal.swept(sweeps, start_from=start_from)
        if not line.leads_to_terminals:  # else some policy ends, which need not be found
            rows = goal.rows()
        if start_from is None:
            line = by_distance(goal.sweeper, line)
        first = np.full(goal.model.S, -1, dtype=goal.model.pair_ptr.dtype) if rows is None else rows
        search = in_line(goal.sweeper, line, v, first)
        del line, first  # of which the search may let go
        try:
            done = follow_front(goal, search, sweeps) if start_from is None else 0
            if not done:
                search.begin(fresh=start_from is None)
                done = 1
                run.did("sweeps")
            if _searched(goal, search, done, sweeps):
                run.stopped = None
        finally:
            search.make_room()
            v = search.values()
            if mdp.problem.must_end:
                rows = search.rows()
    return goal.solution(v, goal.rows() if rows is None else rows)


def _grown(goal: Goal, search: Stored | Packed, evaluation: Evaluation, done: int, sweeps: int) -> int:
    """Sweep over a part of the states that grows, where the line asks for that; return how many sweeps are done."""
    growth = Growth(search)
    while done < sweeps and not growth.is_whole():
        low, high = search.improve()
        done += 1
        goal.run.did("sweeps")
        goal.see_size(goal.sweeper.norm(search.v))
        most = min(MOST_INNER, sweeps - done)
        done += evaluation.sweep(max(high, 0.0) - min(low, 0.0), most) if most else 0
    return done


def _searched(goal: Goal, search: Stored | Packed, done: int, sweeps: int) -> bool:
    """Sweep until the tolerance is proven; return False where the sweeps are spent before, some of which are done."""
    run = goal.run

    def rows() -> Ints:
        """The policy that a proof is asked for with; what it needs the room of goes."""
        search.make_room()
        return search.rows() if goal.mdp.problem.must_end else goal.total.proper_rows

    pockets = None
    if isinstance(search, Packed) and search.line.reached < goal.model.S and goal.mdp.gamma < 1:
        from tabular_rl.methods.planning._pockets import Pockets

        pockets = Pockets(search, goal)
    evaluation = Evaluation(goal, search)
    done = _grown(goal, search, evaluation, done, sweeps)
    chains = Chains(goal, search, done)
    best, since, low, high = float("inf"), 0, 0.0, 0.0
    while done < sweeps:
        if done > 1 or not search.line.acyclic:  # else the first sweep has left nothing to change
            low, high = search.improve()
            done += 1
            run.did("sweeps")
        # To change all values alike is a change too: the rows have no discount in common.
        low, high = min(low, 0.0), max(high, 0.0)
        if goal.met(low, high, search.values(), rows, done):
            return True
        search.take_up()
        change = high - low
        if chains.solve(done, change):
            continue
        best, since = (change, 0) if change < best / 2 else (best, since + 1)
        # Where evaluating does not lead on, as it may at γ = 1 for a policy that never ends, improving alone does.
        most = min(MOST_INNER, sweeps - done)
        if most > 0 and since % (2 * PATIENCE) < PATIENCE:
            done += evaluation.sweep(change, most)
        if pockets is not None:
            pockets.solve()
    return False
