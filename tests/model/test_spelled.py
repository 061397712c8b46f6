"""Tensors with texts and fractions: the model is the one of the same outcomes, with the same rationals."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from tabular_rl import MDP, ModelError, evaluate

P = [  # P[s, a, s']
    [["1/3", "2/3", 0], ["0.1", Fraction(1, 5), Decimal("0.7")]],
    [[0, "1", "0"], [0, 0, 0]],
    [[0, 0, 0], [0, 0, 0]],
]
R = [["1/7", 2], [Fraction(-1, 3), 0], [0, 0]]  # R[s, a]
OUTCOMES = [
    ("0", "0", "0", "1/3", "1/7"),
    ("0", "0", "1", "2/3", "1/7"),
    ("0", "1", "0", "1/10", 2),
    ("0", "1", "1", "1/5", 2),
    ("0", "1", "2", "7/10", 2),
    ("1", "0", "1", 1, "-1/3"),
]
ORDERS = {
    "sas": (0, 1, 2),
    "ass": (1, 0, 2),
    "ssa": (0, 2, 1),
    "s'as": (2, 1, 0),
    "as's": (1, 2, 0),
    "s'sa": (2, 0, 1),
}


@pytest.mark.parametrize("axes", ORDERS)
def test_texts_and_fractions_are_exact(axes):
    table = np.array(P, dtype=object).transpose(ORDERS[axes])
    for given in (table, table.tolist()):
        mdp = MDP(given, R, "9/10", axes=axes, terminal=[2])
        wanted = MDP.from_outcomes(
            OUTCOMES, "9/10", terminal=["2"], states=["0", "1", "2"], actions=["0", "1"]
        )
        assert list(mdp.exact.prob) == list(wanted.exact.prob)
        assert mdp.exact.prob[0] == Fraction(1, 3) and mdp.exact.r[0] == Fraction(1, 7)
        assert (mdp.prob == wanted.prob).all() and (mdp.r == wanted.r).all()
        for field in ("pair_ptr", "pair_action", "row_ptr", "next_state", "terminal"):
            assert np.array_equal(getattr(mdp, field), getattr(wanted, field)), field


def test_rewards_may_have_the_axes_of_p():
    table = np.array(P, dtype=object)
    by_outcome = np.array([[["1/7"] * 3, ["2", "2", "1/3"]]] * 2 + [[[0] * 3] * 2], dtype=object)
    for axes, order in ORDERS.items():
        mdp = MDP(table.transpose(order), by_outcome.transpose(order), "1/2", axes=axes, terminal=[2])
        assert list(mdp.exact.reward) == [*[Fraction(1, 7)] * 2, 2, 2, Fraction(1, 3), Fraction(1, 7)]
    mdp = MDP(table, ["1/3", "1/5", 0], "1/2", axes="sas", terminal=[2])
    assert list(mdp.exact.r) == [Fraction(1, 3), Fraction(1, 3), Fraction(1, 5)]


def test_an_array_of_texts_is_read_and_its_shape_tells_the_axes():
    mdp = MDP(
        np.array([[["1/3", "1/3", "1/3"], ["0", "1", "0"], ["0", "0", "1"]]]), ["1", "0", "1/2"], "9/10"
    )
    assert mdp.exact.prob[2] == Fraction(1, 3) and mdp.actions[:] == ("0",)
    # By hand: v(1) = 0, v(2) = (1/2) / (1/10) = 5, v(0) = 1 + 9/10 (v(0) + 0 + 5) / 3, so 7/10 v(0) = 5/2.
    assert evaluate(mdp, "uniform", "rational-evaluation").exact[0] == Fraction(25, 7)


def test_where_one_is_a_float_all_are():
    mdp = MDP([[["0.5", "0.5"], [0, 1]]], [[1.0], ["1/3"]], "9/10", axes="ass")
    assert mdp.exact is None and mdp.r.tolist() == [1.0, 1 / 3]


def test_rows_must_sum_to_exactly_one_or_are_rescaled_as_rationals():
    thirds = [[["0.333"] * 3, [0, 1, 0], [0, 0, 1]]]
    with pytest.raises(
        ModelError, match=r"state '0', action '0': probabilities sum to 999/1000, expected 1 .*\"1/3\""
    ):
        MDP(thirds, ["1", "0", "0"], "9/10", axes="ass")
    mdp = MDP(thirds, ["1", "0", "0"], "9/10", axes="ass", normalize=True)
    assert mdp.exact.prob[0] == Fraction(1, 3)
    with pytest.raises(ModelError, match="found probability -1/3"):
        MDP([[["-1/3", "4/3"], [0, 1]]], ["1", "0"], "9/10", axes="ass")


def test_all_else_is_as_for_floats():
    told = {"states": ["a", "b", "c"], "actions": ["x", "y"], "terminal": ["c"], "start": {"a": "1/3", "b": "2/3"},
            "horizon": 3, "final_reward": [0, 1, 0], "sense": "min", "name": "n", "source": "s"}  # fmt: skip
    mdp = MDP(P, R, "9/10", axes="sas", **told)
    floats = MDP(np.array(mdp_floats(P)), np.array(mdp_floats(R)), "9/10", axes="sas", **told)
    assert (mdp.states, mdp.actions, mdp.horizon, mdp.sense, mdp.name) == (
        floats.states, floats.actions, 3, "min", "n"
    )  # fmt: skip
    assert mdp.exact.start[0] == Fraction(1, 3)
    assert mdp.final_reward.tolist() == [0, 1, 0]


def mdp_floats(table):
    return [mdp_floats(x) if isinstance(x, list) else float(Fraction(x)) for x in table]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("x", r"P: found 'x' at \[0, 1, 0\], expected a number such as 1, 0.5 or \"2/3\""),
        ("1/0", r"P: found '1/0' at \[0, 1, 0\], expected a number"),
        (None, r"P: found None at \[0, 1, 0\], expected a number"),
        (True, r"P: found True at \[0, 1, 0\], expected a number"),
        (
            "1e-400",
            r"P: found '1e-400' at \[0, 1, 0\], which underflows: its nearest float64 is 0, expected a number",
        ),
        ("1e400", r"P: found '1e400' at \[0, 1, 0\], expected a number"),
        ([1], r"P: found lists of different lengths"),
    ],
)
def test_what_is_no_number_is_told_with_its_place(entry, says):
    with pytest.raises(ModelError, match=says):
        MDP([[["1/2", "1/2"], [entry, "1"]]], [1, 0], "9/10", axes="ass")


def test_rewards_paid_on_entry_are_floats():
    chain = [[["0", "1", "0"]], [["0", "0", "1"]], [["0", "0", "0"]]]
    with pytest.raises(ModelError, match="terminal_rewards: found 'on entry' with texts or fractions"):
        MDP(chain, [-3, -3, 100], 1, terminal=[2], terminal_rewards="on entry")
    assert MDP(chain, [-3, -3, 0], 1, terminal=[2], terminal_rewards="on entry").exact is not None
