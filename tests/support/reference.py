"""Slow, obvious twins of the kernels, and exact answers to small models.

A twin takes what its kernel takes and must leave the same bits behind. The oracles read the arrays of a model
themselves and reckon in Fractions: they share no arithmetic with the package. All of their answers are in the sign
of the model (costs stay costs).
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

# -- twins of kernels/bellman.py ------------------------------------------------------------------------------------


def row_value(rows, i, v):
    """r(i) + γ Σ p v(s') of one row, summed in the order of storage."""
    row_ptr, next_state, prob, r, gamma, sign = rows[:6]  # not how wide rows are read
    expected = 0.0
    for k in range(row_ptr[i], row_ptr[i + 1]):
        expected += float(prob[k]) * float(v[next_state[k]])
    return float(sign) * float(r[i]) + float(gamma) * expected


def widened(low, high, change):
    """The span [low, high] with change in it; NaN goes in and stays in."""
    if math.isnan(change):
        return change, change
    return (change if change < low else low), (change if change > high else high)


def state_by_state(new, v, first, last, step, span, out):
    """out(s) ← new(s, v), or 0 where that is None; v may be out, and then holds the new values."""
    before = v if v is out else [float(x) for x in v]
    for s in range(first, last, step):
        value = new(s, before)
        if value is not None:
            span[0], span[1] = widened(span[0], span[1], value - float(before[s]))
        out[s] = 0.0 if value is None else value


def optimal_backup(pair_ptr, rows, v, first, last, step, span, chosen, out):
    def best(s, v):
        q = {i: row_value(rows, i, v) for i in range(pair_ptr[s], pair_ptr[s + 1])}
        chosen[s] = max(q, key=q.__getitem__, default=-1)  # the first of the largest
        return q.get(int(chosen[s]))

    state_by_state(best, v, first, last, step, span, out)


def chosen_backup(rows, chosen, v, first, last, step, span, out):
    def taken(s, v):
        return row_value(rows, chosen[s], v) if chosen[s] >= 0 else None

    state_by_state(taken, v, first, last, step, span, out)


def mixed_backup(pair_ptr, rows, weight, v, first, last, step, span, out):
    def mixture(s, v):
        total = 0.0
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            if weight[i] != 0:
                total += float(weight[i]) * row_value(rows, i, v)
        return total if pair_ptr[s] < pair_ptr[s + 1] else None

    state_by_state(mixture, v, first, last, step, span, out)


def row_backup(pair_ptr, rows, v, first, last, out):
    start = pair_ptr[first]
    for i in range(start, pair_ptr[last]):
        out[i - start] = row_value(rows, i, v)


def row_changes(pair_ptr, rows, v, first, last, change, met):
    row_ptr, next_state, prob, _, gamma, _ = rows[:6]
    for s in range(first, last):
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            to = range(row_ptr[i], row_ptr[i + 1])
            gains = [float(prob[k]) * (float(v[next_state[k]]) - float(v[s])) for k in to]
            change[i] = row_value(
                (row_ptr, range(len(prob)), [1.0] * len(prob), *rows[3:6]), i, _at(to, gains)
            )
            met[i] = float(gamma) * sum(map(abs, gains))


def _at(places, values):
    """Values by their places."""
    return dict(zip(places, values, strict=True))


def listed_backup(rows, listed, v, out):
    out[:] = [row_value(rows, i, v) for i in listed]


def full_backup(pair_ptr, rows, v, first, last, span, q, chosen, out):
    for i in range(pair_ptr[first], pair_ptr[last]):
        q[i] = row_value(rows, i, v)
    optimal_backup(pair_ptr, rows, v, first, last, 1, span, chosen, out)


def best_paid(pair_ptr, r, sign, chosen):
    for s in range(len(chosen)):
        paid = {i: sign * r[i] for i in range(pair_ptr[s], pair_ptr[s + 1])}
        chosen[s] = min((i for i in paid if paid[i] == max(paid.values())), default=-1)


def copy_rows(listed, row_ptr, next_state, prob, r, ptr, to, chance, reward):
    rows = [range(row_ptr[i], row_ptr[i + 1]) for i in listed]
    places = [k for row in rows for k in row]
    ptr[:] = [sum(map(len, rows[:j])) for j in range(len(rows) + 1)]
    to[:], chance[:], reward[:] = next_state[places], prob[places], r[list(listed)]


def not_below(pair_ptr, q, least, keep):
    keep[:] = [q[i] >= x for s, x in enumerate(least) for i in range(pair_ptr[s], pair_ptr[s + 1])]


def sole_rows(pair_ptr, keep, chosen, sole):
    for s, own in enumerate(chosen):
        kept = [i for i in range(pair_ptr[s], pair_ptr[s + 1]) if keep[i]]
        sole[s] = own < 0 or kept == [own]


# -- twins of kernels/graph.py --------------------------------------------------------------------------------------


def edges(i, row_ptr, next_state, weight):
    """The next states of a row with positive weight, in the order of storage."""
    return [int(next_state[k]) for k in range(row_ptr[i], row_ptr[i + 1]) if weight[k] > 0]


def strong_components(
    pair_ptr, row_ptr, next_state, weight, use, number, low, stack, path, row_at, outcome_at, label
):
    """Tarjan's algorithm as it is told, by recursion; of the work arrays only `number` and `label` are filled."""
    numbers, lows, open_states, left, count = {}, {}, [], [], 0

    def visit(s):
        nonlocal count
        numbers[s] = lows[s] = len(numbers)
        open_states.append(s)
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            for s2 in edges(i, row_ptr, next_state, weight) if use[i] else ():
                if s2 not in numbers:
                    visit(s2)
                    lows[s] = min(lows[s], lows[s2])
                elif s2 in open_states:
                    lows[s] = min(lows[s], numbers[s2])
        if lows[s] == numbers[s]:
            while s in open_states:
                label[open_states.pop()] = count
            count += 1
        left.append(s)

    for s in range(len(label)):
        if s not in numbers:
            visit(s)
    for place, s in enumerate(left):
        number[s] = place
    return count


def leading(begin, end, next_state, prob, s):
    return {int(next_state[k]) for k in range(begin[s], end[s]) if prob[k] > 0} - {s}


def split_first(order, begin, end, next_state, prob, number, label):
    left, found = {s for s in range(len(number)) if number[s] < 0}, []
    for s in map(int, order):
        if s in left and not leading(begin, end, next_state, prob, s) & left:
            left.remove(s)
            found.append(s)
    for place, s in enumerate(found):
        number[s], label[s] = 0, place
    return len(found)


def split_last(order, begin, end, next_state, prob, number, into, label):
    left, found = {s for s in range(len(number)) if number[s] < 0}, []
    for s in map(int, reversed(order)):
        if s in left and not any(s in leading(begin, end, next_state, prob, s2) for s2 in left):
            left.remove(s)
            found.append(s)
    for place, s in enumerate(found):
        number[s], label[s] = 0, -2 - place
    return len(found)


def split(order, begin, end, next_state, prob, use, number, into, label):
    own = [s for s in range(len(use)) if use[s]]
    number[:], label[:] = 0, -1
    number[own] = -1
    chain = order, begin, end, next_state, prob, number
    early = split_first(*chain, label)
    return len(own), early, split_last(*chain, into, label)


def carry_back(order, pair_ptr, rows, noise, v, chosen):
    row_ptr, next_state, prob, r, gamma, sign = rows
    gains = [0.0]
    for s in order:
        worth = {}
        for i in range(pair_ptr[s], pair_ptr[s + 1]):
            others = [k for k in range(row_ptr[i], row_ptr[i + 1]) if next_state[k] != s]
            met, leaves = sign * r[i], 1 - gamma
            for k in others:
                met += gamma * prob[k] * v[next_state[k]]
                leaves += gamma * prob[k]
            if leaves > 0:
                worth[i] = met, leaves
        best = v[s] + noise
        gained = None
        for i, (met, leaves) in worth.items():
            if met > best * leaves:
                best, gained = met / leaves, i
        if gained is not None:
            gains.append(best - v[s])
            v[s], chosen[s] = best, gained
    return max(gains)


def count_incoming(row_ptr, next_state, weight, use, in_ptr):
    into = [0] * (len(in_ptr) - 1)
    for i in range(len(use)):
        for s2 in edges(i, row_ptr, next_state, weight) if use[i] else ():
            into[s2] += 1
    in_ptr[1:] = list(itertools.accumulate(into))


def fill_incoming(row_ptr, next_state, weight, use, at, in_row):
    for i in range(len(use)):
        for s2 in edges(i, row_ptr, next_state, weight) if use[i] else ():
            in_row[at[s2]] = i
            at[s2] += 1


def search_forward(pair_ptr, row_ptr, next_state, weight, use, queue, found):
    grew = True
    while grew:
        grew = False
        for s in range(len(found)):
            for i in range(pair_ptr[s], pair_ptr[s + 1]) if found[s] else ():
                for s2 in edges(i, row_ptr, next_state, weight) if use[i] else ():
                    grew = grew or not found[s2]
                    found[s2] = True


def pass_back(row_ptr, next_state, weight, rows, first, last, step, found):
    before = found.copy()
    for s in range(first, last, step):
        to = [] if rows[s] < 0 else list(edges(rows[s], row_ptr, next_state, weight))
        found[s] = found[s] or any(found[s2] for s2 in to)
    return bool((found != before).any())


def pass_back_all(pair_ptr, row_ptr, next_state, weight, first, last, step, found):
    before = int(found.sum())
    for s in range(first, last, step):
        ways = [
            any(weight[k] > 0 and found[next_state[k]] for k in range(row_ptr[i], row_ptr[i + 1]))
            for i in range(pair_ptr[s], pair_ptr[s + 1])
        ]
        found[s] = found[s] or all(ways)
    return int(found.sum()) - before


def search_backward(in_ptr, in_row, row_state, use, queue, via, found):
    waiting = [s for s in range(len(found)) if found[s]]
    for s2 in waiting:  # it grows
        for i in in_row[in_ptr[s2] : in_ptr[s2 + 1]]:
            s = int(row_state[i])
            if use[i] and not found[s]:
                found[s], via[s] = True, i
                waiting.append(s)


def discard(in_ptr, in_row, row_state, size, queue, left, use):
    dead = [int(s) for s in queue[:size]]
    for s2 in dead:  # it grows
        for i in in_row[in_ptr[s2] : in_ptr[s2 + 1]]:
            if use[i]:
                use[i] = False
                left[row_state[i]] -= 1
                if left[row_state[i]] == 0:
                    dead.append(int(row_state[i]))
    queue[: len(dead)] = dead
    return len(dead)


def drop_leaving(row_ptr, next_state, weight, row_state, label, queue, left, use):
    lost = []
    for i in range(len(use)):
        s = int(row_state[i])
        if use[i] and any(label[s2] != label[s] for s2 in edges(i, row_ptr, next_state, weight)):
            use[i] = False
            left[s] -= 1
            if left[s] == 0:
                lost.append(s)
    queue[: len(lost)] = lost
    return len(lost)


def others(i, row_state, edges_):
    """The outcomes of a row that are other states, each as often as it stands there."""
    row_ptr, next_state, weight = edges_
    places = range(row_ptr[i], row_ptr[i + 1])
    return [int(next_state[k]) for k in places if weight[k] > 0 and next_state[k] != row_state[i]]


def count_moves(row_ptr, next_state, weight, row_state, use, away, into):
    for i in itertools.compress(itertools.count(), use):
        led = others(i, row_state, (row_ptr, next_state, weight))
        away[row_state[i]] += bool(led)
        for s2 in led:
            into[s2] += 1


def drop_move(edges_, row_state, i, away, into, queue, size, left, use):
    s, led = row_state[i], others(i, row_state, edges_)
    if not use[i] or not led:
        return size
    use[i] = False
    alone = [s2 for s2 in dict.fromkeys(led[::-1]) if into[s2] == led.count(s2) and away[s2] > 0][::-1]
    for s2 in led:
        into[s2] -= 1
    left[s] -= 1
    away[s] -= 1
    alone += [s] if away[s] == 0 and into[s] > 0 else []
    for s2 in alone:
        queue[size] = s2
        size += 1
    return size


def isolate(pair_ptr, in_ptr, in_row, edges_, row_state, away, into, queue, left, use):
    """Drop one row after the other, as long as one is left between a lonely state and another."""

    def lonely():
        return {s for s in range(len(away)) if away[s] == 0 or into[s] == 0}

    def between():
        rows = [i for i in itertools.compress(itertools.count(), use) if others(i, row_state, edges_)]
        return [i for i in rows if {int(row_state[i]), *others(i, row_state, edges_)} & lonely()]

    while rows := between():
        drop_move(edges_, row_state, rows[-1], away, into, [0] * 99, 0, left, use)
    return len(lonely())


def kept_rows(pair_ptr, gone, of_state):
    """The rows that are not gone, each with the state that owns it now."""
    owned = ((i, of_state[s]) for s in range(len(of_state)) for i in range(pair_ptr[s], pair_ptr[s + 1]))
    return [(i, owner) for i, owner in owned if not gone[i]]


def count_rows(pair_ptr, gone, of_state, count):
    for _, owner in kept_rows(pair_ptr, gone, of_state):
        count[owner] += 1


def list_rows(pair_ptr, gone, of_state, at, row_of):
    for i, owner in kept_rows(pair_ptr, gone, of_state):
        row_of[at[owner]] = i
        at[owner] += 1


def take_rows(rows, given, of_state, last, ptr, to, chance, paid):
    row_ptr, next_state, prob, reward = given
    for i, first in zip(rows, ptr[:-1], strict=True):
        outcomes = [(last, 1.0, 0.0)]
        if i >= 0:
            k = slice(row_ptr[i], row_ptr[i + 1])
            earned = reward[k] if len(reward) else prob[k]
            named = [max(of_state[s2], 0) for s2 in next_state[k]]
            outcomes = [*zip(named, prob[k], earned, strict=True)]
        for place, (s2, p, r) in enumerate(outcomes, first):
            to[place], chance[place] = s2, p
            paid[place : place + 1] = r


# -- twins of kernels/episodes.py -----------------------------------------------------------------------------------


def first_above(cum, first, uniform):
    return next(j for j in range(first, len(cum)) if uniform < cum[j])


def play(model, policy, steps, uniforms, state, clock, factor, G, rows, outcomes, last):
    for e, walk in enumerate(uniforms.tolist()):
        for k, (choice, chance, *again) in enumerate(walk):
            s = int(state[e])
            i = int(policy.rows[min(clock[e], len(policy.rows) - 1)][s])
            if i < 0:
                cum = policy.cum[min(clock[e], len(policy.cum) - 1)]
                i = first_above(cum, int(model.pair_ptr[s]), choice)
            out = first_above(model.cum, int(model.row_ptr[i]), chance)
            clock[e] += 1
            state[e] = model.next_state[out]
            ends = bool(model.terminal[state[e]]) or clock[e] == steps
            if len(G):
                G[e] += float(factor[e]) * float(model.reward[out] if len(model.reward) else model.r[i])
                factor[e] *= float(model.gamma)
            if rows.size:
                rows[e, k], outcomes[e, k], last[e, k] = i, out, ends
            if ends and again:
                state[e], clock[e] = first_above(model.start, 0, again[0]), 0
            elif ends:
                break


# -- exact answers ----------------------------------------------------------------------------------------------------


def exact_rows(mdp):
    """What each row of a model means: ({next state: probability}, expected reward) in Fractions."""
    exact, rows = mdp.exact, []
    for i in range(len(mdp.pair_action)):
        ks = range(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1]))
        if exact is not None:
            p = [Fraction(int(exact.prob.num[k]), int(exact.prob.den[k])) for k in ks]
        else:
            p = [Fraction(float(mdp.prob[k])) for k in ks]
        p = [x / sum(p) for x in p]
        if exact is not None and exact.r is not None:
            r = Fraction(int(exact.r.num[i]), int(exact.r.den[i]))
        elif exact is not None:
            rewards = [Fraction(int(exact.reward.num[k]), int(exact.reward.den[k])) for k in ks]
            r = sum(x * y for x, y in zip(p, rewards, strict=True))
        elif mdp.reward is not None:
            r = sum(x * Fraction(float(mdp.reward[k])) for x, k in zip(p, ks, strict=True))
        else:
            r = Fraction(float(mdp.r[i]))
        successors = {}
        for x, k in zip(p, ks, strict=True):
            s2 = int(mdp.next_state[k])
            successors[s2] = successors.get(s2, Fraction(0)) + x
        rows.append(({s2: x for s2, x in successors.items() if x}, Fraction(r)))
    return rows


