"""Every small mistake is found in the kernels that make bounds, middles and decisions of backed-up values."""

from __future__ import annotations

import functools
import math
import operator

import numpy as np
import pytest
import reference_bounds
from mutants import Check, check_every_mistake_is_found, kernels_of, plain
from planning_calls import left, numbers

from tabular_rl.kernels import bounds
from tabular_rl.model import rounding

SEEDS = 12
ALIKE = {
    # what is given is a number of states and of rows
    "decide: i = at(pair_ptr[0]) -> i = at(pair_ptr[1])",
}
BELOW = {
    "interval": ("next_up", "next_down"),
    "decide": ("next_down",),
    "step_up": ("next_up",),
    "row_above": ("next_up",),
    "lift": ("next_up", "row_above"),
    "close": ("next_up", "row_above"),
}


def calls(seed):
    """Values of many sizes, some alike, with an infinity or NaN; limits that cut some; rows that tie."""
    rng = np.random.default_rng(seed)
    S = 6
    best = np.round(rng.normal(size=S) * 4) * 10.0 ** rng.integers(-3, 4, S)
    kept = best - (rng.random(S) < 0.5) * rng.random(S)
    for x in (*best, -0.0, 1e-300, math.inf):
        yield "next_up", (float(x),)
        yield "next_down", (-float(x),)
    odd = best.copy()
    odd[rng.integers(S)] = (math.inf, -math.inf, math.nan)[seed % 3]
    none, ended = np.zeros(0, dtype=bool), rng.random(S) < 0.4
    for limits in ((-math.inf, math.inf), tuple(np.sort(rng.normal(size=2)) * 3)):
        for over in (best, odd):
            for which in (none, ended):
                made = np.full(S, 7.0), np.full(S, 7.0)
                fall, rise = (-(2.0**-20), 2.0**-19) if seed % 2 else rng.normal(size=2).tolist()
                yield "interval", (kept, over, fall, rise, limits, which, *made)
    lower, upper = best - rng.random(S), best + rng.random(S) * (rng.random(S) < 0.8)
    middle = (lower + upper) / 2
    near = middle * (1 + rng.choice([0.0, 2.0**-52, -(2.0**-51), 2.0**-49, -(2.0**-48)], S))
    tight = lower.copy(), np.nextafter(lower, math.inf)
    for low, high in ((lower, upper), (lower, odd), (-odd, upper), tight):
        beyond = np.nextafter(low, -math.inf), np.nextafter(high, math.inf)
        for around in (np.zeros(0), near, low, high, np.full(S, math.nan), *beyond):
            off = float(rng.choice([0.0, 1.0]))
            yield "middles", (low, high, around - off, off, np.full(S, 7.0))
    yield "middles", (lower, upper, near, 0.0, near)
    yield "middles", (lower[:1], upper[:1], near[:1], 0.0, np.full(1, 7.0))
    yield (
        "interval",
        (best[:1], best[:1], -0.5, 0.5, (-9.0, 9.0), ended[:1], np.full(1, 7.0), np.full(1, 7.0)),
    )
    yield from decide_calls(rng, best, odd)
    yield from step_calls(seed)
    yield from closing_calls(seed)


def step_calls(seed):
    """All states of a ragged model, and some; one E for all rows, and one for each; values that are not finite."""
    rng, pair_ptr, row_ptr, next_state, prob, r = numbers(seed)
    S, L = len(pair_ptr) - 1, len(r)
    rows = (row_ptr, next_state, prob, r, 1.0, -1.0, (0,) * (0, 4)[seed % 2])
    alike = (*rows[:2], np.ones_like(prob), rng.integers(-2, 3, L) + 0.0, 0.0, 1.0, rows[6])
    values, own = rng.normal(size=S) * 100, np.abs(rng.normal(size=L)) * 50
    odd = np.where(np.arange(S) == rng.integers(S), (math.inf, -math.inf, math.nan)[seed % 3], values)
    for first, last in ((0, S), (2, 6), (4, 4), (0, 1)):
        for u, kept in ((values, rows), (odd, rows), (values, alike)):
            for some in (own[:0], own):
                made = np.full(L, 7.0), np.full(S, 7.0)
                yield "step_up", (pair_ptr, kept, u, first, last, 2.0**-3, some, *made)
    one = np.array([0, 1], dtype=np.int32), (row_ptr[:2], next_state, prob, r[:1], 1.0, 1.0, ())
    yield "step_up", (*one, values, 0, 1, 0.0, own[:1], np.full(1, 7.0), np.full(1, 7.0))


