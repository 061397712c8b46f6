"""Schedules: step sizes, exploration rates and temperatures that change with a count n = 1, 2, 3, ...

A text spells one:

    0.1                            constant
    1/n, 0.5/n                     c / n
    n^-0.7, 0.5*n^-0.7             c n^-w
    linear:0.5:0.01:1000           from 0.5 to 0.01 in 1000 steps, then 0.01
    exponential:0.5:0.999[:0.01]   0.5 · 0.999^(n-1), but at least 0.01
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.rationals import fraction, nearest, spell_float

CONSTANT, HARMONIC, POWER, LINEAR, EXPONENTIAL = range(5)
KINDS = ("constant", "harmonic", "power", "linear", "exponential")
GRAMMAR = "0.1, 1/n, n^-0.7, linear:FROM:TO:STEPS or exponential:FROM:FACTOR"
_FORMS = {
    "linear": re.compile(r"linear:(?P<a>[^:]+):(?P<b>[^:]+):(?P<c>[^:]+)"),
    "exponential": re.compile(r"exponential:(?P<a>[^:]+):(?P<b>[^:]+)(:(?P<c>[^:]+))?"),
    "harmonic": re.compile(r"(?P<a>[^/*^]+)/n"),
    "power": re.compile(r"((?P<a>[^/*^]+)\*)?n(\^|\*\*)-(?P<b>[^/*^]+)"),
    "constant": re.compile(r"(?P<a>.*)", re.DOTALL),
}


@dataclass(frozen=True)
class Schedule:
    """A sequence of numbers, x(1), x(2), ...

    `kind` is one of KINDS; `a, b, c` its numbers: constant a; a / n; a n^-b; from a to b in c steps; a b^(n-1), at
    least c.

    >>> [Schedule.of("1/n").at(n) for n in (1, 2, 4)]
    [1.0, 0.5, 0.25]
    >>> Schedule.of("linear:1:0:4").at(3)
    0.5
    """

    kind: str
    a: float
    b: float = 0.0
    c: float = 0.0
    text: str = ""

    @classmethod
    def of(cls, given: Any) -> Schedule:
        """Return the schedule of a number, a text or a Schedule; ValueError where it is none."""
        if isinstance(given, Schedule):
            return given
        if isinstance(given, bool):
            raise ValueError(given)
        if not isinstance(given, str):
            return cls("constant", _finite(float(given)), text=spell_float(given))
        text = given.replace(" ", "")
        kind, found = next((kind, m) for kind, form in _FORMS.items() if (m := form.fullmatch(text)))
        numbers = {name: _number(x) for name, x in found.groupdict().items() if x is not None}
        made = cls(kind, **{"a": 1.0, **numbers}, text=text)
        fits = {"linear": made.c >= 1, "exponential": 0 < made.b <= 1, "power": made.b >= 0}
        if not fits.get(kind, True):
            raise ValueError(text)
        return made

    @property
    def code(self) -> NDArray[np.float64]:
        """What kernels take: (kind, a, b, c)."""
        return np.array([KINDS.index(self.kind), self.a, self.b, self.c], dtype=np.float64)

    def at(self, n: int) -> float:
        """x(n), n ≥ 1, with the same bits as in a kernel."""
        if self.kind == "harmonic":
            return self.a / n
        if self.kind == "power":
            return float(self.a * math.pow(n, -self.b))
        if self.kind == "linear":
            return self.a + (self.b - self.a) * min((n - 1) / self.c, 1.0)
        if self.kind == "exponential":
            return max(float(self.a * math.pow(self.b, n - 1)), self.c)
        return self.a

    @property
    def limit(self) -> float:
        """x(n) as n → ∞."""
        if self.kind == "exponential":
            return max(self.a if self.b == 1 else 0.0, self.c)
        if self.kind == "linear":
            return self.b
        return self.a if self.kind == "constant" or (self.kind == "power" and self.b == 0) else 0.0

    @property
    def least(self) -> float:
        """The infimum of all x(n)."""
        least = min(self.a, self.limit)
        return max(least, self.c) if self.kind == "exponential" else least

    @property
    def largest(self) -> float:
        """The supremum of all x(n)."""
        return max(self.a, self.limit)

    @property
    def sum_diverges(self) -> bool:
        """Σ x(n) = ∞: the first condition of Robbins & Monro, without which a learner stops short of its goal."""
        slow = self.kind in ("harmonic", "power") and self.b <= 1
        return self.limit > 0 or (slow and self.a > 0)

    @property
    def squares_converge(self) -> bool:
        """Σ x(n)² < ∞: the second condition of Robbins & Monro, without which the noise never dies out."""
        slow = self.kind == "power" and self.b <= 0.5
        return self.limit == 0 and not (slow and self.a > 0)

    def __str__(self) -> str:
        return self.text


def _number(text: str) -> float:
    return _finite(nearest(fraction(text)))


def _finite(x: float) -> float:
    if not math.isfinite(x):
        raise ValueError(x)
    return x


def checked_schedule(low: float, high: float, open_low: bool = False) -> Any:
    """A function that returns the schedule of a text whose every value is in a range, else raises ValueError.

    Parameters
    ----------
    low, high : the range, both ends in it
    open_low : the first value must be above `low`; later ones may still come down to it

    Returns
    -------
    Function of a number, a text or a Schedule, to a Schedule.
    """

    def parse(given: Any) -> Schedule:
        made = Schedule.of(given)
        low_enough = made.a > low if open_low else made.a >= low
        if not (low_enough and made.least >= low and made.largest <= high):
            raise ValueError(given)
        return made

    return parse
