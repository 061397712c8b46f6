"""Slow, obvious twins of kernels/modular.py: full matrices of whole numbers."""

from __future__ import annotations


def inverse_of(a, p):
    return pow(a, -1, p) if a else 0


def reduce(work, places, first, last, p):
    for place in set(map(int, places[first:last])):
        work[place] = int(work[place]) % p


def full(n, ptr, columns, values):
    """A matrix as lists of whole numbers."""
    rows = [[0] * n for _ in range(n)]
    for t in range(n):
        for k in range(ptr[t], ptr[t + 1]):
            rows[t][columns[k]] = int(values[k])
    return rows


def factor(matrix, pattern, p, first, last, work, pivot, lower, upper):
    """Row t less multiples of earlier rows, each of which has a pivot of 1 then."""
    upper_ptr, later, lower_ptr, earlier = pattern
    n, rest = len(pivot), full(len(pivot), *matrix)
    done = full(n, upper_ptr, later, upper)
    for t in range(first, last):
        for t2 in range(t):
            times = rest[t][t2] % p
            rest[t] = [x - times * (1 if j == t2 else y if j > t2 else 0) for j, (x, y) in
                       enumerate(zip(rest[t], done[t2], strict=True))]  # fmt: skip
            for k in range(lower_ptr[t], lower_ptr[t + 1]):
                if earlier[k] == t2:
                    lower[k] = times
        pivot[t] = inverse_of(rest[t][t] % p, p)
        done[t] = [x * int(pivot[t]) % p if j > t else 0 for j, x in enumerate(rest[t])]
        for k in range(upper_ptr[t], upper_ptr[t + 1]):
            upper[k] = done[t][later[k]]
        if pivot[t] == 0:
            return t
    return last


def product(values, places, first, last, shift, x, begin, p):
    times, left = divmod(
        sum(int(values[k + shift]) * int(x[begin + places[k]]) for k in range(first, last)), p
    )
    return left, times


def solved(A, b, modulus):
    """A⁻¹ b by Gauss and Jordan, where a pivot that has an inverse is found in each column."""
    n = len(b)
    rows = [[*row, y] for row, y in zip(A, b, strict=True)]
    for j in range(n):
        inverses = [(i, pow(rows[i][j], -1, modulus)) for i in range(j, n) if rows[i][j] % modulus]
        i, inverse = inverses[0]
        rows[i], rows[j] = rows[j], [x * inverse % modulus for x in rows[i]]
        for i in range(n):
            if i != j:
                rows[i] = [(x - rows[i][j] * y) % modulus for x, y in zip(rows[i], rows[j], strict=True)]
    return [row[n] for row in rows]


def substitute(pattern, factors, p, begin, x):
    """The factors multiplied with each other are the matrix."""
    upper_ptr, later, lower_ptr, earlier = pattern
    pivot, lower, upper = factors
    n = len(pivot)
    L, U = full(n, lower_ptr, earlier, lower), full(n, upper_ptr, later, upper)
    for t in range(n):
        L[t][t], U[t][t] = inverse_of(int(pivot[t]), p), 1
    A = [[sum(L[t][k] * U[k][j] for k in range(n)) % p for j in range(n)] for t in range(n)]
    x[begin : begin + n] = solved(A, [int(y) for y in x[begin : begin + n]], p)


def lift(matrix, pattern, factors, p, right, weights, first, last, rest, x, mixture):
    """A⁻¹ b modulo a power of p at once; `rest` is what b is then beyond A x, over that power."""
    ptr, column, limbs = matrix
    n, entries = len(ptr) - 1, len(column)
    width, count = len(limbs) // entries, last - first
    units = [p**part for part in range(width)]
    values = [sum(u * int(limbs[part * entries + j]) for part, u in enumerate(units)) for j in range(entries)]
    A = full(n, ptr, column, values)
    b = [sum(u * int(rest[t * width + part]) for part, u in enumerate(units)) for t in range(n)]
    for k in range(first, last):
        for t in range(n):
            if k * n + t < len(right):
                b[t] += int(right[k * n + t]) * p ** (k - first)
    solution = solved(A, b, p**count) if count else [0] * n
    for t in range(n):
        left = (b[t] - sum(a * y for a, y in zip(A[t], solution, strict=True))) // p**count
        for part in range(width):
            rest[t * width + part] = left // p**part % p if part < width - 1 else left // p**part
        for k in range(count):
            x[(first + k) * n + t] = solution[t] // p**k % p
    for k in range(first, last):
        mixture[k] = sum(int(w) * int(y) for w, y in zip(weights, x[k * n :], strict=False))


def join(x, n, first, last, p, size, limbs):
    for t in range(n):
        value = sum(int(x[k * n + t]) * p ** (k - first) for k in range(first, last))
        limbs[t * size : (t + 1) * size] = [value >> 32 * part & 0xFFFFFFFF for part in range(size)]
