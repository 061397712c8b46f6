"""Simulated returns: exact where nothing is random, the same bits as a slow twin, right on average where it is."""

from __future__ import annotations

import math
import secrets
import sys

import numpy as np
import pytest

from tabular_rl import MDP, Policy
from tabular_rl.analysis.simulation import CUT, sample_transitions, simulate
from tabular_rl.errors import NoFiniteAnswer, OptionError
from tabular_rl.formats import load
from tabular_rl.kernels.episodes import play
from tabular_rl.solving.sampling import decisions, sampling_model


def twin(mdp, policy, uniforms, state, clock, factor, G):
    """The kernel, an episode and a step at a time, from the meaning of the model."""
    for e in range(len(state)):
        for k in range(uniforms.shape[1]):
            s = int(state[e])
            if mdp.terminal[s]:
                break
            now = policy.at(min(k, len(policy.weights) - 1)) if policy.timed else policy
            if now.rows is not None:
                row = int(now.rows[s])
            else:
                row = draw([(i, now.weights[i]) for i in mdp.rows(s)], uniforms[e, k, 0])
            outcomes = range(int(mdp.row_ptr[row]), int(mdp.row_ptr[row + 1]))
            chosen = draw([(j, mdp.prob[j]) for j in outcomes], uniforms[e, k, 1])
            reward = mdp.reward[chosen] if mdp.reward is not None else mdp.r[row]
            G[e] += factor[e] * reward
            factor[e] *= mdp.gamma
            clock[e] += 1
            state[e] = mdp.next_state[chosen]


def draw(choices, u):
    possible = [(x, p) for x, p in choices if p > 0]
    for x, p in possible:
        u -= p
        if u < 0:
            return x
    return possible[-1][0]


def walk(mdp, policy, uniforms, state, clock, factor, G):
    """The kernel, with the arguments of its twin."""
    model = sampling_model(mdp)._replace(reward=np.zeros(0) if mdp.reward is None else mdp.reward, r=mdp.r)
    none = [np.zeros((0, 0), dtype=kind) for kind in (np.int64, np.int64, np.bool_)]
    play(model, decisions(policy), 0, uniforms, state, clock, factor, G, *none)


@pytest.mark.parametrize(
    "name", ["recycling_robot", "random_walk_5", "forest_horizon", "frozen_lake_4x4", "blackjack"]
)
@pytest.mark.parametrize("kind", ["uniform", "first action"])
def test_kernel_has_the_bits_of_its_twin(name, kind):
    mdp = load(f"example:{name}")
    policy = Policy.uniform(mdp)
    if kind == "first action":
        policy = Policy(
            mdp, rows=np.where(np.diff(mdp.pair_ptr) > 0, mdp.pair_ptr[:-1], -1).astype(mdp.pair_ptr.dtype)
        )
    rng = np.random.default_rng(7)
    n = 50
    uniforms = rng.random((n, 20, 2))
    uniforms[:3] = 1 - 2.0**-53  # the largest uniform there is
    live = np.flatnonzero(~mdp.terminal)
    begin = rng.choice(live, n)
    ours = [begin.copy(), np.zeros(n, dtype=np.int64), np.ones(n), np.zeros(n)]
    theirs = [x.copy() for x in ours]
    walk(mdp, policy, uniforms, *ours)
    twin(mdp, policy, uniforms, *theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert np.array_equal(a, b)


def test_outcomes_of_probability_zero_never_happen():
    mdp = MDP.from_outcomes([("a", "go", "a", 1, 0), ("a", "go", "b", 0, 1e9)], "1/2", terminal=["b"])
    state, clock, factor, G = np.zeros(4, np.int64), np.zeros(4, np.int64), np.ones(4), np.zeros(4)
    walk(mdp, Policy.uniform(mdp), np.full((4, 10, 2), 1 - 2.0**-53), state, clock, factor, G)
    assert G.tolist() == [0] * 4


def test_nothing_random_is_exact():
    # Two deterministic steps: 1 + 0.5 * 10.
    mdp = MDP.from_outcomes(
        [("a", "go", "b", 1, 1), ("b", "go", "end", 1, 10)], "1/2", terminal=["end"], start="a"
    )
    played = simulate(mdp, Policy.uniform(mdp), episodes=100)
    assert (played.mean, played.deviation, played.longest, played.steps) == (6.0, 0.0, 2, 200)
    assert played.lower <= 6 <= played.upper
    assert played.half_width < 1e-12
    assert played.cut == 0


def test_what_is_cut_off_is_in_the_interval():
    # 1 a step forever: 1 / (1 - 0.99) = 100.
    mdp = MDP([[[1.0]]], [[1.0]], "99/100")
    short = simulate(mdp, Policy.uniform(mdp), episodes=10, steps=50)
    assert short.mean < 41
    assert short.lower <= 100 <= short.upper
    assert short.cut == pytest.approx(100 * 0.99**50)
    full = simulate(mdp, Policy.uniform(mdp), episodes=10)
    assert full.cut <= 100 * CUT
    assert full.lower <= 100 <= full.upper


def test_horizons_end_with_their_final_reward():
    mdp = MDP([[[1.0]]], [[1.0]], "1/2", horizon=3, final_reward=[8.0])
    played = simulate(mdp, Policy.uniform(mdp), episodes=5)
    assert played.mean == 1 + 0.5 + 0.25 + 8 / 8
    with pytest.raises(OptionError, match="horizon"):
        simulate(mdp, Policy.uniform(mdp), steps=2)


def test_policies_that_depend_on_time_are_followed():
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 10.0]], 1, horizon=3, actions=["one", "ten"])
    played = simulate(mdp, Policy.of_actions(mdp, [[0], [1], [1]]), episodes=5)
    assert played.mean == 21


