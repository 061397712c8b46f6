"""One step of a learner: the transition that it learns from, and where its walk goes on.

These are the pieces that the learners' kernels are made of. They take whole tables (runs, entries) and the run e. A
transition is a sample of the model, or a line of a log. `log` is None where there is none, and `clock` where there is
one, so that each of the two is compiled apart. `walk` holds the settings of a walk. Time t counts the steps of a run
from 0; u are the uniforms of the step: the outcome; the restart, or the next independent pair; the next action; then
those that a learner adds. A log takes none but these last.

Named tuples that kernels take are defined in kernel files: the key of compiled code is a digest of those.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import kernel

Floats = NDArray[np.float64]


class Model(NamedTuple):
    """A model as kernels sample it, rewards in the sign of maximisation.

    `cum` (K,) is cumulative within each row: the outcome of a uniform u is the first j ≥ row_ptr[i] with u < cum[j].
    `start` (S,) is cumulative over the states. `reward` (K,) is empty where rewards r (L,) belong to rows.
    """

    pair_ptr: NDArray[Any]
    pair_state: NDArray[Any]
    row_ptr: NDArray[Any]
    next_state: NDArray[Any]
    cum: Floats
    reward: Floats
    r: Floats
    gamma: float
    terminal: NDArray[np.bool_]
    start: Floats


class LogArrays(NamedTuple):
    """Transitions as kernels take them, rewards in the sign of maximisation."""

    row: NDArray[np.int64]
    reward: NDArray[np.float64]
    next_state: NDArray[np.int64]
    done: NDArray[np.bool_]
    next_row: NDArray[np.int64]


class Walk(NamedTuple):
    """The settings of a learner's walk, as its kernel takes them; they stay as they are.

    `source` is 0 for a trajectory, 1 for independent pairs, drawn by the cumulative distribution `pairs` (L,), 2 for
    all rows in turn. `explore` is a way of exploring, at the rate of a schedule (0: the behaviour policy,
    `cum` (L,) by cumulative probabilities). After a restart the uniform number `again` of the step takes the action.
    Targets are those of kernels.one_step.follow. `pi` and `rho` (L,) are π and π / b of each row.
    """

    source: int
    pairs: Floats
    episode_steps: int
    explore: int
    explore_rate: Floats
    cum: Floats
    again: int
    step_size: Floats
    per_step: bool
    target: int
    by: float
    pi: Floats
    rho: Floats


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
    """What `explore` does for kinds 2 and 3."""
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
def outcome(model, i, out):
    """(r, s') of an outcome of row i; s' is -1 where it ends the episode."""
    s2 = model.next_state[out]
    return model.reward[out] if len(model.reward) > 0 else model.r[i], -1 if model.terminal[s2] else s2


@kernel
def line(log, at):
    """(i, r, s') of a line of the log."""
    return log.row[at], log.reward[at], -1 if log.done[at] else log.next_state[at]


@kernel
def transition(model, log, t, e, u, row):
    """(i, r, s') of run e at time t: row i, sampled from the model, or line t of the log, over and over again."""
    if log is None:
        i = row[e]
        r, s2 = outcome(model, i, scan(model.cum, model.row_ptr[i], u[0]))
        return i, r, s2
    return line(log, t % len(log.row))


@kernel
def is_over(log, walk, t, s2, e, clock):
    """Whether an episode is over after a step to s2 (-1: its end), or cut off there: by its length, or in the log."""
    if log is None:
        return s2 < 0 or (clock is not None and clock[e] + 1 == walk.episode_steps)
    return log.next_row[t % len(log.row)] < 0


@kernel
def action(model, walk, x, s, u, best, e, visits, q):
    """The row that run e takes in state s by a uniform u; `best` is the greedy one where it is known, else -1.

    It explores at the rate x by the table q, or, where that is None, takes the behaviour policy.
    """
    first = model.pair_ptr[s]
    if q is None:
        return scan(walk.cum, first, u)
    last = model.pair_ptr[s + 1]
    if walk.explore == 0 or (walk.explore == 1 and u < x):
        best = first  # not asked for
    elif best < 0:
        best = greedy(q, e, first, last)
    return explore(walk.explore, x, first, last, walk.cum, q, visits, e, best, u)


@kernel
def next_state(model, walk, u, s2, e, clock):
    """The state in which run e goes on after a step to s2 (-1: the end): a start state after an end or a cut."""
    clock[e] += 1
    if s2 < 0 or clock[e] == walk.episode_steps:
        clock[e] = 0
        return search(model.start, u[1])
    return s2


@kernel
def next_pair(model, walk, u, i):
    """The row after row i where a walk is no trajectory: one by itself, or all of them in turn."""
    if walk.source == 1:
        return search(walk.pairs, u[1])
    return i + 1 if i + 1 < len(model.pair_state) else 0


@kernel
def next_row(model, walk, x, u, s2, best, chosen, e, clock, row, visits, q):
    """row[e] ← where run e goes on after a step to s2 (-1: the end); `clock` is None where a log says it.

    `best` is the greedy row of s2, `chosen` the row taken there: -1 where they are not known.
    """
    if clock is None:
        return
    if walk.source == 0:
        s = next_state(model, walk, u, s2, e, clock)
        again = clock[e] == 0
        if chosen < 0 or again:
            chosen = action(model, walk, x, s, u[walk.again], -1 if again else best, e, visits, q)
        row[e] = chosen
    else:
        row[e] = next_pair(model, walk, u, row[e])
