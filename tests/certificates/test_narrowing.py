"""Rows that a finite horizon leaves out at earlier times are proven worse there, and values are those of all rows."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from random_models import random_model

from tabular_rl import MDP, backward_induction
from tabular_rl.certificates import narrowing
from tabular_rl.model.rounding import up
from tabular_rl.solving.sweeps import Sweeper


@pytest.fixture
def eager(monkeypatch):
    """Leave rows out wherever there are some that can be; return how many are swept, as it is decided."""
    monkeypatch.setattr(narrowing, "COPYING", 0)
    monkeypatch.setattr(narrowing, "MOST", 0.999)
    listed, over = [], Sweeper.over
    monkeypatch.setattr(
        Sweeper, "over", lambda self, rows: listed.append((len(rows), self.mdp.L)) or over(self, rows)
    )
    return listed


def solved_both_ways(mdp, monkeypatch):
    answer = backward_induction(mdp)
    with monkeypatch.context() as patch:
        patch.setattr(narrowing.Narrowing, "look", lambda *_: None)
        whole = backward_induction(mdp)
    assert answer.v.tobytes() == whole.v.tobytes()
    assert answer.lower.tobytes() == whole.lower.tobytes()
    assert answer.policy == whole.policy
    assert not (answer.optimal_actions & ~whole.optimal_actions).any()
    return answer, whole


def test_values_are_those_of_all_rows_and_what_is_left_out_is_worse(eager, monkeypatch):
    fewer = 0
    for seed in range(40):
        mdp = random_model(
            seed, "finite-horizon", exact=seed % 2 == 0, sense=("max", "min")[seed % 3 == 0], S=2 + seed % 4, A=4,
            gamma=("1/2", "9/10", "1")[seed % 3],
        ).replace(horizon=9)  # fmt: skip
        answer, _ = solved_both_ways(mdp, monkeypatch)
        truth = reference.exact_optimal_value(mdp)
        for t in range(mdp.horizon):
            q = reference.exact_q(mdp, truth[t + 1])
            for i in np.flatnonzero(~answer.optimal_actions[t]).tolist():
                gap = truth[t][mdp.state_of_row(i)] - q[i]
                assert (gap if mdp.sense == "max" else -gap) > 0, (seed, t, i)
                fewer += 1
    assert len(eager) > 20
    assert all(0 < rows < L for rows, L in eager)
    assert fewer > 1000


def test_more_is_left_out_as_values_become_alike(eager, monkeypatch):
    rng = np.random.default_rng(1)
    P = rng.dirichlet(np.ones(20), size=(20, 8))
    mdp = MDP(P, rng.random((20, 8)), 0.9, horizon=40, axes="sas")
    answer, whole = solved_both_ways(mdp, monkeypatch)
    sizes = [rows for rows, _ in eager]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 40 < 160
    assert (answer.optimal_actions[0] == whole.optimal_actions[0]).all(), "20 gaps of any size are decided"


def test_a_row_comes_back_when_values_move_farther_than_was_foreseen(eager, monkeypatch):
    """To go is worth 3 in the end; from 4 steps before on to stay: it earns where it leads to only there."""
    to = np.zeros((7, 2, 7))
    for s in range(7):
        to[s, 0, min(s + 1, 6)] = 1.0
        to[s, 1, 0] = 1.0
    rewards = np.zeros((7, 2))
    rewards[:, 1] = 0.01
    rewards[6, 0] = 5.0
    mdp = MDP(to, rewards, 1, horizon=30, axes="sas")
    monkeypatch.setattr(narrowing, "WIDER", 1e-6)
    answer, _ = solved_both_ways(mdp, monkeypatch)
    assert answer.policy.actions[0].tolist() == [0] * 7
    assert answer.policy.actions[-1].tolist() == [1] * 6 + [0]


def rows_of(gap, extra=0.0):
    """Two rows in state 0, the second worse by `gap`; where they lead earns `extra` a step."""
    P = [[[1, 0], [1, 0]], [[0, 1], [0, 1]]]
    return MDP(P, [[1, 1 - gap], [extra, extra]], 0.5, horizon=3, axes="sas")


@pytest.mark.parametrize("short", [-1, 1])
def test_a_list_holds_as_long_as_values_have_moved_less_than_the_gap(monkeypatch, short):
    """A gap of 1/4 at γ = 1/2: the other row can become the best once values have moved by 1/2 against each other."""
    monkeypatch.setattr(narrowing, "MOST", 0.9)
    mdp = rows_of(0.25)
    narrow, origin, error = narrowing.Narrowing(Sweeper(mdp)), np.zeros(2), 2.0**-50
    backup = narrow.sweeper(origin, 0.0).backup(origin)
    narrow.spread, narrow.wider = 1.0, 0.0
    narrow.look(origin, backup, error, 0.0, 0)
    assert narrow.listed is None, "nothing is left to be swept with fewer rows"
    narrow.looked = np.inf
    narrow.look(origin, backup, error, 0.0, 1000)
    assert narrow.listed is not None
    assert 1 not in narrow.listed
    assert narrow.slack <= 0.25
    moved = (narrow.slack - 2.0**-48) / 0.5 if short < 0 else up(narrow.slack / 0.5)
    assert (narrow.sweeper(np.array([0.0, moved]), 0.0) is not narrow.all) == (short < 0)
    assert narrow.sweeper(np.zeros(2), 1.0) is narrow.all, "what is not proven counts as moved"
