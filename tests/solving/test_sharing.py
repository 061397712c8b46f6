"""Rows with the same outcomes are backed up once: the bits of an answer are those of each row by itself."""

from __future__ import annotations

import numpy as np
import pytest
from random_models import random_model

from tabular_rl import MDP, solve, value_iteration
from tabular_rl.model.families import inventory
from tabular_rl.solving import sharing
from tabular_rl.solving.sweeps import Sweeper


def stock(capacity=40, demand=20, gamma=0.9):
    return inventory(capacity=capacity, demand=demand, gamma=gamma)


def same(one, other):
    return all(
        np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in zip(one, other, strict=True)
    )


def backed_up_alike(one, other, seeds):
    """Yield values, and some rows, after both have backed these values up to the same bits, with other rewards too."""
    mdp = one.mdp
    for seed in range(seeds):
        v = np.random.default_rng(seed).normal(scale=10.0**seed, size=mdp.S)
        assert same(one.backup(v), other.backup(v))
        r = np.random.default_rng(seed).normal(size=mdp.L)
        assert same(one.with_rewards(r).backup(v), other.with_rewards(r).backup(v))
        yield v, np.flatnonzero(r > 0)


@pytest.mark.parametrize("calls", [1 << 20, 50])
def test_a_sweep_over_kinds_has_the_bits_of_one_over_rows(monkeypatch, calls):
    monkeypatch.setattr(sharing, "OUTCOMES", calls)
    mdp = stock()
    one, other = Sweeper(mdp), Sweeper(mdp)
    found = other.share()
    assert found is not None
    assert found.size == 41  # what is in store after ordering
    for v, rows in backed_up_alike(one, other, 5):
        assert np.array_equal(one.over(rows).rows_of(v, 0, mdp.S), other.over(rows).rows_of(v, 0, mdp.S))


def test_each_row_leads_to_its_kind():
    mdp = stock()
    found = Sweeper(mdp).share()
    ptr, to, prob = found.kinds[:3]
    kind = found.to_kinds[1].astype(int) - mdp.S
    for i in range(mdp.L):
        mine, its = slice(*mdp.row_ptr[i : i + 2]), slice(*ptr[kind[i] : kind[i] + 2])
        assert np.array_equal(mdp.next_state[mine], to[its])
        assert np.array_equal(mdp.prob[mine], prob[its])
    assert len(set(kind)) == found.size


@pytest.mark.parametrize("long", [0, 10**9])
@pytest.mark.parametrize("first", [[0, 1, 2], [4], [0, 2, 3, 9], [1, 5, 6, 7, 11]])
def test_outcomes_of_rows_are_sliced_or_gathered(monkeypatch, first, long):
    monkeypatch.setattr(sharing, "LONG", long)
    mdp, first = random_model(3, S=9, A=4, exact=False), np.array(first)
    to, prob = sharing._outcomes(mdp, mdp.next_state, first, (mdp.row_ptr[1:] - mdp.row_ptr[:-1])[first])
    own = [k for i in first for k in range(mdp.row_ptr[i], mdp.row_ptr[i + 1])]
    assert to.tolist() == mdp.next_state[own].tolist()
    assert prob.tolist() == mdp.prob[own].tolist()


def dense(S=120, A=3, **differs):
    """Every state can follow every other; `differs`: next states of the last row, in another order or fewer."""
    rng = np.random.default_rng(1)
    rows = [(np.arange(S), rng.random(S)) for _ in range(S * A)]
    for to in differs.values():
        rows[-1] = (to, rng.random(len(to)))
    return MDP.from_rows(
        pair_ptr=np.arange(0, S * A + 1, A), pair_action=np.tile(np.arange(A), S),
        row_ptr=np.cumsum([0, *(len(to) for to, _ in rows)]),
        next_state=np.concatenate([to for to, _ in rows]).astype(np.int32),
        prob=np.concatenate([p / p.sum() for _, p in rows]), r=rng.random(S * A), gamma=0.9, normalize=True,
    )  # fmt: skip


@pytest.mark.parametrize("calls", [1 << 20, 1000])
@pytest.mark.parametrize("last", [np.arange(120), np.arange(3, 119)])
def test_dense_rows_that_are_added_up_four_at_a_time_keep_their_bits(monkeypatch, calls, last):
    monkeypatch.setattr(sharing, "OUTCOMES", calls)
    mdp = dense(last=last)
    one, other = Sweeper(mdp), Sweeper(mdp)
    assert other.runs().tolist() == [0] * (mdp.L - 1) + [last[0]]
    assert other.dense is not None
    for v, rows in backed_up_alike(one, other, 3):
        assert same(one.over(rows).backup(v), other.over(rows).backup(v))
    assert same(one.backup(v), other.of(mdp).backup(v))


def test_rows_that_are_short_or_no_runs_are_added_up_one_by_one():
    for mdp in (dense(S=90), dense(last=np.delete(np.arange(120), 60)), random_model(1, S=9)):
        sweeper = Sweeper(mdp)
        sweeper.runs()
        assert sweeper.dense is None


def test_rows_are_compared_where_they_are_long_and_some_are_alike_alone():
    rng = np.random.default_rng(0)
    P = rng.random((30, 4, 30))
    wide = MDP(P / P.sum(axis=2, keepdims=True), rng.random((30, 4)), 0.9, axes="sas", normalize=True)
    short = random_model(1, S=9)
    assert [Sweeper(mdp).share() for mdp in (wide, short)] == [None, None]


def test_rows_that_are_mostly_of_their_own_are_swept_as_they_are():
    """A few rows are alike, and as many kinds are left as half of the rows."""
    rng = np.random.default_rng(0)
    P = rng.random((60, 4, 30))
    P[:, 1] = P[:, 0]
    P[:, 3] = P[:, 2]
    P = np.concatenate([P, np.zeros((60, 4, 30))], axis=2)
    mdp = MDP(P / P.sum(axis=2, keepdims=True), rng.random((60, 4)), 0.9, axes="sas", normalize=True)
    assert Sweeper(mdp).share() is None


@pytest.mark.parametrize("sign", [1, -1])
def test_action_elimination_over_kinds_proves_what_value_iteration_proves(sign, monkeypatch):
    mdp = stock(gamma=0.99).replace(sense="max" if sign > 0 else "min")
    looked = []
    monkeypatch.setattr(
        Sweeper, "share", lambda self, share=Sweeper.share: looked.append(share(self)) or looked[-1]
    )
    answer, slow = solve(mdp, "action-elimination"), value_iteration(mdp, tolerance=1e-9)
    assert looked[0] is not None
    assert answer.status.reached
    assert np.all(answer.lower <= slow.upper)
    assert np.all(slow.lower <= answer.upper)
    assert np.array_equal(answer.optimal_actions | slow.optimal_actions, answer.optimal_actions)


def test_groups_of_states_are_corrected_over_kinds_too():
    """A model of long rows that mixes slowly: its chain of groups is that of the states."""
    mdp = stock(capacity=300, demand=20, gamma=0.999)
    answer = solve(mdp, "action-elimination")
    slow = solve(mdp, "policy-iteration")
    assert answer.status.reached
    assert np.all(answer.lower <= slow.upper)
    assert np.all(slow.lower <= answer.upper)
