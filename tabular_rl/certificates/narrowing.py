"""The rows that can still be the best of their state at earlier times of a finite horizon.

If row i was d below the best of its state at values u, it is not the best at w while γ span(w - u) < d, with the span
over all states. So where v_t - v_{t+1} becomes alike in all states, as on models that mix, most rows need not be read
again. What a backup of u found to be d below is at least d - 2 E below; and the true values at a time lie within what
is proven so far of those that are swept. All is rounded outward: a row is left out only where it is proven worse.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.kept_rows import span
from tabular_rl.model.rounding import down, up
from tabular_rl.model.rows import Floats, Ints
from tabular_rl.solving.sweeps import Backup, Sweeper

MOST = 0.9  # of the rows that are swept: more are not copied
COPYING = 8  # backups of a row that take as long as to copy it
WIDER = 1.5  # than values are thought to move


class Narrowing:
    """Which rows of a model are swept: `now` sweeps over them, and they are `listed`, None for all."""

    def __init__(self, sweeper: Sweeper) -> None:
        self.all = self.now = sweeper
        self.ends = bool(sweeper.mdp.terminal.any())
        self.gamma = float(up(sweeper.mdp.gamma)) if sweeper.mdp.gamma < 1 else 1.0
        self.listed: Ints | None = None
        # The rows left out are more than `slack` below the best at `origin`.
        self.origin, self.slack = np.zeros(0), 0.0
        self.spread = self.looked = math.inf
        self.wider = WIDER

    def sweeper(self, v: Floats, off: float) -> Sweeper:
        """The sweeper to back up v (S,) with: it holds all rows that can be the best at values within `off` of v.

        Parameters
        ----------
        v : values
        off : how much lower and how much higher than v the true values may be, in sum

        Returns
        -------
        Sweeper over all rows, or over those listed.
        """
        if self.listed is not None and self._lost(v, off) > self.slack:
            self.now, self.listed = self.all, None
            self.looked, self.wider = math.inf, 2 * self.wider
        return self.now

    def look(self, v: Floats, backup: Backup, error: float, off: float, left: int) -> None:
        """Leave out rows that cannot be the best at earlier times, as far as can be foreseen, where that pays.

        Parameters
        ----------
        v, backup : values (S,), and their backup by `sweeper(v, off)`
        error : E of all rows
        off : as in `sweeper`
        left : backups to come
        """
        spread, before = span(backup.best - v), self.spread
        self.spread = spread
        if not spread <= self.looked / 2 or not 0 < error < math.inf:
            return
        self.looked = spread
        shrinks = min(spread / before, 0.95) if 0 < before < math.inf else 0.95
        coming = self.wider * spread / (1 - shrinks) + 2 * off + 4 * left * error
        delta = self.gamma * coming + 4 * error
        near, _ = self.now.decide(v, backup.best, delta, backup.chosen)
        count, rows = int(np.count_nonzero(near)), len(near)
        if count > MOST * rows or COPYING * count >= left * (rows - count):
            return
        slack = float(down(delta - up(2 * error)))
        if self.listed is not None:
            slack = min(slack, float(down(self.slack - self._lost(v, 0.0))))
        pointer = self.all.pair_ptr.dtype
        self.listed = near.nonzero()[0].astype(pointer) if self.listed is None else self.listed[near]
        self.now, self.origin, self.slack = self.all.over(self.listed), v.copy(), slack

    def _lost(self, v: Floats, off: float) -> float:
        """γ (span(v - origin) + off), rounded up."""
        return float(up(self.gamma * float(up(span(v - self.origin) + off))))

    def rows(self, chosen: NDArray[Any]) -> NDArray[Any]:
        """The rows of the model that rows of `now` are; -1 stays."""
        if self.listed is None:
            return chosen
        rows: NDArray[Any] = self.listed.take(chosen, mode="clip")
        if self.ends:
            rows[chosen < 0] = -1
        return rows

    def decide(
        self, v: Floats, lower: Floats, off: float, chosen: NDArray[Any], keep: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """As `Sweeper.decide`, over the rows that are swept; `keep` (L,) is False at first."""
        return self.now.decide(v, lower, off, chosen, self.listed, keep)[1]
