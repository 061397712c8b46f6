"""Logs of transitions: CSV for people and databases, npz for programs.

    episode,state,action,reward,next_state,done
    1,high,search,5,low,0

One line a transition, in the order in which they happened. `done` says that the episode ended there, so that nothing
comes after `next_state`: an episode that was only cut off, by a limit of time say, is not done. `episode` may be left
out, and so may `step`, which is not looked at. An npz archive has the arrays s, a, r, s2, done, and perhaps episode and
step; s, a and s2 are names or indices.

A CSV without faults is read column by column, never whole; one with faults a second time, line by line, to say where
they are.
"""

from __future__ import annotations

import csv
import io
import os
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, islice
from operator import ne
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import SHOWN_FAULTS, Fault, ModelError, OptionError, closest, quoted
from tabular_rl.formats import input
from tabular_rl.formats.csv import cells_of, csv_text
from tabular_rl.formats.fields import AN_EMPTY_CELL, read_number
from tabular_rl.formats.memory import require
from tabular_rl.formats.npz import checked_members, damage, read_array, write_arrays
from tabular_rl.formats.output import write_atomically
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP, size_text
from tabular_rl.model.names import LONGEST_NAME, Names, are_good, name_fault
from tabular_rl.model.rationals import DECIMAL, FRACTION, nearest
from tabular_rl.model.rows import LARGEST
from tabular_rl.model.transitions import Log, Transitions

SUFFIXES = {".csv": "csv", ".npz": "npz"}
COLUMNS = ("state", "action", "reward", "next_state", "done")
MORE = ("episode", "step")
EXPECTED = f"expected the columns {','.join(COLUMNS)}, and perhaps {' and '.join(MORE)}"
ARRAYS = {
    "state": "s",
    "action": "a",
    "reward": "r",
    "next_state": "s2",
    "done": "done",
    "episode": "episode",
}
MEMBERS = (*ARRAYS.values(), "step")
WHOLE = ("int32", "int64")
TYPES = {
    "s": (*WHOLE, "str"), "a": (*WHOLE, "str"), "s2": (*WHOLE, "str"), "r": ("float64", "float32", *WHOLE),
    "done": ("bool", "uint8", *WHOLE), "episode": (*WHOLE, "str"), "step": (*WHOLE, "float64", "str"),
}  # fmt: skip
ENDS = {
    "0": False,
    "1": True,
    "false": False,
    "true": True,
    "False": False,
    "True": True,
    "FALSE": False,
    "TRUE": True,
}
A_NUMBER = "expected a number such as 1, 0.5 or 2/3"
A_LOG = "expected the path of a log (.csv, .npz), a data frame with its columns, or Transitions of a model"
CHUNK = 1 << 12  # lines at once
LONGEST_LINE = 1 << 20  # bytes
DIGITS = re.compile("([0-9]+)")
KEPT = 1 << 16  # different rewards that are kept as they are spelled; beyond, the nearest floats
MOST_FAULTS = 1000

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@overload
def read_log(path: Any, mdp: MDP) -> Transitions: ...
@overload
def read_log(path: Any, mdp: None = None) -> Log: ...
@public
def read_log(path: Any, mdp: MDP | None = None) -> Transitions | Log:
    """Return the transitions of a log, as those of a model where one is given.

    Parameters
    ----------
    path : a file .csv or .npz, "-" for standard input, or a data frame (pandas) with the columns of a file
    mdp : the model whose states and actions the log names; without it the log has its own

    Returns
    -------
    Transitions of the model, or a Log. With a model, a transition into a terminal state is done, whatever the log says.

    Raises
    ------
    ModelError : path, line and reason of each fault
    """
    if is_frame(path):
        source = "DataFrame"
    elif isinstance(path, (str, os.PathLike)):
        source = "<stdin>" if os.fspath(path) == "-" else os.fspath(path)
    else:
        raise OptionError(f"log: found {type(path).__name__}, {A_LOG}")
    try:
        with input.reporting():
            if is_frame(path):
                found = _read_file(io.BytesIO(path.to_csv(index=False).encode()), "csv", mdp)
            else:
                found = _read(os.fspath(path), mdp)
    except ModelError as error:
        raise error.at(source) from None
    except MemoryError:
        raise ModelError("needs more memory than there is. As .npz a log needs least.", source) from None
    return found


