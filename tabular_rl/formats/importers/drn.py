"""DRN, the explicit files of Storm: a header of @keys, then states, their actions, and a line for each transition.

    state 0 [REWARDS] LABEL ...
    //[x=1 & y=0]                  the values of its variables: a remark, which Storm writes and does not read
        action NAME [REWARDS]
            1 : 0.5

A file that this package wrote begins with MARK. Remarks in it hold what DRN has no place for: `// key = value` in TOML
at the top, and where rewards belong to outcomes a line `//  1 : 0.5 [REWARD]` for each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, escape, quoted
from tabular_rl.formats.fields import Asked, Reader
from tabular_rl.formats.importers.columns import Column, column_of, looks_exact, many_texts, whole_numbers
from tabular_rl.formats.importers.explicit import Explicit, Rewards, head_of, model_of
from tabular_rl.formats.importers.hidden import with_hidden
from tabular_rl.formats.input import plain_ends, text_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rows import Ints

MARK = "// Exported by tabular-rl"
NO_LABEL = "__NOLABEL__"
TIMES = 40  # bytes that are needed for a byte of text
KEY = re.compile(r"// ([a-z_]+ = .*)")
STATE = re.compile(r"state ([0-9]+)(?: +\[([^\]]*)\])?(?: +(.*))?")
ACTION = re.compile(r"action (\S+)(?: +\[([^\]]*)\])?")
LABELS = re.compile(r'"([^"]+)"|([^\s"]+)')
HIDDEN = re.compile(r"//\t\t([0-9]+) : (\S+)(?: \[(\S+)\])?")
REFUSED = {
    "CTMC": "a model in continuous time, expected DTMC or MDP",
    "MARKOV AUTOMATON": "a model in continuous time, expected DTMC or MDP",
    "MA": "a model in continuous time, expected DTMC or MDP",
    "POMDP": "a partially observable model, expected DTMC or MDP. Write MDP and leave out the observations {...} for "
    "the one where the state is seen",
    "SMG": "a game, expected DTMC or MDP",
    "S2PG": "a game, expected DTMC or MDP",
}
CONSTANTS = "Give them values: 'storm --prism model.pm --constants p=0.5 --exportbuild model.drn'"
VALUES = {
    "parametric": f"values with parameters, expected numbers. {CONSTANTS}",
    "double-interval": "intervals of probabilities, expected numbers",
    "rational-interval": "intervals of probabilities, expected numbers",
}


@many_texts()
def read_drn(file: BinaryIO, asked: Asked) -> MDP:
    """Return the model of a DRN file; ModelError with the line of a fault.

    Parameters
    ----------
    file : open binary file
    asked : what the caller asks for; gamma, where the file does not have it

    Returns
    -------
    MDP

    Raises
    ------
    ModelError : what is wrong, with its line; a kind of model that is none of DTMC and MDP
    """
    lines = plain_ends(text_of(file, TIMES)).split("\n")
    top = _Top(lines)
    reader = Reader(asked)
    head = head_of(reader, top.keys, "Storm")
    body = _Body(lines, top)
    if not top.own:
        reader.exact = top.exact if top.exact is not None else looks_exact(body.texts())
    if reader.faults:
        raise ModelError(reader.faults)
    return model_of(body.explicit(reader.exact, _index(head, top)), reader, head)


def _index(head: Any, top: _Top) -> list[str] | None:
    """Return the names of actions where the file has their numbers."""
    spot = head.top.get("labels")
    return list(head.actions or ()) if top.own and spot is not None and spot.value == "index" else None


def refuse(what: str, at: int) -> ModelError:
    """Return the error of a line; `at` counts from 0."""
    return ModelError(Fault(what, line=at + 1))


class _Top:
    """The header: what stands above the line @model."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.own = lines[0].startswith(MARK)
        self.keys: list[str] = []
        self.given: dict[str, str] = {}
        self.exact: bool | None = None
        self.places: dict[str, str] = {}  # placeholders
        at = 0
        while True:
            if at >= len(lines):
                raise ModelError("found no line @model, expected the header of DRN and @model below it")
            line = lines[at].strip()
            key = KEY.fullmatch(line) if self.own else None
            self.keys.append(key[1] if key else "")
            if line == "@model":
                break
            at = self._line(lines, at, line)
        self.after = at + 1
        self._check()

    def _line(self, lines: Sequence[str], at: int, line: str) -> int:
        """Read a line of the header; the number of the next one."""
        if not line or line.startswith("//"):
            return at + 1
        if not line.startswith("@"):
            raise refuse(f"found {quoted(line)}, expected a key such as @type: MDP", at)
        name, colon, value = line[1:].partition(":")
        if name in self.given:
            raise refuse(f"found @{escape(name)} twice, expected once", at)
        if colon:
            if name not in ("type", "value_type"):
                raise refuse(f"found @{escape(name)}:, expected @type: or @value_type:", at)
            self.given[name] = value.strip()
            self._check_kind(name, at)
            return at + 1
        if name == "placeholders":
            self.given[name] = ""
            return self._placeholders(lines, at + 1)
        if name not in ("parameters", "reward_models", "nr_states", "nr_choices"):
            raise refuse(
                f"found @{escape(name)}, expected @type:, @reward_models, @nr_states, @nr_choices or @model",
                at,
            )
        self.given[name] = lines[at + 1].strip() if at + 1 < len(lines) else ""
        if name == "parameters" and self.given[name]:
            raise refuse(
                f"found parameters {quoted(self.given[name])}, expected numbers. {CONSTANTS}",
                at + 1,
            )
        if name.startswith("nr_"):
            whole_numbers([self.given[name]], [at + 2], f"@{name}", 2**40)
        self.keys.append("")
        return at + 2

    def _placeholders(self, lines: Sequence[str], at: int) -> int:
        while at < len(lines) and not lines[at].startswith("@"):
            name, colon, value = lines[at].partition(":")
            if not colon or not name.startswith("$"):
                raise refuse(f"found {quoted(lines[at])}, expected $NAME : VALUE", at)
            self.places[name.strip()] = value.strip()
            self.keys.append("")
            at += 1
        return at

    def _check_kind(self, name: str, at: int) -> None:
        value = self.given[name]
        if name == "value_type":
            if value in VALUES:
                raise refuse(f"found {VALUES[value]}", at)
            if value not in ("double", "rational"):
                raise refuse(f"found @value_type: {quoted(value)}, expected double or rational", at)
            self.exact = value == "rational"
        elif value.upper() in REFUSED:
            raise refuse(f"found @type: {value.upper()}, {REFUSED[value.upper()]}", at)
        elif value.upper() not in ("DTMC", "MDP"):
            raise refuse(f"found @type: {quoted(value)}, expected DTMC or MDP", at)

    def _check(self) -> None:
        for name in ("type", "nr_states"):
            if name not in self.given:
                raise refuse(f"found no @{name}, expected it above @model", self.after - 1)
        self.states = int(self.given["nr_states"])
        self.choices = int(self.given["nr_choices"]) if "nr_choices" in self.given else None
        self.rewards = self.given.get("reward_models", "").split()


