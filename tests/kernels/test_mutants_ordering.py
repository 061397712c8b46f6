"""The kernels of orders and of elimination along them against their twins, and every small mistake in them is found.

What is counted or ordered is compared bit for bit; values, whose sums may be reordered, to 1e-9.
"""

from __future__ import annotations

import copy
import functools
import math

import numpy as np
import pytest
import reference_ordering
from mutants import Check, check_every_mistake_is_found, kernels_of, plain
from planning_calls import numbers

from tabular_rl.kernels import ordering, search_elimination

MODULES = {"ordering": ordering, "search_elimination": search_elimination}
SEEDS = 24
COUNTS = "reach", "successors", "eliminate", "count_better", "exchange", "improve"
ALIKE = {
    # the pool is free from its beginning on only where there are no edges
    "least_degree: if free < 0: -> if free < 1:",
    # the least degree is looked for from 0 on
    "least_degree: state[0], state[1], state[2] = (step, least, free) -> "
    "state[0], state[2], state[2] = (step, least, free)",
    # it adds 0
    "reduced_row: if weight != 0.0: -> if True:",
    # no row is better by an infinite margin, and none than itself
    "eliminate: if margin < math.inf: -> if True:",
    "best_row: if i != own: -> if True:",
    # a row that is due need not be found to be so again
    "is_due: if not due: -> if True:",
}


def lists_of(rng, S, edges, slack):
    """Successors of each state, what stands outside, and empty lists of neighbours."""
    outside = rng.random(S) < 0.15
    found = [sorted(rng.choice(S, size=min(edges, S), replace=False).tolist()) for _ in range(S)]
    found = [[s2 for s2 in row if s2 != s] for s, row in enumerate(found)]
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in found])])
    out = np.array([s2 for row in found for s2 in row], dtype=np.int32)
    room = np.where(outside, 0, np.diff(ptr) + np.bincount(out, minlength=S))
    start = np.concatenate([[0], np.cumsum(room)])
    pool = np.full(int(start[-1]) + slack, -7, dtype=np.int32)
    lists = start[:-1].copy(), np.zeros(S, dtype=np.int32), room, pool
    return (ptr, out, outside, np.full(S, -1, dtype=np.int32), lists), int(start[-1])


def order_calls(seed):
    """Yield (name, arguments) of the kernels of kernels/ordering.py."""
    rng, pair_ptr, row_ptr, next_state, *_ = numbers(seed, S=12)
    S = len(pair_ptr) - 1
    terminal = np.diff(pair_ptr) == 0
    for near, most in ((0, 20), (3, 20), (11, 20), (2, int(rng.integers(0, 6))), (5, 1)):
        into = np.where(terminal, -1, 0)
        work = into, np.zeros(S, dtype=np.int64), np.full(4, -7)
        yield "reach", (pair_ptr, row_ptr, next_state, near, most, *work)
    # State 0 alone leads far, and all lead to the last.
    for most in (0, 1, 2):
        to = np.concatenate([np.arange(1, S), np.full(S - 1, S - 1)])
        ptr = np.concatenate([[0], np.arange(S - 1, 2 * S - 1)])
        work = np.zeros(S, dtype=np.int64), np.zeros(S, dtype=np.int64), np.full(4, -7)
        yield "reach", (np.arange(S + 1), ptr, to, 3, most, *work)
        yield "reach", (np.arange(S + 1), ptr, np.full(len(to), 7), 3, most, *work)
    for inner, down, up in ((S, 1, 1), (S - 2, 2, 1), (S - 1, 0, 3), (S, 20, 20), (0, 1, 1)):
        yield (
            "band",
            (inner, down, up, np.zeros(S + 1, dtype=np.int64), np.full(S * S, -7), np.zeros(S + 1, dtype=np.int64),
             np.full(S * S, -7)),
        )  # fmt: skip
    for step, room in ((1, 200), (3, 200), (1, 7), (1, 0)):
        states = np.arange(0, S, step)
        seen, ptr = np.full(S, -1), np.zeros(len(states) + 1, dtype=np.int64)
        yield "successors", (pair_ptr, row_ptr, next_state, states, seen, ptr, np.full(room, -7))
    rooms = [(400, 400, 2), (int(rng.integers(40)), 400, 2), (200, int(rng.integers(40)), 2), (400, 400, 4)]
    if seed % 6 == 0:
        rooms += [(slack, 400, 3) for slack in range(60)]
    for slack, space, edges in rooms:
        arguments, free = lists_of(rng, 16, edges, slack)
        yield "neighbours", arguments
        for most in (10**6, int(rng.integers(60)), -1):
            hubs = np.arange(int(rng.integers(3)), dtype=np.int32)
            yield "least_degree", (*arguments, free, hubs, most, space)
    upper = [sorted(rng.choice(S, size=int(rng.integers(4)), replace=False).tolist()) for _ in range(S)]
    ptr, flat = (
        np.concatenate([[0], np.cumsum([len(x) for x in upper])]),
        np.array([y for x in upper for y in x], int),
    )
    yield "transpose", (ptr, flat, np.zeros(S + 1, dtype=np.int64), np.full(len(flat), -7))


