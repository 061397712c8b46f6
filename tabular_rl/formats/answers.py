"""Answer files: JSON with everything, or CSV with a line a state. Grammar and examples are in docs/command-line.md.

An answer from elsewhere needs no more than a value for each state: a CSV file with the columns `state` and `value`,
or a JSON object {"values": {"young": 26.2, ...}}.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, OptionError, closest, escape, path_text, quoted
from tabular_rl.formats.input import decode, plain_ends, read_all, reporting, standard_input
from tabular_rl.formats.json import read_json
from tabular_rl.formats.output import write_atomically
from tabular_rl.model.mdp import MDP, spell_gamma
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import DECIMAL, fraction, long_fraction, nearest, spell, spell_float
from tabular_rl.solving.solution import Solution

Floats = NDArray[np.float64]
SUFFIXES = (".json", ".csv")
SCHEMA, VERSION = "tabular-rl answer", 1
BLOCK = 1 << 14  # entries written together
CLAIMS = (
    "status",
    "start_value",
    "optimal_actions",
    "proven_optimal",
)  # of an answer, which nobody reads back
COLUMNS = ("time", "state", "value", "lower", "upper", "visits", "action", "probability", "q")


class Blocks:
    """A long list that is written block by block."""

    def __init__(self, blocks: Iterable[list[Any]]) -> None:
        self.blocks = blocks


@dataclass(frozen=True)
class Answer:
    """What an answer file says, in the order of the model's states and in its sign.

    `values`, `lower` and `upper` are (S,), or (T + 1, S) for a finite horizon; None where the file is silent. `task` is
    "prediction" where the values are meant as those of the policy. `exact` are the fractions, in the order of `values`,
    and `claims` the names of the other claims that the file makes.
    """

    values: Floats | None
    lower: Floats | None = None
    upper: Floats | None = None
    policy: Policy | None = None
    task: str = "control"
    digest: str | None = None
    exact: tuple[Fraction, ...] | None = None
    bound: float | None = None
    claims: tuple[str, ...] = ()


# -- writing -------------------------------------------------------------------------------------------------------


def write_answer(solution: Solution, path: str | os.PathLike[str], show_q: bool = False, **more: Any) -> None:
    """Write an answer atomically: as CSV where the path ends in .csv, else as JSON; `show_q` adds q of every action.

    Raises
    ------
    OutputError : path and reason; what stood there before is intact
    """
    as_csv = os.fspath(path).lower().endswith(".csv")
    if show_q:
        more["q"] = q_entry(solution.mdp, solution.q)
    rows = q_csv(solution) if show_q else csv_parts(solution)
    write_parts(rows if as_csv else json_parts(answer_document(solution, **more)), path)


def check_suffix(path: str | os.PathLike[str]) -> None:
    """Raise where a name to write to ends like no answer file."""
    suffix = os.path.splitext(os.fspath(path))[1]
    if suffix and suffix.lower() not in SUFFIXES:
        raise OptionError(
            f"{path_text(os.fspath(path))}: found the suffix {quoted(suffix)}, expected {' or '.join(SUFFIXES)}; "
            "without one it is JSON"
        )


def write_parts(parts: Iterable[str], path: str | os.PathLike[str]) -> None:
    """Write pieces of text atomically; OutputError names the path."""

    def write(file: BinaryIO) -> None:
        for part in parts:
            file.write(part.encode("utf-8", "backslashreplace"))

    write_atomically(path, write)


def answer_document(solution: Solution, **more: Any) -> dict[str, Any]:
    """Return an answer as the entries of its JSON object, in the order of the schema."""
    mdp = solution.mdp
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "version": VERSION,
        "model": mdp.name,
        "digest": mdp.digest,
        "problem": mdp.problem,
        "gamma": mdp.gamma,
        "gamma_exact": spell_gamma(mdp) if mdp.gamma_exact == Fraction(mdp.gamma) else spell(mdp.gamma_exact),
        "horizon": mdp.horizon,
        "sense": mdp.sense,
        "task": solution.task,
        "method": solution.method,
        "options": dict(solution.options),
        "seed": solution.seed,
        "status": solution.status.name,
        "message": solution.status.value + (f" ({solution.note})" if solution.note else ""),
        "reached": solution.status.reached,
        "tolerance": solution.options.get("tolerance"),
        "bound": solution.bound,
        "start": None if mdp.start_given else "uniform over non-terminal states",
        "start_value": solution.value_of_start(),
        "work": dict(solution.work),
        "seconds": solution.seconds,
        **more,
        "states": Blocks(_names(mdp)),
        "values": solution.v,
        "lower": solution.lower,
        "upper": solution.upper,
        "exact": None,
        "policy": None,
        "optimal_actions": None,
        "proven_optimal": solution.proven_optimal,
    }
    if solution.exact is not None:
        exact = [spell(x) for x in solution.exact]
        document["exact"] = (
            exact if solution.v.ndim == 1 else [exact[i : i + mdp.S] for i in range(0, len(exact), mdp.S)]
        )
    if solution.policy is not None:
        document["policy"], numbers = _policy_entry(mdp, solution.policy)
        if numbers is not None:
            document["numbers"] = numbers
    if solution.optimal_actions is not None:
        keep = solution.optimal_actions
        timed = keep.ndim == 2
        document["optimal_actions"] = (
            [_kept(mdp, row) for row in keep]
            if timed
            else Blocks(_kept(mdp, keep, *ends) for ends in _blocks(mdp.S))
        )
    return document


def _blocks(size: int) -> Iterator[tuple[int, int]]:
    return ((first, min(first + BLOCK, size)) for first in range(0, size, BLOCK))


def _array(values: NDArray[Any]) -> Blocks:
    """The blocks of an array (n,), infinities and NaN as None."""

    def listed(values: NDArray[Any]) -> list[Any]:
        known = np.isfinite(values) if values.dtype.kind == "f" else None
        if known is None or known.all():
            return values.tolist()
        return [x if ok else None for x, ok in zip(values.tolist(), known.tolist(), strict=True)]

    return Blocks(listed(values[first:last]) for first, last in _blocks(len(values)))


def _names(mdp: MDP) -> Iterator[list[str]]:
    return (list(mdp.states[first:last]) for first, last in _blocks(mdp.S))


def _kept(mdp: MDP, keep: NDArray[np.bool_], first: int = 0, last: int | None = None) -> list[list[str]]:
    ptr = mdp.pair_ptr[first : (mdp.S if last is None else last) + 1]
    begin, names, kept = int(ptr[0]), list(mdp.actions), keep[int(ptr[0]) : int(ptr[-1])]
    chosen = [names[a] for a in mdp.pair_action[begin : int(ptr[-1])][kept].tolist()]
    ends = np.append(0, np.cumsum(kept))[ptr - begin].tolist()
    return [chosen[a:b] for a, b in itertools.pairwise(ends)]


def _policy_entry(mdp: MDP, policy: Policy) -> tuple[Any, str | None]:
    """The policy by names, and "float64" where its probabilities are floats."""
    if policy.timed:
        steps = len(policy.weights) if policy.rows is None else len(policy.rows)
        made = [_policy_entry(mdp, policy.at(t)) for t in range(steps)]
        flat = [[x for block in entry.blocks for x in block] for entry, _ in made]
        return flat, made[0][1] if made else None
    if policy.rows is not None:
        rows, names = policy.rows, [*mdp.actions, None]
        return Blocks(_actions(mdp, rows[first:last], names) for first, last in _blocks(mdp.S)), None
    weights, exact = policy.weights, policy.exact

    def probabilities(first: int, last: int) -> list[dict[str, Any] | None]:
        ptr = mdp.pair_ptr[first : last + 1].tolist()
        begin, end, names = ptr[0], ptr[-1], list(mdp.actions)
        actions = [names[a] for a in mdp.pair_action[begin:end].tolist()]
        probs: list[Any] = weights[begin:end].tolist()
        if exact is not None:
            probs = [spell(exact[i]) for i in range(begin, end)]
        return [
            dict(zip(actions[a - begin : b - begin], probs[a - begin : b - begin], strict=True)) or None
            for a, b in itertools.pairwise(ptr)
        ]

    return Blocks(probabilities(*ends) for ends in _blocks(mdp.S)), None if exact is not None else "float64"


def _actions(mdp: MDP, rows: NDArray[Any], names: list[Any]) -> list[Any]:
    """The names of the actions of rows; the last of `names` where a row is -1."""
    actions = np.where(rows >= 0, mdp.pair_action[np.maximum(rows, 0)], -1) if mdp.L else rows
    return [names[a] for a in actions.tolist()]


def q_entry(mdp: MDP, q: Floats) -> Any:
    """For each state the value of each action by name, from q (L,) or (T, L): then one list a time step."""
    names = list(mdp.actions)

    def rows(q: Floats, first: int, last: int) -> list[dict[str, float]]:
        ptr = mdp.pair_ptr[first : last + 1]
        begin, ends = int(ptr[0]), (ptr - ptr[0]).tolist()
        actions = [names[a] for a in mdp.pair_action[begin : int(ptr[-1])].tolist()]
        values = q[begin : int(ptr[-1])].tolist()
        return [dict(zip(actions[a:b], values[a:b], strict=True)) for a, b in itertools.pairwise(ends)]

    if q.ndim == 2:
        return [rows(row, 0, mdp.S) for row in q]
    return Blocks(rows(q, first, min(first + BLOCK, mdp.S)) for first in range(0, mdp.S, BLOCK))


def json_parts(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a document as JSON text, in ASCII, a key a line; infinities are null.

    >>> print("".join(json_parts({"bound": math.inf, "v": np.array([1.5])})), end="")
    {
      "bound": null,
      "v": [1.5]
    }
    """
    yield "{"
    for at, (key, value) in enumerate(document.items()):
        yield f"{',' * (at > 0)}\n  {json.dumps(key)}: "
        yield from _value_parts(value)
    yield "\n}\n"


