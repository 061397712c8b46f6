"""A gridworld as a picture in text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import SHOWN_FAULTS, ModelError, quoted
from tabular_rl.formats.fields import Numbers, Reader
from tabular_rl.formats.keys import Head, finish, model_of_numbers, resolve
from tabular_rl.formats.lines import Spot
from tabular_rl.formats.memory import require
from tabular_rl.model.build import Number
from tabular_rl.model.layout import MOST_CELLS, Layout
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names
from tabular_rl.model.rationals import UNDERFLOWS
from tabular_rl.model.rows import Ints

FOUR = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
EIGHT = {**FOUR, "up-left": (-1, -1), "up-right": (-1, 1), "down-left": (1, -1), "down-right": (1, 1)}
MOVES = {"four": FOUR, "eight": EIGHT, "nine": {**EIGHT, "stay": (0, 0)}}
WALLS = "# "
KEYS = ("map", "moves", "step_reward", "slip", "bump_reward", "wind", "legend")
ENTRY = ("terminal", "start", "reward", "goto", "jump", "jump_reward")

CERTAIN = 8  # the way of a jump, which nothing turns aside
BYTES = 150  # of an outcome, while it is made
MOST_FAULTS = 1000

Cell = tuple[int, int]


@dataclass
class Kind:
    """What a character of the map means."""

    wall: bool = False
    terminal: bool = False
    start: bool = False
    reward: Number | None = None  # of entering, instead of the step reward
    goto: Cell | None = None  # entering leads there at once: the cell is no state
    jump: Cell | None = None  # every action leads there
    jump_reward: Number | None = None


WALL = Kind(wall=True)


@dataclass
class Grid:
    """A map, what its characters mean, and the rules of moving on it. `codes` (R, C) are indices into `kinds`."""

    codes: Ints
    kinds: list[Kind]
    step_reward: Number
    bump_reward: Number
    slip: Number
    wind: list[int] | None
    moves: dict[str, Cell]

    def __post_init__(self) -> None:
        self.state = np.array([not kind.wall and kind.goto is None for kind in self.kinds])[self.codes]
        order = np.cumsum(self.state, dtype=np.int32).reshape(self.codes.shape) - 1
        self.index = np.where(self.state, order, -1)
        self.rewards: dict[Number, int] = {}  # each reward with its code

    def of(self, field: str) -> NDArray[np.bool_]:
        """Where a field of a cell's kind is true (R, C)."""
        return np.array([bool(getattr(kind, field)) for kind in self.kinds])[self.codes]

    def land(self, i: Ints, j: Ints, move: Cell) -> tuple[Ints, Ints]:
        """Return the state in which a move from each cell (i, j) ends, and the code of its reward."""
        rows, columns = self.codes.shape
        wind = 0 if self.wind is None else np.array(self.wind, dtype=np.int64)[j]
        to_i, to_j = i + move[0] - wind, j + move[1]
        if self.wind is not None:
            to_i, to_j = np.clip(to_i, 0, rows - 1), np.clip(to_j, 0, columns - 1)
        inside = (to_i >= 0) & (to_i < rows) & (to_j >= 0) & (to_j < columns)
        to_i, to_j = np.where(inside, to_i, i), np.where(inside, to_j, j)
        kind = self.codes[to_i, to_j]
        wall = np.array([kind.wall for kind in self.kinds])
        stays = ~inside | wall[kind] | ((to_i == i) & (to_j == j))
        enters = [kind.reward if kind.reward is not None else self.step_reward for kind in self.kinds]
        goto = np.array([-1 if kind.goto is None else self.index[kind.goto] for kind in self.kinds])
        to = np.where(goto[kind] >= 0, goto[kind], self.index[to_i, to_j])
        shifted = (move[0] - wind != 0) | (move[1] != 0)
        step, bump, *entered = self.codes_of([self.step_reward, self.bump_reward, *enters])
        paid = np.where(stays, np.where(shifted, bump, step), np.array(entered)[kind])
        return np.where(stays, self.index[i, j], to), paid

    def codes_of(self, rewards: list[Number]) -> list[int]:
        """Return the code of each reward."""
        return [self.rewards.setdefault(x, len(self.rewards)) for x in rewards]

    def outcomes(self, i: Ints, j: Ints, move: Cell) -> tuple[Ints, Ints, Ints]:
        """Return the next states, codes of rewards and ways (N, W) of a move from each cell.

        A way is a set of bits: 1 goes ahead, 2 and 4 to the sides; 0 stands for no outcome. Ways that end in the same
        state with the same reward are one outcome.
        """
        aside = (move[1], move[0])
        ways = [move] + [aside, (-aside[0], -aside[1])] * bool(self.slip)
        ends, worth = zip(*(self.land(i, j, way) for way in ways), strict=True)
        to, reward = np.stack(ends, axis=1), np.stack(worth, axis=1)
        way = np.broadcast_to(1 << np.arange(len(ways)), to.shape).copy()
        if self.slip == 1:
            way[:, 0] = 0
        for first, second in ((0, 1), (0, 2), (1, 2)) if len(ways) == 3 else ():
            same = (to[:, first] == to[:, second]) & (reward[:, first] == reward[:, second])
            same &= (way[:, first] > 0) & (way[:, second] > 0)
            way[same, first] |= way[same, second]
            way[same, second] = 0
        jumps = np.array([-1 if kind.jump is None else self.index[kind.jump] for kind in self.kinds])
        paid = [kind.jump_reward if kind.jump_reward is not None else self.step_reward for kind in self.kinds]
        kind, code = self.codes[i, j], np.array(self.codes_of(paid))
        at = np.flatnonzero(jumps[kind] >= 0)
        to[at, 0], reward[at, 0], way[at, 0] = jumps[kind[at]], code[kind[at]], CERTAIN
        way[at, 1:] = 0
        return to, reward, way

    def probabilities(self) -> list[Number]:
        """Return the probability of each set of ways."""
        zero, one = self.slip * 0, self.slip * 0 + 1
        each = [1 - self.slip, self.slip / 2, self.slip / 2]
        return [sum((p for b, p in enumerate(each) if way >> b & 1), zero) for way in range(CERTAIN)] + [one]


