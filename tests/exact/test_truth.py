"""Exact values are judged in fractions: those that solve the equation are the truth, and no others."""

from __future__ import annotations

import json
import random
import re
from fractions import Fraction as F

import pytest
import reference
from program import inside
from random_models import TOTAL, random_model, random_policy

import tabular_rl as t
import tabular_rl.analysis.verify as verification
from tabular_rl import MDP, Policy
from tabular_rl.methods.exact._truth import where_unsolved
from tabular_rl.model.rationals import long_fraction, spell

# From "s" the end is reached with 1e-12 a step, for 1, and so is "lost", for 0: the value is .5.
TRY = MDP.from_outcomes(
    [
        ("s", "try", "end", F(1, 10**12), 1),
        ("s", "try", "lost", F(1, 10**12), 0),
        ("s", "try", "s", 1 - F(2, 10**12), 0),
    ],
    1,
    terminal=["end", "lost"],
)


def flat(values):
    return [x for row in values for x in row] if isinstance(values[0], (list, tuple)) else list(values)


@pytest.mark.parametrize("problem", ["discounted", "total-reward", "finite-horizon"])
@pytest.mark.parametrize("sense", ["max", "min"])
def test_the_truth_solves_the_equation_and_nothing_beside_it(problem, sense):
    for seed in range(12):
        rng = random.Random(f"truth {seed}")
        mdp = random_model(
            seed, problem, sense=sense, exact=seed % 3 > 0, S=4, kind=TOTAL[seed % 4], ends=1 + seed % 2
        )
        cases = [(None, flat(reference.exact_optimal_value(mdp)))]
        if problem != "total-reward" or TOTAL[seed % 4] == "proper":
            policy = random_policy(mdp, seed, stochastic=seed % 2 == 0)
            cases.append((policy, flat(reference.exact_policy_value(mdp, policy))))
        for policy, values in cases:
            assert where_unsolved(mdp, values, policy) is None, mdp.name
            for at in range(len(values)):
                moved = list(values)
                moved[at] += rng.choice([-1, 1]) * F(1, 10**30)
                assert where_unsolved(mdp, moved, policy) is not None, (mdp.name, at)


def test_a_second_solution_at_discount_1_is_not_the_truth():
    """Stay for 0 or leave for -1: v = max(0 + v, -1) holds for every v ≥ -1, and v* = 0. For 1: v* = 1 alone."""
    for leave, truth in ((-1, 0), (1, 1)):
        mdp = MDP.from_outcomes(
            [("s", "stay", "s", 1, 0), ("s", "leave", "end", 1, leave)], 1, terminal=["end"]
        )
        for x in (-1, 0, 1, 5):
            assert (where_unsolved(mdp, [F(x), F(0)]) is None) == (x == truth)
        stay = Policy.of_actions(mdp, {"s": "stay"})
        assert [where_unsolved(mdp, [F(x), F(0)], stay) is None for x in (0, 1)] == [True, False]
    two = MDP.from_outcomes(
        [("a", "go", "b", 1, 0), ("b", "go", "a", 1, 0), ("b", "leave", "end", 1, 1)], 1, terminal=["end"]
    )
    assert where_unsolved(two, [F(1), F(1), F(0)]) is None
    assert where_unsolved(two, [F(0), F(1), F(0)]) == 1  # not the value of a: one component of reward 0


def test_exact_answers_are_proven_where_floats_are_too_coarse(tmp_path, capsys):
    t.solve(TRY, method="rational").save(tmp_path / "a.json")
    t.save(TRY, tmp_path / "try.toml")
    done = inside(capsys, "verify", tmp_path / "try.toml", tmp_path / "a.json")
    assert done.code == 0
    assert "values: within" not in done.err
    verdict = t.verify(TRY, {"s": 0.5})  # of a file from elsewhere: rational arithmetic finds the truth
    assert verdict
    assert verdict.error < 1e-15
    assert t.verify(TRY, {"s": 0.501}).wrong == ("s",)
    assert t.verify(TRY, [0.5, 0.0, 0.0], policy=Policy.uniform(TRY))
    assert t.verify(TRY, t.evaluate(TRY, Policy.uniform(TRY), method="rational-evaluation"))


