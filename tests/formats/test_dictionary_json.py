"""Dictionaries in JSON: the model that they are, and the line of what is wrong with one."""

from __future__ import annotations

import io
import json
from fractions import Fraction

import pytest

from tabular_rl import MDP, ModelError, load, save, solve

pytestmark = pytest.mark.small

P = {"a": {"go": [[0.5, "b", 0, True], [0.5, "b", 0, False]]}, "b": {"stay": [[1, "b", 1, False]]}}


@pytest.fixture
def written(tmp_path):
    def write(text, name="m.json"):
        path = tmp_path / name
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    return write


def test_both_forms_are_the_model_of_the_dictionary(written):
    """b is worth 1 / (1 - .9) = 10, and a goes there alive half of the time: .9 * .5 * 10."""
    mdp = load(written({"gamma": "9/10", "P": P}))
    assert solve(mdp).v.tolist() == pytest.approx([4.5, 10, 0], abs=1e-9)
    assert load(written(P), gamma="9/10") == mdp.replace(origin="")
    assert mdp.digest == MDP.from_dictionary({"a": {"go": [("1/2", "b", 0, True), ("1/2", "b", 0, False)]},
                                              "b": {"stay": [(1, "b", 1, False)]}}, "9/10").digest  # fmt: skip
    assert load(written({"gamma": 0.9, "P": P}), gamma="1/2").gamma == 0.5


def test_numbers_are_exact_as_they_are_spelled(written):
    mdp = load(written('{"s": {"a": [["1/3", "s", 0.1, false], ["2/3", "s", 1e0, false]]}}'), gamma=0.5)
    assert list(mdp.exact.prob) == [Fraction(1, 3), Fraction(2, 3)]
    assert list(mdp.exact.reward) == [Fraction(1, 10), Fraction(1)]


def test_rounded_rows_of_other_programs_are_float64(written):
    """Gymnasium's thirds, as Python's json spells them: their decimals sum to 1 - 4e-17."""
    thirds = [[1 / 3, s, 0.0, False] for s in (0, 1, 2)]
    mdp = load(written({str(s): {"0": thirds} for s in range(3)}), gamma=0.5)
    assert mdp.exact is None
    assert mdp.prob.tolist() == [1 / 3] * 9
    assert not mdp.states.given, "the texts 0, 1, 2 are the indices"


def test_a_row_that_misses_1_by_more_names_normalize(written):
    path = written('{"s": {\n "a": [[0.333, "s", 0, false],\n [0.666, "s", 1, false]]}}')
    with pytest.raises(
        ModelError, match=r"m\.json:2: state 's', action 'a': probabilities sum to 999/1000, .*normalize=True"
    ):
        load(path, gamma=0.5)
    assert list(load(path, gamma=0.5, normalize=True).exact.prob) == [Fraction(1, 3), Fraction(2, 3)]


def test_what_else_the_file_says(written):
    told = {"P": P, "gamma": 1, "start": "a", "horizon": 2, "sense": "min", "name": "n", "source": "s"}
    mdp = load(written(told))
    assert (mdp.horizon, mdp.sense, mdp.name, mdp.source) == (2, "min", "n", "s")
    assert mdp.start.tolist() == [1, 0, 0]
    asked = load(written(told), horizon=3, sense="max", terminal=["b"])
    assert (asked.horizon, asked.sense, asked.terminal.tolist()) == (3, "max", [False, True])


def test_a_pipe_is_told_by_its_first_byte(monkeypatch):
    text = "\n  " + json.dumps({"gamma": "1/2", "P": P})
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert load("-").S == 3


def test_what_is_written(tmp_path):
    """Other programs find P as Gymnasium keeps it; what P cannot say stands beside it."""
    mdp = load("example:recycling_robot").replace(start="low")
    save(mdp, tmp_path / "m.json")
    found = json.loads((tmp_path / "m.json").read_text())
    assert found["P"]["low"]["wait"] == [[1, "low", 1, False]]
    assert found["P"]["high"]["search"][0] == [0.8, "high", 2, False]
    assert {key: found[key] for key in ("gamma", "numbers", "start")} == {
        "gamma": mdp.gamma, "numbers": "exact", "start": {"low": 1},
    }  # fmt: skip
    assert load(tmp_path / "m.json").replace(origin="") == mdp
    ended = MDP.from_outcomes([("a", "go", "b", 1.0, 2.0)], 0.9, terminal=["b"])
    save(ended, tmp_path / "n.json")
    assert json.loads((tmp_path / "n.json").read_text())["P"] == {
        "a": {"go": [[1.0, "b", 2.0, True]]}, "b": {"go": [[1, "b", 0, True]]}
    }  # fmt: skip
    asked = load(tmp_path / "n.json", gamma="1/2", horizon=3, sense="min")
    assert (asked.gamma, asked.horizon, asked.sense) == (0.5, 3, "min")
    assert MDP.from_dictionary(ended.to_dictionary(), 0.9) == ended


