"""The kit for learners of one's own: a right one passes, every known mistake is found and named."""

from __future__ import annotations

import numpy as np
import pytest

import tabular_rl
from tabular_rl import OptionError, Transitions
from tabular_rl.solving.schedules import Schedule
from tabular_rl.testing import (
    MISTAKES,
    RULES,
    Rule,
    Transition,
    assert_learns,
    cases,
    check_learner,
    learned_by,
)
from tabular_rl.testing.rules import EPISODIC, OF_RULE
from tabular_rl.testing.verdict import Put

ONE_STEP = ("td0", "sarsa", "expected-sarsa", "q-learning")


def learner_of(rule, schedule, mistake=None, **numbers):
    """A learner from transitions, with a mistake or without."""
    rule = Rule(rule, schedule, **numbers)

    def learner(transitions, table, gamma, pi, coins):
        steps = [Transition(*t) for t in transitions]
        made = learned_by(
            rule, steps, table.tolist(), gamma=gamma, pi=pi.tolist(), mistake=mistake, coins=coins
        )
        return np.array(made)

    return learner


# -- the rules themselves -------------------------------------------------------------------------------------------


def test_rules_by_hand():
    # s=0 -(a=1, r=2)-> 1, then 1 -(a=0, r=-1)-> end; γ = 1/2, α = 1/2; end starts at garbage.
    steps = [Transition(0, 1, 2.0, 1, False, 0), Transition(1, 0, -1.0, 2, True, None)]
    pi = [[0.5, 0.5], [0.25, 0.75], [0.5, 0.5]]

    def table(rule, start):
        return learned_by(Rule(rule, Schedule.of(0.5)), steps, start, gamma=0.5, pi=pi)

    # v(0) = 0 + 1/2 (2 + 1/2 · 4 - 0) = 2; v(1) = 4 + 1/2 (-1 - 4) = 3/2.
    assert table("td0", [0.0, 4.0, 99.0]) == [2.0, 1.5, 99.0]
    q = [[0.0, 0.0], [4.0, 8.0], [99.0, 98.0]]
    # q(0,1): SARSA 1/2 (2 + 1/2 · 4) = 2; max 1/2 (2 + 4) = 3; π 1/2 (2 + 1/2 (1 + 6)) = 2.75; then q(1,0) = 3/2.
    for rule, found in (("sarsa", 2.0), ("q-learning", 3.0), ("expected-sarsa", 2.75)):
        assert table(rule, q) == [[0.0, found], [1.5, 8.0], [99.0, 98.0]]


def test_double_q_by_hand():
    # Coin 0: q₁(0,1) ← 1/2 (2 + 1/2 q₂(1, argmax q₁(1,·) = 1) - 0) = 1/2 (2 + 3) = 2.5; coin 1 learns at the end:
    # q₂(1,0) ← 20 + 1/2 (-1 - 20) = 9.5.
    steps = [Transition(0, 1, 2.0, 1, False), Transition(1, 0, -1.0, 2, True)]
    q = [[[0.0, 0.0], [4.0, 8.0], [99.0, 98.0]], [[1.0, 1.0], [20.0, 6.0], [99.0, 98.0]]]
    found = learned_by(
        Rule("double-q-learning", Schedule.of(0.5)), steps, q, gamma=0.5, pi=[[0.5, 0.5]] * 3, coins=[0, 1]
    )
    assert found == [[[0.0, 2.5], [4.0, 8.0], [99.0, 98.0]], [[1.0, 1.0], [9.5, 6.0], [99.0, 98.0]]]


# a -1-> b -2-> a -4-> end, γ = α = 1/2, λ = 1/2, from v = 0; the end is at 99.
EPISODE = [Transition(0, 0, 1.0, 1, False), Transition(1, 0, 2.0, 0, False), Transition(0, 0, 4.0, 2, True)]


