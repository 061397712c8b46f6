"""Answer files: what is written is read back, and files from elsewhere are read or refused with their line."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest

import tabular_rl
from tabular_rl import MDP, Policy
from tabular_rl.errors import ModelError, OptionError, TabularError
from tabular_rl.formats import load
from tabular_rl.formats.answers import read_answer
from tabular_rl.formats.named_policies import read_policy

ODD = ["a,b", 'say "hi"', "line\nbreak", "-", "0", "nan", "\x1b[31m", "状态", "x y"]


@pytest.fixture(scope="module")
def robot():
    return load("example:recycling_robot")


@pytest.mark.parametrize("suffix", ["json", "csv", "npy"])
@pytest.mark.parametrize("name", ["recycling_robot", "gridworld_4x4", "forest_horizon", "romania"])
def test_round_trip(tmp_path, name, suffix):
    mdp = load(f"example:{name}")
    answer = tabular_rl.solve(mdp)
    path = tmp_path / f"answer.{suffix}"
    answer.save(path, format=suffix)
    again = read_answer(str(path), mdp)
    for field, want in (("values", answer.v), ("lower", answer.lower), ("upper", answer.upper)):
        assert np.array_equal(getattr(again, field), want)
    assert again.policy == answer.policy
    assert again.digest in (None, mdp.digest)


@pytest.mark.parametrize("horizon", [None, 2])
def test_lists_follow_the_names_of_the_states(tmp_path, horizon):
    """An answer whose states stand in another order than the model's: every list is in theirs."""
    mdp = MDP.from_outcomes([(s, "stay", s, 1, i) for i, s in enumerate("abc")], "1/3", horizon=horizon)
    answer = tabular_rl.solve(mdp, method="rational")
    path = tmp_path / "answer.json"
    answer.save(path)
    document = json.loads(path.read_text())
    order = [2, 0, 1]
    for key in ("states", "values", "lower", "upper", "exact", "policy"):
        steps = document[key] if horizon and key != "states" else [document[key]]
        moved = [[step[i] for i in order] for step in steps]
        document[key] = moved if horizon and key != "states" else moved[0]
    assert document["states"] == ["c", "a", "b"]
    path.write_text(json.dumps(document))
    again = read_answer(str(path), mdp)
    # Reward i forever, or three times: i / (1 - 1/3), or i (1 + 1/3), i, 0.
    expected = [Fraction(3 * i, 2) for i in range(3)]
    if horizon:
        expected = [i * x for x in (Fraction(4, 3), Fraction(1), Fraction(0)) for i in range(3)]
    assert again.exact == tuple(expected)
    assert np.array_equal(again.values, answer.v)
    assert np.array_equal(again.lower, answer.lower)
    assert again.policy == answer.policy
    assert bool(tabular_rl.verify(mdp, path))


@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_odd_names_survive(tmp_path, suffix):
    outcomes = [(s, "go\tup", s, 1, i) for i, s in enumerate(ODD)]
    mdp = MDP.from_outcomes(outcomes, "1/2")
    path = tmp_path / f"answer.{suffix}"
    tabular_rl.solve(mdp).save(path)
    # One state, reward i: v = i / (1 - 1/2).
    assert read_answer(str(path), mdp).values.tolist() == pytest.approx([2 * i for i in range(len(ODD))])


def test_random_policies_keep_their_fractions(tmp_path, robot):
    policy = Policy.epsilon_greedy(robot, Policy.uniform(robot), "1/7")
    path = tmp_path / "answer.json"
    tabular_rl.evaluate(robot, policy).save(path)
    again = read_answer(str(path), robot)
    assert list(again.policy.exact) == list(policy.exact)
    assert again.task == "prediction"


def test_float_policies_are_read_as_floats(tmp_path, robot):
    policy = Policy.softmax(robot, np.arange(robot.L, dtype=float))
    path = tmp_path / "answer.json"
    tabular_rl.evaluate(robot, policy).save(path)
    assert np.array_equal(read_answer(str(path), robot).policy.weights, policy.weights)


def test_timed_random_policies_are_read_back(tmp_path):
    mdp = load("example:forest_horizon")
    weights = np.array([[0.5, 0.5, 0.25, 0.75, 1, 0], [0.5, 0.5, 1, 0, 0, 1], [0, 1, 1, 0, 0.5, 0.5]])
    path = tmp_path / "answer.json"
    tabular_rl.evaluate(mdp, Policy.of_probs(mdp, weights)).save(path)
    assert np.array_equal(read_answer(str(path), mdp).policy.weights, weights)


