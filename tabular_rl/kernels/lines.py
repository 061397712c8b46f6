"""The outcomes of a row in one line of memory, as long for each row: where runs wait for memory, they wait once.

Line i holds the first W - 1 cumulative probabilities of row i, then its W next states, -1 where the episode ends, then
the W rewards of its outcomes, or the one of the row. `whole` is the same memory, read as integers.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import at, kernel


@kernel
def fill_lines(row_ptr, next_state, cum, reward, r, terminal, width, lines, whole):
    """The line of each row; where a row has fewer outcomes than W, its last one again, which no uniform takes."""
    W = width
    for i in range(len(lines)):
        first = row_ptr[i]
        last = row_ptr[i + 1] - 1
        for j in range(W):
            out = min(first + j, last)
            s2 = next_state[out]
            if j < W - 1:
                lines[i, j] = cum[out]
            whole[i, W - 1 + j] = -1 if terminal[s2] else s2
            if len(reward) > 0:
                lines[i, 2 * W - 1 + j] = reward[out]
        if len(reward) == 0:
            lines[i, 2 * W - 1] = r[i]


@kernel
def place_in_line(width, lines, i, u):
    """Where line i holds the next state of its outcome by one uniform u; W places on is that outcome's reward."""
    place = width - 1
    for j in range(width - 1):
        place += u >= lines[at(i), at(j)]
    return place
