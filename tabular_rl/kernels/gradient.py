"""Estimates of the policy gradient from whole episodes."""

from __future__ import annotations

from tabular_rl.kernels._jit import kernel


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
