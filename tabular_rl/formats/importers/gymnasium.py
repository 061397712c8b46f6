"""Gymnasium environments whose transitions are known: those with a table `P`, as the toy-text environments have.

    P[s][a] = [(probability, next state, reward, done), ...]

What `done` makes of it is said in `dictionary.py`; here the table gets the names, the start and the map of its
environment.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tabular_rl.errors import ModelError, OptionError, closest, escape, kind_text, quoted
from tabular_rl.formats.extras import required
from tabular_rl.formats.importers.dictionary import FORM, Outcome, read_dictionary
from tabular_rl.formats.importers.gymnasium_arguments import taken_by, texts_of, values_of
from tabular_rl.formats.importers.gymnasium_sample import sampled_model
from tabular_rl.formats.importers.gymnasium_spaces import ACTIONS, STATES, kind_of, not_finite, shape_of
from tabular_rl.model.functions import name_of, start_law
from tabular_rl.model.layout import Layout
from tabular_rl.model.mdp import MDP

GYMNASIUM = "gymnasium:"
NO_TABLE = f"found no P, expected an environment with its transitions as P = {FORM}. "
SAMPLE = (
    "sample=100000 estimates a model from as many steps: MDP.from_gymnasium(env, sample=100000), or "
    "gymnasium:ID?sample=100000"
)
LONGEST = 400  # characters of a message of another program
ANSI = re.compile(r"\x1b\[[0-9;]*m")
OBSERVING = ("ObservationWrapper", "FrameStackObservation", "TimeAwareObservation", "DelayObservation")
CHANGING = ("RewardWrapper", "ActionWrapper", "NormalizeReward", "StickyAction", "RepeatAction")


# -- the environment -----------------------------------------------------------------------------------------------


def from_gymnasium(
    env: Any,
    gamma: Any,
    states: Iterable[Any] | None,
    actions: Iterable[Any] | None,
    start: Any,
    horizon: Any,
    sample: Any,
    seed: Any,
    options: dict[str, Any],
) -> MDP:
    """Return the model of an environment: what `MDP.from_gymnasium` does.

    Parameters
    ----------
    env : the environment, wrapped or not; or its ID
    gamma, states, actions, start, horizon, sample, seed, options : as in `MDP.from_gymnasium`

    Returns
    -------
    MDP

    Raises
    ------
    ModelError : what was found in place of P, with the state and the action
    MissingExtra : an ID was given, and gymnasium is not installed
    """
    env = made(env) if isinstance(env, str) else env
    inner = getattr(env, "unwrapped", env)
    _check_environment(env, inner)
    limit = time_limit(env) if horizon is True else horizon
    if sample is not None:
        for word, given in (("states", states), ("actions", actions), ("start", start)):
            options = options | ({word: given} if given is not None else {})
        return sampled_model(env, 1 if gamma is None else gamma, limit, sample, seed, options)
    known = getattr(inner, "mdp", None)
    if isinstance(known, MDP) and states is None and actions is None:
        check_wrappers(env, inner)
        changes = {"gamma": gamma, "start": start, "horizon": limit} | options
        changes.pop("normalize", None)  # its rows are those of a model
        return known.replace(**{word: given for word, given in changes.items() if given is not None})
    gamma = 1 if gamma is None else gamma
    P = _in_order(_table(env, inner))
    check_wrappers(env, inner)
    keys = [name_of(s) for s in P]
    kind = kind_of(inner)
    law = _start(inner, keys) if start is None else None
    if start is not None:
        law = _start_given(start, keys, _named(keys, states, "states", STATES.get(kind), inner))
    found = read_dictionary({s: _available(row) for s, row in P.items()}, start=law)
    extra = [s for s in found.states if s not in set(keys)]
    there = found.states[: len(found.states) - len(extra)] + [s for s in extra if s.rstrip("'") != "end"]
    state_of = {s: s for s in extra} | _named(there, states, "states", STATES.get(kind), inner)
    action_of = _named(_actions(inner, P), actions, "actions", ACTIONS.get(kind), inner)
    space = [state_of[s] for s in found.states]
    return MDP.from_outcomes(
        [
            (state_of[s], action_of[a], state_of.get(s2, s2), p, r)
            for s, a, s2, p, r in _whole(found.outcomes)
        ],
        gamma,
        terminal=[state_of[s] for s in found.terminal],
        states=space,
        actions=list(action_of.values()),
        start=None if law is None else {state_of[s]: p for s, p in law.items()},
        **{
            "horizon": limit,
            "layout": _layout(inner, len(space)),
            "name": getattr(getattr(env, "spec", None), "id", None) or "",
            **options,
        },
    )


def _check_environment(env: Any, inner: Any) -> None:
    """Raise ModelError where something else stands in the place of one environment."""
    if isinstance(inner, (Mapping, list, tuple)):
        raise ModelError(
            f"found {kind_text(inner)}, expected an environment. MDP.from_dictionary takes its P"
        )
    if isinstance(getattr(inner, "mdp", None), MDP) or hasattr(inner, "P"):
        return
    if hasattr(env, "num_envs") and hasattr(env, "single_action_space"):
        one = "give one of its environments" + (", as env.envs[0]" if hasattr(env, "envs") else "")
        raise ModelError(
            f"found {kind_text(env)}, a vector of {env.num_envs} environments, expected one: {one}"
        )
    if not hasattr(inner, "step"):
        raise ModelError(f"found {kind_text(inner)}, expected an environment, or its ID as 'FrozenLake-v1'")


def _table(env: Any, inner: Any) -> Any:
    """Return the table of an environment; ModelError with where to go without one."""
    P = getattr(inner, "P", None)
    if P is None:
        endless = not_finite(env)
        way_out = f"Nor can a model be estimated from steps: {endless}" if endless else SAMPLE
        raise ModelError(f"{type(inner).__name__}: {NO_TABLE}{way_out}")
    if hasattr(P, "shape"):
        raise ModelError(f"P: found {kind_text(P)}, expected {FORM}. Arrays go to MDP(P, R, gamma)")
    return P


def _in_order(P: Any) -> Any:
    """Return a table with its states and actions in the order of their numbers, NumPy's numbers as Python's.

    >>> _in_order({1: [], 0: {}})
    {0: {}, 1: []}
    """
    if isinstance(P, (list, tuple)):
        P = dict(enumerate(P))
    if not isinstance(P, Mapping):
        raise ModelError(f"P: found {kind_text(P)}, expected {FORM}")
    keys = [(key.item() if isinstance(key, np.generic) else key, key) for key in P]
    if all(isinstance(key, int) for key, _ in keys):
        keys.sort()
    return {plain: _scalars(P[key]) for plain, key in keys}


def _scalars(x: Any) -> Any:
    """Return nested lists and dictionaries with NumPy's numbers as Python's."""
    if isinstance(x, Mapping):
        return {key: _scalars(entry) for key, entry in x.items()}
    if isinstance(x, (list, tuple)):
        return [_scalars(entry) for entry in x]
    return x.item() if isinstance(x, (np.generic, np.ndarray)) and x.size == 1 else x


def _available(row: Any) -> Any:
    """Return the actions of a state without those of which the table has no outcomes."""
    row = dict(enumerate(row)) if isinstance(row, (list, tuple)) else row
    if not isinstance(row, Mapping):
        return row
    return {a: outcomes for a, outcomes in row.items() if not isinstance(outcomes, list) or outcomes}


def _actions(inner: Any, P: Mapping[Any, Any]) -> list[str]:
    """Return the actions of a table: those of the action space where they are its numbers."""
    rows = [range(len(row)) if isinstance(row, (list, tuple)) else row for row in P.values()]
    keys = list(dict.fromkeys(a for row in rows for a in row))
    count = getattr(getattr(inner, "action_space", None), "n", None)
    if all(isinstance(a, (int, np.integer)) for a in keys):
        inside = count is not None and all(0 <= a < count for a in keys)
        keys = list(range(int(count))) if inside and count is not None else sorted(keys)
    return [name_of(a.item() if isinstance(a, np.generic) else a) for a in keys]


def _whole(outcomes: list[Outcome]) -> list[Outcome]:
    """Return the same outcomes with integers for floats, where all are whole: they are exact then."""
    numbers = [x for outcome in outcomes for x in outcome[3:]]
    if not all(type(x) is int or (isinstance(x, float) and x.is_integer()) for x in numbers):
        return outcomes
    return [(s, a, s2, int(p), int(r)) for s, a, s2, p, r in outcomes]


def _start(inner: Any, keys: Sequence[str]) -> dict[str, Any] | None:
    """Return the start distribution of an environment by state; None where it tells none."""
    law = getattr(inner, "initial_state_distrib", None)
    law = getattr(inner, "isd", None) if law is None else law
    if law is None:
        return None
    values = np.asarray(law, dtype=float).ravel().tolist()
    if len(values) != len(keys):
        what = f"found {len(values)} numbers, expected {len(keys)}, one a state"
        raise ModelError(f"initial_state_distrib: {what}")
    found = {s: p for s, p in zip(keys, values, strict=True) if p != 0}
    return dict.fromkeys(found, 1) if list(found.values()) == [1.0] else found


def _start_given(start: Any, keys: Sequence[str], state_of: Mapping[str, str]) -> dict[str, Any]:
    """Return a given start by state: a state is named as P has it, or as the model does."""
    if isinstance(start, (list, np.ndarray)):
        if len(start) != len(keys):
            raise ModelError(f"start: found {len(start)} numbers, expected {len(keys)}, one a state")
        return {s: p for s, p in zip(keys, _scalars(list(start)), strict=True) if p != 0}
    back = {name: s for s, name in state_of.items()} | {s: s for s in keys}
    found = {}
    for s, p in (start_law(_scalars(start) if isinstance(start, np.generic) else start) or {}).items():
        name = name_of(s)
        if name not in back:
            raise ModelError(f"start: found no state {quoted(name)}{closest(name, back)}")
        found[back[name]] = p
    return found


def _chain(env: Any, inner: Any) -> Iterator[Any]:
    """The wrappers around an environment, the outermost first."""
    while env is not inner and env is not None:
        yield env
        env = getattr(env, "env", None)


def check_wrappers(env: Any, inner: Any) -> None:
    """Raise where a wrapper changes rewards or actions, which P does not show; warn of one that may change them."""
    for wrapper in _chain(env, inner):
        names = {base.__name__ for base in type(wrapper).__mro__}
        name = type(wrapper).__name__
        if names & set(CHANGING):
            raise ModelError(
                f"found the wrapper {name}, which changes rewards or actions, and P does not show "
                "that. Give env.unwrapped for the environment without it"
            )
        if names & set(OBSERVING):
            warnings.warn(
                f"the wrapper {name} changes observations: the states of the model are those of "
                f"{type(inner).__name__} without it. env.unwrapped says that you mean these",
                stacklevel=2,
            )
        elif not type(wrapper).__module__.startswith("gymnasium.") and {"step", "reset"} & _own(wrapper):
            warnings.warn(
                f"the wrapper {name} has a step or reset of its own, and P does not show what it changes: the model "
                f"is that of {type(inner).__name__} without it. env.unwrapped says that you mean this one",
                stacklevel=2,
            )


def _own(wrapper: Any) -> set[str]:
    """What the classes of a wrapper define that are not Gymnasium's."""
    classes = [base for base in type(wrapper).__mro__ if not base.__module__.startswith("gymnasium.")]
    return {name for base in classes for name in vars(base)}