def ordered(kernels, ptr, out, outside, seen, lists, free, hubs, most, space):
    """What least_degree leaves behind: in one call, or in as many as it takes where `most` is negative."""
    S, twin = len(outside), "link_all" not in kernels
    links = np.full(S + 1, -1), np.full(S, -1), np.full(S, -1)
    kernels["neighbours"](ptr, out, outside, seen, lists)
    if twin:
        for s in reversed(np.flatnonzero(~outside)):
            links[1][s], links[0][lists[1][s]] = links[0][lists[1][s]], s
    else:
        kernels["link_all"](links, lists[1], outside)
    n = S - int(outside.sum())
    state, order = np.array([0, 0, free]), np.full(n, -7)
    upper_ptr, upper = np.zeros(n + 1, dtype=np.int64), np.full(space, -7)
    work = state, order, upper_ptr, upper
    limit = (10**6 if twin else 12) if most < 0 else most
    done = kernels["least_degree"](lists, links, seen, hubs, limit, *work)
    for _ in range(100):
        if most >= 0 or not done or state[0] == n:
            break
        done = kernels["least_degree"](lists, links, seen, hubs, limit, *work)
    if not done:
        return [], ["full"]
    step = int(state[0])
    return [], [
        step,
        int(state[2]),
        lists[2].tolist(),
        order.tolist(),
        upper_ptr.tolist(),
        upper[: upper_ptr[step]].tolist(),
    ]