def is_frame(given: object) -> bool:
    """Whether this is a data frame that can write itself as CSV."""
    return hasattr(given, "to_csv") and hasattr(given, "columns")


def log_of(given: Any) -> Log | Transitions:
    """Return a log, or what is read as one: the path of a file, or a data frame."""
    if isinstance(given, (Log, Transitions)):
        return given
    found: Log = read_log(given)
    return found


def given_transitions(given: Any, mdp: MDP) -> Transitions:
    """Return transitions of a model from a list of (s, a, r, s'[, done]), the path of a log, or a data frame."""
    if isinstance(given, Log):
        raise OptionError(
            "data: found a Log, whose names are its own, expected Transitions: read_log(path, mdp)"
        )
    if isinstance(given, (str, os.PathLike)) or is_frame(given):
        found: Transitions = read_log(given, mdp)
        return found
    if not isinstance(given, Iterable):
        raise OptionError(f"data: found {type(given).__name__}, {A_LOG}")
    return Transitions.of(mdp, given)


def _read(name: str, mdp: MDP | None) -> Transitions | Log:
    if name == "-":
        return _read_stream(input.standard_input(), None, mdp)
    if "\0" in name:
        raise ModelError("found a NUL byte in the path, expected a path")
    try:
        about = os.stat(name)
    except FileNotFoundError:
        raise ModelError(f"no such file{input.near(name)}") from None
    format = SUFFIXES.get(Path(name).suffix.lower())
    if stat.S_ISDIR(about.st_mode):
        raise ModelError("is a directory, expected a log: a file .csv or .npz")
    if format is None and stat.S_ISREG(about.st_mode):
        raise ModelError(f"found suffix {quoted(Path(name).suffix)}, expected one of {', '.join(SUFFIXES)}")
    with open(name, "rb") as file:
        if not stat.S_ISREG(about.st_mode):
            return _read_stream(file, format, mdp)
        return _read_file(file, format, mdp)


def _read_stream(file: BinaryIO, format: str | None, mdp: MDP | None) -> Transitions | Log:
    try:
        data = input.read_all(file)
    except ValueError as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError("closed, expected a log") from None
    return _read_file(io.BytesIO(data), format, mdp)


def _read_file(file: BinaryIO, format: str | None, mdp: MDP | None) -> Transitions | Log:
    kind = input.kind_of(file.read(8))
    file.seek(0)
    if kind == "nothing":
        raise ModelError("empty, expected a log")
    chosen = format or ("npz" if kind == "an npz archive" else "csv")
    if chosen == "npz" and kind != "an npz archive":
        raise ModelError(f"found {kind}, expected an npz archive")
    if chosen == "csv" and kind == "an npz archive":
        raise ModelError("found an npz archive, expected CSV. Name it .npz.")
    if chosen == "npz":
        return _read_npz(file, mdp)
    if kind in ("a gzip file", "a pickle", "a single npy array"):
        raise ModelError(f"found {kind}, expected text")
    _scan(file)
    try:
        return _by_columns(file, mdp)
    except (_Faulty, UnicodeDecodeError):
        raise _faults(file, mdp) from None


class _Faulty(Exception):
    """The file has faults; reading it line by line tells where."""


# -- from codes to a log ----------------------------------------------------------------------------------------


class _Codes(dict[str, int]):
    """Texts, each with its number in order of first appearance."""

    def __missing__(self, text: str) -> int:
        self[text] = at = len(self)
        return at

    def of(self, texts: Sequence[str]) -> Ints:
        return np.fromiter(map(self.__getitem__, texts), np.int64, len(texts))


