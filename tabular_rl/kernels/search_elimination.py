"""Policies evaluated by elimination, and improved: nothing here is proven.

A policy's system is v(s) = r(s) + γ Σ p v(s'). States are taken in an order; what earlier ones are worth is put in for
them. Of what is left of a row three things are kept: the weights of later states, the weight that leaks out of the
model (1 - γ of each step, and what leads to terminals), and r. They are divided by their sum without r, which is 1 less
what leads back to the row itself: nothing is subtracted, so that rounding errors stay those of the numbers themselves,
however near γ is to 1 (Grassmann, Taksar & Heyman 1985).
"""

from __future__ import annotations

import math

from tabular_rl.kernels._jit import search_kernel


@search_kernel
def reduced_row(rows, i, t, shift, pattern, factors, work):
    """The reward, less `shift`, and the leak of row i, the t-th in the order, without earlier states.

    `work`, which is 0 at first, holds the weights.
    """
    row_ptr, next_state, prob, r, gamma, sign = rows
    place, upper_ptr, column, lower_ptr, earlier = pattern[1:]
    upper, right = factors
    reward = sign * r[i] - shift
    leak = 1.0 - gamma
    for k in range(row_ptr[i], row_ptr[i + 1]):
        t2 = place[next_state[k]]
        if t2 < 0:
            leak += gamma * prob[k]
        else:
            work[t2] += gamma * prob[k]
    for k in range(lower_ptr[t], lower_ptr[t + 1]):
        t2 = earlier[k]
        weight = work[t2]
        work[t2] = 0.0
        if weight != 0.0:
            reward += weight * right[t2, 0]
            leak += weight * right[t2, 1]
            for j in range(upper_ptr[t2], upper_ptr[t2 + 1]):
                work[column[j]] += weight * upper[j]
    work[t] = 0.0
    return reward, leak


@search_kernel
def keep_row(reward, leak, t, pattern, factors, work):
    """factors ← the t-th row, that is in `work` and here, as shares of its sum; `work` ← 0; return its reward then."""
    upper_ptr, column = pattern[2], pattern[3]
    upper, right = factors
    total = leak
    for k in range(upper_ptr[t], upper_ptr[t + 1]):
        total += work[column[k]]
    share = 1.0 / total
    for k in range(upper_ptr[t], upper_ptr[t + 1]):
        upper[k] = work[column[k]] * share
        work[column[k]] = 0.0
    right[t, 0], right[t, 1] = reward * share, leak * share
    return reward * share


@search_kernel
def eliminate(pair_ptr, rows, pattern, first, last, shift, margin, v, work, gap, chosen, factors):
    """factors ← the rows first ≤ t < last of the order: (weights of later states, (reward, leak)), of the chosen rows.

    A row that is worth more by `margin`, with v for later states, is chosen instead, and gap(s) ← -inf. None is tried
    where the margin is infinite. `work` is 0 at first, and again in the end. Returns how many rows were exchanged.
    """
    order, _, upper_ptr, column, _, _ = pattern
    upper = factors[0]
    count = 0
    for t in range(first, last):
        s = order[t]
        own = chosen[s]
        reward, leak = reduced_row(rows, own, t, shift, pattern, factors, work)
        bar = keep_row(reward, leak, t, pattern, factors, work)
        if margin < math.inf:
            for k in range(upper_ptr[t], upper_ptr[t + 1]):
                bar += upper[k] * v[order[column[k]]]
            for i in range(pair_ptr[s], pair_ptr[s + 1]):
                if i != own:
                    reward, leak = reduced_row(rows, i, t, shift, pattern, factors, work)
                    total = leak
                    value = reward
                    for k in range(upper_ptr[t], upper_ptr[t + 1]):
                        total += work[column[k]]
                        value += work[column[k]] * v[order[column[k]]]
                    if value / total > bar + margin:
                        bar = value / total
                        chosen[s] = i
                        keep_row(reward, leak, t, pattern, factors, work)
                    for k in range(upper_ptr[t], upper_ptr[t + 1]):
                        work[column[k]] = 0.0
            if chosen[s] != own:
                gap[s] = -math.inf
                count += 1
    return count


@search_kernel
def substitute(pattern, first, last, factors, v):
    """v(s) ← its value, from the row `last` - 1 of the order to the row `first`; right(t, 0) holds it too."""
    order, _, upper_ptr, column, _, _ = pattern
    upper, right = factors
    for t in range(last - 1, first - 1, -1):
        value = right[t, 0]
        for k in range(upper_ptr[t], upper_ptr[t + 1]):
            value += upper[k] * right[column[k], 0]
        right[t, 0] = value
        v[order[t]] = value


@search_kernel
def backed_up(rows, i, v):
    """r(i) + γ Σ p v(s')."""
    row_ptr, next_state, prob, r, gamma, sign = rows
    expected = 0.0
    for k in range(row_ptr[i], row_ptr[i + 1]):
        expected += prob[k] * v[next_state[k]]
    return sign * r[i] + gamma * expected


@search_kernel
def improve(pair_ptr, rows, v, first, last, shift, margin, moved, span, gap, chosen):
    """chosen(s) ← the best row where it is better by more than `margin`; return how many were exchanged.

    gap(s) says how far the chosen row was ahead of all others when they were looked at last. The spans of the changes
    of v since then, times γ, are `moved` and what was taken off the gap. Where that is still ahead no other row can be
    better: none is looked at, and the chosen row is taken to be worth v(s) + shift.
    """
    low, high = span[0], span[1]
    count = 0
    for s in range(first, last):
        if pair_ptr[s] == pair_ptr[s + 1]:
            continue
        change = shift
        if gap[s] > moved:
            gap[s] -= moved
        else:
            mine = chosen[s]
            own = best = second = -math.inf
            at = mine
            for i in range(pair_ptr[s], pair_ptr[s + 1]):
                q = backed_up(rows, i, v)
                own = q if i == mine else own
                q = -math.inf if i == mine else q
                second = max(second, min(best, q))
                at = i if q > best else at
                best = max(best, q)
            change = max(own, best) - v[s]
            gap[s] = own - best
            if best > own + margin:
                chosen[s] = at
                count += 1
                gap[s] = best - max(second, own)
        low, high = min(low, change), max(high, change)
    span[0], span[1] = low, high
    return count
