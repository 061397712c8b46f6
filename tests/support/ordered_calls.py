"""Calls of kernels/search_ordered.py and search_kinds.py on small drawn inputs, and what they leave behind."""

from __future__ import annotations

import copy
import math

import numpy as np
import reference_ordered as reference
from planning_calls import numbers

from tabular_rl.kernels.search_kinds import SLOTS

SPAN = (math.inf, -math.inf)
# The places of arguments that are for work, or in which an end before time leaves anything.
WORK = {"put_successors_first": {2, 3}}
LEFT_OPEN = {
    "put_successors_first": {4, 5},
    "pack_kinds": {7, 8, 9, 10},
    "write_row": {4, 6},
    "write_state": {5, 6, 7},
}  # where the call returns less than 0


def left(call, name, arguments):
    """What a kernel, or its twin, returns and leaves in copies of its arguments."""
    own = copy.deepcopy(list(arguments))
    with np.errstate(all="ignore"):
        result = call(*own)
    skipped = WORK.get(name, set()) | (
        LEFT_OPEN.get(name, set()) if result is not None and result < 0 else set()
    )
    arrays = [array for i, x in enumerate(own) if i not in skipped for array in arrays_in(x)]
    return repr(None if result is None else float(result)), arrays


def arrays_in(x):
    """The bytes of the arrays in an argument, which may be a tuple of tuples."""
    if isinstance(x, tuple):
        return [array for part in x for array in arrays_in(part)]
    if not isinstance(x, np.ndarray):
        return []
    return [(x + 0.0 if x.dtype.kind == "f" else x).tobytes()]


def model(seed):
    """A ragged model with loops, a state that is never left, and tiny probabilities of leaving."""
    rng, pair_ptr, row_ptr, next_state, prob, r = numbers(seed, S=9, A=3, b=4)
    S = len(pair_ptr) - 1
    next_state, prob = next_state.copy(), prob.copy()
    state = np.repeat(np.repeat(np.arange(S), np.diff(pair_ptr)), np.diff(row_ptr))
    loops = rng.random(len(prob)) < 0.3
    next_state[loops] = state[loops]
    kept = int(rng.integers(S))
    next_state[state == kept] = kept
    if seed % 3 == 0:
        prob[rng.random(len(prob)) < 0.2] *= 1e-9
    gamma = float(rng.choice([0.0, 0.5, 0.999, 1.0]))
    sign = (-1.0) ** seed
    return rng, pair_ptr, (row_ptr, next_state.view(np.uint32), prob, r, gamma, sign)


def forward_model(seed):
    """A model without cycles but loops, in an order of states that is drawn; now and then with a cycle after all."""
    rng, pair_ptr, (row_ptr, _, prob, r, gamma, sign) = model(seed)
    S = len(pair_ptr) - 1
    state = np.repeat(np.repeat(np.arange(S), np.diff(pair_ptr)), np.diff(row_ptr))
    rank = rng.permutation(S)
    at = np.argsort(rank)
    next_state = at[[rng.integers(0, rank[s] + 1) for s in state]].astype(np.int32)
    if seed % 4 == 0:
        next_state[rng.integers(len(next_state))] = at[S - 1]
    return pair_ptr, (row_ptr, next_state.view(np.uint32), prob, r, gamma, sign)


