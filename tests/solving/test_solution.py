"""Solution: values by name, q and the action gap by hand, and words that a reader understands."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping

import numpy as np
import pytest
from random_models import random_model

from tabular_rl import MDP, OptionError, Policy, Solution, Status, Transitions, evaluate, learn, save, solve
from tabular_rl.certificates.certificate import Certificate, largest_width
from tabular_rl.certificates.conclusion import conclude
from tabular_rl.errors import on_command_line
from tabular_rl.formats.answers import read_answer
from tabular_rl.solving.run import Run
from tabular_rl.solving.solution import checked_values

# Wait for 1 (and stay), or sell for 3 and be done; at γ = 1/2: waiting forever is worth 2, selling 3.
MODEL = MDP([[[1, 0], [0, 1]], [[0, 0], [0, 0]]], [[1, 3], [0, 0]], "1/2", states=["owner", "sold"],
            actions=["wait", "sell"], terminal=["sold"], axes="sas")  # fmt: skip


def test_values_by_name():
    answer = solve(MODEL)
    assert answer["owner"] == pytest.approx(3)
    assert type(answer["owner"]) is float
    assert answer["sold"] == 0
    with pytest.raises(KeyError, match="state 'ower': no such state; did you mean 'owner'"):
        answer["ower"]
    assert answer.value_of_start() == pytest.approx(3), (
        "the start is uniform over states that are not terminal"
    )
    assert solve(MODEL.replace(horizon=2))["owner"].tolist() == pytest.approx([3, 3, 0])


@pytest.mark.parametrize("sense", ["max", "min"])
def test_a_value_lies_in_its_own_interval_even_where_that_is_open(sense):
    """3 a step forever at 1 - 10**-17 is 3e17: floats prove a lower bound (an upper one of costs -3) and no other."""
    sign = 1 if sense == "max" else -1
    mdp = MDP([[[1.0]]], [[3.0 * sign]], "0.99999999999999999", sense=sense)
    for answer in (
        solve(mdp, method="value-iteration"), evaluate(mdp, Policy.uniform(mdp), method="policy-evaluation"),
    ):  # fmt: skip
        assert answer.lower[0] <= answer.v[0] <= answer.upper[0]
        assert answer.bound == math.inf
        assert 1e16 < sign * answer.v[0] <= 3e17
        assert "moved to its end" in answer.note
    inside = conclude(
        Run("by hand", {"tolerance": 1e-6}), mdp, Certificate(np.array([1.0]), np.array([math.inf])), task="control",
        policy=None, v=np.array([2.0]),
    )  # fmt: skip
    assert inside.v[0] == 2 * sign
    assert "moved" not in inside.note


def test_q_and_the_action_gap_by_hand():
    answer = solve(MODEL)
    assert answer.q == pytest.approx([1 + 3 / 2, 3])
    assert answer.action_gap == pytest.approx([0.5, math.inf])
    assert answer.q_table[0] == pytest.approx([2.5, 3])
    assert answer.q_table[1].tolist() == [-math.inf] * 2
    costs = solve(MODEL.replace(sense="min"))
    assert costs.q == pytest.approx([1 + 2 / 2, 3])
    assert costs.q_table[1].tolist() == [math.inf] * 2
    assert costs["owner"] == pytest.approx(2)
    assert costs.action_gap[0] == pytest.approx(1)
    timed = solve(MODEL.replace(horizon=2))
    assert timed.q == pytest.approx(np.array([[2.5, 3], [1, 3]]))
    assert timed.q_table.shape == (2, 2, 2)
    assert timed.action_gap[:, 0] == pytest.approx([0.5, 2])


def test_gap_of_costs_is_to_the_next_cheapest():
    three = MDP([[[1.0], [1.0], [1.0]]], [[1.0, 3.0, 10.0]], 0)
    assert solve(three).action_gap == pytest.approx([7])
    assert solve(three.replace(sense="min")).action_gap == pytest.approx([2])


def test_q_of_any_model_is_r_plus_the_discounted_mean():
    for seed in range(5):
        mdp = random_model(seed, S=6)
        v = np.random.default_rng(seed).normal(size=mdp.S)
        v[mdp.terminal] = 0
        assert mdp.backup(v) == pytest.approx(mdp.r + mdp.gamma * (mdp.P @ v))
        garbage = np.where(mdp.terminal, 99.0, v)
        assert np.array_equal(mdp.backup(garbage), mdp.backup(v)), "a terminal state counts 0"


def test_solution_is_frozen_and_its_arrays_read_only():
    answer = solve(MODEL)
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.v = np.zeros(2)
    for array in (answer.v, answer.lower, answer.upper, answer.optimal_actions, answer.proven_optimal):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_repr_is_short():
    answer = solve(MODEL.replace(name="asset"), tolerance=1e-3)
    assert repr(answer).startswith("Solution('asset', policy-iteration, CERTIFIED, bound=")
    assert "states=2" in repr(answer)
    assert "owner" in str(answer)


def test_statuses_are_sentences_with_a_way_out():
    for status in Status:
        assert status.value[0].islower()
        assert len(status.value) > 20
        if not status.reached and status is not Status.INTERRUPTED:
            assert re.search("raise [a-z_]+=|loosen tolerance=", status.value), status
            with on_command_line():
                assert re.search("raise --[a-z-]+|loosen --tolerance", status.value), status
    assert {s for s in Status if s.reached} == {Status.EXACT, Status.CERTIFIED, Status.SAMPLED}


# -- what may be claimed ------------------------------------------------------------------------------------------


def concluded(lower, upper, mdp=MODEL, **more):
    options = {"tolerance": 1e-3} | {x: more.pop(x) for x in ("tolerance", "relative") if x in more}
    certificate = Certificate(np.array(lower), np.array(upper)) if lower is not None else None
    run = Run("m", options)
    run.stopped = more.pop("stopped", None)
    return conclude(run, mdp, certificate, task="control", policy=None, **more)


def test_midpoint_and_half_the_width_are_claimed():
    answer = concluded([1.0, 0.0], [1.5, 0.0])
    assert answer.v.tolist() == [1.25, 0]
    assert 0.25 <= answer.bound <= 0.25 + 1e-15
    turned = concluded([1.0, 0.0], [1.5, 0.0], mdp=MODEL.replace(sense="min"))
    assert turned.v.tolist() == [-1.25, 0]
    assert turned.lower.tolist() == [-1.5, 0]
    assert turned.upper.tolist() == [-1, 0]


def test_bound_covers_the_farther_end():
    """Between two neighbouring floats there is no middle: the value is one of them, and the bound reaches the other."""
    answer = concluded([1.0, 0.0], [1.0 + 2.0**-52, 0.0])
    assert answer.bound >= 2.0**-52


@pytest.mark.parametrize(
    ("width", "more", "status"),
    [
        (1e-4, {}, Status.CERTIFIED),
        (1e-4, {"stopped": "signal"}, Status.CERTIFIED),
        (1e-2, {}, Status.FLOATS_SPENT),  # not stopped by anything: more work would change nothing
        (1e-2, {"stopped": "budget"}, Status.BUDGET_SPENT),
        (1e-2, {"stopped": "time"}, Status.TIME_SPENT),
        (1e-2, {"stopped": "signal"}, Status.INTERRUPTED),
        (1e-2, {"relative": True, "tolerance": 0.1}, Status.CERTIFIED),
        (math.inf, {"stopped": "time", "v": np.array([1.0, 0.0])}, Status.TIME_SPENT),
    ],
)
def test_status_follows_from_the_width_alone(width, more, status):
    answer = concluded([1.0, 0.0], [1.0 + width, 0.0], **more)
    assert answer.status is status
    assert (answer.bound == math.inf) == (width == math.inf)


def test_width_of_exactly_the_tolerance_is_not_claimed_beyond_it():
    """1.001 - 1 is more than 0.001 in exact arithmetic, although not as floats print it."""
    tolerance = 1.001 - 1
    answer = concluded([1.0, 0.0], [1.001, 0.0], tolerance=math.nextafter(tolerance, 0), stopped="budget")
    assert answer.status is Status.BUDGET_SPENT


def test_no_certificate_is_no_bound():
    answer = concluded(None, None, v=np.array([1.0, 0.0]), stopped="time")
    assert answer.bound == math.inf
    assert answer.lower is None
    assert answer.status is Status.TIME_SPENT


def test_what_floats_cannot_prove_is_said():
    certificate = Certificate(np.array([1.0, 0.0]), np.array([1.5, 0.0]), smallest=0.25)
    answer = conclude(Run("m", {"tolerance": 0.1}), MODEL, certificate, task="control", policy=None)
    assert answer.status is Status.FLOATS_SPENT
    assert answer.note == "the smallest tolerance that can be proven here is about 5.3e-01"


def test_largest_width_is_rounded_up_and_knows_infinity():
    a = np.array([0.0, 1.0])
    assert largest_width(a, a) == 0
    assert largest_width(a, a + [0, 0.5]) > 0.5
    assert largest_width(a, np.array([0.0, math.inf])) == math.inf
    assert largest_width(np.array([-math.inf, 0.0]), a) == math.inf
    assert largest_width(np.array([math.inf, 0.0]), np.array([math.inf, 0.0])) == math.inf
    assert largest_width(np.array([math.nan, 0.0]), a) == math.inf


# -- warm starts --------------------------------------------------------------------------------------------------


def test_start_values_are_turned_and_zero_at_terminals():
    assert checked_values(MODEL, [5, 7]).tolist() == [5, 0]
    assert checked_values(MODEL.replace(sense="min"), [5, 7]).tolist() == [-5, 0]
    assert checked_values(MODEL, solve(MODEL))[0] == pytest.approx(3)
    timed = solve(MODEL.replace(horizon=2))
    assert checked_values(MODEL, timed)[0] == pytest.approx(3), "the first decision of a finite horizon"


@pytest.mark.parametrize("wrong", [[1.0], [[1.0, 2.0]], [1.0, math.nan], [1.0, math.inf], 3.0])
def test_start_values_that_do_not_fit_are_refused(wrong):
    with pytest.raises(
        OptionError, match=r"start_from: found shape .*, expected 2 finite values or a Solution"
    ):
        checked_values(MODEL, wrong)


def test_answer_of_another_discount_warms_up():
    first = solve(MODEL, method="value-iteration")
    again = solve(MODEL.replace(gamma="51/100"), method="value-iteration", start_from=first)
    assert isinstance(again, Solution)
    assert again.status is Status.CERTIFIED
    assert isinstance(again.policy, Policy)


def test_answer_and_policy_are_mappings_and_survive_pickle():
    import copy
    import pickle

    mdp = MDP(
        [[[1, 0], [0, 1]], [[0, 1], [0, 0]]], [[1, 0], [3, 0]], "1/2", actions=["stay", "go"], axes="sas"
    )
    answer = solve(mdp, method="rational")
    # Staying in 0 is worth 2, going there 0 + 6/2 = 3; state 1 earns 3 forever: 6.
    assert dict(answer) == {"0": 3.0, "1": 6.0}
    assert "1" in answer
    assert "2" not in answer
    assert dict(answer.policy) == {"0": "go", "1": "stay"}
    assert str(answer.policy) == "0: go\n1: stay"
    again = pickle.loads(pickle.dumps(answer))
    assert again.exact == answer.exact
    assert again.policy == answer.policy
    assert again.mdp == mdp
    assert copy.deepcopy(answer.policy) == answer.policy


def test_tolerance_that_floats_cannot_prove_names_one_that_they_can():
    mdp = MDP([[[0.5, 0.5]], [[0.25, 0.75]]], [[1000.0], [-300.0]], 0.99)
    refused = solve(mdp, method="value-iteration", tolerance=1e-14)
    assert refused.status is Status.FLOATS_SPENT
    assert "method rational (--exact) has the values in fractions" in refused.note
    named = float(refused.note.split(";")[0].split()[-1])
    assert solve(mdp, method="value-iteration", tolerance=named).status is Status.CERTIFIED


# -- a mapping that is saved ---------------------------------------------------------------------------------------


def test_answers_and_policies_are_mappings():
    answer = solve(MODEL)
    learned = learn(MODEL, "q-learning", steps=100)
    for made in (answer, learned, answer.policy, Policy.uniform(MODEL)):
        assert isinstance(made, Mapping)
        assert list(made) == ["owner", "sold"]
        assert len(made) == 2
        assert dict(made.items()) == dict(zip(made.keys(), made.values(), strict=True)) == dict(made)
        assert "owner" in made
        assert "ower" not in made
        assert made.get("owner") == made["owner"]
        assert made.get("ower", 7) == 7
        assert made.get("ower") is None
    assert answer.policy.get("sold", "none") is None  # a terminal state has no action
    assert answer == answer
    assert answer != solve(MODEL)
    assert len({answer, learned}) == 2


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a"])
def test_answers_are_saved_and_verified(tmp_path, name):
    for made in (solve(MODEL), evaluate(MODEL, "uniform")):
        for write in (made.save, lambda path, made=made: save(made, path)):
            write(tmp_path / name)
            assert read_answer(str(tmp_path / name), MODEL).values.tolist() == made.v.tolist()
            (tmp_path / name).unlink()


def test_what_was_learned_is_saved(tmp_path):
    learned = learn(MODEL, "q-learning", steps=100)
    save(learned, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines()[0] == "state,value,visits,action"
    learned.save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["steps"] == 100


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (3, "save: found int, expected a model or an answer"),
        (
            Transitions.of(MODEL, [("owner", 0, 1, "owner")]),
            "found Transitions, .*; write_log writes",
        ),
    ],
)
def test_what_is_not_saved_is_told(tmp_path, what, says):
    with pytest.raises(OptionError, match=says):
        save(what, tmp_path / "a.json")
    with pytest.raises(OptionError, match=r"a.xyz: found the suffix '.xyz', expected .json or .csv"):
        solve(MODEL).save(tmp_path / "a.xyz")


def test_what_was_learned_prints_as_the_command_shows_it():
    """One state, one action: 1 a step and γ = 1/2 is worth 2. One run with α = 1 halves the error in each step."""
    mdp = MDP([[[1.0]]], [[1.0]], "1/2", states=["only"])
    text = str(learn(mdp, "q-learning", steps=3, step_size=1))
    head = next(line for line in text.splitlines() if line.startswith("state"))
    assert head.split() == ["state", "learned", "exact", "visits", "action"]
    row = next(line for line in text.splitlines() if line.startswith("only"))
    assert row.split()[:4] == ["only", "1.75", "2.00", "3"]
    assert "largest error" in text
    assert "0.25" in text
    assert "no certificate" in text
    assert "?" not in text
    assert "--" not in text
    told = learn(MODEL, "sarsa", behavior="uniform", steps=10)
    assert told.verdicts
    assert f"sarsa: {told.verdicts[0]}" in str(told)
