"""A method: an algorithm under its name, with its task, its options and the problems that it solves.

`@method(...)` makes one of a function. It is called as the function is, and doctests, help() and type checkers see it
as it is written. When the body runs, the model fits the method and is valid, and each option has its checked value.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, ParamSpec, TypeVar

from tabular_rl.errors import NotAnswerable, OptionError, quoted
from tabular_rl.model.calls import Option, check_options, options_of, public
from tabular_rl.model.clock import phase
from tabular_rl.model.mdp import MDP
from tabular_rl.model.problem import DISCOUNTED as DISCOUNTED
from tabular_rl.model.problem import FINITE as FINITE
from tabular_rl.model.problem import TOTAL as TOTAL
from tabular_rl.solving import blas
from tabular_rl.solving import options as o
from tabular_rl.solving.cost import Cost, Facts, no_estimate
from tabular_rl.solving.run import Run

P = ParamSpec("P")
Answer = TypeVar("Answer")
Task = Literal["prediction", "control"]
OF_FUNCTIONS = ("__globals__",)  # what else tools ask a function for
LIMITS = ("threads", "time_limit")  # no part of what was asked
BUDGETS = (
    "sweeps",
    "improvements",
    "inner_sweeps",
)  # of a planner neither: the interval says how far it came


@dataclass(eq=False, repr=False)
class Method(Generic[P, Answer]):
    """An algorithm: its `name` is that of its function, its `family` the folder of its file.

    Its `task` is "prediction" (the value of a policy) where it takes a policy, else "control" (the best policy).
    """

    function: Callable[P, Answer]
    equation: str
    source: str
    problems: tuple[str, ...] = (DISCOUNTED, TOTAL, FINITE)
    family: str = ""
    largest: int | None = None  # states it takes, where there is a limit
    cost: Callable[[Facts], Cost | None] = no_estimate  # of an answer; `auto` takes the method of the least
    chooses: bool = False  # it only chooses another method
    exact: bool = False  # answers in fractions
    on_policy: bool = False  # learns the values of the policy that acts
    one_step: bool = False  # its targets are one reward and estimates
    samples_action: bool = False  # its targets depend on which action is drawn

    def __post_init__(self) -> None:
        self.name = self.function.__name__.replace("_", "-")
        self.family = self.family or self.function.__module__.rpartition(".")[0].rpartition(".")[2]
        signature = _full_signature(self.function)
        self.function.__signature__ = signature  # type: ignore[attr-defined]
        self.task: Task = "prediction" if "policy" in signature.parameters else "control"
        functools.update_wrapper(self, self.function, (*functools.WRAPPER_ASSIGNMENTS, *OF_FUNCTIONS))
        function: Callable[..., Answer] = self.function

        @functools.wraps(function)
        def checked(mdp: MDP, *args: Any, **given: Any) -> Answer:
            self.check_model(mdp)
            values = self.checked(given)
            mdp.validate()  # a mapped model is looked at before a kernel sees it
            with phase("learning" if self.learns else "search"):
                if mdp.S <= blas.ALONE:
                    return function(mdp, *args, **values)
                with blas.limited(values.get("threads", 1)):
                    return function(mdp, *args, **values)

        self._call: Callable[..., Answer] = public(checked, self.name)

    def __call__(self, *args: P.args, **options: P.kwargs) -> Answer:
        """Call the function, with the model and the options checked."""
        return self._call(*args, **options)

    def __get__(self, instance: object, owner: object = None) -> Method[P, Answer]:
        # Like a function, so that help() shows the signature and not the fields of an object.
        return self

    def __reduce__(self) -> str:
        return self.function.__name__  # as a function is pickled

    def __repr__(self) -> str:
        return f"<method {self.name}>"

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @functools.cached_property
    def options(self) -> dict[str, tuple[Option, Any]]:
        """name -> (option, default), in the order of the signature."""
        own = options_of(self.function)  # beside those of the table, which are written out
        known = {**o.OPTIONS, **{name: option for name, (option, _) in own.items()}}
        return {name: (known[name], x) for name, x in self.defaults.items() if name in known}

    @functools.cached_property
    def defaults(self) -> dict[str, Any]:
        """Each keyword of the signature with its default: the options, and inputs such as `start_from`."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    @property
    def word(self) -> str:
        """What a command calls it: the methods that choose are "auto" in each."""
        return "auto" if self.chooses else self.name

    @property
    def learns(self) -> bool:
        """Whether it learns from samples, and proves nothing."""
        return self.family in ("learning", "gradient")

    def refuses(self, mdp: MDP) -> str | None:
        """Why this method does not fit a model, or None."""
        if mdp.problem not in self.problems:
            return (
                f"{self.name} solves {' and '.join(self.problems)} problems, and this is a {mdp.problem} one"
            )
        if self.largest is not None and mdp.S > self.largest:
            return f"{self.name} takes up to {self.largest} states, and this model has {mdp.S}"
        return None

    def check_model(self, mdp: MDP) -> None:
        """Raise NotAnswerable where the method does not fit the model."""
        why = self.refuses(mdp)
        if why is not None:
            raise NotAnswerable(
                f"{why}. `tabular-rl methods` lists the others; method 'auto' chooses one that fits."
            )

    def check_options(self, names: Iterable[str]) -> None:
        """Raise OptionError where the method does not have an option; the text lists those it has."""
        check_options(self.name, names, self.defaults)

    def checked(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return all keywords, the options among them as checked values; OptionError names a wrong one."""
        values = {key: option.check(given[key]) for key, (option, _) in self.options.items() if key in given}
        return {**self._usual, **given, **values}

    @functools.cached_property
    def _usual(self) -> dict[str, Any]:
        """The default of each keyword, that of an option checked."""
        checked = {key: option.check(usual) for key, (option, usual) in self.options.items()}
        return self.defaults | checked

    def ask(self, mdp: MDP, policy: Any = None, **options: Any) -> Answer:
        """Return the answer for a model, and for a policy where the task is to evaluate one.

        Raises
        ------
        OptionError : an option that the method does not have, or a policy for a method that finds its own
        """
        self.check_options(options)
        if self.task == "prediction":
            return self._call(mdp, policy, **options)
        if policy is not None:
            raise OptionError(f"method {quoted(self.name)} finds its own policy, found one that is given")
        return self._call(mdp, **options)

    def run(self, given: dict[str, Any]) -> Run:
        """Start the clock of a run with these options; its records show all but the limits."""
        hidden = LIMITS if self.learns else LIMITS + BUDGETS
        shown = {
            name: getattr(given[name], "text", given[name]) for name in self.options if name not in hidden
        }
        return Run(self.name, shown, given.get("time_limit"))


def _full_signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a function; a last `**shared: Unpack[o.NAME]` is written out among its options."""
    signature = inspect.signature(function)
    *own, last = signature.parameters.values()
    if last.kind is not last.VAR_KEYWORD:
        return signature
    order = [*(p.name for p in own if p.name not in o.OPTIONS), *o.OPTIONS]
    group = getattr(o, last.annotation.removeprefix("Unpack[o.").removesuffix("]"))
    for name, hint in group.__annotations__.items():
        kind = f"o.{hint.__forward_arg__}" if name in o.OPTIONS else hint.__forward_arg__
        own.append(inspect.Parameter(name, last.KEYWORD_ONLY, default=o.USUAL.get(name), annotation=kind))
    place = {name: at for at, name in enumerate(order)}
    return signature.replace(parameters=sorted(own, key=lambda p: place.get(p.name, len(place))))


def method(**about: Any) -> Callable[[Callable[P, Answer]], Method[P, Answer]]:
    """Decorate the function of an algorithm: it becomes a Method, about which the fields say more."""
    return lambda function: Method(function, **about)
