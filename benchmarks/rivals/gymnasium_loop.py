# requirements: gymnasium==1.0.0 numpy==2.4.6
"""Gymnasium's FrozenLake with a numpy table, the loop of its tutorials."""

import json
import time

import gymnasium
import numpy as np

env = gymnasium.make("FrozenLake-v1", is_slippery=True)
rng = np.random.default_rng(0)
q = np.zeros((env.observation_space.n, env.action_space.n))
updates, total = 0, 100_000
state, _ = env.reset(seed=0)
start = time.process_time()
while updates < total:
    action = rng.integers(4) if rng.random() < 0.1 else int(np.argmax(q[state]))
    state2, reward, terminated, truncated, _ = env.step(action)
    target = reward + 0.99 * (0.0 if terminated else np.max(q[state2]))
    q[state, action] += 0.1 * (target - q[state, action])
    updates += 1
    state = state2
    if terminated or truncated:
        state, _ = env.reset()
print(json.dumps({"updates": updates, "seconds": time.process_time() - start}))
