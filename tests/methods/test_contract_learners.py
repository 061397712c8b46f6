"""What every learner of the catalogue promises, for every kind of model that it takes.

Exact answers are Fractions from tests/support/reference.py. Seeds are fixed here: nothing depends on chance.
"""

from __future__ import annotations

import functools
import math
import re
from fractions import Fraction

import numpy as np
import pytest
import reference
from learners import hand_model
from random_models import assemble, random_model, random_policy, take_apart

from tabular_rl import MDP, NotAnswerable, OptionError, Policy, Status, Transitions, learn
from tabular_rl.methods.learning import _learning
from tabular_rl.methods.lookup import LEARNERS
from tabular_rl.solving import run as running

learners = pytest.mark.parametrize("name", LEARNERS)
of_values = pytest.mark.parametrize("name", [n for n, f in LEARNERS.items() if f.family == "learning"])
PROBLEMS = ("discounted", "total-reward", "finite-horizon")


@functools.cache
def model(problem, sense="max", exact=False):
    """A small model of a kind; with ends, so that episodes are short."""
    gamma = "1" if problem == "total-reward" else "9/10"
    return random_model(2, problem, S=4, ends=1, sense=sense, exact=exact, gamma=gamma)


def takes(name, option):
    return option in LEARNERS[name].defaults


def learns_of_itself(name):
    """Whether a learner of the best policy learns the values of the one that explores."""
    return LEARNERS[name].task == "control" and LEARNERS[name].on_policy


def ask(name, mdp, policy=None, *, function=None, **options):
    """Call a learner by options that it has; a policy goes to those that evaluate one."""
    function = LEARNERS[name]
    options = {"seed": 3, "reference": False, "episode_steps": 20, **options}
    options = {key: value for key, value in options.items() if takes(name, key)}
    if function.task == "control":
        return function(mdp, **options)
    return function(mdp, Policy.uniform(mdp) if policy is None else policy, **options)


def bits(answer):
    arrays = [answer.estimates, answer.visits, answer.v, answer.q]
    return [x.tobytes() for x in arrays]


def accepted(name):
    return [problem for problem in PROBLEMS if not LEARNERS[name].refuses(model(problem))]


# -- the same bits --------------------------------------------------------------------------------------------------


@learners
def test_same_seed_same_bits_and_another_seed_others(name):
    for problem in accepted(name):
        mdp = model(problem)
        first, again, other = (ask(name, mdp, steps=300, runs=2, seed=seed) for seed in (3, 3, 4))
        assert bits(first) == bits(again), problem
        assert bits(first)[0] != bits(other)[0], problem
        assert first.estimates[0].tobytes() != first.estimates[1].tobytes(), problem


@learners
def test_threads_blocks_and_runs_do_not_change_the_bits(name, monkeypatch):
    mdp = model("discounted")
    whole = ask(name, mdp, steps=300, runs=4, average=True)
    assert bits(ask(name, mdp, steps=300, runs=4, average=True, threads=3)) == bits(whole)
    for runs in (1, 3):
        few = ask(name, mdp, steps=300, runs=runs, average=True)
        assert few.estimates.tobytes() == whole.estimates[:runs].tobytes()
        assert few.visits.tobytes() == whole.visits[:runs].tobytes()
    for block in (1, 50):
        monkeypatch.setattr(_learning, "BLOCK", block)
        assert bits(ask(name, mdp, steps=300, runs=4, average=True)) == bits(whole), block


@learners
@pytest.mark.parametrize("average", [False, True])
def test_resumed_run_has_the_bits_of_an_uninterrupted_one(name, average):
    for problem in accepted(name):
        options = {"runs": 2, "average": average}
        whole = ask(name, model(problem), steps=200, **options)
        for stop in (1, 77):
            part = ask(name, model(problem), steps=stop, **options)
            assert bits(ask(name, model(problem), steps=200, resume=part, **options)) == bits(whole), (
                problem,
                stop,
            )


@learners
def test_interrupt_keeps_what_was_learned(name, monkeypatch):
    mdp = model("discounted")
    whole = ask(name, mdp, steps=400, runs=2)
    monkeypatch.setattr(_learning, "BLOCK", 80)

    def stop(method, share, text):
        if share is not None and share > 0.3:
            running.interrupt.signum = 2

    monkeypatch.setattr(running, "listener", stop)
    try:
        part = ask(name, mdp, steps=400, runs=2)
    finally:
        running.interrupt.signum = None
    monkeypatch.setattr(running, "listener", None)
    assert part.status is Status.INTERRUPTED and 0 < part.steps < 400 and "is kept" in part.note
    assert bits(ask(name, mdp, steps=400, runs=2, resume=part)) == bits(whole)


