"""How a learner of one rule is called: its walk through the model, or its log, and the kernel that learns from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.methods.learning._learning import Learning
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.sampling import Floats, Walk

LOG = 3  # a source besides those of an option


def learn_by(
    run: Learning,
    kernel: Callable[..., None],
    walk: Walk,
    *tables: NDArray[Any],
    extra: int = 0,
    tried: NDArray[Any] | None = None,
) -> Learned:
    """Learn by a kernel (model, log, walk, uniforms, step, clock, row, *tables), which changes the tables.

    Parameters
    ----------
    run : the call of the learner
    kernel : the rule
    walk : the settings of its walk
    tables : (runs, ...) what the kernel changes besides the clocks and the rows of the runs, the estimates last
    extra : the uniforms of a step besides those of the walk
    tried : how often each row was tried, for the first action (default: `run.visits`)

    Returns
    -------
    Learned, after the last step of the run.
    """
    from tabular_rl.kernels.one_step import begin

    model, first_rate = run.model(), run.exploring()[2]
    log = None if run.data is None else run.data.given()
    if log is None:
        clock, row = run.add_walk(walk.episode_steps)
        run.uniforms = walk.again + 1 + extra
    else:  # it says itself how it goes on
        run.uniforms = extra
        clock, row = np.zeros((2, run.runs), dtype=np.int64)

    def advance(first: int, last: int, uniforms: Floats, step: int) -> None:
        kernel(model, log, walk, uniforms, step, *(x[first:last] for x in (clock, row, *tables)))

    def start(uniforms: Floats) -> None:
        counts = run.visits if tried is None else tried
        begin(
            model,
            walk.explore,
            first_rate,
            walk.cum,
            walk.source,
            walk.pairs,
            counts,
            run.estimates,
            uniforms,
            row,
        )

    return run.learn(advance, None if log is not None else start)


def walk_of(
    run: Learning, *, again: int = 2, pi: Floats | None = None, rho: Floats | None = None
) -> tuple[Walk, Any]:
    """Return the settings of a walk, and the table (runs, entries) that targets are read from."""
    none = np.zeros(0)
    explore, explore_rate, _ = run.exploring()
    target, by, bar = run.target()
    log = run.data is not None
    walk = Walk(
        source=LOG if log else run.source() if "source" in run.option else 0,
        pairs=none if log or "source" not in run.option else run.pairs(),
        episode_steps=run.option.get("episode_steps") or 0,
        explore=explore,
        explore_rate=explore_rate,
        cum=run.cum(),
        again=again,
        step_size=run.option["step_size"].code,
        per_step=run.option["per"] == "step",
        target=target,
        by=by,
        pi=none if pi is None else pi,
        rho=none if rho is None else rho,
    )
    return walk, bar
