"""The one-step rules in fractions, and what they have learned after a few steps, over all paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from tabular_rl.errors import OptionError, quoted
from tabular_rl.laws.paths import Acting, Choice, Moments, Numbers, PathStep, fixed, moments, outcome_law
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy, policy_of
from tabular_rl.model.rationals import as_fraction
from tabular_rl.solving.exploration import Exploration
from tabular_rl.solving.options import check
from tabular_rl.solving.schedules import Schedule

EVALUATING = ("td0", "sarsa-evaluation", "q-evaluation")
RULES = (*EVALUATING, "q-learning", "sarsa", "expected-sarsa")


class Table(NamedTuple):
    """What the learners of `exact_moments` know: their estimates, how often each was updated, the target table."""

    values: Numbers
    visits: tuple[int, ...]
    target: Numbers


def epsilon_greedy(mdp: MDP, epsilon: Any) -> Acting:
    """Act ε-greedily by the values of a Table over pairs.

    `epsilon` is a number, a schedule over the steps, or an Exploration: that of epsilon-visits falls with the visits.
    """
    falling = epsilon.kind == "epsilon-visits" if isinstance(epsilon, Exploration) else False
    epsilon = epsilon.rate if isinstance(epsilon, Exploration) else epsilon
    schedule = epsilon if isinstance(epsilon, Schedule) else None
    number = None if schedule is not None else as_fraction(epsilon)

    def acting(table: Table, s: int, k: int) -> Choice:
        rows = mdp.rows(s)
        rate = number if number is not None else _rate(schedule, k)
        if falling:
            rate /= rate + sum(table.visits[i] for i in rows)
        chosen = dict.fromkeys(rows, rate / len(rows))
        top = max(table.values[i] for i in rows)
        ties = [i for i in rows if table.values[i] == top]
        for i in ties:
            chosen[i] += (1 - rate) / len(ties)
        return {i: p for i, p in chosen.items() if p}

    return acting


def _rate(schedule: Any, n: int) -> Fraction:
    """x(n) of a schedule: exactly c / n, else the float that learners use."""
    return Fraction(schedule.a) / n if schedule.kind == "harmonic" else Fraction(schedule.at(n))


def one_step_rule(
    method: str,
    mdp: MDP,
    policy: Policy | None = None,
    *,
    behavior: Policy | None = None,
    step_size: Any = "1/n",
    per: str = "visit",
    explore: Any = None,
    target: Any = "none",
) -> Callable[[Table, PathStep, int], Table]:
    """Return the update of a one-step learner in Fractions, (Table, PathStep, k) -> Table.

        x(j) ← x(j) + α ρ [ r + γ (what the method takes s' to be worth) - x(j) ]

    Parameters
    ----------
    method : one of RULES
    policy : π, for the methods that evaluate one
    behavior : b, for ρ = π / b of td0 and for sarsa and expected-sarsa without `explore`
    step_size, per, explore, target : as in the learners; their floats mean the dyadic rationals that they are, and c/n
        is divided exactly; `explore` (for expected-sarsa) is ε-greedy, or epsilon-visits

    Returns
    -------
    the rule, to be given to expected_by_paths or to be run along a path

    Raises
    ------
    OptionError : no such method, or a way to explore that has no rational probabilities

    Sources
    -------
    Sutton & Barto (2018), (6.2), (6.7), (6.8), (6.9).

    Examples
    --------
    >>> mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    >>> rule = one_step_rule("q-learning", mdp, step_size=1)
    >>> rule(Table((Fraction(4),), (0,), (Fraction(4),)), PathStep(0, Fraction(1), 0, False), 1).values   # 1 + 4/2
    (Fraction(3, 1),)
    """
    if method not in RULES:
        raise OptionError(
            f"method {quoted(method)}: found no exact rule for it, expected one of {', '.join(RULES)}"
        )
    step_size, per, (kind, by) = check(step_size=step_size, per=per, target=target)
    if method in EVALUATING and policy is None:
        raise OptionError(f"method {quoted(method)} evaluates a policy, expected one")
    expects = None  # the policy whose mean over the actions at s' is taken
    if method == "q-evaluation":
        expects = fixed(policy_of(mdp, policy))
    elif method == "expected-sarsa":
        expects = fixed(behavior) if behavior is not None else epsilon_greedy(mdp, _rational(explore))
    worth = _worth(method, mdp, expects)
    rho: Sequence[Fraction | int] = [1] * mdp.L
    if method == "td0" and behavior is not None:
        b = policy_of(mdp, behavior).rationals()
        rho = [x / y if y else 0 for x, y in zip(policy_of(mdp, policy).rationals(), b, strict=True)]

    def rule(table: Table, x: PathStep, k: int) -> Table:
        if method.startswith("sarsa") and not x.done and x.next_row < 0:
            return table  # a log that does not say what came next
        aim = x.reward + (0 if x.done else mdp.gamma_exact * worth(table, x, k))
        j = mdp.state_of_row(x.row) if method == "td0" else x.row
        visits = _put(table.visits, j, table.visits[j] + 1)
        alpha = _rate(step_size, visits[j] if per == "visit" else k)
        change = alpha * rho[x.row] * (aim - table.values[j])
        values = _put(table.values, j, table.values[j] + change)
        bar = values if kind == "none" else table.target
        if kind == "copy" and k % int(by) == 0:
            bar = values
        elif kind == "average":
            bar = tuple(y + Fraction(by) * (z - y) for y, z in zip(bar, values, strict=True))
        return Table(values, visits, bar)

    return rule


def _worth(method: str, mdp: MDP, expects: Acting | None) -> Callable[[Table, PathStep, int], Fraction]:
    """What a method takes s' to be worth: its value, the mean of its actions, the best one, or that of a'."""

    def worth(table: Table, x: PathStep, k: int) -> Fraction:
        bar = table.target
        if method == "td0":
            return bar[x.next_state]
        if expects is not None:
            return sum((p * bar[i] for i, p in expects(table, x.next_state, k).items()), Fraction(0))
        if method == "q-learning":
            return max(bar[i] for i in mdp.rows(x.next_state))
        return bar[x.next_row]

    return worth


def _put(values: tuple[Any, ...], j: int, value: Any) -> tuple[Any, ...]:
    return (*values[:j], value, *values[j + 1 :])


def _rational(explore: Any) -> Exploration:
    made = Exploration.of(explore or "epsilon-greedy:0.1")
    if made.kind not in ("epsilon-greedy", "epsilon-visits"):
        raise OptionError(
            f"--explore: found {made}, expected epsilon-greedy or epsilon-visits: others have no rational probabilities"
        )
    return made


@public
def exact_moments(
    method: str,
    mdp: MDP,
    policy: Policy | None = None,
    *,
    steps: int,
    behavior: Policy | None = None,
    step_size: Any = "n^-0.7",
    per: str = "visit",
    explore: Any = "epsilon-greedy:0.1",
    source: str = "trajectory",
    episode_steps: int | None = None,
    start_value: float = 0.0,
    target: Any = "none",
) -> Moments:
    """Return the exact mean and second moment of a one-step learner's estimates after a few steps.

    Every option means what it means to the learner of the name. The estimates are those of states for td0 (a terminal
    one is 0), and of pairs for the others, in the sign of the model.

    Parameters
    ----------
    method : one of RULES
    policy : π, for the methods that evaluate one (default: uniform)
    steps : updates; a handful
    behavior, step_size, per, explore, source, episode_steps, start_value, target : as in the learners

    Returns
    -------
    Moments

    Raises
    ------
    OptionError : too many paths, or an option that has no exact law

    Sources
    -------
    Sutton & Barto (2018), (6.2), (6.7), (6.8), (6.9).

    Examples
    --------
    Q-learning with α = 1/2 on a coin that pays 1 for heads and ends: 1/2 · 1/2, and E[q²] = 1/2 · 1/4.

    >>> mdp = MDP.from_outcomes([("s", "toss", "end", "1/2", 0), ("s", "toss", "end", "1/2", 1)], 1, terminal=["end"])
    >>> exact_moments("q-learning", mdp, steps=1, step_size="1/2")
    Moments(mean=(Fraction(1, 4),), second=((Fraction(1, 8),),))
    """
    evaluates = method in EVALUATING
    if evaluates and policy is None:
        policy = Policy.uniform(mdp)
    (source,) = check(source=source)
    if source == "sweeps":
        target = f"copy:{mdp.L}"
    options = {"step_size": step_size, "per": per, "target": target}
    rule = one_step_rule(method, mdp, policy, behavior=behavior, explore=explore, **options)
    acts = behavior if behavior is not None else policy if evaluates else None
    acting = fixed(policy_of(mdp, acts)) if acts is not None else epsilon_greedy(mdp, _rational(explore))
    value = Fraction(int(mdp.sign)) * as_fraction(start_value)
    n = mdp.S if method == "td0" else mdp.L
    values = tuple(Fraction(0) if method == "td0" and mdp.terminal[j] else value for j in range(n))
    law = outcome_law(
        mdp, acting, rule, Table(values, (0,) * n, values), steps, source=source, episode_steps=episode_steps,
        ahead=method.startswith("sarsa"), pairs=acts,
    )  # fmt: skip
    return moments(law, lambda table: [int(mdp.sign) * x for x in table.values])
