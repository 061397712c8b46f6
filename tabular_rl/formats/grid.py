"""A gridworld as a picture in text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tabular_rl.build import Number, Row
from tabular_rl.errors import ModelError, quoted
from tabular_rl.formats.fields import Head, Reader, finish
from tabular_rl.formats.lines import Spot
from tabular_rl.formats.memory import require
from tabular_rl.model import MDP, Layout
from tabular_rl.names import Names

FOUR = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
EIGHT = {**FOUR, "up-left": (-1, -1), "up-right": (-1, 1), "down-left": (1, -1), "down-right": (1, 1)}
MOVES = {"four": FOUR, "eight": EIGHT, "nine": {**EIGHT, "stay": (0, 0)}}
WALLS = "# "
KEYS = ("map", "moves", "step_reward", "slip", "bump_reward", "wind", "legend")
ENTRY = ("terminal", "start", "reward", "goto", "jump", "jump_reward")

Cell = tuple[int, int]


@dataclass
class Kind:
    """What a character of the map means."""

    terminal: bool = False
    start: bool = False
    reward: Number | None = None  # of entering, instead of the step reward
    goto: Cell | None = None  # entering leads there at once: the cell is no state
    jump: Cell | None = None  # every action leads there
    jump_reward: Number | None = None


@dataclass
class Grid:
    """A map, what its characters mean, and the rules of moving on it."""

    cells: list[str]
    kinds: dict[str, Kind]
    step_reward: Number
    bump_reward: Number
    slip: Number
    wind: list[int] | None
    moves: dict[str, Cell]

    def kind(self, cell: Cell) -> Kind | None:
        """The meaning of a cell; None for a wall."""
        return self.kinds.get(self.cells[cell[0]][cell[1]])

    def land(self, cell: Cell, move: Cell) -> tuple[Cell, Number]:
        """Where a move leads, and its reward."""
        i, j = cell[0] + move[0], cell[1] + move[1]
        if self.wind is not None:
            i = min(max(i - self.wind[cell[1]], 0), len(self.cells) - 1)
            j = min(max(j, 0), len(self.cells[0]) - 1)
        blocked = not (0 <= i < len(self.cells) and 0 <= j < len(self.cells[0]))
        kind = None if blocked else self.kind((i, j))
        if kind is None or (i, j) == cell:
            shift = move[0] - (self.wind[cell[1]] if self.wind else 0), move[1]
            return cell, self.bump_reward if shift != (0, 0) else self.step_reward
        reward = self.step_reward if kind.reward is None else kind.reward
        return kind.goto or (i, j), reward

    def outcomes(self, cell: Cell, move: Cell) -> dict[tuple[Cell, Number], Number]:
        """The (next cell, reward) of a move, each with its probability."""
        kind = self.kind(cell)
        if kind is not None and kind.jump is not None:
            reward = self.step_reward if kind.jump_reward is None else kind.jump_reward
            return {(kind.jump, reward): self.slip * 0 + 1}
        ways: list[tuple[Cell, Number]] = [(move, 1 - self.slip)]
        if self.slip:
            aside = (move[1], move[0])
            ways += [(aside, self.slip / 2), ((-aside[0], -aside[1]), self.slip / 2)]
        found: dict[tuple[Cell, Number], Number] = {}
        for way, p in ways:
            if p:
                end = self.land(cell, way)
                found[end] = found.get(end, 0) + p
        return found


def read_grid(reader: Reader, head: Head, body: Spot) -> MDP:
    """Return the model of a map: a state for each cell that is no wall, in row-major order."""
    for key, given in (
        ("states", head.states),
        ("actions", head.actions),
        ("layout", head.options.get("layout")),
    ):
        if given is not None:
            reader.fault(f"{key}: found with a map, expected none: the map says them", body)
    entries = reader.table(body, "grid", KEYS)
    if "map" not in entries:
        reader.fault("map: found none, expected a picture in text", body)
        raise ModelError(reader.faults)
    text = reader.text(entries["map"], "map")
    if text is None:
        raise ModelError(reader.faults)
    cells, line = _cells(text, entries["map"])
    grid = _read_rules(reader, entries, cells, line)

    at: dict[Cell, int] = {}
    for i, row in enumerate(cells):
        for j, character in enumerate(row):
            kind = grid.kinds.get(character)
            if kind is None and character not in WALLS:
                way_out = f"expected one of {' '.join(grid.kinds)} # or an entry in [grid.legend]"
                reader.fault(f"map: found {quoted(character)} in column {j}, {way_out}", Spot(line(i)))
            elif kind is not None and kind.goto is None:
                at[i, j] = len(at)
    if not at and not reader.faults:
        reader.fault("map: found no free cells, expected at least 1", entries["map"])
    if reader.faults:
        raise ModelError(reader.faults)
    require(500 * len(at) * len(grid.moves))

    states = Names([f"{i},{j}" for i, j in at])
    ends = {s for s, cell in enumerate(at) if grid.kinds[cells[cell[0]][cell[1]]].terminal}
    ends |= {s for name in head.terminal if (s := states.find(name)) is not None}
    for (i, j), s in at.items():
        kind = grid.kinds[cells[i][j]]
        if s in ends and kind.jump_reward:
            what = f"terminal state {quoted(states[s])} has the jump_reward {kind.jump_reward}"
            reader.fault(
                f"{what}, which is never collected: put it on the transitions into it", Spot(line(i))
            )
    starts = [s for s, cell in enumerate(at) if grid.kinds[cells[cell[0]][cell[1]]].start]
    if starts and head.start is not None:
        reader.fault("start: found with start cells in the map, expected one of them", head.start)
    rows = []
    for (i, j), s in at.items():
        for a, move in enumerate(grid.moves.values()) if s not in ends else ():
            outcomes: list[tuple[int, Number, Number | None]]
            outcomes = [(at[cell], p, reward) for (cell, reward), p in grid.outcomes((i, j), move).items()]
            rows.append(Row(s, a, outcomes, line=line(i)))
    share = Fraction(1, len(starts)) if starts else Fraction(1)
    return finish(
        reader,
        head,
        rows,
        states,
        Names(list(grid.moves)),
        terminal=ends,
        start={s: share if reader.exact else float(share) for s in starts} or None,
        layout=Layout(len(cells), len(cells[0]), np.array([i * len(cells[0]) + j for i, j in at])),
    )


def _cells(text: str, spot: Spot) -> tuple[list[str], Any]:
    """Return the lines of a map, as long as the longest, and a function from a row to its line in the file."""
    lines = text.split("\n")
    first = spot.line + (spot.spelled[3:4] == "\n") if spot.spelled[:3] in ("'''", '"""') else None
    while lines and not lines[0].strip():
        lines = lines[1:]
        first = first and first + 1
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    indent = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    width = max((len(line) for line in lines), default=0)
    if first is None or "\\" in spot.spelled:
        return [line.ljust(width)[indent:] for line in lines], lambda row: spot.line
    return [line.ljust(width)[indent:] for line in lines], lambda row: first + row


