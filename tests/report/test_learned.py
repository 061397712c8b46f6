"""What was learned as text: digits, medians, what was never visited, steps and rates."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from shown import learned_csv, learned_document, learned_text, never_text, states_table

from tabular_rl import MDP, Policy, Status
from tabular_rl.analysis.comparison import Comparison, Curves
from tabular_rl.analysis.regret import regret
from tabular_rl.formats import load
from tabular_rl.methods.learning.batch_td import certainty_equivalence
from tabular_rl.methods.learning.q_learning import q_learning
from tabular_rl.methods.learning.td0 import td0
from tabular_rl.model.numbers import plural
from tabular_rl.report.curves import error_at, shown_steps, spread
from tabular_rl.report.learned import decimals_of, option_text, options_text, work_line
from tabular_rl.report.words import cut_short, rate_text


@pytest.fixture(scope="module")
def line():
    """a, b, end: 1 for each step; "back" from b leads to a and is worth less. c leads to the end and is never met."""
    P = [
        [[0, 1, 0, 0], [0, 0, 0, 0]],
        [[0, 0, 0, 1], [1, 0, 0, 0]],
        [[0, 0, 0, 1], [0, 0, 0, 0]],
        [[0, 0, 0, 0], [0, 0, 0, 0]],
    ]
    R = [[-1, 0], [-1, -1], [-1, 0], [0, 0]]
    return MDP(
        P, R, 1, states=["a", "b", "c", "end"], actions=["on", "back"], terminal=["end"], start={"a": 1}
    )


@pytest.fixture(scope="module")
def learned(line):
    return q_learning(line, steps=4, step_size=1, explore="greedy")


def test_visits_of_a_state_are_those_of_its_actions(learned):
    # By hand, all values 0 at first and ties to the lowest: a on (-1), b on (-1), end, a on (-2), b: back is worth 0.
    assert learned.visits.tolist() == [[2, 1, 1, 0]]
    assert learned.state_visits.tolist() == [2, 2, 0, 0]


def test_the_table_says_what_was_never_visited(learned):
    rows = [row.split() for row in states_table(learned).splitlines()]
    assert rows[0] == ["state", "learned", "exact", "visits", "action"]
    # a: -1 + max(-1, 0) = -1; b: on -1, back -1 + q(a, on) = -2 or as a was then
    assert rows[1][0] == "a"
    assert rows[1][-2:] == ["2", "on"]
    assert rows[3][:3] == ["c", "never", "visited"]
    assert rows[3][-1] == "0"
    assert rows[4] == ["end", "0.0", "0.0"]
    text = never_text(learned)
    assert text.startswith("never visited: 1 state (c)")
    assert "0" not in text.splitlines()[0]


def test_the_largest_error_is_named(learned):
    # Truth: a on -2, b on -1, b back -3, c on -1. By hand: -1, -1, -2, and c is 0 as at the start; the first one of 1.
    assert learned.estimates.tolist() == [[-1, -1, -2, 0]]
    assert "errors are those of q; the largest is that of state a, action on\n" in learned_text(learned)
    assert learned_document(learned)["sup_error_at"] == {
        "table": "q", "state": "a", "action": "on", "time": None, "run": 0,
    }  # fmt: skip


def test_the_largest_error_is_that_of_its_table_run_and_time(line):
    # Start values of 7 where the truth is -1 for a and b with one step left, -2 for a with two: at worst 9.
    timed = td0(
        line.replace(horizon=2), Policy.of_actions(line, {s: "on" for s in "abc"}), steps=1, start_value=7
    )
    found = learned_document(timed)["sup_error_at"]
    off = np.abs(timed.estimates - timed.truth)[:, :2, :3]
    run, t, s = np.unravel_index(off.argmax(), off.shape)
    assert found == {"table": "v", "state": "abc"[s], "action": None, "time": t, "run": run}
    two = q_learning(line, steps=50, runs=2)
    worst = learned_document(two)["sup_error_at"]["run"]
    assert two.sup_error[worst] == two.sup_error.max()
    assert f" in run {worst}\n" in learned_text(two)


def test_a_log_is_told_by_its_transitions_and_has_no_rate(line):
    log = [("a", "on", -1, "b"), ("b", "on", -1, "end")] * 5
    answer = certainty_equivalence(line, Policy.uniform(line), data=log)
    assert answer.steps == 10
    assert math.isnan(answer.steps_a_second)
    assert learned_text(answer).splitlines()[1] == "10 transitions, seed 0"
    assert work_line(answer).startswith("certainty-equivalence: 10 transitions in ")
    assert "a second" not in work_line(answer)


def test_actions_never_tried_in_states_that_were_visited_are_counted(line):
    first = q_learning(line, steps=2, step_size=1, explore="greedy")
    assert "never tried in states that were visited: 1 action" in never_text(first)


def test_everything_visited_says_nothing(line):
    loop = MDP([[[1.0]]], [[1.0]], "1/2")
    assert never_text(q_learning(loop, steps=1)) == ""


def test_values_are_shown_to_two_digits_of_their_error():
    loop = MDP([[[1.0]]], [[1.0]], "1/2")  # v = 2; α = 1: 1, 3/2, 7/4, ... the error halves
    steps = (1, 5, 11)
    assert [decimals_of(td0(loop, Policy.uniform(loop), steps=n, step_size=1)) for n in steps] == [1, 3, 5]
    exact = td0(loop, Policy.uniform(loop), steps=200, step_size=1)
    assert decimals_of(exact) == 6, "there is no error to show"
    free = td0(loop, Policy.uniform(loop), steps=3, step_size=1, reference=False)
    assert decimals_of(free) == 6
    assert "exact" not in learned_text(free)


def test_medians_over_runs_keep_infinities():
    assert spread([1.0, math.inf, 3.0]) == ["3", "1", "never ends"]
    assert spread([-math.inf]) == ["never ends"]
    assert spread([math.nan, 2.0]) == ["2", "2", "2"]
    assert spread([math.nan, math.nan]) == ["?", "?", "?"]


def test_options_that_are_as_ever_are_not_told(line):
    assert options_text(q_learning(line, steps=1)) == "step size n^-0.7, explore epsilon-greedy:0.1"
    told = options_text(
        q_learning(
            line, steps=1, step_size=0.5, target="copy:10", average=True, behavior=Policy.uniform(line)
        )
    )
    assert told == "step size 0.5, average, target copy:10"
    assert option_text(("average", 0.01)) == "average:0.01"


def test_steps_that_are_shown_end_with_the_last():
    assert shown_steps(1) == [1]
    assert shown_steps(10) == [10]
    assert shown_steps(99) == [10, 99]
    assert shown_steps(1_000_000) == [1000, 10_000, 100_000, 1_000_000]


def test_powers_of_ten_are_recorded(line):
    learned = q_learning(line, steps=12_345)
    assert {10, 100, 1000, 10_000, 12_345} <= set(learned.curve.steps.tolist())
    at = learned.curve.steps.tolist().index(1000)
    assert error_at(learned, 1000) == learned.curve.sup[at, 0]


def test_counts_and_rates():
    assert [plural(n, "step", ",") for n in (1, 2, 1500)] == ["1 step", "2 steps", "1,500 steps"]
    assert [rate_text(x) for x in (99_999.0, 100_000.0, 31_400_000.0)] == [
        "99999",
        "0.1 million",
        "31.4 million",
    ]


def test_a_run_that_was_stopped_says_so_with_the_way_on(learned):
    assert cut_short(learned) == ""
    late = replace(learned, status=Status.TIME_SPENT, options={**learned.options, "steps": 1000})
    assert "after 4 of 1,000 steps" in cut_short(late)
    assert "resume=learned" in cut_short(late)
    stopped = replace(late, status=Status.INTERRUPTED)
    assert cut_short(stopped).startswith("interrupted after 4 of 1,000 steps")
    assert "no certificate" in learned_text(stopped)
    assert cut_short(stopped) in learned_text(stopped)


def test_names_from_a_file_cannot_move_the_cursor():
    bad = MDP([[[1, 0]], [[1, 0]]], [[1.0], [1.0]], "1/2", states=["\x1b[31m", "b\nc"], name="\x1b]0;x")
    text = learned_text(q_learning(bad, steps=5))
    assert "\x1b" not in text
    assert "b\\n" in text


def test_files_say_what_the_screen_says(learned):
    lines = learned_csv(learned).splitlines()
    assert lines[0] == "state,value,visits,action"
    assert lines[3] == "c,,0,on"
    assert lines[4] == "end,0.0,0,"
    document = learned_document(learned, regret(learned))
    assert document["never_visited"] == ["c"]
    assert document["visits"].tolist() == [2, 2, 0, 0]
    assert document["regret"]["runs"] == [0.0]
    assert document["earned"]["runs"] == pytest.approx([-2.0])


def test_finite_horizons_have_a_line_a_time(line):
    timed = q_learning(line.replace(horizon=2), steps=4, step_size=1, explore="greedy")
    assert timed.state_visits.shape == (2, 4)
    assert timed.state_visits.sum() == 4
    lines = learned_csv(timed).splitlines()
    assert lines[0] == "time,state,value,visits,action"
    assert len(lines) == 1 + 3 * 4
    assert np.isnan(timed.v[0, 1])
    assert lines[2] == "0,b,,0,on"


def test_comparisons_without_learners_have_no_curves(learned):
    found = Comparison(learned.reference, (), (Curves("q-learning", learned),))
    assert found.curves[0].law is None
    assert found.curves[0].regret is None


def test_a_large_gridworld_is_drawn_with_what_was_never_visited():
    mdp = load("example:dyna_maze")
    text = learned_text(q_learning(mdp, steps=1, reference=False))
    assert "? never visited" in text
    drawn = [line for line in text.splitlines() if len(line.split()) == mdp.layout.columns]
    assert sum(line.count("?") for line in drawn) == 2 * (
        mdp.S - 2
    )  # values, actions: all but the start and the goal
    assert "? never visited" not in learned_text(
        q_learning(mdp, steps=1, source="sweeps", runs=1), everything=True
    )


def test_a_gridworld_is_drawn_beside_its_table():
    # Sutton & Barto, Figure 4.1: next to the corners the arrows lead into them.
    mdp = load("example:gridworld_4x4")
    text = learned_text(q_learning(mdp, steps=30_000))
    grid = next(part for part in text.split("\n\n") if part.startswith("■")).splitlines()
    cells = [line.split() for line in grid]
    assert cells[0][0] == cells[3][3] == "■"
    assert (cells[0][1], cells[1][0]) == ("←", "↑")
    assert (cells[3][2], cells[2][3]) == ("→", "↓")
    assert "\n0,1 " in text
    values = learned_text(td0(mdp, Policy.uniform(mdp), steps=100))
    assert "learned values\n\n" in values
    assert "←" not in values
    assert "learned values" not in learned_text(q_learning(mdp, steps=10), everything=True)


def test_numbers_that_are_short_are_shown_with_all_their_digits():
    # One step to an end that pays 5/8 or 0: exact 0.625, and an error too large to ask for three digits.
    mdp = MDP.from_outcomes(
        [("a", "go", "end", 1, "0.625"), ("b", "go", "end", 1, "0.5")], 1, terminal=["end"]
    )
    text = states_table(td0(mdp, Policy.uniform(mdp), steps=3, step_size=0.5))
    exact = {line.split()[0]: line.split()[-2] for line in text.splitlines()[1:3]}
    assert exact == {"a": "0.625", "b": "0.500"}
