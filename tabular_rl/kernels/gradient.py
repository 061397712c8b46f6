"""Estimates of the policy gradient from whole episodes, of a model or given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import kernel


class Given(NamedTuple):
    """Steps (n,) of episodes that are given: row, whether it is the last, signal y, baseline b, and ratio ρ = π / b."""

    rows: NDArray[np.int64]
    last: NDArray[np.bool_]
    signal: NDArray[np.float64]
    baseline: NDArray[np.float64]
    ratio: NDArray[np.float64]


@kernel
def episode_estimates(
    pair_state, scores, whole, signal, decay, baseline, weight, rows, outcomes, last, psi, out
):
    """out[e] ← Σ_t weight^t Ψ_t scores[row_t] of each whole episode of steps (n,); return how many there are.

    Ψ_t = Y_t - baseline[t, s_t] with Y_t = signal[t, outcome_t] + decay Y_{t+1}, or Y_0 - baseline[0, 0] at all t where
    `whole`. The last row of `signal` and of `baseline` holds from there on. `psi` (n,) is room to work in.
    """
    first = 0
    e = 0
    for n in range(len(rows)):
        if not last[n]:
            continue
        Y = 0.0
        for m in range(n, first - 1, -1):
            t = m - first
            Y = signal[min(t, signal.shape[0] - 1), outcomes[m]] + decay * Y
            psi[m] = Y
        for j in range(out.shape[1]):
            out[e, j] = 0.0
        w = 1.0
        for m in range(first, n + 1):
            i = rows[m]
            if whole:
                change = Y - baseline[0, 0]
            else:
                change = w * (psi[m] - baseline[min(m - first, baseline.shape[0] - 1), pair_state[i]])
                w *= weight
            for j in range(out.shape[1]):
                out[e, j] += change * scores[i, j]
        e += 1
        first = n + 1
    return e


@kernel
def given_estimates(scores, given, whole, decay, weight, decided, psi, out, product):
    """out[e] ← Σ_t weight^t Ψ_t scores[row_t] of each whole episode, product[e] ← Π_t ρ_t; return how many there are.

    Ψ_t = Y_t - b_t with Y_t = y_t + decay Y_{t+1}, or Y_0 - b_t at all t where `whole`. Where `decided`, each y_k
    counts with ρ_0 ··· ρ_max(k,t) and b_t with ρ_0 ··· ρ_t: ratios up to the last decision that a term depends on.
    """
    first = 0
    e = 0
    for n in range(len(given.rows)):
        if not given.last[n]:
            continue
        Y = 0.0
        for m in range(n, first - 1, -1):
            Y = given.signal[m] + decay * Y
            if decided:
                Y *= given.ratio[m]
            psi[m] = Y
        for j in range(out.shape[1]):
            out[e, j] = 0.0
        before = 1.0  # the ratios of the steps before t, where they count
        past = 0.0  # Σ_{k<t} decay^k y_k
        power = 1.0
        w = 1.0
        product[e] = 1.0
        for m in range(first, n + 1):
            product[e] *= given.ratio[m]
            now = before * given.ratio[m] if decided else before
            if whole:
                change = now * (past - given.baseline[m]) + power * before * psi[m]
                past += power * given.signal[m]
                power *= decay
            else:
                change = w * (before * psi[m] - now * given.baseline[m])
                w *= weight
            before = now
            for j in range(out.shape[1]):
                out[e, j] += change * scores[given.rows[m], j]
        e += 1
        first = n + 1
    return e
