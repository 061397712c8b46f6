"""Files that are no models, standard input, limits, and writing so that nothing is lost."""

from __future__ import annotations

import io
import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tabular_rl.errors import ModelError, OptionError, OutputError
from tabular_rl.formats import input as reading
from tabular_rl.formats import load, memory, save
from tabular_rl.formats.output import probe, write_atomically
from tabular_rl.formats.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
MODEL = 'discount = 0.9\n[state.a]\ngo = { to = "a", reward = 1 }\n'
CSV = "# discount = 0.9\nstate,action,next_state,probability,reward\na,go,a,1,1\n"


def said(path, **options):
    with pytest.raises(ModelError) as caught:
        load(path, **options)
    assert str(caught.value).startswith(f"{path}:")
    return str(caught.value).removeprefix(f"{path}:")


@pytest.fixture
def model():
    return load("example:recycling_robot")


@pytest.fixture
def stdin(monkeypatch):
    def stdin(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return stdin


# -- reading ----------------------------------------------------------------------------------------------------


def test_missing_file(tmp_path):
    assert said(tmp_path / "m.toml") == " no such file"
    assert said(tmp_path / "none" / "m.toml") == " no such file"
    (tmp_path / "file").write_text("")
    assert said(tmp_path / "file" / "m.toml") == " no such file: a part of the path is not a directory"


def test_directory_that_is_no_model(tmp_path):
    assert said(tmp_path) == " is a directory without header.json, expected a file or a directory of arrays"


def test_file_named_as_directory(tmp_path):
    (tmp_path / "m").write_text(MODEL)
    assert said(tmp_path / "m", format="directory") == " is a file, expected a directory of arrays"


def test_symbolic_links_are_followed_and_circles_are_not(tmp_path):
    (tmp_path / "m.toml").write_text(MODEL)
    (tmp_path / "link.toml").symlink_to("m.toml")
    assert load(tmp_path / "link.toml") == load(tmp_path / "m.toml")
    (tmp_path / "a.toml").symlink_to("b.toml")
    (tmp_path / "b.toml").symlink_to("a.toml")
    assert said(tmp_path / "a.toml") == " symbolic links in a circle, expected a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(MODEL)
    path.chmod(0)
    assert said(path) == " permission denied"


def test_nul_in_the_path():
    with pytest.raises(ModelError, match=r"^a\\x00b.toml: found a NUL byte in the path, expected a path$"):
        load("a\0b.toml")


def test_a_missing_file_suggests_the_closest_of_its_folder(tmp_path):
    for name in ("maint.toml", "robot.toml"):
        (tmp_path / name).write_text(MODEL)
    assert said(tmp_path / "mant.toml") == " no such file; did you mean 'maint.toml'?"
    assert said(tmp_path / "x") == " no such file"
    (tmp_path / "ice.toml").write_text(MODEL)
    assert said(tmp_path / "forrest.toml") == " no such file"  # only the suffix is that of ice.toml
    assert said(tmp_path / "maint.csv") == " no such file; did you mean 'maint.toml'?"
    assert said(tmp_path / "forest.toml") == " no such file; did you mean 'example:forest'?"


def test_a_word_that_is_no_file_leads_to_the_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for word, way_out in (
        ("gridwrld_5x5", "; did you mean 'example:gridworld_5x5'?"),
        ("gambler", "; did you mean 'example:gambler_40'?"),
        ("xyz", ". `tabular-rl examples` lists the models that come along"),
    ):
        with pytest.raises(ModelError, match=f"^{re.escape(f'{word}: no such file{way_out}')}$"):
            load(word)


def test_suffix_says_the_format(tmp_path):
    for name in ("m.TOML", "m.toml"):
        (tmp_path / name).write_text(MODEL)
        assert load(tmp_path / name).S == 1
    (tmp_path / "m.txt").write_text(MODEL)
    way_out = f"expected one of {', '.join(MODELS.suffixes)}, or say which format it is with format="
    assert said(tmp_path / "m.txt") == f" found suffix '.txt', {way_out}"
    assert load(tmp_path / "m.txt", format="toml").S == 1
    (tmp_path / "m").write_text(CSV)
    assert said(tmp_path / "m") == f" found suffix '', {way_out}"
    assert load(tmp_path / "m", format="csv").S == 1
    with pytest.raises(
        OptionError, match="format: found 'yaml', expected one of toml, csv, npz, directory, json"
    ):
        load(tmp_path / "m", format="yaml")


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("m.npz", MODEL.encode(), " found text, expected an npz archive"),
        ("m.npz", b"\x80\x04\x95", " found a pickle, expected an npz archive"),
        ("m.npz", b"\x93NUMPY\x01\x00", " found a single npy array, expected an npz archive"),
        ("m.npz", b"", " empty, expected a model"),
        ("m.toml", b"PK\x03\x04....", " found an npz archive, expected TOML. Name it .npz."),
        ("m.csv", b"PK\x03\x04....", " found an npz archive, expected CSV. Name it .npz."),
        ("m.toml", b"\x1f\x8b\x08....", " found a gzip file, expected text"),
        ("m.csv", b"\x80\x05....", " found a pickle, expected text"),
        ("m.toml", "discount = 1".encode("utf-16"), "1: found a NUL byte, expected UTF-8 text (is it UTF-16?)"),
        ("m.toml", b"discount = 1\r\nname = 'a\0'\n", "2: found a NUL byte, expected UTF-8 text"),
        ("m.toml", b"discount = 1\rx\rname = '\xff'\n", "3: found byte 0xff, expected UTF-8 text"),
        ("m.csv", b"\xe9", "1: found byte 0xe9, expected UTF-8 text"),
    ],
)  # fmt: skip
def test_content_that_is_not_what_the_name_says(tmp_path, name, data, expected):
    (tmp_path / name).write_bytes(data)
    assert said(tmp_path / name) == expected


