"""What is recorded of a learner on the way: errors and best values, in one pass over the table of each run.

A run of many steps records some 100 times: with arrays made in between, as numpy makes them, that took three times as
long as learning on a model of 100,000 pairs.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import at, kernel


@kernel
def larger(x, top):
    """The larger of two, `top` where neither is."""
    return x if x > top else top


@kernel
def add_error(table, e, j, true, weight, top, total):
    """(max |x|, Σ w x²) with x = table[e, j] - true added."""
    x = abs(table[at(e), at(j)] - true)
    return larger(x, top), total + weight * (x * x)


@kernel
def measure(table, truth, live, weights, groups, best, out):
    """out[e] ← (max |x|, Σ w x²) of x = table[e] - truth where `live`; the sum is not finite where an x is not.

    best[e, g] ← the largest table[e, j] from groups[g] to groups[g + 1], 0 where there is none. A sum is in the order
    of the entries, so that each term waits for the one before: four runs are summed at once.
    """
    runs = len(table)
    for e in range(0, runs, 4):
        e1, e2, e3 = min(e + 1, runs - 1), min(e + 2, runs - 1), min(e + 3, runs - 1)  # the last one again
        top = top1 = top2 = top3 = 0.0
        total = total1 = total2 = total3 = 0.0
        for g in range(len(groups) - 1):
            first, last = groups[g], groups[g + 1]
            if first == last:
                best[e, g] = best[e1, g] = best[e2, g] = best[e3, g] = 0.0
                continue
            high, high1, high2, high3 = table[e, first], table[e1, first], table[e2, first], table[e3, first]
            for j in range(first, last):
                high, high1 = larger(table[at(e), at(j)], high), larger(table[at(e1), at(j)], high1)
                high2, high3 = larger(table[at(e2), at(j)], high2), larger(table[at(e3), at(j)], high3)
                if live[at(j)]:
                    x, w = truth[at(j)], weights[at(j)]
                    top, total = add_error(table, e, j, x, w, top, total)
                    top1, total1 = add_error(table, e1, j, x, w, top1, total1)
                    top2, total2 = add_error(table, e2, j, x, w, top2, total2)
                    top3, total3 = add_error(table, e3, j, x, w, top3, total3)
            best[e, g], best[e1, g], best[e2, g], best[e3, g] = high, high1, high2, high3
        out[e, 0], out[e, 1] = top, total
        out[e1, 0], out[e1, 1] = top1, total1
        out[e2, 0], out[e2, 1] = top2, total2
        out[e3, 0], out[e3, 1] = top3, total3
