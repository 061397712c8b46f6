"""Bounds at γ = 1 that no backup moves outward, found near values and verified, though most rows have nothing to spare.

T u ≤ u proves v* ≤ u (certificates/total.py). A row is worth r + Σ p u(s'). As probabilities sum to 1, that is at most
the largest u(s') where r ≤ 0, and this no rounding touches. So rows that lead to no more than they are worth, say by a
single outcome, need nothing to spare: neither a time to the end nor a chain. Others are gambles, or cost something,
and there a concave function of the values leaves more than rounding takes (certificates/concave.py). In

    u(s) ← max(u(s), max_i min( r_i + P_i u + E, max u(s') if r_i ≤ 0 ))

taken in turn, what is missing is carried back until no state rises. Below all is the same for the rows of one policy,
with signs turned. How u was found does not matter: one more pass verifies it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.certificate import Certificate, largest_width
from tabular_rl.kernels._plain import kernels
from tabular_rl.model.graph.search import Mask, policy_can_reach
from tabular_rl.model.rounding import LargeRewards, shared_error, shared_reward
from tabular_rl.model.rows import Floats, Ints
from tabular_rl.solving.sweeps import Sweeper

SWEEPS = 40  # that carry back what is missing, at most
SEEN = 2  # sweeps before their speed is judged
FEW = 12  # one state in so many may rise again and again
FALLING = 0.9  # of the states that rise may rise in the next sweep, where they are more
SOON = 6  # sweeps until what rises must halve, where there may be a quicker way than SWEEPS
LAG = 2  # sweeps that it may take to do so
GROWN = 1 + 2.0**-10  # times the largest value of a bound, at most, as it rises


class ClosedBounds:
    """Bounds on the values of one model, in the sign of maximisation.

    Parameters
    ----------
    sweeper : of the model, in which no policy stays without end and without a cost
    signs : (L,) of the expected rewards, in the sign of maximisation

    What does not settle quickly from sweep `soon` on is given up, and `slow` is set.
    """

    def __init__(self, sweeper: Sweeper, signs: NDArray[np.int8]) -> None:
        self.sweeper, self.mdp, self.signs = sweeper, sweeper.mdp, signs
        self.soon, self.slow = SWEEPS, False
        self.large = LargeRewards(self.mdp)
        order, backward = sweeper.flow.known_order, np.arange(self.mdp.S - 1, -1, -1)
        self.order = backward.astype(self.mdp.pair_ptr.dtype) if order is None else order

    def certificate(
        self, x: tuple[Floats, Floats], rows: Ints, ceiling: float, held: Mask, wanted: float
    ) -> Certificate | None:
        """Return the interval of v*, with its decisions on actions; None where none is found that is narrow enough.

        Parameters
        ----------
        x : two arrays (S,): where an upper bound begins and where a lower one does
        rows : (S,) a policy that ends, whose value the lower bound bounds; -1 at terminals
        ceiling, held : as in `above`
        wanted : how wide the interval may be
        """
        above = self.above(x[0], ceiling, held)
        lower = None if above is None else self.below(x[1], rows)
        if above is None or lower is None or not largest_width(lower, above[0]) <= wanted:
            return None
        mdp, (upper, of_rows) = self.mdp, above
        keep, sole = np.empty(mdp.L, dtype=bool), np.empty(mdp.S, dtype=bool)
        decide = kernels("bounds", mdp.K, mdp.L).decide
        decide(mdp.pair_ptr, of_rows, lower, 0.0, rows, mdp.pair_ptr[:0], keep, sole)
        return Certificate(lower, upper, keep, sole if sole.all() else ~policy_can_reach(mdp, rows, ~sole))

    def above(self, x: Floats, ceiling: float, held: Mask) -> tuple[Floats, Floats] | None:
        """Return an upper bound (S,) of v* and one of each row (L,), from x up; None where none is found.

        Parameters
        ----------
        x : (S,) where it begins, nowhere above the ceiling; 0 at terminals, whatever is given
        ceiling : what no value exceeds
        held : (S,) where x stays as it is: terminals, and where it is the ceiling
        """
        of_rows, ptr = np.empty(self.mdp.L), self.mdp.pair_ptr
        found = self._closed(1, (ptr[:-1], ptr[1:]), ceiling, held, np.array(x), of_rows)
        return None if found is None else (found, of_rows)

    def below(self, x: Floats, rows: Ints) -> Floats | None:
        """Return a lower bound (S,) of the value of a policy, from x down; None where none is found.

        Parameters
        ----------
        x : (S,) where it begins; 0 at terminals, whatever is given
        rows : (S,) the row of each state, -1 at terminals
        """
        ends = self.mdp.terminal
        begin = np.where(ends, 0, rows).astype(rows.dtype)
        found = self._closed(-1, (begin, begin + ~ends), math.inf, ends, -x, np.empty(0))
        return None if found is None else -found

    def _closed(
        self, side: int, span: tuple[Any, Any], most: float, held: Mask, u: Floats, of_rows: Floats
    ) -> Floats | None:
        """What `above` returns of the rows in a span, with rewards in a sign; changes u."""
        sweeper, mdp = self.sweeper, self.mdp
        u[mdp.terminal] = 0.0
        vmax = GROWN * sweeper.norm(u)
        if not math.isfinite(vmax) or self.large.beyond(shared_reward(mdp, vmax))[0].size:
            return None  # rows with an error of their own
        closing, rises = (side * self.signs <= 0, shared_error(mdp, vmax), most, held), list[int]()
        while len(rises) < SWEEPS and not self._given_up(rises):
            rises.append(sweeper.lift(self.order, span, side, closing, u))
            if not rises[-1]:
                break
        if rises[-1] or not sweeper.norm(u) <= vmax:
            return None
        out = np.empty(mdp.S)
        return None if sweeper.exceeding(span, side, closing, u, of_rows, out) else out

    def _given_up(self, rises: list[int]) -> bool:
        """Whether too many states rise to go on, or few and the same number sweep for sweep (`slow`)."""
        sweeps, self.slow = len(rises), False
        if sweeps > SEEN and rises[-1] * FEW > self.mdp.S and rises[-1] > FALLING * rises[-2]:
            return True
        self.slow = sweeps >= self.soon and 2 * rises[-1] > rises[-1 - LAG]
        return self.slow