def exact_weights(policy):
    """The probability of each row under a policy that does not depend on time, in Fractions."""
    mdp = policy.mdp
    if policy.exact is not None:
        return [Fraction(int(n), int(d)) for n, d in zip(policy.exact.num, policy.exact.den, strict=True)]
    if policy.rows is not None:
        chosen = {int(i) for i in policy.rows}
        return [Fraction(i in chosen) for i in range(len(mdp.pair_action))]
    weights = [Fraction(float(x)) for x in policy.probs]
    for s in range(mdp.S):
        a, b = int(mdp.pair_ptr[s]), int(mdp.pair_ptr[s + 1])
        weights[a:b] = [x / sum(weights[a:b]) for x in weights[a:b]]
    return weights


def exact_chain(mdp, weights, rows=None):
    """The chain of a policy: ({next state: probability}, expected reward) a state, ({}, 0) at terminals."""
    rows = exact_rows(mdp) if rows is None else rows
    chain = []
    for s in range(mdp.S):
        successors, r = {}, Fraction(0)
        for i in range(int(mdp.pair_ptr[s]), int(mdp.pair_ptr[s + 1])):
            if weights[i]:
                r += weights[i] * rows[i][1]
                for s2, x in rows[i][0].items():
                    successors[s2] = successors.get(s2, Fraction(0)) + weights[i] * x
        chain.append((successors, r))
    return chain


