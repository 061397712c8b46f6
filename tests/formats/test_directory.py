"""Directories of arrays: mapped, opened at once, validated when they are first needed."""

from __future__ import annotations

import json
import os
import pickle
import tracemalloc
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from random_models import ARRAYS

from tabular_rl import MDP
from tabular_rl.errors import ModelError, OptionError, OutputError
from tabular_rl.formats import load, save


@pytest.fixture
def model():
    return MDP.from_outcomes(
        [
            ("a", "go", "a", "1/3", 1),
            ("a", "go", "b", "2/3", -1),
            ("b", "go", "a", 1, 0),
            ("b", "run", "c", 1, "1/7"),
        ],
        "9/10",
        terminal=["c"],
        start="a",
    )


@pytest.fixture
def folder(model, tmp_path):
    save(model, tmp_path / "m")
    return tmp_path / "m"


def said(folder, need=False):
    """What is wrong with a directory: seen on opening, or, with `need`, when the contents are looked at."""
    look = load(folder).validate if need else partial(load, folder)
    with pytest.raises(ModelError) as caught:
        look()
    assert str(caught.value).startswith(f"{folder}: ")
    return str(caught.value).removeprefix(f"{folder}: ")


def edit(folder, **changes):
    header = json.loads((folder / "header.json").read_text())
    (folder / "header.json").write_text(json.dumps(header | changes))


def mapped(array):
    while array is not None:
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False


def test_arrays_are_mapped_and_read_only(folder, model):
    mdp = load(folder)
    for field in ARRAYS:
        assert mapped(getattr(mdp, field)), field
        assert not getattr(mdp, field).flags.writeable
    assert mdp == model


def test_numpy_reads_what_we_write(folder, model):
    assert np.array_equal(np.load(folder / "prob.npy", mmap_mode="r"), model.prob)
    header = json.loads((folder / "header.json").read_text())
    assert (header["states"], header["outcomes"], header["discount"]) == (3, 4, "9/10")
    assert len(header["digest"]) == 64
    assert json.loads((folder / "names.json").read_text()) == {
        "states": ["a", "b", "c"],
        "actions": ["go", "run"],
    }


def test_a_million_states_open_at_once(tmp_path):
    S = 1_000_000
    mdp = MDP.from_rows(
        pair_ptr=np.arange(S + 1),
        pair_action=np.zeros(S, dtype=np.int32),
        row_ptr=np.arange(S + 1),
        next_state=np.roll(np.arange(S), 1),
        prob=np.ones(S),
        r=np.ones(S),
        gamma="9/10",
    )
    save(mdp, tmp_path / "m")
    load(tmp_path / "m")
    tracemalloc.start()
    try:
        opened = load(tmp_path / "m")
        assert (
            tracemalloc.get_traced_memory()[1] < 4e6
        )  # bytes, of files of 45 MB: nothing of them was looked at
    finally:
        tracemalloc.stop()
    assert opened.S == S
    assert load(tmp_path / "m") == mdp


def test_overrides_need_no_look_at_the_contents(folder, model):
    (folder / "prob.npy").write_bytes((folder / "prob.npy").read_bytes()[:-1] + b"\x11")
    mdp = load(folder, gamma="1/3", horizon=3, sense="min")
    assert (mdp.gamma_exact, mdp.horizon, mdp.sense) == (Fraction(1, 3), 3, "min")
    with pytest.raises(ModelError):
        mdp.validate()


def test_overrides_do_not_disturb_the_digest(folder, model):
    assert load(folder, gamma="1/3", horizon=3).facts == model.facts
    assert load(folder, terminal=["c"]) == model


def test_normalize(folder, tmp_path):
    mdp = MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.5)
    save(mdp, tmp_path / "n")
    assert load(tmp_path / "n", normalize=True) == mdp


def test_contents_are_validated_when_needed(folder, model):
    for name, at, value, expected in (
        ("prob", 2, 0.5, "state 'b', action 'go': probabilities sum to 0.5, expected 1"),
        ("prob", 2, np.nan, "found probability nan, expected a number from 0 to 1"),
        ("next_state", 0, 3, "next_state: found 3 at position 0, expected 0 to 2"),
        ("row_ptr", 1, 5, "row_ptr: found it falling at position 2, expected it to rise"),
        ("reward", 0, np.inf, "found reward inf, expected a finite number"),
        ("r", 0, 5.0, "r: found 5.0 at position 0, expected Σ p r(s,a,s') of its outcomes"),
        ("start", 0, 0.5, "start: probabilities sum to 0.5, expected 1"),
        ("prob_num", 2, 2, "prob: found 2/1 at position 2, expected the fraction nearest to 1.0"),
        ("terminal", 1, True, "state 'b': is declared terminal and has actions"),
    ):
        path = folder / f"{name}.npy"
        good = path.read_bytes()
        array = np.load(path)
        array[at] = value
        np.save(path, array)
        load(folder)  # opens
        assert expected in said(folder, need=True)
        path.write_bytes(good)
    assert load(folder).facts == model.facts


def test_digest_finds_what_validation_cannot(folder):
    array = np.load(folder / "terminal.npy")
    np.save(folder / "next_state.npy", np.array([0, 0, 0, 2], dtype=np.int32))
    assert array.tolist() == [False, False, True]
    assert said(folder, need=True).startswith("found contents with the digest ")


def test_files_that_change_after_opening(folder, model):
    mdp = load(folder)
    os.utime(folder / "prob.npy", ns=(1, 1))
    with pytest.raises(
        ModelError, match=r"m: prob.npy: has changed since the model was opened. Load it again.$"
    ):
        mdp.validate()
    mdp = load(folder)
    assert mdp.facts == model.facts


