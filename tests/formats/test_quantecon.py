"""Arrays of QuantEcon: both forms, unavailable actions, and what is wrong with them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from tabular_rl import MDP, ModelError, OptionError, solve

pytestmark = pytest.mark.small

INF = float("inf")
R, Q = [[5, 10], [-1, -INF]], [[[0.5, 0.5], [0, 1]], [[0, 1], [0.5, 0.5]]]
PAIRS = [5, 10, -1], [[0.5, 0.5], [0, 1], [0, 1]], 0.95, [0, 0, 1], [0, 1, 0]


def test_the_example_of_their_documentation_has_their_answer():
    """quantecon 0.11.4, DiscreteDP(R, Q, .95).solve(): v = [-60/7, -20], sigma = [0, 0]."""
    mdp = MDP.from_quantecon(R, Q, 0.95)
    answer = solve(mdp)
    assert mdp.L == 3
    assert answer.v.tolist() == pytest.approx([-60 / 7, -20], abs=1e-9)
    assert answer.policy.actions.tolist() == [0, 0]


@pytest.mark.parametrize("form", [np.array, csr_matrix, lambda Q: csr_matrix(Q).tocoo()])
def test_pairs_are_the_same_model_in_any_order(form):
    rewards, rows, beta, s, a = PAIRS
    assert MDP.from_quantecon(rewards, form(np.array(rows)), beta, s, a) == MDP.from_quantecon(R, Q, beta)
    back = [np.array(x)[::-1] for x in (rewards, rows, s, a)]
    assert MDP.from_quantecon(*back[:2], beta, *back[2:]) == MDP.from_quantecon(R, Q, beta)
    more = [*rewards, -INF], form(np.array([*rows, [0.5, 0.5]])), beta, [*s, 1], [*a, 1]
    assert MDP.from_quantecon(*more) == MDP.from_quantecon(R, Q, beta), "-inf marks a pair here too"


def test_options_of_a_model_are_taken():
    mdp = MDP.from_quantecon(R, Q, 0.95, start=0, states=["s", "t"], name="x")
    assert (mdp.name, list(mdp.states), mdp.start.tolist()) == ("x", ["s", "t"], [1, 0])
    ended = MDP.from_quantecon([[5], [-INF]], [[[0, 1]], [[0, 1]]], 0.95, terminal=[1])
    assert ended.terminal.tolist() == [False, True]
    with pytest.raises(OptionError, match=r"axes: MDP.from_quantecon has no such option"):
        MDP.from_quantecon(R, Q, 0.95, axes="sas")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (([5, 10, -1], Q, 1), "R: found 1 dimensions, expected 2: R[s, a]. Of state-action pairs give s_indices"),
        ((R, np.eye(2), 1), "Q: found 2 dimensions, expected 3: Q[s, a, s2]"),
        ((*PAIRS[:3], [0, 0, 1]), "a_indices: found none, expected the indices of state-action pairs: give both"),
        (([1], *PAIRS[1:]), "R: found shape (1,), expected (3,), a number for each row of Q"),
        ((*PAIRS[:3], [0, 0], [0, 1, 0]), "s_indices: found a list, expected 3 whole numbers"),
        ((*PAIRS[:3], [0, 0, 1], [0, 1.5, 0]), "a_indices: found a list, expected 3 whole numbers"),
        ((*PAIRS[:3], [0, 0, 2], [0, 1, 0]), "s_indices: found 2, expected states from 0 to 1, the columns of Q"),
        ((*PAIRS[:3], [0, 0, -1], [0, 1, 0]), "s_indices: found -1, expected numbers from 0 on"),
        ((*PAIRS[:3], [0, 0, 1], [1, 1, 0]), "state '0', action '1': found twice among the pairs, expected once"),
        (([5, 10, -1], [[0.5, 0.5], [0, 1], [0, 0]], *PAIRS[2:]), "state '1', action '0': probabilities sum to 0,"),
        ((["x", 1, 2], *PAIRS[1:]), "R: found a list with 'x' in it, expected an array of numbers"),
        (([5, 10, -1], "x", *PAIRS[2:]), "Q: found 'x', expected an array (L, S), dense or sparse"),
        (([[5, 10], [-INF, -INF]], Q, 0.9), "state '1': has no actions, expected some"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(given, text):
    with pytest.raises(ModelError) as caught:
        MDP.from_quantecon(*given)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
