"""Logs of transitions: what is read is what was written, and each fault has its place.

Expected values are those that the texts spell; `slowly` reads a CSV again, with csv.DictReader and nothing of ours.
"""

from __future__ import annotations

import csv
import io
import os
import pickle
import tracemalloc
import zipfile
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import models

from tabular_rl import MDP, Log, ModelError, OptionError, OutputError, Transitions, read_log, write_log
from tabular_rl.formats import log_csv, memory, sheet

HEAD = "state,action,reward,next_state,done\n"
LINES = ["a,go,1,b,0", "b,go,-0.5,a,0", "b,run,1/3,c,1", "a,go,2e1,a,0", "b,go,0,c,true"]
TEXT = HEAD + "".join(line + "\n" for line in LINES)
EXPECTED = (
    "expected the columns state,action,reward,next_state,done, "
    "and perhaps truncated, episode, step and propensity"
)
TYPES = (
    "expected bool or int8 or uint8 or int16 or uint16 or int32 or uint32 or int64 or uint64 or float32 or float64 "
    "or str"
)
A_NUMBER = "expected a number such as 1, 0.5 or 2/3"


@pytest.fixture
def mdp():
    """a: go. b: go, run. c is terminal; wait is available nowhere but in d."""
    return MDP.from_outcomes(
        [
            ("a", "go", "a", "1/2", 0),
            ("a", "go", "b", "1/2", 0),
            ("b", "go", "a", 1, 0),
            ("b", "run", "c", 1, 0),
            ("d", "wait", "d", 1, 0),
        ],
        "9/10",
        terminal=["c"],
    )


