"""Expected SARSA, of its own exploration and of a policy: sequences worked out by hand, its twin, its exact mean.

False alarms of the statistical tests: at most 3e-8 a run, by the normal approximation of means of 20,000 bounded runs.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import reference
from hand_walks import EXPECTED_SARSA, EXPECTED_SARSA_OF_POLICY, TD0_LOG
from learners import Case, fresh_seed, hand_model, law, listed, same_bits, z_limit, z_of_means
from random_models import random_model, random_policy

from tabular_rl import MDP, Policy, expected_sarsa, q_evaluation
from tabular_rl.solving.schedules import Schedule


@pytest.mark.parametrize("sense", ["max", "min"])
def test_sequence_worked_out_by_hand(monkeypatch, sense):
    """With ε = 1/2 a state is worth half its mean and half its best."""
    mdp, sign = hand_model(sense), 1 if sense == "max" else -1
    sequence = [
        [0.0, 0.5, 0.0],
        [0.0, 0.5, 0.09375],
        [0.0, 0.7734375, 0.09375],
        [0.0, 0.7734375, 2.046875],
        [1.14501953125, 0.7734375, 2.046875],
        [1.084228515625, 0.7734375, 2.046875],
    ]
    for n, q in enumerate(sequence, start=1):
        listed(monkeypatch, EXPECTED_SARSA[: 2 + 3 * n])
        answer = expected_sarsa(mdp, steps=n, step_size=0.5, explore="epsilon-greedy:0.5")
        assert (sign * answer.estimates).tolist() == [q]


@pytest.mark.parametrize("sense", ["max", "min"])
def test_evaluation_off_policy_by_hand(monkeypatch, sense):
    """π goes left with 1/4 in a; a fair coin behaves. No importance ratio is needed."""
    mdp, sign = hand_model(sense), 1 if sense == "max" else -1
    listed(monkeypatch, EXPECTED_SARSA_OF_POLICY)
    pi = Policy.of_probs(mdp, [0.25, 0.75, 1.0])
    answer = q_evaluation(mdp, pi, behavior=Policy.uniform(mdp), steps=6, step_size=0.5)
    assert (sign * answer.estimates).tolist() == [[1.05859375, 0.7734375, 2.046875]]
    assert (sign * answer.v).tolist() == [0.8447265625, 2.046875, 0.0]


def test_evaluation_of_given_transitions_by_hand():
    mdp = hand_model()
    answer = q_evaluation(mdp, Policy.of_probs(mdp, [0.25, 0.75, 1.0]), data=TD0_LOG, steps=6, step_size=0.5)
    assert answer.estimates.tolist() == [[1.05859375, 0.7734375, 2.046875]]


def test_worth_of_a_state_under_boltzmann_by_hand(monkeypatch):
    """q = (1, 0) at temperature 1 / ln 3: weights 1 and 1/3, so the state is worth 3/4."""
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    # The first action pays 1; then the second is taken: 0 + 1/2 · 3/4. Uniforms: 0.1 < 3/4 < 0.9 choose first, second.
    listed(monkeypatch, [0.0, 0.1, 0.0, 0.0, 0.9, 0.0, 0.0, 0.9])
    answer = expected_sarsa(mdp, steps=2, step_size=1, explore=f"boltzmann:{1 / math.log(3)!r}")
    assert answer.q.tolist() == pytest.approx([1.0, 0.375], abs=1e-15)


def test_worth_of_a_state_under_upper_confidence_bounds_by_hand(monkeypatch):
    """The next action is known, so its value alone counts: an untried one (0), whatever the other is worth."""
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    listed(monkeypatch, [0.0] * (2 + 9))
    # Update 1: untried first, 1 + 1/2 q(first) = 1. Update 2: second, tried 1 and 0 times when s' is valued: 0.
    answer = expected_sarsa(mdp, steps=3, step_size=1, explore="ucb:0.5")
    # Update 3: n = (1, 1), first is better: 1 + 1/2 · 1.
    assert answer.q.tolist() == [1.5, 0.0] and answer.visits.tolist() == [[2, 1]]


@pytest.mark.small
def test_kernel_equals_its_twin():
    from tabular_rl.kernels import one_step

    for seed, (rule, kind, source, target) in enumerate(
        itertools.product((1, 3), range(4), range(3), range(3))
    ):
        case = Case(2000 + seed, step_size=seed % 5, kind=kind, source=source, target=target, sense="min")
        made = case.q(one_step, rule, pieces=(1, 29))
        assert same_bits(made, case.q(reference, rule)), seed


@pytest.mark.parametrize(
    ("behavior", "last"),
    [
        (None, 4 / 3),
        ("log", 4 / 3),
        ("uniform", 5 / 4),
        ([0], 1.0),
        ({"0": {"0": "1/4", "1": "3/4"}}, 11 / 8),
    ],
)
def test_a_log_was_explored_by_the_policy_that_made_it(behavior, last):
    """One state, actions that pay 0 and 1, γ = 1/2, α = 1. The log takes them 1 and 2 times of 3: b = (1/3, 2/3).

    q(0) = 0 + 1/2 · 0, q(1) = 1 + 1/2 · 0, and q(1) = 1 + 1/2 (b(0) · 0 + b(1) · 1).
    """
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], "1/2")
    log = [(0, 0, 0.0, 0), (0, 1, 1.0, 0), (0, 1, 1.0, 0)]
    answer = expected_sarsa(mdp, behavior=behavior, data=log, steps=3, step_size=1, reference=False)
    assert answer.q.tolist() == pytest.approx([0.0, last], abs=1e-15)
    assert answer.visits.tolist() == [[1, 2]]


RUNS, STEPS = 20_000, 25


@pytest.mark.parametrize(
    ("source", "off_policy"),
    [
        ("trajectory", True),
        pytest.param("trajectory", False, marks=pytest.mark.slow),
        pytest.param("independent", True, marks=pytest.mark.slow),
        pytest.param("independent", False, marks=pytest.mark.slow),
    ],
)
def test_mean_over_runs_is_the_exact_one(source, off_policy):
    """Against the closed recursion; |z| of up to 8 entries, false alarm 5e-9."""
    mdp = random_model(5, "total-reward", exact=False, S=4, ends=1, gamma=0.9, sense="min")
    policy, behavior = random_policy(mdp, 1), random_policy(mdp, 2) if off_policy else None
    alphas = Schedule.of("linear:0.7:0.1:20")
    answer = q_evaluation(mdp, policy, behavior=behavior, runs=RUNS, steps=STEPS, seed=fresh_seed(), step_size=alphas,
                          per="step", source=source, start_value=-3.0, reference=False)  # fmt: skip
    exact = law(mdp, "q-evaluation", policy, [alphas.at(n + 1) for n in range(STEPS)], behavior=behavior,
                source=source, start_value=-3.0)  # fmt: skip
    z = z_of_means(answer.estimates, *exact)
    print("z", z)
    assert np.abs(z).max() < z_limit(5e-9, 8)


def test_its_variance_is_smaller_than_that_of_sarsa():
    """van Seijen et al. (2009): the expectation takes the noise of the next action away. Exact, by the recursions."""
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 10.0]], "9/10")
    policy = Policy.uniform(mdp)
    spread = {
        name: np.trace(law(mdp, name, policy, [0.1] * 200)[1])
        for name in ("q-evaluation", "sarsa-evaluation")
    }
    assert spread["q-evaluation"] < 0.5 * spread["sarsa-evaluation"]
