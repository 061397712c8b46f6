"""What a model says beside its rows: discount, sense, horizon, start and final reward, in any form."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tabular_rl.errors import Fault, ModelError, kind_text, quoted
from tabular_rl.model.names import Names, by_state
from tabular_rl.model.rationals import (
    UNDERFLOWS,
    RationalArray,
    as_fraction,
    as_number,
    calculated,
    nearest,
    spell,
)
from tabular_rl.model.rows import LARGEST, Floats, frozen, readonly

if TYPE_CHECKING:
    from tabular_rl.model.mdp import MDP

Sense = Literal["max", "min"]
A_START = "a state, {state: probability} or one probability a state"
AVERAGED = (
    "rewards are r(s, a): replace(r=...) dropped those of the outcomes, and samples do not vary by them"
)
NO_HORIZON = "final_reward: found with no horizon, expected both. Add a horizon."


def checked_gamma(gamma: Any) -> Fraction:
    """Return a discount as a rational in [0, 1]; ModelError otherwise."""
    if type(gamma) is Fraction and 0 <= gamma.numerator <= gamma.denominator:
        return gamma
    try:
        if isinstance(gamma, bool):
            raise ValueError
        value = calculated(gamma) if isinstance(gamma, str) else as_fraction(gamma)
    except (ValueError, OverflowError, TypeError):
        raise ModelError(f"gamma: found {quoted(gamma)}, expected a number from 0 to 1") from None
    if not 0 <= value <= 1:
        shown = spell(gamma) if isinstance(gamma, Fraction) else gamma
        raise ModelError(f"gamma: found {shown}, expected a number from 0 to 1")
    return value


def checked_sense(sense: Any) -> Sense:
    """Return a sense; ModelError where it is none."""
    known: tuple[Sense, ...] = ("max", "min")
    for one in known:
        if sense == one:
            return one
    raise ModelError(f"sense: found {quoted(sense)}, expected 'max' or 'min'")


def checked_horizon(horizon: Any) -> int | None:
    """Return a horizon as a number of decisions, or None; ModelError otherwise."""
    if horizon is None:
        return None
    whole = isinstance(horizon, (int, np.integer)) and not isinstance(horizon, bool)
    if not whole or not 0 < int(horizon) < 2**31:
        raise ModelError(
            f"horizon: found {quoted(horizon)}, expected a whole number of decisions, 1 to {2**31 - 1}"
        )
    return int(horizon)


def start_of(mdp: MDP, start: Any) -> tuple[Floats, RationalArray | None]:
    """Return the start distribution, and its exact numbers where all are; uniform where none is given.

    It is a state or {state: probability}, by name or index, or one probability a state.
    """
    if start is None and not mdp.terminal.any():
        return readonly(np.full(mdp.S, 1.0 / mdp.S)), None
    if start is None:
        live = ~mdp.terminal
        count = int(live.sum())
        return readonly(np.where(live, 1.0 / count, 0.0) if count else np.full(mdp.S, 1.0 / mdp.S)), None
    exact: list[Any] | None = None
    if not isinstance(start, np.ndarray) or start.dtype == object or start.ndim == 0:
        start = [_probability(p) for p in start_values(start, mdp.states)]
        if not any(isinstance(p, float) for p in start):
            exact, start = start, floats_of(start)
            if mdp.exact is None and any(p and not x for p, x in zip(exact, start, strict=True)):
                raise ModelError(f"start: found a probability that {UNDERFLOWS}")
    try:
        made = np.array(start, dtype=np.float64)
    except (ValueError, TypeError):
        raise ModelError(f"start: found {kind_text(start)}, expected {A_START}") from None
    _check_start(mdp, made, exact)
    return readonly(made), None if exact is None else RationalArray.of(exact)


def _check_start(mdp: MDP, made: Floats, exact: list[Any] | None) -> None:
    """Raise ModelError where numbers are no distribution over the states with actions."""
    if made.shape != (mdp.S,):
        raise ModelError(f"start: found shape {made.shape}, expected ({mdp.S},)")
    if not np.isfinite(made).all() or (made < 0).any():
        s = int(np.flatnonzero(~np.isfinite(made) | (made < 0))[0])
        raise ModelError(
            Fault(f"start: found {made[s]}, expected a probability from 0 to 1", state=mdp.states[s])
        )
    total = math.fsum(made)
    if abs(total - 1) > max(2, int(np.count_nonzero(made))) * 2.0**-52:
        raise ModelError(f"start: probabilities sum to {total!r}, expected 1")
    if exact is not None and sum(exact) != 1:
        raise ModelError(f"start: probabilities sum to {sum(exact)}, expected 1")
    ends = np.flatnonzero((made > 0) & mdp.terminal)
    if ends.size:
        raise ModelError(
            Fault("start: found a terminal state, expected one with actions", state=mdp.states[int(ends[0])])
        )


def start_values(start: Any, states: Names, *, by_name: bool = False) -> list[Any]:
    """Return one value a state of a start: a state, {state: probability}, or one probability a state.

    Parameters
    ----------
    start : in one of these forms; states by name or index
    states : their names
    by_name : take a whole number that is one state's name and another's index as the name; otherwise it is refused

    Returns
    -------
    List of S probabilities, as they were given and not looked at; 0 for states that are not named.

    Raises
    ------
    ModelError : no such state, one that is given twice, another number of entries, or another form

    Examples
    --------
    >>> start_values("low", Names(["high", "low"])), start_values({1: "1/2", 0: "1/2"}, Names(2))
    ([0, 1], ['1/2', '1/2'])
    """
    if hasattr(start, "to_dict") and getattr(start, "ndim", 0) == 1:  # a pandas Series
        start = start.to_dict()
    if isinstance(start, str) or (isinstance(start, Integral) and not isinstance(start, bool)):
        start = {start: 1}
    if isinstance(start, Mapping):
        found = by_state(start, states, "start", by_name=by_name)
        return [found.get(s, 0) for s in range(len(states))]
    if not isinstance(start, (Sequence, np.ndarray)) or (isinstance(start, np.ndarray) and not start.ndim):
        raise ModelError(f"start: found {kind_text(start)}, expected {A_START}")
    values = list(start)
    if len(values) != len(states):
        raise ModelError(f"start: found {len(values)} entries, expected {A_START} ({len(states)})")
    return values


def _probability(p: Any) -> Any:
    try:
        return as_number(p)
    except (ValueError, OverflowError, TypeError):
        raise ModelError(f"start: found {quoted(p)}, expected a probability from 0 to 1") from None


def final_reward_of(mdp: MDP, final: Any) -> tuple[Floats | None, RationalArray | None]:
    """Return the final reward, and its exact numbers where the model has such.

    It is {state: reward}, by name or index, one number a state, or None.
    """
    if final is None:
        return None, None
    if mdp.horizon is None:
        raise ModelError(NO_HORIZON)
    if isinstance(final, Mapping):
        found = by_state(final, mdp.states, "final_reward")
        final = [found.get(s, 0) for s in range(mdp.S)]
    floats, exact = numbers_of("final_reward", final, mdp.S, mdp.exact is not None)
    if floats[mdp.terminal].any():
        raise ModelError("final_reward: found one for a terminal state, expected 0 there")
    return floats, exact


def numbers_of(field: str, values: Any, size: int, exact: bool) -> tuple[Floats, RationalArray | None]:
    """Return one number an entry as floats, and as rationals where asked; ModelError with what is wrong.

    Parameters
    ----------
    field : what messages call it
    values : a list or an array of numbers, texts or fractions
    size : how many there must be
    exact : return rationals too; floats among the values are taken as the rationals that they are

    Returns
    -------
    Floats (size,), read-only, and the rationals; None in their place without `exact`.

    Raises
    ------
    ModelError : no number, one that is not finite or beyond 1e300, or another number of them
    """
    rationals = None
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        floats = frozen(field, values, np.float64, True)
    else:
        listable = isinstance(values, Sequence) and not isinstance(values, str)
        if not listable and not (isinstance(values, np.ndarray) and values.ndim == 1):
            raise ModelError(f"{field}: found {kind_text(values)}, expected {size} numbers")
        listed = []
        for i, value in enumerate(values):
            try:
                if isinstance(value, (bool, np.bool_)):
                    raise ValueError
                listed.append(as_number(value))
            except (ValueError, OverflowError, TypeError):
                raise ModelError(
                    f"{field}: found {quoted(value)} at position {i}, expected a number"
                ) from None
        floats = readonly(floats_of(listed))
        if exact and np.isfinite(floats).all():
            rationals = RationalArray.of(Fraction(x) for x in listed)
    if floats.shape != (size,):
        raise ModelError(f"{field}: found {len(floats)} numbers, expected {size}")
    if not (np.abs(floats) <= LARGEST).all():
        i = int(np.flatnonzero(~(np.abs(floats) <= LARGEST))[0])
        what = (
            f"{field}: found {float(floats[i])!r} at position {i}, expected a finite number up to {LARGEST:g}"
        )
        raise ModelError(what)
    if exact and rationals is None:
        rationals = RationalArray.of(map(Fraction, floats.tolist()))
    return floats, rationals


def floats_of(values: Iterable[Fraction | float]) -> Floats:
    """Return numbers as floats: a rational as its nearest."""
    return np.array([x if isinstance(x, float) else nearest(x) for x in values], dtype=np.float64)
