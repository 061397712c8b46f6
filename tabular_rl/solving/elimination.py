"""A chain solved by elimination, one strongly connected part after the other: x = b + γ P x.

What is found is a place to look for a bound, or a candidate for a policy's values; nothing is claimed of it. Numbers
that say how much leaves a state are sums of positive ones, so that a chain that ends once in 10**15 steps is solved as
well as any other. Parts that fill in are solved as dense ones, or by sweeps from the states nearest to their end.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tabular_rl.model.graph.search import Mask
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import Floats
from tabular_rl.solving.run import Run
from tabular_rl.solving.sweeps import Sweeper

SMALL = 100  # states up to which the whole chain is solved as one dense part, without an import
STEPS = 1000, 10**8  # before a part counts as one that fills in: a state, or in all if that is more
MOST_STEPS = 10_000  # a state
ROOM = 8, 2_000_000  # entries beside those of the chain: a state, or in all
DENSE = 500  # states of a part up to which a dense elimination takes less than a tenth of a second
SWEEPS = 2000  # over a part that fills in
LOOK = 32  # sweeps before their speed is judged
NEAR = 0.05  # of |b|: the change at which they end


def chain_solution(
    sweeper: Sweeper, policy: Policy, zero: Mask, b: Floats | None = None, sweeps: int = SWEEPS
) -> Floats | None:
    """Return x (S,) with x = b + γ P_π x and x = 0 where `zero`; None where that is too much work or fails.

    Parameters
    ----------
    sweeper : of the model, whose clock is looked at
    policy : π, whose rows are not taken in the states `zero`
    zero : (S,) marks the states whose value is 0
    b : (S,) the right-hand side; None for r_π of the sweeper
    sweeps : over a part that fills in, to a few per cent of b; 0 for a solution up to rounding, or None

    Returns
    -------
    x (S,), of which nothing is claimed.
    """
    gamma = float(sweeper.rows[4])
    if len(zero) > SMALL:
        P_pi, r_pi = sweeper.policy_system(policy)
        return Elimination(P_pi, gamma, zero, sweeper.run).solve(r_pi if b is None else b, sweeps)
    from tabular_rl.kernels.elimination import solve_dense

    full, r_pi = sweeper.policy_system(policy, dense=True)
    x, live = np.zeros(len(zero)), np.flatnonzero(~zero)
    right = (r_pi if b is None else b)[live]
    leave = gamma * full[np.ix_(live, np.flatnonzero(zero))].sum(axis=1) + max(1.0 - gamma, 0.0)
    if not solve_dense(gamma * full[np.ix_(live, live)], leave, right) or not np.isfinite(right).all():
        return None
    x[live] = right
    return x


class Elimination:
    """The parts of a chain P (S, S), a csr_array, found once; rows of the states in `zero` (S,) do not count.

    Parameters
    ----------
    P : (S, S) the chain
    gamma : γ
    zero : (S,) states whose value is 0; None for none
    run : whose clock is looked at; None for none
    """

    def __init__(self, P: Any, gamma: float = 1.0, zero: Any = None, run: Run | None = None) -> None:
        from tabular_rl.kernels.elimination import Chain
        from tabular_rl.kernels.graph import strong_components

        S, self.run = P.shape[0], run
        index = np.int32 if max(S, P.nnz) < 2**31 else np.int64
        self.ptr, self.next_state = P.indptr.astype(index), P.indices.astype(index)
        self.chain = Chain(self.ptr, self.next_state, P.data, float(gamma), max(1.0 - gamma, 0.0))
        use = np.ones(S, dtype=bool) if zero is None else ~np.asarray(zero)
        number, label = np.full(S, -1, dtype=index), np.full(S, -1, dtype=index)
        work = [np.empty(S, dtype=index) for _ in range(4)]
        strong_components(
            np.arange(S + 1, dtype=index), self.ptr, self.next_state, P.data, use, number, work[0], work[1],
            work[2], work[3], np.empty(S, dtype=np.int64), label,
        )  # fmt: skip
        self.use = use
        label[~use] = -1
        self.label = label
        free = np.flatnonzero(use).astype(index)
        self.states = free[np.argsort(label[free], kind="stable")]
        cuts = np.flatnonzero(np.diff(label[self.states], prepend=-2))
        self.cuts = np.append(cuts, len(free)).astype(index)
        self._room: tuple[Any, ...] | None = None
        self._rank: Any = None

    def solve(self, b: Floats, sweeps: int = SWEEPS) -> Floats | None:
        """Return x (S,) with x = b + γ P x, 0 where it is given as 0; None where that is too much work or fails."""
        from tabular_rl.kernels.elimination import solve_parts

        x = np.where(self.use, b, 0.0)
        first, last = 0, len(self.cuts) - 1
        largest = int(np.max(np.diff(self.cuts), initial=1))
        steps = min(max(STEPS[0], STEPS[1] // largest), MOST_STEPS)
        while True:
            first = solve_parts(
                self.chain, self.label, self.states, self.cuts, first, steps, *self._work(), x
            )
            if self.run is not None:
                self.run.check_stop()
            if first == last:
                return x if np.isfinite(x).all() else None
            part = self.states[self.cuts[first] : self.cuts[first + 1]]
            x[part] = b[part]
            if len(part) == 1 or not (self._dense(part, x) or self._swept(part, b, x, sweeps)):
                return None
            first += 1

    def _work(self) -> tuple[Any, ...]:
        """The room that the elimination works in: entries, heads, marks, and two orders."""
        if self._room is None:
            from tabular_rl.kernels.elimination import Entries, Heads

            S, index = len(self.label), self.ptr.dtype
            largest = int(np.max(np.diff(self.cuts), initial=1))
            fill = max(ROOM[0] * largest, min(ROOM[1], largest * largest))
            room = 0 if largest == 1 else len(self.next_state) + fill
            entries = [np.empty(room, dtype=index) for _ in range(4)]
            heads = [np.full(S, -1, dtype=index) for _ in range(4)]
            order = np.empty(largest, dtype=index), np.empty(largest, dtype=index)
            self._room = (
                Entries(entries[0], entries[1], np.empty(room), entries[2], entries[3]),
                Heads(heads[0], heads[1], heads[2], heads[3], np.empty(S)),
                np.zeros(S, dtype=bool),
                order,
            )
        return self._room

    def _dense(self, part: Any, x: Floats) -> bool:
        """Solve a part of few states, from b in x; False where there are too many, or some never leave."""
        from tabular_rl.kernels.elimination import look_outside, solve_dense

        n = len(part)
        if n > DENSE:
            return False
        A, leave, right = np.zeros((n, n)), np.empty(n), np.empty(n)
        place = np.full(len(x), -1)
        place[part] = np.arange(n)
        for i, s in enumerate(part.tolist()):
            met, leave[i] = look_outside(self.chain, self.label, s, x)
            right[i] = x[s] + met
            span = slice(int(self.ptr[s]), int(self.ptr[s + 1]))
            to = place[self.next_state[span]]
            A[i, to[to >= 0]] = self.chain.gamma * self.chain.prob[span][to >= 0]
        if not solve_dense(A, leave, right):
            return False
        x[part] = right
        return True

    def _swept(self, part: Any, b: Floats, x: Floats, sweeps: int) -> bool:
        """Sweep over a part, from the states that are nearest to the end and back, until the changes are small."""
        from tabular_rl.kernels.elimination import sweep_part

        order, n = part[np.argsort(self._ranks()[part], kind="stable")], len(part)
        near = max(NEAR * float(np.max(np.abs(b[part]), initial=0.0)), 1e-300)
        x[part], before = 0.0, math.inf
        for sweep in range(sweeps):
            way = (0, n, 1) if sweep % 2 == 0 else (n - 1, -1, -1)
            worst = sweep_part(self.chain, order, *way, b, x)
            if self.run is not None:
                self.run.check_stop()
            if not worst > near:
                return bool(worst == worst)
            if sweep % LOOK == LOOK - 1:
                # So many more at this speed; the first ones tell little of it.
                slow = math.log(worst / near) > math.log(before / worst) * (sweeps - sweep) / LOOK
                if before < math.inf and (worst >= before or slow):
                    return False
                before = worst
        return False

    def _ranks(self) -> Any:
        """The place of each state in a search back from the states of value 0, those that leave the rest first."""
        if self._rank is None:
            from tabular_rl.kernels.graph import count_incoming, fill_incoming, search_backward

            S, index = len(self.use), self.ptr.dtype
            edges = self.ptr, self.next_state, self.chain.prob
            in_ptr = np.zeros(S + 1, dtype=np.int64)
            count_incoming(*edges, self.use, in_ptr)
            in_row = np.empty(int(in_ptr[-1]), dtype=index)
            fill_incoming(*edges, self.use, in_ptr[:-1].copy(), in_row)
            queue, via, found = np.zeros(S, dtype=index), np.full(S, -1, dtype=index), ~self.use
            search_backward(in_ptr, in_row, np.arange(S, dtype=index), self.use, queue, via, found)
            self._rank = np.full(S, S, dtype=np.int64)
            size = int(found.sum())
            self._rank[queue[:size]] = np.arange(size)
        return self._rank
