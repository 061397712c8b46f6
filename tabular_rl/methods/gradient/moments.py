"""The exact mean and covariance of every estimator of the policy gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tabular_rl.errors import NoFiniteAnswer, OptionError
from tabular_rl.methods.gradient._episodes import Episodes, at
from tabular_rl.methods.gradient.estimators import (
    ESTIMATORS,
    Form,
    first_of_row,
    look_ahead,
    make_form,
    score_return,
    square_of_row,
)
from tabular_rl.methods.gradient.exact import exact_gradient
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy, as_softmax, check_size
from tabular_rl.model.calls import public
from tabular_rl.model.policy import Policy

Floats = NDArray[np.float64]

Z = 1.645  # the quantile of 95% of the normal distribution


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean (d,) and covariance (d, d) of one episode's estimate, and what it should be.

    `discounted` (d,) is the gradient of the model's own objective; `total` (d,) that of the reward without discount,
    None where it is not finite. `form` is the estimator in numbers.
    """

    estimator: str
    mean: Floats
    covariance: Floats
    discounted: Floats
    total: Floats | None
    form: Form

    @property
    def trace(self) -> float:
        """The trace of the covariance: the mean squared distance from the mean."""
        return float(np.trace(self.covariance))

    @property
    def bias(self) -> Floats:
        """Mean less the gradient of the model's objective, (d,)."""
        return self.mean - self.discounted

    @property
    def total_bias(self) -> Floats | None:
        """Mean less the gradient of the total reward without discount, (d,)."""
        return None if self.total is None else self.mean - self.total

    @property
    def samples_needed(self) -> float:
        """Episodes after which the mean of the estimates points uphill with probability 95%.

        N = 1.645² gᵀΣg / (g·E[g(τ)])² with g = ∇J, by the normal approximation: below stands |g|⁴ where there is no
        bias. inf where the mean points downhill, nan where g = 0.
        """
        if not self.discounted.any():
            return math.nan
        g = self.discounted / np.abs(self.discounted).max()  # N is the same for any length of g
        uphill = float(g @ self.mean)
        return Z**2 * float(g @ self.covariance @ g) / uphill**2 if uphill > 0 else math.inf


@public
def estimator_moments(
    policy: SoftmaxPolicy | Policy,
    estimator: str = "return",
    *,
    discounted: bool = True,
    horizon: int | None = None,
    stopping: bool | None = None,
    steps: int | None = None,
    values: ArrayLike | None = None,
    action_values: ArrayLike | None = None,
) -> Moments:
    """Return the exact mean and covariance of an estimator, by recursion over the steps.

    With x the score, Ψ_t = Y_t - b and Y_t = y + κ Y_{t+1}, the sum G_t = x (Y_t - b) + w G_{t+1} has

        E[G Gᵀ] = Σ_t w^2t E[ x xᵀ (Y_t - b)² + w x ((Y_t - b) G_{t+1})ᵀ + w ((Y_t - b) G_{t+1}) xᵀ ]

    for which E[Y], E[Y²], E[G] and E[G Y] of each state are found backward; no table (S, d, d) is needed. Forms of the
    whole return split R - b into what is past and what is to come.

    Parameters
    ----------
    policy : a SoftmaxPolicy, or a Policy with positive probabilities; or mdp, policy: any policy of a model
    estimator : a name of `estimators`
    discounted : the weight γ^t, without which the forms that have it are biased at γ < 1
    horizon : number of steps T; default that of the model
    stopping : without a horizon, at γ < 1: end after each step with probability 1 - γ, undiscounted then (default);
        False: episodes that never end
    steps : cut episodes off after this many instead of stopping; biased. Values remain those of whole episodes.
    values : v (S,), or (T + 1, S) with a horizon, of a critic instead of exact ones
    action_values : q (L,) of a critic, for "q"

    Returns
    -------
    Moments

    Raises
    ------
    NoFiniteAnswer : sums of scores without weight over episodes that never end
    NumericalError : rewards whose squares are beyond the range of floats
    OptionError : an unknown estimator, or tables that are too large

    Sources
    -------
    Greensmith, Bartlett & Baxter (2004); Schulman et al. (2016), generalized advantages; Nota & Thomas (2020).

    Examples
    --------
    A bandit with π = (.9, .1), rewards (1, 0): the baseline E[R] makes the estimate worse.

    >>> from tabular_rl.model.mdp import MDP
    >>> bandit = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 1, horizon=1)
    >>> policy = SoftmaxPolicy(bandit, np.log([9.0, 1.0]))
    >>> [round(estimator_moments(policy, name).trace, 12) + 0.0 for name in ("return", "return-mean", "return-best")]
    [0.0018, 0.1152, 0.0]
    """
    softmax = as_softmax(policy)
    episodes = Episodes(softmax, horizon=horizon, stopping=stopping, steps=steps)
    form = make_form(episodes, estimator, discounted=discounted, values=values, action_values=action_values)
    mean, covariance = form_moments(episodes, form)
    return Moments(estimator, mean, covariance, *_both_gradients(episodes), form)


