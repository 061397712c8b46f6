"""Bellman backups over rows, a block of states at a time.

Everything is in the sign of maximisation: `sign` is +1 for rewards and -1 for costs, and v is already multiplied by
it. Terminal states have no rows and keep v = 0. Sums run in the order of storage, whatever the block, so that the
bits do not depend on how states are shared among threads. The inner loop stands in each kernel:
as a function of its own it was 1.25 times slower.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import kernel


@kernel
def optimal_backup(pair_ptr, row_ptr, next_state, prob, r, gamma, sign, v, first, last, span, rows, out):
    """out(s) ← max_a [ r(s,a) + γ Σ p v(s') ] for first ≤ s < last; rows(s) its lowest row; span ← min, max of out - v.

    Only states with rows count in the span.
    """
    low, high = span[0], span[1]
    for s in range(first, last):
        best = 0.0
        chosen = -1
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            expected = 0.0
            for k in range(row_ptr[i], row_ptr[i + 1]):
                expected += prob[k] * v[next_state[k]]
            q = sign * r[i] + gamma * expected
            if chosen < 0 or q > best:
                best = q
                chosen = i
        if chosen >= 0:
            change = best - v[s]
            # NaN must not pass for a small change, and once there it stays.
            if change < low or change != change:
                low = change
            if change > high or change != change:
                high = change
        rows[s] = chosen
        out[s] = best
    span[0], span[1] = low, high


@kernel
def optimal_backup_in_place(
    pair_ptr, row_ptr, next_state, prob, r, gamma, sign, first, last, step, span, rows, v
):
    """v(s) ← max_a [ r(s,a) + γ Σ p v(s') ] at once, for s from first towards last by step (+1 or -1)."""
    low, high = span[0], span[1]
    for s in range(first, last, step):
        best = 0.0
        chosen = -1
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            expected = 0.0
            for k in range(row_ptr[i], row_ptr[i + 1]):
                expected += prob[k] * v[next_state[k]]
            q = sign * r[i] + gamma * expected
            if chosen < 0 or q > best:
                best = q
                chosen = i
        if chosen >= 0:
            change = best - v[s]
            if change < low or change != change:
                low = change
            if change > high or change != change:
                high = change
            v[s] = best
        rows[s] = chosen
    span[0], span[1] = low, high


@kernel
def chosen_backup(row_ptr, next_state, prob, r, gamma, sign, rows, v, first, last, span, out):
    """out(s) ← r(s,π(s)) + γ Σ p v(s') for the row chosen in each state (-1 at terminals)."""
    low, high = span[0], span[1]
    for s in range(first, last):
        i = rows[s]
        if i < 0:
            out[s] = 0.0
            continue
        expected = 0.0
        for k in range(row_ptr[i], row_ptr[i + 1]):
            expected += prob[k] * v[next_state[k]]
        q = sign * r[i] + gamma * expected
        change = q - v[s]
        if change < low or change != change:
            low = change
        if change > high or change != change:
            high = change
        out[s] = q
    span[0], span[1] = low, high


@kernel
def chosen_backup_in_place(row_ptr, next_state, prob, r, gamma, sign, rows, first, last, step, span, v):
    """v(s) ← r(s,π(s)) + γ Σ p v(s') at once, for s from first towards last by step (+1 or -1)."""
    low, high = span[0], span[1]
    for s in range(first, last, step):
        i = rows[s]
        if i < 0:
            continue
        expected = 0.0
        for k in range(row_ptr[i], row_ptr[i + 1]):
            expected += prob[k] * v[next_state[k]]
        q = sign * r[i] + gamma * expected
        change = q - v[s]
        if change < low or change != change:
            low = change
        if change > high or change != change:
            high = change
        v[s] = q
    span[0], span[1] = low, high


@kernel
def mixed_backup(pair_ptr, row_ptr, next_state, prob, r, gamma, sign, weight, v, first, last, span, out):
    """out(s) ← Σ_a π(a|s) [ r(s,a) + γ Σ p v(s') ] with weight (L,) = π(a|s)."""
    low, high = span[0], span[1]
    for s in range(first, last):
        total = 0.0
        if pair_ptr[s] < pair_ptr[s + 1]:
            for i in range(pair_ptr[s], pair_ptr[s + 1]):
                if weight[i] == 0.0:
                    continue
                expected = 0.0
                for k in range(row_ptr[i], row_ptr[i + 1]):
                    expected += prob[k] * v[next_state[k]]
                total += weight[i] * (sign * r[i] + gamma * expected)
            change = total - v[s]
            if change < low or change != change:
                low = change
            if change > high or change != change:
                high = change
        out[s] = total
    span[0], span[1] = low, high


@kernel
def mixed_backup_in_place(
    pair_ptr, row_ptr, next_state, prob, r, gamma, sign, weight, first, last, step, span, v
):
    """v(s) ← Σ_a π(a|s) [ r(s,a) + γ Σ p v(s') ] at once, for s from first towards last by step (+1 or -1)."""
    low, high = span[0], span[1]
    for s in range(first, last, step):
        if pair_ptr[s] == pair_ptr[s + 1]:
            continue
        total = 0.0
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            if weight[i] == 0.0:
                continue
            expected = 0.0
            for k in range(row_ptr[i], row_ptr[i + 1]):
                expected += prob[k] * v[next_state[k]]
            total += weight[i] * (sign * r[i] + gamma * expected)
        change = total - v[s]
        if change < low or change != change:
            low = change
        if change > high or change != change:
            high = change
        v[s] = total
    span[0], span[1] = low, high


@kernel
def row_backup(pair_ptr, row_ptr, next_state, prob, r, gamma, sign, v, first, last, out):
    """out ← r(i) + γ Σ p v(s') for the rows i of states first ≤ s < last, the first row at out(0)."""
    start = pair_ptr[first]
    for i in range(start, pair_ptr[last]):
        expected = 0.0
        for k in range(row_ptr[i], row_ptr[i + 1]):
            expected += prob[k] * v[next_state[k]]
        out[i - start] = sign * r[i] + gamma * expected


@kernel
def listed_backup(row_ptr, next_state, prob, r, gamma, sign, listed, v, out):
    """out(j) ← r(i) + γ Σ p v(s') for the row i = listed(j)."""
    for j in range(len(listed)):
        i = listed[j]
        expected = 0.0
        for k in range(row_ptr[i], row_ptr[i + 1]):
            expected += prob[k] * v[next_state[k]]
        out[j] = sign * r[i] + gamma * expected
