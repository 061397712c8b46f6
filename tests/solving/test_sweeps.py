"""Sweeps: kernels block by block, on one thread or several, give the bits of the slow twins."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from random_models import random_model, random_policy

from tabular_rl import MDP, NumericalError, Policy
from tabular_rl.certificates import certifier
from tabular_rl.solving.run import Run, Stop
from tabular_rl.solving.sweeps import Sweeper

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


def rows_of(mdp):
    return mdp.row_ptr, mdp.next_state, mdp.prob, mdp.r, mdp.gamma, mdp.sign


def order(mdp, forward):
    return (0, mdp.S, 1) if forward else (mdp.S - 1, -1, -1)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("forward", [True, False])
def test_optimal_sweep_is_the_slow_one(blocks, forward, in_place):
    for mdp in SAMPLES:
        v, chosen = values(mdp), np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
        slow, slow_chosen, change = v.copy(), [0] * mdp.S, [math.inf, -math.inf]
        slow_out = slow if in_place else np.empty(mdp.S)
        reference.optimal_backup(
            mdp.pair_ptr, rows_of(mdp), slow, *order(mdp, forward), change, slow_chosen, slow_out
        )
        out = v if in_place else np.empty(mdp.S)
        found = Sweeper(mdp).optimal(v, out, chosen, forward)
        assert out.tolist() == slow_out.tolist()
        assert chosen.tolist() == slow_chosen
        assert list(found) == change


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("forward", [True, False])
def test_policy_sweeps_are_the_slow_ones(blocks, forward, in_place):
    for mdp in SAMPLES:
        for fixed in (True, False):
            policy = random_policy(mdp, 1, stochastic=not fixed)
            v, slow, change = values(mdp), values(mdp), [math.inf, -math.inf]
            slow_out = slow if in_place else np.empty(mdp.S)
            block = (slow, *order(mdp, forward), change, slow_out)
            if fixed:
                reference.chosen_backup(rows_of(mdp), policy.rows, *block)
            else:
                reference.mixed_backup(mdp.pair_ptr, rows_of(mdp), policy.probs, *block)
            out = v if in_place else np.empty(mdp.S)
            found = Sweeper(mdp).policy(policy, v, out, forward)
            assert out.tolist() == slow_out.tolist()
            assert list(found) == change


def test_rows_of_states_are_their_backups():
    for mdp in SAMPLES:
        v = values(mdp)
        slow = [reference.row_value(rows_of(mdp), i, v) for i in range(mdp.L)]
        assert Sweeper(mdp).rows_of(v, 0, mdp.S).tolist() == slow
        a, b = int(mdp.pair_ptr[2]), int(mdp.pair_ptr[5])
        assert Sweeper(mdp).rows_of(v, 2, 5).tolist() == slow[a:b]
        assert Sweeper(mdp).listed(np.arange(mdp.L)[::-1], v).tolist() == slow[::-1]


def test_a_backup_is_a_sweep_that_is_kept(monkeypatch):
    for mdp in SAMPLES:
        v, sweeper = values(mdp), Sweeper(mdp)
        slow = [reference.row_value(rows_of(mdp), i, v) for i in range(mdp.L)]
        out, chosen = np.empty(mdp.S), np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
        low, high = sweeper.optimal(v, out, chosen)
        kept = sweeper.backup(v)
        assert kept.q.tolist() == slow
        assert (kept.best.tolist(), kept.chosen.tolist()) == (out.tolist(), chosen.tolist())
        assert (kept.low, kept.high) == (low, high)
        with monkeypatch.context() as patch:
            patch.setattr(sweeper, "each", None)  # no sweep
            assert sweeper.backup(v.copy()) is kept
            near = sweeper.not_worse(v, out - 1.0)
            assert near.tolist() == [q >= out[s] - 1 for q, s in zip(slow, mdp.pair_state, strict=True)]
            assert sweeper.listed(np.arange(mdp.L)[::-1], v).tolist() == slow[::-1]
        v[0] += 1.0
        fresh = [reference.row_value(rows_of(mdp), i, v) for i in range(mdp.L)]
        assert sweeper.backup(v).q.tolist() == fresh
        assert sweeper.with_rewards(np.zeros(mdp.L)).last is None


def test_a_certificate_and_its_decisions_are_one_sweep(monkeypatch):
    counted = []
    plain = Sweeper.each
    monkeypatch.setattr(Sweeper, "each", lambda self, *a: counted.append(1) or plain(self, *a))
    for mdp in SAMPLES:
        counted.clear()
        judge = certifier(mdp)
        first = judge.certificate(values(mdp))
        proof = judge.decided(first)
        assert proof.keep.shape == (mdp.L,)
        again = judge.certificate(values(mdp), judge.rows)
        assert len(counted) == 1
        assert again.lower.tolist() == first.lower.tolist()


def test_other_rewards_are_those_of_a_total():
    for mdp in SAMPLES:
        v, r, out = values(mdp), np.arange(float(mdp.L)), np.empty(mdp.S)
        other = Sweeper(mdp).with_rewards(r)
        slow = reference.row_value((mdp.row_ptr, mdp.next_state, mdp.prob, r, 1.0, 1.0), 0, v)
        assert other.rows_of(v, 0, mdp.S)[0] == slow
        policy = random_policy(mdp, 1)
        other.policy(policy, v, out)
        P_pi, r_pi = other.policy_system(policy)
        assert out == pytest.approx(r_pi + P_pi @ v)
        assert other.of(SAMPLES[0]).mdp is SAMPLES[0]


def test_norm_and_span_are_over_the_states():
    mdp = SAMPLES[1]
    v = np.where(mdp.terminal, -99.0, np.arange(float(mdp.S)))
    sweeper = Sweeper(mdp)
    assert mdp.terminal.any()
    assert sweeper.norm(v) == 99
    assert sweeper.span(v) == (v[~mdp.terminal].min(), v[~mdp.terminal].max())
    v[np.flatnonzero(~mdp.terminal)[0]] = math.nan
    assert math.isnan(sweeper.norm(v))
    assert all(map(math.isnan, sweeper.span(v)))


def test_values_that_were_checked_are_not_looked_at_again():
    """The least and the largest are known from those before a constant is taken off: rounding keeps their order."""
    mdp = random_model(0, S=9, ends=0, gamma="9/10")
    v = 1000.0 + np.linspace(-1, 1, 9) / 3
    judge = certifier(mdp)
    swept = judge.checked(v)
    assert not swept.flags.writeable
    assert v.flags.writeable
    assert judge.sweeper.extent(swept) == (min(swept), max(swept))
    assert judge.checked(swept) is swept
    assert judge.sweeper.backup(swept).v is swept
    v[:] = 5.0
    assert judge.sweeper.backup(v).v is not v
    assert judge.sweeper.extent(v) == (5.0, 5.0)
    v[2] = math.nan
    assert all(map(math.isnan, judge.sweeper.extent(v)))


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
        sweeper.each(lambda *block: 1 / 0, False, True)
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
        own = v.copy()
        assert all(map(math.isnan, sweeper.policy(policy, own, own)))
    own = v.copy()
    assert all(map(math.isnan, sweeper.optimal(own, own, rows)))


def test_first_state_that_is_not_finite_is_named():
    mdp = SAMPLES[1]
    sweeper = Sweeper(mdp)
    sweeper.check_finite(np.zeros(mdp.S), "now")
    for wrong in (math.nan, math.inf, -math.inf):
        v = np.zeros(mdp.S)
        v[[3, 5]] = wrong
        with pytest.raises(
            NumericalError, match=f"overflow at state '3' now: found {wrong}, expected a finite value"
        ) as caught:
            sweeper.check_finite(v, "now")
        assert caught.value.exit_code == 3


def test_model_without_rows_has_nothing_to_change():
    from tabular_rl import MDP

    ends = MDP.from_rows(
        pair_ptr=[0, 0], pair_action=[], row_ptr=[0], next_state=[], prob=[], r=[], gamma=0.5, terminal=[True]
    )
    out = np.array([7.0])
    assert Sweeper(ends).optimal(np.zeros(1), out, np.empty(1, dtype=np.int32)) == (0.0, 0.0)
    assert out[0] == 0
    assert Sweeper(ends).span(out) == (0.0, 0.0)


def test_uneven_rows_are_read_at_one_width_with_the_same_bits(monkeypatch):
    monkeypatch.setattr("tabular_rl.solving.sweeps.SMALL", 0)
    models = [random_model(seed, S=12, A=4, N=9, ends=seed % 2) for seed in range(6)]
    assert {len(Sweeper(mdp).width) for mdp in models} & {8, 10}
    assert not any(len(Sweeper(mdp).width) for mdp in SAMPLES), "short rows end where they end"
    for mdp in models:
        v, sweeper = values(mdp), Sweeper(mdp)
        slow = [reference.row_value(rows_of(mdp), i, v) for i in range(mdp.L)]
        assert sweeper.backup(v).q.tolist() == slow
        out, chosen = np.empty(mdp.S), np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
        sweeper.optimal(v, out, chosen)
        assert sweeper.last is not None
        assert out.tolist() == sweeper.last.best.tolist()
        assert out[~mdp.terminal].tolist() == [slow[i] for i in chosen[~mdp.terminal]]


@pytest.mark.parametrize(
    ("lengths", "width"), [([8] * 9, 0), ([4, 8] * 9, 8), ([1, 1, 1, 9], 0), ([9, 17], 0), ([2, 3], 0)]
)
def test_a_width_is_for_rows_whose_ends_cannot_be_foreseen(monkeypatch, lengths, width):
    monkeypatch.setattr("tabular_rl.solving.sweeps.SMALL", 0)
    rows, S = len(lengths), 17
    mdp = MDP.from_rows(
        pair_ptr=[0, rows] + [rows] * (S - 1), pair_action=range(rows), row_ptr=[0, *np.cumsum(lengths)],
        next_state=[s for n in lengths for s in range(n)], prob=[1 / n for n in lengths for _ in range(n)],
        r=[0.0] * rows, gamma=0.5, start=np.eye(S)[0], terminal=np.arange(S) > 0,
    )  # fmt: skip
    assert len(Sweeper(mdp).width) == width
