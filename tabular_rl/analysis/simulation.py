"""What a policy earns, estimated by playing it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.intervals import start_bounds
from tabular_rl.errors import NotAnswerable, NumericalError, OptionError, quoted
from tabular_rl.model import hooks
from tabular_rl.model.calls import Option, public
from tabular_rl.model.graph.reduction import zero_states
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.settings import AVERAGED
from tabular_rl.model.transitions import Transitions
from tabular_rl.solving import run as running
from tabular_rl.solving.options import EPISODES, OPTIONS, SEED
from tabular_rl.solving.run import Run, Stop
from tabular_rl.solving.solution import Floats, Solution

STEPS = Option("steps", int, "steps after which an episode is cut off", low=1, high=1e9, optional=True)
LEVEL = Option("level", float, "level of the confidence interval", low=0.5, high=0.999999)

TOGETHER = 4096  # episodes played side by side
CHUNK = 64  # steps between two looks at which have ended
CUT = 1e-6  # share of the largest possible return that discounted episodes may leave out
LONGEST = 1_000_000  # steps of an episode at γ = 1
RECORDED = 65_536  # transitions recorded at once


@dataclass(frozen=True, eq=False, repr=False)
class Simulation(hooks.Shown):
    """The mean return of a policy, how sure it is, and the exact value beside it.

    With probability about `level` the expected return is within `mean` ± `half_width`. That is z s / √n by the normal
    approximation, plus `cut`: what the steps left out can be worth at most. `unended` counts episodes at γ = 1
    that were still going on; then there is no interval (`half_width` is inf). `note` says where the model has lost the
    rewards of its outcomes, so that returns vary less. `reference` is the exact answer of the policy, None where it was
    not wanted or not found; `missing` then says why.
    """

    mdp: MDP
    policy: Policy

    episodes: int
    mean: float
    deviation: float
    half_width: float
    cut: float
    level: float
    steps: int
    longest: int
    unended: int
    seed: int
    seconds: float
    stopped: str | None = None
    note: str = ""
    reference: Solution | None = None
    missing: str = ""

    @property
    def lower(self) -> float:
        """The lower end of the confidence interval."""
        return self.mean - self.half_width

    @property
    def upper(self) -> float:
        """The upper end of the confidence interval."""
        return self.mean + self.half_width

    @property
    def verdict(self) -> str:
        """Where the exact value lies, in words; "" where one of the two is not known."""
        if self.reference is None or not math.isfinite(self.half_width):
            return ""
        low, high = start_bounds(self.reference)
        if not (math.isfinite(low) and math.isfinite(high)):
            return ""
        if self.lower <= low and high <= self.upper:
            return "inside the interval"
        if high < self.lower or low > self.upper:
            return f"outside the interval, as in {1 - self.level:.2g} of all runs"
        return "at the edge of the interval"

    def __repr__(self) -> str:
        return f"Simulation(mean={self.mean:.6g} ± {self.half_width:.2g}, episodes={self.episodes})"

    def __str__(self) -> str:
        return str(hooks.text_of(self))


@public
def simulate(
    mdp: MDP,
    policy: Any,
    *,
    start: Any = None,
    episodes: int = 10_000,
    steps: int | None = None,
    seed: int = 0,
    level: float = 0.99,
    time_limit: float | None = None,
    reference: Any = None,
) -> Simulation:
    """Estimate the expected return of a policy from the start distribution, beside the exact value.

        G = Σ_t γ^t R_t,    mean = Σ G / n,    mean ± z s / √n

    An episode ends at a terminal state, at the horizon, or where γ^t Rmax / (1 - γ), which is all that could still
    come, has become small; that amount is added to the interval. At γ = 1 it also ends where the policy stays for
    ever and earns 0 on average.

    Parameters
    ----------
    mdp, policy : the model, and a policy in any form that `Policy.of` takes
    start : a state by name or index, or a distribution, instead of the model's start
    episodes : how many
    steps : cut an episode off after this many (default: from γ; 1,000,000 at γ = 1)
    seed : the same seed gives the same episodes. Each step takes two uniforms, the start of an episode one.
    level : of the confidence interval
    time_limit : seconds; the exact value has what is left of them
    reference : the exact Solution to compare with (default: computed), False for none

    Returns
    -------
    Simulation. `print` shows what the command `simulate` shows.

    Raises
    ------
    NoFiniteAnswer : at γ = 1, where the policy earns or pays forever
    OptionError : an option out of range, or no state to start from

    Sources
    -------
    Sutton & Barto (2018), section 5.1: Monte Carlo prediction.

    Examples
    --------
    One state that pays 1 a step: every return is Σ γ^t = 2, up to what was cut off.

    >>> mdp = MDP([[[1.0]]], [[1.0]], 0.5)
    >>> s = simulate(mdp, "uniform", episodes=10)
    >>> s.lower <= 2 <= s.upper, s.half_width < 1e-5, s.verdict
    (True, True, 'inside the interval')
    """
    from tabular_rl.solving.sampling import decisions, read_only, sampling_model

    episodes, seed, level = EPISODES.check(episodes), SEED.check(seed), LEVEL.check(level)
    steps, time_limit = STEPS.check(steps), OPTIONS["time_limit"].check(time_limit)
    mdp, policy = _starting_at(mdp, policy, start)
    if mdp.terminal.all():
        raise OptionError("no state to start from: all states are terminal")
    if not (reference is None or reference is False or isinstance(reference, Solution)):
        raise OptionError(f"reference: found {quoted(reference)}, expected a Solution, or False for none")
    run = Run("simulate", {}, time_limit)
    limit, cut = episode_limit(mdp, steps)
    stop = mdp.terminal | zero_states(mdp, policy)
    # Rewards are those of the model: returns are shown in its sign.
    reward = np.zeros(0) if mdp.reward is None else mdp.reward
    model = sampling_model(mdp)._replace(terminal=stop, reward=read_only(reward), r=mdp.r)
    chosen = decisions(policy)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))

    # By a power of two, which rounds nothing: squares of returns may be beyond the range of floats.
    scale = 2.0 ** (math.frexp(_largest_return(mdp, 1))[1] - 1)
    n, mean, squares, total, longest, going_on = 0, 0.0, 0.0, 0, 0, 0

    def look() -> None:
        run.check_stop()
        running.tell("simulate", n, episodes, "episodes")

    stopped: str | None = None
    try:
        while n < episodes:
            count = min(TOGETHER, episodes - n)
            G, done, live = _returns(mdp, model, chosen, rng, count, limit, look)
            going_on += live
            G /= scale
            # Chan's update of mean and squares by a batch.
            delta, batch = float(G.mean()) - mean, float(np.square(G - G.mean()).sum())
            squares += batch + delta**2 * n * count / (n + count)
            mean += delta * count / (n + count)
            n, total, longest = n + count, total + int(done.sum()), max(longest, int(done.max()))
            run.did("episodes", count)
    except Stop as error:
        stopped = error.why
    unended = going_on if mdp.problem.must_end else 0
    cut = cut * going_on / n * (1 + 1e-15) if n else 0.0
    mean *= scale
    deviation = math.sqrt(squares / (n - 1)) * scale if n > 1 else math.inf
    if n > 1 and not math.isfinite(deviation):
        raise NumericalError("overflow: the standard deviation of the returns is larger than any float64")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    # Rounding: each return is a sum of `longest` products, each a few ulp of the largest return wrong.
    rounding = (longest + 10) * 2.0**-51 * _largest_return(mdp, max(longest, 1))
    half = z * deviation / math.sqrt(n) + cut + rounding if n > 1 and not unended else math.inf
    exact, missing = reference, ""
    if reference is None and stopped is None:
        exact, missing = _exact_value(mdp, policy, time_limit, run.seconds)
    return Simulation(
        mdp,
        policy,
        n,
        mean if n else math.nan,
        deviation,
        half,
        cut,
        level,
        total,
        longest,
        unended,
        seed,
        run.seconds,
        stopped,
        AVERAGED if mdp.averaged else "",
        exact or None,
        missing,
    )


def _returns(
    mdp: MDP,
    model: Any,
    chosen: Any,
    rng: np.random.Generator,
    count: int,
    limit: int,
    look: Callable[[], None],
) -> tuple[Floats, NDArray[np.int64], int]:
    """The returns of some episodes, their steps, and how many were still going on; `look` is called between chunks."""
    from tabular_rl.kernels.episodes import play

    nothing_written = [np.empty((0, 0), dtype=kind) for kind in (np.int64, np.int64, np.bool_)]
    state = np.searchsorted(model.start, rng.random(count), side="right")
    G, factor, done = np.zeros(count), np.ones(count), np.zeros(count, dtype=np.int64)
    live, time = np.flatnonzero(~model.terminal[state]), 0
    while time < limit and live.size:
        look()
        uniforms = rng.random((live.size, min(CHUNK, limit - time), 2))
        part = state[live], done[live], factor[live], G[live]
        play(model, chosen, 0, uniforms, *part, *nothing_written)
        state[live], done[live], factor[live], G[live] = part
        time += uniforms.shape[1]
        live = live[~model.terminal[state[live]]]
    if mdp.final_reward is not None:
        there = done == limit
        G[there] += factor[there] * mdp.final_reward[state[there]]
    if not np.isfinite(G).all():
        raise NumericalError("overflow: the return of an episode is larger than any float64")
    return G, done, int(live.size)


def _starting_at(mdp: MDP, policy: Policy, start: Any) -> tuple[MDP, Policy]:
    """The model with another start, a state by name or index, or a distribution, and the policy with it."""
    if start is None:
        return mdp, policy
    if isinstance(start, (str, Integral)):
        try:
            at = mdp.states.at(start, "state")
        except OptionError as error:
            raise type(error)(f"--start: {error}") from None
        if mdp.terminal[at]:
            state = quoted(mdp.states[at])
            raise OptionError(f"--start: state {state}: found a terminal state, expected one with actions")
        start = np.zeros(mdp.S)
        start[at] = 1.0
    moved = mdp.replace(start=start)
    return moved, policy.replace_model(moved)


def _exact_value(
    mdp: MDP, policy: Policy, time_limit: float | None, spent: float
) -> tuple[Solution | None, str]:
    """The exact answer of a policy in what is left of the time, or why there is none."""
    from tabular_rl.methods.planning.auto import auto_evaluation

    left = None if time_limit is None else max(time_limit - spent, 0.0)
    exact: Solution | None = None
    try:
        exact = auto_evaluation(mdp, policy, time_limit=left)
    except NotAnswerable:
        return None, ""
    except Stop:
        pass
    if left is not None and running.interrupt.signum is None and (exact is None or not exact.status.reached):
        return None, "not computed: the time limit is over"
    return exact, ""


def _largest_return(mdp: MDP, steps: int) -> float:
    """Rmax Σ_t γ^t over this many steps, and the final reward."""
    gamma, largest = mdp.gamma, mdp.facts.largest_reward
    total = largest * (min(steps, 1 / (1 - gamma)) if gamma < 1 else steps)
    return total + (float(np.max(np.abs(mdp.final_reward))) if mdp.final_reward is not None else 0.0)


def episode_limit(mdp: MDP, steps: int | None) -> tuple[int, float]:
    """After how many steps an episode is cut off, and what is left out at most."""
    if mdp.horizon is not None:
        if steps is not None and steps < mdp.horizon:
            raise OptionError(f"--steps: found {steps}, expected the horizon, {mdp.horizon}, or more")
        return mdp.horizon, 0.0
    gamma, largest = mdp.gamma, mdp.facts.largest_reward
    if not mdp.discounted:
        return steps or LONGEST, 0.0
    if gamma >= 1.0:
        raise OptionError("simulate: the discount is too near 1 for a float. Use evaluate, which is exact.")
    if steps is None:
        steps = max(1, math.ceil(math.log(CUT) / math.log(gamma))) if gamma > 0 else 1
        if steps > STEPS.high:
            raise OptionError(
                f"simulate: at this discount an episode takes {steps:.2g} steps. Limit them with --steps, or evaluate."
            )
    left = math.exp(steps * math.log(gamma)) * (1 + steps * 2.0**-50) if gamma > 0 else 0.0
    return steps, left * largest / (1 - gamma) * (1 + 1e-9)


# -- transitions to learn from ------------------------------------------------------------------------------------


@public
def sample_transitions(
    mdp: MDP,
    behavior: Any,
    steps: int,
    seed: int = 0,
    *,
    start: Any = None,
    episodes: int | None = None,
    episode_steps: int | None = None,
) -> Transitions:
    """Return transitions of a policy, as a log of it would hold them.

    An episode begins by the start distribution and ends at a terminal state; at the horizon, or after `episode_steps`,
    it is cut off, which is not `done`.

    Parameters
    ----------
    mdp, behavior : the model, and the policy that chooses the actions
    steps : how many transitions
    start : a state by name or index, or a distribution, instead of the model's start
    seed : the same seed gives the same transitions, and fewer steps the first of them. A transition takes three
        uniforms: action, outcome, start of the next episode; the first start takes one.
    episodes : stop after this many, where that is sooner
    episode_steps : cut an episode off after this many transitions

    Returns
    -------
    Transitions, with the probability with which each action was chosen as `propensity`

    Raises
    ------
    OptionError : an option out of range, or no state to start from

    Examples
    --------
    >>> mdp = MDP([[[0, 1]], [[0, 0]]], [[1.0], [0.0]], 1, states=["a", "end"], terminal=["end"])
    >>> log = sample_transitions(mdp, Policy.uniform(mdp), steps=3)
    >>> log.reward.tolist(), log.done.tolist()
    ([1.0, 1.0, 1.0], [True, True, True])
    """
    from tabular_rl.kernels.episodes import play
    from tabular_rl.solving.sampling import decisions, sampling_model

    steps, seed = STEPS.check(steps), SEED.check(seed)
    limit = OPTIONS["episode_steps"].check(episode_steps) or steps
    most = steps if episodes is None else EPISODES.check(episodes)
    whole, (mdp, behavior) = mdp, _starting_at(mdp, behavior, start)
    if mdp.terminal.all():
        raise OptionError("no state to start from: all states are terminal")
    limit = limit if mdp.horizon is None else min(limit, mdp.horizon)
    model, chosen = sampling_model(mdp), decisions(behavior)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    state = np.searchsorted(model.start, rng.random(1), side="right")
    clock = np.zeros(1, dtype=np.int64)
    row, outcome = np.empty((2, 1, steps), dtype=np.int64)
    last = np.empty((1, steps), dtype=np.bool_)
    n, played, no_return = 0, 0, (np.empty(0), np.empty(0))
    while n < steps and played < most:
        part = np.s_[:, n : n + RECORDED]
        uniforms = rng.random((1, min(RECORDED, steps - n), 3))
        play(model, chosen, limit, uniforms, state, clock, *no_return, row[part], outcome[part], last[part])
        ends = n + np.flatnonzero(last[part])[: most - played] + 1
        played += len(ends)
        n = int(ends[-1]) if played == most else n + uniforms.shape[1]
    row, outcome, last = row[0, :n], outcome[0, :n], last[0, :n]
    made = Transitions.of_arrays(
        whole,
        row,
        mdp.r[row] if mdp.reward is None else mdp.reward[outcome],
        mdp.next_state[outcome],
        np.zeros(n, np.bool_),
        _chosen_with(behavior, row, last),
    )
    made.next_row[last] = -1
    return made


def _chosen_with(behavior: Policy, row: NDArray[np.int64], last: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the probability with which each action was chosen (N,), where episodes end at `last`."""
    weights = behavior.weights
    if weights.ndim == 1:
        return weights[row]
    at = np.arange(len(row))
    begins = np.maximum.accumulate(np.where(np.append(True, last[:-1]), at, 0))
    return weights[at - begins, row]
