"""Logs in npz, for programs: the arrays s, a, r, s2, done, and perhaps episode, step and propensity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, closest, quoted
from tabular_rl.formats.log_entries import NONE, begins_of, columns_of, missing, of_model, ordered, rows_of
from tabular_rl.formats.memory import require
from tabular_rl.formats.npz import opened, read_array, write_arrays
from tabular_rl.formats.sheet import CHUNK, Codes
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import LONGEST_NAME, Names, are_good, name_fault
from tabular_rl.model.rows import LARGEST
from tabular_rl.model.transitions import A_PROPENSITY, Ints, Log, Transitions

ARRAYS = {
    "state": "s",
    "action": "a",
    "reward": "r",
    "next_state": "s2",
    "done": "done",
    "episode": "episode",
    "propensity": "propensity",
}
NEEDED = ("s", "a", "r", "s2", "done")
MEMBERS = (*ARRAYS.values(), "step")
WHOLE = ("int32", "int64")
NAMED = (*WHOLE, "str")
TYPES = {
    "s": NAMED, "a": NAMED, "s2": NAMED, "r": ("float64", "float32", *WHOLE), "done": ("bool", "uint8", *WHOLE),
    "episode": NAMED, "step": (*WHOLE, "float64", "str"),
    "propensity": ("float64", "float32", *WHOLE),
}  # fmt: skip


def read_log_npz(file: BinaryIO, mdp: MDP | None) -> Transitions | Log:
    """Return the transitions of an npz archive; ModelError with the member that is wrong."""
    arrays = _arrays(file)
    reward = arrays["r"].astype(np.float64)
    _check_all(
        np.abs(reward) <= LARGEST,
        lambda at: f"found reward {reward[at]}, expected a finite number up to {LARGEST:g}",
    )
    done = arrays["done"]
    _check_all((done == 0) | (done == 1), lambda at: f"done: found {done[at]}, expected 0 or 1")
    done = done != 0
    propensity = arrays["propensity"].astype(np.float64) if "propensity" in arrays else None
    if propensity is not None:
        chosen = propensity
        _check_all((chosen > 0) & (chosen <= 1), lambda at: f"propensity: found {chosen[at]}, {A_PROPENSITY}")
    changed = None
    if "episode" in arrays:
        changed = np.concatenate([[True], arrays["episode"][1:] != arrays["episode"][:-1]])
    begins = begins_of(done, changed)
    if mdp is not None:
        s, s2 = (
            _indices(arrays[name], mdp.states, word) for name, word in (("s", "state"), ("s2", "next state"))
        )
        a = _indices(arrays["a"], mdp.actions, "action")
        made = of_model(mdp, s, a, reward, s2, done, begins, propensity)
        if made is None:
            at = int(np.argmin(rows_of(mdp, s, a) >= 0))
            names = mdp.states[int(s[at])], mdp.actions[int(a[at])]
            raise ModelError(Fault(f"{missing(mdp, *names)} (transition {at + 1})", *names))
        return made
    if (arrays["s"].dtype.kind == "U") != (arrays["s2"].dtype.kind == "U"):
        raise ModelError("found names in one of s and s2 and indices in the other, expected one kind")
    states, both = _names(np.concatenate([arrays["s"], arrays["s2"]]), "state")
    actions, a = _names(arrays["a"], "action")
    return Log(
        states, actions, both[: len(a)], a, reward, both[len(a) :], done, begins, propensity=propensity
    )


def _arrays(file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Return the members of a log, as many entries in each."""
    with opened(file, MEMBERS, f"a log: {', '.join(ARRAYS.values())}") as (archive, infos):
        for name in NEEDED:
            if name not in infos:
                expected = f"those of a log: {', '.join(NEEDED)}"
                raise ModelError(f"found no member {quoted(name + '.npy')}, expected {expected}")
        require(2 * sum(info.file_size for info in infos.values()))
        arrays: dict[str, NDArray[Any]] = {}
        length = None
        for name in MEMBERS:
            if name in infos:
                arrays[name] = array = read_array(archive, infos[name], name, length, TYPES[name])
                length = len(array)
                if array.dtype.kind == "U":
                    _check_text(array, name)
    if not length:
        raise ModelError(NONE)
    return arrays


def _check_all(right: NDArray[np.bool_], what: Callable[[int], str]) -> None:
    """Raise where something is not right (N,): what is wrong with the first transition that is not."""
    if not right.all():
        at = int(np.argmin(right))
        raise ModelError(f"transition {at + 1}: {what(at)}")


def _check_text(array: NDArray[Any], member: str) -> None:
    """Raise where an array of texts holds what no text does: numbers that are no characters, names without end."""
    size = array.dtype.itemsize // 4
    if size > LONGEST_NAME:
        found = f"names of {size} characters, expected at most {LONGEST_NAME}"
        raise ModelError(f"member {quoted(member)}: found {found}")
    largest = int(array.view(np.uint32).max(initial=0))
    if largest > 0x10FFFF:
        raise ModelError(f"member {quoted(member)}: found {largest:#x}, expected characters of Unicode")


def _coded(array: NDArray[Any]) -> tuple[Codes, Ints]:
    """Return the different texts of an array, and which one stands where (N,)."""
    codes = Codes()
    return codes, np.concatenate(
        [codes.of(array[i : i + CHUNK].tolist()) for i in range(0, len(array), CHUNK)]
    )


def _names(array: NDArray[Any], word: str) -> tuple[Names, Ints]:
    """Return the names that an array holds, and which one stands where (N,)."""
    if array.dtype.kind != "U":
        found, code = np.unique(array, return_inverse=True)
        return Names([str(int(x)) for x in found]), code.astype(np.int64)
    codes, code = _coded(array)
    if not are_good(codes):
        name = next(name for name in codes if name_fault(name))
        raise ModelError(f"{word} {quoted(name)}: {name_fault(name)}")
    names, place = ordered(codes)
    return names, place[code]


def _indices(array: NDArray[Any], names: Names, word: str) -> Ints:
    """Return names or indices (N,) as indices of a model."""
    if array.dtype.kind != "U":
        index = array.astype(np.int64)
        _check_all(
            (index >= 0) & (index < len(names)),
            lambda at: f"{word}: found index {array[at]}, expected 0 to {len(names) - 1}",
        )
        return index
    codes, code = _coded(array)
    index = np.array([-1 if (at := names.find(text)) is None else at for text in codes], dtype=np.int64)[code]
    kind = word.removeprefix("next ")
    _check_all(
        index >= 0,
        lambda at: f"{word} {quoted(str(array[at]))}: no such {kind}{closest(str(array[at]), names)}",
    )
    return index


# -- writing ----------------------------------------------------------------------------------------------------


def write_log_npz(transitions: Transitions, file: BinaryIO) -> None:
    """Write transitions as an npz archive, with names where the model has some."""
    mdp, columns = transitions.mdp, columns_of(transitions)
    for column, names in (("state", mdp.states), ("action", mdp.actions), ("next_state", mdp.states)):
        columns[column] = _named(columns[column], names)
    write_arrays({member: columns[column] for column, member in ARRAYS.items() if column in columns}, file)


def _named(index: NDArray[Any], names: Names) -> NDArray[Any]:
    named: NDArray[Any] = np.array(list(names))[index] if names.given else index.astype(np.int64)
    return named
