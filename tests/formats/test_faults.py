"""What a user meets when something goes wrong around the program: signals, full disks, closed streams, killed writes,
little memory, odd settings. Each input of docs/robustness.md under "Faults" has its test here.

No clock is asserted and nothing sleeps: a test waits for a word on standard error, or lets the program itself send the
signal when it comes to a certain point.
"""

from __future__ import annotations

import errno
import functools
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import program
import pytest
from program import command_of, environment, inside, one_line, outside

from tabular_rl import MDP, ModelError, NumericalError, commands, load, save, solve
from tabular_rl.methods.planning.value_iteration import value_iteration
from tabular_rl.model import families
from tabular_rl.solving.run import interrupt

ROOT = program.ROOT
ROBOT = "example:recycling_robot"
LIMIT = 280  # seconds until a test gives up on a process; none is expected to take that long

posix = pytest.mark.skipif(os.name != "posix", reason="signals, limits and devices of POSIX")
pytestmark = posix

if os.name == "posix":
    import resource


def ring(states, gamma, reward=1.0):
    """A ring, with a reward at one place: periodic, so that value iteration needs about log(1/ε) / (1 - γ) sweeps."""
    n = np.arange(states)
    return MDP.from_rows(
        pair_ptr=np.arange(states + 1), pair_action=np.zeros(states, dtype=int), row_ptr=np.arange(states + 1),
        next_state=(n + 1) % states, prob=np.ones(states), r=np.where(n == 0, reward, 0.0), gamma=gamma,
    )  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Files of models that take long in different places."""
    folder = tmp_path_factory.mktemp("models")
    save(ring(2, "0.999999"), folder / "slow.npz")
    save(ring(200_000, "0.999999"), folder / "large.npz")
    save(families.garnet(states=12_000, actions=2, branching=5, gamma=0.999), folder / "filling.npz")
    save(families.garnet(states=6_000, actions=2, branching=5, gamma=0.999), folder / "dense.npz")
    save(families.garnet(states=4_000, actions=4, branching=8, gamma=0.99), folder / "programme.npz")
    save(families.garnet(states=8_000, actions=2, branching=3), folder / "answer.npz")
    save(families.garnet(states=2_000, actions=3, branching=6, gamma=0.9), folder / "middle.npz")
    return folder


class Running:
    """A program of ours that runs, whose standard error is read as it comes."""

    def __init__(self, *arguments, env=None, **more):
        self.process = subprocess.Popen(
            command_of(*arguments), env=environment(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **more,
        )  # fmt: skip
        self.err, self.out, self.ended, self.news = "", "", False, threading.Condition()
        self.readers = [threading.Thread(target=self._listen), threading.Thread(target=self._read)]
        for reader in self.readers:
            reader.start()

    def _listen(self):
        for line in self.process.stderr:
            with self.news:
                self.err += line.decode()
                self.news.notify()
        with self.news:
            self.ended = True
            self.news.notify()

    def _read(self):
        self.out = self.process.stdout.read().decode()

    def wait_for(self, word):
        """Wait until a word is on standard error; fail where the program ends without it."""
        with self.news:
            self.news.wait_for(lambda: word in self.err or self.ended)
        assert word in self.err, self.err

    def send(self, signum):
        """Send a signal; return the exit code."""
        self.process.send_signal(signum)
        return self.end()

    def end(self):
        try:
            code = self.process.wait(LIMIT)
        finally:
            self.process.kill()
            for reader in self.readers:
                reader.join()
            self.process.stdout.close()
            self.process.stderr.close()
        return code


def files(folder):
    return sorted(path.name for path in folder.iterdir())


# -- signals -------------------------------------------------------------------------------------------------------

VALUE_ITERATION = ("--method", "value-iteration", "--tolerance", "1")


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_signal_during_a_solve_gives_the_best_interval(models, name, code):
    running = Running("solve", models / "slow.npz", *VALUE_ITERATION)
    running.wait_for("sweeps")
    assert code == running.send(getattr(signal, name))
    assert "interrupted: the best interval so far" in running.out
    assert "Traceback" not in running.err
    assert re.search(r"interval \S+ wide, tolerance 1\b", running.out)
    assert len(re.findall("interrupted", running.err)) == 1
    assert "certified" not in running.out


@pytest.mark.parametrize(
    ("file", "options", "word"),
    [
        ("slow.npz", VALUE_ITERATION, "sweeps"),
        pytest.param(
            "large.npz", (*VALUE_ITERATION, "--threads", "2"), "sweeps", marks=pytest.mark.slow
        ),
        pytest.param(
            "filling.npz", ("--method", "policy-iteration", "--linear-solver", "sparse"), "linear system",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "dense.npz", ("--method", "policy-iteration", "--linear-solver", "dense"), "linear system",
            marks=pytest.mark.slow,
        ),
        ("programme.npz", ("--method", "linear-programming"), "linear"),  # HiGHS
    ],
    ids=["sweeps", "threads", "SuperLU", "LAPACK", "HiGHS"],
)  # fmt: skip
def test_signal_is_heard_in_the_middle(models, file, options, word):
    """Each would run on for long; that it ends with an interval shows that it listens."""
    running = Running("solve", models / file, *options, "--json")
    running.wait_for(word)
    code = running.send(signal.SIGINT)
    answer = json.loads(running.out)
    assert (code, answer["status"]) == (130, "INTERRUPTED")
    assert all(low <= high for low, high in zip(answer["lower"], answer["upper"], strict=True))


def stopped_in_sweep(monkeypatch, number, signum=signal.SIGTERM):
    """Let a signal come in a sweep of value iteration, and be handled as the program does."""
    from tabular_rl.solving.sweeps import Sweeper

    sweep, calls = Sweeper.optimal, itertools.count(1)

    def one(self, *arguments, **more):
        if next(calls) == number:
            signal.raise_signal(signum)
        return sweep(self, *arguments, **more)

    monkeypatch.setattr(Sweeper, "optimal", one)


@pytest.fixture
def handled():
    """The handlers of the program, in this process."""
    hook, sys.unraisablehook = sys.unraisablehook, commands.raise_again
    before = {signum: signal.signal(signum, commands.handle) for signum in (signal.SIGINT, signal.SIGTERM)}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)
    sys.unraisablehook = hook


def test_interval_of_an_interrupted_solve_contains_the_truth(handled, capsys, models, monkeypatch):
    """The ring of two with reward 1 at state 0: v(0) = 1 / (1 - γ²), v(1) = γ v(0). It is said under -q too."""
    stopped_in_sweep(monkeypatch, 1000)
    done = inside(capsys, "solve", models / "slow.npz", *VALUE_ITERATION, "--json", "-q")
    answer, gamma = json.loads(done.out), 1 - 1e-6
    truth = [1 / (1 - gamma**2), gamma / (1 - gamma**2)]
    assert all(a <= v <= b for a, v, b in zip(answer["lower"], truth, answer["upper"], strict=True))
    assert (done.code, answer["status"]) == (143, "INTERRUPTED")
    assert one_line(done.err).startswith("interrupted: the best interval so far is ")


def test_an_interrupt_is_told_before_the_answer_is_written(handled, capsys, models, monkeypatch, tmp_path):
    """A long answer takes a while to write: who pressed the keys hears at once."""
    stopped_in_sweep(monkeypatch, 3)
    said = []

    def write(*_, **__):
        said.append(capsys.readouterr().err)

    monkeypatch.setattr("tabular_rl.commands._deliver.write_report", write)
    assert (
        inside(capsys, "solve", models / "slow.npz", *VALUE_ITERATION, "-o", tmp_path / "o.json").code == 143
    )
    assert len(said) == 1
    assert one_line(said[0]).startswith("interrupted: ")


@pytest.mark.parametrize("first", [False, True], ids=["the first", "a second"])
def test_signal_while_a_finished_answer_is_written(handled, capsys, models, monkeypatch, tmp_path, first):
    """The old file stays, no temporary one, and it is not said that nothing is proven."""
    out = tmp_path / "out.json"
    out.write_text("old")
    if first:
        stopped_in_sweep(monkeypatch, 3)
    from tabular_rl.report.render import json as writing

    parts = writing._parts

    def interrupted(value):
        if isinstance(value, writing.Column):  # the values: half of the file is written
            signal.raise_signal(signal.SIGINT)
        return parts(value)

    monkeypatch.setattr(writing, "_parts", interrupted)
    model = models / "slow.npz" if first else ROBOT  # one that goes on until it is stopped, and one that ends
    done = inside(capsys, "solve", model, *VALUE_ITERATION, "-o", out)
    assert (done.code, done.out, out.read_text(), files(tmp_path)) == (130, "", "old", ["out.json"])
    *earlier, last = done.err.splitlines()
    assert last.startswith(f"interrupted: the answer was found, and was being written: {out} is the old file")
    assert "nothing" not in done.err
    assert len(earlier) >= first


AT = """
import os, signal, sys
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == os.environ["SIGNAL_AT"]:
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))
sys.meta_path.insert(0, Finder)
"""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("module", ["tabular_rl.methods.ask", "click", "tabular_rl.commands.solve"])
def test_signal_during_imports_is_one_line(tmp_path, module, signum, code):
    """Sent when a module is looked for: the first of the package, one of others, a command."""
    (tmp_path / "sitecustomize.py").write_text(AT)
    env = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "SIGNAL_AT": module, "SIGNAL": str(int(signum))}
    done = outside("solve", ROBOT, env=env)
    assert (done.code, done.out) == (code, "")
    assert one_line(done.err).startswith("interrupted: nothing ")


def test_interrupt_in_a_finalizer_is_raised_again(handled):
    """Python lets nothing out of a `__del__` but a report; an interrupt must not be lost there."""

    class Dies:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    def die_and_wait():
        one = Dies()
        del one
        signal.pause()  # until it comes again

    interrupt.signum = None
    try:
        with pytest.raises(commands.Interrupted):
            die_and_wait()
    finally:
        interrupt.signum = None


@pytest.mark.slow
def test_signal_during_rational_arithmetic(tmp_path):
    pytest.importorskip("flint")
    save(families.garnet(states=450, actions=3, branching=50, gamma=0.99), tmp_path / "model.npz")
    running = Running("solve", tmp_path / "model.npz", "--exact")
    running.wait_for("linear system")
    assert running.send(signal.SIGINT) == 130
    assert "interrupted" in running.out


AT_A_FILE = """
import os, signal, sys
folder, ending, number, signum = os.environ["SIGNAL_AT"].split("|")
left = int(number)
def look(event, arguments):
    global left
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(folder) and ending in arguments[0]:
        left -= arguments[1] == "w"
        if left == 0:
            left = -1
            os.kill(os.getpid(), int(signum))
