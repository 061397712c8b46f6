"""Off-policy evaluation, slowly and obviously: an episode is a list of (s, a, r, s2 or None).

`pi(t, s, a)` is the target policy; `rho[i][t]` the ratio of step t of episode i. `cut[i]` says whether episode i was
cut off before its end and before the horizon.
"""

from __future__ import annotations

import math


def weights(rho):
    """ρ_0 ... ρ_t of each episode."""
    return [[math.prod(row[: t + 1]) for t in range(len(row))] for row in rho]


def ordinary(episodes, rho, gamma):
    total = 0.0
    for episode, row in zip(episodes, rho, strict=True):
        total += math.prod(row) * sum(gamma**t * r for t, (_, _, r, _) in enumerate(episode))
    return total / len(episodes)


def weighted(episodes, rho, gamma):
    return ordinary(episodes, rho, gamma) * len(episodes) / sum(math.prod(row) for row in rho)


def per_decision(episodes, rho, gamma):
    total = 0.0
    for episode, w in zip(episodes, weights(rho), strict=True):
        total += sum(gamma**t * w[t] * step[2] for t, step in enumerate(episode))
    return total / len(episodes)


def held(w, t):
    """The weight of an episode at step t: an ended one keeps its last, and before the first step it is 1."""
    return 1.0 if t < 0 else w[min(t, len(w) - 1)]


def weighted_per_decision(episodes, rho, gamma):
    total, all_weights = 0.0, weights(rho)
    for t in range(max(map(len, episodes))):
        norm = sum(held(w, t) for w in all_weights)
        for episode, w in zip(episodes, all_weights, strict=True):
            if t < len(episode):
                total += gamma**t * w[t] / norm * episode[t][2]
    return total


def model(episodes):
    """Shares of next states and mean rewards of the pairs that were tried."""
    tries, seen, reward = {}, {}, {}
    for s, a, r, s2 in (step for episode in episodes for step in episode):
        tries[s, a] = tries.get((s, a), 0) + 1
        seen[s, a, s2] = seen.get((s, a, s2), 0) + 1
        reward[s, a] = reward.get((s, a), 0.0) + r
    return {k: n / tries[k[:2]] for k, n in seen.items()}, {k: x / tries[k] for k, x in reward.items()}


def values(episodes, pi, gamma, horizon):
    """v(t, s) and q(t, s, a) of π in the estimated model: from the horizon back, or until nothing changes."""
    p, r = model(episodes)
    states = {s for s, _ in r}

    def back(t, ahead):
        q = {
            k: r[k] + gamma * sum(x * ahead.get(s2, 0.0) for (*z, s2), x in p.items() if tuple(z) == k)
            for k in r
        }
        return {s: sum(pi(t, s, a) * q[z, a] for z, a in r if z == s) for s in states}, q

    if horizon is None:
        v, q, last = {}, {}, None
        while v != last:
            last, (v, q) = v, back(0, v)
        return lambda _t, s: v.get(s, 0.0), lambda _t, s, a: q[s, a]
    vs, qs = [{} for _ in range(horizon + 1)], [{} for _ in range(horizon)]
    for t in reversed(range(horizon)):
        vs[t], qs[t] = back(t, vs[t + 1])
    return lambda t, s: vs[t].get(s, 0.0), lambda t, s, a: qs[t][s, a]


def direct(episodes, pi, gamma, horizon):
    v, _ = values(episodes, pi, gamma, horizon)
    return sum(v(0, episode[0][0]) for episode in episodes) / len(episodes)


def doubly_robust(episodes, rho, pi, gamma, horizon, cut):
    """The recursion of Jiang & Li, from the end of each episode to its start."""
    v, q = values(episodes, pi, gamma, horizon)
    total = 0.0
    for i, episode in enumerate(episodes):
        ahead = v(len(episode), episode[-1][3]) if cut[i] else 0.0
        for t in reversed(range(len(episode))):
            s, a, r, _ = episode[t]
            ahead = v(t, s) + rho[i][t] * (r + gamma * ahead - q(t, s, a))
        total += ahead
    return total / len(episodes)


def weighted_doubly_robust(episodes, rho, pi, gamma, horizon, cut):
    v, q = values(episodes, pi, gamma, horizon)
    all_weights, n, total = weights(rho), len(episodes), 0.0

    def share(i, t):
        return 1 / n if t < 0 else held(all_weights[i], t) / sum(held(w, t) for w in all_weights)

    for i, episode in enumerate(episodes):
        for t, (s, a, r, _) in enumerate(episode):
            total += gamma**t * (share(i, t) * (r - q(t, s, a)) + share(i, t - 1) * v(t, s))
        if cut[i]:
            t = len(episode)
            total += gamma**t * share(i, t - 1) * v(t, episode[-1][3])
    return total


def marginalized(episodes, rho, gamma):
    n, total = len(episodes), 0.0
    d = {}
    for episode in episodes:
        d[episode[0][0]] = d.get(episode[0][0], 0.0) + 1 / n
    for t in range(max(map(len, episodes))):
        going = [(episode[t], row[t]) for episode, row in zip(episodes, rho, strict=True) if t < len(episode)]
        after = {}
        for (s, _, r, s2), ratio in going:
            share = d.get(s, 0.0) / sum(1 for step, _ in going if step[0] == s)
            total += gamma**t * share * ratio * r
            if s2 is not None:
                after[s2] = after.get(s2, 0.0) + share * ratio
        d = after
    return total


def occupancy(episodes, rho, pi, gamma, horizon, sweeps=400):
    p, r = model(episodes)
    d, total = {}, {}
    for episode in episodes:
        d[episode[0][0]] = d.get(episode[0][0], 0.0) + 1 / len(episodes)
    for t in range(sweeps if horizon is None else horizon):
        time, after = 0 if horizon is None else t, {}
        for s, x in d.items():
            total[s] = total.get(s, 0.0) + x
        for (s, a, s2), share in p.items():
            if s2 is not None:
                after[s2] = after.get(s2, 0.0) + gamma * d.get(s, 0.0) * pi(time, s, a) * share
        d = after
    found = 0.0
    for s in {s for s, _ in r}:
        here = [
            (gamma**t, gamma**t * row[t] * step[2])
            for episode, row in zip(episodes, rho, strict=True)
            for t, step in enumerate(episode)
            if step[0] == s
        ]
        found += total.get(s, 0.0) * sum(y for _, y in here) / sum(x for x, _ in here)
    return found
