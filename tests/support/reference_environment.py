"""Twins of kernels/environment.py in plain Python: one copy after the other, with lists and Python's numbers."""

from __future__ import annotations

from reference import first_above


def step_copy(model, i, s, u):
    if i == -1:
        return 0.0, s
    out = first_above(model.cum.tolist(), int(model.row_ptr[i]), u)
    reward = model.reward[out] if len(model.reward) else model.r[i]
    return float(reward), int(model.next_state[out])


def step_copies(model, row_of, steps, final, action, uniforms, copies, reward, terminated, truncated):
    for e, u in enumerate(uniforms.tolist()):
        if copies.over[e]:
            copies.state[e], copies.clock[e] = first_above(model.start.tolist(), 0, u), 0
            reward[e], terminated[e], truncated[e] = 0.0, False, False
        else:
            s = int(copies.state[e])
            paid, copies.state[e] = step_copy(model, int(row_of[s][action[e]]), s, u)
            copies.clock[e] = int(copies.clock[e]) + 1
            at_the_horizon = steps > 0 and copies.clock[e] == steps
            if at_the_horizon and len(final):
                paid = paid + float(model.gamma) * float(final[copies.state[e]])
            reward[e], terminated[e] = paid, bool(model.terminal[copies.state[e]])
            truncated[e] = at_the_horizon and not terminated[e]
        copies.over[e] = terminated[e] or truncated[e]
