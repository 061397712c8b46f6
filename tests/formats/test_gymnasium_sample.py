"""Environments without P, estimated from steps. The truth is P where there is one, or the rules of the game."""

from __future__ import annotations

import numpy as np
import pytest
from program import inside

import tabular_rl as t
from tabular_rl import MDP, ModelError, OptionError
from tabular_rl.formats.importers.gymnasium_sample import sample_log

gymnasium = pytest.importorskip("gymnasium")

Box, Discrete, Tuple = gymnasium.spaces.Box, gymnasium.spaces.Discrete, gymnasium.spaces.Tuple


class Walk(gymnasium.Env):
    """From 0 by action 1 to (1, 0) and on; by action 0 it ends half the time. `broken` is what goes wrong."""

    observation_space = Tuple((Discrete(3), Discrete(2)))
    action_space = Discrete(2)

    def __init__(self, broken=None):
        self.broken = broken

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = 0
        return (0, 0), {}

    def step(self, action):
        if self.broken == "observation":
            return "lost", 0.0, False, False, {}
        if self.broken == "all":
            raise KeyError("no\nsuch thing")
        if self.broken == "reward":
            return (0, 0), np.nan, False, False, {}
        if action == 0:
            return (self.x, 0), 2.0, self.np_random.random() < 0.5, False, {}
        self.x += 1
        return (self.x, 0), -1.0, self.x == 2, False, {}


def test_shares_are_near_the_truth():
    """By Hoeffding's inequality one of 3 shares in 44 rows is off by more than allowed once in a million runs."""
    lake, seed = gymnasium.make("FrozenLake-v1"), int(np.random.SeedSequence().entropy % 2**32)
    known, found = MDP.from_gymnasium(lake), t.estimate(sample_log(lake, 15_000, seed), 1)
    mdp, there = found.mdp, [known.states.at(name, "state") for name in found.mdp.states]
    for i in range(mdp.L):
        s, a = int(mdp.pair_state[i]), mdp.actions[int(mdp.pair_action[i])]
        theirs = dict(known.rational(known.row(there[s], a))[0])
        ours = {there[s2]: p for s2, p in mdp.rational(i)[0]}
        assert set(ours) <= set(theirs), seed
        allowed = np.sqrt(np.log(2 * 44 * 3 * 1e6) / 2 / found.tries[i])
        assert max(abs(float(ours.get(s2, 0) - p)) for s2, p in theirs.items()) <= allowed, seed
    assert mdp == MDP.from_gymnasium(lake, sample=15_000, seed=seed).replace(name=mdp.name, source=mdp.source)


def test_it_is_said_to_be_an_estimate():
    mdp = MDP.from_gymnasium(Walk(), sample=400, gamma="9/10")
    assert mdp.name == "Walk, estimated from 400 steps"
    assert mdp.source.startswith("estimated from 400 steps in Walk, seed 0")
    assert "estimated from 400 steps" in str(mdp)
    assert str(mdp.gamma_exact) == "9/10"


def test_the_same_seed_gives_the_same_estimate():
    models = [MDP.from_gymnasium(Walk(), sample=300, seed=seed) for seed in (1, 1, 2)]
    assert models[0] == models[1]
    assert not np.array_equal(models[0].prob, models[2].prob)


def test_counts_of_a_log_are_whole():
    log = sample_log(Walk(), 1000, seed=1)
    found = t.estimate(log, 1)
    assert list(log.states) == ["0,0", "1,0", "2,0"]
    assert found.tries.sum() == len(log) <= 1000
    by_action = found.tries.reshape(-1, 2)
    assert (abs(np.diff(by_action, axis=1)) <= 1).all(), "what was tried least is tried next"
    stays = found.mdp.row("0,0", "0")
    first = int(found.mdp.row_ptr[stays])
    assert abs(found.counts[first] / found.tries[stays] - 0.5) < 0.2


