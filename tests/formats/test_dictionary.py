"""Dictionaries {state: {action: [(p, next state, reward, done)]}}: what done means, and what is wrong with one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tabular_rl import MDP, ModelError, OptionError, solve

pytestmark = pytest.mark.small


def test_done_ends_the_episode_whatever_the_state_does_after():
    """1 is entered only with done: the 7 a step that its own outcomes promise are never collected."""
    P = {0: {0: [(1.0, 1, 5.0, True)]}, 1: {0: [(1.0, 1, 7.0, False)]}}
    mdp = MDP.from_dictionary(P, "9/10")
    assert mdp.terminal.tolist() == [False, True]
    assert solve(mdp).v.tolist() == pytest.approx([5, 0])


def test_a_state_entered_both_ways_is_left_alone_and_done_leads_to_an_end():
    """1 is worth 1 / (1 - .9) = 10, and half of the time it is entered alive: .9 * .5 * 10."""
    P = {"a": {"go": [("1/2", "b", 0, True), ("1/2", "b", 0, False)]}, "b": {"stay": [(1, "b", 1, False)]}}
    mdp = MDP.from_dictionary(P, "9/10")
    assert list(mdp.states) == ["a", "b", "end"]
    assert mdp.terminal.tolist() == [False, False, True]
    assert solve(mdp).v.tolist() == pytest.approx([4.5, 10, 0], abs=1e-9)


def test_a_bandit_that_returns_to_its_state_with_done_is_paid_once():
    mdp = MDP.from_dictionary({"s": {"left": [(1, "s", 3, True)], "right": [(1, "s", 4, True)]}}, 1)
    assert solve(mdp).v.tolist() == pytest.approx([4, 0])


def test_a_state_that_loops_with_done_for_nothing_has_ended():
    """As Gymnasium writes the holes of a lake, those besides that nobody can reach."""
    P = {
        0: {0: [(1.0, 0, 1.0, False)]},
        1: {0: [(1.0, 1, 0, True)]},
        2: {0: [(1.0, 0, 0, False), (0.0, 2, 0, True)]},
    }
    assert MDP.from_dictionary(P, 0.9).terminal.tolist() == [False, True, False]


def test_a_start_is_entered_alive():
    P = {0: {0: [(1, 1, 5, True)]}, 1: {0: [(1, 0, 7, False)]}}
    mdp = MDP.from_dictionary(P, 1, start=1)
    assert list(mdp.states) == ["0", "1", "end"]
    assert solve(mdp).v.tolist() == pytest.approx([5, 12, 0])
    assert MDP.from_dictionary(P, 1, start={0: 1}).terminal.tolist() == [False, True]


def test_states_that_the_caller_ends_leave_out_their_outcomes():
    P = {"a": {"go": [(1, "b", 2, False)]}, "b": {"go": [(1, "a", 0, False)]}}
    mdp = MDP.from_dictionary(P, 1, terminal=["b"])
    assert (mdp.L, mdp.terminal.tolist()) == (1, [False, True])
    assert MDP.from_dictionary(P, 1, terminal="b") == mdp


def test_a_state_without_actions_ends():
    mdp = MDP.from_dictionary({"a": {"go": [(1, "b", 2, False)]}, "b": {}}, 1)
    assert mdp.terminal.tolist() == [False, True]


def test_the_name_of_the_end_is_free():
    P = {"end": {"go": [("1/2", "end", 1, True), ("1/2", "end", 1, False)]}}
    assert list(MDP.from_dictionary(P, 1).states) == ["end", "end'"]


def test_outcomes_of_one_reward_are_added_up():
    """A corner of the frozen lake: two of three ways stay, each with a third."""
    third = 1 / 3
    P = {
        0: {0: [(third, 0, 0.0, False), (third, 0, 0.0, False), (third, 1, 1.0, False)]},
        1: {0: [(1.0, 0, 0, False)]},
    }
    mdp = MDP.from_dictionary(P, 0.9)
    assert mdp.prob.tolist() == [third + third, third, 1.0]
    exact = MDP.from_dictionary({"a": {"b": [("1/3", "a", 1, False), ("2/3", "a", "1", False)]}}, 0.9)
    assert list(exact.exact.prob) == [Fraction(1)]


def test_lists_have_the_keys_0_1_2_and_keys_may_be_tuples_or_of_numpy():
    pairs = [(1.0, 1, 2.0, False)], [(1.0, 0, 0.0, False)]
    mdp = MDP.from_dictionary([[pairs[0]], [pairs[1]]], 0.5)
    assert mdp == MDP.from_dictionary({0: {0: pairs[0]}, 1: {0: pairs[1]}}, 0.5)
    assert mdp == MDP.from_dictionary(
        {np.int64(0): {0: [(np.float64(1), np.int64(1), 2.0, np.False_)]}, 1: {0: pairs[1]}}, 0.5
    )
    cells = MDP.from_dictionary({(0, 1): {"stay": [(1, (0, 1), 0, False)]}}, 0.5)
    assert list(cells.states) == ["0,1"]


GOOD = [(1, "a", 0, False)]


@pytest.mark.parametrize(
    ("P", "text"),
    [
        (7, "P: found 7, expected {state: {action: [(p, next state, reward, done)]}}"),
        ({"a": 7}, "state 'a': the actions: found 7, expected {action: [(p, next state, reward, done)]}"),
        ({"a": {"go": 7}}, "state 'a', action 'go': found 7, expected a list of outcomes, of 4 entries: p, next"),
        ({"a": {"go": [7]}}, "state 'a', action 'go': outcome 0: found 7, expected 4 entries: p, next state, reward"),
        ({"a": {"go": [*GOOD, (1, "a", 0)]}}, "state 'a', action 'go': outcome 1: found 3 entries, expected 4 entries"),
        ({"a": {"go": [(1, None, 0, False)]}}, "outcome 0: found None as the next state, expected a name"),
        ({"a": {"go": [(1, "a", 0, "no")]}}, "outcome 0: found done 'no', expected true or false"),
        ({"a": {"go": [(1, "a", 0, 2)]}}, "outcome 0: found done 2, expected true or false"),
        ({"a": {"go": GOOD}, 1: {}, "1": {}}, "P: found two keys named '1', 1 and '1', expected one"),
        ({"a": {"go": [("x", "a", 0, False)]}}, "state 'a', action 'go', next state 'a': found probability 'x'"),
        ({"a": {"go": [(1, "a", "x", False)]}}, "state 'a', action 'go', next state 'a': found reward 'x'"),
        ({"a": {"go": [(1, "a", [1], False)]}}, "state 'a', action 'go', next state 'a': found reward"),
        ({"a": {"go": [("x", "a", 0, True)]}}, "state 'a', action 'go', next state 'a': found probability 'x'"),
        ({"a": {"go": [("1/2", "a", 0, False)]}}, "state 'a', action 'go': probabilities sum to 1/2, expected 1"),
        ({"a": {"go": [(0.5, "a", 0, False)]}}, "state 'a', action 'go': probabilities sum to 0.5"),
        ({"a": {"go": [(0, "a", 0, False)]}}, "state 'a', action 'go': probabilities sum to 0, expected 1"),
        ({"a": {"go": []}, "b": {"go": GOOD}}, "state 'a': has no actions, expected some"),
        ({"a": {"go": [(1, "b", 0, False)]}}, "state 'b': found no actions for it and no declaration"),
        ({}, "no states: found 0, expected at least 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(P, text):
    with pytest.raises(ModelError) as caught:
        MDP.from_dictionary(P, 0.9)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_options_that_do_not_fit_are_named():
    with pytest.raises(OptionError, match=r"axes: MDP.from_dictionary has no such option"):
        MDP.from_dictionary({"a": {"go": GOOD}}, 0.9, axes="sas")
    with pytest.raises(ModelError, match=r"start: found a list, expected a state or \{state: probability\}"):
        MDP.from_dictionary({"a": {"go": GOOD}}, 0.9, start=[1])
    with pytest.raises(ModelError, match=r"terminal: found 1\.5, expected a list of states"):
        MDP.from_dictionary({"a": {"go": GOOD}}, 0.9, terminal=1.5)


def test_a_dictionary_in_the_wrong_place_is_told_where_it_belongs():
    P = {"a": {"go": GOOD}}
    for call in (lambda: MDP(P, [0], 0.9), lambda: MDP.from_outcomes(P, 0.9)):
        with pytest.raises(ModelError, match=r"found a dictionary, .* MDP\.from_dictionary takes \{state: "):
            call()
