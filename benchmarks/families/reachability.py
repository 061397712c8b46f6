"""Chances to reach a goal, at gamma = 1."""

from __future__ import annotations

import numpy as np

from benchmarks.families._base import Ints, cuts, family, full_model, generator
from tabular_rl import MDP


@family("reach", (10**5,), (1.0,), 100)
def reach(*, size: int, gamma: float, seed: int) -> MDP:
    """Greatest chance to reach a goal: local random moves, goals and traps that end, rows that may wait."""
    rng = generator(seed)
    n = np.arange(size)
    to = np.empty((size, 3, 4), dtype=np.int64)
    to[:, :, :3] = np.clip(n[:, None, None] + rng.integers(-50, 51, size=(size, 3, 3)), 0, size - 1)
    to[:, :, 3] = n[:, None]
    prob = cuts(rng, size * 3, np.full(size * 3, 3), 4).reshape(size, 3, 4)
    wait = rng.random(size) < 0.2  # a row that stays where it is: an end component without reward
    prob[wait, 2] = [0.0, 0.0, 0.0, 1.0]
    kind = rng.random(size)
    terminal, goal = kind < 0.02, kind < 0.01
    terminal[:2], goal[:2] = True, [True, False]
    reward = (prob * goal[to]).sum(axis=2)
    return full_model(to, prob, r=reward, terminal=terminal, gamma=gamma, name=f"reachability {size}")


@family("consensus", (200,), (1.0,), 6, "side", random=False)
def consensus(*, size: int, gamma: float, seed: int) -> MDP:  # noqa: ARG001
    """A shared coin: two processes add fair tosses to a counter between ±size; an adversary orders them.

    A state is (counter, what the first process has tossed, what the second has): 0 nothing, 1 or 2 a toss to be added.
    The greatest chance that the counter ends at the top.
    """
    width = 2 * size + 1
    c, x, y = (
        z.reshape(-1) for z in np.meshgrid(np.arange(width), np.arange(3), np.arange(3), indexing="ij")
    )

    def state(c: Ints, x: Ints, y: Ints) -> Ints:
        return np.asarray((np.clip(c, 0, width - 1) * 3 + x) * 3 + y)

    move = np.array([0, -1, 1])
    to = np.empty((width * 9, 2, 2), dtype=np.int64)
    for k in (0, 1):
        to[:, 0, k] = np.where(x == 0, state(c, x * 0 + k + 1, y), state(c + move[x], x * 0, y))
        to[:, 1, k] = np.where(y == 0, state(c, x, y * 0 + k + 1), state(c + move[y], x, y * 0))
    terminal = (c == 0) | (c == width - 1)
    reward = ((to // 9) == width - 1).mean(axis=2)
    return full_model(
        to, np.full(to.shape, 0.5), r=reward, terminal=terminal, gamma=gamma, name=f"consensus {size}"
    )
