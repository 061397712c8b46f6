"""Well-mixed models: a few sweeps suffice."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.families._base import Ints, distinct, family, generator, random_model
from tabular_rl import MDP
from tabular_rl.model import families as own


@family("garnet", (10**4, 10**5, 10**6), (0.99, 0.999), 200)
def garnet(*, size: int, gamma: float, seed: int, horizon: int | None = None) -> MDP:
    """Random rows of 5 to 10 successors; 10 actions up to 300,000 states, 5 above."""
    rng = generator(seed)
    high = min(10, size)

    def draw(first: int, last: int) -> Ints:
        return distinct(last - first, lambda n: rng.integers(0, size, size=(n, high), dtype=np.int32))

    actions = 10 if size <= 300_000 else 5
    name = f"garnet {size} x {actions}"
    return random_model(rng, size, actions, min(5, size), high, draw, gamma=gamma, name=name, horizon=horizon)


@family("horizon", (10**4, 10**5), (0.99,), 100)
def horizon(*, size: int, gamma: float, seed: int) -> MDP:
    """A Garnet with 50 decisions: finite horizon."""
    return garnet(size=size, gamma=gamma, seed=seed, horizon=50)


@family("dense", (1000,), (0.99,), 40)
def dense(*, size: int, gamma: float, seed: int) -> MDP:
    """Every state can follow every other; 4 actions."""
    rng = generator(seed)
    rows = size * 4
    prob = rng.random((rows, size))
    prob /= prob.sum(axis=1, keepdims=True)
    return MDP.from_rows(
        pair_ptr=np.arange(0, rows + 1, 4),
        pair_action=np.tile(np.arange(4, dtype=np.int32), size),
        row_ptr=np.arange(0, rows * size + 1, size),
        next_state=np.tile(np.arange(size, dtype=np.int32), rows),
        prob=prob.reshape(-1),
        r=rng.random(rows),
        gamma=gamma,
        name=f"dense {size} x 4",
        copy=False,
    )


@family("power-law", (2 * 10**4,), (0.99,), 200)
def power_law(*, size: int, gamma: float, seed: int) -> MDP:
    """Successors by popularity: the k-th state is drawn with weight 1/k; 10 actions, 5 to 10 successors."""
    rng = generator(seed)
    popular = rng.permutation(size).astype(np.int32)

    def draw(first: int, last: int) -> Ints:
        def some(n: int) -> Ints:
            rank = np.exp(rng.random((n, 10)) * math.log(size + 1)).astype(np.int64) - 1
            return popular[np.minimum(rank, size - 1)]

        return distinct(last - first, some)

    return random_model(rng, size, 10, 5, 10, draw, gamma=gamma, name=f"power law {size} x 10")


@family("layered", (2 * 10**4,), (0.99,), 400)
def layered(*, size: int, gamma: float, seed: int) -> MDP:
    """Twenty layers: each move goes to the next, from the last to the first; 10 actions, 5 to 10 successors."""
    rng = generator(seed)
    width = max(size // 20, 10)
    layers = max(size // width, 2)

    def draw(first: int, last: int) -> Ints:
        layer = (np.arange(first, last) // 10 // width + 1) % layers
        inside = distinct(last - first, lambda n: rng.integers(0, width, size=(n, 10), dtype=np.int32))
        return (layer[:, None] * width + inside).astype(np.int32)

    return random_model(rng, width * layers, 10, 5, 10, draw, gamma=gamma, name=f"layered {width * layers}")


@family("three", (3,), (0.9,), 3)
def three(*, size: int, gamma: float, seed: int) -> MDP:
    """A model of 3 states and 2 actions: what a call costs besides the work."""
    rng = generator(seed)
    width = min(2, size)

    def draw(first: int, last: int) -> Ints:
        return distinct(last - first, lambda n: rng.integers(0, size, size=(n, width), dtype=np.int32))

    return random_model(rng, size, 2, width, width, draw, gamma=gamma, name=f"{size} states")


@family("car-rental", (20,), (0.99,), 3, "cars", random=False)
def car_rental(*, size: int, gamma: float, seed: int) -> MDP:  # noqa: ARG001
    """Jack's car rental: (size + 1)² states, as many successors of each row."""
    return own.car_rental(capacity=size, moves=min(5, size), gamma=gamma)
