"""The rules in plain Python, right or with a known mistake in them.

A table is a list, one number a state; a list of lists, one number a state and action; or two of these, for double
Q-learning. The rules are written for being read; the package's own learners are tested against them, and they against
hand calculations. `episodes.py` has those that learn from more than one transition at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabular_rl.testing.episodes import learned_from_episodes
from tabular_rl.testing.rules import EPISODIC, Rule, StepSizes, Transition, bootstraps, left_out


def _copied(table: Any) -> Any:
    """Return a copy of a table of lists."""
    return [_copied(row) for row in table] if isinstance(table, list) else table


def learned_by(
    rule: Rule,
    transitions: Sequence[Transition],
    table: Any,
    *,
    gamma: float,
    pi: Sequence[Sequence[float]],
    mistake: str | None = None,
    coins: Sequence[int] | None = None,
) -> Any:
    """Return the table after the transitions, learned by a rule, or by one with a mistake in it.

    Parameters
    ----------
    rule : with its numbers
    transitions : in the order in which they are learned from
    table : at the start, as lists, which are not changed: (S,), (S, A) or, of double Q-learning, (2, S, A)
    gamma : γ
    pi : π (S, A), for expected-sarsa
    mistake : a key of `MISTAKES`; None for the rule itself; "in order" for Monte Carlo visits from first to last
    coins : which table of double Q-learning learns from each transition (N,), 0 or 1; the first where it is None

    Returns
    -------
    The table, as lists of the same shape.

    Examples
    --------
    >>> from tabular_rl.solving.schedules import Schedule
    >>> one = [Transition(0, 0, 1.0, 1, False), Transition(1, 0, 0.0, 2, True)]
    >>> learned_by(Rule("td0", Schedule.of(0.5)), one, [0.0, 4.0, 99.0], gamma=0.5, pi=[[1.0]] * 3)
    [1.5, 2.0, 99.0]
    """
    if rule.name in EPISODIC:
        return learned_from_episodes(rule, transitions, table, gamma, mistake)
    tables = _copied(table) if rule.name == "double-q-learning" else [_copied(table)]
    step_sizes = StepSizes(rule, mistake)
    for k, t in enumerate(transitions):
        if left_out(k, len(transitions), mistake):
            continue
        coin = coins[k] if coins is not None and len(tables) == 2 else 0
        for own in (0, 1) if mistake == "both learn" else (coin,):
            alpha = step_sizes.next((own, t.s) if mistake == "count of s" else rule.entry(t, own))
            chooses, values = tables[own], tables[1 - own] if len(tables) == 2 else tables[own]
            if mistake in ("own values", "other chooses"):
                chooses = values = tables[own if mistake == "own values" else 1 - own]
            changed = t.s2 if mistake == "updates s'" else t.s
            row, at = (tables[own], changed) if rule.of_states else (tables[own][changed], t.a)
            before = row[at]
            if mistake == "early":
                row[at] *= 1 - alpha
            after = 0.0
            if bootstraps(t.done, mistake):
                following = transitions[k + 1] if k + 1 < len(transitions) else t
                a2 = following.a2 if mistake == "action after next" and following.a2 is not None else t.a2
                after = _value_of_next(rule.name, chooses, values, t._replace(a2=a2), pi, mistake)
            r = t.r
            if mistake == "reward of the next" and k + 1 < len(transitions):
                r = transitions[k + 1].r
            target = r + (1.0 if mistake == "no discount" else gamma) * after
            row[at] = before + alpha * (target - before)
    return tables if rule.name == "double-q-learning" else tables[0]


def _value_of_next(
    rule: str, chooses: Any, values: Any, t: Transition, pi: Sequence[Sequence[float]], mistake: str | None
) -> float:
    """What a rule takes s' to be worth: by `chooses` it looks for the best action, by `values` it values it."""
    at = t.s if mistake in ("values at s", "all at s") else t.s2
    if rule == "td0":
        return float(values[at])
    if mistake == "same action":
        return float(values[at][t.a])
    if mistake == "action 0":
        return float(values[at][0])
    if mistake == "mean":
        return float(sum(values[at]) / len(values[at]))
    if rule == "sarsa" and mistake != "maximum":
        return float(values[at][t.a if t.a2 is None else t.a2])
    if (rule in ("q-learning", "double-q-learning") and mistake != "expectation") or mistake == "maximum":
        best = chooses[t.s if mistake == "index at s" else at]
        return float(values[at][best.index(max(best))])
    weights = pi[t.s if mistake in ("policy at s", "all at s") else t.s2]
    return float(sum(w * x for w, x in zip(weights, values[at], strict=True)))
