"""One run of a method: its clock, its work, its history, and the questions "may I go on?" and "how far am I?".

Kernels run in pieces well under a second; between them a method calls `Run.check_stop`, which raises Stop when the time
is over or a signal has come. Calls into native libraries that may run long go through `Run.call`.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tabular_rl.errors import TabularError
from tabular_rl.solving import blas

T = TypeVar("T")
MEMORY_OF_HISTORY = 1000


class Stop(TabularError):
    """The run must end now; `why` is "time" or "signal".

    Methods catch it and return the best interval so far. It leaves them only where nothing is proven yet: while the
    graph decides whether there is a finite answer.
    """

    exit_code = 3

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)

    def __str__(self) -> str:
        what = "the time limit is over" if self.why == "time" else "interrupted"
        return f"{what}: nothing is proven yet"


class Interrupt:
    """Where a signal handler leaves its number; the command line installs the handler, a library run has none."""

    signum: int | None = None


interrupt = Interrupt()
# Set by the command line: called with (method, share done or None, text) at most ten times a second.
listener: Callable[[str, float | None, str], None] | None = None
# Set by the command line: called with each sentence that a user should read before a run begins.
adviser: Callable[[str], None] | None = None


def tell(method: str, done: int, wanted: int, what: str) -> None:
    """Tell the listener, if there is one, how many of what are done.

    Parameters
    ----------
    method : who tells
    done, wanted : how many are done, and in all
    what : their name, in the plural
    """
    if listener is not None:
        listener(method, done / wanted, f"{done} of {wanted} {what}")


class Run:
    """The clock and the records of one run. `stopped` is why it ended early: "time", "signal" or "budget"."""

    def __init__(self, method: str, options: dict[str, Any], time_limit: float | None = None) -> None:
        self.method, self.options = method, options
        self.started = time.monotonic()
        self.deadline = math.inf if time_limit is None else self.started + time_limit
        self.work: dict[str, int] = {}
        self.history: list[tuple[int, float]] = []
        self.remarks: list[str] = []
        self.stopped: str | None = None
        self._told = self.started
        self._stride = 1
        self._first_residual = math.nan

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.started

    def did(self, unit: str, count: int = 1) -> None:
        """Count work done: sweeps, improvements, linear solves."""
        self.work[unit] = self.work.get(unit, 0) + count

    def remark(self, text: str) -> None:
        """Keep a sentence for the answer, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def check_stop(self) -> None:
        """Raise Stop when the run must end."""
        if interrupt.signum is not None:
            raise Stop("signal")
        if time.monotonic() >= self.deadline:
            raise Stop("time")

    @contextlib.contextmanager
    def until_stopped(self) -> Iterator[None]:
        """Let Stop end a block, and keep why."""
        try:
            yield
        except Stop as stop:
            self.stopped = stop.why

    def record(self, sweep: int, residual: float, target: float = 0.0) -> None:
        """Add to the history (thinned to a bounded length) and tell the listener."""
        if sweep % self._stride == 0:
            self.history.append((sweep, residual))
            if len(self.history) >= MEMORY_OF_HISTORY:
                self.history = self.history[::2]
                self._stride *= 2
        if math.isnan(self._first_residual) and residual > 0:
            self._first_residual = residual
        now = time.monotonic()
        if listener is not None and now - self._told > 0.1:
            self._told = now
            share = None
            if 0 < target < self._first_residual and residual > 0:
                share = math.log(self._first_residual / residual) / math.log(self._first_residual / target)
                share = min(max(share, 0.0), 1.0)
            listener(self.method, share, f"{sweep} sweeps, residual {residual:.2g}")

    def call(self, function: Callable[..., T], *args: Any, **more: Any) -> T:
        """Call a native routine in a worker thread, so that this one can still react."""
        self.check_stop()
        if threading.current_thread() is not threading.main_thread():
            return function(*args, **more)
        from concurrent.futures import Future, wait

        future: Future[T] = Future()

        blas.apply()  # a routine of a library that was loaded just now

        def work() -> None:
            try:
                future.set_result(function(*args, **more))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        while not wait([future], 0.02 if self.seconds < 1 else 0.1).done:
            now = time.monotonic()
            if listener is not None and now - self._told > 0.1:
                self._told = now
                listener(self.method, None, "solving a linear system")
            self.check_stop()
        return future.result()
