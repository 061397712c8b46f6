"""Batch TD(0) and certainty equivalence: all that a log says of the values of a policy.

No test here can raise a false alarm: where numbers are random, the seed is fixed.
"""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import reference
import reference_returns as twins
from learners import settings
from random_models import random_model, random_policy
from shown import never_text

from tabular_rl import (
    MDP,
    OptionError,
    Policy,
    Status,
    Transitions,
    batch_td,
    certainty_equivalence,
    load,
    monte_carlo,
    td0,
)
from tabular_rl.kernels import batch as kernels
from tabular_rl.kernels.one_step import begin
from tabular_rl.solving.sampling import cumulative, policy_cum, sampling_model

MODELS = Path(__file__).resolve().parents[2] / "mdps"
METHODS = [batch_td, certainty_equivalence]
both = pytest.mark.parametrize("method", METHODS, ids=["batch-td", "certainty-equivalence"])

PREDICTOR = MDP(
    [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]], [[0], [0.5], [0]], 1, states=["A", "B", "end"], terminal=["end"]
)
EIGHT = [("A", 0, 0, "B"), ("B", 0, 0, "end"), *6 * [("B", 0, 1, "end")], ("B", 0, 0, "end")]


def by_log(method, mdp, policy, log, **options):
    return method(mdp, policy, data=log, reference=False, **{"steps": len(log), **options})


def exact_estimate(mdp, ratio, log, start_value=0):
    """The values of the chain of a log in Fractions, by elimination; None where the log says nothing."""
    sign = 1
    sums = {}
    for row, r, s2, done in zip(log.row, log.reward, log.next_state, log.done, strict=True):
        w, s = ratio[row], mdp.state_of_row(int(row))
        if w:
            mass, worth, to = sums.setdefault(s, [Fraction(0), Fraction(0), {}])
            sums[s][0], sums[s][1] = mass + w, worth + w * Fraction(float(r)) * sign
            if not done:
                to[int(s2)] = to.get(int(s2), Fraction(0)) + w
    known = {s: Fraction(start_value) for s in range(mdp.S) if s not in sums}
    chain = [({}, Fraction(0))] * mdp.S
    for s, (mass, worth, to) in sums.items():
        chain[s] = ({s2: w / mass for s2, w in to.items()}, worth / mass)
    v = reference.eliminate(chain, mdp.gamma_exact, known)
    return [None if s in known else x for s, x in enumerate(v)]


# -- by hand ----------------------------------------------------------------------------------------------------------


@both
def test_predictor(method):
    """Sutton & Barto (2018), Example 6.4: V(B) = 3/4, and V(A) = 3/4, not the 0 that Monte Carlo says."""
    answer = by_log(method, PREDICTOR, Policy.uniform(PREDICTOR), EIGHT)
    assert answer.v.tolist() == [0.75, 0.75, 0] and answer.visits.tolist() == [[1, 8, 0]]
    assert answer.status is Status.SAMPLED and answer.bound == math.inf and answer.lower is None


@both
def test_ratios_by_hand(method):
    """ρ = 3/2 and 1/2: v = (3/2·1 + 1/2·4) / 2 = 7/4; three transitions: (3/2·1 + 3/2·2 + 1/2·4) / (7/2) = 13/7."""
    mdp = MDP(
        [[[0, 1], [0, 1]], [[0, 0], [0, 0]]],
        [[0, 0], [0, 0]],
        1,
        states=["a", "end"],
        terminal=["end"],
        axes="sas",
    )
    pi, b = Policy.of_probs(mdp, [0.75, 0.25]), Policy.of_probs(mdp, [0.5, 0.5])
    log = [("a", 0, 1, "end"), ("a", 1, 4, "end"), ("a", 0, 2, "end")]
    assert by_log(method, mdp, pi, log, behavior=b, steps=2)["a"] == 1.75
    assert by_log(method, mdp, pi, log, behavior=b)["a"] == pytest.approx(13 / 7, rel=1e-15)
    # Actions that π never takes say nothing.
    never = by_log(method, mdp, Policy.of_actions(mdp, {"a": 0}), log[1:2], behavior=b, start_value=9)
    assert math.isnan(never["a"]) and never.estimates.tolist() == [[9, 0]]


