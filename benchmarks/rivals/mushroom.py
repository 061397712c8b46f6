# requirements: mushroom-rl==1.10.2 numpy==1.24.4
"""MushroomRL: QLearning with Core.learn on its own finite MDP, the same lake."""

import json
import time

import numpy as np
from mushroom_rl.algorithms.value import QLearning
from mushroom_rl.core import Core
from mushroom_rl.environments import FiniteMDP
from mushroom_rl.policy import EpsGreedy

try:
    from mushroom_rl.rl_utils.parameters import Parameter
except ImportError:
    from mushroom_rl.utils.parameters import Parameter

LAKE = "SFFFFHFHFFFHHFFG"


def move(s, a):
    row, column = divmod(s, 4)
    row, column = [(row, column - 1), (row + 1, column), (row, column + 1), (row - 1, column)][a]
    return min(max(row, 0), 3) * 4 + min(max(column, 0), 3)


P, R = np.zeros((16, 4, 16)), np.zeros((16, 4, 16))
for s in range(16):
    for a in range(4):
        if LAKE[s] in "HG":
            continue  # no way out: absorbing
        for b in (a - 1, a, a + 1):
            P[s, a, move(s, b % 4)] += 1 / 3
            R[s, a, 15] = 1.0
start_at = np.zeros(16)
start_at[0] = 1.0
world = FiniteMDP(P, R, mu=start_at, gamma=0.99, horizon=100)
agent = QLearning(world.info, EpsGreedy(Parameter(0.1)), Parameter(0.1))
core = Core(agent, world)
updates = 50_000
start = time.process_time()
core.learn(n_steps=updates, n_steps_per_fit=1, quiet=True)
print(json.dumps({"updates": updates, "seconds": time.process_time() - start}))
