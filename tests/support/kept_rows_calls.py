"""Calls of the kernels of action elimination and of aggregation, on small drawn inputs."""

from __future__ import annotations

import math

import numpy as np
import reference_kept_rows as reference
from planning_calls import SPAN, numbers
from reference_sharing import first_of_runs


def kept_of(pair_ptr, rows, width, room):
    """Arrays for kept rows; what nobody wrote is 7."""
    S, n = len(pair_ptr) - 1, room * len(width)
    return (
        np.zeros(S + 1, dtype=np.int32), np.full(room, 7, dtype=np.int32), np.full(S, -7, dtype=np.int32),
        np.full(n, 7, dtype=np.uint32), np.full(n, 7.0), np.full(room if width else 0, 7.0),
    )  # fmt: skip


def drawn(seed, sign):
    """A ragged model with one row of consecutive successors; every third has whole numbers, so that rows tie."""
    rng, pair_ptr, row_ptr, next_state, prob, r = numbers(seed)
    L, S = len(r), len(pair_ptr) - 1
    next_state, r = next_state.astype(np.uint32), r.copy()
    i = int(np.argmax(np.diff(row_ptr)))
    next_state[row_ptr[i] : row_ptr[i + 1]] = np.arange(row_ptr[i + 1] - row_ptr[i]) + seed % 3
    gamma = float(rng.choice([0.0, 0.5, 0.999]))
    v = rng.normal(size=S)
    if seed % 3 == 0:
        r[:], v[:] = rng.integers(-1, 2, L), rng.integers(-2, 3, S)
    v[np.diff(pair_ptr) == 0] = 0.0
    run = np.full(L, -7, dtype=np.int64)
    first_of_runs(row_ptr, next_state, run)
    for array in (next_state, r, run):
        array.setflags(write=False)
    return rng, pair_ptr, (row_ptr, next_state, prob, r, gamma, sign, run), v


