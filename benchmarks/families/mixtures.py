"""Mixtures: models that may be taken for another family."""

from __future__ import annotations

import numpy as np

from benchmarks.families._base import family, full_model, generator, pointers
from benchmarks.families.chains import queue
from benchmarks.families.grids import grid
from benchmarks.families.mixed import garnet
from tabular_rl import MDP


@family("garnet-absorbing", (10**4,), (0.99,), 200)
def garnet_absorbing(*, size: int, gamma: float, seed: int) -> MDP:
    """A Garnet with a few absorbing states: it does not flow towards them."""
    mdp = garnet(size=size, gamma=gamma, seed=seed)
    terminal = np.zeros(size, dtype=bool)
    terminal[generator(seed + 1).choice(size, 5, replace=False)] = True
    live = ~np.repeat(terminal, np.diff(mdp.pair_ptr))
    outcomes = np.repeat(live, np.diff(mdp.row_ptr))
    return MDP.from_rows(
        pair_ptr=pointers(np.where(terminal, 0, np.diff(mdp.pair_ptr))),
        pair_action=mdp.pair_action[live],
        row_ptr=pointers(np.diff(mdp.row_ptr)[live]),
        next_state=mdp.next_state[outcomes],
        prob=mdp.prob[outcomes],
        r=mdp.r[live],
        terminal=terminal,
        gamma=gamma,
        name=f"garnet {size} with 5 absorbing states",
        copy=False,
    )


@family("grid-hub", (100,), (0.999,), 8, "side")
def grid_hub(*, size: int, gamma: float, seed: int) -> MDP:
    """A grid where one step in 100 leads to one hub."""
    rng = generator(seed)
    mdp = grid(size=size, gamma=gamma, seed=seed)
    live = mdp.S - 1
    to = np.concatenate(
        [mdp.next_state.reshape(live, 4, 3), np.full((live, 4, 1), int(rng.integers(live)))], axis=2
    )
    prob = np.empty(to.shape)
    prob[:] = [0.8, 0.1, 0.09, 0.01]
    prob[..., 0] = 1 - (0.1 + 0.09 + 0.01)
    pad = np.zeros((1, 4, 4))
    return full_model(
        np.concatenate([to, pad.astype(to.dtype)]),
        np.concatenate([prob, pad + 0.25]),
        r=np.full((mdp.S, 4), -1.0),
        terminal=mdp.terminal,
        gamma=gamma,
        name=f"grid {size} with a hub",
    )


@family("queue-shortcut", (10**4,), (0.999,), 100)
def queue_shortcut(*, size: int, gamma: float, seed: int) -> MDP:
    """A queue in which three states may jump anywhere."""
    return queue(size=size, gamma=gamma, seed=seed, shortcuts=3)
