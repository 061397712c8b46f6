"""Answers as a folder of arrays: what np.load finds there, what is read back, and what is refused."""

from __future__ import annotations

import contextlib
import json
import random
import sys

import numpy as np
import pytest
from damage import damage
from program import inside

import tabular_rl as t
from tabular_rl import MDP, Policy
from tabular_rl.errors import ModelError, OptionError, OutputError, TabularError
from tabular_rl.formats.answers import read_answer

pytestmark = pytest.mark.small


@pytest.fixture
def mdp():
    """Staying pays i²/2, forever: v = i² of states 0, 1, 2; "up" leads to the last one: v = 4/2."""
    outcomes = [(s, "stay", s, 1, i * i / 2) for i, s in enumerate("abc")] + [
        (s, "up", "c", 1, 0) for s in "ab"
    ]
    return MDP.from_outcomes(outcomes, "1/2")


@pytest.fixture
def folder(mdp, tmp_path):
    t.solve(mdp).save(tmp_path / "answer", format="npy")
    return tmp_path / "answer"


def test_numpy_reads_the_arrays(mdp, folder):
    found = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    assert found["values"] == pytest.approx([2, 2, 4])
    assert found["action"].tolist() == [1, 1, 0]
    assert found["optimal_actions"].tolist() == [False, True, False, True, True]
    assert found["proven_optimal"].all() and (found["lower"] <= found["upper"]).all()
    header = json.loads((folder / "header.json").read_text())
    assert header["digest"] == mdp.digest and sorted(found) == header["arrays"]
    assert json.loads((folder / "names.json").read_text()) == {
        "states": ["a", "b", "c"],
        "actions": ["stay", "up"],
    }


def test_random_policies_and_what_was_learned(mdp, tmp_path):
    uniform = t.evaluate(mdp, "uniform")
    uniform.save(tmp_path / "u", format="npy")
    assert np.load(tmp_path / "u" / "probability.npy").tolist() == [0.5, 0.5, 0.5, 0.5, 1]
    assert read_answer(str(tmp_path / "u"), mdp).policy == Policy.uniform(mdp)
    assert t.verify(mdp, tmp_path / "u")
    learned = t.learn(mdp, "q-learning", steps=50, seed=1)
    learned.save(tmp_path / "l", format="npy")
    assert np.load(tmp_path / "l" / "visits.npy").tolist() == learned.state_visits.tolist()
    assert np.load(tmp_path / "l" / "q.npy").tolist() == pytest.approx(learned.q.tolist(), nan_ok=True)


def test_exact_values_are_kept(mdp, tmp_path):
    exact = t.rational(mdp)
    exact.save(tmp_path / "e", format="npy")
    assert read_answer(str(tmp_path / "e"), mdp).exact == exact.exact


def test_states_in_another_order(mdp, folder):
    names = {"states": ["c", "a", "b"], "actions": ["stay", "up"]}
    (folder / "names.json").write_text(json.dumps(names))
    with pytest.raises(
        ModelError, match=r"names.json: found states or actions in another order than the model's"
    ):
        read_answer(str(folder), mdp)
    header = json.loads((folder / "header.json").read_text())
    header["arrays"].remove("action")
    (folder / "header.json").write_text(json.dumps(header))
    assert read_answer(str(folder), mdp).values == pytest.approx([2, 4, 2])


@pytest.mark.parametrize(
    ("name", "array", "says"),
    [
        ("values", np.zeros(2), r"values.npy: found shape \(2,\), expected \(3,\) of this model"),
        ("values", np.array([1, np.inf, 2]), "values.npy: state 'b': found an infinite number"),
        ("values", np.array([1, np.nan, 2]), "found no value for 'b'"),
        ("values", np.array(["x", "y", "z"]), "values.npy: found dtype str.*, expected numbers"),
        ("lower", np.array([1, np.inf, 2]), "lower.npy: state 'b': found an infinite number"),
        ("action", np.zeros(3), "action.npy: found dtype float64, expected indices"),
        ("action", np.array([1, 1, 1]), "state 'c', action 'up': not available"),
    ],
)
def test_other_arrays_are_refused(mdp, folder, name, array, says):
    np.save(folder / f"{name}.npy", array)
    with pytest.raises((ModelError, OptionError), match=says):
        read_answer(str(folder), mdp)


