"""A finite-horizon problem as one without a horizon, whose states are (time, state)."""

from __future__ import annotations

import numpy as np

from tabular_rl.errors import NotAnswerable, OptionError
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import size_text
from tabular_rl.model.policy import Policy

MOST = 2**28  # outcomes of an unrolled model


def unroll(mdp: MDP) -> MDP:
    """Return the model whose state t S + s is s at time t = 0 ... T; row t L + i is row i at time t.

    The values of time T are the end: they are paid as a final reward on the way there, γ final(s'), and the states of
    time T are terminal. So every method for models without a horizon solves it, with a table for each time.

    >>> mdp = MDP([[[1.0]]], [[1.0]], 1, horizon=3)
    >>> unroll(mdp)
    MDP(states=4, actions=1, pairs=3, outcomes=3, gamma=1)
    """
    T, S, L, K = mdp.horizon, mdp.S, mdp.L, mdp.K
    if T is None:
        raise OptionError("unroll: found a model without a horizon, expected one with")
    if T * max(K, S) > MOST:
        raise OptionError(
            f"horizon: found {T}; one table a time step takes {size_text(24 * T * max(K, S))}, more than is allowed. "
            "Methods of planning take it."
        )
    time = np.arange(T)
    last = np.full(S, L * T)
    next_state = np.concatenate([mdp.next_state.astype(np.int64) + (t + 1) * S for t in range(T)])
    reward, r = mdp.reward, np.tile(mdp.r, T)
    outcomes = None if reward is None else np.tile(reward, T)
    if mdp.final_reward is not None:
        if reward is None:
            outcomes = np.tile(np.repeat(mdp.r, np.diff(mdp.row_ptr)), T)
        assert outcomes is not None
        outcomes[(T - 1) * K :] += mdp.gamma * mdp.final_reward[mdp.next_state]
    return MDP.from_rows(
        pair_ptr=np.concatenate([(mdp.pair_ptr[:-1] + t * L) for t in range(T)] + [last, [L * T]]),
        pair_action=np.tile(mdp.pair_action, T),
        row_ptr=np.append((mdp.row_ptr[:-1][None] + time[:, None] * K).ravel(), K * T),
        next_state=next_state,
        prob=np.tile(mdp.prob, T),
        reward=outcomes,
        r=r if outcomes is None else None,
        gamma=mdp.gamma_exact,
        terminal=np.append(np.tile(mdp.terminal, T), np.ones(S, dtype=bool)),
        start=np.append(mdp.start, np.zeros(T * S)),
        actions=mdp.actions,
        sense=mdp.sense,
        name=mdp.name,
        source=mdp.source,
        origin=mdp.origin,
        copy=False,
    )


def check_untimed(mdp: MDP, what: str) -> None:
    """Raise NotAnswerable where a model has a finite horizon, for what knows no time."""
    if mdp.problem.timed:
        raise NotAnswerable(
            f"{what}: found a model with a finite horizon, expected one without. unroll(mdp) makes one."
        )


def unroll_policy(policy: Policy, unrolled: MDP) -> Policy:
    """Return a policy, whether it depends on time or not, as one of the unrolled model."""
    mdp = policy.mdp
    T = mdp.horizon or 0
    weights = policy.weights if policy.timed else np.tile(policy.weights, (T, 1))
    if policy.rows is None:
        return Policy(unrolled, probs=weights.ravel())
    rows = np.full((T + 1, mdp.S), -1, dtype=np.int64)
    rows[:T] = policy.rows
    rows[:T][rows[:T] >= 0] += np.repeat(np.arange(T) * mdp.L, (rows[:T] >= 0).sum(axis=1))
    return Policy(unrolled, rows=rows.ravel())


def state_name(mdp: MDP, unrolled: MDP, s: int) -> str:
    """The name of a state of the unrolled model, or of the model itself.

    Parameters
    ----------
    mdp : the model
    unrolled : what `unroll` makes of it, or the model itself
    s : index of a state of `unrolled`

    Returns
    -------
    The name, with its time where the model is unrolled.

    Examples
    --------
    >>> mdp = MDP([[[1.0]]], [[1.0]], 1, horizon=3)
    >>> state_name(mdp, unroll(mdp), 2)
    '0 at time 2'
    """
    if unrolled is mdp:
        return mdp.states[s]
    return f"{mdp.states[s % mdp.S]} at time {s // mdp.S}"
