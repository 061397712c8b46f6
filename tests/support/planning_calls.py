"""Calls of the kernels of planning, bellman, graph and flow, on small drawn inputs, and what they leave behind."""

from __future__ import annotations

import copy
import math

import numpy as np
import reference

SPAN = (math.inf, -math.inf)
# The places of work arrays, whose contents nobody reads.
WORK = {
    "strong_components": {6, 7, 8, 9, 10},
    "split_last": {6},
    "split": {7},
    "search_forward": {5},
    "search_backward": {4},
    "isolate": {7},
}


def numbers(seed, S=9, A=3, b=4):
    """A ragged model as arrays, with a terminal state, probabilities 0 and repeated successors."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, A + 1, S)
    counts[rng.integers(S)] = 0
    pair_ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    L = int(pair_ptr[-1])
    row_ptr = np.concatenate([[0], np.cumsum(rng.integers(1, b + 1, L))]).astype(np.int32)
    K = int(row_ptr[-1])
    next_state = rng.integers(0, S, K).astype(np.int32)
    prob = rng.random(K) * (rng.random(K) < 0.8)
    for i in range(L):
        row = slice(row_ptr[i], row_ptr[i + 1])
        prob[row] = prob[row] / prob[row].sum() if prob[row].sum() else 1 / (row_ptr[i + 1] - row_ptr[i])
    r = rng.normal(size=L) * 10.0 ** rng.integers(-3, 4)
    for array in (pair_ptr, row_ptr, next_state, prob, r):
        array.setflags(write=False)
    return rng, pair_ptr, row_ptr, next_state, prob, r


def copied(arguments):
    """Copies of a kernel's arguments, but for arrays that nobody may write to: they are compiled for as in use.

    One array given twice stays one.
    """
    known = {}

    def look(x):
        if isinstance(x, (tuple, list)):
            for part in x:
                look(part)
        elif isinstance(x, np.ndarray) and not x.flags.writeable:
            known[id(x)] = x

    look(arguments)
    return copy.deepcopy(arguments, known)


def left(call, name, arguments):
    """What a kernel of this name, or its twin, returns and leaves in copies of its arguments."""
    own = copied(list(arguments))
    with np.errstate(all="ignore"):
        result = call(*own)
    arrays = [
        (np.where(np.isnan(x), np.nan, x + 0.0) if x.dtype.kind == "f" else x).tobytes()
        for i, x in enumerate(own) if isinstance(x, np.ndarray) and i not in WORK.get(name, ())
    ]  # fmt: skip
    return repr(np.asarray(result, dtype=float).tolist()), arrays


def bellman_calls(seed, sign=1.0):
    """Yield (name, arguments): all kernels of a block, forward and backward, in place and not, with NaN and inf."""
    rng, pair_ptr, row_ptr, next_state, prob, r = numbers(seed)
    S, L = len(pair_ptr) - 1, len(r)
    gamma = float(rng.choice([0.0, 0.5, 0.999, 1.0]))
    v = rng.normal(size=S) * 100
    if seed % 3 == 0:
        v[rng.integers(S)] = rng.choice([math.inf, -math.inf, math.nan, 1e308, -0.0])
    weight = rng.random(L) * (rng.random(L) < 0.7)
    live = np.diff(pair_ptr) > 0
    chosen = np.where(live, pair_ptr[:-1] + rng.integers(0, 100, S) % np.maximum(np.diff(pair_ptr), 1), -1)
    rows = (row_ptr, next_state, prob, r, gamma, sign, (0,) * (0, 4, 6)[seed // 2 % 3])
    best, out, q = np.full(S, -7, dtype=np.int32), np.full(S, 7.0), np.full(L, 7.0)
    for i in (int(rng.integers(L)), 0, L - 1):
        yield "row_value", (rows, i, v)
    for first, last in ((0, S), (2, 6), (4, 4), (0, 1)):
        yield "row_backup", (pair_ptr, rows, v, first, last, q)
        yield "row_changes", (pair_ptr, rows, v, first, last, q, q + 1)
        alike = (*rows[:2], np.ones_like(prob), rng.integers(-2, 3, L) + 0.0, 0.0, sign, rows[6])  # with ties
        yield "full_backup", (pair_ptr, alike, v, first, last, np.array(SPAN), q, best, out)
        yield "full_backup", (pair_ptr, rows, v, first, last, np.array(SPAN), q, best, out)
        listed = rng.permutation(L)[:last].astype(np.int32)
        yield "listed_backup", (rows, listed, v, q[: len(listed)])
        K = int(np.diff(row_ptr)[listed].sum())
        made = np.full(len(listed) + 1, -7), np.full(K, -7), np.zeros(K), np.zeros(len(listed))
        yield "copy_rows", (listed, row_ptr, next_state, prob, r, *made)
        for a, b, step in ((first, last, 1), (last - 1, first - 1, -1)):
            for onto in (out, v):  # v itself: in place
                block = v, a, b, step, np.array(SPAN)
                yield "optimal_backup", (pair_ptr, rows, *block, best, onto)
                yield "chosen_backup", (rows, chosen, *block, onto)
                yield "mixed_backup", (pair_ptr, rows, weight, *block, onto)

    for some in (r, rng.integers(-2, 3, L) + 0.0):  # with ties
        yield "best_paid", (pair_ptr, some, sign, best)
    if seed % 2:
        q = rng.integers(-2, 3, L) + 0.0
        q[rng.integers(L)] = rng.choice([math.inf, -math.inf, math.nan])
    yield "not_below", (pair_ptr, q, rng.integers(-2, 3, S) + 0.0, rng.random(L) < 0.5)
    for share in (0.1, 0.4, 0.9):
        yield "sole_rows", (pair_ptr, rng.random(L) < share, chosen, rng.random(S) < 0.5)


def span_calls():
    """Yield the calls that widen a span: by less, by more, by what lies inside, by inf and NaN."""
    for span in (SPAN, (-1.0, 1.0), (math.nan, math.nan)):
        for change in (-2.0, 0.5, 3.0, math.inf, math.nan):
            yield "widened", (*span, change)


def move_calls(pair_ptr, in_ptr, in_row, edges, row_state, use):
    """Yield the calls that drop rows between a state that is left alone and others."""
    S = len(pair_ptr) - 1
    left, queue = np.bincount(row_state, use, minlength=S).astype(np.int64), np.full(S, -1, dtype=np.int32)
    away, into = np.zeros(S, dtype=np.int64), np.zeros(S, dtype=np.int64)
    yield "count_moves", (*edges, row_state, use, away.copy(), into.copy())
    reference.count_moves(*edges, row_state, use, away, into)
    for i in range(len(use)):
        yield "drop_move", (edges, row_state, i, away, into, queue, i % 3, left, use)
    yield "isolate", (pair_ptr, in_ptr, in_row, edges, row_state, away, into, queue, left, use)


def graph_calls(seed):
    """Yield (name, arguments): every search of a graph with loops, edges of weight 0 and rows that are not in use."""
    rng, pair_ptr, row_ptr, next_state, weight, r = numbers(seed, S=12, b=2)
    S, L = len(pair_ptr) - 1, len(r)
    row_state = np.repeat(np.arange(S, dtype=np.int32), np.diff(pair_ptr))
    use = rng.random(L) < 0.7
    edges = (row_ptr, next_state, weight)
    work = [np.full(S, -1, dtype=np.int32) for _ in range(6)]
    outcome_at, label = np.zeros(S, dtype=np.int64), np.full(S, -1, dtype=np.int32)
    yield "strong_components", (pair_ptr, *edges, use, *work[:5], outcome_at, label)
    in_ptr = np.zeros(S + 1, dtype=np.int64)
    yield "count_incoming", (*edges, use, in_ptr.copy())
    reference.count_incoming(*edges, use, in_ptr)
    in_row = np.full(int(in_ptr[-1]), -1, dtype=np.int32)
    yield "fill_incoming", (*edges, use, in_ptr[:-1].copy(), in_row.copy())
    reference.fill_incoming(*edges, use, in_ptr[:-1].copy(), in_row)
    queue, found, via = np.zeros(S, dtype=np.int32), rng.random(S) < 0.2, work[1]
    yield "search_forward", (pair_ptr, *edges, use, queue, found)
    chosen = np.where(np.diff(pair_ptr) > 0, pair_ptr[1:] - 1, -1).astype(np.int32)
    for states in ((0, S, 1), (S - 1, -1, -1), (3, S - 2, 1)):
        yield "pass_back", (*edges, chosen, *states, found)
        for some in (found, rng.random(S) < 0.6):
            yield "pass_back_all", (pair_ptr, *edges, *states, some)
    later = use & (rng.random(L) < 0.8)  # rows that went after the edges were turned round
    for still in (use, later):
        yield "search_backward", (in_ptr, in_row, row_state, still, queue, via, found)
    left = np.bincount(row_state, use, minlength=S).astype(np.int64)
    dead = np.flatnonzero(left == 0)
    queue = np.append(dead, np.zeros(S - len(dead), dtype=np.int64)).astype(np.int32)
    yield "discard", (in_ptr, in_row, row_state, len(dead), queue, left, use)
    label = rng.integers(0, 3, S).astype(np.int32)
    yield from move_calls(pair_ptr, in_ptr, in_row, edges, row_state, use)
    yield "drop_leaving", (*edges, row_state, label, np.full(S, -1, dtype=np.int32), left, use)
    yield from merge_calls(rng, pair_ptr, row_ptr, next_state, weight)


def merge_calls(rng, pair_ptr, row_ptr, next_state, prob):
    """Yield the calls that make a model of some rows, where states are merged and some are not kept."""
    S, L = len(pair_ptr) - 1, len(row_ptr) - 1
    gone, of_state = rng.random(L) < 0.3, rng.integers(0, S // 2, S).astype(np.int32)
    yield "count_rows", (pair_ptr, gone, of_state, np.zeros(S, dtype=np.int32))
    count = np.bincount(np.repeat(of_state, np.diff(pair_ptr))[~gone], minlength=S)
    first = (np.cumsum(count) - count).astype(np.int32)
    yield "list_rows", (pair_ptr, gone, of_state, first, np.full(int(count.sum()), -7, dtype=np.int32))
    rows = np.where(rng.random(L) < 0.3, -1, rng.integers(0, L, L)).astype(np.int32)
    ptr = np.append(0, np.cumsum(np.where(rows < 0, 1, np.diff(row_ptr)[rows]))).astype(np.int32)
    named = np.where(rng.random(S) < 0.3, -1, of_state).astype(np.int32)
    for reward in (prob[:0], rng.normal(size=len(prob))):
        made = np.full(int(ptr[-1]), -7, dtype=np.int32), np.full(int(ptr[-1]), 7.0)
        paid = np.full(int(ptr[-1]) * bool(len(reward)), 7.0)
        yield "take_rows", (rows, (row_ptr, next_state, prob, reward), named, S - 1, ptr, *made, paid)
    zero, one = np.zeros(1, dtype=np.int32), np.ones(1)
    for row in (zero, zero - 1):
        given = np.array([0, 1]), zero, one, one + 1
        yield "take_rows", (row, given, zero, 0, np.array([0, 1]), zero + 3, one + 3, one + 4)


def flow_calls(seed):
    """Yield (name, arguments): passes along orders that fit and that do not, over chains with loops and edges of 0."""
    rng, pair_ptr, row_ptr, next_state, prob, r = numbers(seed, S=12, b=2)
    S = len(pair_ptr) - 1
    live = np.diff(pair_ptr) > 0
    row = np.where(live, pair_ptr[:-1], 0)
    order = rng.permutation(S).astype(np.int32)
    for away in (0.0, 0.2, 0.5):
        zero = ~live | (rng.random(S) < away)
        number, into = np.where(zero, 0, -1).astype(np.int32), np.zeros(S, dtype=np.int32)
        # A chain in which most lead on, to states of higher numbers, and one in which anything leads anywhere.
        ahead = np.minimum(np.repeat(np.arange(len(r)), np.diff(row_ptr)) % S + 1, S - 1).astype(np.int32)
        for to in (next_state, np.where(rng.random(len(prob)) < 0.8, ahead, next_state).astype(np.int32)):
            for along in (order, np.arange(S - 1, -1, -1, dtype=np.int32)):
                label = np.full(S, -1, dtype=np.int32)
                chain = along, row_ptr[row], row_ptr[row + 1], to, prob, number
                yield "split_first", (*chain, label)
                yield "split_last", (*chain, into, label)
                room = np.full((3, S), 7, dtype=np.int32)
                yield "split", (*chain[:-1], ~zero, *room)
    for gamma, noise in ((1.0, 0.0), (1.0, 0.5), (0.9, 1e-3), (0.5, 5.0), (0.5, 1e9)):
        v, chosen = rng.normal(size=S) * 10, row.copy()
        sign = float(rng.choice([-1.0, 1.0]))
        rows = row_ptr, next_state, prob, np.round(r), gamma, sign
        for along in (order, order[:5]):
            yield "carry_back", (along, pair_ptr, rows, noise, v, chosen)
    ties = row_ptr, next_state, np.ones_like(prob), np.ones_like(r), 1.0, 1.0
    yield "carry_back", (order, pair_ptr, ties, 0.0, np.zeros(S), row.copy())
