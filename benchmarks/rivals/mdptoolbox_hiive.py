# requirements: mdptoolbox-hiive==4.0.3.1 gym==0.26.2 numpy==2.4.6 scipy==1.17.1
"""mdptoolbox-hiive: QLearning on the matrices of the same lake."""

import json
import time

import numpy as np
from hiive.mdptoolbox.mdp import QLearning

LAKE = "SFFFFHFHFFFHHFFG"


def move(s, a):
    row, column = divmod(s, 4)
    row, column = [(row, column - 1), (row + 1, column), (row, column + 1), (row - 1, column)][a]
    return min(max(row, 0), 3) * 4 + min(max(column, 0), 3)


P, R = np.zeros((4, 16, 16)), np.zeros((4, 16, 16))
for s in range(16):
    for a in range(4):
        if LAKE[s] in "HG":
            P[a, s, s] = 1.0
            continue
        for b in (a - 1, a, a + 1):
            P[a, s, move(s, b % 4)] += 1 / 3
            R[a, s, 15] = 1.0
updates = 20_000
learner = QLearning(
    P, R, 0.99, alpha=0.1, alpha_decay=1.0, epsilon=0.1, epsilon_decay=1.0, n_iter=updates, skip_check=True
)
start = time.process_time()
learner.run()
print(json.dumps({"updates": updates, "seconds": time.process_time() - start}))
