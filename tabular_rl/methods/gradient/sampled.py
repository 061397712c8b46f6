"""What was sampled of an estimator of the policy gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sampled:
    """Sample mean (d,) and covariance (d, d) of the estimates of this many episodes.

    Of given episodes `seed` is None. Where another policy made them, `importance` is how they are weighed, and
    `effective` (Σ W)² / Σ W², the number of episodes of the policy itself that they are worth; `left_out` counts those
    that are cut off before their end.
    """

    estimator: str
    episodes: int
    steps: int
    mean: Floats
    covariance: Floats
    seed: int | None
    seconds: float
    stopped: str | None = None
    importance: str | None = None
    effective: float | None = None
    left_out: int = 0

    @property
    def trace(self) -> float:
        """The trace of the covariance."""
        return float(np.trace(self.covariance))

    @property
    def standard_error(self) -> Floats:
        """The standard error of the mean, (d,)."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0) / self.episodes)
