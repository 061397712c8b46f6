"""What drives every learner: blocks, threads, budgets, interrupts, checkpoints, errors against the truth, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from learners import hand_model, listed
from random_models import random_model, random_policy

from tabular_rl import MDP, NumericalError, OptionError, Policy, Status, evaluate, q_learning, solve, td0
from tabular_rl.methods.learning import _learning
from tabular_rl.methods.learning._errors import record_points
from tabular_rl.model.transitions import Transitions
from tabular_rl.solving import run as running


def asked(steps=500, mdp=None, **options):
    """Three runs of TD(0) with everything switched on: an average, a target, cuts, counts."""
    mdp = hand_model() if mdp is None else mdp
    given = {"steps": steps, "runs": 3, "seed": 5, "average": True, "target": "copy:7", "episode_steps": 9}
    return td0(mdp, Policy.uniform(mdp), **{**given, **options})


def bits(answer):
    return [x.tobytes() for x in (answer.estimates, answer.visits, answer.v)]


# -- the same bits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 9, 100, 10**6])
def test_size_of_blocks_changes_nothing(monkeypatch, block):
    whole = asked()
    monkeypatch.setattr(_learning, "BLOCK", block)
    assert bits(asked()) == bits(whole)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_change_nothing(threads):
    assert bits(asked(threads=threads)) == bits(asked())


def test_slow_machine_changes_nothing(monkeypatch):
    """Where a call takes too long, the next ones are shorter."""
    whole = asked(steps=3000)
    monkeypatch.setattr(_learning, "LONGEST_CALL", 0.0)
    assert bits(asked(steps=3000)) == bits(whole)


def test_run_is_the_same_however_many_there_are():
    many = asked(runs=5)
    for runs in (1, 4):
        assert asked(runs=runs).estimates.tobytes() == many.estimates[:runs].tobytes()
    assert len({row.tobytes() for row in many.estimates}) == 5


def test_seed_is_the_only_source_of_chance():
    assert bits(asked()) == bits(asked())
    assert bits(asked()) != bits(asked(seed=6))


# -- stopping and going on ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [1, 2, 250, 499, 500])
@pytest.mark.parametrize("as_dict", [False, True])
def test_resumed_run_has_the_bits_of_an_uninterrupted_one(stop, as_dict):
    part = asked(stop)
    assert bits(asked(resume=part.state if as_dict else part)) == bits(asked())


def test_what_is_resumed_is_left_as_it_was():
    part = asked(100)
    before = bits(part)
    first, second = asked(resume=part), asked(resume=part)
    assert bits(first) == bits(second) and bits(part) == before


def test_no_time_at_all():
    answer = asked(time_limit=0)
    assert answer.status is Status.TIME_SPENT and answer.steps == 0 and answer.curve is None
    assert np.isnan(answer.v[:2]).all() and answer.v[2] == 0.0
    assert answer.never_visited.tolist() == [True, True, False]
    assert "0 of 500 steps" in answer.note
    assert np.isnan(answer.sup_error).all()
    assert bits(
        asked(time_limit=60, resume={**answer.state, "options": asked(1, time_limit=60).state["options"]})
    ) == bits(asked())


def test_interrupt_keeps_what_was_learned(monkeypatch):
    monkeypatch.setattr(_learning, "BLOCK", 90)  # ten steps of three runs

    def stop(method, share, text):
        if share > 0.4:
            running.interrupt.signum = 2

    whole = asked()
    monkeypatch.setattr(running, "listener", stop)
    try:
        answer = asked()
    finally:
        running.interrupt.signum = None
    assert answer.status is Status.INTERRUPTED
    assert 200 < answer.steps < 260 and f"{answer.steps} of 500 steps" in answer.note
    assert answer.visits.sum() == 3 * answer.steps and answer.curve.steps[-1] == answer.steps
    monkeypatch.setattr(running, "listener", None)
    assert bits(asked(answer.steps)) == bits(answer)
    assert bits(asked(resume=answer)) == bits(whole)


def test_every_checkpoint_leads_to_the_same_end(monkeypatch):
    whole = asked()
    monkeypatch.setattr(_learning, "BLOCK", 900)
    monkeypatch.setattr(_learning, "SAVE_EVERY", -1.0)
    saved = []
    assert bits(asked(checkpoint=saved.append)) == bits(whole)
    assert len(saved) > 5 and saved[-1]["done"] == 500
    for state in saved[::3]:
        assert bits(asked(resume=state)) == bits(whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 6}, "resume: found a checkpoint of the options "),
        ({"step_size": 0.1}, "resume: found a checkpoint of the options "),
        ({"runs": 2}, "resume: found a checkpoint of the options "),
        ({"steps": 99}, "resume: found a checkpoint after 100 steps, expected steps= of more than that"),
        ({"mdp": hand_model("min")}, "resume: found a checkpoint of the model (digest) "),
    ],
)
def test_checkpoint_of_something_else_is_refused(options, message):
    with pytest.raises(OptionError) as caught:
        asked(**options, resume=asked(100))
    assert str(caught.value).startswith(message)


def test_checkpoint_of_another_method_is_refused():
    with pytest.raises(
        OptionError, match=r"^resume: found a checkpoint of the method td0, expected q-learning"
    ):
        q_learning(hand_model(), steps=200, resume=asked(100))


# -- errors against the truth ---------------------------------------------------------------------------------------


def test_curve_by_hand(monkeypatch):
    """v(a) = 1/2 after a step; v_π from its linear equations, in Fractions."""
    mdp = hand_model()
    exact = [float(x) for x in reference.exact_policy_value(mdp, Policy.uniform(mdp))]
    for weights, square in ((None, [0.5, 0.5]), ([3.0, 1.0, 9.0], [0.75, 0.25])):
        listed(monkeypatch, [0.2, 0.6, 0.3, 0.9, 0.1])
        answer = td0(mdp, Policy.uniform(mdp), steps=1, step_size=0.5, weights=weights)
        off = np.array([0.5 - exact[0], 0.0 - exact[1]])
        assert answer.sup_error.tolist() == pytest.approx([np.abs(off).max()], rel=1e-9)
        assert answer.rms_error.tolist() == pytest.approx([math.sqrt(off**2 @ square)], rel=1e-9)
        assert answer.curve.steps.tolist() == [1] and answer.curve.start.tolist() == [[0.25]]
        assert answer.truth.tolist() == pytest.approx(exact, rel=1e-9)


def test_costs_have_the_same_errors():
    one, other = asked(), asked(mdp=hand_model("min"))
    assert one.curve.sup.tobytes() == other.curve.sup.tobytes()
    assert one.curve.rms.tobytes() == other.curve.rms.tobytes()
    assert one.curve.start.tolist() == (-other.curve.start).tolist()
    assert one.truth.tolist() == (-other.truth).tolist()


def test_reference_can_be_given_or_left_out():
    mdp = hand_model()
    exact = evaluate(mdp, Policy.uniform(mdp), tolerance=1e-9, relative=True)
    assert asked(reference=exact).curve.sup.tobytes() == asked().curve.sup.tobytes()
    none = asked(reference=False)
    assert none.truth is None and np.isnan(none.curve.sup).all() and np.isfinite(none.curve.start).all()
    assert bits(none) == bits(asked())
    with pytest.raises(OptionError, match=r"^reference: found '3', expected a Solution, or False for none"):
        asked(reference=3)


def test_mean_over_the_runs_is_over_those_that_were_there():
    """b is reached by some of 40 runs of one step; its value is the mean of these, and visits say so."""
    answer = asked(1, runs=40, average=False, step_size=0.5, target="none")
    been = answer.visits > 0
    assert been.sum() == 40 and been[:, 0].any() and been[:, 1].any()
    for s in (0, 1):
        assert answer.v[s] == pytest.approx(answer.estimates[been[:, s], s].mean())


def test_never_visited_is_listed_and_not_zero():
    """b starts nowhere and is not reached from a: NaN in v and q, start value in the table of the run."""
    mdp = MDP([[[1.0, 0.0]], [[0.0, 1.0]]], [[1.0], [1.0]], 0.5, states=["a", "b"], start="a")
    answer = td0(mdp, Policy.uniform(mdp), steps=50, start_value=3.0)
    assert answer.never_visited.tolist() == [False, True] and math.isnan(answer.v[1])
    assert answer.estimates[0, 1] == 3.0 and answer.visits.tolist() == [[50, 0]]
    answer = q_learning(mdp, steps=50)
    assert answer.never_visited.tolist() == [False, True] and np.isnan(answer.q).tolist() == [False, True]


@pytest.mark.parametrize(
    ("step_size", "word"),
    [
        ("0.1", "squares is infinite"),
        ("n^-0.5", "squares is infinite"),
        ("n^-1.5", "its sum is finite"),
        ("1/n", None),
    ],
)
def test_verdict_on_the_step_size(step_size, word):
    said = " ".join(asked(1, step_size=step_size, average=False).verdicts)
    assert (word in said) if word else ("Robbins" not in said)


# -- a table for each time ------------------------------------------------------------------------------------------


def test_finite_horizon_has_a_table_for_each_time():
    mdp = random_model(1, "finite-horizon", S=4, exact=False)
    policy, T = random_policy(mdp, 1), mdp.horizon
    answer = td0(mdp, policy, steps=2000, runs=2)
    assert answer.estimates.shape == answer.visits.shape == (2, T + 1, mdp.S) and answer.v.shape == (
        T + 1,
        mdp.S,
    )
    answer = q_learning(mdp, steps=2000, runs=2)
    assert answer.estimates.shape == answer.visits.shape == (2, T, mdp.L) and answer.q.shape == (T, mdp.L)
    assert answer.policy.timed or T == 1
    evaluate(mdp, answer.policy)


def test_last_decision_of_a_horizon_is_learned_exactly():
    """One step left: with α = 1 and certain outcomes q is the reward and the final value, at every time exactly.

    Two states, move or stay, T = 3; stay pays 1 in the second, which is worth 8 at the end; γ = 1/2.
    """
    P = [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]
    mdp = MDP(P, [[0.0, 0.0], [1.0, 0.0]], 0.5, axes="sas", horizon=3, final_reward=[0.0, 8.0])
    answer = q_learning(mdp, steps=5000, step_size=1, explore="epsilon-greedy:1", seed=1)
    # Backward by hand: q₂ = (0, 4 | 5, 0); q₁ = (2, 2.5 | 3.5, 2); q₀ = (1.25, 1.75 | 2.75, 1.25).
    assert answer.q.tolist() == [[1.25, 1.75, 2.75, 1.25], [2.0, 2.5, 3.5, 2.0], [0.0, 4.0, 5.0, 0.0]]
    assert answer.policy.actions.tolist() == [[1, 0]] * 3
    assert answer.v.tolist() == [[1.75, 2.75], [2.5, 3.5], [4.0, 5.0], [0.0, 8.0]]
    assert answer.sup_error[0] <= 1e-9


# -- what is refused ------------------------------------------------------------------------------------------------


def test_divergence_names_the_entry():
    """α ρ = 4: v ← v + 4 (1 - v), so that v = 1 - (-3)^k after k updates, beyond all floats at k = 647."""
    mdp = MDP(
        [[[0, 1], [0, 1]], [[0, 0], [0, 0]]],
        [[1.0, 1.0], [0, 0]],
        1,
        states=["home", "end"],
        terminal=["end"],
        axes="sas",
    )
    policy, behavior = Policy.of_actions(mdp, [0, -1]), Policy.of_probs(mdp, [0.25, 0.75])
    log = [("home", 0, 1.0, "end")]
    for n in (1, 2, 5):
        answer = td0(mdp, policy, behavior=behavior, data=log, steps=n, step_size=1)
        assert answer.estimates[0, 0] == 1 - (-3) ** n
    with pytest.raises(
        NumericalError,
        match=r"^td0: the estimate of state 'home' is (nan|inf|-inf) after \d+ steps of run 0: it diverges",
    ):
        td0(mdp, policy, behavior=behavior, data=log, steps=1000, step_size=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": [1.0, 2.0]}, "weights: found shape (2,), expected 3 numbers from 0"),
        ({"weights": [1.0, -2.0, 1.0]}, "weights: found shape (3,), expected 3 numbers from 0"),
        ({"weights": [0.0, 0.0, 1.0]}, "weights: found shape (3,), expected 3 numbers from 0"),
        ({"weights": [math.nan, 1.0, 1.0]}, "weights: found shape (3,), expected 3 numbers from 0"),
        ({"data": []}, "transitions: found none, expected at least one"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(OptionError) as caught:
        asked(**options)
    assert str(caught.value) == message


def test_data_of_another_model_is_refused():
    other = MDP([[[1.0]]], [[1.0]], 0.5)
    with pytest.raises(
        OptionError, match=r"^data: found transitions of another model, expected one with the same pairs"
    ):
        asked(data=Transitions.of(other, [(0, 0, 1.0, 0)]))


def test_data_does_not_say_the_time():
    mdp = MDP([[[1.0]]], [[1.0]], 1, horizon=3)
    with pytest.raises(OptionError, match=r"^data: found a model with a horizon"):
        q_learning(mdp, data=[(0, 0, 1.0, 0)])


def test_nowhere_to_start_is_refused():
    mdp = MDP([[[0.0]]], [[0.0]], 1, terminal=["0"])
    with pytest.raises(OptionError, match=r"^no state to start from: all states are terminal"):
        q_learning(mdp, steps=1)


def test_record_points():
    for steps in (1, 2, 9, 10, 11, 100, 12345, 10**9):
        points = record_points(steps)
        assert points[-1] == steps and (np.diff(points) > 0).all() and points[0] == 1 and len(points) <= 110


def test_policy_of_the_answer_is_that_of_the_mean_table():
    mdp = hand_model()
    answer = q_learning(mdp, steps=2000, runs=3, seed=1)
    assert answer.q.tolist() == pytest.approx(answer.estimates.mean(axis=0).tolist())
    assert answer.policy.actions.tolist() == Policy.greedy(mdp, answer.q).actions.tolist()
    assert (
        answer.status is Status.SAMPLED
        and answer.bound == math.inf
        and answer.lower is None
        and answer.upper is None
    )
    assert solve(mdp).policy.actions.tolist() == answer.policy.actions.tolist()
