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

from tabular_rl.kernels._jit import at, fetch, kernel
from tabular_rl.kernels.lines import place_in_line

Floats = NDArray[np.float64]
TINY = 1e-300  # for a rate of 0, in quotients that nobody asks for
ALMOST = 1.0 - 2.0**-53  # the largest float below 1
NO_LINES = np.zeros((0, 0))
LINE = 8  # numbers that the processor fetches at once
FEW = 16  # cumulative probabilities that are compared with a uniform one by one, or all together


class Model(NamedTuple):
    """A model as kernels sample it, rewards in the sign of maximisation.

    `cum` (K,) is cumulative within each row: the outcome of a uniform u is the first j ≥ row_ptr[i] with u < cum[j].
    `start` (S,) is cumulative over the states. `reward` (K,) is empty where rewards r (L,) belong to rows. `together`
    is whether `scan` compares all of a few: it changes no number. Nor do `lines` of `width` outcomes, 0 where there are
    none, and `whole`, the same memory as integers: kernels/lines.py.
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
    together: bool = False
    width: int = 0
    lines: Floats = NO_LINES
    whole: NDArray[np.int64] = NO_LINES.view(np.int64)


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
    `cum` (L,) by cumulative probabilities). The uniform number `restart` of the step takes the start state or the next
    independent pair, `act` the next action, and after a restart `again`: where that is the same number as `restart`,
    what is left of it.
    Targets are those of kernels.one_step.follow. `pi` and `rho` (L,) are π and π / b of each row. `ahead` is whether
    several runs look ahead of each step: it changes no number.

    `usual` is None, or True where the walk is a trajectory, ε-greedy with ties at random, without a target table: a
    kernel is compiled apart for each of the two, and is a tenth quicker where it may rely on that.
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
    ahead: bool = False
    restart: int = 1
    act: int = 2
    usual: bool | None = None


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
def bisect(cum, low, high, u):
    """The first j, low ≤ j ≤ high, with u < cum[j], or high, found by bisection."""
    while low < high:
        middle = (low + high) // 2
        if u < cum[at(middle)]:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def scan(cum, first, last, u, together):
    """The first j, first ≤ j < last, with u < cum[j]: for the outcomes of a row, the actions of a state.

    The processor cannot foresee where a loop over them ends. Where several runs advance, comparing all of a few lets
    the next run begin. A single run waits for memory anyway, and what is read by a wrong guess is often wanted soon.
    """
    if last - first > FEW:
        return bisect(cum, first, last - 1, u)
    if not together:
        while u >= cum[at(first)]:
            first += 1
        return first
    found = first
    for j in range(first, last - 1):
        found += u >= cum[at(j)]
    return found


@kernel
def search(cum, u):
    """The first j with u < cum[j]: for start states, for pairs."""
    return bisect(cum, 0, len(cum) - 1, u)


@kernel
def leftover(cum, s, u):
    """What is left of the uniform u < cum[s] that chose entry s of the running sums: uniform again."""
    below = cum[s - 1] if s > 0 else 0.0
    return min((u - below) / (min(cum[s], 1.0) - below), ALMOST)


@kernel
def rate(schedule, n):
    """x(n) of a schedule (kind, a, b, c), n > 0: schedules.Schedule.at.

    Where x(1), x(2) ... follow those numbers, as far as they go, they are read: a power takes as long as half a step. n
    is whole then; without them it may be a sum of ratios.
    """
    kind = schedule[0]
    if kind == 0.0:
        return schedule[1]
    if kind == 1.0:
        return schedule[1] / n
    if len(schedule) > 4 and n + 3 < len(schedule):
        return schedule[at(n + 3)]
    if kind == 2.0:
        return schedule[1] * math.pow(n, -schedule[2])
    if kind == 3.0:
        return schedule[1] + (schedule[2] - schedule[1]) * min((n - 1) / schedule[3], 1.0)
    return max(schedule[1] * math.pow(schedule[2], float(n - 1)), schedule[3])


@kernel
def tabulate(schedule, out):
    """out (n,) ← x(1), x(2) ... of a schedule (kind, a, b, c)."""
    for k in range(len(out)):
        out[k] = rate(schedule, k + 1)


@kernel
def highest(q, e, first, last):
    """The largest of q[e] over rows first ... last - 1."""
    top = q[e, at(first)]
    for i in range(first + 1, last):
        value = q[e, at(i)]
        top = value if value > top else top
    return top


@kernel
def best_and_ties(q, e, first, last):
    """The first of the best rows first ... last - 1 by q[e], and how many are as good."""
    best = first
    ties = 1
    top = q[e, at(first)]
    for i in range(first + 1, last):
        value = q[e, at(i)]
        ties = (0 if value > top else ties) + (value >= top)
        best = i if value > top else best
        top = value if value > top else top
    return best, ties


@kernel
def greedy(q, e, first, last):
    """The first of the best rows first ... last - 1 by q[e]."""
    return best_and_ties(q, e, first, last)[0]


@kernel
def tied(q, e, best, last, ties, u):
    """One of the `ties` rows as good as `best`, the first of them, all equally likely, with one uniform u."""
    top = q[e, at(best)]
    skip = min(int(u * ties), ties - 1)
    chosen = best
    count = 0
    for i in range(best, last):
        count += q[e, at(i)] >= top
        chosen += count <= skip
    return chosen


@kernel
def other_choice(kind, x, first, last, q, visits, e, u):
    """What `explore` does for kinds 2 and 3."""
    if kind == 2:
        best = greedy(q, e, first, last)
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
def fading(x, first, last, visits, e):
    """x / (x + n(s)), where n(s) are the visits of rows first ... last - 1, those of a state."""
    n = 0
    for i in range(first, last):
        n += visits[e, i]
    return x / (x + n)


@kernel
def explore(kind, x, first, last, cum, q, visits, e, u):
    """The row that a way of exploring takes among first ... last - 1, with one uniform u.

    kind 0: by the policy cum; 1: ε-greedy with ε = x, ties broken at random; 2: Boltzmann with temperature x; 3: upper
    confidence bounds q + x √(ln n(s) / n(s, a)), the first untried row before all others; 4: ε-greedy with ε =
    x / (x + n(s)); 5 and 6: as 1 and 4, but ties go to the first row.
    """
    if kind == 0:
        return scan(cum, first, last, u, False)
    if kind > 1:
        if kind < 4:
            return other_choice(kind, x, first, last, q, visits, e, u)
        if kind != 5:
            x = fading(x, first, last, visits, e)
    best, ties = best_and_ties(q, e, first, last)
    if ties > 1 and u >= x and kind < 5:
        return tied(q, e, best, last, ties, (u - x) / (1.0 - x))  # what is left of u is uniform again
    # Both are ready before it is known which: that is quicker than a jump that nobody can foresee.
    some = first + min(int(u / max(x, TINY) * (last - first)), last - first - 1)
    return some if u < x else best


@kernel
def outcome(model, i, out):
    """(r, s') of an outcome of row i; s' is -1 where it ends the episode."""
    s2 = model.next_state[at(out)]
    r = model.reward[at(out)] if len(model.reward) > 0 else model.r[at(i)]
    return r, -1 if model.terminal[at(s2)] else s2


@kernel
def draw(model, i, u):
    """An outcome of row i, with one uniform u."""
    first = model.row_ptr[at(i)]
    fetch(model.next_state, first)
    return scan(model.cum, first, model.row_ptr[at(i + 1)], u, model.together)


@kernel
def sample(model, i, u):
    """(r, s') of row i with one uniform u; s' is -1 where it ends the episode."""
    if model.width == 0:
        return outcome(model, i, draw(model, i, u))
    place = place_in_line(model.width, model.lines, i, u)
    paid = place + model.width if len(model.reward) > 0 else 2 * model.width - 1
    return model.lines[at(i), at(paid)], model.whole[at(i), at(place)]


@kernel
def fetch_row(model, log, walk, e, row, visits, q):
    """Have the processor fetch what the next step of run e reads of its row, while the other runs take their steps.

    q is None where actions are those of the policy of the walk.
    """
    if log is not None or not walk.ahead:
        return
    i = row[e]
    for j in range(0, model.lines.shape[1], LINE):
        fetch(model.lines, (i, j))
    if model.width == 0:
        first = model.row_ptr[at(i)]
        fetch(model.cum, first)
        fetch(model.cum, model.row_ptr[at(i + 1)] - 1)
        fetch(model.next_state, first)
        if len(model.reward) > 0:
            fetch(model.reward, first)
        else:
            fetch(model.r, i)
    if q is None:
        fetch(model.pair_state, i)
        fetch(walk.rho, i)
    else:
        fetch(visits, (e, i))


@kernel
def look_ahead(model, log, walk, k, uniforms, row, q):
    """Have the processor fetch the rows of the state that each run goes to in step k.

    Each run would wait for them, and on tables beyond the cache that is most of a step: so all runs wait together.
    """
    if log is not None or not walk.ahead:
        return
    for e in range(len(row)):
        s2 = max(sample(model, row[e], uniforms[e, k, 0])[1], 0)
        first = model.pair_ptr[at(s2)]
        last = model.pair_ptr[at(s2 + 1)]
        if q is None:
            fetch(walk.cum, first)
            fetch(walk.cum, last - 1)
        else:
            fetch(q, (e, first))
            fetch(q, (e, last - 1))


@kernel
def line(log, n):
    """(i, r, s') of line n of the log."""
    return log.row[n], log.reward[n], -1 if log.done[n] else log.next_state[n]


@kernel
def transition(model, log, t, e, u, row):
    """(i, r, s') of run e at time t: row i, sampled from the model, or line t of the log, over and over again."""
    if log is None:
        i = row[e]
        r, s2 = sample(model, i, u[0])
        return i, r, s2
    return line(log, t % len(log.row))


@kernel
def is_over(log, walk, t, s2, e, clock):
    """Whether an episode is over after a step to s2 (-1: its end), or cut off there: by its length, or in the log."""
    if log is None:
        return s2 < 0 or (clock is not None and clock[e] + 1 == walk.episode_steps)
    return log.next_row[t % len(log.row)] < 0


@kernel
def way(walk):
    """How a walk explores."""
    return walk.explore if walk.usual is None else 1


@kernel
def action(model, walk, x, s, u, e, visits, q):
    """The row that run e takes in state s by a uniform u.

    It explores at the rate x by the table q, or, where that is None, takes the behaviour policy.
    """
    first = model.pair_ptr[at(s)]
    last = model.pair_ptr[at(s + 1)]
    if model.width == 0:
        fetch(model.row_ptr, first)
    if q is None or way(walk) == 0:
        return scan(walk.cum, first, last, u, model.together)
    return explore(way(walk), x, first, last, walk.cum, q, visits, e, u)


@kernel
def next_state(model, walk, u, s2, e, clock):
    """The state in which run e goes on after a step to s2 (-1: the end): a start state after an end or a cut."""
    clock[e] += 1
    if s2 < 0 or clock[e] == walk.episode_steps:
        clock[e] = 0
        return search(model.start, u[walk.restart])
    return s2


@kernel
def next_pair(model, walk, u, i):
    """The row after row i where a walk is no trajectory: one by itself, or all of them in turn."""
    if walk.source == 1:
        return search(walk.pairs, u[walk.restart])
    return i + 1 if i + 1 < len(model.pair_state) else 0


@kernel
def next_row(model, walk, x, u, s2, chosen, e, clock, row, visits, q):
    """row[e] ← where run e goes on after a step to s2 (-1: the end); `clock` is None where a log says it.

    `chosen` is the row taken there, -1 where it is not known.
    """
    if clock is None:
        return
    if walk.usual is not None or walk.source == 0:
        s = next_state(model, walk, u, s2, e, clock)
        again = clock[e] == 0
        if chosen < 0 or again:
            own = u[walk.again]
            if again and walk.again == walk.restart:
                own = leftover(model.start, s, own)
            chosen = action(model, walk, x, s, own, e, visits, q)
        row[e] = chosen
    else:
        row[e] = next_pair(model, walk, u, row[e])
