"""The gradient of given episodes: by hand, and logs that hold every episode as often as it is likely."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from program import inside
from random_models import assemble

from tabular_rl import (
    MDP,
    OptionError,
    Policy,
    SoftmaxPolicy,
    Transitions,
    load,
    sample_gradient,
    sample_transitions,
)
from tabular_rl.methods.gradient.enumeration import enumerate_episodes
from tabular_rl.methods.gradient.estimators import ESTIMATORS
from tabular_rl.methods.gradient.moments import estimator_moments

BANDIT = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 1, horizon=1)
NINE = SoftmaxPolicy(BANDIT, np.log([9.0, 1.0]))
PULLS = [(0, 0, 1, 0), (0, 1, 0, 0)]


def coins(gamma="1/2", final=None, horizon=3):
    """Two states, two actions, two outcomes of 1/2 each; one of them may end."""
    half = Fraction(1, 2)
    rows = [
        (0, 0, [(0, half, 1), (1, half, -2)], 0),
        (0, 1, [(1, half, 3), (2, half, 4)], 0),
        (1, 0, [(0, half, -1), (1, half, 5)], 0),
        (1, 1, [(0, half, 2), (1, half, 0)], 0),
    ]
    start = np.array([1.0, 0.0, 0.0])
    ends = np.array([False, False, True])
    mdp = assemble(rows, 3, 2, gamma, ends, exact=True, by_pair=False, start=start)
    return mdp.replace(horizon=horizon) if final is None else mdp.replace(horizon=horizon, final_reward=final)


def every_episode(mdp):
    """A log of the uniform policy that holds each episode once for each 1/64 of its probability."""
    row, reward, after, done, next_row = [], [], [], [], []
    for e in enumerate_episodes(Policy.uniform(mdp)):
        for _ in range(int(e.probability * 64)):
            for i, k in zip(e.rows, e.outcomes, strict=True):
                row.append(i)
                reward.append(float(mdp.reward[k]))
                after.append(int(mdp.next_state[k]))
                done.append(bool(mdp.terminal[after[-1]]))
            next_row += [*e.rows[1:], -1]
    return Transitions(mdp, *map(np.array, (row, reward, after, done, next_row)))


def test_two_pulls_by_hand():
    """π = (.9, .1), scores (.1, -.1) and (-.9, .9). On policy: (1 · .1 + 0) / 2. By b = 1/2: ρ = 1.8 and .2."""
    (on,) = sample_gradient(NINE, data=PULLS)
    assert on.mean == pytest.approx([0.05, -0.05]) and (on.episodes, on.steps, on.seed) == (2, 2, None)
    assert on.covariance[0] == pytest.approx([2 * 0.05**2, -2 * 0.05**2]) and on.effective is None
    for importance in ("ordinary", "weighted", "per-decision"):
        (off,) = sample_gradient(NINE, data=PULLS, behavior=Policy.uniform(BANDIT), importance=importance)
        assert off.mean == pytest.approx([0.09, -0.09])  # 1.8 · .1 / 2, and 1.8 · .1 / (1.8 + .2)
        assert off.effective == pytest.approx(4 / (1.8**2 + 0.2**2))
        spread = {"weighted": 1.8 * (0.1 - 0.09), "ordinary": 0.18 - 0.09}.get(importance, 0.09)
        other = {"weighted": 0.2 * (0 - 0.09)}.get(importance, -0.09)
        assert off.covariance[0, 0] == pytest.approx(spread**2 + other**2)
    three = [*PULLS, (0, 1, 0, 0)]  # weights 1.8, .2, .2: Σ W g / Σ W = .18 / 2.2
    (off,) = sample_gradient(NINE, data=three, behavior="log", importance="weighted")
    assert off.mean[0] == pytest.approx(
        2.7 * 0.1 / (2.7 + 0.3)
    )  # b by the log: 1/3 and 2/3, ρ = 2.7 and .15 twice


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("final", [None, [2.0, -1.0, 0.0]])
def test_a_log_of_every_episode_has_the_exact_mean(name, final):
    """Each episode as often as it is likely: the mean is the expectation, for the policy itself and for another one."""
    mdp = coins(final=final)
    log, uniform = every_episode(mdp), Policy.uniform(mdp)
    (own,) = sample_gradient(SoftmaxPolicy(mdp), [name], data=log)
    exact = estimator_moments(SoftmaxPolicy(mdp), name)
    assert (own.episodes, own.left_out) == (64, 0)
    assert own.mean == pytest.approx(exact.mean, abs=1e-12)
    assert own.covariance * 63 / 64 == pytest.approx(exact.covariance, abs=1e-11)
    policy = SoftmaxPolicy(mdp, [0.5, -0.25, 1.0, 0.125])
    exact = estimator_moments(policy, name)
    for importance in ("ordinary", "per-decision", "weighted"):
        (off,) = sample_gradient(policy, [name], data=log, behavior=uniform, importance=importance)
        assert off.mean == pytest.approx(exact.mean, abs=1e-12), importance
        assert off.importance == importance and 1 < off.effective < 64
    for discounted in (True, False):
        exact = estimator_moments(policy, name, discounted=discounted)
        (off,) = sample_gradient(policy, [name], data=log, behavior=uniform, discounted=discounted)
        assert off.mean == pytest.approx(exact.mean, abs=1e-12)


@pytest.mark.parametrize("importance", ["ordinary", "per-decision", "weighted"])
def test_the_covariance_is_that_of_the_definition(importance):
    """Of reward-to-go over all episodes, each term with its own product of ratios."""
    mdp = coins()
    policy = SoftmaxPolicy(mdp, [0.5, -0.25, 1.0, 0.125])
    scores, rho, terms, weights = policy.scores, policy.pi * 2, [], []
    for e in enumerate_episodes(Policy.uniform(mdp)):
        ratios = np.cumprod([rho[i] for i in e.rows])
        g = np.zeros(4)
        for t, i in enumerate(e.rows):
            for k in range(t, len(e.rows)):
                W = ratios[k] if importance == "per-decision" else 1.0
                g += 0.5**k * float(e.rewards[k]) * W * scores[i]
        terms += [g] * int(64 * e.probability)
        weights += [ratios[-1]] * int(64 * e.probability)
    g, W = np.array(terms), np.array(weights)[:, None]
    if importance == "ordinary":
        g = W * g
    mean = g.mean(axis=0) if importance != "weighted" else (W * g).sum(axis=0) / W.sum()
    apart = g - mean if importance != "weighted" else W * (g - mean) / W.mean()
    (found,) = sample_gradient(
        policy, ["reward-to-go"], data=every_episode(mdp), behavior=Policy.uniform(mdp), importance=importance
    )
    assert found.mean == pytest.approx(mean, abs=1e-12)
    assert found.covariance == pytest.approx(apart.T @ apart / 63, abs=1e-11)


def test_values_of_a_critic_are_read():
    """The advantage with v = (1, 2): the mean over all episodes is that of the estimator with these values."""
    mdp = coins()
    v, policy = [1.0, 2.0, 0.0], SoftmaxPolicy(mdp)
    for name in ("advantage", "reward-to-go-value", "gae:0.5"):
        (found,) = sample_gradient(policy, [name], data=every_episode(mdp), values=v)
        assert found.mean == pytest.approx(estimator_moments(policy, name, values=v).mean, abs=1e-12)


def test_episodes_that_are_cut_off_are_left_out_and_counted():
    mdp = MDP(
        [[[0.5, 0.5], [0.5, 0.5]], [[0, 0], [0, 0]]], [[1.0, 2.0], [0, 0]], 1, terminal=["1"], axes="sas"
    )
    log = [(0, 0, 1, 0), (0, 1, 2, 1), (0, 0, 1, 0)]  # the last one has not ended
    (found,) = sample_gradient(SoftmaxPolicy(mdp), data=log)
    assert (found.episodes, found.steps, found.left_out) == (1, 2, 1)
    assert found.mean.tolist() == [0, 0] and np.isnan(found.covariance).all()  # 3 (1/2 - 1/2)
    endless = load("example:recycling_robot")  # 88 rewards are nearly all that counts at γ = .9
    log = sample_transitions(endless, Policy.uniform(endless), 100, seed=1)
    (found,) = sample_gradient(SoftmaxPolicy(endless), ["reward-to-go"], data=log)
    assert (found.episodes, found.steps) == (1, 100)


def test_a_sampled_log_of_another_policy_is_near_the_gradient():
    """20,000 episodes, seed fixed: within 5 standard errors in each entry."""
    mdp = coins()
    policy, b = SoftmaxPolicy(mdp, [0.5, -0.25, 1.0, 0.125]), Policy.of_probs(mdp, [0.25, 0.75, 0.5, 0.5])
    log = sample_transitions(mdp, b, 50_000, seed=3)
    exact = estimator_moments(policy, "reward-to-go-value").mean
    for behavior in (b, "log"):
        (found,) = sample_gradient(policy, ["reward-to-go-value"], data=log, behavior=behavior)
        assert (np.abs(found.mean - exact) < 5 * found.standard_error).all()
    (wrong,) = sample_gradient(policy, ["reward-to-go-value"], data=log)  # as if it were of the policy
    assert (np.abs(wrong.mean - exact) > 5 * wrong.standard_error).any()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"data": PULLS, "steps": 3}, "steps: found with data"),
        ({"data": PULLS, "time_limit": 3}, "time_limit: found with data"),
        ({"behavior": "log"}, "behavior: found without data"),
        ({"data": PULLS, "importance": "other"}, "expected one of ordinary, weighted, per-decision"),
        ({"data": [(0, 0, 1, 0)] * 30}, "is not that of the policy"),
        (
            {"data": [(0, 0, 1, 0), (0, 0, 1, 0)], "behavior": Policy.of_actions(BANDIT, [0])},
            "found probability 0",
        ),
        ({"data": 5}, "data: found int"),
    ],
)
def test_what_is_no_log_of_the_policy_is_refused(more, says):
    policy = (
        SoftmaxPolicy(BANDIT)
        if len(more.get("data", ()) if isinstance(more.get("data"), list) else ()) > 9
        else NINE
    )
    with pytest.raises(OptionError, match=says):
        sample_gradient(policy, **more)


def test_a_horizon_ends_an_episode_and_what_is_shorter_has_no_end():
    """Five steps in a row at T = 3: one episode, and two steps of another that is left out."""
    mdp = coins()
    rows = np.zeros(5, dtype=int)
    log = Transitions(mdp, rows, np.ones(5), rows, rows > 0, np.array([0, 0, 0, 0, -1]))
    (found,) = sample_gradient(SoftmaxPolicy(mdp), data=log)
    assert (found.episodes, found.steps, found.left_out) == (1, 3, 1)
    short = Transitions(mdp, rows[:2], np.ones(2), rows[:2], rows[:2] > 0, np.array([0, -1]))
    with pytest.raises(OptionError, match="none of 1 episodes comes to its end"):
        sample_gradient(SoftmaxPolicy(mdp), data=short)


def test_the_command(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("gradient", "example:recycling_robot", "--horizon", 3)
    inside(capsys, "simulate", *words[1:], "--policy", "uniform", "--episodes", 400, "--log", "log.csv", "-q")
    mdp = load("example:recycling_robot", horizon=3)
    told = json.loads(inside(capsys, *words, "--data", "log.csv", "--json").out)
    assert [e["estimator"] for e in told["log"]] == list(ESTIMATORS) and told["estimators"] == []
    (found,) = sample_gradient(SoftmaxPolicy(mdp), ["return"], data="log.csv")
    assert told["log"][0]["mean"] == found.mean.tolist() and told["log"][0]["episodes"] == 400
    other = Policy.of_probs(
        mdp, {"high": {"search": 0.7, "wait": 0.3}, "low": {"search": 0.2, "wait": 0.4, "recharge": 0.4}}
    )
    (tmp_path / "policy.csv").write_text(
        "state,action,probability\nhigh,search,0.7\nhigh,wait,0.3\nlow,search,0.2\nlow,wait,0.4\nlow,recharge,0.4\n"
    )
    asked = (
        "--data",
        "log.csv",
        "--policy",
        "policy.csv",
        "--estimator",
        "gae:0.9",
        "--importance",
        "ordinary",
    )
    for behavior in ("uniform", "log"):
        done = inside(capsys, *words, *asked, "--behavior", behavior)
        b = behavior if behavior == "log" else Policy.uniform(mdp)
        (found,) = sample_gradient(other, ["gae:0.9"], data="log.csv", behavior=b, importance="ordinary")
        text = done.out
        assert "the mean over 400 episodes of the log" in text and "weights ordinary, worth" in text
        assert f" {found.trace:.3g}" in text
    for more, says in (
        (("--seed", 1), "--seed: found with --data"),
        (("--episodes", 5), "--episodes: found with --data"),
        (("--time-limit", 5), "--time-limit: found with --data"),
    ):
        done = inside(capsys, *words, "--data", "log.csv", *more)
        assert done.code == 2 and says in done.err
    assert "--behavior: found without --data" in inside(capsys, *words, "--behavior", "uniform").err
    assert inside(capsys, *words, "--data", "log.csv", "-o", "log.csv").code == 2
