"""Where the time of an answer went, and how far from the speed of memory that is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import size_text
from tabular_rl.report.blocks import Block, Lines, Report, Table
from tabular_rl.solving import blas
from tabular_rl.solving.solution import Solution

READINGS = 3  # of the arrays, of which the quickest counts
LEAST = 1 << 20  # bytes; below, a reading takes no time that could be measured
SWEEPING = ("search", "proof")  # the phases that sweep; to load and to compile code are phases of their own


@dataclass(frozen=True)
class ProfileReport(Report):
    """The seconds of each phase of an answer; what one reading of the model's rows takes is the floor of a sweep.

    Parameters
    ----------
    solution : the answer
    seconds : of each phase, as `tabular_rl.profile` counts them
    floor : seconds in which memory gives the outcomes of all rows once; None where that is too short to be measured
    """

    solution: Solution
    seconds: Mapping[str, float]
    floor: float | None

    def blocks(self) -> list[Block]:
        total = sum(self.seconds.values())
        rows = [[name, f"{x:.4f}", f"{x / total:.0%}"] for name, x in self.seconds.items()]
        rows.append(["in all", f"{total:.4f}", "100%"])
        return [Table(["phase", "seconds", "share"], rows, left="phase"), Lines(self._sentences())]

    def entries(self) -> dict[str, Any]:
        """The phases and the floor, which stand in JSON under "profile"."""
        return {
            "seconds": dict(self.seconds),
            "why": self.solution.why,
            "outcome_bytes": outcome_bytes(self.solution.mdp),
            "floor_seconds": self.floor,
        }

    def _sentences(self) -> list[str]:
        solution = self.solution
        why = f": {solution.why}" if solution.why else ", as asked"
        size, spent = outcome_bytes(solution.mdp), sum(self.seconds.get(name, 0.0) for name in SWEEPING)
        lines = [f"method: {solution.method}{why}"]
        if self.floor is None:
            lines.append(
                f"floor: one reading of the {size_text(size)} of outcomes is too short to be measured"
            )
        else:
            lines.append(
                f"floor: one reading of the {size_text(size)} of outcomes takes {self.floor:.2g} s "
                f"({size / self.floor / 1e9:.1f} GB/s); search and proof took as long as {spent / self.floor:.0f}"
            )
        if not blas.in_force():
            lines.append(
                "threads: this BLAS does not let them be set, so linear algebra takes those of its environment"
            )
        return lines


def outcome_bytes(mdp: MDP) -> int:
    """Return how many bytes the outcomes of a model are: what every sweep over all rows must read."""
    return int(mdp.next_state.nbytes + mdp.prob.nbytes)


def floor_seconds(mdp: MDP) -> float | None:
    """Return the seconds of wall time in which the outcomes of a model are read once, the least of some readings.

    None where they are less than a MiB, which takes no time that could be measured.
    """
    if outcome_bytes(mdp) < LEAST:
        return None
    best = float("inf")
    for _ in range(READINGS):
        start = time.perf_counter()
        for array in (mdp.prob.view(np.int64), mdp.next_state):
            np.bitwise_xor.reduce(array)
        best = min(best, time.perf_counter() - start)
    return best
