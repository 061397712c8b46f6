"""Lists of outcomes: names in, exact rationals kept, every fault with its state and action."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tabular_rl import MDP, ModelError
from tabular_rl.errors import TabularError
from tabular_rl.model.build import Row, arrays_of_rows
from tabular_rl.model.names import Names

GOOD = [
    ("a", "go", "b", "1/3", 1),
    ("a", "go", "a", "2/3", "0.1"),
    ("b", "go", "a", 1, 0),
    ("b", "stay", "b", 1, -1),
]


def fault(outcomes, gamma="9/10", **more):
    with pytest.raises(ModelError) as caught:
        MDP.from_outcomes(outcomes, gamma, **more)
    return str(caught.value)


def test_names_come_in_order_of_appearance():
    mdp = MDP.from_outcomes([*GOOD, ("c", "jump", "end", 1, 0)], "9/10", terminal=["end"])
    assert list(mdp.states) == ["a", "b", "c", "end"]
    assert list(mdp.actions) == ["go", "stay", "jump"]
    told = MDP.from_outcomes(GOOD, "9/10", states=["b", "a"], actions=["stay", "go"])
    assert list(told.states) == ["b", "a"]
    assert told.pair_action.tolist() == [0, 1, 1]


def test_outcomes_in_any_order_are_one_model():
    first = MDP.from_outcomes(GOOD, "9/10", states=["a", "b"], actions=["go", "stay"])
    turned = [GOOD[2], GOOD[3], GOOD[0], GOOD[1]]
    assert MDP.from_outcomes(turned, "9/10", states=["a", "b"], actions=["go", "stay"]) == first


def test_texts_integers_and_fractions_are_exact():
    mdp = MDP.from_outcomes(GOOD, "9/10")
    assert list(mdp.exact.prob) == [Fraction(1, 3), Fraction(2, 3), 1, 1]
    assert mdp.rational(0)[1] == Fraction(1, 3) + Fraction(2, 3) * Fraction(1, 10)


def test_one_float_makes_all_numbers_floats():
    mdp = MDP.from_outcomes([("a", "go", "a", 0.5, 1), ("a", "go", "a", Fraction(1, 2), 1)], "9/10")
    assert mdp.exact is None
    assert mdp.prob.tolist() == [0.5, 0.5]
    assert MDP.from_outcomes([("a", "go", "a", np.float64(1), 1)], 0.5).exact is None


def test_names_may_be_any_text_or_number():
    names = ["0", "01", "1e0", "nan", "true", "-", "a b", "é", 7]
    mdp = MDP.from_outcomes([(s, "x", s, 1, 0) for s in names], "1/2")
    assert list(mdp.states) == [str(s) for s in names]


def test_start_by_name_by_weights_and_by_list():
    for start in ("b", {"b": 1}, [0, 1], {"b": "1"}):
        mdp = MDP.from_outcomes(GOOD, "9/10", start=start)
        assert mdp.start.tolist() == [0, 1]
        assert mdp.start_given
    mdp = MDP.from_outcomes(GOOD, "9/10", start={"a": "1/3", "b": "2/3"})
    assert list(mdp.exact.start) == [Fraction(1, 3), Fraction(2, 3)]
    assert "no such" in fault(GOOD, start="c") or "'c'" in fault(GOOD, start="c")


def test_ten_tenths_as_text_sum_to_one():
    assert (
        MDP.from_outcomes([("a", "x", "a", "0.1", 0)] * 10, "1/2").rational(0)[0]
        == [(0, Fraction(1, 10))] * 10
    )


@pytest.mark.parametrize(
    ("prob", "text"),
    [
        (["0.5", "0.499"], "probabilities sum to 999/1000, expected 1 (1/1000 missing)."),
        (["0.5", "0.4"], "probabilities sum to 9/10, expected 1 (1/10 missing)."),
        (["0.6", "0.5"], "probabilities sum to 11/10, expected 1 (1/10 too much)."),
        (["0.9", "0.9"], "probabilities sum to 9/5, expected 1 (4/5 too much)."),
        (["0"], "probabilities sum to 0, expected 1 (1 missing)."),
    ],
)
def test_exact_row_that_does_not_sum_to_one_is_refused(prob, text):
    outcomes = [("young", "wait", "young", p, 0) for p in prob]
    assert (
        fault(outcomes)
        == f"state 'young', action 'wait': {text} Fix the row, or load with normalize=True to rescale it."
    )


def test_rounded_thirds_are_told_how_to_write_a_third():
    text = fault([("a", "x", "a", "0.3333333333333333", 0)] * 3)
    assert "probabilities sum to 9999999999999999/10000000000000000" in text
    assert 'write "1/3" for one third, say numbers = "float64", or load with normalize=True' in text
    for digits, sum_text, missing in (("0.333", "999/1000", "1/1000"), ("0.33", "99/100", "1/100")):
        assert fault([("a", "x", "a", digits, 0)] * 3) == (
            f"state 'a', action 'x': probabilities sum to {sum_text}, expected 1 ({missing} missing). These look like "
            'rounded fractions: write "1/3", or load with normalize=True.'
        )
    sixths = fault([("a", "x", "a", "0.17", 0), ("a", "x", "b", "0.83", 0), ("b", "x", "b", "0.01", 0)])
    assert "write" not in sixths.splitlines()[0]  # 0.17 + 0.83 is 1
    text = fault([("a", "x", "a", "0.167", 0), ("a", "x", "b", "0.834", 0), ("b", "x", "b", 1, 0)])
    assert "1001/1000" in text
    assert 'write "1/6"' in text


def test_normalize_keeps_exact_numbers_exact():
    mdp = MDP.from_outcomes([("a", "x", "a", "0.333", 0)] * 3, "1/2", normalize=True)
    assert list(mdp.exact.prob) == [Fraction(1, 3)] * 3
    assert mdp.facts.correction == pytest.approx(1 / 3 - 0.333)


@pytest.mark.parametrize(
    "wrong",
    ["1/0", "1/-3", "1 / 3", "1/3/1", "1_000", "0x10", "1e", ".5", "5.", "+0.5", "1,5", "", "nan", "1e9999"],
)
def test_text_that_spells_no_number_is_refused(wrong):
    assert fault([("a", "x", "b", wrong, 0)], terminal=["b"]) == (
        f"state 'a', action 'x', next state 'b': found probability '{wrong}', expected a number"
    )
    assert "found reward" in fault([("a", "x", "b", 1, wrong)], terminal=["b"])


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [
        ("3/2", "3/2"),
        ("-1e-17", "-1e-17"),
        ("-0.1", "-0.1"),
        (-0.1, "-0.1"),
        (math.nan, "nan"),
        (math.inf, "inf"),
    ],
)
def test_number_that_is_no_probability_is_refused(wrong, shown):
    text = fault([("a", "x", "b", wrong, 0)], terminal=["b"])
    assert (
        f"state 'a', action 'x', next state 'b': found probability {shown}, expected a number from 0 to 1"
        in text
    )


@pytest.mark.parametrize("wrong", [math.nan, math.inf, 1e308, "1e301", True, None, [1]])
def test_reward_that_is_no_number_is_refused(wrong):
    assert "state 'a', action 'x', next state 'b': found reward" in fault(
        [("a", "x", "b", 1, wrong)], terminal=["b"]
    )


def test_unknown_state_names_the_closest():
    text = fault([("young", "wait", "yuong", 1, 0)])
    assert text.startswith(
        "state 'yuong': found no actions for it and no declaration, expected one; did you mean 'young'?"
    )
    assert fault([("a", "sell", "sold", 1, 0)]) == (
        "state 'sold': found no actions for it and no declaration, expected one. "
        "Declare it terminal, or give it actions."
    )
    assert fault([("a", "fly", "a", 1, 0)], actions=["fl", "walk"]).startswith(
        "action 'fly': not among the actions"
    )


def test_state_without_actions_is_refused():
    text = fault([("a", "x", "a", 1, 0)], states=["a", "b"])
    assert text == "state 'b': has no actions, expected some. Declare it terminal, or give it one."


def test_action_of_a_terminal_state_is_refused():
    text = fault([("a", "x", "end", 1, 0), ("end", "x", "end", 1, 0)], terminal=["end"])
    assert text == (
        "state 'end', action 'x': found an action of a terminal state, expected none. "
        "Remove it, or the state from `terminal`."
    )
    for goal in (
        [("end", "x", "end", 1, 100)],
        [("end", "x", "end", "1/2", 0), ("end", "x", "a", "1/2", 100)],
    ):
        text = fault([("a", "x", "end", 1, 0), *goal], terminal=["end"])
        assert text.endswith("Its reward 100 is never collected: put it on the transitions into it.")


def test_outcome_of_the_wrong_length_is_refused():
    assert fault([("a", "x", "a", 1)]).startswith(
        "outcome 0: found 4 entries, expected 5: state, action, next state,"
    )


def test_nothing_at_all_is_refused():
    assert fault([]) == "no states: found 0, expected at least 1"


# -- rows with lines, as the readers of files give them -----------------------------------------------------------


def model(*rows, **more):
    return MDP.from_rows(**arrays_of_rows(*rows, **more))


def rows_fault(rows, **more):
    with pytest.raises(ModelError) as caught:
        model(rows, "1/2", Names(["a", "b"]), Names(["x", "y"]), **more)
    return str(caught.value.at("m.toml"))


HALF = Fraction(1, 2)


def test_faults_are_sorted_by_line_and_all_there():
    rows = [Row(0, 0, [(0, HALF, None)], line=9), Row(1, 1, [(0, Fraction(2), None)], line=4)]
    text = rows_fault(rows).splitlines()
    assert text[0].startswith(
        "m.toml:4: state 'b', action 'y', next state 'a': found probability 2, expected"
    )
    assert text[1].startswith("m.toml:9: state 'a', action 'x': probabilities sum to 1/2")


def test_row_given_twice_names_both_lines():
    row = [(1, Fraction(1), None)]
    text = rows_fault([Row(0, 0, row, line=3), Row(0, 0, row, line=8), Row(1, 0, row, line=9)])
    assert text == "m.toml:8: state 'a', action 'x': found twice, first on line 3, expected once"


def test_reward_of_pair_and_of_outcome_cannot_both_be_given():
    rows = [
        Row(0, 0, [(1, Fraction(1), HALF)], reward=HALF, line=3),
        Row(1, 0, [(1, Fraction(1), None)], line=5),
    ]
    assert (
        rows_fault(rows)
        == "m.toml:3: state 'a', action 'x': found a reward on the action and on its outcomes, expected one of them"
    )


def test_row_without_outcomes_is_refused():
    rows = [Row(0, 0, [], line=3), Row(1, 0, [(1, Fraction(1), None)], line=5)]
    assert (
        rows_fault(rows)
        == "m.toml:3: state 'a', action 'x': has no outcomes, expected probabilities that sum to 1"
    )


def test_rewards_by_pair_stay_by_pair():
    mdp = model(
        [Row(0, 0, [(1, HALF, None), (0, HALF, None)], reward=Fraction(1, 3)), Row(1, 0, [(1, Fraction(1), None)])],
        "1/2", Names(["a", "b"]), Names(["x"]),
    )  # fmt: skip
    assert mdp.reward is None
    assert list(mdp.exact.r) == [Fraction(1, 3), 0]
    assert mdp.r.tolist() == [1 / 3, 0]


ENV_P = {0: {0: [(1.0, 1, 0.0, True)]}, 1: {0: [(1.0, 1, 0.0, True)]}}  # as Gymnasium's env.P
WANTED = "(state, action, next state, probability, reward)"


class Frame:
    """What is used of a pandas DataFrame."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns

    def __getitem__(self, names):
        order = [list(self.columns).index(name) for name in names]
        return Frame([tuple(row[i] for i in order) for row in self.rows], names)

    def itertuples(self, index=True):
        return iter(self.rows)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            ENV_P,
            f"outcomes: found a dictionary, expected a list of {WANTED}. MDP.from_dictionary takes {{state: ",
        ),
        (None, f"outcomes: found None, expected a list of {WANTED}"),
        (7, f"outcomes: found 7, expected a list of {WANTED}"),
        ("abcde", f"outcomes: found 'abcde', expected a list of {WANTED}"),
        (
            ["abcde"],
            "outcome 0: found 'abcde', expected 5 entries: state, action, next state, probability, reward",
        ),
        ([1, 2], "outcome 0: found 1, expected 5 entries"),
        ({1, 2}, "outcome 0: found 1, expected 5 entries"),
        ([GOOD], "outcome 0: found 4 entries, expected 5"),
        ([None], "outcome 0: found None, expected 5 entries"),
        ([{"a": 1}], "outcome 0: found a dictionary, expected 5 entries"),
        ([{"a", "b", "c", 1, 2}], "outcome 0: found a set, expected 5 entries"),
        ([("a", "go", None, 1, 0)], "outcome 0: found None as the next state, expected its name"),
        ([(math.nan, "go", "a", 1, 0)], "outcome 0: found nan as the state, expected its name"),
        (
            [("a", "go", "a", None, 0)],
            "state 'a', action 'go', next state 'a': found probability 'None', expected a numb",
        ),
        (
            Frame([(1, 2)], ["state", "p"]),
            "outcomes: found a Frame with the columns state, p, expected the columns state,",
        ),
    ],
)
def test_what_is_no_list_of_outcomes_is_told_in_one_line(given, text):
    found = fault(given)
    assert found.startswith(text)
    assert "\n" not in found