def read_grid(reader: Reader, head: Head, body: Spot) -> MDP:
    """Return the model of a map: a state for each cell that is no wall, in row-major order.

    Parameters
    ----------
    reader : takes the faults
    head : the keys at the top of the file
    body : the table [grid], with its line

    Returns
    -------
    MDP with the layout of the map. A state is called "row,column", both from 0.

    Raises
    ------
    ModelError : all faults found so far, with their lines
    """
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
    cells, line = _cells(reader, text, entries["map"])
    legend = _read_legend(reader, entries, cells)
    grid = _read_rules(reader, entries, cells, line, legend)
    if not grid.state.any() and not reader.faults:
        reader.fault("map: found no free cells, expected at least 1", entries["map"])
    if reader.faults:
        raise ModelError(reader.faults)
    i, j = np.nonzero(grid.state)
    require((300 + BYTES * len(grid.moves) * (3 if grid.slip else 1)) * len(i))

    states = Names([f"{a},{b}" for a, b in zip(i.tolist(), j.tolist(), strict=True)])
    ended = grid.of("terminal")[i, j]
    for name in head.terminal:
        at = states.find(name)
        if at is not None:
            ended[at] = True
    for s in np.flatnonzero(ended & grid.of("jump_reward")[i, j])[:SHOWN_FAULTS].tolist():
        paid = grid.kinds[grid.codes[i[s], j[s]]].jump_reward
        what = f"terminal state {quoted(states[s])} has the jump_reward {paid}, which is never collected"
        reader.fault(f"{what}: put it on the transitions into it", Spot(line(int(i[s]))))
    begin = _start(reader, head, np.flatnonzero(grid.of("start")[i, j]).tolist())
    rows, columns = grid.codes.shape
    goto = np.flatnonzero(np.array([kind.goto is not None for kind in grid.kinds])[grid.codes])
    head.options["layout"] = Layout(rows, columns, i * columns + j, tuple(goto.tolist()))
    return _model(reader, head, grid, (i, j), states, ended, begin)


def _start(reader: Reader, head: Head, cells: list[int]) -> dict[int, Number] | None:
    """Return the start distribution: each start cell equally often, None where there is none."""
    if cells and "start" in head.top:
        reader.fault("start: found with start cells in the map, expected one of them", head.top["start"])
    share = Fraction(1, max(len(cells), 1))
    return dict.fromkeys(cells, share if reader.exact else float(share)) or None


def _model(
    reader: Reader,
    head: Head,
    grid: Grid,
    where: tuple[Ints, Ints],
    states: Names,
    ended: NDArray[np.bool_],
    begin: dict[int, Number] | None,
) -> MDP:
    live = np.flatnonzero(~ended)
    if not len(live):
        ends = np.flatnonzero(ended).tolist()
        actions = Names(list(grid.moves))
        return finish(reader, head, [], states, actions, terminal=ends, start=begin)
    i, j = where[0][live], where[1][live]
    parts = [grid.outcomes(i, j, move) for move in grid.moves.values()]
    to, reward, way = (
        np.stack(part, axis=1).reshape(len(live) * len(parts), -1) for part in zip(*parts, strict=True)
    )
    there = way > 0
    row_ptr = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    said = resolve(reader, head, states, int(row_ptr[-1]), np.flatnonzero(ended).tolist())
    if reader.faults:
        raise ModelError(reader.faults)
    exact = reader.exact
    prob = Numbers(grid.probabilities(), exact).take(way[there])
    worth = Numbers(list(grid.rewards), exact).take(reward[there])
    return model_of_numbers(
        reader,
        head,
        states,
        replace(said, start=begin if said.start is None else said.start),
        prob,
        worth,
        pair_ptr=np.concatenate([[0], np.cumsum(~ended * len(parts))]),
        pair_action=np.tile(np.arange(len(parts)), len(live)),
        row_ptr=row_ptr,
        next_state=to[there],
        terminal=ended,
        actions=Names(list(grid.moves)),
    )


