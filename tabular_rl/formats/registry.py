"""The formats of the files that the package reads and writes, a line each.

What loads, saves, completes, lists or explains a format follows from its line: docs/adding-a-format.md shows how.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, BinaryIO

from tabular_rl.errors import ModelError, OptionError, path_text, quoted
from tabular_rl.formats import input
from tabular_rl.formats.extras import required
from tabular_rl.formats.input import ZIP
from tabular_rl.formats.output import all_or_none, write_atomically

NO_ARRAYS = "is a directory without header.json, expected a file or a directory of arrays"


@dataclass(frozen=True)
class Format:
    """A format: what it is called, how its files are recognised, who reads and writes them.

    `read` takes an open binary file and what the caller asks for, `write` what there is to write and an open binary
    file; a format without suffixes is a directory and both take its path. A function is named as "module.function" of
    this folder, so that it is imported when it is first called; without `write` it is only read. `magic` are the first
    bytes of a file, none for text, `content` what messages call what such a file holds, `example` one of them,
    `purpose` what it is for. `partial` says that `write` refuses models which the format cannot hold, `arrays` that
    `read` takes `asked.arrays`. `needs` is a package that reads and writes it, and the extra that brings it.
    """

    name: str
    suffixes: tuple[str, ...]
    read: str | Callable[..., Any]
    write: str | Callable[..., Any] = ""
    magic: tuple[bytes, ...] = ()
    content: str = "text"
    purpose: str = ""
    partial: bool = False
    checker: bool = False  # a model checker's, which may have several rewards
    family: bool = False  # several files, whose writer takes the path of the first
    arrays: bool = False
    needs: tuple[str, str] | None = None
    example: str = ""

    def check_needs(self, what: str) -> None:
        """Raise MissingExtra where the package that it needs is not there; `what` asks for it."""
        if self.needs is not None:
            package, extra = self.needs
            required(package, what, extra)

    @property
    def folder(self) -> bool:
        """Whether it is a folder, which has no suffix."""
        return not self.suffixes

    @property
    def title(self) -> str:
        """What pages and messages call it.

        >>> [format.title for format in MODELS.formats[:5]]
        ['TOML', 'CSV', 'npz', 'directory', 'JSON']
        """
        if self.binary or self.folder:
            return self.name
        return self.name.upper() if len(self.name) <= 5 else self.name.capitalize()

    @property
    def binary(self) -> bool:
        """Whether its first bytes are those of no text: a file that has them can be of no other format."""
        return any(not magic.decode("latin-1").isprintable() for magic in self.magic)


def function(named: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of a format, imported where it is only named."""
    if callable(named):
        return named
    found: Callable[..., Any] = resolve_name(f"tabular_rl.formats.{':'.join(named.rsplit('.', 1))}")
    return found


def _check_arrays(format: Format, given: tuple[Any, ...]) -> None:
    """Raise where a caller says how arrays are read and the format says it itself."""
    if not format.arrays and any(getattr(asked, "arrays", None) for asked in given):
        raise ModelError(
            f"{format.title} says itself how it is read, expected --arrays for .mat, .npz and .json only"
        )


