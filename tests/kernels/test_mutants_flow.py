"""The kernels that solve a chain along its way against their twins, and every small mistake in them is found.

Values are compared to 1e-9, counts and marks bit for bit.
"""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
import reference_flow
from mutants import Check, check_every_mistake_is_found, kernels_of, plain

from tabular_rl.kernels import search_flow
from tabular_rl.kernels.elimination import Chain

SEEDS = 30
ALIKE = {
    # the state that was met first is no later root
    "solve_along: new = root if number[root] < 0 else -1 -> new = root if number[root] < 1 else -1",
}


def chain_of(rng, n):
    """A chain that turns back now and then, with loops and outcomes of probability 0."""
    P = rng.random((n, n)) * (rng.random((n, n)) < rng.choice([0.1, 0.25, 0.5]))
    back = np.tril(np.ones((n, n), dtype=bool), -1) & (rng.random((n, n)) < rng.choice([0.5, 0.9, 1.0]))
    P[back] = 0.0
    P[np.arange(n), rng.permutation(n)] += 0.1 if rng.random() < 0.2 else 0.0
    P[P.sum(axis=1) == 0, n - 1] = 1.0
    P /= P.sum(axis=1, keepdims=True)
    kept = (P > 0) | (rng.random((n, n)) < 0.1)
    order = rng.permutation(n)
    P, kept = P[order][:, order], kept[order][:, order]
    end = np.cumsum(kept.sum(axis=1))
    gamma = float(rng.choice([0.5, 0.9]))
    begin = np.concatenate([[0], end[:-1]])
    return Chain(begin, end, np.nonzero(kept)[1].astype(np.uint32), P[kept], gamma, 1.0 - gamma)


def calls(seed):
    """Yield (name, arguments) of kernels."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 12))
    chain, b, x = chain_of(rng, n), rng.normal(size=n), rng.normal(size=n)
    part = rng.permutation(n)[: int(rng.integers(1, n + 1))]
    yield "eliminate_part", (chain, part, b, rng.integers(-2, n + 2, n), np.full((n + 2, n), 7.0), x)
    for most in (0, 1, 5, 10**6):
        yield "settle_part", (chain, part, b, most, x)
    work = (np.full(n, -7), np.full(n, -7), np.full(n, -7), np.full(n, -7))
    for room in (0, 2, 3, 4, n):
        for limits in ((n, 10**6), (n, 6), (n // 2, 10**6), (n - 1, 10**6)) if room < 4 else ((n, 0),):
            A = np.full((room + 2, max(room, 1)), 7.0)
            yield "solve_along", (chain, b, limits, np.full(n, -1), *work, A, x)


def left(call, name, arguments):
    """What is returned and marked, bit for bit, and the values."""
    own = copy.deepcopy(list(arguments))
    with np.errstate(all="ignore"):
        result = call(*own)
    marks = [] if result is None else [int(result)]
    if marks and marks[0] < 0:
        return [], marks
    if name == "eliminate_part":
        marks += own[3].tolist()
    if name == "solve_along":
        marks += own[3].tolist() + own[4].tolist()
    return own[-1].tolist(), marks


def alike(expected, found):
    (values, marks), (others, seen) = expected, found
    same = marks == seen and len(values) == len(others)
    return same and np.allclose(values, others, rtol=1e-9, atol=1e-9)


@functools.cache
def checks():
    return [
        (
            name,
            Check(left(getattr(reference_flow, name), name, arguments), by_kernel(name, arguments), alike),
        )
        for seed in range(SEEDS)
        for name, arguments in calls(seed)
    ]


def by_kernel(name, arguments):
    return lambda kernels: left(kernels[name], name, arguments)


@pytest.mark.small
def test_compiled_kernels_agree_with_their_twins():
    for name, check in checks():
        assert alike(check.expected, check.call(vars(search_flow))), name


def test_chains_of_all_kinds_are_met():
    counts = [check.expected[1][0] for name, check in checks() if name == "solve_along"]
    assert {-2, -1} <= set(counts), "some take too long"
    assert 0 in counts, "some have no large part"
    assert max(counts) > 20, "in some, large parts are swept over"


@pytest.mark.parametrize(
    ("file", "kernel"), [("search_flow", kernel) for kernel in kernels_of("search_flow")]
)
def test_every_mistake_is_found(file, kernel):
    below = {"solve_along": ("eliminate_part", "settle_part")}
    own = [check for name, check in checks() if kernel in (name, *below.get(name, ()))]
    check_every_mistake_is_found(file, kernel, own, ALIKE)


def test_nothing_is_found_where_nothing_is_planted():
    made = plain("search_flow")
    assert all(check.equal(check.expected, check.call(made)) for _, check in checks())
