"""Gauss-Seidel sweeps over states that stand in the order in which value flows: those that end first.

Everything is in the sign of maximisation. A row is read without its loop, as what it is worth to take it until it
leaves:

    q = [ r + γ Σ_{s' ≠ s} p v(s') ] / d,    d = (1 - γ) + γ Σ_{s' ≠ s} p

1 - γ p(s) would cancel. Where d is 0 the loop stays. `place` says where in the order a state stands, `order` who stands
there. Packed rows stand in the order too, next states by their places, their numbers divided by d: they have constant
width, the length of the tuple `width`, so that one source serves all widths. Outcomes that fill a row up lead to the
state itself with weight 0. They come in two ways:

- `(next_place, weight, reward)`. Each row has its own of all three.
- `(next_place, weight, reward, kind)`, where rows are of few kinds: weights and reward of row i are those of kind(i).
  The rows of a state have their next places in common, so that a value is read once for all of them.
"""

from __future__ import annotations

import math

from tabular_rl.kernels._jit import at, search_kernel

# -- the order ------------------------------------------------------------------------------------------------------


@search_kernel
def likeliest(pair_ptr, rows, first, last, main):
    """main(i) ← the likeliest next state of row i other than its own, or -1, for the states first ≤ s < last.

    Returns how many outcomes the longest of these rows has that lead elsewhere.
    """
    row_ptr, next_state, prob = rows[0], rows[1], rows[2]
    longest = 0
    for s in range(first, last):
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            most = 0.0
            length = 0
            main[i] = -1
            for k in range(row_ptr[i], row_ptr[i + 1]):
                if next_state[at(k)] != s:
                    length += 1
                    if prob[at(k)] > most:
                        most = prob[at(k)]
                        main[i] = next_state[at(k)]
            longest = max(longest, length)
    return longest


@search_kernel
def put_ends(pair_ptr, main, place, order):
    """Put first the states without rows, then those that no row leaves; place(s) is where, or -1.

    Returns how many they are.
    """
    size = 0
    for s in range(len(place)):
        place[s] = -1
        if pair_ptr[s] == pair_ptr[s + 1]:
            place[s] = size
            order[size] = s
            size += 1
    for s in range(len(place)):
        leaves = False
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            leaves = leaves or main[i] >= 0
        if not leaves and place[s] < 0:
            place[s] = size
            order[size] = s
            size += 1
    return size


@search_kernel
def count_sources(main, in_ptr):
    """in_ptr ← where the states that most likely lead to each state will begin (all 0 at first)."""
    for i in range(len(main)):
        if main[at(i)] >= 0:
            in_ptr[at(main[at(i)] + 1)] += 1
    for s in range(len(in_ptr) - 1):
        in_ptr[s + 1] += in_ptr[s]


@search_kernel
def fill_sources(pair_ptr, main, begin, source):
    """source ← the states that most likely lead to each state; `begin` is a copy of in_ptr that moves on."""
    for s in range(len(pair_ptr) - 1):
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            if main[at(i)] >= 0:
                s2 = at(main[at(i)])
                source[at(begin[s2])] = s
                begin[s2] += 1


@search_kernel
def put_sources(in_ptr, source, head, most, size, place, order, level):
    """Put in line, breadth-first, the states that most likely lead to those from order[head] on, `most` at once.

    level(t) is how many such steps lie between the state at place t and those that were put first. Returns the new
    size: when it is no more than head + most, all are in line.
    """
    last = head + most
    while head < min(size, last):
        s2 = order[head]
        for j in range(in_ptr[s2], in_ptr[s2 + 1]):
            s = source[at(j)]
            if place[at(s)] < 0:
                place[at(s)] = size
                order[at(size)] = s
                level[at(size)] = level[at(head)] + 1
                size += 1
        head += 1
    return size


