"""Slow, obvious twins of the kernels that make bounds, middles and decisions of backed-up values."""

from __future__ import annotations

import math

import numpy as np
from reference import row_value


def next_up(x):
    """The next float, of which an infinity that would turn back has none."""
    return math.nan if x == -math.inf else math.nextafter(float(x), math.inf)


def next_down(x):
    return -next_up(-float(x))


def largest(numbers):
    """The largest of 0 and of numbers; NaN where there is one."""
    return math.nan if any(map(math.isnan, numbers)) else max(0.0, *numbers)


def interval(kept, best, fall, rise, limits, ended, lower, upper):
    """Bounds by the next floats, within limits; those of states that have ended are 0."""
    lower[:] = [next_down(x + fall) for x in kept]
    upper[:] = [next_up(x + rise) for x in best]
    lower[lower < limits[0]] = limits[0]
    upper[upper > limits[1]] = limits[1]
    if len(ended):
        lower[ended] = upper[ended] = 0.0
    return largest((upper - lower).tolist())


def step_up(pair_ptr, rows, u, first, last, error, own, q, upper):
    """Backed-up values and their E, by the next floats; the largest of each state, NaN where one is."""
    for s in range(first, last):
        of_state = range(pair_ptr[s], pair_ptr[s + 1])
        for i in of_state:
            q[i] = next_up(row_value(rows, i, u) + float(own[i] if len(own) else error))
        high = [float(q[i]) for i in of_state]
        upper[s] = math.nan if any(map(math.isnan, high)) else max(high, default=0.0)


def middles(lower, upper, around, off, v):
    """What lies around where it is the middle within 2**-50, else the middle; not beyond a bound."""
    near = around + off if len(around) else None
    for s, (low, high) in enumerate(zip(lower.tolist(), upper.tolist(), strict=True)):
        x = low + (high - low) / 2
        if near is not None and abs(near[s] - x) <= abs(x) / 2**50:
            x = near[s]
        v[s] = math.nan if math.isnan(x) else min(max(x, low), high)
    above, below = upper - v, v - lower
    above[np.isnan(above)] = 0.0  # of an infinite bound the other one is infinite, or NaN
    return largest([*above.tolist(), *below.tolist()])


def decide(pair_ptr, q, lower, off, chosen, listed, keep, sole):
    """The rows of each state that are kept, and whether they are the chosen one alone."""
    rows = listed if len(listed) else range(len(q))
    for s, own in enumerate(chosen.tolist()):
        own_rows = range(pair_ptr[s], pair_ptr[s + 1])
        kept = [i for i in own_rows if q[i] >= next_down(lower[s] - off)]
        for i in own_rows:
            keep[rows[i]] = i in kept
        sole[s] = kept == [own] or own < 0
    return len(sole) - int(sole.sum())


def row_above(rows, i, unpaid, error, u):
    """The computed backup and its error, or the largest u(s') where nothing is earned and that is less."""
    row_ptr, next_state, prob, r, gamma, sign, _ = rows
    met = [(float(prob[k]), float(u[next_state[k]])) for k in range(row_ptr[i], row_ptr[i + 1])]
    q = next_up(sign * r[i] + gamma * sum(p * x for p, x in met) + error)
    return min([q, *[max(x for _, x in met)] * bool(unpaid)])


def of_state(s, begin, end, rows, unpaid, error, u):
    return {i: row_above(rows, i, unpaid[i], error, u) for i in range(begin[s], end[s])}


def lift(order, begin, end, rows, unpaid, error, most, held, u):
    """Each state that is not held takes its best row where that is more, but no more than `most`."""
    rose = 0
    for s in order:
        if not held[s]:
            x = min(most, max([u[s], *of_state(s, begin, end, rows, unpaid, error, u).values()]))
            rose += x > u[s]
            u[s] = x
    return rose


def close(begin, end, rows, unpaid, error, most, u, of_rows, out):
    """The best row of each state, up to `most`, and how many states have a row that is not known to be worth less."""
    left = 0
    for s in range(len(out)):
        q = of_state(s, begin, end, rows, unpaid, error, u)
        for i, x in q.items():
            of_rows[i : i + 1] = x
        out[s] = min(most, max(q.values(), default=u[s]))
        left += not (u[s] == most or (u[s] < most and all(x <= u[s] for x in q.values())))
    return left
