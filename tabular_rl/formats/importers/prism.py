"""PRISM's explicit files: model.tra with the transitions, and beside it .sta, .lab, .srew and .trew.

    model.tra    STATES [CHOICES] TRANSITIONS, then  STATE [CHOICE] NEXT PROBABILITY [ACTION]
    model.lab    0="init" 1="deadlock" 2="goal", then  STATE: LABEL LABEL ...
    model.sta    (x,y), then  STATE:(VALUE,VALUE)
    model.srew   STATES ENTRIES, then  STATE REWARD;   model.trew as .tra, with rewards

The same in the form of Storm, whose .tra begins with a word, `mdp`, and whose .lab has #DECLARATION and #END. The .tra
that this package wrote begins with MARK; its remarks hold what these files have no place for, as in `drn.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

import numpy as np

from tabular_rl.errors import Fault, ModelError, quoted
from tabular_rl.formats.fields import Asked, Reader
from tabular_rl.formats.importers.columns import Column, column_of, looks_exact, many_texts, whole_numbers
from tabular_rl.formats.importers.explicit import Explicit, Rewards, head_of, model_of
from tabular_rl.formats.importers.hidden import with_hidden
from tabular_rl.formats.importers.prism_beside import Beside, Siblings, read_labels, read_names
from tabular_rl.formats.input import plain_ends, text_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rows import Ints

MARK = "# Exported by tabular-rl"
TIMES = 60  # bytes that are needed for a byte of text
KEY = re.compile(r"# ([a-z_]+ = .*)")
HIDDEN = re.compile(r"# ([0-9]+) ([0-9]+) ([0-9]+) (\S+)(?: \[(\S+)\])?")
LARGE = 1.001  # what is larger is no probability that was rounded
SPARSEST = 1000  # states beyond two a transition: what a file declares is checked before memory is asked for
CONTINUOUS = "a model in continuous time, expected a DTMC or an MDP"
KINDS = {
    "ctmc": CONTINUOUS,
    "ctmdp": CONTINUOUS,
    "ma": CONTINUOUS,
    "pomdp": "a partially observable model, expected a DTMC or an MDP",
    "smg": "a game, expected a DTMC or an MDP",
    "idtmc": "intervals of probabilities, expected a DTMC or an MDP",
    "imdp": "intervals of probabilities, expected a DTMC or an MDP",
}
NO_MODEL = "expected STATES TRANSITIONS of a DTMC or STATES CHOICES TRANSITIONS of an MDP"


@many_texts()
def read_prism(file: BinaryIO, asked: Asked) -> MDP:
    """Return the model of a .tra file and of the files beside it.

    Parameters
    ----------
    file : open binary file; where it has a name, files of the same stem are looked for
    asked : what the caller asks for; gamma, where the file does not have it

    Returns
    -------
    MDP

    Raises
    ------
    ModelError : what is wrong, with the file and the line; a kind of model that is none of DTMC and MDP
    """
    name = getattr(file, "name", None)
    lines = plain_ends(text_of(file, TIMES)).split("\n")
    top = _Top(lines)
    reader = Reader(asked)
    head = head_of(reader, top.keys, "PRISM")
    body = _body(lines, top)
    beside = Siblings.of(name if isinstance(name, str) else None)
    if beside.files:
        asked.say(f"read with {', '.join(sorted(map(os.path.basename, beside.files)))}", matters=False)
    files = beside.rewards()
    if not top.own:
        reader.exact = looks_exact(body.prob) or any(looks_exact(part.values) for part in files)
    if reader.faults:
        raise ModelError(reader.faults)
    found = _explicit(body, reader.exact, top.own)
    if beside.labels:
        found.marks = read_labels(beside.labels, found.S)
    if beside.names and not top.own:
        found.states = read_names(beside.names, found.S)
    found.rewards = _reward_models(files, body, found, reader.exact)
    if top.own:
        _gather(found)
        _hide(lines, found, reader.exact)
        spot = head.top.get("labels")
        if spot is not None and spot.value == "index":
            _name_actions(found, list(head.actions or ()))
    return model_of(found, reader, head)


class _Top:
    """What stands above the transitions: remarks, and the line of sizes or the word of Storm."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.own = lines[0].startswith(MARK)
        self.keys: list[str] = []
        at = 0
        while at < len(lines) and (not lines[at].strip() or lines[at].startswith("#")):
            key = KEY.fullmatch(lines[at]) if self.own else None
            self.keys.append(key[1] if key else "")
            kind = re.fullmatch(r"# Transitions \((\w+)\) *", lines[at])
            if kind:
                self._check_kind(kind[1], at)
            at += 1
        if at == len(lines):
            raise ModelError(f"found no transitions, {NO_MODEL}")
        words = lines[at].split()
        self.sizes: Ints | None = None
        if len(words) == 1:
            self._check_kind(words[0], at)
            if words[0].lower() not in ("dtmc", "mdp"):
                raise ModelError(Fault(f"found {quoted(words[0])}, {NO_MODEL}", line=at + 1))
            self.nondeterministic = words[0].lower() == "mdp"
        else:
            if len(words) == 4:
                raise ModelError(Fault(f"found 4 sizes, {KINDS['pomdp']}", line=at + 1))
            if len(words) not in (2, 3):
                raise ModelError(Fault(f"found {quoted(lines[at])}, {NO_MODEL}", line=at + 1))
            self.sizes = whole_numbers(words, [at + 1] * len(words), "size", 2**40)
            self.nondeterministic = len(words) == 3
        self.after = at + 1

    def _check_kind(self, kind: str, at: int) -> None:
        if kind.lower() in KINDS:
            raise ModelError(Fault(f"found {kind.upper()}, {KINDS[kind.lower()]}", line=at + 1))


