"""How much memory may still be taken."""

from __future__ import annotations

import contextlib
from pathlib import Path


def room() -> int | None:
    """Return the bytes that a process can still allocate before a limit or the machine says no; None where unknown."""
    found = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith(("MemAvailable:", "SwapFree:")):
                found.append(int(line.split()[1]) * 1024)
    total = sum(found) if found else None
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            left = max(limit - used, 0)
            total = left if total is None else min(total, left)
    return total
