"""The program as a process: signals, closed pipes, full disks, odd terminals and locales, little memory."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import time

import pytest
from program import ROOT, command_of, environment, inside, outside

from tabular_rl.formats import load, save
from tabular_rl.model.families import FAMILIES

ROBOT = "example:recycling_robot"
LIMIT = 280  # seconds until a test gives up on a process; none is expected to take that long
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and pipes")


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A model that value iteration takes minutes for."""
    path = tmp_path_factory.mktemp("slow") / "slow.npz"
    # News travels a state a sweep, and a walk across takes the square of that.
    save(FAMILIES["random_walk"](states=5000, gamma=0.99999999), path)
    return path


def start(*arguments, **more):
    return subprocess.Popen(
        command_of(*arguments), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more
    )


def until_it_solves(process, timeout=LIMIT):
    """Wait for the first line of progress, which comes a second after the first sweep."""
    assert select.select([process.stderr], [], [], timeout)[0], "no progress was shown"
    return process.stderr.readline().decode()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_stop_a_method_with_its_best_interval(slow, tmp_path, signum, code):
    answer = tmp_path / "a.json"
    process = start("solve", slow, "--method", "value-iteration", "-o", answer)
    assert "sweeps" in until_it_solves(process)
    process.send_signal(signum)
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == code
    assert b"interrupted: the best interval so far" in out
    assert b"Traceback" not in err
    assert re.search(rb"interrupted: the best interval so far is \S+ wide", err)
    assert json.loads(answer.read_text())["status"] == "INTERRUPTED"


def test_signals_while_reading_stop_at_once(tmp_path):
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    process = start("solve", pipe)
    end = os.open(pipe, os.O_WRONLY)  # returns when the program has opened its end
    os.write(end, b"discount = 0.9\n")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LIMIT)
    os.close(end)
    assert (process.returncode, out, err) == (130, b"", b"interrupted: nothing is proven yet\n")


def test_progress_is_a_line_redrawn_on_a_terminal(slow):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command_of("solve", slow, "--method", "value-iteration"),
        env=environment({"TERM": "xterm"}),
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    seen = ""
    while seen.count("\r") < 3:  # a program that ends before ends this too: nothing is left to read
        seen += os.read(master, 1 << 16).decode()
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # the other side is closed
        while os.read(master, 1 << 16):
            pass
    process.communicate(timeout=LIMIT)
    os.close(master)
    assert process.returncode == 130
    assert "%" in seen
    assert "sweeps" in seen


def test_progress_follows_the_clock_and_is_nothing_when_quiet(capsys, monkeypatch, slow):
    """A clock that runs a second a look: lines come after 1, 2, 4, 8 ... seconds."""
    clock = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    options = ("solve", slow, "--method", "value-iteration", "--sweeps", 500)
    done = inside(capsys, *options)
    lines = [line for line in done.err.splitlines() if "residual" in line]
    seconds = [int(line.rpartition(", ")[2].removesuffix(" s")) for line in lines]
    assert done.code == 3
    assert len(lines) > 3
    assert all(b >= 2 * a for a, b in itertools.pairwise(seconds))
    quiet = inside(capsys, *options, "-q")
    assert (quiet.code, quiet.err) == (3, "")


def test_the_output_file_is_written_whoever_reads_stdout(tmp_path):
    process = start("solve", ROBOT, "-o", tmp_path / "a.json")
    process.stdout.close()
    process.stderr.read()
    assert process.wait(timeout=LIMIT) == 0
    assert json.loads((tmp_path / "a.json").read_text())["reached"] is True


def test_closed_standard_streams_are_no_fault():
    """All three; test_faults has them one by one."""
    line = " ".join(map(str, command_of("solve", ROBOT))) + " <&- >&- 2>&-"
    done = subprocess.run(["sh", "-c", line], env=environment(), capture_output=True, timeout=LIMIT)
    assert done.returncode == 0


def test_names_that_the_terminal_cannot_show_are_spelled_out(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(
        'discount = 0.5\n[state."zustand-ä"]\n"→" = { to = "zustand-ä", reward = 1 }\n', encoding="utf-8"
    )
    done = outside("solve", path, env={"LC_ALL": "C"}, flags=("-X", "utf8=0"))
    assert done.code == 0, done.err
    assert "zustand-\\xe4" in done.out
    assert "\\u2192" in done.out
    assert "gamma = 0.5" in done.out
    assert done.out.isascii()
    for command in (["methods", "value-iteration"], ["solve", "--help"]):
        again = outside(*command, env={"LC_ALL": "C"}, flags=("-X", "utf8=0"))
        assert again.code == 0, again.err
        assert again.out.isascii()
        assert "\\u03b3" not in again.out


def test_a_model_from_standard_input():
    text = (ROOT / "mdps" / "recycling_robot.toml").read_bytes()
    assert "16.949153" in outside("solve", "-", input=text).out
    empty = outside("solve", "-", input=b"")
    assert empty.code == 2
    assert "<stdin>" in empty.err
    assert "empty" in empty.err


def test_too_little_memory_exits_with_2_and_the_size(tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

    done = outside(
        "make",
        "garnet",
        "--states",
        "3000000",
        "--actions",
        "10",
        "-o",
        "x.npz",
        preexec_fn=limit,
        cwd=tmp_path,
    )
    assert done.code == 2, done.err
    assert "Traceback" not in done.err
    assert re.search(r"\d (GB|GiB|MB|MiB)", done.err)


def test_memory_of_a_method_is_estimated_before_it_is_taken(tmp_path):
    path = tmp_path / "m.npz"
    save(load("example:taxi").replace(horizon=10_000_000), path)

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    done = outside("solve", path, preexec_fn=limit)
    assert done.code == 2
    assert "needs" in done.err
    assert "GB" in done.err
    assert "Traceback" not in done.err


def test_bugs_keep_their_traceback(capsys, monkeypatch):
    import tabular_rl.commands.solve as module

    monkeypatch.setattr(module, "at_work", lambda *a: 1 / 0)
    done = inside(capsys, "solve", ROBOT)
    assert done.code == 70
    assert "Traceback" in done.err
    assert "ZeroDivisionError" in done.err
    assert "bug of tabular-rl" in done.err


def test_memory_errors_have_no_traceback(capsys, monkeypatch):
    import tabular_rl.commands.solve as module

    def full(*arguments):
        raise MemoryError(
            "Unable to allocate 7.45 GiB for an array with shape (1000000000,) and data type float64"
        )

    monkeypatch.setattr(module, "at_work", full)
    done = inside(capsys, "solve", ROBOT)
    assert done.code == 2
    assert "7.45 GiB" in done.err
    assert done.err.count("\n") == 1


def test_a_method_that_does_not_listen_is_left(capsys, monkeypatch):
    import tabular_rl.commands as program

    def deaf(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            pass

    before = {s: signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGALRM)}
    monkeypatch.setattr("tabular_rl.commands.solve.solve", deaf)
    monkeypatch.setattr("tabular_rl.commands._signals.PATIENCE", 0.2)
    try:
        signal.signal(signal.SIGTERM, program.handle)
        done = inside(capsys, "solve", ROBOT)
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    assert (done.code, done.out) == (143, "")
    assert "nothing is proven yet" in done.err
