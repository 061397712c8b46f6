"""A model as a Gymnasium environment: states and actions are their indices."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import gymnasium
import numpy as np

from tabular_rl.environments import drawing
from tabular_rl.environments.dynamics import dynamics_of, model_of
from tabular_rl.errors import OptionError, closest, kind_text, quoted


class ModelEnv(gymnasium.Env[Any, Any]):
    """A model as an environment of Gymnasium.

    An observation is the index of a state, an action that of an action; `env.mdp` has their names. A terminal state
    terminates the episode, the horizon of the model truncates it, and the reward after the horizon is paid, times γ,
    with the last step. Gymnasium maximises: of a model with costs the rewards are the costs times -1.

    `info["action_mask"]` (A,) has 1 for each action of the state that was observed, as in the spaces' `sample(mask)`;
    `info["prob"]` is the probability of the outcome. What is not available raises OptionError; with unavailable="stay"
    the state stays as it is, for a reward of 0, which a learner without masks may come to like.

    The start takes one uniform of `np_random`, and so does each step.

    Parameters
    ----------
    model : an MDP, or what `tabular_rl.load` takes: the name of a file, "example:NAME"
    unavailable : what an action does that the state does not have: "raise" or "stay"
    render_mode : None, "ansi" for texts, or "rgb_array": the map of a model with a layout, else its graph, which takes
        the extra `plot`

    Raises
    ------
    OptionError : no model, an unknown word, or a model that cannot be drawn so
    MissingExtra : a graph without the extra `plot`

    Examples
    --------
    >>> from tabular_rl import MDP
    >>> mdp = MDP.from_outcomes([("a", "go", "b", 1, 5)], 1, terminal=["b"], start="a")
    >>> env = ModelEnv(mdp)
    >>> state, info = env.reset(seed=0)
    >>> state, info["action_mask"].tolist(), env.step(0)[:4]
    (0, [1], (1, 5.0, True, False))
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # noqa: RUF012  (Gymnasium's)

    def __init__(self, model: Any = None, unavailable: str = "raise", render_mode: str | None = None) -> None:
        self.mdp = mdp = model_of(model, unavailable)
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise OptionError(
                f"render_mode: found {quoted(str(render_mode))}, expected None, 'ansi' or 'rgb_array'"
            )
        self.unavailable, self.render_mode = unavailable, render_mode
        self.observation_space = gymnasium.spaces.Discrete(mdp.S)
        self.action_space = gymnasium.spaces.Discrete(mdp.A)
        self.dynamics = dynamics_of(mdp)
        self.state, self.t, self._over = -1, 0, True
        self.last = drawing.NOTHING
        self._picture = drawing.Picture(mdp) if render_mode == "rgb_array" else None
        self._table: dict[int, dict[int, list[tuple[float, int, float, bool]]]] | None = None

    @property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
        """The model as Gymnasium's toy environments have theirs: {state: {action: [(p, next state, reward, done)]}}.

        Actions that a state does not have are left out. A terminal state leads to itself, for nothing and done. Neither
        the discount nor the horizon stands in it.
        """
        if self._table is None:
            self._table = table_of(self)
        return self._table

    @property
    def initial_state_distrib(self) -> np.ndarray:
        """The probability of each state at the start, (S,)."""
        return self.mdp.start

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Begin an episode.

        Parameters
        ----------
        seed : the same seed gives the same episodes
        options : {"state": a state by name or index} begins there

        Returns
        -------
        state, info

        Raises
        ------
        OptionError : another option, no such state, or a terminal one
        """
        super().reset(seed=seed)
        begin = _begin(options)
        u = self.np_random.random()  # drawn anyway, so that the steps after it are the same
        if begin is None:
            self.state = int(np.searchsorted(self.dynamics.model.start, u, side="right"))
        else:
            self.state = self._live(begin)
        self.t, self._over, self.last = 0, False, drawing.NOTHING
        return self.state, self._info(1.0)

    def _live(self, state: Any) -> int:
        """The index of a state to begin in."""
        s = self.mdp.states.at(state, "state")
        if self.mdp.terminal[s]:
            name = quoted(self.mdp.states[s])
            raise OptionError(f"state {name}: found a terminal state, expected one with actions")
        return s

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Take an action by its index: the next state, the reward, terminated, truncated, info.

        Raises
        ------
        OptionError : the episode is over, there is no such action, or the state does not have it
        """
        if self._over:
            raise OptionError("step: found no episode, or one that has ended, expected reset() before")
        s, i = self.state, self._row(action)
        u = self.np_random.random()
        p, reward = self._move(i, u) if i >= 0 else (1.0, 0.0)
        self.t += 1
        terminated = bool(self.mdp.terminal[self.state])
        last = self.t == self.dynamics.steps
        if last and len(self.dynamics.final):
            reward += self.mdp.gamma * float(self.dynamics.final[self.state])
        self._over = terminated or last
        self.last = drawing.Step(s, int(action), reward)
        return self.state, reward, terminated, last and not terminated, self._info(p)

    def _row(self, action: Any) -> int:
        """The row of an action in this state, -1 to stay."""
        whole = isinstance(action, Integral) or (isinstance(action, np.ndarray) and action.size == 1)
        if not whole or not 0 <= int(action) < self.mdp.A:
            raise OptionError(f"action: found {kind_text(action)}, expected 0 to {self.mdp.A - 1}")
        i = int(self.dynamics.row_of[self.state, int(action)])
        if i < 0 and self.unavailable == "raise":
            raise OptionError(unavailable_text(self.mdp, self.state, int(action)))
        return i

    def _move(self, i: int, u: float) -> tuple[float, float]:
        """Go on by an outcome of a row, with one uniform u: its probability and its reward."""
        model = self.dynamics.model
        first, last = int(model.row_ptr[i]), int(model.row_ptr[i + 1])
        out = first + int(np.searchsorted(model.cum[first:last], u, side="right"))
        self.state = int(model.next_state[out])
        return float(self.mdp.prob[out]), float(model.reward[out] if len(model.reward) else model.r[i])

    def _info(self, p: float) -> dict[str, Any]:
        return {"prob": p, "action_mask": self.dynamics.mask[self.state].copy()}

    def render(self) -> Any:
        """Return the episode as it stands: a text, or a picture (height, width, 3) of bytes."""
        if self.render_mode == "ansi":
            return drawing.text_of(self.mdp, self.state, self.t, self.last)
        if self._picture is not None:
            return self._picture.frame(self.state)
        gymnasium.logger.warn(
            'render: found render_mode None, expected "ansi" or "rgb_array" when it is made'
        )
        return None


