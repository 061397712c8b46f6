"""What is recorded of a learner on the way: errors and best values, in one pass over the table of each run.

A run of many steps records some 100 times: with arrays made in between, as numpy makes them, that took three times as
long as learning on a model of 100,000 pairs.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.walk import highest


@kernel
def measure(table, truth, live, weights, out):
    """out[e] ← (max |x|, Σ w x²) of x = table[e] - truth where `live`; the sum is not finite where an x is not."""
    for e in range(len(table)):
        top = 0.0
        total = 0.0
        for j in range(len(truth)):
            if live[j]:
                x = abs(table[e, j] - truth[j])
                if x > top:
                    top = x
                total += weights[j] * (x * x)
        out[e, 0] = top
        out[e, 1] = total


@kernel
def best_values(q, pair_ptr, states, out):
    """out[e, k] ← max_a q[e](s,a) of s = states[k], 0 where it has no actions."""
    for e in range(len(q)):
        for k in range(len(states)):
            first = pair_ptr[states[k]]
            last = pair_ptr[states[k] + 1]
            out[e, k] = highest(q, e, first, last) if first < last else 0.0
