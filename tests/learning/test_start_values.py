"""Values by state that learners start with: worked out by hand, from earlier answers, and by exact laws."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from learners import hand_model

from tabular_rl import (
    MDP,
    Policy,
    batch_td,
    compare,
    laws,
    learn,
    load,
    prioritized_sweeping,
    q_learning,
    solve,
    td0,
)
from tabular_rl.errors import OptionError

START = {"a": 3, "b": Fraction(5)}
ONE = {"data": [("a", "1", 1, "b")], "steps": 1, "reference": False}  # γ = 1/2


def test_values_of_states():
    """v(a) = 3 + 1/2 (1 + 5/2 - 3)."""
    mdp = hand_model()
    same = {"step_size": 0.5, **ONE}
    for start in (START, [3, 5, 7], np.array([3.0, 5.0, np.pi])):  # the end is worth 0, whatever is given
        assert td0(mdp, "uniform", start_from=start, **same).estimates[0].tolist() == [3.25, 5, 0]


def test_values_of_pairs_are_those_of_their_state():
    """Rows (a, left), (a, right), (b, left); q(a, right) = 3 + 1/2 (1 + 5/2 - 3)."""
    learned = q_learning(hand_model(), start_from=START, step_size=0.5, **ONE)
    assert learned.estimates[0].tolist() == [3, 3.25, 5]


def test_costs_are_in_the_sign_of_the_model():
    learned = td0(hand_model("min"), "uniform", start_from=START, step_size=0.5, **ONE)
    assert learned.estimates[0].tolist() == [3.25, 5, 0]


def test_a_state_that_was_only_arrived_at_keeps_its_value():
    """v(a) = 1 + 5/2 solves what was seen."""
    assert batch_td(hand_model(), "uniform", start_from=START, **ONE).estimates[0].tolist() == [3.5, 5, 0]


def test_a_learned_model_leads_to_the_start_value_of_its_successor():
    """Prioritized sweeping, one step from a to b for 1, where b is worth 5: q = 1 + 5/2."""
    mdp = MDP.from_outcomes([("a", "go", "b", 1, 1), ("b", "go", "a", 1, 0)], "1/2", start="a")
    learned = prioritized_sweeping(mdp, steps=1, start_from={"b": 5}, reference=False)
    assert learned.estimates[0].tolist() == [3.5, 5]


def test_an_earlier_answer_goes_on():
    """From the optimal values Q-learning without noise stays there: rewards and moves of a grid are certain."""
    mdp = load("example:gridworld_4x4")
    best = solve(mdp)
    learned = q_learning(mdp, start_from=best, explore="greedy", steps=200)
    went = learned.visits[0] > 0
    assert went.any() and np.array_equal(learned.estimates[0][went], best.q[went])
    known = q_learning(mdp, steps=3, reference=False)  # of few states: the others have the start value
    assert np.isnan(known.v).any()
    again = td0(mdp, "uniform", start_from=known, start_value=7.0, steps=1, reference=False)
    unknown = np.isnan(known.v) & (again.visits[0] == 0)
    assert (again.estimates[0][unknown] == 7).all()


def test_a_horizon_has_values_for_each_time_or_for_all():
    """One state that pays 1, T = 2, α = 1/2: v_0 = 3 + 1/2 (1 + v_1 - 3) with v_1 = 3 or 5."""
    mdp = MDP([[[1.0]]], [[1.0]], 1, horizon=2)
    same = {"steps": 1, "step_size": 0.5, "reference": False}
    for start, v in (([3], 3.5), ({"0": 3}, 3.5), ([[3], [5], [9]], 4.5), (solve(mdp), 2)):
        assert td0(mdp, "uniform", start_from=start, **same).estimates[0, 0].tolist() == [v]


def test_the_law_starts_there_too():
    """Two states in a ring, each taken with 1/2: v(0) = 3 + 1/4 (1 + 5/2 - 3), v(1) = 5 + 1/4 (2 + 3/2 - 5)."""
    ring = MDP([[[0, 1]], [[1, 0]]], [[1.0], [2.0]], "1/2")
    law = laws.expected("td0", ring, points=[1], step_size=0.5, source="independent", start_from=[3, 5])
    assert law.mean[0].tolist() == pytest.approx([3.125, 4.625], abs=1e-12)


def test_going_on_asks_for_the_same_values():
    mdp, pi = hand_model(), Policy.uniform(hand_model())
    first = td0(mdp, pi, steps=5, start_from=START, reference=False)
    assert td0(mdp, pi, steps=9, start_from=START, resume=first, reference=False).steps == 9
    with pytest.raises(OptionError, match="start values"):
        td0(mdp, pi, steps=9, start_from=[1, 1, 1], resume=first, reference=False)


@pytest.mark.parametrize(
    ("method", "options", "says"),
    [
        ("td0", {"start_from": {"c": 1}}, "c"),
        ("td0", {"start_from": [1, 2]}, "expected 3 finite values"),
        ("td0", {"start_from": [1, np.nan, 2]}, "expected 3 finite values"),
        ("linear-td", {"start_from": START, "features": "aggregate:2"}, "expected one-hot features"),
        ("linear-td", {"start_from": START, "start_weights": [1, 2, 3]}, "expected one-hot features"),
        ("reinforce", {"start_from": START, "estimator": "return"}, "expected reward-to-go-value"),
    ],
)
def test_what_says_nothing_of_states_is_refused(method, options, says):
    with pytest.raises(OptionError, match=says):
        learn(hand_model(), method, steps=1, reference=False, **options)


def test_a_comparison_has_the_law_from_these_values():
    """The expected value of the start after a step is that of the runs from there, not of those from 0."""
    walk = load("example:random_walk_5")
    found = compare(walk, ["td0,step-size=0.1"], steps=1, runs=4, start_from={"C": 1, "B": 2, "D": 4})
    (curves,) = found.curves
    # From C to B or D: 1 + 1/10 (2 - 1) or 1 + 1/10 (4 - 1), each with probability 1/2.
    assert curves.law.start_mean[0] == pytest.approx(1.2)
    assert set(np.round(curves.learned.curve.start[0], 12)) <= {1.1, 1.3}
    assert curves.learned.start_from.tolist() == [0, 2, 1, 4, 0, 0, 0]
