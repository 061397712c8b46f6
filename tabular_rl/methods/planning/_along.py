"""Values of one policy, solved for along the way that it takes, where it hardly ever turns back.

A pendulum swings up, a car climbs a hill, a store is emptied: from nearly every state the policy goes to states that it
does not come back from, and values rise all the way, or fall. Sweeps carry news one step each. In one search of the
chain every state is solved after those that it leads to, and the few that lead back to each other together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular_rl.methods.planning._kept_rows import KeptRows
from tabular_rl.model.rows import Floats, places

FEWEST = 5000  # states: sweeps over fewer take no longer than the calls of all this
SAMPLE = 100  # states, from which is seen whether values rise, or fall, wherever the policy goes
ONE_WAY = 0.9  # of what leads to other values must rise, or must fall
PART = 64  # states that lead back to each other up to which they are solved for by elimination
SWEEPS = 100  # over more of them, before it is given up
WAITING = 4  # one state in so many may wait for others: a chain that turns back is soon seen to
LATER = 2  # times as many evaluations before it is tried again
SOON = 1.5  # the same where only a part took too long: the next policies may have none
TURNS_BACK = -2  # said by the kernel where too many states wait


class Along:
    """Solves for the policy of the best rows while that works; `next_try` is the evaluation that it is tried in."""

    def __init__(self, kept: KeptRows, gamma: float) -> None:
        self.kept, self.gamma, self.next_try = kept, gamma, 0
        self.room: tuple[Any, ...] | None = None

    def solved(self, v: Floats, x: Floats, turn: int) -> bool:
        """x ← the solution of x = T_π x, from values v; False where the policy turns back too often."""
        if turn < self.next_try or len(v) < FEWEST:
            return False
        some = np.linspace(0, len(v) - 1, min(len(v), SAMPLE)).astype(np.int64)
        if not leads_one_way(self.kept.policy_outcomes(some), v[some], v):
            self.next_try = LATER * turn - 1
            return False
        result = self._solve(v, x)
        if result < 0:
            self.next_try = LATER * turn - 1 if result == TURNS_BACK else max(turn + 1, int(SOON * turn))
        return result >= 0

    def _solve(self, v: Floats, x: Floats) -> int:
        from tabular_rl.kernels.elimination import Chain
        from tabular_rl.kernels.search_flow import solve_along

        if self.room is None:
            each_state = (np.empty(len(v), dtype=np.int64) for _ in range(5))
            self.room = *each_state, np.empty((PART + 2, PART))
        self.room[0][:] = -1
        x[:] = v
        begin, end, to, prob = self.kept.policy_outcomes()
        chain = Chain(begin, end, to, prob, self.gamma, 1.0 - self.gamma)
        limits = max(len(v) // WAITING, PART), SWEEPS
        return int(solve_along(chain, self.kept.policy_rewards(), limits, *self.room, x))


def leads_one_way(outcomes: tuple[Any, ...], here: Floats, v: Floats) -> bool:
    """Return whether values rise, or fall, nearly wherever a policy goes from some states.

    Parameters
    ----------
    outcomes : (begin, end, next_state, prob), where those of the policy in each of the states are begin ≤ k < end
    here, v : the values of these states, and of all

    Returns
    -------
    True where one of the two has at least ONE_WAY of the probability of all moves that change the value.

    Examples
    --------
    States 0, 1 and 2 follow each other. Where the last leads to the first, values cannot rise all the way.

    >>> begin, v = np.arange(3), np.array([1.0, 2.0, 3.0])
    >>> leads_one_way((begin, begin + 1, np.array([1, 2, 2]), np.ones(3)), v, v)
    True
    >>> leads_one_way((begin, begin + 1, np.array([1, 2, 0]), np.ones(3)), v, v)
    False
    """
    begin, end, to, prob = outcomes
    k = places(begin, end - begin)
    change = v[to[k]] - np.repeat(here, end - begin)
    up, down = float(prob[k][change > 0].sum()), float(prob[k][change < 0].sum())
    return max(up, down) >= ONE_WAY * (up + down) > 0
