"""CSV, one line a transition, as it comes out of a spreadsheet or a database.

A file without faults is read column by column; one with faults a second time, line by line, to say where they are.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np

from tabular_rl.errors import Fault, ModelError, escape, quoted
from tabular_rl.formats.fields import (
    A_PROBABILITY,
    AN_EMPTY_CELL,
    Asked,
    Numbers,
    Reader,
    number_fault,
    spelled_number,
)
from tabular_rl.formats.input import text_of
from tabular_rl.formats.keys import (
    TOP,
    VERSION,
    Head,
    add_terminal,
    finish,
    model_of_numbers,
    read_head,
    resolve,
)
from tabular_rl.formats.lines import Spot, locate
from tabular_rl.formats.log_roles import if_a_log
from tabular_rl.formats.output import write_lines
from tabular_rl.formats.sheet import Codes, Faulty, Sheet, cells_of, csv_text, full, is_blank
from tabular_rl.formats.spelling import Speller, plain
from tabular_rl.model.build import Number, Row
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names, are_good
from tabular_rl.model.rationals import DECIMAL
from tabular_rl.model.rows import Ints, mass_defects, rows_off

COLUMNS = ("state", "action", "next_state", "probability", "reward")
EXPECTED = f"expected the columns {','.join(COLUMNS)}"
INFINITE = ("-inf", "-infinity")
TIMES = 12  # about how many times its length a text takes while it is read


def read_csv(file: BinaryIO, asked: Asked) -> MDP:
    """Return the model that a CSV text describes; ModelError with all its faults."""
    lines = io.StringIO(text_of(file, TIMES), newline="")
    try:
        top = _Top(lines, asked)
        if not top.reader.faults:
            return _by_columns(top)
    except Faulty:
        pass
    lines.seek(0)
    return _by_lines(_Top(lines, asked))


class _Top:
    """What stands above the transitions: lines `# key = value` in TOML, then the names of the columns."""

    def __init__(self, lines: io.StringIO, asked: Asked) -> None:
        keys: list[str] = []
        line = lines.readline()
        while line and (line.startswith(("#", '"#')) or is_blank(line)):
            keys.append(_key(line.rstrip("\r\n"), len(keys) + 1))
            line = lines.readline()
        self.reader = Reader(asked)
        top = self.reader.table(_located(keys), "", (*TOP, "reward_on"))
        self.head: Head = read_head(self.reader, top)
        choices = ("pair", "outcome")
        self.by_pair = (
            "reward_on" in top and self.reader.text(top["reward_on"], "reward_on", choices) == "pair"
        )
        self.sheet = Sheet(line, len(keys) + 1, lines)
        if not self.sheet.names:
            raise ModelError("no states: found no line of column names, " + EXPECTED)
        _check_no_key(self.sheet)
        self.sheet.check(COLUMNS[:4], COLUMNS, EXPECTED + if_a_log(self.sheet.names), hints=False)


def _located(keys: list[str]) -> Spot:
    try:
        return locate("\n".join(keys))
    except ModelError as error:
        fault = error.faults[0]
        what = f"{fault.what.rstrip('.')}. Lines above the columns are # key = value; a remark begins with ##"
        raise ModelError(Fault(what, line=fault.line)) from None


def _key(line: str, number: int = 1) -> str:
    """Return what stands behind the # of a line above the columns, which may have gone through a sheet.

    >>> _key('# discount = 0.9,,,,'), _key('"# terminal = [""a""]",,,,')
    (' discount = 0.9', ' terminal = ["a"]')
    """
    if line.startswith('"'):
        return ",".join(full(cells_of(line, number)))[1:]
    body = line.rstrip(" \t,;")
    tail = line[len(body) :]
    if tail.count(",") + tail.count(";") > 1 or body.endswith(("]", "}")):  # one may stand inside an array
        line = body
    return line[1:] if line.startswith("#") else ""


def _check_no_key(sheet: Sheet) -> None:
    """Raise where a key of the top stands in the place of the column names."""
    line = sheet.header.rstrip("\r\n")
    cells = cells_of(line, 0)
    key, *values = (cell.strip() for cell in (cells[0].split("=") if "=" in cells[0] else cells))
    key = key.lower()
    if key not in (*TOP, "reward_on"):
        return
    found, value = escape(line.rstrip(" \t,;")), escape("".join(values[:1]).strip("\"'"))
    if key in ("states", "actions", "terminal"):
        value = f'["{value}"]'
    elif not DECIMAL.fullmatch(value):
        value = f'"{value}"'
    raise ModelError(Fault(f"found '{found}', expected it as: # {key} = {value}", line=sheet.line))


# -- column by column -------------------------------------------------------------------------------------------


def _by_columns(top: _Top) -> MDP:
    """Return the model of a file without faults; Faulty where it has some."""
    reader, head = top.reader, top.head
    state_of, action_of, next_of, numbers = known = Codes(), Codes(), Codes(), Codes()
    index = _coded(top, *known)
    if head.states is None:
        state_of.of(list(add_terminal(head, dict.fromkeys(state_of, 0), next_of)))
    states, actions = Names(list(state_of)), Names(list(action_of))
    said = resolve(reader, head, states, len(index["state"]))
    if reader.faults or not state_of or any(name not in state_of for name in next_of):
        raise Faulty
    values = [spelled_number(text, reader.exact) for text in numbers]
    if any(x is None for x in values) or not (are_good(state_of) and are_good(action_of)):
        raise Faulty
    to = np.array([state_of[name] for name in next_of], dtype=np.int64)
    index["next_state"] = to[index["next_state"]]
    pair = index["state"] * max(len(actions), 1) + index["action"]
    if not bool(np.all(pair[1:] >= pair[:-1])):
        order = np.argsort(pair, kind="stable")
        pair, index = pair[order], {name: column[order] for name, column in index.items()}
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    row_ptr = np.append(first, len(pair))
    counts = np.bincount(index["state"][first], minlength=len(states))
    ends = np.zeros(len(states), dtype=bool)
    ends[list(said.ends)] = True
    if ((counts > 0) == ends).any():
        raise Faulty
    return model_of_numbers(
        reader,
        head,
        states,
        said,
        *_numbers(top, Numbers(values, reader.exact), index, row_ptr),
        pair_ptr=np.concatenate([[0], np.cumsum(counts)]),
        pair_action=index["action"][first],
        row_ptr=row_ptr,
        next_state=index["next_state"],
        terminal=ends,
        actions=actions,
    )


def _coded(top: _Top, state_of: Codes, action_of: Codes, next_of: Codes, numbers: Codes) -> dict[str, Ints]:
    """Return the codes of each column (K,); Faulty where a name is not one of those that the file lists."""
    head, sheet = top.head, top.sheet
    listed = ((head.states, state_of), (head.actions, action_of))
    for given, codes in listed:
        codes.of(list(given or ()))
    known = dict(zip(COLUMNS, (state_of, action_of, next_of, numbers, numbers), strict=True))
    parts: dict[str, list[Ints]] = {name: [np.zeros(0, np.int64)] for name in sheet.names}
    for chunk in sheet.chunks():
        for name, texts in chunk.items():
            parts[name].append(known[name].of(texts))
    if any(given is not None and len(codes) != len(given) for given, codes in listed):
        raise Faulty
    return {name: np.concatenate(parts.pop(name)) for name in sheet.names}


def _numbers(
    top: _Top, table: Numbers, index: dict[str, Ints], row_ptr: Ints
) -> tuple[Numbers, Numbers | None, Numbers | None]:
    """Return the probabilities, and the rewards of outcomes or of pairs; Faulty where they are none."""
    prob, first = table.take(index["probability"]), row_ptr[:-1]
    if not bool(np.all((prob.floats >= 0) & (prob.floats <= 1))) or _off(prob, row_ptr):
        raise Faulty
    reward = index.get("reward")
    if reward is None or not len(reward):
        zero: Number = Fraction(0) if top.reader.exact else 0.0
        return prob, None, Numbers([zero], top.reader.exact).take(np.zeros(len(first), dtype=np.int64))
    if not top.by_pair:
        return prob, table.take(reward), None
    if not np.array_equal(reward, np.repeat(reward[first], np.diff(row_ptr))):
        raise Faulty  # they are compared as texts: 1 and 1.0 are looked at line by line
    return prob, None, table.take(reward[first])


def _off(prob: Numbers, row_ptr: Any) -> bool:
    if prob.exact is not None:
        return next(rows_off(prob.exact, row_ptr), None) is not None
    return bool((np.abs(mass_defects(prob.floats, row_ptr)) > np.diff(row_ptr) * 2.0**-52).any())


# -- line by line -----------------------------------------------------------------------------------------------


def _by_lines(top: _Top) -> MDP:
    """Read line by line, with every fault at its line."""
    reader, head, column = top.reader, top.head, top.sheet.column
    records = [
        (line, [fields[column[name]] if name in column else "" for name in COLUMNS])
        for line, fields in top.sheet.fitting(reader.fault)
    ]
    state_of, action_of = _names_by_line(top, records)
    if not state_of:
        if not reader.faults:
            reader.fault("no states: found no transitions, expected at least 1")
        raise ModelError(reader.faults)
    states, actions = Names(list(state_of)), Names(list(action_of))
    rows: dict[tuple[int, int], Row] = {}
    broken: set[tuple[int, int]] = set()
    unknown: set[str] = set()
    for line, cells in records:
        s, a = states.find(cells[0]), actions.find(cells[1])
        if s is None or a is None:
            continue
        row = rows.setdefault((s, a), Row(s, a, line=line, lines=[]))
        if not _add_outcome(top, row, line, cells, states, unknown):
            broken.add((s, a))
    for key in broken:  # one fault must not bring others with it
        rows[key] = Row(key[0], key[1], [(key[0], 1, None)], line=rows[key].line)
    return finish(reader, head, list(rows.values()), states, actions, state_lines=state_of.values())


def _names_by_line(top: _Top, records: list[tuple[int, list[str]]]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the states and the actions in their order, each with its line, or 0."""
    reader, head = top.reader, top.head
    state_of, action_of = dict(head.states or {}), dict(head.actions or {})
    for line, (state, action, next_state, *_) in records:
        for what, cell in zip(COLUMNS, (state, action, next_state), strict=False):
            if not cell.strip():
                reader.fault(f"{what}: {AN_EMPTY_CELL}", line)
        for word, name, known, given in (
            ("state", state, state_of, head.states),
            ("action", action, action_of, head.actions),
        ):
            if name in known or not name.strip():
                continue
            if given is not None:
                what = f"no such {word}{reader.closest(name, known)}"
                reader.fault(what, line, state=state, action=action)
                continue
            reader.check_name(name, word, Spot(line))
            known[name] = line
    if head.states is None:
        add_terminal(head, state_of, {next_state for _, (_, _, next_state, *_) in records})
    return state_of, action_of