def test_standard_input(stdin, model, tmp_path):
    stdin(MODEL.encode())
    assert load("-").S == 1
    stdin(CSV.encode())
    assert load("-", format="csv").S == 1
    save(model, tmp_path / "m.npz")
    stdin((tmp_path / "m.npz").read_bytes())
    assert load("-") == model
    stdin(MODEL.encode())
    with pytest.raises(ModelError, match="<stdin>: found text, expected an npz archive"):
        load("-", format="npz")
    stdin(b"")
    with pytest.raises(ModelError, match="<stdin>: empty, expected a model"):
        load("-")
    stdin(b"discount = 2\n[state.a]\ngo = { to = 'a' }\n")
    with pytest.raises(ModelError, match="<stdin>:1: discount: found 2"):
        load("-")


def test_closed_standard_input(monkeypatch, stdin):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ModelError, match="<stdin>: closed, expected a model"):
        load("-")
    stdin(b"")
    sys.stdin.close()
    with pytest.raises(ModelError, match="<stdin>: closed, expected a model"):
        load("-")


def test_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_text(MODEL))
    writer.start()
    assert load(path).S == 1
    writer.join()


def load_through(pipe, data):
    """Load a named pipe into which somebody writes."""
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(data))
    writer.start()
    try:
        return load(pipe)
    finally:
        writer.join()


def test_the_suffix_of_a_pipe_says_what_it_holds(tmp_path):
    """As that of a file does; a pipe without one is told by its first bytes."""
    robot = load("example:recycling_robot")
    for suffix in (".toml", ".csv", ".npz"):
        save(robot, tmp_path / f"robot{suffix}")
        assert load_through(tmp_path / f"pipe{suffix}", (tmp_path / f"robot{suffix}").read_bytes()) == robot
    npz = (tmp_path / "robot.npz").read_bytes()
    assert load_through(tmp_path / "pipe", npz) == robot
    with pytest.raises(ModelError, match=r"wrong\.csv: found an npz archive, expected CSV\. Name it \.npz\."):
        load_through(tmp_path / "wrong.csv", npz)


def test_endless_input_reaches_a_limit(monkeypatch):
    monkeypatch.setattr(reading, "LIMIT", 1 << 22)
    assert said("/dev/zero") == (
        " limit reached: found 5.2 MB or more, expected at most 4.2 MB of text. "
        "Keep larger models as .npz or as a directory."
    )


def test_memory_that_is_not_there_is_not_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 2000)
    (tmp_path / "m.toml").write_text(MODEL.ljust(1050))
    assert said(tmp_path / "m.toml") == (
        " needs 42.0 kB of memory, expected at most the 2.0 kB that are free. A directory of arrays needs least."
    )


def test_long_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "m.toml"
    with open(path, "wb") as file:
        file.truncate(2 << 30)  # a hole: takes no room
    assert said(path).startswith(" limit reached: found 2.1 GB or more, expected at most 1.1 GB of text.")


def test_examples_by_name():
    assert load("example:recycling_robot").name == "recycling robot"
    with pytest.raises(OptionError, match="no example 'recycling-robot'; did you mean 'recycling_robot'"):
        load("example:recycling-robot")


@pytest.mark.parametrize(
    "options", [{"gamma": "0.9 "}, {"gamma": 2}, {"horizon": 0}, {"horizon": 1.5}, {"sense": "most"}], ids=str
)
def test_wrong_options_are_not_blamed_on_the_file(options):
    with pytest.raises((ModelError, OptionError)) as caught:
        load("no such file.toml", **options)
    assert "no such file" not in str(caught.value)


