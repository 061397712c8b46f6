"""Dictionaries {state: {action: [(p, next state, reward, done)]}}, the form that Gymnasium's toy environments keep.

`done` says that the episode ends with this outcome, so that nothing follows it. A model says so by terminal states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from tabular_rl.errors import Fault, ModelError, kind_text, quoted
from tabular_rl.model.functions import name_of, start_law
from tabular_rl.model.rationals import as_fraction, as_number

FORM = "{state: {action: [(p, next state, reward, done)]}}"
AN_OUTCOME = "4 entries: p, next state, reward, done"
END = "end"  # the state that an episode ends in, where the next state goes on at other times

Outcome = tuple[str, str, str, Any, Any]


class Entry(NamedTuple):
    """One outcome as the dictionary has it."""

    state: str
    action: str
    p: Any
    to: str
    reward: Any
    done: bool


class Found(NamedTuple):
    """What a dictionary says of a model: outcomes by name, states and actions in order, which states end."""

    outcomes: list[Outcome]
    states: list[str]
    actions: list[str]
    terminal: list[str]
    start: dict[str, Any] | None


def read_dictionary(P: Any, terminal: Any = (), start: Any = None) -> Found:
    """Return what a dictionary says of a model.

    A state that is entered only with done is terminal, and its own outcomes are left out: no episode gets to them.
    Where a state is entered both ways, what is done leads to a terminal state of its own, named "end". What a state
    does to itself is no way to enter it, unless it is paid for. An outcome of probability 0 is none.

    Parameters
    ----------
    P : {state: {action: [(p, next state, reward, done)]}}; a list stands for a dictionary with the keys 0, 1, 2 ...
    terminal : states that end besides, whose own outcomes are left out
    start : a state or {state: probability}: these are entered without done

    Returns
    -------
    Found

    Raises
    ------
    ModelError : what was found in which state and action, and what was expected

    Examples
    --------
    >>> found = read_dictionary({0: {0: [(0.5, 1, 2, True), (0.5, 0, 0, False)]}, 1: {0: [(1, 1, 0, True)]}})
    >>> found.outcomes, found.terminal
    ([('0', '0', '1', 0.5, 2), ('0', '0', '0', 0.5, 0)], ['1'])
    """
    entries: list[Entry] = []
    states: dict[str, None] = {}
    actions: dict[str, None] = {}
    idle: list[str] = []  # states without actions
    for s, choices in named_entries(P, FORM, "P"):
        states[s] = None
        found = list(
            named_entries(choices, "{action: [(p, next state, reward, done)]}", "the actions", state=s)
        )
        if not found:
            idle.append(s)
        for a, outcomes in found:
            actions[a] = None
            here = list(entries_of(outcomes, s, a))
            entries += [e for e in here if _counts(e.p)] or here
    law = None if start is None else {_name(s): p for s, p in _start(start).items()}
    given = _terminal(terminal)
    ends = dict.fromkeys([*idle, *given, *_ended(entries, law or {})])
    for e in entries:
        if e.state in ends:
            _check_numbers(e)
    known = dict.fromkeys([*states, *given, *(e.to for e in entries if e.to in ends)])
    end = END
    while end in known:
        end += "'"
    made = _merged((e, end if e.done and e.to not in ends else e.to) for e in entries if e.state not in ends)
    if any(to == end for _, _, to, _, _ in made):
        known[end] = ends[end] = None
    return Found(made, list(known), list(actions), list(ends), law)


def _ended(entries: list[Entry], start: Mapping[str, Any]) -> Iterator[str]:
    """The states that are entered with done, and in no other way."""
    alive: set[str] = set(start)  # entered from another state, or by the start
    done: set[str] = set()
    looping: set[str] = set()  # lead to themselves with done
    elsewhere: set[str] = set()  # do anything else that counts
    for e in entries:
        if e.state != e.to:
            (done if e.done else alive).add(e.to)
            elsewhere.add(e.state)
        elif e.done and not _counts(e.reward):
            looping.add(e.state)
        else:
            elsewhere.add(e.state)
    for s in dict.fromkeys(e.to for e in entries):
        # Nobody enters a state that only leads to itself, with done and for nothing: it has ended too.
        if s not in alive and (s in done or (s in looping and s not in elsewhere)):
            yield s


def _merged(outcomes: Iterable[tuple[Entry, str]]) -> list[Outcome]:
    """Return outcomes by name; of one action those with the same next state and reward become one."""
    sums: dict[tuple[str, str, str, Any], Any] = {}
    for e, to in outcomes:
        reward = e.reward
        with suppress(ValueError, TypeError, OverflowError, ModelError):
            reward = as_number(e.reward)
        key = (e.state, e.action, to, reward if _hashable(reward) else id(reward))
        if key not in sums:
            sums[key] = (e.p, e.reward)
            continue
        try:
            sums[key] = (_sum(sums[key][0], e.p), e.reward)
        except (ValueError, TypeError, OverflowError, ModelError):
            sums[(*key[:3], (key[3], len(sums)))] = (e.p, e.reward)
    return [(s, a, to, p, reward) for (s, a, to, _), (p, reward) in sums.items()]


def _sum(p: Any, q: Any) -> Any:
    x, y = as_number(p), as_number(q)
    return float(x) + float(y) if isinstance(x, float) or isinstance(y, float) else x + y


def _check_numbers(e: Entry) -> None:
    """Raise where an outcome that is left out has something else than numbers."""
    for what, x in (("probability", e.p), ("reward", e.reward)):
        try:
            as_fraction(x)
        except (ValueError, TypeError, OverflowError, ModelError):
            found = f"found {what} {kind_text(x)}, expected a number"
            raise ModelError(Fault(found, e.state, e.action, e.to)) from None


def _counts(x: Any) -> bool:
    """Whether a number is not 0; what is none is told of later."""
    try:
        return as_fraction(x) != 0
    except (ValueError, TypeError, OverflowError, ModelError):
        return True


def _hashable(x: Any) -> bool:
    return isinstance(x, (int, float, str)) or hasattr(x, "numerator")


def named_entries(found: Any, form: str, what: str, **place: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of a dictionary, or of a list, whose keys are 0, 1, 2 ...; each name once.

    Parameters
    ----------
    found : the dictionary or list
    form, what : what messages expect, and what they call it
    place : state, action, for messages

    Returns
    -------
    Iterator of (name, value).

    Raises
    ------
    ModelError : it is something else, or has two keys of one name
    """
    if isinstance(found, Mapping):
        pairs: Iterable[tuple[Any, Any]] = found.items()
    elif isinstance(found, (list, tuple)):
        pairs = enumerate(found)
    else:
        raise ModelError(Fault(f"{what}: found {kind_text(found)}, expected {form}", **place))
    seen: dict[str, Any] = {}
    for key, value in pairs:
        name = _name(key)
        if name in seen:
            twice = f"{what}: found two keys named {quoted(name)}, {seen[name]!r} and {key!r}, expected one"
            raise ModelError(Fault(twice, **place))
        seen[name] = key
        yield name, value