def test_infinities_are_null(tmp_path, robot):
    answer = tabular_rl.solve(robot)
    path = tmp_path / "answer.json"
    object.__setattr__(answer, "bound", math.inf)
    object.__setattr__(answer, "upper", np.full(2, math.inf))
    answer.save(path)
    document = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert document["bound"] is None
    assert document["upper"] == [None, None]


def test_document_says_how_it_was_reached(tmp_path, robot):
    path = tmp_path / "answer.json"
    tabular_rl.solve(robot, method="value-iteration", tolerance=1e-3).save(path)
    document = json.loads(path.read_text())
    assert document["schema"] == "tabular-rl answer"
    assert document["version"] == 1
    assert document["digest"] == robot.digest
    assert (document["gamma"], document["sense"], document["method"]) == (0.9, "max", "value-iteration")
    assert (document["status"], document["reached"], document["tolerance"]) == ("CERTIFIED", True, 1e-3)
    assert document["states"] == ["high", "low"]
    assert document["policy"] == ["search", "recharge"]
    assert document["optimal_actions"] == [["search"], ["recharge"]]
    assert document["work"]["sweeps"] >= 1
    assert document["seconds"] > 0
    for value, low, high, truth in zip(
        document["values"],
        document["lower"],
        document["upper"],
        (Fraction(1000, 59), Fraction(900, 59)),
        strict=True,
    ):
        assert low <= truth <= high
        assert abs(value - truth) <= document["bound"]


def test_exact_values_are_fractions_as_text(tmp_path, robot):
    path = tmp_path / "answer.json"
    tabular_rl.solve(robot, method="rational").save(path)
    assert json.loads(path.read_text())["exact"] == ["1000/59", "900/59"]


FROM_ELSEWHERE = {
    "state,value\nhigh,1.5\nlow,-2e-1\n": [1.5, -0.2],
    "value,state\r\n1.5,high\r\n1/2,low": [1.5, 0.5],
    "\ufeffState, Value\nlow,1\nhigh,2\n": [2, 1],
    '{"high": 1.5, "low": 2}': [1.5, 2],
    # As pandas writes frames: to_csv(), to_json() in three orients.
    ",state,value\n0,low,2\n1,high,1.5\n": [1.5, 2],
    '{"state":{"0":"high","1":"low"},"value":{"0":1.5,"1":2.0}}': [1.5, 2],
    '{"columns":["state","value"],"index":[0,1],"data":[["high",1.5],["low",2.0]]}': [1.5, 2],
    '[{"state":"low","value":2.0},{"state":"high","value":1.5}]': [1.5, 2],
    '{"values": {"low": 2, "high": 1.5}}': [1.5, 2],
    '{"values": [1.5, 2]}': [1.5, 2],
    '{"states": ["low", "high"], "values": [2, "3/2"], "anything": {"else": []}}': [1.5, 2],
}


@pytest.mark.parametrize("text", FROM_ELSEWHERE)
def test_files_of_other_tools_are_read(tmp_path, robot, text):
    path = tmp_path / "answer"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_answer(str(path), robot).values.tolist() == FROM_ELSEWHERE[text]


def test_an_array_of_values_is_read(tmp_path, robot):
    path = tmp_path / "v.npy"
    np.save(path, [1.5, 2])
    assert read_answer(str(path), robot).values.tolist() == [1.5, 2]
    np.save(path, [1.5, 2, 3])
    with pytest.raises(
        tabular_rl.OptionError, match=r"v\.npy: answer: found shape \(3,\), expected values \(2,\)"
    ):
        read_answer(str(path), robot)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ModelError, match=r"v\.npy: found a damaged array"):
        read_answer(str(path), robot)


