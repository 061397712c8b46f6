"""Gridworlds drawn as pictures."""

# ruff: noqa: E501  (tables of cases: one a line)

from __future__ import annotations

from fractions import Fraction as F

import pytest

from tabular_rl.errors import ModelError
from tabular_rl.formats import load
from tabular_rl.model import Layout


@pytest.fixture
def grid(tmp_path):
    def grid(picture, rules="", top=""):
        path = tmp_path / "m.toml"
        path.write_text(f"discount = 1\n{top}[grid]\nmap = '''\n{picture}'''\n{rules}")
        return load(path)

    return grid


def moves(mdp, cell):
    """{action: {(next cell, reward): probability}} of a cell, by name."""
    found = {}
    for i in mdp.rows(mdp.states.index(cell)):
        ks = range(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1]))
        outcomes = {(mdp.states[int(mdp.next_state[k])], mdp.exact.reward[k]): mdp.exact.prob[k] for k in ks}
        assert len(outcomes) == len(ks)
        found[mdp.actions[int(mdp.pair_action[i])]] = outcomes
    return found


def test_cells_are_states_in_row_major_order(grid):
    mdp = grid("S.#\n ..\n")
    assert list(mdp.states) == ["0,0", "0,1", "1,1", "1,2"]
    assert list(mdp.actions) == ["up", "down", "left", "right"]
    assert mdp.layout == Layout(2, 3, [0, 1, 4, 5])
    assert mdp.start.tolist() == [1, 0, 0, 0]


def test_moves_walls_and_edges(grid):
    mdp = grid("..\n#.\n", "step_reward = -1\nbump_reward = -5\n")
    assert moves(mdp, "0,0") == {
        "up": {("0,0", -5): 1},
        "down": {("0,0", -5): 1},
        "left": {("0,0", -5): 1},
        "right": {("0,1", -1): 1},
    }
    assert not mdp.start_given


def test_bumping_costs_a_step_by_default(grid):
    assert moves(grid(".\n", "step_reward = -1\n"), "0,0")["up"] == {("0,0", -1): 1}


def test_common_indentation_and_short_lines(grid):
    assert grid("\n    S.\n      .\n      #\n    ").layout == Layout(3, 3, [0, 1, 5])
    assert list(grid("    S.\n     ..\n").states) == ["0,0", "0,1", "1,1", "1,2"]


def test_entering_a_terminal_cell(grid):
    mdp = grid("SG\n", 'step_reward = -1\n[grid.legend]\nG = { terminal = true, reward = "1/3" }\n')
    assert mdp.terminal.tolist() == [False, True]
    assert moves(mdp, "0,0")["right"] == {("0,1", F(1, 3)): 1}
    assert moves(mdp, "0,1") == {}


def test_reward_of_a_cell_is_for_entering_not_for_staying(grid):
    mdp = grid("S+\n", "step_reward = -1\n[grid.legend]\n'+' = { reward = 5 }\n")
    assert moves(mdp, "0,0")["right"] == {("0,1", 5): 1}
    assert moves(mdp, "0,1")["right"] == {("0,1", -1): 1}


def test_goto_is_no_state(grid):
    mdp = grid(
        "S.G\n.CC\n",
        'step_reward = -1\n[grid.legend]\nC = { goto = "S", reward = -100 }\nG = { terminal = true }\n',
    )
    assert list(mdp.states) == ["0,0", "0,1", "0,2", "1,0"]
    assert moves(mdp, "1,0")["right"] == {("0,0", -100): 1}
    assert moves(mdp, "0,1")["down"] == {("0,0", -100): 1}


def test_jump_reward_of_a_terminal_cell_is_refused(grid):
    legend = '[grid.legend]\nA = { jump = "a", jump_reward = 10 }\na = {}\n'
    with pytest.raises(
        ModelError, match=r"5: terminal state '0,1' has the jump_reward 10, which is never collected"
    ):
        grid(".A\na.\n", legend, top='terminal = ["0,1"]\n')


def test_jump_leads_away_whatever_one_does(grid):
    mdp = grid(".A\na.\n", '[grid.legend]\nA = { jump = "a", jump_reward = 10 }\na = {}\n')
    assert moves(mdp, "0,1") == {action: {("1,0", 10): 1} for action in mdp.actions}
    assert moves(mdp, "0,0")["right"] == {("0,1", 0): 1}


def test_slipping_goes_half_to_either_side(grid):
    mdp = grid("...\n...\n...\n", "slip = 0.2\n")
    assert moves(mdp, "1,1")["up"] == {("0,1", 0): F(4, 5), ("1,0", 0): F(1, 10), ("1,2", 0): F(1, 10)}
    assert moves(mdp, "1,1")["left"] == {("1,0", 0): F(4, 5), ("0,1", 0): F(1, 10), ("2,1", 0): F(1, 10)}
    assert moves(mdp, "0,0")["up"] == {("0,0", 0): F(9, 10), ("0,1", 0): F(1, 10)}  # two ways to stay are one


def test_wind_blows_up_in_the_column_one_starts_in(grid):
    mdp = grid("...\n...\n...\n", "wind = [0, 1, 2]\nstep_reward = -1\nbump_reward = -2\n")
    assert moves(mdp, "2,1")["left"] == {("1,0", -1): 1}
    assert moves(mdp, "2,2")["up"] == {("0,2", -1): 1}  # clipped at the edge
    assert moves(mdp, "0,2")["left"] == {("0,1", -1): 1}
    assert moves(mdp, "0,2")["up"] == {("0,2", -2): 1}
    assert moves(mdp, "1,1")["down"] == {("1,1", -1): 1}  # the wind undoes the move: nothing was in the way
    assert moves(mdp, "2,1")["down"] == {("2,1", -1): 1}


