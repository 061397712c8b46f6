"""Comparisons measure what they say: errors against rational answers, losses of policies, assertions."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numba
import numpy as np
import pytest

import tabular_rl
from tabular_rl import MDP, Policy
from tabular_rl.analysis.assertion import Assertion
from tabular_rl.analysis.comparison import Compared, Comparison, compare, fitting_methods, policy_loss
from tabular_rl.certificates.intervals import error_between
from tabular_rl.errors import NotAnswerable, OptionError
from tabular_rl.formats import load
from tabular_rl.methods.ask import reference

HIGH, LOW = Fraction(1000, 59), Fraction(900, 59)  # the recycling robot, see test_report_tables.py


@pytest.fixture(scope="module")
def robot():
    return load("example:recycling_robot")


def test_reference_of_a_small_model_is_rational(robot):
    assert reference(robot).exact == (HIGH, LOW)


def test_errors_are_exact_where_the_reference_is(robot):
    best = reference(robot)
    off = replace(best, v=np.array([float(HIGH) + 0.25, float(LOW)]), exact=None)
    low, high = error_between(best, off)
    assert low <= abs(Fraction(off.v[0]) - HIGH) <= high
    assert high - low < 1e-15


def test_errors_against_an_interval_are_bounded_from_both_sides(robot):
    best = tabular_rl.solve(robot)
    off = replace(best, v=best.v + np.array([0.25, 0.0]))
    low, high = error_between(best, off)
    assert low <= float(abs(Fraction(off.v[0]) - HIGH)) <= high


def test_loss_of_a_policy_is_exact(robot):
    # Always wait: 1 / (1 - 0.9) = 10 everywhere; the best is 1000/59.
    loss, ends = policy_loss(
        robot, reference(robot), Policy.of_actions(robot, {"high": "wait", "low": "wait"})
    )
    assert ends
    assert loss == (pytest.approx(float(HIGH - 10)),) * 2


def test_policies_that_never_end_are_told():
    mdp = load("example:gridworld_4x4")
    up = Policy.of_actions(mdp, np.where(mdp.terminal, -1, mdp.actions.index("up")))
    assert policy_loss(mdp, reference(mdp), up) == ((math.inf, math.inf), False)


def test_costs_lose_in_their_own_sign():
    mdp = MDP([[[1.0], [1.0]]], [[3.0, 2.0]], "1/2", sense="min")
    assert policy_loss(mdp, reference(mdp), Policy.of_actions(mdp, [0]))[0] == (2.0, 2.0)  # 6 against 4


def test_every_fitting_method_is_run(robot):
    found = compare(robot)
    assert [row.method for row in found.rows] == fitting_methods(robot, "control")
    assert all(row.error[1] <= 1e-6 and row.loss == (0.0, 0.0) for row in found.rows)


def test_evaluations_are_compared_for_a_policy(robot):
    found = compare(robot, policy=Policy.uniform(robot))
    assert {row.solution.task for row in found.rows} == {"prediction"}
    assert all(row.loss is None and row.error[1] <= 1e-6 for row in found.rows)


def test_methods_that_do_not_fit_are_refused_by_name(robot):
    with pytest.raises(NotAnswerable, match="backward-induction"):
        compare(robot, ["backward-induction"])
    with pytest.raises(OptionError, match="no such method"):
        compare(robot, ["value-iteratoin"])


def found_with(robot, error):
    best = reference(robot)
    return Comparison(best, (Compared(replace(best, method="value-iteration"), error, (0.0, 0.5)),))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("value-iteration < 0.2", True),
        ("value-iteration < 0.1", False),
        ("value-iteration <= 0.125", True),
        ("value-iteration > 0.06", True),
        ("value-iteration > 0.1", False),
        ("value-iteration.loss < 1", True),
        ("value-iteration.bound <= 1e-3", True),
        ("value-iteration.error<1/2", True),
    ],
)
def test_assertions_hold_where_they_are_proven(robot, text, holds):
    assert Assertion.of(text).holds(found_with(robot, (0.0625, 0.125))) is holds


@pytest.mark.parametrize(
    "text",
    ["", "value-iteration", "value-iteration < x", "value-iteration = 1", "a.b < 1", "value-iteration < nan"],
)
def test_assertions_that_make_no_sense_are_refused(text):
    with pytest.raises(OptionError, match="assert"):
        Assertion.of(text)


def test_assertions_about_other_methods_are_refused(robot):
    with pytest.raises(OptionError, match="did you mean 'value-iteration'"):
        Assertion.of("value-iteratoin < 1").holds(found_with(robot, (0.0, 0.0)))


def test_a_method_that_the_model_is_too_large_for_is_left_out():
    """Linear programming takes 10,000 states at most."""
    S = 10_001
    mdp = MDP.from_rows(
        pair_ptr=np.arange(S + 1), pair_action=np.zeros(S, int), row_ptr=np.arange(S + 1), next_state=np.arange(S),
        prob=np.ones(S), r=np.ones(S), gamma=0.5,
    )  # fmt: skip
    found = fitting_methods(mdp, "control")
    assert "policy-iteration" in found
    assert "linear-programming" not in found
    with pytest.raises(NotAnswerable):
        compare(mdp, ["linear-programming"])


def test_a_comparison_prints_what_the_command_shows():
    """v = 1 + v/2: every method finds 2."""
    mdp = MDP([[[1.0]]], [[1.0]], "1/2", states=["only"])
    found = compare(mdp, ["value-iteration", "policy-iteration"])
    text = str(found)
    assert "reference: exact, in rational arithmetic" in text
    assert "optimal" in text
    assert repr(found) == "Comparison(value-iteration, policy-iteration)"
    learned = compare(mdp, ["q-learning"], steps=10)
    assert "q-learning" in str(learned)
    assert "regret" in str(learned)


def test_options_that_no_method_has_are_refused():
    mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    with pytest.raises(OptionError, match=r"^alpha: compare has no such option; did you mean 'step_size'\?"):
        compare(mdp, ["q-learning", "value-iteration"], alpha=0.1)
    assert compare(mdp, ["q-learning", "value-iteration"], steps=3).curves[0].learned.steps == 3


def test_the_time_of_a_method_leaves_compiling_out(monkeypatch):
    hours = itertools.count(0.0, 3600.0)
    monkeypatch.setattr("tabular_rl.analysis.comparison._compiling", lambda: next(hours))
    (row,) = compare(load("example:recycling_robot"), ["value-iteration"]).rows
    assert row.solution.seconds == 0


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_compiling_is_counted():
    from tabular_rl.kernels import _jit

    before = _jit.compiling()
    numba.njit(lambda x: x + 1)(1)
    assert _jit.compiling() > before
