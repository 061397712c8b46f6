"""Off-policy evaluation: what a policy is worth, from a log that another one made."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tabular_rl.analysis.off_policy.bounds import Known, bounds, lacking, limit_of
from tabular_rl.analysis.off_policy.confidence import bootstrap, percentiles
from tabular_rl.analysis.off_policy.episodes import Episodes, episodes_of, ratios
from tabular_rl.analysis.off_policy.estimators import ESTIMATORS, Weighed, estimates
from tabular_rl.analysis.off_policy.ranges import Pair
from tabular_rl.analysis.off_policy.remarks import warnings_of
from tabular_rl.analysis.off_policy.sums import sums_of
from tabular_rl.analysis.off_policy.truth import Moments, law_moments, log_moments
from tabular_rl.analysis.simulation import LEVEL
from tabular_rl.errors import ModelError, NotAnswerable, OptionError, closest, kind_text, quoted, spoken
from tabular_rl.formats.logs import given_transitions, log_of
from tabular_rl.model import hooks
from tabular_rl.model.calls import Option, public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy, policy_of
from tabular_rl.model.transitions import Log, Transitions, behavior_of
from tabular_rl.solving.options import SEED
from tabular_rl.solving.sampling import Floats
from tabular_rl.solving.solution import Solution

RESAMPLES = Option("resamples", int, "logs that the bootstrap draws", low=0, high=1_000_000)
LOGS = Option("logs", int, "logs that are simulated", low=0, high=1_000_000)
LEAST = Option("least", float, "a number that b(a|s) is never below where the policy acts", low=1e-300, high=1.0,
               optional=True)  # fmt: skip


@dataclass(frozen=True)
class Evaluated:
    """One estimate of J(π).

    `interval` is the bootstrap's, about right for many episodes, None where there is none. `bound` holds J with
    probability `level` or more, for any number of episodes; where it is None, `why` says why. `bound_of` is "" where it
    is a bound around the estimate itself, "direct" where it is that of the direct method, and "split" where it is one
    around an estimate from the second half of the episodes, with a model of the first: the estimate may lie outside.
    `truth` is the mean and the deviation of such estimates where the model is known, and `bias` how far the mean is
    from J.
    """

    name: str
    value: float
    interval: Pair | None
    bound: Pair | None
    why: str
    dropped: int
    truth: Moments | None = None
    bias: float = math.nan
    bound_of: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class OffPolicy(hooks.Shown, hooks.Tabled):
    """What a policy π is worth by a log of another one: J(π) = E[Σ_t γ^t r_t] from where the episodes begin.

    `estimates` are those of the estimators, in their order; `off_policy["weighted"]` is one by name. The weights of
    n `episodes` are worth `effective` = (Σ W)² / Σ W² episodes of π itself, and `heaviest` is the largest share of one.
    `unknown` is how likely π comes, in the estimated model and discounted, to what the log knows nothing of.
    `behavior` says how b is known: "given", "propensities" or "estimated". `cut` counts the episodes that were cut off,
    `left_out` is what that can be worth at most, and `possible` the range of returns of π; both are infinite where they
    are not known. `longer` counts the episodes that went on after the horizon. `reference` is the exact Solution where
    the model is known, and `limit` the number of steps after which episodes end or are cut off, None for none.
    """

    mdp: MDP
    policy: Policy
    estimates: tuple[Evaluated, ...]
    episodes: int
    transitions: int
    longest: int
    behavior: str
    level: float
    resamples: int
    seed: int
    effective: float
    heaviest: float
    tries: tuple[int, int]
    unknown: float
    cut: int
    left_out: float
    possible: Pair
    longer: int
    known: bool
    seconds: float
    warnings: tuple[str, ...]
    reference: Solution | None = None
    limit: int | None = None

    @property
    def exact(self) -> float:
        """J(π) in the model, nan where none is known."""
        return math.nan if self.reference is None else _start_value(self.reference)

    def __getitem__(self, name: str) -> Evaluated:
        for one in self.estimates:
            if one.name == name:
                return one
        names = [one.name for one in self.estimates]
        raise OptionError(
            f"no estimate {quoted(name)}{closest(name, names)}, expected one of {', '.join(names)}"
        )

    def __repr__(self) -> str:
        return f"OffPolicy({', '.join(f'{one.name}={one.value:.6g}' for one in self.estimates)})"

    def __str__(self) -> str:
        return str(hooks.text_of(self))


@public
def ope(
    log: Any,
    policy: Any,
    *,
    mdp: MDP | None = None,
    gamma: Any = None,
    horizon: int | None = None,
    behavior: Any = None,
    estimators: Iterable[str] = (),
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    reward_range: tuple[float, float] | None = None,
    least: float | None = None,
    logs: int = 200,
    columns: Any = None,
) -> OffPolicy:
    """Estimate what a policy is worth from the episodes that another one made.

        J(π) = E_π[ Σ_t γ^t r_t ],   ρ_t = π(a_t|s_t) / b(a_t|s_t)

    By importance sampling (`ordinary`, `weighted`, `per-decision`, `weighted-per-decision`), the direct method
    (`direct`), `doubly-robust`, `weighted-doubly-robust`, `marginalized` and `occupancy`: their equations are in
    analysis/off_policy/estimators.py. An episode begins where one begins in the log. What was cut off counts 0 in
    importance sampling, and by its estimated value in `direct` and `doubly-robust`.

    Parameters
    ----------
    log : the path of a log, a data frame, a list of (s, a, r, s'), a Log, or Transitions of a model
    policy : π, in any form that functions take; without a model an action is available where the log has it
    mdp : the model, where it is known: it gives names and γ, and beside the estimates their exact value, bias and
        deviation. Transitions bring their own.
    gamma, horizon : those of the estimates where no model is given
    behavior : b, a policy; "log" for the shares of actions in the log; None for the propensities of the log
    estimators : names, by default all
    level : of the intervals, each by itself
    resamples, seed : logs that the bootstrap draws, and its random numbers
    reward_range : (low, high), in which all rewards lie, for the bounds
    least : a number that b(a|s) is never below where π(a|s) > 0, for the bounds
    logs : how many to simulate for bias and deviation where they are not known exactly; 0 for none
    columns : {"state": "patient_state"}: what the column of a role is called, as `read_log` takes them

    Returns
    -------
    OffPolicy. `print` shows what the command `ope` shows.

    Raises
    ------
    OptionError : no behaviour is known, or one that cannot have made the log; an option out of range
    ModelError : a fault of the log

    Sources
    -------
    Precup, Sutton & Singh (2000); Jiang & Li (2016); Thomas & Brunskill (2016); Xie, Ma & Wang (2019); Maurer & Pontil
    (2009).

    Examples
    --------
    One decision. b takes each action half of the time, π always the second: ρ is 0 or 2, and J = 3.

    >>> mdp = MDP.from_outcomes([("s", "a", "end", 1, 1), ("s", "b", "end", 1, 3)], 1, terminal=["end"])
    >>> seen = [("s", "a", 1, "end"), ("s", "b", 3, "end"), ("s", "b", 3, "end")]
    >>> found = ope(Transitions.of(mdp, seen), "action:b", behavior="uniform")
    >>> [round(one.value, 12) for one in found.estimates[:2]], found.exact
    ([4.0, 3.0], 3.0)
    """
    names, level = _names(estimators), LEVEL.check(level)
    resamples, seed, logs = RESAMPLES.check(resamples), SEED.check(seed), LOGS.check(logs)
    begun = time.monotonic()
    if columns:
        log = log_of(log, columns) if mdp is None else given_transitions(log, mdp, columns)
    e, known_model, text = _episodes(log, policy, behavior, mdp, gamma, horizon)
    mdp = e.mdp
    pi = policy_of(mdp, policy)
    b, how = _behavior(e, behavior)
    known = Known(b, how == "estimated", LEAST.check(least), _rewards(reward_range), known_model)
    rho, weight = ratios(e, pi, None if how == "propensities" else b)
    over = not np.isfinite(weight).all()
    sums = sums_of(e, pi, rho, weight, mdp.gamma)
    values = estimates(sums, np.ones((1, len(e))), names)[0]
    draws = bootstrap(sums, names, resamples if len(e) > 1 else 0, seed)
    bounded = bounds(e, sums, weight, pi, known, names, level)
    reference, truth = None, {}
    if known_model:
        reference = _reference(mdp, pi)
        truth = _truth(e, pi, b, names, logs, seed)
    J = math.nan if reference is None else _start_value(reference)
    found = tuple(
        Evaluated(
            name,
            float(values[j]),
            percentiles(draws[:, j], level) if len(draws) else None,
            bounded.found.get(name),
            spoken(bounded.why.get(name, "")),
            0 if over and not math.isfinite(values[j]) else int((~np.isfinite(draws[:, j])).sum()),
            truth.get(name),
            truth[name].mean - J if name in truth else math.nan,
            bounded.of.get(name, "") if name in bounded.found else "",
        )
        for j, name in enumerate(names)
    )
    with np.errstate(all="ignore"):
        unknown = float(Weighed(sums, np.ones((1, len(e)))).modelled.unknown[0])
    scaled = _scaled(e, rho) if over else sums.whole / (sums.whole.max() or 1.0)
    total = float(scaled.sum())
    made = OffPolicy(
        mdp,
        pi,
        found,
        len(e),
        len(e.row),
        e.longest,
        how,
        level,
        resamples,
        seed,
        float(total**2 / np.square(scaled).sum()) if total else 0.0,
        float(scaled.max()) / total if total else 0.0,
        _tries(e, pi),
        unknown,
        int(e.cut.sum()),
        bounded.cut,
        bounded.possible,
        e.longer,
        known_model,
        time.monotonic() - begun,
        (),
        reference,
        limit_of(e),
    )
    return replace(made, warnings=tuple(warnings_of(made, e, known, text)))


def _names(estimators: Iterable[str]) -> tuple[str, ...]:
    """The estimators that were asked for, in their order; all of them by default."""
    asked = [estimators] if isinstance(estimators, str) else list(estimators)
    for name in asked:
        if name not in ESTIMATORS:
            hint = closest(str(name), ESTIMATORS)
            raise OptionError(
                f"--estimator of ope: found {quoted(name)}{hint}, expected some of {', '.join(ESTIMATORS)}"
            )
    return tuple(name for name in ESTIMATORS if not asked or name in asked)


def _rewards(given: Any) -> Pair | None:
    """The least and the largest reward."""
    if given is None:
        return None
    try:
        low, high = map(float, given)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        pair = f"{low:g} to {high:g}" if low == low and high == high else kind_text(given)
        raise OptionError(
            f"--reward-range: found {pair}, expected the least and the largest reward, two finite numbers in this order"
        )
    return low, high


def _episodes(
    log: Any, policy: Any, behavior: Any, mdp: MDP | None, gamma: Any, horizon: Any
) -> tuple[Episodes, bool, str]:
    """The episodes of a log, whether they are those of a known model, and the policy as text where it is one."""
    text = policy if isinstance(policy, str) else ""
    if mdp is None and isinstance(log, Transitions):
        mdp = log.mdp
    if mdp is None:
        log = log_of(log)
        if horizon is not None:
            horizon = Option("horizon", int, "", low=1, high=2**31).check(horizon)
        if gamma is None and horizon is None:
            raise OptionError(
                "gamma: found none, expected one (1 for the plain sum of rewards), or a model or a horizon"
            )
        named = behavior is None or (isinstance(behavior, str) and behavior == "log")
        return _alone(log, policy, named, 1 if gamma is None else gamma, horizon), False, text
    for name, x in (("gamma", gamma), ("horizon", horizon)):
        if x is not None:
            raise OptionError(
                f"{name}: found with a model, expected one of them. mdp.replace({name}=...) changes it."
            )
    if mdp.final_reward is not None:
        raise NotAnswerable(
            "ope: found a model with final rewards, which a log does not have, expected one without"
        )
    if isinstance(log, Transitions):
        log = _with_model(log, mdp)
    elif not isinstance(log, Log) or log.states is not mdp.states:
        log = given_transitions(log, mdp)
    return episodes_of(log, mdp.gamma, mdp.horizon), True, ""


def _alone(log: Any, policy: Any, named: bool, gamma: Any, horizon: int | None) -> Episodes:
    """The episodes of a log without a model, with the pairs that it has.

    A policy that names its actions may name one that the log does not have in a state: then each action is there in
    each state, as long as nothing that is asked would mean something else by that.
    """
    e = episodes_of(log, gamma, horizon)
    try:
        policy_of(e.mdp, policy)
    except (ModelError, OptionError):
        every = isinstance(policy, str) and (":" in policy or policy in ("uniform", "optimal", "greedy"))
        if every or not named:
            raise
        wide = episodes_of(log, gamma, horizon, every=True)
        with suppress(ModelError, OptionError):
            policy_of(wide.mdp, policy)
            return wide
        raise
    return e


def _with_model(log: Transitions, mdp: MDP) -> Transitions:
    """The transitions as those of a model that has the same rows, with another γ say."""
    own = log.mdp
    same = mdp is own or (
        mdp.S == own.S
        and np.array_equal(mdp.pair_ptr, own.pair_ptr)
        and np.array_equal(mdp.pair_action, own.pair_action)
        and list(mdp.states[: mdp.S]) == list(own.states[: own.S])
    )
    if not same:
        raise OptionError(
            "log: found Transitions of another model, expected those of mdp: read_log(path, mdp)"
        )
    return replace(log, mdp=mdp)


def _behavior(e: Episodes, given: Any) -> tuple[Policy | None, str]:
    """The behaviour as far as it is known in all states, and how it is known."""
    if given is None:
        if e.propensity is None:
            raise OptionError(
                "--behavior: found none, and no propensities in the log, expected the policy that made the log; `log` "
                "estimates it from the log"
            )
        return None, "propensities"
    if isinstance(given, str) and given == "log":
        seen = Transitions.of_arrays(e.mdp, e.row, e.reward, np.maximum(e.s2, 0), e.s2 < 0)
        return behavior_of(seen), "estimated"
    return policy_of(e.mdp, given, "behavior"), "given"


def _reference(mdp: MDP, pi: Policy) -> Solution | None:
    """The exact answer of a policy, None where it has none."""
    from tabular_rl.methods.planning.auto import auto_evaluation

    try:
        found: Solution = auto_evaluation(mdp, pi)
    except NotAnswerable:
        return None
    return found


def _start_value(exact: Solution) -> float:
    """J, from the starts that are not terminal: a log has no others."""
    mdp = exact.mdp
    live = float(mdp.start[~mdp.terminal].sum())
    return float(exact.value_of_start()) / live if live < 1 - 1e-9 else float(exact.value_of_start())


def _truth(
    e: Episodes, pi: Policy, b: Policy | None, names: tuple[str, ...], logs: int, seed: int
) -> dict[str, Moments]:
    """Mean and deviation of the estimators, from the law where there is one, else of all logs or of simulated ones."""
    if b is None:
        return {}
    mdp, limit = e.mdp, limit_of(e)
    found = law_moments(mdp, pi, b, limit, len(e))
    left = tuple(name for name in names if name not in found)
    if left and not lacking(pi, b):
        found |= log_moments(mdp, pi, b, limit, left, len(e), logs=logs, seed=seed)
    return found


def _scaled(e: Episodes, rho: Floats) -> Floats:
    """The weights of whole episodes (n,) as shares of the largest, where that is too large for a float."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.bincount(e.of, weights=np.log(rho), minlength=len(e))
        found: Floats = np.nan_to_num(np.exp(log - log.max()), nan=1.0)
    return found


def _tries(e: Episodes, pi: Policy) -> tuple[int, int]:
    """How often the pairs that π takes were tried, in states that the log has left: fewest and most."""
    n = np.bincount(e.row, minlength=e.mdp.L)
    left = np.bincount(e.s, minlength=e.mdp.S) > 0
    taken = np.atleast_2d(pi.takes).any(axis=0) & left[e.mdp.pair_state]
    return (int(n[taken].min()), int(n[taken].max())) if taken.any() else (0, 0)
