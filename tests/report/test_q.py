"""Q beside V: against values worked out by hand, in text, JSON and CSV."""

from __future__ import annotations

import csv
import json
import re
from fractions import Fraction

import pytest
from program import inside, one_line
from shown import answer_text

import tabular_rl
from tabular_rl import MDP, Policy
from tabular_rl.certificates.intervals import q_error
from tabular_rl.formats import load
from tabular_rl.formats.answers import read_answer
from tabular_rl.report.q import exact_q

ROBOT = "example:recycling_robot"
# v(high) = 1000/59, v(low) = 900/59, see test_report_tables.py; wait earns 1 and stays, recharge leads to high for 0.
# search in low: 0.9 stays for 2, 0.1 runs empty for -3 and is carried to high.
Q = {
    ("high", "search"): Fraction(1000, 59),
    ("high", "wait"): 1 + Fraction(900, 59),
    ("low", "wait"): 1 + Fraction(9, 10) * Fraction(900, 59),
    ("low", "recharge"): Fraction(9, 10) * Fraction(1000, 59),
}


def lines_of(text):
    """(state, action, q) of the lines of a table."""
    found, state = {}, ""
    for line in text.split("\n\n")[1].splitlines()[1:]:
        words = line.split()
        if not line.startswith(" "):
            state, words = words[0], words[2:]
        if words:
            found[state, words[0]] = words[1]
    return found


def test_q_of_every_action_contains_the_truth(capsys):
    done = inside(capsys, "solve", ROBOT, "--show", "q", "-q")
    error = Fraction(re.search(r"values and q: all ± (\S+) at most", done.out)[1])
    found = lines_of(done.out)
    assert len(found) == 5
    for pair, truth in Q.items():
        assert abs(Fraction(found[pair]) - truth) <= error


def test_q_of_exact_values_is_exact(capsys):
    found = lines_of(inside(capsys, "solve", ROBOT, "--show", "q", "--exact", "-q").out)
    assert {pair: Fraction(found[pair]) for pair in Q} == Q


def test_ties_are_marked():
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 1.0]], "9/10", actions=["left", "right"])
    assert re.search(
        "right +10 +(= as good|1)", answer_text(tabular_rl.solve(mdp, method="rational"), show_q=True)
    )
    assert "≈ as good" in answer_text(tabular_rl.solve(mdp), show_q=True)


@pytest.mark.parametrize("sense", ["max", "min"])
def test_q_error_holds_what_rounding_does(sense):
    # Probabilities of thirds, rewards of tenths: floats are off, and v by its own error.
    outcomes = [("a", "x", "a", "1/3", "0.1"), ("a", "x", "b", "2/3", "-0.7"), ("b", "x", "a", 1, "1/7")]
    mdp = MDP.from_outcomes(outcomes, "97/100", sense=sense)
    truth, floats = tabular_rl.solve(mdp, method="rational"), tabular_rl.solve(mdp, method="value-iteration")
    for i in range(mdp.L):
        exact = exact_q(truth, 0, i)
        assert exact == truth.exact[mdp.state_of_row(i)]  # one action: q is v
        assert abs(Fraction(float(floats.q[i])) - exact) <= Fraction(q_error(floats))


def test_q_of_a_finite_horizon_is_that_of_its_time(capsys):
    # forest, one decision: wait 0, 0, 4 and cut 0, 1, 2.
    given = (
        "solve",
        "example:forest_horizon",
        "--horizon",
        1,
        "--show",
        "q",
        "--state",
        "old",
        "--state",
        "middle",
    )
    out = inside(capsys, *given).out
    assert re.search(r"^ +0 +old +4.000000 +wait +4.000000 +1$", out, re.MULTILINE)
    assert re.search(r"^ +cut +2.000000$", out, re.MULTILINE)
    assert out.index("old") < out.index("middle")
    assert "young" not in out.partition("start:")[0]


