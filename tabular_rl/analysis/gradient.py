"""The policy gradient and its estimators: exact moments, and beside them what is sampled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabular_rl.errors import NoFiniteAnswer
from tabular_rl.methods.gradient._episodes import Episodes
from tabular_rl.methods.gradient.estimators import ESTIMATORS
from tabular_rl.methods.gradient.exact import Gradient, exact_gradient
from tabular_rl.methods.gradient.moments import Moments, all_moments
from tabular_rl.methods.gradient.sample import sample_gradient
from tabular_rl.methods.gradient.sampled import Sampled
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy

NOTHING = 1e-10  # share of the largest that rounding may leave of 0
MOST_PAIRS = 600  # state-action pairs up to which all estimators are computed without being named
MOST_WORK = 4e8  # pairs² times steps of a horizon
MOST_EPISODES = 10_000  # played without being asked for
PLAYED = 1e9  # steps × pairs × estimators, and episodes × pairs² × estimators, played without being asked for
LONGEST = 20_000  # expected steps of an episode up to which episodes are played without being asked for


@dataclass(frozen=True, eq=False)
class Estimator:
    """An estimator: its exact moments, and what was sampled of it."""

    moments: Moments
    sampled: Sampled | None = None

    @property
    def error(self) -> float:
        """How far the sampled mean is from the exact one, |ḡ - E g| / √(trace / n): its square is 1 on average."""
        if self.sampled is None or not self.sampled.episodes:
            return math.nan
        distance = float(np.linalg.norm(self.sampled.mean - self.moments.mean))
        if self.trace == 0.0:
            return 0.0 if distance <= NOTHING * float(np.linalg.norm(self.moments.mean)) else math.inf
        return distance / math.sqrt(self.trace / self.sampled.episodes)

    @property
    def trace(self) -> float:
        """The trace of the covariance; 0 where it is no more than rounding."""
        return without_rounding(self.moments.trace, float(self.moments.mean @ self.moments.mean))


@dataclass(frozen=True, eq=False)
class GradientStudy:
    """A gradient and its estimators.

    `policy` is what the policy is called; episodes end after each step with probability 1 - γ where `stopping`, and
    after `steps` where that is given; `discounted` is False where a step does not count γ^t, and the bias for the
    reward without discount is known too.
    `left_out` says why there are no estimators, or no samples of them; `given` is what a log says of the estimators.
    """

    policy: str
    found: Gradient
    estimators: tuple[Estimator, ...] = ()
    stopping: bool = False
    steps: int | None = None
    discounted: bool = True
    left_out: str = ""
    given: tuple[Sampled, ...] = ()

    @property
    def mdp(self) -> MDP:
        """The model of the policy."""
        return self.found.policy.mdp

    @property
    def zero(self) -> bool:
        """Whether the gradient is 0 but for rounding."""
        return bool(np.abs(self.found.gradient).max(initial=0.0) <= self.rounding)

    @property
    def rounding(self) -> float:
        """What rounding may leave of an entry that is 0: a share of visits times the largest |q|."""
        return 1e-12 * float(np.abs(self.found.q).max(initial=0.0)) * float(self.found.visits.sum())

    @property
    def sampled(self) -> Sampled | None:
        """What was sampled of the first estimator; None where nothing was."""
        return self.estimators[0].sampled if self.estimators else None

    def distance(self, of: Sampled) -> float:
        """How far the mean over a log is from ∇J, in standard errors √(trace / n) of the log itself."""
        apart = float(np.linalg.norm(of.mean - self.found.gradient))
        if of.trace <= NOTHING * float(of.mean @ of.mean):
            return 0.0 if apart <= NOTHING * self.found.norm + self.rounding else math.inf
        return apart / math.sqrt(of.trace / of.episodes)

    def cosine(self, of: Sampled) -> float:
        """The cosine of the angle between the mean over a log and ∇J; nan where one of them is 0."""
        lengths = float(np.linalg.norm(of.mean)) * self.found.norm
        return float(of.mean @ self.found.gradient) / lengths if lengths > 0 and not self.zero else math.nan

    def bias(self, of: Moments, total: bool = False) -> float:
        """The largest entry of a bias; 0 where it is no more than rounding, nan where there is no objective."""
        bias = of.total_bias if total else of.bias
        if bias is None:
            return math.nan
        spread = math.sqrt(max(of.covariance.diagonal().max(initial=0.0), 0.0))
        largest = float(np.abs(bias).max(initial=0.0))
        return 0.0 if largest <= self.rounding else without_rounding(largest, max(self.found.norm, spread))


def without_rounding(x: float, scale: float) -> float:
    """Return a number, 0 where it is no more than rounding may leave of the scale.

    >>> without_rounding(1e-17, 1.0), without_rounding(0.25, 1.0)
    (0.0, 0.25)
    """
    return 0.0 if abs(x) <= NOTHING * abs(scale) else x


def gradient_study(
    policy: Policy,
    estimators: Sequence[str] = (),
    *,
    name: str = "given",
    discounted: bool = True,
    steps: int | None = None,
    episodes: int | None = None,
    seed: int = 0,
    time_limit: float | None = None,
    sampling: AbstractContextManager[Any] | None = None,
    data: Any = None,
    behavior: Any = None,
    importance: str = "per-decision",
) -> GradientStudy:
    """Return the exact gradient at a policy, and the estimators that were asked for, or all that take no long time.

    Parameters
    ----------
    policy : where; a softmax policy with the same probabilities takes its place
    estimators : names, by default all of them, where the model is small
    name : what the policy is called
    discounted : whether a step counts γ^t
    steps : without a horizon, cut episodes off after this many steps, instead of stopping them
    episodes, seed, time_limit : how many to sample, by default as many as take no long time; seconds for all
    sampling : entered while episodes are sampled
    data, behavior, importance : episodes of a log to estimate from instead, as for `sample_gradient`

    Returns
    -------
    GradientStudy

    Examples
    --------
    Rewards 1 and 0 with probability 1/2 each: ∂J/∂θ = π (r - J) = 1/2 (1 - 1/2).

    >>> mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 1, horizon=1)
    >>> found = gradient_study(Policy.uniform(mdp), ["return"], episodes=0)
    >>> found.found.J, found.found.gradient.tolist()
    (0.5, [0.25, -0.25])
    """
    softmax = SoftmaxPolicy.of(policy)
    mdp = softmax.mdp
    gradient = exact_gradient(softmax)
    names = list(dict.fromkeys(estimators)) or list(ESTIMATORS)
    discounted = discounted or not mdp.discounted
    if data is not None:
        log = {"data": data, "behavior": behavior, "importance": importance, "discounted": discounted}
        given = _of_log(softmax, names, bool(estimators), log)
        return GradientStudy(name, gradient, discounted=discounted, given=given)
    if not estimators and (mdp.L > MOST_PAIRS or mdp.L**2 * (mdp.horizon or 1) > MOST_WORK):
        why = f"estimators left out: each covariance has {mdp.L} × {mdp.L} entries; name an --estimator to have it"
        return GradientStudy(name, gradient, discounted=True, left_out=why)
    stopping = False if not discounted and not mdp.problem.timed and steps is None else None
    ends: dict[str, Any] = {"stopping": stopping, "steps": steps, "discounted": discounted}
    moments = all_moments(softmax, names, **ends)
    walk, left_out = Episodes(softmax, stopping=stopping, steps=steps), ""
    if episodes is None:
        length = float(walk.forth(1.0, walk.begin).sum())
        work = mdp.L * len(names)
        episodes = int(min(MOST_EPISODES, max(PLAYED / (work * max(length, mdp.L, 1.0)), 1)))
        if length > LONGEST:
            episodes = 0
            left_out = f"no episodes are sampled, as one takes {length:.3g} steps; --episodes asks for them"
    sampled: list[Sampled | None] = [None] * len(names)
    if episodes:
        with sampling or nullcontext():
            sampled = list(
                sample_gradient(softmax, names, episodes=episodes, seed=seed, time_limit=time_limit, **ends)
            )
    found = tuple(Estimator(m, s) for m, s in zip(moments, sampled, strict=True))
    return GradientStudy(name, gradient, found, walk.stopping, steps, discounted, left_out)


def _of_log(
    softmax: SoftmaxPolicy, names: Sequence[str], asked: bool, log: dict[str, Any]
) -> tuple[Sampled, ...]:
    """What a log says of each estimator; without those that need an end of all episodes, unless they are asked for."""
    found: list[Sampled] = []
    for name in names:
        try:
            found += sample_gradient(softmax, [name], **log)
        except NoFiniteAnswer:
            if asked:
                raise
    return tuple(found)
