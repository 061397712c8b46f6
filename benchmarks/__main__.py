"""Time `tabular_rl.solve` against rivals on the same models in one run: the first part of results.md.

A rival that is not installed is recorded as such. Times are CPU seconds of one process, the least of three calls after
one that compiles; each rival is asked for the same tolerance, and its difference from our values stands beside.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tabular_rl
from benchmarks.learners import TITLE
from tabular_rl import MDP
from tabular_rl.model import families

TOLERANCE = 1e-6
CALLS = 3


def models() -> dict[str, MDP]:
    """The instances: well mixed, slippery grids, a chain."""
    return {
        "garnet 10,000 x 10, γ .99": families.garnet(states=10_000, actions=10, branching=7, gamma=0.99),
        "garnet 100,000 x 10, γ .99": families.garnet(states=100_000, actions=10, branching=7, gamma=0.99),
        "grid 300 x 300, γ .99": families.gridworld(rows=300, columns=300, gamma=0.99),
        "grid 300 x 300, γ .9999": families.gridworld(rows=300, columns=300, gamma=0.9999),
        "queue 20,000, γ .99": families.queue(capacity=19_999, gamma=0.99, holding=0.001),
    }


def ours(mdp: MDP) -> np.ndarray:
    answer = tabular_rl.solve(mdp, tolerance=TOLERANCE)
    assert answer.status.reached, answer.status
    return np.asarray(answer.v)


def scipy_value_iteration(mdp: MDP) -> np.ndarray:
    """Value iteration over one sparse matrix, stopped by the span where there is no terminal state."""
    P, starts = mdp.P, mdp.pair_ptr[:-1][~mdp.terminal].astype(np.intp)
    r, g, live = mdp.sign * mdp.r, mdp.gamma, ~mdp.terminal
    v = np.zeros(mdp.S)
    while True:
        best = np.maximum.reduceat(r + g * (P @ v), starts)
        change = best - v[live]
        low, high = float(change.min()), float(change.max())
        if not live.all():
            low, high = min(low, 0.0), max(high, 0.0)
        v[live] = best
        if (high - low) * g / (1 - g) <= TOLERANCE:
            v[live] += (high + low) / 2 * g / (1 - g)
            return mdp.sign * v


def quantecon_modified_policy_iteration(mdp: MDP) -> np.ndarray:
    from quantecon.markov import DiscreteDP  # type: ignore[import-not-found,unused-ignore]

    # It knows no terminal states: they loop with reward 0.
    ends = np.flatnonzero(mdp.terminal)
    from scipy.sparse import csr_matrix, vstack

    loops = csr_matrix((np.ones(len(ends)), (np.arange(len(ends)), ends)), shape=(len(ends), mdp.S))
    Q = vstack([csr_matrix(mdp.P), loops]).tocsr()
    r = np.concatenate([mdp.sign * mdp.r, np.zeros(len(ends))])
    s = np.concatenate([mdp.pair_state, ends])
    a = np.concatenate([mdp.pair_action, np.zeros(len(ends), dtype=int)])
    ddp = DiscreteDP(r, Q, mdp.gamma, s, a)
    found = ddp.solve(method="modified_policy_iteration", epsilon=TOLERANCE, max_iter=10**6)
    return mdp.sign * np.asarray(found.v)


RIVALS: dict[str, Callable[[MDP], np.ndarray]] = {
    "scipy value iteration": scipy_value_iteration,
    "QuantEcon modified policy iteration": quantecon_modified_policy_iteration,
}


def timed(function: Callable[[MDP], np.ndarray], mdp: MDP) -> tuple[float, np.ndarray]:
    """The least CPU time of some calls, and the values."""
    v = function(mdp)
    best = float("inf")
    for _ in range(CALLS):
        start = time.process_time()
        v = function(mdp)
        best = min(best, time.process_time() - start)
    return best, v


def main() -> None:
    lines = [
        "# Benchmarks",
        "",
        f"`python -m benchmarks`; {platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}. "
        "CPU seconds, one thread, everything compiled.",
        "Only ratios within a run mean something. Ours is `solve` with method `auto`: its time includes the proof.",
        "",
        "| model | ours, s | " + " | ".join(f"{name}: ratio, error" for name in RIVALS) + " |",
        "|---|---|" + "---|" * len(RIVALS),
    ]
    for name, mdp in models().items():
        own, v = timed(ours, mdp)
        cells: list[Any] = [name, f"{own:.3f}"]
        for rival in RIVALS.values():
            try:
                seconds, values = timed(rival, mdp)
                cells.append(f"{seconds / own:.1f}, {float(np.max(np.abs(values - v))):.0e}")
            except ImportError:
                cells.append("not installed")
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    path = Path(__file__).with_name("results.md")
    _, title, learners = path.read_text(encoding="utf-8").partition(TITLE)
    path.write_text("\n".join(lines) + f"\n\n{title}{learners}", encoding="utf-8")


if __name__ == "__main__":
    main()
