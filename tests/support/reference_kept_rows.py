"""Twins of the kernels that find and sweep the rows which can be the best, and of those that group states.

`kept` is (ptr, row, chosen, next_state, prob, r), as in kernels/kept_rows.py.
"""

from __future__ import annotations

import math


def whole_row_value(width, rows, i, v):
    row_ptr, next_state, prob, r, gamma, sign, _run = rows
    total = 0.0
    for k in range(row_ptr[i], row_ptr[i + 1]):
        total += prob[k] * v[next_state[k]]
    return sign * r[i] + gamma * total


def kept_value(width, rows, kept, j, v):
    _ptr, row, _chosen, next_state, prob, r = kept
    if not width:
        return whole_row_value(width, rows, row[j], v)
    total = 0.0
    for k in range(j * len(width), (j + 1) * len(width)):
        total += prob[k] * v[next_state[k]]
    return r[j] + rows[4] * total


def sampled_gaps(width, pair_ptr, rows, v, first, step, change, gap):
    n = 0
    for j in range(len(change)):
        s = first + j * step
        q = [whole_row_value(width, rows, i, v) for i in range(pair_ptr[s], pair_ptr[s + 1])]
        change[j] = max(q, default=0.0) - v[s]
        gap[n : n + len(q)] = [max(q) - x for x in q]
        n += len(q)
    return n


def keep_row(width, rows, j, s, kept):
    row_ptr, next_state, prob, r, _gamma, sign, _run = rows
    _ptr, row, _chosen, to, p, reward = kept
    ks = range(row_ptr[row[j]], row_ptr[row[j] + 1])
    for n in range(len(width)):
        to[j * len(width) + n] = next_state[ks[n]] if n < len(ks) else s
        p[j * len(width) + n] = prob[ks[n]] if n < len(ks) else 0.0
    reward[j] = sign * r[row[j]]


def sure_value(width, rows, kept, j, v):
    return kept_value(width, rows, kept, j, v)


def best_near(pair_ptr, rows, v, s, least, work):
    q, near = work
    own = range(pair_ptr[s], pair_ptr[s + 1])
    found = [i for i in own if not rows[5] * rows[3][i] < least] or list(own)
    values = [whole_row_value((), rows, i, v) for i in found]
    q[: len(found)], near[: len(found)] = values, found
    at = values.index(max(values)) if found else -1
    return len(found), at, values[at] if found else 0.0


def best_of_all(pair_ptr, rows, v, s, work):
    return best_near(pair_ptr, rows, v, s, -math.inf, work)


def filtered_backup(width, pair_ptr, rows, v, first, last, limits, work, span, kept, out):
    ptr, row, chosen = kept[:3]
    delta, most, least = limits
    fits, n = delta >= 0, int(ptr[first])
    for s in range(first, last):
        above = least - max(delta, 0.0) - most
        count, at, best = best_near(pair_ptr, rows, v, s, v[s] + above, work)
        q, near = work[0][:count].tolist(), work[1][:count].tolist()
        if near:
            change = best - v[s]
            span[0], span[1] = min(span[0], change), max(span[1], change)
        out[s] = best
        fits = fits and n + count <= len(row)
        if not fits:
            continue
        own = (
            [i for i, x in zip(near, q, strict=True) if best - x <= delta] if delta > 0 else near[at : at + 1]
        )
        chosen[s] = n + own.index(near[at]) if near else -1
        for i in own:
            row[n] = i
            if width:
                keep_row(width, rows, n, s, kept)
            n += 1
        ptr[s + 1] = n
    return n if fits else -1


def kept_backup(width, rows, kept, v, here, origin, span, moved, q, out):
    ptr, chosen = kept[0], kept[2]
    for s in range(len(out)):
        own = range(ptr[s], ptr[s + 1])
        for j in own:
            q[j] = kept_value(width, rows, kept, j, v)
        chosen[s] = max(own, key=lambda j: (q[j], -j), default=-1)
        out[s] = q[chosen[s]] if own else 0.0
        if own:
            change = out[s] - here[s]
            span[0], span[1] = min(span[0], change), max(span[1], change)
        far = here[s] - origin[s]
        moved[0], moved[1] = min(moved[0], far), max(moved[1], far)


def kept_policy_backup(width, rows, kept, v, here, span, out):
    chosen = kept[2]
    for s in range(len(out)):
        out[s] = 0.0 if chosen[s] < 0 else kept_value(width, rows, kept, chosen[s], v)
        if chosen[s] >= 0:
            change = out[s] - here[s]
            span[0], span[1] = min(span[0], change), max(span[1], change)


def pack_chosen(width, kept, packed):
    _, _, chosen, next_state, prob, r = kept
    w = len(width)
    for s, j in enumerate(chosen):
        here, there = slice(s * w, (s + 1) * w), slice(j * w, (j + 1) * w)
        packed[0][here], packed[1][here] = (s, 0.0) if j < 0 else (next_state[there], prob[there])
        packed[2][s] = 0.0 if j < 0 else r[j]


