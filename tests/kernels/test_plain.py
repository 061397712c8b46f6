"""Kernels that are interpreted give the bits of those that are compiled, and give way to them when that is worth it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tabular_rl import Policy
from tabular_rl.kernels import _plain, bellman, elimination, graph
from tabular_rl.model.graph.search import (
    almost_surely_reaching,
    can_reach,
    components,
    end_components,
    reachable,
)
from tabular_rl.solving.sweeps import Sweeper
from tests.support.random_models import random_model


@pytest.fixture
def interpreted(monkeypatch):
    """Let kernels be interpreted, though Numba is loaded here."""

    def kernels(name, _outcomes, _rows):
        return _plain.interpreted(name)

    def use():
        for module in ("tabular_rl.solving.sweeps", "tabular_rl.model.graph.search"):
            monkeypatch.setattr(f"{module}.kernels", kernels)

    return use


def values(mdp, seed):
    """Values of many sizes, with a NaN or an infinity in some."""
    rng = np.random.default_rng(seed)
    v = rng.normal(size=mdp.S) * 10.0 ** rng.integers(-9, 9, mdp.S)
    if seed % 5 == 4:
        v[rng.integers(mdp.S)] = [np.nan, np.inf][seed % 2]
    return v


def all_sweeps(mdp, seed):
    """What a Sweeper answers, as bytes."""
    sweeper, v = Sweeper(mdp), values(mdp, seed)
    chosen, found = np.empty(mdp.S, dtype=mdp.pair_ptr.dtype), []
    for forward in (True, False):
        for source in (v, v.copy()):  # into another array, and in place
            out = np.empty(mdp.S) if source is v else source
            found += [np.array(sweeper.optimal(source, out, chosen, forward)), out, chosen.copy()]
    rng = np.random.default_rng(seed)
    rows = np.array(
        [rng.choice(mdp.rows(s)) if len(mdp.rows(s)) else -1 for s in range(mdp.S)], dtype=mdp.pair_ptr.dtype
    )
    for policy in (Policy(mdp, rows=rows), Policy.uniform(mdp)):
        out = np.empty(mdp.S)
        found += [np.array(sweeper.policy(policy, v, out)), out]
    backup = sweeper.backup(v)
    found += [backup.q, backup.best, backup.chosen, np.array([backup.low, backup.high])]
    keep = sweeper.not_worse(v, backup.best - 1.0)
    found += [keep, sweeper.sole(keep, rows), sweeper.rows_of(v, 0, mdp.S)]
    found.append(Sweeper(mdp).listed(np.arange(mdp.L)[::-1], v))
    return [(x.dtype, x.tobytes()) for x in found]


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.filterwarnings("ignore:invalid value")
def test_sweeps_have_the_same_bits(interpreted, seed):
    mdp = random_model(seed, exact=seed % 2 == 0, sense=("max", "min")[seed % 3 == 0], S=2 + seed % 7)
    compiled = all_sweeps(mdp, seed)
    interpreted()
    assert all_sweeps(mdp, seed) == compiled


def facts_of_graph(mdp, seed):
    rng = np.random.default_rng(seed)
    some, rows = rng.random(mdp.S) < 0.4, rng.random(mdp.L) < 0.7
    found = [reachable(mdp, some, rows), can_reach(mdp, some, rows), *almost_surely_reaching(mdp, some, rows)]
    found += [np.array(components(mdp, rows)[0]), components(mdp, rows)[1], *end_components(mdp, rows)]
    return [(x.dtype, x.tobytes()) for x in found]


@pytest.mark.parametrize("seed", range(25))
def test_graphs_are_the_same(interpreted, seed):
    mdp = random_model(seed, "total-reward", kind=("proper", "loops")[seed % 2], S=3 + seed % 6)
    compiled = facts_of_graph(mdp, seed)
    interpreted()
    assert facts_of_graph(mdp, seed) == compiled


def test_every_kernel_of_a_file_is_interpreted():
    for module in (bellman, graph):
        names = {name for name, x in vars(module).items() if callable(x) and name not in ("kernel", "at")}
        assert set(vars(_plain.interpreted(module.__name__.rpartition(".")[2]))) == names


def test_compiled_kernels_take_over(monkeypatch):
    assert _plain.kernels("bellman", 1) is bellman  # Numba is loaded here
    monkeypatch.delitem(sys.modules, "numba")
    monkeypatch.setattr(_plain._Spent, "outcomes", 0)
    assert _plain.kernels("bellman", _plain.SMALL) is _plain.interpreted("bellman")
    assert _plain.kernels("bellman", _plain.SMALL + 1) is bellman
    monkeypatch.setattr(_plain._Spent, "outcomes", _plain.WORTH + 1)
    assert _plain.kernels("bellman", 1) is bellman


def test_kernels_that_numpy_replaces_are_loaded_when_they_are_often_missed(monkeypatch):
    assert _plain.ready("bellman") is bellman
    monkeypatch.delitem(sys.modules, "tabular_rl.kernels.bellman")
    monkeypatch.setattr(_plain, "import_module", lambda name: f"loaded {name}")
    monkeypatch.setattr(_plain._Spent, "missed", {})
    asked = [_plain.ready("bellman") for _ in range(_plain.OFTEN + 1)]
    assert asked == [None] * _plain.OFTEN + ["loaded tabular_rl.kernels.bellman"]
    monkeypatch.delitem(sys.modules, "numba")
    assert _plain.ready("bellman") is None


def test_interpreted_kernels_count_their_work(monkeypatch):
    monkeypatch.delitem(sys.modules, "numba")
    monkeypatch.setattr(_plain._Spent, "outcomes", 0)
    _plain.kernels("bellman", 12)
    _plain.kernels("bellman", 30, 7)
    assert _plain._Spent.outcomes == 42 + 7 * _plain.ROW + 2 * _plain.CALL


def test_lists_of_read_only_arrays_are_kept_and_others_are_made_again():
    fixed, free = np.arange(3.0), np.arange(3.0)
    fixed.setflags(write=False)
    rows, other = (fixed, 0.5, ()), (free, 0.5, ())
    assert _plain._listed(rows) is _plain._listed(rows)
    assert _plain._listed(rows) == ([0.0, 1.0, 2.0], 0.5, ())
    assert _plain._listed(other)[0][0] == 0.0
    free[0] = 7.0
    assert _plain._listed(other)[0][0] == 7.0
    assert _plain._listed(rows)[0][0] == 0.0


@pytest.mark.parametrize("seed", range(6))
def test_a_dense_chain_is_solved_to_the_same_bits(seed):
    rng, n = np.random.default_rng(seed), 1 + 3 * seed
    A = rng.random((n, n)) * (rng.random((n, n)) < 0.5)
    leave = rng.random(n) * (seed != 5)  # a chain that never ends is refused
    left = []
    for module in (elimination, _plain.interpreted("elimination")):
        given = A.copy(), leave.copy(), np.arange(1.0, n + 1)
        left.append((module.solve_dense(*given), *(x.tobytes() for x in given)))
    assert left[0] == left[1]
    assert left[0][0] == (seed != 5)


SMALL = ["recycling_robot", "river_swim", "forest", "student", "windy_gridworld"]  # the last two at γ = 1


@pytest.mark.parametrize("source", SMALL)
def test_small_models_are_solved_without_numba(source):
    code = (
        f"import sys, tabular_rl as t; m = t.load('example:{source}'); a = t.solve(m); b = t.evaluate(m, 'uniform'); "
        "assert a.status.reached and b.status.reached; print('numba' in sys.modules, 'scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["False", "False"], done.stderr


@pytest.mark.parametrize("name", ["bellman", "bounds", "elimination", "flow", "graph"])
def test_interpreted_kernels_call_no_compiled_ones(name):
    """A compiled one would be handed lists, which it cannot take, and would load Numba."""
    for kernel in vars(_plain.interpreted(name)).values():
        assert not [x for x in kernel.__wrapped__.__globals__.values() if hasattr(x, "py_func")]