@pytest.fixture
def read(tmp_path):
    """Write a file and read it."""

    def read(content, mdp=None, name="log.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_log(path, mdp)

    return read


@pytest.fixture
def said(read, tmp_path):
    """The faults of a file, without its path."""

    def said(content, mdp=None, name="log.csv"):
        with pytest.raises(ModelError) as caught:
            read(content, mdp, name)
        lines = str(caught.value).split("\n")
        assert all(line.isprintable() for line in lines)
        assert all(line.startswith((f"{tmp_path / name}:", "... and")) for line in lines)
        return [line.removeprefix(f"{tmp_path / name}").removeprefix(":").removeprefix(" ") for line in lines]

    return said


def slowly(text):
    """The transitions of a CSV, by the csv module alone."""
    ends = {"1": True, "true": True, "0": False, "false": False}
    return [
        (t["state"], t["action"], float(Fraction(t["reward"])), t["next_state"], ends[t["done"].lower()])
        for t in csv.DictReader(io.StringIO(text, newline=""))
    ]


def told(log):
    """The transitions of a Log, by name."""
    names = zip(
        log.s.tolist(), log.a.tolist(), log.reward.tolist(), log.s2.tolist(), log.done.tolist(), strict=True
    )
    return [(log.states[s], log.actions[a], r, log.states[s2], d) for s, a, r, s2, d in names]


def same(one, other):
    fields = ("row", "reward", "next_state", "done", "next_row", "propensity")
    return all(np.array_equal(getattr(one, f), getattr(other, f)) for f in fields)


# -- what is read --------------------------------------------------------------------------------------------------


def test_a_log_with_names_of_its_own(read):
    log = read(TEXT)
    assert told(log) == slowly(TEXT)
    assert list(log.states) == ["a", "b", "c"]
    assert list(log.actions) == ["go", "run"]
    assert log.begins.tolist() == [True, False, False, True, False]
    assert [log.spelled[i] for i in log.code] == [1, Fraction(-1, 2), Fraction(1, 3), 20, 0]


def test_a_log_of_a_model(read, mdp):
    log = read(TEXT, mdp)
    assert log.mdp is mdp
    assert log.row.tolist() == [0, 1, 2, 0, 1]  # rows of the model: a go, b go, b run, d wait
    assert log.next_state.tolist() == [1, 0, 3, 0, 3]  # c is the last state of the model
    assert log.reward.tolist() == [1, -0.5, 1 / 3, 20, 0]
    assert log.done.tolist() == [False, False, True, False, True]
    assert log.next_row.tolist() == [1, -1, -1, -1, -1]  # a is followed by b; b is not; then the ends


def test_a_terminal_state_of_the_model_is_done_whatever_the_log_says(read, mdp):
    assert read(HEAD + "b,run,1,c,0\n", mdp).done.tolist() == [True]


def test_done_may_be_anywhere(read, mdp):
    assert read(HEAD + "a,go,1,b,1\nb,go,0,a,0\n", mdp).next_row.tolist() == [-1, -1]


@pytest.mark.parametrize("chunk", [1, 2, 4096])
def test_a_change_of_episode_cuts(read, mdp, monkeypatch, chunk):
    monkeypatch.setattr(sheet, "CHUNK", chunk)
    text = (
        "episode,step,state,action,reward,next_state,done\nx,1,a,go,1,a,0\nx,2,a,go,1,a,0\ny,1,a,go,1,a,0\n"
    )
    assert read(text, mdp).next_row.tolist() == [0, -1, -1]
    assert read(text).begins.tolist() == [True, False, True]


def test_the_order_of_names_does_not_depend_on_the_log(read):
    one, two = read(TEXT), read(HEAD + "".join(line + "\n" for line in LINES[::-1]))
    assert one.states == two.states
    assert one.actions == two.actions


def test_numbers_in_names_are_ordered_by_size(read):
    log = read(HEAD + "10,1,0,9,0\n9,0,0,10,0\n")
    assert list(log.states) == ["9", "10"]
    assert list(log.actions) == ["0", "1"]
    assert told(log) == [("10", "1", 0.0, "9", False), ("9", "0", 0.0, "10", False)]


@pytest.mark.parametrize(
    "change",
    [
        lambda t: "\ufeff" + t,
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "\r"),
        lambda t: t.rstrip("\n"),
        lambda t: "\n\n" + t.replace("\n", "\n\n") + "\n,,,,\n",
        lambda t: t.replace("\n", ",,,\n"),
        lambda t: t.replace("state,action", "State, ACTION "),
        lambda t: t.replace("0\n", "False\n").replace("1\n", "TRUE\n"),
        lambda t: "\n".join(",".join(line.split(",")[::-1]) for line in t.splitlines()),
        lambda t: t.replace("a,go", '"a","go"'),
        lambda t: t.replace(",0\n", ",0.0\n").replace(",1\n", ",1.0\n"),
    ],
)  # fmt: skip
def test_spellings_that_change_nothing(read, mdp, change):
    assert change(TEXT) != TEXT
    assert same(read(change(TEXT), mdp), read(TEXT, mdp))
    assert told(read(change(TEXT))) == slowly(TEXT)


def test_chunks_do_not_show(read, monkeypatch, mdp):
    text = HEAD + "".join(line + "\n" for line in LINES * 5)
    whole, own = read(text, mdp), read(text)
    for size in (1, 2, 7):
        monkeypatch.setattr(sheet, "CHUNK", size)
        assert same(read(text, mdp), whole)
        assert told(read(text)) == told(own)


def test_many_different_rewards_are_floats(read, monkeypatch):
    monkeypatch.setattr(log_csv, "KEPT", 2)
    monkeypatch.setattr(sheet, "CHUNK", 2)
    log = read(TEXT)
    assert told(log) == slowly(TEXT)
    assert log.spelled is None


