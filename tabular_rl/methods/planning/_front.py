"""The first sweeps of a long line: over the levels where values still change, while the next ones come in.

A state that is a step further from the end than another hears from it at once, the other from it a sweep later and
little. So what changes near the end is news for all that stand behind, and a sweep carries it only some levels on: on
a grid of 300 x 300 most of what sweeps over all states did was done where news had not come yet, or had passed. Here
levels are swept from where values begin to change up to the front, which moves on by some levels after each
improvement; beyond it stand first values that look ahead, made again each time. Where the changes at the near end of
that window are small enough it is left behind. What is left to do is for sweeps over all.
"""

from __future__ import annotations

import math

import numpy as np

from tabular_rl.methods.planning._goal import CHAINS, WIDER, Goal
from tabular_rl.methods.planning._ordered import Line, Packed, Stored

LEVELS = 10  # by which the front moves on: a sweep carries news some eight levels
PLACES = 512  # at least: a call takes as long as to sweep some hundred
GROWN = 256  # of a line that grows: a round has twenty evaluations and not four
FEWEST = 8  # parts of a line that is worth it
HUB = 4  # parts further on than the first one there is a hub to which it leads, and nothing settles before that has
WIDEST = 32  # parts of a window: where values settle no sooner, sweeps over all are no worse
INNER = 4  # evaluations beside an improvement
SLOW = 0.5  # what such a round leaves of the changes at the near end, above which it is slow
PATIENCE = 10  # slow rounds in a row: where mud is near the goal the first nine of a maze were slow
SHARE = 0.25  # of the changes with which a certificate is asked for


def parts(line: Line) -> list[int]:
    """The places where the parts of a line begin, some levels each, and where the last one ends."""
    level = line.level[line.ends : line.reached]
    if len(level) == 0:
        return []
    step, least = (1, GROWN) if line.grows else (LEVELS, PLACES)
    levels = np.arange(int(level[0]), int(level[-1]) + 1, step)
    begin = [line.ends]
    for first in np.searchsorted(level, levels).tolist():
        if line.ends + first - begin[-1] >= least:
            begin.append(line.ends + first)
    return [*begin, line.reached]


def follow_front(goal: Goal, search: Stored | Packed, most: int) -> int:
    """Find first values of all states from which an end is reached, good ones where that pays.

    Parameters
    ----------
    goal : of the run
    search : rows in line
    most : sweeps that may be made

    Returns
    -------
    How many sweeps the states took on average, rounded up; 0 where the line is short, or leads far ahead: nothing was
    done.
    """
    if not isinstance(search, Packed) or search.line.grows or most <= 2 * WIDEST * (INNER + 1):
        return 0
    begin = parts(search.line)
    if len(begin) <= FEWEST or search.farthest(*begin[:2]) >= begin[min(HUB, len(begin) - 1)]:
        return 0
    front = Front(goal, search, begin)
    front.prepare()
    while front.moves():
        front.sweep()
    return front.end()


class Front:
    """A window over the parts of a line, from `near` up to `far`; the part behind it stands ready."""

    def __init__(self, goal: Goal, search: Packed, begin: list[int]) -> None:
        self.goal, self.search, self.begin = goal, search, begin
        self.count = len(begin) - 1
        # At γ = 1 sweeps go on beyond what is asked for at first (_goal.py).
        far = goal.mdp.problem.must_end and goal.model.L > CHAINS
        self.share = SHARE / WIDER if far else SHARE
        self.near = self.far = self.improved = self.evaluated = 0
        self.change, self.slow = math.inf, 0

    def prepare(self) -> None:
        """Find the values of the ends and first ones of the first part; take the rows of what stands behind all."""
        search, line = self.search, self.search.line
        search.foresee(line.without_rows, self.begin[1], line.reached)
        search.foresee(line.reached, len(line.order), line.reached)
        search.skip_ends()

    def moves(self) -> bool:
        """Return False when all has settled, or where that takes too long: all may depend on states far away."""
        return self.near < self.count and self.far - self.near < WIDEST and self.slow < PATIENCE

    def sweep(self) -> None:
        """Let one more part in, evaluate the policy in the window, and improve it."""
        search, begin = self.search, self.begin
        if self.far < self.count:
            self.far += 1
            if self.far < self.count:
                self.foresee(self.far)
        window = begin[self.near], begin[self.far]
        newest = self.goal.sweeper.norm(search.v[begin[self.far - 1] : begin[self.far]])
        self.goal.see_size(max(self.goal.vmax, newest))
        little = self.goal.least_change(self.share)
        changes = search.evaluate_often(INNER, 1.0, little, part=window)
        self.evaluated += len(changes) * (window[1] - window[0])
        self.improved += window[1] - window[0]
        self.move_on()

    def move_on(self) -> None:
        """Improve the policy in the window, and leave behind what has settled: most often that is one part."""
        near, middle, settled = self.near, min(self.near + 2, self.far), True
        for first, last in [*((i, i + 1) for i in range(near, middle)), (middle, self.far)]:
            low, high = self.search.improve((self.begin[first], self.begin[last]))
            settled = settled and self.settled((low, high))
            if settled:  # with the newest part goes what depends on what has not come in
                self.near = last if self.far == self.count else min(last, self.far - 1)
            if first == near:
                change = self.goal.spread(min(low, 0.0), max(high, 0.0))
                self.slow = self.slow + 1 if change > SLOW * self.change and self.near == near else 0
                self.change = change if self.near == near else math.inf

    def foresee(self, part: int) -> None:
        """Find first values of a part that look ahead."""
        self.search.foresee(self.begin[part], self.begin[part + 1], self.search.line.reached)

    def settled(self, changes: tuple[float, float]) -> bool:
        """Return True where changes are as small as those that sweeps over all end with."""
        return self.goal.enough(min(changes[0], 0.0), max(changes[1], 0.0), self.share)

    def end(self) -> int:
        """Find first values of the parts where the front has not come; return the number of sweeps."""
        for part in range(self.far + 1, self.count):
            self.foresee(part)
        sizes = self.improved, self.evaluated
        done = [-(-size // max(1, self.begin[-1] - self.begin[0])) for size in sizes]
        self.goal.run.did("sweeps", done[0])
        self.goal.run.did("evaluation sweeps", done[1])
        return sum(done)
