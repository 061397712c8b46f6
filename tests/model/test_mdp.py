"""The model: what its arrays mean, what is refused and with which words, and that nothing can change it."""

from __future__ import annotations

import contextlib
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from random_models import ARRAYS, random_model, random_models

from tabular_rl import MDP, Layout, ModelError, Policy, learn, simulate, solve
from tabular_rl.model.rows import row_blocks, row_sums
from tabular_rl.solving.sweeps import Sweeper

WAY_OUT = "Fix the row, or load with normalize=True to rescale it."


def rows(**changes):
    """Two states, the first with two actions, of three and one outcomes: as keyword arguments of from_rows."""
    given = {
        "pair_ptr": [0, 2, 3], "pair_action": [0, 1, 0], "row_ptr": [0, 3, 4, 5], "next_state": [0, 1, 1, 1, 1],
        "prob": [0.5, 0.25, 0.25, 1.0, 1.0], "reward": [1.0, 2.0, -2.0, 3.0, 0.0], "gamma": 0.9,
        "states": ["young", "old"], "actions": ["wait", "cut"],
    }  # fmt: skip
    return given | changes


def fault(**changes):
    """The text of the ModelError that these arrays raise."""
    with pytest.raises(ModelError) as caught:
        MDP.from_rows(**rows(**changes))
    assert caught.value.exit_code == 2
    return str(caught.value)


# -- what the arrays mean -----------------------------------------------------------------------------------------


def test_rows_are_what_was_given():
    mdp = MDP.from_rows(**rows())
    assert (mdp.S, mdp.A, mdp.L, mdp.K) == (2, 2, 3, 5)
    assert mdp.r.tolist() == [0.5, 3.0, 0.0]  # .5 * 1 + .25 * 2 - .25 * 2, 3, 0
    assert mdp.rows(0) == range(2)
    assert mdp.rows(1) == range(2, 3)
    assert mdp.row("young", "cut") == 1 == mdp.row(0, 1)
    assert mdp.pair_state.tolist() == [0, 0, 1]
    assert [mdp.state_of_row(i) for i in range(3)] == [0, 0, 1]
    assert mdp.table(mdp.r).tolist() == [[0.5, 3.0], [0.0, -math.inf]]
    assert mdp.start.tolist() == [0.5, 0.5]
    assert not mdp.start_given
    with pytest.raises(KeyError):
        mdp.row("old", "cut")


def test_same_successor_twice_keeps_both_rewards():
    mdp = MDP.from_rows(**rows())
    assert mdp.rational(0) == (
        [(0, Fraction(1, 2)), (1, Fraction(1, 4)), (1, Fraction(1, 4))],
        Fraction(1, 2),
    )
    assert mdp.K == 5, "nothing is merged in storage"
    assert mdp.P.toarray().tolist() == [[0.5, 0.5], [0.0, 1.0], [0.0, 1.0]]


def test_P_shares_the_memory_of_the_model():
    mdp = MDP.from_rows(**rows())
    assert np.shares_memory(mdp.P.data, mdp.prob)
    assert np.shares_memory(mdp.P.indices, mdp.next_state)


def test_float_rows_mean_their_dyadics_over_their_sum():
    tenth = Fraction(0.1)
    mdp = MDP.from_rows(**rows(prob=[0.7, 0.1, 0.2, 1.0, 1.0], reward=None, r=[0.0, 0.0, 0.0]))
    total = Fraction(0.7) + tenth + Fraction(0.2)
    assert total != 1
    assert mdp.rational(0)[0][1] == (1, tenth / total)
    assert sum(p for _, p in mdp.rational(0)[0]) == 1


def test_exact_rows_mean_what_was_written():
    mdp = MDP.from_outcomes([("a", "x", "a", "1/3", "0.1"), ("a", "x", "a", "2/3", "0.4")], "0.9")
    assert mdp.rational(0) == ([(0, Fraction(1, 3)), (0, Fraction(2, 3))], Fraction(3, 10))
    assert mdp.gamma_exact == Fraction(9, 10)
    assert mdp.gamma == 0.9
    assert mdp.r.tolist() == [0.3], "the nearest float of three tenths, not a sum of roundings"


def test_float_discount_is_its_dyadic():
    assert MDP([[[1.0]]], [[1.0]], 0.1).gamma_exact == Fraction(0.1) != Fraction(1, 10)


def test_facts_bound_the_exact_ones():
    for mdp in random_models():
        facts = mdp.facts
        sums = [
            sum(map(Fraction, mdp.prob[a:b].tolist()))
            for a, b in zip(mdp.row_ptr[:-1], mdp.row_ptr[1:], strict=True)
        ]
        assert facts.longest_row == int(np.diff(mdp.row_ptr).max())
        if mdp.exact is None:
            assert facts.mass_defect >= max(abs(1 - x) for x in sums)
            assert facts.mass_defect <= float(max(abs(1 - x) for x in sums)) * (1 + 1e-9)
            assert all(
                abs(Fraction(float(mdp.r[i])) - mdp.rational(i)[1]) <= facts.r_error for i in range(mdp.L)
            )
        else:
            assert facts.mass_defect == 0
        assert facts.largest_reward >= float(np.abs(mdp.r).max())
        if mdp.reward is not None:
            assert facts.largest_reward >= float(np.abs(mdp.reward).max())


