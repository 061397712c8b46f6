"""Writing a model as Cassandra's .MDP, where it has all that the model is.

Every action must be available in every state, a transition has one reward, and numbers are decimals. Other programs see
a terminal state as one that leads to itself for nothing. What only this package reads
stands in remarks `#! key = value`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any, BinaryIO

from tabular_rl.errors import ModelError
from tabular_rl.formats.importers.cassandra_text import HEADS
from tabular_rl.formats.importers.exports import decimal, layout_json, lines_of, refused
from tabular_rl.formats.output import write_lines
from tabular_rl.formats.spelling import Speller
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names
from tabular_rl.model.rationals import nearest

TITLE = ".MDP"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
WORDS = {*HEADS, "reward", "cost", "uniform", "identity", "reset", "include", "exclude"}


def write_cassandra(mdp: MDP, file: BinaryIO) -> None:
    """Write a model as a .MDP file of Cassandra's; ModelError where the format cannot hold it."""
    check(mdp)
    write_lines(_lines(mdp), file)


def check(mdp: MDP) -> None:
    """Raise where a model is none that the format can hold.

    Parameters
    ----------
    mdp : the model

    Raises
    ------
    ModelError : a horizon, an unavailable action, or two rewards of one transition
    """
    if mdp.horizon is not None:
        raise refused(TITLE, f"found a horizon of {mdp.horizon} decisions")
    if mdp.L == 0:
        raise refused(TITLE, "found no state with actions")
    for s in range(mdp.S):
        rows = mdp.rows(s)
        if not mdp.terminal[s] and len(rows) < mdp.A:
            there = {int(mdp.pair_action[i]) for i in rows}
            missing = next(a for a in range(mdp.A) if a not in there)
            raise refused(TITLE, "found an unavailable action", mdp.states[s], mdp.actions[missing])
    before: tuple[int, int] | None = None
    seen: set[int] = set()
    for line in lines_of(mdp):
        place = mdp.states[line.s], mdp.actions[line.a], mdp.states[line.to]
        if (line.s, line.a) != before:
            before, seen = (line.s, line.a), set()
        if not line.p:
            raise refused(TITLE, "found an outcome of probability 0", *place)
        if line.to in seen:
            raise refused(TITLE, "found two outcomes with one next state", *place)
        seen.add(line.to)


def _lines(mdp: MDP) -> Iterator[str]:
    yield from (f"#! {key} = {json.dumps(value)}\n" for key, value in _remarks(mdp).items())
    gamma = mdp.gamma_exact if mdp.exact is not None else mdp.gamma
    yield f"discount: {decimal(gamma, lambda what: refused(TITLE, f'discount: {what}'))}\n"
    yield f"values: {'cost' if mdp.sense == 'min' else 'reward'}\n"
    states, actions = _words(mdp.states), _words(mdp.actions)
    for what, names in (("states", mdp.states), ("actions", mdp.actions)):
        yield f"{what}: {' '.join(names) if _fit(names) else len(names)}\n"
    yield from _start(mdp, states)
    yield "\n"
    for s, end in enumerate(mdp.terminal.tolist()):
        if end:
            yield f"T: * : {states[s]} : {states[s]} 1.0\n"
    for line in lines_of(mdp):
        place = mdp.states[line.s], mdp.actions[line.a], mdp.states[line.to]
        fault = partial(_no_decimal, place)
        pair = f"{actions[line.a]} : {states[line.s]} : {states[line.to]}"
        yield f"T: {pair} {decimal(line.p, fault)}\n"
        if line.reward:
            yield f"R: {pair} {decimal(line.reward, fault)}\n"


def _no_decimal(place: tuple[str, str, str], what: str) -> ModelError:
    return refused(TITLE, what, *place)


def _remarks(mdp: MDP) -> dict[str, Any]:
    """Return what the format has no words for."""
    found: dict[str, Any] = {key: getattr(mdp, key) for key in ("name", "source") if getattr(mdp, key)}
    found |= {what: list(names) for what, names in (("states", mdp.states), ("actions", mdp.actions))
              if names.given and not _fit(names)}  # fmt: skip
    if mdp.exact is None:
        found["numbers"] = "float64"
        if mdp.gamma_exact != Fraction(mdp.gamma):
            found["discount"] = Speller(mdp).gamma().strip('"')
    if mdp.reward is None:
        found["rewards"] = "pair"
    if mdp.terminal.any():
        found["terminal"] = [s for s, end in zip(mdp.states, mdp.terminal.tolist(), strict=True) if end]
        if not mdp.start_given:
            found["start"] = "default"
    if mdp.layout is not None:
        found["layout"] = layout_json(mdp.layout)
    return found


def _fit(names: Names) -> bool:
    """Whether names are words of the format."""
    return names.given and all(NAME.fullmatch(name) and name not in WORDS for name in names)


def _words(names: Names) -> list[str]:
    """Return what the names are called in the file: themselves, or their numbers."""
    return list(names) if _fit(names) else list(map(str, range(len(names))))


def _start(mdp: MDP, states: list[str]) -> Iterator[str]:
    """Yield the line of the start, if it needs one."""
    ends = mdp.terminal.tolist()
    if not mdp.start_given:
        if any(ends) and not all(ends):
            yield f"start exclude: {' '.join(name for name, end in zip(states, ends, strict=True) if end)}\n"
        return
    start = list(mdp.start.tolist() if mdp.exact is None or mdp.exact.start is None else mdp.exact.start)
    some = [s for s, p in enumerate(start) if p]
    equal = Fraction(1, len(some))
    if len(some) == 1:
        yield f"start: {states[some[0]]}\n"
    elif all(start[s] == (equal if isinstance(start[s], Fraction) else nearest(equal)) for s in some):
        yield f"start include: {' '.join(states[s] for s in some)}\n"
    else:
        numbers = [decimal(p, partial(_no_decimal_start, mdp.states[s])) for s, p in enumerate(start)]
        yield f"start: {' '.join(numbers)}\n"


def _no_decimal_start(state: str, what: str) -> ModelError:
    return refused(TITLE, f"start: {what}", state)
