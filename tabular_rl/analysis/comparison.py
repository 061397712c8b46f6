"""Methods on one model, beside the exact answer."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tabular_rl.analysis.regret import Regret, middle, regret
from tabular_rl.certificates.intervals import Pair, error_between, loss_between
from tabular_rl.errors import (
    MissingExtra,
    NoFiniteAnswer,
    NotAnswerable,
    NumericalError,
    OptionError,
    closest,
    quoted,
)
from tabular_rl.methods.ask import reference
from tabular_rl.methods.lookup import LEARNERS, PLANNERS, canonical, method_name, planner_of
from tabular_rl.model import hooks
from tabular_rl.model.calls import public, unknown_option
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import fraction, nearest
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method
from tabular_rl.solving.options import OPTIONS
from tabular_rl.solving.solution import Solution, Status

if TYPE_CHECKING:
    from tabular_rl.laws.expected import Expected

LAW_STEPS = 2000  # steps and entries up to which the law of a learner is computed: about a second
LAW_ENTRIES = 60
ALWAYS = ("tolerance", "threads", "time_limit")  # options that a method without them ignores


@dataclass(frozen=True)
class Compared:
    """One method: its answer, and how far its values are from the exact ones: at least and at most.

    `loss` is what its policy loses against the best one, at least and at most; None for a given policy. `ends` is
    False where the policy collects cost forever at γ = 1.
    """

    solution: Solution
    error: Pair
    loss: Pair | None = None
    ends: bool = True

    @property
    def method(self) -> str:
        """The name of the method."""
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
class Comparison(hooks.Drawn, hooks.Framed):
    """The reference and the methods compared with it: `rows` are those that plan, `curves` those that learn."""

    reference: Solution
    rows: tuple[Compared, ...]
    curves: tuple[Curves, ...] = ()

    def __repr__(self) -> str:
        compared = [row.method for row in self.rows] + [curves.label for curves in self.curves]
        return f"Comparison({', '.join(compared)})"

    def __str__(self) -> str:
        return str(hooks.text_of(self))


def fitting_methods(mdp: MDP, task: str) -> list[str]:
    """The methods of a task that take this model, without those that only choose another."""
    return [
        name for name, f in PLANNERS.items() if f.task == task and not f.chooses and f.refuses(mdp) is None
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


def _task_of(names: Iterable[str], policy: Policy | None) -> str:
    """What methods are compared for: "prediction" for a policy, and where all of them learn the values of one."""
    tasks = {LEARNERS[n].task if n in LEARNERS else "" for n in names}
    return "prediction" if policy is not None or tasks == {"prediction"} else "control"


def _method_and_options(
    label: str, mdp: MDP, task: str, named: bool
) -> tuple[Method[..., Any], dict[str, Any]]:
    """The method of METHOD[,OPTION=VALUE...] and its options; it must fit the model where it was named."""
    name, own = asked_method(label)
    method: Method[..., Any] = LEARNERS[name] if name in LEARNERS else planner_of(name, task)
    if method.task != task:
        what = "evaluates a policy" if task == "control" else "finds the best policy"
        raise OptionError(f"method {quoted(name)} {what}, the others do not: compare them apart")
    method.check_options(own)
    why = method.refuses(mdp)
    if named and why is not None:
        raise NotAnswerable(why)
    return method, own


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
    named = methods is not None
    labels = _labels(methods)
    task = _task_of([asked_method(label)[0] for label in labels], policy)
    if not named:
        labels = fitting_methods(mdp, task)
    elif task == "prediction" and policy is None:
        policy = Policy.uniform(mdp)
    asked = [(label, *_method_and_options(label, mdp, task, named)) for label in labels]
    has_any = {*ALWAYS, *(key for _, method, _ in asked for key in method.defaults)}
    for key in options:
        if key not in has_any:
            raise unknown_option("compare", key, has_any)
    best = reference(mdp, policy, **{k: v for k, v in options.items() if k == "time_limit"})
    rows, curves = [], []
    for label, method, own in asked:
        given: dict[str, Any] = {"reference": best} if method.learns else {}
        given |= {key: value for key, value in options.items() if key in method.defaults} | own
        try:
            solution = _asked(method, mdp, policy, given)
        except (NotAnswerable, OptionError, MissingExtra):  # too large a model for this method, say
            if named:
                raise
            continue
        if isinstance(solution, Learned):
            curves.append(_curves(label, solution, given))
        else:
            loss, ends = policy_loss(mdp, best, solution.policy if policy is None else None)
            error = error_between(best, solution)
            rows.append(Compared(replace(solution, method=label), error, loss, ends))
        if solution.status is Status.INTERRUPTED:
            break
    return Comparison(best, tuple(rows), tuple(curves))


def _asked(method: Method[..., Any], mdp: MDP, policy: Policy | None, given: dict[str, Any]) -> Solution:
    """The answer of a method, whose time leaves out compiling: that happens once on a machine, and is no work of it."""
    before = _compiling()
    solution: Solution = method.ask(mdp, policy, **given)
    spent = _compiling() - before
    return replace(solution, seconds=max(0.0, solution.seconds - spent)) if spent else solution


def _compiling() -> float:
    """The seconds that kernels were compiled in this process; 0 where none has been asked for."""
    compiler = sys.modules.get("tabular_rl.kernels._jit")
    return 0.0 if compiler is None else float(compiler.compiling())


def _labels(methods: Any) -> list[str]:
    """The methods that are asked for, METHOD[,OPTION=VALUE...], each once."""
    if methods is None:
        return []
    if isinstance(methods, str) or callable(methods):
        methods = [methods]
    if not isinstance(methods, Iterable):
        raise OptionError(
            f"methods: found {type(methods).__name__}, expected names such as 'value-iteration'"
        )
    return list(dict.fromkeys(map(canonical, map(method_name, methods))))


def _curves(label: str, learned: Learned, options: dict[str, Any]) -> Curves:
    """What a learner learned, the regret of its policies, and the law of its runs."""
    lost = None
    if learned.task == "control" and learned.status is not Status.INTERRUPTED:
        lost = regret(learned)
    return Curves(label, learned, lost, law_of(learned, options.get("weights")))


def law_of(learned: Learned, weights: Any = None) -> Expected | None:
    """The exact moments of a learner at the first LAW_STEPS of its recorded steps; None where none are known."""
    from tabular_rl.laws.expected import expected

    if learned.policy is None or learned.behavior is None or learned.curve is None:
        return None
    if learned.task == "control" or learned.estimates[0].size > LAW_ENTRIES:
        return None
    if learned.status is Status.INTERRUPTED:
        return None
    points = learned.curve.steps[learned.curve.steps <= LAW_STEPS]
    options = {key: value for key, value in learned.options.items() if value is not None}
    inputs = {"behavior": learned.behavior, "weights": weights, "start_from": learned.start_from}
    options |= {key: x for key, x in inputs.items() if key in LEARNERS[learned.method].defaults}
    try:
        return expected(learned.method, learned.mdp, learned.policy, points=points.tolist(), **options)
    except (OptionError, NotAnswerable, NumericalError):
        return None


def policy_loss(mdp: MDP, best: Solution, policy: Policy | None) -> tuple[Pair | None, bool]:
    """max_s v*(s) - v_π(s): at least and at most; False where the policy never ends and its total is not finite.

    Parameters
    ----------
    mdp : the model
    best : its optimal values
    policy : the policy π; None where there is none

    Returns
    -------
    (at least, at most) in units of reward, 0 or more for costs too, and True. Without a policy None and True; (∞, ∞)
    and False where its total is not finite.
    """
    if policy is None:
        return None, True
    try:
        return loss_between(best, reference(mdp, policy)), True
    except NoFiniteAnswer:
        return (math.inf, math.inf), False
