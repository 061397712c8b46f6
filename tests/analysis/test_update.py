"""One update of a learner: the numbers are those of the learner's own tables, and of what is printed."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from learners import hand_model
from program import inside
from random_models import random_model, random_policy

from tabular_rl import MDP, OptionError, Policy, explain, learn, load
from tabular_rl.analysis.update import ONE_STEP
from tabular_rl.methods.lookup import LEARNERS

ROBOT = load("example:recycling_robot")


def reckoned(text):
    """The value of a sum as it is printed, in floats, from the left."""
    text = text.replace("·", "*")
    return eval(text, {"max": max, "min": min})


def check_lines(text, exact_mean=True):
    """Each line of numbers says the same in each of its parts, bit for bit, and the parts fit together."""
    found = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(": ")
        if not colon or name not in ("old value", "next", "target", "TD error", "step size", "new value"):
            continue
        rest = rest.split(", by ")[0].split(", which")[0].split(", as ")[0].split(", n = ")[0]
        parts = [part for part in rest.split(" = ") if re.fullmatch(r"[-+·(),.\de maxin]+", part)]
        numbers = [reckoned(part) for part in parts]
        near = 0 if exact_mean or name != "next" else 1e-14 * max(1, *map(abs, numbers))
        assert numbers and all(abs(x - numbers[-1]) <= near for x in numbers), line
        found[name] = numbers[-1]
    return found


def test_a_transition_by_hand():
    """q(s,a) = 4 at first and q(low, ·) = 3: target 2 + 0.9 · 3 = 4.7, δ = .7, new 4 + 1/2 · .7 = 4.35."""
    start = {"high": 4, "low": 3}
    found = explain(ROBOT, transition=("high", "search", 2, "low"), start_from=start, step_size=0.5)
    assert (found.old, found.worth, found.target, found.step_size) == (4, 3, 4.7, 0.5)
    assert (found.error, found.new) == (pytest.approx(0.7), pytest.approx(4.35))
    text = str(found)
    assert "target: r + γ max_a' q(low, a') = 2 + 0.9 · 3 = 4.7" in text
    assert "max(3, 3, 3) = 3, by search = wait = recharge" in text
    assert check_lines(text)["new value"] == found.new


RACE = MDP.from_outcomes(
    [("cool", "slow", "cool", 1, 1), ("cool", "fast", "warm", 1, 2), ("warm", "slow", "cool", 1, 1)], "1/2"
)


def test_a_policy_that_acts_itself_has_no_ratio():
    own = explain(RACE, method="td0", policy="uniform", transition="cool,slow,1,cool")
    assert "ρ" not in str(own)
    assert "v(s) ← v(s) + α [ r + γ v(s') - v(s) ]" in str(own)
    other = explain(
        RACE, method="td0", policy="action:slow", behavior="uniform", transition="cool,slow,1,cool"
    )
    assert "ρ = π(a|s) / b(a|s) = 2" in str(other)
    assert repr(own) == "Update(td0, v(cool): 0.0 to 1.0)"


def test_a_transition_that_the_model_never_makes_is_remarked():
    found = explain(RACE, transition="warm,slow,1,warm")
    assert not found.possible
    assert "remark: in the model slow never leads from warm to warm" in str(found)
    assert "remark" not in str(explain(RACE, transition="warm,slow,1,cool"))
    with pytest.raises(OptionError, match="found 'one' for the reward, expected a number"):
        explain(RACE, transition="cool,slow,one,cool")


def test_each_rule_by_hand():
    """hand_model: γ = 1/2, from a by right to b for 1; v(a) = 3, v(b) = 5, α = 1/2: 3 + 1/2 (1 + 5/2 - 3) = 3.25."""
    mdp, step = hand_model(), ("a", "1", 1, "b", "0")
    for name in ONE_STEP:
        found = explain(mdp, method=name, transition=step, start_from={"a": 3, "b": 5}, step_size=0.5)
        assert (found.old, found.worth, found.target, found.error, found.new) == (3, 5, 3.5, 0.5, 3.25), name
    ended = explain(mdp, method="td0", transition="b,0,4,end", start_value=1, step_size=0.25)
    assert (ended.worth, ended.target, ended.new, ended.done) == (None, 4, 1.75, True)
    assert "nothing follows an end" in str(ended)
    policy = Policy.of_probs(mdp, [0.75, 0.25, 1.0])
    found = explain(mdp, method="td0", transition=step[:4], policy="uniform", behavior=policy, step_size=0.5)
    assert (found.ratio, found.new) == (2, 1)  # ρ = 1/2 / 1/4, 0 + 1/2 · 2 · 1
    assert check_lines(str(found))["new value"] == 1


def test_the_policy_of_expected_sarsa_is_the_one_that_explores():
    """From b's side: q(a, ·) = (2, 0) after one update; ε = 1/2: 3/4 · 2 + 1/4 · 0 = 1.5. γ = 1/2, α = 1."""
    mdp = hand_model()
    log = [("a", "0", 2, "end"), ("b", "0", 0, "a"), ("a", "0", 0, "a")]
    pi = Policy.of_probs(mdp, [0.75, 0.25, 1.0])
    found = explain(mdp, method="expected-sarsa", data=log, behavior=pi, step=2, step_size=1)
    assert ([x.share for x in found.successors], found.worth, found.new) == ([0.75, 0.25], 1.5, 0.75)
    assert "step 2 of the log" in str(found) and "Σ_a' b(a'|a) q(a, a') = 0.75 · 2 + 0.25 · 0 = 1.5" in str(
        found
    )
    for explore, shares in (
        ("epsilon-greedy:1/2", [0.5] * 2),
        ("epsilon-visits:7", [0.5] * 2),
        ("ucb:1", [1, 0]),
    ):
        found = explain(mdp, method="expected-sarsa", transition="b,0,0,a", start_value=1, explore=explore)
        assert [x.share for x in found.successors] == shares, explore


