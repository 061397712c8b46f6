"""Backward induction against problems that are done by hand."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import reference
from random_models import random_model

from tabular_rl import MDP, NotAnswerable, NumericalError, Policy, Status, policy_evaluation
from tabular_rl.formats import load
from tabular_rl.methods.planning.backward_induction import backward_induction
from tabular_rl.solving.sweeps import Sweeper

MODELS = Path(__file__).resolve().parents[2] / "mdps"
pytestmark = pytest.mark.small


def test_asset_selling_by_hand():
    """Offers 1 .. 6 with a die, three throws at most: keep a 4 with two throws left? E = 3.5, 4.25, 14/3."""
    offers = range(1, 7)
    rows = [(x, "sell", "sold", 1, x) for x in offers]
    rows += [(x, "wait", y, "1/6", 0) for x in offers for y in offers]
    # At the last decision waiting is worth nothing, so every offer is taken.
    mdp = MDP.from_outcomes(rows, 1, terminal=["sold"], horizon=3, states=[*offers, "sold"])
    answer = backward_induction(mdp)
    last, before, first = Fraction(7, 2), Fraction(17, 4), Fraction(14, 3)
    assert answer.v[2, :6].tolist() == [1, 2, 3, 4, 5, 6]
    assert answer.v[1, :6] == pytest.approx([max(x, float(last)) for x in offers])
    assert answer.v[0, :6] == pytest.approx([max(x, float(before)) for x in offers])
    assert np.mean(answer.v[0, :6]) == pytest.approx(float(first))
    assert answer.policy["4"] == ["wait", "sell", "sell"]
    assert answer.policy["5"] == ["sell"] * 3
    assert answer.policy["3"] == ["wait", "wait", "sell"]
    assert answer.policy["sold"] == [None] * 3


def test_secretary_problem_by_hand():
    """Four candidates: skip the first, take the next best so far, succeed with probability 11/24."""
    n = 4
    rows = []
    for k in range(1, n + 1):
        best, other = f"{k} best", f"{k} other"
        later = (
            [(f"{k + 1} best", Fraction(1, k + 1)), (f"{k + 1} other", Fraction(k, k + 1))]
            if k < n
            else [("end", Fraction(1))]
        )
        rows.append((best, "take", "end", 1, Fraction(k, n)))
        for state in (best, other):
            rows += [(state, "pass", to, p, 0) for to, p in later]
    mdp = MDP.from_outcomes(rows, 1, terminal=["end"], horizon=n)
    answer = backward_induction(mdp)
    assert answer["1 best"][0] == pytest.approx(11 / 24)
    assert [answer.policy[f"{k} best"][k - 1] for k in range(1, n + 1)] == ["pass", "take", "take", "take"]


def test_putermans_inventory():
    """Puterman (1994), section 4.6.1: 67/16, 129/16, 194/16, 227/16 with three decisions left."""
    answer = backward_induction(load(MODELS / "inventory_horizon.toml"))
    assert answer.v[0] == pytest.approx([67 / 16, 129 / 16, 194 / 16, 227 / 16], abs=1e-12)
    assert answer.v[2] == pytest.approx([0, 5, 6, 5], abs=1e-12)


def test_one_decision_is_the_best_reward_and_what_is_left():
    mdp = MDP(
        [[[1, 0], [0, 1]], [[1, 0], [0, 1]]],
        [[1, 0], [5, 4]],
        "1/2",
        horizon=1,
        final_reward=[2, 8],
        axes="sas",
    )
    answer = backward_induction(mdp)
    assert answer.v.tolist() == [[4, 8], [2, 8]]
    assert answer.policy.actions.tolist() == [[1, 1]]
    assert answer.q.tolist() == [[2, 4, 6, 8]]
    assert backward_induction(mdp.replace(sense="min")).v.tolist() == [[2, 6], [2, 8]]


def test_tie_is_listed_and_the_lowest_action_taken():
    mdp = MDP([[[1.0], [1.0], [1.0]]], [[2, 2, 1]], 1, horizon=2)
    answer = backward_induction(mdp)
    assert answer.optimal_actions.tolist() == [[True, True, False]] * 2
    assert answer.policy.actions.tolist() == [[0], [0]]
    assert not answer.proven_optimal.any()


def test_optimality_is_proven_from_a_time_on():
    """A tie at the last decision leaves the first one open only where it leads there."""
    P = [[[0, 1, 0], [0, 0, 1]], [[0, 1, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 1]]]
    mdp = MDP(P, [[3, 0], [1, 1], [2, 1]], 1, horizon=2)
    answer = backward_induction(mdp)
    assert answer.proven_optimal.tolist() == [[False, False, True], [True, False, True]]
    assert answer.v[0].tolist() == [4, 2, 4]


def test_long_horizon_stays_within_its_bound():
    for seed in range(3):
        mdp = random_model(
            seed, "finite-horizon", exact=seed == 0, S=4, gamma="1" if seed else "99/100"
        ).replace(horizon=200)
        answer = backward_induction(mdp)
        truth = reference.exact_optimal_value(mdp)
        for t in (0, 77, 199):
            pairs = zip(answer.lower[t].tolist(), truth[t], answer.upper[t].tolist(), strict=True)
            assert all(a <= x <= b for a, x, b in pairs)
        assert answer.status is Status.CERTIFIED


def test_value_that_overflows_is_an_error_that_names_the_state():
    mdp = MDP([[[1.0]]], [[1e300]], 1, horizon=10, final_reward=[1.7976931348623157e308], states=["rich"])
    with pytest.raises(NumericalError, match=r"overflow at state 'rich'"):
        backward_induction(mdp)


def test_model_without_a_horizon_is_refused():
    with pytest.raises(
        NotAnswerable, match="backward-induction solves finite-horizon problems, and this is a discounted one"
    ):
        backward_induction(MDP([[[1.0]]], [[1.0]], 0.5))


def test_values_and_their_proof_are_one_sweep_a_time_step(monkeypatch):
    mdp = random_model(3, "finite-horizon", S=5)
    calls, kept = [], Sweeper.each
    monkeypatch.setattr(Sweeper, "each", lambda *a: calls.append(0) or kept(*a))
    assert backward_induction(mdp).work["sweeps"] == len(calls) == mdp.horizon
    del calls[:]
    assert policy_evaluation(mdp, Policy.uniform(mdp)).work["sweeps"] == len(calls) == mdp.horizon
