"""P and R as nested lists in JSON, as json.dump of Python or JSON.jl of Julia write arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tabular_rl.errors import ModelError, kind_text
from tabular_rl.formats.fields import Asked
from tabular_rl.formats.importers.named_arrays import NAMES, ROLE, model_of_arrays
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rationals import as_fraction, nearest

NUMBERS = ("P", "R", "start")
INFINITE = "Infinity"  # as json.dump of Python writes it, and as it is spelled when it is read


def model_of_lists(top: dict[str, Any], asked: Asked) -> MDP:
    """Return the model of P and R as nested lists; ModelError with what is wrong.

    Parameters
    ----------
    top : the object; numbers are texts, as they are spelled
    asked : what the caller asks for in place of what the file says

    Returns
    -------
    MDP

    Raises
    ------
    ModelError : the key that is wrong
    """
    meant = {name: role for role, name in (asked.arrays or {}).items() if role in NAMES}
    found = {key: _value(key, x, meant.get(key, ROLE.get(key)), top) for key, x in top.items()}
    return model_of_arrays(found, asked, column_major=True)


def _value(key: str, x: Any, role: str | None, top: dict[str, Any]) -> Any:
    if role in NUMBERS:
        try:
            return np.array(_floats(x, role == "R"), dtype=np.float64)
        except TypeError:
            hint = (
                ". If it is the reward of an action that is unavailable, set its row of P to zero"
                if role == "R"
                else ""
            )
            raise ModelError(f"{key}: found {_odd(x)}, expected numbers{hint}") from None
        except (ValueError, OverflowError):
            raise ModelError(f"{key}: found no rectangular array of numbers, expected one") from None
    if role == "terminal" and isinstance(x, list):
        names: list[Any] = next(
            (top[name] for name in NAMES["states"] if isinstance(top.get(name), list)), []
        )
        if x and all(isinstance(s, str) and s in names for s in x):
            return np.array([s in x for s in names])
        if all(isinstance(s, str) and s.isdigit() and len(s) < 19 for s in x):
            return np.array([int(s) for s in x], dtype=np.int64)
    return x


def _floats(x: Any, infinite: bool) -> Any:
    """Return nested lists of texts as nested lists of floats, which may be `infinite`."""
    if isinstance(x, list):
        return [_floats(entry, infinite) for entry in x]
    if infinite and x in (INFINITE, f"-{INFINITE}"):
        return -math.inf if x[0] == "-" else math.inf
    if not isinstance(x, str):
        raise TypeError
    return nearest(as_fraction(x))


def _odd(x: Any) -> str:
    while isinstance(x, list):
        x = next((entry for entry in x if not isinstance(entry, str)), None)
    return "null" if x is None else kind_text(x)
