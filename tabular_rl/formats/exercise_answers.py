"""The answers to an exercise, as a student types them: a line for each blank of the sheet.

    name: Ada
    exercise: sweeps, seed 1, student 3, code 5f0a1c
    V_1(cool) = 2
    V_2(cool) = 11/4        # or 2.75

The first two lines may be left out. What stands behind # is a remark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tabular_rl.errors import Fault, ModelError, quoted
from tabular_rl.formats.input import (
    decode,
    open_file,
    plain_ends,
    read_all,
    reporting,
    source_of,
    standard_input,
)

LONGEST = 40  # characters of a number
MOST_LINES = 1000
FRACTION = re.compile(r"([+-]?)([0-9]+)\s*/\s*([+-]?)([0-9]+)")
DECIMAL = re.compile(r"([+-]?)([0-9]*)(?:[.,]([0-9]*))?")
MIXED = re.compile(r"[+-]?[0-9]+\s+[0-9]+\s*/\s*[0-9]+")
HEADER = re.compile(
    r"(?P<kind>[a-z-]+)(?:, seed (?P<seed>[0-9]{1,16}))?(?:, student (?P<student>[0-9]{1,9}))?"
    r"(?:, numbers (?P<numbers>model|drawn))?(?:, code (?P<code>[0-9a-f]{6}))?"
)
FORM = "LABEL = ANSWER, such as V_1(cool) = 11/4; a remark begins with #"


@dataclass(frozen=True)
class TypedNumber:
    """A number as it was typed: its value, and half a unit of its last digit; 0 where it is a fraction.

    `digits` are those after the point, None for a fraction.
    """

    value: Fraction
    half: Fraction
    digits: int | None

    def means(self, x: Fraction) -> bool:
        """Whether it may be the number x, rounded."""
        return abs(self.value - x) <= self.half


@dataclass(frozen=True)
class TypedLine:
    """A blank by its label, and what was typed into it; where it stands, and the line as it was typed."""

    label: str
    text: str
    line: int
    raw: str = ""


@dataclass(frozen=True)
class TypedAnswers:
    """What a file of answers says: whose they are, of which exercise, and the answers.

    `kind`, `seed`, `student`, `numbers` and `code` are None where the file does not say them.
    """

    lines: Sequence[TypedLine]
    source: str = ""
    name: str | None = None
    kind: str | None = None
    seed: int | None = None
    student: int | None = None
    numbers: str | None = None
    code: str | None = None


def read_typed(path: str) -> TypedAnswers:
    """Return what a file of answers says; "-" is standard input.

    Raises
    ------
    ModelError : the file and the line, and what was found and expected there
    """
    source = source_of(path)
    with reporting(source):
        if path == "-":
            data = read_all(standard_input())
        else:
            with open_file(path) as file:
                data = read_all(file)
        if not data.strip():
            raise ModelError(f"empty, expected answers: a line for each, {FORM}")
        return typed_answers(plain_ends(decode(data)), source)


def typed_answers(text: str, source: str = "") -> TypedAnswers:
    """Return what a text of answers says.

    >>> found = typed_answers("exercise: sweeps, seed 1\\nV_1(cool) = 2  # easy\\n")
    >>> found.kind, found.seed, [(x.label, x.text, x.line) for x in found.lines]
    ('sweeps', 1, [('V_1(cool)', '2', 2)])

    Raises
    ------
    ModelError : the line, and what was found and expected there
    """
    rows = text.removeprefix("\ufeff").split("\n")
    if len(rows) > MOST_LINES:
        raise ModelError(f"found {len(rows)} lines, expected at most {MOST_LINES}: a line for each answer")
    lines: list[TypedLine] = []
    head: dict[str, str | None] = {}
    name: str | None = None
    for number, row in enumerate(rows, 1):
        words = without_remark(row)
        if not words:
            continue
        key, colon, rest = words.partition(":")
        if colon and key.strip().lower() == "exercise":
            found = HEADER.fullmatch(" ".join(rest.split()))
            if found is None:
                what = f"found {quoted(rest.strip())}, expected the line of the sheet, such as sweeps, seed 1"
                raise ModelError(Fault(what, line=number))
            head = found.groupdict()
        elif colon and key.strip().lower() == "name":
            name = rest.strip() or None
        else:
            lines.append(_typed_line(words, row.strip(), number))
    seed, student = (int(x) if (x := head.get(key)) is not None else None for key in ("seed", "student"))
    return TypedAnswers(
        lines, source, name, head.get("kind"), seed, student, head.get("numbers"), head.get("code")
    )


def without_remark(text: str) -> str:
    """Return a line without what stands behind a # that begins a word."""
    return re.sub(r"(^|\s)#.*", "", text).strip()


def _typed_line(words: str, raw: str, number: int) -> TypedLine:
    """A line LABEL = ANSWER; the last = parts it, or where there is none the last colon."""
    if not any(sign in words for sign in "=:"):
        words = raw  # the # may be a part of a name
    label, sign, text = words.rpartition("=")
    if not sign:
        label, sign, text = words.rpartition(":")
    if not sign or not label.strip():
        raise ModelError(Fault(f"found {quoted(words)}, expected {FORM}", line=number))
    return TypedLine(label.strip(), text.strip(), number, raw)


def typed_number(text: str) -> TypedNumber:
    """Return a number as it was typed; ValueError with what is wrong, and what to write.

    >>> typed_number("11/4").value, typed_number("2,75").half, typed_number("\u22122.5").digits
    (Fraction(11, 4), Fraction(1, 200), 1)
    """
    given = text.replace("\u2212", "-").strip()
    if len(given) > LONGEST:
        raise ValueError(f"found {len(given)} characters, expected a number of at most {LONGEST}")
    found = FRACTION.fullmatch(given)
    if found:
        below = int(found[4])
        if below == 0:
            raise ValueError(f"found {quoted(text)}, expected a denominator other than 0")
        value = Fraction(int(found[2]), below)
        return TypedNumber(-value if (found[1] == "-") != (found[3] == "-") else value, Fraction(0), None)
    if MIXED.fullmatch(given):
        raise ValueError(f"found {quoted(text)}, expected one fraction or a decimal: 2 3/4 is 11/4, or 2.75")
    found = DECIMAL.fullmatch(given)
    if found is None or not (found[2] or found[3]):
        raise ValueError(f"found {quoted(text)}, expected a fraction such as 11/4, or a decimal such as 2.75")
    whole, part = found[2] or "0", found[3] or ""
    if "," in given and len(part) == 3 and 1 <= len(whole) <= 3 and whole != "0":
        raise ValueError(
            f"found {quoted(text)}, which is {whole}{part} or {whole}.{part}; expected one of them"
        )
    value = Fraction(int(whole + part), 10 ** len(part))
    return TypedNumber(-value if found[1] == "-" else value, Fraction(1, 2 * 10 ** len(part)), len(part))
