"""What does not fit into memory is refused, not begun."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tabular_rl.errors import OptionError, escape
from tabular_rl.model import MDP, size_text


def refuse_more_than_there_is() -> None:
    """Let an allocation that cannot be had fail at once, with a MemoryError that names its size.

    Linux grants more memory than there is, and later kills the process that touches it. Mapped files do not count.
    """
    from tabular_rl.formats.memory import free_memory

    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        free = free_memory()
        if free is not None:
            used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
            soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
            if soft == resource.RLIM_INFINITY or used + free < soft:
                resource.setrlimit(resource.RLIMIT_DATA, (used + free, hard))


def check_memory(mdp: MDP) -> None:
    """Raise before anything is allocated where the vectors of a solver would not fit: a dozen numbers a state."""
    from tabular_rl.formats.memory import free_memory

    steps = 1 if mdp.horizon is None else mdp.horizon + 1
    needed = 8 * mdp.S * (12 if mdp.horizon is None else 6 * steps) + (mdp.L * steps if mdp.horizon is not None else 0)
    free = free_memory()
    if free is not None and needed > free:
        raise OptionError(
            f"{escape(mdp.origin)}: solving needs about {size_text(needed)} of memory, expected at most the "
            f"{size_text(free)} that are free"
        )
