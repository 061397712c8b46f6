"""Policy evaluation against the books' tables and exact arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import reference
from random_models import random_model, random_policy

from tabular_rl import MDP, NoFiniteAnswer, OptionError, Policy, Status
from tabular_rl.formats import load
from tabular_rl.methods.planning.policy_evaluation import policy_evaluation

MODELS = Path(__file__).resolve().parents[2] / "mdps"
pytestmark = pytest.mark.small


@pytest.mark.parametrize("in_place", [False, True])
def test_gridworld_of_sutton_and_barto(in_place):
    """Figure 4.1: the random policy takes 14, 18, 20 and 22 steps."""
    mdp = load(MODELS / "gridworld_4x4.toml")
    answer = policy_evaluation(mdp, Policy.uniform(mdp), in_place=in_place)
    expected = [0, -14, -20, -22, -14, -18, -20, -20, -20, -20, -18, -14, -22, -20, -14, 0]
    assert answer.v == pytest.approx(expected, abs=1e-6)


def test_gridworld_five_by_five_of_sutton_and_barto():
    """Figure 3.2, to the digit that is printed."""
    mdp = load(MODELS / "gridworld_5x5.toml")
    answer = policy_evaluation(mdp, Policy.uniform(mdp))
    printed = [[3.3, 8.8, 4.4, 5.3, 1.5], [1.5, 3.0, 2.3, 1.9, 0.5], [0.1, 0.7, 0.7, 0.4, -0.4],
               [-1.0, -0.4, -0.4, -0.6, -1.2], [-1.9, -1.3, -1.2, -1.4, -2.0]]  # fmt: skip
    assert answer.v == pytest.approx(np.ravel(printed), abs=0.05)


@pytest.mark.parametrize(("file", "n"), [("random_walk_5.toml", 5), ("random_walk_19.toml", 19)])
def test_random_walks(file, n):
    """Examples 6.2 and 7.1: a straight line between the two ends."""
    mdp = load(MODELS / file)
    answer = policy_evaluation(mdp, Policy.uniform(mdp))
    inner = answer.v[~mdp.terminal]
    expected = [k / 6 for k in range(1, 6)] if n == 5 else [k / 10 for k in range(-9, 10)]
    assert inner == pytest.approx(expected, abs=1e-6)


def test_timed_policy_of_a_finite_horizon():
    """Wait (1), then sell (3): v_0 = 1 + 3; sell at once and then nothing: 3."""
    P = [[[1, 0], [0, 1]], [[0, 0], [0, 0]]]
    mdp = MDP(P, [[1, 3], [0, 0]], 1, axes="sas", terminal=[1], horizon=2)
    patient = policy_evaluation(mdp, Policy.of_actions(mdp, [[0, -1], [1, -1]]))
    hasty = policy_evaluation(mdp, Policy.of_actions(mdp, [[1, -1], [1, -1]]))
    assert patient["0"].tolist() == [4, 3, 0]
    assert hasty["0"].tolist() == [3, 3, 0]
    mixed = policy_evaluation(mdp, Policy(mdp, probs=[[0.5, 0.5], [0.5, 0.5]]))
    assert mixed["0"].tolist() == [3.0, 2.0, 0.0]  # (1 + 2 + 3) / 2, (1 + 3) / 2
    assert patient.status is Status.CERTIFIED
    assert patient.work == {"sweeps": 2}


def test_policy_that_never_ends_is_refused_with_a_state():
    """Sutton & Barto's grid, always north: the top row is never left."""
    mdp = load(MODELS / "gridworld_4x4.toml")
    north = {s: "up" for s, end in zip(mdp.states, mdp.terminal, strict=True) if not end}
    with pytest.raises(NoFiniteAnswer) as caught:
        policy_evaluation(mdp, Policy.of_actions(mdp, north))
    assert caught.value.states
    assert set(caught.value.states) <= set(north)


def test_policy_that_rests_for_ever_without_reward_is_worth_nothing():
    mdp = MDP([[[1, 0, 0], [0, 0, 1]], [[0.5, 0, 0.5], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]],
              [[0, -1], [-4, 0], [0, 0]], 1, terminal=[2])  # fmt: skip
    answer = policy_evaluation(mdp, Policy.of_actions(mdp, [0, 0, -1]), start_from=[9.0, 9.0, 9.0])
    assert answer.v == pytest.approx([0, -4, 0], abs=1e-6)


def test_stochastic_policies_of_floats_are_their_dyadics_over_their_sum():
    for seed in range(10):
        mdp = random_model(seed, exact=False, gamma="99/100", S=5, ends=0, sense="min")
        policy = random_policy(mdp, seed)
        answer = policy_evaluation(mdp, policy, tolerance=1e-8)
        truth = reference.exact_policy_value(mdp, policy)
        assert all(
            a <= x <= b for a, x, b in zip(answer.lower.tolist(), truth, answer.upper.tolist(), strict=True)
        )
        assert answer.status is Status.CERTIFIED


def test_policy_of_the_same_rows_and_another_discount_fits():
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], "1/2")
    policy = Policy.uniform(mdp.replace(gamma="9/10"))
    assert policy_evaluation(mdp, policy)["0"] == pytest.approx(1, abs=1e-6)


def test_time_steps_of_the_policy_must_be_those_of_the_model():
    P = [[[1, 0], [0, 1]], [[0, 0], [0, 0]]]
    mdp = MDP(P, [[1, 3], [0, 0]], 0.5, axes="sas", terminal=[1], horizon=3)
    with pytest.raises(OptionError, match="policy: found 2 time steps, expected 3"):
        policy_evaluation(mdp, Policy.of_actions(mdp, [[0, -1], [1, -1]]))
    with pytest.raises(OptionError, match="policy: found 3 time steps, expected none"):
        policy_evaluation(mdp.replace(horizon=None), Policy.of_actions(mdp, [[0, -1], [1, -1], [1, -1]]))


def test_gauss_seidel_goes_both_ways():
    """A corridor listed from its end: every other sweep runs against the order of storage."""
    mdp = MDP.from_outcomes([(s, "go", s + 1, 1, -1) for s in range(30)], 1, terminal=[30])
    policy = Policy.uniform(mdp)
    fast, slow = policy_evaluation(mdp, policy, in_place=True), policy_evaluation(mdp, policy)
    assert fast.work["sweeps"] <= 3 < slow.work["sweeps"]
    assert fast["0"] == pytest.approx(-30, abs=1e-6)
