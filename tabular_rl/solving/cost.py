"""What a method would take of a model, estimated before it runs: from structure and counts, never from a clock."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from tabular_rl.model.mdp import MDP
from tabular_rl.model.rows import places
from tabular_rl.solving.ordering import elimination_patterns
from tabular_rl.solving.run import Run

FEW = 32  # outcomes of a row up to which all are looked at
MOVES = 1024  # rows whose moves are looked at: each costs a state, its outcomes and their states
HUB = 0.05  # of the rows that lead to a hub
WALKS, STEPS = 4, 4000  # that mostly meet a state again where ways lead back
LOOK = 100  # outcomes of a state that are looked at
SMALL = 500  # states up to which a dense linear solve takes no time
DENSE = 3000  # up to which it takes a second: where sweeps do not do
FILLS_IN = 1000  # states up to which a chain that fills in takes no longer than sweeps


class Facts:
    """What estimates are made of. Those that take a look at the rows are found when they are first asked for."""

    def __init__(self, mdp: MDP) -> None:
        self.mdp = mdp
        self.S, self.L, self.K, self.horizon = mdp.S, mdp.L, mdp.K, mdp.horizon
        self.must_end = mdp.problem.must_end
        self.slow = False  # whether sweeps of the policy were tried, and too many are missing

    @cached_property
    def moves(self) -> int:
        """How far apart in storage a state and its successors are, at the 90th percentile of up to 1024 rows.

        Hubs, which many rows lead to, such as a state where all begins again, are no successors in this. Where moves
        lead far and there are no hubs, the first and the last outcome of a row stand for all.
        """
        mdp = self.mdp
        if mdp.L == 0:
            return 0
        rows = np.linspace(0, mdp.L - 1, min(mdp.L, MOVES)).astype(np.int64)
        states = np.searchsorted(mdp.pair_ptr, rows, side="right") - 1
        first = mdp.row_ptr[rows].astype(np.int64)
        ends = np.stack([first, mdp.row_ptr[rows + 1].astype(np.int64) - 1])
        moves = np.abs(mdp.next_state[ends].astype(np.int64) - states).max(axis=0)
        far = int(np.quantile(moves, 0.9, method="lower"))
        if far <= 4 * self.S**0.5 or mdp.K > FEW * mdp.L:
            return far
        size = ends[1] - first + 1
        to = mdp.next_state[places(first, size)].astype(np.int64)
        hub = np.bincount(to, minlength=mdp.S) > HUB * len(rows)
        if not hub.any():
            return far
        apart = np.where(hub[to], 0, np.abs(to - np.repeat(states, size)))
        return int(np.quantile(np.maximum.reduceat(apart, np.cumsum(size) - size), 0.9, method="lower"))

    @cached_property
    def scattered(self) -> bool:
        """Whether a model of more than 500 states leads far away, so that factors of its systems would fill in."""
        return self.S > SMALL and self.moves > 4 * self.S**0.5

    @cached_property
    def ends(self) -> bool:
        """Whether a state ends: it has no rows, or none whose first or last outcome leads elsewhere."""
        mdp = self.mdp
        if mdp.terminal.any():
            return True
        leaves = np.zeros(mdp.S, dtype=bool)
        for first in range(0, mdp.L, 1 << 20):
            last = min(first + (1 << 20), mdp.L)
            state, ptr = mdp.pair_state[first:last], mdp.row_ptr[first : last + 1]
            away = (mdp.next_state[ptr[:-1]] != state) | (mdp.next_state[ptr[1:] - 1] != state)
            leaves[state[away]] = True
        return not bool(leaves.all())

    @cached_property
    def returns(self) -> bool:
        """Whether one of some walks, each to the first other state that there is, meets a state again."""
        mdp = self.mdp
        pair_ptr, row_ptr, next_state, prob = mdp.pair_ptr, mdp.row_ptr, mdp.next_state, mdp.prob
        for start in np.linspace(0, self.S - 1, WALKS).astype(np.int64).tolist():
            s, met = start, set[int]()
            while len(met) < STEPS:
                if s in met:
                    return True
                met.add(s)
                k, end = int(row_ptr[pair_ptr[s]]), int(row_ptr[pair_ptr[s + 1]])
                while k < end and (next_state[k] == s or prob[k] <= 0):
                    k += 1
                if k == end:
                    break
                s = int(next_state[k])
        return False

    @cached_property
    def successors(self) -> float:
        """How many states one of 500 leads to on average, by up to LOOK of its outcomes."""
        mdp = self.mdp
        states = np.linspace(0, mdp.S - 1, min(mdp.S, 500)).astype(np.int64)
        first = mdp.row_ptr[mdp.pair_ptr[states]].astype(np.int64)
        size = np.minimum(mdp.row_ptr[mdp.pair_ptr[states + 1]] - first, LOOK)
        to = mdp.next_state[places(first, size)]
        return len(np.unique(np.repeat(states, size) * mdp.S + to)) / len(states)

    @cached_property
    def elimination(self) -> list[float]:
        """How many products a state an elimination takes, twice where states may be taken from either end.

        None where factors of its linear systems are neither narrow nor have few entries.
        """
        found = elimination_patterns(self.mdp, check=Run("auto", {}).check_stop)
        return [found[0]().products] * len(found) if found else []

    @cached_property
    def thin(self) -> bool:
        """Whether rows have one to two outcomes on average, and the chain of all first rows is eliminated quickly.

        Of few states it always is.
        """
        from tabular_rl.solving.elimination import first_rows_are_thin

        return self.L < self.K <= 2 * self.L and (self.S <= FILLS_IN or first_rows_are_thin(self.mdp))


class Cost(NamedTuple):
    """An estimate in sweeps over the model, why it is so, and the options that it holds for.

    Where it is `capped`, the options hold a budget that it may overrun: `auto` then goes on by the next method. Where
    it is `final`, no other method is worth an estimate.
    """

    sweeps: float
    why: str
    options: Mapping[str, Any] = {}
    capped: bool = False
    final: bool = False


def no_estimate(_: Facts) -> Cost | None:
    """Return None: `auto` does not choose the method."""
    return None
