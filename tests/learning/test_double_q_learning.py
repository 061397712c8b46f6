"""Double Q-learning: by hand, as its twin, free of the bias of the maximum; Sutton & Barto (2018), Figure 6.5.

One test is statistical: false alarm below 1e-9.
"""

from __future__ import annotations

import itertools
import secrets
from fractions import Fraction

import numpy as np
import pytest
from learners import settings
from random_models import random_model
from reference_control import check_bits_of_twin, same_bits, swapped_in

from tabular_rl import MDP, OptionError, Transitions, double_q_learning, load, q_learning
from tabular_rl.kernels.double_q import Halves, double_q
from tabular_rl.kernels.one_step import begin
from tabular_rl.kernels.one_step import q_learning as q_learning_kernel
from tabular_rl.solving.sampling import sampling_model

A, B = 0.25, 0.75  # coins: the first table learns, or the second
ONE = MDP([[[0, 1]], [[0, 0]]], [[1], [0]], 1, states=["a", "end"], terminal=["end"])


def tables(log, coins, step_size=0.5, schedule=None, start=0.0):
    """(qa, qb, q) after given transitions, in turn, with given coins."""
    mdp = log.mdp
    qa, qb, q, total = (
        np.full((1, mdp.L), start),
        np.full((1, mdp.L), start),
        np.full((1, mdp.L), start),
        np.zeros((1, 0)),
    )
    visits, heads, since = (np.zeros((1, n), dtype=np.int64) for n in (mdp.L, mdp.L, 0))
    code = np.array([0.0, step_size, 0, 0]) if schedule is None else schedule
    double_q(
        sampling_model(mdp), log.arrays(), settings(step_size=code), np.array(coins).reshape(1, -1, 1), 0, None,
        np.zeros(1, dtype=np.int64), visits, total, since, Halves(heads, qa, qb), q,
    )  # fmt: skip
    return qa[0], qb[0], q[0], visits[0], heads[0]


def test_by_hand():
    """Two actions in a, which stays in a: γ = 1/2, α = 1/2. The next action is the best of the table that learns, and
    the other table says what it is worth."""
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 0.0]], "1/2")
    log = Transitions.of(mdp, [(0, 0, 4.0, 0), (0, 1, 8.0, 0), (0, 0, 0.0, 0), (0, 1, 2.0, 0)])
    # A: qa(0) = 1/2 (4 + 1/2 qb(0)) = 2.
    # B: best of qb is action 0 (a tie): qb(1) = 1/2 (8 + 1/2 qa(0)) = 9/2.
    # B: best of qb is action 1: qb(0) = 1/2 (0 + 1/2 qa(1)) = 0.
    # A: best of qa is action 0: qa(1) = 1/2 (2 + 1/2 qb(0)) = 1.
    qa, qb, q, visits, heads = tables(log, [A, B, B, A])
    assert (qa.tolist(), qb.tolist(), q.tolist()) == ([2, 1], [0, 4.5], [1, 2.75])
    assert visits.tolist() == [2, 2] and heads.tolist() == [1, 1]
    # The same with the tables exchanged.
    qa, qb, q, _, heads = tables(log, [B, A, A, B])
    assert (qa.tolist(), qb.tolist(), q.tolist()) == ([0, 4.5], [2, 1], [1, 2.75])


def test_the_n_of_a_step_size_counts_the_updates_of_one_table():
    """With 1/n each table is the mean of the rewards that it has seen."""
    log = Transitions.of(ONE, [("a", 0, r, "end") for r in (1.0, 2.0, 4.0, 8.0, 16.0)])
    qa, qb, q, visits, heads = tables(log, [A, B, A, B, A], schedule=np.array([1.0, 1, 0, 0]), start=7.0)
    assert (qa[0], qb[0], q[0]) == (pytest.approx(21 / 3), 5, pytest.approx(6))
    assert (visits[0], heads[0]) == (5, 3)


def test_the_mean_over_all_coins():
    """Reward 1, the end: a table that has learned n times holds 1 - 2^-n, and E 2^-n = (3/4)^k over fair coins."""
    k = 7
    log = Transitions.of(ONE, [("a", 0, 1.0, "end")] * k)
    found = [Fraction(float(tables(log, coins)[2][0])) for coins in itertools.product([A, B], repeat=k)]
    assert sum(found) / 2**k == 1 - Fraction(3, 4) ** k


def test_the_maximum_of_noise_is_biased_and_double_q_is_not():
    """All outcomes of one try of each of two actions worth ±1, and all coins: E max = 1/2, double Q's mean is 0."""
    mdp = MDP(
        [[[0, 1, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 1]], [[0, 0, 0]] * 2], np.zeros((3, 2)), 1, terminal=["2"]
    )
    double, single = [], []
    for r0, r1 in itertools.product([-1.0, 1.0], repeat=2):
        log = Transitions.of(mdp, [(1, 0, r0, 2), (1, 1, r1, 2), (0, 0, 0.0, 1)])
        single.append(q_learning(mdp, data=log, steps=3, step_size=1, reference=False).q[0])
        for coins in itertools.product([A, B], repeat=3):
            double.append(tables(log, coins, step_size=1.0)[2][0])
    assert np.mean(single) == 0.5
    assert sum(map(Fraction, double)) == 0 and any(double)


