"""Slow, obvious twins of kernels/search_ordered.py: a state at a time, a row as a list of pairs."""

from __future__ import annotations

import math

# -- the order ------------------------------------------------------------------------------------------------------


def outcomes(rows, i):
    """The (next state, probability) of a row, in the order of storage."""
    row_ptr, next_state, prob = rows[:3]
    return [(int(next_state[k]), float(prob[k])) for k in range(row_ptr[i], row_ptr[i + 1])]


def rows_of(pair_ptr, s):
    return range(int(pair_ptr[s]), int(pair_ptr[s + 1]))


def likeliest(pair_ptr, rows, first, last, main):
    longest = 0
    for s in range(first, last):
        for i in rows_of(pair_ptr, s):
            away = [(s2, p) for s2, p in outcomes(rows, i) if s2 != s]
            possible = [(s2, p) for s2, p in away if p > 0]
            main[i] = max(possible, key=lambda pair: pair[1])[0] if possible else -1
            longest = max(longest, len(away))
    return longest


def put(states, size, place, order):
    """Put states in line; return the new size."""
    for s in states:
        place[s] = size
        order[size] = s
        size += 1
    return size


def put_ends(pair_ptr, main, place, order):
    place[:] = -1
    states = range(len(place))
    without = [s for s in states if not rows_of(pair_ptr, s)]
    kept = [s for s in states if s not in without and all(main[i] < 0 for i in rows_of(pair_ptr, s))]
    return put(without + kept, 0, place, order)


def count_sources(main, in_ptr):
    for s in range(len(in_ptr)):
        in_ptr[s] += sum(1 for s2 in main if 0 <= s2 < s)


def fill_sources(pair_ptr, main, at, source):
    for s in range(len(pair_ptr) - 1):
        for i in rows_of(pair_ptr, s):
            s2 = int(main[i])
            if s2 >= 0:
                source[at[s2]] = s
                at[s2] += 1


def put_sources(in_ptr, source, head, most, size, place, order):
    for at in range(head, head + most):
        if at < size:
            for s in source[in_ptr[order[at]] : in_ptr[order[at] + 1]].tolist():
                if place[s] < 0:
                    size = put([s], size, place, order)
    return size


def put_others(pair_ptr, rows, size, anything, place, order):
    standing = {s for s in range(len(place)) if place[s] >= 0}

    def leads(s):
        return any(s2 in standing and p > 0 for i in rows_of(pair_ptr, s) for s2, p in outcomes(rows, i))

    rest = [s for s in range(len(place)) if s not in standing and (anything or leads(s))]
    return put(rest, size, place, order)


def put_successors_first(pair_ptr, rows, path, at, place, order):
    """The depth-first search as it is told, by recursion; of the arrays only `place` and `order` matter."""
    size = 0
    on_path = []

    def visit(s):
        nonlocal size
        on_path.append(s)
        for i in rows_of(pair_ptr, s):
            for s2, p in outcomes(rows, i):
                if s2 == s or p <= 0 or (s2 not in on_path and place[s2] >= 0):
                    continue
                if s2 in on_path or not visit(s2):
                    return False
        on_path.pop()
        size = put([s], size, place, order)
        return True

    if all(place[s] >= 0 or visit(s) for s in range(len(place))):
        return size
    return -1


# -- rows as they are stored ----------------------------------------------------------------------------------------


def unlooped_value(rows, i, s, v):
    r, gamma, sign = float(rows[3][i]), float(rows[4]), float(rows[5])
    expected = others = loops = 0.0
    for s2, p in outcomes(rows, i):
        if s2 == s:
            loops += p
        else:
            expected += p * float(v[s2])
            others += p
    d = (1 - gamma) + gamma * others
    if d > 0:
        return (sign * r + gamma * expected) / d
    return sign * r + loops * float(v[s])


def widen(span, change):
    span[0], span[1] = min(span[0], change), max(span[1], change)


def best_of(q, kept, t=0):
    """The first row of the largest q, at odd places t the last one, and that q.

    Where none is above -inf the row is `kept`, at odd places the last one of -inf.
    """
    best = max((x for x in q.values() if not math.isnan(x)), default=-math.inf)
    equal = [i for i in q if q[i] == best]
    if t % 2 == 1 and equal:
        return equal[-1], best
    return (equal[0] if best > -math.inf else kept), best


def improve_stored(pair_ptr, rows, order, first, last, span, chosen, v):
    for s in order[first:last].tolist():
        if rows_of(pair_ptr, s):
            q = {i: unlooped_value(rows, i, s, v) for i in rows_of(pair_ptr, s)}
            chosen[s], best = best_of(q, chosen[s])
            widen(span, best - float(v[s]))
            v[s] = best


