"""Strict JSON: each key once in an object, no NaN, every fault with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tabular_rl.errors import Fault, ModelError, quoted

# Texts (a key where a colon follows), and what opens and closes an object or an array.
TOKEN = re.compile(r'("(?:[^"\\]++|\\.)*+")([ \t\n\r]*+:)?|([{\[])|([}\]])', re.DOTALL)


class _Twice(Exception):
    """A key stands twice in an object."""


def read_json(
    text: str,
    number: Callable[[str], Any] | None = None,
    *,
    infinite: bool = False,
    expected: str = "finite numbers, or null",
) -> Any:
    """Return what a JSON text holds; ModelError with what is wrong with it, and its line.

    Parameters
    ----------
    text : the whole file
    number : makes something of the spelling of a number; None for floats and integers
    infinite : whether Infinity and -Infinity are taken, as texts
    expected : what is expected in place of NaN, and of these where they are not taken

    Returns
    -------
    Dictionaries, lists, texts and numbers.

    Raises
    ------
    ModelError : no valid JSON, a key twice in an object, NaN

    Examples
    --------
    >>> read_json('{"a": [1, 0.5]}'), read_json("[0.50]", str)
    ({'a': [1, 0.5]}, ['0.50'])
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise _Twice
        return found

    def refuse(found: str) -> str:
        if infinite and "Infinity" in found:
            return found
        way_out = ". If it is the reward of an action that is unavailable, leave the action out"
        more = way_out if "Infinity" in found else ""
        raise ModelError(f"found {found}, expected {expected}{more}")

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
