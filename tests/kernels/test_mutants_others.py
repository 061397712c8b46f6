"""Every small mistake in the kernels of Monte Carlo, linear and gradient learners, of episodes and records is found.

A mistake must leave other bits behind than the twin (reference_returns, reference_linear, reference_actor,
reference_gradient, reference_learning, reference) on some small input.
"""

from __future__ import annotations

import copy
import functools
import itertools
import math

import actors
import numpy as np
import pytest
import reference
import reference_actor
import reference_gradient
import reference_learning
import reference_linear
import reference_returns
from learners import SCHEDULES, Case, settings
from mutants import Check, check_every_mistake_is_found, plain
from random_models import random_model, random_policy

from tabular_rl.kernels import actor, gradient, monte_carlo, monte_carlo_control
from tabular_rl.kernels.episodes import Decisions
from tabular_rl.kernels.linear import Weights
from tabular_rl.methods.learning._linear import read_features, times
from tabular_rl.solving.sampling import cumulative
from tabular_rl.solving.schedules import Schedule

PIECES = (4, 26)  # a walk of 30 steps, in two calls
KERNELS = {
    "monte_carlo": ("learn_returns", "record", "monte_carlo"),
    "monte_carlo_control": ("learn_pairs", "record_pair", "monte_carlo_control"),
    "linear": ("dot", "climb", "after", "linear_td", "linear_q"),
    "actor": (
        "softmax_choice", "actor_begin", "push", "push_entropy", "ascend", "learn_value", "learn_episode", "reinforce",
        "learn_batch", "actor_critic",
    ),
    "gradient": ("episode_estimates", "given_estimates"),
    "episodes": ("play",),
    "recording": ("larger", "add_error", "measure"),
}  # fmt: skip


# -- the checks: each is what the twin leaves behind, and a call of the kernels that leaves the same ------------------


def same_arguments(twins, name, *arguments, work=()):
    """A check where the twin takes what the kernel takes; arguments of these numbers are room to work in."""

    def call(function):
        own = copy.deepcopy(arguments)  # one array given twice stays one
        result = function(*own)
        return result, actors.bits(*(x for i, x in enumerate(own) if i not in work))

    return Check(call(getattr(twins, name)), lambda made: call(made[name]), tuple.__eq__)


def monte_carlo_checks(seed, importance, first, restart):
    average, per_step, rng = seed % 2 == 0, seed % 5 == 1, np.random.default_rng(seed)
    case = Case(7000 + seed, states=True, step_size=seed % 5, average=average)
    mdp, S, longest = case.mdp, case.mdp.S, (2, 4, 20)[seed % 3]
    rho = np.where(rng.random(mdp.L) < 0.2, 0.0, case.rho) if seed % 4 == 3 else case.rho
    walk = case.walk(per_step=per_step, rho=rho, episode_steps=longest * restart)
    if importance == 1:  # n is a sum of ratios
        walk = walk._replace(step_size=walk.step_size[:4])
    tables, zeros, none = case.copied(), np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int64)
    counts = monte_carlo.Counts(np.zeros((2, S)), tables["visits"], tables["total"], tables["since"])
    rows, rewards = rng.integers(0, mdp.L, (2, longest)), rng.normal(size=(2, longest))
    seen = np.full((2, S if first else 0), -1)
    episodes = monte_carlo.Episodes(rows, rewards, seen, zeros, zeros.copy())
    how = monte_carlo.Returns(importance, first, (1, 2, 0)[seed % 3], none, none, none)
    uniforms = np.ascontiguousarray(case.uniforms[:, :, :3])
    own = tables["clock"], tables["row"], how, episodes, counts, tables["table"]
    yield same_arguments(reference_returns, "monte_carlo", case.model, None, walk, uniforms, 7, *own)
    log = case.given(12)
    ends = np.array([2, 5, 6, 11])
    begun = np.full(12, -1)
    begun[ends] = [0, 3, 6, 7]
    keep = np.arange(12) + (rng.random(12) < 0.5)
    marked = np.where(rng.random(12) < 0.2, -log.row - 1, log.row)
    how = monte_carlo.Returns(importance, first, 0, marked, begun, keep)
    own = None, tables["row"], how, episodes, counts, tables["table"]
    yield same_arguments(
        reference_returns, "monte_carlo", case.model, log, walk, np.zeros((2, 30, 0)), 7, *own
    )