def test_discount_zero_counts_one_step():
    mdp = MDP([[[1.0]]], [[3.0]], 0)
    played = simulate(mdp, Policy.uniform(mdp), episodes=5)
    assert (played.mean, played.longest) == (3.0, 1)


def test_same_seed_same_bits():
    mdp = load("example:recycling_robot")
    policy = Policy.uniform(mdp)
    a, b, c = (simulate(mdp, policy, episodes=5000, seed=seed) for seed in (1, 1, 2))
    assert (a.mean, a.deviation) == (b.mean, b.deviation)
    assert a.mean != c.mean


def test_mean_and_deviation_are_those_of_the_returns(monkeypatch):
    # Batches of 7 must give the mean and deviation of all returns together.
    mdp = MDP.from_outcomes(
        [("a", "go", "end", "1/2", 0), ("a", "go", "end", "1/2", 6)], "1/2", terminal=["end"]
    )
    monkeypatch.setattr(sys.modules["tabular_rl.analysis.simulation"], "TOGETHER", 7)
    played = simulate(mdp, Policy.uniform(mdp), episodes=1000)
    wins = round(played.mean * 1000 / 6)
    assert played.mean == pytest.approx(6 * wins / 1000)
    assert played.deviation == pytest.approx(math.sqrt(36 * wins * (1000 - wins) / 1000 / 999))


# Each of these compares a mean with the exact value at z = 7: together a false alarm in less than 1 of 10**11 runs.
# They see a bias of 7 standard errors of the mean; a policy that ignores its weights is off by hundreds.
@pytest.mark.parametrize(
    ("name", "policy", "value"),
    [
        ("random_walk_5", "uniform", 0.5),  # S&B Example 6.2: from the middle, 3/6
        ("gridworld_4x4", "uniform", -256 / 14),  # Figure 4.1: the mean of its 14 values
        ("recycling_robot", "search", None),
    ],
)
def test_means_are_right(name, policy, value):
    mdp = load(f"example:{name}")
    if policy == "uniform":
        chosen = Policy.uniform(mdp)
    else:
        chosen = Policy.of_actions(mdp, np.zeros(2, dtype=int))
        # v_h = 2 + 0.9 (0.8 v_h + 0.2 v_l), v_l = 2 * 0.6 - 3 * 0.4 + 0.9 (0.6 v_l + 0.4 v_h).
        value = np.linalg.solve([[1 - 0.72, -0.18], [-0.36, 1 - 0.54]], [2, 0])[0]
    seed = secrets.randbits(50)
    print("seed", seed)
    played = simulate(mdp, chosen, episodes=20_000, seed=seed)
    assert abs(played.mean - value) < 7 * played.deviation / math.sqrt(played.episodes) + played.cut


