# requirements: stormpy==2.0.0 numpy==2.4.6
"""Storm (C++) through stormpy: a sparse MDP from components, checked by the sparse engine.

Discounted rewards are R=? [Cdiscount=γ]. At γ = 1 total rewards are Rmax=? [C], costs Rmin=? [F "end"]. Method "fast"
is an environment as C++ has it, whose stop proves nothing at γ = 1; "sound" is stormpy's default.
"""

import numpy as np
import protocol
import stormpy
from stormpy import datastructures, environments, models

METHOD = "fast"


def unfit(m):
    if m.horizon >= 0:
        return "finite horizon: its bounded rewards give the first step alone"
    if m.gamma < 1 and METHOD == "sound":
        return "gamma < 1: the same as Storm, which has one way to discount"
    if not hasattr(m, "formula") and m.gamma == 1 and m.gain.min() < 0 < m.gain.max():
        return "gamma = 1: rewards of both signs"
    return ""


def build(m):
    if hasattr(m, "formula"):
        return stormpy.build_model_from_drn(m.drn)
    m = protocol.with_loops(m)
    builder = datastructures.SparseMatrixBuilder[float](has_custom_row_grouping=True, force_dimensions=False)
    row = np.repeat(np.arange(m.L), np.diff(m.row_ptr))
    builder.add_next_values(row, m.next_state, m.prob, m.pair_ptr[:-1])
    labels = models.StateLabeling(m.S)
    for name in ("init", "end"):
        labels.add_label(name)
    labels.add_label_to_state("init", 0)
    for state in np.flatnonzero(m.terminal).tolist():
        labels.add_label_to_state("end", state)
    # Costs are what it minimises; a discounted reward may have either sign.
    rewards = models.SparseRewardModel[float](
        optional_state_action_reward_vector=m.gain if maximises(m) else -m.gain
    )
    parts = models.SparseModelComponents[float](builder.build(), labels, {"r": rewards})
    return models.SparseMdp[float](parts)


def maximises(m):
    return m.gamma < 1 or m.gain.max() > 0


def formula(m):
    if hasattr(m, "formula"):
        return m.formula
    if m.gamma < 1:
        return f'R{{"r"}}max=? [Cdiscount={m.gamma!r}]'
    return 'R{"r"}max=? [C]' if maximises(m) else 'R{"r"}min=? [F "end"]'


def solve(mdp, m, tolerance):
    environment = environments.sound() if METHOD == "sound" else stormpy.Environment()
    stop = environment.solver().min_max()
    stop.precision = stormpy.Rational(repr(tolerance))
    stop.relative_termination_criterion = False
    found = stormpy.model_checking(mdp, stormpy.parse_properties(formula(m))[0], environment=environment)
    v = np.array(found.get_value_vector())
    return v if hasattr(m, "formula") else m.sign * (v if maximises(m) else -v)


if __name__ == "__main__":
    protocol.run(globals())