@pytest.mark.parametrize(
    ("rule", "numbers", "expected"),
    [
        # returns: 4, then 2 + 2 = 4, then 1 + 2 = 3; the first visit of a has 3.
        ("monte-carlo", {}, [1.5, 2.0, 99.0]),
        # the last first: v(a) = 2, v(b) = 2, v(a) = 2 + 1/2 (3 - 2)
        ("monte-carlo", {"visit": "every"}, [2.5, 2.0, 99.0]),
        # n = 2: 1 + 1/2 · 2 + 1/4 v(a) = 2: v(a) = 1; 2 + 1/2 · 4 = 4: v(b) = 2; 4: v(a) = 1 + 1/2 (4 - 1)
        ("n-step-td", {"n": 2}, [2.5, 2.0, 99.0]),
        # δ = 1: v(a) = 1/2; δ = 2 + 1/4: z = (1/8, 1/2): v = (25/32, 9/8); δ = 4 - 25/32 = 103/32,
        # z = (1/32 + 1/2, 1/8): v = (25/32 + 103/32 · 17/32, 9/8 + 103/256)
        ("td-lambda", {"trace": 0.5}, [25 / 32 + 103 / 32 * 17 / 32, 9 / 8 + 103 / 256, 99.0]),
        # replacing: z(a) = 1/2 in the last step
        ("td-lambda", {"trace": 0.5, "traces": "replacing"}, [25 / 32 + 103 / 64, 9 / 8 + 103 / 256, 99.0]),
    ],
)
def test_rules_over_episodes_by_hand(rule, numbers, expected):
    half = Rule(rule, Schedule.of(0.5), **numbers)
    assert learned_by(half, EPISODE, [0.0, 0.0, 99.0], gamma=0.5, pi=[[1.0]] * 3) == expected


