"""Logs in arrays: npz archives, frames, dictionaries of arrays as d4rl has them, data sets of Minari, Parquet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import ModelError, OptionError, escape, quoted
from tabular_rl.formats.extras import required
from tabular_rl.formats.frames import is_frame
from tabular_rl.formats.log_columns import Column, Source, Texts
from tabular_rl.formats.log_entries import NONE, columns_of
from tabular_rl.formats.log_roles import ROLES, LogAsked, roles_of
from tabular_rl.formats.log_transitions import log_of_columns
from tabular_rl.formats.memory import require
from tabular_rl.formats.npz import opened, read_array, write_arrays
from tabular_rl.formats.sheet import CHUNK, Codes
from tabular_rl.model.names import LONGEST_NAME, Names
from tabular_rl.model.transitions import Log, Transitions

ARRAYS = {role: role for role in ROLES} | {"state": "s", "action": "a", "reward": "r", "next_state": "s2"}
WHOLE = tuple(f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u"))
TYPES = ("bool", *WHOLE, "float32", "float64", "str")
EPISODE_GROUP = re.compile("episode_[0-9]{1,18}")
MISSING = ("nan", "None", "<NA>", "NaT")


# -- archives ------------------------------------------------------------


def read_log_npz(file: BinaryIO, asked: LogAsked) -> tuple[Log | Transitions, str]:
    """Return the transitions of an npz archive, and what is to be said of them."""
    with opened(file, None, "a log") as (archive, infos):
        found = _roles(list(infos), asked)
        used = {role: found.names[i] for role, i in found.at.items()}
        require(2 * sum(infos[name].file_size for name in used.values()))
        columns: dict[str, Column] = {}
        length = None
        for role, name in used.items():
            array = read_array(archive, infos[name], name, length, TYPES)
            length = len(array)
            if array.dtype.kind == "U":
                _check_text(array, name)
            columns[role] = column_of(array, name)
    return log_of_columns(columns, found, asked, Source(indices=True))


def _roles(names: list[str], asked: LogAsked) -> Any:
    try:
        return roles_of(names, asked)
    except ValueError as error:
        raise ModelError(str(error)) from None


def _check_text(array: NDArray[Any], member: str) -> None:
    """Raise where an array of texts holds what no text does: numbers that are no characters, names without end."""
    size = array.dtype.itemsize // 4
    if size > LONGEST_NAME:
        found = f"names of {size} characters, expected at most {LONGEST_NAME}"
        raise ModelError(f"member {quoted(member)}: found {found}")
    largest = int(array.view(np.uint32).max(initial=0))
    if largest > 0x10FFFF:
        raise ModelError(f"member {quoted(member)}: found {largest:#x}, expected characters of Unicode")


def write_log_npz(transitions: Transitions, file: BinaryIO) -> None:
    """Write transitions as an npz archive, with names where the model has some."""
    columns = named_columns(transitions)
    write_arrays({ARRAYS[role]: column for role, column in columns.items()}, file)


def named_columns(transitions: Transitions) -> dict[str, NDArray[Any]]:
    """Return what a log says, with names where the model has some and else with indices."""
    mdp, columns = transitions.mdp, columns_of(transitions)
    for role, names in (("state", mdp.states), ("action", mdp.actions), ("next_state", mdp.states)):
        columns[role] = _named(columns[role], names)
    return columns


def frame_columns(log: Log | Transitions) -> dict[str, Any]:
    """Return what a log says by the names of its columns, as `read_log` reads them."""
    if isinstance(log, Transitions):
        columns = named_columns(log)
        return {**columns, "done": log.done}
    begins = log.begins | np.concatenate([[True], log.s[1:] != log.s2[:-1]])
    states, actions = (np.array(list(names), dtype=object) for names in (log.states, log.actions))
    columns = {
        "episode": np.cumsum(begins),
        "state": states[log.s],
        "action": actions[log.a],
        "reward": log.reward,
        "next_state": states[log.s2],
        "done": log.done,
    }
    return columns if log.propensity is None else {**columns, "propensity": log.propensity}


def _named(index: NDArray[Any], names: Names) -> NDArray[Any]:
    named: NDArray[Any] = np.array(list(names))[index] if names.given else index.astype(np.int64)
    return named


# -- arrays and frames in memory ------------------------------------------------------------


def log_of_arrays(given: Any, asked: LogAsked) -> tuple[Log | Transitions, str]:
    """Return the transitions of a dictionary of arrays, a frame, or a data set of Minari, and what is to be said."""
    indices = not is_frame(given)
    if hasattr(given, "iterate_episodes"):
        named = _of_episodes({name: getattr(x, name) for name in EPISODE} for x in given.iterate_episodes())
    else:
        named = _columns_of(given)
    found = _roles(list(named), asked)
    columns: dict[str, Column] = {}
    N = None
    for role, i in found.at.items():
        name = found.names[i]
        columns[role] = column_of(_as_array(named[name]), name)
        if N is not None and len(columns[role]) != N:
            raise ModelError(f"column {quoted(name)}: found {len(columns[role])} entries, expected {N}")
        N = len(columns[role])
    return log_of_columns(columns, found, asked, Source(indices))


def _columns_of(given: Any) -> dict[str, Any]:
    """Return the columns of a frame or dictionary by name; what is read from a frame lazily is read when it is used."""
    if isinstance(given, Mapping):
        return _one_longer({str(name): column for name, column in given.items()})
    if any(name is not None for name in getattr(getattr(given, "index", None), "names", ())):
        given = given.reset_index(drop=all(name in given.columns for name in given.index.names))
    names = given.column_names if hasattr(given, "column_names") else given.columns
    return _Lazy(given, {str(name): name for name in names})


def columns_of_list(transitions: Iterable[Any]) -> dict[str, Any]:
    """Return the columns of a list of (s, a, r, s') or (s, a, r, s', done); done is False where it is not said.

    >>> columns_of_list([("new", "call", -1, "warm"), ("warm", "call", 9, "sold", True)])["done"]
    [False, True]
    """
    columns: dict[str, Any] = {name: [] for name in ("state", "action", "reward", "next_state", "done")}
    for at, entry in enumerate(transitions):
        try:
            s, a, r, s2, *end = entry
            if len(end) > 1 or isinstance(entry, (str, Mapping)):
                raise ValueError
        except (TypeError, ValueError):
            raise OptionError(
                f"transition {at + 1}: found {quoted(entry)}, expected (state, action, reward, next state), and "
                "perhaps whether it is done"
            ) from None
        for column, x in zip(columns.values(), (s, a, r, s2, bool(end and end[0])), strict=True):
            column.append(x)
    if not columns["state"]:
        raise ModelError(NONE)
    return columns


class _Lazy(dict[str, Any]):
    """The columns of a frame, by the texts of their names; only those that are asked for are looked at."""

    def __init__(self, frame: Any, names: dict[str, Any]) -> None:
        super().__init__(names)
        self.frame = frame

    def __getitem__(self, name: str) -> Any:
        return self.frame[super().__getitem__(name)]


def _one_longer(columns: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of one episode, whose observations have one more entry, as states and next states."""
    try:
        roles = {role: name for role, known in ROLES.items() for name in columns if name in known}
        states, actions = columns[roles["state"]], columns[roles["action"]]
        if "next_state" in roles or len(states) != len(actions) + 1:
            return columns
        return {**columns, roles["state"]: states[:-1], "next_state": states[1:]}
    except (KeyError, TypeError):
        return columns


