"""Sums over the rows of a model: against fractions and against plain loops."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from tabular_rl import MDP
from tabular_rl.model import fields
from tabular_rl.model import rows as rows_module
from tabular_rl.model.rows import (
    BLOCK,
    Room,
    expected_reward,
    largest_of_rows,
    lowest_rows,
    mass_defects,
    over_rows,
    readonly,
    row_blocks,
    row_sums,
)

PTR = np.array([0, 3, 3, 4, 8])


def rows(values):
    return [values[a:b] for a, b in pairwise(PTR)]


def test_an_empty_row_sums_to_zero():
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
    assert (
        row_sums(values, PTR).tolist()
        == [sum(row.tolist()) for row in rows(values)]
        == [7.0, 0.0, 8.0, 240.0]
    )
    assert row_sums(np.zeros(0), np.array([0, 0, 0])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("seed", range(20))
def test_the_mass_that_a_row_lacks_is_that_of_fractions(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 40, size=30)
    ptr = np.concatenate([[0], np.cumsum(sizes)])
    prob = rng.random(ptr[-1]) * 10.0 ** rng.integers(-12, 1, size=ptr[-1])
    prob /= np.repeat(np.add.reduceat(prob, ptr[:-1]), sizes)  # each row misses 1 by a few roundings
    for defect, a, b in zip(mass_defects(prob, ptr), ptr, ptr[1:], strict=False):
        exact = 1 - sum(map(Fraction, prob[a:b].tolist()))
        assert abs(Fraction(float(defect)) - exact) <= Fraction(1, 2**100)


def test_a_defect_far_below_the_rounding_of_a_sum_is_seen():
    # 1/2 + 1/2 - 2**-80 sums to 1 in floats; the defect is 2**-80.
    assert mass_defects(np.array([0.5, 0.5, -(2.0**-80)]), np.array([0, 3])).tolist() == [2.0**-80]


def test_blocks_cover_the_rows_in_order_and_are_not_long():
    sizes = np.array([BLOCK - 1, 1, 1, BLOCK, 3 * BLOCK, 2, 0, 5])
    ptr = np.concatenate([[0], np.cumsum(sizes)])
    blocks = list(row_blocks(ptr))
    assert [row for first, last, _, _ in blocks for row in range(first, last)] == list(range(len(sizes)))
    for first, last, k0, k1 in blocks:
        assert (k0, k1) == (ptr[first], ptr[last])
        assert k1 - k0 <= BLOCK or last == first + 1  # a longer row stands alone


def test_rewards_of_rows_are_those_of_the_loop():
    P = [[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.25, 0.75]]]
    R = [[[2.0, -6.0], [1.0, 0.0]], [[0.0, 3.0], [-4.0, 8.0]]]
    mdp = MDP(P, R, 0.9, axes="sas")
    assert expected_reward(mdp).tolist() == [-2.0, 1.0, 3.0, 5.0]
    assert largest_of_rows(mdp, 0, mdp.L, 0, mdp.K).tolist() == [6.0, 1.0, 3.0, 8.0]
    assert largest_of_rows(mdp, 1, 2, 2, 3).tolist() == [1.0]


def test_expected_rewards_of_fractions_are_the_nearest_floats():
    here = [("a", "go", "a", "1/3", "1/10"), ("a", "go", "b", "2/3", "7")]
    there = [("b", "go", "a", "1/7", "3"), ("b", "go", "b", "6/7", "-1/2")]
    mdp = MDP.from_outcomes([*here, *there], "1/2")
    wanted = [Fraction(1, 30) + Fraction(14, 3), Fraction(3, 7) - Fraction(3, 7)]
    assert expected_reward(mdp).tolist() == [float(x) for x in wanted]


def test_a_readonly_array_is_not_written_to():
    with pytest.raises(ValueError, match="read-only"):
        readonly(np.zeros(2))[0] = 1.0


def test_the_largest_of_each_row_and_the_lowest_that_is_marked_by_hand():
    values = np.array([1.0, 4.0, 2.0, -8.0, 16.0, 3.0, 5.0, 0.5])
    assert over_rows(np.maximum, values, PTR).tolist() == [4.0, 0.0, -8.0, 16.0]
    assert over_rows(np.minimum, np.stack([values, -values], axis=1), PTR).tolist() == [
        [1.0, -4.0], [0.0, 0.0], [-8.0, 8.0], [0.5, -16.0],
    ]  # fmt: skip
    mdp = MDP.from_outcomes([(s, a, s, 1, 0) for s in range(3) for a in range(s + 1)], "1/2")
    marked = np.array([False, True, True, False, True, True])  # rows 0; 1, 2; 3, 4, 5
    assert lowest_rows(mdp, marked).tolist() == [-1, 1, 4]


GIVEN = {
    "pair_ptr": [0, 1, 2], "pair_action": [0, 0], "row_ptr": [0, 2, 3], "next_state": [0, 1, 1],
    "prob": [0.25, 0.75, 1.0], "reward": [1.0, 2.0, 3.0], "terminal": [False, False],
}  # fmt: skip


def memory_of(mdp):
    """The array whose memory each field of a model is a part of."""
    found = {}
    for field in (*GIVEN, "r"):
        array = getattr(mdp, field)
        while isinstance(array.base, np.ndarray):
            array = array.base
        found[field] = id(array)
    return found


@pytest.mark.small
@pytest.mark.parametrize(("normalize", "apart"), [(False, {"reward"}), (True, {"reward", "prob"})])
def test_copies_share_memory_but_for_what_may_be_dropped_before_the_rest(monkeypatch, normalize, apart):
    for module in (rows_module, fields):
        monkeypatch.setattr(module, "PAGES", 0)
    given = {field: np.array(values) for field, values in GIVEN.items()}
    mdp = MDP.from_rows(**given, gamma=0.9, normalize=normalize)
    memory = memory_of(mdp)
    (shared,) = {memory[field] for field in memory if field not in apart}
    assert shared not in {memory[field] for field in apart}
    for field, values in GIVEN.items():
        given[field][:] = 7
        array = getattr(mdp, field)
        assert array.tolist() == values
        assert array.flags.aligned
        assert not array.flags.writeable
    assert mdp.r.tolist() == [1.75, 3.0]
    assert len({*memory_of(MDP.from_rows(**GIVEN, gamma=0.9, copy=False)).values()}) == len(memory)


@pytest.mark.small
def test_large_pages_are_asked_for_from_4_mb_on_and_not_for_what_goes_back_to_the_system():
    sizes = [len(Room(size).free) > 0 for size in (1 << 20, 1 << 22, 1 << 24, 1 << 25)]
    assert sizes == [False, True, True, False]
    room = Room(1 << 22)
    first, second, third = room.array(3, np.int32), room.array(5, np.float64), room.array(1 << 22, np.float64)
    assert second.ctypes.data - first.ctypes.data == 64
    assert third.base is None  # there is no room for it
