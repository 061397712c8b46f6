"""The table of what an answer holds, in docs/python.md, says the truth: names and shapes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import tabular_rl as t

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
ROW = re.compile(r"^\| (`answer.*?) \| .*? \| (.*?) \|$", re.MULTILINE)
ROWS = [
    (name, shape)
    for cell, shape in ROW.findall(PAGE.read_text(encoding="utf-8"))
    for name in re.findall(r"`(.*?)`", cell)
    if "()" not in name
]
KINDS = {"float": float, "Policy": t.Policy, "a tuple": tuple, "float, text": (float, str), "inf": float}
TIMED = {"answer.v": 1, "answer.lower": 1, "answer.upper": 1}  # those of T + 1 times


def test_the_table_is_found():
    names = {name for name, _ in ROWS}
    assert {"answer.v", "answer.q_table", "answer.policy.table", "answer.policy.actions"} <= names
    own = {f"answer.{name}" for name in ("lower", "upper", "bound", "q", "exact", "optimal_actions")}
    assert own <= names


@pytest.mark.small
@pytest.mark.parametrize("horizon", [None, 3])
@pytest.mark.parametrize(("name", "shape"), ROWS)
def test_each_row(name, shape, horizon):
    mdp = t.load("example:taxicab").replace(horizon=horizon)
    answer = t.solve(mdp, method="rational" if name == "answer.exact" else "auto")
    found = eval(name, {"answer": answer})
    if shape.strip("`") in KINDS:
        if "[" not in name or horizon is None:
            assert isinstance(found, KINDS[shape.strip("`")])
        return
    sizes = {"S": mdp.S, "A": mdp.A, "L": mdp.L}
    expected = tuple(sizes[size] for size in re.findall(r"[SAL]", shape))
    if horizon is not None:
        expected = (horizon + TIMED.get(name, 0), *expected)
    assert np.shape(found) == expected
