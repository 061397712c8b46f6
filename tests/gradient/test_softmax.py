"""Softmax policies: probabilities and scores by hand, and against differences of log π."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
from random_models import random_model

from tabular_rl.errors import OptionError
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import over_rows


def bandit(*rewards, gamma=1, horizon=1):
    n = len(rewards)
    return MDP([[[1.0]] * n], [list(rewards)], gamma, horizon=horizon)


def test_probabilities_and_scores_by_hand():
    """θ = (ln 6, ln 3, 0): π = (.6, .3, .1), and the score of the second is (0, 1, 0) - π."""
    policy = SoftmaxPolicy(bandit(0, 0, 0), np.log([6, 3, 1]))
    assert policy.pi == pytest.approx([0.6, 0.3, 0.1], abs=1e-15)
    assert policy.score(1) == pytest.approx([-0.6, 0.7, -0.1], abs=1e-15)
    assert policy.scores[1].tolist() == policy.score(1).tolist()


def test_features_by_hand():
    """One feature, 1 and 3: π ∝ (e^θ, e^3θ), at θ = ln 2 / 2 one third and two; the scores are 1 - 7/3 and 3 - 7/3."""
    policy = SoftmaxPolicy(bandit(0, 0), [np.log(2) / 2], [[1.0], [3.0]])
    assert policy.pi == pytest.approx([1 / 3, 2 / 3], abs=1e-15)
    assert policy.scores == pytest.approx(np.array([[-4 / 3], [2 / 3]]), abs=1e-15)


@pytest.mark.parametrize("d", [None, 3])
@pytest.mark.parametrize("seed", range(4))
def test_score_is_the_gradient_of_log_pi(seed, d):
    mdp, rng = random_model(seed), np.random.default_rng(seed)
    x = None if d is None else rng.normal(size=(mdp.L, d))
    policy = SoftmaxPolicy(mdp, rng.normal(size=mdp.L if d is None else d), x)
    h, units = 1e-5, np.eye(policy.d)
    up, down = (np.array([np.log(policy.moved(sign * h * e).pi) for e in units]).T for sign in (1, -1))
    assert policy.scores == pytest.approx((up - down) / (2 * h), abs=1e-8)
    for i in range(mdp.L):
        assert policy.score(i) == pytest.approx(policy.scores[i], abs=1e-15)
    # E[score | s] = 0
    assert over_rows(np.add, policy.pi[:, None] * policy.scores, policy.mdp.pair_ptr) == pytest.approx(
        0, abs=1e-14
    )


def test_of_a_policy_keeps_its_probabilities():
    mdp = bandit(1, 0)
    given = Policy.of_probs(mdp, {"0": {"0": "9/10", "1": "1/10"}})
    policy = SoftmaxPolicy.of(given)
    assert policy.policy.rationals() == [F(9, 10), F(1, 10)]
    assert SoftmaxPolicy(mdp, policy.theta).pi == pytest.approx(given.weights, abs=1e-15)


def test_large_preferences_do_not_overflow():
    assert SoftmaxPolicy(bandit(1, 0), [1e300, -1e300]).pi.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda m: SoftmaxPolicy(m, [1.0]), "theta: found shape (1,), expected (2,)"),
        (lambda m: SoftmaxPolicy(m, [1.0, np.nan]), "finite"),
        (lambda m: SoftmaxPolicy(m, [1e200], [[1e200], [0.0]]), "range of floats"),
        (lambda m: SoftmaxPolicy(m, None, [[1.0]]), "features: found shape (1, 1)"),
        (lambda m: SoftmaxPolicy(m, None, [[1.0], [np.inf]]), "finite"),
        (lambda m: SoftmaxPolicy.of(Policy.of_actions(m, [0])), "action '1': found probability 0"),
        (lambda m: SoftmaxPolicy.of(Policy(m, probs=[[0.5, 0.5], [0.5, 0.5]])), "depends on time"),
    ],
)
def test_what_does_not_fit_is_refused(make, says):
    with pytest.raises(OptionError) as caught:
        make(bandit(1, 0))
    assert says in str(caught.value)
