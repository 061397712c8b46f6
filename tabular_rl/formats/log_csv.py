"""Logs in CSV, for people and databases.

A log without faults is read column by column, never whole; one with faults a second time, line by line.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from operator import ne
from typing import Any, BinaryIO

import numpy as np

from tabular_rl.errors import SHOWN_FAULTS, Fault, ModelError, closest, quoted
from tabular_rl.formats import input
from tabular_rl.formats.fields import AN_EMPTY_CELL, number_fault, spelled_number
from tabular_rl.formats.log_entries import COLUMNS, NONE, begins_of, columns_of, missing, of_model, ordered
from tabular_rl.formats.memory import require
from tabular_rl.formats.sheet import Codes, Faulty, Sheet, csv_text
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import LONGEST_NAME, Names, are_good, name_fault
from tabular_rl.model.numbers import size_text
from tabular_rl.model.rationals import DECIMAL, nearest
from tabular_rl.model.rows import LARGEST, Floats
from tabular_rl.model.transitions import A_PROPENSITY, Ints, Log, Transitions

MORE = ("episode", "step", "propensity")
EXPECTED = f"expected the columns {','.join(COLUMNS)}, and perhaps episode, step and propensity"
ENDS = {text: end for end, word in ((False, "false"), (True, "true"))
        for text in (str(int(end)), word, word.title(), word.upper())}  # fmt: skip
CHUNK = 1 << 12  # lines written at once
LONGEST_LINE = 1 << 20  # bytes
KEPT = 1 << 16  # different rewards that are kept as they are spelled; beyond, the nearest floats
MOST_FAULTS = 1000


def read_log_csv(file: BinaryIO, mdp: MDP | None) -> Transitions | Log:
    """Return the transitions of a CSV file; ModelError with all its faults."""
    input.check_text(file.read(8))
    file.seek(0)
    _scan(file)
    try:
        return _by_columns(file, mdp)
    except (Faulty, UnicodeDecodeError):
        raise _faults(file, mdp) from None


def _scan(file: BinaryIO) -> None:
    """Look for what no text holds before lines are read: NUL, and a line without end."""
    line, far = 1, 0
    while part := file.read(LONGEST_LINE):
        if b"\0" in part:
            end = file.tell()
            file.seek(0)
            input.decode(file.read(end))  # says the line
        found = max(part.rfind(b"\n"), part.rfind(b"\r"))
        far = far + len(part) if found < 0 else len(part) - found
        if far > LONGEST_LINE:
            what = f"found a line of more than {size_text(LONGEST_LINE)}, expected a transition a line"
            raise ModelError(Fault(what, line=line + _ends(part)))
        line += _ends(part)
    file.seek(0)


def _ends(part: bytes) -> int:
    return part.count(b"\n") or part.count(b"\r")


def _text(file: BinaryIO) -> io.TextIOWrapper:
    file.seek(0)
    return io.TextIOWrapper(file, "utf-8-sig", newline="")


def _sheet(lines: io.TextIOWrapper) -> Sheet:
    sheet = Sheet.of(lines)
    if not sheet.names:
        raise ModelError("found no line of column names, " + EXPECTED)
    sheet.check(COLUMNS, (*COLUMNS, *MORE), EXPECTED, once="expected it once")
    return sheet


@dataclass
class _Numbers:
    """Numbers as codes of their texts while there are few, as floats when there are many."""

    codes: Codes = field(default_factory=Codes)
    parts: list[Any] = field(default_factory=list)
    floats: list[Floats] = field(default_factory=list)

    def add(self, texts: Sequence[str]) -> None:
        if len(self.codes) <= KEPT:
            self.parts.append(self.codes.of(texts).astype(np.int32))
        else:
            self.floats.append(np.array([_float(text) for text in texts], dtype=np.float64))

    def done(self) -> tuple[Floats, tuple[Fraction, ...] | None, Ints | None]:
        values: list[Any] = [spelled_number(text, True) for text in self.codes]
        if any(x is None for x in values):
            raise Faulty
        exact: tuple[Fraction, ...] = tuple(values)
        table = np.array([nearest(x) for x in exact], dtype=np.float64)
        code = np.concatenate([np.zeros(0, np.int32), *self.parts])
        reward = np.concatenate([table[code], *self.floats])
        return (reward, None, None) if self.floats else (reward, exact, code.astype(np.int64))

    def chosen(self) -> Floats | None:
        """Return the probabilities with which actions were chosen (N,); None where nothing was added."""
        chosen = self.done()[0] if self.parts else None
        if chosen is not None and not ((chosen > 0) & (chosen <= 1)).all():
            raise Faulty
        return chosen


def _float(text: str) -> float:
    if DECIMAL.fullmatch(text):
        x = float(text)
        if -LARGEST <= x <= LARGEST:
            return x
    exact: Any = spelled_number(text, True)
    if exact is None:
        raise Faulty
    return nearest(exact)


def _by_columns(file: BinaryIO, mdp: MDP | None) -> Transitions | Log:
    lines = _text(file)
    try:
        names = {name: Codes() for name in ("state", "action", "next_state")}
        parts: dict[str, list[Any]] = {name: [] for name in (*names, "done", "episode")}
        numbers, last = {"reward": _Numbers(), "propensity": _Numbers()}, ""
        for columns in _sheet(lines).chunks():
            for name, codes in names.items():
                parts[name].append(codes.of(columns[name]).astype(np.int32))
            for name in numbers.keys() & columns.keys():
                numbers[name].add(columns[name])
            ends = [ENDS.get(text) for text in columns["done"]]
            if None in ends:
                raise Faulty
            parts["done"].append(np.array(ends, dtype=bool))
            if "episode" in columns:
                texts = columns["episode"]
                changed = map(ne, texts, chain((last,), texts))
                parts["episode"].append(np.fromiter(changed, bool, len(texts)))
                last = texts[-1]
    finally:
        lines.detach()
    if not parts["done"]:
        raise ModelError(NONE)
    done = np.concatenate(parts["done"])
    begins = begins_of(done, np.concatenate(parts["episode"]) if parts["episode"] else None)
    reward, spelled, code = numbers["reward"].done()
    propensity = numbers["propensity"].chosen()
    if not all(map(are_good, names.values())):
        raise Faulty
    index = {name: np.concatenate(parts[name]) for name in names}
    del parts
    if mdp is not None:
        s, a, s2 = (
            _indices(codes, mdp.actions if name == "action" else mdp.states)[index[name]]
            for name, codes in names.items()
        )
        made = of_model(mdp, s, a, reward, s2, done, begins, propensity)
        if made is None:
            raise Faulty
        return made
    known = Codes()
    code_s, code_s2 = known.of(list(names["state"])), known.of(list(names["next_state"]))
    states, place = ordered(known)
    actions, act = ordered(names["action"])
    s, s2 = place[code_s][index["state"]], place[code_s2][index["next_state"]]
    return Log(states, actions, s, act[index["action"]], reward, s2, done, begins, spelled, code, propensity)


def _indices(codes: Codes, names: Names) -> Ints:
    """Return the index of each text among the names; Faulty where one is none of them."""
    at = [names.find(text) for text in codes]
    if None in at:
        raise Faulty
    return np.array(at, dtype=np.int64)


def _faults(file: BinaryIO, mdp: MDP | None) -> ModelError:
    """Say what is wrong with each line."""
    require(3 * file.seek(0, 2))
    file.seek(0)
    input.decode(file.read())  # says the line of a byte that is not UTF-8
    faults: list[Fault] = []
    lines = _text(file)
    sheet = _sheet(lines)

    def note(what: str, line: int) -> None:
        faults.append(Fault(what, line=line))
        if len(faults) >= MOST_FAULTS:
            raise ModelError(faults)

    for line, fields in sheet.fitting(note):
        if len(faults) >= MOST_FAULTS:
            break
        few = len(faults) < SHOWN_FAULTS  # the search for the closest name takes its time
        found = dict(zip(sheet.names, fields, strict=True))
        faults += _name_faults(found, line, mdp) or _faults_of(found, line, mdp, few)
    lines.detach()
    return ModelError(faults)


def _name_faults(found: dict[str, str], line: int, mdp: MDP | None) -> list[Fault]:
    """Return which names of a line can be none; of a model only those that are empty or without end."""
    faults = []
    for word in ("state", "action", "next_state"):
        name = found[word]
        what = name_fault(name) if name.strip() else AN_EMPTY_CELL
        if what and (mdp is None or len(name) > LONGEST_NAME or not name.strip()):
            faults.append(Fault(f"{word}: {what}", line=line))
    return faults


def _faults_of(found: dict[str, str], line: int, mdp: MDP | None, few: bool) -> list[Fault]:
    """Return what is wrong with the transition of a line; with the closest names where faults are `few`."""
    place: dict[str, Any] = {"state": found["state"], "action": found["action"], "line": line}
    next_state, reward, done = found["next_state"], found["reward"], found["done"]
    faults = []
    if mdp is not None:
        lacking = missing(mdp, found["state"], found["action"], few)
        if lacking is not None:
            faults.append(Fault(lacking, **place))
        if mdp.states.find(next_state) is None:
            hint = closest(next_state, mdp.states) if few else ""
            faults.append(Fault(f"no such state{hint}", next_state=next_state, **place))
    if spelled_number(reward, True) is None:
        faults.append(Fault(f"found reward {quoted(reward)}, {number_fault(reward)}", **place))
    if done not in ENDS:
        faults.append(Fault(f"done: found {quoted(done)}, expected 0, 1, false or true", **place))
    chosen = found.get("propensity", "1")
    probability: Any = spelled_number(chosen, True)
    if probability is None or not 0 < nearest(probability) <= 1:
        faults.append(Fault(f"propensity: found {quoted(chosen)}, {A_PROPENSITY}", **place))
    return faults


# -- writing ----------------------------------------------------------------------------------------------------


def write_log_csv(transitions: Transitions, file: BinaryIO) -> None:
    """Write transitions as CSV, one a line."""
    mdp, columns = transitions.mdp, columns_of(transitions)
    columns["done"] = transitions.done.astype(np.int8)
    states, actions = [csv_text(name) for name in mdp.states], [csv_text(name) for name in mdp.actions]
    file.write((",".join(columns) + "\n").encode())
    for i in range(0, len(transitions), CHUNK):
        part = (x[i : i + CHUNK].tolist() for x in columns.values())
        text = "".join(
            ",".join((str(e), states[b], actions[c], repr(r), states[d], str(end), *map(repr, more))) + "\n"
            for e, b, c, r, d, end, *more in zip(*part, strict=True)
        )
        file.write(text.encode("utf-8"))
