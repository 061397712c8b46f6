"""Slow, obvious twins of walk, lines, one_step, recording, uniforms: one run after the other, one draw after the other.

A twin takes what its kernel takes and must leave the same bits behind. Where a kernel is clever (bisection, a best
action that it remembers), its twin looks again.
"""

from __future__ import annotations

import itertools
import math

# -- twins of kernels/walk.py ---------------------------------------------------------------------------------------


def accumulate(ptr, weight, out):
    for a, b in itertools.pairwise(int(x) for x in ptr):
        group = [float(x) for x in weight[a:b]]
        positive = [j for j, x in enumerate(group) if x > 0]
        last = positive[-1] if positive else 0
        for j, total in enumerate(itertools.accumulate(group)):
            out[a + j] = total if j < last else 2.0


def fetch(array, place):
    """What look_ahead asks for; a test puts its own here."""


def bisect(cum, low, high, u):
    return next((j for j in range(low, high) if u < cum[j]), high)


def scan(cum, first, last, u, together):
    return bisect(cum, first, last, u)


def search(cum, u):
    return bisect(cum, 0, len(cum), u)


def leftover(cum, s, u):
    below = float(cum[s - 1]) if s else 0.0
    return min((float(u) - below) / (min(float(cum[s]), 1.0) - below), 1.0 - 2.0**-53)


def rate(schedule, n):
    kind, a, b, c = map(float, schedule[:4])
    if kind == 0:
        return a
    if kind == 1:
        return a / n
    if kind == 2:
        return a * math.pow(n, -b)
    if kind == 3:
        return a + (b - a) * (1.0 if n > c else (n - 1) / c)
    return max(a * math.pow(b, n - 1), c)


def tabulate(schedule, out):
    out[:] = [rate(schedule, n + 1) for n in range(len(out))]


def highest(q, e, first, last):
    return max(float(x) for x in q[e, first:last])


def best_and_ties(q, e, first, last):
    best = greedy(q, e, first, last)
    return best, sum(float(x) == float(q[e, best]) for x in q[e, first:last])


def greedy(q, e, first, last):
    return max(range(first, last), key=lambda i: q[e, i])  # the first of the largest


def other_choice(kind, x, first, last, q, visits, e, u):
    rows = range(first, last)
    if kind == 2:
        top = max(float(q[e, i]) for i in rows)
        weights = [math.exp((float(q[e, i]) - top) / x) for i in rows]
        rest = float(u) * list(itertools.accumulate(weights))[-1]
        for i, weight in zip(rows, weights, strict=True):
            rest -= weight
            if rest < 0:
                return i
        return greedy(q, e, first, last)
    tried = [int(visits[e, i]) for i in rows]
    if 0 in tried:
        return first + tried.index(0)
    scores = [
        float(q[e, i]) + x * math.sqrt(math.log(sum(tried)) / n) for i, n in zip(rows, tried, strict=True)
    ]
    return first + scores.index(max(scores))


def fading(x, first, last, visits, e):
    return x / (x + sum(int(n) for n in visits[e, first:last]))


def explore(kind, x, first, last, cum, q, visits, e, u):
    u = float(u)
    if kind in (4, 6):
        x = fading(x, first, last, visits, e)
    if kind >= 5 and u >= x:
        return greedy(q, e, first, last)
    if kind >= 4:
        kind = 1
    if kind == 0:
        return scan(cum, first, last, u, False)
    if kind > 1:
        return other_choice(kind, x, first, last, q, visits, e, u)
    if u >= x:
        best = greedy(q, e, first, last)
        ties = [i for i in range(first, last) if float(q[e, i]) == float(q[e, best])]
        return ties[min(math.floor((u - x) / (1.0 - x) * len(ties)), len(ties) - 1)]
    return min(first + math.floor(u / x * (last - first)), last - 1)


def outcome(model, i, out):
    s2 = int(model.next_state[out])
    return float(model.reward[out] if len(model.reward) else model.r[i]), -1 if model.terminal[s2] else s2


def draw(model, i, u):
    fetch(model.next_state, int(model.row_ptr[i]))
    return scan(model.cum, int(model.row_ptr[i]), int(model.row_ptr[i + 1]), u, True)


