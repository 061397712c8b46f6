"""What is printed is true: the digits shown and the ± beside them contain the interval they stand for."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabular_rl import MDP, learn, simulate, solve
from tabular_rl.certificates.intervals import start_interval
from tabular_rl.model.numbers import (
    TINY,
    aligned,
    fraction_text,
    interval_text,
    places,
    plus_minus,
    rounded_up,
    share_text,
    shown,
    shown_exact,
)

VALUES = st.floats(-1e12, 1e12, allow_subnormal=False)
BOUNDS = st.floats(1e-13, 1e8)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(VALUES, BOUNDS)
def test_digits_and_plus_minus_contain_the_interval(v, bound):
    lower, upper = v - bound, v + bound
    text = shown(v, places(bound, 1e-6, abs(v) or 1.0))
    error = Fraction(plus_minus(text, lower, upper))
    assert Fraction(text) - error <= Fraction(lower)
    assert Fraction(upper) <= Fraction(text) + error


@settings(max_examples=300, deadline=None, derandomize=True)
@given(VALUES, BOUNDS)
def test_last_digit_is_no_finer_than_the_bound(v, bound):
    decimals = places(bound, 1e-9, abs(v) or 1.0)
    unit = Fraction(10) ** -decimals
    assert 10 * unit > Fraction(bound) if bound >= 1 else unit >= Fraction(bound)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.fractions(min_value=0, max_value=10**20))
def test_errors_are_rounded_up_to_two_digits_or_a_power_of_ten(x):
    text = Fraction(rounded_up(x))
    assert x <= text <= x * (Fraction(11, 10) if x >= TINY else 10)


def ends(text):
    """The interval (low, high) that a text claims; None where a side is open."""
    number = r"(-?\d[\d.]*(?:e[+-]\d+)?)"
    if found := re.fullmatch(f"from {number} to {number}", text):
        return Fraction(found[1]), Fraction(found[2])
    if found := re.fullmatch(f"at least {number}", text):
        return Fraction(found[1]), None
    if found := re.fullmatch(f"at most {number}", text):
        return None, Fraction(found[1])
    return Fraction(text), Fraction(text)


ANY = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(ANY, ANY, st.sampled_from([6, 9, 12]), st.booleans(), st.booleans())
def test_intervals_are_rounded_outward(x, y, digits, low_open, high_open):
    lower, upper = min(x, y), max(x, y)
    if low_open and high_open:
        return
    text = interval_text(-math.inf if low_open else lower, math.inf if high_open else upper, digits)
    low, high = ends(text)
    assert (low is None) == low_open
    assert (high is None) == high_open
    lost = Fraction(0)
    if low is not None:
        assert low <= Fraction(lower)
        lost = max(lost, Fraction(lower) - low)
    if high is not None:
        assert Fraction(upper) <= high
        lost = max(lost, high - Fraction(upper))
    size = max(abs(Fraction(lower)), abs(Fraction(upper)))
    if low_open or high_open or lower == upper:
        assert lost <= size * Fraction(10) ** (1 - digits)
    else:
        assert lost <= max((Fraction(upper) - Fraction(lower)) / 1000, size / 10**16)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.fractions(), st.integers(-12, 12))
def test_exact_values_are_rounded_to_the_nearest_digit_shown(x, decimals):
    text = Fraction(shown_exact(x, decimals))
    assert abs(text - x) <= max(
        Fraction(10) ** -decimals / 2 if decimals >= 0 else 0, abs(x) * Fraction(10) ** -6
    )
    assert (text == 0) == (x == 0)


def test_halves_are_rounded_away_from_0():
    # 0.125, 0.375, 0.625 lie in the middle, exactly; 0.145 as a float is below the middle, 1.005 too.
    texts = [shown(x, 2) for x in (0.125, 0.375, 0.625, -0.125, 0.145, 1.005)]
    assert texts == [
        "0.13",
        "0.38",
        "0.63",
        "-0.13",
        "0.14" if Fraction(0.145) < Fraction(145, 1000) else "0.15",
        "1.00",
    ]


@pytest.mark.parametrize("p", [0.9996, 0.99999999, 1 - 2**-53])
def test_what_is_not_sure_is_not_shown_as_sure(p):
    assert float(share_text(p)) < 1


@pytest.mark.parametrize(
    ("bound", "text"),
    [(1e-14, "13.000000"), (0.004, "13.00"), (0.4, "13"), (4, "13"), (40, "10"), (400, "0")],
)
def test_thirteen_is_shown_as_far_as_it_is_proven(bound, text):
    assert shown(13.0, places(bound, 1e-6, 13.0)) == text


def test_small_values_keep_their_digits():
    assert shown(1.2345678e-7, places(1e-15, 1e-6, 1.2345678e-7)) == "0.00000012346"


def test_zero_has_no_sign():
    assert shown(-1e-9, 3) == "0.000"
    assert shown(-0.0, 0) == "0"


def test_nothing_infinite_is_printed_as_a_number():
    assert shown(math.inf, 3) == "?"
    assert plus_minus("1.0", -math.inf, 1.0) == "?"


def test_decimal_points_stand_below_each_other():
    lines = [x.rjust(8) for x in aligned(["1.25", "-10.5", "3"])]
    assert {line.index(".") for line in lines[:2]} == {5}
    assert lines[2].rstrip().endswith("3")
    assert len(lines[2].rstrip()) == 5


def test_long_fractions_are_counted():
    assert fraction_text(Fraction(-(10**45), 7)) == "-(46 digits)/(1 digit)"


def test_start_interval_is_rounded_outward():
    # 1/3 and 0.1 are no floats: the exact mean of the exact numbers must lie inside.
    start = np.full(3, 1 / 3)
    v = np.array([0.1, 0.2, 0.7])
    low, high = start_interval(start, v, v, start > 0)
    exact = sum(Fraction(float(x)) for x in v) / 3
    assert Fraction(low) <= exact <= Fraction(high)
    assert high - low < 1e-14


@pytest.mark.parametrize("power", [200, 299, -300])
def test_values_of_any_size_are_short(power: int) -> None:
    """Staying is worth reward / (1 - 9/10): ten times the reward."""
    mdp = MDP([[[1.0]]], [[float(f"1e{power}")]], Fraction(9, 10))
    texts = (
        str(solve(mdp, "policy-iteration")),
        str(learn(mdp, "q-learning", steps=100, reference=False, start_value=float(f"1e{power + 1}"))),
        str(simulate(mdp, "uniform", episodes=10)),
    )
    for text in texts:
        found = re.search(r"^(0|mean return) +([0-9.e+-]+) ", text, re.MULTILINE)
        assert found
        assert float(found[2]) == pytest.approx(float(f"1e{power + 1}"), rel=1e-3), text
        assert len(found[2]) <= 24, text
