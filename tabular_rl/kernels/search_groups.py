"""Groups of states whose values change alike in a sweep of one policy, and the chain of the groups.

`rows`, `width` and `kept` are those of search_kept_rows.py. States without rows are a group of their own, the last.
"""

from __future__ import annotations

import math

from tabular_rl.kernels._jit import at, search_kernel


@search_kernel
def grouped(chosen, v, w, low, scale, most, group):
    """group(s) ← the part of [low, high] that w - v lies in, scale = most / (high - low); `most` at terminals."""
    for s in range(len(group)):
        part = int(min(max((w[s] - v[s] - low) * scale, 0.0), most - 1.0)) if chosen[s] >= 0 else most
        group[s] = part


@search_kernel
def group_chain(width, rows, kept, v, w, group, count, change, chain):
    """Add up by groups: states, changes w - v, and where the chosen rows lead."""
    row, chosen, next_state, prob = kept[1], kept[2], kept[3], kept[4]
    for s in range(len(group)):
        j, a = chosen[s], group[s]
        count[a] += 1.0
        change[a] += w[s] - v[s]
        if j >= 0 and len(width) > 0:
            for k in range(j * len(width), (j + 1) * len(width)):
                chain[a, group[next_state[k]]] += prob[k]
        elif j >= 0:
            for k in range(rows[0][row[j]], rows[0][row[j] + 1]):
                chain[a, group[rows[1][k]]] += rows[2][k]


@search_kernel
def shift_groups(group, shift, w):
    """w(s) ← w(s) + the shift of its group."""
    for s in range(len(w)):
        w[s] += shift[group[s]]


@search_kernel
def likeliest(first, last, prob):
    """The place of the largest of some probabilities."""
    best = first
    for k in range(first, last):
        best = k if prob[at(k)] > prob[at(best)] else best
    return best


@search_kernel
def settled(begin, end, next_state, prob, share, s, steps):
    """Where a walk from s is after some steps along likely outcomes, which it takes in turn.

    The outcomes of the chosen row of s are begin(s) ≤ k < end(s). Likely are those of at least `share` of the largest
    probability among them.
    """
    for i in range(steps):
        first, length = begin[s], end[s] - begin[s]
        if length > 0:
            k = first + (i * 40503 // 128) % length
            if prob[k] < share:  # of 1: only then may it be less than that share of the largest
                top = likeliest(first, end[s], prob)
                k = k if prob[k] >= share * prob[top] else top
            s = next_state[k]
    return s


@search_kernel
def periods(begin, end, next_state, prob, share, least, level, queue):
    """Levels of the states that likely outcomes lead to from queue(0): how many they are, and the period.

    level(s) is the number of steps that s is away; it is -1 before. The period is the greatest number that divides
    level(s) + 1 - level(s') for all outcomes s'; where that is 1, and `least` 2, the search ends at once.
    """
    period = 0
    level[queue[0]] = 0
    n, i = 1, 0
    while i < n and not 0 < period < least:
        s = queue[i]
        i += 1
        if end[s] > begin[s]:
            likely = share * prob[likeliest(begin[s], end[s], prob)]
            for k in range(begin[s], end[s]):
                t = next_state[k]
                if prob[k] >= likely and level[t] < 0:
                    level[t] = level[s] + 1
                    queue[n] = t
                    n += 1
                elif prob[k] >= likely:
                    period = math.gcd(period, abs(level[s] + 1 - level[t]))
    return n, period


@search_kernel
def lead_into(begin, end, next_state, prob, before, first, last, step, group):
    """States without a group (-1) whose likeliest outcome has the group g take the group before(g): how many do."""
    n = 0
    for s in range(first, last, step):
        if group[s] < 0 and end[s] > begin[s]:
            g = group[next_state[likeliest(begin[s], end[s], prob)]]
            if g >= 0:
                group[s] = before[g]
                n += 1
    return n
