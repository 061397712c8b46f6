"""The kernels of the one-step learners without their twins: sequences worked out by hand, and exact means.

Each finds most of the mistakes of tests/support/mutants.py, or of those that are named here, by itself.
"""

from __future__ import annotations

import functools
import itertools
import math
import warnings

import numpy as np
import pytest
from hand_walks import EXPECTED_SARSA, EXPECTED_SARSA_OF_POLICY, Q_LEARNING, SARSA, SARSA_TABLES, TD0, TD0_LOG
from learners import fresh_seed, hand_model, law, listed, settings, z_limit, z_of_means
from mutants import define, mutants, plain, planted
from one_step_mutants import ALIKE
from random_models import random_model

from tabular_rl import Policy, expected_sarsa, q_evaluation, q_learning, sarsa, td0
from tabular_rl.kernels import one_step
from tabular_rl.solving.sampling import cumulative, policy_cum, sampling_model
from tabular_rl.solving.schedules import Schedule

MOMENTS = [
    planted("one_step", *mistake)
    for mistake in (
        ("update", "table[e, at(j)] += rate(step_size, n) * rho * (aim - table[e, at(j)])",
         "table[e, j] -= rate(step_size, n) * rho * (aim - table[e, j])"),
        ("update", "rate(step_size, n)", "rate(step_size, math.sqrt(n))"),
        ("update", "rate(step_size, n) * rho", "rate(step_size, n)"),
        ("td0", "bar[e, at(s2)]", "bar[e, model.pair_state[i]]"),
        ("td0", "model.gamma * bar[e, at(s2)]", "bar[e, s2]"),
        ("td0", "s2 >= 0", "True"),
        ("td0", "walk.rho[at(i)]", "1.0"),
        ("td0", "walk.rho[at(i)]", "1.0 / walk.rho[i]"),
        ("td0", "model.pair_state[at(i)]", "s2"),
        ("next_state", "search(model.start, u[walk.restart])", "0"),
        ("action", "first = model.pair_ptr[at(s)]", "first = model.pair_ptr[0]"),
        ("expected_sarsa", "model.gamma * expected(model, walk, x, s2, e, visits, q, bar)",
         "expected(model, walk, x, s2, e, visits, q, bar)"),
        ("expected_sarsa", "expected(model, walk, x, s2, e, visits, q, bar)",
         "bar[e, greedy(bar, e, model.pair_ptr[s2], model.pair_ptr[s2 + 1])]"),
        ("expected_sarsa", "expected(model, walk, x, s2, e, visits, q, bar)",
         "expected(model, walk, x, model.pair_state[i], e, visits, q, bar)"),
        ("expectation", "pi[i] * bar[e, i]", "bar[e, i]"),
        ("sarsa", "model.gamma * bar[e, i2]", "bar[e, i2]"),
        ("sarsa", "bar[e, i2]", "bar[e, i]"),
        ("sarsa", "update(q, e, i, aim, 1.0, walk.step_size, walk.per_step, t, visits, total, since)",
         "update(q, e, i2, aim, 1.0, walk.step_size, walk.per_step, t, visits, total, since)"),
    )
]  # fmt: skip


