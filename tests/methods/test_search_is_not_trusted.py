"""No interval rests on a kernel that searches: where all of them lie, what is claimed is still true."""

from __future__ import annotations

import ast
import importlib
import math
from pathlib import Path

import numpy as np
import pytest
from random_models import random_model

import tabular_rl
from tabular_rl import NumericalError, rational
from tabular_rl.methods.lookup import PLANNERS

KERNELS = Path(tabular_rl.__file__).parent / "kernels"
FILES = sorted(path.stem for path in KERNELS.glob("search_*.py"))
CONTROL = [name for name, method in PLANNERS.items() if method.task == "control" and not method.exact]
SEARCHING = {
    "action-elimination",
    "ordered-gauss-seidel",
    "policy-iteration",
}  # the methods that have kernels there


def liar(kernel, rng, told):
    """A kernel that leaves wrong floats in the arrays that it writes to, and returns wrong changes."""

    def call(*arguments):
        before = [x.copy() if isinstance(x, np.ndarray) else None for x in arguments]
        result = kernel(*arguments)
        for x, was in zip(arguments, before, strict=True):
            written = (
                was is not None
                and x.dtype.kind == "f"
                and x.size
                and not np.array_equal(x, was, equal_nan=True)
            )
            if written and rng.random() < 0.5:
                at = rng.integers(x.size)
                x.flat[at] += rng.choice([-1.0, 1e-9, 0.3, 50.0]) if math.isfinite(x.flat[at]) else 0.0
                told.append(kernel)
        return result

    return call


@pytest.mark.parametrize("method", CONTROL)
def test_what_is_claimed_holds_where_search_lies(method, monkeypatch):
    rng, told = np.random.default_rng(0), []
    for module in ("action_elimination", "_kept_rows"):  # such small models keep most rows
        monkeypatch.setattr(f"tabular_rl.methods.planning.{module}.SHARE", 1.0)
    for file in FILES:
        module = importlib.import_module(f"tabular_rl.kernels.{file}")
        inner = {
            node.id
            for node in ast.walk(ast.parse(Path(module.__file__).read_text()))
            if isinstance(node, ast.Name)
        }
        for name, x in list(vars(module).items()):
            if hasattr(x, "py_func") and x.py_func.__module__ == module.__name__ and name not in inner:
                monkeypatch.setattr(module, name, liar(x, rng, told))
    given = {"sweeps": 200, "linear_solver": "elimination"}
    more = {name: x for name, x in given.items() if name in PLANNERS[method].defaults}
    for seed in range(8):
        mdp = random_model(seed, exact=True, sense="min" if seed % 2 else "max", S=7, ends=seed % 3)
        if PLANNERS[method].refuses(mdp) is not None:
            continue
        truth = rational(mdp).exact
        try:
            answer = tabular_rl.solve(mdp, method, **more)
        except NumericalError:
            continue  # said so, and claimed nothing
        if answer.lower is None:
            continue
        assert all(low <= x <= high for low, x, high in zip(answer.lower, truth, answer.upper, strict=True))
        best = [
            i for i in range(mdp.L) if answer.optimal_actions is not None and not answer.optimal_actions[i]
        ]
        v = list(truth)
        for i in best:  # an action that is said to be worse is worse
            s = int(mdp.pair_state[i])
            q = sum(p * (r + mdp.gamma_exact * v[to]) for to, p, r in mdp.rational_outcomes(i))
            assert q < v[s] if mdp.sense == "max" else q > v[s]
    assert bool(told) == (method in SEARCHING)
