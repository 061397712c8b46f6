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
from tabular_rl.analysis.off_policy.split_bound import Critic, Setting, split, split_bounds
from tabular_rl.analysis.off_policy.step_bound import Weights, risks, steps_of_model, steps_of_numbers, summed
from tabular_rl.analysis.off_policy.sums import Sums
from tabular_rl.errors import OptionError, escape
from tabular_rl.model.graph.search import reachable, starts
from tabular_rl.model.policy import Policy
from tabular_rl.solving.sampling import Floats

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
    `of` says, by estimator, which estimate a bound belongs to, where that is another one: "direct" or "split".
    """

    found: dict[str, Pair]
    why: dict[str, str]
    cut: float
    possible: Pair
    of: dict[str, str]


def bounds(
    e: Episodes,
    sums: Sums,
    weight: Floats,
    policy: Policy,
    known: Known,
    names: tuple[str, ...],
    level: float,
) -> Bounds:
    """Return the intervals that hold J with probability `level` or more, for each estimator that has one.

    They hold for episodes that are drawn independently, with the behaviour that is said to have drawn them.
    `marginalized` and `occupancy` have that of the direct method: all three rest on the model of the log, and an
    interval that holds J holds it beside any estimate. Those of the doubly robust estimators belong to a split
    estimate.

    Parameters
    ----------
    e, sums : the log, under the policy
    weight : ρ_0 ... ρ_t (N,), not finite where it overflows
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
    possible = _possible(e, policy, known)
    found, why = _of_model(e, sums, known, possible, names, level)
    of = {name: DIRECT for name in found if name != DIRECT} | {
        name: SPLIT for name in names if name in CORRECTED
    }
    able = [name for name in names if name in (*WEIGHED, *CORRECTED)]
    cut = rest_of(e, known)
    reason = "" if np.isfinite(weight).all() else OVERFLOW
    reason = reason or _reason(e, policy, known) or ("" if math.isfinite(cut) else CUT)
    if reason or not able:
        return Bounds(found, why | dict.fromkeys(able, reason), cut, possible, of)
    limit = limit_of(e)
    with np.errstate(all="ignore"):
        among = _among(e, policy, known, limit)
        pairs = {name: _interval(name, sums, among, level) for name in able if name in AVERAGED}
        if "weighted-per-decision" in able:
            pairs["weighted-per-decision"] = _stepwise(e, weight, policy, known, limit, level)
        pairs = {name: pair and within(pair, among.value, cut) for name, pair in pairs.items()}
        if not set(CORRECTED).isdisjoint(able):
            more, untold = _corrected(e, sums, weight, policy, known, limit, level)
            # What was cut off counts by v̂, which is as far from 0 as what it is worth may be.
            for name in more.keys() & set(able):
                low, high = more[name]
                pairs[name] = within((low - 2 * cut, high + 2 * cut), possible, 0.0)
            why |= {name: untold for name in CORRECTED if name in able and untold}
    for name, pair in pairs.items():
        if pair is None or not all(map(math.isfinite, pair)):
            why[name] = ENDLESS
        else:
            found[name] = pair
    return Bounds(found, why, cut, possible, of)


def within(pair: Pair, ends: Pair, cut: float) -> Pair:
    """Return an interval as far as it lies in a range, `cut` and some rounding wider.

    Parameters
    ----------
    pair, ends : the interval, and the range
    cut : how much it is widened

    Returns
    -------
    Both ends; one end of the range where none of the interval lies in it.

    Examples
    --------
    >>> [round(x, 6) for x in within((-3.0, 2.0), (-1.0, 4.0), 0.5)]
    [-1.5, 2.5]
    """
    # Rounding: a mean of n numbers, each a sum of T products; and that of the range.
    slack = 1e-12 * max(abs(pair[0]), abs(pair[1]))
    room = cut + 1e-12 * max(x for x in (*map(abs, ends), 0.0) if math.isfinite(x))
    low, high = max(pair[0] - slack, ends[0]), min(pair[1] + slack, ends[1])
    return min(low, ends[1]) - room, max(high, ends[0]) + room


