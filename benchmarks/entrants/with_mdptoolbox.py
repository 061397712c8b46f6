# requirements: pymdptoolbox==4.0b3 numpy==2.4.6 scipy==1.17.1 setuptools==65.5.0
"""pymdptoolbox: one sparse matrix an action, rewards (S, A)."""

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
    """Every state must have every action: what is missing is a stay at a cost above every other."""
    m = protocol.with_loops(m)
    state = protocol.pair_state(m)
    lengths = np.diff(m.row_ptr)
    R = np.full((m.S, m.A), m.gain.min() - 1 - np.ptp(m.gain) / max(1 - m.gamma, 1e-9))
    R[state, m.pair_action] = m.gain
    P = []
    for a in range(m.A):
        rows = np.flatnonzero(m.pair_action == a)
        at = np.repeat(m.pair_action == a, lengths)
        missing = np.ones(m.S, dtype=bool)
        missing[state[rows]] = False
        stay = np.flatnonzero(missing)
        where = np.concatenate([np.repeat(state[rows], lengths[rows]), stay])
        to = np.concatenate([m.next_state[at], stay])
        P.append(
            csr_matrix((np.concatenate([m.prob[at], np.ones(len(stay))]), (where, to)), shape=(m.S, m.S))
        )
    return P, R


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
