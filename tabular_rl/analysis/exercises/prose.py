"""What a sheet says: sentences, formulas and tables, whose names and formulas are told apart from words.

A template holds formulas between two $, and fields such as {s}. A field that is a `Name` is a name of the model, which
may hold any character and is never read as mathematics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from string import Formatter
from typing import Any

from tabular_rl.errors import escape
from tabular_rl.model.rationals import spell

PLACES = 3  # after the point, of a number that is shown as a decimal


class Name(str):
    """A name of the model, for the screen."""

    __slots__ = ()

    def __new__(cls, name: str) -> Name:
        """Return the name with what could move the cursor written out."""
        return super().__new__(cls, escape(name))


@dataclass(frozen=True)
class Span:
    """A piece of a line: words, or mathematics in the notation of the docstrings; a `name` stands as it is in both."""

    text: str
    maths: bool = False
    name: bool = False


Line = tuple[Span, ...]


@dataclass(frozen=True)
class Say:
    """A paragraph."""

    line: Line


@dataclass(frozen=True)
class Formula:
    """A line of mathematics that stands alone."""

    line: Line


@dataclass(frozen=True)
class Given:
    """A table: headers are mathematics, cells numbers or names; the first `left` columns are names, flush left."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1


@dataclass(frozen=True)
class Typed:
    """Lines as they are typed into a file."""

    lines: Sequence[str]


Part = Say | Formula | Given | Typed


def line_of(template: str, /, **fields: Any) -> Line:
    """Return the spans of a template.

    >>> [(x.text, x.maths, x.name) for x in line_of("State {s}: $V_1({s}) = {x}$", s=Name("a$b"), x=2)]
    [('State ', False, False), ('a$b', False, True), (': ', False, False), ('V_1(', True, False), ('a$b', True, True), \
(') = ', True, False), ('2', True, False)]
    """
    spans = []
    for at, piece in enumerate(template.split("$")):
        maths = at % 2 == 1
        for words, field, _, _ in Formatter().parse(piece):
            if words:
                spans.append(Span(words, maths))
            if field is not None:
                value = fields[field]
                spans.append(Span(str(value), maths, isinstance(value, Name)))
    return tuple(spans)


def say(template: str, /, **fields: Any) -> Say:
    """Return a paragraph made of a template."""
    return Say(line_of(template, **fields))


def formula(template: str, /, **fields: Any) -> Formula:
    """Return a formula made of a template, which holds no $."""
    return Formula(line_of(f"${template}$", **fields))


def plain(line: Line) -> str:
    """The text of a line."""
    return "".join(span.text for span in line)


def joined(lines: Sequence[Line], between: str) -> Line:
    """Formulas in one, with a sign between each two."""
    spans: list[Span] = []
    for at, line in enumerate(lines):
        if at:
            spans.append(Span(between, maths=True))
        spans += line
    return tuple(spans)


def shown(x: Fraction) -> str:
    """A number as it stands on a sheet: a decimal where that is short, else a fraction.

    >>> shown(Fraction(11, 4)), shown(Fraction(1, 3)), shown(Fraction(1, 64)), shown(Fraction(-2))
    ('2.75', '1/3', '1/64', '-2')
    """
    text = spell(x)
    return text if "/" in text or len(text.partition(".")[2]) <= PLACES else str(x)


def factor(x: Fraction) -> str:
    """A number within a sum or a product: a negative one in brackets.

    >>> factor(Fraction(-1, 3)), factor(Fraction(2))
    ('(-1/3)', '2')
    """
    return f"({shown(x)})" if x < 0 else shown(x)


def span_line(text: str) -> Line:
    """A line of words alone."""
    return (Span(text),)
