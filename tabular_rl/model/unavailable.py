"""Pairs of a state and an action that rewards mark as unavailable: -inf, or inf where rewards are costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tabular_rl.errors import Fault, ModelError, kind_text
from tabular_rl.model.rows import Floats, Ints

MARKS = {"-inf": -math.inf, "inf": math.inf}
Arrays = dict[str, Any]


def mark_of(unavailable: Any) -> float | None:
    """Return the reward that marks a pair, None for none.

    >>> mark_of("-inf"), mark_of(-math.inf), mark_of(None)
    (-inf, -inf, None)
    """
    if isinstance(unavailable, (float, np.floating)) and math.isinf(unavailable):
        return float(unavailable)
    if unavailable is None or (isinstance(unavailable, str) and unavailable in MARKS):
        return None if unavailable is None else MARKS[unavailable]
    raise ModelError(f"unavailable: found {kind_text(unavailable)}, expected '-inf', 'inf' or None")


def without_unavailable(arrays: Arrays, mark: float) -> Arrays:
    """Return the arrays of a model without the rows whose reward is the mark.

    Parameters
    ----------
    arrays : pair_ptr, pair_action, row_ptr, next_state, prob, and reward or r
    mark : -inf or inf

    Returns
    -------
    The same where no row has it.

    Raises
    ------
    ModelError : an action has the mark for some of its next states only
    """
    lengths = np.diff(arrays["row_ptr"])
    states = np.repeat(np.arange(len(arrays["pair_ptr"]) - 1), np.diff(arrays["pair_ptr"]))
    if arrays["r"] is not None:
        gone = arrays["r"] == mark
    else:
        marked = arrays["reward"] == mark
        count = np.bincount(np.repeat(np.arange(len(lengths)), lengths)[marked], minlength=len(lengths))
        gone = (count == lengths) & (count > 0)
        mixed = np.flatnonzero((count > 0) & ~gone)
        if mixed.size:
            i = int(mixed[0])
            what = (
                f"found reward {mark} for {count[i]} of {lengths[i]} next states, expected it for all or none"
            )
            names = arrays["states"], arrays["actions"]
            place = names[0][int(states[i])], names[1][int(arrays["pair_action"][i])]
            raise ModelError(Fault(what, *place))
    if not gone.any():
        return arrays
    kept, outcomes = ~gone, np.repeat(~gone, lengths)
    made = dict(arrays)
    for field, last in (("pair_ptr", np.bincount(states[kept], minlength=len(arrays["pair_ptr"]) - 1)),
                        ("row_ptr", lengths[kept])):  # fmt: skip
        made[field] = np.append(0, np.cumsum(last)).astype(arrays[field].dtype)
    for field, which in (("pair_action", kept), ("r", kept), ("next_state", outcomes), ("prob", outcomes),
                         ("reward", outcomes)):  # fmt: skip
        made[field] = None if arrays[field] is None else arrays[field][which]
    return made


def unmarked(
    of_state: Callable[[int], tuple[Floats, bool]], may_pay: Callable[[Ints], Ints], mark: float
) -> tuple[Callable[[int], tuple[Floats, bool]], Callable[[Ints], Ints]]:
    """Return what gives the rewards of a state, without the mark; and what tells which states may have any.

    Parameters
    ----------
    of_state, may_pay : the same with the mark
    mark : -inf or inf

    Returns
    -------
    (of_state, may_pay)
    """

    def rest(s: int) -> tuple[Floats, bool]:
        values, by_transition = of_state(s)
        return values[values != mark], by_transition

    return rest, may_pay


def with_way_out(
    error: ModelError, ended: str, left_out: str, sense: Any, turned: Callable[[], str]
) -> ModelError:
    """Return the error of a model of tensors that names what tensors have for it.

    Parameters
    ----------
    error : as validation raised it
    ended, left_out : what it says of a terminal state that has rows, and of an infinite reward
    sense : "min" where rewards are costs, of which inf is the worst
    turned : () -> the axes under which rows would sum to 1, as a sentence

    Returns
    -------
    ModelError, whose faults name `unavailable`, or the rows of P.
    """
    faults = [
        _with_way_out(fault, ended, left_out, "inf" if sense == "min" else "-inf") for fault in error.faults
    ]
    at = next((i for i, fault in enumerate(faults) if " sum to " in fault.what), None)
    if at is not None and (hint := turned()):
        faults[at] = replace(faults[at], what=f"{faults[at].what} {hint}")
    return ModelError(faults, error.source)


def _with_way_out(fault: Fault, ended: str, left_out: str, mark: str) -> Fault:
    fault = replace(fault, what=fault.what.replace("or load with --normalize", "or say --normalize"))
    if f"reward {mark}," in fault.what:
        way = f' If it marks an action that is unavailable, say unavailable="{mark}", or set its row of P to zero.'
        return replace(fault, what=fault.what.removesuffix(left_out).rstrip(".") + "." + way)
    if fault.what == ended:
        what = "is declared terminal and has probabilities in P, expected one or the other. Its value is 0: "
        return replace(fault, what=what + "set these rows to zero, or leave it out of terminal=.")
    return fault
