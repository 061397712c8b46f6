"""Models {"state": {"action": [[p, next state, reward, done]]}} in JSON, by themselves or under a key P.

Numbers are read as they are spelled, and texts such as "1/3" are exact. Where rows sum to 1 only as float64 numbers do,
as those that another program wrote, all numbers are float64. A file that this package wrote says itself what
they are.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, BinaryIO

from tabular_rl.errors import Fault, ModelError, closest, quoted
from tabular_rl.formats.fields import Asked
from tabular_rl.formats.importers.dictionary import read_dictionary
from tabular_rl.formats.importers.dictionary_own import KEYS, own_model
from tabular_rl.formats.importers.exactness import as_written
from tabular_rl.formats.importers.json_arrays import model_of_lists
from tabular_rl.formats.importers.named_arrays import are_arrays
from tabular_rl.formats.input import text_of
from tabular_rl.formats.json import TOKEN, read_json
from tabular_rl.model.mdp import MDP
from tabular_rl.model.outcomes import arrays_of_outcomes

KNOWN = ("P", "gamma", "start", "horizon", "sense", "name", "source")
TIMES = 40  # bytes that are needed for a byte of text
FINITE = "finite numbers"
WHOLE = re.compile(r"(-?[0-9]+)\.0+")


def read_dictionary_json(file: BinaryIO, asked: Asked) -> MDP:
    """Return the model of a dictionary in JSON.

    Parameters
    ----------
    file : open binary file
    asked : what the caller asks for in place of what the file says

    Returns
    -------
    MDP

    Raises
    ------
    ModelError : each fault with its line, state and action
    """
    return model_of_json(text_of(file, TIMES), asked)


def model_of_json(text: str, asked: Asked) -> MDP:
    """Return the model of a text in JSON; ModelError with the line, state and action of each fault."""
    found = read_json(text, _spelled, infinite=True, expected=FINITE)
    if asked.arrays or (are_arrays(found) and "numbers" not in found):
        return model_of_lists(found, asked)
    if "Infinity" in text:
        read_json(text, _spelled, expected=FINITE)  # refused, but as a name
    wrapped = "P" in found
    try:
        return _model(found if wrapped else {"P": found}, asked)
    except ModelError as error:
        lines = _lines(text, 1 if wrapped else 0)
        raise ModelError([_placed(fault, lines) for fault in error.faults]) from None


def _spelled(number: str) -> str:
    """Return a number as it is spelled: the state 3.0 is the state 3."""
    whole = WHOLE.fullmatch(number)
    return whole[1] if whole else number


def _model(top: dict[str, Any], asked: Asked) -> MDP:
    known = (*KNOWN, *KEYS) if "numbers" in top else KNOWN
    for key in top:
        if key not in known:
            raise ModelError(
                f"unknown key {quoted(key)}{closest(key, known) or ', expected one of ' + ', '.join(known)}"
            )
    gamma = top.get("gamma") if asked.gamma is None else asked.gamma
    if gamma is None:
        raise ModelError(
            'gamma: found none, expected one: say --gamma 0.9, or write {"gamma": 0.9, "P": {...}}'
        )
    for key in ("name", "source"):
        if not isinstance(top.get(key, ""), str):
            raise ModelError(f"{key}: expected a text")
    horizon = top.get("horizon") if asked.horizon is None else asked.horizon
    if isinstance(horizon, str):
        if not re.fullmatch("[0-9]{1,18}", horizon):
            raise ModelError(f"horizon: found {quoted(horizon)}, expected a whole number")
        horizon = int(horizon)
    start = top.get("start")
    if isinstance(start, list):
        raise ModelError("start: found a list, expected a state or {state: probability}")
    options = {
        "horizon": horizon,
        "sense": asked.sense or top.get("sense", "max"),
        "name": top.get("name", ""),
        "source": top.get("source", ""),
        "normalize": asked.normalize,
    }
    if "numbers" in top:
        return own_model(top, gamma, options, asked)
    model = read_dictionary(top["P"], asked.terminal or (), start)
    outcomes = as_written(model.outcomes)
    names = (model.states, model.actions or None)
    return MDP.from_rows(**arrays_of_outcomes(outcomes, gamma, model.terminal, *names, model.start, options))


def _lines(text: str, skipped: int) -> dict[tuple[str, ...], int]:
    """Return the line of each state and each action; `skipped` levels lie above the states."""
    lines: dict[tuple[str, ...], int] = {}
    open_ones: list[list[Any]] = []  # of each open object or array: the key where it stands, entries
    line, at = 1, 0
    for match in TOKEN.finditer(text):
        line, at = line + text.count("\n", at, match.start()), match.start()
        if match[4]:
            open_ones.pop()
            continue
        if match[3] and open_ones and open_ones[-1][2]:
            open_ones[-1][0], open_ones[-1][1] = str(open_ones[-1][1]), open_ones[-1][1] + 1
        elif match[2] and open_ones:
            open_ones[-1][0] = json.loads(match[1])
        if match[2] or match[3]:
            path = tuple(level[0] for level in open_ones)[skipped:]
            if skipped == 0 or (open_ones and open_ones[0][0] == "P"):
                lines.setdefault(path[:2], line)
            elif len(open_ones) == 1 and match[2]:
                lines.setdefault(("", open_ones[0][0]), line)
        if match[3]:
            open_ones.append(["", 0, match[3] == "["])
    return lines


def _placed(fault: Fault, lines: dict[tuple[str, ...], int]) -> Fault:
    """Return a fault with the line of its action or its state."""
    if fault.line is not None:
        return fault
    key = re.search(r"^([a-z]+): |unknown key '(\w+)'", fault.what)
    paths = [(fault.state, fault.action), (fault.state,)] if fault.state else []
    place = [path for path in (*paths, ("", (key[1] or key[2]) if key else None)) if path in lines]
    return replace(fault, line=lines[place[0]]) if place else fault
