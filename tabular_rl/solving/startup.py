"""The first moments of the program: a signal while the rest is imported ends it with one line, not with a traceback.

`tabular_rl` itself imports this before all else, as the interpreter comes there before it comes to any code of the
command line. A program that imports the package keeps its own handlers.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _is_program(arguments: Sequence[str], original: Sequence[str]) -> bool:
    """Whether this process is the program, by sys.argv and sys.orig_argv.

    >>> _is_program(["/usr/bin/tabular-rl", "solve"], ["python", "/usr/bin/tabular-rl", "solve"])
    True
    >>> _is_program(["-m", "solve"], ["python", "-I", "-m", "tabular_rl", "solve"])
    True
    >>> _is_program(["-m", "tabular_rl"], ["python", "-m", "pytest", "tabular_rl"])
    False
    """
    first = arguments[0] if arguments else ""
    if first != "-m":  # which stands there until the module is found
        return os.path.basename(first).startswith("tabular-rl")
    at = next(
        (i for i, x in enumerate(original) if i > 0 and x.startswith("-") and x.endswith("m")), len(original)
    )
    return original[at + 1 : at + 2] == ["tabular_rl"]


def end(signum: int, _frame: Any) -> None:
    """Say that nothing has happened yet, and go."""
    os.write(2, b"interrupted: nothing was done yet\n")
    os._exit(128 + signum)


def _hear_signals() -> None:
    """End on a signal, until the program puts its own handlers in place."""
    for signum in SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, end)


if _is_program(sys.argv, sys.orig_argv):
    _hear_signals()
