"""Thousands of copies of a model that step together, in one call of a kernel."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from tabular_rl.environments.dynamics import dynamics_of, model_of
from tabular_rl.environments.model_env import unavailable_text
from tabular_rl.errors import OptionError, kind_text, quoted

MOST = 10_000_000  # copies


class ModelVectorEnv(VectorEnv[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]):
    """Copies of a model as one vector environment; each is a `ModelEnv`, whose rewards and ends it has.

    Autoreset is that of Gymnasium's own vector environments, "next step": the step after the last one of an episode
    puts the copy into a start state for a reward of 0, whatever its action. `metadata["autoreset_mode"]` says so.
    `infos["action_mask"]` is (n, A). A step takes one uniform a copy, and a start too.

    Parameters
    ----------
    model : an MDP, or what `tabular_rl.load` takes: the name of a file, "example:NAME"
    num_envs : how many copies
    unavailable : what an action does that the state does not have: "raise" or "stay"
    masks : False leaves the masks out, which for small models take most of the time
    render_mode : None: these are not drawn

    Raises
    ------
    OptionError : no model, an unknown word, or a number of copies out of range

    Examples
    --------
    >>> from tabular_rl import MDP
    >>> mdp = MDP.from_outcomes([("a", "go", "b", 1, 5)], 1, terminal=["b"], start="a")
    >>> envs = ModelVectorEnv(mdp, 3)
    >>> envs.reset(seed=0)[0].tolist()
    [0, 0, 0]
    >>> states, rewards, terminated, _, _ = envs.step([0, 0, 0])
    >>> states.tolist(), rewards.tolist(), terminated.tolist()
    ([1, 1, 1], [5.0, 5.0, 5.0], [True, True, True])
    >>> envs.step([0, 0, 0])[0].tolist()  # they begin anew
    [0, 0, 0]
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  (Gymnasium's)
        "render_modes": [],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        model: Any = None,
        num_envs: int = 1,
        unavailable: str = "raise",
        *,
        masks: bool = True,
        render_mode: str | None = None,
    ) -> None:
        from tabular_rl.kernels.environment import Copies

        self.mdp = mdp = model_of(model, unavailable)
        if (
            isinstance(num_envs, bool)
            or not isinstance(num_envs, (int, np.integer))
            or not 1 <= num_envs <= MOST
        ):
            raise OptionError(f"num_envs: found {kind_text(num_envs)}, expected 1 to {MOST}")
        if not isinstance(masks, (bool, np.bool_)):
            raise OptionError(f"masks: found {kind_text(masks)}, expected True or False")
        if render_mode is not None:
            raise OptionError(
                f"render_mode: found {quoted(str(render_mode))}, expected None: draw a ModelEnv"
            )
        self.num_envs, self.unavailable, self.masks = int(num_envs), unavailable, masks
        self.single_observation_space = gymnasium.spaces.Discrete(mdp.S)
        self.single_action_space = gymnasium.spaces.Discrete(mdp.A)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.dynamics = dynamics_of(mdp)
        n = self.num_envs
        self._copies = Copies(
            np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool)
        )
        self._begun = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """Begin an episode in each copy.

        Parameters
        ----------
        seed : the same seed gives the same episodes
        options : none are taken

        Returns
        -------
        states (n,), infos
        """
        super().reset(seed=seed)
        if options:
            raise OptionError(f"options: found {kind_text(options)}, expected none")
        u = self.np_random.random(self.num_envs)
        self._copies.state[:] = np.searchsorted(self.dynamics.model.start, u, side="right")
        self._copies.clock[:] = 0
        self._copies.over[:] = False
        self._begun = True
        return self._copies.state.copy(), self._infos()

    def step(
        self, actions: Any
    ) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Take an action in each copy: next states, rewards, terminated, truncated, all (n,), and infos.

        Raises
        ------
        OptionError : no reset before, not one action a copy, or one that a state does not have
        """
        from tabular_rl.kernels.environment import step_copies

        if not self._begun:
            raise OptionError("step: found no episodes, expected reset() before")
        chosen = self._checked(actions)
        n, own = self.num_envs, self.dynamics
        reward, ends = np.empty(n), np.empty((2, n), dtype=bool)
        step_copies(
            own.model, own.row_of, own.steps, own.final, chosen, self.np_random.random(n), self._copies,
            reward, ends[0], ends[1],
        )  # fmt: skip
        return self._copies.state.copy(), reward, ends[0], ends[1], self._infos()

    def _checked(self, actions: Any) -> NDArray[np.int64]:
        """The actions as an array (n,); OptionError where one is none."""
        given = np.asarray(actions)
        if given.shape != (self.num_envs,) or given.dtype.kind not in "iu":
            found = f"{given.dtype} of shape {given.shape}"
            raise OptionError(f"actions: found {found}, expected {self.num_envs} integers, one a copy")
        chosen = np.ascontiguousarray(given, dtype=np.int64)
        wrong = (chosen < 0) | (chosen >= self.mdp.A)
        if wrong.any():
            e = int(np.argmax(wrong))
            raise OptionError(f"copy {e}: found action {chosen[e]}, expected 0 to {self.mdp.A - 1}")
        if self.unavailable == "raise":
            state = self._copies.state
            wrong = (self.dynamics.row_of[state, chosen] < 0) & ~self._copies.over
            if wrong.any():
                e = int(np.argmax(wrong))
                raise OptionError(f"copy {e}: {unavailable_text(self.mdp, int(state[e]), int(chosen[e]))}")
        return chosen

    def _infos(self) -> dict[str, Any]:
        """The masks of the states, by Gymnasium's rule with a second one that says whose they are: of all."""
        if not self.masks:
            return {}
        mask = self.dynamics.mask[self._copies.state]
        return {"action_mask": mask, "_action_mask": np.ones(self.num_envs, dtype=bool)}
