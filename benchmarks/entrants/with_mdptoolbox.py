# requirements: pymdptoolbox==4.0b3 numpy==2.4.6 scipy==1.17.1 setuptools==65.5.0
"""pymdptoolbox: one sparse matrix an action, rewards (S, A). Its check of large models makes dense matrices."""

import mdptoolbox.mdp as toolbox
import numpy as np
import protocol
from scipy.sparse import csr_matrix

METHOD = "PolicyIterationModified"


def unfit(m):
    if METHOD == "PolicyIteration" and (m.S > 3000 or m.horizon >= 0):
        return "its policy iteration makes dense matrices" if m.S > 3000 else "finite horizon"
    return ""


def build(m):
    """Every state must have every action: its first stands for what is missing."""
    m = protocol.with_loops(m)
    rows = np.repeat(m.pair_ptr[:-1, None], m.A, axis=1)
    rows[protocol.pair_state(m), m.pair_action] = np.arange(m.L)
    P = csr_matrix((m.prob, m.next_state, m.row_ptr), shape=(m.L, m.S))
    return [P[rows[:, a]] for a in range(m.A)], m.gain[rows]


def solve(built, m, tolerance):
    P, R = built
    if m.horizon >= 0:
        solver = toolbox.FiniteHorizon(P, R, m.gamma, m.horizon)
        solver.run()
        return m.sign * solver.V.T
    if METHOD == "PolicyIteration":
        solver = toolbox.PolicyIteration(P, R, m.gamma, max_iter=10**6)
    else:  # its max_iter counts the sweeps of a policy: 10, as it is by default
        solver = toolbox.PolicyIterationModified(P, R, m.gamma, epsilon=tolerance)
    solver.run()
    return m.sign * np.asarray(solver.V)


if __name__ == "__main__":
    protocol.run(globals())
