"""Prioritized sweeping: a learned model, backed up where that changes most."""

from __future__ import annotations

from typing import Unpack

import numpy as np

from tabular_rl.methods.learning._kept import add_learned_model, wrong_list
from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method


@method(
    equation="q(s,a) ← Σ_s' p̂(s'|s,a) [ r + γ max_a' q(s',a') ], the largest |change| first",
    source="Moore & Atkeson (1993); Sutton & Barto (2018), 8.4",
)
def prioritized_sweeping(
    mdp: MDP,
    *,
    behavior: Policy | None = None,
    steps: o.Steps = 100_000,
    planning: o.Planning = 10,
    threshold: o.Threshold = 1e-9,
    explore: o.Explore = "epsilon-greedy:0.1",
    **shared: Unpack[o.ValueLearner],
) -> Learned:
    """Learn the optimal action values by backups of a learned model, those that change most first.

        q(s,a) ← Σ_s' p̂(s'|s,a) [ r + γ max_a' q(s',a') ],    p̂ the shares of the outcomes seen so far

    The pair just tried is backed up at once; then up to `planning` pairs off a queue. Whenever max_a q(s, ·)
    changes, each pair that was seen to lead to s enters the queue with |what a backup would change|. There is no
    step size: the backup is exact for the model that was seen (the book's, for models without chance, moves by α). A
    step takes three uniforms: the outcome, the restart, the next action. Where actions are equally good, one of them
    is taken at random.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    behavior : a policy that chooses the actions, instead of `explore`
    explore : how actions are chosen: "epsilon-greedy:0.1", "epsilon-visits:10", "boltzmann:1", "ucb:2", schedules too
    planning : n, backups off the queue after each real step
    threshold : θ, changes up to this do not enter the queue
    steps, runs, seed : real transitions a run, independent runs, start of the random numbers
    episode_steps : when an episode is cut off
    start_value, start_from : q at the start; a pair that was never tried keeps it: a high one is optimistic
    threads, time_limit, weights, reference, resume, checkpoint : as in td0; weights are (L,)

    Returns
    -------
    Learned: q (L,) of the mean over the runs, v = max_a q, the greedy policy, `estimates` (runs, L). No certificate.

    Raises
    ------
    OptionError : an option out of range
    NoFiniteAnswer : at γ = 1, where no finite answer exists

    Sources
    -------
    Moore & Atkeson (1993). Sutton & Barto (2018), 8.4, the box "Prioritized sweeping for a deterministic environment".

    Examples
    --------
    A corridor a, b, end that pays 1 at its end; γ = 1/2. The reward is seen in step 2, and carried back in that step.

    >>> mdp = MDP([[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]], [[0], [1], [0]], "1/2", start=[1, 0, 0], terminal=["2"])
    >>> [prioritized_sweeping(mdp, steps=2, planning=n).q.tolist() for n in (0, 1)]
    [[0.0, 1.0], [0.5, 1.0]]
    """
    from tabular_rl.kernels.dyna import Into, Queue, ValuedMemory, sweeping

    run = Learning(prioritized_sweeping, locals(), table="pairs")
    planning, mdp = run.option["planning"], run.mdp
    # The outcomes into each state, and their rows.
    outcome = np.argsort(mdp.next_state, kind="stable")
    ptr = np.searchsorted(mdp.next_state[outcome], np.arange(mdp.S + 1))
    into = Into(ptr, mdp.outcome_row[outcome], outcome)
    walk, _ = walk_of(run)
    at = run.add_walk(walk.episode_steps)
    run.updates = planning + 1
    size, heap = run.add_count("size", -1, most=mdp.L), run.add_index("heap", mdp.L)
    place = run.add_index("place", mdp.L, value=-1, low=-1)
    priority = run.add("priority", 0.0, within=(0.0, np.inf))
    tried, counts = add_learned_model(run)
    v = run.add("v", 0.0, mdp.S)
    v[:] = np.where(mdp.terminal, np.nan, run.start_values)

    def wrong_heap() -> str | None:
        e, at = np.nonzero(place >= 0)
        if not np.array_equal(heap[e, place[e, at]], at):
            return "array 'place': found other places than those in array 'heap'"
        return wrong_list("heap", heap, size, place >= 0)

    run.add_condition(wrong_heap)
    queue = Queue(planning, run.option["threshold"], heap, place, priority, size)
    tables = queue, ValuedMemory(tried, counts, v), run.visits, run.estimates
    return learn_by(run, sweeping, walk, *tables, settings=(into,), tried=tried, place=at)
