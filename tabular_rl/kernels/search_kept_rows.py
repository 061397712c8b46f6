"""Backups of those rows only that can still be the best of their state, and how these rows are found and kept.

`kept` is (ptr, row, chosen, next_state, prob, r): those of state s are ptr(s) ≤ j < ptr(s+1), row(j) is the row of the
model that j is, and chosen(s) the best j, -1 at terminals. Their outcomes are copied to lie side by side in next_state
and prob, filled up to one width: the length of the tuple `width`, which the compiler knows. Where rows are long `width`
is empty: rows are then listed, not copied. `rows` is as in bellman.py, with run(i) behind it: the first successor of
row i if its successors follow each other, else -1; it is read where `width` is empty.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import at, search_kernel
from tabular_rl.kernels.bellman import widened


@search_kernel
def first_of_runs(row_ptr, next_state, run):
    """run(i) ← the first successor of row i where each of its successors is the next state after the last; else -1."""
    for i in range(len(run)):
        first = row_ptr[i]
        start = next_state[first]
        apart = 0
        for k in range(first, row_ptr[i + 1]):
            apart += 1 if next_state[k] != start + (k - first) else 0
        run[i] = start if apart == 0 else -1


@search_kernel
def whole_row_value(width, rows, i, v):
    """q = r(i) + γ Σ p v(s') of row i of the model."""
    row_ptr, next_state, prob, r, gamma, sign, run = rows
    first, last = row_ptr[at(i)], row_ptr[at(i + 1)]
    expected = 0.0
    if len(width) > 0:
        if first + len(width) <= len(prob):
            for k in range(len(width)):
                # What stands behind the row is read too and left out, without a branch.
                x = prob[at(first + k)] * v[next_state[at(first + k)]]
                expected += x if k < last - first else 0.0
        else:
            for k in range(first, last):
                expected += prob[at(k)] * v[next_state[at(k)]]
    elif run[i] >= 0:
        start = run[i]
        for k in range(last - first):
            expected += prob[at(first + k)] * v[at(start + k)]
    else:
        for k in range(first, last):
            expected += prob[at(k)] * v[next_state[at(k)]]
    return sign * r[at(i)] + gamma * expected


@search_kernel
def kept_value(width, rows, kept, j, v):
    """q = r + γ Σ p v(s') of kept row j."""
    row, next_state, prob, r = kept[1], kept[3], kept[4], kept[5]
    if len(width) == 0:
        return whole_row_value(width, rows, row[j], v)
    expected = 0.0
    for k in range(len(width)):
        expected += prob[at(j * len(width) + k)] * v[next_state[at(j * len(width) + k)]]
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
def keep_row(width, rows, j, s, kept):
    """Copy the row of the model that kept row j of state s is; what is missing to the width has probability 0."""
    row, to, p, reward = kept[1], kept[3], kept[4], kept[5]
    row_ptr, next_state, prob, r, sign = rows[0], rows[1], rows[2], rows[3], rows[5]
    start = row_ptr[row[j]]
    length = row_ptr[row[j] + 1] - start
    if start + len(width) <= len(prob):
        for k in range(len(width)):
            x, y = next_state[at(start + k)], prob[at(start + k)]  # read without a branch
            to[at(j * len(width) + k)] = x if k < length else s
            p[at(j * len(width) + k)] = y if k < length else 0.0
    else:
        for k in range(len(width)):
            to[j * len(width) + k] = next_state[start + k] if k < length else s
            p[j * len(width) + k] = prob[start + k] if k < length else 0.0
    reward[j] = sign * r[row[j]]


@search_kernel
def best_near(width, pair_ptr, rows, v, s, least, work):
    """Look at the rows of state s with r ≥ least: how many they are, which of them is the best, and its value.

    work is (q, near), with room for the rows of a state: near(j) is the j-th of them, and q(j) its value.
    """
    r, sign = rows[3], rows[5]
    q, near = work
    count = 0
    for i in range(pair_ptr[s], pair_ptr[s + 1]):
        near[count] = i  # without a branch, that could not be foreseen: it takes longer than what it saves
        count += 0 if sign * r[i] < least else 1
    best = 0.0
    at = -1
    for j in range(count):
        q[j] = whole_row_value(width, rows, near[j], v)
        if at < 0 or q[j] > best:
            best = q[j]
            at = j
    return count, at, best


@search_kernel
def filtered_backup(width, pair_ptr, rows, v, first, last, limits, work, span, kept, out):
    """out(s) ← max_a q(s,a) with q = r + γ P v; keep the rows with max q - q ≤ delta, for delta = 0 the best alone.

    `limits` is (delta, most, least): most is at least γ P v of any row, and v(s) + least at most out(s), so that rows
    with r + most < v(s) + least - delta need not be read. With delta < 0 no row is kept. Returns the number of rows
    kept up to here, or -1 where they had no room.
    """
    ptr, row, chosen = kept[0], kept[1], kept[2]
    delta, most, least = limits
    q, near = work
    low, high = span[0], span[1]
    n = ptr[first]
    fits = delta >= 0.0
    above = least - max(delta, 0.0) - most
    for s in range(first, last):
        count, at, best = best_near(width, pair_ptr, rows, v, s, v[s] + above, work)
        if at >= 0:
            low, high = widened(low, high, best - v[s])
        out[s] = best
        fits = fits and n + count <= len(row)
        if fits:
            start = n
            chosen[s] = -1
            for j in range(count):
                row[n] = near[j]
                if j == at:
                    chosen[s] = n
                n += 1 if j == at or (delta > 0.0 and best - q[j] <= delta) else 0
            if len(width) > 0:
                for j in range(start, n):
                    keep_row(width, rows, j, s, kept)
            ptr[s + 1] = n
    span[0], span[1] = low, high
    return n if fits else -1


@search_kernel
def kept_backup(width, rows, kept, v, here, origin, span, moved, q, out):
    """out ← the best q = r + γ P v of the kept rows of some states; moved ← min, max of v - origin.

    ptr and chosen of `kept`, v itself (`here`), origin and out are those of these states alone.
    """
    ptr, chosen = kept[0], kept[2]
    low, high = span[0], span[1]
    down, up = moved[0], moved[1]
    for s in range(len(out)):
        best = 0.0
        at = -1
        for j in range(ptr[s], ptr[s + 1]):
            x = kept_value(width, rows, kept, j, v)
            q[j] = x
            if at < 0 or x > best:
                best = x
                at = j
        if at >= 0:
            low, high = widened(low, high, best - here[s])
        down, up = widened(down, up, here[s] - origin[s])
        chosen[s] = at
        out[s] = best
    span[0], span[1] = low, high
    moved[0], moved[1] = down, up


@search_kernel
def kept_policy_backup(width, rows, kept, v, here, span, out):
    """out ← r + γ P v of the kept rows chosen in some states, those of kept's `chosen`, of `here` and of out."""
    chosen = kept[2]
    low, high = span[0], span[1]
    for s in range(len(out)):
        x = 0.0
        if chosen[s] >= 0:
            x = kept_value(width, rows, kept, chosen[s], v)
            low, high = widened(low, high, x - here[s])
        out[s] = x
    span[0], span[1] = low, high


@search_kernel
def count_near(ptr, q, best, delta):
    """How many kept rows have best(s) - q ≤ delta."""
    n = 0
    for s in range(len(best)):
        for j in range(ptr[s], ptr[s + 1]):
            n += 1 if best[s] - q[j] <= delta else 0
    return n


@search_kernel
def thin_out(width, q, best, delta, kept):
    """Keep of the kept rows those with best(s) - q ≤ delta, the chosen among them."""
    ptr, row, chosen, next_state, prob, r = kept
    n = 0
    start = ptr[0]
    for s in range(len(best)):
        stop = ptr[s + 1]
        at = chosen[s]
        for j in range(start, stop):
            if best[s] - q[j] <= delta:
                if j == chosen[s]:
                    at = n
                row[n] = row[j]
                if len(width) > 0:
                    r[n] = r[j]
                for k in range(len(width)):
                    next_state[n * len(width) + k] = next_state[j * len(width) + k]
                    prob[n * len(width) + k] = prob[j * len(width) + k]
                n += 1
        chosen[s] = at
        start = stop
        ptr[s + 1] = n
