"""The outcomes of a row in one line of memory, as long for each row: where runs wait for memory, they wait once.

Line i holds the first W - 1 cumulative probabilities of row i, then its W next states, -1 where the episode ends, then
the W rewards of its outcomes, or the one of the row. `whole` is the same memory, read as integers.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import at, kernel


@kernel
def fill_lines(model, lines, whole):
    """The line of each row; where a row has fewer outcomes than W, its last one again, which no uniform takes."""
    W = model.width
    for i in range(len(lines)):
        first = model.row_ptr[i]
        last = model.row_ptr[i + 1] - 1
        for j in range(W):
            out = min(first + j, last)
            s2 = model.next_state[out]
            if j < W - 1:
                lines[i, j] = model.cum[out]
            whole[i, W - 1 + j] = -1 if model.terminal[s2] else s2
            if len(model.reward) > 0:
                lines[i, 2 * W - 1 + j] = model.reward[out]
        if len(model.reward) == 0:
            lines[i, 2 * W - 1] = model.r[i]


@kernel
def place_in_line(model, i, u):
    """Where line i holds the next state of its outcome by one uniform u; W places on is that outcome's reward."""
    place = model.width - 1
    for j in range(model.width - 1):
        place += u >= model.lines[at(i), at(j)]
    return place
