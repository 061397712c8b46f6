"""The linear programme and its dual: optimal values by hand and in fractions, flow that balances."""

from __future__ import annotations

import os
import threading
from fractions import Fraction as F

import numpy as np
import pytest
import scipy.optimize
from reference import exact_optimal_value, exact_policy_value
from sized_models import garnet

from tabular_rl.errors import NoFiniteAnswer, NotAnswerable
from tabular_rl.methods.exact.linear_programming import linear_programming, start_weights
from tabular_rl.model.mdp import MDP
from tabular_rl.solving.solution import Status


def balance(mdp, x, c):
    """Σ_a x(s', a) - c(s') - γ Σ p x at states that are not terminal: 0 for visits."""
    into = np.zeros(mdp.S)
    row = np.repeat(np.arange(mdp.L), np.diff(mdp.row_ptr))
    np.add.at(into, mdp.next_state, mdp.prob * x[row])
    out = np.bincount(mdp.pair_state, x, minlength=mdp.S)
    return (out - c - mdp.gamma * into)[~mdp.terminal]


def encloses(answer, exact):
    return all(low <= x <= high for low, x, high in zip(answer.lower, exact, answer.upper, strict=True))


def test_putermans_two_states():
    """Example 6.2.1 at γ = .95 > 10/11: stay, so v(0) = (5 - 5.5 γ) / ((1 - γ/2)(1 - γ)), v(1) = -20."""
    g = 0.95
    mdp = MDP([[[0.5, 0.5], [0, 1]], [[0, 1], [0, 0]]], [[5, 10], [-1, 0]], g, axes="sas")
    answer = linear_programming(mdp)
    assert answer.v == pytest.approx([(5 - 5.5 * g) / ((1 - 0.5 * g) * (1 - g)), -1 / (1 - g)], abs=1e-10)
    assert answer.status is Status.CERTIFIED
    assert answer.proven_optimal.all()
    # Start in either state with 1/2: state 0 is seen .5 / (1 - γ/2) times, and all in all it is 1 / (1 - γ).
    x = answer.extra["occupancy"]
    assert x == pytest.approx([0.5 / (1 - g / 2), 0, 20 - 0.5 / (1 - g / 2)], abs=1e-6)


@pytest.mark.parametrize("sense", ["max", "min"])
@pytest.mark.parametrize("seed", range(5))
def test_interval_holds_the_fraction_and_policy_attains_it(seed, sense):
    mdp = garnet(seed, sense=sense, ends=seed % 2)
    answer, v = linear_programming(mdp), exact_optimal_value(mdp)
    assert answer.status is Status.CERTIFIED
    assert encloses(answer, v)
    assert exact_policy_value(mdp, answer.policy) == v


@pytest.mark.parametrize("gamma", ["1/2", "9/10", "99/100"])
@pytest.mark.parametrize("seed", range(3))
def test_dual_is_the_occupancy_of_the_start(seed, gamma):
    mdp = garnet(seed, gamma)
    answer = linear_programming(mdp)
    x, c = answer.extra["occupancy"], answer.extra["weights"]
    assert c == pytest.approx(mdp.start)
    assert x.shape == (mdp.L,)
    assert (x >= 0).all()
    assert x.sum() == pytest.approx(1 / (1 - mdp.gamma), rel=1e-7)
    assert np.max(np.abs(balance(mdp, x, c))) < 1e-7
    # Strong duality: what the visits earn is what the start is worth.
    v = exact_optimal_value(mdp)
    assert x @ mdp.r == pytest.approx(float(sum(v)) / mdp.S, rel=1e-7)
    assert answer.extra["objective"] == pytest.approx(float(sum(v)) / mdp.S, rel=1e-7)
    # A vertex: one action a state, that of the policy.
    assert (np.bincount(mdp.pair_state, x > 1e-9) == 1).all()
    assert set(np.flatnonzero(x > 1e-9)) == set(answer.policy.rows.tolist())


def test_start_in_one_state_still_gives_all_values():
    mdp = garnet(3, start={0: 1})
    answer, v = linear_programming(mdp), exact_optimal_value(mdp)
    assert encloses(answer, v)
    assert answer.bound < 1e-9
    c = answer.extra["weights"]
    assert c[0] == 0.5 + 0.5 / 8
    assert (c > 0).all()
    assert np.max(np.abs(balance(mdp, answer.extra["occupancy"], c))) < 1e-7


def test_total_reward_counts_visits():
    """Heads ends, tails goes on, each throw costs 1: two throws; the dear sure coin is not taken."""
    mdp = MDP.from_outcomes(
        [("s", "toss", "s", "1/2", 1), ("s", "toss", "end", "1/2", 1), ("s", "buy", "end", 1, 3)], 1,
        terminal=["end"], sense="min",
    )  # fmt: skip
    answer = linear_programming(mdp)
    assert answer["s"] == pytest.approx(2, abs=1e-12)
    assert answer.status is Status.CERTIFIED
    assert answer.extra["occupancy"] == pytest.approx([2, 0], abs=1e-9)
    assert answer.extra["objective"] == pytest.approx(2)


