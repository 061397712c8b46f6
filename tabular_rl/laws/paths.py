"""The exact law of any learner over a few steps: all its sample paths, weighed in rational arithmetic.

Learners with a maximum, with step sizes that count visits or with actions that depend on what was learned obey no
closed recursion. For a few steps no recursion is needed: only so much can happen, and all of it can be listed.

Rewards and tables are in the sign of maximisation, as in the learners: `mdp.sign` times those of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tabular_rl.errors import OptionError
from tabular_rl.methods.exact.stationary import exact_start
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy, policy_of
from tabular_rl.model.transitions import Transitions
from tabular_rl.model.unroll import check_untimed
from tabular_rl.solving.options import check

MOST = 1_000_000  # different situations at one time; more would take hours

Numbers = tuple[Fraction, ...]


class PathStep(NamedTuple):
    """One transition: the row of (s, a), r, s', whether s' is terminal, and the row of a' (-1: not chosen yet)."""

    row: int
    reward: Fraction
    next_state: int
    done: bool
    next_row: int = -1


Choice = Mapping[int, Fraction]
Acting = Callable[[Any, int, int], Choice]
Rule = Callable[[Any, PathStep, int], Any]
_Situation = tuple[Any, int, int]  # a table, the row that comes next, the steps of the episode so far


@dataclass(frozen=True)
class Moments:
    """E[x] and E[x x^T] of a vector x, in Fractions."""

    mean: Numbers
    second: tuple[Numbers, ...]

    @property
    def covariance(self) -> tuple[Numbers, ...]:
        """E[x x^T] - E[x] E[x]^T."""
        m = self.mean
        return tuple(tuple(x - m[i] * m[j] for j, x in enumerate(row)) for i, row in enumerate(self.second))


@public
def enumerate_paths(
    mdp: MDP, behavior: Policy, steps: int, *, source: str = "trajectory", episode_steps: int | None = None
) -> Iterator[tuple[Fraction, list[PathStep]]]:
    """Yield every sequence of transitions that a policy can meet, with its probability.

        Pr(path) = start(s_0) Π_k b(a_k|s_k) p(s_{k+1}|s_k, a_k),    start(s) again after a terminal state

    Parameters
    ----------
    behavior : b, which chooses the actions
    steps : transitions in a path
    source : "trajectory" (with restarts), "independent" pairs (a live state, each with the same probability, and an
        action of b), or "sweeps"
    episode_steps : cut an episode off after this many steps, and start again

    Returns
    -------
    pairs (probability, list of PathStep); the probabilities sum to 1

    Raises
    ------
    OptionError : too many paths, or an option out of range

    Sources
    -------
    Bertsekas & Tsitsiklis (1996), 4.1, for what a sample of transitions is.

    Examples
    --------
    A coin thrown until heads (the end): after two throws TT, TH, HT, HH; a new game begins after H.

    >>> mdp = MDP.from_outcomes([("s", "toss", "s", "1/2", 0), ("s", "toss", "end", "1/2", 1)], 1, terminal=["end"])
    >>> for p, path in enumerate_paths(mdp, Policy.uniform(mdp), 2):
    ...     print(p, [str(x.reward) for x in path])
    1/4 ['0', '0']
    1/4 ['0', '1']
    1/4 ['1', '0']
    1/4 ['1', '1']
    """
    behavior = policy_of(mdp, behavior)
    found = outcome_law(
        mdp, fixed(behavior), lambda path, x, _: (*path, x), (), steps, source=source, episode_steps=episode_steps,
        ahead=True, pairs=behavior,
    )  # fmt: skip
    for path, p in found.items():
        yield p, list(path)


