"""Episodes of a policy that stays as it is: the one sampler of simulated returns, of gradients and of logs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.walk import Floats, draw, scan, search


class Decisions(NamedTuple):
    """What a policy does at each time, for kernels: its rows (T, S), -1 where it is random, and then `cum` (T, L)."""

    rows: NDArray[np.int64]
    cum: Floats


@kernel
def play(model, policy, steps, uniforms, state, clock, factor, G, rows, outcomes, last):
    """Walk on, n walks by m steps each: G ← G + γ^t R_t, and the rows, outcomes and ends of episodes (n, m).

    An episode ends in a terminal state and after `steps` steps (0: never). A step takes two uniforms: action and
    outcome. Where `uniforms` (n, m, 3) have a third one it starts the next episode; where they are (n, m, 2) the walk
    is over. `state` and `clock` (n,) go on from call to call, and so do `factor`, γ^t, and G, where they are (n,); rows
    are written where there is room. The policy takes its row of a state where that is not -1, else one by its `cum`;
    what it does at its last time holds from there on.
    """
    pair_ptr, next_state, reward = model.pair_ptr, model.next_state, model.reward
    for e in range(len(state)):
        s = state[e]
        t = clock[e]
        for k in range(uniforms.shape[1]):
            i = policy.rows[min(t, len(policy.rows) - 1), s]
            if i < 0:
                cum = policy.cum[min(t, len(policy.cum) - 1)]
                i = scan(cum, pair_ptr[s], pair_ptr[s + 1], uniforms[e, k, 0], False)
            out = draw(model, i, uniforms[e, k, 1])
            s = next_state[out]
            t += 1
            over = model.terminal[s] or t == steps
            if len(G) > 0:
                G[e] += factor[e] * (reward[out] if len(reward) > 0 else model.r[i])
                factor[e] *= model.gamma
            if rows.shape[1] > 0:
                rows[e, k] = i
                outcomes[e, k] = out
                last[e, k] = over
            if over:
                if uniforms.shape[2] == 2:
                    break
                t = 0
                s = search(model.start, uniforms[e, k, 2])
        state[e] = s
        clock[e] = t
