"""What every entrant of a race does: read a model, build, warm up, and answer commands one by one.

An entrant is a script with two functions, `build(m)` and `solve(built, m, tolerance)`, and perhaps `unfit(m)`, which
says why a model is not for it. It runs in an environment of its own and needs numpy alone for this file.

    python with_NAME.py METHOD VALUES.npz TOLERANCE MEMORY

Each line on stdin is a command: "warm MODEL", or "load MODEL WARM", upon which a child takes over that has all that was
imported and compiled so far: to end one that takes too long, and to begin with the next model, costs nothing. The child
tells its process id, then answers "build", "again", "solve", "thousand", what the script adds, and leaves at "drop";
then the parent tells how it ended. The answer is one line of JSON; values go to VALUES.npz. Times are CPU seconds
of the child with all its threads. One that wants more than MEMORY bytes gets none.
"""

import contextlib
import ctypes
import gc
import json
import os
import sys
import time
from types import SimpleNamespace

import numpy as np

QUICK = 0.3  # seconds


def load(path):
    """Read a model: its arrays, sizes, and rewards `gain` in the sign of maximisation.

    A file of JSON is a question to a model checker instead: a .drn, and the formula and the labels that it is of.
    """
    if str(path).endswith(".json"):
        with open(path, encoding="utf-8") as text:
            return SimpleNamespace(**{"horizon": -1, "gamma": 1.0} | json.load(text))
    with np.load(path) as file:
        m = SimpleNamespace(**{name: file[name] for name in file.files})
    m.gamma, m.sign, m.horizon = float(m.gamma), float(m.sign), int(m.horizon)
    m.S, m.L, m.K = len(m.terminal), len(m.pair_action), len(m.prob)
    m.A = int(m.pair_action.max()) + 1
    m.gain = m.sign * m.r
    return m


def with_loops(m):
    """For those who know no terminal states: these stay where they are and earn nothing."""
    if not m.terminal.any():
        return m
    counts = np.where(m.terminal, 1, np.diff(m.pair_ptr))
    pair_ptr = np.append(0, np.cumsum(counts))
    at = pair_ptr[:-1][m.terminal]
    old = np.ones(pair_ptr[-1], dtype=bool)
    old[at] = False
    lengths = np.ones(len(old), dtype=np.int64)
    lengths[old] = np.diff(m.row_ptr)
    row_ptr = np.append(0, np.cumsum(lengths))
    place = np.ones(row_ptr[-1], dtype=bool)
    place[row_ptr[at]] = False
    next_state, prob = np.empty(len(place), dtype=np.int32), np.ones(len(place))
    next_state[place], prob[place] = m.next_state, m.prob
    next_state[row_ptr[at]] = np.flatnonzero(m.terminal)
    action, gain = np.zeros(len(old), dtype=np.int64), np.zeros(len(old))
    action[old], gain[old] = m.pair_action, m.gain
    more = {"pair_ptr": pair_ptr, "pair_action": action, "row_ptr": row_ptr, "next_state": next_state}
    return SimpleNamespace(**vars(m) | more | {"prob": prob, "gain": gain, "L": len(old), "K": len(prob)})


def pair_state(m):
    return np.repeat(np.arange(m.S), np.diff(m.pair_ptr))


def full(m):
    """Whether every state has every action, in order."""
    return m.L == m.S * m.A and bool(np.all(m.pair_action.reshape(m.S, m.A) == np.arange(m.A)))


def resident():
    """Resident memory now, and its peak since `forget_peak`, in bytes."""
    try:
        with open("/proc/self/status") as file:
            found = dict(line.split(":", 1) for line in file if line.startswith(("VmRSS", "VmHWM")))
        return tuple(int(found[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    except (OSError, KeyError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return peak, peak


def trim():
    """Give freed memory back, so that what a model takes is told from what the last one left."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def forget_peak():
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


class Entrant:
    """A script's functions behind commands."""

    def __init__(self, script, arguments):
        self.script = script
        self.method, self.values, tolerance, memory = arguments
        self.tolerance = float(tolerance)
        script["METHOD"] = self.method
        with contextlib.suppress(ImportError, OSError, ValueError):
            import resource

            resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
        self.m = self.built = None

    def warm(self, model):
        """Solve a small model before there are children, where that compiles what all of them need."""
        if self.script.get("COMPILES"):
            self.warm_up(load(model))
        return {}

    def load(self, model, warm):
        """Read a model; solve a small one of its kind, if there is one, so that all is compiled."""
        self.m = load(model)
        if why_not := self.script.get("unfit", lambda m: "")(self.m):  # noqa: ARG005
            return {"unfit": why_not}
        if warm:
            self.warm_up(load(warm))
        trim()
        self.base = resident()[0]
        return {}

    def warm_up(self, m):
        try:
            self.script["solve"](self.script["build"](m), m, self.tolerance)
        except Exception as error:
            print("warm-up:", error, file=sys.stderr)

    def build(self):
        """Build; twice where it is quick or something is compiled, which a small model had no need of."""
        seconds, compiled = [], self.script.get("compiled")
        while not seconds or (
            len(seconds) < 2 and (seconds[0] < QUICK or self.script.get("compiled") != compiled)
        ):
            self.built = None
            start = time.process_time()
            built = self.script["build"](self.m)
            seconds.append(time.process_time() - start)
            self.built = built
            del built
        return {"seconds": min(seconds), "keeps": bool(self.script.get("KEEPS"))}

    def again(self):
        """Build again what would start from its last answer."""
        self.built = None
        self.built = self.script["build"](self.m)
        return {}

    def solve(self):
        return self.timed(lambda: self.script["solve"](self.built, self.m, self.tolerance))

    def thousand(self):
        """Build and solve 1,000 times: what small models cost."""

        def calls():
            for _ in range(1000):
                found = self.script["solve"](self.script["build"](self.m), self.m, self.tolerance)
            return found

        return self.timed(calls)

    def timed(self, call):
        forget_peak()
        before = resident()[0]
        start = time.process_time()
        found = call()
        seconds = time.process_time() - start
        peak = resident()[1]
        v, facts = found if isinstance(found, tuple) else (found, {})
        arrays = facts.pop("arrays", {})
        np.savez(self.values, v=np.asarray(v, dtype=np.float64), **arrays)
        return {"seconds": seconds, "peak": peak - self.base, "work": peak - before} | facts

    def answer(self, line):
        command, *arguments = line.split("\t")
        try:
            more = self.script.get("COMMANDS", {})
            if command in more:
                return more[command](self.built, self.m, self.tolerance)
            return getattr(self, command)(*arguments)
        except MemoryError:
            return {"failed": "not enough memory"}
        except BaseException as error:
            said = str(error).strip().splitlines() or [""]
            return {"failed": f"{type(error).__name__}: {said[0]}"[:120]}


def run(script):
    """Answer commands until stdin ends. What a rival prints goes to stderr."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    entrant = Entrant(script, sys.argv[1:])

    def say(answer):
        print(json.dumps(answer), file=out, flush=True)

    for line in sys.stdin:
        if not line.startswith("load"):
            say(entrant.answer(line.rstrip("\n")))
        elif child := os.fork():
            say({"ended": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])})
        else:
            say({"pid": os.getpid()})
            while line and line != "drop\n":
                say(entrant.answer(line.rstrip("\n")))
                line = sys.stdin.readline()
            os._exit(0)