def test_numpy_arrays(tmp_path, mdp, read):
    path = tmp_path / "log.npz"
    s, a, r, s2, done = zip(*slowly(TEXT), strict=True)
    np.savez(path, s=s, a=a, r=r, s2=s2, done=done)
    assert same(read_log(path, mdp), read(TEXT, mdp))
    assert told(read_log(path)) == slowly(TEXT)
    index = {
        "s": [0, 1, 1, 0, 1],
        "a": [0, 0, 1, 0, 0],
        "s2": [1, 0, 3, 0, 3],
    }  # d is the third state of the model
    assert mdp.states.index("c") == 3
    np.savez_compressed(path, r=r, done=np.array(done, dtype=np.uint8), **index)
    assert same(read_log(path, mdp), read(TEXT, mdp))
    assert [t[0] for t in told(read_log(path))] == ["0", "1", "1", "0", "1"]
    np.savez(
        path, r=np.float32([1, 2, 3, 4, 5]), done=done, episode=[1, 1, 2, 3, 4], step=np.arange(5), **index
    )
    assert read_log(path).begins.tolist() == [True, False, True, True, True]


CHOSEN = ["1", "1/3", "0.5", "1e-9", "2/3"]
WITH = "".join(
    f"{line},{x}\n" for line, x in zip(TEXT.splitlines(), ["propensity", *CHOSEN], strict=True)
)  # fmt: skip


def test_propensities(read, mdp, tmp_path):
    expected = [float(Fraction(x)) for x in CHOSEN]
    for found in (read(WITH), read(WITH, mdp), Log.of(read(WITH, mdp))):
        assert found.propensity.tolist() == expected
    assert read(TEXT).propensity is None
    write_log(read(WITH, mdp), tmp_path / "log.npz")
    assert read_log(tmp_path / "log.npz").propensity.tolist() == expected


@pytest.mark.parametrize("x", ["0", "-1", "1.5", "nan", "", "1e-400", "x"])
def test_propensities_that_are_none(said, x):
    what = f"4: state 'b', action 'run': propensity: found '{x}', expected a probability above 0, at most 1"
    assert said(WITH.replace(",0.5\n", f",{x}\n")) == [what]


def test_propensities_that_are_none_in_a_list(mdp):
    for chosen, what in (
        ([1, 0], r"transition 2: found the propensity 0.0, expected a probability above 0, at most 1"),
        ([0.5], r"propensity: found shape \(1,\), expected \(2,\)"),
    ):
        with pytest.raises(OptionError, match=what):
            Transitions.of_arrays(mdp, [0, 1], [0, 0], [1, 0], [False, False], chosen)


def test_standard_input(monkeypatch, tmp_path, mdp, read):
    expected = read(TEXT, mdp)
    write_log(expected, tmp_path / "log.npz")
    for data in (TEXT.encode(), (tmp_path / "log.npz").read_bytes()):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert same(read_log("-", mdp), expected)
    for data, what in (
        (b"", "<stdin>: empty, expected a log"),
        (
            b"a,b\n",
            "<stdin>:1: found no column 'state', expected it, under a usual name (state, states, s, obs ...) or as "
            "columns=\"state=NAME\"; there are 'a', 'b'",
        ),
    ):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        with pytest.raises(ModelError) as caught:
            read_log("-", mdp)
        assert str(caught.value) == what


# -- there and back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_round_trip(tmp_path_factory, suffix, data):
    mdp = data.draw(models(horizon=False).filter(lambda m: m.L > 0))
    n = data.draw(st.integers(1, 12))
    row = data.draw(st.lists(st.integers(0, mdp.L - 1), min_size=n, max_size=n))
    s2 = data.draw(st.lists(st.integers(0, mdp.S - 1), min_size=n, max_size=n))
    reward = data.draw(st.lists(st.floats(-1e300, 1e300), min_size=n, max_size=n))
    done = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    chosen = st.none() | st.lists(st.floats(0, 1, exclude_min=True), min_size=n, max_size=n)
    made = Transitions.of_arrays(mdp, row, reward, s2, done, data.draw(chosen))
    made.next_row[data.draw(st.lists(st.booleans(), min_size=n, max_size=n))] = -1
    path = tmp_path_factory.mktemp("log") / f"log{suffix}"
    write_log(made, path)
    assert same(read_log(path, mdp), made)
    again = read_log(path)
    assert told(again) == told(Log.of(made))
    assert np.array_equal(again.propensity, made.propensity)


