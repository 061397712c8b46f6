"""Whether the decimals of another program's file are exact numbers, or float64 numbers that were printed."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

from tabular_rl.errors import ModelError
from tabular_rl.formats.importers.dictionary import Outcome
from tabular_rl.model.rationals import as_fraction, exact_sum, nearest


def as_written(outcomes: list[Outcome]) -> list[Outcome]:
    """Return outcomes as they are, or as float64 numbers where some rows sum to 1 only as these do.

    Parameters
    ----------
    outcomes : (state, action, next state, probability, reward), numbers as they are spelled or fractions

    Returns
    -------
    The same outcomes. All their numbers are floats where each row sums to 1 up to n · 2^-52, n its length, and one of
    them no better.

    Examples
    --------
    >>> third = "0.3333333333333333"
    >>> [p for *_, p, _ in as_written([("s", "a", str(i), third, 1) for i in range(3)])] == [1 / 3] * 3
    True
    >>> as_written([("s", "a", "s", "1/2", 0), ("s", "a", "t", "1/2", 0)])[0][3]
    '1/2'
    """
    return _as_floats(outcomes) if _rounded(outcomes) else outcomes


def _rounded(outcomes: list[Outcome]) -> bool:
    """Whether each row sums to 1 as float64 numbers do, and one of them no better."""
    rows = defaultdict(list)
    try:
        for s, a, _, p, _ in outcomes:
            rows[s, a].append(as_fraction(p))
    except (ValueError, TypeError, OverflowError, ModelError):
        return False
    missing = [(abs(1 - (exact_sum(row) or Fraction(0))), len(row)) for row in rows.values()]
    return any(gap for gap, _ in missing) and all(gap * 2**52 <= n for gap, n in missing)


def _as_floats(outcomes: list[Outcome]) -> list[Outcome]:
    try:
        return [
            (s, a, to, nearest(as_fraction(p)), nearest(as_fraction(reward)))
            for s, a, to, p, reward in outcomes
        ]
    except (ValueError, TypeError, OverflowError, ModelError):
        return outcomes  # whose faults are found there
