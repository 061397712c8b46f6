"""Learners of softmax policies: π(a|s) ∝ exp(x(s,a)·θ), by whole episodes or step by step.

Features are rows of a sparse matrix (ptr, col, value), preferences `theta` (runs, d). `prob` (runs, L) holds π of the
states since it was asked for; it is true as long as θ stays as it is. A step takes three uniforms, whatever happens in
it: the outcome; the start state of the next episode; the next action.
"""

from __future__ import annotations

import math

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.linear import dot
from tabular_rl.kernels.walk import rate, scan, search


@kernel
def softmax_choice(ptr, col, value, first, last, u, e, prob, theta):
    """prob[e] ← π of the rows first ... last - 1 of a state; return the one that a uniform u takes."""
    top = -math.inf
    for i in range(first, last):
        prob[e, i] = dot(ptr, col, value, i, theta, e)
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
def actor_begin(model, ptr, col, value, uniforms, row, prob, theta):
    """The first row of each run, from two uniforms (runs, 2): the start state and the action."""
    pair_ptr, start = model.pair_ptr, model.start
    for e in range(len(row)):
        s = search(start, uniforms[e, 0])
        row[e] = softmax_choice(ptr, col, value, pair_ptr[s], pair_ptr[s + 1], uniforms[e, 1], e, prob, theta)


@kernel
def push(ptr, col, value, first, last, i, change, e, prob, out):
    """out[e] += change ∇log π(i), where ∇log π(i) = x(i) - Σ_j π(j) x(j) over the rows j of the state."""
    for j in range(first, last):
        share = change * ((1.0 if j == i else 0.0) - prob[e, j])
        for m in range(ptr[j], ptr[j + 1]):
            out[e, col[m]] += share * value[m]


@kernel
def push_entropy(ptr, col, value, first, last, change, e, prob, out):
    """out[e] += change ∇H, where H = -Σ_j π(j) log π(j) and ∇H = -Σ_j π(j) (log π(j) + H) x(j)."""
    H = 0.0
    for j in range(first, last):
        if prob[e, j] > 0.0:
            H -= prob[e, j] * math.log(prob[e, j])
    for j in range(first, last):
        if prob[e, j] > 0.0:
            share = change * (-prob[e, j] * (math.log(prob[e, j]) + H))
            for m in range(ptr[j], ptr[j + 1]):
                out[e, col[m]] += share * value[m]


@kernel
def learn_episode(
    ptr,
    col,
    value,
    pair_ptr,
    pair_state,
    gamma,
    form,
    weighted,
    critic_step_size,
    e,
    last,
    whole,
    rows,
    returns,
    episode,
    visits,
    seen,
    baseline,
    v,
    prob,
    grad,
):
    """grad[e] += Σ_t w_t Ψ_t ∇log π(a_t|s_t) over steps 0 ... last - 1 of an episode; then the baseline learns.

    It learns of the first `whole` steps alone: the returns near a cut lack what would have come.

    `returns` holds the rewards of the steps, and G_t = r_t + γ G_{t+1} afterwards. form 0: Ψ = G_0; 1: G_0 - b with the
    mean return b; 2: Ψ_t = G_t; 3: G_t - v(s_t). The weight w_t is γ^t in forms 2 and 3 where `weighted`, else 1.
    """
    G = 0.0
    for t in range(last - 1, -1, -1):
        G = returns[e, t] + gamma * G
        returns[e, t] = G
    weight = 1.0
    for t in range(last):
        i = rows[e, t]
        s = pair_state[i]
        psi = G if form < 2 else returns[e, t]
        if form == 1:
            psi -= baseline[e]
        elif form == 3:
            psi -= v[e, s]
        push(ptr, col, value, pair_ptr[s], pair_ptr[s + 1], i, weight * psi, e, prob, grad)
        visits[e, i] += 1
        if form >= 2 and weighted:
            weight *= gamma
    if form == 1:
        baseline[e] += rate(critic_step_size, episode[e] + 1) * (G - baseline[e])
    elif form == 3:
        for t in range(whole):
            s = pair_state[rows[e, t]]
            seen[e, s] += 1
            v[e, s] += rate(critic_step_size, seen[e, s]) * (returns[e, t] - v[e, s])


