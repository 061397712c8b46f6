"""Solving x = b + γ P x of one chain by taking out one state after the other, one strongly connected part at a time.

A state that is taken out is replaced, in the rows that lead to it, by its way on: all numbers are sums and products of
positive ones, also 1 - γ p(s|s), which is what leaves s. So nothing cancels, however rarely a chain ends (Grassmann,
Taksar & Heyman 1985). The values only say where to look for a bound; nothing is claimed of them.

Parts have labels, and those that a part leads to are solved before it. States of label -1 keep the x that they have.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tabular_rl.kernels._jit import kernel

FEW = 64  # states of a part below which steps are counted as if it had so many


class Chain(NamedTuple):
    """The rows of a chain: outcomes begin(s) to end(s) are those of s; `lost` is 1 - γ."""

    begin: Any
    end: Any
    next_state: Any
    prob: Any
    gamma: Any
    lost: Any


class Entries(NamedTuple):
    """Room for the entries of a part: each is in a list of its row (`beside`) and of its column (`below`)."""

    row: Any
    column: Any
    value: Any
    below: Any
    beside: Any


class Heads(NamedTuple):
    """Of each state: its first entries, how many they are, what leaves the part; `place` (-1) finds a column."""

    row: Any
    column: Any
    degree: Any
    place: Any
    leave: Any


@kernel
def look_outside(chain, label, s, x):
    """Return what a step from s meets outside of its part, γ Σ p x(s'), and the weight that leaves the part."""
    met = 0.0
    leaves = chain.lost
    for k in range(chain.begin[s], chain.end[s]):
        s2 = chain.next_state[k]
        if label[s2] != label[s]:
            met += chain.gamma * chain.prob[k] * x[s2]
            leaves += chain.gamma * chain.prob[k]
    return met, leaves


@kernel
def list_parts(label, cuts, states):
    """states ← the states of part 0, of part 1 and so on; cuts ← where each begins and the last ends.

    States of label -1 are in none. Labels -2, -3 ... count from the last part: label(s) ← the part. Returns the size of
    the largest, 1 at least.
    """
    for part in range(len(cuts)):
        cuts[part] = 0
    for s in range(len(label)):
        if label[s] < -1:
            label[s] += len(cuts)
        if label[s] >= 0:
            cuts[label[s] + 1] += 1
    largest = 1
    for part in range(len(cuts) - 1):
        largest = max(largest, cuts[part + 1])
        cuts[part + 1] += cuts[part]
    for s in range(len(label) - 1, -1, -1):
        if label[s] >= 0:
            cuts[label[s] + 1] -= 1
            states[cuts[label[s] + 1]] = s
    for part in range(len(cuts) - 1):
        cuts[part] = cuts[part + 1]
    cuts[len(cuts) - 1] = len(states)
    return largest


@kernel
def link(entries, heads, size, s, s2, p):
    """Make entry number `size` the first one of row s and of column s2."""
    entries.row[size] = s
    entries.column[size] = s2
    entries.value[size] = p
    entries.beside[size] = heads.row[s]
    heads.row[s] = size
    entries.below[size] = heads.column[s2]
    heads.column[s2] = size
    heads.degree[s] += 1
    heads.degree[s2] += 1


@kernel
def clear_row(entries, heads, taken, s):
    """Unlink from row s what leads to states that are taken out; return the sum of the others."""
    total = 0.0
    last = -1
    e = heads.row[s]
    while e >= 0:
        after = entries.beside[e]
        if taken[entries.column[e]]:
            if last < 0:
                heads.row[s] = after
            else:
                entries.beside[last] = after
        else:
            total += entries.value[e]
            last = e
        e = after
    return total


@kernel
def add_row(entries, heads, s, i, p, size):
    """row(i) ← row(i) + p row(s), without a loop; return the number of entries, -1 where there is no room."""
    e = heads.row[i]
    while e >= 0:
        heads.place[entries.column[e]] = e
        e = entries.beside[e]
    e = heads.row[s]
    while e >= 0 and size >= 0:
        j = entries.column[e]
        if j != i:
            if heads.place[j] >= 0:
                entries.value[heads.place[j]] += p * entries.value[e]
            elif size < len(entries.row):
                link(entries, heads, size, i, j, p * entries.value[e])
                size += 1
            else:
                size = -1
        e = entries.beside[e]
    e = heads.row[i]
    while e >= 0:
        heads.place[entries.column[e]] = -1
        e = entries.beside[e]
    return size


@kernel
def take_out(entries, heads, taken, s, size, x):
    """Put the way on of s in place of s in all rows that lead to it; return the number of entries, -1 if it is full.

    Before, x(s), leave(s) and the row of s are divided by what leaves s; where that is 0 there is no solution: -2.
    """
    out = clear_row(entries, heads, taken, s) + heads.leave[s]
    if not out > 0.0:
        return -2
    taken[s] = True
    x[s] /= out
    heads.leave[s] /= out
    e = heads.row[s]
    while e >= 0:
        entries.value[e] /= out
        heads.degree[entries.column[e]] -= 1
        e = entries.beside[e]
    into = heads.column[s]
    while into >= 0 and size >= 0:
        i = entries.row[into]
        if not taken[i]:
            p = entries.value[into]
            x[i] += p * x[s]
            heads.leave[i] += p * heads.leave[s]
            heads.degree[i] -= 1
            clear_row(entries, heads, taken, i)
            size = add_row(entries, heads, s, i, p, size)
        into = entries.below[into]
    return size


@kernel
def fill_part(chain, label, part, entries, heads, taken, x):
    """Link the entries inside of a part, x(s) ← b(s) + what s meets outside; return their number, -1: no room."""
    for s in part:
        heads.row[s] = -1
        heads.column[s] = -1
        heads.degree[s] = 0
        taken[s] = False
    size = 0
    for s in part:
        met, heads.leave[s] = look_outside(chain, label, s, x)
        x[s] += met
        for k in range(chain.begin[s], chain.end[s]):
            s2 = chain.next_state[k]
            if label[s2] == label[s] and s2 != s and chain.prob[k] > 0.0:
                if size == len(entries.row):
                    return -1
                link(entries, heads, size, s, s2, chain.gamma * chain.prob[k])
                size += 1
    return size


@kernel
def is_crowded(entries, heads, taken, s, crowd):
    """Return whether a state that leads to s, and is not taken out, has more than `crowd` neighbours."""
    e = heads.column[s]
    while e >= 0:
        if not taken[entries.row[e]] and heads.degree[entries.row[e]] > crowd:
            return True
        e = entries.below[e]
    return False


@kernel
def take_out_more(limit, crowd, entries, heads, taken, waiting, order, progress, x):
    """Take out states of a part until none is left or `limit` steps are made; return the entries, or -1, -2 as above.

    `progress` is (states left, states taken out, the least degree, whether the last pass took any out, entries):
    waiting lists the first, order the second. States of the least degree go first: in each pass over the others those
    that have no more than the least degree met in the pass before. Those that a state of more than `crowd` neighbours
    leads to, whose row takes long to change, wait for the others.
    """
    left, done, least, easy, size = progress[0], progress[1], progress[2], progress[3] == 1, progress[4]
    while left > 0 and limit >= 0 and size >= 0:
        begun = done
        bound = least
        least = 2 * len(order)
        kept = 0
        limit -= left
        for at in range(left):
            s = waiting[at]
            near = size >= 0 and limit >= 0 and heads.degree[s] <= bound
            if near and not (easy and is_crowded(entries, heads, taken, s, crowd)):
                limit -= heads.degree[s] * heads.degree[s]
                size = take_out(entries, heads, taken, s, size, x)
                order[done] = s
                done += 1
            else:
                least = min(least, heads.degree[s])
                waiting[kept] = s
                kept += 1
        left = kept
        easy = done > begun
    progress[0], progress[1], progress[2], progress[3], progress[4] = left, done, least, int(easy), size
    return size


@kernel
def put_back(entries, heads, order, done, x):
    """x ← the solution in the first `done` states of the order in which they were taken out, the last one first."""
    for at in range(done - 1, -1, -1):
        s = order[at]
        e = heads.row[s]
        while e >= 0:
            x[s] += entries.value[e] * x[entries.column[e]]
            e = entries.beside[e]


@kernel
def list_rows(entries, heads, taken, states, ptr, column, value):
    """The rows between states that are not taken out, by their places in the list, as ptr, column and value.

    What leaves the part leads to one place more, where the value is 0. Return how many entries there are.
    """
    n = len(states)
    for i in range(n):
        heads.place[states[i]] = i
    size = 0
    for i in range(n):
        s = states[i]
        clear_row(entries, heads, taken, s)
        e = heads.row[s]
        while e >= 0:
            column[size] = heads.place[entries.column[e]]
            value[size] = entries.value[e]
            size += 1
            e = entries.beside[e]
        column[size] = n
        value[size] = heads.leave[s]
        size += 1
        ptr[i + 1] = size
    for i in range(n):
        heads.place[states[i]] = -1
    return size


@kernel
def solve_part(chain, label, part, limit, crowd, entries, heads, taken, waiting, order, progress, x):
    """x ← the solution in the states of one part, b at first; returns how many were taken out, or less than 0.

    `part` lists the states; `order` says in which order they went, `waiting` is room. -1: more than `limit` steps
    (`progress` says how far it came, and from there it can go on), or more entries than there is room for; -2: some
    state never leaves the part. Then x is spoilt there.
    """
    size = fill_part(chain, label, part, entries, heads, taken, x)
    for at in range(len(part)):
        waiting[at] = part[at]
    progress[0], progress[1], progress[2], progress[3], progress[4] = len(part), 0, 1, 1, size
    if size >= 0:
        size = take_out_more(limit, crowd, entries, heads, taken, waiting, order, progress, x)
    if size < 0:
        return size
    if progress[0] > 0:
        return -1
    put_back(entries, heads, order, progress[1], x)
    return progress[1]


@kernel
def solve_parts(chain, label, states, cuts, first, limit, crowd, entries, heads, taken, order, x):
    """x ← the solution of part after part, b at first, from part `first` on; returns the first one that is not solved.

    Part i holds states[cuts[i] : cuts[i + 1]]. More than `limit` steps a state, or one that never leaves: x is spoilt
    in the part returned.
    """
    for part in range(first, len(cuts) - 1):
        begin, end = cuts[part], cuts[part + 1]
        own = states[begin:end]
        if len(own) == 1:
            met, leaves = look_outside(chain, label, own[0], x)
            if not leaves > 0.0:
                return part
            x[own[0]] = (x[own[0]] + met) / leaves
        else:
            most = limit * max(len(own), FEW)
            waiting, gone, progress = order
            if (
                solve_part(chain, label, own, most, crowd, entries, heads, taken, waiting, gone, progress, x)
                < 0
            ):
                return part
    return len(cuts) - 1


@kernel
def solve_dense(A, leave, x):
    """x ← the solution of x = b + A x, b at first; `leave` is what is left of 1 in each row of A, which is spoilt.

    Returns False where some state never leaves. The diagonal of A is not looked at.
    """
    n = len(x)
    for k in range(n - 1, -1, -1):
        row, out = A[k], leave[k]
        for j in range(k):
            out += row[j]
        if not out > 0.0:
            return False
        x[k] /= out
        leave[k] /= out
        for j in range(k):
            row[j] /= out
        for i in range(k):
            above = A[i]
            p = above[k]
            if p > 0.0:
                x[i] += p * x[k]
                leave[i] += p * leave[k]
                for j in range(k):
                    above[j] += p * row[j]
    for k in range(n):
        row = A[k]
        for j in range(k):
            x[k] += row[j] * x[j]
    return True


@kernel
def sweep_part(chain, states, first, last, step, b, x):
    """x(s) ← b(s) + γ Σ p x(s') solved for x(s), in turn; returns the largest change, times what leaves the state."""
    worst = 0.0
    for at in range(first, last, step):
        s = states[at]
        met = b[s]
        leaves = chain.lost
        for k in range(chain.begin[s], chain.end[s]):
            s2 = chain.next_state[k]
            if s2 != s:
                met += chain.gamma * chain.prob[k] * x[s2]
                leaves += chain.gamma * chain.prob[k]
        change = met - leaves * x[s]
        x[s] += change / leaves
        worst = max(worst, abs(change))
    return worst
