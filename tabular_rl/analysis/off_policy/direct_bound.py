"""A bound for the direct method, which needs no behaviour: each pair by how often it was tried.

With the true values v of π, which are numbers and not random, and d̂ the discounted visits of π in the estimated model,

    Ĵ - J = Σ_s (d̂_0 - d_0)(s) v(s) + Σ_{s,a} d̂(s,a) [ r̂(s,a) + γ Σ_s' p̂(s'|s,a) v(s') - q(s,a) ]

Both brackets are means of independent numbers less what they are expected to be: n first states, and m(s,a) tries of a
pair, each worth r + γ v(s'). Hoeffding bounds them, whatever v is.
"""

from __future__ import annotations

import math

import numpy as np

from tabular_rl.analysis.off_policy.modelled import Modelled
from tabular_rl.analysis.off_policy.ranges import Pair
from tabular_rl.analysis.off_policy.sums import Sums
from tabular_rl.solving.sampling import Floats


def direct_bound(sums: Sums, rewards: Pair, level: float) -> Pair | None:
    """Return how far below and above the direct estimate J is at most, with probability `level` or more.

        ε_t(s,a) = H_t √( ln( 2 m (m + 1) / δ_j ) / 2m ),   δ_j = δ / (2 T j (j + 1))   for the j-th pair that was met

    m (m + 1) is for looking after any number of tries, j (j + 1) for pairs whose number is not known before, T for the
    times of a horizon; H_t is the width of r + γ v. Where nothing was tried, 0 stands for q, which lies in its range.
    The first states have the other half of δ = 1 - level.

    Parameters
    ----------
    sums : the log under the policy
    rewards : least and largest reward that there can be
    level : of the bound

    Returns
    -------
    What may be added to the estimate below and above; None where returns have no bound.
    """
    horizon, gamma = sums.horizon, sums.gamma
    if horizon is None and gamma >= 1:
        return None
    m = Modelled.of(sums, np.ones((1, sums.n)))
    low, high = min(rewards[0], 0.0), max(rewards[1], 0.0)
    T = horizon or 1
    left = (
        _series(gamma, np.arange(float(T), 0.0, -1.0)) if horizon is not None else np.array([1 / (1 - gamma)])
    )
    tries = np.bincount(sums.outcomes.keys[0], weights=sums.outcomes(m.c)[0], minlength=len(sums.rows))
    log = np.log(2 * tries * (tries + 1) * 2 * T * sums.met_as * (sums.met_as + 1) / (1 - level))
    each = np.sqrt(log / (2 * tries))
    occupied = m.occupied()
    if not all(np.isfinite(d).all() for d in occupied):
        return None
    pi = sums.pi if sums.pi.ndim == 2 else sums.pi[None]
    unknown = sums.unknown if sums.unknown.ndim == 2 else sums.unknown[None]
    far, missing = 0.0, 0.0
    for t, d in enumerate(occupied):
        here = min(t, len(pi) - 1)
        far += float(left[t]) * float((d[0, sums.row_state] * pi[here]) @ each)
        missing += float(left[t]) * float(d[0] @ unknown[here])
    first = float(left[0]) * (high - low) * math.sqrt(math.log(4 / (1 - level)) / (2 * sums.n))
    spread = far * (high - low) + first
    return spread - low * missing, spread + high * missing


def _series(gamma: float, steps: Floats) -> Floats:
    """Σ_{t < steps} γ^t."""
    found: Floats = steps if gamma >= 1 else (1 - gamma**steps) / (1 - gamma)
    return found
