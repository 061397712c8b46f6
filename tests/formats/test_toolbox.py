"""Arrays of pymdptoolbox: P in its forms, R in its four shapes, with the answers of pymdptoolbox 4.0b3."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix, issparse

from tabular_rl import MDP, ModelError, OptionError, solve

pytestmark = pytest.mark.small

P = np.array([[[0.5, 0.5], [0.8, 0.2]], [[0, 1], [0.1, 0.9]]])  # of its documentation
SPARSE = [csr_matrix(matrix) for matrix in P]
R3 = np.array([[[1.0, 2], [3, 4]], [[5, -6], [7, 8]]])


def objects(matrices):
    made = np.empty(len(matrices), dtype=object)
    made[:] = matrices
    return made


FORMS = [P, P.tolist(), list(P), SPARSE, tuple(SPARSE), objects(SPARSE), objects([np.array(x) for x in P]),
         [SPARSE[0], P[1]]]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("R", "v", "actions"),
    [
        (np.array([[5.0, 10], [-1, 2]]), [42.44186046511632, 36.04651162790702], [1, 0]),
        (np.array([5.0, -1.0]), [3.65 / 0.127, (0.72 * 3.65 / 0.127 - 1) / 0.82], [0, 0]),
        (R3, [60, 70], [0, 1]),
        ([csr_matrix(matrix) for matrix in R3], [60, 70], [0, 1]),
        (objects([csr_matrix(matrix) for matrix in R3]), [60, 70], [0, 1]),
        (list(R3), [60, 70], [0, 1]),
    ],
)
def test_answers_are_those_of_the_toolbox(form, R, v, actions):
    """PolicyIteration(P, R, .9).run(); for R (S,), which 4.0b3 documents and refuses, by hand.

    There v0 = 5 + .45 v0 + .45 v1 and v1 = -1 + .72 v0 + .18 v1.
    """
    answer = solve(MDP.from_toolbox(form, R, 0.9))
    assert answer.v.tolist() == pytest.approx(v, abs=1e-6)
    assert answer.policy.actions.tolist() == actions


def test_its_forest_has_its_answer():
    """mdptoolbox.example.forest(): PolicyIteration gives V = (26.244, 29.484, 33.484), policy (0, 0, 0)."""
    wait, cut = [[0.1, 0.9, 0], [0.1, 0, 0.9], [0.1, 0, 0.9]], [[1, 0, 0]] * 3
    R = np.array([[0, 0], [0, 1], [4, 2]])
    mdp = MDP.from_toolbox(
        np.array([wait, cut]), R, 0.9, states=["young", "middle", "old"], actions=["wait", "cut"]
    )
    answer = solve(mdp)
    assert answer.v.tolist() == pytest.approx([26.244, 29.484, 33.484], abs=1e-9)
    assert answer.policy.actions.tolist() == [0, 0, 0]
    assert MDP.from_toolbox([wait, cut], R.tolist(), 0.9).r.tolist() == mdp.r.tolist(), (
        "three lists, two actions"
    )


def test_a_sparse_table_of_rewards_is_a_table():
    table = csr_matrix([[5.0, 10], [-1, 2]])
    assert issparse(table)
    assert MDP.from_toolbox(P, table, 0.9).r.tolist() == [5, 10, -1, 2]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((P, [[5, 10], [-1, 2]]), "R: found a list of 2 lists, one for each of 2 actions. If it is R[s, a], give"),
        ((P, 7), "R: found 7, expected R (S,), (S, A), (A, S, S), or a list of (S, S) matrices, one an action"),
        ((P, [R3[0], R3[1][:1]]), "R: found"),
        ((P, np.array([1.0, 2, 3])), "R: found shape (3,), expected (2,)"),
        (([SPARSE[0], csr_matrix(np.eye(3))], R3), "P[1]: found shape (3, 3), expected (2, 2)"),
        ((np.eye(2), R3), "P: found 2 dimensions, expected 3"),
        ((P[0] * 0.5, R3), "P: found 2 dimensions, expected 3"),
        ((P * 0.5, R3), "state '0', action '0': probabilities sum to 0.5"),
        (({}, R3), "P: found a dictionary"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(given, text):
    with pytest.raises(ModelError) as caught:
        MDP.from_toolbox(*given, 0.9)
    assert text in str(caught.value)


def test_options_that_do_not_fit_are_named():
    with pytest.raises(OptionError, match=r"axes: MDP.from_toolbox has no such option"):
        MDP.from_toolbox(P, R3, 0.9, axes="sas")