def hand_differs(made, monkeypatch):
    """Does any sequence worked out by hand come out otherwise?"""
    from tabular_rl import sarsa_evaluation

    for name in ("begin", "td0", "sarsa", "expected_sarsa", "q_learning"):
        monkeypatch.setattr(one_step, name, made[name])
    mdp = hand_model()
    uniform, pi = Policy.uniform(mdp), Policy.of_probs(mdp, [0.25, 0.75, 1.0])
    log, half = TD0_LOG, {"steps": 6, "step_size": 0.5, "reference": False}
    falling = {**half, "step_size": "linear:1:0.5:2"}
    greedily = {**half, "explore": "epsilon-greedy:0.5"}
    rows = [
        (TD0, [1.125, 2.0625, 0.0], lambda: td0(mdp, uniform, **half)),
        (TD0, [1.09375, 2.09375, 0.0], lambda: td0(mdp, pi, behavior=uniform, **half)),
        ([0.5, 0.9, 0.1, 0.25, 0.9, 0.9, 0.2, 0.9, 0.3, 0.9, 0.9], [1.75, 2.0, 0.0],
         lambda: td0(mdp, uniform, source="independent", **{**half, "steps": 3})),
        (TD0, [0.59375, 2.0, 0.0], lambda: td0(mdp, uniform, target="copy:2", **half)),
        (TD0, [1.1171875, 0.40625, 0.0], lambda: td0(mdp, uniform, episode_steps=3, **half)),
        (TD0, [1.625, 3.125, 0.0], lambda: td0(mdp, uniform, **falling)),
        (TD0, [1.28125, 2.1875, 0.0], lambda: td0(mdp, uniform, per="step", **falling)),
        ([], [1.125, 2.0625, 0.0], lambda: td0(mdp, uniform, data=log, **half)),
        (Q_LEARNING, [1.11328125, 0.78125, 2.0625], lambda: q_learning(mdp, **greedily)),
        (Q_LEARNING, [1.09375, 0.75, 2.0], lambda: q_learning(mdp, target="copy:2", **greedily)),
        (SARSA, SARSA_TABLES[-1], lambda: sarsa(mdp, **greedily)),
        ([], SARSA_TABLES[-2], lambda: sarsa_evaluation(mdp, uniform, data=log, **half)),
        (EXPECTED_SARSA, [1.084228515625, 0.7734375, 2.046875], lambda: expected_sarsa(mdp, **greedily)),
        (EXPECTED_SARSA_OF_POLICY, [1.05859375, 0.7734375, 2.046875],
         lambda: q_evaluation(mdp, pi, behavior=uniform, **half)),
    ]  # fmt: skip
    for uniforms, expected, ask in rows:
        listed(monkeypatch, uniforms)
        if ask().estimates.tolist() != [expected]:
            return True
    return False


STEPS, START = 12, 30.0
RULES = {"td0": "td0", "q-evaluation": "expected_sarsa", "sarsa-evaluation": "sarsa"}
SHARED = ("update", "expectation", "next_state", "action")


@functools.cache
def problem(learner, source):
    mdp = random_model(3, "total-reward", exact=False, S=4, ends=1, gamma=0.6, sense="max", by_pair=False)
    first = np.isin(np.arange(mdp.L), mdp.pair_ptr)
    many = np.diff(mdp.pair_ptr)[mdp.pair_state]
    policy = Policy.of_probs(
        mdp, np.where(many == 1, 1.0, np.where(first, 0.9, 0.1 / np.maximum(many - 1, 1)))
    )
    behavior = None if learner == "sarsa-evaluation" else Policy.uniform(mdp)
    alphas = Schedule.of("0.8*n^-0.7")
    exact = law(mdp, learner, policy, [alphas.at(n + 1) for n in range(STEPS)], behavior=behavior, source=source,
                start_value=START)  # fmt: skip
    return mdp, policy, policy if behavior is None else behavior, alphas, exact


