"""@solver attaches to a function what the catalogue, the command line and the documents need to know of it.

It is called as every public function is (see calls.py); doctests, help() and type checkers see it as it is written.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from tabular_rl.errors import NotAnswerable
from tabular_rl.model.calls import Option, options_of, public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.problem import DISCOUNTED as DISCOUNTED
from tabular_rl.model.problem import FINITE as FINITE
from tabular_rl.model.problem import TOTAL as TOTAL

F = TypeVar("F", bound=Callable[..., Any])
Task = Literal["prediction", "control"]


@dataclass(frozen=True)
class Spec:
    """What a solver is: `task` is "control" (best policy) or "prediction" (value of a policy)."""

    name: str
    task: Task
    family: str
    equation: str
    source: str
    problems: tuple[str, ...]
    function: Callable[..., Any]
    largest: int | None = None  # states it takes, where there is a limit

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def options(self) -> dict[str, tuple[Option, Any]]:
        """name -> (option, default), in the order of the signature."""
        return options_of(self.function)

    def refuses(self, mdp: MDP) -> str | None:
        """Why this method does not fit a model, or None."""
        if mdp.problem not in self.problems:
            return (
                f"{self.name} solves {' and '.join(self.problems)} problems, and this is a {mdp.problem} one"
            )
        if self.largest is not None and mdp.S > self.largest:
            return f"{self.name} takes up to {self.largest} states, and this model has {mdp.S}"
        return None


def solver(
    name: str,
    *,
    task: Task,
    family: str,
    equation: str,
    source: str,
    problems: tuple[str, ...] = (DISCOUNTED,),
    largest: int | None = None,
) -> Callable[[F], F]:
    """Attach a Spec to a solver function, as `function.spec`."""

    def attach(function: F) -> F:
        made = public(function)
        spec = Spec(name, task, family, equation, source, problems, made, largest)
        function.spec = made.spec = spec  # type: ignore[attr-defined]
        return made

    return attach


def admit(function: Callable[..., Any], mdp: MDP) -> None:
    """Raise NotAnswerable where the method does not fit the model."""
    spec: Spec = function.spec  # type: ignore[attr-defined]
    why = spec.refuses(mdp)
    if why is not None:
        raise NotAnswerable(
            f"{why}. `tabular-rl methods` lists the others; method 'auto' chooses one that fits."
        )
