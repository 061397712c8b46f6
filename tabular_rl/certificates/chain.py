"""Bounds at γ = 1 on the values of a policy that ends: v ± (1.25 α + 2 E) w, with w its expected time to the end.

certificates/total.py says why a sweep that keeps such values on their side proves them. w is found by elimination.
"""

from __future__ import annotations

import math

import numpy as np

from tabular_rl.certificates.concave import ConcaveBounds
from tabular_rl.certificates.upper import FEW, LEAST, SETTLED, steps_counted, too_slow
from tabular_rl.model.graph.search import Mask
from tabular_rl.model.graph.total import reward_signs
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import LargeRewards, down, up
from tabular_rl.model.rows import Floats
from tabular_rl.solving.elimination import chain_solution
from tabular_rl.solving.sweeps import Sweeper

STEPS = 64  # of T_π from 0, where there is no other bound


class PolicyChain:
    """The chain of a policy that ends surely in the states `zero` (S,), where its value is 0.

    Where it is `sure` to earn at least `floor` it counts as having ended: with that for lower bounds, and with
    `ceiling`, what no value exceeds, for upper ones.
    """

    def __init__(
        self,
        sweeper: Sweeper,
        policy: Policy,
        zero: Mask,
        time: Floats | None = None,
        floor: tuple[Mask, float] | None = None,
        ceiling: float = math.inf,
    ) -> None:
        mdp = sweeper.mdp
        self.sweeper, self.mdp, self.policy, self.zero = sweeper, mdp, policy, zero
        none: Mask = np.zeros(mdp.S, dtype=bool)
        self.sure, self.floor = floor or (none, 0.0)
        self.ceiling = ceiling
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

    def placed(self, x: Floats, side: int = -1) -> Floats:
        """Values x (S,), in place, as they are known where it ends: 0, or the floor (side -1) and the ceiling (1)."""
        x[self.zero], x[self.sure] = 0.0, self.floor if side < 0 else self.ceiling
        return x

    def bounds(self, v: Floats, sweeps: int, above: bool = True) -> tuple[Floats, Floats, float]:
        """Return (lower, upper, smallest provable width), ∓inf where nothing is verified."""
        v = self.placed(np.array(v))
        low, high = self.sweeper.policy(self.moving, v, self._out)
        top = v
        if above and self.sure.any():
            top = self.placed(v.copy(), 1)
            high = self.sweeper.policy(self.moving, top, self._out)[1]
        fall, rise = max(0.0, -low), max(0.0, high)
        none = np.where(self.zero, 0.0, math.inf)
        if not (self.sweeper.all_finite(v) and math.isfinite(fall) and math.isfinite(rise)):
            return -none, none, 0.0
        if not self.settled:
            self._settle(v, sweeps)
        vmax = self.sweeper.norm(v)
        lower = self._verified(v, fall, vmax, -1)
        upper = self._verified(top, rise, self.sweeper.norm(top), 1) if above else none
        lower = self._from_zero(-1) if lower is None else lower
        upper = self._from_zero(1) if upper is None else upper
        upper = none if upper is None else upper
        if above and self.sure.any():  # with u the ceiling c there: T_π min(u, c) ≤ min(u, c)
            upper = np.where(self.zero, 0.0, np.minimum(upper, self.ceiling))
        smallest = 0.0
        if self.settled:
            smallest = self._error(vmax) * steps_counted(self.time) * (2 if above else 1)
        return -none if lower is None else lower, upper, smallest

    def bent(self, v: Floats, away: float) -> Floats | None:
        """Return a lower bound (S,) by a concave function of values v, where that takes little work.

        Parameters
        ----------
        v : (S,) the values
        away : how far below v it is, unless more is needed
        """
        v = self.placed(np.array(v))
        error = self._error(self.sweeper.norm(v))
        stepped = v

        def short(d: Floats) -> Mask:
            nonlocal stepped
            x = v - d
            stepped = self._stepped(x, self.sweeper.norm(x), -1)
            return ~(stepped >= x)

        d = ConcaveBounds(self.sweeper).below(v, self.ends, away, error, short, self.moving)
        return None if d is None else stepped

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
        if (signs * side > 0).any() or (side > 0 and self.sure.any()):
            return None
        x = self.placed(np.zeros(self.mdp.S))
        for _ in range(STEPS):
            stepped = self._stepped(x, self.sweeper.norm(x), side)
            x = np.minimum(x, stepped) if side > 0 else np.maximum(x, stepped)
        return x

    def _stepped(self, x: Floats, vmax: float, side: int) -> Floats:
        """T_π x of |x| ≤ vmax, rounded to a side by the error of a backup; what is known where it ends."""
        error = self._error(vmax)
        self.sweeper.policy(self.moving, x, self._out)
        stepped: Floats = up(self._out + error) if side > 0 else down(self._out - error)
        return self.placed(stepped, side)

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
        rows = self.moving.rows
        low, high = self.sweeper.rewards(
            np.flatnonzero(self.moving.weights > 0) if rows is None else rows[rows >= 0]
        )
        least, most = -high, -low
        return np.maximum(-v, 0.0) / least if 0 < most <= 4 * least < math.inf else np.zeros(self.mdp.S)
