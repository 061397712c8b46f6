"""The exact gradient: by hand, against differences of J, against all episodes in fractions; natural; ascent."""

from __future__ import annotations

import numpy as np
import pytest
from random_models import random_model

from tabular_rl.errors import NoFiniteAnswer, OptionError
from tabular_rl.formats import load
from tabular_rl.methods.gradient.enumeration import enumerated_moments
from tabular_rl.methods.gradient.exact import exact_gradient, gradient_ascent, objective
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy


def random_softmax(mdp, seed, d=None):
    rng = np.random.default_rng(seed)
    x = None if d is None else rng.normal(size=(mdp.L, d))
    return SoftmaxPolicy(mdp, rng.normal(size=mdp.L if d is None else d), x)


def test_bandit_by_hand():
    """π = (.9, .1), r = (1, 0): J = .9, ∇J = π (r - J) = (.09, -.09)."""
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 1, horizon=1)
    found = exact_gradient(SoftmaxPolicy(mdp, np.log([9, 1])))
    assert pytest.approx(0.9, abs=1e-15) == found.J
    assert found.gradient == pytest.approx([0.09, -0.09], abs=1e-15)


def test_discounted_loop_by_hand():
    """One state, γ = 1/2, rewards 1 and 0, π = 1/2 each: d = 2, A = ±1/2, ∇J = 2 · 1/2 · ±1/2."""
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    found = exact_gradient(Policy.uniform(mdp))
    assert found.gradient == pytest.approx([0.5, -0.5], abs=1e-14)
    assert found.visits.tolist() == [[2.0]]
    assert found.advantage == pytest.approx(np.array([[0.5, -0.5]]), abs=1e-14)


@pytest.mark.parametrize("sense", ["max", "min"])
@pytest.mark.parametrize("d", [None, 3])
@pytest.mark.parametrize("problem", ["discounted", "finite-horizon", "total-reward"])
def test_gradient_is_the_slope_of_the_objective(problem, d, sense):
    h = 1e-5
    for seed in range(4):
        policy = random_softmax(random_model(seed, problem, sense=sense), seed, d)
        found = exact_gradient(policy)
        slope = [
            (objective(policy.moved(h * e)) - objective(policy.moved(-h * e))) / (2 * h)
            for e in np.eye(policy.d)
        ]
        assert found.gradient == pytest.approx(np.array(slope), abs=2e-8 * max(1, abs(found.J)))


@pytest.mark.parametrize("problem", ["discounted", "finite-horizon"])
def test_gradient_is_that_of_all_episodes_in_fractions(problem):
    """J(θ) as a sum over every episode; the gradient as E[R Σ ∇log π] over them, in Fractions."""
    for seed in range(4):
        mdp = random_model(seed, problem, S=4, N=2, A=2, sense="min" if seed % 2 else "max")
        T = min(mdp.horizon or 3, 3)
        policy = random_softmax(mdp, seed, 2 if seed > 1 else None)
        exact = enumerated_moments(policy, horizon=T)
        assert exact_gradient(policy, horizon=T).gradient == pytest.approx(
            exact.gradient.astype(float), abs=1e-11
        )


def test_a_long_horizon_comes_to_the_discounted_gradient():
    """γ = 9/10 and T = 300: what is left out is below 0.9^300 · 300 · 10 Rmax = 6e-10."""
    policy = random_softmax(random_model(5, gamma="9/10"), 5)
    far = exact_gradient(policy, horizon=300)
    assert far.gradient == pytest.approx(exact_gradient(policy).gradient, abs=1e-8)


def test_many_states_are_solved_sparse():
    """Beyond 500 states: a chain of 700, each moves on or stays; the entry of each state by finite differences."""
    n = 700
    outcomes = [(s, a, s + a, 1, s % 3 - a) for s in range(n - 1) for a in range(2)]
    mdp = MDP.from_outcomes(outcomes, "9/10", terminal=[n - 1])
    policy = random_softmax(mdp, 1)
    found = exact_gradient(policy)
    for i in (0, 699, 1000):
        h = 1e-4 * np.eye(mdp.L)[i]
        slope = (objective(policy.moved(h)) - objective(policy.moved(-h))) / 2e-4
        assert found.gradient[i] == pytest.approx(slope, abs=1e-10)


# -- natural gradient -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [None, 3])
@pytest.mark.parametrize("problem", ["discounted", "finite-horizon", "total-reward"])
def test_natural_gradient_is_the_pseudo_inverse(problem, d):
    for seed in range(3):
        found = exact_gradient(random_softmax(random_model(seed, problem), seed, d))
        by_definition = np.linalg.pinv(found.fisher, hermitian=True) @ found.gradient
        assert found.natural == pytest.approx(
            by_definition, rel=1e-8, abs=1e-9 * np.abs(by_definition).max() + 1e-12
        )


