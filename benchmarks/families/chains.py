"""Chains, rings and trees: narrow moves."""

from __future__ import annotations

import numpy as np

from benchmarks.families._base import Floats, family, full_model, generator
from tabular_rl import MDP
from tabular_rl.model import families as own


@family("queue", (10**5,), (0.9999, 0.99), 100, random=False)
def queue(*, size: int, gamma: float, seed: int, shortcuts: int = 0) -> MDP:
    """A queue with a slow and a fast service: control of a birth-death chain."""
    n = np.arange(size)
    to = np.stack([np.maximum(n - 1, 0), n, np.minimum(n + 1, size - 1)], axis=1)[:, None, :].repeat(
        2, axis=1
    )
    prob = np.array([[0.25, 0.45, 0.3], [0.6, 0.1, 0.3]])
    cost = n[:, None] / size + np.array([0.0, 0.2])
    if shortcuts:
        rng = generator(seed)
        at = rng.choice(size, shortcuts, replace=False)
        to[at, 1, 0] = rng.integers(0, size, shortcuts)
    name = f"queue {size}" + (f" with {shortcuts} shortcuts" if shortcuts else "")
    return full_model(to, np.repeat(prob[None], size, axis=0), r=cost, gamma=gamma, sense="min", name=name)


@family("inventory", (500,), (0.99,), 45, "units", random=False)
def inventory(*, size: int, gamma: float, seed: int) -> MDP:  # noqa: ARG001
    """A store of `size` units with demands of 0 to 40: 41 outcomes a row."""
    return own.inventory(capacity=size, demand=min(40, size), gamma=gamma)


@family("ring", (10**5,), (0.9999, 0.99), 100)
def ring(*, size: int, gamma: float, seed: int) -> MDP:
    """States in a circle: two directions and a pause, a tenth of the moves go the other way."""
    rng = generator(seed)
    n = np.arange(size)
    to = np.stack([(n - 1) % size, n, (n + 1) % size], axis=1)[:, None, :].repeat(3, axis=1)
    prob = np.array([[0.9, 0.0, 0.1], [0.1, 0.8, 0.1], [0.1, 0.0, 0.9]])
    return full_model(
        to, np.repeat(prob[None], size, axis=0), r=rng.random((size, 3)), gamma=gamma, name=f"ring {size}"
    )


@family("tree", (10**5,), (0.999,), 100)
def tree(*, size: int, gamma: float, seed: int) -> MDP:
    """Down a tree with two children a state, by chances that the action shifts; leaves go back to the root."""
    rng = generator(seed)
    n = np.arange(size)
    child = np.stack([2 * n + 1, 2 * n + 2], axis=1)
    child[child >= size] = 0
    to = child[:, None, :].repeat(3, axis=1)
    left = dyadic(rng.random((size, 3)))
    return full_model(
        to, np.stack([left, 1 - left], axis=2), r=rng.random((size, 3)), gamma=gamma, name=f"tree {size}"
    )


@family("tree-up", (10**5,), (0.999,), 100)
def tree_up(*, size: int, gamma: float, seed: int) -> MDP:
    """Up a tree with slips back to a child; the root leads to leaves."""
    rng = generator(seed)
    n = np.arange(size)
    to = np.empty((size, 3, 3), dtype=np.int64)
    to[:, :, 0] = np.maximum((n - 1) // 2, 0)[:, None]
    to[:, :, 1], to[:, :, 2] = (2 * n + 1)[:, None], (2 * n + 2)[:, None]
    missing = to >= size
    to[missing] = np.broadcast_to(n[:, None, None], to.shape)[missing]
    to[0] = rng.integers(size // 2, size, size=(3, 3))
    up = 0.5 + 0.5 * dyadic(rng.random((size, 3)))
    side = (1 - up) * dyadic(rng.random((size, 3)))
    prob = np.stack([up, side, 1 - up - side], axis=2)
    return full_model(to, prob, r=rng.random((size, 3)), gamma=gamma, name=f"upward tree {size}")


def dyadic(x: Floats) -> Floats:
    """Round to multiples of 2**-20, so that a few of them multiply and add up without rounding."""
    return np.asarray(np.floor(x * 2**20) / 2**20)
