"""What the observations and actions of an environment are called in its model, and how they are counted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tabular_rl.errors import escape
from tabular_rl.model.functions import name_of

Key = int | tuple[int, ...]
FINITE = "Discrete, MultiDiscrete, MultiBinary or a Tuple of Discrete"


def _cell(inner: Any, s: int) -> str:
    _, columns = shape_of(inner) or (1, 1)
    return f"{s // columns},{s % columns}"


def _taxi(_inner: Any, s: int) -> str:
    rest, to = divmod(s, 4)
    rest, at = divmod(rest, 5)
    row, column = divmod(rest, 5)
    return f"{row}:{column} {('R', 'G', 'Y', 'B', 'taxi')[at]} to {'RGYB'[to]}"


# By the class of the environment; subclasses have the names of the classes they are made of.
STATES: dict[str, Callable[[Any, int], str]] = {
    "FrozenLakeEnv": _cell,
    "CliffWalkingEnv": _cell,
    "TaxiEnv": _taxi,
}
ACTIONS: dict[str, Callable[[Any, int], str]] = {
    "FrozenLakeEnv": lambda _, a: ("left", "down", "right", "up")[a],
    "CliffWalkingEnv": lambda _, a: ("up", "right", "down", "left")[a],
    "TaxiEnv": lambda _, a: ("south", "north", "east", "west", "pickup", "dropoff")[a],
    "BlackjackEnv": lambda _, a: ("stick", "hit")[a],
}
CELLS = None  # as many states as the map has cells
SIZES = {
    "FrozenLakeEnv": (CELLS, 4),
    "CliffWalkingEnv": (CELLS, 4),
    "TaxiEnv": (500, 6),
    "BlackjackEnv": (704, 2),
}


def kind_of(inner: Any) -> str:
    """Return the name of the environment's class that is known, where its sizes fit; else nothing."""
    kind = next((base.__name__ for base in type(inner).__mro__ if base.__name__ in SIZES), "")
    if not kind:
        return ""
    size, actions = SIZES[kind]
    if size is CELLS:
        rows, columns = shape_of(inner) or (0, 0)
        size = rows * columns
    found = [count_of(getattr(inner, f"{what}_space", None)) for what in ("observation", "action")]
    return kind if found == [size, actions] else ""


def shape_of(inner: Any) -> tuple[int, int] | None:
    """Return the rows and columns of an environment's map; None where it has none."""
    shape = getattr(getattr(inner, "desc", None), "shape", None) or getattr(inner, "shape", None)
    if isinstance(shape, tuple) and len(shape) == 2 and all(isinstance(n, (int, np.integer)) for n in shape):
        return int(shape[0]), int(shape[1])
    return None


# -- spaces --------------------------------------------------------------------------------------------------------


def parts_of(space: Any) -> list[range] | None:
    """Return the numbers that each part of a finite space takes; None for a space of another kind."""
    kinds = {base.__name__ for base in type(space).__mro__}
    if "Discrete" in kinds:
        first = int(getattr(space, "start", 0))
        return [range(first, first + int(space.n))]
    if "MultiDiscrete" in kinds and np.ndim(space.nvec) == 1:
        firsts = np.broadcast_to(getattr(space, "start", 0), np.shape(space.nvec)).tolist()
        return [range(first, first + int(n)) for first, n in zip(firsts, space.nvec.tolist(), strict=True)]
    if "MultiBinary" in kinds and len(space.shape) == 1:
        return [range(2)] * int(space.shape[0])
    if "Tuple" in kinds:
        inside = [parts_of(part) for part in space.spaces]
        if all(part is not None and len(part) == 1 for part in inside):
            return [part[0] for part in inside if part is not None]
    return None


def not_finite(env: Any) -> str:
    """Return what is said of the first space of an environment that is not finite; "" where both are."""
    for what in ("observation_space", "action_space"):
        space = getattr(env, what, None)
        if parts_of(space) is None:
            found = escape(" ".join(str(space).split()), 100)
            return f"{what}: found {found}, expected {FINITE}. A wrapper can make few of many"
    return ""


def is_one(space: Any) -> bool:
    """Whether an entry of a finite space is a number, and no tuple of them."""
    return any(base.__name__ == "Discrete" for base in type(space).__mro__)


def count_of(space: Any) -> int | None:
    """Return how many entries a space has; None where it is not finite.

    >>> count_of(object()) is None
    True
    """
    parts = parts_of(space)
    if parts is None:
        n = getattr(space, "n", None)  # of an object that is like a space
        return int(n) if isinstance(n, (int, np.integer)) else None
    count = 1
    for part in parts:
        count *= len(part)
    return count


def entries_of(space: Any) -> Iterator[Key]:
    """Yield the entries of a finite space in their order, as numbers or tuples of them."""
    parts = parts_of(space) or []
    yield from parts[0] if is_one(space) else itertools.product(*parts)


def key_of(entry: Any) -> Key:
    """Return an observation or an action as a number, or as a tuple of numbers.

    >>> key_of(np.int64(3)), key_of(np.array([1, 0])), key_of((13, np.int64(2), True))
    (3, (1, 0), (13, 2, 1))
    """
    if isinstance(entry, (tuple, list)) or (isinstance(entry, np.ndarray) and entry.ndim):
        return tuple(int(x) for x in entry)
    return int(entry)


def state_name(inner: Any, kind: str, key: Key) -> str:
    """Return what an observation is called in the model of its environment.

    Parameters
    ----------
    inner : the environment without wrappers
    kind : its class, as `kind_of` returns it
    key : the observation, as `key_of` returns it

    Returns
    -------
    A name: that of the toy-text environments, else the numbers.
    """
    usual = STATES.get(kind)
    return usual(inner, key) if usual is not None and isinstance(key, int) else name_of(key)


def action_name(inner: Any, kind: str, key: Key) -> str:
    """Return what an action is called in the model of its environment.

    Parameters
    ----------
    inner : the environment without wrappers
    kind : its class, as `kind_of` returns it
    key : the action, as `key_of` returns it

    Returns
    -------
    A name: that of the toy-text environments, else the numbers.
    """
    usual = ACTIONS.get(kind)
    return usual(inner, key) if usual is not None and isinstance(key, int) else name_of(key)
