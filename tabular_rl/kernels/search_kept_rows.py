"""Sweeps of the policy of the rows that are kept, which kept_rows.py finds, and samples of what would be kept.

`kept` and `width` are as there. `rows` is as in bellman.py, with run(i) in the place of its width: the first successor
of row i if its successors follow each other, else -1; it is read where `width` is empty.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import at, search_kernel
from tabular_rl.kernels.bellman import widened
from tabular_rl.kernels.kept_rows import keep_row


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


@search_kernel
def coded(change, low, scale, code):
    """code(s) ← the whole number nearest to (change(s) - low) scale."""
    for s in range(len(code)):
        code[at(s)] = int((change[at(s)] - low) * scale + 0.5)


@search_kernel
def coarse_policy_backup(width, kept, code, steps, gamma, span, change, here):
    """change ← γ P (low + step code) for the kept rows chosen in some states, and v ← v + change.

    `steps` is (low, step); kept's `chosen`, change and v (`here`) are those of these states.
    """
    chosen, next_state, prob = kept[2], kept[3], kept[4]
    low, high = span[0], span[1]
    least, step = steps
    for s in range(len(change)):
        x = 0.0
        if chosen[at(s)] >= 0:
            first, expected = at(chosen[at(s)]) * at(len(width)), 0.0
            for k in range(at(len(width))):
                expected += prob[first + k] * code[next_state[first + k]]
            x = gamma * (least + step * expected)
            low, high = widened(low, high, x)
        change[at(s)] = x
        here[at(s)] += x
    span[0], span[1] = low, high


@search_kernel
def coded_row_value(width, rows, i, code, steps):
    """q = r + γ Σ p v(s') of row i of the model, with v = low + step code."""
    row_ptr, next_state, prob, r, gamma, sign = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
    first, last = at(row_ptr[at(i)]), at(row_ptr[at(i + 1)])
    expected = 0.0
    if first + at(len(width)) <= at(len(prob)):
        for k in range(at(len(width))):
            x = prob[first + k] * code[next_state[first + k]]  # read without a branch
            expected += x if first + k < last else 0.0
    else:
        for k in range(first, last):
            expected += prob[k] * code[next_state[k]]
    return sign * r[at(i)] + gamma * (steps[0] + steps[1] * expected)


@search_kernel
def best_coded_backup(width, pair_ptr, rows, code, steps, v, first, last, span, kept, out):
    """out(s) ← max_a q(s,a), q = r + γ P (low + step code), and keep the best row alone, of states first ≤ s < last.

    `steps` is (low, step). Copies are made of some 64 states in turn, while their rows are in the cache.
    """
    ptr, row, chosen = kept[0], kept[1], kept[2]
    low, high = span[0], span[1]
    n = ptr[at(first)]
    for begin in range(first, last, 64):
        end = min(begin + 64, last)
        for s in range(begin, end):
            best = 0.0
            found = -1
            for i in range(pair_ptr[at(s)], pair_ptr[at(s + 1)]):
                q = coded_row_value(width, rows, i, code, steps)
                better = found < 0 or q > best
                best = q if better else best
                found = i if better else found
            chosen[at(s)] = -1
            if found >= 0:
                low, high = widened(low, high, best - v[at(s)])
                row[at(n)] = found
                chosen[at(s)] = n
                n += 1
            out[at(s)] = best
            ptr[at(s + 1)] = n
        for s in range(begin, end):
            if chosen[at(s)] >= 0:
                keep_row(width, rows, chosen[at(s)], s, kept)
    span[0], span[1] = low, high