def test_block_sums_are_sums():
    values, ptr = np.arange(6.0), np.array([0, 0, 2, 2, 6, 6])
    assert row_sums(values, ptr).tolist() == [0.0, 1.0, 0.0, 14.0, 0.0]
    assert row_sums(np.zeros(0), np.zeros(3, dtype=int)).tolist() == [0.0, 0.0]


def test_blocks_cover_all_rows_once(monkeypatch):
    monkeypatch.setattr("tabular_rl.model.rows.BLOCK", 4)
    ptr = np.array([0, 3, 3, 4, 20, 21, 21])
    assert list(row_blocks(ptr)) == [(0, 3, 0, 4), (3, 4, 4, 20), (4, 6, 20, 21)]


def test_validation_in_blocks_finds_the_same(monkeypatch):
    """With blocks of 4 outcomes each model is looked at in many pieces; the facts must not depend on it."""
    whole = [random_model(seed, exact=False, S=6) for seed in range(10)]
    monkeypatch.setattr("tabular_rl.model.rows.BLOCK", 4)
    for seed, mdp in enumerate(whole):
        assert random_model(seed, exact=False, S=6).facts == mdp.facts
    bad = rows(prob=[0.5, 0.25, 0.25, 1.0, 0.5])
    with pytest.raises(ModelError, match=r"state 'old', action 'wait': probabilities sum to 0\.5"):
        MDP.from_rows(**bad)


# -- sizes and pointers -------------------------------------------------------------------------------------------


def test_no_states_or_actions_are_refused():
    assert fault(pair_ptr=[0]) == fault(pair_ptr=[]) == "no states: found 0, expected at least 1"
    nothing = fault(
        pair_ptr=[0, 0, 0], pair_action=[], row_ptr=[0], next_state=[], prob=[], reward=[], actions=0
    )
    assert "no actions: found 0, expected at least 1" in nothing
    assert "state 'young': has no actions, expected some. Declare it terminal, or give it one." in nothing


def test_model_of_terminal_states_alone_is_one():
    mdp = MDP.from_rows(
        pair_ptr=[0, 0],
        pair_action=[],
        row_ptr=[0],
        next_state=[],
        prob=[],
        reward=[],
        gamma=0.5,
        terminal=[True],
    )
    assert (mdp.S, mdp.L) == (1, 0)
    assert mdp.start.tolist() == [1.0]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"pair_ptr": [0, 2, 4]}, "pair_ptr: found 0 to 4, expected 0 to 3"),
        ({"pair_ptr": [1, 2, 3]}, "pair_ptr: found 1 to 3, expected 0 to 3"),
        ({"row_ptr": [0, 3, 4]}, "row_ptr: found length 3, expected 4"),
        ({"row_ptr": [0, 3, 4, 6]}, "row_ptr: found 0 to 6, expected 0 to 5"),
        ({"row_ptr": [0, 4, 3, 5]}, "row_ptr: found it falling at position 2, expected it to rise"),
        ({"pair_ptr": [0, 4, 3]}, "pair_ptr: found it falling at position 2, expected it to rise"),
        ({"prob": [1.0]}, "prob: found length 1, expected 5"),
        ({"reward": [1.0]}, "reward: found length 1, expected 5"),
        ({"terminal": [False]}, "terminal: found length 1, expected 2"),
        ({"terminal": [0, 0]}, "terminal: found dtype int64, expected bool"),
        ({"prob": [["x"] * 5]}, "prob: found 2 dimensions, expected 1"),
        ({"prob": ["x"] * 5}, "prob: found dtype <U1, expected float64"),
        ({"pair_action": [0.0, 1.0, 0.0]}, "pair_action: found dtype float64, expected whole numbers"),
        ({"next_state": [True] * 5}, "next_state: found dtype bool, expected whole numbers"),
        ({"next_state": [0, 1, 1, 1, 2**40]}, "next_state: found 1099511627776, expected at most 2147483647"),
        ({"states": ["young"]}, "names of states: found 1, expected 2"),
        ({"states": ["young", "young"]}, "state 'young': found twice, as number 0 and 1, expected distinct names"),
        ({"reward": None}, "no rewards: give reward (K,) or r (L,)"),
        ({"r": [1.0]}, "r: found shape (1,), expected (3,)"),
        ({"sense": "most"}, "sense: found 'most', expected 'max' or 'min'"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_refused(changes, text):
    assert fault(**changes) == text


def test_index_out_of_range_is_refused_with_its_place():
    place = "state 'young', action 'cut'"
    assert fault(next_state=[0, 1, 1, 2, 1]) == f"{place}: next_state: found 2 at position 3, expected 0 to 1"
    assert (
        fault(next_state=[0, 1, 1, -1, 1]) == f"{place}: next_state: found -1 at position 3, expected 0 to 1"
    )
    text = "state 'young', action '2': pair_action: found 2 at position 1, expected 0 to 1"
    assert fault(pair_action=[0, 2, 0]) == text


def test_actions_of_a_state_must_rise():
    text = "repeats or precedes the action before it, expected rising actions within a state"
    assert fault(pair_action=[1, 0, 0]) == f"state 'young', action 'wait': row 1 {text}"
    assert fault(pair_action=[1, 1, 0]) == f"state 'young', action 'cut': row 1 {text}"


def test_terminal_states_have_no_actions_and_others_have_some():
    text = fault(terminal=[False, True])
    assert text.startswith(
        "state 'old': is declared terminal and has actions, expected one or the other. Its value"
    )
    text = fault(pair_ptr=[0, 3, 3], pair_action=[0, 1, 2], actions=3)
    assert text == "state 'old': has no actions, expected some. Declare it terminal, or give it one."


def test_row_without_outcomes_is_refused():
    text = fault(row_ptr=[0, 4, 4, 5])
    assert "state 'young', action 'cut': has no outcomes, expected probabilities that sum to 1" in text


# -- probabilities ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (0.999, "0.999, expected 1 (0.001 missing)"),
        (0.99657, "0.99657, expected 1 (0.00343 missing)"),
        (1.1, "1.1, expected 1 (0.1 too much)"),
        (1.8, "1.8, expected 1 (0.8 too much)"),
        (1 + 2.0**-50, "1.0000000000000009, expected 1 (8.88178e-16 too much)"),
    ],
)
def test_row_that_does_not_sum_to_one_is_refused(found, shown):
    prob = [found / 2, found / 4, found / 4, 1.0, 1.0]
    assert fault(prob=prob) == f"state 'young', action 'wait': probabilities sum to {shown}. {WAY_OUT}"


