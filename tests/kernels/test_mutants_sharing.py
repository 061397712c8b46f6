"""Every small mistake is found in the kernels of rows that have outcomes in common, or lead to runs of states."""

from __future__ import annotations

import functools
import operator

import numpy as np
import pytest
import reference_sharing
from mutants import Check, check_every_mistake_is_found, functions, kernels_of, plain
from planning_calls import left

from tabular_rl.kernels import long_rows, sharing

SEEDS = 10
MODULES = {"long_rows": long_rows, "sharing": sharing}
ALIKE = {
    # another way to the same bits, which is only slower
    "first_of_runs: if apart == 0: -> if True:",
    "run_sums: if same_runs(row_ptr, run, listed, n): -> if False:",
}


def arrays(rows):
    """Rows of (next state, p) as a kernel reads them."""
    row_ptr = np.cumsum([0, *map(len, rows)]).astype(np.int32)
    next_state = np.array([t for row in rows for t, _ in row], dtype=np.int64)
    return row_ptr, next_state, np.array([p for row in rows for _, p in row]).view(np.int64)


def drawn_rows(seed):
    """Rows of which many are alike, and some differ in one outcome, in their length, or in the last digit of one p."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 8, 4)
    kinds = [list(zip(rng.integers(0, 9, n).tolist(), rng.random(n).tolist(), strict=True)) for n in lengths]
    for row in kinds[:4]:
        k = int(rng.integers(len(row)))
        state, p = row[k]
        kinds += [
            row[:k] + [(state + 1, p)] + row[k + 1 :],
            row[:k] + [(state, np.nextafter(p, 2))] + row[k + 1 :],
        ]
        kinds += [row[:-1] or row, row + row[-1:]]
    return [kinds[i] for i in rng.integers(0, len(kinds), 14)]


def calls(seed):
    rows = drawn_rows(seed)
    read = arrays(rows)
    row_ptr, next_state, bits = read
    for i in range(5):
        yield "mark", (next_state, bits, int(row_ptr[i]), int(row_ptr[i + 1]))
        n = min(len(rows[i]), len(rows[i + 1]))
        for other in (row_ptr[i + 1], row_ptr[i]):
            yield "same_outcomes", (next_state, bits, int(row_ptr[i]), int(other), n)
    kinds = len({tuple(row) for row in rows})
    for places, most in ((32, 14), (16, kinds), (64, kinds - 1)):
        yield "shared_rows", (read, *empty(len(rows), places, most))


def empty(rows, places, most):
    marks, first, kind = (np.full(n, 77, dtype=np.int32) for n in (most, most, rows))
    return marks, np.full(places, -1, dtype=np.int32), first, kind


def edge_calls():
    """Rows of one mark that differ where it does not look: too many comparisons in vain end it."""
    for alone in range(3, 9):
        rows = [[(1, 0.5), (k, 0.125), (2, 0.125), (3, 0.125), (4, 0.125)] for k in range(alone)]
        for more in ([], rows[-1:], rows[:2] + rows[1:]):
            for last in ([], [[(0, 1.0)]]):
                some = rows + more + last
                yield "shared_rows", (arrays(some), *empty(len(some), 32, len(some)))
    same = arrays([[(1, 0.5), (2, 0.5)], [(1, 0.5), (2, 0.5)], [(1, 0.5), (3, 0.5)], [(0, 0.5), (2, 0.5)]])
    for one, other in ((0, 2), (0, 4), (0, 6), (2, 0)):
        for length in (0, 1, 2):
            yield "same_outcomes", (*same[1:], one, other, length)


def run_calls(seed):
    """Rows that lead to runs of states, several to the same one, and to other states; what is left out reads 77."""
    rng, rows = np.random.default_rng(seed), []
    for _ in range(5):
        start, length = int(rng.integers(0, 4)), int(rng.integers(1, 6))
        rows += [np.arange(start, start + length)] * int(rng.integers(1, 10))
        rows += [np.arange(start, start + length + 1)] * int(rng.integers(0, 2))
        rows += [rng.permutation(9)[:length]] * int(rng.integers(0, 3))
    row_ptr, next_state = np.cumsum([0, *map(len, rows)]).astype(np.int32), np.concatenate(rows)
    run, v, L = np.full(len(rows), -7), rng.normal(size=9), len(rows)
    yield "first_of_runs", (row_ptr, next_state, run.copy())
    reference_sharing.first_of_runs(row_ptr, next_state, run)
    prob = rng.random(len(next_state))
    everyone = np.arange(L, dtype=np.int32)
    for listed in (
        everyone,
        everyone[1:-1],
        everyone[3:8],
        everyone[:0],
        everyone[::-2],
        rng.permutation(everyone),
    ):
        yield "run_sums", (row_ptr, next_state, prob, run, v, listed, np.full(L, 77.0))
        for n in range(len(listed)):
            for last in {len(listed), min(n + 4, len(listed)), n + 1}:
                yield "same_runs", (row_ptr, run, listed[:last], n)


@functools.cache
def checks(module):
    """What the twins leave behind on drawn inputs, and how the kernels leave it, by name."""
    made, some = {}, [*edge_calls(), *(call for seed in range(SEEDS) for call in calls(seed))]
    if module == "long_rows":
        some = [call for seed in range(SEEDS) for call in run_calls(seed)]
    for name, arguments in some:
        expected = left(getattr(reference_sharing, name), name, arguments)
        made.setdefault(name, []).append(Check(expected, by_kernel(name, arguments), operator.eq))
    return made


def by_kernel(name, arguments):
    return lambda kernels: left(kernels[name], name, arguments)


@pytest.mark.parametrize(
    ("file", "kernel"), [(file, kernel) for file in MODULES for kernel in kernels_of(file)]
)
def test_every_mistake_is_found(file, kernel):
    check_every_mistake_is_found(file, kernel, checks(file)[kernel], ALIKE)


@pytest.mark.parametrize("file", MODULES)
def test_nothing_is_found_where_nothing_is_planted(file):
    made = plain(file)
    assert set(checks(file)) == set(functions(file))
    for name, some in checks(file).items():
        assert all(check.equal(check.expected, check.call(made)) for check in some), name


@pytest.mark.parametrize("file", MODULES)
def test_compiled_kernels_leave_what_their_twins_leave(file):
    compiled = {name: getattr(MODULES[file], name) for name in functions(file)}
    for name, some in checks(file).items():
        assert all(check.equal(check.expected, check.call(compiled)) for check in some), name
