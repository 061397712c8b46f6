"""Maps, curves and graphs show the numbers of the answer: those between the axes beside answers from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tabular_rl as t
from tabular_rl.analysis.discounts import by_discount
from tabular_rl.laws import expected
from tabular_rl.model import families
from tabular_rl.report.blocks import NOTHING, TERMINAL, VALUE, WALL
from tabular_rl.report.maps import model_map, q_map, times_maps, value_map
from tabular_rl.report.network import answer_graph, model_graph
from tabular_rl.report.render.ink import COLOURS_OF_VALUES, inks, luminance
from tabular_rl.report.subject import number_texts, subject_of

ANSWERS = json.loads((Path(__file__).parents[2] / "mdps" / "answers.json").read_text())
WAY = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
from matplotlib import pyplot  # noqa: E402


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    pyplot.close("all")


def known(name):
    """The optimal values and actions of a model, from the oracle."""
    found = ANSWERS[f"{name}.toml"]["optimal"]
    return {s: float(eval(v)) for s, v in found["v"].items()}, found["actions"]


def cell_of(state):
    return tuple(map(int, state.split(",")))


def values_between(axes):
    """{(row, column): number} of a map that is drawn."""
    found = [text for text in axes.texts if text.get_gid() == "value"]
    return {(round(x.get_position()[1]), round(x.get_position()[0])): float(x.get_text()) for x in found}


@pytest.mark.parametrize("name", ["gridworld_4x4", "cliff_walking", "frozen_lake_4x4"])
def test_a_map_shows_the_values_in_their_cells_and_every_tied_action(name):
    values, actions = known(name)
    mdp = t.load(f"example:{name}")
    answer = t.solve(mdp)
    axes = answer.plot()
    drawn = values_between(axes)
    assert set(drawn) == {cell_of(s) for s in actions}
    for state in actions:
        assert drawn[cell_of(state)] == pytest.approx(values[state], abs=5e-3)
    found = value_map(subject_of(answer), "")
    arrows = {(a.row, a.column, a.dx, a.dy) for a in found.arrows}
    assert arrows == {(*cell_of(s), *WAY[a]) for s, tied in actions.items() for a in tied}
    (shapes,) = [x for x in axes.collections if x.get_gid() == "arrows"]
    assert len(shapes.get_paths()) == len(arrows)


def test_an_arrow_points_where_its_action_leads():
    """The tip of each arrow is farther along its way than its other corners, inside its own cell."""
    answer = t.solve(t.load("example:gridworld_4x4"))
    axes = answer.plot()
    (shapes,) = [x for x in axes.collections if x.get_gid() == "arrows"]
    for arrow, path in zip(value_map(subject_of(answer), "").arrows, shapes.get_paths(), strict=True):
        corners = path.vertices[:7] - [arrow.column, arrow.row]
        along = corners @ [arrow.dx, arrow.dy]
        assert along.argmax() == 3
        assert 0.2 < along.min() < along.max() < 0.5


def test_a_random_policy_has_arrows_by_their_probability():
    mdp = t.load("example:gridworld_4x4")
    policy = {s: {"up": 0.75, "left": 0.25} for s in mdp.states if s not in ("0,0", "3,3")}
    found = value_map(subject_of(t.evaluate(mdp, policy)), "values")
    assert {(a.dx, a.dy, a.weight) for a in found.arrows} == {(0, -1, 1), (-1, 0, 1 / 3)}
    assert found.title == "values; several arrows: the policy is random"


def test_ties_that_are_proven_are_called_so():
    mdp = t.load("example:gridworld_4x4")
    exact, near = (value_map(subject_of(t.solve(mdp, method)), "v") for method in ("rational", "auto"))
    assert exact.title == "v; several arrows: ties"
    assert near.title == "v; several arrows: too close to tell apart"


def test_triangles_hold_q_and_the_best_are_framed():
    """q = r + v of the next cell at discount 1, by hand: each move costs 1, at the rim one stays."""
    values, actions = known("gridworld_4x4")
    answer = t.solve(t.load("example:gridworld_4x4"))
    found = q_map(subject_of(answer), "")
    for state, best in actions.items():
        row, column = cell_of(state)
        for side, action in enumerate(("up", "right", "down", "left")):
            dx, dy = WAY[action]
            to = f"{min(max(row + dy, 0), 3)},{min(max(column + dx, 0), 3)}"
            assert found.values[row, column, side] == pytest.approx(values[to] - 1)
            assert found.framed[row, column, side] == (action in best)
    axes = answer.plot(draw="q")
    drawn = sorted(float(x.get_text()) for x in axes.texts if x.get_gid() == "value")
    assert drawn == pytest.approx(sorted(answer.q.tolist()))


def test_the_best_actions_of_a_large_table_are_dots():
    mdp = t.load("example:gambler_40")
    axes = t.solve(mdp).plot(draw="q")
    (dots,) = [x for x in axes.collections if x.get_gid() == "best"]
    actions = ANSWERS["gambler_40.toml"]["optimal"]["actions"]
    # States 1 to 99 are the rows, stakes 1 to 50 the columns.
    best = {(int(s) - 1, int(a) - 1) for s, tied in actions.items() for a in tied}
    assert {(round(y), round(x)) for x, y in dots.get_offsets()} == best


def test_walls_ends_and_what_leads_elsewhere_are_told_apart():
    mdp = t.load("example:aima_4x3")
    found = model_map(mdp)
    kinds = np.full((3, 4), VALUE)
    kinds[1, 1], kinds[0, 3], kinds[1, 3] = WALL, TERMINAL, TERMINAL
    assert np.array_equal(found.kinds, kinds)
    assert found.texts[0][3] == "1"
    assert found.texts[1][3] == "-1"
    assert found.notes == {(2, 0): "start"}
    axes = mdp.plot()
    assert [x.get_text() for x in axes.get_legend().get_texts()] == ["wall", "end"]
    cliff = t.load("example:cliff_walking").plot()
    assert "leads to another cell at once" in [x.get_text() for x in cliff.get_legend().get_texts()]


def test_walls_are_dark_in_a_picture_of_q_too():
    """In aima_4x3 the one wall stands in row 1, column 1."""
    axes = t.solve(t.load("example:aima_4x3")).plot(draw="q")
    (wall,) = [x for x in axes.patches if x.get_gid() == "wall"]
    assert wall.get_xy() == (0.5, 0.5)
    assert luminance(wall.get_facecolor()[:3]) < 0.1


def test_less_cost_is_brighter():
    rewards = t.MDP(
        [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]],
        [[-1], [-2], [0]],
        1,
        terminal=[2],
        layout=t.Layout(2, 2, np.array([0, 1, 3])),
    )
    costs = rewards.replace(r=-rewards.r, sense="min")
    for mdp in (rewards, costs):
        (cells,) = [x for x in t.solve(mdp).plot().collections if x.get_gid() == "cells"]
        first, second, _, _ = (luminance(face) for face in cells.get_array().reshape(-1, 3))
        assert first < second  # 3 from the first state is worse than 2


def test_ink_can_be_read_on_every_colour_and_grey_keeps_their_order():
    faces = matplotlib.colormaps[COLOURS_OF_VALUES](np.linspace(0, 1, 256))[:, :3]
    light = np.array([luminance(face) for face in faces])
    assert (np.diff(light) > 0).all()
    for face, bright in zip(faces, light, strict=True):
        contrast = (bright + 0.05) / 0.05 if inks(face) == "black" else 1.05 / (bright + 0.05)
        assert contrast >= 4.5


def test_numbers_have_the_decimals_that_are_proven():
    assert number_texts(np.array([1.23456, 2.0]), 1e-2) == ["1.2", "2.0"]
    assert number_texts(np.array([1.23456, 2.0]), 1e-9) == ["1.2346", "2.0000"]
    assert number_texts(np.array([15000.0, 14948.57])) == ["15000.0", "14948.6"]
    assert number_texts(np.array([-1e-9, 3e-9]), 1e-15)[1] == "3e-09"


@pytest.mark.parametrize("name", ["gambler_40", "rust_bus"])
def test_values_and_policy_against_one_state_variable(name):
    """The points are the states by their numbers: values between their bounds, all actions that are as good."""
    mdp = t.load(f"example:{name}")
    answer = t.solve(mdp)
    actions = ANSWERS[f"{name}.toml"]["optimal"]["actions"]
    line = answer.plot().lines[0]
    at = {float(x): y for x, y in zip(*line.get_data(), strict=True)}
    assert set(at) == {float(s) for s in actions}
    assert all(at[float(s)] == answer[s] for s in actions)
    axes = answer.plot(draw="policy")
    labels = [x.get_text() for x in axes.get_yticklabels()]
    points = set()
    for line in axes.lines:
        for x, y in zip(*line.get_data(), strict=True):
            points.add((float(x), labels[int(y)] if name == "rust_bus" else f"{y:g}"))
    assert points == {(float(s), a) for s, best in actions.items() for a in best}


def test_an_interval_that_is_seen_is_drawn():
    answer = t.solve(t.load("example:rust_bus"), "value-iteration", sweeps=2000)
    axes = answer.plot()
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    for s in (0, 40, 89):
        ends = corners[np.isclose(corners[:, 0], s), 1]
        assert ends.min() == pytest.approx(answer.lower[s])
        assert ends.max() == pytest.approx(answer.upper[s])
    assert "proven interval" in [x.get_text() for x in axes.get_legend().get_texts()]


def test_a_finite_horizon_is_a_map_of_states_and_times():
    """Puterman's inventory: v_0(0) = 67/16, and the last column is 0."""
    answer = t.solve(t.load("example:inventory_horizon"))
    (found,) = times_maps(answer)
    assert found.columns == ["t = 0", "t = 1", "t = 2", "t = 3"]
    assert found.values[0, 0] == pytest.approx(67 / 16)
    assert np.array_equal(found.values, answer.v.T)
    assert found.texts[0][0] == "4.19\norder3"
    assert found.texts[0][3] == "0.00"
    values, actions = times_maps(answer, few=0)
    assert np.array_equal(values.values, answer.v.T)
    assert actions.texts[0] == ["order3", "order2", "order0"]
    assert actions.values[0].tolist() == [3, 2, 0]


