"""What a learner says before it starts: each verdict where it is true, and none where nothing is wrong."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tabular_rl import MDP, NoFiniteAnswer, OptionError, Policy, learn, load, n_step_td, q_learning, td0
from tabular_rl.laws.q_learning import harmonic_error
from tabular_rl.solving.schedules import Schedule

MODELS = Path(__file__).resolve().parents[2] / "mdps"
# A state with two actions, noise, and an end.
COIN = MDP.from_outcomes(
    [("s", "toss", "s", "1/2", 0), ("s", "toss", "end", "1/2", 1), ("s", "stop", "end", 1, 0)],
    1,
    terminal=["end"],
)
# No chance in it, and no end.
RING = MDP([[[0, 1], [1, 0]], [[1, 0], [0, 1]]], [[1, 0], [0, 2]], "1/2", axes="sas")
# From a to b, where one stays.
TRAP = MDP.from_outcomes(
    [("a", "go", "a", "1/2", 1), ("a", "go", "b", "1/2", 1), ("b", "go", "b", 1, 1)], "1/2"
)


def said(mdp, method, policy=None, steps=1, **options):
    return list(learn(mdp, method, policy, steps=steps, reference=False, **options).verdicts)


def one(mdp, method, policy=None, **options):
    (verdict,) = said(mdp, method, policy, **options)
    return verdict


SILENT = [
    ("q-learning", {}),
    ("q-learning", {"explore": "boltzmann:1"}),
    ("q-learning", {"explore": "ucb:1"}),
    ("q-learning", {"explore": "epsilon-visits:10"}),
    ("sarsa", {"explore": "epsilon-visits:10"}),  # greedy in the limit, and every action forever
    ("q-learning", {"source": "independent"}),
    ("q-learning", {"source": "sweeps"}),
    ("q-learning", {"step_size": "0.5*n^-0.51", "average": True}),
    ("double-q-learning", {}),
    ("td0", {}),
    ("td0", {"step_size": "1/n"}),
    ("sarsa-evaluation", {}),
    ("q-evaluation", {}),
    ("monte-carlo", {}),
]


@pytest.mark.parametrize(("method", "options"), SILENT)
def test_nothing_is_said_where_nothing_is_wrong(method, options):
    assert said(COIN, method, **options) == []


# -- step sizes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_size", ["exponential:0.5:0.9", "n^-1.1", "linear:0.5:0:1000"])
def test_finite_sum(step_size):
    assert "its sum is finite" in one(COIN, "q-learning", step_size=step_size)


@pytest.mark.parametrize(
    "step_size", ["0.1", "n^-0.5", "n^-0.3", "linear:0.5:0.1:10", "exponential:0.5:0.9:0.1"]
)
@pytest.mark.parametrize("method", ["td0", "q-learning", "monte-carlo"])
def test_infinite_sum_of_squares(method, step_size):
    assert "sum of its squares is infinite" in one(COIN, method, step_size=step_size)


def test_without_chance_a_constant_step_settles():
    assert said(RING, "q-learning", step_size=1) == []
    assert said(RING, "td0", Policy.of_actions(RING, [0, 0]), step_size=1) == []
    # and so it is: q is exact after enough steps of size 1.
    answer = learn(RING, "q-learning", steps=2000, step_size=1, explore="epsilon-greedy:1")
    assert answer.sup_error[0] < 1e-12
    # the next action is chance enough
    assert "squares" in one(RING, "td0", Policy.uniform(RING), step_size=1)


def test_an_average_keeps_the_bias_of_a_constant_step():
    assert "bias in proportion" in one(COIN, "td0", step_size=0.1, average=True)
    assert "bias in proportion" in one(COIN, "q-learning", step_size=0.1, average=True, source="independent")
    assert said(COIN, "td0", step_size=0.1, average=True, source="independent") == []
    assert said(COIN, "td0", step_size="n^-0.5", average=True) == []


def test_one_over_n_is_slow_where_nothing_ends():
    assert "fall only like n^-0.01" in one(RING.replace(gamma="0.99"), "q-learning", step_size="1/n")
    assert said(RING, "q-learning", step_size="1/n") == []  # like n^-1/2, as fast as noise allows
    assert said(RING.replace(gamma="0.99"), "q-learning", step_size="n^-0.7") == []
    # The rate is that of the exact law of one state: two points of it, a factor of 10 in n apart.
    found = np.log10(harmonic_error("0.99", 10**6) / harmonic_error("0.99", 10**7))
    assert found == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "limit"),
    [("0.1", 0.1), ("1/n", 0), ("n^-0.7", 0), ("0.5*n^-0", 0.5), ("linear:1:0.2:10", 0.2), ("exponential:1:0.9", 0),
     ("exponential:1:0.9:0.05", 0.05), ("exponential:0.3:1", 0.3)],
)  # fmt: skip
def test_limit_of_a_schedule_is_where_it_goes(text, limit):
    schedule = Schedule.of(text)
    assert schedule.limit == limit
    assert schedule.at(10**30) == pytest.approx(limit, abs=1e-15)


# -- exploration ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "explore", ["greedy", "epsilon-greedy:exponential:1:0.9", "epsilon-greedy:n^-2", "boltzmann:1/n", "ucb:0"]
)
def test_exploration_that_ends(explore):
    assert "tried only finitely often" in one(COIN, "q-learning", explore=explore)
    assert (
        said(COIN, "q-learning", explore=explore, source="independent") == []
    )  # pairs are drawn, not chosen


def test_greedy_alone_may_never_find_the_best():
    # The first action pays 1, the second 2: greedy from 0 never tries the second, as the verdict fears.
    arms = MDP.from_outcomes([("s", "a", "end", 1, 1), ("s", "b", "end", 1, 2)], 1, terminal=["end"])
    answer = learn(arms, "q-learning", steps=1000, explore="greedy")
    assert answer.policy["s"] == "a"
    assert answer.verdicts


@pytest.mark.parametrize("method", ["sarsa", "expected-sarsa"])
def test_exploration_for_ever_is_part_of_what_sarsa_learns(method):
    assert "learns the values of a policy that explores so" in one(COIN, method)
    assert "learns the values of a policy that explores so" in one(COIN, method, explore="boltzmann:1")
    assert "learns the values of the policy of behavior=" in one(COIN, method, behavior=Policy.uniform(COIN))
    alone = MDP([[[0.5, 0.5]], [[0, 0]]], [[1], [0]], 1, terminal=["1"])
    assert said(alone, method) == []  # no choice, nothing to explore


def test_sarsa_learns_of_the_log():
    log = [("s", "toss", 0, "s"), ("s", "stop", 0, "end"), ("s", "toss", 1, "end")]
    assert any("the policy that made the log" in verdict for verdict in said(COIN, "sarsa", data=log))


# -- coverage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["td0", "q-evaluation", "monte-carlo", "q-learning", "double-q-learning", "sarsa"]
)
def test_lacking_coverage_is_an_error_that_names_the_pair(method):
    policy = None if "learning" in method or method == "sarsa" else Policy.uniform(COIN)
    with pytest.raises(OptionError, match="state 's', action 'stop': found probability 0"):
        learn(COIN, method, policy, behavior=Policy.of_actions(COIN, [0, -1]), steps=1)


def test_sweeps_need_no_behaviour():
    assert said(COIN, "q-learning", behavior=Policy.of_actions(COIN, [0, -1]), source="sweeps") == []


def test_lacking_coverage_names_the_time():
    timed = COIN.replace(gamma=1, horizon=2)
    behavior = Policy.of_actions(timed, [[0, -1], [1, -1]])
    with pytest.raises(OptionError, match="state 's at time 0', action 'stop'"):
        learn(timed, "q-learning", behavior=behavior, steps=1)


# -- reach ------------------------------------------------------------------------------------------------------------

# b is reached from nowhere; c only by the second action of a.
ISLAND = MDP.from_outcomes(
    [
        ("a", "0", "end", 1, 1), ("a", "1", "c", 1, 1), ("b", "0", "a", 1, 1), ("b", "1", "a", 1, 1),
        ("c", "0", "end", 1, 1),
    ],
    1, terminal=["end"], start="a",
)  # fmt: skip


def test_pairs_that_cannot_be_reached_are_counted():
    verdict = one(ISLAND, "q-learning")
    assert verdict.startswith(
        "2 of 5 pairs are never updated, such as state 'b', action '0': it cannot be reached"
    )
    assert said(ISLAND, "q-learning", source="independent") == []
    visits = learn(ISLAND, "q-learning", steps=2000, explore="epsilon-greedy:1").visits[0]
    assert (visits == 0).tolist() == [False, False, True, True, False]


def test_states_that_cannot_be_reached_are_counted():
    first = Policy.of_probs(ISLAND, {"a": "0", "b": "0", "c": "0"})
    verdict = one(ISLAND, "td0", first)
    assert verdict.startswith("2 of 3 states are never updated")
    answer = learn(ISLAND, "td0", first, steps=100)
    assert int(answer.never_visited.sum()) == 2


def test_pairs_that_the_policy_never_takes_are_counted():
    stop = Policy.of_actions(COIN, [1, -1])
    verdict = one(COIN, "q-evaluation", stop)
    assert verdict.startswith(
        "1 of 2 pairs are never updated, such as state 's', action 'toss': the behaviour never"
    )
    assert said(COIN, "q-evaluation", stop, behavior=Policy.uniform(COIN)) == []
    assert "never takes it" in one(COIN, "q-evaluation", stop, source="independent")


def test_times_that_cannot_be_reached_are_counted():
    # At time 0 only a is there; at time 1 the states that it leads to.
    verdict = one(ISLAND.replace(horizon=2), "q-learning")
    assert verdict.startswith("7 of 10 pairs are never updated")


def test_states_that_are_left_for_ever():
    verdict = one(TRAP, "td0")
    assert verdict.startswith("1 of 2 states, such as 'a', are updated only finitely often")
    assert said(TRAP, "td0", episode_steps=10) == []
    assert said(TRAP, "td0", source="independent") == []
    visits = learn(TRAP, "td0", steps=1000, reference=False).visits[0]
    assert visits[0] < 100
    assert visits[1] > 900


def test_parts_that_no_trajectory_leaves():
    apart = MDP([[[1, 0]], [[0, 1]]], [[1], [1]], "1/2")
    assert "fall into 2 parts" in one(apart, "td0")
    assert said(apart, "td0", episode_steps=10) == []
    assert (learn(apart, "td0", steps=100, reference=False).visits[0] > 0).sum() == 1


def test_an_end_begins_anew():
    assert said(COIN, "td0") == []
    # An end that is reached only now and then, before it is too late: left forever all the same.
    both = MDP.from_outcomes([("a", "go", "b", "1/4", 1), ("a", "go", "end", "3/4", 1), ("b", "go", "b", 1, 1)], "1/2",
                             terminal=["end"])  # fmt: skip
    assert "'a', are updated only finitely often" in one(both, "td0")


# -- importance ratios ------------------------------------------------------------------------------------------------


def loop(again, gamma=1):
    """Sutton & Barto, example 5.5: ρ = 2 for the action that leads back."""
    mdp = MDP.from_outcomes(
        [("s", "left", "s", again, 0), ("s", "left", "end", str(1 - float(again)), 1), ("s", "right", "end", 1, 0)],
        gamma, terminal=["end"],
    )  # fmt: skip
    return mdp, Policy.of_actions(mdp, [0, -1])


@pytest.mark.parametrize("importance", ["ordinary", "per-decision"])
def test_infinite_variance_of_importance_weights(importance):
    mdp, left = loop("0.75")  # 2 · 3/4 > 1
    verdict = one(mdp, "monte-carlo", left, behavior=Policy.uniform(mdp), importance=importance)
    assert "infinite variance" in verdict
    mdp, left = loop("0.25")  # 2 · 1/4 < 1
    assert said(mdp, "monte-carlo", left, behavior=Policy.uniform(mdp), importance=importance) == []


def test_finite_variance_where_it_is_weighted_discounted_or_on_policy():
    mdp, left = loop("0.75", "1/2")
    uniform = Policy.uniform(mdp)
    assert said(mdp, "monte-carlo", left, behavior=uniform, importance="weighted") == []
    assert said(mdp, "monte-carlo", left, behavior=uniform, importance="per-decision") == []  # 1/4 · 3/2 < 1
    assert "infinite" in one(mdp, "monte-carlo", left, behavior=uniform, importance="ordinary")
    assert said(mdp, "monte-carlo", uniform, importance="ordinary") == []


def test_traces_carry_ratios_on():
    mdp, left = loop("0.75")
    options = {"behavior": Policy.uniform(mdp), "traces": "accumulating"}
    assert "a smaller trace=" in one(mdp, "td-lambda", left, trace=0.9, **options)  # 0.81 · 3/2 > 1
    assert said(mdp, "td-lambda", left, trace=0.8, **options) == []  # 0.64 · 3/2 < 1
    assert said(mdp, "td0", left, behavior=Policy.uniform(mdp)) == []  # one ratio at a time


def test_a_step_that_goes_too_far():
    mdp, left = loop("0.75")
    rare = Policy.of_probs(mdp, [0.125, 0.875])  # ρ = 8
    found = said(mdp, "td0", left, behavior=rare, step_size=0.5)
    assert any("importance ratios are up to 8: times a step size of 0.5" in verdict for verdict in found)
    assert len(said(mdp, "td0", left, behavior=rare, step_size=0.25)) == 1  # only the noise: 8 · 1/4 = 2
    assert said(mdp, "td0", left, behavior=rare) == []


# -- shape ------------------------------------------------------------------------------------------------------------


def test_every_verdict_is_one_line_that_says_what_to_do():
    found = [
        *said(TRAP, "td0", step_size=0.1),
        *said(TRAP, "td0", step_size="n^-2"),
        *said(ISLAND, "sarsa", explore="greedy"),
        *said(COIN, "sarsa"),
    ]
    assert len(found) >= 6
    for verdict in found:
        assert "\n" not in verdict
        assert ";" in verdict or "--" in verdict
        assert not verdict.endswith(".")


# -- exploration that falls to 0, loops, long products, logs -------------------------------------------------------


@pytest.mark.parametrize(("rate", "steps"), [("1/n", 1), ("n^-0.5", 2), ("n^-0.3", 3)])
def test_fading_exploration_says_how_far_it_reaches(rate, steps):
    # Σ n^(-w d) is infinite where w d is at most 1: d = 1, 2, 3.
    mdp = load(MODELS / "gridworld_5x5.toml")
    (found,) = q_learning(mdp, steps=1, explore=f"epsilon-greedy:{rate}", reference=False).verdicts
    assert f"falls to 0: what takes more than {steps} exploratory actions" in found


def test_loops_without_reward_are_told_at_discount_one():
    found = q_learning(load(MODELS / "tiny_rewards.toml"), steps=1, reference=False).verdicts
    assert sum("stay forever at no reward" in said for said in found) == 1
    assert not q_learning(load(MODELS / "cliff_walking.toml"), steps=1, reference=False).verdicts


def test_products_of_ratios_are_told_before_they_are_too_long():
    # One state, two actions: a policy that always takes the first, and uniform behaviour: ρ = 2, so 2^n times α.
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    policy, uniform = Policy.of_actions(mdp, [0]), Policy.uniform(mdp)
    options = {"behavior": uniform, "steps": 1, "reference": False, "step_size": "0.25*n^-0.7"}
    assert not n_step_td(mdp, policy, n=3, **options).verdicts  # 8 / 4 = 2
    (found,) = n_step_td(mdp, policy, n=4, **options).verdicts
    assert "up to 16: times a step size of 0.25" in found


@pytest.mark.parametrize(("model", "per", "rate"), [("random_walk_5", "visit", 1 - math.cos(math.pi / 6))])
def test_rate_of_harmonic_steps_is_the_least_eigenvalue(model, per, rate):
    # The walk on n states inside a fence has the eigenvalues 1 - cos(k π / (n + 1)).
    mdp = load(MODELS / f"{model}.toml")
    (found,) = td0(mdp, Policy.uniform(mdp), steps=1, step_size="1/n", per=per, reference=False).verdicts
    assert f"n^-{rate:.2g} " in found
    assert not td0(
        mdp, Policy.uniform(mdp), steps=1, step_size="1/n", start_value=0, per=per, target="copy:5"
    ).verdicts


def test_log_that_cannot_be_of_the_policy_is_refused():
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    uniform, first = Policy.uniform(mdp), Policy.of_actions(mdp, [0])
    log = [(0, 0, 1.0, 0)]
    assert td0(mdp, uniform, data=29 * log, steps=1).visits.sum() == 1  # 2^-29 = 1.9e-9 may happen
    with pytest.raises(OptionError, match=r"taken 0 times of 30 in the log, .* probability 0\.5"):
        td0(mdp, uniform, data=30 * log, steps=1)
    with pytest.raises(
        OptionError, match="taken 0 times of 1 in the log, and the policy takes it with probability 1"
    ):
        td0(mdp, first, data=[(0, 1, 0.0, 0)], steps=1)
    assert (
        td0(mdp, uniform, behavior=Policy.of_probs(mdp, [0.9, 0.1]), data=30 * log, steps=1).visits.sum() == 1
    )


def test_no_finite_answer_without_a_reference_either():
    mdp = MDP(
        [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]],
        [[-1.0, -1.0], [0.0, 0.0]],
        1,
        terminal=[1],
        axes="sas",
    )
    with pytest.raises(NoFiniteAnswer):
        td0(mdp, Policy.of_actions(mdp, [0, -1]), steps=1, reference=False)
    endless = MDP([[[1.0]]], [[1.0]], 1)
    with pytest.raises(NoFiniteAnswer):
        q_learning(endless, steps=1, reference=False)


def test_temperature_that_comes_to_zero_is_refused():
    for rate in ("linear:1:0:100", "exponential:1:0.9", "0"):
        with pytest.raises(OptionError, match="explore: found"):
            q_learning(MDP([[[1.0]]], [[1.0]], "1/2"), steps=1, explore=f"boltzmann:{rate}")
