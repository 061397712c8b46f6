"""Logs in frames and files of pandas, polars, pyarrow and h5py: the same transitions from each of them."""

from __future__ import annotations

import random

import numpy as np
import pytest
from damage import damage

from tabular_rl import MDP, ModelError, Policy, read_log, sample_transitions, write_log

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

PLAYED = {
    "obs": ["a", "b", "a"], "act": ["go", "stop", "go"], "rew": [0, 1, 2], "terminated": [False, False, True],
    "truncated": [False, True, False], "prob": [0.5, 1.0, 0.25], "info": [None, 1, 2],
}  # fmt: skip
EXPECTED = [("a", "go", 0.0, "b", False), ("a", "go", 2.0, "end", True)]


def told(log):
    columns = log.s, log.a, log.reward.tolist(), log.s2, log.done.tolist()
    return [
        (log.states[s], log.actions[a], r, log.states[s2], d) for s, a, r, s2, d in zip(*columns, strict=True)
    ]


@pytest.mark.peers("pandas")
def test_frames_of_pandas():
    import pandas as pd

    frame = pd.DataFrame(PLAYED)
    other = frame.assign(
        obs=frame.obs.astype("category"), rew=frame.rew.astype("Int64"), act=frame.act.astype("string")
    )
    for given in (frame, other, frame.set_index(pd.Index([9, 8, 7])), frame[frame.columns[::-1]]):
        log = read_log(given)
        assert told(log) == EXPECTED
        assert log.propensity.tolist() == [0.5, 0.25]
    for bad, what in (
        (
            frame.assign(rew=pd.array([0, pd.NA, 2], "Int64")),
            r"found reward \(column 'rew'\) .*\(transition 2\)",
        ),
        (
            frame.assign(obs=["a", None, "c"]),
            r"state \(column 'obs'\): found an empty cell, expected a name \(tr",
        ),
        (
            frame.assign(obs=[0.5, 1, 2]),
            r"state \(column 'obs'\): found 0.5, expected whole numbers or names",
        ),
    ):
        with pytest.raises(ModelError, match=what):
            read_log(bad)


@pytest.mark.peers("polars")
def test_frames_of_polars():
    import polars as pl

    frame = pl.DataFrame(PLAYED)
    assert told(read_log(frame)) == EXPECTED
    assert told(read_log(frame.with_columns(pl.col("obs").cast(pl.Categorical)))) == EXPECTED
    with pytest.raises(ModelError, match=r"^DataFrame: .*found reward .*\(transition 2\)"):
        read_log(frame.with_columns(pl.Series("rew", [0, None, 2])))


@pytest.mark.peers("pyarrow")
def test_tables_and_files_of_pyarrow(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(PLAYED)
    path = tmp_path / "log.parquet"
    parquet.write_table(table, path)
    assert told(read_log(table)) == told(read_log(path)) == EXPECTED
    with pytest.raises(ModelError, match=r"log\.parquet: columns: state: found no column 'x'"):
        read_log(path, columns={"state": "x"})
    mdp = MDP.from_outcomes(
        [("a", "go", "a", "1/3", 1), ("a", "go", "b", "2/3", 0), ("b", "no", "a", 1, 2)], "1/2"
    )
    made = sample_transitions(mdp, Policy.uniform(mdp), 50)
    write_log(made, path)
    again = read_log(path, mdp)
    for name in ("row", "reward", "next_state", "done", "next_row", "propensity"):
        assert np.array_equal(getattr(made, name), getattr(again, name)), name


def hdf5(path, kind):
    import h5py

    with h5py.File(path, "w") as file:
        if kind == "d4rl":
            file["observations"], file["actions"], file["rewards"] = [0, 1, 0, 1], [0] * 4, [0.5, 0, 0, 1]
            file["terminals"], file["timeouts"] = [False, False, False, True], [False, True, False, False]
            file["infos/goal"] = np.zeros((4, 3))
            return
        for k in range(11):
            group = file.create_group(f"episode_{k}")
            group["observations"], group["actions"], group["rewards"] = [0, 1, k], [0, 1], [0.0, k]
            group["terminations"], group["truncations"] = [False, True], [False, False]


@pytest.mark.peers("h5py")
def test_files_of_d4rl_and_minari(tmp_path):
    path = tmp_path / "log.hdf5"
    hdf5(path, "d4rl")
    assert told(read_log(path)) == [
        ("0", "0", 0.5, "1", False),
        ("0", "0", 0.0, "1", False),
        ("1", "0", 1.0, "end", True),
    ]
    hdf5(path, "minari")
    log = read_log(path)
    assert log.reward.tolist()[1::2] == list(range(11))  # episode 10 is behind episode 9
    assert told(log)[2:4] == [("0", "0", 0.0, "1", False), ("1", "1", 1.0, "1", True)]


@pytest.mark.parametrize("times", [200, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["parquet", "d4rl", "minari"])
@pytest.mark.peers("pyarrow", "h5py")
def test_damaged_files_are_read_or_refused(kind, times, tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / ("log.parquet" if kind == "parquet" else "log.hdf5")
    if kind == "parquet":
        parquet.write_table(pa.table(PLAYED), path)
    else:
        hdf5(path, kind)
    whole, rng = path.read_bytes(), random.Random(f"{kind} {times}")
    for _ in range(times):
        path.write_bytes(damage(whole, rng))
        assert all(line.isprintable() for line in _fault(path).splitlines())


def _fault(path):
    try:
        read_log(path)
    except ModelError as error:
        return str(error)
    return ""