def test_staying_for_nothing_beats_leaving_at_a_price():
    mdp = MDP.from_outcomes([("s", "leave", "end", 1, -1), ("s", "stay", "s", 1, 0)], 1, terminal=["end"])
    answer = linear_programming(mdp)
    assert answer["s"] == pytest.approx(0, abs=1e-12)
    assert answer.policy["s"] == "stay"
    # Without an end nothing is left to solve.
    assert linear_programming(MDP.from_outcomes([("s", "stay", "s", 1, 0)], 1)).v.tolist() == [0.0]


def test_reward_that_recurs_has_no_finite_answer():
    with pytest.raises(NoFiniteAnswer):
        linear_programming(MDP.from_outcomes([("a", "go", "b", 1, 1), ("b", "go", "a", 1, 1)], 1))


@pytest.mark.parametrize("power", [-200, 0, 200])
def test_scale_of_rewards_does_not_matter(power):
    mdp = garnet(1)
    scaled = MDP.from_rows(
        pair_ptr=mdp.pair_ptr, pair_action=mdp.pair_action, row_ptr=mdp.row_ptr, next_state=mdp.next_state,
        prob=mdp.prob, r=mdp.r * 2.0**power, gamma=mdp.gamma,
    )  # fmt: skip
    answer = linear_programming(scaled, relative=True)
    assert answer.status is Status.CERTIFIED
    assert answer.v * 2.0**-power == pytest.approx(linear_programming(mdp).v, rel=1e-12)


def test_weights_cover_the_states_that_are_no_start():
    """Start in a: half of that, and half of 1/2 for each of two states. Uniform starts cover all as they are."""
    rows = [("a", "go", "b", 1, 1), ("b", "go", "end", 1, 1)]
    mdp = MDP.from_outcomes(rows, "1/2", terminal=["end"], start="a")
    assert start_weights(mdp).tolist() == [0.75, 0.25, 0]
    assert start_weights(MDP.from_outcomes(rows, "1/2", terminal=["end"])).tolist() == [0.5, 0.5, 0]


def test_finite_horizon_and_large_models_are_refused():
    with pytest.raises(NotAnswerable):
        linear_programming(garnet(0).replace(horizon=3))
    large = MDP.from_outcomes([(s, "a", s, 1, 1) for s in range(10_001)], "1/2")
    with pytest.raises(NotAnswerable, match="10000 states"):
        linear_programming(large)


@pytest.mark.parametrize(
    ("status", "words"),
    [(2, "takes it for infeasible"), (3, "takes it for unbounded"), (4, "has numerical difficulties")],
)
def test_failure_of_highs_is_told_and_answered_without_it(monkeypatch, capfd, status, words):
    class Failed:
        message = "(HiGHS Status 8: model_status is Infeasible)"

    def fail(*_, **__):
        os.write(1, b"Highs::returnFromOptimizeModel: return_status = -1\nof others\n")
        Failed.status = status
        return Failed

    monkeypatch.setattr(scipy.optimize, "linprog", fail)
    costs = [("s", "go", "t", 1, 3), ("s", "try", "t", F(1, 2), 1), ("s", "try", "s", F(1, 2), 1)]
    for mdp in (garnet(0), garnet(1, ends=1), MDP.from_outcomes(costs, 1, terminal=["t"], sense="min")):
        answer = linear_programming(mdp)
        assert encloses(answer, exact_optimal_value(mdp))
        assert answer.status is Status.CERTIFIED
        assert (
            answer.note == f"HiGHS failed on this programme, it {words}: solved by policy improvement alone"
        )
        assert "occupancy" not in answer.extra
        assert answer.work["improvements"] > 0
    # What HiGHS prints by itself is no answer; what others print meanwhile is not lost.
    assert capfd.readouterr().out == "of others\n" * 6


def test_near_discount_1_highs_fails_and_the_answer_holds():
    """Feasible like all of them: HiGHS calls many of these infeasible or unbounded."""
    for seed in range(12):
        mdp = garnet(seed, 1 - F(1, 10 ** (7 + seed // 2)), S=2 + seed % 4)
        assert encloses(linear_programming(mdp), exact_optimal_value(mdp))


def test_time_limit_leaves_a_proven_interval(monkeypatch):
    """HiGHS does not come back: that it is not waited for is seen by the answer."""
    over = threading.Event()
    monkeypatch.setattr(scipy.optimize, "linprog", lambda *_, **__: over.wait())
    mdp = garnet(0)
    answer = linear_programming(mdp, time_limit=0.1)
    over.set()
    assert answer.status is Status.TIME_SPENT
    assert encloses(answer, exact_optimal_value(mdp))
