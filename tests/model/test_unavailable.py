"""Rewards -inf, or costs inf, that mark unavailable actions beside full rows of P."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from tabular_rl import MDP, ModelError

pytestmark = pytest.mark.small

INF = float("inf")
P = np.array([[[0.5, 0.5], [1, 0]], [[0, 1], [1, 0]]])  # P[s, a, s2]
R = np.array([[5, 10], [-1, -INF]])
ZERO = MDP(
    np.array([P[0], [P[1, 0], [0, 0]]]), [[5, 10], [-1, 0]], 0.9, axes="sas"
)  # a zero row says the same


def by_outcome(table):
    return np.repeat(np.array(table, dtype=float)[:, :, None], 2, axis=2)


def test_a_marked_pair_is_a_row_of_zeros():
    assert MDP(P, R, 0.9, axes="sas", unavailable="-inf") == ZERO
    rows = csr_array(P.reshape(4, 2))
    assert MDP(rows, R, 0.9, unavailable="-inf") == ZERO
    assert MDP(rows, R, 0.9, unavailable=-np.inf) == ZERO
    sheets = [csr_array(P[:, a]) for a in range(2)]
    assert MDP(sheets, R, 0.9, axes="ass", unavailable="-inf") == ZERO


def test_rewards_of_outcomes_mark_whole_actions():
    found = MDP(P, by_outcome(R), 0.9, axes="sas", unavailable="-inf")
    assert found == MDP(np.array([P[0], [P[1, 0], [0, 0]]]), by_outcome([[5, 10], [-1, 0]]), 0.9, axes="sas")
    some = by_outcome([[5, 10], [-1, 0]])
    some[0, 0, 1] = -INF
    with pytest.raises(
        ModelError, match=r"state '0', action '0': found reward -inf for 1 of 2 next states, expected"
    ):
        MDP(P, some, 0.9, axes="sas", unavailable="-inf")
    some[0, 0, 1], some[0, 1, 1] = 5, -INF
    assert MDP(P, some, 0.9, axes="sas", unavailable="-inf").L == 4, "P(0, 1) never leads to 1"


def test_costs_are_marked_by_inf():
    found = MDP(P, -R, 0.9, axes="sas", unavailable="inf", sense="min")
    assert (found.L, found.r.tolist()) == (3, [-5, -10, 1])


def test_a_terminal_state_may_be_marked_all_over():
    table = [[5, 10], [-INF, -INF]]
    mdp = MDP(P, table, 0.9, axes="sas", terminal=[1], unavailable="-inf")
    assert (mdp.L, mdp.terminal.tolist()) == (2, [False, True])
    P0 = np.array([P[0], [[0, 0], [0, 0]]])
    assert MDP(P0, table, 0.9, axes="sas", terminal=[1], unavailable="-inf") == mdp
    assert MDP(P, [5, -INF], 0.9, axes="sas", terminal=[1], unavailable="-inf").r.tolist() == [5, 5]


def test_large_tensors_are_the_same_as_small_ones():
    """Their rows are made by kernels."""
    S, A = 40, 60
    rng = np.random.default_rng(0)
    large = rng.random((S, A, S))
    large /= large.sum(axis=2, keepdims=True)
    table = rng.random((S, A))
    gone = rng.random((S, A)) < 0.3
    marked, zero = np.where(gone, -INF, table), np.where(gone[:, :, None], 0, large)
    assert MDP(large, marked, 0.9, unavailable="-inf", normalize=True).digest == MDP(
        zero, table, 0.9, normalize=True
    ).digest  # fmt: skip


@pytest.mark.parametrize("rewards", [R, by_outcome(R)])
def test_a_refusal_names_both_ways(rewards):
    with pytest.raises(ModelError) as caught:
        MDP(P, rewards, 0.9, axes="sas")
    way = 'If it marks an action that is unavailable, say unavailable="-inf", or set its row of P to zero.'
    assert way in str(caught.value)
    assert str(caught.value).startswith("state '1', action '1'")
    with pytest.raises(ModelError, match='say unavailable="inf"'):
        MDP(P, -rewards, 0.9, axes="sas", sense="min")
    with pytest.raises(ModelError, match=r"unavailable: found -1e\+300, expected '-inf', 'inf' or None"):
        MDP(P, rewards, 0.9, axes="sas", unavailable=-1e300)


def test_terminal_rows_with_probabilities_name_the_repair():
    with pytest.raises(ModelError) as caught:
        MDP(P, [[5, 10], [0, 0]], 0.9, axes="sas", terminal=[1])
    assert str(caught.value) == (
        "state '1': is declared terminal and has probabilities in P, expected one or the other. Its value is 0: "
        "set these rows to zero, or leave it out of terminal=."
    )