def test_the_advantage_solves_the_natural_system():
    """F A = ∇J without features (Kakade): the compatible answer is the advantage."""
    for seed in range(4):
        found = exact_gradient(random_softmax(random_model(seed), seed))
        assert found.fisher @ found.advantage[0] == pytest.approx(found.gradient, abs=1e-10)


def test_natural_gradient_of_a_state_that_is_met_later():
    """Start in a, go to b, choose there 1 or 0: visited at time 1 alone, with A = ±1/2."""
    rows = [("a", "go", "b", 1, 0), ("b", "one", "end", 1, 1), ("b", "none", "end", 1, 0)]
    mdp = MDP.from_outcomes(rows, 1, terminal=["end"], start="a", horizon=2)
    found = exact_gradient(SoftmaxPolicy(mdp))
    assert found.natural == pytest.approx([0, 0.5, -0.5], abs=1e-15)
    assert found.gradient == pytest.approx([0, 0.25, -0.25], abs=1e-15)


# -- ascent ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("natural", [False, True])
@pytest.mark.parametrize(
    ("name", "optimum"),
    [("recycling_robot", None), ("gridworld_4x4", -2.0), ("student", 6.0), ("inventory_horizon", None)],
)
def test_ascent_comes_to_the_optimum(name, optimum, natural):
    """Optima known from the sources; of the horizon only that no policy without time may beat those with it."""
    found = gradient_ascent(load(f"example:{name}"), natural=natural, steps=300)
    assert (np.diff(found.curve) > -1e-12).all()
    if optimum is not None:
        assert found.J_optimal == pytest.approx(optimum, abs=1e-9)
    assert found.J <= found.J_optimal + 1e-9
    if name != "inventory_horizon":
        assert found.stationary
        assert found.regret < 1e-6


@pytest.mark.parametrize("name", ["machine_replacement", "romania", "river_swim"])
def test_long_steps_do_not_end_on_a_plateau(name):
    """Where rewards are large, or paths long: steps without a limit once left a saturated, worse policy behind."""
    found = gradient_ascent(load(f"example:{name}"), steps=300)
    assert found.stationary and found.regret < 1e-6 * abs(found.J_optimal)


def test_short_corridor_of_the_textbook():
    """Sutton & Barto, example 13.1: where all states look alike, right with probability .59 is best, J = -11.6.

    By hand J(p) = (2 p - 4) / (p (1 - p)), best at p = 2 - √2, J = -(6 + 4 √2) = -11.657.
    """
    mdp = load("example:short_corridor")
    right = np.array([mdp.actions[int(a)] == "right" for a in mdp.pair_action], dtype=float)
    found = gradient_ascent(mdp, features=right[:, None], tolerance=1e-9)
    assert found.stationary
    assert pytest.approx(-(6 + 4 * 2**0.5), abs=1e-9) == found.J
    assert found.policy.pi[right == 1] == pytest.approx(2 - 2**0.5, abs=1e-8)
    assert pytest.approx(-3.0, abs=1e-9) == found.J_optimal


def test_ascent_descends_costs():
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 3.0]], "1/2", sense="min")
    found = gradient_ascent(mdp, natural=True)
    assert (np.diff(found.curve) < 0).all()
    assert pytest.approx(2.0, abs=1e-6) == found.J
    assert found.J_optimal == 2.0


def test_regret_of_costs_is_what_is_paid_too_much():
    """Costs 1 or 0 a step, half of the time each, γ = 1/2: 1 is paid, 0 would do."""
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2", sense="min")
    found = gradient_ascent(mdp, steps=0)
    assert (found.J, found.J_optimal) == (pytest.approx(1.0), 0) and found.regret == pytest.approx(1.0)
    assert found.steps == 0 and len(found.curve) == 1


def test_reward_for_ever_has_no_gradient():
    ring = MDP([[[0, 1], [1, 0]], [[1, 0], [0, 1]]], [[1, 0], [0, -1]], 1, axes="sas")
    with pytest.raises(NoFiniteAnswer):
        exact_gradient(SoftmaxPolicy(ring))


def test_rewards_that_cancel_for_ever_have_none_either():
    """+1 and -1 with probability 1/2 each: J = 0 here, and infinite at every policy nearby."""
    mdp = MDP([[[1.0], [1.0]]], [[1.0, -1.0]], 1)
    with pytest.raises(NoFiniteAnswer):
        exact_gradient(SoftmaxPolicy(mdp))


def test_options_are_checked():
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    with pytest.raises(OptionError, match="steps, tolerance"):
        gradient_ascent(mdp, steps=-1)
    with pytest.raises(OptionError, match="probability 0"):
        exact_gradient(Policy.of_actions(mdp, [0]))