# -- values to start from ------------------------------------------------------------------------------------------


@learners
def test_the_same_start_value_in_each_state_is_that_start_value(name):
    for problem in accepted(name):
        mdp = model(problem)
        whole = ask(name, mdp, steps=30, start_value=2.0)
        by_state = [{s: 2.0 for s in mdp.states}, [2.0] * mdp.S]
        for start in by_state[: 2 if problem == "discounted" else 1]:
            assert bits(ask(name, mdp, steps=30, start_from=start)) == bits(whole), problem
        few = dict(list(by_state[0].items())[:2])  # others have the start value
        assert bits(ask(name, mdp, steps=30, start_from=few, start_value=2.0)) == bits(whole), problem
        with pytest.raises(OptionError, match="start_from: "):
            ask(name, mdp, start_from=[1.0] * (mdp.S + 1))


# -- what is given stays as it is -----------------------------------------------------------------------------------


def arrays_of(thing):
    fields = type(thing).__slots__
    return {f: getattr(thing, f) for f in fields if isinstance(getattr(thing, f), np.ndarray)}


@learners
def test_model_and_policy_are_untouched(name):
    for problem in accepted(name):
        mdp = model(problem)
        policy = random_policy(mdp, 1)
        things = [mdp, policy]
        before = [{f: x.tobytes() for f, x in arrays_of(thing).items()} for thing in things]
        digest = mdp.replace().digest
        ask(name, mdp, policy, steps=100)
        assert before == [{f: x.tobytes() for f, x in arrays_of(thing).items()} for thing in things], problem
        assert mdp.replace().digest == digest, problem
        assert not any(x.flags.writeable for thing in things for x in arrays_of(thing).values()), problem


# -- what the answer says of itself ---------------------------------------------------------------------------------


@learners
def test_answer_claims_no_proof(name):
    for problem in accepted(name):
        mdp = model(problem)
        answer = ask(name, mdp, steps=100, runs=2)
        assert answer.status is Status.SAMPLED and answer.bound == math.inf, problem
        assert answer.lower is None and answer.upper is None and answer.exact is None, problem
        assert answer.method == name and answer.seed == 3 and answer.steps == 100 and answer.runs == 2, (
            problem
        )
        assert answer.mdp is mdp and "certificate" in str(answer), problem


@learners
def test_never_visited_is_nan_and_listed_and_never_zero(name):
    """Two islands; episodes start on the first. All that is known of the second is that nobody was there."""
    P = [
        [[0.5, 0.5, 0, 0], [0, 1, 0, 0]],
        [[0, 0, 0, 1], [0.5, 0, 0, 0.5]],
        [[0, 0, 1, 0], [0, 0, 0, 1]],
        [[0] * 4] * 2,
    ]
    mdp = MDP(P, [[1, 2], [3, 4], [5, 6], [0, 0]], 0.5, terminal=["3"], start="0")
    answer = ask(name, mdp, steps=400, runs=2, start_value=2.0)
    if name.startswith("linear"):
        # Features speak for states that nobody has been to, by what was learned elsewhere: here by where they start.
        assert answer.visits.sum() > 0 and not answer.visits[:, 4 if answer.visits.shape[1] == 6 else 2].any()
        return
    assert answer.never_visited.tolist() == [False, False, True, False]
    assert np.isnan(answer.v).tolist() == [False, False, True, False] and answer.v[3] == 0.0
    assert not answer.visits[:, 4 if answer.visits.shape[1] == 6 else 2].any()
    if answer.learned_q is not None:
        assert np.isnan(answer.q).tolist() == [False] * 4 + [True] * 2


@learners
def test_terminal_values_are_zero(name):
    for problem in ("discounted", "total-reward"):
        if problem in accepted(name):
            mdp = model(problem)
            answer = ask(name, mdp, steps=300, runs=2)
            assert (answer.v[mdp.terminal] == 0).all() and np.isfinite(answer.v[~mdp.terminal]).all(), problem
            if answer.learned_q is None:
                assert (answer.estimates[:, mdp.terminal] == 0).all(), problem