sys.addaudithook(look)
"""


@pytest.mark.parametrize("number", [1, pytest.param(6, marks=pytest.mark.slow)])
def test_signal_during_compilation_leaves_the_cache_whole(tmp_path, number):
    """Sent when the n-th file of compiled code is written; the next run compiles what is missing."""
    cache = tmp_path / "cache"
    (tmp_path / "sitecustomize.py").write_text(AT_A_FILE)
    env = {"NUMBA_CACHE_DIR": str(cache)}
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    at = f"{cache}|.nb|{number}|{int(signal.SIGINT)}"
    words = ("simulate", ROBOT, "--episodes", 10, "-q")  # compiles little, solve nothing
    done = outside(*words, env={**env, "PYTHONPATH": path, "SIGNAL_AT": at})
    assert done.code == 130
    assert "interrupted" in done.err
    assert not re.search("Traceback|Exception ignored", done.err)
    done = outside(*words, env=env)
    assert (done.code, done.out, done.err) == (0, outside(*words).out, "")


def test_signal_while_reading_says_that_nothing_is_proven(tmp_path):
    fifo = tmp_path / "model.toml"
    os.mkfifo(fifo)
    running = Running("solve", fifo)
    with open(fifo, "wb"):  # which waits until the program reads
        code = running.send(signal.SIGINT)
    assert (code, running.out) == (130, "")
    assert one_line(running.err) == "interrupted: nothing is proven yet"


def test_second_signal_ends_at_once(models):
    running = Running("solve", models / "large.npz", *VALUE_ITERATION)
    running.wait_for("sweeps")
    running.process.send_signal(signal.SIGTERM)
    assert running.send(signal.SIGTERM) == 143
    assert "Traceback" not in running.err


# -- limits that are reached ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--time-limit", "0"), "not reached: the time limit is over"),
        (("--method", "value-iteration", "--sweeps", "3"), "not converged: the budget is spent"),
    ],
    ids=["time", "sweeps"],
)
def test_limit_reached_gives_the_interval_so_far(capsys, options, sentence):
    """The exact values are 1000/59 and 900/59, by hand from the two linear equations of search and recharge."""
    done = inside(capsys, "solve", ROBOT, *options)
    assert done.code == 3
    assert sentence in done.out
    assert "certified" not in done.out
    assert "±" in done.out
    assert re.search(r"interval \S+ wide, tolerance 1e-06", done.out)
    answer = json.loads(inside(capsys, "solve", ROBOT, *options, "--json").out)
    for low, truth, high in zip(answer["lower"], (1000 / 59, 900 / 59), answer["upper"], strict=True):
        assert low <= truth <= high
        assert high - low > 1e-6


def test_clock_that_jumps_does_not_matter(capsys, monkeypatch):
    hours = itertools.count(0, 3600)
    monkeypatch.setattr(time, "time", lambda: next(hours))
    assert inside(capsys, "solve", ROBOT, "--time-limit", "60").code == 0


def test_answer_starts_the_next_run(capsys, tmp_path):
    """Going on from a budget that was spent ends where one run ends: the same policy, and intervals that overlap."""
    partial, whole = tmp_path / "partial.json", tmp_path / "whole.json"
    method = ("--method", "value-iteration")
    assert inside(capsys, "solve", ROBOT, *method, "--sweeps", "5", "-o", partial).code == 3
    assert inside(capsys, "solve", ROBOT, *method, "--start-from", partial, "-o", whole).code == 0
    plain = json.loads(inside(capsys, "solve", ROBOT, *method, "--json").out)
    found = json.loads(whole.read_text())
    assert found["policy"] == plain["policy"]
    assert found["work"]["sweeps"] < plain["work"]["sweeps"]
    for a, b, c, d in zip(found["lower"], plain["upper"], plain["lower"], found["upper"], strict=True):
        assert a <= b
        assert c <= d


def test_answer_to_another_model_is_refused_with_both_digests(capsys, tmp_path):
    answer = tmp_path / "answer.json"
    assert inside(capsys, "solve", ROBOT, "-o", answer).code == 0
    done = inside(capsys, "verify", ROBOT, answer, "--gamma", "0.8")
    digests = {load(ROBOT).digest[:16], load(ROBOT, gamma="0.8").digest[:16]}
    assert (done.code, done.out) == (2, "")
    assert digests <= set(re.findall(r"\b[0-9a-f]{16}\b", one_line(done.err)))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_not_a_number_in_the_middle_stops_at_once(capsys, monkeypatch, wrong):
    """A kernel that goes wrong in its third sweep, at one state."""
    from tabular_rl.solving.sweeps import Sweeper

    sweep, calls = Sweeper.optimal, itertools.count(1)

    def spoilt(self, v, out, *more):
        span = sweep(self, v, out, *more)
        if next(calls) == 3:
            out[1] = wrong
            return wrong, wrong
        return span

    monkeypatch.setattr(Sweeper, "optimal", spoilt)
    done = inside(capsys, "solve", ROBOT, "--method", "value-iteration")
    assert (done.code, done.out) == (3, "")
    assert one_line(done.err).startswith(
        f"overflow at state 'low' in sweep 3: found {wrong}, expected a finite value"
    )


# -- output that cannot be written ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("solve", ROBOT),
        ("--help",),
        ("convert", ROBOT, "-"),
        *(
            pytest.param(x, marks=pytest.mark.slow)
            for x in (("solve", ROBOT, "--json"), ("show", ROBOT), ("methods",), ("--version",))
        ),
    ],
    ids=" ".join,
)
def test_standard_output_on_a_full_disk(arguments):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command_of(*arguments), env=environment(), stdout=full, stderr=subprocess.PIPE, timeout=LIMIT
        )
    assert done.returncode == 5
    assert done.stderr.decode().splitlines()[0] == "standard output: No space left on device"
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [("solve", ROBOT, "-o"), ("convert", ROBOT, "--to", "toml")], ids=["answer", "model"]
)
def test_output_file_on_a_full_disk(capsys, arguments):
    done = inside(capsys, *arguments, "/dev/full")
    assert (done.code, done.out) == (5, "")
    assert one_line(done.err) == "/dev/full: cannot be written: No space left on device"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("solve", "out.json"),
        ("convert", "out"),
        *(
            pytest.param(*x, marks=pytest.mark.slow)
            for x in (("solve", "out.csv"), ("convert", "out.toml"), ("convert", "out.npz"))
        ),
    ],
)
def test_file_size_limit_leaves_the_old_file(models, tmp_path, command, name):
    """RLIMIT_FSIZE stands for a disk that fills while the file is written."""
    out = tmp_path / name
    if name == "out":
        save(load(ROBOT), out)
    else:
        out.write_bytes(b"what stood here")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    arguments = (
        ("solve", models / "answer.npz", "-o", out, "-q")
        if command == "solve"
        else ("convert", models / "answer.npz", out)
    )
    # The cache of compiled code is written by an earlier run, without the limit.
    done = outside(*arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)))
    assert (done.code, done.out) == (5, "")
    assert one_line(done.err) == f"{out}: cannot be written: File too large"
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_folder_that_is_read_only(capsys):
    closed = [p for p in (Path(__file__), *Path(__file__).resolve().parents) if not p.stat().st_mode & 0o005]
    if os.geteuid() == 0 and closed:
        pytest.skip(f"root may write anywhere, and other users may not read {closed[0].name}")
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    (folder / "old.json").write_text("old")
    folder.chmod(0o555)
    user = os.geteuid()
    try:
        if user == 0:  # who may write anywhere
            os.seteuid(65534)
        for command in (
            ("solve", ROBOT, "-o", "new.json"),
            ("solve", ROBOT, "-o", "old.json"),
            ("convert", ROBOT, "new"),
            ("make", "forest", "-o", "new.npz"),
        ):
            path = folder / command[-1]
            done = inside(capsys, *command[:-1], path)
            assert (done.code, done.out) == (5, ""), done
            assert one_line(done.err) == f"{path}: cannot be written: Permission denied"
    finally:
        os.seteuid(user)
        found = files(folder)
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert found == ["old.json"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("missing/out.json", "no such folder {}/missing"),
        ("file/out.json", "Not a directory"),
        (".", "is a directory; --to npy writes arrays into one"),
    ],
)
def test_output_is_looked_at_before_anything_else(capsys, tmp_path, place, reason):
    """The model does not exist: that would be said first, if it were read first."""
    (tmp_path / "file").write_text("x")
    out = tmp_path / place
    done = inside(capsys, "solve", tmp_path / "none.toml", "-o", out)
    assert (done.code, done.out) == (5, "")
    assert one_line(done.err) == f"{out}: cannot be written: {reason.format(tmp_path)}"
    assert files(tmp_path) == ["file"]


@pytest.mark.parametrize("link", ["same", "hard", "symbolic"])
@pytest.mark.parametrize("command", ["solve", "convert"])
def test_output_is_never_the_input(capsys, tmp_path, command, link):
    model, out = tmp_path / "model.toml", tmp_path / "other.toml"
    save(load(ROBOT), model)
    if link == "same":
        out = model
    else:
        (os.link if link == "hard" else os.symlink)(model, out)
    before, names = model.read_bytes(), files(tmp_path)
    done = inside(capsys, command, model, *(("-o", out) if command == "solve" else (out,)))
    assert (done.code, done.out) == (2, "")
    assert one_line(done.err) == f"{out}: is also the input, expected another file"
    assert (model.read_bytes(), files(tmp_path)) == (before, names)


def test_output_replaces_what_stood_there(capsys, tmp_path):
    out, link = tmp_path / "out.json", tmp_path / "link.json"
    out.write_text("old")
    out.chmod(0o640)
    link.symlink_to(out)
    assert inside(capsys, "solve", ROBOT, "-o", link).code == 0
    assert json.loads(out.read_text())["status"] == "CERTIFIED"
    assert link.is_symlink()
    assert out.stat().st_mode & 0o777 == 0o640
    assert files(tmp_path) == ["link.json", "out.json"]


WRITERS = {  # what writes a file -> its arguments, the file last
    "answer": ("solve", ROBOT, "-o", "new.json"),
    "answer as CSV": ("evaluate", ROBOT, "-o", "new.csv"),
    "model": ("convert", ROBOT, "new.toml"),
    "directory": ("convert", ROBOT, "new"),
    "made model": ("make", "forest", "-o", "new.npz"),
    "made directory": ("make", "forest", "-o", "new"),
    "log": ("simulate", ROBOT, "--episodes", 2, "--steps", 3, "--log", "new.csv"),
    "estimate": ("estimate", "log.csv", "--gamma", "0.9", "-o", "new.toml"),
    "counts": ("estimate", "log.csv", "--gamma", "0.9", "-o", "new.toml"),
    "learned": ("learn", ROBOT, "--steps", 3, "-o", "new.json"),
    "checkpoint": ("learn", ROBOT, "--steps", 3, "--checkpoint", "new.npz"),
    "comparison": ("compare", ROBOT, "value-iteration", "-o", "new.json"),
    "curves": ("compare", ROBOT, "q-learning", "--steps", 10, "--csv", "new.csv"),
    "curve plot": ("compare", ROBOT, "q-learning", "--steps", 10, "--plot", "new.svg"),
    "picture": ("solve", ROBOT, "--plot", "new.svg"),
    "picture of a model": ("show", ROBOT, "--plot", "new.svg"),
    "gradient": ("gradient", ROBOT, "-o", "new.json"),
    "gradient plot": ("gradient", ROBOT, "--steps", 2, "--plot", "new.svg"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_link_that_leads_nowhere_is_refused_by_every_writer(capsys, monkeypatch, tmp_path, writer):
    """A link to what is not there would write into another folder; a circle of links is not ours to replace."""
    work, other = tmp_path / "work", tmp_path / "other"
    work.mkdir()
    other.mkdir()
    monkeypatch.chdir(work)
    log = "state,action,reward,next_state,done\nhigh,wait,1,high,0\nhigh,wait,1,low,1\n"
    (work / "log.csv").write_text(log)
    *arguments, name = WRITERS[writer]
    out = work / name
    link = work / "new.counts.csv" if writer == "counts" else out
    for target, says in (
        (other / "elsewhere", "a symbolic link to .*elsewhere, which is not there"),
        (link, "circle"),
    ):
        link.symlink_to(target)
        done = inside(capsys, *arguments, out)
        assert (done.code, done.out) == (5, ""), done
        assert re.match(f"{link}: cannot be written: .*{says}", one_line(done.err)), done.err
        assert link.is_symlink()
        assert files(other) == []
        assert set(files(work)) == {"log.csv", link.name}
        link.unlink()


def test_a_link_to_what_is_there_is_written_through(capsys, tmp_path):
    """A link to a link to a file, and one to a directory of arrays."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "answer.json").write_text("old")
    (tmp_path / "middle.json").symlink_to(other / "answer.json")
    (tmp_path / "link.json").symlink_to("middle.json")
    assert inside(capsys, "solve", ROBOT, "-o", tmp_path / "link.json").code == 0
    assert json.loads((other / "answer.json").read_text())["status"] == "CERTIFIED"
    save(families.forest(), other / "model")
    (tmp_path / "link").symlink_to(other / "model")
    assert inside(capsys, "convert", ROBOT, tmp_path / "link").code == 0
    assert load(other / "model") == load(ROBOT)
    assert files(tmp_path) == ["link", "link.json", "middle.json", "other"]
    assert all((tmp_path / name).is_symlink() for name in ("link", "link.json", "middle.json"))


