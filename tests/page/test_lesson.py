"""The page as Python makes it: what it holds, how it is written, and what is refused."""

import json
import re

import pytest
from program import inside

import tabular_rl
from tabular_rl import MDP, lesson
from tabular_rl.errors import OptionError


def data_of(page: str):
    return json.loads(re.search(r'id="lesson-data">(.*?)</script>', page, re.DOTALL).group(1))


def test_the_page_holds_the_numbers_of_the_model():
    mdp = tabular_rl.load("example:taxicab")
    data = data_of(lesson(mdp).html)
    assert data["prob"] == mdp.prob.tolist()
    assert data["gamma"] == mdp.gamma and data["sense"] == mdp.sense
    assert data["answer"]["v"] == tabular_rl.solve(mdp, "rational").v.tolist()


def test_a_model_of_more_than_500_states_is_refused():
    chain = MDP.from_outcomes([(s, "go", s + 1, 1, 1) for s in range(500)], 1, terminal=[500])
    with pytest.raises(OptionError, match="found 501 states, expected at most 500"):
        lesson(chain)


def test_a_notebook_shows_the_page():
    page = lesson(tabular_rl.load("example:forest"))
    assert page._repr_html_().startswith('<iframe title="lesson"')


OPTIONS = {
    "--gamma 0.5": {"gamma": 0.5},
    "--horizon 3": {"horizon": 3},
    "--minimize": {"sense": "min"},
    "--normalize": {"gamma": 0.9},
    "--format toml": {"gamma": 0.9},
}


@pytest.mark.parametrize("options", OPTIONS)
def test_options_of_the_model_reach_the_page(options, tmp_path, capsys):
    path = tmp_path / "page.html"
    done = inside(capsys, "lesson", "example:forest", "--quiet", "--output", path, *options.split())
    assert (done.code, done.out, done.err) == (0, "", "")
    data = data_of(path.read_text("utf-8"))
    assert {key: data[key] for key in OPTIONS[options]} == OPTIONS[options]


def test_a_terminal_state_can_be_named(tmp_path, capsys):
    path = tmp_path / "page.html"
    assert inside(capsys, "lesson", "example:student", "-o", path, "--terminal", "sleep").code == 0
    assert data_of(path.read_text("utf-8"))["terminal"] == [4]
