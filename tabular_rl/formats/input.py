"""Reading a file whole, within limits, as text whose faults have lines."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from typing import Any, BinaryIO

from tabular_rl.errors import Fault, ModelError, closest_word, quoted
from tabular_rl.formats.memory import require
from tabular_rl.model.numbers import size_text

LIMIT = 1 << 30  # bytes of a text file, or of anything on standard input
CHUNK = 1 << 20
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
KINDS = {  # how files of other kinds begin
    "an npz archive": ZIP,
    "a single npy array": (b"\x93NUMPY",),
    "a pickle": tuple(bytes((0x80, protocol)) for protocol in range(6)),
    "a gzip file": (b"\x1f\x8b",),
}
REASONS = {
    errno.ENOENT: "no such file",
    errno.ELOOP: "symbolic links in a circle, expected a file",
    errno.EISDIR: "is a directory, expected a file",
    errno.ENOTDIR: "no such file: a part of the path is not a directory",
    errno.EACCES: "permission denied",
}


@contextmanager
def reporting(source: str | None = None) -> Iterator[None]:
    """Turn an OSError of reading into a ModelError with the reason, and name the source in each that names none."""
    try:
        yield
    except OSError as error:
        reason = REASONS.get(error.errno or 0) or (error.strerror or str(error)).lower()
        raise ModelError(reason, source) from error
    except ModelError as error:
        if source is None or error.source is not None:
            raise
        raise error.at(source) from None


def source_of(path: str | os.PathLike[str]) -> str:
    """Return what messages call the place that something is read from."""
    return "<stdin>" if os.fspath(path) == "-" else os.fspath(path)


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file that must be one: a pipe would wait for somebody to write, and a device may never end."""
    flags = (getattr(os, name, 0) for name in ("O_RDONLY", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
    descriptor = os.open(path, sum(flags))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise ModelError(f"is a {'directory' if stat.S_ISDIR(mode) else 'pipe or a device'}, expected a file")
    return os.fdopen(descriptor, "rb")


def near(path: str, suffixes: Sequence[str] = ()) -> str:
    """Return a suggestion for a path that is not there, from what its folder holds.

    Names are compared without their suffixes, in which they are all alike. Of files that differ in nothing else the one
    with a suffix of `suffixes` is meant, the first of these before the others.

    Parameters
    ----------
    path : that is not there
    suffixes : those that the file should have; none where any will do

    Returns
    -------
    The suggestion, or "" where there is no such name.
    """
    with suppress(OSError, ValueError), os.scandir(os.path.dirname(path) or ".") as entries:
        rank = {suffix: at for at, suffix in enumerate(reversed(suffixes), 1)}
        named = [os.path.splitext(entry.name) for entry in islice(entries, 10_000)]
        named.sort(key=lambda parts: (rank.get(parts[1].lower(), 0), parts))
        stems = {stem: stem + suffix for stem, suffix in named}
        meant = closest_word(os.path.splitext(os.path.basename(path))[0], stems)
        if meant is not None:
            return f"; did you mean {quoted(stems[meant])}?"
    return ""


def standard_input() -> BinaryIO:
    """Return standard input as bytes; ModelError where it is closed."""
    if sys.stdin is None or sys.stdin.closed:
        raise ModelError("closed, expected a model")
    return sys.stdin.buffer


def read_all(file: BinaryIO) -> bytes:
    """Return all bytes of a file; ModelError past the limit, which an endless pipe reaches too."""
    try:
        about = os.fstat(file.fileno())
    except (OSError, AttributeError):  # nothing that the system knows
        about = None
    if about is not None and stat.S_ISREG(about.st_mode) and about.st_size > LIMIT:
        raise ModelError(_too_long(about.st_size))
    read: Callable[[int], bytes] = file.read
    if about is not None and not stat.S_ISREG(about.st_mode) and hasattr(file, "read1"):
        read = partial(_read_when_there, file)
    parts, size = [], 0
    while part := read(CHUNK):
        parts.append(part)
        size += len(part)
        if size > LIMIT:
            raise ModelError(_too_long(size))
    return b"".join(parts)


def _read_when_there(file: Any, size: int) -> bytes:
    """Read from a pipe once it has something: a signal that comes right before a read that waits is heard after it."""
    poll = getattr(select, "poll", None)
    if poll is not None:
        there = poll()
        there.register(file.fileno(), select.POLLIN)
        while not there.poll(200):  # milliseconds
            pass
    part: bytes = file.read1(size)
    return part


def _too_long(size: int) -> str:
    return (
        f"limit reached: found {size_text(size)} or more, expected at most {size_text(LIMIT)} of text. "
        "Keep larger models as .npz or as a directory."
    )


def kind_of(head: bytes) -> str:
    """Say what a file holds by its first bytes, for messages.

    >>> kind_of(b"PK\\x03\\x04..."), kind_of(b"discount = 1"), kind_of(b"")
    ('an npz archive', 'text', 'nothing')
    """
    if not head:
        return "nothing"
    for kind, begins in KINDS.items():
        if head.startswith(begins):
            return kind
    wide = b"\0" in head[:4] or head[:2] in (b"\xff\xfe", b"\xfe\xff")
    return "binary data, or text in UTF-16" if wide else "text"


def check_text(head: bytes) -> str:
    """Return what a file holds by its first bytes; ModelError where that is another kind of file than text."""
    kind = kind_of(head)
    if kind not in ("nothing", "text", "binary data, or text in UTF-16"):
        raise ModelError(f"found {kind}, expected text")
    return kind


def decode(data: bytes) -> str:
    """Return the text of a file: UTF-8, with or without byte order mark, without NUL; ModelError with the line."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    kind = check_text(data[:8])
    if kind == "nothing":
        raise ModelError("empty, expected a model")
    at = data.find(b"\0")
    if at >= 0:
        hint = " (is it UTF-16?)" if "UTF-16" in kind else ""
        raise ModelError(Fault(f"found a NUL byte, expected UTF-8 text{hint}", line=_line(data, at)))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise ModelError(
            Fault(f"found byte 0x{byte:02x}, expected UTF-8 text", line=_line(data, error.start))
        ) from None


def text_of(file: BinaryIO, times: int) -> str:
    """Return the text of a file, where there is memory for what is made of it: this many times its length."""
    data = read_all(file)
    file.close()  # what a stream held is not kept beside the text
    require(times * len(data), "A directory of arrays needs least.")
    return decode(data)


def _line(data: bytes, at: int) -> int:
    before = data[:at].replace(b"\r\n", b"\n")
    return before.count(b"\n") + before.count(b"\r") + 1


def plain_ends(text: str) -> str:
    """Return a text with all its line ends as newlines."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
