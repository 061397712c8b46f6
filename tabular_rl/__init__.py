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
from tabular_rl.examples import examples
from tabular_rl.formats import load, save
from tabular_rl.model import MDP, Layout
from tabular_rl.policy import Policy
from tabular_rl.solution import Certificate, Solution, Status
from tabular_rl.solve import evaluate, solve

__version__ = "0.1.0"
