"""States in the order in which value flows, and Gauss-Seidel sweeps in it over rows as they are stored or packed."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tabular_rl.model.rows import Floats, Ints
from tabular_rl.solving.sweeps import Sweeper

WIDTHS = (2, 3, 4, 5, 6, 8, 12, 16)  # of packed rows: each is compiled once
ROUNDS = 20  # of looking for states that some row may lead to one in line
OUTCOMES_OF_A_CALL = 1 << 20
ROOM = 200_000_000  # bytes of work space, beside half of what the model takes
CODES = 256


class Line(NamedTuple):
    """The states in line: `order` says who stands at a place, `place` where a state stands.

    First come those without rows, then up to `ends` those that no row leaves, then up to `reached` those that most
    likely lead to them, the nearest first; where no way leads back (`acyclic`), all stand after their successors.
    """

    order: Ints
    place: Ints
    without_rows: int
    ends: int
    reached: int
    acyclic: bool
    longest: int  # outcomes of a row that lead elsewhere


def line_up(sweeper: Sweeper) -> Line:
    """Return the states of a model in the order in which value flows.

    Breadth-first, backward from the states that end, along the likeliest next state of each row. States from which only
    less likely ways lead there follow, and those from which none does are last.
    """
    from tabular_rl.kernels import search_ordered as kernels

    mdp, rows = sweeper.mdp, sweeper.rows
    S, small = mdp.S, mdp.pair_ptr.dtype
    place, order = np.full(S, -1, dtype=small), np.empty(S, dtype=small)
    path, at = np.empty(S, dtype=small), np.empty(S, dtype=np.int64)
    # Most cycles are found at once.
    if kernels.put_successors_first(mdp.pair_ptr, rows, path, at, place, order) == S:
        return Line(order, place, 0, 0, S, True, 0)
    del path, at
    main, longest = np.empty(mdp.L, dtype=small), 0
    for first, last in sweeper.blocks:
        longest = max(longest, kernels.likeliest(mdp.pair_ptr, rows, first, last, main))
        sweeper.check_stop()
    ends = kernels.put_ends(mdp.pair_ptr, main, place, order)
    in_ptr = np.zeros(S + 1, dtype=small)
    kernels.count_sources(main, in_ptr)
    source = np.empty(int(in_ptr[-1]), dtype=small)
    kernels.fill_sources(mdp.pair_ptr, main, in_ptr[:-1].copy(), source)
    head, size = 0, ends
    for _ in range(ROUNDS if ends else 0):
        while head < size:
            size = kernels.put_sources(in_ptr, source, head, OUTCOMES_OF_A_CALL, size, place, order)
            head = min(head + OUTCOMES_OF_A_CALL, size)
            sweeper.check_stop()
        if size == S:
            break
        size = kernels.put_others(mdp.pair_ptr, rows, size, False, place, order)
        sweeper.check_stop()
        if head == size:
            break
    kernels.put_others(mdp.pair_ptr, rows, size, True, place, order)
    return Line(order, place, int(np.count_nonzero(mdp.terminal)), ends, size, False, longest)


def blocks(outcomes_before: Ints, first: int, last: int) -> list[tuple[int, int]]:
    """Cut the places from first to last into pieces of few outcomes.

    Parameters
    ----------
    outcomes_before : (S + 1,) how many come before each place
    first, last : the places from and up to which

    Returns
    -------
    Pairs (first, last) of places.
    """
    wanted = np.arange(outcomes_before[first], outcomes_before[last], OUTCOMES_OF_A_CALL)[1:]
    inner = np.searchsorted(outcomes_before, wanted).clip(first, last).tolist()
    return list(pairwise(sorted({first, *inner, last})))


class Stored:
    """Sweeps over the rows as they are stored, in line through an index: no work space but the order itself."""

    def __init__(self, sweeper: Sweeper, line: Line, v: Floats, rows: Ints) -> None:
        from tabular_rl.kernels import search_ordered as kernels

        self.kernels, self.sweeper, self.line = kernels, sweeper, line
        self.v, self.chosen = v, rows
        mdp = sweeper.mdp
        self.before = np.zeros(mdp.S + 1, dtype=np.int64)
        np.cumsum(np.diff(mdp.row_ptr[mdp.pair_ptr])[line.order], out=self.before[1:])
        self.blocks = blocks(self.before, line.without_rows, mdp.S)

    def improve(self) -> tuple[float, float]:
        """Take the best row of each state in line, and its value; return the least and the largest change."""
        mdp, kernel = self.sweeper.mdp, self.kernels.improve_stored
        span = np.array([math.inf, -math.inf])
        for first, last in self.blocks:
            kernel(mdp.pair_ptr, self.sweeper.rows, self.line.order, first, last, span, self.chosen, self.v)
            self.sweeper.check_stop()
        return _span(span)

    def evaluate(self, omega: float = 1.0) -> tuple[float, float]:
        """Take v + ω (q - v) with the chosen row of each state in line; return the least and the largest q - v."""
        kernel, span = self.kernels.evaluate_stored, np.array([math.inf, -math.inf])
        for first, last in self.blocks:
            kernel(self.sweeper.rows, self.chosen, self.line.order, first, last, span, omega, self.v)
            self.sweeper.check_stop()
        return _span(span)

    def begin(self, fresh: bool) -> None:  # noqa: ARG002  (as that of Packed)
        """Sweep once; where states stand after their successors that gives their values."""
        self.improve()
        if self.sweeper.mdp.gamma < 1:  # the values of those that no row leaves are known now
            self.blocks = blocks(self.before, self.line.ends, self.sweeper.mdp.S)

    def values(self) -> Floats:
        """Return v (S,) by state."""
        return self.v

    def rows(self) -> Ints:
        """Return the chosen row (S,) of each state."""
        return self.chosen


class Packed:
    """Sweeps over rows that stand in line, without their loops, and over a copy of the chosen ones."""

    def __init__(self, sweeper: Sweeper, line: Line, v: Floats, coded: bool) -> None:
        from tabular_rl.kernels import search_ordered as kernels

        self.kernels, self.sweeper, self.line = kernels, sweeper, line
        mdp, self.width = sweeper.mdp, (0,) * width_of(line.longest)
        W, S, L = len(self.width), mdp.S, mdp.L
        self.ptr = np.zeros(S + 1, dtype=mdp.pair_ptr.dtype)
        np.cumsum(np.diff(mdp.pair_ptr)[line.order], out=self.ptr[1:])
        self.blocks = blocks(self.ptr.astype(np.int64) * W, line.without_rows, S)
        self.v, self.by_state = v[line.order], v
        self.chosen = np.where(np.diff(self.ptr) > 0, self.ptr[:-1], -1).astype(self.ptr.dtype)
        index = np.uint32 if mdp.next_state.dtype == np.int32 else np.uint64
        self.next_place = np.empty(L * W, dtype=index)
        self.weight, self.reward = _Numbers(L * W, coded), _Numbers(L, coded)
        self.to = np.empty(S, dtype=self.ptr.dtype)
        kernels.by_state(line.place, self.ptr, self.to)
        self.fits = all(self._pack(first, last) for first, last in sweeper.blocks)
        if self.fits:
            self.packed = self.next_place, self.weight.numbers(), self.reward.numbers()
            self.own = np.empty(S * W, dtype=index), self.weight.like(S * W), self.reward.like(S)

    def _pack(self, first: int, last: int) -> bool:
        """Pack the rows of the states first to last; return False where the tables of numbers are too small."""
        pair_ptr, place, to, kernels = self.sweeper.mdp.pair_ptr, self.line.place, self.to, self.kernels
        at, n = to, int(pair_ptr[last] - pair_ptr[first])
        weight, reward = self.weight.room(n * len(self.width)), self.reward.room(n)
        if self.weight.coded:
            at = pair_ptr[: last + 1] - pair_ptr[first]
        rows, written = self.sweeper.rows, (self.next_place, weight, reward)
        kernels.pack(self.width, pair_ptr, rows, place, to, at, first, last, *written)
        self.sweeper.check_stop()
        if not self.weight.coded:
            return True
        coded = ((self.weight, self.width, weight), (self.reward, (0,), reward))
        return all(numbers.put(kernels, width, pair_ptr, to, first, last, x) for numbers, width, x in coded)

    def improve(self) -> tuple[float, float]:
        """Take the best row of each state in line, and its value; return the least and the largest change."""
        kernel, span = self.kernels.improve, np.array([math.inf, -math.inf])
        for first, last in self.blocks:
            kernel(self.width, self.ptr, self.packed, first, last, span, self.chosen, self.own, self.v)
            self.sweeper.check_stop()
        return _span(span)

    def evaluate(self, omega: float = 1.0) -> tuple[float, float]:
        """Take v + ω (q - v) with the chosen row of each state in line; return the least and the largest q - v."""
        kernel, span = self.kernels.evaluate, np.array([math.inf, -math.inf])
        for first, last in self.blocks:
            kernel(self.width, self.own, first, last, span, omega, self.v)
            self.sweeper.check_stop()
        return _span(span)

    def begin(self, fresh: bool) -> None:
        """Find the values of those that no row leaves, and `fresh` ones of all that lead there.

        These come of going along the line once, with outcomes that stand later taken to be as far on again.
        """
        line, kernels = self.line, self.kernels
        end = line.reached if fresh else line.ends
        for first, last in self.blocks:
            kernels.first_values(
                self.width, self.ptr, self.packed, first, max(first, min(last, end)), self.chosen, self.v
            )
            kernels.take(self.width, self.packed, self.chosen, first, last, self.own)
            self.sweeper.check_stop()
        if self.sweeper.mdp.gamma < 1:
            W = len(self.width)
            self.blocks = blocks(self.ptr.astype(np.int64) * W, line.ends, len(line.order))

    def values(self) -> Floats:
        """Return v (S,) by state."""
        self.kernels.by_state(self.line.place, self.v, self.by_state)
        return self.by_state

    def rows(self) -> Ints:
        """Return the chosen row (S,) of each state."""
        order, rows = self.line.order, np.full(len(self.chosen), -1, dtype=self.chosen.dtype)
        places = slice(self.line.without_rows, None)
        first = self.sweeper.mdp.pair_ptr[order[places]]
        rows[order[places]] = self.chosen[places] - self.ptr[:-1][places] + first
        return rows


class _Numbers:
    """Numbers of packed rows: as they are, or by their codes in a table of a few."""

    def __init__(self, n: int, coded: bool) -> None:
        self.x = np.empty(n, dtype=np.uint8 if coded else np.float64)
        self.coded, self.size = coded, 0
        if coded:
            from tabular_rl.kernels.search_ordered import SLOTS

            self.table, self.slots = np.zeros(CODES), np.full(SLOTS, -1, dtype=np.int16)

    def room(self, n: int) -> Any:
        """Where n numbers of some states are to be written: at once where they stand, or first in a place for them."""
        return np.empty(n) if self.coded else self.x

    def put(
        self,
        kernels: Any,
        width: tuple[int, ...],
        pair_ptr: Ints,
        to: Ints,
        first: int,
        last: int,
        written: Any,
    ) -> bool:
        """Take the numbers that are written of the states first to last, as codes where they stand in line.

        Parameters
        ----------
        kernels : the file of kernels
        width : of a row
        pair_ptr, to : (S + 1,) and (S,), where the rows of a state begin, in storage and in line
        first, last : the states
        written : the numbers

        Returns
        -------
        False where there are too many different ones.
        """
        bits, table = written.view(np.int64), self.table.view(np.int64)
        self.size = kernels.encode(
            width, pair_ptr, to, first, last, bits, self.slots, self.size, table, self.x
        )
        return self.size >= 0

    def numbers(self) -> tuple[Any, ...]:
        """What kernels take: (x,), or (code, x)."""
        return (self.x, self.table) if self.coded else (self.x,)

    def like(self, n: int) -> tuple[Any, ...]:
        """Room for n of these numbers, as kernels take it."""
        x = np.empty(n, dtype=self.x.dtype)
        return (x, self.table) if self.coded else (x,)


def width_of(longest: int) -> int:
    """The width of packed rows that hold so many outcomes; 0 where rows are too long to be packed."""
    return next((width for width in WIDTHS if longest <= width), 0)


def in_line(
    sweeper: Sweeper, line: Line, v: Floats, rows: Ints, room: float | None = None
) -> Stored | Packed:
    """Return sweeps in line: over packed rows where they find room, else over the rows as they are stored.

    Parameters
    ----------
    sweeper : of the model
    line : its states in line
    v : (S,) the first values
    rows : (S,) the first row of each state, -1 where there is none
    room : bytes of work space; by default half of what the model takes and 200 MB

    Returns
    -------
    Sweeps that begin from v and rows.
    """
    mdp, W = sweeper.mdp, width_of(line.longest)
    if room is None:
        room = mdp.nbytes / 2 + ROOM
    room -= 8 * mdp.L + 64 * mdp.S  # what the proof and the values take
    numbers = (mdp.L + mdp.S) * (W + 1)
    index = mdp.next_state.dtype.itemsize * (mdp.L + mdp.S) * W
    if 0 < W and not line.acyclic and mdp.L * W <= 2 * mdp.K + 16 * mdp.S:
        for coded in (False, True):
            if index + numbers * (1 if coded else 8) <= room:
                packed = Packed(sweeper, line, v, coded)
                if packed.fits:
                    return packed
    return Stored(sweeper, line, v, rows)


def _span(span: Floats) -> tuple[float, float]:
    low, high = float(span[0]), float(span[1])
    return (0.0, 0.0) if low == math.inf and high == -math.inf else (low, high)
