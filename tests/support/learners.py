"""What the tests of learners share: inputs of kernels, listed uniforms, fresh seeds, and the laws of linear learners.

The laws here are the recursions for the mean and the second moment as they are told, with dense matrices, one outcome
after the other: they share nothing with tabular_rl.laws.
"""

from __future__ import annotations

import math
import secrets
from fractions import Fraction
from statistics import NormalDist

import numpy as np
from random_models import assemble, random_model, random_policy

from tabular_rl.kernels.walk import Walk
from tabular_rl.methods.learning import _learning
from tabular_rl.methods.learning._walk import rates
from tabular_rl.model.names import Names
from tabular_rl.model.transitions import Transitions
from tabular_rl.solving.sampling import cumulative, in_lines, policy_cum, read_only, sampling_model
from tabular_rl.solving.schedules import Schedule

RULES = {"sarsa": 0, "expected": 1, "max": 2, "own": 3}
SCHEDULES = ("0.3", "0.8/n", "0.9*n^-0.6", "linear:0.9:0.1:7", "exponential:0.9:0.8:0.05")


# -- inputs of kernels ----------------------------------------------------------------------------------------------


class Case:
    """A small model and everything that a walk takes, made of a seed; `tables` are what a kernel changes."""

    def __init__(self, seed, *, states=False, step_size=0, kind=0, source=0, target=0, average=False, runs=2, steps=30,
                 sense="max"):  # fmt: skip
        self.seed, rng = seed, np.random.default_rng(seed)
        mdp = self.mdp = random_model(seed, "total-reward", exact=False, S=4, ends=1, gamma=0.9, sense=sense)
        self.model = sampling_model(mdp, together=seed % 3 > 0)
        if seed % 5 < 2:
            self.model = in_lines(self.model)
        behavior, pi = random_policy(mdp, seed), random_policy(mdp, seed + 1)
        self.cum, self.pi = policy_cum(behavior), pi.weights
        self.rho = pi.weights / behavior.weights
        self.pairs = cumulative(behavior.weights / 3)
        self.step_size = rates(Schedule.of(SCHEDULES[step_size]), 8 * 5)  # five are found beforehand
        self.rate = Schedule.of(
            ("0", "linear:0.9:0.2:20", "1.5", "2", "3", "linear:0.9:0.2:20", "3")[kind]
        ).code
        self.kind, self.source, self.target = kind, source, target
        self.by = (0.0, 7.0, 0.3)[target]
        self.uniforms = rng.random((runs, steps, 4))
        entries = mdp.S if states else mdp.L
        table = rng.normal(size=(runs, entries))
        if seed % 2 == 0:
            table = np.round(table / 2)  # many ties
        if states:
            table[:, mdp.terminal] = math.nan
        kept = entries if average else 0
        self.tables = {
            "clock": np.zeros(runs, dtype=np.int64),
            "row": rng.integers(0, mdp.L, runs),
            "visits": np.zeros((runs, entries), dtype=np.int64),
            "total": np.zeros((runs, kept)),
            "since": np.zeros((runs, kept), dtype=np.int64),
            "bar": table.copy(),
            "table": table,
        }

    def copied(self):
        """Copies of the tables; the target table is the table itself where there is none."""
        made = {name: x.copy() for name, x in self.tables.items()}
        if not self.target:
            made["bar"] = made["table"]
        return made

    def walk(self, **changed):
        """The settings of a walk; of a log, where that is its source."""
        return settings(
            source=self.source, pairs=self.pairs, explore=self.kind, explore_rate=self.rate, cum=self.cum,
            step_size=self.step_size, target=self.target, by=self.by, pi=self.pi, rho=self.rho,
            ahead=self.seed % 2 > 0,
        )._replace(**changed)  # fmt: skip

    def left_by(self, kernel, *, log=None, width=3, pieces=(30,), names=None, **changed):
        """The tables after a walk of a rule in pieces of so many steps: through the model, or over a log."""
        tables, step = self.copied(), 0
        walk = self.walk(**changed)
        if log is not None:
            tables["clock"] = None
        if walk.usual:
            tables["total"] = tables["since"] = None
        for n in pieces:
            uniforms = np.ascontiguousarray(
                self.uniforms[:, step : step + n, : width if log is None else width - 3]
            )
            kernel(self.model, log, walk, uniforms, step, *(tables[name] for name in names or tables))
            step += n
        return tables

    def q(self, kernels, rule, **how):
        """The same by SARSA, expected SARSA (of a policy), Q-learning, expected SARSA (of its own exploration)."""
        name = ("sarsa", "expected_sarsa", "q_learning", "expected_sarsa")[rule]
        if rule == 3:
            how["pi"] = read_only(np.zeros(0))
        if how.get("log") is not None:
            how["explore"] = 0
        elif rule == 0:
            how = {"again": 3, "width": 4, **how}
        kernel = kernels[name] if isinstance(kernels, dict) else getattr(kernels, name)
        return self.left_by(kernel, **how)

    def given(self, n=7):
        """A log of n transitions; now and then it jumps."""
        mdp, rng = self.mdp, np.random.default_rng(self.seed)
        log, s = [], 0
        while len(log) < n:
            i = int(rng.choice(mdp.rows(s)))
            s2 = int(rng.choice(mdp.next_state[mdp.row_ptr[i] : mdp.row_ptr[i + 1]]))
            log.append((s, int(mdp.pair_action[i]), float(rng.normal()), s2))
            s = int(rng.integers(0, 3)) if mdp.terminal[s2] or rng.random() < 0.2 else s2
        return Transitions.of(mdp, log).arrays()