def elimination_calls(seed):
    """Yield (name, arguments) of the kernels of kernels/search_elimination.py."""
    rng, pair_ptr, row_ptr, next_state, prob, r = numbers(seed)
    S = len(pair_ptr) - 1
    gamma = float(rng.choice([0.0, 0.5, 0.9, 0.999]))
    if gamma == 0.5:  # weights of exactly 1: to a kernel these are numbers
        prob = np.where(rng.random(len(prob)) < 0.3, 2.0, prob)
    rows = row_ptr, next_state, prob, r / np.max(np.abs(r)), gamma, (-1.0) ** seed
    live = np.flatnonzero(np.diff(pair_ptr) > 0)
    chosen = np.full(S, -1)
    chosen[live] = pair_ptr[live] + rng.integers(0, 100, len(live)) % np.diff(pair_ptr)[live]
    v = rng.normal(size=S)
    v[np.diff(pair_ptr) == 0] = 0.0
    pattern = pattern_of(rng, S, live, pair_ptr, row_ptr, next_state)
    n, entries = len(live), len(pattern[3])
    shift = float(rng.choice([0.0, 0.25]))
    for first, last, margin in ((0, n, math.inf), (0, n, 1e-9), (0, n, 0.5), (n // 2, n, 1e-9), (2, 2, 0.0)):
        made = np.where(rng.random(n) < 0.7, chosen[pattern[0]], -1)
        new, spare = rng.random(n) < 0.2, np.zeros(n)
        factors = rng.random(entries) / 10, rng.random((n, 2)) / 10, made, new, spare
        gap = rng.random(S)
        yield "eliminate", (
            pair_ptr, rows, pattern, first, last, shift, margin, v, np.zeros(n), gap, chosen, factors
        )  # fmt: skip
        yield "substitute", (pattern, first, last, factors, rng.random(n), v)
    yield "backed_up", (rows, int(rng.integers(len(r))), v)
    for q in (rng.normal(size=len(r)), rng.integers(-2, 3, len(r)) / 2):
        for margin in (0.0, 0.5):
            yield "exchange", (pair_ptr, q, margin, rng.random(S), chosen)
            yield "count_better", (q, q[chosen] + rng.choice([0.0, 0.25, 0.5, 1.0], S), margin, chosen)
    for first, last in ((0, S), (2, 6), (4, 4)):
        for margin, moved, span in (
            (1e-9, 0.0, (math.inf, -math.inf)),
            (0.3, 0.5, (-0.1, 0.1)),
            (1e-9, 9.0, (-9.0, 9.0)),
        ):
            yield "improve", (
                pair_ptr, rows, v, first, last, shift, margin, moved, np.array(span), rng.random(S), chosen
            )  # fmt: skip


def pattern_of(rng, S, live, pair_ptr, row_ptr, next_state):
    """A random order, and the fill-in that it has for all rows, found by sets."""
    order = rng.permutation(live)
    place = np.full(S, -1)
    place[order] = np.arange(len(order))
    led = [
        {int(place[x]) for x in next_state[row_ptr[pair_ptr[s]] : row_ptr[pair_ptr[s + 1]]]} - {-1, t}
        for t, s in enumerate(order)
    ]
    for t, after in enumerate(led):
        while True:
            new = {x for t2 in after if t2 < t for x in led[t2] if x > t2} - after - {t}
            if not new:
                break
            after |= new
    upper = [sorted(x for x in after if x > t) for t, after in enumerate(led)]
    lower = [sorted(x for x in after if x < t) for t, after in enumerate(led)]

    def packed(lists):
        return (
            np.concatenate([[0], np.cumsum([len(x) for x in lists])]),
            np.array([y for x in lists for y in x], dtype=int),
        )

    return order, place, *packed(upper), *packed(lower)


def left(kernels, name, arguments):
    """What is left: values that are compared to 1e-9, and what is compared bit for bit."""
    own = copy.deepcopy(list(arguments))
    with np.errstate(all="ignore"):
        if name == "least_degree":
            return ordered(kernels, *own)
        result = kernels[name](*own)
    if name == "neighbours":
        start, degree, _, pool = own[4]
        return [], [pool[a : a + d].tolist() for a, d in zip(start, degree, strict=True)]
    if name == "successors":
        del own[4]  # `seen`
    if name == "reach" and not result:
        own = []
    values, marks = (
        [],
        [repr(int(result))] if name in COUNTS else [],
    )
    if name == "backed_up":
        values.append(result)
    for x in own:
        for array in x if isinstance(x, tuple) else (x,):
            if isinstance(array, np.ndarray):
                (values if array.dtype.kind == "f" else marks).extend(array.ravel().tolist())
    return values, marks


def alike(expected, found):
    (values, marks), (others, seen) = expected, found
    same = marks == seen and len(values) == len(others)
    return same and np.allclose(values, others, rtol=1e-9, atol=1e-12, equal_nan=True)


@functools.cache
def checks(module):
    calls = order_calls if module == "ordering" else elimination_calls
    return [
        (name, Check(left(vars(reference_ordering), name, arguments), by_kernel(name, arguments), alike))
        for seed in range(SEEDS)
        for name, arguments in calls(seed)
    ]


def by_kernel(name, arguments):
    return lambda kernels: left(kernels, name, arguments)


BELOW = {
    "least_degree": ("neighbours", "link", "unlink", "link_all", "join"),
    "eliminate": ("reduced_row", "take_row", "put_row", "best_row", "is_due"),
    "improve": ("backed_up",),
}


@pytest.mark.small
@pytest.mark.parametrize("module", MODULES)
def test_compiled_kernels_agree_with_their_twins(module):
    for name, check in checks(module):
        assert alike(check.expected, check.call(vars(MODULES[module]))), name


@pytest.mark.parametrize(
    ("file", "kernel"), [(file, kernel) for file in MODULES for kernel in kernels_of(file)]
)
def test_every_mistake_is_found(file, kernel):
    own = [check for name, check in checks(file) if kernel in (name, *BELOW.get(name, ()))]
    check_every_mistake_is_found(file, kernel, own, ALIKE)


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_found_where_nothing_is_planted(module):
    made = plain(module)
    assert all(check.equal(check.expected, check.call(made)) for _, check in checks(module))