def _ordered(texts: Iterable[str]) -> tuple[Names, Ints]:
    """Names in an order that does not depend on the log, numbers in them by size, and where each text stands in it."""
    listed = list(texts)
    order = sorted(range(len(listed)), key=lambda i: _natural(listed[i]))
    place = np.empty(len(listed), dtype=np.int64)
    place[order] = np.arange(len(listed))
    return Names([listed[i] for i in order]), place


def _natural(text: str) -> tuple[Any, ...]:
    """
    >>> sorted(["r10", "r9", "a", "r09"], key=_natural)
    ['a', 'r09', 'r9', 'r10']
    """
    parts: list[Any] = DIGITS.split(text)
    parts[1::2] = [(len(x.lstrip("0")), x.lstrip("0")) for x in parts[1::2]]
    return parts, text


def _of_model(
    mdp: MDP, s: Ints, a: Ints, reward: Floats, s2: Ints, done: NDArray[np.bool_], begins: NDArray[np.bool_]
) -> Transitions:
    """Transitions of a model; _Faulty where a pair is not available or an index is none of its own."""
    for index, size in ((s, mdp.S), (a, mdp.A), (s2, mdp.S)):
        if ((index < 0) | (index >= size)).any():
            raise _Faulty
    rows = rows_of(mdp, s, a)
    if (rows < 0).any():
        raise _Faulty
    made = Transitions.of_arrays(mdp, rows, reward, s2, done)
    made.next_row[:-1][begins[1:]] = -1
    return made


def rows_of(mdp: MDP, s: Ints, a: Ints) -> Ints:
    """The row of each pair (N,), -1 where it is not available."""
    A = max(mdp.A, 1)
    pairs = mdp.pair_state.astype(np.int64) * A + mdp.pair_action
    wanted = s * A + a
    at = np.minimum(np.searchsorted(pairs, wanted), max(mdp.L - 1, 0))
    return np.where(pairs[at] == wanted, at, -1) if mdp.L else np.full(len(s), -1)


# -- CSV, column by column --------------------------------------------------------------------------------------


def _scan(file: BinaryIO) -> None:
    """Look for what no text holds before lines are read: NUL, and a line without end."""
    line, far = 1, 0
    while part := file.read(LONGEST_LINE):
        if b"\0" in part:
            end = file.tell()
            file.seek(0)
            input.decode(file.read(end))  # says the line
        found = max(part.rfind(b"\n"), part.rfind(b"\r"))
        far = far + len(part) if found < 0 else len(part) - found
        if far > LONGEST_LINE:
            what = f"found a line of more than {size_text(LONGEST_LINE)}, expected a transition a line"
            raise ModelError(Fault(what, line=line + _ends(part)))
        line += _ends(part)
    file.seek(0)


def _ends(part: bytes) -> int:
    return part.count(b"\n") or part.count(b"\r")


def _text(file: BinaryIO) -> io.TextIOWrapper:
    file.seek(0)
    return io.TextIOWrapper(file, "utf-8-sig", newline="")


