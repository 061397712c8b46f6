"""TOML, for people: states and actions by name, exact numbers, arrays, pictures of gridworlds.

The grammar is in docs/file-format.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np

from tabular_rl.errors import Fault, ModelError, escape, quoted
from tabular_rl.formats.fields import Asked, Reader, is_text
from tabular_rl.formats.grid import read_grid
from tabular_rl.formats.input import plain_ends, text_of
from tabular_rl.formats.keys import TOP, VERSION, Head, add_terminal, finish, read_head
from tabular_rl.formats.lines import Spot, locate
from tabular_rl.formats.output import write_lines
from tabular_rl.formats.spelling import BARE, Speller
from tabular_rl.model.blocks import ORDER
from tabular_rl.model.build import Number, Row
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names
from tabular_rl.model.on_entry import ON_ENTRY, entry_reward, terminal_reward
from tabular_rl.model.tensors import ambiguous_text, readings

TIMES = 40  # about how many times its length a text takes while it is read
BODIES = ("state", "tensors", "grid")


def read_toml(file: BinaryIO, asked: Asked) -> MDP:
    """Return the model that a TOML text describes; ModelError with all its faults."""
    root = locate(plain_ends(text_of(file, TIMES)))
    reader = Reader(asked)
    top = reader.table(root, "", (*TOP, *BODIES))
    if not root.value:
        raise ModelError("no states: found 0, expected at least 1")
    _mend_states(reader, top)
    head = read_head(reader, top)
    bodies = [key for key in BODIES if key in top]
    if not bodies and not head.states and not head.terminal:
        reader.fault("no states: found none of [state.NAME], [tensors] and [grid], expected one of them")
        raise ModelError(reader.faults)
    for key in bodies[1:]:
        reader.fault(
            f"found [{key}] and [{bodies[0]}] on line {top[bodies[0]].line}, expected one of them", top[key]
        )
    kind = bodies[0] if bodies else "state"
    read = {"state": _read_states, "tensors": _read_tensors, "grid": read_grid}[kind]
    return read(reader, head, top.get(kind, Spot(1, value={})))


def _mend_states(reader: Reader, top: dict[str, Spot]) -> None:
    """Read [states.NAME] as [state.NAME], with one fault: it must not bring others with it."""
    sections = top["states"].value if "states" in top else None
    if not sections or not isinstance(sections, dict) or "tensors" in top or "grid" in top:
        return
    if not all(isinstance(section.value, dict) for section in sections.values()):
        return
    name, spot = next(iter(sections.items()))
    key = escape(name if BARE.fullmatch(name) else f'"{name}"')
    reader.fault(f"found [states.{key}], expected [state.{key}]", spot)
    del top["states"]
    body = top.setdefault("state", Spot(spot.line, value={}))
    if isinstance(body.value, dict):
        body.value = sections | body.value


# -- states and actions by name ---------------------------------------------------------------------------------


def _read_states(reader: Reader, head: Head, body: Spot) -> MDP:
    sections = reader.table(body, "state")
    if head.states is None:
        lines = {name: spot.line for name, spot in sections.items()}
        for name, spot in sections.items():
            reader.check_name(name, "state", spot)
        add_terminal(head, lines, () if all(head.terminal.values()) else set(_next_states(sections)))
    else:
        lines = head.states
    states = Names(list(lines))
    actions = dict.fromkeys(head.actions or ())
    tables = {}
    for name, spot in sections.items():
        entries = reader.table(spot, f"state {quoted(name)}")
        if reader.state(name, states, spot, state=name) is None:
            continue
        tables[name] = entries
        for action, entry in entries.items():
            if head.actions is not None and action not in head.actions:
                what = f"no such action{reader.closest(action, head.actions)}"
                reader.fault(what, entry, state=name, action=action)
            elif action not in actions:
                reader.check_name(action, "action", entry)
            actions[action] = None
    names = Names(list(actions))
    rows = [
        _read_row(reader, head, states, names, (state, action), spot)
        for state, entries in tables.items()
        for action, spot in entries.items()
    ]
    return finish(reader, head, rows, states, names, state_lines=lines.values())


ENDS = ("terminal", "absorbing", "end", "done")  # what a state that ends is called elsewhere


def _next_states(sections: dict[str, Spot]) -> Iterator[str]:
    """Yield the names that actions lead to, whatever is wrong around them."""
    for entry in (entry for spot in sections.values() for entry in _entries(spot).values()):
        to = _entries(entry).get("to", entry)
        if is_text(to):
            yield to.value
        elif isinstance(to.value, list):
            yield from (str(_entries(item)["state"].value) for item in to.value if "state" in _entries(item))
        elif to is not entry:
            yield from _entries(to)


def _entries(spot: Spot) -> dict[str, Spot]:
    return spot.value if isinstance(spot.value, dict) else {}


def _read_row(
    reader: Reader, head: Head, states: Names, actions: Names, pair: tuple[str, str], spot: Spot
) -> Row:
    """Return the outcomes of a pair."""
    row = Row(states.index(pair[0]), actions.index(pair[1]), line=spot.line)
    place: dict[str, Any] = {"state": pair[0], "action": pair[1]}
    before = len(reader.faults)
    if pair[1] in ENDS and spot.value is True:
        reader.fault(
            f'found {pair[1]} = true, expected terminal = ["{escape(pair[0])}"] at the top',
            spot,
            state=pair[0],
        )
        entries: dict[str, Spot] = {}
    else:
        entries = reader.table(spot, "action", ("to", "reward"), **place)
    if "reward" in entries:
        row.reward = reader.number(entries["reward"], "reward", **place)
    if "to" not in entries and isinstance(spot.value, dict):
        reader.fault("found no `to`, expected where the action leads", spot, **place)
    for name, where, p, reward in _outcomes(reader, entries, place):
        at = states.find(name)
        if at is not None:
            row.outcomes.append((at, p, reward))
            continue
        way_out = reader.closest(name, states)
        if not way_out and head.states is not None:
            way_out = ", expected one of `states`"
        elif not way_out:
            way_out = f'; declare it terminal (terminal = ["{escape(name)}"]) or give it actions'
        reader.fault(f"no such state{way_out}", where, next_state=name, **place)
    if len(reader.faults) > before:  # one fault must not bring others with it
        row.outcomes, row.reward = [(row.state, Fraction(1) if reader.exact else 1.0, None)], None
    elif isinstance(entries["to"].value, list):
        row.lines = [item.line for item in entries["to"].value]
    return row


def _outcomes(
    reader: Reader, entries: dict[str, Spot], place: dict[str, Any]
) -> Iterator[tuple[str, Spot, Number, Number | None]]:
    """Yield the name of each state that an action leads to, where it stands, its probability and its own reward."""
    to = entries.get("to")
    if to is None:
        return
    if is_text(to):
        yield to.value, to, Fraction(1) if reader.exact else 1.0, None
    elif isinstance(to.value, dict):
        for name, p in to.value.items():
            yield name, p, reader.probability(p, next_state=name, **place), None
    elif isinstance(to.value, list):
        outcomes = (_outcome(reader, item, entries.get("reward"), place) for item in to.value)
        yield from (outcome for outcome in outcomes if outcome is not None)
    else:
        what = f"to: found {to}, expected a name, a table of probabilities or an array of outcomes"
        reader.fault(what, to, **place)


def _outcome(
    reader: Reader, item: Spot, of_action: Spot | None, place: dict[str, Any]
) -> tuple[str, Spot, Number, Number | None] | None:
    """Return what a table says of one outcome; None with a fault where it lacks something."""
    outcome = reader.table(item, "outcome", ("state", "p", "reward"), **place)
    missing = [key for key in ("state", "p") if key not in outcome]
    if missing and isinstance(item.value, dict):
        what = f"outcome: found no `{missing[0]}`, expected {{ state = NAME, p = NUMBER }}"
        reader.fault(what, item, **place)
    name = None if missing else reader.text(outcome["state"], "next state", **place)
    if name is None:
        return None
    p = reader.probability(outcome["p"], next_state=name, **place)
    reward = None
    if "reward" in outcome:
        reward = reader.number(outcome["reward"], "reward", next_state=name, **place)
        if of_action is not None:
            first = f"one on the action on line {of_action.line}"
            what = f"found a reward on the outcome and {first}, expected one of them"
            reader.fault(what, outcome["reward"], **place)
    return name, outcome["state"], p, reward


# -- arrays -----------------------------------------------------------------------------------------------------


def _read_tensors(reader: Reader, head: Head, body: Spot) -> MDP:
    entries = reader.table(body, "tensors", ("axes", "P", "R", "reward_axes", "terminal_rewards"))
    if not isinstance(body.value, dict):
        raise ModelError(reader.faults)
    on_entry = None
    axes = reader.text(entries["axes"], "axes", tuple(ORDER)) if "axes" in entries else None
    if "terminal_rewards" in entries:
        on_entry = reader.text(entries["terminal_rewards"], "terminal_rewards", (ON_ENTRY,))
    for key in ("P", "R"):
        if key not in entries:
            reader.fault(f"{key}: found none, expected an array", body)
    if ("axes" in entries and axes is None) or "P" not in entries or "R" not in entries:
        raise ModelError(reader.faults)
    axes, S, A = _sizes(reader, entries, axes)
    states, actions = (
        _names(reader, head, what, size, entries["P"]) for what, size in (("states", S), ("actions", A))
    )
    reward_of = _rewards(reader, entries, axes, S, A)
    if reward_of is None:
        raise ModelError(reader.faults)
    p_of = _Tensor(entries["P"], axes)
    ends = {s for name in head.terminal if (s := states.find(name)) is not None}
    made = (
        _tensor_row(reader, p_of, reward_of, (s, a), states, actions, ends)
        for s in range(S)
        for a in range(A)
    )
    rows = [row for row in made if row.outcomes]
    ends -= {row.state for row in rows}  # an action of a terminal state is a fault of its own
    paid = _terminal_rewards(reader, reward_of, states, A, ends, on_entry)
    for row in rows if paid else ():
        own = Fraction(0) if row.reward is None else row.reward
        row.outcomes = [
            (s2, p, entry_reward(own if x is None else x, head.gamma, paid.get(s2, 0)))
            for s2, p, x in row.outcomes
        ]
        row.reward = None
    lines = [p_of(s, 0, 0).line for s in range(S)]
    return finish(reader, head, rows, states, actions, state_lines=lines, on_entry=bool(paid))


def _sizes(reader: Reader, entries: dict[str, Spot], axes: str | None) -> tuple[str, int, int]:
    """Return the order of the axes of P, given or found, and how many states and actions it has."""
    shape = _shape(reader, entries["P"], "P", 3)
    if axes is None and shape is not None:
        axes = _found_axes(reader, entries, shape)
    if shape is None or axes is None:
        raise ModelError(reader.faults)
    S, A, last = (shape[at] for at in ORDER[axes])
    if S != last:
        what = f'P: found {last} next states for {S} states under axes = "{axes}", expected as many'
        reader.fault(what, entries["P"])
        raise ModelError(reader.faults)
    return axes, S, A


def _names(reader: Reader, head: Head, what: str, size: int, of_P: Spot) -> Names:
    """Return the names of states or actions that the file lists, or `size` without names."""
    given = head.states if what == "states" else head.actions
    if given is None or len(given) == size:
        return Names(size if given is None else list(given))
    listed = head.top[what].value  # with those that stand twice
    if isinstance(listed, list) and len(listed) != size:
        reader.fault(f"{what}: found {len(given)} names, expected {size} as in P", of_P)
    return Names(size)


def _tensor_row(
    reader: Reader,
    p_of: _Tensor,
    reward_of: _Tensor,
    pair: tuple[int, int],
    states: Names,
    actions: Names,
    ends: set[int],
) -> Row:
    """Return the row of a pair, without outcomes where all its probabilities are 0."""
    place = {"state": states[pair[0]], "action": actions[pair[1]]}
    row = Row(*pair, line=p_of(*pair).line)
    before = len(reader.faults)
    if not reward_of.by_outcome:
        row.reward = reader.number(reward_of(*pair), "reward", **place)
    for s2, name in enumerate(states):
        place["next_state"] = name
        p = reader.probability(p_of(*pair, s2), **place)
        reward = reader.number(reward_of(*pair, s2), "reward", **place) if reward_of.by_outcome else None
        if p != 0:
            row.outcomes.append((s2, p, reward))
    if len(reader.faults) > before:  # one fault must not bring others with it
        return Row(*pair, [] if pair[0] in ends else [(pair[0], Fraction(1), None)])
    return row


def _found_axes(reader: Reader, entries: dict[str, Spot], shape: tuple[int, ...]) -> str | None:
    """Return the order of the axes of P where its shape says it or it cannot matter; None with a fault otherwise."""
    possible = readings(shape)
    if not possible:
        found = " x ".join(map(str, shape))
        reader.fault(f"P: found shape {found}, expected as many next states as states", entries["P"])
        return None
    if len(possible) == 1:
        return possible[0]
    trial = Reader(reader.asked, reader.exact)  # what is no number is a fault of its row

    def numbers(spot: Spot) -> Any:
        return [numbers(x) for x in spot.value] if isinstance(spot.value, list) else trial.number(spot, "")

    P, R = np.array(numbers(entries["P"]), dtype=object), entries["R"]
    tensors = [P]
    if _depth(R) == 3 and "reward_axes" not in entries and _shape(trial, R, "R", 3) == shape:
        tensors.append(np.array(numbers(R), dtype=object))
    if all(np.array_equal(x, x.transpose(ORDER[axes])) for x in tensors for axes in possible):
        return possible[0]
    sums = {axes: P.transpose(ORDER[axes]).sum(axis=2).ravel() for axes in possible}
    fits = [axes for axes, totals in sums.items() if all(x == 0 or abs(x - 1) < 1e-9 for x in totals)]
    reader.fault(ambiguous_text(shape[0], fits), entries["P"])
    return None


def _terminal_rewards(
    reader: Reader, reward_of: _Tensor, states: Names, A: int, ends: set[int], option: str | None
) -> dict[int, Number]:
    """Return the rewards of terminal states that are paid on entry; those that are dropped are faults."""
    S = len(states)

    def spots(s: int) -> list[Spot]:
        if reward_of.by_outcome:
            return [reward_of(s, a, s2) for a in range(A) for s2 in range(S)]
        return [reward_of(s, a) for a in range(A)]

    def of_state(s: int) -> tuple[list[Number], bool]:
        quiet = Reader(reader.asked, reader.exact)  # what is no number is a fault of its row
        return [quiet.number(spot, "reward") for spot in spots(s)], reward_of.by_outcome

    def report(fault: Fault, s: int) -> None:
        reader.fault(fault.what, next(x for x, v in zip(spots(s), of_state(s)[0], strict=True) if v != 0))

    spelled = f'terminal_rewards = "{ON_ENTRY}" in [tensors]'
    return terminal_reward(of_state, sorted(ends), states, option, spelled=spelled, report=report)


def _shape(reader: Reader, spot: Spot, what: str, depth: int) -> tuple[int, ...] | None:
    """Return the lengths of nested arrays, the same at each depth; None with a fault otherwise."""
    level, shape = [spot], []
    for _ in range(depth):
        for item in level:
            if not isinstance(item.value, list):
                reader.fault(f"{what}: found {item}, expected arrays nested {depth} deep", item)
                return None
            if len(item.value) != len(level[0].value):
                first = len(level[0].value)
                found = f"found an array of {len(item.value)} entries, expected {first} as in the first"
                reader.fault(f"{what}: {found}", item)
                return None
        shape.append(len(level[0].value))
        if shape[-1] == 0:
            reader.fault(f"{what}: found an empty array, expected entries", level[0])
            return None
        level = [inner for item in level for inner in item.value]
    return tuple(shape)


def _depth(spot: Spot) -> int:
    depth = 0
    while isinstance(spot.value, list) and spot.value:
        depth, spot = depth + 1, spot.value[0]
    return depth


@dataclass(frozen=True)
class _Tensor:
    """An array and the names of its axes: "s", "sa", "as", or the three of P in their order."""

    array: Spot
    axes: str

    @property
    def by_outcome(self) -> bool:
        return len(self.axes) == 3

    def __call__(self, s: int, a: int, s2: int = 0) -> Spot:
        """Return the entry of a state, an action and a next state."""
        if self.by_outcome:
            place = [0, 0, 0]
            for at, index in zip(ORDER[self.axes], (s, a, s2), strict=True):
                place[at] = index
        else:
            place = [a if axis == "a" else s for axis in self.axes]
        spot = self.array
        for index in place:
            spot = spot.value[index]
        return spot


def _rewards(reader: Reader, entries: dict[str, Spot], axes: str, S: int, A: int) -> _Tensor | None:
    """Return the rewards after a look at their shape; None with a fault."""
    R = entries["R"]
    named = {1: "s", 2: "sa", 3: axes}.get(_depth(R))
    if "reward_axes" in entries:
        named = reader.text(entries["reward_axes"], "reward_axes", ("sa", "as", "s", *ORDER))
    elif named is None:
        reader.fault(f"R: found {R}, expected an array nested 1, 2 or 3 deep", R)
    shape = named and _shape(reader, R, "R", len(named))
    if not named or not shape:
        return None
    size = {"s": S, "a": A}
    wanted = tuple(size[axis] for axis in named)
    if shape != wanted:
        reader.fault(f'R: found shape {shape}, expected {wanted} under reward_axes = "{named}"', R)
        return None
    return _Tensor(R, named)


# -- writing ----------------------------------------------------------------------------------------------------


def write_toml(mdp: MDP, file: BinaryIO) -> None:
    """Write a model as a TOML text that reads back as the same model."""
    write_lines(_lines(mdp), file)


def _lines(mdp: MDP) -> Iterator[str]:
    say = Speller(mdp)
    yield f"format = {VERSION}\n"
    yield from say.head()
    for s in range(mdp.S):
        rows = mdp.rows(s)
        if not rows:
            continue
        yield f"\n[state.{say.key(mdp.states[s])}]\n"
        for i in rows:
            yield f"{say.key(mdp.actions[int(mdp.pair_action[i])])} = {_row(mdp, say, i)}\n"


def _row(mdp: MDP, say: Speller, i: int) -> str:
    """Return a pair as the shortest table that reads back as its row."""
    ks = range(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1]))
    to = [mdp.states[s] for s in mdp.next_state[ks.start : ks.stop].tolist()]
    p = [say.entry("prob", k) for k in ks]
    if mdp.reward is not None:
        rewards, tail = [f", reward = {say.entry('reward', k)}" for k in ks], ""
    else:
        reward = say.entry("r", i)
        rewards, tail = [""] * len(to), "" if reward in ("0", "0.0") else f", reward = {reward}"
        if p in (["1"], ["1.0"]):
            return f"{{ to = {say.text(to[0])}{tail} }}"
        if len(set(to)) == len(to):
            inside = ", ".join(f"{say.key(name)} = {x}" for name, x in zip(to, p, strict=True))
            return f"{{ to = {{ {inside} }}{tail} }}"
    outcomes = zip(map(say.text, to), p, rewards, strict=True)
    inside = ", ".join(f"{{ state = {name}, p = {x}{reward} }}" for name, x, reward in outcomes)
    return f"{{ to = [{inside}]{tail} }}"
