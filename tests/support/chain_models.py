"""Models whose linear systems are solved by elimination: queues, rings, trees, and what may be taken for them."""

from __future__ import annotations

import numpy as np

from tabular_rl import MDP


def model(to, gamma=0.9, terminal=None, prob=None, r=None):
    """Two actions with different odds over the same next states, a list of them a state."""
    lengths = np.repeat([len(row) for row in to], 2)
    terminal = np.array([not row for row in to]) if terminal is None else terminal
    live = np.repeat(~terminal, 2)
    own = np.array([x for row in to if row for x in (*odds(len(row)), *odds(len(row))[::-1])])
    L = int(live.sum())
    return MDP.from_rows(
        pair_ptr=np.concatenate([[0], np.cumsum(np.where(terminal, 0, 2))]), pair_action=np.tile([0, 1], L // 2),
        row_ptr=np.concatenate([[0], np.cumsum(lengths[live])]),
        next_state=np.array([s for row in to for _ in (0, 1) for s in row]), prob=own if prob is None else prob,
        r=np.arange(L) % 7.0 if r is None else r, gamma=gamma, terminal=terminal if terminal.any() else None,
    )  # fmt: skip


def odds(n):
    """n probabilities, the first the largest."""
    return [1 - (n - 1) / 32, *[1 / 32] * (n - 1)]


def queue(n, gamma=0.9, hub=None, shortcuts=0, seed=0, **more):
    to = [sorted({max(s - 1, 0), min(s + 1, n - 1), *([] if hub is None else [hub])}) for s in range(n)]
    rng = np.random.default_rng(seed)
    for s in rng.choice(n, shortcuts, replace=False):
        to[s] = sorted({*to[s], int(rng.integers(n))})
    return model(to, gamma, **more)


def ring(n, gamma=0.9, **more):
    return model([sorted({(s - 1) % n, (s + 1) % n}) for s in range(n)], gamma, **more)


def tree(n, gamma=0.9, children=2):
    """Down a tree; the leaves go back to its root."""
    to = [[c for c in range(children * s + 1, children * s + 1 + children) if c < n] for s in range(n)]
    return model([row or [0] for row in to], gamma)


def shuffled(mdp, seed=0):
    """The same model with its states in another order."""
    place = np.random.default_rng(seed).permutation(mdp.S)
    to = [
        sorted({int(place[x]) for x in mdp.next_state[mdp.row_ptr[mdp.pair_ptr[s]] : mdp.row_ptr[mdp.pair_ptr[s + 1]]]})
        for s in np.argsort(place)
    ]  # fmt: skip
    return model(to, mdp.gamma)
