"""Any model as a Gymnasium environment, and any policy as an agent in one.

`ModelEnv(mdp)` is one copy, `ModelVectorEnv(mdp, num_envs)` are thousands that step together, `Agent` is a policy that
plays, `sample_log` is a log of steps in any environment. To import this folder registers "tabular-rl/Model-v0" with
Gymnasium, where that is installed.
"""

from __future__ import annotations

import importlib.util
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tabular_rl.environments.agent import Agent, Played
from tabular_rl.errors import MissingExtra
from tabular_rl.formats.importers.gymnasium_sample import sample_log

if TYPE_CHECKING:
    from tabular_rl.environments.model_env import ModelEnv
    from tabular_rl.environments.vector_env import ModelVectorEnv

ID = "tabular-rl/Model-v0"
TO_EXPECT = "expected the extra: pip install 'tabular-rl[gymnasium]'"
HERE = "tabular_rl.environments"
LATER = {"ModelEnv": "model_env", "ModelVectorEnv": "vector_env"}  # what needs Gymnasium when it is imported

__all__ = ["ID", "Agent", "ModelEnv", "ModelVectorEnv", "Played", "sample_log"]


def __getattr__(name: str) -> Any:
    """Return a class that is made of Gymnasium's; MissingExtra where that is not installed."""
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if importlib.util.find_spec("gymnasium") is None:
        raise MissingExtra(f"{name}: found no gymnasium, {TO_EXPECT}")
    try:
        return getattr(import_module(f"{HERE}.{LATER[name]}"), name)
    except ImportError:
        raise MissingExtra(f"{name}: found a gymnasium older than 1.1, {TO_EXPECT}") from None


def register() -> None:
    """Tell Gymnasium of the environment, once: `gymnasium.make(ID, model="file.toml")` makes it then."""
    import gymnasium

    if ID not in gymnasium.registry:
        gymnasium.register(
            ID,
            entry_point=f"{HERE}.model_env:ModelEnv",
            vector_entry_point=f"{HERE}.vector_env:ModelVectorEnv",
        )


if importlib.util.find_spec("gymnasium") is not None:
    register()
