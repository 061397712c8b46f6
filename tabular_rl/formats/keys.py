"""The keys at the top of a text file, and the model of them and of its rows."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tabular_rl.errors import Fault, ModelError, escape, quoted
from tabular_rl.formats.fields import Numbers, Reader, is_text
from tabular_rl.formats.lines import Spot
from tabular_rl.model.build import TOO_FINE, Number, Row, arrays_of_rows
from tabular_rl.model.layout import Layout
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names
from tabular_rl.model.rationals import UNDERFLOWS, Exact, calculated, exact_sum, shown
from tabular_rl.model.settings import NO_HORIZON

VERSION = 1
TOP = (
    "format", "name", "source", "discount", "sense", "numbers", "states", "actions", "terminal", "start", "horizon",
    "final_reward", "outcomes", "layout",
)  # fmt: skip


@dataclass
class Head:
    """The keys at the top of a text file, as far as they need no knowledge of its states."""

    gamma: Any
    states: dict[str, int] | None
    actions: dict[str, int] | None
    terminal: dict[str, int]
    options: dict[str, Any]  # of the model: horizon, sense, name, source, layout
    top: dict[str, Spot]  # all of them, as they stand in the file


def read_head(reader: Reader, top: dict[str, Spot]) -> Head:
    """Read the keys at the top of a file."""
    asked = reader.asked
    if "format" in top:
        version = reader.whole(top["format"], "format", 1)
        if version is not None and version != VERSION:
            what = f"format: found version {version}, expected {VERSION}"
            raise ModelError(Fault(what, line=top["format"].line))
    if "numbers" in top:
        reader.exact = reader.text(top["numbers"], "numbers", ("exact", "float64")) != "float64"
    gamma = asked.gamma if asked.gamma is not None else _discount(reader, top)
    options = _options(reader, top)
    terminal = reader.names(top["terminal"], "terminal state") if "terminal" in top else {}
    if asked.terminal is not None:
        terminal = dict.fromkeys(asked.terminal, 0)
    states, actions = (
        reader.names(top[f"{what}s"], what) if f"{what}s" in top else None for what in ("state", "action")
    )
    return Head(gamma, states, actions, terminal, options, top)


def _discount(reader: Reader, top: dict[str, Spot]) -> Any:
    """Return the discount. In quotes it is exact, whatever `numbers` says: "9/10", "1", "1/1.02"."""
    spot = top.get("discount")
    if spot is None:
        reader.fault("discount: found none, expected a number from 0 to 1")
        return 0
    trial = Reader(reader.asked, reader.exact)
    try:
        gamma = calculated(spot.value) if is_text(spot) else trial.number(spot, "discount")
    except ValueError:
        gamma = -1
    if trial.faults and UNDERFLOWS in trial.faults[0].what:
        reader.faults += trial.faults
        return 0
    if trial.faults or not 0 <= gamma <= 1:
        reader.fault(f"discount: found {escape(spot)}, expected a number from 0 to 1", spot)
        return 0
    return gamma


def _options(reader: Reader, top: dict[str, Spot]) -> dict[str, Any]:
    """Return what the keys say that are options of a model, or what the caller asks for in their place."""
    options: dict[str, Any] = {
        key: reader.text(top[key], key) or "" for key in ("name", "source") if key in top
    }
    if "sense" in top:
        options["sense"] = reader.text(top["sense"], "sense", ("max", "min")) or "max"
    if "horizon" in top:
        options["horizon"] = reader.whole(top["horizon"], "horizon", 1)
        if (options["horizon"] or 0) >= 2**31:
            reader.fault(f"horizon: found {top['horizon']}, expected at most {2**31 - 1}", top["horizon"])
    asked = {"sense": reader.asked.sense, "horizon": reader.asked.horizon}
    options |= {key: value for key, value in asked.items() if value is not None}
    if "final_reward" in top and "horizon" not in options:
        reader.fault(NO_HORIZON, top["final_reward"])
    if "layout" in top:
        options["layout"] = _layout(reader, top["layout"])
    return options


def _layout(reader: Reader, spot: Spot) -> Layout | None:
    before = len(reader.faults)
    entries = reader.table(spot, "layout", ("rows", "columns", "cell"))
    for key in ("rows", "columns"):
        if key not in entries:
            reader.fault(f"layout: found no {key}, expected rows and columns", spot)
    sizes = [reader.whole(entries[key], f"layout: {key}", 1) for key in ("rows", "columns") if key in entries]
    items = reader.array(entries["cell"], "layout: cell") if "cell" in entries else []
    cells = [reader.whole(item, "layout: cell", 0) or 0 for item in items]
    if len(reader.faults) > before:
        return None
    rows, columns = (size or 1 for size in sizes)
    if max(cells, default=0) >= rows * columns:
        reader.fault(f"layout: found cell {max(cells)}, expected less than {rows} x {columns}", spot)
    return Layout(rows, columns, np.array(cells, dtype=np.int64) if "cell" in entries else None)


def add_terminal(head: Head, lines: dict[str, int], reached: Container[str]) -> dict[str, int]:
    """Add the terminal states to states by name with their lines, where the file lists no `states`; return them.

    One that the caller asked for, which has no line, must be reached: otherwise it is misspelt.

    Parameters
    ----------
    head : the keys at the top
    lines : the line of each state by name, 0 where it has none; changed in place
    reached : names of the states that some outcome leads to

    Returns
    -------
    `lines`, with the terminal states that it lacked at its end.
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
    """Find the states that the keys at the top refer to, and check the count of outcomes.

    Parameters
    ----------
    reader : takes the faults
    head : the keys at the top
    states : all names, in order
    outcomes : how many there are in the file
    ends : states that are terminal for another reason, by index

    Returns
    -------
    Resolved: the terminal states, the start distribution and the final rewards by index of state; None where the file
    says nothing of them.
    """
    found = set(ends)
    for name, line in head.terminal.items():
        at = states.find(name)
        if at is not None:
            found.add(at)
        elif line:
            reader.state(name, states, Spot(line), "terminal", state=name)
        else:
            reader.fault(f"terminal: no such state {quoted(name)}{reader.closest(name, states)}")
    top = head.top
    start = _start(reader, top["start"], states, found) if "start" in top else None
    final = _final_reward(reader, top["final_reward"], states, found) if "final_reward" in top else None
    layout: Layout | None = head.options.get("layout")
    if layout is not None and (wrong := layout.size_text(len(states))):
        reader.fault(wrong, top.get("layout"))
    if "outcomes" in top:
        stated = reader.whole(top["outcomes"], "outcomes", 0)
        if stated is not None and stated != outcomes and not reader.faults:
            found_text = f"outcomes: found {outcomes} transitions, expected {stated} as stated."
            reader.fault(f"{found_text} Is the file cut off?", top["outcomes"])
    return Resolved(found, start, final)


