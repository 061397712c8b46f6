"""`compare`, `simulate`, `check`, `show`, `methods`, `make`, `convert`, `examples`, and the help of all."""

from __future__ import annotations

import importlib
import inspect
import json
import re

import pytest
from program import inside, one_line

from tabular_rl.commands import COMMANDS, Interrupted
from tabular_rl.formats import load
from tabular_rl.formats.bundled import examples
from tabular_rl.methods.lookup import ALIASES, METHODS, PLANNERS
from tabular_rl.model import families
from tabular_rl.report.layout import width
from tabular_rl.solving import run as running

ROBOT = "example:recycling_robot"


# -- help ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_a_summary_an_example_and_no_raw_marks(capsys, name):
    done = inside(capsys, name, "--help")
    assert done.code == 0
    assert done.err == ""
    assert re.search(rf"^ +tabular-rl {name}", done.out, re.MULTILINE)
    assert "\b" not in done.out
    callback = importlib.import_module(f"tabular_rl.commands.{name}").command.callback
    first = inspect.getdoc(callback).split("\n\n")[0].replace("\n", " ")
    assert first.partition(";")[0].rstrip(".") == COMMANDS[name].rstrip(".")


def test_help_lists_every_command(capsys):
    out = inside(capsys, "--help").out
    assert all(re.search(rf"^  {name} ", out, re.MULTILINE) for name in COMMANDS)


def test_no_command_at_all_is_wrong_usage(capsys):
    done = inside(capsys)
    assert done.code == 2
    assert done.out == ""
    assert "Usage: tabular-rl" in done.err


def test_unknown_commands_are_told_with_the_closest(capsys):
    done = inside(capsys, "slove", ROBOT)
    assert done.code == 2
    assert "no command 'slove'; did you mean 'solve'?" in one_line(done.err)


def test_version(capsys):
    assert re.fullmatch(r"tabular-rl \d+\.\d+\.\d+\S*\n", inside(capsys, "--version").out)


def test_options_come_from_the_catalogue(capsys):
    for command, task in (("solve", "control"), ("evaluate", "prediction")):
        out = inside(capsys, command, "--help").out
        for function in PLANNERS.values():
            if function.task == task:
                assert all(option.flag in out for option, _ in function.options.values())


# -- methods and examples ------------------------------------------------------------------------------------------


