"""One step of a random walk through a model, driven by uniforms.

These are the pieces that the learners' kernels are made of. They take whole tables (runs, entries) and the run e.
"""

from __future__ import annotations

import math

from tabular_rl.kernels._jit import kernel


@kernel
def accumulate(ptr, weight, out):
    """out ← running sums of weight (n,) within the groups of ptr, 2 from the last positive entry of a group on."""
    for g in range(len(ptr) - 1):
        total = 0.0
        last = ptr[g]
        for j in range(ptr[g], ptr[g + 1]):
            if weight[j] > 0.0:
                last = j
            total += weight[j]
            out[j] = total
        for j in range(last, ptr[g + 1]):
            out[j] = 2.0


@kernel
def scan(cum, first, u):
    """The first j ≥ first with u < cum[j], found one by one: for the outcomes of a row, the actions of a state."""
    while u >= cum[first]:
        first += 1
    return first


@kernel
def search(cum, u):
    """The first j with u < cum[j], found by bisection: for start states, for pairs."""
    low = 0
    high = len(cum) - 1
    while low < high:
        middle = (low + high) // 2
        if u < cum[middle]:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def rate(schedule, n):
    """x(n) of a schedule (kind, a, b, c), n ≥ 1: schedules.Schedule.at."""
    kind = schedule[0]
    if kind == 0.0:
        return schedule[1]
    if kind == 1.0:
        return schedule[1] / n
    if kind == 2.0:
        return schedule[1] * math.pow(n, -schedule[2])
    if kind == 3.0:
        return schedule[1] + (schedule[2] - schedule[1]) * min((n - 1) / schedule[3], 1.0)
    return max(schedule[1] * math.pow(schedule[2], float(n - 1)), schedule[3])


@kernel
def greedy(q, e, first, last):
    """The first of the best rows first ... last - 1 by q[e]."""
    best = first
    top = q[e, first]
    for i in range(first + 1, last):
        if q[e, i] > top:
            top = q[e, i]
            best = i
    return best


@kernel
def tied(q, e, best, ties, u):
    """One of the `ties` rows as good as `best`, the first of them, all equally likely, with one uniform u."""
    top = q[e, best]
    skip = min(int(u * ties), ties - 1)
    while skip > 0:
        best += 1
        if q[e, best] == top:
            skip -= 1
    return best


@kernel
def other_choice(kind, x, first, last, q, visits, e, best, u):
    """What `explore` does for kinds 2 and 3: apart from it, so that the quick kinds are short enough to be inlined."""
    if kind == 2:
        total = 0.0
        for i in range(first, last):
            total += math.exp((q[e, i] - q[e, best]) / x)
        u *= total
        for i in range(first, last):
            u -= math.exp((q[e, i] - q[e, best]) / x)
            if u < 0.0:
                return i
        return best
    total = 0
    for i in range(first, last):
        if visits[e, i] == 0:
            return i
        total += visits[e, i]
    chosen = first
    top = -math.inf
    for i in range(first, last):
        bonus = q[e, i] + x * math.sqrt(math.log(total) / visits[e, i])
        if bonus > top:
            top = bonus
            chosen = i
    return chosen


@kernel
def explore(kind, x, first, last, cum, q, visits, e, best, u):
    """The row that a way of exploring takes among first ... last - 1, with one uniform u; `best` is the greedy one.

    kind 0: by the policy cum; 1: ε-greedy with ε = x, ties broken at random; 2: Boltzmann with temperature x; 3: upper
    confidence bounds q + x √(ln n(s) / n(s, a)), the first untried row before all others.
    """
    if kind == 0:
        return scan(cum, first, u)
    if kind == 1:
        if u < x:
            return first + min(int(u / x * (last - first)), last - first - 1)
        ties = 1
        top = q[e, best]
        for i in range(best + 1, last):
            ties += q[e, i] == top
        if ties == 1:
            return best
        return tied(q, e, best, ties, (u - x) / (1.0 - x))  # what is left of u is uniform again
    return other_choice(kind, x, first, last, q, visits, e, best, u)


@kernel
def onward(
    pair_ptr, start, pairs, source, kind, x, cum, episode_steps, e, s2, done, u, u2, clock, row, visits, q
):  # fmt: skip
    """Set the next row of a run after a step to s2, with two uniforms: restart or next pair, next action."""
    if source == 0:
        clock[e] += 1
        if done or clock[e] == episode_steps:
            clock[e] = 0
            s2 = search(start, u)
        first = pair_ptr[s2]
        last = pair_ptr[s2 + 1]
        best = greedy(q, e, first, last) if kind > 0 else first
        row[e] = explore(kind, x, first, last, cum, q, visits, e, best, u2)
    elif source == 1:
        row[e] = search(pairs, u)
    else:
        row[e] = row[e] + 1 if row[e] + 1 < q.shape[1] else 0
