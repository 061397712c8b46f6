"""The front of first sweeps along a long line: what it takes, where it leaves off, and that answers stay right."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import reference
from ordered_models import grid, route
from random_models import TOTAL, random_model

from tabular_rl import MDP, Status
from tabular_rl.methods.planning import _front
from tabular_rl.methods.planning._front import Front, parts
from tabular_rl.methods.planning._ordered import line_up
from tabular_rl.methods.planning.ordered_gauss_seidel import ordered_gauss_seidel
from tabular_rl.model.families import gridworld
from tabular_rl.solving.sweeps import Sweeper

pytestmark = pytest.mark.small


@pytest.fixture
def fronts(monkeypatch):
    """Let every line have a front of a level a part; return the fronts there are."""
    made = []
    begin = Front.__init__
    monkeypatch.setattr(_front, "LEVELS", 1)
    monkeypatch.setattr(_front, "PLACES", 1)
    monkeypatch.setattr(_front, "FEWEST", 1)
    monkeypatch.setattr(Front, "__init__", lambda self, *given: (made.append(self), begin(self, *given))[1])
    return made


def corridor(n, back, gamma=1):
    """From cell s one goes to s + 1 with probability `back`, else to s - 1, at a cost of 1; the last cell goes on."""
    steps = []
    for s in range(1, n):
        odds = (1 - back, back) if s + 1 < n else (1, 0)
        steps += [(str(s), "go", str(t), p, -1) for t, p in zip((s - 1, s + 1), odds, strict=True) if p]
    return MDP.from_outcomes(steps, gamma, terminal=["0"])


def check_holds_truth(mdp):
    answer = ordered_gauss_seidel(mdp)
    assert answer.status is Status.CERTIFIED, mdp.name
    for low, truth, high in zip(
        answer.lower.tolist(), reference.exact_optimal_value(mdp), answer.upper.tolist(), strict=True
    ):
        assert Fraction(low) <= truth <= Fraction(high)
    return answer


@pytest.mark.parametrize("storage", ["numbers", "kinds"])
def test_interval_holds_the_exact_value_behind_a_front(storage, fronts, monkeypatch):
    route(monkeypatch, storage)
    for seed in range(8):
        check_holds_truth(random_model(seed, S=8, ends=1 + seed % 2, sense=["max", "min"][seed % 2]))
    for kind in TOTAL:
        check_holds_truth(random_model(1, "total-reward", kind=kind, S=7))
    check_holds_truth(grid(5, "99/100", walls=[(1, 1), (1, 2)]))
    assert len(fronts) > 4


def test_levels_of_a_grid_are_the_distances_to_its_end():
    mdp = grid(5, "9/10")
    line = line_up(Sweeper(mdp))
    far = {str(i * 5 + j): 8 - i - j for i in range(5) for j in range(5)}
    assert line.level.tolist() == [far[str(mdp.states[s])] for s in line.order.tolist()]
    assert line.level.tolist() == sorted(far.values())


def test_parts_of_a_line_have_whole_levels_and_enough_places(monkeypatch):
    line = line_up(Sweeper(grid(5, "9/10")))  # levels of 1, 2, 3, 4, 5, 4, 3, 2 and 1 cells
    monkeypatch.setattr(_front, "LEVELS", 2)
    monkeypatch.setattr(_front, "PLACES", 1)
    assert parts(line) == [1, 6, 15, 22, 25]
    monkeypatch.setattr(_front, "PLACES", 6)
    assert parts(line) == [1, 15, 22, 25]


def test_behind_a_front_a_long_grid_takes_half_the_sweeps(fronts, monkeypatch):
    """What changes near the end is news for all: a sweep carries it some eight of the 302 levels on."""
    mdp = gridworld(rows=4, columns=300, slip=0.2, gamma=0.9999, seed=0)
    monkeypatch.setattr(_front, "LEVELS", 8)
    work = ordered_gauss_seidel(mdp).work
    front = fronts.pop()
    assert front.near == front.far == front.count == 38
    monkeypatch.setattr(_front, "FEWEST", 1000)
    plain = ordered_gauss_seidel(mdp).work
    assert not fronts
    assert 2 * sum(work.values()) < sum(plain.values())


def test_all_cells_of_a_corridor_have_settled_where_the_front_has_passed(fronts):
    """x(s) = v(s) - v(s - 1) is -1 in the last cell, and -5/4 + x(s + 1) / 4 before it."""
    answer = ordered_gauss_seidel(corridor(200, Fraction(1, 5)))
    assert fronts[0].near == fronts[0].count == 199
    x = [-1.0]
    for _ in range(198):
        x.append(-1.25 + x[-1] / 4)
    v = np.cumsum(x[::-1])
    assert [answer[str(s)] for s in range(1, 200)] == pytest.approx(v.tolist(), abs=1e-6)


def test_where_errors_spread_both_ways_the_front_leaves_off(fronts, monkeypatch):
    """Where back and on are as likely, v(s) = -s (2 n - s) with n = 99 steps to the last cell."""
    monkeypatch.setattr(_front, "LEVELS", 4)
    answer = ordered_gauss_seidel(corridor(100, Fraction(1, 2)))
    assert fronts[0].near < fronts[0].far < fronts[0].count == 25
    assert [answer[str(s)] for s in range(100)] == pytest.approx(
        [-s * (198 - s) for s in range(100)], abs=1e-6
    )


@pytest.mark.parametrize("storage", ["numbers", "kinds"])
def test_a_hub_far_ahead_is_not_waited_for(storage, fronts, monkeypatch):
    """From each cell of a corridor one goes with 1/10 to one far on, or to one nearby."""
    route(monkeypatch, storage)
    for hub in ("30", "3"):
        steps = [
            (str(s), "go", to, p, -1)
            for s in range(1, 41)
            for to, p in ((str(s - 1), 0.8), (str(min(s + 1, 40)), 0.1), (hub, 0.1))
        ]
        answer = ordered_gauss_seidel(MDP.from_outcomes(steps, 0.9, terminal=["0"], normalize=True))
        assert answer.status is Status.CERTIFIED
        assert len(fronts) == (hub == "3")


def test_few_sweeps_are_not_spent_on_a_front(fronts):
    answer = ordered_gauss_seidel(grid(8, "99/100"), sweeps=9)
    assert not fronts and sum(answer.work.values()) <= 9


def test_start_from_values_has_no_front(fronts):
    mdp = grid(8, "99/100")
    ordered_gauss_seidel(mdp, start_from=np.zeros(64))
    assert not fronts
