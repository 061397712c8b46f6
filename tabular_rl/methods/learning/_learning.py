"""One call of a learner: its checked options, its model made ready, its random streams, its records.

A learner of the family is a file with a function of its name. It makes a `Learning`, adds the arrays that its kernel
keeps, and hands over a function that advances some runs by some steps:

    run = Learning(td0, locals(), table="states")
    clock, row = run.add_walk() ...
    return run.learn(advance)

The loop (blocks of uniforms, threads, interrupts) is here. `_inputs` and `_coverage` check what is given, `_arrays`
hold what is learned, `_errors` measures it, `_checkpoints` saves it, and `_answer` makes the answer.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NumericalError
from tabular_rl.methods.learning._answer import answer_of
from tabular_rl.methods.learning._arrays import Arrays
from tabular_rl.methods.learning._checkpoints import restore, state_of
from tabular_rl.methods.learning._coverage import check_log_coverage
from tabular_rl.methods.learning._errors import errors_of, record_points
from tabular_rl.methods.learning._inputs import Inputs, Table
from tabular_rl.model import hooks
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import over_rows
from tabular_rl.solving import run as running
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method
from tabular_rl.solving.run import Stop
from tabular_rl.solving.sampling import BLOCK, Uniforms, cumulative, policy_cum, sampling_model, streams
from tabular_rl.solving.solution import Floats

if TYPE_CHECKING:
    from tabular_rl.kernels.walk import Model

LONGEST_CALL = 0.1  # seconds in a kernel between two looks at signals and the clock
SAVE_EVERY = 30.0  # seconds between two checkpoints
SOURCES = ("trajectory", "independent", "sweeps")
Advance = Callable[[int, int, Floats, int], None]


class Pace:
    """How many steps a call of a kernel makes, up to `most`, so that it ends soon; and how fast they are."""

    def __init__(self, most: int) -> None:
        self.most, self.count = most, min(most, 1024)
        self.busy, self.counted = 0.0, 0

    def took(self, n: int, seconds: float, *, counts: bool) -> None:
        """Note that n steps took so many seconds, which count for the rate or not."""
        if counts:
            self.busy, self.counted = self.busy + seconds, self.counted + n
        self.count = n // 2 + 1 if seconds > LONGEST_CALL else min(self.most, max(2 * n, self.count))

    @property
    def rate(self) -> float:
        """Steps a second, NaN where none counted."""
        return self.counted / self.busy if self.busy > 0 else math.nan


class Learning(Inputs, Arrays):
    """What all learners share: inputs, arrays, the settings of kernels, and the loop.

    Tables are in the sign of maximisation. Values of terminal states are NaN in a table of states: a kernel that read
    one would show at once.
    """

    def __init__(self, method: Method[..., Learned], given: dict[str, Any], *, table: Table) -> None:
        Inputs.__init__(self, method, given, table)
        Arrays.__init__(self, self.runs, self.entries)
        self.uniforms = 3  # a step
        self.unread: tuple[int, ...] = ()  # those of a step that its kernel never reads
        self.updates = 1  # a step, of one entry or of several
        self.done = 0
        self.rngs = streams(self.option["seed"], self.runs)
        self.estimates = self.add("estimates", 0.0)
        self.estimates[:] = self.start_table()
        if table == "states":
            self.estimates[:, self.mdp.terminal] = math.nan
        self.visits = self.add_count("visits")
        kept = self.entries if self.option.get("average") else 0
        self.total = self.add("total", 0.0, kept)
        self.since = self.add_count("since", kept)
        self.curve: list[tuple[int, Floats, Floats, Floats]] = []
        self.verdicts: list[str] = hooks.verdicts(self)
        if self.unproven:
            self.verdicts.append(f"{self.unproven}, so that no errors are known")
        if self.data is not None:
            self.verdicts += check_log_coverage(self)

    # -- what kernels take ------------------------------------------------------------------------------------------

    def add_walk(self, longest: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where each run is: the steps of its episode, below `longest` unless that is 0, and its next row."""
        clock = self.add_index("clock", longest, -1) if longest else self.add_count("clock", -1)
        return clock, self.add_index("row", self.mdp.L, -1)

    def model(self) -> Model:
        """The model as kernels sample it."""
        return sampling_model(self.mdp, together=self.runs > 1)

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
        assert self.behavior is not None
        live = int((~self.mdp.terminal).sum())
        return cumulative(self.behavior.weights / live)

    def exploring(self) -> tuple[int, Floats, float]:
        """How actions are chosen, for kernels: the kind, the schedule of its rate, and the first rate."""
        explore = self.option.get("explore")
        if explore is None:
            return 0, np.zeros(4), 0.0
        code = explore.first_tie if self.option.get("ties") == "first" else explore.code
        return code, explore.rate.code, explore.rate.at(1)

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
            restore(self, self.resume)
        elif begin is not None:
            begin(np.stack([rng.random(2) for rng in self.rngs]))
        if running.adviser is not None:
            for verdict in self.verdicts:
                running.adviser(f"{self.method.name}: {verdict}")
        pace, stopped = (
            Pace(max(1, BLOCK // max(1, self.runs * self.uniforms)) if self.uniforms else BLOCK),
            None,
        )
        try:
            self._advance(advance, pace)
        except Stop as stop:
            stopped = stop.why
            if self.done and (not self.curve or self.curve[-1][0] != self.done):
                self._record()
        state = state_of(self)
        if self.checkpoint is not None:
            self.checkpoint(state)
        return answer_of(self, stopped, state, pace.rate * self.runs)

    def _advance(self, advance: Advance, pace: Pace) -> None:
        """Advance all runs to the last step, some of them in each thread, and record on the way; Stop ends it early."""
        if self.done >= self.steps:
            return
        points, saved = record_points(self.steps), time.monotonic()
        threads = min(self.option.get("threads") or 1, self.runs)
        cuts = np.linspace(0, self.runs, threads + 1).astype(int).tolist()
        buffer = np.zeros(self.runs * pace.most * self.uniforms)
        source = Uniforms(self.rngs, self.uniforms, self.unread)
        with closing(source), ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
            each = map if pool is None else pool.map
            while self.done < self.steps:
                self.run.check_stop()
                point = int(points[np.searchsorted(points, self.done, side="right")])
                n = min(pace.count, point - self.done)
                uniforms = buffer[: self.runs * n * self.uniforms].reshape(self.runs, n, self.uniforms)

                def part(first: int, last: int, uniforms: Floats = uniforms) -> None:
                    source.draw(first, last, uniforms[first:last])
                    advance(first, last, uniforms[first:last], self.done)

                begun = time.monotonic()
                list(each(part, cuts[:-1], cuts[1:]))
                now = time.monotonic()
                # The first call loads the kernel.
                pace.took(n, now - begun, counts=self.done > 0 or n == self.steps)
                self.done += n
                self.run.did("steps", n)
                if self.done == point:
                    self._record()
                if running.listener is not None:
                    running.listener(
                        self.method.name, self.done / self.steps, self._progress(pace.rate * self.runs)
                    )
                if self.checkpoint is not None and now - saved > SAVE_EVERY:
                    source.close()
                    self.checkpoint(state_of(self))
                    saved = time.monotonic()

    def _progress(self, updates: float) -> str:
        rate = f", {updates / 1e6:.1f} million a second" if updates > 0 else ""
        error = f", error {np.median(self.curve[-1][1]):.2g}" if self.curve and self.reference else ""
        return f"{self.done:,} of {self.steps:,} steps{rate}{error}"

    def current(self) -> Floats:
        """The estimates (runs, entries), averaged where that was asked for."""
        if self.total.shape[1] == 0 or self.done == 0:
            return self.estimates
        return np.asarray((self.total + self.estimates * (self.done - self.since)) / self.done)

    def _record(self) -> None:
        table, nan = self.current(), np.full(self.runs, math.nan)
        truth = self.true_values
        groups = self.mdp.pair_ptr if self.table_kind == "pairs" and self.policy is None else None
        sup, rms, best = errors_of(
            table, np.zeros(self.entries) if truth is None else truth, self.live, self.weights, groups
        )
        if not np.isfinite(rms).all():
            self._check_finite_table(table)
        if truth is None:
            sup, rms = nan, nan
        self.curve.append((self.done, sup, rms, self._start_value(table, best)))
        self.run.history.append((self.done, float(np.median(sup))))

    def _check_finite_table(self, table: Floats) -> None:
        finite = np.isfinite(table[:, self.live])
        if not finite.all():
            e, at = map(int, np.argwhere(~finite)[0])
            entry = int(np.flatnonzero(self.live)[at])
            raise NumericalError(
                f"{self.method.name}: the estimate of {self.entry_text(entry)} is {table[e, entry]} after {self.done} "
                f"steps of run {e}: it diverges. A smaller --step-size may help."
            )

    @functools.cached_property
    def live(self) -> NDArray[np.bool_]:
        """The entries that errors are measured over."""
        return self.weights > 0 if self.table_kind == "pairs" else ~self.mdp.terminal

    @functools.cached_property
    def true_values(self) -> Floats | None:
        """The exact values of the entries, None where they are not known."""
        return self.truth()

    def _start_value(self, table: Floats, best: Floats) -> Floats:
        """What the start is worth by a table; `best` (runs, S) are its best values, where no policy is given."""
        mdp, states = self.mdp, np.flatnonzero(self.mdp.start > 0)
        if self.table_kind == "states":
            worth = table[:, states]
        elif self.policy is not None:
            rows = np.flatnonzero(mdp.start[mdp.pair_state] > 0)
            ptr = np.concatenate([[0], np.cumsum(np.diff(mdp.pair_ptr)[states])])
            worth = over_rows(np.add, table[:, rows] * self.policy.weights[rows], ptr, axis=1)
        else:
            worth = best if len(states) == mdp.S else np.take(best, states, axis=1)
        return np.asarray(mdp.sign * (worth @ mdp.start[states]))
