"""Every small mistake in the kernels that make a model's arrays, and look at its numbers, is found."""

from __future__ import annotations

import functools
import math
import operator

import numpy as np
import pytest
import reference_build
from mutants import Check, check_every_mistake_is_found, functions, kernels_of, plain
from planning_calls import left

from tabular_rl.kernels import build

SEEDS = 12
NOBODY = np.zeros(0, dtype=bool)  # has looked which rows are alike
ALIKE = {
    "look_at_rows: if not largest <= 1e+300: -> if not largest <= 1e+300: (2)",  # plus 1
}


def model(seed, S=5, A=3):
    """A ragged model as arrays, with a terminal state and repeated successors."""
    rng = np.random.default_rng(seed)
    actions = [sorted(rng.permutation(A)[: rng.integers(1, A + 1)].tolist()) for _ in range(S)]
    actions[rng.integers(S)] = []
    pair_ptr = np.cumsum([0, *map(len, actions)]).astype(np.int32)
    pair_action = np.concatenate(actions).astype(np.int32)
    sizes = rng.integers(1, 5, len(pair_action))
    row_ptr = np.cumsum([0, *sizes]).astype(np.int32)
    next_state = np.concatenate([np.sort(rng.integers(0, S, n)) for n in sizes]).astype(np.int32)
    return rng, pair_ptr, pair_action, row_ptr, next_state


def sums_to_one(rng, n, wide):
    """Probabilities whose sum is 1, to rounding: of one size, or of sizes from 1 down to 2**-50."""
    p = rng.random(n) * (2.0 ** -rng.integers(0, 50, n) if wide else 1.0)
    p[rng.integers(n)] = 1.0
    return p / p.sum()


def defect_calls(seed):
    rng = np.random.default_rng(seed)
    for wide in (False, True):
        prob = np.concatenate([sums_to_one(rng, n, wide) for n in (3, 7, 1, 9)])
        for first, last in ((0, 3), (3, 10), (10, 11), (11, 20), (5, 5)):
            yield "mass_defect", (prob, first, last)
    yield "mass_defect", (np.array([0.0, 0.75, 0.0, 0.125]), 0, 4)
    yield "mass_defect", (np.zeros(2), 0, 2)
    half = [2.0**-27, 3 * 2.0**-27, 0.5 + 2.0**-53, 2.0**-53, 3 * 2.0**-53]  # ties: to even
    yield "mass_defect", (np.array(half), 0, 5)
    yield "mass_defect", (rng.random(6) * 2.0**-80, 0, 6)
    for tiny in (0.0, 2.0**-53, 2.0**-54, 2.0**-55, -(2.0**-60), -0.25, 2.0**-106, 3 * 2.0**-108, 2.0**-120):
        yield "mass_defect", (np.array([0.5, tiny, 0.5]), 0, 3)
        yield "mass_defect", (np.array([0.25, 0.5, 0.5, tiny]), 1, 4)


def look_calls(seed):
    rng, pair_ptr, _, row_ptr, _ = model(seed)
    L = len(row_ptr) - 1
    prob = np.concatenate([sums_to_one(rng, n, False) for n in np.diff(row_ptr)])
    reward = rng.normal(size=len(prob)) * 10.0 ** rng.integers(-3, 4)
    r = np.array([sum(prob[k] * reward[k] for k in range(*row_ptr[i : i + 2])) for i in range(L)])
    none = np.zeros(0)

    def call(prob, reward, r, first=0, last=L, compare=True, before=(0.0, 0.0, 0.0), known=NOBODY):
        s = int(np.searchsorted(pair_ptr, first, side="right")) - 1
        smallest, facts = np.full(len(pair_ptr) - 1, math.inf), np.array(before)
        return "look_at_rows", (
            pair_ptr,
            (row_ptr, prob, reward, r),
            known,
            first,
            last,
            s,
            compare,
            facts,
            smallest,
        )

    def changed(array, at, value):
        made = array.copy()
        made[at] = value
        return made

    yield call(prob, reward, r)
    yield call(prob, none, r)
    yield call(prob, none, r * 100, first=1, last=L - 1)
    yield call(prob, reward, r, before=(1e9, 2e9, 3e9))
    k, i = int(rng.integers(len(prob))), int(rng.integers(L))
    known = rng.random(L) < 0.5
    for x in (math.nan, math.inf, -0.25, 1e-17, prob[k] * (1 + 2.0**-40), 0.0):
        yield call(changed(prob, k, x), none, r)
        yield call(changed(prob, k, x), none, r, known=known)
    n = int(row_ptr[i + 1] - row_ptr[i])
    scale = float(np.abs(reward[row_ptr[i] : row_ptr[i + 1]]).max())
    for off in (n + 4, n + 6, 2 * n + 30):
        moved = changed(r, i, r[i] + off * 2.0**-52 * scale)
        yield call(prob, reward, moved)
        yield call(prob, reward, moved, compare=False)
    yield call(prob, reward, changed(r, i, 50 * scale), compare=False)
    for x in (math.nan, -math.inf, 1e300, -1e300, 1.1e300):
        yield call(prob, reward, changed(r, i, x))
        yield call(prob, none, changed(r, i, x))