@both
def test_each_line_of_a_log_counts_once(method):
    policy = Policy.uniform(PREDICTOR)
    some, all_, more = (by_log(method, PREDICTOR, policy, EIGHT, steps=n).v.tolist() for n in (3, 9, 100))
    assert some == [0.5, 0.5, 0] and all_ == more == [0.75, 0.75, 0]


@both
def test_state_never_left_keeps_the_start_value(method):
    """A leads to B, of which nothing is known: v(A) = 0 + 8."""
    answer = by_log(method, PREDICTOR, Policy.uniform(PREDICTOR), EIGHT[:1], start_value=8)
    assert answer["A"] == 8 and answer.never_visited.tolist() == [False, True, False]


@both
def test_no_way_out_was_seen(method):
    """γ = 1: A and B were only seen to lead to each other, with rewards; C to A. Only D to the end: 7."""
    P = np.full((5, 1, 5), 0.2)
    P[4] = 0
    mdp = MDP(P, [[1], [1], [1], [1], [0]], 1, states=[*"ABCD", "end"], terminal=["end"])
    log = [("A", 0, 1, "B"), ("B", 0, 1, "A"), ("C", 0, 1, "A"), ("D", 0, 7, "end")]
    answer = by_log(method, mdp, Policy.uniform(mdp), log, start_value=2)
    assert answer.estimates.tolist() == [[2, 2, 2, 7, 0]] and answer.visits.tolist() == [[0, 0, 0, 1, 0]]
    # One more line, and all is known: B's mean of A + 1 and the end + 5; A = 1 + B, B = (1 + A + 5) / 2.
    answer = by_log(method, mdp, Policy.uniform(mdp), [*log, ("B", 0, 5, "end")])
    assert answer.v.tolist() == pytest.approx([8, 7, 9, 7, 0], rel=1e-13)
    # At γ < 1 the loop has a value: 1 / (1 - 1/2).
    half = by_log(method, mdp.replace(gamma="1/2"), Policy.uniform(mdp.replace(gamma="1/2")), log)
    assert half.v.tolist() == pytest.approx([2, 2, 2, 7, 0], rel=1e-14)


@both
def test_costs_are_costs(method):
    costs = PREDICTOR.replace(sense="min")
    answer = by_log(method, costs, Policy.uniform(costs), EIGHT, start_value=3)
    assert answer.v.tolist() == [0.75, 0.75, 0]


def test_sweeps_run_out():
    mdp = MDP([[[0.75, 0.25]], [[0, 0]]], [[1.0], [0.0]], 1, states=["a", "end"], terminal=["end"])
    log = [("a", 0, 1, "a"), ("a", 0, 0, "end")]
    short = by_log(batch_td, mdp, Policy.uniform(mdp), log, sweeps=3)
    assert short["a"] == 0.875 and short.note.startswith("v still changed after 3 sweeps")  # 1/2 + 1/4 + 1/8
    assert short.options["sweeps"] == 3
    full = by_log(batch_td, mdp, Policy.uniform(mdp), log)
    assert full["a"] == pytest.approx(1, rel=1e-15) and full.note == ""


# -- against algebra --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_policy", [True, False], ids=["on-policy", "off-policy"])
@pytest.mark.parametrize("seed", range(6))
def test_both_are_the_exact_answer_of_the_log(seed, on_policy):
    """theory.md's figure: to 3e-14 of the largest value (γ up to 9/10), against Fractions; and each other."""
    mdp = random_model(seed, gamma="9/10" if seed % 2 else "1/2", sense=("max", "min")[seed % 2], S=6, ends=1)
    rng = np.random.default_rng(seed)
    log = Transitions.of_arrays(
        mdp, rng.integers(0, mdp.L, 80), rng.normal(size=80), rng.integers(0, mdp.S, 80), rng.random(80) < 0.2
    )
    pi, b = random_policy(mdp, seed), random_policy(mdp, seed + 50)
    behavior = None if on_policy else b
    ratio = [Fraction(1)] * mdp.L
    if not on_policy:
        ratio = [Fraction(float(x)) / Fraction(float(y)) for x, y in zip(pi.weights, b.weights, strict=True)]
    exact = exact_estimate(mdp, ratio, log, start_value=2)
    scale = max(abs(x) for x in exact if x is not None)
    values = [by_log(method, mdp, pi, log, behavior=behavior, start_value=2).v for method in METHODS]
    for v in values:
        for s in range(mdp.S):
            if exact[s] is None:
                assert mdp.terminal[s] or math.isnan(v[s])
            else:
                assert abs(Fraction(float(v[s])) - exact[s]) <= Fraction(3, 10**14) * scale
    assert np.nanmax(np.abs(values[0] - values[1])) <= 3e-14 * float(scale)