def test_rows_of_floats_may_miss_one_by_n_roundings():
    for by in (-3, 3):  # n 2**-52 = 3 * 2**-52 for three outcomes
        MDP.from_rows(**rows(prob=[0.5, 0.25, 0.25 + by * 2.0**-52, 1.0, 1.0]))
        assert "sum to" in fault(prob=[0.5, 0.25, 0.25 + by * 4 / 3 * 2.0**-52, 1.0, 1.0])


def test_thousand_times_a_thousandth_is_a_row():
    """Exactly 1000 * fl(0.001) = 1 + 2e-17; a running sum in floats says 1 + 4.4e-16, which is not the fact."""
    MDP.from_rows(
        pair_ptr=[0, 1],
        pair_action=[0],
        row_ptr=[0, 1000],
        next_state=[0] * 1000,
        prob=[0.001] * 1000,
        r=[1.0],
        gamma=0.5,
    )


def test_thirds_as_gymnasium_writes_them_are_a_row():
    third = 0.3333333333333333
    for prob in ([third] * 3, [0.33333333333333337, 0.33333333333333337, third]):
        MDP.from_rows(**rows(prob=[*prob, 1.0, 1.0]))


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan, math.inf, -math.inf])
def test_number_that_is_no_probability_is_refused(wrong):
    text = fault(prob=[0.5, wrong, 0.25, 1.0, 1.0])
    assert text == (
        "state 'young', action 'wait', next state 'old': "
        f"found probability {wrong!r}, expected a number from 0 to 1"
    )


def test_zero_and_negative_zero_are_probabilities():
    plain = MDP.from_rows(**rows(prob=[1.0, 0.0, 0.0, 1.0, 1.0]))
    minus = MDP.from_rows(**rows(prob=[1.0, -0.0, -0.0, 1.0, 1.0]))
    assert plain.r.tolist() == minus.r.tolist() == [1.0, 3.0, 0.0]
    assert plain.digest == minus.digest


def test_normalize_rescales_and_tells_how_much():
    mdp = MDP.from_rows(**rows(prob=[0.25, 0.125, 0.125, 1.0, 1.0], normalize=True))
    assert mdp.prob.tolist() == [0.5, 0.25, 0.25, 1.0, 1.0]
    assert mdp.facts.correction == 0.25
    assert mdp.r.tolist() == [0.5, 3.0, 0.0]
    assert MDP.from_rows(**rows(normalize=True)).facts.correction == 0
    with pytest.raises(ModelError, match="found probability nan"):
        MDP.from_rows(**rows(prob=[math.nan, 0.125, 0.125, 1.0, 1.0], normalize=True))
    with pytest.raises(ModelError, match=r"probabilities sum to 0\.0"):
        MDP.from_rows(**rows(prob=[0.0, 0.0, 0.0, 1.0, 1.0], normalize=True))


