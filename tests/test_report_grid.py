"""Gridworlds drawn as grids, against the figures of Sutton & Barto."""

from __future__ import annotations

import pytest

import tabular_rl
from tabular_rl import Policy
from tabular_rl.formats import load
from tabular_rl.report import screen
from tabular_rl.report.grid import grid_text


@pytest.fixture(scope="module")
def corners():
    return load("example:gridworld_4x4")


def grid_of(text, at):
    return [line.split() for line in text.split("\n\n")[at].splitlines()]


def test_values_of_the_random_policy_stand_in_their_cells(corners):
    # Sutton & Barto (2018), Figure 4.1, k = infinity.
    text = grid_text(tabular_rl.evaluate(corners, Policy.uniform(corners)))
    assert grid_of(text, 0) == [
        ["0", "-14", "-20", "-22"],
        ["-14", "-18", "-20", "-20"],
        ["-20", "-20", "-18", "-14"],
        ["-22", "-20", "-14", "0"],
    ]


def test_arrows_show_all_shortest_ways(corners):
    # Figure 4.1, the greedy policy on the right: every shortest way to either corner.
    text = grid_text(tabular_rl.solve(corners))
    arrows = [[set(cell) for cell in line] for line in grid_of(text, 2)]
    assert arrows[0] == [{"■"}, {"←"}, {"←"}, {"←", "↓"}]
    assert arrows[1] == [{"↑"}, {"↑", "←"}, set("↑↓←→"), {"↓"}]
    assert arrows[3] == [{"↑", "→"}, {"→"}, {"→"}, {"■"}]
    assert "several arrows" in text and "■ terminal" in text


def test_walls_are_drawn():
    # Russell & Norvig (2010), Figure 17.2(a): up from the start, then right along the top; the wall in the middle.
    text = grid_text(tabular_rl.solve(load("example:aima_4x3")))
    assert grid_of(text, 0)[1][1] == "#"
    assert grid_of(text, 2) == [["→", "→", "→", "■"], ["↑", "#", "↑", "■"], ["↑", "←", "←", "←"]]


def test_columns_are_aligned(corners):
    lines = grid_text(tabular_rl.evaluate(corners, Policy.uniform(corners))).splitlines()[:4]
    assert len({len(line) for line in lines}) == 1


def test_a_screen_without_arrows_gets_letters(corners, monkeypatch):
    monkeypatch.setattr(screen, "encodes", lambda text, stream=None: text.isascii())
    text = grid_text(tabular_rl.solve(corners))
    assert text.isascii()
    assert grid_of(text, 2)[0][:3] == ["T", "<", "<"]


def test_other_models_have_no_grid():
    assert grid_text(tabular_rl.solve(load("example:forest"))) is None
