"""`verify` accepts right answers and rejects wrong ones, whoever made them."""

from __future__ import annotations

import csv
import json
import re
from fractions import Fraction

import numpy as np
import pytest
from program import inside, one_line
from shipped import shipped

from tabular_rl import Policy, evaluate
from tabular_rl.errors import NoFiniteAnswer
from tabular_rl.formats import load

ROBOT = "example:recycling_robot"


def solved(capsys, tmp_path, model, *options, name="a.json"):
    path = tmp_path / name
    done = inside(capsys, "solve", model, "-q", "-o", path, *options)
    if done.code == 4:
        pytest.skip("has no finite answer")
    assert done.code == 0, done.err
    return path


@pytest.mark.parametrize("name", shipped())
def test_every_answer_is_accepted_and_rejected_with_one_value_moved(capsys, tmp_path, name):
    path = solved(capsys, tmp_path, f"example:{name}")
    assert inside(capsys, "verify", f"example:{name}", path).code == 0
    document = json.loads(path.read_text())
    values = np.array(document["values"])
    at = tuple(np.argwhere(values == values)[values.size // 2])
    for move in (1e-4, -1e-4):
        moved = values.copy()
        moved[at] += move
        path.write_text(json.dumps({**document, "values": moved.tolist()}))
        done = inside(capsys, "verify", f"example:{name}", path)
        assert done.code == 1
        assert "not proven" in done.out
        assert done.err == ""


def test_values_alone_are_enough(capsys, tmp_path):
    path = tmp_path / "from_elsewhere.csv"
    path.write_text("state,value\nlow,15.2542372881356\nhigh,16.9491525423729\n")
    assert inside(capsys, "verify", ROBOT, path).code == 0
    path.write_text("state,value\nlow,15.2542372881356\nhigh,16.95\n")
    done = inside(capsys, "verify", ROBOT, path)
    assert done.code == 1
    assert inside(capsys, "verify", ROBOT, path, "--tolerance", 0.1).code == 0


def test_a_wrong_policy_beside_right_values_is_rejected(capsys, tmp_path):
    path = solved(capsys, tmp_path, ROBOT)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "policy": ["wait", "recharge"]}))
    assert inside(capsys, "verify", ROBOT, path).code == 1


def test_a_wrong_policy_of_a_finite_horizon_is_rejected(capsys, tmp_path):
    path = solved(capsys, tmp_path, "example:forest_horizon")
    document = json.loads(path.read_text())
    document["policy"][0][2] = "cut"  # the oldest forest is cut at the start: 2 + ... against 9.9373
    path.write_text(json.dumps(document))
    assert inside(capsys, "verify", "example:forest_horizon", path).code == 1


def test_lying_intervals_prove_nothing(capsys, tmp_path):
    path = solved(capsys, tmp_path, ROBOT)
    document = json.loads(path.read_text())
    wrong = [20.0, 18.0]
    path.write_text(json.dumps({**document, "values": wrong, "lower": wrong, "upper": wrong}))
    done = inside(capsys, "verify", ROBOT, path)
    assert done.code == 1
    assert "the truth is from" in done.out


def test_values_at_terminal_states_must_be_zero(capsys, tmp_path):
    path = tmp_path / "a.csv"
    model = "example:random_walk_5"
    solved(capsys, tmp_path, model, name="a.csv")
    rows = list(csv.DictReader(path.open()))
    end = next(row for row in rows if row["action"] == "")
    end["value"] = "5"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    done = inside(capsys, "verify", model, path)
    assert done.code == 1
    assert "is terminal: found the value 5, expected 0" in done.out


def test_answers_to_other_models_are_refused(capsys, tmp_path):
    path = solved(capsys, tmp_path, ROBOT, "--gamma", "0.8")
    done = inside(capsys, "verify", ROBOT, path)
    assert done.code == 2
    assert "another model" in one_line(done.err)
    assert load(ROBOT).digest[:16] in done.err
    assert load(ROBOT, gamma="0.8").digest[:16] in done.err
    assert inside(capsys, "verify", ROBOT, path, "--gamma", "0.8").code == 0


def test_unknown_and_missing_states_are_refused(capsys, tmp_path):
    path = tmp_path / "a.csv"
    for text, says in (("high,1\n", "found no value for 'low'"), ("high,1\nlw,1\n", "did you mean 'low'?")):
        path.write_text("state,value\n" + text)
        done = inside(capsys, "verify", ROBOT, path)
        assert done.code == 2
        assert says in one_line(done.err)


def test_values_of_a_policy_are_judged_as_such(capsys, tmp_path):
    mdp = load(ROBOT)
    path = tmp_path / "a.json"
    evaluate(mdp, Policy.uniform(mdp)).save(path)
    assert inside(capsys, "verify", ROBOT, path).code == 0
    document = json.loads(path.read_text())
    path.write_text(json.dumps({"values": document["values"]}))
    assert inside(capsys, "verify", ROBOT, path).code == 1
    assert inside(capsys, "verify", ROBOT, path, "--policy", "uniform").code == 0


