"""What stands beside P and R in a file of arrays: texts, numbers, names, the start, and which states end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import ModelError, closest, kind_text, quoted
from tabular_rl.model.blocks import is_stack


def text_of(given: Mapping[str, Any], key: str) -> str | None:
    """Return a text, None where there is none."""
    x = given.get(key)
    if x is None:
        return None
    if isinstance(x, np.ndarray) and x.size == 1:
        x = x.ravel()[0]
    if not isinstance(x, str):
        raise ModelError(f"{key}: found {kind_text(x)}, expected a text")
    return str(x)


def number_of(given: Mapping[str, Any], key: str) -> Any:
    """Return a number, None where there is none."""
    x = given.get(key)
    if isinstance(x, np.ndarray):
        if x.size != 1:
            raise ModelError(f"{key}: found {x.size} entries, expected one number")
        x = x.ravel()[0]
    return x.item() if isinstance(x, np.generic) else x


def whole_of(given: Mapping[str, Any], key: str) -> int | None:
    """Return a whole number, None where there is none."""
    x = number_of(given, key)
    if isinstance(x, str) and re.fullmatch("[0-9]{1,18}", x):
        return int(x)
    if x is None or (isinstance(x, (int, float)) and not isinstance(x, bool) and float(x).is_integer()):
        return None if x is None else int(x)
    raise ModelError(f"{key}: found {kind_text(x)}, expected a whole number")


def first_of(given: Mapping[str, Any], first: int) -> int:
    """Return from where numbers of states count: what the file says, or `first`."""
    found = whole_of(given, "first_index")
    if found not in (None, 0, 1):
        raise ModelError(f"first_index: found {found}, expected 0 or 1")
    return first if found is None else found


def names_of(given: Mapping[str, Any], key: str, size: int, first: int) -> list[str] | None:
    """Return names: those that are given, or numbers from `first` on; None for numbers from 0.

    Parameters
    ----------
    given : what was found, by role
    key : "states" or "actions"
    size : how many there are
    first : from where their numbers count

    Returns
    -------
    The names, or None.

    Raises
    ------
    ModelError : something else than texts
    """
    found = given.get(key)
    if found is None:
        return None if first == 0 else [str(i + first) for i in range(size)]
    if isinstance(found, np.ndarray):
        found = list(found.ravel())
    found = [x.ravel()[0] if isinstance(x, np.ndarray) and x.size == 1 else x for x in found]
    if not isinstance(found, list) or not all(isinstance(x, str) for x in found):
        raise ModelError(f"{key}: found {kind_text(found)}, expected a list of names")
    return [str(x) for x in found]


def start_of(given: Mapping[str, Any], S: int) -> Any:
    """Return the start, a probability for each state; None where there is none."""
    found = given.get("start")
    if found is None:
        return None
    try:
        if is_stack(found):
            found = found.toarray()
        values = np.asarray(found, dtype=np.float64).ravel()
    except (ValueError, TypeError):
        raise ModelError(f"start: found {kind_text(found)}, expected a probability for each state") from None
    if len(values) != S:
        raise ModelError(f"start: found {len(values)} numbers, expected {S}, a probability for each state")
    return values


def ends_of(
    given: Mapping[str, Any],
    asked: Iterable[str] | None,
    S: int,
    states: list[str] | None,
    told: bool,
    first: int,
) -> NDArray[np.bool_]:
    """Return which states end.

    Parameters
    ----------
    given : what was found, by role; `terminal` is a mask, or numbers of states
    asked : names of states that the caller asks for in its place
    S, states : how many states there are, and their names
    told, first : whether it is known from where numbers count, and from where

    Returns
    -------
    Mask (S,).

    Raises
    ------
    ModelError : no such state, or numbers of which nobody says from where they count
    """
    ends = np.zeros(S, dtype=bool)
    if asked is not None:
        names = states or list(map(str, range(S)))
        for s in asked:
            if s not in names:
                raise ModelError(f"terminal: no such state {quoted(s)}{closest(s, names[:1000])}")
            ends[names.index(s)] = True
        return ends
    found = given.get("terminal")
    if found is None:
        return ends
    array = np.asarray(found.toarray() if is_stack(found) else found).ravel()
    if _is_mask(array, S):
        if array.size != S:
            raise ModelError(f"terminal: found {array.size} entries, expected {S}, one a state")
        return array.astype(bool)
    ends[_places(array, S, told, first)] = True
    return ends


def _is_mask(array: NDArray[Any], S: int) -> bool:
    """Whether entries are truth values: .mat files keep these as uint8, and other programs as 0 and 1."""
    if array.dtype.kind == "b" or (array.dtype == np.uint8 and array.size == S):
        return True
    return array.dtype.kind in "iuf" and array.size == S and S > 1 and not set(array.tolist()) - {0, 1}


def _places(array: NDArray[Any], S: int, told: bool, first: int) -> NDArray[np.int64]:
    """Return the indices of states that are numbered from `first` on."""
    if array.size and (array.dtype.kind not in "iuf" or not (array == np.floor(array)).all()):
        found = f"entries such as {quoted(array[0])}"
        raise ModelError(
            f"terminal: found {found}, expected a truth value for each state, or numbers of states"
        )
    if array.size and not told:
        what = "terminal: found numbers, which may count from 0 or from 1"
        raise ModelError(f"{what}. Say --arrays first_index=0 or --arrays first_index=1")
    wrong = (array < first) | (array >= S + first)
    if wrong.any():
        raise ModelError(f"terminal: found {array[wrong][0]}, expected {first} to {S - 1 + first}")
    return array.astype(np.int64) - first