def test_learned_values_stand_beside_the_exact_ones_and_the_band_is_that_of_theory():
    mdp = t.load("example:random_walk_5")
    options = {"steps": 40, "runs": 3, "step_size": 0.1, "seed": 1}
    learned = t.learn(mdp, "td0", "uniform", **options)
    law = expected("td0", mdp, points=learned.curve.steps.tolist(), step_size=0.1)
    axes = learned.plot(draw="start")
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    ends = corners[np.isclose(corners[:, 0], 40), 1]
    assert ends.max() == pytest.approx(law.start_mean[-1] + 2 * law.start_sd[-1])
    assert ends.min() == pytest.approx(law.start_mean[-1] - 2 * law.start_sd[-1])
    finals = sorted(line.get_ydata()[-1] for line in axes.lines if len(line.get_xdata()) > 2)
    assert set(np.round(learned.curve.start[-1], 12)) < set(np.round(finals, 12))
    (levels,) = [line for line in axes.lines if line.get_label() == "exact"]
    assert levels.get_ydata()[0] == pytest.approx(0.5)  # the book's value of the middle
    control = t.learn(mdp, "q-learning", steps=40, step_size=0.1)
    assert not control.plot(draw="start").collections


def test_a_cell_that_was_never_visited_has_a_question_mark_and_no_arrow():
    mdp = t.load("example:cliff_walking")
    learned = t.learn(mdp, "q-learning", steps=5, seed=0)
    found = value_map(subject_of(learned), "")
    never = {cell_of(mdp.states[s]) for s in np.flatnonzero(learned.never_visited)}
    assert never
    assert {(i, j) for i, row in enumerate(found.texts) for j, text in enumerate(row) if text == "?"} == never
    assert not never & {(a.row, a.column) for a in found.arrows}


