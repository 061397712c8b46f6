"""What every method promises, for every method in the catalogue, on every model that it accepts.

The truth is exact: Fractions from tests/support/reference.py, or the known answers of mdps/. Nothing is compared in
floats.
"""

from __future__ import annotations

import functools
import json
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import reference
from random_models import random_model, random_models, random_policy

from tabular_rl import MDP, NoFiniteAnswer, NotAnswerable, OptionError, Policy, Status, evaluate, solve
from tabular_rl.formats import load
from tabular_rl.methods.lookup import PLANNERS

MODELS = Path(__file__).resolve().parents[2] / "mdps"
ANSWERS = json.loads((MODELS / "answers.json").read_text(encoding="utf-8"))
SMALLEST = 12  # states of a model of mdps/ that is quick without compilation
LARGEST = 110  # states up to which a model of mdps/ is taken here
TOLERANCE = Fraction(1e-6)
# Large: their own test files have them.
SLOW = {"blackjack", "jacks_car_rental", "taxi"}

SWEEPS = 20_000
# Where sweeps are many by nature: a chain that needs 2**20 of them; walks of 10,000 steps and more.
MANY_SWEEPS = {"haddad_monmege.toml", "cliff_walking.toml", "windy_gridworld.toml"}

planners = pytest.mark.parametrize("name", PLANNERS)
groups = pytest.mark.parametrize(
    "group",
    [pytest.param("random", marks=pytest.mark.small), pytest.param("tiny", marks=pytest.mark.small), "mdps"],
)


@dataclass(frozen=True, eq=False)
class Question:
    """A model, a policy where one is to be evaluated, and the exact answer, off by at most `accuracy`.

    `truth` has one list a time step for a finite horizon, else one in all; None where no finite answer exists.
    """

    name: str
    mdp: MDP
    policy: Policy | None
    truth: list[list[Fraction]] | None
    accuracy: Fraction = Fraction(0)

    def ask(self, function, **options):
        return (
            function(self.mdp, **options)
            if self.policy is None
            else function(self.mdp, self.policy, **options)
        )

    def loss(self, values):
        """The worst of truth - values in the sign of maximisation, exactly."""
        sign = int(self.mdp.sign)
        pairs = zip(self.truth, values, strict=True)
        return max(sign * (a - b) for x, y in pairs for a, b in zip(x, y, strict=True))


def steps(values):
    """Values (S,) or (T + 1, S) as lists of Fractions or infinities, a list a time step."""
    return [[Fraction(x) if math.isfinite(x) else x for x in row] for row in np.atleast_2d(values).tolist()]


def by_time(mdp, values):
    return values if mdp.horizon is not None else [values]


def policies(mdp):
    yield "uniform", Policy.uniform(mdp)
    yield "one action", random_policy(mdp, 1, stochastic=False)
    if mdp.gamma_exact < 1 or mdp.horizon is not None or "proper" in mdp.name:
        yield "mixed", random_policy(mdp, 2)


@functools.cache
def random_questions(task):
    made = []
    for mdp in random_models():
        if task == "control":
            made.append(Question(mdp.name, mdp, None, by_time(mdp, reference.exact_optimal_value(mdp))))
            continue
        for what, policy in policies(mdp):
            try:
                truth = by_time(mdp, reference.exact_policy_value(mdp, policy))
            except ArithmeticError:
                truth = None
            made.append(Question(f"{mdp.name}, {what}", mdp, policy, truth))
    return made


@functools.cache
def known_questions(task):
    made = []
    for file, answer in ANSWERS.items():
        stem = file.partition(".")[0]
        if stem in SLOW or answer["exit"] != 0:
            continue
        mdp = load(MODELS / file)
        if mdp.S > LARGEST:
            continue
        if task == "control":
            made.append(known(file, mdp, None, answer["optimal"]))
        else:
            for what, found in answer.get("policies", {}).items():
                if what == "uniform" and "v" in found:
                    made.append(known(f"{file}, {what}", mdp, Policy.uniform(mdp), found))
    return made


