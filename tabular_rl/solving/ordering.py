"""In which order the states of a model are eliminated from its linear systems, and what the factors will look like.

One pattern serves every policy of a model: it has room for the moves of all rows. The order is the natural one where
moves are short in storage (queues, chains, rings), and that of least degree where states have few neighbours (trees).
Hubs are its last states: those that very many others lead to, and where the few moves that are long begin.
"""

from __future__ import annotations

import math
import weakref
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.mdp import MDP
from tabular_rl.model.rows import Ints, pointers

NARROW = 8  # states that short moves lead across, in a narrow band
WIDE = 64  # and in a wide one
BESIDE = 4  # times what the factors of a wide band hold is in the rows of the model
HUBS = 8  # at most: each is a row and a column of the factors
FEW = 6  # entries of a factor, a state, up to which it is worth having
EDGES = 1.25  # pairs of neighbours, a state, up to which the order of least degree is tried
SAMPLE = 500  # states whose successors are counted first
CLEARLY, MET = 1.1, 4  # times as many in a sample, of states that are met at most so often in it
READ = 1 << 21  # list entries read between two looks at the clock

_last: tuple[Any, ...] = ()  # what was found last, and for which arrays


class Pattern(NamedTuple):
    """An order of the n states that do not end, and where the factors have entries: states later and earlier in it."""

    order: Ints  # (n,) the states
    place: Ints  # (S,) where they stand in the order, -1 at terminals
    upper_ptr: Ints  # (n + 1,)
    column: Ints  # places that are later, row by row
    lower_ptr: Ints  # (n + 1,)
    earlier: Ints  # places that are earlier, row by row, ascending

    @property
    def entries(self) -> float:
        """Entries of the upper factor, a state."""
        return len(self.column) / max(len(self.order), 1)

    @property
    def products(self) -> float:
        """About how many products an elimination takes, a state: each earlier one brings its later ones."""
        return self.entries * len(self.earlier) / max(len(self.order), 1)


class Made:
    """A pattern that is made when it is first called for, and kept until it is to be forgotten."""

    def __init__(self, make: Callable[[], Pattern]) -> None:
        self._make = make
        self._pattern: Pattern | None = None

    def __call__(self) -> Pattern:
        """Return the pattern."""
        if self._pattern is None:
            self._pattern = self._make()
        return self._pattern

    def forget(self) -> None:
        """Let the pattern go; it is made again when it is called for."""
        self._pattern = None


def elimination_patterns(
    mdp: MDP, most: int | None = None, check: Callable[[], None] = lambda: None
) -> list[Made]:
    """The patterns of the linear systems of a model, made when called; two where states may be taken from either end.

    Parameters
    ----------
    mdp : the model
    most : entries that a factor may have; without it they must be few, which is found out by reading little
    check : called at least ten times a second

    Returns
    -------
    An empty list where there would be too many entries.
    """
    global _last
    arrays = mdp.next_state, mdp.row_ptr, mdp.pair_ptr
    if not _last or _last[1] != most or any(ref() is not a for ref, a in zip(_last[0], arrays, strict=True)):
        found = _natural(mdp) or _of_least_degree(mdp, most, check)
        _last = [weakref.ref(a, _forget) for a in arrays], most, found
    return list(_last[2])


def _forget(_: Any) -> None:
    global _last
    _last = ()


# -- the natural order ------------------------------------------------------------------------------------------------


