"""Slow, obvious twins of kernels/actor.py: one run after the other, scores as plain lists."""

from __future__ import annotations

import math

from reference_returns import first_above, rate_at


def features_of(ptr, col, value, i):
    return [(int(col[m]), float(value[m])) for m in range(ptr[i], ptr[i + 1])]


def preference(ptr, col, value, i, theta, e):
    total = 0.0
    for c, x in features_of(ptr, col, value, i):
        total += x * float(theta[e, c])
    return total


def softmax_choice(ptr, col, value, first, last, u, e, prob, theta):
    z = [preference(ptr, col, value, i, theta, e) for i in range(first, last)]
    z = [math.exp(x - max(z)) for x in z]
    total = 0.0
    for x in z:
        total += x
    prob[e, first:last] = [x / total for x in z]
    possible = [i for i in range(first, last) if prob[e, i] > 0]
    below = 0.0
    for i in possible:
        below += float(prob[e, i])
        if u < below:
            return i
    return possible[-1]


def actor_begin(model, ptr, col, value, uniforms, row, prob, theta):
    for e, (u, u2) in enumerate(uniforms):
        s = first_above(model.start, 0, u)
        row[e] = softmax_choice(ptr, col, value, model.pair_ptr[s], model.pair_ptr[s + 1], u2, e, prob, theta)


def push(ptr, col, value, first, last, i, change, e, prob, out):
    for j in range(first, last):
        taken = 1.0 if i == j else 0.0
        for c, x in features_of(ptr, col, value, j):
            out[e, c] += change * (taken - float(prob[e, j])) * x


def push_entropy(ptr, col, value, first, last, change, e, prob, out):
    p = {j: float(prob[e, j]) for j in range(first, last) if prob[e, j] > 0}
    H = 0.0
    for x in p.values():
        H -= x * math.log(x)
    for j, x in p.items():
        for c, y in features_of(ptr, col, value, j):
            out[e, c] += change * (-x * (math.log(x) + H)) * y


def learn_episode(ptr, col, value, pair_ptr, pair_state, gamma, form, weighted, critic_step_size, e, last, whole, rows,
                  returns, episode, visits, seen, baseline, v, prob, grad):  # fmt: skip
    rewards = [float(x) for x in returns[e, :last]]
    for t in range(last):
        G = 0.0
        for x in reversed(rewards[t:]):  # each return by itself
            G = x + gamma * G
        returns[e, t] = G
    weight = 1.0
    for t in range(last):
        i = int(rows[e, t])
        s = pair_state[i]
        psi = [
            lambda: returns[e, 0], lambda: returns[e, 0] - baseline[e],
            lambda t=t: returns[e, t], lambda t=t, s=s: returns[e, t] - v[e, s],
        ][form]()  # fmt: skip
        push(ptr, col, value, pair_ptr[s], pair_ptr[s + 1], i, weight * float(psi), e, prob, grad)
        visits[e, i] += 1
        if weighted and form in (2, 3):
            weight = weight * gamma
    if form == 1:
        baseline[e] += rate_at(critic_step_size, episode[e] + 1) * (returns[e, 0] - baseline[e])
    if form == 3:
        for t in range(whole):
            s = pair_state[rows[e, t]]
            seen[e, s] += 1
            v[e, s] += rate_at(critic_step_size, seen[e, s]) * (returns[e, t] - v[e, s])


def reinforce_walk(model, ptr, col, value, form, weighted, batch, step_size, critic_step_size, uniforms, clock, row,
                   rows, returns, episode, cut, visits, seen, baseline, grad, v, prob, theta):  # fmt: skip
    for e in range(len(row)):
        for u_outcome, u_start, u_action in uniforms[e]:
            i = int(row[e])
            out = first_above(model.cum, model.row_ptr[i], u_outcome)
            s2, t = int(model.next_state[out]), int(clock[e])
            rows[e, t], returns[e, t] = i, model.reward[out] if len(model.reward) else model.r[i]
            clock[e] += 1
            done = bool(model.terminal[s2])
            if done or clock[e] == rows.shape[1]:
                learn_episode(ptr, col, value, model.pair_ptr, model.pair_state, model.gamma, form, weighted,
                              critic_step_size, e, t + 1,
                              t + 1 if done else (t + 1) // 2, rows, returns, episode, visits, seen, baseline, v, prob,
                              grad)  # fmt: skip
                cut[e] += not done
                episode[e] += 1
                clock[e] = 0
                if episode[e] % batch == 0:
                    theta[e] += rate_at(step_size, episode[e] // batch) / batch * grad[e]
                    grad[e] = 0.0
                s2 = first_above(model.start, 0, u_start)
            row[e] = softmax_choice(ptr, col, value, model.pair_ptr[s2], model.pair_ptr[s2 + 1], u_action, e, prob,
                                    theta)  # fmt: skip


def actor_critic_walk(model, ptr, col, value, weighted, batch, entropy, step_size, critic_step_size, episode_steps,
                      uniforms, step, clock, row, weight, visits, seen, sums, counts, grad, v, prob,
                      theta):  # fmt: skip
    for e in range(len(row)):
        for n, (u_outcome, u_start, u_action) in enumerate(uniforms[e], step + 1):
            i = int(row[e])
            out = first_above(model.cum, model.row_ptr[i], u_outcome)
            s, s2 = int(model.pair_state[i]), int(model.next_state[out])
            span = model.pair_ptr[s], model.pair_ptr[s + 1]
            reward = float(model.reward[out] if len(model.reward) else model.r[i])
            done = bool(model.terminal[s2])
            delta = (reward if done else reward + model.gamma * float(v[e, s2])) - float(v[e, s])
            visits[e, i] += 1
            w = float(weight[e])
            if batch == 1:
                seen[e, s] += 1
                v[e, s] += rate_at(critic_step_size, seen[e, s]) * delta
                alpha = rate_at(step_size, n)
                push(ptr, col, value, *span, i, alpha * w * delta, e, prob, theta)
                if entropy > 0:
                    push_entropy(ptr, col, value, *span, alpha * w * entropy, e, prob, theta)
            else:
                sums[e, s] += delta
                counts[e, s] += 1
                push(ptr, col, value, *span, i, w * delta, e, prob, grad)
                if entropy > 0:
                    push_entropy(ptr, col, value, *span, w * entropy, e, prob, grad)
                if n % batch == 0:
                    theta[e] += rate_at(step_size, n // batch) / batch * grad[e]
                    grad[e] = 0.0
                    for x in range(len(counts[e])):
                        if counts[e, x]:
                            seen[e, x] += 1
                            v[e, x] += rate_at(critic_step_size, seen[e, x]) * (sums[e, x] / counts[e, x])
                    sums[e], counts[e] = 0.0, 0
            clock[e] += 1
            if done or clock[e] == episode_steps:
                clock[e], weight[e] = 0, 1.0
                s2 = first_above(model.start, 0, u_start)
            elif weighted:
                weight[e] *= model.gamma
            row[e] = softmax_choice(ptr, col, value, model.pair_ptr[s2], model.pair_ptr[s2 + 1], u_action, e, prob,
                                    theta)  # fmt: skip
