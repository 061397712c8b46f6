"""A directory of .npy files for models that are larger than comfortable: mapped, not read.

    header.json     what the model is, its sizes, the digest of its contents
    names.json      names of states and actions, where they have any
    prob.npy ...    one array a file

Opening looks at headers and sizes alone. Contents are validated in one pass when they are first needed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import ModelError, OptionError, escape, path_text, quoted
from tabular_rl.formats.answer_npy import is_answer
from tabular_rl.formats.arrays import arrays_of, check_exact, model_of
from tabular_rl.formats.fields import Asked
from tabular_rl.formats.header import (
    WHOLE,
    Header,
    checked_names,
    header_json,
    header_of,
    parse_json,
    read_header,
)
from tabular_rl.formats.input import open_file, read_all, reporting
from tabular_rl.formats.npy import BLOCK, check_npy, npy_bytes, read_npy_header
from tabular_rl.formats.output import place_of, replace_folder, write_new
from tabular_rl.formats.output import reporting as writing
from tabular_rl.formats.registry import NO_ARRAYS
from tabular_rl.model.mdp import MDP

HEADER, NAMES = "header.json", "names.json"

Stamp = tuple[int, int, int]  # size, time of the last change, number of the file


def read_directory(path: Path, asked: Asked) -> MDP:
    """Return the model of a directory, mapped; ModelError with the file that is wrong."""
    if not (path / HEADER).exists():
        raise ModelError(NO_ARRAYS)
    stamps: dict[Path, Stamp] = {}
    header = _read_header(path, stamps)
    types = _types(header)
    arrays = {
        name: _map(path / f"{name}.npy", length, (types[name],) if name in types else allowed, stamps)
        for name, (length, allowed) in header.lengths().items()
    }
    for found in path.glob("*.npy"):
        if found.stem not in arrays:
            raise ModelError(f"file {quoted(found.name)}: unexpected, expected what the header lists")
    if asked.normalize or asked.terminal is not None:
        _check_digest(model_of(header, arrays, Asked()), header)
        if asked.normalize and "reward" in arrays:
            del arrays["r"]
        return model_of(header, arrays, asked, normalize=asked.normalize, start_given=header.start_given)

    original: list[MDP] = []

    @contextmanager
    def lazy(mdp: MDP) -> Iterator[None]:
        source = mdp.origin or str(path)
        try:
            _check_unchanged(stamps)
            yield
            check_exact(mdp)
            _check_digest(original[0], header)
            _check_unchanged(stamps)
        except ModelError as error:
            raise error.at(source) from None

    mdp = model_of(header, arrays, Asked(), start_given=header.start_given, lazy=lazy)
    original.append(mdp)
    changes = {"gamma": asked.gamma, "horizon": asked.horizon, "sense": asked.sense}
    return mdp.replace(**{field: value for field, value in changes.items() if value is not None})


def _read_header(path: Path, stamps: dict[Path, Stamp]) -> Header:
    found = parse_json(_read(path / HEADER, stamps), HEADER)
    header = read_header(found, HEADER, ("digest", "named"))
    header.digest = found.get("digest")
    if not isinstance(header.digest, str):
        raise ModelError(f"{HEADER}: found no digest, expected one")
    if found.get("named"):
        names = parse_json(_read(path / NAMES, stamps), NAMES)
        if not isinstance(names, dict) or set(names) != {"states", "actions"}:
            raise ModelError(f"{NAMES}: expected the keys states and actions")
        header.states = checked_names(names["states"], f"{NAMES}: states", header.S)
        header.actions = checked_names(names["actions"], f"{NAMES}: actions", header.A)
    if "start" not in header.arrays:
        raise ModelError(f"{HEADER}: arrays: found no start, expected it")
    return header


def _types(header: Header) -> dict[str, str]:
    """Return the types of the index arrays, which methods use as they are."""
    small = WHOLE[max(header.L, header.S, header.A) >= 2**31]
    pointer = WHOLE[small == "int64" or header.K >= 2**31]
    return {"pair_ptr": small, "pair_action": small, "next_state": small, "row_ptr": pointer}


def _stamp(about: os.stat_result) -> Stamp:
    return about.st_size, about.st_mtime_ns, about.st_ino


def _read(path: Path, stamps: dict[Path, Stamp]) -> bytes:
    with _naming(path), reporting(), open_file(path) as file:
        stamps[path] = _stamp(os.fstat(file.fileno()))
        return read_all(file)


def _map(path: Path, length: int | None, types: tuple[str, ...], stamps: dict[Path, Stamp]) -> NDArray[Any]:
    """Return an array of a file without reading it."""
    with _naming(path), reporting(), open_file(path) as file:
        about = os.fstat(file.fileno())
        stamps[path] = _stamp(about)
        shape, dtype = read_npy_header(file, path.name)
        check_npy(path.name, shape, dtype, length, types, about.st_size - file.tell())
        if shape[0] == 0:
            return np.empty(0, dtype=dtype)
        return np.asarray(np.memmap(file, dtype=dtype, mode="r", offset=file.tell(), shape=shape))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the name of the file into errors that lack it."""
    try:
        yield
    except ModelError as error:
        what = error.faults[0].what
        raise ModelError(what if what.startswith(path.name) else f"{path.name}: {what}") from None


