"""Rows packed by kinds: each state has its next places, and each row is one of a few lists of weights and a reward.

What rows, places and weights are says search_ordered.py.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import at, search_kernel

SLOTS = 1024  # a power of 2, so that the rest of a division is a mask


@search_kernel
def position(held, used, s):
    """Where among the first `used` states of `held` s is; `used` where it is not."""
    j = 0
    while j < used and held[at(j)] != s:
        j += 1
    return j


@search_kernel
def write_row(width, rows, s, i, held, used, known, size):
    """Write row i of state s behind the kinds that are known, by the first `used` states of `held` and new ones.

    Returns how many states these are now, -1 where they would be more than `width` holds.
    """
    row_ptr, next_state, prob, r, gamma, sign = rows
    weight, reward = known
    start = size * len(width)
    for k in range(len(width)):
        weight[at(start + k)] = 0.0
    others = 0.0
    loops = 0.0
    for k in range(row_ptr[i], row_ptr[i + 1]):
        s2, p = next_state[at(k)], prob[at(k)]
        if s2 != s:
            j = position(held, used, s2)
            if j == len(width):
                return -1
            held[at(j)] = s2
            used = max(used, j + 1)
            weight[at(start + j)] += p
            others += p
        else:
            loops += p
    d = (1.0 - gamma) + gamma * others
    if d <= 0.0:  # the row never leaves, as far as floats can tell
        j = position(held, used, s)
        if j == len(width):
            return -1
        held[j] = s
        used = max(used, j + 1)
        weight[start + j] = loops
        d = 1.0
    for k in range(len(width)):
        weight[at(start + k)] *= gamma / d
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
        slot = (31 * slot + int(weight[at(start + k)] * 1048576.0)) & (SLOTS - 1)
    while slots[slot] >= 0:
        same = reward[at(slots[slot])] == reward[size]
        for k in range(len(width)):
            same = same and weight[at(slots[slot] * len(width) + k)] == weight[at(start + k)]
        if same:
            return slots[slot]
        slot = (slot + 1) & (SLOTS - 1)
    slots[slot] = size
    return size


@search_kernel
def shifted(pair_ptr, rows, s):
    """Whether the rows of state s are those of the state before it, with each next state one further on."""
    row_ptr, next_state, prob, r = rows[0], rows[1], rows[2], rows[3]
    n = pair_ptr[s + 1] - pair_ptr[s]
    begin = pair_ptr[s] - n
    if begin != pair_ptr[s - 1]:
        return False
    start = row_ptr[pair_ptr[s]]
    before = row_ptr[begin]
    for i in range(begin, begin + n):
        if row_ptr[at(i + n + 1)] - row_ptr[at(i + 1)] != start - before or r[at(i + n)] != r[at(i)]:
            return False
    for k in range(before, start):
        later = at(k + start - before)
        if next_state[later] != next_state[at(k)] + 1 or prob[later] != prob[at(k)]:
            return False
    return True


@search_kernel
def write_state(width, pair_ptr, rows, s, row, kind, known, work, size):
    """Find the kinds of the rows of state s, from `row` on, and the states that they lead to, filled up with s.

    Returns the new number of kinds, -1 where there are too many, -2 where these states are more than `width` holds.
    """
    slots, held = work
    used = 0
    for i in range(pair_ptr[s], pair_ptr[s + 1]):
        used = write_row(width, rows, s, i, held, used, known, size)
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
        held[k] = s
    return size


@search_kernel
def pack_kinds(width, pair_ptr, rows, place, to, first, last, next_place, kind, known, work, size):
    """Write the next places of the states first ≤ s < last, and of which kind their rows are, from row to(s) on.

    `known` has the weights and rewards of the kinds, and room for one row more than there may be kinds. On grids most
    states have the kinds of the state before them, which takes a fifth of the time to see. `work` is slots, and room
    for the next states of a state. Returns as `write_state` does.
    """
    held = work[1]
    for s in range(first, last):
        if s > first and shifted(pair_ptr, rows, s):
            for j in range(pair_ptr[s + 1] - pair_ptr[s]):
                kind[at(to[s] + j)] = kind[at(to[s - 1] + j)]
            for k in range(len(width)):
                held[k] += 1
        else:
            size = write_state(width, pair_ptr, rows, s, to[s], kind, known, work, size)
            if size < 0:
                return size
        for k in range(len(width)):
            next_place[at(place[s] * len(width) + k)] = place[at(held[k])]
    return size
