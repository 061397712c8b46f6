"""The kinds of exercises, a line each."""

from __future__ import annotations

from tabular_rl.analysis.exercises.episodes import GRADIENT, IMPORTANCE
from tabular_rl.analysis.exercises.posed import Kind
from tabular_rl.analysis.exercises.solving import OPTIMAL_POLICY, POLICY_VALUES
from tabular_rl.analysis.exercises.sweeps import POLICY_SWEEPS, SWEEPS_KIND
from tabular_rl.analysis.exercises.update import Q_LEARNING, TD

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        SWEEPS_KIND,
        POLICY_SWEEPS,
        TD,
        Q_LEARNING,
        OPTIMAL_POLICY,
        POLICY_VALUES,
        GRADIENT,
        IMPORTANCE,
    )
}