def test_steps_whose_end_nobody_leaves_are_left_out():
    limited = gymnasium.wrappers.TimeLimit(Walk(), 1)
    log = sample_log(limited, 100, seed=0)  # it gets to (1, 0) and is cut off there, each second time
    assert (len(log), list(log.states)) == (50, ["0,0"])
    mdp = MDP.from_gymnasium(limited, sample=100, horizon=True)
    assert (mdp.horizon, mdp.source) == (
        1,
        "estimated from 100 steps in Walk, seed 0; 50 left out: nothing is known of what follows them; "
        "pairs never tried: 1",
    )


def test_what_was_never_tried_is_told():
    """There are two actions in each of two states."""
    for n in (2, 3, 300):
        mdp = MDP.from_gymnasium(Walk(), sample=n, seed=1)
        said = f"; pairs never tried: {4 - mdp.L}" if mdp.L < 4 else ""
        assert mdp.source == f"estimated from {n} steps in Walk, seed 1{said}"
        assert (mdp.L < 4) == (n < 4)


def test_masks_are_obeyed():
    from tabular_rl.environments import ModelEnv

    mdp = t.load("example:recycling_robot")
    found = MDP.from_gymnasium(ModelEnv(mdp), sample=500, gamma="1/2")
    assert (found.L, list(found.states), list(found.actions)) == (5, ["0", "1"], ["0", "1", "2"])


def test_wrappers_are_sampled_as_they_are():
    doubled = gymnasium.wrappers.TransformReward(Walk(), lambda r: 2 * r)
    assert set(MDP.from_gymnasium(doubled, sample=200).reward.tolist()) == {-2.0, 4.0}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: MDP.from_gymnasium(Walk()),
            ModelError,
            "Walk: found no P, .* sample=100000 estimates a model",
        ),
        (
            lambda: MDP.from_gymnasium(Walk(), sample=0),
            OptionError,
            "sample: found '0', expected a whole number from 1",
        ),
        (lambda: MDP.from_gymnasium(Walk(), sample="many"), OptionError, "sample: found 'many'"),
        (
            lambda: MDP.from_gymnasium(Walk(), sample=9, seed=-1),
            OptionError,
            "seed: found '-1', expected a whole",
        ),
        (lambda: MDP.from_gymnasium(Walk(), sample=9, states=["a"]), OptionError, "sample: found states="),
        (lambda: MDP.from_gymnasium(Walk("observation"), sample=9), ModelError, "observation: found 'lost'"),
        (
            lambda: MDP.from_gymnasium(Walk("reward"), sample=9),
            ModelError,
            "reward: found nan, expected a finite",
        ),
        (
            lambda: MDP.from_gymnasium(Walk("all"), sample=9),
            ModelError,
            "Walk: failed in a step: KeyError: 'no",
        ),
        (lambda: MDP.from_gymnasium("CartPole-v1", sample=9), ModelError, "observation_space: found Box"),
    ],
)
def test_what_cannot_be_sampled_is_told(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_too_few_steps():
    class Forward(Walk):
        def step(self, action):
            self.x += 1
            return (self.x, 0), 0.0, False, False, {}

    with pytest.raises(ModelError, match="sample: found no end, and no state twice, in 2 steps"):
        sample_log(Forward(), 2)


@pytest.mark.filterwarnings("ignore:estimated from")
def test_on_the_command_line(capsys):
    done = inside(capsys, "check", "gymnasium:Blackjack-v1?sample=3000&seed=2")
    assert done.code == 0
    assert done.out.startswith("Blackjack-v1, estimated from 3,000 steps: valid")
    done = inside(capsys, "check", "gymnasium:Blackjack-v1")
    assert (done.code, done.out) == (2, "") and "gymnasium:ID?sample=100000" in done.err
    done = inside(capsys, "check", "gymnasium:Blackjack-v1?sample=some")
    assert (done.code, done.out) == (2, "") and ": sample: found 'some', expected" in done.err


def test_the_reader_is_warned():
    said = "estimated from 3,000 steps in Blackjack-v1, seed 2.* What is proven is proven of the estimate"
    with pytest.warns(UserWarning, match=said):
        t.load("gymnasium:Blackjack-v1?sample=3000&seed=2")
