"""Word of compiled code that is loaded and of kernels that are compiled, for who shows progress or counts time.

To compile what a method needs takes seconds, once on a machine: it is kept then (`_jit.py`). To load Numba and what is
kept takes some tenths of a second in each process. Nothing of Numba is loaded here; `_jit.py` tells.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

LOADING, COMPILING = "loading compiled code", "compiling"  # the names of the two phases

# Set by the command line: called when the compiler begins, with whether what it makes is kept for later runs.
listener: Callable[[bool], None] | None = None
# Set by model/clock.py: the time of a block counts as that of a phase.
phase: Callable[[str], AbstractContextManager[Any]] = nullcontext
