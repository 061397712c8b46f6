"""Episodes of a policy that stays as it is, and the estimates of the policy gradient that they give."""

from __future__ import annotations

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.walk import scan, search


@kernel
def play_episodes(
    pair_ptr,
    row_ptr,
    next_state,
    cum,
    actions,
    start,
    end,
    steps,
    uniforms,
    state,
    clock,
    rows,
    outcomes,
    last,
):
    """Write the rows and outcomes (n,) of n steps, one episode after the other, and where an episode ends.

    An episode ends in a state of `end` and after `steps` steps (0: never). A step takes three uniforms (n, 3): action,
    outcome, start of the next episode. `state` (1,) and `clock` (1,) go on from call to call.
    """
    s = state[0]
    t = clock[0]
    for n in range(len(uniforms)):
        i = scan(actions, pair_ptr[s], uniforms[n, 0])
        k = scan(cum, row_ptr[i], uniforms[n, 1])
        rows[n] = i
        outcomes[n] = k
        s = next_state[k]
        t += 1
        last[n] = end[s] or t == steps
        if last[n]:
            t = 0
            s = search(start, uniforms[n, 2])
    state[0] = s
    clock[0] = t


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
