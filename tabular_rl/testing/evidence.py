"""What a learner made of transitions, and which rule or mistake explains it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tabular_rl.testing.learned import learned_by
from tabular_rl.testing.models import Case
from tabular_rl.testing.rules import OF_ACTIONS, OF_STATES, RULES, Rule, Transition

ROUNDING = 1e-9  # relative difference that another order of the same arithmetic may cause
# Discounts that people write into their code; 0 and 1 are mistakes with names of their own.
DISCOUNTS = (0.9, 0.95, 0.99, 0.98, 0.999, 0.8, 0.85, 0.5, 0.7, 0.75, 0.6, 0.25, 0.1)


def coins_of(transitions: Sequence[Transition]) -> list[int]:
    """The coins of double Q-learning on a sequence: fixed ones, in which no pattern repeats early."""
    return [(0x9E3779B97F4A7C15 >> (k % 61)) & 1 for k in range(len(transitions))]


@dataclass(frozen=True)
class Evidence:
    """The table that a learner made of transitions: what a rule, or a mistake in it, must explain."""

    case: Case
    transitions: list[Transition]
    start: np.ndarray
    found: np.ndarray
    live: np.ndarray  # (S,) the states that count
    coins: list[int] | None = None  # of double Q-learning; None where the learner tossed its own
    pi: np.ndarray | None = None  # (S, A), where it is not the case's

    def by_rule(
        self, rule: Rule, mistake: str | None = None, gamma: float | None = None, coins: Any = None
    ) -> np.ndarray:
        """The table by the rule, or by a mistake in it."""
        gamma = self.case.mdp.gamma if gamma is None else gamma
        start, pi = self.start.tolist(), (self.case.pi if self.pi is None else self.pi).tolist()
        coins = self.coins if coins is None else coins
        return np.array(
            learned_by(rule, self.transitions, start, gamma=gamma, pi=pi, mistake=mistake, coins=coins)
        )

    def expected(self, rule: Rule, mistake: str | None = None, gamma: float | None = None) -> np.ndarray:
        """The table by the rule that is nearest, where several are equally right."""
        if rule.name == "double-q-learning" and self.coins is None:
            ways = [
                self.by_rule(rule, mistake, gamma, coins)
                for coins in itertools.product((0, 1), repeat=len(self.transitions))
            ]
        elif mistake is None and rule.name == "monte-carlo" and rule.visit == "every":
            # The visits of an episode may be learned from in either order.
            ways = [self.by_rule(rule, None, gamma), self.by_rule(rule, "in order", gamma)]
        else:
            return self.by_rule(rule, mistake, gamma)
        return min(ways, key=lambda table: _difference(self.of_live(self.found), self.of_live(table)))

    def of_live(self, table: np.ndarray) -> np.ndarray:
        """The entries that count."""
        return table[:, self.live] if table.ndim == 3 else table[self.live]

    def off(self, rule: Rule, mistake: str | None = None, gamma: float | None = None) -> float:
        """The largest relative difference to the rule."""
        return _difference(self.of_live(self.found), self.of_live(self.expected(rule, mistake, gamma)))

    def worst_entry(self, rule: Rule) -> str:
        """The entry that is furthest off."""
        expected = self.expected(rule)
        gap = np.nan_to_num(np.abs(self.found - expected), nan=math.inf)
        if gap.ndim == 1:
            gap[~self.live] = -1.0
        else:
            gap[..., ~self.live, :] = -1.0
        at = np.unravel_index(int(np.argmax(gap)), gap.shape)
        names = {1: ("s",), 2: ("s", "a"), 3: ("table", "s", "a")}[gap.ndim]
        entry = ", ".join(f"{name}={int(i)}" for name, i in zip(names, at, strict=True))
        return f"found {self.found[at]:.6g} at {entry}, expected {expected[at]:.6g}"


def diagnosis(rule: Rule, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """What fits on every sequence: known mistakes, or a discount of the learner's own, or another rule."""

    def fits(rule: Rule, mistake: str | None = None, gamma: float | None = None) -> bool:
        return all(e.off(rule, mistake, gamma) <= ROUNDING for e in evidence)

    found = [rule.words(mistake) for mistake in rule.mistakes if fits(rule, mistake)]
    if found:
        return tuple(found)
    for gamma in DISCOUNTS:
        if fits(rule, gamma=gamma):
            return (f"the discount is always {gamma:g}, whatever γ is",)
    others = OF_STATES if rule.of_states else OF_ACTIONS if rule.name in OF_ACTIONS else ()
    return tuple(
        f"the rule is that of {other}: {RULES[other]}"
        for other in others
        if other != rule.name and fits(replace(rule, name=other))
    )


def _difference(found: Any, expected: Any) -> float:
    """The largest difference, relative where numbers are large; inf where one is NaN."""
    off = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
    return float(np.max(off)) if not np.isnan(off).any() else math.inf