def test_methods_lists_all(capsys):
    out = inside(capsys, "methods").out
    for name, function in METHODS.items():
        assert re.search(rf"^{name} .*{re.escape(function.summary[:30])}", out, re.MULTILINE)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_described(capsys, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    out = inside(capsys, "methods", name).out
    assert max(map(width, out.splitlines())) <= 80
    spec, words = METHODS[name], " ".join(out.split())
    assert " ".join(spec.equation.split()) in words
    assert spec.source in words
    assert "Examples" in out
    assert all(option.flag in out for option, _ in spec.options.values())


def test_unknown_methods_are_told_with_the_closest(capsys):
    done = inside(capsys, "methods", "value-iter")
    assert done.code == 2
    assert "did you mean 'value-iteration'?" in one_line(done.err)


def test_methods_as_json(capsys):
    document = json.loads(inside(capsys, "methods", "--json").out)
    assert [m["name"] for m in document["methods"]] == list(METHODS)


def test_examples_lists_all(capsys):
    lines = inside(capsys, "examples").out.splitlines()[1:]
    assert [line.split()[0] for line in lines if line.startswith("example:")] == [
        f"example:{name}" for name in examples()
    ]
    document = json.loads(inside(capsys, "examples", "--json").out)
    robot = next(x for x in document["examples"] if x["example"] == "recycling_robot")
    assert robot == {
        "example": "recycling_robot",
        "name": "recycling robot",
        "source": "Sutton & Barto (2018), Example 3.3",
    }


def test_unknown_examples_are_told_with_the_closest(capsys):
    done = inside(capsys, "solve", "example:recycling-robot")
    assert done.code == 2
    assert "did you mean 'recycling_robot'?" in one_line(done.err)


# -- check and show ------------------------------------------------------------------------------------------------


def test_check_counts(capsys):
    done = inside(capsys, "check", ROBOT)
    assert done.code == 0
    assert "recycling robot: valid" in done.out
    assert "2 states (0 terminal), 3 actions, 5 pairs, 7 outcomes" in done.out
    assert "remark" not in done.out
    document = json.loads(inside(capsys, "check", ROBOT, "--json").out)
    assert (document["valid"], document["pairs"], document["outcomes"]) == (True, 5, 7)


def test_check_tells_every_fault_with_its_line(capsys, tmp_path):
    path = tmp_path / "m.toml"
    path.write_text('discount = 0.9\n[state.a]\ngo = { to = { a = 0.9 } }\nstay = { to = "b" }\n')
    done = inside(capsys, "check", path)
    assert (done.code, done.out) == (2, "")
    assert f"{path}:3: " in done.err
    assert f"{path}:4: " in done.err


def test_check_remarks_on_what_is_odd(capsys, tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(
        'discount = 0.9\nstart = "a"\nactions = ["go", "fly"]\n[state.a]\ngo = { to = "a" }\n'
        '[state.island]\ngo = { to = "a" }\n'
    )
    out = inside(capsys, "check", path).out
    assert "1 state cannot be reached from the start: island" in out
    assert "no state has the action fly" in out


def test_check_remarks_on_rewards_and_ends_that_nothing_leads_to(capsys, tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(
        'discount = 0.9\nterminal = ["end", "gaol"]\n[state.a]\n'
        'go = { to = [{ state = "a", p = 1 }, { state = "end", p = 0, reward = 5 }] }\n'
    )
    out = inside(capsys, "check", path).out
    first = "state 'a', action 'go', next state 'end': reward 5"
    assert f"remark: 1 outcome with probability 0; rewards there are never collected: {first}\n" in out
    assert "remark: no transition leads to 2 terminal states: end, gaol\n" in out
    most = f'"{10**400 - 1}/{10**400}"'
    path.write_text(
        f'discount = 1\nterminal = ["end"]\n[state.a]\ngo = {{ to = {{ a = {most}, end = 1e-400 }} }}\n'
    )
    assert "remark:" not in inside(capsys, "check", path).out
    path.write_text(
        'numbers = "float64"\ndiscount = 1\nterminal = ["end"]\n[state.a]\ngo = { to = { a = 1, end = 1e-400 } }\n'
    )
    done = inside(capsys, "check", path)
    assert done.code == 2
    assert "found probability 1e-400, which underflows" in one_line(done.err)


def test_check_does_not_call_dropped_rewards_valid(capsys, tmp_path):
    path = tmp_path / "m.toml"
    text = 'discount = 1\nterminal = ["1"]\n[tensors]\nP = [[[0, 1]], [[0, 0]]]\nR = [-3, 100]\n'
    path.write_text(text)
    done = inside(capsys, "check", path)
    assert done.code == 2
    assert "terminal state '1' has reward 100, which is never collected" in one_line(done.err)
    path.write_text(text + 'terminal_rewards = "on entry"\n')
    assert "valid" in inside(capsys, "check", path).out
    assert "97" in inside(capsys, "solve", path).out


def test_show_prints_the_model(capsys):
    out = inside(capsys, "show", ROBOT).out
    table = [line.split() for line in out.split("\n\n")[1].splitlines()]
    assert table[1] == ["high", "search", "high", "0.8", "2"]
    assert table[4] == ["low", "search", "low", "0.6", "2"]
    assert len(table) == 8


def test_show_one_state(capsys):
    out = inside(capsys, "show", ROBOT, "--state", "low").out
    assert "recharge" in out
    assert not re.search(r"^high", out, re.MULTILINE)
    done = inside(capsys, "show", ROBOT, "--state", "lo")
    assert done.code == 2
    assert "did you mean 'low'?" in one_line(done.err)


def test_show_all_outcomes(capsys):
    assert "more outcomes" in inside(capsys, "show", "example:taxi").out
    out = inside(capsys, "show", "example:taxi", "--all").out
    assert "more outcomes" not in out
    assert len(out.splitlines()) > 3000


# -- convert and make ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m.toml", "m.csv", "m.npz", "m"])
def test_convert_keeps_the_model(capsys, tmp_path, name):
    path = tmp_path / name
    assert inside(capsys, "convert", "example:blackjack", path).code == 0
    assert load(path).digest == load("example:blackjack").digest


def test_convert_takes_its_output_either_way(capsys, tmp_path):
    path = tmp_path / "robot.csv"
    assert inside(capsys, "convert", ROBOT, "-o", path).code == 0
    assert load(path) == load(ROBOT)
    neither = inside(capsys, "convert", ROBOT)
    assert (neither.code, neither.err.count("\n")) == (2, 1)
    assert "found no OUTPUT, expected one" in neither.err
    both = inside(capsys, "convert", ROBOT, tmp_path / "a.csv", "-o", tmp_path / "b.csv")
    assert (both.code, both.err.count("\n")) == (2, 1)
    assert "b.csv beside OUTPUT" in both.err
    assert sorted(tmp_path.iterdir()) == [path]


def test_convert_writes_to_stdout(capfdbinary):
    from tabular_rl.commands import run

    assert run(["convert", ROBOT, "-", "-q"]) == 0
    assert b"discount = 0.9" in capfdbinary.readouterr().out


@pytest.mark.parametrize(("name", "code"), [("m.xyz", 2), ("none/m.toml", 5), ("none/m", 5), ("file/m", 5)])
def test_convert_refuses_before_it_reads(capsys, tmp_path, monkeypatch, name, code):
    import tabular_rl.commands.convert as module

    monkeypatch.setattr(
        module, "read_model", lambda given: pytest.fail("read before the output was looked at")
    )
    (tmp_path / "file").touch()
    done = inside(capsys, "convert", ROBOT, tmp_path / name)
    assert done.code == code
    assert str(tmp_path) in one_line(done.err)


def test_convert_never_writes_over_its_input(capsys, tmp_path):
    path = tmp_path / "m.toml"
    path.write_text('discount = 0.5\n[state.a]\ngo = { to = "a" }\n')
    before = path.read_bytes()
    assert inside(capsys, "convert", path, path).code == 2
    assert path.read_bytes() == before


@pytest.mark.parametrize("family", families.FAMILIES)
def test_every_family_makes_a_valid_model(capsys, tmp_path, family):
    path = tmp_path / "m.npz"
    done = inside(capsys, "make", family.replace("_", "-"), "-o", path)
    assert done.code == 0
    assert "written as npz" in one_line(done.err)
    assert load(path).digest == families.FAMILIES[family]().digest


def test_make_takes_options(capsys, tmp_path):
    path = tmp_path / "m.toml"
    assert (
        inside(
            capsys, "make", "gridworld", "--rows", 3, "--columns", 4, "--gamma", "1/2", "-o", path, "-q"
        ).code
        == 0
    )
    mdp = load(path)
    assert (mdp.S, mdp.gamma) == (12, 0.5)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["gridwrld", "-o", "x"], 2, "did you mean 'gridworld'?"),
        (["gridworld"], 2, "--output"),
        (["gridworld", "--rows", "0", "-o", "x"], 2, "--rows: found '0', expected a whole number from 1"),
        (["gridworld", "--rows", "1e18", "-o", "x"], 2, "Choose a smaller model"),
        (["gridworld", "--seed", "-1", "-o", "x"], 2, "--seed: found '-1'"),
        (["gridworld", "--actions", "3", "-o", "x"], 2, "no option '--actions'"),
        (["gridworld", "-o", "none/x.npz"], 5, "none/x.npz"),
    ],
)
def test_make_refuses_what_makes_no_sense(capsys, tmp_path, monkeypatch, arguments, code, says):
    monkeypatch.chdir(tmp_path)
    done = inside(capsys, "make", *arguments)
    assert done.code == code
    assert says in one_line(done.err)
    assert not list(tmp_path.iterdir())


