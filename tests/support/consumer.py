"""What somebody writes who uses the package, with types: checkers read it against the installed wheel (.ci/run)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tabular_rl as t
from tabular_rl import MDP, Learned, Policy, Solution


def actions(s: int) -> list[str]:
    return ["stay", "up"] if s < 3 else []


def transition(s: int, a: str) -> Iterator[tuple[int, str]]:
    yield (s + 1 if a == "up" else s), "1/2"
    yield s, "1/2"


model: MDP = MDP.from_functions(None, actions, transition, lambda s, a, s2: -1, gamma="0.9", start=0)
answer: Solution = t.solve(model, tolerance=1e-8)
v: NDArray[np.float64] = answer.v
bound: float = answer.bound
policy: Policy | None = answer.policy
if policy is not None:
    chosen: NDArray[np.integer[Any]] = policy.actions
    print(chosen.tolist(), t.evaluate(model, policy).v)
exact: tuple[Fraction, ...] | None = t.rational(model).exact
learned: Learned = t.learn(model, "q-learning", steps=1000, seed=1)
print(bool(t.verify(model, answer)), learned.visits.sum(), exact, bound, v)
wrong: int = answer.bound  # type: ignore[assignment]  # were nothing known of it, nothing would be ignored here