def sample(model, i, u):
    if not model.width:
        return outcome(model, i, draw(model, i, u))
    return outcome(model, i, scan(model.cum, int(model.row_ptr[i]), int(model.row_ptr[i + 1]), u, True))


def fetch_row(model, log, walk, e, row, visits, q):
    if log is not None or not walk.ahead:
        return
    i = int(row[e])
    if model.width:
        for j in range(0, model.lines.shape[1], 8):
            fetch(model.lines, (i, j))
    else:
        first, last = int(model.row_ptr[i]), int(model.row_ptr[i + 1]) - 1
        for array, place in ((model.cum, first), (model.cum, last), (model.next_state, first)):
            fetch(array, place)
        fetch(*((model.reward, first) if len(model.reward) else (model.r, i)))
    if q is None:
        fetch(model.pair_state, i)
        fetch(walk.rho, i)
    else:
        fetch(visits, (e, i))


def look_ahead(model, log, walk, k, uniforms, row, q):
    for e, i in enumerate(row.tolist()):
        look(model, log, walk, uniforms[e, k], e, i, q)


def look(model, log, walk, u, e, i, q):
    """The values that are read in a step of one run from row i on; those of state 0 where it ends."""
    if log is not None or not walk.ahead:
        return
    s2 = max(sample(model, i, u[0])[1], 0)
    for end in int(model.pair_ptr[s2]), int(model.pair_ptr[s2 + 1]) - 1:
        fetch(*((walk.cum, end) if q is None else (q, (e, end))))


def line(log, n):
    return int(log.row[n]), float(log.reward[n]), -1 if log.done[n] else int(log.next_state[n])


def transition(model, log, t, e, u, row):
    if log is not None:
        return line(log, t % len(log.row))
    i = int(row[e])
    return i, *sample(model, i, u[0])


def is_over(log, walk, t, s2, e, clock):
    if log is not None:
        return int(log.next_row[t % len(log.row)]) < 0
    return s2 < 0 or int(clock[e]) + 1 == walk.episode_steps


def way(walk):
    """A walk that is usual says so in its other settings, too."""
    return walk.explore


def action(model, walk, x, s, u, e, visits, q):
    if not model.width:
        fetch(model.row_ptr, int(model.pair_ptr[s]))
    if q is None:
        return scan(walk.cum, int(model.pair_ptr[s]), int(model.pair_ptr[s + 1]), u, False)
    return choose(model, s, walk.explore, x, walk.cum, q, visits, e, u)


def next_state(model, walk, u, s2, e, clock):
    if s2 < 0 or clock[e] + 1 == walk.episode_steps:
        clock[e] = 0
        return search(model.start, u[walk.restart])
    clock[e] += 1
    return s2


def next_pair(model, walk, u, i):
    return search(walk.pairs, u[walk.restart]) if walk.source == 1 else (i + 1) % len(model.pair_state)


def next_row(model, walk, x, u, s2, chosen, e, clock, row, visits, q):
    if clock is None:
        return
    if walk.source > 0:
        row[e] = next_pair(model, walk, u, int(row[e]))
        return
    s = next_state(model, walk, u, s2, e, clock)
    if clock[e] > 0 and chosen >= 0:
        row[e] = chosen
    else:
        own = u[walk.again]
        if not clock[e] and walk.again == walk.restart:
            own = leftover(model.start, s, own)
        row[e] = action(model, walk, x, s, own, e, visits, q)


# -- twins of kernels/lines.py --------------------------------------------------------------------------------------


def fill_lines(row_ptr, next_state, cum, reward, r, terminal, width, lines, whole):
    W = width
    for i, (first, end) in enumerate(itertools.pairwise(row_ptr.tolist())):
        outs = [*range(first, end), *[end - 1] * W][:W]
        rewards = [float(reward[out]) for out in outs] if len(reward) else [float(r[i])]
        lines[i, : W - 1] = [float(cum[out]) for out in outs[:-1]]
        whole[i, W - 1 : 2 * W - 1] = [
            -1 if terminal[next_state[out]] else int(next_state[out]) for out in outs
        ]
        lines[i, 2 * W - 1 : 2 * W - 1 + len(rewards)] = rewards


