"""How a learner of one rule is called: its walk through the model, or its log, and the kernel that learns from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.methods.learning._learning import Learning
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.sampling import Floats, in_lines, read_only
from tabular_rl.solving.schedules import Schedule

if TYPE_CHECKING:
    from tabular_rl.kernels.walk import Walk


CACHE = 2**20  # bytes
TABULATED = 2**16  # step sizes of a schedule that are found beforehand, at most
SHARE = 8  # steps for which one step size is found beforehand


def learn_by(
    run: Learning,
    kernel: Callable[..., None],
    walk: Walk,
    *tables: Any,
    settings: tuple[Any, ...] = (),
    extra: int = 0,
    tried: NDArray[Any] | None = None,
    place: tuple[NDArray[Any], NDArray[Any]] | None = None,
    first_rows: Callable[[Floats, NDArray[Any]], None] | None = None,
) -> Learned:
    """Learn by a kernel (model, log, walk, uniforms, step, clock, row, *settings, *tables), which changes the tables.

    Parameters
    ----------
    run : the call of the learner
    kernel : the rule
    walk : the settings of its walk
    tables : (runs, ...) what the kernel changes, arrays or named tuples of them, the estimates last
    settings : what else it takes
    extra : the uniforms of a step besides those of the walk
    tried : how often each row was tried, for the first action (default: `run.visits`)
    place : the clocks and rows of the runs, where they are there already
    first_rows : writes the first row of each run by uniforms (runs, 2), where that is not as the walk goes on

    Returns
    -------
    Learned, after the last step of the run.
    """
    from tabular_rl.kernels.one_step import begin

    model, first_rate, log = run.model(), run.exploring()[2], None
    # A run that is alone waits for memory, where it reads by a guess: rows as they are stored let it.
    if run.steps * run.runs > run.mdp.K and (run.runs > 1 or not beyond_cache(run)):
        model = in_lines(model)
    clock: NDArray[Any] | None
    if run.data is None:
        clock, row = place or run.add_walk(walk.episode_steps)
        run.uniforms, run.unread = walk.again + 1 + extra, unread(run, walk)
    else:  # it says itself how it goes on
        log, run.uniforms = run.data.arrays(), extra
        clock, row = None, np.zeros(run.runs, dtype=np.int64)

    def advance(first: int, last: int, uniforms: Floats, step: int) -> None:
        own = (part(x, first, last) for x in (clock, row, *tables))
        kernel(model, log, walk, uniforms, step, next(own), next(own), *settings, *own)

    def start(uniforms: Floats) -> None:
        if first_rows is not None:
            first_rows(uniforms, row)
            return
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

    return run.learn(advance, start if log is None else None)


def part(x: Any, first: int, last: int) -> Any:
    """Some of the runs of a table, or of each in a named tuple; numbers are those of all runs.

    Parameters
    ----------
    x : (runs, ...) an array, or a named tuple of arrays and numbers
    first, last : the runs first ... last - 1

    Returns
    -------
    A view (last - first, ...), or a tuple of the same kind with views; anything else as it is.

    Examples
    --------
    >>> part(np.arange(5), 1, 3).tolist()
    [1, 2]
    """
    if isinstance(x, tuple):
        return type(x)(*(part(y, first, last) for y in x))
    return x[first:last] if isinstance(x, np.ndarray) else x


def unread(run: Learning, walk: Walk) -> tuple[int, ...]:
    """Which uniforms of a step no kernel reads: of outcomes that are certain, of restarts where nothing ends."""
    ends = bool(run.mdp.terminal.any()) or walk.episode_steps > 0
    restart = () if ends or walk.source > 0 or walk.restart in (walk.act, walk.again) else (walk.restart,)
    return (0, *restart) if run.mdp.K == run.mdp.L else restart


def beyond_cache(run: Learning) -> bool:
    """Whether the tables of all runs, and what is read of the model, are more than the cache of a core holds."""
    mdp = run.mdp
    read = mdp.prob.nbytes + mdp.next_state.nbytes + mdp.r.nbytes + mdp.row_ptr.nbytes
    return read + run.estimates.nbytes + run.visits.nbytes > CACHE


def rates(schedule: Schedule, steps: int) -> Floats:
    """Return the numbers of a schedule as kernels take them, and x(1), x(2) ... where each takes a power.

    Parameters
    ----------
    schedule : of a step size
    steps : of the run, of which those that are found are a small share

    Returns
    -------
    (4 + n,) kind, a, b, c, x(1), ... x(n).

    Examples
    --------
    >>> rates(Schedule.of("n^-1"), 32).tolist()
    [2.0, 1.0, 1.0, 0.0, 1.0, 0.5, 0.3333333333333333, 0.25]
    """
    if schedule.kind not in ("power", "exponential"):
        return schedule.code
    from tabular_rl.kernels.walk import tabulate

    found = np.concatenate([schedule.code, np.empty(min(steps // SHARE, TABULATED))])
    tabulate(schedule.code, found[4:])
    return found


def walk_of(
    run: Learning, *, again: int = 2, pi: Floats | None = None, rho: Floats | None = None
) -> tuple[Walk, Floats]:
    """Return the settings of a walk, and the table (runs, entries) that targets are read from.

    Parameters
    ----------
    run : the call of the learner
    again : which uniform of a step takes the action after a restart
    pi, rho : (L,) the policy that is learned of, and π / b, where the kernel reads them

    Returns
    -------
    The settings, and the table: the estimates themselves where there are no other targets.
    """
    from tabular_rl.kernels.walk import Walk

    none, log = np.zeros(0), run.data is not None
    explore, explore_rate = (0, np.zeros(4)) if log else run.exploring()[:2]
    target, by, bar = run.target() if "target" in run.option else (0, 0.0, run.estimates)
    sourced = "source" in run.option and not log
    step_size = run.option.get("step_size")
    walk = Walk(
        source=run.source() if sourced else 0,
        pairs=run.pairs() if sourced else none,
        episode_steps=run.option.get("episode_steps") or 0,
        explore=explore,
        explore_rate=explore_rate,
        cum=run.cum(),
        again=again,
        step_size=np.zeros(4) if step_size is None else rates(step_size, run.steps),
        per_step=run.option.get("per") == "step",
        target=target,
        by=by,
        pi=read_only(none if pi is None else pi),
        rho=none if rho is None else rho,
        ahead=run.runs > 1 and beyond_cache(run),
    )
    return walk, bar
