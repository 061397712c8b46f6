"""Grids, mazes, lakes; a pendulum and two queues: two coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.families._base import family, full_model, generator
from tabular_rl import MDP
from tabular_rl.model import families as own
from tabular_rl.model.layout import Layout


@family("grid", (300, 1000), (0.99, 0.9999), 8, "side", random=False)
def grid(*, size: int, gamma: float, seed: int) -> MDP:
    """A slippery grid with one goal, every step costs 1."""
    return own.gridworld(rows=size, columns=size, slip=0.2, gamma=gamma, seed=seed)


@family("maze", (300,), (0.999, 0.9999), 10, "side")
def maze(*, size: int, gamma: float, seed: int) -> MDP:
    """A slippery maze of random walls with pockets: closed cells, and mud that 1 move in 50 leaves."""
    rng = generator(seed)
    free = rng.random((size, size)) >= 0.3
    mud = rng.random((size, size)) < 0.01
    return _walk(free, mud, gamma, f"maze {size} x {size} with pockets")


@family("paths", (300, 500), (1.0,), 8, "side")
def paths(*, size: int, gamma: float, seed: int) -> MDP:
    """Shortest paths at gamma = 1 through a slippery maze of random walls, all of which reaches the goal."""
    return own.gridworld(rows=size, columns=size, slip=0.2, walls=0.3, gamma=gamma, seed=seed)


def _walk(free: NDArray[np.bool_], mud: NDArray[np.bool_], gamma: float, name: str) -> MDP:
    """Walk on the free cells; the goal is the last cell of the largest piece. From mud one move in 50 succeeds."""
    states = int(free.sum())
    cell = np.full((free.shape[0] + 2, free.shape[1] + 2), -1, dtype=np.int32)
    cell[1:-1, 1:-1][free] = np.arange(states, dtype=np.int32)
    here = np.arange(states, dtype=np.int32)
    there = []
    for i, j in own.MOVES.values():
        to = cell[1 + i : cell.shape[0] - 1 + i, 1 + j : cell.shape[1] - 1 + j][free]
        there.append(np.where(to < 0, here, to))
    to = np.stack(
        [np.stack([there[a], *(there[b] for b in own.SIDES[a]), here], axis=1) for a in range(4)], 1
    )
    moves = np.where(mud[free], 0.02, 1.0)
    prob = np.empty((states, 4, 4))
    prob[:, :, 1:3] = 0.1 * moves[:, None, None]
    prob[:, :, 3] = 1 - moves[:, None]
    prob[:, :, 0] = 1 - prob[:, :, 1:].sum(axis=2)
    terminal = np.zeros(states, dtype=bool)
    terminal[int(np.flatnonzero(own._largest_piece(free)[free])[-1])] = True
    return full_model(
        to,
        prob,
        r=np.full((states, 4), -1.0),
        terminal=terminal,
        gamma=gamma,
        actions=own.MOVES,
        name=name,
        layout=Layout(*free.shape, None if free.all() else np.flatnonzero(free)),
    )


@family("lake", (200,), (0.999, 1.0), 6, "side")
def lake(*, size: int, gamma: float, seed: int) -> MDP:
    """FrozenLake of any size: a fifth of the cells are holes, a move goes a third of the time to either side."""
    rng = generator(seed)
    hole = rng.random((size, size)) < 0.2
    hole[0, 0] = hole[-1, -1] = False
    row, column = np.divmod(np.arange(size * size, dtype=np.int32), size)
    step = [(0, -1), (1, 0), (0, 1), (-1, 0)]
    there = [
        np.clip(row + i, 0, size - 1) * size + np.clip(column + j, 0, size - 1) for i, j in step
    ]  # left, down, right, up
    to = np.stack([np.stack([there[(a + b) % 4] for b in (-1, 0, 1)], axis=1) for a in range(4)], axis=1)
    prob = np.empty(to.shape)
    prob[:] = [1 / 3, 1 / 3, 1 / 3]
    terminal = hole.reshape(-1).copy()
    terminal[-1] = True
    reward = (to == size * size - 1).sum(axis=2) / 3.0
    return full_model(
        to,
        prob,
        r=reward,
        terminal=terminal,
        gamma=gamma,
        actions=["left", "down", "right", "up"],
        name=f"frozen lake {size} x {size}",
        layout=Layout(size, size),
    )


@family("pendulum", (150,), (0.999,), 12, "side", random=False)
def pendulum(*, size: int, gamma: float, seed: int) -> MDP:  # noqa: ARG001
    """A pendulum to be swung up: angle x speed, 7 torques, steps of .05 s, bilinear weights."""
    angle = np.arange(size) * (2 * np.pi / size) - np.pi
    speed = np.linspace(-8, 8, size)
    torque = np.linspace(-2, 2, 7)
    th, om, u = np.meshgrid(angle, speed, torque, indexing="ij")
    faster = np.clip(om + (15 * np.sin(th) + 3 * u) * 0.05, -8, 8)
    turned = (th + faster * 0.05 + np.pi) / (2 * np.pi) * size
    at = (faster + 8) / 16 * (size - 1)
    i, j = np.floor(turned).astype(np.int64), np.minimum(np.floor(at).astype(np.int64), size - 2)
    x, y = turned - i, at - j
    corners = [(i + a) % size * size + j + b for a in (0, 1) for b in (0, 1)]
    weights = [(x if a else 1 - x) * (y if b else 1 - y) for a in (0, 1) for b in (0, 1)]
    reward = -(th**2 + 0.1 * om**2 + 0.001 * u**2)
    shape = (size * size, 7, 4)
    return full_model(
        np.stack(corners, axis=-1).reshape(shape),
        np.stack(weights, axis=-1).reshape(shape),
        r=reward.reshape(size * size, 7),
        gamma=gamma,
        name=f"pendulum {size} x {size}",
        layout=Layout(size, size),
    )


@family("two-queues", (200,), (0.9999, 0.999), 8, "side", random=False)
def two_queues(*, size: int, gamma: float, seed: int) -> MDP:  # noqa: ARG001
    """Two queues of `size` places and one server: for the first, for the second, or half for each."""
    n, m = (x.reshape(-1) for x in np.meshgrid(np.arange(size), np.arange(size), indexing="ij"))
    up, across = np.minimum(n + 1, size - 1) * size + m, n * size + np.minimum(m + 1, size - 1)
    down, back = np.maximum(n - 1, 0) * size + m, n * size + np.maximum(m - 1, 0)
    to = np.stack([up, across, down, back, n * size + m], axis=1)[:, None, :].repeat(3, axis=1)
    first, second = np.array([0.5, 0.0, 0.25]), np.array([0.0, 0.4, 0.2])
    prob = np.empty((3, 5))
    prob[:, 0], prob[:, 1], prob[:, 2], prob[:, 3] = 0.2, 0.15, first, second
    prob[:, 4] = 1 - prob[:, :4].sum(axis=1)
    cost = (2.0 * n + m) / size
    return full_model(
        to,
        np.repeat(prob[None], size * size, axis=0),
        r=np.repeat(cost[:, None], 3, axis=1),
        gamma=gamma,
        sense="min",
        name=f"two queues {size} x {size}",
        layout=Layout(size, size),
    )
