"""Rows that have their outcomes in common, backed up once for all of them.

Where a decision leads to a stock, a price or a place, and chance does the rest, many rows of many states have the same
outcomes, and differ in their reward alone. Their values are then r(i) + γ e(c), e(c) = Σ p v(s') over the outcomes of
their kind c: the same sums in the same order, and the same bits, as of each row by itself.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.mdp import MDP
from tabular_rl.model.rows import Floats, places

if TYPE_CHECKING:
    from tabular_rl.solving.sweeps import Sweeper

LONG = 8  # outcomes a row, below which to read a row takes no longer than to look which one it is
SAMPLE = 1024  # rows, of which some must be alike
ALIKE = 8  # of the sample that are like another one, at least
SHARE = 0.25  # of the rows that are of kinds of their own, at most
OUTCOMES = 1 << 20  # in one call


class Shared(NamedTuple):
    """Kinds of rows: their outcomes, and rows that lead to kinds; those stand behind the states, from S on."""

    kinds: tuple[Any, ...]  # rows without rewards, as a kernel reads them
    to_kinds: tuple[Any, ...]  # where rows begin, the kind that each leads to, the probability 1
    blocks: list[tuple[int, int]]  # of kinds

    @property
    def size(self) -> int:
        """How many kinds there are."""
        return len(self.kinds[3])

    def seen(self, sweeper: Sweeper, v: Floats) -> Floats:
        """Return v(s) of all states, and behind them e(c) of all kinds."""
        S, C = len(v), self.size
        w, ptr = np.empty(S + C), np.arange(C + 1, dtype=sweeper.pair_ptr.dtype)
        w[:S] = v
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
    if mdp.K < LONG * max(mdp.L, 1) or not _alike(mdp):
        return None
    from tabular_rl.kernels.sharing import shared_rows

    pointer = mdp.row_ptr.dtype
    most = max(int(SHARE * mdp.L), 1)
    marks, first, kind = (np.empty(n, dtype=pointer) for n in (most, most, mdp.L))
    table = np.full(1 << (2 * most).bit_length(), -1, dtype=pointer)
    count = shared_rows((mdp.row_ptr, next_state, mdp.prob.view(np.int64)), marks, table, first, kind)
    if count < 0:
        return None
    first = first[:count]
    size = mdp.row_ptr[first + 1] - mdp.row_ptr[first]
    ptr = np.zeros(count + 1, dtype=pointer)
    np.cumsum(size, out=ptr[1:])
    k = places(mdp.row_ptr[first], size)
    kind += mdp.S
    kinds = ptr, next_state[k], mdp.prob[k], np.zeros(count), 1.0, 1.0
    to_kinds = np.arange(mdp.L + 1, dtype=pointer), kind.astype(next_state.dtype), np.ones(mdp.L)
    cuts = np.searchsorted(ptr, np.arange(OUTCOMES, int(ptr[-1]), OUTCOMES)).tolist()
    edges = sorted({0, *cuts, count})
    return Shared(kinds, to_kinds, list(pairwise(edges)))


def _alike(mdp: MDP) -> bool:
    """Whether so many of some rows seem to be alike that there can be few kinds."""
    n = min(mdp.L, SAMPLE)
    rows = np.unique(np.arange(n) * 0x9E3779B1 % mdp.L)
    first, last = mdp.row_ptr[rows].astype(np.int64), mdp.row_ptr[rows + 1].astype(np.int64) - 1
    ends = (mdp.next_state[first], mdp.next_state[last], last - first)
    look = np.stack([*ends, *(mdp.prob[k].view(np.int64) for k in (first, (first + last) // 2, last))])
    alike = len(rows) - len({x.tobytes() for x in np.ascontiguousarray(look.T)})
    few = SHARE * mdp.L  # kinds, of which as many rows would have met few * (1 - exp(-n / few))
    return alike >= max(ALIKE, len(rows) + few * math.expm1(-len(rows) / few))
