"""How numbers are written: no more digits than the proof supports, and a ± that is true of the digits shown."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, Context, Decimal
from fractions import Fraction

from tabular_rl.model.rationals import decimal_text, outward, rounded, spell_float, spell_short

MOST = 15  # significant digits of a float64
TINY = 1e-9  # errors below it are rounding, and differ from machine to machine
PLAIN = 1e9  # values below it need no exponent
LONGEST_DECIMALS = 25  # more decimals than that are written with an exponent
LONGEST_FRACTION = 40  # characters of a fraction in a table


def places(bound: float, tolerance: float = 1e-6, largest: float = 1.0) -> int:
    """How many decimals a value deserves whose error is at most `bound`; negative for tens, hundreds, ...

    As many as are right to within one unit of the last digit, but no more than the tolerance asks for (or four
    digits of the largest value, where that is more).

    Parameters
    ----------
    bound : the largest error, in the unit of the value
    tolerance : the error that was asked for, in the same unit
    largest : the largest |value| that is shown beside it

    Returns
    -------
    Number of decimals; 0 where the bound or the largest value is not finite.

    Examples
    --------
    >>> places(4e-7), places(1e-12), places(0.03), places(2000.0), places(1e-15, largest=1e-7)
    (6, 6, 1, -3, 11)
    """
    if not math.isfinite(bound) or not math.isfinite(largest):
        return 0  # nothing is proven, and ± says so
    largest = max(largest, 1e-300)
    size = math.floor(math.log10(largest)) + 1
    if bound <= 0:
        supported = MOST - size
    elif bound < 1:
        supported = math.floor(-math.log10(bound))
        supported -= Fraction(bound) * 10**supported > 1  # the logarithm was rounded
    else:
        supported = -math.floor(math.log10(bound))
    wanted = max(math.ceil(-math.log10(tolerance) - 1e-9), 5 - size, 0)
    return min(supported, wanted, MOST - size)


def sampled_places(error: float, largest: float) -> int:
    """How many decimals show with two digits an error that is only estimated, of values up to `largest`.

    At most 12, and none less than 0, unless all values are tiny or too long to be written out.

    >>> sampled_places(0.031, 5), sampled_places(400, 5000), sampled_places(0, 1), sampled_places(3e198, 1e201)
    (3, 0, 6, -197)
    """
    if not error > 0:
        error = (largest or 1.0) * 1e-5
    decimals = 1 - math.floor(math.log10(error))
    if largest >= 10.0**MOST:
        return min(decimals, 0)
    most = 12 - math.floor(math.log10(largest)) if 0 < largest < 1e-9 else 12
    return min(max(decimals, 0), most)


def shown(value: float, decimals: int) -> str:
    """Return a value with `decimals` decimals, or rounded to tens, hundreds, ... where that is negative.

    Halves are rounded away from 0, as on paper.

    >>> shown(-0.0001, 2), shown(15.254, 2), shown(123456.0, -3), shown(77.0, -4), shown(1.26e12, -10)
    ('0.00', '15.25', '123000', '0', '1.26e+12')
    >>> shown(0.625, 2), shown(-0.625, 2), shown(2.5, 0)
    ('0.63', '-0.63', '3')
    >>> shown(1.25e-299, 304), shown(3e-310, 304)
    ('1.25000e-299', '0')
    """
    if not math.isfinite(value):
        return "?"
    if decimals > LONGEST_DECIMALS:
        size = math.floor(math.log10(abs(value))) if value else 0
        text = f"{value:.{size + decimals}e}" if value and 0 <= size + decimals else "0"
    elif decimals >= 0:
        # Only a number of so few binary places can lie in the middle of two decimals.
        tie = not value.is_integer() and (value * 2.0 ** (decimals + 1)).is_integer()
        text = str(_at(Fraction(value), decimals)) if tie else f"{value:.{decimals}f}"
    elif abs(value) < PLAIN:
        text = str(round(Fraction(value) / 10**-decimals) * 10**-decimals)
    else:
        size = math.floor(math.log10(abs(value)))
        text = f"{value:.{size + decimals}e}" if size + decimals >= 0 else "0"
    return (
        text[1:] if text.startswith("-") and not any(c in "123456789" for c in text.split("e")[0]) else text
    )


def _at(value: Fraction, decimals: int) -> Decimal:
    """A number with `decimals` decimals, halves away from 0."""
    scaled = abs(value) * 10**decimals
    whole = int(scaled + Fraction(1, 2))
    return Decimal(-whole if value < 0 else whole).scaleb(-decimals, Context(prec=max(len(str(whole)), 1)))


def shown_exact(value: Fraction, decimals: int, digits: int = 7) -> str:
    """Return an exact value with `decimals` decimals; by its own size where these say too little of it.

    Parameters
    ----------
    value : the fraction
    decimals : as `places` gives them; negative for tens, hundreds, ...
    digits : significant digits, where the decimals say too little

    Returns
    -------
    Text of a decimal number.

    Examples
    --------
    >>> shown_exact(Fraction(2, 3), 6), shown_exact(Fraction(-1234567), -16), shown_exact(Fraction(1, 3 * 10**9), 6)
    ('0.666667', '-1234567', '3.333333e-10')
    """
    enough = value == 0 or 1 <= abs(value) * 10**decimals < PLAIN * 10**6 * 10**decimals
    if decimals >= 0 and enough:
        return f"{_at(value, decimals):f}"
    return rounded(value, digits)


def share_text(p: float, digits: int = 3) -> str:
    """Return a probability, short; never as 1 where it is less.

    >>> share_text(1 / 3), share_text(0.9999), share_text(1.0)
    ('0.333', '0.9999', '1')
    """
    while p != 1 and float(f"{p:.{digits}g}") == 1 and digits < 17:
        digits += 1
    return f"{p:.{digits}g}"


def rounded_up(error: Fraction | float) -> str:
    """Return an error with two digits, rounded up; below TINY, where digits say nothing, as a power of ten.

    >>> rounded_up(4.12e-7), rounded_up(0), rounded_up(Fraction(1, 3)), rounded_up(9.99), rounded_up(3e-14)
    ('4.2e-07', '0', '0.34', '10', '1e-13')
    """
    if error == 0:
        return "0"
    if isinstance(error, float) and not math.isfinite(error):
        return "?"
    exact = Fraction(error)
    context = Context(prec=2, rounding=ROUND_CEILING, Emax=MAX_EMAX, Emin=MIN_EMIN)
    found = context.divide(Decimal(exact.numerator), Decimal(exact.denominator))
    if exact < TINY and found != Decimal(1).scaleb(found.adjusted()):
        found = Decimal(1).scaleb(found.adjusted() + 1)
    power = found.adjusted()
    plain = -4 < power < 5
    text = f"{found if plain else found.scaleb(-power):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if plain else f"{text}e{power:+03d}"


def plus_minus(text: str, lower: float, upper: float) -> str:
    """Return how far the true value, between `lower` and `upper`, can be from the digits shown.

    Parameters
    ----------
    text : the digits shown
    lower, upper : proven ends

    Returns
    -------
    Text of up to two digits, rounded up; "?" where an end is not finite or no digits are shown.

    Examples
    --------
    >>> plus_minus("15.25", 15.125, 15.5)
    '0.25'
    """
    if not (math.isfinite(lower) and math.isfinite(upper)) or text == "?":
        return "?"
    value = Fraction(text)
    return rounded_up(max(Fraction(upper) - value, value - Fraction(lower), Fraction(0)))


def interval_text(lower: float, upper: float, digits: int = 9) -> str:
    """Return a proven interval, rounded outward by no more than a thousandth of its width.

    Parameters
    ----------
    lower, upper : proven ends; -inf and inf where nothing is known
    digits : significant digits where there is no width to go by: of an only side, or of a point

    Returns
    -------
    Text: both ends, the only one, or "not known".

    Examples
    --------
    >>> interval_text(15.24737295, 15.2923725), interval_text(-math.inf, 1234567.8), interval_text(-math.inf, math.inf)
    ('from 15.24737 to 15.29238', 'at most 1234567.81', 'not known')
    """
    if math.isfinite(upper) and math.isfinite(lower) and lower < upper:
        width = Fraction(upper) - Fraction(lower)
        size = max(abs(Fraction(lower)), abs(Fraction(upper))) / width
        digits = min(len(str(int(size))) + 4, 17)
    low, high = (
        outward(x, upper=i > 0, digits=digits) if math.isfinite(x) else ""
        for i, x in enumerate((lower, upper))
    )
    if low and high:
        return low if low == high else f"from {low} to {high}"
    return f"at least {low}" if low else f"at most {high}" if high else "not known"


def fraction_text(value: Fraction, longest: int = LONGEST_FRACTION) -> str:
    """Return a fraction as text; a long one by the number of its digits.

    >>> fraction_text(Fraction(2, 3)), fraction_text(Fraction(1, 2))
    ('2/3', '1/2')
    >>> fraction_text(Fraction(10**50, 3))
    '(51 digits)/(1 digit)'
    >>> fraction_text(Fraction(-(10**300)))
    '-(301 digits)'
    """
    if max(value.numerator.bit_length(), value.denominator.bit_length()) < 4 * longest:
        text = str(value)
        if len(text) <= longest:
            return text

    def count(n: int) -> str:
        digits = len(decimal_text(abs(n)))
        return f"({digits} digit{'s' * (digits != 1)})"

    below = "" if value.denominator == 1 else f"/{count(value.denominator)}"
    return f"{'-' if value < 0 else ''}{count(value.numerator)}{below}"


def general(value: float, digits: int = 6) -> str:
    """Return a number that nothing is proven of, short.

    >>> general(0.1), general(-3.0), general(123456789.0)
    ('0.1', '-3', '1.23457e+08')
    """
    return f"{value:.{digits}g}"


def aligned(texts: Iterable[str]) -> list[str]:
    """Pad numbers on the right so that their decimal points stand below each other when set flush right.

    >>> aligned(["1.25", "10", "-0.5"])
    ['1.25', '10   ', '-0.5 ']
    """
    texts = list(texts)
    after = [len(t) - t.index(".") if "." in t else 0 for t in texts]
    most = max(after, default=0)
    return [t + " " * (most - n) for t, n in zip(texts, after, strict=True)]


def exact_or_decimal(value: Fraction | None, nearest: float) -> str:
    """Return a number of a model: as its source spelled it where that is short; never 0 for one that is not.

    >>> exact_or_decimal(Fraction(1, 10**400), 0.0), exact_or_decimal(1 - Fraction(1, 10**20), 1.0)
    ('1e-400', '1 - 1e-20')
    """
    return spell_float(nearest) if value is None else spell_short(value, 14)


def size_text(nbytes: float) -> str:
    """Return a memory size for people.

    >>> size_text(2048), size_text(5_000_000)
    ('2.0 kB', '5.0 MB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if nbytes >= scale:
            return f"{nbytes / scale:.1f} {unit}"
    return f"{int(nbytes)} bytes"


def plural(count: int, what: str, form: str = "") -> str:
    """Return a count and its noun.

    Parameters
    ----------
    count : how many
    what : the noun, in the singular
    form : how the count is formatted, "," for groups of three digits

    Returns
    -------
    Both as text.

    Examples
    --------
    >>> plural(1, "state"), plural(1200, "sweep"), plural(1200, "step", ",")
    ('1 state', '1200 sweeps', '1,200 steps')
    """
    return f"{count:{form}} {what}" + ("s" if count != 1 else "")
