"""Transitions that were observed: from a log, or written down to be learned from one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError, quoted
from tabular_rl.model import hooks
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import RationalArray
from tabular_rl.model.rows import Floats

if TYPE_CHECKING:
    from tabular_rl.kernels.walk import LogArrays

Ints = NDArray[np.int64]
A_PROPENSITY = "expected a probability above 0, at most 1"


@dataclass(frozen=True, eq=False)
class Transitions(hooks.Tabled):
    """N transitions (s, a, r, s', done) of a model, in the order in which they happened.

    `row` (N,) is the row of (s, a); `reward` (N,) in the sign of the model; `next_state` (N,); `done` (N,) is True
    where the episode ended, so that s' counts 0; `next_row` (N,) is the row of the action taken in s', -1 where it
    is not known: at the end, at a cut, and at the end of the log. `propensity` (N,), above 0 and at most 1, is the
    probability with which the behaviour policy chose the action, None where the log does not say it.
    """

    mdp: MDP
    row: NDArray[np.int64]
    reward: NDArray[np.float64]
    next_state: NDArray[np.int64]
    done: NDArray[np.bool_]
    next_row: NDArray[np.int64]
    propensity: Floats | None = None

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
                if isinstance(entry, str):
                    raise ValueError
                s, a, r, s2, *end = entry
            except (TypeError, ValueError):
                raise OptionError(
                    f"transition {at + 1}: found {quoted(entry)}, expected (state, action, reward, next state), and "
                    "perhaps whether it is done"
                ) from None
            try:
                number = float(r)
            except (TypeError, ValueError):
                raise OptionError(
                    f"transition {at + 1}: found {quoted(r)} for the reward, expected a number: "
                    "(state, action, reward, next state)"
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
    def of_arrays(
        cls, mdp: MDP, row: Any, reward: Any, next_state: Any, done: Any, propensity: Any = None
    ) -> Transitions:
        """Return transitions of arrays (N,); `next_row` is found from the order.

        Parameters
        ----------
        mdp : the model
        row : of the pair (s, a) (N,)
        reward : in the sign of the model (N,)
        next_state : s' (N,)
        done : the episode ended there (N,)
        propensity : the probability with which the action was chosen (N,), None where it is not known

        Raises
        ------
        OptionError : no transitions, a reward that is not finite, or a propensity that is no probability above 0
        """
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
        chosen = None if propensity is None else _propensities(propensity, len(rows))
        next_row = np.full(len(rows), -1, dtype=np.int64)
        follows = (mdp.pair_state[rows[1:]] == after[:-1]) & ~ends[:-1]
        next_row[:-1][follows] = rows[1:][follows]
        return cls(mdp, rows, rewards, after, ends, next_row, chosen)

    def __len__(self) -> int:
        return len(self.row)

    def arrays(self) -> LogArrays:
        """What kernels take."""
        from tabular_rl.kernels.walk import LogArrays

        return LogArrays(self.row, self.mdp.sign * self.reward, self.next_state, self.done, self.next_row)


def _propensities(given: Any, N: int) -> Floats:
    """Return the probabilities with which actions were chosen (N,); OptionError where one is none above 0."""
    found = np.array(given, dtype=np.float64)
    if found.shape != (N,):
        raise OptionError(f"propensity: found shape {found.shape}, expected ({N},)")
    right = (found > 0) & (found <= 1)
    if not right.all():
        at = int(np.argmin(right))
        raise OptionError(f"transition {at + 1}: found the propensity {found[at]}, {A_PROPENSITY}")
    return found


@dataclass(frozen=True, eq=False)
class Log(hooks.Tabled):
    """N transitions with names of their own, in the order in which they happened: what a log says without a model.

    `s`, `a`, `s2` (N,) are indices into `states` and `actions`; `begins` (N,) is True where an episode begins, as far
    as the log says so: at its first line, after `done`, where the episode changes. `spelled` holds the different
    rewards as the exact numbers that the log spells, `code` (N,) which one it is; None where they are floats.
    `propensity` (N,) is the probability with which each action was chosen, None where the log does not say it.
    """

    states: Names
    actions: Names
    s: Ints
    a: Ints
    reward: Floats
    s2: Ints
    done: NDArray[np.bool_]
    begins: NDArray[np.bool_]
    spelled: tuple[Fraction, ...] | None = None
    code: Ints | None = None
    propensity: Floats | None = None

    def __len__(self) -> int:
        return len(self.s)

    @classmethod
    def of(cls, transitions: Transitions) -> Log:
        """Return transitions of a model without the model: the states and actions that occur, in its order.

        >>> mdp = MDP([[[0.5, 0.5]], [[0, 0]]], [[1.0], [0.0]], 1, states=["a", "end"], terminal=["end"])
        >>> list(Log.of(Transitions.of(mdp, [("a", 0, 1.0, "end")])).states)
        ['a', 'end']
        """
        if not isinstance(transitions, Transitions):
            raise OptionError(f"found {type(transitions).__name__}, expected Transitions of a model")
        mdp, row = transitions.mdp, transitions.row
        s, a, s2 = mdp.pair_state[row], mdp.pair_action[row], transitions.next_state
        met, used = np.unique(np.concatenate([s, s2])), np.unique(a)
        follows = (transitions.next_row[:-1] >= 0) & ~transitions.done[:-1]
        return cls(
            Names([mdp.states[int(i)] for i in met]),
            Names([mdp.actions[int(i)] for i in used]),
            np.searchsorted(met, s),
            np.searchsorted(used, a),
            transitions.reward,
            np.searchsorted(met, s2),
            transitions.done,
            np.concatenate([[True], ~follows]),
            propensity=transitions.propensity,
        )


@public
def behavior_of(transitions: Transitions) -> Policy:
    """Return the policy that a log was most likely made by: the share of each action among those taken in a state.

        b(a|s) = n(s,a) / n(s)

    In a state that the log never left, each action is as likely. Importance ratios π(a|s) / b(a|s) by these shares
    have, for long logs, no more variance than by the true probabilities (Hanna, Niekum & Stone 2019).

    Parameters
    ----------
    transitions : of a model, as `read_log(path, mdp)` returns them

    Returns
    -------
    Policy with the exact shares (L,).

    Raises
    ------
    OptionError : not Transitions, say a Log, which has no model

    Examples
    --------
    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], "1/2")
    >>> behavior_of(Transitions.of(mdp, [("0", 0, 0.0, "0"), ("0", 1, 1.0, "0"), ("0", 1, 1.0, "0")])).rationals()
    [Fraction(1, 3), Fraction(2, 3)]
    """
    if not isinstance(transitions, Transitions):
        raise OptionError(
            f"behavior_of: found {type(transitions).__name__}, expected Transitions: read_log(path, mdp)"
        )
    mdp = transitions.mdp
    n = np.bincount(transitions.row, minlength=mdp.L).astype(np.int64)
    sizes = np.diff(mdp.pair_ptr)
    total = np.bincount(mdp.pair_state, weights=n, minlength=mdp.S).astype(np.int64)
    n[(total == 0)[mdp.pair_state]] = 1
    total = np.where(total == 0, sizes, total)[mdp.pair_state]
    shared = np.gcd(n, total)
    exact = RationalArray(n // shared, total // shared)
    return Policy(mdp, probs=exact.floats(), exact=exact)