# -- compare and simulate ------------------------------------------------------------------------------------------


def test_compare_shows_a_line_a_method(capsys):
    done = inside(capsys, "compare", ROBOT)
    assert done.code == 0
    assert "reference: exact, in rational arithmetic" in done.out
    row = next(line for line in done.out.splitlines() if line.startswith("value-iteration")).split()
    assert float(row[1]) < 1e-6
    assert float(row[2]) < 1e-6
    assert row[3] == "optimal"


def test_compare_asserts(capsys):
    yes = inside(
        capsys, "compare", ROBOT, "--method", "value-iteration", "--assert", "value-iteration < 0.05"
    )
    assert yes.code == 0
    assert "value-iteration < 0.05: yes" in yes.out
    no = inside(
        capsys, "compare", ROBOT, "--method", "value-iteration", "--assert", "value-iteration.bound > 5"
    )
    assert no.code == 1
    assert "value-iteration.bound > 5: no" in no.out
    wrong = inside(
        capsys, "compare", ROBOT, "--method", "value-iteration", "--assert", "policy-iteration < 1"
    )
    assert wrong.code == 2
    assert "policy-iteration" in one_line(wrong.err)


def test_compare_finds_an_answer_that_is_too_coarse(capsys):
    done = inside(
        capsys,
        "compare",
        "example:random_walk_19",
        "--method",
        "value-iteration",
        "--tolerance",
        0.5,
        "--assert",
        "value-iteration < 1e-9",
    )
    assert done.code == 1
    assert "value-iteration < 1e-9: no" in done.out


