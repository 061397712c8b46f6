"""One call of a learner: its checked options, its model made ready, its random streams, its records.

A learner of the family is a file with a function of its name. It makes a `Learning`, adds the arrays that its kernel
keeps, and hands over a function that advances some runs by some steps:

    run = Learning(td0, locals(), table="states")
    clock, row = run.add_walk() ...
    return run.learn(advance)

The rest (blocks of uniforms, threads, errors against the truth, checkpoints, interrupts, the answer) is here.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NumericalError, OptionError, escape, option_name, path_text, quoted, spoken
from tabular_rl.formats.logs import given_transitions
from tabular_rl.methods.planning.auto import auto, auto_evaluation
from tabular_rl.model.decisions import array_of
from tabular_rl.model.mdp import AVERAGED, MDP
from tabular_rl.model.policy import Policy, policy_of
from tabular_rl.model.transitions import Transitions, behavior_of
from tabular_rl.model.unroll import state_name, unroll, unroll_policy
from tabular_rl.solving import run as running
from tabular_rl.solving.learned import Curve, Learned
from tabular_rl.solving.method import Method
from tabular_rl.solving.run import Stop
from tabular_rl.solving.sampling import BLOCK, Model, policy_cum, sampling_model, streams
from tabular_rl.solving.solution import Floats, Solution, Status, good_enough, why_not

POINTS = 100  # steps at which the error is recorded, evenly on a logarithmic scale
LARGEST = float(np.finfo(np.float64).max)
LONGEST_CALL = 0.1  # seconds in a kernel between two looks at signals and the clock
SAVE_EVERY = 30.0  # seconds between two checkpoints
SOURCES = ("trajectory", "independent", "sweeps")
Advance = Callable[[int, int, Floats, int], None]


class Learning:
    """What all learners share. `mdp` is the model that is learned on, unrolled where it has a horizon.

    Tables hold `entries` numbers a run, one a state or one a pair, in the sign of maximisation. Values of terminal
    states are NaN in a table of states: a kernel that read one would show at once.
    """

    def __init__(
        self, method: Method[..., Learned], given: dict[str, Any], *, table: Literal["states", "pairs"]
    ) -> None:
        from tabular_rl.laws.verdicts import check_coverage, check_log_coverage, verdicts

        self.method = method
        self.whole: MDP = given["mdp"]
        self.table_kind = table
        self.option = values = {name: given[name] for name in method.options}
        self.run = method.run(values)
        self.steps: int = values["steps"]
        self.runs: int = values["runs"]
        if self.whole.terminal.all():
            raise OptionError("no state to start from: all states are terminal")
        self.whole.validate()
        self.mdp = unroll(self.whole) if self.whole.horizon is not None else self.whole
        self.data: Transitions | None = self._data(given.get("data"))
        self.policy = self._policy(given["policy"]) if self.method.task == "prediction" else None
        behavior = given.get("behavior")
        if isinstance(behavior, str) and behavior == "log":
            if self.data is None:
                raise OptionError("--behavior: found 'log' without --data, expected both")
            behavior = behavior_of(self.data)
        self.behavior = self._policy(behavior) if behavior is not None else self.policy
        if self.behavior is not None and self.data is None:
            check_coverage(self)
        if behavior is not None and "explore" in values:
            values["explore"] = self.run.options["explore"] = None
        elif self.behavior is None:
            self.behavior = self._policy(Policy.uniform(self.whole))
        if self.data is not None:
            for name in ("explore", "source", "episode_steps"):  # these play no part with a log
                self.run.options.pop(name, None)
        self.entries = self.mdp.S if table == "states" else self.mdp.L
        self.weights = self._weights(given.get("weights"))
        self.reference = self._reference(given.get("reference"))
        unproven = self.reference if self.reference is not None and not good_enough(self.reference) else None
        if unproven is not None:
            self.reference = None
        self.resume: Learned | None = given.get("resume")
        self.checkpoint: Callable[[dict[str, Any]], None] | None = given.get("checkpoint")
        if self.resume is not None and not isinstance(self.resume, (Learned, dict)):
            raise OptionError(f"resume: found {type(self.resume).__name__}, expected a Learned to go on from")
        if self.checkpoint is not None and not callable(self.checkpoint):
            raise OptionError(
                f"checkpoint: found {type(self.checkpoint).__name__}, expected a function that takes the state"
            )
        self.uniforms = 3  # a step
        self.done = 0
        self.arrays: dict[str, NDArray[Any]] = {}
        self.within: dict[str, tuple[float, float | None]] = {}
        self.conditions: list[Callable[[], str | None]] = []
        self.rngs = streams(values["seed"], self.runs)
        start_value = self.mdp.sign * values.get("start_value", 0.0)
        self.estimates = self.add("estimates", start_value)
        if table == "states":
            self.estimates[:, self.mdp.terminal] = math.nan
        self.updates = 1  # a step, of one entry or of several
        self.visits = self.add_count("visits")
        kept = self.entries if values.get("average") else 0
        self.total = self.add("total", 0.0, kept)
        self.since = self.add_count("since", kept)
        self.curve: list[tuple[int, Floats, Floats, Floats]] = []
        self.verdicts = verdicts(self)
        if unproven is not None:
            self.verdicts.append(f"{why_not(unproven)}, so that no errors are known")
        if self.data is not None:
            self.verdicts += check_log_coverage(self)

    # -- what it is given -------------------------------------------------------------------------------------------

    def _policy(self, policy: Any) -> Policy:
        policy = policy_of(self.whole, policy)
        return policy if self.mdp is self.whole else unroll_policy(policy, self.mdp)

    def _data(self, data: Any) -> Transitions | None:
        if data is None:
            return None
        if not isinstance(data, Transitions):
            data = given_transitions(data, self.whole)
        if data.mdp is not self.whole and (data.mdp.S, data.mdp.L) != (self.whole.S, self.whole.L):
            raise OptionError("data: found transitions of another model, expected one with the same pairs")
        if self.mdp is not self.whole:
            raise OptionError(
                "data: found a model with a horizon; transitions do not say at what time they were"
            )
        return data

    def _weights(self, weights: Any) -> Floats:
        """Weights of the entries in the mean square error: uniform over the entries that have a value."""
        live = ~self.mdp.terminal if self.table_kind == "states" else np.ones(self.entries, dtype=bool)
        if weights is None:
            return live / live.sum()
        found = array_of(weights, "weights", np.float64)
        if found.shape != (self.entries,) or not (found >= 0).all() or not found[live].sum() > 0:
            raise OptionError(f"weights: found shape {found.shape}, expected {self.entries} numbers from 0")
        return np.where(live, found, 0.0) / found[live].sum()

    def _check_finite(self) -> None:
        """Raise NoFiniteAnswer where there is nothing finite to learn: the reference does so, where there is one."""
        from tabular_rl.model.graph.reduction import reduced, zero_states
        from tabular_rl.solving.sweeps import Sweeper

        if self.policy is None:
            reduced(Sweeper(self.whole))
        else:
            zero_states(self.whole, self.policy)

    def _reference(self, reference: Any) -> Solution | None:
        if reference is False:
            self._check_finite()
            return None
        if reference is not None:
            if not isinstance(reference, Solution):
                raise OptionError(
                    f"reference: found {quoted(reference)}, expected a Solution, or False for none"
                )
            return reference
        limit = self.option.get("time_limit")
        limit = None if limit is None else limit / 2  # the rest is for learning
        if self.policy is None:
            return auto(self.whole, tolerance=1e-9, relative=True, time_limit=limit)
        policy = self.policy
        if self.mdp is not self.whole:
            policy = Policy(self.whole, probs=policy.weights.reshape(self.whole.horizon or 1, -1))
        return auto_evaluation(self.whole, policy, tolerance=1e-9, relative=True, time_limit=limit)

    def truth(self) -> Floats | None:
        """The exact values of the entries, in the sign of maximisation."""
        if self.reference is None:
            return None
        exact = self.reference.v if self.table_kind == "states" else self.reference.q
        return self.mdp.sign * np.ravel(exact)

    # -- what a learner adds ----------------------------------------------------------------------------------------

    def add(
        self,
        name: str,
        value: float,
        entries: int | None = None,
        *,
        within: tuple[float, float] = (-LARGEST, LARGEST),
    ) -> Floats:
        """Return an array (runs, entries) of numbers that a checkpoint holds; entries = -1 gives (runs,).

        `within` are the least and the largest number that a sound checkpoint holds there. NaN stands where it stands
        in a new run, and nowhere else.
        """
        return self._added(name, value, entries, np.float64, within)

    def add_count(
        self,
        name: str,
        entries: int | None = None,
        *,
        value: int = 0,
        low: int = 0,
        most: int | None = None,
    ) -> NDArray[np.int64]:
        """Return an array as `add` does of whole numbers from `low` to `most`, by default the updates so far."""
        return self._added(name, value, entries, np.int64, (low, most))

    def add_index(
        self, name: str, size: int, entries: int | None = None, *, value: int = 0, low: int = 0
    ) -> NDArray[np.int64]:
        """Return an array as `add` does of places in an array of this size: kernels read there without looking."""
        return self._added(name, value, entries, np.int64, (low, size - 1))

    def add_walk(self, longest: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where each run is: the steps of its episode, below `longest` unless that is 0, and its next row."""
        clock = self.add_index("clock", longest, -1) if longest else self.add_count("clock", -1)
        return clock, self.add_index("row", self.mdp.L, -1)

    def add_condition(self, condition: Callable[[], str | None]) -> None:
        """Ask this of the arrays of a checkpoint: what is wrong with them together, or None."""
        self.conditions.append(condition)

    def _added(
        self, name: str, value: float, entries: int | None, dtype: Any, within: tuple[float, float | None]
    ) -> NDArray[Any]:
        shape = (self.runs,) if entries == -1 else (self.runs, self.entries if entries is None else entries)
        self.arrays[name], self.within[name] = np.full(shape, value, dtype=dtype), within
        return self.arrays[name]

    def model(self) -> Model:
        """The model as kernels sample it."""
        return sampling_model(self.mdp)

    def cum(self) -> Floats:
        """The cumulative probabilities (L,) of the behaviour policy."""
        assert self.behavior is not None
        return policy_cum(self.behavior)

    def rho(self) -> Floats:
        """The importance ratio π(a|s) / b(a|s) of each row, 1 on policy along a trajectory."""
        assert self.policy is not None and self.behavior is not None
        sweeps = self.option.get("source") == "sweeps" and self.data is None
        if self.behavior is self.policy and not sweeps:
            return np.ones(self.mdp.L)
        ratio = np.zeros(self.mdp.L)
        # A sweep takes every action of a state once, whatever the behaviour is.
        b = Policy.uniform(self.mdp).weights if sweeps else self.behavior.weights
        np.divide(self.policy.weights, b, out=ratio, where=b > 0)
        return ratio

    def pairs(self) -> Floats:
        """The cumulative distribution (L,) of independent pairs: a state, all alike, and an action of the behaviour."""
        from tabular_rl.solving.sampling import cumulative

        assert self.behavior is not None
        live = int((~self.mdp.terminal).sum())
        return cumulative(self.behavior.weights / live)

    def exploring(self) -> tuple[int, Floats, float]:
        """How actions are chosen, for kernels: the kind, the schedule of its rate, and the first rate."""
        explore = self.option.get("explore")
        if explore is None:
            return 0, np.zeros(4), 0.0
        return explore.code, explore.rate.code, explore.rate.at(1)

    def source(self) -> int:
        return SOURCES.index(self.option["source"])

    def target(self) -> tuple[int, float, NDArray[Any]]:
        """The kind of target for kernels, its number, and the table; sweeps read from a copy of the last sweep."""
        kind, by = self.option.get("target", ("none", 0.0))
        if self.option.get("source") == "sweeps" and self.data is None:
            kind, by = "copy", float(self.mdp.L)
        if kind == "none":
            return 0, 0.0, self.estimates
        bar = self.add("target", 0.0)
        bar[:] = self.estimates
        return ("none", "copy", "average").index(kind), by, bar

    # -- the loop ---------------------------------------------------------------------------------------------------

    def learn(self, advance: Advance, begin: Callable[[Floats], None] | None = None) -> Learned:
        """Advance all runs to the last step and return what was learned.

        `advance(first, last, uniforms, step)` takes runs first ... last - 1 from update number `step` on, by
        uniforms (runs, n, U); U = 0 where no random numbers are used. `begin(uniforms)` (runs, 2) comes before.
        """
        if self.resume is not None:
            self._restore(self.resume)
        elif begin is not None:
            begin(np.stack([rng.random(2) for rng in self.rngs]))
        if running.adviser is not None:
            for verdict in self.verdicts:
                running.adviser(f"{self.method.name}: {verdict}")
        points = record_points(self.steps)
        most = max(1, BLOCK // max(1, self.runs * max(1, self.uniforms)))
        if self.uniforms == 0:
            most = BLOCK
        count = min(most, 1024)
        threads = min(self.option.get("threads") or 1, self.runs)
        cuts = np.linspace(0, self.runs, threads + 1).astype(int).tolist()
        pool = ThreadPoolExecutor(threads) if threads > 1 else None
        stopped: str | None = None
        busy, counted, saved = 0.0, 0, time.monotonic()
        buffer = np.empty(self.runs * most * self.uniforms)
        try:
            while self.done < self.steps:
                self.run.check_stop()
                point = int(points[np.searchsorted(points, self.done, side="right")])
                n = min(count, point - self.done)
                uniforms = buffer[: self.runs * n * self.uniforms].reshape(self.runs, n, self.uniforms)
                begun = time.monotonic()

                def part(first: int, last: int, uniforms: Floats = uniforms) -> None:
                    for e in range(first, last):
                        self.rngs[e].random(out=uniforms[e])
                    advance(first, last, uniforms[first:last], self.done)

                if pool is None:
                    part(0, self.runs)
                else:
                    list(pool.map(part, cuts[:-1], cuts[1:]))
                now = time.monotonic()
                if self.done or n == self.steps:  # the first call loads the kernel
                    busy, counted = busy + now - begun, counted + n
                count = n // 2 + 1 if now - begun > LONGEST_CALL else min(most, max(2 * n, count))
                self.done += n
                self.run.did("steps", n)
                if self.done == point:
                    self._record()
                if running.listener is not None:
                    running.listener(self.method.name, self.done / self.steps, self._told(busy, counted))
                if self.checkpoint is not None and now - saved > SAVE_EVERY:
                    self.checkpoint(self.state())
                    saved = time.monotonic()
        except Stop as stop:
            stopped = stop.why
            if self.done and (not self.curve or self.curve[-1][0] != self.done):
                self._record()
        finally:
            if pool is not None:
                pool.shutdown()
        state = self.state()
        if self.checkpoint is not None:
            self.checkpoint(state)
        return self._learned(stopped, state, counted * self.runs / busy if busy > 0 else math.nan)

    def _told(self, busy: float, counted: int) -> str:
        rate = f", {counted * self.runs / busy / 1e6:.1f} million a second" if busy > 0 else ""
        error = f", error {np.median(self.curve[-1][1]):.2g}" if self.curve and self.reference else ""
        return f"{self.done:,} of {self.steps:,} steps{rate}{error}"

    def current(self) -> Floats:
        """The estimates (runs, entries), averaged where that was asked for."""
        if self.total.shape[1] == 0 or self.done == 0:
            return self.estimates
        return np.asarray((self.total + self.estimates * (self.done - self.since)) / self.done)

    def _record(self) -> None:
        table = self.current()
        live = self.weights > 0 if self.table_kind == "pairs" else ~self.mdp.terminal
        finite = np.isfinite(table[:, live])
        if not finite.all():
            e, at = map(int, np.argwhere(~finite)[0])
            entry = int(np.flatnonzero(live)[at])
            raise NumericalError(
                f"{self.method.name}: the estimate of {self._entry(entry)} is {table[e, entry]} after {self.done} "
                f"steps of run {e}: it diverges. A smaller --step-size may help."
            )
        nan = np.full(self.runs, math.nan)
        truth, sup, rms = self.truth_cache(), nan, nan
        if truth is not None:
            error = np.where(live, table - truth, 0.0)
            sup = np.abs(error).max(axis=1)
            rms = root_mean_square(error, self.weights)
        self.curve.append((self.done, sup, rms, self._start_value(table)))
        self.run.history.append((self.done, float(np.median(sup))))

    def truth_cache(self) -> Floats | None:
        if not hasattr(self, "_truth"):
            self._truth = self.truth()
        return self._truth

    def _start_value(self, table: Floats) -> Floats:
        if self.table_kind == "pairs":
            table = self._state_values(table)
        live = self.mdp.start > 0
        return np.asarray(self.mdp.sign * (table[:, live] @ self.mdp.start[live]))

    def _state_values(self, q: Floats) -> Floats:
        """Values (runs, S) of action values (runs, L): Σ π q, or max q; 0 at terminal states."""
        live = np.diff(self.mdp.pair_ptr) > 0
        starts = self.mdp.pair_ptr[:-1][live].astype(np.intp)
        v = np.zeros((len(q), self.mdp.S))
        if self.policy is not None:
            v[:, live] = np.add.reduceat(q * self.policy.weights, starts, axis=1)
        else:
            v[:, live] = np.maximum.reduceat(q, starts, axis=1)
        return v

    def _entry(self, entry: int) -> str:
        s = entry if self.table_kind == "states" else self.mdp.state_of_row(entry)
        text = f"state {quoted(state_name(self.whole, self.mdp, s))}"
        if self.table_kind == "pairs":
            text += f", action {quoted(self.mdp.actions[int(self.mdp.pair_action[entry])])}"
        return text

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that is needed to go on with the same bits."""
        return {
            "method": self.method.name,
            "digest": self.whole.digest,
            "options": {k: v for k, v in self.run.options.items() if k != "steps"},
            "inputs": self._inputs(),
            "steps": self.steps,
            "done": self.done,
            "arrays": {name: array.copy() for name, array in self.arrays.items()},
            "streams": [rng.bit_generator.state for rng in self.rngs],
            "curve": list(self.curve),
        }

    def _inputs(self) -> str:
        """A digest of the policies and the data, which no option says."""
        data = self.data.given() if self.data is not None else ()
        policies = [p.weights for p in (self.policy, self.behavior) if p is not None]
        found = hashlib.sha256()
        for array in (*policies, *data):
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def _restore(self, resume: Learned | dict[str, Any]) -> None:
        state = resume if isinstance(resume, dict) else resume.state
        mine = self.state()
        missing = [name for name in mine if name not in state]
        if missing:
            raise OptionError(f"resume: found no {missing[0]}, expected the state of a learner")
        where = path_text(state["path"]) if "path" in state else "resume"
        for key, what in (
            ("method", "method"), ("digest", "model (digest)"), ("inputs", "policies or data (digest)"),
            ("options", "options"),
        ):  # fmt: skip
            found, expected = state[key], mine[key]
            if found == expected:
                continue
            if key == "options":
                names = sorted(n for n in {*found, *expected} if found.get(n) != expected.get(n))
                found, expected = (
                    ", ".join(f"{option_name(n)} {x.get(n)}" for n in names) for x in (found, expected)
                )
            raise OptionError(
                f"{where}: found a checkpoint of the {what} {escape(found)}, expected {escape(expected)}"
            )
        if state["done"] > self.steps:
            raise OptionError(
                f"{where}: found a checkpoint after {state['done']} steps, expected --steps of more than that"
            )
        wrong = self._what_is_wrong(state)
        if wrong is not None:
            raise OptionError(
                f"{where}: {wrong}. The checkpoint is damaged, or of another version of the program: start afresh, "
                "without --resume."
            )
        self.done, self.curve = state["done"], list(state["curve"])
        # A run that was stopped recorded where; one that was not has no such point.
        if self.curve and self.curve[-1][0] not in record_points(self.steps):
            self.curve.pop()
        self.run.did("steps", self.done)
        self.run.history = [(step, float(np.median(sup))) for step, sup, *_ in self.curve]

    def _what_is_wrong(self, state: Mapping[str, Any]) -> str | None:
        """Take over arrays and streams, each looked at before a kernel can read it: what does not fit, or None."""
        for name in sorted({*state["arrays"], *self.arrays}):
            new, array = self.arrays.get(name), state["arrays"].get(name)
            kinds = [None if x is None else (x.dtype.str, x.shape) for x in (array, new)]
            if array is None or new is None or kinds[0] != kinds[1]:
                return f"array {quoted(name)}: found {kinds[0]}, expected {kinds[1]}"
            low, high = self.within[name]
            high = state["done"] * self.updates if high is None else high
            sound = (array >= low) & (array <= high)
            if new.dtype.kind == "f":
                sound |= np.isnan(array) & np.isnan(new)
            if not sound.all():
                found = array[~sound][0]
                return f"array {quoted(name)}: found {found}, expected {number_range(low, high)}"
            new[...] = array
        for condition in self.conditions:
            wrong = condition()
            if wrong is not None:
                return wrong
        if len(state["streams"]) != self.runs:
            return f"found {len(state['streams'])} random streams, expected {self.runs}"
        for rng, saved in zip(self.rngs, state["streams"], strict=True):
            rng.bit_generator.state = saved
        steps = [row[0] for row in state["curve"]]
        if steps != sorted(set(steps)) or not all(0 < step <= state["done"] for step in steps):
            return f"curve: found other steps than rising ones up to {state['done']}"
        if any(column.shape != (self.runs,) for _, *columns in state["curve"] for column in columns):
            return f"curve: found other columns than those of {self.runs} runs"
        return None

    # -- the answer -------------------------------------------------------------------------------------------------

    def _learned(self, stopped: str | None, state: dict[str, Any], rate: float) -> Learned:
        mdp, whole, sign = self.mdp, self.whole, self.mdp.sign
        table = sign * self.current()
        visits: NDArray[Any] = self.visits.copy()
        seen = visits.sum(axis=0) > 0
        # The mean over the runs that were there; NaN where none was.
        with np.errstate(invalid="ignore", divide="ignore"):
            weight = (visits > 0).astype(float)
            mean = np.where(seen, np.where(weight > 0, table, 0.0).sum(axis=0) / weight.sum(axis=0), math.nan)
        learned_q, policy = None, self.policy
        if self.table_kind == "states":
            v = np.where(mdp.terminal, 0.0, mean)
            table[:, mdp.terminal] = 0.0
        else:
            learned_q = mean
            v = self._learned_values(mean)
            if policy is None:
                policy = Policy.greedy(mdp, np.where(np.isnan(mean), -sign * math.inf, mean))
        truth = self.truth_cache()
        truth = None if truth is None else sign * truth
        T = whole.horizon
        if T is not None:
            v = v.reshape(T + 1, whole.S).copy()
            if whole.final_reward is not None:
                v[T] = whole.final_reward
            if policy is not None:
                policy = folded(policy, whole)
            width = whole.S if self.table_kind == "states" else whole.L
            table, visits = (x.reshape(self.runs, -1, width) for x in (table, visits))
            truth = None if truth is None else truth.reshape(-1, width)
            learned_q = None if learned_q is None else learned_q.reshape(T, whole.L)
        curve = None
        if self.curve:
            steps, *columns = zip(*self.curve, strict=True)
            curve = Curve(np.array(steps), *(np.stack(column) for column in columns))
        status = {"time": Status.TIME_SPENT, "signal": Status.INTERRUPTED}.get(stopped or "", Status.SAMPLED)
        notes = (
            [] if stopped is None else [f"what was learned in {self.done:,} of {self.steps:,} steps is kept"]
        )
        notes += [AVERAGED] if whole.averaged else []
        return Learned(
            mdp=whole,
            v=v,
            policy=policy,
            status=status,
            method=self.method.name,
            task=self.method.task,
            work=dict(self.run.work),
            history=tuple(self.run.history),
            options=dict(self.run.options),
            seed=self.option["seed"],
            seconds=self.run.seconds,
            note="; ".join(notes),
            extra={"steps_a_second": rate},
            estimates=table,
            visits=visits,
            truth=truth,
            curve=curve,
            steps=self.done,
            runs=self.runs,
            verdicts=tuple(map(spoken, self.verdicts)),
            learned_q=learned_q,
            state=state,
            reference=self.reference,
        )

    def _learned_values(self, q: Floats) -> Floats:
        """Values of the states by the action values that were learned, NaN where the state was never visited."""
        mdp = self.mdp
        starts, live = mdp.pair_ptr[:-1].astype(np.intp), np.diff(mdp.pair_ptr) > 0
        v = np.zeros(mdp.S)
        if self.policy is not None:
            used = np.where(self.policy.weights > 0, self.policy.weights * q, 0.0)
            v[live] = np.add.reduceat(used, starts[live])
        else:
            best = np.where(np.isnan(q), -math.inf, mdp.sign * q)
            top = np.maximum.reduceat(best, starts[live])
            v[live] = mdp.sign * np.where(np.isfinite(top), top, math.nan)
        return v


def root_mean_square(error: Floats, weights: Floats) -> Floats:
    """√(Σ w e²) of each run (runs, entries), also where the square of an error is no float.

    >>> errors = np.array([[3.0, 4.0], [3e200, 4e200], [3e-300, 4e-300], [0.0, 0.0]])
    >>> [f"{x:.12g}" for x in root_mean_square(errors, np.ones(2))]
    ['5', '5e+200', '5e-300', '0']
    """
    # By a power of two, which rounds nothing.
    scale = np.ldexp(0.5, np.frexp(np.abs(error).max(axis=1, initial=0.0))[1])
    return np.asarray(scale * np.sqrt(np.square(error / scale[:, None]) @ weights))


def folded(policy: Policy, whole: MDP) -> Policy:
    """A policy of the unrolled model as one of the model with a horizon."""
    T = whole.horizon or 0
    if policy.rows is None:
        return Policy(whole, probs=policy.weights.reshape(T, whole.L))
    rows = policy.rows.reshape(T + 1, whole.S)[:T].astype(np.int64)
    rows = np.where(rows >= 0, rows - np.arange(T)[:, None] * whole.L, -1)
    return Policy(whole, rows=rows)


def number_range(low: float, high: float) -> str:
    """
    >>> number_range(0, 5), number_range(0.0, math.inf), number_range(-LARGEST, LARGEST)
    ('0 to 5', 'a number from 0', 'a finite number')
    """
    if high < LARGEST:
        return f"{low:g} to {high:g}" if isinstance(low, float) else f"{low} to {high}"
    return "a finite number" if low == -LARGEST else f"a number from {low:g}"


def record_points(steps: int) -> NDArray[np.int64]:
    """About POINTS steps, evenly on a logarithmic scale, with the powers of ten and the last one.

    >>> record_points(10).tolist()
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    """
    points = np.unique(np.geomspace(1, steps, POINTS).round().astype(np.int64))
    points[-1] = steps
    tens = 10 ** np.arange(1, len(str(steps)))
    return np.unique(np.concatenate([points, np.arange(1, min(steps, 10) + 1), tens]))