def _value_parts(value: Any) -> Iterator[str]:
    """Yield a value as JSON text, in pieces between which a signal is heard."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = _array(value)
    if isinstance(value, Blocks):
        yield "["
        first = True
        for block in value.blocks:
            if block:
                yield (", " * (not first)) + _json(block)[1:-1]
                first = False
        yield "]"
    elif (isinstance(value, np.ndarray) and value.ndim > 1) or (
        isinstance(value, list) and value and isinstance(value[0], list)
    ):
        yield "["
        for at, row in enumerate(value):
            yield ", " * (at > 0)
            yield from _value_parts(row)
        yield "]"
    else:
        yield _json(value)


def _json(value: Any) -> str:
    try:  # which is ten times as quick, where all is plain
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps(_plain(value), allow_nan=False)


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it: infinities and NaN as null, arrays as lists, fractions as text."""
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Fraction):
        return spell(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(x) for k, x in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(x) for x in value]
    return value


def csv_parts(solution: Solution) -> Iterator[str]:
    """Yield an answer as CSV: [time,]state,value[,lower,upper][,action]."""
    mdp, timed = solution.mdp, solution.v.ndim == 2
    policy = solution.policy if solution.policy is not None and solution.policy.rows is not None else None
    interval = solution.lower is not None and solution.upper is not None
    yield (
        ",".join(
            ["time"] * timed
            + ["state", "value"]
            + ["lower", "upper"] * interval
            + ["action"] * (policy is not None)
        )
        + "\n"
    )
    v = np.atleast_2d(solution.v)
    columns, names = [v], [*mdp.actions, ""]
    if solution.lower is not None and solution.upper is not None:
        columns += [np.atleast_2d(solution.lower), np.atleast_2d(solution.upper)]
    for t in range(len(v)):
        rows = None
        if policy is not None and policy.rows is not None and t < (len(v) - timed):
            rows = policy.at(t).rows
        for first, last in _blocks(mdp.S):
            lines: list[list[Any]] = [[t] * (last - first)] if timed else []
            lines.append(list(mdp.states[first:last]))
            lines += [[_number_text(x) for x in column[t, first:last].tolist()] for column in columns]
            if policy is not None:
                here = np.full(last - first, -1) if rows is None else rows[first:last]
                lines.append(_actions(mdp, here, names))
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(zip(*lines, strict=True))
            yield text.getvalue()


