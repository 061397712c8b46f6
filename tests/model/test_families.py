"""Families of models: sizes, bits, and small instances against values worked out otherwise."""

from __future__ import annotations

import inspect
import json
import tracemalloc
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabular_rl.errors import OptionError
from tabular_rl.model.calls import options_of
from tabular_rl.model.families import (
    FAMILIES,
    car_rental,
    forest,
    garnet,
    gridworld,
    inventory,
    maze,
    queue,
    random_walk,
)
from tabular_rl.model.mdp import MDP

SMALL: dict[str, dict[str, Any]] = {
    "gridworld": {"rows": 5, "columns": 7, "walls": 0.3},
    "maze": {"rows": 4, "columns": 5, "slip": 0.1},
    "random_walk": {"states": 7, "gamma": 0.9},
    "queue": {"capacity": 9},
    "forest": {"states": 6},
    "inventory": {"capacity": 8, "demand": 5},
    "car_rental": {"capacity": 4, "moves": 2},
    "garnet": {"states": 30, "actions": 3, "branching": 6},
}
LARGE: dict[str, dict[str, Any]] = {
    "gridworld": {"rows": 300, "columns": 300, "walls": 0.2},
    "maze": {"rows": 150, "columns": 150},
    "random_walk": {"states": 100_000},
    "queue": {"capacity": 50_000},
    "forest": {"states": 100_000},
    "inventory": {"capacity": 400},
    "car_rental": {"capacity": 12},
    "garnet": {"states": 20_000, "actions": 10},
}


def made(name: str, **changes: Any) -> MDP:
    return FAMILIES[name](**SMALL[name] | changes)


def outcomes(mdp: MDP, state: int, action: str) -> dict[int, float]:
    """The next states of a row and their probabilities, duplicates added."""
    row = mdp.row(state, action)
    found: dict[int, float] = {}
    for k in range(mdp.row_ptr[row], mdp.row_ptr[row + 1]):
        s2 = int(mdp.next_state[k])
        found[s2] = found.get(s2, 0.0) + float(mdp.prob[k])
    return found


def value(mdp: MDP) -> np.ndarray[Any, Any]:
    """Value iteration until nothing moves, in plain NumPy."""
    P, v = mdp.P, np.zeros(mdp.S)
    live = ~mdp.terminal
    pick = np.maximum if mdp.sense == "max" else np.minimum
    for _ in range(20_000):
        q = mdp.r + mdp.gamma * (P @ v)
        new = np.zeros(mdp.S)
        new[live] = pick.reduceat(q, mdp.pair_ptr[:-1][live])
        if np.abs(new - v).max() < 1e-11:
            return new
        v = new
    raise AssertionError("no convergence")


def test_every_family_is_tried_here():
    assert set(FAMILIES) == set(SMALL) == set(LARGE)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_option_has_a_help_text_and_a_default_in_range(name):
    parameters = inspect.signature(FAMILIES[name]).parameters
    options = options_of(FAMILIES[name])
    assert list(options) == list(parameters)
    for option, default in options.values():
        assert option.help
        assert option.check(default) == default is not None


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_sum_to_one_in_exact_arithmetic(name):
    mdp = made(name)
    for row in range(mdp.L):
        p = [Fraction(float(x)) for x in mdp.prob[mdp.row_ptr[row] : mdp.row_ptr[row + 1]]]
        assert abs(sum(p) - 1) <= Fraction(len(p), 2**52)
        assert min(p) >= 0


@pytest.mark.parametrize("name", FAMILIES)
def test_same_arguments_same_bits(name):
    assert made(name) == made(name)
    assert made(name).digest != made(name, gamma=0.5).digest


@pytest.mark.parametrize("name", ["gridworld", "maze", "garnet"])
def test_another_seed_another_model(name):
    assert made(name, seed=1).digest != made(name, seed=2).digest


