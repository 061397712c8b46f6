"""Lists of outcomes, column by column: the arrays that they make line by line, in a tenth of the time.

Nothing is told here. A list with a fault, or with names or numbers of other kinds than texts, whole numbers, floats and
fractions, gives None: outcomes.py then reads it line by line, and speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.names import Names
from tabular_rl.model.rationals import INT64, Exact, RationalArray, as_fraction, nearest
from tabular_rl.model.rows import LARGEST, Floats, Ints, mass_defects, rows_off

COLUMNS = ["state", "action", "next_state", "probability", "reward"]
Read = Callable[[Any], str]


class Numbers(NamedTuple):
    """A column of numbers as floats, and as rationals where they are exact."""

    floats: Floats
    exact: RationalArray | None

    def take(self, order: Ints) -> Numbers:
        """Return the numbers at these places."""
        return Numbers(self.floats[order], None if self.exact is None else self.exact.take(order))


class Outcomes(NamedTuple):
    """The names of each column in order of first appearance, their numbers in it, and the numbers."""

    state: tuple[list[str], Ints]
    action: tuple[list[str], Ints]
    next_state: tuple[list[str], Ints]
    prob: Numbers
    reward: Numbers


def listed(outcomes: Any) -> Any:
    """Return outcomes that can be gone through twice: an iterator as a list, all else as it is."""
    plain = isinstance(outcomes, (str, bytes, Mapping, np.ndarray, list, tuple)) or hasattr(
        outcomes, "itertuples"
    )
    return outcomes if plain or not isinstance(outcomes, Iterable) else list(outcomes)


def read_columns(outcomes: Any, name: Read) -> Outcomes | None:
    """Return what a list of (state, action, next state, probability, reward) holds; None where anything is odd.

    Parameters
    ----------
    outcomes : a list of lists or tuples, a matrix of numbers, or a frame
    name : makes the name of a text or number

    Returns
    -------
    Outcomes, exact where no number is a float.
    """
    columns = _columns(outcomes)
    if columns is None:
        return None
    coded = [_coded(column, name) for column in columns[:3]]
    kinds = [set(map(type, column)) for column in columns[3:]]
    exact = not any(issubclass(kind, (float, np.floating)) for kind in set().union(*kinds))
    numbers = [_numbers(column, kind, exact) for column, kind in zip(columns[3:], kinds, strict=True)]
    if None in coded or None in numbers:
        return None
    return Outcomes(*coded, *numbers)  # type: ignore[arg-type]


def _columns(outcomes: Any) -> list[Sequence[Any]] | None:
    if hasattr(outcomes, "itertuples"):
        if sorted(map(str, outcomes.columns)) != sorted(COLUMNS):
            return None
        outcomes = list(outcomes[COLUMNS].itertuples(index=False))
    if isinstance(outcomes, np.ndarray):
        plain = outcomes.ndim == 2 and outcomes.shape[1] == 5 and outcomes.dtype in (np.int64, np.float64)
        return list(outcomes.T.tolist()) if plain else None
    if not isinstance(outcomes, (list, tuple)):
        return None
    if not all(issubclass(kind, (list, tuple)) for kind in set(map(type, outcomes))):
        return None
    return list(zip(*outcomes, strict=True)) if set(map(len, outcomes)) == {5} else None


def _coded(column: Sequence[Any], name: Read) -> tuple[list[str], Ints] | None:
    """Return the different names of a column, and the number of each entry's among them."""
    kinds = set(map(type, column))
    if not all(
        kind in (str, int, float, np.str_, np.float64) or issubclass(kind, np.integer) for kind in kinds
    ):
        return None
    code = dict.fromkeys(column)  # equal entries of these kinds have one name
    if any(x != x for x in code):
        return None
    names: dict[str, int] = {}
    for x in code:
        code[x] = names.setdefault(name(x), len(names))
    return list(names), np.fromiter(map(code.__getitem__, column), np.int64, len(column))


def _numbers(column: Sequence[Any], kinds: set[type], exact: bool) -> Numbers | None:
    """Return a column of numbers; None where one is none."""
    whole = all(kind is int or issubclass(kind, np.integer) for kind in kinds)
    try:
        if whole and exact:
            made = np.array(column)
            if made.dtype == np.int64 and made.min() >= -INT64:
                return Numbers(
                    made.astype(np.float64), RationalArray(made, np.ones(len(made), dtype=np.int64))
                )
        elif all(kind in (int, float, np.float64) or issubclass(kind, np.integer) for kind in kinds):
            return Numbers(np.array(column, dtype=np.float64), None)
        if not all(kind in (int, str, Fraction, Decimal) or issubclass(kind, np.integer) for kind in kinds):
            return None
        code = dict.fromkeys(column)
        values = [as_fraction(x) for x in code]
        code.update(zip(code, range(len(code)), strict=True))
        floats = np.array([nearest(x) for x in values])
    except (ValueError, OverflowError, TypeError):
        return None
    if not exact and any(x and not near for x, near in zip(values, floats.tolist(), strict=True)):
        return None
    order = np.fromiter(map(code.__getitem__, column), np.int64, len(column))
    return Numbers(floats, RationalArray.of(values) if exact else None).take(order)


def arrays_of_columns(
    found: Outcomes, states: Names, actions: Names, ends: NDArray[np.bool_], normalize: bool
) -> dict[str, Any] | None:
    """Return the arrays and exact numbers of MDP.from_rows for the columns of a list; None where anything is wrong.

    Parameters
    ----------
    found : the columns
    states, actions : names of the model, in their order
    ends : mask of the terminal states
    normalize : rows of floats need not sum to 1

    Returns
    -------
    {argument: value}, with outcomes in the order of states and actions, each row's as they were listed.
    """
    index = []
    for (listed_names, codes), names in zip(found[:3], (states, actions, states), strict=True):
        at = [names.find(name) for name in listed_names]
        if None in at:
            return None
        index.append(np.array(at, dtype=np.int64)[codes])
    state, action, to = index
    prob, reward = found.prob, found.reward
    pair = state * len(actions) + action
    if (pair[1:] < pair[:-1]).any():
        order = np.argsort(pair, kind="stable")
        pair, state, action, to = pair[order], state[order], action[order], to[order]
        prob, reward = prob.take(order), reward.take(order)
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    row_ptr = np.append(first, len(pair))
    counts = np.bincount(state[first], minlength=len(states))
    if ((counts > 0) == ends).any() or not _are_right(prob, reward, row_ptr, normalize):
        return None
    return {
        "pair_ptr": np.append(0, np.cumsum(counts)),
        "pair_action": action[first],
        "row_ptr": row_ptr,
        "next_state": to,
        "prob": prob.floats,
        "reward": reward.floats,
        "exact": None if prob.exact is None else Exact(prob.exact, reward.exact),
    }


def _are_right(prob: Numbers, reward: Numbers, row_ptr: Ints, normalize: bool) -> bool:
    """Whether numbers are surely in their range, and rows surely sum to 1."""
    if not (np.abs(reward.floats) < LARGEST).all():
        return False
    if prob.exact is not None:
        num, den = prob.exact.num, prob.exact.den
        return bool(((num >= 0) & (num <= den)).all()) and next(rows_off(prob.exact, row_ptr), None) is None
    if not ((prob.floats >= 0) & (prob.floats <= 1)).all():
        return False
    room = (np.diff(row_ptr) - 0.5) * 2.0**-52  # the sum that is rounded once is another half away
    return normalize or bool((np.abs(mass_defects(prob.floats, row_ptr)) <= room).all())