def known(name, mdp, policy, answer):
    values = [answer["v"]]
    if mdp.horizon is not None:
        values = list(
            answer["by_time"].values() if isinstance(answer["by_time"], dict) else answer["by_time"]
        )
    truth = [[Fraction(row[s]) for s in mdp.states] for row in values]
    if mdp.horizon is not None and len(truth) == mdp.horizon:
        truth.append(reference.final_values(mdp))
    return Question(name, mdp, policy, truth, Fraction(str(answer["accuracy"])))


def questions(name, group):
    """The questions of a group that a method takes."""
    spec = PLANNERS[name]
    listed = random_questions(spec.task) if group == "random" else known_questions(spec.task)
    if group != "random":
        listed = [q for q in listed if (q.mdp.S < SMALLEST) == (group == "tiny")]
    return [q for q in listed if not spec.refuses(q.mdp)]


@functools.cache
def answers(name, group):
    """The answers of a method to a group of questions that have one, with its default options."""
    function = PLANNERS[name]
    options = {"sweeps": SWEEPS} if group != "random" and "sweeps" in function.defaults else {}
    return [(q, q.ask(function, **options)) for q in questions(name, group) if q.truth is not None]


def check_honest(q, answer):
    """The interval contains the exact answer, and the bound covers the distance from it."""
    slack = q.accuracy
    for t, (row, exact) in enumerate(zip(steps(answer.v), q.truth, strict=True)):
        for s, (value, truth) in enumerate(zip(row, exact, strict=True)):
            where = f"{answer.method}, {q.name}, state {s}, time {t}"
            assert math.isfinite(value), where
            assert abs(value - truth) <= answer.bound + slack, where
    if answer.lower is None:
        assert answer.upper is None and answer.bound == math.inf
        return
    for t, (low, exact, high) in enumerate(
        zip(steps(answer.lower), q.truth, steps(answer.upper), strict=True)
    ):
        for s, (a, truth, b) in enumerate(zip(low, exact, high, strict=True)):
            assert a <= truth + slack, f"{answer.method}, {q.name}, state {s}, time {t}: lower"
            assert truth - slack <= b, f"{answer.method}, {q.name}, state {s}, time {t}: upper"


def width(answer):
    """The largest upper - lower in exact arithmetic; inf where nothing is proven."""
    if answer.lower is None:
        return math.inf
    pairs = zip(steps(answer.lower), steps(answer.upper), strict=True)
    return max((b - a for low, high in pairs for a, b in zip(low, high, strict=True)), default=0)


def bits(answer):
    """All that must be the same when the same question is asked again."""
    arrays = [answer.v, answer.lower, answer.upper, answer.optimal_actions, answer.proven_optimal]
    if answer.policy is not None:
        arrays += [answer.policy.rows, answer.policy.probs]
    return [None if x is None else x.tobytes() for x in arrays], answer.status, answer.bound, answer.exact


# -- the answer is right ------------------------------------------------------------------------------------------


@planners
@groups
def test_interval_contains_the_exact_answer(name, group):
    for q, answer in answers(name, group):
        check_honest(q, answer)


@planners
@groups
def test_answer_is_reached_and_its_status_says_what_is_proven(name, group):
    for q, answer in answers(name, group):
        if q.name.partition(",")[0] in MANY_SWEEPS and not answer.status.reached:
            assert sum(answer.work.values()) >= SWEEPS or answer.status is Status.FLOATS_SPENT
            assert width(answer) > TOLERANCE
            continue
        assert answer.status in (Status.CERTIFIED, Status.EXACT), (q.name, answer.status, answer.note)
        assert width(answer) <= TOLERANCE, q.name
        assert answer.bound <= TOLERANCE, q.name
        if answer.status is Status.EXACT and not q.accuracy:
            assert list(answer.exact) == [x for row in q.truth for x in row], q.name


