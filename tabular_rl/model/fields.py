"""Setting the fields of a model that is being made: its arrays, its start, its exact numbers and its rewards."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from tabular_rl.errors import ModelError
from tabular_rl.model.rationals import RationalArray, exact_sum
from tabular_rl.model.rows import PAGES, Room, check_r, expected_reward, frozen, readonly
from tabular_rl.model.settings import NO_HORIZON, numbers_of, start_of
from tabular_rl.model.validation import Facts, check_order, validate

if TYPE_CHECKING:
    from tabular_rl.model.mdp import MDP


def put(mdp: MDP, **fields: Any) -> None:
    """Set fields of a model, which is frozen to everybody else."""
    set_field = object.__setattr__
    for field, value in fields.items():
        set_field(mdp, field, value)


def put_exact(mdp: MDP, **rationals: Any) -> None:
    """Change exact numbers of a model that has such."""
    if mdp.exact is not None:
        put(mdp, exact=dataclasses.replace(mdp.exact, **rationals))


def put_start(mdp: MDP, start: Any) -> None:
    """Set the start of a model; exact numbers are kept where the start comes without."""
    floats, rationals = start_of(mdp, start)
    put(mdp, start=floats)
    if rationals is not None and mdp.exact is not None and mdp.exact.start is None:
        put_exact(mdp, start=rationals)


def complete(mdp: MDP) -> None:
    """Where the numbers are exact, make all of them exact: floats are their dyadics, a start divided by its sum."""
    if mdp.exact is None:
        return
    if mdp.start_given and mdp.exact.start is None:
        start = [Fraction(p) for p in mdp.start.tolist()]
        total = exact_sum(start)
        assert total is not None  # dyadics
        rationals = RationalArray.of(p / total for p in start)
        put_exact(mdp, start=rationals)
        put(mdp, start=readonly(rationals.floats()))
    if mdp.final_reward is not None and mdp.exact.final_reward is None:
        put_exact(mdp, final_reward=RationalArray.of(map(Fraction, mdp.final_reward.tolist())))


def put_rewards(mdp: MDP, changes: Mapping[str, Any]) -> None:
    """Set r, reward or both of a copy, and validate it: see `MDP.replace`."""
    correction = mdp.facts.correction
    exact = mdp.exact is not None
    had = mdp.reward is not None or mdp.averaged
    given, reward = changes.get("r"), changes.get("reward")
    if reward is not None:
        floats, rationals = numbers_of("reward", reward, mdp.K, exact)
        put(mdp, reward=floats)
        put_exact(mdp, reward=rationals, r=None)
        put(mdp, r=readonly(expected_reward(mdp)))
        if given is not None:
            floats, _ = numbers_of("r", given, mdp.L, False)
            check_r(mdp, floats)
            if not exact:
                put(mdp, r=floats)
    else:
        if given is None:
            if "r" in changes:
                raise ModelError(f"r: found None, expected {mdp.L} numbers, one a pair of state and action")
            given = [mdp.rational(i)[1] for i in range(mdp.L)] if exact else mdp.r
        floats, rationals = numbers_of("r", given, mdp.L, exact)
        put(mdp, reward=None, r=floats)
        put_exact(mdp, reward=None, r=rationals)
    put(mdp, averaged=had and reward is None, on_entry=False)
    put(mdp, _facts=validate(mdp, correction))


def put_arrays(mdp: MDP, copy: bool, arrays: Mapping[str, Any], apart: Collection[str]) -> Room | None:
    """Set the arrays of a model whose names are set, each frozen, in the smallest integers that do.

    Parameters
    ----------
    mdp : the model, in the making
    copy : copy the arrays; otherwise share those that are already as needed
    arrays : {name: array or None}; `pair_action` (L,) and `next_state` (K,) must be among them
    apart : names of those that may be dropped before the others, and have memory of their own

    Returns
    -------
    Memory that has room for the expected rewards (L,) beside the copies; None where they have their own.

    Raises
    ------
    ModelError : an array with other than one dimension, or numbers that do not fit
    """
    L, K, most = np.size(arrays["pair_action"]), np.size(arrays["next_state"]), 2**31
    small = np.int32 if max(L, len(mdp.states), len(mdp.actions)) < most else np.int64
    pointer = np.int32 if small is np.int32 and K < most else np.int64
    kinds: dict[str, Any] = {
        "pair_ptr": small, "pair_action": small, "row_ptr": pointer, "next_state": small, "terminal": np.bool_,
    }  # fmt: skip
    room = None
    if copy and 16 * K + 32 * L >= PAGES:  # else it is surely too small
        sizes = {field: np.dtype(kind).itemsize for field, kind in kinds.items()}
        together = [field for field, x in arrays.items() if x is not None and field not in apart]
        room = Room(sum(np.size(arrays[x]) * sizes.get(x, 8) for x in together) + 8 * L)
    made = {
        field: None
        if values is None
        else frozen(field, values, kinds.get(field, np.float64), copy, None if field in apart else room)
        for field, values in arrays.items()
    }
    put(mdp, **made)
    return room


def finish(
    mdp: MDP,
    start: Any,
    copy: bool,
    correction: float,
    lazy: Callable[[MDP], AbstractContextManager[None]] | None,
) -> None:
    """Set the start of a model and validate it; with `lazy`, inside of that and when its contents are first needed.

    Parameters
    ----------
    mdp : the model, whose arrays are set
    start : a state, {state: probability}, or (S,) probabilities; None for uniform; with `lazy` an array or None
    copy : with `lazy`, copy the start; otherwise share it
    correction : the largest change that `normalize` made to a probability
    lazy : makes the context in which the contents are validated later; None to validate them now

    Raises
    ------
    ModelError : what is wrong with the start, the final rewards or the contents
    """
    later = lazy is None and start is None and not mdp.start_given
    if lazy is None and not later:
        put_start(mdp, start)
    elif lazy is not None:
        put(mdp, start=None if start is None else frozen("start", start, np.float64, copy))
    if mdp.final_reward is not None and mdp.horizon is None:
        raise ModelError(NO_HORIZON)
    if lazy is None:
        complete(mdp)
        put(mdp, _facts=validate(mdp, correction))
        if later:  # where memory was that is free by now
            put_start(mdp, None)
        return

    def look(model: MDP) -> Facts:
        with lazy(model):
            check_order(model)
            if model.start_given:
                start_of(model, model.start)
            return validate(model, correction)

    put(mdp, _facts=look)
