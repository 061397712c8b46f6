"""Twins of kernels/linear.py (dot, climb, after, linear_td, linear_q): one run, plain Python, dense features.

They read the model itself, not the arrays that kernels sample from, and must come to the same bits.
"""

from __future__ import annotations


def first_above(weights, u):
    """The first index whose running sum exceeds u; the last one of positive weight where rounding leaves none."""
    total, last = 0.0, 0
    for j, w in enumerate(weights):
        total += w
        if w > 0:
            last = j
            if u < total:
                break
    return last


def dot(x, w):
    total = 0.0
    for m in range(len(x)):
        if x[m] != 0.0:
            total += x[m] * w[m]
    return total


def climb(x, change, w):
    for m in range(len(x)):
        if x[m] != 0.0:
            w[m] += change * x[m]


class Walk:
    """Where a run is, and how it goes on from uniforms: (outcome, restart or next pair, next action)."""

    def __init__(self, mdp, weights, source, limit):
        self.mdp, self.weights, self.source, self.limit = mdp, [float(x) for x in weights], source, limit
        self.clock = 0
        live = sum(not x for x in mdp.terminal)
        self.pairs = [w / live for w in self.weights]

    def action(self, s, u):
        rows = self.mdp.rows(s)
        return rows[first_above([self.weights[i] for i in rows], u)]

    def begin(self, uniforms):
        if self.source == "trajectory":
            return self.action(first_above(self.mdp.start.tolist(), uniforms[0]), uniforms[1])
        return first_above(self.pairs, uniforms[0]) if self.source == "independent" else 0

    def outcome(self, i, u):
        mdp = self.mdp
        ks = range(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1]))
        k = ks[first_above([float(mdp.prob[k]) for k in ks], u)]
        reward = float(mdp.r[i]) if mdp.reward is None else float(mdp.reward[k])
        return mdp.sign * reward, int(mdp.next_state[k])

    def state_after(self, s2, u):
        """Where the next action is taken: at s', or at a start after an end or a cut."""
        self.clock += 1
        if self.mdp.terminal[s2] or self.clock == self.limit:
            self.clock = 0
            return first_above(self.mdp.start.tolist(), u)
        return s2

    def next_row(self, i, s2, uniforms):
        if self.source == "trajectory":
            return self.action(self.state_after(s2, uniforms[1]), uniforms[2])
        if self.source == "independent":
            return first_above(self.pairs, uniforms[1])
        return (i + 1) % self.mdp.L


class Weights:
    """Weights, the copy that targets are read from, and the sum over all updates."""

    def __init__(self, w, target):
        self.w = [float(x) for x in w]
        self.kind, self.by = target
        self.bar = self.w if self.kind == "none" else list(self.w)
        self.history = []

    def updated(self, k):
        if self.kind == "copy" and (k + 1) % int(self.by) == 0:
            self.bar = list(self.w)
        if self.kind == "average":
            self.bar = [b + self.by * (x - b) for b, x in zip(self.bar, self.w, strict=True)]
        self.history.append(list(self.w))


def linear_td(mdp, X, policy, behavior, schedule, per, source, target, limit, w, begin, uniforms):
    """Weights after each update of one run."""
    walk, kept = Walk(mdp, behavior.weights, source, limit), Weights(w, target)
    visits = [0] * mdp.S
    i = walk.begin(begin)
    for k, u in enumerate(uniforms):
        s = mdp.state_of_row(i)
        reward, s2 = walk.outcome(i, u[0])
        aim = reward
        if not mdp.terminal[s2]:
            aim += mdp.gamma * dot(X[s2], kept.bar)
        visits[s] += 1
        alpha = schedule.at(k + 1 if per == "step" else visits[s])
        rho = float(policy.weights[i]) / float(behavior.weights[i]) if policy is not behavior else 1.0
        climb(X[s], alpha * rho * (aim - dot(X[s], kept.w)), kept.w)
        kept.updated(k)
        i = walk.next_row(i, s2, u)
    return kept.history


def after(mdp, X, policy, s, bar):
    """What a state is worth: the largest of its rows, or their mean by a policy."""
    values = [dot(X[j], bar) for j in mdp.rows(s)]
    if policy is None:
        return max(values)
    expected = 0.0
    for j, x in zip(mdp.rows(s), values, strict=True):
        expected += float(policy.weights[j]) * x
    return expected


def linear_q(mdp, X, policy, behavior, epsilon, schedule, per, source, target, limit, w, begin, uniforms):
    """The same for pairs: expected SARSA of a policy, Q-learning where it is None; ε-greedy where epsilon is given."""
    walk, kept = Walk(mdp, behavior.weights, source, limit), Weights(w, target)
    visits = [0] * mdp.L

    def act(s, u):
        rows = mdp.rows(s)
        if epsilon is None:
            return walk.action(s, u)
        if u < epsilon:
            return rows[min(int(u / epsilon * len(rows)), len(rows) - 1)]
        q = [dot(X[j], kept.w) for j in rows]
        ties = [j for j, x in zip(rows, q, strict=True) if x == max(q)]
        return ties[min(int((u - epsilon) / (1.0 - epsilon) * len(ties)), len(ties) - 1)]

    i = walk.begin(begin)
    if source == "trajectory":
        i = act(first_above(mdp.start.tolist(), begin[0]), begin[1])
    for k, u in enumerate(uniforms):
        reward, s2 = walk.outcome(i, u[0])
        aim = reward
        if not mdp.terminal[s2]:
            aim += mdp.gamma * after(mdp, X, policy, s2, kept.bar)
        visits[i] += 1
        alpha = schedule.at(k + 1 if per == "step" else visits[i])
        climb(X[i], alpha * (aim - dot(X[i], kept.w)), kept.w)
        kept.updated(k)
        if source == "trajectory":
            i = act(walk.state_after(s2, u[1]), u[2])
        else:
            i = walk.next_row(i, s2, u)
    return kept.history