def test_double_q_learning_says_which_table_learns():
    text = ""
    for n in range(1, 12):
        found = explain(ROBOT, method="double-q-learning", step=n, seed=3)
        assert found.table in ("q₁", "q₂")
        text += str(found)
    assert "old value: q₁(" in text and "old value: q₂(" in text
    assert "which q₁ chooses" in text and "which q₂ chooses" in text


OPTIONS = [
    {},
    {"source": "independent", "per": "step", "step_size": "0.5*n^-0.6"},
    {"source": "sweeps", "start_value": 1.5},
    {"target": "copy:3", "explore": "boltzmann:2", "episode_steps": 4},
    {"target": "average:0.5", "explore": "ucb:1", "start_from": {"0": 2}},
    {"explore": "epsilon-visits:3"},
    {"explore": "epsilon-visits:3", "ties": "first", "episode_steps": 3},
]


@pytest.mark.parametrize("name", ONE_STEP)
def test_step_n_is_what_the_learner_did(name):
    """Old and new value are entries of the learner's table after n - 1 and n steps; the text makes one of the other."""
    learner = LEARNERS[name]
    for case, options in enumerate(OPTIONS):
        mdp = random_model(case, ("total-reward", "discounted")[case % 2], exact=False, S=4, ends=1,
                           sense="min" if case == 3 else "max")  # fmt: skip
        given = {key: x for key, x in options.items() if key in learner.defaults}
        policy = random_policy(mdp, 1) if learner.task == "prediction" else None
        if name in ("td0", "q-evaluation") and case % 2:
            given["behavior"] = random_policy(mdp, 2)
        tables = [
            learn(mdp, name, policy, steps=n, seed=5, reference=False, **given).state["arrays"]
            for n in range(1, 10)
        ]
        for n in (1, 2, 5, 9):
            found = explain(mdp, method=name, policy=policy, step=n, seed=5, **given)
            which = {"q₁": "qa", "q₂": "qb"}.get(found.table, "estimates")
            before, after = tables[n - 2] if n > 1 else None, tables[n - 1]
            s = mdp.states.at(found.state, "state")
            j = s if found.table == "v" else mdp.row(s, found.action)
            assert mdp.sign * after[which][0, j] == found.new
            visited = after["visits"][0].copy()
            if before is not None:
                assert mdp.sign * before[which][0, j] == found.old
                visited -= before["visits"][0]
            assert np.flatnonzero(visited).tolist() == [j]
            printed = check_lines(str(found), exact_mean=name not in ("expected-sarsa", "q-evaluation"))
            assert (printed["old value"], printed["new value"]) == (found.old, found.new)
            assert (printed["target"], printed["TD error"]) == (found.target, found.error)


