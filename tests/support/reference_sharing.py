"""Slow, obvious twins of the kernels that find rows with the same outcomes."""

from __future__ import annotations

from itertools import pairwise


def mark(next_state, bits, first, last):
    """The digits of a number to the base 1000003, modulo 2**30: the first, the middle and the last outcome."""
    digits = []
    for k in (first, (first + last) // 2, last - 1):
        digits += [int(next_state[k]), int(bits[k]) // 2**33]
    return sum(digit * 1000003**power for power, digit in enumerate(reversed(digits))) % 2**30


def same_outcomes(next_state, bits, one, other, length):
    """Whether two slices are equal."""
    return all(list(x[one : one + length]) == list(x[other : other + length]) for x in (next_state, bits))


def shared_rows(rows, marks, table, first, kind):
    """Kinds by a dictionary of whole rows; in the table a kind takes the first free place from its mark on."""
    row_ptr, next_state, bits = rows
    outcomes = [
        tuple(zip(next_state[i:j].tolist(), bits[i:j].tolist(), strict=True)) for i, j in pairwise(row_ptr)
    ]
    numbers, vain = {}, 0
    for i, row in enumerate(outcomes):
        x = mark(next_state, bits, int(row_ptr[i]), int(row_ptr[i + 1]))
        places = [(x + j) % len(table) for j in range(len(table))]
        met = places[: [table[p] for p in places].index(-1)]  # the kinds that are looked at
        if row in numbers:
            met = met[: [table[p] for p in met].index(numbers[row])]
        for c in (int(table[p]) for p in met):
            vain += marks[c] == x and len(outcomes[first[c]]) == len(row)
        if row not in numbers:
            if len(numbers) == len(first) or vain > len(outcomes):
                return -1
            c = numbers[row] = len(numbers)
            table[places[len(met)]], marks[c], first[c] = c, x, i
        kind[i] = numbers[row]
    return len(numbers)
