# requirements: numpy==2.4.6 scipy==1.17.1
"""What a user writes in ten lines of numpy and scipy: value iteration, and policy iteration.

Value iteration stops by the span; at gamma = 1 by the change, which proves nothing.
"""

import numpy as np
import protocol
from scipy.sparse import csr_matrix, identity
from scipy.sparse.linalg import spsolve

METHOD = "value_iteration"


def unfit(m):
    if METHOD == "policy_iteration" and m.horizon >= 0:
        return "finite horizon"
    return "solves I - gamma P: needs gamma < 1" if METHOD == "policy_iteration" and m.gamma == 1 else ""


def build(m):
    m = protocol.with_loops(m)
    return (
        csr_matrix((m.prob, m.next_state, m.row_ptr), shape=(m.L, m.S)),
        m.gain,
        m.pair_ptr[:-1].astype(np.intp),
    )


def solve(built, m, tolerance):
    return m.sign * (
        policy_iteration(built, m) if METHOD == "policy_iteration" else value_iteration(built, m, tolerance)
    )


def value_iteration(built, m, tolerance):
    P, r, starts = built
    v, g = np.zeros(m.S), m.gamma
    if m.horizon >= 0:
        table = [v]
        for _ in range(m.horizon):
            table.append(np.maximum.reduceat(r + g * (P @ table[-1]), starts))
        return np.array(table[::-1])
    while True:
        best = np.maximum.reduceat(r + g * (P @ v), starts)
        low, high = (best - v).min(), (best - v).max()
        v = best
        if g == 1:
            if max(-low, high) <= tolerance:
                return v
        elif (high - low) * g / (1 - g) <= tolerance:
            return v + (high + low) / 2 * g / (1 - g)


def policy_iteration(built, m):
    P, r, starts = built
    ends = np.append(starts[1:], len(r))
    counts = ends - starts
    chosen = starts.copy()
    while True:
        v = spsolve(identity(m.S, format="csc") - m.gamma * P[chosen].tocsc(), r[chosen])
        q = r + m.gamma * (P @ v)
        best = np.maximum.reduceat(q, starts)
        better = best > q[chosen] + 1e-9 * (1 + abs(best))  # without a margin it turns in circles on ties
        if not better.any():
            return v
        first = np.where(q == np.repeat(best, counts), np.arange(len(q)), len(q))
        chosen = np.where(better, np.minimum.reduceat(first, starts), chosen)


if __name__ == "__main__":
    protocol.run(globals())
