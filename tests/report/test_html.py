"""What notebooks show: HTML that is parsed and compared with the answer, and in which every name is text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import tabular_rl as t
from tabular_rl.report.render.ink import face, inks, luminance

VOID = {"br"}
NASTY = ["<script>alert(1)</script>", "\"'&amp;", "</td><b>", "α → β", "a\u0007b"]


class Page(HTMLParser):
    """The cells of each table as (text, style), and all other text; raises where a tag is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tables, self.words, self.tags = [], [], [], set()
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in VOID:
            return
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append(["", dict(attrs).get("style", ""), dict(attrs).get("title", "")])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1][0] += data
        else:
            self.words.append(data)


def background(style):
    found = re.search(r"background:rgb\((\d+),(\d+),(\d+)\);color:(black|white)", style)
    return None if found is None else (np.array([int(x) for x in found.groups()[:3]]) / 255, found.group(4))


def test_the_answer_of_a_grid_is_a_grid_in_colour():
    """Sutton & Barto, Figure 4.1: -14 next to the ends, -22 farthest away; brighter is better."""
    page = Page(t.evaluate(t.load("example:gridworld_4x4"), "uniform")._repr_html_())
    (grid,) = page.tables
    numbers = [[re.match(r"-?\d+|", cell[0]).group() for cell in row] for row in grid]
    assert numbers == [
        ["", "-14", "-20", "-22"],
        ["-14", "-18", "-20", "-20"],
        ["-20", "-20", "-18", "-14"],
        ["-22", "-20", "-14", ""],
    ]
    assert set(grid[1][1][0].removeprefix("-18")) == set("↑↓←→")
    assert grid[0][0][2] == "end"
    light = {
        cell[0][:3]: luminance(background(cell[1])[0]) for row in grid for cell in row if cell[2] != "end"
    }
    assert light["-22"] < light["-20"] < light["-18"] < light["-14"]
    assert "values of the given policy" in page.words


def test_colours_of_notebooks_are_those_of_pictures_and_can_be_read():
    matplotlib = pytest.importorskip("matplotlib")
    for share in np.linspace(0, 1, 101):
        colour = face(share)
        assert np.abs(colour - matplotlib.colormaps["viridis"](share)[:3]).max() < 0.03
        light = luminance(colour)
        assert ((light + 0.05) / 0.05 if inks(colour) == "black" else 1.05 / (light + 0.05)) >= 4.5


def test_numbers_stay_on_one_line_and_steps_stand_below_it():
    page = t.iterates(t.load("example:machine_replacement"), count=2)._repr_html_()
    assert "V<sub>2</sub></th>" in page
    assert "text-align:right;white-space:nowrap" in page
    assert "V_2" not in page


def test_the_answer_of_another_model_is_a_table_whose_values_are_shaded():
    answer = t.solve(t.load("example:machine_replacement"))
    (table,) = Page(answer._repr_html_()).tables
    assert [cell[0] for cell in table[0]] == ["state", "value", "±", "action"]
    for row in table[1:]:
        assert float(row[1][0]) == pytest.approx(answer[row[0][0]], abs=1e-6)
        assert row[3][0] == answer.policy[row[0][0]]
    light = [luminance(background(row[1][1])[0]) for row in table[1:]]
    assert light == sorted(light, reverse=True)  # costs rise from good to broken


def test_a_finite_horizon_is_a_table_of_states_and_times():
    (table,) = Page(t.solve(t.load("example:inventory_horizon"))._repr_html_()).tables
    assert [cell[0] for cell in table[0]] == ["", "t = 0", "t = 1", "t = 2", "t = 3"]
    assert [cell[0] for cell in table[1]] == ["0", "4.19order3", "2.00order2", "0.00order0", "0.00"]


def test_what_was_learned_shows_learned_and_exact_values():
    learned = t.learn(t.load("example:random_walk_5"), "td0", "uniform", steps=500, seed=3)
    table = Page(learned._repr_html_()).tables[0]
    assert [cell[0] for cell in table[0]] == ["state", "learned", "exact", "visits"]
    assert float(table[3][2][0]) == pytest.approx(0.5)
    shaded = [background(row[1][1]) is not None for row in table[1:]]
    assert shaded == [True] * 5 + [False] * 2  # terminal states come last


def test_a_policy_is_a_grid_of_arrows_or_a_table():
    mdp = t.load("example:gridworld_4x4")
    (grid,) = Page(t.solve(mdp).policy._repr_html_()).tables
    assert grid[0][1][0] == "←"
    (table,) = Page(t.Policy.uniform(t.load("example:recycling_robot"))._repr_html_()).tables
    assert [cell[0] for cell in table[1]] == ["high", "search 0.5, wait 0.5"]


def test_a_model_shows_its_outcomes_and_a_long_one_some_of_them():
    page = Page(t.load("example:recycling_robot")._repr_html_())
    assert [cell[0] for cell in page.tables[0][1]] == ["high", "search", "high", "0.8", "2"]
    assert len(page.tables[0]) == 8
    long = t.load("example:rust_bus")._repr_html_()
    assert len(long) < 20_000
    assert any("more outcomes" in cell[0] for row in Page(long).tables[0] for cell in row)


@pytest.mark.parametrize(
    "kind", ["model", "answer", "policy", "learned", "random", "comparison", "iterates", "explain"]
)
def test_names_are_text_wherever_they_stand(kind):
    start, action, end, other, bell = NASTY
    outcomes = [
        (start, action, end, "1/2", 1),
        (start, other, end, 1, "1/3"),
        (start, action, bell, "1/2", 0),
    ]
    mdp = t.MDP.from_outcomes(outcomes, "1/2", terminal=[end, bell], name="<img src=x onerror=alert(1)>")
    shown = {
        "model": lambda: mdp,
        "answer": lambda: t.solve(mdp),
        "policy": lambda: t.solve(mdp).policy,
        "random": lambda: t.Policy.uniform(mdp),
        "learned": lambda: t.learn(mdp, "q-learning", steps=20),
        "comparison": lambda: t.compare(mdp, ["value-iteration", "q-learning"], steps=20),
        "iterates": lambda: t.iterates(mdp, count=1),
        "explain": lambda: t.explain(mdp, start),
    }[kind]()
    text = shown._repr_html_()
    page = Page(text)
    assert page.tags <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td", "br", "sub"}
    assert "<script" not in text
    assert "\u0007" not in text
    words = "".join([*page.words, *(cell[0] for table in page.tables for row in table for cell in row)])
    assert start in words or kind == "comparison"


def test_other_answers_show_themselves():
    mdp = t.load("example:recycling_robot")
    for answer in (t.simulate(mdp, "uniform", episodes=2, steps=3), t.verify(mdp, t.solve(mdp))):
        assert Page(answer._repr_html_()).words