def q_csv(solution: Solution, more: Mapping[str, NDArray[Any]] | None = None) -> Iterator[str]:
    """Yield [time,]state,value[,lower,upper][,...],action,probability,q: a line an action, one for a terminal state.

    `more` are further columns, numbers by state (S,) or (T, S).
    """
    mdp, timed, policy = solution.mdp, solution.v.ndim == 2, solution.policy
    v, q = np.atleast_2d(solution.v), np.atleast_2d(solution.q)
    columns = {"value": v}
    if solution.lower is not None and solution.upper is not None:
        columns |= {"lower": np.atleast_2d(solution.lower), "upper": np.atleast_2d(solution.upper)}
    columns |= {name: np.atleast_2d(x) for name, x in (more or {}).items()}
    header = ["time"] * timed + ["state", *columns, "action"] + ["probability"] * (policy is not None) + ["q"]
    yield ",".join(header) + "\n"
    for t in range(len(v)):
        now = policy.at(t) if policy is not None and policy.timed and t < len(q) else policy
        for first, last in _blocks(mdp.S):
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            for s in range(first, last):
                numbers = [x[t, s].item() if t < len(x) else 0 for x in columns.values()]
                begin = [t] * timed + [mdp.states[s]]
                begin += [_number_text(x) if isinstance(x, float) else x for x in numbers]
                rows = mdp.rows(s) if t < len(q) else range(0)
                for i in rows:
                    p = [] if now is None else [_probability_text(now, i)]
                    writer.writerow(
                        [*begin, mdp.actions[int(mdp.pair_action[i])], *p, _number_text(float(q[t, i]))]
                    )
                if not rows:
                    writer.writerow([*begin, ""] + [""] * (policy is not None) + [""])
            yield text.getvalue()