SEVERAL = {  # what writes several files -> their options
    "estimate": (("estimate", "log.csv", "--gamma", "0.9"), {"-o": "new.toml", "": "new.counts.csv"}),
    "estimate to a directory": (
        ("estimate", "log.csv", "--gamma", "0.9"),
        {"-o": "new", "": "new.counts.csv"},
    ),
    "compare": (
        ("compare", ROBOT, "q-learning", "--steps", 10),
        {"-o": "new.json", "--csv": "new.csv", "--plot": "new.svg"},
    ),
    "gradient": (("gradient", ROBOT, "--episodes", 2), {"-o": "new.json", "--plot": "new.svg"}),
    "solve": (("solve", ROBOT), {"-o": "new.json", "--plot": "new.svg"}),
}


@pytest.mark.parametrize("command", SEVERAL)
@pytest.mark.parametrize("stop", ["full disk", "signal"])
def test_files_of_one_command_are_all_new_or_all_old(capsys, monkeypatch, tmp_path, command, stop):
    """The disk is full, or a signal comes, when the n-th file is written, for each n until all goes well."""
    monkeypatch.chdir(tmp_path)
    log = "state,action,reward,next_state,done\nhigh,wait,1,high,0\nhigh,wait,1,low,1\n"
    Path("log.csv").write_text(log)
    arguments, outputs = SEVERAL[command]
    asked = [x for flag, name in outputs.items() if flag for x in (flag, name)]
    fsync, left = os.fsync, [0]

    def spoilt(handle):
        left[0] -= 1
        if left[0] == 0 and stop == "signal":
            signal.raise_signal(signal.SIGTERM)
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", spoilt)
    before = signal.signal(signal.SIGTERM, commands.handle)
    codes = []
    try:
        for n in range(1, 100):
            for name in outputs.values():
                shutil.rmtree(name, ignore_errors=True)
                left[0] = 0
                if name == "new":
                    save(families.forest(), name)
                else:
                    Path(name).write_text("old")
            old = {name: contents(name) for name in outputs.values()}
            left[0] = n
            done = inside(capsys, *arguments, *asked)
            codes.append(done.code)
            left[0] = 0
            changed = [name for name in old if contents(name) != old[name]]
            if done.code == 0:
                assert changed == list(old)
                break
            assert done.code == (5 if stop == "full disk" else 143), done
            assert changed == [] or (stop == "signal" and changed == list(old))
            assert files(tmp_path) == sorted({"log.csv", *old})
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(codes) > len(outputs)
    assert codes[-1] == 0