@pytest.mark.parametrize("name", FAMILIES)
def test_names_are_not_made_and_memory_stays_near_the_model(name):
    FAMILIES[name](**SMALL[name])  # imports are not counted
    tracemalloc.start()
    mdp = FAMILIES[name](**LARGE[name])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not mdp.states.given
    assert peak < 3 * mdp.nbytes + 20e6  # validation looks at blocks of 2**20 outcomes


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("gridworld", {"rows": 0}, "rows: found .0., expected a whole number from 1$"),
        ("gridworld", {"rows": 1, "columns": 1}, "1 cell, expected at least 2"),
        ("gridworld", {"rows": 100_000, "columns": 100_000}, "expected at most 2147483647"),
        ("gridworld", {"slip": 1.5}, "slip"),
        ("gridworld", {"walls": 1.0}, "walls: found .1.0., expected a number from 0 to 0.99"),
        ("gridworld", {"rows": 2, "columns": 1, "walls": 0.99}, "walls: found fewer than 2 cells"),
        ("gridworld", {"seed": -1}, "seed"),
        ("gridworld", {"step_reward": float("nan")}, "step_reward"),
        ("maze", {"rows": 1, "columns": 1}, "1 room"),
        ("random_walk", {"states": 2.5}, "states"),
        ("queue", {"arrival": 0.5, "service": 0.6}, "service: found 0.6, expected at most 0.5"),
        ("forest", {"states": 1}, "states"),
        ("inventory", {"capacity": True}, "capacity"),
        ("garnet", {"states": 4, "branching": 5}, "branching: found 5, expected at most 4"),
        ("garnet", {"gamma": 1.1}, "gamma"),
        ("garnet", {"states": 2**31}, "expected at most 2147483647"),
        ("forest", {"states": 2**31}, "expected at most 2147483647"),
    ],
)
def test_a_wrong_option_is_named(name, wrong, says):
    with pytest.raises(OptionError, match=says):
        FAMILIES[name](**wrong)


# ---------------------------------------------------------------- gridworld and maze


def test_gridworld_by_hand():
    # 0 1
    # 2 G     the goal is state 3
    mdp = gridworld(rows=2, columns=2, slip=0.2)
    assert outcomes(mdp, 0, "right") == pytest.approx({1: 0.8, 0: 0.1, 2: 0.1})
    assert outcomes(mdp, 1, "down") == pytest.approx({3: 0.8, 0: 0.1, 1: 0.1})
    assert outcomes(mdp, 2, "left") == pytest.approx({2: 0.9, 0: 0.1})
    assert mdp.terminal.tolist() == [False, False, False, True]
    assert mdp.start.tolist() == [1, 0, 0, 0]
    assert (mdp.r == -1).all()


def test_gridworld_value_by_counting_moves():
    # Without slipping, the distance to the goal: v = -(1 - γ^d) / (1 - γ).
    mdp = gridworld(rows=4, columns=6, slip=0, gamma=0.9)
    i, j = np.divmod(np.arange(24), 6)
    assert value(mdp) == pytest.approx(-(1 - 0.9 ** (8 - i - j)) / 0.1)


def test_gridworld_with_walls_walks_like_a_plain_loop():
    mdp = gridworld(rows=9, columns=11, walls=0.35, slip=0.4, seed=3)
    cells = [divmod(int(c), 11) for c in mdp.layout.cells(mdp.S)]
    index = {cell: s for s, cell in enumerate(cells)}
    assert 40 < len(cells) < 80
    steps = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
    for s, (i, j) in enumerate(cells[:-1]):
        for a in steps:
            sides = ["left", "right"] if a in ("up", "down") else ["up", "down"]
            expected: dict[int, float] = {}
            for move, p in [(a, 0.6), *((side, 0.2) for side in sides)]:
                s2 = index.get((i + steps[move][0], j + steps[move][1]), s)
                expected[s2] = expected.get(s2, 0.0) + p
            assert outcomes(mdp, s, a) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_walls_leave_the_largest_piece(seed):
    free = {
        divmod(int(c), 20)
        for c in np.flatnonzero(np.random.Generator(np.random.PCG64(seed)).random(400) >= 0.45)
    }
    pieces = []
    while free:
        piece, todo = set(), [free.pop()]
        while todo:
            i, j = todo.pop()
            piece.add((i, j))
            near = free & {(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)}
            free -= near
            todo += near
        pieces.append(piece)
    mdp = gridworld(rows=20, columns=20, walls=0.45, seed=seed)
    assert [divmod(int(c), 20) for c in mdp.layout.cells(mdp.S)] == sorted(max(pieces, key=len))