def settings(**changed):
    """The settings of a walk along a trajectory of which a test needs only some."""
    none = np.zeros(0)
    walk = Walk(
        source=0, pairs=none, episode_steps=0, explore=0, explore_rate=np.zeros(4), cum=none, again=2,
        step_size=np.zeros(4), per_step=False, target=0, by=0.0, pi=none, rho=none,
    )._replace(**changed)  # fmt: skip
    return walk._replace(pi=read_only(walk.pi))


def same_bits(a, b):
    """Are the tables equal, bit for bit?"""
    return all(a[name] is b[name] or a[name].tobytes() == b[name].tobytes() for name in a)


# -- the model of the sequences that are worked out by hand ---------------------------------------------------------


def hand_model(sense="max"):
    """States a, b and the end; γ = 1/2; rows 0 (a, left), 1 (a, right), 2 (b, left); episodes start in a or b alike.

    a, left: to a for 2, or to b for 0. a, right: to b for 1. b, left: the end for 4, or to a for 0. Fair coins; the
    first outcome below 1/2. Everything is dyadic, so that floats are exact. With costs every reward changes its sign.
    """
    half, sign = Fraction(1, 2), 1 if sense == "max" else -1
    rows = [
        (0, 0, [(0, half, 2 * sign), (1, half, 0)], 0),
        (0, 1, [(1, Fraction(1), 1 * sign)], 0),
        (1, 0, [(2, half, 4 * sign), (0, half, 0)], 0),
    ]
    names = {"states": Names(["a", "b", "end"]), "sense": sense}
    return assemble(rows, 3, 2, "1/2", np.array([False, False, True]), exact=True, by_pair=False, **names)


def baird_features():
    """Sutton & Barto (2018), Figure 11.1: v(s) = 2 w_s + w_8 for six states, v(7) = w_7 + 2 w_8."""
    X = np.zeros((7, 8))
    X[range(6), range(6)] = 2.0
    X[:6, 7] = 1.0
    X[6, 6], X[6, 7] = 1.0, 2.0
    return X


# -- listed uniforms ------------------------------------------------------------------------------------------------


class Listed:
    """A generator whose uniforms are written down; it must be asked for exactly as many as there are."""

    def __init__(self, uniforms):
        self.uniforms = np.ravel(np.array(uniforms, dtype=float))
        self.bit_generator = type("None", (), {"state": None})()

    def random(self, size=None, out=None):
        n = size if out is None else out.size
        assert n <= len(self.uniforms), "asks for more uniforms than a step takes"
        first, self.uniforms = self.uniforms[:n], self.uniforms[n:]
        if out is None:
            return first
        out[...] = first.reshape(out.shape)
        return out


def listed(monkeypatch, *runs):
    """Make the next learner take these uniforms: one list a run, two to begin with and then those of each step."""
    made = [Listed(uniforms) for uniforms in runs]
    monkeypatch.setattr(_learning, "streams", lambda seed, count: made)
    return made


# -- statistics -----------------------------------------------------------------------------------------------------


