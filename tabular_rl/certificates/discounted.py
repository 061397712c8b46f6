"""From a model, values and a policy to a proven interval: the only place where an error bound may be claimed.

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
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.intervals import enclosing
from tabular_rl.errors import NumericalError
from tabular_rl.model.graph.search import can_reach, edges, row_mask_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import NO_ROWS, Beyond, LargeRewards, U, down, geometric, shared_error, up
from tabular_rl.model.rows import row_sums
from tabular_rl.solving.run import Run
from tabular_rl.solving.solution import Certificate, Solution, Status, largest_width
from tabular_rl.solving.sweeps import Sweeper

Floats = NDArray[np.float64]


def check_arithmetic() -> None:
    """Raise NumericalError where floats are flushed to zero or not rounded to nearest: no bound would hold."""
    tiny, one, half_ulp = float("5e-324"), float("1"), float("1.1102230246251565e-16")
    small = float("2.2250738585072014e-308")
    kept = tiny * one == tiny and tiny != 0 and (small / 2) * 2 == small
    nearest = one + half_ulp == one and -one - half_ulp == -one and one + half_ulp * 1.5 > one
    if not (kept and nearest):
        raise NumericalError(
            "floating-point arithmetic is not the standard's (flush-to-zero or a rounding mode set by another "
            "library): nothing can be proven. Use --exact."
        )


class Certifier:
    """Certificates of one model: for v* (policy None), or for v_π of a given policy.

    `certificate(v)` costs one sweep for a discounted model; `decided` one more, and tells which actions are proven
    worse. `rows` is then the policy whose value the lower bound bounds.
    """

    def __init__(
        self,
        mdp: MDP,
        policy: Policy | None = None,
        *,
        sweeper: Sweeper | None = None,
        total: Any = None,
    ) -> None:
        check_arithmetic()
        mdp.validate()
        self.mdp, self.policy = mdp, policy
        self.sweeper = sweeper or Sweeper(mdp)
        self.ends = bool(mdp.terminal.any())
        self.rows: NDArray[Any] | None = None
        self.large = LargeRewards(mdp)
        self._plain: tuple[float, float] | None = None
        self.last: tuple[Floats, float, float, Beyond] | None = None
        self.total: Any = None
        if mdp.problem == "total-reward":
            from tabular_rl.certificates.total import TotalCertifier

            self.total = TotalCertifier(mdp, total, self.sweeper.of(mdp))

    def certificate(self, v: Floats, rows: NDArray[Any] | None = None, decide: bool = False) -> Certificate:
        """Return the proven interval from values v (S,), and for control from the policy `rows` (greedy if None)."""
        v = np.array(v, dtype=np.float64)
        v[self.mdp.terminal] = 0.0
        self.sweeper.check_finite(v, "in the answer")
        if self.total is not None:
            if self.policy is not None:
                return self.total.prediction(v, self.policy)
            certificate = self.total.control(v, rows)
            self.rows = self.total.rows
            return certificate
        if not self.ends:
            # Without terminal states a constant off v changes nothing but the size of the numbers, and with it E.
            v -= v.max() / 2 + v.min() / 2
        vmax = self.sweeper.norm(v)
        best, chosen = np.empty(self.mdp.S), np.empty(self.mdp.S, dtype=self.mdp.pair_ptr.dtype)
        if self.policy is not None:
            low, high = self.sweeper.policy(self.policy, v, best)
            kept = best
        else:
            low, high = self.sweeper.optimal(v, best, chosen)
            kept = best
            if rows is not None:
                kept = np.empty(self.mdp.S)
                low, _ = self.sweeper.policy(Policy(self.mdp, rows=rows), v, kept)
                chosen = rows
        self.sweeper.check_finite(best, "in one sweep")
        policy = self.policy or Policy.partial(self.mdp, rows=chosen)
        own, shared, beyond = self.errors(v, vmax, policy)
        alpha, beta = float(down(down(low) - own)), float(up(up(high) + shared))
        lower, upper = down(kept - own), up(best + shared)
        beta = max(beta, beyond.rise(v))
        wider = float(up(shared + beyond.lift(upper)))
        if self.ends:
            alpha, beta = min(alpha, 0.0), max(beta, 0.0)
        fall, rise = geometric(self.mdp, alpha, -math.inf), geometric(self.mdp, beta, math.inf)
        lower, upper = down(lower + fall), up(upper + rise)
        floor, ceiling = self.plain_bounds()
        np.maximum(lower, floor, out=lower)
        np.minimum(upper, ceiling, out=upper)
        lower[self.mdp.terminal] = upper[self.mdp.terminal] = 0.0
        widths = [float(up(x + geometric(self.mdp, x, math.inf))) for x in (own, wider)]
        smallest = float(up(sum(widths)))
        middle = best + (fall / 2 + rise / 2) if math.isfinite(fall) and math.isfinite(rise) else None
        certificate = Certificate(lower, upper, smallest=smallest, middle=middle)
        if self.policy is not None:
            return certificate
        self.rows, self.last = chosen, (v, shared, rise, beyond)
        return self.decided(certificate) if decide else certificate

    def errors(self, v: Floats, vmax: float, policy: Policy) -> tuple[float, float, Beyond]:
        """E of the backups of a policy, E of the rows that share one, and the rows that have their own.

        Where the value of a policy is asked for the first is all there is.
        """
        mdp, own = self.mdp, self.large.error(policy, vmax)
        if self.policy is not None:
            return own, own, NO_ROWS
        return own, shared_error(mdp, vmax), self.large.backed_up(self.sweeper, v, vmax)

    def noise(self, mdp: MDP, vmax: float) -> float:
        """E of the sweeps of a method over the model, or over its quotient: smaller changes tell nothing."""
        return shared_error(mdp, vmax) if self.policy is None else self.large.error(self.policy, vmax)

    def plain_bounds(self) -> tuple[float, float]:
        """min r / (1 - γ) and max r / (1 - γ), rounded outward: what no policy falls below or exceeds."""
        if self._plain is None:
            mdp = self.mdp
            ends = [float(np.min(mdp.r)), float(np.max(mdp.r))] if mdp.L else [0.0, 0.0]
            low, high = sorted(mdp.sign * x for x in ends)
            slack = float(up(mdp.facts.r_error + up(mdp.facts.largest_reward * 2 * U)))
            low, high = float(down(low - slack)), float(up(high + slack))
            if self.ends:
                low, high = min(low, 0.0), max(high, 0.0)
            self._plain = (
                float(down(low + geometric(mdp, low, -math.inf))),
                float(up(high + geometric(mdp, high, math.inf))),
            )
        return self._plain

    def decided(self, certificate: Certificate) -> Certificate:
        """Return the certificate made last with its decisions: the rows not proven worse, and the states from which
        the policy is proven optimal.

        q̂(s,a) + E + γ β / (1 - γ) < lower(s) proves q*(s,a) < v*(s).
        """
        if self.last is None or self.rows is None or certificate.keep is not None:
            return certificate
        v, error, rise, beyond = self.last
        least = down(certificate.lower - rise)
        keep = beyond.keep(self.sweeper.not_worse(v, down(least - error)), least)
        return replace(certificate, keep=keep, proven_optimal=proven_states(self.mdp, keep, self.rows))

    def finite(self, v: Floats, decide: bool = True) -> Certificate:
        """Return the interval of values v (T + 1, S): bounds accumulate backward, E_t = γ E_{t+1} + E."""
        mdp = self.mdp
        T = len(v) - 1
        v = np.array(v, dtype=np.float64)
        v[:T, mdp.terminal] = 0.0  # as above: a value there would prove itself
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
        best, chosen = np.empty(mdp.S), np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
        proven = np.zeros((T, mdp.S), dtype=bool) if keep is not None else None
        lower[T], upper[T] = down(v[T] - fall) if fall else v[T], up(v[T] + rise) if rise else v[T]
        sure = np.ones(mdp.S, dtype=bool)
        for t in range(T - 1, -1, -1):
            vmax = self.sweeper.norm(v[t + 1])
            if self.policy is not None:
                policy = self.policy.at(t) if self.policy.timed else self.policy
                self.sweeper.policy(policy, v[t + 1], best)
            else:
                self.sweeper.optimal(v[t + 1], best, chosen)
                policy = Policy.partial(mdp, rows=chosen)
            low, high = self.sweeper.span(best - v[t])
            own, shared, beyond = self.errors(v[t + 1], vmax, policy)
            g = float(up(mdp.gamma)) if mdp.gamma < 1 else 1.0
            # The error at t + 1 passes through the discounted average; the residual and E come on top.
            carried_fall, carried_rise = float(up(g * fall)), float(up(g * rise))
            off = max(float(up(shared + up(high))), beyond.rise(v[t]))
            fall = max(float(up(up(carried_fall + own) - down(low))), 0.0)
            rise = max(float(up(carried_rise + off)), 0.0)
            self.sweeper.check_finite(best, f"at time {t}")
            lower[t], upper[t] = down(v[t] - fall), up(v[t] + rise)
            lower[t][mdp.terminal] = upper[t][mdp.terminal] = 0.0
            if keep is not None and proven is not None:
                least = down(lower[t] - carried_rise)
                keep[t] = beyond.keep(self.sweeper.not_worse(v[t + 1], down(least - shared)), least)
                sure = _sure_before(mdp, keep[t], chosen, sure)
                proven[t] = sure
        return Certificate(lower, upper, keep, proven, largest_width(lower, upper), middle=v)


def proven_states(mdp: MDP, keep: NDArray[np.bool_], chosen: NDArray[Any]) -> NDArray[np.bool_]:
    """The states from which the policy meets only states whose other actions are all proven worse."""
    sure = _alone(mdp, keep, chosen)
    return sure if sure.all() else ~can_reach(mdp, ~sure, row_mask_of(mdp, chosen))


def _alone(mdp: MDP, keep: NDArray[np.bool_], chosen: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark the states whose chosen row is the only one that is kept, and the terminals."""
    sure, live = mdp.terminal.copy(), np.flatnonzero(~mdp.terminal)
    sure[live] = (row_sums(keep, mdp.pair_ptr)[live] == 1) & keep[chosen[live]]
    return sure