def _natural(mdp: MDP) -> list[Made]:
    """The band of short moves, with hubs, from either end; nothing where too many moves are long."""
    from tabular_rl.kernels.ordering import reach

    for near in (NARROW, WIDE):
        into = np.where(mdp.terminal, np.int32(-1), np.int32(0))
        out_of, span = np.zeros(mdp.S, dtype=np.int32), np.zeros(4, dtype=np.int64)
        if reach(mdp.pair_ptr, mdp.row_ptr, mdp.next_state, near, HUBS, into, out_of, span):
            _, _, targets, sources = span.tolist()
            hub = into > 0 if targets <= sources else out_of > 0
            if max(targets, sources) <= HUBS:
                hub = _cover(mdp, near, into, np.flatnonzero(out_of))
            if hub.any():  # what leads there is no part of the band
                into[hub] = -1
                reach(mdp.pair_ptr, mdp.row_ptr, mdp.next_state, near, mdp.S, into, out_of, span)
            down, up, _, _ = span.tolist()
            if near == WIDE and BESIDE * mdp.S * (down + up) > mdp.K:
                return []
            plain = np.flatnonzero(~hub & ~mdp.terminal).astype(np.int32)
            hubs = np.flatnonzero(hub)
            return [
                Made(partial(_band, mdp.S, plain, hubs, down, up)),
                Made(partial(_band, mdp.S, plain[::-1], hubs, up, down)),
            ]
    return []


def _cover(mdp: MDP, near: int, into: Ints, sources: Ints) -> NDArray[np.bool_]:
    """Mark few states such that each long move leads from one of them or to one: in a ring one is enough."""
    long: set[tuple[int, int]] = set()
    for s in sources.tolist():
        to = np.unique(mdp.next_state[mdp.row_ptr[mdp.pair_ptr[s]] : mdp.row_ptr[mdp.pair_ptr[s + 1]]])
        long |= {(s, s2) for s2 in to[(np.abs(to - s) > near) & (into[to] >= 0)].tolist()}
    hub = np.zeros(mdp.S, dtype=bool)
    while long:
        most = Counter(s for move in sorted(long) for s in move).most_common(1)[0][0]
        hub[most] = True
        long = {move for move in long if most not in move}
    return hub


def _band(S: int, plain: Ints, hubs: Ints, down: int, up: int) -> Pattern:
    """The pattern of a band that leads so far down and up, bordered by hubs."""
    from tabular_rl.kernels.ordering import band

    order = np.concatenate([plain, hubs]).astype(np.int32)
    n, inner = len(order), len(plain)
    upper_ptr, lower_ptr = np.zeros(n + 1, dtype=np.int64), np.zeros(n + 1, dtype=np.int64)
    column = np.empty(n * (up + len(hubs)), dtype=np.int32)
    earlier = np.empty(n * (down + len(hubs)), dtype=np.int32)
    band(inner, down, up, upper_ptr, column, lower_ptr, earlier)
    return Pattern(
        order, _place(S, order), upper_ptr, column[: upper_ptr[-1]], lower_ptr, earlier[: lower_ptr[-1]]
    )


