"""What the writers of DRN and of PRISM's files share: rows as choices, names that they can hold, keys in remarks."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from tabular_rl.formats.spelling import Speller, plain
from tabular_rl.model.graph.search import starts
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rationals import LONGEST, decimal_text

REWARD = "reward"  # the name of the reward model
ENDED = "terminal"  # the label of the states that end


class Choices:
    """The rows of a model as choices, with the spellings of their numbers."""

    def __init__(self, mdp: MDP, label: re.Pattern[str]) -> None:
        self.mdp, self.say = mdp, Speller(mdp)
        self.exact = mdp.exact is not None
        self.number: Callable[[Any], str] = spelled_fraction if self.exact else spelled_float
        self.row_ptr = mdp.row_ptr.tolist()
        self.prob, self.reward = self.say.numbers("prob"), self.say.numbers("reward")
        self.named = all(label.fullmatch(name) for name in mdp.actions)
        self.hidden = mdp.reward is not None or _has_twice(mdp)

    def label(self, row: int) -> str:
        """Return the action of a row: its name, or its number where names cannot stand in the file."""
        a = int(self.mdp.pair_action[row])
        return self.mdp.actions[a] if self.named else str(a)

    def mean(self, row: int) -> str:
        """Return r(s, a)."""
        if self.exact:
            return self.number(self.mdp.rational(row)[1])
        return self.number(float(self.mdp.r[row]))

    def outcomes(self, row: int) -> Iterator[tuple[int, str, str | None]]:
        """Yield (next state, probability, reward or None) of a row as it is."""
        for k in range(self.row_ptr[row], self.row_ptr[row + 1]):
            own = None if self.reward is None else self.number(self.reward[k])
            yield int(self.mdp.next_state[k]), self.number(self.prob[k]), own

    def transitions(self, row: int) -> Iterator[tuple[int, str]]:
        """Yield (next state, probability) of a row, each next state once."""
        sums: dict[int, list[Any]] = {}
        for k in range(self.row_ptr[row], self.row_ptr[row + 1]):
            sums.setdefault(int(self.mdp.next_state[k]), []).append(self.prob[k])
        for s2, parts in sums.items():
            total = parts[0] if len(parts) == 1 else (sum if self.exact else math.fsum)(parts)
            yield s2, self.number(total)

    @property
    def first(self) -> set[int]:
        """The states with the label init: those of the start, else all that do not end, else all."""
        mdp = self.mdp
        mask = starts(mdp) if mdp.start_given else ~mdp.terminal
        return set(np.flatnonzero(mask if mask.any() else ~mask).tolist())

    def settings(self) -> Iterator[str]:
        """Yield lines `key = value` of what these files have no place for."""
        if not self.named:
            yield 'labels = "index"\n'
        names = ("states = ", "actions = ")
        yield from (line for line in self.say.head() if not line.startswith(names))
        if self.mdp.A:
            yield self.say.names("actions", self.mdp.actions)


def _has_twice(mdp: MDP) -> bool:
    """Whether a row has a next state twice."""
    row = np.arange(mdp.L).repeat(np.diff(mdp.row_ptr))
    return len(np.unique(row * mdp.S + mdp.next_state)) < mdp.K


def spelled_fraction(x: Fraction) -> str:
    """Return a rational as these tools spell it.

    >>> spelled_fraction(Fraction(1, 10)), spelled_fraction(Fraction(-2))
    ('1/10', '-2')
    """
    text = decimal_text(x.numerator) + ("" if x.denominator == 1 else f"/{decimal_text(x.denominator)}")
    return text if len(text) <= LONGEST else plain(x)  # which says that it is too long


def spelled_float(x: float) -> str:
    """Return the shortest decimal of a float.

    >>> spelled_float(0.1), spelled_float(3.0)
    ('0.1', '3')
    """
    return repr(float(x)).removesuffix(".0")
