"""A model as the arrays that other tools take. What they cannot hold is refused, with the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError
from tabular_rl.formats.importers.dictionary_write import to_dictionary
from tabular_rl.formats.memory import require
from tabular_rl.model.mdp import MDP


def export(tool: str, mdp: MDP, *options: Any) -> Any:
    """Return what a tool takes: "dictionary", "toolbox" or "quantecon"."""
    made: dict[str, Callable[..., Any]]
    made = {"dictionary": to_dictionary, "toolbox": to_toolbox, "quantecon": to_quantecon}
    return made[tool](mdp, *options)


def to_toolbox(mdp: MDP, sparse: bool) -> tuple[Any, Any, float]:
    """Return P, R and the discount for pymdptoolbox.

    Parameters
    ----------
    mdp : the model
    sparse : whether matrices are sparse

    Returns
    -------
    (P, R, discount): P (A, S, S) or a list of (S, S); R (S, A) or as P.

    Raises
    ------
    ModelError : what the toolbox cannot hold
    """
    _check(mdp, "pymdptoolbox")
    pair = _missing_pair(mdp)
    if pair is not None:
        what = "found an unavailable action, which pymdptoolbox cannot hold: to_quantecon marks it with a reward -inf"
        raise ModelError(Fault(what, *pair))
    state, action, to = mdp.pair_state[mdp.outcome_row], mdp.pair_action[mdp.outcome_row], mdp.next_state
    reward = mdp.outcome_reward
    single = bool((reward == mdp.r[mdp.outcome_row]).all())  # one reward a pair, to the bit
    if not single:
        _check_single(mdp)
    ends = np.flatnonzero(mdp.terminal)
    P = _sheets(mdp, (state, action, to, mdp.prob), ends, sparse)
    if single:
        R = mdp.table(mdp.r, 0.0)
    else:
        R = _sheets(mdp, (state, action, to, reward), ends[:0], sparse)
    return P, R, mdp.gamma


def to_quantecon(mdp: MDP, sparse: bool) -> tuple[Any, ...]:
    """Return R, Q and beta for QuantEcon's DiscreteDP, and with `sparse` s_indices and a_indices.

    Parameters
    ----------
    mdp : the model
    sparse : whether it is the form of state-action pairs

    Returns
    -------
    (R, Q, beta) or (R, Q, beta, s_indices, a_indices)

    Raises
    ------
    ModelError : what QuantEcon cannot hold
    """
    _check(mdp, "QuantEcon")
    if not (mdp.outcome_reward == mdp.r[mdp.outcome_row]).all():
        i = int(mdp.outcome_row[np.flatnonzero(mdp.outcome_reward != mdp.r[mdp.outcome_row])[0]])
        what = "found rewards that depend on the next state, which QuantEcon cannot hold: "
        what += "mdp.replace(r=mdp.r) averages them"
        raise ModelError(Fault(what, mdp.states[mdp.state_of_row(i)], mdp.actions[int(mdp.pair_action[i])]))
    ends = np.flatnonzero(mdp.terminal)
    if not sparse:
        require(8 * mdp.S * mdp.S * mdp.A, "to_quantecon(sparse=True) needs less.")
        Q = np.zeros((mdp.S, max(mdp.A, 1), mdp.S))
        np.add.at(
            Q, (mdp.pair_state[mdp.outcome_row], mdp.pair_action[mdp.outcome_row], mdp.next_state), mdp.prob
        )
        Q[ends, :, ends] = 1.0
        R = np.full((mdp.S, max(mdp.A, 1)), -np.inf)
        R[mdp.pair_state, mdp.pair_action] = mdp.r
        R[ends] = 0.0
        return R, Q, mdp.gamma
    from scipy.sparse import csr_array, vstack

    one = (np.ones(len(ends)), (np.arange(len(ends)), ends))
    rows = csr_array(vstack([mdp.P, csr_array(one, shape=(len(ends), mdp.S))]))
    s = np.concatenate([mdp.pair_state, ends]).astype(np.int64)
    a = np.concatenate([mdp.pair_action, np.zeros(len(ends), dtype=np.int64)]).astype(np.int64)
    order = np.lexsort((a, s))
    return np.concatenate([mdp.r, np.zeros(len(ends))])[order], rows[order], mdp.gamma, s[order], a[order]


def _check(mdp: MDP, tool: str) -> None:
    """Raise where a model has what is no array of either tool."""
    if mdp.horizon is not None:
        way_out = "mdp.replace(horizon=None) leaves it out, and the tool is told of it apart"
        raise ModelError(
            f"found a horizon of {mdp.horizon} decisions, which arrays for {tool} cannot hold: {way_out}"
        )
    if mdp.sense == "min":
        way_out = 'mdp.replace(r=-mdp.r, sense="max") makes rewards of them'
        raise ModelError(f"found costs, which {tool} cannot hold: {way_out}")
    if mdp.L == 0:
        raise ModelError(f"found no state with actions, which {tool} cannot hold")


def _missing_pair(mdp: MDP) -> tuple[str, str] | None:
    """Return the first state and action that is unavailable."""
    counts = np.diff(mdp.pair_ptr)
    short = np.flatnonzero((counts < mdp.A) & ~mdp.terminal)
    if not short.size:
        return None
    s = int(short[0])
    there = set(mdp.pair_action[mdp.pair_ptr[s] : mdp.pair_ptr[s + 1]].tolist())
    return mdp.states[s], mdp.actions[next(a for a in range(mdp.A) if a not in there)]


def _check_single(mdp: MDP) -> None:
    """Raise where an action has two rewards for one next state."""
    key = mdp.outcome_row * mdp.S + mdp.next_state
    order = np.lexsort((mdp.outcome_reward, key))
    key, reward = key[order], mdp.outcome_reward[order]
    twice = np.flatnonzero((key[1:] == key[:-1]) & (reward[1:] != reward[:-1]))
    if twice.size:
        i, to = divmod(int(key[twice[0]]), mdp.S)
        place = mdp.states[mdp.state_of_row(i)], mdp.actions[int(mdp.pair_action[i])], mdp.states[to]
        what = "found two rewards of one transition, which pymdptoolbox cannot hold: mdp.replace(r=mdp.r) averages them"
        raise ModelError(Fault(what, *place))


def _sheets(mdp: MDP, entries: tuple[Any, Any, Any, Any], ends: NDArray[Any], sparse: bool) -> Any:
    """Return (A, S, S) or a list of sparse matrices; the states `ends` lead to themselves."""
    state, action, to, values = entries
    A = mdp.A
    if not sparse:
        require(8 * A * mdp.S * mdp.S, "to_toolbox(sparse=True) needs less.")
        made = np.zeros((A, mdp.S, mdp.S))
        if values is mdp.prob:
            np.add.at(made, (action, state, to), values)
        else:
            made[action, state, to] = values
        made[:, ends, ends] = 1.0
        return made
    from scipy.sparse import csr_matrix

    matrices = []
    for a in range(A):
        own = action == a
        rows = np.concatenate([state[own], ends])
        columns = np.concatenate([to[own], ends])
        given = np.concatenate([values[own], np.ones(len(ends))])
        if values is not mdp.prob:  # of a transition that stands twice the reward is the same
            keep = np.unique(rows * mdp.S + columns, return_index=True)[1]
            rows, columns, given = rows[keep], columns[keep], given[keep]
        matrices.append(csr_matrix((given, (rows, columns)), shape=(mdp.S, mdp.S)))
    return matrices
