"""Model files: TOML for people, CSV for spreadsheets, npz and directories of arrays for programs."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from tabular_rl.errors import ModelError, OptionError, kind_text, path_text, quoted
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP, Sense, checked_gamma, checked_horizon

FORMATS = ("toml", "csv", "npz", "directory")
SUFFIXES = {".toml": "toml", ".csv": "csv", ".npz": "npz"}
EXAMPLE = "example:"
NEEDS = {"toml": 40, "csv": 12}  # about how many times its length a text takes while it is read


@public
def load(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    gamma: Any = None,
    horizon: int | None = None,
    terminal: Iterable[str] | None = None,
    sense: Sense | None = None,
    normalize: bool = False,
) -> MDP:
    """Return the model of a file.

    Parameters
    ----------
    path : a file, a directory of arrays, "-" for standard input, or "example:NAME" for a model of the package
    format : "toml", "csv", "npz" or "directory"; by default what the suffix says
    gamma, horizon, terminal, sense : take the place of what the file says; gamma as a text is an exact rational
    normalize : rescale rows that do not sum to 1

    Returns
    -------
    MDP. Arrays of a directory are mapped, not read; their contents are validated when they are first needed.

    Raises
    ------
    ModelError : path, line and reason of each fault

    Examples
    --------
    >>> load("example:recycling_robot").states[0]
    'high'
    """
    from tabular_rl.formats.fields import Asked
    from tabular_rl.formats.input import reporting

    if format is not None and format not in FORMATS:
        raise OptionError(f"format: found {quoted(format)}, expected one of {', '.join(FORMATS)}")
    if sense not in (None, "max", "min"):
        raise OptionError(f"sense: found {quoted(sense)}, expected 'max' or 'min'")
    asked = Asked(
        gamma=None if gamma is None else checked_gamma(gamma),
        horizon=checked_horizon(horizon),
        terminal=_named(terminal),
        sense=sense,
        normalize=normalize,
    )
    name = os.fspath(path)
    if name.startswith(EXAMPLE):
        from tabular_rl.formats.bundled import example_path

        name = str(example_path(name.removeprefix(EXAMPLE)))
    source = "<stdin>" if name == "-" else name
    try:
        with reporting():
            return _read(name, format, asked).replace(origin=source)
    except ModelError as error:
        raise error.at(source) from None
    except MemoryError as error:
        what = str(error).partition(" for an array")[0].rstrip(".")
        found = f" ({what})" if what else ""
        raise ModelError(
            f"needs more memory than there is{found}. A directory of arrays needs least.", source
        ) from None


def _example_of(name: str) -> str:
    """A suggestion for a file that is not there, where a model of its name comes along."""
    from tabular_rl.formats.bundled import examples

    stem = Path(name).stem
    return f"; did you mean 'example:{stem}'?" if stem in examples() else ""


def _named(terminal: Any) -> tuple[str, ...] | None:
    """Return the names of terminal states that the caller asks for: several, or one text."""
    if terminal is None or isinstance(terminal, str):
        return None if terminal is None else (terminal,)
    if not isinstance(terminal, Iterable):
        raise OptionError(f"terminal: found {kind_text(terminal)}, expected a list of names of states")
    return tuple(map(str, terminal))


def _read(name: str, format: str | None, asked: Any) -> MDP:
    from tabular_rl.formats import input

    if name == "-":
        return _read_stream(input.standard_input(), format, asked)
    if "\0" in name:
        raise ModelError("found a NUL byte in the path, expected a path")
    try:
        about = os.stat(name)
    except FileNotFoundError:
        raise ModelError(f"no such file{input.near(name) or _example_of(name)}") from None
    if stat.S_ISDIR(about.st_mode):
        if format not in (None, "directory") or not (Path(name) / "header.json").exists():
            raise ModelError("is a directory without header.json, expected a file or a directory of arrays")
        from tabular_rl.formats.directory import read_directory

        return read_directory(Path(name), asked)
    if format == "directory":
        raise ModelError("is a file, expected a directory of arrays")
    with open(name, "rb") as file:
        if not stat.S_ISREG(about.st_mode):
            return _read_stream(file, format, asked)
        suffix = Path(name).suffix.lower()
        chosen = format or SUFFIXES.get(suffix)
        if chosen is None:
            way_out = "or say which format it is with --format"
            raise ModelError(
                f"found suffix {quoted(suffix)}, expected one of {', '.join(SUFFIXES)}, {way_out}"
            )
        head = file.read(8)
        file.seek(0)
        _check_kind(input.kind_of(head), chosen)
        if chosen == "npz":
            from tabular_rl.formats.npz import read_npz

            return read_npz(file, asked)
        return _read_text(input.read_all(file), chosen, asked)


def _read_stream(file: BinaryIO, format: str | None, asked: Any) -> MDP:
    """Read a pipe: npz by its magic, otherwise the format, TOML by default."""
    from tabular_rl.formats import input

    if format == "directory":
        raise ModelError("is no directory of arrays")
    try:
        data = input.read_all(file)
    except ValueError as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError("closed, expected a model") from None
    kind = input.kind_of(data[:8])
    chosen = format or ("npz" if kind == "an npz archive" else "toml")
    _check_kind(kind, chosen)
    if chosen == "npz":
        from tabular_rl.formats.npz import read_npz

        return read_npz(io.BytesIO(data), asked)
    return _read_text(data, chosen, asked)


def _check_kind(kind: str, format: str) -> None:
    if kind == "nothing":
        raise ModelError("empty, expected a model")
    if format == "npz" and kind != "an npz archive":
        raise ModelError(f"found {kind}, expected an npz archive")
    if format != "npz" and kind == "an npz archive":
        raise ModelError(f"found an npz archive, expected {format.upper()}. Name it .npz.")


def _read_text(data: bytes, format: str, asked: Any) -> MDP:
    from tabular_rl.formats.input import decode
    from tabular_rl.formats.memory import require

    require(NEEDS[format] * len(data), "A directory of arrays needs least.")
    text = decode(data)
    del data
    if format == "csv":
        from tabular_rl.formats.csv import read_csv

        return read_csv(text, asked)
    from tabular_rl.formats.toml import read_toml

    return read_toml(text, asked)


@public
def save(what: Any, path: str | os.PathLike[str], *, format: str | None = None) -> None:
    """Write a model to a file, or to a directory of arrays; an answer by its own `save`.

    What stood there is replaced when the new file is complete, and is intact if that fails.

    Parameters
    ----------
    what : the model; or an answer, which is written as JSON or CSV
    path : a file, a directory, or "-" for standard output
    format : "toml", "csv", "npz" or "directory"; by default what the suffix says: without one, a directory

    Raises
    ------
    OutputError : path and reason
    """
    from tabular_rl.formats.output import write_atomically

    if not isinstance(what, MDP):
        if format is None and hasattr(what, "save"):
            what.save(path)
            return
        hint = "; write_log writes transitions" if hasattr(what, "next_row") else ""
        hint = (
            "; save its model: save(estimate.mdp, path)"
            if hasattr(what, "mdp") and hasattr(what, "tries")
            else hint
        )
        raise OptionError(f"save: found {type(what).__name__}, expected a model or an answer{hint}")
    mdp = what
    chosen = format or format_of(path)
    mdp.validate()  # a mapped model is validated before anything is written
    if chosen == "directory":
        from tabular_rl.formats.directory import write_directory

        write_directory(mdp, Path(path))
        return

    def write(file: BinaryIO) -> None:
        if chosen == "npz":
            from tabular_rl.formats.npz import write_npz

            write_npz(mdp, file)
        elif chosen == "csv":
            from tabular_rl.formats.csv import write_csv

            file.writelines(map(_utf8, write_csv(mdp)))
        else:
            from tabular_rl.formats.toml import write_toml

            file.writelines(map(_utf8, write_toml(mdp)))

    write_atomically(path, write)


def _utf8(line: str) -> bytes:
    try:
        return line.encode("utf-8")
    except UnicodeEncodeError as error:
        found = quoted(line[error.start])
        raise ModelError(f"a name holds {found}, half of a surrogate pair, expected text in UTF-8") from None


def format_of(path: str | os.PathLike[str]) -> str:
    """Return the format that a name to write to says.

    >>> format_of("robot.toml"), format_of("big")
    ('toml', 'directory')
    """
    if os.fspath(path) == "-":
        return "toml"
    suffix = Path(path).suffix.lower()
    if os.path.isdir(path) or not suffix:
        return "directory"
    if suffix not in SUFFIXES:
        expected = f"expected one of {', '.join(SUFFIXES)}, or none for a directory"
        raise OptionError(f"{path_text(path)}: found suffix {quoted(suffix)}, {expected}")
    return SUFFIXES[suffix]
