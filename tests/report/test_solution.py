"""Answers as text, against values worked out by hand."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from shown import answer_text, model_table, values_table

import tabular_rl
from tabular_rl import MDP, Policy
from tabular_rl.certificates.total import _note
from tabular_rl.formats import load
from tabular_rl.report import layout
from tabular_rl.report.words import problem_text

# v_high = 2 + 0.9 (0.8 v_high + 0.2 v_low), v_low = 0.9 v_high: v_high = 2 / 0.118.
ROBOT = {"high": Fraction(2000, 118), "low": Fraction(1800, 118)}


@pytest.fixture(scope="module")
def robot():
    return tabular_rl.solve(load("example:recycling_robot"))


def rows_of(text):
    return {line.split()[0]: line.split()[1:] for line in text.splitlines()[1:]}


def test_shown_values_contain_the_truth(robot):
    rows = rows_of(values_table(robot))
    for state, truth in ROBOT.items():
        value, error = rows[state][:2]
        assert abs(Fraction(value) - truth) <= Fraction(error) < Fraction(1, 10**6)
    assert rows["high"][2:] == ["search"]
    assert rows["low"][2:] == ["recharge"]


def test_start_value_contains_the_truth(robot):
    line = next(line for line in answer_text(robot).splitlines() if line.startswith("start:"))
    value, error = re.search(r"value (\S+) ± (\S+)", line).groups()
    assert abs(Fraction(value) - ROBOT["high"]) <= Fraction(error)
    assert line.startswith("start: high;")


def test_start_that_is_not_given_is_said():
    assert "start: uniform over non-terminal states" in answer_text(tabular_rl.solve(load("example:forest")))


def test_costs_are_shown_in_the_users_sign():
    # Arad to Bucharest: 140 + 80 + 97 + 101 kilometres.
    answer = tabular_rl.solve(load("example:romania"))
    value, error, action = rows_of(values_table(answer))["Arad"]
    assert abs(Fraction(value) - 418) <= Fraction(error)
    assert action == "Sibiu"
    assert ", costs" in answer_text(answer)


def test_ties_that_floats_cannot_decide_are_marked():
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 1.0]], "9/10", actions=["left", "right"])
    text = answer_text(tabular_rl.solve(mdp))
    assert "left ≈ right" in text
    assert "undecided actions: 1 state (0)" in text


def test_proven_ties_are_marked_by_an_equals_sign():
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 1.0]], "9/10", actions=["left", "right"])
    text = answer_text(tabular_rl.solve(mdp, method="rational"))
    assert "left = right" in text
    assert "ties (=)" in text


def test_the_summary_says_of_ties_what_the_rows_say():
    """Both actions stay for nothing: the policy is proven optimal, and floats prove no tie."""
    mdp = MDP([[[1.0], [1.0]]], [[0, 0]], 1)
    signs = {"policy-iteration": "≈", "rational": "="}
    for method, sign in signs.items():
        text = answer_text(tabular_rl.solve(mdp, method=method))
        assert f"0 {sign} 1" in text
        assert f"policy: proven optimal in every state; 1 state with ties ({sign})" in text


def test_exact_answers_show_fractions():
    text = values_table(tabular_rl.solve(load("example:recycling_robot"), method="rational"))
    assert rows_of(text)["high"][0] == "1000/59"
    assert rows_of(text)["low"][0] == "900/59"


def test_long_tables_show_head_and_tail():
    mdp = MDP(
        [
            [[0.5 if t in (s - 1, s + 1) else 0.0 for t in range(42)]] if 0 < s < 41 else [[0.0] * 42]
            for s in range(42)
        ],
        [[0.0], *[[-1.0]] * 40, [0.0]],
        1,
        terminal=["0", "41"],
    )
    answer = tabular_rl.solve(mdp)
    lines = values_table(answer).splitlines()
    assert len(lines) == 1 + layout.HEAD + 1 + layout.TAIL
    assert (
        lines[1 + layout.HEAD] == f"… {42 - layout.HEAD - layout.TAIL} more states (save(path) writes them)"
    )
    assert lines[-1].split()[0] == "41"
    assert len(values_table(answer, everything=True).splitlines()) == 43
    # A fair walk lasts i (41 - i) steps (Feller 1968, XIV.3): -40 from state 1.
    value, error = lines[2].split()[1:3]
    assert abs(Fraction(value) + 40) <= Fraction(error)


def test_finite_horizon_has_a_column_a_time_step():
    # Two years: old forests wait for 4, then 4 again; cutting at the end is worth 1 in the middle.
    text = values_table(tabular_rl.solve(load("example:forest_horizon", horizon=1)))
    first = text.split("\n\n")[0].splitlines()
    assert first[0].split() == ["state", "t", "=", "0", "t", "=", "1"]
    assert [line.split() for line in first[1:]] == [
        ["young", "0.000000", "0.000000"],
        ["middle", "1.000000", "0.000000"],
        ["old", "4.000000", "0.000000"],
    ]


def test_long_horizons_show_the_first_and_last_times():
    text = values_table(tabular_rl.solve(load("example:forest_horizon", horizon=50)))
    header = text.splitlines()[0]
    assert "t = 0" in header
    assert "t = 50" in header
    assert "…" in header
    assert "t = 25" not in header


def test_random_policies_are_shown_with_their_probabilities():
    mdp = load("example:recycling_robot")
    text = values_table(tabular_rl.evaluate(mdp, Policy.uniform(mdp)))
    assert "search 1/3, wait 1/3, recharge 1/3" in text


def test_nothing_proven_is_called_so():
    mdp = load("example:haddad_monmege")
    answer = tabular_rl.solve(mdp, method="value-iteration", sweeps=10)
    text = answer_text(answer)
    assert "not converged" in text or "not reached" in text
    proven = re.search(r"interval (\S+) wide", text)
    assert proven is None or float(proven[1]) > 1e-6


def test_names_from_files_cannot_colour_the_screen():
    name = "\x1b[31mred\n\u202e"
    mdp = MDP([[[1.0]]], [[1.0]], "1/2", states=[name], name=name)
    text = answer_text(tabular_rl.solve(mdp)) + model_table(mdp)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[31mred\\n\\u202e" in text


def test_model_table_shows_numbers_as_they_are_spelled():
    mdp = MDP.from_outcomes(
        [("a", "go", "a", "2/3", "0.10"), ("a", "go", "b", "1/3", -5)], "0.9", terminal=["b"]
    )
    lines = [line.split() for line in model_table(mdp).splitlines()]
    assert lines[1] == ["a", "go", "a", "2/3", "0.1"]
    assert lines[2] == ["b", "1/3", "-5"]
    assert lines[-1] == ["terminal:", "b"]


def test_time_steps_that_do_the_same_share_a_column():
    # Two choices that are worth 0 and 1 now; waiting is best but for the last decision, where taking 1 is.
    mdp = MDP.from_outcomes(
        [("s", "wait", "s", 1, 0), ("s", "take", "end", 1, 1), ("e", "go", "end", 1, 0)], 1, terminal=["end"]
    )
    text = values_table(tabular_rl.evaluate(mdp.replace(horizon=12), Policy.uniform(mdp)), everything=True)
    assert "t = 0 to 11" in text
    assert text.count("wait 0.5, take 0.5") == 1


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_a_finite_horizon_fits_the_screen(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    answer = tabular_rl.solve(load("example:forest_horizon", horizon=50))
    for everything in (False, True):
        text = values_table(answer, everything)
        assert max(map(layout.width, text.splitlines())) <= columns
    assert all(f"t = {t}" in text for t in range(51))  # --all folds the times below each other


def test_a_threshold_inside_a_long_table_is_shown():
    # 100 states in a row, a reward of 1 for "up" below 50 and for "down" from 50 on: the action changes once.
    outcomes = []
    for s in range(100):
        for action in ("up", "down"):
            outcomes.append((f"s{s}", action, "end", 1, int((action == "up") == (s < 50))))
    answer = tabular_rl.solve(MDP.from_outcomes(outcomes, "1/2", terminal=["end"]))
    lines = values_table(answer).splitlines()
    assert [line for line in lines if line.startswith("s50 ") and line.endswith("down")]
    assert sum("same action" in line for line in lines) == 2
    shown = {line.split()[0] for line in lines}
    assert {"s0", "s11", "s50"} <= shown
    assert not {"s49", "s51"} & shown


@pytest.mark.parametrize(("sense", "word"), [("max", "least"), ("min", "most")])
def test_what_is_proven_is_rounded_outward(sense, word):
    # To leave is worth 1234567.8, and the other side is open: no better bound is known of staying.
    mdp = MDP.from_outcomes([("s", "leave", "end", 1, "1234567.8")], 1, sense=sense, terminal=["end"])
    sides = [np.array([1234567.8, 0.0]), np.array([math.inf if word == "least" else -math.inf, 0.0])]
    lower, upper = sides if word == "least" else sides[::-1]
    answer = replace(tabular_rl.solve(mdp), lower=lower, upper=upper, bound=math.inf)
    text = answer_text(answer)
    proven = Fraction(re.search(rf"at {word} (\S+)", text)[1])
    truth = Fraction(1234567.8)
    assert proven <= truth if word == "least" else proven >= truth
    assert abs(proven - truth) < Fraction(1, 10)
    assert "open on a side" in text
    assert "nothing is proven" not in text


def test_the_side_of_a_cost_that_is_missing_is_named():
    # In the sign of maximisation the upper bound is missing: a cost then has no lower one.
    known, missing = np.zeros(1), np.full(1, math.inf)
    for sense, side in (("max", "upper"), ("min", "lower")):
        mdp = MDP([[[1.0]]], [[0.0]], "1/2", sense=sense)
        assert _note(mdp, known, missing) == f"no {side} bound could be verified"


def test_exact_values_of_different_sizes_are_all_shown():
    mdp = MDP.from_outcomes(
        [("a", "go", "end", 1, "1e30"), ("b", "go", "end", 1, "-1234567"), ("c", "go", "end", 1, "1/3000000")],
        1, terminal=["end"],
    )  # fmt: skip
    rows = rows_of(values_table(tabular_rl.solve(mdp, method="rational")))
    assert Fraction(rows["a"][1]) == 10**30
    assert Fraction(rows["b"][1]) == -1234567
    assert abs(Fraction(rows["c"][1]) - Fraction(1, 3000000)) < Fraction(1, 10**12)


@pytest.mark.parametrize(
    ("gamma", "text"),
    [
        ("0.99999999999999999", "γ = 1 - 1e-17"),
        ("1e-400", "γ = 1e-400"),
        ("1", "γ = 1"),
        ("99/100", "γ = 0.99"),
    ],
)
def test_a_discount_below_1_is_never_called_1(gamma, text):
    mdp = MDP.from_outcomes([("a", "go", "a", 1, 1)], gamma)
    assert re.search(rf"{re.escape(text)}(?![\d.])", problem_text(mdp))
    assert text in str(mdp)


def test_a_probability_below_1_is_never_called_1():
    p = 1 - Fraction(1, 10**20)
    mdp = MDP.from_outcomes(
        [("a", "go", "a", p, 0), ("a", "go", "b", 1 - p, 1), ("b", "go", "b", 1, 0)],
        "1/2",
        start={"a": p, "b": 1 - p},
    )
    assert "1 - 1e-20" in model_table(mdp)


def test_a_share_of_small_values_that_is_0_as_a_float_is_shown():
    """v = 10⁻³⁰, of which 10⁻³⁰⁰ is less than the smallest float."""
    mdp = MDP.from_outcomes([("s", "go", "end", 1, "1e-30")], 1, terminal=["end"])
    answer = tabular_rl.policy_iteration(mdp, tolerance=1e-300, relative=True)
    assert re.search(r"^s +1\.0+e-30 ", answer_text(answer), re.M)


def test_decimals_of_a_finite_horizon_are_not_called_fractions():
    """Without one they stand beside the fractions."""
    mdp = MDP([[["1/3", "2/3"]], [[0, 1]]], [[1], [0]], "1/2")
    assert "\nbound: 0, the fractions are the values\n" in str(tabular_rl.solve(mdp, method="rational"))
    timed = str(tabular_rl.solve(mdp.replace(horizon=2), method="rational"))
    assert "\nbound: 0 before rounding to the digits shown, the fractions are the values\n" in timed
