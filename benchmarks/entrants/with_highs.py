# requirements: numpy==2.4.6 scipy==1.17.1
"""HiGHS through scipy.optimize.linprog: the least values that satisfy Bellman's inequalities."""

import numpy as np
import protocol
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

METHOD = "highs"
LARGEST = 2_000_000  # outcomes


def unfit(m):
    if m.horizon >= 0:
        return "finite horizon: a program of horizon times the size"
    if m.gamma == 1:
        return "gamma = 1: values of end components are not determined by the inequalities"
    return f"more than {LARGEST} outcomes: small sizes only" if m.K > LARGEST else ""


def build(m):
    m = protocol.with_loops(m)
    P = csr_matrix((m.prob, m.next_state, m.row_ptr), shape=(m.L, m.S))
    own = csr_matrix((np.ones(m.L), protocol.pair_state(m), np.arange(m.L + 1)), shape=(m.L, m.S))
    return m.gamma * P - own, -m.gain


def solve(built, m, tolerance):  # noqa: ARG001
    A, b = built
    found = linprog(np.ones(m.S), A_ub=A, b_ub=b, bounds=(None, None), method=METHOD)
    if found.x is None:
        raise RuntimeError(found.message)
    return m.sign * found.x


if __name__ == "__main__":
    protocol.run(globals())