def test_a_residual_is_that_of_the_history():
    answer = t.solve(t.load("example:forest"), "value-iteration")
    (line,) = answer.plot(draw="residual").lines
    assert list(zip(*line.get_data(), strict=True)) == [(k, x) for k, x in answer.history if x > 0]
    with pytest.raises(t.OptionError, match="rational has no residuals"):
        t.solve(t.load("example:forest"), "rational").plot(draw="residual")


def test_iterates_are_drawn_step_by_step():
    """The racecar of `iterates`: V_k(cool) is 0, 2, 2.75; largest changes 2 and 0.75."""
    cool = [
        ("cool", "slow", "cool", 1, 1),
        ("cool", "fast", "cool", "1/2", 2),
        ("cool", "fast", "warm", "1/2", 2),
    ]
    warm = [
        ("warm", "slow", "cool", "1/2", 1),
        ("warm", "slow", "warm", "1/2", 1),
        ("warm", "fast", "end", 1, -10),
    ]
    moves = cool + warm
    found = t.iterates(t.MDP.from_outcomes(moves, "1/2", terminal=["end"]), count=2)
    lines = {line.get_label(): line.get_ydata().tolist() for line in found.plot().lines}
    assert lines == {"cool": [0, 2, 2.75], "warm": [0, 1, 1.75]}
    (line,) = found.plot(draw="residual").lines
    assert line.get_ydata().tolist() == [2, 0.75]


