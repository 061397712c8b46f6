"""What a signal does: it stops a method between two kernels, and anything else at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

PATIENCE = 5.0  # seconds of work that a method is given to return its interval after a signal
LONGEST = 30.0  # and seconds of the clock: on a loaded machine work takes longer


class Interrupted(BaseException):
    """A signal came where there is no interval to save: while reading, compiling or writing."""

    def __init__(self, signum: int) -> None:
        self.signum = signum
        super().__init__(signum)


class State:
    """What the process is doing, as far as a signal must know it."""

    solving = False
    leaving = False
    known = "nothing is proven yet"


def handle(signum: int, frame: Any) -> None:
    """Stop a method between two kernels, anything else at once; a second signal does not wait for a method."""
    from tabular_rl.solving.run import interrupt

    if interrupt.signum is not None and (State.solving or State.leaving):
        os._exit(128 + signum)
    State.leaving = interrupt.signum is not None  # a file that is being written is removed first
    interrupt.signum = signum
    if not State.solving or _compiling(frame):
        raise Interrupted(signum)
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, _patience(signum))
        signal.setitimer(signal.ITIMER_REAL, PATIENCE / 10, PATIENCE / 10)


def _patience(signum: int) -> Callable[[int, Any], None]:
    """Return the handler of a timer: it ends a method that does not come back with its interval."""
    worked, begun = time.thread_time(), time.monotonic()

    def look(_signum: int, _frame: Any) -> None:
        late = time.thread_time() - worked > PATIENCE or time.monotonic() - begun > LONGEST
        if State.solving and late:
            raise Interrupted(signum)

    return look


def _compiling(frame: Any) -> bool:
    """Whether a frame stands in the compiler, which asks nobody whether it may go on."""
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in ("numba", "llvmlite"):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def solving() -> Any:
    """While this holds, a signal is left to the method, which returns its best interval."""
    State.solving = True
    try:
        yield
    finally:
        State.solving = False
        if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
            signal.setitimer(signal.ITIMER_REAL, 0)


@contextlib.contextmanager
def writing(output: object | None) -> Iterator[None]:
    """While this holds, an answer is there: a signal says so, and where it was going."""
    from tabular_rl.errors import path_text

    place = "standard output" if output is None else path_text(output)
    rest = "is not complete" if output is None else "is the old file or the complete new one"
    before, State.known = State.known, f"the answer was found, and was being written: {place} {rest}"
    try:
        yield
    finally:
        if not isinstance(sys.exception(), Interrupted):
            State.known = before


def raise_again(unraisable: Any) -> None:
    """Raise an Interrupted again that came where Python lets nothing through, such as a `__del__`."""
    if not isinstance(unraisable.exc_value, Interrupted):
        sys.__unraisablehook__(unraisable)
    elif hasattr(signal, "setitimer"):
        signum = unraisable.exc_value.signum

        def again(_signum: int, _frame: Any) -> None:
            raise Interrupted(signum)

        signal.signal(signal.SIGALRM, again)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