class _Body(NamedTuple):
    """The lines of transitions."""

    S: int
    state: Ints
    choice: Ints  # its number in the state
    to: Ints
    prob: list[str]
    label: list[str | None]
    line: list[int]
    sizes: Ints | None
    nondeterministic: bool


def _body(lines: list[str], top: _Top) -> _Body:
    words, line = split_lines(lines, top.after)
    n = 4 if top.nondeterministic else 3
    for row, number in zip(words, line, strict=True):
        if not n <= len(row) <= n + 1:
            form = "STATE CHOICE NEXT PROBABILITY [ACTION]" if n == 4 else "STATE NEXT PROBABILITY [ACTION]"
            rows = ". Export without `rows`" if ":" in "".join(row) else ""
            raise ModelError(Fault(f"found {quoted(' '.join(row))}, expected {form}{rows}", line=number))
    columns = [[row[i] for row in words] for i in range(n)]
    below = None if top.sizes is None else int(top.sizes[0])
    state = whole_numbers(columns[0], line, "state", below)
    to = whole_numbers(columns[n - 2], line, "next state", below)
    choice = whole_numbers(columns[1], line, "choice") if n == 4 else np.zeros(len(line), dtype=np.int64)
    S = below if below is not None else int(max(state.max(initial=-1), to.max(initial=-1))) + 1
    if S > 2 * len(line) + SPARSEST:
        raise ModelError(
            f"found {S} states and {len(line)} transitions, expected states that are reached. Is it cut off?"
        )
    if S == 0:
        raise ModelError("no states: found 0, expected at least 1")
    if top.sizes is not None and int(top.sizes[-1]) != len(line):
        raise ModelError(
            f"found {len(line)} transitions, expected {int(top.sizes[-1])} as the first line says. Is it cut off?"
        )
    label = [row[n] if len(row) > n else None for row in words]
    return _Body(S, state, choice, to, columns[n - 1], label, line, top.sizes, top.nondeterministic)


def split_lines(lines: list[str], after: int) -> tuple[list[list[str]], list[int]]:
    """Return the words of the lines from `after` on that have some and are no remarks, and the numbers of the lines."""
    words = [line.split() for line in lines[after:]]
    kept = [i for i, row in enumerate(words) if row and not row[0].startswith("#")]
    return [words[i] for i in kept], [after + 1 + i for i in kept]


