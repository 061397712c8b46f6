"""Every small mistake in the kernels that find rows with the same outcomes is found."""

from __future__ import annotations

import functools
import operator

import numpy as np
import pytest
import reference_sharing
from mutants import Check, check_every_mistake_is_found, functions, kernels_of, plain
from planning_calls import left

from tabular_rl.kernels import sharing

SEEDS = 10
ALIKE: set[str] = set()


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


@functools.cache
def checks():
    """What the twins leave behind on drawn inputs, and how the kernels leave it, by name."""
    made = {}
    for name, arguments in [*edge_calls(), *(call for seed in range(SEEDS) for call in calls(seed))]:
        expected = left(getattr(reference_sharing, name), name, arguments)
        made.setdefault(name, []).append(Check(expected, by_kernel(name, arguments), operator.eq))
    return made


def by_kernel(name, arguments):
    return lambda kernels: left(kernels[name], name, arguments)


@pytest.mark.parametrize(("file", "kernel"), [("sharing", kernel) for kernel in kernels_of("sharing")])
def test_every_mistake_is_found(file, kernel):
    check_every_mistake_is_found(file, kernel, checks()[kernel], ALIKE)


def test_nothing_is_found_where_nothing_is_planted():
    made = plain("sharing")
    assert set(checks()) == set(functions("sharing"))
    for name, some in checks().items():
        assert all(check.equal(check.expected, check.call(made)) for check in some), name


def test_compiled_kernels_leave_what_their_twins_leave():
    compiled = {name: getattr(sharing, name) for name in functions("sharing")}
    for name, some in checks().items():
        assert all(check.equal(check.expected, check.call(compiled)) for check in some), name
