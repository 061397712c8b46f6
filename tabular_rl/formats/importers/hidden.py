"""Outcomes that stand in remarks, for which PRISM and Storm have no place.

These are rewards of outcomes, and next states that a row has twice. What the tools read is checked against them.
"""

from __future__ import annotations

import numpy as np

from tabular_rl.errors import Fault, ModelError
from tabular_rl.formats.importers.columns import Column
from tabular_rl.formats.importers.explicit import Explicit, Rewards
from tabular_rl.model.rows import Floats, Ints

CLOSE = 1e-9  # relative: sums may be rounded


def with_hidden(found: Explicit, of: Ints, to: Ints, prob: Column, reward: Column | None, line: Ints) -> None:
    """Put outcomes of remarks in the place of the transitions of their choices.

    Parameters
    ----------
    found : the model as other tools read it; changed
    of : the choice of each outcome (n,), not falling
    to, prob, reward : its next state, probability and reward (n,); no reward where those of choices hold
    line : where it stands (n,)

    Raises
    ------
    ModelError : they say something else than the lines that other tools read
    """
    C = len(found.label)
    of_shown = np.arange(C).repeat(np.diff(found.row_ptr))
    having = np.zeros(C, dtype=bool)
    having[of] = True
    _check(found, having, of_shown, of, to, prob, line)
    stays = np.flatnonzero(~having[of_shown])
    order = np.argsort(np.concatenate([of_shown[stays], of]), kind="stable")
    size = np.bincount(of_shown[stays], minlength=C) + np.bincount(of, minlength=C)
    joined = Column.joined([found.prob.take(stays), prob])
    if reward is not None:
        _give(found, having, of, prob, reward, line, len(stays), order)
    found.row_ptr = np.append(0, np.cumsum(size))
    found.next_state = np.concatenate([found.next_state[stays], to])[order]
    found.prob = joined.take(order)
    if found.line is not None:
        found.line = np.concatenate([found.line[stays], line])[order]


def _check(
    found: Explicit,
    having: np.ndarray[tuple[int], np.dtype[np.bool_]],
    of_shown: Ints,
    of: Ints,
    to: Ints,
    prob: Column,
    line: Ints,
) -> None:
    """Check that the outcomes of a choice sum up to its transitions."""
    shown = np.flatnonzero(having[of_shown])
    key = np.concatenate([of_shown[shown] * found.S + found.next_state[shown], of * found.S + to])
    sign = np.concatenate([found.prob.floats()[shown], -prob.floats()])
    where = np.concatenate([found.line[shown] if found.line is not None else shown, line])
    pairs, code = np.unique(key, return_inverse=True)
    gap = np.bincount(code.reshape(-1), weights=sign, minlength=len(pairs))
    for at in np.flatnonzero(np.abs(gap) > CLOSE)[:1].tolist():
        at_line = int(where[np.flatnonzero(code == at)[0]])
        raise _differ(at_line, "probability")


def _give(
    found: Explicit,
    having: np.ndarray[tuple[int], np.dtype[np.bool_]],
    of: Ints,
    prob: Column,
    reward: Column,
    line: Ints,
    before: int,
    order: Ints,
) -> None:
    """Put the rewards of outcomes in the place of those of their choices, whose mean these are."""
    C = len(found.label)
    [rewards] = found.rewards.values() if len(found.rewards) == 1 else [Rewards()]
    shown: Floats = np.zeros(C) if rewards.choice is None else rewards.choice.floats()
    mean = np.bincount(of, weights=prob.floats() * reward.floats(), minlength=C)
    scale = np.bincount(of, weights=np.abs(prob.floats() * reward.floats()), minlength=C)
    for c in np.flatnonzero(having & (np.abs(mean - shown) > CLOSE * np.maximum(scale, np.abs(shown))))[
        :1
    ].tolist():
        raise _differ(int(line[np.flatnonzero(of == c)[0]]), "reward")
    zero = Column.zero(before, bool(reward.values) and not isinstance(reward.values[0], float))
    rewards.choice, rewards.transition = None, Column.joined([zero, reward]).take(order)


def _differ(line: int, what: str) -> ModelError:
    return ModelError(
        Fault(
            f"the remarks say another {what} than the transitions of this action, expected the same. Remove them",
            line=line,
        )
    )
