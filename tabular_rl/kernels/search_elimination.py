"""Policies evaluated by elimination, and improved: nothing here is proven.

A policy's system is v(s) = r(s) + γ Σ p v(s'). States are taken in an order; what earlier ones are worth is put in for
them. Of what is left of a row three things are kept: the weights of later states, the weight that leaks out of the
model (1 - γ of each step, and what leads to terminals), and r. They are divided by their sum without r, which is 1 less
what leads back to the row itself: nothing is subtracted, so that rounding errors stay those of the numbers themselves,
however near γ is to 1 (Grassmann, Taksar & Heyman 1985).

Factors are (upper, right, made, new, spare): the weights, as the pattern says whose; (reward, leak) of each row; what
row of the model it was made of, -1 for none, and whether in the last elimination; and room for the weights of one row.
"""

from __future__ import annotations

import math

from tabular_rl.kernels._jit import at, search_kernel


@search_kernel
def reduced_row(rows, i, t, shift, pattern, factors, work):
    """The reward, less `shift`, and the leak of row i, the t-th in the order, without earlier states.

    `work`, which is 0 at first, holds the weights.
    """
    row_ptr, next_state, prob, r, gamma, sign = rows
    place, upper_ptr, column, lower_ptr, earlier = pattern[1:]
    upper, right = factors[0], factors[1]
    reward = sign * r[at(i)] - shift
    leak = 1.0 - gamma
    for k in range(at(row_ptr[at(i)]), at(row_ptr[at(i + 1)])):
        t2 = place[at(next_state[k])]
        if t2 < 0:
            leak += gamma * prob[k]
        else:
            work[at(t2)] += gamma * prob[k]
    for k in range(at(lower_ptr[at(t)]), at(lower_ptr[at(t + 1)])):
        t2 = at(earlier[k])
        weight = work[t2]
        work[t2] = 0.0
        if weight != 0.0:
            reward += weight * right[t2, 0]
            leak += weight * right[t2, 1]
            for j in range(at(upper_ptr[t2]), at(upper_ptr[t2 + at(1)])):
                work[at(column[j])] += weight * upper[j]
    work[at(t)] = 0.0
    return reward, leak


@search_kernel
def take_row(reward, leak, t, pattern, v, work, entries):
    """entries ← the weights of the t-th row, that are in `work`; `work` ← 0.

    Returns the sum of the row, and what it is worth, v for later states, times that.
    """
    order, upper_ptr, column = pattern[0], pattern[2], pattern[3]
    first = at(upper_ptr[at(t)])
    for k in range(first, at(upper_ptr[at(t + 1)])):
        t2 = at(column[k])
        weight = work[t2]
        work[t2] = 0.0
        entries[k - first] = weight
        leak += weight
        reward += weight * v[at(order[t2])]
    return leak, reward


@search_kernel
def put_row(reward, leak, t, pattern, factors, work):
    """The t-th row of the factors ← the weights that are in `work`, `reward` and `leak`, by their sum; `work` ← 0."""
    upper_ptr, column = pattern[2], pattern[3]
    upper, right = factors[0], factors[1]
    first, last = at(upper_ptr[at(t)]), at(upper_ptr[at(t + 1)])
    total = leak
    for k in range(first, last):
        total += work[at(column[k])]
    share = 1.0 / total
    for k in range(first, last):
        t2 = at(column[k])
        upper[k] = work[t2] * share
        work[t2] = 0.0
    right[at(t), 0], right[at(t), 1] = reward * share, leak * share


@search_kernel
def is_due(i, t, pattern, factors):
    """Whether the t-th row of the factors is not made of row i, or of an earlier one that is new."""
    lower_ptr, earlier = pattern[4], pattern[5]
    made, new = factors[2], factors[3]
    due = made[at(t)] != i
    if not due:
        for k in range(at(lower_ptr[at(t)]), at(lower_ptr[at(t + 1)])):
            due |= new[at(earlier[k])]
    return due


@search_kernel
def best_row(pair_ptr, rows, s, t, shift, margin, pattern, v, work, chosen, factors):
    """The t-th row of the factors ← that of the best row of s, its t-th state: the chosen one unless by `margin`.

    Returns that row.
    """
    upper_ptr, upper, spare = pattern[2], factors[0], factors[4]
    right = factors[1]
    own = best = chosen[at(s)]
    begin, end = at(upper_ptr[at(t)]), at(upper_ptr[at(t + 1)])
    reward, leak = reduced_row(rows, own, t, shift, pattern, factors, work)
    total, value = take_row(reward, leak, t, pattern, v, work, upper[begin:end])
    value += margin * total
    for i in range(pair_ptr[at(s)], pair_ptr[at(s + 1)]):
        if i != own:
            paid, lost = reduced_row(rows, i, t, shift, pattern, factors, work)
            among, worth = take_row(paid, lost, t, pattern, v, work, spare)
            if worth * total > value * among:
                best, reward, leak, total, value = i, paid, lost, among, worth
                for k in range(begin, end):
                    upper[k] = spare[k - begin]
    share = 1.0 / total
    for k in range(begin, end):
        upper[k] *= share
    right[at(t), 0], right[at(t), 1] = reward * share, leak * share
    return best


