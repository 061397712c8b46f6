"""Lists of (state, action, next state, probability, reward) to the arrays of a model.

A list without faults is read column by column; one with faults a second time, line by line, to say what they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tabular_rl.errors import Fault, ModelError, closest, escape, kind_text, quoted
from tabular_rl.model.build import Number, Row, arrays_of_rows
from tabular_rl.model.columns import COLUMNS, Outcomes, arrays_of_columns, listed, read_columns
from tabular_rl.model.names import Names, state_at
from tabular_rl.model.rationals import UNDERFLOWS, RationalArray, as_fraction, as_number, nearest
from tabular_rl.model.settings import floats_of, start_values
from tabular_rl.model.validation import LEFT_OUT

Where = tuple[str | None, str | None, str | None]  # state, action and next state of a fault
AN_OUTCOME = "state, action, next state, probability, reward"
A_DICTIONARY = (
    "found a dictionary, expected {}. MDP.from_dictionary takes "
    "{{state: {{action: [(p, next state, reward, done)]}}}}, as Gymnasium's env.unwrapped.P is"
)


def _lines(outcomes: Any) -> list[tuple[Any, ...]]:
    """Return the outcomes as tuples whose states and actions are texts; ModelError with what was found instead."""
    if isinstance(outcomes, Mapping):
        raise ModelError("outcomes: " + A_DICTIONARY.format(f"a list of ({AN_OUTCOME})"))
    if hasattr(outcomes, "itertuples"):
        found = [str(name) for name in outcomes.columns]
        if set(found) != set(COLUMNS) or len(found) != 5:
            raise ModelError(
                f"outcomes: found a {type(outcomes).__name__} with the columns {escape(', '.join(found))}, "
                f"expected the columns {', '.join(COLUMNS)}"
            )
        outcomes = outcomes[COLUMNS].itertuples(index=False)
    if isinstance(outcomes, (str, bytes)) or not isinstance(outcomes, Iterable):
        raise ModelError(f"outcomes: found {kind_text(outcomes)}, expected a list of ({AN_OUTCOME})")
    lines = []
    for i, outcome in enumerate(outcomes):
        if not isinstance(outcome, (list, tuple, np.ndarray)):
            raise ModelError(f"outcome {i}: found {kind_text(outcome)}, expected 5 entries: {AN_OUTCOME}")
        if len(outcome) != 5:
            raise ModelError(f"outcome {i}: found {len(outcome)} entries, expected 5: {AN_OUTCOME}")
        state, action, to, p, reward = outcome
        for what, name in (("state", state), ("action", action), ("next state", to)):
            if name is None or (isinstance(name, (float, np.floating)) and math.isnan(name)):
                raise ModelError(f"outcome {i}: found {name} as the {what}, expected its name")
        lines.append((_name(state), _name(action), _name(to), p, reward))
    return lines


def _names(given: Any) -> list[str]:
    """Return names as texts; ModelError where they come in no order. A number says how many there are."""
    listed = isinstance(given, Iterable) and not isinstance(given, (str, bytes, set, frozenset))
    return list(map(_name, given)) if listed else list(Names(given))


def _name(x: Any) -> str:
    """Return the name that a text or number is: 3.0, as a column of numbers may hold it, is "3"."""
    return str(int(x)) if isinstance(x, (float, np.floating)) and float(x).is_integer() else str(x)


def arrays_of_outcomes(
    outcomes: Iterable[Sequence[Any]],
    gamma: Any,
    terminal: Iterable[Any],
    states: Iterable[Any] | None,
    actions: Iterable[Any] | None,
    start: Any,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Return the keyword arguments of MDP.from_rows for a list of outcomes: what MDP.from_outcomes does.

    Parameters
    ----------
    outcomes : a list of (state, action, next state, probability, reward), or a frame with these columns
    gamma : the discount, handed on as it is
    terminal : the terminal states, by name or index
    states, actions : names in order, or how many there are; None for the order of first appearance
    start : a state, {state: probability}, or one probability a state; None for uniform
    options : more arguments of MDP.from_rows; `final_reward` is read and taken out, the rest is handed on

    Returns
    -------
    {argument: value}, as `arrays_of_rows` gives it.

    Raises
    ------
    ModelError : each fault with the state and the action that it concerns
    """
    outcomes = listed(outcomes)
    columns = read_columns(outcomes, _name)
    lines = [] if columns else _lines(outcomes)
    given = [terminal] if isinstance(terminal, (str, int, np.integer)) else terminal
    if not isinstance(given, Iterable):
        raise ModelError(f"terminal: found {kind_text(terminal)}, expected a list of states")
    ends: list[Any] = list(given)
    if states is None:
        state_list = columns.state[0] if columns else list(dict.fromkeys(o[0] for o in lines))
        known = set(state_list)
        state_list = state_list + [x for x in dict.fromkeys(map(_name, ends)) if x not in known]
    else:
        state_list = list(dict.fromkeys(_names(states)))
    if actions is not None:
        action_list = _names(actions)
    else:
        action_list = columns.action[0] if columns else list(dict.fromkeys(o[1] for o in lines))
    exact = not any(isinstance(x, (float, np.floating)) for o in lines for x in o[3:])
    if columns:
        exact = columns.prob.exact is not None
    read = _Reader(Names(state_list), Names(action_list), exact)
    if columns:
        made = _of_columns(columns, read, ends, start, options)
        if made is not None:
            return {**made, "gamma": gamma}
        lines = _lines(outcomes)
    rows: dict[tuple[int, int], Row] = {}
    for state, action, to, p, reward in lines:
        s, a, s2 = read.state(state), read.action(action), read.state(to)
        row, where = rows.setdefault((s, a), Row(s, a)), (state, action, to)
        row.outcomes.append((s2, read.number(p, "probability", where), read.number(reward, "reward", where)))
    begin, last = _by_state(read, start, options.pop("final_reward", None))
    return arrays_of_rows(
        list(rows.values()),
        gamma,
        read.states,
        read.actions,
        terminal=[read.terminal(s) for s in ends],
        start=begin,
        exact=exact,
        final_reward=last,
        **options,
    )