def test_json_verdict(capsys, tmp_path):
    path = solved(capsys, tmp_path, ROBOT)
    document = json.loads(inside(capsys, "verify", ROBOT, path, "--json").out)
    assert document["proven"] is True
    assert document["error"] < 1e-6
    assert document["loss"] < 1e-6
    assert document["schema"] == "tabular-rl verdict"


def test_quiet_says_it_by_the_exit_code(capsys, tmp_path):
    path = solved(capsys, tmp_path, ROBOT)
    done = inside(capsys, "verify", ROBOT, path, "-q")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_models_without_a_finite_answer_stay_so(capsys, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("state,value\nhere,0\nthere,0\n")
    done = inside(capsys, "verify", "example:no_proper_policy", path)
    assert done.code in (1, NoFiniteAnswer.exit_code)


def tampered(capsys, tmp_path, model, change, *options):
    path = solved(capsys, tmp_path, model, *options)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return inside(capsys, "verify", model, path)


def test_the_time_and_state_that_are_off_are_named(capsys, tmp_path):
    def change(document):
        document["values"][1][1] += 1  # middle, at time 1: 3.24

    done = tampered(capsys, tmp_path, "example:forest_horizon", change)
    assert done.code == 1
    found = re.search(
        r"state middle at time 1: found the value 4.24, the truth is from (\S+) to (\S+)", done.out
    )
    low, high = map(Fraction, found.groups())
    assert low <= Fraction("3.24") <= high
    assert high - low < Fraction(1, 10**10)
    assert "policy: loses at most 1e-" in done.out


def test_right_values_stay_right_beside_a_worse_action(capsys, tmp_path):
    # forest: wait earns 0.9 (0.9 v(old)) + 4 in old, cut 2 at once and then v(young).
    for model, at in (("example:forest", "state old"), ("example:forest_horizon", "state old at time 0")):

        def change(document, timed="horizon" in model):
            (document["policy"][0] if timed else document["policy"])[2] = "cut"

        done = tampered(capsys, tmp_path, model, change)
        assert done.code == 1
        assert "values: within 1e-" in done.out
        assert f"{at}: by the values, action cut is worth" in done.out
        loss = float(done.out.partition("loses at most ")[2].split()[0])
        assert 7 < loss < 34


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"upper": [15.0, 15.0]}, "lower is above upper"),
        ({"lower": [0, 0], "upper": [15.0, 20]}, "does not contain the truth"),
        ({"lower": [17.0, 0], "upper": [20, 20]}, "does not contain the truth"),
        ({"exact": ["1000/59", "901/59"]}, "state low: exact: found 901/59"),
        ({"bound": -1}, "bound: found -1"),
    ],
)
def test_false_claims_are_told(capsys, tmp_path, change, says):
    done = tampered(capsys, tmp_path, ROBOT, lambda document: document.update(change), "--exact")
    assert done.code == 1
    assert says in done.out


def test_what_is_checked_is_said(capsys, tmp_path):
    path = solved(capsys, tmp_path, ROBOT, "--exact")
    out = inside(capsys, "verify", ROBOT, path).out
    assert "checked: values, policy, lower, upper, exact, bound; not checked: status, start_value" in out
    evaluate(load(ROBOT), Policy.uniform(load(ROBOT))).save(path)
    assert "values of the given policy: within" in inside(capsys, "verify", ROBOT, path).out


def test_fractions_that_are_none_are_refused(capsys, tmp_path):
    done = tampered(capsys, tmp_path, ROBOT, lambda document: document.update(exact=["x", "1"]))
    assert done.code == 2
    assert "expected a fraction" in one_line(done.err)


def test_a_policy_that_never_ends_is_not_proven(tmp_path, capsys):
    """From s: go ends for -1, loop pays 1 forever. The values of go beside the policy loop are no answer."""
    model, answer = tmp_path / "m.toml", tmp_path / "a.json"
    model.write_text(
        'discount = 1\nterminal = ["end"]\n[state.s]\n'
        'go = { to = "end", reward = -1 }\nloop = { to = "s", reward = -1 }\n'
    )
    for action, code in (("loop", 1), ("go", 0)):
        answer.write_text(json.dumps({"values": {"s": -1, "end": 0}, "policy": {"s": action}}))
        assert inside(capsys, "verify", model, answer).code == code


def test_a_policy_without_times_is_judged_at_each_time(tmp_path, capsys):
    """Two decisions of good (+1) or bad (-5): always bad loses 12."""
    model, answer = tmp_path / "m.toml", tmp_path / "a.json"
    model.write_text(
        'discount = 1\nhorizon = 2\n[state.s]\ngood = { to = "s", reward = 1 }\nbad = { to = "s", reward = -5 }\n'
    )
    for action, code in (("bad", 1), ("good", 0)):
        answer.write_text(json.dumps({"values": [{"s": 2}, {"s": 1}, {"s": 0}], "policy": {"s": action}}))
        assert inside(capsys, "verify", model, answer).code == code
