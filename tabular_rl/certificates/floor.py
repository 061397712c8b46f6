"""States that a policy surely earns the most from that anybody can (γ = 1), and how much that is: a floor.

Let c be the ceiling, which no value exceeds since T c ≤ c. In a set W that a policy leaves by ending alone, let each
reward r(s,π(s)) be at least c' p(end|s,π(s)). Then T_π c' ≥ c' on W, so that c' ≤ v_π there, however long the policy
takes. Chances of one are such values: no time to the end is needed where they are proven.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.graph.search import Mask, edges, policy_can_reach
from tabular_rl.model.graph.total import reward_signs
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rounding import TINY, down, roundings, up
from tabular_rl.model.rows import Ints, over_rows, places

FEW = 4  # rows that are looked at one by one, before all are
NEAR = 2.0**-40  # of the ceiling: what a floor may be below it


def ceiling_of(mdp: MDP, signs: NDArray[np.int8] | None = None) -> float:
    """A number c that no value exceeds where all that is earned is earned on ending; inf where that is not so.

    T u ≤ u for u = c off terminals, where r(s,a) ≤ c p(end|s,a) for all rows: say, where r(s,a,s') ≤ 0 unless s'
    ends, and then r(s,a,s') ≤ c. `signs` (L,) are those of `reward_signs`, where they are known.
    """
    if mdp.reward is not None:
        ends, paid = mdp.terminal[mdp.next_state], mdp.sign * mdp.reward
        earned = paid > 0
        if mdp.exact is not None and mdp.exact.reward is not None:  # where fractions are below the floats
            earned[paid == 0] = mdp.sign * mdp.exact.reward.num[paid == 0] > 0
        if not earned[~ends].any():
            most = float(np.max(paid, initial=0.0, where=ends))
            return float(up(most)) if earned.any() else 0.0
    earns = (reward_signs(mdp) if signs is None else signs) > 0
    if not earns.any():
        return 0.0
    for i in np.flatnonzero(earns)[:FEW].tolist():
        if not mdp.terminal[mdp.next_state[mdp.row_ptr[i] : mdp.row_ptr[i + 1]]].any():
            return math.inf
    rows = np.flatnonzero(earns)
    size = np.diff(mdp.row_ptr)[rows]
    k = places(mdp.row_ptr[rows], size)
    ptr = np.concatenate([[0], np.cumsum(size)])
    end = over_rows(np.add, mdp.prob[k] * mdp.terminal[mdp.next_state[k]], ptr)
    least = down(end * (1 - roundings(mdp.facts.longest_row + 4) - 2 * mdp.facts.mass_defect))
    if not (least > 0).all():
        return math.inf
    most = up(up(mdp.sign * mdp.r[rows]) + mdp.facts.r_error)
    return float(np.max(up(most / least), initial=0.0))


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
    pays = np.flatnonzero(ends)
    if not pays.size or ends.min() > 0.5:  # it ends soon: its steps are counted, with fewer roundings
        return none, 0.0
    most = up(1 + up(roundings(facts.longest_row + 4) + up(2 * facts.mass_defect)))
    outward = up(up(ends[pays] * most) + facts.longest_row * TINY)
    with np.errstate(over="ignore"):
        share = down(down(mdp.sign * mdp.r[chosen[pays]] - facts.r_error) / outward)
    good = signs[chosen] >= 0
    good[pays] = share >= ceiling * (1 - NEAR)
    if not good[pays].any():
        return none, 0.0
    bad = none.copy()
    bad[states[~good]] = True
    own = np.where(zero, -1, rows)
    sure: Mask = ~zero & ~policy_can_reach(mdp, own, bad)
    least = float(np.min(share, initial=ceiling, where=sure[states[pays]]))
    return sure, least
