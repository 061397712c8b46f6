"""What the estimators are worth where the model is known: exact bias and variance, or those of simulated logs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tabular_rl.analysis.off_policy.episodes import Episodes, episodes_of, ratios
from tabular_rl.analysis.off_policy.estimators import batch, estimates
from tabular_rl.analysis.off_policy.sums import sums_of
from tabular_rl.analysis.simulation import sample_transitions
from tabular_rl.errors import NoFiniteAnswer, NumericalError, OptionError
from tabular_rl.laws.importance import importance_law
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.transitions import Transitions
from tabular_rl.solving import run as running
from tabular_rl.solving.sampling import Floats

MOST_PATHS = 100_000  # paths of an episode, and logs, that are enumerated
LAW, ENUMERATED, SIMULATED = "exact", "enumerated", "simulated"
MOST_STEPS = 2_000_000  # of all paths
UNROLLED = 2_000_000  # outcomes of all time steps up to which the law of importance sampling is computed

_Path = tuple[int, float, tuple[int, ...]]


@dataclass(frozen=True)
class Moments:
    """The mean and the standard deviation of an estimate from a log of n episodes, and where they come from.

    `how` is "exact", from the law of importance sampling; "enumerated", exact too, from all logs that there can be; or
    "simulated", from `logs` logs. `undefined` is the share of logs from which there is no estimate; they are left out.
    """

    mean: float
    deviation: float
    how: str
    logs: int = 0
    undefined: float = 0.0


def law_moments(
    mdp: MDP, policy: Policy, behavior: Policy, limit: int | None, n: int, infinite: bool = True
) -> dict[str, Moments]:
    """Return the exact moments of ordinary and per-decision importance sampling, as far as they are known.

        Var(Ĵ) = ( E_{s_0}[ Var(X | s_0) + v(s_0)² ] - J² ) / n

    Parameters
    ----------
    mdp, policy, behavior : the model, π and b
    limit : steps after which episodes are cut off, None for none
    n : episodes of a log
    infinite : whether an infinite variance counts as known

    Returns
    -------
    Moments by estimator; those that are not known are left out.
    """
    if limit is not None and limit != mdp.horizon:
        mdp = mdp.replace(horizon=limit)
        policy, behavior = policy.replace_model(mdp), behavior.replace_model(mdp)
    if (mdp.horizon or 1) * mdp.K > UNROLLED:
        return {}
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            law = importance_law(mdp, policy, behavior)
    except (OptionError, NoFiniteAnswer, NumericalError):
        return {}
    used = (mdp.start > 0) & ~mdp.terminal
    share = mdp.start[used] / mdp.start[used].sum()

    def at_start(x: Floats) -> Floats:
        found: Floats = np.reshape(x, (-1, mdp.S))[0][used]
        return found

    v = at_start(law.mean)
    mean = float(share @ v)
    found = {}
    for name, variance in (("ordinary", law.full), ("per-decision", law.per_decision)):
        # Var v(s_0) as squares of differences: they cancel less.
        with np.errstate(invalid="ignore"):
            total = float(share @ (at_start(variance) + np.square(v - mean)))
        # After so many steps at most a variance is finite: one that is not has overflowed.
        if math.isfinite(total) or (infinite and limit is None and not math.isnan(total)):
            found[name] = Moments(mean, math.sqrt(total / n), LAW)
    return found


def paths(mdp: MDP, behavior: Policy, limit: int | None) -> tuple[Episodes, Floats] | None:
    """Return all paths of an episode, and their probabilities (paths,); None where they are more than MOST_PATHS.

    Parameters
    ----------
    mdp, behavior : the model and b
    limit : steps after which episodes are cut off, None for none

    Returns
    -------
    The paths as episodes, and how likely each is.
    """
    begin = np.flatnonzero((mdp.start > 0) & ~mdp.terminal)
    live: list[_Path] = [(int(s), float(mdp.start[s]), ()) for s in begin]
    over: list[_Path] = []
    t = 0
    while live and (limit is None or t < limit):
        then: list[_Path] = []
        for path in live:
            for longer in _steps(mdp, behavior, t, path):
                (over if mdp.terminal[longer[0]] or t + 1 == limit else then).append(longer)
            if len(over) + len(then) > MOST_PATHS:
                return None
        live, t = then, t + 1
        if t * (len(over) + len(live)) > MOST_STEPS:
            return None
    if not over:
        return None
    chance = np.array([p for _, p, _ in over])
    return _episodes(mdp, [taken for _, _, taken in over]), chance / chance.sum()


def _steps(mdp: MDP, behavior: Policy, t: int, path: _Path) -> Iterator[_Path]:
    """The paths that are a step longer: each with its last state, its probability and its outcomes."""
    s, p, taken = path
    weights = behavior.weights
    for row in mdp.rows(s):
        acts = float(weights[t, row] if weights.ndim == 2 else weights[row])
        for k in range(int(mdp.row_ptr[row]), int(mdp.row_ptr[row + 1])):
            chance = p * acts * float(mdp.prob[k])
            if chance > 0:
                yield int(mdp.next_state[k]), chance, (*taken, k)


def _episodes(mdp: MDP, taken: list[tuple[int, ...]]) -> Episodes:
    """Episodes of these outcomes."""
    k = np.array([outcome for path in taken for outcome in path], dtype=np.int64)
    row = mdp.outcome_row[k]
    reward = mdp.r[row] if mdp.reward is None else mdp.reward[k]
    made = Transitions.of_arrays(mdp, row, reward, mdp.next_state[k], np.zeros(len(k), dtype=bool))
    made.next_row[np.cumsum([len(path) for path in taken]) - 1] = -1
    return episodes_of(made, mdp.gamma, mdp.horizon)


def log_moments(
    mdp: MDP,
    policy: Policy,
    behavior: Policy,
    limit: int | None,
    names: tuple[str, ...],
    n: int,
    *,
    logs: int,
    seed: int,
) -> dict[str, Moments]:
    """Return the moments of estimates from logs of n episodes: of all such logs where they are few, else of some.

    A log is how often each path occurs in it. Where C(n + m - 1, n) of them are at most 100,000, for m paths, each has
    its probability n! Π p_j^{c_j} / c_j!, and the moments are exact.

    Parameters
    ----------
    mdp, policy, behavior : the model, π and b
    limit : steps after which episodes are cut off, None for none
    names : of estimators
    n : episodes of a log
    logs, seed : how many to simulate where they are not enumerated

    Returns
    -------
    Moments by estimator.
    """
    found = paths(mdp, behavior, limit)
    if found is None:
        return _simulated(mdp, policy, behavior, limit, names, n, logs, seed)
    episodes, chance = found
    sums = sums_of(episodes, policy, *ratios(episodes, policy, behavior), mdp.gamma)
    m, size = len(chance), batch(sums)
    if math.comb(n + m - 1, n) <= MOST_PATHS:
        c, share = _all_logs(n, chance)
        how = ENUMERATED
    else:
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        how, share = SIMULATED, np.full(logs, 1 / max(logs, 1))
        c = None
    total = len(share)
    values = []
    for at in range(0, total, size):
        part = min(size, total - at)
        drawn = rng.multinomial(n, chance, size=part) if c is None else c[at : at + part]
        values.append(estimates(sums, drawn.astype(np.float64), names))
        running.tell("truth", at + part, total, "logs")
    return _moments(np.concatenate(values), share, names, how) if values else {}


def _all_logs(n: int, chance: Floats) -> tuple[Floats, Floats]:
    """How often each path occurs in each log of n episodes (logs, m), and how likely the log is."""
    m = len(chance)
    c = np.zeros((1, m))
    left = np.array([n])
    for j in range(m - 1):
        times = left + 1
        at = np.repeat(np.arange(len(c)), times)
        count = np.arange(len(at)) - np.repeat(np.cumsum(times) - times, times)
        c, left = c[at], left[at] - count
        c[:, j] = count
    c[:, -1] = left
    logs = np.array([math.lgamma(x + 1) for x in range(n + 1)])
    return c, np.exp(logs[n] + c @ np.log(chance) - logs[c.astype(np.int64)].sum(axis=1))


def _simulated(
    mdp: MDP,
    policy: Policy,
    behavior: Policy,
    limit: int | None,
    names: tuple[str, ...],
    n: int,
    logs: int,
    seed: int,
) -> dict[str, Moments]:
    """The moments of the estimates of some logs that are played in the model."""
    seeds = np.random.SeedSequence(seed).generate_state(max(logs, 1)).tolist()
    values = []
    most = int(min(1e7, n * min(limit or 10_000, 10_000) + 1))
    for one in seeds[:logs]:
        played = sample_transitions(mdp, behavior, most, int(one), episodes=n, episode_steps=limit)
        if int((played.next_row < 0).sum()) < n or len(played) == most:
            return {}
        e = episodes_of(played, mdp.gamma, mdp.horizon)
        sums = sums_of(e, policy, *ratios(e, policy, behavior), mdp.gamma)
        values.append(estimates(sums, np.ones((1, n)), names))
        running.tell("truth", len(values), logs, "logs")
    if not values:
        return {}
    return _moments(np.concatenate(values), np.full(logs, 1 / logs), names, SIMULATED)


def _moments(values: Floats, share: Floats, names: tuple[str, ...], how: str) -> dict[str, Moments]:
    """Mean and standard deviation of the estimates (logs, names) that there are."""
    found = {}
    for j, name in enumerate(names):
        x = values[:, j]
        known = np.isfinite(x)
        whole = float(share[known].sum())
        if not known.any() or (how == SIMULATED and known.sum() < 2):
            continue
        p = share[known] / whole
        mean = float(p @ x[known])
        var = float(p @ np.square(x[known] - mean))
        if how == SIMULATED:
            var *= known.sum() / (known.sum() - 1)
        found[name] = Moments(mean, math.sqrt(var), how, len(x), 1 - whole if not known.all() else 0.0)
    return found
