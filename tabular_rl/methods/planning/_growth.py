"""Sweeps over a part of the states that grows, where values come from a few rewards and spread both ways.

On a slippery lake the line is short: it begins at every hole, and no way on is much likelier than the way back. All
values are 0 until those near the goal have risen, and then rise from there: of the first 300 sweeps of 500 most
changed the values of a tenth of the states.
"""

from __future__ import annotations

import numpy as np

from tabular_rl.methods.planning._front import FEWEST, LEVELS, parts
from tabular_rl.methods.planning._ordered import Line, Packed, Stored, breadth_first
from tabular_rl.solving.sweeps import Sweeper

FEW = 200  # of so many rows at most one has a reward: else none is far from one
MOST = 65535  # parts: small numbers are sorted quickly


def by_distance(sweeper: Sweeper, line: Line) -> Line:
    """Return a line in parts by the number of moves to the nearest reward, where it was short and these are many.

    Within a part states stand as they stood in line.
    """
    from tabular_rl.kernels import search_ordered as kernels

    mdp = sweeper.mdp
    least, most = sweeper.rewards()
    if line.acyclic or least < 0 or most <= 0 or len(parts(line)) > FEWEST:
        return line
    rewarding = np.flatnonzero(mdp.sign * mdp.r > 0)
    if FEW * len(rewarding) > mdp.L:
        return line
    S, small = mdp.S, mdp.pair_ptr.dtype
    place, order, level = np.full(S, -1, dtype=small), np.empty(S, dtype=small), np.zeros(S, dtype=small)
    first = np.unique(np.searchsorted(mdp.pair_ptr, rewarding, side="right") - 1)
    place[first], order[: len(first)] = np.arange(len(first)), first
    in_ptr = np.zeros(S + 1, dtype=mdp.row_ptr.dtype)
    kernels.count_sources(mdp.next_state, in_ptr)
    source = np.empty(mdp.K, dtype=small)
    kernels.fill_sources(mdp.row_ptr[mdp.pair_ptr], mdp.next_state, in_ptr[:-1].copy(), source)
    size = breadth_first(sweeper, in_ptr, source, 0, len(first), (place, order, level))
    # States from which no reward is reached come last.
    part = np.full(S, min(int(level[size - 1]) // LEVELS + 1, MOST), dtype=np.uint16)
    part[order[:size]] = np.minimum(level[:size] // LEVELS, MOST)
    between = line.order[line.ends : line.reached]
    sorted_by_part = np.argsort(part[between], kind="stable")
    order, level = line.order.copy(), np.zeros(S, dtype=small)
    order[line.ends : line.reached] = between[sorted_by_part]
    level[line.ends : line.reached] = part[order[line.ends : line.reached]]
    place[order] = np.arange(S, dtype=small)
    grown = line._replace(order=order, place=place, level=level, grows=True)
    return grown if len(parts(grown)) > FEWEST else line


class Growth:
    """The places that are swept: all, or where a line grows its first parts, one more each time."""

    def __init__(self, search: Stored | Packed) -> None:
        self.search, self.blocks = search, search.blocks
        self.ends = parts(search.line) if search.line.grows else []
        self.begin = self.ends[0] if self.ends else 0
        self.count = 0

    def is_whole(self) -> bool:
        """Let one more part in; return True where all are in."""
        self.count += 1
        if self.count + 1 < len(self.ends):
            self.search.blocks = [(self.begin, self.ends[self.count])]
            return False
        self.search.blocks = self.blocks
        return True
