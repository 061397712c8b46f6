"""Exercises: a problem from a model, its solution, and a grade that names the mistake."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from tabular_rl.analysis.exercises.catalogue import KINDS
from tabular_rl.analysis.exercises.dice import Dice
from tabular_rl.analysis.exercises.drawing import LARGEST, Level, drawn, small_of
from tabular_rl.analysis.exercises.grading import RIGHT, Graded, answers_of, entries_of, graded
from tabular_rl.analysis.exercises.posed import MISTAKES, Kind, Posed, Value
from tabular_rl.analysis.exercises.small import Small
from tabular_rl.errors import NoFiniteAnswer, NotAnswerable, OptionError, closest, quoted
from tabular_rl.methods.exact.rational import rational
from tabular_rl.model import hooks
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP

NUMBERS = ("model", "drawn")
DIGITS = (2, 3)  # after the point, that a decimal must have
LONGEST = 10_000  # of a numerator
MOST_SEED = 2**53
TRIES = 40  # draws of a level
MANY = 1000  # faults: more than any draw has
FEW = 2  # mistakes that may make no difference with the numbers of a model


@dataclass(frozen=True, eq=False)
class Exercise(hooks.Shown):
    """A problem with blanks to fill in.

    Parameters
    ----------
    mdp : the model that it is about, with the numbers on the sheet: small, and exact
    kind, seed, student : as they were asked for
    numbers : whether the numbers are those of the model, or drawn
    asked : which of them was asked for, None where that was left open
    digits : after the point, that a decimal must have
    code : a short digest of the problem, by which answers to another one are told
    posed : the problem itself
    mistakes : the names of the mistakes that a grade can name
    """

    mdp: MDP
    kind: str
    seed: int
    student: int | None
    numbers: str
    asked: str | None
    digits: int
    code: str
    posed: Posed
    mistakes: tuple[str, ...]

    @property
    def blanks(self) -> list[str]:
        """The labels of the blanks."""
        return [item.label for item in self.posed.items]

    @cached_property
    def answers(self) -> dict[str, Value]:
        """The right answer of every blank: a fraction, or the names of the actions that are right."""
        return dict(zip(self.blanks, self.posed.values(), strict=True))

    def mistaken(self, mistake: str) -> dict[str, Value]:
        """What one mistake makes of every blank; None where it leads to nothing."""
        if mistake not in self.mistakes:
            raise OptionError(f"mistake: found {quoted(mistake)}, expected one of {', '.join(self.mistakes)}")
        return dict(zip(self.blanks, self.posed.values(mistake), strict=True))

    @property
    def header(self) -> str:
        """The line by which a file of answers says which exercise it is about."""
        student = "" if self.student is None else f", student {self.student}"
        numbers = "" if self.asked is None else f", numbers {self.asked}"
        return f"{self.kind}, seed {self.seed}{student}{numbers}, code {self.code}"

    @property
    def text(self) -> str:
        """The sheet, as the command prints it."""
        return str(hooks.text_of(self))

    def sheet(self, form: str = "markdown", *, solution: bool = False) -> str:
        """Return the sheet as "text", "markdown" or "latex", with the way to the answers where that is asked for."""
        return str(hooks.sheet_of(self, form, solution))

    @property
    def solution(self) -> str:
        """The way to the right answers."""
        return str(hooks.text_of(Key(self)))

    def check(self, answers: Any) -> Grade:
        """Return the grade of some answers.

        Parameters
        ----------
        answers : a text with a line LABEL = ANSWER for each blank, the path of such a file, a dictionary of labels, or
            a list in the order of the blanks

        Returns
        -------
        Grade, which is true where all is right.

        Raises
        ------
        ModelError : a line that is malformed
        OptionError : answers to another exercise
        """
        given = answers_of(answers)
        here = (("kind", self.kind), ("seed", self.seed), ("student", self.student), ("code", self.code))
        for key, mine in here:
            theirs = getattr(given, key)
            if theirs is not None and theirs != mine:
                place = f"{given.source}: " if given.source else ""
                why = ". The sheet was made from another model, with other options, or by another version" * (
                    key == "code"
                )
                raise OptionError(
                    f"{place}found the answers to an exercise with {key} {theirs}, expected {mine}{why}"
                )
        items, mistakes = graded(self.posed, self.mistakes, self.digits, entries_of(self.posed, given))
        return Grade(self, tuple(items), mistakes, given.name)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, eq=False)
class Key(hooks.Shown):
    """The solution of an exercise, which prints itself."""

    exercise: Exercise

    def __str__(self) -> str:
        return str(hooks.text_of(self))


@dataclass(frozen=True, eq=False)
class Grade(hooks.Shown):
    """What is right of some answers, and which mistake explains the rest.

    Parameters
    ----------
    exercise : what was asked
    items : each blank with its verdict
    mistakes : the names of the mistakes each of which explains all that was written
    name : whose answers these are, where they say it
    """

    exercise: Exercise
    items: tuple[Graded, ...]
    mistakes: tuple[str, ...]
    name: str | None = None

    @property
    def score(self) -> int:
        """How many blanks are right."""
        return sum(item.verdict == RIGHT for item in self.items)

    @property
    def words(self) -> dict[str, str]:
        """The mistakes that were found, by name, in words for whoever made them."""
        found = [*self.mistakes, *(mistake for item in self.items for mistake in item.mistakes)]
        return {mistake: MISTAKES[mistake] for mistake in dict.fromkeys(found)}

    def __bool__(self) -> bool:
        return self.score == len(self.items)

    def __str__(self) -> str:
        return str(hooks.text_of(self))


@public
def exercise(
    mdp: MDP,
    kind: str | None = None,
    *,
    seed: int = 0,
    student: int | None = None,
    numbers: str | None = None,
) -> Exercise:
    """Return a problem from a model that can be solved by hand: two sweeps, an update, an optimal policy ...

    Of a large model a few states are taken. All numbers are fractions with denominators of at most 100, and are chosen
    so that the right answer and that of every usual mistake differ. The same seed gives the same exercise everywhere.

    Parameters
    ----------
    mdp : the model
    kind : "sweeps", "policy-sweeps", "td", "q-learning", "optimal-policy", "policy-values", "gradient" or "importance";
        without, the seed chooses one
    seed : of all that is drawn
    student : a number from 1. Students of a seed get the same problem with other numbers
    numbers : "model" for the numbers of the model, "drawn" for others in its shape; without, those of the model where
        they do, and for a student drawn ones

    Returns
    -------
    Exercise: `text` is the sheet, `solution` the way to the answers, and `check(answers)` grades some.

    Raises
    ------
    NotAnswerable : the model does not allow the kind, or its numbers cannot be reckoned by hand; with the way out
    OptionError : no such kind, or an option out of range

    Examples
    --------
    A racecar is cool or warm. Slow keeps it cool for 1; fast pays 2, and leads to either. In two sweeps from 0 warm is
    worth 1 and then 1 + (2 + 1)/4.

    >>> from tabular_rl import MDP
    >>> moves = [("cool", "slow", "cool", 1, 1), ("cool", "fast", "cool", "1/2", 2), ("cool", "fast", "warm", "1/2", 2),
    ...          ("warm", "slow", "cool", "1/2", 1), ("warm", "slow", "warm", "1/2", 1)]
    >>> found = exercise(MDP.from_outcomes(moves, "1/2"), "sweeps", seed=4)
    >>> found.blanks
    ['V_1(cool)', 'V_1(warm)', 'V_2(cool)', 'V_2(warm)']
    >>> bool(found.check([found.answers[label] for label in found.blanks]))
    True
    """
    _check_options(seed, student, numbers)
    chosen, small = _kind_of(mdp, kind, seed)
    found = _found(chosen, small, (seed, student), numbers)
    if found is None:
        raise NotAnswerable(_no_numbers(chosen, numbers))
    posed = found.posed
    return Exercise(
        posed.small.model(), chosen.name, seed, student, NUMBERS[not found.level.own], numbers, found.digits,
        _code(posed, chosen.name, seed, student), posed, found.mistakes,
    )  # fmt: skip


def _check_options(seed: Any, student: Any, numbers: Any) -> None:
    """Raise where an option is out of range."""
    for name, x, least in (("seed", seed, 0), ("student", student, 1)):
        whole = isinstance(x, (int, np.integer)) and not isinstance(x, bool)
        if not (whole and least <= x <= MOST_SEED) and (name == "seed" or x is not None):
            raise OptionError(f"{name}: found {quoted(x)}, expected a whole number from {least}")
    if numbers is not None and numbers not in NUMBERS:
        raise OptionError(f"numbers: found {quoted(numbers)}, expected model or drawn")


def _kind_of(mdp: MDP, name: str | None, seed: int) -> tuple[Kind, Small]:
    """The kind that was asked for, or one that the seed chooses, and the small model that it is posed with."""

    def small(kind: Kind) -> Small:
        return small_of(mdp, kind.states, kind.part, Dice("part", kind.part, seed))

    if name is not None:
        if name not in KINDS:
            raise OptionError(
                f"kind: found {quoted(name)}, expected one of {', '.join(KINDS)}{closest(str(name), KINDS)}"
            )
        found = small(KINDS[name])
        if why := KINDS[name].refusal(found):
            raise NotAnswerable(f"exercise {name}: {why}")
        return KINDS[name], found
    for kind in Dice("kind", seed).shuffled(list(KINDS.values())):
        found = small(kind)
        if not kind.refusal(found):
            return kind, found
    raise NotAnswerable(f"exercise: {KINDS['sweeps'].refusal(small(KINDS['sweeps']))}")


@dataclass(frozen=True)
class _Draw:
    """A problem whose numbers do: the mistakes that can be told from the right answer, and the digits that this takes.

    `unseen` mistakes make no difference to any answer, and `twins` make the same as one before.
    """

    posed: Posed
    level: Level
    digits: int
    mistakes: tuple[str, ...]
    unseen: int
    twins: int

    @property
    def faults(self) -> int:
        """How far it is from an exercise in which every mistake can be told from every other."""
        return self.unseen + self.twins


def _found(kind: Kind, small: Small, who: tuple[int, int | None], numbers: str | None) -> _Draw | None:
    """The first draw without fault, or else the best one: of the numbers of the model, or of other ones."""
    known = [
        small.gamma,
        *(x for rows in small.rows for row in rows for _, p, r in row.outcomes for x in (p, r)),
    ]
    own = small.faithful and _fits(known) and (numbers == "model" or (numbers is None and who[1] is None))
    if own:
        found = _best_draw(kind, small, who, [Level(own=True)])
        if found is not None and (numbers == "model" or (found.unseen <= FEW and not found.twins)):
            return found
    if numbers == "model":
        return None
    return _best_draw(kind, small, who, [Level(), Level(loose=True), Level(loose=True, simple=True)])


def _best_draw(kind: Kind, small: Small, who: tuple[int, int | None], levels: list[Level]) -> _Draw | None:
    best: _Draw | None = None
    for level in levels:
        for attempt in range(TRIES):
            dice = Dice("numbers", kind.name, *who, level, attempt, simple=level.simple)
            posed = kind.pose(drawn(small, level, dice), Dice("shape", kind.name, who[0]), dice)
            limit = MANY if best is None else best.faults
            draw = None if posed is None else _judged(kind, posed, level, limit)
            if draw is not None:
                best = draw
                if not draw.faults:
                    return draw
    return best


def _judged(kind: Kind, posed: Posed, level: Level, limit: int) -> _Draw | None:
    """A draw whose numbers do, and that has fewer faults than a limit.

    None where they are not reckoned by hand, or where two answers differ by too little.
    """
    right = posed.values()
    if not _fits(right):
        return None
    for digits in DIGITS if level.own else DIGITS[:1]:
        told = _told(posed, right, Fraction(2, 10**digits), limit)
        if told is not None and _is_right(kind, posed, right):
            return _Draw(posed, level, digits, *told)
    return None


def _told(
    posed: Posed, right: list[Value], apart: Fraction, limit: int
) -> tuple[tuple[str, ...], int, int] | None:
    """The mistakes that can be told from the right answer, how many cannot, and how many not from one before.

    None where two answers differ by no more than `apart`, or where these are too many.
    """
    kept: dict[str, list[Value]] = {}
    unseen = twins = 0
    for mistake in posed.mistakes:
        values = posed.values(mistake)
        if all(x is None for x in values):
            continue
        gaps = _gaps(values, right)
        if any(0 < gap <= apart for gap in gaps):
            return None
        if any(gaps):
            twins += any(max(_gaps(values, other)) <= apart for other in kept.values())
            kept[mistake] = values
        else:
            unseen += 1
        if unseen + twins >= limit:
            return None
    return (tuple(kept), unseen, twins) if kept else None


def _gaps(one: Sequence[Value], other: Sequence[Value]) -> list[Fraction]:
    """How far two lists of answers are apart, blank by blank."""
    return [_gap(x, y) for x, y in zip(one, other, strict=True)]


def _fits(values: Sequence[Value]) -> bool:
    """Whether numbers are such as one reckons with by hand."""
    return all(
        x.denominator <= LARGEST and abs(x.numerator) <= LONGEST for x in values if isinstance(x, Fraction)
    )


def _gap(x: Value, y: Value) -> Fraction:
    """How far two answers are apart; actions are far apart or the same."""
    if x is None or y is None:
        return Fraction(0)
    if isinstance(x, Fraction) and isinstance(y, Fraction):
        return abs(x - y)
    assert isinstance(x, frozenset) and isinstance(y, frozenset)
    return Fraction(0 if x & y else 1)


def _is_right(kind: Kind, posed: Posed, right: list[Value]) -> bool:
    """Whether optimal values are those of the package too: at γ = 1 an equation can have several solutions."""
    if kind.name != "optimal-policy" or posed.small.gamma < 1:
        return True
    try:
        truth = rational(posed.small.model()).exact
    except NoFiniteAnswer:
        return False
    assert truth is not None
    return list(truth[: posed.small.live]) == [x for x in right if isinstance(x, Fraction)]


def _no_numbers(kind: Kind, numbers: str | None) -> str:
    """Why there is no exercise, and the way out."""
    if numbers == "model":
        return (
            f"exercise {kind.name}: found numbers that are not reckoned by hand (denominators above {LARGEST}, or "
            "mistakes that make no difference), expected simple ones. Leave --numbers model out to have some drawn"
        )
    return (
        f"exercise {kind.name}: found no numbers that can be reckoned by hand and tell the usual mistakes apart. "
        "Ask for another --seed, --gamma or --kind"
    )


def _code(posed: Posed, kind: str, seed: int, student: int | None) -> str:
    """A short digest of the problem."""
    small = posed.small
    what = (kind, seed, student, small.states, small.rows, small.gamma, small.costs, small.horizon, posed.items,
            [sorted(x) if isinstance(x, frozenset) else str(x) for x in posed.values()])  # fmt: skip
    return hashlib.sha256(repr(what).encode()).hexdigest()[:6]