def test_sparse_solve_is_the_dense_one():
    """A chain longer than DENSE_STATES: walked once, each state is worth 1 more than the next."""
    n = 400
    mdp = MDP(np.eye(n + 1, k=1)[:, None, :], np.append(np.ones(n), 0)[:, None], 1, terminal=[n], start="0")
    answer = certainty_equivalence(mdp, Policy.uniform(mdp), steps=n, reference=False)
    assert answer.v.tolist() == pytest.approx(np.arange(n, -1, -1), rel=1e-12)


@pytest.mark.parametrize(
    ("source", "cut"), [("trajectory", 3), ("independent", None), ("sweeps", None), ("trajectory", None)]
)
def test_same_walk_as_td0(source, cut):
    """The same seed gives the same transitions: as many visits of each state, run by run."""
    mdp = random_model(3, ends=1)
    pi, b = random_policy(mdp, 1), random_policy(mdp, 2)
    options = {
        "behavior": b,
        "steps": 600,
        "runs": 2,
        "source": source,
        "episode_steps": cut,
        "reference": False,
    }
    visits = [method(mdp, pi, **options).visits for method in (td0, *METHODS)]
    assert visits[0].tobytes() == visits[1].tobytes() == visits[2].tobytes() and visits[0].sum() == 1200


def test_finite_horizon():
    """Deterministic: one episode tells all that it met."""
    mdp = MDP([[[0, 1.0]], [[1.0, 0]]], [[1.0], [3.0]], 1, horizon=3, start="0")
    for method in METHODS:
        v = method(mdp, Policy.uniform(mdp), steps=3).v
        assert v[:, 0].tolist() == [5, pytest.approx(math.nan, nan_ok=True), 1, 0] and v[1, 1] == 4


@both
def test_resumed_run_is_the_whole_run(method):
    mdp = load(MODELS / "random_walk_5.toml")
    options = {"steps": 1000, "runs": 2, "seed": 5}
    whole = method(mdp, Policy.uniform(mdp), **options)
    part = method(mdp, Policy.uniform(mdp), **{**options, "steps": 333})
    rest = method(mdp, Policy.uniform(mdp), **options, resume=part)
    assert (
        rest.estimates.tobytes() == whole.estimates.tobytes()
        and rest.visits.tobytes() == whole.visits.tobytes()
    )


@both
def test_time_limit_keeps_what_was_learned(method):
    mdp = load(MODELS / "random_walk_5.toml")
    answer = method(mdp, Policy.uniform(mdp), steps=10**12, time_limit=0.3)
    assert answer.status is Status.TIME_SPENT and answer.steps > 0 and "is kept" in answer.note


@both
def test_it_learns_off_policy(method):
    """Hoeffding is of no use to ratios of sums; the error after 400,000 steps is far below a tenth of the values."""
    mdp = load(MODELS / "forest.toml")
    pi = Policy.uniform(mdp)
    b = Policy.epsilon_greedy(mdp, Policy.of_actions(mdp, np.zeros(mdp.S, dtype=int)), "1/2")
    answer = method(mdp, pi, behavior=b, steps=400_000, seed=1)
    assert answer.sup_error[0] < 0.1 * np.abs(answer.truth).max()


# -- kernel = twin ----------------------------------------------------------------------------------------------------


def same(kernel, *arguments):
    left = []
    for call in (kernel, getattr(twins, kernel.__name__)):
        own = [x.copy() if isinstance(x, np.ndarray) else x for x in arguments]
        left.append([call(*own), *(x.tobytes() for x in own if isinstance(x, np.ndarray))])
    assert left[0] == left[1]


