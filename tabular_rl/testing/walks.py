"""Trajectories of the kit's models, in plain Python."""

from __future__ import annotations

import random
from functools import lru_cache

from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.testing.models import Case
from tabular_rl.testing.rules import Transition

LONGEST = 12  # transitions of an explicit sequence
SEQUENCES = 8  # explicit sequences a model


@lru_cache(maxsize=64)
def explicit_sequences(
    case: Case, seed: int, *, whole: bool = False, longest: int = LONGEST
) -> list[list[Transition]]:
    """Sequences of 1, 2, ... transitions along trajectories of a policy that is not the one learned of.

    Parameters
    ----------
    case : the model; the actions are drawn uniformly
    seed : of the draws
    whole : go on to the end of the last episode
    longest : transitions of the longest sequence, but for what `whole` adds

    Returns
    -------
    Lists of transitions, the shortest first. They are kept for the next call: do not change them.
    """
    lengths = [1 + at * (longest - 1) // (SEQUENCES - 1) for at in range(SEQUENCES)]
    walk = Walk(case.mdp, Policy.uniform(case.mdp), random.Random(seed))
    return [walk.transitions(length, whole=whole) for length in lengths]


class Walk:
    """Trajectories of a policy, with restarts, in plain Python."""

    def __init__(self, mdp: MDP, policy: Policy, rng: random.Random) -> None:
        self.mdp, self.rng = mdp, rng
        self.terminal = mdp.terminal.tolist()
        self.starts = mdp.start.tolist()
        self.rows = [list(mdp.rows(s)) for s in range(mdp.S)]
        self.weights = [[float(policy.weights[i]) for i in rows] for rows in self.rows]
        ptr = mdp.row_ptr.tolist()
        self.outcomes = [list(range(ptr[i], ptr[i + 1])) for i in range(mdp.L)]
        self.prob = [[float(mdp.prob[k]) for k in outcomes] for outcomes in self.outcomes]
        self.next_state, self.action = mdp.next_state.tolist(), mdp.pair_action.tolist()
        self.reward = mdp.outcome_reward.tolist()

    def act(self, s: int) -> int:
        """Draw a row of a state by the policy."""
        return int(self.rng.choices(self.rows[s], self.weights[s])[0])

    def transitions(self, steps: int, *, whole: bool = False) -> list[Transition]:
        """Transitions, and those that end a `whole` last episode; a' is known where the episode goes on."""
        states = range(self.mdp.S)
        s = self.rng.choices(states, self.starts)[0]
        i = self.act(s)
        made: list[Transition] = []
        while len(made) < steps or (whole and not made[-1].done):
            k = self.rng.choices(self.outcomes[i], self.prob[i])[0]
            s2, r = self.next_state[k], self.reward[k]
            done = self.terminal[s2]
            at = self.rng.choices(states, self.starts)[0] if done else s2
            after = self.act(at)
            made.append(Transition(s, self.action[i], r, s2, done, None if done else self.action[after]))
            s, i = at, after
        return made