def _begin(options: Any) -> Any:
    """The state that options of `reset` ask for; None without one."""
    if not options:
        return None
    if not isinstance(options, Mapping):
        raise OptionError(f"options: found {kind_text(options)}, expected {{'state': name or index}}")
    unknown = next((key for key in options if key != "state"), None)
    if unknown is not None:
        way_out = closest(str(unknown), ["state"]) or ", expected 'state'"
        raise OptionError(f"options: found {quoted(str(unknown))}{way_out}")
    return options["state"]


def unavailable_text(mdp: Any, s: int, a: int) -> str:
    """Return what is said of an action that a state does not have.

    Parameters
    ----------
    mdp : the model
    s, a : the state and the action, by index

    Returns
    -------
    A line with the actions that there are, and the ways out.
    """
    there = ", ".join(quoted(mdp.actions[int(mdp.pair_action[i])]) for i in mdp.rows(s)[:6])
    more = " ..." if len(mdp.rows(s)) > 6 else ""
    return (
        f"state {quoted(mdp.states[s])}: found action {a}, {quoted(mdp.actions[a])}, expected one of {there}{more}. "
        'info["action_mask"] has these; unavailable="stay" takes any action'
    )


def table_of(env: ModelEnv) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
    """Return `ModelEnv.P`."""
    mdp, model = env.mdp, env.dynamics.model
    reward = model.reward if len(model.reward) else np.repeat(model.r, np.diff(mdp.row_ptr))
    outcomes = list(
        zip(
            mdp.prob.tolist(), mdp.next_state.tolist(), reward.tolist(),
            mdp.terminal[mdp.next_state].tolist(), strict=True,
        )
    )  # fmt: skip
    ptr, actions, ends = mdp.row_ptr.tolist(), mdp.pair_action.tolist(), mdp.terminal.tolist()
    table = {}
    for s in range(mdp.S):
        if ends[s]:
            table[s] = {a: [(1.0, s, 0.0, True)] for a in range(mdp.A)}
        else:
            table[s] = {actions[i]: outcomes[ptr[i] : ptr[i + 1]] for i in mdp.rows(s)}
    return table
