"""Gridworlds drawn as pictures."""

# ruff: noqa: E501  (tables of cases: one a line)

from __future__ import annotations

import random
from fractions import Fraction as F

import pytest

from tabular_rl.errors import ModelError
from tabular_rl.formats import load
from tabular_rl.model.layout import Layout


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


# -- against a walk, cell by cell ----------------------------------------------------------------------------------


def walked(picture, slip, wind, step, bump, moves):
    """{cell: {move: {(next cell, reward): probability}}} of a map with the legend below, one move at a time."""
    height, width = len(picture), len(picture[0])
    place = {c: (i, j) for i, row in enumerate(picture) for j, c in enumerate(row)}
    enters = {"R": F(1, 3), "H": -7}

    def land(i, j, move):
        up = wind[j] if wind else 0
        ii, jj = i + move[0] - up, j + move[1]
        if wind:
            ii, jj = min(max(ii, 0), height - 1), min(max(jj, 0), width - 1)
        inside = 0 <= ii < height and 0 <= jj < width
        if not inside or picture[ii][jj] == "#" or (ii, jj) == (i, j):
            return (i, j), (bump if (move[0] - up, move[1]) != (0, 0) else step)
        c = picture[ii][jj]
        return (place["S"] if c == "H" else (ii, jj)), enters.get(c, step)

    found = {}
    for i, row in enumerate(picture):
        for j, c in enumerate(row):
            if c in "#HG":
                continue
            for name, move in moves.items():
                ends = {}
                aside = (move[1], move[0]), (-move[1], -move[0])
                ways = [(move, 1 - slip), (aside[0], slip / 2), (aside[1], slip / 2)]
                for way, p in ways if c != "J" else ():
                    if p:
                        end = land(i, j, way)
                        ends[end] = ends.get(end, 0) + p
                found.setdefault((i, j), {})[name] = ends if c != "J" else {(place["S"], 10): 1}
    return found


@pytest.mark.parametrize("seed", range(12))
def test_maps_agree_with_a_walk_cell_by_cell(grid, seed):
    rng = random.Random(seed)
    height, width = rng.randint(1, 4), rng.randint(3, 5)
    cells = [rng.choice("...#RHJ") for _ in range(height * width)]
    cells[rng.randrange(len(cells))] = "G"
    cells[rng.choice([k for k, c in enumerate(cells) if c != "G"])] = "S"
    picture = ["".join(cells[i * width : (i + 1) * width]) for i in range(height)]
    slip = F(rng.choice([0, 0, 1, 2, 10]), 10)
    wind = [rng.randint(0, 5) for _ in range(width)] if rng.random() < 0.4 else None
    step, bump = rng.choice([(0, 0), (-1, -1), (-1, -5)])
    four = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
    nine = four | {f"{a}-{b}": (four[a][0], four[b][1]) for a in ("up", "down") for b in ("left", "right")}
    moves_of = four if slip else nine | {"stay": (0, 0)}
    rules = f"step_reward = {step}\nbump_reward = {bump}\n"
    rules += f'slip = "{slip.numerator}/{slip.denominator}"\n' if slip else 'moves = "nine"\n'
    rules += f"wind = {wind}\n" if wind else ""
    legend = """[grid.legend]
R = { reward = "1/3" }
H = { goto = "S", reward = -7 }
J = { jump = "S", jump_reward = 10 }
G = { terminal = true }
"""
    mdp = grid("\n".join(picture) + "\n", rules + legend)
    wanted = walked(picture, slip, wind, step, bump, moves_of)
    found = {
        tuple(map(int, name.split(","))): {
            action: {(tuple(map(int, end.split(","))), r): p for (end, r), p in outcomes.items()}
            for action, outcomes in moves(mdp, name).items()
        }
        for s, name in enumerate(mdp.states)
        if not mdp.terminal[s]
    }
    assert found == wanted


def test_doubles_are_those_of_the_fractions(grid):
    """With `numbers = "float64"` 1 - 0.1 is the double 0.9, and 0.05 twice are those to the sides."""
    mdp = grid("..\n..\n", "slip = 0.1\nstep_reward = 0.1\n", 'numbers = "float64"\n')
    assert mdp.exact is None
    assert set(mdp.reward.tolist()) == {0.1}
    assert set(mdp.prob.tolist()) == {1 - 0.1, 0.05, 1 - 0.1 + 0.05}


@pytest.mark.parametrize("cells", [10_000, pytest.param(10**6, marks=pytest.mark.slow)])
def test_cells_of_a_long_line_are_counted(grid, cells):
    """Up and down keep one where it is, and so does left in the first cell; the last one is an end."""
    live = cells - 1
    mdp = grid("." * live + "G\n", "[grid.legend]\nG = { terminal = true, reward = 5 }\n")
    assert (mdp.S, mdp.L, mdp.K) == (cells, 4 * live, 4 * live)
    stays = mdp.next_state == mdp.pair_state
    assert stays.sum() == 2 * live + 1
    assert mdp.r.sum() == 5


@pytest.mark.slow
def test_a_large_square_is_read(grid):
    mdp = grid(("." * 1500 + "\n") * 1500)
    assert (mdp.S, mdp.K) == (1500**2, 4 * 1500**2)
    assert (mdp.next_state == mdp.pair_state).sum() == 4 * 1500  # at each edge
