"""What is true: an interval around each value that our certificates prove, and the error of an entrant's values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tabular_rl
from benchmarks.race import Race, Times, read_model
from tabular_rl.errors import TabularError


@dataclass(frozen=True)
class Truth:
    lower: np.ndarray
    upper: np.ndarray

    @property
    def width(self) -> float:
        return float(np.max(self.upper - self.lower))

    def error(self, v: np.ndarray) -> float:
        """Return a proven bound on the error of values."""
        if v.shape != self.lower.shape or not np.isfinite(v).all():
            return float("inf")
        return float(np.max(np.maximum(v - self.lower, self.upper - v)))

    def distance(self, v: np.ndarray) -> float:
        """Return the least error that values can have: their distance from the interval."""
        return max(float(np.max(np.maximum(self.lower - v, v - self.upper))), 0.0)


def truth_of(found: Race, path: Path, tolerance: float, seconds: float) -> Truth | None:
    """Meet the intervals of all our methods, and one more that is proven a hundred times as tight if floats can.

    Parameters
    ----------
    found, path : what came of a model, and its file
    tolerance : what was asked for
    seconds : that the tight answer may take

    Returns
    -------
    The interval; None where none of our methods proves one.
    """
    proven = [times for times in found.times.values() if times.lower is not None]
    interval = None
    for times in proven:
        interval = meet(interval, times)
    best = min(proven, key=lambda times: times.facts["bound"], default=None)
    try:
        answer = tabular_rl.solve(
            read_model(path),
            tolerance=tolerance / 100,
            time_limit=seconds,
            start_from=best.v if best is not None and best.v is not None and best.v.ndim == 1 else None,
        )
    except TabularError:
        return interval
    if answer.lower is None or answer.upper is None:
        return interval
    return meet(interval, answer)


def meet(interval: Truth | None, found: Times | tabular_rl.Solution) -> Truth:
    lower, upper = np.asarray(found.lower), np.asarray(found.upper)
    if interval is None:
        return Truth(lower, upper)
    return Truth(np.maximum(interval.lower, lower), np.minimum(interval.upper, upper))
