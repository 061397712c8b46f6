"""Sweeps over a model: kernels called block by block, on one or several threads.

States are cut into blocks of about the same number of outcomes, so that a block takes well under a fifth of a second
and a signal is heard between two of them. Synchronous sweeps may share the blocks among threads: each block writes
its own states and its own span, so the bits are the same for any number of threads.

A Sweeper is all that touches the rows of a model while it is solved: docs/sweepers.md says how to put another storage
or another engine in its place.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NumericalError, quoted
from tabular_rl.kernels._plain import SMALL, kernels
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import down
from tabular_rl.model.rows import Floats, places
from tabular_rl.solving.flow import Flow
from tabular_rl.solving.run import Run
from tabular_rl.solving.sharing import LONG, Shared, dense_rows, shared

OUTCOMES_OF_A_BLOCK = 1 << 20
FEW = 64  # outcomes that lists hold as quickly as arrays
WIDTHS = (4, 6, 8, 10, 12, 16)  # of rows that are read at one width; each is compiled when it is first met
MOST_CARRIED, FAST = 50, 0.25  # sweeps that carry better values back; of a gain, from sweep to sweep
EVEN = 0.85  # of the widest row, on average: ends of rows that differ less cost no more than what is read beside them


class Backup(NamedTuple):
    """What one sweep from v (S,) says: q (L,) of all rows, best (S,) = T v with its rows, the span of T v - v.

    Where rows were left out, which are proven worse, their q is -inf, and `spare` is finite: they are proven worse at
    values w too while γ span(w - v) ≤ spare.
    """

    v: Floats
    q: Floats
    best: Floats
    chosen: NDArray[Any]
    low: float
    high: float
    spare: float = math.inf


class Sweeper:
    """All that is asked of the rows of one model, and sums over its states, in the sign of maximisation.

    Parameters
    ----------
    mdp : the model
    run : whose clock is looked at between blocks; None for none
    threads : that synchronous sweeps share
    """

    def __init__(self, mdp: MDP, run: Run | None = None, threads: int = 1) -> None:
        self.mdp, self.run, self.threads = mdp, run, threads
        # No index is negative; read as unsigned, a kernel need not look whether one is: 1.2 times faster.
        unsigned = mdp.next_state.view(np.uint32 if mdp.next_state.dtype == np.int32 else np.uint64)
        self.rows: tuple[Any, ...] = mdp.row_ptr, unsigned, mdp.prob, mdp.r, mdp.gamma, mdp.sign
        self.pair_ptr, self.width = mdp.pair_ptr, _width(mdp)
        self._of: Any = None  # the rows that `_tuple` is made of
        self._tuple: tuple[Any, ...] = ()
        cuts = max(1, min(mdp.S, mdp.K // OUTCOMES_OF_A_BLOCK))
        if threads > 1:
            cuts = max(cuts, min(4 * threads, mdp.S, mdp.K // 4096 + 1))
        self.blocks = [(0, mdp.S)] if cuts == 1 else _blocks(mdp, cuts)
        self.spans = [np.empty(2) for _ in self.blocks]
        self.last: Backup | None = None
        self._known: tuple[Floats | None, tuple[float, float]] = None, (0.0, 0.0)
        self.shared: Shared | None = None
        self.dense: Shared | None = None
        self.flows: dict[int, Flow] = {}  # of the models of a run, by their id
        self.pool: Any = None
        if threads > 1 and len(self.blocks) > 1:
            from concurrent.futures import ThreadPoolExecutor

            self.pool = ThreadPoolExecutor(threads)

    def of(self, mdp: MDP) -> Sweeper:
        """Return one more sweeper of this kind, for a model that was made of this one or for the same."""
        other = type(self)(mdp, self.run, self.threads)
        other.flows = self.flows
        return other

    @property
    def flow(self) -> Flow:
        """The order in which value flows, which sweepers that were made of each other share."""
        if id(self.mdp) not in self.flows:
            self.flows[id(self.mdp)] = Flow(self.mdp)
        return self.flows[id(self.mdp)]

    def with_rewards(self, r: Floats) -> Sweeper:
        """Return a sweeper over the same rows with other rewards (L,), in the sign of maximisation, and γ = 1."""
        other = copy.copy(self)
        r.setflags(write=False)
        other.rows = *self.rows[:3], r, 1.0, 1.0
        other.spans = [np.empty(2) for _ in self.blocks]
        other.last = None
        return other

    def raised(self, shift: float) -> Sweeper:
        """Return a sweeper over the same rows with rewards r + shift, in the sign of maximisation, and γ = 1."""
        return self.with_rewards(self.rows[5] * self.rows[3] + shift)

    def over(self, listed: NDArray[Any]) -> Sweeper:
        """Return a sweeper over the rows in a rising list alone, copied side by side; it counts rows along the list."""
        other, (row_ptr, to, prob, r, *rest) = copy.copy(self), self.rows
        K = int((row_ptr[listed + 1] - row_ptr[listed]).sum(dtype=np.int64))
        made = (
            np.empty(len(listed) + 1, row_ptr.dtype),
            np.empty(K, to.dtype),
            np.empty(K),
            np.empty(len(listed)),
        )
        self.kernels.copy_rows(listed, row_ptr, to, prob, r, *made)
        other.rows = *made, *rest
        other.pair_ptr = np.searchsorted(listed, self.pair_ptr).astype(self.pair_ptr.dtype)
        other.shared = other.dense = None
        other.spans = [np.empty(2) for _ in self.blocks]
        other.last = None
        return other

    @property
    def kinds(self) -> Shared | None:
        """What outcomes are added up beforehand, where that is known to pay."""
        return self.shared or self.dense

    def share(self) -> Shared | None:
        """Look which rows have their outcomes in common: sweeps then add those up once. None where too few have."""
        if self.shared is None:
            self.shared = shared(self.mdp, self.rows[1])
        return self.shared

    def runs(self) -> NDArray[Any]:
        """The first next state of each row where its next states follow each other, else -1.

        Where all rows do so and are long, `backup` adds up four at a time from then on.
        """
        run = self.mdp.runs
        if self.mdp.K > max(SMALL, LONG * len(run)) and run.min() >= 0:
            self.dense = dense_rows(self.rows, run, self.mdp.S)
        return run

    def close(self) -> None:
        """Let the threads go, and what was backed up last."""
        self.last = None
        if self.pool is not None:
            self.pool.shutdown(wait=False)

    def check_stop(self) -> None:
        """Raise Stop when the run must end."""
        if self.run is not None:
            self.run.check_stop()

    # -- backups ------------------------------------------------------------------------------------------------

    @property
    def _read(self) -> tuple[Any, ...]:
        """The rows as the kernels of backups read them: one tuple, so that what is made of it can be kept."""
        if self._of is not self.rows:
            self._of, self._tuple = self.rows, (*self.rows, self.width)
        return self._tuple

    @property
    def _few(self) -> bool:
        """Whether an array is compared sooner than a kernel is called that may be interpreted."""
        return 0 < self.mdp.K <= FEW and self.pair_ptr is self.mdp.pair_ptr

    @property
    def kernels(self) -> Any:
        """The kernels, compiled where the model is large or Numba is loaded."""
        return kernels("bellman", self.mdp.K, self.mdp.L)

    def optimal(
        self, v: Floats, out: Floats, chosen: NDArray[Any], forward: bool = True
    ) -> tuple[float, float]:
        """out ← T v with the greedy rows; return min and max of T v - v over states with actions.

        Where `out` is v itself, states are backed up in turn, in one direction or the other, and each new value is
        used at once (Gauss-Seidel). So it is in `policy`.
        """
        backup, ptr, rows = self.kernels.optimal_backup, self.pair_ptr, self._read
        return self.each(lambda *block: backup(ptr, rows, v, *block, chosen, out), out is v, forward)

    def knows(self, v: Floats) -> bool:
        """Whether the last backup was from values v (S,)."""
        return self.last is not None and (self.last.v is v or np.array_equal(self.last.v, v))

    def best_paid(self, chosen: NDArray[Any]) -> None:
        """chosen ← the rows that `optimal` finds where v is 0, for which no outcome need be read."""
        self.kernels.best_paid(self.pair_ptr, self.rows[3], self.rows[5], chosen)

    def backup(self, v: Floats) -> Backup:
        """Sweep once from v (S,), and keep all that it says: what is asked of the same values next costs no sweep."""
        if self.last is not None and self.knows(v):
            return self.last
        S, rows, ptr, full, seen = self.mdp.S, self._read, self.pair_ptr, self.kernels.full_backup, v
        q, best, chosen = np.empty(len(rows[3])), np.empty(S), np.empty(S, dtype=ptr.dtype)
        kinds = self.kinds
        if kinds is not None:
            rows, seen = (*kinds.rows(rows[:6]), ()), kinds.seen(self, v)

        def one(first: int, last: int, _step: int, span: Floats) -> None:
            full(ptr, rows, seen, first, last, span, q, chosen, best)

        low, high = self.each(one, False, True)
        self.last = Backup(v if v is self._known[0] else v.copy(), q, best, chosen, low, high)
        for array in (q, best, chosen):
            array.setflags(write=False)
        return self.last

    def carry_back(
        self,
        v: Floats,
        chosen: NDArray[Any],
        noise: float,
        sweeps: int,
        ends: NDArray[np.bool_] | None = None,
    ) -> bool:
        """Carry better values back, in place and in the order in which value flows, until none gains more than noise.

        Where the largest gain falls fast from sweep to sweep, that goes on: it costs less than one more chain.

        Parameters
        ----------
        v : (S,) the values of the chosen rows; changed in place
        chosen : (S,) rows, exchanged where a state gains
        noise : what is no gain
        sweeps : at most, where gains do not fall fast
        ends : (S,) states that are left as they are; None for none

        Returns
        -------
        Whether none gained more than twice the noise in the end.
        """
        carry, order = kernels("flow", self.mdp.K).carry_back, self.flow.order
        if ends is not None:
            order = order[~ends[order]]
        gain = math.inf
        for sweep in range(MOST_CARRIED):
            before, gain = gain, carry(order, self.pair_ptr, self.rows, noise, v, chosen)
            self.check_stop()
            if not gain > 2 * noise:
                return True
            if sweep + 1 >= sweeps and gain > FAST * before:
                break
        return False

    def policy(self, policy: Policy, v: Floats, out: Floats, forward: bool = True) -> tuple[float, float]:
        """out ← T_π v; return min and max of T_π v - v over states with actions."""
        rows = self._read
        if policy.rows is not None:
            backup, chosen = self.kernels.chosen_backup, policy.rows
            return self.each(lambda *block: backup(rows, chosen, v, *block, out), out is v, forward)
        backup, ptr, weight = self.kernels.mixed_backup, self.mdp.pair_ptr, policy.probs
        return self.each(lambda *block: backup(ptr, rows, weight, v, *block, out), out is v, forward)

    def each(
        self, call: Callable[..., Any], in_place: bool = False, forward: bool = True
    ) -> tuple[float, float]:
        """Call for the states of each block (first, last, step) and its span; return the span of all."""
        # Backward, a processor fetches less ahead: up to four times as long.
        forward = forward or not in_place
        if len(self.blocks) == 1:
            (first, last), span = self.blocks[0], self.spans[0]
            span[0], span[1] = math.inf, -math.inf
            call(*((first, last, 1) if forward else (last - 1, first - 1, -1)), span)
            self.check_stop()
            return ends(*span.tolist())

        def one(block: int) -> None:
            (first, last), span = self.blocks[block], self.spans[block]
            span[:] = math.inf, -math.inf
            call(*((first, last, 1) if forward else (last - 1, first - 1, -1)), span)

        order = range(len(self.blocks))[:: 1 if forward else -1]
        if self.pool is not None and not in_place:
            for _ in self.pool.map(one, order):
                pass
            self.check_stop()
        else:
            for block in order:
                one(block)
                self.check_stop()
        if any(math.isnan(x[0]) or math.isnan(x[1]) for x in self.spans):
            return math.nan, math.nan
        return ends(min(float(x[0]) for x in self.spans), max(float(x[1]) for x in self.spans))

    def rows_of(self, v: Floats, first: int, last: int) -> Floats:
        """The backed-up values of the rows of states first ≤ s < last."""
        ptr = self.pair_ptr
        q = np.empty(int(ptr[last]) - int(ptr[first]))
        self.kernels.row_backup(ptr, self._read, v, first, last, q)
        return q

    def step_up(self, u: Floats, error: float, own: Floats, q: Floats, upper: Floats) -> None:
        """q ← r + γ P u + E of all rows (L,), and upper ← the largest of each state (S,), rounded up.

        Parameters
        ----------
        u : (S,) the values that rows are backed up from
        error, own : E of all rows; or own (L,) of each, where that is not empty
        q, upper : (L,) and (S,), which are filled
        """
        step_up, ptr, rows = kernels("bounds", self.mdp.K, self.mdp.L).step_up, self.pair_ptr, self._read
        self.each(lambda first, last, _step, _span: step_up(ptr, rows, u, first, last, error, own, q, upper))

    def lift(
        self, order: NDArray[Any], span: tuple[Any, Any], side: int, closing: tuple[Any, ...], u: Floats
    ) -> int:
        """u(s) ← the most that one of its rows can be worth, where that is more, in turn; return how many rose.

        Parameters
        ----------
        order : (S,) the states
        span : (S,) and (S,): the first row of each state that counts, and the one after the last
        side : -1 turns the signs of rewards, and so makes lower bounds -u
        closing : rows (L,) that earn nothing, E of all rows, what no u(s) exceeds, and states (S,) that are left
        u : (S,) changed in place
        """
        lift = kernels("bounds", self.mdp.K, self.mdp.L).lift
        unpaid, error, most, held = closing
        rose: int = lift(order, *span, self._sided(side), unpaid, error, most, held, u)
        self.check_stop()
        return rose

    def exceeding(
        self, span: tuple[Any, Any], side: int, closing: tuple[Any, ...], u: Floats, q: Floats, out: Floats
    ) -> int:
        """out(s) ← the most that one of its rows can be worth, q that of each; return how many exceed u(s).

        Parameters
        ----------
        span, side, closing, u : as in `lift`
        q, out : (L,), or an empty one for none, and (S,), which are filled
        """
        close = kernels("bounds", self.mdp.K, self.mdp.L).close
        unpaid, error, most, _ = closing
        left: int = close(*span, self._sided(side), unpaid, error, most, u, q, out)
        self.check_stop()
        return left

    def _sided(self, side: int) -> tuple[Any, ...]:
        """The rows with rewards in the sign of maximisation, or against it (-1)."""
        *rows, sign, width = self._read
        return (*rows, side * sign, width)

    def changes(self, v: Floats) -> tuple[Floats, Floats]:
        """r + γ Σ p (v(s') - v(s)) of all rows (L,), and γ Σ p |v(s') - v(s)|, of which it is rounded by some ulps."""
        change, met = np.empty(len(self.rows[3])), np.empty(len(self.rows[3]))
        for first, last in self.blocks:
            self.kernels.row_changes(self.pair_ptr, self._read, v, first, last, change, met)
            self.check_stop()
        return change, met

    def listed(self, rows: NDArray[Any], v: Floats) -> Floats:
        """The backed-up values of the rows in a list."""
        if self.last is not None and self.knows(v):
            return np.asarray(self.last.q[rows])
        q, step = np.empty(len(rows)), 1 << 16
        for i in range(0, len(rows), step):
            self.kernels.listed_backup(self._read, rows[i : i + step], v, q[i : i + step])
            self.check_stop()
        return q

    def not_worse(self, v: Floats, least: Floats) -> NDArray[np.bool_]:
        """Mark the rows (L,) whose backed-up value is at least `least` (S,) of their state."""
        q = self.backup(v).q
        if self._few:
            return np.asarray(q >= least[self.mdp.pair_state])
        keep = np.empty(len(self.rows[3]), dtype=bool)
        self.kernels.not_below(self.pair_ptr, q, least, keep)
        return keep

    def sole(self, keep: NDArray[np.bool_], chosen: NDArray[Any]) -> NDArray[np.bool_]:
        """Mark the states (S,) of whose rows the chosen one alone is kept (L,), and those without rows."""
        if self._few:
            alone = np.bincount(self.mdp.pair_state[keep], minlength=self.mdp.S) == 1
            return np.asarray((chosen < 0) | (alone & keep[chosen]))
        sole = np.empty(self.mdp.S, dtype=bool)
        self.kernels.sole_rows(self.pair_ptr, keep, chosen, sole)
        return sole

    def decide(
        self,
        v: Floats,
        lower: Floats,
        off: float,
        chosen: NDArray[Any],
        listed: NDArray[Any] | None = None,
        keep: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Mark the rows that are worth at least lower(s) - off, rounded down, and the states where that is one row.

        Parameters
        ----------
        v : (S,) values that rows are backed up from
        lower, off : (S,) what is proven of the best of each state, and a number, in units of reward
        chosen : (S,) the row of each state, -1 where it has none
        listed : where rows of this sweeper are some of another, which of those
        keep : where the rows are marked then, at `listed`; the rest stays

        Returns
        -------
        The mask of rows, and one (S,) of states whose chosen row alone is kept, or that have none.
        """
        q = self.backup(v).q
        if self._few and listed is None:
            near = np.asarray(q >= down(lower - off)[self.mdp.pair_state])
            if keep is not None:
                keep[:] = near
            return near, self.sole(near, chosen)
        keep = np.empty(len(q), dtype=bool) if keep is None else keep
        listed, sole = self.pair_ptr[:0] if listed is None else listed, np.empty(self.mdp.S, dtype=bool)
        decide = kernels("bounds", self.mdp.K, self.mdp.L).decide
        decide(self.pair_ptr, q, lower, off, chosen, listed, keep, sole)
        return keep, sole

    def rewards(self, listed: NDArray[Any] | None = None) -> tuple[float, float]:
        """The least and the largest r(s, a) of the rows in a list, or of all; 0 and 0 where there are none."""
        r, sign = (self.rows[3] if listed is None else self.rows[3][listed]), self.rows[5]
        low, high = sorted((sign * float(r.min()), sign * float(r.max()))) if r.size else (0.0, 0.0)
        return low, high

    def policy_system(self, policy: Policy, dense: bool = False) -> tuple[Any, Floats]:
        """Return the chain of a policy: P_π (S, S), and r_π (S,) in the sign of maximisation.

        P_π is a csr_array, or with `dense` a plain array, which needs no import.
        """
        mdp, rows = self.mdp, self.rows
        r = rows[5] * rows[3]
        if dense:
            return self._dense_system(policy, r)
        from scipy.sparse import csr_array

        live = np.flatnonzero(~mdp.terminal)
        pointer = np.int32 if max(mdp.K, mdp.L) < 2**31 else np.int64
        if policy.rows is not None:
            columns, weights = policy.rows[live].astype(pointer), np.ones(len(live))
            per_state = (~mdp.terminal).astype(pointer)
        else:
            columns, weights = np.arange(mdp.L, dtype=pointer), np.asarray(policy.weights)
            per_state = np.diff(mdp.pair_ptr)
        ptr = np.concatenate([[0], np.cumsum(per_state)]).astype(pointer)
        choose: Any = csr_array((weights, columns, ptr), shape=(mdp.S, mdp.L))
        P_pi = csr_array(choose @ mdp.P)
        P_pi.sum_duplicates()
        return P_pi, choose @ r

    def _dense_system(self, policy: Policy, r: Floats) -> tuple[Floats, Floats]:
        """P_π (S, S) and r_π (S,) of a policy, by sums in the order of storage."""
        mdp, S = self.mdp, self.mdp.S
        if policy.rows is None:
            row, weights, states = mdp.outcome_row, policy.weights, mdp.pair_state
            place = states[row] * np.int64(S) + mdp.next_state
            full: Any = np.bincount(place, weights[row] * mdp.prob, S * S)
            r_pi: Any = np.bincount(states, weights * r, S)
            return full.reshape(S, S), r_pi
        if mdp.K <= FEW:
            return self._listed_system(policy.rows, r)
        live = policy.rows >= 0
        state, rows = live.nonzero()[0], policy.rows[live]
        first = mdp.row_ptr[rows].astype(np.int64)
        counts = mdp.row_ptr[rows + 1] - first
        k = places(first, counts)
        full = np.bincount((state * S).repeat(counts) + mdp.next_state[k], mdp.prob[k], S * S)
        r_pi = np.zeros(S)
        r_pi[state] = r[rows]
        return full.reshape(S, S), r_pi

    def _listed_system(self, rows: NDArray[Any], r: Floats) -> tuple[Floats, Floats]:
        """The same of the rows (S,) of a model so small that arrays would take longer than lists."""
        mdp, S = self.mdp, self.mdp.S
        ptr, to, prob, rewards = mdp.row_ptr.tolist(), mdp.next_state.tolist(), mdp.prob.tolist(), r.tolist()
        full, r_pi = [0.0] * (S * S), [0.0] * S
        for s, i in enumerate(rows.tolist()):
            if i >= 0:
                r_pi[s] = rewards[i]
                for k in range(ptr[i], ptr[i + 1]):
                    full[s * S + to[k]] += prob[k]
        return np.array(full).reshape(S, S), np.array(r_pi)

    def inequalities(self) -> tuple[Any, Floats]:
        """Return the programme of v*: A (L, S), sparse, and r (L,), of which v ≥ r + γ P v says that A v ≤ -r."""
        from scipy.sparse import csr_array

        mdp = self.mdp
        state: Any = csr_array((np.ones(mdp.L), mdp.pair_state, np.arange(mdp.L + 1)), shape=(mdp.L, mdp.S))
        return csr_array(self.rows[4] * mdp.P - state), self.rows[5] * self.rows[3]

    # -- over states --------------------------------------------------------------------------------------------

    def norm(self, v: Floats) -> float:
        """max |v(s)|, 0 where there are no states; NaN goes through."""
        low, high = self.extent(v)
        return max(high, -low, 0.0)

    def extent(self, v: Floats) -> tuple[float, float]:
        """The least and the largest v(s), 0 and 0 where there are no states; NaN goes through, to both."""
        if v is self._known[0]:
            return self._known[1]
        if not v.size:
            return 0.0, 0.0
        # np.max would look twice at a small v.
        return float(np.minimum.reduce(v)), float(np.maximum.reduce(v))

    def keep(self, v: Floats, extent: tuple[float, float]) -> Floats:
        """Make v read-only, and remember its least and its largest value."""
        v.setflags(write=False)
        self._known = v, extent
        return v

    def span(self, x: Floats) -> tuple[float, float]:
        """The least and the largest x(s) of states with actions, 0 and 0 where there are none; NaN goes through."""
        live = x[~self.mdp.terminal]
        return (float(live.min()), float(live.max())) if live.size else (0.0, 0.0)

    def all_finite(self, v: Floats) -> bool:
        """True where no v(s) is infinite or NaN."""
        return math.isfinite(self.norm(v))

    def check_finite(self, v: Floats, when: str) -> None:
        """Raise NumericalError naming the first state whose value is not finite."""
        if not self.all_finite(v):
            s = int(np.flatnonzero(~np.isfinite(v))[0])
            raise NumericalError(
                f"overflow at state {quoted(self.mdp.states[s])} {when}: found {float(v[s])}, expected a finite "
                "value. Scale the rewards down."
            )


def _width(mdp: MDP) -> tuple[int, ...]:
    """A tuple of as many places as are read of each row where lengths differ; else an empty one."""
    if mdp.K <= SMALL:
        return ()
    longest = mdp.facts.longest_row
    uneven = longest >= WIDTHS[0] and longest * mdp.L * EVEN > mdp.K > longest * mdp.L / 3
    return (0,) * next((x for x in WIDTHS if uneven and x >= longest), 0)


def _blocks(mdp: MDP, cuts: int) -> list[tuple[int, int]]:
    """The states of each block: of about as many outcomes, at most `cuts` blocks."""
    wanted = np.linspace(0, mdp.K, cuts + 1)[1:-1]
    inner = np.searchsorted(mdp.row_ptr, wanted) if mdp.L else np.zeros(0, dtype=np.int64)
    states = np.searchsorted(mdp.pair_ptr, inner)
    return list(pairwise(np.unique(np.concatenate([[0], states, [mdp.S]])).tolist()))


def ends(low: float, high: float) -> tuple[float, float]:
    """Return the span of a sweep; NaN on one side is NaN on both, and no state with rows no change."""
    if math.isnan(low) or math.isnan(high):
        return math.nan, math.nan
    return (0.0, 0.0) if low == math.inf else (low, high)
