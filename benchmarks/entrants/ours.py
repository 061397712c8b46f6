# requirements:
"""tabular_rl: MDP.from_rows and solve."""

import sys
import time

import numpy as np

import tabular_rl
from benchmarks.entrants import protocol
from tabular_rl import MDP
from tabular_rl.kernels import _notice

METHOD = "auto"
COMPILES = True
compiled = 0  # kernels, so far


def compiling(kept):  # noqa: ARG001
    """Say so: a call in which something is compiled may take longer, and does not count."""
    global compiled
    compiled += 1
    print("compiling", file=sys.stderr, flush=True)


def build(m):
    if hasattr(m, "formula"):
        return checked_model(m)
    return MDP.from_rows(
        pair_ptr=m.pair_ptr,
        pair_action=m.pair_action,
        row_ptr=m.row_ptr,
        next_state=m.next_state,
        prob=m.prob,
        r=m.r,
        terminal=m.terminal,
        gamma=m.gamma,
        sense="max" if m.sign > 0 else "min",
        horizon=None if m.horizon < 0 else m.horizon,
    )


def checked_model(m):
    """Read the .drn of a question: chances are paid on reaching the goal."""
    ends = [f"label:{label}" for label in (m.goal, m.avoid) if label]
    return tabular_rl.load(m.drn, gamma=1, sense=m.sense, reward=m.reward or f"label:{m.goal}", terminal=ends)


def solve(mdp, m, tolerance):  # noqa: ARG001
    before = compiled
    answer = tabular_rl.solve(mdp, method=METHOD, tolerance=tolerance)
    return answer.v, facts(answer) | {"compiled": compiled - before}


def facts(answer):
    arrays = {"lower": answer.lower, "upper": answer.upper} if answer.lower is not None else {}
    return {
        "arrays": arrays,
        "bound": answer.bound,
        "status": answer.status.name,
        "method": answer.method,
        "why": answer.why,
        "note": answer.note,
        "counts": {name: int(count) for name, count in answer.work.items()},
    }


def certificate(mdp, m, tolerance):  # noqa: ARG001
    """Tell the CPU seconds of a solve that the proof and its decisions on actions take."""
    start = time.process_time()
    with tabular_rl.profile() as phases:
        tabular_rl.solve(mdp, tolerance=tolerance)
    seconds = time.process_time() - start
    return {"seconds": seconds * phases.get("proof", 0.0) / max(sum(phases.values()), 1e-9)}


def floor(mdp, m, tolerance):  # noqa: ARG001
    """Time reading every probability and every next state once: 12 bytes an outcome."""
    best = float("inf")
    for _ in range(7):
        start = time.process_time()
        m.prob.max()
        np.bitwise_or.reduce(m.next_state)
        best = min(best, time.process_time() - start)
    return {"seconds": best, "bytes": 12 * m.K, "model": mdp.nbytes}


def sweep(mdp, m, tolerance):  # noqa: ARG001
    """Time a sweep over all rows: plain, or with the outcomes that rows have in common added up beforehand."""
    from tabular_rl.solving.sweeps import Sweeper

    v, out = np.linspace(0, 1, mdp.S), np.empty(mdp.S)
    plain, added = Sweeper(mdp), Sweeper(mdp)
    chosen = np.empty(mdp.S, mdp.pair_ptr.dtype)
    added.runs()
    added.share()

    def kept():
        added.last = None  # or the answer of the last call is taken
        added.backup(v)

    return {"seconds": min(least(lambda: plain.optimal(v, out, chosen)), least(kept))}


def tensors(mdp, m, tolerance):  # noqa: ARG001
    """Time building from one scipy matrix (S·A, S), or from a dense tensor where every row is full."""
    if not protocol.full(m):
        return {"unfit": "not every state has every action"}
    R = m.r.reshape(m.S, m.A)
    if m.K == m.L * m.S:
        return {"seconds": least(lambda: MDP.from_tensors(m.prob.reshape(m.S, m.A, m.S), R, m.gamma))}
    from scipy.sparse import csr_matrix

    P = csr_matrix((m.prob, m.next_state, m.row_ptr), shape=(m.L, m.S))
    return {"seconds": least(lambda: MDP.from_tensors(P, R, m.gamma))}


def least(call):
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best


COMMANDS = {"certificate": certificate, "floor": floor, "sweep": sweep, "tensors": tensors}

if __name__ == "__main__":
    _notice.listener = compiling
    protocol.run(globals())
