"""Slow, obvious twins of the kernels that make a model's arrays of tensors and look at all numbers of a model."""

from __future__ import annotations

import math
from fractions import Fraction

LARGEST_GAP = Fraction(1, 2**41)
LONGEST = 2**26


def mass_defect(prob, first, last):
    """|1 - Σ p|, each p rounded to a multiple of 2**-106, half to even; with small ones what that may leave out."""
    p = [float(x) for x in prob[first:last]]
    if not all(map(math.isfinite, p)) or min(p, default=0.0) < 0:
        return math.nan
    missing = float(abs(1 - sum(Fraction(round(Fraction(x) * 2**106), 2**106) for x in p)))
    return missing + len(p) * 2.0**-107 if any(0 < x < 2.0**-54 for x in p) else missing


def look_at_rows(pair_ptr, rows, known, first, last, s, compare, facts, smallest):
    """Each row by itself, in rationals; a row that is not surely right ends it."""
    row_ptr, prob, reward, r = rows
    before = [float(x) for x in facts]
    for i in range(first, last):
        state = max(s for s in range(len(pair_ptr) - 1) if pair_ptr[s] <= i)
        places = range(row_ptr[i], row_ptr[i + 1])
        n, p = len(places), [float(prob[k]) for k in places]
        gap = 0.0 if len(known) and known[i] else mass_defect(prob, row_ptr[i], row_ptr[i + 1])
        if not gap <= min(Fraction(n, 2**52), LARGEST_GAP) or (n > LONGEST and not (len(known) and known[i])):
            return False
        largest = abs(float(r[i]))
        if not largest <= 1e300:
            return False
        if len(reward):
            own = [float(reward[k]) for k in places]
            scale = max(map(abs, own))
            expected = 0.0
            for x, y in zip(p, own, strict=True):
                expected += x * y
            if compare and not abs(float(r[i]) - expected) <= (n + 5) * 2.0**-52 * scale:
                return False
            largest = max(largest, scale)
        before = [max(x, y) for x, y in zip(before, (n, gap, largest), strict=True)]
        smallest[state] = min(smallest[state], largest)
    facts[:] = before
    return True


def pairs_rise(pair_ptr, pair_action, terminal, A):
    """Whether each state's actions are as they should be."""
    for s in range(len(terminal)):
        actions = list(pair_action[pair_ptr[s] : pair_ptr[s + 1]])
        if bool(actions) == bool(terminal[s]) or actions != sorted(set(actions) & set(range(A))):
            return False
    return True


def count_entries(ptr, data, stride, counts):
    """How many entries of each row are not 0, until the pointers fall."""
    for j in range(len(ptr) - 1):
        if ptr[j] > ptr[j + 1]:
            return False
        counts[j * stride] = sum(x != 0 for x in data[ptr[j] : ptr[j + 1]])
    return True


def count_numbers(block, counts):
    """How many numbers of each row are not 0."""
    for j, row in enumerate(block):
        counts[j] = sum(x != 0 for x in row)


def lay_out(A, counts, pair_ptr, pair_action):
    """The pointers of rows that have outcomes, in place of how many they have."""
    S = len(pair_ptr) - 1
    found = [(s, a, int(counts[s * A + a])) for s in range(S) for a in range(A) if counts[s * A + a] > 0]
    for s in range(S + 1):
        pair_ptr[s] = sum(state < s for state, _, _ in found)
    for i in range(len(found) + 1):
        counts[i] = sum(n for _, _, n in found[:i])
    for i, (_, a, _) in enumerate(found):
        pair_action[i] = a
    return len(found)


def written(places, values, row_ptr, i, next_state, prob):
    """One row to row i of the model, where it has any entries; the row that comes next."""
    for n, (t, p) in enumerate(zip(places, values, strict=True)):
        next_state[row_ptr[i] + n], prob[row_ptr[i] + n] = t, p
    return i + bool(len(places))


def write_entries(matrix, S, per_state, row_ptr, at, next_state, prob):
    """Rows one by one, until one is out of order or of range."""
    ptr, index, data = matrix
    for j in range(len(at) * per_state):
        kept = [m for m in range(ptr[j], ptr[j + 1]) if data[m] != 0]
        places = [int(index[m]) for m in kept]
        wrong = next((n for n, t in enumerate(places) if not (places[n - 1] if n else 0) <= t < S), None)
        s = j // per_state
        i = written(places[:wrong], [data[m] for m in kept[:wrong]], row_ptr, at[s], next_state, prob)
        if wrong is not None:
            return False
        at[s] = i
    return True


def write_numbers(block, row_ptr, i, next_state, prob):
    """Rows one by one."""
    for row in block:
        places = [t for t, p in enumerate(row) if p != 0]
        i = written(places, [row[t] for t in places], row_ptr, i, next_state, prob)
    return i


def match_entries(matrix, a, per_state, pair_ptr, pair_action, row_ptr, at, next_state, reward):
    """The reward of each outcome by a dictionary of the row's entries, until a row does not rise."""
    ptr, index, data = matrix
    for j in range(len(at) * per_state):
        s, action = j // per_state, a + j % per_state
        places = [int(t) for t in index[ptr[j] : ptr[j + 1]]]
        if places != sorted(set(places)):
            return False
        stored = dict(zip(places, data[ptr[j] : ptr[j + 1]], strict=True))
        if at[s] < pair_ptr[s + 1] and pair_action[at[s]] == action:
            for k in range(row_ptr[at[s]], row_ptr[at[s] + 1]):
                reward[k] = 0.0 + stored.get(int(next_state[k]), 0.0)
            at[s] += 1
    return True


def pick_numbers(block, place, row_ptr, next_state, reward):
    """The number at the place of each outcome."""
    for i, j in enumerate(place):
        for k in range(row_ptr[i], row_ptr[i + 1]):
            reward[k] = block[j][next_state[k]]