REFUSED = {
    "": "empty",
    "  \n": "empty",
    ",state,value\n0,high,1\n2,low,1\n": ":3: found '2' in a column without a name, expected the number 1",
    '[{"state":"low"}, 3]': "found a JSON array, expected an object, or an array of objects",
    "state,value\nhigh,1\n": "found no value for 'low'",
    "state,value\nhigh,1\nlow,2\nhigh,1\n": ":4: state 'high': found twice, first on line 2",
    "state,value\nhigh,1\nlw,2\n": ":3: state 'lw': no such state in the model; did you mean 'low'?",
    "state,value\nhigh,nan\nlow,2\n": ":2: state 'high': found value 'nan'",
    "state,value\nhigh,1e999\nlow,2\n": ":2: state 'high': found value '1e999'",
    "state,value\nhigh,1_000\nlow,2\n": ":2: state 'high': found value '1_000'",
    "state,value\nhigh,\nlow,2\n": ":2: state 'high': found no value",
    "state,value\nhigh\nlow,2\n": ":2: found 1 fields, expected 2",
    "name,value\nhigh,1\nlow,2\n": ":1: found the columns name, value",
    "time,state,value\n0,high,1\n": "the model has no horizon",
    'state,value\n"high,1\n': "not valid CSV",
    '"state,value\nhigh,1\nlow,2\n': ":1: not valid CSV: unexpected end of data",
    '"state","value\nhigh,1\nlow,2\n': ":1: not valid CSV: unexpected end of data",
    '{"values": {"high": 1}}': "found no value for 'low'",
    '{"values": {"high": 1, "low": NaN}}': "found NaN",
    '{"values": {"high": 1, "low": null}}': "found no value",
    '{"values": {"high": 1, "high": 2}}': "key 'high': found twice, first on line 1",
    '{"values": [1]}': "found 1 entries, expected 2",
    '{"values": 3}': "values: expected a list",
    '{"values": {"high": 1, "low": 2}, "policy": ["search", "fly"]}': "found action 'fly'",
    '{"schema": "tabular-rl answer", "version": 2}': "found version '2', expected 1",
    '{"schema": "another"}': "found schema 'another'",
    '{"values": {"high": 1, "low": 2}': ":1: not valid JSON",
    "[1, 2]": "expected an object",
    "[" * 100_000: "nested too deep",
    '{"values": {"\\u001b[31m": 1}}': "\\x1b[31m",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_bad_files_are_refused_with_their_place(tmp_path, robot, text):
    path = tmp_path / "answer"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        read_answer(str(path), robot)
    assert str(path) in str(caught.value)
    assert REFUSED[text] in str(caught.value)
    assert str(caught.value).isprintable()


def test_missing_files_and_folders_are_refused(tmp_path, robot):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ModelError, match=str(path)):
            read_answer(str(path), robot)


def test_terminal_states_may_be_left_out(tmp_path):
    mdp = load("example:random_walk_5")
    path = tmp_path / "answer.csv"
    live = [s for s in range(mdp.S) if not mdp.terminal[s]]
    path.write_text("state,value\n" + "".join(f"{mdp.states[s]},{i}\n" for i, s in enumerate(live)))
    values = read_answer(str(path), mdp).values
    assert values[mdp.terminal].tolist() == [0, 0]
    assert values[live].tolist() == [0, 1, 2, 3, 4]


# -- policies ------------------------------------------------------------------------------------------------------


def written(tmp_path, text):
    path = tmp_path / "policy"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        "state,action\nhigh,wait\nlow,recharge\n",
        '{"high": "wait", "low": "recharge"}',
        '{"policy": {"high": {"wait": 1}, "low": {"recharge": "1"}}}',
        "state,action,probability\nhigh,wait,1\nlow,recharge,1\nlow,wait,0\n",
        "State,Action,,\nhigh,wait,,\n,,,\nlow,recharge,,\n",
    ],
)
def test_policies_are_read_from_files(tmp_path, robot, text):
    policy = read_policy(written(tmp_path, text), robot)
    assert (
        policy.weights.tolist()
        == Policy.of_actions(robot, {"high": "wait", "low": "recharge"}).weights.tolist()
    )


def test_a_keyword_in_capitals_and_a_missing_file_get_a_suggestion(tmp_path, robot):
    for asked, meant in (
        ("Uniform", "uniform"),
        ("Action:wait", "action"),
        ("search", "action:search"),
        (written(tmp_path, "").replace("policy", "polcy"), "policy"),
    ):
        with pytest.raises(TabularError) as caught:
            read_policy(asked, robot)
        assert str(caught.value).startswith(
            f"{asked}: no such file; did you mean '{meant}'? Expected uniform, "
        )


def test_a_policy_that_is_none_names_what_there_is(robot):
    with pytest.raises(OptionError) as caught:
        read_policy("walk", robot)
    assert str(caught.value) == (
        "walk: no such file. Expected uniform, optimal, greedy, greedy:FILE, epsilon-greedy:E:POLICY, action:NAME "
        "or a FILE"
    )


def test_the_optimal_policy_needs_no_file(robot):
    """Sutton & Barto, Example 3.3: with these numbers search when high, recharge when low."""
    for text in ("optimal", "greedy"):
        policy = read_policy(text, robot)
        assert (policy["high"], policy["low"]) == ("search", "recharge")
    mixed = read_policy("epsilon-greedy:1/2:optimal", robot)
    assert mixed["high"] == {"search": 0.75, "wait": 0.25}