def time_limit(env: Any) -> int:
    """Return the steps after which a TimeLimit around an environment truncates; ModelError where there is none."""
    limits = [
        int(steps)
        for wrapper in _chain(env, getattr(env, "unwrapped", env))
        if type(wrapper).__name__ == "TimeLimit"
        and (steps := getattr(wrapper, "_max_episode_steps", None)) is not None
    ]
    if not limits:
        raise ModelError(
            "horizon=True: found no TimeLimit around the environment, expected one. Give a number of steps"
        )
    return min(limits)


# -- names and places ----------------------------------------------------------------------------------------------


def _named(
    keys: Sequence[str],
    given: Iterable[Any] | None,
    what: str,
    usual: Callable[[Any, int], str] | None,
    inner: Any,
) -> dict[str, str]:
    """Return the name of each state or action: those given, else the usual ones of the environment, else its text."""
    if given is None:
        return {key: usual(inner, int(key)) if usual else key for key in keys}
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise OptionError(f"{what}: found {kind_text(given)}, expected a list of names")
    names = [str(name) for name in given]
    if len(names) != len(keys):
        raise OptionError(f"{what}: found {len(names)} names, expected {len(keys)}, one for each of P")
    return dict(zip(keys, names, strict=True))


def _layout(inner: Any, S: int) -> Layout | None:
    shape = shape_of(inner)
    return Layout(*shape) if shape and shape[0] * shape[1] == S else None


