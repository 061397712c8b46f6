"""The method of a name: by the catalogue's name, by what courses and papers call it, or as its function."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tabular_rl.errors import OptionError, closest, quoted
from tabular_rl.methods import catalogue
from tabular_rl.solving.method import Method

METHODS: dict[str, Method[..., Any]] = {m.name: m for m in vars(catalogue).values() if isinstance(m, Method)}
PLANNERS = {name: m for name, m in METHODS.items() if not m.learns}
LEARNERS = {name: m for name, m in METHODS.items() if m.learns}

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


def method_name(given: Any) -> str:
    """Return the name of a method that is given by its name or as its function.

    >>> method_name(catalogue.value_iteration), method_name("td0")
    ('value-iteration', 'td0')
    """
    if isinstance(given, str):
        return given
    if isinstance(given, Method):
        return given.name
    what = getattr(given, "__name__", None) or type(given).__name__
    raise OptionError(f"method: found {what}, expected a name such as 'value-iteration', or its function")


def unknown_method(name: str, known: Iterable[str], rest: str = "") -> OptionError:
    """The error for a name that no method has, with the right word where there is one.

    Parameters
    ----------
    name : what was given
    known : the names to look for a similar one in
    rest : one more sentence

    Returns
    -------
    The error, for the caller to raise.
    """
    return OptionError(f"method {quoted(name)}: no such method{closest(name, known) or '.'} {rest}".rstrip())


def exact_method(task: str) -> Method[..., Any]:
    """Return the planner of a task that answers in fractions."""
    return next(m for m in PLANNERS.values() if m.exact and m.task == task)


def planner_of(given: Any, task: str) -> Method[..., Any]:
    """Return the planner of a name, an alias, or its function; OptionError lists those of the task."""
    name = canonical(method_name(given))
    if name == "auto":
        name = next(n for n, m in PLANNERS.items() if m.word == name and m.task == task)
    if name in LEARNERS:
        raise OptionError(f"method {quoted(name)} learns from samples, and proves nothing. Use learn.")
    planner = PLANNERS.get(name)
    if planner is not None and planner.task == task:
        return planner
    known = ", ".join(n for n, m in PLANNERS.items() if m.task == task)
    if planner is None:
        raise unknown_method(name, METHODS, f"Methods: {known}.")
    what = "evaluates a policy" if task == "control" else "finds the best policy"
    raise OptionError(f"method {quoted(name)} {what}, expected one of {known}")


def learner_of(given: Any) -> Method[..., Any]:
    """Return the learner of a name, an alias, or its function; OptionError lists them."""
    name, known = canonical(method_name(given)), ", ".join(LEARNERS)
    if name in PLANNERS:
        raise OptionError(f"method {quoted(name)} plans with the model, expected a learner: {known}")
    if name not in LEARNERS:
        raise unknown_method(name, LEARNERS, f"Learners: {known}.")
    return LEARNERS[name]
