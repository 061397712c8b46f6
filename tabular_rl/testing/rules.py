"""The rules of learners, and the mistakes that are made with them.

Here are their names, their numbers and what is said of each mistake; `learned.py` applies them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tabular_rl.errors import OptionError, closest, quoted
from tabular_rl.solving.schedules import Schedule

RULES = {
    "td0": "v(s) ← v(s) + α [ r + γ v(s') - v(s) ]",
    "sarsa": "q(s,a) ← q(s,a) + α [ r + γ q(s',a') - q(s,a) ]",
    "expected-sarsa": "q(s,a) ← q(s,a) + α [ r + γ Σ_a' π(a'|s') q(s',a') - q(s,a) ]",
    "q-learning": "q(s,a) ← q(s,a) + α [ r + γ max_a' q(s',a') - q(s,a) ]",
    "double-q-learning": "q₁(s,a) ← q₁(s,a) + α [ r + γ q₂(s', argmax_a' q₁(s',a')) - q₁(s,a) ], or exchanged",
    "monte-carlo": "v(s) ← v(s) + α [ G - v(s) ],  G = r + γ r' + γ² r'' + ... to the end of the episode",
    "n-step-td": "v(s) ← v(s) + α [ r_1 + γ r_2 + ... + γ^(n-1) r_n + γ^n v(s_n) - v(s) ]",
    "td-lambda": "z ← γλ z + α e_s,  v ← v + [ r + γ v(s') - v(s) ] z",
}
EPISODIC = ("monte-carlo", "n-step-td", "td-lambda")  # what is learned depends on where episodes end
OF_STATES = ("td0", *EPISODIC)  # the table has one number a state
OF_ACTIONS = ("sarsa", "expected-sarsa", "q-learning")

# What is said when a mistake fits; the keys are how `learned_by` is asked for them.
MISTAKES = {
    "policy at s": "the policy is read at s instead of s'",
    "maximum": "the maximum over the next actions is taken instead of the expectation",
    "expectation": "the expectation over the next actions is taken instead of the maximum",
    "mean": "the mean over all next actions is taken",
    "same action": "q(s', a) of the same action is read instead of q(s', a')",
    "values at s": "the values of s are read instead of those of s'",
    "all at s": "the policy and the values are read at s instead of s'",
    "index at s": "the best action is looked up at s, and its value read at s'",
    "action 0": "q(s', 0) is read, whatever the next action is",
    "action after next": "off by one: the action after the next one is read at s'",
    "minus": "the sign is wrong: the table goes away from the target (minus for plus)",
    "no discount": "the discount γ is missing",
    "no mask": "the mask of terminal states is missing: the value of a terminal s' is read, which must count 0",
    "no bootstrap": "the value of s' is missing from the target",
    "updates s'": "the entry of s' is updated instead of that of s",
    "early": "the entry is changed before the target is read, which shows where s' is s",
    "own values": "the table that chooses the action also values it: that is Q-learning twice",
    "other chooses": "the other table chooses the action and values it",
    "both learn": "both tables learn from each transition",
    "last left out": "off by one: the last transition is not learned from",
    "first left out": "off by one: the first transition is not learned from",
    "count from 2": "off by one: the count n of the step size is one too high",
    "shared count": "the step size is shared: n counts all updates instead of those of this entry",
    "count of s": "the step size is shared: n counts the updates of s instead of those of s and a",
    "root": "the step size is 1/√n instead of 1/n",
    "1% too large": "the step size is 1% too large",
    "replaces": "the target replaces the estimate: the step size is 1",
    "reward of the next": "off by one: the reward of the following transition is used",
    "every visit": "every visit of a state is learned from, instead of the first of an episode",
    "first visit": "the first visit of a state in an episode alone is learned from, instead of every one",
    "last visit": "the last visit of a state in an episode is learned from, instead of the first",
    "return of the start": "the return of the whole episode is used at each state, instead of what follows it",
    "reward before": "off by one: the return begins one reward late",
    "discounted at once": "the first reward of a return is discounted",
    "returns run on": "the return is not set to 0 at the end of an episode",
    "n + 1": "off by one: returns have n + 1 rewards",
    "n - 1": "off by one: returns have n - 1 rewards",
    "one discount": "v(s_n) is discounted by γ instead of γ^n",
    "rewards undiscounted": "the rewards of a return are not discounted",
    "tail left out": "the last states of an episode are never updated",
    "traces kept": "the traces are not set to 0 at the end of an episode",
    "no γ in the trace": "the traces fade by λ instead of γλ",
    "no λ in the trace": "the traces fade by γ instead of γλ",
    "no trace": "the TD error reaches the state s alone: that is TD(0)",
    "fades at once": "the trace of s fades before it is used: z ← γλ (z + e_s)",
    "accumulating": "the traces accumulate, instead of being replaced",
    "replacing": "the traces are replaced, instead of being added up",
    "step size of now": "the step size is that of the state now, not that of each visit: α belongs in the trace",
}
# Other words for the same mistake in another rule.
SAID = {
    "sarsa": {
        "maximum": "the maximum over the next actions is taken instead of the action a' that was taken",
        "mean": "the mean over all next actions is taken instead of the action a' that was taken",
    },
    "q-learning": {"values at s": "the maximum is taken over q(s, ·) instead of q(s', ·)"},
    "double-q-learning": {
        "values at s": "the action is chosen and valued at s instead of s'",
        "mean": "the mean over all next actions is taken, of the other table",
    },
    "monte-carlo": {
        "last left out": "off by one: the last episode is not learned from",
        "first left out": "off by one: the first episode is not learned from",
    },
}

_STEPS = ("count from 2", "shared count", "root", "1% too large", "replaces")
_ONE_STEP = (
    "minus", "no discount", "no mask", "no bootstrap", "updates s'", "early", "last left out", "first left out",
    "reward of the next", *_STEPS,
)  # fmt: skip
_Q = ("mean", "values at s", "action 0", "count of s")
OF_RULE: dict[str, tuple[str, ...]] = {
    "td0": ("values at s", *_ONE_STEP),
    "sarsa": ("maximum", "same action", "action after next", *_Q, *_ONE_STEP),
    "expected-sarsa": ("policy at s", "all at s", "maximum", "same action", *_Q, *_ONE_STEP),
    "q-learning": ("expectation", "same action", "index at s", *_Q, *_ONE_STEP),
    "double-q-learning": (
        "own values", "other chooses", "both learn", "same action", "index at s", *_Q,
        *(m for m in _ONE_STEP if m != "early"),
    ),
    "monte-carlo": (
        "every visit", "first visit", "last visit", "return of the start", "reward before", "discounted at once",
        "returns run on", "minus", "no discount", "last left out", "first left out", *_STEPS,
    ),
    "n-step-td": (
        "n + 1", "n - 1", "one discount", "rewards undiscounted", "tail left out", "minus", "no discount", "no mask",
        "no bootstrap", *_STEPS,
    ),
    "td-lambda": (
        "traces kept", "no γ in the trace", "no λ in the trace", "no trace", "fades at once", "accumulating",
        "replacing", "step size of now", "minus", "no discount", "no mask", "no bootstrap", *_STEPS,
    ),
}  # fmt: skip


class Transition(NamedTuple):
    """(s, a, r, s', done), and the next action a' where it is known."""

    s: int
    a: int
    r: float
    s2: int
    done: bool
    a2: int | None = None


@dataclass(frozen=True)
class Rule:
    """A rule with its numbers: α, n of n-step TD, λ and the kind of traces of TD(λ), the visits of Monte Carlo."""

    name: str
    step_size: Schedule
    n: int = 3
    trace: float = 0.75
    traces: str = "accumulating"
    visit: str = "first"

    @property
    def mistakes(self) -> list[str]:
        """The mistakes that can be made with it."""
        no = {"replacing" if self.traces == "replacing" else "accumulating", f"{self.visit} visit"}
        if self.visit == "every":
            no.add("last visit")
        if self.step_size.kind == "constant":
            no |= {"count from 2", "shared count", "count of s", "root", "step size of now"}
        if self.name == "n-step-td" and self.n == 1:
            no |= {"n - 1", "one discount", "rewards undiscounted", "tail left out"}
        return [name for name in OF_RULE[self.name] if name not in no]

    def words(self, mistake: str) -> str:
        """The sentence of a mistake."""
        return SAID.get(self.name, {}).get(mistake, MISTAKES[mistake])

    @property
    def of_states(self) -> bool:
        """Whether its table has one number a state."""
        return self.name in OF_STATES

    @property
    def numbers(self) -> dict[str, float]:
        """Its numbers by the names of the parameters that are filled in with them."""
        return {"step_size": self.step_size.at(1), "n": self.n, "trace": self.trace, "lam": self.trace}

    def entry(self, t: Transition, table: int = 0) -> tuple[int, ...]:
        """Return the table and the entry that a transition updates."""
        return (table, t.s) if self.of_states else (table, t.s, t.a)


def known_rule(name: str) -> str:
    """Return the name of a rule; OptionError lists them."""
    name = {"q-evaluation": "expected-sarsa", "sarsa-evaluation": "sarsa"}.get(name, name)
    if name not in RULES:
        raise OptionError(
            f"rule {quoted(name)}: no such rule{closest(name, RULES) or '.'} Rules: {', '.join(RULES)}."
        )
    return name


@dataclass
class StepSizes:
    """The step sizes of a rule while it learns, or what a mistake makes of them."""

    rule: Rule
    mistake: str | None
    counts: Counter[Any] = field(default_factory=Counter)

    def next(self, entry: Any) -> float:
        """Count an update of an entry, and return its α; below 0 where the sign is wrong."""
        key = () if self.mistake == "shared count" else entry
        self.counts[key] += 1
        n, step_size = self.counts[key], self.rule.step_size
        if self.mistake == "root":
            return float(step_size.a / n**0.5)
        if self.mistake == "replaces":
            return 1.0
        alpha = step_size.at(n + (self.mistake == "count from 2"))
        return alpha * {"1% too large": 1.01, "minus": -1.0}.get(self.mistake or "", 1.0)


def bootstraps(done: bool, mistake: str | None) -> bool:
    """Whether the value of the state that comes next is read."""
    return (not done or mistake == "no mask") and mistake != "no bootstrap"


def left_out(at: int, count: int, mistake: str | None) -> bool:
    """Whether number `at` of `count` transitions, or episodes, is not learned from.

    Parameters
    ----------
    at : its number, from 0
    count : how many there are
    mistake : a key of `MISTAKES`; None for the rule itself

    Returns
    -------
    True for the first or the last one, where the mistake is to leave it out.
    """
    return (mistake == "last left out" and at == count - 1) or (mistake == "first left out" and at == 0)
