"""Cassandra's files: .MDP, and those .POMDP whose observations tell the state.

The format knows no terminal states, and every action is available in every state. What it cannot say stands in remarks
`#! key = value`, which other programs pass over: tabular_rl/formats/importers/cassandra_write.py writes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Any, BinaryIO

from tabular_rl.errors import Fault, ModelError, quoted
from tabular_rl.formats.fields import Asked
from tabular_rl.formats.importers.cassandra_text import (
    ANY,
    Parsed,
    Token,
    index_of,
    is_number,
    number_of,
    parse,
)
from tabular_rl.formats.importers.dictionary import Outcome
from tabular_rl.formats.importers.exactness import as_written
from tabular_rl.formats.importers.exports import by_pair, layout_of
from tabular_rl.formats.input import plain_ends, text_of
from tabular_rl.formats.memory import require
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names
from tabular_rl.model.outcomes import arrays_of_outcomes
from tabular_rl.model.rationals import exact_sum, fraction, nearest, spell_short

TIMES = 40  # bytes that are needed for a byte of text
AN_OUTCOME = 600  # bytes that are needed for an outcome
REMARK = re.compile(r"^#! *([a-z]+) *= *(.*)$", re.MULTILINE)
REMARKS = {
    "name": str, "source": str, "numbers": str, "discount": str, "rewards": str, "terminal": list, "states": list,
    "actions": list, "start": str, "layout": dict,
}  # fmt: skip
Law = dict[int, Fraction]


def read_cassandra(file: BinaryIO, asked: Asked) -> MDP:
    """Return the model of a .MDP or .POMDP file of Cassandra's.

    Parameters
    ----------
    file : open binary file
    asked : what the caller asks for in place of what the file says

    Returns
    -------
    MDP

    Raises
    ------
    ModelError : each fault with its line, state and action; the file is partially observable
    """
    text = plain_ends(text_of(file, TIMES))
    return _Model(parse(text), _remarks(text), asked).mdp()


def _remarks(text: str) -> dict[str, Any]:
    """Return what stands in the remarks `#! key = value`, by key."""
    found: dict[str, Any] = {}
    for match in REMARK.finditer(text):
        key, line = match[1], text.count("\n", 0, match.start()) + 1
        try:
            value = json.loads(match[2])
        except (ValueError, RecursionError):
            value = None
        kind = REMARKS.get(key)
        right = kind is not None and isinstance(value, kind)
        if not right or (kind is list and not all(isinstance(x, str) for x in value)):
            what = f"found the remark {quoted(match[0])}, expected one of {', '.join(REMARKS)} with a text or a list"
            raise ModelError(Fault(f"{what} in JSON. Other remarks begin with # alone", line=line))
        found[key] = value
    return found


class _Model:
    """The outcomes that a file stands for."""

    def __init__(self, parsed: Parsed, remarks: dict[str, Any], asked: Asked) -> None:
        self.parsed, self.remarks, self.asked = parsed, remarks, asked
        self.S, self.A = parsed.size("states"), parsed.size("actions")
        self.states = Names(self.named("states", self.S))
        self.actions = Names(self.named("actions", self.A))
        self.lines: dict[tuple[str, str], int] = {}
        self.reset: Law = {}

    def named(self, what: str, size: int) -> Any:
        given = self.remarks.get(what, self.parsed.names[what])
        if not isinstance(given, int) and len(given) != size:
            raise ModelError(f"{what}: found {len(given)} names in the remark #! {what}, expected {size}")
        return given

    def mdp(self) -> MDP:
        asked, remarks = self.asked, self.remarks
        gamma = self.discount() if asked.gamma is None else asked.gamma
        start = self.start_law()
        if any(spec.values == "reset" for level in self.parsed.T.lines.values() for spec in level.values()):
            self.reset = dict.fromkeys(range(self.S), Fraction(1, self.S)) if start is None else start
        ends = list(asked.terminal if asked.terminal is not None else remarks.get("terminal", ()))
        for s in ends:
            if self.states.find(s) is None:
                raise ModelError(f"terminal: no such state {quoted(s)}")
        outcomes = list(self.outcomes(set(ends)))
        options = {
            "horizon": asked.horizon,
            "sense": asked.sense or self.sense(),
            "normalize": asked.normalize,
            "name": remarks.get("name", ""),
            "source": remarks.get("source", ""),
            "layout": layout_of(remarks["layout"]) if "layout" in remarks else None,
        }
        floats = remarks.get("numbers") == "float64"
        if floats:
            outcomes = [(s, a, to, nearest(p), nearest(r)) for s, a, to, p, r in outcomes]
        else:
            outcomes = as_written(outcomes)
        if floats and asked.gamma is None:
            gamma = self.exact_discount(gamma) if "discount" in remarks else nearest(gamma)
        named = None
        if start is not None and "start" not in remarks:
            named = {self.states[s]: nearest(p) if floats else p for s, p in start.items()}
        try:
            arrays = arrays_of_outcomes(outcomes, gamma, ends, self.states, self.actions, named, options)
            return MDP.from_rows(**(by_pair(arrays) if remarks.get("rewards") == "pair" else arrays))
        except ModelError as error:
            raise ModelError([self.placed(fault) for fault in error.faults]) from None

    def placed(self, fault: Fault) -> Fault:
        """Return a fault with the line of its row, or of its key at the top."""
        if fault.line is not None:
            return fault
        if fault.state is not None and fault.action is not None:
            return replace(fault, line=self.lines.get((fault.state, fault.action)) or None)
        key = {"gamma": "discount"}.get(fault.what.partition(":")[0], "")
        return replace(fault, line=self.parsed.top[key].line) if key in self.parsed.top else fault

    # -- the top ------------------------------------------------------------------------------------------------

    def discount(self) -> Fraction:
        if "discount" not in self.parsed.top:
            raise ModelError(
                "discount: found none, expected a line discount: ... at the top, or say --gamma 0.9"
            )
        token = self.parsed.top["discount"]
        gamma = number_of(token)
        if not 0 <= gamma <= 1:
            what = f"discount: found {quoted(token.text)}, expected a number from 0 to 1"
            raise ModelError(Fault(what, line=token.line))
        return gamma

    def exact_discount(self, gamma: Fraction) -> Fraction:
        """Return the discount of the remark, which must be the one that other programs read."""
        with suppress(ValueError):
            said = fraction(self.remarks["discount"])
            if nearest(said) == nearest(gamma):
                return said
        what = f"discount: found {quoted(self.remarks['discount'])} in a remark, expected that of the line discount:"
        raise ModelError(Fault(what, line=self.parsed.top["discount"].line))

    def sense(self) -> str:
        token = self.parsed.top.get("values", Token("reward", 0))
        if token.text not in ("reward", "cost"):
            raise ModelError(
                Fault(f"values: found {quoted(token.text)}, expected reward or cost", line=token.line)
            )
        return "min" if token.text == "cost" else "max"

    def start_law(self) -> Law | None:
        """Return the start distribution; None where there is none: all states alike."""
        start = self.parsed.start
        if start is None:
            return None
        if start.form == "uniform":
            return dict.fromkeys(range(self.S), Fraction(1, self.S))
        if start.form:
            return self.some(start.form, start.values)
        first = start.values[0]
        if len(start.values) == 1 and (
            not is_number(first) or (first.text.isdigit() and (self.S > 1 or first.text == "0"))
        ):
            return {self.state(first): Fraction(1)}
        numbers = [number_of(value) for value in start.values]
        floats = self.remarks.get("numbers") == "float64"
        if len(numbers) != self.S:
            what = (
                f"start: found {len(numbers)} numbers, expected {self.S}, a state, or start include: STATES"
            )
            raise ModelError(Fault(what, line=start.line))
        total = exact_sum(numbers)
        near = total is not None and abs(total - 1) * 2**52 <= self.S
        if total is None or min(numbers) < 0 or not total or not (near or self.asked.normalize):
            found = "more digits than are added" if total is None else spell_short(total)
            what = f"start: found probabilities that sum to {found}, expected 1"
            raise ModelError(Fault(f"{what}. Load with --normalize to rescale them", line=start.line))
        return {s: p if floats and near else p / total for s, p in enumerate(numbers) if p}

    def some(self, form: str, values: list[Token]) -> Law:
        """Return the uniform distribution over the states that are included or not excluded."""
        meant = {self.state(value) for value in values}
        if ANY in meant:
            meant = set(range(self.S))
        if form == "exclude":
            meant = set(range(self.S)) - meant
        if not meant:
            raise ModelError(
                Fault("start exclude: found all states, expected one that is left", line=values[0].line)
            )
        return dict.fromkeys(sorted(meant), Fraction(1, len(meant)))

    def state(self, token: Token) -> int:
        index = {} if isinstance(self.parsed.names["states"], int) else self.index
        return index_of(token, "states", self.parsed.names["states"], index)

    @property
    def index(self) -> dict[str, int]:
        names = self.parsed.names["states"]
        return {} if isinstance(names, int) else {name: i for i, name in enumerate(names)}

    # -- rows ---------------------------------------------------------------------------------------------------

    def outcomes(self, ends: set[str]) -> Iterator[Outcome]:
        """Yield the outcomes of all rows but those of states that end."""
        pays, seen = _Rewards(self.parsed, self.asked.normalize), 0
        sees = None if self.parsed.O is None else _Sight(self)
        for s in range(self.S):
            if self.states[s] in ends:
                continue
            for a in range(self.A):
                law, line = self.parsed.T.row(a, s, self.reset)
                place = self.states[s], self.actions[a]
                self.lines[place] = line
                if not law:
                    what = "found no probability but 0, expected some that sum to 1: a line T: says them"
                    raise ModelError(Fault(what, *place, line=line or None))
                seen += len(law)
                if seen % 4096 < len(law):
                    require(AN_OUTCOME * len(law), "A directory of arrays needs least.")
                for s2, p in law.items():
                    if sees is not None:
                        sees.look(a, s2)
                    for reward, share in pays.of(a, s, s2):
                        yield (*place, self.states[s2], p * share, reward)


class _Rewards:
    """Rewards of transitions: one each, or one for each observation that differs."""

    def __init__(self, parsed: Parsed, normalize: bool) -> None:
        self.R, self.O, self.normalize = parsed.R, parsed.O, normalize
        self.plain = self.O is None or all(len(stars) == 4 and stars[3] for stars in self.R.lines)
        self.laws: dict[tuple[int, int], Law] = {}

    def of(self, a: int, s: int, s2: int) -> list[tuple[Fraction, Fraction]]:
        """Return (reward, share of the probability) of a transition."""
        if self.O is None:
            return [(self.R.value((a, s, s2)), Fraction(1))]
        if self.plain:
            return [(self.R.value((a, s, s2, 0)), Fraction(1))]
        if (a, s2) not in self.laws:
            self.laws[a, s2] = self.O.row(a, s2, {})[0]
        shares: dict[Fraction, Fraction] = {}
        law = self.laws[a, s2]
        total = exact_sum(law.values()) or Fraction(1)
        for o, p in law.items():
            reward = self.R.value((a, s, s2, o))
            shares[reward] = shares.get(reward, Fraction(0)) + p / total
        return list(shares.items())


class _Sight:
    """What is seen after an action, which must tell the state."""

    def __init__(self, model: _Model) -> None:
        self.model, self.O = model, model.parsed.O
        self.known: set[tuple[int, int]] = set()
        self.source: dict[tuple[int, int], int] = {}

    def look(self, a: int, s2: int) -> None:
        """ModelError where an observation can come from this state and from another one."""
        if (a, s2) in self.known or self.O is None:
            return
        self.known.add((a, s2))
        law, line = self.O.row(a, s2, {})
        model = self.model
        place = model.states[s2], model.actions[a]
        total = exact_sum(law.values())
        if total is None or not law or (abs(total - 1) * 2**52 > len(law) and not model.asked.normalize):
            found = "more digits than are added" if total is None else spell_short(total)
            what = f"observations after action {quoted(place[1])} have probabilities that sum to {found}, expected 1"
            raise ModelError(
                Fault(
                    f"{what}. Fix the row, or load with --normalize to rescale it.",
                    place[0],
                    line=line or None,
                )
            )
        for o in law:
            other = self.source.setdefault((a, o), s2)
            if other != s2:
                names = model.parsed.names["observations"]
                seen = str(o) if isinstance(names, int) else names[o]
                both = f"{quoted(model.states[other])} or {quoted(place[0])}"
                what = (
                    f"this file is partially observable: after action {quoted(place[1])} the observation "
                    f"{quoted(seen)} may mean state {both}, expected it to tell the state. A solver of POMDPs takes it"
                )
                raise ModelError(Fault(what, line=line or None))
