"""Lists of outcomes are read column by column: arrays, exact numbers and messages are those of reading line by line."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from tabular_rl import MDP, ModelError
from tabular_rl.model import outcomes as by_lines

FIELDS = (
    "pair_ptr",
    "pair_action",
    "row_ptr",
    "next_state",
    "prob",
    "reward",
    "r",
    "terminal",
    "start",
    "final_reward",
)


def left(outcomes, gamma, **more):
    """All that a list of outcomes makes, to the bit, or what is said of it."""
    try:
        mdp = MDP.from_outcomes(outcomes, gamma, **more)
    except ModelError as error:
        return str(error)
    arrays = {name: getattr(mdp, name) for name in FIELDS}
    exact = mdp.exact and {
        name: None if x is None else (x.num.dtype, x.den.dtype, x.num.tolist(), x.den.tolist())
        for name, x in vars(mdp.exact).items()
    }
    fields = {name: None if x is None else (x.dtype, x.tobytes()) for name, x in arrays.items()}
    return (
        fields,
        exact,
        tuple(mdp.states),
        tuple(mdp.actions),
        mdp.start_given,
        repr(mdp.facts),
        mdp.horizon,
        mdp.name,
    )


def both(outcomes, gamma="9/10", **more):
    """What is left, which must be what is left of reading line by line."""
    found = left(outcomes, gamma, **more)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_lines, "read_columns", lambda *_: None)
        assert left(outcomes, gamma, **more) == found
    return found


def by_columns(outcomes, gamma="9/10", **more):
    """The same, where nothing may be read line by line."""

    def lines(*_):
        raise AssertionError("read line by line")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_lines, "_lines", lines)
        left(outcomes, gamma, **more)
    found = both(outcomes, gamma, **more)
    assert not isinstance(found, str), found
    return found


HALVES = {
    "whole": (1, 0),
    "numpy": (np.int64(1), np.int8(0)),
    "texts": ("1/3", "2/3"),
    "decimals": ("0.1", "0.9"),
    "fractions": (Fraction(1, 7), Fraction(6, 7)),
    "mixed": (Decimal("0.25"), "3/4"),
    "huge": (Fraction(1, 10**40), Fraction(10**40 - 1, 10**40)),
    "floats": (0.1, 0.9),
    "float64": (np.float64(0.3), np.float64(0.7)),
    "floats and whole": (1.0, 0),
}
NAMES = {
    "texts": (["a", "b", "c"], ["go", "stay"]),
    "whole": ([10, 0, 7], [1, 0]),
    "in order": ([0, 1, 2], [0, 1]),
    "floats": ([0.0, 1.5, -0.0 + 2], [1.0, 2.0]),
    "numpy": ([np.int32(3), np.int64(1), np.str_("x")], [np.uint8(1), np.uint8(0)]),
    "mixed": ([1, "2", 3.0], ["1", 2]),
}


def made(names, p, seed, rewards=(0, 1, -2)):
    """Two outcomes of some pairs of states and actions, the pairs in any order, their outcomes in any."""
    rng = np.random.default_rng(seed)
    states, actions = NAMES[names]
    pairs = [
        pair for pair in itertools.product(states, actions) if rng.random() < 0.7 or pair[1] == actions[0]
    ]
    listed = [
        (s, a, states[rng.integers(3)], p[k], rewards[rng.integers(len(rewards))])
        for s, a in pairs
        for k in (0, 1)
    ]
    return [listed[i] for i in rng.permutation(len(listed))] if seed % 2 else listed


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("numbers", HALVES)
def test_names_and_numbers_of_all_kinds(names, numbers):
    kinds = (0, 1, -2), ("1/3", "-0.5"), (0.5, -0.0), (2.5, 3), (Fraction(1, 3), 2**70)
    for k, rewards in enumerate(kinds):
        for seed in (2 * k, 2 * k + 1):  # other pairs for each kind
            listed = made(names, HALVES[numbers], seed, rewards)
            by_columns(listed)
            by_columns([list(outcome) for outcome in listed], normalize=True)


def test_forms_of_a_list():
    listed = made("in order", HALVES["floats"], 1, (0.5, 1.0))
    expected = by_columns(listed)
    assert by_columns(tuple(listed)) == by_columns(np.array(listed)) == expected
    assert left(iter(listed), "9/10") == left((x for x in listed), "9/10") == expected
    whole = [(0, 0, 1, 1, 5), (1, 0, 0, 1, -5)]
    assert by_columns(np.array(whole)) == by_columns(whole)
    assert by_columns(np.array(whole, dtype=float))[1] is None


def test_start_end_names_and_options():
    listed = [("a", "go", "b", "1/2", 1), ("a", "go", "end", "1/2", 0), ("b", "go", "b", 1, 2)]
    for more in (
        {"start": "a"},
        {"start": {"a": "1/3", "b": "2/3"}},
        {"start": [1, 0, 0]},
        {"states": ["end", "b", "a"], "actions": ["x", "go"]},
        {"horizon": 3, "final_reward": {"a": "1/3"}},
        {"horizon": 3, "final_reward": [1, 2, 0], "sense": "min", "name": "m"},
        {"normalize": True, "source": "here"},
    ):
        by_columns(listed, terminal=["end"], **more)
        floats = [(*outcome[:3], float(Fraction(outcome[3])), outcome[4]) for outcome in listed]
        if more.get("start") != {"a": "1/3", "b": "2/3"}:
            by_columns(floats, terminal=["end"], **more)
    for more in ({"start": "x"}, {"start": {"a": 2}}, {"final_reward": [1], "horizon": 2}, {"states": ["a"]}):
        assert isinstance(both(listed, terminal=["end"], **more), str)
    assert isinstance(both(listed, terminal=["x"]), str)
    assert isinstance(both(listed, terminal=["b", "end"]), str)
    assert isinstance(both(listed), str)


GOOD = [("a", "go", "a", "1/2", 1), ("a", "go", "b", "1/2", 0), ("b", "go", "a", 1, -1)]
WRONG = [
    None, True, math.nan, math.inf, "x", "", [], "1e-400", "1/0", 2, -1, 1.5, "3/2", 10**301, 10**400, Fraction(-1, 2),
    Decimal("NaN"), Decimal("Infinity"), np.bool_(True), np.float32(0.5), 1e301, "1e300", object, b"a", 1 + 2.0**-45,
]  # fmt: skip


@pytest.mark.parametrize("column", range(5))
@pytest.mark.parametrize("wrong", range(len(WRONG)))
def test_whatever_stands_in_a_column_is_told_alike(column, wrong):
    outcome = list(GOOD[2])
    outcome[column] = WRONG[wrong]
    for listed in ([*GOOD[:2], tuple(outcome)], [tuple(outcome), *GOOD[:2]], [*GOOD, tuple(outcome)]):
        both(listed)
        both(listed, normalize=True)
        both([(*x[:3], 0.5 if x[3] == "1/2" else x[3], x[4]) for x in listed])


def test_rows_whose_sums_are_off_are_told_alike():
    for p in (
        "1/3",
        "0.333",
        Fraction(1, 10**30),
        0.33,
        0.5 + 2.0**-51,
        0.5 - 2.0**-53,
        0.5 - 2.0**-52,
        0.0,
        1e-17,
    ):
        listed = [("a", "go", "a", p, 1), ("a", "go", "b", p, 0), ("b", "go", "a", 1, -1)]
        both(listed)
        both(listed, normalize=True)
    rng = np.random.default_rng(3)
    for _ in range(200):
        p = rng.random(3)
        p /= p.sum() * (1 + 2.0**-52 * rng.integers(-4, 5))
        both([("a", "go", "a", x, 1) for x in p.tolist()])


def test_other_lists_are_told_alike():
    for listed in (
        [],
        [()],
        [("a",)],
        [GOOD[0], ("a", "go")],
        ["abcde"],
        "abcde",
        7,
        None,
        {},
        [GOOD[0], 5],
        np.eye(3),
    ):
        both(listed)


def test_equal_entries_that_have_different_names_are_not_mixed_up():
    """1, 1.0 and "1" are one name; True is another, and so is the text of a float32."""
    assert by_columns([(1, "x", 1.0, 1, 0), ("1", "y", 1, 1, 0)])[2] == ("1",)
    assert both([(1, "x", 1, 1, 0), (True, "x", True, 1, 0)])[2] == ("1", "True")
    near = float(np.float32(0.1))
    assert both([(near, "x", near, 1, 0), (np.float32(0.1), "x", np.float32(0.1), 1, 0)])[2] == (
        str(near),
        "0.1",
    )


def test_negative_zero_keeps_its_sign():
    fields = by_columns([("a", "x", "a", 1.0, -0.0), ("b", "x", "b", 1.0, 0.0)])[0]
    assert np.signbit(np.frombuffer(fields["reward"][1])).tolist() == [True, False]