def packed_policy_backup(width, next_state, prob, r, gamma, v, here, span, out):
    for s in range(len(out)):
        expected = 0.0
        for k in range(s * len(width), (s + 1) * len(width)):
            expected += prob[k] * v[next_state[k]]
        out[s] = r[s] + gamma * expected
        span[0], span[1] = min(span[0], out[s] - here[s]), max(span[1], out[s] - here[s])


def coded(change, low, scale, code):
    for s in range(len(code)):
        code[s] = math.floor((change[s] - low) * scale + 0.5)


def coarse_policy_backup(width, kept, code, steps, gamma, span, change, here):
    for s, j in enumerate(kept[2]):
        if j < 0:
            change[s] = 0.0
            continue
        expected = 0.0
        for k in range(j * len(width), (j + 1) * len(width)):
            expected += kept[4][k] * float(code[kept[3][k]])
        change[s] = gamma * (steps[0] + steps[1] * expected)
        here[s] += change[s]
        span[0], span[1] = min(span[0], change[s]), max(span[1], change[s])


def coded_row_value(width, rows, i, code, steps):
    expected = 0.0
    for k in range(rows[0][i], rows[0][i + 1]):
        expected += rows[2][k] * float(code[rows[1][k]])
    return rows[5] * rows[3][i] + rows[4] * (steps[0] + steps[1] * expected)


def best_coded_backup(width, pair_ptr, rows, code, steps, v, first, last, span, kept, out):
    ptr, row, chosen = kept[:3]
    for s in range(first, last):
        q = [coded_row_value(width, rows, i, code, steps) for i in range(pair_ptr[s], pair_ptr[s + 1])]
        n, chosen[s], out[s] = ptr[s], -1, max(q, default=0.0)
        if q:
            span[0], span[1] = min(span[0], out[s] - v[s]), max(span[1], out[s] - v[s])
            row[n], chosen[s] = pair_ptr[s] + q.index(out[s]), n
            keep_row(width, rows, n, s, kept)
        ptr[s + 1] = n + len(q[:1])


def count_near(ptr, q, best, delta):
    return sum(best[s] - q[j] <= delta for s in range(len(best)) for j in range(ptr[s], ptr[s + 1]))


def thin_out(width, q, best, delta, kept):
    ptr, row, chosen, next_state, prob, r = kept
    old, n = ptr.copy(), 0
    for s in range(len(best)):
        first = chosen[s]
        for j in range(old[s], old[s + 1]):
            if best[s] - q[j] > delta:
                continue
            if j == first:
                chosen[s] = n
            row[n] = row[j]
            if width:
                W = len(width)
                r[n] = r[j]
                next_state[n * W : (n + 1) * W] = next_state[j * W : (j + 1) * W].copy()
                prob[n * W : (n + 1) * W] = prob[j * W : (j + 1) * W].copy()
            n += 1
        ptr[s + 1] = n


def grouped(chosen, v, w, low, scale, most, group):
    for s in range(len(group)):
        if chosen[s] < 0:
            group[s] = most
        else:
            group[s] = min(max(math.floor((w[s] - v[s] - low) * scale), 0), most - 1)


def group_chain(width, rows, kept, v, w, group, count, change, chain):
    row, chosen, next_state, prob = kept[1:5]
    for s in range(len(group)):
        count[group[s]] += 1
        change[group[s]] += w[s] - v[s]
        j = chosen[s]
        if j < 0:
            continue
        if width:
            leads = zip(next_state[j * len(width) :][: len(width)], prob[j * len(width) :], strict=False)
        else:
            own = slice(rows[0][row[j]], rows[0][row[j] + 1])
            leads = zip(rows[1][own], rows[2][own], strict=True)
        for to, p in leads:
            chain[group[s], group[to]] += p


def shift_groups(group, shift, w):
    for s in range(len(w)):
        w[s] += shift[group[s]]


def likeliest(first, last, prob):
    return max(range(first, last), key=lambda k: (prob[k], -k), default=first)


def settled(begin, end, next_state, prob, share, s, steps):
    for i in range(steps):
        own = range(begin[s], end[s])
        if own:
            k = own[(i * 40503 // 128) % len(own)]
            top = max(own, key=lambda j: (prob[j], -j))
            s = next_state[k if prob[k] >= share * prob[top] else top]
    return s


def periods(begin, end, next_state, prob, share, least, level, queue):
    level[queue[0]], period, found, i = 0, 0, [int(queue[0])], 0
    while i < len(found) and period not in range(1, least):
        s = found[i]
        own = range(begin[s], end[s])
        for k in own:
            if prob[k] < share * max(prob[j] for j in own):
                continue
            t = int(next_state[k])
            if level[t] == -1:
                level[t] = level[s] + 1
                found.append(t)
            else:
                period = math.gcd(period, int(level[s] + 1 - level[t]))
        i += 1
    queue[: len(found)] = found
    return len(found), period


def lead_into(begin, end, next_state, prob, before, first, last, step, group):
    n = 0
    for s in range(first, last, step):
        own = range(begin[s], end[s])
        if group[s] != -1 or not own:
            continue
        g = group[next_state[max(own, key=lambda k: (prob[k], -k))]]
        if g != -1:
            group[s] = before[g]
            n += 1
    return n
