"""A problem that the package does not know, average reward, is one Problem, a certifier and a method: planted here."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import tabular_rl as t
from tabular_rl import MDP, Policy, Solution
from tabular_rl.analysis.comparison import fitting_methods
from tabular_rl.certificates import CERTIFIERS, certifier
from tabular_rl.certificates.base import Certifier
from tabular_rl.certificates.certificate import Certificate
from tabular_rl.certificates.conclusion import conclude
from tabular_rl.methods import lookup
from tabular_rl.model.problem import DISCOUNTED, FINITE, PROBLEMS, TOTAL, Problem
from tabular_rl.model.rounding import down, shared_error, up
from tabular_rl.solving.method import method
from tabular_rl.solving.options import Sweeps
from tabular_rl.solving.run import Run

AVERAGE = Problem(
    "average-reward",
    asked_by=lambda mdp: mdp.gamma_exact == 1 and mdp.source == "average",
    short="average reward",
    long="average reward a step",
    value="gain",
    beside=("bias",),
)


class AverageCertifier(Certifier):
    """min_s (T h - h)(s) ≤ g* ≤ max_s (T h - h)(s) for any h (Odoni 1969), and the same of g_π with T_π."""

    apart = False

    def begin(self, v, beside):
        return beside.get("bias", v)

    def certificate(self, v, rows=None, decide=False):
        h = self.checked(v)
        best, self.rows = np.empty(self.mdp.S), np.empty(self.mdp.S, dtype=self.mdp.pair_ptr.dtype)
        if self.policy is None:
            self.sweeper.optimal(h, best, self.rows)
        else:
            self.sweeper.policy(self.policy, h, best)
        low, high = self.sweeper.span(best - h)
        error = shared_error(self.mdp, self.sweeper.norm(h))
        return Certificate(
            np.full(self.mdp.S, down(down(low) - error)), np.full(self.mdp.S, up(up(high) + error))
        )


@method(
    family="planning",
    equation="g + h(s) = max_a [ r(s,a) + Σ_s' p(s'|s,a) h(s') ]",
    source="Puterman (1994), section 8.5",
    problems=(AVERAGE,),
)
def relative_value_iteration(mdp: MDP, *, sweeps: Sweeps = 100) -> Solution:
    """Find the average reward a step of the best policy, in a model that is one class."""
    run, judge = Run("relative-value-iteration", {"tolerance": 1e-6}), certifier(mdp)
    h, out, rows = np.zeros(mdp.S), np.zeros(mdp.S), np.zeros(mdp.S, dtype=mdp.pair_ptr.dtype)
    for _ in range(sweeps):
        judge.sweeper.optimal(h, out, rows)
        h = out - out[0]
        run.did("sweeps")
    certificate = judge.certificate(h)
    policy, bias = Policy(mdp, rows=judge.rows), {"bias": mdp.sign * h}
    return conclude(run, mdp, certificate, task="control", policy=policy, extra=bias)


def model(sense="max"):
    """Half of the time in each of two states, which pay 1 and 3: 2 a step. To do nothing pays less."""
    sign = 1 if sense == "max" else -1
    stay = [("a", "go", x, "1/2", sign) for x in "ab"] + [("b", "go", x, "1/2", 3 * sign) for x in "ab"]
    return MDP.from_outcomes([*stay, ("a", "rest", "a", 1, sign)], 1, sense=sense).replace(source="average")


@pytest.fixture
def planted(monkeypatch):
    monkeypatch.setattr("tabular_rl.model.problem.PROBLEMS", [AVERAGE, *PROBLEMS])
    monkeypatch.setitem(CERTIFIERS, AVERAGE, AverageCertifier)
    for table in (lookup.METHODS, lookup.PLANNERS):
        monkeypatch.setitem(table, relative_value_iteration.name, relative_value_iteration)


def test_a_problem_is_its_name_and_knows_the_shape_of_its_values():
    mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    assert mdp.problem == "discounted" and mdp.problem is DISCOUNTED and mdp.problem.contracts
    assert mdp.replace(horizon=3).problem is FINITE and FINITE.shape(mdp.replace(horizon=3)) == (4, 1)
    ends = MDP.from_outcomes([("s", "go", "end", 1, 1)], 1, terminal=["end"])
    assert (
        ends.problem is TOTAL and TOTAL.must_end and not TOTAL.contracts and ends.problem.shape(ends) == (2,)
    )
    assert f"{mdp.problem}" == "discounted" and {"discounted": 1}[mdp.problem] == 1
    assert json.dumps(ends.problem) == '"total-reward"' and isinstance(ends.problem, str)


def test_every_problem_has_a_certifier():
    assert set(CERTIFIERS) == set(PROBLEMS)


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("sense", ["max", "min"])
def test_a_planted_problem_is_solved_proven_and_printed(sense):
    mdp = model(sense)
    assert mdp.problem == "average-reward" and "average reward a step;" in str(mdp)
    answer = t.solve(mdp, "relative-value-iteration")
    gain = 2 if sense == "max" else -2
    assert answer.status.name == "CERTIFIED" and answer.bound < 1e-12
    assert (answer.lower <= gain).all() and (gain <= answer.upper).all()
    assert answer.policy["a"] == "go"
    assert answer.extra["bias"].tolist() == [0, gain]  # h(b) - h(a) = 3 - 1 by the equation
    lines = [line.split() for line in str(answer).splitlines()]
    assert ["state", "gain", "±", "bias", "action"] in lines
    assert next(line for line in lines if line[:1] == ["b"])[-2:] == [str(gain), "go"]
    assert "average reward" in str(answer)


@pytest.mark.usefixtures("planted")
def test_a_planted_problem_is_refused_by_what_does_not_solve_it(tmp_path):
    mdp = model()
    assert fitting_methods(mdp, "control") == ["relative-value-iteration"]
    assert fitting_methods(mdp, "prediction") == []
    for name, other in lookup.METHODS.items():
        assert (other.refuses(mdp) is None) == (name == "relative-value-iteration"), name
    with pytest.raises(t.NotAnswerable, match="this is a average-reward one"):
        t.solve(mdp)
    with pytest.raises(t.NotAnswerable, match="solves average-reward problems, and this is a discounted one"):
        t.solve(mdp.replace(gamma="1/2"), "relative-value-iteration")
    t.solve(mdp, "relative-value-iteration").save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["problem"] == "average-reward"


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("sense", ["max", "min"])
def test_an_answer_to_a_planted_problem_is_judged_by_its_certifier(sense, tmp_path):
    mdp = model(sense)
    answer = t.solve(mdp, "relative-value-iteration")
    answer.save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["bias"] == answer.extra["bias"].tolist()
    for right in (answer, tmp_path / "a.json"):
        verdict = t.verify(mdp, right)
        assert verdict.proven
        assert verdict.error < 1e-12
        assert verdict.loss < 1e-12
    wrong = replace(answer, v=answer.v + 0.1)
    assert t.verify(mdp, wrong).wrong == ("a", "b")
    # To rest earns 1 a step where it is done, and never leads on: 1 in a, by the bias at most 2 in all.
    lazy = replace(answer, policy=Policy.of_actions(mdp, {"a": "rest", "b": "go"}))
    assert not t.verify(mdp, lazy).proven
    assert "action rest" in t.verify(mdp, lazy).action
    # Gains without a bias are no h to prove them with, and no other method has one.
    assert not t.verify(mdp, answer.v).proven
    assert not t.verify(mdp, answer.v).wrong
