"""What logs in CSV and npz have in common: their columns, and how codes of names become transitions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import closest
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names
from tabular_rl.model.transitions import Ints, Transitions

COLUMNS = ("state", "action", "reward", "next_state", "done")
NONE = "found no transitions, expected at least one"
DIGITS = re.compile("([0-9]+)")


def ordered(texts: Iterable[str]) -> tuple[Names, Ints]:
    """Names in an order that does not depend on the log, numbers in them by size, and where each text stands in it."""
    listed = list(texts)
    order = sorted(range(len(listed)), key=lambda i: _natural(listed[i]))
    place = np.empty(len(listed), dtype=np.int64)
    place[order] = np.arange(len(listed))
    return Names([listed[i] for i in order]), place


def _natural(text: str) -> tuple[Any, ...]:
    """Return what a name is ordered by: its texts as they are, its numbers by size.

    >>> sorted(["r10", "r9", "a", "r09"], key=_natural)
    ['a', 'r09', 'r9', 'r10']
    """
    parts: list[Any] = DIGITS.split(text)
    parts[1::2] = [(len(x.lstrip("0")), x.lstrip("0")) for x in parts[1::2]]
    return parts, text


def begins_of(done: NDArray[np.bool_], changed: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Where an episode begins (N,): at first, after `done`, and where the episode has `changed` (N,)."""
    begins = np.concatenate([[True], done[:-1]])
    return begins if changed is None else begins | changed


def rows_of(mdp: MDP, s: Ints, a: Ints) -> Ints:
    """Return the row of each pair (N,), -1 where it is not available.

    Parameters
    ----------
    mdp : the model
    s, a : indices of states and actions (N,)

    Returns
    -------
    Rows (N,), from 0 to L - 1, or -1.
    """
    A = max(mdp.A, 1)
    pairs = mdp.pair_state.astype(np.int64) * A + mdp.pair_action
    wanted = s * A + a
    at = np.minimum(np.searchsorted(pairs, wanted), max(mdp.L - 1, 0))
    return np.where(pairs[at] == wanted, at, -1) if mdp.L else np.full(len(s), -1)


def missing(mdp: MDP, state: str, action: str, hint: bool = True) -> str | None:
    """Why a pair is not one of the model, or None.

    Parameters
    ----------
    mdp : the model
    state, action : their names
    hint : name the closest state or action, which takes time

    Returns
    -------
    What is wrong, for a message; None where the pair is available.
    """
    s, a = mdp.states.find(state), mdp.actions.find(action)
    if s is None:
        return f"no such state{closest(state, mdp.states) if hint else ''}"
    if mdp.terminal[s]:
        return "found a transition from a terminal state, expected none"
    if a is None:
        return f"no such action{closest(action, mdp.actions) if hint else ''}"
    if not any(mdp.pair_action[i] == a for i in mdp.rows(s)):
        return "not available in the model"
    return None


def columns_of(transitions: Transitions) -> dict[str, NDArray[Any]]:
    """Return what a log says, states and actions as indices of the model, in the order in which it is written.

    `episode` counts up where the next action is not known, so that reading the log gives the same transitions.
    """
    mdp, row = transitions.mdp, transitions.row
    ended = transitions.done | (transitions.next_row < 0)
    columns: dict[str, NDArray[Any]] = {
        "episode": np.concatenate([[1], 1 + np.cumsum(ended[:-1])]).astype(np.int64),
        "state": mdp.pair_state[row],
        "action": mdp.pair_action[row],
        "reward": transitions.reward,
        "next_state": transitions.next_state,
        "done": transitions.done,
    }
    if transitions.propensity is not None:
        columns["propensity"] = transitions.propensity
    return columns
