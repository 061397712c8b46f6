"""The columns of answers and policies as data frames have them, arrays of one length; and the arrays of a folder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError, quoted
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.solution import Floats, Solution

Columns = dict[str, Any]


def answer_columns(solution: Solution, what: str = "", visits: NDArray[np.int64] | None = None) -> Columns:
    """Return the columns of the values of an answer, or of its q.

    Parameters
    ----------
    solution : an answer
    what : "values", the default: a row a state (at each time of a horizon); or "q": a row a pair of state and action
    visits : how often each state was met, (S,) or (T, S), where that is known

    Returns
    -------
    Columns of one length, in the sign of the model.

    Raises
    ------
    OptionError : another name
    """
    if what == "q":
        return _pairs(solution)
    if what not in ("", "values"):
        raise OptionError(f"what: found {quoted(what)}, expected 'values' or 'q'")
    mdp, policy = solution.mdp, solution.policy
    steps = len(solution.v) if solution.v.ndim == 2 else None
    columns = _where(mdp.S, list(mdp.states), steps)
    for name, array in (("value", solution.v), ("lower", solution.lower), ("upper", solution.upper)):
        if array is not None:
            columns[name] = array.ravel()
    if visits is not None:
        columns["visits"] = _padded(visits, steps, 0)
    if policy is not None and policy.rows is not None:
        columns["action"] = _named(mdp, _padded(policy.actions, steps, -1))
    return columns


def answer_arrays(solution: Solution, q: Floats | None = None) -> dict[str, NDArray[Any]]:
    """Return what an answer says of states and pairs, as the arrays of a folder hold it.

    Parameters
    ----------
    solution : an answer
    q : the value of each pair, where it is kept too

    Returns
    -------
    Arrays with one entry a state, or a pair; with the time first for a finite horizon. `action` is the index of the
    action of each state, -1 where there is none; a policy that chance decides has `probability`, an entry a pair.
    """
    policy, mdp = solution.policy, solution.mdp
    found = {
        "values": solution.v,
        "lower": solution.lower,
        "upper": solution.upper,
        "action": None if policy is None or policy.rows is None else policy.actions.astype(np.int32),
        "probability": None if policy is None or policy.rows is not None else policy.weights,
        "optimal_actions": solution.optimal_actions,
        "proven_optimal": solution.proven_optimal,
        "q": q,
        **{name: solution.extra.get(name) for name in mdp.problem.beside},
    }
    return {name: array for name, array in found.items() if array is not None}


def given_names(mdp: MDP) -> dict[str, list[str] | None]:
    """Return the names of states and actions, None where they are numbers."""
    both = {"states": mdp.states, "actions": mdp.actions}
    return {what: list(names) if names.given else None for what, names in both.items()}


def policy_columns(policy: Policy, what: str = "") -> Columns:
    """Return state and action of a policy, a row a state; with probability, a row a pair, where chance decides.

    Parameters
    ----------
    policy : with the time first where it has time steps
    what : nothing: there is one frame of a policy

    Returns
    -------
    Columns of one length.

    Raises
    ------
    OptionError : `what` is given
    """
    if what:
        raise OptionError(f"what: found {quoted(what)}, expected nothing: a policy has one frame")
    mdp = policy.mdp
    steps = len(policy.weights) if policy.timed else None
    if policy.rows is not None:
        return {**_where(mdp.S, list(mdp.states), steps), "action": _named(mdp, policy.actions.ravel())}
    return {**_where_pairs(mdp, steps), "probability": policy.weights.ravel()}


def _pairs(solution: Solution) -> Columns:
    """A row a pair: its probability, its q, and whether it is not proven worse than the best."""
    mdp, policy, q, keep = solution.mdp, solution.policy, solution.q, solution.optimal_actions
    steps = len(q) if q.ndim == 2 else None
    columns = _where_pairs(mdp, steps)
    if policy is not None:
        columns["probability"] = np.broadcast_to(policy.weights, q.shape).ravel()
    columns["q"] = q.ravel()
    if keep is not None:
        columns["optimal"] = np.broadcast_to(keep, q.shape).ravel()
    return columns


def _where_pairs(mdp: MDP, steps: int | None) -> Columns:
    names = np.array(list(mdp.states), dtype=object)[mdp.pair_state].tolist()
    return {**_where(mdp.L, names, steps), "action": _named(mdp, np.tile(mdp.pair_action, steps or 1))}


def _where(size: int, names: list[str], steps: int | None) -> Columns:
    """The columns that say where a row belongs: time, where there is one, and state."""
    times = {} if steps is None else {"time": np.repeat(np.arange(steps), size)}
    return {**times, "state": names * (1 if steps is None else steps)}


def _named(mdp: MDP, actions: NDArray[Any]) -> list[str | None]:
    """The names of actions, None for -1."""
    names = [*mdp.actions, None]
    return [names[a] for a in actions.tolist()]


def _padded(array: NDArray[Any], steps: int | None, after: int) -> NDArray[Any]:
    """An array (S,) or (T, S) for each of T + 1 times, `after` at the last."""
    if steps is None:
        return array
    out = np.full((steps, array.shape[-1]), after, dtype=array.dtype)
    out[:-1] = array
    return out.ravel()