def largest_z(made, learner, source, runs, rng, factor=1.0):
    """The largest |z| of the mean table over so many runs against the exact one; inf where it is no number."""
    mdp, policy, behavior, alphas, exact = problem(learner, source)
    code = alphas.code * [1.0, factor, 1.0, 1.0]
    model, cum = sampling_model(mdp), policy_cum(behavior)
    pairs, where = cumulative(behavior.weights / 3), 1 if source == "independent" else 0
    entries = mdp.S if learner == "td0" else mdp.L
    table = np.full((runs, entries), START)
    if learner == "td0":
        table[:, mdp.terminal] = math.nan
    visits, none = np.zeros((runs, entries), dtype=np.int64), np.zeros((runs, 0))
    clock, row = np.zeros(runs, dtype=np.int64), np.zeros(runs, dtype=np.int64)
    since = np.zeros((runs, 0), dtype=np.int64)
    made["begin"](model, 0, 0.0, cum, where, pairs, visits, table, rng.random((runs, 2)), row)
    for step in range(STEPS):
        uniforms = rng.random((runs, 1, 4 if learner == "sarsa-evaluation" else 3))
        walk = settings(
            source=where, pairs=pairs, cum=cum, again=uniforms.shape[2] - 1, step_size=code, per_step=True,
            pi=policy.weights, rho=policy.weights / behavior.weights,
        )  # fmt: skip
        tables = clock, row, visits, none, since, table, table
        made[RULES[learner]](model, None, walk, uniforms, step, *tables)
    table[:, mdp.terminal if learner == "td0" else []] = 0.0
    z = np.abs(z_of_means(table, *exact)).max()
    return math.inf if math.isnan(z) else float(z)


QUESTIONS = list(
    itertools.product(("td0", "q-evaluation", "sarsa-evaluation"), ("independent", "trajectory"))
)
LIMIT = z_limit(1e-8, len(QUESTIONS) * 8)  # false alarm 1e-8, all questions and entries together


def means_differ(made, learner, runs=1500):
    """Is a mean over 1,500 runs further from the exact one than chance would have it, once in 1e8?"""
    rng = np.random.default_rng(1)
    return any(
        largest_z(made, name, source, runs, rng) > LIMIT
        for name, source in QUESTIONS
        if learner in SHARED or RULES[name] == learner
    )


def seen(check, mutant, *given):
    """Whether a check finds a difference; None where the program fails."""
    made = plain("one_step")
    define(mutant.node, made)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return check(made, *given)
    except Exception:
        return None


# -- what they find -------------------------------------------------------------------------------------------------


def test_nothing_is_found_where_nothing_is_planted(monkeypatch):
    assert not hand_differs(plain("one_step"), monkeypatch)


@pytest.mark.parametrize("mutant", MOMENTS, ids=str)
def test_mistake_is_seen_in_the_means(mutant):
    assert seen(means_differ, mutant, mutant.kernel), f"no |z| above {LIMIT:.1f}"


def test_most_mistakes_are_found_by_hand_alone(monkeypatch):
    """The sequences worked out by hand do not rest on the twins: most mistakes that can be seen show in them."""
    rules = "transition", "outcome", "update", "td0", "sarsa", "expected_sarsa", "q_learning"
    alone = {str(m): seen(hand_differs, m, monkeypatch) for rule in rules for m in mutants("one_step", rule)}
    counted = [found for m, found in alone.items() if found is not None and m not in ALIKE]
    print(f"{sum(counted)} of {len(counted)}; not by hand:", *(m for m in alone if not alone[m]), sep="\n")
    assert sum(counted) >= 0.6 * len(counted)


@pytest.mark.parametrize(("learner", "source_"), QUESTIONS)
def test_means_of_the_kernels_are_exact(learner, source_):
    """200,000 runs of 12 steps against the recursion; false alarm below 2e-9 each, printed seed.

    The smallest difference in a mean that is found is 1.5% of the standard deviation of a run.
    """
    rng = np.random.default_rng(fresh_seed())
    made = {name: getattr(one_step, name) for name in ("begin", *RULES.values())}
    z = largest_z(made, learner, source_, 200_000, rng)
    print(f"largest |z| {z:.2f}, limit {LIMIT:.2f}")
    assert z < LIMIT


def test_step_off_by_one_percent_is_seen_in_the_means():
    """A million runs of TD(0) whose steps are 1% too long: |z| is beyond the limit."""
    made = {name: getattr(one_step, name) for name in ("begin", *RULES.values())}
    z = largest_z(made, "td0", "independent", 1_000_000, np.random.default_rng(1), factor=1.01)
    print(f"largest |z| {z:.1f}, limit {LIMIT:.1f}")
    assert z > LIMIT
