"""States that a policy surely earns the most from that anybody can (γ = 1), and how much that is: a floor.

Let c be the ceiling of certificates/upper.py. In a set W that a policy leaves by ending alone, let each reward
r(s,π(s)) be at least c' p(end|s,π(s)). Then T_π c' ≥ c' on W, so that c' ≤ v_π there, however long the policy takes.
Chances of one are such values: no time to the end is needed where they are proven.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.graph.search import Mask, edges, policy_can_reach
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rounding import TINY, down, roundings, up
from tabular_rl.model.rows import Ints, places

NEAR = 2.0**-40  # of the ceiling: what a floor may be below it


def floor_of(mdp: MDP, rows: Ints, zero: Mask, ceiling: float, signs: NDArray[np.int8]) -> tuple[Mask, float]:
    """Return the states (S,) whose value is known to be the ceiling but for rounding, and a lower bound of it.

    Parameters
    ----------
    mdp : the model, at γ = 1
    rows : (S,) the policy, which ends surely in the states `zero`
    zero : (S,) where its value is 0
    ceiling : what no value exceeds
    signs : (L,) of the expected rewards, in the sign of maximisation

    Returns
    -------
    Mask (S,), empty where nothing is known, and c'.

    Examples
    --------
    >>> tries = [("s", "try", "goal", "1/4", 1), ("s", "try", "s", "3/4", 0)]
    >>> mdp = MDP.from_outcomes(tries, 1, terminal=["goal"])
    >>> sure, least = floor_of(mdp, np.array([0, -1]), mdp.terminal, 1.0, np.ones(1, dtype=np.int8))
    >>> sure.tolist(), bool(1 - 1e-12 <= least <= 1)
    ([True, False], True)
    """
    none: Mask = np.zeros(mdp.S, dtype=bool)
    states = np.flatnonzero(~zero)
    if not 0 < ceiling < math.inf or not states.size or edges(mdp) is not mdp.prob:
        return none, 0.0
    chosen, facts = rows[states], mdp.facts
    begin = mdp.row_ptr[chosen].astype(np.int64)
    size = mdp.row_ptr[chosen + 1] - begin
    at = places(begin, size)
    ends: Any = np.add.reduceat(mdp.prob[at] * zero[mdp.next_state[at]], np.cumsum(size) - size)
    pays = ends > 0
    if ends.min() > 0.5:  # it ends soon: its steps are counted, with fewer roundings
        return none, 0.0
    most = up(1 + up(roundings(facts.longest_row + 4) + up(2 * facts.mass_defect)))
    ends = up(up(ends * most) + facts.longest_row * TINY)
    with np.errstate(over="ignore"):
        share = down(down(mdp.sign * mdp.r[chosen] - facts.r_error) / ends)
    good = np.where(pays, share >= ceiling * (1 - NEAR), signs[chosen] >= 0)
    if not (good & pays).any():
        return none, 0.0
    bad = none.copy()
    bad[states[~good]] = True
    own = np.where(zero, -1, rows)
    sure: Mask = ~zero & ~policy_can_reach(mdp, own, bad)
    least = float(np.min(share, initial=ceiling, where=pays & sure[states]))
    return sure, least
