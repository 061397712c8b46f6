"""Experience replay: the buffer, the priorities and their weights, exact; the same bits as a slow twin; the right mean.

One test is statistical: false alarm 2e-8 at most.
"""

from __future__ import annotations

import functools
import itertools
import random
import secrets
from fractions import Fraction

import numpy as np
import pytest
from learners import settings
from random_models import random_model
from reference_control import check_bits_of_twin, same_bits, swapped_in

from tabular_rl import MDP, OptionError, Policy, Transitions, behavior_of, learn
from tabular_rl.formats import load
from tabular_rl.kernels.one_step import Mean
from tabular_rl.kernels.replay import MARGIN, Buffer, put, replay, take
from tabular_rl.solving.options import OPTIONS
from tabular_rl.solving.sampling import sampling_model

CORRIDOR = MDP(
    [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]], [[0], [1], [0]], "1/2", start=[1, 0, 0], terminal=["2"]
)


# -- the buffer -------------------------------------------------------------------------------------------------------


def test_replay_by_hand():
    """A buffer of one: each step learns twice from the transition just seen. α = 1/2, γ = 1/2."""
    found = [
        learn(
            CORRIDOR, "q-learning", steps=n, replay="uniform", capacity=1, batch=2, step_size=0.5
        ).q.tolist()
        for n in (1, 2, 3, 4)
    ]
    assert found[0] == pytest.approx([0, np.nan], nan_ok=True)
    assert found[1:] == [[0, 3 / 4], [9 / 32, 3 / 4], [9 / 32, 15 / 16]]


def test_the_newest_takes_the_place_of_the_oldest():
    answer = learn(CORRIDOR, "q-learning", steps=5, replay="uniform", capacity=3, batch=1)
    arrays = answer.state["arrays"]
    assert arrays["held_row"].tolist() == [[1, 0, 0]]  # rows 0 1 0 1 0 into places 0 1 2 0 1
    assert arrays["stored"].tolist() == [5]


@pytest.mark.parametrize("per", ["visit", "step"])
def test_the_n_of_a_step_size_counts_updates_or_steps(per):
    """One pair, reward 1, the end; 1/n. Per visit the first draw learns all; so does the first step."""
    mdp = MDP([[[0, 1]], [[0, 0]]], [[1], [0]], 1, states=["a", "end"], terminal=["end"])
    answer = learn(mdp, "q-learning", steps=2, replay="uniform", batch=3, step_size="0.5/n", per=per)
    q = Fraction(0)
    for n in [1, 2, 3, 4, 5, 6] if per == "visit" else [1, 1, 1, 2, 2, 2]:
        q += Fraction(1, 2 * n) * (1 - q)
    assert answer.q[0] == pytest.approx(float(q), abs=1e-15)


@pytest.mark.parametrize("replay", ["uniform", "prioritized"])
def test_an_average_is_that_of_the_tables_after_each_step(replay):
    mdp = random_model(5, "discounted", exact=False, ends=1)
    options = {"replay": replay, "capacity": 6, "batch": 3, "seed": 8, "reference": False, "start_value": 2.0}
    after = [learn(mdp, "q-learning", steps=n, **options).estimates for n in range(1, 41)]
    average = learn(mdp, "q-learning", steps=40, average=True, **options).estimates
    assert average == pytest.approx(np.mean(after, axis=0), rel=1e-12)


# -- priorities -------------------------------------------------------------------------------------------------------


def trees(p):
    """The two trees of priorities p, a power of two of them, made leaf by leaf."""
    sums, least = np.zeros((1, 2 * len(p))), np.full((1, 2 * len(p)), np.inf)
    for j in np.random.default_rng(0).permutation(len(p)):
        if p[j] > 0:
            put(sums, least, 0, j, p[j])
    return sums, least


