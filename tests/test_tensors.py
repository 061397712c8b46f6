"""Textbook tensors, dense and sparse, in either order of their axes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse

from tabular_rl import MDP, ModelError

# pymdptoolbox's forest, P[a][s][s2] and R[s][a]: state 0 is young.
P = np.array([[[0.1, 0.9, 0.0], [0.1, 0.0, 0.9], [0.1, 0.0, 0.9]], [[1.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0]]])
R = np.array([[0.0, 0.0], [0.0, 1.0], [4.0, 2.0]])
WAY_OUT = 'Say axes="sas" for P[s, a, s2] or axes="ass" for P[a, s, s2].'


def fault(*args, **more):
    with pytest.raises(ModelError) as caught:
        MDP(*args, **more)
    return str(caught.value)


def test_both_orders_of_axes_are_one_model():
    first = MDP(P, R, 0.9, axes="ass")
    assert first == MDP(P.transpose(1, 0, 2), R, 0.9, axes="sas") == MDP(P.transpose(1, 0, 2), R, 0.9)
    assert first.pair_action.tolist() == [0, 1] * 3 and first.r.tolist() == [0, 0, 0, 1, 4, 2]
    assert first.P.toarray()[2].tolist() == [0.1, 0.0, 0.9], "state 1, action 0"


def test_axes_are_said_and_never_guessed():
    """With S = A = 2 the shapes are the same; the models are not."""
    square = np.array([[[0.9, 0.1], [0.0, 1.0]], [[0.5, 0.5], [1.0, 0.0]]])
    reward = np.array([[1.0, 2.0], [3.0, 4.0]])
    one, two = MDP(square, reward, 0.5, axes="sas"), MDP(square, reward, 0.5, axes="ass")
    assert one.P.toarray().tolist() == [[0.9, 0.1], [0, 1], [0.5, 0.5], [1, 0]]
    assert two.P.toarray().tolist() == [[0.9, 0.1], [0.5, 0.5], [0, 1], [1, 0]]
    assert fault(square, reward, 0.5, axes="as") == f"axes: found 'as', expected 'sas' or 'ass'. {WAY_OUT}"


@pytest.mark.parametrize(
    "kind", [sparse.csr_array, sparse.csr_matrix, sparse.coo_array, sparse.csc_matrix, sparse.lil_matrix]
)
def test_sparse_matrices_are_the_same_model(kind):
    dense = MDP(P, R, 0.9, axes="ass")
    assert MDP([kind(x) for x in P], R, 0.9, axes="ass") == dense
    by_outcome = np.arange(18.0).reshape(2, 3, 3)
    expected = MDP(P, by_outcome, 0.9, axes="ass")
    assert MDP([kind(x) for x in P], [kind(x) for x in by_outcome], 0.9, axes="ass") == expected
    states = [kind(x) for x in P.transpose(1, 0, 2)]
    assert MDP(states, R, 0.9, axes="sas") == dense


@pytest.mark.parametrize(
    ("axes", "reward", "expected"),
    [
        (None, [5.0, 6.0, 7.0], [5, 5, 6, 6, 7, 7]),
        ("s", [5.0, 6.0, 7.0], [5, 5, 6, 6, 7, 7]),
        ("sa", R, [0, 0, 0, 1, 4, 2]),
        ("as", R.T, [0, 0, 0, 1, 4, 2]),
        ("ass", np.ones((2, 3, 3)), [1] * 6),
        ("sas", np.ones((3, 2, 3)) * np.arange(3), [0.9, 0, 1.8, 0, 1.8, 0]),
    ],
)
def test_rewards_by_state_by_pair_and_by_outcome(axes, reward, expected):
    assert MDP(P, reward, 0.9, axes="ass", reward_axes=axes).r == pytest.approx(expected)


def test_row_of_zeros_is_an_action_that_is_not_available():
    lame = P.copy()
    lame[1, 0] = 0
    mdp = MDP(lame, R, 0.9, axes="ass")
    assert mdp.L == 5 and mdp.rows(0) == range(1) and mdp.pair_action.tolist() == [0, 0, 1, 0, 1]
    assert mdp.table(mdp.r)[0].tolist() == [0.0, -math.inf]


@pytest.mark.parametrize(
    "terminal", [[2], ["2"], ["end"], [False, False, True], np.array([False, False, True]), [np.int64(2)]]
)
def test_terminal_states_by_index_name_or_mask(terminal):
    ends = P.copy()
    ends[:, 2] = 0
    states = ["young", "old", "end"] if "end" in terminal else None
    assert MDP(ends, R, 0.9, axes="ass", terminal=terminal, states=states).terminal.tolist() == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("args", "more", "text"),
    [
        ((np.zeros((0, 0, 0)), np.zeros((0, 0)), 0.5), {}, "no states: found 0, expected at least 1"),
        ((P[0], R, 0.9), {}, f"P: found 2 dimensions, expected 3. {WAY_OUT}"),
        ((P, R, 0.9), {}, f"P: found 3 next states for 2 states under axes='sas', expected as many. {WAY_OUT}"),
        ((sparse.csr_array(P[0]), R, 0.9), {}, "P: found one sparse matrix, expected a list with one (S, S) matrix an"),
        (([sparse.eye(3), sparse.eye(2)], R, 0.9), {"axes": "ass"}, "P[1]: found shape (2, 2), expected (3, 3)"),
        (([[[1.0, 0.0]], [[1.0]]], R, 0.9), {}, "P: found lists of different lengths, expected a rectangular tensor"),
        (([[["x"]]], [[1.0]], 0.9), {}, "P: found <U1 entries, expected numbers"),
        (([[[True]]], [[1.0]], 0.9), {}, "P: found bool entries, expected numbers"),
        ((P.astype(complex), R, 0.9), {"axes": "ass"}, "P: found complex128 entries, expected numbers"),
        ((P, R.T, 0.9), {"axes": "ass"}, "R: found shape (2, 3), expected (3, 2) under reward_axes='sa'"),
        ((P, R, 0.9), {"axes": "ass", "reward_axes": "az"}, "reward_axes: found 'az', expected one of s, sa, as"),
        ((P, R, 0.9), {"axes": "ass", "states": ["a"]}, "names: found 1 states and 2 actions, expected 3 and 2"),
        ((P, R, 0.9), {"axes": "ass", "terminal": ["x"]}, "terminal: found 'x', expected the name or index of a state"),
        ((P, R, 0.9), {"axes": "ass", "terminal": [7]}, "terminal: found '7', expected the name or index of a state"),
        ((P, R, 0.9), {"axes": "ass", "terminal": [True]}, "terminal: found a mask of length 1, expected 3"),
        ((np.zeros((2, 2, 2)), np.zeros((2, 2)), 0.9), {"terminal": [1]}, "state '0': has no actions, expected some."),
        ((P * 0.9, R, 0.9), {"axes": "ass"}, "state '0', action '0': probabilities sum to 0.9"),
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit_are_refused(args, more, text):
    assert fault(*args, **more).startswith(text)


def test_nan_is_named_and_not_dropped():
    wrong = P.copy()
    wrong[0, 1, 1] = math.nan
    assert fault(wrong, R, 0.9, axes="ass").startswith(
        "state '1', action '0', next state '1': found probability nan"
    )
    reward = R.copy()
    reward[1, 1] = math.nan
    assert fault(P, reward, 0.9, axes="ass").startswith("state '1', action '1': found expected reward nan")


def test_reward_of_an_outcome_that_cannot_happen_does_not_count():
    reward = np.where(P > 0, 1.0, math.nan)
    assert MDP(P, reward, 0.9, axes="ass").r == pytest.approx([1.0] * 6)


def test_integers_and_single_precision_are_taken_as_they_are():
    mdp = MDP(np.array([[[0, 1]], [[1, 0]]]), np.array([[1], [2]]), 0.5)
    assert mdp.prob.dtype == mdp.r.dtype == np.float64
    half = MDP(np.array([[[0.5, 0.5]], [[1, 0]]], dtype=np.float32), [[1], [2]], 0.5)
    assert half.prob.tolist() == [0.5, 0.5, 1.0]


def test_callers_arrays_are_not_changed():
    mine = P.copy(), R.copy()
    MDP(*mine, 0.9, axes="ass", normalize=True)
    assert np.array_equal(mine[0], P) and np.array_equal(mine[1], R) and mine[0].flags.writeable
