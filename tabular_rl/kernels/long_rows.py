"""Rows that lead to a run of states, each the next after the last: rows of dense models above all.

Four rows that lead to the same run are added up side by side, so that none waits for its last addition, and values are
read without indices. Each sum has the order of storage, and so the bits of `row_value` in bellman.py.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import at, kernel


@kernel
def first_of_runs(row_ptr, next_state, run):
    """run(i) ← the first successor of row i where each of its successors is the next state after the last; else -1."""
    for i in range(len(run)):
        first, last = at(row_ptr[at(i)]), at(row_ptr[at(i + 1)])
        start = at(next_state[first])
        apart = at(next_state[last - at(1)]) ^ (start + (last - first - at(1)))
        if apart == 0:  # else the ends tell
            for k in range(last - first):
                apart |= at(next_state[first + k]) ^ (start + k)
        run[at(i)] = start if apart == 0 else -1


@kernel
def same_runs(row_ptr, run, i, last):
    """Whether the rows i to i + 3 are below `last`, and lead to the same run."""
    if i + 4 > last or run[at(i)] < 0:
        return False
    length = row_ptr[at(i + 1)] - row_ptr[at(i)]
    same = True
    for j in range(i + 1, i + 4):
        same = same and run[at(j)] == run[at(i)] and row_ptr[at(j + 1)] - row_ptr[at(j)] == length
    return same


@kernel
def run_sums(row_ptr, next_state, prob, run, v, first, last, out):
    """out(i) ← Σ p v(s') over the outcomes of row i, for the rows first ≤ i < last; out is of these alone."""
    i = first
    while i < last:
        a, n = at(row_ptr[at(i)]), i - first
        length = at(row_ptr[at(i + 1)]) - a
        if same_runs(row_ptr, run, i, last):
            b, c, d, start = a + length, a + length + length, a + length + length + length, at(run[at(i)])
            w = x = y = z = 0.0
            for k in range(length):
                value = v[start + k]
                w += prob[a + k] * value
                x += prob[b + k] * value
                y += prob[c + k] * value
                z += prob[d + k] * value
            out[n], out[n + 1], out[n + 2], out[n + 3] = w, x, y, z
            i += 4
        else:
            total = 0.0
            for k in range(a, a + length):
                total += prob[k] * v[next_state[k]]
            out[n] = total
            i += 1
