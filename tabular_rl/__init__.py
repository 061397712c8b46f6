"""Tabular reinforcement learning and dynamic programming, with proven answers.

A model (an MDP) goes in; `solve` and `evaluate` return a Solution, whose interval around every value is proven.
"""

from __future__ import annotations

from tabular_rl.solving import startup as startup  # isort: skip  (first of all: see there)

from tabular_rl.analysis.comparison import Comparison, compare
from tabular_rl.analysis.estimation import Estimate, estimate
from tabular_rl.analysis.simulation import Simulation, sample_transitions, simulate
from tabular_rl.analysis.verify import verify
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
from tabular_rl.methods.ask import evaluate, learn, solve
from tabular_rl.methods.exact.linear_programming import linear_programming
from tabular_rl.methods.exact.linear_solve import linear_solve
from tabular_rl.methods.exact.rational import rational, rational_evaluation
from tabular_rl.methods.exact.stationary import occupancy, stationary_distribution, visit_distribution
from tabular_rl.methods.gradient.actor_critic import actor_critic, advantage_actor_critic
from tabular_rl.methods.gradient.enumeration import enumerated_moments
from tabular_rl.methods.gradient.exact import exact_gradient, gradient_ascent
from tabular_rl.methods.gradient.moments import all_moments, estimator_moments, score_identity
from tabular_rl.methods.gradient.reinforce import reinforce
from tabular_rl.methods.gradient.sample import sample_gradient
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy
from tabular_rl.methods.learning.batch_td import batch_td, certainty_equivalence
from tabular_rl.methods.learning.double_q_learning import double_q_learning
from tabular_rl.methods.learning.dyna_q import dyna_q
from tabular_rl.methods.learning.expected_sarsa import expected_sarsa, q_evaluation
from tabular_rl.methods.learning.linear_q import linear_q_evaluation, linear_q_learning
from tabular_rl.methods.learning.linear_td import linear_td
from tabular_rl.methods.learning.monte_carlo import monte_carlo
from tabular_rl.methods.learning.n_step_td import n_step_td
from tabular_rl.methods.learning.prioritized_sweeping import prioritized_sweeping
from tabular_rl.methods.learning.q_lambda import q_lambda
from tabular_rl.methods.learning.q_learning import q_learning
from tabular_rl.methods.learning.sarsa import sarsa, sarsa_evaluation
from tabular_rl.methods.learning.td0 import td0
from tabular_rl.methods.learning.td_lambda import td_lambda
from tabular_rl.methods.learning.tree_backup import tree_backup
from tabular_rl.methods.planning.auto import auto, auto_evaluation
from tabular_rl.methods.planning.backward_induction import backward_induction
from tabular_rl.methods.planning.modified_policy_iteration import modified_policy_iteration
from tabular_rl.methods.planning.policy_evaluation import policy_evaluation
from tabular_rl.methods.planning.policy_iteration import policy_iteration
from tabular_rl.methods.planning.value_iteration import value_iteration
from tabular_rl.model import hooks
from tabular_rl.model.layout import Layout
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy, policy_of
from tabular_rl.model.transitions import Log, Transitions, behavior_of
from tabular_rl.solving.learned import Curve, Learned
from tabular_rl.solving.solution import Certificate, Solution, Status


def _text_of(answer: object) -> str:
    from tabular_rl.report.answer import text_of

    return text_of(answer)


def _write(answer: Solution, path: str) -> None:
    from tabular_rl.report.answer import write

    write(answer, path)


def _regret(learned: Learned) -> object:
    from tabular_rl.analysis.regret import most_policies, regret

    return regret(learned, most_policies(learned.mdp))


def _read_policy(text: str, mdp: MDP) -> Policy:
    from tabular_rl.formats.named_policies import read_policy

    return read_policy(text, mdp)


hooks.text_of.fill(_text_of)
hooks.write.fill(_write)
hooks.regret.fill(_regret)
hooks.greedy.fill(Policy.greedy)
hooks.is_model.fill(lambda given: isinstance(given, MDP))
hooks.policy_of.fill(policy_of)
hooks.read_policy.fill(_read_policy)

__version__ = "0.1.0"

# In teaching order: a model, a policy, the two questions, the answer; then each algorithm under its own name.
__all__ = [
    "MDP",
    "Certificate",
    "Comparison",
    "Curve",
    "Estimate",
    "Layout",
    "Learned",
    "Log",
    "MissingExtra",
    "ModelError",
    "NoFiniteAnswer",
    "NotAnswerable",
    "NumericalError",
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
    "actor_critic",
    "advantage_actor_critic",
    "all_moments",
    "auto",
    "auto_evaluation",
    "backward_induction",
    "batch_td",
    "behavior_of",
    "certainty_equivalence",
    "compare",
    "double_q_learning",
    "dyna_q",
    "enumerated_moments",
    "estimate",
    "estimator_moments",
    "evaluate",
    "exact_gradient",
    "examples",
    "expected_sarsa",
    "gradient_ascent",
    "learn",
    "linear_programming",
    "linear_q_evaluation",
    "linear_q_learning",
    "linear_solve",
    "linear_td",
    "load",
    "modified_policy_iteration",
    "monte_carlo",
    "n_step_td",
    "occupancy",
    "policy_evaluation",
    "policy_iteration",
    "prioritized_sweeping",
    "q_evaluation",
    "q_lambda",
    "q_learning",
    "rational",
    "rational_evaluation",
    "read_log",
    "reinforce",
    "sample_gradient",
    "sample_transitions",
    "sarsa",
    "sarsa_evaluation",
    "save",
    "score_identity",
    "simulate",
    "solve",
    "stationary_distribution",
    "td0",
    "td_lambda",
    "tree_backup",
    "value_iteration",
    "verify",
    "visit_distribution",
    "write_log",
]