@search_kernel
def put_others(pair_ptr, rows, size, anything, place, order, level):
    """Put in line, as one more level, the states that some row may lead to one in line, or `anything`.

    Returns the new size.
    """
    row_ptr, next_state, prob = rows[0], rows[1], rows[2]
    known = size
    for s in range(len(place)):
        if place[s] < 0:
            leads = anything
            for k in range(row_ptr[pair_ptr[s]], row_ptr[pair_ptr[s + 1]]):
                leads = leads or (prob[k] > 0.0 and 0 <= place[next_state[k]] < known)
            if leads:
                place[s] = size
                order[size] = s
                level[size] = level[known - 1] + 1 if known > 0 else 0
                size += 1
    return size


@search_kernel
def put_successors_first(pair_ptr, rows, path, at, place, order):
    """Put all states in line after all that they lead to, loops aside; return how many, -1 where there is a cycle.

    place(s) is -1 at first. `path` and `at` are for work.
    """
    row_ptr, next_state, prob = rows[0], rows[1], rows[2]
    size = 0
    for root in range(len(place)):
        depth = -1
        if place[root] == -1:
            depth = 0
            path[0] = root
            at[0] = row_ptr[pair_ptr[root]]
            place[root] = -2  # on the path
        while depth >= 0:
            s = path[depth]
            end = row_ptr[pair_ptr[s + 1]]
            k = at[depth]
            while k < end and (place[next_state[k]] >= 0 or next_state[k] == s or prob[k] <= 0.0):
                k += 1
            if k < end:
                if place[next_state[k]] == -2:
                    return -1
                at[depth] = k + 1
                depth += 1
                path[depth] = next_state[k]
                at[depth] = row_ptr[pair_ptr[path[depth]]]
                place[path[depth]] = -2
            else:
                place[s] = size
                order[size] = s
                size += 1
                depth -= 1
    return size


# -- rows as they are stored ----------------------------------------------------------------------------------------


@search_kernel
def unlooped_value(rows, i, s, v):
    """q of row i of state s without its loop."""
    row_ptr, next_state, prob, r, gamma, sign = rows
    expected = 0.0
    others = 0.0
    loops = 0.0
    for k in range(row_ptr[i], row_ptr[i + 1]):
        if next_state[k] != s:
            expected += prob[k] * v[next_state[k]]
            others += prob[k]
        else:
            loops += prob[k]
    d = (1.0 - gamma) + gamma * others
    if d > 0.0:
        return (sign * r[i] + gamma * expected) / d
    return sign * r[i] + loops * v[s]  # γ is 1


@search_kernel
def improve_stored(pair_ptr, rows, order, first, last, span, chosen, v):
    """v(s) ← the best q of its rows, chosen(s) that row, for the states order[first:last]; span ← min, max change."""
    low, high = span[0], span[1]
    for t in range(first, last):
        s = order[t]
        best = -math.inf
        at = chosen[s]
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            q = unlooped_value(rows, i, s, v)
            if q > best:
                best = q
                at = i
        if pair_ptr[s] < pair_ptr[s + 1]:
            low = min(low, best - v[s])
            high = max(high, best - v[s])
            chosen[s] = at
            v[s] = best
    span[0], span[1] = low, high


@search_kernel
def evaluate_stored(rows, chosen, order, first, last, span, omega, v):
    """v(s) ← v(s) + ω (q - v(s)) with the chosen row, for the states order[first:last]; span ← min, max of q - v(s)."""
    low, high = span[0], span[1]
    for t in range(first, last):
        s = order[t]
        if chosen[s] >= 0:
            q = unlooped_value(rows, chosen[s], s, v)
            low = min(low, q - v[s])
            high = max(high, q - v[s])
            v[s] = q + (omega - 1.0) * (q - v[s])
    span[0], span[1] = low, high


# -- packed rows ----------------------------------------------------------------------------------------------------


@search_kernel
def number_of(packed, i):
    """Which reward, and which list of weights, row i has."""
    if len(packed) == 4:
        return packed[3][at(i)]
    return i


