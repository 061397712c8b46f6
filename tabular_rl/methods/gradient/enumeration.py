"""Every episode of a small problem in rational arithmetic: the moments of estimators by their definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError
from tabular_rl.methods.exact.stationary import exact_start
from tabular_rl.methods.gradient.estimators import WHOLE, checked_name
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy, as_softmax
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy

EPISODES = 100_000  # most that are enumerated
Rationals = NDArray[np.object_]


@dataclass(frozen=True)
class Episode:
    """Rows and outcomes taken, rewards received (the last with γ final(s')) and states s_0 ... s_n."""

    probability: Fraction
    rows: tuple[int, ...]
    outcomes: tuple[int, ...]
    rewards: tuple[Fraction, ...]
    states: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Enumerated:
    """Mean (d,) and covariance (d, d) of an estimator, the gradient ∇J (d,): Fractions; the number of episodes."""

    mean: Rationals
    covariance: Rationals
    gradient: Rationals
    episodes: int


@public
def enumerate_episodes(policy: SoftmaxPolicy | Policy, *, horizon: int | None = None) -> list[Episode]:
    """Return all episodes of a finite horizon, with exact probabilities.

    >>> bandit = MDP([[[1.0], [1.0]]], [[1, 0]], 1, horizon=2)
    >>> [str(e.probability) for e in enumerate_episodes(Policy.uniform(bandit))]
    ['1/4', '1/4', '1/4', '1/4']
    """
    softmax, T = _softmax_and_horizon(policy, horizon)
    mdp, pi = softmax.mdp, softmax.policy.rationals()
    outcomes = [mdp.rational_outcomes(i) for i in range(mdp.L)]
    final = _final(mdp)
    done: list[Episode] = []
    going = [Episode(p, (), (), (), (s,)) for s, p in enumerate(exact_start(mdp)) if p]
    while going:
        e = going.pop()
        s, t = e.states[-1], len(e.rows)
        if mdp.terminal[s] or t == T:
            done.append(e)
        for i in mdp.rows(s) if t < T else ():
            for k, (s2, p, r) in enumerate(outcomes[i], start=int(mdp.row_ptr[i])) if pi[i] else ():
                last = mdp.gamma_exact * final[s2] if t + 1 == T else 0
                taken = (*e.rows, i), (*e.outcomes, k), (*e.rewards, r + last), (*e.states, s2)
                going.append(Episode(e.probability * pi[i] * p, *taken))
        if max(len(done), len(going)) > EPISODES:
            raise OptionError(
                f"enumeration: found more than {EPISODES:,} episodes; use estimator_moments, or a shorter horizon"
            )
    return done


def _softmax_and_horizon(policy: SoftmaxPolicy | Policy, horizon: int | None) -> tuple[SoftmaxPolicy, int]:
    softmax = as_softmax(policy)
    T = softmax.mdp.horizon if horizon is None else horizon
    if T is None or T < 1:
        raise OptionError(
            "enumeration: found no horizon, expected one: without it there is no end to episodes"
        )
    return softmax, T


def _final(mdp: MDP) -> list[Fraction]:
    if mdp.final_reward is None:
        return [Fraction(0)] * mdp.S
    exact = mdp.exact.final_reward if mdp.exact is not None else None
    return list(exact) if exact is not None else [Fraction(float(x)) for x in mdp.final_reward]


@public
def enumerated_moments(
    policy: SoftmaxPolicy | Policy,
    estimator: str = "return",
    *,
    discounted: bool = True,
    horizon: int | None = None,
) -> Enumerated:
    """Return mean and covariance of an estimator as a sum over all episodes, exactly.

    The gradient beside it is E[ R(τ) Σ_t ∇log π(a_t|s_t) ] over the same episodes.

    Parameters
    ----------
    policy, estimator, discounted, horizon : as for `estimator_moments`; λ of "gae:λ" as the float it is

    Returns
    -------
    Enumerated

    Raises
    ------
    OptionError : no horizon, or more than 100,000 episodes

    Examples
    --------
    >>> bandit = MDP([[[1.0], [1.0]]], [[1, 0]], 1, horizon=1)
    >>> nine = Policy.of_probs(bandit, {"0": {"0": "9/10", "1": "1/10"}})
    >>> [str(enumerated_moments(nine, e).covariance.trace()) for e in ("return", "return-mean", "return-best")]
    ['9/5000', '72/625', '0']
    """
    kind, trace = checked_name(estimator)
    softmax, T = _softmax_and_horizon(policy, horizon)
    gamma = softmax.mdp.gamma_exact
    every, x = enumerate_episodes(softmax, horizon=horizon), _scores(softmax)
    w = gamma if discounted and kind not in WHOLE else Fraction(1)

    zero: Rationals = np.array([Fraction(0)] * x.shape[1], dtype=object)

    def mean(f: Callable[[Episode], Any]) -> Any:
        return sum((e.probability * f(e) for e in every[1:]), every[0].probability * f(every[0]))

    def score(e: Episode) -> Rationals:
        """Σ_t ∇log π(a_t|s_t)"""
        return sum((x[i] for i in e.rows), zero)

    def weighted(e: Episode, psi: Sequence[Fraction]) -> Rationals:
        """Σ_t w^t ∇log π(a_t|s_t) Ψ_t"""
        return sum((w**t * y * x[i] for t, (i, y) in enumerate(zip(e.rows, psi, strict=True))), zero)

    def whole(e: Episode) -> Fraction:
        return _returns(e, gamma)[0]

    if kind in WHOLE:
        b = Fraction(0)
        if kind == "return-mean":
            b = mean(whole)
        elif kind == "return-best" and (below := mean(lambda e: _dot(score(e), score(e)))):
            b = mean(lambda e: _dot(score(e), score(e)) * whole(e)) / below
        estimates = [score(e) * (whole(e) - b) for e in every]
    elif kind.startswith("reward-to-go"):
        going = {e: weighted(e, _returns(e, gamma)[:-1]) for e in every}
        baseline = _baseline(kind, softmax, T, going, x, w)
        estimates = [
            going[e] - weighted(e, [baseline(t, s) for t, s in enumerate(e.states[:-1])]) for e in every
        ]
    else:
        v, q = _values(softmax, T)
        estimates = [weighted(e, _psi(kind, gamma * Fraction(trace), e, gamma, v, q)) for e in every]
    known = dict(zip(every, estimates, strict=True))
    first = mean(known.__getitem__)
    second = mean(lambda e: np.outer(known[e], known[e]))
    return Enumerated(first, second - np.outer(first, first), mean(lambda e: whole(e) * score(e)), len(every))


def _returns(e: Episode, gamma: Fraction) -> list[Fraction]:
    """R_t of each step of an episode, and 0 after the last."""
    out = [Fraction(0)]
    for r in reversed(e.rewards):
        out.append(r + gamma * out[-1])
    return out[::-1]


def _baseline(
    kind: str, softmax: SoftmaxPolicy, T: int, going: dict[Episode, Rationals], x: Rationals, w: Fraction
) -> Callable[[int, int], Fraction]:
    """b_t(s) of a form with the reward to go; `going` are its estimates without a baseline.

    E|g|² is least where b_t(s) E[w^2t |x|² 1{s_t = s}] = E[w^t x·g 1{s_t = s}], g without baseline.
    """
    if kind == "reward-to-go":
        return lambda *_: Fraction(0)
    if kind == "reward-to-go-value":
        v, _ = _values(softmax, T)
        return lambda t, s: v[t][s]
    above: dict[tuple[int, int], Fraction] = {}
    under: dict[tuple[int, int], Fraction] = {}
    for e, g in going.items():
        for at, i in zip(enumerate(e.states), e.rows, strict=False):
            above[at] = above.get(at, Fraction(0)) + e.probability * w ** at[0] * _dot(x[i], g)
            under[at] = under.get(at, Fraction(0)) + e.probability * w ** (2 * at[0]) * _dot(x[i], x[i])
    return lambda t, s: above[t, s] / under[t, s] if under[t, s] else Fraction(0)


def _psi(
    kind: str,
    decay: Fraction,
    e: Episode,
    gamma: Fraction,
    v: list[list[Fraction]],
    q: list[list[Fraction]],
) -> list[Fraction]:
    """Ψ_t of each step of an episode, of a form that reads values."""
    n = len(e.rows)
    if kind == "q":
        return [q[t][i] for t, i in enumerate(e.rows)]
    # r_t + γ v_{t+1}(s_{t+1}), where v_T is the final reward, which stands in the last reward already
    target = [
        r + (gamma * v[t + 1][e.states[t + 1]] if t + 1 < len(q) else 0) for t, r in enumerate(e.rewards)
    ]
    if kind == "bootstrap":
        return target
    delta = [y - v[t][e.states[t]] for t, y in enumerate(target)]
    return [sum((decay ** (k - t) * delta[k] for k in range(t, n)), Fraction(0)) for t in range(n)]


def _dot(a: Rationals, b: Rationals) -> Fraction:
    return sum((y * z for y, z in zip(a, b, strict=True)), Fraction(0))


def _scores(softmax: SoftmaxPolicy) -> Rationals:
    """∇log π of each row (L, d), exactly."""
    mdp, pi = softmax.mdp, softmax.policy.rationals()
    if softmax.features is None:
        x = np.array([[Fraction(int(i == j)) for j in range(mdp.L)] for i in range(mdp.L)], dtype=object)
    else:
        x = np.array([[Fraction(float(y)) for y in row] for row in softmax.features], dtype=object)
    out = x.copy()
    for s in range(mdp.S):
        for i in mdp.rows(s):
            out[i] = x[i] - sum((pi[j] * x[j] for j in mdp.rows(s)), np.array([Fraction(0)] * x.shape[1]))
    return out


def _values(softmax: SoftmaxPolicy, T: int) -> tuple[list[list[Fraction]], list[list[Fraction]]]:
    """v_t (T + 1, S) and q_t (T, L), exactly."""
    mdp, pi = softmax.mdp, softmax.policy.rationals()
    v = [_final(mdp)]
    q: list[list[Fraction]] = []
    for _ in range(T):
        after: list[Any] = v[-1]
        now = []
        for i in range(mdp.L):
            to, r = mdp.rational(i)
            now.append(r + mdp.gamma_exact * sum((p * after[s2] for s2, p in to), Fraction(0)))
        q.append(now)
        v.append([sum((pi[i] * now[i] for i in mdp.rows(s)), Fraction(0)) for s in range(mdp.S)])
    return v[::-1], q[::-1]
