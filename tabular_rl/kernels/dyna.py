"""Planning with a model that is learned on the way: Dyna-Q and prioritized sweeping.

The learned model is the counts (runs, K) of the outcomes that were seen and `tried` (runs, L), how often each row was.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import update
from tabular_rl.kernels.walk import Floats, draw, highest, next_row, outcome, rate


class Memory(NamedTuple):
    """The learned model, and in the first `size` places of `known` the rows that were tried."""

    known: NDArray[np.int64]
    size: NDArray[np.int64]
    tried: NDArray[np.int64]
    counts: NDArray[np.int64]


class Into(NamedTuple):
    """The rows and outcomes that lead to state s: places ptr[s] ... ptr[s + 1] - 1."""

    ptr: NDArray[Any]
    row: NDArray[Any]
    outcome: NDArray[Any]


class Queue(NamedTuple):
    """A heap of rows (runs, L), where each row is in it (-1: nowhere), and how many of it are used in a step."""

    planning: int
    threshold: float
    heap: NDArray[np.int64]
    place: NDArray[np.int64]
    priority: Floats
    size: NDArray[np.int64]


class ValuedMemory(NamedTuple):
    """The learned model, and the largest action values of each state by it."""

    tried: NDArray[np.int64]
    counts: NDArray[np.int64]
    v: Floats


@kernel
def drawn(counts, e, first, n, u):
    """The outcome from `first` on that u falls on, by counts whose sum is n."""
    rest = u * n - counts[e, first]
    while rest >= 0.0:
        first += 1
        rest -= counts[e, first]
    return first


@kernel
def remember(model, memory, e, i, u):
    """Sample an outcome of row i, and count it."""
    out = draw(model, i, u)
    memory.tried[e, i] += 1
    memory.counts[e, out] += 1
    return out


@kernel
def dyna_q(model, log, walk, uniforms, step, clock, row, memory, visits, total, since, q):  # noqa: ARG001  (as every rule)
    """q(s,a) ← q(s,a) + α [ r + γ max_a' q(s',a') - q(s,a) ], from what happened, then from what is remembered.

    After the three uniforms of the walk each update from memory takes two: the row, one of the `size` in `known` (those
    tried so far), and its outcome. The n of `per_step` counts real steps.
    """
    known, size, tried, counts = memory.known, memory.size, memory.tried, memory.counts
    for k in range(uniforms.shape[1]):
        t = step + k
        x = rate(walk.explore_rate, t + 1)
        for e in range(len(q)):
            u = uniforms[e, k]
            i = row[e]
            if tried[e, i] == 0:
                known[e, size[e]] = i
                size[e] += 1
            real = remember(model, memory, e, i, u[0])
            out = real
            for n in range(1, len(u) - 1, 2):
                if n > 1:
                    i = known[e, int(u[n] * size[e])]
                    out = drawn(counts, e, model.row_ptr[i], tried[e, i], u[n + 1])
                aim, s2 = outcome(model, i, out)
                if s2 >= 0:
                    aim += model.gamma * highest(q, e, model.pair_ptr[s2], model.pair_ptr[s2 + 1])
                update(q, e, i, aim, 1.0, walk.step_size, walk.per_step, t, visits, total, since)
            s2 = outcome(model, row[e], real)[1]
            next_row(model, walk, x, u, s2, -1, e, clock, row, tried, q)


@kernel
def before(priority, e, i, j):
    """Whether row i comes before row j: the larger priority first, then the lower row."""
    return priority[e, i] > priority[e, j] or (priority[e, i] == priority[e, j] and i < j)


@kernel
def swap(heap, place, e, m, n):
    """Exchange two places of the heap."""
    i = heap[e, m]
    j = heap[e, n]
    heap[e, m] = j
    heap[e, n] = i
    place[e, i] = n
    place[e, j] = m


@kernel
def sift(heap, place, priority, size, e, m):
    """Move what stands at place m of a heap up or down to where it belongs; m has the children 2m + 1 and 2m + 2."""
    while m > 0 and before(priority, e, heap[e, m], heap[e, (m - 1) // 2]):
        swap(heap, place, e, m, (m - 1) // 2)
        m = (m - 1) // 2
    while 2 * m + 1 < size[e]:
        child = 2 * m + 1
        if child + 1 < size[e] and before(priority, e, heap[e, child + 1], heap[e, child]):
            child += 1
        if not before(priority, e, heap[e, child], heap[e, m]):
            break
        swap(heap, place, e, m, child)
        m = child


@kernel
def push(heap, place, priority, size, e, i, new, threshold):
    """Give row i a priority: it enters the heap where that is above the threshold; in the heap it moves."""
    if place[e, i] < 0:
        if not new > threshold:
            return
        heap[e, size[e]] = i
        place[e, i] = size[e]
        size[e] += 1
    priority[e, i] = new
    sift(heap, place, priority, size, e, place[e, i])


@kernel
def pop(heap, place, priority, size, e):
    """Take the first row off the heap."""
    i = heap[e, 0]
    size[e] -= 1
    swap(heap, place, e, 0, size[e])
    place[e, i] = -1
    if size[e] > 0:
        sift(heap, place, priority, size, e, 0)
    return i


@kernel
def learned_backup(model, tried, counts, e, i, v):
    """r̂(s,a) + γ Σ p̂(s'|s,a) v(s') by the counts of row i."""
    value = 0.0
    for out in range(model.row_ptr[i], model.row_ptr[i + 1]):
        if counts[e, out] > 0:
            each, s2 = outcome(model, i, out)
            if s2 >= 0:
                each += model.gamma * v[e, s2]
            value += counts[e, out] * each
    return value / tried[e, i]


@kernel
def sweeping(model, log, walk, uniforms, step, clock, row, into, queue, memory, visits, q):  # noqa: ARG001  (as every rule)
    """q(s,a) ← Σ_s' p̂(s'|s,a) [ r + γ v(s') ], v(s) ← max_a q(s,a): by the learned model, the largest error first.

    The row just tried comes first of all, then `planning` more from the heap, while it lasts. Where v changes, the rows
    seen to lead there (`into`) get their errors again.
    """
    tried, counts, v = memory.tried, memory.counts, memory.v
    heap, place, priority, size = queue.heap, queue.place, queue.priority, queue.size
    for k in range(uniforms.shape[1]):
        x = rate(walk.explore_rate, step + k + 1)
        for e in range(len(q)):
            u = uniforms[e, k]
            real = remember(model, memory, e, row[e], u[0])
            push(heap, place, priority, size, e, row[e], math.inf, queue.threshold)
            for _ in range(queue.planning + 1):
                if size[e] == 0:
                    break
                i = pop(heap, place, priority, size, e)
                s = model.pair_state[i]
                visits[e, i] += 1
                q[e, i] = learned_backup(model, tried, counts, e, i, v)
                best = highest(q, e, model.pair_ptr[s], model.pair_ptr[s + 1])
                if best == v[e, s]:
                    continue
                v[e, s] = best
                for n in range(into.ptr[s], into.ptr[s + 1]):
                    if counts[e, into.outcome[n]] > 0:
                        j = into.row[n]
                        error = abs(learned_backup(model, tried, counts, e, j, v) - q[e, j])
                        push(heap, place, priority, size, e, j, error, queue.threshold)
            s2 = outcome(model, row[e], real)[1]
            next_row(model, walk, x, u, s2, -1, e, clock, row, tried, q)