def eliminate(chain, gamma, known):
    """Solve x(s) = r(s) + γ Σ p x(s') by substituting one state after the other; known values are given."""
    equations = {}
    for s, (successors, r) in enumerate(chain):
        if s not in known:
            constant = r + gamma * sum(x * known[s2] for s2, x in successors.items() if s2 in known)
            equations[s] = [constant, {s2: gamma * x for s2, x in successors.items() if s2 not in known}]
    for s in list(equations):
        constant, terms = equations[s]
        rest = 1 - terms.pop(s, Fraction(0))
        equations[s] = [constant / rest, {t: c / rest for t, c in terms.items()}]
        for t, (b, others) in equations.items():
            if t != s and s in others:
                c = others.pop(s)
                equations[t][0] = b + c * equations[s][0]
                for u, d in equations[s][1].items():
                    others[u] = others.get(u, Fraction(0)) + c * d
    return [known.get(s, equations[s][0] if s in equations else None) for s in range(len(chain))]


def reachable(chain):
    """The states that each state can reach in one step or more."""
    reach = [set(successors) for successors, _ in chain]
    for via in range(len(chain)):
        for s in range(len(chain)):
            if via in reach[s]:
                reach[s] |= reach[via]
    return reach


def chain_value(chain, gamma, terminal):
    """The value of each state of a chain: a Fraction, or -inf or inf as a float (γ = 1).

    At γ = 1 a recurrent class without rewards is worth 0, and one with rewards infinitely much by the sign of its
    average reward; where that is 0, or both infinities threaten, ArithmeticError.
    """
    known = {s: Fraction(0) for s in range(len(chain)) if terminal[s]}
    if gamma < 1:
        return eliminate(chain, gamma, known)
    reach = reachable(chain)
    endless = {}
    for s in range(len(chain)):
        if s in known or not all(s in reach[t] for t in reach[s]):
            continue
        if all(chain[t][1] == 0 for t in reach[s]):
            known[s] = Fraction(0)
        else:
            # One tour from s back to s: expected reward of the class between two visits.
            cut = [({t: x for t, x in successors.items() if t != s}, r) for successors, r in chain]
            outside = {t: Fraction(0) for t in range(len(chain)) if t not in reach[s]}
            tour = eliminate(cut, Fraction(1), outside)[s]
            if tour == 0:
                raise ArithmeticError("a recurrent class with rewards whose average is 0")
            endless[s] = math.inf if tour > 0 else -math.inf
    infinite = {}
    for s in range(len(chain)):
        signs = {x for t, x in endless.items() if t == s or t in reach[s]}
        if len(signs) == 2:
            raise ArithmeticError("both infinities")
        if signs:
            infinite[s] = signs.pop()
    finite = eliminate(chain, Fraction(1), {**known, **dict.fromkeys(infinite, Fraction(0))})
    return [infinite.get(s, x) for s, x in enumerate(finite)]


