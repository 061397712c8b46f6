"""Sweeps over a part of a lake that grows from its goal: which lines grow, by what parts; answers stay right."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import reference
from ordered_models import route

from tabular_rl import MDP, Status
from tabular_rl.methods.planning import _front, _growth
from tabular_rl.methods.planning._growth import Growth, by_distance
from tabular_rl.methods.planning._ordered import Packed, in_line, line_up
from tabular_rl.methods.planning.ordered_gauss_seidel import ordered_gauss_seidel
from tabular_rl.solving.sweeps import Sweeper

THIRD = Fraction(1, 3)


@pytest.fixture
def grow(monkeypatch):
    """Let every line grow that has few rewards or many, two levels a part."""
    for name, module, value in (
        ("LEVELS", _growth, 2),
        ("PLACES", _front, 1),
        ("GROWN", _front, 1),
        ("FEWEST", _front, 2),
        ("FEWEST", _growth, 2),
        ("FEW", _growth, 1),
    ):
        monkeypatch.setattr(module, name, value)


def corridor(n, gamma="9/10", reward=1):
    """From cell s one slips on to s - 1, back to s + 1 or into a hole; from cell 1 on to the goal, for the reward."""
    steps = []
    for s in range(1, n + 1):
        steps.append((str(s), "go", "hole", THIRD, 0))
        steps.append((str(s), "go", str(min(s + 1, n)), THIRD, 0))
        steps.append((str(s), "go", str(s - 1) if s > 1 else "goal", THIRD, reward if s == 1 else 0))
    return MDP.from_outcomes(steps, gamma, terminal=["hole", "goal"])


def lake(n, gamma, holes):
    """An n x n lake: a move goes a third of the time where it is meant to, and a third to either side."""
    steps = []
    for i, j in {(i, j) for i in range(n) for j in range(n)} - {*holes, (n - 1, n - 1)}:
        around = [(i, max(j - 1, 0)), (min(i + 1, n - 1), j), (i, min(j + 1, n - 1)), (max(i - 1, 0), j)]
        for a in range(4):
            for b in (-1, 0, 1):
                to = around[(a + b) % 4]
                steps.append((f"{i},{j}", "ldru"[a], "{},{}".format(*to), THIRD, int(to == (n - 1, n - 1))))
    return MDP.from_outcomes(steps, gamma, terminal=[f"{i},{j}" for i, j in [*holes, (n - 1, n - 1)]])


def names(mdp, line):
    return [mdp.states[s] for s in line.order.tolist()]


@pytest.mark.small
@pytest.mark.usefixtures("grow")
def test_parts_are_by_the_number_of_moves_to_the_goal():
    mdp = corridor(7)
    short = line_up(Sweeper(mdp))
    line = by_distance(Sweeper(mdp), short)
    assert line.grows
    part = {mdp.states[s]: int(x) for s, x in zip(line.order.tolist(), line.level.tolist(), strict=True)}
    assert part == {"hole": 0, "goal": 0} | {str(s): (s - 1) // 2 for s in range(1, 8)}
    assert line.place[line.order].tolist() == list(range(9))
    assert _front.parts(line) == [2, 4, 6, 8, 9]
    before = names(mdp, short)
    for pair in (["1", "2"], ["3", "4"], ["5", "6"]):  # in a part as in the line before
        assert [x for x in names(mdp, line) if x in pair] == [x for x in before if x in pair]


@pytest.mark.small
@pytest.mark.usefixtures("grow")
def test_states_from_which_no_reward_is_reached_come_last():
    steps = [("x", "go", "hole", "1/2", 0), ("x", "go", "y", "1/2", 0), ("y", "go", "hole", "1/2", 0)]
    steps += [("y", "go", "x", "1/2", 0)]
    for s in range(1, 7):
        steps += [(str(s), "go", "hole", "1/2", 0), (str(s), "go", str(s - 1), "1/2", int(s == 1))]
    mdp = MDP.from_outcomes(steps, "9/10", terminal=["hole", "0"])
    line = by_distance(Sweeper(mdp), line_up(Sweeper(mdp))._replace(acyclic=False))
    assert line.grows
    assert set(names(mdp, line)[-2:]) == {"x", "y"}


@pytest.mark.small
@pytest.mark.usefixtures("grow")
def test_lines_grow_for_rewards_alone_that_are_few_and_far(monkeypatch):
    def grows(mdp):
        return by_distance(Sweeper(mdp), line_up(Sweeper(mdp))).grows

    assert grows(corridor(7))
    assert not grows(corridor(7, reward=-1))
    assert not grows(corridor(7, reward=0))
    assert not grows(corridor(2))  # of one part
    monkeypatch.setattr(_growth, "FEW", 8)
    assert not grows(corridor(7))


@pytest.mark.small
@pytest.mark.usefixtures("grow")
def test_one_more_part_is_swept_each_time():
    mdp = corridor(7)
    sweeper = Sweeper(mdp)
    line = by_distance(sweeper, line_up(sweeper))
    search = in_line(sweeper, line, np.zeros(mdp.S), np.zeros(mdp.S, dtype=np.int32), np.inf)
    whole = search.blocks
    growth = Growth(search)
    seen = []
    while not growth.is_whole():
        seen.append(search.blocks)
    assert seen == [[(2, 4)], [(2, 6)], [(2, 8)]]
    assert search.blocks == whole and growth.is_whole()


@pytest.mark.small
@pytest.mark.usefixtures("grow")
@pytest.mark.parametrize("storage", ["numbers", "kinds", "stored"])
def test_interval_holds_the_exact_value_where_the_line_grows(storage, monkeypatch):
    used = route(monkeypatch, storage)
    for mdp in (corridor(8), lake(4, "99/100", [(1, 1), (2, 3)]), corridor(8, 1)):
        answer = ordered_gauss_seidel(mdp)
        assert answer.status is Status.CERTIFIED and used[-1].line.grows
        for low, truth, high in zip(
            answer.lower.tolist(), reference.exact_optimal_value(mdp), answer.upper.tolist(), strict=True
        ):
            assert Fraction(low) <= truth <= Fraction(high)


@pytest.mark.small
@pytest.mark.usefixtures("grow")
def test_no_line_grows_from_given_values_and_few_sweeps_are_kept_to(monkeypatch):
    used = route(monkeypatch, "kinds")
    mdp = corridor(30)
    ordered_gauss_seidel(mdp, start_from=np.zeros(mdp.S))
    assert not used[-1].line.grows
    answer = ordered_gauss_seidel(mdp, sweeps=7)
    assert answer.status is Status.BUDGET_SPENT and sum(answer.work.values()) == 7 and used[-1].line.grows


def test_growing_a_lake_takes_less_work(monkeypatch):
    """A lake of 60 x 60 with a hole in one of eight cells; the states swept are counted."""
    rng = np.random.default_rng(1)
    holes = [(i, j) for i, j in np.ndindex(60, 60) if rng.random() < 1 / 8 and 0 < i + j < 116]
    mdp = lake(60, "999/1000", holes)
    swept = []
    evaluate_often = Packed.evaluate_often

    def counted(self, *given):
        changes = evaluate_often(self, *given)
        swept[-1] += len(changes) * sum(last - first for first, last in self.blocks)
        return changes

    monkeypatch.setattr(Packed, "evaluate_often", counted)
    monkeypatch.setattr(_front, "GROWN", 1)
    for fewest in (1000, 4):
        monkeypatch.setattr(_growth, "FEWEST", fewest)
        swept.append(0)
        assert ordered_gauss_seidel(mdp).status is Status.CERTIFIED
    assert 10 * swept[1] < 9 * swept[0]
