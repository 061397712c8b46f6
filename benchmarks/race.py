"""Races: one process an entrant, called in turn, each call ended by a limit of CPU seconds."""

from __future__ import annotations

import json
import os
import select
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
COMPILING = (
    20.0  # CPU seconds that the kernels of a method may take when they are compiled for the first time
)
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
    "mdptoolbox": (Entry("with_mdptoolbox", "PolicyIterationModified", "pymdptoolbox MPI"),),
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
    limit: float = 10.0  # CPU seconds of a call
    enough: float = 1.0  # CPU seconds after which an entrant is not called again
    memory: float = 12e9  # bytes that a process may ask for
    factor: float = 20.0  # an entrant may take this many times as long as ours


class Racer:
    """The process of an entrant: one for all models, started again where a call had to be ended."""

    def __init__(self, entry: Entry, folder: Path, options: Options) -> None:
        self.entry, self.options = entry, options
        self.times = Times(entry)
        self.values = folder / f"{entry.script}-{entry.method}.npz"
        self.log = self.values.with_suffix(".log")
        self.process: subprocess.Popen[str] | None = None

    def meet(self, model: Path, warm: Path) -> None:
        """Have a model read and built, after a warm-up on a small one; what comes of it goes to new times."""
        self.times = Times(self.entry)
        self.values.unlink(missing_ok=True)
        try:
            self.start()
        except NotInstalled as error:
            self.times.said = str(error)
            return
        limit = self.options.limit
        if self.accept(self.ask(f"load\t{model}\t{warm}", 60 + limit)):
            answer = self.ask("build", 2 * limit + 10)
            if self.accept(answer):
                self.times.build = answer["seconds"]
                # The method that `auto` takes of a large model is not always the one of a small model: compile it.
                if self.entry.ours and self.accept(answer := self.ask("solve", limit + COMPILING)):
                    # What it needs to work in is kept for the calls that follow: their peaks do not show it.
                    self.times.facts = {what: answer[what] for what in ("peak", "work")}

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
                command, stdin=pipe, stdout=pipe, stderr=log, text=True, env=os.environ | ONE_THREAD | more
            )

    @property
    def running(self) -> bool:
        return self.process is not None and not self.times.said

    def cpu(self) -> float:
        """CPU seconds that the process has used; wall seconds where the system does not tell."""
        assert self.process is not None
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8")
            used = stat.rpartition(")")[2].split()
            return (int(used[11]) + int(used[12])) / TICKS
        except (OSError, IndexError):
            return time.monotonic()

    def ask(self, command: str, limit: float) -> dict[str, Any]:
        """Send a command and return the answer, if it comes within so many CPU seconds."""
        assert self.process is not None and self.process.stdin is not None and self.process.stdout is not None
        start, clock = self.cpu(), time.monotonic()
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return self.died()
        while not select.select([self.process.stdout], [], [], 0.05)[0]:
            if self.cpu() - start > limit or time.monotonic() - clock > max(PATIENCE * limit, 5.0):
                self.stop()
                what = {"build": "not built", "load": "not warm"}.get(command.partition("\t")[0], "none")
                return {"failed": f"{what} in {limit:.2g} s", "late": True}
        line = self.process.stdout.readline()
        return json.loads(line) if line else self.died()

    def died(self) -> dict[str, Any]:
        code = None if self.process is None else self.process.wait()
        self.stop()
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return {"failed": f"ended with {code}: {lines[-1][:100] if lines else ''}"}

    def accept(self, answer: dict[str, Any]) -> bool:
        """Take note of why there is no answer; True where there is one."""
        self.times.said = answer.get("unfit") or answer.get("failed") or ""
        return not self.times.said

    def stop(self) -> None:
        """End the process."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            close_quietly(pipe)
        self.process = None

    def leave(self) -> Times:
        """Return what came of the model, with the values that were found last."""
        if self.values.exists() and self.times.solves:
            with np.load(self.values) as file:
                self.times.v = file["v"]
                if "lower" in file:
                    self.times.lower, self.times.upper = file["lower"], file["upper"]
        return self.times


def close_quietly(pipe: IO[str] | None) -> None:
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


def race(name: str, paths: tuple[Path, Path], racers: list[Racer], options: Options) -> Race:
    """Have racers solve the model of a file, in turn; the first is ours and sets the pace.

    Parameters
    ----------
    name : of the model
    paths : the model, and a small one to warm up
    racers : who takes part
    options : limits
    """
    model, warm = paths
    call = "thousand" if os.path.getsize(model) < TINY else "solve"
    apart = os.path.getsize(model) > ONE_BY_ONE
    limit = options.limit
    for group in [[racer] for racer in racers] if apart else [racers]:
        for racer in group:
            racer.meet(model, warm)
        for turn in range(options.calls):
            for racer in group:
                take_turn(racer, call, limit, options.enough)
                if turn == 0 and racer is racers[0] and racer.times.solves:
                    limit = pace(racer, options)
        if racers[0] in group:
            extra = told(racers[0], options)
        if apart and group[0].process is not None:
            group[0].ask("drop", options.limit)
    with np.load(model) as file:
        size = {
            "states": len(file["terminal"]),
            "pairs": len(file["pair_action"]),
            "outcomes": len(file["prob"]),
        }
        gamma, held = float(file["gamma"]), sum(file[key].nbytes for key in file.files)
    return Race(name, gamma, size, {racer.entry.name: racer.leave() for racer in racers}, extra, held)


def pace(first: Racer, options: Options) -> float:
    """Return the limit of a call, once ours has had its first."""
    return min(options.limit, max(2.0, options.factor * first.times.solves[0]))


def take_turn(racer: Racer, call: str, limit: float, enough: float) -> None:
    """Have a call made and timed, unless the entrant has been called enough.

    Parameters
    ----------
    racer : whose turn it is
    call : the command
    limit : CPU seconds that it may take
    enough : CPU seconds of earlier calls after which there are no more
    """
    spent = racer.times.solves
    if not racer.running or sum(spent) > enough:
        return
    answer = racer.ask(call, limit)
    if racer.accept(answer):
        spent.append(answer.pop("seconds"))
        for measured in ("peak", "work"):  # the most of all calls: later ones use what was freed
            answer[measured] = max(answer.get(measured, 0), racer.times.facts.get(measured, 0))
        racer.times.facts = answer


def told(first: Racer, options: Options) -> dict[str, float]:
    """Return what else ours is asked for: the floor, a sweep, the part of the proof, building from tensors."""
    extra: dict[str, float] = {}
    for command in ("floor", "sweep", "tensors", "certificate"):
        if first.running:
            answer = first.ask(command, 60 if command == "tensors" else options.limit)
            if "seconds" in answer:
                extra[command] = answer["seconds"]
            if answer.get("late"):
                break
    return extra
