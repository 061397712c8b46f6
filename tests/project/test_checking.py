"""The benchmark of model checking: what it finds in a folder, what ours is asked, and the page."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest

from benchmarks import checking
from benchmarks.checking import AUTO, FAST, SOUND, WARM, Row, instances, main, page, true_values
from benchmarks.entrants import ours, protocol
from benchmarks.page import CHECKING
from benchmarks.race import Options, Times

QUESTION = {"name": "r_min", "goal": "goal", "avoid": None, "sense": "min", "reward": "r"}


@pytest.fixture
def question(tmp_path):
    """A .drn and what is asked of it: R{"r"}min=? [F "goal"]."""
    (tmp_path / "model.drn").write_text(WARM, encoding="utf-8")
    asked = {**QUESTION, "drn": str(tmp_path / "model.drn"), "formula": 'R{"r"}min=? [F "goal"]'}
    (tmp_path / "question.json").write_text(json.dumps(asked), encoding="utf-8")
    return tmp_path / "question.json"


def test_a_suite_says_the_constants_of_its_models(tmp_path):
    place = tmp_path / "coin"
    place.mkdir()
    for name in ("coin.nm", "all.pctl", "other.nm"):
        (place / name).write_text("", encoding="utf-8")
    (place / "models.csv").write_text(
        "model_file,model_consts,model_type,states,time\n"
        '"coin.nm","K=2",MDP,272,1\n"coin.nm","N=2,K=4",MDP,5e6,1\n"gone.nm","",MDP,1,1\n',
        encoding="utf-8",
    )
    found = list(instances(tmp_path, ["*"], 1000))
    assert [(one.name, one.constants, one.properties) for one in found] == [
        ("coin/coin.nm K=2", "K=2", (place / "all.pctl",))
    ]
    assert len(list(instances(tmp_path, ["*"], 1e7))) == 2
    assert not list(instances(tmp_path, ["dice*"], 1e7))


def test_a_folder_without_a_list_is_all_its_models(tmp_path):
    for name in ("a.drn", "b.prism", "c.props", "notes.txt"):
        (tmp_path / name).write_text("", encoding="utf-8")
    assert [one.name for one in instances(tmp_path, ["*"], 1)] == ["a.drn", "b.prism"]


@pytest.mark.parametrize(("given", "told"), [("nowhere", "expected a folder"), (".", "found no model")])
def test_a_folder_without_models_is_refused(tmp_path, monkeypatch, given, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=told):
        main([given])


@pytest.mark.parametrize(
    "words", [("--models", "a*"), ("--properties", "r"), ("--models", "a*", "--output", "some.md"), ()]
)
def test_only_a_whole_run_rewrites_the_page_unasked(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    for name in ("a.drn", "a.props"):
        (tmp_path / name).write_text("", encoding="utf-8")
    fakes = {
        "Checker": lambda *_: argparse.Namespace(stop=lambda: None),
        "answered": lambda *_: iter(["row"]),
        "page": lambda *_: f"{CHECKING}\n\nfound",
        "progress": str,
        "answered_by_all": list,
        "sums": lambda *_: [],
        "RESULTS": tmp_path / "results.md",
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(checking, name, fake)
    main([".", *words])
    written = {path.name for path in tmp_path.glob("*.md")}
    assert written == ({"some.md"} if "--output" in words else set() if words else {"results.md"})
    assert ("found" in capsys.readouterr().out) is not bool(written)


def test_ours_is_asked_as_the_checker_is(question):
    # From 0: wait for 1 (and be done with 1/2, else the same from 1), or pay 2: 1 + (1 + x/2)/2 = x gives x = 2.
    m = protocol.load(str(question))
    v, facts = ours.solve(ours.build(m), m, 1e-6)
    assert v == pytest.approx([2, 2, 0], abs=1e-6)
    assert facts["status"] == "CERTIFIED"


def test_chances_are_paid_at_the_goal_alone(tmp_path):
    # In 0 one of two ends comes next, each with 1/2; the other one is avoided.
    drn = WARM.replace("state 1 [0]", "state 1 [0] bad")
    (tmp_path / "m.drn").write_text(drn, encoding="utf-8")
    m = argparse.Namespace(goal="goal", avoid="bad", sense="min", reward=None, drn=str(tmp_path / "m.drn"))
    mdp = ours.checked_model(m)
    assert mdp.terminal.tolist() == [False, True, True]
    assert mdp.r.tolist() == [0.5, 1]


def test_errors_are_measured_against_fractions(question):
    m = protocol.load(str(question))
    mdp, options = ours.build(m), Options(calls=1)
    times = {entry.name: Times(entry, solves=[1.0, 2.0]) for entry in (AUTO, FAST, SOUND)}
    times["auto"].v = np.array([2.0, 2.0, 0.0])
    times["auto"].facts = {"status": "CERTIFIED", "bound": 1e-9, "method": "policy-iteration"}
    times["Storm"].v, times["Storm"].solves = np.array([2.0, 1.75, 9.0]), [0.5, 0.5]
    truth, exact = true_values(mdp, times["auto"], options)
    row = Row("coin.nm", "r_min", times, mdp, truth, exact)
    assert exact and row.certified and row.ratio == 4
    # What stands at the goal is a matter of taste: 0 to pay, 1 as a chance.
    assert (row.error("auto"), row.error("Storm")) == (0, 0.25)
    assert np.isnan(row.error("Storm, sound"))
    text = page([row], {"asks no value": ["coin.nm: c1"]}, options, "python -m benchmarks.checking x")
    assert text.startswith(CHECKING) and "4.00 times as long as Storm" in text
    assert (
        "| coin.nm: r_min | 3 | 5 | policy-iteration | 2.0 | .50 | 2.0 | 4 | 1e-09 | =0e+00 | =2e-01 | - |"
        in text
    )
    assert text.endswith("- asks no value: coin.nm: c1")