def _check_unchanged(stamps: dict[Path, Stamp]) -> None:
    for path, stamp in stamps.items():
        try:
            now = _stamp(os.stat(path))
        except OSError:
            raise ModelError(f"{path.name}: is gone since the model was opened. Load it again.") from None
        if now != stamp:
            raise ModelError(f"{path.name}: has changed since the model was opened. Load it again.")


def _check_digest(mdp: MDP, header: Header) -> None:
    found = _contents_digest(mdp, header)
    if header.digest not in (found, mdp.digest):  # what earlier versions wrote covers the model alone
        raise ModelError(
            f"found contents with the digest {found[:12]}, expected {escape(header.digest)[:12]}"
        )


def _contents_digest(mdp: MDP, header: Header) -> str:
    """Return a SHA-256 of all that a directory holds: the model, and what no answer depends on, such as its layout."""
    h = hashlib.sha256(json.dumps([mdp.digest, header_json(header)]).encode())
    for part in (mdp.exact.start, mdp.exact.final_reward) if mdp.exact else ():
        h.update(
            b"-" if part is None else " ".join(map("{0.numerator:x}/{0.denominator:x}".format, part)).encode()
        )
    cell = None if mdp.layout is None else mdp.layout.cell
    for i in range(0, 0 if cell is None else len(cell), BLOCK):
        h.update(np.ascontiguousarray(cell[i : i + BLOCK], dtype="<i8").data)  # type: ignore[index]
    return h.hexdigest()


# -- writing ----------------------------------------------------------------------------------------------------


def write_directory(mdp: MDP, path: Path) -> None:
    """Write a model block by block into a directory beside `path`, which then takes its place."""
    with writing(path):
        place = place_of(path)
        if mdp.origin and os.path.isdir(mdp.origin) and os.path.realpath(mdp.origin) == str(place):
            raise OptionError(
                f"{path_text(path)}: is the directory that the model is mapped from, expected another"
            )
    replace_folder(path, lambda folder: _write_files(mdp, folder), _is_model, "a model")


def _is_model(folder: Path) -> bool:
    return (folder / HEADER).is_file() and not is_answer(folder)


def _write_files(mdp: MDP, folder: Path) -> None:
    arrays = arrays_of(mdp, start=True)
    header = header_of(mdp, tuple(arrays))
    named = header.states is not None or header.actions is not None
    for name, array in arrays.items():
        write_new(folder / f"{name}.npy", npy_bytes(array))
    if named:
        names = {"states": header.states, "actions": header.actions}
        write_new(folder / NAMES, [json.dumps(names).encode("ascii")])
    digest = _contents_digest(mdp, header)
    text = json.dumps({**header_json(header), "named": named, "digest": digest}, indent=2)
    write_new(folder / HEADER, [text.encode("ascii")])  # no newline at the end: every cut shows