@planners
@groups
def test_answer_describes_itself(name, group):
    spec = PLANNERS[name]
    for q, answer in answers(name, group):
        shape = (q.mdp.S,) if q.mdp.horizon is None else (q.mdp.horizon + 1, q.mdp.S)
        assert answer.mdp is q.mdp and answer.task == spec.task
        assert answer.method == name or name.startswith("auto"), q.name
        assert answer.v.shape == shape and answer.v.dtype == np.float64
        assert type(answer.bound) is float and type(answer.seconds) is float
        assert not answer.v.flags.writeable and not answer.lower.flags.writeable
        timed = np.atleast_2d(answer.v)[: q.mdp.horizon]
        assert (timed[:, q.mdp.terminal] == 0).all()
        assert not (np.signbit(answer.v) & (answer.v == 0)).any(), "negative zero is not shown to anyone"
        if spec.task == "control":
            chosen = answer.policy.rows
            assert ((chosen >= 0) == ~q.mdp.terminal).all(), q.name
        else:
            assert answer.policy == q.policy


@planners
@groups
def test_policy_loses_at_most_the_width(name, group):
    if PLANNERS[name].task != "control":
        pytest.skip("evaluates a policy that is given")
    for q, answer in answers(name, group):
        if q.mdp.S > 60:
            continue  # an exact evaluation takes long
        own = by_time(q.mdp, reference.exact_policy_value(q.mdp, answer.policy))
        assert q.loss(own) <= width(answer) + q.accuracy, q.name


@planners
@groups
def test_states_proven_optimal_are(name, group):
    if PLANNERS[name].task != "control":
        pytest.skip("evaluates a policy that is given")
    proven = 0
    for q, answer in answers(name, group):
        if answer.proven_optimal is None or q.mdp.S > 60 or q.accuracy:
            continue
        own = by_time(q.mdp, reference.exact_policy_value(q.mdp, answer.policy))
        for t, sure in enumerate(np.atleast_2d(answer.proven_optimal)):
            for s in np.flatnonzero(sure).tolist():
                assert own[t][s] == q.truth[t][s], (q.name, t, s)
                proven += 1
    assert proven or not answers(name, group)


@planners
@groups
def test_all_optimal_actions_are_listed(name, group):
    if PLANNERS[name].task != "control":
        pytest.skip("evaluates a policy that is given")
    for q, answer in answers(name, group):
        if answer.optimal_actions is None or q.accuracy:
            continue
        rows = reference.exact_rows(q.mdp)
        masks = np.atleast_2d(answer.optimal_actions)
        for t, mask in enumerate(masks.tolist()):
            after = q.truth[t + 1] if q.mdp.horizon is not None else q.truth[0]
            for i, x in enumerate(reference.exact_q(q.mdp, after, rows)):
                if x == q.truth[t][q.mdp.state_of_row(i)]:
                    assert mask[i], (q.name, t, i)


@planners
@pytest.mark.small
def test_reward_without_end_is_refused_with_the_states(name):
    spec = PLANNERS[name]
    for file, answer in ANSWERS.items():
        mdp = load(MODELS / file) if answer["exit"] == 4 else None
        if mdp is None or spec.refuses(mdp):
            continue
        q = Question(file, mdp, None if spec.task == "control" else Policy.uniform(mdp), None)
        with pytest.raises(NoFiniteAnswer) as caught:
            q.ask(PLANNERS[name])
        assert caught.value.states and caught.value.exit_code == 4
        if spec.task == "control":
            assert set(caught.value.states) <= set(answer["states"])
    for q in random_questions(spec.task):
        if q.truth is None and not spec.refuses(q.mdp):
            with pytest.raises(NoFiniteAnswer):
                q.ask(PLANNERS[name])


# -- the call leaves no trace, and can be made again --------------------------------------------------------------


def arrays_of(thing):
    fields = type(thing).__slots__
    return {f: getattr(thing, f) for f in fields if isinstance(getattr(thing, f), np.ndarray)}