@pytest.mark.parametrize("name", ["prob.npy", "header.json", "names.json"])
def test_files_that_are_replaced_or_gone_after_opening(folder, name):
    mdp = load(folder)
    data = (folder / name).read_bytes()
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: is gone since the model was opened"):
        mdp.validate()
    (folder / name).write_bytes(data)
    with pytest.raises(ModelError, match=f"{name}: has changed since the model was opened"):
        mdp.validate()


def test_directory_replaced_after_opening(folder):
    mdp = load(folder)
    save(load("example:ties"), folder)
    with pytest.raises(ModelError, match=r"has changed since the model was opened|is gone since"):
        mdp.validate()
    assert load(folder) == load("example:ties")


def test_a_truncated_file_is_seen_before_it_is_touched(folder):
    mdp = load(folder)
    with open(folder / "prob.npy", "r+b") as file:
        file.truncate(100)
    with pytest.raises(ModelError, match=r"prob.npy: has changed"):
        mdp.validate()


def test_every_prefix_of_every_file_is_refused(folder):
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for size in [*range(0, len(whole), 9), len(whole) - 2, len(whole) - 1]:
            path.write_bytes(whole[:size])
            with pytest.raises(ModelError):
                load(folder)
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["prob.npy", "prob_num.npy", "names.json", "start.npy"])
def test_missing_files(folder, name):
    (folder / name).unlink()
    assert said(folder) == f"{name}: no such file"


def test_unexpected_arrays(folder):
    np.save(folder / "extra.npy", np.zeros(3))
    assert said(folder) == "file 'extra.npy': unexpected, expected what the header lists"


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros(4, dtype=np.float32), "prob.npy: found dtype float32, expected float64"),
        (np.zeros(4, dtype=">f8"), "prob.npy: found dtype big-endian float64, expected float64"),
        (np.zeros(5), "prob.npy: found length 5, expected 4"),
        (np.zeros((4, 1)), "prob.npy: found shape (4, 1), expected one dimension"),
    ],
    ids=["float32", "big-endian", "length", "shape"],
)
def test_arrays_that_do_not_fit(folder, array, expected):
    np.save(folder / "prob.npy", array)
    assert said(folder) == expected


def test_pickles_are_not_opened(folder):
    np.save(folder / "prob.npy", np.array([None] * 4), allow_pickle=True)
    assert said(folder) == "prob.npy: object arrays are not allowed: found dtype object, expected float64"
    (folder / "prob.npy").write_bytes(pickle.dumps([1]))
    assert said(folder).startswith("prob.npy: not an npy array: ")


def test_wide_indices_would_have_to_be_copied(folder):
    np.save(folder / "next_state.npy", np.array([0, 1, 0, 2], dtype=np.int64))
    assert said(folder) == "next_state.npy: found dtype int64, expected int32"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"version": 2}, "header.json: found version 2, expected 1"),
        ({"format": "x"}, "header.json: found no format 'tabular-rl', expected a model"),
        ({"states": 10**9, "named": False}, "pair_ptr.npy: found length 4, expected 1000000001"),
        ({"digest": None}, "header.json: found no digest, expected one"),
        ({"colour": 1}, "header.json: unknown key 'colour'"),
        ({"arrays": []}, "header.json: arrays: found no pair_ptr, expected it"),
    ],
    ids=str,
)
def test_wrong_header(folder, changes, expected):
    edit(folder, **changes)
    assert said(folder) == expected


def test_wrong_names(folder):
    (folder / "names.json").write_text('{"states": ["a", "b"], "actions": null}')
    assert said(folder) == "names.json: states: found 2 names, expected 3"
    (folder / "names.json").write_text('{"states": ["a", "b", "b"], "actions": ["go", "run"]}')
    assert said(folder, need=True) == "state 'b': found twice, as number 1 and 2, expected distinct names"


def test_an_old_model_is_replaced(folder, tmp_path):
    other = load("example:ties")
    save(other, folder)
    assert load(folder) == other
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_where_the_system_cannot_exchange_directories(folder, tmp_path, monkeypatch):
    from tabular_rl.formats import output

    monkeypatch.setattr(output, "exchange", lambda a, b: False)
    other = load("example:ties")
    save(other, folder)
    assert load(folder) == other
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_nothing_else_is_replaced(model, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "thesis.txt").write_text("years of work")
    (tmp_path / "f").write_text("a file")
    for name in ("m", "f"):
        with pytest.raises(OutputError, match="something else stands there, expected a model"):
            save(model, tmp_path / name, format="directory")
    assert (tmp_path / "m" / "thesis.txt").read_text() == "years of work"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f", "m"]


def test_a_mapped_model_is_not_written_over_itself(folder, tmp_path):
    mdp = load(folder)
    (tmp_path / "link").symlink_to(folder)
    for path in (folder, tmp_path / "link"):
        with pytest.raises(OptionError, match="is the directory that the model is mapped from"):
            save(mdp, path)
    save(mdp, tmp_path / "copy")
    assert load(tmp_path / "copy") == mdp


def test_a_broken_model_is_not_written(folder, tmp_path):
    np.save(folder / "prob.npy", np.array([0.25, 0.75, 1.0, 0.5]))
    with pytest.raises(ModelError):
        save(load(folder), tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_pickling_holds_a_validated_copy(folder, model):
    assert pickle.loads(pickle.dumps(load(folder))) == model
