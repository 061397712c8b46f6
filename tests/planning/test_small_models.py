"""A small model is solved with little work: what is started, loaded, solved and looked at is counted, never timed."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

import tabular_rl
from tabular_rl import MDP, Policy, solve
from tabular_rl.certificates import certificate
from tabular_rl.certificates.total import TotalCertifier
from tabular_rl.methods.planning import _lists
from tabular_rl.methods.planning._goal import Goal
from tabular_rl.model import decisions, policy, rounding
from tabular_rl.solving import elimination
from tabular_rl.solving.cost import Facts
from tabular_rl.solving.sweeps import Sweeper

P = np.array(
    [[[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]], [[0.3, 0.3, 0.4], [0, 0.5, 0.5]], [[1, 0, 0], [0.2, 0.2, 0.6]]]
)
R = np.array([[1.0, 2], [0, 0.5], [-1, 3]])


@pytest.fixture
def counted(monkeypatch):
    """Count the calls of functions, by name."""
    calls: dict[str, int] = {}

    def count(owner, name):
        function = getattr(owner, name)

        def counting(*args, **more):
            calls[name] = calls.get(name, 0) + 1
            return function(*args, **more)

        monkeypatch.setattr(owner, name, counting)
        return calls

    return count


def test_small_solve_starts_no_thread(monkeypatch):
    def refuse(_):
        raise AssertionError("a thread was started")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert solve(MDP(P, R, 0.95)).status.name == "CERTIFIED"


def test_small_solve_loads_no_sparse_matrices():
    code = (
        "import sys, tabular_rl as t; a = t.solve(t.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)); "
        "assert a.status.name == 'CERTIFIED'; print('scipy.sparse' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["False"], done.stderr


def test_one_system_is_solved_for_each_improvement(counted):
    calls = counted(_lists, "solved")
    answer = solve(MDP(P, R, 0.95))
    assert answer.work == {"linear solves": 1, "improvements": 1}
    assert calls == {"solved": 1}


def test_an_improvement_and_its_proof_are_one_sweep(counted):
    calls = counted(Sweeper, "each")
    answer = solve(MDP(P, R, 0.95))
    assert answer.work == {"linear solves": 1, "improvements": 1}
    assert calls == {"each": 1}, "policies are improved in lists"


def test_rows_that_a_sweep_has_found_are_not_looked_at_again(counted):
    calls, mdp = counted(policy, "check_rows"), MDP(P, R, 0.95)
    found = solve(mdp).policy
    assert found["0"] == "1"
    assert calls == {}
    Policy(mdp, rows=found.rows)
    assert calls == {"check_rows": 1}, "those that a caller gives are"


@pytest.mark.parametrize("seed", range(20))
def test_dense_chain_is_the_sparse_one(seed):
    rng = np.random.default_rng(seed)
    S, A = int(rng.integers(1, 7)), int(rng.integers(1, 4))
    states, rows = S + 1, S * A  # the last state is terminal
    counts = rng.integers(1, 5, rows)
    prob = np.concatenate([rng.multinomial(64, np.ones(n) / n) / 64 for n in counts])
    mdp = MDP.from_rows(
        pair_ptr=np.append(np.arange(0, rows + 1, A), rows),
        pair_action=np.tile(np.arange(A), S),
        row_ptr=np.append(0, np.cumsum(counts)),
        next_state=rng.integers(0, states, len(prob)),  # a state may be met twice in a row
        prob=prob,
        reward=rng.integers(-8, 8, len(prob)) / 1.0,
        gamma=0.9,
        terminal=np.arange(states) == S,
    )
    chosen = np.append(np.arange(S) * A + rng.integers(0, A, S), -1)
    for pi in (Policy(mdp, rows=chosen), Policy.uniform(mdp)):
        sparse, r = Sweeper(mdp).policy_system(pi)
        full, r_full = Sweeper(mdp).policy_system(pi, dense=True)
        assert full == pytest.approx(sparse.toarray(), abs=1e-15)
        assert r_full == pytest.approx(r, abs=1e-15)


def test_a_wrong_row_is_named():
    mdp = MDP(
        [[[0.0, 1.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]], np.zeros((2, 2)), 0.9, axes="sas", terminal=[1]
    )
    with pytest.raises(tabular_rl.OptionError, match="state '0': found row 2, expected one of 0 to 1"):
        decisions.check_rows(mdp, np.array([2, -1]))
    with pytest.raises(tabular_rl.OptionError, match="state '1': found row 0, expected -1, a terminal state"):
        decisions.check_rows(mdp, np.array([0, 0]))


def test_no_look_at_the_rows_is_taken_to_choose_a_method(monkeypatch):
    def refuse(_):
        raise AssertionError("an estimate looked at the rows")

    for fact in ("moves", "ends", "successors"):
        monkeypatch.setattr(Facts, fact, property(refuse))
    assert solve(MDP(P, R, 0.95)).method == "policy-iteration"


def test_numbers_of_a_certificate_are_formed_once(counted):
    calls = counted(certificate, "largest_width")
    for cached in (rounding._error, rounding._shared_error):
        cached.cache_clear()
    rounding._factors.cache_clear()
    assert solve(MDP(P, R, 0.95)).status.reached
    assert calls == {"largest_width": 1}
    assert rounding._shared_error.cache_info().misses == 1, "values are centred once"
    assert rounding._factors.cache_info().misses == 1


def test_ties_take_one_proof(counted):
    """From s straight on for 1, or by x for 1/2 and 1/2: the first action is taken, and proven at once."""
    calls, half = counted(TotalCertifier, "certificate"), "1/2"
    steps = [("s", "by", "x", 1, half), ("s", "on", "t", 1, 1), ("x", "on", "t", 1, half)]
    answer = solve(MDP.from_outcomes(steps, 1, terminal=["t"], sense="min"), "policy-iteration")
    assert answer.status.name == "CERTIFIED"
    assert (answer["s"], answer.policy["s"]) == (1.0, "by")
    assert calls == {"certificate": 1}


def test_an_upper_bound_that_is_off_by_rounding_is_not_carried_back_again(counted):
    """120 cells that are left with 2/3 a step, for 1, or surely for 2: 3/2 each."""
    calls, steps = counted(Sweeper, "carry_back"), []
    for s in range(120):
        here, there = str(s), str(s + 1)
        steps += [(here, "try", there, "2/3", 1), (here, "try", here, "1/3", 1), (here, "go", there, 1, 2)]
    answer = solve(MDP.from_outcomes(steps, 1, terminal=["120"], sense="min"), "policy-iteration")
    assert answer.lower[0] <= 180 <= answer.upper[0]
    assert answer.bound < 1e-9
    assert calls == {"carry_back": 1}


def test_where_one_policy_is_proven_the_only_best_no_tie_is_looked_for(counted):
    calls = counted(Goal, "_of_lowest")
    assert solve(MDP(P, R, 0.95)).proven_optimal.all()
    assert calls == {}
    assert not solve(MDP([[[1.0], [1.0]]], [[1.0, 1.0]], 0.95)).proven_optimal.all()
    assert calls == {"_of_lowest": 1}


@pytest.mark.parametrize(("states", "looks"), [(1000, {}), (1001, {"first_rows_are_thin": 1})])
def test_up_to_1000_states_no_chain_is_solved_to_choose_a_method(counted, states, looks):
    calls, n = counted(elimination, "first_rows_are_thin"), states - 1
    rows = {"row_ptr": np.arange(0, 2 * n + 1, 2), "prob": np.full(2 * n, 0.5), "r": -np.ones(n)}
    to = np.stack([np.arange(n), np.arange(n) + 1], axis=1).ravel()  # half of the time a cell on
    mdp = MDP.from_rows(
        pair_ptr=np.append(np.arange(n + 1), n), pair_action=np.zeros(n, int), next_state=to, gamma=1,
        terminal=np.arange(states) == n, **rows,
    )  # fmt: skip
    assert Facts(mdp).thin
    assert calls == looks
