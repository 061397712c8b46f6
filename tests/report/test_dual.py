"""The dual of the linear programme as it is shown: against visits counted by hand, and complementary slackness."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from program import inside, one_line

import tabular_rl
from tabular_rl import MDP
from tabular_rl.errors import NumericalError

ROBOT = "example:recycling_robot"


def test_visits_by_hand(capsys):
    # c = (3/4, 1/4): half the start, which is high, and half uniform. Searching stays high with 0.8, else it leads to
    # low, from where recharging leads to high: x_h = 3/4 + 0.9 (0.8 x_h + x_l), x_l = 1/4 + 0.9 0.2 x_h. So
    # x_h (1 - 0.72 - 0.162) = 3/4 + 0.225: x_h = 0.975 / 0.118 = 8.26271, x_l = 0.25 + 0.18 x_h = 1.73729.
    out = inside(capsys, "solve", ROBOT, "--show", "dual", "-q").out
    lines = [line.split() for line in out.split("\n\n")[1].splitlines()]
    assert lines[0] == ["state", "c", "value", "action", "x", "slack"]
    assert lines[1][3:] == ["search", "8.26271", "0"]
    assert lines[5] == ["recharge", "1.73729", "0"]
    assert lines[2] == ["wait", "0", "0.694915"]  # 1000/59 - (1 + 0.9 1000/59) = 41/59
    assert "Σ x = 10" in out  # 1 / (1 - γ)


@pytest.mark.parametrize("name", ["toymaker", "inventory", "student", "machine_replacement"])
def test_json_holds_what_the_dual_asks_for(capsys, name):
    given = inside(capsys, "solve", f"example:{name}", "--show", "dual", "--json")
    found, mdp = json.loads(given.out), tabular_rl.load(f"example:{name}")
    x = np.array([x for visits in found["occupancy"] for x in visits.values()])
    c, v, q = np.array(found["weights"]), np.array(found["values"]), mdp.backup(np.array(found["values"]))
    into = np.zeros(mdp.S)
    np.add.at(into, mdp.next_state, float(mdp.gamma) * x[mdp.outcome_row] * mdp.prob)
    out_of = np.bincount(mdp.pair_state, x, minlength=mdp.S)
    live = ~mdp.terminal
    np.testing.assert_allclose(out_of[live], (c + into)[live], atol=1e-6 * x.sum())
    np.testing.assert_allclose(x @ mdp.r, c @ v, rtol=1e-7)
    np.testing.assert_allclose(found["objective"], c @ v, rtol=1e-7)
    assert np.all(np.abs(v[mdp.pair_state] - q)[x > 1e-6 * x.sum()] <= 1e-6 * np.max(np.abs(v)))


def test_csv_has_a_line_an_action(capsys, tmp_path):
    path = tmp_path / "dual.csv"
    inside(capsys, "solve", "example:student", "--show", "dual", "-o", path, "-q")
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    mdp = tabular_rl.load("example:student")
    assert len(rows) == mdp.L + mdp.terminal.sum()
    assert {row["occupancy"] for row in rows if row["action"] == ""} == {""}


def test_only_linear_programming_has_a_dual(capsys):
    found = inside(capsys, "solve", ROBOT, "--method", "VI", "--show", "dual")
    assert found.code == 2 and "expected linear-programming" in one_line(found.err)
    for show in ("q", "dual"):
        found = inside(capsys, "solve", ROBOT, "--iterates", 2, "--show", show)
        assert found.code == 2 and "--iterates" in one_line(found.err)


def test_where_the_programme_fails_it_is_said(capsys, monkeypatch):
    def fails(*_):
        raise NumericalError("HiGHS failed")

    monkeypatch.setattr("tabular_rl.methods.exact.linear_programming.programme", fails)
    found = inside(capsys, "solve", ROBOT, "--show", "dual", "-q")
    assert found.code == 2 and "left no dual" in one_line(found.err)


def test_the_visits_of_a_loop():
    # Stay for 1 a step at γ = 9/10, or leave for 5: staying is worth 10 and done 10 times.
    mdp = MDP.from_outcomes([("s", "stay", "s", 1, 1), ("s", "leave", "end", 1, 5)], "0.9", terminal=["end"])
    answer = tabular_rl.solve(mdp, method="linear-programming")
    np.testing.assert_allclose(answer.extra["occupancy"], [10, 0], atol=1e-8)
