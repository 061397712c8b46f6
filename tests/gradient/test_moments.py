"""Exact moments: recursions against all episodes in fractions, without end against far, unbiasedness, the identity."""

from __future__ import annotations

import itertools
from fractions import Fraction as F

import numpy as np
import pytest
from random_models import TOTAL, random_model

from tabular_rl.errors import OptionError
from tabular_rl.methods.gradient.enumeration import enumerate_episodes, enumerated_moments
from tabular_rl.methods.gradient.estimators import ESTIMATORS, WHOLE
from tabular_rl.methods.gradient.exact import exact_gradient
from tabular_rl.methods.gradient.moments import all_moments, estimator_moments, score_identity
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy


def random_softmax(mdp, seed, d=None):
    rng = np.random.default_rng(seed)
    x = None if d is None else rng.normal(size=(mdp.L, d)).round(2)
    return SoftmaxPolicy(mdp, rng.normal(size=mdp.L if d is None else d), x)


def small(seed, problem="finite-horizon"):
    """A model with a few hundred episodes, its horizon at most 3."""
    mdp = random_model(seed, problem, S=4, N=2, A=2, sense="min" if seed % 2 else "max", gamma="9/10")
    return mdp, min(mdp.horizon or 3, 3)


# -- recursion against enumeration ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("d", [2, pytest.param(None, marks=pytest.mark.slow)])
def test_recursion_is_the_sum_over_all_episodes(name, d):
    """Mean and covariance to 1e-11 of their size, with and without the weight; final rewards and costs among them."""
    for seed, problem, discounted in itertools.product(
        range(3), ("finite-horizon", "discounted"), (True, False)
    ):
        mdp, T = small(seed, problem)
        policy = random_softmax(mdp, seed, d)
        exact = enumerated_moments(policy, name, discounted=discounted, horizon=T)
        found = estimator_moments(policy, name, discounted=discounted, horizon=T)
        size = 1 + float(exact.covariance.trace())
        assert found.mean == pytest.approx(exact.mean.astype(float), abs=1e-11 * size)
        assert found.covariance == pytest.approx(exact.covariance.astype(float), abs=1e-11 * size)
        if discounted or name in WHOLE:  # in fractions there is no bias at all
            assert (exact.mean == exact.gradient).all()
            assert np.abs(found.bias).max() < 1e-11 * size


def test_enumeration_by_hand():
    """Two flips of a coin that says 1 or 0, π = 1/2: R Σ score is 2 · 1 (1,1), 0 (mixed), 0 (0,0)."""
    mdp = MDP([[[1.0], [1.0]]], [[1, 0]], 1, horizon=2)
    episodes = enumerate_episodes(Policy.uniform(mdp))
    assert sorted(e.rewards for e in episodes) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    exact = enumerated_moments(Policy.uniform(mdp))
    assert exact.mean.tolist() == [F(1, 2), F(-1, 2)]
    # E[x²] = 1/4 · 4, less 1/4
    assert exact.covariance.tolist() == [[F(3, 4), F(-3, 4)], [F(-3, 4), F(3, 4)]]


# -- without a horizon ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "reward-to-go-best"])
def test_without_a_last_step_is_the_limit_of_far_ones(name):
    """Total reward: the linear systems against a recursion of 150 steps, after which next to nothing goes on."""
    for seed, kind in enumerate(("proper", "loops")):
        policy = random_softmax(random_model(seed, "total-reward", S=4, kind=kind), seed, 3)
        one, far = estimator_moments(policy, name), estimator_moments(policy, name, horizon=150)
        assert one.covariance == pytest.approx(far.covariance, abs=1e-7 * (1 + one.trace))
        assert one.mean == pytest.approx(far.mean, abs=1e-7 * (1 + one.trace))


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name not in (*WHOLE, "reward-to-go-best")])
def test_episodes_for_ever_are_the_limit_of_far_ones(name):
    for seed in range(2):
        policy = random_softmax(random_model(seed, S=4, ends=0, gamma="4/5"), seed, 3)
        one, far = (
            estimator_moments(policy, name, stopping=False),
            estimator_moments(policy, name, horizon=150),
        )
        assert one.covariance == pytest.approx(far.covariance, abs=1e-9 * (1 + one.trace))


@pytest.mark.parametrize("problem", ["discounted", "forever", "finite-horizon", *TOTAL])
def test_every_estimator_is_unbiased_for_what_it_claims(problem):
    """To 1e-9: stopped, forever, with a horizon, to the end; without features and with."""
    for seed in range(2):
        which = "total-reward" if problem in TOTAL else "discounted" if problem == "forever" else problem
        more = {"kind": problem} if problem in TOTAL else {}
        mdp = random_model(seed, which, S=5, **more)
        policy = random_softmax(mdp, seed, [None, 3][seed % 2])
        names = [n for n in ESTIMATORS if problem != "forever" or n not in WHOLE]
        for found in all_moments(policy, names, stopping=False if problem == "forever" else None):
            assert np.abs(found.bias).max() < 1e-9, found.estimator
            assert np.linalg.eigvalsh(found.covariance).min() > -1e-9 * (1 + found.trace)


