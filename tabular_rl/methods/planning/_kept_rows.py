"""The rows that can still be the best of their state: kept beside the model, and swept in its place."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from tabular_rl.model.rows import Floats, Ints
from tabular_rl.solving.sharing import Shared
from tabular_rl.solving.sweeps import Sweeper

WIDTHS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16)  # of copies; each is compiled when it is first met
SHARE = 0.35  # of all rows: more copies than that take more memory than half of the model
SPARE_BYTES = 200 << 20  # that a search may take beside half of the model's outcomes
SAMPLE = 500  # states, from which is predicted what would be kept
LOOKED_AT = 1000  # rows, from which is predicted how many need be read
BEFORE_PACKING = 2  # sweeps of a policy: to copy its rows takes as long as one or two
READ = 0.85  # of the rows: if more need be read all are, since to leave rows out takes time too


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
        run, each = np.empty(n, dtype=np.int64), np.arange(n, dtype=sweeper.pair_ptr.dtype)
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


class KeptRows:
    """The rows of each state that came within some distance of its best one in a sweep over all rows.

    Rows of up to 16 outcomes are copied, one behind the other, filled up to one width; longer ones are listed. They are
    listed as well where copies of one row a state would take more memory than a search may.
    """

    def __init__(self, sweeper: Sweeper) -> None:
        from tabular_rl.kernels import search_kept_rows

        self.kernels, self.sweeper = search_kept_rows, sweeper
        mdp, to = sweeper.mdp, sweeper.rows[1]
        self.S, self.L, self.pair_ptr = mdp.S, mdp.L, mdp.pair_ptr
        self.most = int(np.max(np.diff(mdp.pair_ptr), initial=0))
        longest = int(np.max(np.diff(mdp.row_ptr), initial=1))
        width = next((w for w in WIDTHS if w >= longest), 0)
        bytes_of_copy = width * (to.itemsize + 8) + 16 + mdp.pair_ptr.itemsize
        allowed = (mdp.K * (to.itemsize + 8) // 2 + SPARE_BYTES) // bytes_of_copy
        room = min(max(int(SHARE * mdp.L), mdp.S) + self.most, mdp.L)
        if room > allowed:
            room = allowed if allowed >= min(mdp.S + self.most, mdp.L) else 0
        if not room:
            width = 0
        room = room if width else mdp.L
        self.width, self.room = (0,) * width, room
        self.kinds = None if width else Kinds.of(sweeper)
        self.outcomes = (*sweeper.rows, np.empty(0, dtype=np.int64))
        if self.kinds is not None:
            self.rows = self.kinds.rows
        elif width:
            self.rows = self.outcomes
        else:
            self.rows = (*sweeper.rows, sweeper.runs())
        pointer = mdp.pair_ptr.dtype
        self.chosen = np.full(mdp.S, -1, dtype=pointer)
        self.kept = (
            np.zeros(mdp.S + 1, dtype=pointer), np.empty(room, dtype=pointer), self.chosen,
            np.empty(room * width, dtype=to.dtype), np.empty(room * width), np.empty(room if width else 0),
        )  # fmt: skip
        self.q, self.work = np.empty(room), (np.empty(self.most), np.empty(self.most, dtype=pointer))
        self.span = np.empty(2)
        self.at = {first: i for i, (first, _) in enumerate(sweeper.blocks)}
        self.moved = np.empty((2, len(self.at)))
        # Where the chosen rows lie side by side, one a state, or -1; and how often they were swept since they changed.
        self.packed, self.swept = -1, 0

    def _seen(self, v: Floats) -> Floats:
        """What rows lead to: the values of states, and behind them those of kinds where rows have kinds."""
        return v if self.kinds is None else self.kinds.seen(v)

    @property
    def count(self) -> int:
        """How many rows are kept."""
        return int(self.kept[0][-1])

    def sample(self, v: Floats, turn: int) -> Sample:
        """Back up a few states, other ones each turn."""
        step = max(self.S // min(SAMPLE, max(40, self.S // 40)), 1)
        first = step * (5 * turn + 3) // 7 % step
        changes = np.empty(len(range(first, self.S, step)))
        gaps = np.empty(len(changes) * self.most)
        n = self.kernels.sampled_gaps(
            self.width, self.pair_ptr, self.rows, self._seen(v), first, step, changes, gaps
        )
        return Sample(changes, gaps[:n])

    def filtered(
        self, v: Floats, out: Floats, delta: float, most: float = math.inf, least: float = -math.inf
    ) -> tuple[float, float, bool]:
        """out ← T v, keeping the rows within delta of the best; the span of T v - v, and whether they had room.

        Parameters
        ----------
        v, out : (S,) values, and those after the sweep
        delta : how far from the best a row may be to be kept; 0 for the best alone
        most : γ P v of no row is larger
        least : T v - v of no state is smaller
        """
        fits, seen = True, self._seen(v)
        self._changed()
        above = least - max(delta, 0.0) - most
        if above > -math.inf:
            rows, states = self._looked_at
            needed = self.sweeper.rows[5] * self.sweeper.rows[3][rows] >= v[states] + above
            least = least if np.count_nonzero(needed) <= READ * len(rows) else -math.inf

        def block(first: int, last: int) -> None:
            nonlocal fits
            limits = (delta if fits else -1.0, most, least)
            n = self.kernels.filtered_backup(
                self.width,
                self.pair_ptr,
                self.rows,
                seen,
                first,
                last,
                limits,
                self.work,
                self.span,
                self.kept,
                out,
            )
            fits = n >= 0

        self.span[:] = math.inf, -math.inf
        for first, last in self.sweeper.blocks:
            block(first, last)
            self.sweeper.check_stop()
        low, high = float(self.span[0]), float(self.span[1])
        return (0.0, 0.0, fits) if low == math.inf and high == -math.inf else (low, high, fits)

    @cached_property
    def _looked_at(self) -> tuple[Ints, Ints]:
        """Some rows, and their states."""
        rows = np.linspace(0, self.L - 1, min(self.L, LOOKED_AT)).astype(np.int64)
        return rows, np.searchsorted(self.pair_ptr, rows, side="right") - 1

    def improved(self, v: Floats, out: Floats, origin: Floats) -> tuple[float, float, float]:
        """out ← the best of the rows that are kept; the span of out - v, and the size of that of v - origin."""
        self.moved[0], self.moved[1] = math.inf, -math.inf
        self._changed()
        seen = self._seen(v)

        def block(first: int, last: int, _step: int, span: Floats) -> None:
            here, moved = slice(first, last), self.moved[:, self.at[first]]
            self.kernels.kept_backup(
                self.width,
                self.rows,
                self._of(first, last),
                seen,
                v[here],
                origin[here],
                span,
                moved,
                self.q,
                out[here],
            )

        low, high = self.sweeper.each(block)
        return low, high, float(self.moved[1].max() - self.moved[0].min()) if self.S else 0.0

    def evaluated(self, v: Floats, out: Floats) -> tuple[float, float]:
        """out ← T_π v for the policy of the best rows; the span of out - v."""
        if self._side_by_side():
            return self.sweeper.each(self._packed_backup(v, out))
        backup, seen = self.kernels.kept_policy_backup, self._seen(v)

        def block(first: int, last: int, _step: int, span: Floats) -> None:
            backup(self.width, self.rows, self._of(first, last), seen, v[first:last], span, out[first:last])

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
        self.packed, self.swept = -1, 0

    def _side_by_side(self) -> bool:
        """Whether the chosen rows lie side by side: copied so where there is room, when they are swept again."""
        self.swept += 1
        if self.packed < 0 and self.width and self.S and self.swept > BEFORE_PACKING:
            if self.count == self.S and int(self.chosen.min()) >= 0:
                self.packed = 0  # one row a state is kept
            elif self.count + self.S <= self.room:
                self.packed = self.count
                self.kernels.pack_chosen(self.width, self.kept, self.packed)
        return self.packed >= 0

    def _packed_backup(self, v: Floats, out: Floats) -> Callable[[int, int, int, Floats], None]:
        """What sweeps the chosen rows of a block of states where they lie side by side."""
        backup, (to, prob, r), w = self.kernels.packed_policy_backup, self.kept[3:], len(self.width)

        def block(first: int, last: int, _step: int, span: Floats) -> None:
            here, rows = slice(first, last), slice(self.packed + first, self.packed + last)
            outcomes = slice(w * rows.start, w * rows.stop)
            backup(
                self.width, to[outcomes], prob[outcomes], r[rows], self.rows[4], v, v[here], span, out[here]
            )

        return block

    def _of(self, first: int, last: int) -> tuple[Any, ...]:
        """The rows that are kept of some states."""
        ptr, row, chosen, *copies = self.kept
        return (ptr[first : last + 1], row, chosen[first:last], *copies)

    def thinned(self, best: Floats, delta: float, least: float = 0.2) -> bool:
        """Keep what the last sweep found within delta of the best, if at least that share of the rows goes."""
        if self.kernels.count_near(self.kept[0], self.q, best, delta) > (1 - least) * self.count:
            return False
        self._changed()
        self.kernels.thin_out(self.width, self.q, best, delta, self.kept)
        return True