def fresh_seed():
    """A new seed each time, printed, so that a failure can be repeated."""
    seed = secrets.randbits(48)
    print(f"seed {seed}")
    return seed


def z_limit(alarm, comparisons):
    """The |z| that a normal number exceeds with probability alarm / comparisons."""
    return -NormalDist().inv_cdf(alarm / comparisons / 2)


# -- laws -----------------------------------------------------------------------------------------------------------


def events(mdp, learner, policy, behavior=None, source="independent"):
    """What can happen in a step from each row: (probability, entry, weights, reward, ρ, next rows).

    The weights are those of the table at s', times γ. Next rows are a distribution (L,) of the row of the next step.
    All in the sign of maximisation.
    """
    behavior = policy if behavior is None else behavior
    pi, b, gamma = policy.weights, behavior.weights, float(mdp.gamma)
    live = (~mdp.terminal).sum()
    start = sum((mdp.start[s] * only(b, mdp, s) for s in range(mdp.S)), np.zeros(mdp.L))
    made = []
    for i in range(mdp.L):
        listed = []
        for k in range(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1])):
            p, s2 = float(mdp.prob[k]), int(mdp.next_state[k])
            r = float(mdp.sign) * float(mdp.r[i] if mdp.reward is None else mdp.reward[k])
            after = start if mdp.terminal[s2] else only(b, mdp, s2)
            entry, n, rho = (
                (int(mdp.pair_state[i]), mdp.S, pi[i] / b[i]) if learner == "td0" else (i, mdp.L, 1.0)
            )
            g = np.zeros(n)
            branches = [(1.0, g, after)]
            if not mdp.terminal[s2]:
                if learner == "td0":
                    g[s2] = gamma
                elif learner == "q-evaluation":
                    g += gamma * only(pi, mdp, s2)
                else:  # sarsa-evaluation: the next action is one more thing that happens
                    branches = [(b[j], gamma * np.eye(n)[j], np.eye(mdp.L)[j]) for j in mdp.rows(s2)]
            for share, g, after in branches:
                listed.append((p * share, entry, g, r, rho, b / live if source == "independent" else after))
        made.append(listed)
    first = b / live if source == "independent" else start
    return made, first


def only(weights, mdp, s):
    """Weights (L,) of the rows of one state, 0 elsewhere."""
    return np.where(mdp.pair_state == s, weights, 0.0)


def law(mdp, learner, policy, alphas, *, behavior=None, source="independent", start_value=0.0):
    """The exact mean (n,) and covariance (n, n) of the estimates after the step sizes `alphas`, terminals 0.

    Carried along are the probability μ(i) of the row i to come, u(i) = E[V 1{i}] and W(i) = E[V Vᵀ 1{i}].
    """
    made, first = events(mdp, learner, policy, behavior, source)
    n = mdp.S if learner == "td0" else mdp.L
    V = np.full(n, mdp.sign * start_value)
    if learner == "td0":
        V[mdp.terminal] = 0.0
    mu, u, W = first, first[:, None] * V, first[:, None, None] * np.outer(V, V)
    for alpha in alphas:
        mu2, u2, W2 = np.zeros_like(mu), np.zeros_like(u), np.zeros_like(W)
        for i, listed in enumerate(made):
            for p, entry, g, r, rho, after in listed:
                e = np.eye(n)[entry]
                B = np.eye(n) + alpha * rho * np.outer(e, g - e)
                c = alpha * rho * r * e
                Bu = B @ u[i]
                new = B @ W[i] @ B.T + np.outer(Bu, c) + np.outer(c, Bu) + mu[i] * np.outer(c, c)
                mu2 += p * mu[i] * after
                u2 += p * after[:, None] * (Bu + mu[i] * c)
                W2 += p * after[:, None, None] * new
        mu, u, W = mu2, u2, W2
    mean = u.sum(axis=0)
    return mdp.sign * mean, W.sum(axis=0) - np.outer(mean, mean)


def z_of_means(estimates, mean, covariance):
    """(sample mean - mean) in standard errors, of the entries that vary."""
    sd = np.sqrt(np.clip(np.diag(covariance), 0, None))
    moving = sd > 1e-9
    assert moving.any()
    return (estimates.mean(axis=0) - mean)[moving] / sd[moving] * math.sqrt(len(estimates))
