"""The next floats of long arrays, which are made by arithmetic, against those that `math.nextafter` gives."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tabular_rl.model.rounding import LONG, down, up

WAYS = [(up, math.inf), (down, -math.inf)]


def floats(n=20_000):
    """Floats of any bits, and powers of 2 with their neighbours, both signs, zeros and the ends of the range."""
    rng = np.random.default_rng(5)
    drawn = rng.integers(0, 2**64, n, dtype=np.uint64).view(np.float64)
    powers = np.ldexp(1.0, np.arange(-1074, 1024))
    near = np.concatenate([powers, np.nextafter(powers, 0), np.nextafter(powers[:-1], np.inf)])
    ends = [0.0, -0.0, 5e-324, -5e-324, np.finfo(float).max, -np.finfo(float).max]
    return np.concatenate([drawn[np.isfinite(drawn)], near, -near, ends])


@pytest.mark.parametrize(("way", "toward"), WAYS)
def test_long_arrays_are_rounded_outward_to_the_next_float(way, toward):
    x = floats()
    assert len(x) >= LONG
    found, wanted = way(x), np.array([math.nextafter(y, toward) for y in x.tolist()])
    assert ((found >= wanted) if toward > 0 else (found <= wanted)).all()
    differ = found != wanted
    assert (np.abs(x[differ]) < 2.0**-1019).all()
    assert (np.abs(found[differ] - wanted[differ]) <= 2.0**-1071).all(), "and there by a few of the least"
    assert 0 < np.count_nonzero(differ) < len(x) / 4


@pytest.mark.parametrize(("way", "toward"), WAYS)
def test_infinities_turn_back_and_nan_stays(way, toward):
    x = np.concatenate([np.full(LONG, 1.0), [math.inf, -math.inf, math.nan]])
    wanted = [math.nextafter(y, toward) for y in x.tolist()]
    assert way(x).tolist()[:-1] == wanted[:-1]
    assert math.isnan(way(x)[-1])
