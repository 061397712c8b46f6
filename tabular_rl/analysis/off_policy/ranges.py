"""Between which numbers a weighted return can lie: what a concentration bound has to know.

    X = ρ_0 (r_0 + γ X'),   so that   max X(s) = max_a ρ(s,a) max_{r, s'} (r + γ max X(s'))

over the actions that b takes and the outcomes that there are; least numbers likewise. ρ is not negative, so that the
recursion is exact for per-decision weights. For whole episodes, W G = ρ_0 (W' r_0 + γ W' G'), it bounds the two parts
apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.sampling import Floats

MOST_WORK = 1e8  # outcomes times steps that are looked at
ROUNDING = 1e-9  # share by which a range is widened

Pair = tuple[float, float]
Outcomes = tuple[Floats, Floats]  # the least and the largest number of each outcome (K,)


@dataclass(frozen=True)
class Ranges:
    """Least and largest of a return under π, of an episode's weight, of weighted returns; infinite where not known."""

    value: Pair
    weight: Pair
    ordinary: Pair
    per_decision: Pair


@dataclass(frozen=True)
class _Ends:
    """The least and the largest number from each state on."""

    low: Floats
    high: Floats


@dataclass(frozen=True)
class _World:
    """Outcomes (K,) of rows (L,) of states (S,), with their rewards; with `stops` episodes may stop anywhere."""

    S: int
    row_state: NDArray[np.int64]
    row_ptr: NDArray[np.int64]
    to: NDArray[np.int64]
    low: Floats
    high: Floats
    gamma: float
    stops: bool

    def back(self, x: _Ends, rho: Floats, used: NDArray[np.bool_], rest: float) -> _Ends:
        """The ends of ρ x over the outcomes x (K,) of the rows in use; `rest` at states without such rows."""
        high = rho * np.maximum.reduceat(x.high, self.row_ptr[:-1])
        low = rho * np.minimum.reduceat(x.low, self.row_ptr[:-1])
        most, least = np.full(self.S, -math.inf), np.full(self.S, math.inf)
        np.maximum.at(most, self.row_state[used], high[used])
        np.minimum.at(least, self.row_state[used], low[used])
        if self.stops:
            most, least = np.maximum(most, rest), np.minimum(least, rest)
        ended = ~np.isfinite(most) & (most < 0)
        return _Ends(np.where(ended, rest, least), np.where(ended, rest, most))

    def sums(self, then: _Ends) -> _Ends:
        """r + γ x' of each outcome (K,)."""
        low, high = self.low + self.gamma * then.low[self.to], self.high + self.gamma * then.high[self.to]
        return _Ends(low, high)

    def ahead(self, then: _Ends) -> _Ends:
        """x' of each outcome (K,)."""
        there = self.low <= self.high
        return _Ends(
            np.where(there, then.low[self.to], math.inf), np.where(there, then.high[self.to], -math.inf)
        )

    def weighed(self, w: _Ends, then: _Ends) -> _Ends:
        """W' r + γ x' of each outcome (K,), the two parts apart."""
        there = self.low <= self.high
        low, high = np.where(there, self.low, 0.0), np.where(there, self.high, 0.0)
        least = np.minimum(low * w.low[self.to], low * w.high[self.to]) + self.gamma * then.low[self.to]
        most = np.maximum(high * w.low[self.to], high * w.high[self.to]) + self.gamma * then.high[self.to]
        return _Ends(np.where(there, least, math.inf), np.where(there, most, -math.inf))


def ranges(
    mdp: MDP, policy: Policy, behavior: Policy, limit: int | None, stops: bool, rewards: Pair | None
) -> Ranges:
    """Return the ranges in a model, from its start.

    Parameters
    ----------
    mdp : the model, whose support is taken for the truth
    policy, behavior : π and b
    limit : the most steps of an episode, None for no limit
    stops : whether an episode may be cut off before
    rewards : least and largest reward, instead of those of the model's outcomes

    Returns
    -------
    Ranges, infinite where there is no limit or it is too far to look.
    """
    own = mdp.outcome_reward
    low, high = (own, own) if rewards is None else (np.full(mdp.K, rewards[0]), np.full(mdp.K, rewards[1]))
    begin = mdp.start > 0
    pi, b = policy.weights, behavior.weights
    return _found(_world(mdp, low, high, stops), pi, b, limit, begin)


def _world(mdp: MDP, low: Floats, high: Floats, stops: bool) -> _World:
    """A model whose outcomes (K,) have numbers from low to high; what has probability 0 is not there."""
    there = mdp.prob > 0
    return _World(
        mdp.S,
        mdp.pair_state.astype(np.int64),
        mdp.row_ptr.astype(np.int64),
        mdp.next_state.astype(np.int64),
        np.where(there, low, math.inf),
        np.where(there, high, -math.inf),
        mdp.gamma,
        stops,
    )


