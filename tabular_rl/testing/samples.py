"""Many runs of a learner, beside the exact moments of its table."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tabular_rl.testing.evidence import Evidence
from tabular_rl.testing.models import Case
from tabular_rl.testing.rules import Rule
from tabular_rl.testing.walks import Walk

if TYPE_CHECKING:
    from tabular_rl.testing.verdict import Put

# The rules whose moments obey a closed recursion, and their names in `laws.expected`.
LAWS = {"td0": "td0", "sarsa": "sarsa-evaluation", "expected-sarsa": "q-evaluation"}


class Sampled:
    """Many runs of a learner on one model, beside the exact moments of its table."""

    def __init__(self, put: Put, case: Case, steps: int, runs: int, seed: int) -> None:
        from tabular_rl.laws.expected import expected

        self.put, self.case, mdp = put, case, case.mdp
        rule = put.rule
        start = np.where(mdp.terminal[:, None], case.start, 0.5)
        self.start = start[:, 0] if rule.of_states else start
        law = expected(
            LAWS[rule.name], mdp, case.policy, points=[steps], step_size=rule.step_size, start_value=0.5
        )
        self.mean, self.sd = law.mean[-1], law.sd[-1]
        walk = Walk(mdp, case.policy, random.Random(seed))
        sequences = [walk.transitions(steps) for _ in range(runs)]
        rng = np.random.default_rng(seed)
        self.runs = [
            Evidence(case, s, self.start, put.run(case, s, self.start, rng), ~mdp.terminal) for s in sequences
        ]
        self.tables = np.stack([self.entries_of(run.found) for run in self.runs])
        self.entries = self.tables.shape[1]
        # |table| ≤ M after k updates follows from M ← (1 - α) M + α (Rmax + γ M), whichever entry is updated.
        most = float(np.abs(mdp.outcome_reward).max())
        alpha, self.largest = rule.step_size.at(1), 0.5
        for _ in range(steps):
            self.largest = max(
                self.largest, (1 - alpha) * self.largest + alpha * (most + mdp.gamma * self.largest)
            )

    def entries_of(self, table: Any) -> np.ndarray:
        """The entries in the order of the law: (S,) with 0 at terminal states, or (L,)."""
        mdp = self.case.mdp
        if table.ndim == 1:
            return np.where(mdp.terminal, 0.0, table)
        return np.asarray(table[mdp.pair_state, mdp.pair_action])

    def wrong(self, share: float) -> str:
        """What is said of the entry whose mean or variance is furthest off, '' where none is off."""
        mean = self.tables.mean(axis=0)
        second = np.square(self.tables - self.mean).mean(axis=0)
        most = 2 * self.largest
        for name, found, expected, sd, bound in (
            ("mean", mean, self.mean, self.sd, most),
            ("variance", second, self.sd**2, most * self.sd, most**2),
        ):
            allowed = np.array([bernstein(x, bound, len(self.tables), share) for x in sd]) + 1e-9 * (
                1 + np.abs(expected)
            )
            off = np.abs(found - expected) - allowed
            off[np.isnan(off)] = math.inf
            j = int(np.argmax(off))
            if off[j] > 0:
                return (
                    f"model {self.case.name}, {self.entry(j)}: the {name} over {len(self.tables)} runs is "
                    f"{found[j]:.4g}, expected {expected[j]:.4g} ± {allowed[j]:.2g}"
                )
        return ""

    def entry(self, j: int) -> str:
        """What messages call an entry of the table."""
        if self.put.rule.of_states:
            return f"s={j}"
        mdp = self.case.mdp
        return f"s={int(mdp.pair_state[j])}, a={int(mdp.pair_action[j])}"

    def detects(self, share: float) -> float:
        """An error of a mean that is found with probability 99.9%: twice the way, once for each side."""
        n = len(self.tables)
        return max(
            bernstein(x, 2 * self.largest, n, share) + bernstein(x, 2 * self.largest, n, 1e-3)
            for x in self.sd
        )

    def distance(self, mistake: str | None) -> float:
        """How far the mean table is from that of the rule with a mistake, on the same transitions."""
        made = [self.entries_of(run.by_rule(self.put.rule, mistake)) for run in self.runs]
        return float(np.abs(np.mean(made, axis=0) - self.tables.mean(axis=0)).max())


def diagnosed_by_samples(rule: Rule, found: Sequence[Sampled]) -> tuple[str, ...]:
    """The known mistake whose tables, learned from the same transitions, are nearest, where it is much nearer."""
    distance = {
        mistake: max(sample.distance(mistake) for sample in found) for mistake in [None, *rule.mistakes]
    }
    best = min(distance, key=lambda m: distance[m])
    if best is None or not distance[best] < 0.25 * distance[None]:
        return ()
    return (rule.words(best),)


def bernstein(sd: float, largest: float, n: int, probability: float) -> float:
    """The t with 2 exp( -n t² / (2 σ² + 2 M t / 3) ) = probability.

    Parameters
    ----------
    sd : σ of one sample
    largest : M, which no sample is further from its expectation
    n : samples in the mean
    probability : that their mean is off by t or more, at most

    Returns
    -------
    t, in the units of σ.

    Examples
    --------
    >>> t = bernstein(1.0, 3.0, 1000, 1e-6)
    >>> round(2 * math.exp(-1000 * t**2 / (2 + 2 * t)), 9)
    1e-06
    """
    log = math.log(2 / probability)
    linear = largest * log / (3 * n)
    return linear + math.sqrt(linear**2 + 2 * sd**2 * log / n)
