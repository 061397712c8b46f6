"""`tabular-rl estimate`, and the logs that `tabular-rl simulate --log` makes for it."""

# ruff: noqa: E501  (tables of cases: one a line)

from __future__ import annotations

import json
import os
from fractions import Fraction

import pytest
from program import inside, one_line, outside

from tabular_rl import load, read_log
from tabular_rl.formats.counts import load_counts

ROBOT = "example:recycling_robot"
HEAD = "state,action,reward,next_state,done\n"
LOG = HEAD + "a,go,1,b,0\nb,go,2,end,1\na,go,1/3,a,0\na,stay,0,b,0\nb,go,0,end,1\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text(LOG)
    return tmp_path


def test_what_the_screen_says(capsys):
    done = inside(capsys, "estimate", "log.csv", "--gamma", "9/10", "-o", "model.toml")
    assert done.code == 0
    assert done.out == (
        "5 transitions, 2 episodes\n"
        "3 states (1 terminal), 3 pairs, 4 outcomes\n"
        "terminal: end\n"
        "each pair tried 1 to 2 times, least a stay\n"
        "never tried, so not available in the model: b stay\n"
    )
    assert done.err == "model.toml: written as toml\nmodel.counts.csv: written\n"
    mdp = load("model.toml")
    assert mdp.rational(0) == ([(0, Fraction(1, 2)), (1, Fraction(1, 2))], Fraction(2, 3))
    assert load_counts("model.counts.csv", mdp).tolist() == [1, 1, 1, 2]


def test_json(capsys):
    done = inside(capsys, "estimate", "log.csv", "--gamma", "1", "-o", "model.npz", "--json", "-q")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["digest"] == load("model.npz").digest
    assert found["untried"] == [["b", "stay"]]
    assert found["terminal"] == ["end"]
    assert (found["transitions"], found["episodes"], found["fewest_tries"], found["most_tries"]) == (
        5,
        2,
        1,
        2,
    )


@pytest.mark.parametrize(
    ("output", "to"), [("model.csv", []), ("model.npz", []), ("model", []), ("m.x", ["--to", "toml"])]
)
def test_every_format(capsys, output, to):
    assert inside(capsys, "estimate", "log.csv", "--gamma", "1", "-o", output, "-q", *to).code == 0
    form = to[-1] if to else None
    assert load(output, format=form).rational(0)[1] == Fraction(2, 3)
    assert os.path.exists(os.path.splitext(output)[0] + ".counts.csv")


def test_standard_streams():
    done = outside("estimate", "-", "--gamma", "1", "-o", "-", "--minimize", input=LOG.encode())
    assert done.code == 0
    assert done.err == ""
    assert 'sense = "min"' in done.out
    assert "[state.a]" in done.out
    assert sorted(os.listdir()) == ["log.csv"]


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["log.csv", "-o", "m.toml"], 2, "tabular-rl estimate: Missing option '--gamma'."),
        (["log.csv", "--gamma", "1"], 2, "tabular-rl estimate: Missing option '-o' / '--output'."),
        (["log.csv", "--gamma", "2", "-o", "m.toml"], 2, "--gamma: found '2', expected a number from 0 to 1"),
        (["lgo.csv", "--gamma", "1", "-o", "m.toml"], 2, "lgo.csv: no such file; did you mean 'log.csv'?"),
        (["log.csv", "--gamma", "1", "-o", "log.csv"], 2, "log.csv: is also the input, expected another file"),
        (["log.csv", "--gamma", "1", "-o", "m.txt"], 2, "m.txt: found suffix '.txt', expected one of .toml, .csv, .npz"),
        (["log.csv", "--gamma", "1", "-o", "no/m.toml"], 5, "no/m.toml: cannot be written: no such folder no"),
        (["log.csv", "--gamma", "1", "-o", "m.toml", "--terminal", "ned"], 2, "log.csv: terminal: no such state 'ned' in "
         "the log; did you mean 'end'?"),
        (["log.csv", "--gamma", "1", "-o", "m.toml", "--terminal", "a"], 2, "log.csv: state 'a': found transition 1 from "
         "it, expected none from a terminal state"),
        (["open.csv", "--gamma", "1", "-o", "m.toml"], 2, "open.csv: state 'x': found no transition from it, and "
         "transition 1 leads there without done"),
        (["bad.csv", "--gamma", "1", "-o", "m.toml"], 2, "bad.csv:2: state 'a', action 'go': found reward 'nan'"),
    ],
)  # fmt: skip
def test_faults(capsys, here, arguments, code, expected):
    (here / "open.csv").write_text(HEAD + "a,go,0,x,0\n")
    (here / "bad.csv").write_text(HEAD + "a,go,nan,a,0\n")
    before = sorted(os.listdir())
    done = inside(capsys, "estimate", *arguments)
    assert done.code == code
    assert done.out == ""
    assert one_line(done.err).startswith(expected)
    assert sorted(os.listdir()) == before


