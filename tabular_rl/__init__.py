"""Tabular reinforcement learning and dynamic programming, with proven answers.

A model (an MDP) goes in; `solve` and `evaluate` return a Solution, whose interval around every value is proven.
"""

from __future__ import annotations

from tabular_rl.solving import startup as startup  # isort: skip  (first of all: see there)

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tabular_rl import graph as graph
from tabular_rl.certificates.certificate import Certificate
from tabular_rl.certificates.verdict import Verdict
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
from tabular_rl.formats import load, save
from tabular_rl.formats.bundled import examples
from tabular_rl.formats.logs import read_log, write_log
from tabular_rl.methods.ask import best_policy as _best_policy
from tabular_rl.methods.ask import evaluate, learn, solve
from tabular_rl.methods.catalogue import *  # noqa: F403
from tabular_rl.methods.exact.stationary import occupancy, stationary_distribution, visit_distribution
from tabular_rl.methods.gradient.exact import exact_gradient, gradient_ascent
from tabular_rl.methods.gradient.sample import sample_gradient
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy
from tabular_rl.methods.lookup import METHODS, PLANNERS
from tabular_rl.model import hooks
from tabular_rl.model.builder import Builder
from tabular_rl.model.clock import profile
from tabular_rl.model.layout import Layout
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.transitions import Log, Transitions, behavior_of
from tabular_rl.solving.learned import Curve, Learned
from tabular_rl.solving.solution import Solution, Status

if TYPE_CHECKING:
    from tabular_rl.analysis.comparison import Comparison, compare
    from tabular_rl.analysis.estimation import Estimate, estimate
    from tabular_rl.analysis.exercise import Exercise, Grade, exercise
    from tabular_rl.analysis.explain import Explanation, explain
    from tabular_rl.analysis.iterates import Iterates, iterates
    from tabular_rl.analysis.ope import OffPolicy, ope
    from tabular_rl.analysis.simulation import Simulation, sample_transitions, simulate
    from tabular_rl.analysis.verify import verify
    from tabular_rl.methods.gradient.enumeration import enumerated_moments
    from tabular_rl.methods.gradient.moments import all_moments, estimator_moments, score_identity
    from tabular_rl.report.page.lesson import Lesson, lesson

hooks.text_of.fill(hooks.later("tabular_rl.report.answer", "text_of"))
hooks.plot.fill(hooks.later("tabular_rl.report.answer", "plot"))
hooks.html_of.fill(hooks.later("tabular_rl.report.answer", "html_of"))
hooks.sheet_of.fill(hooks.later("tabular_rl.report.answer", "sheet_of"))
hooks.write.fill(hooks.later("tabular_rl.report.answer", "write"))
hooks.frame_of.fill(hooks.later("tabular_rl.report.answer", "frame_of"))
hooks.read_policy_frame.fill(hooks.later("tabular_rl.formats.answers", "policy_of_frame"))
hooks.regret.fill(hooks.later("tabular_rl.analysis.regret", "regret"))
hooks.verdicts.fill(hooks.later("tabular_rl.laws.verdicts", "verdicts"))
hooks.planners.fill(PLANNERS.values)
hooks.best_policy.fill(_best_policy)
hooks.estimate.fill(hooks.later("tabular_rl.analysis.estimation", "estimate"))
hooks.agent.fill(hooks.later("tabular_rl.environments.agent", "Agent"))
hooks.counting.fill(hooks.later("tabular_rl.report.progress", "counting"))
hooks.export.fill(hooks.later("tabular_rl.formats.importers.arrays_write", "export"))
hooks.gymnasium.fill(hooks.later("tabular_rl.formats.importers.gymnasium", "from_gymnasium"))
hooks.read_policy.fill(hooks.later("tabular_rl.formats.named_policies", "read_policy"))
hooks.read_dictionary.fill(hooks.later("tabular_rl.formats.importers.dictionary", "model_arguments"))
hooks.read_quantecon.fill(hooks.later("tabular_rl.formats.importers.quantecon", "read_quantecon"))
hooks.read_toolbox.fill(hooks.later("tabular_rl.formats.importers.toolbox", "read_toolbox"))

__version__ = "0.1.0"

# Beside these each method of the catalogue stands under its own name.
__all__ = [
    "MDP",
    "Builder",
    "Certificate",
    "Comparison",
    "Curve",
    "Estimate",
    "Exercise",
    "Explanation",
    "Grade",
    "Iterates",
    "Layout",
    "Learned",
    "Lesson",
    "Log",
    "MissingExtra",
    "ModelError",
    "NoFiniteAnswer",
    "NotAnswerable",
    "NumericalError",
    "OffPolicy",
    "OptionError",
    "OutputError",
    "Policy",
    "Simulation",
    "SoftmaxPolicy",
    "Solution",
    "Status",
    "TabularError",
    "Transitions",
    "Verdict",
    "all_moments",
    "behavior_of",
    "compare",
    "enumerated_moments",
    "estimate",
    "estimator_moments",
    "evaluate",
    "exact_gradient",
    "examples",
    "exercise",
    "explain",
    "gradient_ascent",
    "iterates",
    "learn",
    "lesson",
    "load",
    "occupancy",
    "ope",
    "profile",
    "read_log",
    "sample_gradient",
    "sample_transitions",
    "save",
    "score_identity",
    "simulate",
    "solve",
    "stationary_distribution",
    "verify",
    "visit_distribution",
    "write_log",
]
__all__ += sorted(method.function.__name__ for method in METHODS.values())

# What is asked of answers, models and logs, imported when it is first named: a fifth of `import tabular_rl`.
_LATER = {
    "analysis.comparison": ("Comparison", "compare"),
    "analysis.estimation": ("Estimate", "estimate"),
    "analysis.exercise": ("Exercise", "Grade", "exercise"),
    "analysis.explain": ("Explanation", "explain"),
    "analysis.iterates": ("Iterates", "iterates"),
    "analysis.ope": ("OffPolicy", "ope"),
    "analysis.simulation": ("Simulation", "sample_transitions", "simulate"),
    "analysis.verify": ("verify",),
    "methods.gradient.enumeration": ("enumerated_moments",),
    "methods.gradient.moments": ("all_moments", "estimator_moments", "score_identity"),
    "report.page.lesson": ("Lesson", "lesson"),
}
_HOME = {name: f"tabular_rl.{module}" for module, names in _LATER.items() for name in names}
_MODULES = ("environments", "laws", "testing")  # beside this one, that users import

if not TYPE_CHECKING:  # which knows the names, and so that any other is none

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return import_module(f"tabular_rl.{name}")
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = getattr(import_module(_HOME[name]), name)
        return found


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES, "graph", "__all__", "__doc__", "__version__"})