def edge_calls():
    """Rows at the edges: what they miss of 1, the least probability, and how long they are."""
    none, one = np.zeros(0), np.array([0, 1], dtype=np.int32)

    def row(prob, reward=none, r=0.0):
        prob = np.array(prob)
        ptr = np.array([0, len(prob)], dtype=np.int32)
        facts, smallest = np.zeros(3), np.array([math.inf])
        rows = ptr, prob, np.array(reward), np.array([r])
        return "look_at_rows", (one, rows, NOBODY, 0, 1, 0, True, facts, smallest)

    u = 2.0**-52
    for miss in (u, 2 * u, 3 * u, -u, -2 * u, -3 * u):
        yield row([1.0 - miss])
        yield row([0.5, 0.5 - miss])
    for least in (2.0**-53, 2.0**-52, 2.0**-52 * (1 - 2.0**-52), 2.0**-51):
        yield row([1.0 - least, least])
    yield row([])
    for length, miss in ((4096, 2.0**-41), (4096, 2.0**-40), (2049, 2.0**-42), (5000, 3 * 2.0**-42)):
        prob = np.full(length, 2.0**-20)
        prob[0] = 1.0 - miss - (length - 1) * 2.0**-20
        yield row(prob)
    for off in (5, 6, 7, 8):
        yield row([1.0], [1.0], 1.0 + off * u)
        yield row([0.5, 0.5], [1.0, 1.0], 1.0 + off * u)


def pair_calls(seed):
    rng, pair_ptr, pair_action, _, _ = model(seed)
    ends = np.diff(pair_ptr) == 0
    yield "pairs_rise", (pair_ptr, pair_action, ends, 3)
    yield "pairs_rise", (pair_ptr, pair_action, ends, int(pair_action.max()) + 1)
    yield "pairs_rise", (pair_ptr, pair_action, ends, int(pair_action.max()))
    yield "pairs_rise", (pair_ptr, pair_action[::-1].copy(), ends, 3)
    yield "pairs_rise", (pair_ptr, pair_action - 1, ends, 3)
    s = int(rng.integers(len(ends)))
    yield "pairs_rise", (pair_ptr, pair_action, ends ^ (np.arange(len(ends)) == s), 3)
    alone = np.array([0, 2], dtype=np.int32)
    for actions in ([0, 0], [0, 1], [1, 0], [-1, 0], [1, 2]):
        yield "pairs_rise", (alone, np.array(actions, dtype=np.int32), np.array([False]), 2)


def sparse_rows(rng, n, S, once=False):
    """Rows of a sparse matrix: in order, with entries that are 0, and places that stand twice unless `once`."""
    sizes = rng.integers(0, 4, n)
    ptr = np.cumsum([0, *sizes]).astype(np.int32)
    draw = (lambda k: np.sort(rng.permutation(S)[:k])) if once else (lambda k: np.sort(rng.integers(0, S, k)))
    index = np.concatenate([draw(k) for k in sizes]).astype(np.int32)
    return ptr, index, (rng.random(len(index)) + 0.5) * (rng.random(len(index)) < 0.8)


