"""The errors of a learner on the way: when they are recorded, and how they are measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tabular_rl.solving.solution import Floats

POINTS = 100  # steps at which the error is recorded, evenly on a logarithmic scale


def root_mean_square(error: Floats, weights: Floats) -> Floats:
    """√(Σ w e²) of each run (runs, entries), also where the square of an error is no float.

    >>> errors = np.array([[3.0, 4.0], [3e200, 4e200], [3e-300, 4e-300], [0.0, 0.0]])
    >>> [f"{x:.12g}" for x in root_mean_square(errors, np.ones(2))]
    ['5', '5e+200', '5e-300', '0']
    """
    # By a power of two, which rounds nothing.
    scale = np.ldexp(0.5, np.frexp(np.abs(error).max(axis=1, initial=0.0))[1])
    return np.asarray(scale * np.sqrt(np.square(error / scale[:, None]) @ weights))


def record_points(steps: int) -> NDArray[np.int64]:
    """About POINTS steps, evenly on a logarithmic scale, with the powers of ten and the last one.

    >>> record_points(10).tolist()
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    """
    points = np.unique(np.geomspace(1, steps, POINTS).round().astype(np.int64))
    points[-1] = steps
    tens = 10 ** np.arange(1, len(str(steps)))
    return np.unique(np.concatenate([points, np.arange(1, min(steps, 10) + 1), tens]))
