"""Suggestions are made where a slip is likely, and nowhere else."""

from __future__ import annotations

import pytest

from tabular_rl.errors import closest, closest_word


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("yuong", ["old", "young"], "young"),  # two letters changed places
        ("lw", ["high", "low"], "low"),
        ("value_iteration", ["value-iteration"], "value-iteration"),
        ("Value-Iteration", ["value-iteration"], "value-iteration"),
        ("valueiteration", ["policy-iteration", "value-iteration"], "value-iteration"),
        ("--tolerence", ["--tolerance", "--terminal"], "--tolerance"),
        ("--ste", ["--st", "--step-size"], "--st"),
        ("A", ["a", "b"], "a"),
        # Words that only look alike to a program.
        ("--lambda", ["--gamma"], None),
        ("--alpha", ["--all"], None),
        ("--epsilon", ["--json"], None),
        ("s13", ["s12", "s14"], None),
        ("gambler_400", ["gambler_40"], None),
        ("a", ["b"], None),
        ("", ["a"], None),
        ("forest", ["ice"], None),
        ("x" * 300, ["x" * 299], None),
    ],
)
def test_only_a_slip_is_suggested(word, known, meant):
    assert closest_word(word, known) == meant
    assert closest(word, known) == ("" if meant is None else f"; did you mean '{meant}'?")
