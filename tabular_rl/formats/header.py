"""What a model is besides its arrays: the header of npz archives and directories, and which arrays there are."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tabular_rl.errors import ModelError, closest, escape, quoted
from tabular_rl.formats.json import read_json
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rationals import fraction

VERSION = 1
PROGRAM = "tabular-rl"
# Each array, what it is counted in (S states, L pairs, K outcomes), how many more it has, and its types.
WHOLE = ("int32", "int64")
ARRAYS: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "pair_ptr": ("S", 1, WHOLE),
    "pair_action": ("L", 0, WHOLE),
    "row_ptr": ("L", 1, WHOLE),
    "next_state": ("K", 0, WHOLE),
    "prob": ("K", 0, ("float64",)),
    "reward": ("K", 0, ("float64",)),
    "r": ("L", 0, ("float64",)),
    "terminal": ("S", 0, ("bool",)),
    "start": ("S", 0, ("float64",)),
    "final_reward": ("S", 0, ("float64",)),
    "cell": ("S", 0, WHOLE),
}
EXACT = ("prob", "reward", "r", "start", "final_reward")
MEMBERS = (*ARRAYS, *(f"{field}_{part}" for field in EXACT for part in ("num", "den", "text")))


@dataclass
class Header:
    """What a model is besides its arrays."""

    S: int
    A: int
    L: int
    K: int
    gamma: Fraction
    sense: str
    horizon: int | None
    name: str
    source: str
    start_given: bool
    layout: Sequence[int] | None  # rows and columns
    arrays: tuple[str, ...]  # the members that are there, the exact ones included
    states: list[str] | None = None
    actions: list[str] | None = None
    digest: str | None = None

    def lengths(self) -> dict[str, tuple[int | None, tuple[str, ...]]]:
        """Return the length and the possible types of each member; None where the length is free."""
        found: dict[str, tuple[int | None, tuple[str, ...]]] = {}
        for member in self.arrays:
            field, _, part = member.rpartition("_")
            if member in ARRAYS:
                unit, more, types = ARRAYS[member]
                found[member] = (getattr(self, unit) + more, types)
            elif part == "text":
                found[member] = (None, ("uint8",))
            else:
                found[member] = (getattr(self, ARRAYS[field][0]), ("int64",))
        return found


def header_of(mdp: MDP, arrays: tuple[str, ...]) -> Header:
    """Return the header of a model."""
    layout = mdp.layout
    same = ("S", "A", "L", "K", "sense", "horizon", "name", "source", "start_given")
    return Header(
        gamma=mdp.gamma_exact,
        layout=None if layout is None else (layout.rows, layout.columns),
        arrays=arrays,
        states=list(mdp.states) if mdp.states.given else None,
        actions=list(mdp.actions) if mdp.actions.given else None,
        **{field: getattr(mdp, field) for field in same},
    )


def header_json(header: Header) -> dict[str, Any]:
    """Return what stands in the header, for JSON."""
    found = {key: getattr(header, field) for key, (field, _, _) in KEYS.items()}
    found["discount"] = f"{header.gamma.numerator}/{header.gamma.denominator}"
    return {"format": PROGRAM, "version": VERSION, **found}


def parse_json(data: bytes, what: str) -> Any:
    """Return strict JSON: UTF-8, each key once, no NaN; ModelError with `what` it is and the line."""
    try:
        return read_json(data.decode("utf-8"))
    except ModelError as error:
        fault = error.faults[0]
        line = f", line {fault.line}" if fault.line is not None and data.count(b"\n") else ""
        raise ModelError(f"{what}{line}: {fault.what}") from None
    except UnicodeDecodeError as error:
        raise ModelError(
            f"{what}: found byte 0x{data[error.start]:02x} at {error.start}, expected UTF-8"
        ) from None


def read_header(found: Any, what: str, extra: tuple[str, ...] = ()) -> Header:
    """Return a checked header.

    Parameters
    ----------
    found : the header as JSON
    what : what messages call it
    extra : further keys that may stand there, which the caller looks at

    Returns
    -------
    Header, its fields checked one by one and against each other.

    Raises
    ------
    ModelError : not a header of this format and version, or a key that is unknown, missing or wrong
    """
    if not isinstance(found, dict) or found.get("format") != PROGRAM:
        raise ModelError(f"{what}: found no format {quoted(PROGRAM)}, expected a model")
    if found.get("version") != VERSION or isinstance(found.get("version"), bool):
        raise ModelError(f"{what}: found version {escape(found.get('version'))}, expected {VERSION}")
    known = ("format", "version", *KEYS, *extra)
    for key in found:
        if key not in known:
            raise ModelError(f"{what}: unknown key {quoted(key)}{closest(key, known)}")
    for key, (_, expected, right) in KEYS.items():
        if key not in found:
            raise ModelError(f"{what}: found no {key}, expected {expected}")
        if not right(found[key]):
            raise ModelError(f"{what}: {key}: found {escape(json.dumps(found[key]))}, expected {expected}")
    try:
        gamma = fraction(found["discount"])
    except ValueError:
        raise ModelError(
            f"{what}: discount: found {quoted(found['discount'])}, expected a fraction"
        ) from None
    header = Header(**{field: found[key] for key, (field, _, _) in KEYS.items()})
    header.gamma, header.arrays = gamma, tuple(found["arrays"])
    _check_members(header, what)
    return header


def whole(x: Any) -> bool:
    """Whether a value of JSON is a whole number that can be a size."""
    return isinstance(x, int) and not isinstance(x, bool) and 0 <= x < 2**48


def _is_layout(x: Any) -> bool:
    return isinstance(x, list) and len(x) == 2 and all(whole(n) and 1 <= n < 2**31 for n in x)


def _is_members(x: Any) -> bool:
    return isinstance(x, list) and all(member in MEMBERS for member in x) and len(set(x)) == len(x)


# Each key of the header: the field that it is, what is expected of it, and whether a value is that.
KEYS: dict[str, tuple[str, str, Callable[[Any], bool]]] = {
    "states": ("S", "a whole number, 1 or more", lambda x: whole(x) and x >= 1),
    "actions": ("A", "a whole number", whole),
    "pairs": ("L", "a whole number", whole),
    "outcomes": ("K", "a whole number", whole),
    "discount": ("gamma", "a fraction such as 9/10", lambda x: isinstance(x, str) and "/" in x),
    "sense": ("sense", "max or min", lambda x: x in ("max", "min")),
    "horizon": ("horizon", "a whole number or null", lambda x: x is None or (whole(x) and 1 <= x < 2**31)),
    "name": ("name", "a text", lambda x: isinstance(x, str)),
    "source": ("source", "a text", lambda x: isinstance(x, str)),
    "start_given": ("start_given", "true or false", lambda x: isinstance(x, bool)),
    "layout": ("layout", "rows and columns, or null", lambda x: x is None or _is_layout(x)),
    "arrays": ("arrays", "a list of arrays", _is_members),
}


def _check_members(header: Header, what: str) -> None:
    """Check that the arrays which the header lists make a model."""
    here = set(header.arrays)
    needed = {"pair_ptr", "pair_action", "row_ptr", "next_state", "prob", "r", "terminal"}
    start = {"start"} if header.start_given else set()
    exact = set()
    for field in EXACT:
        parts = [part for part in ("den", "num", "text") if f"{field}_{part}" in here]
        if parts not in ([], ["den", "num"], ["text"]):
            raise ModelError(f"{what}: arrays: found parts {parts} of {field}, expected num and den, or text")
        if parts:
            exact.add(field)
    lacking = {"prob", "reward" if "reward" in here else "r", *(here & (start | {"final_reward"}))} - exact
    if exact and lacking:
        raise ModelError(f"{what}: arrays: found exact numbers without those of {min(lacking)}, expected all")
    missing = [member for member in MEMBERS if member in (needed | start | exact) - here]
    if missing:
        raise ModelError(f"{what}: arrays: found no {missing[0]}, expected it")
    if "cell" in here and header.layout is None:
        raise ModelError(f"{what}: arrays: found cell with no layout, expected both")
    if "final_reward" in here and header.horizon is None:
        raise ModelError(f"{what}: arrays: found final_reward with no horizon, expected both")


def checked_names(found: Any, what: str, size: int) -> list[str] | None:
    """Return the names in a header; ModelError where they are not texts, or not as many as expected.

    Parameters
    ----------
    found : the names as JSON; None where the model has none
    what : what messages call them
    size : how many are expected

    Returns
    -------
    The names, None where there are none.

    Raises
    ------
    ModelError : they are not texts, or not as many as expected
    """
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ModelError(f"{what}: expected a list of texts, or null")
    if len(found) != size:
        raise ModelError(f"{what}: found {len(found)} names, expected {size}")
    return found
