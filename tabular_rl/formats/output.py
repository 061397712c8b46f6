"""Writing a file so that it is either the old one or the complete new one, whatever happens in between."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tabular_rl.errors import ModelError, OutputError, TabularError, path_text, quoted

Target = str | os.PathLike[str]


def write_atomically(path: Target, write: Callable[[BinaryIO], None]) -> None:
    """Call `write` with a file that takes the place of `path` when it is complete.

    It is a temporary file in the same folder, flushed to the disk, then renamed; on any failure it is removed and
    what stood at `path` is intact. A symbolic link to a file stays a link; one that leads nowhere is refused. "-", a
    device or a pipe is written directly.

    Parameters
    ----------
    path : where to
    write : takes the open binary file

    Raises
    ------
    OutputError : path and reason, of any OSError
    """
    if path == "-":
        write(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    with reporting(path):
        if _direct(path):
            with open(path, "wb") as device:
                write(device)
            return
        settle(_written(path, write))


def _written(path: Target, write: Callable[[BinaryIO], None]) -> Complete:
    """Return the temporary file that takes the place of `path`, complete."""
    place = place_of(path)
    mode, temporary = _mode(place), hidden(place)

    def drop() -> None:
        with contextlib.suppress(OSError):
            temporary.unlink()

    try:  # from before the file is there: a signal may come at any time
        with _new(temporary, mode) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        drop()
        raise
    return Complete(path, place, lambda: os.replace(temporary, place), drop)


def write_parts(parts: Iterable[str | bytes], path: str | os.PathLike[str]) -> None:
    """Write pieces of text, or of bytes, atomically; OutputError names the path."""
    write_atomically(path, lambda file: write_text(parts, file))


def write_text(parts: Iterable[str | bytes], file: BinaryIO) -> None:
    """Write pieces of text in UTF-8, or of bytes, half a surrogate pair as an escape."""
    for part in parts:
        file.write(part if isinstance(part, bytes) else part.encode("utf-8", "backslashreplace"))


def write_lines(lines: Iterable[str], file: BinaryIO) -> None:
    """Write text in UTF-8; ModelError where a name is no text."""
    try:
        file.writelines(line.encode("utf-8") for line in lines)
    except UnicodeEncodeError as error:
        found = quoted(error.object[error.start])
        raise ModelError(f"a name holds {found}, half of a surrogate pair, expected text in UTF-8") from None


class Complete(NamedTuple):
    """What is written, and has not taken its place yet."""

    path: Target
    place: Path
    rename: Callable[[], None]  # into its place
    drop: Callable[[], None]  # what is left of it elsewhere


class _Waiting:
    """What waits for the rest of `all_or_none`; None outside of it."""

    files: list[Complete] | None = None


@contextlib.contextmanager
def all_or_none() -> Iterator[None]:
    """Let the files that are written in this block take their places together, when all are complete, or none of them.

    Only renames, one right after the other, stand between the first and the last; signals wait for them.
    """
    if _Waiting.files is not None:
        yield
        return
    files: list[Complete] = []
    _Waiting.files = files
    try:
        yield
        _rename(files)
    finally:
        _Waiting.files = None
        for file in files:
            file.drop()


def settle(file: Complete) -> None:
    """Let a complete file take its place: now, or with the others of `all_or_none`."""
    if _Waiting.files is not None:
        _Waiting.files.append(file)
        return
    try:
        _rename([file])
    finally:
        file.drop()


def _rename(files: list[Complete]) -> None:
    mask = getattr(signal, "pthread_sigmask", None)
    before = mask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM}) if mask else None
    try:
        for file in files:
            with reporting(file.path):
                file.rename()
    finally:
        if mask:
            mask(signal.SIG_SETMASK, before)
    for folder in {file.place.parent for file in files}:
        sync_folder(folder)


def probe(path: Target) -> None:
    """Check that `path` can be written, without touching what stands there; OutputError otherwise."""
    if path == "-":
        return
    with reporting(path):
        if _direct(path):
            if not os.access(path, os.W_OK):
                raise PermissionError(0, "Permission denied")
            return
        place = place_of(path)
        mode, temporary = _mode(place), hidden(place)
        try:
            _new(temporary, mode).close()
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


@contextlib.contextmanager
def reporting(path: Target) -> Iterator[None]:
    """Turn an OSError into an OutputError that names the path and the reason."""
    try:
        yield
    except TabularError:
        raise
    except OSError as error:
        raise OutputError(f"{path_text(path)}: cannot be written: {error.strerror or error}") from error


def place_of(path: Target) -> Path:
    """Where a write to `path` goes: through a symbolic link to what is there; OSError where a link leads nowhere.

    A link to a file that is not there may point into any folder: who follows it writes where nobody looked.
    """
    if not os.path.islink(os.fspath(path).rstrip(os.sep)):
        return Path(os.path.realpath(path))
    try:
        return Path(os.path.realpath(path, strict=True))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(error.errno, "symbolic links in a circle, expected a file or a free name") from None
        to = path_text(os.readlink(os.fspath(path).rstrip(os.sep)))
        raise OSError(
            error.errno, f"a symbolic link to {to}, which is not there; expected a file or a free name"
        ) from None


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder last through a power cut, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def hidden(place: Path) -> Path:
    """Return a new name in the same folder for what is not yet complete."""
    return place.parent / f".tabular-rl-{secrets.token_hex(8)}.tmp"


def _direct(path: Target) -> bool:
    """Return whether something has no folder to rename in: devices, pipes, the standard streams by their path."""
    if os.fspath(path).startswith(("/dev/", "/proc/")):
        return True
    try:
        kind = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def _mode(place: Path) -> int | None:
    """Return the permissions of the file that is to be replaced, or None; OSError where it cannot be."""
    if not place.exists():
        return None
    if place.is_dir():
        raise IsADirectoryError(0, "Is a directory")
    if not os.access(place, os.W_OK):
        raise PermissionError(0, "Permission denied")
    return stat.S_IMODE(place.stat().st_mode)


def _new(path: Path, mode: int | None) -> BinaryIO:
    """Open a file that is not there yet."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    if mode is not None and hasattr(os, "fchmod"):
        os.fchmod(handle, mode)
    return os.fdopen(handle, "wb")


