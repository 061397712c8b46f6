"""npz: the arrays of a model in one zip archive, readable with np.load, never with pickles.

What an archive declares is checked against the bytes that are there before anything is allocated.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from struct import error as struct_error
from struct import unpack
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import ModelError, escape, quoted
from tabular_rl.formats.arrays import arrays_of, check_exact, model_of
from tabular_rl.formats.fields import Asked
from tabular_rl.formats.header import (
    MEMBERS,
    Header,
    checked_names,
    header_json,
    header_of,
    parse_json,
    read_header,
)
from tabular_rl.formats.memory import require
from tabular_rl.formats.npy import BLOCK, check_npy, npy_bytes, read_npy_header
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import size_text

META = "meta"
RATIO = 100  # a compressed member may be this many times as long when it is read,
SMALL = 1 << 24  # or this many bytes
PIECE = 1 << 18  # bytes that are read, and summed up, at once
DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, KeyError, ValueError, OverflowError,
    IndexError, struct_error,
)  # fmt: skip


def read_npz(file: BinaryIO, asked: Asked) -> MDP:
    """Return the model of an npz archive; ModelError with the member that is wrong."""
    with opened(file, (META, *MEMBERS), "the arrays of a model") as (archive, infos):
        if META not in infos:
            raise ModelError(f"found no member {quoted(META + '.npy')}, expected the npz of a model")
        header = _read_meta(archive, infos)
        expected = header.lengths()
        for name in [*expected, *infos]:
            if name not in infos:
                raise ModelError(f"found no member {quoted(name)}, expected it")
            if name not in expected and name != META:
                raise ModelError(f"member {quoted(name)}: found it, expected none: meta does not list it")
        require(sum(info.file_size for info in infos.values()), "Keep the model as a directory of arrays.")
        arrays = {
            name: read_array(archive, infos[name], name, length, types)
            for name, (length, types) in expected.items()
        }
    if asked.normalize:
        arrays = {name: array for name, array in arrays.items() if name != "r" or "reward" not in arrays}
    mdp = model_of(header, arrays, asked, normalize=asked.normalize)
    check_exact(mdp)
    return mdp


@contextmanager
def _damage(what: str) -> Iterator[None]:
    try:
        yield
    except ModelError:
        raise
    except DAMAGED as error:
        reason = escape(str(error).rstrip(".") or type(error).__name__)
        if isinstance(error, zlib.error):
            reason = "damaged, its data cannot be decompressed"
        elif reason.startswith("Bad CRC-32"):
            reason = "damaged, its data are not those of its checksum"
        raise ModelError(f"{what}: {reason}. Is the file cut off or damaged?") from None


@contextmanager
def opened(
    file: BinaryIO, known: tuple[str, ...] | None, expected: str
) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """Open an archive, with its members by name after a look at what they declare.

    Parameters
    ----------
    file : open, binary
    known : names that members may have; None where others are not looked at
    expected : what the archive should hold, for the message

    Returns
    -------
    A context manager, which gives the archive and its members by name. It closes the archive, not the file.

    Raises
    ------
    ModelError : no complete archive, or a member that is unknown or larger than its file allows
    """
    size = file.seek(0, 2)
    with _damage(f"not a complete npz archive ({size} bytes)"):
        archive = zipfile.ZipFile(file)
        members = archive.infolist()
    with archive:
        yield archive, _checked_members(members, size, known, expected)


def _checked_members(
    members: list[zipfile.ZipInfo], size: int, known: tuple[str, ...] | None, expected: str
) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name, after a look at what they declare; `known` are those that may be there."""
    found: dict[str, zipfile.ZipInfo] = {}
    for info in members:
        member = f"member {quoted(info.orig_filename)}"
        name = info.orig_filename.removesuffix(".npy")
        packed, declared = info.compress_size, info.file_size
        stored, deflated = (info.compress_type == kind for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        path = any(mark in info.orig_filename for mark in ("/", "\\", "..", "\0", ":"))
        short, blown_up = declared != packed, deflated and declared > max(SMALL, RATIO * packed)
        sizes = f"{size_text(declared)} from {size_text(packed)}"
        wrong = {
            "found a path, expected a plain name": path,
            f"unexpected, expected {expected}": name == info.orig_filename
            or (known is not None and name not in known),
            "found twice, expected once": name in found,
            "is encrypted, expected it to be readable": info.flag_bits & 1,
            f"found compression {info.compress_type}, expected none or deflate": not (stored or deflated),
            f"found {declared} bytes declared and {packed} stored, expected as many": stored and short,
            f"found {packed} bytes declared, expected at most the {size} of the file": packed > size,
            f"found a declared size of {sizes}, limit {RATIO} times as many or {size_text(SMALL)}": blown_up,
        }
        for what, is_so in wrong.items():
            if is_so:
                raise ModelError(f"{member}: {what}")
        found[name] = info
    return found


def _read_meta(archive: zipfile.ZipFile, infos: dict[str, zipfile.ZipInfo]) -> Header:
    require(20 * infos[META].file_size)
    text = read_array(archive, infos[META], META, None, ("uint8",)).tobytes()
    meta = parse_json(text, META)
    header = read_header(meta, META, ("state_names", "action_names"))
    header.states = checked_names(meta.get("state_names"), f"{META}: state_names", header.S)
    header.actions = checked_names(meta.get("action_names"), f"{META}: action_names", header.A)
    return header


def read_array(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, length: int | None, types: tuple[str, ...]
) -> NDArray[Any]:
    """Return the array of a member; ModelError where its shape or type is not what is expected.

    Parameters
    ----------
    archive : the open archive
    info : the member
    name : what messages call it
    length : expected number of entries; None where any will do
    types : names of the possible dtypes

    Returns
    -------
    The array, of one dimension.

    Raises
    ------
    ModelError : a shape or type that is not expected, or data that are cut off or damaged
    """
    member = f"member {quoted(name)}"
    with _damage(member), archive.open(info) as file:
        shape, dtype = read_npy_header(file, member)  # type: ignore[arg-type]
        check_npy(member, shape, dtype, length, types, info.file_size - file.tell())
        array = np.empty(shape, dtype=dtype)
        into = array.view(np.uint8).data if array.size else memoryview(b"")
        if info.compress_type == zipfile.ZIP_STORED:
            at = _read_stored(archive, info, file.tell(), into)
        else:
            at = _read_packed(file, into)  # type: ignore[arg-type]
        if at < len(into):
            raise ModelError(f"{member}: stops after {at} of {len(into)} bytes")
    return array


def _read_packed(file: BinaryIO, into: memoryview) -> int:
    """Read what is left of a member, which is unpacked; the number of bytes that came."""
    at = 0
    while at < len(into):
        part = file.read(min(BLOCK, len(into) - at))
        if not part:
            return at
        into[at : at + len(part)] = part
        at += len(part)
    file.read(1)  # the end of a member is where zipfile compares its checksum
    return at


def _read_stored(archive: zipfile.ZipFile, info: zipfile.ZipInfo, skipped: int, into: memoryview) -> int:
    """The same from the bytes of the file itself, each piece summed up while the cache holds it: no copy is made."""
    file: Any = archive.fp
    file.seek(info.header_offset)
    _, name, extra = unpack("<26s2H", file.read(30))
    file.seek(info.header_offset + 30 + name + extra)
    checksum = zlib.crc32(file.read(skipped))
    at = 0
    while at < len(into):
        count = file.readinto(into[at : at + PIECE])
        if not count:
            return at
        checksum = zlib.crc32(into[at : at + count], checksum)
        at += count
    if checksum != info.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {info.filename!r}")
    return at


def write_npz(mdp: MDP, file: BinaryIO) -> None:
    """Write a model as an npz archive, uncompressed; the same model gives the same bytes."""
    arrays = arrays_of(mdp, start=False)
    header = header_of(mdp, tuple(arrays))
    meta = {**header_json(header), "state_names": header.states, "action_names": header.actions}
    text = np.frombuffer(json.dumps(meta).encode("ascii"), dtype=np.uint8)
    write_arrays({META: text, **arrays}, file)


def write_arrays(arrays: dict[str, NDArray[Any]], file: BinaryIO, zip64: bool = False) -> None:
    """Write arrays as the members of an npz archive, uncompressed.

    Parameters
    ----------
    arrays : by name of the member, without .npy
    file : open, binary
    zip64 : write each member as if it were large
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            info.file_size = array.nbytes + 256
            with archive.open(info, "w", force_zip64=zip64) as member:
                for part in npy_bytes(array):
                    member.write(part)
