"""Numbers as texts: the quick ways to read them give what the rational that they spell gives."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from tabular_rl.formats.fields import spelled_number
from tabular_rl.model.rationals import fraction, nearest

TEXTS = [
    "0", "-0", "0.0", "-0.0", "-0.5", "1", "10.50", "0.1", "123456789.000000001", "1e3", "-2.5E-3", "0.001e+5", "1/3",
    "-6/4", "0." + "0" * 350 + "1", "1" + "0" * 299, "1" + "0" * 300, "1" + "0" * 301, "9" * 301, "1e300", "1e299",
    "1.0000000000000001e300", "1e-300", "1e-307", "4.9e-324", "2e-324", "1e-400", "1e400", "1e4000", "1e-4000",
    "1e4001", "0e-5000", "0." + "0" * 3990 + "1e3990", "1" + "0" * 3990 + "e-3990", "0." + "3" * 398, "0." + "3" * 500,
    "1/0", "1" + "0" * 400 + "/7",
]  # fmt: skip


def drawn(seed):
    rng = random.Random(seed)
    digits = "".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 25)))
    text = f"{'-' * rng.randrange(2)}{rng.randrange(1000)}" + f".{digits}" * rng.randrange(2)
    return text + f"{rng.choice('eE')}{rng.choice(['', '+', '-'])}{rng.randrange(330)}" * rng.randrange(2)


@pytest.mark.parametrize("text", [*TEXTS, *map(drawn, range(200))])
def test_number_is_the_rational_of_its_text_or_the_nearest_float(text):
    """Past 1e300 a text is no number, and none of floats where its nearest is 0 though it is not."""
    exponent = int(text.lower().partition("e")[2] or 0)
    if text.endswith("/0") or abs(exponent) > 4000:
        with pytest.raises(ValueError, match=r"\d"):
            fraction(text)
        assert spelled_number(text, True) is spelled_number(text, False) is None
        return
    mantissa = text.lower().partition("e")[0]
    meant = Fraction(mantissa) * Fraction(10) ** exponent
    assert fraction(text) == meant
    if abs(meant) > 10**300 and abs(meant) > Fraction(1e300):
        assert spelled_number(text, True) is spelled_number(text, False) is None
        return
    assert spelled_number(text, True) == meant
    near = nearest(meant)
    found = spelled_number(text, False)
    assert found == (None if meant and not near else near)
    assert found is None or isinstance(found, float)


@pytest.mark.parametrize(
    "text", ["", " 1", "1.", ".5", "+1", "01", "1e", "nan", "inf", "0x1", "1_000", "1/-2", "１"]
)
def test_other_texts_are_no_numbers(text):
    assert spelled_number(text, True) is spelled_number(text, False) is None
