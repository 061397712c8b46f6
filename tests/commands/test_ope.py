"""`tabular-rl ope`."""

from __future__ import annotations

import csv
import json

import pytest
from program import inside, one_line

import tabular_rl as t

ROBOT = "example:recycling_robot"
HEAD = "episode,state,action,reward,next_state,done\n"
VISITS = HEAD + (
    "1,new,mail,0,new,0\n1,new,call,-1,warm,0\n1,warm,mail,0,warm,0\n1,warm,call,9,sold,1\n"
    "2,new,mail,0,new,0\n2,new,call,-1,lost,1\n3,new,call,-1,warm,0\n3,warm,mail,0,lost,1\n"
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "visits.csv").write_text(VISITS)
    return tmp_path


def test_what_the_screen_says(capsys):
    """Each episode has a mail. v̂(warm) = 9 by call, and v̂(new) = 2/3 · 9 - 1."""
    done = inside(capsys, "ope", "visits.csv", "--policy", "action:call", "--behavior", "log", "--gamma", "1",
                  "--estimator", "direct", "--estimator", "ordinary", "--resamples", "0")  # fmt: skip
    assert done.code == 0
    assert done.out == (
        "visits.csv: 3 episodes, 8 transitions, the longest 4 steps\n"
        "total reward, γ = 1; policy action:call\n"
        "behavior: estimated from the log, the share of each action in a state\n"
        "\n"
        "estimator  estimate  bootstrap 0.95  bound 0.95\n"
        "ordinary     0.0000            none        none\n"
        "direct       5.0000            none        none\n"
        "\n"
        "estimate: of J, the expected return of the policy, discounted by γ, from where episodes begin\n"
        "effective sample size 0 of 3 episodes: what the weights of whole episodes are worth; the heaviest is 0 of "
        "all\n"
        "pairs that the policy takes were tried 1 to 3 times\n"
        "no bound for ordinary: the behaviour is estimated from the log\n"
        "no bound for direct: the range of the rewards is not known: --reward-range says it\n"
    )
    assert done.err.startswith(
        "warning: effective sample size 0: no episode of the log is one that the policy could"
    )


def test_with_a_model(capsys, here):
    assert (
        inside(capsys, "simulate", ROBOT, "--horizon", "3", "--episodes", "60", "--log", "log.csv", "-q").code
        == 0
    )
    line = ["ope", "log.csv", "--policy", "action:search", "--model", ROBOT, "--horizon", "3", "--gamma", "0.8",
            "--behavior", "uniform", "--level", "0.9", "--resamples", "60", "--seed", "3", "--logs", "7"]  # fmt: skip
    done = inside(capsys, *line, "--json", "-o", "out.csv", "-q")
    assert done.code == 0
    found = json.loads(done.out)
    mdp = t.load(ROBOT).replace(horizon=3, gamma="4/5")
    assert found["exact_value"] == pytest.approx(t.evaluate(mdp, "action:search").value_of_start())
    assert [one["moments"] for one in found["estimates"]][:3] == ["exact", "simulated", "exact"]
    assert found["estimates"][1]["logs"] == 7
    assert found["estimates"][0]["bias"] == pytest.approx(0, abs=1e-9)
    assert (
        found["estimates"][0]["bound_lower"] <= found["exact_value"] <= found["estimates"][0]["bound_upper"]
    )
    assert (found["schema"], found["episodes"], found["level"]) == ("tabular-rl ope", 60, 0.9)
    rows = list(csv.DictReader((here / "out.csv").read_text().splitlines()))
    assert [float(row["estimate"]) for row in rows] == [one["estimate"] for one in found["estimates"]]
    again = json.loads(inside(capsys, *line, "--json").out)
    assert again | {"seconds": 0} == found | {"seconds": 0}
    text = inside(capsys, *line).out
    assert (
        "7 logs, seed 3, so that a bias is off by about deviation / √7; --logs sets how many: weighted,"
        in text
    )
    assert "exact, by the law of importance sampling: ordinary, per-decision" in text