def test_eight_and_nine_moves(grid):
    eight = moves(grid("...\n...\n...\n", 'moves = "eight"\n'), "1,1")
    assert {action: next(iter(to))[0] for action, to in eight.items()} == {
        "up": "0,1", "down": "2,1", "left": "1,0", "right": "1,2",
        "up-left": "0,0", "up-right": "0,2", "down-left": "2,0", "down-right": "2,2",
    }  # fmt: skip
    nine = grid("..\n..\n", 'moves = "nine"\nstep_reward = -1\nbump_reward = -2\n')
    assert moves(nine, "0,0")["stay"] == {("0,0", -1): 1}
    assert moves(nine, "0,0")["up-right"] == {("0,0", -2): 1}


def test_several_starts_are_uniform(grid):
    mdp = grid("SX.\nS..\n", "[grid.legend]\nX = { start = true }\n")
    assert list(mdp.exact.start) == [F(1, 3), F(1, 3), 0, F(1, 3), 0, 0]
    assert not grid("S.\n", "[grid.legend]\nS = {}\n").start_given


def test_terminal_and_horizon_at_the_top(grid):
    mdp = grid("S.\n", top='terminal = ["0,1"]\nhorizon = 3\nfinal_reward = { "0,0" = 2 }\n')
    assert mdp.terminal.tolist() == [False, True]
    assert mdp.final_reward.tolist() == [2, 0]


def test_numbers_as_doubles(grid):
    mdp = grid("..\n..\n", "slip = 0.2\nstep_reward = -0.1\n", 'numbers = "float64"\n')
    assert mdp.exact is None
    assert mdp.reward.tolist() == [-0.1] * mdp.K


@pytest.mark.parametrize(
    ("picture", "rules", "expected"),
    [
        ("S.\n.x\n", "", "5: map: found 'x' in column 1, expected one of . S # or an entry in [grid.legend]"),
        ("\n\n  S.\n  .x\n", "", "7: map: found 'x' in column 1, expected one of . S # or an entry in [grid.legend]"),
        ("S\t.\n", "", "4: map: found '\\t' in column 1, expected one of . S # or an entry in [grid.legend]"),
        ("##\n", "", "3: map: found no free cells, expected at least 1"),
        ("", "", "3: map: found no free cells, expected at least 1"),
        ("S.\n", 'moves = "six"\n', '6: moves: found "six", expected "four" or "eight" or "nine"'),
        ("S.\n", "slip = 1.5\n", "6: slip: found 1.5, expected a number from 0 to 1"),
        ("S.\n", 'moves = "eight"\nslip = 0.1\n', '7: slip: found with moves = "eight", expected moves = "four"'),
        ("S.\n", "wind = [1]\n", "6: wind: found 1 columns, expected 2 as in the map"),
        ("S.\n", "wind = [1, -1]\n", "6: wind: found -1, expected a whole number, 0 or more"),
        ("S.\n", "step_rewrad = 1\n", "6: grid: unknown key 'step_rewrad'; did you mean 'step_reward'?"),
        ("S.\n", "[grid.legend]\nGG = {}\n", "7: legend 'GG': expected a single character other than '#' and ' '"),
        ("S.\n", "[grid.legend]\n'#' = {}\n", "7: legend '#': expected a single character other than '#' and ' '"),
        ("SG\n", "[grid.legend]\nG = { terminal = 1 }\n", "7: legend 'G': terminal: found 1, expected true or false"),
        ("SG\n", "[grid.legend]\nG = { end = true }\n", "7: legend 'G': unknown key 'end', expected one of terminal, start, reward, goto, jump, jump_reward"),
        ("SG\n", "[grid.legend]\nG = { goto = 'x' }\n", "7: legend 'G': goto: found 0 cells 'x', expected the character of a single cell"),
        ("SGS\n", "[grid.legend]\nG = { goto = 'S' }\n", "7: legend 'G': goto: found 2 cells 'S', expected the character of a single cell"),
        ("SGC\n", "[grid.legend]\nG = { goto = 'C' }\nC = { goto = 'S' }\n", "7: legend 'G': goto: found 'C', expected a cell that is a state"),
        ("SG\n", "[grid.legend]\nG = { goto = 'S', terminal = true }\n", "7: legend 'G': found terminal and goto, expected one of them"),
        ("SG\n", "[grid.legend]\nG = { start = true, terminal = true }\n", "7: legend 'G': found terminal and start, expected one of them"),
        ("SG\n", "[grid.legend]\nG = { jump_reward = 1 }\n", "7: legend 'G': found a jump_reward with no jump, expected both"),
    ],
)  # fmt: skip
def test_fault(grid, tmp_path, picture, rules, expected):
    with pytest.raises(ModelError) as caught:
        grid(picture, rules)
    assert str(caught.value) == f"{tmp_path}/m.toml:{expected}"


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        ('states = ["a"]\n', "states: found with a map, expected none: the map says them"),
        ('start = "0,1"\n', "start: found with start cells in the map, expected one of them"),
    ],
)
def test_what_the_map_says_is_not_said_twice(grid, top, expected):
    with pytest.raises(ModelError, match=expected):
        grid("S.\n", top=top)
