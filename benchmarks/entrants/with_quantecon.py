# requirements: quantecon==0.11.4 numpy==2.4.6 scipy==1.17.1 numba==0.68.1
"""QuantEcon: DiscreteDP over state-action pairs with one sparse matrix, as its lectures recommend for large models."""

import numpy as np
import protocol
from quantecon.markov import DiscreteDP
from quantecon.markov.ddp import backward_induction
from scipy.sparse import csr_matrix

METHOD = "modified_policy_iteration"
COMPILES = True


def unfit(m):
    if m.gamma == 1 and m.horizon < 0:
        return "needs gamma < 1"
    if m.horizon >= 0 and METHOD != "modified_policy_iteration":
        return "finite horizon: backward induction is its only method"
    return ""


def build(m):
    m = protocol.with_loops(m)
    Q = csr_matrix((m.prob, m.next_state, m.row_ptr), shape=(m.L, m.S))
    return DiscreteDP(m.gain, Q, m.gamma, protocol.pair_state(m), m.pair_action)


def solve(ddp, m, tolerance):
    if m.horizon >= 0:
        return m.sign * backward_induction(ddp, m.horizon)[0]
    found = ddp.solve(method=METHOD, epsilon=tolerance, max_iter=10**6)
    return m.sign * np.asarray(found.v), {"counts": {"iterations": int(found.num_iter)}}


if __name__ == "__main__":
    protocol.run(globals())
