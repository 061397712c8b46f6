"""What is measured against an answer that is not proven: nothing, or with its interval beside the number."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from program import inside
from sized_models import far_ends

import tabular_rl
from tabular_rl import MDP, Policy, Status, compare, evaluate, gradient_ascent, solve
from tabular_rl.analysis.regret import regret
from tabular_rl.methods.learning.q_learning import q_learning
from tabular_rl.methods.learning.td0 import td0
from tabular_rl.solving.solution import good_enough, why_not

CHAIN = MDP.from_outcomes(
    [("a", "go", "b", 1, 0), ("b", "go", "end", "1/2", 2), ("b", "go", "a", "1/2", 0)], 1, terminal=["end"]
)  # v = 2 in both states
PROVEN = evaluate(CHAIN, Policy.uniform(CHAIN))


def unproven(bound, status=Status.FLOATS_SPENT, answer=PROVEN):
    """An answer with 2 ± bound for the values: what floats left over."""
    off = np.where(CHAIN.terminal, 0.0, bound)
    return replace(answer, status=status, bound=bound, lower=2 * (off > 0) - off, upper=2 * (off > 0) + off)


@pytest.mark.parametrize(
    ("status", "bound", "good", "why"),
    [
        (Status.CERTIFIED, 1e-9, True, None),
        (Status.EXACT, 0.0, True, None),
        (Status.CERTIFIED, 0.5, True, None),  # as was asked; the interval is shown
        (Status.FLOATS_SPENT, 0.001, True, None),
        (Status.FLOATS_SPENT, 4.6, False, "the exact answer is proven only to within 4.6"),
        (Status.FLOATS_SPENT, math.inf, False, "the exact answer is not proven"),
        (Status.BUDGET_SPENT, 0.5, False, "the exact answer is proven only to within 0.5"),
        (Status.TIME_SPENT, 0.5, False, "the exact answer was not found in time"),
        (Status.SAMPLED, math.inf, False, "the exact answer is not proven"),
    ],
)
def test_which_answers_are_good_enough(status, bound, good, why):
    answer = replace(PROVEN, status=status, bound=bound)  # the largest value is 2
    assert good_enough(answer) is good
    assert good or why_not(answer) == why


def test_learners_measure_nothing_against_what_is_not_proven():
    policy = Policy.uniform(CHAIN)
    for bound in (4.6, math.inf):
        learned = td0(CHAIN, policy, steps=100, reference=unproven(bound))
        assert learned.reference is None and learned.truth is None and math.isnan(learned.truth_bound)
        assert np.isnan(learned.sup_error).all() and np.isnan(learned.rms_error).all()
        assert any(v.endswith("so that no errors are known") for v in learned.verdicts)
        assert "largest error" not in str(learned)
    known = td0(CHAIN, policy, steps=100, reference=PROVEN)
    assert (
        known.truth_bound == PROVEN.bound
        and "largest error" in str(known)
        and "as the exact" not in str(known)
    )


def test_an_error_is_shown_with_the_interval_of_what_it_is_measured_against():
    learned = td0(CHAIN, Policy.uniform(CHAIN), steps=100, reference=unproven(2.0**-9))
    assert learned.truth_bound == 2.0**-9
    text = str(learned)
    assert "largest error, ± 0.002 as the exact values are known" in text
    assert "root mean square error, ± 0.002 as the exact values are known" in text
    assert re.search(r"start value, exact +2(\.0+)? ± 0\.002", text), text


def test_learners_find_out_by_themselves():
    # 321 states, of which the ends are 2**160 steps away: no method in floats proves the values.
    mdp = far_ends(160)
    learned = td0(mdp, Policy.uniform(mdp), steps=100)
    assert learned.reference is None
    assert "the exact answer is not proven, so that no errors are known" in learned.verdicts
    found = compare(mdp, ["td0"], Policy.uniform(mdp), steps=100)
    assert not good_enough(found.reference) and np.isnan(found.curves[0].learned.sup_error).all()
    (row,) = compare(mdp, ["policy-evaluation,sweeps=10"], Policy.uniform(mdp)).rows
    assert row.error == (0.0, math.inf)  # nothing is known of it


def test_regret_needs_a_best_answer_that_is_proven(monkeypatch):
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], "1/2", axes="sas")
    best = solve(mdp)
    learned = q_learning(mdp, steps=100, explore="epsilon-greedy:1")
    assert regret(learned).regret.tolist() == [0.0]
    vague = replace(best, status=Status.FLOATS_SPENT, bound=1.0)
    found = regret(replace(learned, reference=vague))
    assert found.earned.tolist() == [2.0] and np.isnan(found.regret).all()
    monkeypatch.setattr("tabular_rl.methods.planning.auto.auto", lambda *a, **k: vague)
    ascent = gradient_ascent(mdp, steps=1)
    assert math.isnan(ascent.regret) and math.isnan(ascent.J_optimal) and ascent.J > 1


@pytest.mark.parametrize(
    ("bound", "shown"), [(4.6, "not proven: from -2.60"), (math.inf, "not proven: not known")]
)
def test_simulate_names_no_exact_value_that_is_not_proven(capsys, tmp_path, monkeypatch, bound, shown):
    path = tmp_path / "chain.toml"
    tabular_rl.save(CHAIN, path)
    monkeypatch.setattr("tabular_rl.analysis.simulation._exact_value", lambda *a: (unproven(bound), ""))
    done = inside(capsys, "simulate", path, "--episodes", 100)
    (line,) = [line for line in done.out.splitlines() if line.startswith("exact value")]
    assert shown in line and "±" not in line
    found = json.loads(inside(capsys, "simulate", path, "--episodes", 100, "--json").out)
    assert found["exact_value"] is None and found["exact_status"] == "FLOATS_SPENT"
    low, high = found["exact_interval"]
    assert (low, high) == (None, None) if bound == math.inf else low <= -2.6 <= 6.6 <= high


def test_compare_says_that_its_reference_is_not_proven(capsys, tmp_path, monkeypatch):
    path = tmp_path / "chain.toml"
    tabular_rl.save(CHAIN, path)
    for bound, what in ((4.6, "proven to within 4.6"), (math.inf, "not proven")):
        monkeypatch.setattr("tabular_rl.analysis.comparison.reference", lambda *a, b=bound, **k: unproven(b))
        done = inside(capsys, "compare", path, "--policy", "uniform", "--method", "linear-solve", "--method", "td0",
                      "--steps", 100)  # fmt: skip
        assert (
            f"linear-solve, {what}" in done.out
            and "errors are intervals, and those of learners are not known" in done.out
        )
    found = json.loads(
        inside(capsys, "compare", path, "--policy", "uniform", "--method", "linear-solve", "--json").out
    )
    assert found["reference"]["status"] == "FLOATS_SPENT"
