"""Models written as functions, or put together in loops: the arrays are those of the same outcomes in a list."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

import tabular_rl
from tabular_rl import MDP, Builder, ModelError

FIELDS = ("pair_ptr", "pair_action", "row_ptr", "next_state", "prob", "reward", "r", "terminal", "start")


def same(found, expected):
    assert list(found.states) == list(expected.states) and list(found.actions) == list(expected.actions)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field), err_msg=field)


def walk(s, a):
    yield s - 1, "1/2"
    yield s + 1, "1/2"


WALK = [
    ("1", "go", "0", "1/2", 0), ("1", "go", "2", "1/2", 0), ("2", "go", "1", "1/2", 0), ("2", "go", "3", "1/2", 1),
]  # fmt: skip


def test_states_are_found_from_the_start():
    found = MDP.from_functions(
        None, ["go"], walk, lambda s, a, s2: s2 == 3, gamma=1, terminal=[0, 3], start=1
    )
    same(found, MDP.from_outcomes(WALK, 1, terminal=["0", "3"], states=["1", "0", "2", "3"], start={"1": 1}))
    # The gambler's ruin: from 1 of 3 it is won one time in three.
    assert tabular_rl.solve(found, method="rational").exact[0] == Fraction(1, 3)


def test_states_that_are_given_keep_their_order():
    found = MDP.from_functions(range(4), ["go"], walk, lambda s, a, s2: s2 == 3, gamma=1, terminal={0, 3})
    same(found, MDP.from_outcomes(WALK, 1, terminal=["0", "3"], states=["0", "1", "2", "3"]))


def test_a_loop_of_ones_own_makes_the_same_model():
    builder = Builder()
    for s in (1, 2):
        for s2 in (s - 1, s + 1):
            builder.add(s, "go", s2, "1/2", int(s2 == 3))
    builder.end(0)
    builder.end(3)
    expected = MDP.from_outcomes(WALK, 1, terminal=["0", "3"], states=["1", "0", "2", "3"], start={"2": 1})
    same(builder.mdp(1, start=2), expected)


@dataclass(frozen=True)
class Stock:
    shelf: int
    season: str


class Deed(enum.Enum):
    WAIT = 1
    ORDER = 2


def test_states_are_dataclasses_and_actions_members_of_an_enum():
    def actions(s):
        return [Deed.WAIT, Deed.ORDER] if s.shelf < 2 else [Deed.WAIT]

    def transition(s, a):
        shelf = min(s.shelf + (a is Deed.ORDER), 2)
        return [(Stock(shelf, season), Fraction(1, 2), shelf) for season in ("dry", "wet")]

    found = MDP.from_functions(None, actions, transition, gamma="1/2", start={Stock(0, "dry"): 1})
    assert list(found.states) == ["0,dry", "0,wet", "1,dry", "1,wet", "2,dry", "2,wet"]
    assert list(found.actions) == ["WAIT", "ORDER"] and found.L == 10
    # Ordering twice: 1 + 2/2 + 2/4 + ... = 1 + 2 = 3.
    assert tabular_rl.solve(found, method="rational").exact[0] == 3


@pytest.mark.parametrize(
    ("reward", "expected"),
    [(lambda s: 10 * s, 10), (lambda s, a: s + len(a), 3), (lambda s, a, s2: s2, 1), (5, 5), (None, 0)],
)
def test_rewards_of_fewer_arguments(reward, expected):
    # From 1 to 0 or 2: the mean of s' is 1.
    found = MDP.from_functions(None, ["go"], walk, reward, gamma=1, terminal=[0, 3], start=1)
    assert found.r[0] == expected


def test_a_state_without_actions_or_named_by_a_function_ends():
    for options in ({"terminal": lambda s: s in (0, 3)}, {"terminal": ["0", "3"]}):
        found = MDP.from_functions(None, ["go"], walk, gamma=1, start=1, **options)
        assert found.terminal.tolist() == [False, True, False, True]
    found = MDP.from_functions(None, lambda s: ["go"] if 0 < s < 3 else [], walk, gamma=1, start=1)
    assert found.terminal.tolist() == [False, True, False, True]


def test_horizon_and_other_options_are_passed_on():
    found = MDP.from_functions(range(2), ["stay"], lambda s, a: {s: 1}, 1, gamma=1, horizon=3, name="clock")
    assert (found.horizon, found.name) == (3, "clock")
    assert tabular_rl.solve(found).v[0].tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"most": 10}, "found more than 10 states from the start"),
        (
            {"transition": lambda s, a: "x"},
            "state '0', action 'go': transition returned 'x', expected {next state",
        ),
        (
            {"transition": lambda s, a: [(1,)]},
            "returned an outcome '(1,)', expected (next state, probability)",
        ),
        (
            {"transition": lambda s, a: {s: "1/2"}},
            "state '0', action 'go': probabilities sum to 1/2, expected 1",
        ),
        ({"states": [0, 1]}, "state '1', action 'go': found next state '2', which is none of the states"),
        ({"start": None}, "found neither states nor a start"),
        ({"names": lambda x: "a"}, "found two states named 'a': 0 and 1"),
        ({"names": lambda x: 1}, "names returned 1 for the state '0', expected a text"),
        ({"reward": lambda a, b, c, d: 0}, "reward: found a function of 4 arguments"),
        ({"actions": lambda s: "go"}, "state '0': actions returned 'go', expected a list of actions"),
        ({"terminal": 3}, "terminal: found 3, expected a list of states or a function"),
        ({"gama": 1}, "did you mean 'gamma'?"),
    ],
)
def test_what_functions_return_is_checked(given, said):
    usual = {
        "states": None,
        "actions": ["go"],
        "transition": lambda s, a: {s + 1: 1},
        "gamma": 0.9,
        "start": 0,
    }
    with pytest.raises(tabular_rl.TabularError) as error:
        MDP.from_functions(**usual | given)
    assert said in str(error.value)


def test_an_error_of_the_users_own_is_theirs():
    def broken(s, a):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        MDP.from_functions([0], ["go"], broken, gamma=0.9)


def test_two_states_of_a_name_cannot_be_told_apart():
    builder = Builder()
    builder.add(1, "go", 1)
    with pytest.raises(ModelError, match="two states named '1'"):
        builder.add("1", "go", "1")
