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
from tabular_rl.certificates.certificate import Certificate, largest_width
from tabular_rl.certificates.chain import PolicyChain
from tabular_rl.certificates.closed import SOON, ClosedBounds
from tabular_rl.certificates.closed import SWEEPS as PATIENT
from tabular_rl.certificates.fine import FineBounds
from tabular_rl.certificates.floor import ceiling_of, floor_of
from tabular_rl.certificates.upper import FEW, UpperBounds
from tabular_rl.certificates.upper import NEAR as NEAR_TOP
from tabular_rl.kernels._plain import kernels
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
from tabular_rl.model.rounding import shared_error, up
from tabular_rl.model.rows import Floats, Ints, row_sums
from tabular_rl.solving.sweeps import Sweeper

AWAY = 0.25  # of the width that is asked for: how far a concave function of v goes
FINE, ROOM = 2.0**-10, 2.0**20  # of that width, and in E: how far it goes at first
STEEP = 4  # changes shrink with that power of the number of states where such a function does not do
SWEEPS = 10_000  # spent on w in one call, at most
NEAR, MANY = 1e-3, 8  # values are looked at for being the ceiling where one in MANY is NEAR to it
GLIMPSE = 16  # sweeps that tell whether to look for an interval is too early
LONGER = 1024  # than what these make of w it is, for ties; to search on costs less than chains of theirs


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
        self._known_signs: NDArray[np.int8] | None = None
        self._chain: PolicyChain | None = None
        self._checked = False  # that its policy ends
        self._best: UpperBounds | None = None
        self._closing: ClosedBounds | None = None
        self._followed: Ints | None = None  # the policy whose chain is at hand
        self._fines: dict[int, FineBounds] = {}  # by the model, which is this one or its quotient

    _total: TotalReward | None

    @property
    def total(self) -> TotalReward:
        """What the graph says of the total reward, found once."""
        if self._total is None:
            self._total = total_reward(self.clocked)
        return self._total

    @property
    def _signs(self) -> NDArray[np.int8]:
        """The signs of the expected rewards (L,), found once."""
        if self._known_signs is None:
            total = self.total
            known = None if total.merged else total.signs
            self._known_signs = reward_signs(self.mdp) if known is None else known
        return self._known_signs

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
        lower, upper, smallest = self._chain_of(policy).bounds(v, self.sweeps)
        if policy.rows is not None and self._too_coarse(smallest):
            below, above = self._beside(v, -1), self._beside(v, 1)
            if below is not None and above is not None:
                lower, upper = np.maximum(lower, below), np.minimum(upper, above)
                smallest = min(smallest, largest_width(lower, upper))
        return Certificate(lower, upper, smallest=smallest, note=_note(self.mdp, lower, upper))

    def known(self) -> tuple[Mask, Floats] | None:
        """Return where the policy ends, or is sure of the most that can be earned, and the values (S,) there."""
        if self.policy is None:
            return None
        chain = self._chain_of(self.policy)
        return chain.ends, chain.placed(np.zeros(self.mdp.S))

    def _chain_of(self, policy: Policy) -> PolicyChain:
        """The chain of a policy whose values are asked for, with its floor and the ceiling."""
        if self._chain is None or self._chain.policy is not policy:
            mdp, zero, floor, ceiling = self.mdp, zero_of_policy(self.mdp, policy), None, math.inf
            if policy.rows is not None:
                ceiling = ceiling_of(mdp)
                if 0 < ceiling < math.inf:
                    floor = floor_of(mdp, policy.rows, zero, ceiling, reward_signs(mdp))
            self._chain = PolicyChain(self.clocked.of(mdp), policy, zero, None, floor, ceiling)
        return self._chain

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
        lowered = np.where(total.quotient.terminal, 0.0, total.lower_values(v))
        found = self._closed(v, rows) if self.quick and not self._slow else None
        found = found or self._by_time(v, lowered, rows)
        if not (self.quick or self.early) and found.width > self.wanted:  # a policy may take very long to end
            return self._closed(v, rows, patient=True) or found
        return found

    @property
    def _slow(self) -> bool:
        """Whether closed bounds were given up as slow the last time, and others found: these are tried first then."""
        return self._closing is not None and self._closing.slow

    def _by_time(self, v: Floats, lowered: Floats, rows: Ints | None) -> Certificate:
        """The certificate of concave functions of v mended where they do not do, or of a time to the end."""
        total, best = self.total, self._best
        assert best is not None
        asked, span = rows is not None, None
        if rows is None:
            span = best.look(lowered)
            rows = total.lift_rows(best.greedy)
        if self._given is None or not np.array_equal(rows, self._given):
            self._given = np.array(rows)
            self._follow(self._given, v, trusted=self.quick)
        self.rows = self._followed
        if self.quick:
            found = self._bent(v, lowered)
            if found is None and self._slow:
                found = self._closed(v, rows, patient=True)
            if found is not None:
                return found
            if self.early and self._too_early(lowered):
                none = np.where(self.mdp.terminal, 0.0, math.inf)
                return Certificate(-none, none)
        if not self._checked:
            self._follow(self._given, v)
        chain = self._chain
        assert chain is not None
        note = ""
        if asked and self.rows is not self._given:
            side = "lower" if self.mdp.sense == "max" else "upper"
            note = f"the policy may never end: the {side} bound is that of one that ends"
        lower, upper, of_rows, smallest = self._around(v, lowered, span or best.look(lowered))
        if best.wide:
            self.wide = best.wide
            return Certificate(lower, np.full(self.mdp.S, math.inf), smallest=smallest)
        return self._decided(lower, upper, of_rows, smallest, note)

    def _decided(
        self, lower: Floats, upper: Floats, of_rows: Floats, smallest: float = 0.0, note: str = ""
    ) -> Certificate:
        """The certificate of bounds (S,), (S') and of rows (L'), with its decisions on actions."""
        total = self.total
        model, alone = total.quotient, np.empty(total.quotient.S, dtype=bool)
        keep, none = np.empty(model.L, dtype=bool), model.pair_ptr[:0]
        rows = np.full(model.S, -1, dtype=none.dtype) if total.merged else np.asarray(self.rows, none.dtype)
        decide = kernels("bounds", model.K, model.L).decide
        decide(model.pair_ptr, of_rows, total.lower_values(lower), 0.0, rows, none, keep, alone)
        lifted = total.lift_values(upper)
        return Certificate(
            lower,
            lifted,
            total.lift_keep(keep),
            self._proven(keep) if total.merged else self._surely(alone),
            smallest,
            note="; ".join(filter(None, (note, _note(self.mdp, lower, lifted)))),
        )

    def _closed(self, v: Floats, rows: Ints | None, patient: bool = False) -> Certificate | None:
        """The certificate of bounds that no backup moves outward, near enough to v; None where there is none.

        Unless `patient` it gives up where more than a few sweeps are needed, as others may be found sooner. That the
        policy ends need not be looked at where all do, or where no row earns: in states that recur some row pays then,
        so that T_π l - l would be negative on average.
        """
        total, best = self.total, self._best
        assert best is not None
        if rows is None or total.merged or not (total.must_end or (self._signs <= 0).all()):
            return None
        high = best.at_ceiling(v, NEAR_TOP * best.ceiling if best.ceiling < math.inf else 0.0, None)
        top, held = np.where(high, best.ceiling, v), self.mdp.terminal | high
        self._closing = closed = ClosedBounds(self.sweeper, self._signs)
        closed.soon = PATIENT if patient else SOON
        fine = max(FINE * self.wanted, ROOM * shared_error(self.mdp, self.sweeper.norm(v)))
        far = AWAY * self.wanted
        for away in (fine, far) if fine < far and not patient else (far,):
            bent = best.concave.bent(v, self.mdp.terminal, away)
            if bent is None:
                break
            x = np.minimum(top + np.where(held, 0.0, bent), best.ceiling)
            found = closed.certificate((x, v - bent), rows, best.ceiling, held, self.wanted)
            if found is not None:
                self.rows = np.array(rows)
                return found
            closed.soon = closed.soon // 2 if closed.slow else closed.soon
        return None

    def _bent(self, v: Floats, lowered: Floats) -> Certificate | None:
        """The certificate from concave functions of the values; None where they take much work, or π was mended.

        Parameters
        ----------
        v, lowered : (S,), (S') the values, of the model and of its quotient
        """
        best, chain, away = self._best, self._chain, AWAY * self.wanted
        assert best is not None and chain is not None
        if self.rows is not self._given:
            return None
        above = best.bent(lowered, away, self.total.lower_values(chain.sure.astype(np.float64)) > 0)
        lower = None if above is None else chain.bent(v, away)
        return None if above is None or lower is None else self._decided(lower, *above)

    def _too_early(self, v: Floats) -> bool:
        """Whether an interval would be too wide yet; `wide` says about how wide."""
        assert self._best is not None and self._chain is not None
        excess = self._best.concave.excess
        if excess:
            self.wide = self.wanted * excess**STEEP / LONGER
            return True
        if self.hurried and not (self._chain.settled or self._chain.time.any() or self.total.merged):
            self.wide = self._glimpse(v)
            if self.wide > self.wanted:
                return True
        self.wide = 0.0
        return False

    def _around(
        self, v: Floats, lowered: Floats, span: tuple[float, float]
    ) -> tuple[Floats, Floats, Floats, float]:
        """Return lower (S,), upper (S'), bounds of rows (L') and the smallest provable width; `best.wide` if too far.

        Parameters
        ----------
        v, lowered : (S,), (S') the values, of the model and of its quotient
        span : how far T v falls below v and rises above it
        """
        total, chain, best = self.total, self._chain, self._best
        assert chain is not None and best is not None
        lower, _, small = chain.bounds(v, self.sweeps, above=False)
        if best.time is None and chain.settled:
            best.time = total.lower_values(chain.time)
        best.most, best.wide = self.wanted if self.hurried else math.inf, 0.0
        best.wanted = self.wanted
        sure = total.lower_values(chain.sure.astype(np.float64)) > 0
        slack, smallest = chain.slack(lowered, span), 0.0
        upper: Floats = np.full(len(lowered), math.inf)
        of_rows: Floats = np.full(total.quotient.L, math.inf)
        finer = self._finer(v, lowered, slack, sure) if self._too_coarse(2 * small) else None
        if finer is not None:
            lower, (upper, of_rows) = np.maximum(lower, finer[0]), finer[1:]
            smallest = largest_width(lower, total.lift_values(upper))
            if 0 < smallest <= self.wanted:
                return lower, upper, of_rows, smallest
        usual, usual_of_rows, above = best.bound(lowered, span, self.sweeps, slack, sure)
        if best.wide:
            return lower, upper, of_rows, small
        smallest = smallest or (float(up(above + small)) if above and small else 0.0)
        return lower, np.minimum(upper, usual), np.minimum(of_rows, usual_of_rows), smallest

    def _glimpse(self, v: Floats) -> float:
        """About how wide an interval would be at least: w is no less than what a few sweeps make of it."""
        chain = self._chain
        assert chain is not None
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

    def _finer(
        self, v: Floats, lowered: Floats, slack: float, sure: Mask
    ) -> tuple[Floats, Floats, Floats] | None:
        """Return lower (S,), upper (S',) and bounds of rows (L',), from what backups change; None where one is missing.

        Parameters
        ----------
        v, lowered : the values, of the model and of its quotient
        slack, sure : what tells where they are the ceiling, as in `UpperBounds.at_ceiling`
        """
        best = self._best
        assert best is not None
        lower = self._beside(v, -1)
        if lower is None:
            return None
        ceiling = np.where(best.mdp.terminal, 0.0, best.ceiling)
        away = float(np.max(lowered - self.total.lower_values(lower), initial=0.0))  # far less than the slack
        ends = best.mdp.terminal | best.at_ceiling(lowered, min(slack, 2 * away), sure)
        above = self._fine(best.sweeper).above(lowered, ends, ceiling, self.total.proper_rows)
        return None if above is None else (lower, *above)

    def _beside(self, v: Floats, side: int) -> Floats | None:
        """A bound of the policy, from what a backup changes."""
        chain = self._chain
        assert chain is not None
        return self._fine(chain.sweeper).beside(v, chain.outside(chain.zero), chain.zero, side)

    def _fine(self, sweeper: Sweeper) -> FineBounds:
        """What bounds the values of the model, or of its quotient, by what backups change."""
        if (found := self._fines.get(id(sweeper.mdp))) is None:
            found = self._fines[id(sweeper.mdp)] = FineBounds(sweeper)
        return found

    def _follow(self, rows: Ints, v: Floats, trusted: bool = False) -> None:
        """Make the chain of a policy, mended where it might collect reward without end or never end.

        Where it is `trusted`, no row earns and no component is merged, it is not looked at. A verified l then shows
        that it ends: in states that recur some row pays, so that T_π l - l is negative on average.
        """
        self.rows, zero = rows, self.mdp.terminal.copy()
        self._checked = not (trusted and not self.total.merged and (self._signs <= 0).all())
        if self._checked and (self.total.merged or not self.total.must_end):
            zero, collects = idle_and_collecting(self.mdp, row_mask_of(self.mdp, rows), signs=self._signs)
            if collects.any():
                proper = self.total.lift_rows(self.total.proper_rows)
                self.rows, _ = repaired(self.mdp, rows, zero, proper)
                zero, collects = idle_and_collecting(
                    self.mdp, row_mask_of(self.mdp, self.rows), signs=self._signs
                )
                assert not collects.any()
        time = None if self._chain is None else self._chain.time
        assert self._best is not None
        high = np.count_nonzero(v >= self._best.ceiling * (1 - NEAR)) * MANY > self.mdp.S
        floor = floor_of(self.mdp, self.rows, zero, self._best.ceiling if high else math.inf, self._signs)
        policy, self._followed = Policy(self.mdp, rows=self.rows), self.rows
        self._chain = PolicyChain(self.clocked.of(self.mdp), policy, zero, time, floor)

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
        return self._surely(sure)

    def _surely(self, sure: Mask) -> Mask:
        """The states (S,) from which the policy meets no others than those marked."""
        assert self.rows is not None
        return sure if sure.all() else ~policy_can_reach(self.mdp, self.rows, ~sure)


def _note(mdp: MDP, lower: Floats, upper: Floats) -> str:
    """Which side is missing, in the sign of the model: what bounds a reward from below bounds a cost from above."""
    sides = (
        [("lower", lower), ("upper", upper)] if mdp.sense == "max" else [("lower", upper), ("upper", lower)]
    )
    missing = [what for what, x in sides if not np.isfinite(x).all()]
    return f"no {' and no '.join(missing)} bound could be verified" if missing else ""
