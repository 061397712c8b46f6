"""The text of Cassandra's .MDP and .POMDP files, by the grammar of pomdp.org: what it declares and specifies.

Later lines take the place of earlier ones, and * stands for all. What that means for one row is found when it is asked
for, so that a short file may stand for a large model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import prod
from operator import itemgetter
from typing import NamedTuple

from tabular_rl.errors import Fault, ModelError, closest, escape, quoted
from tabular_rl.model.rationals import LONGEST, fraction

PREAMBLE = ("discount", "values", "states", "actions", "observations")
HEADS = (*PREAMBLE, "start", "T", "O", "R")
TOKEN = re.compile(r"[^\s:#]+|:|\n|#[^\n]*")
NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eE][+-]?[0-9]+)?")
MOST = 10_000_000  # states, actions, observations that a file may declare by their number
ANY = -1  # what * is among the indices
A_NUMBER = "expected a number such as 1.0 or -0.5"


class Token(NamedTuple):
    """A word, a number or a colon, and its line."""

    text: str
    line: int


class Spec(NamedTuple):
    """What a line gives: a number, the numbers of a row or of a matrix, or a word such as "uniform"."""

    order: int
    line: int
    values: Sequence[Fraction] | str

    def at(self, i: int) -> Fraction:
        """Return number i of a list."""
        assert not isinstance(self.values, str)
        return self.values[i]


@dataclass
class Table:
    """The lines T, O or R, by which of the indices before their numbers are * and by the others."""

    sizes: tuple[int, ...]
    lines: dict[tuple[bool, ...], dict[tuple[int, ...], Spec]] = field(default_factory=dict)

    def add(self, indices: tuple[int, ...], spec: Spec) -> None:
        """Add what a line gives; ANY among the indices stands for all."""
        self.lines.setdefault(tuple(i == ANY for i in indices), {})[indices] = spec

    def latest(self, indices: tuple[int, ...]) -> tuple[Spec, int] | None:
        """Return the last line that says something of these, and how many indices it has; None without one."""
        best = None
        for stars, level in self.lines.items():
            spec = level.get(tuple(ANY if star else i for star, i in zip(stars, indices, strict=False)))
            if spec is not None and (best is None or spec.order > best[0].order):
                best = spec, len(stars)
        return best

    def value(self, indices: tuple[int, ...]) -> Fraction:
        """Return one entry, 0 where no line gives it."""
        found = self.latest(indices)
        if found is None:
            return Fraction(0)
        spec, depth = found
        place = 0
        for size, i in zip(self.sizes[depth:], indices[depth:], strict=True):
            place = place * size + i
        return spec.at(place)


@dataclass
class Laws(Table):
    """The lines T or O: rows of probabilities, given by entries, by rows or by matrices."""

    entries: dict[tuple[int, ...], list[tuple[int, int, Fraction, int]]] = field(default_factory=dict)

    def add(self, indices: tuple[int, ...], spec: Spec) -> None:
        """Add what a line gives."""
        if len(indices) == 3:
            self.entries.setdefault(indices[:2], []).append((spec.order, indices[2], spec.at(0), spec.line))
        else:
            super().add(indices, spec)

    def row(self, action: int, state: int, reset: dict[int, Fraction]) -> tuple[dict[int, Fraction], int]:
        """Return the probabilities that are not 0 of one row, and the last line about it.

        Parameters
        ----------
        action, state : which row
        reset : what the word reset means

        Returns
        -------
        ({index: probability}, line), the line 0 where there is none.
        """
        base = self.latest((action, state))
        order, line = (-1, 0) if base is None else (base[0].order, base[0].line)
        found = {} if base is None else self._whole(*base, state, reset)
        keys = product((action, ANY), (state, ANY))
        more = [entry for key in keys for entry in self.entries.get(key, ()) if entry[0] > order]
        for _, to, p, place in sorted(more, key=itemgetter(0)):
            line = place
            for s2 in range(self.sizes[2]) if to == ANY else (to,):
                found[s2] = p
        return {s2: p for s2, p in found.items() if p}, line

    def _whole(self, spec: Spec, depth: int, state: int, reset: dict[int, Fraction]) -> dict[int, Fraction]:
        n = self.sizes[2]
        if spec.values == "identity":
            return {state: Fraction(1)}
        if spec.values == "uniform":
            return dict.fromkeys(range(n), Fraction(1, n))
        if spec.values == "reset":
            return dict(reset)
        first = state * n if depth == 1 else 0
        return {i: spec.at(first + i) for i in range(n) if spec.at(first + i)}


@dataclass
class Start:
    """What the line start says: the states and numbers as they stand, and which form it has."""

    form: str  # "" for probabilities or a state, "uniform", "include", "exclude"
    values: list[Token]
    line: int


@dataclass
class Parsed:
    """A file of Cassandra's, read."""

    top: dict[str, Token]
    names: dict[str, list[str] | int]
    start: Start | None
    T: Laws
    O: Laws | None  # noqa: E741  (as it is in the files)
    R: Table

    def size(self, what: str) -> int:
        """Return how many states, actions or observations there are."""
        names = self.names[what]
        return names if isinstance(names, int) else len(names)


