"""What frames of logs, estimates and evaluations hold, and what prints: expected by hand."""

from __future__ import annotations

import numpy as np
import pytest

import tabular_rl as t
from tabular_rl.formats.log_arrays import frame_columns
from tabular_rl.report.estimate import EstimateReport
from tabular_rl.report.ope import OffPolicyReport
from tabular_rl.report.render.csv import report_parts

CALLS = [("new", "call", -1, "warm"), ("warm", "call", 9, "sold", True), ("new", "call", -1, "lost", True)]


def listed(columns):
    return {name: np.asarray(column).tolist() for name, column in columns.items()}


def test_a_log_has_a_row_a_transition():
    columns = frame_columns(t.read_log([*CALLS, ("warm", "mail", 0, "warm"), ("new", "call", 2, "lost", 1)]))
    assert listed(columns) == {
        "episode": [1, 1, 2, 3, 4],
        "state": ["new", "warm", "new", "warm", "new"],
        "action": ["call", "call", "call", "mail", "call"],
        "reward": [-1, 9, -1, 0, 2],
        "next_state": ["warm", "sold", "lost", "warm", "lost"],
        "done": [False, True, True, False, True],
    }


def test_what_a_frame_of_a_log_holds_is_read_back():
    log = t.read_log([*CALLS, ("warm", "mail", 0, "warm"), ("new", "call", 2, "lost", 1)])
    again = t.read_log(frame_columns(log))
    assert listed(frame_columns(again)) == listed(frame_columns(log))
    mdp = t.load("example:recycling_robot")
    played = t.sample_transitions(mdp, "uniform", 40, seed=3, episodes=4)
    again = t.read_log(frame_columns(played), mdp)
    for name in ("row", "reward", "next_state", "done", "next_row", "propensity"):
        assert getattr(again, name).tolist() == getattr(played, name).tolist(), name


def test_an_estimate_has_a_row_an_outcome():
    found = t.estimate(CALLS, "9/10")
    assert listed(EstimateReport(found).columns()) == {
        "state": ["new", "new", "warm"],
        "action": ["call", "call", "call"],
        "next_state": ["lost", "warm", "sold"],
        "probability": [0.5, 0.5, 1.0],
        "reward": [-1, -1, 9],
        "count": [1, 1, 1],
    }


def test_an_evaluation_has_a_row_an_estimator_and_why_there_is_no_bound():
    asked = {"gamma": 1, "behavior": "log", "resamples": 0, "estimators": ["ordinary", "direct"]}
    found = t.ope(CALLS, "action:call", **asked)
    columns = OffPolicyReport(found).columns()
    assert columns["estimator"] == ["ordinary", "direct"]
    assert columns["estimate"] == pytest.approx([3.5, 3.5])
    unknown = "the range of the rewards is not known: reward_range= says it"
    assert columns["no_bound"] == ["the behaviour is estimated from the log", unknown]
    lines = "".join(report_parts(OffPolicyReport(found))).splitlines()
    assert lines[0].endswith(",bound_lower,bound_upper,bias,deviation,no_bound")
    assert lines[2].endswith(f",,,{unknown}")


def test_intervals_print_as_the_command_prints_them():
    known = t.estimate(CALLS, "9/10").confidence(0.9, reward_range=(-1, 9), policy="action:call")
    lines = str(known).splitlines()
    assert lines[0] == "with 90% confidence, values of the given policy in the process itself:"
    assert lines[3].split() == ["state", "at", "least", "at", "most"]
    assert [line.split()[0] for line in lines[4:6]] == ["new", "warm"]
    assert lines[-1].startswith("This holds if rewards lie in -1 to 9 (those of the log), and")
    assert repr(known).startswith("Confidence(level=0.9, start=(")
    assert "confidence" in known._repr_html_()
