"""Learners of softmax policies: π(a|s) ∝ exp(x(s,a)·θ), by whole episodes or step by step.

Preferences `theta` are (runs, d). A step takes the uniforms of walk.py; walks are trajectories.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.linear import dot
from tabular_rl.kernels.walk import Floats, next_state, rate, search, transition


class Ascent(NamedTuple):
    """How preferences climb.

    `form` is that of the estimator, see `learn_episode`; weights are γ^t where `weighted`, else 1; `batch` is how many
    episodes, or steps, make an update; `entropy` is τ, `critic_step_size` the schedule of β.
    """

    form: int
    weighted: bool
    batch: int
    entropy: float
    critic_step_size: Floats


class Preferences(NamedTuple):
    """Preferences θ (runs, d), the gradient that they climb next, and how often each row (runs, L) was learned from.

    `prob` (runs, L) holds π of the states since it was asked for; it is true as long as θ stays as it is.
    """

    visits: NDArray[np.int64]
    grad: Floats
    prob: Floats
    theta: Floats


class Critic(NamedTuple):
    """Values v (runs, S) and how often each was learned from."""

    seen: NDArray[np.int64]
    v: Floats


class Episodes(NamedTuple):
    """The steps of the running episodes (runs, longest); how many there were, how many were cut off; the mean return.

    `returns` holds rewards until the end of the episode.
    """

    rows: NDArray[np.int64]
    returns: Floats
    number: NDArray[np.int64]
    cut: NDArray[np.int64]
    baseline: Floats


class Running(NamedTuple):
    """The weight w of the next step (runs,); the sums (runs, S) of δ in a batch, and how many they are of.

    The sums have no columns where a batch is one step.
    """

    weight: Floats
    sums: Floats
    counts: NDArray[np.int64]


@kernel
def softmax_choice(model, x, s, u, e, prob, theta):
    """prob[e] ← π of the rows of a state; return the one that a uniform u takes."""
    first = model.pair_ptr[s]
    last = model.pair_ptr[s + 1]
    top = -math.inf
    for i in range(first, last):
        prob[e, i] = dot(x, i, theta, e)
        top = max(top, prob[e, i])
    total = 0.0
    for i in range(first, last):
        prob[e, i] = math.exp(prob[e, i] - top)
        total += prob[e, i]
    chosen = first
    below = 0.0
    found = False
    for i in range(first, last):
        prob[e, i] /= total
        below += prob[e, i]
        if not found and prob[e, i] > 0.0:
            chosen = i
            found = u < below
    return chosen


@kernel
def actor_begin(model, x, uniforms, row, prob, theta):
    """The first row of each run, from two uniforms (runs, 2): the start state and the action."""
    for e in range(len(row)):
        row[e] = softmax_choice(model, x, search(model.start, uniforms[e, 0]), uniforms[e, 1], e, prob, theta)


@kernel
def push(model, x, i, change, e, prob, out):
    """out[e] += change ∇log π(i), where ∇log π(i) = x(i) - Σ_j π(j) x(j) over the rows j of the state."""
    s = model.pair_state[i]
    for j in range(model.pair_ptr[s], model.pair_ptr[s + 1]):
        share = change * ((1.0 if j == i else 0.0) - prob[e, j])
        for m in range(x.ptr[j], x.ptr[j + 1]):
            out[e, x.col[m]] += share * x.value[m]


@kernel
def push_entropy(model, x, s, change, e, prob, out):
    """out[e] += change ∇H, where H = -Σ_j π(j) log π(j) and ∇H = -Σ_j π(j) (log π(j) + H) x(j)."""
    first = model.pair_ptr[s]
    last = model.pair_ptr[s + 1]
    H = 0.0
    for j in range(first, last):
        if prob[e, j] > 0.0:
            H -= prob[e, j] * math.log(prob[e, j])
    for j in range(first, last):
        if prob[e, j] > 0.0:
            share = change * (-prob[e, j] * (math.log(prob[e, j]) + H))
            for m in range(x.ptr[j], x.ptr[j + 1]):
                out[e, x.col[m]] += share * x.value[m]


@kernel
def ascend(alpha, e, grad, theta):
    """θ ← θ + α g, and g ← 0 for the next update"""
    for c in range(theta.shape[1]):
        theta[e, c] += alpha * grad[e, c]
        grad[e, c] = 0.0


@kernel
def learn_value(how, s, delta, e, critic):
    """v(s) ← v(s) + β δ"""
    critic.seen[e, s] += 1
    critic.v[e, s] += rate(how.critic_step_size, critic.seen[e, s]) * delta


@kernel
def learn_episode(model, x, how, last, whole, e, episodes, critic, actor):
    """g ← g + Σ_t w_t Ψ_t ∇log π(a_t|s_t) over steps 0 ... last - 1 of an episode; then the baseline learns.

    It learns of the first `whole` steps alone: the returns near a cut lack what would have come.

    `returns` holds G_t = r_t + γ G_{t+1} afterwards. form 0: Ψ = G_0; 1: G_0 - b with the mean return b; 2: Ψ_t = G_t;
    3: G_t - v(s_t). The weight w_t is γ^t in forms 2 and 3 where `weighted`, else 1.
    """
    rows, returns, baseline = episodes.rows, episodes.returns, episodes.baseline
    G = 0.0
    for t in range(last - 1, -1, -1):
        G = returns[e, t] + model.gamma * G
        returns[e, t] = G
    weight = 1.0
    for t in range(last):
        i = rows[e, t]
        psi = G if how.form < 2 else returns[e, t]
        if how.form == 1:
            psi -= baseline[e]
        elif how.form == 3:
            psi -= critic.v[e, model.pair_state[i]]
        push(model, x, i, weight * psi, e, actor.prob, actor.grad)
        actor.visits[e, i] += 1
        if how.form >= 2 and how.weighted:
            weight *= model.gamma
    if how.form == 1:
        baseline[e] += rate(how.critic_step_size, episodes.number[e] + 1) * (G - baseline[e])
    elif how.form == 3:
        for t in range(whole):
            s = model.pair_state[rows[e, t]]
            learn_value(how, s, returns[e, t] - critic.v[e, s], e, critic)


@kernel
def reinforce(model, log, walk, uniforms, step, clock, row, x, how, episodes, critic, actor):
    """θ ← θ + α g, g the mean of `learn_episode` over `batch` episodes, in which θ stays as it is.

    An episode that fills `rows` is cut off, counted by `cut`, and starts again.
    """
    for k in range(uniforms.shape[1]):
        t = step + k
        for e in range(len(row)):
            u = uniforms[e, k]
            i, r, s2 = transition(model, log, t, e, u, row)
            at = clock[e]
            episodes.rows[e, at] = i
            episodes.returns[e, at] = r
            s = next_state(model, walk, u, s2, e, clock)
            if clock[e] == 0:
                whole = at + 1 if s2 < 0 else (at + 1) // 2
                learn_episode(model, x, how, at + 1, whole, e, episodes, critic, actor)
                episodes.number[e] += 1
                episodes.cut[e] += s2 >= 0
                if episodes.number[e] % how.batch == 0:
                    alpha = rate(walk.step_size, episodes.number[e] // how.batch)
                    ascend(alpha / how.batch, e, actor.grad, actor.theta)
            row[e] = softmax_choice(model, x, s, u[2], e, actor.prob, actor.theta)


@kernel
def learn_batch(how, alpha, e, running, critic, actor):
    """θ ← θ + α (the mean of what is in g);  v(s) ← v(s) + β (the mean of the δ at s)"""
    ascend(alpha / how.batch, e, actor.grad, actor.theta)
    for s in range(running.counts.shape[1]):
        if running.counts[e, s] > 0:
            learn_value(how, s, running.sums[e, s] / running.counts[e, s], e, critic)
            running.sums[e, s] = 0.0
            running.counts[e, s] = 0


@kernel
def actor_critic(model, log, walk, uniforms, step, clock, row, x, how, running, critic, actor):
    """δ = r + γ v(s') - v(s); v(s) ← v(s) + β δ; θ ← θ + α w (δ ∇log π(a|s) + τ ∇H(π(·|s))), w = γ^t or 1.

    With a batch θ and v stay as they are for that many steps: then θ moves by the mean, v(s) by that of the δ at s.
    """
    v, weight = critic.v, running.weight
    for k in range(uniforms.shape[1]):
        t = step + k
        for e in range(len(row)):
            u = uniforms[e, k]
            i, r, s2 = transition(model, log, t, e, u, row)
            s = model.pair_state[i]
            delta = (r + model.gamma * v[e, s2] if s2 >= 0 else r) - v[e, s]
            actor.visits[e, i] += 1
            if how.batch == 1:
                learn_value(how, s, delta, e, critic)
                change = rate(walk.step_size, t + 1) * weight[e]
                push(model, x, i, change * delta, e, actor.prob, actor.theta)
                if how.entropy > 0.0:
                    push_entropy(model, x, s, change * how.entropy, e, actor.prob, actor.theta)
            else:
                running.sums[e, s] += delta
                running.counts[e, s] += 1
                push(model, x, i, weight[e] * delta, e, actor.prob, actor.grad)
                if how.entropy > 0.0:
                    push_entropy(model, x, s, weight[e] * how.entropy, e, actor.prob, actor.grad)
                if (t + 1) % how.batch == 0:
                    learn_batch(how, rate(walk.step_size, (t + 1) // how.batch), e, running, critic, actor)
            s = next_state(model, walk, u, s2, e, clock)
            if clock[e] == 0:
                weight[e] = 1.0
            elif how.weighted:
                weight[e] *= model.gamma
            row[e] = softmax_choice(model, x, s, u[2], e, actor.prob, actor.theta)
