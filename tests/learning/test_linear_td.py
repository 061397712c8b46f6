"""Linear semi-gradient TD(0): against hand, twin, the table it generalises, and its fixed point."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from learners import baird_features, hand_model, listed
from random_models import random_model, random_policy
from reference_linear import linear_td as twin

from tabular_rl import MDP, NumericalError, OptionError, Policy, linear_td, load, td0
from tabular_rl.methods.exact.projected import td_fixed_point
from tabular_rl.solving.sampling import streams
from tabular_rl.solving.schedules import Schedule

MODELS = Path(__file__).resolve().parents[2] / "mdps"


def test_hand_computed_steps():
    # Two states in a ring, γ = 1/2, rewards 1 and 0, x = (1, 2), α = 1/2, w = 0; sweeps read from the last sweep:
    # w = 1/2 · 1 · 1 = 1/2; then δ = 0 + 0 - 2 · 1/2 = -1, w = 1/2 - 1/2 · 1 · 2 = -1/2.
    # Next sweep (w̄ = -1/2): δ = 1 + 1/2 · (-1) - (-1/2) = 1, w = 0; δ = 0 + 1/2 · (-1/2) - 0 = -1/4, w = -1/4.
    mdp = MDP([[[0, 1]], [[1, 0]]], [[1.0], [0.0]], "1/2")
    found = [
        linear_td(
            mdp, Policy.uniform(mdp), features=[[1], [2]], steps=n, step_size=0.5, source="sweeps"
        ).extra["weights"][0, 0]
        for n in (1, 2, 3, 4)
    ]
    assert found == [0.5, -0.5, 0.0, -0.25]


# Two to begin with, then (outcome, restart, next action): a left to a for 2, a right to b for 1, b left to a for 0,
# a left to b for 0, b left to the end for 4, and again from b, left to a for 0.
WALK = [0.2, 0.1, *(0.2, 0.9, 0.9), *(0.5, 0.9, 0.3), *(0.7, 0.9, 0.3), *(0.6, 0.9, 0.4), *(0.1, 0.8, 0.3),
        *(0.6, 0.1, 0.2)]  # fmt: skip


@pytest.mark.parametrize(
    ("pi", "target", "weights"),
    [
        # γ = α = 1/2, x(a) = (1, 1/2), x(b) = (2, -1), w = 0. δ, then w ← w + δ/2 x:
        # a: 2 + 0 - 0 = 2, w = (1, 1/2).                          a: 1 + (3/2)/2 - 5/4 = 1/2, w = (5/4, 5/8).
        # b: 0 + (25/16)/2 - 15/8 = -35/32, w = (5/32, 75/64).     a: 0 + (-55/64)/2 - 95/128 = -75/64.
        # b: 4 - (-445/256) = 1469/256, the end counts 0.          b: 0 + (4417/1024)/2 - 6455/512 = -21403/2048.
        (None, "none",
         [(1, 1 / 2), (5 / 4, 5 / 8), (5 / 32, 75 / 64), (-55 / 128, 225 / 256), (1359 / 256, -1019 / 512),
          (-10531 / 2048, 13251 / 4096)]),
        # Off policy, π(left|a) = 1/4, so ρ = 1/2 and 3/2 in a, 1 in b: w = (1/2, 1/4). a: δ = 1 + (3/4)/2 - 5/8 = 3/4,
        # w + 1/2 3/2 3/4 x(a) = (17/16, 17/32). b: δ = (85/64)/2 - 51/32 = -119/128.
        ([0.25, 0.75, 1.0], "none", [(1 / 2, 1 / 4), (17 / 16, 17 / 32), (17 / 128, 255 / 256)]),
        # w̄ = 0 for two steps, then w. a: δ = 1 + 0 - 5/4 = -1/4, w̄ = w = (7/8, 7/16). b: δ = 35/64 - 21/16 = -49/64.
        (None, "copy:2", [(1, 1 / 2), (7 / 8, 7 / 16), (7 / 64, 105 / 128)]),
    ],
)  # fmt: skip
def test_a_trajectory_by_hand(monkeypatch, pi, target, weights):
    mdp = hand_model()
    uniform = Policy.uniform(mdp)
    policy = uniform if pi is None else Policy.of_probs(mdp, pi)
    for steps, w in enumerate(weights, 1):
        listed(monkeypatch, WALK[: 2 + 3 * steps])
        learned = linear_td(
            mdp, policy, behavior=uniform, features=[[1, 0.5], [2, -1], [9, 9]], target=target, steps=steps,
            step_size=0.5, reference=False,
        )  # fmt: skip
        assert learned.extra["weights"].tolist() == [list(w)]


@pytest.mark.parametrize(
    ("source", "target", "average", "per"),
    [
        *itertools.product(
            ("trajectory", "independent"), ("none", "copy:3", "average:0.25"), (False,), ("visit",)
        ),
        ("trajectory", "none", True, "step"),
    ],
)
def test_kernel_equals_its_twin(source, target, average, per):
    n = 40
    for seed, problem in enumerate(("discounted", "total-reward")):
        mdp = random_model(seed + 3, problem, exact=False)
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(mdp.S, 3)) * (rng.random((mdp.S, 3)) < 0.7)
        policy, behavior = random_policy(mdp, 1), Policy.uniform(mdp)
        schedule = Schedule.of("0.5*n^-0.7")
        limit = 4 if seed else None
        answer = linear_td(
            mdp, policy, behavior=behavior, features=X, steps=n, runs=2, seed=seed, step_size=schedule, per=per,
            average=average, source=source, target=target, start_value=0.5, episode_steps=limit, reference=False,
        )  # fmt: skip
        kind, _, by = target.partition(":")
        for e, stream in enumerate(streams(seed, 2)):
            begin, uniforms = stream.random(2).tolist(), stream.random((n, 3)).tolist()
            history = twin(
                mdp, X.tolist(), policy, behavior, schedule, per, source, (kind, float(by or 0)), limit,
                [mdp.sign * 0.5] * 3, begin, uniforms,
            )  # fmt: skip
            if average:  # sums in another order: equal but for rounding
                assert mdp.sign * answer.extra["weights"][e] == pytest.approx(
                    np.mean(history, axis=0), rel=1e-12
                )
            else:
                assert (mdp.sign * answer.extra["weights"][e]).tolist() == history[-1]


@pytest.mark.parametrize("source", ["trajectory", "independent", "sweeps"])
def test_one_hot_is_the_table_bit_for_bit(source):
    mdp = random_model(5, "discounted", exact=False)
    policy = random_policy(mdp, 2)
    options = dict(steps=500, runs=3, source=source, step_size="n^-0.7", start_value=1.0, reference=False)
    linear, table = linear_td(mdp, policy, **options), td0(mdp, policy, **options)
    assert (linear.estimates == table.estimates).all() and (linear.visits == table.visits).all()


def test_state_aggregation_comes_to_its_fixed_point():
    # Five groups of the 19-state random walk, independent states. The fixed point of the groups with A w = b solved by
    # hand: 20 states alike, so w_g satisfies the walk of the groups: by symmetry w = (-.6, -.2, .2, .6).
    mdp = load(MODELS / "random_walk_19.toml")
    uniform = Policy.uniform(mdp)
    X = np.zeros((21, 4))
    inner = np.flatnonzero(~mdp.terminal)
    order = np.array([s for s in map(str, range(1, 20))])
    assert [mdp.states[s] for s in inner] == order.tolist()
    X[inner, np.minimum(np.arange(19) // 5, 3)] = 1.0
    fixed = td_fixed_point(mdp, uniform, X, source="independent")
    assert fixed.stable
    answer = linear_td(
        mdp, uniform, features=X, runs=16, steps=400_000, step_size=0.01, average=True, source="independent"
    )
    w = answer.extra["weights"]
    # Averages of 16 runs; their own spread is the yardstick: 6 standard errors of a mean of 16, and the burn-in.
    error = np.abs(w.mean(axis=0) - fixed.w)
    assert (error < 6 * w.std(axis=0, ddof=1) / 4 + 0.002).all(), (error, w.std(axis=0))
    assert (w.std(axis=0, ddof=1) < 0.02).all()


def test_bairds_star_diverges_and_is_said_to():
    mdp = load(MODELS / "baird_star.toml")
    policy = Policy.of_actions(mdp, {s: "solid" for s in mdp.states})
    behavior = Policy.of_probs(mdp, {s: {"dashed": "6/7", "solid": "1/7"} for s in mdp.states})
    start = [1, 1, 1, 1, 1, 1, 10, 1]
    options = dict(
        features=baird_features(),
        behavior=behavior,
        start_weights=start,
        step_size=0.01,
        runs=4,
        reference=False,
    )
    answer = linear_td(mdp, policy, steps=1000, **options)
    assert any("diverge" in said for said in answer.verdicts)
    # Figure 11.2, left: w_8 is about 100 and still rising after 1000 steps, from 1.
    grown = np.abs(answer.extra["weights"]).max(axis=1)
    assert (grown > 20).all()
    later = linear_td(mdp, policy, steps=10_000, **options)
    assert (np.abs(later.extra["weights"]).max(axis=1) > 100 * grown).all()
    with pytest.raises(NumericalError, match="diverges"):
        linear_td(mdp, policy, steps=2_000_000, **options)


def test_on_policy_the_same_features_do_not_diverge():
    mdp = load(MODELS / "baird_star.toml")
    policy = Policy.of_probs(mdp, {s: {"dashed": "6/7", "solid": "1/7"} for s in mdp.states})
    answer = linear_td(
        mdp,
        policy,
        features=baird_features(),
        start_weights=[1, 1, 1, 1, 1, 1, 10, 1],
        step_size=0.01,
        steps=100_000,
    )
    assert not answer.verdicts or not any("diverge" in said for said in answer.verdicts)
    # γ = .99: the part along the constant vector dies out as (1 - γ) α k; it was about 10 and is far smaller now.
    assert np.abs(answer.estimates).max() < 5


def test_unvisited_states_have_the_value_of_their_group():
    mdp = MDP([[[1, 0]], [[0, 1]]], [[1.0], [0.0]], "1/2", start=[1, 0])
    answer = linear_td(mdp, Policy.uniform(mdp), features="aggregate:2", steps=200, step_size=0.5)
    assert answer.visits[0].tolist() == [200, 0]
    assert answer["1"] == answer["0"] == pytest.approx(2.0)


def test_costs_are_learned_in_their_sign():
    mdp = MDP([[[0, 1]], [[0, 0]]], [[1.0], [0.0]], 1, states=["a", "end"], terminal=["end"])
    costs = mdp.replace(sense="min")
    options = dict(features=[[2.0], [0.0]], steps=1, step_size=0.25)
    assert linear_td(costs, Policy.uniform(costs), **options)["a"] == 1.0
    assert linear_td(costs, Policy.uniform(costs), start_value=1.0, **options).extra["weights"][0, 0] == 0.5


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("x", "features: found 'x', expected one-hot, aggregate:N"),
        ("aggregate:0", "features: found 'aggregate:0', expected one-hot"),
        ("aggregate:-1", "features: found 'aggregate:-1', expected one-hot"),
        ([[math.nan], [1]], "features: found"),
        ([1, 2], "features: found"),
        ([[1], [2], [3]], "features: found 3 rows of 1, expected 2: one for each of the states"),
        ("missing.csv", "missing.csv: no such file"),
    ],
)
def test_features_that_do_not_fit_are_refused(features, message):
    mdp = MDP([[[0, 1]], [[1, 0]]], [[1.0], [0.0]], "1/2")
    with pytest.raises(OptionError) as caught:
        linear_td(mdp, Policy.uniform(mdp), features=features, steps=1)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"1,2\n3,x\n", r"a.csv:2: found 'x', expected a number: .* Give a matrix of numbers"),
        ("a.csv", b"1,nan\n3,4\n", "row 1: found nan or inf"),
        ("a.csv", b"", "Give a matrix of numbers"),
        ("a.npy", b"not an array", "Give a matrix of numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_files_of_features_that_are_broken_are_refused(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    mdp = MDP([[[0, 1]], [[1, 0]]], [[1.0], [0.0]], "1/2")
    with pytest.raises(OptionError, match=message):
        linear_td(mdp, Policy.uniform(mdp), features=str(path), steps=1)


def test_files_of_features_are_read(tmp_path):
    mdp = MDP([[[0, 1]], [[1, 0]]], [[1.0], [0.0]], "1/2")
    (tmp_path / "x.csv").write_text("1\n2\n")
    np.save(tmp_path / "x.npy", np.array([[1.0], [2.0]]))
    answers = [
        linear_td(mdp, Policy.uniform(mdp), features=given, steps=50, reference=False).estimates.tolist()
        for given in (str(tmp_path / "x.csv"), str(tmp_path / "x.npy"), [[1], [2]])
    ]
    assert answers[0] == answers[1] == answers[2]
