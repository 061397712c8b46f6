"""Estimates of the policy gradient from episodes that are given: those of a log, of the policy itself or of another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tabular_rl.errors import OptionError, quoted
from tabular_rl.formats.logs import given_transitions
from tabular_rl.methods.gradient._episodes import Episodes
from tabular_rl.methods.gradient.estimators import (
    CRITICS,
    checked_name,
    critic_actions,
    critic_values,
    make_form,
)
from tabular_rl.methods.gradient.sampled import Sampled
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy
from tabular_rl.methods.learning._coverage import improbable
from tabular_rl.methods.learning.monte_carlo import IMPORTANCE, rewards_needed
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import policy_of
from tabular_rl.model.transitions import Transitions, behavior_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Lines(NamedTuple):
    """The steps of the whole episodes of a log: row, reward, s', done, the time in the episode, the last of each."""

    row: Ints
    reward: Floats
    next_state: Ints
    done: NDArray[np.bool_]
    time: Ints
    last: NDArray[np.bool_]


def given_gradients(
    policy: SoftmaxPolicy,
    estimators: Sequence[str],
    data: Any,
    *,
    behavior: Any = None,
    importance: str = "per-decision",
    discounted: bool = True,
    horizon: int | None = None,
    values: ArrayLike | None = None,
    action_values: ArrayLike | None = None,
) -> list[Sampled]:
    """Return the mean and covariance of estimators of the gradient over the episodes of a log.

    What it reads beside the log (values, the best baselines) is that of the policy in the model, or what is given.

    Parameters
    ----------
    policy, estimators, discounted, horizon, values, action_values : as for `sample_gradient`
    data : transitions of a log in the order of their episodes
    behavior : the policy that made it, "log" for the shares of the actions in it; None: the policy itself
    importance : how ratios π / b weigh an episode: "ordinary", "weighted", or "per-decision"

    Returns
    -------
    a Sampled for each estimator

    Raises
    ------
    OptionError : no whole episode, or a log that cannot be one of the policy
    """
    from tabular_rl.kernels.gradient import Given, given_estimates

    began = time.monotonic()
    walk = Episodes(policy, horizon=horizon, stopping=False)
    mdp, kind = walk.mdp, importance
    if kind not in IMPORTANCE:
        raise OptionError(f"importance: found {quoted(kind)}, expected one of {', '.join(IMPORTANCE)}")
    log = data if isinstance(data, Transitions) else given_transitions(data, policy.mdp)
    if (log.mdp.S, log.mdp.L) != (mdp.S, mdp.L):
        raise OptionError("data: found transitions of another model, expected one with the same pairs")
    lines, left_out = _whole_episodes(walk, log)
    ratio, off = _ratios(walk, log, lines, behavior)
    scores, count = np.ascontiguousarray(policy.scores), int(lines.last.sum())
    made = []
    for name in estimators:
        reads = {"values": values} if checked_name(name)[0] in CRITICS else {}
        reads |= {"action_values": action_values} if name == "q" else {}
        form = make_form(walk, name, discounted=discounted, **reads)
        state = mdp.pair_state[lines.row]
        baseline = np.zeros(len(state)) + (
            form.baseline[0, 0]
            if form.whole
            else form.baseline[np.minimum(lines.time, len(form.baseline) - 1), state]
        )
        signal = _signal(walk, name, lines, **reads)
        steps = Given(lines.row, lines.last, signal, baseline, ratio)
        out, product = np.empty((count, policy.d)), np.empty(count)
        decided = off and kind == "per-decision"
        given_estimates(
            scores, steps, form.whole, form.decay, form.weight, decided, np.empty(len(ratio)), out, product
        )
        mean, covariance, effective = _statistics(out, product, kind if off else None)
        made.append(
            Sampled(
                form.name, count, len(ratio), mean, covariance, None, time.monotonic() - began,
                importance=kind if off else None, effective=effective, left_out=left_out,
            )
        )  # fmt: skip
    return made


def _statistics(out: Floats, product: Floats, importance: str | None) -> tuple[Floats, Floats, float | None]:
    """The mean (d,), the covariance (d, d) of one episode, and how many episodes of the policy the log is worth.

    Weighted, the mean is Σ W g / Σ W, and its covariance that of W (g - mean) / mean(W), to first order in 1/n.
    """
    n, d = out.shape
    if importance in ("ordinary", "weighted"):
        out = out * product[:, None]
    mean = out.mean(axis=0)
    apart = out - mean
    if importance == "weighted":
        total = float(product.sum())
        if total == 0.0:
            raise OptionError(
                "data: found weight 0 in every episode, expected some that the policy could have made"
            )
        mean = out.sum(axis=0) / total
        apart = (out - product[:, None] * mean) * (n / total)
    covariance = apart.T @ apart / (n - 1) if n > 1 else np.full((d, d), np.nan)
    square = float(product @ product)
    effective = None if importance is None else float(product.sum()) ** 2 / square if square > 0 else 0.0
    return mean, covariance, effective


