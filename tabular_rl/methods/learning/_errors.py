"""The errors of a learner on the way: when they are recorded, and how they are measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.solving.solution import Floats

USUAL = 1e-250, 1e250  # mean squares of errors none of whose squares was lost, or is no float
POINTS = 100  # steps at which the error is recorded, evenly on a logarithmic scale


def errors_of(
    table: Floats,
    truth: Floats,
    live: NDArray[np.bool_],
    weights: Floats,
    groups: NDArray[Any] | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Return the largest error of each run (runs,), its root mean square, and the largest value of each group.

    Parameters
    ----------
    table : (runs, entries) what was learned
    truth : (entries,) what is right
    live : (entries,) which entries count
    weights : (entries,) of the squares, 0 where an entry does not count
    groups : (n + 1,) where groups of entries begin, and the end of the last; one group without it

    Returns
    -------
    Two arrays (runs,) and one (runs, n). The second is not finite where an entry that counts is not.

    Examples
    --------
    >>> table, live = np.array([[3.0, 5.0, np.nan], [1e200, 1.0, np.nan]]), np.array([True, True, False])
    >>> [x.tolist() for x in errors_of(table, np.array([0.0, 1.0, 0.0]), live, np.array([1.0, 1.0, 0.0]))]
    [[4.0, 1e+200], [5.0, 1e+200], [[5.0], [1e+200]]]
    """
    out, best = _measured(table, truth, live, weights, groups)
    sup, square = out[:, 0].copy(), out[:, 1].copy()
    usual = ((square > USUAL[0]) & (square < USUAL[1])) | ((sup == 0.0) & (square == 0.0))
    rms = np.sqrt(square)
    if not usual.all():
        with np.errstate(invalid="ignore"):  # infinities
            error = np.where(live, table[~usual] - truth, 0.0)
            rms[~usual] = root_mean_square(error, weights)
    return sup, rms, best


def root_mean_square(error: Floats, weights: Floats) -> Floats:
    """√(Σ w e²) of each run (runs, entries), also where the square of an error is no float.

    >>> errors = np.array([[3.0, 4.0], [3e200, 4e200], [3e-300, 4e-300], [0.0, 0.0]])
    >>> [f"{x:.12g}" for x in root_mean_square(errors, np.ones(2))]
    ['5', '5e+200', '5e-300', '0']
    """
    # By a power of two, which rounds nothing.
    scale = np.ldexp(0.5, np.frexp(np.abs(error).max(axis=1, initial=0.0))[1])
    size = error.shape[1]
    out, _ = _measured(error / scale[:, None], np.zeros(size), np.ones(size, dtype=bool), weights)
    return np.asarray(scale * np.sqrt(out[:, 1]))


def _measured(
    table: Floats,
    truth: Floats,
    live: NDArray[np.bool_],
    weights: Floats,
    groups: NDArray[Any] | None = None,
) -> tuple[Floats, Floats]:
    from tabular_rl.kernels.recording import measure

    if groups is None:
        groups = np.array([0, table.shape[1]], dtype=np.int32)
        groups.flags.writeable = False  # as those of a model are
    out, best = np.empty((len(table), 2)), np.empty((len(table), len(groups) - 1))
    measure(np.ascontiguousarray(table), truth, live, weights, groups, best, out)
    return out, best


def record_points(steps: int) -> NDArray[np.int64]:
    """About POINTS steps, evenly on a logarithmic scale, with the powers of ten and the last one.

    >>> record_points(10).tolist()
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    """
    points = np.unique(np.geomspace(1, steps, POINTS).round().astype(np.int64))
    points[-1] = steps
    tens = 10 ** np.arange(1, len(str(steps)))
    return np.unique(np.concatenate([points, np.arange(1, min(steps, 10) + 1), tens]))