@planners
@pytest.mark.small
def test_model_and_policy_are_untouched(name):
    for q in questions(name, "random"):
        things = [x for x in (q.mdp, q.policy) if x is not None]
        assert len(q.mdp.pair_state) == q.mdp.L  # made when it is first asked for, and kept
        before = [{f: x.tobytes() for f, x in arrays_of(thing).items()} for thing in things]
        digest = q.mdp.replace().digest
        if q.truth is not None:
            q.ask(PLANNERS[name])
        after = [{f: x.tobytes() for f, x in arrays_of(thing).items()} for thing in things]
        assert before == after and q.mdp.replace().digest == digest, q.name
        assert not any(x.flags.writeable for thing in things for x in arrays_of(thing).values()), q.name


@planners
@pytest.mark.small
def test_same_call_same_bits(name):
    for q, answer in answers(name, "random"):
        assert bits(q.ask(PLANNERS[name])) == bits(answer), q.name


@planners
@pytest.mark.parametrize(
    "problem", ["discounted", "finite-horizon", pytest.param("total-reward", marks=pytest.mark.slow)]
)
def test_number_of_threads_does_not_change_the_bits(name, problem):
    function = PLANNERS[name]
    if "threads" not in function.defaults:
        pytest.skip("has no threads")
    gamma = 0.9 if problem == "discounted" else None
    mdp = random_model(1, problem, exact=False, S=850, A=4, N=12, gamma=gamma)
    if function.refuses(mdp):
        pytest.skip("not a problem of this method")
    assert mdp.K > 3 * 4096, "large enough to be cut into blocks"
    q = Question(problem, mdp, None if function.task == "control" else random_policy(mdp, 1), None)
    one, three = (q.ask(function, threads=n) for n in (1, 3))
    assert bits(one) == bits(three)


# -- budgets ------------------------------------------------------------------------------------------------------

BUDGETS = {"sweeps": 1, "improvements": 1, "time_limit": 0}
SPENT = {"sweeps": Status.BUDGET_SPENT, "improvements": Status.BUDGET_SPENT, "time_limit": Status.TIME_SPENT}


@planners
@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.small
def test_budget_too_small_is_reported(name, budget):
    function = PLANNERS[name]
    if budget not in function.defaults:
        pytest.skip("has no such budget")
    short = 0
    for q, full in answers(name, "random"):
        answer = q.ask(function, **{budget: BUDGETS[budget]})
        check_honest(q, answer)
        proven = width(answer) <= TOLERANCE if "tolerance" in function.defaults else answer.exact is not None
        assert answer.status.reached == proven, q.name
        if not answer.status.reached:
            short += 1
            assert answer.status is SPENT[budget], q.name
        assert sum(answer.work.values()) <= sum(full.work.values()) + 1, q.name
    assert short or (budget == "improvements") or name.startswith("auto"), "no budget was too small"


@planners
@pytest.mark.small
def test_tolerance_that_cannot_be_reached_is_not_claimed(name):
    function = PLANNERS[name]
    if "tolerance" not in function.defaults:
        pytest.skip("has no tolerance")
    for q in questions(name, "random"):
        if q.truth is None:
            continue
        answer = q.ask(function, tolerance=1e-300)
        check_honest(q, answer)
        proven = width(answer) <= Fraction(1e-300) or answer.status is Status.EXACT
        assert answer.status.reached == proven, q.name
        if not answer.status.reached:
            assert answer.status is Status.FLOATS_SPENT, (q.name, answer.status)
            assert "smallest tolerance" in answer.note, q.name


