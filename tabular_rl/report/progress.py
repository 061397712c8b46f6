"""One line on standard error that tells how far a run is, once it has lasted a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from tabular_rl.kernels import _notice
from tabular_rl.report.screen import encodes, is_terminal, note, warn
from tabular_rl.solving import run

BAR = 24
FIRST = 1.0  # seconds without a word


class Progress:
    """Listens to the runs inside it. On a terminal the line is redrawn; elsewhere lines come ever more rarely."""

    def __init__(self, quiet: int = 0) -> None:
        self.quiet = quiet
        self.terminal = is_terminal(sys.stderr)
        self.started: float | None = None
        self.next = FIRST
        self.drawn = 0

    def __enter__(self) -> Progress:
        self.before = run.listener
        self.advised = run.adviser
        run.listener = None if self.quiet else self.tell
        run.adviser = self.advise
        self.noticed = _notice.listener
        _notice.listener = self.compiling if self.terminal and not self.quiet else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        run.listener, run.adviser = self.before, self.advised
        _notice.listener = self.noticed
        self.clear()

    def tell(self, method: str, share: float | None, text: str) -> None:
        """Show a line if it is time for one."""
        now = time.monotonic()
        if self.started is None:
            self.started = now
        lasted = now - self.started
        if lasted < self.next:
            return
        line = f"{method}: {self.bar(share)}{text}, {lasted:.0f} s"
        if self.terminal:
            note("\r" + line.ljust(self.drawn))
            self.drawn = len(line)
            self.next = lasted + 0.1
        else:
            note(line + "\n")
            self.next = 2 * lasted

    def compiling(self, kept: bool) -> None:
        """Show at once, on a terminal, that the compiler is at work: it takes seconds in which no run can tell."""
        line = "compiling, once on this machine" if kept else "compiling"
        note("\r" + line.ljust(self.drawn))
        self.drawn = len(line)

    def advise(self, text: str) -> None:
        """Show a sentence that should be read before a run begins."""
        self.clear()
        warn(text)

    def bar(self, share: float | None) -> str:
        """Return the share of the work that is done, as a bar on a terminal.

        >>> Progress(quiet=1).bar(None)
        ''
        """
        if share is None:
            return ""
        if not self.terminal:
            return f"{share:.0%}, "
        full, empty = ("█", "·") if encodes("█·", sys.stderr) else ("#", ".")
        done = round(share * BAR)
        return f"{full * done}{empty * (BAR - done)} {share:4.0%}  "

    def clear(self) -> None:
        if self.drawn:
            note("\r" + " " * self.drawn + "\r")
            self.drawn = 0


@contextmanager
def counting() -> Iterator[Callable[[int, int], None]]:
    """A function of the states that were seen and found, which tells of them after a second."""
    with Progress() as progress:
        yield lambda seen, found: progress.tell(
            "from_functions", None, f"{found:,} states found, {seen:,} of them seen"
        )