def test_all_faults_are_reported_up_to_ten():
    n = 30
    with pytest.raises(ModelError) as caught:
        MDP.from_rows(
            pair_ptr=range(n + 1), pair_action=[0] * n, row_ptr=range(n + 1), next_state=range(n), prob=[0.5] * n,
            r=[0.0] * n, gamma=0.5,
        )  # fmt: skip
    lines = str(caught.value).splitlines()
    assert len(lines) == 11
    assert lines[0].startswith("state '0', action '0': probabilities sum to 0.5")
    assert lines[-1] == f"... and {len(caught.value.faults) - 10} more faults"


def test_names_cannot_colour_the_screen():
    text = fault(states=["\x1b[31mred", "old"], prob=[0.5, 0.0, 0.0, 1.0, 1.0])
    assert text.startswith(r"state '\x1b[31mred', action 'wait'")


def test_very_long_name_is_refused():
    assert "found a name of 1000000 characters, expected at most 10000" in fault(states=["x" * 10**6, "old"])


# -- rewards ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 1e308, -1e301])
def test_reward_that_is_no_number_is_refused(wrong):
    text = fault(reward=[1.0, wrong, 0.0, 0.0, 0.0])
    assert text.startswith(
        f"state 'young', action 'wait', next state 'old': found reward {wrong!r}, expected a finite number up to 1e+300"
    )
    text = fault(reward=None, r=[0.0, wrong, 0.0])
    way_out = ". If it marks an action that is unavailable, leave the action out."
    found = f"found expected reward {wrong!r}, expected a finite number up to 1e+300"
    assert text == f"state 'young', action 'cut': {found}{way_out if wrong == -math.inf else ''}"


def test_expected_reward_that_contradicts_the_outcomes_is_refused():
    assert (
        fault(r=[0.5, 3.5, 0.0])
        == "state 'young', action 'cut': r: found 3.5, expected Σ p r(s,a,s') of its outcomes"
    )
    assert "state 'young', action 'wait': r: found nan" in fault(r=[math.nan, 3.0, 0.0])
    assert MDP.from_rows(**rows(r=[0.5, 3.0, 0.0])).r.tolist() == [0.5, 3.0, 0.0]


# -- discount, horizon, start -------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [-0.1, 1.1, "3/2", "-1e-9", 2])
def test_discount_out_of_range_is_refused(gamma):
    assert fault(gamma=gamma).startswith("gamma: found ")
    assert fault(gamma=gamma).endswith(", expected a number from 0 to 1")


@pytest.mark.parametrize(
    "gamma", [math.nan, math.inf, "0.9 ", "", "1_0", "٠.٩", "0x1", ".5", "5.", "1/0", None, True, [0.9]]
)
def test_text_that_is_no_discount_is_refused(gamma):
    assert fault(gamma=gamma).endswith(", expected a number from 0 to 1")


@pytest.mark.parametrize(
    ("gamma", "value"),
    [
        (0, 0),
        (1, 1),
        ("1", 1),
        ("9/10", Fraction(9, 10)),
        ("1e-1", Fraction(1, 10)),
        (Fraction(2, 3), Fraction(2, 3)),
    ],
)
def test_discount_is_the_rational_that_is_written(gamma, value):
    assert MDP.from_rows(**rows(gamma=gamma)).gamma_exact == value


@pytest.mark.parametrize("horizon", [0, -1, 1.5, math.nan, True, "3", 2**31])
def test_horizon_that_is_no_number_of_decisions_is_refused(horizon):
    assert fault(horizon=horizon).endswith(", expected a whole number of decisions, 1 to 2147483647")


def test_final_reward_needs_a_horizon_and_a_number_a_state():
    text = "final_reward: found with no horizon, expected both. Add a horizon."
    assert fault(final_reward=[0.0, 1.0]) == text
    assert fault(horizon=2, final_reward=[1.0]) == "final_reward: found length 1, expected 2"
    assert (
        fault(horizon=2, final_reward=[0.0, math.nan])
        == "state 'old': final_reward: found nan, expected a finite number"
    )


def test_problem_is_told_from_discount_and_horizon():
    mdp = MDP.from_rows(**rows())
    assert mdp.problem == "discounted"
    assert mdp.replace(gamma=1).problem == "total-reward"
    assert mdp.replace(gamma=1, horizon=3).problem == "finite-horizon"
    assert mdp.replace(gamma=1 - Fraction(1, 10**30)).problem == "discounted", "although the float is 1.0"


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (
            [1.0],
            "start: found 1 entries, expected a state, {state: probability} or one probability a state (2)",
        ),
        ([0.5, 0.4], "start: probabilities sum to 0.9, expected 1"),
        ([1.5, -0.5], "state 'old': start: found -0.5, expected a probability from 0 to 1"),
        ([math.nan, 1.0], "state 'young': start: found nan, expected a probability from 0 to 1"),
    ],
)
def test_start_that_is_no_distribution_is_refused(start, text):
    assert fault(start=start) == text


