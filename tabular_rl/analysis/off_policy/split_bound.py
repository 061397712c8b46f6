"""Bounds for the doubly robust estimators: a model of half of the episodes, corrected by the other half.

The model of the first ⌊n/2⌋ episodes is fixed when the others are looked at: q̂ and v̂ = Σ_a π q̂ are numbers, right or
wrong. With the errors of the others

    e_t = r_t + γ v̂(s_{t+1}) - q̂(s_t,a_t),   V_0 = v̂(s_0) + Σ_t γ^t ρ_{0:t} e_t

is their doubly robust value. E_b[ρ_t q̂(s_t,a_t) | s_t] = v̂(s_t), so that the sum telescopes and E[V_0] = J whatever q̂
is: the V_0 are independent numbers of a known range with the mean J. The weighted form is the mean of v̂(s_0) plus
Σ_t γ^t Σ_i w_t e_t, whose steps are tested as those of rewards are, with J = E[v̂(s_0)] + Σ_t γ^t E_π[e_t].
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tabular_rl.analysis.off_policy.confidence import concentrated
from tabular_rl.analysis.off_policy.episodes import NOWHERE, Episodes
from tabular_rl.analysis.off_policy.modelled import Modelled
from tabular_rl.analysis.off_policy.ranges import Outcomes, Pair, ranges_of_numbers, sums_of_outcomes, widened
from tabular_rl.analysis.off_policy.step_bound import (
    Step,
    Weights,
    risks,
    steps_of_model,
    steps_of_numbers,
    summed,
)
from tabular_rl.analysis.off_policy.sums import Sums
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.sampling import Floats


@dataclass(frozen=True, eq=False)
class Critic:
    """v̂ (S,) and q̂ (L,) at a time, of all states and rows of the model; 0 where half of the log knows nothing."""

    mdp: MDP
    sums: Sums
    v_there: Floats
    q_there: Floats

    @classmethod
    def of(cls, mdp: MDP, sums: Sums, c: Floats) -> Critic | None:
        """Those of the episodes that c (n,) counts; None where π has no value in their model."""
        with np.errstate(all="ignore"):
            v, q = (x[:, 0] for x in Modelled.of(sums, c[None]).values)
        return cls(mdp, sums, v, q) if np.isfinite(v).all() and np.isfinite(q).all() else None

    def v(self, t: int) -> Floats:
        """v̂ at a time (S,)."""
        found = np.zeros(self.mdp.S)
        found[self.sums.states] = self.v_there[min(t, len(self.v_there) - 1)]
        return found

    def q(self, t: int) -> Floats:
        """q̂ at a time (L,)."""
        found = np.zeros(self.mdp.L)
        found[self.sums.rows] = self.q_there[min(t, len(self.q_there) - 1)]
        return found

    def errors(self, e: Episodes) -> Floats:
        """r_t + γ v̂(s_{t+1}) - q̂(s_t,a_t) of the transitions (N,); v̂ is 0 after an end."""
        here, then = (np.minimum(e.t + k, len(x) - 1) for k, x in ((0, self.q_there), (1, self.v_there)))
        to = np.searchsorted(self.sums.states, np.maximum(e.s2, 0))
        to = np.minimum(to, self.sums.S - 1)
        v = np.where(e.s2 == NOWHERE, 0.0, self.v_there[then, to])
        found: Floats = (
            e.reward + e.mdp.gamma * v - self.q_there[here, np.searchsorted(self.sums.rows, e.row)]
        )
        return found

    def outcome_errors(self, t: int, rewards: Outcomes) -> Outcomes:
        """The errors of the outcomes (K,) at a time, least and largest."""
        mdp = self.mdp
        more = mdp.gamma * self.v(t + 1)[mdp.next_state] - self.q(t)[mdp.outcome_row]
        return rewards[0] + more, rewards[1] + more

    def error_range(self, rewards: Pair) -> Pair:
        """Between which numbers an error lies, wherever it is."""
        v, q = self.v_there, self.q_there
        low = rewards[0] + self.mdp.gamma * float(v.min(initial=0.0)) - float(q.max(initial=0.0))
        high = rewards[1] + self.mdp.gamma * float(v.max(initial=0.0)) - float(q.min(initial=0.0))
        return low, high


@dataclass(frozen=True, eq=False)
class Setting:
    """What is known apart from the log: b and the outcomes of a model, or the largest ρ and `rewards` alone.

    `limit` is the most steps of an episode, None for no limit, and `stops` says whether one may be cut off before.
    `rewards` are the least and the largest.
    """

    policy: Policy
    behavior: Policy | None
    outcomes: Outcomes | None
    ratio: float
    rewards: Pair
    limit: int | None
    stops: bool


def split(sums: Sums) -> tuple[Floats, int]:
    """Return the weighting (n,) that counts the first ⌊n/2⌋ episodes, and their number."""
    half = sums.n // 2
    c = np.zeros(sums.n)
    c[:half] = 1.0
    return c, half


def split_bounds(
    e: Episodes, weight: Floats, critic: Critic, half: int, known: Setting, level: float
) -> dict[str, Pair]:
    """Return the intervals of both doubly robust estimators from the episodes after the first half.

    They hold, with probability `level` or more each, the J of a process that earns v̂ where it is cut off.

    Parameters
    ----------
    e : the log
    weight : ρ_0 ... ρ_t (N,)
    critic : v̂ and q̂ of the first episodes
    half : how many these are
    known : apart from the log
    level : of each interval

    Returns
    -------
    Intervals by estimator, infinite where there is none.
    """
    n, gamma, horizon = len(e) - half, e.mdp.gamma, e.horizon
    late = e.of >= half
    of, t, w, x = e.of[late] - half, e.t[late], weight[late], critic.errors(e)[late]
    first = critic.v(0)[e.s[e.first[half:]]]
    values = first + np.bincount(of, weights=gamma**t * w * x, minlength=n)
    among, begin = _ranges(critic, known)
    found = {"doubly-robust": concentrated(values, among, level)}
    if not all(map(math.isfinite, among)):
        found["doubly-robust"] = (-math.inf, math.inf)
    risk = risks(1 - level, None if horizon is None else horizon + 1)
    start = concentrated(first, begin, 1 - next(risk))
    start = max(start[0], begin[0]), min(start[1], begin[1])
    low, high = min(known.rewards[0], 0.0), max(known.rewards[1], 0.0)
    least, most = summed(
        Weights(n, of, t, w, x), _steps(critic, known), risk, gamma, known.limit, (low - high, high - low)
    )
    return found | {"weighted-doubly-robust": (start[0] + least, start[1] + most)}


def _ranges(critic: Critic, known: Setting) -> tuple[Pair, Pair]:
    """The ranges of V_0 and of v̂(s_0)."""
    mdp, policy, rewards = critic.mdp, known.policy, known.outcomes
    if rewards is not None:
        assert known.behavior is not None
        begin = (mdp.start > 0) & ~mdp.terminal
        v = critic.v(0)[begin]
        low, high = sums_of_outcomes(
            mdp, policy, known.behavior, known.limit, known.stops, lambda t: critic.outcome_errors(t, rewards)
        )
        among = float((v + low[begin]).min()), float((v + high[begin]).max())
        return widened(*among), widened(float(v.min()), float(v.max()))
    v = critic.v_there[0]
    first = float(v.min(initial=0.0)), float(v.max(initial=0.0))
    more = ranges_of_numbers(known.ratio, critic.error_range(known.rewards), mdp.gamma, known.limit)
    return (first[0] + more.per_decision[0], first[1] + more.per_decision[1]), first


def _steps(critic: Critic, known: Setting) -> Iterator[Step]:
    """The ranges of weights and errors, step by step."""
    rewards = known.outcomes
    if rewards is None:
        ends = critic.error_range(known.rewards)
        return steps_of_numbers(known.ratio, lambda _t: ends)
    assert known.behavior is not None
    return steps_of_model(
        critic.mdp, known.policy, known.behavior, lambda t: critic.outcome_errors(t, rewards), known.stops
    )
