"""Many classes, and slow mixing between blocks."""

from __future__ import annotations

import numpy as np

from benchmarks.families._base import Ints, cuts, family, full_model, generator, random_model
from tabular_rl import MDP


@family("multichain", (10**5,), (0.99, 0.999), 200)
def multichain(*, size: int, gamma: float, seed: int) -> MDP:
    """Blocks that are never left, with rewards of their own level, and a tenth of the states on the way to them."""
    rng = generator(seed)
    passing = size // 10
    blocks = max(min(50, (size - passing) // 15), 1)
    edges = passing + np.arange(blocks + 1) * (size - passing) // blocks

    def draw(first: int, last: int) -> Ints:
        state = np.arange(first, last) // 4
        block = np.searchsorted(edges, state, side="right") - 1
        low = np.where(state < passing, 0, edges[np.maximum(block, 0)])
        high = np.where(state < passing, size, edges[np.minimum(np.maximum(block, 0) + 1, blocks)])
        return distinct_between(rng, low, high, 7)

    level = np.concatenate([rng.random(passing), np.repeat(rng.random(blocks), np.diff(edges))])
    r = rng.random(size * 4) + np.repeat(level, 4)
    return random_model(rng, size, 4, 4, 7, draw, r=r, gamma=gamma, name=f"multichain {size}")


@family("decomposable", (10**5,), (0.999,), 200)
def decomposable(*, size: int, gamma: float, seed: int) -> MDP:
    """Nearly decomposable: blocks of 100 states, which one step in about 1,000 leaves."""
    rng = generator(seed)
    block = min(100, size // 4)
    edge = np.minimum(np.arange(size) // block, size // block - 1) * block
    top = np.where(edge + 2 * block > size, size, edge + block)
    to = np.empty((size * 4, 7), dtype=np.int32)
    to[:, :6] = distinct_between(rng, np.repeat(edge, 4), np.repeat(top, 4), 6)
    to[:, 6] = rng.integers(0, size, size * 4)
    prob = np.zeros((size * 4, 7))
    prob[:, :6] = cuts(rng, size * 4, np.full(size * 4, 6), 6) * (1 - 2**-10)
    prob[:, 6] = 2**-10
    level = rng.random(size // block + 1)[np.minimum(np.arange(size) // block, size // block - 1)]
    r = rng.random((size, 4)) + level[:, None]
    return full_model(
        to.reshape(size, 4, 7), prob.reshape(size, 4, 7), r=r, gamma=gamma, name=f"decomposable {size}"
    )


def distinct_between(rng: np.random.Generator, low: Ints, high: Ints, width: int) -> Ints:
    """Rows of `width` distinct states, each row between its own bounds: one in each of `width` equal parts."""
    part = np.arange(width)
    span = (high - low)[:, None]
    start, stop = span * part // width, span * (part + 1) // width
    inside = start + (rng.random((len(low), width)) * (stop - start)).astype(np.int64)
    return rng.permuted(low[:, None] + inside, axis=1).astype(np.int32)
