"""The model that is estimated from a log, under many weightings of its episodes at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tabular_rl.analysis.off_policy.episodes import Ints
from tabular_rl.analysis.off_policy.sums import Sums
from tabular_rl.solving.sampling import Floats

DENSE = 400  # states up to which systems are solved as dense ones, many at a time
LONGEST = 1e9  # steps: a chain that takes more on average does not end, but for rounding


@dataclass(frozen=True, eq=False)
class Modelled:
    """Estimated shares of outcomes `p` (B, K') and mean rewards `r` (B, L'), with the weights of the first states.

    Without a horizon `v` is (1, B, S') and `q` (1, B, L'); with one, (T+1, B, S') and (T, B, L').
    """

    sums: Sums
    c: Floats
    p: Floats
    r: Floats

    @classmethod
    def of(cls, sums: Sums, c: Floats) -> Modelled:
        """The model of each weighting (B, n)."""
        row = sums.outcomes.keys[0]
        counts = sums.outcomes(c)
        tries = counts @ adder(row, len(sums.rows))
        seen = tries > 0
        p = np.divide(counts, tries[:, row], out=np.zeros_like(counts), where=seen[:, row])
        r = np.divide(sums.row_rewards(c), tries, out=np.zeros_like(tries), where=seen)
        return cls(sums, c, p, r)

    @cached_property
    def start(self) -> Floats:
        """How many episodes begin in each state (B, S')."""
        found = np.zeros((len(self.c), self.sums.S))
        found[:, self.sums.begins.keys[0]] = self.sums.begins(self.c)
        return found

    @cached_property
    def values(self) -> tuple[Floats, Floats]:
        """v̂ and q̂ of the policy."""
        return self.solved(self.r)

    def solved(self, r: Floats) -> tuple[Floats, Floats]:
        """The values v, q of rewards r (B, L')."""
        sums, (row, to) = self.sums, self.sums.outcomes.keys
        B, inside = len(r), to >= 0
        back, up = adder(row, len(sums.rows)), adder(sums.row_state, sums.S)

        def look(v: Floats) -> Floats:
            found: Floats = r + sums.gamma * (
                (self.p * np.where(inside, v[:, np.maximum(to, 0)], 0.0)) @ back
            )
            return found

        if sums.horizon is None:
            v = self._chain_values((sums.pi * r) @ up)
            return v[None], look(v)[None]
        T = sums.horizon
        v, q = np.zeros((T + 1, B, sums.S)), np.zeros((T, B, len(sums.rows)))
        for t in range(T - 1, -1, -1):
            q[t] = look(v[t + 1])
            v[t] = (self._pi(t) * q[t]) @ up
        return v, q

    def _pi(self, t: int) -> Floats:
        pi: Floats = self.sums.pi[t] if self.sums.pi.ndim == 2 else self.sums.pi
        return pi

    @cached_property
    def flow(self) -> tuple[Floats, Ints, Ints]:
        """γ P̂_π of each weighting, without a horizon, as entries (B, E) at rows and columns (E,) of states."""
        sums, (row, to) = self.sums, self.sums.outcomes.keys
        inside = (to >= 0) & sums.met[sums.row_state[row]]
        return sums.gamma * (self.p * self._pi(0)[row])[:, inside], sums.row_state[row[inside]], to[inside]

    def _chain_values(self, r: Floats) -> Floats:
        """(I - γ P̂_π)⁻¹ r (B, S'), 0 where π does not come to; NaN where the chain does not end at γ = 1."""
        flow, out, into = self.flow
        return _solved(flow, out, into, np.where(self.sums.met, r, 0.0), self.sums.gamma)

    @cached_property
    def occupancy(self) -> Floats:
        """How often π is in each state, discounted (B, S')."""
        sums = self.sums
        d = self.start / self.start.sum(axis=1, keepdims=True)
        if sums.horizon is None:
            flow, out, into = self.flow
            return _solved(flow, into, out, d, sums.gamma)
        total: Floats = np.zeros_like(d)
        for part in self._occupied(d):
            total += part
        return total

    def occupied(self) -> list[Floats]:
        """γ^t times where π is at each step up to the horizon (B, S'); without one, their sum."""
        if self.sums.horizon is None:
            return [self.occupancy]
        return list(self._occupied(self.start / self.start.sum(axis=1, keepdims=True)))

    def _occupied(self, d: Floats) -> Iterator[Floats]:
        """γ^t times where π is at each step (B, S'), up to the horizon."""
        sums, (row, to) = self.sums, self.sums.outcomes.keys
        inside = to >= 0
        into = adder(to[inside], sums.S)
        for t in range(sums.horizon or 0):
            yield d
            flow = d[:, sums.row_state[row]] * self._pi(t)[row] * self.p
            d = sums.gamma * (flow[:, inside] @ into)

    def v_at(self, t: int) -> Floats:
        """v̂ at a time (B, S')."""
        v = self.values[0]
        found: Floats = v[0 if self.sums.horizon is None else t]
        return found

    @cached_property
    def at_states(self) -> Floats:
        """Σ_i γ^t ρ_{0:t-1} v̂_t(s) of each time and state (B, cells)."""
        v, (t, s) = self.values[0], self.sums.at_states.keys
        time = np.zeros_like(t) if self.sums.horizon is None else t
        found: Floats = self.sums.at_states(self.c) * v[time, :, s].T
        return found

    @cached_property
    def at_rows(self) -> Floats:
        """Σ_i γ^t ρ_{0:t} q̂_t(s,a) of each time and row (B, cells)."""
        q, (t, row) = self.values[1], self.sums.at_rows.keys
        time = np.zeros_like(t) if self.sums.horizon is None else t
        found: Floats = self.sums.at_rows(self.c) * q[time, :, row].T
        return found

    @property
    def unknown(self) -> Floats:
        """The discounted probability (B,) of coming to an action of which the log knows nothing."""
        share, found = self.sums.unknown, np.zeros(len(self.c))
        for t, d in enumerate(self.occupied()):
            found += d @ (share[t] if share.ndim == 2 else share)
        return found


def adder(place: Ints, size: int) -> Any:
    """A sparse matrix that adds column j of (B, len(place)) to column place[j] of (B, size)."""
    from scipy.sparse import csr_array

    m = len(place)
    return csr_array((np.ones(m), place, np.arange(m + 1)), shape=(m, size))


def _solved(flow: Floats, out: Ints, into: Ints, r: Floats, gamma: float) -> Floats:
    """(I - F)⁻¹ r for each of some matrices F with entries flow (B, E) at (out, into), and r (B, S); NaN for none.

    At γ = 1 there is none either where 1, 1, 1 ... comes to more than any chain takes: then it ends by rounding alone.
    """
    S = r.shape[1]
    right = r[:, :, None] if gamma < 1 else np.stack([r, np.ones_like(r)], axis=2)
    if S > DENSE:
        found = np.stack([_sparse(one, out, into, x) for one, x in zip(flow, right, strict=True)])
    else:
        found = _dense(np.eye(S) - (flow @ adder(out * S + into, S * S)).reshape(-1, S, S), right)
    if gamma >= 1:
        steps = found[:, :, 1]
        good = (steps > 0.999).all(axis=1) & (steps < LONGEST).all(axis=1)
        found[~good] = np.nan
    solution: Floats = found[:, :, 0]
    return solution


def _dense(systems: Floats, right: Floats) -> Floats:
    """Solve systems (B, S, S), all at once where none is singular; NaN where one is."""
    try:
        return np.asarray(np.linalg.solve(systems, right), dtype=np.float64)
    except np.linalg.LinAlgError:
        found = np.full(right.shape, np.nan)
        for b in range(len(right)):
            with suppress(np.linalg.LinAlgError):
                found[b] = np.linalg.solve(systems[b], right[b])
        return found


def _sparse(flow: Floats, out: Ints, into: Ints, right: Floats) -> Floats:
    """Solve one system (S, S) by a sparse factorization; NaN where it is singular."""
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import splu

    S = len(right)
    try:
        found: Floats = splu((eye_array(S) - csc_array((flow, (out, into)), shape=(S, S))).tocsc()).solve(
            right
        )
    except RuntimeError:
        return np.full(right.shape, np.nan)
    return found