def test_promises_and_propensities(capsys):
    """The log of `simulate` has propensities; with a least one and the rewards there are bounds without a model."""
    assert (
        inside(capsys, "simulate", ROBOT, "--horizon", "2", "--episodes", "40", "--log", "log.npz", "-q").code
        == 0
    )
    done = inside(capsys, "ope", "log.npz", "--policy", "uniform", "--horizon", "2", "--least", "1/3", "--reward-range",
                  "-3", "2", "--json", "--resamples", "9")  # fmt: skip
    found = json.loads(done.out)
    assert found["behavior_known_as"] == "propensities"
    assert all(one["bound_lower"] is not None for one in found["estimates"])
    of = {one["estimator"]: one["bound_of"] for one in found["estimates"] if one["bound_of"]}
    assert of == {"doubly-robust": "split", "weighted-doubly-robust": "split", "marginalized": "direct",
                  "occupancy": "direct"}  # fmt: skip
    assert found["possible"] == [-6.0, 4.0]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--gamma", "1"], "--behavior: found none, and no propensities in the log, expected the policy that made the "
         "log; `log` estimates it from the log"),
        (["--behavior", "log"], "--gamma: found none, expected one (--gamma 1 for the plain sum of rewards), or "
             "--horizon, or a --model that has them"),
        (["--behavior", "log", "--gamma", "1", "--reward-range", "0", "x"],
         "--reward-range: found 'x', expected a number from -1e+300 to 1e+300"),
        (["--behavior", "log", "--gamma", "1", "--reward-range", "0", "5"],
         "--reward-range: found a reward of -1 in the log, expected all from 0 to 5"),
        (["--behavior", "action:mail", "--gamma", "1"], "--behavior: state 'new', action 'call': found probability 0, "
         "expected more, as the log has it. Give the policy that made the log, or `log` to estimate it."),
        (["--behavior", "log", "--gamma", "1", "--estimator", "foo"], "--estimator: found 'foo', expected one of "
         "ordinary, weighted, per-decision, weighted-per-decision, direct, doubly-robust, weighted-doubly-robust, "
         "marginalized, occupancy"),
        (["--behavior", "log", "--gamma", "1", "-o", "visits.csv"],
         "visits.csv: is also the input, expected another file"),
        (["--behavior", "log", "--gamma", "1", "--least", "0"],
         "--least: found '0', expected a number from 1e-300 to 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(capsys, arguments, text):
    done = inside(capsys, "ope", "visits.csv", "--policy", "uniform", *arguments)
    assert done.code == 2
    assert one_line(done.err) == text


def test_a_fault_of_the_log_names_it(capsys, here):
    (here / "bad.csv").write_text(HEAD + "1,a,x,1,b,0\n1,b,x,1,a,1\n1,a,x,oops,b,1\n")
    done = inside(capsys, "ope", "bad.csv", "--policy", "uniform", "--behavior", "log", "--gamma", "1")
    assert done.code == 2
    assert one_line(done.err).startswith("bad.csv:4: state 'a', action 'x': found reward 'oops'")


def test_columns_by_other_names(capsys, here):
    (here / "wide.csv").write_text(
        "id,where,did,paid,then,over,why\n1,s,x,1,s,0,a\n1,s,y,2,end,1,b\n2,s,x,4,end,1,a\n", encoding="utf-8"
    )
    named = "state=where,action=did,reward=paid,next_state=then,done=over"
    done = inside(capsys, "ope", "wide.csv", "--columns", named, "--episode-column", "id", "--policy", "action:x",
                  "--behavior", "log", "--gamma", "1/2", "--json", "-q", "--estimator", "weighted", "--resamples",
                  "0")  # fmt: skip
    assert done.code == 0
    # b(x) = 2/3: W = 0 and 3/2; only the second episode counts.
    assert json.loads(done.out)["estimates"][0]["estimate"] == 4.0
