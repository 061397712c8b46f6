"""What the text formats have in common: numbers, names, and the keys at the top of a file, each with its line."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from tabular_rl.errors import SHOWN_FAULTS, Fault, ModelError, closest, escape, quoted
from tabular_rl.formats.lines import Spot
from tabular_rl.model.build import TOO_FINE, Number, Row, arrays_of_rows
from tabular_rl.model.layout import Layout
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names, name_fault
from tabular_rl.model.rationals import (
    DECIMAL,
    FRACTION,
    LONGEST,
    UNDERFLOWS,
    Exact,
    RationalArray,
    calculated,
    exact_sum,
    fraction,
    nearest,
    shown,
)
from tabular_rl.model.rows import LARGEST

VERSION = 1
TOP = (
    "format",
    "name",
    "source",
    "discount",
    "sense",
    "numbers",
    "states",
    "actions",
    "terminal",
    "start",
    "horizon",
    "final_reward",
    "outcomes",
    "layout",
)
TOO_LARGE = int(LARGEST)  # fractions compare faster with integers than with floats
AN_EMPTY_CELL = "found an empty cell, expected a name"
A_PROBABILITY = "expected a number from 0 to 1"
A_NUMBER = 'expected a number such as 1, 0.5 or "2/3"'


@dataclass(frozen=True)
class Asked:
    """What the caller asks for in place of what the file says."""

    gamma: Any = None
    horizon: int | None = None
    terminal: tuple[str, ...] | None = None
    sense: str | None = None
    normalize: bool = False


@dataclass
class Reader:
    """Reads located values; notes what is wrong with them in `faults` and goes on."""

    asked: Asked
    exact: bool = True
    faults: list[Fault] = field(default_factory=list)

    def fault(self, what: str, spot: Spot | None = None, **place: Any) -> None:
        self.faults.append(Fault(what, line=spot.line if spot else None, **place))

    def fault_at(self, what: str, line: int, **place: Any) -> None:
        self.faults.append(Fault(what, line=line, **place))

    def table(
        self, spot: Spot, what: str, known: Iterable[str] | None = None, **place: Any
    ) -> dict[str, Spot]:
        """Return the entries of a table, without those that are not known."""
        if not isinstance(spot.value, dict):
            self.fault(f"{what}: found {escape(spot)}, expected a table", spot, **place)
            return {}
        if known is None:
            return spot.value
        allowed = tuple(known)
        for key, value in spot.value.items():
            if key not in allowed:
                way_out = self.closest(key, allowed) or f", expected one of {', '.join(allowed)}"
                if key == "terminal_rewards":
                    way_out = (
                        ", expected it in [tensors], the only part whose rewards may stand at terminal states"
                    )
                where = f"{what}: " if what else ""
                self.fault(f"{where}unknown key {quoted(key)}{way_out}", value, **place)
        return {key: value for key, value in spot.value.items() if key in allowed}

    def closest(self, name: str, known: Iterable[str]) -> str:
        """Return a suggestion; none past the faults that are shown, since the search takes its time."""
        return closest(name, known) if len(self.faults) < SHOWN_FAULTS else ""

    def array(self, spot: Spot, what: str, **place: Any) -> list[Spot]:
        if not isinstance(spot.value, list):
            self.fault(f"{what}: found {escape(spot)}, expected an array", spot, **place)
            return []
        return spot.value

    def text(self, spot: Spot, what: str, choices: tuple[str, ...] = (), **place: Any) -> str | None:
        if not is_text(spot):
            self.fault(f"{what}: found {escape(spot)}, expected a text in quotes", spot, **place)
            return None
        if choices and spot.value not in choices:
            expected = " or ".join(f'"{choice}"' for choice in choices)
            self.fault(f"{what}: found {escape(spot)}, expected {expected}", spot, **place)
            return None
        return str(spot.value)

    def boolean(self, spot: Spot, what: str, **place: Any) -> bool:
        if not isinstance(spot.value, bool):
            self.fault(f"{what}: found {escape(spot)}, expected true or false", spot, **place)
            return False
        return spot.value

    def whole(self, spot: Spot, what: str, least: int, **place: Any) -> int | None:
        number = spot.value
        plain = isinstance(number, int) and not isinstance(number, bool) and spot.spelled.isdigit()
        if not plain or not least <= number < 2**63:
            self.fault(
                f"{what}: found {escape(spot)}, expected a whole number, {least} or more", spot, **place
            )
            return None
        return int(number)

    def number(self, spot: Spot, what: str, **place: Any) -> Number:
        """Return a number; 0 where it is none, with a fault."""
        text = spot.value if is_text(spot) else spot.spelled
        fits = FRACTION if is_text(spot) else DECIMAL
        if isinstance(spot.value, (dict, list)) or not fits.fullmatch(text):
            cure = ". Write it without the quotes" if is_text(spot) and DECIMAL.fullmatch(text) else ""
            self.fault(f"found {what} {escape(spot)}, {A_NUMBER}{cure}", spot, **place)
            return Fraction(0)
        number = read_number(text, self.exact)
        if number is None:
            self.fault(f"found {what} {escape(spot)}, {out_of_range(text)}", spot, **place)
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
                self.fault(
                    f"{what} {quoted(name)}: found twice, first on line {found[name]}, expected distinct names",
                    item,
                )
            self.check_name(name, what, item)
            found.setdefault(name, item.line)
        return found

    def check_name(self, name: str, what: str, spot: Spot) -> None:
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
    """True for a string; a decimal, which is kept as it is spelled, is none."""
    return type(spot.value) is str


def out_of_range(text: str) -> str:
    """Say why `read_number` does not take a text that looks like a number."""
    try:
        number = fraction(text)
    except ValueError:
        if len(text) > LONGEST:
            return f"of {len(text):,} characters, expected at most {LONGEST:,}"
        return A_NUMBER if "/" in text else f"expected a number up to {LARGEST:g}"
    if abs(number) > TOO_LARGE:
        return A_NUMBER if "/" in text else f"expected a number up to {LARGEST:g}"
    return f'which {UNDERFLOWS}. Say numbers = "exact"'


@lru_cache(maxsize=1 << 16)
def read_number(text: str, exact: bool) -> Number | None:
    """Return the number of a text that looks like one; None where it is out of range, underflows or is divided by 0."""
    try:
        number = fraction(text)
    except ValueError:
        return None
    if abs(number) > TOO_LARGE:
        return None
    if exact:
        return number
    value = nearest(number) if "/" in text else float(text)
    return None if number and not value else value


def spelled_number(text: str, exact: bool) -> Number | None:
    """Return the number that a cell of a sheet spells, None where it spells none."""
    if not (DECIMAL.fullmatch(text) or FRACTION.fullmatch(text)):
        return None
    return read_number(text, exact)


def number_fault(text: str) -> str:
    """Say why `spelled_number` does not take a text, in which fractions need no quotes."""
    fits = DECIMAL.fullmatch(text) or FRACTION.fullmatch(text)
    expected = out_of_range(text) if fits else A_NUMBER
    return expected.replace('"', "") if expected == A_NUMBER else expected


class Numbers:
    """Numbers as floats, and as rationals where they are exact."""

    def __init__(self, values: list[Any], exact: bool) -> None:
        self.exact = RationalArray.of(map(Fraction, values)) if exact else None
        floats = [nearest(x) if isinstance(x, Fraction) else float(x) for x in values]
        self.floats = np.array(floats, dtype=np.float64)

    def take(self, index: Any) -> Numbers:
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


@dataclass
class Head:
    """The keys at the top of a text file that need no knowledge of its states."""

    gamma: Any
    states: dict[str, int] | None
    actions: dict[str, int] | None
    terminal: dict[str, int]
    layout: Spot | None
    outcomes: Spot | None
    start: Spot | None
    final_reward: Spot | None
    listed: dict[str, int]  # how many entries `states` and `actions` have, with those that stand twice
    options: dict[str, Any]  # of the model: horizon, sense, name, source, layout


def read_head(reader: Reader, top: dict[str, Spot]) -> Head:
    """Read the keys at the top of a file."""
    asked = reader.asked
    if "format" in top:
        version = reader.whole(top["format"], "format", 1)
        if version is not None and version != VERSION:
            raise ModelError(
                Fault(f"format: found version {version}, expected {VERSION}", line=top["format"].line)
            )
    if "numbers" in top:
        reader.exact = reader.text(top["numbers"], "numbers", ("exact", "float64")) != "float64"
    gamma = asked.gamma
    if gamma is None and "discount" not in top:
        reader.fault("discount: found none, expected a number from 0 to 1")
        gamma = 0
    elif gamma is None:
        gamma = _discount(reader, top["discount"])
    options: dict[str, Any] = {}
    for key in ("name", "source"):
        if key in top:
            options[key] = reader.text(top[key], key) or ""
    if "sense" in top:
        options["sense"] = reader.text(top["sense"], "sense", ("max", "min")) or "max"
    if asked.sense is not None:
        options["sense"] = asked.sense
    if "horizon" in top:
        options["horizon"] = reader.whole(top["horizon"], "horizon", 1)
        if (options["horizon"] or 0) >= 2**31:
            reader.fault(f"horizon: found {top['horizon']}, expected at most {2**31 - 1}", top["horizon"])
    if asked.horizon is not None:
        options["horizon"] = asked.horizon
    if "final_reward" in top and "horizon" not in options:
        reader.fault(
            "final_reward: found with no horizon, expected both. Add a horizon.", top["final_reward"]
        )
    if "layout" in top:
        options["layout"] = _layout(reader, top["layout"])
    terminal = reader.names(top["terminal"], "terminal state") if "terminal" in top else {}
    if asked.terminal is not None:
        terminal = dict.fromkeys(asked.terminal, 0)
    return Head(
        gamma=gamma,
        states=reader.names(top["states"], "state") if "states" in top else None,
        actions=reader.names(top["actions"], "action") if "actions" in top else None,
        terminal=terminal,
        layout=top.get("layout"),
        outcomes=top.get("outcomes"),
        start=top.get("start"),
        final_reward=top.get("final_reward"),
        listed={
            key: len(top[key].value)
            for key in ("states", "actions")
            if key in top and isinstance(top[key].value, list)
        },
        options=options,
    )


def _discount(reader: Reader, spot: Spot) -> Any:
    """Return the discount. In quotes it is exact, whatever `numbers` says: "9/10", "1", "1/1.02"."""
    trial = Reader(reader.asked, reader.exact)
    try:
        gamma = calculated(spot.value) if is_text(spot) else trial.number(spot, "discount")
    except ValueError:
        gamma = -1
    if trial.faults and trial.faults[0].what.find(UNDERFLOWS) >= 0:
        reader.faults += trial.faults
        return 0
    if trial.faults or not 0 <= gamma <= 1:
        reader.fault(f"discount: found {escape(spot)}, expected a number from 0 to 1", spot)
        return 0
    return gamma


def _layout(reader: Reader, spot: Spot) -> Layout | None:
    before = len(reader.faults)
    entries = reader.table(spot, "layout", ("rows", "columns", "cell"))
    for key in ("rows", "columns"):
        if key not in entries:
            reader.fault(f"layout: found no {key}, expected rows and columns", spot)
    sizes = [reader.whole(entries[key], f"layout: {key}", 1) for key in ("rows", "columns") if key in entries]
    cell = None
    if "cell" in entries:
        cell = [
            reader.whole(item, "layout: cell", 0) for item in reader.array(entries["cell"], "layout: cell")
        ]
    if len(reader.faults) > before:
        return None
    rows, columns = (size or 1 for size in sizes)
    if cell is not None and any((at or 0) >= rows * columns for at in cell):
        reader.fault(
            f"layout: found cell {max(at or 0 for at in cell)}, expected less than {rows} x {columns}", spot
        )
    return Layout(rows, columns, None if cell is None else np.array(cell, dtype=np.int64))


def add_terminal(head: Head, lines: dict[str, int], reached: Container[str]) -> dict[str, int]:
    """Add the terminal states to states by name with their lines, where the file lists no `states`; return them.

    One that the caller asked for, which has no line, must be reached: otherwise it is misspelt.
    """
    for name, line in head.terminal.items():
        if line or name in reached:
            lines.setdefault(name, line)
    return lines


@dataclass
class Resolved:
    """What the keys at the top say of the states, by index."""

    ends: set[int]
    start: dict[int, Number] | None
    final_reward: dict[int, Number] | None


def resolve(reader: Reader, head: Head, states: Names, outcomes: int, ends: Iterable[int] = ()) -> Resolved:
    """Find the states that the keys at the top refer to, and check the count of outcomes."""
    found = set(ends)
    for name, line in head.terminal.items():
        at = states.find(name)
        if at is not None:
            found.add(at)
        elif line:
            reader.state(name, states, Spot(line), "terminal", state=name)
        else:
            reader.fault(f"terminal: no such state {quoted(name)}{reader.closest(name, states)}")
    start = None if head.start is None else _start(reader, head.start, states, found)
    final = None
    if head.final_reward is not None:
        final = {}
        for name, spot in reader.table(head.final_reward, "final_reward").items():
            at = reader.state(name, states, spot, "final_reward", state=name)
            value = reader.number(spot, "final reward", state=name)
            if at in found and value:
                reader.fault(
                    "found a final reward of a terminal state, expected none: its value is 0",
                    spot,
                    state=name,
                )
            if at is not None:
                final[at] = value
    layout: Layout | None = head.options.get("layout")
    if layout is not None and (wrong := layout.size_text(len(states))):
        reader.fault(wrong, head.layout)
    if head.outcomes is not None:
        stated = reader.whole(head.outcomes, "outcomes", 0)
        if stated is not None and stated != outcomes and not reader.faults:
            what = (
                f"outcomes: found {outcomes} transitions, expected {stated} as stated. Is the file cut off?"
            )
            reader.fault(what, head.outcomes)
    return Resolved(found, start, final)


def model_of_numbers(
    reader: Reader,
    head: Head,
    states: Names,
    said: Resolved,
    prob: Numbers,
    reward: Numbers | None = None,
    r: Numbers | None = None,
    **more: Any,
) -> MDP:
    """Return the model of numbers in the order of its rows, and of what the keys at the top say."""
    numbers = {"prob": prob, "reward": reward, "r": r}
    for name, given in (("start", said.start), ("final_reward", said.final_reward)):
        numbers[name] = None if given is None else Numbers.spread(given, len(states), reader.exact)
    exact = Exact(*(None if x is None else x.exact for x in numbers.values())) if reader.exact else None  # type: ignore[arg-type]
    floats: dict[str, Any] = {name: None if x is None else x.floats for name, x in numbers.items()}
    options = {**more, **head.options}
    return MDP.from_rows(gamma=head.gamma, states=states, exact=exact, copy=False, **floats, **options)


def finish(
    reader: Reader,
    head: Head,
    rows: list[Row],
    states: Names,
    actions: Names,
    *,
    terminal: Iterable[int] = (),
    start: dict[int, Number] | None = None,
    state_lines: dict[int, int] | None = None,
    **options: Any,
) -> MDP:
    """Return the model of these rows; ModelError with all faults."""
    found = resolve(reader, head, states, sum(len(row.outcomes) for row in rows), terminal)
    arrays = arrays_of_rows(
        rows,
        head.gamma,
        states,
        actions,
        terminal=sorted(found.ends),
        start=start if found.start is None else found.start,
        final_reward=found.final_reward,
        exact=reader.exact,
        normalize=reader.asked.normalize,
        state_lines=state_lines,
        faults=reader.faults,
        **{**options, **head.options},
    )
    return MDP.from_rows(**arrays)


def _start(reader: Reader, spot: Spot, states: Names, ends: set[int]) -> dict[int, Number] | None:
    """Return the start distribution: one name, or a table of probabilities."""
    before = len(reader.faults)
    if is_text(spot):
        given: dict[str, tuple[Number, Spot]] = {spot.value: (Fraction(1) if reader.exact else 1.0, spot)}
    else:
        given = {
            name: (reader.probability(p, "start probability", state=name), p)
            for name, p in reader.table(spot, "start").items()
        }
    start: dict[int, Number] = {}
    for name, (p, where) in given.items():
        at = reader.state(name, states, where, "start", state=name)
        if at is None:
            continue
        if at in ends and p:
            reader.fault("start: found a terminal state, expected one with actions", where, state=name)
        start[at] = p
    if len(reader.faults) == before:
        total = exact_sum(Fraction(p) for p in start.values())
        slack = 0 if reader.exact else Fraction(max(2, len(start)), 2**52)
        if total is None:
            reader.fault(f"start: {TOO_FINE}", spot)
        elif abs(total - 1) > slack:
            found = shown(total) if reader.exact else repr(float(total))
            reader.fault(f"start: probabilities sum to {found}, expected 1", spot)
    return start
