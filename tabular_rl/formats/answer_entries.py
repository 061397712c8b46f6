"""What the files of answers have in common: numbers and actions by the names of states."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, closest, quoted
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import DECIMAL, fraction, nearest

Floats = NDArray[np.float64]
A_MODEL = (
    "found a model, expected an answer or a policy: a value or an action for each state, as "
    "`tabular-rl solve MODEL -o answer.json` writes"
)
EMPTY = "empty, expected an answer (JSON or CSV)"
CLAIMS = (
    "status",
    "start_value",
    "optimal_actions",
    "proven_optimal",
)  # of an answer, which nobody reads back


@dataclass(frozen=True)
class Answer:
    """What an answer file says, in the order of the model's states and in its sign.

    `values`, `lower` and `upper` are (S,), or (T + 1, S) for a finite horizon; None where the file is silent. `task` is
    "prediction" where the values are meant as those of the policy. `exact` are the fractions, in the order of `values`,
    and `claims` the names of the other claims that the file makes; `beside` (S,) what the problem has beside values.
    """

    values: Floats | None
    lower: Floats | None = None
    upper: Floats | None = None
    policy: Policy | None = None
    task: str = "control"
    digest: str | None = None
    exact: tuple[Fraction, ...] | None = None
    bound: float | None = None
    claims: tuple[str, ...] = ()
    beside: Mapping[str, Floats] = field(default_factory=dict)


class Table:
    """Numbers by state, and by time step where there is a horizon, as they are read."""

    def __init__(self, mdp: MDP) -> None:
        self.mdp = mdp
        steps = (mdp.horizon or 0) + 1
        size = steps * mdp.S * 8
        if size > 1 << 34:
            raise ModelError(
                f"{steps} time steps of {mdp.S} states: found {size >> 30} GB of values, the limit is 16 GB"
            )
        self.array = np.full((steps, mdp.S), math.nan)

    def done(self, what: str) -> Floats:
        """Return the array, complete; terminal states may be left out."""
        mdp = self.mdp
        if not mdp.problem.timed:
            self.array[:, mdp.terminal & np.isnan(self.array[0])] = 0.0
        elif mdp.final_reward is None:
            self.array[-1][np.isnan(self.array[-1])] = 0.0
        missing = np.argwhere(np.isnan(self.array))
        if len(missing):
            names = ", ".join(quoted(mdp.states[int(s)]) for _, s in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise ModelError(f"found no {what} for {names}{more}, expected one for each of {self.array.size}")
        return self.array.reshape(mdp.problem.shape(mdp))


def state_of(mdp: MDP, name: Any, line: int | None = None) -> int:
    """Return the index of a state that an answer names; ModelError where the model has none of that name.

    Parameters
    ----------
    mdp : the model
    name : as the answer spells it
    line : of the file, for the message

    Returns
    -------
    The index of the state, from 0.

    Raises
    ------
    ModelError : the model has no such state, or the name is empty
    """
    at = mdp.states.find(str(name))
    if at is None and name == "":
        raise ModelError(Fault("state: found an empty cell, expected the name of a state", line=line))
    if at is None:
        hint = closest(str(name), mdp.states[:10_000])
        raise ModelError(Fault(f"no such state in the model{hint}", str(name), line=line))
    return at


def number_of(text: Any, place: Mapping[str, Any], what: str = "value", empty: float | None = None) -> float:
    """Return the double nearest to a number as it is spelled; `empty` where there is none.

    Parameters
    ----------
    text : the number, or as it is spelled, a decimal or a fraction; None or "" where there is none
    place : state, action or line, for the message
    what : what messages call the number
    empty : what counts where there is no number; None where there must be one

    Returns
    -------
    The nearest double.

    Raises
    ------
    ModelError : no number where one is needed, or no finite number
    """
    if text is None or text == "":
        if empty is not None:
            return empty
        raise ModelError(Fault(f"found no {what}, expected a number", **place))
    if type(text) in (int, float) and (math.isfinite(text) or text == empty):
        return float(text)
    if isinstance(text, str):
        try:
            if DECIMAL.fullmatch(text):
                number = float(text)
                if math.isfinite(number):
                    return number
            return nearest(fraction(text))
        except (ValueError, OverflowError):
            pass
    raise ModelError(Fault(f"found {what} {quoted(text)}, expected a finite number", **place))


def add_action(
    policy: dict[str, Any], mdp: MDP, s: int, action: Any, p: Any, place: Mapping[str, Any]
) -> None:
    """Add the probability of an action in a state to a policy; ModelError where the action is not available there.

    Parameters
    ----------
    policy : {state: action, or {action: probability}} by name, changed in place
    mdp : the model
    s : index of the state
    action : its name
    p : its probability as it is spelled; None for the only action of the state
    place : state or line, for the message

    Raises
    ------
    ModelError : the action is not available in the state, or has a probability already
    """
    a = mdp.actions.find(str(action))
    if a is None or a not in mdp.pair_action[mdp.pair_ptr[s] : mdp.pair_ptr[s + 1]]:
        known = [mdp.actions[int(mdp.pair_action[i])] for i in mdp.rows(s)]
        expected = ", ".join(map(quoted, known[:8])) or "none, since the state is terminal"
        expected = f"one of {expected}" if len(known) > 1 else expected
        raise ModelError(Fault(f"found action {quoted(action)}, expected {expected}", **place))
    state = mdp.states[s]
    if p is None:
        policy[state] = str(action)
        return
    row = policy.setdefault(state, {})
    if str(action) in row:
        raise ModelError(Fault(f"found action {quoted(action)} twice, expected once", **place))
    row[str(action)] = p


def policy_of_entries(mdp: MDP, policies: Mapping[int, Mapping[str, Any]], timed: bool) -> Policy:
    """Return the policy of entries {time: {state: action, or {action: probability}}}.

    Parameters
    ----------
    mdp : the model
    policies : the entries, by name of state and action; those of time 0 alone where the policy does not depend on time
    timed : the policy has actions of its own at each of the T time steps

    Returns
    -------
    Policy with rows (S,) or (T, S) where actions are named without probabilities, otherwise with probabilities (L,) or
    (T, L).
    """

    def made_at(t: int) -> Policy:
        entries = policies.get(t, {})
        named = all(isinstance(x, str) for x in entries.values())
        return Policy.of_actions(mdp, entries) if named else Policy.of_probs(mdp, entries)

    if not timed:
        return made_at(0)
    made = [made_at(t) for t in range(mdp.horizon or 0)]
    if all(p.rows is not None for p in made):
        return Policy(mdp, rows=np.stack([p.rows for p in made if p.rows is not None]))
    return Policy(mdp, probs=np.stack([p.weights for p in made]))