def order_calls(seed):
    """Yield (name, arguments) of what finds the order."""
    _, pair_ptr, rows = model(seed)
    S, L = len(pair_ptr) - 1, len(rows[3])
    main = np.full(L, 7, dtype=np.int32)
    yield "likeliest", (pair_ptr, rows, 0, S, main)
    yield "likeliest", (pair_ptr, rows, 2, 5, main)
    for s in range(S):  # one of them is never left
        yield "likeliest", (pair_ptr, rows, s, s + 1, main)
    reference.likeliest(pair_ptr, rows, 0, S, main)
    place, order = np.full(S, 7, dtype=np.int32), np.full(S, -1, dtype=np.int32)
    yield "put_ends", (pair_ptr, main, place, order)
    size = reference.put_ends(pair_ptr, main, place, order)
    in_ptr = np.zeros(S + 1, dtype=np.int32)
    yield "count_sources", (main, in_ptr)
    reference.count_sources(main, in_ptr)
    source = np.full(int(in_ptr[-1]), -1, dtype=np.int32)
    level = np.arange(10, 10 + S, dtype=np.int32)
    yield "fill_sources", (pair_ptr, main, in_ptr[:-1].copy(), source)
    reference.fill_sources(pair_ptr, main, in_ptr[:-1].copy(), source)
    for head, most in ((0, S), (1, S), (0, 2), (1, 1)):
        yield "put_sources", (in_ptr, source, head, most, size, place, order, level)
    for i in np.flatnonzero(main >= 0)[:3].tolist():  # the first in line leads to the second
        s = int(np.searchsorted(pair_ptr, i, side="right")) - 1
        standing, line = np.full(S, -1, dtype=np.int32), np.full(S, -1, dtype=np.int32)
        reference.put([s, int(main[i])], 0, standing, line)
        yield "put_sources", (in_ptr, source, 0, 2, 2, standing, line, level)
    for anything in (False, True):
        yield "put_others", (pair_ptr, rows, size, anything, place, order, level)
        nothing = np.full(S, -1, dtype=np.int32), np.full(S, -1, dtype=np.int32)
        yield "put_others", (pair_ptr, rows, 0, anything, *nothing, level)
    for pointers, listed in ((pair_ptr, rows), forward_model(seed)):
        path, at = np.full(S, 7, dtype=np.int32), np.full(S, 7)
        unplaced = np.full(S, -1, dtype=np.int32)
        yield "put_successors_first", (pointers, listed, path, at, unplaced, unplaced.copy())


def in_line(rng, pair_ptr):
    """An order that is drawn, with the states without rows first, and the places."""
    S = len(pair_ptr) - 1
    counts = np.diff(pair_ptr)
    drawn = rng.permutation(S)
    order = np.concatenate([drawn[counts[drawn] == 0], drawn[counts[drawn] > 0]]).astype(np.int32)
    return order, np.argsort(order).astype(np.int32), int((counts == 0).sum())


def stored_calls(seed):
    """Yield (name, arguments) of sweeps over rows as they are stored."""
    rng, pair_ptr, rows = model(seed)
    S = len(pair_ptr) - 1
    v = drawn_values(rng, S, seed)
    order, _, _ = in_line(rng, pair_ptr)
    chosen = np.where(np.diff(pair_ptr) > 0, pair_ptr[:-1], -1).astype(np.int32)
    for s in range(S):
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            yield "unlooped_value", (rows, i, s, v)
    for first, last in ((0, S), (2, 6), (4, 4)):
        yield "improve_stored", (pair_ptr, rows, order, first, last, np.array(SPAN), chosen, v)
        for omega in (1.0, 1.5):
            yield "evaluate_stored", (rows, chosen, order, first, last, np.array(SPAN), omega, v)
    yield "evaluate_stored", (rows, chosen, order, 0, S, np.array([-1e9, 1e9]), 1.0, v)


def drawn_values(rng, S, seed):
    v = rng.normal(size=S) * 100
    if seed % 5 == 0:
        v[rng.integers(S)] = rng.choice([math.inf, -math.inf, 1e308])
    return v


def packed_calls(seed):
    """Yield (name, arguments) of packing, and of sweeps over packed rows, as numbers and as codes."""
    rng, pair_ptr, rows = model(seed)
    S, L = len(pair_ptr) - 1, len(rows[3])
    order, place, start = in_line(rng, pair_ptr)
    width = (0,) * (4 if seed % 2 else 5)
    W = len(width)
    ptr = np.concatenate([[0], np.cumsum(np.diff(pair_ptr)[order])]).astype(np.int32)
    to = ptr[place]
    room = np.full(L * W, 7, dtype=np.uint32), np.full(L * W, 7.0), np.full(L, 7.0)
    yield "by_state", (place, ptr, np.full(S, 7, dtype=np.int32))
    nth = np.arange(seed, seed + S) % np.maximum(np.diff(ptr), 1)
    yield (
        "stored_rows",
        (pair_ptr, place, ptr, (ptr[:-1] + nth).astype(np.int32), np.full(S, 7, dtype=np.int32)),
    )
    yield "pack", (width, pair_ptr, rows, place, to, 0, S, *room)
    yield "pack", (width, pair_ptr, rows, place, to, 2, 5, *room)
    reference.pack(width, pair_ptr, rows, place, to, 0, S, *room)
    for t in np.flatnonzero((np.diff(ptr) > 1) & (rng.random(S) < 0.5)).tolist():  # two rows that are equal
        one, other = ptr[t], ptr[t + 1] - 1
        for numbers_, n in zip(room, (W, W, 1), strict=True):
            numbers_[other * n : other * n + n] = numbers_[one * n : one * n + n]
    v = drawn_values(rng, S, seed)
    yield from swept_calls(width, ptr, room, start, v)
    yield from kind_calls(rng, pair_ptr, rows, (order, place, start, ptr, to), v)