def parse(text: str) -> Parsed:
    """Return what a text declares and specifies.

    Parameters
    ----------
    text : of a .MDP or .POMDP file

    Returns
    -------
    Parsed

    Raises
    ------
    ModelError : the line, what was found there and what was expected
    """
    return _Parser(text).parsed()


def number_of(token: Token) -> Fraction:
    """Return the number that a token spells; ModelError where it spells none.

    >>> number_of(Token("+.50", 1)), number_of(Token("2.", 1)), number_of(Token("1e-2", 1))
    (Fraction(1, 2), Fraction(2, 1), Fraction(1, 100))
    """
    found = NUMBER.fullmatch(token.text)
    if found and (found[2] or found[3]) and len(token.text) <= LONGEST:
        digits = (found[2] or "0").lstrip("0") or "0"
        spelled = (
            ("-" if found[1] == "-" else "")
            + digits
            + (f".{found[3]}" if found[3] else "")
            + (found[4] or "")
        )
        try:
            return fraction(spelled)
        except ValueError:
            pass
    raise ModelError(Fault(f"found {quoted(token.text)}, {A_NUMBER}", line=token.line))


def is_number(token: Token) -> bool:
    """Return whether a token looks like a number: it begins as none of the names may.

    >>> is_number(Token("-1", 1)), is_number(Token("x1", 1))
    (True, False)
    """
    return token.text[0] in "0123456789.+-"