def test_lines_of_iterates_differ_by_more_than_colour_and_steps_are_whole():
    axes = t.iterates(t.load("example:gridworld_4x4"), "policy-iteration", 3, start_policy="uniform").plot()
    looks = [(line.get_linestyle(), line.get_marker()) for line in axes.lines]
    assert len(set(looks[:8])) == 8
    assert all(x == int(x) for x in axes.get_xticks())


def test_the_discount_at_which_the_best_policy_changes_is_found():
    """Puterman, Example 6.2.1: in s1, a12 is best below 10/11 and a11 above; v(s2) = -1 / (1 - γ)."""
    answer = t.solve(t.load("example:puterman_two_state"))
    axes = answer.plot(draw="gamma")
    lines = {line.get_label(): line.get_data() for line in axes.lines}
    assert lines["the best policy changes"][0][0] == pytest.approx(10 / 11, abs=1e-6)
    gamma, v = lines["s2"]
    assert v == pytest.approx(-1 / (1 - gamma))
    found = by_discount(answer.mdp)
    assert len(found.changes) == 1
    a11, a12 = found.best[:, answer.mdp.row("s1", "a11")], found.best[:, answer.mdp.row("s1", "a12")]
    assert (a11 == (found.gamma > 10 / 11)).all()
    assert (a12 == (found.gamma < 10 / 11)).all()


def test_two_changes_between_two_discounts_that_are_tried():
    """Wait once for 1, twice for 8/5, or take 1/2: changes at 1/2 and 5/8, found though only 0 and 0.99 are tried."""
    moves = [("a", "take", "end", 1, "1/2"), ("a", "go", "b", 1, 0), ("a", "far", "c", 1, 0),
             ("b", "take", "end", 1, 1), ("c", "on", "d", 1, 0), ("d", "take", "end", 1, "8/5")]  # fmt: skip
    found = by_discount(t.MDP.from_outcomes(moves, "1/2", terminal=["end"]), points=1)
    assert found.gamma.tolist() == [0, 0.99]
    assert found.changes == pytest.approx([1 / 2, 5 / 8], abs=1e-5)


def test_of_very_many_states_some_are_drawn_and_that_is_said():
    """A chain of 20,002 states, of which each second one is drawn, and a map of 10,100 cells without arrows."""
    S = 20_002
    chain = t.MDP.from_rows(
        pair_ptr=np.arange(S + 1), pair_action=np.zeros(S, int), row_ptr=np.arange(S + 1),
        next_state=np.minimum(np.arange(S) + 1, S - 1), prob=np.ones(S), r=np.ones(S), gamma=0.5,
    )  # fmt: skip
    axes = t.solve(chain).plot()
    assert axes.get_title() == "values, one in 2 states"
    assert axes.lines[0].get_xdata()[:3].tolist() == [0, 2, 4]
    grid = families.gridworld(rows=100, columns=101)
    drawn = value_map(subject_of(t.solve(grid)), "values, and arrows")
    assert (drawn.title, list(drawn.arrows)) == ("values", [])
    assert np.isfinite(drawn.values).sum() == (~grid.terminal).sum()


def test_values_of_a_policy_against_the_discount():
    mdp = t.load("example:random_walk_5")
    axes = t.evaluate(mdp, "uniform").plot(draw="gamma")
    gamma, v = next(line.get_data() for line in axes.lines if line.get_label() == "C")
    assert (gamma[0], v[0]) == (0, pytest.approx(0))  # the reward is steps away
    assert v[-1] == pytest.approx(0.5)
    assert (np.diff(v) > -1e-9).all()
    control = t.solve(t.load("example:cliff_walking")).plot(draw="gamma")
    assert "one policy is best at each" in control.get_title().replace("\n", " ")


