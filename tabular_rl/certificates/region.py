"""Values of all models of a region: rows within an L1 distance of given ones, rewards within intervals.

With the rows p̂ and their radius ε, and rewards of pairs within [low, high], the worst and the best model of the region
for values v take for each row (s,a)

    low + γ min { p v : |p - p̂|₁ ≤ ε, p ≥ 0, Σ p = 1 },    high + γ max { ... }

The minimum moves the mass ε/2 from the largest values of the row to the smallest value of any state (Strehl & Littman
2008). Both operators are monotone and contract by γ. From values that one of them lowers, each further step lowers
them, to its fixed point: so every step from below is below, and every step from above is above the values of every
model of the region (Iyengar 2005; Nilim & El Ghaoui 2005). Each step is rounded outward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.base import check_arithmetic
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rounding import U, down, up
from tabular_rl.solving.solution import Floats

Ints = NDArray[np.int64]
FINE = 1e-6  # of the largest value, by which a bound may be off its fixed point
MOST = 100_000  # sweeps


@dataclass(frozen=True)
class Region:
    """Models with the states, pairs and discount of `mdp`, which is below 1.

    `prob` (K,) are the rows in the middle, `radius` (L,) how far a row may be from its own in the sum of absolute
    differences, `low` and `high` (L,) where the reward of a pair lies, in the sign of the model.
    """

    mdp: MDP
    prob: Floats
    radius: Floats
    low: Floats
    high: Floats

    def bounds(self, pi: Floats | None = None) -> tuple[Floats, Floats]:
        """Return bounds of the values of every model of the region, (S,) each.

        Parameters
        ----------
        pi : probabilities of a policy (L,); None for the best policy of each model

        Returns
        -------
        lower, upper : v(s) of each model is between them, in the sign of the model
        """
        check_arithmetic()
        if self.mdp.sense == "max":
            return 0.0 - self._above(-self.high, -self.low, pi, best=False), self._above(
                self.low, self.high, pi
            )
        lower = 0.0 - self._above(-self.high, -self.low, pi)
        return lower, self._above(self.low, self.high, pi, best=False)

    def _above(self, low: Floats, high: Floats, pi: Floats | None, best: bool = True) -> Floats:
        """Return values (S,) above those of every model of the region, for rewards of which `high` are the largest.

        `best` is whether the policy maximises these rewards; if not, it minimises them.
        """
        mdp, live = self.mdp, ~self.mdp.terminal
        row = np.repeat(np.arange(mdp.L), np.diff(mdp.row_ptr))
        longest = int(np.diff(mdp.row_ptr).max(initial=0))
        move = np.minimum(
            self.radius / 2 + 4 * (longest + 2) * (mdp.L + 1) * U, 1.0
        )  # with the rounding of sums of p
        most = max(float(high.max(initial=0.0)), 0.0)
        v = np.where(live, up(up(most / down(1 - up(mdp.gamma)))) if most else 0.0, 0.0)
        scale = float(np.abs(np.concatenate([low, high])).max(initial=0.0)) + float(v.max(initial=0.0))
        off = 2 * (longest + 12) * U * scale  # of a backup, with those of γ, p and ε
        before: Ints | None = None
        sort = np.arange(mdp.K)
        for _ in range(MOST):
            order = np.argsort(v, kind="stable")
            if before is None or (order != before).any():
                rank = np.empty_like(order)
                rank[order] = np.arange(mdp.S)
                sort, before = np.lexsort((rank[mdp.next_state], row)), order
            backed = high + mdp.gamma * self._largest(v, row, sort, move) + off
            new = np.where(live, self._chosen(backed, pi, best), 0.0)
            new = np.minimum(new, v)
            change = float((v - new).max(initial=0.0))
            v = new
            if change * mdp.gamma <= FINE * (1 - mdp.gamma) * float(np.abs(v).max(initial=0.0)):
                break
        return v

    def _largest(self, v: Floats, row: Ints, sort: Ints, move: Floats) -> Floats:
        """Return the largest p v of each row (L,): mass moves from its smallest values to the largest of all."""
        mdp = self.mdp
        p, x = self.prob[sort], v[mdp.next_state[sort]]
        begins = np.asarray(mdp.row_ptr[:-1], dtype=np.intp)
        total = np.cumsum(p)
        before = total - p
        before = before - before[begins][row]
        moved = np.clip(move[row] - before, 0.0, p)
        gone = np.add.reduceat(moved, begins)
        kept = np.add.reduceat((p - moved) * x, begins)
        largest: Floats = kept + gone * float(v.max())
        return largest

    def _chosen(self, backed: Floats, pi: Floats | None, best: bool) -> Floats:
        """Return the value of each state (S,) by those of its pairs; 0 for states without."""
        mdp = self.mdp
        if pi is not None:
            return np.bincount(mdp.pair_state, weights=pi * backed, minlength=mdp.S).astype(np.float64)
        found = np.zeros(mdp.S)
        there = np.flatnonzero(np.diff(mdp.pair_ptr))
        begins = np.asarray(mdp.pair_ptr, dtype=np.intp)[there]
        found[there] = (np.maximum if best else np.minimum).reduceat(backed, begins)
        return found
