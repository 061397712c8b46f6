"""`learn`: what it prints, what it writes, what it refuses, and how it ends."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from program import inside, one_line

from tabular_rl import learn, solve
from tabular_rl.analysis.regret import greedy_of_runs, regret
from tabular_rl.formats import load
from tabular_rl.methods.lookup import LEARNERS

ROBOT = "example:recycling_robot"
# One transition with reward 1 into the end; with α = 1/2 the value is 1/2, 3/4, 7/8, ...
COIN = 'discount = 1\nterminal = ["end"]\n[state.a]\ngo = { to = "end", reward = 1 }\n'
# From a: left pays 0, right pays 1, both come back; γ = 1/2. v* = 2; always left is worth 0. b is never seen.
ARMS = (
    'discount = 0.5\nstart = "a"\n[state.a]\nleft = { to = "a" }\nright = { to = "a", reward = 1 }\n'
    '[state.b]\nleft = { to = "a" }\n'
)


@pytest.fixture
def coin(tmp_path):
    path = tmp_path / "coin.toml"
    path.write_text(COIN)
    return path


@pytest.fixture
def arms(tmp_path):
    path = tmp_path / "arms.toml"
    path.write_text(ARMS)
    return path


def line_of(text, start):
    return next(line for line in text.splitlines() if line.startswith(start)).removeprefix(start).split()


# -- what is printed -----------------------------------------------------------------------------------------------


def test_a_run_by_hand(capsys, coin):
    done = inside(capsys, "learn", coin, "--method", "td0", "--step-size", "1/2", "--steps", 3)
    assert done.code == 0
    assert line_of(done.out, "a ") == ["0.875", "1.00", "3"]  # 7/8 learned, 1 exact, three visits
    assert line_of(done.out, "largest error") == ["0.125"]
    assert line_of(done.out, "root mean square error") == ["0.125"]
    assert line_of(done.out, "start value, learned") == ["0.875"]
    assert line_of(done.out, "start value, exact") == ["1"]
    assert "no certificate" in done.out
    assert "policy-iteration" not in done.out
    assert "regret" not in done.out, "a method that evaluates a policy has none of its own"


def test_errors_and_regret_are_told_over_the_runs(capsys, arms):
    """After one step a run that went left is greedy for it, by the only action it has tried: worth 0, regret 2."""
    options = ("--steps", 1, "--explore", "epsilon-greedy:1", "--seed", 0)
    done = inside(capsys, "learn", arms, *options, "--runs", 20, "--json")
    document = json.loads(done.out)
    lost, errors = document["regret"]["runs"], document["sup_error"]["runs"]
    assert set(lost) == {0.0, 2.0}, "of twenty runs some went left and some right"
    earned = document["earned"]["runs"]
    assert [2.0 - x for x in earned] == pytest.approx(lost, abs=1e-9)
    # q* is 1 (left), 2 (right) and 1 (b). Went right: q is 0, 1, 0; went left: all 0.
    assert errors == pytest.approx([1.0 if x == 0 else 2.0 for x in lost], abs=1e-9)
    table = inside(capsys, "learn", arms, *options, "--runs", 19).out
    assert re.search(r"^ +median +least +most$", table, re.MULTILINE)
    median = "0" if sorted(lost[:19])[9] == 0 else "2"
    assert line_of(table, "regret of the policy") == [median, "0", "2"]


def test_run_e_is_the_same_however_many_there_are(capsys):
    few, many = (
        json.loads(inside(capsys, "learn", ROBOT, "--steps", 500, "--runs", n, "--json").out) for n in (2, 5)
    )
    assert many["sup_error"]["runs"][:2] == few["sup_error"]["runs"]
    assert len(set(many["sup_error"]["runs"])) == 5


def test_the_same_seed_prints_the_same_bytes(capsys):
    options = ("learn", ROBOT, "--steps", 1000, "--runs", 2)
    first = inside(capsys, *options)
    assert inside(capsys, *options).out == first.out
    assert inside(capsys, *options, "--threads", 2).out == first.out
    assert inside(capsys, *options, "--seed", 1).out != first.out
    assert re.search(r"^q-learning: 2,000 steps in \S+ s", first.err, re.MULTILINE)


def test_states_never_visited_are_listed_and_have_no_value(capsys, arms):
    done = inside(capsys, "learn", arms, "--steps", 100)
    assert re.search(r"^b +never visited +1\.0+ +0$", done.out, re.MULTILINE)
    assert "never visited: 1 state (b)" in done.out
    assert "errors count what was never visited or tried by its start value" in done.out
    document = json.loads(inside(capsys, "learn", arms, "--steps", 100, "--json", "--start-value", 3).out)
    assert document["never_visited"] == ["b"]
    assert document["values"][1] is None
    assert document["visits"] == [100, 0]
    assert document["q"][1] == {"left": None}


def test_costs_are_learned_in_their_own_sign(capsys, arms):
    """With rewards as costs left is best, worth 0; a run that tried both knows."""
    done = inside(
        capsys, "learn", arms, "--minimize", "--steps", 300, "--explore", "epsilon-greedy:1", "--json"
    )
    document = json.loads(done.out)
    assert document["policy"][0] == "left"
    assert document["regret"]["median"] == 0
    assert document["values"][0] == pytest.approx(0, abs=0.2)
    assert document["sense"] == "min"


def test_finite_horizons_show_a_line_a_time(capsys, arms):
    done = inside(capsys, "learn", arms, "--horizon", 2, "--steps", 2000, "--step-size", 1)
    assert done.code == 0
    assert re.search(r"^ +0 +a +1\.50+ +1\.50+ +1,000 +right$", done.out, re.MULTILINE)  # 1 + 1/2
    assert re.search(r"^ +1 +a +1\.00+ +1\.00+ +1,000 +right$", done.out, re.MULTILINE)
    assert "never visited: 2 of 4 states and times" in done.out


def test_verdicts_come_first_and_on_standard_error(capsys):
    given = ("learn", "example:random_walk_5", "--method", "td0", "--steps", 10)
    done = inside(capsys, *given, "--step-size", "n^-0.5")
    assert done.code == 0
    assert done.err.startswith("warning: td0: step size n^-0.5: ")
    assert "warning" not in done.out
    quiet = inside(capsys, *given, "--step-size", "n^-0.5", "-q")
    assert one_line(quiet.err).startswith("warning: td0: step size n^-0.5: ")
    assert inside(capsys, *given, "--step-size", "n^-0.5", "-qq").err == ""
    assert not inside(capsys, *given, "--step-size", "n^-0.7").err.startswith("warning")


def test_without_a_reference_nothing_is_compared(capsys, arms):
    done = inside(capsys, "learn", arms, "--steps", 100, "--no-reference")
    assert done.code == 0
    assert not re.search("exact|error|regret", done.out)
    assert "no certificate" in done.out


def test_off_policy_and_logged_data(capsys, arms, tmp_path):
    given = (
        "--method",
        "td0",
        "--policy",
        "action:left",
        "--behavior",
        "uniform",
        "--start-value",
        1,
        "--step-size",
        0.01,
    )
    document = json.loads(inside(capsys, "learn", arms, *given, "--steps", 3000, "--json").out)
    # v ← v + α ρ (0 + v/2 - v), ρ = 2: each step to the left takes a hundredth of v; the uniform policy is worth 1.
    assert document["exact_values"] == [0, 0]
    assert 0.99**1700 < document["values"][0] < 0.99**1300
    log = tmp_path / "log.csv"
    log.write_text("state,action,reward,next_state,done\na,right,1,a,false\na,left,0,a,false\n")
    done = inside(capsys, "learn", arms, "--data", log, "--steps", 2, "--step-size", 1, "--json")
    # q(right) = 1 + 1/2 · 0, then q(left) = 0 + 1/2 · 1.
    assert json.loads(done.out)["q"][0] == {"left": 0.5, "right": 1.0}
    log.write_text("state,action,reward,next_state,done\nb,right,1,a,false\n")
    assert f"{log}:2: " in one_line(inside(capsys, "learn", arms, "--data", log).err)


# -- what is written -----------------------------------------------------------------------------------------------


def test_answers_are_read_by_other_commands(capsys, tmp_path):
    for name in ("a.json", "a.csv", "a"):
        path = tmp_path / name
        done = inside(capsys, "learn", ROBOT, "--steps", 3000, "-o", path, "-q")
        assert (done.code, done.out, done.err) == (0, "", "")
        for policy in (path, f"greedy:{path}"):
            out = inside(capsys, "evaluate", ROBOT, "--policy", policy, "-q").out
            for value in ("16.949153", "15.254237"):  # of the best policy: 1000/59 and 900/59
                assert value in out
        checked = inside(capsys, "verify", ROBOT, path)
        assert checked.code == 1
        assert "not proven within the tolerance" in checked.out
        assert inside(capsys, "verify", ROBOT, path, "--tolerance", 20).code == 0


def test_csv_leaves_empty_what_was_never_visited(capsys, arms, tmp_path):
    path = tmp_path / "a.csv"
    inside(capsys, "learn", arms, "--steps", 1, "--explore", "greedy", "-o", path, "-q")
    # The first step goes left, the lowest of equals: q = 0.
    assert path.read_text() == "state,value,visits,action\na,0.0,1,left\nb,,0,left\n"
    assert inside(capsys, "evaluate", arms, "--policy", path).code == 0
    done = inside(capsys, "evaluate", arms, "--policy", f"greedy:{path}")
    assert done.code == 2
    assert f"{path}:3: state 'b': found no value" in one_line(done.err)


def test_json_has_a_schema_and_no_infinities(capsys, arms):
    document = json.loads(inside(capsys, "learn", arms, "--steps", 50, "--runs", 2, "--json").out)
    assert (document["schema"], document["version"]) == ("tabular-rl answer", 1)
    assert (document["status"], document["bound"], document["lower"]) == ("SAMPLED", None, None)
    assert (document["runs"], document["steps"], document["work"]) == (2, 50, {"steps": 50})
    assert len(document["curve"]["steps"]) == len(document["curve"]["sup_error"]) > 10
    assert document["curve"]["steps"][-1] == 50
    assert document["curve"]["sup_error"][-1] == document["sup_error"]["median"]
    assert document["exact_values"] == pytest.approx([2, 1], abs=1e-8)


def test_the_command_line_says_what_python_does(capsys):
    options = {
        "steps": 700,
        "runs": 3,
        "seed": 4,
        "step_size": "0.5/n",
        "explore": "epsilon-visits:5",
        "ties": "first",
        "start_value": 2.0,
    }
    flags = [x for key, value in options.items() for x in (f"--{key.replace('_', '-')}", value)]
    document = json.loads(inside(capsys, "learn", ROBOT, *flags, "--json").out)
    mdp = load(ROBOT)
    learned = learn(mdp, "q-learning", **options)
    assert document["values"] == learned.v.tolist()
    assert document["sup_error"]["runs"] == learned.sup_error.tolist()
    assert document["rms_error"]["runs"] == learned.rms_error.tolist()
    assert document["regret"]["runs"] == regret(learned).regret.tolist()
    assert document["start_value"] == learned.value_of_start()


def test_values_to_start_from(capsys, tmp_path):
    named = ("--start-from", "high=3", "--start-from", "low=1/2", "--steps", 50, "--json")
    learned = learn(load(ROBOT), "q-learning", start_from={"high": 3, "low": 0.5}, steps=50)
    assert json.loads(inside(capsys, "learn", ROBOT, *named).out)["values"] == learned.v.tolist()
    answer = tmp_path / "answer.json"
    solve(load(ROBOT)).save(answer)
    found = json.loads(inside(capsys, "learn", ROBOT, "--start-from", answer, "--steps", 50, "--json").out)
    assert (
        found["values"]
        == learn(load(ROBOT), "q-learning", start_from=solve(load(ROBOT)), steps=50).v.tolist()
    )
    done = inside(capsys, "learn", ROBOT, "--start-from", answer, "-o", answer)
    assert done.code == 2 and "is also the input" in done.err
    assert inside(capsys, "learn", ROBOT, "--start-from", "hight=3").err.count("did you mean 'high'?") == 1


def test_ties_to_the_first(capsys):
    found = json.loads(inside(capsys, "learn", ROBOT, "--ties", "first", "--steps", 50, "--json").out)
    assert found["values"] == learn(load(ROBOT), "q-learning", ties="first", steps=50).v.tolist()


def test_exploring_starts(capsys):
    words = (
        "learn",
        ROBOT,
        "--method",
        "monte-carlo-control",
        "--exploring-starts",
        "--steps",
        300,
        "--json",
    )
    learned = learn(load(ROBOT), "monte-carlo-control", exploring_starts=True, steps=300)
    assert json.loads(inside(capsys, *words).out)["values"] == learned.v.tolist()


# -- what is refused, and how it ends ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--steps", "0"), "--steps: found '0', expected a whole number from 1"),
        (("--steps", "1e18"), "--steps: found '1e18'"),
        (("--seed", "-1"), "--seed: found '-1'"),
        (("--seed", "0.5"), "--seed: found '0.5'"),
        (("--step-size", "0"), "--step-size: found '0', expected 0.1, 1/n"),
        (("--step-size", "1.5"), "--step-size: found '1.5'"),
        (("--step-size", "nan"), "--step-size: found 'nan'"),
        (
            ("--explore", "epsilon-greedy:2"),
            "--explore: found 'epsilon-greedy:2', expected epsilon-greedy:RATE",
        ),
        (("--explore", "boltzmann:0"), "--explore: found 'boltzmann:0'"),
        (("--target", "copy:0"), "--target: found 'copy:0', expected none, copy:M or average:T"),
        (("--source", "sweep"), "--source: found 'sweep', expected one of trajectory"),
        (("--method", "q-lerning"), "method 'q-lerning': no such method; did you mean 'q-learning'?"),
        (("--method", "value-iteration"), "method 'value-iteration' plans with the model"),
        (("--method", "td0", "--explore", "greedy"), "--explore: td0 has no such option"),
        (("--policy", "uniform"), "--policy: q-learning finds its own policy"),
        (("--behavior", "uniformly"), "uniformly: no such file"),
        (("--behavior", "action"), "--behavior: found 'action', expected uniform, optimal"),
        (("--behavior", "optimal"), "found probability 0, expected more, as its value is to be learned"),
        (
            ("--method", "td0", "--behavior", "action:left", "--gamma", "0.9"),
            "state 'a', action 'right': found probability 0",
        ),
        (("--data", "none.csv"), "none.csv: no such file"),
        (("--resume", "none.npz"), "none.npz: no such file"),
        (("-o", "a.xyz"), "expected .json or .csv"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(capsys, arms, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    done = inside(capsys, "learn", arms, *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in one_line(done.err)
    assert [path.name for path in tmp_path.iterdir()] == ["arms.toml"]


def test_what_cannot_be_written_is_said_before_the_run(capsys, arms, tmp_path):
    done = inside(capsys, "learn", arms, "--steps", "1e15", "-o", tmp_path / "none" / "a.json")
    assert done.code == 5
    assert "none" in one_line(done.err)
    done = inside(capsys, "learn", arms, "--steps", "1e15", "-o", arms)
    assert done.code == 2
    assert arms.read_text() == ARMS


def test_no_finite_answer_is_exit_4(capsys):
    done = inside(capsys, "learn", "example:no_proper_policy")
    assert done.code == 4
    assert "no finite answer" in one_line(done.err)


def test_a_time_limit_is_exit_3_with_what_was_learned(capsys, arms, tmp_path):
    done = inside(capsys, "learn", arms, "--steps", "1e13", "--time-limit", 0.5, "-o", tmp_path / "a.json")
    assert done.code == 3
    assert "not reached: the time limit is over after" in done.out
    assert "no certificate" in done.out
    assert "regret of the policy" in done.out
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["status"] == "TIME_SPENT"
    assert not document["reached"]
    assert 0 < document["steps"] < 10**13
    none = inside(capsys, "learn", arms, "--time-limit", 0)
    assert none.code == 3
    assert "never visited: 2 states" in none.out


def test_an_estimate_that_diverges_is_exit_3(capsys, tmp_path):
    path = tmp_path / "m.toml"
    path.write_text('discount = 0.9\n[state.a]\ngo = { to = "a", reward = 1 }\n')
    (tmp_path / "x.csv").write_text("10\n")  # w ← w + 10 (1 + 9 w - 10 w) = 10 - 9 w
    given = ("--method", "linear-td", "--features", tmp_path / "x.csv", "--step-size", 1, "--steps", 1000)
    done = inside(capsys, "learn", path, *given)
    assert done.code == 3
    assert "diverges" in one_line(done.err)


# -- the whole catalogue -------------------------------------------------------------------------------------------


def test_help_has_every_option_of_every_learner(capsys):
    out = inside(capsys, "learn", "--help").out
    for name, function in LEARNERS.items():
        assert name in out.replace("\n", "").replace(" ", "")
        assert all(option.flag in out for option, _ in function.options.values())


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_runs_on_a_model_of_the_package(capsys, name):
    model = "example:random_walk_5" if LEARNERS[name].task == "prediction" else ROBOT
    done = inside(capsys, "learn", model, "--method", name, "--steps", 200, "--runs", 2)
    assert done.code == 0, done.err
    assert "no certificate" in done.out
    gradient = LEARNERS[name].family == "gradient"  # preferences have no errors, the policy has a regret
    assert gradient or len(line_of(done.out, "largest error")) == 3
    assert ("regret of the policy" in done.out) is (LEARNERS[name].task == "control")


# -- regret --------------------------------------------------------------------------------------------------------


def test_regret_is_that_of_the_policy_and_not_of_the_estimates(arms):
    """Costs and rewards, policies that never end, and equal policies evaluated once."""
    mdp = load(str(arms))
    learned = learn(mdp, "q-learning", steps=1, runs=30, explore="epsilon-greedy:1")
    found = regret(learned)
    went_right = learned.visits[:, 1] > 0
    assert found.regret.tolist() == pytest.approx((2.0 * ~went_right).tolist(), abs=1e-8)
    assert found.policies == 2
    assert found.left_out == 0
    first = regret(learned, most=1)
    assert first.left_out == int((went_right != went_right[0]).sum()) > 0
    assert {policy["a"] for policy in greedy_of_runs(learned)} == {"left", "right"}


def test_a_policy_that_never_ends_has_infinite_regret(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(
        'discount = 1\nterminal = ["end"]\nstart = "a"\n[state.a]\nstay = { to = "a", reward = -1 }\n'
        'go = { to = "end", reward = -5 }\n'
    )
    found = regret(learn(load(str(path)), "q-learning", steps=1, explore="greedy"))
    assert found.regret.tolist() == [math.inf]
    assert found.earned.tolist() == [-math.inf]


def test_what_a_policy_would_do_where_it_never_comes_costs_nothing(tmp_path):
    """From a the run goes to the end; in b, where it has not been, its policy would stay forever."""
    path = tmp_path / "m.toml"
    path.write_text(
        'discount = 1\nterminal = ["end"]\nstart = "a"\nactions = ["stay", "go"]\n'
        '[state.a]\ngo = { to = "end", reward = -5 }\n'
        '[state.b]\nstay = { to = "b", reward = -1 }\ngo = { to = "end", reward = -5 }\n'
    )
    learned = learn(load(str(path)), "q-learning", steps=3)
    assert learned.policy["b"] == "stay"
    found = regret(learned)
    assert found.regret.tolist() == [0.0]
    assert found.earned.tolist() == [-5.0]


def test_a_reference_that_was_cut_off_measures_nothing(arms):
    from dataclasses import replace

    from tabular_rl import Status, solve

    mdp = load(str(arms))
    best = solve(mdp)
    for status, bound, kept in (
        (Status.TIME_SPENT, 1.0, False),
        (Status.TIME_SPENT, 1e-9, True),
        (Status.CERTIFIED, 1.0, True),
    ):
        learned = learn(mdp, "q-learning", steps=5, reference=replace(best, status=status, bound=bound))
        assert (learned.reference is not None) is kept
        assert ("not found in time" in " ".join(learned.verdicts)) is not kept
        assert np.isfinite(learned.sup_error).all() == kept


def test_regret_of_costs_is_what_is_paid_too_much(arms):
    """As costs, always left is worth 0 and always right 1 + 1/2 + ... = 2."""
    learned = learn(load(str(arms), sense="min"), "q-learning", steps=1, runs=30, explore="epsilon-greedy:1")
    went_right = learned.visits[:, 1] > 0
    assert 0 < went_right.sum() < 30
    found = regret(learned)
    assert found.regret.tolist() == pytest.approx((2.0 * went_right).tolist(), abs=1e-8)
    assert found.earned.tolist() == pytest.approx((2.0 * went_right).tolist(), abs=1e-8)


def test_behavior_log_is_the_policy_that_the_log_was_made_by(capsys, tmp_path):
    """Two arms that end, worth 1 and 3, tried 3 times and once: always the second is worth 3, by ratios of 4 and 0."""
    model = tmp_path / "arms.toml"
    model.write_text(
        'discount = 1\nterminal = ["end"]\n[state.s]\n'
        'first = { to = "end", reward = 1 }\nsecond = { to = "end", reward = 3 }\n'
    )
    log = tmp_path / "log.csv"
    log.write_text("state,action,reward,next_state,done\n" + 3 * "s,first,1,end,1\n" + "s,second,3,end,1\n")
    asked = ["learn", model, "--method", "batch-td", "--policy", "action:second", "--data", log, "--json"]
    refused = inside(capsys, *asked)
    assert refused.code == 2
    assert "--behavior log" in refused.err
    done = inside(capsys, *asked, "--behavior", "log")
    assert done.code == 0
    assert json.loads(done.out)["values"][0] == pytest.approx(3)
