"""Gridworlds drawn as grids, against the figures of Sutton & Barto."""

from __future__ import annotations

import pytest
from shown import answer_text, grid_text

import tabular_rl
from tabular_rl import MDP, Policy
from tabular_rl.formats import load
from tabular_rl.model.layout import Layout
from tabular_rl.model.numbers import shown
from tabular_rl.report import screen


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
    assert "several arrows" in text
    assert "■ terminal" in text


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


def walk(rows, columns, actions, reward=-1.0, layout=True):
    """Each action leads to the next cell, all but the first at twice the price; the last cell is terminal."""
    S = rows * columns
    outcomes = [
        [[float(t == s + 1) for t in range(S)] if s < S - 1 else [0.0] * S for s in range(S)] for _ in actions
    ]
    r = [[reward * (1 + (a > 0)) * (s < S - 1) for a in range(len(actions))] for s in range(S)]
    P = [[outcomes[a][s] for a in range(len(actions))] for s in range(S)]
    return MDP(
        P,
        r,
        1,
        axes="sas",
        terminal=[str(S - 1)],
        actions=actions,
        layout=Layout(rows, columns) if layout else None,
    )


def test_actions_without_arrows_are_named_in_their_cells():
    text = grid_text(tabular_rl.solve(walk(2, 2, ["go", "pay"])))
    assert grid_of(text, 2) == [["go", "go"], ["go", "■"]]
    assert text.endswith("■ terminal")


def test_long_names_are_left_to_the_table():
    answer = tabular_rl.solve(walk(2, 2, ["a long name of an action", "pay"]))
    assert grid_text(answer) is None
    assert "a long name of an action" in answer_text(answer)


def test_one_row_is_a_table():
    answer = tabular_rl.solve(walk(1, 4, ["left", "right"]))
    assert grid_text(answer) is None
    assert "action" in answer_text(answer)


def test_four_digits_are_kept_of_the_spread(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    # The values are the number of steps left times -1/7; 7 characters hold four digits after the point.
    text = grid_text(tabular_rl.solve(walk(2, 13, ["go"], -1 / 7)))
    first = grid_of(text, 0)[0][0]
    assert abs(float(first) + 25 / 7) < 0.0006
    assert "all ± 4.3e-05 at most; save(path) writes every digit" in text  # 25 / 7 = 3.571428...


def test_a_grid_too_wide_for_its_digits_becomes_a_table_with_the_policy(monkeypatch):
    monkeypatch.setenv("COLUMNS", str(26 * 3))
    answer = tabular_rl.solve(walk(2, 26, ["right", "left"], -1 / 7))
    assert grid_text(answer) is None
    text = answer_text(answer)
    assert "more states, same action (save(path) writes them)" in text
    assert text.count("→") > 50


def test_digits_that_are_not_proven_are_plain_zeros():
    assert (shown(-52.0, -1), shown(0.0, -1), shown(-4.0, -1)) == ("-50", "0", "0")


def test_cells_that_lead_elsewhere_are_no_walls(tmp_path):
    text = 'discount = 0.9\n[grid]\nmap = """\n..C\n.#.\nS.G\n"""\n[grid.legend]\n'
    text += 'C = { goto = "S", reward = -10 }\nG = { terminal = true, reward = 5 }\n'
    (tmp_path / "goto.toml").write_text(text)
    drawn = grid_text(tabular_rl.solve(load(tmp_path / "goto.toml")))
    assert grid_of(drawn, 0)[0][2] == grid_of(drawn, 2)[0][2] == "@"
    assert grid_of(drawn, 0)[1][1] == "#"
    assert "# wall; @ leads to another cell at once; ■ terminal" in drawn
    (tmp_path / "open.toml").write_text(text.replace(".#.", "..."))
    assert "wall" not in grid_text(tabular_rl.solve(load(tmp_path / "open.toml")))
