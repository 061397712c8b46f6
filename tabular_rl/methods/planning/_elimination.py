"""Policies evaluated and improved by elimination in floats, without pivoting, along an order found once a model.

γ P is nonnegative and its rows sum to less than 1, so that no pivot is needed. Nothing here is proven.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from tabular_rl.formats.memory import free_memory
from tabular_rl.methods.exact.linear_solve import Singular
from tabular_rl.methods.planning._ordered import crowded
from tabular_rl.model.rounding import shared_error
from tabular_rl.model.rows import Floats, Ints
from tabular_rl.solving.ordering import Made
from tabular_rl.solving.sweeps import Sweeper

PRODUCTS = 1 << 22  # of one call of a kernel
CHEAP = 64  # products a row up to which other rows are tried while states are eliminated
PASSES = 100  # of that, at most, before all rows are looked at
STALLED = 3  # passes that exchange no fewer rows than one before
SAMPLES, SAMPLE = (
    16,
    32,
)  # states that are looked at first: where none has a better row it is likely that none has
OFF = 8  # times as large as values are apart is a constant that is taken off
LARGEST = 1 << 27  # entries of a factor: 3 GB


def most_entries() -> int:
    """As many entries of a factor as half of the memory that is free holds, 24 bytes each."""
    free = free_memory()
    return LARGEST if free is None else min(LARGEST, free // 48)


class Elimination:
    """Evaluates policies of a model and improves them, looking only at rows that can have become better.

    Parameters
    ----------
    sweeper : of the model
    patterns : of its linear systems, one, or two that take turns where rows are exchanged on the way
    centred : where no state is terminal, a constant is taken off all rewards, so that v is small, and so are rounding
        errors; it tells nothing of a policy
    proven : the values that a proof sweeps from, of those found, where it sweeps over this model: then the first look
        at all rows may be the sweep of the proof, which is not made again where nothing is exchanged
    """

    def __init__(
        self,
        sweeper: Sweeper,
        patterns: list[Made],
        centred: bool = True,
        proven: Callable[[Floats], Floats] | None = None,
    ) -> None:
        from tabular_rl.kernels import search_elimination

        self.sweeper, self.model, self.patterns = sweeper, sweeper.mdp, patterns
        self.kernels, first, S = search_elimination, patterns[0](), sweeper.mdp.S
        n = len(first.order)
        self.n, self.factors = n, self._room(len(first.column), n)
        self.work, self.x = np.zeros(n), np.empty(n)
        taken = 8 * len(first.column) + 48 * n + 16 * S + sum(x.nbytes for x in first)
        self.crowded = crowded(sweeper.mdp, taken)
        self.factors_of: tuple[Made, float] | None = None  # the pattern, and what was taken off the rewards
        # How far the chosen row of each state is ahead of all others, and the values by which that was judged.
        self.gap = np.empty(S)
        self.seen: Floats | None = None
        self.proven = proven
        # The least and the largest value found last; these values, and as a proof sweeps from them.
        self.extent = 0.0, 0.0
        self.found: tuple[Floats, Floats | None] = self.x, None
        self.products = first.products + self.model.K / max(self.model.L, 1)
        self.centred, self.shift = centred and n == S, 0.0
        self.exchanged, self.slow = S, False

    def _room(self, entries: int, n: int) -> tuple[Any, ...]:
        """Factors of so many entries and rows, as the kernels know them."""
        made = np.full(n, -1, dtype=self.model.pair_ptr.dtype)
        return np.empty(entries), np.empty((n, 2)), made, np.empty(n, dtype=bool), np.empty(n)

    def solve(self, chosen: Ints, v: Floats, margin: float = math.inf, shift: float = 0.0) -> int:
        """v ← the values of the chosen rows; with a margin, rows that are better by more are chosen on the way.

        Parameters
        ----------
        chosen : (S,) rows, -1 at terminals; changed where rows are exchanged
        v : (S,) values that rows are judged by, in the sign of maximisation, and then those of the rows; 0 at terminals
        margin : by how much a row must be better; infinite for none to be tried
        shift : what is taken off all rewards

        Returns
        -------
        How many rows were exchanged.

        Raises
        ------
        Singular : the values leave the range of floats
        """
        n, ptr = self.n, self.model.pair_ptr
        if margin < math.inf:
            self.patterns = [*self.patterns[1:], self.patterns[0]]
            if self.crowded:
                for other in self.patterns[1:]:
                    other.forget()
        pattern = self.patterns[0]()
        if len(pattern.column) > len(self.factors[0]) or len(self.work) < n:
            self.factors = self._room(len(pattern.column), n)
            self.work, self.x = np.zeros(n), np.empty(n)
        if self.factors_of != (self.patterns[0], shift):
            self.factors_of = self.patterns[0], shift
            self.factors[2].fill(-1)
        arrays = tuple(pattern)  # a kernel is not compiled for the named tuple of another file
        tried = 1 if margin == math.inf else max(self.model.L / max(n, 1), 1)
        step = 1 + int(PRODUCTS / max(self.products * tried, 1))
        blocks, count = list(pairwise([*range(0, n, step), n])), 0
        for first, last in blocks:
            count += self.kernels.eliminate(
                ptr,
                self.sweeper.rows,
                arrays,
                first,
                last,
                shift,
                margin,
                v,
                self.work,
                self.gap,
                chosen,
                self.factors,
            )
            self.sweeper.check_stop()
        for first, last in reversed(blocks):
            self.kernels.substitute(arrays, first, last, self.factors, self.x, v)
            self.sweeper.check_stop()
        self.extent = self.sweeper.extent(v)
        if not all(map(math.isfinite, self.extent)):
            raise Singular("the linear system cannot be solved in floating point (overflow)")
        if self.sweeper.run is not None:
            self.sweeper.run.did("linear solves")
        return count

    def make_room(self) -> None:
        """Let factors go where a proof would find no room beside them: the next linear solve makes them again."""
        if self.crowded:
            self.factors, self.factors_of = self._room(0, 0), None
            self.work = self.x = self.work[:0].copy()
            for made in self.patterns:
                made.forget()

    def improved(self, v: Floats, chosen: Ints) -> tuple[Floats, int, float, float]:
        """Evaluate the chosen rows, and exchange those that are worse by more than rounding.

        Where exchanges become fewer slowly, rows are exchanged while states are eliminated, too: there the choice of a
        state sees that of all earlier ones, so that news travels through the whole model at once.

        Parameters
        ----------
        v : (S,) values to judge by, in the sign of maximisation; changed in place
        chosen : (S,) rows, -1 at terminals; changed in place

        Returns
        -------
        The values, less a constant where they are centred; how many rows were exchanged since; and the least and the
        largest T v - v. Where a proof has swept from these values, they are those that it has swept from.
        """
        v = self.found[0] if v is self.found[1] else v
        least, stalled = math.inf, 0
        for _ in range(PASSES):
            count = self._evaluate(v, chosen)
            least, stalled = min(least, count), 0 if count < least else stalled + 1
            if not count or len(self.patterns) == 1 or stalled == STALLED:
                break
        self.found = v, None
        count, low, high = self._exchange(v, chosen)
        self.slow = self.products <= CHEAP and 2 * count > self.exchanged and stalled < STALLED
        self.exchanged = count
        swept = self.found[1]
        return v if swept is None or not self.centred else swept, count, low, high

    def _evaluate(self, v: Floats, chosen: Ints) -> int:
        if not self.exchanged:  # again, for more digits
            self._centre(v, 0)
        count = self.solve(chosen, v, self._margin() if self.slow else math.inf, self.shift)
        self._centre(v, OFF)
        return count

    def _centre(self, v: Floats, off: int) -> None:
        """Take a constant off the values and the rewards, where it is `off` times as large as values are apart."""
        low, high = self.extent if self.centred else (0.0, 0.0)
        middle = low / 2 + high / 2
        if abs(middle) > off * (high - low):  # else factors stay what they are
            self.shift += (1 - self.model.gamma) * middle
            v -= middle
            self.extent = low - middle, high - middle

    def _exchange(self, v: Floats, chosen: Ints) -> tuple[int, float, float]:
        """Exchange rows that are worse by more than rounding; how many, and the least and the largest T v - v."""
        model, span, count, margin, moved = (
            self.model,
            np.array([np.inf, -np.inf]),
            0,
            self._margin(),
            math.inf,
        )

        def improve(first: int, last: int) -> int:
            rows, judged = self.sweeper.rows, (self.shift, margin, moved, span, self.gap, chosen)
            found: int = self.kernels.improve(model.pair_ptr, rows, v, first, last, *judged)
            self.sweeper.check_stop()
            return found

        if self.seen is None:
            if self.proven is not None:
                some = range(0, model.S, max(model.S // SAMPLES, SAMPLE))
                count = sum(improve(s, min(s + SAMPLE, model.S)) for s in some)
                if not count:
                    self.make_room()
                    swept = self.sweeper.backup(self.proven(v))
                    self.found = v, swept.v
                    count = self.kernels.count_better(swept.q, swept.best, margin, chosen)
                    if count:
                        self.seen = v.copy()
                        self.kernels.exchange(model.pair_ptr, swept.q, margin, self.gap, chosen)
                    return count, swept.low, swept.high
            self.seen = v.copy()
        else:
            change = np.subtract(v, self.seen, out=self.seen)
            moved = model.gamma * float(change.max(initial=-math.inf) - change.min(initial=math.inf))
            self.seen[:] = v
        count += sum(improve(first, last) for first, last in self.sweeper.blocks)
        low, high = span.tolist()
        return (0, 0.0, 0.0) if low == math.inf else (count, low, high)

    def _margin(self) -> float:
        low, high = self.extent
        return 2 * shared_error(self.model, max(high, -low, 0.0))
