"""What logged transitions say of the model and of the policy that they come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, closest, quoted
from tabular_rl.formats.log_transitions import end_name
from tabular_rl.formats.logs import log_of
from tabular_rl.model import hooks
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names
from tabular_rl.model.rationals import Exact, RationalArray
from tabular_rl.model.transitions import Log, Transitions

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Estimate(hooks.Shown):
    """A model estimated from N transitions, with its counts.

    `counts` (K,) is how often each outcome of `mdp` was seen, so that prob = counts / tries of its row; `tries` (L,)
    how often each pair was tried. `untried` are the pairs (state, action) of non-terminal states that were never tried:
    they are not available in the model. `added_end` names the terminal state that was added, where an episode ended in
    a state that another went on from.
    """

    mdp: MDP
    counts: Ints
    transitions: int
    episodes: int
    added_end: str | None = None

    @property
    def tries(self) -> Ints:
        """How often each pair was tried, (L,)."""
        return np.add.reduceat(self.counts, self.mdp.row_ptr[:-1].astype(np.intp))

    @property
    def untried(self) -> list[tuple[str, str]]:
        """The pairs (state, action) that were never tried."""
        mdp = self.mdp
        there = np.zeros((mdp.S, mdp.A), dtype=bool)
        there[mdp.pair_state, mdp.pair_action] = True
        there[mdp.terminal] = True
        return [(mdp.states[s], mdp.actions[a]) for s, a in np.argwhere(~there).tolist()]


@public
def estimate(
    log: Any, gamma: Any, *, terminal: Iterable[str] = (), sense: str = "max", name: str = ""
) -> Estimate:
    """Return the model under which a log is most likely: shares of what was seen, as exact rationals.

        p(s'|s,a) = n(s,a,s') / n(s,a),    r(s,a,s') = Σ rewards seen there / n(s,a,s'),    start(s) = n₀(s) / episodes

    A pair that was never tried is an action that is not available. A state is terminal where each transition into it is
    done and none leaves it. Where an episode ended in a state that another went on from, that end is an outcome of its
    own: a terminal state, `end`, is added. n₀(s) counts the episodes that begin in s: those after `done`, after a
    change of the column `episode`, and where a transition does not begin in the state that the one before it led to.

    Parameters
    ----------
    log : a Log, the path of one, or a data frame; or Transitions of a model: then states, actions and sense are those
        of that model that occur
    gamma : discount of the model; a text such as "9/10" is exact
    terminal : states that are terminal, whatever the log says of them
    sense : "max" for rewards, "min" for costs
    name : of the model

    Returns
    -------
    Estimate: the model and its counts

    Raises
    ------
    ModelError : a state with no transition from it that was reached without `done`, or a terminal one with some

    Sources
    -------
    Sutton & Barto (2018), 6.3: the certainty-equivalence estimate. Anderson & Goodman (1957), maximum likelihood.

    Examples
    --------
    Three transitions from a; two of them end: p = 2/3, and 1/3 to stay.

    >>> mdp = MDP([[[0.5, 0.5]], [[0, 0]]], [[1.0], [0.0]], 1, states=["a", "b"], terminal=["b"])
    >>> seen = Transitions.of(mdp, [("a", 0, 1.0, "b"), ("a", 0, 0.0, "a"), ("a", 0, 2.0, "b")])
    >>> found = estimate(seen, "9/10")
    >>> found.counts.tolist(), found.mdp.rational(0)
    ([1, 2], ([(0, Fraction(1, 3)), (1, Fraction(2, 3))], Fraction(1, 1)))
    """
    if not isinstance(terminal, Iterable):
        raise ModelError(f"terminal: found {terminal!r}, expected names of states")
    declared = [terminal] if isinstance(terminal, str) else list(terminal)
    log = log_of(log)
    if isinstance(log, Transitions):
        sense, declared = log.mdp.sense, [*declared, *_ends_of(log)]
        log = Log.of(log)
    S, A = len(log.states), len(log.actions)
    ends = np.zeros(S, dtype=bool)
    for state in declared:
        at = log.states.find(str(state))
        if at is None:
            raise ModelError(
                f"terminal: no such state {quoted(state)} in the log{closest(str(state), log.states)}"
            )
        ends[at] = True
    left = np.bincount(log.s, minlength=S) > 0
    _check_ends(log, ends, left)
    ends |= ~left
    to, names, added = log.s2, log.states, None
    leaves = log.done & ~ends[to]
    if leaves.any():
        added = end_name(set(log.states))
        names, to = Names([*log.states, added]), np.where(leaves, S, to)
        ends = np.append(ends, True)
    # Rows are the pairs (s, a) that occur, outcomes the triples (s, a, s'), both in rising order.
    pairs, row = np.unique(log.s * A + log.a, return_inverse=True)
    outcomes, outcome, counts = np.unique(row * len(names) + to, return_inverse=True, return_counts=True)
    of_row, next_state = outcomes // len(names), outcomes % len(names)
    counts = counts.astype(np.int64)
    total = np.bincount(row, minlength=len(pairs)).astype(np.int64)[of_row]
    shared = np.gcd(counts, total)
    prob = RationalArray(counts // shared, total // shared)
    reward = RationalArray.of(
        x / n for x, n in zip(_sums(log, outcome, len(counts)), counts.tolist(), strict=True)
    )
    begins = np.concatenate([[True], log.begins[1:] | (log.s[1:] != log.s2[:-1])])
    first = np.bincount(log.s[begins], minlength=len(names)).astype(np.int64)
    episodes = int(first.sum())
    over = np.gcd(first, episodes)
    start = RationalArray(first // over, episodes // over)
    mdp = MDP.from_rows(
        pair_ptr=np.concatenate([[0], np.cumsum(np.bincount(pairs // A, minlength=len(names)))]),
        pair_action=pairs % A,
        row_ptr=np.concatenate([[0], np.cumsum(np.bincount(of_row, minlength=len(pairs)))]),
        next_state=next_state,
        prob=prob.floats(),
        reward=reward.floats(),
        gamma=gamma,
        terminal=ends,
        start=start.floats(),
        states=names,
        actions=log.actions,
        exact=Exact(prob, reward, None, start),
        sense=sense,  # type: ignore[arg-type]
        name=name,
        source=f"estimated from {len(log)} transitions",
    )
    return Estimate(mdp, counts, len(log), episodes, added)


def _ends_of(transitions: Transitions) -> list[str]:
    """The terminal states of its model that occur."""
    mdp = transitions.mdp
    met = np.unique(transitions.next_state)
    return [mdp.states[int(s)] for s in met[mdp.terminal[met]]]


def _check_ends(log: Log, ends: NDArray[np.bool_], left: NDArray[np.bool_]) -> None:
    """Raise where a state without transitions is no end, and where an end has some."""
    faults = []
    for s in np.flatnonzero(ends & left).tolist():
        at = int(np.argmax(log.s == s))
        what = f"found transition {at + 1} from it, expected none from a terminal state"
        faults.append(Fault(what, log.states[s]))
    open_at = np.flatnonzero(~log.done & ~left[log.s2] & ~ends[log.s2])
    for s in dict.fromkeys(log.s2[open_at].tolist()):
        at = int(open_at[np.argmax(log.s2[open_at] == s)])
        what = (
            f"found no transition from it, and transition {at + 1} leads there without done: what follows is not "
            "known. Declare it terminal (--terminal), mark the transition done, or leave it out."
        )
        faults.append(Fault(what, log.states[s]))
    if faults:
        raise ModelError(faults)


def _sums(log: Log, outcome: Ints, K: int) -> list[Fraction]:
    """The exact sum of the rewards of each outcome."""
    if log.spelled is not None and log.code is not None:
        sums = [Fraction(0)] * K
        n = len(log.spelled)
        kinds, times = np.unique(outcome * n + log.code, return_counts=True)
        for kind, count in zip(kinds.tolist(), times.tolist(), strict=True):
            sums[kind // n] += count * log.spelled[kind % n]
        return sums
    # A float is m 2^e. What has the same e is added as integers, in two halves so that 2^35 of them fit into int64.
    mantissa, exponent = np.frexp(log.reward)
    m, e = (mantissa * 2.0**53).astype(np.int64), exponent.astype(np.int64) - 53
    order = np.lexsort((e, outcome))
    m, e, outcome = m[order], e[order], outcome[order]
    first = np.flatnonzero(np.concatenate([[True], (e[1:] != e[:-1]) | (outcome[1:] != outcome[:-1])]))
    high, low = np.add.reduceat(m >> 26, first), np.add.reduceat(m & (2**26 - 1), first)
    least = int(e.min())
    whole = [0] * K
    for k, x, y, shift in zip(
        *(a.tolist() for a in (outcome[first], high, low, e[first] - least)), strict=True
    ):
        whole[k] += ((x << 26) + y) << shift
    scale = Fraction(2) ** least
    return [x * scale for x in whole]
