"""States from which no end is reached: sweeps take a share of 1 - γ off their errors, a linear solve takes all."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular_rl.methods.planning._goal import Goal
from tabular_rl.methods.planning._ordered import Packed

LARGEST = 2000  # states of a pocket that is solved: what a sparse factor of any graph can take


class Pockets:
    """The states at the end of a line that lead to no end, in parts that do not lead to each other.

    They cannot be left, whatever one does: in a maze the cells that are walled in. Their errors v - v_π shrink by 1 - γ
    a sweep. With the chosen rows q = r + W v they are x of the linear equations (I - W) x = q - v.
    """

    def __init__(self, search: Packed, goal: Goal) -> None:
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        self.search, self.goal, self.first = search, goal, search.line.reached
        n = len(search.line.order) - self.first
        states, ahead = (x - self.first for x in search.edges(self.first))
        inside = ahead >= 0
        edges: Any = csr_array((np.ones(int(inside.sum())), (states[inside], ahead[inside])), shape=(n, n))
        self.small = int(np.bincount(connected_components(edges, directed=False)[1]).max()) <= LARGEST

    def solve(self) -> None:
        """Give these states the values of their chosen rows, where sweeps have not done so."""
        from scipy.sparse import coo_array, eye_array
        from scipy.sparse.linalg import spsolve

        if not self.small:
            return
        search, first = self.search, self.first
        v = search.v[first:]
        ahead, w, reward = search.chain(first)
        n, W = ahead.shape
        b = reward + (w * search.v[ahead]).sum(axis=1) - v
        if self.goal.enough(min(float(b.min()), 0.0), max(float(b.max()), 0.0)):
            return
        inside = ahead >= first
        states = np.repeat(np.arange(n), W).reshape(n, W)[inside]
        among: Any = coo_array((w[inside], (states, ahead[inside] - first)), shape=(n, n))
        x = self.goal.run.call(spsolve, (eye_array(n) - among).tocsc(), b)
        if np.isfinite(x).all():
            v += x
        self.goal.run.did("linear solves")