def _final_reward(reader: Reader, spot: Spot, states: Names, ends: set[int]) -> dict[int, Number]:
    """Return the final rewards that are not 0 by default, by state."""
    final = {}
    for name, entry in reader.table(spot, "final_reward").items():
        at = reader.state(name, states, entry, "final_reward", state=name)
        value = reader.number(entry, "final reward", state=name)
        if at in ends and value:
            what = "found a final reward of a terminal state, expected none: its value is 0"
            reader.fault(what, entry, state=name)
        if at is not None:
            final[at] = value
    return final


def finish(
    reader: Reader,
    head: Head,
    rows: list[Row],
    states: Names,
    actions: Names,
    *,
    terminal: Iterable[int] = (),
    start: dict[int, Number] | None = None,
    state_lines: Iterable[int] = (),
    **options: Any,
) -> MDP:
    """Return the model of these rows; ModelError with all faults.

    Parameters
    ----------
    reader : has the faults found so far, and takes further ones
    head : the keys at the top
    rows : the pairs with their outcomes
    states, actions : all names, in order
    terminal : states that are terminal for another reason than the key `terminal`, by index
    start : probabilities by index of state, where the key `start` is missing
    state_lines : the line of each state, 0 where it has none
    options : further ones of the model; those at the top of the file come before them

    Returns
    -------
    MDP

    Raises
    ------
    ModelError : all faults of the file
    """
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
        state_lines={s: line for s, line in enumerate(state_lines) if line},
        faults=reader.faults,
        **{**options, **head.options},
    )
    return MDP.from_rows(**arrays)


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
    """Return the model of numbers in the order of its rows, and of what the keys at the top say.

    Parameters
    ----------
    reader : says whether numbers are exact
    head : the keys at the top
    states : all names, in order
    said : what `resolve` found in the keys
    prob : probabilities of the outcomes (K,)
    reward : rewards of the outcomes (K,), None where `r` has them
    r : rewards of the rows (L,), None where they follow from `reward`
    more : further arguments of `MDP.from_rows`: pair_ptr (S + 1,), row_ptr (L + 1,), next_state (K,), ...

    Returns
    -------
    MDP, with exact numbers where the file has them.
    """
    numbers = {"prob": prob, "reward": reward, "r": r}
    for name, given in (("start", said.start), ("final_reward", said.final_reward)):
        numbers[name] = None if given is None else Numbers.spread(given, len(states), reader.exact)
    exact = Exact(*(None if x is None else x.exact for x in numbers.values())) if reader.exact else None  # type: ignore[arg-type]
    floats: dict[str, Any] = {name: None if x is None else x.floats for name, x in numbers.items()}
    options = {**more, **head.options}
    return MDP.from_rows(gamma=head.gamma, states=states, exact=exact, copy=False, **floats, **options)


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
