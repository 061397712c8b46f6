"""A finite horizon unrolled into states (time, state): the same values, and learners with a table for each time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from random_models import random_model, random_policy
from reference import exact_optimal_value, exact_policy_value

from tabular_rl import MDP, OptionError, Policy, evaluate, learn, load, solve
from tabular_rl.model.unroll import state_name, unroll, unroll_policy

THREE = ("inventory_horizon", "forest_horizon", "die_rolls")


def example(name):
    return load(f"example:{name}")


def floats(table):
    return np.array([[float(x) for x in v] for v in table])


# -- the model --------------------------------------------------------------------------------------------------------


def test_by_hand():
    """A coin: stay or leave; reward 1 a step, 6 at the end of time for being in state 0; γ = 1/2, T = 2."""
    mdp = MDP([[[0.5, 0.5]], [[0, 1]]], [[1.0], [0.0]], "1/2", horizon=2, final_reward=[6, 0])
    flat = unroll(mdp)
    assert (flat.S, flat.L, flat.K, flat.horizon, flat.gamma_exact) == (6, 4, 6, None, Fraction(1, 2))
    assert flat.terminal.tolist() == [False] * 4 + [True] * 2
    assert flat.next_state.tolist() == [2, 3, 3, 4, 5, 5]
    assert flat.reward.tolist() == [1, 1, 0, 1 + 3, 1, 0]  # 3 = γ · 6, on the way to the end
    assert flat.start.tolist() == [*mdp.start, 0, 0, 0, 0]
    # v(1) = 1 + 1/2 · 1/2 · 6 = 5/2; v(0) = 1 + 1/2 · 1/2 · 5/2 = 13/8.
    assert solve(flat).v.tolist() == pytest.approx([13 / 8, 0, 5 / 2, 0, 0, 0])
    assert [state_name(mdp, flat, s) for s in (0, 3)] == ["0 at time 0", "1 at time 1"]


@pytest.mark.parametrize("sense", ["max", "min"])
@pytest.mark.parametrize("seed", range(8))
def test_optimal_values_are_those_of_backward_induction_in_fractions(seed, sense):
    mdp = random_model(seed, "finite-horizon", exact=False, sense=sense)
    exact = floats(exact_optimal_value(mdp))
    flat = solve(unroll(mdp), tolerance=1e-10).v.reshape(mdp.horizon + 1, mdp.S)
    assert flat[:-1] == pytest.approx(exact[:-1], abs=1e-9)
    assert not flat[-1].any()  # the values of the end are paid on the way there


@pytest.mark.parametrize("seed", range(8))
def test_values_of_policies_are_those_of_the_model_with_a_horizon(seed):
    mdp = random_model(seed, "finite-horizon", exact=False)
    flat = unroll(mdp)
    rng = np.random.default_rng(seed)
    rows = np.full((mdp.horizon, mdp.S), -1)
    for s in np.flatnonzero(~mdp.terminal):
        rows[:, s] = rng.integers(mdp.pair_ptr[s], mdp.pair_ptr[s + 1], mdp.horizon)
    for policy in (random_policy(mdp, seed), Policy(mdp, rows=rows)):
        exact = floats(exact_policy_value(mdp, policy))
        found = evaluate(flat, unroll_policy(policy, flat), tolerance=1e-10).v.reshape(mdp.horizon + 1, mdp.S)
        assert found[:-1] == pytest.approx(exact[:-1], abs=1e-9)


def test_a_model_without_a_horizon_is_refused():
    with pytest.raises(OptionError, match="unroll: found a model without a horizon"):
        unroll(example("forest"))


def test_a_horizon_that_takes_too_much_memory_is_refused_before_it_does():
    mdp = MDP([[[0.5, 0.5]], [[0, 1]]], [[1.0], [0.0]], 1, horizon=2**31 - 1)
    with pytest.raises(
        OptionError, match=r"horizon: found 2147483647; one table a time step takes 1\d\d\.?\d* G"
    ):
        unroll(mdp)


# -- learners with time-dependent tables ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", THREE)
@pytest.mark.parametrize("method", ["q-learning", "double-q-learning", "dyna-q", "prioritized-sweeping"])
def test_learners_find_the_policy_of_backward_induction(name, method):
    """The greedy policy of the learned tables is worth what the best is, at every time and in every state, by an exact
    evaluation; the learned values are within 3% of the largest."""
    mdp = example(name)
    if "q-learning" in method:
        options = {"steps": 400_000, "source": "independent"}
    else:
        options = {"steps": 200_000, "planning": 2, "explore": "epsilon-greedy:1"}
    answer = learn(mdp, method, runs=4, seed=2, **options)
    best = floats(exact_optimal_value(mdp))
    assert answer.q.shape == (mdp.horizon, mdp.L)
    assert answer.estimates.shape == (4, mdp.horizon, mdp.L)
    assert not answer.never_visited.any()
    assert np.abs(answer.v - best).max() < 0.03 * np.abs(best).max()
    assert floats(exact_policy_value(mdp, answer.policy)) == pytest.approx(best, abs=1e-12)


def test_each_time_has_a_table_of_its_own():
    """A die that may be rolled again: worth 3.5 before the last roll, so a 4 is kept then, and 4.25 before that, so
    a 4 is rolled again. One table for all times cannot say both."""
    answer = learn(example("die_rolls"), "q-learning", steps=400_000, source="independent", runs=4, seed=3)
    names = [answer.mdp.actions[a] for a in answer.policy.actions[:, 3]]
    assert names == ["roll", "keep"]
    assert answer.v[0] @ answer.mdp.start == pytest.approx(14 / 3, abs=0.05)


@pytest.mark.parametrize("method", ["td0", "q-evaluation", "sarsa-evaluation"])
def test_values_of_a_policy_are_learned_for_each_time(method):
    mdp = example("forest_horizon")
    policy = Policy.uniform(mdp)
    answer = learn(mdp, method, policy, steps=400_000, source="independent", runs=8, seed=1)
    exact = floats(exact_policy_value(mdp, policy))
    assert np.abs(answer.v - exact).max() < 0.03 * np.abs(exact).max()
