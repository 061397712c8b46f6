"""Every kernel against its slow twin in tests/support/reference.py: the same arguments must leave the same bits.

Where the kernels are compiled, `.py_func` is a third opinion. Work arrays, whose contents nobody reads, are left out.
"""

from __future__ import annotations

import numpy as np
import pytest
import reference
from planning_calls import bellman_calls, graph_calls, left, numbers, span_calls

from tabular_rl.kernels import bellman, episodes, graph
from tabular_rl.kernels.episodes import Decisions
from tabular_rl.kernels.walk import Model
from tabular_rl.solving.sampling import cumulative


def same(kernel, *arguments):
    """Call a kernel, its Python function and its twin on copies of the arguments; compare bytes and results."""
    name = kernel.__name__
    calls = [kernel, getattr(reference, name), *([kernel.py_func] if hasattr(kernel, "py_func") else [])]
    first, *others = (left(call, name, arguments) for call in calls)
    for other in others:
        assert other == first, name


@pytest.mark.small
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("seed", range(10))
def test_bellman_kernels_have_the_bits_of_their_twins(seed, sign):
    for name, arguments in bellman_calls(seed, sign):
        same(getattr(bellman, name), *arguments)


@pytest.mark.small
def test_span_widens_as_its_twin():
    for name, arguments in span_calls():
        same(getattr(bellman, name), *arguments)


@pytest.mark.small
@pytest.mark.parametrize("seed", range(20))
def test_graph_kernels_have_the_bits_of_their_twins(seed):
    for name, arguments in graph_calls(seed):
        same(getattr(graph, name), *arguments)


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