def _by_state(
    read: _Reader, start: Any, final_reward: Any
) -> tuple[dict[int, Number] | None, dict[int, Number] | None]:
    """Return start probabilities and final rewards by index of a state; None where none are given."""
    begin = None
    if start is not None:
        given = enumerate(start_values(start, read.states, by_name=True))
        begin = {
            s: read.number(p, "start probability", (read.states[s], None, None)) for s, p in given if p != 0
        }
    if final_reward is None:
        return begin, None
    size = len(read.states)
    if not isinstance(final_reward, dict) and len(final_reward) != size:
        raise ModelError(f"final_reward: found {len(final_reward)} numbers, expected {size}, one a state")
    named = (
        final_reward.items()
        if isinstance(final_reward, dict)
        else zip(read.states, final_reward, strict=True)
    )
    return begin, {read.state(s): read.number(x, "final_reward", (s, "", "")) for s, x in named}


def _of_columns(
    columns: Outcomes, read: _Reader, ends: list[Any], start: Any, options: dict[str, Any]
) -> dict[str, Any] | None:
    """Return the arguments of MDP.from_rows for columns without faults; None where they have some."""
    names, normalize = (read.states, read.actions), bool(options.get("normalize"))
    mask = np.zeros(len(read.states), dtype=bool)
    arrays = None
    if (places := read.all_terminal(ends)) is not None:
        mask[places] = True
        arrays = arrays_of_columns(columns, *names, mask, normalize)
    if arrays is None:
        return None
    begin, last = _by_state(read, start, options.get("final_reward"))
    kept = {field: x for field, x in options.items() if field not in ("final_reward", "normalize")}
    if normalize and not read.exact:
        kept["normalize"] = True
    zero = Fraction(0) if read.exact else 0.0
    for what, given in (("start", begin), ("final_reward", last)):
        values = None if given is None else [given.get(s, zero) for s in range(len(read.states))]
        arrays[what] = None if values is None else floats_of(values)
        if values is not None and read.exact:
            rationals = RationalArray.of(Fraction(x) for x in values)
            arrays["exact"] = replace(arrays["exact"], **{what: rationals})
    return {
        **arrays,
        "terminal": mask,
        "states": read.states,
        "actions": read.actions,
        "copy": False,
        **kept,
    }


class _Reader(NamedTuple):
    """How the names and numbers of a list of outcomes are read."""

    states: Names
    actions: Names
    exact: bool

    def state(self, name: Any) -> int:
        at = self.states.find(_name(name))
        if at is None:
            raise ModelError(
                f"state {quoted(name)}: found no actions for it and no declaration, expected one"
                f"{closest(str(name), self.states) or '.'} Declare it terminal, or give it actions."
            )
        return at

    def terminal(self, state: Any) -> int:
        if self.states.find(_name(state)) is None and isinstance(state, str):
            near = closest(state, self.states)
            raise ModelError(f"terminal: found {quoted(state)}, expected one of `states`{near}")
        name = _name(state) if isinstance(state, float) else state
        return state_at(self.states, name, "terminal", by_name=True)

    def all_terminal(self, states: list[Any]) -> list[int] | None:
        """Return the indices of states; None where one is not told."""
        with suppress(ModelError):
            return [self.terminal(state) for state in states]
        return None

    def action(self, name: Any) -> int:
        at = self.actions.find(str(name))
        if at is None:
            raise ModelError(
                f"action {quoted(name)}: not among the actions{closest(str(name), self.actions)}"
            )
        return at

    def number(self, value: Any, what: str, where: Where) -> Number:
        """Return a number, exact where all are."""
        try:
            if isinstance(value, bool):
                raise ValueError
            made = as_fraction(value) if self.exact else as_number(value)
            if what == "probability" and not 0 <= made <= 1 + 2.0**-40:
                raise ModelError(
                    Fault(f"found {what} {escape(value)}, expected a number from 0 to 1", *where)
                )
            if self.exact or isinstance(made, float):
                return made
            if made and not nearest(made):
                what = f"found {what} {escape(value)}, which {UNDERFLOWS}. Give all numbers as texts or fractions"
                raise ModelError(Fault(what, *where))
            return nearest(made)
        except ModelError:
            raise
        except (ValueError, OverflowError, TypeError):
            infinite = str(value).lower() in ("-inf", "-infinity")
            cure = LEFT_OUT if infinite and what == "reward" else ""
            raise ModelError(
                Fault(f"found {what} {quoted(value)}, expected a number{cure}", *where)
            ) from None
