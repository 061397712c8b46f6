"""Arithmetic over the outcomes of rows, block by block."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tabular_rl.model.mdp import MDP

Floats = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]

BLOCK = 1 << 20  # outcomes looked at together when a model is validated
LARGEST = 1e300  # rewards beyond it overflow in sums


def row_blocks(row_ptr: Ints) -> Iterable[tuple[int, int, int, int]]:
    """Cut rows into blocks of about BLOCK outcomes: (first row, last row, first outcome, last outcome)."""
    L = len(row_ptr) - 1
    first = 0
    while first < L:
        k0 = int(row_ptr[first])
        last = max(first + 1, int(np.searchsorted(row_ptr, k0 + BLOCK, side="right")) - 1)
        last = min(last, L, first + BLOCK)
        yield first, last, k0, int(row_ptr[last])
        first = last


def row_sums(values: Floats, ptr: Ints) -> Floats:
    """Sum values over rows; an empty row sums to 0 (np.add.reduceat would give it its neighbour)."""
    full = np.diff(ptr) > 0
    out = np.zeros(len(ptr) - 1)
    if values.size:
        out[full] = np.add.reduceat(values, ptr[:-1][full].astype(np.intp))
    return out


def largest_of_rows(mdp: MDP, first: int, last: int, k0: int, k1: int) -> Floats:
    """The largest |r(s,a,s')| of each row first ≤ i < last, whose outcomes are k0 ≤ k < k1; no row is empty."""
    largest = np.abs(mdp.r[first:last])
    if mdp.reward is not None:
        starts = (mdp.row_ptr[first:last] - k0).astype(np.intp)
        np.maximum(largest, np.maximum.reduceat(np.abs(mdp.reward[k0:k1]), starts), out=largest)
    return largest


def mass_defects(prob: Floats, ptr: Ints) -> Floats:
    """1 - Σ p of each row to within 2**-100: the parts above 2**-26 and above 2**-52 add without rounding."""
    high = np.rint(prob * 2.0**26) * 2.0**-26
    rest = prob - high
    middle = np.rint(rest * 2.0**52) * 2.0**-52
    low = rest - middle
    return ((1.0 - row_sums(high, ptr)) - row_sums(middle, ptr)) - row_sums(low, ptr)
