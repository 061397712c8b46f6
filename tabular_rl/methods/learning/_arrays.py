"""The arrays of a learner: one row a run, what a sound checkpoint holds there, and how one is taken over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import quoted
from tabular_rl.solving.solution import Floats

LARGEST = float(np.finfo(np.float64).max)


class Arrays:
    """What a learner keeps between two steps, by name; `entries` is the size of its table."""

    def __init__(self, runs: int, entries: int) -> None:
        self.runs, self.entries = runs, entries
        self.arrays: dict[str, NDArray[Any]] = {}
        self.within: dict[str, tuple[float, float | None]] = {}
        self.conditions: list[Callable[[], str | None]] = []

    def add(
        self,
        name: str,
        value: float,
        entries: int | None = None,
        *,
        within: tuple[float, float] = (-LARGEST, LARGEST),
    ) -> Floats:
        """Return an array (runs, entries) of numbers that a checkpoint holds; entries = -1 gives (runs,).

        `within` are the least and the largest number that a sound checkpoint holds there. NaN stands where it stands
        in a new run, and nowhere else.
        """
        return self._added(name, value, entries, np.float64, within)

    def add_count(
        self,
        name: str,
        entries: int | None = None,
        *,
        value: int = 0,
        low: int = 0,
        most: int | None = None,
    ) -> NDArray[np.int64]:
        """Return an array as `add` does of whole numbers from `low` to `most`, by default the updates so far."""
        return self._added(name, value, entries, np.int64, (low, most))

    def add_index(
        self, name: str, size: int, entries: int | None = None, *, value: int = 0, low: int = 0
    ) -> NDArray[np.int64]:
        """Return an array as `add` does of places in an array of this size: kernels read there without looking."""
        return self._added(name, value, entries, np.int64, (low, size - 1))

    def add_condition(self, condition: Callable[[], str | None]) -> None:
        """Ask this of the arrays of a checkpoint: what is wrong with them together, or None."""
        self.conditions.append(condition)

    def _added(
        self, name: str, value: float, entries: int | None, dtype: Any, within: tuple[float, float | None]
    ) -> NDArray[Any]:
        shape = (self.runs,) if entries == -1 else (self.runs, self.entries if entries is None else entries)
        self.arrays[name], self.within[name] = np.full(shape, value, dtype=dtype), within
        return self.arrays[name]

    def take_over(self, arrays: Mapping[str, Any], updates: int) -> str | None:
        """Take over the arrays of a checkpoint after this many updates of an entry: what does not fit, or None.

        Each is looked at before a kernel can read it.
        """
        for name in sorted({*arrays, *self.arrays}):
            new, array = self.arrays.get(name), arrays.get(name)
            kinds = [None if x is None else (x.dtype.str, x.shape) for x in (array, new)]
            if array is None or new is None or kinds[0] != kinds[1]:
                return f"array {quoted(name)}: found {kinds[0]}, expected {kinds[1]}"
            low, high = self.within[name]
            high = updates if high is None else high
            sound = (array >= low) & (array <= high)
            if new.dtype.kind == "f":
                sound |= np.isnan(array) & np.isnan(new)
            if not sound.all():
                found = array[~sound][0]
                return f"array {quoted(name)}: found {found}, expected {number_range(low, high)}"
            new[...] = array
        return next((wrong for condition in self.conditions if (wrong := condition()) is not None), None)


def number_range(low: float, high: float) -> str:
    """Return the words for a range.

    >>> number_range(0, 5), number_range(0.0, np.inf), number_range(-LARGEST, LARGEST)
    ('0 to 5', 'a number from 0', 'a finite number')
    """
    if high < LARGEST:
        return f"{low:g} to {high:g}" if isinstance(low, float) else f"{low} to {high}"
    return "a finite number" if low == -LARGEST else f"a number from {low:g}"
