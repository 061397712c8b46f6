"""Answers as JSON, with everything. The schema is in docs/command-line.md."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from tabular_rl.errors import Fault, ModelError, quoted
from tabular_rl.formats.answer_entries import (
    A_MODEL,
    CLAIMS,
    Answer,
    Floats,
    Table,
    add_action,
    number_of,
    policy_of_entries,
    state_of,
)
from tabular_rl.formats.answer_lines import AnswerLines, answer_of_lines
from tabular_rl.formats.json import read_json
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import long_fraction

SCHEMA, VERSION = "tabular-rl answer", 1


class _Spelled(str):
    """A number of a JSON file as it is spelled."""

    __slots__ = ()


def read_answer_json(text: str, mdp: MDP, policy_only: bool = False) -> Answer:
    """Return the answer of a JSON document, as `solve --json` writes it.

    Parameters
    ----------
    text : the whole file; a policy or values by state alone will do
    mdp : the model that it answers
    policy_only : skip the values where the document has a policy

    Returns
    -------
    Answer in the order of the model's states and in its sign: values, lower and upper (S,), or (T + 1, S) for a finite
    horizon, and the policy; each None where the document does not have it.

    Raises
    ------
    ModelError : the key or state, and what was found and expected there
    """
    found = read_json(text, _Spelled)
    if isinstance(found, dict) and "P" in found and mdp.states.find("P") is None:
        raise ModelError(A_MODEL)
    columns = None if mdp.states.find("state") is not None else _columns(found)
    if columns is not None:
        return answer_of_lines(AnswerLines.of_columns(columns), mdp, policy_only)
    return answer_of_document(_document(found), mdp, policy_only)


def answer_of_document(document: dict[str, Any], mdp: MDP, policy_only: bool = False) -> Answer:
    """Return the answer of a document that was read.

    Parameters
    ----------
    document : as `document_of` returns it
    mdp : the model that it answers
    policy_only : skip the values where the document has a policy

    Returns
    -------
    Answer in the order of the model's states and in its sign; None for what the document does not have.

    Raises
    ------
    ModelError : the key or state, and what was found and expected there
    """
    task = document.get("task", "control")
    if task not in ("control", "prediction"):
        raise ModelError(f"task: found {quoted(task)}, expected 'control' or 'prediction'")
    digest = document.get("digest")
    if digest is not None and not isinstance(digest, str):
        raise ModelError(f"digest: found {quoted(digest)}, expected a text")
    order = order_of(document.get("states"), mdp)
    given = {key: value for key, value in document.items() if value is not None}
    policy = None
    if "policy" in given:
        policy = _json_policy(given["policy"], mdp, order, given.get("numbers") == "float64")
    if policy_only and policy is not None:
        return Answer(None, policy=policy, task=task, digest=digest)
    found = {
        key: _numbers(given[key], key, mdp, order)
        for key in ("values", "lower", "upper", *mdp.problem.beside)
        if key in given
    }
    values, lower, upper = map(found.get, ("values", "lower", "upper"))
    beside = {name: found[name] for name in mdp.problem.beside if name in found}
    exact = _fractions(given["exact"], mdp, order) if "exact" in given else None
    bound = number_of(given["bound"], {}, "bound") if "bound" in given else None
    claims = tuple(key for key in CLAIMS if key in given)
    return Answer(values, lower, upper, policy, task, digest, exact, bound, claims, beside)


def document_of(text: str) -> dict[str, Any]:
    """Return the keys of an answer; a policy or values alone become its only key."""
    return _document(read_json(text, _Spelled))


def _columns(found: Any) -> dict[str, list[Any]] | None:
    """Return the columns of a data frame, as pandas writes it with orient="columns", "split" or "records"; else None.

    >>> _columns([{"state": "a", "value": "1"}, {"state": "b", "value": "2"}])
    {'state': ['a', 'b'], 'value': ['1', '2']}
    >>> _columns({"state": {"0": "a"}, "value": {"0": "1"}})
    {'state': ['a'], 'value': ['1']}
    """
    if isinstance(found, list):
        named = bool(found) and all(isinstance(row, dict) and list(row) == list(found[0]) for row in found)
        return {name: [row[name] for row in found] for name in found[0]} if named else None
    if not isinstance(found, dict):
        return None
    if {"columns", "data"} <= set(found) <= {"columns", "data", "index"}:
        names, rows = found["columns"], found["data"]
        fits = isinstance(names, list) and isinstance(rows, list) and all(isinstance(x, str) for x in names)
        if not (fits and all(isinstance(row, list) and len(row) == len(names) for row in rows)):
            return None
        return {name: [row[i] for row in rows] for i, name in enumerate(names)}
    if not ("state" in found and {"value", "action"} & set(found)):
        return None
    index = list(found["state"]) if isinstance(found["state"], dict) else None
    if index is None or not all(
        isinstance(column, dict) and list(column) == index for column in found.values()
    ):
        return None
    return {name: list(column.values()) for name, column in found.items()}


def _document(found: Any) -> dict[str, Any]:
    """Return the keys of an answer that was read."""
    if not isinstance(found, dict):
        what = "found a JSON array, expected an object, or an array of objects with a state and a value each"
        raise ModelError(what)
    document: dict[str, Any] = found
    if "schema" in document or "version" in document:
        schema, version = document.get("schema"), document.get("version")
        if schema != SCHEMA:
            raise ModelError(f"found schema {quoted(schema)}, expected {quoted(SCHEMA)}")
        if version != str(VERSION):
            raise ModelError(f"found version {quoted(version)}, expected {VERSION}, which this program reads")
    elif not {"values", "policy"} & set(document):
        # {"young": "wait", ...} is a policy, {"young": 26.2, ...} are values.
        plain = all(isinstance(x, _Spelled) for x in document.values())
        document = {"values": document} if plain and document else {"policy": document}
    return document


def order_of(states: Any, mdp: MDP) -> list[int] | None:
    """Where in the model the entries of lists stand; None for its own order."""
    if states is None:
        return None
    if not isinstance(states, list):
        raise ModelError("states: expected a list of names")
    order = [state_of(mdp, name) for name in states]
    if len(set(order)) < len(order):
        raise ModelError("states: found a name twice, expected each once")
    return order


def _bystate_of(entries: Any, what: str, mdp: MDP, order: list[int] | None) -> Iterator[tuple[int, Any]]:
    """Yield (state, entry) of a list in order, or of a mapping by name."""
    if isinstance(entries, dict):
        for name, entry in entries.items():
            yield state_of(mdp, name), entry
    elif isinstance(entries, list):
        expected = mdp.S if order is None else len(order)
        if len(entries) != expected:
            raise ModelError(f"{what}: found {len(entries)} entries, expected {expected}, one for each state")
        yield from zip(range(mdp.S) if order is None else order, entries, strict=True)
    else:
        raise ModelError(f"{what}: expected a list, or an object by names of states")


def _steps(entries: Any, what: str, mdp: MDP, steps: int) -> list[Any]:
    if not mdp.problem.timed:
        return [entries]
    if not isinstance(entries, list) or len(entries) != steps:
        found = f"{len(entries)} entries" if isinstance(entries, list) else "an object"
        raise ModelError(f"{what}: found {found}, expected a list of {steps} time steps")
    return entries


def _numbers(entries: Any, what: str, mdp: MDP, order: list[int] | None) -> Floats:
    table = Table(mdp)
    empty = {"lower": -math.inf, "upper": math.inf}.get(what)
    for t, step in enumerate(_steps(entries, what, mdp, (mdp.horizon or 0) + 1)):
        for s, x in _bystate_of(step, what, mdp, order):
            table.array[t, s] = number_of(x, {"state": mdp.states[s]}, what.removesuffix("s"), empty)
    return table.done(what.removesuffix("s"))


def _fractions(entries: Any, mdp: MDP, order: list[int] | None) -> tuple[Fraction, ...]:
    """Return the exact values, those of one time step after those of the other."""
    out: list[Fraction] = []
    for step in _steps(entries, "exact", mdp, (mdp.horizon or 0) + 1):
        row = dict.fromkeys(np.flatnonzero(mdp.terminal).tolist(), Fraction(0))
        for s, x in _bystate_of(step, "exact", mdp, order):
            try:
                row[s] = long_fraction(x)
            except (ValueError, OverflowError, TypeError):
                raise ModelError(
                    Fault(f"found exact value {quoted(x)}, expected a fraction", state=mdp.states[s])
                ) from None
        if len(row) < mdp.S:
            raise ModelError(f"exact: found {len(row)} values, expected {mdp.S}, one for each state")
        out += [row[s] for s in range(mdp.S)]
    return tuple(out)


def _json_policy(entries: Any, mdp: MDP, order: list[int] | None, floats: bool) -> Policy:
    first = entries[0] if isinstance(entries, list) and entries else None
    timed = mdp.problem.timed and isinstance(first, (list, dict))
    if isinstance(first, dict) and not set(first) <= set(mdp.states):
        timed = False  # one object a state: its keys are actions
    policies: dict[int, dict[str, Any]] = {}
    for t, step in enumerate(_steps(entries, "policy", mdp, mdp.horizon or 0) if timed else [entries]):
        chosen = policies.setdefault(t, {})
        for s, entry in _bystate_of(step, "policy", mdp, order):
            place: dict[str, Any] = {"state": mdp.states[s]}
            if isinstance(entry, dict):
                for action, p in entry.items():
                    if not isinstance(p, str):
                        raise ModelError(Fault(f"found probability {quoted(p)}, expected a number", **place))
                    number: Any = number_of(p, place, "probability") if floats else p
                    add_action(chosen, mdp, s, action, number, place)
            elif isinstance(entry, str) and not isinstance(entry, _Spelled):
                add_action(chosen, mdp, s, entry, None, place)
            elif entry is not None:
                raise ModelError(Fault(f"found {quoted(entry)}, expected the name of an action", **place))
    return policy_of_entries(mdp, policies, timed)
