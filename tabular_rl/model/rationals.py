"""Arrays of exact rationals, and the reading of numbers as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from operator import add, mul, truediv
from operator import sub as subtract
from typing import Any

import numpy as np
from numpy.typing import NDArray

INT64 = 2**63 - 1
UNDERFLOWS = "underflows: its nearest float64 is 0"
FRACTION = re.compile(r"-?[0-9]+/[0-9]+")
DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NUMBER = r"(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
CALCULATION = re.compile(rf"(?P<a>{_NUMBER}) *(?P<sign>[-+*/]) *(?P<b>{_NUMBER})")
DIGITS = 10_000  # of the common denominator of numbers that are added: beyond it their sum takes no end
LONGEST = 4000  # characters, and the largest decimal exponent: beyond it a number is an attack, not data
LONGEST_EXACT = 200_000  # characters of an exact value, which grows with the model


def fraction(text: str) -> Fraction:
    """Return the rational that a text spells: "0.1" is one tenth, "2/3" two thirds. ValueError otherwise.

    >>> fraction("0.1"), fraction("-2/3"), fraction("1e-3")
    (Fraction(1, 10), Fraction(-2, 3), Fraction(1, 1000))
    """
    if len(text) <= LONGEST:
        if DECIMAL.fullmatch(text):
            if "e" not in text and "E" not in text:  # most often; Fraction would look at the text again
                before, _, after = text.partition(".")
                return Fraction(int(before + after), 10 ** len(after))
            exponent = re.search(r"[eE]([+-]?[0-9]+)", text)
            if exponent is None or abs(int(exponent[1])) <= LONGEST:
                return Fraction(text)
        elif FRACTION.fullmatch(text) and int(text.split("/")[1]) != 0:
            return Fraction(text)
    raise ValueError(text)


def long_fraction(text: str) -> Fraction:
    """Return the rational of a text such as "2/3" whose numerator and denominator may have thousands of digits.

    >>> long_fraction("1" + "0" * 5000 + "/3") * 3 == 10**5000, long_fraction("0.5")
    (True, Fraction(1, 2))
    """
    if len(text) <= LONGEST:
        return fraction(text)
    num, _, den = text.partition("/")
    if len(text) <= LONGEST_EXACT and FRACTION.fullmatch(f"{num}/{den or 1}"):
        below = whole(den) if den else 1
        if below:
            return Fraction(whole(num), below)
    raise ValueError(text)


def whole(text: str) -> int:
    """Return the integer of any number of digits; `int` refuses more than 4300.

    >>> whole("-12"), whole("1" + "0" * 5000) == 10**5000
    (-12, True)
    """
    if len(text) <= LONGEST:
        return int(text)
    if text[0] == "-":
        return -whole(text[1:])
    low = len(text) // 2
    return int(whole(text[:-low]) * 10**low + whole(text[-low:]))


def calculated(text: str) -> Fraction:
    """Return the rational of a number, or of two joined by + - * or /. ValueError otherwise.

    >>> calculated("0.9"), calculated("1/1.02"), calculated("1 - 0.05"), calculated("0.99*0.95")
    (Fraction(9, 10), Fraction(50, 51), Fraction(19, 20), Fraction(1881, 2000))
    """
    found = CALCULATION.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        return fraction(text)
    a, b = fraction(found["a"]), fraction(found["b"])
    if found["sign"] == "/" and b == 0:
        raise ValueError(text)
    joined: Fraction = {"+": add, "-": subtract, "*": mul, "/": truediv}[found["sign"]](a, b)
    return joined


def decimal_text(n: int) -> str:
    """Return the digits of an integer of any size; `str` refuses those of more than 4300 digits.

    >>> decimal_text(-12), len(decimal_text(10**5000)), decimal_text(10**5000 + 7)[-3:]
    ('-12', 5001, '007')
    """
    if n.bit_length() < 14_000:
        return str(n)
    if n < 0:
        return "-" + decimal_text(-n)
    low = n.bit_length() * 3 // 20  # about half of the digits
    head, tail = divmod(n, 10**low)
    return decimal_text(head) + decimal_text(tail).zfill(low)


def spell(value: Fraction) -> str:
    """Return the shortest text that `fraction` reads back: a decimal where it is finite and short.

    >>> spell(Fraction(1, 10)), spell(Fraction(2, 3)), spell(Fraction(5)), spell(Fraction(-1, 8))
    ('0.1', '2/3', '5', '-0.125')
    """
    if value.denominator == 1:
        return decimal_text(value.numerator)
    den, digits = value.denominator, 0
    while den % 10 == 0:
        den, digits = den // 10, digits + 1
    for prime in (2, 5):
        while den % prime == 0 and digits < 30:
            den, digits = den // prime, digits + 1
    if den != 1 or digits >= 30:
        return f"{decimal_text(value.numerator)}/{decimal_text(value.denominator)}"
    shifted = abs(value.numerator) * 10**digits // value.denominator
    whole, part = divmod(shifted, 10**digits)
    return f"{'-' if value < 0 else ''}{whole}.{part:0{digits}d}".rstrip("0")


def shown(value: Fraction) -> str:
    """Return a fraction for a message: as it is where that is short, else about what it is.

    >>> shown(Fraction(9, 10)), shown(Fraction(1, 10**2200)), shown(1 - Fraction(1, 10**50))
    ('9/10', 'about 1E-2200', 'about 1.00000')
    """
    if value.numerator.bit_length() + value.denominator.bit_length() < 128:
        return str(value)
    context = Context(prec=6, Emax=MAX_EMAX, Emin=MIN_EMIN)
    return f"about {context.divide(Decimal(value.numerator), Decimal(value.denominator))}"


def exact_sum(values: Iterable[Fraction]) -> Fraction | None:
    """Return the sum of fractions, None where their common denominator has more than DIGITS digits.

    >>> exact_sum([Fraction(1, 3), Fraction(1, 6)]), exact_sum(Fraction(1, 7**n) for n in range(20_000))
    (Fraction(1, 2), None)
    """
    parts: dict[int, int] = {}  # denominator -> sum of numerators
    den = 1
    for x in values:
        if x.denominator not in parts:
            den = math.lcm(den, x.denominator)
            if den.bit_length() > DIGITS * 10 // 3:
                return None
        parts[x.denominator] = parts.get(x.denominator, 0) + x.numerator
    return Fraction(sum(n * (den // d) for d, n in parts.items()), den)


def rounded(value: Fraction | float, digits: int, direction: str = ROUND_HALF_UP) -> str:
    """Return a number with `digits` significant digits, rounded to the nearest one, or as `direction` of decimal says.

    Parameters
    ----------
    value : a finite number, taken as the rational that it is
    digits : significant digits, 1 or more; zeros at the end are left out
    direction : a rounding mode of the module `decimal`

    Returns
    -------
    Text, with an exponent below 1e-4 and where more than `digits` digits stand before the point.

    Examples
    --------
    >>> rounded(Fraction(2, 3), 3), rounded(1234567.8, 6), rounded(Fraction(1, 10**400), 3), rounded(0.5, 3)
    ('0.667', '1.23457e+06', '1e-400', '0.5')
    """
    exact = Fraction(value)
    if exact == 0:
        return "0"
    context = Context(prec=digits, rounding=direction, Emax=MAX_EMAX, Emin=MIN_EMIN)
    decimal = context.divide(Decimal(exact.numerator), Decimal(exact.denominator))
    power = decimal.adjusted()
    sign, figures, _ = decimal.as_tuple()
    text = "".join(map(str, figures)).rstrip("0")
    if -5 < power < digits:
        whole = text[: power + 1].ljust(power + 1, "0") if power >= 0 else "0"
        part = text[power + 1 :] if power >= 0 else "0" * (-power - 1) + text
        return "-" * sign + whole + ("." + part if part else "")
    return "-" * sign + text[0] + ("." + text[1:] if text[1:] else "") + f"e{power:+03d}"


def outward(bound: Fraction | float, upper: bool, digits: int = 6) -> str:
    """Return a proven bound with `digits` digits: a lower one rounded down, an upper one up, so that it still holds.

    Parameters
    ----------
    bound : a finite number
    upper : it is an upper bound; otherwise a lower one
    digits : significant digits, 1 or more

    Returns
    -------
    Text, as that of `rounded`.

    Examples
    --------
    >>> outward(1234567.8, upper=False), outward(1234567.8, upper=True), outward(Fraction(1, 3), upper=True, digits=2)
    ('1.23456e+06', '1.23457e+06', '0.34')
    """
    return rounded(bound, digits, ROUND_CEILING if upper else ROUND_FLOOR)


def spell_short(value: Fraction, most: int = 12) -> str:
    """Return a number exactly where that is short, else the shortest decimal of its float; never 1 for what is not 1.

    >>> spell_short(Fraction(2, 3)), spell_short(Fraction(10**17 - 1, 10**17)), spell_short(Fraction(1, 10**400))
    ('2/3', '1 - 1e-17', '1e-400')
    """
    text = spell(value) if max(value.numerator.bit_length(), value.denominator.bit_length()) < 400 else ""
    if text and len(text) <= most:
        return text
    try:
        near = nearest(value)
    except OverflowError:
        return rounded(value, 6)
    if near.is_integer() and near != value and abs(near) < 2**53:
        off = rounded(abs(value - int(near)), 3)
        return f"{int(near)} {'+' if value > near else '-'} {off}" if near else rounded(value, 3)
    return spell_float(near)


def spell_float(value: float) -> str:
    """Return the shortest decimal of a float, which reads back as it.

    >>> spell_float(1e-6), spell_float(3.0), spell_float(0.99999999)
    ('1e-06', '3', '0.99999999')
    """
    return repr(float(value)).removesuffix(".0")


def as_fraction(value: Any) -> Fraction:
    """Return a number as the rational that it is: a text as it spells, a float as its dyadic."""
    if isinstance(value, str):
        return fraction(value)
    if isinstance(value, (Fraction, int, float, Decimal, np.integer, np.floating)):
        return Fraction(value.item() if isinstance(value, np.generic) else value)
    raise ValueError(value)


def as_number(value: Any) -> Fraction | float:
    """Return a float as it is, any other number as the rational that it is.

    >>> as_number(0.1), as_number("0.1")
    (0.1, Fraction(1, 10))
    """
    return float(value) if isinstance(value, (float, np.floating)) else as_fraction(value)


def nearest(value: Fraction) -> float:
    """Return the nearest float64, or OverflowError (never inf)."""
    return value.numerator / value.denominator


class RationalArray(Sequence[Fraction]):
    """Exact rationals as two integer arrays; int64 where they fit, Python integers otherwise.

    >>> RationalArray.of([Fraction(1, 3), Fraction(2, 3)])[1]
    Fraction(2, 3)
    """

    __slots__ = ("den", "num")

    def __init__(self, num: NDArray[Any], den: NDArray[Any]) -> None:
        self.num, self.den = num, den
        num.setflags(write=False)
        den.setflags(write=False)

    @classmethod
    def of(cls, values: Iterable[Fraction]) -> RationalArray:
        """Return the array of some fractions."""
        pairs = [(x.numerator, x.denominator) for x in values]
        fits = all(-INT64 <= n <= INT64 and d <= INT64 for n, d in pairs)
        dtype: Any = np.int64 if fits else object
        return cls(np.array([n for n, _ in pairs], dtype=dtype), np.array([d for _, d in pairs], dtype=dtype))

    def __len__(self) -> int:
        return len(self.num)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return RationalArray(self.num[i], self.den[i])
        return Fraction(int(self.num[i]), int(self.den[i]))

    def __iter__(self) -> Iterator[Fraction]:
        for n, d in zip(self.num.tolist(), self.den.tolist(), strict=True):
            yield Fraction(n, d)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, RationalArray)
            and len(self) == len(other)
            and bool(np.all(self.num == other.num) and np.all(self.den == other.den))
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"RationalArray([{', '.join(spell(x) for x in self[:6])}{', ...' * (len(self) > 6)}])"

    def floats(self) -> NDArray[np.float64]:
        """Return the nearest float64 of each (correctly rounded); OverflowError past the range."""
        small = self.num.dtype == np.int64 and self.num.size
        if small and max(int(self.num.max()), -int(self.num.min()), int(self.den.max())) <= 2**53:
            return np.asarray(self.num / self.den)  # both are float64 exactly, and one division rounds once
        return np.array(
            [n / d for n, d in zip(self.num.tolist(), self.den.tolist(), strict=True)], dtype=np.float64
        )

    def common(self) -> tuple[NDArray[np.int64], int] | None:
        """Return the numerators over one denominator, and that; None where they are past 2**62.

        >>> RationalArray.of([Fraction(1, 2), Fraction(1, 3)]).common()
        (array([3, 2]), 6)
        """
        if self.num.dtype != np.int64 or not self.num.size:
            return None
        den = 1
        same = self.den.min() == self.den.max()  # most often; to look for others takes long
        for d in self.den[:1].tolist() if same else np.unique(self.den).tolist():
            den = math.lcm(den, d)
            if den > 2**62:
                return None
        scale = den // self.den
        if np.max(np.abs(self.num.astype(np.float64)) * scale) > 2.0**61:
            return None
        return self.num * scale, den

    def take(self, order: NDArray[np.integer]) -> RationalArray:
        """Return the numbers at these places."""
        return RationalArray(self.num[order], self.den[order])

    @property
    def nbytes(self) -> int:
        """The bytes of both arrays."""
        return int(self.num.nbytes + self.den.nbytes)


@dataclass(frozen=True)
class Exact:
    """The numbers of a model as the exact rationals that its source spelled.

    `prob` and `reward` have one entry an outcome; `r` one a row, where the reward is given by state and action.
    """

    prob: RationalArray
    reward: RationalArray | None = None
    r: RationalArray | None = None
    start: RationalArray | None = None
    final_reward: RationalArray | None = None