def place_in_line(width, lines, i, u):
    return width - 1 + next((j for j in range(width - 1) if u < lines[i, j]), width - 1)


# -- twins of kernels/one_step.py -----------------------------------------------------------------------------------


def begin(model, kind, x, cum, source, pairs, visits, q, uniforms, row):
    for e, (u, action) in enumerate(uniforms.tolist()):
        if source == 0:
            row[e] = choose(model, search(model.start, u), kind, x, cum, q, visits, e, action)
        else:
            row[e] = search(pairs, u) if source == 1 else 0


def choose(model, s, kind, x, cum, q, visits, e, u):
    """The row that is taken in state s."""
    first, last = int(model.pair_ptr[s]), int(model.pair_ptr[s + 1])
    return int(explore(kind, x, first, last, cum, q, visits, e, u))


def tally(table, e, j, k, total, since):
    total[e, j] += float(table[e, j]) * (k - int(since[e, j]))
    since[e, j] = k


def follow(table, e, k, kind, by, bar):
    if kind == 1 and (k + 1) % by == 0:
        bar[e] = table[e]
    if kind == 2:
        bar[e] = [old + by * (new - old) for old, new in zip(bar[e].tolist(), table[e].tolist(), strict=True)]


def update(table, e, j, aim, rho, step_size, per_step, k, visits, total, since):
    visits[e, j] += 1
    if total is not None and total.shape[1]:
        tally(table, e, j, k, total, since)
    alpha = rate(step_size, k + 1 if per_step else int(visits[e, j]))
    table[e, j] = float(table[e, j]) + alpha * float(rho) * (aim - float(table[e, j]))


def td0(model, log, walk, uniforms, step, clock, row, visits, total, since, bar, v):
    for e in range(len(v)):
        for t, u in enumerate(uniforms[e].tolist(), start=step):
            look(model, log, walk, u, e, int(row[e]), None)
            i, aim, s2 = transition(model, log, t, e, u, row)
            if s2 >= 0:
                aim = aim + float(model.gamma) * float(bar[e, s2])
            s, rho = int(model.pair_state[i]), float(walk.rho[i])
            update(v, e, s, aim, rho, walk.step_size, walk.per_step, t, visits, total, since)
            follow(v, e, t, walk.target, walk.by, bar)
            next_row(model, walk, 0.0, u, s2, -1, e, clock, row, None, None)
            fetch_row(model, log, walk, e, row, None, None)


def own_value(kind, x, first, last, cum, visits, q, e, bar):
    values = [float(y) for y in bar[e, first:last]]
    if kind == 0:
        sums = [0.0] + [min(float(c), 1.0) for c in cum[first:last]]
        return added((b - a) * y for (a, b), y in zip(itertools.pairwise(sums), values, strict=True))
    if kind in (1, 4, 5, 6):
        x = x if kind in (1, 5) else fading(x, first, last, visits, e)
        best = greedy(q, e, first, last)
        ties = [y for y, choice in zip(values, q[e, first:last], strict=True) if choice == q[e, best]]
        ties = [float(bar[e, best])] if kind >= 5 else ties
        return x * (added(values) / len(values)) + (1.0 - x) * (added(ties) / len(ties))
    if kind == 2:
        top = max(float(y) for y in q[e, first:last])
        weights = [math.exp((float(y) - top) / x) for y in q[e, first:last]]
        return added(w * y for w, y in zip(weights, values, strict=True)) / added(weights)
    return float(bar[e, other_choice(kind, x, first, last, q, visits, e, 0.0)])


def added(numbers):
    """The sum from left to right; sum() of newer Pythons compensates."""
    total = 0.0
    for x in numbers:
        total += x
    return total


def expectation(pi, first, last, bar, e):
    return added(float(p) * float(y) for p, y in zip(pi[first:last], bar[e, first:last], strict=True))


def expected(model, walk, x, s, e, visits, q, bar):
    first, last = int(model.pair_ptr[s]), int(model.pair_ptr[s + 1])
    if len(walk.pi):
        return expectation(walk.pi, first, last, bar, e)
    return own_value(walk.explore, x, first, last, walk.cum, visits, q, e, bar)


