"""Copies of an environment that step together: what each does with its action, by one uniform a copy and step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.walk import draw, search


class Copies(NamedTuple):
    """What goes on from step to step, (n,) each: the state of a copy, its steps so far, and whether its episode ended.

    The copies begin anew by themselves: who has ended is put into a start state by the next step, whatever the action.
    """

    state: NDArray[np.int64]
    clock: NDArray[np.int64]
    over: NDArray[np.bool_]


@kernel
def step_copy(model, i, s, u):
    """(r, s') of row i in state s, by one uniform u; a row of -1 stays in s for nothing."""
    if i < 0:
        return 0.0, s
    out = draw(model, i, u)
    return model.reward[out] if len(model.reward) > 0 else model.r[i], model.next_state[out]


@kernel
def step_copies(model, row_of, steps, final, action, uniforms, copies, reward, terminated, truncated):
    """One step of n copies: reward, terminated, truncated (n,) are those of the step.

    `row_of` (S, A) is the row of each state and action, -1 where there is none. An episode is truncated after `steps`
    steps (0: never); then `final` (S,), where there is one, is paid for the last state, a step later.
    """
    state, clock, over = copies
    for e in range(len(state)):
        reward[e] = 0.0
        terminated[e] = False
        truncated[e] = False
        if over[e]:
            state[e] = search(model.start, uniforms[e])
            clock[e] = 0
            over[e] = False
        else:
            r, s = step_copy(model, row_of[state[e], action[e]], state[e], uniforms[e])
            state[e] = s
            clock[e] += 1
            last = clock[e] == steps
            if last and len(final) > 0:
                r += model.gamma * final[s]
            reward[e] = r
            terminated[e] = model.terminal[s]
            truncated[e] = last and not model.terminal[s]
            over[e] = last or model.terminal[s]
