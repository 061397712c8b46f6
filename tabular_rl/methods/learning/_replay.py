"""Experience replay for the learners of action values: the buffer, its priorities, and how the kernels are called."""

from __future__ import annotations

import math

import numpy as np

from tabular_rl.errors import OptionError
from tabular_rl.methods.learning._arrays import LARGEST
from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.sampling import Floats

SMALLEST = 5e-324
MOST = 2**28  # transitions in the buffers of all runs


def learn_replayed(run: Learning, *, largest: bool, pi: Floats | None) -> Learned:
    """Learn action values (L,) by updates from a buffer of earlier transitions, or from a log in random order.

        p(j) = (|δ(j)| + 0.01)^ω,    draw j with probability p(j) / Σ p,    weight the update by (min p / p(j))^β

    δ(j) is what was found when j was last drawn; a new transition gets the largest p so far. β = 1 undoes the bias
    of the draws exactly: the mean update points where that of uniform draws points. All weights are 1 at most, so
    that no step goes too far. The updates of a batch are made one after the other, each from the table that the last
    has left. A step takes 3 + batch uniforms, one a draw; with given transitions one.

    Parameters
    ----------
    run : the call of the learner
    largest : s' is worth its best action, else the mean over a policy
    pi : (L,) that policy; None for the one that explores

    Returns
    -------
    Learned: q (L,) and `estimates` (runs, L).

    Raises
    ------
    OptionError : buffers of more transitions than memory is meant to hold

    Sources
    -------
    Lin (1992). Schaul, Quan, Antonoglou & Silver (2016), 3.3 and 3.4.
    """
    from tabular_rl.kernels.one_step import Mean
    from tabular_rl.kernels.replay import Buffer, replay

    walk, bar = walk_of(run, pi=pi)
    how, omega, beta = run.option["replay"]
    capacity, batch = run.option["capacity"], run.option["batch"]
    held = capacity if run.data is None else len(run.data)
    if run.runs * held > MOST:
        raise OptionError(
            f"--replay: found {run.runs} runs with {held} transitions each, more than memory is meant to hold. "
            "Use a smaller --capacity or fewer --runs."
        )
    leaves = 1 << (held - 1).bit_length() if how == "prioritized" else 0
    sums = run.add("sums", 0.0, 2 * leaves, within=(0.0, LARGEST))
    least = run.add("least", math.inf, 2 * leaves, within=(0.0, math.inf))
    top = run.add("top", 1.0, -1, within=(SMALLEST, LARGEST))
    run.add_condition(lambda: wrong_trees(sums, least, held))
    if how == "prioritized" and beta < 1:
        run.verdicts.append(
            f"replay prioritized, β = {beta:g}: below 1, transitions of large error count for more than their share, "
            "so the estimates need not settle at the exact values (Schaul et al. 2016)"
        )
    place = None
    if run.data is None:
        place = run.add_walk(walk.episode_steps)
        run.updates = batch
        stored = run.add_count("stored", -1)
        held_row, held_outcome = (
            run.add_index(name, size, capacity)
            for name, size in (("held_row", run.mdp.L), ("held_outcome", run.mdp.K))
        )
    else:  # it is the buffer
        batch = 1
        stored, held_row, held_outcome = (
            np.zeros((run.runs, *shape), dtype=np.int64) for shape in ((), (0,), (0,))
        )
        fill(sums, least, held)
    buffer = Buffer(largest, float(omega), float(beta), stored, held_row, held_outcome, sums, least, top)
    tables = buffer, run.visits, Mean(run.total, run.since), bar, run.estimates
    return learn_by(run, replay, walk, *tables, extra=batch, place=place)


def wrong_trees(sums: Floats, least: Floats, held: int) -> str | None:
    """What is wrong with trees (runs, 2 · leaves): a draw must end at one of the first `held` leaves.

    Parameters
    ----------
    sums, least : the trees of sums and of minima: node 1 is the root, node n has the children 2n and 2n + 1
    held : how many transitions there is room for

    Returns
    -------
    A sentence, or None where nothing is wrong.
    """
    half = sums.shape[1] // 2
    inner = np.arange(1, half)
    if not np.array_equal(sums[:, inner], sums[:, 2 * inner] + sums[:, 2 * inner + 1]):
        return "array 'sums': found a node that is not the sum of the two below it"
    if not np.array_equal(least[:, inner], np.minimum(least[:, 2 * inner], least[:, 2 * inner + 1])):
        return "array 'least': found a node that is not the smaller of the two below it"
    leaves, priority = sums[:, half:], least[:, half:]
    if (leaves[:, held:] > 0).any() or not np.array_equal(np.where(leaves > 0, leaves, math.inf), priority):
        return "array 'sums': found priorities that are not those of array 'least'"
    return None


def fill(sums: Floats, least: Floats, held: int) -> None:
    """Give the first `held` leaves of both trees (runs, 2 · leaves) the priority 1.

    Parameters
    ----------
    sums, least : the trees of sums and of minima, all 0 and all ∞; changed in place
    held : how many transitions there are
    """
    half = sums.shape[1] // 2
    if half:
        sums[:, half : half + held] = least[:, half : half + held] = 1.0
    for n in range(half - 1, 0, -1):
        sums[:, n] = sums[:, 2 * n] + sums[:, 2 * n + 1]
        least[:, n] = np.minimum(least[:, 2 * n], least[:, 2 * n + 1])
