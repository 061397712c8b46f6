"""What has been proven of an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._plain import SMALL, kernels, ready
from tabular_rl.model.graph.total import TotalReward
from tabular_rl.model.rounding import LONG, down, up
from tabular_rl.model.rows import Floats

BLOCK = 1 << 14  # states whose middles are made at a time


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
    # What the bounds lay around before they were rounded outward: middle(s) + off.
    middle: Floats | None = None
    off: float = 0.0

    def with_decisions(self, keep: NDArray[np.bool_], proven_optimal: NDArray[np.bool_]) -> Certificate:
        """Return the same interval with what it says of actions (L,) and of the policy in each state (S,)."""
        made = object.__new__(Certificate)
        made.__dict__.update(self.__dict__, keep=keep, proven_optimal=proven_optimal)
        return made

    @classmethod
    def of(
        cls, *given: Any, width: float, middles: tuple[Floats, float] | None = None, **more: Any
    ) -> Certificate:
        """Return a certificate of which more is known already.

        Parameters
        ----------
        given, more : the fields
        width : the largest upper - lower, rounded up; NaN where it is not known
        middles : what `middles` is, where it was made
        """
        made = cls(*given, **more)
        if not math.isnan(width):
            made.__dict__["width"] = width
        if middles is not None:
            made.__dict__["middles"] = middles
        return made

    @cached_property
    def width(self) -> float:
        """The largest upper - lower, rounded up; inf where nothing is proven."""
        return largest_width(self.lower, self.upper)

    @cached_property
    def middles(self) -> tuple[Floats, float] | None:
        """The middle of each interval, and the largest distance of an end from it; None where one is open."""
        return _middles(self.lower, self.upper, self.middle, self.off)


def _middles(lower: Floats, upper: Floats, middle: Floats | None, off: float) -> tuple[Floats, float] | None:
    """The values of an answer from its bounds and what they lie around: see `Certificate.middles`."""
    v, bound, kernel = np.empty(lower.shape), 0.0, passes(lower.size)
    flat = [None if x is None else np.ascontiguousarray(x).reshape(-1) for x in (lower, upper, middle)]
    if kernel is not None:
        bound = kernel.middles(*(v.reshape(-1)[:0] if x is None else x for x in flat), off, v.reshape(-1))
        if math.isfinite(bound):
            return v, bound
        bound = 0.0
    for i in range(0, v.size, BLOCK):  # what is made on the way stays in the cache
        low, high, around = (None if x is None else x[i : i + BLOCK] for x in flat)
        assert low is not None and high is not None
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            return None
        half = (high - low) / 2
        half += low
        if around is not None:
            # Outward rounding moves the midpoint by a few last places: 2.0000000000000004 for 2.
            around = around + off
            np.copyto(half, around, where=np.abs(around - half) <= np.abs(half) * 2.0**-50)
        np.maximum(half, low, out=half)
        np.minimum(half, high, out=half)
        bound = max(bound, float((high - half).max()), float((half - low).max()))
        v.reshape(-1)[i : i + BLOCK] = half
    return v, bound


def passes(states: int) -> Any:
    """The kernels that go over so many states at once (kernels/bounds.py); None where NumPy is as quick."""
    return kernels("bounds", states) if states > SMALL else ready("bounds") if states >= LONG else None


def outward(
    kept: Floats,
    best: Floats,
    fall: float,
    rise: float,
    limits: tuple[float, float] = (-math.inf, math.inf),
    ended: NDArray[np.bool_] | None = None,
    into: tuple[Floats, Floats] | None = None,
) -> tuple[Floats, Floats, float]:
    """Return kept + fall and best + rise, rounded outward, within limits; and their largest difference.

    Parameters
    ----------
    kept, best : (S,) computed backups: of a policy, and the best ones
    fall, rise : what is added to them, in units of reward
    limits : what no value falls below, and what none exceeds
    ended : (S,) the terminal states, whose bounds are 0; None where there are none
    into : two arrays (S,) that are filled

    Returns
    -------
    lower and upper (S,), and the largest upper - lower, rounded up; NaN where it is not known.
    """
    lower, upper = into or (np.empty_like(best), np.empty_like(best))
    if (kernel := passes(len(best))) is not None:
        none = np.zeros(0, dtype=bool)
        width = kernel.interval(
            kept, best, fall, rise, limits, none if ended is None else ended, lower, upper
        )
        if math.isfinite(width):
            return lower, upper, float(up(width)) if width > 0 else width
    np.maximum(down(kept + fall), limits[0], out=lower)
    np.minimum(up(best + rise), limits[1], out=upper)
    if ended is not None:
        lower[ended] = upper[ended] = 0.0
    return lower, upper, math.nan


def largest_width(lower: Floats, upper: Floats) -> float:
    """The largest upper - lower, rounded up; inf where a bound is infinite or missing."""
    if not lower.size:
        return 0.0
    with np.errstate(invalid="ignore"):
        width = float((upper - lower).max())
    if math.isnan(width):
        return math.inf
    return float(up(width)) if width > 0 else width


def lifted(total: TotalReward, certificate: Certificate) -> Certificate:
    """Return what is proven of the quotient, for the states and the rows of the model.

    A policy of the quotient is worth the same where it is lifted: moves inside of a merged component earn nothing, lead
    surely to where it is left, and change nothing of what is met then.

    Parameters
    ----------
    total : the model and its quotient
    certificate : of the quotient, with its decisions

    Returns
    -------
    Certificate
    """
    keep, proven = certificate.keep, certificate.proven_optimal
    return Certificate(
        total.lift_values(certificate.lower),
        total.lift_values(certificate.upper),
        None if keep is None else total.lift_keep(keep),
        None if proven is None else total.lift_values(proven),
        certificate.smallest,
        note=certificate.note,
    )
