"""MAT-files of level 5, which MATLAB calls -v6 and -v7: what each variable holds, read within the bytes that are there.

A file is a header of 128 bytes and elements: a tag that says type and length, and data. A variable is an element
miMATRIX, packed by zlib in -v7, whose parts are elements: flags, dimensions, name, numbers. A cell has such
elements in it.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import ModelError, quoted
from tabular_rl.formats.input import LIMIT
from tabular_rl.formats.memory import require

HEADER = 128
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXTS = {1: "latin-1", 2: "utf-8", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
MATRIX, PACKED = 14, 15
CELL, CHAR, SPARSE, NUMERIC = 1, 4, 5, range(6, 16)
TYPES = dict(zip(NUMERIC, ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"), strict=True))
COMPLEX, LOGICAL = 0x0800, 0x0200
DEEPEST = 20  # cells in cells


class Element(NamedTuple):
    """The type of an element, and its data."""

    kind: int
    data: memoryview


class Unread(NamedTuple):
    """A variable of a class that no model is made of."""

    kind: str


def read_variables(data: bytes) -> dict[str, Any]:
    """Return the variables of a file by name: arrays, sparse matrices, texts, and arrays of objects for cells.

    Parameters
    ----------
    data : the whole file

    Returns
    -------
    {name: value}; an Unread for a struct, an object or a function.

    Raises
    ------
    ModelError : the file is cut off or damaged
    """
    mark = data[126:128]
    if len(data) < HEADER or mark not in (b"IM", b"MI"):
        raise _damaged("its header says no order of bytes")
    order = "<" if mark == b"IM" else ">"
    found: dict[str, Any] = {}
    for element in _elements(memoryview(data)[HEADER:], order):
        if element.kind == PACKED:
            element = next(_elements(memoryview(_unpacked(element.data)), order), Element(0, element.data))
        if element.kind != MATRIX:
            raise _damaged(f"found an element of type {element.kind} in place of a variable")
        name, value = _variable(element.data, order, 0)
        if name in found:
            raise _damaged(f"variable {quoted(name)} stands twice")
        found[name] = value
    return found


def _damaged(what: str) -> ModelError:
    return ModelError(f"not a whole .mat file: {what}. Is the file cut off or damaged?")


def _unpacked(data: memoryview) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        made = unpacker.decompress(data, LIMIT)
    except zlib.error:
        raise _damaged("packed data cannot be unpacked") from None
    if not unpacker.eof:
        if len(made) >= LIMIT:
            raise ModelError(f"limit reached: found a variable of more than {LIMIT >> 30} GB")
        raise _damaged("packed data are cut off")
    return made


def _elements(data: memoryview, order: str) -> Iterator[Element]:
    """Yield the elements one after another."""
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise _damaged("it ends within a tag")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if kind >> 16:  # small: the length is in the upper half, the data in the place of the length
            kind, size = kind & 0xFFFF, kind >> 16
            if size > 4:
                raise _damaged("a small element has more than 4 bytes")
            yield Element(kind, data[at + 4 : at + 4 + size])
            at += 8
            continue
        at += 8
        if size > len(data) - at:
            raise _damaged(f"an element of {size} bytes has {len(data) - at}")
        yield Element(kind, data[at : at + size])
        at += size if kind == PACKED else size + -size % 8


def _variable(data: memoryview, order: str, depth: int) -> tuple[str, Any]:
    """Return the name and the value of an element miMATRIX."""
    if not len(data):
        return "", np.zeros((0, 0))
    if depth > DEEPEST:
        raise _damaged("cells are nested too deep")
    parts = _elements(data, order)
    flag = _whole_numbers(_part(parts), order, "class")[0]
    kind = flag & 0xFF
    if kind not in (CELL, CHAR, SPARSE, *NUMERIC):
        return _name_of(parts, kind), Unread("a struct or an object")
    shape = tuple(_whole_numbers(_part(parts), order, "dimensions"))
    name = bytes(_part(parts).data).decode("latin-1")
    if kind == CELL:
        return name, _cell(parts, order, shape, depth)
    if kind == CHAR:
        return name, _text(parts, order, shape)
    if kind == SPARSE:
        return name, _sparse(parts, order, shape, name)
    values = _numbers(_part(parts), order)
    if flag & COMPLEX:
        return name, Unread("complex numbers")
    if values.size != math.prod(shape):
        raise _damaged(f"variable {quoted(name)} has {values.size} numbers, expected {math.prod(shape)}")
    array = values.astype(np.bool_ if flag & LOGICAL else TYPES[kind])
    return name, array.reshape(shape, order="F")


def _part(parts: Iterator[Element]) -> Element:
    part = next(parts, None)
    if part is None:
        raise _damaged("a variable is not complete")
    return part


def _name_of(parts: Iterator[Element], kind: int) -> str:
    """Return the name of a variable that is not read. Functions and objects have it in the place of dimensions."""
    first = _part(parts)
    named = first if kind > 15 else next(parts, first)
    return bytes(named.data).decode("latin-1")


def _numbers(element: Element, order: str) -> NDArray[Any]:
    if element.kind not in NUMBERS:
        raise _damaged(f"found an element of type {element.kind} in place of numbers")
    dtype = np.dtype(order + NUMBERS[element.kind])
    if len(element.data) % dtype.itemsize:
        raise _damaged("numbers are cut off")
    return np.frombuffer(element.data, dtype=dtype)


def _whole_numbers(element: Element, order: str, what: str) -> list[int]:
    """Return the flags or the dimensions of a variable."""
    found = _numbers(element, order)
    if found.dtype.kind not in "iu" or not 1 <= found.size <= 32 or int(found.min()) < 0:
        raise _damaged(f"a variable has no {what}")
    return [int(x) for x in found]


def _cell(parts: Iterator[Element], order: str, shape: tuple[int, ...], depth: int) -> NDArray[Any]:
    found = []
    for part in parts:
        if part.kind != MATRIX:
            raise _damaged("a cell holds something else than variables")
        found.append(_variable(part.data, order, depth + 1)[1])
    if len(found) != math.prod(shape):
        raise _damaged(f"a cell has {len(found)} entries, expected {math.prod(shape)}")
    made = np.empty(len(found), dtype=object)
    made[:] = found
    return made


def _text(parts: Iterator[Element], order: str, shape: tuple[int, ...]) -> Any:
    """Return a text, or the rows of a matrix of letters."""
    part = _part(parts)
    if part.kind not in TEXTS:
        raise _damaged(f"found an element of type {part.kind} in place of a text")
    code = TEXTS[part.kind] + (("-le" if order == "<" else "-be") if part.kind in (4, 17, 18) else "")
    try:
        letters = bytes(part.data).decode(code)
    except UnicodeDecodeError:
        letters = bytes(part.data).decode("latin-1")
    rows = shape[0]
    if rows <= 1 or len(letters) % rows:
        return letters
    made = np.empty(rows, dtype=object)
    made[:] = [letters[i::rows].rstrip() for i in range(rows)]
    return made


def _sparse(parts: Iterator[Element], order: str, shape: tuple[int, ...], name: str) -> Any:
    from scipy.sparse import csc_array

    row, start, values = (_numbers(_part(parts), order) for _ in range(3))
    n = values.size
    right = len(shape) == 2 and start.size == shape[1] + 1 and row.size >= n
    if right and row.dtype.kind in "iu" and start.dtype.kind in "iu":
        row, start = row[:n].astype(np.int64), start.astype(np.int64)
        steps = bool(start[0] == 0 and start[-1] <= n and (np.diff(start) >= 0).all())
        if steps and (n == 0 or (row.min() >= 0 and row.max() < shape[0])):
            require(24 * (n + shape[0]), "A directory of arrays needs least.")
            last = int(start[-1])
            return csc_array(
                (values[:last].astype(np.float64), row[:last], start), shape=(shape[0], shape[1])
            )
    raise _damaged(f"sparse matrix {quoted(name)} has indices that do not fit")