def kept_rows_calls(seed, sign=1.0):
    """Yield (name, arguments): copies and lists, with ties, terminals, rows at the end of the arrays, no room."""
    rng, pair_ptr, rows, v = drawn(seed, sign)
    S, L = len(pair_ptr) - 1, int(pair_ptr[-1])
    work = lambda: (np.full(3, 7.0), np.full(3, 7, dtype=np.int32))  # noqa: E731
    origin = v + rng.normal(size=S)
    whole = rows
    for width in ((0,) * 4, ()):
        rows = (*whole[:6], np.zeros(0, dtype=np.int64) if width else whole[6])
        for i in range(L):
            yield "whole_row_value", (width, rows, i, v)
        for first, step in ((0, 1), (1, 3)):
            change = np.full(len(range(first, S, step)), 7.0)
            yield "sampled_gaps", (width, pair_ptr, rows, v, first, step, change, np.full(L, 7.0))
    rows = (*whole[:6], (0,) * 4)
    for s in range(S):
        for least in (-math.inf, 0.0, math.nan, math.inf):
            yield "best_near", (pair_ptr, rows, v, s, least, work())
        yield "best_of_all", (pair_ptr, rows, v, s, work())
    top, change = rows[4] * v.max(), float(rng.normal())
    for width in ((0,) * 4, ()):
        rows = (*whole[:6], width)
        for delta in (0.0, 0.5, 2.0, -1.0):
            for most, least in ((math.inf, -math.inf), (top, change)):
                for room in (L, L // 2):
                    kept, limits = kept_of(pair_ptr, rows, width, room), (delta, most, least)
                    for first, last in ((0, S), (0, 3)):
                        where = width, pair_ptr, rows, v, first, last, limits, work(), np.array(SPAN)
                        yield "filtered_backup", (*where, kept, np.full(S, 7.0))
        kept = kept_of(pair_ptr, rows, width, L)
        free = float(rng.choice([0.5, 2.0])), math.inf, -math.inf
        start = width, pair_ptr, rows, v, 0, S, free, work(), np.array(SPAN), kept, np.empty(S)
        reference.filtered_backup(*start)
        later = width, pair_ptr, rows, v, 4, S, free, work(), np.array(SPAN), kept, np.full(S, 7.0)
        yield "filtered_backup", later
        run = np.zeros(0, dtype=np.int64) if width else whole[6]
        if width:
            yield from coded_calls(width, pair_ptr, rows, kept, v)
        yield from kept_calls(rng, width, (*whole[:6], run), kept, v, origin)


def coded_calls(width, pair_ptr, rows, kept, v):
    """Yield (name, arguments) of sweeps from codes of values: of all rows, and of those that are chosen."""
    S, L = len(v), int(pair_ptr[-1])
    for steps, kind in (((v.min(), 0.5), np.uint8), ((v.min() - 1, 0.25), np.uint16)):
        code = np.full(S, 7, dtype=kind)
        yield "coded", (v, steps[0], 1 / steps[1], code)
        reference.coded(v, steps[0], 1 / steps[1], code)
        for i in range(L):
            yield "coded_row_value", (width, rows, i, code, steps)
        best = kept_of(pair_ptr, rows, width, L)
        for first in (0, 4):
            where = width, pair_ptr, rows, code, steps, v, first, S, np.array(SPAN), best, np.full(S, 7.0)
            yield "best_coded_backup", where
            reference.best_coded_backup(*where)
        for first, last in ((0, S), (2, 6)):
            own = (kept[0], kept[1], kept[2][first:last], *kept[3:])
            arrays = np.array(SPAN), np.full(last - first, 7.0), v[first:last]
            yield "coarse_policy_backup", (width, own, code, steps, rows[4], *arrays)


def kept_calls(rng, width, rows, kept, v, origin):
    """Yield (name, arguments) of what is done with rows that are kept."""
    S, n = len(v), int(kept[0][-1])
    other = (*kept[:4], 2 * kept[4], kept[5])  # copies that are not those of the model
    for j in range(0, n, 3):
        yield "kept_value", (width, rows, other, j, v)
        yield "sure_value", (width, (*rows[:6], width), other, j, v)
        if width:
            fresh = (kept[0], kept[1], kept[2], *(np.full_like(x, 7) for x in kept[3:]))
            yield "keep_row", (width, rows, j, S - 1, fresh)
    q, out = np.full(len(kept[1]), 7.0), np.full(S, 7.0)
    for first, last in ((0, S), (2, 6)):
        spans, states = (np.array(SPAN), np.array(SPAN)), slice(first, last)
        own = (kept[0][first : last + 1], kept[1], kept[2][states], *kept[3:])
        changes = -v[states], origin[states], *spans
        yield "kept_backup", (width, (*rows[:6], width), own, -v, *changes, q, out[states])
        yield "kept_policy_backup", (width, rows, own, v, v[states], np.array(SPAN), out[states])
    if width:
        w = len(width)
        parts = ((kept[3], w), (kept[4], w), (kept[5], 1))
        packed = tuple(np.full((S + 1) * m, 7, dtype=x.dtype) for x, m in parts)
        yield "pack_chosen", (width, kept, packed)
        reference.pack_chosen(width, kept, packed)
        for first, last in ((0, S), (2, 6)):
            outcomes, states = slice(first * w, last * w), slice(first, last)
            some = packed[0][outcomes], packed[1][outcomes], packed[2][states]
            yield "packed_policy_backup", (width, *some, rows[4], v, -v[states], np.array(SPAN), out[states])
    reference.kept_backup(width, rows, kept, v, v, origin, np.array(SPAN), np.array(SPAN), q, out)
    middle = float(np.median(np.repeat(out, np.diff(kept[0])) - q[:n]))
    for delta in (0.0, 0.3, middle):
        yield "count_near", (kept[0], q, out, delta)
        yield "thin_out", (width, q, out, delta, kept)
    w = v + rng.normal(size=S) * (kept[2] >= 0)
    low, high = float((w - v).min()), float((w - v).max())
    group = np.full(S, -7, dtype=np.int32)
    for bottom, top in ((low, high), (low + 0.1, high - 0.1)):
        yield "grouped", (kept[2], v, w, bottom, 4 / (top - bottom), 4, group)
    reference.grouped(kept[2], v, w, low, 4 / (high - low), 4, group)
    sums = np.zeros(5), np.zeros(5), np.zeros((5, 5))
    yield "group_chain", (width, rows, other, v, w, group, *sums)
    yield "shift_groups", (group, rng.normal(size=5), w)


def periodic_calls(seed):
    """Yield (name, arguments): a chain of 4 classes of 3 states, a leak, states that lead there, a terminal one."""
    rng = np.random.default_rng(seed)
    begin, end, to, prob = [], [], [], []
    for s in range(18):
        inside = [3 * ((s // 3 + 1) % 4) + int(t) for t in rng.permutation(3)[: 1 + s % 3]]
        leads = inside if s < 12 else [s - 1 if s > 12 else 2, int(rng.integers(12))][: 1 + s % 2]
        p = rng.permutation([1.0, 2.0, 2.0, 4.0])[: len(leads)]
        if s == 4 and seed % 2:
            leads, p = [*leads, 4], [*p, 0.25]
        if s == 17:
            leads = p = []
        begin.append(len(to) + s)  # with a hole, of what nobody reads, before each
        to += [17] * (begin[-1] - len(to)) + leads
        prob += [8.0] * (begin[-1] - len(prob)) + [x / 8 for x in p]
        end.append(len(to))
    arrays = np.array(begin), np.array(end), np.array(to, dtype=np.uint32), np.array(prob)
    for s in range(18):
        yield "likeliest", (begin[s], end[s], arrays[3])
        for share in (1e-9, 0.25, 0.5, 1.0):
            for steps in (0, 1, 2, 7 + s):
                yield "settled", (*arrays, share, s, steps)
            queue, level = np.full(18, 7), np.full(18, -1, dtype=np.int32)
            queue[0] = s
            yield "periods", (*arrays, share, 1 + s % 2, level, queue)
            yield "periods", (*arrays, share, 2 - s % 2, level, queue)
    for directions in ((0, 18, 1), (17, -1, -1), (12, 16, 1)):
        for known in (12, 3, 1):
            group = np.full(18, -1, dtype=np.int32)
            group[:known] = np.arange(known) // 3
            yield "lead_into", (*arrays, 4 + np.arange(-1, 7, dtype=np.int32) % 4, *directions, group)
