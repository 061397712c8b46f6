"""What does not fit into memory is refused, not begun."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from tabular_rl.errors import OptionError, path_text
from tabular_rl.formats.memory import free_memory
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import size_text

LIBRARIES = 420_000_000  # bytes of address space that Numba, LLVM and SciPy take when loaded (measured),
BLAS_THREAD = 40_000_000  # and each thread of BLAS


def refuse_more_than_there_is() -> None:
    """Let an allocation that cannot be had fail at once, with a MemoryError that names its size.

    Linux grants more memory than there is, and later kills the process that touches it. Mapped files do not count.
    """
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        free = free_memory()
        if free is not None:
            free = max(free, LIBRARIES)
            used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
            soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
            if soft == resource.RLIM_INFINITY or used + free < soft:
                resource.setrlimit(resource.RLIMIT_DATA, (used + free, hard))


def check_memory(mdp: MDP) -> None:
    """Raise before anything is allocated where the vectors of a method would not fit: a dozen numbers a state."""
    _check_libraries(mdp)
    steps = (mdp.horizon or 0) + 1
    needed = 8 * mdp.S * 6 * steps + mdp.L * steps if mdp.problem.timed else 8 * mdp.S * 12
    _check_free(mdp, "solving", needed)


def check_states(mdp: MDP) -> None:
    """Raise before the contents of a mapped model are looked at where that needs more memory than there is."""
    _check_free(mdp, "checking", 32 * mdp.S)


def _check_free(mdp: MDP, work: str, needed: int) -> None:
    free = free_memory()
    if free is not None and needed > free:
        raise OptionError(
            f"{path_text(mdp.origin)}: {work} needs about {size_text(needed)} of memory, expected at most the "
            f"{size_text(free)} that are free"
        )


def _check_libraries(mdp: MDP) -> None:
    """Raise where a limit on the address space leaves no room for the libraries: short of it they crash or hang."""
    if "llvmlite" in sys.modules:
        return
    left = None
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            left = limit - int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    named = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or ""
    needed = LIBRARIES + BLAS_THREAD * (int(named) if named.isdigit() else os.cpu_count() or 1)
    if left is not None and left < needed:
        raise OptionError(
            f"{path_text(mdp.origin)}: solving needs about {size_text(needed)} of address space for its libraries, "
            f"expected at most the {size_text(max(left, 0))} that the limit leaves (ulimit -v)"
        )
    if left is not None:  # they are loaded while there is room for them
        import scipy.sparse.csgraph
        import scipy.sparse.linalg  # noqa: F401

        import tabular_rl.kernels.bellman  # noqa: F401