def exact_policy_value(mdp, policy):
    """v_π in Fractions: (S,), or for a finite horizon a list over t = 0 .. T of such lists."""
    rows = exact_rows(mdp)
    if mdp.horizon is not None:
        v = [final_values(mdp)]
        for t in reversed(range(mdp.horizon)):
            chain = exact_chain(mdp, exact_weights(policy.at(t) if policy.timed else policy), rows)
            v.insert(0, [r + mdp.gamma_exact * dot(p, v[0]) for p, r in chain])
        return v
    v = chain_value(exact_chain(mdp, exact_weights(policy), rows), mdp.gamma_exact, mdp.terminal)
    if any(isinstance(x, float) for x in v):
        raise ArithmeticError("no finite value")
    return v


def dot(successors, v):
    return sum((x * v[s2] for s2, x in successors.items()), Fraction(0))


def final_values(mdp):
    if mdp.final_reward is None:
        return [Fraction(0)] * mdp.S
    if mdp.exact is not None and mdp.exact.final_reward is not None:
        final = mdp.exact.final_reward
        return [Fraction(int(n), int(d)) for n, d in zip(final.num, final.den, strict=True)]
    return [Fraction(float(x)) for x in mdp.final_reward]


def exact_q(mdp, v, rows=None):
    """q(s, a) = r + γ Σ p v(s') of each row, in Fractions."""
    rows = exact_rows(mdp) if rows is None else rows
    return [r + mdp.gamma_exact * dot(p, v) for p, r in rows]


