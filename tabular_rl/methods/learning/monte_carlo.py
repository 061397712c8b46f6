"""Monte Carlo: the values of a policy from the returns of whole episodes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError, quoted, spoken
from tabular_rl.methods.learning._arrays import LARGEST
from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.model.graph.search import can_reach, reachable
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import size_text
from tabular_rl.model.policy import Policy
from tabular_rl.model.unroll import state_name
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method

if TYPE_CHECKING:
    from tabular_rl.kernels.monte_carlo import Returns

IMPORTANCE = ("ordinary", "weighted", "per-decision")
MISSED = 1e-4  # share of the largest value that the return of an endless episode may miss
LONGEST = (
    2**15
)  # steps of an episode that are kept, where the discount asks for no number and the user for none
WEIGHTLESS = "visited with weight 0 only"
ENDLESS = "visited in episodes without an end only"
MOST = 2**34  # bytes of the episodes of all runs


@method(
    equation="v(s) ← v(s) + α [ G - v(s) ],  G = r + γ r' + γ² r'' + ... to the end of the episode",
    source="Sutton & Barto (2018), 5.1, 5.5, 5.9, (6.1)",
    samples_action=True,
)
def monte_carlo(
    mdp: MDP,
    policy: Policy,
    *,
    behavior: Policy | None = None,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    visit: o.Visit = "first",
    importance: o.Importance = "weighted",
    step_size: o.StepSize = "1/n",
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn the values of a policy from the returns of whole episodes.

        v(s) ← v(s) + α [ G - v(s) ],    G = r + γ r' + γ² r'' + ... to the end of the episode

    With α = 1/n, the default, v(s) is the mean of the returns that followed the visits of s: `first` takes one return
    an episode, all independent, and is unbiased; `every` takes all. Values of other states are not used. Values
    change at the end of an episode, the last visit first.

    Off policy W is the product of the ratios π(a|s) / b(a|s) from s to the end. `ordinary` learns from W G, which is
    unbiased, but its variance may be infinite; `weighted` moves by α W [ G - v(s) ], where n of α counts the sum of the
    weights: 1/n is Σ W G / Σ W, biased at first, and steady; `per-decision` weighs each reward by the ratios up
    to it, G = ρ (r + γ G'), unbiased. On policy all three are the same.

    An episode that has not ended after `episode_steps` is cut off. Its last visits, at most half of them, are passed
    over: the return of each other one misses γ^h max|v| at most, where γ^h ≤ 0.0001 if so many rewards fit into half an
    episode. If `episode_steps` is not given they do, up to 32,768 steps, and the walk goes on as a new episode where
    it was cut. A step takes the same three uniforms as in td0.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    policy : π, whose values are learned
    behavior : b, which chooses the actions (default: π); it must take every action that π takes
    data : Transitions to learn from, in order, again and again, instead of samples of the model; where an episode
        of them is cut off, visits with too few rewards after them are left out, all of them at γ = 1
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    visit : learn from the "first" visit of a state in an episode, or from "every" one
    importance : "ordinary", "weighted" or "per-decision"
    step_size, per : α, a number or a schedule, where n counts visits of s (weighted: their weights), or steps
    average : report the average of all estimates so far
    episode_steps : when an episode is cut off and a new one starts
    start_value, start_from : v at the start
    threads, time_limit, weights, reference, resume, checkpoint : as in td0

    Returns
    -------
    Learned: v (S,) of the mean over the runs, `estimates` (runs, S), the curve of the errors; `extra` counts the
    episodes of all runs, and those cut off. No certificate.

    Raises
    ------
    OptionError : an option out of range, or a behaviour that lacks an action of the policy
    NoFiniteAnswer : at γ = 1, where the policy collects reward forever
    NumericalError : the estimates diverge

    Sources
    -------
    Sutton & Barto (2018), 5.1, 5.5 (ordinary and weighted), 5.9 (per decision), (6.1). Precup, Sutton & Singh (2000).

    Examples
    --------
    From a to b to the end, reward 1 each, γ = 1/2: v(a) = 1 + 1/2, known after the second step.

    >>> P = [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]]
    >>> mdp = MDP(P, [[1], [1], [0]], "1/2", states=["a", "b", "end"], terminal=["end"], start="a")
    >>> [monte_carlo(mdp, Policy.uniform(mdp), steps=n).v.tolist() for n in (1, 2)]
    [[nan, nan, 0.0], [1.5, 1.0, 0.0]]
    """
    from tabular_rl.kernels import monte_carlo as kernels

    run = Learning(monte_carlo, locals(), table="states")
    option, mdp = run.option, run.mdp
    kind, first_visit, rho = IMPORTANCE.index(option["importance"]), option["visit"] == "first", run.rho()
    number, cut = run.add_count("episode", -1), run.add_count("cut", -1)
    counts = kernels.Counts(
        run.add("mass", 0.0, None if kind == 1 else 0, within=(0.0, LARGEST)),
        run.visits,
        run.total,
        run.since,
    )
    needed = rewards_needed(mdp.gamma)
    walk, _ = walk_of(run, rho=rho)
    if kind == 1 and (rho != 1.0).any():  # n is a sum of ratios, for which no step size is found beforehand
        walk = walk._replace(step_size=walk.step_size[:4])
    none = np.zeros(0, dtype=np.int64)
    if run.data is not None:
        entry = mdp.pair_state[run.data.row].astype(np.int64) if first_visit else None
        how = kernels.Returns(kind, first_visit, 0, *episodes(run, entry, needed))
        none = np.zeros((run.runs, 0), dtype=np.int64)
        held = kernels.Episodes(none, np.zeros((run.runs, 0)), none, number, cut)
        answer = learn_by(run, kernels.monte_carlo, walk, held, counts, run.estimates, settings=(how,))
        return with_unused(with_episodes(answer, number, cut, 0), _unused_of_log(run, how, answer.steps))
    longest = option["episode_steps"] or run.whole.horizon or int(min(2 * needed, LONGEST))
    missing = int(min(needed - 1, longest // 2))
    check_room(run, longest)
    warn_of_cuts(run, longest, missing)
    place = run.add_walk(longest)
    rows, rewards = run.add_index("rows", mdp.L, longest, low=-mdp.L), run.add("rewards", 0.0, longest)
    seen = run.add_count("seen", None if first_visit else 0, value=-1, low=-1)
    tables = kernels.Episodes(rows, rewards, seen, number, cut), counts, run.estimates
    how = kernels.Returns(kind, first_visit, missing, none, none, none)
    answer = learn_by(run, kernels.monte_carlo, walk, *tables, settings=(how,), place=place)
    answer = with_episodes(answer, number, cut, longest)
    weights = kind == 1 and bool((rho == 0).any())
    if not first_visit:  # nobody looked which states were met
        return with_unused(answer, {f"never visited, or {WEIGHTLESS}": np.full(mdp.S, weights)})
    met = seen >= 0
    ended = (met & (seen < number[:, None]) & (cut == 0)[:, None] & weights).any(axis=0)
    either = met.any(axis=0) & ~ended
    return with_unused(
        answer, {WEIGHTLESS: ended, f"{WEIGHTLESS}, or {ENDLESS}" if weights else ENDLESS: either}
    )


def _unused_of_log(run: Learning, how: Returns, steps: int) -> dict[str, NDArray[np.bool_]]:
    """The states (S,) that were met in the first `steps` lines of a log, by why nothing may be learned of them."""
    assert run.data is not None
    begun, keep, state = how.begun, how.keep, run.mdp.pair_state[run.data.row[:steps]]
    inside = np.cumsum(np.bincount(begun[begun >= 0], minlength=len(begun) + 1))
    inside -= np.cumsum(np.bincount(keep[begun >= 0], minlength=len(begun) + 1))
    met, ended = np.zeros((2, run.mdp.S), dtype=bool)
    met[state], ended[state[inside[: len(state)] > 0]] = True, True
    return {WEIGHTLESS: ended, ENDLESS: met & ~ended}


def check_room(run: Learning, longest: int) -> None:
    """Raise OptionError where the episodes of all runs take more memory than they may."""
    size = 16.0 * longest * run.runs
    if size > MOST:
        raise OptionError(
            f"--episode-steps: found {longest}; the episodes of {run.runs} runs take {size_text(size)}, more than is "
            "allowed. Lower it, or --runs."
        )


def rewards_needed(gamma: float) -> float:
    """The least n with γ^n ≤ MISSED: n rewards are nearly the whole return.

    >>> rewards_needed(0.1), rewards_needed(0.0), rewards_needed(1.0)
    (4, 1, inf)
    """
    if gamma == 0 or gamma == 1:
        return 1 if gamma == 0 else math.inf
    return max(1, math.ceil(math.log(MISSED) / math.log(gamma) - 1e-9))


def episodes(run: Learning, entry: NDArray[np.int64] | None, needed: float) -> tuple[NDArray[np.int64], ...]:
    """Return (rows, begun, keep) of a log as the kernel takes them, and say what of it cannot be used.

    Parameters
    ----------
    run : the call of a learner with a log of N transitions
    entry : (N,) the states or pairs whose first visit in an episode is learned from only; None: every visit
    needed : rewards after which a return counts as whole, where the log cuts an episode off

    Returns
    -------
    rows (N,), with -i - 1 for row i at visits that are passed over, as they are not the first; at the end of an episode
    begun (N,) is where it began, else -1, and what stands before keep (N,) is learned from.
    """
    data = run.data
    assert data is not None
    N = len(data)
    ends = np.flatnonzero(data.next_row < 0)
    first = np.append(0, ends[:-1] + 1)
    begun = np.full(N, -1, dtype=np.int64)
    begun[ends] = first
    keep = np.zeros(N, dtype=np.int64)
    left_out = np.where(data.done[ends], 0, np.minimum(needed - 1, ends + 1 - first)).astype(np.int64)
    keep[ends] = ends + 1 - left_out
    rows = data.row.copy()
    if entry is not None:
        again = np.ones(N, dtype=bool)
        number = np.repeat(np.arange(len(ends)), ends + 1 - first)
        again[np.unique(number * run.entries + entry, return_index=True)[1]] = False
        rows[again] = -rows[again] - 1
    if left_out.any():
        run.verdicts.append(
            f"data: {left_out.sum()} of {N} transitions are not learned from, as their episode is cut off before "
            + ("its end" if run.mdp.gamma == 1 else f"{needed} rewards have followed")
        )
    return rows, begun, keep


def warn_of_cuts(run: Learning, longest: int, missing: int) -> None:
    """Say before the run that returns are cut off, where they surely are: where an end cannot be reached.

    Parameters
    ----------
    run : the call of the learner; the sentence is added to its verdicts
    longest : steps after which an episode is cut off
    missing : a return that is used has more rewards than this
    """
    mdp, behavior = run.mdp, run.behavior
    assert behavior is not None
    takes, drawn = behavior.weights > 0, mdp.prob
    endless = reachable(mdp, mdp.start > 0, takes, drawn) & ~can_reach(mdp, mdp.terminal, takes, drawn)
    if endless.any():
        s = quoted(state_name(run.whole, mdp, int(np.argmax(endless))))
        missed = (
            f"up to {mdp.gamma ** (missing + 1):.1g} of the largest |value|"
            if mdp.gamma < 1
            else "what comes later"
        )
        run.verdicts.append(
            f"episodes never end from state {s} on: they are cut off after {longest} steps (--episode-steps), and "
            f"their returns miss {missed}"
        )


def with_unused(answer: Learned, unused: dict[str, NDArray[np.bool_]]) -> Learned:
    """The answer with the states that were met and never learned from, by the reason: masks over the model's states."""
    T, never, left = answer.mdp.horizon, answer.never_visited, {}
    for reason, mask in unused.items():
        found = (mask if T is None else mask.reshape(T + 1, -1)[:T]) & never
        if found.any():
            left[reason] = found
    return replace(answer, unused=left)


def with_episodes(
    answer: Learned, episode: NDArray[np.int64], cut: NDArray[np.int64], longest: int
) -> Learned:
    """The answer with the number of episodes, and a note where some were cut off, or none came to its end.

    Parameters
    ----------
    answer : of a learner of whole episodes
    episode, cut : (runs,) the episodes of each run, and those of them that were cut off
    longest : steps after which an episode is cut off

    Returns
    -------
    The answer, with "episodes" and "cut" of all runs together in its `extra`.
    """
    count, cuts, notes = int(episode.sum()), int(cut.sum()), [answer.note] if answer.note else []
    if cuts:
        notes.append(f"{cuts:,} of {count:,} episodes were cut off after {longest:,} steps")
    elif not count:
        notes.append("no episode came to its end, so nothing was learned")
    counts = {"episodes": count, "cut": cuts}
    return replace(answer, note=spoken("; ".join(notes)), extra={**answer.extra, **counts})
