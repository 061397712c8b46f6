"""Estimates of the policy gradient from sampled episodes: what the exact moments are held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tabular_rl.errors import NoFiniteAnswer, OptionError
from tabular_rl.methods.gradient._episodes import Episodes
from tabular_rl.methods.gradient.estimators import CRITICS, Form, make_form
from tabular_rl.methods.gradient.given import given_gradients
from tabular_rl.methods.gradient.sampled import Sampled
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy, as_softmax
from tabular_rl.model.calls import public
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving import run as running
from tabular_rl.solving.run import Run, Stop
from tabular_rl.solving.sampling import cumulative, sampling_model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TOGETHER = 16_384  # steps played at once
ROOM = 2**21  # entries of estimates held at once
LONGEST = 1_000_000  # steps of an episode


class _Sums:
    """Mean and covariance of vectors that arrive in blocks after some zeros (Chan, Golub & LeVeque 1983)."""

    def __init__(self, d: int, zeros: int) -> None:
        self.n, self.mean, self.squares = zeros, np.zeros(d), np.zeros((d, d))

    def take(self, x: Floats) -> None:
        """Add vectors (n, d)."""
        n = len(x)
        if not n:
            return
        mean = x.mean(axis=0)
        y, delta = x - mean, mean - self.mean
        self.squares += y.T @ y + np.outer(delta, delta) * (self.n * n / (self.n + n))
        self.mean = self.mean + delta * (n / (self.n + n))
        self.n += n


@public
def sample_gradient(
    policy: SoftmaxPolicy | Policy,
    estimators: Sequence[str] = ("return",),
    *,
    episodes: int = 10_000,
    seed: int = 0,
    discounted: bool = True,
    horizon: int | None = None,
    stopping: bool | None = None,
    steps: int | None = None,
    values: ArrayLike | None = None,
    action_values: ArrayLike | None = None,
    time_limit: float | None = None,
    data: Any = None,
    behavior: Any = None,
    importance: str = "per-decision",
) -> list[Sampled]:
    """Return the mean and covariance of estimators of the gradient over sampled episodes, the same for all of them.

        mean = Σ_e g(τ_e) / N,        covariance = Σ_e (g(τ_e) - mean) (g(τ_e) - mean)ᵀ / (N - 1)

    Without a horizon, at γ < 1, an episode ends after each step with probability 1 - γ and is not discounted then: no
    bias. `steps` cuts episodes off in its place, which is biased: `estimator_moments` says by how much.

    With `data` nothing is sampled: the episodes are those of a log, discounted. Where another policy b made it, ratios
    π(a|s) / b(a|s) put the mean right: "ordinary" weighs g(τ) by their product W over the episode, "per-decision" each
    reward by the ratios up to it, both without bias; "weighted" is Σ W g / Σ W, biased at first and steadier. Episodes
    that are cut off before their end are left out and counted.

    Parameters
    ----------
    policy, discounted, horizon, stopping, steps, values, action_values : as for `estimator_moments`
    estimators : names
    episodes : how many
    seed : the same seed gives the same episodes, and fewer episodes the first of them. A step takes three uniforms:
        action, outcome, start of the next episode; the first start takes one.
    time_limit : seconds
    data : Transitions, a list of (s, a, r, s'[, done]) or the path of a log, in the order of their episodes
    behavior : the policy that made `data`, or "log" for the shares of its actions; default the policy itself
    importance : "per-decision", "ordinary" or "weighted"

    Returns
    -------
    a Sampled for each estimator

    Raises
    ------
    NoFiniteAnswer : episodes that never end
    NumericalError : rewards whose squares are beyond the range of floats
    OptionError : an option out of range, or an episode of more than 1,000,000 steps

    Sources
    -------
    Williams (1992), REINFORCE.

    Examples
    --------
    The bandit with π = (.9, .1) and rewards (1, 0): with b* = .1 every episode says (.09, -.09).

    >>> from tabular_rl.model.mdp import MDP
    >>> bandit = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 1, horizon=1)
    >>> found, = sample_gradient(SoftmaxPolicy(bandit, np.log([9.0, 1.0])), ["return-best"], episodes=100)
    >>> found.mean.round(12).tolist(), round(found.trace, 12)
    ([0.09, -0.09], 0.0)

    Two episodes that are given: R = 1, score (.1, -.1); R = 0. The mean is (.05, -.05).

    >>> found, = sample_gradient(SoftmaxPolicy(bandit, np.log([9.0, 1.0])), data=[(0, 0, 1, 0), (0, 1, 0, 0)])
    >>> found.mean.round(12).tolist(), found.episodes
    ([0.05, -0.05], 2)
    """
    if data is not None:
        for name, x in (("steps", steps), ("stopping", stopping), ("time_limit", time_limit)):
            if x is not None:
                raise OptionError(
                    f"{name}: found with data, expected one of them: a log says how its episodes end"
                )
        return given_gradients(
            as_softmax(policy), estimators, data, behavior=behavior, importance=importance, discounted=discounted,
            horizon=horizon, values=values, action_values=action_values,
        )  # fmt: skip
    if behavior is not None:
        raise OptionError("behavior: found without data, expected both")
    return _sampled(
        as_softmax(policy), estimators, o.EPISODES.check(episodes), o.SEED.check(seed),
        Run("gradient", {}, o.OPTIONS["time_limit"].check(time_limit)),
        {"horizon": horizon, "stopping": stopping, "steps": steps},
        {"discounted": discounted, "values": values, "action_values": action_values},
    )  # fmt: skip


def _sampled(
    softmax: SoftmaxPolicy,
    estimators: Sequence[str],
    wanted: int,
    seed: int,
    run: Run,
    ends: dict[str, Any],
    reads: dict[str, Any],
) -> list[Sampled]:
    """Play episodes, and estimate from each."""
    from tabular_rl.kernels.gradient import episode_estimates

    walk = Episodes(softmax, **ends)
    if walk.steps is None and walk.unending.any():
        raise NoFiniteAnswer(
            "episodes never end; stop with probability 1 - γ, or give a horizon or steps. The policy recurs in",
            walk.names(walk.unending),
            way_out="",
        )
    forms = [make_form(walk, name, **_read_by(name, **reads)) for name in estimators]
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    d, scores = softmax.d, np.ascontiguousarray(softmax.scores)
    empty = 1.0 - float(walk.begin.sum())  # episodes that are over where they begin
    done = int(rng.binomial(wanted, min(empty, 1.0))) if empty > 1e-12 else 0
    sums, total, stopped = [_Sums(d, done) for _ in forms], 0, None
    try:
        for n, parts in _played(walk, rng, wanted - done, run):
            if n:
                out, psi = np.empty((n, d)), np.empty(len(parts[0]))
                for form, one in zip(forms, sums, strict=True):
                    episode_estimates(walk.mdp.pair_state, scores, *_numbers(form), *parts, psi, out)
                    one.take(out)
            done, total = done + n, total + len(parts[0])
            running.tell("gradient", done, wanted, "episodes")
    except Stop as error:
        stopped = error.why
    made = []
    for form, one in zip(forms, sums, strict=True):
        covariance = one.squares / (one.n - 1) if one.n > 1 else np.full((d, d), np.nan)
        mean = one.mean if one.n else np.full(d, np.nan)
        made.append(Sampled(form.name, one.n, total, mean, covariance, seed, run.seconds, stopped))
    return made


def _played(
    walk: Episodes, rng: np.random.Generator, wanted: int, run: Run
) -> Iterator[tuple[int, tuple[Ints, Ints, NDArray[np.bool_]]]]:
    """Play episodes block by block: how many are whole, and (row, outcome, last) of each of their steps."""
    from tabular_rl.kernels.episodes import Decisions, play

    if not wanted:
        return
    begin = cumulative(walk.begin / walk.begin.sum())
    model = sampling_model(walk.mdp)._replace(start=begin, terminal=walk.end)
    pi = cumulative(np.ascontiguousarray(walk.policy.pi), walk.mdp.pair_ptr)
    chosen = Decisions(np.full((1, walk.mdp.S), -1), pi[None])
    state = np.searchsorted(begin, rng.random(1), side="right").astype(np.int64)
    clock, none = np.zeros(1, dtype=np.int64), np.empty(0)
    block = max(256, min(TOGETHER, ROOM // max(walk.policy.d, 1)))
    steps = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_)
    while wanted:
        run.check_stop()
        begun = len(steps[0])
        rows, outcomes, last = (np.concatenate([a, np.empty(block, a.dtype)]) for a in steps)
        new = (a[None, begun:] for a in (rows, outcomes, last))
        play(model, chosen, walk.steps or 0, rng.random((1, block, 3)), state, clock, none, none, *new)
        ends = np.flatnonzero(last)[:wanted]
        whole = int(ends[-1]) + 1 if ends.size else 0
        run.did("episodes", len(ends))
        yield len(ends), (rows[:whole], outcomes[:whole], last[:whole])
        wanted -= len(ends)
        steps = rows[whole:], outcomes[whole:], last[whole:]
        if wanted and len(steps[0]) > LONGEST:
            raise OptionError(
                f"gradient: found an episode of more than {LONGEST:,} steps; cut it off with steps, or give a horizon"
            )


def _read_by(name: str, *, discounted: bool, values: Any, action_values: Any) -> dict[str, Any]:
    """What an estimator takes of this."""
    reads = {"values": values} if name.partition(":")[0] in CRITICS else {}
    reads |= {"action_values": action_values} if name == "q" else {}
    return {"discounted": discounted, **reads}


def _numbers(form: Form) -> tuple[bool, Floats, float, Floats, float]:
    """What the kernel takes of an estimator."""
    signal, baseline = (np.ascontiguousarray(a, dtype=np.float64) for a in (form.signal, form.baseline))
    return form.whole, signal, float(form.decay), baseline, float(form.weight)