def test_one_uniform_draws_in_proportion_exactly():
    """Dyadic priorities, zeros among them: no rounding, so the draw is the first j with u Σ p < p(0) + ... + p(j)."""
    rng = random.Random(3)
    for leaves in (1, 2, 4, 8, 32):
        for _ in range(20):
            p = [rng.choice([0, 0.25, 0.5, 1, 3, 7.75]) for _ in range(leaves)]
            p[rng.randrange(leaves)] = 0.5
            sums, least = trees(p)
            ends = [Fraction(x) for x in itertools.accumulate(map(Fraction, p))]
            assert sums[0, 1] == ends[-1] and least[0, 1] == min(x for x in p if x > 0)
            for m in range(64):
                u = m / 64
                assert take(sums, 0, u) == next(
                    j for j, end in enumerate(ends) if Fraction(u) * ends[-1] < end
                )


def test_no_uniform_draws_an_empty_leaf():
    """Sums of floats round, and the last uniform below 1 must still find something."""
    rng = np.random.default_rng(0)
    for n in range(1, 33):
        p = np.zeros(32)
        p[:n] = rng.random(n) * 10.0 ** rng.integers(-8, 8, n) + 1e-9
        sums, _ = trees(p)
        for u in [0.0, 1 - 2**-53, *rng.random(50)]:
            assert p[take(sums, 0, u)] > 0


def draws(log, q, p, omega, beta, uniforms, step_size=0.5):
    """Updates of a table q by transitions drawn from a log with priorities p; returns q and the priorities after it."""
    mdp = log.mdp
    q = np.array([q], dtype=float)
    sums, least = trees([*p, *[0.0] * ((1 << (len(p) - 1).bit_length()) - len(p))])
    top, visits = np.ones(1), np.zeros((1, mdp.L), dtype=np.int64)
    mean = Mean(np.zeros((1, 0)), np.zeros((1, 0), dtype=np.int64))
    none = np.zeros((1, 0), dtype=np.int64)
    buffer = Buffer(
        True, float(omega), float(beta), np.zeros(1, dtype=np.int64), none, none, sums, least, top
    )
    replay(
        sampling_model(mdp), log.arrays(), settings(step_size=np.array([0.0, step_size, 0, 0])),
        np.array(uniforms, dtype=float).reshape(1, -1, 1), 0, None, np.zeros(1, dtype=np.int64), buffer, visits, mean,
        q, q,
    )  # fmt: skip
    half = sums.shape[1] // 2
    return q[0], sums[0, half : half + len(p)], top[0]


def test_priorities_by_hand():
    """Two pairs of one state, worth 3 and 1 at the end. ω = β = 1, α = 1/2."""
    mdp = MDP(
        [[[0, 1], [0, 1]], [[0, 0], [0, 0]]],
        [[3, 1], [0, 0]],
        1,
        states=["a", "end"],
        terminal=["end"],
        axes="sas",
    )
    log = Transitions.of(mdp, [("a", 0, 3.0, "end"), ("a", 1, 1.0, "end")])
    # p = (1, 1), u = 0.25: the first; weight 1, error 3: q = 3/2, p = 3 + MARGIN.
    q, p, top = draws(log, [0, 0], [1, 1], 1, 1, [0.25])
    assert q.tolist() == [1.5, 0] and p.tolist() == [3 + MARGIN, 1] and top == 3 + MARGIN
    # Σ p = 4.01; u = 0.5 is the first again: weight 1 / 3.01, error 3/2.
    q, p, top = draws(log, [0, 0], [1, 1], 1, 1, [0.25, 0.5])
    assert q.tolist() == pytest.approx([1.5 + 0.5 * 1.5 / 3.01, 0], abs=1e-15)
    assert p.tolist() == pytest.approx([1.51, 1]) and top == 3 + MARGIN
    # u = 0.7 of Σ p = 2.51 is 1.757 > 1.51: the second; weight 1, error 1. ω counts where p is made.
    q, p, _ = draws(log, [0, 0], [1, 1], 0.5, 1, [0.25, 0.9])
    assert q.tolist() == [1.5, 0.5] and p.tolist() == pytest.approx([3.01**0.5, 1.01**0.5])


