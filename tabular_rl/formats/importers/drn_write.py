"""Writing DRN, the explicit files of Storm: see `drn.py` for what stands in its remarks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from tabular_rl.formats.importers.drn import MARK, NO_LABEL
from tabular_rl.formats.importers.explicit_write import ENDED, REWARD, Choices
from tabular_rl.formats.output import write_lines
from tabular_rl.model.mdp import MDP

LABEL = re.compile(rf"(?!{NO_LABEL}$)[^\s\[\]\x00-\x1f]+")


def write_drn(mdp: MDP, file: BinaryIO) -> None:
    """Write a model as DRN that Storm reads, and that reads back as the same model.

    Parameters
    ----------
    mdp : the model
    file : open binary file
    """
    write_lines(_lines(mdp), file)


def _lines(mdp: MDP) -> Iterator[str]:
    choices = Choices(mdp, LABEL)
    marked = mdp.states.given and all(name.isprintable() for name in mdp.states)
    yield f"{MARK}\n"
    for key in choices.settings():
        yield f"// {key}"
    if mdp.states.given and not marked:
        yield f"// {choices.say.names('states', mdp.states)}"
    yield f"@type: {'MDP' if mdp.A > 1 else 'DTMC'}\n@value_type: {'rational' if choices.exact else 'double'}\n"
    yield f"@parameters\n\n@reward_models\n{REWARD}\n@nr_states\n{mdp.S}\n"
    yield f"@nr_choices\n{mdp.L + int(mdp.terminal.sum())}\n@model\n"
    first = choices.first
    for s in range(mdp.S):
        marks = (" init" if s in first else "") + (f" {ENDED}" if mdp.terminal[s] else "")
        yield f"state {s} [0]{marks}\n"
        if marked:
            yield f"//[{mdp.states[s]}]\n"
        if mdp.terminal[s]:
            yield f"\taction {NO_LABEL} [0]\n\t\t{s} : 1\n"
        for row in mdp.rows(s):
            yield f"\taction {choices.label(row)} [{choices.mean(row)}]\n"
            if choices.hidden:
                for s2, p, reward in choices.outcomes(row):
                    yield f"//\t\t{s2} : {p}{'' if reward is None else f' [{reward}]'}\n"
            for s2, p in choices.transitions(row):
                yield f"\t\t{s2} : {p}\n"