@search_kernel
def eliminate(pair_ptr, rows, pattern, first, last, shift, margin, v, work, gap, chosen, factors):
    """factors ← the rows first ≤ t < last of the order, of the chosen rows; what stands there already stays.

    With a finite margin all rows are made again. Then of those that are worth more than the chosen one by more than
    `margin`, with v for later states, the best is chosen instead, and gap(s) ← -inf. `work` is 0 at first, and again in
    the end. Returns how many rows were exchanged.
    """
    order, made, new = pattern[0], factors[2], factors[3]
    count = 0
    for t in range(first, last):
        s = order[at(t)]
        row = chosen[at(s)]
        new[at(t)] = margin < math.inf or is_due(row, t, pattern, factors)
        if not new[at(t)]:
            continue
        if margin < math.inf:
            row = best_row(pair_ptr, rows, s, t, shift, margin, pattern, v, work, chosen, factors)
            if row != chosen[at(s)]:
                chosen[at(s)] = row
                gap[at(s)] = -math.inf
                count += 1
        else:
            reward, leak = reduced_row(rows, row, t, shift, pattern, factors, work)
            put_row(reward, leak, t, pattern, factors, work)
        made[at(t)] = row
    return count


@search_kernel
def substitute(pattern, first, last, factors, x, v):
    """x(t), v(s) ← the value of the t-th state s, from the row `last` - 1 of the order to the row `first`."""
    order, _, upper_ptr, column, _, _ = pattern
    upper, right = factors[0], factors[1]
    for t in range(last - 1, first - 1, -1):
        value = right[at(t), 0]
        for k in range(at(upper_ptr[at(t)]), at(upper_ptr[at(t + 1)])):
            value += upper[k] * x[at(column[k])]
        x[at(t)] = value
        v[at(order[at(t)])] = value


@search_kernel
def backed_up(rows, i, v):
    """r(i) + γ Σ p v(s')."""
    row_ptr, next_state, prob, r, gamma, sign = rows
    expected = 0.0
    for k in range(at(row_ptr[at(i)]), at(row_ptr[at(i + 1)])):
        expected += prob[k] * v[at(next_state[k])]
    return sign * r[at(i)] + gamma * expected


@search_kernel
def count_better(q, best, margin, chosen):
    """How many states have a best(s) that is more than `margin` above q of their chosen row; -1 is none."""
    count = 0
    for s in range(at(len(chosen))):
        own = chosen[s]
        if own >= 0 and best[s] > q[at(own)] + margin:
            count += 1
    return count


@search_kernel
def exchange(pair_ptr, q, margin, gap, chosen):
    """As `improve`, from the backed-up values q(i) of all rows; return how many were exchanged."""
    count = 0
    for s in range(at(len(chosen))):
        mine = chosen[s]
        if mine < 0:
            continue
        own = best = second = -math.inf
        found = mine
        for i in range(pair_ptr[s], pair_ptr[s + at(1)]):
            x = q[at(i)]
            own = x if i == mine else own
            x = -math.inf if i == mine else x
            second = max(second, min(best, x))
            found = i if x > best else found
            best = max(best, x)
        gap[s] = own - best
        if best > own + margin:
            chosen[s] = found
            count += 1
            gap[s] = best - max(second, own)
    return count


@search_kernel
def improve(pair_ptr, rows, v, first, last, shift, margin, moved, span, gap, chosen):
    """chosen(s) ← the best row where it is better by more than `margin`; return how many were exchanged.

    gap(s) says how far the chosen row was ahead of all others when they were looked at last. The spans of the changes
    of v since then, times γ, are `moved` and what was taken off the gap. Where that is still ahead no other row can be
    better: none is looked at, and the chosen row is taken to be worth v(s) + shift.
    """
    low, high = span[0], span[1]
    count = 0
    for s in range(at(first), at(last)):
        if pair_ptr[s] == pair_ptr[s + at(1)]:
            continue
        change = shift
        if gap[s] > moved:
            gap[s] -= moved
        else:
            mine = chosen[s]
            own = best = second = -math.inf
            found = mine
            for i in range(pair_ptr[s], pair_ptr[s + at(1)]):
                q = backed_up(rows, i, v)
                own = q if i == mine else own
                q = -math.inf if i == mine else q
                second = max(second, min(best, q))
                found = i if q > best else found
                best = max(best, q)
            change = max(own, best) - v[s]
            gap[s] = own - best
            if best > own + margin:
                chosen[s] = found
                count += 1
                gap[s] = best - max(second, own)
        low, high = min(low, change), max(high, change)
    span[0], span[1] = low, high
    return count
