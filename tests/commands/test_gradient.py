"""`tabular-rl gradient`."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from program import inside, one_line
from shipped import shipped

from tabular_rl import load
from tabular_rl.methods.gradient.estimators import ESTIMATORS
from tabular_rl.methods.gradient.moments import estimator_moments
from tabular_rl.methods.gradient.sample import sample_gradient
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy

ROBOT = "example:recycling_robot"
# Uniform play never ends there, and meets rewards forever.
IMPROPER = {"no_proper_policy": ("'here', 'there'",), "walled_goal": ("'0,0'", "'2,1'")}
FEW = ("--episodes", "20", "-q")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", shipped())
def test_every_model(capsys, name):
    """J, a gradient of which each state's entries sum to 0, and no bias; or the states where there is no J."""
    mdp = load(f"example:{name}")
    wanted = [] if mdp.L > 600 else ["--estimator", "advantage"]
    few = ["-q"] if name == "haddad_monmege" else FEW  # episodes of a million steps
    done = inside(capsys, "gradient", f"example:{name}", "--json", *wanted, *few)
    if name in IMPROPER:
        assert done.code == 4
        assert done.out == ""
        assert all(state in one_line(done.err) for state in IMPROPER[name])
        return
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    sums: dict[str, float] = {}
    for e in found["gradient"]:
        sums[e["state"]] = sums.get(e["state"], 0.0) + e["value"]
    largest = max(abs(e["value"]) for e in found["gradient"])
    assert max(map(abs, sums.values())) <= 1e-9 * max(largest, abs(found["J"]), 1e-3)
    if mdp.L > 600:
        assert found["estimators"] == []
        assert f"{mdp.L} × {mdp.L} entries" in found["left_out"]
        return
    (only,) = found["estimators"]
    assert only["bias"] <= 1e-9 * max(largest, 1.0)
    assert only["trace"] >= 0.0


@pytest.mark.parametrize("name", ["recycling_robot", "commute", "secretary", "forest_horizon", "rust_bus"])
def test_every_estimator(capsys, name):
    """Discounted, costs, total reward, a finite horizon; a discount that is nearly 1."""
    found = json.loads(inside(capsys, "gradient", f"example:{name}", "--json", *FEW).out)
    assert [e["estimator"] for e in found["estimators"]] == list(ESTIMATORS)
    trace = {e["estimator"]: e["trace"] for e in found["estimators"]}
    assert trace["return-best"] <= trace["return-mean"] * (1 + 1e-9)
    assert trace["reward-to-go-best"] <= trace["reward-to-go-value"] * (1 + 1e-9)
    assert trace["advantage"] < trace["return"]


def test_what_the_screen_says(capsys):
    """J is that of evaluate; what was sampled is what sample_gradient samples with this seed."""
    asked = ("--estimator", "advantage", "--estimator", "gae:0.5")
    done = inside(capsys, "gradient", ROBOT, "--seed", 3, "--episodes", 500, *asked)
    assert done.code == 0
    assert done.err.startswith("500 episodes, ")
    lines = done.out.splitlines()
    assert lines[0] == "recycling robot: discounted, γ = 0.9, 2 states; policy uniform"
    value = json.loads(inside(capsys, "evaluate", ROBOT, "--json").out)["start_value"]
    assert float(lines[1].rpartition(" ")[2]) == pytest.approx(value, rel=1e-5)
    policy = SoftmaxPolicy(load(ROBOT))
    sampled = sample_gradient(policy, asked[1::2], episodes=500, seed=3)
    for name, drawn in zip(asked[1::2], sampled, strict=True):
        exact = estimator_moments(policy, name)
        (row,) = [line.split()[1:] for line in lines if line.startswith(name)]
        off = np.linalg.norm(drawn.mean - exact.mean) / np.sqrt(exact.trace / 500)
        assert row[0] == "0"
        assert float(row[1]) == pytest.approx(exact.trace, rel=5e-3)
        assert int(row[2]) == np.ceil(exact.samples_needed)
        assert float(row[3]) == pytest.approx(off, rel=5e-2)
        assert float(row[4]) == pytest.approx(drawn.trace, rel=5e-3)


def test_steps_cut_off_are_a_bias_that_shrinks(capsys):
    """What is cut off after n steps is worth γ^n at most: a factor of .9¹⁰ = .35 for ten more, and more slowly."""
    biases = []
    for steps in (10, 20, 40):
        done = inside(capsys, "gradient", ROBOT, "--steps", steps, "--estimator", "q", "--json", *FEW)
        biases.append(json.loads(done.out)["estimators"][0]["bias"])
    assert biases[0] > biases[1] > biases[2] > 0
    done = inside(capsys, "gradient", ROBOT, "--steps", 10, "--estimator", "return", *FEW)
    assert "cut off after 10 steps" in done.out


def test_without_the_weight_the_form_with_values_is_biased(capsys):
    asked = ("gradient", "example:aima_4x3", "--gamma", "0.9", "--undiscounted", "--json", *FEW)
    found = json.loads(inside(capsys, *asked, "--estimator", "q", "--estimator", "return").out)
    q, whole = found["estimators"]
    assert q["bias"] > 0.01
    assert q["bias_without_discount"] > 0.01
    assert whole["bias"] < 1e-12
    text = inside(capsys, *[a for a in asked if a != "--json"], "--estimator", "q").out
    assert "bias, γ = 1" in text
    assert "without the weight γ^t" in text