def expected_by_paths(
    step: Rule,
    begin: Hashable,
    mdp: MDP,
    acting: Policy | Acting,
    steps: int,
    *,
    vector: Callable[[Any], Sequence[Fraction]] = lambda table: table,
    **options: Any,
) -> Moments:
    """Return the exact mean and second moment of what an update rule has learned after some steps.

        E[x_k] = Σ_paths Pr(path) x_k(path),    and the same of x_k x_k^T

    Parameters
    ----------
    step : (table, PathStep, k) -> the table after update number k = 1, 2, ...; where the rule throws a coin, a list of
        (probability, table)
    begin : the table before the first step; tables are hashable (tuples)
    acting : the policy that acts, or (table, state, k) -> {row: probability} where actions depend on the table
    steps : updates
    vector : what to average of a table
    options : those of `outcome_law`: source, episode_steps, ahead, pairs

    Returns
    -------
    Moments

    Raises
    ------
    OptionError : too many paths, or an option out of range

    Sources
    -------
    None: this is the definition of an expectation.

    Examples
    --------
    The average of two throws of a coin that pays 1 for heads: mean 1/2, second moment 1/4 + 1/8 = 3/8.

    >>> mdp = MDP.from_outcomes([("s", "toss", "s", "1/2", 0), ("s", "toss", "end", "1/2", 1)], 1, terminal=["end"])
    >>> average = lambda v, x, k: (v[0] + (x.reward - v[0]) / k,)
    >>> expected_by_paths(average, (Fraction(0),), mdp, Policy.uniform(mdp), 2)
    Moments(mean=(Fraction(1, 2),), second=((Fraction(3, 8),),))
    """
    if isinstance(acting, Policy):
        policy = policy_of(mdp, acting)
        options = {"pairs": policy, "ahead": True} | options
        acting = fixed(policy)
    return moments(outcome_law(mdp, acting, step, begin, steps, **options), vector)


def moments(law: Mapping[Any, Fraction], vector: Callable[[Any], Sequence[Fraction]]) -> Moments:
    """E[x] and E[x x^T] of the vector of a random table."""
    weighed = [(p, tuple(vector(table))) for table, p in law.items()]
    n = range(len(weighed[0][1]))
    zero = Fraction(0)
    return Moments(
        tuple(sum((p * x[i] for p, x in weighed), zero) for i in n),
        tuple(tuple(sum((p * x[i] * x[j] for p, x in weighed), zero) for j in n) for i in n),
    )


def outcome_law(
    mdp: MDP,
    acting: Acting,
    step: Rule,
    begin: Hashable,
    steps: int,
    *,
    source: str = "trajectory",
    episode_steps: int | None = None,
    ahead: bool = False,
    pairs: Policy | None = None,
) -> dict[Any, Fraction]:
    """Return the exact distribution {table: probability} of what a learner knows after some steps.

    Paths that have come to the same table in the same place go on as one, so that more steps are within reach than by
    a list of all paths.

    Parameters
    ----------
    acting : (table, state, k) -> {row: probability}: how update number k chooses actions
    step, begin, steps : as in expected_by_paths
    source, episode_steps : as in enumerate_paths
    ahead : choose a' before the update and give it to `step` as next_row, as SARSA does
    pairs : the policy of independent pairs (default: uniform)

    Returns
    -------
    {table: probability}, of sum 1

    Raises
    ------
    OptionError : more than a million situations at a time, or an option out of range
    NotAnswerable : the model has a finite horizon (`unroll` makes one without)

    Sources
    -------
    None: this is the definition of a learner.

    Examples
    --------
    Two throws of a coin; the number of heads is kept.

    >>> mdp = MDP.from_outcomes([("s", "toss", "s", "1/2", 0), ("s", "toss", "end", "1/2", 1)], 1, terminal=["end"])
    >>> law = outcome_law(mdp, fixed(Policy.uniform(mdp)), lambda n, x, k: n + int(x.reward), 0, 2)
    >>> {n: str(p) for n, p in law.items()}
    {0: '1/4', 1: '1/2', 2: '1/4'}
    """
    source, episode_steps, steps = check(source=source, episode_steps=episode_steps, steps=steps)
    check_untimed(mdp, "paths")
    if mdp.terminal.all():
        raise OptionError("no state to start from: all states are terminal")
    ways = _Ways(mdp, acting, source, episode_steps, ahead, Policy.uniform(mdp) if pairs is None else pairs)
    now: dict[_Situation, Fraction] = {}
    for i, p in ways.first(begin).items():
        _add(now, (begin, i, 0), p)
    for k in range(1, steps + 1):
        after: dict[_Situation, Fraction] = {}
        for (table, row, clock), so_far in now.items():
            for x, p in ways.transitions(table, row, k):
                learned = step(table, x, k)
                for coin, new in learned if isinstance(learned, list) else [(Fraction(1), learned)]:
                    age, choices = ways.next_rows(new, x, clock, k)
                    for i, q in choices.items():
                        _add(after, (new, i, age), so_far * p * coin * q)
            if len(after) > MOST:
                raise OptionError(
                    f"paths: found more than {MOST:,} situations at step {k}, expected fewer steps"
                )
        now = after
    law: dict[Any, Fraction] = {}
    for (table, _, _), p in now.items():
        _add(law, table, p)
    return law


