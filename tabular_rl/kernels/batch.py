"""Batch learning: count what was seen, and present all of it at once, over and over again.

What was seen is a list of transitions (state, reward, next state, over), each with a weight: an outcome of the model
and how often it came; or a line of a log.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.walk import draw, next_row, outcome


@kernel
def count(model, log, walk, uniforms, step, clock, row, counts):  # noqa: ARG001  (as every rule)
    """counts(outcome) ← counts(outcome) + 1 along a walk, the same steps as in td0; a log is counted without it."""
    for k in range(uniforms.shape[1]):
        for e in range(len(row)):
            u = uniforms[e, k]
            out = draw(model, row[e], u[0])
            counts[e, out] += 1
            s2 = outcome(model, row[e], out)[1]
            next_row(model, walk, 0.0, u, s2, -1, e, clock, row, None, None)


@kernel
def find_ways_out(weight, state, next_state, over, mass, found):
    """found(s) ← True where what was seen leads from s to an end, or to a state that was never left (mass 0)."""
    grew = True
    while grew:
        grew = False
        for j in range(len(weight)):
            if weight[j] > 0.0 and not found[state[j]]:
                s2 = next_state[j]
                if over[j] or mass[s2] == 0.0 or found[s2]:
                    found[state[j]] = True
                    grew = True


@kernel
def present(weight, state, reward, next_state, over, gamma, mass, sweeps, error, v):
    """Up to `sweeps` times v(s) ← v(s) + Σ w [ r + γ v(s') - v(s) ] / Σ w over what was seen from s, all s at once.

    States of mass Σ w = 0 are left alone. It ends when v changes by 4 ulps of the largest |v| at most: then it returns
    0, else the last change.
    """
    change = 0.0
    for _ in range(sweeps):
        for s in range(len(v)):
            error[s] = 0.0
        for j in range(len(weight)):
            s = state[j]
            if weight[j] > 0.0 and mass[s] > 0.0:
                aim = reward[j]
                if not over[j]:
                    aim += gamma * v[next_state[j]]
                error[s] += weight[j] * (aim - v[s])
        change = 0.0
        largest = 0.0
        for s in range(len(v)):
            if mass[s] > 0.0:
                step = error[s] / mass[s]
                v[s] += step
                change = max(change, abs(step))
                largest = max(largest, abs(v[s]))
        if change <= 2.0**-50 * largest:
            return 0.0
    return change
