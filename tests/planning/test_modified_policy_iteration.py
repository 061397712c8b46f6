"""Modified policy iteration: between value iteration (no inner sweeps) and policy iteration (very many)."""

from __future__ import annotations

import numpy as np
import pytest
from random_models import random_model

from tabular_rl import MDP, Status
from tabular_rl.methods.planning.modified_policy_iteration import modified_policy_iteration
from tabular_rl.methods.planning.policy_iteration import policy_iteration
from tabular_rl.methods.planning.value_iteration import value_iteration

pytestmark = pytest.mark.small
SAMPLES = [random_model(seed, gamma="19/20", S=7, exact=False, ends=seed % 2) for seed in range(6)]


def test_without_inner_sweeps_it_is_value_iteration():
    for mdp in SAMPLES:
        mine, other = modified_policy_iteration(mdp, inner_sweeps=0), value_iteration(mdp)
        assert np.array_equal(mine.v, other.v)
        assert np.array_equal(mine.lower, other.lower)
        assert mine.work["sweeps"] == other.work["sweeps"]
        assert "evaluation sweeps" not in mine.work


@pytest.mark.parametrize("in_place", [False, True])
def test_with_many_inner_sweeps_it_improves_as_seldom_as_policy_iteration(in_place):
    for mdp in SAMPLES:
        many = modified_policy_iteration(mdp, inner_sweeps=500, in_place=in_place)
        assert many.work["sweeps"] <= policy_iteration(mdp).work["improvements"] + 3, mdp.name
        assert many.work["sweeps"] < value_iteration(mdp).work["sweeps"]


@pytest.mark.parametrize(
    "options", [{}, {"inner_sweeps": 3}, {"in_place": True}, {"in_place": True, "inner_sweeps": 1}]
)
def test_puterman_two_states(options):
    mdp = MDP([[[0.5, 0.5], [0, 1]], [[0, 1], [0, 0]]], [[5, 10], [-1, 0]], 0.95, axes="sas")
    answer = modified_policy_iteration(mdp, **options)
    assert answer.status is Status.CERTIFIED
    assert answer.proven_optimal.all()
    assert answer.v == pytest.approx([-60 / 7, -20], abs=1e-6)


def test_sweeps_of_either_kind_count():
    mdp = random_model(1, gamma="99/100", S=7, ends=0)
    answer = modified_policy_iteration(mdp, sweeps=10, inner_sweeps=4)
    assert answer.work["sweeps"] + answer.work["evaluation sweeps"] == 10
    assert answer.status is Status.BUDGET_SPENT


def test_total_reward_from_above_does_not_settle_on_a_policy_that_never_ends():
    """From v = 100 going round looks best; the true values are -3 and -2."""
    P = [[[1, 0, 0], [0, 1, 0]], [[1, 0, 0], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]]
    mdp = MDP(P, [[-1, -1], [-1, -2], [0, 0]], 1, terminal=[2])
    for start in (None, [100.0, 100.0, 0.0], [-100.0, 100.0, 0.0]):
        answer = modified_policy_iteration(mdp, start_from=start)
        assert answer.status is Status.CERTIFIED
        assert answer.v == pytest.approx([-3, -2, 0], abs=1e-6)


def test_long_corridor_in_place():
    """A corridor of 300 steps at γ = .99: v = -(1 - γ^k) / (1 - γ)."""
    n = 300
    mdp = MDP.from_outcomes([(s, "go", s + 1, 1.0, -1.0) for s in range(n)], 0.99, terminal=[n])
    answer = modified_policy_iteration(mdp, in_place=True)
    assert answer.v[:n] == pytest.approx([-(1 - 0.99 ** (n - s)) / 0.01 for s in range(n)], abs=1e-6)
    assert sum(answer.work.values()) < 40
