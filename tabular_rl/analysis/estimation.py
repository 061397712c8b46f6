"""What logged transitions say of the model and of the policy that they come from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.analysis.confidence import Confidence, confidence_of
from tabular_rl.errors import Fault, ModelError, OptionError, closest, quoted
from tabular_rl.formats.log_transitions import end_name
from tabular_rl.formats.logs import log_of
from tabular_rl.formats.memory import require
from tabular_rl.model import hooks
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names
from tabular_rl.model.rationals import Exact, RationalArray, fraction
from tabular_rl.model.transitions import Log, Transitions

Ints = NDArray[np.int64]
LARGEST_PRIOR = 1_000_000  # also of its denominator: counts stay within int64


@dataclass(frozen=True, eq=False)
class Estimate(hooks.Shown, hooks.Tabled):
    """A model estimated from N transitions, with its counts.

    `counts` (K,) is how often each outcome of `mdp` was seen, so that without a prior prob = counts / tries of its row;
    `tries` (L,) how often each pair was tried. `untried` are the pairs (state, action) of non-terminal states that were
    never tried: they are not available in the model. `added_end` names the terminal state that was added, where an
    episode ended in a state that another went on from. `prior` is what was added to each count, `reward_range` the
    least and the largest reward.
    """

    mdp: MDP
    counts: Ints
    transitions: int
    episodes: int
    added_end: str | None = None
    prior: Fraction = Fraction(0)
    reward_range: tuple[float, float] = (-math.inf, math.inf)

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

    def confidence(self, level: Any = 0.95, *, policy: Any = None, reward_range: Any = None) -> Confidence:
        """Return intervals of the values of the process itself, which hold together with probability `level`.

        Parameters
        ----------
        level : from 0.5 to below 1
        policy : whose values are meant; by default the best one of the process
        reward_range : (low, high), in which all rewards of the process lie; by default those of the log

        Returns
        -------
        Confidence

        Raises
        ------
        NotAnswerable : γ = 1
        OptionError : a level or a range out of range

        Examples
        --------
        A coin with reward 1 for heads: after 10,000 throws the half that was seen is known to about 0.06 in Σ|p̂ - p|.

        >>> mdp = MDP([[[0.5, 0.5]], [[0.5, 0.5]]], [[1.0], [0.0]], "1/2", states=["heads", "tails"])
        >>> log = Transitions.of(mdp, [("heads", 0, 1, "tails"), ("tails", 0, 0, "heads")] * 5000)
        >>> found = estimate(log, "1/2").confidence(0.95)
        >>> bool(found.lower[0] < 4 / 3 < found.upper[0]), found.radius.round(2).tolist()
        (True, [0.1, 0.1])
        """
        return confidence_of(
            self.mdp, self.counts, level, policy=policy, reward_range=reward_range, seen=self.reward_range
        )


@public
def estimate(
    log: Any,
    gamma: Any,
    *,
    terminal: Iterable[str] = (),
    sense: str = "max",
    name: str = "",
    prior: Any = 0,
    columns: Any = None,
) -> Estimate:
    """Return the model under which a log is most likely: shares of what was seen, as exact rationals.

        p(s'|s,a) = n(s,a,s') / n(s,a),    r(s,a,s') = Σ rewards seen there / n(s,a,s'),    start(s) = n₀(s) / episodes

    With a prior α > 0 the rows are the means of the posterior of a Dirichlet(α, ..., α) over all S states of the log,

        p(s'|s,a) = (n(s,a,s') + α) / (n(s,a) + α S)

    and an outcome that was never seen has the mean reward of its pair.

    A pair that was never tried is an action that is not available. A state is terminal where each transition into it is
    done and none leaves it. Where an episode ended in a state that another went on from, that end is an outcome of its
    own: a terminal state, `end`, is added. n₀(s) counts the episodes that begin in s: those after `done`, after a
    change of the column `episode`, and where a transition does not begin in the state that the one before it led to.

    Parameters
    ----------
    log : a Log, the path of one, a data frame, or a list of (s, a, r, s', done); or Transitions of a model: then
        states, actions and sense are those of that model that occur
    gamma : discount of the model; a text such as "9/10" is exact
    terminal : states that are terminal, whatever the log says of them
    sense : "max" for rewards, "min" for costs
    name : of the model
    prior : α, added to the count of each state as the next one of each pair that was tried; a text such as "1/2" is
        exact, 1 is Laplace's rule, 1/2 Jeffreys' prior
    columns : {"state": "patient_state"}: what the column of a role is called, as `read_log` takes them

    Returns
    -------
    Estimate: the model and its counts

    Raises
    ------
    ModelError : a state with no transition from it that was reached without `done`, or a terminal one with some

    Sources
    -------
    Sutton & Barto (2018), 6.3: the certainty-equivalence estimate. Anderson & Goodman (1957), maximum likelihood.
    Strens (2000), the Dirichlet posterior of a row.

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
    log = log_of(log, columns)
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
    alpha = _prior(prior)
    pairs, row = np.unique(log.s * A + log.a, return_inverse=True)
    of_row, next_state, counts, prob, reward = _rows(log, row, to, len(pairs), len(names), alpha)
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
    seen = float(log.reward.min()), float(log.reward.max())
    return Estimate(mdp, counts, len(log), episodes, added, alpha, seen)


def _prior(given: Any) -> Fraction:
    """Return α as an exact fraction; OptionError where it is none."""
    try:
        alpha = given if isinstance(given, Fraction) else fraction(str(given))
    except ValueError:
        alpha = Fraction(-1)
    if not 0 <= alpha <= LARGEST_PRIOR or alpha.denominator > LARGEST_PRIOR:
        raise OptionError(
            f"--prior: found {quoted(given)}, expected a number such as 1, 0.5 or 1/3, from 0 to {LARGEST_PRIOR:,}"
        )
    return alpha


def _rows(
    log: Log, row: Ints, to: Ints, L: int, S: int, alpha: Fraction
) -> tuple[Ints, Ints, Ints, RationalArray, RationalArray]:
    """Return the row, the next state, the count, the probability and the reward of each outcome, (K,) each."""
    outcomes, outcome, seen = np.unique(row * S + to, return_inverse=True, return_counts=True)
    sums = _sums(log, outcome, len(seen))
    tries = np.bincount(row, minlength=L).astype(np.int64)
    if not alpha:
        of_row, counts = outcomes // S, seen.astype(np.int64)
        means = [x / n for x, n in zip(sums, counts.tolist(), strict=True)]
        total = tries[of_row]
    else:
        require(200 * L * S, "Without a prior only outcomes that were seen are kept.")
        of_pair = [Fraction(0)] * L
        for at, x in zip((outcomes // S).tolist(), sums, strict=True):
            of_pair[at] += x
        mean = [x / n for x, n in zip(of_pair, tries.tolist(), strict=True)]
        means = [x for x in mean for _ in range(S)]
        for at, x, n in zip(outcomes.tolist(), sums, seen.tolist(), strict=True):
            means[at] = x / n
        counts = np.zeros(L * S, dtype=np.int64)
        counts[outcomes] = seen
        outcomes, of_row = np.arange(L * S), np.repeat(np.arange(L), S)
        total = tries[of_row]
    # (n + a/b) / (N + S a/b) = (b n + a) / (b N + S a)
    a, b = alpha.numerator, alpha.denominator
    num, den = b * counts + a, b * total + (S * a)
    shared = np.gcd(num, den)
    return (
        of_row,
        outcomes % S,
        counts,
        RationalArray(num // shared, den // shared),
        RationalArray.of(means),
    )


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