@public
def all_moments(
    policy: SoftmaxPolicy | Policy,
    estimators: Iterable[str] = ESTIMATORS,
    *,
    discounted: bool = True,
    horizon: int | None = None,
    stopping: bool | None = None,
    steps: int | None = None,
) -> list[Moments]:
    """Return the exact moments of several estimators, which share what is the same.

    Parameters
    ----------
    policy : a SoftmaxPolicy, or a Policy with positive probabilities; or mdp, policy: any policy of a model
    estimators : their names, such as "return" or "gae:0.95"; default ESTIMATORS
    discounted, horizon, stopping, steps : as in estimator_moments

    Returns
    -------
    A Moments for each name, in their order: mean (d,) and covariance (d, d) of the estimate of one episode, and the
    gradients (d,) that it may be an estimate of.

    Raises
    ------
    NoFiniteAnswer : sums of scores without weight over episodes that never end
    NumericalError : rewards whose squares are beyond the range of floats
    OptionError : an unknown estimator, or tables that are too large
    """
    softmax = as_softmax(policy)
    episodes = Episodes(softmax, horizon=horizon, stopping=stopping, steps=steps)
    gradients = _both_gradients(episodes)
    made = []
    for name in estimators:
        form = make_form(episodes, name, discounted=discounted)
        made.append(Moments(name, *form_moments(episodes, form), *gradients, form))
    return made


def _both_gradients(episodes: Episodes) -> tuple[Floats, Floats | None]:
    """∇J of the model, and of the model without discount (None where that is not finite)."""
    softmax, mdp = episodes.policy, episodes.asked
    found = exact_gradient(softmax, horizon=mdp.horizon).gradient
    if not mdp.discounted:
        return found, found
    try:
        return found, exact_gradient(_undiscounted(softmax), horizon=mdp.horizon).gradient
    except NoFiniteAnswer:
        return found, None


def _undiscounted(softmax: SoftmaxPolicy) -> SoftmaxPolicy:
    made = SoftmaxPolicy(softmax.mdp.replace(gamma=1, on_entry=False), softmax.theta, softmax.features)
    made.policy = softmax.policy.replace_model(made.mdp)
    return made


def form_moments(episodes: Episodes, form: Form) -> tuple[Floats, Floats]:
    """Mean (d,) and covariance (d, d) of an estimator in numbers."""
    d = episodes.policy.d
    check_size(d * d, f"covariance: {d} parameters take a matrix of", "features")
    mean, square, cross = (_whole if form.whole else _step_by_step)(episodes, form)
    x = episodes.policy.scores
    both = x.T @ cross
    second = x.T @ (square[:, None] * x) + both + both.T
    return mean, second - np.outer(mean, mean)


def _step_by_step(episodes: Episodes, form: Form) -> tuple[Floats, Floats, Floats]:
    """E[g], and what stands with x xᵀ (L,) and with x (L, d) in E[g gᵀ]."""
    x, pi, of = episodes.policy.scores, episodes.pi, episodes.mdp.pair_state
    k, w = form.decay, form.weight
    m1, m2 = look_ahead(episodes, form)

    def less(t: int) -> Floats:
        return np.asarray(first_of_row(episodes, form, m1, t) - form.b(t)[of])

    G = episodes.back(w, lambda t: episodes.mix(x * less(t)[:, None]))

    def with_future(t: int) -> Floats:
        own = square_of_row(episodes, form, m1, m2, t) - form.b(t)[of] * first_of_row(episodes, form, m1, t)
        out = episodes.mix(x * own[:, None])
        if w:
            out += w * episodes.mix(episodes.outcomes(episodes.later(G, t), form.y(t)))
        return np.asarray(out)

    # E[G_t Y_t | s]; where nothing decays into the next step it is not asked for
    GY = episodes.back(w * k, with_future) if k else np.zeros((1, *G.shape[1:]))
    there = episodes.forth(w * w, episodes.begin)
    square, cross = np.zeros(len(pi)), np.zeros(x.shape)
    for t in range(len(there)):
        weight, b, first = there[t][of] * pi, form.b(t)[of], first_of_row(episodes, form, m1, t)
        square += weight * (square_of_row(episodes, form, m1, m2, t) - 2 * b * first + b * b)
        ahead = episodes.later(G, t)
        u = episodes.outcomes(ahead, form.y(t)) - b[:, None] * episodes.outcomes(ahead)
        if k:
            u += k * episodes.outcomes(episodes.later(GY, t))
        cross += (weight * w)[:, None] * u
    return np.asarray(episodes.begin @ G[0]), square, cross


