"""Where the time of an answer went: phases are counted apart, and the report says what they sum to."""

from __future__ import annotations

import json

import numba
import numpy as np
import pytest
from program import inside

from tabular_rl import MDP, profile, solve
from tabular_rl.kernels import _jit
from tabular_rl.kernels._notice import COMPILING, LOADING
from tabular_rl.model import clock
from tabular_rl.report.profile import ProfileReport, floor_seconds, outcome_bytes
from tabular_rl.report.render.text import report_text

ONE = MDP([[[1.0]]], [[1.0]], "1/2")


def test_a_phase_inside_another_counts_for_itself(monkeypatch):
    ticks = iter(range(100))
    monkeypatch.setattr(clock.time, "perf_counter", lambda: next(ticks))
    with profile() as seconds, clock.phase("outer"):  # each turn is a second: 0
        with clock.phase("inner"):  # 1
            pass  # 2
        with clock.phase("inner"):  # 3
            pass  # 4
    # 5
    assert seconds == {"outer": 3, "inner": 2}


def test_a_phase_ends_with_an_error():
    with profile() as seconds:
        try:
            with clock.phase("outer"):
                raise ValueError
        except ValueError:
            pass
        with clock.phase("later"):
            pass
    assert list(seconds) == ["outer", "later"]


def test_nothing_is_counted_where_nobody_asks():
    with clock.phase("alone"), profile() as seconds:
        pass
    with clock.phase("after"):
        pass
    assert seconds == {}


def test_an_answer_has_its_phases():
    with profile() as seconds:
        solve(MDP([[[1.0]]], [[1.0]], "1/2"))
        solve(MDP([[[1.0]]], [[-1.0]], 0.5, horizon=3))
    assert [x for x in seconds if x not in (LOADING, COMPILING)] == ["building", "search", "proof"]
    assert all(x > 0 for x in seconds.values())


def times_seven(x):
    return 7 * x


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_loading_and_compiling_are_phases_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(_jit, "CACHE", str(tmp_path))
    read = {LOADING, "search"}
    for expected in (read | {COMPILING}, read):
        with profile() as seconds, clock.phase("search"):
            assert _jit.kernel(times_seven)(6) == 42
        assert set(seconds) == expected


def test_the_command_says_where_the_time_went(capsys):
    done = inside(capsys, "solve", "example:recycling_robot", "--profile")
    lines = [line.split() for line in done.err.splitlines()]
    told = {" ".join(line[:-2]): float(line[-2]) for line in lines if line and line[-1].endswith("%")}
    del told["in all"]
    assert [x for x in told if x not in (LOADING, COMPILING)] == ["reading", "building", "search", "proof"]
    (total,) = (float(line[2]) for line in lines if line[:2] == ["in", "all"])
    assert abs(sum(told.values()) - total) < 1e-3
    assert "policy-iteration: up to 500 states" in done.err
    assert "phase" not in done.out
    done = inside(capsys, "evaluate", "example:recycling_robot", "--profile", "--json")
    told = json.loads(done.out)["profile"]
    assert set(told["seconds"]) >= {"reading", "search", "proof"}
    assert told["why"] == "one linear solve is the answer, up to rounding"
    assert "profile" not in json.loads(inside(capsys, "solve", "example:forest", "--json").out)


def test_the_floor_is_one_reading_of_the_outcomes():
    """12 bytes an outcome: a float and an index of 32 bits."""
    n = 100_000
    mdp = MDP.from_rows(
        pair_ptr=np.arange(n + 1), pair_action=np.zeros(n, int), row_ptr=np.arange(n + 1), prob=np.ones(n),
        next_state=np.arange(n), r=np.zeros(n), gamma=0.5,
    )  # fmt: skip
    assert outcome_bytes(mdp) == 12 * n
    assert floor_seconds(mdp) > 0
    answer = solve(ONE)
    text = report_text(ProfileReport(solve(mdp), {"search": 0.3, "proof": 0.1, "reading": 9.0}, 0.001))
    assert "one reading of the 1.2 MB of outcomes takes 0.001 s (1.2 GB/s)" in text
    assert "search and proof took as long as 400" in text
    assert floor_seconds(ONE) is None
    text = report_text(ProfileReport(answer, {"search": 0.3}, None))
    assert "floor: one reading of the 12 bytes of outcomes is too short to be measured" in text
    assert "as asked" in report_text(ProfileReport(solve(ONE, "value-iteration"), {"search": 0.3}, None))