def test_a_graph_has_every_state_action_and_outcome():
    mdp = t.load("example:recycling_robot")
    found = model_graph(mdp)
    assert found.names[:2] == list(mdp.states)
    assert sorted(found.names[2:]) == [
        "search",
        "search, 2",
    ]  # whose reward is the same on both outcomes says it
    assert (found.kinds[2:] == NOTHING).all()
    # wait, wait, recharge; to two dots, and two outcomes from each
    assert len(found.edges) == 3 + 2 + 4
    assert sorted(e.text.split(",")[0] for e in found.edges if e.tail > 1) == ["0.2", "0.4", "0.6", "0.8"]
    axes = mdp.plot()
    shown = {x.get_text() for x in axes.texts}
    assert {"high", "low", "search, 2", "recharge", "0.8"} <= shown


def test_the_graph_of_an_answer_has_values_and_thick_lines_for_what_is_taken():
    """Policy of the book at these numbers: search when high, recharge when low."""
    mdp = t.load("example:recycling_robot")
    answer = t.solve(mdp)
    found = answer_graph(subject_of(answer), "")
    assert found.values[:2].tolist() == answer.v.tolist()
    strong = {
        (found.names[e.tail], e.text or found.names[e.head]) for e in found.edges if e.strong and e.tail < 2
    }
    assert strong == {("high", "search"), ("low", "recharge")}
    texts = {x.get_text() for x in answer.plot().texts}
    assert f"high\n{answer['high']:.3f}" in texts


def test_states_of_a_graph_do_not_lie_on_each_other():
    for name in ("student", "random_walk_19", "romania", "taxicab"):
        places = model_graph(t.load(f"example:{name}")).places[: t.load(f"example:{name}").S]
        gaps = np.linalg.norm(places[:, None] - places, axis=2) + np.eye(len(places)) * 9
        assert gaps.min() > 1.0


@pytest.mark.parametrize(
    "name", ["student", "romania", "machine_replacement", "forest_horizon", "two_dice", "ties"]
)
def test_every_picture_of_an_answer_is_drawn(name):
    answer = t.solve(t.load(f"example:{name}"))
    for draw in ("values", "policy", "q", "graph"):
        axes = answer.plot(draw=draw)
        axes.figure.draw_without_rendering()
        assert axes.get_title()


def test_a_policy_draws_itself():
    mdp = t.load("example:gridworld_4x4")
    axes = t.Policy.uniform(mdp).plot()
    (shapes,) = [x for x in axes.collections if x.get_gid() == "arrows"]
    assert len(shapes.get_paths()) == 4 * 14
    assert values_between(axes) == {}


def test_a_policy_of_time_steps_draws_all_of_them():
    answer = t.solve(t.load("example:inventory_horizon"))
    axes = answer.policy.plot()
    texts = {x.get_position(): x.get_text() for x in axes.texts}
    assert {texts[t, 0] for t in range(3)} == {"order3", "order2", "order0"}  # Puterman's policy in stock 0
    assert [x.get_text() for x in axes.get_xticklabels()] == ["t = 0", "t = 1", "t = 2"]


def test_axes_that_are_given_are_drawn_on():
    _, (left, right) = pyplot.subplots(1, 2)
    answer = t.solve(t.load("example:gridworld_4x4"))
    assert answer.plot(right) is right
    assert not left.texts
    assert values_between(right)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"draw": "pie"}, "draw: found 'pie', expected one of values, policy, q, graph"),
        ({"ax": 3}, "ax: found int, expected matplotlib's Axes"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, says):
    with pytest.raises(t.OptionError, match=says):
        t.solve(t.load("example:forest")).plot(**arguments)


def test_names_are_drawn_as_they_stand():
    mdp = t.MDP.from_outcomes([("$x_1$", "<script>", "b & c", 1, 1)], 1, terminal=["b & c"])
    texts = [x.get_text() for x in mdp.plot().texts]
    assert r"\$x_1\$" in texts
    assert "<script>, 1" in texts