def contents(name):
    path = Path(name)
    return {p.name: p.read_bytes() for p in (path.iterdir() if path.is_dir() else [path])}


STOPPED = """
import os, signal, sys
folder, number, signum = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
done = 0

def step():
    global done
    done += 1
    if done == number:
        os.kill(os.getpid(), signum)

def look(event, arguments):
    if event in ("open", "os.rename", "os.remove", "os.rmdir") and str(arguments[0]).startswith(folder):
        step()

class Half:  # of each thousandth piece is written when the signal comes
    def __init__(self, file):
        self.file, self.pieces = file, 0
    def write(self, data):
        self.pieces += 1
        if self.pieces % 1000 == 1:
            self.file.write(data[: len(data) // 2])
            self.file.flush()
            step()
            data = data[len(data) // 2 :]
        return self.file.write(data)
    def writelines(self, lines):
        for line in lines:
            self.write(line)
    def __getattr__(self, name):
        return getattr(self.file, name)
    def __enter__(self):
        return self
    def __exit__(self, *_):
        self.file.close()

fsync = os.fsync
def synced(handle):
    fsync(handle)
    step()

import tabular_rl.formats.output as output
new = output._new
output._new = lambda path, mode: Half(new(path, mode))
os.fsync = synced
from tabular_rl.commands import run, handle
for each in (signal.SIGINT, signal.SIGTERM):
    signal.signal(each, handle)
sys.addaudithook(look)
code = run(sys.argv[4:])
if number == 0:
    print(done)
sys.exit(code)
"""