def taken(model, log, walk, x, t, u, s2, e, visits, q):
    if log is not None:
        return int(log.next_row[t % len(log.row)])
    return -1 if s2 < 0 else action(model, walk, x, s2, u[walk.act], e, visits, q)


def sarsa(*arguments):
    one_step("sarsa", *arguments)


def expected_sarsa(*arguments):
    one_step("expected", *arguments)


def q_learning(*arguments):
    one_step("max", *arguments)


def one_step(rule, model, log, walk, uniforms, step, clock, row, visits, total, since, bar, q):
    for e in range(len(q)):
        for t, u in enumerate(uniforms[e].tolist(), start=step):
            x = rate(walk.explore_rate, t + 1)
            look(model, log, walk, u, e, int(row[e]), q)
            i, aim, s2 = transition(model, log, t, e, u, row)
            i2 = taken(model, log, walk, x, t, u, s2, e, visits, q) if rule == "sarsa" else -1
            if s2 >= 0:
                if rule == "sarsa":
                    worth = float(bar[e, i2])
                elif rule == "expected":
                    worth = expected(model, walk, x, s2, e, visits, q, bar)
                else:
                    worth = max(
                        float(y) for y in bar[e, int(model.pair_ptr[s2]) : int(model.pair_ptr[s2 + 1])]
                    )
                aim = aim + float(model.gamma) * worth
            if s2 < 0 or rule != "sarsa" or i2 >= 0:
                update(q, e, i, aim, 1.0, walk.step_size, walk.per_step, t, visits, total, since)
            follow(
                q, e, t, walk.target, walk.by, bar
            )  # a copy is due where the transition is passed over, too
            next_row(model, walk, x, u, s2, i2, e, clock, row, visits, q)
            fetch_row(model, log, walk, e, row, visits, q)


# -- twins of kernels/recording.py ----------------------------------------------------------------------------------


def add_error(table, e, j, true, weight, top, total):
    x = abs(float(table[e, j]) - true)
    return max(top, x), total + weight * (x * x)  # top where x is not a number


def larger(x, top):
    return top if math.isnan(x) else max(top, x)


def measure(table, truth, live, weights, groups, best, out):
    for e, run in enumerate(table.tolist()):
        given = zip(run, truth.tolist(), live.tolist(), weights.tolist(), strict=True)
        errors = [(abs(x - true), weight) for x, true, counts, weight in given if counts]
        out[e] = max([x for x, _ in errors if x > 0] or [0.0]), added(w * (x * x) for x, w in errors)
        for g, (first, last) in enumerate(itertools.pairwise(groups.tolist())):
            best[e, g] = max(run[first:last] or [0.0])


# -- twins of kernels/uniforms.py -----------------------------------------------------------------------------------


def uniform(high, low):
    bits = f"{int(high) ^ int(low):064b}"
    turn = int(high) >> 58
    return int((bits[64 - turn :] + bits[: 64 - turn])[:53], 2) / 2**53


def whole(*words):
    return int(words[0]) * 2**64 + int(words[1])


def leap(high, low, add_high, add_low, leaps, m):
    state = whole(high, low) * whole(*leaps[m][:2]) + whole(add_high, add_low) * whole(*leaps[m][2:])
    return divmod(state % 2**128, 2**64)


def fill_place(high, low, add_high, add_low, leaps, e, j, out):
    for k in range(out.shape[1]):
        out[e, k, j] = uniform(high, low)
        high, low = leap(high, low, add_high, add_low, leaps, 1)


def fill_uniforms(words, leaps, wanted, out):
    for e, (high, low, *add) in enumerate(words.tolist()):
        for k, j in itertools.product(range(out.shape[1]), range(out.shape[2])):
            state = whole(high, low) * 0x2360ED051FC65DA44385DF649FCCF645 + whole(*add)
            high, low = divmod(state % 2**128, 2**64)
            if wanted[j]:
                out[e, k, j] = uniform(high, low)
        words[e, :2] = high, low
