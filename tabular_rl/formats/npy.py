"""Arrays as .npy files hold them."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tabular_rl.errors import ModelError, TabularError, escape
from tabular_rl.model.numbers import size_text

BLOCK = 1 << 22  # bytes written or read at once


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

    Parameters
    ----------
    member : what messages call the array
    shape, dtype : as the header declares them
    length : expected number of entries; None where any will do
    types : names of the possible dtypes; "str" stands for texts of any length
    data : bytes that follow the header

    Raises
    ------
    ModelError : a type, shape or length that is not expected, or more or less data than declared
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
    for i in range(0, len(array) if array.size else 0, step):
        yield np.ascontiguousarray(array[i : i + step], dtype=dtype).data.cast("B")
