"""Fixed points of linear learners: by hand, and by iterating the projected equation itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from learners import baird_features
from random_models import random_model, random_policy
from reference import exact_policy_value

from tabular_rl import MDP, NumericalError, OptionError, Policy, linear_q_evaluation, linear_td, load
from tabular_rl.methods.exact.projected import q_fixed_point, td_fixed_point, update_distribution

MODELS = Path(__file__).resolve().parents[2] / "mdps"


@pytest.mark.parametrize("problem", ["discounted", "total-reward"])
def test_one_hot_features_give_the_exact_values(problem):
    for seed in range(4):
        mdp = random_model(seed, problem, exact=False)
        policy = random_policy(mdp, seed)
        try:
            truth = [float(x) for x in exact_policy_value(mdp, policy)]
        except ArithmeticError:
            continue
        d = np.where(mdp.terminal, 0.0, 1.0)
        live = np.flatnonzero(~mdp.terminal)
        X = np.eye(mdp.S)[:, live]
        found = td_fixed_point(mdp, policy, X, d=d)
        assert found.values == pytest.approx(truth, rel=1e-9, abs=1e-9)
        q = q_fixed_point(mdp, policy, np.eye(mdp.L), d=np.ones(mdp.L))
        expected = [
            float(mdp.r[i]) + mdp.gamma * sum(float(p) * truth[s2] for s2, p in mdp.rational(i)[0])
            for i in range(mdp.L)
        ]
        assert q.values == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_projection_of_a_bellman_backup_changes_nothing():
    mdp = random_model(7, "discounted", exact=False)
    policy = Policy.uniform(mdp)
    X = np.random.default_rng(0).normal(size=(mdp.S, 2))
    d = np.random.default_rng(1).random(mdp.S)
    d[mdp.terminal] = 0.0
    found = td_fixed_point(mdp, policy, X, d=d)
    P = np.zeros((mdp.S, mdp.S))
    r = np.zeros(mdp.S)
    for i in range(mdp.L):
        s, weight = mdp.state_of_row(i), float(policy.weights[i])
        r[s] += weight * float(mdp.r[i])
        for s2, p in mdp.rational(i)[0]:
            P[s, s2] += weight * float(p)
    values = np.where(mdp.terminal, 0.0, X @ found.w)
    backup = r + mdp.gamma * P @ values
    root = np.sqrt(d)[:, None]  # the projection in the norm of d is a weighted least-squares fit
    fit = np.linalg.lstsq(root * X, root[:, 0] * backup, rcond=None)[0]
    assert fit == pytest.approx(found.w, rel=1e-8)


def test_trajectory_distribution_counts_restarts():
    # start A; A goes to B or ends, half each; B goes back to A. Visits: A → B → A or A → A: μ(A) = 2/3, μ(B) = 1/3.
    mdp = MDP(
        [[[0, 0.5, 0.5]], [[1, 0, 0]], [[0, 0, 0]]], [[0.0], [0.0], [0.0]], 1, terminal=[2], start=[1, 0, 0]
    )  # fmt: skip
    assert update_distribution(mdp, Policy.uniform(mdp)) == pytest.approx([2 / 3, 1 / 3, 0])
    assert update_distribution(mdp, Policy.uniform(mdp), "independent") == pytest.approx([1 / 2, 1 / 2, 0])


def test_updates_are_weighed_by_what_the_behavior_does():
    """γ = 0 and one weight: the mean reward. The behaviour takes "a" with 3/4, and so is in state a so often."""
    rows = [(s, to, to, 1, int(s == "a")) for s in "ab" for to in "ab"]  # a pays 1, b nothing
    mdp = MDP.from_outcomes(rows, 0)
    behavior = Policy.of_probs(mdp, {s: {"a": "3/4", "b": "1/4"} for s in "ab"})
    uniform = Policy.uniform(mdp)
    assert td_fixed_point(mdp, uniform, np.ones((2, 1)), behavior=behavior).w == pytest.approx([3 / 4])
    bandit = MDP.from_outcomes([("s", "one", "s", 1, 1), ("s", "none", "s", 1, 0)], 0)
    mostly = Policy.of_probs(bandit, {"s": {"one": "3/4", "none": "1/4"}})
    found = q_fixed_point(bandit, Policy.uniform(bandit), np.ones((2, 1)), behavior=mostly)
    assert found.w == pytest.approx([3 / 4])
    assert found.d == pytest.approx([3 / 4, 1 / 4])


def test_bairds_star_is_unstable_off_policy_and_stable_on_policy():
    mdp = load(MODELS / "baird_star.toml")
    solid = Policy.of_actions(mdp, {s: "solid" for s in mdp.states})
    mostly = Policy.of_probs(mdp, {s: {"dashed": "6/7", "solid": "1/7"} for s in mdp.states})
    X = baird_features()
    off = td_fixed_point(mdp, solid, X, behavior=mostly)
    assert not off.stable
    assert off.rates[0] < -0.01
    assert td_fixed_point(mdp, mostly, X).stable
    assert off.values == pytest.approx(np.zeros(7), abs=1e-9)  # w = 0 is a fixed point all the same


def test_refusals():
    mdp = MDP([[[0, 1]], [[1, 0]]], [[1.0], [0.0]], "1/2")
    with pytest.raises(OptionError, match="features: found shape"):
        td_fixed_point(mdp, Policy.uniform(mdp), [[1.0]])
    with pytest.raises(NumericalError, match="no solution"):
        # A = 1 - γ P with one feature (1, c): d such that A = 0 and b = 1: x = (1, 4), d = (1, 1/8).
        # A = 1 (1 - 1/2 · 4) + 1/8 · 4 (4 - 1/2) = -1 + 7/4; choose d = (1, 1/14): -1 + 1 = 0, b = 1.
        td_fixed_point(mdp, Policy.uniform(mdp), [[1.0], [4.0]], d=[1.0, 1 / 14])


def test_costs_keep_their_sign():
    mdp = load(MODELS / "machine_replacement.toml")
    policy = Policy.uniform(mdp)
    truth = [float(x) for x in exact_policy_value(mdp, policy)]
    d = np.where(mdp.terminal, 0.0, 1.0)
    assert td_fixed_point(mdp, policy, np.eye(mdp.S), d=d).values == pytest.approx(truth)


def test_sweeps_update_each_pair_as_often_as_any_other():
    # One weight for all. Two actions that end with 1 and 0: (1 + 0) / 2, whatever the behaviour is.
    both = MDP.from_outcomes([("s", "win", "end", 1, 1), ("s", "lose", "end", 1, 0)], 1, terminal=["end"])
    b = Policy.of_probs(both, [0.75, 0.25])
    found = q_fixed_point(both, b, [[1], [1]], source="sweeps")
    assert found.d.tolist() == [0.5, 0.5] and found.w == pytest.approx([0.5], abs=1e-15)
    # A state of three actions that pay 1, and one of one action that pays 0: (3 · 1 + 1 · 0) / 4.
    ends = [("s", a, "end", 1, 1) for a in "abc"] + [("t", "a", "end", 1, 0)]
    mdp = MDP.from_outcomes(ends, 1, terminal=["end"])
    uniform = Policy.uniform(mdp)
    found = td_fixed_point(mdp, uniform, np.ones((3, 1)), source="sweeps")
    assert (
        found.d.sum() == 1
        and sorted(found.d) == [0, 0.25, 0.75]
        and found.w == pytest.approx([0.75], abs=1e-15)
    )
    # So do the learners: a step of .001 keeps them within about .001 of it.
    options = {"source": "sweeps", "steps": 20_000, "step_size": 0.001, "reference": False}
    learned = linear_q_evaluation(both, b, features=[[1], [1]], **options)
    assert learned.extra["weights"][0] == pytest.approx([0.5], abs=0.002)
    learned = linear_td(mdp, uniform, features=np.ones((3, 1)), **options)
    assert learned.extra["weights"][0] == pytest.approx([0.75], abs=0.002)
