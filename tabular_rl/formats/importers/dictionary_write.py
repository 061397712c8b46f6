"""Writing a model as a dictionary: as JSON, which reads back as the same model, and as Python's own.

    {"gamma": 0.9, "P": {"s": {"go": [[p, next state, reward, done], ...]}}, "states": [...], ...}

Other programs read P. What it cannot say stands beside it: the order of the names, which states end, how
numbers are meant.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import groupby
from operator import attrgetter
from typing import Any, BinaryIO

from tabular_rl.formats.importers.exports import Line, layout_json, lines_of
from tabular_rl.formats.output import write_lines
from tabular_rl.formats.spelling import Speller, plain
from tabular_rl.model.mdp import MDP


def write_dictionary_json(mdp: MDP, file: BinaryIO) -> None:
    """Write a model as JSON that reads back as the same model."""
    write_lines(json_lines(mdp), file)


def json_lines(mdp: MDP) -> Iterator[str]:
    """Yield the text of a model in JSON, a line for each action.

    Parameters
    ----------
    mdp : the model

    Yields
    ------
    The lines, each with its end.
    """
    yield "{\n"
    yield from (f"{json.dumps(key)}: {text},\n" for key, text in _top(mdp))
    yield '"P": {'
    before = ""
    for s, rows in _rows(mdp):
        yield f"{before}\n{json.dumps(mdp.states[s])}: {{\n  " + ",\n  ".join(rows) + "}"
        before = ","
    yield "\n}\n}\n"


def _rows(mdp: MDP) -> Iterator[tuple[int, list[str]]]:
    """Yield each state with the texts of its actions. A terminal one leads to itself for nothing, with done."""
    by_state = groupby(lines_of(mdp), attrgetter("s"))
    found = next(by_state, None)
    for s, end in enumerate(mdp.terminal.tolist()):
        if end:
            yield s, [f"{json.dumps(a)}: [[1, {json.dumps(mdp.states[s])}, 0, true]]" for a in mdp.actions]
        elif found is not None and found[0] == s:
            yield s, [_action(mdp, a, lines) for a, lines in groupby(found[1], attrgetter("a"))]
            found = next(by_state, None)


def _action(mdp: MDP, a: int, lines: Iterable[Line]) -> str:
    outcomes = (
        f"[{_number(line.p)}, {json.dumps(mdp.states[line.to])}, {_number(line.reward)}, "
        f"{json.dumps(bool(mdp.terminal[line.to]))}]"
        for line in lines
    )
    return f"{json.dumps(mdp.actions[a])}: [{', '.join(outcomes)}]"


def _number(x: Any) -> str:
    if not isinstance(x, Fraction):
        return repr(float(x))
    text = plain(x)
    return json.dumps(text) if "/" in text else text


def _top(mdp: MDP) -> Iterator[tuple[str, str]]:
    """Yield what stands beside P."""
    exact = mdp.exact is not None
    for key in ("name", "source"):
        if getattr(mdp, key):
            yield key, json.dumps(getattr(mdp, key))
    yield "gamma", Speller(mdp).gamma()
    if mdp.sense != "max":
        yield "sense", json.dumps(mdp.sense)
    if mdp.horizon is not None:
        yield "horizon", str(mdp.horizon)
    yield "numbers", json.dumps("exact" if exact else "float64")
    if mdp.reward is None:
        yield "rewards", json.dumps("pair")
    yield "states", json.dumps(list(mdp.states))
    yield "actions", json.dumps(list(mdp.actions))
    yield "terminal", json.dumps([s for s, end in zip(mdp.states, mdp.terminal.tolist(), strict=True) if end])
    for key in ("start", "final_reward"):
        values = getattr(mdp.exact, key, None)
        values = getattr(mdp, key) if values is None else values
        if values is not None and (key != "start" or mdp.start_given):
            inside = ", ".join(
                f"{json.dumps(s)}: {_number(x)}" for s, x in zip(mdp.states, values, strict=True) if x
            )
            yield key, "{" + inside + "}"
    if mdp.layout is not None:
        yield "layout", json.dumps(layout_json(mdp.layout))


def to_dictionary(mdp: MDP) -> dict[Any, dict[Any, list[tuple[Any, Any, Any, bool]]]]:
    """Return a model as {state: {action: [(p, next state, reward, done)]}}, as Gymnasium's toy environments keep it.

    Names that are indices are whole numbers. Numbers are fractions where the model is exact. A terminal state leads to
    itself for nothing, with done, as it does there.

    Parameters
    ----------
    mdp : the model

    Returns
    -------
    The dictionary.
    """
    states: list[Any] = list(mdp.states) if mdp.states.given else list(range(mdp.S))
    actions: list[Any] = list(mdp.actions) if mdp.actions.given else list(range(mdp.A))
    made: dict[Any, dict[Any, list[tuple[Any, Any, Any, bool]]]] = {s: {} for s in states}
    one = 1 if mdp.exact is not None else 1.0
    for s, end in enumerate(mdp.terminal.tolist()):
        if end:
            made[states[s]] = {a: [(one, states[s], 0 * one, True)] for a in actions}
    line: Line
    for line in lines_of(mdp):
        outcome = (line.p, states[line.to], line.reward, bool(mdp.terminal[line.to]))
        made[states[line.s]].setdefault(actions[line.a], []).append(outcome)
    return made
