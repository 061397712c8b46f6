"""Methods on one model, beside the exact answer."""

from __future__ import annotations

import contextlib
import math
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.discounted import RATIONAL_STATES
from tabular_rl.errors import (
    MissingExtra,
    NoFiniteAnswer,
    NotAnswerable,
    NumericalError,
    OptionError,
    closest,
    quoted,
)
from tabular_rl.methods.catalogue import LEARNERS, SOLVERS, canonical, check_options, find, method_name
from tabular_rl.model import hooks
from tabular_rl.model.calls import public, unknown_option
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import fraction, nearest
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.options import OPTIONS
from tabular_rl.solving.run import Stop
from tabular_rl.solving.solution import Floats, Solution, Status, good_enough

if TYPE_CHECKING:
    from tabular_rl.laws.expected import Expected

TIGHT = 1e-12  # tolerance of the reference beyond; what is reached is part of the error shown
LINEAR_STATES = 100_000  # states up to which policy iteration is the reference
LAW_STEPS = 2000  # steps and entries up to which the law of a learner is computed: about a second
LAW_ENTRIES = 60
POLICIES = 200  # different policies that are evaluated for a regret
OUTCOMES = 20_000_000  # outcomes of a model times policies, at most
ALWAYS = ("tolerance", "threads", "time_limit")  # options that a method without them ignores
QUANTITIES = ("error", "rms", "loss", "bound", "seconds")
ASSERTION = re.compile(
    rf"\s*([A-Za-z][\w-]*(?:,[^\s<>]*?)?)(?:\.({'|'.join(QUANTITIES)}))?\s*(<=|<|>=|>)\s*([^\s<>=]+)\s*"
)


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
        if quantity == "rms":
            raise OptionError(
                f"--assert: {self.method} does not learn, expected error, loss, bound or seconds"
            )
        pair = self.error if quantity == "error" else self.loss
        if pair is None:
            raise OptionError(
                f"--assert: {self.method} has no policy of its own, expected error, bound or seconds"
            )
        return pair[0] if sure_of_more else pair[1]


@dataclass(frozen=True)
class Regret:
    """What the greedy policies of the runs of a learner earn from the start, by the exact values of each.

    `earned` (runs,) is Σ start(s) v_π(s), `regret` (runs,) what the best policy earns more (costs less): 0 where that
    is not proven to be more, inf where the policy never ends, NaN where it was not evaluated (`left_out` runs), or
    where what the best one earns is not known.
    """

    earned: Floats
    regret: Floats
    policies: int

    @property
    def left_out(self) -> int:
        return int(np.isnan(self.regret).sum())


@dataclass(frozen=True)
class Curves:
    """One learner that was compared: the runs with their curves (`learned.curve`), and the regret of their policies.

    `law` is the exact expected behaviour at the first recorded steps, None where no closed recursion gives it.
    `label` is the method as it was asked for, with the options of its own.
    """

    label: str
    learned: Learned
    regret: Regret | None = None
    law: Expected | None = None

    def of(self, quantity: str) -> float:
        """The median over the runs of a quantity, at the end."""
        if quantity == "seconds":
            return self.learned.seconds
        if quantity == "bound":
            raise OptionError(
                f"--assert: {self.label} learns, and proves no bound, expected error, rms, loss or seconds"
            )
        if quantity == "loss":
            if self.regret is None:
                raise OptionError(
                    f"--assert: {self.label} has no policy of its own, expected error, rms or seconds"
                )
            return middle(self.regret.regret)
        return middle(self.learned.sup_error if quantity == "error" else self.learned.rms_error)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """The reference and the methods compared with it: `rows` are those that plan, `curves` those that learn."""

    reference: Solution
    rows: tuple[Compared, ...]
    curves: tuple[Curves, ...] = ()

    def __repr__(self) -> str:
        compared = [row.method for row in self.rows] + [curves.label for curves in self.curves]
        return f"Comparison({', '.join(compared)})"

    def __str__(self) -> str:
        return str(hooks.text_of(self))