class _Parser:
    def __init__(self, text: str) -> None:
        line, found = 1, []
        for match in TOKEN.finditer(text):
            piece = match[0]
            if piece == "\n":
                line += 1
            elif piece[0] != "#":
                found.append(Token(piece, line))
        self.tokens, self.at, self.order = found, 0, 0
        self.top: dict[str, Token] = {}
        self.names: dict[str, list[str] | int] = {}
        self.index: dict[str, dict[str, int]] = {}
        self.start: Start | None = None
        self.tables: dict[str, Table] = {}

    def fail(self, what: str, token: Token | None = None) -> ModelError:
        if token is None:
            token = self.peek()
        return ModelError(Fault(what, line=token.line))

    def peek(self, ahead: int = 0) -> Token:
        """Return the next token; a last one without text where there is none."""
        if self.at + ahead < len(self.tokens):
            return self.tokens[self.at + ahead]
        return Token("", self.tokens[-1].line if self.tokens else 1)

    def next(self, expected: str) -> Token:
        token = self.peek()
        if not token.text:
            raise self.fail(f"found the end of the file, expected {expected}")
        self.at += 1
        return token

    def colon(self, after: str) -> None:
        token = self.next(f"a colon after {after}")
        if token.text != ":":
            raise self.fail(f"found {quoted(token.text)}, expected a colon after {after}", token)

    def head(self) -> bool:
        """Whether the next token begins a new part."""
        token = self.peek()
        begins = token.text in HEADS and self.peek(1).text == ":"
        return (
            not token.text
            or begins
            or (token.text == "start" and self.peek(1).text in ("include", "exclude"))
        )

    def words(self) -> list[Token]:
        """Return the tokens up to the next part."""
        found = []
        while not self.head():
            found.append(self.next("a word"))
        return found

    # -- parts ------------------------------------------------------------------------------------------------

    def parsed(self) -> Parsed:
        while self.peek().text:
            token = self.next("a line")
            if token.text in PREAMBLE:
                self.preamble(token)
            elif token.text == "start":
                self.read_start(token)
            elif token.text in ("T", "O", "R"):
                self.line(token)
            else:
                near = closest(token.text, HEADS) or f", expected one of {', '.join(HEADS)}"
                raise self.fail(f"found {quoted(token.text)}{near}", token)
        for what in ("states", "actions"):
            if what not in self.top:
                raise ModelError(f"{what}: found none, expected a line {what}: ... at the top")
        tables = {name: self.table(name, self.peek()) for name in ("T", "R")}
        O = self.table("O", self.peek()) if "observations" in self.top else None  # noqa: E741
        T = tables["T"]
        assert isinstance(T, Laws) and (O is None or isinstance(O, Laws))
        return Parsed(self.top, self.names, self.start, T, O, tables["R"])

    def preamble(self, token: Token) -> None:
        what = token.text
        self.colon(what)
        if what in self.top:
            raise self.fail(f"{what}: found twice, first on line {self.top[what].line}, expected once", token)
        found = self.words()
        if not found:
            raise self.fail(f"{what}: found nothing behind the colon", token)
        self.top[what] = found[0]
        if what in ("discount", "values"):
            if len(found) > 1:
                raise self.fail(f"{what}: found {quoted(found[1].text)} too, expected one entry", found[1])
            return
        self.names[what] = self.listed(what, found)

    def listed(self, what: str, found: list[Token]) -> list[str] | int:
        first = found[0]
        if is_number(first):
            if (
                len(found) > 1
                or not first.text.isdigit()
                or len(first.text) > 8
                or not 1 <= int(first.text) <= MOST
            ):
                shown = escape(" ".join(token.text for token in found[:3]))
                expected = f"expected names, or how many there are, 1 to {MOST:,}"
                raise self.fail(f"{what}: found '{shown}', {expected}", first)
            return int(first.text)
        index: dict[str, int] = {}
        for token in found:
            if token.text in (":", "*") or is_number(token):
                raise self.fail(
                    f"{what}: found {quoted(token.text)}, expected a name, which begins with a letter", token
                )
            if token.text in index:
                raise self.fail(f"{what}: found {quoted(token.text)} twice, expected distinct names", token)
            index[token.text] = len(index)
        self.index[what] = index
        return list(index)

    def read_start(self, token: Token) -> None:
        form = ""
        if self.peek().text in ("include", "exclude"):
            form = self.next("a colon").text
        self.colon(f"start {form}".rstrip())
        if self.start is not None:
            raise self.fail(f"start: found twice, first on line {self.start.line}, expected once", token)
        values = self.words()
        if not values:
            raise self.fail("start: found nothing behind the colon, expected states or probabilities", token)
        if not form and [value.text for value in values] == ["uniform"]:
            form, values = "uniform", []
        self.start = Start(form, values, token.line)

    def size(self, what: str, token: Token) -> int:
        if what not in self.names:
            raise self.fail(
                f"found a line {token.text or 'T'}: before the line {what}:, which it needs. "
                f"Put {what}: above it",
                token,
            )
        names = self.names[what]
        return names if isinstance(names, int) else len(names)

    def axes(self, name: str) -> tuple[str, ...]:
        """Return what the indices of T, O and R are; R of a file without observations ends with the next state."""
        if name == "R":
            return ("actions", "states", "states", *(["observations"] if "observations" in self.top else []))
        return ("actions", "states", "states" if name == "T" else "observations")

    def table(self, name: str, token: Token) -> Table:
        if name not in self.tables:
            sizes = tuple(self.size(what, token) for what in self.axes(name))
            self.tables[name] = (Table if name == "R" else Laws)(sizes)
        return self.tables[name]

    def line(self, token: Token) -> None:
        name = token.text
        self.colon(name)
        if name == "O" and "observations" not in self.top:
            raise self.fail(
                "O: found, expected observations: at the top, which says what there is to see", token
            )
        axes = self.axes(name)
        table = self.table(name, token)
        indices = [self.element(axes[0])]
        while self.peek().text == ":":
            self.colon(name)
            if len(indices) == len(axes):
                self.last_colon(name, token)
                break
            indices.append(self.element(axes[len(indices)]))
        self.order += 1
        values = self.values(name, table.sizes[len(indices) :], token)
        table.add(tuple(indices), Spec(self.order, token.line, values))

    def last_colon(self, name: str, token: Token) -> None:
        """Pass over a colon behind all indices: before the number, or before * in a file that has no observations."""
        if is_number(self.peek()):
            return
        found = self.next("a number")
        if name != "R" or found.text != "*" or "observations" in self.top:
            raise self.fail(
                f"{name}: found {quoted(found.text)} as one index too many, expected a number", token
            )
        if self.peek().text == ":":
            self.colon(name)

    def element(self, what: str) -> int:
        """Return the index of a state, an action or an observation, ANY for *."""
        token = self.next(f"one of the {what}")
        return index_of(token, what, self.names[what], self.index.get(what, {}))

    def values(self, name: str, rest: tuple[int, ...], token: Token) -> Sequence[Fraction] | str:
        """Return the numbers that follow the indices, or the word in their place."""
        words = _words(name, len(rest))
        if self.peek().text in words:
            return self.next("a word").text
        wanted = prod(rest)
        found: list[Fraction] = []
        while self.peek().text and is_number(self.peek()) and len(found) <= wanted:
            found.append(self.number(name))
        if len(found) == wanted and self.head():
            return found
        many = f"{len(found) - 1} or more" if len(found) > wanted else str(len(found))
        shape = f" ({' x '.join(map(str, rest))})" if len(rest) > 1 else ""
        instead = "".join(f", or {word}" for word in words)
        if self.head() or len(found) > wanted:
            raise self.fail(f"{name}: found {many} numbers, expected {wanted}{shape}{instead}", token)
        expected = "the next line" if len(found) == wanted else f"{wanted} numbers{shape}{instead}"
        raise self.fail(f"{name}: found {quoted(self.peek().text)}, expected {expected}")

    def number(self, name: str) -> Fraction:
        """Return the next number, whose sign may stand apart."""
        piece = self.next("a number")
        if piece.text in ("+", "-"):
            piece = Token(piece.text + self.next("a number").text, piece.line)
        number = number_of(piece)
        if name != "R" and not 0 <= number <= 1:
            found = f"{name}: found probability {escape(piece.text)}, expected a number from 0 to 1"
            raise self.fail(found, piece)
        return number


