"""What is reckoned from one episode: a policy gradient, and an importance-weighted return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from tabular_rl.analysis.exercises.dice import Dice
from tabular_rl.analysis.exercises.drawing import Step, after, drawn_policy, walk
from tabular_rl.analysis.exercises.posed import Answers, Item, Kind, Posed, Value, facts, policy_table
from tabular_rl.analysis.exercises.prose import (
    Formula,
    Name,
    Part,
    factor,
    formula,
    joined,
    line_of,
    say,
    shown,
)
from tabular_rl.analysis.exercises.small import Policy, Small
from tabular_rl.analysis.exercises.update import entered, episode_table

ONE, ZERO = Fraction(1), Fraction(0)


def _rewards(small: Small, steps: Sequence[Step]) -> list[Fraction]:
    return [after(small, step)[1] for step in steps]


def _return(rewards: Sequence[Fraction], gamma: Fraction) -> Fraction:
    """r_0 + γ r_1 + γ² r_2 + ..."""
    return sum((gamma**k * r for k, r in enumerate(rewards)), ZERO)


def _return_text(rewards: Sequence[Fraction], gamma: Fraction) -> str:
    """The same, with its numbers."""
    parts = [shown(rewards[0])]
    for k, r in enumerate(rewards[1:], 1):
        parts.append(factor(r) if gamma == 1 else f"{shown(gamma**k)} · {factor(r)}")
    return " + ".join(parts)


def _ending(small: Small, steps: Sequence[Step]) -> list[Part]:
    """How the episode ends, where no terminal state says it."""
    if after(small, steps[-1])[0] >= small.live:
        return []
    return [say("It is cut off there: what would come later is left out.")]


# -- a policy gradient -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Gradient:
    """An episode of a softmax policy; `entries` are the preferences that it says something of: state and action."""

    small: Small
    steps: Sequence[Step]
    pi: Policy
    entries: Sequence[tuple[int, int]]

    def reckon(self, mistake: str | None, answers: Answers) -> list[Value]:
        """The returns from each step on, and then the entries of the gradient, with a mistake or without."""
        gamma = ONE if mistake == "no-gamma" else self.small.gamma
        rewards = _rewards(self.small, self.steps)
        T = len(rewards)
        returns = [_return(rewards[t + (mistake == "later-reward") :], gamma) for t in range(T)]
        used = [answers.get(t, G) for t, G in enumerate(returns)]
        if mistake == "whole-return":
            used = [used[0]] * T
        sign = -ONE if mistake == "descent" else ONE
        found: list[Value] = [*returns]
        for s, b in self.entries:
            total = ZERO
            for t, (at, a, _) in enumerate(self.steps):
                if at == s:
                    weight = ONE if mistake == "no-gamma-weight" else gamma**t
                    total += weight * used[t] * self.score(s, a, b, mistake)
            found.append(sign * total)
        return found

    def score(self, s: int, a: int, b: int, mistake: str | None = None) -> Fraction:
        """∂ log π(a|s) / ∂θ(s,b) of a softmax policy."""
        taken = Fraction(int(a == b))
        if mistake == "no-baseline-of-score":
            return taken
        if mistake == "taken-only" and a != b:
            return ZERO
        score = taken - self.pi[s][b]
        return score * self.pi[s][a] if mistake == "gradient-of-pi" else score

    def mistakes(self) -> tuple[str, ...]:
        """The mistakes that can be made here."""
        discounted, several = ZERO < self.small.gamma < 1, len(self.steps) > 1
        known = {
            "descent": True,
            "no-gamma": discounted and several,
            "whole-return": several,
            "later-reward": True,
            "no-gamma-weight": discounted and several,
            "taken-only": True,
            "no-baseline-of-score": True,
            "gradient-of-pi": True,
        }
        return tuple(name for name, possible in known.items() if possible)

    def task(self) -> list[Part]:
        """What the sheet says."""
        small = self.small
        what = "cost" if small.costs else "r"
        several = len(self.steps) > 1
        return [
            *facts(small, entered(small, self.steps)),
            say("The policy is a softmax of preferences $θ(s,a)$, which give it these probabilities:"),
            policy_table(small, {"π(a|s)": self.pi}, {s for s, _, _ in self.steps}),
            say("It has played this episode:"),
            episode_table(small, self.steps, what),
            *_ending(small, self.steps),
            say("Find the return $G_t$ from every step on, and the gradient of the expected discounted return as this "
                "episode estimates it, for every preference of the "
                + ("states that it visits:" if several else "state that it visits:")),
            formula("G_t = r_t + γ G_{{t+1}},   g(s,b) = Σ_t γ^t G_t ∂log π(a_t|s_t)/∂θ(s,b)"),
            formula("∂log π(a|s)/∂θ(s,b) = 1 - π(b|s) for b = a,   -π(b|s) for b ≠ a"),
        ]  # fmt: skip

    def solution(self) -> list[Part]:
        """The way to the numbers."""
        small, rewards = self.small, _rewards(self.small, self.steps)
        values = [x for x in self.reckon(None, {}) if isinstance(x, Fraction)]
        T = len(rewards)
        parts: list[Part] = []
        for t in range(T):
            tail = rewards[t:]
            sum_text = f"{_return_text(tail, small.gamma)} = " if len(tail) > 1 else ""
            parts.append(formula(f"G_{t} = {sum_text}{shown(values[t])}"))
        for (s, b), value in zip(self.entries, values[T:], strict=True):
            terms = []
            for t, (at, a, _) in enumerate(self.steps):
                if at == s:
                    weight = f"{shown(small.gamma**t)} · " if t and small.gamma != 1 else ""
                    taken = f"(1 - {shown(self.pi[s][b])})" if a == b else f"(-{shown(self.pi[s][b])})"
                    terms.append(line_of(f"${weight}{factor(values[t])} · {taken}$"))
            head = line_of("$g({s}, {b}) = $", s=small.label(s), b=Name(small.rows[s][b].action))
            parts.append(Formula((*head, *joined(terms, " + "), *line_of(f"$ = {shown(value)}$"))))
        return parts


def _pose_gradient(small: Small, shape: Dice, dice: Dice) -> Posed | None:
    steps = walk(small, 2, shape, choices=True)
    visited = list(dict.fromkeys(s for s, _, _ in steps if len(small.rows[s]) > 1))
    if not visited:
        return None
    entries = [(s, b) for s in visited for b in range(len(small.rows[s]))]
    gradient = _Gradient(small, steps, drawn_policy(small, dice), entries)
    items = tuple(
        [Item(f"G_{t}") for t in range(len(steps))]
        + [Item(f"g({small.label(s)}, {Name(small.rows[s][b].action)})") for s, b in entries]
    )
    return Posed(small, "A policy gradient from one episode", gradient.task, gradient.solution, items,
                 gradient.mistakes(), gradient.reckon)  # fmt: skip


# -- an importance-weighted return -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Weighted:
    """An episode of a behaviour policy b, weighed for another policy π."""

    small: Small
    steps: Sequence[Step]
    pi: Policy
    b: Policy

    def reckon(self, mistake: str | None, answers: Answers) -> list[Value]:
        """The return, the ratio and their product, with a mistake or without."""
        gamma = ONE if mistake == "no-gamma" else self.small.gamma
        G = _return(_rewards(self.small, self.steps)[mistake == "later-reward" :], gamma)
        rho = self.ratio(mistake)
        weighed = answers.get(1, rho) * answers.get(0, G)
        return [G, rho, answers.get(0, G) if mistake == "no-ratio" else weighed]

    def ratio(self, mistake: str | None) -> Fraction:
        """Π π(a|s) / b(a|s) over the steps."""
        target = [self.pi[s][a] for s, a, _ in self.steps]
        acted = [self.b[s][a] for s, a, _ in self.steps]
        ratios = [p / q for p, q in zip(target, acted, strict=True)]
        if mistake == "ratio-sum":
            return sum(ratios, ZERO) / len(ratios)
        return {
            "inverted": prod((1 / x for x in ratios), start=ONE),
            "first-ratio": ratios[0],
            "short-product": prod(ratios[:-1], start=ONE),
            "target-alone": prod(target, start=ONE),
        }.get(mistake or "", prod(ratios, start=ONE))

    def mistakes(self) -> tuple[str, ...]:
        """The mistakes that can be made here."""
        several = len(self.steps) > 1
        known = {
            "no-gamma": self.small.gamma < 1 and several,
            "later-reward": True,
            "inverted": True,
            "first-ratio": len(self.steps) > 2,
            "short-product": several,
            "ratio-sum": several,
            "target-alone": True,
            "no-ratio": True,
        }
        return tuple(name for name, possible in known.items() if possible)

    def task(self) -> list[Part]:
        """What the sheet says."""
        small = self.small
        return [
            *facts(small, entered(small, self.steps)),
            say("This episode was played by the policy $b(a|s)$. How good is the policy $π(a|s)$?"),
            policy_table(small, {"π(a|s)": self.pi, "b(a|s)": self.b}, {s for s, _, _ in self.steps}),
            episode_table(small, self.steps, "cost" if small.costs else "r"),
            *_ending(small, self.steps),
            say("Find the discounted return $G$ of the episode, its importance ratio $ρ$, and the importance-weighted "
                "return, which estimates the value of {s} under $π$:", s=small.label(self.steps[0][0])),
            formula("G = Σ_t γ^t r_t,   ρ = Π_t π(a_t|s_t) / b(a_t|s_t),   estimate = ρ G"),
        ]  # fmt: skip

    def solution(self) -> list[Part]:
        """The way to the numbers."""
        G, rho, weighed = (x for x in self.reckon(None, {}) if isinstance(x, Fraction))
        rewards = _rewards(self.small, self.steps)
        ratios = " · ".join(f"({self.pi[s][a]}) / ({self.b[s][a]})" for s, a, _ in self.steps)
        return [
            formula(f"G = {_return_text(rewards, self.small.gamma)} = {shown(G)}"),
            formula(f"ρ = {ratios} = {shown(rho)}"),
            formula(f"estimate = {shown(rho)} · {factor(G)} = {shown(weighed)}"),
        ]


def _pose_importance(small: Small, shape: Dice, dice: Dice) -> Posed | None:
    steps = walk(small, shape.between(2, 3), shape, choices=True)
    if not any(len(small.rows[s]) > 1 for s, _, _ in steps):
        return None
    weighted = _Weighted(small, steps, drawn_policy(small, dice), drawn_policy(small, dice))
    items = (Item("G"), Item("rho"), Item("estimate"))
    return Posed(small, "An importance-weighted return", weighted.task, weighted.solution, items,
                 weighted.mistakes(), weighted.reckon)  # fmt: skip


def _refusal(small: Small) -> str:
    if small.horizon is not None:
        return "found a horizon, expected none: policies here know no time. Ask for --kind sweeps, which steps backward"
    if not small.choices():
        return "found one action in every state, expected a choice. Ask for --kind td"
    return ""


GRADIENT = Kind("gradient", "the policy gradient that one episode estimates", 4, 3, _refusal, _pose_gradient)
IMPORTANCE = Kind(
    "importance", "the importance-weighted return of an episode", 4, 3, _refusal, _pose_importance
)
