"""Seeded families of models of any size, as row arrays made by numpy.

    model("grid-300", gamma=0.9999, seed=0)      # 300 x 300
    model("garnet-1e5")                          # 100,000 states, the family's first discount
    FAMILIES["garnet"].make(size=1000, gamma=0.99, seed=3)

A name is a family and a size. What a size counts, the family says: states, or the side of a grid. The same name,
discount and seed give the same bits. No state is looped over, so that ten million states take seconds.
"""

from __future__ import annotations

from benchmarks.families import chains, grids, mixed, mixtures, reachability, slow
from benchmarks.families._base import FAMILIES, Family, model, parse, size_text

__all__ = [
    "FAMILIES",
    "Family",
    "chains",
    "grids",
    "mixed",
    "mixtures",
    "model",
    "parse",
    "reachability",
    "size_text",
    "slow",
]
