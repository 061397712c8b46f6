"""A call that does not fit a function is one line that names the right word, not a bare TypeError."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from tabular_rl.errors import OptionError, closest, meant, option_name, plain, quoted

F = TypeVar("F", bound=Callable[..., Any])


def named(function: F) -> F:
    """Decorate a function whose arguments are to be named as it names them.

    >>> @named
    ... def f(*, states: int = 2) -> int:
    ...     return states
    >>> f(state_names=3)
    Traceback (most recent call last):
    tabular_rl.errors.OptionError: state_names: f has no such option; did you mean 'states'? It has states.
    """
    signature = inspect.signature(function)

    def enter(args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        try:
            signature.bind(*args, **options)
        except TypeError:
            raise misused(function, signature, args, options) from None
        return function(*args, **options)

    return as_it_is(function, enter)


def as_it_is(function: F, enter: Callable[[tuple[Any, ...], dict[str, Any]], Any]) -> F:
    """Return a function that calls `enter(args, options)` and looks in every other way like the one it stands for."""

    def call(*args: Any, **options: Any) -> Any:
        return enter(args, options)

    # With the globals of the function, so that its doctests are found where it stands.
    made = types.FunctionType(call.__code__, function.__globals__, function.__name__, None, call.__closure__)
    functools.update_wrapper(made, function)
    made.__kwdefaults__ = function.__kwdefaults__
    return made  # type: ignore[return-value]


def unknown_option(who: str, word: str, known: Iterable[str]) -> OptionError:
    """The error for an option that a function or a method does not have, with the right word where there is one."""
    listed = list(known)
    hint = closest(word, listed)
    if not hint and "gamma" in (meant(word, ["gamma"]) or [plain(word)]) and "gamma" not in listed:
        hint = "; the discount is part of the model: mdp.replace(gamma=...)"
    has = ", ".join(map(option_name, sorted(listed))) or "none"
    dot = "" if hint.endswith("?") else "."
    return OptionError(f"{option_name(word)}: {who} has no such option{hint}{dot} It has {has}.")


def check_options(who: str, options: Iterable[str], known: Iterable[str]) -> None:
    """Check the names of options that a function hands on; OptionError with the right word for one it does not have."""
    listed = list(known)
    for word in options:
        if word not in listed:
            raise unknown_option(who, word, listed)


def misused(
    function: Any, signature: inspect.Signature, args: tuple[Any, ...], options: dict[str, Any]
) -> OptionError:
    """What is wrong with a call that does not fit the signature."""
    parameters = list(signature.parameters.values())
    who = function.spec.name if hasattr(function, "spec") else function.__qualname__.removesuffix(".__init__")
    if parameters and parameters[0].name in ("self", "cls"):
        parameters, args = parameters[1:], args[1:]
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
    return OptionError(f"{who}: found no {' and no '.join(missing)}, expected {', '.join(by_place)}")
