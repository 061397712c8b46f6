"""The one compile policy: every kernel is compiled here, and nowhere else.

Two kinds. From what a `kernel` returns bounds may be formed: it has no fastmath, which licenses reordering, so that
the error bounds would be void. A `search_kernel` finds values and policies that a proof looks at afterwards, and may
reorder sums. A file has kernels of one kind. The interpreter's lock is released, so that threads can sweep. Compiled
code is kept in a folder named by a digest of the kernel's file and of the kernel files that it imports: a change in
one kernel otherwise leaves stale callers of it. Where no folder can be written, each process compiles its kernels
again. Each file there ends in a digest of what it holds: one that is empty, cut off, changed or unreadable counts as
missing, so that the kernel is compiled again, and the file replaced.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import operator
import os
import pickle
import re
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tabular_rl.kernels import _notice
from tabular_rl.kernels._notice import COMPILING, LOADING

with _notice.phase(LOADING):
    import numba
    import numpy.ma  # which Numba asks for as it is given the first array
    from llvmlite import ir
    from numba.core import cgutils, config, event, types
    from numba.core.caching import IndexDataCacheFile
    from numba.extending import intrinsic


class _Compiling(event.TimingListener):  # type: ignore[misc]  # Numba has no types
    """Sums the seconds of compiling, and tells of it whoever shows progress or counts time."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[Any] = []  # a kernel that another calls is compiled inside it

    def on_start(self, event: Any) -> None:
        super().on_start(event)
        self.open.append(_notice.phase(COMPILING))
        self.open[-1].__enter__()
        if _notice.listener is not None:
            _notice.listener(CACHE is not None)

    def on_end(self, event: Any) -> None:
        self.open.pop().__exit__(None, None, None)
        super().on_end(event)


HERE = Path(__file__).parent
_listener = _Compiling()
event.register("numba:compile", _listener)


@functools.cache
def _uses(path: Path) -> frozenset[Path]:
    """The kernel files that a file imports from; a parse of it would take ten times as long."""
    names = re.findall(r"^(?:from|import) tabular_rl\.kernels\.(\w+)", path.read_text("utf-8"), re.MULTILINE)
    return frozenset(HERE / f"{name}.py" for name in names if (HERE / f"{name}.py").exists())


def _all_uses(path: Path) -> set[Path]:
    """A kernel's file and all that it is compiled with."""
    files, found = {path}, {Path(__file__), path}
    while files:
        files = {used for file in files for used in _uses(file)} - found
        found |= files
    return found


@functools.cache
def _digest(path: Path) -> str:
    """A digest of a kernel's file and of all that it is compiled with."""
    h = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for file in sorted(_all_uses(path)):
        h.update(file.read_bytes())
    return h.hexdigest()[:16]


