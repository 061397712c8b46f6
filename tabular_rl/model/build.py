"""From rows with names and lines to the arrays of a model: the one way in for text files and lists of outcomes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError
from tabular_rl.model.names import Names
from tabular_rl.model.rationals import (
    DIGITS,
    Exact,
    RationalArray,
    exact_sum,
    shown,
)
from tabular_rl.model.rows import LARGEST
from tabular_rl.model.settings import floats_of
from tabular_rl.model.validation import LEFT_OUT, sum_text

Number = Fraction | float
Where = tuple[str | None, str | None, str | None]  # state, action and next state of a fault
SMALL = 20  # the largest denominator of a fraction that a rounded number is taken for
LONGEST_ROW = 1000  # outcomes of a row in which rounded numbers are looked for
TOO_FINE = (
    f"found fractions whose common denominator has more than {DIGITS:,} digits, expected fewer. "
    'Write them as decimals, or say numbers = "float64".'
)

ENDED = "found an action of a terminal state, expected none. Remove it, or the state from `terminal`."


@dataclass(slots=True)
class Row:
    """A state-action pair as it was read: its outcomes (next state, probability, reward or None) and their lines."""

    state: int
    action: int
    outcomes: list[tuple[int, Number, Number | None]] = field(default_factory=list)
    reward: Number | None = None
    line: int | None = None
    lines: list[int] | None = None  # of the outcomes, where they have their own


def arrays_of_rows(
    rows: list[Row],
    gamma: Any,
    states: Names,
    actions: Names,
    *,
    terminal: Iterable[int] = (),
    start: dict[int, Number] | None = None,
    final_reward: dict[int, Number] | None = None,
    exact: bool = True,
    normalize: bool = False,
    state_lines: dict[int, int] | None = None,
    faults: Sequence[Fault] = (),
    **options: Any,
) -> dict[str, Any]:
    """Return the arguments of MDP.from_rows for rows in any order; ModelError with all faults, each at its line.

    Parameters
    ----------
    rows : the state-action pairs as they were read
    gamma : the discount, handed on as it is
    states, actions : names, whose indices the rows hold
    terminal : indices of the terminal states
    start : {state index: probability}, 0 for the others; None for uniform
    final_reward : {state index: reward at the end of a finite horizon}, 0 for the others; None for none
    exact : all numbers are rationals and a row must sum to exactly 1; otherwise they are float64
    normalize : rescale rows that do not sum to 1
    state_lines : {state index: line of the file}, for messages
    faults : those that the reader has found already
    options : more arguments of MDP.from_rows, handed on

    Returns
    -------
    {argument: value}: the arrays, with rows in the order of states and actions, and all else that is needed.

    Raises
    ------
    ModelError : each fault with its line, state and action
    """
    ends = np.zeros(len(states), dtype=bool)
    ends[list(terminal)] = True
    rows = sorted(rows, key=lambda row: (row.state, row.action))
    found = [*faults, *_stateless(rows, states, ends, state_lines or {})]
    found += _faults(rows, states, actions, ends, exact, normalize)
    if not rows and not found and not ends.all():
        found.append(Fault("no actions: found 0, expected at least 1"))
    if found:
        found.sort(key=lambda fault: (fault.line is None, fault.line or 0))
        raise ModelError(found)

    outcomes = [o for row in rows for o in row.outcomes]
    prob = [p for _, p, _ in outcomes]
    by_pair = all(o[2] is None for o in outcomes)
    reward = None if by_pair else [_outcome_reward(row, o[2]) for row in rows for o in row.outcomes]
    r = [row.reward or 0 for row in rows] if by_pair else None
    if normalize and exact:
        # Three 0.333 are rescaled as rationals: the model stays exact.
        sums = [exact_sum(Fraction(p) for _, p, _ in row.outcomes) or Fraction(1) for row in rows]
        scaled = [Fraction(p) / t for row, t in zip(rows, sums, strict=True) for _, p, _ in row.outcomes]
        changes = [abs(x - Fraction(p)) for x, p in zip(scaled, prob, strict=True)]
        options["correction"] = float(max(changes, default=0))
        prob = list(scaled)
    elif normalize:
        options["normalize"] = True
    every, zero = range(len(states)), Fraction(0) if exact else 0.0
    numbers: dict[str, Sequence[Number] | None] = {
        "prob": prob,
        "reward": reward,
        "r": r,
        "start": None if start is None else [start.get(s, zero) for s in every],
        "final_reward": None if final_reward is None else [final_reward.get(s, zero) for s in every],
    }
    kept: dict[str, Any] = {}
    for what, given in numbers.items() if exact else ():
        kept[what] = None if given is None else RationalArray.of(Fraction(x) for x in given)
    states_of_rows = np.array([row.state for row in rows], dtype=np.int64)
    return {
        "pair_ptr": np.append(0, np.cumsum(np.bincount(states_of_rows, minlength=len(states)))),
        "pair_action": np.array([row.action for row in rows], dtype=np.int64),
        "row_ptr": np.append(0, np.cumsum([len(row.outcomes) for row in rows], dtype=np.int64)),
        "next_state": np.array([s2 for s2, _, _ in outcomes], dtype=np.int64),
        **{field: None if x is None else floats_of(x) for field, x in numbers.items()},
        "gamma": gamma,
        "terminal": ends,
        "states": states,
        "actions": actions,
        "exact": Exact(**kept) if exact else None,
        "copy": False,
        **options,
    }


def _outcome_reward(row: Row, own: Number | None) -> Number:
    given = own if own is not None else row.reward
    return given if given is not None else Fraction(0)


def _stateless(
    rows: list[Row], states: Names, ends: NDArray[np.bool_], lines: dict[int, int]
) -> Iterator[Fault]:
    """The states that have no rows and are not terminal."""
    with_rows = {row.state for row in rows}
    what = "has no actions, expected some. Declare it terminal, or give it one."
    for s in range(len(states)) if len(with_rows) + int(ends.sum()) != len(states) else ():
        if s not in with_rows and not ends[s]:
            yield Fault(what, state=states[s], line=lines.get(s))


def _faults(
    rows: list[Row], states: Names, actions: Names, ends: NDArray[np.bool_], exact: bool, normalize: bool
) -> Iterator[Fault]:
    """What is wrong with each row, and with its numbers."""
    seen: dict[tuple[int, int], Row] = {}
    for row in rows:
        where: dict[str, Any] = {"state": states[row.state], "action": actions[row.action], "line": row.line}
        twin = seen.setdefault((row.state, row.action), row)
        if twin is not row:
            at = f" on line {twin.line}" if twin.line is not None else ""
            yield Fault(f"found twice, first{at}, expected once", **where)
        own = [reward for _, _, reward in row.outcomes if reward is not None]
        if ends[row.state]:
            paid = next((x for x in (row.reward, *own) if x), None)
            lost = (
                f" Its reward {_shown(paid)} is never collected: put it on the transitions into it."
                if paid
                else ""
            )
            yield Fault(ENDED + lost, **where)
        if row.reward is not None and own:
            yield Fault("found a reward on the action and on its outcomes, expected one of them", **where)
        yield from _number_faults(row, states, where, exact)
        yield from _sum_faults(row, where, exact, normalize)


def _number_faults(row: Row, states: Names, where: dict[str, Any], exact: bool) -> Iterator[Fault]:
    """The probabilities and rewards of a row that are out of range."""
    for j, (s2, p, reward) in enumerate(row.outcomes):
        place = {**where, "next_state": states[s2], "line": row.lines[j] if row.lines else row.line}
        if not _probable(p, exact):
            text = shown(p) if isinstance(p, Fraction) else repr(p)
            yield Fault(f"found probability {text}, expected a number from 0 to 1", **place)
        if reward is not None and not _finite(reward):
            yield Fault(_reward_text(reward), **place)
    if row.reward is not None and not _finite(row.reward):
        yield Fault(_reward_text(row.reward), **where)


def _sum_faults(row: Row, where: dict[str, Any], exact: bool, normalize: bool) -> Iterator[Fault]:
    """That the probabilities of a row, each in its range, do not sum to 1."""
    probabilities = [p for _, p, _ in row.outcomes]
    if not probabilities:
        yield Fault("has no outcomes, expected probabilities that sum to 1", **where)
    elif not all(_probable(p, exact) for p in probabilities):
        return
    elif exact:
        p_exact = [Fraction(p) for p in probabilities]
        total = exact_sum(p_exact)
        if total is None:
            yield Fault(TOO_FINE, **where)
        elif total != 1 and not (normalize and total > 0):
            yield Fault(_exact_sum_text(total, p_exact) + _repeat_text(row, total), **where)
    elif not normalize:
        total_float = math.fsum(probabilities)
        if abs(total_float - 1) > len(row.outcomes) * 2.0**-52:
            yield Fault(sum_text(total_float) + _repeat_text(row, total_float), **where)


def _probable(p: Number, exact: bool) -> bool:
    return 0 <= p <= (1 if exact else 1 + 2.0**-40)


def _repeat_text(row: Row, total: Number) -> str:
    """Where a row sums to more than 1 because a line of the file stands twice: both lines."""
    seen: dict[tuple[int, Number, Number | None], int] = {}
    for outcome, line in zip(row.outcomes, row.lines or (), strict=False) if total > 1 else ():
        first = seen.setdefault(outcome, line)
        if first != line:
            return f" The outcome on line {first} stands again on line {line}."
    return ""


def _finite(x: Number) -> bool:
    return -LARGEST <= x <= LARGEST


def _reward_text(reward: Number) -> str:
    infinite = LEFT_OUT if reward == -math.inf else ""
    return f"found reward {_shown(reward)}, expected a finite number up to {LARGEST:g}{infinite}"


def _shown(reward: Number) -> str:
    return shown(reward) if isinstance(reward, Fraction) else repr(float(reward))


def _exact_sum_text(total: Fraction, probabilities: Sequence[Fraction]) -> str:
    """Say what a row of exact numbers sums to, what is missing, and the way out.

    >>> _exact_sum_text(Fraction(9, 10), [Fraction(1, 2), Fraction(2, 5)])
    'probabilities sum to 9/10, expected 1 (1/10 missing). Fix the row, or load with --normalize to rescale it.'
    """
    gap = abs(1 - total)
    text = f"probabilities sum to {shown(total)}, expected 1 ({shown(gap)} {'missing' if total < 1 else 'too much'})."
    if gap < Fraction(1, 10**12):
        return (
            text
            + ' These look like rounded fractions: write "1/3" for one third, say numbers = "float64", or load'
            " with --normalize."
        )
    if fractions := _unrounded(probabilities):
        return f'{text} These look like rounded fractions: write "{fractions[0]}", or load with --normalize.'
    return text + " Fix the row, or load with --normalize to rescale it."


def _unrounded(probabilities: Sequence[Fraction]) -> list[Fraction]:
    """Return the small fractions that decimals are the rounding of, where those sum to 1 and these do not.

    >>> _unrounded([Fraction("0.333")] * 3), _unrounded([Fraction("0.17"), Fraction("0.82")])
    ([Fraction(1, 3)], [])
    """
    if len(probabilities) > LONGEST_ROW:
        return []
    meant = [p.limit_denominator(SMALL) for p in probabilities]
    for p, small in zip(probabilities, meant, strict=True):
        digits = next((n for n in range(2, 20) if 10**n % p.denominator == 0), None)
        if p != small and (digits is None or abs(p - small) >= Fraction(1, 10**digits)):
            return []
    return (
        [small for p, small in zip(probabilities, meant, strict=True) if p != small][:1]
        if sum(meant) == 1
        else []
    )
