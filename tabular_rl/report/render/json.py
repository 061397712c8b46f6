"""Entries as JSON, written piece by piece."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from tabular_rl.model.rationals import spell
from tabular_rl.report.blocks import Column, Report


def report_parts(report: Report) -> Iterator[str]:
    """Yield a report as JSON."""
    return json_parts(report.entries())


def json_parts(entries: Mapping[str, Any]) -> Iterator[str]:
    """Yield entries as JSON text, in ASCII, a key a line; infinities are null.

    >>> print("".join(json_parts({"bound": math.inf, "v": np.array([1.5])})), end="")
    {
      "bound": null,
      "v": [1.5]
    }
    """
    yield "{"
    for at, (key, value) in enumerate(entries.items()):
        yield f"{',' * (at > 0)}\n  {json.dumps(key)}: "
        yield from _parts(Column.numbers(value) if isinstance(value, np.ndarray) else value)
    yield "\n}\n"


def _parts(value: Any) -> Iterator[str]:
    """Yield a value as JSON text, in pieces between which a signal is heard."""
    if not isinstance(value, Column):
        yield _json(value)
    elif value.steps is None:
        yield from _listed(value, 0)
    else:
        yield "["
        for t in range(value.steps):
            yield ", " * (t > 0)
            yield from _listed(value, t)
        yield "]"


def _listed(column: Column, t: int) -> Iterator[str]:
    yield "["
    for at, part in enumerate(column.parts(t)):
        yield ", " * (at > 0) + _json(part)[1:-1]
    yield "]"


def _json(value: Any) -> str:
    try:  # which is ten times as quick, where all is plain
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps(_plain(value), allow_nan=False)


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it: infinities and NaN as null, arrays as lists, fractions as text."""
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Fraction):
        return spell(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(x) for k, x in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(x) for x in value]
    return value