def decide_calls(rng, best, odd):
    """States with none to three rows that tie with the bound, lie a float below it, or are far off."""
    S, counts = len(best), rng.integers(0, 4, len(best))
    pair_ptr = np.append(0, np.cumsum(counts)).astype(np.int32)
    state, L = np.repeat(np.arange(S), counts), int(pair_ptr[-1])
    off = float(rng.integers(0, 3))
    least = np.array([reference_bounds.next_down(x - off) for x in best])[state]
    q = np.choose(rng.integers(0, 4, L), [least, np.nextafter(least, -math.inf), least + 1, least - 1])
    chosen = np.where(counts > 0, pair_ptr[:-1] + rng.integers(0, 9, S) % np.maximum(counts, 1), -1)
    listed = np.sort(rng.permutation(2 * L)[:L]).astype(np.int32)
    sole = rng.random(S) < 0.5
    for lower in (best, odd):
        yield "decide", (pair_ptr, q, lower, off, chosen, listed[:0], rng.random(L) < 0.5, sole)
        yield "decide", (pair_ptr, q, lower, off, chosen, listed, rng.random(2 * L) < 0.5, sole)
    one = np.array([0, 1], dtype=np.int32), q[:1], best[:1], off, np.zeros(1, dtype=np.int32)
    yield "decide", (*one, np.array([2]), np.array([False, True, True]), sole[:1])


def closing_calls(seed):
    """Values of a few sizes, so that many tie; all rows, or one a state; some held, some at the most or above it."""
    rng, pair_ptr, row_ptr, next_state, prob, r = numbers(seed, S=8)
    S, L = len(pair_ptr) - 1, len(r)
    rows = row_ptr, next_state, np.round(4 * prob) / 4, np.round(r), (1.0, 0.5)[seed % 2], (-1.0) ** seed, ()
    order, unpaid, begin = rng.permutation(S).astype(np.int32), rng.random(L) < 0.6, pair_ptr[:-1]
    for u in (
        rng.integers(0, 4, S) / 4,
        rng.integers(-3, 2, S) + 0.0,
        np.full(S, 2.0),
        np.arange(S, 0.0, -1.0),
    ):
        for i in (0, L - 1, int(rng.integers(L))):
            yield "row_above", (rows, i, bool(rng.random() < 0.5), 0.25 * (seed % 3), u)
        for most in (0.0, 0.5, 2.0, math.inf):
            for end in (pair_ptr[1:], np.minimum(begin + 1, pair_ptr[1:])):
                span, error = (begin, end, rows, unpaid), 0.25 * float(rng.integers(0, 2))
                yield "lift", (order, *span, error, most, rng.random(S) < 0.3, u)
                for of_rows in (np.full(L, 7.0), np.zeros(0)):
                    yield "close", (*span, error, most, u, of_rows, np.full(S, 7.0))
        high = np.minimum(u + 9 * (rng.random(S) < 0.7), 9.0)
        yield "close", (begin, pair_ptr[1:], rows, unpaid, 0.0, 9.0, high, np.zeros(0), np.full(S, 7.0))
    one, alone = np.zeros(1, dtype=np.int32), (np.array([0, 1]), np.zeros(1, dtype=np.int32), np.ones(1))
    single = (*alone, np.ones(1), 1.0, 1.0, ())
    yield "close", (one, one + 1, single, unpaid[:1], 0.0, 9.0, np.ones(1), np.zeros(1), np.zeros(1))


@functools.cache
def checks():
    """What the twins leave behind, and how the kernels leave it, by name."""
    made = {}
    for name, arguments in (call for seed in range(SEEDS) for call in calls(seed)):
        with np.errstate(all="ignore"):
            expected = left(getattr(reference_bounds, name), name, arguments)
        made.setdefault(name, []).append(Check(expected, by_kernel(name, arguments), operator.eq))
    return made


def by_kernel(name, arguments):
    return lambda kernels: left(kernels[name], name, arguments)


@pytest.mark.parametrize(("file", "kernel"), [("bounds", kernel) for kernel in kernels_of("bounds")])
def test_every_mistake_is_found(file, kernel):
    some = [c for name, made in checks().items() if kernel in (name, *BELOW.get(name, ())) for c in made]
    check_every_mistake_is_found(file, kernel, some, ALIKE)


def test_nothing_is_found_where_nothing_is_planted():
    made = plain("bounds")
    assert set(checks()) == set(kernels_of("bounds"))
    for name, some in checks().items():
        assert all(check.equal(check.expected, check.call(made)) for check in some), name


def test_compiled_kernels_leave_what_their_twins_leave():
    compiled = {name: getattr(bounds, name) for name in kernels_of("bounds")}
    for name, some in checks().items():
        assert all(check.equal(check.expected, check.call(compiled)) for check in some), name


def test_next_floats_are_those_of_all_other_bounds():
    assert (bounds.STEP, bounds.TINY) == (rounding.STEP, rounding.TINY)
