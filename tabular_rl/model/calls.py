"""How public functions are called: what they take is checked and converted, and a call that does not fit is one line.

An option is a keyword argument annotated with an `Option`: its meaning, its range and the words for what is wrong
stand there once, for Python and for the command line.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, get_type_hints

from tabular_rl.errors import OptionError, closest, kind_text, meant, option_name, plain, quoted

F = TypeVar("F", bound=Callable[..., Any])
POLICIES = ("policy", "behavior")


class Model:
    """What functions of the package take as `mdp`: MDP is one.

    `policies` is the class of its policies. It is made of models, so that model/policy.py sets it.
    """

    __slots__ = ()
    policies: ClassVar[Any]


def public(function: F, name: str = "") -> F:
    """Decorate a function of the package: what it is given is checked and converted by the names of its parameters.

    Messages call it by `name`, else as it is named in the source.

    `mdp` must be a model. `policy` and `behavior` are what `policy_of` takes; a function that has no `mdp`, and whose
    first parameter is `policy`, also takes (mdp, policy). A keyword that the function does not have, an argument too
    many or too few is an OptionError that names the right word.

    >>> from tabular_rl import MDP
    >>> @public
    ... def value(mdp, policy, *, step_size=1.0):
    ...     return policy["0"]
    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.9)
    >>> value(mdp, [1])
    '1'
    >>> value(mdp, [1], alpha=0.5)
    Traceback (most recent call last):
    tabular_rl.errors.OptionError: alpha: value has no such option; did you mean 'step_size'? It has step_size.
    """
    signature, who = inspect.signature(function), name or function.__qualname__.removesuffix(".__init__")
    parameters = signature.parameters
    paths = "PathLike" in str(parameters["path"].annotation) if "path" in parameters else False
    without_model = next(iter(parameters), "") == "policy" and "mdp" not in parameters
    fits, given_as, converted = _fits(signature), _looking_up(signature), _converting(signature)
    with_policies = _with_policies(signature) if "mdp" in parameters else None
    flags = [p.name for p in parameters.values() if p.annotation in ("bool", bool)]
    flags += ["normalize"] if any(p.kind is p.VAR_KEYWORD for p in parameters.values()) else []

    def enter(args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if without_model and args and isinstance(args[0], Model):
            given = args[1] if len(args) > 1 else options.pop("policy", None)
            args = (converted(args[0], given, "policy"), *args[2:])
        if not fits(args, options):
            raise _misused(who, signature, args, options)
        for flag in flags:  # a text would be true, whatever it says
            if isinstance(options.get(flag), str):
                raise OptionError(f"{flag}: found {quoted(options[flag])}, expected True or False")
        if paths and not isinstance(path := given_as("path", args, options), (str, os.PathLike)):
            raise OptionError(f"path: found {type(path).__name__}, expected the path of a file")
        if with_policies is not None:
            args = with_policies(args, options)
        return function(*args, **options)

    return _as_it_is(function, enter)


ABSENT = object()  # in the place of an argument that is not given
MANY = 1 << 30  # arguments: more than any call has


def _fits(signature: inspect.Signature) -> Callable[[tuple[Any, ...], dict[str, Any]], bool]:
    """Return what says whether a call fits a signature; `signature.bind` would take a third of a small solve."""
    parameters = list(signature.parameters.values())
    if any(p.kind in (p.VAR_POSITIONAL, p.POSITIONAL_ONLY) for p in parameters):

        def bound(args: tuple[Any, ...], options: dict[str, Any]) -> bool:
            try:
                signature.bind(*args, **options)
            except TypeError:
                return False
            return True

        return bound
    by_place = {p.name: at for at, p in enumerate(parameters) if p.kind is p.POSITIONAL_OR_KEYWORD}
    named = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    variadic = len(named) < len(parameters)
    needed = [p.name for p in parameters if p.default is p.empty and p.name in named]
    missing = [[x for x in needed if by_place.get(x, count) >= count] for count in range(len(by_place) + 1)]

    def fits(args: tuple[Any, ...], options: dict[str, Any]) -> bool:
        count = len(args)
        if count > len(by_place):
            return False
        for name in options:
            if by_place.get(name, count) < count or not (variadic or name in named):
                return False
        return all(name in options for name in missing[count])

    return fits


def _looking_up(signature: inspect.Signature) -> Callable[[str, tuple[Any, ...], dict[str, Any]], Any]:
    """Return what looks up an argument of a call that fits; ABSENT where it is not given."""
    listed = signature.parameters.values()
    place = {p.name: at if p.kind is p.POSITIONAL_OR_KEYWORD else MANY for at, p in enumerate(listed)}

    def given_as(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return args[place[name]] if place[name] < len(args) else options.get(name, ABSENT)

    return given_as


def _converting(signature: inspect.Signature) -> Callable[[Any, Any, str], Any]:
    """Return what makes a policy for a model of what is given as `policy` or `behavior`."""
    parameters = signature.parameters
    softmax = [x for x in POLICIES if x in parameters and "SoftmaxPolicy" in str(parameters[x].annotation)]

    def converted(mdp: Any, given: Any, name: str) -> Any:
        log = name == "behavior" and isinstance(given, str) and given == "log"
        return (
            given
            if log or (name in softmax and hasattr(given, "theta"))
            else mdp.policies.of(mdp, given, name)
        )

    return converted


def _with_policies(
    signature: inspect.Signature,
) -> Callable[[tuple[Any, ...], dict[str, Any]], tuple[Any, ...]]:
    """Return what checks the model of a call and converts its policies, in those returned or in place."""
    parameters, names = signature.parameters, list(signature.parameters)
    given_as, converted = _looking_up(signature), _converting(signature)
    asked = [name for name in POLICIES if name in parameters]
    required = [name for name in ("mdp", *asked) if parameters[name].default is not None]

    def with_policies(args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
        mdp = given_as("mdp", args, options)
        if mdp is ABSENT or (mdp is None and "mdp" not in required):
            return args
        check_model(mdp)
        for name in asked:
            policy = given_as(name, args, options)
            if policy is ABSENT or (policy is None and name not in required):
                continue
            made = converted(mdp, policy, name)
            if name in options:
                options[name] = made
            else:
                at = names.index(name)
                args = (*args[:at], made, *args[at + 1 :])
        return args

    return with_policies


def check_model(mdp: object) -> None:
    """Raise OptionError where something else stands in the place of a model."""
    if isinstance(mdp, Model):
        return
    hint = maker_of(mdp) or "tabular_rl.load(FILE) or MDP(P, R, gamma)"
    if isinstance(getattr(mdp, "mdp", None), Model):
        hint = "its .mdp"
    if isinstance(mdp, (str, os.PathLike)):
        hint = f"tabular_rl.load({os.fspath(mdp)!r})"
    raise OptionError(f"mdp: found {type(mdp).__name__}, expected a model: {hint}")


def maker_of(given: object) -> str:
    """Return what makes a model of an environment, or of a dictionary of transitions; "" of anything else.

    >>> maker_of({0: {0: [(1.0, 0, 0.0, True)]}}), maker_of(3)
    ('MDP.from_dictionary(P, gamma)', '')
    """
    if isinstance(given, Mapping):
        return "MDP.from_dictionary(P, gamma)"
    spaces = hasattr(given, "action_space") and hasattr(given, "step") and hasattr(given, "reset")
    return "MDP.from_gymnasium(env)" if spaces else ""


def _as_it_is(function: F, enter: Callable[[tuple[Any, ...], dict[str, Any]], Any]) -> F:
    """Return a function that calls `enter(args, options)` and looks in every other way like the one it stands for."""

    def call(*args: Any, **options: Any) -> Any:
        return enter(args, options)

    # With the globals of the function, so that its doctests are found where it stands.
    made = types.FunctionType(call.__code__, function.__globals__, function.__name__, None, call.__closure__)
    functools.update_wrapper(made, function)
    made.__kwdefaults__ = function.__kwdefaults__
    return made  # type: ignore[return-value]


# -- options -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """One option: `kind` converts a text, `low` and `high` bound it."""

    name: str
    kind: Callable[[Any], Any]
    help: str
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    optional: bool = False
    parse: Callable[[Any], Any] | None = None  # makes the value of a text, or raises ValueError
    grammar: str = ""  # what such a text may be
    begins: tuple[str, ...] = ()  # how such texts begin, for completion

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        if self.parse is not None:
            return self.grammar
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind is bool:
            return "true or false"
        what = "a whole number" if self.kind is int else "a number"
        if self.low == -math.inf and self.high == math.inf:
            return what
        low, high = (
            f"{int(x)}" if self.kind is int and abs(x) < math.inf else f"{x:g}" for x in (self.low, self.high)
        )
        return f"{what} from {low}" + (f" to {high}" if self.high < math.inf else "")

    def check(self, value: Any) -> Any:
        """Return the value as a Python scalar in range, or raise OptionError.

        >>> Option("sweeps", int, "sweeps over the model", low=1).check(1e3)
        1000
        """
        if value is None and self.optional:
            return None
        try:
            if self.parse is not None:
                return self.parse(value)
            if self.choices or self.kind is bool:
                if value in self.choices or (isinstance(value, bool) and self.kind is bool):
                    return value
                raise ValueError
            if isinstance(value, bool):
                raise ValueError
            number = float(value)
            made = int(value) if self.kind is int and not isinstance(value, str) else self.kind(number)
            if made != number or not self.low <= number <= self.high:
                raise ValueError
            return made
        except (ValueError, TypeError, OverflowError):
            raise OptionError(f"{self.flag}: found {quoted(value)}, expected {self.expected}") from None


def options_of(function: Callable[..., Any]) -> dict[str, tuple[Option, Any]]:
    """Return the options that a function takes: name -> (option, default), in the order of its signature."""
    found = {}
    hints = get_type_hints(function, include_extras=True)
    defaults = function.__kwdefaults__ or {}
    for name, hint in hints.items():
        option = next((x for x in getattr(hint, "__metadata__", ()) if isinstance(x, Option)), None)
        if option is not None:
            found[name] = (option, defaults.get(name))
    return found


def with_checked_options(function: F) -> F:
    """Decorate a function whose options are annotated: it gets each as a scalar in its range, or OptionError.

    >>> from typing import Annotated
    >>> @with_checked_options
    ... def make(*, rows: Annotated[int, Option("rows", int, "rows of the grid", low=1)] = 10):
    ...     return rows
    >>> make(rows=2.0)
    2
    """
    options = options_of(function)

    def enter(args: tuple[Any, ...], given: dict[str, Any]) -> Any:
        values = {name: option.check(given[name]) for name, (option, _) in options.items() if name in given}
        return function(*args, **{**given, **values})

    return _as_it_is(function, enter)


# -- calls that do not fit ---------------------------------------------------------------------------------------------


def unknown_option(who: str, word: str, known: Iterable[str]) -> OptionError:
    """The error for an option that a function or a method does not have, with the right word where there is one.

    Parameters
    ----------
    who : what was called, as messages name it
    word : the name that it does not have
    known : the names that it has

    Returns
    -------
    OptionError, for the caller to raise.
    """
    listed = list(known)
    hint = closest(word, listed)
    if not hint and "gamma" in (meant(word, ["gamma"]) or [plain(word)]) and "gamma" not in listed:
        hint = "; the discount is part of the model: mdp.replace(gamma=...)"
    if word == "columns" and "data" in listed:
        hint = "; they belong to the log: data=read_log(log, mdp, columns=...)"
    has = ", ".join(map(option_name, sorted(listed))) or "none"
    dot = "" if hint.endswith("?") else "."
    return OptionError(f"{option_name(word)}: {who} has no such option{hint}{dot} It has {has}.")


def check_options(who: str, options: Iterable[str], known: Iterable[str]) -> None:
    """Check the names of options that a function hands on; OptionError with the right word for one it does not have.

    Parameters
    ----------
    who : what was called, as messages name it
    options : the names that were given
    known : the names that it has

    Raises
    ------
    OptionError : the first name that is not known
    """
    listed = known if isinstance(known, Collection) else list(known)
    for word in options:
        if word not in listed:
            raise unknown_option(who, word, listed)


def _misused(
    who: str, signature: inspect.Signature, args: tuple[Any, ...], options: dict[str, Any]
) -> OptionError:
    """What is wrong with a call that does not fit the signature."""
    parameters = list(signature.parameters.values())
    if parameters and parameters[0].name in ("self", "cls"):
        parameters, args = parameters[1:], args[1:]
    first = args[0] if args else options.get("P")
    if who == "MDP" and (maker := maker_of(first)):
        return OptionError(f"MDP: found {kind_text(first)}, expected arrays P, R and gamma; {maker} takes it")
    variadic = any(p.kind is p.VAR_KEYWORD for p in parameters)
    by_place = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    by_name = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    for word in options:
        if word not in signature.parameters and not variadic:
            needed = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
            known = [name for name in (*by_place, *by_name) if name not in needed]
            missing = [name for name in needed[len(args) :] if name not in options]
            return unknown_option(who, word, missing or known)
        absent = [p.name for p in parameters[len(args) :] if p.default is p.empty and p.name not in options]
        if word not in signature.parameters and meant(word, absent):
            return unknown_option(who, word, absent[:-1] if variadic else absent)
    if len(args) > len(by_place):
        more = f"; others by name, such as {by_name[0]}=" if by_name else ""
        expected = f"{len(by_place)}: {', '.join(by_place)}" if by_place else "none"
        return OptionError(f"{who}: found {len(args)} arguments by position, expected {expected}{more}")
    twice = [name for name in by_place[: len(args)] if name in options]
    if twice:
        return OptionError(f"{who}: found {quoted(twice[0])} twice, by position and by name, expected once")
    missing = [
        p.name
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        and p.name not in (*by_place[: len(args)], *options)
    ]  # fmt: skip
    needed = [p.name for p in parameters if p.default is p.empty and p.name in by_place]
    return OptionError(f"{who}: found no {' and no '.join(missing)}, expected {', '.join(needed)}")
