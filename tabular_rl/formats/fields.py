"""What the text formats have in common: numbers and names, each with its line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from tabular_rl.errors import SHOWN_FAULTS, Fault, closest, escape, path_text, quoted
from tabular_rl.formats.lines import Spot
from tabular_rl.formats.remarks import remark
from tabular_rl.model.build import Number
from tabular_rl.model.names import Names, name_fault
from tabular_rl.model.rationals import (
    DECIMAL,
    FRACTION,
    LONGEST,
    UNDERFLOWS,
    RationalArray,
    fraction,
    nearest,
)
from tabular_rl.model.rows import LARGEST

TOO_LARGE = int(LARGEST)  # fractions compare faster with integers than with floats
PLAIN = 400  # characters up to which a decimal whose exponent is out of range is out of that of floats
AN_EMPTY_CELL = "found an empty cell, expected a name"
A_PROBABILITY = "expected a number from 0 to 1"
ONLY_TENSORS = "the only part whose rewards may stand at terminal states"
A_NUMBER = 'expected a number such as 1, 0.5 or "2/3"'


@dataclass(frozen=True)
class Asked:
    """What the caller asks for in place of what the file says."""

    gamma: Any = None
    horizon: int | None = None
    terminal: tuple[str, ...] | None = None
    sense: str | None = None
    normalize: bool = False
    reward: str | None = None  # which reward model, of a file that has several
    source: str = ""  # what messages call the file
    arrays: dict[str, str] | None = None  # how a file of arrays is read: {"axes": "ssa", "P": "NAME"}

    def say(self, text: str, *, matters: bool = True) -> None:
        """Say something of the file; `matters` where it changes the answer."""
        remark(path_text(self.source), text, matters=matters)


@dataclass
class Reader:
    """Reads located values; notes what is wrong with them in `faults` and goes on."""

    asked: Asked
    exact: bool = True
    faults: list[Fault] = field(default_factory=list)

    def fault(self, what: str, at: Spot | int | None = None, **place: Any) -> None:
        """Note what is wrong, at a value or a line."""
        self.faults.append(Fault(what, line=at.line if isinstance(at, Spot) else at, **place))

    def table(
        self, spot: Spot, what: str, known: Iterable[str] | None = None, **place: Any
    ) -> dict[str, Spot]:
        """Return the entries of a table, without those that are not known."""
        if not self._is(isinstance(spot.value, dict), spot, what, "a table", **place):
            return {}
        entries: dict[str, Spot] = spot.value
        if known is None:
            return entries
        allowed = tuple(known)
        for key, value in entries.items():
            if key not in allowed:
                way_out = self.closest(key, allowed) or f", expected one of {', '.join(allowed)}"
                if key == "terminal_rewards":
                    way_out = f", expected it in [tensors], {ONLY_TENSORS}"
                where = f"{what}: " if what else ""
                self.fault(f"{where}unknown key {quoted(key)}{way_out}", value, **place)
        return {key: value for key, value in spot.value.items() if key in allowed}

    def closest(self, name: str, known: Iterable[str]) -> str:
        """Return a suggestion; none past the faults that are shown, since the search takes its time."""
        return closest(name, known) if len(self.faults) < SHOWN_FAULTS else ""

    def _is(self, right: bool, spot: Spot, what: str, expected: str, **place: Any) -> bool:
        """Whether a value is what is expected; a fault where it is not."""
        if not right:
            self.fault(f"{what}: found {escape(spot)}, expected {expected}", spot, **place)
        return right

    def array(self, spot: Spot, what: str, **place: Any) -> list[Spot]:
        """Return the entries of an array, none where it is something else."""
        right = isinstance(spot.value, list)
        return spot.value if self._is(right, spot, what, "an array", **place) else []

    def text(self, spot: Spot, what: str, choices: tuple[str, ...] = (), **place: Any) -> str | None:
        """Return a text, one of the choices where there are any; None where it is something else."""
        if not self._is(is_text(spot), spot, what, "a text in quotes", **place):
            return None
        known = not choices or spot.value in choices
        expected = " or ".join(f'"{choice}"' for choice in choices)
        return str(spot.value) if self._is(known, spot, what, expected, **place) else None

    def boolean(self, spot: Spot, what: str, **place: Any) -> bool:
        """Return true or false; false where it is something else."""
        return self._is(isinstance(spot.value, bool), spot, what, "true or false", **place) and spot.value

    def whole(self, spot: Spot, what: str, least: int, **place: Any) -> int | None:
        """Return a whole number from `least` on; None where it is something else."""
        number = spot.value
        plain = isinstance(number, int) and not isinstance(number, bool) and spot.spelled.isdigit()
        right = plain and least <= number < 2**63
        expected = f"a whole number, {least} or more"
        return int(number) if self._is(right, spot, what, expected, **place) else None

    def number(self, spot: Spot, what: str, **place: Any) -> Number:
        """Return a number; 0 where it is none, with a fault."""
        text = spot.value if is_text(spot) else spot.spelled
        fits = FRACTION if is_text(spot) else DECIMAL
        if isinstance(spot.value, (dict, list)) or not fits.fullmatch(text):
            cure = ". Write it without the quotes" if is_text(spot) and DECIMAL.fullmatch(text) else ""
            if what == "reward" and text == "-inf":
                cure = ". If it marks an action that is unavailable, leave the action out, in tensors by a row of zeros"
            self.fault(f"found {what} {escape(spot)}, {A_NUMBER}{cure}", spot, **place)
            return Fraction(0)
        number = _read_number(text, self.exact)
        if number is None:
            self.fault(f"found {what} {escape(spot)}, {_out_of_range(text)}", spot, **place)
            return Fraction(0)
        return number

    def probability(self, spot: Spot, what: str = "probability", **place: Any) -> Number:
        """Return a number from 0 to 1; 0 where it is none, with a fault that shows it as it is spelled."""
        number = self.number(spot, what, **place)
        if not 0 <= number <= self.most:
            self.fault(f"found {what} {escape(spot)}, {A_PROBABILITY}", spot, **place)
            return Fraction(0)
        return number

    @property
    def most(self) -> Number:
        """The largest number that is taken for a probability; a sum of doubles may miss 1."""
        return 1.0 if self.exact else 1 + 2.0**-40

    def names(self, spot: Spot, what: str) -> dict[str, int]:
        """Return names in order, each with its line."""
        found: dict[str, int] = {}
        for item in self.array(spot, f"{what}s"):
            name = self.text(item, what)
            if name is None:
                continue
            if name in found:
                twice = f"found twice, first on line {found[name]}, expected distinct names"
                self.fault(f"{what} {quoted(name)}: {twice}", item)
            self.check_name(name, what, item)
            found.setdefault(name, item.line)
        return found

    def check_name(self, name: str, what: str, spot: Spot) -> None:
        """Note what is wrong with a name."""
        wrong = name_fault(name)
        if wrong:
            self.fault(f"{what} {quoted(name)}: {wrong}", spot)

    def state(self, name: str, states: Names, spot: Spot, what: str = "", **place: Any) -> int | None:
        """Return the index of a state that is referred to."""
        at = states.find(name)
        if at is None:
            where = f"{what}: " if what else ""
            self.fault(f"{where}no such state{self.closest(name, states)}", spot, **place)
        return at


def is_text(spot: Spot) -> bool:
    """Return whether a value is a string; a decimal, which is kept as it is spelled, is none."""
    return type(spot.value) is str


def _out_of_range(text: str) -> str:
    """Say why `_read_number` does not take a text that looks like a number."""
    if len(text) > LONGEST:
        return f"of {len(text):,} characters, expected at most {LONGEST:,}"
    try:
        if abs(fraction(text)) <= TOO_LARGE:
            return f'which {UNDERFLOWS}. Say numbers = "exact"'
    except ValueError:
        pass
    return A_NUMBER if "/" in text else f"expected a number up to {LARGEST:g}"


@lru_cache(maxsize=1 << 16)
def _read_number(text: str, exact: bool) -> Number | None:
    """Return the number of a text that looks like one; None where it is out of range, underflows or is divided by 0."""
    if not exact and "/" not in text and len(text) < PLAIN:
        value = float(text)
        if 1e-300 < abs(value) < 1e299:  # neither too large nor too small, whatever its exponent
            return value
    try:
        number = fraction(text)
    except ValueError:
        return None
    if abs(number.numerator) > TOO_LARGE * number.denominator:
        return None
    if exact:
        return number
    value = nearest(number) if "/" in text else float(text)
    return None if number and not value else value


def spelled_number(text: str, exact: bool) -> Number | None:
    """Return the number that a cell of a sheet spells, None where it spells none."""
    if not (DECIMAL.fullmatch(text) or FRACTION.fullmatch(text)):
        return None
    return _read_number(text, exact)


def number_fault(text: str) -> str:
    """Say why `spelled_number` does not take a text, in which fractions need no quotes."""
    fits = DECIMAL.fullmatch(text) or FRACTION.fullmatch(text)
    expected = _out_of_range(text) if fits else A_NUMBER
    return expected.replace('"', "") if expected == A_NUMBER else expected


class Numbers:
    """Numbers as floats, and as rationals where they are exact."""

    def __init__(self, values: list[Any], exact: bool) -> None:
        self.exact = (
            RationalArray.of(x if isinstance(x, Fraction) else Fraction(x) for x in values) if exact else None
        )
        floats = [nearest(x) if isinstance(x, Fraction) else float(x) for x in values]
        self.floats = np.array(floats, dtype=np.float64)

    def take(self, index: Any) -> Numbers:
        """Return the numbers at these places."""
        made = object.__new__(Numbers)
        made.exact = None if self.exact is None else self.exact.take(index)
        made.floats = self.floats[index]
        return made

    @classmethod
    def spread(cls, given: dict[int, Number], size: int, exact: bool) -> Numbers:
        """Return `size` numbers: those that are given by index, 0 elsewhere."""
        codes: dict[Number, int] = {Fraction(0) if exact else 0.0: 0}
        index = np.zeros(size, dtype=np.int64)
        for at, x in given.items():
            index[at] = codes.setdefault(x, len(codes))
        return cls(list(codes), exact).take(index)
