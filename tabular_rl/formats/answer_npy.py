"""Answers as a folder of npy files, which np.load reads or maps one by one.

header.json     what the answer is besides its arrays, as in JSON; `arrays` lists them
names.json      {"states": [...], "actions": [...]}, null where they are numbers
values.npy ...  (S,), with the time first for a finite horizon; lower, upper, proven_optimal, visits alike
action.npy      the index of the action of each state, -1 where there is none; or
probability.npy (L,), the probability of each available pair; optimal_actions and q alike
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import ModelError, quoted
from tabular_rl.formats.answer_entries import Answer, Table, state_of
from tabular_rl.formats.answer_json import SCHEMA, answer_of_document, document_of
from tabular_rl.formats.header import checked_names, parse_json
from tabular_rl.formats.input import decode, open_file, read_all
from tabular_rl.formats.npy import read_npy_header
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy

HEADER, NAMES = "header.json", "names.json"
# What stands in arrays, and not in the header.
IN_ARRAYS = (
    "states", "values", "lower", "upper", "policy", "optimal_actions", "proven_optimal", "visits", "exact_values", "q",
)  # fmt: skip
REORDERED = (
    "states or actions in another order than the model's, expected the same: an answer as JSON has its names"
)


def is_answer(folder: Path) -> bool:
    """Whether a folder holds an answer."""
    with suppress(OSError, ValueError, ModelError):
        found = json.loads((folder / HEADER).read_bytes())
        return isinstance(found, dict) and found.get("schema") == SCHEMA
    return False


def read_answer_npy(path: Path, mdp: MDP, policy_only: bool = False) -> Answer:
    """Return the answer of a folder of arrays.

    Parameters
    ----------
    path : the folder
    mdp : the model that it answers
    policy_only : skip the values where there is a policy

    Returns
    -------
    Answer in the order of the model's states and in its sign.

    Raises
    ------
    ModelError : the file, and what was found and expected there
    """
    if not (path / HEADER).is_file():
        raise ModelError(
            f"is a directory without {HEADER}, expected an answer: a file, or a folder of arrays"
        )
    document = document_of(decode(_bytes(path / HEADER)))
    named = _Named(path, mdp)
    arrays = document.pop("arrays", None)
    if "schema" not in document or not isinstance(arrays, list):
        raise ModelError(f"{HEADER}: found no answer with a list of arrays, expected one")
    given = {name for name in arrays if isinstance(name, str)}
    policy = named.policy(given)
    claims: dict[str, Any] = {name: [] for name in ("optimal_actions", "proven_optimal") if name in given}
    rest = answer_of_document({**document, **claims}, mdp, policy_only=False)
    if policy_only and policy is not None:
        return Answer(None, policy=policy, task=rest.task, digest=rest.digest)
    found = {name: named.numbers(name) for name in ("values", "lower", "upper") if name in given}
    beside = {name: named.numbers(name) for name in mdp.problem.beside if name in given}
    return Answer(
        found.get("values"), found.get("lower"), found.get("upper"), policy, rest.task, rest.digest, rest.exact,
        rest.bound, rest.claims, beside,
    )  # fmt: skip


def _bytes(path: Path) -> bytes:
    with open_file(path) as file:
        return read_all(file)


class _Named:
    """The arrays of a folder, and how their entries are those of a model."""

    def __init__(self, path: Path, mdp: MDP) -> None:
        self.path, self.mdp = path, mdp
        found = parse_json(_bytes(path / NAMES), NAMES) if (path / NAMES).exists() else {}
        if not isinstance(found, dict):
            raise ModelError(f"{NAMES}: found no object, expected states and actions")
        states = checked_names(found.get("states"), f"{NAMES}: states", mdp.S)
        actions = checked_names(found.get("actions"), f"{NAMES}: actions", mdp.A)
        self.order = None if states is None else np.array([state_of(mdp, name) for name in states])
        if self.order is not None and len(set(self.order.tolist())) < mdp.S:
            raise ModelError(f"{NAMES}: states: found a name twice, expected each once")
        self.alike = actions is None or actions == list(mdp.actions)
        self.alike &= self.order is None or bool((self.order == np.arange(mdp.S)).all())

    def array(self, name: str, shape: tuple[int, ...], kinds: str) -> NDArray[Any]:
        """Return an array of this shape whose type is of one of these kinds of NumPy."""
        member, path = f"{name}.npy", self.path / f"{name}.npy"
        with open_file(path) as file:
            found, dtype = read_npy_header(file, member)
            there = path.stat().st_size - file.tell()
        if dtype.hasobject or dtype.kind not in kinds:
            raise ModelError(
                f"{member}: found dtype {dtype.name}, expected {'numbers' if kinds == 'f' else 'indices'}"
            )
        if found != shape:
            raise ModelError(f"{member}: found shape {found}, expected {shape} of this model")
        if there != int(np.prod(shape, dtype=np.int64)) * dtype.itemsize:
            raise ModelError(f"{member}: found {there} bytes of data, expected those of shape {shape}")
        loaded: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return loaded

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return numbers by state in the order of the model, none of them missing."""
        given, table = self.array(name, self.mdp.problem.shape(self.mdp), "f"), Table(self.mdp)
        table.array[:, slice(None) if self.order is None else self.order] = given
        open_at = {"lower": -np.inf, "upper": np.inf}.get(name)
        wrong = np.isinf(table.array) if open_at is None else table.array == -open_at
        if wrong.any():
            s = int(np.argwhere(wrong)[0][-1])
            place = f"{name}.npy: state {quoted(self.mdp.states[s])}"
            raise ModelError(f"{place}: found an infinite number, expected a finite one")
        return table.done(name.removesuffix("s"))

    def policy(self, given: set[str]) -> Policy | None:
        """Return the policy, if there is one."""
        mdp = self.mdp
        steps = (mdp.horizon,) if mdp.problem.timed and mdp.horizon is not None else ()
        name = next((name for name in ("action", "probability") if name in given), None)
        if name is None:
            return None
        if not self.alike:
            raise ModelError(f"{NAMES}: found {REORDERED}")
        size = mdp.S if name == "action" else mdp.L
        shape = (size,) if self._steps_of(name) == 1 else (*steps, size)
        array = np.array(self.array(name, shape, "iu" if name == "action" else "f"))
        return Policy.of_actions(mdp, array) if name == "action" else Policy.of_probs(mdp, array)

    def _steps_of(self, name: str) -> int:
        with open_file(self.path / f"{name}.npy") as file:
            return len(read_npy_header(file, f"{name}.npy")[0])