def test_policies_that_earn_for_ever_are_refused():
    mdp = MDP([[[0, 1]], [[1, 0]]], [[1.0], [1.0]], 1)
    with pytest.raises(NoFiniteAnswer):
        simulate(mdp, Policy.uniform(mdp))


def test_resting_for_ever_without_reward_ends_an_episode():
    mdp = MDP.from_outcomes([("a", "go", "rest", 1, 5), ("rest", "stay", "rest", 1, 0)], 1, start="a")
    played = simulate(mdp, Policy.uniform(mdp), episodes=10)
    assert (played.mean, played.unended, played.longest) == (5.0, 0, 1)


def test_unended_episodes_give_no_interval():
    mdp = MDP.from_outcomes(
        [("a", "go", "a", "999/1000", -1), ("a", "go", "end", "1/1000", 0)], 1, terminal=["end"]
    )
    played = simulate(mdp, Policy.uniform(mdp), episodes=50, steps=5)
    assert played.unended > 0
    assert played.half_width == math.inf


def test_time_limit_reports_what_was_played():
    mdp = load("example:recycling_robot")
    played = simulate(mdp, Policy.uniform(mdp), episodes=10**9, time_limit=0.3)
    assert played.stopped == "time"
    assert 0 <= played.episodes < 10**9  # none where the machine is busy


@pytest.mark.parametrize(
    "wrong",
    [{"episodes": 0}, {"episodes": 10**18}, {"seed": -1}, {"seed": 1.5}, {"level": 1.0}, {"steps": 0}],
)
def test_options_out_of_range_are_refused(wrong):
    mdp = load("example:recycling_robot")
    with pytest.raises(OptionError, match=f"{next(iter(wrong))}: found .* expected"):
        simulate(mdp, Policy.uniform(mdp), **wrong)


def test_progress_counts_episodes(monkeypatch):
    from tabular_rl.solving import run as running

    told = []
    monkeypatch.setattr(running, "listener", lambda *line: told.append(line))
    mdp = load("example:recycling_robot")
    simulate(mdp, Policy.uniform(mdp), episodes=5000)
    assert told[0] == ("simulate", 0.0, "0 of 5000 episodes")
    assert told[-1] == ("simulate", 4096 / 5000, "4096 of 5000 episodes")


# -- as a function of the package ----------------------------------------------------------------------------------

# From a: stop for 4, or go to b; b stops for 2. Always stopping earns 4 from a and 2 from b.
STOPS = MDP.from_outcomes(
    [("a", "stop", "end", 1, 4), ("a", "go", "b", 1, 0), ("b", "stop", "end", 1, 2)],
    1, states=["a", "b", "end"], terminal=["end"], start="a",
)  # fmt: skip


@pytest.mark.parametrize("start", ["b", 1, np.int64(1), {"b": 1}, [0, 1, 0]])
def test_a_start_is_a_name_an_index_or_a_distribution(start):
    played = simulate(STOPS, "action:stop", start=start, episodes=3)
    assert played.mean == 2
    assert played.reference.value_of_start() == 2
    assert STOPS.start[0] == 1
    assert sample_transitions(STOPS, "action:stop", 3, start=start).reward.tolist() == [2.0] * 3


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ("c", "start: state 'c': no such state"),
        (7, "start: state 7: no such state, expected a name, or an index from 0 to 2"),
        ("end", "start: state 'end': found a terminal state"),
    ],
)
def test_a_start_that_is_none_is_refused(start, says):
    for call in (
        lambda: simulate(STOPS, "uniform", start=start),
        lambda: sample_transitions(STOPS, "uniform", 3, start=start),
    ):
        with pytest.raises(OptionError, match=says):
            call()


def test_a_simulation_prints_the_exact_value_beside_the_mean():
    played = simulate(STOPS, "action:stop", episodes=50)
    text = str(played)
    assert played.verdict == "inside the interval"
    assert "mean return  4.0" in text
    assert "exact value  4" in text
    assert "a deterministic policy" in text
    assert "--" not in text
    assert repr(played).startswith("Simulation(mean=4 ± ")
    alone = simulate(STOPS, "uniform", episodes=50, reference=False)
    assert alone.reference is None
    assert alone.verdict == ""
    assert "exact" not in str(alone)
    assert "policy uniform" in str(alone)
    with pytest.raises(OptionError, match="reference: found '3', expected a Solution"):
        simulate(STOPS, "uniform", reference=3)
