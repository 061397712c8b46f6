"""Small models on which every known mistake shows: no two numbers in them are alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy

GARBAGE = 1000.0  # what terminal entries of a table start at: a rule that reads them cannot miss it


@dataclass(frozen=True, eq=False)
class Case:
    """A model with all actions in all states, the policy that is learned of, and a start for the table (S, A)."""

    name: str
    mdp: MDP
    policy: Policy
    start: np.ndarray

    @cached_property
    def pi(self) -> np.ndarray:
        """The policy as a table (S, A); uniform at terminal states, so that a sum over them shows."""
        table = np.array(self.policy.table)
        table[self.mdp.terminal] = 1 / self.mdp.A
        return table

    def __str__(self) -> str:
        return self.name


def cases() -> list[Case]:
    """Return the models: a chain with an end, a ring without, a maze of chances, a walk at γ = 1.

    >>> [str(case) for case in cases()]
    ['chain', 'ring', 'chances', 'walk']
    """
    return list(_cases())


@cache
def _cases() -> tuple[Case, ...]:
    chain = MDP(
        [[[0.5, 0.5, 0], [0, 0.75, 0.25]], [[0.25, 0, 0.75], [0.5, 0.25, 0.25]], [[0, 0, 0], [0, 0, 0]]],
        [[1.0, -2.0], [3.0, 0.5], [0, 0]],
        "4/5",
        terminal=[2],
        start=[0.75, 0.25, 0],
        name="chain",
    )
    ring = MDP(
        [[[0, 1, 0], [0.5, 0, 0.5]], [[0, 0.25, 0.75], [1, 0, 0]], [[0.5, 0.25, 0.25], [0, 1, 0]]],
        [[2.0, -1.0], [0.25, 1.0], [-3.0, 0.75]],
        "1/2",
        start=[1, 0, 0],
        name="ring",
    )
    rng = np.random.default_rng(20)  # any fixed numbers would do
    P = rng.dirichlet(np.ones(4), size=(4, 3))
    P[3] = 0
    chances = MDP(
        P,
        rng.normal(size=(4, 3)).round(3) * (np.arange(4) < 3)[:, None],
        "9/10",
        terminal=[3],
        name="chances",
    )
    walk = MDP(
        [[[0, 0.5, 0.5], [0.25, 0, 0.75]], [[0.5, 0, 0.5], [0, 0.5, 0.5]], [[0, 0, 0], [0, 0, 0]]],
        [[-1.0, 2.0], [0.5, -0.25], [0, 0]],
        1,
        terminal=[2],
        name="walk",
    )
    found = []
    for mdp in (chain, ring, chances, walk):
        shares = np.arange(1, mdp.S * mdp.A + 1, dtype=float).reshape(mdp.S, mdp.A) ** 2
        shares /= shares.sum(axis=1, keepdims=True)
        table = np.where(mdp.terminal[:, None], 0.0, shares)
        start = np.linspace(-1.0, 2.0, mdp.S * mdp.A).reshape(mdp.S, mdp.A)
        start[mdp.terminal] = GARBAGE * (1 + np.arange(mdp.A))
        found.append(Case(mdp.name, mdp, Policy.of_table(mdp, table), start))
    return tuple(found)
