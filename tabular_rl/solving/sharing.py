"""Rows that have their outcomes in common, backed up once for all of them.

Where a decision leads to a stock, a price or a place, and chance does the rest, many rows of many states have the same
outcomes, and differ in their reward alone. Their values are then r(i) + γ e(c), e(c) = Σ p v(s') over the outcomes of
their kind c: the same sums in the same order, and the same bits, as of each row by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._plain import kernels
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rows import Floats, places, pointers

if TYPE_CHECKING:
    from tabular_rl.solving.sweeps import Sweeper

LONG = 100  # outcomes of a row: shorter ones are added up beside each other anyway
OUTCOMES = 1 << 20  # in one call, about


class Shared(NamedTuple):
    """Kinds of rows: their outcomes, and rows that lead to kinds; those stand behind the states, from S on."""

    kinds: tuple[Any, ...]  # rows without rewards, as a kernel reads them
    to_kinds: tuple[Any, ...]  # where rows begin, the kind that each leads to, the probability 1
    # The first state that each kind leads to, where each leads to a run of states.
    run: NDArray[Any] | None = None

    @property
    def size(self) -> int:
        """How many kinds there are."""
        return len(self.kinds[3])

    def seen(self, sweeper: Sweeper, v: Floats, listed: NDArray[Any] | None = None) -> Floats:
        """Return v(s) of all states, and behind them e(c) of all kinds, or at least of those of the rows in a list."""
        S, pointer = len(v), sweeper.pair_ptr.dtype
        w = np.empty(S + self.size)
        w[:S] = v
        if listed is None or len(listed) >= self.size:
            self._sum(sweeper, v, np.arange(self.size, dtype=pointer), w[S:])
        else:
            place, e = self.to_kinds[1][listed], np.empty(len(listed))
            self._sum(sweeper, v, (place - S).astype(pointer), e)
            w[place] = e
        return w

    def _sum(self, sweeper: Sweeper, v: Floats, listed: NDArray[Any], e: Floats) -> None:
        """Add up the kinds in a list."""
        step = max(OUTCOMES * self.size // max(len(self.kinds[1]), 1), 1)
        for i in range(0, len(listed), step):
            some = slice(i, i + step)
            if self.run is not None:
                kernels("long_rows", len(self.kinds[1]), self.size).run_sums(
                    *self.kinds[:3], self.run, v, listed[some], e[some]
                )
            else:
                sweeper.kernels.listed_backup((*self.kinds, ()), listed[some], v, e[some])
            sweeper.check_stop()

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
    ptr = pointers(size, mdp.row_ptr.dtype)
    to, prob = _outcomes(mdp, next_state, first, size)
    kinds = ptr, to, prob, np.zeros(len(first)), 1.0, 1.0
    found, run = _shared(kinds, kind, mdp.S), None
    if len(to) > LONG * len(first):
        run = np.empty(len(first), dtype=np.int64)
        kernels("long_rows", len(to), len(first)).first_of_runs(ptr, to, run)
    return found if run is None or run.min() < 0 else found._replace(run=run)


def _outcomes(
    mdp: MDP, next_state: NDArray[Any], first: NDArray[Any], size: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The outcomes of the first rows of kinds: a view where they follow each other, else copied."""
    start = mdp.row_ptr[first]
    stop = start + size
    cut = np.flatnonzero(start[1:] != stop[:-1]) + 1
    if LONG * len(cut) > int(size.sum()):
        k = places(start, size)
        return next_state[k], mdp.prob[k]
    begin, end = start[np.r_[0, cut]].tolist(), stop[np.r_[cut - 1, -1]].tolist()
    pieces = [slice(i, j) for i, j in zip(begin, end, strict=True)]
    if len(pieces) == 1:
        return next_state[pieces[0]], mdp.prob[pieces[0]]
    return np.concatenate([next_state[x] for x in pieces]), np.concatenate([mdp.prob[x] for x in pieces])


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
    return Shared(kinds, to_kinds)
