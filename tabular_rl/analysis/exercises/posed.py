"""What a kind of exercise returns: a problem with its blanks, the way to its numbers, and the usual ways astray."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tabular_rl.analysis.exercises.dice import Dice
from tabular_rl.analysis.exercises.prose import Given, Name, Part, Say, say, shown
from tabular_rl.analysis.exercises.small import Small

Value = Fraction | frozenset[str] | None  # a number; the names of actions, each as good; or what there is not
Answers = Mapping[int, Fraction]  # what was written into some of the blanks, by place


@dataclass(frozen=True)
class Item:
    """A blank of a sheet: how it is labelled in ASCII, and the actions that may stand there, none for a number."""

    label: str
    actions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Posed:
    """A problem.

    Parameters
    ----------
    small : the model with its numbers
    title, task, solution : what the sheet says, and its key; made when they are asked for
    items : the blanks
    mistakes : the mistakes that can be made here, by name
    reckon : (mistake or None, answers) -> the value of every blank. Later blanks are reckoned from what was written
        into earlier ones, where that is given
    of_policy : (actions by place of the blank) -> the blanks as they are with that policy, rightly evaluated, and what
        is said to whoever left it at that; None where there is nothing to say
    """

    small: Small
    title: str
    task: Callable[[], list[Part]]
    solution: Callable[[], list[Part]]
    items: tuple[Item, ...]
    mistakes: tuple[str, ...]
    reckon: Callable[[str | None, Answers], list[Value]]
    of_policy: Callable[[Mapping[int, str]], tuple[list[Value], str] | None] | None = None
    _known: dict[str | None, list[Value]] = field(default_factory=dict, repr=False)

    def values(self, mistake: str | None = None) -> list[Value]:
        """The right answers, or what a mistake makes of every blank."""
        if mistake not in self._known:
            self._known[mistake] = self.reckon(mistake, {})
        return self._known[mistake]


@dataclass(frozen=True)
class Kind:
    """A kind of exercise.

    Parameters
    ----------
    name, summary : what it is called, and what it asks for
    states : of a model that is taken whole; of a part of a larger one `part`
    refusal : small model -> why it cannot be posed, and the way out; "" where it can
    pose : (model with its numbers, dice of the shape, dice of the numbers) -> a problem, or None where these do not do
    """

    name: str
    summary: str
    states: int
    part: int
    refusal: Callable[[Small], str]
    pose: Callable[[Small, Dice, Dice], Posed | None]


# Name of a mistake -> what is said of it to whoever made it.
MISTAKES = {
    "in-place": "You used new values within the same sweep. In a synchronous sweep every new value is made of the old "
    "ones alone; what is new counts from the next sweep on.",
    "no-gamma": "You left out γ. What comes one step later counts γ times.",
    "wrong-reward": "You took the reward of the next state. The reward belongs to the step out of the state that is "
    "backed up: r(s,a,s').",
    "gamma-on-reward": "You discounted the reward too: γ (r + V). The reward comes with its own step; what comes one "
    "step later counts γ times.",
    "later-reward": "You took the reward of the step after. What an action earns comes with its own step.",
    "max-for-average": "You took the best action. The value of a policy is the average over its actions, each weighed "
    "with π(a|s).",
    "average-for-max": "You averaged over the actions. Here the best action counts alone.",
    "uniform-policy": "You weighed all actions alike. Each counts with its probability π(a|s).",
    "wrong-end": "You took the worst action: rewards are made large, and costs small.",
    "lost-minus": "You lost a minus sign: a reward below 0 is taken off.",
    "minus-sign": "You have a minus where a plus belongs: the value of the next state is added to the reward.",
    "minus-step": "You have a minus where a plus belongs: the old value moves towards the target, by α times the TD "
    "error.",
    "descent": "You have the opposite sign: the gradient points to where the return grows.",
    "terminal-value": "You gave the terminal state a value. After it nothing is earned: it is worth 0, whatever stands "
    "in a table.",
    "terminal-again": "You counted the reward for entering the terminal state a second time, as its value. After it "
    "nothing is earned: it is worth 0.",
    "zero-start": "You began from 0. Begin with the values that the sheet gives.",
    "sweep-early": "You are one sweep behind: these are the values before the sweep that was asked for.",
    "sweep-late": "You are one sweep ahead: these are the values after one sweep too many.",
    "myopic": "You looked one step ahead. What comes after the first reward counts too.",
    "no-step-size": "You left out α. The old value moves only a part of the way to the target.",
    "old-value-kept": "You did not subtract the old value: the step is α times the difference between target and old "
    "value.",
    "same-state": "You took the value of the state that was left. The target holds that of the next state.",
    "sarsa": "You took the action that came next. Q-learning takes the best action of the next state, whatever is done "
    "there.",
    "whole-return": "You weighed both actions with the return of the whole episode. An action is credited with what "
    "comes from its own step on.",
    "no-gamma-weight": "You left out γ^t before the score of a later step. The gradient of the discounted return from "
    "the start has it.",
    "taken-only": "You changed the preference of the action that was taken and left the others at 0. The score is "
    "1 - π(a|s) there and -π(b|s) for every other action b.",
    "no-baseline-of-score": "You took 1 as the score of the action that was taken. It is 1 - π(a|s), and -π(b|s) for "
    "every other action b.",
    "gradient-of-pi": "You took the gradient of π in place of that of log π: it still has to be divided by π(a|s).",
    "inverted": "You turned the ratio round. It is π, the policy in question, over b, the one that acted.",
    "first-ratio": "You took the ratio of the first step alone. The ratio of an episode is the product over all steps.",
    "short-product": "You left out the ratio of the last step. The product runs over all steps of the episode.",
    "ratio-sum": "You took the mean of the ratios. The probability of an episode is a product, and so is the ratio.",
    "target-alone": "You took the probabilities of π alone. They are divided by those of b, the policy that acted.",
    "no-ratio": "You left out the ratio: the return is weighed with it.",
}


def zero_or(dice: Dice, small: Small) -> Fraction:
    """What a table holds at first: 0 in half of the cases, where no terminal state could be taken for another.

    Where no reward is above 0 it is below: a terminal state, which is worth 0, stays the best place to come to.
    """
    if not small.reaches() and dice.below(2):
        return Fraction(0)
    size = Fraction(dice.between(1, 6))
    return size if small.costs or small.gains() else -size


def facts(small: Small, entered: Sequence[int] | None = None) -> list[Part]:
    """What a sheet says of the model, and its table; or what matters to an episode that has entered some states."""
    parts: list[Part] = []
    what = "costs are minimised" if small.costs else "rewards are maximised"
    where = ""
    if small.whole is not None:
        where = f" Of {small.whole:,} states {small.live} are taken, with some of their actions."
    parts.append(say(f"$γ = {{gamma}}$; {what}.{where}", gamma=shown(small.gamma)))
    used = (
        {to for rows in small.rows for row in rows for to, _, _ in row.outcomes}
        if entered is None
        else entered
    )
    if ends := [s for s in small.ends if s in used]:
        parts.append(_ends_text(small, ends))
    if entered is None:
        rows = [
            ["" if at or k else str(small.label(s)), "" if k else str(Name(row.action)), str(small.label(to)),
             shown(p), shown(r)]
            for s, actions in enumerate(small.rows)
            for at, row in enumerate(actions)
            for k, (to, p, r) in enumerate(row.outcomes)
        ]  # fmt: skip
        reward = "cost" if small.costs else "r"
        parts.append(Given(["state", "action", "next state", "p", reward], rows, left=3))
    return parts


def _ends_text(small: Small, ends: Sequence[int]) -> Say:
    """Which states are terminal."""
    named = {f"n{at}": small.label(s) for at, s in enumerate(ends) if s != small.elsewhere}
    text = " and ".join(f"{{{key}}}" for key in named)
    parts = (
        [f"{text} {'is' if len(named) == 1 else 'are'} terminal: the episode ends there."] if named else []
    )
    if small.elsewhere in ends:
        named["e"] = small.label(ends[-1])
        price = f"costs {shown(small.leaving)} more (in the numbers below), so that leaving is no way out"
        dear = f", and a step there {price}" if small.leaving else ""
        parts.append(f"{{e}} stands for all other states of the model; it is terminal here{dear}.")
    return say(" ".join(parts), **named)


def policy_table(
    small: Small, policies: Mapping[str, Sequence[Sequence[Fraction]]], states: Collection[int] | None = None
) -> Given:
    """Return the probabilities of policies.

    Parameters
    ----------
    small : the model
    policies : by the header of their column
    states : those that are shown, all by default

    Returns
    -------
    A table.
    """
    rows = [
        [
            str(small.label(s)) if a == 0 else "",
            str(Name(row.action)),
            *(shown(pi[s][a]) for pi in policies.values()),
        ]
        for s, actions in enumerate(small.rows)
        if states is None or s in states
        for a, row in enumerate(actions)
    ]
    return Given(["state", "action", *policies], rows, left=2)
