"""The values of a policy, and an optimal policy: Bellman's equations solved by hand."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import partial

from tabular_rl.analysis.exercises.dice import Dice
from tabular_rl.analysis.exercises.drawing import drawn_policy
from tabular_rl.analysis.exercises.posed import Answers, Item, Kind, Posed, Value, facts, policy_table
from tabular_rl.analysis.exercises.prose import (
    Formula,
    Line,
    Name,
    Part,
    factor,
    formula,
    joined,
    line_of,
    say,
    shown,
)
from tabular_rl.analysis.exercises.small import (
    RIGHT,
    Policy,
    Rule,
    Small,
    backups,
    evaluated,
    greedy,
    optimum,
    policies,
    proper,
    q_of,
    sum_line,
    sweep,
    the_best,
    the_mean,
    the_policy,
    the_worst,
    uniform,
)


def _rule(small: Small, mistake: str | None) -> Rule:
    """How a backup is made with a mistake."""
    return {
        "no-gamma": Rule(gamma=Fraction(1)),
        "minus-sign": Rule(gamma=-small.gamma),
        "lost-minus": Rule(lost_minus=True),
        "wrong-reward": Rule(next_reward=True),
        "gamma-on-reward": Rule(on_reward=True),
        "terminal-again": Rule(again=True),
    }.get(mistake or "", RIGHT)


def _common_mistakes(small: Small) -> dict[str, bool]:
    """The mistakes of any solution, and whether they can be made here."""
    ends = small.gamma < 1 and all(proper(small, pi) for pi in policies(small))
    return {
        "no-gamma": ends,
        "lost-minus": small.loses(),
        "minus-sign": small.gamma > 0,
        "wrong-reward": True,
        "gamma-on-reward": small.gamma < 1,
        "terminal-again": small.reaches() and small.gamma > 0,
        "myopic": small.gamma > 0,
    }


def _none(small: Small) -> list[Value]:
    return [None] * small.live


# -- the values of a policy --------------------------------------------------------------------------------------------


def _policy_values(small: Small, pi: Policy, mistake: str | None, _: Answers) -> list[Value]:
    """v_π of every state, with a mistake or without."""
    rows = backups(small, _rule(small, mistake))
    if mistake == "max-for-average":
        v = optimum(small, the_best(small), rows)
    elif mistake == "myopic":
        v = sweep(rows, [Fraction(0)] * len(small.states), the_policy(pi))
    else:
        v = evaluated(small, uniform(small) if mistake == "uniform-policy" else pi, rows)
    return _none(small) if v is None else list(v[: small.live])


def _pose_values(small: Small, _: Dice, dice: Dice) -> Posed | None:
    pi = drawn_policy(small, dice)
    reckon = partial(_policy_values, small, pi)
    values = reckon(None, {})
    if None in values:
        return None
    mistakes = _common_mistakes(small) | {
        "max-for-average": small.choices(),
        "uniform-policy": small.choices(),
    }
    v = [x for x in values if isinstance(x, Fraction)] + [Fraction(0)] * len(small.ends)
    items = tuple(Item(f"v_pi({small.label(s)})") for s in range(small.live))
    return Posed(small, "The values of a policy", partial(_values_task, small, pi), partial(_equations, small, pi, v),
                 items, tuple(name for name, can in mistakes.items() if can), reckon)  # fmt: skip


def _values_task(small: Small, pi: Policy) -> list[Part]:
    """What the sheet says."""
    return [
        *facts(small),
        say("The policy $π(a|s)$:"),
        policy_table(small, {"π(a|s)": pi}),
        say("Find the value of every state under it, by solving the linear equations:"),
        formula("v_π(s) = Σ_a π(a|s) Σ_s' p(s'|s,a) [r(s,a,s') + γ v_π(s')]"),
    ]


def _equations(small: Small, pi: Policy, v: list[Fraction]) -> list[Part]:
    """The linear equations with their coefficients, and their solution."""
    parts: list[Part] = [say("The equations, with the numbers put in:")]
    zero = [Fraction(0)] * len(small.states)
    for s, rows in enumerate(small.rows):
        constant = sum((p * row.reward for p, row in zip(pi[s], rows, strict=True)), Fraction(0))
        line: Line = line_of("$v_π({s}) = {c}$", s=small.label(s), c=shown(constant))
        for t in range(small.live):
            unit = [*zero[:t], Fraction(1), *zero[t + 1 :]]
            slope = sum((p * (q_of(small, row, unit) - row.reward) for p, row in zip(pi[s], rows, strict=True)),
                        Fraction(0))  # fmt: skip
            if slope:
                line = (*line, *line_of("$ + {x} v_π({t})$", x=factor(slope), t=small.label(t)))
        parts.append(Formula(line))
    parts.append(say("Their solution:"))
    return [*parts, *(formula("v_π({s}) = {x}", s=small.label(s), x=shown(v[s])) for s in range(small.live))]


def _refuse_values(small: Small) -> str:
    if small.horizon is not None:
        return "found a horizon, where values depend on the time, expected none. Ask for --kind policy-sweeps"
    if not small.choices():
        return "found one action in every state, expected a choice. Ask for --kind sweeps"
    if small.gamma == 1 and not proper(small, uniform(small)):
        return "found γ = 1 and states from which no terminal state is reached, expected an end. Say --gamma 9/10"
    return ""


# -- an optimal policy -------------------------------------------------------------------------------------------------


def _best(small: Small, mistake: str | None, _: Answers) -> list[Value]:
    """An optimal action and v* of every state, with a mistake or without."""
    choice = {"wrong-end": the_worst(small), "average-for-max": the_mean(small)}.get(
        mistake or "", the_best(small)
    )
    rows = backups(small, _rule(small, mistake))
    zero = [Fraction(0)] * len(small.states)
    if mistake == "average-for-max":
        v, used = evaluated(small, uniform(small), rows), None
        choice = the_best(small)
    elif mistake == "myopic":
        v, used = sweep(rows, zero, choice), zero
    else:
        v, used = optimum(small, choice, rows), None
    if v is None:
        return [*_none(small), *_none(small)]
    return [*greedy(small, v if used is None else used, choice, rows), *v[: small.live]]


def _unimproved(small: Small, chosen: Mapping[int, str]) -> tuple[list[Value], str] | None:
    """The values of a policy that is not the best, and what is said to whoever found them."""
    if set(chosen) != set(range(small.live)):
        return None
    pi = tuple(
        tuple(Fraction(int(row.action == chosen[s])) for row in rows) for s, rows in enumerate(small.rows)
    )
    rows = backups(small)
    v = evaluated(small, pi, rows)
    if v is None:
        return None
    gains = [s for s in range(small.live) if small.best(backup(v) for backup in rows[s]) != v[s]]
    if not gains:
        return None
    where = " and ".join(str(small.label(s)) for s in gains)
    text = f"these are the values of your policy, but another action is better in {where}"
    return [*(frozenset({chosen[s]}) for s in range(small.live)), *v[: small.live]], text


def _pose_best(small: Small, _: Dice, __: Dice) -> Posed | None:
    reckon = partial(_best, small)
    found = reckon(None, {})
    if None in found or any(isinstance(x, frozenset) and len(x) > 1 for x in found):
        return None
    mistakes = _common_mistakes(small) | {"average-for-max": True, "wrong-end": True}
    items = tuple(
        [
            Item(f"pi({small.label(s)})", tuple(row.action for row in rows))
            for s, rows in enumerate(small.rows)
        ]
        + [Item(f"v*({small.label(s)})") for s in range(small.live)]
    )
    return Posed(small, "An optimal policy", partial(_best_task, small), partial(_check, small, found), items,
                 tuple(name for name, can in mistakes.items() if can), reckon, partial(_unimproved, small))  # fmt: skip


def _best_task(small: Small) -> list[Part]:
    """What the sheet says."""
    best = "min_a" if small.costs else "max_a"
    return [
        *facts(small),
        say("Find the optimal action and the optimal value of every state. Guess a policy, find its values, and check "
            "that no other action is better in this equation:"),
        formula(f"v*(s) = {best} q*(s,a),   q*(s,a) = Σ_s' p(s'|s,a) [r(s,a,s') + γ v*(s')]"),
    ]  # fmt: skip


def _check(small: Small, found: list[Value]) -> list[Part]:
    """Every q*(s,a) with its numbers."""
    v = [x for x in found if isinstance(x, Fraction)] + [Fraction(0)] * len(small.ends)
    parts: list[Part] = []
    for s, rows in enumerate(small.rows):
        for row in rows:
            name = {"s": small.label(s), "a": Name(row.action)}
            q = q_of(small, row, v)
            parts.append(
                Formula(
                    (
                        *line_of("$q*({s}, {a}) = $", **name),
                        *joined([sum_line(small, row, v)], ""),
                        *line_of("$ = {q}$", q=shown(q)),
                    )
                )
            )
        action = next(iter(x for x in [found[s]] if isinstance(x, frozenset)))
        parts.append(
            say("Best in {s}: {a}, $v*({s}) = {x}$.", s=small.label(s), a=Name(min(action)), x=shown(v[s]))
        )
    return parts


def _refuse_best(small: Small) -> str:
    if small.horizon is not None:
        return (
            "found a horizon, where the best action depends on the time, expected none. Ask for --kind sweeps"
        )
    if not small.choices():
        return "found one action in every state, expected a choice. Ask for --kind sweeps"
    if small.gamma == 1 and not any(proper(small, pi) for pi in policies(small)):
        return "found γ = 1 and states from which no terminal state is reached, expected an end. Say --gamma 9/10"
    return ""


POLICY_VALUES = Kind(
    "policy-values", "v_π of a policy, by linear equations", 3, 2, _refuse_values, _pose_values
)
OPTIMAL_POLICY = Kind(
    "optimal-policy", "the best action and v* of every state", 3, 2, _refuse_best, _pose_best
)