@dataclass(frozen=True)
class Assertion:
    """METHOD[.QUANTITY] < NUMBER, with quantity error (if none is named), rms, loss, bound or seconds.

    Of a learner error, rms and loss are medians over its runs.
    """

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
            return cls(text, canonical(match[1]), match[2] or "error", match[3], fraction(match[4]))
        except ValueError:
            raise OptionError(
                f"--assert: found {quoted(text)}, expected such as 'value-iteration < 0.05' or 'auto.seconds < 10' "
                f"(quantities: {', '.join(QUANTITIES)})"
            ) from None

    def holds(self, comparison: Comparison) -> bool:
        """Whether it is proven to hold."""
        row = next((row for row in comparison.rows if row.method == self.method), None)
        curves = next((x for x in comparison.curves if x.label == self.method), None)
        if row is not None:
            x = row.of(self.quantity, self.relation.startswith(">"))
        elif curves is not None:
            x = curves.of(self.quantity)
        else:
            known = [row.method for row in comparison.rows] + [x.label for x in comparison.curves]
            raise OptionError(
                f"--assert: method {quoted(self.method)} was not compared{closest(self.method, known)}"
            )
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


def asked_method(text: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the options of METHOD[,OPTION=VALUE...], values checked.

    >>> asked_method("VI,sweeps=10")
    ('value-iteration', {'sweeps': 10})
    """
    name, *parts = canonical(text).split(",")
    options = {}
    for part in parts:
        key, equals, value = part.partition("=")
        key = key.strip().removeprefix("--").replace("-", "_")
        option = OPTIONS.get(key)
        if option is None:
            known = closest(key, OPTIONS)
            raise OptionError(
                f"method {quoted(text)}: no option {quoted(key)}{known or ', expected OPTION=VALUE'}"
            )
        given: Any = value if equals else True
        if option.kind is bool and isinstance(given, str):
            given = {"true": True, "false": False}.get(given, given)
        elif option.parse is None and not option.choices and isinstance(given, str):
            with contextlib.suppress(ValueError, OverflowError):  # `check` says what was expected
                given = nearest(fraction(given))
        options[key] = option.check(given)
    return name.strip(), options


def task_of(names: Iterable[str], policy: Policy | None) -> str:
    """What methods are compared for: "prediction" for a policy, and where all of them learn the values of one."""
    tasks = {LEARNERS[n].spec.task if n in LEARNERS else "" for n in names}  # type: ignore[attr-defined]
    return "prediction" if policy is not None or tasks == {"prediction"} else "control"


def _function(name: str, task: str) -> Any:
    learner = LEARNERS.get(name)
    if learner is None:
        return find(name, task)
    if learner.spec.task != task:  # type: ignore[attr-defined]
        what = "evaluates a policy" if task == "control" else "finds the best policy"
        raise OptionError(f"method {quoted(name)} {what}, the others do not: compare them apart")
    return learner


@public
def compare(
    mdp: MDP, methods: Sequence[str] | None = None, policy: Policy | None = None, **options: Any
) -> Comparison:
    """Run methods on a model and measure each against the exact answer.

    Parameters
    ----------
    mdp : the model
    methods : names, with options of their own where wanted, "q-learning,step-size=1/n"; by default every method that
        plans and takes the model
    policy : compare evaluations of this policy, in any form that `Policy.of` takes; by default searches for the best
        one (where all methods evaluate, of the uniform policy)
    options : passed to each method that has them

    Returns
    -------
    Comparison, printed as the command shows it. Up to 100 states its reference is rational and errors are exact, beyond
    they are proven intervals. Of methods that learn it has the learning curves.

    Raises
    ------
    NotAnswerable : a method that was named does not take the model

    Examples
    --------
    >>> mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    >>> [row.error for row in compare(mdp, ["value-iteration"]).rows]
    [(0.0, 0.0)]
    >>> found = compare(mdp, ["q-learning,step-size=1"], steps=3)
    >>> found.curves[0].learned.curve.sup.ravel().tolist()                  # q* = 2; q = 1, 1 1/2, 1 3/4
    [1.0, 0.5, 0.25]
    """
    if isinstance(methods, str) or callable(methods):
        methods = [methods]
    if methods is not None and not isinstance(methods, Iterable):
        raise OptionError(
            f"methods: found {type(methods).__name__}, expected names such as 'value-iteration'"
        )
    named = methods is not None
    labels = list(dict.fromkeys(map(canonical, map(method_name, methods)))) if methods is not None else []
    asked = [asked_method(label) for label in labels]
    task = task_of([name for name, _ in asked], policy)
    if methods is None:
        labels = fitting_methods(mdp, task)
        asked = [(name, {}) for name in labels]
    elif task == "prediction" and policy is None:
        policy = Policy.uniform(mdp)
    functions = [_function(name, task) for name, _ in asked]
    has_any = {*ALWAYS, *(key for function in functions for key in function.__kwdefaults__ or {})}
    for key in options:
        if key not in has_any:
            raise unknown_option("compare", key, has_any)
    for function, (_, own) in zip(functions, asked, strict=True):
        check_options(function, own)
        why = function.spec.refuses(mdp)
        if named and why is not None:
            raise NotAnswerable(why)
    limits = {k: v for k, v in options.items() if k == "time_limit"}
    best = reference(mdp, policy, **limits)
    rows, curves = [], []
    for label, (name, own), function in zip(labels, asked, functions, strict=True):
        has = function.__kwdefaults__ or {}
        given = {key: value for key, value in options.items() if key in has} | own
        if name in LEARNERS:
            given.setdefault("reference", best)
        try:
            solution = function(mdp, **given) if policy is None else function(mdp, policy, **given)
        except (NotAnswerable, OptionError, MissingExtra):  # too large a model for this method, say
            if named:
                raise
            continue
        if isinstance(solution, Learned):
            fast = most_policies(mdp)
            lost = (
                regret(solution, fast)
                if task == "control" and solution.status is not Status.INTERRUPTED
                else None
            )
            curves.append(Curves(label, solution, lost, law_of(solution, policy, given)))
        else:
            solution = replace(solution, method=label)
            loss, ends = (None, True) if policy is not None else policy_loss(mdp, best, solution.policy)
            rows.append(Compared(solution, error_between(best, solution), loss, ends))
        if solution.status is Status.INTERRUPTED:
            break
    return Comparison(best, tuple(rows), tuple(curves))


def law_of(learned: Learned, policy: Policy | None, options: dict[str, Any]) -> Expected | None:
    """The exact moments of a learner at the first LAW_STEPS of its recorded steps; None where none are known."""
    from tabular_rl.laws.expected import expected

    if policy is None or learned.curve is None or learned.estimates[0].size > LAW_ENTRIES:
        return None
    if learned.status is Status.INTERRUPTED:
        return None
    points = learned.curve.steps[learned.curve.steps <= LAW_STEPS]
    try:
        return expected(learned.method, learned.mdp, policy, points=points.tolist(), **options)
    except (OptionError, NotAnswerable, NumericalError):
        return None


def greedy_of_runs(learned: Learned) -> list[Policy]:
    """The greedy policy of each run, by its table; an action that the run has never tried is taken last.

    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, -1.0]], "1/2")
    >>> from tabular_rl.methods.learning.q_learning import q_learning
    >>> greedy_of_runs(q_learning(mdp, steps=1, explore="greedy"))[0]["0"]
    '0'
    """
    mdp = learned.mdp
    if learned.learned_q is None:
        raise OptionError(f"regret: {learned.method} learns the values of states, expected action values")
    q = np.where(learned.visits > 0, learned.estimates, -mdp.sign * math.inf)
    if mdp.horizon is None:
        return [Policy.greedy(mdp, row) for row in q]
    return [Policy(mdp, rows=np.stack([Policy.greedy(mdp, row).rows for row in run])) for run in q]  # type: ignore[misc]


def most_policies(mdp: MDP) -> int:
    """How many policies are worth evaluating on a model of its size."""
    return max(1, min(POLICIES, OUTCOMES // max(1, mdp.K * (mdp.horizon or 1))))


def regret(learned: Learned, most: int = POLICIES, time_limit: float | None = None) -> Regret:
    """Evaluate the greedy policy of each run exactly, and compare what it earns from the start with the best.

        regret = Σ_s start(s) [ v*(s) - v_π(s) ],    π = greedy(q of the run)

    Parameters
    ----------
    learned : the answer of a learner that finds a policy
    most : different policies that are evaluated; equal ones are evaluated once
    time_limit : seconds after which the others are left out

    Returns
    -------
    Regret: `earned` and `regret` (runs,), in the sign of the model and as a loss.

    Examples
    --------
    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], "1/2")
    >>> from tabular_rl.methods.learning.q_learning import q_learning
    >>> regret(q_learning(mdp, steps=100, explore="epsilon-greedy:1")).regret.tolist()
    [0.0]
    """
    from tabular_rl.methods.planning.auto import auto

    mdp = learned.mdp
    best = learned.reference
    if best is None or best.task != "control":
        best = auto(mdp, tolerance=1e-9, relative=True)
    most_earned = best.value_of_start() if good_enough(best) else math.nan
    own = learned.extra.get("earned")
    if own is not None:  # of policies that are not greedy ones, and are known exactly already
        return Regret(own, mdp.sign * (most_earned - own), learned.runs)
    policies = greedy_of_runs(learned)
    deadline = math.inf if time_limit is None else time.monotonic() + time_limit
    earned, lost = np.full(learned.runs, math.nan), np.full(learned.runs, math.nan)
    known: dict[bytes, tuple[float, float]] = {}
    for e, policy in enumerate(policies):
        policy = _from_the_start(policy, best)
        key = np.ascontiguousarray(policy.rows).tobytes()
        if key not in known:
            left = deadline - time.monotonic()
            if len(known) >= most or left <= 0:
                continue
            limit = None if time_limit is None else left
            known[key] = _earned(mdp, best, policy, limit)
        earned[e], lost[e] = known[key]
    return Regret(earned, lost, len(known))


def _from_the_start(policy: Policy, best: Solution) -> Policy:
    """The policy, with the rows of the best one in states that it never comes to: those cost it nothing."""
    from tabular_rl.model.graph.search import reachable, starts

    mdp = policy.mdp
    assert policy.rows is not None
    if mdp.horizon is not None or best.policy is None or best.policy.rows is None:
        return policy
    used = np.zeros(mdp.L, dtype=bool)
    used[policy.rows[policy.rows >= 0]] = True
    return Policy(mdp, rows=np.where(reachable(mdp, starts(mdp), used), policy.rows, best.policy.rows))


def _earned(mdp: MDP, best: Solution, policy: Policy, time_limit: float | None) -> tuple[float, float]:
    """What a policy earns from the start, and what it loses there."""
    from tabular_rl.methods.planning.auto import auto_evaluation

    try:
        value = auto_evaluation(mdp, policy, tolerance=1e-9, relative=True, time_limit=time_limit)
    except NoFiniteAnswer:  # it collects cost for ever
        return -mdp.sign * math.inf, math.inf
    except Stop:
        return math.nan, math.nan
    if not good_enough(value):
        return math.nan, math.nan
    earned = value.value_of_start()
    if not good_enough(best):
        return earned, math.nan
    lost = mdp.sign * (best.value_of_start() - earned)
    if math.isfinite(value.bound) and math.isfinite(best.bound) and lost <= value.bound + best.bound:
        lost = 0.0
    return earned, lost


def middle(numbers: Floats) -> float:
    """The median of numbers that may be infinite, NaN left out; NaN where there are none.

    >>> middle(np.array([1.0, math.inf, math.inf, math.nan])), middle(np.array([1.0, 2.0]))
    (inf, 1.5)
    """
    ordered = np.sort(numbers[~np.isnan(numbers)])
    if not len(ordered):
        return math.nan
    low, high = float(ordered[(len(ordered) - 1) // 2]), float(ordered[len(ordered) // 2])
    return low if low == high else (low + high) / 2


def reference(mdp: MDP, policy: Policy | None = None, **options: Any) -> Solution:
    """The exact answer: rational for small models, else policy iteration, whose every step is a linear solve.

    Beyond LINEAR_STATES the method that fits the model stands in; its name and its bound are printed.
    """
    from tabular_rl.methods.ask import evaluate, solve

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
