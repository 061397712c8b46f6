"""What npz archives and directories have in common: the arrays of a model and the header that goes with them."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, TabularError, closest, escape, quoted
from tabular_rl.formats.fields import Asked
from tabular_rl.formats.json import read_json
from tabular_rl.model.layout import Layout
from tabular_rl.model.mdp import MDP, size_text
from tabular_rl.model.names import Names
from tabular_rl.model.rationals import DIGITS, Exact, RationalArray, exact_sum, fraction
from tabular_rl.model.rows import expected_reward, row_blocks

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
HEXADECIMAL = re.compile(r"(-?[0-9a-f]+)/([0-9a-f]+)")
LONGEST_TEXT = 4 * DIGITS  # characters of a fraction in hexadecimal
BLOCK = 1 << 22  # bytes written or read at once


# -- the header -------------------------------------------------------------------------------------------------


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
        """The length and the possible types of each member; None where the length is free."""
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
    """Return a checked header; `extra` names further keys that the caller looks at."""
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
    return isinstance(x, int) and not isinstance(x, bool) and 0 <= x < 2**48


def _is_layout(x: Any) -> bool:
    return isinstance(x, list) and len(x) == 2 and all(whole(n) and 1 <= n < 2**31 for n in x)


def _is_members(x: Any) -> bool:
    return (
        isinstance(x, list) and all(isinstance(m, str) and m in MEMBERS for m in x) and len(set(x)) == len(x)
    )


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
    if header.start_given:
        needed.add("start")
    exact = set()
    for field in EXACT:
        parts = {part for part in ("num", "den", "text") if f"{field}_{part}" in here}
        if parts not in (set(), {"num", "den"}, {"text"}):
            raise ModelError(
                f"{what}: arrays: found parts {sorted(parts)} of {field}, expected num and den, or text"
            )
        if parts:
            exact.add(field)
            needed.add(field)
    wanted = {"prob", "reward" if "reward" in here else "r", *(here & {"start", "final_reward"})}
    if not header.start_given:
        wanted.discard("start")
    if exact and wanted - exact:
        raise ModelError(
            f"{what}: arrays: found exact numbers without those of {min(wanted - exact)}, expected all"
        )
    missing = [member for member in MEMBERS if member in needed - here]
    if missing:
        raise ModelError(f"{what}: arrays: found no {missing[0]}, expected it")
    if "cell" in here and header.layout is None:
        raise ModelError(f"{what}: arrays: found cell with no layout, expected both")
    if "final_reward" in here and header.horizon is None:
        raise ModelError(f"{what}: arrays: found final_reward with no horizon, expected both")


def checked_names(found: Any, what: str, size: int) -> list[str] | None:
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ModelError(f"{what}: expected a list of texts, or null")
    if len(found) != size:
        raise ModelError(f"{what}: found {len(found)} names, expected {size}")
    return found


# -- the arrays -------------------------------------------------------------------------------------------------


def arrays_of(mdp: MDP, *, start: bool) -> dict[str, NDArray[Any]]:
    """Return the members that hold a model; `start` keeps the start distribution even where it is the default."""
    found: dict[str, NDArray[Any]] = {}
    exact = mdp.exact
    for field in ARRAYS:
        if field == "cell":
            array: Any = None if mdp.layout is None else mdp.layout.cell
            if array is not None and array.dtype.name not in WHOLE:
                array = np.asarray(array, dtype=np.int64)
        else:
            array = getattr(mdp, field)
        if array is None or (field == "start" and not (start or mdp.start_given)):
            continue
        found[field] = array
        rationals: RationalArray | None = getattr(exact, field, None)
        if rationals is None:
            continue
        if rationals.num.dtype == np.int64:
            found[f"{field}_num"], found[f"{field}_den"] = rationals.num, rationals.den
        else:
            text = json.dumps([f"{n:x}/{d:x}" for n, d in zip(rationals.num, rationals.den, strict=True)])
            found[f"{field}_text"] = np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return found


def exact_of(header: Header, arrays: dict[str, NDArray[Any]]) -> Exact | None:
    """Return the exact numbers among the members."""
    found: dict[str, RationalArray] = {}
    for field in EXACT:
        if f"{field}_num" in arrays:
            found[field] = RationalArray(arrays[f"{field}_num"], arrays[f"{field}_den"])
        elif f"{field}_text" in arrays:
            found[field] = _rationals(
                arrays[f"{field}_text"], f"{field}_text", header.lengths()[field][0] or 0
            )
    return Exact(**found) if found else None


def _rationals(array: NDArray[Any], member: str, length: int) -> RationalArray:
    listed = parse_json(array.tobytes(), member)
    if not isinstance(listed, list) or len(listed) != length:
        raise ModelError(f"{member}: expected a list of {length} fractions")
    made = []
    for i, text in enumerate(listed):
        pair = HEXADECIMAL.fullmatch(text) if isinstance(text, str) else None
        if pair is None or len(text) > LONGEST_TEXT:
            size = f" of {len(text)} characters" if pair else ""
            raise ModelError(
                f"{member}: found {quoted(text)}{size} at position {i}, expected a fraction in hexadecimal "
                f"of at most {LONGEST_TEXT:,} characters"
            )
        made.append((int(pair[1], 16), int(pair[2], 16)))
    return RationalArray(
        np.array([n for n, _ in made], dtype=object), np.array([d for _, d in made], dtype=object)
    )


def read_npy_header(file: BinaryIO, member: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of an npy array, whose data come next; ModelError with the member."""
    try:
        version = npy.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = npy.read_array_header_1_0(file)
        elif version in ((2, 0), (3, 0)):
            shape, _, dtype = npy.read_array_header_2_0(file)
        else:
            raise ModelError(f"{member}: found npy version {version}, expected 1.0, 2.0 or 3.0")
    except (TabularError, zipfile.BadZipFile, zlib.error):
        raise
    except Exception:  # the parsers of numpy raise many kinds on damaged bytes
        raise ModelError(f"{member}: not an npy array: its header is damaged") from None
    return shape, dtype


