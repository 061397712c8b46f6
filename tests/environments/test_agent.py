"""A policy that plays: which state an observation is, which action is taken, and what is earned."""

from __future__ import annotations

import numpy as np
import pytest

import tabular_rl as t
from tabular_rl import MDP, OptionError, Policy

gymnasium = pytest.importorskip("gymnasium")

from tabular_rl.environments import ModelEnv, ModelVectorEnv  # noqa: E402

LINE = MDP.from_outcomes(
    [("a", "go", "b", 1, 1), ("a", "end", "c", 1, 0), ("b", "go", "c", 1, 2), ("b", "end", "c", 1, 0)],
    "1/2",
    terminal=["c"],
    start="a",
)
GO = Policy.of_actions(LINE, {"a": "go", "b": "go"})


class Line(gymnasium.Env):
    """Observations and actions in the spaces that are given; it goes on for three steps, and keeps the actions."""

    def __init__(self, observations, seen, actions):
        self.observation_space, self.action_space, self.seen, self.taken = observations, actions, seen, []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.seen[0], {}

    def step(self, action):
        assert action in self.action_space, action
        self.taken.append(action)
        self.t += 1
        return self.seen[self.t], 1.0, self.t == 3, False, {}


Discrete, Tuple = gymnasium.spaces.Discrete, gymnasium.spaces.Tuple


def test_returns_discounted_and_not():
    agent = GO.as_agent(ModelEnv(LINE))
    assert agent.returns(3).tolist() == [3.0, 3.0, 3.0]
    assert agent.returns(2, gamma=0.25).tolist() == [1.5, 1.5]
    played = agent.play(2)
    assert (played.returns.tolist(), played.discounted.tolist()) == ([3.0, 3.0], [2.0, 2.0])
    assert (played.steps.tolist(), played.ended.tolist()) == ([2, 2], [True, True])
    assert agent.play(1, steps=1).ended.tolist() == [False]


def test_copies_earn_what_one_does():
    played = GO.as_agent(ModelVectorEnv(LINE, 3)).play(7)
    assert (played.returns.tolist(), played.discounted.tolist()) == ([3.0] * 7, [2.0] * 7)
    assert (played.steps.tolist(), played.ended.tolist()) == ([2] * 7, [True] * 7)
    for mode in gymnasium.vector.AutoresetMode.NEXT_STEP, gymnasium.vector.AutoresetMode.SAME_STEP:
        envs = gymnasium.vector.SyncVectorEnv([lambda: ModelEnv(LINE)] * 2, autoreset_mode=mode)
        assert GO.as_agent(envs).play(5).discounted.tolist() == [2.0] * 5
    envs = gymnasium.vector.SyncVectorEnv(
        [lambda: ModelEnv(LINE)], autoreset_mode=gymnasium.vector.AutoresetMode.DISABLED
    )
    with pytest.raises(OptionError, match="autoreset_mode: found Disabled, expected NextStep or SameStep"):
        GO.as_agent(envs).play(1)


def test_a_stochastic_policy_is_drawn_from():
    policy = Policy.of_probs(LINE, {"a": {"go": 0.3, "end": 0.7}, "b": {"go": 1, "end": 0}})
    seed = int(np.random.SeedSequence().entropy % 2**32)
    one, many = policy.as_agent(ModelEnv(LINE), seed), policy.as_agent(ModelVectorEnv(LINE, 5000), seed)
    alone, together = [one.act(0) for _ in range(5000)], many.act(np.zeros(5000, dtype=int))
    assert alone == together.tolist(), "the same uniforms"
    assert abs(np.mean(alone) - 0.7) < 0.0387, seed  # by Hoeffding at most once in a million
    assert {one.act(1) for _ in range(50)} == {0}
    one.reset(seed)
    assert [one.act(0) for _ in range(5000)] == alone


def test_a_policy_in_time_counts_its_actions():
    mdp = MDP.from_outcomes([("a", "x", "a", 1, 1), ("a", "y", "a", 1, 5)], 1, horizon=3)
    policy = Policy(mdp, rows=np.array([[0], [1], [0]]))
    agent = policy.as_agent(ModelEnv(mdp))
    assert [agent.act(0) for _ in range(4)] == [0, 1, 0, 0]
    agent.reset()
    assert [agent.act(0), agent.act(0, t=1), agent.act(0, t=0)] == [0, 1, 0]
    for env in (ModelEnv(mdp), ModelVectorEnv(mdp, 2)):
        assert policy.as_agent(env).returns(3).tolist() == [7.0] * 3


