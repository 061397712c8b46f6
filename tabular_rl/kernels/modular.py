"""Linear systems modulo a prime p < 2**28, and p-adic lifting: whole numbers alone, each product below 2**56.

A matrix has its rows in the order in which they are eliminated: (ptr, column, ...), entries ptr(t) to ptr(t + 1) are
those of row t. A pattern is (upper_ptr, later, lower_ptr, earlier): where row t has entries after elimination, those of
`earlier` ascending. Factors are (pivot, lower, upper): the inverses of the pivots, what is taken off with earlier rows,
and the later entries over the pivot.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import at, kernel


@kernel
def inverse_of(a, p):
    """1 / a modulo p, for 0 < a < p (Euclid)."""
    u, u2, x, x2 = p, a, 0, 1
    while u2 > 0:
        q = u // u2
        u, u2, x, x2 = u2, u - q * u2, x2, x - q * x2
    return x % p


@kernel
def reduce(work, places, first, last, p):
    """work ← work modulo p, in some of the places."""
    for k in range(first, last):
        work[at(places[at(k)])] %= p


@kernel
def factor(matrix, pattern, p, first, last, work, pivot, lower, upper):
    """Fill the rows first ≤ t < last of the factors; return `last`, or a row whose pivot is 0, where it ends.

    matrix : (ptr, column, residue), each entry of a row once; `work` (n,) is 0 at first, and again in the end. 64
    products are added before their sum is reduced.
    """
    ptr, column, residue = matrix
    upper_ptr, later, lower_ptr, earlier = pattern
    for t in range(first, last):
        for k in range(ptr[t], ptr[t + 1]):
            work[column[k]] = residue[k]
        added = 0
        for k in range(lower_ptr[t], lower_ptr[t + 1]):
            t2 = earlier[k]
            weight = work[t2] % p
            work[t2] = 0
            lower[k] = weight
            if weight > 0:
                for j in range(upper_ptr[t2], upper_ptr[t2 + 1]):
                    work[at(later[at(j)])] += (p - weight) * upper[at(j)]
                added += 1
                if added == 64:
                    added = 0
                    reduce(work, earlier, k + 1, lower_ptr[t + 1], p)
                    reduce(work, later, upper_ptr[t], upper_ptr[t + 1], p)
                    work[t] %= p
        own = work[t] % p
        work[t] = 0
        pivot[t] = inverse_of(own, p)
        for k in range(upper_ptr[t], upper_ptr[t + 1]):
            upper[k] = work[later[k]] % p * pivot[t] % p
            work[later[k]] = 0
        if own == 0:
            return t
    return last


@kernel
def product(values, places, first, last, shift, x, begin, p):
    """Σ values(k + shift) x(begin + places(k)) over first ≤ k < last: what is left, and how often p was taken off it.

    What is left is below 2**63: p is taken off before 64 more products are added.
    """
    left = times = 0
    for start in range(first, last, 64):
        if start > first:
            off = left // p
            times += off
            left -= off * p
        for k in range(start, min(start + 64, last)):
            left += values[at(k + shift)] * x[at(begin + places[at(k)])]
    return left, times


@kernel
def substitute(pattern, factors, p, begin, x):
    """x ← A⁻¹ x modulo p, in the n entries from `begin` on, of which each is from 0 to p - 1."""
    upper_ptr, later, lower_ptr, earlier = pattern
    pivot, lower, upper = factors
    n = len(pivot)
    for t in range(n):
        left, _ = product(lower, earlier, lower_ptr[t], lower_ptr[t + 1], 0, x, begin, p)
        x[begin + t] = (x[begin + t] - left) % p * pivot[t] % p
    for t in range(n - 1, -1, -1):
        left, _ = product(upper, later, upper_ptr[t], upper_ptr[t + 1], 0, x, begin, p)
        x[begin + t] = (x[begin + t] - left) % p


@kernel
def lift(matrix, pattern, factors, p, right, weights, first, last, rest, x, mixture):
    """x ← the digits first ≤ k < last of A⁻¹ b, in base p, n to each: those of the k-th from k n on (Dixon 1982).

        x_k = A⁻¹ r_k mod p    r_{k+1} = (r_k - A x_k) / p + (digit k + 1 of b)

    mixture(k) ← Σ weights(t) x(k n + t).

    matrix : (ptr, column, limbs): limb l of the entries from l len(column) on, each with the sign of its entry; base p.
    right : the digits of b, as x, with the sign of their number; as many as there are.
    rest : r_k less the digit k of b, as limbs, those of row t from t times their number on: from 0 to p - 1, but for
    the last one, which has the sign of the number.
    """
    ptr, column, limbs = matrix
    n, entries = len(ptr) - 1, len(column)
    width = len(limbs) // entries
    for k in range(first, last):
        begin = k * n
        for t in range(n):
            if begin + t < len(right):
                rest[t * width] += right[begin + t]
            x[begin + t] = rest[t * width] % p
        substitute(pattern, factors, p, begin, x)
        total = 0
        for t in range(n):
            total += weights[t] * x[begin + t]
        mixture[k] = total
        for t in range(n):
            low, carry = t * width, 0
            for part in range(width):
                left, times = product(limbs, column, ptr[t], ptr[t + 1], part * entries, x, begin, p)
                total = rest[low + part] + carry - left
                off = total // p
                carry = off - times
                if part > 0:
                    rest[low + part - 1] = total - off * p
            rest[low + width - 1] = carry


@kernel
def join(x, n, first, last, p, size, limbs):
    """limbs ← Σ x_k p^(k - first) over first ≤ k < last of each of the n numbers whose digits are in x, in base 2**32.

    Limbs of a number are `size`, the lowest first; they are 0 at first.
    """
    for t in range(n):
        for k in range(last - 1, first - 1, -1):
            carry = x[k * n + t]
            for part in range(t * size, (t + 1) * size):
                carry += limbs[part] * p
                limbs[part] = carry % 4294967296
                carry = carry // 4294967296