def test_start_in_a_terminal_state_is_refused():
    ends = {"pair_ptr": [0, 2, 2], "pair_action": [0, 1], "row_ptr": [0, 3, 4], "next_state": [0, 1, 1, 1],
            "prob": [0.5, 0.25, 0.25, 1.0], "reward": [0.0] * 4, "terminal": [False, True]}  # fmt: skip
    assert (
        fault(**ends, start=[0.5, 0.5])
        == "state 'old': start: found a terminal state, expected one with actions"
    )
    assert MDP.from_rows(**rows(**ends)).start.tolist() == [1.0, 0.0]


def test_layout_has_a_cell_for_each_state():
    assert MDP.from_rows(**rows(layout=Layout(1, 2))).layout == Layout(1, 2, np.array([0, 1]))
    for wrong in (
        Layout(1, 1),
        Layout(2, 2),
        Layout(1, 2, np.array([0, 2])),
        Layout(1, 2, np.array([0])),
        Layout(1, 2, np.array([-1, 0])),
    ):
        assert fault(layout=wrong).startswith("layout: ")
        with pytest.raises(ModelError, match="layout: "):
            MDP.from_rows(**rows()).replace(layout=wrong)
    what = "layout: found 2 x 2 = 4 cells for 2 states, expected as many, or `cell`, which says where"
    assert fault(layout=Layout(2, 2)).startswith(what)


@pytest.mark.parametrize(
    "start",
    [1, np.int64(1), "old", {"old": 1}, {1: "1"}, {np.int32(1): 1.0}, [0, 1], (0.0, 1.0), np.array([0, 1])],
)
def test_start_is_a_state_or_a_distribution_everywhere(start):
    """By name, index, dictionary or array; in every way to make a model, and in replace."""
    outcomes = [("young", "wait", "old", 1, 0), ("old", "wait", "young", 1, 0)]
    P, R, states = [[[0, 1]], [[1, 0]]], [[0], [0]], ["young", "old"]
    for mdp in (
        MDP.from_rows(**rows(start=start)),
        MDP(P, R, 0.5, states=states, start=start),
        MDP.from_outcomes(outcomes, 0.5, start=start),
        MDP.from_outcomes(outcomes, 0.5).replace(start=start),
        MDP.from_rows(**rows()).replace(start=start),
    ):
        assert mdp.start.tolist() == [0, 1]
        assert mdp.start_given
        assert mdp.exact is None or mdp.exact.start[1] == 1


@pytest.mark.parametrize(
    ("start", "text"),
    [
        ("odl", "start: found 'odl', expected the name or index of a state; did you mean 'old'?"),
        (2, "start: found '2', expected the name or index of a state"),
        (-1, "start: found '-1', expected the name or index of a state"),
        (True, "start: found True, expected a state, {state: probability} or one probability a state"),
        ({"old": 0.5, 1: 0.5}, "start: found state 'old' twice, expected once"),
        ({"old": "x"}, "start: found 'x', expected a probability from 0 to 1"),
        ({"old": "1/3"}, "start: probabilities sum to 0.3333333333333333, expected 1"),
        ({"old"}, "start: found a set, expected a state, {state: probability} or one probability a state"),
        (["young", "old"], "start: found 'young', expected a probability from 0 to 1"),
        (1.0, "start: found 1.0, expected a state, {state: probability} or one probability a state"),
        (np.eye(2), "start: found shape (2, 2), expected (2,)"),
    ],
)
def test_start_that_names_no_state_or_distribution_is_refused(start, text):
    assert fault(start=start) == text
    with pytest.raises(ModelError) as caught:
        MDP.from_rows(**rows()).replace(start=start)
    assert str(caught.value) == text


def test_number_that_is_a_name_and_another_states_index_is_refused():
    """States named "1" and "0": which is 1? Of a list of outcomes numbers are the names themselves."""
    text = "start: found 1, the name of state number 0 and the number of state '0'. Give the name as a text: '1' or '0'"
    assert fault(states=["1", "0"], start=1) == text
    assert fault(states=["1", "0"], start={1: 1}) == text
    assert MDP.from_rows(**rows(states=["1", "0"], start="1")).start.tolist() == [1, 0]
    mdp = MDP.from_outcomes([(1, "go", 0, 1, 0), (0, "go", 1, 1, 0)], 0.5, start=1)
    assert mdp.start.tolist() == [1, 0]
    assert mdp.states[0] == "1"


def test_exact_start_stays_exact():
    """1/3 given as text or fraction is one third where the model is exact; a float is its dyadic over the sum."""
    mdp = MDP.from_outcomes([("a", "go", "b", 1, 0), ("b", "go", "a", 1, 0)], 0.5)
    for start in ({"a": "1/3", "b": "2/3"}, [Fraction(1, 3), Fraction(2, 3)]):
        assert list(mdp.replace(start=start).exact.start) == [Fraction(1, 3), Fraction(2, 3)]
    third = 1 / 3
    total = Fraction(third) + Fraction(1 - third)
    assert mdp.replace(start=[third, 1 - third]).exact.start[0] == Fraction(third) / total
    assert mdp.replace(start=None).exact.start is None


# -- other rewards, the same rows ---------------------------------------------------------------------------------