@pytest.mark.parametrize(
    "given", [ENV_P, None, "abc", {1, 2}, [1, 2], [["a"]], [None], object(), [[[None]]], [[1], 2]]
)
def test_what_is_no_tensor_is_told_in_one_line(given):
    for P, R in ((given, [[1]]), ([[[1.0]]], given)):
        with pytest.raises(ModelError, match=r"^[PR]: found [^\n]*expected[^\n]*$"):
            MDP(P, R, 0.5)
    with pytest.raises(ModelError, match=r"^(start|state|P): [^\n]*$"):
        MDP([[[1.0]]], [[1.0]], 0.5, start=given or {})


@pytest.mark.parametrize("field", ["states", "actions"])
@pytest.mark.parametrize("names", ["ab", {"a", "b"}, 1.5])
def test_names_come_in_a_list(field, names):
    text = "names: found .*, expected a list of texts in their order"
    with pytest.raises(ModelError, match=text):
        MDP([[[1.0, 0.0]], [[0.0, 1.0]]], [0, 0], 0.5, **{field: names})
    with pytest.raises(ModelError, match=text):
        MDP.from_outcomes(GOOD, 0.5, **{field: names})


def test_option_that_a_constructor_does_not_have_is_told_in_one_line():
    P, R = [[[1.0]]], [[1.0]]
    for call, text in (
        (lambda: MDP(P, R, discount=0.5), "discount: MDP has no such option; did you mean 'gamma'?"),
        (
            lambda: MDP(P, R, 0.5, state_names=["a"]),
            "state_names: MDP has no such option; did you mean 'states'?",
        ),
        (lambda: MDP(P), "MDP: found no R and no gamma, expected P, R, gamma"),
        (
            lambda: MDP(P, R, 0.5, 0.5),
            "MDP: found 4 arguments by position, expected 3: P, R, gamma; others by name",
        ),
        (lambda: MDP.from_tensors(P, R, 0.5, beta=1), "beta: MDP has no such option"),
        (
            lambda: MDP.from_outcomes(GOOD, discount=0.5),
            "discount: MDP.from_outcomes has no such option; did you mean 'g",
        ),
        (
            lambda: MDP.from_outcomes(GOOD, 0.5, terminal_rewards="on entry"),
            "terminal_rewards: found with outcomes, which",
        ),
        (lambda: MDP.from_rows(prb=[1]), "prb: MDP.from_rows has no such option; did you mean 'prob'?"),
    ):
        with pytest.raises(TabularError) as caught:
            call()
        assert str(caught.value).startswith(text)
        assert "\n" not in str(caught.value)
        assert isinstance(caught.value, ValueError)