@contextlib.contextmanager
def new_folder(path: Target) -> Iterator[Path]:
    """Make a folder whose files appear together when all are written, or none of them.

    Yields a hidden folder beside it to write into. What stands at `path` may be an empty folder and nothing else.

    Raises
    ------
    OutputError : path and reason
    """
    with reporting(path):
        place = place_of(path)
        if place.exists() and not (place.is_dir() and not any(place.iterdir())):
            raise OutputError(
                f"{path_text(path)}: cannot be written: something stands there, expected a new or an empty folder"
            )
        temporary = hidden(place)
        temporary.mkdir()
    try:
        yield temporary
        with reporting(path):
            if place.exists():
                place.rmdir()
            temporary.rename(place)
            sync_folder(place.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_new(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write a file that is not there yet, flushed to the disk."""
    with open(path, "xb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def replace_folder(
    path: Target, fill: Callable[[Path], None], ours: Callable[[Path], bool], expected: str
) -> None:
    """Let a folder take the place of what stands at a path when all its files are written.

    Parameters
    ----------
    path : where to
    fill : writes the files into a hidden folder beside it
    ours : whether a folder that stands there may be replaced; an empty one always may
    expected : what messages call such a folder

    Raises
    ------
    OutputError : something else stands there, or the reason why nothing can be written
    """
    with reporting(path):
        place = place_of(path)
        free = not place.exists() or (place.is_dir() and not any(place.iterdir()))
        if not free and not (place.is_dir() and ours(place)):
            raise OutputError(
                f"{path_text(path)}: cannot be written: something else stands there, expected {expected}"
            )
        temporary, aside = hidden(place), hidden(place)

        def rename() -> None:
            if not place.exists():
                temporary.rename(place)
            elif not exchange(temporary, place):
                place.rename(aside)
                temporary.rename(place)

        def drop() -> None:
            for folder in (temporary, aside):
                shutil.rmtree(folder, ignore_errors=True)

        try:
            temporary.mkdir()
            fill(temporary)
            sync_folder(temporary)
        except BaseException:
            drop()
            raise
        settle(Complete(path, place, rename, drop))


def exchange(a: Path, b: Path) -> bool:
    """Let two directories change places in one step; False where the system cannot."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        libc: Any = ctypes.CDLL(None, use_errno=True)
        first, second = os.fsencode(a), os.fsencode(b)
        if sys.platform == "linux":
            return bool(libc.renameat2(-100, first, -100, second, 2) == 0)  # AT_FDCWD, RENAME_EXCHANGE
        if sys.platform == "darwin":
            return bool(libc.renamex_np(first, second, 2) == 0)  # RENAME_SWAP
    return False