def test_generalized_advantages_lie_between():
    """λ = 0 is the advantage, λ = 1 the return less the value: the same random vector, so the same covariance."""
    for seed in range(3):
        policy = random_softmax(random_model(seed, "finite-horizon"), seed)
        for pair in (("gae:0", "advantage"), ("gae:1", "reward-to-go-value")):
            one, other = all_moments(policy, pair)
            assert one.covariance == pytest.approx(other.covariance, abs=1e-10 * (1 + one.trace))


def test_at_discount_one_the_weight_is_nothing():
    policy = random_softmax(random_model(1, "total-reward"), 1)
    for name in ESTIMATORS:
        one, other = (estimator_moments(policy, name, discounted=x) for x in (True, False))
        assert one.covariance.tolist() == other.covariance.tolist()


# -- cut off ----------------------------------------------------------------------------------------------------------


def test_a_cut_has_the_bias_of_what_is_left_out():
    """Reward-to-go cut off after n steps has the mean of the problem with horizon n; its bias falls like γ^n."""
    mdp = random_model(4, S=4, ends=0, gamma="4/5")
    policy = random_softmax(mdp, 4)
    sizes = []
    for n in (1, 5, 20, 80):
        found = estimator_moments(policy, "reward-to-go", steps=n)
        assert found.mean == pytest.approx(exact_gradient(policy, horizon=n).gradient, abs=1e-11)
        assert found.discounted == pytest.approx(exact_gradient(policy).gradient, abs=1e-15)
        sizes.append(np.abs(found.bias).max())
    assert sizes[0] > 1e-3
    assert sizes[2] < sizes[0]
    assert sizes[3] < 1e-5
    # With exact values ahead nothing but the later terms is missing: the first one is whole after a single step.
    one_step = estimator_moments(policy, "advantage", steps=1)
    v, q = exact_gradient(policy).v[0], exact_gradient(policy).q[0]
    expected = mdp.start[mdp.pair_state] * policy.pi * (q - v[mdp.pair_state])
    assert one_step.mean == pytest.approx(expected, abs=1e-12)


# -- what a mutation would do -----------------------------------------------------------------------------------------


def test_samples_needed_by_hand():
    """Bandit (.9, .1), rewards (1, 0): g = (.09, -.09), |g|² = .0162, Σ = .0009 [[1, -1], [-1, 1]] without baseline.

    gᵀΣg = .0009 · .18² = 2.916e-5, so N = 1.645² · 2.916e-5 / .0162² = 2.706 · .1111.
    """
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 1, horizon=1)
    found = estimator_moments(SoftmaxPolicy(mdp, np.log([9, 1])))
    assert found.samples_needed == pytest.approx(1.645**2 / 9, abs=1e-12)
    still = estimator_moments(SoftmaxPolicy(MDP([[[1.0], [1.0]]], [[1.0, 1.0]], 1, horizon=1)))
    assert np.isnan(still.samples_needed)


# -- the score identity -----------------------------------------------------------------------------------------------


def test_score_identity_holds_for_any_distribution():
    """∇ E[f] by the derivative of p against E[f ∇log p], for a softmax and for a table of any derivatives."""
    rng = np.random.default_rng(2)
    for n in (2, 5, 9):
        p, f = rng.dirichlet(np.ones(n)), rng.normal(size=n)
        found = score_identity(p, f)
        assert found.gradient == pytest.approx(p * (f - p @ f), abs=1e-15)
        assert found.mean == pytest.approx(found.gradient, abs=1e-14)
        slope = rng.normal(size=(n, 3))
        slope -= slope.mean(axis=0)
        found = score_identity(p, f, slope)
        assert found.mean == pytest.approx(f @ slope, abs=1e-11)


def test_score_identity_of_a_binomial_by_hand():
    """Two tosses with p = θ heads: E[heads²] = 2θ + 2θ², its slope 2 + 4θ; at θ = 1/4 that is 3."""
    t = 0.25
    p, slope = [(1 - t) ** 2, 2 * t * (1 - t), t**2], [[-2 * (1 - t)], [2 - 4 * t], [2 * t]]
    found = score_identity(p, [0, 1, 4], slope)
    assert found.gradient == pytest.approx([3.0], abs=1e-14)
    assert found.mean == pytest.approx([3.0], abs=1e-14)
    # E[(f score)²] - 9 = (1.0)² / .375 + (4 · .5)² / .0625 - 9
    assert found.covariance == pytest.approx(np.array([[1 / 0.375 + 4 / 0.0625 - 9]]), abs=1e-12)


@pytest.mark.parametrize(
    ("p", "f", "slope", "says"),
    [
        ([0.5, 0.6], [1, 0], None, "sum to 1"),
        ([0.5, 0.5], [1], None, "sum to 1"),
        ([1.0, 0.0], [1, 0], [[-1.0], [1.0]], "does not exist"),
        ([0.5, 0.5], [1, 0], [[1.0]], "jacobian"),
    ],
)
def test_no_distribution_is_refused(p, f, slope, says):
    with pytest.raises(OptionError, match=says):
        score_identity(p, f, slope)