def stopped_while_writing(models, folder, name, number, signum):
    """Convert over an old file by a program that gets a signal at its n-th step of writing; 0 counts the steps."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    save(load(ROBOT), folder / name)
    return subprocess.run(
        [sys.executable, "-c", STOPPED, folder, str(number), str(int(signum)), "convert", models / "middle.npz",
         folder / name, "-q"],
        env=environment(), capture_output=True, text=True, timeout=LIMIT,
    )  # fmt: skip


def steps_of_writing(models, folder, name):
    done = stopped_while_writing(models, folder, name, 0, signal.SIGKILL)
    assert (done.returncode, done.stderr) == (0, "")
    return int(done.stdout)


@pytest.mark.parametrize("name", ["out.npz", "out", pytest.param("out.toml", marks=pytest.mark.slow)])
def test_killed_write_leaves_the_old_or_the_new_file(models, tmp_path, name):
    """In the middle, and at the last step."""
    old, new, out = load(ROBOT), load(models / "middle.npz"), tmp_path / "out" / name
    steps = steps_of_writing(models, tmp_path / "out", name)
    assert steps > 5
    for number, expected in ((steps // 2, old), (steps, new)):
        done = stopped_while_writing(models, tmp_path / "out", name, number, signal.SIGKILL)
        assert done.returncode == -signal.SIGKILL
        assert load(out) == expected


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", ["out.toml", "out.csv", "out.npz", "out"])
def test_killed_write_at_every_step(models, tmp_path, name):
    old, new, out = load(ROBOT), load(models / "middle.npz"), tmp_path / "out" / name
    outcomes = []
    for number in range(1, steps_of_writing(models, tmp_path / "out", name) + 1):
        done = stopped_while_writing(models, tmp_path / "out", name, number, signal.SIGKILL)
        found = load(out)
        assert done.returncode == -signal.SIGKILL
        assert found in (old, new)
        outcomes.append(found == new)
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_write_leaves_no_temporary_file(models, tmp_path, signum, code):
    done = stopped_while_writing(models, tmp_path / "out", "out.toml", 3, signum)
    assert (done.returncode, done.stdout) == (code, "")
    assert one_line(done.stderr) == "interrupted: nothing was written"
    assert files(tmp_path / "out") == ["out.toml"]
    assert load(tmp_path / "out" / "out.toml") == load(ROBOT)


# -- standard streams ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "example:taxi", "--all"),
        ("convert", "example:taxi", "-"),
        ("solve", "example:taxi", "--json"),
        ("--help",),
    ],
    ids=" ".join,
)
def test_reader_that_stops_early_is_no_fault(arguments):
    process = subprocess.Popen(
        command_of(*arguments), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(LIMIT) == 0
    assert not re.search("Traceback|BrokenPipe|Exception ignored", err)


@pytest.mark.parametrize(
    ("closed", "code", "said"),
    [(0, 0, "policy-iteration"), (1, 0, "policy-iteration"), (2, 0, "")],
    ids=["stdin", "stdout", "stderr"],
)
def test_stream_that_is_closed(closed, code, said):
    shell = f"exec {closed}>&-; exec {' '.join(command_of('solve', ROBOT))}"
    done = subprocess.run(["sh", "-c", shell], env=environment(), capture_output=True, timeout=LIMIT)
    assert done.returncode == code
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert closed == 1 or b"16.949153" in done.stdout


def test_standard_input_that_is_closed():
    done = subprocess.run(
        ["sh", "-c", f"exec 0<&-; exec {' '.join(command_of('solve', '-'))}"],
        env=environment(),
        capture_output=True,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert one_line(done.stderr.decode()) == "<stdin>: closed, expected a model"


def terminal_output(answer, env):
    """What the program writes to a terminal: of a verdict, which has a colour."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command_of("verify", ROBOT, answer), env=environment(env), stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        parts = []
        try:
            while part := os.read(ours, 4096):
                parts.append(part)
        except OSError:  # the other side is closed
            pass
        os.close(ours)
        assert process.wait(LIMIT) == 0
    return b"".join(parts).decode()