def test_a_model_its_log_and_the_model_again(capsys):
    """What is estimated from a long log has the states of the model, and rewards that are those of the model."""
    done = inside(
        capsys, "simulate", ROBOT, "--episodes", "300", "--steps", "50", "--seed", "1", "--log", "robot.csv"
    )
    assert (done.code, done.out) == (0, "")
    assert done.err == "robot.csv: written, 300 episodes, 15000 transitions\n"
    assert inside(capsys, "estimate", "robot.csv", "--gamma", "0.9", "-o", "robot.toml", "-q").code == 0
    robot, found = load(ROBOT), load("robot.toml")
    assert list(found.states) == list(robot.states)
    assert found.start[0] == 1
    assert outcomes(found) == outcomes(robot)


def outcomes(mdp):
    rows = [i for i in range(mdp.L) for _ in range(mdp.row_ptr[i], mdp.row_ptr[i + 1])]
    return {
        (
            mdp.states[mdp.state_of_row(i)],
            mdp.actions[mdp.pair_action[i]],
            mdp.states[mdp.next_state[k]],
            mdp.reward[k],
        )
        for k, i in enumerate(rows)
    }


def test_the_same_seed_writes_the_same_log(capsys, here):
    for name, seed in (("one.npz", 0), ("two.npz", 0), ("three.npz", 1)):
        inside(capsys, "simulate", ROBOT, "--episodes", "5", "--log", name, "--seed", seed)
    one, two, three = ((here / name).read_bytes() for name in ("one.npz", "two.npz", "three.npz"))
    assert one == two != three


def test_a_policy_and_a_start_for_the_log(capsys):
    options = ("--policy", "action:wait", "--start", "low", "--episodes", "2", "--steps", "3")
    inside(capsys, "simulate", ROBOT, "--log", "log.npz", *options)
    log = read_log("log.npz", load(ROBOT))
    assert log.row.tolist() == [load(ROBOT).row("low", "wait")] * 6
    assert log.next_row[2] == -1


@pytest.mark.parametrize(
    ("options", "code", "expected"),
    [
        (["--json"], 2, "--json: found --log too, which estimates nothing, expected one of them"),
        (
            ["--time-limit", "1"],
            2,
            "--time-limit: found --log too, which estimates nothing, expected one of them",
        ),
        (["--log", "log.txt"], 2, "--log: found suffix '.txt', expected one of .csv, .npz, .parquet"),
        (["--log", "no/log.csv"], 5, "no/log.csv: cannot be written: no such folder no"),
    ],
)
def test_faults_of_log(capsys, options, code, expected):
    done = inside(capsys, "simulate", ROBOT, "--log", "new.csv", "--episodes", "2", *options)
    assert done.code == code
    assert done.out == ""
    assert one_line(done.err) == expected
    assert not os.path.exists("new.csv")


