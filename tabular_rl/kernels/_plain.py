"""Kernels that are interpreted: what small models are solved by until Numba has been worth loading.

To load Numba takes a third of a second, in which plain Python backs up some millions of outcomes. So the kernels of a
file are first run as the Python functions that they are, on lists, which gives the same bits; and compiled as soon as
a model is large, as Numba is loaded anyway, or as the interpreted ones have taken as long as to load it takes.
docs/decisions/016.md has what was measured.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np

SMALL = 5_000  # outcomes up to which kernels may be interpreted
WORTH = 3_000_000  # outcomes, of some 60 ns each, after which Numba is loaded, which takes as long
ROW, CALL = 4, 80  # outcomes that take as long as a row beside its outcomes, and as an interpreted call
OFTEN = 200  # times that kernels are missed before they are loaded for small models
MARK = re.compile(r"from tabular_rl\.kernels\._jit import .*\n")
OTHERS = re.compile(r"from tabular_rl\.kernels\.([a-z]\w*) import (.*)\n")
INDEX = re.compile(r"\bat\(")  # whole numbers of lists are what they are
PLAIN = "from operator import add\nlarger = max\nkernel = lambda function: function\n"
HERE = "tabular_rl.kernels."


class _Spent:
    """Outcomes that were interpreted, rows and calls as some of them; how often the kernels of a file were missed."""

    outcomes = 0
    missed: ClassVar[dict[str, int]] = {}


def kernels(name: str, outcomes: int, rows: int = 0) -> Any:
    """Return the kernels of a file: its module, or for a small model their interpreted likes.

    Parameters
    ----------
    name : of the file
    outcomes, rows : K and L of the model that they are wanted for

    Returns
    -------
    An object whose attributes are the kernels. They take the same arguments and give the same bits.
    """
    if outcomes > SMALL or "numba" in sys.modules or _Spent.outcomes > WORTH:
        return sys.modules.get(HERE + name) or import_module(HERE + name)
    _Spent.outcomes += (
        outcomes + ROW * rows + CALL
    )  # a count, and no clock: the same program always goes the same way
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
    return SimpleNamespace(**{key: _on_arrays(x) for key, x in _on_lists(name).items()})


@functools.cache
def _on_lists(name: str) -> dict[str, Callable[..., Any]]:
    """The kernels of a file, and those that it imports of others, as functions on lists."""
    path = Path(__file__).with_name(f"{name}.py")
    source = path.read_text("utf-8")
    functions: dict[str, Any] = {"__name__": f"{HERE}{name} (interpreted)"}
    for other, listed in OTHERS.findall(source):
        functions |= {key: _on_lists(other)[key] for key in listed.split(", ")}
    source = INDEX.sub("(", MARK.sub(PLAIN, OTHERS.sub("", source)))
    exec(compile(source, str(path), "exec"), functions)
    return {key: x for key, x in functions.items() if isinstance(x, FunctionType) and key != "kernel"}


def _on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function on lists take arrays: what it writes to the lists is in the arrays afterwards."""

    @functools.wraps(function)
    def call(*given: Any) -> Any:
        lists: dict[int, Any] = {}
        passed, written = [], []
        for x in given:
            kind = type(x)
            if kind is tuple:
                x = _listed(x)
            elif kind is not int and kind is not float and isinstance(x, np.ndarray):
                own = lists.get(id(x))
                if own is None:  # an array that is given twice stays one
                    own = lists[id(x)] = x.tolist()
                    if x.flags.writeable:
                        written.append((x, own))
                x = own
            passed.append(x)
        result = function(*passed)
        for x, own in written:
            x[...] = own
        return result

    return call


_last: tuple[Any, Any] = (None, None)  # a tuple of read-only arrays, as a sweeper has one, and its lists


def _listed(rows: tuple[Any, ...]) -> tuple[Any, ...]:
    """A tuple of arrays and numbers as one of lists and numbers."""
    global _last
    known, lists = _last
    if known is not rows:
        lists = tuple(x.tolist() if isinstance(x, np.ndarray) else x for x in rows)
        if not any(isinstance(x, np.ndarray) and x.flags.writeable for x in rows):
            _last = rows, lists
    return lists  # type: ignore[no-any-return]
