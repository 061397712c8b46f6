"""Textbook tensors, dense and sparse, in either order of their axes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import sparse

from tabular_rl import MDP, ModelError, solve

# pymdptoolbox's forest, P[a][s][s2] and R[s][a]: state 0 is young.
P = np.array([[[0.1, 0.9, 0.0], [0.1, 0.0, 0.9], [0.1, 0.0, 0.9]], [[1.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0]]])
R = np.array([[0.0, 0.0], [0.0, 1.0], [4.0, 2.0]])
WAY_OUT = 'Say axes="sas" for P[s, a, s2], axes="ass" for P[a, s, s2] or axes="ssa" for P[s, s2, a].'


def fault(*args, **more):
    with pytest.raises(ModelError) as caught:
        MDP(*args, **more)
    return str(caught.value)


def test_all_orders_of_axes_are_one_model():
    """Where S and A differ, the shape tells the order: (A, S, S), (S, A, S) or (S, S, A)."""
    first = MDP(P, R, 0.9, axes="ass")
    for axes, order in (("ass", (0, 1, 2)), ("sas", (1, 0, 2)), ("ssa", (1, 2, 0))):
        Q = P.transpose(order)
        assert first == MDP(Q, R, 0.9, axes=axes) == MDP(Q, R, 0.9)
        by_outcome = np.arange(18.0).reshape(2, 3, 3)
        tensor = MDP(P, by_outcome, 0.9, axes="ass")
        assert tensor == MDP(Q, by_outcome.transpose(order), 0.9)
        assert tensor == MDP(Q, by_outcome.transpose(1, 2, 0), 0.9, reward_axes="ssa")
        sheets = [sparse.csr_array(x) for x in Q]
        assert tensor == MDP(sheets, [sparse.csr_array(x) for x in by_outcome.transpose(order)], 0.9)
    assert first.pair_action.tolist() == [0, 1] * 3
    assert first.r.tolist() == [0, 0, 0, 1, 4, 2]
    assert first.P.toarray()[2].tolist() == [0.1, 0.0, 0.9], "state 1, action 0"


def test_axes_are_said_and_never_guessed():
    """With S = A = 2 the shapes are the same; the models are not."""
    square = np.array([[[0.9, 0.1], [0.0, 1.0]], [[0.5, 0.5], [1.0, 0.0]]])
    reward = np.array([[1.0, 2.0], [3.0, 4.0]])
    one, two = MDP(square, reward, 0.5, axes="sas"), MDP(square, reward, 0.5, axes="ass")
    assert one.P.toarray().tolist() == [[0.9, 0.1], [0, 1], [0.5, 0.5], [1, 0]]
    assert two.P.toarray().tolist() == [[0.9, 0.1], [0.5, 0.5], [0, 1], [1, 0]]
    assert (
        fault(square, reward, 0.5, axes="as")
        == f"axes: found 'as', expected 'sas', 'ass' or 'ssa'. {WAY_OUT} For P[s2, a, s] say \"s'as\"."
    )
    found = (
        f"axes: found none, and with as many actions as states (2) the shape of P cannot tell them. {WAY_OUT}"
    )
    assert fault(square, reward, 0.5) == found, "as P[s, a, s2] and as P[a, s, s2] rows sum to 1"
    assert fault([sparse.csr_array(x) for x in square], reward, 0.5) == found


def test_only_reading_whose_rows_sum_to_1_is_suggested_and_not_taken():
    wide = np.array([[[0.9, 0.2], [0.1, 0.8]], [[0.5, 0.7], [0.5, 0.3]]])  # P[s, s2, a]
    reward = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert fault(wide, reward, 0.5).endswith(f'{WAY_OUT} Rows sum to 1 under "ssa" only.')
    mdp = MDP(wide, reward, 0.5, axes="ssa")
    assert mdp.P.toarray().tolist() == [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.7, 0.3]]
    assert mdp.r.tolist() == [1, 2, 3, 4]


def test_axes_are_not_needed_where_all_readings_are_the_same_model():
    same = np.full((2, 2, 2), 0.5)
    tensor = np.array(
        [[[1.0, 2.0], [2.0, 5.0]], [[2.0, 5.0], [5.0, 9.0]]]
    )  # the same in any order of its axes
    for rewards in ([1.0, 2.0], [[1.0, 2.0], [3.0, 4.0]], tensor):
        models = [MDP(same, rewards, 0.5, axes=axes) for axes in ("sas", "ass", "ssa", None)]
        assert models[0] == models[1] == models[2] == models[3]
    assert fault(same, np.arange(8.0).reshape(2, 2, 2), 0.5).startswith("axes: found none, and with as many")
    assert MDP([[[1.0]]], [[1.0]], 0.5).S == 1


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
    assert mdp.L == 5
    assert mdp.rows(0) == range(1)
    assert mdp.pair_action.tolist() == [0, 0, 1, 0, 1]
    assert mdp.table(mdp.r)[0].tolist() == [0.0, -math.inf]


@pytest.mark.parametrize(
    "terminal", [[2], ["2"], ["end"], [False, False, True], np.array([False, False, True]), [np.int64(2)]]
)
def test_terminal_states_by_index_name_or_mask(terminal):
    ends = P.copy()
    ends[:, 2] = 0
    states = ["young", "old", "end"] if "end" in terminal else None
    mdp = MDP(ends, np.zeros((3, 2)), 0.9, axes="ass", terminal=terminal, states=states)
    assert mdp.terminal.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("args", "more", "text"),
    [
        ((np.zeros((0, 0, 0)), np.zeros((0, 0)), 0.5), {}, "no states: found 0, expected at least 1"),
        ((P[0], R, 0.9), {}, f"P: found 2 dimensions, expected 3. {WAY_OUT}"),
        ((P, R, 0.9), {"axes": "sas"}, "P: found 3 next states for 2 states under axes='sas', expected as many."),
        ((np.ones((2, 3, 4)), R, 0.9), {}, "P: found shape 2 x 3 x 4, expected as many next states as states."),
        ((P, np.ones((1, 1, 1, 1)), 0.9), {}, "R: found 4 dimensions, expected 1, 2 or 3: R[s], R[s, a]"),
        ((sparse.csr_array(P[0, :2]), R, 0.9), {}, "P: found one sparse matrix of shape 2 x 3, expected a list"),
        (([sparse.eye(3), sparse.eye(2)], R, 0.9), {"axes": "ass"}, "P[1]: found shape (2, 2), expected (3, 3)"),
        (([[[1.0, 0.0]], [[1.0]]], R, 0.9), {}, "P: found lists of different lengths, expected a rectangular tensor"),
        (([[["x"]]], [[1.0]], 0.9), {}, "P: found 'x' at [0, 0, 0], expected a number such as 1, 0.5 or \"2/3\""),
        (([[[True]]], [[1.0]], 0.9), {}, "P: found bool entries, expected numbers"),
        ((P.astype(complex), R, 0.9), {"axes": "ass"}, "P: found complex128 entries, expected numbers"),
        ((P, R[:2], 0.9), {"axes": "ass"}, "R: found shape (2, 2), expected (3, 2) under reward_axes='sa'"),
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
    assert np.array_equal(mine[0], P)
    assert np.array_equal(mine[1], R)
    assert mine[0].flags.writeable


CHAIN = [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]]
NEVER = "which is never collected: put it on the transitions into it"


@pytest.mark.parametrize(
    ("reward", "more", "shown"),
    [
        ([-3, -3, 100], {}, "100"),
        ([[-3], [-3], [100]], {}, "100"),
        ([[-3, -3, -0.5]], {"reward_axes": "as"}, "-0.5"),
        ([-3, -3, math.nan], {}, "nan"),
        ([-3, -3, math.inf], {}, "inf"),
        ([[0], [0], [math.nan]], {}, "nan"),
    ],
)
def test_reward_of_a_terminal_state_is_refused_with_the_way_out(reward, more, shown):
    expected = f"terminal state 'goal' has reward {shown}, {NEVER}, or say terminal_rewards='on entry'"
    states = ["a", "b", "goal"]
    assert fault(CHAIN, reward, 1, terminal=["goal"], states=states, **more) == expected
    assert MDP.from_tensors(CHAIN, [-3, -3, 0], 1, terminal=["goal"], states=states).r.tolist() == [-3, -3]


@pytest.mark.parametrize("axes", ["sas", "ass", "ssa"])
def test_reward_of_a_transition_out_of_a_terminal_state_is_refused(axes):
    order = {"sas": (0, 1, 2), "ass": (1, 0, 2), "ssa": (0, 2, 1)}[axes]
    dense = np.zeros((3, 1, 3))
    dense[2, 0, 2] = 100
    P, R = np.array(CHAIN, dtype=float).transpose(order), dense.transpose(order)
    expected = f"terminal state '2' has reward 100, {NEVER}"
    assert fault(P, R, 1, axes=axes, terminal=[2]) == expected
    sheets = [[sparse.csr_array(x) for x in tensor] for tensor in (P, R)]
    assert fault(*sheets, 1, axes=axes, terminal=[2]) == expected
    own = "terminal state '2' has reward 100 on a transition of its own, which it never takes: put it on the"
    assert fault(P, R, 1, axes=axes, terminal=[2], terminal_rewards="on entry").startswith(own)


def test_reward_of_a_terminal_state_is_paid_on_entry():
    """R = -3, -3, 100 as a textbook means it: v = -3 - 3 + 100, -3 + 100; at γ = 1/2: -3 + (-3 + 100/2) / 2, 47."""
    for gamma, first, second in ((1, 94, 97), ("1/2", 20.5, 47)):
        for reward in ([-3, -3, 100], [[-3], [-3], [100]]):
            mdp = MDP(CHAIN, reward, gamma, terminal=[2], terminal_rewards="on entry")
            answer = solve(mdp, tolerance=1e-9)
            assert answer.v == pytest.approx([first, second, 0])
    by_outcome = np.array([[[9, -3, 9]], [[9, 9, -3]], [[0, 0, 0]]])
    assert MDP(CHAIN, by_outcome, 1, terminal=[2], terminal_rewards="on entry").r.tolist() == [-3, -3]


def test_rewards_on_entry_are_those_of_the_textbook_grid():
    """The 3 x 4 grid of Russell and Norvig with R(s) = -3, +100, -100: 0.8 forward, 0.1 to each side, a wall at 1,1.

    The figures, to two digits, are those of v(s) = R(s) + γ max_a Σ p v(s') with v(g) = R(g).
    """
    cells = [(i, j) for i in range(3) for j in range(4) if (i, j) != (1, 1)]
    moves = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    ends = {(0, 3): 100.0, (1, 3): -100.0}
    P = np.zeros((11, 4, 11))
    for s, (i, j) in enumerate(cells):
        for a in range(4) if (i, j) not in ends else ():
            for turn, p in ((0, 0.8), (1, 0.1), (3, 0.1)):
                move = moves[(a + turn) % 4]
                to = (i + move[0], j + move[1])
                P[s, a, cells.index(to if to in cells else (i, j))] += p
    R = np.array([ends.get(cell, -3.0) for cell in cells])
    terminal = [cells.index(cell) for cell in ends]
    with pytest.raises(ModelError, match="terminal state '3' has reward 100, which is never collected"):
        MDP(P, R, 1, terminal=terminal)
    for gamma, top in ((1, (85.18, 89.40, 93.15)), (0.9, (54.33, 67.33, 80.85))):
        for rewards in (R, np.tile(R[:, None], (1, 4))):
            mdp = MDP(P, rewards, gamma, terminal=terminal, terminal_rewards="on entry")
            answer = solve(mdp, tolerance=1e-6)
            assert answer.v[:3] == pytest.approx(top, abs=0.005)


@pytest.mark.parametrize(
    ("reward", "option", "expected"),
    [
        ([-3, -3, math.nan], "on entry", "terminal state '2' has reward nan, expected a finite number up to 1e+300"),
        ([-3, -3, 1e301], "on entry", "terminal state '2' has reward 1e+301, expected a finite number up to 1e+300"),
        ([-3, -3, 1], "on exit", "terminal_rewards: found 'on exit', expected 'on entry' or None"),
    ],
)  # fmt: skip
def test_rewards_that_cannot_be_paid_on_entry_are_refused(reward, option, expected):
    assert fault(CHAIN, reward, 1, terminal=[2], terminal_rewards=option) == expected


def test_reward_on_entry_is_one_number_whatever_the_action():
    P = np.zeros((3, 2, 3))
    P[0, :, 1] = P[1, :, 2] = 1
    text = "terminal state '2' has reward 5 for one action and 6 for another, expected one number"
    assert fault(P, [[0, 0], [0, 0], [5, 6]], 1, terminal=[2], terminal_rewards="on entry").startswith(text)
    mdp = MDP(P, [[0, 1], [0, 1], [5, 5]], 1, terminal=[2], terminal_rewards="on entry")
    assert mdp.r.tolist() == [0, 1, 5, 6]


def test_rewards_on_entry_follow_the_discount():
    mdp = MDP(CHAIN, [-3, -3, 100], 1, terminal=[2], terminal_rewards="on entry")
    with pytest.raises(ModelError, match=r"times gamma = 1\. Make the model again with gamma = 0\.5, or"):
        mdp.replace(gamma="1/2")
    assert mdp.replace(gamma=1) == mdp
    assert mdp.replace(gamma="1/2", on_entry=False).r.tolist() == [-3, 97]
    assert MDP(CHAIN, [-3, -3, 0], 1, terminal=[2]).replace(gamma="1/2").gamma == 0.5


def test_a_sum_is_rounded_once():
    """γ R(g) + r as one rounding: 1/3 of 3 x 2^53 + 3 is 2^53 + 1, and - 2^53 leaves 1."""
    mdp = MDP(
        [[[0, 1]], [[0, 0]]], [-(2.0**53), 3 * 2.0**53 + 4], "1/3", terminal=[1], terminal_rewards="on entry"
    )
    assert mdp.r.tolist() == [4 / 3]


@pytest.mark.skipif(np.longdouble("1e-400") == 0, reason="long doubles are doubles here")
def test_numbers_that_underflow_are_refused():
    small = np.array([[[1, 0]], [[0, 1]]], dtype=np.longdouble)
    small[0, 0, 1] = np.longdouble("1e-400")
    assert fault(small, [0, 0], 1) == "P: found a number that underflows: its nearest float64 is 0"
    assert (
        fault(small.astype(float), [0, small[0, 0, 1]], 1)
        == "R: found a number that underflows: its nearest float64 is 0"
    )


TURNED = {
    "s'as": (2, 1, 0),
    "as's": (1, 2, 0),
    "s'sa": (2, 0, 1),
    "sas'": (0, 1, 2),
    "ass'": (1, 0, 2),
    "ss'a": (0, 2, 1),
}


@pytest.mark.parametrize("axes", list(TURNED))
def test_the_next_state_may_come_first(axes):
    """A prime says which s is the next state: "s'as" is T[s2, a, s], as Julia's TabularMDP has it."""
    P = np.array([[[0.25, 0.75], [1, 0], [0, 1]], [[0.5, 0.5], [0, 1], [1, 0]]])  # P[s, a, s2]
    rewards, table = np.arange(12.0).reshape(2, 3, 2), np.arange(6.0).reshape(2, 3)
    moved, moved_rewards = P.transpose(TURNED[axes]), rewards.transpose(TURNED[axes])
    assert MDP(moved, moved_rewards, 0.5, axes=axes) == MDP(P, rewards, 0.5)
    assert MDP(moved, table, 0.5, axes=axes) == MDP(P, table, 0.5)
    assert MDP(moved, rewards, 0.5, axes=axes, reward_axes="sas") == MDP(P, rewards, 0.5)


def test_sparse_matrices_may_be_turned():
    sheets = [
        sparse.csr_array([[0.25, 1.0], [0.75, 0]]),
        sparse.csr_array([[0.5, 0], [0.5, 1.0]]),
    ]  # [s2, s]
    expected = MDP([[[0.25, 0.75], [1, 0]], [[0.5, 0.5], [0, 1]]], [1.0, 2.0], 0.5, axes="ass")
    assert MDP(sheets, [1.0, 2.0], 0.5, axes="as's") == expected
    with pytest.raises(
        ModelError, match=r"""axes: found 's'as' for a list of matrices, one an action, expected "as's"""
    ):
        MDP(sheets, [1.0, 2.0], 0.5, axes="s'as")
    with pytest.raises(ModelError, match="for one sparse matrix, expected an array or a list"):
        MDP(sparse.csr_array(np.eye(2)), [1.0, 2.0], 0.5, axes="s'as")


def test_rows_that_sum_to_1_the_other_way_round_are_told():
    P = np.array([[[0.25, 0.5], [1.0, 0.0], [0.0, 1.0]], [[0.75, 0.5], [0.0, 1.0], [1.0, 0.0]]])  # [s2, a, s]
    assert fault(P, [1.0, 2.0], 0.5).splitlines()[0].endswith("""say axes="s'as".""")
    square = np.array([[[0.25, 0.5], [1.0, 0.0]], [[0.75, 0.5], [0.0, 1.0]]])
    assert fault(square, [1.0, 2.0], 0.5).endswith(
        """Rows sum to 1 with the next state first: "s'as" or "s'sa"."""
    )


@pytest.mark.small
def test_float32_numbers_are_rows_where_they_sum_to_1_as_such():
    """0.1 and 0.9 are 0.1 + 1.5e-9 and 0.9 - 2.4e-8 there, of sum 1 - 2.2e-8."""
    P = np.array([[[0.1, 0.9, 0], [1, 0, 0], [0.3, 0.3, 0.4]]], dtype=np.float32)
    said = "rows sum to 1 only as float32 numbers do: each is divided by its sum"
    for make in (
        lambda: MDP(P, [1, 2, 3], 0.9),
        lambda: MDP.from_toolbox(P, np.array([1, 2, 3]), 0.9),
        lambda: MDP(sparse.csr_array(P[0]), [1, 2, 3], 0.9),
        lambda: MDP([sparse.csr_array(P[0])], [1, 2, 3], 0.9),
    ):
        with pytest.warns(UserWarning, match=said):
            mdp = make()
        assert abs(mdp.prob[0] - 0.1) < 4e-9
        assert 0 < mdp.facts.correction < 4e-8
        assert max(abs(1 - math.fsum(mdp.prob[a:b])) for a, b in itertools.pairwise(mdp.row_ptr)) < 1e-15
    with pytest.raises(ModelError, match=r"or say normalize=True to rescale it"):
        MDP(P.astype(float), [1, 2, 3], 0.9)
    short = P.copy()
    short[0, 0, 0] += 2e-7
    with pytest.raises(ModelError, match=r"probabilities sum to 1\.0000001"):
        MDP(short, [1, 2, 3], 0.9)


@pytest.mark.small
def test_a_table_of_rewards_is_read_by_its_shape_and_says_how_P_was():
    P = np.array(
        [[[0.1, 0.9, 0], [1, 0, 0]], [[0.1, 0, 0.9], [1, 0, 0]], [[0, 0, 1], [1, 0, 0]]]
    )  # P[s, a, s2]
    R = np.array([[0, 1], [2, 3], [4, 5]])
    assert MDP(P, R.T, 0.9) == MDP(P, R, 0.9)
    with pytest.raises(
        ModelError, match=r"P of shape 3 x 2 x 2 was read with axes='ass': 2 states, 3 actions"
    ):
        MDP(P[:, :, :2], R, 0.9)
    with pytest.raises(
        ModelError, match=r"R: found shape \(2, 2\).*P was read with axes='sas', 3 states and 2 act"
    ):
        MDP(P, R[:2], 0.9)
