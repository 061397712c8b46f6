"""Monte Carlo control: action values, and by them the policy, from the returns of whole episodes."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.methods.learning.monte_carlo import (
    ENDLESS,
    LONGEST,
    check_room,
    episodes,
    rewards_needed,
    warn_of_cuts,
    with_episodes,
    with_unused,
)
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method
from tabular_rl.solving.sampling import Floats, cumulative


@method(
    equation="q(s,a) ← q(s,a) + α [ G - q(s,a) ],  G = r + γ r' + γ² r'' + ... to the end of the episode",
    source="Sutton & Barto (2018), 5.3, 5.4",
    on_policy=True,
    samples_action=True,
)
def monte_carlo_control(
    mdp: MDP,
    *,
    behavior: Policy | None = None,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    visit: o.Visit = "first",
    step_size: o.StepSize = "1/n",
    explore: o.Explore = "epsilon-greedy:0.1",
    exploring_starts: o.ExploringStarts = False,
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn action values of the exploring policy from the returns of whole episodes, while it improves.

        q(s,a) ← q(s,a) + α [ G - q(s,a) ],    G = r + γ r' + γ² r'' + ... to the end of the episode

    With α = 1/n, the default, q(s,a) is the mean of the returns that followed the visits of (s,a): the `first` of each
    episode, or `every` one. Values change at the end of an episode, the last visit first, and with them the policy.
    What is learned are the values of the policy that explores; with `explore` "epsilon-greedy:0.1" it becomes the best
    of those that explore so. With `exploring_starts` an episode begins with a pair drawn from all, and goes on by
    `explore`: "greedy" is then enough.

    Episodes that do not end are cut off as in monte_carlo. A step takes three uniforms, as in q_learning; the second is
    the next start state, or with exploring starts the next first pair.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    behavior : a policy that chooses the actions, instead of `explore`; its values are then learned
    explore : how actions are chosen: "epsilon-greedy:0.1", "epsilon-visits:10", "boltzmann:1", "ucb:2", schedules too
    exploring_starts : begin each episode with a state and an action, all pairs equally likely
    data : Transitions to learn from, in order, again and again, instead of samples of the model; where an episode
        of them is cut off, visits with too few rewards after them are left out, all of them at γ = 1
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    visit : learn from the "first" visit of a pair in an episode, or from "every" one
    step_size, per : α, a number or a schedule, where n counts visits of the pair, or steps
    average : report the average of all estimates so far
    episode_steps : when an episode is cut off and a new one starts
    start_value, start_from : q at the start; a high one is optimistic
    threads, time_limit, weights, reference, resume, checkpoint : as in td0; weights are (L,)

    Returns
    -------
    Learned: q (L,) of the mean over the runs, v = max_a q, the greedy policy, `estimates` (runs, L); `extra` counts the
    episodes of all runs, and those cut off. No certificate.

    Raises
    ------
    OptionError : an option out of range
    NoFiniteAnswer : at γ = 1, where no finite answer exists

    Sources
    -------
    Sutton & Barto (2018), 5.3 (exploring starts), 5.4 (without).

    Examples
    --------
    From a to b to the end, reward 1 each, γ = 1/2: q(a) = 1 + 1/2, known after the second step.

    >>> P = [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]]
    >>> mdp = MDP(P, [[1], [1], [0]], "1/2", states=["a", "b", "end"], terminal=["end"], start="a")
    >>> [monte_carlo_control(mdp, steps=n).q.tolist() for n in (1, 2)]
    [[nan, nan], [1.5, 1.0]]
    """
    from tabular_rl.kernels import monte_carlo_control as kernels

    run = Learning(monte_carlo_control, locals(), table="pairs")
    option, mdp, first_visit = run.option, run.mdp, run.option["visit"] == "first"
    number, cut = run.add_count("episode", -1), run.add_count("cut", -1)
    counts = kernels.PairCounts(run.visits, run.total, run.since)
    needed, none = rewards_needed(mdp.gamma), np.zeros(0, dtype=np.int64)
    walk, _ = walk_of(run)
    if run.data is not None:
        entry = run.data.row if first_visit else None
        how = kernels.Control(first_visit, False, 0, *episodes(run, entry, needed))
        empty = np.zeros((run.runs, 0), dtype=np.int64)
        held = kernels.Episodes(empty, np.zeros((run.runs, 0)), empty, number, cut)
        answer = learn_by(
            run, kernels.monte_carlo_control, walk, held, counts, run.estimates, settings=(how,)
        )
        met = np.bincount(run.data.row[: answer.steps], minlength=mdp.L) > 0
        return with_unused(with_episodes(answer, number, cut, 0), {ENDLESS: _states_of(run, met)})
    longest = option["episode_steps"] or run.whole.horizon or int(min(2 * needed, LONGEST))
    missing = int(min(needed - 1, longest // 2))
    check_room(run, longest)
    warn_of_cuts(run, longest, missing)
    if exploring_starts:
        walk = walk._replace(pairs=cumulative(np.ones(mdp.L) / mdp.L))
    place = run.add_walk(longest)
    rows, rewards = run.add_index("rows", mdp.L, longest, low=-mdp.L), run.add("rewards", 0.0, longest)
    seen = run.add_count("seen", value=-1, low=-1)
    tables = kernels.Episodes(rows, rewards, seen, number, cut), counts, run.estimates
    how = kernels.Control(first_visit, exploring_starts, missing, none, none, none)

    def first_pairs(uniforms: Floats, row: NDArray[Any]) -> None:
        row[:] = np.searchsorted(walk.pairs, uniforms[:, 0], side="right")

    answer = learn_by(
        run, kernels.monte_carlo_control, walk, *tables, settings=(how,), place=place,
        first_rows=first_pairs if exploring_starts else None,
    )  # fmt: skip
    met = np.any(seen >= 0, axis=0)
    return with_unused(with_episodes(answer, number, cut, longest), {ENDLESS: _states_of(run, met)})


def _states_of(run: Learning, met: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The states (S,) of some pairs (L,)."""
    states = np.zeros(run.mdp.S, dtype=bool)
    states[run.mdp.pair_state[met]] = True
    return states
