"""The iterates of a method as a table: a line a state, a column a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tabular_rl.analysis.iterates import Iterate, Iterates
from tabular_rl.errors import escape
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import aligned, exact_or_decimal, fraction_text, plural
from tabular_rl.model.rationals import nearest, spell
from tabular_rl.report.blocks import Block, Lines, Report, Sheet, Table
from tabular_rl.report.views import iterates_picture
from tabular_rl.report.words import action_of, header, listed

DIGITS = 10  # of a number that is shown; all are in JSON
SHOWN = 200  # states that are shown without --all


@dataclass(frozen=True)
class IteratesReport(Report):
    """The values of each step, and the policies beside them.

    `everything` shows every state, `only` some states.
    """

    found: Iterates
    everything: bool = False
    only: list[int] | None = None

    def blocks(self) -> list[Block]:
        found, mdp = self.found, self.found.mdp
        states = self.only or range(mdp.S if self.everything else min(mdp.S, SHOWN))
        rows = [[escape(mdp.states[s])] for s in states]
        headers = ["state"]
        for step in found:
            for title, texts in _columns(found, step, states):
                headers.append(title)
                for row, text in zip(rows, texts, strict=True):
                    row.append(text)
        table = Table(headers, rows, left=",".join(h for h in headers if h[0] in "sπ"), fold=1)
        below = [] if len(rows) == mdp.S or self.only else [f"{mdp.S} states; --all shows them all"]
        return [Lines([f"{header(mdp)}; {found.method}"]), table, Lines([*below, *_sentences(found)])]

    def entries(self) -> dict[str, Any]:
        found, mdp = self.found, self.found.mdp
        return {
            "schema": "tabular-rl iterates",
            "version": 1,
            "model": mdp.name,
            "digest": mdp.digest,
            "method": found.method,
            "order": found.order,
            "steps": [_entry(found, step) for step in found],
        }

    def sheet(self) -> Sheet:
        """k,state,value,action: the values of all steps below each other."""
        found, mdp = self.found, self.found.mdp

        def blocks() -> Iterator[list[list[Any]]]:
            for step in found:
                actions = _actions(step)
                values = step.v.tolist() if step.exact is None else [spell(x) for x in step.exact]
                yield [[step.k, mdp.states[s], values[s], actions[s]] for s in range(mdp.S)]

        return Sheet(
            ["t" if found.method == "backward-induction" else "k", "state", "value", "action"], blocks()
        )

    def picture(self, what: str = "") -> list[Block]:
        return iterates_picture(self.found, self.only, what)


def _columns(found: Iterates, step: Iterate, states: Any) -> Iterator[tuple[str, list[str]]]:
    """The header and the texts of the columns of one step: its policy, where one belongs to it, and its values."""
    by_policy = found.method == "policy-iteration"
    if step.policy is not None and (by_policy or found.method == "backward-induction"):
        actions = _actions(step, short=True)
        yield f"π_{step.k}", [escape(actions[s] or "") for s in states]
    values = [fraction_text(step.exact[s]) if step.exact else _decimal(float(step.v[s])) for s in states]
    yield (f"v of π_{step.k}" if by_policy else f"V_{step.k}"), values if step.exact else aligned(values)


def _decimal(x: float) -> str:
    """A number as it is where it is short, else to some digits.

    >>> _decimal(2.75), _decimal(1 / 3)
    ('2.75', '0.3333333333')
    """
    return f"{x + 0.0:.{DIGITS}g}"


def _actions(step: Iterate, short: bool = False) -> list[str | None]:
    """The name of the action of each state, or its actions with probabilities; None where there is none."""
    policy = step.policy
    if policy is None:
        return [None] * len(step.v)
    if policy.rows is None:
        shares = policy.rationals()
        return [_mixture(policy.mdp, s, shares, short) for s in range(policy.mdp.S)]
    return [action_of(policy.mdp, int(i)) if i >= 0 else None for i in policy.rows]


def _mixture(mdp: MDP, s: int, shares: list[Fraction], short: bool) -> str | None:
    """The actions of a state with their probabilities; in short where all of them are taken equally often."""
    rows = [i for i in mdp.rows(s) if shares[i]]
    if len(rows) < 2:
        return action_of(mdp, rows[0]) if rows else None
    if short and len(rows) == len(mdp.rows(s)) and len({shares[i] for i in rows}) == 1:
        return f"each {shares[rows[0]]}"
    return ", ".join(f"{action_of(mdp, i)} {exact_or_decimal(shares[i], nearest(shares[i]))}" for i in rows)


def _entry(found: Iterates, step: Iterate) -> dict[str, Any]:
    mdp = found.mdp
    names = [mdp.states[s] for s in range(mdp.S)]
    entry: dict[str, Any] = {
        "t" if found.method == "backward-induction" else "k": step.k,
        "values": dict(zip(names, step.v.tolist(), strict=True)),
    }
    if step.exact is not None:
        entry["exact"] = dict(zip(names, map(spell, step.exact), strict=True))
    if step.policy is not None:
        entry["policy"] = {name: chosen for name in names if (chosen := _chosen(step.policy[name]))}
        entry["changed"] = [names[s] for s in step.changed]
    return entry


def _chosen(actions: Any) -> Any:
    """What a policy does in a state: an action, or {action: p} of those that it takes; None where it does nothing."""
    if not isinstance(actions, dict):
        return actions
    taken = {action: p for action, p in actions.items() if p}
    return next(iter(taken)) if len(taken) == 1 else taken or None


def _sentences(found: Iterates) -> list[str]:
    """How the sweeps go, and which states changed their action in each step."""
    mdp, lines = found.mdp, []
    if found.method in ("value-iteration", "policy-evaluation"):
        lines.append(f"sweeps: {found.order}")
    for step in found[1:]:
        if step.changed:
            where = listed(mdp, np.array(step.changed))
            at = f"t = {step.k}" if found.method == "backward-induction" else f"step {step.k}"
            lines.append(f"{at}: the action changed in {plural(len(step.changed), 'state')} ({where})")
    if found.method == "policy-iteration" and found.ended:
        lines.append(f"π_{found[-1].k} is the end: no action is better")
    return lines
