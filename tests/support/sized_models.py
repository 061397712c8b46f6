"""Models of any size that the tests of several methods solve."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tabular_rl import MDP


def gridworld(side=4, reward=-1.0, ends=None):
    """Sutton & Barto, example 4.1, of any size."""
    S = side * side
    ends = [0, S - 1] if ends is None else ends
    cells = np.arange(S)
    row, column = cells // side, cells % side
    moves = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    to = np.stack(
        [np.clip(row + i, 0, side - 1) * side + np.clip(column + j, 0, side - 1) for i, j in moves], 1
    )
    terminal = np.zeros(S, dtype=bool)
    terminal[ends] = True
    live = np.repeat(~terminal, 4)
    L = int(live.sum())
    return MDP.from_rows(
        pair_ptr=np.concatenate([[0], np.cumsum(np.where(terminal, 0, 4))]), pair_action=np.tile(np.arange(4), S)[live],
        row_ptr=np.arange(L + 1), next_state=to.ravel()[live], prob=np.ones(L), r=np.full(L, reward), gamma=1,
        terminal=terminal,
    )  # fmt: skip


def garnet(seed, gamma="9/10", S=8, *, actions=3, branching=3, ends=0, sense="max", start=None):
    """Each action leads to states drawn at random, with rational probabilities and whole rewards."""
    rng = np.random.default_rng(seed)
    outcomes = []
    for s in range(S):
        for a in range(actions):
            weights = rng.integers(1, 9, branching).tolist()
            outcomes += [
                (s, a, int(rng.integers(S + ends)), Fraction(w, sum(weights)), int(rng.integers(-9, 10)))
                for w in weights
            ]
    terminal = range(S, S + ends)
    return MDP.from_outcomes(
        outcomes, gamma, states=range(S + ends), terminal=terminal, sense=sense, start=start
    )


def far_ends(n):
    """One step forward with 1/2, else back to the middle; both ends are 2**n steps away (Haddad & Monmege 2014)."""
    outcomes = [("0", "go", "1", "1/2", 0), ("0", "go", "-1", "1/2", 0)]
    for k in range(1, n):
        for side in (1, -1):
            win = int(k == n - 1 and side == 1)
            outcomes += [(side * k, "go", side * (k + 1), "1/2", win), (side * k, "go", 0, "1/2", 0)]
    return MDP.from_outcomes(outcomes, 1, terminal=[n, -n])


def goal_of_many(S, near=100, seed=0):
    """`near` states lead to the goal, for 1; each other to an earlier one (9/10) or to any (1/10): all are worth 1."""
    rng = np.random.default_rng(seed)
    state = np.arange(near, S)
    to = np.stack([rng.integers(0, state), rng.integers(0, S, S - near)], 1).ravel()
    return MDP.from_rows(
        pair_ptr=np.append(np.arange(S + 1), S), pair_action=np.zeros(S, dtype=int),
        row_ptr=np.concatenate([np.arange(near), near + 2 * np.arange(S - near + 1)]),
        next_state=np.concatenate([np.full(near, S), to]), gamma=1, terminal=np.arange(S + 1) == S,
        prob=np.concatenate([np.ones(near), np.tile([0.9, 0.1], S - near)]), r=(np.arange(S) < near).astype(float),
    )  # fmt: skip
