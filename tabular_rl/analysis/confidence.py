"""How far the model of a log can be from the truth, and what follows for values: with a stated confidence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.region import Region
from tabular_rl.errors import NotAnswerable, OptionError
from tabular_rl.model import hooks
from tabular_rl.model.calls import Option
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import policy_of
from tabular_rl.solving.solution import Floats

Ints = NDArray[np.int64]
CONFIDENCE = Option(
    "confidence", float, "probability that the interval is right", low=0.5, high=0.999999, optional=True
)


@dataclass(frozen=True, eq=False, repr=False)
class Confidence(hooks.Shown):
    """Intervals of values that hold together with a probability of at least `level`, before the log is made.

    `lower` and `upper` (S,) enclose the values of the best policy of the true model, or of a given one (`given`); these
    hold for all policies at once, also for one that is chosen by the log. `start` is the interval of the value of the
    start of the estimate. `radius` (L,) is how far each row can be from the shares, in the sum of absolute
    differences; `reward_low` and `reward_high` (L,) enclose the mean rewards of pairs. All this is so if rewards lie in
    `reward_range` (those of the log are in `seen`), and the process has no other states, and no other pairs, than those
    of the log.
    """

    mdp: MDP
    level: float
    lower: Floats
    upper: Floats
    start: tuple[float, float]
    radius: Floats
    reward_low: Floats
    reward_high: Floats
    reward_range: tuple[float, float]
    given: bool = False
    seen: tuple[float, float] = (-math.inf, math.inf)

    def __repr__(self) -> str:
        return f"Confidence(level={self.level:.10g}, start=({self.start[0]:.6g}, {self.start[1]:.6g}))"

    def __str__(self) -> str:
        return str(hooks.text_of(self))


def row_radius(n: Ints, S: int, pairs: int, risk: float) -> Floats:
    """Return how far shares of n samples can be from the probabilities of S outcomes, in Σ|p̂ - p|, for many pairs.

        P(|p̂ - p|₁ ≥ ε) ≤ (2^S - 2) exp(-n ε² / 2)

    for a number n that is fixed. In a log, n depends on what happened: the risk is shared among all n, 1 / n(n+1) for
    each, and among the pairs. So the radius holds for all pairs at once and whatever made the log, but with probability
    `risk`.

    Parameters
    ----------
    n : samples of each pair (L,), one at least
    S : number of states
    pairs : how many pairs share the risk
    risk : probability that a radius is too small

    Returns
    -------
    (L,), at most 2

    Sources
    -------
    Weissman, Ordentlich, Seroussi, Verdú & Weinberger (2003), Theorem 2.1.

    Examples
    --------
    >>> row_radius(np.array([10, 1000, 10**6]), S=2, pairs=1, risk=0.05).round(3).tolist()
    [1.348, 0.191, 0.008]
    """
    terms = S * math.log(2) + math.log(pairs / risk) + np.log(n) + np.log1p(n)
    return np.minimum(np.sqrt(2 * terms / n) * (1 + 1e-12), 2.0)


def reward_radius(n: Ints, width: float, pairs: int, risk: float) -> Floats:
    """Return how far means of n rewards can be from the truth, for rewards in a range of this width.

        P(|r̂ - r| ≥ t) ≤ 2 exp(-2 n t² / width²)

    shared among all n and the pairs as in `row_radius`.

    Parameters
    ----------
    n : samples of each pair (L,), one at least
    width : of the range of rewards
    pairs : how many pairs share the risk
    risk : probability that a radius is too small

    Returns
    -------
    (L,), at most the width

    Sources
    -------
    Hoeffding (1963), Theorem 2.

    Examples
    --------
    >>> reward_radius(np.array([1, 100]), width=1.0, pairs=1, risk=0.05).round(3).tolist()
    [1.0, 0.254]
    """
    terms = math.log(2 * pairs / risk) + np.log(n) + np.log1p(n)
    return np.minimum(width * np.sqrt(terms / (2 * n)) * (1 + 1e-12), width)


def confidence_of(
    mdp: MDP,
    counts: Ints,
    level: Any = 0.95,
    *,
    policy: Any = None,
    reward_range: Any = None,
    seen: tuple[float, float] = (-math.inf, math.inf),
) -> Confidence:
    """Return intervals of the values of the process that a log is of, from how often each outcome was seen.

    Parameters
    ----------
    mdp : the estimate
    counts : how often each of its outcomes was seen (K,)
    level : probability with which all intervals hold
    policy : whose values are meant; by default the best one of the true model
    reward_range : (low, high), in which all rewards of the process lie; by default those that were `seen`
    seen : the least and the largest reward of the log

    Returns
    -------
    Confidence

    Raises
    ------
    NotAnswerable : γ = 1, for which a region holds models without finite values
    OptionError : a level or a range out of range
    """
    confidence = CONFIDENCE.check(level)
    if mdp.gamma >= 1:
        raise NotAnswerable(
            "found γ = 1, at which some models near the estimate never end; expected a discount below 1"
        )
    low, high = _checked_range(reward_range, seen)
    begins = np.asarray(mdp.row_ptr[:-1], dtype=np.intp)
    tries = np.add.reduceat(counts, begins)
    row = np.repeat(np.arange(mdp.L), np.diff(mdp.row_ptr))
    prob = counts / tries[row]
    mean = np.add.reduceat(prob * mdp.outcome_reward, begins)
    pairs = int((~mdp.terminal).sum()) * mdp.A
    risk = 1 - confidence
    constant = low == high
    radius = row_radius(tries, mdp.S, pairs, risk if constant else risk / 2)
    off = reward_radius(tries, high - low, pairs, risk / 2) + 2.0**-48 * max(abs(low), abs(high))
    least = np.clip(mean - off, low, high)
    most = np.clip(mean + off, low, high)
    pi = None
    if policy is not None:
        pi = policy_of(mdp, policy).weights
        if pi.ndim > 1:
            raise OptionError("policy: found one that depends on time, expected one that does not")
    lower, upper = Region(mdp, prob, radius, least, most).bounds(pi)
    start = _mean(mdp.start, lower, -1), _mean(mdp.start, upper, 1)
    return Confidence(
        mdp, confidence, lower, upper, start, radius, least, most, (low, high), policy is not None, seen
    )


def _mean(weights: Floats, x: Floats, way: int) -> float:
    """Return Σ w x, rounded outward."""
    off = 2.0**-52 * (len(x) + 2) * float(np.abs(x).max(initial=0.0))
    return float(weights @ x) + way * off


def _checked_range(given: Any, seen: tuple[float, float]) -> tuple[float, float]:
    """Return the range in which rewards lie; OptionError where rewards were seen that do not."""
    if given is None:
        return seen
    try:
        low, high = (float(x) for x in given)
    except (TypeError, ValueError):
        raise OptionError(f"--reward-range: found {given!r}, expected two numbers, LOW and HIGH") from None
    if not (math.isfinite(low) and math.isfinite(high) and low <= seen[0] and seen[1] <= high):
        expected = f"expected a range with the rewards of the log, {seen[0]:g} to {seen[1]:g}"
        raise OptionError(f"--reward-range: found {low:g} to {high:g}, {expected}")
    return low, high