def _read_rules(reader: Reader, entries: dict[str, Spot], cells: list[str], line: Any) -> Grid:
    def number(key: str, default: Number) -> Number:
        return reader.number(entries[key], key) if key in entries else default

    zero: Number = Fraction(0) if reader.exact else 0.0
    step = number("step_reward", zero)
    moves = "four"
    if "moves" in entries:
        moves = reader.text(entries["moves"], "moves", tuple(MOVES)) or "four"
    slip = number("slip", zero)
    if "slip" in entries and not 0 <= slip <= 1:
        reader.fault(f"slip: found {entries['slip']}, expected a number from 0 to 1", entries["slip"])
    if slip and moves != "four":
        reader.fault(f'slip: found with moves = "{moves}", expected moves = "four"', entries["slip"])
    wind = None
    if "wind" in entries:
        wind = [reader.whole(item, "wind", 0) or 0 for item in reader.array(entries["wind"], "wind")]
        width = len(cells[0]) if cells else 0
        if len(wind) != width:
            reader.fault(f"wind: found {len(wind)} columns, expected {width} as in the map", entries["wind"])
    kinds = {".": Kind(), "S": Kind(start=True)}
    if "legend" in entries:
        kinds |= _read_legend(reader, entries["legend"], cells)
    return Grid(cells, kinds, step, number("bump_reward", step), slip, wind, MOVES[moves])


def _read_legend(reader: Reader, spot: Spot, cells: list[str]) -> dict[str, Kind]:
    legend = reader.table(spot, "legend")
    count = Counter(character for row in cells for character in row)
    kinds: dict[str, Kind] = {}
    for character, entry in legend.items():
        what = f"legend {quoted(character)}"
        if len(character) != 1 or character in WALLS or character == "\n":
            reader.fault(f"{what}: expected a single character other than '#' and ' '", entry)
            continue
        found = reader.table(entry, what, ENTRY)
        kind = kinds[character] = Kind()
        for key in ("terminal", "start"):
            if key in found:
                setattr(kind, key, reader.boolean(found[key], f"{what}: {key}"))
        for key in ("reward", "jump_reward"):
            if key in found:
                setattr(kind, key, reader.number(found[key], f"{key} of {what}"))
        for key in ("goto", "jump"):
            if key in found:
                setattr(kind, key, _target(reader, found[key], f"{what}: {key}", legend, cells, count))
        exclusive = [key for key in ("terminal", "goto", "jump") if getattr(kind, key) not in (False, None)]
        if len(exclusive) > 1 or (kind.start and exclusive and exclusive != ["jump"]):
            also = [*exclusive, *(["start"] if kind.start else [])]
            reader.fault(f"{what}: found {' and '.join(also)}, expected one of them", entry)
        if "jump_reward" in found and "jump" not in found:
            reader.fault(f"{what}: found a jump_reward with no jump, expected both", entry)
    return kinds


def _target(
    reader: Reader, spot: Spot, what: str, legend: dict[str, Spot], cells: list[str], count: Counter[str]
) -> Cell | None:
    """Return the only cell with a character."""
    character = reader.text(spot, what)
    if character is None:
        return None
    if len(character) != 1 or count[character] != 1:
        found = f"{count[character]} cells {quoted(character)}" if len(character) == 1 else quoted(character)
        reader.fault(f"{what}: found {found}, expected the character of a single cell", spot)
        return None
    entry = legend.get(character)
    if character in WALLS or (entry and isinstance(entry.value, dict) and "goto" in entry.value):
        reader.fault(f"{what}: found {quoted(character)}, expected a cell that is a state", spot)
        return None
    return next((i, row.index(character)) for i, row in enumerate(cells) if character in row)
