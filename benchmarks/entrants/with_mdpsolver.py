# requirements: mdpsolver==0.10.2 numpy==2.4.6
"""MDPSolver (C++): nested lists of probabilities and columns, as its page shows for sparse models."""

import mdpsolver
import numpy as np
import protocol

METHOD = "mpi"
KEEPS = True  # a model starts from the values of its last solve


def unfit(m):
    if m.horizon >= 0:
        return "finite horizon"
    if m.gamma >= 1:
        return "needs gamma < 1"
    return ""


def nested(values, row_ptr, pair_ptr):
    values, row_ptr = values.tolist(), row_ptr.tolist()
    rows = [values[row_ptr[i] : row_ptr[i + 1]] for i in range(len(row_ptr) - 1)]
    ends = pair_ptr.tolist()
    return [rows[ends[s] : ends[s + 1]] for s in range(len(ends) - 1)]


def build(m):
    m = protocol.with_loops(m)
    gain, ends = m.gain.tolist(), m.pair_ptr.tolist()
    model = mdpsolver.model()
    model.mdp(
        discount=m.gamma,
        rewards=[gain[ends[s] : ends[s + 1]] for s in range(m.S)],
        tranMatProbs=nested(m.prob, m.row_ptr, m.pair_ptr),
        tranMatColumns=nested(m.next_state, m.row_ptr, m.pair_ptr),
    )
    return model


def solve(model, m, tolerance):
    model.solve(algorithm=METHOD, tolerance=tolerance, parallel=False)
    return m.sign * np.asarray(model.getValueVector())


if __name__ == "__main__":
    protocol.run(globals())
