"""Slow, obvious twins of kernels/search_ordered.py and search_kinds.py: a state at a time, a row as a list of pairs."""

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


def put_sources(in_ptr, source, head, most, size, place, order, level):
    for at in range(head, head + most):
        if at < size:
            for s in source[in_ptr[order[at]] : in_ptr[order[at] + 1]].tolist():
                if place[s] < 0:
                    size = put([s], size, place, order)
                    level[place[s]] = level[at] + 1
    return size


def put_others(pair_ptr, rows, size, anything, place, order, level):
    standing = {s for s in range(len(place)) if place[s] >= 0}

    def leads(s):
        return any(s2 in standing and p > 0 for i in rows_of(pair_ptr, s) for s2, p in outcomes(rows, i))

    rest = [s for s in range(len(place)) if s not in standing and (anything or leads(s))]
    level[size : size + len(rest)] = 1 + level[size - 1] if size else 0
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


def number_of(packed, i):
    return int(packed[3][i]) if len(packed) == 4 else i


def places_of(width, packed, t, i):
    return len(width) * (t if len(packed) == 4 else i)


def unlooped(rows, i, s):
    """The (next state, weight) of row i of state s, and its reward, until it leaves."""
    gamma, sign = float(rows[4]), float(rows[5])
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
    return away, gamma / d, sign * float(rows[3][i]) / d


def pack(width, pair_ptr, rows, place, to, first, last, next_place, weight, reward):
    W = len(width)
    for s in range(first, last):
        for j, i in enumerate(rows_of(pair_ptr, s)):
            away, scale, r = unlooped(rows, i, s)
            pairs = ([(place[s2], p * scale) for s2, p in away] + [(place[s], 0.0)] * W)[:W]
            row = int(to[s]) + j
            next_place[row * W : (row + 1) * W] = [t for t, _ in pairs]
            weight[row * W : (row + 1) * W] = [w for _, w in pairs]
            reward[row] = r


def position(held, used, s):
    seen = held[:used].tolist()
    return seen.index(s) if s in seen else used


def write_row(width, rows, s, i, held, used, known, size):
    W, (weight, reward) = len(width), known
    away, scale, reward[size] = unlooped(rows, i, s)
    # Also where the row never leaves: all its outcomes, which then have probability 0.
    seen = held[:used].tolist()
    seen += [s2 for s2, _ in outcomes(rows, i) if s2 != s] + [s2 for s2, _ in away]
    seen = list(dict.fromkeys(seen))
    if len(seen) > W:
        return -1
    held[: len(seen)] = seen
    numbers = [0.0] * W
    for s2, p in away:
        numbers[seen.index(s2)] += p
    weight[size * W : (size + 1) * W] = [p * scale for p in numbers]
    return len(seen)


def find_kind(width, known, slots, size):
    W, (weight, reward) = len(width), known
    kinds = [(*weight[c * W : (c + 1) * W].tolist(), float(reward[c])) for c in range(size + 1)]
    hashed = 0
    for x in kinds[size][:W]:
        hashed = 31 * hashed + int(x * 2**20)
    for h in range(hashed, hashed + 1024):
        if slots[h % 1024] < 0:
            slots[h % 1024] = size
            return size
        if kinds[slots[h % 1024]] == kinds[size]:
            return int(slots[h % 1024])


def shifted(pair_ptr, rows, s):
    def from_state(x):
        return [(rows[3][i], [(s2 - x, p) for s2, p in outcomes(rows, i)]) for i in rows_of(pair_ptr, x)]

    return from_state(s) == from_state(s - 1)


def write_state(width, pair_ptr, rows, s, row, kind, known, work, size):
    (slots, held), used = work, 0
    for j, i in enumerate(rows_of(pair_ptr, s)):
        used = write_row(width, rows, s, i, held, used, known, size)
        if used < 0:
            return -2
        kind[row + j] = found = find_kind(width, known, slots, size)
        size = max(size, found + 1)
        if size == len(known[1]):
            return -1
    held[used:] = s
    return size