def test_frame_with_the_columns_of_a_csv_file_is_a_list_of_outcomes():
    columns = ["reward", "state", "action", "next_state", "probability"]
    frame = Frame([(o[4], *o[:4]) for o in GOOD], columns)
    assert MDP.from_outcomes(frame, "9/10") == MDP.from_outcomes(GOOD, "9/10")


def test_whole_numbers_are_one_name_whatever_their_type():
    """An array of floats holds states 0.0 and 1.0; they are the states 0 and 1."""
    rows = np.array([[0, 0, 1, 1, 5], [1, 0, 0, 1, 0]], dtype=float)
    mdp = MDP.from_outcomes(rows, 0.5)
    assert list(mdp.states) == ["0", "1"]
    assert list(mdp.actions) == ["0"]
    assert mdp.r.tolist() == [5, 0]
    assert mdp == MDP.from_outcomes([(0, 0, 1, 1.0, 5), (1.0, 0, 0, 1, 0)], 0.5)
    assert MDP.from_outcomes(rows[:1], 0.5, terminal=[1.0], start=0).terminal.tolist() == [False, True]


def test_terminal_states_of_outcomes_by_name_or_index():
    one = [("a", "go", "end", 1, 0)]
    for terminal in (["end"], "end", {"end"}, ("end",)):
        assert list(MDP.from_outcomes(one, 0.5, terminal=terminal).states) == ["a", "end"]
    listed = MDP.from_outcomes(one, 0.5, terminal=[1], states=["a", "end"])
    assert listed.terminal.tolist() == [False, True]
    assert fault(one, terminal=["edn"], states=["a", "end"]) == (
        "terminal: found 'edn', expected one of `states`; did you mean 'end'?"
    )
    assert fault(one, terminal=None) == "terminal: found None, expected a list of states"


def test_probability_that_underflows_is_refused_and_not_made_0():
    """With a float among the numbers all are floats, and 1e-400 would be 0: the goal would be out of reach."""
    chance = [("a", "try", "a", 1.0, 0), ("a", "try", "goal", "1e-400", 1)]
    text = "state 'a', action 'try', next state 'goal': found probability 1e-400, which underflows: its nearest float64"
    assert fault(chance, terminal=["goal"]).startswith(text)
    exact = [("a", "try", "a", 1 - Fraction(1, 10**400), 0), ("a", "try", "goal", "1e-400", 1)]
    assert MDP.from_outcomes(exact, 1, terminal=["goal"]).exact.prob[1] == Fraction(1, 10**400)
