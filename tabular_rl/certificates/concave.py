"""Bounds at γ = 1 from a concave function of the values, mended in the few states where it does not do.

Let v be the values, and g concave. Whatever row i is taken, P_i g(v) ≤ g(P_i v), the less so the more the values differ
that it leads to. So with g rising where rewards are not negative, and falling where they are not positive,
T (v + ε g(v)) ≤ v + ε g(v) with something to spare wherever a move is a gamble or costs, and for all rows alike, those
that tie among them: no time to the end is needed. Where nothing is to spare, as in corridors where all is worth the
same, d in u = v + d is made anew from

    d = max_i [ c_i + P_i d ],   c_i = r_i + P_i v - v + 2 E

in those states alone, by policy iteration, with the others held; and so on, until no state is left. Below, d is the
same for the rows of one policy, and l = v - d. All of this only finds d: u and l are verified as any others are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tabular_rl.model.graph.search import Mask
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import Floats, Ints, places, pointers
from tabular_rl.solving.elimination import Elimination
from tabular_rl.solving.sweeps import Sweeper

FEW = 12  # one state in so many may be mended, where fewer need it each time that it is asked for
MOST = 3  # and one in so many else
FALLING = 0.7  # of the states that needed it the last time: fewer will, soon
ROUNDS = 20  # of mending
RINGS = 2  # of neighbours of states that are to be mended: with one there are twice as many rounds
REACH = 16  # steps between states that are mended together, at most
IMPROVEMENTS = 20  # of a policy, in one round
SETTLED = 0.2  # of 2 E: what d may fall short by
LEAST = 2.0**-46  # of the largest value: smaller ones count as equal

Short = Callable[[Floats], Mask]


class ConcaveBounds:
    """Distances d of bounds from values v, in one model.

    `excess` is, where d was given up at once, how many times too many states were to be mended; else 0.
    """

    def __init__(self, sweeper: Sweeper) -> None:
        self.sweeper, self.mdp, self.excess, self.bad = sweeper, sweeper.mdp, 0.0, math.inf

    def above(self, v: Floats, ends: Mask, away: float, error: float | Floats, short: Short) -> Floats | None:
        """Return d (S,) with v + d ≥ T (v + d) + E; None where that takes too much work.

        Parameters
        ----------
        v : (S,) the values
        ends : (S,) where they are known: d is 0 there
        away : how large ε g(v) is, at most
        error : E of a backup, or of each row (L,)
        short : what marks the states (S,) where a d does not do
        """
        return self._mended(v, ends, away, error, short)

    def below(
        self, v: Floats, ends: Mask, away: float, error: float, short: Short, policy: Policy
    ) -> Floats | None:
        """Return d (S,) with v - d ≤ T_π (v - d) - E; None where that takes too much work.

        Parameters
        ----------
        v, ends, away, error, short : as for `above`
        policy : π, one row a state, none (-1) where it ends
        """
        return self._mended(v, ends, away, error, short, policy)

    def bent(self, v: Floats, ends: Mask, away: float) -> Floats | None:
        """ε g(v), up to `away`; None where some rows earn and others cost, or nothing is known of g."""
        (low, high), size = self.sweeper.rewards(), self.sweeper.norm(v)
        if size == 0 or low < 0 < high:
            return None
        if low >= 0:
            x = np.maximum(v, 0.0)
            g = np.log1p(x / np.min(x, initial=size, where=x > LEAST * size))
        else:
            x = np.maximum(-v, 0.0) / size
            g = x * (3.0 - x)
        g[ends] = 0.0
        most = float(g.max())
        return g * (away / most) if most > 0 else None

    def _mended(
        self,
        v: Floats,
        ends: Mask,
        away: float,
        error: float | Floats,
        short: Short,
        policy: Policy | None = None,
    ) -> Floats | None:
        """ε g(v) made larger where it falls short, of all rows or of those of a policy, until it does nowhere."""
        mdp, d, self.excess = self.mdp, self.bent(v, ends, away), 0.0
        mended: Mask = np.zeros(mdp.S, dtype=bool)
        if d is None:
            return None
        for turn in range(ROUNDS):
            bad = short(d)
            count = int(np.count_nonzero(bad))
            if not count:
                return d
            if turn == 0 and policy is None:
                fewer, self.bad = count <= FALLING * self.bad, count
                if fewer and count * FEW > mdp.S:
                    self.excess = count * FEW / mdp.S
                    break
            states = self._around(bad, ends, mended, policy)
            x = None
            if len(states) * MOST <= mdp.S:
                part = _Part(self.sweeper, states, (v, d), error, policy)
                x = part.solution(d[states], 2 * float(np.max(error)))
            if x is None:
                break
            d[states], mended[states] = x, True
        return None

    def _around(self, bad: Mask, ends: Mask, mended: Mask, policy: Policy | None) -> Ints:
        """The states that are bad, those up to two steps from them, and what was mended within reach of these."""
        marked = bad
        for _ in range(RINGS):
            states = np.flatnonzero(marked)
            if len(states) * MOST > self.mdp.S:
                break
            wider = marked.copy()
            wider[self._next(states, policy)] = True
            wider &= ~ends
            if np.count_nonzero(wider) * MOST > self.mdp.S:
                break  # with it more would be mended than may be
            marked = wider
        states = np.flatnonzero(marked)
        for _ in range(REACH):
            new = np.zeros_like(marked)
            new[self._next(states, policy)] = True
            new &= mended & ~marked
            states = np.flatnonzero(new)
            if not states.size:
                break
            marked = marked | new
        return np.flatnonzero(marked)

    def _next(self, states: Ints, policy: Policy | None) -> Ints:
        """Where the rows of some states lead, or those of a policy."""
        mdp = self.mdp
        if policy is None:
            first, last = mdp.pair_ptr[states], mdp.pair_ptr[states + 1]
        else:
            assert policy.rows is not None
            first, last = policy.rows[states], policy.rows[states] + 1
        begin = mdp.row_ptr[first]
        found: Ints = mdp.next_state[places(begin, mdp.row_ptr[last] - begin)]
        return found


class _Part:
    """The rows of some states (n,) as a model of its own, with what d (S,) gives them in all other states.

    A row's reward is what it falls short of v (S,) by, above or below, and 2 E.
    """

    def __init__(
        self,
        sweeper: Sweeper,
        states: Ints,
        values: tuple[Floats, Floats],
        error: float | Floats,
        policy: Policy | None,
    ) -> None:
        mdp, n, (v, d) = sweeper.mdp, len(states), values
        row_ptr, next_state, prob, *_ = sweeper.rows
        if policy is None:
            first, size = mdp.pair_ptr[states], np.diff(mdp.pair_ptr)[states]
            rows = places(first, size)
        else:
            assert policy.rows is not None
            rows, size = policy.rows[states], np.ones(n, dtype=np.int64)
        c = sweeper.listed(rows, v) - np.repeat(v[states], size)
        c = (c if policy is None else -c) + 2 * (error[rows] if isinstance(error, np.ndarray) else error)
        begin = row_ptr[rows]
        length = row_ptr[rows + 1] - begin
        k = places(begin, length)
        place = np.full(mdp.S, n, dtype=next_state.dtype)  # all others are one state, which ends
        place[states] = np.arange(n)
        outside, gained = d.copy(), np.empty(len(rows))
        outside[states] = 0.0
        self.ptr, ptr = pointers(size, mdp.pair_ptr.dtype), pointers(length, row_ptr.dtype)
        to, prob, kernels, rest = next_state[k], prob[k], sweeper.kernels, (1.0, 1.0, sweeper.width)
        every = np.arange(len(rows), dtype=ptr.dtype)
        kernels.listed_backup((ptr, to, prob, c, *rest), every, outside, gained)
        self.rows = ptr, place[to], prob, gained, *rest
        self.run, self.kernels, self.one = sweeper.run, kernels, policy is not None

    def solution(self, x: Floats, unit: float) -> Floats | None:
        """Return x (n,) with x ≥ max_i [ c_i + P_i x ] up to a part of a unit; None where it is not found.

        Parameters
        ----------
        x : (n,) where it begins
        unit : in which it is solved
        """
        n, taken = len(x), None
        x, best, zero = np.append(x, 0.0), np.zeros(n + 1), np.arange(n + 1) == n
        for _ in range(IMPROVEMENTS):
            rows, span = np.empty(n, dtype=self.ptr.dtype), np.zeros(2)
            self.kernels.optimal_backup(self.ptr, self.rows, x, 0, n, 1, span, rows, best)
            if taken is not None and bool((best <= x + SETTLED * unit).all()):
                return x[:n]
            if taken is not None and self.one:
                break
            taken = rows if taken is None else np.where((best > x + SETTLED / 2 * unit)[:n], rows, taken)
            solved = self._solved(taken, zero, unit)
            if solved is None or not np.isfinite(solved).all():
                break
            x = solved * unit
        return None

    def _solved(self, taken: Ints, zero: Mask, unit: float) -> Floats | None:
        """x / unit (n + 1,) of the rows taken."""
        ptr, to, prob, c = self.rows[:4]
        begin, end = np.zeros((2, len(zero)), dtype=ptr.dtype)
        begin[:-1], end[:-1] = ptr[taken], ptr[taken + 1]
        chain: Any = Elimination((begin, end, to.view(ptr.dtype), prob), 1.0, zero, self.run)
        solved: Floats | None = chain.solve(np.append(c[taken] / unit, 0.0))
        return solved