def _add_outcome(top: _Top, row: Row, line: int, cells: list[str], states: Names, unknown: set[str]) -> bool:
    """Add the outcome of a line to its row; False where it is none. An `unknown` state is a fault the first time."""
    reader, next_state = top.reader, cells[2]
    place = dict(zip(COLUMNS, cells[:3], strict=False))
    before = len(reader.faults)
    s2 = states.find(next_state)
    p = _read(reader, cells[3], "probability", line, place)
    worth = _read(reader, cells[4], "reward", line, place) if "reward" in top.sheet.column else None
    if s2 is None:
        if next_state not in unknown and next_state.strip():
            hint = reader.closest(next_state, states)
            way_out = hint or ", expected one with transitions, or declared terminal"
            reader.fault(f"no such state{way_out}", line, **place)
        unknown.add(next_state)
        return False
    if top.by_pair and worth is not None:
        if row.reward is None:
            row.reward = worth
        elif row.reward != worth:
            what = 'found a second reward, expected one for the pair (reward_on = "pair")'
            reader.fault(what, line, **place)
        worth = None
    row.outcomes.append((s2, p, worth))
    assert row.lines is not None
    row.lines.append(line)
    return len(reader.faults) == before


def _read(reader: Reader, text: str, what: str, line: int, place: dict[str, str]) -> Number:
    number = spelled_number(text, reader.exact)
    if number is None:
        cure = (
            ". If it marks an action that is unavailable, leave its lines out"
            if text.lower() in INFINITE
            else ""
        )
        reader.fault(f"found {what} {quoted(text)}, {number_fault(text)}{cure}", line, **place)
        return 0
    if what == "probability" and not 0 <= number <= reader.most:
        reader.fault(f"found {what} {escape(text)}, {A_PROBABILITY}", line, **place)
        return 0
    return number


