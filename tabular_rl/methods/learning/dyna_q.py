"""Dyna-Q: Q-learning that also learns from a model of its own making."""

from __future__ import annotations

from typing import Unpack

from tabular_rl.methods.learning._kept import add_learned_model, wrong_list
from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method


@method(
    equation="q(s,a) ← q(s,a) + α [ r + γ max_a' q(s',a') - q(s,a) ], from real and from remembered (s, a, r, s')",
    source="Sutton (1990); Sutton & Barto (2018), 8.2",
)
def dyna_q(
    mdp: MDP,
    *,
    behavior: Policy | None = None,
    steps: o.Steps = 100_000,
    step_size: o.StepSize = "n^-0.7",
    per: o.Per = "visit",
    planning: o.Planning = 10,
    explore: o.Explore = "epsilon-greedy:0.1",
    **shared: Unpack[o.ValueLearner],
) -> Learned:
    """Learn the optimal action values from each real transition and, after it, from remembered ones.

        q(s,a) ← q(s,a) + α [ r + γ max_a' q(s',a') - q(s,a) ]

    The remembered model is how often each outcome of each pair was seen. After each real step, `planning` pairs are
    drawn from those tried so far, all equally likely, and an outcome of each by its counts. (The book remembers the
    last outcome only, for models without chance, where that is the same.) A step takes 3 + 2 planning uniforms,
    whatever happens in it: the outcome, the restart, the next action; the pair and the outcome of each update of
    planning. Where actions are equally good, one of them is taken at random.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    behavior : a policy that chooses the actions, instead of `explore`
    explore : how actions are chosen: "epsilon-greedy:0.1", "epsilon-visits:10", "boltzmann:1", "ucb:2", schedules too
    planning : n, updates from the remembered model after each real step; 0 is Q-learning
    steps, runs, seed : real transitions a run, independent runs, start of the random numbers
    step_size, per : α, a number or a schedule such as "1/n", where n counts updates of the pair, or real steps
    episode_steps : when an episode is cut off
    start_value, start_from : q at the start; a high one is optimistic
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
    Sutton (1990). Sutton & Barto (2018), 8.2, the box "Tabular Dyna-Q".

    Examples
    --------
    One action, reward 1, then the end; α = 1/2, one update of planning a step: 1/2 and 3/4 in the first step.

    >>> mdp = MDP([[[0, 1]], [[0, 0]]], [[1], [0]], 1, states=["a", "end"], terminal=["end"])
    >>> [dyna_q(mdp, steps=n, step_size=0.5, planning=1).q.tolist() for n in (1, 2)]
    [[0.75], [0.9375]]
    """
    from tabular_rl.kernels import dyna

    run = Learning(dyna_q, locals(), table="pairs")
    walk, _ = walk_of(run)
    place = run.add_walk(walk.episode_steps)
    planning = run.option["planning"]
    run.updates = planning + 1
    size, known = run.add_count("size", -1, most=run.mdp.L), run.add_index("known", run.mdp.L)
    tried, counts = add_learned_model(run)
    run.add_condition(lambda: wrong_list("known", known, size, tried > 0))
    tables = dyna.Memory(known, size, tried, counts), run.visits, run.total, run.since, run.estimates
    return learn_by(run, dyna.dyna_q, walk, *tables, extra=2 * planning, tried=tried, place=place)
