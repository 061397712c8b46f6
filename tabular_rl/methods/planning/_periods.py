"""The periodic classes of a policy's chain: states that it visits in turn, as months that follow each other.

Sweeps of a policy never wear off what differs from class to class, but for the discount: each change comes back a
period later. Within a class it may mix in a few sweeps, so that one correction for each class leaves little to do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular_rl.model.rows import Ints

MOST = 512  # groups: a dense system of as many unknowns is solved for each correction
ALL, LIKELY = 1e-9, 0.25  # of the largest probability of a row: the outcomes that count
WALK = 1000  # steps, after which a walk is thought to have come to where it stays
PASSES = 20  # over the states that are not visited from there
PIECES = 64  # a chain of fewer than one in so many of the states, with those that lead there, tells little


def periodic_classes(outcomes: tuple[Any, ...], group: Ints) -> int:
    """Put states into the periodic classes of a policy's chain, and states that only lead there into further ones.

    The classes are those of all outcomes, or where these have no period of the likely ones: a month that now and then
    lasts for two. Several chains have classes each, those with period 1 too, if a chain with a period is found first.

    Parameters
    ----------
    outcomes : (begin, end, next_state, prob), where the outcomes of the policy in state s are begin(s) ≤ k < end(s)
    group : (S,) changed in place: the number of the class, and behind the last one what belongs to none

    Returns
    -------
    The number of classes; 0 where no period was found.

    Examples
    --------
    Two states follow each other, and a third leads to the first: it is never visited when the second is not.

    >>> group, begin, to = np.zeros(3, dtype=np.int32), np.arange(3), np.array([1, 0, 0], dtype=np.uint32)
    >>> periodic_classes((begin, begin + 1, to, np.ones(3)), group), group.tolist()
    (4, [1, 0, 2])
    """
    live = np.flatnonzero(outcomes[1] > outcomes[0])
    arrays = np.empty(len(group), dtype=np.int64), np.full_like(group, -1)
    group[:] = -1
    m = _classes(outcomes, ALL, live, group, arrays) or _classes(outcomes, LIKELY, live, group, arrays)
    group[group < 0] = m
    return m


def _classes(
    outcomes: tuple[Any, ...], share: float, live: Ints, group: Ints, arrays: tuple[Ints, Ints]
) -> int:
    """The same for outcomes of at least `share` of the largest probability of their row; -1 is for those of none.

    `live` are the states with outcomes, `arrays` a queue, and levels of -1 that are so again where 0 is returned.
    """
    from tabular_rl.kernels import search_groups as kernels

    (queue, level), S, m, before, few = arrays, len(group), 0, group[:0], len(live) / PIECES
    while len(live):
        least = 1 if m else 2
        for start in (0, -1)[:least]:
            queue[0] = kernels.settled(*outcomes, share, int(live[start]), min(S, WALK))
            if level[queue[0]] >= 0:
                return m
            n, period = kernels.periods(*outcomes, share, least, level, queue)
            if period >= least:
                break
            level[queue[:n]] = -1
        if period < least or m + 2 * period > MOST:
            break
        group[queue[:n]] = m + level[queue[:n]] % period
        turn = m + period + np.arange(-1, period - 1) % period  # who leads to a class: the one before it
        before = np.concatenate([before, turn, turn]).astype(group.dtype)
        m = len(before)
        for i in range(PASSES):
            states = (0, S, 1) if i % 2 else (S - 1, -1, -1)
            if not kernels.lead_into(*outcomes, before, *states, group):
                break
        left = live[group[live] < 0]
        if len(live) - len(left) < few:  # the model is in pieces
            group[:], level[:] = -1, -1
            return 0
        live = left
    return m
