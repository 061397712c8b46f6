"""The registry of solvers: one import line each.

The command line, the generated tables of the documents and the contract tests are derived from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tabular_rl.errors import OptionError, closest, quoted
from tabular_rl.methods.exact.linear_programming import linear_programming
from tabular_rl.methods.exact.linear_solve import linear_solve
from tabular_rl.methods.exact.rational import rational, rational_evaluation
from tabular_rl.methods.gradient.actor_critic import actor_critic, advantage_actor_critic
from tabular_rl.methods.gradient.reinforce import reinforce
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
from tabular_rl.model.calls import unknown_option

_LISTED: tuple[Any, ...] = (
    auto,
    value_iteration,
    policy_iteration,
    modified_policy_iteration,
    backward_induction,
    linear_programming,
    rational,
    auto_evaluation,
    policy_evaluation,
    linear_solve,
    rational_evaluation,
)

_LEARNERS: tuple[Any, ...] = (
    q_learning,
    double_q_learning,
    sarsa,
    expected_sarsa,
    dyna_q,
    prioritized_sweeping,
    td0,
    monte_carlo,
    batch_td,
    certainty_equivalence,
    sarsa_evaluation,
    q_evaluation,
    linear_q_learning,
    linear_td,
    linear_q_evaluation,
    n_step_td,
    td_lambda,
    tree_backup,
    q_lambda,
    reinforce,
    actor_critic,
    advantage_actor_critic,
)

SOLVERS: dict[str, Callable[..., Any]] = {function.spec.name: function for function in _LISTED}
LEARNERS: dict[str, Callable[..., Any]] = {function.spec.name: function for function in _LEARNERS}
METHODS = {**SOLVERS, **LEARNERS}

# What courses and papers call a method, in any case.
ALIASES = {
    "VI": "value-iteration",
    "PI": "policy-iteration",
    "MPI": "modified-policy-iteration",
    "LP": "linear-programming",
    "TD": "td0",
    "MC": "monte-carlo",
}


def canonical(text: str) -> str:
    """Return a method, with the options that may follow it, by the catalogue's name; an unknown one as it is.

    >>> canonical("vi"), canonical("Value_Iteration"), canonical("mc,visit=every"), canonical("simplex")
    ('value-iteration', 'value-iteration', 'monte-carlo,visit=every', 'simplex')
    """
    name, comma, options = text.partition(",")
    plain = name.strip().lower().replace("_", "-")
    known = ALIASES.get(plain.upper(), plain)
    return known + comma + options if known in METHODS else text


def find(name: Any, task: str) -> Callable[..., Any]:
    """Return the solver of a name, an alias, or its function; OptionError lists those of the task."""
    name = canonical(method_name(name))
    if name == "auto" and task == "prediction":
        name = "auto-evaluation"
    function = SOLVERS.get(name)
    if name in LEARNERS:
        raise OptionError(f"method {quoted(name)} learns from samples, and proves nothing. Use learn.")
    known = [n for n, f in SOLVERS.items() if f.spec.task == task]  # type: ignore[attr-defined]
    if function is None:
        raise OptionError(
            f"method {quoted(name)}: no such method{closest(name, SOLVERS) or '.'} Methods: {', '.join(known)}."
        )
    if function.spec.task != task:  # type: ignore[attr-defined]
        what = "evaluates a policy" if task == "control" else "finds the best policy"
        raise OptionError(f"method {quoted(name)} {what}, expected one of {', '.join(known)}")
    return function


def method_name(given: Any) -> str:
    """Return the name of a method that is given by its name or as its function.

    >>> method_name(value_iteration), method_name("td0")
    ('value-iteration', 'td0')
    """
    if isinstance(given, str):
        return given
    if hasattr(given, "spec"):
        return str(given.spec.name)
    what = getattr(given, "__name__", None) or type(given).__name__
    raise OptionError(f"method: found {what}, expected a name such as 'value-iteration', or its function")


def find_learner(name: Any) -> Callable[..., Any]:
    """Return the learner of a name, an alias, or its function; OptionError lists them."""
    name = canonical(method_name(name))
    if name in LEARNERS:
        return LEARNERS[name]
    known = ", ".join(LEARNERS)
    if name in SOLVERS:
        raise OptionError(f"method {quoted(name)} plans with the model, expected a learner: {known}")
    raise OptionError(
        f"method {quoted(name)}: no such method{closest(name, LEARNERS) or '.'} Learners: {known}."
    )


def check_options(function: Callable[..., Any], options: dict[str, Any]) -> None:
    """Raise OptionError where the method does not have an option; the text lists those it has."""
    has = set(function.__kwdefaults__ or {})
    for name in options:
        if name not in has:
            raise unknown_option(function.spec.name, name, has)  # type: ignore[attr-defined]
