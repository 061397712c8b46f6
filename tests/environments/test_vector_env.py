"""Copies that step together are copies of one environment: the same numbers for one, the same law for many."""

from __future__ import annotations

import numpy as np
import pytest

import tabular_rl as t
from tabular_rl import MDP, OptionError

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.vector import AutoresetMode  # noqa: E402

from tabular_rl.environments import ID, ModelEnv, ModelVectorEnv  # noqa: E402

LAKE = t.load("example:frozen_lake_4x4")
MILLION = 4.892  # a normal number is further from its mean once in a million times


@pytest.mark.parametrize("name", ["frozen_lake_4x4", "student", "forest_horizon", "inventory_horizon"])
def test_one_copy_is_the_environment_with_its_numbers(name):
    mdp = t.load(f"example:{name}")
    one, copies = ModelEnv(mdp, "stay"), ModelVectorEnv(mdp, 1, "stay")
    state, info = one.reset(seed=3)
    states, infos = copies.reset(seed=3)
    dice, over, ended = np.random.default_rng(0), False, 0
    for _ in range(400):
        assert states.tolist() == [state]
        assert infos["action_mask"].tolist() == [info["action_mask"].tolist()]
        action = int(dice.integers(mdp.A))
        states, rewards, terminated, truncated, infos = copies.step(np.array([action]))
        if over:  # the step of the copies that begins anew takes the uniform that reset does
            state, info = one.reset()
            reward, ends, cut, over = 0.0, False, False, False
        else:
            state, reward, ends, cut, info = one.step(action)
            over = ends or cut
            ended += over
        assert (rewards.tolist(), terminated.tolist(), truncated.tolist()) == ([reward], [ends], [cut])
    assert ended > 5


def mean_and_error(x):
    return float(np.mean(x)), float(np.std(x, ddof=1) / np.sqrt(len(x)))


def test_many_copies_have_the_law_of_as_many_environments():
    """Episodes of the uniform policy: their mean discounted returns, lengths and ends differ by chance alone.

    Three z-tests, each of which fails once in a million runs where all is well.
    """
    seed = int(np.random.SeedSequence().entropy % 2**32)
    policy = t.Policy.uniform(LAKE)
    many = policy.as_agent(ModelVectorEnv(LAKE, 1000)).play(20_000, seed)
    single = policy.as_agent(ModelEnv(LAKE)).play(2_000, seed + 1)
    for of in ("discounted", "returns", "steps"):
        (a, error_a), (b, error_b) = (mean_and_error(getattr(played, of)) for played in (many, single))
        assert abs(a - b) < MILLION * np.hypot(error_a, error_b), (of, seed)
    value = float(LAKE.start @ t.evaluate(LAKE, policy).v)
    mean, error = mean_and_error(many.discounted)
    assert abs(mean - value) < MILLION * error, seed


def test_to_take_the_episodes_that_end_first_would_be_seen():
    """The test above can fail: the shortest tenth of the episodes has another mean."""
    many = t.Policy.uniform(LAKE).as_agent(ModelVectorEnv(LAKE, 1000)).play(20_000, 0)
    first = np.argsort(many.steps)[:2000]
    (a, error_a), (b, error_b) = mean_and_error(many.returns), mean_and_error(many.returns[first])
    assert abs(a - b) > 2 * MILLION * np.hypot(error_a, error_b)


def test_copies_do_not_step_alike():
    envs = ModelVectorEnv(LAKE, 500)
    envs.reset(seed=0)
    states = envs.step(np.full(500, list(LAKE.actions).index("right")))[0]
    assert set(states.tolist()) == {0, 1, 4}  # slippery ice: right, or up or down from the corner


def test_the_same_seed_gives_the_same_steps():
    runs = []
    for seed in (5, 5, 6):
        envs = ModelVectorEnv(LAKE, 50)
        first = envs.reset(seed=seed)[0]
        runs.append([first.tolist(), *(envs.step(np.full(50, k % 4))[0].tolist() for k in range(20))])
    assert runs[0] == runs[1] != runs[2]


def test_what_was_returned_stays_as_it_is():
    envs = ModelVectorEnv(LAKE, 50)
    states, infos = envs.reset(seed=0)
    kept = states.copy(), infos["action_mask"].copy()
    envs.step(np.full(50, 2))
    assert np.array_equal(kept[0], states) and np.array_equal(kept[1], infos["action_mask"])


def test_it_says_how_copies_begin_anew_and_is_registered():
    envs = gymnasium.make_vec(ID, num_envs=3, model=LAKE)
    assert isinstance(envs, ModelVectorEnv)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    states, infos = envs.reset(seed=0)
    assert envs.observation_space.contains(states) and envs.single_action_space.n == 4
    assert infos["_action_mask"].all()
    gymnasium.wrappers.vector.RecordEpisodeStatistics(envs).reset(seed=0)


TWO = MDP.from_outcomes(
    [("a", "go", "b", 1, 5), ("a", "wait", "a", 1, 0), ("b", "go", "a", 1, 7)], "1/2", start="b"
)


def begun(n=3, **options):
    envs = ModelVectorEnv(TWO, n, **options)
    envs.reset(seed=0)
    return envs


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ModelVectorEnv(TWO, 0), "num_envs: found 0, expected 1 to"),
        (lambda: ModelVectorEnv(TWO, 2.5), "num_envs: found 2.5, expected 1 to"),
        (lambda: ModelVectorEnv(TWO, 2, masks="no"), "masks: found 'no', expected True or False"),
        (lambda: ModelVectorEnv(TWO, 2, render_mode="ansi"), "render_mode: found 'ansi', expected None"),
        (lambda: ModelVectorEnv(TWO, 2).step([0, 0]), r"step: found no episodes, expected reset\(\)"),
        (lambda: begun().reset(options={"state": 1}), "options: found a dictionary, expected none"),
        (lambda: begun().step([0, 0]), r"actions: found int64 of shape \(2,\), expected 3 integers"),
        (lambda: begun().step([0.0, 0, 0]), "actions: found float64 of shape"),
        (lambda: begun().step([0, 2, 0]), "copy 1: found action 2, expected 0 to 1"),
        (lambda: begun().step([0, 0, 1]), "copy 2: state 'b': found action 1, 'wait', expected one of 'go'"),
    ],
)
def test_what_is_asked_wrongly_is_told(call, message):
    with pytest.raises(OptionError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_where_one_stays():
    envs = begun(unavailable="stay", masks=False)
    states, rewards, *_, infos = envs.step([1, 0, 1])
    assert (states.tolist(), rewards.tolist(), infos) == ([1, 0, 1], [0.0, 7.0, 0.0], {})
