"""How public functions take their arguments: policies in every usual form, and one line for what is wrong."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError
from tabular_rl.model.calls import as_it_is, misused
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy, check_model

F = TypeVar("F", bound=Callable[..., Any])
POLICIES = ("policy", "behavior")
FORMS = (
    "a Policy, 'uniform', an action a state (list, dict or array), or a probability for each pair (L,) or as a table "
    "(S, A)"
)


def public(function: F) -> F:
    """Decorate a function of the package: what it is given is checked and converted by the names of its parameters.

    `mdp` must be a model. `policy` and `behavior` are what `policy_of` takes; a function that has no `mdp`, and whose
    first parameter is `policy`, also takes (mdp, policy). A keyword that the function does not have, an argument too
    many or too few is an OptionError that names the right word.

    >>> @public
    ... def value(mdp: MDP, policy: Policy, *, step_size: float = 1.0) -> Any:
    ...     return policy["0"]
    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.9)
    >>> value(mdp, [1])
    '1'
    >>> value(mdp, [1], alpha=0.5)
    Traceback (most recent call last):
    tabular_rl.errors.OptionError: alpha: value has no such option; did you mean 'step_size'? It has step_size.
    """
    signature = inspect.signature(function)
    parameters = signature.parameters
    asked = [name for name in POLICIES if name in parameters]
    softmax = [name for name in asked if "SoftmaxPolicy" in str(parameters[name].annotation)]
    paths = "PathLike" in str(parameters["path"].annotation) if "path" in parameters else False
    without_model = next(iter(parameters), "") == "policy" and "mdp" not in parameters

    def converted(mdp: MDP, given: Any, name: str) -> Any:
        if (name in softmax and hasattr(given, "theta")) or (name == "behavior" and _is(given, "log")):
            return given
        return policy_of(mdp, given, name)

    def enter(args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if without_model and args and isinstance(args[0], MDP):
            given = args[1] if len(args) > 1 else options.pop("policy", None)
            args = (converted(args[0], given, "policy"), *args[2:])
        try:
            bound = signature.bind(*args, **options)
        except TypeError:
            raise misused(function, signature, args, options) from None
        given = bound.arguments
        if paths and not isinstance(given["path"], (str, os.PathLike)):
            raise OptionError(f"path: found {type(given['path']).__name__}, expected the path of a file")
        if "mdp" in given and (given["mdp"] is not None or parameters["mdp"].default is not None):
            check_model(given["mdp"])
            for name in asked:
                if name in given and (given[name] is not None or parameters[name].default is not None):
                    given[name] = converted(given["mdp"], given[name], name)
        return function(*bound.args, **bound.kwargs)

    return as_it_is(function, enter)


def _is(given: Any, text: str) -> bool:
    return isinstance(given, str) and given == text


# -- policies -------------------------------------------------------------------------------------------------------


def policy_of(mdp: MDP, given: Any, name: str = "policy") -> Policy:
    """Return what is given as a policy of a model, in whatever form; this is what every function calls.

    Parameters
    ----------
    mdp : the model
    given : a Policy; a Solution, whose policy is meant; a text as for --policy, such as "uniform" or "action:left"; one
        action a state by name or index, as a list, an array (S,) or {state: action}; a probability for each pair, as
        {state: {action: p}}, an array (L,), or a table (S, A). For a finite horizon one of these for each time too.
    name : what messages call it

    Raises
    ------
    OptionError : no policy of this model, or an array that could be two different ones

    Examples
    --------
    >>> mdp = MDP([[[1, 0], [0, 1]], [[0, 1], [0, 0]]], [[0, 1], [0, 0]], 0.9, axes="sas", actions=["stay", "go"])
    >>> [policy_of(mdp, given)["0"] for given in (["go", "stay"], {0: "go", "1": 0}, [[0, 1], [1, 0]])]
    ['go', 'go', {'stay': 0.0, 'go': 1.0}]
    """
    try:
        return _fitting(mdp, _policy(mdp, given))
    except OptionError as error:
        if name == "policy":
            raise
        raise OptionError(str(error).replace("policy:", f"{name}:", 1)) from None


def _policy(mdp: MDP, given: Any) -> Policy:
    if isinstance(given, Policy):
        return given
    if hasattr(given, "policy"):  # a Solution, a SoftmaxPolicy
        if isinstance(given.policy, Policy):
            return given.policy
        raise OptionError(f"policy: found {type(given).__name__} without a policy, expected {FORMS}")
    if isinstance(given, str):
        from tabular_rl.formats.named_policies import read_policy

        return read_policy(given, mdp)
    if isinstance(given, Mapping):
        return _of_mapping(mdp, given)
    if isinstance(given, (list, tuple)) and any(isinstance(x, Mapping) for x in given):
        if not all(isinstance(x, Mapping) for x in given) or len(given) != mdp.horizon:
            raise OptionError(
                f"policy: found a list of {len(given)}, expected a mapping for each of {mdp.horizon or 'no'} time steps"
            )
        return _stacked(mdp, [_of_mapping(mdp, x) for x in given])
    if isinstance(given, (list, tuple)) and any(x is None or isinstance(x, str) for x in given):
        return Policy.of_actions(mdp, given)
    if not hasattr(given, "__len__") or isinstance(given, (set, frozenset, bytes)):
        raise OptionError(f"policy: found {type(given).__name__}, expected {FORMS}")
    try:
        array = np.asarray(given)
    except (ValueError, TypeError):
        raise OptionError(f"policy: found lists of different lengths, expected {FORMS}") from None
    if array.dtype.kind in "UO" and all(x is None or isinstance(x, str) for x in array.ravel().tolist()):
        return Policy.of_actions(mdp, given)
    if array.dtype.kind not in "biuf":
        raise OptionError(f"policy: found {type(given).__name__} of {array.dtype}, expected {FORMS}")
    return _of_array(mdp, array)


def _of_mapping(mdp: MDP, given: Mapping[Any, Any]) -> Policy:
    rows = list(given.values())
    if mdp.horizon is not None and rows and all(isinstance(x, (list, tuple)) for x in rows):
        if any(len(x) != mdp.horizon for x in rows):
            found = next(len(x) for x in rows if len(x) != mdp.horizon)
            raise OptionError(f"policy: found {found} time steps, expected {mdp.horizon}")
        return _stacked(
            mdp, [_of_mapping(mdp, {s: x[t] for s, x in given.items()}) for t in range(mdp.horizon)]
        )
    if any(isinstance(x, Mapping) for x in rows):
        return Policy.of_probs(mdp, given)
    return Policy.of_actions(mdp, given)


def _stacked(mdp: MDP, policies: list[Policy]) -> Policy:
    """One policy a time step as one."""
    if all(policy.rows is not None for policy in policies):
        return Policy(mdp, rows=np.stack([policy.rows for policy in policies]))  # type: ignore[misc]
    return Policy(mdp, probs=np.stack([policy.weights for policy in policies]))


def _of_array(mdp: MDP, array: NDArray[Any]) -> Policy:
    """The policy that an array of numbers means; where its shape has two readings, the one that makes a policy."""
    S, A, L, T = mdp.S, mdp.A, mdp.L, mdp.horizon
    whole = array.dtype.kind in "iu" or (array.dtype.kind == "f" and bool((array == np.rint(array)).all()))
    actions = array.astype(np.int64) if whole else array
    readings: list[tuple[str, str, Callable[[], Policy]]] = []
    if array.shape in ((S,), (T, S)) and whole and array.dtype.kind != "b":
        readings.append(("an action a state", "of_actions", lambda: Policy.of_actions(mdp, actions)))
    if array.shape in ((S, A), (T, S, A)):
        readings.append(("a table (S, A) of probabilities", "of_table", lambda: Policy.of_probs(mdp, array)))
    elif array.shape in ((L,), (T, L)):
        readings.append(("a probability for each pair", "of_probs", lambda: Policy.of_probs(mdp, array)))
    if not readings:
        times = f", or with {T} in front" if T is not None else ""
        raise OptionError(
            f"policy: found {array.dtype} of shape {array.shape}, expected an action a state ({S},), a probability for "
            f"each pair ({L},) or a table ({S}, {A}){times}"
        )
    made, faults = [], []
    for what, maker, make in readings:
        try:
            made.append((what, maker, make()))
        except OptionError as error:
            faults.append(error)
    if not made:
        raise faults[0] if len(faults) == 1 else OptionError(
            f"policy: found an array {array.shape} that is neither {readings[0][0]} ({faults[0]}) nor {readings[1][0]} "
            f"({faults[1]})"
        )  # fmt: skip
    if len(made) == 2 and not np.array_equal(made[0][2].weights, made[1][2].weights):
        ways = " or ".join(f"{what} (Policy.{maker})" for what, maker, _ in made)
        raise OptionError(
            f"policy: found an array {array.shape} that could be {ways}, expected one: say which"
        )
    return made[0][2]


def _fitting(mdp: MDP, policy: Policy) -> Policy:
    """Return the policy as one of this model, or raise OptionError."""
    if policy.mdp is not mdp:
        same = (
            np.array_equal(policy.mdp.pair_ptr, mdp.pair_ptr)
            and np.array_equal(policy.mdp.pair_action, mdp.pair_action)
        )  # fmt: skip
        if not same:
            raise OptionError(
                "policy: found one of another model, expected one with the same states and actions"
            )
        policy = policy.replace_model(mdp)
    if policy.timed:
        steps = len(policy.rows if policy.rows is not None else policy.probs)  # type: ignore[arg-type]
        if steps != mdp.horizon:
            raise OptionError(f"policy: found {steps} time steps, expected {mdp.horizon or 'none'}")
    return policy