@pytest.mark.parametrize("seed", range(6))
def test_kernels_equal_their_twins(seed):
    mdp = random_model(seed, exact=False, ends=1)
    rng = np.random.default_rng(seed)
    b = random_policy(mdp, seed)
    model, cum = sampling_model(mdp), policy_cum(b)
    pairs, source, runs = cumulative(b.weights / (mdp.S - 1)), seed % 3, 3
    zeros = np.zeros(runs, dtype=np.int64)
    row, v = zeros.copy(), np.zeros((runs, mdp.S))
    begin(
        model,
        0,
        0.0,
        cum,
        source,
        pairs,
        np.zeros((runs, mdp.S), dtype=np.int64),
        v,
        rng.random((runs, 2)),
        row,
    )
    count = rng.integers(0, 3, (runs, mdp.K))
    uniforms = rng.random((runs, 100, 3))
    walk = settings(source=source, pairs=pairs, episode_steps=(0, 4)[seed % 2], cum=cum)
    same(kernels.count, model, None, walk, uniforms, 0, zeros, row, count)
    n, S = 25, mdp.S
    weight = rng.random(n) * (rng.random(n) < 0.7)
    state, to, over = rng.integers(0, S - 1, n), rng.integers(0, S, n), rng.random(n) < 0.2
    over[to == S - 1] = True
    mass = np.bincount(state, weight, S) * (rng.random(S) < 0.8)
    value = rng.normal(size=S)
    value[S - 1] = math.nan
    gamma = (0.0, 0.5, 0.9)[seed % 3]
    for sweeps in (1, 3, 1000):
        same(
            kernels.present,
            weight,
            state,
            rng.normal(size=n),
            to,
            over,
            gamma,
            mass,
            sweeps,
            np.empty(S),
            value,
        )
    line = np.arange(10)  # a chain, told backwards: many rounds
    ends = line == (0 if seed % 2 else 20)
    same(
        kernels.find_ways_out,
        np.ones(10),
        line,
        np.maximum(line - 1, 0),
        ends,
        np.ones(11),
        np.zeros(11, dtype=bool),
    )
    unknown = np.array([True, False])  # 0 leads to 1, of which nothing is known
    nothing = np.zeros(2, dtype=bool)
    same(kernels.find_ways_out, np.ones(1), line[:1], line[1:2], nothing[:1], unknown.astype(float), nothing)
    same(kernels.find_ways_out, weight, state, to, over, mass, np.zeros(S, dtype=bool))


# -- the textbook's figure --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_batch_td_beats_batch_monte_carlo():
    """Sutton & Barto (2018), Example 6.3 and Figure 6.2: the random walk under batch training, v = 1/2 at the start.

    The RMS error over states, averaged over 100 runs; the figure's walks are 9 steps long in the mean, so that 100 of
    them are 900 steps. Read off the figure: 0.03 to 0.05 for TD at the end, 0.04 to 0.08 for Monte Carlo, TD below from
    about ten walks on. The seed is fixed: there is no false alarm.
    """
    mdp = load(MODELS / "random_walk_5.toml")
    options = {"steps": 900, "runs": 100, "seed": 6, "start_value": 0.5}
    td = batch_td(mdp, Policy.uniform(mdp), **options).curve
    mc = monte_carlo(mdp, Policy.uniform(mdp), visit="every", **options).curve
    assert td.steps.tolist() == mc.steps.tolist()
    later = td.steps >= 90
    td_error, mc_error = (x.rms.mean(axis=1)[later] for x in (td, mc))
    assert (td_error < mc_error).all()
    assert 0.025 < td_error[-1] < 0.05 and 0.04 < mc_error[-1] < 0.08


# -- options ----------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("options", [{"steps": 0}, {"source": "dreams"}, {"episode_steps": 0}, {"sweeps": 0}])
def test_options_out_of_range(method, options):
    if method is certainty_equivalence and "sweeps" in options:
        return
    with pytest.raises(OptionError, match=f"^{next(iter(options))}: found"):
        method(PREDICTOR, Policy.uniform(PREDICTOR), **options)


@both
def test_why_a_state_has_no_value_is_told(method):
    """A is left by an action that π never takes; B goes round: at γ = 1 nothing seen leads on. C is never met."""
    outcomes = [(s, a, "end", 1, 0) for s in "ABC" for a in ("one", "two")]
    mdp = MDP.from_outcomes(outcomes, 1, terminal=["end"])
    pi, behavior = Policy.of_actions(mdp, dict.fromkeys("ABC", "one")), Policy.uniform(mdp)
    text = never_text(
        by_log(method, mdp, pi, [("A", "two", 0, "end"), ("B", "one", 0, "B")], behavior=behavior)
    )
    assert "visited with weight 0 only: 1 state (A)\n" in text and "never visited: 1 state (C)" in text
    assert "visited, and nothing that was seen from there leads to an end: 1 state (B)\n" in text