def test_numpy_reads_what_is_written(tmp_path, mdp, read):
    write_log(read(TEXT, mdp), tmp_path / "log.npz")
    with np.load(tmp_path / "log.npz", allow_pickle=False) as arrays:
        assert arrays["s"].tolist() == ["a", "b", "b", "a", "b"]
        assert arrays["done"].tolist() == [
            0,
            0,
            1,
            0,
            1,
        ]
        assert arrays["episode"].tolist() == [1, 1, 2, 3, 4]


def test_writing_faults(tmp_path, mdp, read):
    log = read(TEXT, mdp)
    with pytest.raises(OptionError, match=r"found suffix '.txt', expected one of .csv, .npz, .parquet"):
        write_log(log, tmp_path / "log.txt")
    with pytest.raises(OutputError, match="cannot be written"):
        write_log(log, tmp_path / "none" / "log.csv")
    if os.path.exists("/dev/full"):
        (tmp_path / "full.csv").symlink_to("/dev/full")
        with pytest.raises(OutputError, match="No space left"):
            write_log(log, tmp_path / "full.csv")


# -- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "empty, expected a log"),
        (" \n\n", f"found no line of column names, {EXPECTED}"),
        (HEAD, "found no transitions, expected at least one"),
        (HEAD + "\n,,,,\n", "found no transitions, expected at least one"),
        (b"\x80\x04xxxxxxxx", "found a pickle, expected text"),
        (b"\x1f\x8bxxxxxxxxx", "found a gzip file, expected text"),
        (b"PK\x03\x04xxxxxxx", "found an npz archive, expected CSV. Name it .npz."),
        (TEXT.encode("utf-16"), "1: found a NUL byte, expected UTF-8 text (is it UTF-16?)"),
        (TEXT.replace("go", "g\0o"), "2: found a NUL byte, expected UTF-8 text"),
        (TEXT.encode().replace(b"run", b"r\xffn"), "4: found byte 0xff, expected UTF-8 text"),
        (
            "state,action,reward,next_state\na,go,1,a\n",
            "1: found no column 'done', expected it, under a usual name (done, dones, "
            'terminal, terminals ...) or as columns="done=NAME"; there are '
            + "'state', 'action', 'reward', 'next_state'",
        ),
        (
            TEXT.replace("done", "dnoe"),
            "1: found no column 'done'; is it 'dnoe'? Then say columns=\"done=dnoe\"",
        ),
        (TEXT.replace("done", "done,state"), "1: found the column 'state' twice, expected it once"),
        (
            HEAD.replace("done", ",done") + "a,go,1,b\n",
            "2: found 4 fields, expected 6 as in the line of column names",
        ),
        (TEXT.replace(",", ";"), "1: found columns divided by semicolons, expected commas"),
        (TEXT.replace(",", "\t"), "1: found columns divided by tabs, expected commas"),
        (
            "\n\n" + TEXT.replace("b,run,1/3,c,1", "b,run,1/3,c"),
            "6: found 4 fields, expected 5 as in the line of column names",
        ),
        (
            TEXT.replace("b,run,1/3,c,1", "b,run,1/3,c,1,2"),
            "4: found 6 fields, expected 5 as in the line of column names",
        ),
        (TEXT.replace("b,run", '"b,run'), "4: not valid CSV: unexpected end of data"),
        (TEXT.replace("done", '"done', 1), "1: not valid CSV: unexpected end of data"),
        (
            TEXT.replace("b,run", "x" * 200_000 + ",run"),
            "4: not valid CSV: field larger than field limit (131072)",
        ),
        (
            TEXT.replace("b,run", "x" * 20_000 + ",run"),
            "4: state: found a name of 20000 characters, expected at most 10000",
        ),
        (
            TEXT.replace("b,run", "x" * 3_000_000 + ",run"),
            "4: found a line of more than 1.0 MB, expected a transition a line",
        ),
        (
            TEXT.replace("c,1", "c,yes"),
            "4: state 'b', action 'run': done: found 'yes', expected 0, 1, false or true",
        ),
        (
            TEXT.replace("c,1", "c,"),
            "4: state 'b', action 'run': done: found '', expected 0, 1, false or true",
        ),
        (
            TEXT.replace("c,1", "c,2.0"),
            "4: state 'b', action 'run': done: found '2.0', expected 0, 1, false or true",
        ),
        *(
            (TEXT.replace("1/3", x), f"4: state 'b', action 'run': found reward '{x}', {A_NUMBER}")
            for x in (
                "nan",
                "inf",
                "-Infinity",
                "",
                "x",
                "1_000",
                "0x10",
                ".5",
                "5.",
                "+1",
                " 1",
                "1/0",
                "1 / 3",
                "1e",
                "１",
            )
        ),
        (
            TEXT.replace("1/3", "1e400"),
            "4: state 'b', action 'run': found reward '1e400', expected a number up to 1e+300",
        ),
        (
            TEXT.replace("b,run,1/3", "\x1b[31mb,run,nan"),
            f"4: state '\\x1b[31mb', action 'run': found reward 'nan', {A_NUMBER}",
        ),
    ],
)
def test_faults_have_a_line(said, content, expected):
    assert said(content) == [expected]


