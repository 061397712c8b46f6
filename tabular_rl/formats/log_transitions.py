"""From the columns of a log to its transitions: the one way, whatever the columns were read from."""

from __future__ import annotations

import itertools
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from tabular_rl.errors import Fault, ModelError, closest, escape, quoted
from tabular_rl.formats.log_checks import (
    Check,
    Flags,
    check_names,
    check_rewards,
    flags,
    numbers,
    propensities,
    steps,
)
from tabular_rl.formats.log_columns import Column, Source, Texts, named
from tabular_rl.formats.log_entries import NONE, begins_of, missing, ordered, rows_of
from tabular_rl.formats.log_roles import Found, LogAsked
from tabular_rl.formats.sheet import Codes
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names
from tabular_rl.model.rows import Floats
from tabular_rl.model.transitions import Ints, Log, Transitions

ADDED_END = "end"


# -- the order of the lines, and what is not in them ----------------------------------------------------------------


@dataclass
class Order:
    """Which entries are kept, in which order, where episodes begin, and what is to be said of it."""

    keep: Ints | None
    begins: Flags
    said: list[str] = field(default_factory=list)


def _codes(column: Column) -> Ints:
    if isinstance(column, Texts):
        return column.code.astype(np.int64)
    return named(column).code.astype(np.int64)


def _in_order(check: Check, ends: Flags, step: Floats | None) -> Order:
    """Return the entries in the order of their episodes and steps, and where an episode begins."""
    N = len(ends)
    if "episode" not in check.columns:
        changed = None if step is None else np.concatenate([[True], step[1:] <= step[:-1]])
        return Order(None, begins_of(ends, changed))
    episode = _codes(check.columns["episode"])
    changed = np.concatenate([[True], episode[1:] != episode[:-1]])
    if step is None:
        return Order(None, begins_of(ends, changed))
    falls = np.concatenate([[False], step[1:] <= step[:-1]]) & ~changed
    if not falls.any() and changed.sum() == len(np.unique(episode)):
        return Order(None, begins_of(ends, changed))
    _, first = np.unique(episode, return_index=True)
    rank = first[np.searchsorted(np.unique(episode), episode)]
    order = np.lexsort((step, rank))
    e, t = rank[order], step[order]
    if (
        (e[1:] == e[:-1]) & (t[1:] == t[:-1])
    ).any():  # numbers of episodes are used again: each stretch is one

        def what(i: int, _: bool) -> str:
            before, here = (check.entry("step", k) for k in (i - 1, i))
            found = f"{check.named('step')}: found {quoted(here)} after {quoted(before)}"
            return f"{found}, expected steps of an episode to rise"

        check.note(falls, what)
        return Order(None, begins_of(ends, changed))
    if (order == np.arange(N)).all():
        return Order(None, begins_of(ends, changed))
    new = np.concatenate([[True], e[1:] != e[:-1]])
    return Order(
        order, begins_of(ends[order], new), ["lines are put in the order of their episodes and steps"]
    )


def _ends_and_cuts(check: Check, N: int, said: list[str]) -> tuple[Flags, Flags]:
    """Return where an episode ended, and where it was cut off.

    `terminated` and `truncated` may both hold: the episode ended. `done` beside `truncated` is either that, or whether
    one of the two holds, as in older logs: that it must be where each transition that is truncated is done.
    """
    done, cut = flags(check, "done", N), flags(check, "truncated", N)
    word = check.found.called("done").lower()
    if word in ("done", "dones", "is_done") and cut.any() and done[cut].all() and not check.notes:
        done = done & ~cut
        said.append(
            f"{quoted(check.found.called('done'))} holds wherever an episode was truncated: no end there"
        )
    return done, cut & ~done


# -- transitions ------------------------------------------------------------


@dataclass
class _Parts:
    """The columns of transitions, as far as they are the same with and without a model."""

    reward: Floats
    spelled: tuple[Fraction, ...] | None
    code: Ints | None
    done: Flags
    begins: Flags
    propensity: Floats | None
    keep: Ints | None  # entries that are transitions, in order; None for all of them as they are
    said: list[str]
    follows: Ints | None = (
        None  # the entry that begins in the next state, -1 at an end; None where the log says it
    )

    def of(self, x: Any) -> Any:
        return x if x is None or self.keep is None else x[self.keep]