def test_r_alone_drops_the_rewards_of_outcomes_and_sampling_says_so():
    mdp = MDP.from_rows(**rows())
    other = mdp.replace(r=[1, 2.5, 3])
    assert other.r.tolist() == [1, 2.5, 3]
    assert other.reward is None
    assert mdp.reward is not None
    for field in ("pair_ptr", "pair_action", "row_ptr", "next_state", "prob"):
        assert getattr(other, field) is getattr(mdp, field)
    assert other == MDP.from_rows(**rows(reward=None, r=[1, 2.5, 3]))
    assert other.facts.r_error == 0
    note = (
        "rewards are r(s, a): replace(r=...) dropped those of the outcomes, and samples do not vary by them"
    )
    policy = Policy.uniform(other)
    assert simulate(other, policy, episodes=2).note == note
    assert note in str(other)
    assert learn(other, "q-learning", steps=1).note == note
    again = other.replace(r=[0, 0, 0])
    assert again.averaged
    assert not again.replace(reward=[0.0] * 5).averaged
    plain = MDP.from_rows(**rows(reward=None, r=[1, 2.5, 3])).replace(r=[0, 0, 0])
    assert not plain.averaged
    assert simulate(mdp, Policy.uniform(mdp), episodes=2).note == ""


def test_reward_alone_computes_r_again():
    """r(young, wait) = 4/2 + 8/4 + 0/4."""
    mdp = MDP.from_rows(**rows()).replace(reward=[4, 8, 0, 1, -1])
    assert mdp.r.tolist() == [4, 1, -1]
    assert mdp.reward.tolist() == [4, 8, 0, 1, -1]
    assert mdp == MDP.from_rows(**rows(reward=[4, 8, 0, 1, -1]))
    assert mdp.facts.largest_reward == 8
    assert solve(mdp, tolerance=1e-9)["old"] == pytest.approx(-10)


def test_r_and_reward_must_agree():
    mdp = MDP.from_rows(**rows())
    assert mdp.replace(reward=[4, 8, 0, 1, -1], r=[4, 1, -1]).r.tolist() == [4, 1, -1]
    with pytest.raises(ModelError) as caught:
        mdp.replace(reward=[4, 8, 0, 1, -1], r=[4, 1.5, -1])
    text = "state 'young', action 'cut': r: found 1.5, expected 1.0, the mean of the rewards of its outcomes"
    assert str(caught.value) == text
    exact = MDP.from_outcomes([("a", "go", "a", "1/3", 1), ("a", "go", "a", "2/3", 0)], "1/2")
    with pytest.raises(ModelError, match=r"state 'a', action 'go': r: found 0\.5, expected 0\.33"):
        exact.replace(reward=[1, 0], r=[0.5])
    assert exact.replace(reward=[1, 0], r=[1 / 3]) == exact, "a float that is near stands for the fraction"


def test_exact_numbers_follow_the_rewards():
    mdp = MDP.from_outcomes([("a", "go", "a", "1/3", 1), ("a", "go", "a", "2/3", 0)], "1/2")
    by_pair = mdp.replace(r=["1/7"])
    assert list(by_pair.exact.r) == [Fraction(1, 7)]
    assert by_pair.exact.reward is None
    assert solve(by_pair, method="rational").exact[0] == Fraction(2, 7)
    by_outcome = mdp.replace(reward=[Fraction(1, 7), "1/2"])
    assert by_outcome.rational(0)[1] == Fraction(1, 21) + Fraction(1, 3)
    assert mdp.replace(r=[0.1]).exact.r[0] == Fraction(0.1)
    assert mdp.replace(reward=None).exact.r[0] == Fraction(1, 3), "what the rewards were on average"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"r": [1, 2]}, "r: found 2 numbers, expected 3"),
        ({"reward": [1] * 4}, "reward: found 4 numbers, expected 5"),
        ({"r": None}, "r: found None, expected 3 numbers, one a pair of state and action"),
        ({"r": 5}, "r: found 5, expected 3 numbers"),
        ({"r": {"a": 1}}, "r: found a dictionary, expected 3 numbers"),
        ({"r": ["x", 1, 2]}, "r: found 'x' at position 0, expected a number"),
        ({"r": [1, math.nan, 2]}, "r: found nan at position 1, expected a finite number up to 1e+300"),
        (
            {"reward": np.array([1, 2, 3, 4, np.inf])},
            "reward: found inf at position 4, expected a finite number up to",
        ),
    ],
)
def test_rewards_that_do_not_fit_are_refused(changes, text):
    for mdp in (MDP.from_rows(**rows()), MDP.from_rows(**rows(reward=None, r=[0, 0, 0]))):
        with pytest.raises(ModelError) as caught:
            mdp.replace(**changes)
        assert str(caught.value).startswith(text)


