"""The one-step rules in plain Python, and the mistakes that are made with them.

A table is a list, one number a state, or a list of lists, one number a state and action. The rules here are written
for being read; the package's own learners are tested against them, and they against hand calculations.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from tabular_rl.errors import OptionError, closest, quoted
from tabular_rl.schedules import Schedule

RULES = {
    "td0": "v(s) ← v(s) + α [ r + γ v(s') - v(s) ]",
    "sarsa": "q(s,a) ← q(s,a) + α [ r + γ q(s',a') - q(s,a) ]",
    "expected-sarsa": "q(s,a) ← q(s,a) + α [ r + γ Σ_a' π(a'|s') q(s',a') - q(s,a) ]",
    "q-learning": "q(s,a) ← q(s,a) + α [ r + γ max_a' q(s',a') - q(s,a) ]",
}

# What is said when a mistake fits; the keys are how `learned_by` is told of them.
MISTAKES = {
    "policy at s": "the policy is read at s in place of s'",
    "maximum": "the maximum over the next actions is taken in place of the expectation",
    "expectation": "the expectation over the next actions is taken in place of the maximum",
    "mean": "the mean over all next actions is taken",
    "same action": "q(s', a) of the same action is read in place of q(s', a')",
    "minus": "the sign is wrong: the table goes away from the target (minus for plus)",
    "no discount": "the discount γ is missing",
    "no mask": "the mask of terminal states is missing: the value of a terminal s' is read, which must count 0",
    "no bootstrap": "the value of s' is missing from the target",
    "updates s'": "the entry of s' is updated in place of that of s",
    "last left out": "off by one: the last transition is not learned from",
    "first left out": "off by one: the first transition is not learned from",
    "count from 2": "off by one: the count n of the step size is one too high",
    "root": "the step size is 1/√n in place of 1/n",
    "1% too large": "the step size is 1% too large",
    "replaces": "the target replaces the estimate: the step size is 1",
    "reward of the next": "off by one: the reward of the following transition is used",
}


class Transition(NamedTuple):
    """(s, a, r, s', done), and the next action a' where it is known."""

    s: int
    a: int
    r: float
    s2: int
    done: bool
    a2: int | None = None


def known_rule(name: str) -> str:
    """Return the name of a rule; OptionError lists them."""
    name = {"q-evaluation": "expected-sarsa", "sarsa-evaluation": "sarsa"}.get(name, name)
    if name not in RULES:
        raise OptionError(
            f"rule {quoted(name)}: no such rule{closest(name, RULES) or '.'} Rules: {', '.join(RULES)}."
        )
    return name


def mistakes_of(rule: str, schedule: Schedule) -> list[str]:
    """The mistakes that can be made with a rule."""
    no = {
        "td0": {"policy at s", "maximum", "expectation", "mean", "same action"},
        "sarsa": {"policy at s", "expectation"},
        "expected-sarsa": {"expectation"},
        "q-learning": {"policy at s", "maximum"},
    }[rule]
    if schedule.kind == "constant":
        no = no | {"count from 2", "root"}
    return [name for name in MISTAKES if name not in no]


def learned_by(
    rule: str,
    transitions: Sequence[Transition],
    table: Any,
    *,
    gamma: float,
    step_size: Schedule,
    pi: Sequence[Sequence[float]],
    mistake: str | None = None,
) -> Any:
    """Return the table after the transitions, learned by a rule, or by one with a mistake in it.

    >>> one = [Transition(0, 0, 1.0, 1, False), Transition(1, 0, 0.0, 2, True)]
    >>> learned_by("td0", one, [0.0, 4.0, 99.0], gamma=0.5, step_size=Schedule.of(0.5), pi=[[1.0]] * 3)
    [1.5, 2.0, 99.0]
    """
    table = copy.deepcopy(table)
    counts: dict[Any, int] = {}
    for k, (s, a, r, s2, done, a2) in enumerate(transitions):
        if (mistake == "last left out" and k == len(transitions) - 1) or (
            mistake == "first left out" and k == 0
        ):
            continue
        if mistake == "reward of the next" and k + 1 < len(transitions):
            r = transitions[k + 1].r
        key = s if rule == "td0" else (s, a)
        n = counts[key] = counts.get(key, 0) + 1
        alpha = step_size.at(n)
        if mistake == "count from 2":
            alpha = step_size.at(n + 1)
        elif mistake == "root":
            alpha = step_size.a / n**0.5
        elif mistake == "1% too large":
            alpha *= 1.01
        elif mistake == "replaces":
            alpha = 1.0
        after = 0.0
        if (not done or mistake == "no mask") and mistake != "no bootstrap":
            after = value_of_next(rule, table, s, a, s2, a2, pi, mistake)
        target = r + (1.0 if mistake == "no discount" else gamma) * after
        row, at = (table, s) if rule == "td0" else (table[s], a)
        if mistake == "updates s'":
            row, at = (table, s2) if rule == "td0" else (table[s2], a)
        change = alpha * (target - row[at])
        row[at] += -change if mistake == "minus" else change
    return table


def value_of_next(
    rule: str,
    table: Any,
    s: int,
    a: int,
    s2: int,
    a2: int | None,
    pi: Sequence[Sequence[float]],
    mistake: str | None,
) -> float:
    """What a rule takes s' to be worth."""
    if rule == "td0":
        return float(table[s2])
    if mistake == "same action":
        return float(table[s2][a])
    if mistake == "mean":
        return float(sum(table[s2]) / len(table[s2]))
    if rule == "sarsa" and mistake != "maximum":
        return float(table[s2][a if a2 is None else a2])
    if (rule == "q-learning" and mistake != "expectation") or mistake == "maximum":
        return float(max(table[s2]))
    weights = pi[s if mistake == "policy at s" else s2]
    return sum(w * x for w, x in zip(weights, table[s2], strict=True))
