"""What an environment is made of: a model ready to be sampled, its rows by state and action, and what its end pays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError, kind_text, quoted
from tabular_rl.formats import load
from tabular_rl.model.mdp import MDP

if TYPE_CHECKING:
    from tabular_rl.kernels.walk import Model

WAYS = ("raise", "stay")  # what an action that is not available does
Floats = NDArray[np.float64]


class Dynamics(NamedTuple):
    """A model as an environment steps through it, rewards in the sign of maximisation.

    `row_of` (S, A) is the row of each state and action, -1 where there is none; `mask` (S, A) is 1 where there is one;
    `steps` is the horizon, 0 without one; `final` (S,) the reward after it, empty where that is 0.
    """

    model: Model
    row_of: NDArray[np.int64]
    mask: NDArray[np.int8]
    steps: int
    final: Floats


def dynamics_of(mdp: MDP) -> Dynamics:
    """Return what an environment of a model is made of.

    >>> dynamics = dynamics_of(MDP([[[0.5, 0.5]], [[0, 0]]], [[1.0], [0.0]], 1, terminal=["1"]))
    >>> dynamics.row_of.tolist(), dynamics.mask.tolist(), dynamics.steps
    ([[0], [-1]], [[1], [0]], 0)
    """
    from tabular_rl.solving.sampling import read_only, sampling_model

    row_of = np.full((mdp.S, mdp.A), -1, dtype=np.int64)
    row_of[mdp.pair_state, mdp.pair_action] = np.arange(mdp.L)
    final = np.zeros(0) if mdp.final_reward is None else mdp.sign * mdp.final_reward
    mask = (row_of >= 0).astype(np.int8)
    return Dynamics(sampling_model(mdp, together=True), row_of, mask, mdp.horizon or 0, read_only(final))


def model_of(model: Any, unavailable: str) -> MDP:
    """Return the model that an environment is asked for, as it is or by the name of its file; OptionError else."""
    if unavailable not in WAYS:
        raise OptionError(f"unavailable: found {quoted(unavailable)}, expected 'raise' or 'stay'")
    if isinstance(model, (str, os.PathLike)):
        model = load(model)
    if not isinstance(model, MDP):
        how = ', as gymnasium.make(ID, model="lake.toml")' if model is None else ""
        raise OptionError(f"model: found {kind_text(model)}, expected an MDP, or the name of a file{how}")
    if model.L == 0:
        raise OptionError("model: found no state with actions, expected one to start from")
    model.validate()  # a mapped one
    return model
