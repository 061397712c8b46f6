"""Bounds at γ = 1 whose rounding is that of how values differ from state to state, and not that of the values.

A backup of values near 10⁶ is known to some 10⁻⁹, and a bound adds that up over all steps to the end. What a backup
changes is r + Σ p (v(s') - v(s)), though, since probabilities sum to 1. Where a step changes values by little, or does
so rarely, floats know it far better: up to some ulps of |r| + Σ p |v(s') - v(s)| (`change_errors`). So let c be the
changes of all rows, each off by at most E, and look for the rest e = v* - v, of the size of the ulps of v: the bounds

    u = v + e    e = max_a [ c_a + 2 E_a + P_a e ]        l = v + e    e = c_π - 2 E_π + P_π e

are sums of two floats. T (v + e) - (v + e) is c_a + Σ p (e(s') - e(s)), which is verified row by row in the same way,
and only what is stated at the end is rounded to one float. Nothing rests on e (docs/certificates.md). This takes a few
chains more, and is done only where one E for all is too wide.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular_rl.model.graph.search import Mask, repaired
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import change_errors, down, up
from tabular_rl.model.rows import Floats, Ints, largest_of_rows, over_rows, row_blocks
from tabular_rl.solving.elimination import chain_solution
from tabular_rl.solving.sweeps import Sweeper

IMPROVEMENTS = 20  # of a policy, for the upper bound
LEAST = 1e-280  # of that: below it a rest would be lost in the smallest floats
SETTLED = 0.2  # of what is added to each row: e is good enough when a sweep raises it by no more
SPARED = 2.0**-36  # of the largest change and error of a state, added to each row: the rest itself is rounded


class Changes(NamedTuple):
    """What a backup of v changes in each row (L,), as computed, and how far that can be off."""

    v: Floats
    change: Floats
    error: Floats


class FineBounds:
    """Bounds of one model from values v (S,), 0 at terminals, in the sign of maximisation."""

    def __init__(self, sweeper: Sweeper) -> None:
        self.sweeper, self.mdp = sweeper, sweeper.mdp
        self.rewards = largest_rewards(sweeper.mdp)
        self.last: Changes | None = None

    def changes(self, v: Floats) -> Changes:
        """What one sweep from v changes; asked of the same values again, without a sweep."""
        if self.last is None or not np.array_equal(self.last.v, v):
            change, met = self.sweeper.changes(v)
            facts, vmax = self.mdp.facts, self.sweeper.norm(v)
            self.last = Changes(v, change, change_errors(facts, vmax, met, self.rewards, facts.r_relative))
        return self.last

    def beside(self, v: Floats, policy: Policy, zero: Mask, side: int) -> Floats | None:
        """Return a lower (side -1) or an upper (1) bound (S,) of v_π; None where it is not verified.

        Parameters
        ----------
        v : (S,) the values
        policy : π, one row a state; it ends surely in the states `zero`
        zero : (S,) where the value is 0
        side : -1 or 1
        """
        assert policy.rows is not None
        found = self.changes(np.where(zero, 0.0, v))
        rows = np.where(zero, 0, policy.rows)
        size = np.abs(found.change[rows]) + found.error[rows]
        spare = SPARED * float(np.max(size, initial=LEAST, where=~zero))
        b = np.where(zero, 0.0, found.change[rows] + side * (2 * found.error[rows] + spare))
        e = chain_solution(self.sweeper, policy, zero, b, sweeps=0)
        if e is None:
            return None
        moved = self._moved(found, e, side)[rows]
        if not bool((side * moved <= 0)[~zero].all()):
            return None
        return np.where(zero, 0.0, _outward(found.v + e, side))

    def above(self, v: Floats, ends: Mask, ceiling: Floats, proper: Ints) -> tuple[Floats, Floats] | None:
        """Return u ≥ v* (S,) and bounds of each row (L,); None where they are not verified.

        Parameters
        ----------
        v : (S,) the values
        ends : (S,) the states where u is the ceiling, terminals among them
        ceiling : (S,) what no value exceeds, 0 at terminals
        proper : (S,) rows that end surely
        """
        found = self.changes(np.where(ends, ceiling, v))
        e = self._longest(found, ends, proper)
        if e is None:
            return None
        moved, state = self._moved(found, e, 1), self.mdp.pair_state
        # With c the ceiling, T min(u, c) ≤ min(T u, T c) ≤ min(u, c): also where u is c, or above it.
        if not bool(((moved <= 0) | ends[state]).all()):
            return None
        of_rows = _outward(found.v[state] + _outward(e[state] + moved, 1), 1)
        return np.minimum(_outward(found.v + e, 1), ceiling), np.minimum(of_rows, ceiling[state])

    def _moved(self, found: Changes, e: Floats, side: int) -> Floats:
        """The changes (L,) of a backup of v + e, rounded outward on a side."""
        r = _outward(found.change + side * found.error, side)
        change, met = self.sweeper.with_rewards(r).changes(e)
        error = change_errors(self.mdp.facts, self.sweeper.norm(e), met, np.abs(r), 0.0)
        return _outward(change + side * error, side)

    def _longest(self, found: Changes, ends: Mask, proper: Ints) -> Floats | None:
        """Return e (S,), T (v + e) + E ≤ v + e where it does not end, by policy iteration; None if not found."""
        mdp = self.mdp
        best, high = (
            over_rows(np.maximum, x, mdp.pair_ptr) for x in (found.change, found.change + found.error)
        )
        size = np.abs(best) + (high - best)
        b = 2 * found.error + SPARED * float(np.max(size, initial=LEAST, where=~ends))
        sweeper = self.sweeper.with_rewards(found.change + b)
        least = over_rows(np.minimum, b, mdp.pair_ptr)
        e, raised, taken = np.zeros(mdp.S), np.empty(mdp.S), None
        for _ in range(IMPROVEMENTS):
            rows: Any = np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
            sweeper.optimal(e, raised, rows)
            gain = np.where(ends, 0.0, raised - e)
            if taken is not None:
                if bool((gain <= SETTLED * least).all()):
                    return e
                rows = np.where(gain > SETTLED / 2 * least, rows, taken)
            rows, lost = repaired(mdp, rows, ends, proper)
            if taken is not None and lost.any():
                return None
            taken = rows.astype(mdp.pair_ptr.dtype)
            solved = chain_solution(sweeper, Policy.partial(mdp, rows=taken), ends, sweeps=0)
            if solved is None:
                return None
            e = solved
        return None


def _outward(x: Floats, side: int) -> Floats:
    """Numbers that were rounded once, moved by an ulp to a side."""
    moved: Floats = up(x) if side > 0 else down(x)
    return moved


def largest_rewards(mdp: MDP) -> Floats:
    """The largest |r(s,a,s')| of each row (L,)."""
    found: list[Any] = [largest_of_rows(mdp, *block) for block in row_blocks(mdp.row_ptr)]
    return np.concatenate(found) if found else np.zeros(0)
