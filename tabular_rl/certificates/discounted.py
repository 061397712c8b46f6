"""Proven intervals of discounted models: for v* and for v_π of a policy.

For any v and any π, with one backup computed in floating point, q̂, that is off by at most E(s,a):

    l(s) = q̂(s, π(s)) - E(s, π(s))         ≤ T_π v      α = min_s l(s) - v(s)      lower(s) = l(s) + γ α / (1 - γ)
    m(s) = max_a [ q̂(s,a) + E(s,a) ]       ≥ T v        β = max_s m(s) - v(s)      upper(s) = m(s) + γ β / (1 - γ)

then lower ≤ v_π ≤ v* ≤ upper, state by state (MacQueen 1966; Porteus 1971; Puterman 1994, Theorem 6.6.3). Where a
terminal state exists α is at most 0 and β at least 0, since its residual is 0. E(s,a) grows with the rewards of its
own row (rounding.py). Most rows share one E; those whose rewards stand out are backed up once more, with their own, so
that a penalty widens the interval only where it is taken. Everything that forms E, α, β, lower and upper is itself
rounded outward. All values here are in the sign of maximisation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.base import Certifier
from tabular_rl.certificates.certificate import Certificate, outward
from tabular_rl.model.clock import phase
from tabular_rl.model.graph.search import policy_can_reach
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import Beyond, U, down, geometric, up
from tabular_rl.model.rows import Floats
from tabular_rl.solving.sweeps import Backup


class DiscountedCertifier(Certifier):
    """Certificates of a discounted model: `certificate(v)` costs one sweep, `decided` one more."""

    last: tuple[Floats, float, float, Beyond] | None = None  # what decisions on actions are made from
    _limits: tuple[float, float] | None = None
    _checked: Floats | None = None

    @phase("proof")
    def certificate(self, v: Floats, rows: NDArray[Any] | None = None, decide: bool = False) -> Certificate:
        """Return the proven interval from values v (S,), and for control from the policy `rows` (greedy if None)."""
        v = self.checked(v)
        vmax = self.sweeper.norm(v)
        chosen = None
        if self.policy is not None:
            kept = best = np.empty(self.mdp.S)
            low, high = self.sweeper.policy(self.policy, v, best)
        else:
            v, q, best, chosen, low, high, _ = self._backup(v)
            kept = best
            if rows is not None:
                chosen, live = rows, rows >= 0
                kept = np.zeros(self.mdp.S)
                kept[live] = q[rows[live]]
                low, _ = self.sweeper.span(kept - v)
        if not (math.isfinite(low) and math.isfinite(high)):  # v is finite
            self.sweeper.check_finite(best, "in one sweep")
        policy = self.policy or Policy.partial(self.mdp, rows=chosen)
        own, shared, beyond = self.errors(v, vmax, policy)
        alpha, beta = float(down(down(low) - own)), float(up(up(high) + shared))
        beta, wider = max(beta, beyond.rise(v)), shared
        if self.ends:
            alpha, beta = min(alpha, 0.0), max(beta, 0.0)
        fall, rise = geometric(self.mdp, alpha, -math.inf), geometric(self.mdp, beta, math.inf)
        # The numbers are summed first, outward: one rounding a state.
        above, added = best, float(up(rise + shared))
        if len(beyond.rows):
            above, added = up(best + shared), rise
            wider = float(up(shared + beyond.lift(above)))
        ended = self.mdp.terminal if self.ends else None
        lower, upper, width = outward(kept, above, float(down(fall - own)), added, self.limits(), ended)
        widths = [float(up(x + geometric(self.mdp, x, math.inf))) for x in (own, wider)]
        smallest = float(up(sum(widths)))
        off = fall / 2 + rise / 2
        middle = best if math.isfinite(off) else None
        certificate = Certificate.of(lower, upper, smallest=smallest, middle=middle, off=off, width=width)
        if self.policy is not None:
            return certificate
        self.rows, self.last = chosen, (v, shared, rise, beyond)
        return self.decided(certificate) if decide else certificate

    def _backup(self, v: Floats) -> Backup:
        """One sweep over all rows, or over those that are kept where the others are proven worse at v."""
        if self.kept is not None and not self.sweeper.knows(v):
            self.sweeper.last = self.kept.backup(v)
        return self.sweeper.backup(v)

    def checked(self, v: Floats) -> Floats:
        """As its base says; without terminal states less a constant, which changes only the size of numbers, and E.

        Where that is a small part of them it would change nothing else, and cost a sweep where one from v was made.
        """
        if v is self._checked:
            return v
        v = np.asarray(v, dtype=np.float64)
        low, high = (math.nan, math.nan) if self.ends else self.sweeper.extent(v)
        middle = high / 2 + low / 2
        if not math.isfinite(middle):
            return super().checked(v)
        if abs(middle) > (high / 2 - low / 2) / 16:
            # Subtraction is monotonic, rounded or not.
            v, low, high = v - middle, low - middle, high - middle
        else:
            v = v.copy()
        self._checked = self.sweeper.keep(v, (low, high))
        return v

    def limits(self) -> tuple[float, float]:
        """The bounds min r / (1 - γ) and max r / (1 - γ), rounded outward: what no policy falls below or exceeds."""
        if self._limits is None:
            mdp = self.mdp
            low, high = self.sweeper.rewards()
            slack = float(up(mdp.facts.r_error + up(mdp.facts.largest_reward * 2 * U)))
            low, high = float(down(low - slack)), float(up(high + slack))
            if self.ends:
                low, high = min(low, 0.0), max(high, 0.0)
            self._limits = (
                (0.0, 0.0)
                if self.worth_nothing()
                else (
                    float(down(low + geometric(mdp, low, -math.inf))),
                    float(up(high + geometric(mdp, high, math.inf))),
                )
            )
        return self._limits

    @phase("proof")
    def decided(self, certificate: Certificate) -> Certificate:
        """Return the certificate made last, with its decisions.

        These are the rows that are not proven worse, and the states from which the policy is proven optimal:

        q̂(s,a) + E + γ β / (1 - γ) < lower(s) proves q*(s,a) < v*(s).
        """
        if self.last is None or self.rows is None or certificate.keep is not None:
            return certificate
        v, error, rise, beyond = self.last
        swept = self.sweeper.backup(v)
        if swept.spare < math.inf:
            # v* lies in the interval: is what was left out worse there too?
            off = float(
                up(up(float((certificate.upper - v).max())) - down(float((certificate.lower - v).min())))
            )
            if not float(up(float(up(self.mdp.gamma)) * off)) <= swept.spare:
                self.sweeper.last = None
        keep, sure = self.sweeper.decide(v, certificate.lower, float(up(rise + error)), self.rows)
        if len(beyond.rows):
            beyond.keep(keep, down(certificate.lower - rise))
            sure = self.sweeper.sole(keep, self.rows)
        if self.worth_nothing():
            return certificate.with_decisions(keep, np.ones(self.mdp.S, dtype=bool))
        return certificate.with_decisions(keep, proven_states(self.mdp, sure, self.rows))


def proven_states(mdp: MDP, sure: NDArray[np.bool_], chosen: NDArray[Any]) -> NDArray[np.bool_]:
    """The states from which the policy meets only states whose other actions are all proven worse.

    Parameters
    ----------
    mdp : the model
    sure : (S,) marks the states of whose rows the chosen one alone is not proven worse, and those without rows
    chosen : (S,) the row that the policy takes in each state, -1 at terminals

    Returns
    -------
    Mask (S,). Terminals are in it.
    """
    return sure if sure.all() else ~policy_can_reach(mdp, chosen, ~sure)
