"""Policies: a type of their own, whose rows obey the rules of a model's rows."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tabular_rl import MDP, OptionError, Policy

# State "a" has actions x and y, "b" has only y, "end" has none.
MODEL = MDP.from_outcomes(
    [("a", "x", "a", 1, 0), ("a", "y", "b", 1, 1), ("b", "y", "end", 1, 2)],
    "1/2",
    terminal=["end"],
    states=["a", "b", "end"],
)


def fault(make, *args, **more):
    with pytest.raises(OptionError) as caught:
        make(MODEL, *args, **more)
    return str(caught.value)


# -- making one ---------------------------------------------------------------------------------------------------


def test_uniform_is_one_over_the_number_of_actions_exactly():
    three = MDP([[[1.0], [1.0], [1.0]]], [[0.0, 0.0, 0.0]], 0.5)
    assert list(Policy.uniform(three).exact) == [Fraction(1, 3)] * 3
    assert Policy.uniform(three).probs.tolist() == [1 / 3] * 3
    assert Policy.uniform(MODEL).probs.tolist() == [0.5, 0.5, 1.0]


def test_actions_by_name_and_by_index_are_the_same():
    named = Policy.of_actions(MODEL, {"a": "y", "b": "y"})
    assert named == Policy.of_actions(MODEL, [1, 1, -1])
    assert named.rows.tolist() == [1, 2, -1]
    assert named.actions.tolist() == [1, 1, -1]
    assert named["a"] == "y"
    assert named["end"] is None
    assert named.deterministic
    assert not named.timed
    assert named.weights.tolist() == [0, 1, 1]
    assert named.table.tolist() == [[0, 1], [0, 1], [0, 0]]


def test_probabilities_by_name_by_pair_and_by_table_are_the_same():
    named = Policy.of_probs(MODEL, {"a": {"x": "1/3", "y": "2/3"}, "b": "y"})
    assert list(named.exact) == [Fraction(1, 3), Fraction(2, 3), 1]
    assert named == Policy.of_probs(MODEL, [1 / 3, 2 / 3, 1])
    assert named == Policy.of_table(MODEL, [[1 / 3, 2 / 3], [0, 1], [0, 0]])
    assert named["a"] == {"x": 1 / 3, "y": 2 / 3}
    assert named["end"] == {}
    assert not named.deterministic


def test_floats_are_their_dyadics_over_their_sum():
    policy = Policy.of_probs(MODEL, [0.1, 0.9, 1.0])
    total = Fraction(0.1) + Fraction(0.9)
    assert policy.rationals() == [Fraction(0.1) / total, Fraction(0.9) / total, 1]
    assert Policy.of_probs(MODEL, {"a": {"x": 0.25, "y": 0.75}, "b": "y"}).exact is None


def test_greedy_takes_the_lowest_of_the_best():
    assert Policy.greedy(MODEL, [1.0, 1.0, 0.0]).actions.tolist() == [0, 1, -1]
    assert Policy.greedy(MODEL, [1.0, 2.0, 0.0]).actions.tolist() == [1, 1, -1]
    assert Policy.greedy(MODEL.replace(sense="min"), [1.0, 2.0, 0.0]).actions.tolist() == [0, 1, -1]
    assert (
        fault(Policy.greedy, [1.0]) == "q: found shape (1,), expected (3,), a number for each pair, or (3, 2)"
    )


def test_epsilon_greedy_mixes_exactly():
    greedy = Policy.of_actions(MODEL, [1, 1, -1])
    policy = Policy.epsilon_greedy(MODEL, greedy, "1/10")
    assert list(policy.exact) == [Fraction(1, 20), Fraction(19, 20), 1]
    assert Policy.epsilon_greedy(MODEL, greedy, 0).rationals() == [0, 1, 1]
    assert Policy.epsilon_greedy(MODEL, greedy, 1).rationals() == Policy.uniform(MODEL).rationals()


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, math.nan, math.inf, "x"])
def test_epsilon_out_of_range_is_refused(epsilon):
    text = fault(Policy.epsilon_greedy, Policy.uniform(MODEL), epsilon)
    assert text == f"epsilon: found '{epsilon}', expected a number from 0 to 1"


def test_softmax_is_the_exponential_of_preferences():
    policy = Policy.softmax(MODEL, [0.0, math.log(3), 7.0])
    assert policy.probs == pytest.approx([0.25, 0.75, 1.0])
    cold = Policy.softmax(MODEL, [1000.0, 2000.0, 0.0], temperature=0.001)
    assert cold.probs.tolist() == [0, 1, 1], "no overflow"
    hot = Policy.softmax(MODEL, [0.0, math.log(3), 7.0], temperature=2.0)
    assert hot.probs[1] / hot.probs[0] == pytest.approx(math.sqrt(3))
    for wrong in (0.0, -1.0, math.nan, math.inf):
        assert fault(Policy.softmax, [0.0] * 3, temperature=wrong).endswith("expected a positive number")


def test_timed_policy_has_a_row_a_time_step():
    policy = Policy.of_actions(MODEL, [[0, 1, -1], [1, 1, -1]])
    assert policy.timed
    assert policy.at(0)["a"] == "x"
    assert policy.at(1)["a"] == "y"
    assert policy["a"] == ["x", "y"]
    assert policy.actions.shape == (2, 3)
    mixed = Policy.of_probs(MODEL, [[0.5, 0.5, 1.0], [0.0, 1.0, 1.0]])
    assert mixed.timed
    assert mixed.at(1).probs.tolist() == [0, 1, 1]
    assert Policy.uniform(MODEL).at(5) == Policy.uniform(MODEL)


# -- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probs", "text"),
    [
        ({"a": {"x": "1/3", "y": "1/3"}, "b": "y"}, "policy: state 'a': probabilities sum to 2/3, expected 1"),
        ({"a": "x"}, "policy: state 'b': found no action, expected one, or probabilities that sum to 1"),
        ({"a": {"x": "3/2", "y": "-1/2"}, "b": "y"}, "policy: state 'a', action 'x': found probability 1.5, expected"),
        ({"a": {"x": "much", "y": 0}, "b": "y"}, "policy: state 'a', action 'x': found 'much', expected a probability"),
        ({"b": {"x": 1}}, "policy: state 'b', action 'x': not available, expected one of 'y'"),
        ({"end": "y"}, "policy: state 'end', action 'y': a terminal state has none, expected -1 in an array, None"),
        ({"A": "x"}, "policy: state 'A': no such state"),
        ({"a": "z"}, "policy: action 'z': no such action"),
        ([0.5, 0.4, 1.0], "policy: state 'a': probabilities sum to 0.9, expected 1"),
        ([math.nan, 1.0, 1.0], "policy: state 'a', action 'x': found probability nan, expected a number from 0 to 1"),
        ([-0.5, 1.5, 1.0], "policy: state 'a', action 'x': found probability -0.5, expected a number from 0 to 1"),
        ([1.0], "policy: found shape (1,), expected (3,): a probability for each pair, or a table (3, 2)."),
    ],
)  # fmt: skip
def test_probabilities_that_do_not_fit_are_refused(probs, text):
    assert fault(Policy.of_probs, probs).startswith(text)


@pytest.mark.parametrize(
    ("actions", "text"),
    [
        ([0, 0, -1], "policy: state 'b', action 'x': not available, expected one of 'y'"),
        ([0, -1, -1], "policy: state 'b': found no action, expected one"),
        ([0, 7, -1], "policy: state 'b', action 7: not available, expected one of 'y'"),
        ([0, 1], "actions of a policy: found shape (2,), expected (3,), or (T, 3)"),
        ([0.0, 1.0, -1.0], "actions of a policy: found float64, expected whole numbers, or names"),
        ({"a": "x"}, "policy: state 'b': found no action, expected one"),
    ],
)
def test_actions_that_do_not_fit_are_refused(actions, text):
    assert fault(Policy.of_actions, actions) == text


def test_action_at_a_terminal_state_is_refused():
    assert "'end'" in fault(Policy.of_actions, [0, 1, 1])
    assert "'end'" in fault(Policy.of_actions, {"a": "x", "b": "y", "end": "y"})


def test_table_with_weight_on_an_action_that_is_not_there_is_refused():
    text = fault(Policy.of_table, [[0.5, 0.5], [0.5, 0.5], [0, 0]])
    assert text == "policy: state 'b', action 'x': not available, expected one of 'y'"
    assert fault(Policy.of_table, [[1.0]]) == "policy: found shape (1, 1), expected (3, 2)"


def test_row_may_miss_one_by_n_roundings_and_no_more():
    Policy.of_probs(MODEL, [0.5, 0.5 + 2 * 2.0**-52, 1.0])
    with pytest.raises(OptionError, match="probabilities sum to"):
        Policy.of_probs(MODEL, [0.5, 0.5 + 3 * 2.0**-52, 1.0])


def test_policy_is_frozen_and_its_arrays_its_own():
    given = np.array([0.5, 0.5, 1.0])
    policy = Policy.of_probs(MODEL, given)
    given[:] = 0
    assert policy.probs.tolist() == [0.5, 0.5, 1.0]
    assert not policy.probs.flags.writeable
    with pytest.raises(AttributeError, match="frozen"):
        policy.probs = given
    with pytest.raises(OptionError, match="expected rows or probs, one of them"):
        Policy(MODEL)
    with pytest.raises(OptionError, match="a stochastic policy, expected a deterministic one"):
        policy.actions  # noqa: B018


def test_repr_says_what_it_is():
    assert repr(Policy.uniform(MODEL)) == "Policy(stochastic, 3 states)"
    assert repr(Policy.of_actions(MODEL, [[0, 1, -1]] * 2)) == "Policy(deterministic, 3 states, 2 time steps)"
    assert Policy.uniform(MODEL) != Policy.of_actions(MODEL, [0, 1, -1])
    assert Policy.uniform(MODEL) != 3


def test_actions_may_be_listed_by_name():
    mdp = MDP(
        [[[1, 0], [0, 1]], [[0, 0], [0, 0]]],
        [[1, 0], [0, 0]],
        0.5,
        actions=["stay", "go"],
        terminal=[1],
        axes="sas",
    )
    assert Policy.of_actions(mdp, ["go", None]).actions.tolist() == [1, -1]
    with pytest.raises(OptionError, match="no such action"):
        Policy.of_actions(mdp, ["gone", None])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"probs": [0.4, 0.4]}, "probabilities sum to 0.8"),
        ({"probs": [2.0, -1.0]}, "found probability 2.0"),
        ({"probs": [1.0]}, "found shape (1,)"),
        ({"rows": [2]}, "found row 2, expected one of 0 to 1"),
        ({"rows": [-1]}, "found row -1"),
        ({"rows": [0, 0]}, "expected one row for 1 states"),
    ],
)
def test_what_is_no_policy_is_refused(given, text):
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5)
    with pytest.raises(OptionError) as caught:
        Policy(mdp, **{field: np.array(x) for field, x in given.items()})
    assert text in str(caught.value)


def test_a_policy_does_not_share_the_array_that_it_was_given():
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5)
    rows = np.array([0])
    policy = Policy(mdp, rows=rows)
    rows[0] = 1
    assert policy.actions.tolist() == [0]


def test_greedy_by_nan_is_refused():
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5)
    with pytest.raises(OptionError, match="found nan"):
        Policy.greedy(mdp, [math.nan, 1.0])


def test_epsilon_greedy_of_many_pairs_is_made_in_floats(monkeypatch):
    """1 - 1/4 + 1/8 for the action of the policy, 1/8 for the other, whatever the number of pairs."""
    mdp = MDP.from_outcomes([(s, a, s, 1, 0) for s in (0, 1, 2) for a in ("x", "y")], "1/2", states=range(3))
    policy = Policy.of_actions(mdp, ["x", "y", "x"])
    for most, exact in ((6, True), (5, False)):
        monkeypatch.setattr("tabular_rl.model.policy.EXACT_PAIRS", most)
        mixed = Policy.epsilon_greedy(mdp, policy, Fraction(1, 4))
        assert mixed.probs.tolist() == [0.875, 0.125, 0.125, 0.875, 0.875, 0.125]
        assert (mixed.exact is not None) == exact


def test_epsilon_greedy_of_a_policy_that_depends_on_time():
    """With ε = 1/2 and two actions the chosen one has 3/4, at each time its own."""
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 1, horizon=2)
    mixed = Policy.epsilon_greedy(mdp, Policy.of_actions(mdp, [[1], [0]]), "1/2")
    assert mixed.timed
    assert mixed.weights.tolist() == [[0.25, 0.75], [0.75, 0.25]]
    for epsilon in ("1/3", "0.1", "1e-9", "0", "1"):
        three = MDP([[[1.0]] * 3], [[0.0, 1.0, 2.0]], 1, horizon=2)
        share = Policy.epsilon_greedy(three, Policy.of_actions(three, [[1], [0]]), epsilon).weights
        assert share[0].tolist() == [share[1, 1], share[1, 0], share[1, 2]]
