"""Sweeps of the policy of the rows that are kept, which kept_rows.py finds, and samples of what would be kept.

`kept` and `width` are as there. `rows` is as in bellman.py, with run(i) in the place of its width: the first successor
of row i if its successors follow each other, else -1; it is read where `width` is empty.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import at, search_kernel
from tabular_rl.kernels.bellman import widened


@search_kernel
def whole_row_value(width, rows, i, v):
    """q = r(i) + γ Σ p v(s') of row i of the model."""
    row_ptr, next_state, prob, r, gamma, sign, run = rows
    first, last = at(row_ptr[at(i)]), at(row_ptr[at(i + 1)])
    expected = 0.0
    if len(width) > 0:
        if first + at(len(width)) <= at(len(prob)):
            for k in range(at(len(width))):
                # What stands behind the row is read too and left out, without a branch.
                x = prob[first + k] * v[next_state[first + k]]
                expected += x if first + k < last else 0.0
        else:
            for k in range(first, last):
                expected += prob[k] * v[next_state[k]]
    elif run[at(i)] >= 0:
        start = at(run[at(i)])
        for k in range(last - first):
            expected += prob[first + k] * v[start + k]
    else:
        for k in range(first, last):
            expected += prob[k] * v[next_state[k]]
    return sign * r[at(i)] + gamma * expected


@search_kernel
def kept_value(width, rows, kept, j, v):
    """q = r + γ Σ p v(s') of kept row j."""
    row, next_state, prob, r = kept[1], kept[3], kept[4], kept[5]
    if len(width) == 0:
        return whole_row_value(width, rows, row[at(j)], v)
    first, expected = at(j) * at(len(width)), 0.0
    for k in range(at(len(width))):
        expected += prob[first + k] * v[next_state[first + k]]
    return r[at(j)] + rows[4] * expected


@search_kernel
def sampled_gaps(width, pair_ptr, rows, v, first, step, change, gap):
    """For each `step`-th state from `first` on: change ← T v - v; gap ← max q - q of each row.

    Returns the number of gaps.
    """
    n = 0
    for j in range(len(change)):
        s = first + j * step
        best = 0.0
        start = n
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            gap[n] = whole_row_value(width, rows, i, v)
            if n == start or gap[n] > best:
                best = gap[n]
            n += 1
        for m in range(start, n):
            gap[m] = best - gap[m]
        change[j] = best - v[s]
    return n


@search_kernel
def kept_policy_backup(width, rows, kept, v, here, span, out):
    """out ← r + γ P v of the kept rows chosen in some states, those of kept's `chosen`, of `here` and of out."""
    chosen = kept[2]
    low, high = span[0], span[1]
    for s in range(len(out)):
        x = 0.0
        if chosen[at(s)] >= 0:
            x = kept_value(width, rows, kept, chosen[at(s)], v)
            low, high = widened(low, high, x - here[at(s)])
        out[at(s)] = x
    span[0], span[1] = low, high


@search_kernel
def pack_chosen(width, kept, packed):
    """Copy the chosen row of each state, one a state, to (next_state, prob, r); -1 is a row of nothing."""
    chosen, to, p, reward = kept[2], kept[3], kept[4], kept[5]
    next_state, prob, r = packed
    for s in range(len(chosen)):
        j = max(chosen[at(s)], 0)
        some = chosen[at(s)] >= 0
        there, here = at(j) * at(len(width)), at(s) * at(len(width))
        for k in range(at(len(width))):
            x, y = to[there + k], p[there + k]
            next_state[here + k] = x if some else s
            prob[here + k] = y if some else 0.0
        r[at(s)] = reward[at(j)] if some else 0.0


@search_kernel
def packed_policy_backup(width, next_state, prob, r, gamma, v, here, span, out):
    """out ← r + γ P v of rows that lie side by side, one a state; next_state, prob, r, `here` and out are of some."""
    low, high = span[0], span[1]
    for s in range(len(out)):
        first, expected = at(s) * at(len(width)), 0.0
        for k in range(at(len(width))):
            expected += prob[first + k] * v[next_state[first + k]]
        x = r[at(s)] + gamma * expected
        low, high = widened(low, high, x - here[at(s)])
        out[at(s)] = x
    span[0], span[1] = low, high
