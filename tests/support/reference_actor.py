"""Slow, obvious twins of kernels/actor.py: one run after the other, scores as plain lists."""

from __future__ import annotations

import math

from reference_returns import first_above, rate_at


def features_of(x, i):
    return [(int(x.col[m]), float(x.value[m])) for m in range(x.ptr[i], x.ptr[i + 1])]


def rows_of(model, s):
    return range(int(model.pair_ptr[s]), int(model.pair_ptr[s + 1]))


def preference(x, i, theta, e):
    total = 0.0
    for c, y in features_of(x, i):
        total += y * float(theta[e, c])
    return total


def softmax_choice(model, x, s, u, e, prob, theta):
    rows = rows_of(model, s)
    z = [preference(x, i, theta, e) for i in rows]
    z = [math.exp(y - max(z)) for y in z]
    total = 0.0
    for y in z:
        total += y
    prob[e, rows] = [y / total for y in z]
    possible = [i for i in rows if prob[e, i] > 0]
    below = 0.0
    for i in possible:
        below += float(prob[e, i])
        if u < below:
            return i
    return possible[-1]


def actor_begin(model, x, uniforms, row, prob, theta):
    for e, (u, u2) in enumerate(uniforms):
        row[e] = softmax_choice(model, x, first_above(model.start, 0, u), u2, e, prob, theta)


def push(model, x, i, change, e, prob, out):
    for j in rows_of(model, model.pair_state[i]):
        taken = 1.0 if i == j else 0.0
        for c, y in features_of(x, j):
            out[e, c] += change * (taken - float(prob[e, j])) * y


def push_entropy(model, x, s, change, e, prob, out):
    p = {j: float(prob[e, j]) for j in rows_of(model, s) if prob[e, j] > 0}
    H = 0.0
    for y in p.values():
        H -= y * math.log(y)
    for j, y in p.items():
        for c, z in features_of(x, j):
            out[e, c] += change * (-y * (math.log(y) + H)) * z


def ascend(alpha, e, grad, theta):
    theta[e] += alpha * grad[e]
    grad[e] = 0.0


def learn_value(how, s, delta, e, critic):
    critic.seen[e, s] += 1
    critic.v[e, s] += rate_at(how.critic_step_size, critic.seen[e, s]) * delta


def learn_episode(model, x, how, last, whole, e, episodes, critic, actor):
    rewards = [float(r) for r in episodes.returns[e, :last]]
    for t in range(last):
        G = 0.0
        for r in reversed(rewards[t:]):  # each return by itself
            G = r + model.gamma * G
        episodes.returns[e, t] = G
    returns, baseline, weight = episodes.returns[e], episodes.baseline, 1.0
    for t in range(last):
        i = int(episodes.rows[e, t])
        s = model.pair_state[i]
        psi = [
            lambda: returns[0], lambda: returns[0] - baseline[e],
            lambda t=t: returns[t], lambda t=t, s=s: returns[t] - critic.v[e, s],
        ][how.form]()  # fmt: skip
        push(model, x, i, weight * float(psi), e, actor.prob, actor.grad)
        actor.visits[e, i] += 1
        if how.weighted and how.form in (2, 3):
            weight = weight * model.gamma
    if how.form == 1:
        baseline[e] += rate_at(how.critic_step_size, episodes.number[e] + 1) * (returns[0] - baseline[e])
    if how.form == 3:
        for t in range(whole):
            s = model.pair_state[episodes.rows[e, t]]
            learn_value(how, s, returns[t] - critic.v[e, s], e, critic)


def stepped(model, i, u):
    """The reward of an outcome of row i, the state it leads to, and whether that is the end."""
    out = first_above(model.cum, model.row_ptr[i], u)
    s2 = int(model.next_state[out])
    return float(model.reward[out] if len(model.reward) else model.r[i]), s2, bool(model.terminal[s2])


def reinforce(model, log, walk, uniforms, step, clock, row, x, how, episodes, critic, actor):
    for e in range(len(row)):
        for u_outcome, u_start, u_action in uniforms[e]:
            i, t = int(row[e]), int(clock[e])
            r, s2, done = stepped(model, i, u_outcome)
            episodes.rows[e, t], episodes.returns[e, t] = i, r
            clock[e] += 1
            if done or clock[e] == episodes.rows.shape[1]:
                whole = t + 1 if done else (t + 1) // 2
                learn_episode(model, x, how, t + 1, whole, e, episodes, critic, actor)
                episodes.cut[e] += not done
                episodes.number[e] += 1
                clock[e] = 0
                if episodes.number[e] % how.batch == 0:
                    alpha = rate_at(walk.step_size, episodes.number[e] // how.batch) / how.batch
                    ascend(alpha, e, actor.grad, actor.theta)
                s2 = first_above(model.start, 0, u_start)
            row[e] = softmax_choice(model, x, s2, u_action, e, actor.prob, actor.theta)


def learn_batch(how, alpha, e, running, critic, actor):
    ascend(alpha / how.batch, e, actor.grad, actor.theta)
    for s in range(len(running.counts[e])):
        if running.counts[e, s]:
            learn_value(how, s, running.sums[e, s] / running.counts[e, s], e, critic)
    running.sums[e], running.counts[e] = 0.0, 0


def actor_critic(model, log, walk, uniforms, step, clock, row, x, how, running, critic, actor):
    for e in range(len(row)):
        for n, (u_outcome, u_start, u_action) in enumerate(uniforms[e], step + 1):
            i, w = int(row[e]), float(running.weight[e])
            s = int(model.pair_state[i])
            reward, s2, done = stepped(model, i, u_outcome)
            worth = reward if done else reward + model.gamma * float(critic.v[e, s2])
            delta = worth - float(critic.v[e, s])
            actor.visits[e, i] += 1
            if how.batch == 1:
                learn_value(how, s, delta, e, critic)
                alpha, onto = rate_at(walk.step_size, n), actor.theta
            else:
                running.sums[e, s] += delta
                running.counts[e, s] += 1
                alpha, onto = 1.0, actor.grad
            push(model, x, i, alpha * w * delta, e, actor.prob, onto)
            if how.entropy > 0:
                push_entropy(model, x, s, alpha * w * how.entropy, e, actor.prob, onto)
            if how.batch > 1 and n % how.batch == 0:
                learn_batch(how, rate_at(walk.step_size, n // how.batch), e, running, critic, actor)
            clock[e] += 1
            if done or clock[e] == walk.episode_steps:
                clock[e], running.weight[e] = 0, 1.0
                s2 = first_above(model.start, 0, u_start)
            elif how.weighted:
                running.weight[e] *= model.gamma
            row[e] = softmax_choice(model, x, s2, u_action, e, actor.prob, actor.theta)