def relaxed(omega, old, q):
    return q + (omega - 1) * (q - old)


def evaluate_stored(rows, chosen, order, first, last, span, omega, v):
    for s in order[first:last].tolist():
        if chosen[s] >= 0:
            q = unlooped_value(rows, chosen[s], s, v)
            widen(span, q - float(v[s]))
            v[s] = relaxed(omega, float(v[s]), q)


# -- packed rows ----------------------------------------------------------------------------------------------------


def entry(numbers, k):
    return float(numbers[0][k]) if len(numbers) == 1 else float(numbers[1][int(numbers[0][k])])


def pack(width, pair_ptr, rows, place, to, at, first, last, next_place, weight, reward):
    W, gamma, sign = len(width), float(rows[4]), float(rows[5])
    for s in range(first, last):
        for j, i in enumerate(rows_of(pair_ptr, s)):
            away = [(s2, p) for s2, p in outcomes(rows, i) if s2 != s]
            others = 0.0
            for _, p in away:
                others += p
            d = (1 - gamma) + gamma * others
            if d <= 0:
                loops = 0.0
                for s2, p in outcomes(rows, i):
                    loops += p if s2 == s else 0.0
                d, away = 1.0, [(s, loops)]
            pairs = ([(place[s2], p * (gamma / d)) for s2, p in away] + [(place[s], 0.0)] * W)[:W]
            row, number = (int(to[s]) + j) * W, (int(at[s]) + j) * W
            next_place[row : row + W] = [t for t, _ in pairs]
            weight[number : number + W] = [w for _, w in pairs]
            reward[int(at[s]) + j] = sign * float(rows[3][i]) / d


def encode(width, pair_ptr, to, first, last, bits, slots, size, table, code):
    known, W = [int(x) for x in table[:size]], len(width)
    listed = iter(bits.tolist())
    for s in range(first, last):
        for k in range(len(rows_of(pair_ptr, s)) * W):
            x = next(listed)
            if x not in known:
                if len(known) == len(table):
                    return -1
                table[len(known)] = x
                known.append(x)
            code[int(to[s]) * W + k] = known.index(x)
    return len(known)


def by_state(place, line, out):
    out[:] = [line[t] for t in place]


def packed_row(width, packed, i):
    """The (place, weight) of a packed row, and its reward."""
    W = len(width)
    pairs = [(int(packed[0][k]), entry(packed[1], k)) for k in range(i * W, (i + 1) * W)]
    return pairs, entry(packed[2], i)


def packed_value(width, packed, i, v):
    pairs, q = packed_row(width, packed, i)
    for t, w in pairs:
        q += w * float(v[t])
    return q


def first_values(width, ptr, packed, first, last, chosen, v):
    for t in range(first, last):
        q = {}
        for i in rows_of(ptr, t):
            pairs, x = packed_row(width, packed, i)
            known = before = later = 0.0
            for t2, w in pairs:
                if t2 < t:
                    known, before = known + w * float(v[t2]), before + w
                else:
                    later += w
            beyond = min(later, before / 2)
            known -= beyond * known / before if before > 0 else 0.0
            if later < 0.999999:
                q[i] = (x + known) / (1.0 - later - beyond)
        at, best = best_of(q, chosen[t], t)
        if best > -math.inf:
            chosen[t], v[t] = at, best


def take(width, packed, chosen, first, last, own):
    W = len(width)
    for t in range(first, last):
        i = int(chosen[t])
        if i >= 0:
            for mine, theirs in ((own[0], packed[0]), (own[1][0], packed[1][0])):
                mine[t * W : (t + 1) * W] = theirs[i * W : (i + 1) * W]
            own[2][0][t] = packed[2][0][i]


def improve(width, ptr, packed, first, last, span, chosen, own, v):
    changed = 0
    for t in range(first, last):
        q = {i: packed_value(width, packed, i, v) for i in rows_of(ptr, t)}
        at, best = best_of(q, ptr[t], t)
        widen(span, best - float(v[t]))
        v[t] = best
        if at != chosen[t]:
            chosen[t] = at
            changed += 1
            take(width, packed, chosen, t, t + 1, own)
    return changed


def evaluate(width, own, first, last, span, omega, v):
    for t in range(first, last):
        q = packed_value(width, own, t, v)
        widen(span, q - float(v[t]))
        v[t] = relaxed(omega, float(v[t]), q)
