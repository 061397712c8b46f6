"""Answers as Parquet files: pandas and polars read what is written, what they write is read, and damage is told."""

import contextlib
import io
import random

import numpy as np
import pytest
from damage import damage
from program import inside

import tabular_rl as t
from tabular_rl.errors import ModelError, TabularError
from tabular_rl.formats.answers import read_answer

pytestmark = pytest.mark.peers("pyarrow", "pandas", "polars")
EXAMPLES = ["recycling_robot", "forest_horizon", "romania", "gridworld_4x4"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_round_trip(tmp_path, name):
    mdp = t.load(f"example:{name}")
    answer, path = t.solve(mdp), tmp_path / "a.parquet"
    answer.save(path)
    again = read_answer(str(path), mdp)
    for field, want in (("values", answer.v), ("lower", answer.lower), ("upper", answer.upper)):
        assert np.array_equal(getattr(again, field), want)
    assert again.policy == answer.policy
    assert t.verify(mdp, path)


def test_others_read_and_write_it(capsys, tmp_path, monkeypatch):
    import pandas as pd
    import polars as pl

    monkeypatch.chdir(tmp_path)
    robot = "example:recycling_robot"
    assert inside(capsys, "solve", robot, "-o", "a.parquet", "-q").code == 0
    frame = pd.read_parquet("a.parquet")
    assert frame["value"].tolist() == pytest.approx([1000 / 59, 900 / 59])
    assert pl.read_parquet("a.parquet")["action"].to_list() == ["search", "recharge"]
    pl.DataFrame({"value": [1000 / 59, 900 / 59], "state": ["high", "low"]}).write_parquet("b.parquet")
    assert inside(capsys, "verify", robot, "b.parquet").code == 0
    assert inside(capsys, "evaluate", robot, "--policy", "a.parquet", "-q").code == 0
    assert inside(capsys, "solve", robot, "--show", "q", "-o", "q.parquet", "-q").code == 0
    assert len(pd.read_parquet("q.parquet")) == 5
    assert inside(capsys, "solve", robot, "--iterates", "2", "-o", "i.parquet", "-q").code == 0
    assert not pd.read_parquet("i.parquet").empty


@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_damage_is_told(tmp_path, count):
    mdp, path, rng = t.load("example:recycling_robot"), tmp_path / "a.parquet", random.Random(5)
    file = io.BytesIO()
    t.solve(mdp).to_frame("pandas").to_parquet(file)
    for _ in range(count):
        path.write_bytes(b"PAR1" + damage(file.getvalue()[4:], rng))
        with contextlib.suppress(TabularError):  # or it is read: some bytes say nothing
            read_answer(str(path), mdp)


def test_an_empty_table_is_refused(tmp_path):
    import pandas as pd

    pd.DataFrame({"state": [], "value": []}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ModelError, match="found no value for 'high', 'low'"):
        read_answer(str(tmp_path / "a.parquet"), t.load("example:recycling_robot"))
