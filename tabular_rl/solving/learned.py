"""What every learner returns: a Solution without a certificate, with the runs it came from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model import hooks
from tabular_rl.model.policy import Policy
from tabular_rl.solving.solution import Floats, Solution, Status

if TYPE_CHECKING:
    from tabular_rl.analysis.regret import Regret


@dataclass(frozen=True)
class Curve:
    """How far the estimates were from the truth on the way: a row a recorded step, a column a run.

    `sup` is the largest |estimate - truth| over all entries, `rms` the root of its mean square by the weights, `start`
    Σ start(s) v(s), the value of the start by the estimate. Without a reference sup and rms are NaN.
    """

    steps: NDArray[np.int64]
    sup: Floats
    rms: Floats
    start: Floats


@dataclass(frozen=True, eq=False, repr=False)
class Learned(Solution):
    """What was learned, in the sign of the model. There is no certificate: `lower` is None and `bound` is inf.

    `estimates` (runs, S) or (runs, L) is the table of each run as it was left, with a time axis (runs, T, ...) for a
    finite horizon; an entry that was never updated holds its start value. `visits` counts the updates of each entry.
    `v`, `q` and `policy` are those of the mean over the runs, NaN where no run has ever been: never a start value.
    `truth` are the exact values that the errors are measured against, None without a reference. `state` is what a
    checkpoint holds.
    """

    estimates: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    visits: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    truth: Floats | None = None
    curve: Curve | None = None
    steps: int = 0
    runs: int = 1
    verdicts: tuple[str, ...] = ()
    learned_q: Floats | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    reference: Solution | None = None
    steps_a_second: float = math.nan  # over all runs, without the first call, which loads the kernel
    unit: str = "step"  # what `steps` counts
    # reason -> states met, never learned from
    unused: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    behavior: Policy | None = None  # who acted; None for a log, and for a horizon
    start_from: Floats | None = (
        None  # (S,) or (T + 1, S), the values that were started with, where some were given
    )
    earned: Floats | None = (
        None  # (runs,) from the start, of policies that are known exactly: not greedy ones
    )

    @property
    def q(self) -> Floats:
        """The learned action values (L,), NaN where no run has been; of a learner of state values, r + γ P v."""
        return super().q if self.learned_q is None else self.learned_q

    @property
    def state_visits(self) -> NDArray[np.int64]:
        """Updates of each state over all runs and actions: (S,), or (T, S) for a finite horizon."""
        mdp, visits = self.mdp, np.atleast_2d(self.visits.sum(axis=0))[: self.mdp.horizon or 1]
        if self.learned_q is not None:
            summed = np.zeros((len(visits), mdp.S), dtype=np.int64)
            for into, row in zip(summed, visits, strict=True):
                np.add.at(into, mdp.pair_state, row)
            visits = summed
        return np.asarray(visits if mdp.problem.timed else visits[0])

    @property
    def never_visited(self) -> NDArray[np.bool_]:
        """(S,) True at the non-terminal states that no run has updated, in no action; (T, S) for a finite horizon."""
        return np.asarray((self.state_visits == 0) & ~self.mdp.terminal)

    @property
    def sup_error(self) -> Floats:
        """The largest |estimate - truth| of each run (runs,), at the end."""
        return self.curve.sup[-1] if self.curve is not None else np.full(self.runs, math.nan)

    @property
    def rms_error(self) -> Floats:
        """The weighted root mean square error of each run (runs,), at the end."""
        return self.curve.rms[-1] if self.curve is not None else np.full(self.runs, math.nan)

    @property
    def truth_bound(self) -> float:
        """How far the exact values that errors are measured against can be from the truth: 0 where they are exact.

        NaN without a reference.
        """
        if self.reference is None:
            return math.nan
        return self.reference.bound if self.reference.exact is None else 0.0

    @cached_property
    def regret(self) -> Regret | None:
        """What the greedy policy of each run loses from the start; None for values of a policy or without a reference.

        It is computed when it is first asked for, by evaluating the policies exactly.
        """
        if self.task != "control" or self.reference is None or self.status is Status.INTERRUPTED:
            return None
        found: Regret = hooks.regret(self)
        return found

    def value_of_start(self) -> float:
        """Σ start(s) v(s), NaN where a state that it needs was never visited."""
        used = self.mdp.start > 0
        return float(np.dot(self.mdp.start[used], np.atleast_2d(self.v)[0][used]))