def _explicit(body: _Body, exact: bool, own: bool) -> Explicit:
    """Return the model of the transitions alone, in the order of their states and choices."""
    order = np.lexsort((body.choice, body.state))
    state, choice = body.state[order], body.choice[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (state[1:] != state[:-1]) | (choice[1:] != choice[:-1])
    first = np.flatnonzero(new)
    owner = state[first]
    if body.sizes is not None and len(body.sizes) == 3 and int(body.sizes[1]) != len(first):
        raise ModelError(
            f"found {len(first)} choices, expected {int(body.sizes[1])} as the first line says. Is it cut off?"
        )
    line = np.array(body.line, dtype=np.int64)[order]
    number = np.arange(len(first)) - np.searchsorted(owner, owner)
    for c in np.flatnonzero(choice[first] != number)[:1].tolist():
        what = f"found choice {int(choice[first[c]])}, expected {int(number[c])}: choices of a state go from 0 on"
        raise ModelError(Fault(what, line=int(line[first[c]])))
    labels = [body.label[i] for i in order.tolist()]
    of = np.cumsum(new) - 1
    prob = column_of(body.prob, body.line, exact, "probability")
    _check_rates(prob, body.line)
    prob = prob.take(order)
    made: list[str | None] = [labels[i] for i in first.tolist()]
    if body.nondeterministic:
        for k, label in enumerate(labels):
            if label != made[of[k]]:
                first_label = quoted(made[of[k]] or "")
                what = f"found action {quoted(label or '')}, expected {first_label} as in the choice's first line"
                raise ModelError(Fault(what, line=int(line[k])))
    else:
        made = [None] * len(first)
    row_ptr = np.append(first, len(order))
    return Explicit(body.S, owner, made, row_ptr, body.to[order], prob, line=line, own=own)


def _check_rates(prob: Column, line: Sequence[int]) -> None:
    """Raise where numbers are rates: the file of a CTMC looks like that of a DTMC."""
    large = np.array([x > LARGE for x in prob.values], dtype=bool)
    for at in np.flatnonzero(large[prob.code])[:1].tolist():
        found = f"found {float(prob.values[prob.code[at]]):g}, expected a probability from 0 to 1"
        raise ModelError(
            Fault(f"{found}. Are these rates? A CTMC, in continuous time, is not read", line=line[at])
        )


def _reward_models(files: Sequence[Beside], body: _Body, found: Explicit, exact: bool) -> dict[str, Rewards]:
    """Return the reward models of .srew and .trew files, by name."""
    made: dict[str, Rewards] = {}
    for part in files:
        rewards = made.setdefault(part.name, Rewards())
        if part.of_states:
            rewards.state = part.state_rewards(found.S, exact)
        else:
            rewards.transition = part.transition_rewards(found, body.nondeterministic, exact)
    return made


def _gather(found: Explicit) -> None:
    """Make rewards of choices of those of transitions, which are one in each choice of a file of ours."""
    for rewards in found.rewards.values():
        each, rewards.state, rewards.transition = rewards.transition, None, None
        if each is None:
            continue
        first = each.code[found.row_ptr[:-1]]
        wrong = np.flatnonzero(each.code != first.repeat(np.diff(found.row_ptr)))
        if wrong.size and found.line is not None:
            what = "found several rewards in .trew for the transitions of this choice, expected one"
            raise ModelError(Fault(what, line=int(found.line[wrong[0]])))
        rewards.choice = Column(first, each.values)


def _hide(lines: list[str], found: Explicit, exact: bool) -> None:
    """Read the outcomes that stand in remarks."""
    hidden = [
        (at + 1, match)
        for at, text in enumerate(lines)
        if text.startswith("# ") and (match := HIDDEN.fullmatch(text))
    ]
    if not hidden:
        return
    line = [n for n, _ in hidden]
    state = whole_numbers([match[1] for _, match in hidden], line, "state", found.S)
    choice = whole_numbers([match[2] for _, match in hidden], line, "choice")
    first = np.searchsorted(found.owner, state)
    of = first + choice
    if (
        (of >= len(found.owner)).any()
        or (found.owner[np.minimum(of, len(found.owner) - 1)] != state).any()
        or (np.diff(of) < 0).any()
    ):
        raise ModelError(
            Fault(
                "found a remark about a choice that is not there, expected one of the transitions",
                line=line[0],
            )
        )
    to = whole_numbers([match[3] for _, match in hidden], line, "next state", found.S)
    prob = column_of([match[4] for _, match in hidden], line, exact, "probability")
    given = [match[5] for _, match in hidden if match[5] is not None]
    if given and len(given) < len(hidden):
        raise ModelError(Fault("found a remark without a reward, expected one as others have", line=line[0]))
    reward = column_of(given, line, exact, "reward") if given else None
    with_hidden(found, of, to, prob, reward, np.array(line))


def _name_actions(found: Explicit, names: list[str]) -> None:
    """Put names in the place of the numbers of actions."""
    made: list[str | None] = []
    for label in found.label:
        at = -1 if label is None or not re.fullmatch("a[0-9]{1,9}", label) else int(label[1:])
        if label is not None and not 0 <= at < len(names):
            raise ModelError(f"found action {quoted(label)}, expected a0 to a{len(names) - 1}")
        made.append(None if label is None else names[at])
    found.label = made
