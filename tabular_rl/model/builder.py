"""A model put together outcome by outcome, in loops of one's own."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from tabular_rl.model.calls import public
from tabular_rl.model.functions import Naming, name_of, start_law
from tabular_rl.model.mdp import MDP


class Builder:
    """What is known of a model so far.

    Examples
    --------
    A walk over the cells of a row, which wins 1 at its right end:

    >>> walk = Builder()
    >>> for x in range(1, 4):
    ...     walk.add(x, "go", x - 1, "1/2")
    ...     walk.add(x, "go", x + 1, "1/2", reward=int(x == 3))
    >>> walk.end(0)
    >>> walk.end(4)
    >>> walk.mdp(gamma=1, start=2)
    MDP(states=5, actions=1, pairs=3, outcomes=6, gamma=1)
    """

    def __init__(self) -> None:
        self._states, self._actions = Naming(name_of, "state"), Naming(name_of, "action")
        self._outcomes: list[tuple[str, str, str, Any, Any]] = []
        self._ends: dict[str, None] = {}

    @public
    def add(
        self, state: Hashable, action: Hashable, next_state: Hashable, probability: Any = 1, reward: Any = 0
    ) -> None:
        """Add an outcome p(s'|s,a) with its reward; of the same s, a and s' several may be added.

        Parameters
        ----------
        state, action, next_state : texts, numbers, tuples, dataclasses: as in `MDP.from_functions`
        probability, reward : exact where they are texts, integers or fractions

        Raises
        ------
        ModelError : two states, or two actions, of one name
        """
        s, a, s2 = self._states.add(state), self._actions.add(action), self._states.add(next_state)
        self._outcomes.append((s, a, s2, probability, reward))

    @public
    def end(self, state: Hashable) -> None:
        """Make a state terminal."""
        self._ends[self._states.add(state)] = None

    @public
    def mdp(self, gamma: Any, *, start: Any = None, **options: Any) -> MDP:
        """Return the model of what was added.

        Parameters
        ----------
        gamma : discount
        start : a state, or {state: probability}
        options : horizon, final_reward, sense, normalize, name, source, layout, as in `MDP`

        Returns
        -------
        MDP, with its states and actions in the order in which they were first named

        Raises
        ------
        ModelError : each fault with the state and the action that it concerns
        """
        law = start_law(start)
        named = None if law is None else {self._states.add(s): p for s, p in law.items()}
        return MDP.from_outcomes(
            self._outcomes, gamma, terminal=list(self._ends), states=list(self._states.of.values()),
            actions=list(self._actions.of.values()) or None, start=named, **options,
        )  # fmt: skip