def _words(name: str, dimensions: int) -> tuple[str, ...]:
    """Return the words that may stand in place of a row or a matrix of numbers.

    >>> _words("T", 1), _words("T", 2), _words("O", 2), _words("R", 2)
    (('uniform', 'reset'), ('uniform', 'identity'), ('uniform',), ())
    """
    if name == "R" or not dimensions:
        return ()
    return ("uniform", "reset" if dimensions == 1 else "identity") if name == "T" else ("uniform",)


def index_of(token: Token, what: str, names: list[str] | int, index: dict[str, int]) -> int:
    """Return the index that a token names, ANY for *.

    Parameters
    ----------
    token : a name or a number from 0 on
    what : "states", "actions" or "observations"
    names : all of them, or how many there are
    index : of the names

    Returns
    -------
    index

    Raises
    ------
    ModelError : there is none
    """
    if token.text == "*":
        return ANY
    if token.text in index:
        return index[token.text]
    size = names if isinstance(names, int) else len(names)
    if token.text.isdigit():
        if len(token.text) <= 9 and int(token.text) < size:
            return int(token.text)
        found = f"{what}: found number {escape(token.text)}, expected 0 to {size - 1}"
        raise ModelError(Fault(found, line=token.line))
    near = closest(token.text, index) or (f", expected a number from 0 to {size - 1}" if not index else "")
    raise ModelError(Fault(f"{what}: no such name {quoted(token.text)}{near}", line=token.line))
