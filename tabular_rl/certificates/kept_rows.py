"""The rows that can still be the best of their state, and sweeps over these that prove as much as sweeps over all.

If row i was d below the best of its state at values u, it is not the best at v while γ span(v - u) < d, with the span
over all states. What a backup of u found to be d below is more than d - 2 E below. So where all rows that were left out
at u were more than δ below, and γ span(v - u) ≤ δ - 2 E, T v is the best of the rows that are kept: a sweep over these
is one over all, and what lies in between proves the others worse. All is rounded outward, and no kernel of a search
writes what is read here.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from tabular_rl.model.rounding import U, backup_error, down, up
from tabular_rl.model.rows import Floats, Ints
from tabular_rl.solving.sweeps import Backup, Sweeper, ends

LOOKED_AT = 1000  # rows, from which is predicted how many need be read
READ = 0.85  # of the rows: if more need be read all are, since to leave rows out takes time too


def span(x: Floats) -> float:
    """The largest less the least x, rounded up where each is off by a rounding; 0 where there are no states."""
    return float(up(up(float(x.max())) - down(float(x.min())))) if x.size else 0.0


class Proof:
    """What is proven of rows that are left out: at the values `origin` each is more than `slack` below the best."""

    def __init__(self, origin: Floats, slack: float) -> None:
        self.origin, self.slack = origin.copy(), slack


class NearRows:
    """The rows of each state that came within some distance of its best one in a sweep over all rows.

    Where there is a `width` they are copied, one behind the other, filled up to it; else they are listed.

    Parameters
    ----------
    sweeper : of the model
    width : of copies, a tuple of that length; empty where rows are listed
    room : for copies
    """

    def __init__(self, sweeper: Sweeper, width: tuple[int, ...], room: int) -> None:
        from tabular_rl.kernels import kept_rows

        mdp, to = sweeper.mdp, sweeper.rows[1]
        self.near_kernels, self.sweeper, self.width = kept_rows, sweeper, width
        self.S, self.L, self.pair_ptr = mdp.S, mdp.L, mdp.pair_ptr
        self.most = int(np.max(np.diff(mdp.pair_ptr), initial=0))
        self.gamma = float(up(mdp.gamma)) if mdp.gamma < 1 else 1.0
        self.room = room if width else mdp.L
        pointer, copied = mdp.pair_ptr.dtype, self.room * len(width)
        self.chosen = np.full(mdp.S, -1, dtype=pointer)
        self.kept = (
            np.zeros(mdp.S + 1, dtype=pointer), np.empty(self.room, dtype=pointer), self.chosen,
            np.empty(copied, dtype=to.dtype), np.empty(copied), np.empty(self.room if width else 0),
        )  # fmt: skip
        self.q, self.work = (
            np.empty(self.room),
            (np.empty(self.most), np.empty(self.most, dtype=pointer)),
        )
        self.at = {first: i for i, (first, _) in enumerate(sweeper.blocks)}
        self.moved = np.empty((2, len(self.at)))
        self.proof: Proof | None = None
        self._from = self._best = np.empty(0)  # what the last sweep over kept rows began with, and made of it

    @property
    def count(self) -> int:
        """How many rows are kept."""
        return int(self.kept[0][-1])

    @cached_property
    def _sure(self) -> tuple[Any, ...]:
        """The rows as kernels that prove read them; where outcomes are added up beforehand they lead to these sums."""
        rows, kinds = self.sweeper.rows, None if self.width else self.sweeper.kinds
        if self.width:
            return (*rows, self.width)
        return (*rows, self.sweeper.width) if kinds is None else (*kinds.rows(rows), ())

    def _leads_to(self, v: Floats, listed: Ints | None = None) -> Floats:
        """What rows lead to there: v, and behind it the sums of their kinds, those of the rows in a list at least."""
        kinds = None if self.width else self.sweeper.kinds
        return v if kinds is None else kinds.seen(self.sweeper, v, listed)

    # -- sweeps -------------------------------------------------------------------------------------------------

    def filtered(
        self, v: Floats, out: Floats, delta: float, least: float = -math.inf
    ) -> tuple[float, float, bool]:
        """out ← T v, keeping the rows within delta of the best; the span of T v - v, and whether they had room.

        Parameters
        ----------
        v, out : (S,) values, and those after the sweep
        delta : how far from the best a row may be to be kept; 0 for the best alone
        least : T v - v of no state is smaller, as is thought
        """
        self.proof = None
        error = backup_error(self.sweeper.mdp, self.sweeper.norm(v))
        most, least = self._unread(v, delta, least, error)
        low, high, fits = self._copy(v, out, (delta, most, least))
        slack = float(down(delta - up(2 * error)))
        if fits and low >= least and 0 <= slack < math.inf:
            self.proof = Proof(v, slack)
        return low, high, fits

    def _copy(self, v: Floats, out: Floats, limits: tuple[float, float, float]) -> tuple[float, float, bool]:
        """Copy what is near, block by block: kernels/kept_rows.py says what the limits are."""
        fits, swept, (delta, most, least) = True, np.array([math.inf, -math.inf]), limits
        seen = self._leads_to(v)
        for first, last in self.sweeper.blocks:
            limits = (delta if fits else -1.0, most, least)
            n = self.near_kernels.filtered_backup(
                self.width, self.pair_ptr, self._sure, seen, first, last, limits, self.work, swept, self.kept, out
            )  # fmt: skip
            fits = n >= 0
            self.sweeper.check_stop()
        return *ends(*swept.tolist()), fits

    def _unread(self, v: Floats, delta: float, least: float, error: float) -> tuple[float, float]:
        """What γ P v of no row exceeds, and `least`, or -inf where nearly all rows need be read.

        A row that is left unread for r + most < v(s) + least - delta is proven more than delta - 2 E below the best, if
        T v - v has turned out to be nowhere below `least`: q ≤ r + γ max v + E, and what rounds here is far below most.
        """
        top, bottom = float(v.max(initial=-math.inf)), float(v.min(initial=math.inf))
        most = float(up(up(self.gamma if top > 0 else self.sweeper.mdp.gamma) * top))
        size = max(abs(top), abs(bottom)) + abs(least) + max(delta, 0.0) + abs(most)
        most = float(up(most + up(error + 32 * U * size)))
        above = least - max(delta, 0.0) - most
        if above > -math.inf:
            rows, states = self._looked_at
            needed = self.sweeper.rows[5] * self.sweeper.rows[3][rows] >= v[states] + above
            if np.count_nonzero(needed) <= READ * len(rows):
                return most, least
        return most, -math.inf

    @cached_property
    def _looked_at(self) -> tuple[Ints, Ints]:
        """Some rows, and their states."""
        rows = np.linspace(0, self.L - 1, min(self.L, LOOKED_AT)).astype(np.int64)
        return rows, np.searchsorted(self.pair_ptr, rows, side="right") - 1

    def improved(self, v: Floats, out: Floats, origin: Floats) -> tuple[float, float, float]:
        """out ← the best of the rows that are kept; the span of out - v, and the size of that of v - origin."""
        self._from, self._best = v, out
        return self._sweep(v, origin, self.q, self.chosen, out)

    def _sweep(
        self, v: Floats, origin: Floats, q: Floats, chosen: Ints, out: Floats
    ) -> tuple[float, float, float]:
        """One sweep over the rows that are kept: q of each, the best ones, and what `improved` returns."""
        self.moved[0], self.moved[1] = math.inf, -math.inf
        ptr, row, _, *copies = self.kept
        seen = self._leads_to(v, row[: self.count])

        def block(first: int, last: int, _step: int, span: Floats) -> None:
            here, moved = slice(first, last), self.moved[:, self.at[first]]
            of = (ptr[first : last + 1], row, chosen[here], *copies)
            self.near_kernels.kept_backup(
                self.width, self._sure, of, seen, v[here], origin[here], span, moved, q, out[here]
            )

        low, high = self.sweeper.each(block)
        return low, high, float(self.moved[1].max() - self.moved[0].min()) if self.S else 0.0

    def thinned(self, delta: float, least: float = 0.2) -> bool:
        """Keep what the last sweep found within delta of the best, if at least that share of the rows goes."""
        best = self._best
        if self.near_kernels.count_near(self.kept[0], self.q, best, delta) > (1 - least) * self.count:
            return False
        if self.proof is not None:
            self._thin_proof(delta)
        self.near_kernels.thin_out(self.width, self.q, best, delta, self.kept)
        return True

    def _thin_proof(self, delta: float) -> None:
        """Take what is proven to the values that the last sweep began with, where more rows go by it."""
        v, proof = self._from, self.proof
        assert proof is not None
        left = down(proof.slack - self._lost(v))
        own = down(delta - up(2 * backup_error(self.sweeper.mdp, self.sweeper.norm(v))))
        slack = float(min(left, own))
        self.proof = Proof(v, slack) if slack >= 0 else None

    # -- proofs -------------------------------------------------------------------------------------------------

    def _lost(self, v: Floats) -> float:
        """γ span(v - origin), rounded up."""
        assert self.proof is not None
        return float(up(self.gamma * span(v - self.proof.origin)))

    def backup(self, v: Floats) -> Backup | None:
        """One sweep from v (S,) over what is kept that says what one over all rows would: q is -inf elsewhere.

        None where the rows that are left out are not proven worse at v.
        """
        spare = -1.0 if self.proof is None else float(down(self.proof.slack - self._lost(v)))
        if self.proof is None or not spare >= 0:
            return None
        row, q = self.kept[1][: self.count], np.empty(self.count)
        best, chosen = np.empty(self.S), np.empty_like(self.chosen)
        whole = np.full(self.L, -math.inf)
        low, high, _ = self._sweep(v, v, q, chosen, best)
        whole[row] = q
        chosen = np.where(chosen < 0, chosen, row[chosen])
        for array in (whole, best, chosen):
            array.setflags(write=False)
        return Backup(v.copy(), whole, best, chosen, low, high, spare)
