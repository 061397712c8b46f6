"""Transitions: what follows what, where an episode ends, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from learners import hand_model

from tabular_rl import OptionError
from tabular_rl.model.transitions import Transitions


def test_next_action_is_that_of_the_next_transition():
    """Known where the next one begins where this one ended; not at the end, at a jump, and at the end of the log."""
    log = [("a", 1, 1, "b"), ("b", 0, 4, "end"), ("a", 0, 2, "a"), ("b", 0, 0, "a"), ("a", 1, 1, "b")]
    made = Transitions.of(hand_model(), log)
    assert made.row.tolist() == [1, 2, 0, 2, 1]
    assert made.next_row.tolist() == [2, -1, -1, 1, -1]
    assert made.done.tolist() == [False, True, False, False, False]
    assert made.next_state.tolist() == [1, 2, 0, 0, 1]
    assert len(made) == 5


def test_end_may_be_said():
    """Four items: a terminal s' is the end. Five: done is the end as well, and a terminal s' always is."""
    log = [("a", 1, 1, "b", True), ("b", 0, 0, "a", False), ("b", 0, 4, "end", False)]
    made = Transitions.of(hand_model(), log)
    assert made.done.tolist() == [True, False, True]
    assert made.next_row.tolist() == [-1, -1, -1]


def test_names_and_indices_mean_the_same():
    names = Transitions.of(hand_model(), [("a", "1", 1, "b"), ("b", "0", 4, "end")])
    indices = Transitions.of(hand_model(), [(0, 1, 1, 1), (np.int64(1), 0, 4, np.int32(2))])
    for field in ("row", "reward", "next_state", "done", "next_row"):
        assert getattr(names, field).tolist() == getattr(indices, field).tolist()


def test_kernels_get_costs_negated():
    mdp = hand_model("min")
    made = Transitions.of(mdp, [("a", 1, 3, "b")])
    assert made.reward.tolist() == [3.0]
    assert made.arrays().reward.tolist() == [-3.0]


def test_arrays_are_copied():
    row, reward = np.array([1, 2]), np.array([1.0, 4.0])
    made = Transitions.of_arrays(hand_model(), row, reward, [1, 2], [False, True])
    row[:], reward[:] = 0, 9
    assert made.row.tolist() == [1, 2]
    assert made.reward.tolist() == [1.0, 4.0]


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ([], "transitions: found none, expected at least one"),
        (
            [("a", 1, 1, "b"), ("b", 1, 1, "b")],
            "transition 2: state 'b', action '1': not available in the model",
        ),
        ([("z", 1, 1, "b")], "transition 1: state 'z', action '1': not available in the model"),
        ([("end", 0, 1, "b")], "transition 1: state 'end', action '0': not available in the model"),
        ([("a", 1, 1, "z")], "transition 1: no state 'z'"),
        ([("a", 1, 1, 3)], "transition 1: no state '3'"),
        ([("a", 1, 1, -1)], "transition 1: no state '-1'"),
        (
            [("a", 1, 1, "b"), ("a", 1, math.nan, "b")],
            "transition 2: found the reward nan, expected a finite number",
        ),
        ([("a", 1, -math.inf, "b")], "transition 1: found the reward -inf, expected a finite number"),
    ],
)
def test_what_does_not_fit_is_refused(log, message):
    with pytest.raises(OptionError) as caught:
        Transitions.of(hand_model(), log)
    assert str(caught.value) == message
