"""The registry of solvers: one import line each.

The command line, the generated tables of the documents and the contract tests are derived from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tabular_rl.errors import OptionError, closest, quoted
from tabular_rl.exact.linear_programme import linear_programme
from tabular_rl.exact.linear_solve import linear_solve
from tabular_rl.exact.rational import rational, rational_evaluation
from tabular_rl.planning.auto import auto, auto_evaluation
from tabular_rl.planning.backward_induction import backward_induction
from tabular_rl.planning.modified_policy_iteration import modified_policy_iteration
from tabular_rl.planning.policy_evaluation import policy_evaluation
from tabular_rl.planning.policy_iteration import policy_iteration
from tabular_rl.planning.value_iteration import value_iteration

_LISTED: tuple[Any, ...] = (
    auto,
    value_iteration,
    policy_iteration,
    modified_policy_iteration,
    backward_induction,
    linear_programme,
    rational,
    auto_evaluation,
    policy_evaluation,
    linear_solve,
    rational_evaluation,
)

SOLVERS: dict[str, Callable[..., Any]] = {function.spec.name: function for function in _LISTED}


def find(name: str, task: str) -> Callable[..., Any]:
    """Return the solver of a name; OptionError lists those of the task."""
    if name == "auto" and task == "prediction":
        name = "auto-evaluation"
    function = SOLVERS.get(name)
    known = [n for n, f in SOLVERS.items() if f.spec.task == task]  # type: ignore[attr-defined]
    if function is None:
        raise OptionError(
            f"method {quoted(name)}: no such method{closest(name, SOLVERS) or '.'} Methods: {', '.join(known)}."
        )
    if function.spec.task != task:  # type: ignore[attr-defined]
        what = "evaluates a policy" if task == "control" else "finds the best policy"
        raise OptionError(f"method {quoted(name)} {what}, expected one of {', '.join(known)}")
    return function


def check_options(function: Callable[..., Any], options: dict[str, Any]) -> None:
    """Raise OptionError where the method does not have an option; the text lists those it has."""
    has = set(function.__kwdefaults__ or {})
    for name in options:
        if name not in has:
            flags = ", ".join("--" + n.replace("_", "-") for n in sorted(has)) or "none"
            method = function.spec.name  # type: ignore[attr-defined]
            raise OptionError(
                f"--{name.replace('_', '-')}: {method} has no such option{closest(name, has) or '.'} It has {flags}."
            )
