"""Groups of states whose values change alike in a sweep of one policy, and the chain of the groups.

`rows`, `width` and `kept` are those of search_kept_rows.py. States without rows are a group of their own, the last.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import search_kernel


@search_kernel
def grouped(chosen, v, w, low, scale, most, group):
    """group(s) ← the part of [low, high] that w - v lies in, scale = most / (high - low); `most` at terminals."""
    for s in range(len(group)):
        part = int(min(max((w[s] - v[s] - low) * scale, 0.0), most - 1.0)) if chosen[s] >= 0 else most
        group[s] = part


@search_kernel
def group_chain(width, rows, kept, v, w, group, count, change, chain):
    """Add up by groups: states, changes w - v, and where the chosen rows lead."""
    row, chosen, next_state, prob = kept[1], kept[2], kept[3], kept[4]
    for s in range(len(group)):
        j, a = chosen[s], group[s]
        count[a] += 1.0
        change[a] += w[s] - v[s]
        if j >= 0 and len(width) > 0:
            for k in range(j * len(width), (j + 1) * len(width)):
                chain[a, group[next_state[k]]] += prob[k]
        elif j >= 0:
            for k in range(rows[0][row[j]], rows[0][row[j] + 1]):
                chain[a, group[rows[1][k]]] += rows[2][k]


@search_kernel
def shift_groups(group, shift, w):
    """w(s) ← w(s) + the shift of its group."""
    for s in range(len(w)):
        w[s] += shift[group[s]]
