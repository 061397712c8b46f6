"""A curve is drawn, written as a sheet, and left out of a text."""

from __future__ import annotations

import numpy as np
import pytest

from tabular_rl.report.blocks import Curve, Lines, Report, Series, runs_sheet
from tabular_rl.report.render.csv import csv_parts
from tabular_rl.report.render.picture import write_picture
from tabular_rl.report.render.text import text

STEPS = np.array([1, 10, 100])
ERRORS = np.array([[4.0, 2.0], [1.0, 0.0], [np.nan, 0.5]])


def error_curve(look="spread", logarithmic="xy"):
    level = Series("exact", np.zeros(1), np.ones(1), look="level")
    return Curve("errors", "steps", "error", [Series("learner", STEPS, ERRORS, 0, look), level], logarithmic)


class Drawn(Report):
    def __init__(self, *curves):
        self.curves = curves

    def picture(self, what=""):
        return [Lines(["what costs $1"]), *self.curves]


def test_a_sheet_has_a_line_for_each_run_and_step():
    runs, twice = (
        Curve(name, "steps", "error", [Series("learner", STEPS, times * ERRORS, 0)])
        for name, times in (("error", 1), ("twice", 2))
    )
    sheet = runs_sheet(["method", "run", "step", "error", "twice"], [runs, twice])
    assert "".join(csv_parts(sheet)).splitlines() == [
        "method,run,step,error,twice",
        "learner,0,1,4.0,8.0",
        "learner,0,10,1.0,2.0",
        "learner,0,100,,",
        "learner,1,1,2.0,4.0",
        "learner,1,10,0.0,0.0",
        "learner,1,100,0.5,1.0",
    ]


def test_a_text_leaves_curves_out():
    assert text([Lines(["before"]), error_curve(), Lines(["after"])]) == "before\n\nafter"


@pytest.mark.parametrize("look", ["spread", "runs", "expected", "line", "dot", "steps", "cross"])
def test_every_look_is_drawn(tmp_path, look):
    pytest.importorskip("matplotlib")
    write_picture(Drawn(error_curve(look)), tmp_path / "a.svg")
    words = (tmp_path / "a.svg").read_text()
    assert all(word in words for word in ("what costs $1", "errors", "steps"))


def test_curves_stand_side_by_side_and_a_series_of_nothing_above_0_is_left_out(tmp_path):
    pytest.importorskip("matplotlib")
    nothing = Series("never", STEPS, np.zeros((3, 1)), 1, "spread")
    level = Series("exact", np.zeros(1), np.ones(1), look="level")
    both = [error_curve(), Curve("none", "steps", "error", [nothing, level], "y")]
    write_picture(Drawn(*both), tmp_path / "a.svg")
    words = (tmp_path / "a.svg").read_text()
    assert "errors" in words
    assert "exact" in words
    assert "never" not in words
