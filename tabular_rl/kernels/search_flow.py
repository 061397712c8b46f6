"""One chain solved along the way that it takes: x = b + γ P x, each part after those that it leads to.

The parts are the strongly connected ones, found and solved in one search. Where nearly every state is a part of its own
that takes no longer than a few sweeps. A small part is solved by elimination, a large one by sweeps over it alone. The
chain is a `Chain` of elimination.py with γ < 1, and `part` lists states.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import search_kernel
from tabular_rl.kernels.elimination import solve_dense, sweep_part

NEAR = 2.0**-46  # of the largest value: the change at which the sweeps over a part end


@search_kernel
def eliminate_part(chain, part, b, place, A, x):
    """x ← the solution in the states of a part, where those outside of it have the values x.

    place(s) may be any number, and is left as the place of s in the part of n states. A has room for n + 2 rows of n.
    """
    n = len(part)
    right, leave = A[n], A[n + 1]
    for i in range(n):
        place[part[i]] = i
    for i in range(n):
        s = part[i]
        A[i, :n] = 0.0
        right[i], leave[i] = b[s], chain.lost
        for k in range(chain.begin[s], chain.end[s]):
            s2 = chain.next_state[k]
            j = place[s2]
            if 0 <= j < n and part[j] == s2:
                A[i, j] += chain.gamma * chain.prob[k]
            else:
                right[i] += chain.gamma * chain.prob[k] * x[s2]
                leave[i] += chain.gamma * chain.prob[k]
    solve_dense(A[:n, :n], leave[:n], right[:n])
    for i in range(n):
        x[part[i]] = right[i]


@search_kernel
def settle_part(chain, part, b, most, x):
    """Sweep over a part until x is settled there; return the number of sweeps, -1 where `most` are not enough."""
    for sweep in range(most):
        worst = sweep_part(chain, part, 0, len(part), 1, b, x)
        size = 0.0
        for i in range(len(part)):
            size = max(size, abs(x[part[i]]))
        if worst <= NEAR * size:
            return sweep + 1
    return -1


@search_kernel
def solve_along(chain, b, limits, number, low, stack, path, outcome, A, x):  # noqa: C901  (Tarjan's loop)
    """x ← the solution of x = b + γ P x, where parts too large for A are swept over from the x that is given.

    `limits` is (waiting, sweeps): how many states may wait at a time for others to be solved, and how often a part is
    swept over. Returns the number of sweeps over large parts; -2 and -1 where the first and the second limit was met:
    x is then spoilt. number(s) is -1 at first, and then how many states were met before s. low(s) is the least number
    that s leads back to, and len(x) once it is solved. low, stack, path and outcome are room, one place a state.
    """
    n, clock, top, solved, swept = len(x), 0, 0, 0, 0
    for root in range(n):
        new = root if number[root] < 0 else -1
        depth = -1
        while new >= 0 or depth >= 0:
            if new >= 0:
                depth += 1
                path[depth] = new
                number[new] = low[new] = clock
                outcome[new] = chain.begin[new]
                clock += 1
                if clock - solved > limits[0]:
                    return -2
            s = path[depth]
            k, least, new = outcome[s], low[s], -1
            while k < chain.end[s] and new < 0:
                s2 = chain.next_state[k]
                if chain.prob[k] > 0.0 and number[s2] < 0:
                    new = s2  # and this outcome is looked at once more on the way back
                else:
                    if chain.prob[k] > 0.0:
                        least = min(least, low[s2])
                    k += 1
            low[s], outcome[s] = least, k
            if new >= 0:
                continue
            depth -= 1
            stack[top] = s
            top += 1
            if least < number[s]:
                continue  # it waits for a state that it leads back to
            first = top - 1
            while first > 0 and number[stack[first - 1]] > number[s]:
                first -= 1
            part = stack[first:top]  # in the order in which all that they lead to was found
            if len(part) == 1:
                sweep_part(chain, part, 0, 1, 1, b, x)
            elif len(part) <= len(A) - 2:
                eliminate_part(chain, part, b, outcome, A, x)
            else:
                sweeps = settle_part(chain, part, b, limits[1], x)
                if sweeps < 0:
                    return -1
                swept += sweeps
            for i in range(first, top):
                low[stack[i]] = n
            solved += top - first
            top = first
    return swept