@learners
def test_costs_are_the_mirror_of_rewards(name):
    """The model with all rewards negated and sense min has the negated table, bit for bit, by the same choices."""
    for problem in accepted(name):
        mdp = model(problem)
        parts = take_apart(mdp)
        parts["rows"] = [(s, a, [(t, p, -r) for t, p, r in o], -own) for s, a, o, own in parts["rows"]]
        parts["final"] = None if parts["final"] is None else [-x for x in parts["final"]]
        mirror = assemble(**{**parts, "sense": "min"})
        one, other = ask(name, mdp, steps=300, runs=2), ask(name, mirror, steps=300, runs=2)
        assert np.array_equal(one.estimates, -other.estimates), problem
        assert np.array_equal(one.v, -other.v, equal_nan=True), problem
        assert one.visits.tobytes() == other.visits.tobytes(), problem
        if one.policy is not None and one.policy.rows is not None:
            assert one.policy.rows.tolist() == other.policy.rows.tolist(), problem


# -- it gets nearer to the truth ------------------------------------------------------------------------------------


def exact_entries(answer, mdp, policy=None):
    """The exact table (..., entries) that a learner's estimates go to, in Fractions turned to floats."""
    v = reference.exact_optimal_value(mdp) if policy is None else reference.exact_policy_value(mdp, policy)
    if answer.learned_q is None:
        return np.array(v, dtype=object).astype(float)
    rows = reference.exact_rows(mdp)
    if mdp.horizon is None:
        return np.array([float(x) for x in reference.exact_q(mdp, v, rows)])
    return np.array([[float(x) for x in reference.exact_q(mdp, v[t + 1], rows)] for t in range(mdp.horizon)])


@of_values
def test_truth_is_the_exact_answer(name):
    """What errors are measured against, for every kind of model and for costs; a policy that changes with time, too."""
    control = LEARNERS[name].task == "control"
    for problem in accepted(name):
        for sense in ("max", "min"):
            mdp = model(problem, sense, exact=True)
            policy = None if control else random_policy(mdp, 1)
            answer = ask(name, mdp, policy, steps=20, reference=None)
            exact = exact_entries(answer, mdp, policy)
            assert answer.truth.shape == exact.shape == answer.estimates.shape[1:], problem
            assert np.abs(answer.truth - exact).max() <= 1e-8 * np.abs(exact).max(), (problem, sense)


@of_values
def test_error_shrinks_with_a_table_for_each_time(name):
    """A finite horizon, by the same measure as below: a third of the error is left."""
    if "finite-horizon" not in accepted(name):
        pytest.skip("has no horizon")
    mdp = model("finite-horizon", "min", exact=True)
    policy = random_policy(mdp, 1)
    options = {"runs": 8, "seed": 1, "explore": "epsilon-greedy:1"}
    short, full = (ask(name, mdp, policy, steps=n, **options) for n in (40, 40_000))
    if learns_of_itself(name):
        policy, control = Policy.uniform(mdp), False
    else:
        control = LEARNERS[name].task == "control"
    exact = exact_entries(full, mdp, None if control else policy)
    live = full.visits.min(axis=0) >= 1000  # the policy takes some actions almost never
    assert live.sum() >= 6
    left = [np.median(np.abs(x.estimates - exact)[:, live].max(axis=1)) for x in (short, full)]
    print(name, left)
    assert left[1] < left[0] / 3


@of_values
def test_error_shrinks(name):
    """Of 16 runs, the median error after 40,000 steps is below a quarter of that after 40, and the errors are true.

    Exploration of all actions alike, so that every pair goes on being tried; SARSA then learns the uniform policy. The
    seed is fixed, so that there are no false alarms.
    """
    mdp = model("discounted", exact=True)
    control = LEARNERS[name].task == "control"
    on_itself = learns_of_itself(name)
    options = {"runs": 16, "seed": 1, "reference": None, "episode_steps": None, "explore": "epsilon-greedy:1"}
    long = 40_000
    short, full = (ask(name, mdp, steps=n, **options) for n in (40, long))
    target = exact_entries(full, mdp, Policy.uniform(mdp) if not control or on_itself else None)
    errors = []
    for answer in (short, full):
        table = answer.estimates
        if answer.learned_q is None:
            table, truth = table[:, ~mdp.terminal], target[~mdp.terminal]
        else:
            truth = target
        off = np.abs(table - truth).max(axis=1)
        if not on_itself:
            assert answer.sup_error.tolist() == pytest.approx(off.tolist(), rel=1e-6, abs=1e-6)
        errors.append(np.median(off))
    print(name, errors)
    assert errors[1] < 0.25 * errors[0]