def _probability_text(policy: Policy, row: int) -> str:
    return spell(policy.exact[row]) if policy.exact is not None else spell_float(policy.weights[row])


def _number_text(x: float) -> str:
    return repr(x) if math.isfinite(x) else ""


# -- reading -------------------------------------------------------------------------------------------------------


class Spelled(str):
    """A number of a JSON file as it is spelled."""

    __slots__ = ()


def read_answer(path: str, mdp: MDP, policy_only: bool = False) -> Answer:
    """Return what an answer or policy file says about a model.

    Parameters
    ----------
    path : a JSON or CSV file, told apart by their first character; "-" is standard input
    mdp : the model that it answers
    policy_only : skip the values where the file names actions; they may be those of another horizon

    Raises
    ------
    ModelError : the file and line, and what was found and expected there
    """
    source = "<stdin>" if path == "-" else path
    try:
        with reporting():
            if path == "-":
                data = read_all(standard_input())
            else:
                if os.path.isdir(path):
                    raise ModelError("is a directory, expected an answer file (JSON or CSV)")
                with open(path, "rb") as file:
                    data = read_all(file)
        text = plain_ends(_decoded(data))
        if not text.strip():
            raise ModelError("empty, expected an answer (JSON or CSV)")
        read = _from_json if text.lstrip()[0] in "{[" else _from_csv
        answer = read(text, mdp, policy_only)
        if answer.values is None and answer.policy is None:
            raise ModelError("found neither values nor actions, expected some: a line for each state")
        return answer
    except ModelError as error:
        raise error.at(source) from None
    except OptionError as error:
        raise OptionError(f"{path_text(source)}: {error}") from None


