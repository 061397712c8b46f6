"""The order in which value flows through a model, found once in a run, and what is made of it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from tabular_rl.model.graph.search import flow_order
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rows import Ints


class Flow:
    """What the sweepers of one model share: the order of its states, and the chain that was cut into parts last.

    `last` is what `solving/elimination.py` keeps of that chain, None before the first.
    """

    def __init__(self, mdp: MDP) -> None:
        self.mdp = mdp
        self.last: Any = None

    @cached_property
    def order(self) -> Ints:
        """The states (S,), each after those that it leads to, but for ways that lead back to it."""
        return flow_order(self.mdp)

    def know(self, order: Ints) -> None:
        """Take an order (S,) that is known, in place of a search."""
        self.__dict__["order"] = order

    @property
    def known_order(self) -> Ints | None:
        """The order where it was asked for: for a chain alone it is not worth a search."""
        return vars(self).get("order")