# -- what is refused ------------------------------------------------------------------------------------------------


@learners
def test_options_out_of_range_are_refused(name):
    function = LEARNERS[name]
    for option, (kind, _) in function.options.items():
        for wrong in (math.nan, -1, "x", math.inf, [], 10**400):
            if kind.parse is None and kind.choices == () and kind.kind is str:
                continue
            try:
                kind.check(wrong)
            except OptionError:
                with pytest.raises(OptionError, match=re.escape(f"{option}: found ")) as caught:
                    ask(name, hand_model(), **{option: wrong})
                assert str(caught.value).endswith(f", expected {kind.expected}"), option
            else:
                assert kind.low <= -1, (option, wrong)


@learners
def test_unknown_options_are_refused_with_those_there_are(name):
    with pytest.raises(OptionError, match=f"^no_such: {name} has no such option.* It has ") as caught:
        learn(hand_model(), name, no_such=1)
    for option in LEARNERS[name].defaults:
        assert option in str(caught.value)


@learners
def test_policy_of_another_model_is_refused(name):
    other = MDP([[[1.0], [1.0], [1.0], [1.0]]], [[0.0, 0.0, 0.0, 0.0]], 0.5)
    mdp = hand_model()
    if LEARNERS[name].task == "prediction":
        with pytest.raises(OptionError, match=r"policy: found one of another model"):
            ask(name, mdp, Policy.uniform(other))
        with pytest.raises(OptionError, match=r"policy: found float64 of shape"):
            ask(name, mdp, np.ones(mdp.L + mdp.S + 1))
    if takes(name, "behavior"):
        with pytest.raises(OptionError, match=r"found one of another model"):
            ask(name, mdp, behavior=Policy.uniform(other))


@learners
def test_model_that_does_not_fit_is_refused(name):
    for problem in PROBLEMS:
        if problem not in accepted(name):
            with pytest.raises(NotAnswerable, match=f"^{name} solves .*, and this is a {problem} one"):
                ask(name, model(problem))


@learners
def test_policy_given_to_control_is_refused(name):
    if LEARNERS[name].task == "control":
        mdp = hand_model()
        with pytest.raises(OptionError, match=f"^method '{name}' finds its own policy"):
            learn(mdp, name, Policy.uniform(mdp))


def test_there_is_something_to_test():
    assert len(LEARNERS) >= 6 and all(accepted(name) for name in LEARNERS)
    assert sum(len(accepted(name)) for name in LEARNERS) >= 2 * len(LEARNERS)
    assert isinstance(reference.exact_optimal_value(model("discounted", exact=True))[0], Fraction)


@learners
def test_a_log_is_learned_from_where_the_learner_takes_one(name):
    """Every learner that has `data` learns from a list, from Transitions and from a data frame, the same each time."""
    if not takes(name, "data"):
        pytest.skip("takes no log")
    mdp = hand_model()
    log = [
        ("a", "0", 2.0, "a"),
        ("a", "1", 1.0, "b"),
        ("b", "0", 4.0, "end"),
        ("a", "1", 1.0, "b"),
        ("b", "0", 4.0, "end"),
    ]
    given = {"step_size": 0.5} if takes(name, "step_size") else {}
    answers = [
        ask(name, mdp, data=data, steps=5, **given) for data in (log, Transitions.of(mdp, log), Frame(log))
    ]
    assert answers[0].visits.sum() > 0 and not answers[0].never_visited.any()
    assert all(np.array_equal(answers[0].estimates, other.estimates, equal_nan=True) for other in answers)


class Frame:
    """As much of a data frame as is looked at: its columns, by name."""

    columns = ("state", "action", "reward", "next_state", "done")

    def __init__(self, log):
        *parts, last = zip(*log, strict=True)
        self.parts = dict(zip(self.columns, [*parts, last, [s2 == "end" for s2 in last]], strict=True))

    def __getitem__(self, name):
        return np.array(self.parts[name], dtype=object)
