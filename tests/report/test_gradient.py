"""What the screen, the files and the picture say of a gradient and its estimators."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tabular_rl import MDP, Policy, load
from tabular_rl.analysis.gradient import Estimator, GradientStudy
from tabular_rl.methods.gradient.exact import exact_gradient
from tabular_rl.methods.gradient.moments import estimator_moments
from tabular_rl.methods.gradient.sample import sample_gradient
from tabular_rl.methods.gradient.sampled import Sampled
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy
from tabular_rl.report.gradient import GradientReport, shown_entries
from tabular_rl.report.plane import RADIUS, ellipse, plane_of
from tabular_rl.report.render.csv import csv_parts
from tabular_rl.report.render.picture import write_picture
from tabular_rl.report.render.text import report_text


def bandit():
    """π = (.9, .1), rewards (1, 0): ∇J = (.09, -.09), and by hand the traces .0018, .1152 and 0."""
    mdp = MDP(
        [[[1.0], [1.0]]], [[1, 0]], 1, horizon=1, states=["here"], actions=["good", "bad"], name="bandit"
    )
    return Policy.of_probs(mdp, {"here": {"good": "9/10", "bad": "1/10"}})


def study_of(policy, names, episodes=0, **more):
    sampled = sample_gradient(policy, names, episodes=episodes) if episodes else [None] * len(names)
    moments = [estimator_moments(policy, name) for name in names]
    estimators = tuple(Estimator(m, s) for m, s in zip(moments, sampled, strict=True))
    return GradientStudy("mine", exact_gradient(policy), estimators, **more)


def test_the_table_is_that_of_the_hand():
    """N = 1.645² gᵀΣg / |g|⁴ with Σ = v (1, -1)(1, -1)ᵀ, v half the trace: 1.645² 4 v .0081 / .0162², .3 and 19.24."""
    text = report_text(GradientReport(study_of(bandit(), ["return", "return-mean", "return-best"])))
    lines = [line.split() for line in text.splitlines()]
    assert ["here", "good", "0.9", "0.09"] in lines
    assert ["here", "bad", "0.1", "-0.09"] in lines
    assert ["return", "0", "0.0018", "1"] in lines
    assert ["return-mean", "0", "0.115", "20"] in lines
    assert ["return-best", "0", "0", "1"] in lines
    assert "start: here; J = 0.9" in text
    assert "|∇J| = 0.1273" in text


def test_the_error_is_in_standard_errors():
    """A mean that is off by (.03, .04) with trace 4 and n = 16: .05 / √(4 / 16) = .1."""
    e = study_of(bandit(), ["return"]).estimators[0]
    moments = type(e.moments)("return", np.zeros(2), np.diag([3.0, 1.0]), np.zeros(2), None, e.moments.form)
    sampled = Sampled("return", 16, 16, np.array([0.03, 0.04]), np.eye(2), 0, 0.0)
    assert Estimator(moments, sampled).error == pytest.approx(0.1)


def test_no_variance_leaves_no_error_or_an_infinite_one():
    found = study_of(bandit(), ["return-best"], episodes=50).estimators[0]
    assert found.trace == 0.0
    assert found.error == 0.0
    off = Sampled("return-best", 50, 50, np.array([0.1, -0.1]), np.zeros((2, 2)), 0, 0.0)
    assert Estimator(found.moments, off).error == math.inf


def test_a_gradient_that_is_rounding_is_said_to_be_0():
    """All actions of exact_ties are worth the same, and a single action has no gradient."""
    for name in ("ties", "random_walk_19", "haddad_monmege"):
        study = study_of(Policy.uniform(load(f"example:{name}")), ["q"])
        assert study.zero
        text = report_text(GradientReport(study))
        assert "|∇J| = 0\n" in text
        assert "no direction to see" in text
        assert [line.split()[-1] for line in text.splitlines() if line.startswith("q ")] == ["none"]
    assert not study_of(bandit(), ["q"]).zero


def test_a_bias_is_shown_and_rounding_is_not():
    """Two steps, rewards (1, 0), γ = 1/2. Each step adds 1/4 to the first entry; ∇J weighs the second by 1/2."""
    mdp = MDP([[[1.0], [1.0]]], [[1, 0]], "1/2", horizon=2)
    found = estimator_moments(SoftmaxPolicy(mdp), "q", discounted=False)
    study = GradientStudy(
        "uniform", exact_gradient(SoftmaxPolicy(mdp)), (Estimator(found),), discounted=False
    )
    assert study.bias(found) == pytest.approx(1 / 8, abs=1e-12)
    assert study.bias(found, total=True) == 0.0
    assert study.bias(estimator_moments(SoftmaxPolicy(mdp), "q")) == 0.0


def test_the_largest_entries_come_first_whatever_rounding_says():
    assert shown_entries(np.array([0.1, -0.3, 0.3 * (1 + 1e-14), 0.0])) == [1, 2, 0, 3]
    assert shown_entries(np.arange(40.0))[:3] == [39, 38, 37]
    assert len(shown_entries(np.arange(40.0))) == 12


def test_all_entries_are_shown_in_their_order():
    study = study_of(Policy.uniform(load("example:aima_4x3")), [])
    few, many = report_text(GradientReport(study)), report_text(GradientReport(study, everything=True))
    assert "24 smaller (save(path) writes them)" in few
    assert "smaller" not in many
    states = [line.split()[0] for line in many.splitlines()[4:40]]
    mdp = study.mdp
    assert states == [mdp.states[mdp.state_of_row(i)] for i in range(36)]


def test_costs_stay_costs():
    """Two actions that cost 1 and 0, each half the time: J = 1/2, and more of the first costs more."""
    mdp = MDP([[[1.0], [1.0]]], [[1, 0]], 1, horizon=1, sense="min")
    found = GradientReport(study_of(Policy.uniform(mdp), ["return"])).entries()
    assert found["J"] == 0.5
    assert [e["value"] for e in found["gradient"]] == [0.25, -0.25]


def test_the_document_has_every_number():
    found = GradientReport(study_of(bandit(), ["return", "return-best"], episodes=100)).entries()
    assert (found["schema"], found["version"], found["policy"]) == ("tabular-rl gradient", 1, "mine")
    assert [e["action"] for e in found["gradient"]] == ["good", "bad"]
    assert [e["value"] for e in found["natural"]] == pytest.approx([0.5, -0.5])
    one, best = found["estimators"]
    assert one["trace"] == pytest.approx(0.0018)
    assert one["variance"] == pytest.approx([0.0009, 0.0009])
    assert one["sampled"]["episodes"] == 100
    assert best["sampled"]["mean"] == pytest.approx([0.09, -0.09])


def test_csv_has_a_line_a_pair():
    lines = "".join(csv_parts(GradientReport(study_of(bandit(), [])).sheet())).splitlines()
    assert lines[0] == "state,action,probability,gradient,natural"
    first = lines[1].split(",")
    assert first[:2] == ["here", "good"]
    assert [float(x) for x in first[2:]] == pytest.approx([0.9, 0.09, 0.5])


def test_an_ellipse_is_where_the_normal_distribution_says():
    """The Mahalanobis distance of each point is the root of χ²(2) at 95%, 5.9915."""
    covariance = np.array([[2.0, 0.6], [0.6, 1.0]])
    points = ellipse(covariance, np.eye(2), 10)
    distance = np.einsum("ni,ij,nj->n", points, np.linalg.inv(covariance / 10), points)
    assert distance == pytest.approx(5.9915, abs=1e-4)
    assert pytest.approx(5.9915, abs=1e-4) == RADIUS**2


@pytest.mark.parametrize("name", ["recycling_robot", "aima_4x3", "commute", "ties", "random_walk_5"])
def test_the_plane_is_the_gradient_and_what_varies_most_across_it(name):
    study = study_of(Policy.uniform(load(f"example:{name}")), ["return"])
    plane, _ = plane_of(study)
    covariance, g = study.estimators[0].moments.covariance, study.found.gradient
    assert plane @ plane.T == pytest.approx(np.eye(2), abs=1e-9)
    if not study.zero:
        assert plane[0] * np.linalg.norm(g) == pytest.approx(g)
    rng = np.random.default_rng(1)
    for _ in range(20):
        other = rng.normal(size=len(g))
        other -= (other @ plane[0]) * plane[0]
        other /= np.linalg.norm(other)
        assert other @ covariance @ other <= plane[1] @ covariance @ plane[1] + 1e-9


def test_two_entries_as_a_plane():
    plane, names = plane_of(study_of(bandit(), ["return"]), [1, 0])
    assert plane.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert names == ["dJ/dθ(here, bad)", "dJ/dθ(here, good)"]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_picture(tmp_path, suffix):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"gradient.{suffix}"
    study = study_of(Policy.uniform(load("example:recycling_robot")), ["return", "advantage"], episodes=200)
    write_picture(GradientReport(study), path)
    first = path.read_bytes()
    write_picture(GradientReport(study), path)
    assert path.read_bytes() == first
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix])
    if suffix == "svg":
        text = first.decode()
        for said in ("recycling robot", "along the gradient", "advantage", "means of 200 episodes"):
            assert said in text