def _place(S: int, order: Ints) -> Ints:
    place = np.full(S, -1, dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return place


# -- least degree -----------------------------------------------------------------------------------------------------


def _of_least_degree(mdp: MDP, most: int | None, check: Callable[[], None]) -> list[Made]:
    """The order that takes next a state with the fewest neighbours; nothing where there would be too many entries."""
    S, few = mdp.S, most is None
    if few and _crowded(mdp):
        return []
    found = _successors(mdp, 1, FEW if few else None)
    if found is None:
        return []
    check()
    ptr, out = found
    both = np.bincount(out, minlength=S) + np.diff(ptr)
    hub = (both > max(64, 4 * S**0.5)) & ~mdp.terminal
    if hub.sum() > HUBS:
        if few:
            return []
        hub[:] = False
    outside, hubs = hub | mdp.terminal, np.flatnonzero(hub).astype(np.int32)
    most = FEW * S if most is None else most
    pattern = least_degree_pattern(ptr, out, outside, most, check, hubs, EDGES if few else math.inf)
    return [] if pattern is None else [Made(lambda: pattern)]


def _crowded(mdp: MDP) -> bool:
    """Whether a sample tells that there are too many pairs of neighbours: a pair may be met from either state.

    Terminal states count for none, and neither do those that many states lead to, which may be hubs.
    """
    found = _successors(mdp, max(mdp.S // SAMPLE, 1), FEW)
    if found is None:
        return True
    ptr, out = found
    met, times = np.unique(out, return_counts=True)
    plain = int(times[(times <= MET) & ~mdp.terminal[met]].sum()) - MET * HUBS
    return plain > 2 * CLEARLY * EDGES * (len(ptr) - 1)


def least_degree_pattern(
    ptr: Ints,
    out: Ints,
    outside: NDArray[np.bool_],
    most: int,
    check: Callable[[], None] = lambda: None,
    hubs: Ints | tuple[()] = (),
    edges: float = math.inf,
) -> Pattern | None:
    """The order that takes next a state with the fewest neighbours, and the pattern that it leads to.

    Parameters
    ----------
    ptr, out : the distinct successors of each state other than itself: out[ptr[s] : ptr[s + 1]]
    outside : (S,) the states that are not eliminated, and the hubs
    most : entries that the upper factor may have, without those of hubs
    check : called at least ten times a second
    hubs : the states that come last, whatever their neighbours
    edges : pairs of neighbours that there may be, a state

    Returns
    -------
    The pattern; None where there would be too many entries, or there are too many neighbours.
    """
    from tabular_rl.kernels import ordering

    S, hubs = len(outside), np.asarray(hubs, dtype=np.int32)
    room = np.where(outside, 0, np.bincount(out, minlength=S) + np.diff(ptr))
    ends = pointers(room)
    pool, degree = np.empty(int(ends[-1]) + 2 * most, dtype=np.int32), np.zeros(S, dtype=np.int32)
    lists, seen = (ends[:-1].copy(), degree, room, pool), np.full(S, -1, dtype=np.int32)
    ordering.neighbours(ptr, out, outside, seen, lists)
    if degree.sum() > 2 * edges * S:
        return None
    links = np.full(S + 1, -1, dtype=np.int32), np.empty(S, dtype=np.int32), np.empty(S, dtype=np.int32)
    ordering.link_all(links, degree, outside)
    n = S - int(outside.sum())
    order, upper_ptr = np.empty(n, dtype=np.int32), np.zeros(n + 1, dtype=np.int64)
    upper, state = np.empty(most + n * len(hubs), dtype=np.int32), np.array([0, 0, ends[-1]])
    while state[0] < n:
        check()
        if not ordering.least_degree(lists, links, seen, hubs, READ, state, order, upper_ptr, upper):
            return None
    tails = [hubs[h + 1 :] for h in range(len(hubs))]
    order, upper = np.concatenate([order, hubs]), np.concatenate([upper[: upper_ptr[-1]], *tails])
    place = _place(S, order)
    column = place[upper]
    lower_ptr, earlier = np.zeros(len(order) + 1, dtype=np.int64), np.empty_like(column)
    tops = [upper_ptr[-1] + sum(len(tail) for tail in tails[: h + 1]) for h in range(len(hubs))]
    upper_ptr = np.append(upper_ptr, np.array(tops, dtype=np.int64))
    ordering.transpose(upper_ptr, column, lower_ptr, earlier)
    return Pattern(order, place, upper_ptr, column, lower_ptr, earlier)


def _successors(mdp: MDP, step: int, few: int | None) -> tuple[Ints, Ints] | None:
    """The distinct successors of each step-th state, with pointers; None where there are more than `few` a state."""
    from tabular_rl.kernels.ordering import successors

    states = np.arange(0, mdp.S, step, dtype=np.int32)
    most = mdp.K if few is None else min(mdp.K, few * len(states))
    ptr, out = np.zeros(len(states) + 1, dtype=np.int64), np.empty(most, dtype=np.int32)
    seen = np.full(mdp.S, -1, dtype=np.int32)
    n = successors(mdp.pair_ptr, mdp.row_ptr, mdp.next_state, states, seen, ptr, out)
    return None if n < 0 else (ptr, out[:n])