def test_json_and_csv_hold_q(capsys, tmp_path):
    path, table = tmp_path / "a.json", tmp_path / "a.csv"
    inside(capsys, "solve", ROBOT, "--show", "q", "-o", path, "-q")
    inside(capsys, "solve", ROBOT, "--show", "q", "-o", table, "-q")
    q = dict(zip(("high", "low"), json.loads(path.read_text())["q"], strict=True))
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == 5
    for (state, action), truth in Q.items():
        row = next(r for r in rows if (r["state"], r["action"]) == (state, action))
        assert abs(Fraction(q[state][action]) - truth) < Fraction(1, 10**9)
        assert float(row["q"]) == q[state][action]
        assert row["probability"] == str(int((state, action) in (("high", "search"), ("low", "recharge"))))
    mdp = load(ROBOT)
    for file in (path, table):
        assert inside(capsys, "verify", ROBOT, file, "-q").code == 0
        answer = read_answer(str(file), mdp)
        assert (
            answer.policy.weights.tolist()
            == Policy.of_actions(mdp, {"high": "search", "low": "recharge"}).weights.tolist()
        )


def test_csv_of_a_finite_horizon_is_read_back(capsys, tmp_path):
    table = tmp_path / "a.csv"
    inside(capsys, "solve", "example:forest_horizon", "--show", "q", "-o", table, "-q")
    assert inside(capsys, "verify", "example:forest_horizon", table, "-q").code == 0


def test_a_random_policy_is_shown_by_its_probabilities(capsys):
    out = inside(capsys, "evaluate", "example:gridworld_4x4", "--show", "q", "--state", "0,1", "-q").out
    # Sutton & Barto, Figure 4.1: -14 beside a corner of 0; -1 - 14 to stay, -1 - 18 below, -1 - 20 to the right.
    found = lines_of(out)
    assert {a: round(float(x)) for (_, a), x in found.items()} == {
        "up": -15,
        "down": -19,
        "left": -1,
        "right": -21,
    }
    assert out.count("0.25") == 4


def test_learned_q_stands_beside_the_exact_one(capsys):
    out = inside(capsys, "learn", ROBOT, "--steps", 2000, "--show", "q", "--state", "high", "-q").out
    line = re.search(r"^ +wait +\S+ +(\S+) +(\S+)", out, re.MULTILINE)
    assert abs(Fraction(line[1]) - Q["high", "wait"]) < Fraction(1, 10)
    assert int(line[2].replace(",", "")) > 0
    assert "recharge" not in out.partition("largest error")[0]
    never = inside(capsys, "learn", ROBOT, "--steps", 1, "--show", "q", "-q").out
    assert "never tried" in never
    values = inside(
        capsys, "learn", "example:random_walk_5", "--method", "td0", "--steps", 100, "--show", "q", "-q"
    ).out
    assert "q is computed from the values learned, by the model" in values


def test_learned_csv_holds_q(capsys, tmp_path):
    table = tmp_path / "l.csv"
    inside(capsys, "learn", ROBOT, "--steps", 2000, "--show", "q", "-o", table, "-q")
    rows = list(csv.DictReader(table.open()))
    assert {(r["state"], r["action"]) for r in rows} >= set(Q)
    assert all(float(r["q"]) > 0 for r in rows)
    assert inside(capsys, "evaluate", ROBOT, "--policy", table, "-q").code == 0


@pytest.mark.parametrize("command", ["solve", "evaluate", "learn", "show"])
def test_states_that_do_not_exist_are_told_before_anything_is_done(capsys, command):
    done = inside(capsys, command, ROBOT, "--state", "hihg")
    assert done.code == 2
    assert done.out == ""
    assert one_line(done.err) == "--state: no state 'hihg'; did you mean 'high'?"


def test_state_leaves_files_whole(capsys, tmp_path):
    path = tmp_path / "a.json"
    done = inside(capsys, "solve", ROBOT, "--state", "low", "-o", path)
    assert json.loads(path.read_text())["states"] == ["high", "low"]
    assert re.search("^low", done.out, re.MULTILINE)
    assert not re.search("^high", done.out, re.MULTILINE)
