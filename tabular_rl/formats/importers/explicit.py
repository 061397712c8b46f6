"""Explicit models of model checkers: choices of states, transitions of choices, labels and reward models.

What PRISM, Storm and UMB keep is the same. Readers of their files fill an `Explicit`; `model_of` makes the model of it.
A state's reward is paid whenever the state is left, and added to those of the choice, as these tools define it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, closest, escape, quoted
from tabular_rl.formats.fields import Asked, Numbers, Reader
from tabular_rl.formats.importers.columns import Column
from tabular_rl.formats.keys import TOP, Head, Resolved, model_of_numbers, read_head, resolve
from tabular_rl.formats.lines import locate
from tabular_rl.formats.sheet import Codes
from tabular_rl.model.build import Number, Row, arrays_of_rows
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names, are_good
from tabular_rl.model.rationals import exact_sum
from tabular_rl.model.rows import Ints, mass_defects, places, rows_off

LABEL = "label:"
OWN_KEYS = (*TOP, "labels")
SHOWN = 12  # names that a message lists
SHOWN_ROWS = 20  # rows that do not sum to 1 which are looked at for a message
MOST = 1 + 2.0**-40  # a probability that is rounded may be this large


@dataclass
class Rewards:
    """A reward model: of states (S,), choices (C,) and transitions (K,), None where it has none."""

    state: Column | None = None
    choice: Column | None = None
    transition: Column | None = None


@dataclass
class Explicit:
    """A model as a model checker keeps it. Choices stand in the order of their states, transitions of their choices."""

    S: int
    owner: Ints  # state of each choice (C,)
    label: Sequence[str | None]  # action of each choice (C,)
    row_ptr: Ints  # (C + 1,)
    next_state: Ints  # (K,)
    prob: Column  # (K,)
    rewards: dict[str, Rewards] = field(default_factory=dict)
    marks: dict[str, list[int]] = field(default_factory=dict)  # states of each label
    states: list[str] | None = None
    line: Ints | None = None  # of each transition (K,)
    own: bool = False  # written by this package: its keys say what such files leave open

    @property
    def dead(self) -> NDArray[np.bool_]:
        """The states without choices (S,)."""
        counts = np.bincount(self.owner, minlength=self.S)
        return np.asarray(counts == 0)


def head_of(reader: Reader, keys: Sequence[str], tool: str) -> Head:
    """Return the keys of a file that this package wrote, each on its line; of another file what the caller asks for.

    Parameters
    ----------
    reader : takes faults; `exact` is set where the keys say it
    keys : lines of TOML, empty for those without a key
    tool : whose files keep no discount

    Returns
    -------
    Head

    Raises
    ------
    ModelError : no discount anywhere
    """
    top = reader.table(locate("\n".join(keys)), "", OWN_KEYS)
    if "discount" not in top and reader.asked.gamma is None:
        raise ModelError(
            f"discount: found none, expected one: {tool} keeps none in its files. Say --gamma 1 for the total reward, "
            "as it computes it, or a discount such as --gamma 0.99"
        )
    return read_head(reader, top)


# -- what is asked for ---------------------------------------------------------------------------------------------


def _chosen(found: Explicit, asked: Asked, exact: bool) -> Rewards:
    """Return the reward model that is asked for, or the only one; ModelError where there are several."""
    names = list(found.rewards)
    if asked.reward is None:
        if len(names) > 1:
            listed = ", ".join(map(quoted, names[:SHOWN])) + ", ..." * (len(names) > SHOWN)
            raise ModelError(
                f"reward: found {len(names)} reward models, {listed}, expected one of them by --reward"
            )
        if not names:
            asked.say(
                "no reward model: every reward is 0. 'label:goal', say, pays 1 for reaching the label goal (--reward)"
            )
        return found.rewards[names[0]] if names else Rewards()
    if asked.reward.startswith(
        LABEL
    ):  # 1 for each transition into a state of the label, where the episode ends
        code = np.zeros(found.S, dtype=np.int64)
        code[_marked(found, asked.reward, "reward")] = 1
        return Rewards(
            transition=Column(code[found.next_state], [Fraction(x) if exact else float(x) for x in (0, 1)])
        )
    if asked.reward not in names:
        hint = closest(asked.reward, names) or f", expected {_listed(names)}"
        raise ModelError(f"reward: no reward model {quoted(asked.reward)}{hint}")
    return found.rewards[asked.reward]


def _listed(names: list[str]) -> str:
    """Return what a name could have been.

    >>> _listed(["a", "b"]), _listed([])
    ("one of 'a', 'b'", 'none: there is none')
    """
    if not names:
        return "none: there is none"
    return f"one of {', '.join(map(quoted, names[:SHOWN]))}" + ", ..." * (len(names) > SHOWN)


def _marked(found: Explicit, name: str, option: str) -> list[int]:
    label = name.removeprefix(LABEL)
    if label not in found.marks:
        hint = closest(label, found.marks) or f", expected {_listed(list(found.marks))}"
        raise ModelError(f"{option}: no label {quoted(label)}{hint}")
    return found.marks[label]


def _ends(reader: Reader, head: Head, found: Explicit, states: Names) -> NDArray[np.bool_]:
    """Return which states end: those that the keys or the caller name, by a state or by a label, and dead ends."""
    asked, ends = reader.asked, np.zeros(found.S, dtype=bool)
    if asked.reward is not None and asked.reward.startswith(LABEL):
        ends[_marked(found, asked.reward, "reward")] = True
    named = list(head.terminal) if asked.terminal is None else asked.terminal
    for name in named:
        at, marked = states.find(name), name in found.marks
        if at is not None and marked and not found.own:
            raise ModelError(
                f"terminal: found {quoted(name)}, a state and a label, expected one. The label is "
                f"'label:{escape(name)}'"
            )
        if at is not None:
            ends[at] = True
        elif marked or name.startswith(LABEL):
            ends[_marked(found, name, "terminal")] = True
        else:
            hint = reader.closest(name, [*found.marks, *states[:10_000]])
            reader.fault(f"terminal: no such state or label {quoted(name)}{hint}")
    head.terminal = {}
    dead = np.flatnonzero(found.dead & ~ends)
    if dead.size and not found.own:
        asked.say(
            f"states without transitions are terminal: {dead.size}, the first is {quoted(states[int(dead[0])])}"
        )
    return ends | found.dead


def _start(reader: Reader, found: Explicit, said: Resolved) -> None:
    """Set the start: the states with the label init that do not end."""
    first = [s for s in found.marks.get("init", ()) if s not in said.ends]
    if said.start is not None or found.own or not first:
        return
    if len(first) > 1:
        reader.asked.say(f"{len(first)} states have the label init: the start is one of them, each as likely")
    said.start = {s: Fraction(1, len(first)) if reader.exact else 1 / len(first) for s in first}


def _states(found: Explicit, head: Head, asked: Asked) -> Names:
    """Return the names of the states; their numbers where what the file calls them does not tell them apart."""
    names = list(head.states) if head.states is not None else found.states
    if names is None:
        return Names(found.S)
    if len(names) != found.S:
        raise ModelError(f"states: found {len(names)} names, expected {found.S}")
    if not found.own and (len(set(names)) < len(names) or not are_good(names)):
        asked.say("the variables do not tell the states apart: states are named by their numbers")
        return Names(found.S)
    return Names(names)


def _actions(found: Explicit, kept: Ints) -> list[str]:
    """Return the action of each choice that is kept: its label, or its number in its state where it has none.

    A label that a state has twice gets a number: go, go_2.
    """
    number = (np.arange(len(found.owner)) - np.searchsorted(found.owner, found.owner))[kept].tolist()
    names = [
        str(n) if label is None else label
        for n, label in zip(number, map(found.label.__getitem__, kept), strict=True)
    ]
    owner = found.owner[kept]
    code = Codes().of(names)
    pair = owner * (int(code.max(initial=0)) + 1) + code
    order = np.argsort(pair, kind="stable")
    again = order[1:][pair[order[1:]] == pair[order[:-1]]]
    for s in dict.fromkeys(owner[np.sort(again)].tolist()):
        first, last = np.searchsorted(owner, [s, s + 1]).tolist()
        taken = set(names[first:last])
        seen: set[str] = set()
        for c in range(first, last):
            name, n = names[c], 1
            while names[c] in seen or (n > 1 and names[c] in taken):
                n += 1
                names[c] = f"{name}_{n}"
            seen.add(names[c])
    return names


# -- the model -----------------------------------------------------------------------------------------------------


class _Rows(NamedTuple):
    """The rows of the model: the choices of states that do not end, by state and action."""

    choice: Ints  # (L,)
    owner: Ints  # (L,)
    action: Ints  # (L,)
    row_ptr: Ints  # (L + 1,)
    at: Ints  # the transitions, in their order (K,)
    actions: Names


def _rows(found: Explicit, head: Head, ends: NDArray[np.bool_]) -> _Rows:
    kept = np.flatnonzero(~ends[found.owner])
    codes = Codes()
    codes.of(list(head.actions or ()))
    known = len(codes)
    action = codes.of(_actions(found, kept))
    if head.actions is not None and len(codes) > known:
        raise ModelError(
            f"actions: found {quoted(list(codes)[known])}, expected one of those listed at the top"
        )
    order = np.lexsort((action, found.owner[kept]))
    choice = kept[order]
    length = np.diff(found.row_ptr)[choice]
    at = places(found.row_ptr[:-1][choice], length)
    row_ptr = np.append(0, np.cumsum(length))
    return _Rows(choice, found.owner[choice], action[order], row_ptr, at, Names(list(codes)))


def model_of(found: Explicit, reader: Reader, head: Head) -> MDP:
    """Return the model of an explicit one.

    Parameters
    ----------
    found : what the file holds
    reader : knows what the caller asks for, and whether numbers are exact; takes faults
    head : the keys at the top

    Returns
    -------
    MDP. The choices of terminal states are left out.

    Raises
    ------
    ModelError : each fault with its line, state and action
    """
    asked = reader.asked
    states = _states(found, head, asked)
    rewards = _chosen(found, asked, reader.exact)
    ends = _ends(reader, head, found, states)
    if rewards.state is not None:
        _check_dead(rewards.state, found.dead & ~_named(found, asked, states), states)
    rows = _rows(found, head, ends)
    said = resolve(reader, head, states, len(rows.at), np.flatnonzero(ends).tolist())
    _start(reader, found, said)
    choices = bool((rows.owner[1:] == rows.owner[:-1]).any())  # of which one is better
    if choices and not found.own and asked.sense is None and rewards != Rewards():
        asked.say("rewards are maximised. Say --minimize where they are costs", matters=False)
    if reader.faults:
        raise ModelError(reader.faults)
    prob = found.prob.take(rows.at)
    more: dict[str, object] = {}
    numbers = prob.numbers(reader.exact)
    off = _off(numbers, rows.row_ptr)
    if off.size and not asked.normalize:
        _refuse(found, rows, off, prob, states, reader.exact)
    if off.size and reader.exact:
        prob, more["correction"] = _scaled(prob, rows.row_ptr, off)
        numbers = prob.numbers(True)
    elif asked.normalize and not reader.exact:
        more["normalize"] = True
    reward, r = _summed(rewards, rows, reader.exact, found.own)
    return model_of_numbers(
        reader,
        head,
        states,
        said,
        numbers,
        reward,
        r,
        pair_ptr=np.append(0, np.cumsum(np.bincount(rows.owner, minlength=found.S))),
        pair_action=rows.action,
        row_ptr=rows.row_ptr,
        next_state=found.next_state[rows.at],
        terminal=ends,
        actions=rows.actions,
        **more,
    )


def _named(found: Explicit, asked: Asked, states: Names) -> NDArray[np.bool_]:
    """Return which states the caller says are terminal (S,)."""
    mask = np.zeros(found.S, dtype=bool)
    for name in asked.terminal or ():
        at = states.find(name)
        mask[found.marks.get(name.removeprefix(LABEL), []) if at is None else at] = True
    return mask


def _check_dead(reward: Column, dead: NDArray[np.bool_], states: Names) -> None:
    """Raise where a state without transitions has a reward: model checkers pay it for ever."""
    paid = np.array([bool(x) for x in reward.values])[reward.code]
    for s in np.flatnonzero(dead & paid)[:1].tolist():
        name = states[s]
        raise ModelError(
            Fault(
                "has a reward and no transitions, expected transitions: model checkers let it stay for ever. Say "
                "--terminal where it ends, or give it a transition",
                state=name,
            )
        )


def _summed(rewards: Rewards, rows: _Rows, exact: bool, kept: bool) -> tuple[Numbers | None, Numbers | None]:
    """Return the rewards of outcomes, or of rows: of the state, the choice and the transition together.

    Where those of the transitions of each choice are one, they are those of rows, unless they are `kept` as they are.
    """
    total = Column.zero(len(rows.choice), exact)
    if rewards.state is not None:
        total = rewards.state.take(rows.owner)
    if rewards.choice is not None:
        total = rewards.choice.take(rows.choice).plus(total)
    if rewards.transition is None:
        return None, total.numbers(exact)
    length = np.diff(rows.row_ptr)
    each = rewards.transition.take(rows.at).plus(total.take(np.arange(len(length)).repeat(length)))
    if length.all() and len(length):
        first = each.code[rows.row_ptr[:-1]]
        if not kept and np.array_equal(each.code, first.repeat(length)):
            return None, Column(first, each.values).numbers(exact)
    return each.numbers(exact), None


def _off(prob: Numbers, row_ptr: Ints) -> Ints:
    """Return the rows whose probabilities are out of range or do not sum to 1 (with floats, but for rounding)."""
    length = np.diff(row_ptr)
    if prob.exact is not None:
        off = set(rows_off(prob.exact, row_ptr))
        wrong = (prob.exact.num < 0) | (prob.exact.num > prob.exact.den)
    else:
        missing = np.abs(mass_defects(prob.floats, row_ptr))
        off = set(np.flatnonzero(~(missing <= length * 2.0**-52)).tolist())
        wrong = ~((prob.floats >= 0) & (prob.floats <= MOST))
    off.update(np.flatnonzero(length == 0).tolist())
    row_of = np.arange(len(length)).repeat(length)
    off.update(row_of[np.flatnonzero(wrong)].tolist())
    return np.array(sorted(off), dtype=np.int64)


def _refuse(found: Explicit, rows: _Rows, off: Ints, prob: Column, states: Names, exact: bool) -> None:
    """Raise with what is wrong with these rows, each at its line."""
    bad = []
    for i in off[:SHOWN_ROWS].tolist():
        inside = range(int(rows.row_ptr[i]), int(rows.row_ptr[i + 1]))
        outcomes: list[tuple[int, Number, Number | None]] = [
            (int(found.next_state[rows.at[k]]), prob.values[prob.code[k]], None) for k in inside
        ]
        lines = None if found.line is None else [int(found.line[rows.at[k]]) for k in inside]
        first = lines[0] if lines else None
        bad.append(Row(int(rows.owner[i]), int(rows.action[i]), outcomes, line=first, lines=lines))
    others = set(range(found.S)) - {row.state for row in bad}
    arrays_of_rows(bad, 0, states, rows.actions, terminal=others, exact=exact)
    raise ModelError(Fault("probabilities do not sum to 1. Load it with --normalize.", states[bad[0].state]))


def _scaled(prob: Column, row_ptr: Ints, off: Ints) -> tuple[Column, float]:
    """Return probabilities with these rows divided by their sum, and the largest change."""
    values, code, largest = list(prob.values), prob.code.copy(), Fraction(0)
    for i in off.tolist():
        inside = slice(int(row_ptr[i]), int(row_ptr[i + 1]))
        own = [Fraction(values[c]) for c in code[inside].tolist()]
        total = exact_sum(own)
        if not total or total < 0 or min(own) < 0:
            raise ModelError("--normalize: found a row without positive probabilities, expected some")
        code[inside] = np.arange(len(own)) + len(values)
        values += [p / total for p in own]
        largest = max(largest, *(abs(p / total - p) for p in own))
    return Column(code, values), float(largest)