@dataclass
class _Top:
    """The line of column names: where each column is."""

    width: int
    column: dict[str, int]
    line: int  # its own

    @classmethod
    def of(cls, lines: Iterable[str]) -> _Top:
        number, line = 0, ""
        for number, line in enumerate(lines, 1):  # noqa: B007
            if line.strip(" \t\r\n,;"):
                break
        cells = cells_of(line, number)
        while cells and not cells[-1].strip():
            cells.pop()
        names = [cell.strip().lower() for cell in cells]
        if not names:
            raise ModelError("found no line of column names, " + EXPECTED)
        what = None
        missing = [name for name in COLUMNS if name not in names]
        unknown = [name for name in names if name not in (*COLUMNS, *MORE)]
        if "," not in line and any(mark in line for mark in ";\t"):
            what = f"found columns divided by {'semicolons' if ';' in line else 'tabs'}, expected commas"
        elif unknown:
            hint = closest(unknown[0], (*COLUMNS, *MORE)) or f", {EXPECTED}"
            what = (
                f"found the column {quoted(unknown[0])}{hint}"
                if unknown[0]
                else f"found a column without a name, {EXPECTED}"
            )
        elif len(set(names)) < len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            what = f"found the column {quoted(twice)} twice, expected it once"
        elif missing:
            what = f"found no column {quoted(missing[0])}, {EXPECTED}"
        if what is not None:
            raise ModelError(Fault(what, line=number))
        return cls(len(names), {name: i for i, name in enumerate(names)}, number)

    def cut(self, fields: list[str]) -> list[str]:
        """The fields of a line without empty ones past the columns."""
        return fields if any(fields[self.width :]) else fields[: self.width]


@dataclass
class _Rewards:
    """Rewards as codes of their texts while there are few, as floats when there are many."""

    codes: _Codes = field(default_factory=_Codes)
    parts: list[Any] = field(default_factory=list)
    floats: list[Floats] = field(default_factory=list)

    def add(self, texts: Sequence[str]) -> None:
        if self.codes is not None and len(self.codes) <= KEPT:
            self.parts.append(self.codes.of(texts).astype(np.int32))
        else:
            self.floats.append(np.array([_float(text) for text in texts], dtype=np.float64))

    def done(self) -> tuple[Floats, tuple[Fraction, ...] | None, Ints | None]:
        values = [_number(text) for text in self.codes]
        if None in values:
            raise _Faulty
        exact = tuple(x for x in values if x is not None)
        table = np.array([nearest(x) for x in exact], dtype=np.float64)
        code = np.concatenate([np.zeros(0, np.int32), *self.parts])
        reward = np.concatenate([table[code], *self.floats])
        return (reward, None, None) if self.floats else (reward, exact, code.astype(np.int64))


def _number(text: str) -> Fraction | None:
    """The number that a text spells, None where it is none or too large."""
    if not (DECIMAL.fullmatch(text) or FRACTION.fullmatch(text)):
        return None
    return read_number(text, True)  # type: ignore[return-value]


def _float(text: str) -> float:
    if DECIMAL.fullmatch(text):
        x = float(text)
        if -LARGEST <= x <= LARGEST:
            return x
    exact = _number(text)
    if exact is None:
        raise _Faulty
    return nearest(exact)


def _by_columns(file: BinaryIO, mdp: MDP | None) -> Transitions | Log:
    lines = _text(file)
    try:
        top = _Top.of(lines)
        names = {name: _Codes() for name in ("state", "action", "next_state")}
        parts: dict[str, list[Any]] = {name: [] for name in (*names, "done", "episode")}
        rewards, last = _Rewards(), ""
        rows = csv.reader(lines, strict=True)
        try:
            while chunk := list(islice(rows, CHUNK)):
                if any(len(row) != top.width for row in chunk):
                    chunk = [top.cut(row) for row in chunk if any(row)]
                    if any(len(row) != top.width for row in chunk):
                        raise _Faulty
                if not chunk:
                    continue
                columns = list(zip(*chunk, strict=True))
                for name, codes in names.items():
                    parts[name].append(codes.of(columns[top.column[name]]).astype(np.int32))
                rewards.add(columns[top.column["reward"]])
                ends = [ENDS.get(text) for text in columns[top.column["done"]]]
                if None in ends:
                    raise _Faulty
                parts["done"].append(np.array(ends, dtype=bool))
                if "episode" in top.column:
                    texts = columns[top.column["episode"]]
                    changed = map(ne, texts, chain((last,), texts))
                    parts["episode"].append(np.fromiter(changed, bool, len(texts)))
                    last = texts[-1]
        except csv.Error:
            raise _Faulty from None
    finally:
        lines.detach()
    if not parts["done"]:
        raise ModelError("found no transitions, expected at least one")
    done = np.concatenate(parts["done"])
    begins = np.concatenate([[True], done[:-1]])
    if parts["episode"]:
        begins |= np.concatenate(parts["episode"])
    reward, spelled, code = rewards.done()
    if not all(map(are_good, names.values())):
        raise _Faulty
    index = {name: np.concatenate(parts[name]) for name in names}
    del parts
    if mdp is not None:
        found = {}
        for name, codes in names.items():
            own = mdp.actions if name == "action" else mdp.states
            at = [own.find(text) for text in codes]
            if None in at:
                raise _Faulty
            found[name] = np.array(at, dtype=np.int64)[index[name]]
        return _of_model(mdp, found["state"], found["action"], reward, found["next_state"], done, begins)
    known = _Codes()
    code_s, code_s2 = known.of(list(names["state"])), known.of(list(names["next_state"]))
    states, place = _ordered(known)
    actions, act = _ordered(names["action"])
    s, s2 = place[code_s][index["state"]], place[code_s2][index["next_state"]]
    return Log(states, actions, s, act[index["action"]], reward, s2, done, begins, spelled, code)


