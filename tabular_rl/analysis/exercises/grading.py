"""Answers are compared with the right ones and with those of each mistake."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from tabular_rl.analysis.exercises.posed import Item, Posed, Value
from tabular_rl.errors import Fault, ModelError, OptionError, closest, kind_text, quoted
from tabular_rl.formats.exercise_answers import (
    TypedAnswers,
    TypedLine,
    TypedNumber,
    read_typed,
    typed_answers,
    typed_number,
    without_remark,
)

RIGHT, WRONG, ROUNDED, MISSING, UNREAD = "right", "wrong", "rounded too far", "missing", "not read"
FLOAT_DIGITS = 9  # of a float that is given in Python: the rest is rounding

Entry = TypedNumber | str  # a number, or the name of an action


@dataclass(frozen=True)
class Unread:
    """Something that is no answer, and why."""

    why: str


@dataclass(frozen=True)
class Graded:
    """One blank: what was written there, and whether it is right.

    Parameters
    ----------
    label, given : the blank, and the text in it, "" where there is none
    verdict : "right", "wrong", "rounded too far", "missing" or "not read"
    right : the right answer: a fraction, or the names of the actions that are right
    mistakes : the names of the mistakes that lead to what was written, where it is wrong
    note : what else there is to say of it
    """

    label: str
    given: str
    verdict: str
    right: Value
    mistakes: tuple[str, ...] = ()
    note: str = ""


def graded(
    posed: Posed, mistakes: Sequence[str], digits: int, written: Mapping[int, tuple[str, Entry | Unread]]
) -> tuple[list[Graded], tuple[str, ...]]:
    """Return every blank with its verdict, and the mistakes each of which explains all that was written.

    Parameters
    ----------
    posed : the exercise
    mistakes : the mistakes that can be told from the right answer
    digits : after the point, that a decimal must have
    written : by place of the blank, what was written there, as text and as what it means

    Returns
    -------
    The blanks in their order, and the names of the mistakes.
    """
    right = posed.values()
    entries = {at: (text, what) for at, (text, what) in written.items() if not isinstance(what, Unread)}
    unread = {at: (text, what.why) for at, (text, what) in written.items() if isinstance(what, Unread)}
    numbers = {at: entry.value for at, (_, entry) in entries.items() if isinstance(entry, TypedNumber)}
    mistaken = {mistake: posed.values(mistake) for mistake in mistakes}
    verdicts: list[str] = []
    for at in range(len(posed.items)):
        verdict = _verdict(right[at], entries.get(at), digits, [values[at] for values in mistaken.values()])
        if (
            verdict == WRONG
            and all(x in (RIGHT, MISSING) for x in verdicts)
            and _follows(posed, at, entries[at][1], numbers, right, digits)
        ):
            verdict = RIGHT
        verdicts.append(verdict)
    wrong = [at for at, verdict in enumerate(verdicts) if verdict == WRONG]
    strict = {at: (text, _strict(what, digits)) for at, (text, what) in entries.items()}
    whole = _explaining(mistaken, strict) if wrong else ()
    left_at = _left_at(posed, strict) if wrong else ""
    found = []
    for at, item in enumerate(posed.items):
        if at in unread:
            found.append(Graded(item.label, unread[at][0], UNREAD, right[at], (), unread[at][1]))
            continue
        text = entries[at][0] if at in entries else ""
        causes: tuple[str, ...] = ()
        note = ""
        if at in wrong:
            causes, note = (
                (whole, left_at)
                if whole or left_at
                else _cause(posed, mistakes, at, strict[at][1], numbers, right)
            )
        elif verdicts[at] == ROUNDED:
            note = f"give a fraction, or {digits} digits after the point"
        found.append(Graded(item.label, text, verdicts[at], right[at], causes, note))
    return found, whole


def _strict(what: Entry, digits: int) -> Entry:
    """An answer as it is compared with mistakes: a decimal of too few digits means that number alone."""
    if isinstance(what, TypedNumber) and what.digits is not None and what.digits < digits:
        return replace(what, half=Fraction(0))
    return what


def _explaining(
    mistaken: Mapping[str, Sequence[Value]], entries: Mapping[int, tuple[str, Entry]]
) -> tuple[str, ...]:
    """The mistakes each of which leads to all that was written."""
    return tuple(
        mistake
        for mistake, values in mistaken.items()
        if all(_same(x, entries.get(at)) in (None, True) for at, x in enumerate(values))
    )


def _left_at(posed: Posed, entries: Mapping[int, tuple[str, Entry]]) -> str:
    """What is said of a policy that was rightly evaluated and is not the best; "" where there is none."""
    chosen = {at: what for at, (_, what) in entries.items() if isinstance(what, str)}
    found = posed.of_policy(chosen) if posed.of_policy is not None else None
    if found is None or len(entries) == len(chosen):
        return ""
    values, said = found
    return said if all(_same(values[at], entry) for at, entry in entries.items()) else ""


def _verdict(right: Value, entry: tuple[str, Entry] | None, digits: int, mistaken: Sequence[Value]) -> str:
    """What one answer is: a decimal of too few digits is right where it is exact, and wrong where a mistake has it."""
    if entry is None:
        return MISSING
    what = entry[1]
    if not _same(right, entry):
        return WRONG
    if (
        not isinstance(what, TypedNumber)
        or what.digits is None
        or what.digits >= digits
        or what.value == right
    ):
        return RIGHT
    return WRONG if what.value in mistaken else ROUNDED


def _follows(
    posed: Posed, at: int, entry: Entry, numbers: Mapping[int, Fraction], right: Sequence[Value], digits: int
) -> bool:
    """Whether a number is off only because earlier answers, which are right, were rounded.

    No mistake is so near: what it leads to is two units of the last digit away, before it is rounded.
    """
    x = right[at]
    if not isinstance(entry, TypedNumber) or not isinstance(x, Fraction) or (entry.digits or 0) < digits:
        return False
    if abs(entry.value - x) >= 3 * entry.half:
        return False
    before = {place: y for place, y in numbers.items() if place < at}
    return _same(posed.reckon(None, before)[at], ("", entry)) is True


def _same(value: Value, entry: tuple[str, Entry] | None) -> bool | None:
    """Whether what was written is a value; None where one of them is not there."""
    if entry is None or value is None:
        return None
    what = entry[1]
    if isinstance(what, TypedNumber):
        return isinstance(value, Fraction) and what.means(value)
    return isinstance(value, frozenset) and what in value


def _cause(
    posed: Posed,
    mistakes: Sequence[str],
    at: int,
    entry: Entry,
    numbers: Mapping[int, Fraction],
    right: list[Value],
) -> tuple[tuple[str, ...], str]:
    """The mistakes that lead to one wrong answer, or what else there is to say of it."""
    before = {place: x for place, x in numbers.items() if place < at}
    given = ("", entry)
    step = posed.reckon(None, before)[at]
    if step != right[at] and _same(step, given):
        return (), "this follows from your earlier answers: the step itself is right"
    through = tuple(mistake for mistake in mistakes if _same(posed.values(mistake)[at], given))
    stepwise = tuple(mistake for mistake in mistakes if _same(posed.reckon(mistake, before)[at], given))
    if through or stepwise:
        return through or stepwise, ""
    if not isinstance(entry, TypedNumber):
        return (), ""
    x = right[at]
    assert isinstance(x, Fraction)
    if entry.digits is not None and abs(entry.value - x) <= 2 * entry.half:
        return (), "off by one in the last digit: round at the end, and do not cut off"
    if x and entry.means(-x):
        return (), "this has the wrong sign"
    other = next((item.label for item, y in zip(posed.items, right, strict=True) if y == entry.value), None)
    return (), f"this is the right answer to {other}" if other else ""


# -- what a student gives ----------------------------------------------------------------------------------------------


def answers_of(given: Any) -> TypedAnswers:
    """Return answers in one form: a text, the path of a file, {label: answer}, or a list in the order of the blanks.

    Raises
    ------
    ModelError : a line that is malformed
    OptionError : none of these forms
    """
    if isinstance(given, TypedAnswers):
        return given
    if isinstance(given, os.PathLike):
        return read_typed(os.fspath(given))
    if isinstance(given, str):
        return typed_answers(given)
    if isinstance(given, Mapping):
        pairs: Iterable[tuple[Any, Any]] = given.items()
    elif isinstance(given, (list, tuple)):
        pairs = enumerate(given, 1)
    else:
        raise OptionError(
            f"answers: found {kind_text(given)}, expected a text, a path, a dictionary of labels, or a list"
        )
    return TypedAnswers([TypedLine(str(label), _text_of(x), 0) for label, x in pairs if x is not None])


def _text_of(x: Any) -> str:
    """A number, or an action, as it would be typed; of actions that tie, one."""
    if isinstance(x, (set, frozenset)) and x:
        return str(min(x))
    if hasattr(x, "item"):
        x = x.item()
    if isinstance(x, float):
        return f"{x:.{FLOAT_DIGITS}g}" if 1e-4 <= abs(x) < 1e9 else f"{x:.{FLOAT_DIGITS}f}"
    return str(x)


def entries_of(posed: Posed, given: TypedAnswers) -> dict[int, tuple[str, Entry | Unread]]:
    """Return by place of the blank what was written there; where that is no answer, why.

    Raises
    ------
    ModelError : no such blank, or one that was filled in twice; with its line
    """
    found: dict[int, tuple[str, Entry | Unread]] = {}
    lines: dict[int, int] = {}
    for line in given.lines:
        try:
            at, text = _parted(posed.items, line)
            if at in lines:
                raise ValueError(
                    f"found {quoted(line.label)} twice, first on line {lines[at]}, expected it once"
                )
            lines[at] = line.line
            if text:
                found[at] = text, _read(posed.items[at], text)
        except ValueError as error:
            what = str(error) if str(error).startswith("no blank") else f"{posed.items[at].label}: {error}"
            raise ModelError(Fault(what, line=line.line or None), given.source or None) from None
    return found


def _read(item: Item, text: str) -> Entry | Unread:
    """What an answer means, or why it means nothing: the others are graded all the same."""
    try:
        return _entry(item, text)
    except ValueError as error:
        return Unread(str(error))


def _entry(item: Item, text: str) -> Entry:
    if not item.actions:
        return typed_number(text)
    same = [action for action in item.actions if action == text] or [
        action for action in item.actions if action.casefold() == text.casefold()
    ]
    if len(same) != 1:
        known = " or ".join(item.actions)
        raise ValueError(f"found {quoted(text)}, expected {known}{closest(text, item.actions)}")
    return same[0]


SPELLED = str.maketrans({"δ": "delta", "π": "pi", "ρ": "rho", "_": "", "{": "", "}": "", "\u2212": "-"})


def _plain(label: str) -> str:
    """A label without what students write in several ways.

    >>> _plain("V_{1} (cool)"), _plain("π(high)")
    ('V1(cool)', 'pi(high)')
    """
    return "".join(label.split()).translate(SPELLED)


def _parted(items: Sequence[Item], line: TypedLine) -> tuple[int, str]:
    """The blank of a line, and what is typed into it. A label may hold any sign, also = and #."""
    begun = [at for at, item in enumerate(items) if re.match(re.escape(item.label) + r"\s*[=:]", line.raw)]
    if begun:
        at = max(begun, key=lambda at: len(items[at].label))
        return at, without_remark(line.raw[len(items[at].label) :].lstrip()[1:])
    return _place(items, line.label), line.text


def _place(items: Sequence[Item], label: str) -> int:
    """The blank of a label, or of its number from 1."""
    if label.isascii() and label.isdigit() and 1 <= int(label) <= len(items):
        return int(label) - 1
    for form in (lambda text: text, _plain, lambda text: _plain(text).casefold()):
        same = [at for at, item in enumerate(items) if form(item.label) == form(label)]
        if len(same) == 1:
            return same[0]
    labels = [item.label for item in items]
    raise ValueError(f"no blank {quoted(label)}, expected one of {', '.join(labels)}{closest(label, labels)}")