def test_a_policy_from_a_file(capsys):
    inside(capsys, "solve", ROBOT, "-o", "answer.json", "-q")
    done = inside(
        capsys, "gradient", ROBOT, "--policy", "epsilon-greedy:0.1:answer.json", "--estimator", "q", *FEW
    )
    assert done.code == 0
    assert "policy epsilon-greedy:0.1:answer.json" in done.out


def test_files(capsys, here):
    done = inside(capsys, "gradient", ROBOT, "-o", "g.csv", "--episodes", "20", "--estimator", "q")
    assert done.code == 0
    assert done.err.endswith("g.csv: written\n")
    assert (
        (here / "g.csv")
        .read_text()
        .startswith("state,action,probability,gradient,natural\nhigh,search,0.5,1.397")
    )
    done = inside(capsys, "gradient", ROBOT, "-o", "g.json", "--estimator", "q", *FEW)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert json.loads((here / "g.json").read_text())["schema"] == "tabular-rl gradient"
    to_screen = inside(capsys, "gradient", ROBOT, "-o", "-", "--estimator", "q", *FEW)
    assert to_screen.out == inside(capsys, "gradient", ROBOT, "--json", "--estimator", "q", *FEW).out


def test_a_picture(capsys, here):
    pytest.importorskip("matplotlib")
    axes = ("--axis", "high", "search", "--axis", "low", "wait")
    done = inside(capsys, "gradient", ROBOT, "--plot", "g.svg", *axes, "--estimator", "q", "--episodes", "20")
    assert done.code == 0
    assert done.err.endswith("g.svg: written\n")
    assert "dJ/dθ(low, wait)" in (here / "g.svg").read_text()


def test_the_time_limit_is_said(capsys):
    done = inside(capsys, "gradient", ROBOT, "--episodes", 10**8, "--estimator", "q", "--time-limit", "0.05")
    assert done.code == 3
    assert "not reached: the time limit is over; raise --time-limit" in done.err
    assert "estimators, one episode each" in done.out


def test_long_episodes_are_not_played_unasked(capsys):
    done = inside(capsys, "gradient", "example:haddad_monmege", "--estimator", "q")
    assert done.code == 0
    assert "no episodes are sampled, as one takes 1.57e+06 steps" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["--estimator", "reward"], 2, "--estimator: found 'reward', expected one of return, return-mean"),
        (["--estimator", "gae:2"], 2, "--estimator: found 'gae:2', expected gae:λ with λ from 0 to 1"),
        (["--policy", "action:search"], 2, "policy: state 'high', action 'wait': found probability 0"),
        (["--axis", "high", "search"], 2, "--axis: found no --plot, expected one: it says what is drawn"),
        (["--plot", "g.svg", "--axis", "high", "search"], 2, "--axis: expected two different entries"),
        (["--plot", "g.svg", "--axis", "hgih", "search"], 2, "--axis: no state 'hgih'; did you mean 'high'?"),
        (["--plot", "g.svg", "--axis", "high", "recharge"], 2, "--axis: state 'high': no action 'recharge'"),
        (["--plot", "g.txt"], 2, "--plot: g.txt: found the suffix '.txt', expected .png or .svg or .pdf"),
        (["-o", "g.toml"], 2, "--output: g.toml: found the suffix '.toml', expected .json or .csv"),
        (["-o", "no/g.json"], 5, "no/g.json: cannot be written: no such folder no"),
        (["--steps", "3", "--horizon", "3"], 2, "--steps: found a horizon too, which ends episodes"),
        (["--undiscounted"], 4, "no finite answer: without the weight γ^t the sum of scores does not end"),
        (["--episodes", "0"], 2, "--episodes: found '0'"),
    ],
)  # fmt: skip
def test_faults(capsys, arguments, code, expected):
    if "--plot" in arguments:
        pytest.importorskip("matplotlib")
    done = inside(capsys, "gradient", ROBOT, *arguments)
    assert done.code == code
    assert done.out == ""
    assert one_line(done.err).startswith(expected)
    assert os.listdir() == []


def test_compare_says_that_preferences_are_no_values(capsys):
    asked = ("--method", "q-learning", "--method", "reinforce", "--steps", "500", "-q")
    done = inside(capsys, "compare", ROBOT, *asked)
    assert done.code == 0
    assert "reinforce: errors are the regret of the policy, as preferences are no values" in done.out
    alone = inside(capsys, "compare", ROBOT, "--method", "q-learning", "--steps", "500", "-q")
    assert "preferences" not in alone.out


@pytest.mark.parametrize("method", ["reinforce", "actor-critic"])
def test_learn_shows_what_a_gradient_learner_learned(capsys, method):
    done = inside(capsys, "learn", ROBOT, "--method", method, "--steps", "2000", "--runs", "2", "-q")
    assert done.code == 0
    assert "regret of the policy" in done.out
    assert "start value, of the policy" in done.out
