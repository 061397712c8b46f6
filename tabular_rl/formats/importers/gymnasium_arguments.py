"""What stands behind the `?` of an ID: texts, read as the constructor of the environment wants them."""

from __future__ import annotations

import contextlib
import inspect
import json
import math
import re
import warnings
from collections.abc import Mapping
from fractions import Fraction
from typing import Any
from urllib.parse import unquote

from tabular_rl.errors import ModelError, kind_text, quoted

FLAGS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
TRUE_OR_FALSE = "true or false (or yes, no, on, off, 1, 0)"
WORDS = {"true": True, "false": False, "none": None}
FRACTION = re.compile(r"[+-]?\d+/\d+")
KINDS: dict[str, type] = {
    "bool": bool, "int": float, "float": float, "str": str, "list": list, "tuple": list, "Sequence": list
}  # fmt: skip
EMPTY = inspect.Parameter.empty
Takes = Mapping[str, inspect.Parameter]


def texts_of(text: str) -> tuple[str, dict[str, str]]:
    """Return the ID and the arguments of a text, as they are written.

    >>> texts_of("FrozenLake-v1?map_name=8x8&is_slippery=no")
    ('FrozenLake-v1', {'map_name': '8x8', 'is_slippery': 'no'})
    """
    ID, _, query = text.partition("?")
    found: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        key, equals, value = part.partition("=")
        if not equals or not key.isidentifier():
            raise ModelError(f"found {quoted(part)}, expected argument=value, and & between several")
        if key in found:
            raise ModelError(f"found {key} twice, expected each argument once")
        found[key] = unquote(value)
    return unquote(ID), found


def taken_by(gymnasium: Any, ID: str) -> tuple[dict[str, inspect.Parameter], bool]:
    """Return the arguments that an environment is known to take, and whether there can be others.

    Parameters
    ----------
    gymnasium : the package
    ID : of the environment

    Returns
    -------
    Parameters by name, with the defaults that the ID registers; and whether these are not all.
    """
    limit = inspect.Parameter(
        "max_episode_steps", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="int"
    )
    known = {limit.name: limit}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they come again when it is made
            spec = gymnasium.spec(ID)
            creator = spec.entry_point
            if isinstance(creator, str):
                creator = gymnasium.envs.registration.load_env_creator(creator)
            parameters = list(inspect.signature(creator).parameters.values())
    except Exception:  # whatever loading it raises, making it says more
        return known, True
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    there = {parameter.name: parameter for parameter in parameters if parameter.kind in named}
    for name, default in spec.kwargs.items():
        plain = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
        there[name] = there.get(name, plain).replace(kind=inspect.Parameter.KEYWORD_ONLY, default=default)
    more = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    return there | known, more


def values_of(texts: Mapping[str, str], takes: Takes) -> dict[str, Any]:
    """Return what the texts of arguments mean, for parameters by name; those of other names as they look.

    >>> values_of({"size": "8", "rate": "1/4", "n": "none", "map": '["SF","FG"]'}, {})
    {'size': 8, 'rate': 0.25, 'n': None, 'map': ['SF', 'FG']}
    """
    return {key: _value(key, text, takes.get(key)) for key, text in texts.items()}


def _value(key: str, text: str, parameter: inspect.Parameter | None) -> Any:
    """Return what the text of an argument means, by the default or the annotation of its parameter."""
    if parameter is None:
        return _as_it_looks(text)
    kind, optional = _kind(parameter), _optional(parameter)
    if kind in (bool, float) and optional and text.lower() in ("none", "null"):
        return None
    if kind is bool:
        return _flag(key, text)
    if kind is float:
        return _number(key, text, parameter)
    if kind is list:
        return _listed(key, text, parameter.default)
    found = _as_it_looks(text)
    if kind is str:
        return text if isinstance(found, (bool, int, float)) else found
    if text.lower() in FLAGS and isinstance(found, str):
        word = "true" if FLAGS[text.lower()] else "false"
        raise ModelError(f"{key}: found {quoted(text)}, expected {word}, or '\"{text}\"' for the text")
    return found


