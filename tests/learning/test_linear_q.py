"""Linear semi-gradient Q-learning and expected SARSA: against hand, twin, the tables, and the fixed point."""

from __future__ import annotations

import numpy as np
import pytest
from random_models import random_model, random_policy
from reference_linear import linear_q as twin

from tabular_rl import (
    MDP,
    Policy,
    linear_q_evaluation,
    linear_q_learning,
    q_evaluation,
    q_learning,
)
from tabular_rl.methods.exact.projected import q_fixed_point
from tabular_rl.solving.sampling import streams
from tabular_rl.solving.schedules import Schedule


def test_hand_computed_steps():
    # One state, two actions worth 0 and 1 that lead back, γ = 1/2, x = (1, 2), α = 1/2, sweeps, w = w̄ = 0:
    # action 0: δ = 0, w = 0; action 1: δ = 1, w = 1/2 · 1 · 2 = 1.
    # w̄ = 1, max q̄ = 2: action 0: δ = 0 + 1 - 1 = 0; action 1: δ = 1 + 1 - 2 = 0: a fixed point, q = (1, 2) = q*.
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], "1/2")
    for n, w in ((1, 0.0), (2, 1.0), (4, 1.0)):
        answer = linear_q_learning(mdp, features=[[1], [2]], steps=n, step_size=0.5, source="sweeps")
        assert answer.extra["weights"].tolist() == [[w]]
    assert answer.q.tolist() == [1.0, 2.0] and answer.sup_error[0] < 1e-9


@pytest.mark.parametrize("rule", ["max", "expected"])
@pytest.mark.parametrize(
    ("source", "target", "explore"),
    [
        ("trajectory", "none", "epsilon-greedy:0.3"),
        ("trajectory", "copy:3", "epsilon-greedy:0.3"),
        ("trajectory", "average:0.25", None),
        ("independent", "none", None),
        ("independent", "copy:4", None),
    ],
)
def test_kernel_equals_its_twin(rule, source, target, explore):
    n, runs = 40, 2
    for seed, problem in enumerate(("discounted", "total-reward")):
        mdp = random_model(seed + 3, problem, exact=False)
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(mdp.L, 4)) * (rng.random((mdp.L, 4)) < 0.7)
        policy = random_policy(mdp, 1) if rule == "expected" else None
        behavior = Policy.uniform(mdp)
        schedule = Schedule.of("0.25*n^-0.7")
        limit = 4 if seed else None
        options = dict(
            features=X, steps=n, runs=runs, seed=seed, step_size=schedule, source=source, target=target,
            start_value=0.5, episode_steps=limit, reference=False,
        )  # fmt: skip
        epsilon = None
        if policy is not None:
            answer = linear_q_evaluation(mdp, policy, behavior=behavior, **options)
        elif explore is None:
            answer = linear_q_learning(mdp, behavior=behavior, **options)
        else:
            answer, epsilon = linear_q_learning(mdp, explore=explore, **options), 0.3
        kind, _, by = target.partition(":")
        for e, stream in enumerate(streams(seed, runs)):
            begin, uniforms = stream.random(2).tolist(), stream.random((n, 3)).tolist()
            history = twin(
                mdp, X.tolist(), policy, behavior, epsilon, schedule, "visit", source, (kind, float(by or 0)), limit,
                [mdp.sign * 0.5] * 4, begin, uniforms,
            )  # fmt: skip
            assert (mdp.sign * answer.extra["weights"][e]).tolist() == history[-1]


def test_one_hot_is_the_table_bit_for_bit():
    mdp = random_model(5, "discounted", exact=False)
    policy = random_policy(mdp, 2)
    for explore in ("epsilon-greedy:0.2", "boltzmann:1", "ucb:1"):
        options = dict(steps=500, runs=3, step_size="n^-0.7", explore=explore, reference=False)
        assert (linear_q_learning(mdp, **options).estimates == q_learning(mdp, **options).estimates).all()
    options = dict(steps=500, runs=3, step_size="n^-0.7", behavior=Policy.uniform(mdp), reference=False)
    one, other = linear_q_evaluation(mdp, policy, **options), q_evaluation(mdp, policy, **options)
    assert (one.estimates == other.estimates).all()


def test_expected_sarsa_comes_to_its_fixed_point_off_policy():
    mdp = random_model(2, "discounted", exact=False, S=6, A=2, gamma=0.5)
    X = np.random.default_rng(1).normal(size=(mdp.L, 3))
    policy, behavior = random_policy(mdp, 1), Policy.uniform(mdp)
    fixed = q_fixed_point(mdp, policy, X, behavior=behavior)
    assert fixed.stable
    answer = linear_q_evaluation(
        mdp, policy, behavior=behavior, features=X, runs=16, steps=300_000, step_size=0.004, average=True
    )
    w = answer.extra["weights"]
    error, spread = np.abs(w.mean(axis=0) - fixed.w), w.std(axis=0, ddof=1)
    # 6 standard errors of a mean of 16, and 1% of the weights for the bias of a constant step and the burn-in.
    assert (error < 1.5 * spread + 0.01 * np.abs(fixed.w).max()).all(), (error, spread)
    assert (spread < 0.05 * np.abs(fixed.w).max()).all()
