"""What the tests of gradient learners share: every episode of a small model, and the exact gradient.

The gradient is reckoned here by time-dependent occupancies and advantages, and held against finite differences of the
enumerated objective; nothing of it comes from tabular_rl.methods.gradient.
"""

from __future__ import annotations

import math

import numpy as np

from tabular_rl import MDP
from tabular_rl.kernels.actor import Ascent, Critic, Preferences
from tabular_rl.methods.learning._linear import read_features
from tabular_rl.model.unroll import unroll
from tabular_rl.solving.sampling import sampling_model
from tabular_rl.solving.schedules import Schedule

# π(·|s) of the four pairs, far from alike, at each of two times.
THETA = np.array([0.3, -0.5, -1.1, 0.2, 0.9, 0.1, 0.4, -0.7])


def two_steps(sense="max", gamma="9/10"):
    """Two states, two actions, two decisions; both outcomes of each pair are likely."""
    sign = 1 if sense == "max" else -1
    P = [[[0.25, 0.75], [0.5, 0.5]], [[0.75, 0.25], [0.125, 0.875]]]
    return MDP(
        P,
        [[sign * 1, sign * -2], [sign * 4, sign * 0.5]],
        gamma,
        axes="sas",
        horizon=2,
        start=[0.75, 0.25],
        sense=sense,
    )


def policies(mdp, theta):
    """π (T, L) of preferences (T L,)."""
    z = np.exp(np.reshape(theta, (mdp.horizon, mdp.L)))
    total = np.stack([z[:, mdp.pair_state == s].sum(axis=1) for s in range(mdp.S)], axis=1)
    return z / total[:, mdp.pair_state]


def episodes(mdp, theta):
    """Every episode: (probability, [(row, next state, reward)], uniforms that bring it about)."""
    pi, made = policies(mdp, theta), []
    sign = float(mdp.sign)

    def middle(weights, k):
        return sum(weights[:k]) + weights[k] / 2

    def act(t, s, p, steps, uniforms):
        if t == mdp.horizon:
            made.append((p, steps, uniforms))
            return
        rows = list(mdp.rows(s))
        for at, i in enumerate(rows):
            u = middle(pi[t, rows], at)
            outcomes = range(mdp.row_ptr[i], mdp.row_ptr[i + 1])
            probs = [float(mdp.prob[k]) for k in outcomes]
            for b, k in enumerate(outcomes):
                s2 = int(mdp.next_state[k])
                act(
                    t + 1, s2, p * pi[t, i] * probs[b],
                    [*steps, (i, s2, sign * float(mdp.r[i]))], [*uniforms, u, middle(probs, b)],
                )  # fmt: skip

    for s in range(mdp.S):
        if mdp.start[s] > 0:
            act(0, s, float(mdp.start[s]), [], [middle(mdp.start.tolist(), s)])
    return made


def in_turn(*paths):
    """The uniforms of a learner that lives through these episodes: two to begin with, then three a step."""
    start, action, *rest = paths[0][2]
    flat = [start, action]
    for n, (_, steps, _) in enumerate(paths):
        for t in range(len(steps)):
            outcome = rest.pop(0)
            if t + 1 < len(steps):
                flat += [outcome, 0.5, rest.pop(0)]
            elif n + 1 < len(paths):
                start, action, *rest = paths[n + 1][2]
                flat += [outcome, start, action]
            else:
                flat += [outcome, 0.5, 0.5]
    return flat


def objective(mdp, theta):
    return math.fsum(
        p * sum(float(mdp.gamma) ** t * r for t, (_, _, r) in enumerate(steps))
        for p, steps, _ in episodes(mdp, theta)
    )


def values(mdp, theta):
    """v (T + 1, S) and q (T, L) of a policy, in the sign of maximisation."""
    pi, g = policies(mdp, theta), float(mdp.gamma)
    v, q = np.zeros((mdp.horizon + 1, mdp.S)), np.zeros((mdp.horizon, mdp.L))
    P = mdp.P.toarray()
    for t in reversed(range(mdp.horizon)):
        q[t] = mdp.sign * mdp.r + g * P @ v[t + 1]
        for s in range(mdp.S):
            v[t, s] = sum(pi[t, i] * q[t, i] for i in mdp.rows(s))
    return v, q


def gradient(mdp, theta, *, weighted=True, critic=None):
    """w_t d_t(s) π_t(a|s) A_t(s, a) for each (t, s, a); with a critic (T + 1, S) A is r + γ P critic less its mean."""
    pi, (_, q) = policies(mdp, theta), values(mdp, theta)
    P, g = mdp.P.toarray(), float(mdp.gamma)
    d, out = mdp.start.astype(float), []
    for t in range(mdp.horizon):
        found = q[t] if critic is None else mdp.sign * mdp.r + g * P @ critic[t + 1]
        mean = np.zeros(mdp.S)
        np.add.at(mean, mdp.pair_state, pi[t] * found)
        out.append((g**t if weighted else 1.0) * d[mdp.pair_state] * pi[t] * (found - mean[mdp.pair_state]))
        d = (d[mdp.pair_state] * pi[t]) @ P
    return np.concatenate(out)


class Tables:
    """Inputs of the actor kernels for a model: one-hot features, or random ones with d columns."""

    def __init__(self, mdp, *, seed=0, d=None, runs=3):
        whole = self.whole = unroll(mdp) if mdp.horizon is not None else mdp
        rng = self.rng = np.random.default_rng(seed)
        X = np.eye(whole.L) if d is None else rng.normal(size=(whole.L, d)) * (rng.random((whole.L, d)) < 0.6)
        self.model, self.x = sampling_model(whole), read_features(X, whole.L, "pairs")
        self.runs, self.row = runs, np.zeros(runs, dtype=np.int64)
        self.v = rng.normal(size=(runs, whole.S))
        self.v[:, whole.terminal] = math.nan
        self.theta = rng.normal(size=(runs, X.shape[1]))

    def counts(self, columns=None):
        return np.zeros(self.runs if columns is None else (self.runs, columns), dtype=np.int64)

    def begun(self, module, uniforms):
        """New copies of the preferences and of the critic, once a module has chosen the first rows."""
        prob, theta = np.full((self.runs, self.whole.L), math.nan), self.theta.copy()
        module.actor_begin(self.model, self.x, uniforms, self.row, prob, theta)
        actor = Preferences(self.counts(self.whole.L), np.zeros(theta.shape), prob, theta)
        return Critic(self.counts(self.whole.S), self.v.copy()), actor


def ascent(form=0, *, weighted=True, batch=1, entropy=0.0, beta="1/n"):
    return Ascent(form, weighted, batch, entropy, code(beta))


def bits(*tables):
    """The bytes of arrays, and of those in named tuples."""
    return [bits(*x) if isinstance(x, tuple) else np.asarray(x).tobytes() for x in tables if x is not None]


def code(text):
    return Schedule.of(text).code
