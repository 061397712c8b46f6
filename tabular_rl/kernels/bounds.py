"""From backed-up values to bounds, their middles and decisions on rows, each in one pass: every number rounded outward.

The next float above or below x is x ± (STEP |x| + TINY), as in model/rounding.py, where it is said why. What is not
finite is not for these kernels: they return a width that is not finite, and NumPy does the same again.

At γ = 1 bounds are verified that no backup moves outward (certificates/closed.py). Rows begin(s) to end(s) are those of
s, `rows` is the tuple of kernels/bellman.py, and unpaid(i) says that r(i) ≤ 0.
"""

from __future__ import annotations

import math

from tabular_rl.kernels._jit import at, kernel, larger
from tabular_rl.kernels.bellman import row_value

STEP = 2.0**-53 * (1 + 2.0**-52)
TINY = 2.0**-1074
NEAR = 2.0**-50  # of a middle: nearer than that is what bounds lay around before they were rounded


@kernel
def next_up(x):
    """The next float above x."""
    return x + (abs(x) * STEP + TINY)


@kernel
def next_down(x):
    """The next float below x."""
    return x - (abs(x) * STEP + TINY)


@kernel
def interval(kept, best, fall, rise, limits, ended, lower, upper):
    """lower(s) ← kept(s) + fall and upper(s) ← best(s) + rise, outward, within the limits; 0 and 0 where s has ended.

    `ended` is empty where no state is terminal. Returns the largest difference, NaN where there is one.
    """
    floor, ceiling = limits
    width, odd = 0.0, False
    for s in range(at(len(best))):
        low = next_down(kept[s] + fall)
        high = next_up(best[s] + rise)
        low = floor if low < floor else low
        high = ceiling if high > ceiling else high
        if len(ended) > 0 and ended[s]:
            low = high = 0.0
        gap = high - low
        width = larger(width, gap)
        odd |= gap != gap
        lower[s] = low
        upper[s] = high
    return math.nan if odd else width


@kernel
def step_up(pair_ptr, rows, u, first, last, error, own, q, upper):
    """q(i) ← r(i) + γ Σ p u(s') + E for the rows i of states first ≤ s < last, upper(s) ← their maximum, outward.

    E is `error`, or own(i) where these are given. A state without rows has 0.
    """
    for s in range(first, last):
        best = 0.0
        found = False
        for i in range(pair_ptr[at(s)], pair_ptr[at(s + 1)]):
            off = own[at(i)] if len(own) > 0 else error
            x = next_up(row_value(rows, i, u) + off)
            q[at(i)] = x
            best = x if not found or x > best or x != x else best
            found = True
        upper[at(s)] = best


@kernel
def middles(lower, upper, around, off, v):
    """v ← the middle of each interval; around(s) + off, where that is given, if it is the same but for rounding.

    `around` may be v itself. Returns the largest distance of a bound from it; infinite or NaN where a bound is.
    """
    most, odd = 0.0, False
    for s in range(at(len(v))):
        low, high = lower[s], upper[s]
        x = (high - low) * 0.5 + low
        if len(around) > 0:
            near = around[s] + off
            x = near if abs(near - x) <= abs(x) * NEAR else x
        x = low if x < low else x
        x = high if x > high else x
        above, below = high - x, x - low  # where one is NaN, the latter is not finite
        far = above if above > below else below
        most = larger(most, far)
        odd |= far != far
        v[s] = x
    return math.nan if odd else most


@kernel
def decide(pair_ptr, q, lower, off, chosen, listed, keep, sole):
    """keep(i) ← q(i) ≥ lower(s) - off, rounded down, for the rows i of each s; sole(s) ← chosen(s) alone is kept.

    Where rows are those of a list, which is else empty, keep(listed(i)) is marked, and the rest stays. States without
    rows, whose chosen(s) is -1, have nothing to be decided. Returns how many are not sole.
    """
    doubts = 0
    i = at(pair_ptr[0])
    for s in range(at(len(chosen))):
        least = next_down(lower[s] - off)
        kept = at(0)
        end = at(pair_ptr[s + at(1)])
        while i < end:
            near = q[i] >= least
            if len(listed) > 0:
                keep[at(listed[i])] = near
            else:
                keep[i] = near
            kept += at(near)
            i += at(1)
        own = chosen[s]
        alone = own < 0 or (kept == 1 and q[at(own)] >= least)
        sole[s] = alone
        doubts += 0 if alone else 1
    return doubts


@kernel
def row_above(rows, i, unpaid, error, u):
    """The most that r(i) + Σ p u(s') can be: what is computed and its error; where r(i) ≤ 0, the largest u(s')."""
    row_ptr, next_state, prob, r, gamma, sign, _ = rows
    first, last = at(row_ptr[at(i)]), at(row_ptr[at(i + 1)])
    expected, most = 0.0, u[next_state[first]]
    for k in range(first, last):
        x = u[next_state[k]]
        expected += prob[k] * x
        most = x if x > most else most
    q = next_up(sign * r[at(i)] + gamma * expected + error)
    return most if unpaid and most < q else q


@kernel
def lift(order, begin, end, rows, unpaid, error, most, held, u):
    """u(s) ← the most that a row of s can be worth, up to `most` and where that is more; in turn.

    States that are held keep theirs. Returns how many rose.
    """
    rose = 0
    for j in range(len(order)):
        s = order[j]
        if not held[s]:
            best = u[s]
            for i in range(begin[s], end[s]):
                q = row_above(rows, i, unpaid[i], error, u)
                best = q if q > best else best
            best = most if best > most else best
            rose += 1 if best > u[s] else 0
            u[s] = best
    return rose


@kernel
def close(begin, end, rows, unpaid, error, most, u, of_rows, out):
    """out(s) ← the most that a row of s can be worth, up to `most`; u(s) where there is none.

    of_rows(i) ← that of each row, unless it is empty. Returns how many states have a row that may be worth more than
    u(s), where that is not `most`.
    """
    left = 0
    for s in range(len(out)):
        best = u[s]
        closed = best <= most
        for i in range(begin[s], end[s]):
            q = row_above(rows, i, unpaid[i], error, u)
            if len(of_rows) > 0:
                of_rows[i] = q
            closed = closed and (q <= u[s] or u[s] == most)
            best = q if i == begin[s] or q > best else best
        out[s] = most if best > most else best
        left += 0 if closed else 1
    return left
