"""The notebooks of docs/ run from top to bottom, check their numbers, and are kept without outputs."""

from __future__ import annotations

import ast
import json
import re

import pytest
from notebooks import NOTEBOOKS, cells, run_notebook

from tabular_rl.methods.lookup import METHODS

BY_NAME = [pytest.param(path, id=path.stem) for path in NOTEBOOKS]


def test_there_are_three():
    assert [path.name for path in NOTEBOOKS] == [
        "01_bellman_equations.ipynb",
        "02_td_monte_carlo_exact.ipynb",
        "03_q_learning_off_policy.ipynb",
    ]


@pytest.mark.parametrize("path", BY_NAME)
def test_a_notebook_is_kept_without_outputs(path):
    text = path.read_text(encoding="utf-8")
    book = json.loads(text)
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert set(book) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert set(book["metadata"]) == {"kernelspec", "language_info"}
    ids = [cell["id"] for cell in book["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in book["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
            assert set(cell) == {"cell_type", "execution_count", "id", "metadata", "outputs", "source"}
        else:
            assert set(cell) == {"cell_type", "id", "metadata", "source"}
    assert text == json.dumps(book, indent=1, ensure_ascii=False) + "\n"  # as Jupyter writes it


@pytest.mark.parametrize("path", BY_NAME)
def test_a_notebook_runs_and_its_numbers_hold(path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    shown = run_notebook(path)
    figures = pyplot.get_fignums()
    pyplot.close("all")
    assert figures
    assert sum(text.startswith("<div>") for text in shown) >= 2  # answers show themselves


@pytest.mark.parametrize("path", BY_NAME)
def test_a_notebook_checks_its_numbers(path):
    """Most cells that compute have an assertion; each names what is expected."""
    trees = [ast.parse(source) for source in cells(path, "code")]
    checks = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert len(checks) >= 10
    assert sum(any(isinstance(node, ast.Assert) for node in ast.walk(tree)) for tree in trees) >= 7


@pytest.mark.parametrize("path", BY_NAME)
def test_what_a_notebook_asks_a_reader_to_try_exists(path):
    """The methods and calls that its texts name are there."""
    import tabular_rl as t

    text = "\n".join(cells(path, "markdown"))
    for name in re.findall(r"`t\.(\w+)", text):
        assert hasattr(t, name), name
    for name in re.findall(r't\.learn\(\w+, "([\w-]+)"', text):
        assert name in METHODS


def test_a_cell_that_fails_is_named(tmp_path):
    path = tmp_path / "a.ipynb"
    cell = {"cell_type": "code", "source": ["x = 1\n", "assert x == 2"]}
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": ["3"]}, cell]}))
    with pytest.raises(AssertionError) as caught:
        run_notebook(path)
    assert caught.value.__notes__ == ["a.ipynb, code cell 2:\nx = 1\nassert x == 2"]
