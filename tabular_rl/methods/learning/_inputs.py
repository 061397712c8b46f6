"""What a learner is given: options, policies, transitions of a log, the exact answer to measure errors against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from tabular_rl.errors import OptionError, quoted
from tabular_rl.formats.logs import given_transitions
from tabular_rl.methods.learning._coverage import check_coverage
from tabular_rl.methods.planning.auto import auto, auto_evaluation
from tabular_rl.model.decisions import array_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy, policy_of
from tabular_rl.model.transitions import Transitions, behavior_of
from tabular_rl.model.unroll import state_name, unroll, unroll_policy
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method
from tabular_rl.solving.solution import Floats, Solution, checked_values, good_enough, why_not

Table = Literal["states", "pairs"]


class Inputs:
    """The inputs of one call, checked. `mdp` is the model that is learned on: `whole`, unrolled where it has a horizon.

    The table of a run has `entries` numbers, one a state or one a pair.
    """

    def __init__(self, method: Method[..., Learned], given: dict[str, Any], table: Table) -> None:
        given = given | given.get("shared", {})
        self.method = method
        self.whole: MDP = given["mdp"]
        self.table_kind = table
        self.option = {name: given[name] for name in method.options}
        self.run = method.run(self.option)
        self.steps: int = self.option["steps"]
        self.runs: int = self.option["runs"]
        if self.whole.terminal.all():
            raise OptionError("no state to start from: all states are terminal")
        self.mdp = unroll(self.whole) if self.whole.problem.timed else self.whole
        self.entries = self.mdp.S if table == "states" else self.mdp.L
        self.data: Transitions | None = self._data(given.get("data"))
        self.policy = self._policy(given["policy"]) if method.task == "prediction" else None
        self.behavior: Policy | None = self._behavior(given.get("behavior"))
        self.starts_from = given.get("start_from") is not None
        self.start_values = self._start_values(given.get("start_from"))
        self.weights = self._weights(given.get("weights"))
        self.reference = self._reference(given.get("reference"))
        self.unproven = ""  # why no errors are known, though there is a reference
        if self.reference is not None and not good_enough(self.reference):
            self.unproven, self.reference = why_not(self.reference), None
        self.resume: Learned | dict[str, Any] | None = given.get("resume")
        self.checkpoint: Callable[[dict[str, Any]], None] | None = given.get("checkpoint")
        if self.resume is not None and not isinstance(self.resume, (Learned, dict)):
            raise OptionError(f"resume: found {type(self.resume).__name__}, expected a Learned to go on from")
        if self.checkpoint is not None and not callable(self.checkpoint):
            raise OptionError(
                f"checkpoint: found {type(self.checkpoint).__name__}, expected a function that takes the state"
            )

    def _policy(self, policy: Any) -> Policy:
        policy = policy_of(self.whole, policy)
        return policy if self.mdp is self.whole else unroll_policy(policy, self.mdp)

    def _behavior(self, behavior: Any) -> Policy | None:
        """The policy that acts, None where `explore` says how; what plays no part is taken from the options shown."""
        if isinstance(behavior, str) and behavior == "log":
            if self.data is None:
                raise OptionError("--behavior: found 'log' without --data, expected both")
            behavior = behavior_of(self.data)
        acts = self._policy(behavior) if behavior is not None else self.policy
        if acts is not None and self.data is None:
            check_coverage(self, acts)
        if behavior is not None and "explore" in self.option:
            self.option["explore"] = self.run.options["explore"] = None
        if self.data is not None:
            for name in ("explore", "ties", "source", "episode_steps"):  # these play no part with a log
                self.run.options.pop(name, None)
        return self._policy(Policy.uniform(self.whole)) if acts is None else acts

    def _data(self, data: Any) -> Transitions | None:
        if data is None:
            return None
        if not isinstance(data, Transitions):
            data = given_transitions(data, self.whole)
        assert isinstance(data, Transitions)
        if data.mdp is not self.whole and (data.mdp.S, data.mdp.L) != (self.whole.S, self.whole.L):
            raise OptionError("data: found transitions of another model, expected one with the same pairs")
        if self.mdp is not self.whole:
            raise OptionError(
                "data: found a model with a horizon; transitions do not say at what time they were"
            )
        return data

    def _start_values(self, start_from: Any) -> Floats:
        """Values (S,) that tables start with, in the sign of maximisation; pairs have those of their state.

        What is not given, or was never learned in an answer that is given, has the value of --start-value.
        """
        whole, other = self.whole, self.option.get("start_value", 0.0)
        if start_from is None:
            return np.full(self.mdp.S, self.mdp.sign * other)
        if isinstance(start_from, Solution):
            start_from = np.where(np.isnan(start_from.v), other, start_from.v)
        if self.mdp is whole:
            return checked_values(whole, start_from, other)
        times = (whole.horizon or 0) + 1
        if np.shape(start_from) == (times, whole.S):
            return np.concatenate([checked_values(whole, values) for values in start_from])
        return np.tile(checked_values(whole, start_from, other), times)

    def start_table(self) -> Floats:
        """The table (entries,) that each run starts with."""
        return self.start_values if self.table_kind == "states" else self.start_values[self.mdp.pair_state]

    def _weights(self, weights: Any) -> Floats:
        """Weights of the entries in the mean square error: uniform over the entries that have a value."""
        live = ~self.mdp.terminal if self.table_kind == "states" else np.ones(self.entries, dtype=bool)
        if weights is None:
            return np.asarray(live / live.sum())
        found = array_of(weights, "weights", np.float64)
        if found.shape != (self.entries,) or not (found >= 0).all() or not found[live].sum() > 0:
            raise OptionError(f"weights: found shape {found.shape}, expected {self.entries} numbers from 0")
        return np.asarray(np.where(live, found, 0.0) / found[live].sum())

    def _check_finite(self) -> None:
        """Raise NoFiniteAnswer where there is nothing finite to learn: the reference does so, where there is one."""
        from tabular_rl.model.graph.reduction import reduced, zero_states
        from tabular_rl.solving.sweeps import Sweeper

        if self.policy is None:
            reduced(Sweeper(self.whole))
        else:
            zero_states(self.whole, self.policy)

    def _reference(self, reference: Any) -> Solution | None:
        if reference is False:
            self._check_finite()
            return None
        if reference is not None:
            if not isinstance(reference, Solution):
                raise OptionError(
                    f"reference: found {quoted(reference)}, expected a Solution, or False for none"
                )
            return reference
        limit = self.option.get("time_limit")
        limit = None if limit is None else limit / 2  # the rest is for learning
        if self.policy is None:
            return auto(self.whole, tolerance=1e-9, relative=True, time_limit=limit)
        policy = self.policy
        if self.mdp is not self.whole:
            policy = Policy(self.whole, probs=policy.weights.reshape(self.whole.horizon or 1, -1))
        return auto_evaluation(self.whole, policy, tolerance=1e-9, relative=True, time_limit=limit)

    def truth(self) -> Floats | None:
        """The exact values of the entries, in the sign of maximisation."""
        if self.reference is None:
            return None
        exact = self.reference.v if self.table_kind == "states" else self.reference.q
        return self.mdp.sign * np.ravel(exact)

    def state_text(self, s: int) -> str:
        """What messages call a state of the model that is learned on."""
        return f"state {quoted(state_name(self.whole, self.mdp, s))}"

    def pair_text(self, row: int) -> str:
        """What messages call a state-action pair."""
        action = self.mdp.actions[int(self.mdp.pair_action[row])]
        return f"{self.state_text(self.mdp.state_of_row(row))}, action {quoted(action)}"

    def entry_text(self, entry: int) -> str:
        """What messages call an entry of the table."""
        return self.state_text(entry) if self.table_kind == "states" else self.pair_text(entry)
