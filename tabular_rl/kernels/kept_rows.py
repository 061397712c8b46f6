"""Backups over all rows that find those which can still be the best of their state, and backups over these alone.

Bounds are formed from what they return: rows that they leave out are proven worse (certificates/kept_rows.py).

`kept` is (ptr, row, chosen, next_state, prob, r): those of state s are ptr(s) ≤ j < ptr(s+1), row(j) is the row of the
model that j is, and chosen(s) the best j, -1 at terminals. Their outcomes are copied to lie side by side in next_state
and prob, filled up to one width: the length of the tuple `width`, which the compiler knows. Where rows are long `width`
is empty: rows are then listed, not copied. `rows` is as in bellman.py.
"""

from __future__ import annotations

import math

from tabular_rl.kernels._jit import at, kernel
from tabular_rl.kernels.bellman import row_value, widened


@kernel
def keep_row(width, rows, j, s, kept):
    """Copy the row of the model that kept row j of state s is; what is missing to the width has probability 0."""
    row, to, p, reward = kept[1], kept[3], kept[4], kept[5]
    row_ptr, next_state, prob, r, sign = rows[0], rows[1], rows[2], rows[3], rows[5]
    i, here = at(row[at(j)]), at(j) * at(len(width))
    start = at(row_ptr[i])
    length = at(row_ptr[i + at(1)]) - start
    if start + at(len(width)) <= at(len(prob)):
        for k in range(at(len(width))):
            x, y = next_state[start + k], prob[start + k]  # read without a branch
            to[here + k] = x if k < length else s
            p[here + k] = y if k < length else 0.0
    else:
        for k in range(at(len(width))):
            to[here + k] = next_state[start + k] if k < length else s
            p[here + k] = prob[start + k] if k < length else 0.0
    reward[at(j)] = sign * r[i]


@kernel
def best_near(pair_ptr, rows, v, s, least, work):
    """Look at the rows of state s with r ≥ least: how many they are, which of them is the best, and its value.

    Where there are none all rows of s are looked at. work is (q, near), with room for the rows of a state: near(j) is
    the j-th of them, and q(j) its value.
    """
    r, sign = rows[3], rows[5]
    q, near = work
    count = 0
    for i in range(pair_ptr[at(s)], pair_ptr[at(s + 1)]):
        # Without a branch, that could not be foreseen: it takes longer than what it saves.
        near[at(count)] = i
        count += 0 if sign * r[at(i)] < least else 1
    if count == 0:
        for i in range(pair_ptr[at(s)], pair_ptr[at(s + 1)]):
            near[at(count)] = i
            count += 1
    best = 0.0
    found = -1
    for j in range(count):
        x = row_value(rows, near[at(j)], v)
        q[at(j)] = x
        better = found < 0 or x > best
        best = x if better else best
        found = j if better else found
    return count, found, best


@kernel
def best_of_all(pair_ptr, rows, v, s, work):
    """The same of all rows of state s."""
    q, near = work
    first = pair_ptr[at(s)]
    count = pair_ptr[at(s + 1)] - first
    best = 0.0
    found = -1
    for j in range(count):
        x = row_value(rows, first + j, v)
        near[at(j)] = first + j
        q[at(j)] = x
        better = found < 0 or x > best
        best = x if better else best
        found = j if better else found
    return count, found, best


@kernel
def filtered_backup(width, pair_ptr, rows, v, first, last, limits, work, span, kept, out):
    """out(s) ← max_a q(s,a) with q = r + γ P v; keep the rows with max q - q ≤ delta, for delta = 0 the best alone.

    `limits` is (delta, most, least): most is at least γ P v of any row, and v(s) + least at most out(s), so that rows
    with r + most < v(s) + least - delta need not be read; with least = -inf all are. With delta < 0 no row is kept.
    Returns the number of rows kept up to here, or -1 where they had no room.
    """
    ptr, row, chosen = kept[0], kept[1], kept[2]
    delta, most, least = limits
    q, near = work
    low, high = span[0], span[1]
    n = ptr[at(first)]
    fits = delta >= 0.0
    above = least - max(delta, 0.0) - most
    for s in range(first, last):
        if above > -math.inf:
            count, found, best = best_near(pair_ptr, rows, v, s, v[at(s)] + above, work)
        else:
            count, found, best = best_of_all(pair_ptr, rows, v, s, work)
        if found >= 0:
            low, high = widened(low, high, best - v[at(s)])
        out[at(s)] = best
        fits = fits and n + count <= len(row)
        if fits:
            start = n
            kept_best = -1
            if delta > 0.0:
                for j in range(count):
                    row[at(n)] = near[at(j)]
                    kept_best = n if j == found else kept_best
                    n += 1 if j == found or best - q[at(j)] <= delta else 0
            elif found >= 0:
                row[at(n)] = near[at(found)]
                kept_best = n
                n += 1
            chosen[at(s)] = kept_best
            if len(width) > 0:
                for j in range(start, n):
                    keep_row(width, rows, j, s, kept)
            ptr[at(s + 1)] = n
    span[0], span[1] = low, high
    return n if fits else -1


@kernel
def sure_value(width, rows, kept, j, v):
    """q = r + γ Σ p v(s') of kept row j: of its copy, or where it stands in the model."""
    row, next_state, prob, r = kept[1], kept[3], kept[4], kept[5]
    if len(width) == 0:
        return row_value(rows, row[at(j)], v)
    first, expected = at(j) * at(len(width)), 0.0
    for k in range(at(len(width))):
        expected += prob[first + k] * v[next_state[first + k]]
    return r[at(j)] + rows[4] * expected


@kernel
def kept_backup(width, rows, kept, v, here, origin, span, moved, q, out):
    """out ← the best q = r + γ P v of the kept rows of some states; moved ← min, max of v - origin.

    ptr and chosen of `kept`, v itself (`here`), origin and out are those of these states alone.
    """
    ptr, chosen = kept[0], kept[2]
    low, high = span[0], span[1]
    down, up = moved[0], moved[1]
    for s in range(len(out)):
        best = 0.0
        found = -1
        for j in range(ptr[at(s)], ptr[at(s + 1)]):
            x = sure_value(width, rows, kept, j, v)
            q[at(j)] = x
            better = found < 0 or x > best
            best = x if better else best
            found = j if better else found
        if found >= 0:
            low, high = widened(low, high, best - here[at(s)])
        down, up = widened(down, up, here[at(s)] - origin[at(s)])
        chosen[at(s)] = found
        out[at(s)] = best
    span[0], span[1] = low, high
    moved[0], moved[1] = down, up


@kernel
def count_near(ptr, q, best, delta):
    """How many kept rows have best(s) - q ≤ delta."""
    n = 0
    for s in range(len(best)):
        for j in range(ptr[s], ptr[s + 1]):
            n += 1 if best[s] - q[j] <= delta else 0
    return n


@kernel
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