def control_checks(seed, first, restart):
    average, per_step, rng = seed % 2 == 0, seed % 5 == 1, np.random.default_rng(seed)
    case = Case(7500 + seed, step_size=seed % 5, average=average, kind=(0, 1, 3)[seed % 3])
    mdp, longest = case.mdp, (2, 4, 20)[seed % 3]
    walk = case.walk(per_step=per_step, episode_steps=longest * restart)
    tables, zeros, none = case.copied(), np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int64)
    counts = monte_carlo_control.PairCounts(tables["visits"], tables["total"], tables["since"])
    rows, rewards = rng.integers(0, mdp.L, (2, longest)), rng.normal(size=(2, longest))
    held = monte_carlo_control.Episodes(rows, rewards, np.full((2, mdp.L), -1), zeros, zeros.copy())
    how = monte_carlo_control.Control(first, seed % 4 > 1, (1, 2, 0)[seed % 3], none, none, none)
    uniforms = np.ascontiguousarray(case.uniforms[:, :, :3])
    own = tables["clock"], tables["row"], how, held, counts, tables["table"]
    yield same_arguments(reference_returns, "monte_carlo_control", case.model, None, walk, uniforms, 7, *own)
    log = case.given(12)
    begun = np.full(12, -1)
    begun[[2, 5, 6, 11]] = [0, 3, 6, 7]
    keep = np.arange(12) + (rng.random(12) < 0.5)
    marked = np.where(rng.random(12) < 0.2, -log.row - 1, log.row)
    how = monte_carlo_control.Control(first, False, 0, marked, begun, keep)
    own = None, tables["row"], how, held, counts, tables["table"]
    yield same_arguments(
        reference_returns, "monte_carlo_control", case.model, log, walk, np.zeros((2, 30, 0)), 7, *own
    )


TARGETS = ("none", "copy", "average")


def linear_check(seed, learner, source, target, limit):
    """One of linear_td ("td") and linear_q ("expected", "max", "ε": greedy but for ε = .3)."""
    per_step, average = seed % 4 == 1, seed % 3 == 0
    case = Case(9000 + seed, states=learner == "td", step_size=seed % 5, source=source, target=target)
    mdp, rng, d = case.mdp, np.random.default_rng(seed), 3
    behavior, policy = random_policy(mdp, case.seed), random_policy(mdp, case.seed + 1)
    entries = mdp.S if learner == "td" else mdp.L
    X = rng.normal(size=(entries, d)) * (rng.random((entries, d)) < 0.7)
    if learner == "td":
        X[mdp.terminal] = math.nan
    x = read_features(X, entries, "entries")
    start, first = rng.normal(size=(2, d)), rng.random((2, 2))
    schedule, kind = Schedule.of(SCHEDULES[seed % 5]), int(learner == "ε")
    common = ("trajectory", "independent", "sweeps")[source], (TARGETS[target], case.by), limit or None
    histories = []
    for e in range(2):
        more = start[e].tolist(), first[e].tolist(), case.uniforms[e, :, :3].tolist()
        how = schedule, "step" if per_step else "visit", *common, *more
        if learner == "td":
            history = reference_linear.linear_td(mdp, X.tolist(), policy, behavior, *how)
        else:
            pi = policy if learner == "expected" else None
            history = reference_linear.linear_q(mdp, X.tolist(), pi, behavior, 0.3 if kind else None, *how)
        histories.append(history)
    expected = np.array([h[-1] for h in histories]), np.sum(histories, axis=1)
    walk = case.walk(
        per_step=per_step, episode_steps=limit, explore=kind, explore_rate=Schedule.of("0.3").code,
        pi=case.pi if learner == "expected" else np.zeros(0),
    )  # fmt: skip

    def call(made):
        w, kept = start.copy(), d if average else 0
        weights = Weights(
            np.zeros((2, kept)), np.zeros((2, kept), dtype=np.int64), w.copy() if target else w, w
        )
        visits, row, q = np.zeros((2, entries), dtype=np.int64), np.zeros(2, dtype=np.int64), times(x, w)
        made["begin"](case.model, kind, 0.3, case.cum, source, case.pairs, visits, q, first, row)
        q[:] = math.nan
        tables = np.zeros(2, dtype=np.int64), row, x, visits, *([] if learner == "td" else [q]), weights
        walked(made["linear_td" if learner == "td" else "linear_q"], case, walk, *tables)
        return w, weights.total + w * (30 - weights.since) if average else None

    def equal(a, b):
        return np.array_equal(a[0], b[0]) and (
            b[1] is None or np.allclose(a[1], b[1], rtol=1e-10, atol=1e-10)
        )

    return Check(expected, call, equal)