@kernel
def reinforce_walk(
    model,
    ptr,
    col,
    value,
    form,
    weighted,
    batch,
    step_size,
    critic_step_size,
    uniforms,
    clock,
    row,
    rows,
    returns,
    episode,
    cut,
    visits,
    seen,
    baseline,
    grad,
    v,
    prob,
    theta,
):
    """θ ← θ + α g, g the mean of `learn_episode` over `batch` episodes, in which θ stays as it is.

    An episode that fills `rows` is cut off, counted by `cut`, and starts anew.
    """
    pair_ptr, pair_state, row_ptr, next_state, outcome = (
        model.pair_ptr, model.pair_state, model.row_ptr, model.next_state, model.cum,
    )  # fmt: skip
    reward, r, gamma, terminal, start = model.reward, model.r, model.gamma, model.terminal, model.start
    for k in range(uniforms.shape[1]):
        for e in range(len(row)):
            i = row[e]
            out = scan(outcome, row_ptr[i], uniforms[e, k, 0])
            s2 = next_state[out]
            done = terminal[s2]
            t = clock[e]
            rows[e, t] = i
            returns[e, t] = reward[out] if len(reward) > 0 else r[i]
            t += 1
            if done or t == rows.shape[1]:
                learn_episode(
                    ptr, col, value, pair_ptr, pair_state, gamma, form, weighted, critic_step_size, e, t,
                    t if done else t // 2, rows, returns, episode, visits, seen, baseline, v, prob, grad,
                )  # fmt: skip
                episode[e] += 1
                if not done:
                    cut[e] += 1
                if episode[e] % batch == 0:
                    alpha = rate(step_size, episode[e] // batch) / batch
                    for c in range(theta.shape[1]):
                        theta[e, c] += alpha * grad[e, c]
                        grad[e, c] = 0.0
                s2 = search(start, uniforms[e, k, 1])
                t = 0
            clock[e] = t
            row[e] = softmax_choice(
                ptr, col, value, pair_ptr[s2], pair_ptr[s2 + 1], uniforms[e, k, 2], e, prob, theta
            )


@kernel
def actor_critic_walk(
    model,
    ptr,
    col,
    value,
    weighted,
    batch,
    entropy,
    step_size,
    critic_step_size,
    episode_steps,
    uniforms,
    step,
    clock,
    row,
    weight,
    visits,
    seen,
    sums,
    counts,
    grad,
    v,
    prob,
    theta,
):
    """δ = r + γ v(s') - v(s); v(s) ← v(s) + β δ; θ ← θ + α w (δ ∇log π(a|s) + entropy ∇H(π(·|s))), w = γ^t or 1.

    With a batch θ and v stay as they are for so many steps: θ moves by the mean, v(s) by that of the δ at s. `sums`,
    `counts` (runs, S) and `grad` (runs, d) are what a batch has come to, and have no columns where it is one step.
    """
    pair_ptr, pair_state, row_ptr, next_state, outcome = (
        model.pair_ptr, model.pair_state, model.row_ptr, model.next_state, model.cum,
    )  # fmt: skip
    reward, r, gamma, terminal, start = model.reward, model.r, model.gamma, model.terminal, model.start
    for k in range(uniforms.shape[1]):
        n = step + k + 1
        for e in range(len(row)):
            i = row[e]
            s = pair_state[i]
            first = pair_ptr[s]
            last = pair_ptr[s + 1]
            out = scan(outcome, row_ptr[i], uniforms[e, k, 0])
            s2 = next_state[out]
            aim = reward[out] if len(reward) > 0 else r[i]
            done = terminal[s2]
            if not done:
                aim += gamma * v[e, s2]
            delta = aim - v[e, s]
            visits[e, i] += 1
            if batch == 1:
                seen[e, s] += 1
                v[e, s] += rate(critic_step_size, seen[e, s]) * delta
                change = rate(step_size, n) * weight[e]
                push(ptr, col, value, first, last, i, change * delta, e, prob, theta)
                if entropy > 0.0:
                    push_entropy(ptr, col, value, first, last, change * entropy, e, prob, theta)
            else:
                sums[e, s] += delta
                counts[e, s] += 1
                push(ptr, col, value, first, last, i, weight[e] * delta, e, prob, grad)
                if entropy > 0.0:
                    push_entropy(ptr, col, value, first, last, weight[e] * entropy, e, prob, grad)
                if n % batch == 0:
                    alpha = rate(step_size, n // batch) / batch
                    for c in range(theta.shape[1]):
                        theta[e, c] += alpha * grad[e, c]
                        grad[e, c] = 0.0
                    for x in range(v.shape[1]):
                        if counts[e, x] > 0:
                            seen[e, x] += 1
                            v[e, x] += rate(critic_step_size, seen[e, x]) * (sums[e, x] / counts[e, x])
                            sums[e, x] = 0.0
                            counts[e, x] = 0
            clock[e] += 1
            if done or clock[e] == episode_steps:
                clock[e] = 0
                weight[e] = 1.0
                s2 = search(start, uniforms[e, k, 1])
            elif weighted:
                weight[e] *= gamma
            row[e] = softmax_choice(
                ptr, col, value, pair_ptr[s2], pair_ptr[s2 + 1], uniforms[e, k, 2], e, prob, theta
            )