def test_model_without_a_horizon_again_is_the_model_built_afresh():
    mdp = MDP.from_outcomes([("a", "go", "a", 1, 0)], "1/2", horizon=2, final_reward=[3])
    plain = MDP.from_outcomes([("a", "go", "a", 1, 0)], "1/2")
    assert mdp.replace(horizon=None) == plain
    assert mdp.replace(horizon=None).exact.final_reward is None
    again = plain.replace(horizon=2, final_reward={"a": "1/3"})
    assert again.exact.final_reward[0] == Fraction(1, 3)
    assert again.final_reward.tolist() == [1 / 3]
    with pytest.raises(ModelError, match="final_reward: found with no horizon, expected both"):
        mdp.replace(horizon=None, final_reward=[1])


# -- nothing can change it ----------------------------------------------------------------------------------------


def test_model_is_frozen():
    mdp = MDP.from_rows(**rows())
    with pytest.raises(AttributeError, match=r"a model is frozen: use mdp.replace\(gamma=...\)"):
        mdp.gamma = 0.5
    with pytest.raises(AttributeError):
        del mdp.gamma
    for field in ARRAYS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(mdp, field)[0] = 0


def test_arrays_of_the_caller_stay_his_own():
    prob = np.array([0.5, 0.25, 0.25, 1.0, 1.0])
    mdp = MDP.from_rows(**rows(prob=prob))
    prob[:] = 0
    assert mdp.prob.tolist() == [0.5, 0.25, 0.25, 1.0, 1.0]


def test_replace_shares_arrays_and_changes_only_what_it_is_told():
    mdp = MDP.from_rows(**rows())
    other = mdp.replace(gamma="1/2", sense="min", name="new", start=[1.0, 0.0])
    assert np.shares_memory(other.prob, mdp.prob)
    assert other.r is mdp.r
    assert (other.gamma, other.gamma_exact, other.sense, other.sign, other.name) == (
        0.5,
        Fraction(1, 2),
        "min",
        -1.0,
        "new",
    )
    assert other.start.tolist() == [1.0, 0.0]
    assert other.start_given
    assert (mdp.gamma, mdp.sense, mdp.start_given) == (0.9, "max", False)
    timed = mdp.replace(horizon=3, final_reward=[1.0, 2.0])
    assert timed.horizon == 3
    assert timed.replace(horizon=None).final_reward is None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"prob": [1.0]}, "replace: found 'prob', expected some of gamma, horizon"),
        ({"gama": 1}, "replace: found 'gama'; did you mean 'gamma'?"),
        ({"gamma": 2}, "gamma: found 2"),
        ({"sense": "most"}, "sense: found 'most'"),
        ({"final_reward": [0.0, 0.0]}, "final_reward: found with no horizon"),
        ({"horizon": 2, "final_reward": [0.0]}, "final_reward: found 1 numbers, expected 2"),
        (
            {"horizon": 2, "final_reward": [0.0, math.inf]},
            "final_reward: found inf at position 1, expected a finite",
        ),
        ({"start": [0.0, 0.5]}, "start: probabilities sum to 0.5"),
    ],
)
def test_replace_refuses_what_does_not_fit(changes, text):
    with pytest.raises(ModelError) as caught:
        MDP.from_rows(**rows()).replace(**changes)
    assert str(caught.value).startswith(text)


def test_digest_changes_with_everything_that_the_answer_depends_on():
    mdp = MDP.from_rows(**rows())
    variants = [
        mdp,
        mdp.replace(gamma=0.8),
        mdp.replace(gamma="9/10"),
        mdp.replace(sense="min"),
        mdp.replace(horizon=3),
        mdp.replace(horizon=3, final_reward=[0.0, 1.0]),
        mdp.replace(start=[1.0, 0.0]),
        MDP.from_rows(**rows(prob=[0.5, 0.125, 0.375, 1.0, 1.0])),
        MDP.from_rows(**rows(reward=[1.0, 2.0, -2.0, 3.0, 1.0])),
        MDP.from_rows(**rows(next_state=[0, 1, 0, 1, 1])),
        MDP.from_rows(**rows(states=["young", "elder"])),
        MDP.from_rows(**rows(actions=["wait", "fell"])),
        MDP.from_rows(**rows(reward=None, r=[0.5, 3.0, 0.0])),
    ]
    assert len({m.digest for m in variants}) == len(variants)
    assert MDP.from_rows(**rows()).digest == mdp.digest == mdp.replace(name="other").digest


def test_equal_models_are_equal_in_every_part():
    mdp = MDP.from_rows(**rows())
    assert mdp == MDP.from_rows(**rows())
    assert hash(mdp) == hash(MDP.from_rows(**rows()))
    assert mdp != mdp.replace(name="x")
    assert mdp != mdp.replace(gamma=0.5)
    assert mdp != 3
    assert mdp != mdp.replace(layout=Layout(1, 2))


def test_pickle_keeps_everything():
    for mdp in random_models():
        again = pickle.loads(pickle.dumps(mdp))
        assert again == mdp
        assert again.facts == mdp.facts
        assert not again.prob.flags.writeable
        assert again.exact == mdp.exact


