"""The files beside a .tra: labels, names of states, rewards."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from tabular_rl.errors import Fault, ModelError, escape, path_text, quoted
from tabular_rl.formats.importers.columns import Column, column_of, whole_numbers
from tabular_rl.formats.importers.explicit import Explicit
from tabular_rl.formats.input import open_file, plain_ends, reporting, text_of
from tabular_rl.model.rows import Ints

TIMES = 40
REWARD = re.compile(r'# Reward structure:? *"([^"]*)" *')
LABEL = re.compile(r'([0-9]+)="([^"]+)"')
OF_STATES, OF_TRANSITIONS = (".srew", ".rews"), (".trew", ".rewt")


@contextmanager
def _of(path: str) -> Iterator[None]:
    """Put the name of a file into the errors of reading it."""
    with reporting(path):
        yield


def _lines(path: str) -> list[str]:
    with _of(path):
        return plain_ends(text_of(open_file(path), TIMES)).split("\n")


def _is_number(text: str, stem: str) -> bool:
    """Whether PRISM numbers a file of one of several reward structures: model1.srew, where there is no model1.tra."""
    return not text or (re.fullmatch("[0-9]{1,4}", text) is not None and not os.path.exists(f"{stem}.tra"))


@dataclass
class Siblings:
    """The files of the same stem as a .tra."""

    names: str | None = None
    labels: str | None = None
    parts: list[tuple[str, str]] = field(default_factory=list)  # path, what follows the stem in its name

    @classmethod
    def of(cls, path: str | None) -> Siblings:
        """Return the files beside one of a name; none where it has none."""
        found = cls()
        if path is None:
            return found
        folder, base = os.path.split(path)
        stem = os.path.splitext(base)[0]
        for name in sorted(os.listdir(folder or ".")):
            rest, suffix = os.path.splitext(name)
            if not rest.startswith(stem):
                continue
            number, there = rest[len(stem) :], os.path.join(folder, name)
            if suffix == ".sta" and not number:
                found.names = there
            elif suffix == ".lab" and not number:
                found.labels = there
            elif suffix in OF_STATES + OF_TRANSITIONS and _is_number(number, os.path.join(folder, rest)):
                found.parts.append((there, number))
        return found

    @property
    def files(self) -> list[str]:
        """The paths of all."""
        return [x for x in (self.names, self.labels) if x is not None] + [path for path, _ in self.parts]

    def rewards(self) -> list[Beside]:
        """Return the reward files, each with the name of its reward model."""
        return [Beside.of(path, number) for path, number in self.parts]


@dataclass
class Beside:
    """A file of rewards."""

    path: str
    name: str
    of_states: bool
    words: list[list[str]]
    line: list[int]
    sizes: list[str]

    @property
    def values(self) -> list[str]:
        """The rewards as texts."""
        return [row[-1] for row in self.words]

    @classmethod
    def of(cls, path: str, number: str) -> Beside:
        """Return what a file holds, in words; `number` is its name where it does not tell one."""
        lines = _lines(path)
        name = next((match[1] for text in lines[:10] if (match := REWARD.fullmatch(text))), "")
        words = [text.split() for text in lines]
        kept = [i for i, row in enumerate(words) if row and not row[0].startswith("#")]
        if not kept:
            raise ModelError("found no line, expected STATES ENTRIES at the top", path)
        of_states = path.endswith(OF_STATES)
        made = cls(
            path,
            name or number or "reward",
            of_states,
            [words[i] for i in kept[1:]],
            [i + 1 for i in kept[1:]],
            words[kept[0]],
        )
        with _of(path):
            sizes = whole_numbers(made.sizes, [kept[0] + 1] * len(made.sizes), "size", 2**40)
            if not 2 <= len(sizes) <= 3:
                raise ModelError(
                    Fault(f"found {len(sizes)} sizes, expected STATES ENTRIES", line=kept[0] + 1)
                )
            if int(sizes[-1]) != len(made.words):
                found = f"found {len(made.words)} rewards, expected {int(sizes[-1])} as the first line says."
                raise ModelError(f"{found} Is it cut off?")
        return made

    def _columns(self, n: int, form: str) -> list[list[str]]:
        for row, line in zip(self.words, self.line, strict=True):
            if len(row) != n:
                raise ModelError(Fault(f"found {quoted(' '.join(row))}, expected {form}", line=line))
        return [[row[i] for row in self.words] for i in range(n)]

    def state_rewards(self, S: int, exact: bool) -> Column:
        """Return the rewards of all states (S,)."""
        with _of(self.path):
            state, reward = self._columns(2, "STATE REWARD")
            at = whole_numbers(state, self.line, "state", S)
            return _spread(at, column_of(reward, self.line, exact, "reward"), S, self.line, exact)

    def transition_rewards(self, found: Explicit, choices: bool, exact: bool) -> Column:
        """Return the rewards of all transitions (K,), in their order."""
        with _of(self.path):
            form = "STATE CHOICE NEXT REWARD" if choices else "STATE NEXT REWARD"
            columns = self._columns(4 if choices else 3, form)
            state = whole_numbers(columns[0], self.line, "state", found.S)
            to = whole_numbers(columns[-2], self.line, "next state", found.S)
            of = np.searchsorted(found.owner, state)
            if choices:
                of = of + whole_numbers(columns[1], self.line, "choice", 2**40)
            reward = column_of(columns[-1], self.line, exact, "reward")
            C = len(found.owner)
            there = of < C
            there[there] = found.owner[of[there]] == state[there]
            own = np.arange(C).repeat(np.diff(found.row_ptr)) * found.S + found.next_state
            order = np.argsort(own, kind="stable")
            key = of * found.S + to
            at = np.minimum(np.searchsorted(own, key, sorter=order), max(len(own) - 1, 0))
            there &= (own[order[at]] == key) if len(own) else False
            for i in np.flatnonzero(~there)[:1].tolist():
                what = f"found {quoted(' '.join(self.words[i]))}, expected a transition of the .tra file"
                raise ModelError(Fault(what, line=self.line[i]))
            return _spread(order[at], reward, len(own), self.line, exact)


def _spread(at: Ints, given: Column, n: int, line: list[int], exact: bool) -> Column:
    """Return n numbers: those that are given at their places, 0 elsewhere."""
    first = np.zeros(n, dtype=np.int64)
    np.add.at(first, at, 1)
    for i in np.flatnonzero(first[at] > 1)[:1].tolist():
        again = [line[k] for k in np.flatnonzero(at == at[i]).tolist()]
        raise ModelError(
            Fault(f"found a second reward, first on line {again[0]}, expected one", line=again[1])
        )
    both = Column.joined([Column.zero(n, exact), given])
    code = both.code[:n].copy()
    code[at] = both.code[n:]
    return Column(code, both.values)


def read_labels(path: str, S: int) -> dict[str, list[int]]:
    """Return the states of each label of a .lab file, in the form of PRISM or of Storm."""
    lines = _lines(path)
    with _of(path):
        kept = [(i + 1, text.strip()) for i, text in enumerate(lines) if text.strip()]
        if any(text == "#DECLARATION" for _, text in kept):
            return _storm_labels(kept, S)
        kept = [(line, text) for line, text in kept if not text.startswith("#")]
        if not kept:
            raise ModelError('found no labels, expected a line such as 0="init" 1="deadlock"')
        top = LABEL.findall(kept[0][1])
        if LABEL.sub("", kept[0][1]).strip() or not top:
            what = f'found {quoted(kept[0][1])}, expected labels such as 0="init" 1="deadlock"'
            raise ModelError(Fault(what, line=kept[0][0]))
        label_of = {number: name for number, name in top}
        marks: dict[str, list[int]] = {name: [] for _, name in top}
        for line, text in kept[1:]:
            state, _, numbers = text.partition(":")
            s = int(whole_numbers([state.strip()], [line], "state", S)[0])
            for number in numbers.split():
                if number not in label_of:
                    raise ModelError(
                        Fault(f"found label {quoted(number)}, expected a number of the first line", line=line)
                    )
                marks[label_of[number]].append(s)
        return marks


def _storm_labels(kept: list[tuple[int, str]], S: int) -> dict[str, list[int]]:
    texts = [text for _, text in kept]
    if texts[0] != "#DECLARATION" or "#END" not in texts:
        raise ModelError(
            Fault("found no lines #DECLARATION and #END, expected the labels between them", line=kept[0][0])
        )
    end = texts.index("#END")
    marks: dict[str, list[int]] = {name: [] for text in texts[1:end] for name in text.split()}
    for line, text in kept[end + 1 :]:
        state, *names = text.split()
        s = int(whole_numbers([state], [line], "state", S)[0])
        for name in names:
            if name not in marks:
                raise ModelError(
                    Fault(f"found label {quoted(name)}, expected one that is declared", line=line)
                )
            marks[name].append(s)
    return marks


def read_names(path: str, S: int) -> list[str]:
    """Return the names of the states of a .sta file: x=1,y=0."""
    lines = _lines(path)
    with _of(path):
        kept = [
            (i + 1, text.strip()) for i, text in enumerate(lines) if text.strip() and not text.startswith("#")
        ]
        if not kept or not re.fullmatch(r"\(.*\)", kept[0][1]):
            raise ModelError(
                Fault("found no variables, expected a line such as (x,y)", line=kept[0][0] if kept else None)
            )
        variables = kept[0][1][1:-1].split(",")
        if len(kept) - 1 != S:
            raise ModelError(
                f"found {len(kept) - 1} states, expected the {S} of {path_text(os.path.basename(path)[:-4])}.tra"
            )
        names = []
        for s, (line, text) in enumerate(kept[1:]):
            number, _, values = text.partition(":")
            parts = values[1:-1].split(",")
            if number != str(s) or not re.fullmatch(r"\(.*\)", values) or len(parts) != len(variables):
                raise ModelError(
                    Fault(f"found {quoted(text)}, expected {s}:({escape(','.join(variables))})", line=line)
                )
            names.append(",".join(f"{name}={value}" for name, value in zip(variables, parts, strict=True)))
        return names
