"""Every kernel against its slow twin in tests/support/reference.py: the same arguments must leave the same bits.

Where the kernels are compiled, `.py_func` is a third opinion. Work arrays, whose contents nobody reads, are left out.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import reference

from tabular_rl.kernels import bellman, episodes, graph
from tabular_rl.kernels.episodes import Decisions
from tabular_rl.kernels.walk import Model
from tabular_rl.solving.sampling import cumulative

WORK = {"strong_components": {5, 6, 7, 8, 9, 10}, "search_forward": {5}, "search_backward": {4}}


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


def same(kernel, *arguments):
    """Call a kernel, its Python function and its twin on copies of the arguments; compare bytes and results."""
    name = kernel.__name__
    calls = [kernel, getattr(reference, name), *([kernel.py_func] if hasattr(kernel, "py_func") else [])]
    left = []
    with np.errstate(all="ignore"):
        for call in calls:
            own = copy.deepcopy(list(arguments))  # one array given twice stays one
            result = call(*own)
            arrays = [
                (x + 0.0 if x.dtype.kind == "f" else x).tobytes()
                for i, x in enumerate(own) if isinstance(x, np.ndarray) and i not in WORK.get(name, ())
            ]  # fmt: skip
            left.append((repr(np.asarray(result, dtype=float).tolist()), arrays))
    for other in left[1:]:
        assert other == left[0], name


SPAN = (math.inf, -math.inf)


@pytest.mark.small
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("seed", range(10))
def test_bellman_kernels_have_the_bits_of_their_twins(seed, sign):
    rng, pair_ptr, row_ptr, next_state, prob, r = numbers(seed)
    S, L = len(pair_ptr) - 1, len(r)
    gamma = float(rng.choice([0.0, 0.5, 0.999, 1.0]))
    v = rng.normal(size=S) * 100
    if seed % 3 == 0:
        v[rng.integers(S)] = rng.choice([math.inf, -math.inf, math.nan, 1e308, -0.0])
    weight = rng.random(L) * (rng.random(L) < 0.7)
    live = np.diff(pair_ptr) > 0
    chosen = np.where(live, pair_ptr[:-1] + rng.integers(0, 100, S) % np.maximum(np.diff(pair_ptr), 1), -1)
    rows = (row_ptr, next_state, prob, r, gamma, sign)
    best, out, q = np.full(S, -7, dtype=np.int32), np.full(S, 7.0), np.full(L, 7.0)
    same(bellman.row_value, rows, int(rng.integers(L)), v)
    for first, last in ((0, S), (2, 6), (4, 4)):
        same(bellman.row_backup, pair_ptr, rows, v, first, last, q)
        listed = rng.permutation(L)[:last].astype(np.int32)
        same(bellman.listed_backup, rows, listed, v, q[: len(listed)])
        for a, b, step in ((first, last, 1), (last - 1, first - 1, -1)):
            for onto in (out, v):  # v itself: in place
                block = v, a, b, step, np.array(SPAN)
                same(bellman.optimal_backup, pair_ptr, rows, *block, best, onto)
                same(bellman.chosen_backup, rows, chosen, *block, onto)
                same(bellman.mixed_backup, pair_ptr, rows, weight, *block, onto)


@pytest.mark.small
@pytest.mark.parametrize("change", [-2.0, 0.5, 3.0, math.inf, math.nan])
@pytest.mark.parametrize("span", [SPAN, (-1.0, 1.0), (math.nan, math.nan)])
def test_span_widens_as_its_twin(span, change):
    same(bellman.widened, *span, change)


@pytest.mark.small
@pytest.mark.parametrize("seed", range(20))
def test_graph_kernels_have_the_bits_of_their_twins(seed):
    rng, pair_ptr, row_ptr, next_state, weight, r = numbers(seed, S=12, b=2)
    S, L = len(pair_ptr) - 1, len(r)
    row_state = np.repeat(np.arange(S, dtype=np.int32), np.diff(pair_ptr))
    use = rng.random(L) < 0.7
    edges = (row_ptr, next_state, weight)
    work = [np.full(S, -1, dtype=np.int32) for _ in range(6)]
    outcome_at, label = np.zeros(S, dtype=np.int64), np.full(S, -1, dtype=np.int32)
    same(graph.strong_components, pair_ptr, *edges, use, *work[:5], outcome_at, label)
    in_ptr = np.zeros(S + 1, dtype=np.int64)
    same(graph.count_incoming, *edges, use, in_ptr)
    reference.count_incoming(*edges, use, in_ptr)
    in_row = np.full(int(in_ptr[-1]), -1, dtype=np.int32)
    same(graph.fill_incoming, *edges, use, in_ptr[:-1].copy(), in_row)
    reference.fill_incoming(*edges, use, in_ptr[:-1].copy(), in_row)
    queue, found, via = work[0], rng.random(S) < 0.2, work[1]
    same(graph.search_forward, pair_ptr, *edges, use, queue, found)
    same(graph.search_backward, in_ptr, in_row, row_state, use, queue, via, found)
    left = np.bincount(row_state, use, minlength=S).astype(np.int64)
    dead = np.flatnonzero(left == 0)
    queue[: len(dead)] = dead
    same(graph.discard, in_ptr, in_row, row_state, len(dead), queue, left, use)
    label = rng.integers(0, 3, S).astype(np.int32)
    same(graph.drop_leaving, *edges, row_state, label, np.full(S, -1, dtype=np.int32), left, use)


@pytest.mark.small
@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("by_outcome", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_play_has_the_bits_of_its_twin(seed, by_outcome, restarts):
    rng, pair_ptr, row_ptr, next_state, prob, r = numbers(seed)
    S, L, n, m = len(pair_ptr) - 1, len(r), 6, 5
    stop = np.diff(pair_ptr) == 0
    start = np.where(stop, 0.0, rng.random(S) * (rng.random(S) < 0.8) + 1e-9)
    model = Model(
        pair_ptr, np.repeat(np.arange(S), np.diff(pair_ptr)), row_ptr, next_state, cumulative(prob, row_ptr),
        rng.normal(size=len(prob)) if by_outcome else np.zeros(0), r, 0.9, stop, cumulative(start / start.sum()),
    )  # fmt: skip
    rows = np.where(rng.random((2, S)) < 0.5, -1, pair_ptr[:-1].astype(np.int64))
    weight = rng.random((3, L))
    sums = np.add.reduceat(weight, pair_ptr[:-1][~stop], axis=1)
    weight /= np.repeat(sums, np.diff(pair_ptr)[~stop], axis=1)
    policy = Decisions(rows, np.stack([cumulative(one, pair_ptr) for one in weight]))
    uniforms = rng.random((n, m, 3 if restarts else 2))
    uniforms[0] = 1 - 2.0**-53
    state, clock = rng.choice(np.flatnonzero(~stop), n), rng.integers(0, 2, n)
    returns = np.full(n, 0.5), np.zeros(n)
    for kept in (returns, (np.zeros(0), np.zeros(0))):
        size = (n, m) if len(kept[0]) == 0 or seed % 2 else (0, 0)
        made = [np.zeros(size, dtype=kind) for kind in (np.int64, np.int64, np.bool_)]
        same(episodes.play, model, policy, 4 * (seed % 2), uniforms, state, clock, *kept, *made)
