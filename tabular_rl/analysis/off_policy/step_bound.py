"""A bound for estimates that are shares of weight at each step: the mean at a step, tested step by step.

W_t is the weight ρ_0 ... ρ_t of an episode (one that has ended keeps its weight), X_t what it has at step t (0 after
its end), and x_t = E_π[X_t]. Then

    E[ W_t (X_t - x_t) ] = 0,

as E[W_t X_t] = x_t and E[W_t] = 1. So x_t is, but for a risk δ_t, among the numbers x for which the mean of
W_t (X_t - x) is no further from 0 than the bounds of `concentrated_ratio` allow. All steps hold at once with the sum of
the risks, and with them Σ_t γ^t x_t.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import numpy as np

from tabular_rl.analysis.off_policy.confidence import concentrated_ratio
from tabular_rl.analysis.off_policy.episodes import Ints
from tabular_rl.analysis.off_policy.ranges import Pair, widened
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.sampling import Floats

MOST_WORK = 2e8  # episodes times steps that are tested; later steps count by their range


class Step(NamedTuple):
    """The largest weight at a step, and between which numbers lies what has a weight."""

    weight: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Weights:
    """Episodes (n) with the episode, the step, the weight ρ_0 ... ρ_t and the X_t of each transition (N,)."""

    n: int
    of: Ints
    t: Ints
    weight: Floats
    x: Floats

    def by_step(self) -> Iterator[tuple[Floats, Floats]]:
        """W_t and X_t of all episodes (n,), step by step, as long as one is going on."""
        order = np.argsort(self.t, kind="stable")
        ends = np.concatenate([[0], np.cumsum(np.bincount(self.t))])
        w = np.zeros(self.n)
        for at, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            now, x = order[at:end], np.zeros(self.n)
            w[self.of[now]], x[self.of[now]] = self.weight[now], self.x[now]
            yield w, x


def steps_of_model(
    mdp: MDP, policy: Policy, behavior: Policy, of: Callable[[int], tuple[Floats, Floats]], stops: bool
) -> Iterator[Step]:
    """Yield the ranges of steps 0, 1, ... in a model, as long as an episode of π can go on.

        M_0(s) = 1 where episodes begin,   M_{t+1}(s') = max_{s,a} M_t(s) ρ_t(s,a)  over moves to s' that π makes

    is the largest weight with which an episode is in a state, and where that is terminal, one ends.

    Parameters
    ----------
    mdp, policy, behavior : the model, whose support is taken for the truth, π and b
    of : X_t of the outcomes at a step, least and largest (K,)
    stops : whether an episode may be cut off at any time

    Returns
    -------
    The ranges, a little wider.
    """
    there, row, to = mdp.prob > 0, mdp.outcome_row, mdp.next_state
    most = np.where((mdp.start > 0) & ~mdp.terminal, 1.0, 0.0)
    ended = 0.0
    for t in count():
        pi, b = (x[min(t, len(x) - 1)] if x.ndim == 2 else x for x in (policy.weights, behavior.weights))
        rho = np.divide(pi, b, out=np.zeros_like(pi), where=b > 0)
        before = most[mdp.pair_state]
        weight = np.multiply(before, rho, out=np.zeros_like(rho), where=(before > 0) & (rho > 0))[row]
        used = there & (weight > 0)
        if not used.any():
            return
        if stops and t:
            ended = max(ended, float(most.max()))
        least, largest = of(t)
        low, high = float(least[used].min()), float(largest[used].max())
        if ended:
            low, high = min(low, 0.0), max(high, 0.0)
        yield Step(max(float(weight[used].max()), ended) * (1 + 1e-9), *widened(low, high))
        most = np.zeros(mdp.S)
        np.maximum.at(most, to[used], weight[used])
        ended = max(ended, float(most[mdp.terminal].max(initial=0.0)))
        most[mdp.terminal] = 0.0


def steps_of_numbers(ratio: float, of: Callable[[int], Pair]) -> Iterator[Step]:
    """Yield the ranges of steps 0, 1, ... where no more is known than the largest ρ.

    Parameters
    ----------
    ratio : the largest ρ
    of : the least and the largest X_t of episodes that are going on at a step

    Returns
    -------
    The ranges, without an end.

    Examples
    --------
    >>> steps = steps_of_numbers(2.0, lambda t: (1.0, 3.0))
    >>> [[round(x, 6) for x in next(steps)] for _ in range(2)]
    [[2.0, 1.0, 3.0], [4.0, 0.0, 3.0]]
    """
    weight, most = 1.0, 0.0
    for t in count():
        weight *= ratio
        most = max(most, weight)
        low, high = of(t)
        if t:
            low, high = min(low, 0.0), max(high, 0.0)
        yield Step(most * (1 + 1e-9), *widened(low, high))


def risks(delta: float, horizon: int | None) -> Iterator[float]:
    """Yield δ_0, δ_1, ..., whose sum is at most δ: δ / T each, or δ / ((t + 1) (t + 2)) without a horizon.

    >>> from itertools import islice
    >>> list(islice(risks(0.5, 4), 2)), list(islice(risks(0.75, None), 2))
    ([0.125, 0.125], [0.375, 0.125])
    """
    for t in count():
        yield delta / horizon if horizon else delta / ((t + 1) * (t + 2))


def summed(
    log: Weights, steps: Iterator[Step], risk: Iterator[float], gamma: float, limit: int | None, later: Pair
) -> Pair:
    """Return an interval for Σ_t γ^t x_t, x_t = E_π[X_t], with the sum of the risks.

    Where the log has no step any more, x_t lies in its range.

    Parameters
    ----------
    log : W_t and X_t of the episodes, drawn independently; the ranges and risks must not depend on them
    steps : the ranges of W_t and X_t; an end says that X_t is 0 from there on
    risk : δ_t
    gamma, limit : discount, and the most steps of an episode, None for no limit
    later : between which numbers Σ_{k ≥ t} γ^{k-t} x_k / Σ_{k ≥ t} γ^{k-t} lies at any t

    Returns
    -------
    Both ends, infinite where there is none.

    Examples
    --------
    One step, W = 2 or 0 and X = 1: the mean of W (1 - x) is near 0 at x = 1 alone, which only the range 0 to 1 makes an
    interval of: ε(x) = 2 √(ln(2 · 2 / .1) / 2n) at n = 10,000 is .0272, and x ≥ 1 - .0272.

    >>> log = Weights(10_000, np.arange(10_000), np.zeros(10_000, int), np.tile([2.0, 0.0], 5_000), np.ones(10_000))
    >>> low, high = summed(log, iter([Step(2.0, 0.0, 1.0)]), risks(0.1, 1), 1.0, 1, (0.0, 1.0))
    >>> 1 - 0.0272 < low < high < 1 + 1e-8
    True
    """
    low, high, decay, tested = 0.0, 0.0, 1.0, 0
    for w, x in log.by_step():
        step, delta = next(steps, None), next(risk)
        if step is None:
            return low, high
        if log.n * (tested + 1) > MOST_WORK or decay == 0.0:
            break
        ends: Pair = step.low, step.high
        if math.isfinite(step.weight) and step.low < step.high:
            ends = concentrated_ratio(w, x, (0.0, step.weight), ends, 1 - delta)
        low, high = low + decay * ends[0], high + decay * ends[1]
        decay, tested = decay * gamma, tested + 1
    if (limit is not None and tested >= limit) or decay == 0.0 or next(steps, None) is None:
        return low, high
    if gamma < 1:
        rest = (decay - (0.0 if limit is None else gamma**limit)) / (1 - gamma)
    else:
        rest = math.inf if limit is None else float(limit - tested)
    least, most = min(later[0], 0.0), max(later[1], 0.0)
    return low + (least * rest if least else 0.0), high + (most * rest if most else 0.0)
