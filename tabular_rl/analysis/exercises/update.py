"""One update of a learner by hand: of TD(0), or of Q-learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from tabular_rl.analysis.exercises.dice import Dice
from tabular_rl.analysis.exercises.drawing import Step, after, walk
from tabular_rl.analysis.exercises.posed import Answers, Item, Kind, Posed, Value, facts
from tabular_rl.analysis.exercises.prose import Given, Name, Part, factor, formula, say, shown
from tabular_rl.analysis.exercises.small import Small

STEP_SIZES = ("1/2", "1/4", "1/5", "1/10")


@dataclass(frozen=True)
class _Update:
    """One transition and what a learner holds: tables[s] has an entry for each action, or one alone for a value."""

    small: Small
    steps: Sequence[Step]
    tables: Sequence[Sequence[Fraction]]
    stored: Fraction  # what stands in the table for a terminal state
    alpha: Fraction
    of_q: bool

    @property
    def s(self) -> int:
        """The state that is left."""
        return self.steps[0][0]

    @property
    def a(self) -> int:
        """The place of its entry."""
        return self.steps[0][1] if self.of_q else 0

    @property
    def s2(self) -> int:
        """The next state."""
        return after(self.small, self.steps[0])[0]

    @property
    def r(self) -> Fraction:
        """The reward."""
        return after(self.small, self.steps[0])[1]

    @property
    def ended(self) -> bool:
        """Whether the next state is terminal."""
        return self.s2 >= self.small.live

    @property
    def old(self) -> Fraction:
        """The entry that changes."""
        return self.tables[self.s][self.a]

    def next_value(self, mistake: str | None) -> Fraction:
        """What the target holds of the next state."""
        if mistake == "same-state":
            return self.small.best(self.tables[self.s])
        if self.ended:
            return self.stored if mistake == "terminal-value" else Fraction(0)
        q = self.tables[self.s2]
        if mistake == "sarsa":
            return q[self.steps[1][1]]
        if mistake == "average-for-max":
            return sum(q, Fraction(0)) / len(q)
        return {True: max(q), False: min(q)}[(mistake == "wrong-end") == self.small.costs]

    def reckon(self, mistake: str | None, answers: Answers) -> list[Value]:
        """The target, the TD error and the new entry, with a mistake or without."""
        gamma = {"no-gamma": Fraction(1), "minus-sign": -self.small.gamma}.get(
            mistake or "", self.small.gamma
        )
        r = after(self.small, self.steps[1])[1] if mistake == "later-reward" else self.r
        if mistake == "gamma-on-reward":
            r *= gamma
        if mistake == "lost-minus":
            r = abs(r)
        target = r + gamma * self.next_value(mistake)
        old = Fraction(0) if mistake == "old-value-kept" else self.old
        delta = answers.get(0, target) - old
        alpha = {"minus-step": -self.alpha, "no-step-size": Fraction(1)}.get(mistake or "", self.alpha)
        return [target, delta, self.old + alpha * answers.get(1, delta)]

    def mistakes(self) -> tuple[str, ...]:
        """The mistakes that can be made here."""
        discounted, choice = (
            self.small.gamma > 0,
            not self.ended and self.of_q and len(self.tables[self.s2]) > 1,
        )
        known = {
            "minus-step": True,
            "no-gamma": self.small.gamma < 1 and not self.ended,
            "lost-minus": self.r < 0,
            "minus-sign": discounted and not self.ended,
            "gamma-on-reward": self.small.gamma < 1,
            "later-reward": len(self.steps) > 1,
            "terminal-value": discounted and self.ended,
            "sarsa": choice and len(self.steps) > 1,
            "average-for-max": choice,
            "wrong-end": choice and len(self.tables[self.s2]) > 2 - (len(self.steps) == 1),
            "no-step-size": True,
            "old-value-kept": True,
            "same-state": discounted and self.s2 != self.s,
        }
        return tuple(name for name, possible in known.items() if possible)

    def pair(self) -> dict[str, Name]:
        """The names of the entry that changes."""
        return {"s": self.small.label(self.s), "a": Name(self.small.rows[self.s][self.a].action)}


def _pose(small: Small, shape: Dice, dice: Dice, of_q: bool) -> Posed | None:
    """Draw a transition, the next one, the table, and the step size."""
    steps = walk(small, 2, shape, choices=of_q, moves=True)
    tables = [[Fraction(dice.between(-4, 12)) for _ in (rows if of_q else rows[:1])] for rows in small.rows]
    stored = Fraction(dice.between(1, 6))
    alpha = Fraction(dice.one_of(STEP_SIZES))
    update = _Update(small, steps, tables, stored, alpha, of_q)
    if "sarsa" in update.mistakes() and update.next_value("sarsa") == update.next_value(None):
        return None
    name = "Q" if of_q else "V"
    inside = "{s}, {a}" if of_q else "{s}"
    entry = f"{name}({inside})".format_map(update.pair())
    items = (Item("target"), Item("delta"), Item(entry))
    title = "One update of Q-learning" if of_q else "One update of TD(0)"
    return Posed(small, title, partial(_task, update, name, inside), partial(_solution, update, name, inside), items,
                 update.mistakes(), update.reckon)  # fmt: skip


def entered(small: Small, steps: Sequence[Step]) -> list[int]:
    """The states that an episode enters."""
    return [after(small, step)[0] for step in steps]


def episode_table(small: Small, steps: Sequence[Step], reward: str) -> Given:
    """The steps of an episode: t, state, action, reward, next state.

    Parameters
    ----------
    small, steps : the model, and what happened in it
    reward : what the column of rewards is called

    Returns
    -------
    A table.
    """
    rows = []
    for t, step in enumerate(steps):
        to, r = after(small, step)
        s, a, _ = step
        rows.append(
            [str(t), str(small.label(s)), str(Name(small.rows[s][a].action)), shown(r), str(small.label(to))]
        )
    return Given(["t", "state", "action", reward, "next state"], rows, left=0)


def _task(update: _Update, name: str, inside: str) -> list[Part]:
    small = update.small
    parts = [*facts(small, entered(small, update.steps)), say("A learner has just seen these steps:"),
             episode_table(small, update.steps, "cost" if small.costs else "r")]  # fmt: skip
    seen = sorted({s for s, _, _ in update.steps} | {to for to in (update.s2,) if to < small.live})
    rows = [
        [str(small.label(s)) if a == 0 else "", *([str(Name(row.action))] * update.of_q), shown(x)]
        for s in seen
        for a, (row, x) in enumerate(zip(small.rows[s], update.tables[s], strict=False))
    ]
    if update.ended:
        rows.append([str(small.label(update.s2)), *(["any"] * update.of_q), shown(update.stored)])
    headers = ["state", "action", "Q"] if update.of_q else ["state", "V"]
    text = "Its table before them; entries began with arbitrary numbers, and that of a terminal state is never changed:"
    parts += [
        say(text if update.ended else "Its table before them:"),
        Given(headers, rows, left=len(headers) - 1),
    ]
    best = "min_a'" if small.costs else "max_a'"
    value = f"{best} Q(s',a')" if update.of_q else "V(s')"
    old = "Q(s,a)" if update.of_q else "V(s)"
    parts += [
        say("Make the update for the step $t = 0$, with step size $α = {alpha}$. Find the target, the TD error $δ$, "
            f"and the new ${name}({inside})$:", alpha=shown(update.alpha), **update.pair()),
        formula(f"target = r + γ {value},   δ = target - {old},   {old} ← {old} + α δ"),
    ]  # fmt: skip
    return parts


def _solution(update: _Update, name: str, inside: str) -> list[Part]:
    target, delta, new = (x for x in update.reckon(None, {}) if isinstance(x, Fraction))
    numbers: Mapping[str, str] = {
        "r": factor(update.r), "g": shown(update.small.gamma), "v": factor(update.next_value(None)),
        "target": shown(target), "old": factor(update.old), "delta": factor(delta), "alpha": shown(update.alpha),
        "new": shown(new), "d": shown(delta), "o": shown(update.old),
    }  # fmt: skip
    why = [say("{e} is terminal: it counts 0.", e=update.small.label(update.s2))] if update.ended else []
    return [
        *why,
        formula("target = {r} + {g} · {v} = {target}", **numbers),
        formula("δ = {target} - {old} = {d}", **numbers),
        formula(f"{name}({inside}) ← {{o}} + {{alpha}} · {{delta}} = {{new}}", **numbers, **update.pair()),
    ]


def _refusal(small: Small, of_q: bool) -> str:
    if small.horizon is not None:
        return "found a horizon, expected none: this update knows no time. Ask for --kind sweeps, which steps backward"
    if of_q and not small.choices():
        return "found one action in every state, expected a choice. Ask for --kind td"
    return ""


def _pose_td(small: Small, shape: Dice, dice: Dice) -> Posed | None:
    return _pose(small, shape, dice, of_q=False)


def _pose_q(small: Small, shape: Dice, dice: Dice) -> Posed | None:
    return _pose(small, shape, dice, of_q=True)


TD = Kind("td", "one update of TD(0) from a transition", 4, 3, lambda small: _refusal(small, False), _pose_td)
Q_LEARNING = Kind(
    "q-learning",
    "one update of Q-learning from a transition",
    4,
    3,
    lambda small: _refusal(small, True),
    _pose_q,
)
