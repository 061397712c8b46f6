"""What learners keep in lists that belong together, and what must hold between them in a checkpoint.

Kernels follow such lists without looking: a place that is listed twice would make them write past the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tabular_rl.methods.learning._arrays import LARGEST
from tabular_rl.methods.learning._learning import Learning
from tabular_rl.model.rows import over_rows

if TYPE_CHECKING:
    from tabular_rl.kernels.traces import Traces

Ints = NDArray[np.int64]


def add_traces(run: Learning, kind: int) -> Traces:
    """Return the traces of a run, of a kind: the entries with one are the first `count` places of `active`."""
    from tabular_rl.kernels.traces import Traces

    before = run.add("before", 0.0, -1)
    count, active = run.add_count("count", -1, most=run.entries), run.add_index("active", run.entries)
    z = run.add("traces", 0.0, within=(0.0, LARGEST))
    run.add_condition(lambda: wrong_list("active", active, count, z > 0))
    return Traces(kind, run.mdp.gamma * run.option["trace"], before, count, active, z)


def add_learned_model(run: Learning) -> tuple[Ints, Ints]:
    """Return (tried, counts): how often each row was tried and each outcome seen (runs, K)."""
    tried, counts = run.add_count("tried"), run.add_count("counts", run.mdp.K)

    def wrong() -> str | None:
        if np.array_equal(over_rows(np.add, counts, run.mdp.row_ptr, axis=1), tried):
            return None
        return "array 'counts': found other sums than in array 'tried'"

    run.add_condition(wrong)
    return tried, counts


def wrong_list(name: str, listed: Ints, size: Ints, there: NDArray[np.bool_]) -> str | None:
    """What is wrong with lists (runs, entries) whose first `size` places should name each entry that is `there` once.

    Parameters
    ----------
    name : what the array is called in a checkpoint
    listed : (runs, entries) the entries, in any order
    size : (runs,) how many places of each list are in use
    there : (runs, entries) which entries should be listed

    Returns
    -------
    A sentence, or None where nothing is wrong.

    Examples
    --------
    >>> wrong_list("known", np.array([[2, 0, 0]]), np.array([2]), np.array([[True, False, True]]))
    >>> wrong_list("known", np.array([[2, 2, 0]]), np.array([2]), np.array([[True, False, True]]))
    "array 'known': found other entries than those that are in use, each once"
    """
    e, place = np.nonzero(np.arange(listed.shape[1]) < size[:, None])
    found = np.zeros_like(there)
    found[e, listed[e, place]] = True
    if np.array_equal(found, there) and np.array_equal(found.sum(axis=1), size):
        return None
    return f"array '{name}': found other entries than those that are in use, each once"
