"""The scan for lines agrees with tomllib and finds the line of every value."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabular_rl.errors import ModelError
from tabular_rl.formats.lines import Spot, locate

TEXT = '''# a remark
title = "x # not a remark"   # a remark
"quoted key".'other key'.bare = 1
'' = 0.5
multi = """
line "two"
line ""three"""""
raw = \'\'\'
no \\ escapes
it''s\'\'\'\'\'
array = [
  1, # one
  [2, 3],
  { a = [4,
    5], "b" = 6 },
]
date = 1979-05-27 07:32:00Z
[table]
a.b = +1_000
[table.inner]   # of the table
c = 0xff
[[many]]
d = -0.0
[many.deep]
e = true
[[many]]
d = 1e5
["a\\u00e9\\"b"]
f = {}
'''

LINES = {
    ("title",): 2,
    ("quoted key", "other key", "bare"): 3,
    ("",): 4,
    ("multi",): 5,
    ("raw",): 8,
    ("array",): 11,
    ("array", 0): 12,
    ("array", 1, 1): 13,
    ("array", 2, "a", 0): 14,
    ("array", 2, "a", 1): 15,
    ("array", 2, "b"): 15,
    ("date",): 17,
    ("table",): 18,
    ("table", "a", "b"): 19,
    ("table", "inner"): 20,
    ("table", "inner", "c"): 21,
    ("many", 0): 22,
    ("many", 0, "d"): 23,
    ("many", 0, "deep"): 24,
    ("many", 0, "deep", "e"): 25,
    ("many", 1, "d"): 27,
    ('aé"b',): 28,
    ('aé"b', "f"): 29,
}


@pytest.mark.parametrize("path", LINES, ids=str)
def test_every_value_has_its_line(path):
    spot = locate(TEXT)
    for step in path:
        spot = spot.value[step]
    assert spot.line == LINES[path]


def values(spot: Spot):
    if isinstance(spot.value, dict):
        return {key: values(item) for key, item in spot.value.items()}
    if isinstance(spot.value, list):
        return [values(item) for item in spot.value]
    return spot.value


def test_values_are_those_of_tomllib():
    assert values(locate(TEXT)) == tomllib.loads(TEXT, parse_float=str)


scalars = st.sampled_from(
    ["1", "-2", "+3", "1_000", "0x1F", "0o7", "0b1", "1.5", "-1e-3", "inf", "-nan", "true", "false", '""', "''",
     '"a\\"b"',
     "'a\"b'", '"""a\n"b" """', "'''\n'a' '''", '""""a"" """', "1979-05-27", "07:32:00", "1979-05-27T07:32:00.5-07:00",
     '"# [x] {y} = ,"']
)  # fmt: skip
keys = st.sampled_from(["a", "b", "c-d", "1", '"e f"', "'g.h'", '"\\u0041"', "a.b", 'x . "y"'])
inline = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.lists(inner, max_size=3).map(lambda items: "[ # x\n" + "".join(f"{i} ,\n" for i in items) + "]")
        | st.lists(st.tuples(keys, inner), max_size=2).map(
            lambda items: "{" + ", ".join(f"{k} = {v}" for k, v in items) + "}"
        )
    ),
    max_leaves=6,
)
lines = (
    st.tuples(keys, inline).map(lambda pair: f"{pair[0]} = {pair[1]}")
    | keys.map(lambda key: f"[{key}]")
    | keys.map(lambda key: f"[[ {key} ]]  # remark")
    | st.just("")
    | st.just("  # [remark]")
)


@given(st.lists(lines, max_size=8).map("\n".join))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_scan_never_disagrees(text):
    try:
        expected = tomllib.loads(text, parse_float=str)
    except ValueError:
        with pytest.raises(ModelError, match=r"found twice|not valid TOML"):
            locate(text)
        return
    assert repr(values(locate(text))) == repr(expected)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a = 1\na = 2", 2, "'a': found twice, first on line 1, expected once"),
        ("[state.x]\n[state.y]\n[state.x]", 3, "state 'x': found twice, first on line 1, expected once"),
        (
            "[state.x]\ngo = {}\n\ngo = {}",
            4,
            "state 'x', action 'go': found twice, first on line 2, expected once",
        ),
        (
            "[state.x]\ngo = { to = { y = 1, y = 1 } }",
            2,
            "state 'x', action 'go', next state 'y': found twice, first on line 2, expected once",
        ),
        ("a = 1\nx = [1,\n", 2, "not valid TOML: "),
        ("a = 1\nb = 2 3\n", 2, "not valid TOML: "),
        ("a.b = 1\n[a]\nb = 2", 2, "not valid TOML: "),
    ],
)
def test_syntax_faults(text, line, said):
    with pytest.raises(ModelError) as caught:
        locate(text)
    (fault,) = caught.value.faults
    assert fault.line == line
    assert str(fault) == said or (said == "not valid TOML: " and str(fault).startswith(said))


def test_depth_is_an_error_and_no_crash():
    with pytest.raises(ModelError, match="nested too deep"):
        locate("x = " + "[" * 5000 + "]" * 5000)


def test_endless_digits_are_an_error():
    with pytest.raises(ModelError, match=r"a number of 5000 digits, expected at most 4000"):
        locate("a = 1\nx = " + "9" * 5000)
