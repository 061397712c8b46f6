"""Value iteration against closed forms, books and a plain loop that stops as textbooks do."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import reference
from random_models import random_model

from tabular_rl import MDP, NoFiniteAnswer, NumericalError, Status
from tabular_rl.methods.planning.value_iteration import value_iteration

pytestmark = pytest.mark.small


def puterman(gamma):
    """Puterman (1994), section 3.1: in state 0 stay for 5 (and leave with probability 1/2), or leave for 10."""
    return MDP([[[0.5, 0.5], [0, 1]], [[0, 1], [0, 0]]], [[5, 10], [-1, 0]], gamma, axes="sas")


def robot(alpha, beta, search, wait, gamma):
    """Sutton & Barto (2018), Example 3.3."""
    return MDP.from_outcomes(
        [
            ("high", "search", "high", alpha, search), ("high", "search", "low", 1 - alpha, search),
            ("high", "wait", "high", Fraction(1), wait),
            ("low", "search", "low", beta, search), ("low", "search", "high", 1 - beta, Fraction(-3)),
            ("low", "wait", "low", Fraction(1), wait), ("low", "recharge", "high", Fraction(1), Fraction(0)),
        ],
        gamma,
    )  # fmt: skip


def walk(n):
    """Sutton & Barto (2018), Example 6.2, with n states: the chance to leave on the right is k / (n + 1)."""
    names = ["left", *map(str, range(1, n + 1)), "right"]
    return MDP.from_outcomes(
        [
            (names[k], "step", names[k + d], "1/2", int(names[k + d] == "right"))
            for k in range(1, n + 1)
            for d in (-1, 1)
        ],
        1,
        terminal=["left", "right"],
        states=names,
    )


def chain(n, forward=True):
    """A corridor of n steps that cost 1, listed towards the end or away from it."""
    order = range(n) if forward else reversed(range(n))
    return MDP.from_outcomes([(s, "go", s + 1, 1, -1) for s in order], 1, terminal=[n])


@pytest.mark.parametrize("in_place", [False, True])
def test_puterman_two_states(in_place):
    """For γ > 10/11 staying is best in state 0, and below leaving is."""
    g = 0.95
    answer = value_iteration(puterman(g), in_place=in_place)
    assert answer.v == pytest.approx([(5 - 5.5 * g) / ((1 - 0.5 * g) * (1 - g)), -1 / (1 - g)], abs=1e-6)
    assert answer.policy.actions.tolist() == [0, 0]
    assert answer.proven_optimal.all()
    assert value_iteration(puterman(0.9), in_place=in_place).policy.actions.tolist() == [1, 0]


def test_recycling_robot_closed_form():
    """With search in high and recharge in low: v(high) = r / (1 - γ α - γ² (1 - α)), v(low) = γ v(high)."""
    a, b, g = Fraction(3, 4), Fraction(1, 4), Fraction(9, 10)
    answer = value_iteration(robot(a, b, Fraction(2), Fraction(1, 2), g))
    high = float(2 / (1 - g * a - g * g * (1 - a)))
    assert answer["high"] == pytest.approx(high, abs=1e-6)
    assert answer["low"] == pytest.approx(0.9 * high, abs=1e-6)
    assert (answer.policy["high"], answer.policy["low"]) == ("search", "recharge")


@pytest.mark.parametrize("n", [5, 9])
@pytest.mark.parametrize("in_place", [False, True])
def test_random_walk(n, in_place):
    answer = value_iteration(walk(n), in_place=in_place)
    assert [answer[k] for k in range(1, n + 1)] == pytest.approx(
        [k / (n + 1) for k in range(1, n + 1)], abs=1e-6
    )


def textbook_sweeps(mdp, tolerance):
    """Sweeps from 0 until |v' - v| < tolerance (1 - γ) / (2 γ) in the largest entry (Puterman, 6.3.2)."""
    v, sweeps = [0.0] * mdp.S, 0
    while True:
        out, rows = [0.0] * mdp.S, [0] * mdp.S
        reference.optimal_backup(
            mdp.pair_ptr, (mdp.row_ptr, mdp.next_state, mdp.prob, mdp.r, mdp.gamma, mdp.sign), v, 0, mdp.S, 1,
            [math.inf, -math.inf], rows, out,
        )  # fmt: skip
        sweeps += 1
        if max(abs(a - b) for a, b in zip(out, v, strict=True)) < tolerance * (1 - mdp.gamma) / (
            2 * mdp.gamma
        ):
            return sweeps
        v = out


def test_stop_is_never_later_than_the_textbook_and_much_earlier_where_states_mix():
    for seed in range(8):
        mdp = random_model(seed, gamma="9/10", S=4)
        assert value_iteration(mdp, tolerance=1e-4, start_from=[0] * 4).work["sweeps"] <= textbook_sweeps(
            mdp, 1e-4
        )
    rng = np.random.default_rng(1)
    P = rng.dirichlet(np.ones(6), size=(6, 2))
    mixing = MDP(P / P.sum(axis=2, keepdims=True), rng.normal(size=(6, 2)), 0.95, normalize=True)
    assert value_iteration(mixing, tolerance=1e-4).work["sweeps"] * 10 < textbook_sweeps(mixing, 1e-4)


