"""Tensors with texts or fractions in them: as floats, and as the rationals that they spell."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import ModelError, kind_text
from tabular_rl.model.blocks import is_sparse_list, is_stack
from tabular_rl.model.rationals import UNDERFLOWS, as_number, nearest


class Spelled(NamedTuple):
    """A tensor as floats, and its entries in order as rationals; None where one of them is a float."""

    floats: Any
    exact: list[Fraction] | None

    @property
    def places(self) -> Any:
        """The place of each entry in that order, from 1; 0 where the entry is."""
        counted = np.arange(1.0, self.floats.size + 1).reshape(self.floats.shape)
        return np.where(self.floats != 0, counted, 0.0)

    def at(self, places: Any) -> list[Fraction]:
        """Return the rationals at some places, 0 where there is none."""
        exact = [Fraction(0), *(self.exact or ())]
        return [exact[int(i)] for i in places.tolist()]


def spelled(values: Any, what: str) -> Spelled:
    """Return what a tensor spells; one of sparse matrices stays as it is.

    Parameters
    ----------
    values : lists or an array, of numbers, texts and fractions
    what : what messages call it

    Returns
    -------
    Spelled

    Raises
    ------
    ModelError : the place of an entry that is no number

    Examples
    --------
    >>> found = spelled([["1/3", 2]], "P")
    >>> found.floats.tolist(), found.exact
    ([[0.3333333333333333, 2.0]], [Fraction(1, 3), Fraction(2, 1)])
    """
    if is_stack(values) or is_sparse_list(values):
        return Spelled(values, None)
    table = np.array(values, dtype=object)
    read: dict[Any, Fraction | float] = {}
    entries = []
    for at, x in enumerate(table.ravel().tolist()):
        try:
            key = (type(x), x)
            if key not in read:
                read[key] = _number(x)
            entries.append(read[key])
        except (ValueError, TypeError, ArithmeticError) as error:
            place = [int(i) for i in np.unravel_index(at, table.shape)]
            why = f", which {UNDERFLOWS}" if isinstance(error, FloatingPointError) else ""
            raise ModelError(
                f'{what}: found {kind_text(x)} at {place}{why}, expected a number such as 1, 0.5 or "2/3"'
            ) from None
    floats = [nearest(x) if isinstance(x, Fraction) else x for x in entries]
    exact = [x for x in entries if isinstance(x, Fraction)]
    made = np.array(floats, dtype=np.float64).reshape(table.shape)
    return Spelled(made, exact if len(exact) == len(entries) else None)


def has_texts(table: NDArray[Any]) -> bool:
    """Whether there are texts, fractions or decimals among the entries of an array.

    >>> has_texts(np.array([["1/3"]])), has_texts(np.array([[None]]))
    (True, False)
    """
    if table.dtype.kind != "O":
        return table.dtype.kind == "U" and table.size > 0
    return table.ndim > 0 and any(isinstance(x, (str, Fraction, Decimal)) for x in table.flat)


def _number(x: Any) -> Fraction | float:
    """Return an entry as a float where it is one, else as the rational that it spells.

    FloatingPointError where its float would be 0, another error where it is no number.
    """
    if isinstance(x, (bool, np.bool_)):
        raise ValueError(x)
    made = as_number(x)
    if isinstance(made, Fraction) and made and not nearest(made):
        raise FloatingPointError(x)
    return made
