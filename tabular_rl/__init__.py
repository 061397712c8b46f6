"""Tabular reinforcement learning and dynamic programming, with proven answers.

A model (an MDP) goes in; `solve` and `evaluate` return a Solution, whose interval around every value is proven.
"""

from __future__ import annotations

from tabular_rl.errors import (
    MissingExtra,
    ModelError,
    NoFiniteAnswer,
    NotAnswerable,
    NumericalError,
    OptionError,
    OutputError,
    TabularError,
)
from tabular_rl.exact.linear_programme import linear_programme
from tabular_rl.exact.linear_solve import linear_solve
from tabular_rl.exact.rational import rational, rational_evaluation
from tabular_rl.exact.stationary import occupancy, stationary_distribution, visit_distribution
from tabular_rl.examples import examples
from tabular_rl.formats import load, save
from tabular_rl.model import MDP, Layout
from tabular_rl.planning.auto import auto, auto_evaluation
from tabular_rl.planning.backward_induction import backward_induction
from tabular_rl.planning.modified_policy_iteration import modified_policy_iteration
from tabular_rl.planning.policy_evaluation import policy_evaluation
from tabular_rl.planning.policy_iteration import policy_iteration
from tabular_rl.planning.value_iteration import value_iteration
from tabular_rl.policy import Policy
from tabular_rl.solution import Certificate, Solution, Status
from tabular_rl.solve import evaluate, solve

__version__ = "0.1.0"

# In teaching order: a model, a policy, the two questions, the answer; then each algorithm under its own name.
__all__ = [
    "MDP",
    "Certificate",
    "Layout",
    "MissingExtra",
    "ModelError",
    "NoFiniteAnswer",
    "NotAnswerable",
    "NumericalError",
    "OptionError",
    "OutputError",
    "Policy",
    "Solution",
    "Status",
    "TabularError",
    "auto",
    "auto_evaluation",
    "backward_induction",
    "evaluate",
    "examples",
    "linear_programme",
    "linear_solve",
    "load",
    "modified_policy_iteration",
    "occupancy",
    "policy_evaluation",
    "policy_iteration",
    "rational",
    "rational_evaluation",
    "save",
    "solve",
    "stationary_distribution",
    "value_iteration",
    "visit_distribution",
]