OWN = {"gamma": 0.5, "numbers": "float64", "states": ["a", "b"], "actions": ["go"], "terminal": ["b"],
       "P": {"a": {"go": [[1, "b", 2, True]]}}}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"numbers": "decimal"}, "numbers: found 'decimal', expected exact or float64"),
        ({"rewards": 1}, "rewards: found '1', expected outcome or pair"),
        ({"states": None}, "states: found None, expected a list of names"),
        ({"states": ["a", "a", "b"]}, "states: found 'a' twice, expected distinct names"),
        ({"terminal": [None]}, "terminal: found a list with None in it, expected a list of names"),
        ({"terminal": []}, "state 'a', action 'go', next state 'b': found done true, expected it to be as `terminal`"),
        ({"start": {"a": "x"}}, "state 'a': found start 'x', expected a number"),
        ({"start": 7}, "start: found '7'"),
        ({"final_reward": None, "horizon": 2}, "final_reward: found None, expected {state: number}"),
        ({"layout": {"rows": 0}}, "layout: expected rows, columns and cell, whole numbers"),
        ({"P": {"a": {"go": [[True, "b", 2, True]]}}}, "state 'a', action 'go', next state 'b': found prob"),
        ({"P": {"a": {"go": [[0.9, "b", 2, True]]}}}, "state 'a', action 'go': probabilities sum to 0.9, expected 1"),
        ({"P": {"a": {"run": [[1, "b", 2, True]]}}}, "action 'run': not among the actions"),
        ({"tables": 1}, "unknown key 'tables'"),
    ],
)  # fmt: skip
def test_what_is_wrong_beside_P_is_told(change, found, written):
    with pytest.raises(ModelError) as caught:
        load(written(OWN | change))
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"s": {"a": [[1, "s", 0, false]]}}', 'gamma: found none, expected one: say gamma=0.9, or write {"gamma"'),
        ('{"P": {},\n"gama": 1}', ":2: unknown key 'gama'; did you mean 'gamma'?"),
        ('{"gamma": 2, "P": {"s": {"a": [[1, "s", 0, false]]}}}', "m.json:1: gamma: found 2, expected"),
        ('{"gamma": 1,\n"P": 7}', "P: found '7', expected {state: {action:"),
        ('{"gamma": 1, "P": {\n"s": 7}}', ":2: state 's': the actions: found '7'"),
        ('{"gamma": 1, "P": {\n"s": {\n"a": 7}}}', ":3: state 's', action 'a': found '7', expected a list"),
        ('{"gamma": 1, "P": [\n[\n[[1, 0]]]]}', ":3: state '0', action '0': outcome 0: found 2 entries, expected 4"),
        ('{"gamma": 1, "P": {"s": {\n"a": [[1, "s", 0, 1]]}}}', ":2: state 's', action 'a': outcome 0: found done '1'"),
        ('{"gamma": 1, "P": {"s": {\n"a": [["x", "s", 0, true]]}}}', ":2: state 's', action 'a', next state"),
        ('{"gamma": 1, "P": {"s": {\n"a": [[1, "s", null, true]]}}}', ":2: state 's', action 'a', next state"),
        ('{"gamma": 1, "P": {"s": {"a": [[1, "s", NaN, true]]}}}', "found NaN, expected finite numbers"),
        ('{"gamma": 1, "horizon": 1.5, "P": {"s": {"a": [[1, "s", 0, false]]}}}', "horizon: found '1.5', expected a"),
        ('{"gamma": 1, "start": [1], "P": {"s": {"a": [[1, "s", 0, false]]}}}', "start: found a list, expected a"),
        ('{"gamma": 1, "name": [7], "P": {"s": {"a": [[1, "s", 0, false]]}}}', "name: expected a text"),
        ('{"s": {"a": []},\n"s": {}}', ":2: key 's': found twice, first on line 1, expected once"),
        ('{"s": ', "not valid JSON"),
        ("[1]", "found a list, expected a JSON object such as {"),
        ("hello", "found text, expected a JSON object such as {"),
        ("", "empty, expected a model"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(written, text, found):
    with pytest.raises(ModelError) as caught:
        load(written(text))
    assert found in str(caught.value)
    assert str(caught.value).splitlines()[0].count("m.json") == 1