def test_a_missing_array_and_a_folder_of_something_else(mdp, folder, tmp_path):
    (folder / "upper.npy").unlink()
    with pytest.raises(ModelError, match="no such file"):
        read_answer(str(folder), mdp)
    with pytest.raises(ModelError, match=r"without header\.json, expected an answer"):
        read_answer(str(tmp_path), mdp)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "header.json").write_text("years of work")
    with pytest.raises(OutputError, match="something else stands there, expected an answer"):
        t.solve(mdp).save(tmp_path / "thesis", format="npy")
    with pytest.raises(OutputError, match="something else stands there, expected a model"):
        t.save(mdp, folder, format="directory")


@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_damage_is_told(mdp, folder, count):
    rng = random.Random(7)
    files = sorted(folder.iterdir())
    for _ in range(count):
        path = rng.choice(files)
        whole = path.read_bytes()
        path.write_bytes(damage(whole, rng))
        with contextlib.suppress(TabularError):  # or it is read: some bytes say nothing
            read_answer(str(folder), mdp)
        path.write_bytes(whole)


def test_the_command_line(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    robot = "example:recycling_robot"
    for command in (
        ("solve", robot, "-o", "s", "--to", "npy", "-q"),
        ("solve", robot, "-o", "s", "--format", "npy", "-q"),  # over the first
        ("evaluate", robot, "--policy", "s", "-o", "e", "--to", "npy", "-q"),
        ("learn", robot, "--method", "td0", "--steps", "10", "-o", "l.txt", "--to", "csv", "-q"),
        ("verify", robot, "s"),
    ):
        assert inside(capsys, *command).code == 0, command
    assert (tmp_path / "l.txt").read_text().startswith("state,value,visits")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e", "l.txt", "s"]
    for command, code, says in (
        (("solve", robot, "--to", "npy"), 2, "--to npy: found no -o, expected -o FILE"),
        (
            ("solve", robot, "--to", "json", "--format", "npy", "-o", "x"),
            2,
            "--format npy: found --to json too",
        ),
        (
            ("solve", robot, "-o", "s"),
            5,
            "s: cannot be written: is a directory; --to npy writes arrays into one",
        ),
        (("solve", robot, "-o", ".", "--to", "npy"), 5, "something else stands there, expected an answer"),
        (("solve", robot, "--iterates", "2", "-o", "i", "--to", "npy"), 2, "--to npy: found with --iterates"),
    ):
        done = inside(capsys, *command)
        assert (done.code, done.out) == (code, "")
        assert says in done.err


def test_parquet_without_pyarrow_names_the_extra(capsys, mdp, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tabular_rl.formats.extras.find_spec", lambda name: None)
    says = "found no pyarrow, expected the extra: pip install 'tabular-rl[frames]'"
    done = inside(capsys, "solve", "example:recycling_robot", "-o", "a.parquet")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert says in done.err
    (tmp_path / "a.parquet").write_bytes(b"PAR1....")
    for use in (lambda: t.solve(mdp).save("b.parquet"), lambda: read_answer("a.parquet", mdp)):
        with pytest.raises(TabularError) as error:
            use()
        assert says in str(error.value)


def test_a_package_that_cannot_be_imported_is_told_in_one_line(capsys, tmp_path, monkeypatch):
    """As a pyarrow beside a NumPy that is too old for it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyarrow.py").write_text("raise ImportError('pyarrow requires\\nanother NumPy')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    done = inside(capsys, "solve", "example:recycling_robot", "-o", "a.parquet")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "a.parquet: pyarrow cannot be imported: pyarrow requires another NumPy" in done.err