def check_npy(
    member: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    length: int | None,
    types: tuple[str, ...],
    data: int,
) -> None:
    """Check what an npy header declares against what is expected and the bytes of data that are there.

    The type "str" stands for texts of any length.
    """
    expected = " or ".join(types)
    if dtype.hasobject:
        raise ModelError(f"{member}: object arrays are not allowed: found dtype {dtype}, expected {expected}")
    text = "str" in types and dtype.str[:2] == "<U" and dtype.itemsize > 0
    if not text and dtype.str not in [np.dtype(t).newbyteorder("<").str for t in types if t != "str"]:
        order = "big-endian " if dtype.str[:1] == ">" else ""
        raise ModelError(f"{member}: found dtype {order}{escape(dtype.name)}, expected {expected}")
    if len(shape) != 1 or any(isinstance(n, bool) or n < 0 for n in shape):
        raise ModelError(f"{member}: found shape {escape(shape)}, expected one dimension")
    if length is not None and shape[0] != length:
        raise ModelError(f"{member}: found length {shape[0]}, expected {length}")
    needed = shape[0] * dtype.itemsize
    if needed != data:
        declared = f"found {shape[0]} entries declared ({size_text(needed)})"
        raise ModelError(f"{member}: {declared}, expected the {data} bytes that are there")


