"""The model that a method sweeps over, and which states a policy leaves at 0: what a problem asks the graph first.

Only where a policy may earn without end (`Problem.must_end`) does the graph say more than the model does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tabular_rl.model.clock import phase
from tabular_rl.model.graph.search import Mask
from tabular_rl.model.graph.total import TotalReward, total_reward, zero_of_policy
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy

if TYPE_CHECKING:
    from tabular_rl.solving.sweeps import Sweeper


def reduced(sweeper: Sweeper, exactly: bool = False, later: bool = False) -> TotalReward:
    """Return the model in which Bellman's equation has one solution, with the way back; most often the model itself.

    Parameters
    ----------
    sweeper : of the model
    exactly : decide in rational arithmetic what floats leave open
    later : where every row pays, leave it to `proper_rows`, when that is asked for, to raise

    Returns
    -------
    TotalReward, whose `quotient` is that model.

    Raises
    ------
    NoFiniteAnswer : with the states where the optimal value is not finite
    """
    mdp = sweeper.mdp
    if not mdp.problem.must_end:
        return unreduced(mdp)
    with phase("graph"):
        return total_reward(sweeper, exactly, later)


def unreduced(mdp: MDP) -> TotalReward:
    """Return the model itself, in the same form."""
    rows = mdp.pair_ptr[:-1]
    if mdp.terminal.any():
        rows = np.where(mdp.terminal, mdp.pair_ptr.dtype.type(-1), rows)
    none = np.zeros(0, dtype=np.int64)
    every = np.arange(mdp.S, dtype=mdp.pair_ptr.dtype)
    total = TotalReward(mdp, mdp, every, none, none.astype(bool))
    total.__dict__["proper_rows"] = rows
    return total


def zero_states(mdp: MDP, policy: Policy) -> Mask:
    """Return the states (S,) that are worth 0 under a policy whatever it does: terminal, or never left and unpaid.

    Raises
    ------
    NoFiniteAnswer : with the states where the policy earns without end
    """
    return zero_of_policy(mdp, policy) if mdp.problem.must_end else mdp.terminal
