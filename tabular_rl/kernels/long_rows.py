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
def same_runs(row_ptr, run, listed, n):
    """Whether four rows from place n of a list on lead to the same run."""
    if n + 4 > len(listed) or run[at(listed[at(n)])] < 0:
        return False
    i = at(listed[at(n)])
    length = row_ptr[i + at(1)] - row_ptr[i]
    same = True
    for m in range(n + 1, n + 4):
        j = at(listed[at(m)])
        same = same and run[j] == run[i] and row_ptr[j + at(1)] - row_ptr[j] == length
    return same


@kernel
def run_sums(row_ptr, next_state, prob, run, v, listed, out):
    """out(n) ← Σ p v(s') over the outcomes of the row listed(n)."""
    n = 0
    while n < len(listed):
        i = at(listed[n])
        a = at(row_ptr[i])
        length = at(row_ptr[i + at(1)]) - a
        if same_runs(row_ptr, run, listed, n):
            b, c, d = at(row_ptr[listed[n + 1]]), at(row_ptr[listed[n + 2]]), at(row_ptr[listed[n + 3]])
            start = at(run[i])
            w = x = y = z = 0.0
            for k in range(length):
                value = v[start + k]
                w += prob[a + k] * value
                x += prob[b + k] * value
                y += prob[c + k] * value
                z += prob[d + k] * value
            out[n], out[n + 1], out[n + 2], out[n + 3] = w, x, y, z
            n += 4
        else:
            total = 0.0
            for k in range(a, a + length):
                total += prob[k] * v[next_state[k]]
            out[n] = total
            n += 1
