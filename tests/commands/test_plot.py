"""`--plot` and `--draw` of the commands."""

from __future__ import annotations

import importlib.util
import re
import xml.etree.ElementTree as tree
from pathlib import Path

import pytest
from plots import PLOTS, draw
from program import inside, one_line

import tabular_rl as t

pytestmark = pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs the extra plot")
PICTURES = Path(__file__).parents[2] / "pictures"
GRID, ROBOT = "example:gridworld_4x4", "example:recycling_robot"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def texts(path):
    """The texts of an SVG."""
    return ["".join(x.itertext()) for x in tree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


DRAWING = {
    "solve": ("solve", GRID, "--draw", "values"),
    "evaluate": ("evaluate", GRID, "--policy", "uniform", "--draw", "policy"),
    "learn": ("learn", GRID, "--steps", 50, "--draw", "errors"),
    "compare": ("compare", ROBOT, "q-learning", "--steps", 50, "--draw", "start"),
    "show": ("show", GRID, "--draw", "graph"),
    "gradient": ("gradient", ROBOT, "--steps", 2),
}


@pytest.mark.parametrize("command", DRAWING)
def test_a_picture_has_the_same_bytes_on_every_run(capsys, here, command):
    starts = {"svg": b"<?xml"}
    if command == "solve":  # one function writes the files of all commands
        starts |= {"pdf": b"%PDF", "png": b"\x89PNG"}
    for suffix, first in starts.items():
        for name in ("a", "b"):
            done = inside(capsys, *DRAWING[command], "--plot", f"{name}.{suffix}")
            assert done.code == 0, done.err
            assert f"{name}.{suffix}: written" in done.err
        found = (here / f"a.{suffix}").read_bytes()
        assert found == (here / f"b.{suffix}").read_bytes()
        assert found.startswith(first)
        assert b"Date" not in found


def test_the_values_of_an_answer_stand_in_its_picture(capsys, here):
    """Sutton & Barto, Figure 4.1: -14, -18, -20, -22."""
    assert inside(capsys, "evaluate", GRID, "--policy", "uniform", "--plot", "v.svg").code == 0
    found = texts(here / "v.svg")
    numbers = [x for x in found if re.fullmatch(r"-\d\d", x)]
    assert sorted(numbers) == ["-14"] * 4 + ["-18"] * 2 + ["-20"] * 6 + ["-22"] * 2
    assert any("random policy" in x or "the policy is random" in x for x in found)


def test_show_q_is_drawn_too(capsys, here):
    assert inside(capsys, "solve", GRID, "--show", "q", "--plot", "q.svg").code == 0
    assert any("value of each action" in x for x in texts(here / "q.svg"))


def test_iterates_are_drawn(capsys, here):
    assert inside(capsys, "solve", ROBOT, "--iterates", 3, "--plot", "v.svg").code == 0
    assert "values step by step" in texts(here / "v.svg")


def test_a_name_that_is_markup_is_text(capsys, here):
    t.save(t.MDP.from_outcomes([("<b>&", "$go$", "end", 1, 1)], 1, terminal=["end"]), "m.toml")
    assert inside(capsys, "show", "m.toml", "--plot", "m.svg").code == 0
    assert {"<b>&", "$go$, 1"} <= set(texts(here / "m.svg"))


def test_letters_without_a_font_are_spoken_of_once(capsys, here, monkeypatch):
    monkeypatch.setattr("tabular_rl.report.render.ink.WIDE_FONTS", ())
    t.save(t.MDP.from_outcomes([("状态", "走", "终", 1, 1)], 1, terminal=["终"]), "m.toml")
    done = inside(capsys, "show", "m.toml", "--plot", "m.png")
    assert done.code == 0
    assert done.err.splitlines()[0] == (
        "warning: m.png: no font at hand has all letters of the names; boxes stand for them. As .svg they are texts"
    )
    assert len(done.err.splitlines()) == 2
    assert inside(capsys, "show", "m.toml", "--plot", "m.svg").err == "m.svg: written\n"
    assert {"状态", "走, 1"} <= set(texts(here / "m.svg"))


REFUSED = {
    "unknown suffix": (
        ("--plot", "a.bmp"),
        2,
        "--plot: a.bmp: found the suffix '.bmp', expected .png or .svg or .pdf",
    ),
    "no folder": (("--plot", "no/a.svg"), 5, "no/a.svg: cannot be written: no such folder no"),
    "standard output": (("--plot", "-"), 2, "--plot: found '-', expected the name of a file"),
    "two files in one": (
        ("--plot", "same", "-o", "same"),
        2,
        "same: is also the output, expected another file",
    ),
    "nothing to draw on": (("--draw", "q"), 2, "--draw: found no --plot, expected one: it says where to"),
    "not of this answer": (
        ("--plot", "a.svg", "--draw", "errors"),
        2,
        "--draw: found 'errors', expected one of values, policy, q, graph, gamma, residual for this answer",
    ),
    "no residuals": (
        ("--plot", "a.svg", "--draw", "residual", "--method", "rational"),
        2,
        "--draw: rational has no residuals, expected --method value-iteration, say",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_drawn_is_refused_and_nothing_is_written(capsys, here, what):
    given, code, says = REFUSED[what]
    done = inside(capsys, "solve", ROBOT, *given)
    assert (done.code, done.out) == (code, "")
    assert done.err.splitlines()[-1].startswith(says)
    assert not list(here.iterdir())


def test_a_picture_and_an_answer_are_both_written_or_none(capsys, here):
    done = inside(capsys, "solve", ROBOT, "-o", "a.json", "--plot", "a.svg", "--draw", "start")
    assert done.code == 2
    assert not list(here.iterdir())
    assert inside(capsys, "solve", ROBOT, "-o", "a.json", "--plot", "a.svg").code == 0
    assert {path.name for path in here.iterdir()} == {"a.json", "a.svg"}


@pytest.mark.parametrize("command", ["solve", "show", "learn"])
def test_without_matplotlib_the_way_out_is_named_before_anything_is_solved(
    capsys, here, monkeypatch, command
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    done = inside(capsys, command, ROBOT, "--plot", "a.png")
    assert (done.code, done.out) == (2, "")
    assert "pip install 'tabular-rl[plot]'" in one_line(done.err)
    with pytest.raises(t.MissingExtra, match="tabular-rl"):
        t.load(ROBOT).plot()


def test_the_pictures_of_the_readme_are_those_that_the_commands_draw(here):
    """Their texts are: where a picture places them is up to the version of matplotlib."""
    draw(here)
    for name in PLOTS:
        assert texts(here / name) == texts(PICTURES / name)
