"""Columns of numbers in the files of model checkers: read at once, with the line of the first that is none."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from tabular_rl.errors import Fault, ModelError, quoted
from tabular_rl.formats.fields import Numbers, number_fault, spelled_number
from tabular_rl.formats.sheet import Codes
from tabular_rl.model.build import Number
from tabular_rl.model.rows import Floats, Ints

FLOATS = re.compile(r"[0-9.eE+\n-]*")
DIGITS = re.compile(r"[0-9\n]*")
PLAIN = re.compile(r"[0-9]{1,18}")


@contextmanager
def many_texts() -> Iterator[None]:
    """Let millions of short texts be made without the garbage collector looking at all of them again and again."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


class Lines(NamedTuple):
    """Parts of some lines of a file, with the numbers of these lines."""

    texts: Sequence[str]
    line: Sequence[int]

    def fault(self, at: int, what: str, expected: str) -> ModelError:
        """Return the error that part `at` is not what was expected."""
        return ModelError(
            Fault(f"found {what} {quoted(self.texts[at])}, {expected}", line=int(self.line[at]))
        )


class Column(NamedTuple):
    """Numbers: the different ones, and for each entry which of them it is."""

    code: Ints
    values: Sequence[Number]

    @classmethod
    def zero(cls, n: int, exact: bool) -> Column:
        """Return n zeros."""
        return cls(np.zeros(n, dtype=np.int64), [Fraction(0) if exact else 0.0])

    def take(self, at: Ints) -> Column:
        """Return the entries at these places."""
        return Column(self.code[at], self.values)

    def plus(self, other: Column | None) -> Column:
        """Return the sums of the entries of two columns.

        >>> a, b = Column(np.array([0, 1]), [1, 2]), Column(np.array([1, 0]), [10, 20])
        >>> total = a.plus(b)
        >>> [total.values[i] for i in total.code]
        [21, 12]
        """
        if other is None:
            return self
        key, code = np.unique(self.code * len(other.values) + other.code, return_inverse=True)
        pairs = (divmod(at, len(other.values)) for at in key.tolist())
        return Column(code.reshape(-1), [self.values[i] + other.values[j] for i, j in pairs])

    def numbers(self, exact: bool) -> Numbers:
        """Return the entries as numbers of a model."""
        return Numbers(list(self.values), exact).take(self.code)

    def floats(self) -> Floats:
        """Return the entries as floats."""
        return self.numbers(False).floats

    @classmethod
    def joined(cls, parts: Sequence[Column]) -> Column:
        """Return the entries of several columns, one after the other."""
        values: list[Number] = []
        codes = []
        for part in parts:
            codes.append(part.code + len(values))
            values += part.values
        return cls(np.concatenate(codes), values)


def column_of(texts: Sequence[str], line: Sequence[int], exact: bool, what: str) -> Column:
    """Return the numbers of texts.

    Parameters
    ----------
    texts : decimals, or fractions
    line : of each of them
    exact : take them as rationals, otherwise as float64
    what : a message calls them

    Returns
    -------
    Column

    Raises
    ------
    ModelError : the first text that is no number, with its line
    """
    if not exact and FLOATS.fullmatch("\n".join(texts)):
        found = _floats(texts)
        if found is not None:
            values, code = np.unique(found, return_inverse=True)
            return Column(code.reshape(-1), values.tolist())
    codes = Codes()
    index = codes.of(texts)
    numbers: list[Number] = []
    for at, text in enumerate(codes):
        number = spelled_number(_tidy(text), exact)
        if number is None:
            first = int(np.flatnonzero(index == at)[0])
            raise Lines(texts, line).fault(first, what, number_fault(_tidy(text)))
        numbers.append(number)
    return Column(index, numbers)


def _floats(texts: Sequence[str]) -> Floats | None:
    """Return decimals as floats; None where one needs a closer look."""
    try:
        found = np.array(list(map(float, texts)), dtype=np.float64)
    except ValueError:
        return None
    size = np.abs(found)
    if not np.all((size == 0) | ((size > 1e-300) & (size < 1e299))):
        return None
    zeros = {texts[i] for i in np.flatnonzero(size == 0).tolist()}
    return None if any(re.search("[1-9]", re.split("[eE]", text)[0]) for text in zeros) else found


def _tidy(text: str) -> str:
    """Return a number as it is spelled elsewhere: .5 and 1. are how C++ and Java write too.

    >>> _tidy(".5"), _tidy("-.5e3"), _tidy("1."), _tidy("+1/3")
    ('0.5', '-0.5e3', '1', '1/3')
    """
    text = re.sub(r"^\+(?=[0-9.])", "", text)
    text = re.sub(r"^(-?)\.(?=[0-9])", r"\g<1>0.", text)
    return re.sub(r"(?<=[0-9])\.(?=$|[eE])", "", text)


def whole_numbers(texts: Sequence[str], line: Sequence[int], what: str, below: int | None = None) -> Ints:
    """Return whole numbers from 0 on.

    Parameters
    ----------
    texts : digits
    line : of each of them
    what : a message calls them
    below : what they are smaller than; any number will do without

    Returns
    -------
    int64 (n,)

    Raises
    ------
    ModelError : the first text that is none, with its line
    """
    expected = "expected a whole number" + ("" if below is None else f" from 0 to {below - 1}")
    if DIGITS.fullmatch("\n".join(texts)) and "" not in texts and max(map(len, texts), default=0) <= 18:
        found = np.array(list(map(int, texts)), dtype=np.int64)
        wrong = np.flatnonzero(found >= below) if below is not None else found[:0]
        if not wrong.size:
            return found
        raise Lines(texts, line).fault(int(wrong[0]), what, expected)
    at = next(i for i, text in enumerate(texts) if not PLAIN.fullmatch(text))
    raise Lines(texts, line).fault(at, what, expected)


def looks_exact(texts: Sequence[str]) -> bool:
    """Whether numbers are rationals: one is written as a fraction."""
    return any("/" in text for text in texts)