@search_kernel
def places_of(width, packed, t, i):
    """Where in its array the next places of row i of the state at place t begin."""
    if len(packed) == 4:
        return t * len(width)
    return i * len(width)


@search_kernel
def pack(width, pair_ptr, rows, place, to, first, last, next_place, weight, reward):
    """Write the rows of the states first ≤ s < last from row to(s) on, each with its own next places and numbers.

    Rows are read as they are stored, and written as they stand in line: waiting for what is read takes twice as long.
    """
    row_ptr, next_state, prob, r, gamma, sign = rows
    for s in range(first, last):
        row = to[s]
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            start = row * len(width)
            used = 0
            others = 0.0
            loops = 0.0
            for k in range(row_ptr[i], row_ptr[i + 1]):
                if next_state[k] != s:
                    next_place[start + used] = place[next_state[k]]
                    weight[start + used] = prob[k]
                    others += prob[k]
                    used += 1
                else:
                    loops += prob[k]
            d = (1.0 - gamma) + gamma * others
            if d <= 0.0:  # the row never leaves, as far as floats can tell
                next_place[start] = place[s]
                weight[start] = loops
                used = 1
                d = 1.0
            for k in range(used):
                weight[start + k] *= gamma / d
            for k in range(used, len(width)):
                next_place[start + k] = place[s]
                weight[start + k] = 0.0
            reward[row] = sign * r[i] / d
            row += 1


@search_kernel
def by_state(place, line, out):
    """out(s) ← what stands at the place of s in `line`."""
    for s in range(len(place)):
        out[s] = line[place[s]]


@search_kernel
def stored_rows(pair_ptr, place, ptr, chosen, rows):
    """rows(s) ← the row of s, as it is stored, that is chosen at its place; -1 where s has none."""
    for s in range(len(place)):
        t = place[at(s)]
        rows[at(s)] = -1
        if pair_ptr[at(s)] < pair_ptr[at(s + 1)]:
            rows[at(s)] = pair_ptr[at(s)] + chosen[at(t)] - ptr[at(t)]


@search_kernel
def first_values(width, ptr, packed, first, last, chosen, v):
    """v(t) ← its best row where outcomes that stand later are foreseen, for the states first ≤ t < last.

    They are taken to lie beyond t as far as t lies beyond those that stand before it, v(t) + (v(t) - their mean), and
    what of them weighs more than half of these to be t itself; or to be t itself all of them where that is less, since
    values that are too high may take long to fall where one can wait. Of equal rows it takes the first and the last in
    turn, as `improve` does. A row all of whose outcomes stand later says nothing; where no row says anything v(t) and
    chosen(t) stay.
    """
    next_place, weight, reward = packed[0], packed[1], packed[2]
    for t in range(first, last):
        best = -math.inf
        found = chosen[at(t)]
        for i in range(ptr[at(t)], ptr[at(t + 1)]):
            number = number_of(packed, i)
            q = 0.0
            before = 0.0
            later = 0.0
            for k in range(len(width)):
                w = weight[at(number * len(width) + k)]
                t2 = next_place[at(places_of(width, packed, t, i) + k)]
                if t2 < t:
                    q += w * v[at(t2)]
                    before += w
                else:
                    later += w
            stays = (reward[at(number)] + q) / (1.0 - later) if later < 1.0 else 0.0
            beyond = min(later, 0.5 * before)
            if before > 0.0:
                q -= beyond * q / before
            q = min((reward[at(number)] + q) / (1.0 - later - beyond), stays)
            if later < 0.999999 and (q > best or (q == best and t % 2 == 1)):
                best = q
                found = i
        if best > -math.inf:
            v[at(t)] = best
            chosen[at(t)] = found


