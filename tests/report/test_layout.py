"""Tables that fit the screen: nothing is wider than it, and nothing is lost without a word."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tabular_rl.report import layout
from tabular_rl.report.blocks import Table
from tabular_rl.report.layout import reflowed, rows_shown, width
from tabular_rl.report.render.text import text as shown

WORDS = [[f"m{i}", f"{i}.25", "one linear solve and two sweeps " * 3, "certified"] for i in range(3)]
HEADERS = ["method", "error", "work", "status"]


def widest(text):
    return max(map(width, text.splitlines()))


@pytest.fixture(params=[40, 60, 80, 120])
def columns(request, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


def test_columns_is_80_where_nothing_says_more(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("os.get_terminal_size", lambda fd: (_ for _ in ()).throw(OSError()))
    assert layout.columns() == 80


def test_wrapped_columns_keep_every_word(columns):
    text = shown([Table(HEADERS, WORDS, left="method,work,status", wrap="work")])
    assert widest(text) <= columns
    assert len(re.findall(r"sweeps|solve", text)) == 18


def test_what_fits_is_left_as_it_is(monkeypatch):
    monkeypatch.setenv("COLUMNS", "17")  # less than the least, 20
    text = shown([Table(["a", "b"], [["x" * 9, "y" * 9]], left="a,b", wrap="b")])
    assert text.splitlines()[1] == "x" * 9 + "  " + "y" * 9


def test_dropped_columns_are_named(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    text = shown([Table(HEADERS, WORDS, left="method,work,status", drop="work,status")])
    assert widest(text.split("\n\n")[0]) <= 60
    assert "sweeps" not in text
    assert "certified" in text
    wide = re.search(r"left out on a screen 60 wide: work \(COLUMNS=(\d+) shows all\)", text)[1]
    monkeypatch.setenv("COLUMNS", wide)
    assert "sweeps" in shown([Table(HEADERS, WORDS, left="method,work,status", drop="work,status")])
    monkeypatch.setenv("COLUMNS", str(int(wide) - 1))
    assert "left out" in shown([Table(HEADERS, WORDS, left="method,work,status", drop="work,status")])


def test_folded_columns_stand_below_with_the_first_one_again(columns):
    headers = ["state", *(f"t = {t}" for t in range(30))]
    rows = [[f"s{s}", *(f"{100 * s + t}" for t in range(30))] for s in range(2)]
    text = shown([Table(headers, rows, left="state", fold=1)])
    assert widest(text) <= columns
    assert re.findall(r"\b1\d\d\b", text) == [str(100 + t) for t in range(30)]
    assert text.count("s1") == text.count("state")


def test_long_names_are_broken_at_last(columns):
    text = shown([Table(["state", "value"], [["x" * 300, "1.0"]], left="state")])
    assert widest(text) <= columns
    assert text.count("x") == 300


def test_wide_characters_are_aligned_and_broken_by_what_they_take(columns):
    text = shown([Table(["state", "value"], [["状态" * 60, "1.0"], ["ab", "2.0"]], left="state")])
    assert widest(text) <= columns
    assert text.count("状") == 60
    lines = [line for line in text.splitlines() if line.endswith(".0")]
    assert len({width(line) for line in lines}) == 1


def test_gaps_stand_before_their_rows():
    text = shown([Table(["a"], [["1"], ["2"], ["3"]], gaps={2: "and more"})])
    assert text.splitlines() == ["a", "1", "2", "and more", "3"]


def test_short_tables_have_no_gap():
    assert rows_shown(layout.LONGEST) == layout.Rows(list(range(layout.LONGEST)))


def test_few_changes_are_kept_and_many_are_counted():
    few = rows_shown(1000, changes=np.array([3, 100, 200, 998]))
    assert few.rows == [*range(12), 100, 200, *range(994, 1000)]
    assert few.gaps == {
        12: "… 88 more states, same action (save(path) writes them)",
        13: "… 99 more states, same action",
        14: "… 793 more states, same action",
    }
    many = rows_shown(1000, changes=np.arange(100, 200))
    assert many.rows == [*range(12), *range(994, 1000)]
    assert many.gaps == {12: "… 982 more states, whose action changes 100 times (save(path) writes them)"}


def test_all_shows_all():
    assert rows_shown(1000, everything=True).rows == list(range(1000))


def test_paragraphs_are_filled_and_examples_broken_behind_commas():
    """What an example prints stays; code that has no comma stays; a comma in quotes is none."""
    text = "A sentence of some words that is long.\n\n>>> code(that, is, to, 'be, broken')\n[1, 2, 3, 4, 5, 6, 7, 8]"
    shown = reflowed(text, 20)
    assert shown.splitlines() == [
        "A sentence of some", "words that is long.", "",
        ">>> code(that, is,", "...     to,", "...     'be, broken')", "[1, 2, 3, 4, 5, 6, 7, 8]",
    ]  # fmt: skip
    assert reflowed(">>> a_long_name_without_one()", 20) == ">>> a_long_name_without_one()"


def test_the_widest_column_gives_way_first(monkeypatch):
    monkeypatch.setenv("COLUMNS", "34")
    text = shown(
        [Table(["method", "status"], [["modified-policy-iteration", "certified"]], left="method,status")]
    )
    assert text.splitlines()[1].split() == ["modified-policy-", "certified"]
    assert text.splitlines()[2].strip() == "iteration"
