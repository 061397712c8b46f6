"""The sign of the largest mean reward a step of an end component: it says whether a total reward is finite."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from tabular_rl.model.graph.search import Mask, almost_surely_reaching, recurring, repaired, row_mask_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import LargeRewards, shared_error, up
from tabular_rl.model.rows import Ints

if TYPE_CHECKING:
    from tabular_rl.solving.sweeps import Sweeper

SMALL = 64  # states of a component up to which its mean reward is decided in rationals
LATE = 256  # sweeps before rationals are tried on larger ones
CYCLE = 2000  # states of a cycle up to which its mean reward is tried in rationals
FRACTIONS = 50_000  # operations on them, at most
MEAN_SWEEPS = 100_000  # before the sign of a mean reward is given up
WORK = 4_000_000_000  # outcomes looked at, likewise


def largest_mean_sign(  # noqa: C901  (improvement, its stops, and what each proves)
    sweeper: Sweeper, exactly: bool = False
) -> tuple[int | None, Mask]:
    """Return the sign of the largest mean reward a step of an end component, and the states that show it.

    The model of the sweeper holds the component alone, each state reachable from each other. What is returned is
    proven: negative by values h with r + P h - h < 0 at every row (Puterman 1994, 8.5), in floats or in rationals;
    positive by a cycle of a policy. In a component of more than SMALL states 0 is a cycle of mean 0 beside which no
    positive one was found, and None is nothing found, unless it was to be decided `exactly`.
    """
    part = sweeper.mdp
    S = part.S
    every = np.ones(S, dtype=bool)
    h, out = np.zeros(S), np.empty(S)
    rows = np.empty(S, dtype=part.pair_ptr.dtype)
    tried: set[bytes] = set()
    large = LargeRewards(part)
    even: Mask | None = None
    done, check = 0, 4
    while done < MEAN_SWEEPS and done * part.K < WORK:
        highest = sweeper.optimal(h, out, rows)[1]
        done += 1
        hmax = sweeper.norm(h)
        change = out - h
        # r + P h - h < 0 at every row: first by the rounding that most share, then by that of rows which stand out.
        if up(up(highest) + shared_error(part, hmax)) < 0 and large.backed_up(sweeper, h, hmax).rise(h) < 0:
            return -1, every
        if done == check:
            check *= 4
            if S <= SMALL or (exactly and done >= LATE):
                return _largest_mean_sign_exact(part, rows, math.inf, sweeper.check_stop)
            if even is not None:
                return 0, even
            error = large.error(Policy.partial(part, rows=rows), hmax)
            for cycle in _cycles(part, rows):
                if float(change[cycle].min()) - 2 * error > 0:
                    return 1, cycle
                key = np.packbits(cycle).tobytes()
                if (key in tried and done != LATE) or int(cycle.sum()) > CYCLE:
                    continue
                tried.add(key)
                found = _evaluate(part, rows, np.flatnonzero(cycle), FRACTIONS)
                if found is not None and found[0] > 0:
                    return 1, cycle
                if found is not None and found[0] == 0:
                    even = cycle
                elif found is not None and done >= LATE and S <= CYCLE:
                    # A mean below 0 by less than rounding, perhaps: its h may prove all others negative.
                    sign, states = _largest_mean_sign_exact(part, rows, FRACTIONS, sweeper.check_stop)
                    if sign is not None:
                        return sign, states
        # Half a step: the same signs, and a period cannot keep the changes apart.
        h += 0.5 * change
        h -= h.max()
    return None, every


def _cycles(mdp: MDP, rows: Ints, limit: int = 20) -> list[Mask]:
    """The recurrent classes of a policy, as masks (S,)."""
    recurrent, labels = recurring(mdp, row_mask_of(mdp, rows))
    found = np.unique(labels[recurrent])[:limit]
    return [labels == label for label in found.tolist()]


def _evaluate(  # noqa: C901  (one elimination)
    mdp: MDP, rows: Ints, states: Ints, limit: float, check_stop: Callable[[], None] | None = None
) -> tuple[Fraction, dict[int, Fraction]] | None:
    """Solve g + h(s) = r(s) + Σ p h(s'), h = 0 in the first state, over a closed set of states, in rationals.

    States are eliminated one by one, each replaced by its way on, with the reward and the time on it: positive numbers
    alone. In the first state what is left is the reward and the time from one visit to the next. None after `limit`
    operations.
    """
    sign = int(mdp.sign)
    way: dict[int, dict[int, Fraction]] = {}
    reward: dict[int, Fraction] = {}
    time = {s: Fraction(1) for s in states.tolist()}
    into: dict[int, set[int]] = {s: set() for s in time}
    for s in time:
        outcomes, r = mdp.rational(int(rows[s]))
        way[s] = {}
        for s2, p in outcomes:
            if p:
                way[s][s2] = way[s].get(s2, Fraction(0)) + p
                into[s2].add(s)
        reward[s] = sign * r
    first = int(states[0])
    order = [s for s in time if s != first]
    for s in order:
        if check_stop is not None:
            check_stop()
        stay = 1 - way[s].pop(s, Fraction(0))
        way[s] = {s2: p / stay for s2, p in way[s].items()}
        reward[s], time[s] = reward[s] / stay, time[s] / stay
        into[s].discard(s)
        for before in into.pop(s):
            if before not in into:  # taken out before: its way on leads to s, whose h is found first
                continue
            p = way[before].pop(s)
            limit -= len(way[s])
            if limit < 0:
                return None
            for s2, p2 in way[s].items():
                way[before][s2] = way[before].get(s2, Fraction(0)) + p * p2
                into[s2].add(before)
            reward[before] += p * reward[s]
            time[before] += p * time[s]
    mean = reward[first] / time[first]
    h = {first: Fraction(0)}
    for s in reversed(order):
        h[s] = reward[s] - mean * time[s] + sum((p * h[s2] for s2, p in way[s].items()), Fraction(0))
    return mean, h


def _largest_mean_sign_exact(  # noqa: C901  (one improvement in two stages)
    part: MDP, rows: Ints, limit: float = math.inf, check_stop: Callable[[], None] | None = None
) -> tuple[int | None, Mask]:
    """Policy iteration in rationals on an end component, from `rows` (Howard 1960).

    None where one evaluation takes more than `limit` operations, or there is no end in 100 improvements (10 with a
    limit).
    """
    every = np.ones(part.S, dtype=bool)
    rows = rows.copy()
    sign = int(part.sign)
    for _ in range(100 if limit == math.inf else 10):
        worth = []
        for cycle in _cycles(part, rows, part.S):
            found = _evaluate(part, rows, np.flatnonzero(cycle), limit, check_stop)
            if found is None:
                return None, every
            worth.append((found[0], cycle))
        mean, cycle = max(worth, key=lambda found: found[0])
        if mean > 0:
            return 1, cycle
        # All other states lead to the best cycle: an end component lets them.
        _, way = almost_surely_reaching(part, cycle)
        rows, _ = repaired(part, rows, cycle, way)
        lead = int(np.flatnonzero(cycle)[0])
        order = np.array([lead, *(s for s in range(part.S) if s != lead)])
        found = _evaluate(part, rows, order, limit, check_stop)
        if found is None:
            return None, every
        h = found[1]
        negative, changed = True, False
        for s in range(part.S):
            best = h[s] + mean
            for i in part.rows(s):
                outcomes, r = part.rational(i)
                q = sign * r + sum((p * h[s2] for s2, p in outcomes), Fraction(0))
                negative &= q < h[s]
                if q > best:
                    best, rows[s], changed = q, i, True
        if negative:
            return -1, every
        if not changed:  # then r + P h - h ≤ 0 everywhere, and 0 on the cycle
            return 0, cycle
    return None, every
