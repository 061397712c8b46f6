"""Two sweeps by hand: of value iteration, of a policy, or backward from a horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

from tabular_rl.analysis.exercises.dice import Dice
from tabular_rl.analysis.exercises.drawing import drawn_policy
from tabular_rl.analysis.exercises.posed import (
    Answers,
    Item,
    Kind,
    Posed,
    Value,
    facts,
    policy_table,
    zero_or,
)
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
    q_of,
    sum_line,
    sweep,
    the_best,
    the_mean,
    the_policy,
    the_worst,
)

SWEEPS = 2


def _reckon(
    small: Small,
    pi: Policy | None,
    start: list[Fraction],
    end: Fraction,
    mistake: str | None,
    answers: Answers,
) -> list[Value]:
    """The values of both sweeps, with a mistake or without."""
    rule = {
        "no-gamma": Rule(gamma=Fraction(1)),
        "minus-sign": Rule(gamma=-small.gamma),
        "lost-minus": Rule(lost_minus=True),
        "wrong-reward": Rule(next_reward=True),
        "gamma-on-reward": Rule(on_reward=True),
    }.get(mistake or "", RIGHT)
    right = the_best(small) if pi is None else the_policy(pi)
    choice = {
        "max-for-average": the_best(small),
        "average-for-max": the_mean(small),
        "uniform-policy": the_mean(small),
        "wrong-end": the_worst(small),
    }.get(mistake or "", right)
    if mistake == "zero-start":
        start = [Fraction(0)] * small.live
    v = [*start, *[end if mistake == "terminal-value" else Fraction(0)] * len(small.ends)]
    found, rows = [v], backups(small, rule)
    for k in range(1, SWEEPS + 1 + (mistake == "sweep-late")):
        v = sweep(rows, v, choice, mistake == "in-place")
        found.append(v)
        place = (k - 1) * small.live
        v = [answers.get(place + s, x) if s < small.live else x for s, x in enumerate(v)]
    first = {"sweep-early": 0, "sweep-late": 2}.get(mistake or "", 1)
    return [x for v in found[first : first + SWEEPS] for x in v[: small.live]]


def _mistakes(small: Small, pi: Policy | None, start: Sequence[Fraction], end: Fraction) -> tuple[str, ...]:
    """The mistakes that this model lets one make."""
    several, horizon = small.live > 1, small.horizon is not None
    known = {
        "in-place": several and not horizon,
        "no-gamma": small.gamma < 1,
        "lost-minus": small.loses(),
        "minus-sign": small.gamma > 0,
        "wrong-reward": True,
        "gamma-on-reward": small.gamma < 1,
        "average-for-max": pi is None and small.choices(),
        "wrong-end": pi is None and small.choices(),
        "max-for-average": pi is not None and small.choices(),
        "uniform-policy": pi is not None and small.choices(),
        "terminal-value": small.reaches() and end != 0 and small.gamma > 0,
        "zero-start": any(start) and small.gamma > 0,
        "sweep-early": True,
        "sweep-late": True,
    }
    return tuple(name for name, possible in known.items() if possible)


def _pose(small: Small, _shape: Dice, dice: Dice, of_policy: bool) -> Posed | None:
    """Draw what the sweeps begin from and, where one is asked for, the policy."""
    pi = drawn_policy(small, dice) if of_policy else None
    end = zero_or(dice, small)
    if small.final is not None:
        start, end = list(small.final), Fraction(0)
    else:
        start = [end] * small.live
    if small.horizon is not None:
        small = replace(small, final=tuple(start))
    reckon = partial(_reckon, small, pi, start, end)
    labels = _labels(small)
    items = tuple(Item(f"{v}({Name(small.states[s])})") for v in labels[1:] for s in range(small.live))
    values = [x for x in reckon(None, {}) if isinstance(x, Fraction)]
    if small.live > 1 and small.gamma > 0 and len(set(values)) == 1:
        return None  # nothing to tell one state from another by
    return Posed(
        small, _title(small, pi), partial(_task, small, pi, start, labels),
        partial(_solution, small, pi, start, values, labels),
        items, _mistakes(small, pi, start, end), reckon,
    )  # fmt: skip


def _labels(small: Small) -> list[str]:
    """What the values before the sweeps and after each are called."""
    last = small.horizon
    return [f"V_{k}" if last is None else f"V_{last - k}" for k in range(SWEEPS + 1)]


def _title(small: Small, pi: Policy | None) -> str:
    if small.horizon is not None:
        return "Two steps backward from the horizon"
    return "Two sweeps of value iteration" if pi is None else "Two sweeps of policy evaluation"


def _task(small: Small, pi: Policy | None, start: Sequence[Fraction], labels: list[str]) -> list[Part]:
    parts = facts(small)
    if pi is not None:
        parts += [say("The policy $π(a|s)$:"), policy_table(small, {"π(a|s)": pi})]
    if len(set(start)) == 1:
        where = " and ".join(f"{{n{s}}}" for s in range(small.live))
        fields = {f"n{s}": small.label(s) for s in range(small.live)}
        parts.append(
            say(f"Begin with ${labels[0]}(s) = {{x}}$ for the states {where}.", x=shown(start[0]), **fields)
        )
    else:
        lines = [
            line_of(f"${labels[0]}({{s}}) = {{x}}$", s=small.label(s), x=shown(x))
            for s, x in enumerate(start)
        ]
        parts += [say("Begin with"), Formula(joined(lines, ",   "))]
    if small.horizon is not None:
        made, used = "V_t(s)", "V_{{t+1}}(s')"
        parts.append(say(f"The horizon is ${small.horizon}$: ${labels[0]}$ holds what is paid after the last decision. "
                         f"Find ${labels[1]}$ and ${labels[2]}$:"))  # fmt: skip
    else:
        made, used = "V_{{k+1}}(s)", "V_k(s')"
        parts.append(say("Do two synchronous sweeps, all states at once. Find $V_1$ and $V_2$:"))
    best = "min_a" if small.costs else "max_a"
    choice = best if pi is None else "Σ_a π(a|s)"
    return [*parts, formula(f"{made} = {choice} Σ_s' p(s'|s,a) [r(s,a,s') + γ {used}]")]


def _solution(
    small: Small, pi: Policy | None, start: Sequence[Fraction], values: Sequence[Fraction], labels: list[str]
) -> list[Part]:
    parts: list[Part] = []
    zeros = [Fraction(0)] * len(small.ends)
    before = [*start, *zeros]
    for k in range(1, SWEEPS + 1):
        now = values[(k - 1) * small.live : k * small.live]
        for s, rows in enumerate(small.rows):
            sums = [sum_line(small, row, before) for row in rows]
            q = [q_of(small, row, before) for row in rows]
            parts.append(Formula(_backup_line(small, pi, s, sums, q, f"{labels[k]}({{s}})", now[s])))
        before = [*now, *zeros]
    return parts


def _backup_line(
    small: Small, pi: Policy | None, s: int, sums: list[Line], q: list[Fraction], made: str, value: Fraction
) -> Line:
    """V_1(cool) = max(1 [1 + 0.5 · 0], 1/2 [2 + 0.5 · 0] + 1/2 [2 + 0.5 · 0]) = max(1, 2) = 2."""
    head = line_of(f"${made} = $", s=small.label(s))
    if pi is None and len(q) > 1:
        best = "min" if small.costs else "max"
        short = ", ".join(map(shown, q))
        return (
            *head,
            *line_of(f"${best}($"),
            *joined(sums, ", "),
            *line_of(f"$) = {best}({short}) = {shown(value)}$"),
        )
    if pi is None or len(q) == 1:
        return (*head, *sums[0], *line_of(f"$ = {shown(value)}$"))
    weighed = [
        (*line_of(f"${shown(p)} ($"), *line, *line_of("$)$")) for p, line in zip(pi[s], sums, strict=True)
    ]
    short = " + ".join(f"{shown(p)} · {factor(x)}" for p, x in zip(pi[s], q, strict=True))
    return (*head, *joined(weighed, " + "), *line_of(f"$ = {short} = {shown(value)}$"))


def _refusal(small: Small, of_policy: bool) -> str:
    if small.horizon is not None and small.horizon < SWEEPS:
        return f"found a horizon of {small.horizon}, expected {SWEEPS} or more. Say --horizon {SWEEPS}"
    if of_policy and not small.choices():
        return "found one action in every state, expected a choice. Ask for --kind sweeps, which needs none"
    return ""


SWEEPS_KIND = Kind(
    "sweeps", "V_1 and V_2 of value iteration; backward from the end where there is a horizon", 4, 3,
    partial(_refusal, of_policy=False), partial(_pose, of_policy=False),
)  # fmt: skip
POLICY_SWEEPS = Kind(
    "policy-sweeps",
    "V_1 and V_2 of a policy",
    3,
    2,
    partial(_refusal, of_policy=True),
    partial(_pose, of_policy=True),
)