EPISODE = ("observations", "actions", "rewards", "terminations", "truncations")


def _of_episodes(episodes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the columns of a data set of Minari, an episode after the other: each has one observation more."""
    names = ("episode", "state", "action", "reward", "next_state", "terminated", "truncated")
    parts: dict[str, list[Any]] = {name: [] for name in names}
    for at, episode in enumerate(episodes):
        states, actions, rewards, ended, cut = (_as_array(episode[name]) for name in EPISODE)
        n = len(actions) if actions.ndim else 0
        if (
            any(len(x) != n for x in (rewards, ended, cut) if x.ndim)
            or not states.ndim
            or len(states) != n + 1
        ):
            found = ", ".join(f"{len(_as_array(episode[name]))} {name}" for name in EPISODE)
            raise ModelError(
                f"episode {at}: found {found}, expected as many of each, and one observation more"
            )
        columns = np.full(n, at), states[:-1], actions, rewards, states[1:], ended, cut
        for name, column in zip(names, columns, strict=True):
            parts[name].append(column)
    if not parts["episode"]:
        raise ModelError(NONE)
    try:
        return {name: np.concatenate(column) for name, column in parts.items()}
    except ValueError:
        raise ModelError("found episodes of different shapes, expected observations of one kind") from None


def _as_array(column: Any) -> NDArray[Any]:
    """Return a column as an array; what is a dictionary of several, say, is none."""
    if hasattr(column, "to_numpy"):
        found: NDArray[Any] = column.to_numpy()
        return found
    try:
        return np.asarray(column)
    except ValueError:
        return np.array([None])


def column_of(array: NDArray[Any], name: str) -> Column:
    """Return an array as a column: numbers and flags as they are, all else as texts.

    Parameters
    ----------
    array : (N,), or (N, 1)
    name : of the column, for messages

    Returns
    -------
    Column

    Raises
    ------
    ModelError : several numbers an entry, or something that is neither number nor text
    """
    where = f"column {quoted(name)}"
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        expected = "expected one number or name an entry: states and actions are those of a finite model"
        raise ModelError(f"{where}: found shape {array.shape}, {expected}")
    kind = array.dtype.kind
    if kind in "biumM" or (kind == "f" and array.dtype.itemsize <= 8):
        return array
    if kind == "O":
        return _of_objects(array, where)
    if kind not in "UTf":
        raise ModelError(f"{where}: found dtype {array.dtype}, expected numbers or texts")
    return array.astype(np.float64) if kind == "f" else _coded(array)


def _of_objects(array: NDArray[Any], where: str) -> Column:
    """Return objects as numbers, where all are, and else as texts, in which what is missing is empty."""
    listed = array.tolist()
    kinds = set(map(type, listed))
    if kinds <= {bool, np.bool_}:
        return array.astype(np.bool_)
    if kinds <= {int} and all(abs(x) < 2**63 for x in listed):
        return array.astype(np.int64)
    if kinds <= {float}:
        return array.astype(np.float64)
    if kinds <= {str}:
        return Texts.of(listed, len(listed))
    odd = next((x for x in listed if isinstance(x, (Mapping, list, tuple, set, np.ndarray, bytes))), None)
    if odd is not None:
        raise ModelError(f"{where}: found an entry of type {type(odd).__name__}, expected numbers or texts")
    texts = (x if isinstance(x, str) else "" if (text := str(x)) in MISSING else text for x in listed)
    return Texts.of(texts, len(listed))


def _coded(array: NDArray[Any]) -> Texts:
    codes = Codes()
    parts = [codes.of(array[i : i + CHUNK].tolist()) for i in range(0, len(array), CHUNK)]
    return Texts(list(codes), np.concatenate([np.zeros(0, np.int64), *parts]))


# -- Parquet ------------------------------------------------------------


def _pyarrow() -> tuple[Any, Any]:
    return required("pyarrow", "Parquet", "frames"), import_module("pyarrow.parquet")


def write_log_parquet(transitions: Transitions, file: BinaryIO) -> None:
    """Write transitions as a Parquet file, with the columns of CSV."""
    pyarrow, parquet = _pyarrow()
    parquet.write_table(pyarrow.table(named_columns(transitions)), file)


def read_log_parquet(file: BinaryIO, asked: LogAsked) -> tuple[Log | Transitions, str]:
    """Return the transitions of a Parquet file, and what is to be said of them."""
    pyarrow, parquet = _pyarrow()
    try:
        return log_of_arrays(parquet.read_table(file), asked)
    except ModelError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise ModelError(f"not a Parquet file that can be read: {escape(error)}") from None


# -- HDF5 --------------------------------------------------------------------------------------------------------------


def read_log_hdf5(file: BinaryIO, asked: LogAsked) -> tuple[Log | Transitions, str]:
    """Return the transitions of a file of d4rl (arrays at the top) or Minari (a group an episode), and what to say."""
    h5py = required("h5py", "HDF5")
    try:
        with h5py.File(file, "r") as found:
            episodes = sorted(
                (name for name in found if EPISODE_GROUP.fullmatch(name)), key=lambda x: int(x[8:])
            )
            if episodes:
                named = _of_episodes({name: found[group][name][()] for name in EPISODE} for group in episodes)
            else:
                named = {name: x[()] for name, x in found.items() if hasattr(x, "shape")}
    except ModelError:
        raise
    except (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise ModelError(f"not an HDF5 file of d4rl or Minari: {escape(error)}") from None
    return log_of_arrays(named, asked)
