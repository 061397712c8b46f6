"""The kernels of modular arithmetic against their twins, bit for bit, and every small mistake in them is found."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
import reference_modular
from mutants import Check, check_every_mistake_is_found, kernels_of, plain

from tabular_rl.kernels import modular

LARGE = 268435399  # the largest prime below 2**28
PRIMES = 5, 101, LARGE
EARLIER, LATER = "earlier, k + 1, lower_ptr[t + 1]", "later, upper_ptr[t], upper_ptr[t + 1]"
REDUCED = [
    (EARLIER, "nothing"),
    *((EARLIER, f"reduce(work, earlier, k {less}, lower_ptr[t + 1], p)") for less in ("- 1", "+ 2")),
    *((EARLIER, f"reduce(work, earlier, k + 1, lower_ptr[t {less}], p)") for less in ("- 1", "+ 2")),
    (LATER, "nothing"),
    *((LATER, f"reduce(work, later, upper_ptr[t], upper_ptr[t {less}], p)") for less in ("- 1", "+ 2")),
]
ALIKE = {
    # a product of 0 changes nothing
    "factor: if weight > 0: -> if True:",
    "product: if start > first: -> if True:",
    # no entry is later than the last row
    "substitute: for t in range(n - 1, -1, -1): -> for t in range(n - 2, -1, -1):",
    # digits are kept in 32 bits
    "lift: x[begin + t] = rest[t * width] % p -> x[begin + t] = rest[t * width]",
    # what is left of the lowest limb is a multiple of p
    "lift: low, carry = (t * width, 0) -> low, carry = (t * width, 1)",
    # sums are reduced before they are too long for 64 bits, which plain Python has no need of
    "factor: if added == 64: -> if added != 64:",
    "factor: if added == 64: -> if True:",
    "factor: if added == 64: -> if False:",
    "factor: if added == 64: -> if added == 65:",
    "factor: added = 0 -> added = 1",
    "factor: added = 0 -> added = 1 (2)",
    "factor: added += 1 -> added -= 1",
    "factor: added += 1 -> nothing",
    "factor: added += 1 -> added += 2",
    "factor: work[t] %= p -> nothing",
    *(f"factor: reduce(work, {whole}, p) -> {less}" for whole, less in REDUCED),
}


def pointers(lists):
    return np.concatenate([[0], np.cumsum([len(x) for x in lists])]).astype(np.int64)


def flat(lists, dtype=np.int32):
    return np.array([y for x in lists for y in x], dtype=dtype)


def system(seed, n, p, largest):
    """A random matrix that has no pivot of 0 modulo p, and its pattern: (matrix rows, pattern)."""
    rng = np.random.default_rng(seed)
    rows = [
        {t, *rng.choice(n, size=int(rng.integers(0, min(n, 4))), replace=False).tolist()} for t in range(n)
    ]
    led = [set(row) for row in rows]
    for t in range(n):
        for t2 in range(t):
            led[t] |= {j for j in led[t2] if j > t2} if t2 in led[t] else set()
    upper = [sorted(j for j in row if j > t) for t, row in enumerate(led)]
    lower = [sorted(j for j in row if j < t) for t, row in enumerate(led)]
    pattern = pointers(upper), flat(upper), pointers(lower), flat(lower)
    ptr, column = pointers(rows), flat([sorted(row) for row in rows])
    while True:
        values = [int(x) for x in rng.integers(-largest, largest + 1, len(column))]
        pivots, matrix = np.zeros(n, dtype=np.int64), (ptr, column, np.array([x % p for x in values]))
        factors = pivots, np.zeros(len(pattern[3]), dtype=np.int64), np.zeros(len(pattern[1]), dtype=np.int64)
        if reference_modular.factor(matrix, pattern, p, 0, n, None, *factors) == n:
            return rng, matrix, values, pattern, factors


def limbs_of(values, p, width):
    """Entries as limbs with the sign of their entry."""
    parts = [[(abs(x) // p**part % p) * (1 if x >= 0 else -1) for x in values] for part in range(width)]
    return np.array(parts, dtype=np.int64).reshape(-1)


def factor_calls(seed, p):
    n = 1 + seed % 6
    _, matrix, _, pattern, _ = system(seed, n, p, 10**6)
    room = np.full(n, -7), np.full(len(pattern[3]), -7), np.full(len(pattern[1]), -7)
    yield "factor", (matrix, pattern, p, 0, n, np.zeros(n, dtype=np.int64), *room)
    if n > 2:  # in two calls, the second from where the first ended
        ready = tuple(copy.deepcopy(room))
        reference_modular.factor(matrix, pattern, p, 0, 2, None, *ready)
        yield "factor", (matrix, pattern, p, 2, n, np.zeros(n, dtype=np.int64), *ready)
    zero = matrix[0], matrix[1], np.where(matrix[1] == n - 1, 0, matrix[2])
    yield "factor", (zero, pattern, p, 0, n, np.zeros(n, dtype=np.int64), *room)


def long_calls(p):
    """A full matrix of 140 rows: sums of more than 64 products."""
    n, rng = 140, np.random.default_rng(p)
    every = np.arange(n)
    later, ends = every > every[:, None], np.concatenate([[0], np.cumsum(every)])
    columns = np.broadcast_to(every, (n, n))
    pattern = np.concatenate([[0], np.cumsum(every[::-1])]), columns[later], ends, columns[later.T]
    matrix = np.arange(0, n * n + 1, n), columns.reshape(-1), rng.integers(0, p, n * n)
    room = np.full(n, -7), np.full(len(pattern[3]), -7), np.full(len(pattern[1]), -7)
    yield "factor", (matrix, pattern, p, 0, n, np.zeros(n, dtype=np.int64), *room)
    most, places = np.full(200, LARGE - 1), rng.integers(0, 50, 200)
    yield "product", (most, places, 3, 198, 0, most, 7, LARGE)
    # a first row of 70 entries
    n = 70
    ptr = np.concatenate([[0], np.arange(n, 2 * n)])
    columns = np.concatenate([np.arange(n), np.arange(1, n)])
    pattern = (
        np.concatenate([[0], np.full(n, n - 1)]),
        np.arange(1, n),
        np.zeros(n + 1, dtype=int),
        np.zeros(0, dtype=int),
    )
    residue = np.concatenate([np.full(n, p - 1), np.ones(n - 1, dtype=np.int64)])
    factors = np.zeros(n, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(n - 1, dtype=np.int64)
    reference_modular.factor((ptr, columns, residue), pattern, p, 0, n, None, *factors)
    work = rng.integers(0, p, n), np.zeros(2 * n, dtype=np.int32), np.full(2, -7)
    yield (
        "lift",
        (
            (ptr, columns, residue),
            pattern,
            factors,
            p,
            rng.integers(0, p, n),
            np.ones(n, dtype=int),
            0,
            2,
            *work,
        ),
    )


def calls(seed):
    """Yield (name, arguments) of the kernels."""
    p = PRIMES[seed % 3]
    n = 1 + seed % 5
    largest = [p // 2, p**2 // 2, p**2 - 1][seed % 3 if p < 10**6 else 1]
    rng, (ptr, column, _), values, pattern, factors = system(seed, n, p, min(largest, 2**62))
    yield "inverse_of", (int(rng.integers(0, min(p, 97))), 97)
    yield "inverse_of", (int(rng.integers(1, p)) % 101, 101)
    work = rng.integers(0, 9 * p, 8)
    yield "reduce", (work, rng.integers(0, 8, 6), 1, int(rng.integers(1, 7)), p)
    yield from factor_calls(seed, p if seed % 2 else 101)
    terms, places = rng.integers(-p + 1, p, 9), rng.integers(0, 4, 6)
    yield (
        "product",
        (terms, places, 1, int(rng.integers(1, 7)), int(rng.integers(3)), rng.integers(0, p, 7), 2, p),
    )
    yield "substitute", (pattern, factors, p, n, rng.integers(0, p, 3 * n))
    width = 2 if largest < p**2 else 3
    matrix, weights = (ptr, column, limbs_of(values, p, width)), rng.integers(1, 9, n)

    def room():
        return np.zeros(5 * n, dtype=np.int32), np.full(5, -7)

    for first, last, digits in ((0, 3, 2), (1, 4, 6), (2, 2, 1), (0, 1, 0)):
        rest = rng.integers(0, p, (n, width))
        rest[:, -1] -= p // 2
        right = rng.integers(-p + 1, p, digits * n)
        yield (
            "lift",
            (matrix, pattern, factors, p, right, weights, first, last, rest.reshape(-1), *room()),
        )
    if seed % 3 == 0:  # entries of one limb
        small = (ptr, column, limbs_of(values, p, 1))
        rest = rng.integers(-p, p, n)
        yield (
            "lift",
            (small, pattern, factors, p, rng.integers(-2, 3, 2 * n), weights, 0, 3, rest, *room()),
        )
    digits = rng.integers(0, p, 6 * n).astype(np.int32)
    for first, last in ((0, 6), (2, 5), (3, 3)):
        yield "join", (digits, n, first, last, p, 6, np.zeros(6 * n, dtype=np.int64))


def left(kernels, name, arguments):
    """What is returned and what is in the arrays that are written."""
    own = copy.deepcopy(list(arguments))
    result = kernels[name](*own)
    if name == "product":
        return [int(result[0]) + int(result[1]) * own[-1], abs(int(result[0])) < 2**63]
    return [
        repr(None if result is None else int(result)),
        *(x.tolist() for x in own if isinstance(x, np.ndarray)),
    ]


@functools.cache
def checks():
    drawn = [call for seed in range(24) for call in calls(seed)]
    drawn += [call for p in (101,) for call in long_calls(p)]
    return [
        (name, Check(left(vars(reference_modular), name, arguments), by_kernel(name, arguments), list.__eq__))
        for name, arguments in drawn
    ]


def by_kernel(name, arguments):
    return lambda kernels: left(kernels, name, arguments)


BELOW = {"factor": ("inverse_of", "reduce"), "substitute": ("product",), "lift": ("product", "substitute")}


@pytest.mark.small
def test_compiled_kernels_agree_with_their_twins():
    for name, check in checks():
        assert check.expected == check.call(vars(modular)), name


@pytest.mark.parametrize(("file", "kernel"), [("modular", kernel) for kernel in kernels_of("modular")])
def test_every_mistake_is_found(file, kernel):
    own = [check for name, check in checks() if kernel in (name, *BELOW.get(name, ()))]
    check_every_mistake_is_found(file, kernel, own, ALIKE)


def test_nothing_is_found_where_nothing_is_planted():
    made = plain("modular")
    assert all(check.expected == check.call(made) for _, check in checks())
