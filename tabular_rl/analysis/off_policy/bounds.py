"""Which bounds may be claimed of an estimate, and why there is none of another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tabular_rl.analysis.off_policy.confidence import concentrated, concentrated_ratio
from tabular_rl.analysis.off_policy.direct_bound import direct_bound
from tabular_rl.analysis.off_policy.episodes import NOWHERE, Episodes
from tabular_rl.analysis.off_policy.estimators import estimates
from tabular_rl.analysis.off_policy.ranges import Pair, Ranges, ranges, ranges_of_numbers
from tabular_rl.analysis.off_policy.sums import Sums
from tabular_rl.errors import OptionError, escape
from tabular_rl.model.graph.search import reachable, starts
from tabular_rl.model.policy import Policy

CLOSE = 1e-9  # share by which a reward or a probability may differ, by its rounding


@dataclass(frozen=True)
class Known:
    """What is known of the behaviour and of the rewards, apart from the log.

    `behavior` is b in all states, None where it is not known; `estimated` says that it comes from the log itself;
    `least` is a number below which b(a|s) never is where π(a|s) > 0, and `rewards` the least and the largest reward.
    `model` says whether the episodes are those of a known model.
    """

    behavior: Policy | None
    estimated: bool
    least: float | None
    rewards: Pair | None
    model: bool


@dataclass(frozen=True)
class Bounds:
    """The intervals by estimator, or in `why` the reason that there is none.

    `cut` is what bounds hold for what was cut off; `possible` the range of returns under π, infinite where not known.
    """

    found: dict[str, Pair]
    why: dict[str, str]
    cut: float
    possible: Pair


def bounds(
    e: Episodes, sums: Sums, policy: Policy, known: Known, names: tuple[str, ...], level: float
) -> Bounds:
    """Return the intervals that hold J with probability `level` or more, for each estimator that has one.

    They hold for episodes that are drawn independently, with the behaviour that is said to have drawn them.

    Parameters
    ----------
    e, sums : the log, under the policy
    policy : π
    known : of the behaviour and the rewards
    names : of estimators
    level : of each interval by itself

    Returns
    -------
    Bounds

    Raises
    ------
    OptionError : the log has what the promises exclude
    """
    check_promises(e, known)
    why = {name: NOT_AN_AVERAGE for name in names if name not in (*WEIGHED, "direct")}
    found: dict[str, Pair] = {}
    possible = _possible(e, policy, known)
    if "direct" in names:
        pair, why["direct"] = _direct(e, sums, known, possible, level)
        if pair is not None:
            found["direct"] = pair
    able = [name for name in names if name in WEIGHED]
    reason = _reason(e, policy, known)
    cut = rest_of(e, known)
    if reason or not math.isfinite(cut):
        return Bounds(found, why | dict.fromkeys(able, reason or CUT), cut, possible)
    among = _among(e, policy, known, limit_of(e))
    for name in able:
        pair = _interval(name, sums, among, level)
        if pair is None:
            why[name] = ENDLESS
            continue
        low, high = pair
        # Rounding: a mean of n numbers, each a sum of T products.
        slack = 1e-12 * max(abs(low), abs(high)) + cut
        found[name] = max(low, among.value[0]) - slack, min(high, among.value[1]) + slack
    return Bounds(found, why, cut, possible)


def _among(e: Episodes, policy: Policy, known: Known, limit: int | None) -> Ranges:
    """What weighted returns can be, as far as it is known."""
    if known.least is not None and known.rewards is not None:
        return ranges_of_numbers(float(policy.weights.max()) / known.least, known.rewards, e.mdp.gamma, limit)
    assert known.behavior is not None
    return ranges(e.mdp, policy, known.behavior, limit, bool(e.cut.any()), known.rewards)


WEIGHED = ("ordinary", "weighted", "per-decision")  # whose bounds rest on what weighted returns can be
NOT_AN_AVERAGE = "not a mean of independent numbers"
ENDLESS = "weights without an upper bound"
NO_REWARDS = "the range of the rewards is not known"
LOST = "the model has lost the rewards of its outcomes"
CUT = "episodes were cut off, and what came after can be worth anything"


def _possible(e: Episodes, policy: Policy, known: Known) -> Pair:
    """The least and the largest return under π, apart from the log."""
    rewards = known.rewards
    if known.model and not (e.mdp.averaged and rewards is None):
        # b plays no part in it: π stands in its place.
        return ranges(e.mdp, policy, policy, e.horizon, False, rewards).value
    return (-math.inf, math.inf) if rewards is None else returns(rewards, e.mdp.gamma, e.horizon)


def _direct(e: Episodes, sums: Sums, known: Known, possible: Pair, level: float) -> tuple[Pair | None, str]:
    """The interval around the direct estimate, or why there is none."""
    rewards = known.rewards
    if rewards is None:
        if not known.model:
            return None, NO_REWARDS
        reason = LOST if e.mdp.averaged else contradiction(e, known)
        if reason:
            return None, reason
        own = e.mdp.outcome_reward[e.mdp.prob > 0]
        rewards = float(own.min()), float(own.max())
    room = direct_bound(sums, rewards, level)
    if room is None:
        return None, "returns without a bound"
    value = float(estimates(sums, np.ones((1, sums.n)), ("direct",))[0, 0])
    least, most = possible
    slack = 1e-9 * max(abs(least), abs(most))
    return (max(value - room[0], least) - slack, min(value + room[1], most) + slack), ""


def returns(rewards: Pair, gamma: float, horizon: int | None) -> Pair:
    """Return the least and the largest return of episodes that may end at any time.

    Parameters
    ----------
    rewards : the least and the largest
    gamma, horizon : discount, and the number of decisions, None for no limit

    Returns
    -------
    Both ends, infinite where there is none.

    Examples
    --------
    >>> returns((-1.0, 2.0), 0.5, None), returns((-1.0, 2.0), 0.5, 2), returns((1.0, 2.0), 1.0, 3)
    ((-2.0, 4.0), (-1.5, 3.0), (0.0, 6.0))
    """
    if gamma < 1:
        steps = (1 - (gamma**horizon if horizon else 0.0)) / (1 - gamma)
    else:
        steps = math.inf if horizon is None else float(horizon)
    low, high = min(rewards[0], 0.0), max(rewards[1], 0.0)
    return (low * steps if low else 0.0), (high * steps if high else 0.0)


def _interval(name: str, sums: Sums, among: Ranges, level: float) -> Pair | None:
    """The interval of an estimator, None where the range is not bounded."""
    if name == "weighted":
        if not all(map(math.isfinite, (*among.weight, *among.value))):
            return None
        return concentrated_ratio(sums.whole, sums.G, among.weight, among.value, level)
    x, ends = (
        (sums.whole * sums.G, among.ordinary)
        if name == "ordinary"
        else (sums.per_decision, among.per_decision)
    )
    return concentrated(x, ends, level) if all(map(math.isfinite, ends)) else None


def _reason(e: Episodes, policy: Policy, known: Known) -> str:
    """Why nothing may be claimed; "" where it may."""
    if known.estimated:
        return "the behaviour is estimated from the log"
    if known.least is not None and known.rewards is not None:
        return ""
    if known.behavior is None or not known.model:
        return (
            "how small the behaviour's probabilities can be is not known"
            if known.least is None
            else NO_REWARDS
        )
    if e.mdp.averaged and known.rewards is None:
        return LOST
    wrong = contradiction(e, known)
    if wrong:
        return wrong
    return lacking(policy, known.behavior)


def limit_of(e: Episodes) -> int | None:
    """The most steps of an episode: the horizon, or where all are cut off that are as long as the longest."""
    if e.horizon is not None:
        return e.horizon
    return e.longest if e.cut.any() and e.cut[e.length == e.longest].all() else None


def rest_of(e: Episodes, known: Known) -> float:
    """How much J can be more or less for what came after the cuts: max |r| Σ γ^t from the shortest cut on."""
    if not e.cut.any():
        return 0.0
    shortest, gamma = int(e.length[e.cut].min()), e.mdp.gamma
    ends = known.rewards
    largest = (
        e.mdp.facts.largest_reward
        if ends is None and known.model
        else max(map(abs, ends))
        if ends
        else math.inf
    )
    if gamma >= 1:
        steps = math.inf if e.horizon is None else float(e.horizon - shortest)
    else:
        steps = (gamma**shortest - (0.0 if e.horizon is None else gamma**e.horizon)) / (1 - gamma)
    return largest * steps * (1 + CLOSE) if largest else 0.0


def check_promises(e: Episodes, known: Known) -> None:
    """Raise OptionError where the log has what --reward-range or --least exclude."""
    if known.rewards is not None:
        low, high = known.rewards
        outside = (e.reward < low) | (e.reward > high)
        if outside.any():
            at = int(np.argmax(outside))
            raise OptionError(
                f"--reward-range: found a reward of {e.reward[at]:g} in the log, expected all from {low:g} to {high:g}"
            )
    if known.least is not None and e.propensity is not None:
        at = int(np.argmin(e.propensity))
        if e.propensity[at] < known.least * (1 - CLOSE):
            raise OptionError(
                f"--least: found a propensity of {e.propensity[at]:g} in the log, expected none below {known.least:g}"
            )


def contradiction(e: Episodes, known: Known) -> str:
    """What the log has that the model does not; "" where there is nothing."""
    mdp = e.mdp
    begins = e.s[e.first]
    elsewhere = mdp.start[begins] <= 0
    if elsewhere.any():
        state = escape(mdp.states[int(begins[np.argmax(elsewhere)])])
        return f"an episode of the log begins in {state}, where none of the model does"
    S = mdp.S + 1
    there = mdp.prob > 0
    code = np.unique((mdp.outcome_row * S + mdp.next_state)[there])
    # Where an episode ended, the log may have it as a state of its own.
    moves = e.s2 != NOWHERE
    wanted = e.row[moves] * S + e.s2[moves]
    at = np.minimum(np.searchsorted(code, wanted), len(code) - 1)
    strange = code[at] != wanted
    if strange.any():
        i = int(np.flatnonzero(moves)[np.argmax(strange)])
        return f"the model has no {_move(e, i)}, which is in the log"
    if known.rewards is None:
        own = mdp.outcome_reward
        low = np.minimum.reduceat(np.where(there, own, math.inf), mdp.row_ptr[:-1].astype(np.intp))
        high = np.maximum.reduceat(np.where(there, own, -math.inf), mdp.row_ptr[:-1].astype(np.intp))
        room = CLOSE * (1 + np.abs(e.reward))
        beyond = (e.reward < low[e.row] - room) | (e.reward > high[e.row] + room)
        if beyond.any():
            i = int(np.argmax(beyond))
            place = f"in state {escape(mdp.states[int(e.s[i])])}"
            return f"the log has a reward of {e.reward[i]:g} {place}, which the model does not"
    return ""


def _move(e: Episodes, i: int) -> str:
    states = e.mdp.states
    return f"transition from {escape(states[int(e.s[i])])} to {escape(states[int(e.s2[i])])}"


def lacking(policy: Policy, behavior: Policy) -> str:
    """Which action of π the behaviour never takes, where π comes to; "" where it takes all."""
    mdp = policy.mdp
    wanted = np.atleast_2d(policy.takes)
    missing = (wanted & ~(np.atleast_2d(behavior.weights) > 0)).any(axis=0)
    if missing.any():
        met = reachable(mdp, starts(mdp), np.asarray(wanted.any(axis=0)))
        missing &= met[mdp.pair_state]
    if not missing.any():
        return ""
    i = int(np.argmax(missing))
    state, action = mdp.states[mdp.state_of_row(i)], mdp.actions[int(mdp.pair_action[i])]
    return f"the behaviour never takes {escape(action)} in {escape(state)}, which the policy does"
