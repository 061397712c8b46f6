"""Proven intervals of finite horizons: bounds accumulate backward, E_t = γ E_{t+1} + E."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.base import Certifier
from tabular_rl.certificates.certificate import Certificate, largest_width, outward, passes
from tabular_rl.certificates.narrowing import Narrowing
from tabular_rl.model.clock import phase
from tabular_rl.model.graph.search import edges
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import U, down, up
from tabular_rl.model.rows import places
from tabular_rl.solving.solution import Floats
from tabular_rl.solving.sweeps import Sweeper


class FiniteCertifier(Certifier):
    """Certificates of a model with a finite horizon, one sweep a time step."""

    apart = False  # what is off at one time is off at all those before it

    @phase("proof")
    def certificate(
        self,
        v: Floats,
        rows: NDArray[Any] | None = None,  # noqa: ARG002  (as its base)
        decide: bool = True,
    ) -> Certificate:
        """Return the interval of values v (T + 1, S), and for control of the greedy policy: `rows` play no part."""
        v = np.array(v, dtype=np.float64)
        v[:-1, self.mdp.terminal] = 0.0  # a value there would prove itself
        for t in range(len(v)):
            self.sweeper.check_finite(v[t], f"at time {t} of the answer")
        return self._backward(v, decide)

    def induction(self, v: Floats, rows: NDArray[Any]) -> Certificate:
        """v_t ← T v_{t+1}, or T_π, from v_T backward with the greedy rows (T, S); return the interval of v.

        Values and proof are one sweep a time step, over all rows or over those that can still be the best. v (T + 1, S)
        is given at time T.
        """
        self.sweeper.check_finite(v[-1], f"at time {len(v) - 1} of the answer")
        return self._backward(v, True, rows)

    def _backward(self, v: Floats, decide: bool, made: NDArray[Any] | None = None) -> Certificate:
        """The interval of values; where `made` (T, S) is given they are made on the way, and the greedy rows too."""
        mdp, sweeper, T = self.mdp, self.sweeper, len(v) - 1
        fall = rise = self._slip(v[T])
        bounds = _Bounds(v, fall, mdp.terminal if self.ends else None, made is not None)
        lower = bounds.lower
        decisions = _Decisions(sweeper, T) if decide and self.policy is None else None
        narrow = Narrowing(sweeper)
        g = float(up(mdp.gamma)) if mdp.gamma < 1 else 1.0
        for t in range(T - 1, -1, -1):
            after, off = v[t + 1], float(up(fall + rise))
            if self.policy is not None:
                policy, best = self.policy.at(t), np.empty(mdp.S)
                sweeper.policy(policy, after, best)
            else:
                backup = narrow.sweeper(after, off).backup(after)
                best, chosen = backup.best, narrow.rows(backup.chosen)
                policy = Policy.partial(mdp, rows=chosen)
            sweeper.check_finite(best, f"at time {t}")
            low, high = self._residual(best, v[t], made is not None)
            own, shared, beyond = self.errors(after, sweeper.norm(after), policy)
            # The error at t + 1 passes through the discounted average; the residual and E come on top.
            carried_fall, carried_rise = float(up(g * fall)), float(up(g * rise))
            over = max(float(up(shared + up(high))), beyond.rise(v[t]))
            fall = max(float(up(up(carried_fall + own) - down(low))), 0.0)
            rise = max(float(up(carried_rise + over)), 0.0)
            bounds.put(t, fall, rise)
            if self.policy is None and decisions is not None:
                # q̂ + E + what is carried, below the lower bound of the state, proves a row worse.
                worst = float(up(carried_rise + shared))
                sure = narrow.decide(after, lower[t], worst, backup.chosen, decisions.keep[t])
                if len(beyond.rows):
                    beyond.keep(decisions.keep[t], down(lower[t] - carried_rise))
                    sure = sweeper.sole(decisions.keep[t], chosen)
                decisions.prove(t, chosen, sure)
            if self.policy is None and made is not None:
                made[t] = chosen
                if not len(beyond.rows):
                    narrow.look(after, backup, shared, off, t)
            bounds.settle(t + 1)
        bounds.settle(0)
        if self.worth_nothing():
            bounds.set_zero()
            if decisions is not None:
                decisions.proven[:] = True
        return bounds.certificate(
            *((None, None) if decisions is None else (decisions.keep, decisions.proven))
        )

    def _residual(self, best: Floats, v: Floats, made: bool) -> tuple[float, float]:
        """The least and the largest of best - v (S,); where values are made on the way, v ← best."""
        if not made:
            return self.sweeper.span(best - v)
        v[:] = best
        if self.sweeper.run is not None:
            self.sweeper.run.did("sweeps")
        return 0.0, 0.0

    def _slip(self, last: Floats) -> float:
        """How far the values at the end are from the final rewards, rounded up."""
        mdp, final = self.mdp, self.mdp.final_reward
        wanted = np.zeros(mdp.S) if final is None else mdp.sign * final
        slip = float(np.max(np.abs(last - wanted), initial=0.0))
        slip = float(up(slip)) if slip else 0.0
        if mdp.exact is not None and final is not None:
            slip = float(up(slip + up(np.max(np.abs(final), initial=0.0) * 2 * U)))
        return slip


class _Bounds:
    """The bounds of each time, lower and upper (T + 1, S).

    Parameters
    ----------
    v : (T + 1, S) values
    slip : how far those at time T can be off
    ended : (S,) the terminal states; None where there are none
    own : whether v may be changed once all is made of it: middles of the bounds then take its place
    """

    def __init__(self, v: Floats, slip: float, ended: NDArray[np.bool_] | None, own: bool) -> None:
        self.v, self.ended = v, ended
        self.lower, self.upper = np.empty_like(v), np.empty_like(v)
        self.lower[-1], self.upper[-1] = (down(v[-1] - slip), up(v[-1] + slip)) if slip else (v[-1], v[-1])
        # Of all times so far, how wide, and how far from a middle; NaN is not known.
        self.width, self.reach = largest_width(self.lower[-1], self.upper[-1]), 0.0 if own else math.nan

    def put(self, t: int, fall: float, rise: float) -> None:
        """Make the bounds of time t, values less `fall` and with `rise`."""
        v, into = self.v[t], (self.lower[t], self.upper[t])
        self.width = _larger(self.width, outward(v, v, -fall, rise, ended=self.ended, into=into)[2])

    def settle(self, t: int) -> None:
        """Put the middles of bounds in the place of the values of time t, of which nothing more is made."""
        kernel = passes(self.v.shape[1])
        if kernel is None or math.isnan(self.reach) or not math.isfinite(self.width):
            self.reach = math.nan
        else:
            found = kernel.middles(self.lower[t], self.upper[t], self.v[t], 0.0, self.v[t])
            self.reach = _larger(self.reach, found)

    def set_zero(self) -> None:
        """Every value is 0, under any policy."""
        self.lower[:], self.upper[:], self.width, self.reach = 0.0, 0.0, 0.0, math.nan

    def certificate(self, keep: Any, proven: Any) -> Certificate:
        """What is proven, with decisions on actions (T, L) and states (T, S)."""
        width = largest_width(self.lower, self.upper) if math.isnan(self.width) else self.width
        middles = None if math.isnan(self.reach) else (self.v, self.reach)
        return Certificate.of(
            self.lower, self.upper, keep, proven, width, middle=self.v, width=width, middles=middles
        )


def _larger(x: float, y: float) -> float:
    """The larger one; NaN where one is."""
    return x if x >= y or math.isnan(x) else y


class _Decisions:
    """What is proven of actions: keep (T, L), which may be the best, and proven (T, S), where the policy is optimal."""

    def __init__(self, sweeper: Sweeper, T: int) -> None:
        self.mdp = mdp = sweeper.mdp
        self.keep, self.proven = np.zeros((T, mdp.L), dtype=bool), np.empty((T, mdp.S), dtype=bool)
        self.after, self.weight = np.ones(mdp.S, dtype=bool), edges(mdp)

    def prove(self, t: int, chosen: NDArray[Any], sure: NDArray[np.bool_]) -> None:
        """Mark the states whose action is proven best, and leads only to states where that is so one time later.

        Parameters
        ----------
        t : the time
        chosen : (S,) the row of each state
        sure : (S,) where it is the only one that is kept
        """
        mdp = self.mdp
        if not self.after.all():
            live = np.flatnonzero(sure & (chosen >= 0))
            first = mdp.row_ptr[chosen[live]].astype(np.int64)
            size = mdp.row_ptr[chosen[live] + 1] - first
            k = places(first, size)
            doubt = (self.weight[k] > 0) & ~self.after[mdp.next_state[k]]
            sure[np.repeat(live, size)[doubt]] = False
        self.proven[t] = self.after = sure
