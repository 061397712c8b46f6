"""Sweeps: kernels block by block, on one thread or several, give the bits of the slow twins."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from random_models import random_model, random_policy

from tabular_rl import NumericalError, Policy
from tabular_rl.solving.run import Run, Stop
from tabular_rl.solving.sweeps import Sweeper, check_finite

SAMPLES = [
    random_model(seed, exact=seed % 2 == 0, sense="min" if seed % 3 else "max", S=9, ends=seed % 3)
    for seed in range(6)
]


@pytest.fixture(params=[1 << 20, 3], ids=["one block", "many blocks"])
def blocks(request, monkeypatch):
    monkeypatch.setattr("tabular_rl.solving.sweeps.OUTCOMES_OF_A_BLOCK", request.param)


def values(mdp, seed=0):
    v = np.random.default_rng(seed).normal(scale=10, size=mdp.S)
    v[mdp.terminal] = 0
    return v


def numbers(mdp):
    return mdp.row_ptr, mdp.next_state, mdp.prob, mdp.r, mdp.gamma, mdp.sign


def span():
    return [math.inf, -math.inf]


def test_optimal_sweep_is_the_slow_one(blocks):
    for mdp in SAMPLES:
        v, out, rows = values(mdp), np.empty(mdp.S), np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
        found = Sweeper(mdp).optimal(v, out, rows)
        slow, slow_rows, change = [0.0] * mdp.S, [0] * mdp.S, span()
        reference.optimal_backup(mdp.pair_ptr, *numbers(mdp), v, 0, mdp.S, change, slow_rows, slow)
        assert out.tolist() == slow and rows.tolist() == slow_rows and list(found) == change


@pytest.mark.parametrize("forward", [True, False])
def test_sweep_in_place_is_the_slow_one(blocks, forward):
    for mdp in SAMPLES:
        v, rows = values(mdp), np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
        slow, slow_rows, change = v.tolist(), [0] * mdp.S, span()
        found = Sweeper(mdp).optimal_in_place(v, rows, forward)
        order = (0, mdp.S, 1) if forward else (mdp.S - 1, -1, -1)
        reference.optimal_backup_in_place(mdp.pair_ptr, *numbers(mdp), *order, change, slow_rows, slow)
        assert v.tolist() == slow and rows.tolist() == slow_rows and list(found) == change


def test_policy_sweeps_are_the_slow_ones(blocks):
    for mdp in SAMPLES:
        fixed, mixed = random_policy(mdp, 1, stochastic=False), random_policy(mdp, 1)
        for forward in (None, True, False):
            order = (0, mdp.S) if forward is None else (0, mdp.S, 1) if forward else (mdp.S - 1, -1, -1)
            for policy in (fixed, mixed):
                v, out, change = values(mdp), np.empty(mdp.S), span()
                slow = [0.0] * mdp.S if forward is None else v.tolist()
                start = [v] if forward is None else []
                which = ("chosen_backup" if policy is fixed else "mixed_backup") + (
                    "" if forward is None else "_in_place"
                )
                args = numbers(mdp) if policy is fixed else (mdp.pair_ptr, *numbers(mdp))
                weight = policy.rows if policy is fixed else policy.probs
                getattr(reference, which)(*args, weight, *start, *order, change, slow)
                if forward is None:
                    found = Sweeper(mdp).policy(policy, v, out)
                else:
                    found, out = Sweeper(mdp).policy_in_place(policy, v, forward), v
                assert out.tolist() == slow and list(found) == change, which


def test_rows_of_states_are_their_backups():
    for mdp in SAMPLES:
        v = values(mdp)
        slow = [reference.backup(i, *numbers(mdp), v) for i in range(mdp.L)]
        assert Sweeper(mdp).rows_of(v, 0, mdp.S).tolist() == slow
        a, b = int(mdp.pair_ptr[2]), int(mdp.pair_ptr[5])
        assert Sweeper(mdp).rows_of(v, 2, 5).tolist() == slow[a:b]


def test_threads_give_the_same_bits():
    mdp = random_model(3, exact=False, S=3000, A=4, N=10, gamma=0.9)
    v, found = values(mdp), []
    for threads in (1, 2, 3, 7):
        sweeper = Sweeper(mdp, threads=threads)
        assert len(sweeper.blocks) == 1 if threads == 1 else len(sweeper.blocks) > threads
        out, rows = np.empty(mdp.S), np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
        change = sweeper.optimal(v, out, rows)
        sweeper.close()
        found.append((out.tobytes(), rows.tobytes(), change))
    assert len(set(found)) == 1


def test_error_in_a_thread_reaches_the_caller():
    mdp = random_model(3, exact=False, S=3000, A=4, N=10, gamma=0.9)
    sweeper = Sweeper(mdp, threads=2)
    with pytest.raises(ZeroDivisionError):
        sweeper._each(lambda first, last, span: 1 / 0)
    sweeper.close()


@pytest.mark.parametrize("threads", [1, 2])
def test_clock_is_looked_at_within_a_sweep(monkeypatch, threads):
    monkeypatch.setattr("tabular_rl.solving.sweeps.OUTCOMES_OF_A_BLOCK", 3)
    mdp = SAMPLES[0]
    sweeper = Sweeper(mdp, Run("m", {}, time_limit=0), threads)
    with pytest.raises(Stop):
        sweeper.optimal(values(mdp), np.empty(mdp.S), np.empty(mdp.S, dtype=mdp.pair_ptr.dtype))
    sweeper.close()


@pytest.mark.parametrize("at", [0, 4, 8])
def test_nan_is_never_taken_for_a_small_change(blocks, at):
    """NaN is below nothing and above nothing: a span that only compares would not see it."""
    mdp = random_model(1, exact=False, S=9, ends=0)
    v = values(mdp)
    v[at] = math.nan
    sweeper, rows = Sweeper(mdp), np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
    assert all(map(math.isnan, sweeper.optimal(v, np.empty(mdp.S), rows)))
    for policy in (Policy.uniform(mdp), random_policy(mdp, 1, stochastic=False)):
        assert all(map(math.isnan, sweeper.policy(policy, v, np.empty(mdp.S))))
        assert all(map(math.isnan, sweeper.policy_in_place(policy, v.copy())))
    assert all(map(math.isnan, sweeper.optimal_in_place(v.copy(), rows)))


def test_first_state_that_is_not_finite_is_named():
    mdp = SAMPLES[1]
    check_finite(mdp, np.zeros(mdp.S), "now")
    for wrong in (math.nan, math.inf, -math.inf):
        v = np.zeros(mdp.S)
        v[[3, 5]] = wrong
        with pytest.raises(
            NumericalError, match=f"overflow at state '3' now: found {wrong}, expected a finite value"
        ) as caught:
            check_finite(mdp, v, "now")
        assert caught.value.exit_code == 3


def test_model_without_rows_has_nothing_to_change():
    from tabular_rl import MDP

    ends = MDP.from_rows(
        pair_ptr=[0, 0], pair_action=[], row_ptr=[0], next_state=[], prob=[], r=[], gamma=0.5, terminal=[True]
    )
    out = np.array([7.0])
    assert Sweeper(ends).optimal(np.zeros(1), out, np.empty(1, dtype=np.int32)) == (0.0, 0.0) and out[0] == 0