def pack_kinds(width, pair_ptr, rows, place, to, first, last, next_place, kind, known, work, size):
    W, held = len(width), work[1]
    for s in range(first, last):
        if s > first and shifted(pair_ptr, rows, s):
            for j in range(len(rows_of(pair_ptr, s))):
                kind[to[s] + j] = kind[to[s - 1] + j]
            held += 1
        else:
            size = write_state(width, pair_ptr, rows, s, int(to[s]), kind, known, work, size)
            if size < 0:
                return size
        next_place[int(place[s]) * W : int(place[s] + 1) * W] = [place[s2] for s2 in held]
    return size


def stored_rows(pair_ptr, place, ptr, chosen, rows):
    for s, t in enumerate(place.tolist()):
        nth = int(chosen[t]) - int(ptr[t])
        rows[s] = -1 if pair_ptr[s] == pair_ptr[s + 1] else int(pair_ptr[s]) + nth


def by_state(place, line, out):
    out[:] = [line[t] for t in place]


def packed_row(width, packed, t, i):
    """The (place, weight) of row i of the state at place t, and its reward."""
    W, number, places = len(width), number_of(packed, i), places_of(width, packed, t, i)
    weights = packed[1][number * W : (number + 1) * W].tolist()
    return list(zip(packed[0][places : places + W].tolist(), weights, strict=True)), float(packed[2][number])


def packed_value(width, packed, t, i, v):
    pairs, q = packed_row(width, packed, t, i)
    for t2, w in pairs:
        q += w * float(v[t2])
    return q


def first_values(width, ptr, packed, first, last, chosen, v):
    for t in range(first, last):
        q = {}
        for i in rows_of(ptr, t):
            pairs, x = packed_row(width, packed, t, i)
            known = before = later = 0.0
            for t2, w in pairs:
                if t2 < t:
                    known, before = known + w * float(v[t2]), before + w
                else:
                    later += w
            stays = (x + known) / (1.0 - later) if later < 1.0 else 0.0
            beyond = min(later, before / 2)
            known -= beyond * known / before if before > 0 else 0.0
            if later < 0.999999:
                q[i] = min((x + known) / (1.0 - later - beyond), stays)
        at, best = best_of(q, chosen[t], t)
        if best > -math.inf:
            chosen[t], v[t] = at, best


def take(width, packed, chosen, places, own_width, own):
    W = len(own_width)
    for t in places.tolist():
        if chosen[t] >= 0:
            pairs, r = packed_row(width, packed, t, chosen[t])
            kept = ([(t2, w) for t2, w in pairs if w > 0][:W] + [(t, 0.0)] * W)[:W]
            own[0][t * W : (t + 1) * W] = [t2 for t2, _ in kept]
            if len(own) == 4:
                own[3][t] = packed[3][chosen[t]]
            else:
                own[1][t * W : (t + 1) * W] = [w for _, w in kept]
                own[2][t] = r


def improve(width, ptr, packed, first, last, span, chosen, changed, v):
    size = 0
    for t in range(first, last):
        q = {i: packed_value(width, packed, t, i, v) for i in rows_of(ptr, t)}
        kept = ptr[t] if t % 2 == 0 else ptr[t + 1] - 1
        found, best = best_of(q, kept, t)
        widen(span, best - float(v[t]))
        v[t] = best
        if found != chosen[t]:
            chosen[t], changed[size] = found, t
            size += 1
    return size


def evaluate(width, own, first, last, span, omega, v):
    for t in range(first, last):
        q, old = packed_value(width, own, t, t, v), float(v[t])
        widen(span, q - old)
        v[t] = omega * q + (1 - omega) * old


def evaluate_often(width, own, first, last, omega, limits, span, changes, v):
    """Sweeps until one changes little, or too much."""
    for j in range(len(changes)):
        span[:] = 0.0
        evaluate(width, own, first, last, span, omega, v)
        changes[j] = span[1] - span[0]
        settled, diverged = changes[j] <= limits[0], not changes[j] <= limits[1] * changes[0]
        if settled or diverged:
            break
    return j + 1