def test_states_and_actions_are_found_by_name():
    mdp = MDP.from_outcomes([("1,0", "1", "0,1", 1, 0), ("0,1", "0", "1,0", 1, 0)], 0.5, actions=["0", "1"])
    policy = Policy.of_actions(mdp, {"1,0": "1", "0,1": "0"})
    seen = [(1, 0), (0, 1), (1, 0), (0, 1)]
    for space, seen_as in [
        (Tuple((Discrete(2), Discrete(2))), seen),
        (gymnasium.spaces.MultiDiscrete([2, 2]), [np.array(x) for x in seen]),
        (gymnasium.spaces.MultiBinary(2), [np.array(x, dtype=np.int8) for x in seen]),
    ]:
        env = Line(space, seen_as, Discrete(2))
        assert policy.as_agent(env).returns(1).tolist() == [3.0]
        assert env.taken == [1, 0, 1]


def test_a_space_that_does_not_begin_with_0():
    mdp = MDP.from_outcomes([("5", "3", "6", 1, 0), ("6", "4", "5", 1, 0)], 0.5)
    env = Line(Discrete(2, start=5), [5, 6, 5, 6], Discrete(2, start=3))
    Policy.of_actions(mdp, {"5": "3", "6": "4"}).as_agent(env).returns(1)
    assert env.taken == [3, 4, 3]


def test_actions_of_several_parts():
    mdp = MDP.from_outcomes([("0", "1,0", "0", 1, 0)], 0.5)
    for space in Tuple((Discrete(2), Discrete(2))), gymnasium.spaces.MultiDiscrete([2, 2]):
        env = Line(Discrete(1), [0] * 4, space)
        Policy.of_actions(mdp, ["1,0"]).as_agent(env).returns(1)
        assert [tuple(int(x) for x in a) for a in env.taken] == [(1, 0)] * 3


def test_names_of_ones_own_are_found_by_number():
    mdp = MDP(P=[[[0, 1], [1, 0]], [[0, 1], [1, 0]]], R=[[0, 1], [2, 3]], gamma=0.5, axes="sas",
              states=["west", "east"], actions=["back", "on"])  # fmt: skip
    env = Line(Discrete(2), [0, 1, 0, 1], Discrete(2))
    Policy.of_actions(mdp, ["on", "back"]).as_agent(env).returns(1)
    assert env.taken == [1, 0, 1]


def test_a_function_says_which_state_it_is():
    box = gymnasium.spaces.Box(-1, 1, (1,))
    env = Line(box, [np.array([x], dtype=np.float32) for x in (-0.5, 0.5, -0.5, 0.5)], Discrete(2))
    policy = Policy.of_actions(LINE, {"a": "go", "b": "end"})
    agent = policy.as_agent(env, states=lambda x: "a" if x[0] < 0 else "b")
    agent.returns(1)
    assert env.taken == [0, 1, 0]
    with pytest.raises(OptionError, match=r"observation_space: found Box.*Give states=, a function"):
        policy.as_agent(env)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GO.as_agent(3), "env: found int without observation_space, expected an environment"),
        (
            lambda: GO.as_agent(Line(Discrete(9), [0], Discrete(2))),
            "states: found 'a' in the policy's model, which is no observation of Line, whose 9 .* such as '0'",
        ),
        (
            lambda: GO.as_agent(Line(Discrete(3), [0], Discrete(1))),
            "actions: found 2 .*at most the 1 of Line",
        ),
        (lambda: GO.as_agent(ModelEnv(LINE)).act(3), "observation: found 3, which is no state of"),
        (lambda: GO.as_agent(ModelEnv(LINE)).act("x"), "observation: found x, which is no state of"),
        (
            lambda: GO.as_agent(ModelEnv(LINE)).act(2),
            "state 'c': found a terminal state of the policy's model",
        ),
        (lambda: GO.as_agent(ModelEnv(LINE)).returns(0), "episodes"),
        (
            lambda: GO.as_agent(ModelEnv(LINE)).returns(1, gamma=2),
            "gamma: found 2, expected a number from 0 to 1",
        ),
        (lambda: GO.as_agent(ModelEnv(LINE), states=3), "states: found 3, expected a function"),
        (
            lambda: GO.as_agent(ModelVectorEnv(LINE, 2)).play(2, steps=1),
            "steps: found an episode of more than 1",
        ),
    ],
)
def test_what_does_not_fit_is_told(call, message):
    with pytest.raises(OptionError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_an_observation_that_the_model_has_not_seen():
    mdp = MDP.from_outcomes([("0", "0", "1", 1, 0), ("1", "0", "0", 1, 0)], 0.5)
    env = Line(Discrete(3), [0, 1, 2, 1], Discrete(2))
    with pytest.raises(OptionError, match="observation: found 2, which is no state of the policy's model"):
        t.solve(mdp).policy.as_agent(env).returns(1)
