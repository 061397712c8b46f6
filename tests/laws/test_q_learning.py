"""Bounds and exact values of Q-learning over many steps, against enumeration, rationals and gamma functions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from random_models import random_model

from tabular_rl import MDP, OptionError, Policy, solve
from tabular_rl.errors import NotAnswerable
from tabular_rl.laws.one_step import exact_moments
from tabular_rl.laws.q_learning import harmonic_error, q_lower_bound

# Two states; in the first a choice between noise of mean 0 and nothing, so that max E[q] < E[max q].
NOISY = MDP.from_outcomes(
    [
        ("a", "toss", "end", "1/2", 4), ("a", "toss", "end", "1/2", -4), ("a", "stop", "end", 1, 0),
        ("b", "go", "a", 1, 1),
    ],
    "1/2", terminal=["end"],
)  # fmt: skip


def mean(mdp, steps, source, step_size, sign=1):
    found = exact_moments("q-learning", mdp, steps=steps, source=source, step_size=step_size, per="step",
                          explore="epsilon-greedy:1")  # fmt: skip
    return np.array([float(sign * x) for x in found.mean])


def test_expected_q_is_above_the_bound_where_there_is_a_choice():
    # The exact expectation enumerated: strictly above for b, whose target is a maximum over noise.
    gap = mean(NOISY, 4, "independent", 0.5) - q_lower_bound(NOISY, 4, step_size=0.5)
    assert (gap > -1e-12).all()
    assert gap[2] > 0.01
    assert gap[:2] == pytest.approx([0, 0], abs=1e-12)  # one step before the end nothing is maximised


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sense", ["max", "min"])
def test_bound_holds_on_random_models(seed, sense):
    mdp = random_model(seed, sense=sense, S=3, A=2, N=2, ends=1)
    gap = mdp.sign * (mean(mdp, 3, "independent", "1/n") - q_lower_bound(mdp, 3, step_size="1/n"))
    assert (gap >= -1e-12).all()


def test_equal_without_a_choice():
    mdp = random_model(4, S=3, A=1, N=2)
    assert mean(mdp, 4, "independent", 0.5) == pytest.approx(q_lower_bound(mdp, 4, step_size=0.5), abs=1e-13)


def test_equal_without_a_choice_in_sweeps():
    # 1/n over sweeps is what learners call per="visit"; three pairs, so that 5 steps are a sweep and two thirds.
    mdp = random_model(4, S=3, A=1, N=2, ends=0)
    found = exact_moments("q-learning", mdp, steps=5, source="sweeps", step_size="1/n", per="visit")
    bound = q_lower_bound(mdp, 5, step_size="1/n", source="sweeps")
    assert [float(x) for x in found.mean] == pytest.approx(bound.tolist(), abs=1e-13)


def test_bound_rises_to_the_optimal_values():
    bound = q_lower_bound(NOISY, 2000, step_size=0.5)
    assert bound == pytest.approx(solve(NOISY, tolerance=1e-12).q, abs=1e-9)


def test_bound_of_costs_lies_above():
    costs = MDP.from_outcomes(
        [("a", "toss", "end", "1/2", 4), ("a", "toss", "end", "1/2", -4), ("a", "stop", "end", 1, 0),
         ("b", "go", "a", 1, 1)],
        "1/2", terminal=["end"], sense="min",
    )  # fmt: skip
    gap = q_lower_bound(costs, 4, step_size=0.5) - mean(costs, 4, "independent", 0.5)
    assert gap[2] > 0.01
    assert (gap > -1e-12).all()


def test_behaviour_weighs_the_pairs():
    # d = 1/3 · 1/2: q = 1/6 after one step with α = 1 of the pair that pays 1.
    mdp = MDP([[[1.0], [1.0], [1.0]]], [[1.0, 0.0, 0.0]], 0)
    b = Policy.of_probs(mdp, [0.5, 0.25, 0.25])
    assert q_lower_bound(mdp, 1, step_size=1, behavior=b).tolist() == [0.5, 0.0, 0.0]
    assert q_lower_bound(mdp, 1, step_size=1)[0] == pytest.approx(1 / 3)


def test_bound_refuses_what_it_does_not_hold_for():
    with pytest.raises(OptionError, match="trajectory"):
        q_lower_bound(NOISY, 1, step_size=1, source="trajectory")
    with pytest.raises(NotAnswerable, match="horizon"):
        q_lower_bound(NOISY.replace(horizon=2), 1, step_size=1)


@pytest.mark.parametrize("gamma", ["0", "1/10", "1/2", "99/100", "1"])
def test_harmonic_error_is_the_product(gamma):
    exact = Fraction(1)
    for n in range(1, 41):
        exact += (Fraction(gamma) * exact - exact) / n  # Q-learning itself, in rationals
        assert harmonic_error(gamma, n) == pytest.approx(float(exact), rel=1e-13)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("n", [1001, 4000, 20_000])
def test_series_continues_the_product(gamma, n):
    product = math.exp(math.fsum(math.log1p(-(1 - gamma) / i) for i in range(1, n + 1)))
    assert harmonic_error(gamma, n) == pytest.approx(product, rel=1e-12)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.99])
def test_harmonic_error_is_the_ratio_of_gamma_functions(gamma):
    expected = math.gamma(100 + gamma) / (math.gamma(101) * math.gamma(gamma))
    assert harmonic_error(gamma, 100) == pytest.approx(expected, rel=1e-12)


def test_after_a_thousand_million_updates_most_of_the_error_is_left():
    # n^(γ-1) / Γ(γ) at γ = 0.99: 10^-0.09 / 1.00586 = 0.808.
    assert harmonic_error("0.99", 10**9) == pytest.approx(10**-0.09 / math.gamma(0.99), rel=1e-9)


def test_numbers_out_of_range_are_refused():
    for gamma, n in [("2", 1), ("x", 1), ("1/2", -1), ("1/2", 1.5)]:
        with pytest.raises(OptionError):
            harmonic_error(gamma, n)
