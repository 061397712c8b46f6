"""Logs in npz, for programs: the arrays s, a, r, s2, done, and perhaps episode and step."""

from __future__ import annotations

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
from tabular_rl.model.transitions import Ints, Log, Transitions

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
}  # fmt: skip  # fmt: skip


def read_log_npz(file: BinaryIO, mdp: MDP | None) -> Transitions | Log:
    """Return the transitions of an npz archive; ModelError with the member that is wrong."""
    with opened(file, MEMBERS, f"a log: {', '.join(ARRAYS.values())}") as (archive, infos):
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
        raise ModelError(NONE)
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
    changed = None
    if "episode" in arrays:
        changed = np.concatenate([[True], arrays["episode"][1:] != arrays["episode"][:-1]])
    begins = begins_of(done, changed)
    if mdp is not None:
        s, a, s2 = (
            _indices(arrays[name], mdp.actions if name == "a" else mdp.states, word)
            for name, word in (("s", "state"), ("a", "action"), ("s2", "next state"))
        )
        made = of_model(mdp, s, a, reward, s2, done, begins)
        if made is None:
            at = int(np.argmin(rows_of(mdp, s, a) >= 0))
            names = mdp.states[int(s[at])], mdp.actions[int(a[at])]
            raise ModelError(Fault(f"{missing(mdp, *names)} (transition {at + 1})", *names))
        return made
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
    codes = Codes()
    parts = [codes.of(array[i : i + CHUNK].tolist()) for i in range(0, len(array), CHUNK)]
    if not are_good(codes):
        name = next(name for name in codes if name_fault(name))
        raise ModelError(f"{word} {quoted(name)}: {name_fault(name)}")
    names, place = ordered(codes)
    return names, place[np.concatenate(parts)]


def _indices(array: NDArray[Any], names: Names, word: str) -> Ints:
    """Names or indices as indices of a model."""
    if array.dtype.kind == "U":
        codes = Codes()
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


def write_log_npz(transitions: Transitions, file: BinaryIO) -> None:
    """Write transitions as an npz archive, with names where the model has some."""
    mdp, columns = transitions.mdp, columns_of(transitions)
    for column, names in (("state", mdp.states), ("action", mdp.actions), ("next_state", mdp.states)):
        columns[column] = _named(columns[column], names)
    write_arrays({member: columns[column] for column, member in ARRAYS.items()}, file)


def _named(index: NDArray[Any], names: Names) -> NDArray[Any]:
    return np.array(list(names))[index] if names.given else index.astype(np.int64)