def _of_model(
    e: Episodes, sums: Sums, known: Known, possible: Pair, names: tuple[str, ...], level: float
) -> tuple[dict[str, Pair], dict[str, str]]:
    """The interval of the direct method for all that rest on the model of the log, or why there is none."""
    able = [name for name in names if name in MARKOV]
    if not able:
        return {}, {}
    pair, why = _direct(e, sums, known, possible, level)
    return (dict.fromkeys(able, pair), {}) if pair is not None else ({}, dict.fromkeys(able, why))


def _stepwise(
    e: Episodes, weight: Floats, policy: Policy, known: Known, limit: int | None, level: float
) -> Pair:
    """The interval of weighted per-decision importance sampling, step by step."""
    setting = _setting(e, policy, known, limit)
    if setting.outcomes is None:
        steps = steps_of_numbers(setting.ratio, lambda _t: setting.rewards)
    else:
        assert setting.behavior is not None
        rewards = setting.outcomes
        steps = steps_of_model(e.mdp, policy, setting.behavior, lambda _t: rewards, setting.stops)
    log = Weights(len(e), e.of, e.t, weight, e.reward)
    return summed(log, steps, risks(1 - level, e.horizon), e.mdp.gamma, limit, setting.rewards)


def _corrected(
    e: Episodes, sums: Sums, weight: Floats, policy: Policy, known: Known, limit: int | None, level: float
) -> tuple[dict[str, Pair], str]:
    """The intervals of the doubly robust estimators, or why there are none."""
    c, half = split(sums)
    critic = Critic.of(e.mdp, sums, c)
    if critic is None:
        return {}, "the policy does not end in the model of half of the log"
    return split_bounds(e, weight, critic, half, _setting(e, policy, known, limit), level), ""


def _setting(e: Episodes, policy: Policy, known: Known, limit: int | None) -> Setting:
    """What is known apart from the log."""
    stops, rewards = bool(e.cut.any()), known.rewards
    if known.least is not None and rewards is not None:
        ratio = float(policy.weights.max()) / known.least
        return Setting(policy, None, None, ratio, rewards, limit, True)
    own = e.mdp.outcome_reward
    low, high = (own, own) if rewards is None else (np.full(e.mdp.K, end) for end in rewards)
    there = e.mdp.prob > 0
    ends = float(low[there].min()), float(high[there].max())
    return Setting(policy, known.behavior, (low, high), math.inf, ends, limit, stops)


def _among(e: Episodes, policy: Policy, known: Known, limit: int | None) -> Ranges:
    """What weighted returns can be, as far as it is known."""
    if known.least is not None and known.rewards is not None:
        return ranges_of_numbers(float(policy.weights.max()) / known.least, known.rewards, e.mdp.gamma, limit)
    assert known.behavior is not None
    return ranges(e.mdp, policy, known.behavior, limit, bool(e.cut.any()), known.rewards)


AVERAGED = ("ordinary", "weighted", "per-decision")  # whose bounds rest on what weighted returns can be
WEIGHED = (*AVERAGED, "weighted-per-decision")
CORRECTED = ("doubly-robust", "weighted-doubly-robust")
MARKOV = ("direct", "marginalized", "occupancy")  # whose bound is that of the direct method
DIRECT, SPLIT = "direct", "split"
OVERFLOW = "the importance weight of an episode is larger than any float64"
ENDLESS = "weights without an upper bound"
NO_REWARDS = "the range of the rewards is not known: --reward-range says it"
NO_LEAST = "how small the behaviour's probabilities can be is not known: --least says it"
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
        if known.least is not None:
            return NO_REWARDS
        return NO_LEAST + ("" if known.rewards else ", with --reward-range")
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
