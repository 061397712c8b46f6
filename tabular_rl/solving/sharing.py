"""Rows that have their outcomes in common, backed up once for all of them.

Where a decision leads to a stock, a price or a place, and chance does the rest, many rows of many states have the same
outcomes, and differ in their reward alone. Their values are then r(i) + γ e(c), e(c) = Σ p v(s') over the outcomes of
their kind c: the same sums in the same order, and the same bits, as of each row by itself.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._plain import kernels
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rows import Floats, places

if TYPE_CHECKING:
    from tabular_rl.solving.sweeps import Sweeper

OUTCOMES = 1 << 20  # in one call


class Shared(NamedTuple):
    """Kinds of rows: their outcomes, and rows that lead to kinds; those stand behind the states, from S on."""

    kinds: tuple[Any, ...]  # rows without rewards, as a kernel reads them
    to_kinds: tuple[Any, ...]  # where rows begin, the kind that each leads to, the probability 1
    blocks: list[tuple[int, int]]  # of kinds
    run: NDArray[Any] | None = (
        None  # the first state that each kind leads to, where each leads to a run of states
    )

    @property
    def size(self) -> int:
        """How many kinds there are."""
        return len(self.kinds[3])

    def seen(self, sweeper: Sweeper, v: Floats) -> Floats:
        """Return v(s) of all states, and behind them e(c) of all kinds."""
        S, C = len(v), self.size
        w, ptr = np.empty(S + C), np.arange(C + 1, dtype=sweeper.pair_ptr.dtype)
        w[:S] = v
        if self.run is not None:
            sums = kernels("long_rows", len(self.kinds[1]), C).run_sums
            for first, last in self.blocks:
                sums(*self.kinds[:3], self.run, v, first, last, w[S + first : S + last])
                sweeper.check_stop()
            return w
        for first, last in self.blocks:
            sweeper.kernels.row_backup(ptr, (*self.kinds, ()), v, first, last, w[S + first : S + last])
            sweeper.check_stop()
        return w

    def rows(self, rows: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return rows that lead to kinds, in place of such that lead to states."""
        return (*self.to_kinds, *rows[3:])


def shared(mdp: MDP, next_state: NDArray[Any]) -> Shared | None:
    """Return the kinds of rows of a model whose rows are long, where there are few; else None.

    Parameters
    ----------
    mdp : the model
    next_state : its outcomes, as kernels read them
    """
    if mdp.kinds is None:
        return None
    first, kind = mdp.kinds
    size = mdp.row_ptr[first + 1] - mdp.row_ptr[first]
    ptr = np.zeros(len(first) + 1, dtype=mdp.row_ptr.dtype)
    np.cumsum(size, out=ptr[1:])
    k = places(mdp.row_ptr[first], size)
    kinds = ptr, next_state[k], mdp.prob[k], np.zeros(len(first)), 1.0, 1.0
    return _shared(kinds, kind, mdp.S)


def dense_rows(rows: tuple[Any, ...], run: NDArray[Any], S: int) -> Shared:
    """Return each row as a kind of its own, where rows are long and lead to runs of states: four are added up at once.

    Parameters
    ----------
    rows : as kernels read them
    run : (L,) the first state of each run, as kernels/long_rows.py finds them
    S : the number of states

    Returns
    -------
    Shared, with `run`.
    """
    return _shared((*rows[:3], rows[3], 1.0, 1.0), np.arange(len(run)), S)._replace(run=run)


def _shared(kinds: tuple[Any, ...], kind: NDArray[Any], S: int) -> Shared:
    """Kinds of rows, and the kind of each row."""
    ptr, to = kinds[:2]
    ends = np.arange(len(kind) + 1, dtype=ptr.dtype)
    to_kinds = ends, np.add(kind, S, dtype=np.int64).astype(to.dtype), np.ones(len(kind))
    cuts = np.searchsorted(ptr, np.arange(OUTCOMES, int(ptr[-1]), OUTCOMES)).tolist()
    edges = sorted({0, *cuts, len(ptr) - 1})
    return Shared(kinds, to_kinds, list(pairwise(edges)))