def best_of(mdp, q):
    """max_a q(s, a) (min for costs) of each state, 0 at terminals."""
    pick = max if mdp.sense == "max" else min
    spans = itertools.pairwise(mdp.pair_ptr.tolist())
    return [pick(q[a:b]) if a < b else Fraction(0) for a, b in spans]


def exact_optimal_value(mdp):
    """v* in Fractions: (S,), or for a finite horizon a list over t = 0 .. T of such lists.

    Discounted: policies are improved until their value solves the optimality equation, which has one solution. At
    γ = 1 the best of all deterministic policies (at most 100,000 of them), state by state.
    """
    rows = exact_rows(mdp)
    if mdp.horizon is not None:
        v = [final_values(mdp)]
        for _ in range(mdp.horizon):
            v.insert(0, best_of(mdp, exact_q(mdp, v[0], rows)))
        return v
    spans = [range(a, b) for a, b in itertools.pairwise(mdp.pair_ptr.tolist())]
    if mdp.gamma_exact == 1:
        return best_deterministic(mdp, spans, rows)
    chosen = {s: span[0] for s, span in enumerate(spans) if len(span)}
    while True:
        chain = [rows[chosen[s]] if s in chosen else ({}, Fraction(0)) for s in range(mdp.S)]
        v = chain_value(chain, mdp.gamma_exact, mdp.terminal)
        q = exact_q(mdp, v, rows)
        best = best_of(mdp, q)
        if best == v:
            return v
        for s in chosen:
            if best[s] != v[s]:
                chosen[s] = next(i for i in spans[s] if q[i] == best[s])


def best_deterministic(mdp, spans, rows):
    live = [span for span in spans if len(span)]
    if math.prod(map(len, live)) > 100_000:
        raise ValueError("too many policies for brute force")
    worst = -math.inf if mdp.sense == "max" else math.inf
    best = [worst] * mdp.S
    pick = max if mdp.sense == "max" else min
    for choice in itertools.product(*live):
        chain = [({}, Fraction(0)) for _ in range(mdp.S)]
        for i in choice:
            chain[mdp.state_of_row(i)] = rows[i]
        best = list(map(pick, best, chain_value(chain, Fraction(1), mdp.terminal)))
    if any(isinstance(x, float) for x in best):
        raise ArithmeticError("no finite value")
    return best


def exact_optimal_rows(mdp, v):
    """The rows that attain the optimum: q*(s, a) = v*(s), as a list of bools (L,), given v*."""
    q = exact_q(mdp, v)
    return [q[i] == v[mdp.state_of_row(i)] for i in range(len(q))]


from reference_learning import *  # noqa: E402, F403  (twins of the kernels of a learner's step)
