"""Bounds at γ = 1 where each row has an error of its own: narrower where a few values are far larger than most.

The error E of a backup holds the largest |v|, so that a penalty of 10⁶ that is met once in a million steps widens the
bounds of every state. What is rounded in row i is Σ p |v(s')|, though: the error E_i of the row holds that. Then

    l = v - d    d = 1.25 max(0, v - T_π v) + 2 E + P_π d
    u = v + d    d = max_a [ r_a + P_a v - v + 1.25 max(0, T v - v) + 2 E_a + P_a d ]

are as good candidates as with one E for all, and are verified as those are: by a sweep, each row with its own error
(docs/certificates.md). This takes a few chains more, and is done only where one E for all is too wide.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular_rl.model.graph.search import Mask, repaired
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import down, row_errors, up
from tabular_rl.model.rows import Floats, Ints, largest_of_rows, over_rows, row_blocks
from tabular_rl.solving.elimination import chain_solution
from tabular_rl.solving.sweeps import Sweeper

IMPROVEMENTS = 20  # of a policy, for u
SETTLED = 0.2  # of what is added to each row: u is good enough when a sweep raises no value by more


class FineBounds:
    """Bounds of one model from values v (S,), 0 at terminals, in the sign of maximisation."""

    def __init__(self, sweeper: Sweeper) -> None:
        self.sweeper, self.mdp = sweeper, sweeper.mdp
        self.rewards = largest_rewards(sweeper.mdp)

    def beside(self, v: Floats, policy: Policy, zero: Mask, side: int) -> tuple[Floats, float] | None:
        """Return a lower (side -1) or an upper (1) bound of v_π, and how far from v it began; None if not verified.

        Parameters
        ----------
        v : (S,) the values
        policy : π, one row a state; it ends surely in the states `zero`
        zero : (S,) where the value is 0
        side : -1 or 1
        """
        assert policy.rows is not None
        v, rows = np.where(zero, 0.0, v), np.where(zero, 0, policy.rows)
        q, error = self._chosen(v, policy, rows)
        b = np.where(zero, 0.0, 1.25 * np.maximum(side * (q - v), 0.0) + 2 * error)
        d = chain_solution(self.sweeper, policy, zero, b, sweeps=0)
        if d is None:
            return None
        x = np.where(zero, 0.0, v + side * d)
        q, error = self._chosen(x, policy, rows)
        stepped = np.where(zero, 0.0, up(q + error) if side > 0 else down(q - error))
        return (stepped, float(d.max(initial=0.0))) if bool((side * (x - stepped) >= 0).all()) else None

    def _chosen(self, v: Floats, policy: Policy, rows: Ints) -> tuple[Floats, Floats]:
        """T_π v (S,) as computed, and how far that can be off."""
        q = np.zeros(self.mdp.S)
        self.sweeper.policy(policy, v, q)
        r = self.sweeper.rows[5] * self.sweeper.rows[3][rows]
        return q, row_errors(self.mdp, v, q, r, self.rewards[rows])

    def above(
        self, v: Floats, ends: Mask, ceiling: Floats, proper: Ints
    ) -> tuple[Floats, Floats, float] | None:
        """Return u ≥ v*, bounds of each row (L,), and how far u is above v; None where it is not verified.

        Parameters
        ----------
        v : (S,) the values, `ceiling` where `ends` (and 0 at terminals)
        ends : (S,) the states where u is the ceiling, terminals among them
        ceiling : (S,) what no value exceeds
        proper : (S,) rows that end surely
        """
        mdp, q = self.mdp, self._rows(v)
        b = 2 * row_errors(mdp, v, q, self.sweeper.rows[5] * self.sweeper.rows[3], self.rewards)
        rise = np.maximum(over_rows(np.maximum, q, mdp.pair_ptr) - v, 0.0)
        b += 1.25 * rise[mdp.pair_state]
        d = self._longest(v, b, ends, proper)
        if d is None:
            return None
        u = np.minimum(np.where(mdp.terminal, 0.0, v + d), ceiling)
        q = self._rows(u)
        of_rows = up(q + row_errors(mdp, u, q, self.sweeper.rows[5] * self.sweeper.rows[3], self.rewards))
        upper = np.where(mdp.terminal, 0.0, over_rows(np.maximum, of_rows, mdp.pair_ptr))
        verified = bool(((upper <= u) | (u == ceiling)).all())
        return (upper, of_rows, float(d.max(initial=0.0))) if verified else None

    def _rows(self, v: Floats) -> Floats:
        """Each row's backup of v (L,), as computed."""
        return np.concatenate([self.sweeper.rows_of(v, first, last) for first, last in self.sweeper.blocks])

    def _longest(self, v: Floats, b: Floats, ends: Mask, proper: Ints) -> Floats | None:
        """Return d (S,), v + d ≥ T (v + d) + b up to a part of b, by policy iteration; None where it is not found."""
        mdp, sweeper = self.mdp, self.sweeper.with_rewards(self.sweeper.rows[5] * self.sweeper.rows[3] + b)
        least = over_rows(np.minimum, b, mdp.pair_ptr)
        u, raised, taken = v, np.empty(mdp.S), None
        for _ in range(IMPROVEMENTS):
            rows = np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
            sweeper.optimal(u, raised, rows)
            gain = np.where(ends, 0.0, raised - u)
            if taken is not None:
                if bool((gain <= SETTLED * least).all()):
                    return u - v
                rows = np.where(gain > SETTLED / 2 * least, rows, taken)
            rows, lost = repaired(mdp, rows, ends, proper)
            if taken is not None and lost.any():
                return None
            taken = rows.astype(mdp.pair_ptr.dtype)
            policy = Policy.partial(mdp, rows=taken)
            sweeper.policy(policy, v, raised)
            d = chain_solution(sweeper, policy, ends, raised - v, sweeps=0)
            if d is None:
                return None
            u = v + d
        return None


def largest_rewards(mdp: MDP) -> Floats:
    """The largest |r(s,a,s')| of each row (L,)."""
    found: list[Any] = [largest_of_rows(mdp, *block) for block in row_blocks(mdp.row_ptr)]
    return np.concatenate(found) if found else np.zeros(0)
