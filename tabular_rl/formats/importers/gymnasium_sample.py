"""Environments that do not tell their transitions, estimated from steps that are taken in them.

Each step takes an action that was tried least in its state, ties broken at random. What follows an action does not
depend on how it was chosen, so that the shares of what was seen estimate the transitions all the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular_rl.errors import ModelError, OptionError, TabularError, escape, kind_text
from tabular_rl.formats.importers.gymnasium_spaces import (
    Key,
    action_name,
    entries_of,
    key_of,
    kind_of,
    not_finite,
    state_name,
)
from tabular_rl.model import hooks
from tabular_rl.model.calls import Option
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names
from tabular_rl.model.transitions import Log

STEPS = Option("sample", int, "steps that a model is estimated from", low=1, high=1e9)
SEED = Option("seed", int, "seed of the environment and of what is drawn", low=0, high=2**63 - 1)
OF_SAMPLES = ("sense", "name", "final_reward", "layout")  # options of MDP.from_gymnasium


class Step(NamedTuple):
    """A step as it was taken; `begins` is whether an episode began with it."""

    s: Key
    a: int
    reward: float
    s2: Key
    done: bool
    begins: bool


def sample_log(env: Any, steps: int, seed: int = 0) -> Log:
    """Return a log of steps in an environment, whose observations and actions are finite.

    Steps whose last state was never left, by a time limit or at the end, say nothing of what follows: they are left
    out. `estimate` makes a model of the log, with counts.

    Parameters
    ----------
    env : a Gymnasium environment, as it is wrapped
    steps : how many steps
    seed : the same seed gives the same log

    Returns
    -------
    Log, of at most that many transitions.

    Raises
    ------
    ModelError : a space that is not finite, an environment that fails, or no step that says what follows
    """
    steps, seed = STEPS.check(steps), SEED.check(seed)
    inner = getattr(env, "unwrapped", env)
    if endless := not_finite(env):
        raise ModelError(endless)
    actions = list(entries_of(env.action_space))
    try:
        taken = _known_ends(_walk(env, actions, steps, seed))
    except TabularError:
        raise
    except Exception as error:  # an environment of somebody else may raise anything
        what = escape(" ".join(str(error).split()), 200)
        raise ModelError(
            f"{type(inner).__name__}: failed in a step: {type(error).__name__}: {what}"
        ) from error
    if not taken:
        raise ModelError(f"sample: found no end, and no state twice, in {steps} steps, expected more steps")
    kind = kind_of(inner)
    keys: list[Any] = sorted({step.s for step in taken} | {step.s2 for step in taken})
    index = {key: at for at, key in enumerate(keys)}
    return Log(
        states=Names([state_name(inner, kind, key) for key in keys]),
        actions=Names([action_name(inner, kind, key) for key in actions]),
        s=np.array([index[step.s] for step in taken], dtype=np.int64),
        a=np.array([step.a for step in taken], dtype=np.int64),
        reward=np.array([step.reward for step in taken]),
        s2=np.array([index[step.s2] for step in taken], dtype=np.int64),
        done=np.array([step.done for step in taken], dtype=bool),
        begins=np.array([step.begins for step in taken], dtype=bool),
    )


def _walk(env: Any, actions: list[Key], steps: int, seed: int) -> list[Step]:
    """Take steps: in each state an action that was tried least there, of those that a mask allows."""
    space, rng = env.action_space, np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    arrays = {base.__name__ for base in type(space).__mro__} & {"MultiDiscrete", "MultiBinary"}
    given = [np.array(key, dtype=space.dtype) if arrays else key for key in actions]
    tried: dict[Key, np.ndarray] = {}
    taken: list[Step] = []
    observation, info = env.reset(seed=seed)
    begins = True
    for _ in range(steps):
        s = _seen(observation)
        counts = tried.setdefault(s, np.zeros(len(actions)))
        mask = info.get("action_mask") if isinstance(info, dict) else None
        open_ = counts if mask is None or np.shape(mask) != counts.shape else np.where(mask, counts, np.inf)
        least = np.flatnonzero(open_ == open_.min())
        a = int(least[int(rng.random() * len(least))])
        counts[a] += 1
        observation, reward, terminated, truncated, info = env.step(given[a])
        taken.append(Step(s, a, _number(reward), _seen(observation), bool(terminated), begins))
        begins = bool(terminated or truncated)
        if begins:
            observation, info = env.reset()
    return taken


def _seen(observation: Any) -> Key:
    try:
        return key_of(observation)
    except (TypeError, ValueError):
        raise ModelError(f"observation: found {kind_text(observation)}, expected integers") from None


def _number(reward: Any) -> float:
    try:
        number = float(reward)
    except (TypeError, ValueError):
        raise ModelError(f"reward: found {kind_text(reward)}, expected a number") from None
    if not np.isfinite(number):
        raise ModelError(f"reward: found {number}, expected a finite number")
    return number


def _known_ends(taken: list[Step]) -> list[Step]:
    """The steps without those to a state that none of them leaves, though the episode was not over."""
    while True:
        left = {step.s for step in taken}
        kept = [step for step in taken if step.done or step.s2 in left]
        if len(kept) == len(taken):
            return taken
        taken = kept


def sampled_model(env: Any, gamma: Any, horizon: Any, sample: Any, seed: Any, options: dict[str, Any]) -> MDP:
    """Return the model that steps in an environment estimate, under a name that says so.

    Parameters
    ----------
    env : the environment, as it is wrapped
    gamma, horizon, options : as in `MDP.from_gymnasium`
    sample : how many steps
    seed : of the environment and of the actions

    Returns
    -------
    MDP, of the states that were seen and the actions that were tried there.

    Raises
    ------
    OptionError : an option that an estimate does not take
    ModelError : what `sample_log` raises
    """
    unknown = next((word for word in options if word not in OF_SAMPLES and options[word]), None)
    if unknown is not None:
        raise OptionError(
            f"sample: found {unknown}=, expected none: an estimate has the names of the environment"
        )
    log = sample_log(env, sample, seed)
    name = (
        options.get("name") or getattr(getattr(env, "spec", None), "id", None) or type(env.unwrapped).__name__
    )
    found = hooks.estimate(log, gamma, sense=options.get("sense", "max"))
    more = {key: options[key] for key in ("final_reward", "layout") if options.get(key) is not None}
    if horizon is not None:
        more["horizon"] = horizon
    left_out = int(sample) - len(log)
    said = f"; {left_out:,} left out: nothing is known of what follows them" if left_out else ""
    if untried := len(found.untried):
        said += f"; pairs never tried: {untried:,}"
    mdp: MDP = found.mdp.replace(
        name=f"{name}, estimated from {int(sample):,} steps",
        source=f"estimated from {int(sample):,} steps in {name}, seed {seed}{said}",
        **more,
    )
    return mdp
