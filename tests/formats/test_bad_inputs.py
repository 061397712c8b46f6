"""What a user meets when the input is wrong: an exit code and one line that says where, what was found and what was
expected; nothing on standard output, and nothing written. The inputs are those of docs/robustness.md, in its order;
a test at the end compares the two.

Expected values stand in the inputs themselves: a row of 0.5 and 0.49657 sums to 99657/100000.
"""

from __future__ import annotations

import ast
import io
import json
import math
import os
import pickle
import re
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import program
import pytest
from program import command_of, environment, inside, one_line

from tabular_rl import MDP, load, save, solve
from tabular_rl.formats import input as reading
from tabular_rl.formats.registry import MODELS
from tabular_rl.model import families

ROOT = program.ROOT
HERE = Path(__file__)
ROBOT = "example:recycling_robot"
FOREST = """discount = 0.9
[state.young]
wait = { to = { young = 0.1, old = 0.9 }, reward = 0 }
cut = { to = "young", reward = 1 }
[state.old]
wait = { to = { young = 0.1, old = 0.9 }, reward = 4 }
cut = { to = "young", reward = 2 }
"""
COLUMNS = "state,action,next_state,probability,reward\n"
CSV = "# discount = 0.9\n" + COLUMNS  # the first transition stands on line 3
ENDS = '# terminal = ["end"]\n' + CSV  # and here on line 4
A_NUMBER = 'expected a number such as 1, 0.5 or "2/3"'
QUOTES = "Write it without the quotes"
A_CSV_NUMBER = "expected a number such as 1, 0.5 or 2/3"
RISING = "repeats or precedes the action before it, expected rising actions within a state"
FIX = "Fix the row, or load with --normalize to rescale it."


def forest(old, new):
    assert old in FOREST
    return FOREST.replace(old, new, 1)


def row(probabilities, numbers=""):
    """A model with one row, whose outcomes all end; the row stands on the line of `go`."""
    names = [f"s{i}" for i in range(len(probabilities))]
    ends = ", ".join(f'"{name}"' for name in names)
    to = ", ".join(f"{name} = {p}" for name, p in zip(names, probabilities, strict=True))
    return (
        f"discount = 0.9\n{numbers}terminal = [{ends}]\n[state.a]\ngo = {{ to = {{ {to} }}, reward = 1 }}\n"
    )


FLOATS = 'numbers = "float64"\n'


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(capsys):
    """Solve a file; it must be refused with these lines, and nothing may be written."""

    def check(name, content, *lines, options=(), code=2):
        if content is not None:
            Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
        before = sorted(os.listdir())
        done = inside(capsys, "solve", name, "-o", "answer.json", *options)
        assert done.err.splitlines() == [f"{name}{line}" for line in lines]
        assert (done.code, done.out) == (code, "")
        assert sorted(os.listdir()) == before
        assert all(line.isprintable() for line in done.err.splitlines())

    return check


@pytest.fixture
def solved(capsys):
    """Solve a file; return the answer."""

    def check(name, content=None, *options, code=0):
        if content is not None:
            Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
        done = inside(capsys, "solve", name, "--json", "-q", *options)
        assert (done.code, done.err) == (code, ""), done.err
        answer = json.loads(done.out)
        for key in ("seconds", "model", "options"):
            answer.pop(key, None)
        return answer

    return check


# -- container -----------------------------------------------------------------------------------------------------


def test_file_does_not_exist(refused):
    refused("none.toml", None, ": no such file")


@pytest.mark.parametrize("name", ["folder", "folder.toml"])
def test_path_is_a_directory(refused, name):
    os.mkdir(name)
    refused(name, None, ": is a directory without header.json, expected a file or a directory of arrays")


@pytest.mark.parametrize("name", ["m.toml", "m.csv", "m.npz"])
def test_empty_file(refused, name):
    refused(name, "", ": empty, expected a model")


@pytest.mark.parametrize("text", [" \n\n  \n", "# a comment\n## another\n", "\n"])
def test_whitespace_or_comments_alone(refused, text):
    refused("m.toml", text, ": no states: found 0, expected at least 1")
    text = text.replace("# a", "## a")
    columns = COLUMNS.strip()
    refused("m.csv", text, f": no states: found no line of column names, expected the columns {columns}")


@pytest.mark.parametrize("name", ["m.toml", "m.csv", "m.npz"])
def test_truncated_file_that_we_wrote(capsys, name):
    """Every proper prefix is refused; but for the last newline, which may be missing."""
    save(load(ROBOT), name)
    whole = Path(name).read_bytes()
    step = 1 if name != "m.npz" else 7
    for size in range(0, len(whole.rstrip()), step):
        Path(name).write_bytes(whole[:size])
        done = inside(capsys, "check", name)
        assert (done.code, done.out) == (2, ""), size
        assert done.err, size
        assert all(line.startswith(f"{name}:") for line in done.err.splitlines()), size


def test_truncated_text_is_refused_or_is_a_model(capsys):
    """A text of one's own need not state its outcomes: a cut at the end of a line may leave a model."""
    end = FOREST.index(
        "\ncut", FOREST.index("[state.old]")
    )  # of a line after which the state old has an action
    for size in range(len(FOREST)):
        Path("m.toml").write_text(FOREST[:size])
        done = inside(capsys, "check", "m.toml", "-q")
        assert done.code == (0 if size in (end, end + 1, len(FOREST) - 1) else 2), size
        assert all(line.startswith("m.toml:") for line in done.err.splitlines()), size
    Path("m.toml").write_text("outcomes = 6\n" + FOREST[: FOREST.rindex("cut")])
    line = one_line(inside(capsys, "check", "m.toml").err)
    assert line == "m.toml:1: outcomes: found 5 transitions, expected 6 as stated. Is the file cut off?"