class _Kinds(NamedTuple):
    """The lines below @model by their kind, as places in the file."""

    state: Ints
    action: Ints
    outcome: Ints
    remark: Ints


class _Body:
    """What stands below @model, as texts."""

    def __init__(self, lines: list[str], top: _Top) -> None:
        self.top, self.lines = top, lines
        self.kinds = _kinds(lines, top.after)
        kinds = self.kinds
        self.state = [self._parts(STATE, at, "state NUMBER [REWARDS] LABELS") for at in kinds.state.tolist()]
        self.action = [self._parts(ACTION, at, "action NAME [REWARDS]") for at in kinds.action.tolist()]
        self._check_states()
        self.owner = np.searchsorted(kinds.state, kinds.action) - 1
        self._check_order()
        if top.choices is not None and top.choices != len(kinds.action):
            raise ModelError(
                f"found {len(kinds.action)} actions, expected {top.choices} as @nr_choices says. Is it cut off?"
            )
        self.of = np.searchsorted(kinds.action, kinds.outcome) - 1  # the choice of each transition
        self.to, self.prob = self._outcomes()

    def _parts(self, form: re.Pattern[str], at: int, expected: str) -> re.Match[str]:
        found = form.fullmatch(self.lines[at].strip())
        if found is None:
            raise refuse(f"found {quoted(self.lines[at].strip())}, expected {expected}", at)
        return found

    def _check_states(self) -> None:
        line = (self.kinds.state + 1).tolist()
        number = whole_numbers([found[1] for found in self.state], line, "state")
        wrong = np.flatnonzero(number != np.arange(len(number)))
        if wrong.size:
            i = int(wrong[0])
            raise refuse(f"found state {number[i]}, expected {i}: states stand in their order", line[i] - 1)
        if len(number) != self.top.states:
            raise ModelError(
                f"found {len(number)} states, expected {self.top.states} as @nr_states says. Is it cut off?"
            )
        if not len(number):
            raise ModelError("no states: found 0, expected at least 1")

    def _check_order(self) -> None:
        """Check that what stands below the states and the actions belongs to one."""
        kinds = self.kinds
        for at in kinds.action[self.owner < 0][:1].tolist():
            raise refuse("found an action before the first state, expected a state", at)
        block = np.sort(np.concatenate([kinds.state, kinds.action]))
        last = np.searchsorted(block, kinds.outcome) - 1
        opened = np.isin(block, kinds.action, assume_unique=True)
        for at in kinds.outcome[(last < 0) | ~opened[last]][:1].tolist():
            raise refuse("found a transition without an action, expected a line `action NAME` above it", at)

    def _outcomes(self) -> tuple[list[str], list[str]]:
        at = self.kinds.outcome.tolist()
        pairs = [self.lines[i].split(":") for i in at]
        if any(len(pair) != 2 for pair in pairs):
            i = next(i for i, pair in enumerate(pairs) if len(pair) != 2)
            found = self.lines[at[i]].strip()
            raise refuse(f"found {quoted(found)}, expected a transition such as 3 : 0.5", at[i])
        return [to.strip() for to, _ in pairs], self._values([p.strip() for _, p in pairs])

    def _values(self, texts: list[str]) -> list[str]:
        """Return numbers with those in the place of placeholders."""
        return [self.top.places.get(text, text) for text in texts] if self.top.places else texts

    def texts(self) -> list[str]:
        """Return all numbers, to see how they are written."""
        rewards = [found[2] for found in (*self.state, *self.action) if found[2]]
        return [*self.prob, *rewards]

    def explicit(self, exact: bool, index: list[str] | None) -> Explicit:
        """Return the model."""
        line = self.kinds.outcome + 1
        S, C = self.top.states, len(self.action)
        to = whole_numbers(self.to, line.tolist(), "next state", S)
        prob = column_of(self.prob, line.tolist(), exact, "probability")
        found = Explicit(
            S,
            self.owner,
            self._labels(index),
            np.append(0, np.cumsum(np.bincount(self.of, minlength=C))),
            to,
            prob,
            self._rewards(exact),
            self._marks(),
            self._names(),
            line,
            self.top.own,
        )
        if self.top.own:
            self._hide(found, exact)
        return found

    def _hide(self, found: Explicit, exact: bool) -> None:
        """Read the outcomes that stand in remarks."""
        hidden = [
            (at, match)
            for at in self.kinds.remark.tolist()
            if self.lines[at].startswith("//\t") and (match := HIDDEN.fullmatch(self.lines[at]))
        ]
        if not hidden:
            return
        at = np.array([at for at, _ in hidden])
        line = (at + 1).tolist()
        to = whole_numbers([match[1] for _, match in hidden], line, "next state", found.S)
        prob = column_of([match[2] for _, match in hidden], line, exact, "probability")
        rewards = [match[3] for _, match in hidden]
        given = [x for x in rewards if x is not None]
        if given and len(given) < len(rewards):
            raise refuse("found no reward, expected one as other remarks have", int(at[rewards.index(None)]))
        of = np.searchsorted(self.kinds.action, at) - 1
        if (of < 0).any():
            raise refuse("found an outcome before the first action, expected it below one", int(at[0]))
        with_hidden(found, of, to, prob, column_of(given, line, exact, "reward") if given else None, at + 1)

    def _labels(self, index: list[str] | None) -> list[str | None]:
        labels = [None if found[1] == NO_LABEL else found[1] for found in self.action]
        if index is None:
            return list(labels)
        line = (self.kinds.action + 1).tolist()
        at = [(label, n) for label, n in zip(labels, line, strict=True) if label is not None]
        numbers = iter(whole_numbers([a for a, _ in at], [n for _, n in at], "action", len(index)).tolist())
        return [None if label is None else index[next(numbers)] for label in labels]

    def _marks(self) -> dict[str, list[int]]:
        marks: dict[str, list[int]] = {}
        for s, found in enumerate(self.state):
            if found[3]:
                for match in LABELS.finditer(found[3]):
                    marks.setdefault(match[1] or match[2], []).append(s)
        return marks

    def _names(self) -> list[str] | None:
        """Return what stands as //[...] below each state, if it does below all."""
        names = []
        for at in (self.kinds.state + 1).tolist():
            line = self.lines[at] if at < len(self.lines) else ""
            if not (line.startswith("//[") and line.endswith("]")):
                return None
            names.append(line[3:-1].replace("\t& ", ","))
        return names

    def _rewards(self, exact: bool) -> dict[str, Rewards]:
        """Return the reward models: of states and of choices."""
        of_states = self._split(self.state, self.kinds.state)
        of_choices = self._split(self.action, self.kinds.action)
        width = max(len(of_states), len(of_choices))
        names = self.top.rewards + [f"rew{i}" for i in range(len(self.top.rewards), width)]
        if self.top.rewards and width > len(self.top.rewards):
            raise ModelError(
                f"found {width} rewards in a line, expected {len(self.top.rewards)} as @reward_models says"
            )
        if len(set(names)) < len(names):
            raise ModelError(f"@reward_models: found {quoted(' '.join(names))}, expected distinct names")

        def column(split: list[list[str]], kind: Ints, i: int) -> Column | None:
            if i >= len(split):
                return None
            return column_of(split[i], (kind + 1).tolist(), exact, "reward")

        return {
            name: Rewards(column(of_states, self.kinds.state, i), column(of_choices, self.kinds.action, i))
            for i, name in enumerate(names)
        }

    def _split(self, found: list[re.Match[str]], at: Ints) -> list[list[str]]:
        """Return the rewards of lines, a list for each reward model; what is not given is 0."""
        if not any(match[2] for match in found):
            return []
        parts = [
            self._values([x.strip() for x in match[2].split(",")]) if match[2] else [] for match in found
        ]
        width = max(map(len, parts))
        for i, part in enumerate(parts):
            if part and len(part) < width:
                raise refuse(f"found {len(part)} rewards, expected {width} as in other lines", int(at[i]))
        return [[part[i] if part else "0" for part in parts] for i in range(width)]


def _kinds(lines: list[str], after: int) -> _Kinds:
    """Return the lines from `after` on by their kind; ModelError where one is of none."""
    first = np.array([line.lstrip()[:1] for line in lines[after:]], dtype="U1")
    remark: NDArray[np.bool_] = first == "/"
    state, action = first == "s", first == "a"
    outcome = (first >= "0") & (first <= "9")
    for at in np.flatnonzero(~(state | action | outcome | remark | (first == "")))[:1].tolist():
        what = quoted(lines[after + at].strip())
        raise refuse(
            f"found {what}, expected a state, an action, or a transition such as 3 : 0.5", after + at
        )
    return _Kinds(*(np.flatnonzero(mask) + after for mask in (state, action, outcome, remark)))
