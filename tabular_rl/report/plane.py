"""The gradient and its estimators on a plane: the directions that a picture shows, and where estimators lie there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tabular_rl.analysis.gradient import GradientStudy
from tabular_rl.model.numbers import plural
from tabular_rl.report.blocks import Curve, Series
from tabular_rl.report.words import names_of
from tabular_rl.solving.solution import Floats

LEVEL = 0.95
FAR = 4.0  # widths of the largest ellipse up to which the gradient is drawn from its start
RADIUS = math.sqrt(-2.0 * math.log(1.0 - LEVEL))  # of the ellipse that holds LEVEL of a normal distribution


def gradient_curve(study: GradientStudy, axes: Sequence[int] = ()) -> Curve:
    """Return the exact gradient, and for each estimator the ellipse of its means and the mean that was sampled.

    Parameters
    ----------
    study : the gradient and its estimators
    axes : two entries of θ; by default the plane of `plane_of`
    """
    plane, names = plane_of(study, axes)
    sampled = [e.sampled.episodes for e in study.estimators if e.sampled is not None and e.sampled.episodes]
    n = max(sampled, default=1)
    tip, widest, series = plane @ study.found.gradient, 0.0, []
    for at, e in enumerate(study.estimators):
        x, y = (ellipse(e.moments.covariance, plane, n) + plane @ e.moments.mean).T
        series.append(Series(e.moments.estimator, x, y, at))
        widest = max(widest, float(np.ptp(x)), float(np.ptp(y)))
        if e.sampled is not None and e.sampled.episodes:
            x, y = (plane @ e.sampled.mean)[:, None]
            series.append(Series("", x, y, at, "dot"))
    x, y = np.stack([np.zeros(2), tip], axis=1)
    if np.linalg.norm(tip) < FAR * widest:  # else the ellipses would be dots, and the start is left out
        series.append(Series("", x, y, look="arrow"))
    series.append(Series("exact gradient", x[1:], y[1:], look="cross"))
    of = plural(n, "episode") if n == 1 else f"means of {plural(n, 'episode')}"
    title = f"where 95% of the {of} lie" + ("; points: sampled" if sampled else "")
    return Curve(title, names[0], names[1], series, aside=True)


def plane_of(study: GradientStudy, axes: Sequence[int] = ()) -> tuple[Floats, list[str]]:
    """Two directions (2, d), and what they are called.

    Two entries of θ; or the direction of the gradient and, at right angles to it, that in which the first estimator
    varies most.
    """
    mdp, d = study.mdp, len(study.found.gradient)
    if axes:
        return np.eye(d)[list(axes)], [f"dJ/dθ({', '.join(names_of(mdp, i))})" for i in axes]
    covariance = study.estimators[0].moments.covariance
    g = study.found.gradient
    along = np.linalg.eigh(covariance)[1][:, -1] if study.zero else g / np.linalg.norm(g)
    across = np.eye(d) - np.outer(along, along)
    main = np.linalg.eigh(across @ covariance @ across)[1][:, -1]
    main = across @ main
    size = float(np.linalg.norm(main))
    main = main / size if size > 1e-6 else _any_across(along)
    main = main * (1.0 if main[int(np.abs(main).argmax())] > 0 else -1.0)
    first = "main axis of the covariance" if study.zero else "along the gradient"
    return np.stack([along, main]), [first, "across it, where the first estimator varies most"]


def _any_across(along: Floats) -> Floats:
    """A unit vector at right angles to another; 0 where there is none."""
    i = int(np.abs(along).argmin())
    e = np.eye(len(along))[i] - along[i] * along
    size = float(np.linalg.norm(e))
    return np.asarray(e / size if size > 1e-12 else e * 0.0)


def ellipse(covariance: Floats, plane: Floats, n: int, points: int = 200) -> Floats:
    """The ellipse (points, 2) that holds 95% of the means of n estimators, by the normal approximation.

    Parameters
    ----------
    covariance : of one estimate (d, d)
    plane : two directions (2, d)
    n : how many estimates a mean is taken of
    points : how many points are drawn

    Returns
    -------
    Points (points, 2) around 0, in the units of the estimates.

    Examples
    --------
    >>> half = ellipse(np.diag([4.0, 1.0]), np.eye(2), 1).max(axis=0) / RADIUS
    >>> half.round(3).tolist()
    [2.0, 1.0]
    """
    size, axes = np.linalg.eigh(plane @ covariance @ plane.T / n)
    t = np.linspace(0.0, 2.0 * math.pi, points)
    unit = np.stack([np.cos(t), np.sin(t)])
    return np.asarray((axes @ (RADIUS * np.sqrt(np.maximum(size, 0.0))[:, None] * unit)).T)