def _sure_before(
    mdp: MDP, keep: NDArray[np.bool_], chosen: NDArray[Any], after: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """The same one time step earlier: the action is proven best and leads only to states that are sure after."""
    sure, live = _alone(mdp, keep, chosen), np.flatnonzero(~mdp.terminal)
    if live.size and not after.all():
        doubt = row_sums((edges(mdp) > 0) & ~after[mdp.next_state], mdp.row_ptr)
        sure[live] &= doubt[chosen[live]] == 0
    return sure


def exact_certificate(
    values: Any,
    keep: NDArray[np.bool_] | None,
    shape: tuple[int, ...],
    proven: NDArray[np.bool_] | None = None,
) -> Certificate:
    """Enclose exact values (flat, in the sign of maximisation) in floats, tightly."""
    values = tuple(values)
    lower, upper = np.empty(len(values)), np.empty(len(values))
    try:
        for i, x in enumerate(values):
            lower[i], upper[i] = enclosing(x)
    except OverflowError:
        raise NumericalError("a value is larger than any float64") from None
    return Certificate(lower.reshape(shape), upper.reshape(shape), keep, proven, 0.0, values)


def conclude(
    run: Run,
    mdp: MDP,
    certificate: Certificate | None,
    *,
    task: str,
    policy: Policy | None,
    tolerance: float,
    v: Floats | None = None,
    relative: bool = False,
    stopped: str | None = None,
    extra: dict[str, Any] | None = None,
) -> Solution:
    """Return the Solution: what may be claimed follows from the certificate alone.

    `v` (in the sign of maximisation) is reported where nothing is proven; otherwise the midpoint of the interval.
    `stopped` is why the run ended early: "time", "signal" or "budget".
    """
    sign = mdp.sign
    lower = upper = None
    bound, note, moved, exact = math.inf, "", "", None
    if certificate is not None:
        note = certificate.note
        if np.isfinite(certificate.lower).all() and np.isfinite(certificate.upper).all():
            v = certificate.lower + (certificate.upper - certificate.lower) / 2
            if certificate.middle is not None:
                # Outward rounding moves the midpoint by a few last places: 2.0000000000000004 for 2.
                near = np.abs(certificate.middle - v) <= 4 * np.spacing(np.abs(v))
                v = np.where(near, certificate.middle, v)
            v = np.clip(v, certificate.lower, certificate.upper)
            half = np.maximum(certificate.upper - v, v - certificate.lower)
            bound = float(np.max(half, initial=0.0))
            bound = float(up(bound)) if bound else 0.0
        elif v is not None and certificate.exact is None:
            # Open on a side: the values are what the method found, and it may have found what is proven wrong.
            found, v = v, np.clip(v, certificate.lower, certificate.upper)
            moved = (
                ""
                if np.array_equal(found, v)
                else "values outside of their proven interval are moved to its end"
            )
        lower, upper = certificate.lower, certificate.upper
        if certificate.exact is not None:
            exact = tuple(x if sign > 0 else -x for x in certificate.exact)
            v = np.array([x.numerator / x.denominator for x in certificate.exact]).reshape(lower.shape)
            half = np.maximum(certificate.upper - v, v - certificate.lower)
            bound = float(np.max(half, initial=0.0))
    assert v is not None
    width = math.inf if certificate is None else certificate.width
    if exact is not None:
        status = Status.EXACT
    elif width <= allowed(tolerance, relative, v):
        status = Status.CERTIFIED
    elif stopped == "signal":
        status = Status.INTERRUPTED
    elif stopped == "time":
        status = Status.TIME_SPENT
    elif stopped == "budget" and (
        certificate is None or certificate.smallest <= allowed(tolerance, relative, v)
    ):
        status = Status.BUDGET_SPENT
    else:
        status = Status.FLOATS_SPENT
        least = width if stopped is None or certificate is None else certificate.smallest
        if math.isfinite(least) and not run.remarks:
            note = note or f"the smallest tolerance that can be proven here is about {1.05 * least:.1e}"

    note = "; ".join(filter(None, [*run.remarks, note]))

    def signed(array: Floats | None) -> Floats | None:
        if array is None:
            return None
        array = array if sign > 0 else -array
        # No -0.0 on the screen; in place where that is ours to do, since a copy of a large answer is felt.
        return np.add(array, 0.0, out=array if array.flags.writeable else None)

    if sign < 0:
        lower, upper = upper, lower
    shown = signed(np.array(v))
    assert shown is not None
    return Solution(
        mdp=mdp,
        v=shown,
        policy=policy,
        status=status,
        method=run.method,
        task=task,
        lower=signed(lower),
        upper=signed(upper),
        bound=bound,
        proven_optimal=None if certificate is None else certificate.proven_optimal,
        optimal_actions=None if certificate is None else certificate.keep,
        exact=exact,
        work=dict(run.work),
        history=tuple(run.history),
        options=dict(run.options),
        seconds=run.seconds,
        note="; ".join(filter(None, (note, moved))),
        extra=extra or {},
    )


def allowed(tolerance: float, relative: bool, v: Floats) -> float:
    """The width that is asked for: the tolerance, or its share of the largest |value|."""
    return tolerance * float(np.max(np.abs(v), initial=0.0)) if relative else tolerance