@functools.cache
def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _cache_folder() -> str | None:
    """The first folder that can be written: NUMBA_CACHE_DIR, the user's cache, or none (with one warning)."""
    places = []
    if os.environ.get("NUMBA_CACHE_DIR"):
        places.append(Path(os.environ["NUMBA_CACHE_DIR"]))
    else:
        if os.environ.get("XDG_CACHE_HOME"):
            places.append(Path(os.environ["XDG_CACHE_HOME"]))
        if os.name != "posix" or os.environ.get(
            "HOME"
        ):  # else Path.home() is whatever the system has on file
            with contextlib.suppress(RuntimeError):
                places.append(Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache"))
    for place in places:
        folder = place / "tabular-rl"
        if _writable(folder):
            return str(folder)
    found = f"{str(places[-1])!r} cannot be written" if places else "HOME is not set"
    warnings.warn(
        f"tabular-rl: compiled code is not cached, so each run compiles again: {found}. "
        "Set NUMBA_CACHE_DIR to a folder that can be written.",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


CACHE = _cache_folder()


# A place in an array that is never negative: Numba looks no more for places that count from its end, which took a
# third to half of a sweep, and half of a learner's step.
at: Any = int if config.DISABLE_JIT else np.uintp  # interpreted, NumPy 1 would add an int to it as floats
REORDERED = frozenset({"reassoc", "contract", "nsz"})  # of fastmath: NaN and infinities stay what they are


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel on its first call; `.py_func` is the Python function it was made of.

    Kernels allocate nothing, so references to arrays are not counted (`_nrt`): counting made a learner's step ten times
    as long, wherever a loop takes a view or calls another kernel. The code of a kernel is put where others call it
    (`forceinline`): as a call of its own a row's backup took 1.7 to 2.4 times as long, and so did a step of learners
    whose kernels are long; tables that travel in a tuple cost 20% more.
    """
    return _compiled(function)


def search_kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel whose sums may be reordered and fused: nothing that it returns may enter a bound.

    It equals its Python function up to the error E of a backup (model/rounding.py), not bit for bit, and gives the same
    bits on one machine whatever the threads. docs/decisions/015.md says what that is for.
    """
    return _compiled(function, fastmath=set(REORDERED))


@intrinsic  # type: ignore[untyped-decorator]  # Numba has no types
def _prefetch(typing: Any, array: Any, place: Any) -> Any:  # noqa: ARG001  (as Numba calls it)
    """Have array[place] read into the cache, for later; nothing is waited for, and nothing changes."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind, index = signature.args
        places, kinds = [given[1]], [index]
        if isinstance(index, types.BaseTuple):  # type: ignore[attr-defined]
            places, kinds = cgutils.unpack_tuple(builder, given[1]), list(index)
        places = [context.cast(builder, x, t, types.intp) for x, t in zip(places, kinds, strict=True)]
        held = context.make_array(kind)(context, builder, given[0])
        pointer = cgutils.get_item_pointer(context, builder, kind, held, places, wraparound=False)
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        form = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", (byte,), form)
        how = [ir.Constant(number, x) for x in (0, 3, 1)]  # to read, to keep, data
        builder.call(function, [builder.bitcast(pointer, byte), *how])
        return context.get_dummy_value()

    return types.void(array, place), code


# Where kernels run as plain Python there is nothing to be fetched.
fetch: Any = (lambda *_: None) if config.DISABLE_JIT else _prefetch


@intrinsic  # type: ignore[untyped-decorator]  # Numba has no types
def _add(typing: Any, x: Any, y: Any) -> Any:  # noqa: ARG001  (as Numba calls it)
    """x + y, one of many sums that are exact in any order, so that several may be added at once: the same bits."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:  # noqa: ARG001
        return builder.fadd(*given, flags=("reassoc",))

    return types.float64(types.float64, types.float64), code


# Of a proof kernel only a sum whose terms leave no room for rounding may be written so.
add: Any = operator.add if config.DISABLE_JIT else _add


@intrinsic  # type: ignore[untyped-decorator]  # Numba has no types
def _larger(typing: Any, x: Any, y: Any) -> Any:  # noqa: ARG001  (as Numba calls it)
    """The larger of x and y, one of many that are compared in any order, so that several may be at once; no NaN."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:  # noqa: ARG001
        more = builder.fcmp_ordered(">", *given, flags=("nnan", "nsz"))
        return builder.select(more, *given, flags=("nnan", "nsz"))

    return types.float64(types.float64, types.float64), code


# The result means nothing where one is NaN, for which a kernel looks itself.
larger: Any = max if config.DISABLE_JIT else _larger


@intrinsic  # type: ignore[untyped-decorator]  # Numba has no types
def _multiply_add(typing: Any, x: Any, x0: Any, y: Any, y0: Any, z: Any, z0: Any) -> Any:  # noqa: ARG001
    """(x y + z) mod 2^128 of numbers of two words each, the high word first: Numba has no whole numbers as long."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        long, word = ir.IntType(128), ir.IntType(64)
        half, words = ir.Constant(long, 64), [builder.zext(x, long) for x in given]
        x, y, z = (builder.or_(builder.shl(words[j], half), words[j + 1]) for j in (0, 2, 4))
        made = builder.add(builder.mul(x, y), z)
        parts = [builder.trunc(builder.lshr(made, half), word), builder.trunc(made, word)]
        return context.make_tuple(builder, signature.return_type, parts)

    pair = types.UniTuple(types.uint64, 2)  # type: ignore[attr-defined]
    return pair(*[types.uint64] * 6), code


def _multiply_add_plainly(*six: Any) -> tuple[int, int]:
    x, y, z = (int(six[j]) << 64 | int(six[j + 1]) for j in (0, 2, 4))
    return divmod((x * y + z) % 2**128, 2**64)


multiply_add: Any = _multiply_add_plainly if config.DISABLE_JIT else _multiply_add


def compiling() -> float:
    """The seconds that this process has compiled so far; what was found in the cache takes none."""
    return float(_listener.duration) if _listener.done else 0.0


def _compiled(function: Callable[..., Any], **more: Any) -> Any:
    with _notice.phase(LOADING):
        return _made(function, **more)


def _made(function: Callable[..., Any], **more: Any) -> Any:
    before = config.CACHE_DIR
    folder = None if CACHE is None else Path(CACHE) / _digest(Path(function.__code__.co_filename))
    cached = folder is not None and _writable(folder)
    try:
        if cached:
            config.CACHE_DIR = str(folder)
        compiled = numba.njit(
            cache=cached, nogil=True, error_model="numpy", forceinline=True, _nrt=False, **more
        )(function)
    finally:
        config.CACHE_DIR = before
    _spare_damaged_files(compiled)
    _spare_full_disks(compiled)
    _spare_the_compiler(compiled)
    return compiled


class _CheckedFiles(IndexDataCacheFile):  # type: ignore[misc]  # Numba has no types
    """The files of the compiled code of a kernel: an index, and one a signature."""

    def _dump(self, obj: Any) -> bytes:
        data = super()._dump(obj)
        return bytes(data + hashlib.sha256(data).digest())  # which pickle does not read

    def _load_index(self) -> Any:
        with contextlib.suppress(Exception):
            with open(self._index_path, "rb") as file:
                version = pickle.load(file)
                data = file.read()
            if version == self._version and _whole(data):
                stamp, signatures = pickle.loads(data)
                return signatures if stamp == self._source_stamp else {}
        return {}

    def _load_data(self, name: str) -> Any:
        data = Path(self._data_path(name)).read_bytes()
        return pickle.loads(data) if _whole(data) else None


def _whole(data: bytes) -> bool:
    return hashlib.sha256(data[:-32]).digest() == data[-32:]


def _spare_damaged_files(compiled: Any) -> None:
    files = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if type(files) is IndexDataCacheFile:
        files.__class__ = _CheckedFiles


def _spare_full_disks(compiled: Any) -> None:
    """Let a kernel that cannot be saved (a full disk, a limit on file sizes) be used all the same."""
    cache = getattr(compiled, "_cache", None)
    save = getattr(cache, "save_overload", None)
    if save is None:
        return

    def save_or_not(*args: Any) -> None:
        with contextlib.suppress(OSError):
            save(*args)

    with contextlib.suppress(AttributeError):
        cache.save_overload = save_or_not  # type: ignore[union-attr]


def _spare_the_compiler(compiled: Any) -> None:
    """Let compiled code be read without what Numba imports for compiling: half of a process's first solve."""
    cache = getattr(compiled, "_cache", None)
    load, read = getattr(cache, "load_overload", None), getattr(cache, "_load_overload", None)
    if load is None or read is None:
        return

    def load_overload(signature: Any, context: Any) -> Any:
        with _notice.phase(LOADING), contextlib.suppress(Exception):  # if odd, Numba does it in its own way
            if (found := read(signature, context)) is not None:
                return found
        with _notice.phase(COMPILING):  # what it compiles with is imported
            return load(signature, context)

    with contextlib.suppress(AttributeError):
        cache.load_overload = load_overload  # type: ignore[union-attr]
