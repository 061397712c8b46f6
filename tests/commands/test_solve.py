"""`solve` and `evaluate`: what is printed where, exit codes, options, output files."""

from __future__ import annotations

import json
import os
import re
from fractions import Fraction

import pytest
from program import inside, one_line

from tabular_rl.commands import COMMANDS
from tabular_rl.formats import load

HIGH, LOW = Fraction(1000, 59), Fraction(900, 59)  # the recycling robot, see test_report_tables.py
ROBOT = "example:recycling_robot"

RING = """
discount = 1
[state.a]
go = { to = "b", reward = 1 }
[state.b]
go = { to = "a", reward = 1 }
"""
CHAIN = "example:haddad_monmege"


def test_the_answer_is_on_stdout_and_the_story_on_stderr(capsys):
    done = inside(capsys, "solve", ROBOT)
    assert done.code == 0
    assert "16.949153" in done.out
    assert "certified" in done.out
    assert "policy: proven optimal" in done.out
    assert not re.search(r"\d s\b", done.out)  # no time: the same bytes on every run
    assert one_line(done.err).startswith("policy-iteration: ")
    assert done.err.endswith(" s\n")


def test_same_run_same_bytes_on_stdout(capsys):
    assert inside(capsys, "solve", ROBOT).out == inside(capsys, "solve", ROBOT, "--threads", 2).out


def test_quiet_leaves_stderr_empty(capsys):
    done = inside(capsys, "solve", ROBOT, "--quiet")
    assert done.err == ""
    assert "16.949153" in done.out


def test_a_method_that_stops_on_the_way_says_what_is_shown(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # γ = 1/2, reward 1: the first iterate is 1, the truth 2, and one sweep proves it.
    text = "discount = 0.5\n[state.a]\ngo = { to = 'a', reward = 1 }\nstop = { to = 'b', reward = 0 }\n"
    text += "[state.b]\ngo = { to = 'b', reward = 0 }\n"
    with open("two.toml", "w") as file:
        file.write(text)
    done = inside(capsys, "solve", "two.toml", "--method", "value-iteration", "--sweeps", 1)
    assert done.code == 3
    assert (
        "values: the middle of the proven interval after 1 sweep, not an iterate of the method "
        "(--iterates shows those)\n" in done.out
    )
    assert "values:" not in inside(capsys, "solve", "two.toml", "--method", "value-iteration").out


SHORT = ("solve", "example:haddad_monmege", "--method", "value-iteration", "--sweeps", "10")


@pytest.mark.parametrize("more", [("-o", "answer.json"), ("--json",), ("-o", "answer.csv")])
def test_quiet_leaves_the_warning_that_the_answer_is_not_what_was_asked(capsys, tmp_path, monkeypatch, more):
    monkeypatch.chdir(tmp_path)
    done = inside(capsys, *SHORT, *more, "-q")
    assert done.code == 3
    assert one_line(done.err).startswith("warning: value-iteration: not converged: ")
    done = inside(capsys, *SHORT, *more, "-qq")
    assert (done.code, done.err) == (3, "")


def test_what_stands_on_the_screen_is_not_warned_of_again(capsys):
    done = inside(capsys, *SHORT, "-q")
    assert (done.code, done.err) == (3, "")
    assert "not converged" in done.out


def test_quiet_ends_with_its_command(capsys):
    assert inside(capsys, "solve", ROBOT, "-qq").err == ""
    assert inside(capsys, "solve", ROBOT).err != ""


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "help"])
def test_every_command_can_be_quiet(capsys, command):
    more = ["inventory"] if command == "make" else []
    assert "-qq also hides warnings" in " ".join(inside(capsys, command, *more, "--help").out.split())


def test_errors_are_told_however_quiet(capsys):
    done = inside(capsys, "solve", "missing.toml", "-qq")
    assert done.code == 2
    assert "missing.toml" in one_line(done.err)


def test_json_holds_the_truth(capsys):
    done = inside(capsys, "solve", ROBOT, "--json", "-q")
    document = json.loads(done.out)
    for low, high, truth in zip(document["lower"], document["upper"], (HIGH, LOW), strict=True):
        assert low <= truth <= high
    assert done.out.isascii()


