"""The episodes of a log as off-policy evaluation needs them: steps, importance ratios and their products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.analysis.estimation import estimate
from tabular_rl.errors import OptionError, quoted
from tabular_rl.formats.log_entries import rows_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.transitions import Log, Transitions
from tabular_rl.solving.sampling import Floats

Ints = NDArray[np.int64]
NOWHERE = -1  # the next state of a transition that ends its episode


@dataclass(frozen=True, eq=False)
class Episodes:
    """n episodes of N transitions in all, of a model or of what the log says of one.

    `row`, `reward`, `s`, `s2` (N,) are the transitions, `s2` is -1 where nothing comes after; `of` (N,) is the episode
    of each and `t` (N,) its step. `length` (n,), and `cut` (n,): whether an episode was cut off before its end and
    before the horizon. `open` (S,) are the states that were reached and never left, so that nothing is known of what
    follows. `longer` counts the episodes that went on beyond the horizon, which are looked at up to there.
    `propensity` (N,) is what the log says of the behaviour.
    """

    mdp: MDP
    row: Ints
    reward: Floats
    s: Ints
    s2: Ints
    of: Ints
    t: Ints
    length: Ints
    cut: NDArray[np.bool_]
    open: NDArray[np.bool_]
    propensity: Floats | None
    horizon: int | None
    longer: int = 0

    def __len__(self) -> int:
        return len(self.length)

    @property
    def first(self) -> Ints:
        """The first transition of each episode (n,)."""
        return np.cumsum(self.length) - self.length

    @property
    def last(self) -> Ints:
        """The last transition of each episode (n,)."""
        return np.cumsum(self.length) - 1

    @property
    def longest(self) -> int:
        """The steps of the longest episode."""
        return int(self.length.max())


def episodes_of(log: Log | Transitions, gamma: Any, horizon: int | None, every: bool = False) -> Episodes:
    """Return the episodes of a log, up to a horizon.

    Without a model the pairs that the log has are those that there are, and a state that was reached and never left has
    none.

    Parameters
    ----------
    log : of a model, or with names of its own
    gamma : discount, of the model that stands for a log with names of its own
    horizon : the number of decisions, None for no limit
    every : whether, without a model, each action of the log is there in each state that has one

    Returns
    -------
    Episodes
    """
    if isinstance(log, Transitions):
        mdp, row, s2 = log.mdp, log.row, log.next_state.astype(np.int64)
        begins = np.concatenate([[True], (log.next_row[:-1] < 0) | log.done[:-1]])
    else:
        mdp = _frame(log, gamma, horizon, every)
        state = np.array([mdp.states.find(name) for name in log.states], dtype=np.int64)
        action = np.array([mdp.actions.find(name) for name in log.actions], dtype=np.int64)
        row, s2 = rows_of(mdp, state[log.s], action[log.a]), state[log.s2]
        begins = log.begins | np.concatenate([[True], (log.s[1:] != log.s2[:-1]) | log.done[:-1]])
    of = np.cumsum(begins) - 1
    t = np.arange(len(row)) - np.flatnonzero(begins)[of]
    longer = 0
    propensity, reward, done = log.propensity, log.reward, log.done
    if horizon is not None:
        within = t < horizon
        longer = int((np.bincount(of) > horizon).sum())
        row, s2, of, t, reward, done = (x[within] for x in (row, s2, of, t, reward, done))
        propensity = None if propensity is None else propensity[within]
    left = np.zeros(mdp.S, dtype=bool)
    s = mdp.pair_state[row].astype(np.int64)
    left[s] = True
    length = np.bincount(of).astype(np.int64)
    ends = np.cumsum(length) - 1
    cut = ~done[ends] & (True if horizon is None else length < horizon)
    to = np.where(done, NOWHERE, s2)
    before = ~done & (True if horizon is None else t + 1 < horizon)
    stuck = np.zeros(mdp.S, dtype=bool)
    stuck[s2[before]] = True
    stuck &= ~left
    return Episodes(mdp, row, reward, s, to, of, t, length, cut, stuck, propensity, horizon, longer)


def _frame(log: Log, gamma: Any, horizon: int | None, every: bool) -> MDP:
    """The model that stands for a log: its states, and the pairs that it has, or every pair."""
    left = np.zeros(len(log.states), dtype=bool)
    left[log.s] = True
    reached = np.zeros(len(log.states), dtype=bool)
    reached[log.s2[~log.done]] = True
    ends = [log.states[int(s)] for s in np.flatnonzero(reached & ~left)]
    mdp = estimate(log, gamma, terminal=ends).mdp
    mdp = _with_every_pair(mdp) if every else mdp
    return mdp if horizon is None else mdp.replace(horizon=horizon)


def _with_every_pair(mdp: MDP) -> MDP:
    """The model with each action in each state that has one; what it did not have stays where it is, and earns 0."""
    live = np.flatnonzero(~mdp.terminal)
    s, a = np.repeat(live, mdp.A), np.tile(np.arange(mdp.A), len(live))
    row = rows_of(mdp, s, a)
    old = row >= 0
    size = np.where(old, np.diff(mdp.row_ptr)[row], 1)
    ptr = np.concatenate([[0], np.cumsum(size)])
    k = np.arange(ptr[-1]) - np.repeat(ptr[:-1] - np.where(old, mdp.row_ptr[row], 0), size)
    own = np.repeat(old, size)
    k = np.where(own, k, 0)
    return MDP.from_rows(
        pair_ptr=np.concatenate([[0], np.cumsum(np.where(mdp.terminal, 0, mdp.A))]),
        pair_action=a,
        row_ptr=ptr,
        next_state=np.where(own, mdp.next_state[k], np.repeat(s, size)),
        prob=np.where(own, mdp.prob[k], 1.0),
        reward=np.where(own, mdp.outcome_reward[k], 0.0),
        gamma=mdp.gamma_exact,
        terminal=mdp.terminal,
        start=mdp.start,
        states=mdp.states,
        actions=mdp.actions,
        source=mdp.source,
    )


def decided(policy: Policy, t: Ints, row: Ints) -> Floats:
    """Return the probability with which a policy takes rows at times.

    Parameters
    ----------
    policy : π or b
    t, row : times and rows (N,)

    Returns
    -------
    π(a|s) of each (N,).
    """
    weights = policy.weights
    found: Floats = weights[t, row] if weights.ndim == 2 else weights[row]
    return found


def ratios(episodes: Episodes, policy: Policy, behavior: Policy | None) -> tuple[Floats, Floats]:
    """Return ρ_t = π(a_t|s_t) / b(a_t|s_t) (N,), and the products ρ_0 ρ_1 ... ρ_t (N,).

    Parameters
    ----------
    episodes : the log
    policy : π
    behavior : b, or None where the log says with which probability each action was chosen

    Returns
    -------
    ρ and its products, nan where one is larger than any float.

    Raises
    ------
    OptionError : the behaviour never takes an action that the log has
    """
    t, row, mdp = episodes.t, episodes.row, episodes.mdp
    if behavior is None:
        assert episodes.propensity is not None
        b = episodes.propensity
    else:
        b = decided(behavior, t, row)
        if not (b > 0).all():
            i = int(row[np.argmin(b)])
            state, action = mdp.states[mdp.state_of_row(i)], mdp.actions[int(mdp.pair_action[i])]
            raise OptionError(
                f"--behavior: state {quoted(state)}, action {quoted(action)}: found probability 0, expected more, as "
                "the log has it. Give the policy that made the log, or `log` to estimate it."
            )
    rho = decided(policy, t, row) / b
    with np.errstate(over="ignore", invalid="ignore"):
        weight = _products(rho, episodes)
    # Not infinite: a share of such weights has no value, and nothing may come out that looks like one.
    return rho, np.where(np.isfinite(weight), weight, np.nan)


def _products(rho: Floats, episodes: Episodes) -> Floats:
    """ρ_0 ρ_1 ... ρ_t (N,), along the shorter of two ways: episode by episode, or step by step."""
    weight = rho.copy()
    if len(episodes) <= episodes.longest:
        for first, last in zip(episodes.first.tolist(), episodes.last.tolist(), strict=True):
            weight[first : last + 1] = np.cumprod(rho[first : last + 1])
        return weight
    order = np.argsort(episodes.t, kind="stable")
    ends = np.cumsum(np.bincount(episodes.t))
    for at, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        now = order[at:end]
        weight[now] *= weight[now - 1]
    return weight
