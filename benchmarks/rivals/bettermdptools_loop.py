# requirements: bettermdptools==0.9.0 gymnasium==1.3.0 numpy==1.26.4
"""bettermdptools: RL(env).q_learning. It counts episodes; steps are counted by a wrapper."""

import json
import time

import gymnasium
from bettermdptools.algorithms.rl import RL


class Counted(gymnasium.Wrapper):
    steps = 0

    def step(self, action):
        Counted.steps += 1
        return super().step(action)


env = Counted(gymnasium.make("FrozenLake-v1", is_slippery=True))
start = time.process_time()
RL(env).q_learning(n_episodes=2_000, init_alpha=0.1, min_alpha=0.1, init_epsilon=0.1, min_epsilon=0.1)
print(json.dumps({"updates": Counted.steps, "seconds": time.process_time() - start}))