@pytest.mark.parametrize("beta", [0, 0.5, 1])
def test_the_mean_update_is_what_the_weights_promise(beta):
    """Enumerated over all draws: Σ_j P(j) Δq = α Σ_j p(j)/Σp (min p / p(j))^β δ(j) e(j): at β = 1 the direction of
    uniform draws, min p · n / Σ p times as long."""
    mdp = load("example:recycling_robot")
    rng = random.Random(7)
    log = Transitions.of(
        mdp,
        [
            (s, a, rng.randint(-8, 8) / 4, rng.randrange(mdp.S))
            for s, a in [(0, 0), (0, 1), (1, 0), (0, 0), (1, 1)]
        ],
    )
    q0 = [0.5, -1.0, 2.0, 0.25, 1.5][: mdp.L]
    p = [1, 4, 0.25, 2, 0.75]
    total, below = sum(map(Fraction, p)), Fraction(0)
    mean, promised, uniform = np.zeros(mdp.L), np.zeros(mdp.L), np.zeros(mdp.L)
    given = log.arrays()
    for j, each in enumerate(p):
        u = float((below + Fraction(each) / 2) / total)
        below += Fraction(each)
        q, after, _ = draws(log, q0, p, 1, beta, [u])
        assert [k for k in range(len(p)) if after[k] != p[k]] == [j]
        mean += each / float(total) * (q - q0)
        best = max(q0[mdp.pair_ptr[given.next_state[j]] : mdp.pair_ptr[given.next_state[j] + 1]])
        delta = given.reward[j] + mdp.gamma * best - q0[given.row[j]]
        promised[given.row[j]] += 0.5 * each / float(total) * (min(p) / each) ** beta * delta
        uniform[given.row[j]] += 0.5 * delta / len(p)
    assert mean == pytest.approx(promised, abs=1e-14)
    shrunk = uniform * min(p) * len(p) / float(total)
    assert (mean == pytest.approx(shrunk, abs=1e-14)) == (beta == 1)


def test_a_new_transition_comes_with_the_largest_priority_so_far():
    answer = learn(
        CORRIDOR, "q-learning", steps=40, replay="prioritized:1:1", capacity=64, batch=1, step_size=0.5
    )
    arrays = answer.state["arrays"]
    p = arrays["sums"][0, 64:]
    assert (p[:40] > 0).all() and (p[40:] == 0).all()
    assert arrays["top"][0] == max(1 + MARGIN, p.max())  # the first reward of 1 was the largest error
    assert arrays["least"][0, 1] == p[:40].min()


# -- the whole learner ------------------------------------------------------------------------------------------------

CASES = [
    ("q-learning", {"replay": "uniform", "capacity": 7, "batch": 3}),
    ("q-learning", {"replay": "prioritized", "capacity": 7, "batch": 2, "explore": "boltzmann:0.5", "average": True}),
    ("q-learning", {"replay": "prioritized:1:0.5", "capacity": 50, "batch": 2, "source": "independent", "per": "step"}),
    ("q-learning", {"replay": "uniform", "capacity": 9, "batch": 2, "source": "sweeps", "average": True}),
    ("q-learning", {"replay": "prioritized", "capacity": 1, "batch": 1, "explore": "ucb:1", "target": "copy:3"}),
    ("expected-sarsa", {"replay": "uniform", "capacity": 8, "batch": 2, "target": "average:0.25"}),
    ("expected-sarsa", {"replay": "prioritized", "capacity": 8, "batch": 2, "explore": "boltzmann:1"}),
    ("expected-sarsa", {"replay": "prioritized:0:1", "capacity": 8, "batch": 2, "explore": "ucb:0.5"}),
    ("q-evaluation", {"replay": "prioritized", "capacity": 16, "batch": 4, "episode_steps": 5}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "options"), CASES)
def test_same_bits_as_the_twin(monkeypatch, method, options):
    learner = functools.partial(learn, method=method)
    check_bits_of_twin(monkeypatch, learner, "replay", "replay", {"steps": 60, **options})


@pytest.mark.parametrize("options", [{"replay": "uniform"}, {"replay": "prioritized", "target": "copy:4"}])
@pytest.mark.parametrize("method", ["q-learning", "q-evaluation"])
def test_same_bits_as_the_twin_on_a_log(monkeypatch, method, options):
    log, _ = logged()
    options = {"steps": 80, "runs": 3, "seed": 1, "data": log, "average": True, **options}
    fast = learn(log.mdp, method, **options)
    with monkeypatch.context() as patch:
        swapped_in(patch, "replay", "replay")
        same_bits(fast, learn(log.mdp, method, **options))


