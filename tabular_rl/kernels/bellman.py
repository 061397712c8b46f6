"""Bellman backups over rows, a block of states at a time: every bound is formed from what these kernels return.

Everything is in the sign of maximisation: `sign` is +1 for rewards and -1 for costs, and v is already multiplied by
it. Terminal states have no rows and keep v = 0. Sums run in the order of storage, whatever the block, so that the
bits do not depend on how states are shared among threads. States are backed up from `first` towards `last` by `step`
(+1 or -1); `out` may be v itself: each new value is then used at once (Gauss-Seidel).

How rows are stored is the business of `row_value` and of the tuple `rows` that it opens: another storage is another
`row_value`. The last of `rows` is `width`, a tuple whose length no row exceeds, which the compiler knows; or an empty
one. Where lengths differ, a processor cannot foresee where a row ends: it reads `width` outcomes, and leaves out those
that stand behind the row, in half of the time.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import at, kernel


@kernel
def row_value(rows, i, v):
    """q = r(i) + γ Σ p v(s'), the backed-up value of row i: what is in `rows` is known here alone."""
    row_ptr, next_state, prob, r, gamma, sign, width = rows
    first, last = at(row_ptr[at(i)]), at(row_ptr[at(i + 1)])
    expected = 0.0
    if len(width) > 0 and first + at(len(width)) <= at(len(prob)):
        for k in range(at(len(width))):
            x = prob[at(first + k)] * v[next_state[at(first + k)]]
            expected += (
                x if first + k < last else 0.0
            )  # to add 0 changes no bit: no sum that began at 0 is -0
    else:
        for k in range(first, last):
            expected += prob[k] * v[next_state[k]]
    return sign * r[at(i)] + gamma * expected


@kernel
def widened(low, high, change):
    """The span [low, high] made to hold a change. NaN must not pass for a small one, and once there it stays."""
    if change < low or change != change:
        low = change
    if change > high or change != change:
        high = change
    return low, high


@kernel
def optimal_backup(pair_ptr, rows, v, first, last, step, span, chosen, out):
    """out(s) ← max_a [ r(s,a) + γ Σ p v(s') ]; chosen(s) its lowest row, or -1; span ← min, max of the changes.

    Only states with rows count in the span.
    """
    low, high = span[0], span[1]
    for s in range(first, last, step):
        best = 0.0
        found = -1
        for i in range(pair_ptr[at(s)], pair_ptr[at(s + 1)]):
            q = row_value(rows, i, v)
            better = found < 0 or q > best  # without a branch, which could not be foreseen
            best = q if better else best
            found = i if better else found
        if found >= 0:
            low, high = widened(low, high, best - v[at(s)])
        chosen[at(s)] = found
        out[at(s)] = best
    span[0], span[1] = low, high


@kernel
def chosen_backup(rows, chosen, v, first, last, step, span, out):
    """out(s) ← r(s,π(s)) + γ Σ p v(s') for the row chosen in each state (-1 at terminals)."""
    low, high = span[0], span[1]
    for s in range(first, last, step):
        q = 0.0
        i = chosen[s]
        if i >= 0:
            q = row_value(rows, i, v)
            low, high = widened(low, high, q - v[s])
        out[s] = q
    span[0], span[1] = low, high


@kernel
def mixed_backup(pair_ptr, rows, weight, v, first, last, step, span, out):
    """out(s) ← Σ_a π(a|s) [ r(s,a) + γ Σ p v(s') ] with weight (L,) = π(a|s)."""
    low, high = span[0], span[1]
    for s in range(first, last, step):
        total = 0.0
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            if weight[at(i)] != 0.0:
                total += weight[at(i)] * row_value(rows, i, v)
        if pair_ptr[s] < pair_ptr[s + 1]:
            low, high = widened(low, high, total - v[s])
        out[s] = total
    span[0], span[1] = low, high


@kernel
def row_backup(pair_ptr, rows, v, first, last, out):
    """out ← r(i) + γ Σ p v(s') for the rows i of states first ≤ s < last, the first row at out(0)."""
    start = pair_ptr[first]
    for i in range(start, pair_ptr[last]):
        out[at(i - start)] = row_value(rows, i, v)


@kernel
def row_changes(pair_ptr, rows, v, first, last, change, met):
    """change(i) ← r(i) + γ Σ p (v(s') - v(s)), met(i) ← γ Σ p |v(s') - v(s)|, for rows of states first ≤ s < last.

    What is rounded is the difference of two values, as small as it is, and not the values.
    """
    row_ptr, next_state, prob, r, gamma, sign, _ = rows
    for s in range(first, last):
        own = v[at(s)]
        for i in range(pair_ptr[at(s)], pair_ptr[at(s + 1)]):
            gained = 0.0
            moved = 0.0
            for k in range(row_ptr[at(i)], row_ptr[at(i + 1)]):
                x = prob[at(k)] * (v[next_state[at(k)]] - own)
                gained += x
                moved += abs(x)
            change[at(i)] = sign * r[at(i)] + gamma * gained
            met[at(i)] = gamma * moved


@kernel
def listed_backup(rows, listed, v, out):
    """out(j) ← r(i) + γ Σ p v(s') for the row i = listed(j)."""
    for j in range(len(listed)):
        out[j] = row_value(rows, listed[j], v)


@kernel
def full_backup(pair_ptr, rows, v, first, last, span, q, chosen, out):
    """q(i) ← r(i) + γ Σ p v(s') for the rows i of each s, out(s) ← their maximum, and the rest as in optimal_backup."""
    low, high = span[0], span[1]
    for s in range(first, last):
        best = 0.0
        found = -1
        for i in range(pair_ptr[at(s)], pair_ptr[at(s + 1)]):
            x = row_value(rows, i, v)
            q[at(i)] = x
            better = found < 0 or x > best
            best = x if better else best
            found = i if better else found
        if found >= 0:
            low, high = widened(low, high, best - v[at(s)])
        chosen[at(s)] = found
        out[at(s)] = best
    span[0], span[1] = low, high


@kernel
def best_paid(pair_ptr, r, sign, chosen):
    """chosen(s) ← the lowest row with the largest reward, which is T v where v = 0; -1 where there are none."""
    for s in range(at(len(chosen))):
        best = 0.0
        found = -1
        for i in range(pair_ptr[s], pair_ptr[s + at(1)]):
            x = sign * r[at(i)]
            better = found < 0 or x > best
            best = x if better else best
            found = i if better else found
        chosen[s] = found


@kernel
def copy_rows(listed, row_ptr, next_state, prob, r, ptr, to, chance, reward):
    """Copy the rows of a list side by side: to, chance and reward are those of row listed(j), from ptr(j) on."""
    k2 = at(0)
    ptr[0] = 0
    for j in range(at(len(listed))):
        i = at(listed[j])
        for k in range(at(row_ptr[i]), at(row_ptr[i + at(1)])):
            to[k2] = next_state[k]
            chance[k2] = prob[k]
            k2 += at(1)
        ptr[j + at(1)] = k2
        reward[j] = r[i]


@kernel
def not_below(pair_ptr, q, least, keep):
    """keep(i) ← q(i) ≥ least(s), for the rows i of each s."""
    for s in range(len(pair_ptr) - 1):
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            keep[at(i)] = q[at(i)] >= least[s]


@kernel
def sole_rows(pair_ptr, keep, chosen, sole):
    """sole(s) ← chosen(s) is the only row of s that is kept, or s has no rows."""
    for s in range(len(chosen)):
        kept = 0
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            if keep[at(i)]:
                kept += 1
        sole[s] = chosen[s] < 0 or (kept == 1 and keep[chosen[s]])
