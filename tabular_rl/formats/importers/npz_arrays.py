"""npz archives: those of this package, and P and R by their names, as np.savez or NPZ.jl of Julia write them."""

from __future__ import annotations

import io
import math
import zipfile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import ModelError, escape, quoted
from tabular_rl.formats.fields import Asked
from tabular_rl.formats.importers.named_arrays import are_arrays, model_of_arrays
from tabular_rl.formats.memory import require
from tabular_rl.formats.npy import read_npy_header
from tabular_rl.formats.npz import DAMAGED, META, opened, read_npz
from tabular_rl.model.mdp import MDP


def read_any_npz(file: BinaryIO, asked: Asked) -> MDP:
    """Return the model of an npz archive: of one that this package wrote, or of arrays P and R.

    Parameters
    ----------
    file : open binary file
    asked : what the caller asks for in place of what the file says

    Returns
    -------
    MDP

    Raises
    ------
    ModelError : the member that is wrong
    """
    names = _names(file)
    file.seek(0)
    if META in names or not (asked.arrays or are_arrays(names)):
        if asked.arrays:
            raise ModelError("the archive says itself how it is read, expected no --arrays")
        return read_npz(file, asked)
    with opened(file, tuple(names), "arrays") as (archive, infos):
        require(3 * sum(info.file_size for info in infos.values()), "A directory of arrays needs least.")
        found = {name: _array(archive, info, name) for name, info in infos.items()}
    return model_of_arrays(found, asked)


def _names(file: BinaryIO) -> list[str]:
    """Return the names of the members, none where the archive is damaged: who reads it says so."""
    try:
        with zipfile.ZipFile(file) as archive:
            return [info.orig_filename.removesuffix(".npy") for info in archive.infolist()]
    except DAMAGED:
        return []


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> NDArray[Any] | str:
    """Return the array of a member, a text where it is one."""
    member = f"member {quoted(name)}"
    try:
        with archive.open(info) as file:
            shape, dtype = read_npy_header(file, member)  # type: ignore[arg-type]
            data = info.file_size - file.tell()
        if dtype.hasobject or dtype.kind not in "biufU":
            raise ModelError(
                f"{member}: found dtype {escape(dtype)}, expected numbers, truth values or texts"
            )
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != data:
            raise ModelError(
                f"{member}: found shape {escape(shape)}, expected the {data} bytes that are there"
            )
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(archive.read(info)), allow_pickle=False)
    except ModelError:
        raise
    except DAMAGED as error:
        reason = escape(str(error).rstrip(".") or type(error).__name__)
        raise ModelError(f"{member}: {reason}. Is the file cut off or damaged?") from None
    return str(array) if array.dtype.kind == "U" and array.ndim == 0 else array