class Formats:
    """The formats of one thing, "a model" say. The first is that of a stream which does not tell its own."""

    def __init__(
        self, thing: str, *formats: Format, otherwise: str = "", built: Mapping[str, str] | None = None
    ) -> None:
        self.thing, self.formats, self.otherwise = thing, list(formats), otherwise
        self.built = dict(built or {})  # suffixes of languages, with the program that builds models of them

    @property
    def names(self) -> list[str]:
        """The names of the formats."""
        return [format.name for format in self.formats]

    @property
    def written(self) -> list[Format]:
        """The formats that are written; all where others write them.

        >>> [format.name for format in MODELS.written[:4]]
        ['toml', 'csv', 'npz', 'directory']
        """
        return [format for format in self.formats if format.write] or self.formats

    @property
    def suffixes(self) -> list[str]:
        """The suffixes of all formats."""
        return [suffix for format in self.formats for suffix in format.suffixes]

    @property
    def titles(self) -> str:
        """The titles of those that are files, as help texts say them.

        >>> ANSWERS.titles
        'JSON, CSV, Parquet'
        """
        return ", ".join(format.title for format in self.formats if not format.folder)

    @property
    def endings(self) -> str:
        """How the names of files end that are written, as help texts say it.

        >>> LOGS.endings, MODELS.endings[:18], MODELS.endings[-24:]
        ('.csv, .npz, .parquet', '.toml, .csv, .npz,', 'or a directory of arrays')
        """
        suffixes = [suffix for format in self.written for suffix in format.suffixes]
        folders = [", or a directory of arrays" for format in self.written if format.folder]
        return ", ".join(suffixes) + "".join(folders)

    def named(self, name: str) -> Format:
        """Return a format by its name.

        Raises
        ------
        OptionError : there is none of this name
        """
        if name not in self.names:
            raise OptionError(f"format: found {quoted(name)}, expected one of {', '.join(self.names)}")
        return self.formats[self.names.index(name)]

    def of(self, path: str | os.PathLike[str]) -> Format | None:
        """Return the format that the suffix of a path says, None where it says none.

        >>> MODELS.of("Robot.CSV").name, MODELS.of("robot")
        ('csv', None)
        """
        suffix = Path(path).suffix.lower()
        return next((format for format in self.formats if suffix in format.suffixes), None)

    def of_bytes(self, head: bytes) -> Format | None:
        """Return the format that the first bytes of a file say, None where they say none.

        >>> MODELS.of_bytes(b"PK\\x03\\x04...").name, MODELS.of_bytes(b"discount")
        ('npz', None)
        """
        return next((format for format in self.formats if head.startswith(format.magic)), None)

    def read(
        self, name: str, *given: Any, format: Format | None = None, hint: Callable[[str], str] | None = None
    ) -> Any:
        """Return what a file holds.

        Parameters
        ----------
        name : a file, a directory, or "-" for standard input
        given : what the reader takes besides the file
        format : by default that of the suffix; in a stream without one that of the first bytes
        hint : name -> a suggestion where there is no such file

        Raises
        ------
        ModelError : the name, and what is wrong
        """
        with input.reporting(input.source_of(name)):
            return self._open(name, given, format, hint)

    def _open(
        self, name: str, given: tuple[Any, ...], format: Format | None, hint: Callable[[str], str] | None
    ) -> Any:
        if name == "-":
            return self._read_stream(input.standard_input(), format, given)
        if "\0" in name:
            raise ModelError("found a NUL byte in the path, expected a path")
        try:
            mode = os.stat(name).st_mode
        except FileNotFoundError:
            raise ModelError(
                f"no such file{input.near(name, self.suffixes) or (hint(name) if hint else '')}"
            ) from None
        if stat.S_ISDIR(mode):
            folder = next((known for known in self.formats if known.folder), None)
            if folder is None:
                raise ModelError(
                    f"is a directory, expected {self.thing}: a file {' or '.join(self.suffixes)}"
                )
            if format not in (None, folder):
                raise ModelError(NO_ARRAYS)
            _check_arrays(folder, given)
            return function(folder.read)(Path(name), *given)
        if format is not None and format.folder:
            raise ModelError("is a file, expected a directory of arrays")
        chosen = format or self.of(name)
        with open(name, "rb") as file:
            if not stat.S_ISREG(mode):
                return self._read_stream(file, chosen, given)
            if chosen is None:
                self._check_built(name)
                suffix = quoted(Path(name).suffix)
                raise ModelError(
                    f"found suffix {suffix}, expected one of {', '.join(self.suffixes)}{self.otherwise}"
                )
            return self._read(file, chosen, given)

    def _check_built(self, name: str) -> None:
        """Raise where a file is a text in a language, of which another program makes a model."""
        found = self.built.get(Path(name).suffix.lower())
        if found is not None:
            with_file = found.format(file=path_text(name), model=path_text(Path(name).with_suffix(".drn")))
            raise ModelError(
                f"describes a model, expected one that is built. Say '{with_file}', then load that"
            )

    def _read_stream(self, file: BinaryIO, format: Format | None, given: tuple[Any, ...]) -> Any:
        if format is not None and format.folder:
            raise ModelError("is no directory of arrays")
        try:
            file = io.BytesIO(input.read_all(file))
        except ModelError:
            raise
        except ValueError:
            raise ModelError(f"closed, expected {self.thing}") from None
        return self._read(file, format, given)

    def _read(self, file: BinaryIO, format: Format | None, given: tuple[Any, ...]) -> Any:
        """Read an open file after a look at its first bytes."""
        head = file.read(64)
        file.seek(0)
        if not head:
            raise ModelError(f"empty, expected {self.thing}")
        found = self.of_bytes(head) or self.of_bytes(head.removeprefix(b"\xef\xbb\xbf").lstrip())
        chosen = format or found or self.formats[0]
        if chosen.magic and found is not chosen:
            holds = input.kind_of(head) if found is None else found.content
            if holds == "text" and head.lstrip().startswith(b"["):
                holds = "a list"
            raise ModelError(
                f"found {holds}, expected {chosen.content}{chosen.example and ' such as ' + chosen.example}"
            )
        if found is not None and found is not chosen and found.binary:
            raise ModelError(f"found {found.content}, expected {chosen.title}. Name it {found.suffixes[0]}.")
        _check_arrays(chosen, given)
        return function(chosen.read)(file, *given)

    def write(self, what: Any, path: str | os.PathLike[str], format: Format) -> None:
        """Write a file or a directory, which takes the place of what stood there when it is complete."""
        if format not in self.written:
            known = ", ".join(other.name for other in self.written)
            raise OptionError(f"format: {format.name} is only read, expected one of {known}")
        write = function(format.write)
        if format.folder:
            write(what, Path(path))
        elif format.family:
            with all_or_none():
                write(what, Path(path))
        else:
            write_atomically(path, lambda file: write(what, file))