def test_a_reward_that_is_too_long_to_read(said):
    [line] = said(TEXT.replace("1/3", "1" * 4_001))
    assert line.startswith("4: state 'b', action 'run': found reward '111")
    assert line.endswith("...', of 4,001 characters, expected at most 4,000")


@pytest.mark.parametrize("chunk", [1, 4096])
def test_all_faults_are_told(said, mdp, monkeypatch, chunk):
    monkeypatch.setattr(sheet, "CHUNK", chunk)
    text = HEAD + "aa,go,1,b,0\na,run,1,b,0\na,go,nan,bb,2\nc,go,1,c,1\nb,walk,0,a,0\n"
    assert said(text, mdp) == [
        "2: state 'aa', action 'go': no such state; did you mean 'a'?",
        "3: state 'a', action 'run': not available in the model",
        "4: state 'a', action 'go', next state 'bb': no such state; did you mean 'b'?",
        f"4: state 'a', action 'go': found reward 'nan', {A_NUMBER}",
        "4: state 'a', action 'go': done: found '2', expected 0, 1, false or true",
        "5: state 'c', action 'go': found a transition from a terminal state, expected none",
        "6: state 'b', action 'walk': no such action",
    ]


def test_one_pair_that_is_not_available(said, mdp):
    assert said(HEAD + "b,go,1,a,0\na,wait,1,b,0\n", mdp) == [
        "3: state 'a', action 'wait': not available in the model"
    ]
    assert said(HEAD + "c,go,1,c,1\n", mdp) == [
        "2: state 'c', action 'go': found a transition from a terminal state, expected none"
    ]


def test_a_log_that_is_all_faults_ends(said):
    lines = said(HEAD + "a,go,x,a,0\n" * 5000)
    assert len(lines) == 11
    assert lines[-1] == "... and 990 more faults"


def test_paths(tmp_path, mdp):
    (tmp_path / "log.csv").write_text(TEXT)
    (tmp_path / "log.txt").write_text(TEXT)
    (tmp_path / "other.TxT").write_text(TEXT)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "link.csv").symlink_to("log.csv")
    assert len(read_log(tmp_path / "link.csv", mdp)) == 5
    for name, expected in (
        ("lgo.csv", "no such file; did you mean 'log.csv'?"),
        ("log.txt", "found suffix '.txt', expected one of .csv, .npz, .parquet, .hdf5, .h5"),
        ("other.TxT", "found suffix '.TxT', expected one of .csv, .npz, .parquet, .hdf5, .h5"),
        ("folder.csv", "is a directory, expected a log: a file .csv or .npz or .parquet or .hdf5 or .h5"),
        ("loop.csv", "symbolic links in a circle, expected a file"),
    ):
        with pytest.raises(ModelError) as caught:
            read_log(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {expected}"


def test_a_pipe_without_end(monkeypatch):
    monkeypatch.setattr("tabular_rl.formats.input.LIMIT", 1 << 22)
    with pytest.raises(ModelError, match="/dev/zero: limit reached"):
        read_log("/dev/zero")


def test_memory_that_is_not_there(tmp_path, read, mdp, monkeypatch):
    write_log(read(TEXT, mdp), tmp_path / "log.npz")
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with pytest.raises(ModelError, match=r"needs .* of memory, expected at most the 1.0 kB that are free"):
        read_log(tmp_path / "log.npz")


# -- faults of archives --------------------------------------------------------------------------------------------


@pytest.fixture
def members(tmp_path, mdp, read):
    write_log(read(TEXT, mdp), tmp_path / "good.npz")
    with zipfile.ZipFile(tmp_path / "good.npz") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), **options)
    return file.getvalue()