@pytest.mark.parametrize("schedule", ["0.25", "1/n"])
@pytest.mark.parametrize(
    ("rule", "numbers"),
    [
        ("monte-carlo", {"visit": "first"}),
        ("monte-carlo", {"visit": "every"}),
        ("n-step-td", {"n": 3}),
        ("td-lambda", {"trace": 0.75, "traces": "accumulating"}),
        ("td-lambda", {"trace": 0.75, "traces": "replacing"}),
    ],
)
def test_rules_over_episodes_are_those_of_the_package(rule, numbers, schedule):
    """Two implementations that share no line, on a log of whole episodes."""
    for case in cases():
        mdp = case.mdp
        if not mdp.terminal.any():
            continue
        log = tabular_rl.sample_transitions(mdp, case.policy, steps=80, seed=3)
        last = int(np.flatnonzero(log.done)[-1]) + 1
        columns = [x[:last] for x in (log.row, log.reward, log.next_state, log.done, log.next_row)]
        data = Transitions(mdp, *columns)
        answer = tabular_rl.learn(
            mdp, rule, case.policy, data=data, steps=last, step_size=schedule, start_value=0.5, reference=False,
            **numbers,
        )  # fmt: skip
        steps = [
            Transition(mdp.state_of_row(i), int(mdp.pair_action[i]), r, s2, done)
            for i, r, s2, done in zip(*(x.tolist() for x in columns[:4]), strict=True)
        ]
        made = learned_by(
            Rule(rule, Schedule.of(schedule), **numbers), steps, [0.5] * mdp.S, gamma=mdp.gamma, pi=[]
        )
        live = ~mdp.terminal
        assert answer.estimates[0][live] == pytest.approx(np.array(made)[live], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("schedule", ["0.25", "1/n"])
@pytest.mark.parametrize("rule", ONE_STEP)
def test_rules_are_those_of_the_package(rule, schedule):
    """Two implementations that share no line: the package's kernels, and the plain rules."""
    name = {"sarsa": "sarsa-evaluation", "expected-sarsa": "q-evaluation"}.get(rule, rule)
    for case in cases():
        mdp = case.mdp
        log = tabular_rl.analysis.simulation.sample_transitions(mdp, case.policy, steps=60, seed=3)
        steps = [
            Transition(
                mdp.state_of_row(i),
                int(mdp.pair_action[i]),
                r,
                s2,
                done,
                None if i2 < 0 else int(mdp.pair_action[i2]),
            )
            for i, r, s2, done, i2 in zip(
                *(x.tolist() for x in (log.row, log.reward, log.next_state, log.done, log.next_row)),
                strict=True,
            )
        ]
        steps = [t for t in steps if t.done or t.a2 is not None]
        columns = log.row, log.reward, log.next_state, log.done, log.next_row
        data = Transitions(mdp, *(x[: len(steps)] for x in columns))
        options = dict(data=data, steps=len(steps), step_size=schedule, start_value=0.5, reference=False)
        answer = (
            tabular_rl.learn(mdp, name, **options)
            if rule == "q-learning"
            else tabular_rl.learn(mdp, name, case.policy, **options)
        )
        table = np.where(mdp.terminal[:, None], 777.0, np.full((mdp.S, mdp.A), 0.5))
        start = table[:, 0].tolist() if rule == "td0" else table.tolist()
        pi = case.policy.table.tolist()
        made = np.array(learned_by(Rule(rule, Schedule.of(schedule)), steps, start, gamma=mdp.gamma, pi=pi))
        if rule == "td0":
            assert answer.estimates[0][~mdp.terminal].tolist() == made[~mdp.terminal].tolist()
        else:
            assert answer.estimates[0].tolist() == made[mdp.pair_state, mdp.pair_action].tolist()


# -- every mistake --------------------------------------------------------------------------------------------------


VARIANTS = [
    *[(rule, {}) for rule in RULES],
    ("monte-carlo", {"visit": "every"}),
    ("n-step-td", {"n": 2}),
    ("td-lambda", {"traces": "replacing"}),
]


@pytest.mark.parametrize("schedule", ["0.25", "1/n"])
@pytest.mark.parametrize(("rule", "numbers"), VARIANTS)
def test_every_mistake_is_found_and_named(rule, numbers, schedule):
    made = Rule(rule, Schedule.of(schedule), **numbers)
    options = dict(step_size=schedule, sampled=False, seed=1, **numbers)
    assert check_learner(learner_of(rule, made.step_size, **numbers), rule, **options)
    assert len(made.mistakes) >= 9
    for mistake in made.mistakes:
        verdict = check_learner(learner_of(rule, made.step_size, mistake, **numbers), rule, **options)
        assert not verdict, mistake
        assert verdict.mistakes == (made.words(mistake),), (mistake, str(verdict))


def test_every_mistake_belongs_to_a_rule():
    assert set(MISTAKES) == {mistake for listed in OF_RULE.values() for mistake in listed}


def test_a_sarsa_that_takes_the_maximum_is_not_called_an_expectation():
    verdict = check_learner(learner_of("sarsa", Schedule.of(0.25), "maximum"), "sarsa", sampled=False, seed=1)
    assert verdict.mistakes == (
        "the maximum over the next actions is taken instead of the action a' that was taken",
    )


@pytest.mark.parametrize("rule", RULES)
def test_a_discount_of_its_own_is_named(rule):
    right = learner_of(rule, Schedule.of(0.25))

    def learner(transitions, table, gamma, pi, coins):
        return right(transitions, table, 0.95, pi, coins)

    verdict = check_learner(learner, rule, sampled=False, seed=1)
    assert verdict.mistakes == ("the discount is always 0.95, whatever γ is",)


def test_explicit_sequences_show_mistakes_whatever_the_seed():
    for seed in (2,):
        for name in RULES:
            rule = Rule(name, Schedule.of("1/n"))
            for mistake in [None, *rule.mistakes]:
                put = Put(learner_of(name, rule.step_size, mistake), rule, "batch")
                found = max(e.off(rule) for e in put.sequences(cases(), seed))
                assert (found > 1e-6) == (mistake is not None), (rule, mistake, seed)


# -- double Q-learning: whose coin ----------------------------------------------------------------------------------


def double_q(q, s, a, r, s2, done, gamma, coin):
    own, other = (q[0], q[1]) if coin == 0 else (q[1], q[0])
    after = 0 if done else other[s2, own[s2].argmax()]
    own[s, a] += 0.25 * (r + gamma * after - own[s, a])


def test_double_q_with_the_coins_of_the_kit_and_with_its_own():
    def tosses(q, s, a, r, s2, done, gamma, rng):
        double_q(q, s, a, r, s2, done, gamma, rng.integers(2))

    def one_side(q, s, a, r, s2, done, gamma):
        double_q(q, s, a, r, s2, done, gamma, 0)

    def twice_q(q, s, a, r, s2, done, gamma, rng):
        own = q[rng.integers(2)]
        own[s, a] += 0.25 * (r + gamma * (0 if done else own[s2].max()) - own[s, a])

    assert check_learner(double_q, "double-q-learning")
    assert check_learner(tosses, "double-q-learning")
    verdict = check_learner(one_side, "double-q-learning", seed=1)
    assert not verdict
    assert "the same table learned" in verdict.what
    assert verdict.false_alarm < 1e-9
    verdict = check_learner(twice_q, "double-q-learning", seed=1)
    assert verdict.mistakes == (MISTAKES["own values"],)
    with pytest.raises(OptionError, match="must take its coins"):
        check_learner(tosses, "double-q-learning", step_size="1/n")


@pytest.mark.parametrize("rule", EPISODIC)
def test_rules_over_episodes_refuse_step_functions_and_models_without_an_end(rule):
    with pytest.raises(OptionError, match="found a step function"):
        check_learner(lambda v, s, a, r, s2, done: None, rule)
    with pytest.raises(OptionError, match="found none whose episodes end"):
        check_learner(lambda transitions, v: v, rule, models=cases()[1:2])


@pytest.mark.parametrize("options", [{"visit": "third"}, {"traces": "dutch"}, {"n": 0}, {"trace": 2}])
def test_numbers_of_rules_are_checked(options):
    with pytest.raises(OptionError, match="found"):
        check_learner(lambda transitions, v: v, "td-lambda", **options)


def test_a_rule_that_has_no_moments_needs_its_sequences():
    with pytest.raises(OptionError, match="no exact moments"):
        check_learner(lambda transitions, v: v, "monte-carlo", explicit=False)


# -- samples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["td0", "sarsa", "expected-sarsa"])
def test_right_learners_pass_the_samples(rule):
    """A fresh seed each time: fails with probability at most 1e-8 by the bound that the kit itself states."""
    verdict = check_learner(
        learner_of(rule, Schedule.of(0.25)), rule, explicit=False, false_alarm=1e-8, runs=200
    )
    print(verdict)
    assert verdict
    assert verdict.detects is not None


def test_samples_find_a_mistake_in_a_learner_with_choices_of_its_own():
    """A learner whose tables are never those of the rule, as it adds noise: right on average, or without γ."""

    def noisy(transitions, table, gamma, pi, rng, mistake=None):
        made = learner_of("td0", Schedule.of(0.25), mistake)(transitions, table, gamma, pi, None)
        return made + rng.choice([-1e-6, 1e-6])

    def broken(transitions, table, gamma, pi, rng):
        return noisy(transitions, table, gamma, pi, rng, mistake="no discount")

    assert not check_learner(noisy, "td0", sampled=False)
    few = dict(explicit=False, seed=5, runs=2000, models=cases()[:1])
    assert check_learner(noisy, "td0", **few)
    verdict = check_learner(broken, "td0", **few)
    assert not verdict
    assert verdict.mistakes == (MISTAKES["no discount"],)
    assert "expected" in verdict.what
    assert "±" in verdict.what


def test_stated_probability_of_a_false_alarm_holds():
    """At a bound of 1/2 a right learner fails in fewer than half of 40 seeds; Bernstein's bound is far from tight."""
    learner, two = learner_of("td0", Schedule.of(0.25)), cases()[:2]
    failed = sum(
        not check_learner(
            learner, "td0", explicit=False, false_alarm=0.5, runs=60, steps=10, seed=seed, models=two
        )
        for seed in range(40)
    )
    assert failed <= 20


def test_stated_discrepancy_is_found():
    learner = learner_of("td0", Schedule.of(0.25))
    detects = check_learner(learner, "td0", explicit=False, seed=2, runs=300, models=cases()[:1]).detects

    def shifted(transitions, table, gamma, pi):
        return learner(transitions, table, gamma, pi, None) + detects

    assert not any(
        check_learner(shifted, "td0", explicit=False, seed=seed, runs=300, models=cases()[:1])
        for seed in range(5)
    )


# -- how functions are called ---------------------------------------------------------------------------------------


def test_step_functions_in_every_form():
    def in_place(v, s, a, r, s2, done, gamma, step_size):
        v[s] += step_size * (r + (0 if done else gamma * v[s2]) - v[s])

    def returned(v, s, a, r, s2, done, gamma):
        w = v.copy()
        w[s] += 0.25 * (r + (0 if done else gamma * v[s2]) - v[s])
        return w

    def counted(v, s, a, r, s2, done, gamma, n):
        v[s] += (r + (0 if done else gamma * v[s2]) - v[s]) / n

    assert_learns(in_place, "td0", runs=50, seed=1)
    assert_learns(returned, "td0", runs=50, seed=1)
    assert_learns(counted, "td0", step_size="1/n")
    with pytest.raises(AssertionError, match=r"1/√n instead of 1/n|found .* expected"):
        assert_learns(lambda v, s, a, r, s2, done, n: None, "td0", step_size="1/n")


def test_masks_by_multiplication_are_right_too():
    def masked(q, s, a, r, s2, done, gamma):
        q[s, a] += 0.25 * (r + gamma * (1 - done) * q[s2].max() - q[s, a])

    assert_learns(masked, "q-learning")


def test_not_a_number_is_wrong():
    verdict = check_learner(lambda transitions, table: table * np.nan, "td0")
    assert not verdict
    assert "found nan" in verdict.what


@pytest.mark.parametrize(
    ("learner", "options", "message"),
    [
        (lambda x: x, {}, r"learner: found the parameters \(x\), expected a step function"),
        (lambda transitions, table: table[:1], {}, r"learner: returned the shape \(1,\), expected a table"),
        (lambda transitions, table: table, {"rule": "td(0)"}, "rule 'td.0.': no such rule"),
        (lambda transitions, table: table, {"step_size": 2}, "step_size: found '2'"),
        (lambda transitions, table: table, {"false_alarm": 0}, "false_alarm: found 0"),
    ],
)
def test_refusals(learner, options, message):
    with pytest.raises(OptionError, match=message):
        check_learner(learner, **{"rule": "td0", **options})


def test_parts_named_in_any_order_are_understood():
    def sarsa(q, s, a, r, s2, a2, done, gamma, step_size):
        q[s, a] += step_size * (r + (0 if done else gamma * q[s2, a2]) - q[s, a])

    def other_order(v, s, a, s2, r, done, gamma):
        v[s] += 0.25 * (r + (0 if done else gamma * v[s2]) - v[s])

    assert_learns(sarsa, "sarsa", sampled=False)
    assert_learns(other_order, "td0", sampled=False)


@pytest.mark.parametrize("other", ["q-learning", "expected-sarsa"])
def test_the_rule_of_another_method_is_named(other):
    def learner(transitions, table, gamma, pi):
        return learner_of(other, Schedule.of(0.25))([t[:5] for t in transitions], table, gamma, pi, None)

    verdict = check_learner(learner, "sarsa", sampled=False, seed=1)
    said = "maximum" if other == "q-learning" else "that of expected-sarsa"
    assert not verdict
    assert len(verdict.mistakes) == 1
    assert said in verdict.mistakes[0]