def log_of_columns(
    columns: Mapping[str, Column], found: Found, asked: LogAsked, source: Source
) -> tuple[Log | Transitions, str]:
    """Return the transitions of columns, as those of a model where one is asked for, and what is to be said of them.

    Parameters
    ----------
    columns : by role, N entries each
    found : which column has which role
    asked : the model, if there is one
    source : where the columns are from

    Returns
    -------
    Log or Transitions, and a line that says which columns are not used and which lines were moved or dropped, or ""

    Raises
    ------
    ModelError : each fault with its place
    """
    N = len(columns["state"])
    if not N:
        raise ModelError(NONE)
    check = Check(columns, found, source)
    mdp = asked.mdp
    for role in ("state", "action", "next_state"):
        if role in columns:
            check_names(check, role, mdp is None)
    unnamed = len(check.notes) > 0
    index: dict[str, Ints] = {}
    said = [_unused(found)] if found.unused else []
    if mdp is not None and not unnamed:
        index = _indices(check, mdp, said)
    reward, spelled, code = numbers(check, "reward")
    check_rewards(check, reward)
    done, cut = _ends_and_cuts(check, N, said)
    if mdp is not None and not unnamed and "next_state" in columns:
        done = done | mdp.terminal[np.maximum(index["next_state"], 0)]
    propensity = propensities(check)
    order = _in_order(check, done | cut, steps(check))
    check.raise_any()
    known = Codes()
    if mdp is None:
        index = _own_indices(check, known)
    if {"episode", "next_state"} <= columns.keys():
        _check_chain(check, order, index)
    parts = _Parts(reward, spelled, code, done, order.begins, propensity, order.keep, said + order.said)
    if "next_state" not in columns:
        _fill(parts)
    made = _own(check, parts, known, index) if mdp is None else _of_model(mdp, index, parts)
    return made, "; ".join(parts.said)


def _unused(found: Found, most: int = 6) -> str:
    names = [quoted(name) for name in found.unused]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"not used: {'columns' if len(names) > 1 else 'column'} {', '.join(names[:most])}{more}"


def _fill(parts: _Parts) -> None:
    """Take the next state of each entry from the next one of its episode; drop the last one of an episode cut off."""
    last, done = np.append(parts.begins[1:], True), parts.of(parts.done)
    left = ~last | done
    if not left.any():
        raise ModelError(
            "found no transition: each line is the last of an episode that did not end, so that no next state is known"
        )
    parts.said.append("next states are those of the next line of the episode")
    dropped = int((~left).sum())
    if dropped:
        lines = "1 line is" if dropped == 1 else f"{dropped:,} lines are"
        parts.said.append(f"{lines} dropped, the last of episodes cut off")
    at = np.arange(len(done)) if parts.keep is None else parts.keep
    parts.follows = np.where(last, -1, np.append(at[1:], -1))[left]
    parts.keep, parts.begins = at[left], parts.begins[left]


def _check_chain(check: Check, order: Order, index: Mapping[str, Ints]) -> None:
    """Raise where a line begins in another state than that to which the line before it led, in one episode.

    Parameters
    ----------
    check : with the columns episode and next_state
    order : of the lines, with the beginnings of episodes
    index : which state and which next state each entry has, by `state` and `next_state` (N,)
    """
    at = np.arange(len(order.begins)) if order.keep is None else order.keep
    apart = ~order.begins[1:] & (index["state"][at[1:]] != index["next_state"][at[:-1]])
    if not apart.any():
        return
    before = dict(zip(at[1:][apart].tolist(), at[:-1][apart].tolist(), strict=True))
    wrong = np.zeros(len(at), dtype=np.bool_)
    wrong[list(before)] = True

    def what(i: int, _: bool) -> str:
        state, led = check.entry("state", i), check.entry("next_state", before[i])
        return (
            f"{check.named('episode')} {escape(check.entry('episode', i))}: the state is {quoted(state)}, the line "
            f"before led to {quoted(led)}, expected the same. Give what does not belong together another number of an "
            "episode, or leave that column out"
        )

    check.note(wrong, what, pair=False)
    check.raise_any()


def _own_indices(check: Check, known: Codes) -> dict[str, Ints]:
    """Return which state and which next state each entry has (N,), as codes, which are added to those known."""
    columns = check.columns
    kinds = {isinstance(columns[role], np.ndarray) for role in ("state", "next_state") if role in columns}
    if check.source.indices and len(kinds) > 1:
        raise ModelError("found names in one of s and s2 and indices in the other, expected one kind")
    index: dict[str, Ints] = {}
    for role in ("state", "next_state"):
        if role in columns:
            texts = named(columns[role])
            index[role] = known.of(texts.texts)[texts.code]
    return index


def _own(check: Check, parts: _Parts, known: Codes, index: Mapping[str, Ints]) -> Log:
    """Return the transitions with names of their own."""
    columns, code_s = check.columns, index["state"]
    s = parts.of(code_s)
    if parts.follows is None:
        s2 = parts.of(index["next_state"])
    else:
        end = known[end_name(known)] if (parts.follows < 0).any() else -1
        s2 = np.where(parts.follows < 0, end, code_s[parts.follows])
    states, place = ordered(known)
    action = named(columns["action"])
    actions, act = ordered(action.texts)
    return Log(
        states,
        actions,
        place[s],
        parts.of(act[action.code]),
        parts.of(parts.reward),
        place[s2],
        parts.of(parts.done),
        parts.begins,
        parts.spelled,
        parts.of(parts.code),
        parts.of(parts.propensity),
    )


