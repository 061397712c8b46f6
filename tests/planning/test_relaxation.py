"""Over-relaxed sweeps of a policy: fewer where errors spread both ways, and taken back where they diverge."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import reference
from ordered_models import route

from tabular_rl import MDP, Status
from tabular_rl.methods.planning import _relaxation
from tabular_rl.methods.planning._chains import Chains
from tabular_rl.methods.planning._ordered import Sweeps
from tabular_rl.methods.planning._relaxation import LASTING, MOST_INNER, OMEGAS, WAIT, Evaluation
from tabular_rl.methods.planning.ordered_gauss_seidel import ordered_gauss_seidel

pytestmark = pytest.mark.small


def walk(n, gamma=1):
    """Left and right are as likely, both ends end, each step costs 1: s (n - s) steps on average at γ = 1."""
    steps = [(str(s), "go", str(s + d), "1/2", -1) for s in range(1, n) for d in (-1, 1)]
    return MDP.from_outcomes(steps, gamma, terminal=["0", str(n)])


class Search(Sweeps):
    """Sweeps that leave a share of the changes, which depends on ω."""

    def __init__(self, rate):
        self.rate, self.change, self.v, self.omegas = rate, 1.0, np.zeros(3), []

    def evaluate(self, omega):
        self.omegas.append(omega)
        self.change *= self.rate(omega)
        self.v += self.change
        return -self.change, 0.0


def goal_of(enough):
    """A goal for which changes up to that are small enough."""
    return SimpleNamespace(run=SimpleNamespace(did=lambda *_: None), least_change=lambda: enough)


def evaluations(rate, count, enough=0.0):
    """The ω of each of some evaluations, and the search."""
    search = Search(rate)
    goal = goal_of(enough)
    evaluation, used = Evaluation(goal, search), []
    for _ in range(count):
        evaluation.sweep(search.change, MOST_INNER)
        used.append(search.omegas[-1])
    return used, search


def test_walk_takes_a_third_of_the_sweeps(monkeypatch):
    monkeypatch.setattr(Chains, "solve", lambda *_: False)  # nothing but sweeps
    answer = ordered_gauss_seidel(walk(60))
    assert answer.status is Status.CERTIFIED
    assert [answer[str(s)] for s in range(61)] == pytest.approx([-s * (60 - s) for s in range(61)], abs=1e-6)
    monkeypatch.setattr(_relaxation, "OMEGAS", (1.0,))
    monkeypatch.setattr(Evaluation, "_alike", lambda *_: False)
    plain = ordered_gauss_seidel(walk(60))
    assert 3 * sum(answer.work.values()) <= sum(plain.work.values())


def test_interval_holds_the_exact_value_after_over_relaxed_sweeps():
    mdp = walk(20, "99/100")
    answer = ordered_gauss_seidel(mdp)
    assert answer.work["evaluation sweeps"] > (LASTING + 1) * MOST_INNER
    assert all(
        low <= x <= high
        for low, x, high in zip(answer.lower, reference.exact_optimal_value(mdp), answer.upper, strict=True)
    )


def test_omega_rises_while_that_pays():
    used, _ = evaluations(lambda omega: 0.99 - 0.1 * (omega - 1), 8)
    assert used == [1.0] * LASTING + list(OMEGAS[1:]) + [OMEGAS[-1]]


def test_fast_evaluations_are_left_alone():
    used, search = evaluations(lambda _: 0.7, 6)
    assert used == [1.0] * 6
    assert len(search.omegas) == 6 * 7  # .7 to the 7th is below a tenth


def test_omega_that_pays_less_is_taken_back_for_a_while():
    used, _ = evaluations(lambda omega: 0.95 if omega == OMEGAS[2] else 0.97, LASTING + 2 + WAIT)
    # ω = 1.3 is no better than 1
    assert used == [1.0] * LASTING + [OMEGAS[1]] + [1.0] * WAIT + [OMEGAS[1]]


def test_values_before_come_back_where_it_diverges():
    search = Search(lambda _: 1.5)
    before = search.v.copy()
    goal = goal_of(0.0)
    evaluation = Evaluation(goal, search)
    evaluation.level = 1
    assert evaluation.sweep(1.0, MOST_INNER) == 3  # 1.5² is above 2
    assert np.array_equal(search.v, before)
    assert evaluation.level == 0 and evaluation.wait == 2 * WAIT


def test_values_that_are_no_numbers_count_as_diverged():
    search = Search(lambda _: np.nan)
    goal = goal_of(0.0)
    evaluation = Evaluation(goal, search)
    evaluation.level = 2
    assert evaluation.sweep(1.0, MOST_INNER) == 1
    assert search.v.tolist() == [0, 0, 0] and evaluation.level == 1


def test_near_rounding_sweeps_are_plain():
    used, _ = evaluations(lambda omega: 0.99 - 0.1 * (omega - 1), 12, enough=1e-3)
    assert used[LASTING] > 1 and used[-1] == 1.0


# -- changes that shrink alike --------------------------------------------------------------------------------------


class Alike(Sweeps):
    """Sweeps that take a share of what is missing of 1, after some that do not count."""

    def __init__(self, rates):
        self.rates, self.v, self.turn = rates, np.zeros(3), 0

    def evaluate(self, omega):
        before = self.v.copy()
        self.v += (1 - self.rates[self.turn % len(self.rates)]) * (1 - self.v)
        self.turn += 1
        return 0.0, float((self.v - before).max())


def test_what_shrinks_alike_is_foreseen():
    search = Alike([0.99])
    evaluation = Evaluation(goal_of(0.0), search)
    assert evaluation.sweep(0.01, MOST_INNER) == MOST_INNER + 2
    assert search.v == pytest.approx(np.ones(3), abs=1e-12)
    assert evaluation.level == evaluation.slow == 0


def test_what_shrinks_otherwise_is_not_and_is_left_alone_for_longer_and_longer():
    search = Alike(
        [0.99] * (MOST_INNER + 1) + [1.0]
    )  # the sweep after a leap finds that nothing is left to hear
    evaluation = Evaluation(goal_of(0.0), search)
    evaluation.count = 10
    changes = [0.1 * 0.99**k for k in range(MOST_INNER)]
    assert evaluation._alike(changes)
    search.evaluate = lambda _: (0.0, 0.05)
    before = search.v.copy()
    assert not evaluation._leapt(changes)
    assert changes[MOST_INNER:] == [0.05, 0.05] and np.array_equal(search.v, before)
    assert not evaluation._alike(changes[:MOST_INNER])
    evaluation.count = evaluation.leap_again
    assert evaluation._alike(changes[:MOST_INNER]) and evaluation.leap_wait == 2 * WAIT
    assert not evaluation._alike([*changes[:17], 0.08, 0.079, 0.077])


@pytest.mark.parametrize("storage", ["numbers", "stored"])
def test_a_hub_that_all_hear_from_takes_few_sweeps(storage, monkeypatch):
    """One step in ten leads back to the first state, which all therefore wait for; each costs 1."""
    route(monkeypatch, storage)
    n = 40
    steps = [(str(s), "go", str(s - 1), "9/10", -1) for s in range(1, n)]
    steps += [(str(s), "go", str(n - 1), "1/10", -1) for s in range(1, n)]
    mdp = MDP.from_outcomes(steps, "999/1000", terminal=["0"])
    answer = ordered_gauss_seidel(mdp)
    assert answer.status is Status.CERTIFIED
    assert all(
        low <= x <= high
        for low, x, high in zip(answer.lower, reference.exact_optimal_value(mdp), answer.upper, strict=True)
    )
    monkeypatch.setattr(Evaluation, "_alike", lambda *_: False)
    plain = ordered_gauss_seidel(mdp)
    assert 3 * sum(answer.work.values()) <= sum(plain.work.values())
