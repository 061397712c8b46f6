"""Where time goes: phases by name, counted only while somebody asks.

A phase inside another counts for itself, and not for the outer one: so does what the kernels tell of, the loading of
compiled code and the compiling. Phases of other threads count for none, and what these load for the phase that waits.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from tabular_rl.kernels import _notice

F = TypeVar("F", bound=Callable[..., Any])

_open: ContextVar[_Times | None] = ContextVar("phases", default=None)


class _Times:
    """Seconds by phase, and the phases that are open, the innermost last."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.open: list[str] = []
        self.since = 0.0

    def turn(self) -> None:
        """Add the time since the last turn to the innermost phase."""
        now = time.perf_counter()
        if self.open:
            self.seconds[self.open[-1]] = self.seconds.get(self.open[-1], 0.0) + now - self.since
        self.since = now


class phase:
    """Count the time of a block, or of a function that it decorates, as that of a phase, where somebody asks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.times: _Times | None = None

    def __enter__(self) -> None:
        self.times = times = _open.get()
        if times is not None:
            times.turn()
            times.open.append(self.name)

    def __exit__(self, *_: object) -> None:
        if self.times is not None:
            self.times.turn()
            self.times.open.pop()

    def __call__(self, function: F) -> F:
        """Return the function, whose calls are such blocks."""

        @functools.wraps(function)
        def counted(*args: Any, **options: Any) -> Any:
            if _open.get() is None:
                return function(*args, **options)
            with phase(self.name):
                return function(*args, **options)

        return counted  # type: ignore[return-value]


_notice.phase = phase


@contextmanager
def profile() -> Iterator[dict[str, float]]:
    """Count where the time goes while a block runs.

    Returns
    -------
    Context of {phase: seconds of wall time}, which fills while the block runs: "reading" files, "building" and
    checking models, "search" for values and a policy, "proof" of their interval, and other phases of single methods;
    "loading compiled code", once in a process, and "compiling", once on a machine.

    Examples
    --------
    >>> from tabular_rl import MDP, solve
    >>> with profile() as seconds:
    ...     answer = solve(MDP([[[1.0]]], [[1.0]], "1/2"))
    >>> {"building", "search", "proof"} <= set(seconds)
    True
    """
    times = _Times()
    token = _open.set(times)
    try:
        yield times.seconds
    finally:
        _open.reset(token)
