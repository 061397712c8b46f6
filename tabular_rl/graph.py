"""What the graph of a model says, whatever its rewards: which states are reached, surely or possibly, and which recur.

An outcome counts where its probability is positive, even if its float64 is 0; no number is rounded on the way, so that
what is answered here is exact.
"""

from __future__ import annotations

from typing import Any

from tabular_rl.errors import OptionError
from tabular_rl.model.graph import search
from tabular_rl.model.graph.search import Mask
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import policy_of
from tabular_rl.model.rows import Ints
from tabular_rl.model.tensors import state_mask

__all__ = ["components", "end_components", "possible", "sure"]


def sure(mdp: MDP, target: Any, policy: Any = None) -> Mask:
    """Return the states from which some policy, or the one given, reaches a target with probability 1.

    These are the states where the largest probability to reach the target is exactly 1, and where the expected cost of
    getting there can be finite.

    Parameters
    ----------
    mdp : the model
    target : the states to arrive at: by name or index, or a mask (S,)
    policy : in any form, one that does not depend on time; None for the best one

    Returns
    -------
    Mask (S,), True at the target too.

    Sources
    -------
    Baier & Katoen (2008), "Principles of Model Checking", 10.6.

    Examples
    --------
    A try succeeds half of the time and can be repeated; a bet that is lost is lost.

    >>> from tabular_rl import MDP, graph
    >>> outcomes = [("start", "try", "goal", "1/2", 0), ("start", "try", "start", "1/2", 0),
    ...             ("start", "bet", "goal", "1/2", 0), ("start", "bet", "lost", "1/2", 0)]
    >>> mdp = MDP.from_outcomes(outcomes, 1, terminal=["goal", "lost"])
    >>> graph.sure(mdp, "goal").tolist(), graph.sure(mdp, "goal", policy="action:bet").tolist()
    ([True, True, False], [False, True, False])
    """
    there, rows = state_mask(target, mdp.states, "target"), _rows(mdp, policy)
    if rows is None:
        return search.almost_surely_reaching(mdp, there)[0]
    on_the_way = rows & ~there[mdp.pair_state]
    lost = ~search.can_reach(mdp, there, on_the_way)
    return ~search.can_reach(mdp, lost, on_the_way)


def possible(mdp: MDP, target: Any, policy: Any = None) -> Mask:
    """Return the states from which some policy, or the one given, reaches a target with a positive probability.

    Everywhere else the largest probability to reach the target is exactly 0.

    Parameters
    ----------
    mdp : the model
    target : the states to arrive at: by name or index, or a mask (S,)
    policy : in any form, one that does not depend on time; None for all of them

    Returns
    -------
    Mask (S,), True at the target too.

    Examples
    --------
    >>> from tabular_rl import MDP, graph
    >>> mdp = MDP.from_outcomes([("a", "go", "b", 1, 0), ("c", "stay", "c", 1, 0)], 1, terminal=["b"], states=[*"abc"])
    >>> graph.possible(mdp, ["b"]).tolist()
    [True, True, False]
    """
    return search.can_reach(mdp, state_mask(target, mdp.states, "target"), _rows(mdp, policy))


def components(mdp: MDP, policy: Any = None) -> tuple[int, Ints]:
    """Return the strongly connected components, within which each state can be reached from each other.

    Parameters
    ----------
    mdp : the model
    policy : whose actions alone count, in any form, one that does not depend on time; None for all actions

    Returns
    -------
    Their number, and the label of each state (S,), successors first: an outcome leads to the same label or a lower one.

    Sources
    -------
    Tarjan (1972).

    Examples
    --------
    >>> from tabular_rl import MDP, graph
    >>> mdp = MDP.from_outcomes([("a", "go", "b", 1, 0), ("b", "go", "a", 1, 0), ("c", "go", "a", 1, 0)], 1)
    >>> count, label = graph.components(mdp)
    >>> count, label.tolist()
    (2, [0, 0, 1])
    """
    return search.components(mdp, _rows(mdp, policy))


def end_components(mdp: MDP) -> tuple[Ints, Mask]:
    """Return the maximal end components: the sets of states in which some policy can stay as long as it likes.

    An end component is a set of states with actions that never lead out of it and lead from each of its states to each
    other. Which policies end, and whether a total reward is finite, depends on them alone.

    Parameters
    ----------
    mdp : the model

    Returns
    -------
    The label of each state (S,), -1 where it is in none, and the mask (L,) of the actions that stay.

    Sources
    -------
    de Alfaro (1997), "Formal Verification of Probabilistic Systems", 3.3.

    Examples
    --------
    >>> from tabular_rl import MDP, graph
    >>> outcomes = [("a", "stay", "a", 1, 0), ("a", "go", "b", 1, 0), ("b", "end", "t", 1, 0)]
    >>> label, stays = graph.end_components(MDP.from_outcomes(outcomes, 1, terminal=["t"]))
    >>> label.tolist(), stays.tolist()
    ([0, -1, -1], [True, False, False])
    """
    return search.end_components(mdp)


def _rows(mdp: MDP, policy: Any) -> Mask | None:
    """The rows (L,) that a policy takes; None for all."""
    if policy is None:
        return None
    given = policy_of(mdp, policy)
    if given.timed:
        raise OptionError("policy: found one that depends on time, expected one action or one law a state")
    return given.takes