def header(shape, dtype, data=b""):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def archive(members, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return file.getvalue()


@pytest.mark.parametrize(
    ("member", "data", "expected"),
    [
        (
            "s.npy",
            None,
            "found no column 'state', expected it, under a usual name (state, states, s, "
            'obs ...) or as columns="state=NAME"; there are ' + "'episode', 'a', 'r', 's2', 'done'",
        ),
        ("../s.npy", b"", "member '../s.npy': found a path, expected a plain name"),
        ("r.npy", npy([1.0] * 4), "member 'r': found length 4, expected 5"),
        ("r.npy", npy([[1.0] * 5]), "member 'r': found shape (1, 5), expected one dimension"),
        (
            "r.npy",
            npy([1, 2, np.nan, 4, 5]),
            "state 'b', action 'run': found reward (column 'r') nan, expected a finite number up to 1e+300 "
            "(transition 3)",
        ),
        (
            "r.npy",
            npy([1j] * 5),
            f"member 'r': found dtype complex128, {TYPES}",
        ),
        (
            "r.npy",
            npy(np.zeros(5, ">f8")),
            f"member 'r': found dtype big-endian float64, {TYPES}",
        ),
        (
            "r.npy",
            npy(["1", "x", "1", "1", "1"]),
            f"state 'b', action 'go': found reward (column 'r') 'x', {A_NUMBER} (transition 2)",
        ),
        (
            "s.npy",
            header("(5,)", "|O", b"\x80\x04."),
            f"member 's': object arrays are not allowed: found dtype object, {TYPES}",
        ),
        (
            "s.npy",
            npy([0.0, 1.0, 1.5, 0.0, 1.0]),
            "state (column 's'): found 1.5, expected whole numbers or names. Say in which of finitely many cells it is "
            "(transition 3)",
        ),
        (
            "s.npy",
            header("(1000000000000,)", "<i8", bytes(64)),
            "member 's': found 1000000000000 entries declared (8000.0 GB), expected the 64 bytes that are there",
        ),
        (
            "s.npy",
            header("(5,)", "<U1", b"\xff" * 20),
            "member 's': found 0xffffffff, expected characters of Unicode",
        ),
        (
            "s.npy",
            npy(["x" * 20_000] * 5),
            "member 's': found names of 20000 characters, expected at most 10000",
        ),
        ("s.npy", npy(["a", "b", "x", "a", "b"]), "state 'x', action 'run': no such state (transition 3)"),
        (
            "s.npy",
            npy([0, 1, -1, 0, 1]),
            "state '-1', action 'run': state (column 's'): found index -1, expected 0 to 3 (transition 3)",
        ),
        (
            "propensity.npy",
            npy([1, 0.5, 0, 1, 1]),
            "state 'b', action 'run': propensity: found 0, expected a probability above 0, at most 1 (transition 3)",
        ),
        (
            "s2.npy",
            npy([0, 1, 9, 0, 1]),
            "state 'b', action 'run', next state '9': next_state (column 's2'): found "
            "index 9, expected 0 to 3 (transition 3)",
        ),
        (
            "a.npy",
            npy(["go", "go", "runs", "go", "go"]),
            "state 'b', action 'runs': no such action; did you mean 'run'? (transition 3)",
        ),
        ("a.npy", npy([1, 0, 1, 0, 0]), "state 'a', action '1': not available in the model (transition 1)"),
        (
            "done.npy",
            npy([0, 1, 2, 0, 1]),
            "state 'b', action 'run': done: found 2, expected 0, 1, false or true (transition 3)",
        ),
        (
            "done.npy",
            npy([0.0, 1, np.nan, 0, 1]),
            "state 'b', action 'run': done: found nan, expected 0, 1, false or true (transition 3)",
        ),
    ],
)
def test_archives_with_faults(members, said, mdp, member, data, expected):
    changed = {**members, member: data}
    if data is None:
        del changed[member]
    assert said(archive(changed), mdp, "log.npz") == [expected]


def test_archives_of_other_kinds(members, said):
    assert said(TEXT, None, "log.npz") == ["found text, expected an npz archive"]
    assert said(pickle.dumps([1]), None, "log.npz") == ["found a pickle, expected an npz archive"]
    assert said(b"", None, "log.npz") == ["empty, expected a log"]
    empty = {name: npy(np.zeros(0, np.int64)) for name in members}
    assert said(archive(empty), None, "log.npz") == ["found no transitions, expected at least one"]
    mixed = {**members, "s2.npy": npy([0, 1, 2, 0, 1])}
    assert said(archive(mixed), None, "log.npz") == [
        "found names in one of s and s2 and indices in the other, expected one kind"
    ]
    bomb = {**members, "r.npy": npy(np.zeros(20_000_000))}
    assert (
        "member 'r.npy': found a declared size of 160.0 MB"
        in said(archive(bomb, zipfile.ZIP_DEFLATED), None, "log.npz")[0]
    )


def test_damaged_files_never_raise_anything_else(members, read, mdp):
    whole = archive(members)
    expected = read(whole, mdp, "log.npz")
    for end in range(0, len(whole), 11):
        with pytest.raises(ModelError):
            read(whole[:end], mdp, "log.npz")
    for at in range(0, len(whole), 11):
        changed = bytearray(whole)
        changed[at] ^= 1
        with suppress(ModelError):
            assert same(read(bytes(changed), mdp, "log.npz"), expected)
    for end in range(len(TEXT)):
        with suppress(ModelError):
            assert told(read(TEXT[:end])) in ([told(read(TEXT))[:n] for n in range(1, 6)])


@settings(max_examples=80, deadline=None)
@given(
    parts=st.lists(
        st.sampled_from(
            [
                "a",
                "b",
                "go",
                "run",
                "1",
                "0",
                "1/3",
                "nan",
                "x",
                ",",
                ",",
                ",",
                "\n",
                "\r\n",
                '"',
                "",
                "\0",
                "é",
            ]
        )
        | st.text(max_size=3),
        max_size=40,
    ),
    top=st.sampled_from(["", HEAD, TEXT, "\n\n" + HEAD]),
)
def test_texts_of_all_kinds_are_logs_or_faults(tmp_path_factory, parts, top):
    path = tmp_path_factory.mktemp("fuzz") / "log.csv"
    path.write_bytes((top + "".join(parts)).encode("utf-8", "surrogatepass"))
    log = fault = None
    try:
        log = read_log(path)
    except ModelError as error:
        fault = str(error)
    if log is None:
        assert all(line.isprintable() for line in fault.split("\n"))
    else:
        assert len(told(log)) == len(log) > 0


# -- size ----------------------------------------------------------------------------------------------------------


def test_a_log_is_never_held_whole(tmp_path):
    """The arrays take 41 bytes a transition (4 of eight bytes, 2 flags, codes), the text 60; lists would take 500."""
    n = 50_000
    path = tmp_path / "log.csv"
    with open(path, "w") as file:
        file.write(HEAD)
        file.writelines(
            f"a state with a long name {i % 7},go,{i % 11},a state with a long name {i % 5},0\n"
            for i in range(n)
        )
    tracemalloc.start()
    try:
        assert len(read_log(path)) == n
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000 + 100 * n
