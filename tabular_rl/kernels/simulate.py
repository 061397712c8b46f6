"""Episodes of a policy, many at a time."""

from __future__ import annotations

from tabular_rl.kernels._jit import kernel


@kernel
def play(
    pair_ptr,
    row_ptr,
    next_state,
    prob,
    reward,
    r,
    gamma,
    stop,
    rows,
    weight,
    time,
    uniforms,
    state,
    factor,
    steps,
    G,
):
    """G ← G + γ^t R_t for each episode e, from time `time` on, until it stops or its uniforms (n, m, 2) are used up.

    Each step takes two uniforms, whatever the policy: the first chooses the row, where rows[t, state] is -1 by
    weight[t], the second the outcome. `reward` (K,) is empty where rewards r (L,) belong to rows. The last row of
    `rows` and of `weight` holds from there on.
    """
    for e in range(len(state)):
        s = state[e]
        for k in range(uniforms.shape[1]):
            if stop[s]:
                break
            t = time + k
            i = rows[min(t, rows.shape[0] - 1), s]
            if i < 0:
                x = uniforms[e, k, 0]
                at = min(t, weight.shape[0] - 1)
                for j in range(pair_ptr[s], pair_ptr[s + 1]):
                    if weight[at, j] > 0.0:
                        i = j
                        x -= weight[at, j]
                        if x < 0.0:
                            break
            y = uniforms[e, k, 1]
            out = row_ptr[i]
            for j in range(row_ptr[i], row_ptr[i + 1]):
                # The rounding of a sum must not choose an outcome of probability 0.
                if prob[j] > 0.0:
                    out = j
                    y -= prob[j]
                    if y < 0.0:
                        break
            if len(reward) > 0:
                G[e] += factor[e] * reward[out]
            else:
                G[e] += factor[e] * r[i]
            factor[e] *= gamma
            steps[e] += 1
            s = next_state[out]
        state[e] = s