def answer_of(mdp: MDP, values: Any) -> Answer:
    """Return values by state {name: number} or as an array (S,), (T + 1, S) for a horizon, as an answer without claims.

    >>> answer_of(MDP([[[1.0]]], [[1.0]], "1/2"), {"0": 2}).values.tolist()
    [2.0]
    """
    steps = 1 if mdp.horizon is None else mdp.horizon + 1
    if isinstance(values, Mapping) and mdp.horizon is None:
        table = _Table(mdp)
        for name, x in values.items():
            table.array[0, _state(mdp, name)] = _number(x, mdp.states[_state(mdp, name)])
        return Answer(table.done("value"))
    shape = (mdp.S,) if mdp.horizon is None else (steps, mdp.S)
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.zeros(())
    if array.shape != shape:
        found = f"shape {array.shape}" if array.ndim else type(values).__name__
        raise OptionError(f"answer: found {found}, expected values {shape}, a Solution or the path of a file")
    if not np.isfinite(array).all():
        s = int(np.argwhere(~np.isfinite(array))[0][-1])
        raise OptionError(f"answer: state {quoted(mdp.states[s])}: found no finite value, expected a number")
    return Answer(array)


def _number(x: Any, state: str) -> float:
    try:
        number = float(x)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise OptionError(f"answer: state {quoted(state)}: found {quoted(x)}, expected a finite number")
    return number


def _decoded(data: bytes) -> str:
    if not data:
        raise ModelError("empty, expected an answer (JSON or CSV)")
    return decode(data)


def _value(text: Any, place: Mapping[str, Any], what: str = "value", empty: float | None = None) -> float:
    """Return the double nearest to a number as it is spelled; `empty` where there is none."""
    if text is None or text == "":
        if empty is not None:
            return empty
        raise ModelError(Fault(f"found no {what}, expected a number", **place))
    if isinstance(text, str):
        try:
            if DECIMAL.fullmatch(text):
                number = float(text)
                if math.isfinite(number):
                    return number
            return nearest(fraction(text))
        except (ValueError, OverflowError):
            pass
    raise ModelError(Fault(f"found {what} {quoted(text)}, expected a finite number", **place))


