"""A model that is small enough for pencil and paper, in fractions, with Bellman's equation and its usual mistakes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tabular_rl.analysis.exercises.prose import Line, Name, factor, joined, line_of, shown
from tabular_rl.model.mdp import MDP

Outcome = tuple[int, Fraction, Fraction]  # next state, probability, reward
Values = list[Fraction]  # one number a state, terminal states too
Policy = tuple[tuple[Fraction, ...], ...]  # π(a|s): of each state, a probability for each of its rows


@dataclass(frozen=True)
class Row:
    """An action of a state with its outcomes."""

    action: str
    outcomes: tuple[Outcome, ...]

    @property
    def reward(self) -> Fraction:
        """The expected reward."""
        return sum((p * r for _, p, r in self.outcomes), Fraction(0))


@dataclass(frozen=True)
class Small:
    """A model in fractions: the states with actions come first, then terminal ones.

    Parameters
    ----------
    states : the names
    rows : of each state that is not terminal, its actions
    gamma, costs, horizon, name : as in the model
    whole : the states of the model that it was taken from, where it is a part of it
    elsewhere : the terminal state that stands for the rest of that model, None where there is none
    faithful : whether the numbers are those of the model; rows of many outcomes were cut
    final : the rewards after the last decision of those that are not terminal, None for 0
    leaving : what a step to `elsewhere` costs on top, so that nobody is better off there
    """

    states: tuple[str, ...]
    rows: tuple[tuple[Row, ...], ...]
    gamma: Fraction
    costs: bool
    horizon: int | None
    name: str
    whole: int | None = None
    elsewhere: int | None = None
    faithful: bool = True
    final: tuple[Fraction, ...] | None = None
    leaving: Fraction = Fraction(0)

    @property
    def live(self) -> int:
        """How many states are not terminal: the first ones."""
        return len(self.rows)

    @property
    def ends(self) -> range:
        """The terminal states."""
        return range(self.live, len(self.states))

    @property
    def best(self) -> Callable[..., Fraction]:
        """What the best action has: the most reward, or the least cost."""
        return min if self.costs else max

    def label(self, s: int) -> Name:
        """The name of a state, for a sheet."""
        return Name(self.states[s])

    def choices(self) -> bool:
        """Whether some state has two actions."""
        return any(len(rows) > 1 for rows in self.rows)

    def reaches(self) -> bool:
        """Whether a terminal state is entered from some state."""
        return any(to >= self.live for rows in self.rows for row in rows for to, _, _ in row.outcomes)

    def gains(self) -> bool:
        """Whether some reward is above 0."""
        return any(r > 0 for rows in self.rows for row in rows for _, _, r in row.outcomes)

    def loses(self) -> bool:
        """Whether some reward is below 0."""
        return any(r < 0 for rows in self.rows for row in rows for _, _, r in row.outcomes)

    def model(self) -> MDP:
        """The same as a model of the package."""
        outcomes = [
            (self.states[s], row.action, self.states[to], p, r)
            for s, rows in enumerate(self.rows)
            for row in rows
            for to, p, r in row.outcomes
        ]
        return MDP.from_outcomes(
            outcomes, self.gamma, terminal=[self.states[s] for s in self.ends], states=self.states,
            sense="min" if self.costs else "max", horizon=self.horizon, name=self.name,
            final_reward=None if self.final is None else [*self.final, *[0] * len(self.ends)],
        )  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """How a backup is made; other than the defaults is a mistake.

    Parameters
    ----------
    gamma : None for that of the model
    next_reward : the reward of the next state is taken, not that of this one
    again : the reward for entering a terminal state is counted a second time, as its value
    on_reward : γ multiplies the reward too
    lost_minus : a reward below 0 is added without its sign
    """

    gamma: Fraction | None = None
    next_reward: bool = False
    again: bool = False
    on_reward: bool = False
    lost_minus: bool = False


RIGHT = Rule()


@dataclass(frozen=True)
class Backup:
    """q(s,a) as a constant, and what it takes from the value of each next state."""

    constant: Fraction
    slopes: tuple[tuple[int, Fraction], ...]

    def __call__(self, v: Sequence[Fraction]) -> Fraction:
        """Return q(s,a) from the values of all states."""
        total = self.constant
        for to, slope in self.slopes:
            if v[to]:
                total += slope * v[to]
        return total


Backups = list[list[Backup]]  # of each action of each state


def backups(small: Small, rule: Rule = RIGHT) -> Backups:
    """Return q(s,a) = Σ_s' p(s'|s,a) [ r(s,a,s') + γ v(s') ] of every action, made by a rule."""
    return [[_backup(small, row, rule) for row in rows] for rows in small.rows]


def _backup(small: Small, row: Row, rule: Rule) -> Backup:
    gamma = small.gamma if rule.gamma is None else rule.gamma
    constant = Fraction(0)
    slopes: dict[int, Fraction] = {}
    for to, p, r in row.outcomes:
        earned = _reward_there(small, to, row.action) if rule.next_reward else r
        if rule.lost_minus:
            earned = abs(earned)
        constant += p * (gamma * earned if rule.on_reward else earned)
        if rule.again and to >= small.live:
            constant += p * gamma * r
        elif gamma:
            slopes[to] = slopes.get(to, Fraction(0)) + p * gamma
    return Backup(constant, tuple(slopes.items()))


def q_of(small: Small, row: Row, v: Sequence[Fraction]) -> Fraction:
    """Return q(s,a) from the values of all states, terminal ones too.

    Parameters
    ----------
    small, row : the model, and an action of a state
    v : the values

    Returns
    -------
    q(s,a).
    """
    return _backup(small, row, RIGHT)(v)


def _reward_there(small: Small, s: int, action: str) -> Fraction:
    """The reward of a state that stands in for that of another: of the same action, or of its first one."""
    if s >= small.live:
        return Fraction(0)
    return next((row.reward for row in small.rows[s] if row.action == action), small.rows[s][0].reward)


Choice = Callable[[int, list[Fraction]], Fraction]  # of a state and q of its actions


def the_best(small: Small) -> Choice:
    """max_a q(s,a), min where there are costs."""
    return lambda _, q: small.best(q)


def the_worst(small: Small) -> Choice:
    """min for max, and the other way round."""
    return lambda _, q: max(q) if small.costs else min(q)


def the_mean(_: Small) -> Choice:
    """The plain average over the actions."""
    return lambda _, q: sum(q, Fraction(0)) / len(q)


def the_policy(pi: Policy) -> Choice:
    """Σ_a π(a|s) q(s,a)."""
    return lambda s, q: sum((p * x for p, x in zip(pi[s], q, strict=True)), Fraction(0))


def sweep(rows: Backups, v: Sequence[Fraction], choice: Choice, in_place: bool = False) -> Values:
    """Return the values after one sweep; those of terminal states stay.

    Parameters
    ----------
    rows : the backups
    v : the values before
    choice : which q of a state is its value
    in_place : use each new value at once

    Returns
    -------
    The values of all states.
    """
    new = list(v)
    for s, actions in enumerate(rows):
        old = new if in_place else v
        new[s] = choice(s, [backup(old) for backup in actions])
    return new


def evaluated(small: Small, pi: Policy, rows: Backups) -> Values | None:
    """Return v_π, the solution of v = r_π + γ P_π v by elimination; None where it is not unique.

    Parameters
    ----------
    small, pi : the model and the policy
    rows : its backups

    Returns
    -------
    The values of all states.
    """
    matrix = []
    for s, actions in enumerate(rows):
        line = [Fraction(int(s == t)) for t in range(small.live)]
        constant = Fraction(0)
        for p, backup in zip(pi[s], actions, strict=True):
            if p:
                constant += p * backup.constant
                for to, slope in backup.slopes:
                    if to < small.live:
                        line[to] -= p * slope
        matrix.append([*line, constant])
    found = _solved(matrix)
    return None if found is None else [*found, *[Fraction(0)] * len(small.ends)]


def _solved(matrix: list[list[Fraction]]) -> Values | None:
    """The solution of n equations, a row each, by Gauss and Jordan; None where there is not one."""
    n = len(matrix)
    for k in range(n):
        pivot = next((i for i in range(k, n) if matrix[i][k]), None)
        if pivot is None:
            return None
        matrix[k], matrix[pivot] = matrix[pivot], matrix[k]
        matrix[k] = [x / matrix[k][k] for x in matrix[k]]
        for i in range(n):
            if i != k and matrix[i][k]:
                matrix[i] = [x - matrix[i][k] * y for x, y in zip(matrix[i], matrix[k], strict=True)]
    return [line[n] for line in matrix]


def policies(small: Small) -> Iterator[Policy]:
    """Every policy that takes one action a state."""
    for chosen in itertools.product(*(range(len(rows)) for rows in small.rows)):
        yield tuple(
            tuple(Fraction(int(i == a)) for i in range(len(rows)))
            for a, rows in zip(chosen, small.rows, strict=True)
        )


def proper(small: Small, pi: Policy) -> bool:
    """Whether a policy ends with probability 1 from every state."""
    ending = set(small.ends)
    while True:
        more = {
            s
            for s, rows in enumerate(small.rows)
            if s not in ending
            and any(
                p and to in ending for p, row in zip(pi[s], rows, strict=True) for to, _, _ in row.outcomes
            )
        }
        if not more:
            return len(ending) == len(small.states)
        ending |= more


def uniform(small: Small) -> Policy:
    """The policy that takes each action as often as the others."""
    return tuple(tuple(Fraction(1, len(rows)) for _ in rows) for rows in small.rows)


def optimum(small: Small, choice: Choice, rows: Backups) -> Values | None:
    """Return values that one sweep leaves as they are, those of a policy that takes one action a state, or None.

    Parameters
    ----------
    small, rows : the model and its backups
    choice : which q of a state is its value

    Returns
    -------
    The values of all states.
    """
    for pi in policies(small):
        if small.gamma == 1 and not proper(small, pi):
            continue
        v = evaluated(small, pi, rows)
        if v is not None and sweep(rows, v, choice) == v:
            return v
    return None


def greedy(small: Small, v: Sequence[Fraction], choice: Choice, rows: Backups) -> list[frozenset[str]]:
    """Return the actions of each state whose q is the chosen one; more than one where they tie.

    Parameters
    ----------
    small : the model
    v : the values of all states
    choice : which q of a state is its value
    rows : the backups

    Returns
    -------
    The names of the actions.
    """
    found = []
    for s, actions in enumerate(rows):
        q = [backup(v) for backup in actions]
        chosen = choice(s, q)
        found.append(frozenset(row.action for row, x in zip(small.rows[s], q, strict=True) if x == chosen))
    return found


# -- how it is written down --------------------------------------------------------------------------------------------


def sum_line(small: Small, row: Row, v: Sequence[Fraction]) -> Line:
    """The sum of a backup with its numbers: 1/2 [2 + 0.5 · 2] + 1/2 [2 + 0.5 · 1].

    Parameters
    ----------
    small, row : the model, and an action of a state
    v : the values of all states

    Returns
    -------
    A formula.
    """
    gamma = "" if small.gamma == 1 else f"{shown(small.gamma)} · "
    parts = []
    for to, p, r in row.outcomes:
        inside = f"{shown(r)} + {gamma}{factor(v[to])}"
        parts.append(line_of("${x}$", x=inside if p == 1 else f"{shown(p)} [{inside}]"))
    return joined(parts, " + ")
