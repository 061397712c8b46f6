"""From what a user says to do in each state to rows or probabilities, and what must hold of these."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tabular_rl.errors import OptionError, quoted
from tabular_rl.model.names import Names
from tabular_rl.model.rationals import DIGITS, RationalArray, as_fraction, exact_sum, shown
from tabular_rl.model.rows import Floats, Ints
from tabular_rl.model.settings import floats_of

if TYPE_CHECKING:
    from tabular_rl.model.mdp import MDP

TERMINAL = "a terminal state has none, expected -1 in an array, None in a list, or nothing"


def rows_of_actions(mdp: MDP, actions: Mapping[Any, Any] | ArrayLike) -> Ints:
    """Return the rows (S,) or (T, S) of one action a state, in the forms that `Policy.of_actions` takes."""
    if isinstance(actions, Mapping):
        chosen = np.full(mdp.S, -1, dtype=np.int64)
        for state, action in actions.items():
            s = index_of(mdp.states, state, "state")
            chosen[s] = -1 if action is None else index_of(mdp.actions, action, "action")
    else:
        chosen = array_of(actions, "actions of a policy")
        if chosen.dtype.kind in "UO":
            given = np.asarray(actions, dtype=object)
            listed = [-1 if x is None else index_of(mdp.actions, x, "action") for x in given.ravel().tolist()]
            chosen = np.reshape(np.array(listed, dtype=np.int64), given.shape)
        if chosen.dtype.kind not in "iu":
            raise OptionError(f"actions of a policy: found {chosen.dtype}, expected whole numbers, or names")
    if chosen.shape[-1:] != (mdp.S,) or chosen.ndim > 2:
        raise OptionError(
            f"actions of a policy: found shape {chosen.shape}, expected ({mdp.S},), or (T, {mdp.S})"
        )
    rows = np.empty(chosen.shape, dtype=mdp.pair_ptr.dtype)
    for at in range(chosen.shape[0]) if chosen.ndim == 2 else (...,):
        rows[at] = _rows_of_indices(mdp, chosen[at])
    return rows


def probs_of_mapping(mdp: MDP, probs: Mapping[Any, Any]) -> tuple[Floats, RationalArray | None]:
    """Return the probabilities (L,) of {state: {action: p}}, and as rationals where none is a float."""
    listed, exact = [Fraction(0)] * mdp.L, True
    for state, row in probs.items():
        s = index_of(mdp.states, state, "state")
        row = row if isinstance(row, Mapping) else {} if row is None else {row: 1}
        for action, p in row.items():
            a = index_of(mdp.actions, action, "action")
            try:
                i = mdp.row(s, a)
                exact = exact and not isinstance(p, float)
                listed[i] = as_fraction(p)
            except KeyError:
                raise unavailable(mdp, s, a) from None
            except (ValueError, OverflowError, TypeError):
                raise OptionError(
                    f"policy: state {quoted(state)}, action {quoted(action)}: found {quoted(p)}, expected a probability"
                ) from None
    values = floats_of(listed)
    if not exact:
        return values, None
    check_probs(mdp, values, listed)
    return values, RationalArray.of(listed)


def index_of(names: Names, name: Any, what: str) -> int:
    """Return the index of a state or an action that a policy names.

    Parameters
    ----------
    names : those of the states, or of the actions
    name : a name, or an index
    what : "state" or "action", for messages

    Returns
    -------
    The index, from 0.

    Raises
    ------
    OptionError : no such name or index, or the name of one and the index of another
    """
    try:
        return names.at(name, what)
    except OptionError as error:
        raise type(error)(f"policy: {error}") from None


def array_of(given: Any, what: str, dtype: Any = None) -> NDArray[Any]:
    """An array of what is given, or an OptionError that says what it is.

    Parameters
    ----------
    given : numbers or names, in lists or arrays
    what : what messages call it
    dtype : of the array; None as NumPy finds it

    Returns
    -------
    Array in the shape of what is given.

    Raises
    ------
    OptionError : lists of different lengths, or what does not fit the dtype
    """
    try:
        return np.asarray(given, dtype=dtype)
    except (ValueError, TypeError):
        found = (
            "lists of different lengths, or no numbers"
            if isinstance(given, (list, tuple))
            else type(given).__name__
        )
        raise OptionError(f"{what}: found {found}, expected an array of numbers") from None


def by_pair(mdp: MDP, given: Any, what: str) -> Floats:
    """Numbers for pairs, (L,) or a table (S, A), as (L,); with a time axis in front of either as (T, L).

    Parameters
    ----------
    mdp : the model
    given : the numbers; in a table, those of pairs that are not available are passed over
    what : what messages call them

    Returns
    -------
    (L,) or (T, L), in the order of the rows.

    Raises
    ------
    OptionError : no numbers, or another shape
    """
    values = np.asarray(array_of(given, what, np.float64))
    if values.ndim in (2, 3) and values.shape[-2:] == (mdp.S, mdp.A):
        return np.ascontiguousarray(values[..., mdp.pair_state, mdp.pair_action])
    if values.ndim in (1, 2) and values.shape[-1] == mdp.L:
        return values
    raise OptionError(
        f"{what}: found shape {values.shape}, expected ({mdp.L},), a number for each pair, or ({mdp.S}, {mdp.A})"
    )


def _rows_of_indices(mdp: MDP, chosen: Ints) -> Ints:
    """Turn one action index a state into one row a state."""
    table_row = np.full(mdp.S, -1, dtype=np.int64)
    match = mdp.pair_action == chosen[mdp.pair_state]
    hit = np.flatnonzero(match)
    table_row[mdp.pair_state[hit]] = hit
    wrong = np.flatnonzero((table_row < 0) & (~mdp.terminal | (chosen >= 0)))
    if wrong.size:
        s = int(wrong[0])
        raise (
            fault(mdp, s, "found no action, expected one")
            if chosen[s] < 0
            else unavailable(mdp, s, int(chosen[s]))
        )
    return table_row


def live_states(mdp: MDP) -> tuple[NDArray[np.bool_], NDArray[np.intp], Ints]:
    """Return which states have rows (S,), and of those the first row and how many."""
    counts = np.diff(mdp.pair_ptr)
    live = counts > 0
    return live, mdp.pair_ptr[:-1][live].astype(np.intp), counts[live]


def check_rows(mdp: MDP, rows: NDArray[Any]) -> None:
    """Check that each state has one of its own rows, and a terminal state -1."""
    if rows.shape[-1:] != (mdp.S,) or rows.ndim > 2 or rows.dtype.kind not in "iu":
        raise OptionError(
            f"rows of a policy: found {rows.dtype} {rows.shape}, expected one row for {mdp.S} states"
        )
    first, last = mdp.pair_ptr[:-1], mdp.pair_ptr[1:]
    good = ((rows >= first) & (rows < last)) | ((rows == -1) & (first == last))
    if not good.all():
        wrong, live = np.argwhere(~good), last > first
        s = int(wrong[0][-1])
        expected = (
            f"one of {mdp.pair_ptr[s]} to {mdp.pair_ptr[s + 1] - 1}" if live[s] else "-1, a terminal state"
        )
        raise fault(mdp, s, f"found row {rows[tuple(wrong[0])]}, expected {expected}")


def check_probs(mdp: MDP, values: Floats, exact: Sequence[Fraction] | None = None) -> None:
    """Check that each state's probabilities (L,) are in [0, 1] and sum to 1; OptionError otherwise.

    Parameters
    ----------
    mdp : the model
    values : (L,) π(a|s) of each row
    exact : the same as fractions, which must sum to exactly 1; None where the floats are all there is

    Raises
    ------
    OptionError : the first state where it does not hold, or another shape
    """
    if values.shape != (mdp.L,):
        raise OptionError(
            f"policy: found shape {values.shape}, expected ({mdp.L},): a probability for each pair"
        )
    bad = np.flatnonzero(~((values >= 0) & (values <= 1 + 2.0**-40)))
    if bad.size:
        i = int(bad[0])
        what = f"found probability {float(values[i])!r}, expected a number from 0 to 1"
        raise fault(mdp, mdp.state_of_row(i), what, int(mdp.pair_action[i]))
    live, starts, counts = live_states(mdp)
    doubtful = np.flatnonzero(live)
    if exact is None and values.size:
        doubtful = doubtful[np.abs(np.add.reduceat(values, starts) - 1) > counts * 2.0**-54]
    for s in doubtful.tolist():
        rows = mdp.rows(s)
        if exact is not None:
            total: Any = exact_sum(exact[i] for i in rows)
            wrong = total != 1
            total = f"a fraction of more than {DIGITS:,} digits" if total is None else shown(total)
        else:
            total = math.fsum(values[i] for i in rows)
            wrong = abs(total - 1) > len(rows) * 2.0**-52
        if wrong and not any((values if exact is None else exact)[i] for i in rows):
            raise fault(mdp, s, "found no action, expected one, or probabilities that sum to 1")
        if wrong:
            raise fault(mdp, s, f"probabilities sum to {total}, expected 1")


def fault(mdp: MDP, s: int, what: str, a: int | None = None) -> OptionError:
    """The error for what a policy does in a state.

    Parameters
    ----------
    mdp : the model
    s : index of the state
    what : what was found, and what was expected
    a : index of the action, which need not be one of the model; None where none is meant

    Returns
    -------
    OptionError, for the caller to raise.
    """
    action = "" if a is None else f", action {quoted(mdp.actions[a]) if 0 <= a < mdp.A else a}"
    return OptionError(f"policy: state {quoted(mdp.states[s])}{action}: {what}")


def unavailable(mdp: MDP, s: int, a: int) -> OptionError:
    """The error for an action that a state does not have.

    Parameters
    ----------
    mdp : the model
    s, a : indices of the state and of the action; the latter need not be one of the model

    Returns
    -------
    OptionError with the actions that the state has, for the caller to raise.
    """
    available = ", ".join(quoted(mdp.actions[int(mdp.pair_action[i])]) for i in mdp.rows(s))
    expected = f"not available, expected one of {available}"
    return fault(mdp, s, expected if available else TERMINAL, a)