def _cells(reader: Reader, text: str, spot: Spot) -> tuple[Ints, Any]:
    """Return the characters of a map as numbers (R, C), and a function from a row to its line in the file."""
    lines = text.split("\n")
    full = [at for at, line in enumerate(lines) if line.strip()]
    above = full[0] if full else 0
    lines = lines[above : full[-1] + 1] if full else [""]
    indent = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    width = max(len(line) for line in lines) - indent
    if len(lines) * width > MOST_CELLS:
        size = f"{len(lines)} x {width} = {len(lines) * width:,} cells"
        reader.fault(f"map: found {size}, expected at most {MOST_CELLS:,}", spot)
        raise ModelError(reader.faults)
    padded = "".join(line[indent:].ljust(width) for line in lines)
    cells = np.frombuffer(padded.encode("utf-32-le"), dtype=np.uint32).reshape(len(lines), width)
    if spot.spelled[:3] not in ("'''", '"""') or "\\" in spot.spelled:
        return cells, lambda _: spot.line
    first = spot.line + (spot.spelled[3:4] == "\n") + above
    return cells, lambda row: first + row


def _read_rules(
    reader: Reader, entries: dict[str, Spot], cells: Ints, line: Any, legend: dict[str, Kind]
) -> Grid:
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
    if slip and not slip / 2:
        reader.fault(f"slip: found {entries['slip']}: half of it {UNDERFLOWS}", entries["slip"])
    if slip and moves != "four":
        reader.fault(f'slip: found with moves = "{moves}", expected moves = "four"', entries["slip"])
    wind = None
    if "wind" in entries:
        wind = [reader.whole(item, "wind", 0) or 0 for item in reader.array(entries["wind"], "wind")]
        wind = [min(shift, len(cells)) for shift in wind]  # further than the edge is as far
        width = cells.shape[1]
        if len(wind) != width:
            reader.fault(f"wind: found {len(wind)} columns, expected {width} as in the map", entries["wind"])
            wind = None
    kinds = {".": Kind(), "S": Kind(start=True), **legend}
    known = kinds | dict.fromkeys(WALLS, WALL)
    codes = np.full(cells.shape, -1, dtype=np.int32)
    for at, character in enumerate(known):
        codes[cells == ord(character)] = at
    for i, j in np.argwhere(codes < 0)[:MOST_FAULTS].tolist():
        way_out = f"expected one of {' '.join(kinds)} # or an entry in [grid.legend]"
        reader.fault(f"map: found {quoted(chr(cells[i, j]))} in column {j}, {way_out}", Spot(line(i)))
    bump = number("bump_reward", step)
    return Grid(codes, list(known.values()), step, bump, slip, wind, MOVES[moves])


def _read_legend(reader: Reader, entries: dict[str, Spot], cells: Ints) -> dict[str, Kind]:
    legend = reader.table(entries["legend"], "legend") if "legend" in entries else {}
    kinds: dict[str, Kind] = {}
    for character, entry in legend.items():
        what = f"legend {quoted(character)}"
        if len(character) != 1 or character in WALLS or character == "\n":
            reader.fault(f"{what}: expected a single character other than '#' and ' '", entry)
            continue
        found = reader.table(entry, what, ENTRY)
        kind = kinds[character] = Kind()
        for key in ("terminal", "start", "reward", "jump_reward", "goto", "jump"):
            if key in found:
                setattr(kind, key, _meaning(reader, key, found[key], what, legend, cells))
        exclusive = [key for key in ("terminal", "goto", "jump") if getattr(kind, key) not in (False, None)]
        if len(exclusive) > 1 or (kind.start and exclusive and exclusive != ["jump"]):
            also = [*exclusive, *(["start"] if kind.start else [])]
            reader.fault(f"{what}: found {' and '.join(also)}, expected one of them", entry)
        if "jump_reward" in found and "jump" not in found:
            reader.fault(f"{what}: found a jump_reward with no jump, expected both", entry)
    return kinds


def _meaning(
    reader: Reader, key: str, spot: Spot, what: str, legend: dict[str, Spot], cells: Ints
) -> bool | Number | Cell | None:
    """Return what a key of an entry of the legend says."""
    if key in ("terminal", "start"):
        return reader.boolean(spot, f"{what}: {key}")
    if key in ("reward", "jump_reward"):
        return reader.number(spot, f"{key} of {what}")
    return _target(reader, spot, f"{what}: {key}", legend, cells)


def _target(reader: Reader, spot: Spot, what: str, legend: dict[str, Spot], cells: Ints) -> Cell | None:
    """Return the only cell with a character."""
    character = reader.text(spot, what)
    if character is None:
        return None
    found_at = np.argwhere(cells == ord(character)) if len(character) == 1 else cells[:0]
    if len(found_at) != 1:
        found = f"{len(found_at)} cells {quoted(character)}" if len(character) == 1 else quoted(character)
        reader.fault(f"{what}: found {found}, expected the character of a single cell", spot)
        return None
    entry = legend.get(character)
    if character in WALLS or (entry and isinstance(entry.value, dict) and "goto" in entry.value):
        reader.fault(f"{what}: found {quoted(character)}, expected a cell that is a state", spot)
        return None
    return int(found_at[0, 0]), int(found_at[0, 1])
