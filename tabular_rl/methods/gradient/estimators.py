"""Estimators of the policy gradient: random vectors g(τ) of one episode.

    g(τ) = Σ_t w_t ∇log π(a_t|s_t) Ψ_t

    name                     Ψ_t                                  with exact values unbiased for
    return                   R(τ) = Σ_k γ^k r_k                   J, where w_t = 1
    return-mean              R(τ) - E[R]                          J, where w_t = 1
    return-best              R(τ) - b*                            J, where w_t = 1
    reward-to-go             R_t = Σ_{k≥t} γ^(k-t) r_k            J, where w_t = γ^t
    reward-to-go-value       R_t - v(s_t)                         J, where w_t = γ^t
    reward-to-go-best        R_t - b*(s_t)                        J, where w_t = γ^t
    q                        q(s_t, a_t)                          J, where w_t = γ^t
    bootstrap                r_t + γ v(s_{t+1})                   J, where w_t = γ^t
    advantage                r_t + γ v(s_{t+1}) - v(s_t)          J, where w_t = γ^t
    gae:λ                    Σ_{k≥t} (γλ)^(k-t) δ_k               J, where w_t = γ^t

J is the discounted objective. Forms with the whole return have w_t = 1 always. With w_t = 1 (`discounted=False`) and
γ < 1 the others are, in general, unbiased neither for J nor for the total reward without discount. At γ = 1 all is one.
b* minimises the trace of the covariance: among numbers, and among functions of the state (and of time, with a horizon).
The "advantage" here is δ_t, whose mean given (s, a) is the advantage A(s, a).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tabular_rl.errors import OptionError, closest, quoted
from tabular_rl.methods.gradient._episodes import Episodes, at
from tabular_rl.methods.gradient.softmax import check_size
from tabular_rl.model.decisions import array_of

Floats = NDArray[np.float64]

WHOLE = ("return", "return-mean", "return-best")
ESTIMATORS = (
    *WHOLE,
    "reward-to-go",
    "reward-to-go-value",
    "reward-to-go-best",
    "q",
    "bootstrap",
    "advantage",
    "gae:0.95",
)
CRITICS = ("reward-to-go-value", "bootstrap", "advantage", "gae")  # the forms that read values

OUTCOMES = "gradient: one entry an outcome and a step takes", "a shorter horizon"
SELDOM = 1e-280  # weight below which a state at a time has no baseline: smaller numbers lose their digits


@dataclass(frozen=True, eq=False)
class Form:
    """An estimator in numbers: Ψ_t = Y_t - b_t(s_t) with Y_t = y_t + decay Y_{t+1}; Ψ_t = Y_0 - b_0 where `whole`.

    `signal` y (1, K) or (T, K) has an entry an outcome; `baseline` (1, S) or (T, S), or (1, 1) where `whole`; the last
    row of each holds from there on. w_t = weight^t.
    """

    name: str
    whole: bool
    signal: Floats
    decay: float
    baseline: Floats
    weight: float

    @cached_property
    def _layers(self) -> list[Floats]:
        return list(
            self.signal
        )  # views that stay the same objects, as `Episodes.weighted` keeps the matrix of one

    def y(self, t: int) -> Floats:
        """y of step t, (K,)."""
        return self._layers[min(t, len(self.signal) - 1)]

    def b(self, t: int) -> Floats:
        """The baseline of step t, (S,)."""
        return np.asarray(at(self.baseline, t))


def checked_name(name: str) -> tuple[str, float]:
    """Return the name of an estimator and its λ; OptionError where there is none of that name.

    >>> checked_name("gae:0.9"), checked_name("q")
    (('gae', 0.9), ('q', 0.0))
    """
    kind, _, number = str(name).partition(":")
    if kind == "gae":
        try:
            trace = float(number)
        except ValueError:
            trace = -1.0
        if not 0.0 <= trace <= 1.0:
            raise OptionError(f"--estimator: found {quoted(name)}, expected gae:λ with λ from 0 to 1")
        return kind, trace
    if name not in ESTIMATORS:
        known = [*ESTIMATORS[:-1], "gae:LAMBDA"]
        raise OptionError(
            f"--estimator: found {quoted(name)}, expected one of {', '.join(known)}{closest(str(name), known)}"
        )
    return kind, 0.0


def make_form(
    episodes: Episodes,
    name: str,
    *,
    discounted: bool = True,
    values: ArrayLike | None = None,
    action_values: ArrayLike | None = None,
) -> Form:
    """Return an estimator in numbers, with exact values or with those of a critic.

    Parameters
    ----------
    episodes : the episodes of a policy
    name : one of ESTIMATORS, or "gae:λ"
    discounted : w_t = γ^t, else 1; forms of the whole return have 1 always
    values : v (S,), or (T + 1, S) with a horizon, of a critic, in the sign of the model; default the exact ones
    action_values : q (L,), or (T, L) with a horizon, of a critic, for "q"; default the exact ones

    Returns
    -------
    Form, in the sign of the model.

    Raises
    ------
    OptionError : an unknown estimator, values that it does not read or of another shape, or tables that are too large
    NumericalError : rewards whose squares are beyond the range of floats
    """
    kind, trace = checked_name(name)
    episodes.check_squares()
    gamma = episodes.gamma
    w = gamma if discounted and kind not in WHOLE else 1.0
    v = critic_values(episodes, values)
    if values is not None and kind not in CRITICS:
        raise OptionError(
            f"values: found for {quoted(name)}, which reads none; expected with {', '.join(CRITICS)}"
        )
    if action_values is not None and kind != "q":
        raise OptionError(f"action_values: found for {quoted(name)}, which reads none; expected with q")
    baseline, layers = np.zeros((1, episodes.mdp.S)), max(len(v) - 1, 1)
    if kind in WHOLE:
        constants = {"return-mean": mean_return, "return-best": best_constant}
        b = constants[kind](episodes) if kind in constants else 0.0
        return Form(name, True, rewards(episodes), gamma, np.full((1, 1), b), 1.0)
    if kind.startswith("reward-to-go"):
        if kind == "reward-to-go-value":
            baseline = v[:layers]
        elif kind == "reward-to-go-best":
            baseline = best_baseline(episodes, w)
        return Form(name, False, rewards(episodes), gamma, baseline, w)
    row = episodes.mdp.outcome_row
    if kind == "q":
        q = episodes.q if action_values is None else critic_actions(episodes, action_values)
        return Form(name, False, q[:, row], 0.0, baseline, w)
    check_size(layers * episodes.mdp.K, *OUTCOMES)
    y = np.stack(
        [episodes.reward + gamma * episodes.later(v, t)[episodes.mdp.next_state] for t in range(layers)]
    )
    if kind == "bootstrap":
        return Form(name, False, y, 0.0, baseline, w)
    y -= v[:layers, episodes.mdp.pair_state[row]]
    return Form(name, False, y, gamma * trace, baseline, w)


def rewards(episodes: Episodes) -> Floats:
    """The rewards (1, K); with a final reward (T, K), where the last row holds γ final(s') too."""
    if episodes.final is None or not episodes.final.any():
        return np.asarray(episodes.reward)[None]
    check_size(episodes.layers * episodes.mdp.K, *OUTCOMES)
    y = np.tile(episodes.reward, (episodes.layers, 1))
    y[-1] += episodes.gamma * episodes.final[episodes.mdp.next_state]
    return y


def critic_values(episodes: Episodes, values: ArrayLike | None) -> Floats:
    """The values that a form reads, (T + 1, S) or (1, S): exact ones, or those given, 0 where an episode ends.

    Values (S,) for a horizon hold at all times but the last, which pays the final reward.
    """
    if values is None:
        return episodes.v
    given = np.array(array_of(values, "values", np.float64))
    S, T = episodes.asked.S, episodes.steps
    if given.shape == (S,):
        v = given[None] if not episodes.timed else np.tile(given, (episodes.layers + 1, 1))
        if episodes.timed:
            v[-1] = 0.0 if episodes.final is None else episodes.final
    elif episodes.timed and given.shape == (episodes.layers + 1, S):
        v = given
    else:
        more = f" or ({episodes.layers + 1}, {S})" if episodes.timed and T else ""
        raise OptionError(f"values: found shape {given.shape}, expected ({S},){more}")
    if episodes.stopping:
        v = np.concatenate([v, np.zeros((1, 1))], axis=1)
    v = np.where(episodes.end, 0.0, v)
    if not np.isfinite(v).all():
        raise OptionError("values: found one that is not finite, expected finite numbers")
    return np.asarray(v)


def critic_actions(episodes: Episodes, values: ArrayLike) -> Floats:
    """Return the action values of a critic, (1, L) or (T, L)."""
    q = np.array(array_of(values, "action_values", np.float64))
    L, T = episodes.mdp.L, episodes.layers if episodes.timed else 1
    if q.shape not in ((L,), (T, L)) or not np.isfinite(q).all():
        raise OptionError(
            f"action_values: found shape {q.shape}, expected ({L},) or ({T}, {L}) finite numbers"
        )
    return np.atleast_2d(q)


# -- the best baselines -------------------------------------------------------------------------------------------


def mean_return(episodes: Episodes) -> float:
    """E[R] of an episode, as it is played: to the end, or up to the cut."""
    form = Form("", True, rewards(episodes), episodes.gamma, np.zeros((1, 1)), 1.0)
    return float(episodes.begin @ look_ahead(episodes, form)[0][0])


def look_ahead(episodes: Episodes, form: Form) -> tuple[Floats, Floats]:
    """E[Y_t | s] and E[Y_t² | s]: (T + 1, S) each, or (1, S)."""
    m1 = episodes.back(form.decay, lambda t: episodes.mix(episodes.outcomes(None, form.y(t))))

    def square(t: int) -> Floats:
        y = form.y(t)
        cross = episodes.outcomes(episodes.later(m1, t), y)
        return np.asarray(episodes.mix(episodes.outcomes(None, y * y) + 2 * form.decay * cross))

    return m1, episodes.back(form.decay**2, square)


def first_of_row(episodes: Episodes, form: Form, m1: Floats, t: int) -> Floats:
    """E[Y_t | row], (L,).

    Parameters
    ----------
    episodes, form : the episodes of a policy, and the estimator in numbers
    m1 : E[Y | s] of each step, (T + 1, S) or (1, S), as `look_ahead` returns it
    t : the step

    Returns
    -------
    (L,), in the sign of the model.
    """
    y = episodes.outcomes(None, form.y(t))
    return np.asarray(y + form.decay * episodes.outcomes(episodes.later(m1, t)))


def square_of_row(episodes: Episodes, form: Form, m1: Floats, m2: Floats, t: int) -> Floats:
    """E[Y_t² | row], (L,).

    Parameters
    ----------
    episodes, form : the episodes of a policy, and the estimator in numbers
    m1, m2 : E[Y | s] and E[Y² | s] of each step, (T + 1, S) or (1, S), as `look_ahead` returns them
    t : the step

    Returns
    -------
    (L,), in units of reward squared.
    """
    y = form.y(t)
    cross = episodes.outcomes(episodes.later(m1, t), y)
    square = episodes.outcomes(episodes.later(m2, t))
    return np.asarray(
        episodes.outcomes(None, y * y) + 2 * form.decay * cross + form.decay * form.decay * square
    )


def score_return(episodes: Episodes, form: Form, m1: Floats) -> Floats:
    """E[H Y_t | s], H the sum of scores from t on: (T + 1, S, d) or (1, S, d), with the discount of the form.

    Parameters
    ----------
    episodes, form : the episodes of a policy, and the estimator in numbers
    m1 : E[Y | s] of each step, (T + 1, S) or (1, S), as `look_ahead` returns it

    Returns
    -------
    One vector for each step and state; one for each state where there is no last step.
    """
    x = episodes.policy.scores
    return episodes.back(form.decay, lambda t: episodes.mix(x * first_of_row(episodes, form, m1, t)[:, None]))


def best_constant(episodes: Episodes) -> float:
    """b* = E[R |H|²] / E[|H|²], H = Σ_t ∇log π(a_t|s_t): the constant of least trace; 0 where H = 0.

    Bandit, π = (.9, .1) and rewards (1, 0): |H|² is .02 and 1.62, so b* = .018 / (.018 + .162) = .1.
    """
    form = Form("", True, rewards(episodes), episodes.gamma, np.zeros((1, 1)), 1.0)
    x, gamma, pi, of = episodes.policy.scores, episodes.gamma, episodes.pi, episodes.mdp.pair_state
    norm = np.einsum("ld,ld->l", x, x)
    m1, _ = look_ahead(episodes, form)
    a = score_return(episodes, form, m1)
    # R = past + γ^t R_t: now = γ^t Pr, past = E[past 1{s_t}], there = Pr.
    there = episodes.forth(1.0, episodes.begin)
    now = episodes.forth(gamma, episodes.begin)
    past = episodes.forth(
        1.0,
        np.zeros(episodes.mdp.S),
        lambda t: episodes.inflow(at(now, t)[of] * pi, form.y(t)),
    )
    top = bottom = 0.0
    for t in range(len(there)):
        ahead = episodes.outcomes(episodes.later(a, t))
        later = norm * first_of_row(episodes, form, m1, t) + 2 * gamma * np.einsum("ld,ld->l", x, ahead)
        top += float(np.sum(pi * (now[t][of] * later + past[t][of] * norm)))
        bottom += float(np.sum(pi * there[t][of] * norm))
    return top / bottom if bottom > 0 else 0.0


def best_baseline(episodes: Episodes, w: float) -> Floats:
    """b*(s) (1, S), or b*_t(s) (T, S) with a last step: the state baseline of least trace for reward-to-go.

    E|g|² is a parabola in each entry, and separately so, as E[∇log π | s] = 0:

        b*_t(s) E[|x|² | s] = E[|x|² R_t | s] + w E[x·G_{t+1} | s] + E[x R_t | s]·E[Σ_{j<t} (γ/w)^(t-j) x_j | s_t = s]

    with x the score at t, G_{t+1} what the later steps add, and, without a last step, sums over t above and below.
    """
    form = Form("", False, rewards(episodes), episodes.gamma, np.zeros((1, 1)), w)
    x, gamma, pi, of = episodes.policy.scores, episodes.gamma, episodes.pi, episodes.mdp.pair_state
    norm = np.einsum("ld,ld->l", x, x)
    m1, _ = look_ahead(episodes, form)
    G = episodes.back(w, lambda t: episodes.mix(x * first_of_row(episodes, form, m1, t)[:, None]))
    # E[w^t Σ_{j<t} w^j γ^(t-j) x_j 1{s_t = s}], and w^2t Pr(s_t = s) that it shall be divided by
    there = episodes.forth(w * w, episodes.begin)
    before = episodes.forth(
        w * gamma,
        np.zeros((episodes.mdp.S, episodes.policy.d)),
        lambda t: w * gamma * episodes.inflow(x * (at(there, t)[of] * pi)[:, None]),
    )
    spread = episodes.mix(norm)
    best = np.zeros((len(there), episodes.mdp.S))
    for t in range(len(there)):
        R = first_of_row(episodes, form, m1, t)
        ahead = episodes.outcomes(episodes.later(G, t))
        own = episodes.mix(norm * R + w * np.einsum("ld,ld->l", x, ahead))
        earlier = np.einsum("sd,sd->s", episodes.mix(x * R[:, None]), before[t])
        below = there[t] * spread
        np.divide(there[t] * own + earlier, below, out=best[t], where=below > SELDOM)
    return best
