"""A chain solved by elimination, one strongly connected part after the other: x = b + γ P x.

What is found is a place to look for a bound, or a candidate for a policy's values; nothing is claimed of it. Numbers
that say how much leaves a state are sums of positive ones, so that a chain that ends once in 10**15 steps is solved as
well as any other. Where a part fills in, its last states are swept over, which lead to each other by all that was taken
out between them. Where that is slow, parts are solved as dense ones, or by sweeps from the states nearest to their end.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tabular_rl.kernels._plain import kernels
from tabular_rl.model.graph.search import Mask
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import Floats, Ints, places
from tabular_rl.solving.flow import Flow
from tabular_rl.solving.run import Run
from tabular_rl.solving.sweeps import Sweeper

SMALL = 100  # states up to which the whole chain is solved as one dense part, without an import
STEPS = 1000, 10**8  # before a part counts as one that fills in: a state, or in all if that is more
MOST_STEPS = 10_000  # a state
FIRST = 80  # steps a state before what is left of a part is swept over
EQUAL = 8  # entries of sweeps that are worth a step: to go on takes several times as many steps as were made
CALL = 3000  # entries that a sweep could read while it is called
FULL = 24  # n states that are left take up to n**3 / 3 steps: up to 8 times the steps made, they are not swept over
ROOM = 8, 2_000_000  # entries beside those of the chain: a state, or in all
CROWD = 1000  # neighbours of a state whose row takes long to change
THIN = 50  # steps a state where a chain fills in but little
DENSE = 500  # states of a part up to which a dense elimination takes less than a tenth of a second
ENVELOPE = 1e10  # Σ w² up to which a sparse LU takes a second or two
SWEEPS = 2000  # over a part that fills in
HOPELESS = 8  # times the sweeps that pay: then it does not help to take out some more states
LOOK = 32  # sweeps before their speed is judged
NEAR = 0.05  # the change at which they end, where b is about 1
# Options of SuperLU where no pivoting is needed. Where rows are short, columns one by one take three quarters of the
# time that blocks of them take.
NO_PIVOTS: dict[str, Any] = {
    "permc_spec": "MMD_AT_PLUS_A", "options": {"SymmetricMode": True}, "relax": 1, "panel_size": 1,
}  # fmt: skip
FINE = 2.0**-48  # of |x|: the change at which they end where a solution is wanted up to rounding


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
    if zero.all():  # there may be no row at all
        return np.zeros(len(zero))
    if len(zero) > SMALL and policy.rows is not None:
        if b is None:
            b = sweeper.rows[5] * sweeper.rows[3][np.where(zero, 0, policy.rows)]
        return chain_parts(sweeper.flow, policy.rows, gamma, zero, sweeper.run).solve(b, sweeps)
    if len(zero) > SMALL:
        P_pi, r_pi = sweeper.policy_system(policy)
        chain = Elimination.of_chain(P_pi, gamma, zero, sweeper.run)
        return chain.solve(r_pi if b is None else b, sweeps)
    full, r_pi = sweeper.policy_system(policy, dense=True)
    x, live = np.zeros(len(zero)), np.flatnonzero(~zero)
    n = len(live)
    solve_dense = kernels("elimination", n * n // 2, n**3 // 12).solve_dense
    right = (r_pi if b is None else b)[live]
    leave = gamma * full[np.ix_(live, np.flatnonzero(zero))].sum(axis=1) + max(1.0 - gamma, 0.0)
    if not solve_dense(gamma * full[np.ix_(live, live)], leave, right) or not np.isfinite(right).all():
        return None
    x[live] = right
    return x


def chain_parts(flow: Flow, rows: Ints, gamma: float, zero: Mask, run: Run | None) -> Elimination:
    """Return the parts of the chain of a policy: those that were cut last where they are of the same one.

    Parameters
    ----------
    flow : of the model
    rows : (S,) the rows of the policy; those of states of value 0 are not taken
    gamma : γ
    zero : (S,) states whose value is 0
    run : whose clock is looked at; None for none

    Returns
    -------
    The parts, with the room that they are solved in.
    """
    at, mdp, last = np.where(zero, -1, rows), flow.mdp, flow.last
    if last is None or last[0] != gamma or not np.array_equal(last[1], at):
        # Those of row -1 begin behind all, and end at once.
        chain = mdp.row_ptr[at], mdp.row_ptr[at + 1], mdp.next_state, mdp.prob
        last = flow.last = gamma, at, Elimination(chain, gamma, zero, run, flow.known_order)
    found: Elimination = last[2]
    found.run = run
    return found


def first_rows_are_thin(mdp: MDP) -> bool:
    """Return whether the chain of the first row of each state is eliminated in few steps a state: what others are like.

    Parameters
    ----------
    mdp : the model

    Returns
    -------
    False where it fills in; True also where it never ends, as far as that shows it.
    """
    at = mdp.pair_ptr[:-1]
    chain = mdp.row_ptr[at], mdp.row_ptr[np.minimum(at + 1, mdp.L)], mdp.next_state, mdp.prob
    # The discount only makes it end.
    return Elimination(chain, 0.5, mdp.terminal).solve(np.zeros(mdp.S), 0, THIN) is not None


class Elimination:
    """The parts of a chain, found once.

    Parameters
    ----------
    rows : (begin (S,), end (S,), next states, probabilities): outcomes begin(s) to end(s) are those of s
    gamma : γ
    zero : (S,) states whose value is 0
    run : whose clock is looked at; None for none
    order : (S,) the states, those first that others lead to, as far as is known; None for the order of storage
    """

    def __init__(
        self, rows: tuple[Any, ...], gamma: float, zero: Mask, run: Run | None = None, order: Any = None
    ) -> None:
        from tabular_rl.kernels.elimination import Chain, list_parts
        from tabular_rl.kernels.flow import split

        begin, end, next_state, prob = rows
        self.run, self.use, index = run, ~zero, next_state.dtype
        self.chain = Chain(begin, end, next_state, prob, float(gamma), max(1.0 - gamma, 0.0))
        # States on no circle are told apart in passes, the rest by a search.
        number, into, self.label = np.empty((3, len(zero)), dtype=index)
        if order is None:
            order = np.arange(len(zero) - 1, -1, -1, dtype=index)
        size, early, late = split(order, *rows, self.use, number, into, self.label)
        between = self._search(number, early) if early + late < size else 0
        self.cuts = np.empty(early + between + late + 1, dtype=index)
        self.states = np.empty(size, dtype=index)
        self.largest = int(list_parts(self.label, self.cuts, self.states))
        self._room: tuple[Any, ...] | None = None
        self._rank: Any = None

    def _search(self, number: Any, early: int) -> int:
        """Label the parts of the states that no pass told apart (`number` is -1), from `early` on; return how many."""
        from tabular_rl.kernels.graph import strong_components

        begin, end, next_state, prob, *_ = self.chain
        S, index, rest = len(begin), self.label.dtype, number < 0
        # The rows of states that follow each other: those between them are not in use.
        ptr, use = np.zeros(2 * S + 1, dtype=begin.dtype), np.zeros(2 * S, dtype=bool)
        ptr[:-1:2], ptr[1::2], use[::2] = begin, end, rest
        self.label[~self.use] = 0  # in no part that is still open
        count = strong_components(
            np.arange(0, 2 * S + 1, 2, dtype=index), ptr, next_state, prob, use, number, *np.empty((4, S), dtype=index),
            np.empty(S, dtype=np.int64), self.label,
        )  # fmt: skip
        self.label[~self.use] = -1
        self.label[rest] += early
        return int(count)

    @classmethod
    def of_chain(cls, P: Any, gamma: float, zero: Mask, run: Run | None = None) -> Elimination:
        """The parts of a chain that is given as a csr_array (S, S)."""
        return cls((P.indptr[:-1], P.indptr[1:], P.indices, P.data), gamma, zero, run)

    def solve(self, b: Floats, sweeps: int = SWEEPS, steps: int | None = None) -> Floats | None:
        """Return x (S,) with x = b + γ P x, 0 where it is given as 0; None where that is too much work or fails.

        Parts that take more than `steps` a state (by default as many as pay) are solved otherwise, or not at all where
        there are no sweeps.
        """
        from tabular_rl.kernels.elimination import solve_parts

        x = np.where(self.use, b, 0.0)
        first, last = 0, len(self.cuts) - 1
        most = min(max(STEPS[0], STEPS[1] // self.largest), MOST_STEPS) if steps is None else steps
        while True:
            begun = min(FIRST, most) if steps is None else steps
            first = solve_parts(
                self.chain, self.label, self.states, self.cuts, first, begun, CROWD, *self._work(), x
            )
            if self.run is not None:
                self.run.check_stop()
            if first == last:
                return x if np.isfinite(x).all() else None
            part = self.states[self.cuts[first] : self.cuts[first + 1]]
            if len(part) < 2 or steps is not None:
                return None
            if not self._left_over(part, x, sweeps, begun, most):
                x[part] = b[part]
                if not (
                    self._dense(part, x) or self._factored(part, b, x) or self._swept(part, b, x, sweeps)
                ):
                    return None
            first += 1

    def _left_over(self, part: Any, x: Floats, sweeps: int, begun: int, most: int) -> bool:
        """Solve a part of which states are taken out already: sweep over those that are left, or take out more of them.

        Those that are left lead to each other by all that was between them, so that fewer sweeps suffice.
        """
        from tabular_rl.kernels.elimination import put_back, take_out_more

        entries, heads, taken, (waiting, order, progress) = self._work()
        spent, n, hopeless = begun * len(part), len(part), False
        while progress[4] >= 0:
            left = int(progress[0])
            if left**3 > FULL * spent and not hopeless:
                missing = self._rest(waiting[:left], spent, x, sweeps)
                left, hopeless = left if missing else 0, missing > HOPELESS
            if not left:
                put_back(entries, heads, order, progress[1], x)
                return True
            degree = heads.degree[waiting[:left]].astype(np.float64)
            if spent + float((degree**2).sum()) > most * n:
                return False
            take_out_more(spent, CROWD, entries, heads, taken, waiting, order, progress, x)
            spent *= 2
            if self.run is not None:
                self.run.check_stop()
        return False

    def _rest(self, states: Any, spent: int, x: Floats, sweeps: int) -> float:
        """Sweep over what is left of a part, while that costs no more than to take out more of it; 0 where it suffices.

        Else about how many times as many sweeps would, 1 where there was no time to see it.
        """
        from tabular_rl.kernels.elimination import Chain, list_rows, sweep_part

        entries, heads, taken, _ = self._work()
        n = len(states)
        ptr = np.zeros(n + 1, dtype=np.int64)
        room = int(heads.degree[states].sum()) + n
        column, value = np.empty(room, dtype=self.label.dtype), np.empty(room)
        size = list_rows(entries, heads, taken, states, ptr, column, value)
        most = EQUAL * spent // (size + CALL)
        if most < 4 * LOOK:
            return 1.0
        rest = Chain(ptr[:-1], ptr[1:], column, value, 1.0, 0.0)
        right, y, every = x[states], np.zeros(n + 1), np.arange(n)
        near, before = NEAR, math.inf
        for sweep in range(most):
            worst = sweep_part(rest, every, 0, n, 1, right, y)
            if not sweeps:
                near = FINE * float(np.max(np.abs(y)))
            if not worst > near:
                for _ in range(0 if sweeps else LOOK):  # the last digits
                    sweep_part(rest, every, 0, n, 1, right, y)
                x[states] = y[:n]
                return 0.0 if worst == worst else math.inf
            if sweep % LOOK == LOOK - 1:
                if self.run is not None:
                    self.run.check_stop()
                missing = _missing(worst, near, before, most - sweep)
                if missing > 1:
                    return missing
                before = worst
        return 1.0

    def _work(self) -> tuple[Any, ...]:
        """The room that the elimination works in: entries, heads, marks, and two orders."""
        if self._room is None:
            from tabular_rl.kernels.elimination import Entries, Heads

            chain, index, largest = self.chain, self.label.dtype, self.largest
            # Where each state is a part of its own nothing is linked.
            S, room = (len(self.label) if largest > 1 else 0), 0
            if largest > 1:
                fill = max(ROOM[0] * largest, min(ROOM[1], largest * largest))
                room = int(np.sum(chain.end - chain.begin, where=self.use)) + fill
            # One array of all would lie in large pages, which take long to be touched first.
            row, column, below, beside = (np.empty(room, dtype=index) for _ in range(4))
            head, first, degree, place = np.full((4, S), -1, dtype=index)
            waiting, order = np.empty((2, largest), dtype=index)
            self._room = (
                Entries(row, column, np.empty(room), below, beside),
                Heads(head, first, degree, place, np.empty(S)),
                np.zeros(S, dtype=bool),
                (waiting, order, np.zeros(5, dtype=np.int64)),
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
            span = slice(int(self.chain.begin[s]), int(self.chain.end[s]))
            to = place[self.chain.next_state[span]]
            np.add.at(A[i], to[to >= 0], self.chain.gamma * self.chain.prob[span][to >= 0])
        if not solve_dense(A, leave, right):
            return False
        x[part] = right
        return True

    def _factored(self, part: Any, b: Floats, x: Floats) -> bool:
        """Solve a part by a sparse LU without pivoting; False where its envelope is too large, or that fails."""
        from scipy.sparse import coo_array, eye_array
        from scipy.sparse.linalg import splu

        chain, n, place = self.chain, len(part), np.full(len(x), -1)
        place[part] = np.arange(n)
        size = chain.end[part] - chain.begin[part]
        at = places(chain.begin[part], size)
        row, to, weight = np.repeat(np.arange(n), size), chain.next_state[at], chain.gamma * chain.prob[at]
        inside = place[to] >= 0
        inner = coo_array((weight[inside], (row[inside], place[to[inside]])), shape=(n, n)).tocsr()
        right = b[part] + np.bincount(row[~inside], (weight * x[to])[~inside], minlength=n)
        if float((envelope(inner)[1] ** 2).sum()) > ENVELOPE:
            return False

        def solve() -> Floats:
            A = (eye_array(n) - inner).tocsc()
            factors = splu(A, diag_pivot_thresh=0.0, **NO_PIVOTS)
            found: Floats = factors.solve(right)
            return found + factors.solve(right - A @ found)

        try:
            found = solve() if self.run is None else self.run.call(solve)
        except (RuntimeError, MemoryError):  # SuperLU says singular by the first
            return False
        if not np.isfinite(found).all():
            return False
        x[part] = found
        return True

    def _swept(self, part: Any, b: Floats, x: Floats, sweeps: int) -> bool:
        """Sweep over a part, from the states that are nearest to the end and back, until the changes are small."""
        from tabular_rl.kernels.elimination import sweep_part

        order, n = part[np.argsort(self._ranks()[part], kind="stable")], len(part)
        x[part], near, before = 0.0, NEAR, math.inf
        for sweep in range(sweeps):
            way = (0, n, 1) if sweep % 2 == 0 else (n - 1, -1, -1)
            worst = sweep_part(self.chain, order, *way, b, x)
            if self.run is not None:
                self.run.check_stop()
            if not worst > near:
                return bool(worst == worst)
            if sweep % LOOK == LOOK - 1:
                if _missing(worst, near, before, sweeps - sweep) > 1:
                    return False
                before = worst
        return False

    def _ranks(self) -> Any:
        """The place of each state in a search back from the states of value 0, those that leave the rest first."""
        if self._rank is None:
            from tabular_rl.kernels.graph import count_incoming, fill_incoming, search_backward

            S, index = len(self.use), self.label.dtype
            in_ptr = np.zeros(S + 1, dtype=np.int64)
            state = np.repeat(
                np.arange(S, dtype=index), np.where(self.use, self.chain.end - self.chain.begin, 0)
            )
            first = np.concatenate([[0], np.cumsum(np.bincount(state, minlength=S))])
            at = np.arange(len(state)) - first[state] + self.chain.begin[state]
            to, weight = self.chain.next_state[at], self.chain.prob[at]
            ptr = first.astype(index)
            count_incoming(ptr, to, weight, self.use, in_ptr)
            in_row = np.empty(int(in_ptr[-1]), dtype=index)
            fill_incoming(ptr, to, weight, self.use, in_ptr[:-1].copy(), in_row)
            queue, via, found = np.zeros(S, dtype=index), np.full(S, -1, dtype=index), ~self.use
            search_backward(in_ptr, in_row, np.arange(S, dtype=index), self.use, queue, via, found)
            self._rank = np.full(S, S, dtype=np.int64)
            size = int(found.sum())
            self._rank[queue[:size]] = np.arange(size)
        return self._rank


def _missing(worst: float, near: float, before: float, sweeps: int) -> float:
    """How many times so many sweeps are needed at the speed of the last LOOK; 0 at first, which tells little of it."""
    if before == math.inf:
        return 0.0
    return (
        math.inf if worst >= before else math.log(worst / near) * LOOK / (math.log(before / worst) * sweeps)
    )


def envelope(A: Any) -> tuple[Any, Floats]:
    """Return the reverse Cuthill-McKee order of a csr_array (n, n), and how far each row reaches to the left in it.

    The sum of the reaches is more than the entries of a factor, that of their squares more than what it costs.
    """
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    n = A.shape[0]
    order = reverse_cuthill_mckee(A, symmetric_mode=False) if n else np.zeros(0, dtype=np.int64)
    place, reach = np.empty(n, dtype=np.int64), np.zeros(n)
    place[order] = np.arange(n)
    rows, columns = np.repeat(place, np.diff(A.indptr)), place[A.indices]
    np.maximum.at(reach, np.maximum(rows, columns), np.abs(rows - columns).astype(np.float64))
    return order, reach