class _Table:
    """Numbers by state, and by time step where there is a horizon, as they are read."""

    def __init__(self, mdp: MDP) -> None:
        self.mdp = mdp
        steps = 1 if mdp.horizon is None else mdp.horizon + 1
        size = steps * mdp.S * 8
        if size > 1 << 34:
            raise ModelError(
                f"{steps} time steps of {mdp.S} states: found {size >> 30} GB of values, the limit is 16 GB"
            )
        self.array = np.full((steps, mdp.S), math.nan)

    def done(self, what: str) -> Floats:
        """The array, complete; terminal states may be left out."""
        mdp = self.mdp
        if mdp.horizon is None:
            self.array[:, mdp.terminal & np.isnan(self.array[0])] = 0.0
        elif mdp.final_reward is None:
            self.array[-1][np.isnan(self.array[-1])] = 0.0
        missing = np.argwhere(np.isnan(self.array))
        if len(missing):
            names = ", ".join(quoted(mdp.states[int(s)]) for _, s in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise ModelError(f"found no {what} for {names}{more}, expected one for each of {self.array.size}")
        return self.array[0] if mdp.horizon is None else self.array


def _state(mdp: MDP, name: Any, line: int | None = None) -> int:
    at = mdp.states.find(str(name))
    if at is None and name == "":
        raise ModelError(Fault("state: found an empty cell, expected the name of a state", line=line))
    if at is None:
        raise ModelError(
            Fault(
                f"no such state in the model{closest(str(name), mdp.states[:10_000])}", str(name), line=line
            )
        )
    return at


def _from_csv(text: str, mdp: MDP, policy_only: bool = False) -> Answer:
    """[time,]state[,value][,lower,upper][,action[,probability]], the columns in any order."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    timed = mdp.horizon is not None
    try:
        lines = ((reader.line_num, line) for line in reader if any(line))
        line_number, header = next(lines)
        columns = [name.strip().lower() for name in header]
        while not columns[-1] and len(columns) > 1:  # a sheet fills its lines with empty cells
            columns.pop()
        if (
            "state" not in columns
            or not {"value", "action"} & set(columns)
            or len(set(columns)) < len(columns)
        ):
            shown = ", ".join(map(escape, header[:8]))
            raise ModelError(
                Fault(
                    f"found the columns {shown}; expected state and value, or state and action",
                    line=line_number,
                )
            )
        unknown = next((name for name in columns if name not in COLUMNS), None)
        if unknown is not None:
            begun = next((name for name in COLUMNS if unknown and name.startswith(unknown)), unknown)
            way_out = closest(begun, COLUMNS) or f", expected {', '.join(COLUMNS)}"
            raise ModelError(Fault(f"found the column {quoted(unknown)}{way_out}", line=line_number))
        if "time" in columns and not timed:
            raise ModelError(
                Fault("found a column time, expected none: the model has no horizon", line=line_number)
            )
        wanted = () if policy_only and "action" in columns else ("value", "lower", "upper")
        if "time" not in columns and timed and "value" in columns and wanted:
            raise ModelError(
                Fault("found no column time, expected one: the model has a horizon", line=line_number)
            )
        at = {name: columns.index(name) for name in COLUMNS if name in columns}
        tables = {name: _Table(mdp) for name in wanted if name in at}
        policies: dict[int, dict[str, Any]] = {}
        seen: dict[tuple[int, int], int] = {}
        for line_number, line in lines:
            if len(line) < len(columns) or any(line[len(columns) :]):
                raise ModelError(
                    Fault(f"found {len(line)} fields, expected {len(columns)}", line=line_number)
                )
            s = _state(mdp, line[at["state"]], line_number)
            place: dict[str, Any] = {"state": mdp.states[s], "line": line_number}
            t = _time(mdp, line[at["time"]], place) if "time" in at else 0
            twin = seen.setdefault((t, s), line_number)
            if twin != line_number and "probability" not in at:
                raise ModelError(Fault(f"found twice, first on line {twin}, expected once", **place))
            for name, table in tables.items():
                empty = None if name == "value" else -math.inf if name == "lower" else math.inf
                table.array[t, s] = _value(line[at[name]], place, name, empty)
            if "action" in at and line[at["action"]] != "":
                p = line[at["probability"]] if "probability" in at else None
                _add_action(policies.setdefault(t, {}), mdp, s, line[at["action"]], p, place)
    except StopIteration:
        raise ModelError("empty, expected an answer (JSON or CSV)") from None
    except csv.Error as error:
        raise ModelError(Fault(f"not valid CSV: {error}", line=reader.line_num)) from None
    found = {name: table.done(name) for name, table in tables.items()}
    policy = _policy_of(mdp, policies, "time" in at) if policies else None
    return Answer(found.get("value"), found.get("lower"), found.get("upper"), policy)


def _time(mdp: MDP, text: str, place: Mapping[str, Any]) -> int:
    T = mdp.horizon or 0
    if text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= T:
        return int(text)
    raise ModelError(Fault(f"found time {quoted(text)}, expected 0 to {T}", **place))


def _add_action(
    policy: dict[str, Any], mdp: MDP, s: int, action: Any, p: Any, place: Mapping[str, Any]
) -> None:
    a = mdp.actions.find(str(action))
    if a is None or a not in mdp.pair_action[mdp.pair_ptr[s] : mdp.pair_ptr[s + 1]]:
        known = [mdp.actions[int(mdp.pair_action[i])] for i in mdp.rows(s)]
        expected = ", ".join(map(quoted, known[:8])) or "none, since the state is terminal"
        raise ModelError(
            Fault(
                f"found action {quoted(action)}, expected {'one of ' * (len(known) > 1)}{expected}", **place
            )
        )
    state = mdp.states[s]
    if p is None:
        policy[state] = str(action)
        return
    row = policy.setdefault(state, {})
    if str(action) in row:
        raise ModelError(Fault(f"found action {quoted(action)} twice, expected once", **place))
    row[str(action)] = p


def _policy_of(mdp: MDP, policies: Mapping[int, Mapping[str, Any]], timed: bool) -> Policy:
    """Return the policy of entries {time: {state: action, or {action: probability}}}."""
    made = []
    for t in range(mdp.horizon or 0) if timed else (0,):
        entries = policies.get(t, {})
        if all(isinstance(x, str) for x in entries.values()):
            made.append(Policy.of_actions(mdp, entries))
        else:
            made.append(Policy.of_probs(mdp, entries))
    if not timed:
        return made[0]
    if all(p.rows is not None for p in made):
        return Policy(mdp, rows=np.stack([p.rows for p in made if p.rows is not None]))
    return Policy(mdp, probs=np.stack([p.weights for p in made]))


def _from_json(text: str, mdp: MDP, policy_only: bool = False) -> Answer:
    document = read_json(text, Spelled)
    if not isinstance(document, dict):
        raise ModelError("found a JSON array, expected an object")
    if "schema" in document or "version" in document:
        if document.get("schema") != SCHEMA:
            raise ModelError(f"found schema {quoted(document.get('schema'))}, expected {quoted(SCHEMA)}")
        if document.get("version") != str(VERSION):
            raise ModelError(
                f"found version {quoted(document.get('version'))}, expected {VERSION}, which this program reads"
            )
    elif not {"values", "policy"} & set(document):
        # {"young": "wait", ...} is a policy, {"young": 26.2, ...} are values.
        plain = all(isinstance(x, Spelled) for x in document.values())
        document = {"values": document} if plain and document else {"policy": document}
    task = document.get("task", "control")
    if task not in ("control", "prediction"):
        raise ModelError(f"task: found {quoted(task)}, expected 'control' or 'prediction'")
    digest = document.get("digest")
    if digest is not None and not isinstance(digest, str):
        raise ModelError(f"digest: found {quoted(digest)}, expected a text")
    order = _order(document.get("states"), mdp)
    policy = None
    if document.get("policy") is not None:
        policy = _json_policy(document["policy"], mdp, order, document.get("numbers") == "float64")
    if policy_only and policy is not None:
        return Answer(None, policy=policy, task=task, digest=digest)
    found = {
        key: _numbers(document[key], key, mdp, order)
        for key in ("values", "lower", "upper")
        if document.get(key) is not None
    }
    exact = None
    if document.get("exact") is not None:
        exact = _fractions(document["exact"], mdp, order)
    bound = None if document.get("bound") is None else _value(document["bound"], {}, "bound")
    claims = tuple(key for key in CLAIMS if document.get(key) is not None)
    return Answer(
        found.get("values"),
        found.get("lower"),
        found.get("upper"),
        policy,
        task,
        digest,
        exact,
        bound,
        claims,
    )


def _order(states: Any, mdp: MDP) -> list[int] | None:
    """Where in the model the entries of lists stand; None for its own order."""
    if states is None:
        return None
    if not isinstance(states, list):
        raise ModelError("states: expected a list of names")
    order = [_state(mdp, name) for name in states]
    if len(set(order)) < len(order):
        raise ModelError("states: found a name twice, expected each once")
    return order


def _by_state(entries: Any, what: str, mdp: MDP, order: list[int] | None) -> Iterator[tuple[int, Any]]:
    """Yield (state, entry) of a list in order, or of a mapping by name."""
    if isinstance(entries, dict):
        for name, entry in entries.items():
            yield _state(mdp, name), entry
    elif isinstance(entries, list):
        expected = mdp.S if order is None else len(order)
        if len(entries) != expected:
            raise ModelError(f"{what}: found {len(entries)} entries, expected {expected}, one for each state")
        yield from zip(range(mdp.S) if order is None else order, entries, strict=True)
    else:
        raise ModelError(f"{what}: expected a list, or an object by names of states")


def _steps(entries: Any, what: str, mdp: MDP, steps: int) -> list[Any]:
    if mdp.horizon is None:
        return [entries]
    if not isinstance(entries, list) or len(entries) != steps:
        found = f"{len(entries)} entries" if isinstance(entries, list) else "an object"
        raise ModelError(f"{what}: found {found}, expected a list of {steps} time steps")
    return entries


def _numbers(entries: Any, what: str, mdp: MDP, order: list[int] | None) -> Floats:
    table = _Table(mdp)
    empty = {"lower": -math.inf, "upper": math.inf}.get(what)
    for t, step in enumerate(_steps(entries, what, mdp, (mdp.horizon or 0) + 1)):
        for s, x in _by_state(step, what, mdp, order):
            table.array[t, s] = _value(x, {"state": mdp.states[s]}, what.removesuffix("s"), empty)
    return table.done(what.removesuffix("s"))


def _fractions(entries: Any, mdp: MDP, order: list[int] | None) -> tuple[Fraction, ...]:
    """The exact values, those of one time step after those of the other."""
    out: list[Fraction] = []
    for step in _steps(entries, "exact", mdp, (mdp.horizon or 0) + 1):
        row = dict.fromkeys(np.flatnonzero(mdp.terminal).tolist(), Fraction(0))
        for s, x in _by_state(step, "exact", mdp, order):
            try:
                row[s] = long_fraction(x)
            except (ValueError, OverflowError, TypeError):
                raise ModelError(
                    Fault(f"found exact value {quoted(x)}, expected a fraction", state=mdp.states[s])
                ) from None
        if len(row) < mdp.S:
            raise ModelError(f"exact: found {len(row)} values, expected {mdp.S}, one for each state")
        out += [row[s] for s in range(mdp.S)]
    return tuple(out)


def _json_policy(entries: Any, mdp: MDP, order: list[int] | None, floats: bool) -> Policy:
    timed = (
        mdp.horizon is not None
        and isinstance(entries, list)
        and bool(entries)
        and isinstance(entries[0], (list, dict))
    )
    if timed and isinstance(entries[0], dict) and not set(entries[0]) <= set(mdp.states):
        timed = False  # one object a state: its keys are actions
    policies: dict[int, dict[str, Any]] = {}
    for t, step in enumerate(_steps(entries, "policy", mdp, mdp.horizon or 0) if timed else [entries]):
        chosen = policies.setdefault(t, {})
        for s, entry in _by_state(step, "policy", mdp, order):
            place: dict[str, Any] = {"state": mdp.states[s]}
            if isinstance(entry, dict):
                for action, p in entry.items():
                    if not isinstance(p, str):
                        raise ModelError(Fault(f"found probability {quoted(p)}, expected a number", **place))
                    number: Any = _value(p, place, "probability") if floats else p
                    _add_action(chosen, mdp, s, action, number, place)
            elif isinstance(entry, str) and not isinstance(entry, Spelled):
                _add_action(chosen, mdp, s, entry, None, place)
            elif entry is not None:
                raise ModelError(Fault(f"found {quoted(entry)}, expected the name of an action", **place))
    return _policy_of(mdp, policies, timed)