def _add(law: dict[Any, Fraction], key: Any, p: Fraction) -> None:
    if p:
        law[key] = law.get(key, Fraction(0)) + p


class _Ways:
    """The ways in which a path begins and goes on, each with its probability."""

    def __init__(
        self, mdp: MDP, acting: Acting, source: str, episode_steps: int | None, ahead: bool, pairs: Policy
    ) -> None:
        self.mdp, self.acting, self.source, self.ahead = mdp, acting, source, ahead
        self.episode_steps = episode_steps
        rows, sign = map(mdp.rational_outcomes, range(mdp.L)), int(mdp.sign)
        self.outcomes = [[(s2, p, sign * r) for s2, p, r in row if p] for row in rows]
        live = int((~mdp.terminal).sum())
        self.pairs = {i: p / live for i, p in enumerate(policy_of(mdp, pairs).rationals()) if p}
        self.starts = [(s, p) for s, p in enumerate(exact_start(mdp)) if p]

    def first(self, table: Any) -> Choice:
        """The row of the first transition."""
        if self.source == "trajectory":
            return self.restart(table, 1)
        return self.pairs if self.source == "independent" else {0: Fraction(1)}

    def restart(self, table: Any, k: int) -> Choice:
        """The first row of an episode."""
        return {i: p * q for s, p in self.starts for i, q in self.acting(table, s, k).items()}

    def transitions(self, table: Any, row: int, k: int) -> Iterator[tuple[PathStep, Fraction]]:
        """The transitions of a row; with the next action where that is chosen before the update."""
        for s2, p, reward in self.outcomes[row]:
            done = bool(self.mdp.terminal[s2])
            choices = self.acting(table, s2, k) if self.ahead and not done else {-1: Fraction(1)}
            for next_row, q in choices.items():
                yield PathStep(row, reward, s2, done, next_row), p * q

    def next_rows(self, table: Any, x: PathStep, clock: int, k: int) -> tuple[int, Choice]:
        """The steps of the episode so far after a transition, and the row that comes next."""
        if self.source == "sweeps":
            return 0, {(x.row + 1) % self.mdp.L: Fraction(1)}
        if self.source == "independent":
            return 0, self.pairs
        if x.done or clock + 1 == self.episode_steps:
            return 0, self.restart(table, k)
        # Without a limit the clock stands still: it would keep equal situations apart.
        age = clock + 1 if self.episode_steps else 0
        return age, {x.next_row: Fraction(1)} if x.next_row >= 0 else self.acting(table, x.next_state, k)


def transitions_of(mdp: MDP, path: Sequence[PathStep]) -> Transitions:
    """Return a path as Transitions, to run a learner on it: `learn(mdp, method, data=transitions_of(mdp, path))`."""
    return Transitions(
        mdp,
        np.array([x.row for x in path], dtype=np.int64),
        mdp.sign * np.array([float(x.reward) for x in path]),
        np.array([x.next_state for x in path], dtype=np.int64),
        np.array([x.done for x in path], dtype=bool),
        np.array([x.next_row for x in path], dtype=np.int64),
    )


# -- ways to act ------------------------------------------------------------------------------------------------------


def fixed(policy: Policy) -> Acting:
    """Act by a policy, whatever was learned."""
    mdp, p = policy.mdp, policy.rationals()
    choices = [{i: p[i] for i in mdp.rows(s) if p[i]} for s in range(mdp.S)]
    return lambda _table, s, _k: choices[s]
