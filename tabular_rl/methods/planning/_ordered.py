"""States in the order in which value flows, and Gauss-Seidel sweeps in it over rows as they are stored or packed."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tabular_rl.model.mdp import MDP
from tabular_rl.model.rows import Floats, Ints, pointers
from tabular_rl.solving.sweeps import Sweeper

WIDTHS = (2, 3, 4, 5, 6, 8, 12, 16)  # of packed rows: each is compiled once
ROUNDS = 20  # of looking for states that some row may lead to one in line
OUTCOMES_OF_A_CALL = 1 << 20
SHARE = 0.5  # of what the model takes that may be work space: rows of a grid of any size find room in it
ROOM = 150_000_000  # bytes beside that; with compiled code they are 200 MB
VALUES = 64  # bytes a state that the search takes beside packed rows
PROOF = 64  # bytes a state that a proof takes, and 9 a row
KINDS = 256  # of rows, at most: their numbers stay in the cache


class Line(NamedTuple):
    """The states in line: `order` says who stands at a place, `place` where a state stands.

    First come those without rows, then up to `ends` those that no row leaves, then up to `reached` those that most
    likely lead to them, the nearest first; where no way leads back (`acyclic`), all stand after their successors.
    `level` says of each place how far it is from an end, or what it is put by; of an acyclic line nothing.
    """

    order: Ints
    place: Ints
    without_rows: int
    ends: int
    reached: int
    acyclic: bool
    longest: int  # outcomes of a row that lead elsewhere
    level: Ints
    grows: bool = False  # a level is a part; they are swept from the first on, one more each time

    @property
    def leads_to_terminals(self) -> bool:
        """Whether a terminal state is reached from every state, as far as the line says."""
        return not self.acyclic and self.ends == self.without_rows and self.reached == len(self.order)


def successors_first(sweeper: Sweeper) -> tuple[Ints, Ints] | None:
    """Return order and place of the states where all stand after those that they lead to; None where a way leads back.

    Most that do are found at once.
    """
    from tabular_rl.kernels.search_ordered import put_successors_first

    mdp = sweeper.mdp
    S, small = mdp.S, mdp.pair_ptr.dtype
    place, order = np.full(S, -1, dtype=small), np.empty(S, dtype=small)
    path, at = np.empty(S, dtype=small), np.empty(S, dtype=np.int64)
    if put_successors_first(mdp.pair_ptr, sweeper.rows, path, at, place, order) < S:
        return None
    return order, place


def line_up(sweeper: Sweeper) -> Line:
    """Return the states of a model in the order in which value flows.

    Breadth-first, backward from the states that end, along the likeliest next state of each row. States from which only
    less likely ways lead there follow, and those from which none does are last.
    """
    from tabular_rl.kernels import search_ordered as kernels

    mdp, rows = sweeper.mdp, sweeper.rows
    S, small = mdp.S, mdp.pair_ptr.dtype
    if (found := successors_first(sweeper)) is not None:
        return Line(*found, 0, 0, S, True, 0, found[0][:0])
    place, order = np.full(S, -1, dtype=small), np.empty(S, dtype=small)
    main, longest = np.empty(mdp.L, dtype=small), 0
    for first, last in sweeper.blocks:
        longest = max(longest, kernels.likeliest(mdp.pair_ptr, rows, first, last, main))
        sweeper.check_stop()
    ends = kernels.put_ends(mdp.pair_ptr, main, place, order)
    in_ptr = np.zeros(S + 1, dtype=small)
    kernels.count_sources(main, in_ptr)
    source = np.empty(int(in_ptr[-1]), dtype=small)
    kernels.fill_sources(mdp.pair_ptr, main, in_ptr[:-1].copy(), source)
    level = np.zeros(S, dtype=small)
    head, size = 0, ends
    for _ in range(ROUNDS if ends else 0):
        size = breadth_first(sweeper, in_ptr, source, head, size, (place, order, level))
        head = size
        if size == S:
            break
        size = kernels.put_others(mdp.pair_ptr, rows, size, False, place, order, level)
        sweeper.check_stop()
        if head == size:
            break
    kernels.put_others(mdp.pair_ptr, rows, size, True, place, order, level)
    terminal = int(np.count_nonzero(mdp.terminal))
    return Line(order, place, terminal, ends, size, False, longest, level)


def breadth_first(
    sweeper: Sweeper, in_ptr: Ints, source: Ints, head: int, size: int, line: tuple[Ints, Ints, Ints]
) -> int:
    """Put in line, breadth-first, the states that lead to those at the places from head to size.

    Parameters
    ----------
    sweeper : of the model
    in_ptr, source : which states lead to each
    head, size : the places from which on nothing has been put yet, and how many have a state
    line : place, order and level

    Returns
    -------
    How many places have a state now.
    """
    from tabular_rl.kernels import search_ordered as kernels

    while head < size:
        size = kernels.put_sources(in_ptr, source, head, OUTCOMES_OF_A_CALL, size, *line)
        head = min(head + OUTCOMES_OF_A_CALL, size)
        sweeper.check_stop()
    return size


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


class Sweeps:
    """Sweeps in line of either kind."""

    v: Floats

    def evaluate(self, omega: float = 1.0) -> tuple[float, float]:
        """Take v + ω (q - v) with the chosen row of each state in line; return the least and the largest q - v."""
        raise NotImplementedError

    def evaluate_often(self, most: int, omega: float, limit: float, growth: float = math.inf) -> list[float]:
        """Evaluate until a sweep changes little, or far more than the first one; return the changes of each.

        Parameters
        ----------
        most : sweeps, at most
        omega : ω
        limit : a change that is no larger ends it
        growth : one that is so many times the first one ends it, too
        """
        changes: list[float] = []
        while len(changes) < most:
            low, high = self.evaluate(omega)
            changes.append(max(high, 0.0) - min(low, 0.0))
            if changes[-1] <= limit or not changes[-1] <= growth * changes[0]:
                break
        return changes


class Stored(Sweeps):
    """Sweeps over the rows as they are stored, in line through an index: no work space but the order itself."""

    def __init__(self, sweeper: Sweeper, line: Line, v: Floats, rows: Ints) -> None:
        from tabular_rl.kernels import search_ordered as kernels

        self.kernels, self.sweeper, self.line = kernels, sweeper, line
        self.v, self.chosen = v, rows.copy()
        mdp = sweeper.mdp
        self.before = pointers(np.diff(mdp.row_ptr[mdp.pair_ptr])[line.order])
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
        """As its base says."""
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

    def go_on_from(self, v: Floats) -> None:
        """Take other values v (S,)."""
        self.v[:] = v

    def make_room(self) -> None:
        """Nothing is held that a proof would need the room of."""

    def take_up(self) -> None:
        """Nothing was let go."""

    def values(self) -> Floats:
        """Return v (S,) by state."""
        return self.v

    def rows(self) -> Ints:
        """Return the chosen row (S,) of each state."""
        return self.chosen


class Packed(Sweeps):
    """Sweeps over rows that stand in line, without their loops, and over a copy of the chosen ones."""

    def __init__(self, sweeper: Sweeper, line: Line, v: Floats) -> None:
        from tabular_rl.kernels import search_ordered as kernels

        self.kernels, self.sweeper, self.line = kernels, sweeper, line
        mdp, W = sweeper.mdp, width_of(line.longest)
        self.width = self.own_width = (0,) * W
        self.by_state, self.index = v, np.uint32 if mdp.next_state.dtype == np.int32 else np.uint64
        self.packed: Any = None
        self.own: Any = None
        # Whether rows are kinds; whether a proof finds no room beside all this.
        self.of_kinds = self.crowded = False
        # The chosen row of each state, where all that can be made again was let go.
        self.held: Ints | None = None
        self._begin(mdp.pair_ptr[:-1])
        self.blocks = blocks(self.ptr.astype(np.int64) * W, line.without_rows, mdp.S)

    def _begin(self, rows: Ints) -> None:
        """Put values, and a row (S,) of each state that has one, in line."""
        mdp, order = self.sweeper.mdp, self.line.order
        self.ptr = pointers(np.diff(mdp.pair_ptr)[order], mdp.pair_ptr.dtype)
        self.v = self.by_state[order]
        self.changed, self.to = np.empty(mdp.S, dtype=self.ptr.dtype), np.empty(mdp.S, dtype=self.ptr.dtype)
        self.kernels.by_state(self.line.place, self.ptr, self.to)
        self.chosen = (rows - mdp.pair_ptr[:-1])[order] + self.ptr[:-1]
        self.chosen[: self.line.without_rows] = -1

    def pack_numbers(self) -> None:
        """Give each row its next places, weights and reward."""
        self.width, self.of_kinds = self.own_width, False
        mdp, W = self.sweeper.mdp, len(self.width)
        written = np.empty(mdp.L * W, dtype=self.index), np.empty(mdp.L * W), np.empty(mdp.L)
        for first, last in self.sweeper.blocks:
            self.kernels.pack(
                self.width, mdp.pair_ptr, self.sweeper.rows, self.line.place, self.to, first, last, *written
            )
            self.sweeper.check_stop()
        own = np.empty(mdp.S * W, dtype=self.index), np.empty(mdp.S * W), np.empty(mdp.S)
        self.packed, self.own = written, own

    def pack_kinds(self, width: int) -> int:
        """Give each state its next places, and each row its kind; return what the kernel does."""
        from tabular_rl.kernels import search_kinds

        mdp, W, self.width, self.of_kinds = self.sweeper.mdp, width, (0,) * width, True
        next_place, kind = np.empty(mdp.S * W, dtype=self.index), np.empty(mdp.L, dtype=np.int16)
        weight, reward = np.zeros((KINDS + 1) * W), np.zeros(KINDS + 1)
        work = np.full(search_kinds.SLOTS, -1, dtype=np.int16), np.empty(W, dtype=np.int64)
        place, size = self.line.place, 0
        for first, last in self.sweeper.blocks:
            given = mdp.pair_ptr, self.sweeper.rows, place, self.to, first, last
            size = search_kinds.pack_kinds(self.width, *given, next_place, kind, (weight, reward), work, size)
            self.sweeper.check_stop()
            if size < 0:
                return int(size)
        # The chosen rows stand without the weights of 0 that are there for the next places of other rows.
        rows = weight.reshape(-1, W)
        heavy = np.argsort(rows <= 0.0, axis=1, kind="stable")[:, : len(self.own_width)]
        own = np.ascontiguousarray(np.take_along_axis(rows, heavy, axis=1)).ravel()
        places = np.empty(mdp.S * len(self.own_width), dtype=self.index)
        self.packed = next_place, weight, reward, kind
        self.own = places, own, reward, np.zeros(mdp.S, dtype=kind.dtype)
        return int(size)

    def _take(self, places: Ints) -> None:
        """Copy the chosen rows of some places."""
        self.kernels.take(self.width, self.packed, self.chosen, places, self.own_width, self.own)

    def edges(self, first: int) -> tuple[Ints, Ints]:
        """The places from one on, and where their rows lead, each as often as it is written."""
        W, places = len(self.width), np.arange(first, len(self.v))
        if len(self.packed) == 4:
            return np.repeat(places, W), self.packed[0][first * W :].astype(np.int64)
        counts = np.diff(self.ptr[first:]) * W
        return np.repeat(places, counts), self.packed[0][int(self.ptr[first]) * W :].astype(np.int64)

    def farthest(self, first: int, last: int) -> int:
        """The last of the places to which rows of those from first to last lead."""
        if len(self.packed) == 3:
            first, last = int(self.ptr[first]), int(self.ptr[last])
        W = len(self.width)
        return int(self.packed[0][first * W : last * W].max(initial=0))

    def chain(self, first: int) -> tuple[Ints, Floats, Floats]:
        """Where the chosen rows of the places from one on lead (n, W), with which weights (n, W), and their rewards."""
        (next_place, weight, reward), W = self.own[:3], len(self.own_width)
        ahead = next_place[first * W :].astype(np.int64).reshape(-1, W)
        number = self.own[3][first:] if len(self.own) == 4 else slice(first, None)
        return ahead, weight.reshape(-1, W)[number], reward[number]

    def improve(self, part: tuple[int, int] | None = None) -> tuple[float, float]:
        """Take the best row of each state in line, or in a part of it, and its value; return the span of changes."""
        kernel, span = self.kernels.improve, np.array([math.inf, -math.inf])
        for first, last in [part] if part else self.blocks:
            rows = self.width, self.ptr, self.packed, first, last
            self._take(self.changed[: kernel(*rows, span, self.chosen, self.changed, self.v)])
            self.sweeper.check_stop()
        return _span(span)

    def evaluate(self, omega: float = 1.0) -> tuple[float, float]:
        """As its base says."""
        kernel, span = self.kernels.evaluate, np.array([math.inf, -math.inf])
        for first, last in self.blocks:
            kernel(self.own_width, self.own, first, last, span, omega, self.v)
            self.sweeper.check_stop()
        return _span(span)

    def evaluate_often(
        self, most: int, omega: float, limit: float, growth: float = math.inf, part: Any = None
    ) -> list[float]:
        """As its base says; or of the places in a part (first, last). It is one call where a sweep is one."""
        if part is None and len(self.blocks) != 1:
            return super().evaluate_often(most, omega, limit, growth)
        changes, span = np.empty(most), np.empty(2)
        rows = self.own_width, self.own, *(part or self.blocks[0])
        count = self.kernels.evaluate_often(*rows, omega, (limit, growth), span, changes, self.v)
        self.sweeper.check_stop()
        return list(map(float, changes[:count]))

    def begin(self, fresh: bool) -> None:
        """Find the values of those that no row leaves, and `fresh` ones of all that lead there."""
        for first, last in self.blocks:
            self.foresee(first, last, self.line.reached if fresh else self.line.ends)
            self.sweeper.check_stop()
        self.skip_ends()

    def skip_ends(self) -> None:
        """Sweep no more over the states that no row leaves, where their values are known."""
        if self.sweeper.mdp.gamma < 1:
            W = len(self.width)
            self.blocks = blocks(self.ptr.astype(np.int64) * W, self.line.ends, len(self.line.order))

    def foresee(self, first: int, last: int, end: int) -> None:
        """Find first values of the places from first to last that stand before `end`; take the rows of all of them.

        They come of going along the line once, with outcomes that stand later taken to be as far on again.
        """
        rows = self.width, self.ptr, self.packed
        self.kernels.first_values(*rows, first, max(first, min(last, end)), self.chosen, self.v)
        self._take(np.arange(first, last, dtype=self.changed.dtype))

    def go_on_from(self, v: Floats) -> None:
        """Take other values v (S,)."""
        self.v[:] = v[self.line.order]

    def make_room(self) -> None:
        """Let all go, where a proof would find no room beside it, but the order, the values and the chosen rows."""
        if self.crowded and self.held is None:
            self.values()
            self.held, none = self.rows(), self.ptr[:0].copy()
            self.v, self.packed, self.own = self.v[:0].copy(), None, None
            self.ptr = self.chosen = self.changed = self.to = none
            self.line = self.line._replace(place=none, level=none)

    def take_up(self) -> None:
        """Make again what was let go."""
        if self.held is None:
            return
        place = np.empty_like(self.line.order)
        place[self.line.order] = np.arange(len(place), dtype=place.dtype)
        self.line = self.line._replace(place=place)
        self._begin(self.held)
        self.held = None
        if self.of_kinds:
            self.pack_kinds(len(self.width))
        else:
            self.pack_numbers()
        self._take(np.arange(self.line.without_rows, len(self.v), dtype=self.changed.dtype))

    def values(self) -> Floats:
        """Return v (S,) by state."""
        if self.held is None:
            self.kernels.by_state(self.line.place, self.v, self.by_state)
        return self.by_state

    def rows(self) -> Ints:
        """Return the chosen row (S,) of each state."""
        if self.held is not None:
            return self.held
        mdp, rows = self.sweeper.mdp, np.empty(len(self.chosen), dtype=self.chosen.dtype)
        self.kernels.stored_rows(mdp.pair_ptr, self.line.place, self.ptr, self.chosen, rows)
        return rows


def width_of(longest: int) -> int:
    """The width of packed rows that hold so many outcomes; 0 where rows are too long to be packed."""
    return next((width for width in WIDTHS if longest <= width), 0)


def in_line(
    sweeper: Sweeper, line: Line, v: Floats, rows: Ints, room: float | None = None
) -> Stored | Packed:
    """Return sweeps in line: over packed rows, of kinds or each its own, where these find room; else over stored ones.

    Parameters
    ----------
    sweeper : of the model
    line : its states in line
    v : (S,) the first values
    rows : (S,) the first row of each state, -1 where there is none
    room : bytes of work space; by default SHARE of what the model takes and 200 MB

    Returns
    -------
    Sweeps that begin from v and rows.
    """
    mdp, W = sweeper.mdp, width_of(line.longest)
    if room is None:
        room = SHARE * mdp.nbytes + ROOM
    room -= VALUES * mdp.S
    if W == 0 or line.acyclic or room <= 0:
        return Stored(sweeper, line, v, rows)
    index, even = mdp.next_state.dtype.itemsize, mdp.L * W <= 2 * mdp.K + 16 * mdp.S
    packed, proof = Packed(sweeper, line, v), PROOF * mdp.S + 9 * mdp.L
    for width in WIDTHS:
        takes = index * mdp.S * (width + W) + 2 * (mdp.L + mdp.S)
        if takes <= room and line.longest <= width <= 2 * line.longest + 2:
            size = packed.pack_kinds(width)
            if size >= 0:
                packed.crowded = takes + proof > room
                return packed
            if size == -1:
                break
    takes = (mdp.L + mdp.S) * (index * W + 8 * (W + 1))
    if even and takes <= room:
        packed.pack_numbers()
        packed.crowded = takes + proof > room
        return packed
    return Stored(sweeper, line, v, rows)


def crowded(mdp: MDP, taken: float) -> bool:
    """Whether a proof would find no room in the work space of a model beside what is taken, in bytes."""
    return taken + PROOF * mdp.S + 9 * mdp.L > SHARE * mdp.nbytes + ROOM


def _span(span: Floats) -> tuple[float, float]:
    low, high = float(span[0]), float(span[1])
    return (0.0, 0.0) if low == math.inf and high == -math.inf else (low, high)