def test_colour_is_for_terminals_that_want_it(capsys, tmp_path):
    answer = tmp_path / "answer.json"
    assert inside(capsys, "solve", ROBOT, "-o", answer).code == 0
    assert "\x1b[" in terminal_output(answer, {"TERM": "xterm"})  # so that the others could fail
    assert "\x1b" not in terminal_output(answer, {"TERM": "dumb"})
    assert "\x1b" not in terminal_output(answer, {"TERM": "xterm", "NO_COLOR": "1"})
    assert "\x1b" not in outside("verify", ROBOT, answer, env={"TERM": "xterm"}).out


COLORAMA = """
import atexit, sys
__version__ = "0.4.6"
class Fore: BLACK = RED = GREEN = YELLOW = BLUE = MAGENTA = CYAN = WHITE = RESET = LIGHTBLACK_EX = ""
class Style: BRIGHT = DIM = NORMAL = RESET_ALL = ""
def init(): atexit.register(lambda: sys.stdout.write("\\x1b[0m"))
def reinit(): pass
def deinit(): pass
"""


USE_NUMBA = "from numba.core.errors import TypingError; TypingError('')"


@pytest.mark.parametrize("user", ["numba", "solve"])
def test_no_reset_code_follows_the_answer_where_colorama_is_installed(tmp_path, user):
    """Numba calls colorama.init, which resets the colours when the interpreter ends."""
    (tmp_path / "colorama.py").write_text(COLORAMA)
    env = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    if user == "numba":  # so that the other could fail
        done = subprocess.run([sys.executable, "-c", USE_NUMBA], env=environment(env), capture_output=True)
        assert done.stdout == b"\x1b[0m"
    else:
        assert outside("solve", ROBOT, "-q", env=env).out == plain_run().out


UNICODE = """discount = 0.5
[state."ä→"]
"gö" = { to = "ä→", reward = 1 }
"""


@pytest.mark.parametrize(
    "command",
    [
        "solve",
        "convert",
        *(pytest.param(x, marks=pytest.mark.slow) for x in ("show", "check", "solve --json")),
    ],
)
def test_plain_terminal_is_shown_unicode_names_escaped(tmp_path, command):
    model = tmp_path / "model.toml"
    model.write_text(UNICODE, encoding="utf-8")
    verb, *more = command.split()
    done = outside(
        verb,
        model,
        *more,
        *(["-"] if verb == "convert" else []),
        env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
        flags=("-X", "utf8=0"),
    )
    assert done.code == 0, done.err
    assert done.out
    assert not re.search("Traceback|Error", done.err)
    if verb in ("solve", "show"):
        assert done.out.isascii()
        assert r"\xe4\u2192" in done.out.replace("\\u00e4", r"\xe4")
    if verb == "convert":  # a file is a file, whatever the terminal
        assert "ä→" in done.out


def test_plain_terminal_and_a_path_in_unicode(tmp_path):
    done = outside(
        "solve", tmp_path / "nö.toml", env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}, flags=("-X", "utf8=0")
    )
    assert (done.code, done.out) == (2, "")
    assert one_line(done.err).isascii()
    assert done.err.endswith(".toml: no such file\n")


# -- the interpreter and the cache ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags",
    [
        ("-W", "error"),
        ("-I",),
        *(pytest.param(x, marks=pytest.mark.slow) for x in (("-OO",), ("-X", "utf8=0"), ("-X", "dev"))),
    ],
    ids=lambda flags: "".join(flags),
)
def test_flags_of_the_interpreter_change_nothing(flags):
    plain = plain_run().out
    done = outside("solve", ROBOT, "-q", flags=flags) if flags != ("-I",) else isolated()
    assert (done.code, done.out) == (0, plain)
    assert not re.search("Traceback|Error", done.err)


