"""Proven intervals of finite horizons: bounds accumulate backward, E_t = γ E_{t+1} + E."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.base import Certifier
from tabular_rl.certificates.certificate import Certificate, largest_width
from tabular_rl.model.clock import phase
from tabular_rl.model.graph.search import edges
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import U, down, up
from tabular_rl.model.rows import row_sums
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
        return self._backward(v, decide)

    def induction(self, v: Floats, rows: NDArray[Any]) -> Certificate:
        """v_t ← T v_{t+1}, or T_π, from v_T backward with the greedy rows (T, S); return the interval of v.

        Values and proof are one sweep a time step. v (T + 1, S) is 0 but at time T.
        """
        return self._backward(v, True, rows)

    def _backward(self, v: Floats, decide: bool, made: NDArray[Any] | None = None) -> Certificate:
        """The interval of values; where `made` (T, S) is given they are made on the way, and the greedy rows too."""
        mdp = self.mdp
        T = len(v) - 1
        for t in range(T + 1):
            self.sweeper.check_finite(v[t], f"at time {t} of the answer")
        lower, upper = np.array(v), np.array(v)
        last = mdp.final_reward
        wanted = np.zeros(mdp.S) if last is None else mdp.sign * last
        slip = float(np.max(np.abs(v[T] - wanted), initial=0.0))
        slip = float(up(slip)) if slip else 0.0
        if mdp.exact is not None and last is not None:
            slip = float(up(slip + up(np.max(np.abs(last), initial=0.0) * 2 * U)))
        fall = rise = slip
        keep = np.ones((T, mdp.L), dtype=bool) if decide and self.policy is None else None
        best = np.empty(mdp.S)
        proven = np.zeros((T, mdp.S), dtype=bool) if keep is not None else None
        lower[T], upper[T] = down(v[T] - fall) if fall else v[T], up(v[T] + rise) if rise else v[T]
        sure = np.ones(mdp.S, dtype=bool)
        for t in range(T - 1, -1, -1):
            vmax = self.sweeper.norm(v[t + 1])
            if self.policy is not None:
                policy = self.policy.at(t) if self.policy.timed else self.policy
                self.sweeper.policy(policy, v[t + 1], best)
            else:
                _, _, best, chosen, _, _ = self.sweeper.backup(v[t + 1])
                policy = Policy.partial(mdp, rows=chosen)
            self.sweeper.check_finite(best, f"at time {t}")
            if made is not None:
                v[t] = best
                if self.policy is None:
                    made[t] = chosen
                if self.sweeper.run is not None:
                    self.sweeper.run.did("sweeps")
            low, high = self.sweeper.span(best - v[t])
            own, shared, beyond = self.errors(v[t + 1], vmax, policy)
            g = float(up(mdp.gamma)) if mdp.gamma < 1 else 1.0
            # The error at t + 1 passes through the discounted average; the residual and E come on top.
            carried_fall, carried_rise = float(up(g * fall)), float(up(g * rise))
            off = max(float(up(shared + up(high))), beyond.rise(v[t]))
            fall = max(float(up(up(carried_fall + own) - down(low))), 0.0)
            rise = max(float(up(carried_rise + off)), 0.0)
            lower[t], upper[t] = down(v[t] - fall), up(v[t] + rise)
            lower[t][mdp.terminal] = upper[t][mdp.terminal] = 0.0
            if keep is not None and proven is not None:
                least = down(lower[t] - carried_rise)
                keep[t] = beyond.keep(self.sweeper.not_worse(v[t + 1], down(least - shared)), least)
                sure = _sure_before(self.sweeper, keep[t], chosen, sure)
                proven[t] = sure
        return Certificate(lower, upper, keep, proven, largest_width(lower, upper), middle=v)


def _sure_before(
    sweeper: Sweeper, keep: NDArray[np.bool_], chosen: NDArray[Any], after: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Mark the states whose action is proven best, and leads only to states that are sure one time step `after`."""
    mdp, sure = sweeper.mdp, sweeper.sole(keep, chosen)
    live = np.flatnonzero(~mdp.terminal)
    if live.size and not after.all():
        doubt = row_sums((edges(mdp) > 0) & ~after[mdp.next_state], mdp.row_ptr)
        sure[live] &= doubt[chosen[live]] == 0
    return sure