def neighbours(mdp: MDP, root: int) -> set[int]:
    """The states connected with `root` by moves, in either direction."""
    near: dict[int, set[int]] = {s: set() for s in range(mdp.S)}
    for row, s in enumerate(mdp.pair_state.tolist()):
        for s2 in mdp.next_state[mdp.row_ptr[row] : mdp.row_ptr[row + 1]].tolist():
            near[s].add(s2)
            near[s2].add(s)
    found, todo = {root}, [root]
    while todo:
        for s2 in near[todo.pop()] - found:
            found.add(s2)
            todo.append(s2)
    return found


@pytest.mark.parametrize(("rows", "columns", "seed"), [(1, 5, 0), (6, 1, 0), (7, 9, 1), (7, 9, 2), (2, 2, 3)])
def test_maze_is_a_tree(rows, columns, seed):
    mdp = maze(rows=rows, columns=columns, seed=seed)
    assert mdp.S == 2 * rows * columns - 1
    cells = {divmod(int(c), 2 * columns - 1) for c in mdp.layout.cells(mdp.S)}
    edges = sum(((i + 1, j) in cells) + ((i, j + 1) in cells) for i, j in cells)
    assert edges == mdp.S - 1
    assert len(neighbours(mdp, 0)) == mdp.S


def test_every_small_maze_comes_up():
    # Four rooms in a square have four spanning trees, one for each wall that stays.
    assert len({maze(rows=2, columns=2, seed=seed).digest for seed in range(40)}) == 4


# ---------------------------------------------------------------- chains


def test_random_walk_has_the_values_of_the_book():
    # Sutton & Barto (2018), Example 6.2: 1/6 ... 5/6, and 7.1: -0.9 ... 0.9.
    assert value(random_walk(states=5, left=0)) == pytest.approx([0, *(i / 6 for i in range(1, 6)), 0])
    assert value(random_walk()) == pytest.approx([0, *((i - 10) / 10 for i in range(1, 20)), 0], abs=1e-9)
    assert random_walk(states=5).start.tolist() == [0, 0, 0, 1, 0, 0, 0]


def test_forest_is_the_one_of_the_toolbox():
    # pymdptoolbox, PolicyIteration on example.forest() with discount 0.9.
    assert value(forest()) == pytest.approx([26.244, 29.484, 33.484])
    assert outcomes(forest(states=5, fire=0.25), 2, "wait") == {0: 0.25, 3: 0.75}


def test_queue_by_hand():
    mdp = queue(capacity=3, speeds=3, arrival=0.25, service=0.5, holding=2, effort=4)
    assert outcomes(mdp, 0, "2") == {0: 0.75, 1: 0.25}
    assert outcomes(mdp, 2, "1") == {1: 0.25, 2: 0.5, 3: 0.25}
    assert outcomes(mdp, 3, "2") == {2: 0.5, 3: 0.5}
    assert mdp.table(mdp.r).tolist() == [[0, 1, 4], [2, 3, 6], [4, 5, 8], [6, 7, 10]]
    assert mdp.sense == "min"


def test_single_speed_queue_serves_at_full_speed():
    assert outcomes(queue(capacity=2, speeds=1, arrival=0.25, service=0.5), 1, "0") == {
        0: 0.5,
        1: 0.25,
        2: 0.25,
    }


