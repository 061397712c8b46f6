"""Schedules: numbers worked out by hand, the same bits in kernels, the two sums of Robbins & Monro."""

from __future__ import annotations

import math

import pytest
import reference

from tabular_rl import OptionError
from tabular_rl.methods.learning._walk import SHARE, rates
from tabular_rl.solving.options import OPTIONS
from tabular_rl.solving.schedules import Schedule

TEXTS = [
    "0.3", "1/3", "1/n", "0.5/n", "n^-0.7", "2*n**-0.51", "linear:0.5:0.01:1000", "linear:1:0:4",
    "exponential:0.5:0.999",
    "exponential:0.9:0.8:0.05", "exponential:0.1:0.5:0.3",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.25", [0.25, 0.25, 0.25]),
        ("1/n", [1.0, 0.5, 1 / 3]),
        ("0.5/n", [0.5, 0.25, 0.5 / 3]),
        ("n^-0.5", [1.0, 2**-0.5, 3**-0.5]),
        ("3 * n**-1", [3.0, 1.5, 1.0]),
        ("linear:1:0:2", [1.0, 0.5, 0.0, 0.0]),
        ("exponential:0.5:0.5", [0.5, 0.25, 0.125]),
        ("exponential:0.5:0.5:0.2", [0.5, 0.25, 0.2, 0.2]),
        (0.125, [0.125, 0.125]),
        (1, [1.0]),
    ],
)
def test_values_by_hand(text, values):
    schedule = Schedule.of(text)
    assert [schedule.at(n + 1) for n in range(len(values))] == pytest.approx(values, rel=2e-16)
    assert Schedule.of(schedule) is schedule


def test_fraction_is_a_constant():
    assert Schedule.of("1/3").at(7) == 1 / 3


@pytest.mark.small
@pytest.mark.parametrize("text", TEXTS)
def test_kernel_gives_the_same_bits(text):
    from tabular_rl.kernels.walk import rate

    schedule = Schedule.of(text)
    for n in [*range(1, 300), 10**6, 2**31, 2**53]:
        assert rate(schedule.code, n) == schedule.at(n) == reference.rate(schedule.code, n), n


@pytest.mark.small
@pytest.mark.parametrize("text", TEXTS)
def test_numbers_that_are_found_beforehand_are_read_and_are_the_same(text):
    from tabular_rl.kernels.walk import rate

    schedule, steps = Schedule.of(text), 40 * SHARE
    found = rates(schedule, steps)
    assert len(found) == (44 if schedule.kind in ("power", "exponential") else 4)
    assert found[4:].tolist() == [schedule.at(n) for n in range(1, len(found) - 3)]
    assert [rate(found, n) for n in range(1, 60)] == [schedule.at(n) for n in range(1, 60)]
    found[4:] += 1.0
    assert [rate(found, n) for n in range(4, len(found) - 3)] == found[7:].tolist(), "they are read"


@pytest.mark.parametrize("text", TEXTS)
def test_least_and_largest_hold(text):
    schedule = Schedule.of(text)
    values = [schedule.at(n) for n in [*range(1, 2000), 10**12]]
    assert min(values) >= schedule.least
    assert max(values) <= schedule.largest
    assert schedule.largest == max(values)
    assert values[-1] - schedule.least <= 1e-6 * (1 + schedule.largest)


@pytest.mark.parametrize(
    ("text", "sum_diverges", "squares_converge"),
    [
        ("0.1", True, False),
        ("1/n", True, True),
        ("n^-0.5", True, False),  # the classic slip: 1 / sqrt(n)
        ("n^-0.51", True, True),
        ("n^-1", True, True),
        ("n^-1.01", False, True),
        ("linear:1:0.1:10", True, False),
        ("linear:1:0:10", False, True),
        ("exponential:0.5:0.9", False, True),
        ("exponential:0.5:0.9:0.01", True, False),
        ("exponential:0.5:1", True, False),
        ("0", False, True),
    ],
)
def test_conditions_of_robbins_and_monro(text, sum_diverges, squares_converge):
    schedule = Schedule.of(text)
    assert (schedule.sum_diverges, schedule.squares_converge) == (sum_diverges, squares_converge)


@pytest.mark.parametrize(
    "wrong",
    [
        "", "x", "n", "1/m", "n^0.5", "n^-", "linear:1:0", "linear:1:0:0", "linear:1:0:0.5", "exponential:1",
        "exponential:1:1.1", "exponential:1:0", "nan", "inf", "1e999", "1_0", "٣", "0.1;", "1/n/n", True, None, [],
        math.nan, math.inf, {},
    ],
)  # fmt: skip
def test_anything_else_is_refused(wrong):
    with pytest.raises(OptionError, match=r"^step_size: found .*expected 0\.1, 1/n, n\^-0\.7, linear:"):
        OPTIONS["step_size"].check(wrong)


@pytest.mark.parametrize("wrong", ["0", "-0.1", "1.1", "2/n", "linear:0.5:1.5:10", "linear:1:-0.1:10",
                                   "exponential:0.5:0.9:2", "-1/n", "0*n^-1", "n^--1"])  # fmt: skip
def test_step_size_out_of_range_is_refused(wrong):
    with pytest.raises(OptionError, match=r"^step_size: found "):
        OPTIONS["step_size"].check(wrong)
