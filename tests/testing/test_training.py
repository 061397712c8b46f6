"""Whole training loops and agents: a right one passes, and the mistakes that loops make are named."""

from __future__ import annotations

import numpy as np
import pytest

from tabular_rl import OptionError
from tabular_rl.testing import LOOP_MISTAKES, MISTAKES, Environment, assert_trains, cases, check_training
from tabular_rl.testing.training import allowed, transitions_of

EPISODES = 40


def q_loop(mistake=None):
    """A Q-learning loop as textbooks print it, with a mistake or without."""

    def train(env, gamma, step_size, epsilon, rng):
        q = np.zeros((env.observation_space.n, env.action_space.n))
        s2 = None
        for _ in range(EPISODES):
            s, _ = env.reset()
            if mistake == "not reset" and s2 is not None:
                s = s2
            over = False
            while not over:
                a = env.action_space.sample() if rng.random() < epsilon else int(q[s].argmax())
                s2, r, terminated, truncated, _ = env.step(a)
                over = terminated or truncated
                ends = over if mistake == "truncation" else terminated and mistake != "no mask"
                read = s if mistake == "values at s" else s2
                g = 0.9 if mistake == "own discount" else gamma
                q[s, a] += step_size * (r + g * (not ends) * q[read].max() - q[s, a])
                if mistake != "state kept":
                    s = s2
        return q

    return train


def test_a_right_loop_passes_and_says_what_was_tested():
    verdict = check_training(q_loop(), "q-learning", epsilon=0.2, seed=1)
    assert verdict
    assert verdict.steps > 100
    assert verdict.false_alarm == 1e-6
    assert "trained: " in str(verdict)
    assert "actions: a right loop fails" in str(verdict)


@pytest.mark.parametrize("seed", range(5))
def test_a_right_loop_never_fails(seed):
    assert check_training(q_loop(), "q-learning", seed=seed)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        *LOOP_MISTAKES.items(),
        ("no mask", MISTAKES["no mask"]),
        ("values at s", "the maximum is taken over q(s, ·) instead of q(s', ·)"),
        ("own discount", "the discount is always 0.9, whatever γ is"),
    ],
)
def test_mistakes_of_loops_are_named(mistake, said):
    verdict = check_training(q_loop(mistake), "q-learning", seed=3)
    assert not verdict
    assert verdict.mistakes == (said,), str(verdict)
    with pytest.raises(AssertionError, match="q-learning: wrong"):
        assert_trains(q_loop(mistake), "q-learning", seed=3)


def sarsa_loop(*, chooses_again=False, greedy=False):
    def train(env, gamma, step_size, epsilon, rng, episodes):
        q = {}

        def act(s):
            values = [q.get((s, a), 0.0) for a in range(env.action_space.n)]
            explores = rng.random() < (0.0 if greedy else epsilon)
            return env.action_space.sample() if explores else int(np.argmax(values))

        for _ in range(episodes):
            s, _ = env.reset()
            a, over = act(s), False
            while not over:
                s2, r, over, _, _ = env.step(a)
                a2 = act(s2)
                target = r + (0 if over else gamma * q.get((s2, a2), 0.0))
                q[s, a] = q.get((s, a), 0.0) + step_size * (target - q.get((s, a), 0.0))
                s, a = s2, act(s2) if chooses_again else a2
        return q

    return train


def test_sarsa_in_a_dict():
    assert check_training(sarsa_loop(), "sarsa", epsilon=0.3, seed=1)
    assert not check_training(sarsa_loop(chooses_again=True), "sarsa", seed=1)


def test_actions_that_are_not_epsilon_greedy_are_found():
    """ε of 0 for one of .3, on tables that are all right."""
    verdict = check_training(sarsa_loop(greedy=True), "sarsa", epsilon=0.3, seed=1)
    assert not verdict
    assert not verdict.mistakes
    assert "the actions are not ε-greedy with ε = 0.3" in verdict.what
    assert verdict.difference <= 1e-9


def prediction_loop(rule, *, uniform=False):
    """TD(0) and TD(λ) by the policy pi, or by another."""

    def train(env, gamma, step_size, pi, lam, rng, episodes):
        v = np.zeros(env.observation_space.n)
        for _ in range(episodes):
            s, _ = env.reset()
            z, over = np.zeros_like(v), False
            while not over:
                a = int(rng.choice(pi.shape[1], p=None if uniform else pi[s]))
                s2, r, terminated, truncated, _ = env.step(a)
                over = terminated or truncated
                delta = r + (0 if terminated else gamma * v[s2]) - v[s]
                z *= gamma * lam if rule == "td-lambda" else 0.0
                z[s] += step_size
                v += delta * z
                s = s2
        return v

    return train


@pytest.mark.parametrize("rule", ["td0", "td-lambda"])
def test_prediction_acts_by_the_policy(rule):
    assert check_training(prediction_loop(rule), rule, seed=2)
    verdict = check_training(prediction_loop(rule, uniform=True), rule, seed=2)
    assert not verdict
    assert "the actions are not those of pi" in verdict.what


