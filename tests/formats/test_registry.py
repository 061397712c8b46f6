"""A format is one file and one line: what loads, saves, completes, lists or explains it follows from the line."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
from planted_format import LINE, MAGIC

from tabular_rl import ModelError, OptionError, load, save, solve
from tabular_rl.formats.answer_entries import Answer
from tabular_rl.formats.answers import read_answer
from tabular_rl.formats.registry import ANSWERS, LOGS, MODELS, Format, Formats

PAGE = Path(__file__).resolve().parents[2] / "docs" / "file-format.md"


@pytest.fixture
def planted(monkeypatch):
    monkeypatch.setattr(MODELS, "formats", [*MODELS.formats, LINE])


def table(formats: Formats) -> str:
    """The table of the page on model files."""
    lines = ["| format | name | for |", "|---|---|---|"]
    for format in formats.formats:
        name = f"model{format.suffixes[0] if format.suffixes else '/'}"
        lines.append(f"| [{format.title}](#{format.name}) | `{name}` | {format.purpose} |")
    return "\n".join(lines)


def test_the_page_has_the_table():
    assert table(MODELS) in PAGE.read_text(encoding="utf-8"), (
        f"docs/file-format.md: expected\n{table(MODELS)}"
    )


def test_the_table_of_the_readme_names_every_suffix():
    """The first column of what is read, and what is written, by suffix."""
    lines = (PAGE.parents[1] / "README.md").read_text(encoding="utf-8").splitlines()
    start = lines.index("| of | read | written |")
    rows = list(takewhile(lambda line: line.startswith("|"), lines[start:]))
    for format in MODELS.formats:
        assert all(any(f"`{suffix}`" in row for row in rows) for suffix in format.suffixes), format.name


def test_a_planted_format_is_in_the_table(planted):
    assert table(MODELS).endswith("| [planted](#planted) | `model.planted` | tests: CSV behind a word |")


def test_a_planted_format_is_saved_and_loaded(planted, tmp_path, monkeypatch):
    robot = load("example:recycling_robot")
    path = tmp_path / "robot.planted"
    save(robot, path)
    assert path.read_bytes().startswith(MAGIC)
    assert load(path) == robot
    assert load(path, gamma="1/2").gamma == 0.5
    save(robot, tmp_path / "robot", format="planted")
    assert load(tmp_path / "robot", format="planted") == robot
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert load("-") == robot, "a pipe is told by its first bytes"


def test_errors_know_a_planted_format(planted, tmp_path):
    save(load("example:recycling_robot"), tmp_path / "robot.planted")
    os.rename(tmp_path / "robot.planted", tmp_path / "robot.csv")
    with pytest.raises(ModelError, match=r"found a planted model, expected CSV\. Name it \.planted\."):
        load(tmp_path / "robot.csv")
    (tmp_path / "text.planted").write_text("discount = 1\n")
    with pytest.raises(ModelError, match=r"text\.planted: found text, expected a planted model"):
        load(tmp_path / "text.planted")
    (tmp_path / "robot.x").touch()
    with pytest.raises(ModelError, match=r"expected one of \.toml, \.csv, \.npz, .*\.planted, or say which"):
        load(tmp_path / "robot.x")
    with pytest.raises(OptionError, match=r"expected one of \.toml, \.csv, \.npz, .*\.planted, or none"):
        save(load("example:recycling_robot"), tmp_path / "robot.x")
    with pytest.raises(
        OptionError, match=r"found 'x', expected one of toml, csv, npz, directory, .*, planted"
    ):
        load(tmp_path / "robot.x", format="x")


def test_a_planted_format_of_answers_is_written_and_read(monkeypatch, tmp_path):
    def read_lines(text, mdp, policy_only=False):
        _, *values = text.split()
        return Answer(np.array(values, dtype=float))

    def lines(report):
        return ("values:\n", *(f"{value}\n" for value in report.entries()["values"].of(0, 0, 2)))

    line = Format("lines", (".lines",), read_lines, lines, (b"values:",), "a list of values")
    monkeypatch.setattr(ANSWERS, "formats", [*ANSWERS.formats, line])
    robot, path = load("example:recycling_robot"), tmp_path / "robot.lines"
    found = solve(robot)
    found.save(path)
    assert path.read_text().startswith("values:\n")
    assert read_answer(str(path), robot).values.tolist() == found.v.tolist()


PROGRAM = """
import io, json, os, sys
sys.path.insert(0, {folder!r})
import planted_format
from tabular_rl.formats.registry import MODELS

MODELS.formats.append(planted_format.LINE)
from tabular_rl.commands import run
from tabular_rl.commands._completion import offered

codes = [run(line.split()) for line in (
    "convert example:recycling_robot robot.planted", "convert robot.planted robot.toml", "convert --help", "--help",
    "make forest -o forest --to planted -q", "check forest --format planted -q",
)]
lines = ["check", "m", "--format"], ["convert", "a", "b", "--to"]
words = [[word for word, _ in offered(line, "").words] for line in lines]
print(json.dumps([codes, words]))
"""


def test_commands_know_a_planted_format(tmp_path):
    """In a process of its own: options are made when a command is imported."""
    text = PROGRAM.format(folder=str(Path(__file__).parents[1] / "support"))
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path, check=True, timeout=300
    )
    codes, words = json.loads(done.stdout.splitlines()[-1])
    assert codes == [0] * 6, done.stderr
    assert words[0] == [*MODELS.names, "planted"]
    assert words[1] == [*(format.name for format in MODELS.written), "planted"], "those that are written"
    assert "robot.planted: written as planted" in done.stderr
    assert re.search(r"\.toml, \.csv, \.npz, .*\.planted, or a directory", " ".join(done.stdout.split()))
    assert f"MODEL is a file ({MODELS.titles}, planted)" in " ".join(done.stdout.split())
    assert load(tmp_path / "robot.toml") == load("example:recycling_robot")


@pytest.mark.parametrize("formats", [MODELS, LOGS, ANSWERS], ids=["models", "logs", "answers"])
def test_names_and_suffixes_are_distinct(formats):
    assert len(set(formats.names)) == len(formats.names)
    assert len(set(formats.suffixes)) == len(formats.suffixes)