def build_calls(seed):
    rng = np.random.default_rng(seed)
    S, A = 4, 3
    ptr, index, data = sparse_rows(rng, S * A, S)
    counts = np.full(S * A + 1, 7, dtype=np.int32)
    yield "count_entries", (ptr, data, 1, counts)
    yield "count_entries", (ptr[: S + 1], data, A, counts)
    yield "count_entries", (np.array([0, 2, 1], dtype=np.int32), np.ones(2), 1, counts)
    block = (rng.random((S * A, S)) + 0.5) * (rng.random((S * A, S)) < 0.5)
    block[rng.integers(S * A)] = 0.0
    yield "count_numbers", (block, counts)
    sizes = np.append([np.count_nonzero(data[ptr[j] : ptr[j + 1]]) for j in range(S * A)], 9).astype(np.int32)
    pair_ptr, pair_action = np.full(S + 1, -1, dtype=np.int32), np.full(S * A, -1, dtype=np.int32)
    yield "lay_out", (A, sizes, pair_ptr, pair_action)

    def laid_out(sizes):
        row_ptr, first, action = sizes.copy(), pair_ptr.copy(), pair_action.copy()
        L = reference_build.lay_out(A, row_ptr, first, action)
        room = int(row_ptr[L]) + 1
        return first, action[:L], row_ptr[: L + 1], np.full(room, -1, dtype=np.int32), np.full(room, 7.0)

    first, action, row_ptr, next_state, prob = laid_out(sizes)
    yield "write_entries", ((ptr, index, data), S, A, row_ptr, first[:-1], next_state, prob)
    lone = [np.count_nonzero(data[ptr[j] : ptr[j + 1]]) for j in range(S)]
    few = np.zeros(S * A + 1, dtype=np.int32)
    few[1 : S * A : A] = lone  # action 1 alone
    own, _, own_ptr, own_next, own_prob = laid_out(few)
    yield "write_entries", ((ptr, index, data), S, 1, own_ptr, own[:-1], own_next, own_prob)
    for bad in (index[::-1].copy(), index - 1, index + 1):
        yield "write_entries", ((ptr, bad, data), S, A, row_ptr, first[:-1], next_state, prob)
    next_state, prob = next_state.copy(), prob.copy()
    reference_build.write_entries((ptr, index, data), S, A, row_ptr, first[:-1].copy(), next_state, prob)
    for a, per_state in ((0, A), (1, 1), (2, 1)):
        for once in (True, False):
            other = sparse_rows(rng, S * per_state, S, once)
            rows = first, action, row_ptr, first[:-1], next_state, np.full(len(prob), 7.0)
            yield "match_entries", (other, a, per_state, *rows)
    yield "match_entries", ((ptr, index, -data), 0, A, *rows)
    sizes = np.append(np.count_nonzero(block, axis=1), 0).astype(np.int32)
    first, action, row_ptr, next_state, prob = laid_out(sizes)
    yield "write_numbers", (block, row_ptr, 0, next_state, prob)
    half = int(first[2])
    yield "write_numbers", (block[2 * A :], row_ptr, half, next_state, prob)
    next_state, prob = next_state.copy(), prob.copy()
    reference_build.write_numbers(block, row_ptr, 0, next_state, prob)
    place = np.flatnonzero(sizes[:-1])
    yield "pick_numbers", (rng.random(block.shape), place, row_ptr, next_state, np.full(len(prob), 7.0))
    yield "pick_numbers", (block, place[2:], row_ptr[2:], next_state, np.full(len(prob), 7.0))


@functools.cache
def checks():
    """What the twins leave behind on drawn inputs, and how the kernels leave it, by name."""
    made = {}
    calls = [
        call
        for seed in range(SEEDS)
        for some in (defect_calls, look_calls, pair_calls)
        for call in some(seed)
    ]
    calls += [*edge_calls(), *(call for seed in range(SEEDS) for call in build_calls(seed))]
    for name, arguments in calls:
        expected = left(getattr(reference_build, name), name, arguments)
        made.setdefault(name, []).append(Check(expected, by_kernel(name, arguments), operator.eq))
    return made


def by_kernel(name, arguments):
    return lambda kernels: left(kernels[name], name, arguments)


@pytest.mark.parametrize(("file", "kernel"), [("build", kernel) for kernel in kernels_of("build")])
def test_every_mistake_is_found(file, kernel):
    check_every_mistake_is_found(file, kernel, checks()[kernel], ALIKE)


def test_nothing_is_found_where_nothing_is_planted():
    made = plain("build")
    assert set(checks()) == set(functions("build"))
    for name, some in checks().items():
        assert all(check.equal(check.expected, check.call(made)) for check in some), name


def test_compiled_kernels_leave_what_their_twins_leave():
    compiled = {name: getattr(build, name) for name in functions("build")}
    for name, some in checks().items():
        assert all(check.equal(check.expected, check.call(compiled)) for check in some), name
