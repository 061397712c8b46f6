"""Word of a kernel that is being compiled, for whoever shows progress.

To compile what a method needs takes seconds, once on a machine: it is kept then (`_jit.py`). Nothing of Numba is
loaded here; whoever has loaded kernels calls `watch`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

# Set by the command line: called when the compiler begins, with whether what it makes is kept for later runs.
listener: Callable[[bool], None] | None = None
_watching = False


def watch() -> None:
    """Have the listener called from now on; nothing before kernels are loaded, and nothing when called again."""
    global _watching
    compiler: Any = sys.modules.get("tabular_rl.kernels._jit")
    if _watching or listener is None or compiler is None:
        return
    event: Any = compiler.event

    class Begin(event.Listener):  # type: ignore[misc]  # Numba has no types
        def on_start(self, _: Any) -> None:
            if listener is not None:
                listener(compiler.CACHE is not None)

        def on_end(self, _: Any) -> None:
            pass

    event.register("numba:compile", Begin())
    _watching = True
