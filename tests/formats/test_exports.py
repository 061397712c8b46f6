"""What other tools take: the arrays by hand, there and back, and what they cannot hold."""

from __future__ import annotations

import numpy as np
import pytest

from tabular_rl import MDP, ModelError, load, solve

pytestmark = pytest.mark.small

WALK = [("a", "go", "b", 0.5, 1.0), ("a", "go", "a", 0.5, 1.0), ("a", "rest", "a", 1.0, 0.0),
        ("b", "go", "end", 1.0, 4.0), ("b", "rest", "b", 1.0, -1.0)]  # fmt: skip


def walk(**options):
    return MDP.from_outcomes(WALK, 0.5, terminal=["end"], **options)


@pytest.mark.parametrize("sparse", [False, True])
def test_arrays_for_the_toolbox_are_those_by_hand(sparse):
    P, R, discount = walk().to_toolbox(sparse=sparse)
    matrices = [np.asarray(x.todense()) if sparse else x for x in P]
    assert [x.tolist() for x in matrices] == [
        [[0.5, 0.5, 0], [0, 0, 1], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    ]
    assert R.tolist() == [[1, 0], [4, -1], [0, 0]]
    assert discount == 0.5


@pytest.mark.parametrize("sparse", [False, True])
def test_rewards_by_next_state_go_to_the_toolbox(sparse):
    """Two outcomes with one next state and one reward are one probability and one reward."""
    outcomes = [
        ("a", "go", "b", 0.25, 3),
        ("a", "go", "b", 0.25, 3),
        ("a", "go", "a", 0.5, 1),
        ("b", "go", "b", 1.0, 0),
    ]
    P, R, _ = MDP.from_outcomes(outcomes, 0.5).to_toolbox(sparse=sparse)
    P, R = (np.asarray(x[0].todense()) if sparse else x[0] for x in (P, R))
    assert (P.tolist(), R.tolist()) == ([[0.5, 0.5], [0, 1]], [[1, 3], [0, 0]])


def test_arrays_for_quantecon_are_those_by_hand():
    mdp = MDP.from_outcomes([row for row in WALK if row[:2] != ("a", "rest")], 0.5, terminal=["end"])
    R, Q, beta = mdp.to_quantecon()
    assert R.tolist() == [[1, -np.inf], [4, -1], [0, 0]]
    assert Q.tolist() == [[[0.5, 0.5, 0], [0, 0, 0]], [[0, 0, 1], [0, 1, 0]], [[0, 0, 1], [0, 0, 1]]]
    assert beta == 0.5
    r, q, _, s, a = mdp.to_quantecon(sparse=True)
    assert (r.tolist(), s.tolist(), a.tolist()) == ([1, 4, -1, 0], [0, 1, 1, 2], [0, 0, 1, 0])
    assert q.toarray().tolist() == [[0.5, 0.5, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]]


def test_there_and_back_is_the_same_model():
    """Without terminal states nothing is lost; with them the values are the same."""
    mdp = MDP([[[0.1, 0.9], [1, 0]], [[0.5, 0.5], [0.3, 0.7]]], [[1, 2], [3, -4]], 0.9, axes="sas")
    for sparse in (False, True):
        assert MDP.from_toolbox(*mdp.to_toolbox(sparse=sparse)) == mdp
        assert MDP.from_quantecon(*mdp.to_quantecon(sparse=sparse)) == mdp
    by_next = MDP([[[0.1, 0.9], [1, 0]]], [[[1, 2], [3, 0]]], 0.9, axes="ass")
    for sparse in (False, True):
        assert MDP.from_toolbox(*by_next.to_toolbox(sparse=sparse)) == by_next
    values = solve(walk()).v.tolist()
    assert solve(MDP.from_toolbox(*walk().to_toolbox())).v.tolist() == pytest.approx(values, abs=1e-9)
    assert solve(MDP.from_quantecon(*walk().to_quantecon())).v.tolist() == pytest.approx(values, abs=1e-9)
    assert MDP.from_dictionary(walk().to_dictionary(), 0.5) == walk()


def test_names_that_are_indices_are_numbers_in_a_dictionary():
    mdp = MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    assert mdp.to_dictionary() == {
        0: {0: [(0.5, 0, 1.0, False), (0.5, 1, 1.0, False)]},
        1: {0: [(1.0, 1, 0.0, False)]},
    }


@pytest.mark.parametrize(
    ("make", "tools", "text"),
    [
        (lambda: load("example:forest_horizon"), "tq", "found a horizon of 3 decisions, which arrays for"),
        (lambda: walk(sense="min"), "tq", 'found costs, which'),
        (lambda: load("example:recycling_robot"), "t", "state 'high', action 'recharge': found an unavailable action"),
        (lambda: MDP.from_outcomes([("a", "go", "a", 0.5, 1), ("a", "go", "a", 0.5, 2)], 0.5), "t",
         "state 'a', action 'go', next state 'a': found two rewards of one transition"),
        (lambda: MDP.from_outcomes([("a", "go", "a", 0.5, 1), ("a", "go", "a", 0.5, 2)], 0.5), "q",
         "state 'a', action 'go': found rewards that depend on the next state, which QuantEcon"),
        (lambda: MDP.from_outcomes([], 0.5, terminal=["a"], states=["a"], actions=["go"]), "tq", "found no state with"),
    ],
)  # fmt: skip
def test_what_they_cannot_hold_is_refused(make, tools, text):
    for tool in tools:
        mdp = make()
        with pytest.raises(ModelError) as caught:
            mdp.to_toolbox() if tool == "t" else mdp.to_quantecon()
        assert text in str(caught.value)
        assert "\n" not in str(caught.value)


def test_averaged_rewards_are_the_way_out():
    mdp = MDP.from_outcomes([("a", "go", "a", 0.5, 1), ("a", "go", "a", 0.5, 2)], 0.5)
    assert mdp.replace(r=mdp.r).to_quantecon()[0].tolist() == [[1.5]]
    assert mdp.replace(r=mdp.r).to_toolbox()[1].tolist() == [[1.5]]
