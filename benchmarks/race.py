"""Races: one process an entrant, called in turn, each call ended by a limit of CPU seconds."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks.environments import NotInstalled, python_for
from tabular_rl import MDP

HERE = Path(__file__).parent / "entrants"
ONE_THREAD = {
    name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
}
PATIENCE = 40.0  # wall seconds for a CPU second, on a busy machine
TINY = 4000  # bytes of a model's file: its calls are too short for a clock, so that 1,000 are timed
ONE_BY_ONE = 300e6  # bytes of a model's file from which entrants do not stand in memory side by side
COMPILING = 15.0  # CPU seconds more for a call of ours in which kernels are compiled, once on a machine
WARM = 3.0  # CPU seconds to solve a small model
BUILD = 2.0  # CPU seconds to build, unless a call may take longer
READING = 50e6  # bytes of a file that are read in a CPU second at least
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Entry:
    """Who takes part: a script, one of its methods, and its name on the page."""

    script: str
    method: str
    name: str

    @property
    def ours(self) -> bool:
        return self.script == "ours"


RIVALS = {
    "quantecon": (
        Entry("with_quantecon", "modified_policy_iteration", "QuantEcon MPI"),
        Entry("with_quantecon", "policy_iteration", "QuantEcon PI"),
    ),
    "mdpsolver": (Entry("with_mdpsolver", "mpi", "mdpsolver MPI"),),
    "mdptoolbox": (
        Entry("with_mdptoolbox", "PolicyIterationModified", "pymdptoolbox MPI"),
        Entry("with_mdptoolbox", "PolicyIteration", "pymdptoolbox PI"),
    ),
    "storm": (Entry("with_storm", "fast", "Storm"), Entry("with_storm", "sound", "Storm, sound")),
    "scipy": (
        Entry("with_scipy", "value_iteration", "scipy VI"),
        Entry("with_scipy", "policy_iteration", "scipy PI"),
    ),
    "highs": (Entry("with_highs", "highs", "HiGHS"),),
}


def write_model(path: Path, mdp: MDP) -> None:
    """Write the arrays of a model, each row in order of its next states and each of them once."""
    from scipy.sparse import csr_matrix

    P = csr_matrix((mdp.prob, mdp.next_state, mdp.row_ptr), shape=(mdp.L, mdp.S))
    if not P.has_canonical_format:
        P = P.copy()
        P.sum_duplicates()
    np.savez(
        path,
        pair_ptr=mdp.pair_ptr,
        pair_action=mdp.pair_action,
        row_ptr=P.indptr,
        next_state=P.indices,
        prob=P.data,
        r=mdp.r,
        terminal=mdp.terminal,
        gamma=mdp.gamma,
        sign=mdp.sign,
        horizon=-1 if mdp.horizon is None else mdp.horizon,
    )


def read_model(path: Path) -> MDP:
    """Read what write_model wrote."""
    with np.load(path) as file:
        m = dict(file)
    sense, horizon = "max" if m.pop("sign") > 0 else "min", int(m.pop("horizon"))
    return MDP.from_rows(
        **m | {"gamma": float(m["gamma"])}, sense=sense, horizon=None if horizon < 0 else horizon, copy=False
    )


@dataclass
class Times:
    """What came of an entrant on a model."""

    entry: Entry
    build: float | None = None
    solves: list[float] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)  # of the last call
    limit: float = float("inf")  # CPU seconds that the last call could take
    keeps: bool = False  # whether it has to be built again before the next call
    said: str = ""  # why there is no answer
    v: np.ndarray | None = None
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None

    @property
    def counted(self) -> list[float]:
        """The calls that count: the first one only where it is the only one, as it finds caches cold."""
        return self.solves[1:] or self.solves

    @property
    def seconds(self) -> float:
        return float(np.median(self.counted)) if self.solves else float("inf")


@dataclass
class Options:
    tolerance: float = 1e-6
    calls: int = 5
    limit: float = 2.0  # CPU seconds of a call
    least: float = 0.5  # CPU seconds that every call may take
    enough: float = 1.0  # CPU seconds after which an entrant is not called again
    memory: float = 12e9  # bytes that a process may ask for
    factor: float = 20.0  # a rival may take this many times as long as `auto`
    own: float = 5.0  # another method of ours may take this many times as long as `auto`
    first: float = 5.0  # `auto` may take this many times the limit


class Racer:
    """The process of an entrant, and its child that works on a model: to end a call is to end the child."""

    def __init__(self, entry: Entry, folder: Path, options: Options) -> None:
        self.entry, self.options = entry, options
        self.times = Times(entry)
        self.values = folder / f"{entry.script}-{entry.method}.npz"
        self.log = self.values.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None
        self.heard = b""  # what has been read of its answers, and not been used
        self.child: int | None = None
        self.warmed = False
        self.mark = 0  # where in the log the call begins
        self.last: dict[str, Any] = {}  # the last answer: how the process has ended, where it has

    def meet(self, model: Path, warm: Path, first: Path | None = None) -> None:
        """Have a model read and built, after a warm-up on a small one; what comes of it goes to new times.

        Parameters
        ----------
        model : the file
        warm : a small model of this kind
        first : a small model that is solved before all others, by those who compile
        """
        self.times = Times(self.entry)
        self.values.unlink(missing_ok=True)
        try:
            self.start()
        except NotInstalled as error:
            self.times.said = str(error)
            return
        size = os.path.getsize(model)
        if (
            first is not None and not self.warmed and size >= TINY
        ):  # small models are solved by those who have seen no others
            self.warmed = True
            answer = self.ask(f"warm\t{first}", 8 * COMPILING)
            if self.process is None:
                self.accept(answer)
                return
        reading = size / READING
        answer = self.load(model, warm, WARM + reading)
        if answer.get("late") and self.process is not None:  # its warm-up does not end; this model may
            answer = self.load(model, "", WARM + reading)
        if self.accept(answer):
            answer = self.ask("build", max(BUILD, self.options.limit))
            if self.accept(answer):
                self.times.build, self.times.keeps = answer["seconds"], answer["keeps"]

    def start(self) -> None:
        if self.process is not None:
            return
        script = HERE / f"{self.entry.script}.py"
        python = python_for(script)
        arguments = self.entry.method, self.values, self.options.tolerance, int(self.options.memory)
        command = [python, "-u", str(script), *map(str, arguments)]
        more = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])} if self.entry.ours else {}
        with open(self.log, "w", encoding="utf-8") as log:
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=log, env=os.environ | ONE_THREAD | more
            )
        self.warmed, self.heard = False, b""

    @property
    def running(self) -> bool:
        return self.process is not None and not self.times.said

    def load(self, model: Path, warm: Path | str, limit: float) -> dict[str, Any]:
        """Have a child begin with a model."""
        self.leave_child()
        answer = self.ask(f"load\t{model}\t{warm}", limit)
        if "pid" in answer:
            self.child = answer["pid"]
            answer = self.last = self.wait(limit, "load")
        return answer

    def cpu(self) -> float:
        """CPU seconds that the child has used; wall seconds where the system does not tell."""
        assert self.process is not None
        if not os.path.exists("/proc/self/stat"):
            return time.monotonic()
        try:
            return sum(cpu_times(self.child or self.process.pid)[:2])
        except OSError:
            return 0.0  # it has ended, and its parent is about to say so

    @property
    def used(self) -> float:
        """CPU seconds of the process and of the children that have ended."""
        try:
            return sum(cpu_times(self.process.pid)) if self.process is not None else 0.0
        except OSError:
            return 0.0

    def ask(self, command: str, limit: float) -> dict[str, Any]:
        """Send a command and return the answer, if it comes within so many CPU seconds.

        Where the process has ended, the answer is how it ended.
        """
        if self.process is None or self.process.stdin is None:
            return self.last
        try:
            self.process.stdin.write(f"{command}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            self.last = self.died(None)
        else:
            self.last = self.wait(limit, command.partition("\t")[0])
        return self.last

    def line(self, seconds: float | None = None) -> bytes | None:
        """Return the next line of its answers; nothing where it has ended, None where there is none in some seconds."""
        assert self.process is not None and self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        while b"\n" not in self.heard:
            if not select.select([pipe], [], [], seconds)[0]:
                return None
            if not (more := os.read(pipe, 2**16)):
                return b""
            self.heard += more
        line, _, self.heard = self.heard.partition(b"\n")
        return line

    def wait(self, limit: float, command: str) -> dict[str, Any]:
        """Return the answer to a command, if it comes within so many CPU seconds."""
        start, clock = self.cpu(), time.monotonic()
        self.mark = self.log.stat().st_size
        while (line := self.line(0.02)) is None:
            allowed = limit + (COMPILING if self.compiles() else 0.0)
            if self.cpu() - start > allowed or time.monotonic() - clock > max(PATIENCE * allowed, 5.0):
                self.end_child()
                what = {"build": "not built", "load": "not read"}.get(command, "none")
                return {"failed": f"{what} in {limit:.2g} s", "late": True}
        answer = json.loads(line) if line else {"ended": None}
        return self.died(answer["ended"]) if "ended" in answer else answer

    def compiles(self) -> bool:
        """Whether one of ours has compiled something since it was asked."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(self.mark)
            return self.entry.ours and "compiling" in log.read()

    def end_child(self) -> None:
        """End the work on a model, whatever is being done; the process where it has no child yet."""
        if self.child is None:
            self.stop()
            return
        self.kill_child()
        while (line := self.line()) and "ended" not in json.loads(line):
            pass  # an answer that came too late

    def kill_child(self) -> None:
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.child, signal.SIGKILL)
            self.child = None

    def leave_child(self) -> None:
        """Have the child leave, if it still works on the model before."""
        if self.child is not None:
            self.ask("drop", 5.0)  # the answer is how it ended, or it is ended now
            self.child = None

    def died(self, code: int | None) -> dict[str, Any]:
        self.child = None
        if code is None and self.process is not None:
            code = self.process.wait()
            self.stop()
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return {"failed": f"ended with {code}: {lines[-1][:100] if lines else ''}"}

    def accept(self, answer: dict[str, Any]) -> bool:
        """Take note of why there is no answer; True where there is one."""
        self.times.said = answer.get("unfit") or answer.get("failed") or ""
        return not self.times.said

    def stop(self) -> None:
        """End the process, and its child."""
        if self.process is None:
            return
        self.process.kill()
        self.kill_child()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            close_quietly(pipe)
        self.process = None

    def leave(self) -> Times:
        """Return what came of the model, with the values that were found last."""
        self.leave_child()
        if self.values.exists() and self.times.solves:
            with np.load(self.values) as file:
                self.times.v = file["v"]
                if "lower" in file:
                    self.times.lower, self.times.upper = file["lower"], file["upper"]
        return self.times