CASES = [
    {}, {"explore": "boltzmann:0.5", "average": True}, {"explore": "ucb:1", "source": "independent", "per": "step"},
    {"source": "sweeps", "average": True}, {"explore": "greedy", "episode_steps": 3, "step_size": 0.25},
]  # fmt: skip


@pytest.mark.parametrize("options", CASES)
def test_same_bits_as_the_twin(monkeypatch, options):
    check_bits_of_twin(monkeypatch, double_q_learning, "double_q", "double_q", {"steps": 120, **options})


def test_same_bits_as_the_twin_on_a_log(monkeypatch):
    mdp = random_model(4, "discounted", exact=False, ends=1)
    outs = np.random.default_rng(4).integers(0, mdp.K, 25)
    rows = np.searchsorted(mdp.row_ptr, outs, side="right") - 1
    log = Transitions.of_arrays(mdp, rows, np.arange(25.0), mdp.next_state[outs], [False] * 25)
    options = {"data": log, "steps": 90, "runs": 2, "average": True, "reference": False}
    fast = double_q_learning(mdp, **options)
    with monkeypatch.context() as patch:
        swapped_in(patch, "double_q", "double_q")
        same_bits(fast, double_q_learning(mdp, **options))


def test_what_is_reported_is_the_mean_of_the_tables():
    answer = double_q_learning(
        load("example:frozen_lake_4x4"), steps=2000, runs=3, explore="epsilon-greedy:0.5"
    )
    arrays = answer.state["arrays"]
    assert np.array_equal(answer.estimates, (arrays["qa"] + arrays["qb"]) / 2)
    assert (arrays["qa"] != arrays["qb"]).any()
    assert np.array_equal(answer.visits, arrays["visits"]) and (arrays["heads"] <= arrays["visits"]).all()


def test_reaches_the_optimal_values():
    """Each of 8 runs is within 2% of the largest |q*| after 400,000 independent pairs of the recycling robot."""
    mdp = load("example:recycling_robot")
    answer = double_q_learning(mdp, steps=400_000, runs=8, source="independent", seed=1)
    assert answer.sup_error.max() < 0.02 * np.abs(answer.truth).max()


def test_options_out_of_range_are_named():
    with pytest.raises(OptionError, match="step_size"):
        double_q_learning(ONE, step_size=0)


# -- Sutton & Barto (2018), Example 6.7 and Figure 6.5 --------------------------------------------------------------


def share_of_left(double, runs, episodes, rng):
    """The share of the runs that go left from A, episode by episode: ε = 0.1, α = 0.1, γ = 1.

    The book breaks ties at random: here the tables begin with noise of 1e-9, which does so while it matters.
    """
    mdp = load("example:maximization_bias")
    model = sampling_model(mdp)
    qa, qb = rng.random((2, runs, mdp.L)) * 1e-9
    q = (qa + qb) / 2
    clock, row = np.zeros((2, runs), dtype=np.int64)
    visits, heads = np.zeros((2, runs, mdp.L), dtype=np.int64)
    total, since = np.zeros((runs, 0)), np.zeros((runs, 0), dtype=np.int64)
    tenth, none = np.array([0.0, 0.1, 0.0, 0.0]), np.full(mdp.L, 2.0)
    walk = settings(explore=1, explore_rate=tenth, cum=none, step_size=tenth)
    begin(model, 1, 0.1, none, 0, none, visits, q, rng.random((runs, 2)), row)
    left, episode = np.zeros(episodes), np.zeros(runs, dtype=int)
    assert mdp.actions[mdp.pair_action[1]] == "left"
    while (episode < episodes).any():
        goes_left = (row == 1) & (episode < episodes)
        np.add.at(left, episode[goes_left], 1)
        u = rng.random((runs, 1, 4))
        common = model, None, walk, u, 0, clock, row, visits, total, since
        if double:
            double_q(*common, Halves(heads, qa, qb), q)
        else:
            q_learning_kernel(*common, q, q)
        episode += clock == 0
    return left / runs


@pytest.mark.slow
def test_figure_6_5():
    """The figure, read off: Q-learning rises from 50% to above 85% within some 20 episodes, is below 50% at 100 and
    near, but above, 5% at 300; double Q-learning falls from 50% to near 5%. 4,000 runs: every margin below is more
    than 7 standard errors (0.8% at most) wide, so false alarm is below 1e-9."""
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    single, double = (share_of_left(x, 4_000, 300, rng) for x in (False, True))
    assert abs(single[0] - 0.5) < 0.06 and abs(double[0] - 0.5) < 0.06
    assert single.max() > 0.85 and 8 <= single.argmax() <= 40
    assert single[99] < 0.52 and 0.08 < single[-20:].mean() < 0.18
    assert double.max() < 0.58 and double[30:].max() < 0.28
    assert 0.04 < double[-20:].mean() < 0.1
    assert (single[10:] > double[10:]).all()
