"""The arrays of a model from tensors, dense or sparse, and a look at all of their numbers, in passes over memory.

What one pass finds is exact or it is not claimed: a kernel that is not sure of a row says so, and the slow reading of
model/ decides, and speaks. Rows go by state, then by action; a row of zeros is none.
"""

from __future__ import annotations

import math

from tabular_rl.kernels._jit import add, at, kernel


@kernel
def mass_defect(prob, first, last):
    """|1 - Σ p| of a row of up to 2**26 outcomes, first ≤ k < last, or a little more; NaN where a p is negative.

    p is split into multiples of 2**-52, of 2**-79 and of 2**-106: adding a number whose unit in the last place that is
    and taking it away rounds to the next multiple. While Σ p ≤ 2, each of the parts adds up without rounding, in any
    order. What is left out of a p below 2**-54 is at most 2**-107.
    """
    high, middle, low, tiny = 0.0, 0.0, 0.0, 0
    for k in range(at(first), at(last)):
        p = prob[k]
        above = (p + 1.0) - 1.0
        rest = p - above
        between = (rest + 1.5 * 2.0**-27) - 1.5 * 2.0**-27
        below = ((rest - between) + 1.5 * 2.0**-54) - 1.5 * 2.0**-54
        high = add(high, above)
        middle = add(middle, between)
        low = add(low, below)
        tiny += int((p < 2.0**-54) & (p != 0.0))
    missing = abs(((1.0 - high) - middle) - low)
    if tiny > 0:
        for k in range(at(first), at(last)):
            if prob[k] < 0.0:
                return math.nan
        missing += (last - first) * 2.0**-107
    return missing


@kernel
def look_at_rows(pair_ptr, rows, known, first, last, s, compare, facts, smallest):
    """Whether the rows first ≤ i < last, of state s and later ones, are surely right; what a model's facts are made of.

    facts ← the longest row, the largest |1 - Σ p|, the largest reward; smallest(s) ← the least R_i of its rows, R_i
    the largest reward of row i. `reward` is empty where outcomes have none; `compare` asks that r is Σ p reward. Rows
    that are marked in `known` have the outcomes of an earlier row; it is empty where nobody has looked.
    """
    row_ptr, prob, reward, r = rows
    longest, worst, greatest = facts[0], facts[1], facts[2]
    for i in range(at(first), at(last)):
        while pair_ptr[s + 1] <= i:
            s += 1
        n = row_ptr[i + at(1)] - row_ptr[i]
        if len(known) == 0 or not known[i]:
            missing = mass_defect(prob, row_ptr[i], row_ptr[i + at(1)])
            if not (missing <= min(n * 2.0**-52, 2.0**-41) and n <= 2**26):
                return False
            worst = max(worst, missing)
        largest = abs(r[i])
        if not largest <= 1e300:
            return False
        if len(reward) > 0:
            expected, scale = 0.0, 0.0
            for k in range(at(row_ptr[i]), at(row_ptr[i + at(1)])):
                expected += prob[k] * reward[k]
                scale = max(scale, abs(reward[k]))
            if compare and not abs(r[i] - expected) <= (n + 5) * 2.0**-52 * scale:
                return False
            largest = max(largest, scale)
        longest = max(longest, n)
        greatest = max(greatest, largest)
        smallest[s] = min(smallest[s], largest)
    facts[0], facts[1], facts[2] = longest, worst, greatest
    return True


@kernel
def pairs_rise(pair_ptr, pair_action, terminal, A):
    """Whether every state is terminal or has rows, not both, and the actions of its rows rise from 0 to A - 1."""
    for s in range(len(terminal)):
        if terminal[s] == (pair_ptr[s] < pair_ptr[s + 1]):
            return False
        last = -1
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            if pair_action[i] <= last or pair_action[i] >= A:
                return False
            last = pair_action[i]
    return True


@kernel
def count_entries(ptr, data, stride, counts):
    """counts(j · stride) ← how many entries of row j of a sparse matrix are not 0; False where `ptr` falls."""
    for j in range(len(ptr) - 1):
        if ptr[j + 1] < ptr[j]:
            return False
        n = 0
        for m in range(ptr[j], ptr[j + 1]):
            if data[m] != 0.0:
                n += 1
        counts[j * stride] = n
    return True


@kernel
def count_numbers(block, counts):
    """counts(j) ← how many numbers of row j of a dense block are not 0."""
    for j in range(len(block)):
        row = block[j]
        n = 0
        for t in range(len(row)):
            if row[t] != 0.0:
                n += 1
        counts[j] = n


@kernel
def lay_out(A, counts, pair_ptr, pair_action):
    """counts (S·A + 1) of states and actions become the pointers of the rows that are not empty: how many these are."""
    row, total = 0, 0
    for s in range(len(pair_ptr) - 1):
        pair_ptr[s] = row
        for a in range(A):
            n = counts[s * A + a]
            if n > 0:
                counts[row] = total
                pair_action[row] = a
                row += 1
                total += n
    pair_ptr[len(pair_ptr) - 1] = row
    counts[row] = total
    return row


@kernel
def write_entries(matrix, S, per_state, row_ptr, at, next_state, prob):
    """Rows of a sparse matrix, `per_state` ones of each state in turn, to the model's row at(s) and those after it.

    False where the next states of a row are not in order, or out of range.
    """
    ptr, index, data = matrix
    j = 0
    for s in range(len(at)):
        for _ in range(per_state):
            k, t = row_ptr[at[s]], 0
            for m in range(ptr[j], ptr[j + 1]):
                if data[m] != 0.0:
                    if index[m] < t or index[m] >= S:
                        return False
                    t = index[m]
                    next_state[k] = t
                    prob[k] = data[m]
                    k += 1
            if k > row_ptr[at[s]]:
                at[s] += 1
            j += 1
    return True


@kernel
def write_numbers(block, row_ptr, i, next_state, prob):
    """Rows of a dense block to the model's row i and those after it: the row that comes next."""
    for j in range(len(block)):
        row = block[j]
        k = row_ptr[i]
        for t in range(len(row)):
            if row[t] != 0.0:
                next_state[k] = t
                prob[k] = row[t]
                k += 1
        if k > row_ptr[i]:
            i += 1
    return i


@kernel
def match_entries(matrix, a, per_state, pair_ptr, pair_action, row_ptr, at, next_state, reward):
    """reward(k) ← the entry of a sparse matrix at the place of outcome k, 0 where it has none; matrices as written.

    Its rows are of action a, or of `per_state` actions from a on; at(s) and those after it are the rows of the model.
    False where the entries of a row do not rise.
    """
    ptr, index, data = matrix
    j = 0
    for s in range(len(at)):
        for b in range(a, a + per_state):
            for m in range(ptr[j] + 1, ptr[j + 1]):
                if index[m] <= index[m - 1]:
                    return False
            i, m = at[s], ptr[j]
            if i < pair_ptr[s + 1] and pair_action[i] == b:
                for k in range(row_ptr[i], row_ptr[i + 1]):
                    while m < ptr[j + 1] and index[m] < next_state[k]:
                        m += 1
                    reward[k] = 0.0
                    if m < ptr[j + 1] and index[m] == next_state[k]:
                        reward[k] += data[m]
                at[s] += 1
            j += 1
    return True


@kernel
def pick_numbers(block, place, row_ptr, next_state, reward):
    """reward(k) ← the number at the place of outcome k; row i of the model is row place(i) of the dense block."""
    for i in range(len(place)):
        row = block[place[i]]
        for k in range(row_ptr[i], row_ptr[i + 1]):
            reward[k] = row[next_state[k]]
