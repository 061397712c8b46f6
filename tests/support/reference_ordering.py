"""Slow, obvious twins of kernels/ordering.py and kernels/search_elimination.py: sets, lists and dictionaries."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
from reference import row_value as backed_up

# -- twins of kernels/ordering.py -------------------------------------------------------------------------------------


def outcomes(pair_ptr, row_ptr, next_state, s):
    return [int(s2) for s2 in next_state[row_ptr[pair_ptr[s]] : row_ptr[pair_ptr[s + 1]]]]


def reach(pair_ptr, row_ptr, next_state, near, most, into, out_of, span):
    short, targets, sources = [0], set(), set()
    for s in range(len(into)):
        for s2 in outcomes(pair_ptr, row_ptr, next_state, s):
            if into[s2] < 0:
                continue
            if abs(s2 - s) <= near:
                short.append(s2 - s)
            else:
                targets.add(s2)
                sources.add(s)
                into[s2] += 1
                out_of[s] += 1
                if min(len(targets), len(sources)) > most:
                    return False
    span[:] = -min(short), max(short), len(targets), len(sources)
    return True


def band(inner, down, up, upper_ptr, upper, lower_ptr, lower):
    n, above, below = len(upper_ptr) - 1, [], []
    for t in range(n):
        above += [t2 for t2 in range(t + 1, n) if t2 >= inner or t2 - t <= up]
        below += [t2 for t2 in range(t) if t >= inner or t - t2 <= down]
        upper_ptr[t + 1], lower_ptr[t + 1] = len(above), len(below)
    upper[: len(above)], lower[: len(below)] = above, below


def successors(pair_ptr, row_ptr, next_state, states, seen, ptr, out):
    found = []
    for j, s in enumerate(states):
        new = list(dict.fromkeys(s2 for s2 in outcomes(pair_ptr, row_ptr, next_state, s) if s2 != s))
        if len(found) + len(new) > len(out):
            out[len(found) :] = new[: len(out) - len(found)]
            return -1
        out[len(found) : len(found) + len(new)] = new
        found += new
        ptr[j + 1] = len(found)
    return len(found)


def neighbours(ptr, out, outside, seen, lists):
    start, degree, _, pool = lists
    beside = defaultdict(dict)
    for s in range(len(degree)):
        for s2 in map(int, out[ptr[s] : ptr[s + 1]]):
            if not outside[s] and not outside[s2]:
                beside[s][s2] = beside[s2][s] = None
    for s, found in beside.items():
        degree[s] = len(found)
        pool[start[s] : start[s] + len(found)] = list(found)


def stacks_of(links):
    """The states of each degree, in order."""
    head, after, _ = links
    stacks = defaultdict(list)
    for d, s in enumerate(head):
        while s >= 0:
            stacks[d].append(int(s))
            s = after[s]
    return stacks


def least_degree(lists, links, seen, hubs, most, state, order, upper_ptr, upper):
    start, degree, room, pool = lists
    beside = [list(map(int, pool[start[s] : start[s] + degree[s]])) for s in range(len(start))]
    stacks, read = stacks_of(links), 0
    step, _, free = map(int, state)
    while step < len(order) and read < most:
        s = stacks[min(d for d, stack in stacks.items() if stack)].pop(0)
        row = [*beside[s], *hubs]
        n = int(upper_ptr[step])
        if n + len(row) > len(upper):
            return False
        for s2 in beside[s]:
            read += len(beside[s]) + len(beside[s2])
            stacks[len(beside[s2])].remove(s2)
            kept = [x for x in beside[s2] if x != s]
            beside[s2] = kept + [x for x in beside[s] if x != s2 and x not in kept]
            count = len(beside[s2])
            if count > room[s2]:
                if free + 2 * count > len(pool):
                    return False
                room[s2] = 2 * count
                free += 2 * count
            stacks[count].insert(0, s2)
        upper[n : n + len(row)] = row
        order[step] = s
        step += 1
        upper_ptr[step] = n + len(row)
    state[0], state[2] = step, free
    return True


def transpose(upper_ptr, upper, lower_ptr, lower):
    n = len(upper_ptr) - 1
    rows = [[t for t in range(n) if c in upper[upper_ptr[t] : upper_ptr[t + 1]]] for c in range(n)]
    lower[:] = [t for row in rows for t in row]
    lower_ptr[:] = np.cumsum([0, *map(len, rows)])


# -- twins of kernels/search_elimination.py ---------------------------------------------------------------------------


def left_of_row(rows, i, t, shift, pattern, factors):
    """What is left of row i, the t-th, when earlier states are put in: reward, leak and the weights of later ones."""
    row_ptr, next_state, prob, r, gamma, sign = rows
    _, place, upper_ptr, column, _, _ = pattern
    upper, right = factors[:2]
    weights = defaultdict(float)
    for k in range(row_ptr[i], row_ptr[i + 1]):
        weights[int(place[next_state[k]])] += gamma * float(prob[k])
    reward, leak = sign * float(r[i]) - shift, 1.0 - gamma + weights.pop(-1, 0.0)
    while min(weights, default=t) < t:
        t2 = min(weights)
        weight = weights.pop(t2)
        reward, leak = reward + weight * right[t2, 0], leak + weight * right[t2, 1]
        for k in range(upper_ptr[t2], upper_ptr[t2 + 1]):
            weights[int(column[k])] += weight * upper[k]
    weights.pop(t, None)
    return reward, leak, weights


def eliminate(pair_ptr, rows, pattern, first, last, shift, margin, v, work, gap, chosen, factors):
    order, _, upper_ptr, column, lower_ptr, earlier = pattern
    upper, right, made, new, spare = factors
    count = 0
    for t in range(first, last):
        s = order[t]
        own = int(chosen[s])
        before = earlier[lower_ptr[t] : lower_ptr[t + 1]]
        new[t] = margin < math.inf or made[t] != own or new[before].any()
        if not new[t]:
            continue
        left = {
            i: left_of_row(rows, i, t, shift, pattern, factors) for i in range(pair_ptr[s], pair_ptr[s + 1])
        }
        total = {i: leak + sum(weights.values()) for i, (_, leak, weights) in left.items()}
        worth = {
            i: (reward + sum(w * v[order[t2]] for t2, w in weights.items())) / total[i]
            for i, (reward, _, weights) in left.items()
        }
        best = max((i for i in left if i != own), key=lambda i: worth[i], default=own)
        if not worth[best] > worth[own] + margin:
            best = own
        reward, leak, weights = left[best]
        right[t] = reward / total[best], leak / total[best]
        entries = range(upper_ptr[t], upper_ptr[t + 1])
        for k in entries:
            upper[k] = weights[int(column[k])] / total[best]
        others = [i for i in left if i != own and margin < math.inf]
        if others:  # room, in which the row that was looked at last is left
            spare[: len(entries)] = [left[others[-1]][2][int(column[k])] for k in entries]
        made[t] = best
        if best != own:
            chosen[s], gap[s] = best, -math.inf
            count += 1
    return count


def substitute(pattern, first, last, factors, x, v):
    order, _, upper_ptr, column, _, _ = pattern
    upper, right = factors[:2]
    for t in reversed(range(first, last)):
        entries = range(upper_ptr[t], upper_ptr[t + 1])
        x[t] = right[t, 0] + sum(upper[k] * x[column[k]] for k in entries)
        v[order[t]] = x[t]


def count_better(q, best, margin, chosen):
    return sum(best[s] > q[i] + margin for s, i in enumerate(chosen) if i >= 0)


def exchange(pair_ptr, q, margin, gap, chosen):
    count = 0
    for s in np.flatnonzero(chosen >= 0).tolist():
        others = {i: q[i] for i in range(pair_ptr[s], pair_ptr[s + 1])}
        own = others.pop(int(chosen[s]))
        best = max(others.values(), default=-math.inf)
        if best > own + margin:
            chosen[s] = min(i for i in others if others[i] == best)
            del others[int(chosen[s])]
            own, best = best, max([own, *others.values()])
            count += 1
        gap[s] = own - best
    return count


def improve(pair_ptr, rows, v, first, last, shift, margin, moved, span, gap, chosen):
    changes, count = [], 0
    for s in range(first, last):
        q = {i: backed_up(rows, i, v) for i in range(pair_ptr[s], pair_ptr[s + 1])}
        if not q:
            continue
        if gap[s] > moved:
            gap[s] -= moved
            changes.append(shift)
            continue
        changes.append(max(q.values()) - float(v[s]))
        own = q.pop(int(chosen[s]))
        best = max(q.values(), default=-math.inf)
        if best > own + margin:
            chosen[s] = min(i for i in q if q[i] == best)
            del q[int(chosen[s])]
            gap[s] = best - max([own, *q.values()])
            count += 1
        else:
            gap[s] = own - best
    span[:] = min([span[0], *changes]), max([span[1], *changes])
    return count