def test_one_sweep_from_zero_is_the_best_reward():
    mdp = puterman(0.95)
    answer = value_iteration(mdp, sweeps=1)
    assert answer.status is Status.BUDGET_SPENT
    assert answer.work == {"sweeps": 1}
    assert answer.lower[0] <= -60 / 7 <= answer.upper[0]  # (5 - 5.225) / (.525 * .05) = -8.571...


def test_gauss_seidel_uses_each_new_value_at_once():
    """Along a corridor a synchronous sweep carries a value one step, a sweep in the right direction all the way."""
    n = 40
    for forward in (True, False):
        mdp = chain(n, forward)
        fast, slow = value_iteration(mdp, in_place=True), value_iteration(mdp)
        assert fast.work["sweeps"] <= 3 < n <= slow.work["sweeps"] <= n + 2
        assert fast["0"] == pytest.approx(-n, abs=1e-6)


def test_no_rewards_take_one_sweep():
    answer = value_iteration(MDP([[[0.5, 0.5]], [[1, 0]]], [[0], [0]], 0.99))
    assert answer.work == {"sweeps": 1}
    assert answer.v.tolist() == [0, 0]
    assert answer.bound < 1e-300


def test_single_state_and_no_discount_at_all():
    assert value_iteration(MDP([[[1.0], [1.0]]], [[1.0, 3.0]], 0))["0"] == pytest.approx(3, abs=1e-14)
    assert value_iteration(MDP([[[1.0], [1.0]]], [[1.0, 3.0]], "1/2"))["0"] == pytest.approx(6)


def test_costs_are_minimised():
    """At 1 a step forever, or 5 once: min(1 / (1 - γ), 5 + 0)."""
    P = [[[1, 0], [0, 1]], [[0, 0], [0, 0]]]
    for gamma, best in (("1/2", 2), ("9/10", 5)):
        answer = value_iteration(MDP(P, [[1, 5], [0, 0]], gamma, axes="sas", terminal=[1], sense="min"))
        assert answer["0"] == pytest.approx(best, abs=1e-6)


def test_tolerance_beyond_floats_stops_at_once():
    """γ = 1 - 1e-12 would take 1e13 sweeps; rounding alone leaves the interval wider than asked."""
    mdp = MDP([[[0.5, 0.5]], [[0.25, 0.75]]], [[1], [-3]], 1 - Fraction(1, 10**12))
    answer = value_iteration(mdp, tolerance=1e-9)
    assert answer.status is Status.FLOATS_SPENT
    assert answer.work["sweeps"] < 500
    assert "smallest tolerance" in answer.note
    truth = reference.exact_optimal_value(mdp)
    assert all(
        a <= x <= b for a, x, b in zip(answer.lower.tolist(), truth, answer.upper.tolist(), strict=True)
    )


def test_overflow_is_an_error_that_names_the_state():
    mdp = MDP([[[1.0]]], [[1e300]], Fraction(999, 1000), states=["rich"])
    with pytest.raises(
        NumericalError, match=r"overflow at state 'rich' .*: found inf, expected a finite value"
    ):
        value_iteration(mdp.replace(gamma=1 - Fraction(1, 10**15)), start_from=[1.7976931348623157e308])
    assert value_iteration(mdp, relative=True, tolerance=1e-6)["rich"] == pytest.approx(1e303)


def test_values_that_grow_without_end_are_refused_before_the_first_sweep():
    ring = MDP([[[0, 1.0]], [[1.0, 0]]], [[1], [1]], 1)
    with pytest.raises(NoFiniteAnswer, match="'0', '1'"):
        value_iteration(ring, sweeps=1)


def test_loop_without_reward_is_worth_nothing_beside_a_costly_exit():
    """Storm's tiny_rewards: stay for 0 forever, or leave for -1. Not "reach the goal": 0."""
    mdp = MDP([[[1, 0], [0, 1]], [[0, 0], [0, 0]]], [[0, -1], [0, 0]], 1, terminal=[1], axes="sas")
    answer = value_iteration(mdp)
    assert abs(answer["0"]) < 1e-12
    assert answer.policy.actions.tolist() == [0, -1]


def test_history_falls_and_counts_sweeps():
    answer = value_iteration(puterman(0.95))
    sweeps = [k for k, _ in answer.history]
    assert sweeps == list(range(1, answer.work["sweeps"] + 1))
    assert answer.history[-1][1] < answer.history[0][1]


@pytest.mark.parametrize("start", [[-50.0, 70.0], [1e9, -1e9]])
def test_any_start_leads_to_the_same_answer(start):
    answer = value_iteration(puterman(0.95), start_from=start)
    assert answer.status is Status.CERTIFIED
    assert answer.v == pytest.approx([-60 / 7, -20], abs=1e-6)
