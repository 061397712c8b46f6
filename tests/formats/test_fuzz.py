"""Damaged files of every format are errors that the user can read, never anything else."""

from __future__ import annotations

import random
import shutil

import pytest
from damage import damage
from reading import try_to_read

from tabular_rl.errors import ModelError
from tabular_rl.formats import load, save

ROBOT = "example:recycling_robot"
GRID = b"""discount = 0.9
[grid]
map = '''
S..#
.CAG
'''
moves = "four"
step_reward = -1
slip = 0.2
wind = [0, 0, 1, 0]
[grid.legend]
G = { terminal = true, reward = "1/3" }
C = { goto = "S", reward = -100 }
A = { jump = "G", jump_reward = 10 }
"""
DICTIONARY = b"""{"gamma": 0.9, "start": {"a": "1/2", "b": 0.5}, "horizon": 3, "name": "x",
 "P": {"a": {"go": [[0.5, "b", 0, true], [0.5, "b", -1.5, false]],
  "run": [["1/3", "c", 1, true], ["2/3", "a", 0, false]]},
  "b": [[[1, "b", 1, false]]],
  "c": {"go": [[1.0, "c", 0, true]]}}}
"""
TENSORS = b"""discount = 0.9
states = ["a", "b"]
terminal = ["b"]
[tensors]
axes = "ass"
P = [[[0.1, 0.9], [0, 0]]]
R = [[1], [0]]
reward_axes = "sa"
"""
TOP = b"""format = 1
name = "x"
discount = "9/10"
sense = "min"
numbers = "exact"
states = ["a", "b", "c d"]
actions = ["go", "run"]
terminal = ["b"]
start = { a = 0.5, "c d" = "1/2" }
horizon = 3
final_reward = { "c d" = -1 }
outcomes = 4
layout = { rows = 2, columns = 2, cell = [0, 1, 3] }
[state.a]
go = { to = [ { state = "a", p = 0.6, reward = 5 },
  { state = "b", p = 0.4, reward = -3 } ] }
[state."c d".run]
to = { a = 0.5, b = "1/2" }
reward = 2
"""


def written(format, tmp_path):
    path = tmp_path / f"m.{format}"
    save(load(ROBOT), path)
    return path.read_bytes()


@pytest.mark.parametrize("trials", [400, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["toml", "csv", "npz", "grid", "tensors", "top", "json", "own"])
def test_damaged_files(kind, trials, tmp_path):
    texts = {"grid": GRID, "tensors": TENSORS, "top": TOP, "json": DICTIONARY}
    suffix = {"csv": "csv", "npz": "npz", "json": "json", "own": "json"}.get(kind, "toml")
    good = texts.get(kind) or written(suffix, tmp_path)
    path = tmp_path / f"bad.{suffix}"
    path.write_bytes(good)
    load(path)
    rng = random.Random(f"damage {kind}")
    for _ in range(trials):
        path.write_bytes(damage(good, rng))
        try_to_read(path, path)


def test_damaged_directories(tmp_path):
    save(load(ROBOT), tmp_path / "good")
    files = sorted(p.name for p in (tmp_path / "good").iterdir())
    shutil.copytree(tmp_path / "good", tmp_path / "bad")
    rng = random.Random("damage directory")
    for _ in range(200):
        name = rng.choice(files)
        good = (tmp_path / "good" / name).read_bytes()
        (tmp_path / "bad" / name).write_bytes(damage(good, rng))
        try_to_read(tmp_path / "bad", tmp_path / "bad")
        (tmp_path / "bad" / name).write_bytes(good)


@pytest.mark.parametrize("kind", ["toml", "csv"])
def test_a_cut_text_fails_or_is_whole(kind, tmp_path):
    data = written(kind, tmp_path)
    path = tmp_path / f"cut.{kind}"
    whole = load(ROBOT)
    for size in range(len(data)):
        path.write_bytes(data[:size])
        try:
            found = load(path)
        except ModelError:
            continue
        # What is left is complete, or lacks but the digits of the last number.
        assert found == whole or data[size:] in (b"\n", b"") or size > len(data) - 4