def _kind(parameter: inspect.Parameter) -> type | None:
    """What a parameter takes: bool, float for any number, str, list; None where nothing says it."""
    default = parameter.default
    for kind, classes in ((bool, (bool,)), (float, (int, float)), (str, (str,)), (list, (list, tuple))):
        if isinstance(default, classes):
            return kind
    wanted = parameter.annotation
    words = re.findall(
        r"\w+", wanted if isinstance(wanted, str) else getattr(wanted, "__name__", str(wanted))
    )
    return KINDS.get(words[0]) if words else None


def _optional(parameter: inspect.Parameter) -> bool:
    return parameter.default is None or "None" in str(parameter.annotation)


def _as_it_looks(text: str) -> Any:
    """A text as a word for true, false or nothing, as JSON, as a fraction, or as it is."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if FRACTION.fullmatch(text) and not re.fullmatch(".*/0+", text):
        return float(Fraction(text))
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _bare(text: str) -> str:
    """A text without the quotes of JSON around it."""
    found = _as_it_looks(text) if text.startswith('"') else text
    return found if isinstance(found, str) else text


def _flag(key: str, text: str) -> bool:
    word = _bare(text).lower()
    if word not in FLAGS:
        raise ModelError(f"{key}: found {quoted(text)}, expected {TRUE_OR_FALSE}")
    return FLAGS[word]


def _number(key: str, text: str, parameter: inspect.Parameter | None = None) -> int | float:
    """The number of a text, whole where the parameter is: by its annotation, or its default without one."""
    found = _as_it_looks(_bare(text))
    with contextlib.suppress(ValueError):
        found = float(found) if isinstance(found, str) else found  # such as .5
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not math.isfinite(found):
        raise ModelError(f"{key}: found {quoted(text)}, expected a number")
    if parameter is None:
        return found
    wanted, default = str(parameter.annotation), parameter.default
    counts = "int" in wanted and "float" not in wanted
    if counts and found != int(found):
        raise ModelError(f"{key}: found {quoted(text)}, expected a whole number")
    whole = counts or (isinstance(default, int) and parameter.annotation is EMPTY and found == int(found))
    return int(found) if whole else found


def _listed(key: str, text: str, default: Any) -> Any:
    """A list as JSON, or as its parts with commas between them; the rows of a map are of one length."""
    found = _as_it_looks(text)
    if found is None or isinstance(found, dict):
        return found
    entries = found if isinstance(found, list) else [part.strip() for part in _bare(text).split(",")]
    if isinstance(default, (list, tuple)) and default and all(isinstance(x, (int, float)) for x in default):
        numbers = [_number(key, str(x)) for x in entries]
        if isinstance(default, tuple) and len(numbers) != len(default):
            raise ModelError(f"{key}: found {', '.join(map(str, numbers))}, expected {len(default)} numbers")
        return type(default)(numbers)
    if key == "desc":
        check_rows(key, entries)
    return entries


def check_rows(key: str, rows: list[Any]) -> None:
    """Raise ModelError where the rows of a map are no texts of one length."""
    form = f"expected rows of one length, as in {key}=SFF,FHF,FFG"
    odd = next((row for row in rows if not isinstance(row, str) or not row), None)
    if odd is not None or not rows:
        raise ModelError(f"{key}: found {kind_text(odd if odd is not None else rows)}, {form}")
    lengths = {len(row) for row in rows}
    if lengths == {1}:
        raise ModelError(f"{key}: found rows of 1 character, expected longer ones, as in {key}=SFF,FHF,FFG")
    if len(lengths) > 1:
        raise ModelError(f"{key}: found rows of {min(lengths)} to {max(lengths)} characters, {form}")