@search_kernel
def take(width, packed, chosen, places, own_width, own):
    """Copy the chosen rows of the states at some places into `own`, one a state.

    Those are their next places of weight above 0, filled up with the state itself, and their numbers or their kinds.
    """
    next_place, weight, reward = packed[0], packed[1], packed[2]
    for t in places:
        i = chosen[at(t)]
        if i >= 0:
            number = number_of(packed, i)
            used = 0
            for k in range(len(width)):
                w = weight[at(number * len(width) + k)]
                if w > 0.0 and used < len(own_width):
                    to = at(t * len(own_width) + used)
                    own[0][to] = next_place[at(places_of(width, packed, t, i) + k)]
                    if len(own) == 3:
                        own[1][to] = w
                    used += 1
            for k in range(used, len(own_width)):
                to = at(t * len(own_width) + k)
                own[0][to] = t
                if len(own) == 3:
                    own[1][to] = 0.0
            if len(own) == 4:
                own[3][at(t)] = number
            else:
                own[2][at(t)] = reward[at(number)]


@search_kernel
def improve(width, ptr, packed, first, last, span, chosen, changed, v):
    """v(t) ← the best q of its rows, for the states first ≤ t < last; span ← min, max change.

    Of equal rows it takes the first at even places and the last at odd ones: on a grid, where two ways lead to the
    end, a policy that goes one of them up to the wall needs twice the sweeps of one that goes between. One comparison
    a row can be compiled without a branch, which would be guessed wrong once or twice a state: so at odd places rows
    come in the reverse order. Where the row is another one than before, chosen(t) changes, and t is listed in
    `changed`; returns how many are. To copy rows here would slow the loop down.
    """
    next_place, weight, reward = packed[0], packed[1], packed[2]
    low, high = span[0], span[1]
    size = 0
    for t in range(first, last):
        i = ptr[at(t)]
        step = 1
        if t % 2 == 1:
            i = ptr[at(t + 1)] - 1
            step = -1
        best = -math.inf
        found = i
        for _ in range(ptr[at(t + 1)] - ptr[at(t)]):
            number = number_of(packed, i)
            places = places_of(width, packed, t, i)
            q = reward[at(number)]
            for k in range(len(width)):
                q += weight[at(number * len(width) + k)] * v[next_place[at(places + k)]]
            if q > best:
                best = q
                found = i
            i += step
        low = min(low, best - v[at(t)])
        high = max(high, best - v[at(t)])
        v[at(t)] = best
        if found != chosen[at(t)]:
            chosen[at(t)] = found
            changed[at(size)] = t
            size += 1
    span[0], span[1] = low, high
    return size


@search_kernel
def evaluate(width, own, first, last, span, omega, v):
    """v(t) ← v(t) + ω (q - v(t)) with its own row, for the states first ≤ t < last; span ← min, max of q - v(t)."""
    next_place, weight, reward = own[0], own[1], own[2]
    low, high = span[0], span[1]
    for t in range(first, last):
        number = number_of(own, t)
        old = v[at(t)]
        q = reward[at(number)]
        for k in range(len(width)):
            q += weight[at(number * len(width) + k)] * v[next_place[at(t * len(width) + k)]]
        low = min(low, q - old)
        high = max(high, q - old)
        v[at(t)] = omega * q + (1.0 - omega) * old  # sooner known, where the next state waits for it
    span[0], span[1] = low, high


@search_kernel
def evaluate_often(width, own, first, last, omega, limits, span, changes, v):
    """Evaluate up to len(changes) times; changes(j) ← by how much sweep j raised values and lowered them, in all.

    It ends with the sweep that changes no more than limits(0), or more than limits(1) times what the first one did.
    `span` is for work. Returns how many sweeps were made.
    """
    for j in range(len(changes)):
        span[0], span[1] = 0.0, 0.0
        evaluate(width, own, first, last, span, omega, v)
        changes[j] = span[1] - span[0]
        if changes[j] <= limits[0] or not changes[j] <= limits[1] * changes[0]:
            return j + 1
    return len(changes)