@pytest.mark.parametrize("gamma", ["9/10", "0.90"])
def test_gamma_on_the_command_line_is_exact(capsys, gamma):
    document = json.loads(inside(capsys, "solve", "example:forest", "--gamma", gamma, "--json").out)
    assert document["gamma_exact"] == "0.9"
    assert document["digest"] == load("example:forest", gamma=Fraction(9, 10)).digest


def test_horizon_and_minimize_change_the_problem(capsys):
    # One decision, costs: the robot waits for 1 (or recharges for 0 in low).
    done = inside(capsys, "solve", ROBOT, "--horizon", 1, "--minimize")
    assert done.code == 0
    assert "1 decision, γ = 0.9, costs" in done.out
    values = {
        line.split()[0]: line.split()[1] for line in done.out.splitlines() if line.startswith(("high", "low"))
    }
    assert values["high"] in ("wait", "1.000000")
    assert "recharge" in done.out


def test_terminal_states_are_given_on_the_command_line(capsys, tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("state,action,next_state,probability,reward\na,go,end,1,5\n")
    assert inside(capsys, "solve", path, "--gamma", 0.5).code == 2
    done = inside(capsys, "solve", path, "--gamma", 0.5, "--terminal", "end")
    assert done.code == 0
    assert "5.000000" in done.out


def test_normalize_tells_the_largest_correction(capsys, tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(
        'discount = 0.9\n[state.a]\ngo = { to = { a = 0.3, b = 0.6 } }\n[state.b]\ngo = { to = "b" }\n'
    )
    refused = inside(capsys, "solve", path)
    assert refused.code == 2
    assert "sum to 9/10" in one_line(refused.err)
    assert refused.out == ""
    done = inside(capsys, "solve", path, "--normalize")
    assert done.code == 0
    assert "by 0.067 at most" in done.err


# -- exit codes ----------------------------------------------------------------------------------------------------


def test_a_budget_too_small_shows_the_interval_and_exits_with_3(capsys):
    done = inside(capsys, "solve", CHAIN, "--method", "value-iteration", "--sweeps", 100)
    assert done.code == 3
    assert "not converged" in done.out
    assert "raise --sweeps" in done.out
    assert "wide" in done.out


def test_time_limit_0_shows_an_interval_and_exits_with_3(capsys):
    done = inside(capsys, "solve", "example:taxi", "--time-limit", 0)
    assert done.code == 3
    assert "time limit" in done.out


def test_no_finite_answer_exits_with_4_and_names_the_states(capsys, tmp_path):
    path = tmp_path / "ring.toml"
    path.write_text(RING)
    done = inside(capsys, "solve", path)
    assert done.code == 4
    assert done.out == ""
    assert "'a'" in one_line(done.err)
    assert "'b'" in done.err


def test_improper_policies_exit_with_4(capsys):
    done = inside(capsys, "evaluate", "example:gridworld_4x4", "--policy", "action:up")
    assert done.code == 4
    assert "never terminates" in one_line(done.err)
    assert "'0,1'" in done.err


@pytest.mark.parametrize("command", ["solve", "evaluate"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--tolerance", "0"], "--tolerance: found '0', expected a number from"),
        (["--tolerance", "-1"], "--tolerance: found '-1'"),
        (["--tolerance", "nan"], "--tolerance: found 'nan'"),
        (["--tolerance", "1e-400"], "--tolerance: found '1e-400'"),
        (["--tolerance", "1_0"], "--tolerance: found '1_0'"),
        (["--gamma", "1.5"], "--gamma: found '1.5', expected a number from 0 to 1"),
        (["--gamma", "0.9 "], "--gamma: found '0.9 '"),
        (["--gamma", "nan"], "--gamma: found 'nan'"),
        (["--gamma", "1/0"], "--gamma: found '1/0'"),
        (["--horizon", "0"], "--horizon: found '0'"),
        (["--horizon", "2.5"], "--horizon: found '2.5'"),
        (["--time-limit", "-1"], "--time-limit: found '-1'"),
        (["--method", "value-iteratoin"], "did you mean 'value-iteration'?"),
        (["--tolerence", "1"], "no option '--tolerence'; did you mean '--tolerance'? Usage: "),
        (["--minimize=3"], "Usage: "),
        (["another"], "unexpected extra argument (another). Usage: "),
        (["--output", ""], "--output: found ''"),
    ],
)
def test_wrong_options_exit_with_2_in_one_line(capsys, command, options, says):
    done = inside(capsys, command, ROBOT, *options)
    assert (done.code, done.out) == (2, "")
    assert says in one_line(done.err)


@pytest.mark.parametrize(
    ("options", "lists"),
    [
        (["--method", "policy-iteration", "--sweeps", "5"], "--improvements"),
        (["--method", "backward-induction", "--start-from", "x"], "--tolerance"),
        (["--exact", "--tolerance", "1"], "rational"),
    ],
)
def test_an_option_that_the_method_does_not_have_lists_those_it_has(capsys, options, lists):
    done = inside(capsys, "solve", ROBOT, *options)
    assert done.code == 2
    assert "has no such option" in done.err
    assert lists in one_line(done.err)


def test_methods_that_do_not_fit_are_refused(capsys):
    done = inside(capsys, "solve", ROBOT, "--method", "backward-induction")
    assert done.code == 2
    assert "discounted" in one_line(done.err)
    done = inside(capsys, "solve", ROBOT, "--method", "linear-solve")
    assert done.code == 2
    assert "evaluates a policy" in one_line(done.err)


def test_exact_and_another_method_contradict_each_other(capsys):
    assert inside(capsys, "solve", ROBOT, "--exact", "--method", "value-iteration").code == 2


def test_exact_prints_fractions(capsys):
    done = inside(capsys, "solve", ROBOT, "--exact")
    assert done.code == 0
    assert "1000/59" in done.out
    assert "900/59" in done.out
    assert "rational" in done.out


def test_missing_and_odd_files_exit_with_2(capsys, tmp_path):
    (tmp_path / "empty.toml").touch()
    for path, says in (
        (tmp_path / "none.toml", "no such file"),
        (tmp_path / "empty.toml", "empty"),
        (tmp_path, "directory"),
    ):
        done = inside(capsys, "solve", path)
        assert (done.code, done.out) == (2, "")
        assert str(path) in one_line(done.err)
        assert says in done.err


def test_control_characters_of_the_command_line_are_escaped(capsys):
    for arguments in (
        ["solve", "\x1b[31m.toml"],
        ["\x1b[31m"],
        ["solve", ROBOT, "--\x1b[31m"],
        ["solve", ROBOT, "--method", "\x1b[31m"],
        ["evaluate", ROBOT, "--policy", "\x1b[31m"],
        ["solve", ROBOT, "x\ny"],
    ):
        done = inside(capsys, *arguments)
        assert done.code == 2
        one_line(done.err)


# -- output files --------------------------------------------------------------------------------------------------


def test_output_is_written_beside_what_is_printed(capsys, tmp_path):
    path = tmp_path / "answer.csv"
    done = inside(capsys, "solve", ROBOT, "-o", path)
    assert done.code == 0
    assert "16.949153" in done.out
    assert path.read_text().splitlines()[0] == "state,value,lower,upper,action"
    assert os.listdir(tmp_path) == ["answer.csv"]
    assert inside(capsys, "solve", ROBOT, "-o", path, "-q").out == ""


def test_output_replaces_the_old_file_only_when_it_is_complete(capsys, tmp_path):
    path = tmp_path / "answer.json"
    path.write_text("old")
    assert inside(capsys, "solve", ROBOT, "--tolerance", "0", "-o", path).code == 2
    assert path.read_text() == "old"
    assert inside(capsys, "solve", ROBOT, "-o", path).code == 0
    assert json.loads(path.read_text())["policy"] == ["search", "recharge"]


def test_answers_that_are_not_reached_are_written_as_such(capsys, tmp_path):
    path = tmp_path / "answer.json"
    assert (
        inside(capsys, "solve", CHAIN, "--method", "value-iteration", "--sweeps", 100, "-o", path).code == 3
    )
    document = json.loads(path.read_text())
    assert document["status"] == "BUDGET_SPENT"
    assert document["reached"] is False


@pytest.mark.parametrize("kind", ["missing folder", "folder", "file as folder"])
def test_outputs_that_cannot_be_written_exit_with_5_before_solving(capsys, tmp_path, kind, monkeypatch):
    import tabular_rl.commands.solve as module

    monkeypatch.setattr(module, "at_work", lambda *a: pytest.fail("solved before probing the output"))
    (tmp_path / "file").touch()
    path = {
        "missing folder": tmp_path / "none" / "a.json",
        "folder": tmp_path,
        "file as folder": tmp_path / "file" / "a",
    }[kind]
    done = inside(capsys, "solve", ROBOT, "-o", path)
    assert (done.code, done.out) == (5, "")
    assert str(path) in one_line(done.err)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_exits_with_5(capsys):
    done = inside(capsys, "solve", ROBOT, "-o", "/dev/full")
    assert done.code == 5
    assert "/dev/full" in one_line(done.err)
    assert "No space left" in done.err


def test_output_is_never_its_own_input(capsys, tmp_path):
    path = tmp_path / "m.toml"
    text = RING.replace("discount = 1", "discount = 0.5")
    path.write_text(text)
    (tmp_path / "link.toml").symlink_to(path)
    for output in (path, tmp_path / "link.toml"):
        done = inside(capsys, "solve", path, "-o", output)
        assert done.code == 2
        assert "input" in one_line(done.err)
    assert path.read_text() == text
    answer = tmp_path / "a.json"
    assert inside(capsys, "solve", path, "-o", answer).code == 0
    assert inside(capsys, "evaluate", path, "--policy", f"greedy:{answer}", "-o", answer).code == 2


# -- policies and warm starts --------------------------------------------------------------------------------------


def test_evaluating_the_best_policy_gives_the_best_values(capsys, tmp_path):
    answer = tmp_path / "a.json"
    inside(capsys, "solve", ROBOT, "-o", answer)
    document = json.loads(inside(capsys, "evaluate", ROBOT, "--policy", answer, "--json").out)
    assert all(a <= t <= b for a, b, t in zip(document["lower"], document["upper"], (HIGH, LOW), strict=True))


def test_values_of_the_uniform_policy(capsys):
    # v_h = 3/2 + 0.9 (0.9 v_h + 0.1 v_l), 3 v_l = 1 + 0.9 (1.6 v_l + 1.4 v_h): a 2 x 2 system, by Cramer's rule.
    a, b, c, d = Fraction(19, 100), Fraction(-9, 100), Fraction(-126, 100), Fraction(156, 100)
    det = a * d - b * c
    truth = [(Fraction(3, 2) * d - b) / det, (a - c * Fraction(3, 2)) / det]
    document = json.loads(inside(capsys, "evaluate", ROBOT, "--json").out)
    assert all(lo <= t <= hi for lo, hi, t in zip(document["lower"], document["upper"], truth, strict=True))
    assert document["task"] == "prediction"


def test_a_warm_start_needs_fewer_sweeps(capsys, tmp_path):
    answer = tmp_path / "a.json"
    solve = ("solve", "example:taxi", "--method", "value-iteration", "--json", "-q")
    first = json.loads(inside(capsys, *solve, "-o", answer).out)
    again = json.loads(inside(capsys, *solve, "--start-from", answer).out)
    assert again["work"]["sweeps"] < first["work"]["sweeps"]


def test_answers_to_other_models_do_not_start_anything(capsys, tmp_path):
    answer = tmp_path / "a.json"
    inside(capsys, "solve", ROBOT, "-o", answer)
    done = inside(capsys, "solve", "example:forest", "--start-from", answer)
    assert done.code == 2
    assert str(answer) in one_line(done.err)


def test_a_folder_is_no_output(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = inside(capsys, "solve", ROBOT, "-o", "none/")
    assert done.code == 5
    assert one_line(done.err).endswith("no such folder none")
    done = inside(capsys, "solve", ROBOT, "-o", "none/a.json")
    assert done.code == 5
    assert one_line(done.err).endswith("no such folder none")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["solve", "evaluate", "compare"])
def test_unknown_suffixes_of_an_answer_are_refused(capsys, tmp_path, command):
    done = inside(capsys, command, ROBOT, "-o", tmp_path / "a.xlsx")
    assert done.code == 2
    assert ".json" in one_line(done.err)
    assert list(tmp_path.iterdir()) == []


def test_help_shows_choices_as_they_are_typed_and_defaults(capsys):
    text = " ".join(inside(capsys, "solve", "--help").out.split())
    assert "--linear-solver auto|dense|sparse|elimination|iterative" in text
    assert "in units of reward [default: 1e-06]" in text


def test_a_bound_is_not_told_twice(capsys):
    assert (
        "wide, tolerance" not in inside(capsys, "solve", ROBOT).out
    )  # 1e-13 and 1e-12 say nothing of a half
    assert "wide, tolerance" in inside(capsys, "solve", ROBOT, "--method", "value-iteration").out