def test_truncated_directory(capsys):
    save(load(ROBOT), "m")
    for path in sorted(Path("m").iterdir()):
        whole = path.read_bytes()
        for size in (0, 1, len(whole) // 2, len(whole) - 1, None):
            path.unlink() if size is None else path.write_bytes(whole[:size])
            done = inside(capsys, "check", "m")
            if size and whole[:size] == whole.rstrip():  # all but the last newline
                assert done.code == 0
            else:
                assert (done.code, done.out) == (2, ""), (path, size)
                assert one_line(done.err).startswith("m: ")
        path.write_bytes(whole)


def test_name_says_another_format_than_the_content(refused):
    refused("m.npz", FOREST, ": found text, expected an npz archive")
    save(load(ROBOT), "robot.npz")
    data = Path("robot.npz").read_bytes()
    refused("m.toml", data, ": found an npz archive, expected TOML. Name it .npz.")
    refused("m.csv", data, ": found an npz archive, expected CSV. Name it .npz.")
    refused("m.toml", b"\x1f\x8b\x08 and so on", ": found a gzip file, expected text")
    refused(
        "m.txt",
        FOREST,
        f": found suffix '.txt', expected one of {', '.join(MODELS.suffixes)}, or say which format it is with --format",
    )


def test_version_newer_than_the_program(refused):
    refused("m.toml", "format = 2\n" + FOREST, ":1: format: found version 2, expected 1")
    refused("m.csv", "# format = 7\n" + CSV + "a,go,a,1,0\n", ":1: format: found version 7, expected 1")
    refused("m.npz", archive(meta={"version": 2}), ": meta: found version 2, expected 1")
    save(load(ROBOT), "m")
    header = Path("m/header.json")
    header.write_text(header.read_text().replace('"version": 1', '"version": 2'))
    refused("m", None, ": header.json: found version 2, expected 1")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        str.rstrip,
    ],
    ids=["byte order mark", "CRLF", "CR", "no final newline"],
)
def test_line_ends_and_byte_order_mark_change_nothing(solved, change):
    assert solved("m.toml", change(FOREST)) == solved("m.toml", FOREST)
    text = CSV + "a,go,b,1,1\nb,go,a,1,2\n"
    assert solved("m.csv", change(text)) == solved("m.csv", text)


def test_bytes_that_are_not_text(refused):
    refused("m.toml", forest("young", "yo\0ung"), ":2: found a NUL byte, expected UTF-8 text")
    refused("m.csv", CSV + "a,g\0o,a,1,0\n", ":3: found a NUL byte, expected UTF-8 text")
    refused("m.toml", forest("young", "jüng").encode("latin-1"), ":2: found byte 0xfc, expected UTF-8 text")
    refused("m.toml", FOREST.encode("utf-16"), ":1: found a NUL byte, expected UTF-8 text (is it UTF-16?)")


def test_line_longer_than_the_limit(refused, monkeypatch):
    """The limit is made small, so that the test need not write two gigabytes."""
    monkeypatch.setattr(reading, "LIMIT", 10_000)
    expected = "expected at most 10.0 kB of text. Keep larger models as .npz or as a directory."
    refused("m.toml", "#" + "x" * 20_000, f": limit reached: found 20.0 kB or more, {expected}")


@pytest.mark.slow
def test_line_of_two_gigabytes(refused):
    with open("m.toml", "wb") as file:
        file.truncate(2 << 30)
    way_out = "Keep larger models as .npz or as a directory."
    refused(
        "m.toml", None, f": limit reached: found 2.1 GB or more, expected at most 1.1 GB of text. {way_out}"
    )