# -- writing ----------------------------------------------------------------------------------------------------


def write_csv(mdp: MDP, file: BinaryIO) -> None:
    """Write a model as a CSV text that reads back as the same model."""
    write_lines(_lines(mdp), file)


def _lines(mdp: MDP) -> Iterator[str]:
    say = Speller(mdp)
    yield f"# format = {VERSION}\n"
    for line in say.head():
        yield f"# {line}"
    if mdp.reward is None:
        yield '# reward_on = "pair"\n'
    yield ",".join(COLUMNS) + "\n"
    names = [csv_text(name) for name in mdp.states]
    actions = [csv_text(name) for name in mdp.actions]
    row_ptr = mdp.row_ptr.tolist()
    prob, reward, r = (say.numbers(field) for field in ("prob", "reward", "r"))
    for s in range(mdp.S):
        for i in mdp.rows(s):
            pair = f"{names[s]},{actions[int(mdp.pair_action[i])]}"
            worth = _spelled(r[i]) if reward is None else ""
            for k in range(row_ptr[i], row_ptr[i + 1]):
                last = worth if reward is None else _spelled(reward[k])
                yield f"{pair},{names[int(mdp.next_state[k])]},{_spelled(prob[k])},{last}\n"


def _spelled(x: Any) -> str:
    return repr(float(x)) if isinstance(x, float) else plain(x)