def npy_bytes(array: NDArray[Any]) -> Iterator[bytes | memoryview]:
    """Yield an npy file block by block."""
    dtype = array.dtype.newbyteorder("<")
    head = io.BytesIO()
    npy.write_array_header_1_0(
        head, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": array.shape}
    )
    yield head.getvalue()
    step = max(1, BLOCK // dtype.itemsize)
    for i in range(0, len(array), step):
        yield np.ascontiguousarray(array[i : i + step], dtype=dtype).data.cast("B")


def model_of(header: Header, arrays: dict[str, NDArray[Any]], asked: Asked, **options: Any) -> MDP:
    """Return the model of a header and its arrays."""
    cell = arrays.get("cell")
    terminal: Any = arrays["terminal"]
    states = Names(header.S if header.states is None else header.states)
    if asked.terminal is not None:
        terminal = np.zeros(header.S, dtype=bool)
        for name in asked.terminal:
            at = states.find(name)
            if at is None:
                raise ModelError(f"terminal: no such state {quoted(name)}{closest(name, states)}")
            terminal[at] = True
    plain = (
        "pair_ptr",
        "pair_action",
        "row_ptr",
        "next_state",
        "prob",
        "reward",
        "r",
        "start",
        "final_reward",
    )
    return MDP.from_rows(
        **{field: arrays.get(field) for field in plain},  # type: ignore[arg-type]
        terminal=terminal,
        gamma=header.gamma if asked.gamma is None else asked.gamma,
        horizon=header.horizon if asked.horizon is None else asked.horizon,
        sense=asked.sense or header.sense,  # type: ignore[arg-type]
        states=states,
        actions=Names(header.A if header.actions is None else header.actions),
        layout=None if header.layout is None else Layout(header.layout[0], header.layout[1], cell),
        exact=exact_of(header, arrays),
        name=header.name,
        source=header.source,
        copy=False,
        **options,
    )


# -- exact numbers ----------------------------------------------------------------------------------------------


def rows_off(prob: RationalArray, row_ptr: Any) -> Iterator[int]:
    """Yield the rows whose exact probabilities do not sum to 1."""
    for first, last, k0, k1 in row_blocks(row_ptr):
        ptr = np.asarray(row_ptr[first : last + 1], dtype=np.int64) - k0
        over = prob[k0:k1].common()
        length = np.diff(ptr)
        if over is not None and over[1] * max(int(length.max()), 1) < 2**62:
            sums = np.zeros(len(length), dtype=np.int64)
            sums[length > 0] = np.add.reduceat(over[0], ptr[:-1][length > 0])
            yield from (first + np.flatnonzero(sums != over[1])).tolist()
            continue
        for i in range(len(ptr) - 1):
            if exact_sum(prob[k0 + int(ptr[i]) : k0 + int(ptr[i + 1])]) != 1:
                yield first + i


def check_exact(mdp: MDP) -> None:
    """Check that exact numbers are in lowest terms, that rows sum to 1, and that the floats are the nearest."""
    exact = mdp.exact
    if exact is None:
        return
    for field in EXACT:
        rationals: RationalArray | None = getattr(exact, field)
        if rationals is not None:
            _check_field(field, rationals, getattr(mdp, field))
    for i in rows_off(exact.prob, mdp.row_ptr):
        state, action = mdp.states[mdp.state_of_row(i)], mdp.actions[int(mdp.pair_action[i])]
        raise ModelError(Fault("exact probabilities do not sum to 1", state, action))
    if exact.start is not None and exact_sum(exact.start) != 1:
        raise ModelError("start: exact probabilities do not sum to 1")
    if exact.reward is not None:
        wrong = np.flatnonzero(expected_reward(mdp) != mdp.r)
        if wrong.size:
            i = int(wrong[0])
            raise ModelError(
                f"r: found {float(mdp.r[i])!r} at position {i}, expected Σ p r(s,a,s') of its outcomes"
            )


def _pair(num: Any, den: Any) -> str:
    """A numerator and a denominator for a message, whatever they are."""
    n, d = int(num), int(den)
    return (
        f"{n}/{d}" if max(abs(n), abs(d)) < 2**64 else f"a fraction of {n.bit_length() + d.bit_length()} bits"
    )


def _check_field(field: str, rationals: RationalArray, floats: NDArray[Any]) -> None:
    step = 1 << 20
    for at in range(0, len(rationals), step):
        num, den = rationals.num[at : at + step], rationals.den[at : at + step]
        wrong = den <= 0
        if not wrong.any():
            wrong = np.gcd(num, den) != 1
            if wrong.any():
                i = int(np.flatnonzero(wrong)[0])
                raise ModelError(
                    f"{field}: found {_pair(num[i], den[i])} at position {at + i}, expected lowest terms"
                )
            try:
                wrong = RationalArray(num, den).floats() != floats[at : at + step]
            except OverflowError:
                wrong = np.ones(len(num), dtype=bool)
        if wrong.any():
            i = int(np.flatnonzero(wrong)[0])
            what = f"{field}: found {_pair(num[i], den[i])} at position {at + i}"
            raise ModelError(f"{what}, expected the fraction nearest to {float(floats[at + i])!r}")