def test_the_optimal_policy_of_a_large_model_and_of_a_horizon():
    """100 states beyond those of rational arithmetic: stepping pays 1 in each; of costs the cheap one is taken."""
    n = 200
    to = [[[float(j == (i + 1) % n) for j in range(n)]] * 2 for i in range(n)]
    for sense, best in (("max", "second"), ("min", "first")):
        mdp = MDP(to, [[0.0, 1.0]] * n, "1/2", actions=["first", "second"], sense=sense)
        assert set(read_policy("optimal", mdp).values()) == {best}
    timed = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 1, actions=["first", "second"], horizon=3)
    assert read_policy("optimal", timed).timed


def test_one_action_where_it_is_available():
    """In b there is no `go`: each of its two actions has half."""
    pairs = [("a", "go", "b"), ("a", "stay", "a"), ("b", "stay", "b"), ("b", "back", "a")]
    mdp = MDP.from_outcomes([(s, a, s2, 1, 0) for s, a, s2 in pairs], "1/2")
    policy = read_policy("action:go", mdp)
    assert policy.rationals() == [1, 0, Fraction(1, 2), Fraction(1, 2)]
    assert {read_policy("action:stay", mdp)[s] for s in "ab"} == {"stay"}


def test_probabilities_are_exact(tmp_path, robot):
    text = "state,action,probability\nhigh,wait,1/3\nhigh,search,2/3\nlow,wait,0.1\nlow,search,0.9\n"
    policy = read_policy(written(tmp_path, text), robot)
    assert list(policy.exact) == [Fraction(2, 3), Fraction(1, 3), Fraction(9, 10), Fraction(1, 10), 0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("state,action\nhigh,wait\n", "state 'low': found no action"),
        (
            "state,action\nhigh,wait\nlow,fly\n",
            ":3: state 'low': found action 'fly', expected one of 'search', 'wait', 'recharge'",
        ),
        (
            "state,action\nhigh,recharge\nlow,wait\n",
            ":2: state 'high': found action 'recharge', expected one of",
        ),
        ("state,action,probability\nhigh,wait,0.9\nlow,wait,1\n", "state 'high': probabilities sum to 9/10"),
        ("state,action,probability\nhigh,wait,-1\nhigh,search,2\nlow,wait,1\n", "found probability"),
        ("state,action,probability\nhigh,wait,x\nlow,wait,1\n", "found 'x', expected a probability"),
        (
            "state,action,probability\nhigh,wait,1\nhigh,wait,1\nlow,wait,1\n",
            ":3: state 'high': found action 'wait' twice",
        ),
        (
            "state,action,probabilty\nhigh,wait,1\nlow,wait,1\n",
            ":1: found the column 'probabilty'; did you mean 'probability'?",
        ),
        (
            "state,action,prob\nhigh,wait,1\nlow,wait,1\n",
            ":1: found the column 'prob'; did you mean 'probability'?",
        ),
        (
            "state,action,x\nhigh,wait,1\nlow,wait,1\n",
            ":1: found the column 'x', expected time, state, value",
        ),
    ],
)
def test_bad_policies_are_refused(tmp_path, robot, text, says):
    path = written(tmp_path, text)
    with pytest.raises(TabularError) as caught:
        read_policy(path, robot)
    assert says in str(caught.value)
    assert path in str(caught.value)


def test_greedy_ignores_the_actions_of_the_file(tmp_path, robot):
    # With v = (10, 0): in high wait is worth 1 + 9, search 2 + 0.9 * 8; in low recharge 9, search 0.4 * 9, wait 1.
    path = written(tmp_path, "state,value,action\nhigh,10,search\nlow,0,wait\n")
    assert read_policy(path, robot)["low"] == "wait"
    assert [read_policy(f"greedy:{path}", robot)[s] for s in ("high", "low")] == ["wait", "recharge"]
    assert read_policy(f"epsilon-greedy:3/10:greedy:{path}", robot)["low"] == pytest.approx(
        {"search": 0.1, "wait": 0.1, "recharge": 0.8}
    )


def test_values_alone_give_the_greedy_policy(tmp_path, robot):
    assert read_policy(written(tmp_path, "state,value\nhigh,10\nlow,0\n"), robot)["low"] == "recharge"


def test_greedy_minimises_costs(tmp_path):
    mdp = MDP([[[1.0], [1.0]]], [[3.0, 2.0]], "1/2", actions=["dear", "cheap"], sense="min")
    assert read_policy("greedy:" + written(tmp_path, "state,value\n0,0\n"), mdp)["0"] == "cheap"


@pytest.mark.parametrize(
    "text",
    [
        "greedy:",
        "epsilon-greedy:0.1",
        "epsilon-greedy:2:uniform",
        "epsilon-greedy:nan:uniform",
        "action:",
        "action:fly",
        "",
    ],
)
def test_other_texts_are_refused(robot, text):
    with pytest.raises(TabularError):
        read_policy(text, robot)
