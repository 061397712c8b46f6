"""The columns of a log, whatever they were read from: texts by their codes, numbers, or arrays as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.formats.sheet import Codes
from tabular_rl.model.rows import Floats


@dataclass(frozen=True)
class Texts:
    """N texts: the different ones, and which one stands where (N,)."""

    texts: list[str]
    code: NDArray[Any]

    def __len__(self) -> int:
        return len(self.code)

    @classmethod
    def of(cls, texts: Iterable[str], N: int) -> Texts:
        """Return N texts by their codes.

        >>> Texts.of(["b", "a", "b"], 3).code.tolist()
        [0, 1, 0]
        """
        codes = Codes()
        code = np.fromiter(map(codes.__getitem__, texts), np.int64, N)
        return cls(list(codes), code)

    def at(self, i: int) -> str:
        """Return the text at one place."""
        return self.texts[int(self.code[i])]

    def where(self, table: Iterable[Any], dtype: Any) -> NDArray[Any]:
        """Return what a table says of each text (N,), from what it says of the different ones."""
        found: NDArray[Any] = np.array(list(table), dtype=dtype)[self.code]
        return found


@dataclass(frozen=True)
class Numbers:
    """N numbers as floats, NaN where something else stands; `odd` holds some of these texts by their place."""

    values: Floats
    odd: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def at(self, i: int) -> str:
        """Return what stands at one place."""
        return self.odd.get(i, repr(float(self.values[i])))


Column = Texts | Numbers | NDArray[Any]


class Source:
    """Where columns are from. Arrays have no lines; with `indices`, whole numbers in them are indices of a model."""

    def __init__(self, indices: bool = False) -> None:
        self.indices = indices

    def lines(self, entries: list[int]) -> list[int | None]:
        """Return the line on which each entry stands, None where there are no lines; entries rise."""
        return [None] * len(entries)


def values_of(column: Numbers | NDArray[Any]) -> NDArray[Any]:
    """Return a column of numbers as an array (N,)."""
    return column.values if isinstance(column, Numbers) else column


def text_at(column: Column, i: int) -> str:
    """Return what stands at one place of a column, for messages."""
    if isinstance(column, (Texts, Numbers)):
        return column.at(i)
    x = column[i].item() if column.dtype.kind == "f" else column[i]
    return str(int(x)) if isinstance(x, float) and x.is_integer() else str(x)


def named(column: Column) -> Texts:
    """Return a column of names as texts; whole numbers by their digits."""
    if isinstance(column, Texts):
        return column
    values = values_of(column)
    whole = values.astype(np.int64) if values.dtype.kind in "biuf" else values
    different, code = np.unique(whole, return_inverse=True)
    return Texts([str(x) for x in different.tolist()], code)
