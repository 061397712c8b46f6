"""Test a learner of your own against the exact behaviour of its rule.

    from tabular_rl.testing import assert_learns

    def test_my_td():
        assert_learns(my_td, "td0", step_size=0.1)

`check_learner` returns the verdict instead; `check_training` and `assert_trains` test a whole training loop or an
agent. `cases` are the models, `learned_by` the rules and the known mistakes in plain Python.
"""

from __future__ import annotations

from tabular_rl.testing.learned import learned_by
from tabular_rl.testing.models import Case, cases
from tabular_rl.testing.rules import MISTAKES, RULES, Rule, Transition
from tabular_rl.testing.training import LOOP_MISTAKES, Environment, assert_trains, check_training
from tabular_rl.testing.verdict import Verdict, assert_learns, check_learner

__all__ = [
    "LOOP_MISTAKES",
    "MISTAKES",
    "RULES",
    "Case",
    "Environment",
    "Rule",
    "Transition",
    "Verdict",
    "assert_learns",
    "assert_trains",
    "cases",
    "check_learner",
    "check_training",
    "learned_by",
]
