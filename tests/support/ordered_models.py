"""Grids for ordered Gauss-Seidel, and a way to send every model to one storage of rows."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np

from tabular_rl import MDP
from tabular_rl.methods.planning import _ordered, ordered_gauss_seidel  # noqa: F401  (what is patched)
from tabular_rl.methods.planning._ordered import in_line

FILE = sys.modules["tabular_rl.methods.planning.ordered_gauss_seidel"]
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))


def grid(n, gamma, walls=(), slip="1/5"):
    """An n x n grid whose last cell is the end; a step costs 1 and goes sideways with probability slip. Walls stay."""
    slip = Fraction(slip)

    def step(i, j, move):
        to = i + move[0], j + move[1]
        inside = 0 <= to[0] < n and 0 <= to[1] < n and to not in walls and (i, j) not in walls
        return to if inside else (i, j)

    outcomes = []
    for i in range(n):
        for j in range(n):
            for a in range(4):
                odds = {}
                for turn, p in ((0, 1 - slip), (1, slip / 2), (3, slip / 2)):
                    to = step(i, j, MOVES[(a + turn) % 4])
                    odds[to] = odds.get(to, 0) + p
                if (i, j) != (n - 1, n - 1):
                    outcomes += [(i * n + j, str(a), x * n + y, p, -1) for (x, y), p in odds.items()]
    named = [(str(s), a, str(s2), p, r) for s, a, s2, p, r in outcomes]
    return MDP.from_outcomes(named, gamma, terminal=[str(n * n - 1)])


def route(monkeypatch, storage):
    """Send every model to a storage; return the list of what was used."""
    used = []

    def routed(sweeper, line, v, rows):
        used.append(in_line(sweeper, line, v, rows, 0 if storage == "stored" else np.inf))
        return used[-1]

    if storage == "numbers":
        monkeypatch.setattr(_ordered, "KINDS", 0)
    monkeypatch.setattr(FILE, "in_line", routed)
    return used