# ---------------------------------------------------------------- stores


def test_inventory_is_the_example_of_puterman():
    # Puterman (1994), Table 3.2.1 and Figure 3.2.2: demand 0, 1, 2 with chance 1/4, 1/2, 1/4.
    mdp = inventory(capacity=3, demand=2)
    no = -np.inf
    assert mdp.table(mdp.r).tolist() == [[0, -1, -2, -5], [5, 0, -3, no], [6, -1, no, no], [5, no, no, no]]
    rows = {0: [1, 0, 0, 0], 1: [0.75, 0.25, 0, 0], 2: [0.25, 0.5, 0.25, 0], 3: [0, 0.25, 0.5, 0.25]}
    for s in range(4):
        for a in range(4 - s):
            assert mdp.P[[mdp.row(s, a)], :].toarray()[0].tolist() == rows[s + a]


def test_inventory_value_is_the_exact_one():
    # mdps/inventory.toml is the same model; its values are in exact arithmetic.
    exact = answers("inventory.toml")
    mdp = inventory(capacity=3, demand=2, gamma=0.9)
    assert value(mdp) == pytest.approx([float(Fraction(exact[str(s)])) for s in range(4)])


def answers(file: str) -> dict[str, str]:
    path = Path(__file__).resolve().parents[2] / "mdps" / "answers.json"
    return json.loads(path.read_text("utf-8"))[file]["optimal"]["v"]


def test_car_rental_has_the_values_of_the_three_step_model():
    # mdps/jacks_car_rental.toml splits the day in three steps at discount 1, with probabilities of 12 decimals.
    exact = answers("jacks_car_rental.toml")
    v = value(car_rental())
    assert v == pytest.approx(
        [float(Fraction(exact[f"{i}-{j}"])) for i in range(21) for j in range(21)], abs=1e-6
    )


def test_car_rental_moves_only_cars_that_are_there():
    mdp = car_rental(capacity=3, moves=2)
    actions = [[mdp.actions[a] for a in mdp.pair_action[list(mdp.rows(s))]] for s in (0, 1, 3, 4, 15)]
    assert actions == [["0"], ["-1", "0"], ["-2", "-1", "0"], ["0", "1"], ["-2", "-1", "0", "1", "2"]]


# ---------------------------------------------------------------- garnet


def test_garnet_rows_are_distinct_and_sum_to_exactly_one():
    mdp = garnet(states=50, actions=4, branching=7, seed=5)
    to = mdp.next_state.reshape(200, 7)
    assert (np.diff(to, axis=1) > 0).all()
    assert to.min() >= 0
    assert to.max() < 50
    assert mdp.facts.mass_defect == 0
    assert (0 <= mdp.r).all()
    assert (mdp.r < 1).all()
    assert len(set(mdp.r.tolist())) == 200


def test_garnet_with_all_states_as_successors():
    mdp = garnet(states=6, actions=2, branching=6)
    assert mdp.next_state.reshape(12, 6).tolist() == [list(range(6))] * 12


def test_garnet_draws_every_set_of_successors_alike():
    # 30,000 rows, 10 sets of 2 from 5, each 3000 times; a standard deviation is 52. The seed is fixed.
    to = garnet(states=5, actions=6000, branching=2, seed=11).next_state.reshape(-1, 2)
    counts = np.bincount(to[:, 0] * 5 + to[:, 1], minlength=25)
    assert np.count_nonzero(counts) == 10
    assert (np.abs(counts[counts > 0] - 3000) < 5 * 52).all()


def test_garnet_cuts_are_uniform():
    # With one cut the first probability is uniform: mean 1/2, variance 1/12. The seed is fixed.
    first = garnet(states=100, actions=1000, branching=2, seed=12).prob[::2]
    assert first.mean() == pytest.approx(1 / 2, abs=5 / np.sqrt(12 * 1e5))
    assert first.var() == pytest.approx(1 / 12, abs=0.002)
