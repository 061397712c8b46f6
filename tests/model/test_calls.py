"""Whether a call fits is what `inspect.Signature.bind` says, at a fraction of its cost."""

from __future__ import annotations

import inspect
import itertools

import pytest

from tabular_rl import MDP
from tabular_rl.errors import OptionError
from tabular_rl.model.calls import public


def plain(mdp, policy, start=0):
    return mdp, policy, start


def by_name(mdp, policy=None, *, step_size, seed=0):
    return mdp, policy, step_size, seed


def variadic(mdp, method="auto", **options):
    return mdp, method, options


def listed(*methods, seed=0):
    return methods, seed


def placed(what, /, seed=0):
    return what, seed


def nothing():
    return ()


@pytest.mark.parametrize("function", [plain, by_name, variadic, listed, placed, nothing])
def test_call_is_taken_where_its_signature_binds(function):
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.9)
    signature, called = inspect.signature(function), public(function)
    policies = mdp.policies.of(mdp, [1])
    names = ("mdp", "policy", "start", "step_size", "seed", "method", "other")
    values = {
        "mdp": mdp,
        "policy": policies,
        "start": 3,
        "step_size": 0.5,
        "seed": 1,
        "method": "x",
        "other": 2,
    }
    taken = refused = 0
    for count, size in itertools.product(range(5), range(4)):
        for given in itertools.combinations(names, size):
            args, options = (mdp, policies, 3, 4)[:count], {name: values[name] for name in given}
            try:
                signature.bind(*args, **options)
            except TypeError:
                refused += 1
                with pytest.raises(OptionError):
                    called(*args, **options)
                continue
            taken += 1
            assert called(*args, **options) == function(*args, **options)
    assert taken
    assert refused


@pytest.mark.parametrize(
    "call", [lambda f, m: f(m, [1]), lambda f, m: f(m, policy=[1]), lambda f, m: f(policy=[1], mdp=m)]
)
def test_policies_are_converted_by_place_and_by_name(call):
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.9)
    model, policy, start = call(public(plain), mdp)
    assert (model is mdp, policy["0"], start) == (True, "1", 0)
