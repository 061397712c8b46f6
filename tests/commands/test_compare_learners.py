"""`compare` of methods that learn: curves, the law behind them, regret, assertions, files and pictures."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import re

import numpy as np
import pytest
from program import inside, one_line

from tabular_rl import MDP, Policy
from tabular_rl.analysis.assertion import Assertion
from tabular_rl.analysis.comparison import asked_method, compare
from tabular_rl.analysis.regret import Regret, greedy_of_runs, middle
from tabular_rl.errors import NotAnswerable, OptionError
from tabular_rl.formats import load
from tabular_rl.methods.learning.q_learning import q_learning
from tabular_rl.methods.learning.td0 import td0

ROBOT, WALK = "example:recycling_robot", "example:random_walk_5"
PLOT = importlib.util.find_spec("matplotlib") is not None


@pytest.fixture(scope="module")
def loop():
    """One state, reward 1, γ = 1/2: v = 2, and with α = 1 the estimates are 1, 3/2, 7/4, ..."""
    return MDP([[[1.0]]], [[1.0]], "1/2")


# -- in Python -----------------------------------------------------------------------------------------------------


def test_curves_are_those_of_the_learner_against_the_exact_answer(loop):
    found = compare(loop, ["q-learning,step-size=1"], steps=4)
    curve = found.curves[0].learned.curve
    assert curve.steps.tolist() == [1, 2, 3, 4]
    assert curve.sup[:, 0].tolist() == [1, 1 / 2, 1 / 4, 1 / 8]
    assert found.reference.exact == (2,)
    assert not found.rows


@pytest.mark.parametrize("sense", ["max", "min"])
def test_an_action_that_was_never_tried_is_not_the_greedy_one(sense):
    """One update of 1 or 2 (a cost) or -1 or -2 (a reward): the other estimate is still 0, and would look better."""
    r = np.array([[1.0, 2.0]])
    mdp = MDP([[[1.0], [1.0]]], r if sense == "min" else -r, "1/2", sense=sense)
    learned = q_learning(mdp, steps=1, step_size=1, runs=20, seed=1, explore="epsilon-greedy:1")
    tried = learned.visits.argmax(axis=1)
    assert set(tried.tolist()) == {0, 1}
    assert [int(policy.rows[0]) for policy in greedy_of_runs(learned)] == tried.tolist()


def test_a_method_has_its_options_or_those_for_all(loop):
    found = compare(
        loop, ["q-learning", "q-learning,runs=3,seed=4", "sarsa,step-size=1/n"], steps=5, step_size=1
    )
    given = [curves.learned.options for curves in found.curves]
    assert [x["step_size"] for x in given] == ["1", "1", "1/n"]
    assert [curves.learned.runs for curves in found.curves] == [1, 3, 1]
    assert [curves.label for curves in found.curves] == [
        "q-learning",
        "q-learning,runs=3,seed=4",
        "sarsa,step-size=1/n",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("q-learning,stepsize=1", "no option 'stepsize'; did you mean 'step_size'?"),
        ("q-learning,steps=x", "steps: found 'x'"),
        ("q-learning,steps", "steps: found 'True'"),
        ("q-learning,trace=1", "q-learning has no such option"),
        ("q-learning,average=maybe", "average: found 'maybe'"),
        ("q-lerning,steps=1", "no such method"),
    ],
)
def test_options_of_a_method_are_checked(loop, text, says):
    with pytest.raises(OptionError, match=re.escape(says)):
        compare(loop, [text])


def test_options_are_read_as_on_the_command_line():
    name, options = asked_method(
        "q-learning,step-size=1/3,average,explore=epsilon-greedy:linear:1:0:5,steps=1e3"
    )
    assert name == "q-learning"
    assert options["average"] is True
    assert options["steps"] == 1000
    assert options["step_size"].a == 1 / 3
    assert options["explore"].text == "epsilon-greedy:linear:1:0:5"


def test_methods_that_evaluate_and_methods_that_search_are_not_mixed(loop):
    with pytest.raises(OptionError, match="'td0' evaluates a policy"):
        compare(loop, ["q-learning", "td0"])
    with pytest.raises(OptionError, match="'q-learning' finds the best policy"):
        compare(loop, ["q-learning"], Policy.uniform(loop))
    assert (
        compare(loop, ["td0", "policy-evaluation"], Policy.uniform(loop), steps=3).reference.task
        == "prediction"
    )
    assert compare(loop, ["td0"], steps=3).reference.task == "prediction", "of the uniform policy"


def test_planners_and_learners_stand_side_by_side(loop):
    found = compare(loop, ["value-iteration", "q-learning"], steps=3, step_size=1)
    assert [row.method for row in found.rows] == ["value-iteration"]
    assert [curves.label for curves in found.curves] == ["q-learning"]


def test_the_law_is_that_of_the_options(loop):
    """After k steps of α = 1/2 from 0, v = 2: the error is 2 (3/4)^k, without noise."""
    found = compare(loop, ["td0"], steps=20, step_size=0.5)
    law = found.curves[0].law
    k = law.steps
    assert law.rms() == pytest.approx(2 * 0.75**k, rel=1e-12)
    assert law.start_sd == pytest.approx(0 * k, abs=1e-7)
    assert found.curves[0].learned.curve.rms[:, 0] == pytest.approx(2 * 0.75**k, rel=1e-12)


@pytest.mark.parametrize("name", ["td0", "sarsa-evaluation", "q-evaluation"])
def test_each_learner_that_has_a_law_shows_it(name):
    found = compare(load("example:random_walk_5"), [f"{name},step-size=0.1"], steps=5)
    assert found.curves[0].law is not None


def test_where_there_is_no_law_there_is_none(loop):
    found = compare(loop, ["td0"], steps=20)  # n^-0.7 of the visits
    assert found.curves[0].law is None
    assert compare(loop, ["q-learning"], steps=20, step_size=0.5).curves[0].law is None


def test_the_expected_curve_lies_on_the_sampled_mean():
    """The mean over 4000 runs of the value of the start at one step, against the law: z below 6.

    False alarm 2e-9 (normal approximation of the mean of 4000 bounded values); it would find a mean that is off by
    0.1 standard deviations of a run with probability 0.63, by 0.15 with probability 0.9998.
    """
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print("seed", seed)
    mdp = load(WALK)
    found = compare(mdp, ["td0"], steps=300, step_size=0.1, runs=4000, seed=seed).curves[0]
    at = int(np.flatnonzero(found.learned.curve.steps == 100)[0])
    assert found.law.steps[at] == 100
    sampled = found.learned.curve.start[at]
    z = (sampled.mean() - found.law.start_mean[at]) / (found.law.start_sd[at] / math.sqrt(4000))
    assert found.law.start_sd[at] > 0.01, seed
    assert abs(z) < 6, seed


# -- regret and medians --------------------------------------------------------------------------------------------


def test_middle_is_the_median_of_what_is_known():
    assert middle(np.array([3.0, 1.0, 2.0])) == 2
    assert middle(np.array([1.0, 2.0, math.nan])) == 1.5
    assert middle(np.array([1.0, math.inf])) == math.inf
    assert math.isnan(middle(np.array([math.nan])))


def with_errors(loop, sup, regrets):
    """A comparison whose q-learning has these errors and regrets at the end."""
    from dataclasses import replace

    found = compare(loop, ["q-learning"], steps=2, runs=len(sup))
    curves = found.curves[0]
    curve = curves.learned.curve
    new = replace(
        curve, sup=np.vstack([curve.sup[:-1], sup]), rms=np.vstack([curve.rms[:-1], np.array(sup) / 2])
    )
    made = replace(
        curves,
        learned=replace(curves.learned, curve=new),
        regret=Regret(2 - np.array(regrets), np.array(regrets), 1),
    )
    return replace(found, curves=(made,))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("q-learning < 0.3", True),  # the median of 1/8, 1/4 and 9
        ("q-learning < 0.25", False),
        ("q-learning <= 0.25", True),
        ("q-learning.rms < 0.13", True),
        ("q-learning.rms < 0.125", False),
        ("q-learning.loss < 1e-9", True),
        ("q-learning > 0.1", True),
        ("q-learning.seconds < 1e9", True),
    ],
)
def test_assertions_are_about_medians(loop, text, holds):
    found = with_errors(loop, [9.0, 0.125, 0.25], [0.0, math.inf, 0.0])
    assert Assertion.of(text).holds(found) is holds


def test_an_infinite_median_holds_nothing(loop):
    found = with_errors(loop, [9.0, 0.125, 0.25], [0.0, math.inf, math.inf])
    assert not Assertion.of("q-learning.loss < 1e300").holds(found)
    assert not Assertion.of("q-learning.loss > 1").holds(found)


def test_assertions_that_a_method_does_not_answer(loop):
    found = compare(loop, ["value-iteration", "q-learning"], steps=2)
    with pytest.raises(OptionError, match="proves no bound"):
        Assertion.of("q-learning.bound < 1").holds(found)
    with pytest.raises(OptionError, match="does not learn"):
        Assertion.of("value-iteration.rms < 1").holds(found)
    with pytest.raises(OptionError, match="no policy of its own"):
        Assertion.of("td0.loss < 1").holds(compare(loop, ["td0"], steps=2))


def test_assertions_name_a_method_with_its_options(loop):
    found = compare(loop, ["q-learning,step-size=0.5"], steps=1)
    assert Assertion.of("q-learning,step-size=0.5 < 1.6").holds(found)  # 2 - 1/2
    assert Assertion.of("q-learning,step-size=0.5.rms<1.6").holds(found)
    assert not Assertion.of("q-learning,step-size=0.5 < 1.5").holds(found)


def test_a_model_that_does_not_fit_is_refused_by_name(loop):
    with pytest.raises(NotAnswerable, match="backward-induction"):
        compare(loop, ["q-learning", "backward-induction"])


# -- on the command line -------------------------------------------------------------------------------------------


def test_a_table_of_learners(capsys):
    done = inside(capsys, "compare", ROBOT, "q-learning", "--method", "sarsa", "--steps", "1e3", "--runs", 5)
    assert done.code == 0
    assert "reference: exact, in rational arithmetic" in done.out
    assert "median of 5 runs" in done.out
    head = next(line for line in done.out.splitlines() if line.startswith("method")).split()
    assert head == [
        "method",
        "10",
        "100",
        "1,000",
        "least",
        "most",
        "rms",
        "regret",
        "time",
        "steps",
        "a",
        "second",
    ]
    row = next(line for line in done.out.splitlines() if line.startswith("q-learning")).split()
    learned = q_learning(load(ROBOT), steps=1000, runs=5)
    for text, k in zip(row[1:4], (10, 100, 1000), strict=True):
        at = int(np.flatnonzero(learned.curve.steps == k)[0])
        assert float(text) == pytest.approx(np.median(learned.curve.sup[at]), rel=0.01)
    assert float(row[4]) == pytest.approx(learned.sup_error.min(), rel=0.01)
    assert float(row[5]) == pytest.approx(learned.sup_error.max(), rel=0.01)


def test_the_law_is_shown_beside_the_sample(capsys):
    done = inside(capsys, "compare", WALK, "td0", "--steps", 1000, "--runs", 20, "--step-size", 0.1)
    assert "what theory says it is" in done.out
    sampled, expected = (
        [float(x) for x in line.split()[-3:]]
        for line in done.out.splitlines()
        if re.search(r" (sampled|expected) ", line)
    )
    # The root mean square over 20 runs; half as much again or half as little is far outside of what chance does.
    assert all(0.5 * b < a < 1.5 * b for a, b in zip(sampled, expected, strict=True))


def test_assertions_decide_the_exit_code(capsys):
    given = ("compare", ROBOT, "q-learning", "--steps", 2000)
    yes = inside(capsys, *given, "--assert", "q-learning < 100", "--assert", "q-learning.loss < 10")
    assert yes.code == 0
    assert "q-learning < 100: yes" in yes.out
    no = inside(capsys, *given, "--assert", "q-learning < 1e-9")
    assert no.code == 1
    assert "q-learning < 1e-9: no" in no.out
    other = inside(capsys, *given, "--assert", "sarsa < 1")
    assert other.code == 2
    assert "'sarsa' is not compared" in one_line(other.err)


def test_curves_as_csv_and_json(capsys, tmp_path):
    path = tmp_path / "curves.csv"
    given = ("compare", WALK, "td0", "td0,step-size=0.5", "--runs", 2, "--steps", 50, "--start-value", 0.5)
    done = inside(capsys, *given, "--csv", path, "--json")
    assert f"{path}: written" in done.err
    assert "written" not in inside(capsys, *given, "--csv", path, "-q").err
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    learned = td0(load(WALK), Policy.uniform(load(WALK)), runs=2, steps=50, start_value=0.5)
    mine = [row for row in rows if row["method"] == "td0" and row["run"] == "1"]
    assert [int(row["step"]) for row in mine] == learned.curve.steps.tolist()
    assert [float(row["sup"]) for row in mine] == pytest.approx(learned.curve.sup[:, 1].tolist(), abs=1e-9)
    assert [float(row["rms"]) for row in mine] == pytest.approx(learned.curve.rms[:, 1].tolist(), abs=1e-9)
    assert [float(row["start"]) for row in mine] == learned.curve.start[:, 1].tolist()
    assert len(rows) == 4 * len(learned.curve.steps)
    document = json.loads(done.out)
    first, second = document["learners"]
    assert (first["method"], second["method"], second["name"]) == ("td0", "td0,step-size=0.5", "td0")
    assert first["sup_error"]["runs"] == pytest.approx(learned.sup_error.tolist(), abs=1e-9)
    assert first["regret"] is None
    assert first["expected"] is None
    assert second["expected"]["steps"] == second["curve"]["steps"]
    assert document["methods"] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--steps", 5), "--steps: found no method that has this option"),
        (("value-iteration", "--steps", 5), "--steps: found no method that has this option"),
        (("td0", "--explore", "greedy"), "--explore: found no method that has this option"),
        (("value-iteration", "--csv", "a.csv"), "--csv: found no method that learns"),
        (("q-learning", "--csv", "a.txt"), "--csv: a.txt: found the suffix '.txt', expected .csv"),
        (
            ("q-learning", "--plot", "a.bmp"),
            "--plot: a.bmp: found the suffix '.bmp', expected .png or .svg or .pdf",
        ),
        (("q-learning", "td0"), "method 'td0' evaluates a policy"),
        (("q-learning", "--data", "none.csv"), "none.csv: no such file"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(capsys, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    done = inside(capsys, "compare", ROBOT, *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in one_line(done.err)
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_a_picture_is_refused_before_the_run(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = inside(capsys, "compare", ROBOT, "q-learning", "--steps", "1e15", "--plot", tmp_path / "a.png")
    assert done.code == 2
    assert "pip install 'tabular-rl[plot]'" in one_line(done.err)


@pytest.mark.skipif(not PLOT, reason="needs the extra plot")
def test_a_picture_is_drawn(capsys, tmp_path):
    given = ("compare", WALK, "td0,step-size=0.1", "monte-carlo", "--runs", 3, "--steps", 300)
    for name, magic in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG"), ("a.pdf", b"%PDF")):
        assert inside(capsys, *given, "--plot", tmp_path / name).code == 0
        assert (tmp_path / name).read_bytes().startswith(magic)
    text = (tmp_path / "a.svg").read_text()
    assert all(
        word in text for word in ("td0,step-size=0.1", "monte-carlo", "largest error", "2 sd", "random walk")
    )
    assert inside(capsys, *given, "--plot", tmp_path / "b.svg").code == 0
    assert (tmp_path / "b.svg").read_bytes() == (tmp_path / "a.svg").read_bytes()


def test_exploring_starts_are_those_of_the_method_that_has_them(capsys):
    words = ("compare", "example:random_walk_5", "monte-carlo-control", "q-learning", "--steps", 50, "--json")
    found = json.loads(inside(capsys, *words, "--exploring-starts", "--ties", "first").out)["learners"]
    assert [learner["options"].get("exploring_starts") for learner in found] == [True, None]
    assert [learner["options"].get("ties") for learner in found] == [None, "first"]


def test_nothing_is_learned_where_no_learner_is_named(capsys):
    document = json.loads(inside(capsys, "compare", ROBOT, "--json").out)
    assert document["learners"] == []
    assert len(document["methods"]) > 3


@pytest.mark.skipif(not PLOT, reason="needs the extra plot")
def test_methods_that_do_not_learn_are_drawn_by_their_residuals(capsys, tmp_path):
    given = ("compare", "example:random_walk_5", "value-iteration", "rational")
    for name in ("a.svg", "b.svg"):
        assert inside(capsys, *given, "--plot", tmp_path / name).code == 0
    picture = (tmp_path / "a.svg").read_text()
    assert picture == (tmp_path / "b.svg").read_text()
    assert "value-iteration" in picture
    assert "rational (no residuals)" in picture
    assert "largest change of a value in a sweep" in picture


@pytest.mark.skipif(not PLOT, reason="needs the extra plot")
def test_the_title_of_a_picture_speaks_of_what_is_drawn(capsys, tmp_path):
    # The law of td0 is known on this walk; that of q-learning is not drawn.
    for method, expected in (("td0", True), ("sarsa", False)):
        more = ("--policy", "uniform") if method == "td0" else ()
        path = tmp_path / f"{method}.svg"
        given = ("compare", "example:random_walk_5", method, *more, "--steps", 50, "--step-size", 0.1)
        assert inside(capsys, *given, "--plot", path).code == 0
        assert ("behind them what is expected" in path.read_text()) == expected
