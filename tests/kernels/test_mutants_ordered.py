"""Every small mistake in the kernels of ordered Gauss-Seidel sweeps is found, except for those in ALIKE."""

from __future__ import annotations

import functools
import operator

import numpy as np
import pytest
import reference_ordered as reference
from mutants import Check, check_every_mistake_is_found, functions, kernels_of, plain
from ordered_calls import left, ordered_calls
from planning_calls import SPAN

from tabular_rl.kernels import search_kinds, search_ordered

MODULES = {"search_ordered": search_ordered, "search_kinds": search_kinds}
SEEDS = 16
WIDTHS = {(), (4,), (8,), (4, 4), (8, 5), (8, 8)}  # each is compiled for itself, from the same text
ALIKE = {
    # the root is met once more, deeper on the path, and then it is marked
    "put_successors_first: place[root] = -2 -> nothing",
    "put_successors_first: place[root] = -2 -> place[root] = -1",
    # on the way back outcomes are looked at again, which is only slower
    "put_successors_first: at[depth] = k + 1 -> nothing",
}


@functools.cache
def checks():
    """The calls of some small models, by the twins of the kernels."""
    made = {}
    for seed in range(SEEDS):
        for name, given in ordered_calls(seed):
            arguments = copied(given)  # the next calls may change them
            expected = left(getattr(reference, name), name, arguments)
            made.setdefault(name, []).append(Check(expected, by_kernel(name, arguments), operator.eq))
    return made


def by_kernel(name, arguments):
    return lambda kernels: left(kernels[name], name, arguments)


@pytest.mark.parametrize(
    ("file", "kernel"), [(file, kernel) for file in MODULES for kernel in kernels_of(file)]
)
def test_every_mistake_is_found(file, kernel):
    check_every_mistake_is_found(file, kernel, checks()[kernel], ALIKE)


def test_nothing_is_found_where_nothing_is_planted():
    made = {name: kernel for file in MODULES for name, kernel in plain(file).items()}
    assert set(checks()) == {name for file in MODULES for name in functions(file)}
    for name, some in checks().items():
        for check in some:
            assert check.equal(check.expected, check.call(made)), name


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_compiled_kernels_equal_their_twins_up_to_rounding(seed):
    """Sums may be reordered: what is computed is the same up to 1e-11 of its size, and what is counted is the same."""
    for name, arguments in ordered_calls(seed):
        if tuple(widths(arguments)) not in WIDTHS or not all(map(is_finite, arrays(arguments))):
            continue
        mine, theirs = copied(arguments), copied(arguments)
        with np.errstate(all="ignore"):
            kernel = getattr(search_kinds, name, None) or getattr(search_ordered, name)
            results = kernel(*mine), getattr(reference, name)(*theirs)
        if results[1] is None or results[1] >= 0:
            assert results[0] == results[1] or results[0] == pytest.approx(results[1], rel=1e-11)
            for x, y in zip(arrays(mine), arrays(theirs), strict=True):
                scale, off = max(np.abs(y).max(initial=0.0), 1.0), x != y
                assert np.abs(x[off] - y[off]).max(initial=0.0) <= 1e-11 * scale, name


def is_finite(x):
    """Whether floats are finite, or a span that no state has widened yet."""
    return np.isfinite(x).all() or tuple(x) == SPAN


def widths(arguments):
    """The widths of rows, which are the lengths of tuples of zeros."""
    return (len(x) for x in arguments if isinstance(x, tuple) and isinstance(x[0], int))


def copied(x):
    if isinstance(x, tuple):
        return tuple(map(copied, x))
    return x.copy() if isinstance(x, np.ndarray) else x


def arrays(arguments):
    """The arrays of floats in arguments."""
    for x in arguments:
        if isinstance(x, (tuple, list)):
            yield from arrays(x)
        elif isinstance(x, np.ndarray) and x.dtype.kind == "f":
            yield x
