"""What a method would take of a model, estimated before it runs: from structure and counts, never from a clock."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from tabular_rl.model.mdp import MDP


class Facts:
    """What estimates are made of. Those that take a look at the rows are found when they are first asked for."""

    def __init__(self, mdp: MDP) -> None:
        self._mdp = mdp
        self.S, self.L, self.K, self.horizon = mdp.S, mdp.L, mdp.K, mdp.horizon

    @cached_property
    def moves(self) -> int:
        """How far apart in storage a state and its successors are, at the 90th percentile of up to 4096 rows."""
        mdp = self._mdp
        if mdp.L == 0:
            return 0
        rows = np.linspace(0, mdp.L - 1, min(mdp.L, 4096)).astype(np.int64)
        states = np.searchsorted(mdp.pair_ptr, rows, side="right") - 1
        ends = np.stack([mdp.row_ptr[rows], mdp.row_ptr[rows + 1] - 1]).astype(np.int64)
        moves = np.abs(mdp.next_state[ends].astype(np.int64) - states).max(axis=0)
        return int(np.quantile(moves, 0.9, method="lower"))


class Cost(NamedTuple):
    """An estimate in sweeps over the model, why it is so, and the options that it holds for.

    Where it is `capped`, the options hold a budget that it may overrun: `auto` then goes on by the next method.
    """

    sweeps: float
    why: str
    options: Mapping[str, Any] = {}
    capped: bool = False


def no_estimate(_: Facts) -> Cost | None:
    """Return None: `auto` does not choose the method."""
    return None