# -- by its ID -----------------------------------------------------------------------------------------------------


def read_gymnasium(name: str, **options: Any) -> MDP:
    """Return the model of `gymnasium:ID?key=value&...`; what it is asked to make a time limit of is the horizon.

    Parameters
    ----------
    name : such as "gymnasium:FrozenLake-v1?is_slippery=false"; `sample` and `seed` among its arguments are ours
    options : gamma, horizon, sense, normalize, as in `MDP.from_gymnasium`

    Returns
    -------
    MDP

    Raises
    ------
    MissingExtra : gymnasium is not installed
    ModelError : there is no such environment, it has no P, or it does not take these arguments
    """
    text = name.removeprefix(GYMNASIUM)
    ID, texts = texts_of(text)
    limited = texts.get("max_episode_steps", "none").lower() not in ("none", "null")
    for word in ("sample", "seed"):
        if word in texts and (word == "sample" or "sample" in text):
            options |= values_of({word: texts.pop(word)}, {})
    if options.get("horizon") is None and limited:
        options["horizon"] = True
    try:
        mdp = MDP.from_gymnasium(_made(ID, texts), **options)
    except OptionError as error:
        if "sample" not in options:
            raise
        # What is wrong stands in the name, and in no option of the command.
        raise ModelError(str(error).removeprefix("--")) from None
    if "sample" in options:
        warnings.warn(f"{mdp.source}. What is proven is proven of the estimate", stacklevel=2)
    return mdp


