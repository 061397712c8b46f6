"""The estimators of off-policy evaluation, each in its equation.

n episodes of a behaviour b; ρ_t = π(a_t|s_t) / b(a_t|s_t), and ρ_{0:t} = ρ_0 ρ_1 ... ρ_t. An episode that has ended
keeps its weight and earns nothing more. In every formula an episode may count c_i times instead of once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tabular_rl.analysis.off_policy.modelled import DENSE, Modelled, adder
from tabular_rl.analysis.off_policy.sums import Sums
from tabular_rl.solving.sampling import Floats


@dataclass(frozen=True, eq=False)
class Weighed:
    """Sums under some weightings c (B, n), each made when an estimator asks for it."""

    sums: Sums
    c: Floats

    @cached_property
    def n(self) -> Floats:
        """How many episodes count (B,)."""
        found: Floats = self.c.sum(axis=1)
        return found

    @cached_property
    def rewards(self) -> Floats:
        """Σ_i γ^t ρ_{0:t} r_t of each step (B, T)."""
        return self.sums.rewards(self.c)

    @cached_property
    def norm(self) -> Floats:
        """Σ_i ρ_{0:t} of each step (B, T), ended episodes included."""
        found = self.sums.alive(self.c)
        ended = self.sums.ended
        late = np.zeros_like(found)
        late[:, ended.keys[0]] = ended(self.c)
        return found + np.cumsum(late, axis=1)

    @cached_property
    def modelled(self) -> Modelled:
        """The model that is estimated from the log, and what the policy is worth in it."""
        return Modelled.of(self.sums, self.c)


def ordinary(w: Weighed) -> Floats:
    """Return importance sampling of whole episodes (B,).

        Ĵ = 1/n Σ_i ρ_{0:l-1} Σ_t γ^t r_t

    Unbiased. Precup, Sutton & Singh (2000); Sutton & Barto (2018), equation 5.5.
    """
    found: Floats = w.c @ (w.sums.whole * w.sums.G) / w.n
    return found


def weighted(w: Weighed) -> Floats:
    """Return weighted importance sampling of whole episodes (B,).

        Ĵ = Σ_i ρ_{0:l-1} Σ_t γ^t r_t  /  Σ_i ρ_{0:l-1}

    Biased, consistent; never outside the returns that were seen. NaN where all weights are 0. Sutton & Barto (2018),
    equation 5.6.
    """
    found: Floats = w.c @ (w.sums.whole * w.sums.G) / (w.c @ w.sums.whole)
    return found


def per_decision(w: Weighed) -> Floats:
    """Return per-decision importance sampling (B,): a reward has no weight of decisions that come after it.

        Ĵ = 1/n Σ_i Σ_t γ^t ρ_{0:t} r_t

    Unbiased. Precup, Sutton & Singh (2000), section 3; Sutton & Barto (2018), section 5.9.
    """
    found: Floats = w.c @ w.sums.per_decision / w.n
    return found


def weighted_per_decision(w: Weighed) -> Floats:
    """Return weighted per-decision importance sampling (B,).

        Ĵ = Σ_t γ^t  Σ_i ρ_{0:t} r_t / Σ_i ρ_{0:t}

    Biased, consistent. NaN where all weights of a step are 0. Thomas (2015), Safe Reinforcement Learning, section 3.10:
    "consistent weighted per-decision importance sampling".
    """
    found: Floats = (w.rewards / w.norm).sum(axis=1)
    return found


def direct(w: Weighed) -> Floats:
    """Return the direct method (B,): the value of π in the model that is estimated from the log.

        v̂(s) = Σ_a π(a|s) q̂(s,a),   q̂(s,a) = r̂(s,a) + γ Σ_s' p̂(s'|s,a) v̂(s'),   Ĵ = 1/n Σ_i v̂(s_0)

    solved as a system of equations, or step by step up to the horizon; p̂ and r̂ are shares and means. It needs no b.
    What the log knows nothing of counts 0. Sutton & Barto (2018), 6.3; Jiang & Li (2016), section 3.1.
    """
    m = w.modelled
    found: Floats = np.einsum("bs,bs->b", m.start, m.v_at(0)) / w.n
    return found


def doubly_robust(w: Weighed) -> Floats:
    """Return the doubly robust estimator (B,), with q̂ and v̂ of the direct method from the same log.

        V_t = v̂(s_t) + ρ_t (r_t + γ V_{t+1} - q̂(s_t,a_t)),   Ĵ = 1/n Σ_i V_0

    V after the end is 0, and v̂ after a cut. Jiang & Li (2016), equation 10. It is computed in its sum,
    Σ_t γ^t ρ_{0:t} (r_t - q̂(s_t,a_t)) + Σ_t γ^t ρ_{0:t-1} v̂(s_t).
    """
    m = w.modelled
    total = w.rewards.sum(axis=1) - m.at_rows.sum(axis=1) + m.at_states.sum(axis=1)
    found: Floats = total / w.n
    return found


def weighted_doubly_robust(w: Weighed) -> Floats:
    """Return the weighted doubly robust estimator (B,).

        Ĵ = Σ_i Σ_t γ^t [ w_t (r_t - q̂(s_t,a_t)) + w_{t-1} v̂(s_t) ],   w_t = ρ_{0:t} / Σ_i ρ_{0:t},   w_{-1} = 1/n

    Where all weights of a step are 0, w_t is: what follows counts by its estimated value. Thomas & Brunskill (2016),
    section 4.
    """
    m, sums = w.modelled, w.sums
    norm = np.concatenate([w.n[:, None], w.norm], axis=1)  # of t - 1
    rows, states = sums.at_rows.keys[0], sums.at_states.keys[0]
    total = (
        _over(w.rewards, w.norm).sum(axis=1)
        - _over(m.at_rows, norm[:, rows + 1]).sum(axis=1)
        + _over(m.at_states, norm[:, states]).sum(axis=1)
    )
    found: Floats = total
    return found


def marginalized(w: Weighed) -> Floats:
    """Return marginalized importance sampling (B,): the ratio of where π and b are at each step, times one ρ.

        Ĵ = Σ_t γ^t Σ_s d̂_t(s) Σ_{i: s_t = s} ρ_t r_t / n_t(s),
        d̂_{t+1}(s') = Σ_s d̂_t(s) Σ_{i: s_t = s, s_{t+1} = s'} ρ_t / n_t(s),   d̂_0(s) = n_0(s) / n

    n_t(s) counts the episodes that are in s at step t, so that n d̂_t(s) / n_t(s) is the ratio of the state. The weight
    is no product over steps. Xie, Ma & Wang (2019), equations 3 to 5.
    """
    sums, S = w.sums, w.sums.S
    B = len(w.c)
    d = np.zeros((B, S))
    d[:, sums.begins.keys[0]] = sums.begins(w.c) / w.n[:, None]
    visits, gains, moves = sums.visits(w.c), sums.gains(w.c), sums.moves(w.c)
    at, seen = sums.visits.keys
    when, out, into = sums.moves.keys
    cuts, jumps = np.searchsorted(at, np.arange(sums.T + 1)), np.searchsorted(when, np.arange(sums.T + 1))
    total = np.zeros(B)
    for t in range(sums.T):
        if sums.gamma**t == 0.0:
            break  # nothing counts any more
        here, go = slice(cuts[t], cuts[t + 1]), slice(jumps[t], jumps[t + 1])
        share = np.zeros((B, S))
        share[:, seen[here]] = _over(d[:, seen[here]], visits[:, here])
        total += sums.gamma**t * (share[:, seen[here]] * gains[:, here]).sum(axis=1)
        flow = share[:, out[go]] * moves[:, go]
        inside = into[go] >= 0
        d = flow[:, inside] @ adder(into[go][inside], S)
    return total


def occupancy(w: Weighed) -> Floats:
    """Return importance sampling by the ratio of discounted occupancies (B,), times one ρ.

        Ĵ = 1/n Σ_i Σ_t γ^t ω(s_t) ρ_t r_t,   ω(s) = d̂_π(s) / d̂_b(s),
        d̂_π = (I - γ P̂_πᵀ)⁻¹ d̂_0,   d̂_b(s) = 1/n Σ_i Σ_t γ^t 1{s_t = s}

    with P̂_π of the direct method; up to the horizon where there is one. Liu, Li, Tang & Zhou (2018), with the ratio of
    the estimated model instead of one that is fitted.
    """
    sums, m = w.sums, w.modelled
    place = sums.stays.keys[0]
    found: Floats = (m.occupancy[:, place] * _over(sums.earned(w.c), sums.stays(w.c))).sum(axis=1)
    return found


def _over(x: Floats, y: Floats) -> Floats:
    """x / y, 0 where y is 0."""
    return np.divide(x, y, out=np.zeros(np.broadcast_shapes(x.shape, y.shape)), where=y != 0)


ESTIMATORS: dict[str, Callable[[Weighed], Floats]] = {
    "ordinary": ordinary,
    "weighted": weighted,
    "per-decision": per_decision,
    "weighted-per-decision": weighted_per_decision,
    "direct": direct,
    "doubly-robust": doubly_robust,
    "weighted-doubly-robust": weighted_doubly_robust,
    "marginalized": marginalized,
    "occupancy": occupancy,
}
AVERAGES = (
    "ordinary",
    "per-decision",
)  # means of independent, identically distributed numbers, an episode each
MODELLED = (
    "direct",
    "doubly-robust",
    "weighted-doubly-robust",
    "occupancy",
)  # of the model that is estimated
NUMBERS = 4e6  # in an array of the weightings that are looked at together


def estimates(sums: Sums, c: Floats, names: tuple[str, ...]) -> Floats:
    """Return the estimates (B, estimators) of a log whose episodes count c (B, n) times.

    Parameters
    ----------
    sums : the log under a policy
    c : weightings
    names : of estimators

    Returns
    -------
    (B, len(names)), NaN where an estimator has no value.
    """
    with np.errstate(all="ignore"):
        w = Weighed(sums, c)
        return np.stack([ESTIMATORS[name](w) for name in names], axis=1)


def batch(sums: Sums) -> int:
    """How many weightings are looked at together."""
    modelled = min(sums.S, DENSE) ** 2 if sums.horizon is None else sums.horizon * (sums.S + len(sums.rows))
    return max(1, int(NUMBERS // max(sums.n, modelled, len(sums.moves.keys[0]))))
