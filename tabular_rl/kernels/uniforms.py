"""Uniforms of many runs: the numbers of numpy's PCG64, four at a time, and none that nobody reads.

A state of 128 bits, s ← A s + c, is two words of 64. m steps on it is A^m s + c (1 + A + ... + A^(m - 1)): where a step
of a learner takes U numbers, those of one place are U apart, and the others are passed over. Four states wait for one
product instead of four.
"""

from __future__ import annotations

import numpy as np

from tabular_rl.kernels._jit import at, kernel, multiply_add

ONE, STEP, FOUR, ALL = range(4)  # leaps: one number, the U of a step, those of four steps, those of all
MOST = at(2**64 - 1)


@kernel
def uniform(high, low):
    """The number in [0, 1) of a state: its halves taken together, turned by its first six bits, 53 of them kept."""
    x = high ^ low
    turn = high >> at(58)
    x = (x >> turn) | ((x << ((at(64) - turn) & at(63))) & MOST)
    return np.int64(x >> at(11)) * 2.0**-53


@kernel
def leap(high, low, add_high, add_low, leaps, m):
    """The state by leap m on: leaps[m] are A^n and 1 + A + ... + A^(n - 1), two words each."""
    c_high, c_low = multiply_add(add_high, add_low, leaps[m, 2], leaps[m, 3], at(0), at(0))
    return multiply_add(high, low, leaps[m, 0], leaps[m, 1], c_high, c_low)


@kernel
def fill_place(high, low, add_high, add_low, leaps, e, j, out):
    """out[e, k, j] ← the number of the state k steps on."""
    high1, low1 = leap(high, low, add_high, add_low, leaps, STEP)
    high2, low2 = leap(high1, low1, add_high, add_low, leaps, STEP)
    high3, low3 = leap(high2, low2, add_high, add_low, leaps, STEP)
    a_high, a_low = leaps[FOUR, 0], leaps[FOUR, 1]
    c_high, c_low = multiply_add(add_high, add_low, leaps[FOUR, 2], leaps[FOUR, 3], at(0), at(0))
    n = out.shape[1]
    whole = n - n % 4
    for k in range(0, whole, 4):
        out[e, at(k), at(j)] = uniform(high, low)
        out[e, at(k + 1), at(j)] = uniform(high1, low1)
        out[e, at(k + 2), at(j)] = uniform(high2, low2)
        out[e, at(k + 3), at(j)] = uniform(high3, low3)
        high, low = multiply_add(high, low, a_high, a_low, c_high, c_low)
        high1, low1 = multiply_add(high1, low1, a_high, a_low, c_high, c_low)
        high2, low2 = multiply_add(high2, low2, a_high, a_low, c_high, c_low)
        high3, low3 = multiply_add(high3, low3, a_high, a_low, c_high, c_low)
    if whole < n:
        out[e, whole, j] = uniform(high, low)
    if whole + 1 < n:
        out[e, whole + 1, j] = uniform(high1, low1)
    if whole + 2 < n:
        out[e, whole + 2, j] = uniform(high2, low2)


@kernel
def fill_uniforms(words, leaps, wanted, out):
    """out (runs, n, U) ← the next numbers of each run, where `wanted` (U,); words (runs, 4): its state, and c."""
    for e in range(len(out)):
        add_high, add_low = at(words[e, 2]), at(words[e, 3])
        high, low = at(words[e, 0]), at(words[e, 1])
        for j in range(out.shape[2]):
            high, low = leap(high, low, add_high, add_low, leaps, ONE)
            if wanted[j]:
                fill_place(high, low, add_high, add_low, leaps, e, j, out)
        words[e, 0], words[e, 1] = leap(at(words[e, 0]), at(words[e, 1]), add_high, add_low, leaps, ALL)
