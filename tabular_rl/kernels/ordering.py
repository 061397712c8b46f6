"""The order in which states are eliminated from linear systems, and the pattern of the factors: whole numbers alone.

In the graph of neighbours two states have an edge where any row of one leads to the other. To eliminate a state joins
those that are still its neighbours to each other, and these are its row of the upper factor. `outside` (S,) marks what
stands outside of the graph: terminals, and hubs, which very many states lead to. States are int32, pointers int64.
Lists of neighbours are (start, degree, room, pool): those of s are pool[start(s) : start(s) + degree(s)], with room for
room(s). Links are (head, after, before): the states of degree d follow from head(d) on, -1 is none.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import at, kernel


@kernel
def reach(pair_ptr, row_ptr, next_state, near, most, into, out_of, span):
    """span ← how far moves of up to `near` lead down and up in storage, and how many states longer moves lead to, from.

    `into` and `out_of` count long moves, from 0 on; moves to where `into` is -1 are left out. Return False where long
    moves lead from and to more than `most` states each: then no more is read.
    """
    down = up = targets = sources = 0
    for s in range(len(into)):
        for k in range(at(row_ptr[at(pair_ptr[at(s)])]), at(row_ptr[at(pair_ptr[at(s + 1)])])):
            s2 = next_state[k]
            move = s2 - s
            if into[at(s2)] >= 0:
                if -near <= move <= near:
                    down, up = max(down, -move), max(up, move)
                else:
                    if into[at(s2)] == 0:
                        targets += 1
                    if out_of[at(s)] == 0:
                        sources += 1
                    into[at(s2)] += 1
                    out_of[at(s)] += 1
                    if targets > most and sources > most:
                        return False
    span[0], span[1], span[2], span[3] = down, up, targets, sources
    return True


@kernel
def band(inner, down, up, upper_ptr, upper, lower_ptr, lower):
    """The pattern of states whose moves lead so far down and up; those from `inner` on have moves from and to all."""
    n = len(upper_ptr) - 1
    k = j = 0
    for t in range(n):
        for t2 in range(t + 1, min(t + up + 1, inner)):
            upper[k] = t2
            k += 1
        for t2 in range(max(t + 1, inner), n):
            upper[k] = t2
            k += 1
        for t2 in range(max(t - down, 0) if t < inner else 0, t):
            lower[j] = t2
            j += 1
        upper_ptr[t + 1], lower_ptr[t + 1] = k, j


@kernel
def successors(pair_ptr, row_ptr, next_state, states, seen, ptr, out):
    """out ← the distinct successors of each of the `states` other than itself; return how many, -1 beyond len(out).

    Those of states[j] begin at ptr[j]. `seen` (S,) is -1 at first.
    """
    n = 0
    for j in range(len(states)):
        s = states[j]
        seen[at(s)] = s
        for k in range(at(row_ptr[at(pair_ptr[at(s)])]), at(row_ptr[at(pair_ptr[at(s + 1)])])):
            s2 = next_state[k]
            if seen[at(s2)] != s:
                if n == len(out):
                    return -1
                seen[at(s2)] = s
                out[at(n)] = s2
                n += 1
        ptr[at(j + 1)] = n
    return n


@kernel
def neighbours(ptr, out, outside, seen, lists):
    """Fill the lists of neighbours from the successors of all states. `seen` is -1 and `degree` 0 at first."""
    start, degree, _, pool = lists
    for s in range(len(degree)):
        for k in range(at(ptr[at(s)]), at(ptr[at(s + 1)])):
            s2 = at(out[k])
            if not outside[at(s)] and not outside[s2]:
                pool[at(start[at(s)] + degree[at(s)])] = s2
                degree[at(s)] += 1
                pool[at(start[s2] + degree[s2])] = s
                degree[s2] += 1
    for s in range(len(degree)):
        n = start[at(s)]
        for k in range(at(n), at(n + degree[at(s)])):
            s2 = at(pool[k])
            if seen[s2] != s:
                seen[s2] = s
                pool[at(n)] = s2
                n += 1
        degree[at(s)] = n - start[at(s)]


@kernel
def link(links, s, d):
    """Put s before the other states of degree d."""
    head, after, before = links
    after[at(s)], before[at(s)] = head[at(d)], -1
    if head[at(d)] >= 0:
        before[at(head[at(d)])] = s
    head[at(d)] = s


@kernel
def unlink(links, s, d):
    """Take s from the states of degree d."""
    head, after, before = links
    if before[at(s)] < 0:
        head[at(d)] = after[at(s)]
    else:
        after[at(before[at(s)])] = after[at(s)]
    if after[at(s)] >= 0:
        before[at(after[at(s)])] = before[at(s)]


@kernel
def link_all(links, degree, outside):
    """Link the states of the graph by their degrees, the lowest state first."""
    for s in range(len(degree) - 1, -1, -1):
        if not outside[s]:
            link(links, s, degree[s])


@kernel
def join(lists, seen, s, s2, free):
    """Take s from the list of s2, add the other neighbours of s; return from where the pool is free, -1 if it is full.

    A list that outgrows its room moves to the end of the pool, where it gets twice what it needs.
    """
    start, degree, room, pool = lists
    seen[at(s2)] = s2
    begin = end = start[at(s2)]
    for k in range(begin, begin + degree[at(s2)]):
        s3 = pool[at(k)]
        if s3 != s:
            seen[at(s3)] = s2
            pool[at(end)] = s3
            end += 1
    first, last = at(start[at(s)]), at(start[at(s)] + degree[at(s)])
    count = end - begin
    for k in range(first, last):
        if seen[at(pool[k])] != s2:
            count += 1
    if count > room[at(s2)]:
        if free + 2 * count > len(pool):
            return -1
        for k in range(begin, end):
            pool[at(free + k - begin)] = pool[at(k)]
        end += free - begin
        start[at(s2)], room[at(s2)] = free, 2 * count
        free += 2 * count
    for k in range(first, last):
        if seen[at(pool[k])] != s2:
            pool[at(end)] = pool[k]
            end += 1
    degree[at(s2)] = count
    return free


@kernel
def least_degree(lists, links, seen, hubs, most, state, order, upper_ptr, upper):
    """order ← states by least degree, the last that was touched first; upper ← their neighbours by then, and the hubs.

    `state` is (states done, a degree that none is below, from where the pool is free); it goes on from there until
    `most` list entries are read. Return False where the pool or `upper` is full.
    """
    start, degree, _, pool = lists
    step, least, free = state[0], state[1], state[2]
    read = 0
    while step < len(order) and read < most:
        while links[0][at(least)] < 0:
            least += 1
        s = links[0][at(least)]
        unlink(links, s, least)
        n = upper_ptr[at(step)]
        if n + degree[at(s)] + len(hubs) > len(upper):
            return False
        for k in range(at(start[at(s)]), at(start[at(s)] + degree[at(s)])):
            s2 = pool[k]
            upper[at(n)] = s2
            n += 1
            read += degree[at(s)] + degree[at(s2)]
            unlink(links, s2, degree[at(s2)])
            free = join(lists, seen, s, s2, free)
            if free < 0:
                return False
            link(links, s2, degree[at(s2)])
            least = min(least, degree[at(s2)])
        for hub in hubs:
            upper[at(n)] = hub
            n += 1
        order[at(step)] = s
        step += 1
        upper_ptr[at(step)] = n
    state[0], state[1], state[2] = step, least, free
    return True


@kernel
def transpose(upper_ptr, upper, lower_ptr, lower):
    """lower ← the rows of the entries of each column, ascending; lower_ptr, which is 0 at first, ← where they begin."""
    n = len(upper_ptr) - 1
    for k in range(at(upper_ptr[at(n)])):
        lower_ptr[at(upper[k] + 1)] += 1
    for t in range(n):
        lower_ptr[at(t + 1)] += lower_ptr[at(t)]
    for t in range(n - 1, -1, -1):
        for k in range(at(upper_ptr[at(t)]), at(upper_ptr[at(t + 1)])):
            t2 = upper[k] + 1
            k2 = lower_ptr[at(t2)] - 1
            lower[at(k2)] = t
            lower_ptr[at(t2)] = k2
    for t in range(n):
        lower_ptr[at(t)] = lower_ptr[at(t + 1)]
    lower_ptr[at(n)] = upper_ptr[at(n)]
