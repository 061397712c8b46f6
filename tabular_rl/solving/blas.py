"""How many threads linear algebra takes: as many as a method was given, one by default.

NumPy and SciPy each bring an OpenBLAS that takes every processor, whatever `threads` says; on a busy machine a system
of 300 equations then takes twenty times as long as in one thread. Both have a function that sets the number, under one
of several names. Where none is found (another BLAS), linear algebra takes the threads that its environment says.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ALONE = 90  # equations up to which OpenBLAS takes one thread in any case
NAMES = [a + "{}_num_threads" + b for a, b in product(("scipy_openblas_", "openblas_"), ("64_", "_64", ""))]


class _Library(NamedTuple):
    """The two functions of an OpenBLAS."""

    get: Any
    set: Any


def _loaded() -> list[str]:
    """The paths of the OpenBLAS libraries of this process, as far as the system tells."""
    with suppress(OSError):
        maps = Path("/proc/self/maps").read_text("utf-8", "replace")
        return sorted({line.split(maxsplit=5)[-1] for line in maps.splitlines() if "openblas" in line})
    packages = [np, *(sys.modules[name] for name in ("scipy",) if "scipy.linalg" in sys.modules)]
    places = [Path(p.__file__ or "").parents[1] / f"{p.__name__}.libs" for p in packages]
    places += [Path(p.__file__ or "").parent / ".dylibs" for p in packages]
    return sorted(str(path) for place in places for path in place.glob("*openblas*"))


@cache
def _libraries(_scipy: bool) -> dict[str, _Library]:
    """The OpenBLAS libraries whose threads can be counted and set, by path; SciPy's comes with its first import."""
    found = {}
    for path in _loaded():
        with suppress(OSError):
            library = ctypes.CDLL(path)
            for name in NAMES:
                if hasattr(library, name.format("set")):
                    get, put = getattr(library, name.format("get")), getattr(library, name.format("set"))
                    get.argtypes, get.restype, put.argtypes, put.restype = (
                        [],
                        ctypes.c_int,
                        [ctypes.c_int],
                        None,
                    )
                    found[path] = _Library(get, put)
                    break
    return found


def libraries() -> dict[str, _Library]:
    """Return the OpenBLAS libraries that are loaded and can be told how many threads to take; none where none can."""
    return _libraries("scipy.linalg" in sys.modules)


def in_force() -> bool:
    """Whether `threads` reaches linear algebra: whether there is a BLAS whose threads can be set."""
    return bool(libraries())


def blas_threads() -> list[int]:
    """Return how many threads each OpenBLAS takes now."""
    return [int(library.get()) for library in libraries().values()]


_lock = threading.Lock()
_asked: list[tuple[object, int]] = []  # who asks for how many threads now, the last in force
_before: dict[str, int] = {}  # what each library took before


def apply() -> None:
    """Let a library that was loaded since the block began take the threads that are asked for."""
    with _lock:
        _apply()


def _apply() -> None:
    for path, library in libraries().items():
        if _asked:
            _before.setdefault(path, library.get())
            library.set(_asked[-1][1])
        elif path in _before:
            library.set(_before.pop(path))


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Let linear algebra take this number of threads while a block runs, and then what it took before.

    The number is the process's. Where blocks of several threads overlap, the last that began is in force.

    >>> with limited(1):
    ...     set(blas_threads()) <= {1}
    True
    """
    key = object(), threads
    with _lock:
        _asked.append(key)
        _apply()
    try:
        yield
    finally:
        with _lock:
            _asked.remove(key)
            _apply()
