"""What follows from proven intervals: values of the start and of actions, distances of answers, losses of policies.

Everything is rounded outward, as the intervals themselves are.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.certificate import Certificate
from tabular_rl.errors import NumericalError
from tabular_rl.model.graph.search import starts
from tabular_rl.model.rounding import up
from tabular_rl.solving.solution import Floats, Solution

Pair = tuple[float, float]


def enclosing(x: Fraction) -> Pair:
    """Return the largest float that is not above a fraction, and the least one that is not below it.

    Raises
    ------
    OverflowError : the fraction is larger than any float64

    Examples
    --------
    >>> low, high = enclosing(Fraction(1, 3))
    >>> low < Fraction(1, 3) < high, enclosing(Fraction(1, 2))
    (True, (0.5, 0.5))
    """
    near = x.numerator / x.denominator
    num, den = near.as_integer_ratio()
    gap = num * x.denominator - x.numerator * den
    return (
        near if gap <= 0 else math.nextafter(near, -math.inf),
        near if gap >= 0 else math.nextafter(near, math.inf),
    )


def exact_certificate(
    values: Any,
    keep: NDArray[np.bool_] | None,
    shape: tuple[int, ...],
    proven: NDArray[np.bool_] | None = None,
) -> Certificate:
    """Enclose exact values (flat, in the sign of maximisation) in floats, tightly.

    Parameters
    ----------
    values : the fractions, flat: S of them, or (T + 1) S, time by time
    keep : marks the actions not proven worse, (L,) or (T, L); None without decisions
    shape : of the values: (S,) or (T + 1, S)
    proven : marks the states from which the policy is proven optimal, (S,) or (T, S); None without decisions

    Returns
    -------
    Certificate. In its `lower` and `upper`, of that shape, stand the largest float not above a value and the least not
    below it.

    Raises
    ------
    NumericalError : a value is larger than any float64
    """
    values = tuple(values)
    lower, upper = np.empty(len(values)), np.empty(len(values))
    try:
        for i, x in enumerate(values):
            lower[i], upper[i] = enclosing(x)
    except OverflowError:
        raise NumericalError("a value is larger than any float64") from None
    return Certificate(lower.reshape(shape), upper.reshape(shape), keep, proven, 0.0, values)


def start_interval(start: Floats, lower: Floats, upper: Floats, used: NDArray[np.bool_]) -> Pair:
    """Return Σ start(s) lower(s) and Σ start(s) upper(s) over the states `used` (S,), rounded outward.

    Each product is rounded and start(s) itself may be the rounding of a fraction: 2 ulp each, or one of the smallest
    floats where it is below them; fsum rounds once.

    Parameters
    ----------
    start : (S,) probabilities
    lower, upper : (S,) proven ends, in units of reward
    used : (S,) marks the states in which an episode can begin

    Returns
    -------
    The two numbers, lower first; -inf and inf where an end that is used is not finite.
    """
    p, low, high = start[used], lower[used], upper[used]
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return -math.inf, math.inf

    def slack(side: Floats) -> float:
        return math.fsum(np.abs(p * side)) * 2.0**-51 + math.fsum(1 + np.abs(side)) * 2.0**-1073

    if not (low.any() or high.any()):  # products and sums of zeros are not rounded
        return 0.0, 0.0
    return (
        math.nextafter(math.fsum(p * low) - slack(low), -math.inf),
        math.nextafter(math.fsum(p * high) + slack(high), math.inf),
    )


def start_bounds(answer: Solution) -> Pair:
    """Return what an answer proves of the value of the start, at time 0 of a finite horizon."""
    if answer.lower is None or answer.upper is None:
        return -math.inf, math.inf
    mdp, S = answer.mdp, answer.mdp.S
    return start_interval(mdp.start, answer.lower.ravel()[:S], answer.upper.ravel()[:S], starts(mdp))


def error_between(best: Solution, other: Solution) -> Pair:
    """Return max_s |v(s) - v*(s)| of another answer: at least and at most, as the reference is known."""
    v = other.v
    if best.exact is not None:
        gaps = (abs(Fraction(x) - y) for x, y in zip(v.ravel().tolist(), best.exact, strict=True))
        error = max(gaps, default=Fraction(0))
        return float(error), enclosing(error)[1]
    if best.lower is None or best.upper is None:
        return 0.0, math.inf
    return (
        _largest(np.maximum(v - best.upper, best.lower - v)),
        float(up(_largest(np.maximum(best.upper - v, v - best.lower)))),
    )


def loss_between(best: Solution, value: Solution) -> Pair:
    """Return max_s v*(s) - v_π(s) of a policy of these values: at least and at most, as both are known."""
    more, less = (best, value) if best.mdp.sign > 0 else (value, best)
    if more.exact is not None and less.exact is not None:
        lost = float(max((x - y for x, y in zip(more.exact, less.exact, strict=True)), default=0))
        return lost, lost
    if more.lower is None or more.upper is None or less.lower is None or less.upper is None:
        return 0.0, math.inf
    return _largest(more.lower - less.upper), float(up(_largest(more.upper - less.lower)))


def start_loss(best: Solution, value: Solution) -> float:
    """Return what a policy of these values loses from the start; 0 where it is not proven to be more."""
    lost = best.mdp.sign * (best.value_of_start() - value.value_of_start())
    return 0.0 if lost <= value.bound + best.bound < math.inf else lost


def q_error(solution: Solution) -> float:
    """Return how far q, computed from the values, can be from the true one: γ times their error, and rounding.

    A row of n outcomes is rounded by (n + 4) 2^-52 of its parts |r| and γ Σ p |v| at most, twice what is needed for
    products and sums, so that the rounding of p, r and γ themselves is in it.
    """
    mdp = solution.mdp
    reward = max(_largest(np.abs(x)) for x in (mdp.r, mdp.reward) if x is not None)
    size = reward + mdp.gamma * _largest(np.abs(solution.v))
    return solution.bound + (int(np.diff(mdp.row_ptr).max(initial=0)) + 4) * 2.0**-52 * size


def _largest(distances: Floats) -> float:
    """The largest of them that is not below 0."""
    return float(np.max(distances, initial=0.0))
