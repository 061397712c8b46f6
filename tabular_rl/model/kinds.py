"""Which rows of a model lead to the same states with the same probabilities.

Where a decision leads to a stock, a price or a place, and chance does the rest, many rows of many states have the same
outcomes, and differ in their reward alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.rows import Ints, readonly

if TYPE_CHECKING:
    from tabular_rl.model.mdp import MDP

LONG = 8  # outcomes a row, below which to read a row takes no longer than to look which one it is
SAMPLE = 1024  # rows, of which some must be alike
ALIKE = 8  # of the sample that are like another one, at least
SHARE = 0.25  # of the rows that are of kinds of their own, at most


class Kinds(NamedTuple):
    """The first row of each kind (C,), in the order of storage, and the kind of each row (L,)."""

    first: Ints
    kind: Ints

    @property
    def known(self) -> NDArray[np.bool_]:
        """Mark the rows (L,) that have the outcomes of an earlier one."""
        known = np.ones(len(self.kind), dtype=bool)
        known[self.first] = False
        return readonly(known)


def kinds_of(mdp: MDP) -> Kinds | None:
    """Return the kinds of the rows of a model where these are long and those few; else None.

    Parameters
    ----------
    mdp : the model, whose pointers rise; its contents need not be right

    Returns
    -------
    Kinds, or None.
    """
    if mdp.K < LONG * max(mdp.L, 1) or (mdp.row_ptr[1:] == mdp.row_ptr[:-1]).any() or not _alike(mdp):
        return None
    from tabular_rl.kernels.sharing import shared_rows

    pointer, to = mdp.row_ptr.dtype, mdp.next_state
    most = max(int(SHARE * mdp.L), 1)
    marks, first, kind = (np.empty(n, dtype=pointer) for n in (most, most, mdp.L))
    table = np.full(1 << (2 * most).bit_length(), -1, dtype=pointer)
    rows = mdp.row_ptr, to.view(f"u{to.itemsize}"), mdp.prob.view(np.int64)
    count = shared_rows(rows, marks, table, first, kind)
    return None if count < 0 else Kinds(readonly(first[:count].copy()), readonly(kind))


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


def runs_of(mdp: MDP) -> Ints:
    """Return the first next state of each row (L,) whose next states follow each other, else -1."""
    from tabular_rl.kernels.long_rows import first_of_runs

    run, to = np.empty(mdp.L, dtype=np.int64), mdp.next_state
    first_of_runs(mdp.row_ptr, to.view(f"u{to.itemsize}"), run)
    return readonly(run)
