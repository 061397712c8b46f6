"""Writing UMB with the package umbi. What the format has no place for stands in the comment of the model."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tabular_rl.errors import MissingExtra, ModelError, escape
from tabular_rl.formats.importers.explicit_write import ENDED, REWARD, Choices
from tabular_rl.formats.importers.umb import EXTRA, LONGEST, MARK
from tabular_rl.model.mdp import MDP


def write_umb(mdp: MDP, file: BinaryIO) -> None:
    """Write a model as UMB, which reads back as the same model.

    Parameters
    ----------
    mdp : the model
    file : open binary file

    Raises
    ------
    MissingExtra : umbi is not installed
    ModelError : umbi cannot write it, such as fractions with too many digits
    """
    try:
        from umbi import ats  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise MissingExtra(EXTRA) from None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.umb"
        try:
            ats.write(_system(mdp, ats), path)
        except MemoryError:
            raise
        except Exception as error:  # whatever it raises of numbers that it cannot hold
            reason = escape(str(error) or type(error).__name__, LONGEST)
            raise ModelError(f"umbi cannot write it: {reason}. Write it as .drn or .toml.") from None
        file.write(path.read_bytes())


def _system(mdp: MDP, ats: Any) -> Any:
    """Return a model as a transition system of umbi."""
    choices = Choices(mdp, re.compile(".*", re.DOTALL))
    made = ats.ExplicitAts(num_players=1)
    for _ in range(mdp.S):
        made.add_state()
    names = [
        *mdp.actions,
        *([""] if mdp.terminal.any() else []),
    ]  # the loop of a terminal state has no action
    made.num_choice_actions, made.choice_action_to_name = len(names), names
    prob, reward = choices.say.numbers("prob"), choices.say.numbers("reward")
    of_choices: list[Any] = []
    of_branches: list[Any] = []
    zero = 0 if choices.exact else 0.0
    for s in range(mdp.S):
        if mdp.terminal[s]:
            loop = made.add_state_choice(s)
            loop.action = len(names) - 1
            loop.add_branch(s, prob=1 if choices.exact else 1.0)
            of_choices.append(zero)
            of_branches.append(zero)
        for row in mdp.rows(s):
            choice = made.add_state_choice(s)
            choice.action = int(mdp.pair_action[row])
            of_choices.append(mdp.rational(row)[1] if choices.exact else float(mdp.r[row]))
            for k in range(choices.row_ptr[row], choices.row_ptr[row + 1]):
                choice.add_branch(int(mdp.next_state[k]), prob=_plain(prob[k]))
                of_branches.append(zero if reward is None else _plain(reward[k]))
    made.set_initial_states(sorted(choices.first))
    paid = made.add_reward_annotation(REWARD)
    if reward is None:
        paid.set_choice_values(of_choices)
    else:
        paid.set_branch_values(of_branches)
    made.add_ap_annotation(ENDED).set_state_values(mdp.terminal.tolist())
    keys = "".join([*choices.settings(), choices.say.names("states", mdp.states) if mdp.states.given else ""])
    made.model_info = ats.ModelInfo(name=mdp.name or None, comment=f"{MARK}\n{keys}")
    return made


def _plain(x: Any) -> Any:
    return float(x) if isinstance(x, np.floating) else x
