"""Messages that say the way out: what was meant, what is a wall, which names there are."""

from __future__ import annotations

import pytest
from program import inside

GRID = """discount = 0.9
[grid]
map = '''
..+
.#.
'''
[grid.legend]
"+" = { terminal = true, reward = 1 }
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grid.toml").write_text(GRID)
    return tmp_path


def test_a_wall_is_called_one_and_states_are_named(capsys, folder):
    for words in (("explain", "grid.toml", "--state"), ("solve", "grid.toml", "--state")):
        assert "--state: found '1,1', which is a wall" in inside(capsys, *words, "1,1").err
        done = inside(capsys, *words, "hot")
        assert done.code == 2
        assert "no state 'hot', expected one such as 0,0, 0,1, 0,2, 1,0, 1,2" in done.err


def test_of_files_that_differ_in_their_suffix_a_model_is_meant(capsys, folder):
    for name in ("grid.html", "grid.a", "grid.png"):
        (folder / name).write_text("")
    assert "did you mean 'grid.toml'?" in inside(capsys, "solve", "gird.toml").err
    (folder / "grid.csv").write_text("")
    assert "did you mean 'grid.toml'?" in inside(capsys, "solve", "gird.csv").err


def test_a_json_file_is_read_as_json(capsys, folder):
    (folder / "answer.json").write_text("not")
    done = inside(capsys, "verify", "grid.toml", "answer.json")
    assert "JSON" in done.err
    assert "column" not in done.err.partition("JSON")[0]


def test_a_method_that_compare_does_not_know(capsys):
    done = inside(capsys, "compare", "example:forest", "--method", "foo")
    assert "no such method" in done.err
    assert "value-iteration, " in done.err
    assert "policy-evaluation" not in done.err


def test_an_example_that_is_not_there_names_a_few(capsys):
    done = inside(capsys, "solve", "example:gridword")
    assert "did you mean" in done.err or "nearest" in done.err
    done = inside(capsys, "solve", "example:racecar")
    assert "`tabular-rl examples` lists all" in done.err
    assert done.err.count(",") < 5


def test_a_comma_before_a_brace_is_named(capsys, folder):
    (folder / "m.toml").write_text('discount = 0.9\n[state.a]\ngo = { to = "a", reward = 1, }\n')
    assert "A table in braces ends without a comma." in inside(capsys, "solve", "m.toml").err
