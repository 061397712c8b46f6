"""Proven intervals at γ = 1, the expected total reward: for v* of a model and for v_π of a policy.

One theorem carries them all. model/graph/total.py has decided that every policy that may fail to end collects -∞
(after zero-reward end components are merged), or that a given policy ends surely. Then, with 0 at terminals,

    T u ≤ u everywhere     proves   v* ≤ u            T_π u ≤ u   proves   v_π ≤ u
    T_π l ≥ l everywhere   proves   l ≤ v_π ≤ v*

since u ≥ T_π u ≥ ... ≥ T_πⁿ u → v_π for every π that ends. How u and l were found does not matter; each inequality is
verified by one sweep in floating point, rounded outward by the error E of a backup. The candidates are

    u = v + (1.25 β + 2 E) w,   β = max(0, max T v - v),        l = v - (1.25 α + 2 E) w,   α = max(0, max v - T_π v)

with w the expected time to the end: of the policy, for l; for u the longest over actions that tie, so that u solves
u = T u + 1.25 β + 2 E, which charges each action with what it loses. Both are found by elimination in the chain of a
policy, the second by policy iteration. Where an improvement there may never end, never to end gains more than it loses:
no such u exists, and the work ends at once. All values are in the sign of maximisation.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.base import Certifier
from tabular_rl.certificates.certificate import Certificate
from tabular_rl.certificates.fine import FineBounds
from tabular_rl.certificates.floor import floor_of
from tabular_rl.certificates.upper import FEW, LEAST, SETTLED, UpperBounds, steps_counted, too_slow
from tabular_rl.model.clock import phase
from tabular_rl.model.graph.search import Mask, policy_can_reach, repaired, row_mask_of
from tabular_rl.model.graph.total import (
    TotalReward,
    idle_and_collecting,
    reward_signs,
    total_reward,
    zero_of_policy,
)
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import LargeRewards, down, up
from tabular_rl.model.rows import Floats, Ints, row_sums
from tabular_rl.solving.elimination import chain_solution
from tabular_rl.solving.sweeps import Sweeper

SWEEPS = 10_000  # spent on w in one call, at most
NEAR, MANY = 1e-3, 8  # values are looked at for being the ceiling where one in MANY is NEAR to it
GLIMPSE = 16  # sweeps that tell whether to look for an interval is too early
LONGER = 1024  # than what these make of w it is, for ties; to search on costs less than chains of theirs
STEPS = 64  # of T_π from 0, where there is no other bound


class TotalCertifier(Certifier):
    """Certificates of one model at γ = 1; what was found for one answer (w, graph facts) serves the next.

    `rows` (S,) is, after `control`, the policy whose value `lower` bounds: the one given, or one that ends surely in
    the places where that does not.
    """

    def __init__(
        self,
        mdp: MDP,
        policy: Policy | None = None,
        *,
        sweeper: Sweeper | None = None,
        total: TotalReward | None = None,
    ) -> None:
        super().__init__(mdp, policy, sweeper=sweeper, total=total)
        self.clocked = self.sweeper.of(mdp)  # still hears of a stop when the run of `sweeper` is over
        self.sweeps = SWEEPS
        self._given: Ints | None = None
        self._signs: NDArray[np.int8] | None = None
        self._chain: _Chain | None = None
        self._best: UpperBounds | None = None

    _total: TotalReward | None

    @property
    def total(self) -> TotalReward:
        """What the graph says of the total reward, found once."""
        if self._total is None:
            self._total = total_reward(self.clocked)
        return self._total

    def use_what_is_known(self) -> None:
        """Make the next certificates from what is known already, without a clock: for a run that has been stopped."""
        self.clocked.run, self.sweeps = None, 4
        if self._chain is not None:
            self._chain.sweeper.run = self._chain.clock.run = None
        if self._best is not None:
            self._best.sweeper.run = None

    @phase("proof")
    def certificate(
        self,
        v: Floats,
        rows: Ints | None = None,
        decide: bool = True,  # noqa: ARG002  (as its base)
    ) -> Certificate:
        """Return the proven interval from values v (S,): `prediction` of the policy, or `control`, with decisions."""
        v = self.checked(v)
        found = self.control(v, rows) if self.policy is None else self.prediction(v, self.policy)
        if self.worth_nothing():  # no step away from 0 is needed
            proven = None if found.proven_optimal is None else np.ones(self.mdp.S, dtype=bool)
            zero = np.zeros(self.mdp.S)
            found = replace(found, lower=zero, upper=zero.copy(), proven_optimal=proven, note="")
        return found

    def limits(self) -> tuple[Floats, Floats]:
        """Return what is proven from values 0, and a policy that ends."""
        rows = self.total.lift_rows(self.total.proper_rows) if self.policy is None else None
        proven = self.certificate(np.zeros(self.mdp.S), rows)
        return proven.lower, proven.upper

    def prediction(self, v: Floats, policy: Policy) -> Certificate:
        """Return the proven interval of v_π from any values v (S,).

        Raises
        ------
        NoFiniteAnswer : where the policy never terminates and collects reward without end

        Examples
        --------
        >>> mdp = MDP.from_outcomes([("s", "try", "t", "1/2", -1), ("s", "try", "s", "1/2", -1)], 1, terminal=["t"])
        >>> proven = TotalCertifier(mdp).prediction(np.array([-1.999, 0.0]), Policy.uniform(mdp))
        >>> bool(proven.lower[0] <= -2 <= proven.upper[0]), proven.width < 0.003
        (True, True)
        """
        if self._chain is None or self._chain.policy is not policy:
            self._chain = _Chain(self.clocked.of(self.mdp), policy, zero_of_policy(self.mdp, policy))
        lower, upper, smallest = self._chain.bounds(v, self.sweeps)
        if policy.rows is not None and self._too_coarse(smallest):
            lower, small = self._finer_beside(v, lower, smallest / 2, -1)
            upper, smallest = self._finer_beside(v, upper, smallest / 2, 1)
            smallest = float(up(smallest + small))
        return Certificate(lower, upper, smallest=smallest, note=_note(self.mdp, lower, upper))

    def control(self, v: Floats, rows: Ints | None = None) -> Certificate:
        """Return the proven interval of v* from any values v (S,), with the decisions on actions.

        lower ≤ v_π ≤ v* ≤ upper for the policy `rows` (S,), greedy by v if None, if it ends surely; otherwise for
        `self.rows`, and the note says so. `self.sweeps` limits the work on w; what was found serves the next call.

        Raises
        ------
        NoFiniteAnswer : where the optimal total reward is not finite

        Examples
        --------
        >>> tries = [("s", "try", "t", "1/2", -1), ("s", "try", "s", "1/2", -1)]
        >>> mdp = MDP.from_outcomes([("s", "go", "t", 1, -1), *tries], 1, terminal=["t"])
        >>> proven = TotalCertifier(mdp).control(np.array([-1.001, 0.0]))
        >>> bool(proven.lower[0] <= -1 <= proven.upper[0]), proven.width < 0.003, proven.keep.tolist()
        (True, True, [True, False])
        """
        total = self.total
        if self._best is None:
            self._best = UpperBounds(total, self.clocked.of(total.quotient))
        best = self._best
        lowered = np.where(total.quotient.terminal, 0.0, total.lower_values(v))
        span = best.look(lowered)
        asked = rows is not None
        if rows is None:
            rows = total.lift_rows(best.greedy)
        if self.hurried and self._chain is None and not total.merged:
            self.wide = self._glimpse(lowered, rows)
            if self.wide > self.wanted:
                none = np.where(self.mdp.terminal, 0.0, math.inf)
                return Certificate(-none, none)
            self.wide = 0.0
        if self._given is None or not np.array_equal(rows, self._given):
            self._given = np.array(rows)
            high = np.count_nonzero(v >= best.ceiling * (1 - NEAR)) * MANY > self.mdp.S
            self._follow(self._given, best.ceiling if high else math.inf)
        chain = self._chain
        assert chain is not None
        note = ""
        if asked and self.rows is not self._given:
            side = "lower" if self.mdp.sense == "max" else "upper"
            note = f"the policy may never end: the {side} bound is that of one that ends"
        lower, _, small = chain.bounds(v, self.sweeps, above=False)
        if best.time is None and chain.settled:
            best.time = total.lower_values(chain.time)
        best.most = self.wanted if self.hurried else math.inf
        sure = total.lower_values(chain.sure.astype(np.float64)) > 0
        slack = chain.slack(lowered, span)
        upper, of_rows, smallest = best.bound(lowered, span, self.sweeps, slack, sure)
        if best.wide:
            self.wide = best.wide
            return Certificate(lower, np.full(self.mdp.S, math.inf), smallest=small)
        if smallest and small and self._too_coarse(smallest + small):
            lower, small = self._finer_beside(v, lower, small, -1)
            upper, of_rows, smallest = self._finer_above(lowered, upper, of_rows, smallest)
        keep = of_rows >= total.lower_values(lower)[total.quotient.pair_state]
        lifted = total.lift_values(upper)
        return Certificate(
            lower,
            lifted,
            total.lift_keep(keep),
            self._proven(keep),
            float(up(smallest + small)) if smallest and small else 0.0,
            note="; ".join(filter(None, (note, _note(self.mdp, lower, lifted)))),
        )

    def _glimpse(self, v: Floats, rows: Ints) -> float:
        """About how wide an interval would be at least: w is no less than what a few sweeps make of it."""
        chain = _Chain(self.clocked.of(self.mdp), Policy.partial(self.mdp, rows=rows), self.mdp.terminal)
        low, high = chain.sweeper.policy(chain.moving, v, np.empty_like(v))
        off, w = 1.25 * (max(0.0, high) - min(0.0, low)), chain.guess(v)
        if w.any():
            return off * float(np.max(w))
        for _ in range(GLIMPSE):
            chain.clock.policy(chain.moving, w, w)
        return LONGER * off * float(np.max(w, initial=1.0))

    def _too_coarse(self, smallest: float) -> bool:
        """Whether rounding alone may hide what is asked for, while there is time for more."""
        return smallest > self.wanted / 2 and self.sweeps >= FEW

    def _finer_beside(self, v: Floats, bound: Floats, small: float, side: int) -> tuple[Floats, float]:
        """A bound of the policy, and its smallest distance, with an error for each row where that helps."""
        chain = self._chain
        assert chain is not None
        found = FineBounds(chain.sweeper).beside(v, chain.outside(chain.zero), chain.zero, side)
        if found is None:
            return bound, small
        return (np.minimum if side > 0 else np.maximum)(bound, found[0]), min(small, found[1] / 2)

    def _finer_above(
        self, v: Floats, upper: Floats, of_rows: Floats, small: float
    ) -> tuple[Floats, Floats, float]:
        best = self._best
        assert best is not None
        ceiling = np.where(best.mdp.terminal, 0.0, best.ceiling)
        v = np.where(best.ends, ceiling, v)
        found = FineBounds(best.sweeper).above(v, best.ends, ceiling, self.total.proper_rows)
        if found is None:
            return upper, of_rows, small
        return np.minimum(upper, found[0]), np.minimum(of_rows, found[1]), min(small, found[2] / 2)

    def _follow(self, rows: Ints, ceiling: float) -> None:
        """Make the chain of a policy, mended where it might collect reward without end or never end."""
        if self._signs is None:
            self._signs = reward_signs(self.mdp)
        self.rows, zero = rows, self.mdp.terminal.copy()
        if self.total.merged or not self.total.must_end:
            zero, collects = idle_and_collecting(self.mdp, row_mask_of(self.mdp, rows), signs=self._signs)
            if collects.any():
                proper = self.total.lift_rows(self.total.proper_rows)
                self.rows, _ = repaired(self.mdp, rows, zero, proper)
                zero, collects = idle_and_collecting(
                    self.mdp, row_mask_of(self.mdp, self.rows), signs=self._signs
                )
                assert not collects.any()
        time = None if self._chain is None else self._chain.time
        floor = floor_of(self.mdp, self.rows, zero, ceiling, self._signs)
        policy = Policy(self.mdp, rows=self.rows)
        self._chain = _Chain(self.clocked.of(self.mdp), policy, zero, time, floor)

    def _proven(self, keep: Mask) -> Mask:
        """The states (S,) from which the policy meets only actions proven optimal, and ends where that is.

        An action is where all others are proven worse, or where it moves inside of a merged component (which changes
        nothing); never leaving one, where all rows that leave it are proven worse.
        """
        mdp, total, chain = self.mdp, self.total, self._chain
        assert chain is not None and self.rows is not None
        quotient = total.quotient
        alone = row_sums(keep, quotient.pair_ptr) == 1
        only = keep & alone[quotient.pair_state]  # (L',) the one action left
        sure = mdp.terminal.copy()
        own = np.flatnonzero(~mdp.terminal)
        rows = self.rows[own]
        optimal = np.zeros(mdp.L, dtype=bool)
        real = total.row_of >= 0
        optimal[total.row_of[real]] = only[real]
        sure[own] = optimal[rows]
        if total.merged:
            stays = quotient.terminal.copy()
            stays[quotient.pair_state[only & ~real]] = True
            inside = total.internal[rows]
            sure[own] |= inside & (~chain.zero[own] | stays[total.of_state[own]])
        return sure if sure.all() else ~policy_can_reach(mdp, self.rows, ~sure)


def _note(mdp: MDP, lower: Floats, upper: Floats) -> str:
    """Which side is missing, in the sign of the model: what bounds a reward from below bounds a cost from above."""
    sides = (
        [("lower", lower), ("upper", upper)] if mdp.sense == "max" else [("lower", upper), ("upper", lower)]
    )
    missing = [what for what, x in sides if not np.isfinite(x).all()]
    return f"no {' and no '.join(missing)} bound could be verified" if missing else ""


class _Chain:
    """The chain of a policy that ends surely in the states `zero` (S,), where its value is 0.

    Where it is `sure` to earn at least `floor` it counts as having ended, with that; then it has no upper bounds.
    """

    def __init__(
        self,
        sweeper: Sweeper,
        policy: Policy,
        zero: Mask,
        time: Floats | None = None,
        floor: tuple[Mask, float] | None = None,
    ) -> None:
        mdp = sweeper.mdp
        self.sweeper, self.mdp, self.policy, self.zero = sweeper, mdp, policy, zero
        none: Mask = np.zeros(mdp.S, dtype=bool)
        self.sure, self.floor = floor or (none, 0.0)
        self.ends = zero | self.sure
        self.moving = self.outside(self.ends)
        self.large = LargeRewards(mdp)
        self.clock = self.sweeper.with_rewards(np.ones(mdp.L))
        self.time = np.zeros(mdp.S) if time is None else np.where(self.ends, 0.0, time)
        self.settled = False
        self._out = np.empty(mdp.S)

    def outside(self, ends: Mask) -> Policy:
        """The policy but for its rows in the states `ends` (S,): these are not taken, as those of terminals."""
        mdp, policy = self.mdp, self.policy
        if policy.rows is not None:
            return Policy.partial(mdp, rows=np.where(ends, -1, policy.rows).astype(mdp.pair_ptr.dtype))
        probs = np.where(ends[mdp.pair_state], 0.0, policy.weights)
        return Policy.partial(mdp, probs=probs, exact=policy.exact)

    def _placed(self, x: Floats) -> Floats:
        """Values x (S,), in place, as they are known where it ends: 0, or the floor."""
        x[self.zero], x[self.sure] = 0.0, self.floor
        return x

    def bounds(self, v: Floats, sweeps: int, above: bool = True) -> tuple[Floats, Floats, float]:
        """Return (lower, upper, smallest provable width), ∓inf where nothing is verified."""
        v = self._placed(np.array(v))
        low, high = self.sweeper.policy(self.moving, v, self._out)
        fall, rise = max(0.0, -low), max(0.0, high)
        none = np.where(self.zero, 0.0, math.inf)
        if not (self.sweeper.all_finite(v) and math.isfinite(fall) and math.isfinite(rise)):
            return -none, none, 0.0
        if not self.settled:
            self._settle(v, sweeps)
        vmax = self.sweeper.norm(v)
        lower = self._verified(v, fall, vmax, -1)
        upper = self._verified(v, rise, vmax, 1) if above else none
        lower = self._from_zero(-1) if lower is None else lower
        upper = self._from_zero(1) if upper is None else upper
        smallest = 0.0
        if self.settled:
            smallest = self._error(vmax) * steps_counted(self.time) * (2 if above else 1)
        return -none if lower is None else lower, none if upper is None else upper, smallest

    def slack(self, v: Floats, span: tuple[float, float]) -> float:
        """How far values v that fall and rise so much in a sweep may be from those of the policy; 0 if unknown."""
        if not self.settled:
            return 0.0
        return float(
            (1.25 * sum(span) + 2 * self._error(self.sweeper.norm(v))) * np.max(self.time, initial=0.0)
        )

    def _error(self, vmax: float) -> float:
        """E of a backup of the policy, which counts the rewards that it meets on its way, for values up to vmax."""
        return self.large.error(self.moving, vmax, self.policy)

    def _verified(self, v: Floats, off: float, vmax: float, side: int) -> Floats | None:
        """v ± (1.25 off + 2 E) w if T_π keeps it on its side, after that step; or None."""
        for _ in range(2):
            error = self._error(vmax)
            with np.errstate(over="ignore", invalid="ignore"):
                x = v + side * max(1.25 * off + 2 * error, LEAST) * self.time
            if not self.sweeper.all_finite(x):
                return None
            vmax = self.sweeper.norm(x)
            stepped = self._stepped(x, vmax, side)
            if bool((stepped <= x if side > 0 else stepped >= x).all()):
                return stepped
        return None

    def _from_zero(self, side: int) -> Floats | None:
        """A bound where no reward is negative (side -1), or none positive (1): T_πⁿ 0, rounded outward; else None.

        0 ≤ T_π 0 ≤ T_π² 0 ≤ ... ≤ v_π in the first case.
        """
        signs = reward_signs(self.mdp)[self.policy.takes & ~self.ends[self.mdp.pair_state]]
        if (signs * side > 0).any():
            return None
        x = self._placed(np.zeros(self.mdp.S))
        for _ in range(STEPS):
            stepped = self._stepped(x, self.sweeper.norm(x), side)
            x = np.minimum(x, stepped) if side > 0 else np.maximum(x, stepped)
        return x

    def _stepped(self, x: Floats, vmax: float, side: int) -> Floats:
        """T_π x of |x| ≤ vmax, rounded to a side by the error of a backup; what is known where it ends."""
        error = self._error(vmax)
        self.sweeper.policy(self.moving, x, self._out)
        stepped: Floats = up(self._out + error) if side > 0 else down(self._out - error)
        return self._placed(stepped)

    def _settle(self, v: Floats, sweeps: int) -> None:
        """Bring w to w ≥ 1 - SETTLED + P_π w: as it is, by elimination, or by sweeps."""
        if not self.time.any():
            self.time = self.guess(v)
        w, solve, before = self.time, sweeps >= FEW, math.inf
        for sweep in range(sweeps):
            low, high = self.clock.policy(self.moving, w, w, forward=sweep % 2 == 1)
            off = max(high, -low)
            if off <= SETTLED:
                self.settled = True
                return
            if solve:
                solve = False
                solved = chain_solution(self.clock, self.moving, self.ends)
                if solved is not None:
                    w[:] = solved
            elif sweep % FEW == FEW - 1:
                if too_slow(off / SETTLED, before / SETTLED, sweeps - sweep):
                    return
                before = off

    def guess(self, v: Floats) -> Floats:
        """Where every step costs about c, -v / c is about the time that is left."""
        low, high = self.sweeper.rewards(np.flatnonzero(self.moving.weights > 0))
        least, most = -high, -low
        return np.maximum(-v, 0.0) / least if 0 < most <= 4 * least < math.inf else np.zeros(self.mdp.S)
