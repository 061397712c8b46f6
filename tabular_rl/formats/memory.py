"""How much memory there is, so that what does not fit is refused before it is asked for."""

from __future__ import annotations

import os
from contextlib import suppress

from tabular_rl.errors import ModelError
from tabular_rl.model.numbers import size_text


def free_memory() -> int | None:
    """Return the bytes that this process can still have, or None where the system does not say."""
    limits = []
    with suppress(OSError, ValueError, StopIteration):
        with open("/proc/meminfo", encoding="ascii") as file:
            line = next(line for line in file if line.startswith("MemAvailable"))
        limits.append(int(line.split()[1]) * 1024)
    with suppress(OSError, ValueError, ImportError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            with open("/proc/self/statm", encoding="ascii") as file:
                limits.append(limit - int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            most = int(file.read())
        with open("/sys/fs/cgroup/memory.current", encoding="ascii") as file:
            limits.append(most - int(file.read()))
    if not limits:
        with suppress(OSError, ValueError, AttributeError):
            limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return max(min(limits), 0) if limits else None


def require(nbytes: int, way_out: str = "") -> None:
    """ModelError where this much memory is not there."""
    free = free_memory()
    if free is not None and nbytes > free:
        text = f"needs {size_text(nbytes)} of memory, expected at most the {size_text(free)} that are free."
        raise ModelError(f"{text} {way_out}".rstrip())