def test_unknown_terminal_state(tmp_path):
    (tmp_path / "m.toml").write_text(MODEL)
    assert said(tmp_path / "m.toml", terminal=["b"]) == " terminal: no such state 'b'"


def test_reading_imports_neither_numba_nor_scipy():
    code = (
        "import sys; from tabular_rl.formats import load; load('example:recycling_robot'); load('example:taxi');"
        "assert not {'numba', 'scipy.sparse'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# -- writing ----------------------------------------------------------------------------------------------------


def put(data):
    return lambda file: file.write(data)


def test_new_file_replaces_the_old_with_its_permissions(tmp_path):
    path = tmp_path / "out.toml"
    write_atomically(path, put(b"one"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()
    path.chmod(0o640)
    write_atomically(path, put(b"two"))
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def _umask():
    old = os.umask(0)
    os.umask(old)
    return old


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_failure_leaves_what_stood_there(tmp_path, error):
    path = tmp_path / "out.toml"
    path.write_bytes(b"old")

    def fail(file):
        file.write(b"half")
        raise error

    with pytest.raises(error):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.toml").write_bytes(b"old")
    (tmp_path / "link.toml").symlink_to("real.toml")
    write_atomically(tmp_path / "link.toml", put(b"new"))
    assert (tmp_path / "link.toml").is_symlink()
    assert (tmp_path / "real.toml").read_bytes() == b"new"


@pytest.mark.parametrize(
    "act", [lambda path: write_atomically(path, put(b"x")), probe], ids=["write", "probe"]
)
def test_places_that_cannot_be_written(tmp_path, act):
    (tmp_path / "file").write_bytes(b"x")
    for path, reason in (
        (tmp_path / "none" / "out", "No such file or directory"),
        (tmp_path / "file" / "out", "Not a directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(OutputError) as caught:
            act(path)
        assert str(caught.value) == f"{path}: cannot be written: {reason}"
        assert caught.value.exit_code == 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_probe_touches_nothing(tmp_path):
    path = tmp_path / "out.toml"
    probe(path)
    assert not path.exists()
    path.write_bytes(b"old")
    before = path.stat()
    probe(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (b"old", before.st_mtime_ns)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_full_disk(model):
    with pytest.raises(OutputError, match=r"^/dev/full: cannot be written: No space left on device$"):
        save(model, "/dev/full", format="toml")


@pytest.mark.slow  # test_faults has it for whole commands
@pytest.mark.parametrize("format", ["toml", "csv", "npz", "directory"])
def test_file_size_limit(format, tmp_path, model):
    resource = pytest.importorskip("resource")
    save(model, tmp_path / "out", format=format)
    code = (
        "import resource, sys; from tabular_rl.formats import load, save; from tabular_rl.errors import OutputError\n"
        "model = load('example:jacks_car_rental')\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (20000, {resource.RLIM_INFINITY}))\n"
        f"try: save(model, sys.argv[1], format={format!r})\n"
        "except OutputError as error: print(error)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "out"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert ran.stdout == f"{tmp_path / 'out'}: cannot be written: File too large\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
    assert load(tmp_path / "out", format=format) == model


def test_standard_output(capfdbinary, model):
    save(model, "/dev/stdout", format="csv")
    assert capfdbinary.readouterr().out.startswith(b"# format = 1\n")


def test_name_says_the_format_to_write(tmp_path, model):
    with pytest.raises(
        OptionError,
        match=r"found suffix '.txt', expected one of .toml, .csv, .npz, .*, or none for a directory",
    ):
        save(model, tmp_path / "m.txt")
    save(model, tmp_path / "m")
    assert (tmp_path / "m" / "header.json").exists()


@pytest.mark.slow  # test_faults has it for whole commands
@pytest.mark.parametrize("format", ["toml", "npz", "directory"])
def test_killed_while_writing_leaves_the_old_or_the_new(format, tmp_path, model):
    path = tmp_path / "out"
    save(model, path, format=format)
    code = (
        "import sys; from tabular_rl.formats import load, save\n"
        "model = load('example:dyna_maze'); print('ready', flush=True)\n"
        f"while True: save(model, sys.argv[1], format={format!r})"
    )
    new = load("example:dyna_maze")
    for wait in range(0, 60, 20):
        with subprocess.Popen(
            [sys.executable, "-c", code, path], cwd=ROOT, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout.readline() == b"ready\n"
            threading.Event().wait(wait / 1000)
            process.kill()
        assert load(path, format=format) in (model, new)
