"""Models that are written as functions: states are found from the start, and each is asked for its actions.

States may be anything that can be a key of a dictionary: texts, numbers, tuples, dataclasses, members of an Enum. The
model names them by a text.
"""

from __future__ import annotations

import enum
import inspect
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from tabular_rl.errors import Fault, ModelError, escape, kind_text, quoted

MOST = 1_000_000  # states that are looked for where nothing else is asked
AN_OUTCOME = "(next state, probability) or (next state, probability, reward)"
Outcome = tuple[str, str, str, Any, Any]


def name_of(x: Any) -> str:
    """Return the name of a state or an action: a text as it is, the parts of a tuple or dataclass with commas between.

    >>> name_of("a"), name_of((1, 2)), name_of(((0, 1), True)), name_of(3.0)
    ('a', '1,2', '(0,1),True', '3')
    """
    if isinstance(x, enum.Enum):
        return x.name
    if isinstance(x, float) and x.is_integer():
        return str(int(x))
    if is_dataclass(x) and not isinstance(x, type):
        x = tuple(getattr(x, field.name) for field in fields(x))
    if isinstance(x, (tuple, frozenset)):
        parts = sorted(map(name_of, x)) if isinstance(x, frozenset) else [_part(part) for part in x]
        return ",".join(parts)
    return str(x)


def _part(x: Any) -> str:
    return f"({name_of(x)})" if isinstance(x, tuple) or is_dataclass(x) else name_of(x)


@dataclass(frozen=True)
class Found:
    """What functions say of a model: outcomes by name, states and actions in the order found, which states end."""

    outcomes: list[Outcome]
    states: list[str]
    actions: list[str]
    terminal: list[str]
    start: dict[str, Any] | None


def read_functions(
    states: Iterable[Hashable] | None,
    actions: Any,
    transition: Callable[..., Any],
    reward: Any,
    terminal: Any,
    start: Any,
    name: Callable[[Any], str],
    most: int,
    told: Callable[[int, int], None],
) -> Found:
    """Return what functions say of a model.

    Parameters
    ----------
    states, actions, transition, reward, terminal, start, most : as in `MDP.from_functions`
    name : `names` of it
    told : (states seen, states found) -> None, called for each state

    Returns
    -------
    Found

    Raises
    ------
    ModelError : what a function returned for which state and action, and what was expected
    """
    start = start_law(start)
    if states is None and start is None:
        raise ModelError("found neither states nor a start, expected one of them to look from")
    known = dict.fromkeys([*(states if states is not None else ()), *(start or ())])
    names = Naming(name, "state")
    waiting, closed = deque(known), states is not None
    for s in known:
        names.add(s)
    pays = _reward(reward)
    ends = _ends(terminal, names)
    outcomes: list[Outcome] = []
    action_names = Naming(name, "action")
    stopped: list[str] = []
    seen = 0
    while waiting:
        s = waiting.popleft()
        seen += 1
        told(seen, len(known))
        here = names.of[s]
        choices = [] if ends(s) else _choices(actions, s, here)
        if not choices:
            stopped.append(here)
        for a in choices:
            act = action_names.add(a)
            for s2, p, r in _outcomes(transition(s, a), here, act):
                if s2 not in known:
                    if closed:
                        raise ModelError(
                            Fault(
                                f"found next state {quoted(name(s2))}, which is none of the states", here, act
                            )
                        )
                    if len(known) >= most:
                        raise ModelError(
                            f"found more than {most:,} states from the start, and there may be infinitely many. "
                            "Bound them, or raise most"
                        )
                    known[s2] = None
                    names.add(s2)
                    waiting.append(s2)
                paid = pays(s, a, s2) if r is None else r
                outcomes.append((here, act, names.of[s2], p, int(paid) if isinstance(paid, bool) else paid))
    law = None if start is None else {names.of[s]: p for s, p in start.items()}
    return Found(outcomes, list(names.of.values()), list(action_names.of.values()), stopped, law)


class Naming:
    """The name of each state, or of each action; two of one name are a fault."""

    def __init__(self, name: Callable[[Any], str], what: str) -> None:
        self.name, self.what = name, what
        self.of: dict[Any, str] = {}
        self.taken: dict[str, Any] = {}

    def add(self, x: Any) -> str:
        """Return the name of a state or action, which is new or known."""
        if x in self.of:
            return self.of[x]
        text = self.name(x)
        if not isinstance(text, str):
            raise ModelError(
                f"names returned {kind_text(text)} for the {self.what} {quoted(repr(x))}, expected a text"
            )
        if text in self.taken:
            raise ModelError(
                f"found two {self.what}s named {quoted(text)}: {escape(repr(self.taken[text]))} and {escape(repr(x))}. "
                "Give names=..., a function that returns a name of its own for each"
            )
        self.of[x] = text
        self.taken[text] = x
        return text


def start_law(start: Any) -> dict[Any, Any] | None:
    """Return the start distribution by state: a state stands for itself."""
    if start is None:
        return None
    return dict(start) if isinstance(start, Mapping) else {start: 1}


def _choices(actions: Any, s: Any, here: str) -> list[Any]:
    found = actions(s) if callable(actions) else actions
    if found is None:
        return []
    if isinstance(found, (str, bytes)) or not isinstance(found, Iterable):
        raise ModelError(Fault(f"actions returned {kind_text(found)}, expected a list of actions", here))
    return list(dict.fromkeys(found))


def _ends(terminal: Any, names: Naming) -> Callable[[Any], bool]:
    if terminal is None:
        return lambda _: False
    if callable(terminal):
        return lambda s: bool(terminal(s))
    if isinstance(terminal, (str, bytes)) or not isinstance(terminal, Iterable):
        raise ModelError(f"terminal: found {kind_text(terminal)}, expected a list of states or a function")
    listed = set(terminal)
    return lambda s: s in listed or names.of[s] in listed


def _reward(reward: Any) -> Callable[[Any, Any, Any], Any]:
    """Return the reward as a function of s, a, s'; of fewer arguments what is given may be, and a number."""
    if reward is None:
        return lambda _s, _a, _s2: 0
    if not callable(reward):
        return lambda _s, _a, _s2: reward
    places = [
        p
        for p in inspect.signature(reward).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]
    many = any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(reward).parameters.values())
    count = 3 if many else len(places)
    if count not in (1, 2, 3):
        raise ModelError(f"reward: found a function of {count} arguments, expected s, a, s'; or s, a; or s")
    return lambda s, a, s2: reward(*(s, a, s2)[:count])


def _outcomes(found: Any, here: str, act: str) -> Iterator[tuple[Any, Any, Any]]:
    """The outcomes that a transition returned: (next state, probability, reward or None)."""
    if isinstance(found, Mapping):
        for s2, p in found.items():
            yield s2, p, None
        return
    if isinstance(found, (str, bytes)) or not isinstance(found, Iterable):
        raise ModelError(
            Fault(
                f"transition returned {kind_text(found)}, expected {{next state: probability}} or a list of "
                f"{AN_OUTCOME}; of one next state {{next state: 1}}",
                here,
                act,
            )
        )
    for outcome in found:
        if not isinstance(outcome, (tuple, list)) or len(outcome) not in (2, 3):
            raise ModelError(
                Fault(
                    f"transition returned an outcome {quoted(str(outcome))}, expected {AN_OUTCOME}", here, act
                )
            )
        yield outcome[0], outcome[1], outcome[2] if len(outcome) == 3 else None
