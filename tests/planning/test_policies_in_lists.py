"""Policy iteration on a handful of states works in lists, and its answers are those of arrays and of fractions."""

from __future__ import annotations

import numpy as np
import pytest
from random_models import random_model

from tabular_rl import MDP, NumericalError, policy_iteration, rational
from tabular_rl.methods.planning import _lists

MODELS = [
    random_model(seed, exact=True, sense="min" if seed % 3 else "max", S=2 + seed % 3, ends=seed % 2)
    for seed in range(12)
]


def in_arrays(monkeypatch, mdp, **options):
    with monkeypatch.context() as m:
        m.setattr(_lists, "STATES", 0)
        return policy_iteration(mdp, **options)


@pytest.mark.parametrize("mdp", MODELS)
def test_lists_and_arrays_find_the_same(mdp, monkeypatch):
    assert mdp.K <= _lists.OUTCOMES
    answer, slow, exact = policy_iteration(mdp), in_arrays(monkeypatch, mdp), rational(mdp)
    assert answer.work == slow.work
    assert np.array_equal(answer.policy.rows, slow.policy.rows)
    assert np.array_equal(answer.optimal_actions, slow.optimal_actions)
    assert answer.status.reached
    for low, x, high in zip(answer.lower, exact.exact, answer.upper, strict=True):
        assert low <= x <= high


def test_solutions_have_all_digits_near_a_discount_of_one():
    # v = 1 + gamma v in state 0; state 1 goes there for nothing.
    gamma = 1 - 2.0**-30
    v = _lists.solved([[1.0, 0.0], [1.0, 0.0]], [1.0, 0.0], gamma)
    assert v == pytest.approx([2.0**30, 2.0**30 - 1], rel=1e-15)


def test_improvements_are_counted_and_limited():
    """From the best rewards at once, two policies follow: leaving costs 1 now and earns 4 from then on."""
    mdp = MDP(
        [[[1, 0, 0], [0, 1, 0]], [[0, 1, 0], [0, 0, 1]], [[0, 0, 1], [0, 0, 1]]],
        [[1, 0], [1, 0], [5, 0]], 0.9, axes="sas",
    )  # fmt: skip
    whole = policy_iteration(mdp)
    assert whole.work["improvements"] == whole.work["linear solves"] == 3
    assert whole.policy.rows.tolist() == [1, 3, 4]
    for improvements in (1, 2):
        short = policy_iteration(mdp, improvements=improvements)
        assert short.work["improvements"] == improvements
        assert short.status.name == "BUDGET_SPENT"
        assert np.all(short.lower <= whole.upper)
        assert np.all(whole.lower <= short.upper)


def test_equal_actions_do_not_lead_round_in_a_circle():
    mdp = MDP(
        [[[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]], [[0.1, 0.1], [0.1, 0.1]], 0.999, axes="sas"
    )
    answer = policy_iteration(mdp)
    assert answer.policy.rows.tolist() == [0, 2]
    assert answer.optimal_actions.all()


def test_values_out_of_range_are_refused():
    mdp = MDP([[[1.0]]], [[1e300]], 1 - 2.0**-53)
    with pytest.raises(NumericalError):
        policy_iteration(mdp)
