"""Options of the solvers: meaning, range and default stand here once, for Python and for the command line.

A solver annotates its keyword arguments with these types; `check` is its first line.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_type_hints

from tabular_rl.errors import OptionError, quoted


@dataclass(frozen=True)
class Option:
    """One option: `kind` converts a text, `low` and `high` bound it (excluded where `open_low`)."""

    name: str
    kind: Callable[[Any], Any]
    help: str
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    choices: tuple[str, ...] = ()
    optional: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind is bool:
            return "true or false"
        what = "a whole number" if self.kind is int else "a number"
        if self.low == -math.inf and self.high == math.inf:
            return what
        low = f"{'above' if self.open_low else 'from'} {self.low:g}"
        return f"{what} {low}" + (f" to {self.high:g}" if self.high < math.inf else "")

    def check(self, value: Any) -> Any:
        """Return the value as a Python scalar in range, or raise OptionError.

        >>> OPTIONS["sweeps"].check(1e3)
        1000
        """
        if value is None and self.optional:
            return None
        try:
            if self.choices:
                if value in self.choices:
                    return value
                raise ValueError
            if self.kind is bool:
                if isinstance(value, bool):
                    return value
                raise ValueError
            if isinstance(value, bool):
                raise ValueError
            number = float(value)
            made = int(value) if self.kind is int and not isinstance(value, str) else self.kind(number)
            if self.kind is int and made != number:
                raise ValueError
            if not (self.low < number if self.open_low else self.low <= number) or not number <= self.high:
                raise ValueError
            return made
        except (ValueError, TypeError, OverflowError):
            raise OptionError(f"{self.flag}: found {quoted(value)}, expected {self.expected}") from None


def _option(name: str, kind: Any, help: str, **more: Any) -> Option:
    return Option(name, kind, help, **more)


Tolerance = Annotated[
    float,
    _option(
        "tolerance", float, "largest width of the proven interval, in units of reward", low=1e-300, high=1e300
    ),
]
Relative = Annotated[bool, _option("relative", bool, "the tolerance is a share of the largest |value|")]
Sweeps = Annotated[
    int, _option("sweeps", int, "give up after so many sweeps over the model", low=1, high=2**53)
]
InnerSweeps = Annotated[
    int | None,
    _option(
        "inner_sweeps",
        int,
        "evaluation sweeps between two improvements (default: chosen adaptively)",
        low=0,
        high=1e6,
        optional=True,
    ),
]
Improvements = Annotated[
    int, _option("improvements", int, "give up after so many policy improvements", low=1, high=2**53)
]
InPlace = Annotated[
    bool, _option("in_place", bool, "use each new value at once (Gauss-Seidel) instead of after the sweep")
]
Threads = Annotated[
    int,
    _option(
        "threads", int, "threads to sweep with; the answer has the same bits for any number", low=1, high=1024
    ),
]
TimeLimit = Annotated[
    float | None,
    _option(
        "time_limit",
        float,
        "seconds after which the best proven interval so far is the answer",
        low=0,
        high=1e9,
        optional=True,
    ),
]
LinearSolver = Annotated[
    str,
    _option(
        "linear_solver",
        str,
        "how linear systems are solved",
        choices=("auto", "dense", "sparse", "iterative"),
    ),
]

OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (
        get_args(hint)[1]
        for hint in (
            Tolerance,
            Relative,
            Sweeps,
            InnerSweeps,
            Improvements,
            InPlace,
            Threads,
            TimeLimit,
            LinearSolver,
        )
    )
}


def check(**values: Any) -> Any:
    """Return the checked values, in order; OptionError names the option, what was found and what was expected.

    >>> check(tolerance=1e-6, sweeps=10)
    (1e-06, 10)
    """
    return tuple(OPTIONS[name].check(value) for name, value in values.items())


def options_of(function: Callable[..., Any]) -> dict[str, tuple[Option, Any]]:
    """Return the options that a solver takes: name -> (option, default), in the order of its signature."""
    found = {}
    hints = get_type_hints(function, include_extras=True)
    defaults = function.__kwdefaults__ or {}
    for name, hint in hints.items():
        option = next((x for x in getattr(hint, "__metadata__", ()) if isinstance(x, Option)), None)
        if option is not None:
            found[name] = (option, defaults.get(name))
    return found
