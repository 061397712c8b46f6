"""Strict JSON: each key once in an object, no NaN, every fault with its line; and JSON written piece by piece."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, quoted
from tabular_rl.model.rationals import spell

BLOCK = 1 << 14  # entries written together

# Texts (a key where a colon follows), and what opens and closes an object or an array.
TOKEN = re.compile(r'("(?:[^"\\]++|\\.)*+")([ \t\n\r]*+:)?|([{\[])|([}\]])', re.DOTALL)


class _Twice(Exception):
    """A key stands twice in an object."""


def read_json(text: str, number: Callable[[str], Any] | None = None) -> Any:
    """Return what a JSON text holds; `number` makes something of the spelling of a number.

    >>> read_json('{"a": [1, 0.5]}'), read_json("[0.50]", str)
    ({'a': [1, 0.5]}, ['0.50'])
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise _Twice
        return found

    def refuse(found: str) -> None:
        raise ModelError(f"found {found}, expected finite numbers, or null")

    try:
        return json.loads(
            text, object_pairs_hook=once, parse_constant=refuse, parse_float=number, parse_int=number
        )
    except ModelError:
        raise
    except _Twice:
        raise ModelError(_twice(text)) from None
    except json.JSONDecodeError as error:
        what = f"not valid JSON: {error.msg} at column {error.colno}"
        raise ModelError(Fault(what, line=error.lineno)) from None
    except RecursionError:
        raise ModelError("found arrays or objects nested too deep, expected a few levels") from None
    except ValueError:  # int() refuses to read thousands of digits
        longest = max(re.finditer("[0-9]+", text), key=lambda match: len(match[0]))
        what = f"found a number of {len(longest[0])} digits, expected fewer"
        raise ModelError(Fault(what, line=text.count("\n", 0, longest.start()) + 1)) from None


def _twice(text: str) -> Fault:
    """Return the first key that stands twice in one object, with both its lines."""
    objects: list[dict[str, int]] = [{}]  # of each open object, its keys with their lines
    line, at = 1, 0
    for match in TOKEN.finditer(text):
        line, at = line + text.count("\n", at, match.start()), match.start()
        if match[3]:
            objects.append({})
        elif match[4]:
            objects.pop()
        elif match[2]:
            key, keys = json.loads(match[1]), objects[-1]
            if key in keys:
                what = f"key {quoted(key)}: found twice, first on line {keys[key]}, expected once"
                return Fault(what, line=line)
            keys[key] = line
    return Fault("found a key twice in one object, expected once")


# -- writing ----------------------------------------------------------------------------------------------------


class Blocks:
    """A long list that is written block by block."""

    def __init__(self, blocks: Iterable[list[Any]]) -> None:
        self.blocks = blocks


def ranges(size: int) -> Iterator[tuple[int, int]]:
    return ((first, min(first + BLOCK, size)) for first in range(0, size, BLOCK))


def json_parts(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a document as JSON text, in ASCII, a key a line; infinities are null.

    >>> print("".join(json_parts({"bound": math.inf, "v": np.array([1.5])})), end="")
    {
      "bound": null,
      "v": [1.5]
    }
    """
    yield "{"
    for at, (key, value) in enumerate(document.items()):
        yield f"{',' * (at > 0)}\n  {json.dumps(key)}: "
        yield from _value_parts(value)
    yield "\n}\n"


def _value_parts(value: Any) -> Iterator[str]:
    """Yield a value as JSON text, in pieces between which a signal is heard."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = _array(value)
    if isinstance(value, Blocks):
        yield "["
        first = True
        for block in value.blocks:
            if block:
                yield (", " * (not first)) + _json(block)[1:-1]
                first = False
        yield "]"
    elif (isinstance(value, np.ndarray) and value.ndim > 1) or (
        isinstance(value, list) and value and isinstance(value[0], list)
    ):
        yield "["
        for at, row in enumerate(value):
            yield ", " * (at > 0)
            yield from _value_parts(row)
        yield "]"
    else:
        yield _json(value)


def _array(values: NDArray[Any]) -> Blocks:
    """The blocks of an array (n,), infinities and NaN as None."""

    def listed(values: NDArray[Any]) -> list[Any]:
        known = np.isfinite(values) if values.dtype.kind == "f" else None
        if known is None or known.all():
            return values.tolist()
        return [x if ok else None for x, ok in zip(values.tolist(), known.tolist(), strict=True)]

    return Blocks(listed(values[first:last]) for first, last in ranges(len(values)))


def _json(value: Any) -> str:
    try:  # which is ten times as quick, where all is plain
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps(_plain(value), allow_nan=False)


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it: infinities and NaN as null, arrays as lists, fractions as text."""
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Fraction):
        return spell(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(x) for k, x in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(x) for x in value]
    return value
