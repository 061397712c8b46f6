"""The kit for learners of one's own: a right one passes, every known mistake is found and named."""

from __future__ import annotations

import numpy as np
import pytest

import tabular_rl
from tabular_rl import OptionError, Transitions
from tabular_rl.schedules import Schedule
from tabular_rl.testing import MISTAKES, RULES, assert_learns, cases, check_learner, learned_by
from tabular_rl.testing.rules import Transition, mistakes_of
from tabular_rl.testing.verdict import Put, explicit_sequences

TABLES = {"td0": "v", "sarsa": "q", "expected-sarsa": "q", "q-learning": "q"}


def learner_of(rule, schedule, mistake=None):
    """A learner from transitions, with a mistake or without."""

    def learner(transitions, table, gamma, pi):
        steps = [Transition(*t) for t in transitions]
        made = learned_by(
            rule, steps, table.tolist(), gamma=gamma, step_size=schedule, pi=pi.tolist(), mistake=mistake
        )
        return np.array(made)

    return learner


# -- the rules themselves -------------------------------------------------------------------------------------------


def test_rules_by_hand():
    # s=0 -(a=1, r=2)-> 1, then 1 -(a=0, r=-1)-> end; γ = 1/2, α = 1/2; end starts at garbage.
    steps = [Transition(0, 1, 2.0, 1, False, 0), Transition(1, 0, -1.0, 2, True, None)]
    pi = [[0.5, 0.5], [0.25, 0.75], [0.5, 0.5]]
    half = Schedule.of(0.5)
    # v(0) = 0 + 1/2 (2 + 1/2 · 4 - 0) = 2; v(1) = 4 + 1/2 (-1 - 4) = 3/2.
    assert learned_by("td0", steps, [0.0, 4.0, 99.0], gamma=0.5, step_size=half, pi=pi) == [2.0, 1.5, 99.0]
    q = [[0.0, 0.0], [4.0, 8.0], [99.0, 98.0]]
    # q(0,1): SARSA 1/2 (2 + 1/2 · 4) = 2; max 1/2 (2 + 4) = 3; π 1/2 (2 + 1/2 (1 + 6)) = 2.75; then q(1,0) = 3/2.
    for rule, found in (("sarsa", 2.0), ("q-learning", 3.0), ("expected-sarsa", 2.75)):
        table = learned_by(rule, steps, q, gamma=0.5, step_size=half, pi=pi)
        assert table == [[0.0, found], [1.5, 8.0], [99.0, 98.0]]


@pytest.mark.parametrize("schedule", ["0.25", "1/n"])
@pytest.mark.parametrize("rule", RULES)
def test_rules_are_those_of_the_package(rule, schedule):
    """Two implementations that share no line: the package's kernels, and the plain rules."""
    name = {"sarsa": "sarsa-evaluation", "expected-sarsa": "q-evaluation"}.get(rule, rule)
    for case in cases():
        mdp = case.mdp
        log = tabular_rl.simulation.sample_transitions(mdp, case.policy, steps=60, seed=3)
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
        made = np.array(
            learned_by(rule, steps, start, gamma=mdp.gamma, step_size=Schedule.of(schedule), pi=pi)
        )
        if rule == "td0":
            assert answer.estimates[0][~mdp.terminal].tolist() == made[~mdp.terminal].tolist()
        else:
            assert answer.estimates[0].tolist() == made[mdp.pair_state, mdp.pair_action].tolist()


# -- every mistake --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", ["0.25", "1/n"])
@pytest.mark.parametrize("rule", RULES)
def test_every_mistake_is_found_and_named(rule, schedule):
    made = Schedule.of(schedule)
    assert check_learner(learner_of(rule, made), rule, step_size=schedule, sampled=False, seed=1)
    listed = mistakes_of(rule, made)
    assert len(listed) >= 9
    for mistake in listed:
        verdict = check_learner(
            learner_of(rule, made, mistake), rule, step_size=schedule, sampled=False, seed=1
        )
        assert not verdict, mistake
        assert MISTAKES[mistake] in verdict.mistakes, (mistake, str(verdict))
        assert len(verdict.mistakes) == 1, (mistake, verdict.mistakes)


def test_explicit_sequences_show_mistakes_whatever_the_seed():
    schedule = Schedule.of("1/n")
    for seed in range(5):
        for rule in RULES:
            for mistake in [None, *mistakes_of(rule, schedule)]:
                put = Put(learner_of(rule, schedule, mistake), rule, schedule, "batch")
                found = max(
                    np.abs(put.run(case, x, put.start(case), None) - put.by_rule(case, x, put.start(case)))[
                        :2
                    ].max()
                    for case in cases()
                    for x in explicit_sequences(case, seed)
                )
                assert (found > 1e-6) == (mistake is not None), (rule, mistake, seed)


# -- samples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["td0", "sarsa", "expected-sarsa"])
def test_right_learners_pass_the_samples(rule):
    """A fresh seed each time: fails with probability at most 1e-8 by the bound that the kit itself states."""
    verdict = check_learner(
        learner_of(rule, Schedule.of(0.25)), rule, explicit=False, false_alarm=1e-8, runs=200
    )
    print(verdict)
    assert verdict and verdict.detects is not None


def test_samples_find_a_mistake_in_a_learner_with_choices_of_its_own():
    """A learner whose tables are never those of the rule, as it adds noise: right on average, or without γ."""

    def noisy(transitions, table, gamma, pi, rng, mistake=None):
        made = learner_of("td0", Schedule.of(0.25), mistake)(transitions, table, gamma, pi)
        return made + rng.choice([-1e-6, 1e-6])

    def broken(transitions, table, gamma, pi, rng):
        return noisy(transitions, table, gamma, pi, rng, mistake="no discount")

    assert not check_learner(noisy, "td0", sampled=False)
    assert check_learner(noisy, "td0", explicit=False, seed=5, runs=2000)
    verdict = check_learner(broken, "td0", explicit=False, seed=5, runs=2000)
    assert not verdict and verdict.mistakes == (MISTAKES["no discount"],)
    assert "expected" in verdict.what and "±" in verdict.what


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
        return learner(transitions, table, gamma, pi) + detects

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
    with pytest.raises(AssertionError, match=r"1/√n in place of 1/n|found .* expected"):
        assert_learns(lambda v, s, a, r, s2, done, n: None, "td0", step_size="1/n")


def test_masks_by_multiplication_are_right_too():
    def masked(q, s, a, r, s2, done, gamma):
        q[s, a] += 0.25 * (r + gamma * (1 - done) * q[s2].max() - q[s, a])

    assert_learns(masked, "q-learning")


def test_not_a_number_is_wrong():
    verdict = check_learner(lambda transitions, table: table * np.nan, "td0")
    assert not verdict and "found nan" in verdict.what


@pytest.mark.parametrize(
    ("learner", "options", "message"),
    [
        (lambda x: x, {}, r"learner: found the parameters \(x\), expected a step function"),
        (lambda transitions, table: table[:1], {}, r"learner: returned the shape \(1,\), expected a table"),
        (lambda transitions, table: table, {"rule": "td(0)"}, "rule 'td.0.': no such rule"),
        (lambda transitions, table: table, {"step_size": 2}, "--step-size: found '2'"),
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
        return learner_of(other, Schedule.of(0.25))([t[:5] for t in transitions], table, gamma, pi)

    verdict = check_learner(learner, "sarsa", sampled=False, seed=1)
    said = "maximum" if other == "q-learning" else "that of expected-sarsa"
    assert not verdict and len(verdict.mistakes) == 1 and said in verdict.mistakes[0]