# -- the episodes -----------------------------------------------------------------------------------------------------


def _whole_episodes(walk: Episodes, log: Transitions) -> tuple[Lines, int]:
    """The steps of the episodes that came to their end, and how many others there are.

    An end is a terminal state, one after which nothing is earned, the horizon, or a discount after which hardly
    anything counts.
    """
    N, T = len(log), walk.steps if walk.timed else None
    ends = np.union1d(np.flatnonzero(log.next_row < 0), [N - 1])
    if T is not None:  # after so many decisions the next line begins another episode
        first = np.append(0, ends[:-1] + 1)
        time_in = np.arange(N) - np.repeat(first, ends + 1 - first)
        ends = np.union1d(ends, np.flatnonzero(time_in % T == T - 1))
    first = np.append(0, ends[:-1] + 1)
    length = ends + 1 - first
    over = log.done[ends] | walk.end[log.next_state[ends]]
    over |= (length == T) if T is not None else length >= rewards_needed(walk.gamma)
    if not over.any():
        raise OptionError(
            f"data: none of {len(ends):,} episodes comes to its end, expected some: a log says `done`, or the model "
            "has a horizon"
        )
    number = np.repeat(np.arange(len(ends)), length)
    use = over[number]
    time_of = np.arange(N) - first[number]
    last = np.zeros(N, dtype=bool)
    last[ends] = True
    columns = log.row, log.reward, log.next_state, log.done, time_of, last
    return Lines(*(np.ascontiguousarray(x[use]) for x in columns)), int((~over).sum())


def _ratios(walk: Episodes, log: Transitions, lines: Lines, behavior: Any) -> tuple[Floats, bool]:
    """π / b of each step, and whether another policy made the log."""
    mdp, pi = log.mdp, walk.policy.pi
    if behavior is None:
        i = improbable(mdp, log.row, pi)
        if i is not None:
            raise OptionError(
                f"data: {_pair_text(mdp, i)}: its share in the log is not that of the policy, so the log is not one of "
                "it. Say with behavior what made it; 'log' estimates that."
            )
        return np.ones(len(lines.row)), False
    log_made = isinstance(behavior, str) and behavior == "log"
    b = behavior_of(log) if log_made else policy_of(mdp, behavior)
    met = np.zeros(mdp.S, dtype=bool)
    met[mdp.pair_state[log.row]] = True
    lacking = np.flatnonzero((b.weights <= 0) & (pi > 0) & met[mdp.pair_state])
    if lacking.size:
        raise OptionError(
            f"behavior: {_pair_text(mdp, int(lacking[0]))}: found probability 0, expected more, as the policy takes it"
        )
    return pi[lines.row] / b.weights[lines.row], True


def _pair_text(mdp: MDP, i: int) -> str:
    action = mdp.actions[int(mdp.pair_action[i])]
    return f"state {quoted(mdp.states[mdp.state_of_row(i)])}, action {quoted(action)}"


def _signal(
    walk: Episodes,
    name: str,
    lines: Lines,
    values: ArrayLike | None = None,
    action_values: ArrayLike | None = None,
) -> Floats:
    """y of each step: the reward, with γ final(s') at the horizon; r + γ v(s'), less v(s); or q(s, a)."""
    kind, t, reward = checked_name(name)[0], lines.time, lines.reward
    if kind == "q":
        q = walk.q if action_values is None else critic_actions(walk, action_values)
        return np.asarray(q[np.minimum(t, len(q) - 1), lines.row])
    if kind in ("bootstrap", "advantage", "gae"):
        v = critic_values(walk, values)
        after = np.where(lines.done, 0.0, v[np.minimum(t + 1, len(v) - 1), lines.next_state])
        y = reward + walk.gamma * after
        if kind != "bootstrap":
            y = y - v[np.minimum(t, len(v) - 1), walk.mdp.pair_state[lines.row]]
        return np.asarray(y)
    if walk.final is None or walk.steps is None:
        return np.asarray(reward)
    at_end = t == walk.steps - 1
    return np.asarray(reward + np.where(at_end, walk.gamma * walk.final[lines.next_state], 0.0))
