"""Transitions that were observed: from a log, or written down to be learned from one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError, quoted
from tabular_rl.model.mdp import MDP


class Given(NamedTuple):
    """Transitions as kernels take them, rewards in the sign of maximisation."""

    row: NDArray[np.int64]
    reward: NDArray[np.float64]
    next_state: NDArray[np.int64]
    done: NDArray[np.bool_]
    next_row: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Transitions:
    """N transitions (s, a, r, s', done) of a model, in the order in which they happened.

    `row` (N,) is the row of (s, a); `reward` (N,) in the sign of the model; `next_state` (N,); `done` (N,) is True
    where the episode ended, so that s' counts 0; `next_row` (N,) is the row of the action taken in s', -1 where it
    is not known: at the end, at a cut, and at the end of the log.
    """

    mdp: MDP
    row: NDArray[np.int64]
    reward: NDArray[np.float64]
    next_state: NDArray[np.int64]
    done: NDArray[np.bool_]
    next_row: NDArray[np.int64]

    @classmethod
    def of(cls, mdp: MDP, transitions: Iterable[Sequence[Any]]) -> Transitions:
        """Return a list of (s, a, r, s') or (s, a, r, s', done), states and actions by name or index.

        Without `done`, a transition into a terminal state is the end. The action taken in s' is that of the next
        transition where it begins in s' and this one is not done.

        >>> mdp = MDP([[[0.5, 0.5]], [[0, 0]]], [[1.0], [0.0]], 1, states=["a", "end"], terminal=["end"])
        >>> Transitions.of(mdp, [("a", 0, 1.0, "a"), ("a", 0, 1.0, "end")]).next_row.tolist()
        [0, -1]
        """
        if not isinstance(transitions, Iterable):
            raise OptionError(
                f"transitions: found {type(transitions).__name__}, expected (state, action, reward, next state), ..."
            )
        row, reward, next_state, done = [], [], [], []
        for at, entry in enumerate(transitions):
            try:
                s, a, r, s2, *end = entry
                number = float(r)
            except (TypeError, ValueError):
                raise OptionError(
                    f"transition {at + 1}: found {quoted(entry)}, expected (state, action, reward, next state), and "
                    "perhaps whether it is done"
                ) from None
            try:
                row.append(mdp.row(s, a))
            except KeyError:
                raise OptionError(
                    f"transition {at + 1}: state {quoted(s)}, action {quoted(a)}: not available in the model"
                ) from None
            to = s2 if isinstance(s2, (int, np.integer)) else mdp.states.find(str(s2))
            if to is None or not 0 <= to < mdp.S:
                raise OptionError(f"transition {at + 1}: no state {quoted(s2)}")
            reward.append(number)
            next_state.append(int(to))
            done.append(bool(end[0]) if end else bool(mdp.terminal[to]))
        return cls.of_arrays(mdp, row, reward, next_state, done)

    @classmethod
    def of_arrays(cls, mdp: MDP, row: Any, reward: Any, next_state: Any, done: Any) -> Transitions:
        """Return transitions of arrays (N,); `next_row` is found from the order."""
        rows, after = np.array(row, dtype=np.int64), np.array(next_state, dtype=np.int64)
        ends = np.array(done, dtype=bool) | mdp.terminal[after]
        rewards = np.array(reward, dtype=np.float64)
        if not len(rows):
            raise OptionError("transitions: found none, expected at least one")
        if not np.isfinite(rewards).all():
            at = int(np.flatnonzero(~np.isfinite(rewards))[0])
            raise OptionError(
                f"transition {at + 1}: found the reward {rewards[at]}, expected a finite number"
            )
        next_row = np.full(len(rows), -1, dtype=np.int64)
        follows = (mdp.pair_state[rows[1:]] == after[:-1]) & ~ends[:-1]
        next_row[:-1][follows] = rows[1:][follows]
        return cls(mdp, rows, rewards, after, ends, next_row)

    def __len__(self) -> int:
        return len(self.row)

    def given(self) -> Given:
        """What kernels take."""
        return Given(self.row, self.mdp.sign * self.reward, self.next_state, self.done, self.next_row)
