"""How a learner explores while it learns: ε-greedy, Boltzmann, upper confidence bounds, or a policy of its own.

epsilon-greedy:0.1             the best action so far; with probability 0.1 any, all equally likely
epsilon-greedy:linear:1:0.1:1e4   the same with a schedule over the steps
epsilon-visits:10              the same with probability 10 / (10 + n(s)), n(s) the visits of the state so far
boltzmann:0.5                  π(a|s) ∝ exp(q(s, a) / 0.5)
ucb:2                          argmax_a q(s, a) + 2 √(ln n(s) / n(s, a)), untried actions first
greedy                         the best action so far
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tabular_rl.solving.schedules import Schedule, checked_schedule

FIXED, EPSILON_GREEDY, BOLTZMANN, UCB, EPSILON_VISITS = range(5)
KINDS = ("policy", "epsilon-greedy", "boltzmann", "ucb", "epsilon-visits")
GRAMMAR = "epsilon-greedy:RATE, epsilon-visits:N, boltzmann:TEMPERATURE, ucb:C or greedy"


def _temperature(given: Any) -> Schedule:
    """A schedule above 0: one that ends at 0, or comes there by rounding, has no distribution there."""
    made: Schedule = checked_schedule(0.0, 1e300, open_low=True)(given)
    if made.kind in ("linear", "exponential") and made.limit <= 0:
        raise ValueError(given)
    return made


def _number_of_visits(given: Any) -> Schedule:
    """A number above 0 that stays as it is: the rate falls with the visits by itself."""
    made: Schedule = checked_schedule(0.0, 1e300, open_low=True)(given)
    if made.kind != "constant":
        raise ValueError(given)
    return made


_RATES = {
    "epsilon-greedy": checked_schedule(0.0, 1.0),
    "boltzmann": _temperature,
    "ucb": checked_schedule(0.0, 1e300),
    "epsilon-visits": _number_of_visits,
}


@dataclass(frozen=True)
class Exploration:
    """A way to explore and its rate.

    >>> Exploration.of("epsilon-greedy:0.1").rate.at(1)
    0.1
    """

    kind: str
    rate: Schedule
    text: str = ""

    @classmethod
    def of(cls, given: Any) -> Exploration:
        """Return the exploration of a text or an Exploration; ValueError where it is none."""
        if isinstance(given, Exploration):
            return given
        if not isinstance(given, str):
            raise ValueError(given)
        if given == "greedy":
            return cls("epsilon-greedy", Schedule.of(0.0), given)
        kind, _, rate = given.partition(":")
        if kind not in _RATES or not rate:
            raise ValueError(given)
        return cls(kind, _RATES[kind](rate), given)

    @property
    def code(self) -> int:
        """What kernels take."""
        return KINDS.index(self.kind)

    @property
    def first_tie(self) -> int:
        """What kernels take where ties go to the first of the best actions; of others there are none, or they do so."""
        return {EPSILON_GREEDY: 5, EPSILON_VISITS: 6}.get(self.code, self.code)

    def __str__(self) -> str:
        return self.text