# -- CSV, line by line ------------------------------------------------------------------------------------------


def _records(lines: Iterable[str], top: _Top, faults: list[Fault]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the fields of each transition with its line."""
    rows = csv.reader(lines, strict=True)
    while len(faults) < MOST_FAULTS:
        line = top.line + rows.line_num + 1
        try:
            fields = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            faults.append(Fault(f"not valid CSV: {error}", line=line))
            return
        if not any(fields):
            continue
        fields = top.cut(fields)
        if len(fields) != top.width:
            what = f"found {len(fields)} fields, expected {top.width} as in the line of column names"
            faults.append(Fault(what, line=line))
            continue
        yield line, {name: fields[i] for name, i in top.column.items()}


def _faults(file: BinaryIO, mdp: MDP | None) -> ModelError:
    """Say what is wrong with each line."""
    require(3 * file.seek(0, 2))
    file.seek(0)
    input.decode(file.read())  # says the line of a byte that is not UTF-8
    faults: list[Fault] = []
    lines = _text(file)
    top = _Top.of(lines)
    for line, found in _records(lines, top, faults):
        state, action, next_state = found["state"], found["action"], found["next_state"]
        place = {"state": state, "action": action, "line": line}
        wrong = False
        for word, name in (("state", state), ("action", action), ("next_state", next_state)):
            what = name_fault(name) if name.strip() else AN_EMPTY_CELL
            if what and (mdp is None or len(name) > LONGEST_NAME or not name.strip()):
                faults.append(Fault(f"{word}: {what}", line=line))
                wrong = True
        if wrong:
            continue
        if mdp is not None:
            few = len(faults) < SHOWN_FAULTS  # the search for the closest name takes its time
            lacking = missing(mdp, state, action, few)
            if lacking is not None:
                faults.append(Fault(lacking, **place))  # type: ignore[arg-type]
            if mdp.states.find(next_state) is None:
                what = f"no such state{closest(next_state, mdp.states) if few else ''}"
                faults.append(Fault(what, next_state=next_state, **place))  # type: ignore[arg-type]
        if _number(found["reward"]) is None:
            fits = DECIMAL.fullmatch(found["reward"])
            expected = f"expected a number up to {LARGEST:g}" if fits else A_NUMBER
            faults.append(Fault(f"found reward {quoted(found['reward'])}, {expected}", **place))  # type: ignore[arg-type]
        if found["done"] not in ENDS:
            what = f"done: found {quoted(found['done'])}, expected 0, 1, false or true"
            faults.append(Fault(what, **place))  # type: ignore[arg-type]
    lines.detach()
    return ModelError(faults)


def missing(mdp: MDP, state: str, action: str, hint: bool = True) -> str | None:
    """Why a pair is not one of the model, or None; the `hint` is the closest name."""
    s, a = mdp.states.find(state), mdp.actions.find(action)
    if s is None:
        return f"no such state{closest(state, mdp.states) if hint else ''}"
    if mdp.terminal[s]:
        return "found a transition from a terminal state, expected none"
    if a is None:
        return f"no such action{closest(action, mdp.actions) if hint else ''}"
    if not any(mdp.pair_action[i] == a for i in mdp.rows(s)):
        return "not available in the model"
    return None


# -- npz --------------------------------------------------------------------------------------------------------


def _read_npz(file: BinaryIO, mdp: MDP | None) -> Transitions | Log:
    size = file.seek(0, 2)
    with damage(f"not a complete npz archive ({size} bytes)"):
        archive = zipfile.ZipFile(file)
        members = archive.infolist()
    with archive:
        infos = checked_members(members, size, MEMBERS, f"a log: {', '.join(ARRAYS.values())}")
        for name in list(ARRAYS.values())[:5]:
            if name not in infos:
                raise ModelError(
                    f"found no member {quoted(name + '.npy')}, expected those of a log: s, a, r, s2, done"
                )
        require(2 * sum(info.file_size for info in infos.values()))
        arrays: dict[str, Any] = {}
        length = None
        for name in MEMBERS:
            if name in infos:
                array = read_array(archive, infos[name], name, length, TYPES[name])
                if array.dtype.kind == "U":
                    _check_text(array, name)
                arrays[name], length = array, len(array)
    if not length:
        raise ModelError("found no transitions, expected at least one")
    reward = arrays["r"].astype(np.float64)
    wrong = ~(np.abs(reward) <= LARGEST)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ModelError(
            f"transition {at + 1}: found reward {reward[at]}, expected a finite number up to {LARGEST:g}"
        )
    done = arrays["done"]
    if done.dtype != bool:
        wrong = (done != 0) & (done != 1)
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise ModelError(f"transition {at + 1}: done: found {done[at]}, expected 0 or 1")
        done = done != 0
    begins = np.concatenate([[True], done[:-1]])
    if "episode" in arrays:
        begins[1:] |= arrays["episode"][1:] != arrays["episode"][:-1]
    if mdp is not None:
        s, a, s2 = (
            _indices(arrays[name], mdp.actions if name == "a" else mdp.states, word)
            for name, word in (("s", "state"), ("a", "action"), ("s2", "next state"))
        )
        rows = rows_of(mdp, s, a)
        if (rows < 0).any():
            at = int(np.flatnonzero(rows < 0)[0])
            names = mdp.states[int(s[at])], mdp.actions[int(a[at])]
            raise ModelError(Fault(f"{missing(mdp, *names)} (transition {at + 1})", *names))
        return _of_model(mdp, s, a, reward, s2, done, begins)
    if (arrays["s"].dtype.kind == "U") != (arrays["s2"].dtype.kind == "U"):
        raise ModelError("found names in one of s and s2 and indices in the other, expected one kind")
    S = length
    states, both = _coded(np.concatenate([arrays["s"], arrays["s2"]]), "state")
    actions, a = _coded(arrays["a"], "action")
    return Log(states, actions, both[:S], a, reward, both[S:], done, begins)


def _check_text(array: NDArray[Any], member: str) -> None:
    """Raise where an array of texts holds what no text does: numbers that are no characters, names without end."""
    if array.dtype.itemsize > 4 * LONGEST_NAME:
        raise ModelError(
            f"member {quoted(member)}: found names of {array.dtype.itemsize // 4} characters, "
            f"expected at most {LONGEST_NAME}"
        )
    characters = array.view(np.uint32)
    if characters.size and int(characters.max()) > 0x10FFFF:
        raise ModelError(
            f"member {quoted(member)}: found {int(characters.max()):#x}, expected characters of Unicode"
        )


def _coded(array: NDArray[Any], word: str) -> tuple[Names, Ints]:
    """The names that an array holds, and which one stands where."""
    if array.dtype.kind != "U":
        found, code = np.unique(array, return_inverse=True)
        return Names([str(int(x)) for x in found]), code.astype(np.int64)
    codes = _Codes()
    parts = [codes.of(array[i : i + CHUNK].tolist()) for i in range(0, len(array), CHUNK)]
    if not are_good(codes):
        name = next(name for name in codes if name_fault(name))
        raise ModelError(f"{word} {quoted(name)}: {name_fault(name)}")
    names, place = _ordered(codes)
    return names, place[np.concatenate(parts)]


def _indices(array: NDArray[Any], names: Names, word: str) -> Ints:
    """Names or indices as indices of a model."""
    if array.dtype.kind == "U":
        codes = _Codes()
        code = np.concatenate([codes.of(array[i : i + CHUNK].tolist()) for i in range(0, len(array), CHUNK)])
        place = [names.find(text) for text in codes]
        index = np.array([-1 if at is None else at for at in place], dtype=np.int64)[code]
    else:
        index = array.astype(np.int64)
    wrong = (index < 0) | (index >= len(names))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        kind = word.removeprefix("next ")
        if array.dtype.kind == "U":
            found = str(array[at])
            raise ModelError(
                f"transition {at + 1}: {word} {quoted(found)}: no such {kind}{closest(found, names)}"
            )
        raise ModelError(
            f"transition {at + 1}: {word}: found index {array[at]}, expected 0 to {len(names) - 1}"
        )
    return index


# -- writing ----------------------------------------------------------------------------------------------------


@public
def write_log(transitions: Transitions, path: str | os.PathLike[str]) -> None:
    """Write transitions as CSV or npz, by the suffix; "-" is CSV on standard output.

    `episode` counts up where the next action is not known, so that reading the file gives the same transitions.

    Raises
    ------
    OptionError : another suffix
    OutputError : path and reason
    """
    if not isinstance(transitions, Transitions):
        raise OptionError(f"write_log: found {type(transitions).__name__}, expected Transitions of a model")
    suffix = Path(path).suffix.lower()
    if os.fspath(path) != "-" and suffix not in SUFFIXES:
        raise OptionError(f"log: found suffix {quoted(suffix)}, expected one of {', '.join(SUFFIXES)}")
    mdp, row = transitions.mdp, transitions.row
    s, a, s2 = mdp.pair_state[row], mdp.pair_action[row], transitions.next_state
    ended = transitions.done | (transitions.next_row < 0)
    episode = np.concatenate([[1], 1 + np.cumsum(ended[:-1])]).astype(np.int64)
    if suffix == ".npz":
        arrays = {
            "s": _named(s, mdp.states), "a": _named(a, mdp.actions), "r": transitions.reward,
            "s2": _named(s2, mdp.states), "done": transitions.done, "episode": episode,
        }  # fmt: skip
        write_atomically(path, lambda file: write_arrays(arrays, file))
        return

    def write(file: BinaryIO) -> None:
        states, actions = [csv_text(name) for name in mdp.states], [csv_text(name) for name in mdp.actions]
        file.write(f"episode,{','.join(COLUMNS)}\n".encode())
        for i in range(0, len(row), CHUNK):
            part = slice(i, i + CHUNK)
            columns = (
                x[part].tolist()
                for x in (episode, s, a, transitions.reward, s2, transitions.done.astype(np.int8))
            )
            text = "".join(
                f"{e},{states[b]},{actions[c]},{r!r},{states[d]},{end}\n"
                for e, b, c, r, d, end in zip(*columns, strict=True)
            )
            file.write(text.encode("utf-8"))

    write_atomically(path, write)


def _named(index: NDArray[Any], names: Names) -> NDArray[Any]:
    return np.array(list(names))[index] if names.given else index.astype(np.int64)
