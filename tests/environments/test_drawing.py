"""What `render` returns: texts, and pictures that mark the state."""

from __future__ import annotations

import numpy as np
import pytest

from tabular_rl import MissingExtra, OptionError

pytest.importorskip("gymnasium")

from tabular_rl.environments import ModelEnv
from tabular_rl.environments.drawing import CELL, RED


def red(picture):
    """Where the mark is: the middle of the red pixels, and how many there are."""
    rows, columns = np.nonzero((picture == RED).all(axis=2))
    return rows.mean(), columns.mean(), len(rows)


def test_a_map_as_a_text():
    env = ModelEnv("example:walled_goal", render_mode="ansi")
    env.reset(seed=0, options={"state": "1,0"})
    assert env.render() == "..#.\nA.#.\n..#E\nt = 0: begins in 1,0\n"
    env.step(list(env.mdp.actions).index("down"))
    assert env.render() == "..#.\n..#.\nA.#E\nt = 1: from 1,0 by down to 2,0, reward -1\n"


def test_a_model_without_a_map_as_a_text():
    env = ModelEnv("example:student", render_mode="ansi")
    assert env.render() == "t = 0: no episode\n"
    env.reset(seed=0, options={"state": "class1"})
    env.step(list(env.mdp.actions).index("study"))
    assert env.render() == "t = 1: from class1 by study to class2, reward -2\n"


def test_a_map_is_painted_without_matplotlib(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    env = ModelEnv("example:aima_4x3", render_mode="rgb_array")
    assert env.render().shape == (3 * CELL, 4 * CELL, 3)
    env.reset(seed=0, options={"state": "1,2"})
    picture = env.render()
    row, column, size = red(picture)
    assert (row, column) == pytest.approx((1.5 * CELL, 2.5 * CELL), abs=1.0)
    assert size == pytest.approx(np.pi * (0.3 * CELL) ** 2, rel=0.05)
    assert picture[int(1.5 * CELL), int(1.5 * CELL)].tolist() == [64, 64, 64], "a wall"
    assert picture.dtype == np.uint8


def test_a_frame_leaves_the_next_one_clean():
    env = ModelEnv("example:aima_4x3", render_mode="rgb_array")
    env.reset(seed=0, options={"state": "1,2"})
    first = env.render()
    env.reset(options={"state": "2,0"})
    assert red(env.render())[:2] == pytest.approx((2.5 * CELL, 0.5 * CELL), abs=1.0)
    env.reset(options={"state": "1,2"})
    assert np.array_equal(env.render(), first)


def test_a_graph_rings_the_state():
    pytest.importorskip("matplotlib")
    env = ModelEnv("example:recycling_robot", render_mode="rgb_array")
    places = []
    for state in range(2):
        env.reset(seed=0, options={"state": state})
        picture = env.render()
        row, column, size = red(picture)
        assert size > 100 and (picture[int(row) - 12, int(column)] == 255).all(), "white inside"
        places.append((row, column))
    assert np.hypot(*np.subtract(*places)) > 50


def test_a_graph_without_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'tabular-rl\[plot\]'"):
        ModelEnv("example:recycling_robot", render_mode="rgb_array")


def test_a_graph_of_too_many_states_is_refused():
    with pytest.raises(
        OptionError, match=r"found 501 states without a layout, expected at most 500 .*'ansi'"
    ):
        ModelEnv("example:taxi", render_mode="rgb_array")


def test_without_a_mode_nothing_is_drawn():
    env = ModelEnv("example:student")
    with pytest.warns(UserWarning, match="render: found render_mode None"):
        assert env.render() is None
