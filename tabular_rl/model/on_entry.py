"""Rewards that stand at terminal states, which are paid by whoever enters these."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import numpy as np

from tabular_rl.errors import Fault, ModelError, quoted
from tabular_rl.model.names import Names
from tabular_rl.model.rationals import nearest, spell
from tabular_rl.model.rows import LARGEST, Floats, Ints

ON_ENTRY = "on entry"


def terminal_reward(
    of_state: Callable[[int], tuple[Any, bool]],
    ends: Iterable[int],
    names: Names,
    option: str | None,
    *,
    spelled: str = "terminal_rewards='on entry'",
    report: Callable[[Fault, int], None] | None = None,
) -> dict[int, Any]:
    """Return the rewards R(g) of the terminal states g that have one, which are to be paid on entry.

    Without the option, a reward there is a fault, since a terminal state takes no actions and never collects it. With
    it, R(g) must be one number, whatever the action.

    Parameters
    ----------
    of_state : `of_state(g)` gives the rewards that stand at g, and whether they belong to transitions
    ends : indices of the terminal states
    names : those of the states
    option : "on entry", or None
    spelled : how a user gives the option, for messages
    report : takes each fault with its state; without it, the first is raised

    Returns
    -------
    {state index: R(g)}, without the states that have none or a fault.

    Raises
    ------
    ModelError : the first fault, without `report`
    """
    paid: dict[int, Any] = {}
    for g in map(int, ends):
        values, by_transition = of_state(g)
        given = [x for x in values if x != 0]  # NaN too
        if not given:
            continue
        what = f"terminal state {quoted(names[g])} has reward {_text(given[0])}"
        if option is None:
            what += ", which is never collected: put it on the transitions into it"
            what += "" if by_transition else f", or say {spelled}"
        elif by_transition:
            what += " on a transition of its own, which it never takes: put it on the transitions into it"
        elif not all(-LARGEST <= x <= LARGEST for x in values):
            what += f", expected a finite number up to {LARGEST:g}"
        elif any(x != given[0] for x in values):
            other = next(x for x in values if x != given[0])
            what += (
                f" for one action and {_text(other)} for another, expected one number: it is paid on entry"
            )
        else:
            paid[g] = given[0]
            continue
        fault = Fault(what)
        if report is None:
            raise ModelError(fault)
        report(fault, g)
    return paid


def _text(x: Any) -> str:
    return spell(x)[:40] if isinstance(x, Fraction) else f"{float(x):.12g}"


def entry_reward(own: Any, gamma: Any, paid: Any) -> Any:
    """Return r + γ R(g), the reward of a transition into a terminal state g that pays R(g) on entry.

    Rationals give a rational; floats are added exactly and rounded once.

    Parameters
    ----------
    own : r, the reward of the transition itself
    gamma : the discount, as a fraction
    paid : R(g)

    Returns
    -------
    A float where `own` is one, else a rational. What is not finite stays as it is.

    Examples
    --------
    >>> entry_reward(Fraction(-3), Fraction(9, 10), Fraction(100)), entry_reward(-3.0, Fraction(1, 2), 100.0)
    (Fraction(87, 1), 47.0)
    """
    if isinstance(own, float):
        if not -LARGEST <= own <= LARGEST:
            return own
        return nearest(Fraction(own) + Fraction(gamma) * Fraction(paid))
    return own + gamma * paid


def with_entry(own: Floats, to: Ints, paid: dict[int, float], gamma: Fraction) -> Floats:
    """Return rewards with γ R(g) added to that of each transition into g.

    Parameters
    ----------
    own : r(s,a,s') of each transition (K,)
    to : its next state (K,)
    paid : {g: R(g)}
    gamma : the discount

    Returns
    -------
    (K,), each number added exactly and rounded once.
    """
    made = np.array(own, dtype=np.float64)
    for g, value in paid.items():
        into = np.flatnonzero(to == g)
        different, which = np.unique(made[into], return_inverse=True)
        made[into] = np.array([entry_reward(x, gamma, float(value)) for x in different.tolist()])[which]
    return made
