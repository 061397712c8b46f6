"""Upper bounds on v* at γ = 1, from values v: a u with T u ≤ u, found near v and verified by a sweep.

certificates/total.py says why that proves v* ≤ u. u is v + (1.25 β + 2 E) w, where w is a time to the end, the longest
over actions that are not clearly worse; and nowhere above a ceiling that no value exceeds. Where v is as good as at the
ceiling u is the ceiling itself, and time ends there: ties among ways that all lead to the best end need not be short.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from tabular_rl.certificates.concave import ConcaveBounds
from tabular_rl.certificates.floor import ceiling_of
from tabular_rl.model.graph.search import Mask, repaired
from tabular_rl.model.graph.total import TotalReward, reward_signs
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import LargeRewards, shared_error
from tabular_rl.model.rows import Floats, Ints
from tabular_rl.solving.elimination import chain_solution
from tabular_rl.solving.sweeps import Sweeper

CARRIED = 4  # sweeps that carry what an improvement gains back, at most
FEWEST = 100  # states up to which a few more policies take no longer
FEW = 32  # sweeps, where no chain is solved
IMPROVEMENTS = 50  # of a policy, for u
LEAST = 1e-290  # of a step: below it w would be lost in the smallest floats
NEAR = 1e-9  # of the ceiling: values that near to it, all of them, need no other upper bound
SETTLED = 0.2  # w is good enough when a sweep lengthens no time by more than this


class UpperBounds:
    """Upper bounds on v* of the quotient."""

    def __init__(self, total: TotalReward, sweeper: Sweeper) -> None:
        self.total, self.mdp, self.sweeper = total, total.quotient, sweeper
        self.large = LargeRewards(self.mdp)
        self.time: Floats | None = None
        # How far above v a bound is of use, and how far a last one would be that was not of use.
        self.most, self.wide = math.inf, 0.0
        self.wanted = math.inf  # the width that is asked for
        self.live = np.diff(self.mdp.pair_ptr) > 0
        self.ends = self.mdp.terminal  # and where u is the ceiling
        self.concave = ConcaveBounds(sweeper)
        self._out = np.empty(self.mdp.S)
        self.greedy = np.empty(self.mdp.S, dtype=self.mdp.pair_ptr.dtype)

    def look(self, v: Floats) -> tuple[float, float]:
        """One sweep from v: its greedy rows, and how far T v falls below v and rises above it."""
        low, high = self.sweeper.optimal(v, self._out, self.greedy)
        return max(0.0, -low), max(0.0, high)

    def bound(
        self,
        v: Floats,
        span: tuple[float, float],
        sweeps: int,
        slack: float = 0.0,
        sure: Mask | None = None,
    ) -> tuple[Floats, Floats, float]:
        """Return upper (S',), upper bounds on q* (L'), and the smallest provable distance.

        Parameters
        ----------
        v : (S',) the values, 0 at terminals
        span : how far T v falls below v and rises above it
        sweeps : to be spent, at most
        slack : how far values may be below the ceiling for that to be their bound
        sure : (S',) marks where values are the ceiling but for rounding; None for nowhere
        """
        mdp = self.mdp
        fall, rise = span
        self.wide = 0.0
        none, of_rows = np.where(mdp.terminal, 0.0, math.inf), np.full(mdp.L, math.inf)
        if not (self.sweeper.all_finite(v) and math.isfinite(rise) and math.isfinite(fall)):
            return none, of_rows, 0.0
        ceiling = np.where(mdp.terminal, 0.0, self.ceiling)
        low = float(np.min(v, initial=self.ceiling, where=self.live))
        if self.ceiling < math.inf and self.ceiling - low <= NEAR * self.ceiling:
            upper = self._stepped(ceiling, self.ceiling, of_rows)
            return np.minimum(upper, ceiling), np.minimum(of_rows, self.ceiling), 0.0
        high = self.at_ceiling(v, slack, sure)
        self.ends = mdp.terminal | high
        if high.any():
            v = np.where(high, ceiling, v)
            low, rise = self._moved(self.sweeper, v, self._out, np.empty_like(self.greedy))
            fall, rise = max(0.0, -low), max(0.0, rise)
        upper, of_rows, smallest = self._descended(v, rise, fall, sweeps)
        return np.minimum(upper, ceiling), np.minimum(of_rows, self.ceiling), smallest

    def at_ceiling(self, v: Floats, slack: float, sure: Mask | None) -> Mask:
        """Mark the states (S',) with rows that are to have the ceiling as their bound: see `bound`."""
        high: Mask = self.ceiling - v <= slack
        return self.live & (high if sure is None else high | sure)

    def bent(self, v: Floats, away: float, sure: Mask) -> tuple[Floats, Floats] | None:
        """Return upper (S',) and upper bounds on q* (L') by a concave function of v, where that takes little work.

        Parameters
        ----------
        v : (S',) the values, 0 at terminals
        away : how far above v it is, unless more is needed
        sure : (S',) marks where values are the ceiling but for rounding
        """
        mdp, ceiling = self.mdp, np.where(self.mdp.terminal, 0.0, self.ceiling)
        high = self.at_ceiling(v, NEAR * self.ceiling if self.ceiling < math.inf else 0.0, sure)
        self.ends, v = mdp.terminal | high, np.where(high, ceiling, v)
        of_rows, upper = np.empty(mdp.L), v

        def short(d: Floats) -> Mask:
            nonlocal upper
            u = np.minimum(v + d, ceiling)
            upper = self._stepped(u, self.sweeper.norm(u), of_rows)
            fits: Mask = (upper <= u) | (u == ceiling)
            return ~fits

        error = self._errors(self.sweeper.norm(v))
        if self.concave.above(v, self.ends, away, error, short) is None:
            return None
        return np.minimum(upper, ceiling), np.minimum(of_rows, self.ceiling, out=of_rows)

    def _moved(
        self, sweeper: Sweeper, u: Floats, out: Floats, rows: Ints, forward: bool = True
    ) -> tuple[float, float]:
        """One sweep out ← T u but where u is the ceiling; the least and the largest change."""
        high = self.ends & self.live
        if not high.any():
            return sweeper.optimal(u, out, rows, forward)
        before = u.copy()
        sweeper.optimal(u, out, rows, forward)
        out[high] = before[high]
        change = (out - before)[self.live & ~high]
        return float(np.min(change, initial=0.0)), float(np.max(change, initial=0.0))

    @cached_property
    def ceiling(self) -> float:
        """What no value exceeds, inf where nothing is known: see `ceiling_of`."""
        return ceiling_of(self.mdp, None if self.total.merged else self.total.signs)

    def _descended(self, v: Floats, rise: float, fall: float, sweeps: int) -> tuple[Floats, Floats, float]:
        """What `bound` returns, from a u ≥ T u not far above v."""
        mdp = self.mdp
        none, of_rows = np.where(mdp.terminal, 0.0, math.inf), np.full(mdp.L, math.inf)
        vmax = self.sweeper.norm(v)
        time = np.zeros(mdp.S) if self.time is None else np.where(self.ends, 0.0, self.time)
        ceiling, free = np.where(mdp.terminal, 0.0, self.ceiling), ~self.ends
        for _ in range(3):
            error = shared_error(mdp, vmax)
            large = self.large.backed_up(self.sweeper, v, vmax)
            beyond = np.max(large.high - v[large.states], initial=-math.inf, where=free[large.states])
            off = max(rise, float(beyond) - error)
            shift = max(1.25 * off + 2 * error, LEAST)
            with np.errstate(over="ignore", invalid="ignore"):
                twice = self._twice(v, shift * time, shift)
                if twice is None:
                    u, settled = self._raised(v, v + shift * time, shift, fall, sweeps)
                    if self.wide:
                        return none, of_rows, 0.0
                    time = np.maximum((np.minimum(u, ceiling) - v) / shift, 0.0)
                else:
                    u, settled = twice, True
                u = np.minimum(u, ceiling)
            if not self.sweeper.all_finite(time):
                break
            vmax = self.sweeper.norm(u)
            upper = self._stepped(u, vmax, of_rows)
            if self.time is None or time.min(initial=math.inf, where=self.live & free) >= 0.5:
                self.time = time  # not where u < v: there v itself was what it had to descend from
            # T u ≤ T c ≤ c where u is the ceiling c, since it is nowhere above that.
            if bool(((upper <= u) | (u == ceiling)).all()):
                return upper, of_rows, shared_error(mdp, vmax) * steps_counted(self.time) if settled else 0.0
        if (reward_signs(mdp) > 0).any():
            return none, np.full(mdp.L, math.inf), 0.0
        return np.zeros(mdp.S), np.full(mdp.L, math.inf), 0.0  # nobody earns anything

    def _stepped(self, u: Floats, umax: float, of_rows: Floats) -> Floats:
        """T u + E, with its rows in `of_rows`: an upper bound of v* where u is one, or is nowhere below it."""
        error, upper = self._errors(umax), np.empty(self.mdp.S)
        own = error if isinstance(error, np.ndarray) else of_rows[:0]
        self.sweeper.step_up(u, 0.0 if len(own) else float(error), own, of_rows, upper)
        return upper

    def _errors(self, vmax: float) -> float | Floats:
        """E of all rows, or of each (L') where some do not share it, for values up to vmax."""
        shared = shared_error(self.mdp, vmax)
        rows, own = self.large.own_errors(vmax)
        if not rows.size:
            return shared
        errors = np.full(self.mdp.L, shared)
        errors[rows] = own
        return errors

    def _twice(self, v: Floats, away: Floats, shift: float) -> Floats | None:
        """v and twice what u is away from it by the time of the policy, where that is enough and not too far; or None.

        What is to spare then covers actions that tie and take somewhat longer, without a chain of theirs.
        """
        if not 0 < 8 * self.sweeper.norm(away) <= self.most < math.inf:
            return None
        u = v + 2 * away
        _, high = self._moved(self.sweeper.raised(shift), u, self._out, np.empty_like(self.greedy))
        return u if high <= SETTLED * shift else None

    def _raised(self, v: Floats, u: Floats, shift: float, fall: float, sweeps: int) -> tuple[Floats, bool]:
        """u with T u + shift ≤ u up to a part of the shift, and no higher than that takes; True if it is so.

        By policy iteration, whose improvements gain a part of the shift at least; by sweeps where no chain is solved.
        """
        mdp, sweeper = self.mdp, self.sweeper.raised(shift)
        raised, rows = np.empty(mdp.S), np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
        taken: Ints | None = None
        carried = False  # and not solved for since: to carry again would change nothing
        for _ in range(IMPROVEMENTS if sweeps >= FEW else 0):
            # Improvements only raise it, and to sweep once lowers it by a shift at most.
            if float(np.max(u - v, initial=0.0)) - 2 * shift > self.most:
                self.wide = float(np.max(u - v))
                return u, False
            low, high = self._moved(sweeper, u, raised, rows)
            if not math.isfinite(high - low):
                return u, False
            fits = taken is not None or -low <= SETTLED * shift + 2 * fall or self._of_use(u - v)
            if fits and high <= (SETTLED if taken is None else 2 * SETTLED) * shift:
                return u, True
            if taken is not None:
                rows = np.where(raised - u > SETTLED / 2 * shift, rows, taken)
            few = fits and not carried and mdp.S > FEWEST
            carried = few and sweeper.carry_back(u, rows, SETTLED / 2 * shift, CARRIED, self.ends)
            if carried:  # as good as by a chain
                taken, rows = rows, np.empty_like(rows)
                continue
            taken = self._ending(rows, taken is None)
            if taken is None:
                return u, False
            policy = Policy.partial(mdp, rows=taken)
            rows = np.empty_like(taken)
            sweeper.policy(policy, v, self._out)
            w = chain_solution(sweeper, policy, self.ends, (self._out - v) / shift)
            if w is None:
                break
            u = np.where(mdp.terminal, 0.0, v + shift * w)
        return self._swept(sweeper, u, shift, fall, sweeps)

    def _ending(self, rows: Ints, first: bool) -> Ints | None:
        """The rows (S',), mended where they may never end; None where an improvement does not end."""
        if not self.total.must_end:
            rows, lost = repaired(self.mdp, rows, self.ends, self.total.proper_rows)
            if lost.any() and not first:
                return None
        return rows.astype(self.mdp.pair_ptr.dtype)

    def _of_use(self, away: Floats) -> bool:
        """Whether a bound that is so far above v is narrow enough, though it may be higher than it need be."""
        return 8 * self.sweeper.norm(away) <= self.wanted < math.inf

    def _swept(
        self, sweeper: Sweeper, u: Floats, shift: float, fall: float, sweeps: int
    ) -> tuple[Floats, bool]:
        """u ← T u + shift until it moves by no more than a part of the shift (and v's own fall); True if it did."""
        rows, before = np.empty(self.mdp.S, dtype=self.mdp.pair_ptr.dtype), math.inf
        for sweep in range(sweeps):
            low, high = self._moved(sweeper, u, u, rows, sweep % 2 == 1)
            if not (math.isfinite(low) and math.isfinite(high)):
                break
            if high <= SETTLED * shift and -low <= SETTLED * shift + 2 * fall:
                return u, True
            if sweep % FEW == FEW - 1:
                off = max(high, -low - 2 * fall) / (SETTLED * shift)
                if too_slow(off, before, sweeps - sweep):
                    break
                before = off
        return u, False


def steps_counted(time: Floats) -> float:
    """How many E a bound is off where v is exact: 2 E w, less the E by which the verifying sweep improves it."""
    return max(2 * float(np.max(time, initial=0.0)) - 1, 0.0)


def too_slow(off: float, before: float, sweeps: int) -> bool:
    """Whether what is off is not on its way to 1 within so many sweeps, by its last FEW.

    Parameters
    ----------
    off, before : what is off now and was FEW sweeps ago, in units of what is wanted; inf before that
    sweeps : that are left

    Returns
    -------
    bool
    """
    if before == math.inf or off <= 1:
        return False
    return off >= before or math.log(off) > math.log(before / off) * sweeps / FEW
