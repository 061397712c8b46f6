"""Where states stand in the graph of a model that is no grid: in levels, so that no move jumps over a level.

The levels are the distances from a state at the rim, whichever way moves go. So each move stays in its level or goes to
the next one: a chain becomes a line, a queue too, and a tree shows its branches. Within a level states are sorted by
where their neighbours stand. docs/decisions/022.md says why not otherwise.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.mdp import MDP
from tabular_rl.solving.solution import Floats

TALLEST = 8  # states in a column; a level of more takes several
PASSES = 12  # over the levels, to sort them
BULGE = 0.3  # levels by which the middle of a column of three or more stands to the right of its ends
Links = NDArray[np.bool_]
Levels = list[list[int]]


def placed(mdp: MDP) -> Floats:
    """Return where each state stands, (S, 2): x from left to right in columns, y downward in rows.

    Examples
    --------
    Moves a → b → c make a line.

    >>> moves = [("b", "go", "c", 1, 0), ("a", "go", "b", 1, 0)]
    >>> placed(MDP.from_outcomes(moves, 1, states=["a", "b", "c"], terminal=["c"], start="a")).tolist()
    [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]
    """
    links = linked(mdp)
    places = np.zeros((mdp.S, 2))
    below = 0.0
    for members in _components(links):
        levels = _oriented(mdp, _sorted(links, _levels(links, members, mdp.start)))
        points = _points(levels)
        height = max(y for _, y in points.values()) - min(y for _, y in points.values())
        top = min(y for _, y in points.values())
        for s, (x, y) in points.items():
            places[s] = x, y - top + below
        below += height + 1.0
    return places


def linked(mdp: MDP) -> Links:
    """Which states a move leads to from which, in either direction, (S, S); none to itself."""
    links = np.zeros((mdp.S, mdp.S), dtype=np.bool_)
    possible = mdp.prob > 0
    links[mdp.pair_state[mdp.outcome_row[possible]], mdp.next_state[possible]] = True
    links |= links.T
    np.fill_diagonal(links, False)
    return links


def _distances(links: Links, first: int) -> NDArray[np.int64]:
    """Moves from a state to each other one, -1 where there is no way."""
    found = np.full(len(links), -1)
    front = np.zeros(len(links), dtype=np.bool_)
    front[first] = True
    step = 0
    while front.any():
        found[front] = step
        front = links[front].any(axis=0) & (found < 0)
        step += 1
    return found


def _components(links: Links) -> Levels:
    """The states that are linked with each other, the largest part first."""
    left = np.ones(len(links), dtype=np.bool_)
    parts = []
    while left.any():
        part = _distances(links, int(np.flatnonzero(left)[0])) >= 0
        parts.append(np.flatnonzero(part).tolist())
        left &= ~part
    return sorted(parts, key=lambda part: -len(part))


def _levels(links: Links, members: list[int], start: Floats) -> Levels:
    """The states of a part by their distance from a state at its rim: that from which others are farthest."""
    root = max(members, key=lambda s: (start[s], -s))
    far = _distances(links, root)
    while True:
        degree = links.sum(axis=1)
        rim = [s for s in members if far[s] == far.max()]
        other = min(rim, key=lambda s: (degree[s], s))
        further = _distances(links, other)
        if further.max() <= far.max():
            break
        root, far = other, further
    return [[s for s in members if far[s] == d] for d in range(int(far.max()) + 1)]


def _oriented(mdp: MDP, levels: Levels) -> Levels:
    """Levels from the start on the left to the ends on the right."""
    depth = {s: d for d, level in enumerate(levels) for s in level}
    ends = [depth[s] for s in depth if mdp.terminal[s]]
    weight = np.array([mdp.start[s] for s in depth])
    first = float(np.average(list(depth.values()), weights=weight if weight.sum() > 0 else None))
    return levels[::-1] if ends and np.mean(ends) < first else levels


def _sorted(links: Links, levels: Levels) -> Levels:
    """Levels in which states stand near their neighbours: of some passes the one with the fewest crossings."""
    best, fewest = levels, _crossings(links, levels)
    current = [list(level) for level in levels]
    for turn in range(PASSES):
        depths = range(1, len(current)) if turn % 2 == 0 else range(len(current) - 2, -1, -1)
        for d in depths:
            beside = current[d - 1 if turn % 2 == 0 else d + 1]
            place = {s: i for i, s in enumerate(current[d])}
            current[d] = sorted(current[d], key=lambda s: (_middle(links, s, beside, place[s]), place[s]))
        found = _crossings(links, current)
        if found < fewest:
            best, fewest = [list(level) for level in current], found
    return best


def _middle(links: Links, s: int, beside: list[int], otherwise: float) -> float:
    """The mean place of the neighbours of a state in the level beside, from -1/2 to 1/2."""
    found = [i for i, other in enumerate(beside) if links[s, other]]
    return float(np.mean(found)) if found else float(otherwise)


def _crossings(links: Links, levels: Levels) -> int:
    """How often lines between neighbouring levels cross, and lines in a level pass over a state."""
    count = 0
    for one, two in pairwise(levels):
        block = links[np.ix_(one, two)].astype(np.int64)
        # A line (i, j) crosses those that start below i and end above j.
        above = np.cumsum(np.pad(block, ((0, 0), (1, 0))), axis=1)[:, :-1]
        below = np.cumsum(above[::-1], axis=0)[::-1]
        count += int((block[:-1] * below[1:]).sum())
    for level in levels:
        i, j = np.nonzero(links[np.ix_(level, level)])
        count += int((j - i - 1)[j > i + 1].sum())
    return count


def _points(levels: Levels) -> dict[int, tuple[float, float]]:
    """Each state's place: a level is a column, or several beside each other."""
    points: dict[int, tuple[float, float]] = {}
    x = 0.0
    for level in levels:
        wide = -(-len(level) // TALLEST)
        tall = -(-len(level) // wide)
        for c in range(wide):
            column = level[c * tall : (c + 1) * tall]
            middle = (len(column) - 1) / 2
            for i, s in enumerate(column):
                aside = (i - middle) / middle if middle else 0.0
                points[s] = (x + (BULGE * (1 - aside * aside) if len(column) > 2 else 0.0), i - middle)
            x += 1.0
    return points
