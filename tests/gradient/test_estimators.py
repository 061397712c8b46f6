"""Estimators of the gradient as random vectors: their baselines by hand and by variation, and what is refused."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
from random_models import random_model

from tabular_rl.errors import NoFiniteAnswer, OptionError
from tabular_rl.methods.gradient import enumeration
from tabular_rl.methods.gradient._episodes import Episodes, stopping_model
from tabular_rl.methods.gradient.enumeration import enumerate_episodes, enumerated_moments
from tabular_rl.methods.gradient.estimators import (
    ESTIMATORS,
    best_baseline,
    best_constant,
    checked_name,
    make_form,
    mean_return,
)
from tabular_rl.methods.gradient.exact import exact_gradient
from tabular_rl.methods.gradient.moments import estimator_moments, form_moments
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy


def random_softmax(mdp, seed, d=None):
    rng = np.random.default_rng(seed)
    x = None if d is None else rng.normal(size=(mdp.L, d))
    return SoftmaxPolicy(mdp, rng.normal(size=mdp.L if d is None else d), x)


def nine_to_one(*rewards, **more):
    mdp = MDP([[[1.0], [1.0]]], [list(rewards)], 1, **more)
    return Policy.of_probs(mdp, {"0": {"0": "9/10", "1": "1/10"}})


def test_bandit_where_the_mean_is_a_bad_baseline():
    """π = (.9, .1), r = (1, 0). A sample is (r - b) (.1, -.1) or (r - b) (-.9, .9): variance per logit

        .09 (.1 + .8 b)² where the two differ by .1 (1 - b) - .9 b = .1 - b:   p q (.1 - b)² = .09 (.1 - b)²

    which is .0009 at b = 0, .0576 at b = E[R] = .9, 0 at b* = .1.
    """
    policy = nine_to_one(1, 0, horizon=1)
    episodes = Episodes(SoftmaxPolicy.of(policy), horizon=1)
    assert mean_return(episodes) == pytest.approx(0.9, abs=1e-15)
    assert best_constant(episodes) == pytest.approx(0.1, abs=1e-15)
    assert best_baseline(episodes, 1.0) == pytest.approx(np.array([[0.1]]), abs=1e-15)
    for name, variance in (("return", F(9, 10_000)), ("return-mean", F(576, 10_000)), ("return-best", F(0)),
                           ("reward-to-go-value", F(576, 10_000)), ("reward-to-go-best", F(0))):  # fmt: skip
        exact = enumerated_moments(policy, name)
        assert [exact.covariance[0, 0], exact.covariance[1, 1]] == [variance, variance]
        assert exact.mean.tolist() == [F(9, 100), F(-9, 100)]
        found = estimator_moments(policy, name)
        assert np.diag(found.covariance) == pytest.approx([float(variance)] * 2, abs=1e-15)


def stay_or_leave():
    """Two steps: stay for -1 or leave for 1, π(stay) = 8/10."""
    mdp = MDP.from_outcomes(
        [("s", "stay", "s", 1, -1), ("s", "leave", "end", 1, 1)], 1, terminal=["end"], horizon=2
    )
    return Policy.of_probs(mdp, {"s": {"stay": "8/10", "leave": "2/10"}})


def test_exact_values_can_be_worse_than_samples():
    """Exact q(s_t, a_t) for R_t lowers the variance of each term, and can raise that of the sum: here 49/9 times.

    In the direction (1, -1) the scores are .2 (stay) and -.8 (leave); q_0 = (-1.6, 1), q_1 = (-1, 1).

        episode        probability    with R_t                     with q
        stay, stay     .64            .2 · -2 + .2 · -1 = -.6      .2 · -1.6 + .2 · -1 = -.52
        stay, leave    .16            .2 · 0 - .8 · 1 = -.8        .2 · -1.6 - .8 = -1.12
        leave          .20            -.8                          -.8

    Both have the mean -.672; the variances are .4608 - .451584 and .50176 - .451584.
    """
    policy = stay_or_leave()
    traces = {}
    for name, variance in (("reward-to-go", F(9216, 10**6)), ("q", F(50176, 10**6))):
        exact = enumerated_moments(policy, name)
        assert exact.mean.tolist() == [F(-672, 1000), F(672, 1000)]
        assert exact.covariance.trace() == 2 * variance
        assert estimator_moments(policy, name).trace == pytest.approx(float(2 * variance), abs=1e-14)
        traces[name] = exact.covariance.trace()
    assert traces["q"] / traces["reward-to-go"] == F(49, 9)


def test_without_the_weight_actor_critic_follows_no_objective():
    """γ = 1/2, two steps: s goes up to t or ends; t wins 1 or loses; π = 1/2 everywhere.

    ∇ for (s, up) is 1/4 γ v(t) = 1/16 discounted and 1/8 not; for (t, win) γ 1/2 1/4 = 1/16 and 1/8. Without the
    weight the targets with γ give 1/16 and 1/8: neither.
    """
    mdp = MDP.from_outcomes(
        [("s", "up", "t", 1, 0), ("s", "out", "end", 1, 0), ("t", "win", "end", 1, 1), ("t", "lose", "end", 1, 0)],
        "1/2", terminal=["end"], horizon=2, start="s",
    )  # fmt: skip
    policy = Policy.uniform(mdp)
    up, win = mdp.row("s", "up"), mdp.row("t", "win")
    for name in ("reward-to-go", "reward-to-go-value", "q", "bootstrap", "advantage", "gae:0.5"):
        exact = enumerated_moments(policy, name, discounted=False)
        assert [exact.mean[up], exact.mean[win]] == [F(1, 16), F(1, 8)]
        found = estimator_moments(policy, name, discounted=False)
        assert [found.discounted[up], found.discounted[win]] == pytest.approx([1 / 16, 1 / 16], abs=1e-15)
        assert [found.total[up], found.total[win]] == pytest.approx([1 / 8, 1 / 8], abs=1e-15)
        assert np.abs(found.bias).max() == pytest.approx(1 / 16, abs=1e-15)
        assert np.abs(found.total_bias).max() == pytest.approx(1 / 16, abs=1e-15)
        assert np.abs(estimator_moments(policy, name).bias).max() < 1e-15


# -- the best baselines are the best ----------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [None, 2])
@pytest.mark.parametrize("problem", ["finite-horizon", "discounted", "forever", "total-reward"])
def test_no_other_baseline_has_a_smaller_trace(problem, d):
    """The trace is a parabola in each entry: up by the same on both sides of the best, by 4 times as much at 2."""
    met = 0
    for seed in range(2):
        mdp = random_model(seed, "discounted" if problem == "forever" else problem, S=4)
        episodes = Episodes(random_softmax(mdp, seed, d), stopping=False if problem == "forever" else None)
        weights = [episodes.gamma] if problem == "forever" else [episodes.gamma, 1.0]
        names = ["reward-to-go-best"] + ([] if problem == "forever" else ["return-best"])
        for name in names:
            for w in weights:
                form = make_form(episodes, name, discounted=w != 1.0)
                least = np.trace(form_moments(episodes, form)[1])
                entries = np.argwhere(np.ones_like(form.baseline)).tolist()
                for at in entries[:: 1 + len(entries) // 6]:
                    up, down, twice = (moved_trace(episodes, form, tuple(at), h) - least for h in (1, -1, 2))
                    assert up == pytest.approx(down, abs=1e-9 * (1 + least))
                    assert twice == pytest.approx(4 * up, abs=1e-9 * (1 + least))
                    assert up >= -1e-9
                    met += up > 1e-6
    assert met > 5, "hardly a baseline matters"


def moved_trace(episodes, form, at, h):
    baseline = form.baseline.copy()
    baseline[at] += h
    moved = type(form)(form.name, form.whole, form.signal, form.decay, baseline, form.weight)
    return np.trace(form_moments(episodes, moved)[1])


@pytest.mark.parametrize("seed", range(4))
def test_a_horizon_lets_the_best_baseline_depend_on_time(seed):
    """It does no worse than the value, and no worse than none."""
    policy = random_softmax(random_model(seed, "finite-horizon", S=4), seed)
    traces = {name: estimator_moments(policy, name).trace for name in ESTIMATORS}
    assert traces["reward-to-go-best"] <= min(traces["reward-to-go"], traces["reward-to-go-value"]) + 1e-9
    assert traces["return-best"] <= min(traces["return"], traces["return-mean"]) + 1e-9


# -- stopping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_stopping_model_has_the_values_and_the_gradient(seed):
    mdp = random_model(seed, gamma="9/10", exact=seed % 2 == 0, sense="min" if seed == 3 else "max")
    policy = random_softmax(mdp, seed)
    stopped = stopping_model(mdp)
    assert (stopped.gamma, stopped.S, stopped.L) == (1.0, mdp.S + 1, mdp.L)
    one, other = exact_gradient(policy), exact_gradient(SoftmaxPolicy(stopped, policy.theta))
    assert other.v[0, :-1] == pytest.approx(one.v[0], abs=1e-10)
    assert other.gradient == pytest.approx(one.gradient, abs=1e-10)


def test_stopping_at_discount_zero_is_after_one_step():
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0)
    assert stopping_model(mdp).next_state.tolist() == [1, 1]
    assert estimator_moments(Policy.uniform(mdp)).mean == pytest.approx([0.25, -0.25], abs=1e-15)


# -- learned critics --------------------------------------------------------------------------------------------------


def test_the_bias_of_a_wrong_critic_by_hand():
    """Stay or leave, with a critic that says v(s) = 1 at step 1 for -.6: q_0(stay) = -1 + 1 for -1 - .6.

    The score of `stay` is .2 and the probability .8, so the mean of "bootstrap" is off by .2 · .8 · 1.6; a wrong
    baseline does no harm.
    """
    policy = stay_or_leave()
    right = estimator_moments(policy, "bootstrap")
    values = np.zeros((3, 2))
    values[1, policy.mdp.states.find("s")] = 1.0
    wrong = estimator_moments(policy, "bootstrap", values=values)
    assert np.abs(wrong.mean - right.mean) == pytest.approx([0.256, 0.256], abs=1e-15)
    assert estimator_moments(policy, "reward-to-go-value", values=values).bias == pytest.approx(0, abs=1e-15)
    # and the more the trace of gae, the less of it
    biases = [np.abs(estimator_moments(policy, f"gae:{x}", values=values).bias).max() for x in (0, 0.5, 1)]
    assert biases == pytest.approx([0.256, 0.128, 0.0], abs=1e-15)


def test_exact_values_given_are_no_critic():
    mdp = random_model(2, gamma="9/10")
    policy = random_softmax(mdp, 1)
    v, q = exact_gradient(policy).v[0], exact_gradient(policy).q[0]
    v = np.where(mdp.terminal, np.nan, v)  # what stands at terminals is not read
    for name in ("reward-to-go-value", "bootstrap", "advantage", "gae:0.7"):
        one, other = estimator_moments(policy, name), estimator_moments(policy, name, values=v)
        assert other.covariance == pytest.approx(one.covariance, abs=1e-9)
    one, other = estimator_moments(policy, "q"), estimator_moments(policy, "q", action_values=q)
    assert other.covariance == pytest.approx(one.covariance, abs=1e-9)


# -- what is refused --------------------------------------------------------------------------------------------------


def test_names():
    assert checked_name("gae:0.95") == ("gae", 0.95)
    for name in ("gae", "gae:2", "gae:x", "gae:nan", "reward-to-come"):
        with pytest.raises(OptionError, match="estimator: found"):
            checked_name(name)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"estimator": "q", "values": [0.0]}, "reads none"),
        ({"estimator": "advantage", "values": [0.0, 1.0]}, "values: found shape"),
        ({"estimator": "advantage", "values": [np.nan]}, "finite"),
        ({"estimator": "advantage", "action_values": [0.0, 1.0]}, "reads none"),
        ({"estimator": "q", "action_values": [0.0]}, "action_values: found shape"),
        ({"stopping": True, "steps": 5}, "one way to end"),
        ({"horizon": 3, "steps": 5}, "found with a horizon"),
        ({"steps": 0}, "steps"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, says):
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    with pytest.raises(OptionError, match=says):
        estimator_moments(Policy.uniform(mdp), **options)


def test_sums_without_end_are_refused():
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    for name in ESTIMATORS:
        with pytest.raises(NoFiniteAnswer, match="without the weight"):
            estimator_moments(Policy.uniform(mdp), name, stopping=False, discounted=False)


def test_enumeration_needs_a_horizon_and_room(monkeypatch):
    monkeypatch.setattr(enumeration, "EPISODES", 1000)
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    with pytest.raises(OptionError, match="no horizon"):
        enumerate_episodes(Policy.uniform(mdp))
    with pytest.raises(OptionError, match="more than 1,000"):
        enumerate_episodes(Policy.uniform(mdp), horizon=30)