@pytest.mark.parametrize("sense", ["max", "min"])
@pytest.mark.parametrize("states", [100, 0])
def test_an_exact_value_that_is_off_is_a_false_claim(monkeypatch, tmp_path, capsys, states, sense):
    """By 1e-12, which no float of the sweep could see."""
    monkeypatch.setattr(verification, "RATIONAL_STATES", states)
    mdp = MDP.from_outcomes(
        [("a", "go", "b", 1, 2), ("b", "go", "a", F(1, 3), 1), ("b", "go", "end", F(2, 3), 0)], "9/10",
        terminal=["end"], sense=sense,
    )  # fmt: skip
    b = F(1, 3) * (1 + F(9, 10) * 2) / (1 - F(81, 100) / 3)  # a = 2 + .9 b, b = (1 + .9 a) / 3
    answer = t.solve(mdp, method="rational")
    assert answer.exact == (2 + F(9, 10) * b, b, 0)
    answer.save(tmp_path / "a.json")
    t.save(mdp, tmp_path / "m.toml")
    assert inside(capsys, "verify", tmp_path / "m.toml", tmp_path / "a.json").code == 0
    document = json.loads((tmp_path / "a.json").read_text())
    document["exact"][1] = spell(b + F(1, 10**12))
    (tmp_path / "a.json").write_text(json.dumps(document))
    done = inside(capsys, "verify", tmp_path / "m.toml", tmp_path / "a.json")
    says = f"the truth is {b}" if states else "which does not solve Bellman's equation"
    assert done.code == 1
    assert f"state {'b' if states else 'a'}: exact: found" in done.out
    assert says in done.out


def test_the_loss_of_a_policy_is_judged_in_fractions():
    """Floats cannot tell 1e-12 a step for 1 from 1e-12 a step for 1 - 1e-5; fractions can, and by how much."""
    rows = [
        ("s", a, to, p, r) for a, r in (("best", 1), ("worse", 1 - F(1, 10**5)))
        for to, p in (("end", F(1, 10**12)), ("s", 1 - F(1, 10**12)))
    ]  # fmt: skip
    mdp = MDP.from_outcomes(
        [(s, a, to, p, r if to == "end" else 0) for s, a, to, p, r in rows], 1, terminal=["end"]
    )
    answer = t.solve(mdp, method="rational")
    assert t.verify(mdp, answer).loss == 0
    worse = t.Solution(
        mdp, answer.v, Policy.of_actions(mdp, {"s": "worse"}), answer.status, "by hand", "control"
    )
    assert t.verify(mdp, worse).loss == pytest.approx(1e-5, rel=1e-9)
    assert not t.verify(mdp, worse)
    assert t.verify(mdp, worse, tolerance=2e-5)


def test_fractions_of_thousands_of_digits_are_read_back(tmp_path, capsys):
    """1 + 3**-4000 + 7**-3000 / 2: a denominator of 4,445 digits, where Python reads and writes 4,300."""
    x, y = F(1, 3**4000), F(1, 7**3000)
    mdp = MDP.from_outcomes([("a", "go", "b", 1, 1 + x), ("b", "go", "end", 1, y)], "1/2", terminal=["end"])
    t.save(mdp, tmp_path / "m.toml")
    model, answer = tmp_path / "m.toml", tmp_path / "a.json"
    assert inside(capsys, "solve", model, "--exact", "-q", "-o", answer).code == 0
    text = json.loads(answer.read_text())["exact"][0]
    assert len(text) > 8000
    assert long_fraction(text) == 1 + x + y / 2
    assert inside(capsys, "verify", model, answer).code == 0
    assert inside(capsys, "solve", model, "--start-from", answer).code == 0
    for wrong in ("1/" + "0" * 5000, "1" * 5000 + ".5", "1" * 200_001, "1" * 4500 + "/-3"):
        with pytest.raises(ValueError, match="^" + re.escape(wrong)):
            long_fraction(wrong)
