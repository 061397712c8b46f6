"""Passes over states in the order in which value flows: each after those that it leads to, but for ways that lead back.

Nothing here is proven: a chain is cut into parts, and better actions are looked for.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import kernel


@kernel
def split_first(order, begin, end, next_state, prob, number, label):
    """Tell apart states of a chain that lead to none that is left, in one pass along an order.

    Outcomes begin(s) to end(s) are those of s. number(s) is -1 for the states that are left, and at least 0 for others;
    label(s) ← 0, 1 ... and number(s) ← 0 for those told apart. Returns how many they are.
    """
    count = 0
    for at in range(len(order)):
        s = order[at]
        if number[s] < 0:
            alone = True
            for k in range(begin[s], end[s]):
                s2 = next_state[k]
                if number[s2] < 0 and s2 != s and prob[k] > 0.0:
                    alone = False
                    break
            if alone:
                number[s] = 0
                label[s] = count
                count += 1
    return count


@kernel
def split_last(order, begin, end, next_state, prob, number, into, label):
    """Tell apart states of a chain to which none that is left leads, in one pass against an order.

    All is as in `split_first`, but that label(s) ← -2, -3 ...; `into` is 0 at first.
    """
    for s in range(len(number)):
        if number[s] < 0:
            for k in range(begin[s], end[s]):
                if next_state[k] != s and prob[k] > 0.0:
                    into[next_state[k]] += 1
    count = 0
    for at in range(len(order) - 1, -1, -1):
        s = order[at]
        if number[s] < 0 and into[s] == 0:
            number[s] = 0
            label[s] = -2 - count
            count += 1
            for k in range(begin[s], end[s]):
                if next_state[k] != s and prob[k] > 0.0:
                    into[next_state[k]] -= 1
    return count


@kernel
def split(order, begin, end, next_state, prob, use, number, into, label):
    """Tell apart the states of a chain that are in use, first and last: see `split_first` and `split_last`.

    Where s is not, or is told apart by neither, label(s) ← -1. Returns how many are in use, and how many were told
    apart first and last.
    """
    size = 0
    for s in range(len(use)):
        number[s], into[s], label[s] = -1 if use[s] else 0, 0, -1
        size += 1 if use[s] else 0
    early = split_first(order, begin, end, next_state, prob, number, label)
    late = split_last(order, begin, end, next_state, prob, number, into, label) if early < size else 0
    return size, early, late


@kernel
def carry_back(order, pair_ptr, rows, noise, v, chosen):
    """Take the best row of each state in turn, where it is better than v(s) by more than noise; v(s) ← its value.

    A row is worth what it is to take it until it leaves its state. Returns the largest gain.
    """
    row_ptr, next_state, prob, r, gamma, sign = rows
    largest = 0.0
    for at in range(len(order)):
        s = order[at]
        best = v[s] + noise
        found = -1
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            met = sign * r[i]
            leaves = 1.0 - gamma
            for k in range(row_ptr[i], row_ptr[i + 1]):
                if next_state[k] != s:
                    met += gamma * prob[k] * v[next_state[k]]
                    leaves += gamma * prob[k]
            if leaves > 0.0 and met > best * leaves:
                best = met / leaves
                found = i
        if found >= 0:
            largest = max(largest, best - v[s])
            v[s] = best
            chosen[s] = found
    return largest