@planners
@pytest.mark.small
def test_looser_tolerance_is_honest_too(name):
    function = PLANNERS[name]
    if "tolerance" not in function.defaults:
        pytest.skip("has no tolerance")
    for q in questions(name, "random"):
        for options in ({"tolerance": 0.5}, {"tolerance": 0.01, "relative": True}):
            if q.truth is None or not set(options) <= set(function.defaults):
                continue
            answer = q.ask(function, **options)
            check_honest(q, answer)
            limit = Fraction(options["tolerance"])
            if "relative" in options:
                limit *= Fraction(float(np.max(np.abs(answer.v))))
            assert answer.status.reached, (q.name, options)
            assert width(answer) <= limit * (1 + Fraction(1, 2**50)), (q.name, options)


# -- where it starts, and what it is told -------------------------------------------------------------------------


@planners
@pytest.mark.small
def test_warm_start_gives_a_right_answer(name):
    function = PLANNERS[name]
    if "start_from" not in function.defaults:
        pytest.skip("starts from nothing")
    for at, (q, answer) in enumerate(answers(name, "random")):
        if q.mdp.horizon is not None:
            continue
        wild = np.random.default_rng(at).normal(scale=100, size=q.mdp.S)
        for start in (answer, answer.v, wild, -wild):
            again = q.ask(function, start_from=start)
            check_honest(q, again)
            assert again.status.reached, q.name
            if start is answer:
                assert sum(again.work.values()) <= sum(answer.work.values()) + 2, q.name
        if at == 0:
            for wrong in ([1.0] * (q.mdp.S + 1), [math.nan] * q.mdp.S):
                with pytest.raises(OptionError, match=r"^start_from: found shape"):
                    q.ask(function, start_from=wrong)


@planners
def test_unknown_options_are_refused_with_those_there_are(name):
    spec = PLANNERS[name]
    q = questions(name, "random")[0]
    method = "auto" if name == "auto-evaluation" else name
    asked = (solve, q.mdp) if spec.task == "control" else (evaluate, q.mdp, q.policy)
    with pytest.raises(OptionError, match=f"^no_such: {name} has no such option.* It has ") as caught:
        asked[0](*asked[1:], method=method, no_such=1)
    for option in PLANNERS[name].defaults:
        assert option in str(caught.value)


@planners
def test_options_out_of_range_are_refused(name):
    function = PLANNERS[name]
    q = questions(name, "random")[0]
    for option, (kind, _) in function.options.items():
        for wrong in (math.nan, -1, "x", math.inf, [], 10**400):
            with pytest.raises(OptionError, match=re.escape(f"{option}: found ")) as caught:
                q.ask(function, **{option: wrong})
            assert str(caught.value).endswith(f", expected {kind.expected}")


@planners
@pytest.mark.small
def test_model_that_does_not_fit_is_refused(name):
    function = PLANNERS[name]
    for mdp in random_models():
        if function.refuses(mdp):
            q = Question(mdp.name, mdp, None if function.task == "control" else Policy.uniform(mdp), None)
            with pytest.raises(NotAnswerable, match=f"^{name} solves .*, and this is a {mdp.problem} one"):
                q.ask(function)


@planners
@pytest.mark.small
def test_policy_of_another_model_is_refused(name):
    function = PLANNERS[name]
    if function.task != "prediction":
        pytest.skip("finds its own policy")
    q = questions(name, "random")[0]
    other = MDP([[[1.0], [1.0], [1.0], [1.0]]], [[0.0, 0.0, 0.0, 0.0]], 0.5)
    with pytest.raises(OptionError, match="policy: found one of another model"):
        function(q.mdp, Policy.uniform(other))
    with pytest.raises(OptionError, match="policy: found float64 of shape"):
        function(q.mdp, np.ones(q.mdp.L + q.mdp.S + 1))


def test_methods_agree_that_there_is_something_to_test():
    """Every method is asked at least eight questions; without this the loops above could all be empty."""
    for name in PLANNERS:
        assert len(questions(name, "random")) >= 8, name
    assert {q.mdp.problem for q in random_questions("control")} == {
        "discounted",
        "total-reward",
        "finite-horizon",
    }
    assert sum(q.truth is None for q in random_questions("prediction")) >= 3
