"""Which rows lead to the same states with the same probabilities.

So it is where a decision says what is in store, and demand the rest.

`rows` is (row_ptr, next_state, bits), bits those of the probabilities.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import at, kernel


@kernel
def mark(next_state, bits, first, last):
    """A number below 2**30 that rows with the same outcomes have in common, made of a few of them."""
    x = 0
    for k in (first, (first + last) // at(2), last - at(1)):
        x = (x * 1000003 + int(next_state[k])) & 0x3FFFFFFF
        x = (x * 1000003 + bits[k] // 2**33) & 0x3FFFFFFF
    return x


@kernel
def same_outcomes(next_state, bits, one, other, length):
    """Whether the outcomes from `one` and from `other` on, `length` of them, are the same."""
    apart = bits[one] ^ bits[other]
    for k in range(length):
        apart |= next_state[one + k] ^ next_state[other + k]
    for k in range(length):
        apart |= bits[one + k] ^ bits[other + k]
    return apart == 0


@kernel
def shared_rows(rows, marks, table, first, kind):
    """kind(i) ← a number that rows with the outcomes of row i have in common; first(c) ← the first row of kind c.

    Kinds are numbered in the order of storage; `marks` are theirs. `table`, filled with -1, has a power of two of
    places, more than there can be kinds. Returns how many kinds there are; -1 where they are more than `first` holds,
    or where more rows than there are were compared in vain.
    """
    row_ptr, next_state, bits = rows
    n = 0
    vain = 0
    for i in range(len(kind)):
        start, stop = at(row_ptr[at(i)]), at(row_ptr[at(i + 1)])
        x = mark(next_state, bits, start, stop)
        place = x & (len(table) - 1)
        c = table[at(place)]
        while c >= 0:
            other = at(row_ptr[at(first[at(c)])])
            if marks[at(c)] == x and at(row_ptr[at(first[at(c)] + 1)]) - other == stop - start:
                if same_outcomes(next_state, bits, start, other, stop - start):
                    break
                vain += 1
            place = (place + 1) & (len(table) - 1)
            c = table[at(place)]
        if c < 0:
            if n == len(first) or vain > len(kind):
                return -1
            c = n
            table[at(place)] = n
            marks[at(n)] = x
            first[at(n)] = i
            n += 1
        kind[at(i)] = c
    return n
