"""Methods on one model, beside the exact answer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.catalogue import SOLVERS, find
from tabular_rl.certificates import RATIONAL_STATES
from tabular_rl.errors import MissingExtra, NoFiniteAnswer, NotAnswerable, OptionError, closest, quoted
from tabular_rl.model import MDP
from tabular_rl.policy import Policy
from tabular_rl.rationals import fraction
from tabular_rl.solution import Solution, Status

TIGHT = 1e-12  # tolerance of the reference beyond; what is reached is part of the error shown
LINEAR_STATES = 100_000  # states up to which policy iteration is the reference
ASSERTION = re.compile(r"\s*([A-Za-z][\w-]*)(?:\.(error|bound|loss|seconds))?\s*(<=|<|>=|>)\s*(\S+)\s*")


@dataclass(frozen=True)
class Compared:
    """One method: its answer, and how far its values are from the exact ones: at least and at most.

    `loss` is what its policy loses against the best one, at least and at most; None for a given policy. `ends` is
    False where the policy collects cost for ever at γ = 1.
    """

    solution: Solution
    error: tuple[float, float]
    loss: tuple[float, float] | None = None
    ends: bool = True

    @property
    def method(self) -> str:
        return self.solution.method

    def of(self, quantity: str, sure_of_more: bool) -> float:
        """A number to compare with: what is proven, on the side that an assertion needs."""
        if quantity == "bound":
            return self.solution.bound
        if quantity == "seconds":
            return self.solution.seconds
        pair = self.error if quantity == "error" else self.loss
        if pair is None:
            raise OptionError(
                f"--assert: {self.method} has no policy of its own, expected error, bound or seconds"
            )
        return pair[0] if sure_of_more else pair[1]


@dataclass(frozen=True)
class Comparison:
    """The reference and the methods compared with it."""

    reference: Solution
    rows: tuple[Compared, ...]


@dataclass(frozen=True)
class Assertion:
    """METHOD[.QUANTITY] < NUMBER, with quantity error (if none is named), bound, loss or seconds."""

    text: str
    method: str
    quantity: str
    relation: str
    limit: Fraction

    @classmethod
    def of(cls, text: str) -> Assertion:
        """
        >>> Assertion.of("value-iteration < 0.05").limit
        Fraction(1, 20)
        """
        match = ASSERTION.fullmatch(text)
        try:
            if match is None:
                raise ValueError
            return cls(text, match[1], match[2] or "error", match[3], fraction(match[4]))
        except ValueError:
            raise OptionError(
                f"--assert: found {quoted(text)}, expected such as 'value-iteration < 0.05' or 'auto.seconds < 10' "
                "(quantities: error, bound, loss, seconds)"
            ) from None

    def holds(self, comparison: Comparison) -> bool:
        """Whether it is proven to hold."""
        row = next((row for row in comparison.rows if row.method == self.method), None)
        if row is None:
            known = [row.method for row in comparison.rows]
            raise OptionError(
                f"--assert: method {quoted(self.method)} was not compared{closest(self.method, known)}"
            )
        x = row.of(self.quantity, self.relation.startswith(">"))
        if not math.isfinite(x):
            return self.relation.startswith(">") and x > 0 and self.quantity == "bound"
        exact = Fraction(x)
        return {
            "<": exact < self.limit, "<=": exact <= self.limit, ">": exact > self.limit, ">=": exact >= self.limit
        }[self.relation]  # fmt: skip


def fitting_methods(mdp: MDP, task: str) -> list[str]:
    """The methods of a task that take this model, without those that only choose another."""
    return [
        name
        for name, f in SOLVERS.items()
        if f.spec.task == task and not name.startswith("auto") and f.spec.refuses(mdp) is None  # type: ignore[attr-defined]
    ]


def compare(
    mdp: MDP, methods: Sequence[str] | None = None, policy: Policy | None = None, **options: Any
) -> Comparison:
    """Run methods on a model and measure each against the exact answer.

    Parameters
    ----------
    mdp : the model
    methods : names; by default every method that takes the model
    policy : compare evaluations of this policy; by default searches for the best one
    options : passed to each method that has them

    Returns
    -------
    Comparison; up to 100 states its reference is rational and errors are exact, beyond they are proven intervals.

    Raises
    ------
    NotAnswerable : a method that was named does not take the model

    Examples
    --------
    >>> mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    >>> [row.error for row in compare(mdp, ["value-iteration"]).rows]
    [(0.0, 0.0)]
    """
    task = "control" if policy is None else "prediction"
    named = methods is not None
    names = list(dict.fromkeys(methods)) if methods is not None else fitting_methods(mdp, task)
    functions = [find(name, task) for name in names]
    for function in functions:
        why = function.spec.refuses(mdp)  # type: ignore[attr-defined]
        if named and why is not None:
            raise NotAnswerable(why)
    limits = {k: v for k, v in options.items() if k == "time_limit"}
    best = reference(mdp, policy, **limits)
    rows = []
    for name, function in zip(names, functions, strict=True):
        has = function.__kwdefaults__ or {}
        given = {key: value for key, value in options.items() if key in has}
        try:
            solution = function(mdp, **given) if policy is None else function(mdp, policy, **given)
        except (NotAnswerable, OptionError, MissingExtra):  # too large a model for this method, say
            if named:
                raise
            continue
        solution = replace(solution, method=name)
        loss, ends = (None, True) if policy is not None else policy_loss(mdp, best, solution.policy)
        rows.append(Compared(solution, error_between(best, solution), loss, ends))
        if solution.status is Status.INTERRUPTED:
            break
    return Comparison(best, tuple(rows))


def reference(mdp: MDP, policy: Policy | None = None, **options: Any) -> Solution:
    """The exact answer: rational for small models, else policy iteration, whose every step is a linear solve.

    Beyond LINEAR_STATES the method that fits the model stands in; its name and its bound are printed.
    """
    from tabular_rl.solve import evaluate, solve

    task = "control" if policy is None else "prediction"
    rational = next((n for n, f in SOLVERS.items() if n.startswith("rational") and f.spec.task == task), None)  # type: ignore[attr-defined]
    method, more = "auto", {"tolerance": TIGHT, **options}
    if policy is None and mdp.horizon is None and mdp.S <= LINEAR_STATES:
        method = "policy-iteration"
    if rational is not None and mdp.S <= RATIONAL_STATES and SOLVERS[rational].spec.refuses(mdp) is None:  # type: ignore[attr-defined]
        method, more = rational, options
    try:
        return solve(mdp, method, **more) if policy is None else evaluate(mdp, policy, method, **more)
    except NotAnswerable:
        more = {"tolerance": TIGHT, **options}
        return solve(mdp, **more) if policy is None else evaluate(mdp, policy, **more)


def error_between(best: Solution, other: Solution) -> tuple[float, float]:
    """max_s |v(s) - v*(s)| of another answer: at least and at most, as the reference is known."""
    v = other.v
    if best.exact is not None:
        exact = max(
            (abs(Fraction(x) - y) for x, y in zip(_flat(v), best.exact, strict=True)), default=Fraction(0)
        )
        near = float(exact)
        return near, math.nextafter(near, math.inf) if Fraction(near) < exact else near
    if best.lower is None or best.upper is None:
        return 0.0, math.inf
    most = np.maximum(best.upper - v, v - best.lower)
    least = np.maximum(np.maximum(v - best.upper, best.lower - v), 0.0)
    return float(np.max(least, initial=0.0)), float(np.nextafter(np.max(most, initial=0.0), math.inf))


def policy_loss(mdp: MDP, best: Solution, policy: Policy | None) -> tuple[tuple[float, float] | None, bool]:
    """max_s v*(s) - v_π(s): at least and at most; False where the policy never ends and its total is not finite."""
    if policy is None:
        return None, True
    try:
        value = reference(mdp, policy)
    except NoFiniteAnswer:
        return (math.inf, math.inf), False
    sign = int(mdp.sign)
    if best.exact is not None and value.exact is not None:
        exact = max(
            (sign * (x - y) for x, y in zip(best.exact, value.exact, strict=True)), default=Fraction(0)
        )
        near = float(exact)
        return (near, near), True
    if best.lower is None or best.upper is None or value.lower is None or value.upper is None:
        return (0.0, math.inf), True
    if sign > 0:
        most, least = best.upper - value.lower, best.lower - value.upper
    else:
        most, least = value.upper - best.lower, value.lower - best.upper
    return (
        max(float(np.max(least, initial=0.0)), 0.0),
        float(np.nextafter(np.max(most, initial=0.0), math.inf)),
    ), True


def _flat(v: NDArray[np.float64]) -> Iterable[float]:
    return v.ravel().tolist()