def test_compare_as_json(capsys, tmp_path):
    path = tmp_path / "c.json"
    done = inside(capsys, "compare", ROBOT, "--policy", "uniform", "--json", "-o", path)
    document = json.loads(done.out)
    assert json.loads(path.read_text()) == document
    assert document["reference"]["exact"] is True
    assert all(m["error"] < 1e-6 and m["loss"] is None for m in document["methods"])


def test_simulate_shows_the_exact_value_beside(capsys):
    done = inside(capsys, "simulate", "example:random_walk_5", "--episodes", 2000)
    assert done.code == 0
    assert re.search(r"^exact value  0\.500000 ± ", done.out, re.MULTILINE)
    assert "0.99 confidence interval" in done.out
    assert "2000 episodes" in done.out
    assert inside(capsys, "simulate", "example:random_walk_5", "--episodes", 2000).out == done.out


def test_simulate_as_json(capsys):
    document = json.loads(
        inside(capsys, "simulate", ROBOT, "--episodes", 100, "--level", 0.9, "--json", "-q").out
    )
    assert document["episodes"] == 100
    assert document["lower"] < document["mean"] < document["upper"]
    assert document["verdict"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--start", "done"], 2, "--start: state 'done': no such state"),
        (["--start", "0,0"], 2, "found a terminal state"),
        (["--episodes", "0"], 2, "--episodes: found '0', expected a whole number from 1 to"),
        (["--episodes", "1000000000000000000"], 2, "--episodes"),
        (["--seed", "-1"], 2, "--seed"),
        (["--seed", "1.5"], 2, "--seed: found '1.5'"),
        (["--level", "1"], 2, "--level"),
        (["--policy", "action:up"], 4, "never terminates"),
        (
            ["--policy", "epsilon-greedy:2:uniform"],
            2,
            "--policy: found 'epsilon-greedy:2:uniform', expected epsilon-gr",
        ),
    ],
)
def test_simulate_refuses_what_makes_no_sense(capsys, arguments, code, says):
    done = inside(capsys, "simulate", "example:gridworld_4x4", *arguments)
    assert done.code == code
    assert says in one_line(done.err)


def test_episodes_that_do_not_end_are_no_answer(capsys):
    done = inside(capsys, "simulate", "example:gridworld_4x4", "--steps", 2, "--episodes", 50)
    assert done.code == 3
    assert "raise --steps" in done.out
    assert "mean return" not in done.out