def test_standard_input_empty(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    done = inside(capsys, "solve", "-")
    assert (done.code, done.out, one_line(done.err)) == (2, "", "<stdin>: empty, expected a model")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_input_that_never_ends(refused, monkeypatch):
    monkeypatch.setattr(reading, "LIMIT", 1 << 21)
    for name in ("/dev/zero",):
        limit = "expected at most 2.1 MB of text. Keep larger models as .npz or as a directory."
        refused(name, None, f": limit reached: found 3.1 MB or more, {limit}")


# -- archives ------------------------------------------------------------------------------------------------------


def members():
    if not Path("robot.npz").exists():
        save(load(ROBOT), "robot.npz")
    with zipfile.ZipFile("robot.npz") as file:
        return {name: file.read(name) for name in file.namelist()}


def npy(array, **options):
    data = io.BytesIO()
    np.lib.format.write_array(data, array, **options)
    return data.getvalue()


def array_of(name):
    return np.load(io.BytesIO(members()[f"{name}.npy"]))


def archive(raw=None, meta=None, without=(), compression=zipfile.ZIP_STORED, **arrays):
    """The recycling robot as an npz with members replaced, left out, or a changed header."""
    found = members()
    if meta is not None:
        header = {**json.loads(array_of("meta").tobytes()), **meta}
        found["meta.npy"] = npy(np.frombuffer(json.dumps(header).encode(), dtype=np.uint8))
    found |= {
        f"{name}.npy": npy(np.asarray(value, dtype=array_of(name).dtype)) for name, value in arrays.items()
    }
    found |= raw or {}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as file:
        for name, content in found.items():
            if name not in without:
                file.writestr(name, content)
    return data.getvalue()


LONG = pytest.mark.skipif(np.dtype("longdouble").itemsize == 8, reason="longdouble is float64 here")


class Payload:
    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def test_pickle_is_never_read(refused):
    objects = npy(np.array([Payload()], dtype=object), allow_pickle=True)
    what = ": member 'prob': object arrays are not allowed: found dtype object, expected float64"
    refused("m.npz", archive({"prob.npy": objects}), what)
    refused("m.npz", pickle.dumps(Payload()), ": found a pickle, expected an npz archive")
    refused("m.toml", pickle.dumps(Payload()), ": found a pickle, expected text")
    refused("m.npz", pickle.dumps(Payload(), 0), ": found text, expected an npz archive")
    assert not Path("unpickled").exists()
    pickle.loads(pickle.dumps(Payload()))  # which it would do
    assert Path("unpickled").exists()


def test_zip_bomb(refused):
    data = archive({"prob.npy": npy(np.zeros(20_000_000))}, compression=zipfile.ZIP_DEFLATED)
    assert len(data) < 200_000
    limit = "limit 100 times as many or 16.8 MB"
    refused("m.npz", data, f": member 'prob.npy': found a declared size of 160.0 MB from 155.6 kB, {limit}")


def test_declared_size_that_is_a_lie(refused, monkeypatch):
    """A header of 100 GB over nothing; and a central directory that declares it."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    data = archive({"prob.npy": header.getvalue() + b"\0" * 64})
    refused("m.npz", data, ": member 'prob': found length 1000000000000, expected 7")
    plain, file_size = archive(), len(members()["prob.npy"])
    at = plain.rindex(b"prob.npy") - 46 + 24  # the size in the central directory
    assert int.from_bytes(plain[at : at + 4], "little") == file_size
    data = plain[:at] + (10**9).to_bytes(4, "little") + plain[at + 4 :]
    found = f"found 1000000000 bytes declared and {file_size} stored, expected as many"
    refused("m.npz", data, f": member 'prob.npy': {found}")


def test_archive_inside_an_archive(refused):
    what = ": member 'nested.npz': unexpected, expected the arrays of a model"
    refused("m.npz", archive({"nested.npz": archive()}), what)


@pytest.mark.parametrize("name", ["../../x.npy", "/etc/x.npy", "C:x.npy", "a\\b.npy"])
def test_member_with_a_path(refused, name):
    refused("m.npz", archive({name: b"x"}), f": member '{name}': found a path, expected a plain name")


def test_member_unexpected_or_missing(refused):
    refused("m.npz", archive({"x.npy": b""}), ": member 'x.npy': unexpected, expected the arrays of a model")
    data = archive({"cell.npy": npy(np.arange(2))})
    refused("m.npz", data, ": member 'cell': found it, expected none: meta does not list it")
    refused("m.npz", archive(without=("prob.npy",)), ": found no member 'prob', expected it")


@pytest.mark.parametrize(
    ("dtype", "shown"),
    [
        ("float16", "float16"),
        ("float32", "float32"),
        ("complex128", "complex128"),
        ("bool", "bool"),
        ("int64", "int64"),
        ("U3", "str96"),
        ("S3", "bytes24"),
        ("datetime64[s]", "datetime64[s]"),
        (">f8", "big-endian float64"),
        ([("p", "f8")], "void64"),
        pytest.param("longdouble", np.dtype("longdouble").name, marks=LONG),
    ],
    ids=str,
)
def test_dtype(refused, dtype, shown):
    array = np.zeros(7, dtype=dtype)
    refused(
        "m.npz", archive({"prob.npy": npy(array)}), f": member 'prob': found dtype {shown}, expected float64"
    )


def test_order_of_memory_does_not_matter(solved):
    """An array of one axis is as it is; a model of tensors may be given in Fortran order, or as a view."""
    header = io.BytesIO()
    p = array_of("prob")
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": True, "shape": p.shape})
    assert solved("m.npz", archive({"prob.npy": header.getvalue() + p.tobytes()})) == solved(
        "m.npz", archive()
    )
    P, R = np.random.default_rng(0).dirichlet(np.ones(4), size=(4, 2)), np.arange(8.0).reshape(4, 2)
    wide = np.zeros((4, 2, 8))
    wide[..., ::2] = P
    plain = solve(MDP(P, R, 0.9))
    for other in (np.asfortranarray(P), wide[..., ::2]):
        assert np.array_equal(solve(MDP(other, np.asfortranarray(R), 0.9)).v, plain.v)


@pytest.mark.skipif(os.name != "posix", reason="symbolic links")
def test_symbolic_links(refused, solved):
    Path("m.toml").write_text(FOREST)
    os.symlink("m.toml", "link.toml")
    assert solved("link.toml") == solved("m.toml")
    os.symlink("one.toml", "two.toml")
    os.symlink("two.toml", "one.toml")
    refused("one.toml", None, ": symbolic links in a circle, expected a file")


# -- dimensions ----------------------------------------------------------------------------------------------------


def test_no_states_or_actions(refused, solved):
    refused("m.toml", "discount = 0.9\n[state]\n", ": no states: found 0, expected at least 1")
    way_out = "Declare it terminal, or give it one."
    refused(
        "m.toml", "discount = 0.9\n[state.a]\n", f":2: state 'a': has no actions, expected some. {way_out}"
    )
    refused("m.csv", CSV, ": no states: found no transitions, expected at least 1")
    refused(
        "m.npz", archive(meta={"states": 0}), ": meta: states: found 0, expected a whole number, 1 or more"
    )
    ends = 'discount = 0.9\nterminal = ["a"]\n[state.a]\n'
    assert solved("m.toml", ends)["values"] == [0.0]  # nothing to decide is no fault


def test_declared_size_beyond_memory(capsys, refused):
    """A thousand million states in files with holes, that take no room on the disk; and a horizon of 2e9 steps."""
    refused(
        "m.npz",
        archive(meta={"pairs": 2**40}),
        ": member 'pair_action': found length 5, expected 1099511627776",
    )
    done = inside(capsys, "solve", ROBOT, "--horizon", 2 * 10**9, "-o", "answer.json")
    assert (done.code, done.out) == (2, "")
    assert re.search(
        r"solving needs about 2\d\d\.\d GB of memory, expected at most the [\d.]+ GB that are free$",
        one_line(done.err),
    )
    assert not Path("answer.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="files with holes, and memory that is known")
def test_states_beyond_memory(capsys):
    """Four thousand million states in files with holes, that take no room on the disk: 32 bytes each."""
    save(families.garnet(states=3, actions=1, branching=1), "m")
    S = 4 * 10**9
    for name, dtype in (
        ("pair_ptr", "<i8"),
        ("pair_action", "<i8"),
        ("row_ptr", "<i8"),
        ("next_state", "<i8"),
        ("start", "<f8"),
        ("terminal", "|b1"),
    ):
        length = (
            S + (name == "pair_ptr") if name in ("pair_ptr", "start", "terminal") else 3 + (name == "row_ptr")
        )
        last = 3 if name in ("pair_ptr", "row_ptr") else 0
        with open(f"m/{name}.npy", "wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": dtype, "fortran_order": False, "shape": (length,)}
            )
            file.truncate(file.tell() + length * np.dtype(dtype).itemsize)
            file.seek(-np.dtype(dtype).itemsize, 2)
            file.write(np.array(last, dtype=dtype).tobytes())
    header = json.loads(Path("m/header.json").read_text())
    Path("m/header.json").write_text(json.dumps({**header, "states": S}))
    done = inside(capsys, "solve", "m")
    assert (done.code, done.out) == (2, "")
    assert re.match(r"m: checking needs about 128\.0 GB of memory, expected at most", one_line(done.err))


def test_indices_are_wide_enough():
    """Past 2**31 outcomes only row pointers are wide; past 2**31 states all indices are. Told from the header alone."""
    from tabular_rl.formats import directory
    from tabular_rl.formats.header import Header

    def types(**sizes):
        made = Header(
            **({"S": 3, "A": 1, "L": 3, "K": 3} | sizes),
            gamma=Fraction(1, 2),
            sense="max",
            horizon=None,
            name="",
            source="",
            start_given=False,
            layout=None,
            arrays=(),
        )
        return directory._types(made)

    assert set(types().values()) == {"int32"}
    assert types(K=2**31) == {
        "pair_ptr": "int32",
        "pair_action": "int32",
        "next_state": "int32",
        "row_ptr": "int64",
    }
    assert set(types(S=2**31).values()) == set(types(L=2**31).values()) == {"int64"}


@pytest.mark.parametrize("value", ["-1", "1.5", "nan", "true", '"3"', "0", "1e3"])
def test_horizon_that_is_no_whole_number(refused, value):
    refused(
        "m.toml",
        f"horizon = {value}\n{FOREST}",
        f":1: horizon: found {value}, expected a whole number, 1 or more",
    )


@pytest.mark.parametrize("value", [-1, 2.5, True, 1e9, "2", None])
def test_size_that_is_no_whole_number(refused, value):
    what = f": meta: states: found {json.dumps(value)}, expected a whole number, 1 or more"
    refused("m.npz", archive(meta={"states": value}), what)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"row_ptr": [0, 2, 1, 5, 6, 7]}, "row_ptr: found it falling at position 2, expected it to rise"),
        ({"row_ptr": [0, 3, 5, 6, 7]}, "member 'row_ptr': found length 5, expected 6"),
        ({"row_ptr": [0, 2, 3, 5, 6, 8]}, "row_ptr: found 0 to 8, expected 0 to 7"),
        ({"row_ptr": [0, -5, 3, 5, 6, 7]}, "row_ptr: found it falling at position 1, expected it to rise"),
        (
            {"pair_action": [1, 0, 0, 1, 2]},
            f"state 'high', action 'search': row 1 {RISING}",
        ),
        (
            {"pair_action": [0, 1, 0, 1, 1]},
            f"state 'low', action 'wait': row 4 {RISING}",
        ),
        (
            {"pair_action": [0, 1, 0, 1, 7]},
            "state 'low', action '7': pair_action: found 7 at position 4, expected 0 to 2",
        ),
        (
            {"next_state": [0, 1, 0, 9, 1, 1, 0]},
            "state 'low', action 'search': next_state: found 9 at position 3, expected 0 to 1",
        ),
        (
            {"next_state": [0, 1, 0, -1, 1, 1, 0]},
            "state 'low', action 'search': next_state: found -1 at position 3, expected 0 to 1",
        ),
    ],
    ids=lambda x: " ".join(f"{k}={v}" for k, v in x.items()) if isinstance(x, dict) else "",
)
def test_pointers_and_indices(refused, change, line):
    refused("m.npz", archive(**change), f": {line}")


# -- names ---------------------------------------------------------------------------------------------------------


def test_name_given_twice(refused):
    what = "found twice, first on line 1, expected distinct names"
    refused("m.toml", 'states = ["young", "old",\n "young"]\n' + FOREST, f":2: state 'young': {what}")
    refused("m.csv", '# states = ["a", "a"]\n' + CSV + "a,go,a,1,0\n", f":1: state 'a': {what}")
    refused(
        "m.toml", FOREST + "[state.young]\n", ":8: state 'young': found twice, first on line 2, expected once"
    )
    names = "state 'high': found twice, as number 0 and 1, expected distinct names"
    refused("m.npz", archive(meta={"state_names": ["high", "high"]}), f": {names}")


def test_name_that_is_not_known(refused):
    what = "no such state; did you mean"
    refused(
        "m.toml",
        forest('"young", reward = 1', '"yuong", reward = 1'),
        f":4: state 'young', action 'cut', next state 'yuong': {what} 'young'?",
    )
    refused(
        "m.csv", CSV + "old,go,odl,1,0\n", f":3: state 'old', action 'go', next state 'odl': {what} 'old'?"
    )


ODD = {
    "a b": "a b",
    'a"b': 'a"b',
    "a'b": "a'b",
    "a,b": "a,b",
    "a\nb": r"a\nb",
    "a\tb": r"a\tb",
    "\u202eevil": r"\u202eevil",
    "\x1b[31mred": r"\x1b[31mred",
    "x\x85y": r"x\x85y",
    "a\u2028b": r"a\u2028b",
    "café": "café",
}


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_name_cannot_move_the_cursor(refused, capsys, name):
    """Any text is a name; a fault shows it escaped, and so do the tables."""
    key = json.dumps(name)
    model = "discount = 0.9\n[state.{0}]\n{0} = {{ to = {{ {0} = {1} }}, reward = 1 }}\n"
    what = f"state '{ODD[name]}', action '{ODD[name]}': probabilities sum to 1/2, expected 1 (1/2 missing). {FIX}"
    refused("m.toml", model.format(key, "0.5"), f":3: {what}")
    Path("m.toml").write_text(model.format(key, "1"), encoding="utf-8")
    for command in (("solve",), ("show",), ("check",), ("solve", "--json")):
        done = inside(capsys, command[0], "m.toml", *command[1:])
        assert done.code == 0
        assert all(line.isprintable() for line in done.out.split("\n") + done.err.split("\n"))


def test_name_is_never_a_number(solved):
    names = ["0", "01", "1e0", "nan", "true", "-"]
    rows = "".join(
        f'"{a}" = {{ go = {{ to = "{b}", reward = 1 }} }}\n'
        for a, b in zip(names, names[1:] + names[:1], strict=True)
    )
    answer = solved("m.toml", "discount = 0.5\n[state]\n" + rows)
    assert answer["states"] == names
    assert answer["values"] == [2.0] * 6  # 1 / (1 - 1/2)
    text = "".join(f"{a},go,{b},1,1\n" for a, b in zip(names, names[1:] + names[:1], strict=True))
    assert solved("m.csv", "# discount = 0.5\n" + COLUMNS + text)["states"] == names


def test_name_of_a_megabyte(refused):
    name = "a" * 10**6
    shown = "a" * 77 + "..."
    what = f"state '{shown}': found a name of 1000000 characters, expected at most 10000"
    refused("m.toml", f'discount = 0.9\n[state.{name}]\ngo = {{ to = "{name}" }}\n', f":2: {what}")
    refused(
        "m.csv", f"{CSV}{name},go,{name},1,0\n", ":3: not valid CSV: field larger than field limit (131072)"
    )


NUMBERS = ["1_000", "0x10", "1e", ".5", "5.", "+0.5", "0o7", "1 000", "٣", "1,5"]


@pytest.mark.parametrize("text", NUMBERS)
def test_number_in_an_odd_spelling(refused, capsys, text):
    quoted = f'"{text}"' if "," in text else text
    where = "state 'a', action 'go', next state 'a'"
    refused("m.csv", f"{CSV}a,go,a,1,{quoted}\n", f":3: {where}: found reward '{text}', {A_CSV_NUMBER}")
    refused("m.csv", f"{CSV}a,go,a,{quoted},0\n", f":3: {where}: found probability '{text}', {A_CSV_NUMBER}")
    Path("m.toml").write_text(forest("reward = 4", f"reward = {text}"), encoding="utf-8")
    done = inside(capsys, "solve", "m.toml")
    assert (done.code, done.out) == (2, "")
    assert one_line(done.err).startswith("m.toml:6: ")
    for option in () if text == ".5" else ("--gamma", "--tolerance"):  # on the command line .5 is a number
        done = inside(capsys, "solve", ROBOT, option, text)
        assert (done.code, done.out) == (2, "")
        assert one_line(done.err).startswith(f"{option}: found '{text}', expected a number from")


# -- probabilities -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probabilities", "exact", "floats"),
    [
        (
            ["0.5", "0.499"],
            "999/1000, expected 1 (1/1000 missing)",
            "0.999, expected 1 (0.001 missing)",
        ),
        (["0.6", "0.5"], "11/10, expected 1 (1/10 too much)", "1.1, expected 1 (0.1 too much)"),
        (
            ["0.5", "0.49657"],
            "99657/100000, expected 1 (343/100000 missing)",
            "0.99657, expected 1 (0.00343 missing)",
        ),
        (["0.9", "0.9"], "9/5, expected 1 (4/5 too much)", "1.8, expected 1 (0.8 too much)"),
        (["0", "0"], "0, expected 1 (1 missing)", "0.0, expected 1 (1 missing)"),
    ],
    ids=["0.999", "1.1", "0.99657", "1.8", "0"],
)
def test_row_that_does_not_sum_to_one(refused, probabilities, exact, floats):
    where = "state 'a', action 'go': probabilities sum to"
    refused("m.toml", row(probabilities), f":4: {where} {exact}. {FIX}")
    refused("m.toml", row(probabilities, FLOATS), f":5: {where} {floats}. {FIX}")


def test_row_of_an_archive_that_does_not_sum_to_one(refused):
    what = f"probabilities sum to 0.9, expected 1 (0.1 missing). {FIX}"
    plain = {
        "meta": {
            "arrays": [
                m for m in json.loads(array_of("meta").tobytes())["arrays"] if not m.endswith(("num", "den"))
            ]
        }
    }
    dropped = [
        f"{name}.npy"
        for name in ("prob_num", "prob_den", "reward_num", "reward_den", "start_num", "start_den")
    ]
    data = archive(prob=[0.8, 0.1, 1.0, 0.6, 0.4, 1.0, 1.0], without=dropped, **plain)
    refused("m.npz", data, f": state 'high', action 'search': {what}")


def test_row_rescaled_on_request(capsys):
    """A row of three 0.333 becomes three thirds: each changes by 1/3 - 0.333 = 0.000333..., rounded up."""
    Path("m.toml").write_text(row(["0.333"] * 3))
    done = inside(capsys, "solve", "m.toml", "--normalize", "--json")
    assert done.code == 0
    assert done.err.startswith("m.toml: --normalize changed probabilities by 3.4e-04 at most\n")


@pytest.mark.parametrize(
    ("probabilities", "numbers"),
    [
        (["0.1"] * 10, ""),
        (["0.1"] * 10, FLOATS),
        (['"1/3"'] * 3, ""),
        (["0.3333333333333333"] * 3, FLOATS),
        (["0.001"] * 1000, FLOATS),
        (["0.33333333333333337"] * 2 + ["0.3333333333333333"], FLOATS),
        (["-0.0", "1"], ""),
        (["-0.0", "1"], FLOATS),
        (["0", "1"], ""),
    ],
    ids=[
        "tenths",
        "tenths as doubles",
        "thirds",
        "thirds as doubles",
        "thousandths as doubles",
        "a third upward",
        "-0.0",
        "-0.0 as a double",
        "0",
    ],
)
def test_row_that_sums_to_one(solved, probabilities, numbers):
    """The reward is 1, and then all is over: v(a) = 1, whatever the probabilities are."""
    answer = solved("m.toml", row(probabilities, numbers))
    value = answer["values"][answer["states"].index("a")]
    assert value == pytest.approx(1, abs=1e-9)
    assert answer["status"] in ("CERTIFIED", "EXACT")


def test_thirds_of_sixteen_digits_as_text(refused):
    gap = "9999999999999999/10000000000000000, expected 1 (1/10000000000000000 missing)"
    way_out = 'These look like rounded fractions: write "1/3" for one third, say numbers = "float64", or'
    way_out += " load with --normalize."
    refused(
        "m.toml",
        row(["0.3333333333333333"] * 3),
        f":4: state 'a', action 'go': probabilities sum to {gap}. {way_out}",
    )


def test_probability_zero_changes_nothing(solved):
    without = solved("m.toml", FOREST)
    listed = solved("m.toml", forest('"young", reward = 1', "{ young = 1, old = 0 }, reward = 1"))
    assert listed["values"] == without["values"]
    assert listed["policy"] == without["policy"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("-0.1", "-0.1, expected a number from 0 to 1"),
        ("1.1", "1.1, expected a number from 0 to 1"),
        ("nan", f"nan, {A_NUMBER}"),
        ("inf", f"inf, {A_NUMBER}"),
        ("1e400", "1e400, expected a number up to 1e+300"),
        ('"1/0"', f'"1/0", {A_NUMBER}'),
        ('"1/-3"', f'"1/-3", {A_NUMBER}'),
        ('"3/2"', '"3/2", expected a number from 0 to 1'),
        ("-1e-17", "-1e-17, expected a number from 0 to 1"),
        ('"1 / 3"', f'"1 / 3", {A_NUMBER}'),
        ('"1/3/1"', f'"1/3/1", {A_NUMBER}'),
        ('"0.5"', f'"0.5", {A_NUMBER}. {QUOTES}'),
    ],
)
@pytest.mark.parametrize("numbers", ["", FLOATS], ids=["exact", "doubles"])
def test_probability_that_is_none(refused, text, found, numbers):
    where = "state 'a', action 'go', next state 's0': found probability"
    line = 5 if numbers else 4
    refused("m.toml", row([text, "0.5"], numbers), f":{line}: {where} {found}")


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.1])
def test_probability_in_an_archive_that_is_none(refused, value):
    where = "state 'high', action 'wait', next state 'high'"
    data = archive(prob=[0.8, 0.2, value, 0.6, 0.4, 1.0, 1.0])
    refused("m.npz", data, f": {where}: found probability {value}, expected a number from 0 to 1")


def test_next_state_given_twice(capsys):
    """Half the time 1 and half the time 3: r = 2, and both rewards are kept."""
    Path("m.csv").write_text(ENDS + "a,go,end,0.5,1\na,go,end,0.5,3\n")
    mdp = load("m.csv")
    assert mdp.reward.tolist() == [1, 3]
    assert mdp.r.tolist() == [2]
    assert json.loads(inside(capsys, "solve", "m.csv", "--json").out)["values"] == [2.0, 0.0]


def test_row_given_twice(refused):
    where = "state 'a', action 'go': probabilities sum to 2, expected 1 (1 too much)"
    text = ENDS + "a,go,end,1,1\nb,go,end,1,1\na,go,end,1,1\n"
    refused("m.csv", text, f":4: {where}. {FIX} The outcome on line 4 stands again on line 6.")
    text = FOREST + 'cut = { to = "old" }\n'
    refused("m.toml", text, ":8: state 'old', action 'cut': found twice, first on line 7, expected once")


# -- rewards -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nan", f"nan, {A_NUMBER}"),
        ("inf", f"inf, {A_NUMBER}"),
        ("true", f"true, {A_NUMBER}"),
        ('"5"', f'"5", {A_NUMBER}. {QUOTES}'),
        ('"nan"', f'"nan", {A_NUMBER}'),
        ("1979-05-27", f"1979-05-27, {A_NUMBER}"),
        ("[1]", f"an array, {A_NUMBER}"),
        ("1e308", "1e308, expected a number up to 1e+300"),
        ("-1e400", "-1e400, expected a number up to 1e+300"),
    ],
)
def test_reward_that_is_none(refused, text, found):
    refused(
        "m.toml",
        forest("reward = 4", f"reward = {text}"),
        f":6: state 'old', action 'wait': found reward {found}",
    )


@pytest.mark.parametrize("text", ["nan", "inf", "", " 1", "5 ", "1/0", "1/-3", "1 / 3"])
def test_reward_in_a_csv_file_that_is_none(refused, text):
    where = "state 'a', action 'go', next state 'a'"
    refused("m.csv", f"{CSV}a,go,a,1,{text}\n", f":3: {where}: found reward '{text}', {A_CSV_NUMBER}")


def test_minus_infinity_names_the_way_out(refused):
    """It marks an action that is unavailable elsewhere; each file says how to leave the action out here."""
    way_out = "If it marks an action that is unavailable, leave"
    where = "state 'a', action 'go', next state 'a'"
    refused(
        "m.csv",
        f"{CSV}a,go,a,1,-inf\n",
        f":3: {where}: found reward '-inf', {A_CSV_NUMBER}. {way_out} its lines out",
    )
    model = "discount = 1\n[state.a]\ngo = { to = 'a', reward = -inf }\n"
    found = f"state 'a', action 'go': found reward -inf, {A_NUMBER}"
    refused("m.toml", model, f":3: {found}. {way_out} the action out, in tensors by a row of zeros")
    array = archive(reward=[-math.inf, 5.0, 2.0, -3.0, 5.0, 2.0, 0.0])
    found = "found reward -inf, expected a finite number up to 1e+300"
    refused(
        "m.npz",
        array,
        f": state 'high', action 'search', next state 'high': {found}. {way_out} the action out.",
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e301])
def test_reward_in_an_archive_that_is_none(refused, value):
    where = "state 'high', action 'search', next state 'high'"
    found = f"found reward {value}, expected a finite number up to 1e+300"
    refused("m.npz", archive(reward=[value, 5.0, 2.0, -3.0, 5.0, 2.0, 0.0]), f": {where}: {found}")


def test_rewards_that_overflow_in_a_sum(capsys):
    """Each is allowed, 1e300; forever at this discount they are worth 1e310."""
    Path("m.toml").write_text('discount = 0.9999999999\n[state.a]\ngo = { to = "a", reward = 1e300 }\n')
    for method in ("policy-iteration", "auto"):
        done = inside(capsys, "solve", "m.toml", "--method", method)
        if done.code == 0:  # in rational arithmetic
            assert "exact" in done.out
        assert done.code in (0, 3)
        assert "Warning" not in done.err
        assert "Traceback" not in done.err
        assert not re.search(r"\b(inf|nan)\b", done.out)


def test_reward_given_twice(refused):
    twice = 'reward = 4, to = [{ state = "young", p = 0.1 },\n { state = "old", p = 0.9, reward = 1 }]'
    text = forest("to = { young = 0.1, old = 0.9 }, reward = 4", twice)
    what = "found a reward on the outcome and one on the action on line 6, expected one of them"
    refused("m.toml", text, f":7: state 'old', action 'wait': {what}")
    text = '# reward_on = "pair"\n' + CSV + "a,go,a,0.5,1\na,go,a,0.5,2\n"
    what = 'found a second reward, expected one for the pair (reward_on = "pair")'
    refused("m.csv", text, f":5: state 'a', action 'go', next state 'a': {what}")


def test_terminal_state_with_a_row(refused):
    what = "found an action of a terminal state, expected none. Remove it, or the state from `terminal`."
    never = "Its reward {} is never collected: put it on the transitions into it."
    refused(
        "m.toml", 'terminal = ["old"]\n' + FOREST,
        f":7: state 'old', action 'wait': {what} {never.format(4)}",
        f":8: state 'old', action 'cut': {what} {never.format(2)}",
    )  # fmt: skip
    refused("m.csv", ENDS + "end,go,end,1,100\n", f":4: state 'end', action 'go': {what} {never.format(100)}")
    refused("m.csv", ENDS + "end,go,end,1,0\n", f":4: state 'end', action 'go': {what}")


# -- discount and terminal states ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ": discount: found none, expected a number from 0 to 1"),
        ("discount = 0.9\ndiscount = 0.8\n", ":2: 'discount': found twice, first on line 1, expected once"),
        ("discount = -0.1\n", ":1: discount: found -0.1, expected a number from 0 to 1"),
        ("discount = 1.1\n", ":1: discount: found 1.1, expected a number from 0 to 1"),
        ('discount = "3/2"\n', ':1: discount: found "3/2", expected a number from 0 to 1'),
        ("discount = nan\n", ":1: discount: found nan, expected a number from 0 to 1"),
        ('discount = "0.9 "\n', ':1: discount: found "0.9 ", expected a number from 0 to 1'),
    ],
    ids=["missing", "twice", "-0.1", "1.1", "3/2", "nan", "0.9 "],
)
def test_discount_that_is_none(refused, text, line):
    refused("m.toml", forest("discount = 0.9\n", text), line)


@pytest.mark.parametrize("value", ["-0.1", "1.1", "nan", "0.9 ", "1e400", "1/0", ""])
def test_discount_option_that_is_none(capsys, value):
    done = inside(capsys, "solve", ROBOT, "--gamma", value)
    assert (done.code, done.out) == (2, "")
    assert (
        one_line(done.err)
        == f"--gamma: found '{value}', expected a number from 0 to 1, such as 0.9, 9/10 or 1/1.02"
    )


def test_discount_of_zero(solved):
    """v = max r: 1 where young, 4 where old."""
    assert solved("m.toml", FOREST, "--gamma", "0")["values"] == [1.0, 4.0]


def test_total_reward_of_proper_policies(capsys):
    """The random walk of five states: k/6 from state k (Sutton & Barto, Example 6.2)."""
    done = inside(capsys, "evaluate", "example:random_walk_5", "--json")
    found = json.loads(done.out)
    values = [x for name, x in zip(found["states"], found["values"], strict=True) if x]
    assert done.code == 0
    assert sorted(values) == pytest.approx([k / 6 for k in range(1, 6)], abs=1e-6)


def test_total_reward_beside_an_improper_policy(capsys):
    """The shortest way out of the 4x4 grid; always going up never ends from the top row, beside the corner."""
    done = inside(capsys, "solve", "example:gridworld_4x4", "--json")
    assert done.code == 0
    assert min(json.loads(done.out)["values"]) == pytest.approx(-3, abs=1e-6)
    done = inside(capsys, "evaluate", "example:gridworld_4x4", "--policy", "action:up")
    assert (done.code, done.out) == (4, "")
    line = one_line(done.err)
    assert line.startswith("no finite answer: the policy never terminates and collects reward forever, in: ")
    assert "'0,1'" in line
    assert "'3,3'" not in line


def test_total_reward_that_diverges(capsys):
    done = inside(capsys, "solve", "example:no_proper_policy", "-o", "answer.json")
    assert (done.code, done.out) == (4, "")
    assert not Path("answer.json").exists()
    line = one_line(done.err)
    assert (
        line
        == "no finite answer: reward recurs and the total diverges to +inf, in the cycle through: 'here', 'there'. "
        "A discount below 1 (--gamma 0.99) or a horizon (--horizon 100) gives a finite one"
    )


def test_loop_without_reward_beside_a_costly_exit(solved):
    """Staying forever is worth 0, leaving costs 1: the total reward is 0, and no goal is read into the model."""
    text = 'discount = 1\nterminal = ["out"]\n[state.in]\nstay = { to = "in" }\nleave = { to = "out", reward = -1 }\n'
    answer = solved("m.toml", text)
    assert dict(zip(answer["states"], answer["values"], strict=True)) == pytest.approx(
        {"in": 0, "out": 0}, abs=1e-9
    )
    assert answer["policy"][answer["states"].index("in")] == "stay"


def test_discount_next_to_one(capsys, solved):
    """Small models are solved in fractions: 1 / (1 - γ) = 10**12. Larger ones are cut off with an honest interval."""
    text = 'discount = 0.999999999999\n[state.a]\ngo = { to = "a", reward = 1 }\n'
    assert solved("m.toml", text)["values"] == [1e12]
    n = np.arange(150)
    model = MDP.from_rows(
        pair_ptr=np.arange(151), pair_action=n * 0, row_ptr=np.arange(151), next_state=n // 2, prob=np.ones(150),
        r=np.where(n == 0, 1.0, 0.0), gamma="0.999999999999",
    )  # fmt: skip
    save(model, "large.npz")
    done = inside(capsys, "solve", "large.npz", "--json")
    answer = json.loads(done.out)
    assert done.code in (0, 3)
    assert (done.code == 0) == (answer["status"] in ("CERTIFIED", "EXACT"))
    assert answer["lower"][0] <= 1e12 <= answer["upper"][0]
    assert done.code == 0 or answer["upper"][0] - answer["lower"][0] > 1e-6


def test_rewards_that_are_all_zero(solved):
    text = 'discount = 0.9\n[state.a]\ngo = { to = "b" }\nstay = { to = "a" }\n[state.b]\ngo = { to = "a" }\n'
    answer = solved("m.toml", text, "--method", "value-iteration")
    assert answer["values"] == [0, 0]
    assert answer["work"]["sweeps"] == 1


def test_states_that_are_never_reached(capsys, solved):
    """From young one waits or cuts; the third state only leads there, and has its value: 1 + 0.9 v(young)."""
    text = 'start = "young"\n' + FOREST + '[state.never]\ngo = { to = "young", reward = 1 }\n'
    answer = solved("m.toml", text)
    value = dict(zip(answer["states"], answer["values"], strict=True))
    assert list(value) == ["young", "old", "never"]
    assert value["never"] == pytest.approx(1 + 0.9 * value["young"], abs=1e-6)
    assert "1 state cannot be reached from the start: never" in inside(capsys, "check", "m.toml").out


def test_single_state(solved):
    assert solved("m.toml", 'discount = 0.5\n[state.a]\ngo = { to = "a", reward = 1 }\n')["values"] == [2.0]


def test_exact_ties(capsys):
    """Gambler with p = 0.4: at 51 it is best to stake 1 or 49 (Sutton & Barto, Example 4.3), and nothing else."""
    for options in ((), ("--exact",)):
        answer = json.loads(inside(capsys, "solve", "example:gambler_40", "--json", *options).out)
        at = answer["states"].index("51")
        assert answer["status"] in ("CERTIFIED", "EXACT")
        assert answer["optimal_actions"][at] == ["1", "49"]
    assert answer["policy"][at] == "1"  # the lowest, where the tie is proven


# -- options -------------------------------------------------------------------------------------------------------

WHOLE = "expected a whole number"
WRONG_OPTIONS = [
    *(
        ("solve --tolerance", x, "expected a number from 1e-300 to 1e+300")
        for x in ("0", "-1", "nan", "inf", "1e-400", "x", "")
    ),
    *(("solve --method value-iteration --sweeps", x, f"{WHOLE} from 1 to") for x in ("0", "-1", "1.5", "nan", "1e400")),
    *(("solve --threads", x, f"{WHOLE} from 1 to 1024") for x in ("0", "-1", "1.5", "5000")),
    *(("solve --time-limit", x, "expected a number from 0 to") for x in ("-1", "nan", "inf")),
    *(("solve --horizon", x, f"{WHOLE} of decisions, 1 to 2147483647") for x in ("0", "-1", "1.5", "99999999999")),
    *(("simulate --episodes", x, f"{WHOLE} from 1 to") for x in ("0", "-1", "1e18", "1.5")),
    *(("simulate --seed", x, f"{WHOLE} from 0 to") for x in ("-1", "0.5", "1e30", "nan")),
    *(("simulate --level", x, "expected a number") for x in ("0", "1", "nan")),
    *(("make garnet --seed", x, f"{WHOLE} from 0 to") for x in ("-1", "0.5", "1e30")),
    *(("make garnet --gamma", x, "expected a number from 0 to 1") for x in ("-0.1", "1.1", "nan")),
    *(("make garnet --states", x, f"{WHOLE} from 1") for x in ("0", "-3", "2.5")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "value", "expected"), WRONG_OPTIONS, ids=[f"{a} {b}" for a, b, _ in WRONG_OPTIONS]
)
def test_option_out_of_range(capsys, command, value, expected):
    verb, *options = command.split()
    model = ["-o", "made.npz"] if verb == "make" else [ROBOT]
    if verb == "make":
        verb, options = "make", options
    done = inside(capsys, verb, *options, value, *model)
    assert (done.code, done.out, os.listdir()) == (2, "", [])
    assert one_line(done.err).startswith(f"{options[-1]}: found '{value}', {expected}")


@pytest.mark.parametrize("value", ["2", "-0.1", "nan", "x", ""])
def test_epsilon_out_of_range(capsys, value):
    done = inside(capsys, "evaluate", ROBOT, "--policy", f"epsilon-greedy:{value}:uniform")
    assert (done.code, done.out) == (2, "")
    assert f"found '{value}'" in one_line(done.err) or "epsilon-greedy" in one_line(done.err)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ("solve", ROBOT, "--tolerence", "1"),
            "tabular-rl solve: no option '--tolerence'; did you mean '--tolerance'?",
        ),
        (("sovle", ROBOT), "tabular-rl: no command 'sovle'; did you mean 'solve'?"),
        (("solve", ROBOT, "other"), "tabular-rl solve: Got unexpected extra argument (other)."),
        (("solve",), "tabular-rl solve: Missing argument 'MODEL'."),
        (
            ("solve", ROBOT, "--format", "xls"),
            "tabular-rl solve: Invalid value for '--format': 'xls' is not one of",
        ),
        (("make", "foerst"), "tabular-rl make: no family 'foerst'; did you mean 'forest'?"),
    ],
    ids=["option", "command", "two inputs", "no input", "format", "family"],
)
def test_usage(capsys, arguments, line):
    done = inside(capsys, *arguments)
    assert (done.code, done.out) == (2, "")
    assert one_line(done.err).startswith(line)
    assert re.search(r"Usage: tabular-rl .* \(see tabular-rl.* --help\)$", one_line(done.err))


def test_option_of_another_method(capsys):
    done = inside(capsys, "solve", ROBOT, "--method", "value-iteration", "--inner-sweeps", "3")
    assert (done.code, done.out) == (2, "")
    assert re.match(r"--inner-sweeps: value-iteration has no such option.*--sweeps", one_line(done.err))


def test_start_that_is_none(refused, capsys):
    refused(
        "m.toml",
        'start = "yuong"\n' + FOREST,
        ":1: state 'yuong': start: no such state; did you mean 'young'?",
    )
    text = 'start = "end"\nterminal = ["end"]\n' + FOREST
    refused("m.toml", text, ":1: state 'end': start: found a terminal state, expected one with actions")
    refused("m.toml", "start = { young = 0.5 }\n" + FOREST, ":1: start: probabilities sum to 1/2, expected 1")
    done = inside(capsys, "simulate", ROBOT, "--start", "hihg")
    assert (done.code, done.out) == (2, "")
    assert one_line(done.err) == "--start: state 'hihg': no such state; did you mean 'high'?"
    done = inside(capsys, "solve", ROBOT, "--terminal", "hihg")
    assert (done.code, done.out) == (2, "")
    assert "no such state 'hihg'; did you mean 'high'?" in one_line(done.err)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "state,action\nhigh,search\nlow,fly\n",
            ":3: state 'low': found action 'fly', expected one of 'search', 'wait'",
        ),
        (
            "state,action\nhigh,recharge\nlow,wait\n",
            ":2: state 'high': found action 'recharge', expected one of",
        ),
        (
            "state,action\nhigh,search\nlwo,wait\n",
            ":3: state 'lwo': no such state in the model; did you mean 'low'?",
        ),
        (
            "state,action\nhigh,search\nhigh,wait\n",
            ":3: state 'high': found twice, first on line 2, expected once",
        ),
        ("state,action\nhigh,search\n", ": policy: state 'low': found no action, expected one"),
        (
            "state,action,probability\nhigh,search,0.5\nlow,wait,1\n",
            ": policy: state 'high': probabilities sum to 1/2, expected 1",
        ),
        (
            "state,action,probability\nhigh,search,nan\nlow,wait,1\n",
            ": policy: state 'high', action 'search': found 'nan', expected a probability",
        ),
        ("", ": empty, expected an answer (JSON or CSV)"),
    ],
    ids=["unknown action", "not available", "unknown state", "twice", "missing", "sum", "nan", "empty"],
)
def test_policy_file(capsys, text, line):
    Path("policy.csv").write_text(text)
    done = inside(capsys, "evaluate", ROBOT, "--policy", "policy.csv")
    assert (done.code, done.out) == (2, "")
    assert one_line(done.err).startswith(f"policy.csv{line}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", ":1: not valid JSON: "),
        ('{"values": {"high": NaN, "low": 1}}', ": found NaN, expected finite numbers, or null"),
        (
            '{"values": {"high": 1e400, "low": 1}}',
            ": state 'high': found value '1e400', expected a finite number",
        ),
        (
            '{"schema": "tabular-rl answer", "version": 2}',
            ": found version '2', expected 1, which this program reads",
        ),
        ('{"high": 1,\n"high": 2, "low": 3}', ":2: key 'high': found twice, first on line 1, expected once"),
        ('{"values": {"high": 1}}', ": found no value for 'low', expected one for each of 2"),
        ("", ": empty, expected an answer (JSON or CSV)"),
    ],
    ids=["JSON", "NaN", "1e400", "version", "twice", "missing", "empty"],
)
def test_answer_file(capsys, text, line):
    Path("answer.json").write_text(text)
    for command in (("verify", ROBOT, "answer.json"), ("solve", ROBOT, "--start-from", "answer.json")):
        done = inside(capsys, *command)
        assert (done.code, done.out) == (2, "")
        assert one_line(done.err).startswith(f"answer.json{line}")


# -- every fault at once, and the page -----------------------------------------------------------------------------


def test_faults_are_all_told_up_to_ten(capsys):
    """Twelve rows that each miss one hundredth: ten lines, and how many more."""
    rows = "".join(f"s{i},go,s{i},0.99,0\n" for i in range(12))
    Path("m.csv").write_text(CSV + rows)
    done = inside(capsys, "solve", "m.csv")
    lines = done.err.splitlines()
    assert (done.code, done.out, len(lines)) == (2, "", 11)
    assert [line.partition(": ")[0] for line in lines[:10]] == [f"m.csv:{n}" for n in range(3, 13)]
    assert lines[10] == "... and 2 more faults"


def test_the_same_through_a_process_of_its_own():
    import subprocess

    Path("m.toml").write_text(forest("old = 0.9", "old = 0.8"))
    done = subprocess.run(
        command_of("solve", "m.toml", "-o", "answer.json"),
        env=environment(),
        capture_output=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout, os.listdir()) == (2, b"", ["m.toml"])
    assert one_line(done.stderr.decode()).startswith(
        "m.toml:3: state 'young', action 'wait': probabilities sum to 9/10"
    )


def page_rows():
    """The rows of the tables of docs/robustness.md: what is wrong, and the tests that stand for it."""
    text = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and cells[0] != "input" and not set(cells[0]) <= {"-", ":"}:
            yield cells


def test_every_row_of_the_page_has_its_test():
    known = set()
    for path in HERE.parents[1].rglob("test_*.py"):
        known |= set(re.findall(r"^ *def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE))
    rows = list(page_rows())
    assert len(rows) > 60
    for what, code, _, tests in rows:
        named = re.findall(r"`(test_\w+)`", tests)
        assert named or tests.startswith("not yet: "), f"{what}: no test, and no reason"
        assert set(named) <= known, f"{what}: {set(named) - known}"
        assert re.fullmatch(r"(\d+|-)((,| or| and) \d+)*", code), what


def test_every_test_is_in_the_page():
    named = {name for row in page_rows() for name in re.findall(r"`(test_\w+)`", row[3])}
    for path in (HERE, HERE.parent / "test_faults.py"):
        found = {
            node.name
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)
        }
        missing = (
            {name for name in found if name.startswith("test_")}
            - named
            - {"test_every_row_of_the_page_has_its_test", "test_every_test_is_in_the_page"}
        )
        assert not missing, f"{path.name}: {missing} stand for no row of docs/robustness.md"
