"""Checkpoints of learners: an npz of the arrays that a run needs to go on with the same bits, never with pickles.

Members: `meta`, JSON as bytes; `streams` (runs, 6), the state of each random stream; `curve_steps` (P,) and
`curve` (3, P, runs), the errors so far; `array_NAME` for each array of the learner.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Mapping
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import ModelError, OptionError, escape, quoted
from tabular_rl.formats.input import reporting
from tabular_rl.formats.memory import require
from tabular_rl.formats.npy import read_npy_header
from tabular_rl.formats.npz import DAMAGED, write_arrays
from tabular_rl.formats.output import write_atomically

SCHEMA, VERSION = "tabular-rl checkpoint", 1
ARRAY = "array_"
KINDS = ("<f8", "<i8", "|b1", "|u1", "<u8", "<i4")
AFRESH = "Is the file cut off or damaged? Then start afresh, without --resume."


def write_checkpoint(state: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write the state of a learner (`Learned.state`) atomically.

    Raises
    ------
    OutputError : path and reason; what stood there before is intact
    """
    special = ("arrays", "streams", "curve")
    meta = {"schema": SCHEMA, "version": VERSION, **{k: v for k, v in state.items() if k not in special}}
    curve = state["curve"]
    members = {
        "meta": np.frombuffer(json.dumps(meta).encode("ascii"), dtype=np.uint8),
        "streams": packed(state["streams"]),
        "curve_steps": np.array([row[0] for row in curve], dtype=np.int64),
        "curve": np.array([[row[i] for row in curve] for i in (1, 2, 3)], dtype=np.float64),
    } | {ARRAY + name: array for name, array in state["arrays"].items()}
    write_atomically(path, lambda file: write_arrays(members, file, zip64=True))


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the state of a learner, for its option `resume`.

    Raises
    ------
    ModelError : no such file, not a checkpoint, cut off or damaged
    """
    try:
        with reporting(os.fspath(path)), open(path, "rb") as file:
            return {**_read(file), "path": os.fspath(path)}
    except ModelError:
        raise
    except (*DAMAGED, TypeError, AttributeError) as error:
        reason = escape(str(error).strip("'\"").rstrip(".") or type(error).__name__)
        raise ModelError(f"not a complete checkpoint: {reason}. {AFRESH}").at(os.fspath(path)) from None


def _damaged(what: str) -> ModelError:
    return ModelError(f"{what}. {AFRESH}")


def _members(file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive by name."""
    size = file.seek(0, 2)
    with zipfile.ZipFile(file) as archive:
        found: dict[str, NDArray[Any]] = {}
        infos = archive.infolist()
        require(sum(info.file_size for info in infos))
        for info in infos:
            member = f"member {quoted(info.orig_filename)}"
            name = info.orig_filename.removesuffix(".npy")
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > size:
                raise _damaged(f"{member}: found a packed member, expected it stored as it is")
            if name == info.orig_filename or name in found:
                raise _damaged(f"{member}: unexpected, expected the arrays of a checkpoint")
            with archive.open(info) as opened:
                found[name] = _array(opened, member)
    return found


def _read(file: BinaryIO) -> dict[str, Any]:
    found = _members(file)
    if "meta" not in found:
        raise _damaged("found no member 'meta.npy', expected a checkpoint of learn")
    state = json.loads(found["meta"].tobytes().decode("ascii"))
    if not isinstance(state, dict) or state.pop("schema", None) != SCHEMA:
        raise ModelError(f"found another schema, expected {quoted(SCHEMA)}")
    version = state.pop("version", None)
    if version != VERSION:
        raise ModelError(f"found version {quoted(version)}, expected {VERSION}, which this program reads")
    kinds = {"method": str, "digest": str, "inputs": str, "options": dict, "done": int, "steps": int}
    for key, kind in kinds.items():
        if not isinstance(state.get(key), kind) or state[key] is True:
            raise _damaged(f"meta: {key}: found {quoted(state.get(key))}, expected it as learn writes it")
    steps, curve = found["curve_steps"], found["curve"]
    if (steps.dtype.kind, curve.dtype.kind) != ("i", "f"):
        raise _damaged(f"members 'curve_steps.npy', 'curve.npy': found {steps.dtype}, {curve.dtype}")
    if curve.ndim != 3 or steps.shape != curve.shape[1:2] or len(curve) != 3 or state["done"] < 0:
        raise _damaged(f"member 'curve.npy': found shape {curve.shape}, expected (3, {len(steps)}, runs)")
    return {
        **state,
        "options": {k: tuple(x) if isinstance(x, list) else x for k, x in state["options"].items()},
        "streams": unpacked(found["streams"]),
        "curve": [(int(k), *(column[i].copy() for column in curve)) for i, k in enumerate(steps)],
        "arrays": {n.removeprefix(ARRAY): x for n, x in found.items() if n.startswith(ARRAY)},
    }


def _array(opened: Any, member: str) -> NDArray[Any]:
    shape, dtype = read_npy_header(opened, member)
    if dtype.str not in KINDS:
        raise _damaged(f"{member}: found {dtype}, expected one of {', '.join(KINDS)}")
    data, size = opened.read(), math.prod(shape) * dtype.itemsize
    if len(data) != size:
        raise _damaged(f"{member}: found {len(data)} bytes, expected {size}")
    return np.frombuffer(data, dtype=dtype).reshape(shape).copy()


def packed(streams: list[Mapping[str, Any]]) -> NDArray[np.uint64]:
    """Return the states of PCG64 generators as whole numbers of 64 bits (runs, 6)."""
    rows = []
    for stream in streams:
        if stream["bit_generator"] != "PCG64":
            raise OptionError(f"checkpoint: found a {stream['bit_generator']} generator, expected PCG64")
        halves = (half for key in ("state", "inc") for half in divmod(stream["state"][key], 1 << 64))
        rows.append((*halves, stream["has_uint32"], stream["uinteger"]))
    return np.array(rows, dtype=np.uint64).reshape(-1, 6)


def unpacked(rows: NDArray[Any]) -> list[dict[str, Any]]:
    """Return the states of random streams from their whole numbers (runs, 6).

    >>> rng = np.random.default_rng(0)
    >>> unpacked(packed([rng.bit_generator.state])) == [rng.bit_generator.state]
    True
    """
    if rows.ndim != 2 or rows.shape[1] != 6 or rows.dtype != np.uint64:
        raise _damaged(f"member 'streams.npy': found {rows.dtype} {rows.shape}, expected uint64 (runs, 6)")
    if (rows[:, 3] % 2 == 0).any() or (rows[:, 4] > 1).any() or (rows[:, 5] >> 32 > 0).any():
        found = "numbers that no random stream has, expected states of PCG64"
        raise _damaged(f"member 'streams.npy': found {found}")
    streams = []
    for a, b, c, d, has, number in rows.tolist():
        state = {"state": (a << 64) + b, "inc": (c << 64) + d}
        streams.append({"bit_generator": "PCG64", "state": state, "has_uint32": has, "uinteger": number})
    return streams


def checkpoint_to(path: str | os.PathLike[str]) -> Any:
    """Return a function for the option `checkpoint` of a learner, which writes its state to a file.

    >>> checkpoint_to("run.npz").keywords
    {'path': 'run.npz'}
    """
    return partial(write_checkpoint, path=path)
