"""Writing PRISM's explicit files: model.tra, .sta, .lab, .srew and .trew, which take their places together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tabular_rl.errors import OptionError
from tabular_rl.formats.importers.explicit_write import ENDED, REWARD, Choices
from tabular_rl.formats.importers.prism import MARK
from tabular_rl.formats.output import write_atomically, write_lines
from tabular_rl.model.mdp import MDP

LABEL = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def write_prism(mdp: MDP, path: Path) -> None:
    """Write a model as the files of PRISM, which read back as the same model.

    Parameters
    ----------
    mdp : the model
    path : the .tra file; the others stand beside it

    Raises
    ------
    OptionError : a path that is no file
    """
    if str(path) == "-" or str(path).startswith("/dev/"):
        raise OptionError("prism: found no name, expected one such as model.tra: these are five files")
    parts: dict[str, Callable[[Choices], Iterator[str]]] = {
        path.suffix: _transitions, ".sta": _states, ".lab": _labels, ".srew": _state_rewards, ".trew": _rewards
    }  # fmt: skip
    choices = Choices(mdp, LABEL)
    for suffix, lines in parts.items():
        write_atomically(path.with_suffix(suffix), partial(write_lines, lines(choices)))


def _rows(choices: Choices) -> Iterator[tuple[int, int, int | None]]:
    """Yield (state, number of the choice in it, row); no row for the loop of a terminal state."""
    for s in range(choices.mdp.S):
        if choices.mdp.terminal[s]:
            yield s, 0, None
        yield from ((s, k, row) for k, row in enumerate(choices.mdp.rows(s)))


def _transitions(choices: Choices) -> Iterator[str]:
    mdp = choices.mdp
    yield f"{MARK}\n"
    for key in choices.settings():
        yield f"# {key}"
    if mdp.states.given:
        yield f"# {choices.say.names('states', mdp.states)}"
    ended = int(mdp.terminal.sum())
    shown = sum(1 for row in range(mdp.L) for _ in choices.transitions(row)) if choices.hidden else mdp.K
    yield f"{mdp.S} {mdp.L + ended} {shown + ended}\n"
    for s, k, row in _rows(choices):
        if row is None:
            yield f"{s} 0 {s} 1\n"
            continue
        if choices.hidden:
            for s2, p, reward in choices.outcomes(row):
                yield f"# {s} {k} {s2} {p}{'' if reward is None else f' [{reward}]'}\n"
        label = choices.label(row) if choices.named else f"a{choices.label(row)}"
        for s2, p in choices.transitions(row):
            yield f"{s} {k} {s2} {p} {label}\n"


def _states(choices: Choices) -> Iterator[str]:
    yield "(s)\n"
    yield from (f"{s}:({s})\n" for s in range(choices.mdp.S))


def _labels(choices: Choices) -> Iterator[str]:
    yield f'0="init" 1="deadlock" 2="{ENDED}"\n'
    first = choices.first
    for s in range(choices.mdp.S):
        numbers = (" 0" if s in first else "") + (" 2" if choices.mdp.terminal[s] else "")
        if numbers:
            yield f"{s}:{numbers}\n"


def _state_rewards(choices: Choices) -> Iterator[str]:
    yield f'# Reward structure "{REWARD}"\n# State rewards\n{choices.mdp.S} 0\n'


def _rewards(choices: Choices) -> Iterator[str]:
    mdp = choices.mdp
    lines = [
        f"{s} {k} {s2} {mean}\n"
        for s, k, row in _rows(choices)
        if row is not None and (mean := choices.mean(row)) != "0"
        for s2, _ in choices.transitions(row)
    ]
    yield f'# Reward structure "{REWARD}"\n# Transition rewards\n'
    yield f"{mdp.S} {mdp.L + int(mdp.terminal.sum())} {len(lines)}\n"
    yield from lines