@pytest.mark.parametrize("replay", ["uniform", "prioritized"])
def test_blocks_threads_runs_and_resumes_change_nothing(monkeypatch, replay):
    mdp = load("example:frozen_lake_4x4")
    options = {"seed": 4, "replay": replay, "capacity": 100, "batch": 3, "reference": False}
    whole = learn(mdp, "q-learning", steps=700, runs=3, **options)
    same_bits(whole, learn(mdp, "q-learning", steps=700, runs=3, threads=2, **options))
    half = learn(mdp, "q-learning", steps=333, runs=3, **options)
    same_bits(whole, learn(mdp, "q-learning", steps=700, runs=3, resume=half, **options))
    alone = learn(mdp, "q-learning", steps=700, runs=1, **options)
    assert np.array_equal(alone.estimates[0], whole.estimates[0])
    monkeypatch.setattr("tabular_rl.methods.learning._learning.BLOCK", 6 * 3 * 7)
    same_bits(whole, learn(mdp, "q-learning", steps=700, runs=3, **options))


# -- what it converges to ---------------------------------------------------------------------------------------------


def logged():
    """A log of twelve transitions of a model of three states, and the policy to evaluate."""
    mdp = random_model(11, "discounted", S=4, A=2, N=3, ends=1, gamma="3/4", exact=False)
    rng = random.Random(2)
    steps = []
    for i in [*range(mdp.L), *[rng.randrange(mdp.L) for _ in range(12 - mdp.L)]]:
        out = rng.randrange(mdp.row_ptr[i], mdp.row_ptr[i + 1])
        s, to = mdp.state_of_row(i), int(mdp.next_state[out])
        steps.append((s, int(mdp.pair_action[i]), rng.randint(-8, 8) / 4, to))
    log = Transitions.of(mdp, steps)
    return log, Policy.uniform(mdp)


def expected_map(log, policy):
    """E[Δq] of one uniform draw at step size 1, as c + M q, from the transitions themselves."""
    mdp = log.mdp
    c, M = np.zeros(mdp.L), np.zeros((mdp.L, mdp.L))
    for i, r, s2, over in zip(log.row, log.reward, log.next_state, log.done, strict=True):
        c[i] += r
        M[i, i] -= 1
        if not over:
            for j in range(mdp.pair_ptr[s2], mdp.pair_ptr[s2 + 1]):
                M[i, j] += mdp.gamma * policy.weights[j]
    return c / len(log), M / len(log)


def test_uniform_draws_from_a_log_have_the_mean_of_its_certainty_equivalent_model():
    """m <- m + α (c + M m). 20,000 runs; 6.2 standard errors: false alarm 6e-10 an entry, below 1e-8 in all; an error
    of 4.4% of the standard deviation of one run (6.2 / √20000) in an entry would be found."""
    log, policy = logged()
    seed, steps, runs = secrets.randbelow(2**32), 40, 20_000
    print(f"seed {seed}")
    answer = learn(
        log.mdp, "q-evaluation", policy, data=log, replay="uniform", steps=steps, runs=runs, seed=seed, step_size=0.25,
        reference=False,
    )  # fmt: skip
    c, M = expected_map(log, policy)

    def z(c, M):
        m = np.zeros(len(c))
        for _ in range(steps):
            m = m + 0.25 * (c + M @ m)
        sd = answer.estimates.std(axis=0)
        return np.abs((answer.estimates.mean(axis=0) - m) / np.maximum(sd / np.sqrt(runs), 1e-15)).max()

    assert z(c, M) < 6.2
    assert z(c, np.diag(np.diag(M))) > 20, "a missing discount of next values would not be seen"