def test_first_visit_monte_carlo_in_a_loop():
    def train(env, gamma, pi, rng, episodes):
        v, counts = np.zeros(env.observation_space.n), np.zeros(env.observation_space.n)
        for _ in range(episodes):
            s, _ = env.reset()
            episode, over = [], False
            while not over:
                s2, r, over, _, _ = env.step(rng.choice(pi.shape[1], p=pi[s]))
                episode.append((s, r))
                s = s2
            G = 0.0
            for t in range(len(episode) - 1, -1, -1):
                s, r = episode[t]
                G = r + gamma * G
                if s not in [x for x, _ in episode[:t]]:
                    counts[s] += 1
                    v[s] += (G - v[s]) / counts[s]
        return v

    assert check_training(train, "monte-carlo", step_size="1/n", seed=1)
    verdict = check_training(train, "monte-carlo", step_size="1/n", visit="every", seed=1)
    assert verdict.mistakes == (MISTAKES["first visit"],)


class Agent:
    """Q-learning or SARSA as an object; the loop is the kit's."""

    def __init__(self, env, gamma, step_size, epsilon, rng):
        self.env, self.gamma, self.step_size, self.epsilon, self.rng = env, gamma, step_size, epsilon, rng
        self.q = np.zeros((env.observation_space.n, env.action_space.n))

    def act(self, s):
        explores = self.rng.random() < self.epsilon
        return self.env.action_space.sample() if explores else int(self.q[s].argmax())

    def learn(self, s, a, r, after):
        self.q[s, a] += self.step_size * (r + self.gamma * after - self.q[s, a])


class QAgent(Agent):
    def update(self, s, a, r, s2, done):
        self.learn(s, a, r, 0 if done else self.q[s2].max())


class SarsaAgent(Agent):
    def update(self, s, a, r, s2, done, a2):
        self.learn(s, a, r, 0 if done else self.q[s2, a2])


def test_agents_are_driven():
    assert check_training(QAgent, "q-learning", epsilon=0.2, episodes=EPISODES, seed=1)
    assert check_training(SarsaAgent, "sarsa", epsilon=0.2, episodes=EPISODES, seed=1)
    verdict = check_training(QAgent, "sarsa", episodes=EPISODES, seed=1)
    assert verdict.mistakes
    assert "maximum" in verdict.mistakes[0]


class Bare(QAgent):
    def __init__(self, env, gamma, step_size, epsilon, rng):
        super().__init__(env, gamma, step_size, epsilon, rng)
        self.hidden = self.q

    def act(self, s):
        if hasattr(self, "q"):
            del self.q
        return 0

    def update(self, s, a, r, s2, done):
        pass


@pytest.mark.parametrize(
    ("train", "rule", "options", "message"),
    [
        (lambda env: None, "td0", {}, "took no step"),
        (lambda env: env.step(0), "td0", {}, "expected env.reset"),
        (lambda env: (env.reset(), env.step(5)), "td0", {}, "found the action 5"),
        (lambda env: (env.reset(), env.step(0), np.zeros(9))[2], "td0", {}, "returned the shape"),
        (lambda env: (env.reset(), env.step(0), "x")[2], "td0", {}, "returned str"),
        (Bare, "q-learning", {"episodes": 1}, "found no table"),
        (lambda env: None, "double-q-learning", {}, "its coins are not seen"),
        (lambda env: None, "td0", {"epsilon": 2}, "epsilon: found 2"),
        (lambda env: None, "td0", {"false_alarm": 0}, "false_alarm: found 0"),
        (lambda env: None, "monte-carlo", {"models": cases()[1:2]}, "none whose episodes end"),
    ],
)
def test_refusals(train, rule, options, message):
    with pytest.raises(OptionError, match=message):
        check_training(train, rule, **options)


def test_a_loop_that_stops_within_an_episode():
    def train(env):
        env.reset()
        while env.step(0)[2]:
            env.reset()
        return np.zeros(env.observation_space.n)

    with pytest.raises(OptionError, match="stopped within an episode"):
        check_training(train, "monte-carlo", seed=0)


def test_the_environment_gives_the_model_s_transitions():
    """Outcomes are as frequent as the model says, within 6 standard deviations: a false alarm in 5e8."""
    case = cases()[0]
    env = Environment(case, cut=None, seed=7)
    n = 4000
    env.reset()
    for _ in range(n):
        if env.step(0)[2]:
            env.reset()
    made = transitions_of(env.steps)
    from_a = [t for t in made if t.s == 0]
    stays = sum(t.s2 == 0 and not t.done for t in from_a)
    assert abs(stays - 0.5 * len(from_a)) < 6 * (0.25 * len(from_a)) ** 0.5
    assert all(t.r == (1.0 if t.s == 0 else 3.0) for t in made)
    assert all(t.s2 == (t.s + 1) % 2 for t in made if t.done), "the end is seen as a live state"


def test_what_is_allowed_covers_the_binomial():
    """Freedman's bound, whatever n is, against the exact tail of the binomial distribution."""
    from scipy.stats import binom

    for n in (1, 3, 40, 500):
        for p in (0.05, 0.5):
            off = allowed(p, n, 1e-3)
            tail = binom.sf(np.floor(n * p + off), n, p) + binom.cdf(np.ceil(n * p - off) - 1, n, p)
            assert tail <= 1e-3
