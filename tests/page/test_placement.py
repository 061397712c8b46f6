"""States stand in levels: no move jumps over one, no two states share a place, chains are lines."""

import numpy as np
import pytest

import tabular_rl
from tabular_rl import MDP
from tabular_rl.report.page.placement import _crossings, linked, placed

MODELS = (
    "forest",
    "student",
    "romania",
    "commute",
    "die_rolls",
    "queue_admission",
    "secretary",
    "haddad_monmege",
)


@pytest.mark.parametrize("name", MODELS)
def test_no_two_states_share_a_place(name):
    places = placed(tabular_rl.load(f"example:{name}"))
    assert len({tuple(place) for place in places.tolist()}) == len(places)
    assert places.min() == 0 or places[:, 0].min() == 0


@pytest.mark.parametrize("name", ["student", "romania", "queue_admission", "river_swim", "random_walk_19"])
def test_no_move_jumps_over_a_level(name):
    mdp = tabular_rl.load(f"example:{name}")
    x = placed(mdp)[:, 0]
    i, j = np.nonzero(linked(mdp))
    assert np.abs(x[i] - x[j]).max() < 1.5  # a level is 1 wide, its middle at most 0.3 aside


def test_a_random_walk_is_a_line_in_the_order_of_its_states():
    places = placed(tabular_rl.load("example:random_walk_5"))
    assert sorted(places[:, 0].tolist()) == [0, 1, 2, 3, 4, 5, 6] and not places[:, 1].any()
    steps = np.abs(np.diff(places[:5, 0]))
    assert steps.tolist() == [1, 1, 1, 1]


def test_parts_that_no_move_joins_stand_below_each_other():
    moves = [("a", "go", "b", 1, 0), ("c", "go", "d", 1, 0), ("b", "go", "b", 1, 0), ("d", "go", "d", 1, 0)]
    places = placed(MDP.from_outcomes(moves, 0.5, states=list("abcd")))
    assert places.tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]


def test_crossings_are_counted():
    links = np.zeros((4, 4), dtype=bool)
    for i, j in [(0, 3), (1, 2)]:  # from the first level 0, 1 to the second 2, 3: they cross
        links[i, j] = links[j, i] = True
    assert _crossings(links, [[0, 1], [2, 3]]) == 1
    assert _crossings(links, [[0, 1], [3, 2]]) == 0