def test_the_bias_of_priorities_and_what_undoes_it():
    """Four rewards of one pair, 0 0 0 1, then the end; ω = 1. With β = 1 the estimate goes to their mean, 1/4. With
    β = 0 it goes to where Σ p δ = 0, which is 3 q (q + m) = (1 - q)(1 - q + m) with m = MARGIN: q = 0.3647."""
    mdp = MDP([[[0, 1]], [[0, 0]]], [[1], [0]], 1, states=["a", "end"], terminal=["end"])
    log = [("a", 0, r, "end") for r in (0.0, 0.0, 0.0, 1.0)]
    biased = (-(2 + 4 * MARGIN) + np.sqrt((2 + 4 * MARGIN) ** 2 + 8 * (1 + MARGIN))) / 4
    options = {"data": log, "steps": 20_000, "runs": 50, "seed": 1, "reference": False}
    for beta, step_size, settled in ((1, 0.05, 0.25), (0, 0.001, biased)):
        answer = learn(mdp, "q-learning", replay=f"prioritized:1:{beta}", step_size=step_size, **options)
        assert answer.q[0] == pytest.approx(settled, abs=0.01)


@pytest.mark.parametrize("replay", ["uniform", "prioritized:0.6:0"])
def test_replay_of_a_maze_without_chance_solves_it(replay):
    """With α = 1 each draw is an exact backup; each pair is drawn again and again."""
    mdp = load("example:dyna_maze")
    rows = range(mdp.L)
    log = Transitions.of_arrays(
        mdp, list(rows), mdp.r[list(rows)], mdp.next_state[mdp.row_ptr[:-1]], [False] * mdp.L
    )
    answer = learn(mdp, "q-learning", data=log, replay=replay, steps=150_000, step_size=1, seed=0)
    assert answer.sup_error[0] < 1e-6


def test_replay_learns_more_from_the_same_steps():
    """32 updates a step against one: on the maze, where the first reward is far away, most runs of replay are done."""
    mdp = load("example:dyna_maze")
    options = {"steps": 6000, "runs": 8, "seed": 0, "step_size": 0.5, "explore": "epsilon-greedy:1"}
    plain = learn(mdp, "q-learning", **options)
    again = learn(mdp, "q-learning", replay="uniform", **options)
    assert np.median(again.rms_error) < 1e-6 < 0.1 < plain.rms_error.min()


# -- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("none", ("none", 0, 0)), ("uniform", ("uniform", 0, 0)), ("prioritized", ("prioritized", 0.6, 1)),
        ("prioritized:0.5", ("prioritized", 0.5, 1)), ("prioritized:1:0.4", ("prioritized", 1, 0.4)),
        (("prioritized", 1.0, 0.4), ("prioritized", 1, 0.4)),
    ],
)  # fmt: skip
def test_replay_is_read(given, meant):
    assert OPTIONS["replay"].check(given) == meant


@pytest.mark.parametrize("given", ["", "all", "uniform:1", "prioritized:", "prioritized:-1", "prioritized:1:2",
                                   "prioritized:1:1:1", "prioritized:nan", 1, None, ("a",)])  # fmt: skip
def test_replay_that_is_none_is_refused(given):
    with pytest.raises(OptionError, match=r"^replay: found .*, expected none, uniform or prioritized"):
        OPTIONS["replay"].check(given)


def test_a_bias_is_told_before_the_run():
    said = [
        learn(CORRIDOR, "q-learning", steps=1, replay=x).verdicts
        for x in ("prioritized", "prioritized:1:0.5")
    ]
    assert not any("β" in text for text in said[0])
    assert any("β = 0.5" in text for text in said[1])


def test_a_log_is_replayed_by_the_policy_that_made_it():
    """The same draws and the same updates as the evaluation of that policy."""
    log, _ = logged()
    own = learn(log.mdp, "expected-sarsa", data=log, replay="uniform", steps=50, reference=False)
    same = learn(
        log.mdp, "q-evaluation", behavior_of(log), data=log, replay="uniform", steps=50, reference=False
    )
    assert np.array_equal(own.estimates, same.estimates) and own.visits.sum() == 50


def test_a_buffer_that_no_memory_holds_is_refused():
    with pytest.raises(
        OptionError, match=r"replay: found 1000 runs with 1000000 transitions each.* capacity="
    ):
        learn(CORRIDOR, "q-learning", replay="uniform", capacity=1_000_000, runs=1000, steps=1)
