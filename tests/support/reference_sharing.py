"""Slow, obvious twins of the kernels that find rows with the same outcomes, and rows that lead to runs of states."""

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


def first_of_runs(row_ptr, next_state, run):
    """Rows that are a range."""
    for i, (first, last) in enumerate(pairwise(row_ptr)):
        row = [int(t) for t in next_state[first:last]]
        run[i] = row[0] if row == list(range(row[0], row[0] + len(row))) else -1


def same_runs(row_ptr, run, listed, n):
    """One pair of (run, length) for four rows."""
    four = {(int(run[j]), int(row_ptr[j + 1] - row_ptr[j])) for j in listed[n : n + 4]}
    return n + 4 <= len(listed) and len(four) == 1 and four.pop()[0] >= 0


def run_sums(row_ptr, next_state, prob, run, v, listed, out):
    """Each row by itself, by its next states."""
    for n, i in enumerate(listed):
        out[n] = 0.0
        for k in range(row_ptr[i], row_ptr[i + 1]):
            out[n] += prob[k] * v[next_state[k]]
