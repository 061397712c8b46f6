"""Dictionaries in JSON that this package wrote: beside P stands how numbers are meant, and which states end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from tabular_rl.errors import Fault, ModelError, kind_text, quoted
from tabular_rl.formats.fields import Asked
from tabular_rl.formats.importers.dictionary import FORM, Outcome, entries_of, named_entries
from tabular_rl.formats.importers.exports import by_pair, layout_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.outcomes import arrays_of_outcomes
from tabular_rl.model.rationals import as_fraction, nearest

KEYS = ("numbers", "rewards", "states", "actions", "terminal", "final_reward", "layout")
CHOICES = {"numbers": ("exact", "float64"), "rewards": ("outcome", "pair")}


def own_model(top: dict[str, Any], gamma: Any, options: dict[str, Any], asked: Asked) -> MDP:
    """Return the model of a JSON object that `dictionary_write.py` made.

    Parameters
    ----------
    top : the object; numbers are texts, as they are spelled
    gamma : the discount, as it is spelled or asked for
    options : horizon, sense, name, source, normalize
    asked : what the caller asks for in place of what the file says

    Returns
    -------
    MDP

    Raises
    ------
    ModelError : what is wrong, with state and action
    """
    for key, choices in CHOICES.items():
        if top.get(key, choices[0]) not in choices:
            raise ModelError(f"{key}: found {kind_text(top[key])}, expected {' or '.join(choices)}")
    floats = top["numbers"] == "float64"
    states, actions = _names(top, "states"), _names(top, "actions")
    ends = _names(top, "terminal") if asked.terminal is None else list(asked.terminal)
    number = _float if floats else as_fraction
    outcomes = list(_outcomes(top["P"], set(ends), number, asked.terminal is None))
    if floats and isinstance(gamma, str) and "/" not in gamma:
        gamma = _float(gamma)
    if "final_reward" in top:
        options = options | {"final_reward": _by_state(top, "final_reward", number)}
    if "layout" in top:
        options = options | {"layout": layout_of(top["layout"])}
    start = _by_state(top, "start", number) if "start" in top else None
    arrays = arrays_of_outcomes(outcomes, gamma, ends, states, actions, start, options)
    if floats and not outcomes:
        arrays["exact"] = None
        arrays["final_reward"] = (
            None if arrays["final_reward"] is None else np.asarray(arrays["final_reward"])
        )
    return MDP.from_rows(**(by_pair(arrays) if top.get("rewards") == "pair" else arrays))


def _float(text: Any) -> float:
    return nearest(as_fraction(text))


def _names(top: Mapping[str, Any], key: str) -> list[str]:
    """Return a list of distinct names."""
    found = top.get(key)
    if not isinstance(found, list) or not all(isinstance(x, str) for x in found):
        raise ModelError(f"{key}: found {kind_text(found)}, expected a list of names")
    seen: set[str] = set()
    for name in found:
        if name in seen:
            raise ModelError(f"{key}: found {quoted(name)} twice, expected distinct names")
        seen.add(name)
    return found


def _by_state(top: Mapping[str, Any], key: str, number: Callable[[Any], Fraction | float]) -> dict[str, Any]:
    """Return numbers by state; one state by its name is the number 1."""
    found = top[key]
    if isinstance(found, str):
        found = {found: "1"}
    if not isinstance(found, dict):
        raise ModelError(f"{key}: found {kind_text(found)}, expected {{state: number}}")
    return {name: _checked(x, key, number, Fault("", name)) for name, x in found.items()}


def _checked(x: Any, what: str, number: Callable[[Any], Fraction | float], place: Fault) -> Fraction | float:
    try:
        if isinstance(x, bool):
            raise ValueError
        return number(x)
    except (ValueError, TypeError, OverflowError, ModelError):
        found = f"found {what} {kind_text(x)}, expected a number"
        raise ModelError(Fault(found, place.state, place.action, place.next_state)) from None


def _outcomes(P: Any, ends: set[str], number: Callable[[Any], Any], told: bool) -> Iterator[Outcome]:
    """Yield the outcomes of states that do not end; `told`: done must be as the file says of the next state."""
    for s, choices in named_entries(P, FORM, "P"):
        if s in ends:
            continue
        for a, outcomes in named_entries(
            choices, "{action: [(p, next state, reward, done)]}", "the actions", state=s
        ):
            for e in entries_of(outcomes, s, a):
                if told and e.done != (e.to in ends):
                    found = f"found done {str(e.done).lower()}, expected it to be as `terminal` says of the next state"
                    raise ModelError(Fault(found, s, a, e.to))
                place = Fault("", s, a, e.to)
                p, reward = (
                    _checked(x, what, number, place)
                    for what, x in (("probability", e.p), ("reward", e.reward))
                )
                yield s, a, e.to, p, reward
