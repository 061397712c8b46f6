"""The mistakes of tests/support/mutants.py: what is made, and what counts as found."""

from __future__ import annotations

import math

import mutants
import pytest
from mutants import Check, fates, planted

WEIGHTS = [1, 1, 0, 2]
ENDS = [0.25, 0.5, 0.5, 1.0]


def draws(*uniforms):
    return [
        Check(
            next(j for j in range(4) if u < ENDS[j]),
            lambda made, u=u: made["drawn"](Table([WEIGHTS]), 0, 0, 4, u),
            int.__eq__,
        )
        for u in uniforms
    ]


def test_every_small_mistake_is_made_once():
    texts = [str(m) for m in mutants.mutants("walk", "rate")]
    assert len(texts) == len(set(texts)) > 30
    assert "rate: return schedule[1] / n -> return schedule[1] * n" in texts


def test_found_crashed_and_missed_are_told_apart():
    assert fates("dyna", "drawn", draws(0.3, 0.9)) == {
        "found": [
            "drawn: rest = u * n - counts[e, first] -> rest = u * n + counts[e, first]",
            "drawn: rest = u * n - counts[e, first] -> rest = u - counts[e, first]",
            "drawn: while rest >= 0.0: -> while rest < 0.0:",
            "drawn: while rest >= 0.0: -> while rest >= 1.0:",
            "drawn: first += 1 -> first -= 1",
            "drawn: first += 1 -> nothing",
        ],
        "crashed": [  # places past the last one
            "drawn: rest = u * n - counts[e, first] -> rest = n - counts[e, first]",
            "drawn: first += 1 -> first += 2",
            "drawn: rest -= counts[e, first] -> rest += counts[e, first]",
            "drawn: rest -= counts[e, first] -> nothing",
        ],
        "missed": [],
    }
    assert fates("dyna", "drawn", draws(0.1))["missed"]


def test_a_mistake_that_is_the_kernel_itself_is_missed():
    same = planted("dyna", "drawn", "first += 1", "first += 1")
    assert mutants.fate(mutants.plain("dyna"), same, draws(0.1, 0.3, 0.9)) == "missed"


def test_the_kernel_is_whole_again_after_a_mistake():
    made = mutants.plain("walk")
    mutant = planted("walk", "highest", "value > top", "value < top")
    check = Check(3.0, lambda made: made["highest"](Table([[1.0, 3.0, 2.0]]), 0, 0, 3), float.__eq__)
    assert mutants.fate(made, mutant, [check]) == "found"
    assert mutants.fate(made, planted("walk", "highest", "value > top", "value > top"), [check]) == "missed"


def test_a_text_that_is_not_there_is_a_failure():
    with pytest.raises(AssertionError, match=r"found 'math.e' 0 times"):
        planted("dyna", "drawn", "math.e", "0")


def test_kernels_see_what_they_import():
    made = mutants.plain("one_step")
    assert made["rate"]([1.0, 0.5, 0.0, 0.0], 2) == 0.25
    assert made["math"] is math


class Table(list):
    """A list of lists with the indices of an array."""

    def __getitem__(self, at):
        return list.__getitem__(self, at[0])[at[1]] if isinstance(at, tuple) else list.__getitem__(self, at)
