"""The kernels of elimination against their twins in fractions, and every small mistake in them is found.

Values are compared to 1e-9, what is counted, marked or ordered bit for bit.
"""

from __future__ import annotations

import copy
import functools
import itertools

import numpy as np
import pytest
import reference_elimination
from mutants import Check, check_every_mistake_is_found, kernels_of, plain

from tabular_rl.kernels import elimination
from tabular_rl.kernels.elimination import Chain, Entries, Heads

SEEDS = 45
ALIKE = {
    # the first entry of all is the last one of its row
    "clear_row: if last < 0: -> if last < 1:",
    # entries that lead to states taken out are looked at again and again, which is only slower
    "take_out: clear_row(entries, heads, taken, i) -> nothing",
    # a part of one state is solved as any other, and one of none is not met
    "solve_parts: if len(own) == 1: -> if False:",
    # there is an entry
    "add_row: while e >= 0 and size >= 0: -> while e >= 0 and size >= 1:",
    "take_out: while into >= 0 and size >= 0: -> while into >= 0 and size >= 1:",
    # it adds 0
    "solve_dense: if p > 0.0: -> if True:",
}


def chain_of(rng, n, closed=False):
    """A chain with parts, loops, entries of 0 and states of label -1: its arrays, labels and parts."""
    P = rng.random((n, n)) * (rng.random((n, n)) < rng.choice([0.15, 0.3, 0.6]))
    P *= np.where(rng.random((n, n)) < 0.3, 1e-7, 1.0)
    label = rng.integers(-1, max(2, n // 4), n) if rng.random() < 0.5 else np.zeros(n, dtype=np.int64)
    for s in range(n):  # nothing leads to a later part
        P[s, label > label[s]] = 0.0
    P[np.arange(n), np.arange(n)] = 0.5
    if closed:
        P[rng.integers(n)] *= 0.0
        P[np.arange(n), np.arange(n)] = 0.5
    else:
        P[:, -1] += 0.1
    label[-1] = -1
    P /= P.sum(axis=1, keepdims=True)
    kept = (P > 0) | (rng.random((n, n)) < 0.05) & (label <= label[:, None])
    ptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int32)
    gamma = 1.0 if rng.random() < 0.7 else 0.9
    chain = Chain(ptr[:-1], ptr[1:], np.nonzero(kept)[1].astype(np.int32), P[kept], gamma, 1.0 - gamma)
    free = np.flatnonzero(label >= 0).astype(np.int32)
    states = free[np.argsort(label[free], kind="stable")]
    cuts = np.append(np.flatnonzero(np.diff(label[states], prepend=-2)), len(free)).astype(np.int32)
    return chain, label.astype(np.int32), states, cuts


def work(n, room):
    entries = [np.full(room, -7, dtype=np.int32) for _ in range(4)]
    heads = [np.full(n, first, dtype=np.int32) for first in (0, 0, 3, -1)]
    order = np.full(n, -7, dtype=np.int32), np.full(n, -7, dtype=np.int32), np.full(5, -7)
    entries = Entries(entries[0], entries[1], np.full(room, 7.0), entries[2], entries[3])
    return entries, Heads(*heads, np.empty(n)), np.ones(n, dtype=bool), order


def calls(seed):
    """Yield (name, arguments) of kernels."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 16))
    chain, label, states, cuts = chain_of(rng, n, closed=seed % 5 == 4)
    x = rng.normal(size=n)
    if seed % 2:
        x[:] = np.abs(x)
    count = int(label.max()) + 1
    from_last = np.where(rng.random(n) < 0.5, label - count - 1, label)  # the same parts
    for labels in (label, np.roll(label, 1), np.where(label < 0, label, from_last)):
        yield "list_parts", (labels, np.full(count + 1, 9, dtype=np.int32), states - 7)
    yield "look_outside", (chain, label, int(rng.integers(n)), x)
    row = np.repeat(np.arange(n), chain.end - chain.begin)
    own = (
        label[row[row != chain.next_state]],
        label[chain.next_state[row != chain.next_state]],
        chain.prob[row != chain.next_state],
    )
    # The room that one part of all takes at first.
    inside = int(((own[0] == own[1]) & (own[0] >= 0) & (own[2] > 0)).sum())
    limits, rooms = (4, 9, 25), range(max(inside - 3, 0), inside + 30)
    tries = [(n * n, 10**6), *((n * n, limit) for limit in limits), *((room, 10**6) for room in rooms)]
    for room, limit in tries if seed % 3 == 0 else tries[:1]:
        entries, heads, taken, order = work(n, room)
        crowds = (n * n, 0, 2, 3, 4, 5) if (room, limit) == tries[0] else (n * n,)
        for a, b in itertools.pairwise(cuts):
            for crowd in crowds:
                arguments = chain, label, states[a:b], limit, crowd, entries, heads, taken, *order, x
                yield "solve_part", arguments
                if limit < 10**6 or crowd < n * n:
                    limits = [limit, *rng.integers(0, 20, 3), 10**6][: int(rng.integers(1, 6))]
                    yield "go_on", (*arguments[:3], limits, *arguments[4:], rng.normal(size=n))
        for first in range(len(cuts)):
            yield (
                "solve_parts",
                (chain, label, states, cuts, first, limit, n, entries, heads, taken, order, x),
            )
    A, leave = rng.random((n, n)) * (rng.random((n, n)) < 0.6), rng.random(n) * (rng.random(n) < 0.5)
    yield "solve_dense", (A, leave, x)
    part = states[: int(rng.integers(len(states) + 1))]
    for way in ((0, len(part), 1), (len(part) - 1, -1, -1), (0, 0, 1)):
        yield "sweep_part", (chain, part, *way, rng.normal(size=n), x)


def gone_on(kernels, arguments):
    """What kernels that take out states leave behind, called one after the other, as the twin says it."""
    chain, label, part, limits, crowd, entries, heads, taken, waiting, order, progress, x, given = (
        copy.deepcopy(list(arguments))
    )
    result = kernels["solve_part"](
        chain, label, part, limits[0], crowd, entries, heads, taken, waiting, order, progress, x
    )
    for limit in limits[1:]:
        if result != -1 or progress[4] < 0:
            break
        size = kernels["take_out_more"](limit, crowd, entries, heads, taken, waiting, order, progress, x)
        result = -1 if progress[0] and size >= 0 else min(size, 0)
        if result == 0:
            kernels["put_back"](entries, heads, order, progress[1], x)
    if progress[4] < 0:
        return [], [int(result)]
    left, done, _, _, size = progress.tolist()
    rest, gone = waiting[:left], order[:done]
    ptr, room = np.zeros(left + 1, dtype=np.int64), size + left
    column, value = np.full(room, -7, dtype=np.int32), np.full(room, 7.0)
    dense = np.zeros((left, left + 1))
    if left:
        count = kernels["list_rows"](entries, heads, taken, rest, ptr, column, value)
        assert count == ptr[-1]
        np.add.at(dense, (np.repeat(np.arange(left), np.diff(ptr)), column[:count]), value[:count])
        assert np.count_nonzero(dense[:, :left]) == count - left
    held = x[rest].tolist()
    if left:
        x[rest] = given[rest]
        kernels["put_back"](entries, heads, order, done, x)
    return dense.ravel().tolist() + held + x[gone].tolist(), [
        *gone.tolist(),
        -1,
        *rest.tolist(),
        size,
        *heads.place,
    ]


def gone_on_by_twin(arguments):
    chain, label, part, limits, crowd, entries, *_, x, given = arguments
    found = reference_elimination.go_on(chain, label, part, limits, crowd, entries, x, given)
    if isinstance(found, int):
        return [], [found]
    gone, rest, size, dense, held, solved = found
    return [*itertools.chain(*dense), *held, *solved], [*gone, -1, *rest, size, *[-1] * len(x)]


def left(call, name, arguments):
    """What is returned, bit for bit where it is a count, and what is left in x and in the marks."""
    own = copy.deepcopy(list(arguments))
    if name == "list_parts":
        return [], [call(*own), *(x for array in own for x in array.tolist())]
    with np.errstate(all="ignore"):
        result = call(*own)
    values = [] if name == "look_outside" else own[-1].tolist()
    if name in ("look_outside", "sweep_part"):
        return np.asarray(result, dtype=float).ravel().tolist() + values, []
    marks = [int(result)]
    if name in ("solve_part", "solve_parts"):
        marks += own[6 if name == "solve_part" else 8][3].tolist()  # `place`
        if name == "solve_part":
            marks += own[9][: len(own[2])].tolist() if result >= 0 else []
            # where no state is left, no least degree is
            marks += own[10][[0, 1, 3, 4]].tolist() if result == -1 and own[10][4] >= 0 else []
            values = values if result >= 0 else []
        else:  # what is not reached is not touched, what is given up is spoilt
            states, cuts, at = own[2], own[3], int(result)
            spoilt = states[cuts[at] : cuts[at + 1]].tolist() if at < len(cuts) - 1 else []
            values = [y for s, y in enumerate(values) if s not in spoilt]
    if name == "solve_dense" and not result:
        values = []
    return values, marks


def alike(expected, found):
    (values, marks), (others, seen) = expected, found
    scale = 1e-300 + np.max(np.abs(values), initial=0.0, where=np.isfinite(values))
    same = marks == seen and len(values) == len(others)
    return same and np.allclose(values, others, rtol=1e-9, atol=1e-9 * scale, equal_nan=True)


@functools.cache
def all_calls():
    return [call for seed in range(SEEDS) for call in calls(seed)]


@functools.cache
def checks():
    return [
        (name, Check(by_twin(name, arguments), by_kernel(name, arguments), alike))
        for name, arguments in all_calls()
    ]


def by_twin(name, arguments):
    if name == "go_on":
        return gone_on_by_twin(arguments)
    return left(getattr(reference_elimination, name), name, arguments)


def by_kernel(name, arguments):
    if name == "go_on":
        return lambda kernels: gone_on(kernels, arguments)
    return lambda kernels: left(kernels[name], name, arguments)


PARTS = "look_outside", "link", "clear_row", "add_row", "take_out", "fill_part", "is_crowded", "take_out_more"
BELOW = {
    "solve_part": (*PARTS, "put_back"),
    "solve_parts": ("solve_part",),
    "go_on": (*PARTS, "solve_part", "put_back", "list_rows"),
}


@pytest.mark.small
def test_compiled_kernels_agree_with_their_twins():
    for name, check in checks():
        assert alike(check.expected, check.call(vars(elimination))), name


@pytest.mark.parametrize(
    ("file", "kernel"), [("elimination", kernel) for kernel in kernels_of("elimination")]
)
def test_every_mistake_is_found(file, kernel):
    own = [check for name, check in checks() if kernel in (name, *BELOW.get(name, ()))]
    check_every_mistake_is_found(file, kernel, own, ALIKE)


def test_nothing_is_found_where_nothing_is_planted():
    made = plain("elimination")
    assert all(check.equal(check.expected, check.call(made)) for _, check in checks())
