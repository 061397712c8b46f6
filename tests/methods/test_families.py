"""Every planner on a small model of every family of the benchmarks, against fractions: chains, mazes, hubs, trees.

Random models have no structure; these have what each method looks for, and what would mislead it.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

from benchmarks.families import FAMILIES
from tabular_rl import Status, rational, solve
from tabular_rl.methods.lookup import PLANNERS

CONTROL = [name for name, method in PLANNERS.items() if method.task == "control" and not method.exact]
MODELS = [(name, gamma) for name, family in FAMILIES.items() for gamma in family.gammas]


@functools.cache
def made(name, gamma):
    """The model of a family, and the answer in fractions."""
    family = FAMILIES[name]
    mdp = family.make(size=min(family.small, 100), gamma=gamma, seed=1)
    return mdp, rational(mdp)


def check(answer, mdp, truth):
    """The interval holds the truth, no best action is left out, and what is proven optimal is."""
    assert answer.status is Status.CERTIFIED
    bounds = zip(answer.lower.ravel().tolist(), truth.exact, answer.upper.ravel().tolist(), strict=True)
    assert all(low <= x <= high for low, x, high in bounds)
    assert not (truth.optimal_actions & ~answer.optimal_actions).any()
    if not mdp.horizon:
        proven = np.flatnonzero(answer.proven_optimal & ~mdp.terminal)
        assert truth.optimal_actions[answer.policy.rows[proven]].all()


@pytest.mark.parametrize(("name", "gamma"), MODELS)
@pytest.mark.parametrize("method", CONTROL)
def test_families_are_solved_as_fractions_do(method, name, gamma):
    mdp, truth = made(name, gamma)
    if PLANNERS[method].refuses(mdp) is not None:
        pytest.skip("not a problem of this method")
    sweeping = method in ("value-iteration", "modified-policy-iteration")
    if sweeping and (gamma > 0.999 or name == "consensus"):
        pytest.skip("takes too many sweeps")
    check(solve(mdp, method), mdp, truth)
