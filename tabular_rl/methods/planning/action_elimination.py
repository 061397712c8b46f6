"""Modified policy iteration that leaves out, for a while, the actions that cannot be the best."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np

from tabular_rl.methods.planning._aggregation import Evaluation
from tabular_rl.methods.planning._goal import Goal
from tabular_rl.methods.planning._kept_rows import KeptRows
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import backup_error, down, up
from tabular_rl.model.rows import Floats
from tabular_rl.solving import options as o
from tabular_rl.solving.cost import Cost, Facts
from tabular_rl.solving.method import DISCOUNTED, method
from tabular_rl.solving.solution import Solution


def cost(facts: Facts) -> Cost:
    """About ten sweeps over all rows, in several parts; some hundred where values travel along short moves."""
    if facts.moves <= 4 * facts.S**0.5:
        return Cost(
            100, "moves lead nearby, and nowhere to an end: groups of states are corrected between sweeps"
        )
    return Cost(20, "moves lead anywhere: only rows near the best of their state are swept")


@method(
    equation="(s,a) is left out while γ span(v - u) < max_b q_u(s,b) - q_u(s,a)",
    source="Puterman & Shin (1982); Bertsekas & Castañon (1989)",
    problems=(DISCOUNTED,),
    cost=cost,
)
def action_elimination(
    mdp: MDP,
    *,
    tolerance: o.Tolerance = 1e-6,
    relative: o.Relative = False,
    sweeps: o.Sweeps = 1_000_000,
    threads: o.Threads = 1,
    time_limit: o.TimeLimit = None,
    start_from: Any = None,
) -> Solution:
    """Find the optimal values by modified policy iteration that leaves actions out while they cannot be the best.

    If an action is d below the best one of its state at values u, it is not the best at v as long as

        γ span(v - u) < d,    with span(x) = max x - min x over all states, terminal ones too

    So a sweep at u keeps the rows within δ of the best, and sweeps over these rows are sweeps over all rows while
    γ span(v - u) ≤ δ. Between them the policy is swept:

        v(s) ← max_{a kept} [ r(s,a) + γ Σ_s' p(s'|s,a) v(s') ],    then some times    v ← T_π v

    δ is foreseen from the changes and the gaps of up to 500 states. Where a sweep of the policy leaves more than 85% of
    the span, the model mixes slowly: states that change alike are put into 64 groups, and the chain of the groups says
    what each of them lacks. That is kept as long as two such corrections halve the span. Where the policy has a period
    (a month is part of the state), the groups are its periodic classes. Where it hardly ever turns back (a pendulum
    is swung up), each state is solved for after those that it leads to.

    Parameters
    ----------
    mdp : the model, with γ < 1
    sweeps : stop after this number of sweeps, of any kind
    tolerance, relative, threads, time_limit, start_from : as in value_iteration; threads share all but the sweeps that
        look which rows to keep

    Returns
    -------
    Solution with v (S,), lower, upper (S,), the greedy policy, and optimal_actions (L,).

    Sources
    -------
    Puterman & Shin (1982), Action elimination procedures for modified policy iteration algorithms; Puterman (1994),
    section 6.7; Bertsekas & Castañon (1989), Adaptive aggregation methods for infinite horizon dynamic programming.

    Examples
    --------
    Stay for 1, or leave to a state that earns 3 in each step: at γ = 1/2 leaving is worth 0 + 6/2 = 3, staying 2.

    >>> from tabular_rl import MDP
    >>> mdp = MDP([[[1, 0], [0, 1]], [[0, 1], [0, 0]]], [[1, 0], [3, 0]], 0.5, actions=["stay", "go"], axes="sas")
    >>> answer = action_elimination(mdp)
    >>> answer.policy["0"], round(answer["0"], 5), bool(answer.proven_optimal.all())
    ('go', 3.0, True)
    """
    run = action_elimination.run(locals())
    goal = Goal(run, mdp, threads)
    v = goal.start(start_from)
    low = -math.inf
    if start_from is None and not goal.ends and mdp.L:
        # T 0. Without terminal states it does not matter that a constant is missing.
        v[:] = np.maximum.reduceat(goal.sweeper.rows[5] * mdp.r, mdp.pair_ptr[:-1])
        low = float(v.min())
    search = Search(goal, v, low, sweeps)
    run.stopped = "budget"
    with run.until_stopped():
        if search.succeeds():
            run.stopped = None
    return goal.solution(search.v, search.rows)


AHEAD = 3.0  # spans of a sample's changes that values are thought to move from a sweep over all rows on
SHARE = 0.31  # of the rows: there is room for few more (KeptRows)
WIDER = 1.05  # than the prediction: the share of rows that is kept
ROWS_OF_A_STATE = 1.4  # that are kept at least, as long as SHARE allows
FIRST_ROWS = 2.0  # of a state that the first sweep keeps, where all that may matter are more than SHARE
FIRST_SHARE = 0.25  # of the rows that these may be
HALVED = 0.5  # of the span at most is left by a round over rows that are not all that matter
CLOSER = 0.4  # of the span of all actions, to which that of one policy is brought
CLOSEST = 0.05  # the same once the policy keeps its actions
ROUGH = 0.1  # of the span of all rows, at which that of kept rows is small enough for the next sweep over all
FARTHEST = 50.0  # spans of the changes that values are ever thought to move
SHORTEST, LONGEST = 20, 1000  # sweeps of a policy in turn, at most: of one that changes, of one that does not
EARLIEST = 120  # sweeps of policies of a model that mixes slowly, before a linear solve is thought of
LATEST = 500  # the same where moves lead farther than to neighbours on a grid: most often factors fill in
NEAR = 2  # times √S: how far apart in storage such neighbours are
OPERATIONS = 24  # of a factorization, a state, that may take as long as a sweep of a policy
MOST_PARTIAL = 3000  # sweeps over kept rows, before the next one over all


class Search:
    """The values v, those that the gaps were taken at (origin), and what is left of the gaps since (slack).

    No change of the last sweep was less than `low`: v is T u or T_π u of some u, so that T v ≥ v + γ low. While
    `exact`, a sweep over the rows that are kept is one over all rows.
    """

    def __init__(self, goal: Goal, v: Floats, low: float, sweeps: int) -> None:
        self.goal, self.budget, self.gamma = goal, sweeps, goal.mdp.gamma
        self.kept = goal.certifier.kept = KeptRows(goal.sweeper)
        self.evaluation = Evaluation(goal, self.kept)
        self.v, self.spare, self.origin = v, np.empty_like(v), np.empty_like(v)
        self.rows, self.done, self.turn = goal.rows(), 0, 0
        self.slack, self.low, self.reach = 0.0, low, 1.0
        self.before: Floats | None = None  # values of which v is T, over the rows that are kept
        self.patience = SHORTEST
        self.next_solve: float = EARLIEST
        self.sure = False  # whether what was kept is all that may matter, as far as a sample tells
        self.exact, self.spread, self.thinned, self.moved, self.closer = False, 0.0, math.inf, 0.0, CLOSER

    def succeeds(self) -> bool:
        """Sweep until the goal is met, or the budget is spent."""
        while self.done < self.budget:
            delta = self._predicted()
            low, high, fits = self.kept.filtered(self.v, self.spare, delta, self._least())
            self._count("sweeps", low)
            self.turn += 1
            self.origin, self.v, self.spare = self.v, self.spare, self.origin
            self.before = self.origin
            if self.goal.met(low, high, self.v, self.rows, self.done):
                return True
            if self.evaluation.slow and self._solved():
                continue
            self.slack = delta
            spread = self.goal.spread(low, high)
            self._settle(spread)
            if fits and self._partial(spread, exact=self.sure):
                return True
        return False

    def _solved(self) -> bool:
        """Take the values of the greedy policy by a linear solve, where sweeps have taken as long: True where done."""
        from tabular_rl.methods.exact.linear_solve import Shape, sparse_solve

        goal, done = self.goal, self.goal.run.work.get("evaluation sweeps", 0)
        if done < self.next_solve:
            return False
        if done < LATEST and Facts(goal.mdp).moves > NEAR * goal.mdp.S**0.5:
            self.next_solve = LATEST
            return False
        rows = goal.rows()
        goal.sweeper.optimal(self.v, self.spare, rows)
        P_pi, r_pi = goal.sweeper.policy_system(Policy(goal.model, rows=rows))
        shape = Shape(P_pi)
        self.next_solve = (
            max(2 * done, shape.operations / (OPERATIONS * self.kept.S)) if shape.fits else math.inf
        )
        if done < self.next_solve / 2:
            return False
        with contextlib.suppress(MemoryError, RuntimeError):  # SuperLU says singular by the second
            v = sparse_solve(P_pi, r_pi, goal.model.gamma, goal.run, shape)
            if goal.sweeper.all_finite(v):
                self.v[:], self.low = v, -math.inf
                goal.run.did("linear solves")
                return True
        self.next_solve = math.inf
        return False

    def _least(self) -> float:
        """What no T v - v is less than, with its rounding errors."""
        low = min(self.low, 0.0) if self.goal.ends else self.low
        if low == -math.inf:
            return low
        error: float = 4 * backup_error(self.goal.mdp, self.goal.sweeper.norm(self.v))
        return (self.gamma * low if self.gamma else 0.0) - error

    def _predicted(self) -> float:
        """How far a row may be from the best one to be kept.

        Where that would keep too many, it is 0 for the best alone, and at first what keeps some rows of a state: those
        that are the best soon are mostly among them.
        """
        sample = self.kept.sample(self.v, self.turn)
        n, self.sure = len(sample.gaps), False
        if n == 0:
            return 0.0
        spread = self.goal.spread(float(sample.changes.min()), float(sample.changes.max()))
        delta: float = max(
            AHEAD * self.reach * self.gamma * spread, 8 * backup_error(self.goal.mdp, self.goal.vmax)
        )
        share = float(np.count_nonzero(sample.gaps <= delta)) / n
        self.sure = share <= SHARE and math.isfinite(delta)
        if not self.sure:
            few = FIRST_ROWS * self.kept.S / self.kept.L
            if self.turn or few > FIRST_SHARE or self.kept.coarse or not math.isfinite(delta):
                return 0.0
            return float(np.partition(sample.gaps, int(few * n))[int(few * n)])
        wider = WIDER * share
        if self.turn:
            wider = max(wider, min(SHARE, ROWS_OF_A_STATE * self.kept.S / self.kept.L))
        at = min(int(wider * n), n - 1)
        return max(delta, float(np.partition(sample.gaps, at)[at]))

    def _partial(self, whole: float, exact: bool) -> bool:
        """Sweep the policy and the rows that are kept; True where the goal is met.

        It ends where the rows that are kept may not be all that matter (`exact`) and the span is small beside that of
        the last sweep over all rows, `whole`.
        """
        if not exact and self.kept.count <= self.kept.S:
            self._evaluate(self.closer * whole)
            return False
        self.exact, self.spread, self.thinned, self.moved, self.closer = exact, whole, math.inf, 0.0, CLOSER
        for _ in range(MOST_PARTIAL):
            met = self._round(whole) if self.done < self.budget else False
            if met is not None:
                return met
        return False

    def _round(self, whole: float) -> bool | None:
        """Some sweeps of the policy and one over the rows that are kept: is the goal met? None: go on."""
        if self.kept.count > self.kept.S or self.evaluation.slow:
            self._evaluate(self.closer * self.spread)
            if not self.sure and self.evaluation.spread > self.closer * self.spread:
                return False
        old = self.spread
        low, high, moved = self.kept.improved(self.v, self.spare, self.origin)
        self._count("partial sweeps", low)
        self.spread, lost = self.goal.spread(low, high), self._lost(moved)
        self.exact = self.exact and lost <= self.slack
        self._settle(self.spread)
        last, self.v, self.spare = self.v, self.spare, self.v
        self.before = last
        if self.exact:
            if self.goal.met(low, high, self.v, self.rows, self.done):
                return True
        elif self.goal.enough(low, high) or not self.spread > ROUGH * whole or self._stalls(old):
            self.reach = min(max(1.0, moved / whole), FARTHEST)
            return False
        if self.sure and self.kept.count > 1.25 * self.kept.S and self.spread < 0.3 * self.thinned:
            self.thinned = self.spread
            moved = 0.0 if self._thin(last, self.gamma * self._coming(old, moved), lost) else moved
        self.moved = moved
        return None

    def _stalls(self, old: float) -> bool:
        """Whether a round over rows that are not all that matter leaves much of the span, or mixing is slow."""
        return not self.sure and (self.evaluation.slow or self.spread > HALVED * old)

    def _settle(self, spread: float) -> None:
        """Evaluate closer where improving changed no more than evaluating did, and longer where it was little more."""
        before = self.evaluation.spread
        self.closer = max(self.closer / 5, CLOSEST) if spread <= before else CLOSER
        self.patience = (
            min(2 * self.patience, LONGEST) if spread <= 2 * before else max(self.patience // 2, SHORTEST)
        )

    def _coming(self, old: float, moved: float) -> float:
        """How far values may still move: as in this round, and on as the span shrinks; farther where mixing is slow."""
        shrinks = min(self.spread / old, 0.95)
        coming = max(1.5 * self.spread, 2 * (moved - self.moved) * shrinks / (1 - shrinks))
        return max(coming, self.spread / (1 - self.gamma)) if self.evaluation.slow else coming

    def _thin(self, last: Floats, delta: float, lost: float) -> bool:
        """Keep what is within delta of the best in the last sweep, from the values `last`: gaps are now those there."""
        left = float(down(self.slack - lost))
        if self.exact:
            delta = min(delta, left)
        if delta < 0 or not self.kept.thinned(delta):
            return False
        self.slack = min(left, delta)
        self.origin, self.spare = last, self.origin
        return True

    def _lost(self, moved: float) -> float:
        """γ span(v - origin) + 4 E, rounded up: as much may be missing of the gaps."""
        vmax = float(up(self.goal.vmax + 2 * moved))
        return float(up(up(float(up(self.gamma)) * up(moved)) + 4 * backup_error(self.goal.mdp, vmax)))

    def _evaluate(self, target: float) -> None:
        wanted = 0.6 * self.goal.wanted / self.goal.factor if self.goal.factor else 0.0
        most = min(self.patience, self.budget - self.done)
        self.v, self.spare = self.evaluation.sweep(self.v, self.spare, max(wanted, target), most, self.before)
        self.before = None
        self.done += self.evaluation.done
        self.low = self.evaluation.low

    def _count(self, what: str, low: float) -> None:
        self.done += 1
        self.low = low
        self.goal.run.did(what)
