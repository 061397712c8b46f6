"""The rows that can still be the best of their state: sweeps of their policy, and samples of what would be kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tabular_rl.certificates.kept_rows import NearRows
from tabular_rl.model.rows import Floats
from tabular_rl.solving.sharing import Shared
from tabular_rl.solving.sweeps import Sweeper, ends

WIDTHS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16)  # of copies; each is compiled when it is first met
SHARE = 0.35  # of all rows: more copies than that take more memory than half of the model
SPARE_BYTES = 200 << 20  # that a search may take beside half of the model's outcomes
SAMPLE = 500  # states, from which is predicted what would be kept
BEFORE_PACKING = 8  # sweeps of a policy: to copy its rows spares as much in about as many
SOON = 2  # the same where many are to come
TINY = 1e-200  # a step of codes that is not below it can be divided by
COARSE = 1 << 18  # states from which values leave a processor's cache, and codes of one or two bytes do not
STEPS = 255  # from the least to the largest code of a change
FINE_STEPS = 65535  # the same of values
FINE = 0.01  # of a span of changes: so large may such a step be


class Sample(NamedTuple):
    """Some states backed up: T v - v, and the gaps max q - q of their rows."""

    changes: Floats
    gaps: Floats


class Kinds:
    """Kinds of rows that have their outcomes in common, backed up once for all of them by a search kernel."""

    def __init__(self, sweeper: Sweeper, shared: Shared) -> None:
        from tabular_rl.kernels import long_rows, search_kept_rows

        self.backup, self.S, n = search_kept_rows.kept_policy_backup, sweeper.mdp.S, shared.size
        ptr, to = shared.kinds[:2]
        run, each = shared.run, np.arange(n, dtype=sweeper.pair_ptr.dtype)
        if run is None:
            run = np.empty(n, dtype=np.int64)
            long_rows.first_of_runs(ptr, to, run)
        none = np.empty(0, dtype=to.dtype), np.empty(0), np.empty(0)
        self.kinds, self.each = (*shared.kinds, run), (each, each, each, *none)
        self.rows = (*shared.rows(sweeper.rows), shared.to_kinds[1].astype(np.int64))
        self.values, self.nothing, self.span = np.empty(self.S + n), np.zeros(n), np.zeros(2)

    @classmethod
    def of(cls, sweeper: Sweeper) -> Kinds | None:
        """Return the kinds of rows of a model, where there are few."""
        shared = sweeper.share()
        return None if shared is None else cls(sweeper, shared)

    def seen(self, v: Floats) -> Floats:
        """Return v(s) of all states, and behind them Σ p v(s') of each kind; written over by the next call."""
        self.values[: self.S] = v
        e = self.values[self.S :]
        self.backup((), self.kinds, self.each, v, self.nothing, self.span, e)
        return self.values


class KeptRows(NearRows):
    """Rows near the best of their state, the policy of the best ones, and sweeps of it.

    Rows of up to 16 outcomes are copied; longer ones are listed. They are listed as well where copies of one row a
    state would take more memory than a search may.
    """

    def __init__(self, sweeper: Sweeper) -> None:
        from tabular_rl.kernels import search_kept_rows

        mdp, to = sweeper.mdp, sweeper.rows[1]
        most, longest = int(np.max(np.diff(mdp.pair_ptr), initial=0)), mdp.facts.longest_row
        width = next((w for w in WIDTHS if w >= longest), 0)
        bytes_of_copy = width * (to.itemsize + 8) + 16 + mdp.pair_ptr.itemsize
        allowed = (mdp.K * (to.itemsize + 8) // 2 + SPARE_BYTES) // bytes_of_copy
        room = min(max(int(SHARE * mdp.L), mdp.S) + most, mdp.L)
        if room > allowed:
            room = allowed if allowed >= min(mdp.S + most, mdp.L) else 0
        width = width if room else 0
        super().__init__(sweeper, (0,) * width, room)
        self.kernels = search_kept_rows
        self.kinds = None if width else Kinds.of(sweeper)
        self.outcomes = (*sweeper.rows, np.empty(0, dtype=np.int64))
        if self.kinds is not None:
            self.rows = self.kinds.rows
        elif width:
            self.rows = self.outcomes
        else:
            self.rows = (*sweeper.rows, sweeper.runs())
        # Where the chosen rows lie side by side, one a state, and how often they were swept since they changed.
        self.packed: tuple[Any, ...] | None = None
        # The span of the changes of the last sample, and codes of changes where these are swept.
        self.sampled = 0.0
        self.code: Any = None
        self.swept, self.before_packing = 0, BEFORE_PACKING

    def _seen(self, v: Floats) -> Floats:
        """What rows lead to: the values of states, and behind them those of kinds where rows have kinds."""
        return v if self.kinds is None else self.kinds.seen(v)

    def sample(self, v: Floats, turn: int) -> Sample:
        """Back up a few states, other ones each turn."""
        step = max(self.S // min(SAMPLE, max(40, self.S // 40)), 1)
        first = step * (5 * turn + 3) // 7 % step
        changes = np.empty(len(range(first, self.S, step)))
        gaps = np.empty(len(changes) * self.most)
        n = self.kernels.sampled_gaps(
            self.width, self.pair_ptr, self.rows, self._seen(v), first, step, changes, gaps
        )
        self.sampled = float(np.ptp(changes)) if len(changes) else 0.0
        return Sample(changes, gaps[:n])

    def filtered(
        self, v: Floats, out: Floats, delta: float, least: float = -math.inf
    ) -> tuple[float, float, bool]:
        """As its base; another policy is chosen."""
        self._changed()
        if delta == 0 and self.coarse:
            low = float(v.min())
            step = (float(v.max()) - low) / FINE_STEPS
            if TINY < step < FINE * self.sampled:
                return self._greedy(v, out, (low, step))
        return super().filtered(v, out, delta, least)

    def _greedy(self, v: Floats, out: Floats, steps: tuple[float, float]) -> tuple[float, float, bool]:
        """The same from codes of v in `steps`, where the best rows alone are kept: nothing is proven of them."""
        self.proof = None
        code, swept = np.empty(self.S, dtype=np.uint16), np.array([math.inf, -math.inf])
        self.kernels.coded(v, steps[0], 1 / steps[1], code)
        for first, last in self.sweeper.blocks:
            self.kernels.best_coded_backup(
                self.width, self.pair_ptr, self.rows, code, steps, v, first, last, swept, self.kept, out
            )
            self.sweeper.check_stop()
        return *ends(*swept.tolist()), True

    def improved(self, v: Floats, out: Floats, origin: Floats) -> tuple[float, float, float]:
        """As its base; another policy is chosen."""
        self._changed()
        return super().improved(v, out, origin)

    def evaluated(self, v: Floats, out: Floats) -> tuple[float, float]:
        """out ← T_π v for the policy of the best rows; the span of out - v."""
        if self._side_by_side():
            return self.sweeper.each(self._packed_backup(v, out))
        backup, seen = self.kernels.kept_policy_backup, self._seen(v)

        def block(first: int, last: int, _step: int, span: Floats) -> None:
            backup(self.width, self.rows, self._of(first, last), seen, v[first:last], span, out[first:last])

        return self.sweeper.each(block)

    @property
    def coarse(self) -> bool:
        """Whether codes are swept sooner than values."""
        return len(self.width) > 0 and self.S >= COARSE

    def swept_coarsely(self, v: Floats, change: Floats, low: float, high: float) -> tuple[float, float]:
        """change ← d and v ← v + d, for d = γ P_π change with change coded from `low` to `high`; the span of d.

        A sweep fetches a value for each outcome, in no order: where values do not fit a cache that is nearly all of it.
        """
        if self.code is None:
            self.code = np.empty(self.S, dtype=np.uint8)
        step = (high - low) / STEPS
        self.kernels.coded(change, low, 1 / step, self.code)
        backup, steps, gamma = self.kernels.coarse_policy_backup, (low, step), self.rows[4]

        def block(first: int, last: int, _step: int, span: Floats) -> None:
            here = slice(first, last)
            backup(self.width, self._of(first, last), self.code, steps, gamma, span, change[here], v[here])

        return self.sweeper.each(block)

    def policy_outcomes(self, some: Any = slice(None)) -> tuple[Any, ...]:
        """Return (begin, end, next_state, prob): those of the best row of s, in `some`, are begin(s) ≤ k < end(s)."""
        chosen = self.chosen[some]
        live = chosen >= 0
        if self.width:
            begin = chosen.astype(np.int64) * len(self.width)
            return begin, begin + len(self.width) * live, self.kept[3], self.kept[4]
        row_ptr, to, prob = self.outcomes[:3]
        row = np.where(live, self.kept[1][chosen], 0)
        begin = row_ptr[row].astype(np.int64)
        return begin, np.where(live, row_ptr[row + 1], begin), to, prob

    def policy_rewards(self) -> Floats:
        """Return r (S,) of the best rows, 0 at terminals."""
        at = np.maximum(self.chosen, 0)
        r = self.kept[5][at] if self.width else self.rows[5] * self.rows[3][self.kept[1][at]]
        return np.where(self.chosen >= 0, r, 0.0)

    def _changed(self) -> None:
        """Other rows are chosen now."""
        self.packed, self.swept = None, 0

    def _side_by_side(self) -> bool:
        """Whether the chosen rows lie side by side: copied so where there is room, when they are swept again."""
        self.swept += 1
        if self.packed is None and self.width and self.S and self.swept > self.before_packing:
            w = len(self.width)
            if self.count == self.S and int(self.chosen.min()) >= 0:
                self.packed = self.kept[3:]  # one row a state is kept
            elif self.count + self.S <= self.room:
                # Behind what is kept: no more of it is given to what writes there.
                free = (
                    self.kept[3][w * self.count :],
                    self.kept[4][w * self.count :],
                    self.kept[5][self.count :],
                )
                self.kernels.pack_chosen(self.width, self.kept, free)
                self.packed = free
        return self.packed is not None

    def _packed_backup(self, v: Floats, out: Floats) -> Callable[[int, int, int, Floats], None]:
        """What sweeps the chosen rows of a block of states where they lie side by side."""
        assert self.packed is not None
        backup, (to, prob, r), w = self.kernels.packed_policy_backup, self.packed, len(self.width)

        def block(first: int, last: int, _step: int, span: Floats) -> None:
            here, outcomes = slice(first, last), slice(w * first, w * last)
            gamma = self.rows[4]
            backup(self.width, to[outcomes], prob[outcomes], r[here], gamma, v, v[here], span, out[here])

        return block

    def _of(self, first: int, last: int) -> tuple[Any, ...]:
        """The rows that are kept of some states."""
        ptr, row, chosen, *copies = self.kept
        return (ptr[first : last + 1], row, chosen[first:last], *copies)

    def thinned(self, delta: float, least: float = 0.2) -> bool:
        """As its base; what is kept stands elsewhere."""
        gone = super().thinned(delta, least)
        if gone:
            self._changed()
        return gone