def made(text: str) -> Any:
    """Return the environment of `ID?key=value&...`, as gymnasium.make makes it.

    Raises
    ------
    MissingExtra : gymnasium is not installed
    ModelError : why it cannot be made, in one line
    """
    return _made(*texts_of(text))


def _made(ID: str, texts: dict[str, str]) -> Any:
    """The environment of an ID and the texts of its arguments."""
    gymnasium = required("gymnasium", f"{GYMNASIUM}{escape(ID)}", "gymnasium")
    if not ID.strip(":"):
        raise ModelError(f"found no ID, expected one, as in {GYMNASIUM}FrozenLake-v1")
    if ID.startswith(":"):
        raise ModelError(
            f"found two colons before the ID; did you mean {quoted(GYMNASIUM + ID.lstrip(':'))}?"
        )
    takes, others = taken_by(gymnasium, ID)
    arguments = values_of(texts, takes)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            env = gymnasium.make(ID, **arguments)
        except Exception as error:  # a constructor of somebody else may raise anything
            raise ModelError(
                _why_not(gymnasium, ID, arguments, [] if others else list(takes), error)
            ) from None
    for warning in caught:
        warnings.warn(_line(warning.message).removeprefix("WARN: "), stacklevel=2)
    return env


def _why_not(
    gymnasium: Any, ID: str, arguments: Mapping[str, Any], takes: list[str], error: Exception
) -> str:
    """Say in one line why an environment could not be made; `takes` is empty where it may take anything."""
    unknown = [key for key in arguments if takes and key not in takes]
    if isinstance(error, TypeError) and unknown:
        way_out = closest(unknown[0], takes) or "."
        return f"{ID} has no argument {quoted(unknown[0])}{way_out} It takes {', '.join(takes)}"
    if isinstance(error, (gymnasium.error.Error, ImportError)):
        return _line(error)
    given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    with_what = f"with {_line(given)}" if given else "without arguments"
    return f"{escape(ID)} could not be made {with_what}: {type(error).__name__}: {_line(error)}"


def _line(message: Any) -> str:
    """Return a message of another program as one line without colours.

    >>> _line("\\x1b[33mWARN: old\\n  news\\x1b[0m")
    'WARN: old news'
    """
    return escape(" ".join(ANSI.sub("", str(message)).split()), LONGEST)
