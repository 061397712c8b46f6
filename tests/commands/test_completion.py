"""The Tab key completes files, examples, methods and choices, in bash and zsh on a terminal, and in fish."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import click
import pytest
from program import outside
from shells import Shell, program_in

from tabular_rl.commands import COMMANDS, program
from tabular_rl.commands._completion import Typed, answer, offered
from tabular_rl.commands._options import Value
from tabular_rl.formats.registry import MODELS
from tabular_rl.methods.lookup import LEARNERS, METHODS, PLANNERS
from tabular_rl.solving.options import OPTIONS

# What stands on the line when the Tab key was pressed at the end of this.
LINES = {
    "tabular-rl solve do": "tabular-rl solve document.toml ",
    "tabular-rl solve my": r"tabular-rl solve my\ model.toml ",
    "tabular-rl solve exa": "tabular-rl solve example:",
    "cat x | tabular-rl solve example:recy": "cat x | tabular-rl solve example:recycling_robot ",
    "tabular-rl evaluate x --policy=greedy:do": "tabular-rl evaluate x --policy=greedy:document.toml ",
    "tabular-rl solve x --method=val": "tabular-rl solve x --method=value-iteration ",
    r"tabular-rl show example:taxi --state 4:4\ Y\ to\ R": r"tabular-rl show example:taxi --state 4:4\ Y\ to\ R ",
    'tabular-rl show example:taxi --state "4:4 Y to R': 'tabular-rl show example:taxi --state "4:4 Y to R" ',
}


EXPLORE = ("greedy", "epsilon-greedy:", "epsilon-visits:", "boltzmann:", "ucb:")


@pytest.fixture
def folder(tmp_path):
    where = tmp_path / "models"
    (where / "deep").mkdir(parents=True)
    for name in ("document.toml", "my model.toml"):
        (where / name).touch()
    return where


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_tab_in_a_shell(name, folder, tmp_path):
    if shutil.which(name) is None:
        pytest.skip(f"no {name} on this machine")
    shell = Shell(name, folder, tmp_path / "bin")
    try:
        assert {line: shell.tab(line)[0] for line in LINES} == LINES
        line, listed = shell.tab("tabular-rl solve ")
        assert line == "tabular-rl solve "
        assert all(word in listed for word in ("example:", "document.toml", "deep/"))
    finally:
        shell.close()


def test_tab_in_fish(folder, tmp_path):
    if shutil.which("fish") is None:
        pytest.skip("no fish on this machine")
    asked = [
        ("solve do", ["document.toml"]),
        ("solve example:recy", ["example:recycling_robot"]),
        ("evaluate x --policy=greedy:do", ["--policy=greedy:document.toml"]),
        ("show example:taxi --state '4:4 Y to R", ["4:4 Y to R"]),
    ]
    script = "_TABULAR_RL_COMPLETE=fish_source tabular-rl | source\n"
    script += "\n".join(f"complete -C {shlex.quote('tabular-rl ' + line)}; echo ==" for line, _ in asked)
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        cwd=folder, env=program_in(tmp_path / "bin"), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    found = [
        [line.partition("\t")[0] for line in part.strip().splitlines()] for part in done.stdout.split("==\n")
    ]
    assert found[:-1] == [words for _, words in asked], done.stderr


def words(line: str) -> list[str]:
    """What is offered at the end of a line, files as <>."""
    typed = Typed.of("tabular-rl " + line)
    offer = offered(typed.words[1:], typed.word)
    return [word for word, _ in offer.words] + ([offer.files + "<>"] if offer.files is not None else [])


def names(methods, task):
    found = [f.name for f in methods.values() if f.task == task]
    return ["auto" if name.startswith("auto") else name for name in found]


@pytest.mark.parametrize(
    ("line", "want"),
    [
        ("", list(COMMANDS)),
        ("so", ["solve"]),
        ("--v", ["--version"]),
        ("slove ", []),
        ("solve ", ["example:", "gymnasium:", "<>"]),
        ("solve example:forest", ["example:forest", "example:forest_horizon"]),
        ("solve gymnasium:Fr", ["gymnasium:FrozenLake-v1", "gymnasium:FrozenLake8x8-v1"]),
        ("solve x --method ", names(PLANNERS, "control")),
        ("evaluate x --method ", names(PLANNERS, "prediction")),
        ("learn --method ", list(LEARNERS)),
        ("methods ", list(METHODS)),
        ("compare x ", list(METHODS)),
        ("compare x VI ", list(METHODS)),
        ("compare x --method dyna", ["dyna-q"]),
        ("compare x mc,vi", ["mc,visit="]),
        ("compare x mc,visit=", ["mc,visit=first", "mc,visit=every"]),
        ("solve x y", []),
        ("solve --tolerance 1 ", ["example:", "gymnasium:", "<>"]),
        ("solve -q -o ", ["<>"]),
        ("solve --quiet exa", ["example:", "<>"]),
        ("solve -qq exa", ["example:", "<>"]),
        ("solve x --ex", ["--exact"]),
        ("solve x -- --ex", []),
        ("learn x --policy ", ["uniform", "optimal", "greedy:", "epsilon-greedy:", "action:", "<>"]),
        ("learn x --behavior l", ["log", "<>"]),
        ("learn x --policy greedy:", ["greedy:<>"]),
        ("learn x --policy epsilon-greedy:", ["epsilon-greedy:0.1:"]),
        ("learn x --policy epsilon-greedy:1/3:gr", ["epsilon-greedy:1/3:greedy:", "epsilon-greedy:1/3:<>"]),
        ("learn example:forest --policy=action:", ["--policy=action:wait", "--policy=action:cut"]),
        ("learn none.toml --policy action:", []),
        ("learn x --explore=", [f"--explore={b}" for b in EXPLORE]),
        ("learn x --features ", ["one-hot", "aggregate:", "<>"]),
        ("gradient example:forest --axis ", ["young", "middle", "old"]),
        ("gradient example:forest --axis old ", ["wait", "cut"]),
        ("gradient x --estimator g", ["gae:"]),
        ("make ga", ["garnet"]),
        ("help sol", ["solve"]),
        ("help certi", ["certificates"]),
        ("help make ga", ["garnet"]),
        ("help solve ", []),
        ("make garnet --g", ["--gamma"]),
        ("make garnet --to ", [format.name for format in MODELS.written]),
        ("convert example:forest ", ["<>"]),
        ("estimate ", ["<>"]),
        ("verify example:forest ", ["<>"]),
    ],
)  # fmt: skip
def test_what_is_offered(line, want):
    assert words(line) == want


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_that_is_no_number_is_completed(name):
    command = program.get_command(click.Context(program), name)
    for parameter in command.params:
        if (
            getattr(parameter, "is_flag", False)
            or getattr(parameter, "count", False)
            or (name == "estimate" and parameter.metavar == "STATE")
        ):
            continue  # of a log the states are not looked for
        free = parameter.name in ("asserted", "transition", "reward_range")  # texts with numbers in them
        if isinstance(parameter.type, Value):
            free = not (parameter.type.option.choices or parameter.type.option.begins)
        line = f"{name} example:forest "
        if isinstance(parameter, click.Option):
            line += f"{parameter.opts[-1]} "
        elif parameter is command.params[0] or parameter.name in ("log", "method"):
            line = f"{name} "
        assert bool(words(line)) != free, (name, parameter.name)


@pytest.mark.parametrize("option", [o for o in OPTIONS.values() if o.parse is not None], ids=lambda o: o.name)
def test_beginnings_are_those_that_the_option_takes(option):
    rest = {
        "linear:": "1:0:5",
        "exponential:": "1:0.5",
        "epsilon-greedy:": "0.5",
        "aggregate:": "2",
        "average:": "1",
    }
    assert option.begins
    for begin in option.begins:
        option.check(begin + rest.get(begin, "1" if begin.endswith(":") else ""))


def test_bash_is_told_what_readline_replaces(monkeypatch):
    line = "tabular-rl evaluate example:forest --policy=action:w"
    assert answer("bash", line) == "words\nwait\n"
    monkeypatch.setenv("COMP_WORDBREAKS", " ")  # as some people set it: then the whole word is replaced
    assert answer("bash", line) == "words\n--policy=action:wait\n"


@pytest.mark.parametrize(
    "line", ["", " ", "tabular-rl", "tabular-rl 'solve", "tabular-rl solve \\", 'tabular-rl "']
)
def test_odd_lines_are_no_error(line):
    assert all(answer(shell, line) for shell in ("bash", "zsh", "fish"))


def test_the_variable_is_answered_by_the_program():
    env = {"_TABULAR_RL_COMPLETE": "bash_complete", "COMP_LINE": "tabular-rl solve --method val"}
    assert outside(env=env).out == "words\nvalue-iteration\n"
    done = outside(env={"_TABULAR_RL_COMPLETE": "csh_source"})
    assert done.code == 2
    assert "expected bash_source, zsh_source or fish_source" in done.err