def cpu_times(pid: int) -> list[float]:
    """CPU seconds of a process, in itself and for it in the system; then those of its children that have ended."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return [int(ticks) / TICKS for ticks in stat.rpartition(")")[2].split()[11:15]]


def close_quietly(pipe: IO[bytes] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except BrokenPipeError:
        pass


@dataclass
class Race:
    """A model, and what came of each entrant."""

    name: str
    gamma: float
    size: dict[str, int]
    times: dict[str, Times]
    extra: dict[str, float]  # floor, certificate, tensors: seconds, where they are told
    bytes: int


def race(name: str, paths: tuple[Path, Path, Path], racers: list[Racer], options: Options) -> Race:
    """Have racers solve the model of a file, in turn; the first is `auto` and sets the pace.

    Parameters
    ----------
    name : of the model
    paths : the model, a small one that everybody solves once, and a small one of its kind, to warm up
    racers : who takes part
    options : limits
    """
    model, first, warm = paths
    call = "thousand" if os.path.getsize(model) < TINY else "solve"
    apart = os.path.getsize(model) > ONE_BY_ONE
    extra: dict[str, float] = {}
    for group in [[racer] for racer in racers] if apart else [racers]:
        for racer in group:
            racer.meet(model, warm, first)
        if racers[0] in group:
            uncounted(racers[0], options)
        for _ in range(options.calls):
            for racer in group:
                take_turn(racer, call, pace(racer, racers[0], options), options.enough)
        if racers[0] in group:
            extra = told(racers[0], options)
        for racer in group:
            racer.leave()
    with np.load(model) as file:
        size = {
            "states": len(file["terminal"]),
            "pairs": len(file["pair_action"]),
            "outcomes": len(file["prob"]),
        }
        gamma, held = float(file["gamma"]), sum(file[key].nbytes for key in file.files)
    return Race(name, gamma, size, {racer.entry.name: racer.times for racer in racers}, extra, held)


def pace(racer: Racer, first: Racer, options: Options) -> float:
    """Return the limit of a call, in CPU seconds.

    Parameters
    ----------
    racer : whose call it is
    first : `auto`: once it has had its first call, others may take a multiple of its time
    options : limits
    """
    if racer is first:
        return options.first * options.limit
    if not first.times.solves:
        return options.limit
    ours = min(first.times.solves)
    factor = options.own if racer.entry.ours else options.factor
    return max(options.least, min(options.limit, factor * ours), 2 * ours)


def uncounted(first: Racer, options: Options) -> None:
    """Have `auto` solve once before: what it chooses of a large model is not always what the small one has compiled."""
    if not (first.entry.ours and first.running):
        return
    answer = first.ask("solve", options.first * options.limit)
    if first.accept(answer):
        # What it needs to work in is kept for the calls that follow: their peaks do not show it.
        first.times.facts = {what: answer[what] for what in ("peak", "work")}


def take_turn(racer: Racer, call: str, limit: float, enough: float) -> None:
    """Have a call made and timed, unless the entrant has been called enough.

    Parameters
    ----------
    racer : whose turn it is
    call : the command
    limit : CPU seconds that it may take
    enough : CPU seconds of earlier calls after which there are no more
    """
    times = racer.times
    if not racer.running or sum(times.solves) > enough:
        return
    times.limit = limit
    if times.keeps and times.solves and not racer.accept(racer.ask("again", 2 * BUILD)):
        return
    answer = racer.ask(call, limit)
    if not racer.accept(answer):
        return
    for measured in ("peak", "work"):  # the most of all calls: later ones use what was freed
        answer[measured] = max(answer.get(measured, 0), times.facts.get(measured, 0))
    seconds = answer.pop("seconds")
    times.facts = answer
    if not answer.get("compiled"):
        times.solves.append(seconds)


def told(first: Racer, options: Options) -> dict[str, float]:
    """Return what else ours is asked for: the floor, a sweep, the part of the proof, building from tensors."""
    extra: dict[str, float] = {}
    for command in ("floor", "sweep", "tensors", "certificate"):
        if first.running:
            answer = first.ask(command, options.first * options.limit)
            if "seconds" in answer:
                extra[command] = answer["seconds"]
            if answer.get("late"):
                break
    return extra