@functools.cache
def plain_run():
    """A run as it should be, for comparison."""
    return outside("solve", ROBOT, "-q")


def isolated():
    """`-I` ignores PYTHONPATH and the folder: an installed program run from elsewhere."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['x', 'solve', '{ROBOT}', '-q']"
    code += "; from tabular_rl.commands import main; main()"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], env=environment(), capture_output=True, cwd="/", timeout=LIMIT
    )
    return program.Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("flags", [(), ("-O",), ("-W", "error")], ids=["plain", "O", "W error"])
def test_bad_model_is_refused_under_every_flag(tmp_path, flags):
    (tmp_path / "bad.csv").write_text(
        "# discount = 0.9\nstate,action,next_state,probability,reward\na,go,a,0.9,0\n"
    )
    done = outside("solve", tmp_path / "bad.csv", flags=flags)
    assert (done.code, done.out) == (2, "")
    assert "state 'a', action 'go': probabilities sum to 9/10, expected 1" in one_line(done.err)


def test_no_cache_can_be_written(tmp_path):
    """Below a file there are no folders, for root neither."""
    (tmp_path / "file").write_text("")
    env = {k: v for k, v in environment().items() if k not in ("HOME", "XDG_CACHE_HOME")}
    env["NUMBA_CACHE_DIR"] = str(tmp_path / "file" / "cache")
    words = ("simulate", ROBOT, "--episodes", 10, "-q")  # compiles little, solve nothing
    done = subprocess.run(command_of(*words), env=env, capture_output=True, timeout=LIMIT)
    assert (done.returncode, done.stdout.decode()) == (0, outside(*words).out)
    assert one_line(done.stderr.decode()).startswith("warning: ")
    assert b"NUMBA_CACHE_DIR" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="HOME is a matter of POSIX")
@pytest.mark.parametrize("home", [None, ""])
def test_no_home(monkeypatch, home):
    from tabular_rl.kernels import _jit

    for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    with pytest.warns(RuntimeWarning, match="compiled code is not cached.*HOME is not set") as caught:
        assert _jit._cache_folder() is None
    assert len(caught) == 1


def runs_at_once(folder, count):
    command = command_of("solve", "example:gridworld_4x4", "--method", "value-iteration", "--json", "-q")
    env = environment({"NUMBA_CACHE_DIR": str(folder)})
    processes = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(count)
    ]
    found = [process.communicate(timeout=280) for process in processes]
    assert [process.returncode for process in processes] == [0] * count, found
    assert all(err == b"" for _, err in found), found
    return {without_times(out) for out, _ in found}


def without_times(out):
    document = json.loads(out)
    document.pop("seconds")
    document.pop("options", None)
    return json.dumps(document)


def test_runs_at_once_on_a_fresh_cache(tmp_path):
    assert len(runs_at_once(tmp_path, 2)) == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_runs_at_once_on_a_fresh_cache(tmp_path):
    assert len(runs_at_once(tmp_path, 20)) == 1


@pytest.mark.parametrize(
    "method", ["modified-policy-iteration", pytest.param("value-iteration", marks=pytest.mark.slow)]
)
def test_same_bits_for_any_number_of_threads(models, method):
    answers = set()
    for variable, option in (("1", "1"), ("64", "7")):
        env = {"OMP_NUM_THREADS": variable, "NUMBA_NUM_THREADS": variable, "OPENBLAS_NUM_THREADS": variable}
        done = outside(
            "solve", models / "middle.npz", "--method", method, "--threads", option, "--json", "-q", env=env
        )
        assert done.code == 0, done.err
        answers.add(without_times(done.out))
    assert len(answers) == 1


# -- arithmetic that is not the standard's -------------------------------------------------------------------------

LOAD_FIRST = """
import ctypes, sys
{spoil}
tiny = float("5e-324")
one, small = float("1"), float("1e-30")
spoilt = tiny * one == 0 or one + small != one or one - small != one
print("spoilt" if spoilt else "standard", file=sys.stderr)
sys.argv = ["tabular-rl", *sys.argv[1:]]
from tabular_rl.commands import main
main()
"""
REFUSAL = "floating-point arithmetic is not the standard's"


def run_spoilt(spoil, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", LOAD_FIRST.format(spoil=spoil), *arguments],
        env=environment(), capture_output=True, text=True, timeout=LIMIT,
    )  # fmt: skip
    state, _, said = done.stderr.partition("\n")
    return state, program.Done(done.returncode, done.stdout, said)


@pytest.fixture(scope="module")
def fast_math(tmp_path_factory):
    """A library compiled with -ffast-math, which flushes to zero for whoever loads it (with GCC before 13)."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("library")
    (folder / "library.c").write_text("int nothing(void) { return 0; }\n")
    made = subprocess.run(
        [compiler, "-shared", "-fPIC", "-ffast-math", "-o", "library.so", "library.c"],
        cwd=folder,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("the C compiler makes no shared library")
    return folder / "library.so"


@pytest.mark.parametrize(
    "arguments",
    [
        ("solve", ROBOT, "--method", "value-iteration"),
        ("solve", "example:taxi"),
        ("solve", "example:forest_horizon", "--method", "backward-induction"),
        ("evaluate", "example:taxi"),
    ],
    ids=["value-iteration", "auto", "horizon", "evaluate"],
)
def test_flush_to_zero_is_refused(fast_math, arguments):
    state, done = run_spoilt(f"ctypes.CDLL({str(fast_math)!r})", *arguments)
    if state != "spoilt":
        pytest.skip("this compiler's -ffast-math does not flush to zero")
    assert (done.code, done.out) == (3, "")
    assert one_line(done.err).startswith(REFUSAL)


def test_small_models_are_solved_in_fractions_where_floats_are_not_the_standard_s(fast_math):
    """By hand: 1000/59 and 900/59."""
    _, done = run_spoilt(f"ctypes.CDLL({str(fast_math)!r})", "solve", ROBOT, "--exact")
    assert done.code == 0, done.err
    assert "1000/59" in done.out
    assert "900/59" in done.out


@pytest.mark.parametrize(
    "mode", ["up", *(pytest.param(x, marks=pytest.mark.slow) for x in ("down", "to zero"))]
)
def test_rounding_mode_is_refused(mode):
    modes = {
        "x86_64": {"up": 0x800, "down": 0x400, "to zero": 0xC00},
        "aarch64": {"up": 0x400000, "down": 0x800000, "to zero": 0xC00000},
    }
    machine = os.uname().machine
    if machine not in modes or sys.platform != "linux":
        pytest.skip("the numbers of the rounding modes are those of Linux on x86-64 and ARM")
    state, done = run_spoilt(
        f"ctypes.CDLL('libm.so.6').fesetround({modes[machine][mode]})", "solve", "example:taxi"
    )
    assert state == "spoilt"
    assert (done.code, done.out) == (3, "")
    assert one_line(done.err).startswith(REFUSAL)


def test_answer_under_flush_to_zero_is_not_verified(fast_math, capsys, tmp_path):
    answer = tmp_path / "answer.json"
    assert inside(capsys, "solve", ROBOT, "-o", answer).code == 0
    state, done = run_spoilt(f"ctypes.CDLL({str(fast_math)!r})", "verify", ROBOT, str(answer))
    if state != "spoilt":
        pytest.skip("this compiler's -ffast-math does not flush to zero")
    assert (done.code, done.out) == (3, "")
    assert one_line(done.err).startswith(REFUSAL)


def test_compiled_and_plain_kernels_agree():
    """FMA, or its absence, changes roundings and nothing more: 1e-12 of values up to 17."""
    found = []
    for env in ({}, {"NUMBA_DISABLE_JIT": "1"}):
        done = outside("solve", ROBOT, "--method", "value-iteration", "--json", "-q", env=env)
        found.append(json.loads(done.out)["values"])
    assert found[0] == pytest.approx(found[1], abs=1e-11, rel=0)


# -- memory --------------------------------------------------------------------------------------------------------


def limited(gigabytes):
    size = int(gigabytes * 2**30)
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size))


