"""The page as Python makes it: what it holds, how it is written, and what is refused."""

import json
import re

import pytest
from program import inside, outside

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


def test_a_policy_comes_along(tmp_path, capsys):
    path = tmp_path / "page.html"
    assert inside(capsys, "lesson", "example:forest", "-q", "-o", path, "--policy", "action:cut").code == 0
    mdp = tabular_rl.load("example:forest")
    page = lesson(mdp, policy={s: "cut" for s in mdp.states})
    assert page.html == path.read_text("utf-8")
    assert data_of(page.html)["policy"] == [0, 1, 0, 1, 0, 1]


def test_a_policy_that_depends_on_time_is_refused():
    mdp = tabular_rl.load("example:forest_horizon")
    with pytest.raises(OptionError, match="found one that depends on time"):
        lesson(mdp, policy=tabular_rl.solve(mdp).policy)


REFUSED = {
    "example:forest": (2, "Missing option '-o' / '--output'"),
    "example:forest -o page.txt": (2, "found the suffix '.txt', expected .html or .htm"),
    "example:forest -o no/page.html": (5, "no such folder no"),
    "example:taxi -o page.html": (2, "found 501 states, expected at most 500"),
    "example:no_proper_policy -o page.html": (4, "no finite answer"),
    "nothing.toml -o page.html": (2, "nothing.toml"),
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_what_cannot_be_done_is_said_and_nothing_is_written(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.html").write_text("old")
    done = inside(capsys, "lesson", *arguments.split())
    code, sentence = REFUSED[arguments]
    assert (done.code, done.out) == (code, "") and sentence in done.err and done.err.count("\n") == 1
    assert (tmp_path / "page.html").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_page_takes_the_place_of_an_old_one(tmp_path, capsys):
    path = tmp_path / "page.html"
    path.write_text("old")
    done = inside(capsys, "lesson", "example:forest", "-o", path)
    assert (done.code, done.out, done.err) == (0, "", f"{path}: written\n")
    assert path.read_text("utf-8") == lesson(tabular_rl.load("example:forest")).html


def test_standard_output_is_the_page():
    done = outside("lesson", "example:forest", "-o", "-")
    assert (done.code, done.err) == (0, "") and done.out == lesson(tabular_rl.load("example:forest")).html


def test_the_model_is_not_overwritten(tmp_path, capsys):
    path = tmp_path / "model.html"
    path.write_text((tabular_rl.formats.bundled.example_path("forest")).read_text())
    done = inside(capsys, "lesson", path, "--format", "toml", "-o", path)
    assert done.code == 2 and "is also the input" in done.err


def test_names_stand_as_text_in_what_is_written():
    names = ["</script><script>x()</script>", "\x1b[31m\u2028x", "@data@", "&amp;<b>"]
    moves = [(s, "a", s, 1, 0) for s in names]
    page = lesson(MDP.from_outcomes(moves, 0.5, states=names, name=names[0], source=names[3])).html
    assert page.count("<script") == 2 and page.count("</script") == 2
    assert data_of(page)["states"] == [names[0], "\\x1b[31m\\u2028x", "@data@", "&amp;<b>"]
    assert "<title>&lt;/script&gt;&lt;script&gt;x()&lt;/script&gt;</title>" in page
    assert "&amp;amp;&lt;b&gt;" in page


def test_numbers_come_back_bit_for_bit():
    moves = [("a", "go", "a", 0.1, 1 / 3), ("a", "go", "b", 0.9, -1e-300), ("b", "go", "b", 1.0, 0.1 + 0.2)]
    mdp = MDP.from_outcomes(moves, 1 / 7)
    data = data_of(lesson(mdp).html)
    assert (data["prob"], data["reward"], data["r"]) == (
        mdp.prob.tolist(),
        mdp.reward.tolist(),
        mdp.r.tolist(),
    )
    assert (data["gamma"], data["answer"]["v"]) == (1 / 7, tabular_rl.solve(mdp, "rational").v.tolist())


def test_a_grid_has_its_cells_and_arrows():
    data = data_of(lesson(tabular_rl.load("example:cliff_walking")).html)
    layout = data["layout"]
    assert (layout["rows"], layout["columns"], len(layout["elsewhere"])) == (4, 12, 10)
    assert dict(zip(data["actions"], data["arrows"], strict=True)) == {
        "up": "↑",
        "down": "↓",
        "left": "←",
        "right": "→",
    }
