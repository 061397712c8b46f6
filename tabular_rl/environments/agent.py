"""A policy that plays in an environment: its states are found by what the environment's observations are called."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError, escape, kind_text, quoted
from tabular_rl.formats.importers.gymnasium_spaces import (
    FINITE,
    Key,
    action_name,
    count_of,
    entries_of,
    is_one,
    key_of,
    kind_of,
    parts_of,
    state_name,
)
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.options import EPISODES, SEED

MOST = 1_000_000  # observations that are named one by one
LONGEST = 100_000  # steps of an episode
WAY_OUT = "Give states=, a function of an observation that returns the state"


class Played(NamedTuple):
    """Episodes that were played, (n,) each: their sums of rewards, the same discounted, their steps.

    `ended` is False where an episode was cut off after the most steps that it might take.
    """

    returns: NDArray[np.float64]
    discounted: NDArray[np.float64]
    steps: NDArray[np.int64]
    ended: NDArray[np.bool_]


class Agent:
    """A policy that acts on the observations of an environment, and plays in it.

    A state is the one that has the name of the observation, as `MDP.from_gymnasium` names them; where the model has
    names of its own, the one of the same number. Actions alike. A stochastic policy draws with one uniform an action;
    a policy that depends on time counts the actions since `reset`.

    Parameters
    ----------
    policy : what to do
    env : the environment, wrapped or not, single or a vector environment
    seed : of what is drawn
    states : a function of an observation that returns a state by name or index, where names and numbers do not say it

    Raises
    ------
    OptionError : the states or the actions are not those of the environment

    Examples
    --------
    >>> from tabular_rl import MDP
    >>> from tabular_rl.environments import ModelEnv
    >>> mdp = MDP.from_outcomes([("a", "go", "b", 1, 5), ("b", "go", "c", 1, 5)], "1/2", terminal=["c"], start="a")
    >>> agent = Policy.uniform(mdp).as_agent(ModelEnv(mdp))
    >>> agent.act(0), agent.returns(2).tolist(), agent.returns(2, gamma=0.5).tolist()
    (0, [10.0, 10.0], [7.5, 7.5])
    """

    def __init__(
        self, policy: Policy, env: Any, seed: int = 0, states: Callable[[Any], Any] | None = None
    ) -> None:
        from tabular_rl.solving.sampling import decisions

        self.policy, self.env = policy, env
        self._copies: int | None = getattr(env, "num_envs", None)
        self._given = states
        if states is not None and not callable(states):
            raise OptionError(f"states: found {kind_text(states)}, expected a function of an observation")
        inner = getattr(env, "unwrapped", env)
        named = _names(inner)
        self._known = (
            {} if states is not None else _states(policy.mdp, self._space("observation"), inner, named)
        )
        self._actions = _actions(policy.mdp, self._space("action"), inner, named)
        self._chosen = decisions(policy)
        self.reset(seed)

    def _space(self, what: str) -> Any:
        """A space of one copy."""
        name = f"{what}_space" if self._copies is None else f"single_{what}_space"
        space = getattr(self.env, name, None)
        if space is None:
            raise OptionError(f"env: found {type(self.env).__name__} without {name}, expected an environment")
        return space

    def reset(self, seed: int | None = None) -> None:
        """Begin an episode: time is 0; with a seed, draws begin anew as well."""
        self.t = 0
        if seed is not None:
            self._rng = np.random.default_rng(np.random.SeedSequence(SEED.check(seed)).spawn(1)[0])

    def act(self, observation: Any, t: Any = None, over: Any = None) -> Any:
        """Return the action for an observation, or those for the observations of all copies.

        Parameters
        ----------
        observation : as the environment has returned it
        t : the time, of each copy where there are several; by default the actions since `reset` are counted
        over : of several copies, those that begin anew with this step: they have any action, since none is taken, and
            what they observe need not be a state

        Returns
        -------
        An action as the environment takes it; in a vector environment one a copy, any where the state is terminal.

        Raises
        ------
        OptionError : no state is called so, or it is terminal and has no actions
        """
        time = self.t if t is None else t
        self.t += 1
        if self._copies is None:
            return self._actions[self._action(self._state(observation), int(time))]
        begins = np.zeros(self._copies, dtype=bool) if over is None else np.asarray(over, dtype=bool)
        return self._act_together(self._states_of(observation, begins), np.broadcast_to(time, self._copies))

    __call__ = act

    def _state(self, observation: Any) -> int:
        """The state of an observation."""
        if self._given is not None:
            return self.policy.mdp.states.at(self._given(observation), "state")
        try:
            return self._known[key_of(observation)]
        except (KeyError, TypeError, ValueError):
            raise OptionError(
                f"observation: found {escape(str(observation))}, which is no state of the policy's model. {WAY_OUT}"
            ) from None

    def _action(self, s: int, t: int) -> int:
        """The index of the action that is taken in a state."""
        mdp, rows, cum = self.policy.mdp, self._chosen.rows, self._chosen.cum
        if mdp.terminal[s]:
            raise OptionError(
                f"state {quoted(mdp.states[s])}: found a terminal state of the policy's model, expected one with "
                "actions: the episode is over"
            )
        i = int(rows[min(t, len(rows) - 1), s])
        if i < 0:
            first, last = int(mdp.pair_ptr[s]), int(mdp.pair_ptr[s + 1])
            here = cum[min(t, len(cum) - 1), first:last]
            i = first + int(np.searchsorted(here, self._rng.random(), side="right"))
        return int(mdp.pair_action[i])

    def _states_of(self, observations: Any, over: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The state of each copy; any where its episode is over."""
        if isinstance(observations, tuple):
            observations = list(zip(*observations, strict=True))
        elif self._given is None and np.ndim(observations) == 1:
            low, index = self._index
            at = np.asarray(observations) - low
            known: NDArray[np.int64] = index[np.clip(at, 0, len(index) - 1)]
            if ((at >= 0) & (at < len(index)) & (known >= 0)).all():
                return known
        found = [0 if ended else self._state(one) for one, ended in zip(observations, over, strict=True)]
        return np.array(found, dtype=np.int64)

    @cached_property
    def _index(self) -> tuple[int, NDArray[np.int64]]:
        """The least observation, and the state of each from there on, -1 where there is none."""
        keys = np.array(list(self._known), dtype=np.int64)
        index = np.full(int(np.ptp(keys)) + 1, -1, dtype=np.int64)
        index[keys - keys.min()] = list(self._known.values())
        return int(keys.min()), index

    def _act_together(self, states: NDArray[np.int64], times: NDArray[Any]) -> NDArray[Any]:
        """The actions of all copies; a copy in a terminal state begins anew, and has the first action."""
        mdp, rows = self.policy.mdp, self._chosen.rows
        if self.policy.deterministic:
            row = rows[np.minimum(times, len(rows) - 1), states]
        else:
            cum = self._cum_table[np.minimum(times, len(self._chosen.cum) - 1), states]
            row = mdp.pair_ptr[states] + (self._rng.random(len(states))[:, None] >= cum).sum(axis=1)
        row = np.where(mdp.terminal[states], 0, row)
        return self._action_array[mdp.pair_action[row]]

    @cached_property
    def _cum_table(self) -> NDArray[np.float64]:
        """The cumulative probabilities of the rows of each state, (T, S, most rows), and 2 behind them."""
        mdp, cum = self.policy.mdp, self._chosen.cum
        made = np.full((len(cum), mdp.S, int(np.diff(mdp.pair_ptr).max())), 2.0)
        made[:, mdp.pair_state, np.arange(mdp.L) - mdp.pair_ptr[mdp.pair_state]] = cum
        return made

    @cached_property
    def _action_array(self) -> NDArray[Any]:
        """Each action as the environment takes it."""
        return np.array(self._actions)

    def returns(self, episodes: int, seed: int = 0, gamma: float = 1.0) -> NDArray[np.float64]:
        """Play, and return the sum of the rewards of each episode.

        Parameters
        ----------
        episodes : how many
        seed : of the environment and of the agent
        gamma : discount; by default none, as Gymnasium counts

        Returns
        -------
        (episodes,)
        """
        return self.play(episodes, seed, gamma=gamma).discounted

    def play(
        self, episodes: int, seed: int = 0, *, gamma: float | None = None, steps: int = LONGEST
    ) -> Played:
        """Play episodes, one after the other; in a vector environment each copy plays as many.

        Parameters
        ----------
        episodes : how many
        seed : of the environment and of the agent
        gamma : discount of `discounted`; by default that of the model
        steps : cut an episode off after this many

        Returns
        -------
        Played

        Raises
        ------
        OptionError : an option out of range, or what `act` raises
        """
        episodes = EPISODES.check(episodes)
        gamma = self.policy.mdp.gamma if gamma is None else gamma
        if not isinstance(gamma, (int, float)) or not 0 <= gamma <= 1:
            raise OptionError(f"gamma: found {kind_text(gamma)}, expected a number from 0 to 1")
        self.reset(seed)
        if self._copies is not None:
            return self._play_copies(episodes, seed, float(gamma), steps)
        rows = [self._play_one(seed if n == 0 else None, float(gamma), steps) for n in range(episodes)]
        plain, discounted, taken, ended = map(np.array, zip(*rows, strict=True))
        return Played(plain, discounted, taken, ended)

    def _play_one(self, seed: int | None, gamma: float, steps: int) -> tuple[float, float, int, bool]:
        """One episode: its return, the same discounted, its steps, and whether it ended."""
        observation, _ = self.env.reset(seed=seed)
        self.t = 0
        plain, discounted, factor, ended = 0.0, 0.0, 1.0, False
        while not ended and self.t < steps:
            observation, reward, terminated, truncated, _ = self.env.step(self.act(observation))
            plain += float(reward)
            discounted += factor * float(reward)
            factor *= gamma
            ended = bool(terminated or truncated)
        return plain, discounted, self.t, ended

    def _play_copies(self, episodes: int, seed: int, gamma: float, steps: int) -> Played:
        """The first episodes of each copy. To take those that end first would favour the short ones."""
        assert self._copies is not None
        n, mode = self._copies, str(getattr(self.env.metadata.get("autoreset_mode"), "value", ""))
        if mode not in ("NextStep", "SameStep"):
            raise OptionError(
                f"autoreset_mode: found {mode or 'none'}, expected NextStep or SameStep: copies that begin anew"
            )
        each = -(-episodes // n)
        made = Played(
            np.zeros((n, each)),
            np.zeros((n, each)),
            np.zeros((n, each), dtype=np.int64),
            np.zeros((n, each), dtype=bool),
        )
        observation, _ = self.env.reset(seed=seed)
        clock, number, begins = (
            np.zeros(n, dtype=np.int64),
            np.zeros(n, dtype=np.int64),
            np.zeros(n, dtype=bool),
        )
        while (number < each).any():
            observation, reward, terminated, truncated, _ = self.env.step(
                self.act(observation, clock, begins)
            )
            live = np.flatnonzero(~begins & (number < each))
            at = live, number[live]
            made.returns[at] += reward[live]
            made.discounted[at] += gamma ** clock[live] * reward[live]
            made.steps[at] += 1
            clock = np.where(begins, 0, clock + 1)
            over = (terminated | truncated) & ~begins
            cut = ~over & ~begins & (clock >= steps)
            if cut.any():
                raise OptionError(
                    f"steps: found an episode of more than {steps}, expected shorter ones, or a TimeLimit"
                )
            made.ended[at] |= over[live]
            number = number + over
            begins = over if mode == "NextStep" else np.zeros(n, dtype=bool)
            clock = np.where(over, 0, clock)
        return Played._make(part.T.reshape(-1)[:episodes] for part in made)


# -- what is called what -------------------------------------------------------------------------------------------


def _names(inner: Any) -> tuple[Callable[[Key], str], Callable[[Key], str]]:
    """How the observations and the actions of an environment are called."""
    mdp = getattr(inner, "mdp", None)
    if isinstance(mdp, MDP):
        return (lambda key: mdp.states[int(key)]), (lambda key: mdp.actions[int(key)])
    kind = kind_of(inner)
    return (lambda key: state_name(inner, kind, key)), (lambda key: action_name(inner, kind, key))


def _states(mdp: MDP, space: Any, inner: Any, named: Any) -> dict[Key, int]:
    """The state of each observation, by name, or by number where the names are others."""
    count = count_of(space) if parts_of(space) is not None else None
    if count is None:
        raise OptionError(f"observation_space: found {escape(str(space))}, expected {FINITE}. {WAY_OUT}")
    if count > MOST:
        raise OptionError(
            f"observation_space: found {count:,} observations, expected at most {MOST:,}. {WAY_OUT}"
        )
    found = {key: s for key in entries_of(space) if (s := mdp.states.find(named[0](key))) is not None}
    live = np.flatnonzero(~mdp.terminal)
    missing = np.setdiff1d(live, list(found.values()))
    if not missing.size:
        return found
    if is_one(space) and mdp.S >= count and bool(mdp.terminal[count:].all()):
        return {key: s for s, key in enumerate(entries_of(space))}
    state = quoted(mdp.states[int(missing[0])])
    raise OptionError(
        f"states: found {state} in the policy's model, which is no observation of {type(inner).__name__}, whose "
        f"{count} are called such as {quoted(named[0](next(entries_of(space))))}. {WAY_OUT}"
    )


def _actions(mdp: MDP, space: Any, inner: Any, named: Any) -> list[Any]:
    """Each action of the model as the environment takes it, by name, or by number where the names are others."""
    count = count_of(space) if parts_of(space) is not None else None
    if count is None:
        raise OptionError(f"action_space: found {escape(str(space))}, expected {FINITE}")
    keys = list(entries_of(space))
    by_name = {named[1](key): key for key in keys}
    if all(name in by_name for name in mdp.actions):
        keys = [by_name[name] for name in mdp.actions]
    elif mdp.A > count:
        raise OptionError(
            f"actions: found {mdp.A} in the policy's model, expected at most the {count} of {type(inner).__name__}"
        )
    array = {base.__name__ for base in type(space).__mro__} & {"MultiDiscrete", "MultiBinary"}
    return [np.array(key, dtype=space.dtype) if array else key for key in keys[: mdp.A]]