def test_a_log_without_end_is_refused(capsys, monkeypatch):
    monkeypatch.setattr("tabular_rl.commands.simulate.MOST_LOGGED", 1000)
    done = inside(capsys, "simulate", ROBOT, "--log", "new.csv")
    assert done.code == 2
    assert one_line(done.err).startswith("--log: found more than 1,000 transitions, expected fewer")


# -- columns with names of their own --------------------------------------------------------------------------------

CARE = (
    "id,x,dose,reward,done\n1,high,wait,1,0\n1,high,search,5,0\n1,low,wait,1,0\n1,low,search,5,0\n1,low,recharge,0,0\n"
    "1,high,wait,1,0\n2,high,search,5,0\n2,high,wait,1,0\n"
)
ASKED = ("--columns", "state=x,action=dose", "--episode-column", "id")


@pytest.mark.parametrize(
    "command",
    [
        ("learn", ROBOT, "--data", "care.csv", "--steps", "9", "--no-reference", *ASKED),
        ("compare", ROBOT, "q-learning", "--data", "care.csv", "--steps", "9", *ASKED),
        (
            "gradient",
            ROBOT,
            "--horizon",
            "1",
            "--data",
            "care.csv",
            "--behavior",
            "log",
            *ASKED,
        ),
        ("estimate", "care.csv", "--gamma", "0.9", "-o", "care.toml", *ASKED),
    ],
)
def test_commands_take_columns_by_name(capsys, here, command):
    (here / "care.csv").write_text(CARE)
    done = inside(capsys, *command)
    assert done.code == 0, done.err
    assert "care.csv: next states are those of the next line of the episode; 2 lines are dropped" in done.err
    assert "care.csv: " not in inside(capsys, *command, "-q").err
    done = inside(capsys, *(word.replace("dose", "does") for word in command))
    assert done.code == 2
    assert "care.csv:1: --columns: action: found no column 'does'; did you mean 'dose'?" in done.err


@pytest.mark.parametrize("command", [("learn",), ("gradient",), ("compare", "q-learning")])
@pytest.mark.parametrize("asked", [ASKED[:2], ASKED[2:]])
def test_columns_without_a_log(capsys, command, asked):
    done = inside(capsys, command[0], ROBOT, *command[1:], *asked)
    assert (done.code, done.out) == (2, "")
    assert one_line(done.err) == f"{asked[0]}: found no --data, expected a log"


# -- confidence -------------------------------------------------------------------------------------------------------


def test_confidence_and_prior_on_the_command_line(capsys, here):
    inside(capsys, "simulate", ROBOT, "--episodes", "40", "--steps", "50", "--log", "robot.csv")
    asked = (
        "estimate",
        "robot.csv",
        "--gamma",
        "0.9",
        "-o",
        "robot.toml",
        "--confidence",
        "0.9",
        "--prior",
        "1/2",
    )
    done = inside(capsys, *asked)
    assert done.code == 0
    assert "with 90% confidence, values of the best policy in the process itself:" in done.out
    assert (
        "This holds if rewards lie in -3 to 2 (those of the log), and there are no states or pairs"
        in done.out
    )
    assert "prior: 1/2 added to the count of each next state" in done.out
    known = json.loads(
        inside(capsys, *asked, "--json", "--policy", "uniform", "--reward-range", "-9", "2").out
    )["confidence"]
    assert (known["level"], known["policy"], known["reward_range"]) == (0.9, "uniform", [-9, 2])
    assert known["states"] == ["high", "low"]
    assert all(a < b for a, b in zip(known["lower"], known["upper"], strict=True))
    assert len(known["radius"]) == len(known["tries"]) == len(known["pairs"])


@pytest.mark.parametrize("option", [("--policy", "uniform"), ("--reward-range", "0", "1")])
def test_what_needs_a_confidence(capsys, option):
    done = inside(capsys, "estimate", "log.csv", "--gamma", "0.9", "-o", "m.toml", *option)
    assert (done.code, one_line(done.err)) == (2, f"{option[0]}: found no --confidence, expected both")
