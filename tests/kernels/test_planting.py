"""The mistakes of tests/support/mutants.py: what is made, and what counts as found."""

from __future__ import annotations

import math

import mutants
import pytest
from mutants import Check, fates, planted

CUM = [0.25, 0.5, 0.5, 2.0]


def scans(*uniforms):
    return [
        Check(next(j for j in range(4) if u < CUM[j]), lambda made, u=u: made["scan"](CUM, 0, u), int.__eq__)
        for u in uniforms
    ]


def test_every_small_mistake_is_made_once():
    texts = [str(m) for m in mutants.mutants("walk", "rate")]
    assert len(texts) == len(set(texts)) > 30
    assert "rate: return schedule[1] / n -> return schedule[1] * n" in texts


def test_found_crashed_and_missed_are_told_apart():
    assert fates("walk", "scan", scans(0.3, 0.9)) == {
        "found": [
            "scan: while u >= cum[first]: -> while u < cum[first]:",
            "scan: first += 1 -> first -= 1",
            "scan: first += 1 -> first += 2",
        ],
        "crashed": ["scan: first += 1 -> nothing"],  # a loop without end
        "missed": [],
    }
    assert fates("walk", "scan", scans(0.1))["missed"]


def test_a_mistake_that_is_the_kernel_itself_is_missed():
    same = planted("walk", "scan", "first += 1", "first += 1")
    assert mutants.fate(mutants.plain("walk"), same, scans(0.1, 0.3, 0.9)) == "missed"


def test_the_kernel_is_whole_again_after_a_mistake():
    made = mutants.plain("walk")
    mutant = planted("walk", "greedy", "q[e, i] > top", "q[e, i] < top")
    check = Check(1, lambda made: made["greedy"](Table([[1.0, 3.0, 2.0]]), 0, 0, 3), int.__eq__)
    assert mutants.fate(made, mutant, [check]) == "found"
    assert (
        mutants.fate(made, planted("walk", "greedy", "top = q[e, i]", "top = q[e, i]"), [check]) == "missed"
    )


def test_a_text_that_is_not_there_is_a_failure():
    with pytest.raises(AssertionError, match=r"found 'math.e' 0 times"):
        planted("walk", "scan", "math.e", "0")


def test_kernels_see_what_they_import():
    made = mutants.plain("one_step")
    assert made["rate"]([1.0, 0.5, 0.0, 0.0], 2) == 0.25
    assert made["math"] is math


class Table(list):
    """A list of lists with the indices of an array."""

    def __getitem__(self, at):
        return list.__getitem__(self, at[0])[at[1]] if isinstance(at, tuple) else list.__getitem__(self, at)