MODELS = Formats(
    "a model",
    Format("toml", (".toml",), "toml.read_toml", "toml.write_toml",
           purpose="people: comments, names, exact numbers, pictures of gridworlds, arrays"),
    Format("csv", (".csv",), "csv.read_csv", "csv.write_csv",
           purpose="spreadsheets and databases: one line a transition"),
    Format("npz", (".npz",), "importers.npz_arrays.read_any_npz", "npz.write_npz", ZIP, "an npz archive",
           purpose="programs: the arrays in one file", arrays=True),
    Format("directory", (), "directory.read_directory", "directory.write_directory",
           purpose="models larger than comfortable: mapped, not read"),
    Format("json", (".json",), "importers.dictionary_json.read_dictionary_json",
           "importers.dictionary_write.write_dictionary_json", (b"{",), "a JSON object",
           purpose="dictionaries of Gymnasium and of courses", arrays=True,
           example='{"gamma": 0.9, "P": {STATE: {ACTION: [[PROBABILITY, NEXT_STATE, REWARD, DONE]]}}}'),
    Format("mdp", (".mdp", ".pomdp"), "importers.cassandra.read_cassandra",
           "importers.cassandra_write.write_cassandra",
           purpose="pomdp-solve and its kin: Cassandra's files, fully observable", partial=True),
    Format("drn", (".drn",), "importers.drn.read_drn", "importers.drn_write.write_drn",
           purpose="the model checker Storm: explicit models, exact fractions", checker=True),
    Format("prism", (".tra",), "importers.prism.read_prism", "importers.prism_write.write_prism",
           purpose="the model checker PRISM: .tra, and .sta .lab .srew .trew beside it", checker=True, family=True),
    Format("mat", (".mat",), "importers.mat.read_mat", "importers.mat.write_mat",
           (b"MATLAB 5.0", b"MATLAB 7.3", b"\x89HDF\r\n\x1a\n"), "a MATLAB file",
           purpose="MDPtoolbox and other code of MATLAB, Octave and R", partial=True, arrays=True),
    Format("umb", (".umb",), "importers.umb.read_umb", "importers.umb_write.write_umb",
           purpose="PRISM, Storm and others: the binary format UMB; needs the extra umb", checker=True,
           needs=("umbi", "umb")),
    otherwise=", or say which format it is with --format",
    built={
        suffix: f"storm {option} {{file}} --buildfull --buildstateval --buildchoicelab --exportbuild {{model}}"
        for suffix, option in ((".jani", "--jani"), *((s, "--prism") for s in (".prism", ".nm", ".pm", ".sm")))
    },
)  # fmt: skip
LOGS = Formats(
    "a log",
    Format("csv", (".csv",), "log_csv.read_log_csv", "log_csv.write_log_csv"),
    Format("npz", (".npz",), "log_arrays.read_log_npz", "log_arrays.write_log_npz", ZIP, "an npz archive"),
    Format(
        "parquet",
        (".parquet",),
        "log_arrays.read_log_parquet",
        "log_arrays.write_log_parquet",
        (b"PAR1",),
        "a Parquet file",
    ),
    Format("hdf5", (".hdf5", ".h5"), "log_arrays.read_log_hdf5", "", (b"\x89HDF\r\n\x1a\n",), "an HDF5 file"),
)
# The format NAME of answers is written by report/render/NAME.py, which has all that there is to say of one.
ANSWERS = Formats(
    "an answer",
    Format("json", (".json",), "answer_json.read_answer_json", magic=(b"{", b"[")),
    Format("csv", (".csv",), "answer_csv.read_answer_csv"),
    Format(
        "parquet",
        (".parquet",),
        "answer_parquet.read_answer_parquet",
        magic=(b"PAR1",),
        content="a Parquet file",
        needs=("pyarrow", "frames"),
    ),
    Format("npy", (), "answer_npy.read_answer_npy"),
)
# The sheets of exercises: the format NAME is written by report/render/NAME.py, and none is read.
SHEETS = Formats(
    "a sheet",
    Format("text", (".txt",), ""),
    Format("markdown", (".md",), ""),
    Format("latex", (".tex",), ""),
)