def walked(kernel, case, walk, *tables):
    done = 0
    for n in PIECES:
        uniforms = np.ascontiguousarray(case.uniforms[:, done : done + n, :3])
        kernel(case.model, None, walk, uniforms, done, *tables)
        done += n


def one_hot_check(seed, rule, kind):
    """With one-hot features the weights are the table of Q-learning and expected SARSA, however one explores."""
    case = Case(9500 + seed, kind=kind, target=seed % 3)
    tables = case.q(reference, rule, episode_steps=4)
    x = read_features("one-hot", case.mdp.L, "pairs")
    walk = case.walk(episode_steps=4, **({"pi": np.zeros(0)} if rule == 2 else {}))

    def call(made):
        clock, row, visits, total, since, bar, w = case.copied().values()
        scratch = np.full(w.shape, math.nan)
        walked(made["linear_q"], case, walk, clock, row, x, visits, scratch, Weights(total, since, bar, w))
        return w, visits

    return Check((tables["table"], tables["visits"]), call, lambda a, b: all(map(np.array_equal, a, b)))


def actor_inputs(seed, longest):
    mdp = random_model(seed, "discounted", exact=False, S=4, ends=1, by_pair=seed % 3 == 0)
    given = actors.Tables(mdp, seed=seed, d=(None, 3)[seed // 4 % 2], runs=2)
    given.theta *= (1.0, 400.0)[seed % 3 == 2]  # some probabilities are 0
    start = given.rng.random((2, 2))
    critic, climber = given.begun(reference_actor, start)
    step_size = Schedule.of(("0.1", "0.5*n^-0.6")[seed % 2]).code
    walk = settings(episode_steps=longest, step_size=step_size)
    return given, walk, start, critic, climber, given.rng.random((2, 40, 3))


def reinforce_checks(seed, longest, form, batch, weighted):
    given, walk, start, critic, climber, uniforms = actor_inputs(seed, longest)
    how = actors.ascent(form, weighted=weighted, batch=batch)
    first = given.model, given.x, start, given.counts(), climber.prob, given.theta
    yield same_arguments(reference_actor, "actor_begin", *first)
    counts = given.counts(), given.counts(), np.full(2, 0.5)
    episodes = actor.Episodes(np.full((2, longest), -7), np.full((2, longest), math.nan), *counts)
    tables = given.counts(), given.row, given.x, how, episodes, critic, climber
    yield same_arguments(reference_actor, "reinforce", given.model, None, walk, uniforms, 7, *tables)


def actor_critic_check(seed, longest, batch, entropy, weighted):
    given, walk, _, critic, climber, uniforms = actor_inputs(seed, longest)
    how = actors.ascent(weighted=weighted, batch=batch, entropy=entropy, beta="0.9*n^-0.7")
    several = given.whole.S * (batch > 1)
    running = actor.Running(np.ones(2), np.zeros((2, several)), given.counts(several))
    tables = given.counts(), given.row, given.x, how, running, critic, climber
    return same_arguments(reference_actor, "actor_critic", given.model, None, walk, uniforms, 7, *tables)


def given_check(seed, whole, decided):
    """Six episodes of 20 steps, and two steps of one that is not over; one of them of a ratio of 0."""
    rng = np.random.default_rng(seed)
    n, d, L = 22, 3, 5
    last = np.isin(np.arange(n), (0, 3, 4, 9, 12, 19))
    ratio = rng.uniform(0.3, 2.0, n)
    ratio[7] = 0.0
    steps = gradient.Given(rng.integers(0, L, n), last, rng.normal(size=n), rng.normal(size=n), ratio)
    room = np.zeros(n), np.full((6, d), np.nan), np.full(6, np.nan)
    given = rng.normal(size=(L, d)), steps, whole, 0.8, 0.9, decided
    return same_arguments(reference_gradient, "given_estimates", *given, *room, work=(6,))


def gradient_check(seed, whole, layers):
    """Six episodes of 20 steps, and two steps of one that is not over."""
    rng = np.random.default_rng(seed)
    S, L, K, d, n = 3, 5, 7, 2, 22
    last = np.isin(np.arange(n), (0, 3, 4, 9, 12, 19))
    form = whole, rng.normal(size=(layers, K)), 0.8, rng.normal(size=(layers, S)), 0.9
    rows, outcomes = rng.integers(0, L, n), rng.integers(0, K, n)
    room = np.zeros(n), np.full((6, d), np.nan)
    given = rng.integers(0, S, L), rng.normal(size=(L, d)), *form, rows, outcomes, last
    return same_arguments(reference_gradient, "episode_estimates", *given, *room, work=(10,))


def play_check(seed, restarts, steps, kept, random):
    case, rng = Case(9900 + seed), np.random.default_rng(seed)
    mdp, n, m = case.mdp, 3, 30
    live, starts = ~mdp.terminal, mdp.pair_ptr[:-1].astype(np.int64)
    rows = np.where((rng.random((2, mdp.S)) < random) | ~live, -1, starts)
    weight = rng.random((3, mdp.L))
    weight /= np.repeat(np.add.reduceat(weight, starts[live], axis=1), np.diff(mdp.pair_ptr)[live], axis=1)
    policy = Decisions(rows, np.stack([cumulative(one, mdp.pair_ptr) for one in weight]))
    uniforms = rng.random((n, m, 3 if restarts else 2))
    state, clock = rng.choice(np.flatnonzero(live), n), rng.integers(0, 2, n)
    returns = (np.full(n, 0.5), np.zeros(n)) if kept else (np.zeros(0), np.zeros(0))
    size = (n, m) if seed % 2 or not kept else (0, 0)
    made = [np.zeros(size, dtype=kind) for kind in (np.int64, np.int64, np.bool_)]
    arguments = case.model, policy, steps, uniforms, state, clock, *returns, *made
    return same_arguments(reference, "play", *arguments)


def recording_checks(seed, diverges, entries):
    rng = np.random.default_rng(seed)
    runs = (1, 4, 6)[seed % 3]
    table, truth, weights = rng.normal(size=(runs, entries)), rng.normal(size=entries), rng.random(entries)
    live = rng.random(entries) < 0.7
    table[:, ~live] = math.nan
    if diverges and live.any():
        table[runs // 2, np.flatnonzero(live)[0]] = math.nan
    arguments = np.array([0, entries]), np.empty((runs, 1)), np.empty((runs, 2))
    yield same_arguments(reference_learning, "measure", table, truth, live, weights, *arguments)
    q, groups, ones = rng.normal(size=(runs, 8)) - 1.0, np.array([0, 3, 3, 4, 8]), np.ones(8)
    arguments = groups, np.full((runs, 4), 9.0), np.empty((runs, 2))
    yield same_arguments(reference_learning, "measure", q, 0.3 * ones, ones > 0, ones, *arguments)


@functools.cache
def checks(module):
    """All checks of a module's kernels."""

    def over(check, *options):
        return [check(seed, *option) for seed, option in enumerate(itertools.product(*options))]

    def several(check, *options):
        return list(itertools.chain.from_iterable(over(check, *options)))

    no_or_yes = (False, True)
    if module == "monte_carlo":
        return several(monte_carlo_checks, range(3), no_or_yes, no_or_yes)
    if module == "monte_carlo_control":
        return [
            check for seed, options in enumerate(itertools.product(no_or_yes, repeat=4))
            for check in control_checks(seed, *options[:2])
        ]  # fmt: skip
    if module == "linear":
        learners = over(linear_check, ("td", "expected", "max", "ε"), range(3), range(3), (0, 4))
        return learners + over(one_hot_check, (1, 2), range(4))
    if module == "actor":
        episodes = several(reinforce_checks, (5, 30), range(4), (1, 3), no_or_yes)
        return episodes + over(actor_critic_check, (5, 1000), (1, 4), (0.0, 0.3), no_or_yes)
    if module == "recording":
        return several(recording_checks, no_or_yes, (1, 7, 8))
    if module == "gradient":
        return over(gradient_check, no_or_yes, (1, 3)) + over(given_check, no_or_yes, no_or_yes)
    return over(play_check, no_or_yes, (0, 4), no_or_yes, (0.3, 1.0))


def walks_on(kernel):
    """What a walk by a policy does not ask for: a rate of exploring."""
    call = "next_row(model, walk, {}, u, s2, -1, e, clock, row, None, None)"
    return {f"{kernel}: {call.format('0.0')} -> {call.format('1.0')}"}


DRAW = "i = scan(cum, pair_ptr[s], pair_ptr[{}], uniforms[e, k, 0], {})"
WORTH = "aim = r + model.gamma * {}"
LAST = ("min(e + 1, runs - 1)", "min(e + 2, runs - 1)", "min(e + 3, runs - 1)")
ALIKE = {
    # the last run is the last of the four too
    *(
        f"measure: e1, e2, e3 = ({', '.join(LAST)}) -> e1, e2, e3 = ({', '.join(LAST).replace(x, x[:-2] + '2)')})"
        for x in LAST[:2]
    ),
    *walks_on("monte_carlo"),
    *walks_on("linear_td"),
    # tables have two entries at least; the target's kernel looks itself whether there is one
    "learn_returns: if total.shape[1] > 0: -> if total.shape[1] > 1:",
    "learn_pairs: if counts.total.shape[1] > 0: -> if counts.total.shape[1] > 1:",
    "climb: if weights.total.shape[1] > 0: -> if weights.total.shape[1] > 1:",
    "climb: if walk.target > 0: -> if True:",
    "after: if len(walk.pi) > 0: -> if len(walk.pi) > 1:",
    "play: if len(G) > 0: -> if len(G) > 1:",
    "play: if rows.shape[1] > 0: -> if rows.shape[1] > 1:",
    "play: G[e] += factor[e] * (reward[out] if len(reward) > 0 else model.r[i]) -> "
    "G[e] += factor[e] * (reward[out] if len(reward) > 1 else model.r[i])",
    # a sum over no entries is 0: those of -1 are the last ones up to the first
    *(
        f"{kernel}: {WORTH.format(worth)} if s2 >= 0 else r -> {WORTH.format(worth)}"
        for kernel, worth in (
            ("linear_td", "dot(x, s2, weights.bar, e)"),
            ("linear_q", "after(model, walk, x, s2, e, weights.bar)"),
        )
    ),
    # more of the scratch table than anybody asks for
    "linear_q: if walk.explore > 0: -> if True:",
    "linear_q: for j in range(model.pair_ptr[s], model.pair_ptr[s + 1]): -> "
    "for j in range(model.pair_ptr[s], model.pair_ptr[s + 2]):",
    "learn_returns: if importance == 1: -> if True: (2)",  # the weight of the others is 1
    # of a few actions the first above the uniform is found without their end
    *(
        f"play: {DRAW.format('s + 1', False)} -> {DRAW.format(*other)}"
        for other in (("s - 1", False), ("s + 2", False), ("s + 1", True))
    ),
    "softmax_choice: chosen = first -> chosen = last",  # some row has a probability
    # one more place, of an episode that was reckoned before
    "given_estimates: for m in range(n, first - 1, -1): -> for m in range(n, first - 2, -1):",
    "reinforce: t = step + k -> t = step - k",  # it is the time in a log
    # quick ways past what changes nothing
    "actor_critic: if how.entropy > 0.0: -> if True:",
    "actor_critic: if how.entropy > 0.0: -> if True: (2)",
    # the update after a multiple of `batch` steps
    "actor_critic: learn_batch(how, rate(walk.step_size, (t + 1) // how.batch), e, running, critic, actor) -> "
    "learn_batch(how, rate(walk.step_size, (t + 2) // how.batch), e, running, critic, actor)",
}


@pytest.mark.parametrize("module", KERNELS)
def test_nothing_is_found_where_nothing_is_planted(module):
    made = plain(module)
    assert all(check.equal(check.expected, check.call(made)) for check in checks(module))


@pytest.mark.parametrize(
    ("file", "kernel"), [(file, kernel) for file, names in KERNELS.items() for kernel in names]
)
def test_every_mistake_is_found(file, kernel):
    check_every_mistake_is_found(file, kernel, checks(file), ALIKE)
