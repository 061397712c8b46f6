"""What has been proven of an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.rounding import up
from tabular_rl.model.rows import Floats


@dataclass(frozen=True)
class Certificate:
    """What has been proven of an answer, in the sign of maximisation. Only this folder makes one.

    `lower` ≤ v ≤ `upper` (S,), or (T + 1, S); `keep` (L,) or (T, L) marks the actions not proven worse than the best;
    `smallest` is the smallest width that floating-point numbers can prove here.
    """

    lower: Floats
    upper: Floats
    keep: NDArray[np.bool_] | None = None
    proven_optimal: NDArray[np.bool_] | None = None
    smallest: float = 0.0
    exact: tuple[Fraction, ...] | None = None
    note: str = ""
    middle: Floats | None = None  # what the bounds lie around, before they were rounded outward

    def with_decisions(self, keep: NDArray[np.bool_], proven_optimal: NDArray[np.bool_]) -> Certificate:
        """Return the same interval with what it says of actions (L,) and of the policy in each state (S,)."""
        made = object.__new__(Certificate)
        made.__dict__.update(self.__dict__, keep=keep, proven_optimal=proven_optimal)
        return made

    @cached_property
    def width(self) -> float:
        """The largest upper - lower, rounded up; inf where nothing is proven."""
        return largest_width(self.lower, self.upper)


def largest_width(lower: Floats, upper: Floats) -> float:
    """The largest upper - lower, rounded up; inf where a bound is infinite or missing."""
    if not lower.size:
        return 0.0
    with np.errstate(invalid="ignore"):
        width = float((upper - lower).max())
    if math.isnan(width):
        return math.inf
    return float(up(width)) if width > 0 else width