def kind_calls(rng, pair_ptr, rows, line, v):
    """Yield calls that find the kinds of rows: few of them, too many, too wide; and sweeps over these."""
    order, place, start, ptr, to = line
    S, L = len(pair_ptr) - 1, len(rows[3])
    few = *rows[:2], np.where(rows[2] > 0.3, 0.5, 0.25), np.round(rows[3]), *rows[4:]  # rows that are alike
    never = (
        *rows[:2],
        np.where(rows[2] > 0.3, 0.0, rows[2]),
        rows[3],
        1.0,
        rows[5],
    )  # and such that never leave
    for listed, W, kinds in (
        (few, 8, L),
        (few, 8, 5),
        (rows, 8, L),
        (few, 3, L),
        (never, 5, L),
        (rows, 2, L),
    ):
        width, work = (0,) * W, (np.full(SLOTS, -1, dtype=np.int16), np.full(W, 7))
        known = np.full((kinds + 1) * W, 7.0), np.full(kinds + 1, 7.0)
        next_place, kind = np.full(S * W, 7, dtype=np.uint32), np.full(L, 7, dtype=np.int16)
        yield "position", (np.full(W, 7), 1, 7)
        yield "position", (np.arange(S * W), 3, int(rng.integers(0, 6)))
        for first, last in ((2, 5), (0, S)):
            given = width, pair_ptr, listed, place, to, first, last, next_place, kind, known, work, 0
            yield "pack_kinds", given
        size = reference.pack_kinds(*given)
        if size > 0:
            yield from swept_calls(width, ptr, (next_place, *known, kind), start, v)
        for s, kinds in [(s, kinds) for s in range(S) for kinds in (2, L)]:
            fresh = np.full((kinds + 1) * W, 7.0), np.full(kinds + 1, 7.0)
            work = np.full(SLOTS, -1, dtype=np.int16), np.full(W, 7)
            found = np.full(L, 7, dtype=np.int16)
            yield "write_state", (width, pair_ptr, listed, s, int(to[s]), found, fresh, work, 0)
        for t in np.flatnonzero(ptr[1:] > ptr[:-1]).tolist():
            s, i = int(order[t]), int(pair_ptr[order[t]])
            for used, size in ((0, 0), (1, 1), (W, 1)):
                empty = np.arange(99, 99 + W), np.full(2 * W, 7.0), np.full(2, 7.0)
                yield "write_row", (width, listed, s, i, empty[0], used, empty[1:], size)
        # Kinds that differ from the row behind them in one number, where all of them are looked at.
        weight, reward = np.tile(known[0][:W], W + 2), np.repeat(known[1][:1], W + 2)
        weight[np.arange(W) * (W + 1)] += 0.5
        reward[W] += 1.0
        for first in (0, 1):
            filled = np.where(np.arange(SLOTS) % (W + 3) <= W + first, np.arange(SLOTS) % (W + 2), -1)
            yield "find_kind", (width, (weight, reward), filled.astype(np.int16), W + 1)


