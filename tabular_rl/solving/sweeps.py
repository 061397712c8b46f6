"""Sweeps over a model: kernels called block by block, on one or several threads.

States are cut into blocks of about the same number of outcomes, so that a block takes well under a fifth of a second
and a signal is heard between two of them. Synchronous sweeps may share the blocks among threads: each block writes
its own states and its own span, so the bits are the same for any number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NumericalError, quoted
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.run import Run

Floats = NDArray[np.float64]
OUTCOMES_OF_A_BLOCK = 1 << 20


class Sweeper:
    """All kinds of sweeps over one model, in the sign of maximisation."""

    def __init__(self, mdp: MDP, run: Run | None = None, threads: int = 1) -> None:
        from tabular_rl.kernels import bellman

        self.kernels = bellman
        self.mdp, self.run = mdp, run
        # No index is negative; read as unsigned, a kernel need not look whether one is: 1.2 times faster.
        self.next_state = mdp.next_state.view(np.uint32 if mdp.next_state.dtype == np.int32 else np.uint64)
        cuts = max(1, min(mdp.S, mdp.K // OUTCOMES_OF_A_BLOCK))
        if threads > 1:
            cuts = max(cuts, min(4 * threads, mdp.S, mdp.K // 4096 + 1))
        wanted = np.linspace(0, mdp.K, cuts + 1)[1:-1]
        inner = np.searchsorted(mdp.row_ptr, wanted) if mdp.L else np.zeros(0, dtype=np.int64)
        states = np.searchsorted(mdp.pair_ptr, inner)
        edges = np.unique(np.concatenate([[0], states, [mdp.S]])).tolist()
        self.blocks = list(pairwise(edges))
        self.spans = [np.empty(2) for _ in self.blocks]
        self.pool: Any = None
        if threads > 1 and len(self.blocks) > 1:
            from concurrent.futures import ThreadPoolExecutor

            self.pool = ThreadPoolExecutor(threads)

    def close(self) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=False)

    def _each(self, call: Callable[[int, int, Floats], Any]) -> tuple[float, float]:
        """Call for each block and its span; return the least and the largest change."""

        def one(block: int) -> None:
            first, last = self.blocks[block]
            self.spans[block][:] = math.inf, -math.inf
            call(first, last, self.spans[block])

        if self.pool is not None:
            for _ in self.pool.map(one, range(len(self.blocks))):
                pass
            if self.run is not None:
                self.run.breathe()
        else:
            for block in range(len(self.blocks)):
                one(block)
                if self.run is not None:
                    self.run.breathe()
        return self._span()

    def _span(self) -> tuple[float, float]:
        low = min(float(x[0]) for x in self.spans) if self.spans else 0.0
        high = max(float(x[1]) for x in self.spans) if self.spans else 0.0
        if any(math.isnan(x[0]) or math.isnan(x[1]) for x in self.spans):
            low = high = math.nan
        if low == math.inf:  # no state has rows
            return 0.0, 0.0
        return low, high

    @property
    def _rows(self) -> tuple[Any, ...]:
        m = self.mdp
        return m.row_ptr, self.next_state, m.prob, m.r, m.gamma, m.sign

    def optimal(self, v: Floats, out: Floats, rows: NDArray[Any]) -> tuple[float, float]:
        """out ← T v with the greedy rows; return min and max of T v - v over states with actions."""
        kernel, ptr, numbers = self.kernels.optimal_backup, self.mdp.pair_ptr, self._rows
        return self._each(lambda a, b, span: kernel(ptr, *numbers, v, a, b, span, rows, out))

    def optimal_in_place(self, v: Floats, rows: NDArray[Any], forward: bool = True) -> tuple[float, float]:
        """v ← T v state by state, in one direction or the other (Gauss-Seidel)."""
        kernel, ptr, numbers = self.kernels.optimal_backup_in_place, self.mdp.pair_ptr, self._rows
        return self._in_turn(
            forward, lambda a, b, step, span: kernel(ptr, *numbers, a, b, step, span, rows, v)
        )

    def policy(self, policy: Policy, v: Floats, out: Floats) -> tuple[float, float]:
        """out ← T_π v."""
        numbers = self._rows
        if policy.rows is not None:
            chosen, rows = self.kernels.chosen_backup, policy.rows
            return self._each(lambda a, b, span: chosen(*numbers, rows, v, a, b, span, out))
        mixed, ptr, weight = self.kernels.mixed_backup, self.mdp.pair_ptr, policy.probs
        return self._each(lambda a, b, span: mixed(ptr, *numbers, weight, v, a, b, span, out))

    def policy_in_place(self, policy: Policy, v: Floats, forward: bool = True) -> tuple[float, float]:
        """v ← T_π v state by state."""
        numbers = self._rows
        if policy.rows is not None:
            chosen, rows = self.kernels.chosen_backup_in_place, policy.rows
            return self._in_turn(
                forward, lambda a, b, step, span: chosen(*numbers, rows, a, b, step, span, v)
            )
        mixed, ptr, weight = self.kernels.mixed_backup_in_place, self.mdp.pair_ptr, policy.probs
        return self._in_turn(
            forward, lambda a, b, step, span: mixed(ptr, *numbers, weight, a, b, step, span, v)
        )

    def rows_of(self, v: Floats, first: int, last: int) -> Floats:
        """The backed-up values of the rows of states first ≤ s < last."""
        ptr = self.mdp.pair_ptr
        q = np.empty(int(ptr[last]) - int(ptr[first]))
        self.kernels.row_backup(ptr, *self._rows, v, first, last, q)
        return q

    def listed(self, rows: NDArray[Any], v: Floats) -> Floats:
        """The backed-up values of the rows in a list."""
        q, step = np.empty(len(rows)), 1 << 16
        for i in range(0, len(rows), step):
            self.kernels.listed_backup(*self._rows, rows[i : i + step], v, q[i : i + step])
            if self.run is not None:
                self.run.breathe()
        return q

    def not_worse(self, v: Floats, least: Floats) -> NDArray[np.bool_]:
        """Mark the rows (L,) whose backed-up value is at least `least` (S,) of their state."""
        ptr, keep = self.mdp.pair_ptr, np.empty(self.mdp.L, dtype=bool)
        for first, last in self.blocks:
            counts = np.diff(ptr[first : last + 1])
            keep[ptr[first] : ptr[last]] = self.rows_of(v, first, last) >= np.repeat(
                least[first:last], counts
            )
        return keep

    def _in_turn(self, forward: bool, call: Callable[[int, int, int, Floats], Any]) -> tuple[float, float]:
        order = range(len(self.blocks))
        for block in order if forward else reversed(order):
            first, last = self.blocks[block]
            self.spans[block][:] = math.inf, -math.inf
            if forward:
                call(first, last, 1, self.spans[block])
            else:
                call(last - 1, first - 1, -1, self.spans[block])
            if self.run is not None:
                self.run.breathe()
        return self._span()


def check_finite(mdp: MDP, v: Floats, when: str) -> None:
    """Raise NumericalError naming the first state whose value is not finite."""
    bad = np.flatnonzero(~np.isfinite(v))
    if bad.size:
        s = int(bad[0])
        raise NumericalError(
            f"overflow at state {quoted(mdp.states[s])} {when}: found {float(v[s])}, expected a finite value. "
            "Scale the rewards down."
        )