def _whole(episodes: Episodes, form: Form) -> tuple[Floats, Floats, Floats]:
    """The same for H (R - b), H the sum of all scores: R - b = past_t + γ^t R_t, and E[H_t | s] = 0."""
    x, pi, of = episodes.policy.scores, episodes.pi, episodes.mdp.pair_state
    k, b = form.decay, float(form.baseline[0, 0])
    m1, m2 = look_ahead(episodes, form)
    a1 = score_return(episodes, form, m1)  # E[R_t H_t | s]

    def ahead(t: int) -> Any:
        """2 γ E[r_t R_{t+1} H_{t+1} | row], (L, d)."""
        return 2 * k * episodes.outcomes(episodes.later(a1, t), form.y(t))

    # E[R_t² H_t | s]
    a2 = episodes.back(
        k * k, lambda t: episodes.mix(x * square_of_row(episodes, form, m1, m2, t)[:, None] + ahead(t))
    )
    # Weights γ^2t Pr, E[2 γ^t past], E[past²] of each state at t
    now2 = episodes.forth(k * k, episodes.begin)

    def to_now1(t: int) -> Floats:
        return np.asarray(2 * k * episodes.inflow(at(now2, t)[of] * pi, form.y(t)))

    now1 = episodes.forth(k, -2 * b * episodes.begin, to_now1)

    def to_now0(t: int) -> Floats:
        y = form.y(t)
        first = episodes.inflow(at(now1, t)[of] * pi, y)
        return np.asarray(first + episodes.inflow(at(now2, t)[of] * pi, y * y))

    now0 = episodes.forth(1.0, b * b * episodes.begin, to_now0)
    square, cross = np.zeros(len(pi)), np.zeros(x.shape)
    for t in range(len(now2)):
        n2, n1, n0 = (n[t][of] * pi for n in (now2, now1, now0))
        square += (
            n2 * square_of_row(episodes, form, m1, m2, t) + n1 * first_of_row(episodes, form, m1, t) + n0
        )
        later1 = k * episodes.outcomes(episodes.later(a1, t))
        later2 = ahead(t) + k * k * episodes.outcomes(episodes.later(a2, t))
        cross += n2[:, None] * later2 + n1[:, None] * later1
    return np.asarray(episodes.begin @ a1[0]), square, cross


# -- the identity behind it all ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Identity:
    """Both sides of the score identity, and the covariance (d, d) of one sample of the right one."""

    gradient: Floats
    mean: Floats
    covariance: Floats


@public
def score_identity(p: ArrayLike, f: ArrayLike, jacobian: ArrayLike | None = None) -> Identity:
    """Return both sides of ∇ E[f(X)] = E[f(X) ∇log p(X)] for a discrete distribution.

    Parameters
    ----------
    p : the probabilities (n,)
    f : the function (n,)
    jacobian : dp/dθ (n, d); default that of a softmax, diag(p) - p pᵀ

    Returns
    -------
    Identity

    Raises
    ------
    OptionError : no distribution, or p(x) = 0 with a derivative: the score does not exist there

    Sources
    -------
    Williams (1992); Glynn (1990), the likelihood-ratio method.

    Examples
    --------
    A coin with p = θ heads: ∇ E[f] = f(heads) - f(tails), whatever θ is.

    >>> found = score_identity([0.25, 0.75], [3.0, 1.0], [[1.0], [-1.0]])
    >>> found.gradient.tolist(), found.mean.round(12).tolist()
    ([2.0], [2.0])
    """
    try:
        p, f = np.array(p, dtype=np.float64), np.array(f, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError("score identity: expected two arrays of numbers (n,)") from None
    if p.ndim != 1 or f.shape != p.shape or not (p >= 0).all() or abs(math.fsum(p) - 1) > len(p) * 2.0**-50:
        raise OptionError("score identity: expected probabilities (n,) that sum to 1 and a function (n,)")
    slope = np.diag(p) - np.outer(p, p) if jacobian is None else np.array(jacobian, dtype=np.float64)
    if slope.ndim != 2 or len(slope) != len(p) or not np.isfinite(slope).all() or not np.isfinite(f).all():
        raise OptionError(f"jacobian: found shape {slope.shape}, expected ({len(p)}, d) finite numbers")
    here = p > 0
    if slope[~here].any():
        raise OptionError(
            "score identity: found p(x) = 0 with a derivative that is not 0: ∇log p does not exist there"
        )
    score = slope[here] / p[here][:, None]
    sample = f[here][:, None] * score
    mean = p[here] @ sample
    return Identity(f @ slope, mean, (sample * p[here][:, None]).T @ sample - np.outer(mean, mean))
