"""Rows packed by kinds: each state has its next places, and each row is one of a few lists of weights and a reward.

What rows, places and weights are says search_ordered.py.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import search_kernel

SLOTS = 1024  # a power of 2, so that the rest of a division is a mask


@search_kernel
def position(next_place, begin, used, t):
    """Where among the `used` places from `begin` on t stands; `used` where it does not."""
    j = 0
    while j < used and next_place[begin + j] != t:
        j += 1
    return j


@search_kernel
def write_row(width, rows, s, i, place, begin, used, next_place, known, size):
    """Write row i of state s behind the kinds that are known, by the `used` places from `begin` on and new ones.

    Returns how many places these are now, -1 where they would be more than `width` holds.
    """
    row_ptr, next_state, prob, r, gamma, sign = rows
    weight, reward = known
    start = size * len(width)
    for k in range(len(width)):
        weight[start + k] = 0.0
    others = 0.0
    loops = 0.0
    for k in range(row_ptr[i], row_ptr[i + 1]):
        if next_state[k] != s:
            j = position(next_place, begin, used, place[next_state[k]])
            if j == len(width):
                return -1
            next_place[begin + j] = place[next_state[k]]
            used = max(used, j + 1)
            weight[start + j] += prob[k]
            others += prob[k]
        else:
            loops += prob[k]
    d = (1.0 - gamma) + gamma * others
    if d <= 0.0:  # the row never leaves, as far as floats can tell
        j = position(next_place, begin, used, place[s])
        if j == len(width):
            return -1
        next_place[begin + j] = place[s]
        used = max(used, j + 1)
        weight[start + j] = loops
        d = 1.0
    for k in range(len(width)):
        weight[start + k] *= gamma / d
    reward[size] = sign * r[i] / d
    return used


@search_kernel
def find_kind(width, known, slots, size):
    """Return the kind of the row that is written behind `size` kinds: one of these, or `size`, put into `slots`.

    `slots` (SLOTS,) has a kind, or -1, for each hash.
    """
    weight, reward = known
    start = size * len(width)
    slot = 0
    for k in range(len(width)):
        slot = (31 * slot + int(weight[start + k] * 1048576.0)) & (SLOTS - 1)
    while slots[slot] >= 0:
        same = reward[slots[slot]] == reward[size]
        for k in range(len(width)):
            same = same and weight[slots[slot] * len(width) + k] == weight[start + k]
        if same:
            return slots[slot]
        slot = (slot + 1) & (SLOTS - 1)
    slots[slot] = size
    return size


@search_kernel
def pack_kinds(width, pair_ptr, rows, place, to, first, last, next_place, kind, known, slots, size):
    """Write the next places of the states first ≤ s < last, and of which kind their rows are, from row to(s) on.

    `known` has the weights and rewards of the kinds, and room for one row more than there may be kinds. Returns the new
    number of kinds, -1 where there are too many, -2 where a state leads to more others than `width` holds.
    """
    for s in range(first, last):
        begin = place[s] * len(width)
        used = 0
        row = to[s]
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            used = write_row(width, rows, s, i, place, begin, used, next_place, known, size)
            if used < 0:
                return -2
            found = find_kind(width, known, slots, size)
            if found == size:
                if size + 1 == len(known[1]):
                    return -1
                size += 1
            kind[row] = found
            row += 1
        for k in range(used, len(width)):
            next_place[begin + k] = place[s]
    return size