def moved_calls():
    """Yield calls on a walk whose states have the rows of the one before, all but one in one thing after another."""
    S = 7
    for change in range(12):
        blocks = [
            [(-1.0, [(s + 1, 0.5), (s, 0.5)]), (-2.0, [(s + 2, 1.0)])] if s < 5 else [] for s in range(S)
        ]
        changed = {
            1: [(-1.5, blocks[3][0][1]), blocks[3][1]],
            2: [blocks[3][0], (-2.5, blocks[3][1][1])],
            3: [(-1.0, [(4, 0.25), (3, 0.5)]), blocks[3][1]],
            4: [(-1.0, [(4, 0.5), (3, 0.25)]), blocks[3][1]],
            5: [blocks[3][0], (-2.0, [(5, 0.25)])],
            6: [(-1.0, [(5, 0.5), (3, 0.5)]), blocks[3][1]],
            7: [(-1.0, [(4, 0.5), (4, 0.5)]), blocks[3][1]],
            8: [blocks[3][0], (-2.0, [(6, 1.0)])],
            9: [(-1.0, [(4, 0.5)]), (-2.0, [(3, 0.5), (5, 1.0)])],
            10: [blocks[3][0]],
            11: [blocks[3][0], (-2.0, [(5, 1.0), (5, 1.0)])],
        }
        blocks[3] = changed.get(change, blocks[3])
        listed = [row for block in blocks for row in block]
        pair_ptr = np.cumsum([0] + [len(block) for block in blocks]).astype(np.int32)
        row_ptr = np.cumsum([0] + [len(row) for _, row in listed]).astype(np.int32)
        next_state = np.array([s2 for _, row in listed for s2, _ in row], dtype=np.uint32)
        prob = np.array([p for _, row in listed for _, p in row])
        rows = row_ptr, next_state, prob, np.array([r for r, _ in listed]), 0.9, 1.0
        for s in range(1, S):
            yield "shifted", (pair_ptr, rows, s)
        place = np.array([3, 5, 0, 6, 1, 4, 2], dtype=np.int32)
        counts = np.diff(pair_ptr)[np.argsort(place)]
        to = (np.cumsum(counts) - counts)[place].astype(np.int32)
        for first in (0, 2):
            known, work = (
                (np.full(24, 7.0), np.full(8, 7.0)),
                (np.full(SLOTS, -1, dtype=np.int16), np.full(3, 7)),
            )
            room = np.full(3 * S, 7, dtype=np.uint32), np.full(len(listed), 7, dtype=np.int16)
            yield "pack_kinds", ((0,) * 3, pair_ptr, rows, place, to, first, S, *room, known, work, 0)


def swept_calls(width, ptr, packed, start, v):
    """Yield calls of sweeps over packed rows of either form."""
    S, W = len(v), len(width)
    yield "number_of", (packed, 3)
    yield "places_of", (width, packed, 2, 3)
    own_width = (0,) * min(W, 5)
    own = np.full(S * len(own_width), 7, dtype=np.uint32), np.full(S * len(own_width), 7.0), np.full(S, 7.0)
    chosen = np.where(np.diff(ptr) > 0, ptr[:-1], -1).astype(np.int32)
    for first, last in ((start, S), (max(start, 3), 6), (5, 5)):
        yield "first_values", (width, ptr, packed, first, last, chosen, v)
        for span in (SPAN, (-1e9, 1e9)):
            changed = np.full(S, 7, dtype=np.int32)
            yield "improve", (width, ptr, packed, first, last, np.array(span), chosen, changed, v)
    for places in (np.arange(S, dtype=np.int32), np.array([4, 2], dtype=np.int32)):
        for narrow in (own_width, (0,) * 2):
            yield "take", (width, packed, chosen, places, narrow, own)
    ways = [(own_width, own)]
    if len(packed) == 4:
        kinds = np.full(S * W, 7, dtype=np.uint32), *packed[1:3], np.full(S, 0, dtype=np.int16)
        yield "take", (width, packed, chosen, np.arange(S, dtype=np.int32), width, kinds)
        ways.append((width, kinds))
    for way in ways:
        reference.take(width, packed, chosen, np.arange(S), *way)
        for span, omega in ((SPAN, 1.0), (SPAN, 1.5), ((-1e9, 1e9), 1.0)):
            yield "evaluate", (*way, start, S, np.array(span), omega, v)
        for limits in ((0.0, math.inf), (50.0, 2.0), (1e-9, 0.3), (0.0, 0.0)):
            for omega, most in ((1.0, 4), (1.5, 3), (1.5, 1)):
                room = np.full(2, 7.0), np.full(most, 7.0)
                yield "evaluate_often", (*way, start, S, omega, limits, *room, v)


def ordered_calls(seed):
    yield from order_calls(seed)
    yield from stored_calls(seed)
    yield from packed_calls(seed)
    if seed == 0:
        yield from moved_calls()
