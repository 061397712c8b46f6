"""Test a learner of your own against the exact behaviour of its rule.

    from tabular_rl.testing import assert_learns

    def test_my_td():
        assert_learns(my_td, "td0", step_size=0.1)

`check_learner` returns the verdict instead; `cases` are the models that it uses, `learned_by` the rules and the known
mistakes in plain Python.
"""

from __future__ import annotations

from tabular_rl.testing.models import Case, cases
from tabular_rl.testing.rules import MISTAKES, RULES, Transition, learned_by
from tabular_rl.testing.verdict import Verdict, assert_learns, check_learner

__all__ = [
    "MISTAKES",
    "RULES",
    "Case",
    "Transition",
    "Verdict",
    "assert_learns",
    "cases",
    "check_learner",
    "learned_by",
]
