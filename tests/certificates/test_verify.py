"""`verify` takes an answer in any form, and its verdict says what is proven. The models are worked out by hand."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

import tabular_rl as t

# Stay for 1 a step or leave for 3, γ = 1/2: v*(s) = max(1 + v/2, 3) = 3; staying forever is worth 2.
MODEL = t.MDP.from_outcomes([("s", "stay", "s", 1, 1), ("s", "leave", "end", 1, 3)], "1/2", terminal=["end"])
STAY = t.Policy.of_actions(MODEL, {"s": "stay"})


@pytest.mark.parametrize(
    "answer", [{"s": 3}, {"s": 3.0, "end": 0.0}, [3.0, 0.0], np.array([3, 0]), t.solve(MODEL)]
)
def test_right_values_are_proven_in_any_form(answer):
    verdict = t.verify(MODEL, answer)
    assert verdict
    assert verdict.proven
    assert verdict.error <= 1e-6
    assert verdict.wrong == ()
    assert str(verdict).splitlines()[1] == "proven within the tolerance 1e-06"


def test_a_file_is_read(tmp_path):
    t.solve(MODEL).save(tmp_path / "a.json")
    assert t.verify(MODEL, tmp_path / "a.json")
    assert t.verify(MODEL, str(tmp_path / "a.json"))


def test_wrong_values_are_named():
    verdict = t.verify(MODEL, {"s": 3.5})
    assert not verdict
    assert verdict.wrong == ("s",)
    assert "found the value 3.5" in verdict.reason
    assert verdict.lower[0] <= 3 <= verdict.upper[0]
    # The sweep proves 2.5 to 3: a backup of 3.5 gives 3, and the residual of -1/2 may come twice. Fractions know it.
    assert t.verify(MODEL, {"s": 3.5}, tolerance=1.1)
    assert t.verify(MODEL, {"s": 3.5}, tolerance=0.500001)
    assert not t.verify(MODEL, {"s": 3.5}, tolerance=0.499999)
    assert t.verify(MODEL, {"s": 3.5}, tolerance=0.4, relative=True)  # 0.4 · 3.5 = 1.4


def test_values_of_a_policy_are_judged_as_such():
    assert t.verify(MODEL, [2.0, 0.0], policy=STAY)
    assert not t.verify(MODEL, [2.0, 0.0])
    assert t.verify(MODEL, t.evaluate(MODEL, STAY)).task == "prediction"


def test_loss_of_a_policy_is_proven():
    """Whoever stays gets 2 of 3."""
    answer = t.solve(MODEL)
    verdict = t.verify(MODEL, t.Solution(MODEL, answer.v, STAY, answer.status, "by hand", "control"))
    assert not verdict
    assert verdict.loss == pytest.approx(1.0, abs=1e-9)
    assert "leave" in verdict.action


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"x": 1}, "'x': no such state"),
        ({"s": "many"}, "answer: state 's': found 'many', expected a finite number"),
        ([1.0], r"answer: found shape \(1,\), expected values \(2,\)"),
        ([1.0, np.nan], "answer: state 'end': found no finite value"),
        (7, "answer: found int, expected values"),
        (None, "answer: found NoneType, expected values"),
        (t.solve, "answer: found function, expected a Solution"),
        (t.solve(MODEL.replace(gamma="1/4")), "answer: found an answer to another model"),
    ],
)
def test_what_is_no_answer_is_refused_in_one_line(answer, says):
    with pytest.raises((t.OptionError, t.ModelError), match=says) as error:
        t.verify(MODEL, answer)
    assert "\n" not in str(error.value)


def test_values_of_a_horizon_have_a_row_a_time():
    """Two decisions of 1 each, undiscounted: 2, 1, 0."""
    mdp = t.MDP([[[1.0]]], [[1.0]], 1, horizon=2)
    assert t.verify(mdp, [[2.0], [1.0], [0.0]])
    assert not t.verify(mdp, [[2.5], [1.0], [0.0]])
    with pytest.raises(t.OptionError, match=r"expected values \(3, 1\)"):
        t.verify(mdp, [2.0])


# 10¹⁵ a step at γ = 1/4 is worth 4/3 · 10¹⁵; the float nearest to it is 1/12 less, and the next one is 1/4 away.
LARGE = t.MDP.from_outcomes([("s", "go", "s", 1, 10**15)], "1/4")
NEAREST = 1333333333333333.25


def test_values_are_measured_against_the_fraction_and_not_against_the_floats_around_it():
    verdict = t.verify(LARGE, [NEAREST], tolerance=0.084)
    assert verdict
    assert 1 / 12 <= verdict.error < 0.08334
    assert not t.verify(LARGE, [NEAREST], tolerance=0.083)
    verdict = t.verify(LARGE, [NEAREST + 0.25], tolerance=0.17)
    assert verdict
    assert 1 / 6 <= verdict.error < 0.16667
    assert t.verify(LARGE, [NEAREST + 0.25], tolerance=0.166).wrong == ("s",)


def test_coarse_values_do_not_make_a_policy_lose():
    """Nothing is paid, so all values are 0 and no policy loses. From 5 and 4 one sweep proves values up to 9."""
    mdp = t.MDP.from_outcomes([("a", "stay", "a", 1, 0), ("b", "go", "a", 1, 0)], "0.9")
    policy = t.Policy.of_actions(mdp, [0, 1])
    answer = t.Solution(mdp, np.array([5.0, 4.0]), policy, t.Status.CERTIFIED, "by hand", "control")
    verdict = t.verify(mdp, answer, tolerance=6)
    assert verdict
    assert verdict.error > 4.9
    assert verdict.loss < 1e-9


def test_an_exact_answer_is_right_where_no_float_is_near_enough():
    """Its values are the fractions; the floats beside them, half a unit of the last place off, must be the nearest."""
    exact = t.solve(LARGE, method="rational")
    assert exact.exact == (Fraction(4 * 10**15, 3),)
    assert exact.v.tolist() == [NEAREST]
    verdict = t.verify(LARGE, exact, tolerance=1e-9)
    assert verdict
    assert verdict.error == 0.0
    other = dataclasses.replace(exact, v=np.array([NEAREST + 0.25]))
    assert not t.verify(LARGE, other, tolerance=1e-9)
