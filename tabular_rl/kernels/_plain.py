"""Kernels that are interpreted: what small models are solved by until Numba has been worth loading.

To load Numba takes a third of a second, in which plain Python backs up some millions of outcomes. So the kernels of a
file are first run as the Python functions that they are, on lists, which gives the same bits; and compiled as soon as
a model is large, as Numba is loaded anyway, or as the interpreted ones have taken a third of a second in all.
docs/decisions/016.md has what was measured.
"""

from __future__ import annotations

import functools
import re
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

SMALL = 5_000  # outcomes up to which kernels may be interpreted
WORTH = 0.3  # seconds of interpreted kernels after which Numba is loaded
OFTEN = 200  # times that kernels are missed before they are loaded for small models
MARK = re.compile(r"from tabular_rl\.kernels\._jit import .*\n")
PLAIN = "kernel = lambda function: function\nat = int\n"
HERE = "tabular_rl.kernels."


class _Spent:
    """Seconds in which kernels were interpreted in this process, and how often those of a file were missed."""

    seconds = 0.0
    missed: ClassVar[dict[str, int]] = {}


def kernels(name: str, outcomes: int) -> Any:
    """Return the kernels of a file: its module, or for a small model their interpreted likes.

    Parameters
    ----------
    name : of the file; it imports no kernels of other files
    outcomes : K of the model that they are wanted for

    Returns
    -------
    An object whose attributes are the kernels. They take the same arguments and give the same bits.
    """
    if outcomes > SMALL or "numba" in sys.modules or _Spent.seconds > WORTH:
        return sys.modules.get(HERE + name) or import_module(HERE + name)
    return interpreted(name)


def ready(name: str) -> Any:
    """Return the compiled kernels of a file where they are loaded, or often asked for while Numba is; else None.

    For work on small models that NumPy does as well, ten times as slowly: to load what is compiled takes as long as
    some hundred times of that.
    """
    module = sys.modules.get(HERE + name)
    if module is None and "numba" in sys.modules:
        missed = _Spent.missed[name] = _Spent.missed.get(name, 0) + 1
        if missed > OFTEN:
            module = import_module(HERE + name)
    return module


@functools.cache
def interpreted(name: str) -> SimpleNamespace:
    """The kernels of a file as functions on arrays that run on lists."""
    path = Path(__file__).with_name(f"{name}.py")
    source = MARK.sub(PLAIN, path.read_text("utf-8"))
    functions: dict[str, Any] = {"__name__": f"{HERE}{name} (interpreted)"}
    exec(compile(source, str(path), "exec"), functions)
    found = {
        key: x for key, x in functions.items() if callable(x) and key not in ("at", "kernel", "__builtins__")
    }
    return SimpleNamespace(**{key: _on_arrays(x) for key, x in found.items()})


def _on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function on lists take arrays: what it writes to the lists is in the arrays afterwards."""

    @functools.wraps(function)
    def call(*given: Any) -> Any:
        began = time.perf_counter()
        lists = {id(x): x.tolist() for x in given if isinstance(x, np.ndarray)}
        result = function(*(_listed(x) if isinstance(x, tuple) else lists.get(id(x), x) for x in given))
        for x in given:
            if isinstance(x, np.ndarray) and x.flags.writeable:
                x[...] = lists[id(x)]
        _Spent.seconds += time.perf_counter() - began
        return result

    return call


def _listed(rows: tuple[Any, ...]) -> tuple[Any, ...]:
    """A tuple of arrays and numbers as one of lists and numbers."""
    return tuple(x.tolist() if isinstance(x, np.ndarray) else x for x in rows)