def end_name(names: Container[str]) -> str:
    """Return a name for one more terminal state."""
    more = itertools.chain([ADDED_END], (f"{ADDED_END} {n}" for n in itertools.count(2)))
    return next(name for name in more if name not in names)


# -- transitions of a model ------------------------------------------------------------


def _indices(check: Check, mdp: MDP, said: list[str]) -> dict[str, Ints]:
    """Return states, actions and rows as indices of the model (N,), -1 where there is none, which is noted."""
    index: dict[str, Ints] = {}
    for role in ("state", "next_state", "action"):
        if role in check.columns:
            index[role] = _index_of(check, role, mdp.actions if role == "action" else mdp.states, said)
    s, a = index["state"], index["action"]
    known = (s >= 0) & (a >= 0)
    row = np.full(len(s), -1)
    row[known] = rows_of(mdp, s[known], a[known])
    index["row"] = row

    def what(i: int, hint: bool) -> str:
        if s[i] >= 0 and a[i] >= 0:
            return str(missing(mdp, mdp.states[int(s[i])], mdp.actions[int(a[i])], hint))
        role, names = ("state", mdp.states) if s[i] < 0 else ("action", mdp.actions)
        return _no_such(check, role, i, names, hint)

    check.note(row < 0, what)
    if "next_state" in index:
        check.note(
            index["next_state"] < 0,
            lambda i, hint: _no_such(check, "next_state", i, mdp.states, hint),
            to=True,
        )
    return index


def _no_such(check: Check, role: str, i: int, names: Names, hint: bool) -> str:
    """Say that a state or an action is none of the model's."""
    text, kind = check.entry(role, i), role.removeprefix("next_")
    if _by_index(check, role):
        return f"{check.named(role)}: found index {text}, expected 0 to {len(names) - 1}"
    return f"no such {kind}{closest(text, names) if hint else ''}"


def _by_index(check: Check, role: str) -> bool:
    return check.source.indices and isinstance(check.columns[role], np.ndarray)


def _index_of(check: Check, role: str, names: Names, said: list[str]) -> Ints:
    """Return the index of each entry (N,), -1 where it is none.

    Whole numbers in arrays are indices. Elsewhere they are names; where the model has none of these names, but as many
    states, they can only be indices, and it is said.
    """
    column = check.columns[role]
    if _by_index(check, role):
        index = column.astype(np.int64)  # type: ignore[union-attr]
        return np.where((index >= 0) & (index < len(names)), index, -1)
    texts = named(column)
    at = [names.find(text) for text in texts.texts]
    if at and all(x is None for x in at) and all(_is_index(text, len(names)) for text in texts.texts):
        said.append(f"numbers of {check.found.called(role)} are indices of the model")
        at = [int(text) for text in texts.texts]
    return texts.where([-1 if x is None else x for x in at], np.int64)


def _is_index(text: str, size: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19 and int(text) < size


def _of_model(mdp: MDP, index: dict[str, Ints], parts: _Parts) -> Transitions:
    """Return the transitions as those of a model; `next_row` is -1 where another episode begins behind it."""
    rows = parts.of(index["row"])
    if parts.follows is None:
        s2 = parts.of(index["next_state"])
    else:
        s2 = index["state"][parts.follows]
        ends = np.flatnonzero(parts.follows < 0)
        s2[ends] = _ends_of(mdp, rows[ends])
    made = Transitions.of_arrays(
        mdp, rows, parts.of(parts.reward), s2, parts.of(parts.done), parts.of(parts.propensity)
    )
    made.next_row[:-1][parts.begins[1:]] = -1
    return made


def _ends_of(mdp: MDP, rows: Ints) -> Ints:
    """Return the terminal state that each of these rows leads to; ModelError where it could be several, or none."""
    different, code = np.unique(rows, return_inverse=True)
    all_ends = np.flatnonzero(mdp.terminal)
    made = []
    for row in different.tolist():
        to = mdp.next_state[mdp.row_ptr[row] : mdp.row_ptr[row + 1]]
        ends = np.unique(to[mdp.terminal[to]])
        if len(ends) != 1:
            ends = ends if len(ends) else all_ends
        if len(ends) != 1:
            names = ", ".join(quoted(mdp.states[int(s)]) for s in ends[:4])
            could = (
                f"which of {names} it ended in"
                if len(ends)
                else "in which terminal state: the model has none"
            )
            place = mdp.states[mdp.state_of_row(row)], mdp.actions[int(mdp.pair_action[row])]
            raise ModelError(
                Fault(f"an episode ended there, and the log does not say {could}. Add next_state.", *place)
            )
        made.append(int(ends[0]))
    return np.array(made, dtype=np.int64)[code]