def test_assertions_name_the_methods_compared(capsys):
    done = inside(capsys, "compare", "example:forest", "--method", "rational", "--assert", "VI < 1")
    assert done.code == 2
    assert "'value-iteration' is not compared, expected one of rational" in one_line(done.err)


def test_a_policy_of_another_horizon_is_simulated(capsys, tmp_path):
    for path in (tmp_path / "a.json", tmp_path / "a.csv"):
        assert inside(capsys, "solve", "example:forest", "-q", "-o", path).code == 0
        done = inside(
            capsys, "simulate", "example:forest", "--policy", path, "--horizon", 5, "--episodes", 50
        )
        assert done.code == 0
        assert "exact value" in done.out


def test_the_time_limit_holds_for_the_exact_value(capsys, monkeypatch):
    given = []

    def stopped(mdp, policy, time_limit):
        given.append(time_limit)
        raise running.Stop("time")

    monkeypatch.setattr("tabular_rl.methods.planning.auto.auto_evaluation", stopped)
    done = inside(capsys, "simulate", "example:forest", "--episodes", 50, "--time-limit", 50_000)
    assert done.code == 0
    assert 0 < given[0] < 50_000
    assert "exact value  not computed: the time limit is over" in done.out


@pytest.mark.parametrize(
    ("command", "says"), [("convert", "nothing was written"), ("check", "nothing is proven yet")]
)
def test_an_interruption_says_what_was_lost(capsys, monkeypatch, tmp_path, command, says):
    def stop(*_, **__):
        raise Interrupted(2)

    monkeypatch.setattr("tabular_rl.commands._files.load", stop)
    more = [tmp_path / "a.toml"] if command == "convert" else []
    done = inside(capsys, command, "example:forest", *more)
    assert done.code == 130
    assert one_line(done.err) == f"interrupted: {says}"


def test_every_short_name_is_one_of_a_method():
    assert set(ALIASES.values()) <= set(METHODS)
    assert all(alias.isupper() for alias in ALIASES)


def test_short_names_of_methods_in_any_case(capsys):
    for short, name in (
        ("VI", "value-iteration"),
        ("mpi", "modified-policy-iteration"),
        ("Lp", "linear-programming"),
    ):
        done = inside(capsys, "solve", "example:forest", "--method", short, "--json", "-q")
        assert (done.code, json.loads(done.out)["method"]) == (0, name)
    assert inside(capsys, "methods", "mc").out == inside(capsys, "methods", "monte-carlo").out
    assert inside(capsys, "methods").out.endswith("TD td0, MC monte-carlo\n")
    done = inside(capsys, "evaluate", "example:forest", "--method", "PI")
    assert done.code == 2
    assert "'policy-iteration' finds the best policy" in one_line(done.err)
    done = inside(
        capsys, "compare", "example:forest", "VI", "value-iteration", "--assert", "vi < 1e-3", "--json"
    )
    assert [row["method"] for row in json.loads(done.out)["methods"]] == ["value-iteration"]


@pytest.mark.parametrize(
    ("text", "gamma"),
    [("1/1.02", "50/51"), ("1-0.05", "0.95"), ("0.9 * 0.9", "0.81"), ("0.25+0.25", "0.5")],
)
def test_a_discount_may_be_calculated_and_stays_exact(capsys, text, gamma):
    done = inside(capsys, "solve", "example:forest", "--gamma", text, "--json", "-q")
    assert (done.code, json.loads(done.out)["gamma_exact"]) == (0, gamma)


@pytest.mark.parametrize("text", ["1/0.5", "1/0.0", "1/1.02/2", "1.02-", "0.5**2", "1//2", "--0.5", "(0.5)"])
def test_a_discount_that_cannot_be_calculated_is_refused(capsys, text):
    done = inside(capsys, "solve", "example:forest", f"--gamma={text}")
    assert done.code == 2
    assert f"--gamma: found '{text}', expected a number from 0 to 1" in one_line(done.err)
