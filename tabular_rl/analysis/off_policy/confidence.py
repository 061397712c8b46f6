"""Confidence intervals of off-policy estimates: the bootstrap, and bounds that hold for any number of episodes."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from tabular_rl.analysis.off_policy.estimators import batch, estimates
from tabular_rl.analysis.off_policy.ranges import Pair
from tabular_rl.analysis.off_policy.sums import Sums
from tabular_rl.solving import run as running
from tabular_rl.solving.sampling import Floats


def bootstrap(sums: Sums, names: tuple[str, ...], resamples: int, seed: int) -> Floats:
    """Return the estimates (resamples, names) of logs that are drawn from the log, episode by episode.

        c ~ Multinomial(n; 1/n, ..., 1/n),   Ĵ(c)

    Each draw estimates its own model too. Efron (1979); for episodes Hanna, Stone & Niekum (2017).

    Parameters
    ----------
    sums : the log under a policy
    names : of estimators
    resamples, seed : how many, and of the draws

    Returns
    -------
    (resamples, len(names)), NaN where an estimator has no value.
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    found, size = [], batch(sums)
    share = np.full(sums.n, 1 / sums.n)
    for at in range(0, resamples, size):
        c = rng.multinomial(sums.n, share, size=min(size, resamples - at)).astype(np.float64)
        found.append(estimates(sums, c, names))
        running.tell("bootstrap", min(at + size, resamples), resamples, "logs")
    return np.concatenate(found) if found else np.empty((0, len(names)))


def percentiles(draws: Floats, level: float) -> Pair | None:
    """Return the share `level` in the middle of draws (resamples,) that have a value; None where fewer than half do.

    >>> percentiles(np.arange(101.0), 0.5)
    (25.0, 75.0)
    """
    known = draws[np.isfinite(draws)]
    if len(known) < max(2, len(draws) / 2):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def concentrated(x: Floats, among: Pair, level: float) -> Pair:
    """Return an interval that holds the mean of independent numbers of a known range with probability `level` or more.

        Hoeffding (1963):          |x̄ - μ| ≤ R √( ln(2/δ) / 2n )
        Maurer & Pontil (2009):    |x̄ - μ| ≤ √( 2 s² ln(4/δ) / n ) + 7 R ln(4/δ) / (3 (n - 1))

    R is the width of the range and s² the sample variance. Both hold with probability 1 - δ; the shorter one is not
    known before, so that each has half of 1 - level: δ = (1 - level) / 2.

    Parameters
    ----------
    x : (n,), one of each episode
    among : least and largest that one can be
    level : of the interval

    Returns
    -------
    Lower and upper end.

    Examples
    --------
    100 numbers that are all 1/2: s = 0, and 7 ln(160) / (3 · 99) = 0.1196; Hoeffding's √(ln(80) / 200) = 0.1480.

    >>> concentrated(np.full(100, 0.5), (0.0, 1.0), 0.95)
    (0.38038310..., 0.61961689...)
    """
    n, width = len(x), among[1] - among[0]
    mean, half = float(x.mean()), half_width(len(x), width, level)
    if n > 1:
        spread, more = bernstein(n, width, level)
        half = min(half, spread * float(x.std(ddof=1)) + more)
    return mean - half, mean + half


def half_width(n: int, width: float, level: float) -> float:
    """Return Hoeffding's half width, at half of the level's share.

    Parameters
    ----------
    n, width : how many numbers, and the width of their range
    level : of the interval

    Returns
    -------
    The half width.
    """
    return width * math.sqrt(math.log(4 / (1 - level)) / (2 * n))


def bernstein(n: int, width: float, level: float) -> Pair:
    """Return the two parts of the bound of Maurer & Pontil, at half of the level's share.

    Parameters
    ----------
    n, width : how many numbers, and the width of their range
    level : of the interval

    Returns
    -------
    What the sample deviation is multiplied by, and what is added.
    """
    log = math.log(8 / (1 - level))
    return math.sqrt(2 * log / n), 7 * width * log / (3 * (n - 1))


def concentrated_ratio(w: Floats, g: Floats, weight: Pair, value: Pair, level: float) -> Pair:
    """Return an interval for J = E[W G] / E[W], E[W] = 1, around the weighted estimate Σ W G / Σ W.

    W (G - J) has the mean 0. So J is among the numbers x for which the mean of W (G - x) is no further from 0 than the
    bounds of `concentrated` allow:

        | Σ W (G - x) / n | ≤ ε(x),    R = max W (max G - min G)

    (both divided by max W) with probability `level` or more; what is returned is the least interval that has all of
    them.

    Parameters
    ----------
    w, g : weight and return of each episode (n,)
    weight, value : their ranges; J lies in that of the return
    level : of the interval

    Returns
    -------
    Lower and upper end, within the range of the return.
    """
    n, (least, most) = len(w), value
    # By shares of the largest weight, whose squares are floats too.
    width, w = most - least, w / (weight[1] or 1.0)
    a, b = float((w * g).mean()), float(w.mean())
    ends = [_furthest(a, b, half_width(n, width, level), 0.0, (0.0, 0.0, 0.0), value)]
    if n > 1:
        spread, more = bernstein(n, width, level)
        mean = (w * g - a), (w - b)
        var = tuple(float(np.dot(p, q)) / (n - 1) for p, q in ((mean[0],) * 2, mean, (mean[1],) * 2))
        ends.append(_furthest(a, b, more, spread, var, value))
    return max(low for low, _ in ends), min(high for _, high in ends)


def _furthest(a: float, b: float, more: float, spread: float, var: tuple[float, ...], value: Pair) -> Pair:
    """The least and the largest x in a range with |a - b x| ≤ more + spread √(var of w g - x w).

    Beyond `more` both sides are squared, (|a - b x| - more)² = spread² (v0 - 2 x v1 + x² v2).
    """
    least, most = value

    def allowed(x: float) -> bool:
        return abs(a - b * x) <= more + spread * math.sqrt(max(var[0] - 2 * x * var[1] + x * x * var[2], 0.0))

    edges = [least, most]
    for sign in (-1.0, 1.0):  # of b x - a
        p2 = b * b - spread**2 * var[2]
        p1 = -2 * b * (a + sign * more) + 2 * spread**2 * var[1]
        p0 = (a + sign * more) ** 2 - spread**2 * var[0]
        edges += [x for x in _roots(p2, p1, p0) if least < x < most]
    edges.sort()
    # Between two edges all is allowed or nothing is: that is asked in the middle.
    spans = [(x, y) for x, y in pairwise(edges) if allowed((x + y) / 2)]
    slack = 1e-9 * (most - least)
    return (spans[0][0] - slack, spans[-1][1] + slack) if spans else value


def _roots(p2: float, p1: float, p0: float) -> list[float]:
    """The real roots of p2 x² + p1 x + p0, a double one however it is rounded: an edge too many does no harm."""
    if p2 == 0:
        return [] if p1 == 0 else [-p0 / p1]
    inside = p1 * p1 - 4 * p2 * p0
    if inside < -1e-9 * (p1 * p1 + abs(4 * p2 * p0)):
        return []
    half = -(p1 + math.copysign(math.sqrt(max(inside, 0.0)), p1)) / 2
    return [half / p2] + ([p0 / half] if half else [])