def test_repr_and_str_say_what_it_is():
    mdp = MDP.from_rows(**rows(name="forest", source="Puterman", sense="min", horizon=3))
    assert repr(mdp) == (
        "MDP('forest', states=2, actions=2, pairs=3, outcomes=5, gamma=0.9, horizon=3, sense='min')"
    )
    assert str(mdp).splitlines()[:3] == [
        "forest",
        "  finite horizon, 3 decisions, γ = 0.9; costs are minimised",
        "  2 states (0 terminal), 2 actions, 3 pairs, 5 outcomes",
    ]


# -- large models -------------------------------------------------------------------------------------------------


def test_more_outcomes_than_an_int32_counts(tmp_path):
    """2**31 + 8 outcomes in sparse files: pointers are 64-bit, and a kernel reaches the last row."""
    K = 2**31 + 8
    files = {}
    for field, dtype in (("next_state", np.int32), ("prob", np.float64)):
        path = tmp_path / field
        with open(path, "wb") as file:
            file.truncate(K * np.dtype(dtype).itemsize)
        files[field] = np.memmap(path, dtype=dtype, mode="r+")
    files["next_state"][-8:] = [0, 0, 0, 0, 1, 1, 1, 1]
    files["prob"][-8:] = 1 / 8
    mdp = MDP.from_rows(
        pair_ptr=[0, 2, 3], pair_action=[0, 1, 0], row_ptr=[0, 2**30, 2**31, K], r=[0.0, 0.0, 1.0], gamma=0.5,
        start=[0.5, 0.5], copy=False, lazy=lambda mdp: contextlib.nullcontext(), **files,
    )  # fmt: skip
    assert mdp.K == K
    assert mdp.row_ptr.dtype == np.int64
    assert mdp.pair_ptr.dtype == np.int32
    assert np.shares_memory(mdp.prob, files["prob"]), "mapped, not copied"
    from tabular_rl.kernels.bellman import chosen_backup

    out, span = np.zeros(2), np.array([math.inf, -math.inf])
    chosen_backup(
        (mdp.row_ptr, mdp.next_state, mdp.prob, mdp.r, 0.5, 1.0, ()), np.array([0, 2], dtype=np.int32),
        np.array([8.0, 16.0]), 1, 2, 1, span, out,
    )  # fmt: skip
    assert out[1] == 1 + 0.5 * 12


def test_lazy_model_is_validated_when_it_is_first_used():
    seen = []

    @contextlib.contextmanager
    def lazy(mdp):
        seen.append("before")
        yield
        seen.append("after")

    more = {"reward": None, "start": [0.5, 0.5], "lazy": lazy}
    mdp = MDP.from_rows(**rows(prob=[0.5, 0.25, 0.0, 1.0, 1.0], r=[0.0, 0.0, 0.0], **more))
    assert seen == []
    with pytest.raises(ModelError, match=r"probabilities sum to 0\.75"):
        mdp.validate()
    seen.clear()
    good = MDP.from_rows(**rows(r=[0.5, 3.0, 0.0], **more))
    assert good.facts is good.facts
    assert good.facts.longest_row == 3
    assert seen == ["before", "after"], "one pass"


def test_blocks_of_states_do_not_cut_a_row(monkeypatch):
    monkeypatch.setattr("tabular_rl.solving.sweeps.OUTCOMES_OF_A_BLOCK", 4)
    mdp = random_model(2, S=9)
    sweeper = Sweeper(mdp)
    assert len(sweeper.blocks) > 2
    assert [a for a, _ in sweeper.blocks] == [0, *(b for _, b in sweeper.blocks[:-1])]
    assert sweeper.blocks[-1][1] == mdp.S
    assert Policy.uniform(mdp).probs.sum() == pytest.approx((~mdp.terminal).sum())


def test_digest_tells_one_third_from_its_nearest_float():
    exact = MDP.from_outcomes([("a", "go", "a", "1/3", 1), ("a", "go", "b", "2/3", 0)], "1/2", terminal=["b"])
    floats = MDP.from_outcomes(
        [("a", "go", "a", 1 / 3, 1), ("a", "go", "b", 2 / 3, 0)], "1/2", terminal=["b"]
    )
    assert exact.prob.tolist() == floats.prob.tolist()
    assert exact.digest != floats.digest


def test_exact_numbers_that_are_not_those_of_the_floats_are_refused():
    exact = MDP.from_outcomes([("a", "go", "a", 1, 7)], "1/2").exact
    with pytest.raises(ModelError, match="exact reward"):
        MDP.from_rows(**rows_of_one(reward=[1.0]), exact=exact)


def rows_of_one(reward):
    return {"pair_ptr": [0, 1], "pair_action": [0], "row_ptr": [0, 1], "next_state": [0], "prob": [1.0],
            "reward": reward, "gamma": 0.5}  # fmt: skip


def test_two_states_in_one_cell_are_refused():
    with pytest.raises(ModelError, match="two states in one cell"):
        MDP([[[1.0, 0.0]], [[0.0, 1.0]]], [[0.0], [0.0]], 0.5, layout=Layout(1, 2, np.array([0, 0])))
