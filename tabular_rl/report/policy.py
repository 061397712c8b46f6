"""The actions of a policy as text, and those that may be as good."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import exact_or_decimal, share_text
from tabular_rl.report.screen import signs
from tabular_rl.report.words import action_of
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.solution import Solution, Status


def tie_sign(solution: Solution) -> str:
    """What joins actions that may be as good: "=" where that is proven, "≈" where neither is proven worse."""
    return "=" if solution.status is Status.EXACT else signs().close


def action_text(solution: Solution, state: int, t: int | None = None) -> str:
    """The action of a state and those that may be as good: "=" for a proven tie, "≈" for one not proven worse.

    Parameters
    ----------
    solution : an answer
    state : its index
    t : the time step; None where the policy does not depend on time

    Returns
    -------
    The names, with the probabilities of a stochastic policy; "" for a terminal state, and where there is no policy.
    """
    mdp, policy = solution.mdp, solution.policy
    if policy is None or mdp.terminal[state]:
        return ""
    policy = policy.at(t) if t is not None else policy
    if policy.rows is None:
        parts = []
        for i in mdp.rows(state):
            p = float(policy.weights[i])
            if policy.takes[i]:
                exact = policy.exact[i] if policy.exact is not None else None
                share = share_text(p) if isinstance(solution, Learned) else exact_or_decimal(exact, p)
                parts.append(f"{action_of(mdp, i)} {share}")
        return ", ".join(parts)
    row = int(policy.rows[state])
    names = [action_of(mdp, row)]
    if solution.task == "control" and solution.optimal_actions is not None:
        keep = solution.optimal_actions if t is None else solution.optimal_actions[t]
        names += [action_of(mdp, i) for i in mdp.rows(state) if keep[i] and i != row]
    if len(names) > 6:
        names[5:] = [f"{len(names) - 5} more"]
    return f" {tie_sign(solution)} ".join(names)


def action_changes(solution: Solution) -> NDArray[Any] | None:
    """The states whose action is another than that of the state before; None where there is nothing to choose."""
    policy, mdp = solution.policy, solution.mdp
    if policy is None or policy.rows is None or policy.timed or mdp.A < 2:
        return None
    action = np.where(policy.rows >= 0, mdp.pair_action[policy.rows], -1)
    return np.flatnonzero(np.diff(action)) + 1


def tied_states(mdp: MDP, keep: NDArray[np.bool_]) -> NDArray[Any]:
    """The states that have several actions not proven worse."""
    live = np.flatnonzero(np.diff(mdp.pair_ptr) > 0)
    return live[np.add.reduceat(keep, mdp.pair_ptr[live].astype(np.intp)) > 1] if live.size else live


def taken(solution: Solution, t: int, row: int) -> str:
    """The probability of an action under the policy, and whether another action may be as good as it.

    Parameters
    ----------
    solution : an answer
    t : the time step, not looked at where there is no horizon
    row : of the action, from 0 to L - 1

    Returns
    -------
    The probability as text. For an action not taken "= as good" or "≈ as good" where it is not proven worse, else "".
    """
    policy = solution.policy
    if policy is None:
        return ""
    now = policy.at(t) if policy.timed else policy
    p = share_text(float(now.weights[row])) if now.weights[row] > 0 else ""
    keep = solution.optimal_actions
    if solution.task != "control" or keep is None or p:
        return p
    kept = bool((keep if keep.ndim == 1 else keep[t])[row])
    return f"{tie_sign(solution)} as good" if kept else ""