def test_a_horizon_names_the_time():
    mdp = MDP([[[1.0]]], [[1.0]], 1, horizon=3, states=["s"], actions=["go"])
    found = explain(mdp, method="q-learning", step=3, step_size=1)
    assert (found.state, found.next_state, found.done, found.new) == ("s at time 2", "s at time 3", True, 1)


def test_costs_take_the_least():
    mdp = MDP.from_outcomes(
        [("a", "x", "b", 1, 1), ("b", "x", "end", 1, 3), ("b", "y", "end", 1, 2)],
        1,
        terminal=["end"],
        sense="min",
    )
    found = explain(mdp, transition="a,x,1,b", start_from={"b": 2}, step_size=1)
    assert (found.worth, found.target, found.new) == (2, 3, 3)
    assert "r + γ min_a' q(s',a')" in str(found) and "min(2, 2) = 2" in str(found)


def test_a_long_run_is_one_step_like_any_other():
    found = explain(ROBOT, step=20_000, seed=1)
    learned = learn(ROBOT, "q-learning", steps=20_000, seed=1, reference=False)
    assert learned.estimates[0, ROBOT.row(found.state, found.action)] == found.new


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "found no state"),
        ({"seed": 1}, "seed without a transition or a step"),
        ({"step": 1, "transition": "high,search,2,low"}, "expected one of them"),
        ({"step": 1, "state": "high"}, "state of values with an update"),
        ({"step": 1, "sweep": 2}, "sweep of values"),
        ({"step": 0}, "expected a whole number from 1"),
        ({"step": 1, "method": "monte-carlo"}, "expected one of td0"),
        ({"step": 1, "method": "value-iteration"}, "plans with the model"),
        ({"step": 1, "runs": 3}, "runs, which has no part"),
        ({"step": 1, "replay": "uniform"}, "replay, which has no part"),
        ({"step": 1, "trace": 0.5}, "trace: q-learning has no such option"),
        ({"transition": "high,search,2"}, r"expected \(s, a, r, s'\)"),
        ({"transition": 5}, r"expected \(s, a, r, s'\)"),
        ({"transition": "high,fly,2,low"}, "not available"),
        ({"transition": "high,search,2,low", "seed": 4}, "seed with a transition"),
        ({"transition": "high,search,2,low", "method": "sarsa"}, "found no a'"),
        ({"transition": "high,search,2,low,fly", "method": "sarsa"}, "'fly' is not available in s'"),
        ({"step": 1, "data": [("high", "search", 2, "low")], "method": "sarsa"}, "the log says no a'"),
    ],
)
def test_what_does_not_belong_together_is_refused(more, says):
    with pytest.raises(OptionError, match=says):
        explain(ROBOT, **more)


def test_the_command_prints_what_python_returns(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("explain", "example:recycling_robot", "--step", 12, "--seed", 3)
    done = inside(capsys, *words, "-o", "update.csv")
    assert done.out.rstrip() == str(explain(ROBOT, step=12, seed=3)).rstrip() and not done.err.startswith(
        "warning"
    )
    lines = dict(line.split(",") for line in (tmp_path / "update.csv").read_text().splitlines())
    assert float(lines["new"]) == explain(ROBOT, step=12, seed=3).new
    options = (
        "--step-size",
        "1/n",
        "--per",
        "step",
        "--explore",
        "ucb:1",
        "--start-value",
        2,
        "--target",
        "copy:2",
    )
    options += ("--ties", "first")
    more = ("--source", "independent", "--episode-steps", 9)
    told = json.loads(inside(capsys, *words, *options, *more, "--json").out)
    found = explain(
        ROBOT, step=12, seed=3, step_size="1/n", per="step", explore="ucb:1", start_value=2, target="copy:2",
        source="independent", episode_steps=9, ties="first",
    )  # fmt: skip
    assert (told["new"], told["n"], told["target"]) == (found.new, 12, found.target)
    assert told["successors"][0]["value"] == found.successors[0].value
    grid = ("explain", "example:gridworld_4x4", "--transition", '"1,1",up,-1,"0,1"', "--start-from", "0,1=-3")
    assert "= -1 + 1 · (-3) = -4" in inside(capsys, *grid).out
    off = ("--method", "td0", "--policy", "uniform", "--behavior", "epsilon-greedy:1/2:action:search")
    assert "importance ratio: ρ" in inside(capsys, *words, *off).out
    assert inside(capsys, *words, "--state", "high").code == 2