def _name(key: Any) -> str:
    return name_of(key.item() if isinstance(key, np.generic) else key)


def entries_of(outcomes: Any, s: str, a: str) -> Iterator[Entry]:
    """Yield the outcomes of an action.

    Parameters
    ----------
    outcomes : a list of (p, next state, reward, done)
    s, a : the state and the action, for messages

    Returns
    -------
    Iterator of Entry.

    Raises
    ------
    ModelError : what one is instead
    """
    if not isinstance(outcomes, (list, tuple)):
        what = f"found {kind_text(outcomes)}, expected a list of outcomes, of {AN_OUTCOME}"
        raise ModelError(Fault(what, s, a))
    for j, outcome in enumerate(outcomes):
        if not isinstance(outcome, (list, tuple)):
            raise ModelError(Fault(f"outcome {j}: found {kind_text(outcome)}, expected {AN_OUTCOME}", s, a))
        if len(outcome) != 4:
            raise ModelError(Fault(f"outcome {j}: found {len(outcome)} entries, expected {AN_OUTCOME}", s, a))
        p, to, reward, done = outcome
        if to is None or isinstance(to, (list, dict, bool, np.bool_)):
            raise ModelError(
                Fault(f"outcome {j}: found {kind_text(to)} as the next state, expected a name", s, a)
            )
        if not (isinstance(done, (bool, np.bool_)) or (isinstance(done, int) and done in (0, 1))):
            raise ModelError(
                Fault(f"outcome {j}: found done {kind_text(done)}, expected true or false", s, a)
            )
        yield Entry(s, a, p, _name(to), reward, bool(done))


def _terminal(terminal: Any) -> list[str]:
    if isinstance(terminal, (str, int, np.integer)):
        terminal = [terminal]
    if not isinstance(terminal, Iterable):
        raise ModelError(f"terminal: found {kind_text(terminal)}, expected a list of states")
    return [_name(s) for s in terminal]


def _start(start: Any) -> dict[Any, Any]:
    if isinstance(start, (list, np.ndarray)):
        raise ModelError(f"start: found {kind_text(start)}, expected a state or {{state: probability}}")
    return start_law(start) or {}


def model_arguments(
    arrays_of: Callable[..., dict[str, Any]],
    P: Any,
    gamma: Any,
    terminal: Any,
    start: Any,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Return the arguments of MDP.from_rows for a dictionary: what MDP.from_dictionary does.

    Parameters
    ----------
    arrays_of : what makes them of a list of outcomes
    P, gamma, terminal, start : as in `MDP.from_dictionary`
    options : more arguments of MDP.from_outcomes

    Returns
    -------
    {argument: value}

    Raises
    ------
    ModelError : each fault with the state and the action that it concerns
    """
    found = read_dictionary(P, terminal, start)
    names = {"states": found.states, "actions": found.actions or None}
    return arrays_of(found.outcomes, gamma, found.terminal, *names.values(), found.start, options)