def sums_of_outcomes(
    mdp: MDP, policy: Policy, behavior: Policy, limit: int | None, stops: bool, of: Callable[[int], Outcomes]
) -> Outcomes:
    """Return the least and the largest Σ_t γ^t ρ_{0:t} x_t from each state on (S,), x_t one of its outcome at time t.

    Parameters
    ----------
    mdp, policy, behavior : the model, whose support is taken for the truth, π and b
    limit : the most steps of an episode, None for no limit, where nothing depends on time
    stops : whether an episode may be cut off before
    of : x_t of the outcomes at time t, least and largest (K,)

    Returns
    -------
    Both (S,), infinite where there is no limit or it is too far to look.
    """
    pi, b = policy.weights, behavior.weights
    steps = mdp.S + 2 if limit is None else limit
    x = _Ends(np.zeros(mdp.S), np.zeros(mdp.S))
    far = steps * mdp.K > MOST_WORK
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(-1 if far else steps - 1, -1, -1):
            pi_t, b_t = (y[min(t, len(y) - 1)] if y.ndim == 2 else y for y in (pi, b))
            rho = np.divide(pi_t, b_t, out=np.zeros_like(b_t), where=b_t > 0)
            world, last = _world(mdp, *of(t), stops), x
            x = world.back(world.sums(x), rho, b_t > 0, 0.0)
            if limit is None and _same(last, x):
                return x.low, x.high
        if limit is not None and not far:
            return x.low, x.high
        ends = _geometric(
            _world(mdp, *of(0), stops), pi, b, Ranges(*[(-math.inf, math.inf)] * 4)
        ).per_decision
        if mdp.horizon is not None:
            ends = -math.inf, math.inf  # what depends on time is not that of time 0
        return np.full(mdp.S, ends[0]), np.full(mdp.S, ends[1])


def ranges_of_numbers(ratio: float, rewards: Pair, gamma: float, limit: int | None) -> Ranges:
    """Return the ranges where no more is known than the largest ρ and the least and largest reward.

    Parameters
    ----------
    ratio, rewards : the largest ρ; the least and the largest reward
    gamma, limit : discount, and the most steps of an episode, None for no limit

    Returns
    -------
    Ranges

    Examples
    --------
    >>> ranges_of_numbers(2.0, (0.0, 1.0), 1.0, 2).per_decision
    (0.0, 6.000000006)
    """
    one, zero = np.ones(1), np.zeros(1, dtype=np.int64)
    world = _World(1, zero, np.array([0, 1]), zero, one * rewards[0], one * rewards[1], gamma, True)
    return _found(world, one, one / ratio, limit, np.ones(1, dtype=bool), stretched=True)


def _found(
    world: _World, pi: Floats, b: Floats, limit: int | None, begin: NDArray[np.bool_], stretched: bool = False
) -> Ranges:
    """The ranges by steps back from the end, or from where nothing changes any more."""
    endless = Ranges(*[(-math.inf, math.inf)] * 4)
    steps = world.S + 2 if limit is None else limit
    # Looking further than this takes too long; what is known then is that of endless episodes.
    far = steps * len(world.to) > MOST_WORK
    zero, one = _Ends(np.zeros(world.S), np.zeros(world.S)), _Ends(np.ones(world.S), np.ones(world.S))
    v, w, whole, decisions, settled = zero, one, zero, zero, False
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(-1 if far else steps - 1, -1, -1):
            pi_t, b_t = (x[min(t, len(x) - 1)] if x.ndim == 2 else x for x in (pi, b))
            acts = b_t > 0
            rho = np.divide(pi_t, b_t, out=np.zeros_like(b_t), where=acts)
            last = v, w, whole, decisions
            both = world.weighed(w, whole)
            v = world.back(world.sums(v), np.ones_like(rho), (pi_t > 0), 0.0)
            whole = world.back(both, rho, acts, 0.0)
            decisions = world.back(world.sums(decisions), rho, acts, 0.0)
            w = world.back(world.ahead(w), rho, acts, 1.0)
            if stretched:
                w = replace(w, low=np.zeros(world.S))
            now = v, w, whole, decisions
            if max(pi.ndim, b.ndim) == 1 and all(_same(x, y) for x, y in zip(last, now, strict=True)):
                settled = True
                break
        if settled or (limit is not None and not far):
            return Ranges(*(_from(x, begin) for x in (v, w, whole, decisions)))
        return _geometric(world, pi, b, endless)


def _geometric(world: _World, pi: Floats, b: Floats, endless: Ranges) -> Ranges:
    """What a geometric series says: γ < 1 of returns, γ max ρ < 1 of per-decision weights."""
    low = min(float(world.low[np.isfinite(world.low)].min(initial=0.0)), 0.0)
    high = max(float(world.high[np.isfinite(world.high)].max(initial=0.0)), 0.0)
    gamma = world.gamma
    rho = float(np.divide(pi, b, out=np.zeros(np.broadcast_shapes(pi.shape, b.shape)), where=b > 0).max())

    def series(factor: float, scale: float) -> Pair:
        if factor >= 1:
            return -math.inf, math.inf
        return widened(scale * low / (1 - factor), scale * high / (1 - factor))

    return replace(endless, value=series(gamma, 1.0), per_decision=series(gamma * rho, rho))


def _same(x: _Ends, y: _Ends) -> bool:
    return np.array_equal(x.low, y.low, equal_nan=True) and np.array_equal(x.high, y.high, equal_nan=True)


def _from(x: _Ends, begin: NDArray[np.bool_]) -> Pair:
    """The ends over the first states, a little wider; infinite where a number is none."""
    low, high = float(x.low[begin].min()), float(x.high[begin].max())
    return widened(low, high) if math.isfinite(low) and math.isfinite(high) else (-math.inf, math.inf)


def widened(low: float, high: float) -> Pair:
    """Return both ends, a little further apart, for their rounding."""
    more = ROUNDING * max(abs(low), abs(high))
    return low - more if low else low, high + more if high else high