ONE = {"OPENBLAS_NUM_THREADS": "1"}
linux = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is enforced on Linux")


@linux
def test_model_that_needs_more_memory_than_there_is(tmp_path):
    """Twenty million rows of five outcomes are 1.6 GB and more."""
    done = outside(
        "make", "garnet", "--states", 5_000_000, "-o", tmp_path / "model", preexec_fn=limited(1), env=ONE
    )
    assert (done.code, done.out, files(tmp_path)) == (2, "", [])
    assert re.match(r"not enough memory: Unable to allocate \d+\.? MiB\.", one_line(done.err)), done.err


@linux
def test_file_that_needs_more_memory_than_there_is(tmp_path):
    save(families.garnet(states=300_000, actions=4, branching=10), tmp_path / "large.npz")
    size = (tmp_path / "large.npz").stat().st_size
    assert size > 160e6
    done = outside("solve", tmp_path / "large.npz", preexec_fn=limited(0.2), env=ONE)
    assert (done.code, done.out) == (2, "")
    line = one_line(done.err)
    assert re.search(
        rf"large\.npz: needs {size // 10**6}\.\d MB of memory, expected at most the [\d.]+ MB that are free",
        line,
    ), line


@linux
def test_libraries_that_need_more_memory_than_there_is():
    """Short of address space LLVM would crash and BLAS would never come back: both are not begun."""
    done = outside("solve", ROBOT, preexec_fn=limited(0.35), env=ONE)
    assert (done.code, done.out) == (2, "")
    assert re.search(r"solving needs about [\d.]+ MB of address space for its libraries", one_line(done.err))


@linux
def test_gigabyte_is_enough_for_a_small_model():
    done = outside("solve", ROBOT, "-q", preexec_fn=limited(1), env=ONE)
    assert (done.code, done.out) == (0, plain_run().out)


# -- files that change ---------------------------------------------------------------------------------------------


def test_mapped_file_that_changes_after_it_was_opened(capsys, monkeypatch, tmp_path):
    """It is opened, it changes, and its contents are looked at."""
    folder = tmp_path / "model"
    save(load(ROBOT), folder)

    def load_and_spoil(*given, **options):
        mdp = load(*given, **options)
        array = np.load(folder / "r.npy")
        array[0] += 1
        np.save(folder / "r.npy", array)
        return mdp

    monkeypatch.setattr("tabular_rl.commands._files.load", load_and_spoil)
    done = inside(capsys, "solve", folder)
    assert (done.code, done.out) == (2, "")
    assert one_line(done.err) == f"{folder}: r.npy: has changed since the model was opened. Load it again."


def test_mapped_file_with_other_contents(tmp_path):
    """The same size and type, another number: the digest tells."""
    folder = tmp_path / "model"
    save(families.garnet(states=20), folder)
    array = np.load(folder / "r.npy")
    array[0] += 1
    np.save(folder / "r.npy", array)
    with pytest.raises(ModelError, match="digest"):
        solve(load(folder))


# -- a wide range --------------------------------------------------------------------------------------------------


def test_overflow_is_named_and_never_printed_as_a_value(capsys, tmp_path):
    """v = 1e300 / (1 - γ) is past the range of floats; the largest reward itself is allowed."""
    for gamma in ("0.9999999999", "0.999999999"):
        save(ring(2, gamma, 1e300), tmp_path / "model.npz")
        done = inside(capsys, "solve", tmp_path / "model.npz", "-q")
        assert (done.code, done.out) == (3, ""), done
        assert re.search(
            "overflow|cannot be solved in floating point|larger than any float64", one_line(done.err)
        )
        assert "Warning" not in done.err


def test_value_iteration_names_the_state_that_overflows():
    # A start is cut to r / (1 - γ), which is infinite here on both sides.
    mdp = MDP([[[0, 1]], [[1, 0]]], [[1e300], [-1e300]], "0.9999999999", axes="sas")
    with pytest.raises(NumericalError, match="overflow"):
        value_iteration(mdp, start_from=[1.7e308, -1.7e308], tolerance=1.0)
