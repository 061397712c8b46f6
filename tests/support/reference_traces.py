"""Slow, obvious twins of kernels/n_step.py and kernels/traces.py, and the forward views that they stand for.

The twins keep whole episodes and whole trace vectors, take a step size as a function of the count n, and reckon in the
numbers that they are given: floats for the bits of a kernel, Fractions for the exact answer. The oracles below share no
line with them: they are written down from the forward views.
"""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
from learners import settings
from random_models import assemble, random_model, random_policy
from reference import exact_rows

from tabular_rl import MDP, Policy, Transitions, load
from tabular_rl.solving.sampling import policy_cum, sampling_model, streams
from tabular_rl.solving.schedules import Schedule

# -- a walk through a model -----------------------------------------------------------------------------------------


def first_above(cum, first, u):
    """The first j ≥ first with u < cum[j]."""
    return next(j for j in range(first, len(cum)) if u < cum[j])


def first_row(model, cum, uniforms):
    """The row that a trajectory starts with, by two uniforms."""
    return first_above(cum, model.pair_ptr[first_above(model.start, 0, uniforms[0])], uniforms[1])


def transition(model, i, u):
    """(r, s', done) of row i."""
    out = first_above(model.cum, model.row_ptr[i], u)
    s2 = int(model.next_state[out])
    r = model.reward[out] if len(model.reward) else model.r[i]
    return float(r), s2, bool(model.terminal[s2])


def trajectory(model, choose, episode_steps, row, uniforms):
    """Yield (row, r, s', done, over) of each step; `choose` is a policy (L,), cumulative, or a function (s, u)."""
    clock = 0
    for u in uniforms:
        r, s2, done = transition(model, row, u[0])
        clock += 1
        over = done or clock == episode_steps
        yield row, r, s2, done, over
        if over:
            clock, s2 = 0, first_above(model.start, 0, u[1])
        row = choose(s2, u[2]) if callable(choose) else first_above(choose, model.pair_ptr[s2], u[2])


def add_up(numbers):
    """Their sum from the left: the built-in sum of floats compensates, from Python 3.12 on."""
    total = 0
    for x in numbers:
        total = total + x
    return total


def best_row(q, first, last):
    return max(range(first, last), key=lambda i: (q[i], -i))


def epsilon_greedy(q, first, last, epsilon, u):
    if u >= epsilon:
        ties = [i for i in range(first, last) if q[i] == max(q[first:last])]
        return ties[min(math.floor((u - epsilon) / (1 - epsilon) * len(ties)), len(ties) - 1)]
    return first + min(math.floor(u / epsilon * (last - first)), last - first - 1)


# -- n steps --------------------------------------------------------------------------------------------------------


def look_back(kind, ratio, episode, t, gamma, pair_ptr, pair_state, table):
    """(entry, aim, weight) of the update of step t of an episode [(row, r, s', done), ...], by all of its steps."""

    def rows(s):
        return range(pair_ptr[s], pair_ptr[s + 1])

    _, G, s2, done = episode[-1]
    if not done:
        G = G + gamma * (add_up(ratio[i] * table[i] for i in rows(s2)) if kind == 2 else table[s2])
    for (_, r, s, _), (taken, *_) in reversed(list(zip(episode[t:-1], episode[t + 1 :], strict=True))):
        if kind == 1:
            G = ratio[taken] * G + (1 - ratio[taken]) * table[s]
        if kind == 2:
            G = add_up(ratio[i] * (G if i == taken else table[i]) for i in rows(s))
        G = r + gamma * G
    row = episode[t][0]
    if kind == 0:
        weight = 1
        for taken, *_ in reversed(episode[t:]):
            weight = weight * ratio[taken]
    else:
        weight = ratio[row] if kind == 1 else 1
    return (row if kind == 2 else int(pair_state[row])), G, weight


def n_step(steps, kind, ratio, n, gamma, pair_ptr, pair_state, step_size, visits, table):
    """Learn from (row, r, s', done, over); visits count the updates."""
    episode = []
    for *taken, over in steps:
        episode.append(tuple(taken))
        for t in range(max(len(episode) - n, 0), len(episode)) if over else [len(episode) - n]:
            if t < 0:
                continue
            j, G, weight = look_back(kind, ratio, episode, t, gamma, pair_ptr, pair_state, table)
            visits[j] += 1
            table[j] += step_size(visits[j]) * weight * (G - table[j])
        episode = [] if over else episode


# -- traces ---------------------------------------------------------------------------------------------------------


def forget(z):
    z[:] = [0] * len(z)


def spread(kind, decay, j, aim, rho, step_size, before, z, visits, table):
    """z ← ρ (γλ z + α e_j), table ← table + δ z, over all entries; kinds as in the kernel."""
    visits[j] += 1
    alpha = step_size(visits[j])
    delta, d = aim - table[j], table[j] - before
    own = decay * z[j]
    own = (own + alpha, alpha, own + alpha * (1 - own))[kind]
    for i in range(len(z)):
        z[i] = rho * (own if i == j else decay * z[i])
        if isinstance(z[i], float) and z[i] < 1e-300:
            z[i] = 0.0
        if z[i] != 0:
            table[i] += delta * z[i]
            if kind == 2:
                table[i] += d * (z[i] - alpha if i == j else z[i])


def td_lambda(steps, kind, decay, rho, gamma, pair_state, step_size, visits, v):
    """Yield after each transition (row, r, s', done, over)."""
    z, before = [0] * len(v), 0
    for i, r, s2, done, over in steps:
        worth = 0 if done else v[s2]
        aim = r if done else r + gamma * worth
        spread(kind, decay, int(pair_state[i]), aim, rho[i], step_size, before, z, visits, v)
        before = worth
        if over:
            forget(z)
        yield


def walk_ahead(model, choose, episode_steps, row, uniforms):
    """Yield (row, r, s', done, over, row of a') of each step: a' is chosen before it, -1 where s' is an end.

    `choose` is a function (s, u). The action after a restart has the fourth uniform.
    """
    clock = 0
    for u in uniforms:
        r, s2, done = transition(model, row, u[0])
        clock += 1
        over = done or clock == episode_steps
        row2 = -1 if done else choose(s2, u[2])
        yield row, r, s2, done, over, row2
        if over:
            clock, s2 = 0, first_above(model.start, 0, u[1])
            row2 = choose(s2, u[3])
        row = row2


def sarsa_lambda(steps, kind, decay, gamma, step_size, visits, q):
    """Learn from (row, r, s', done, over, row of a'); from none whose a' is not known."""
    z, before = [0] * len(q), 0
    for i, r, _, done, over, i2 in steps:
        if done or i2 >= 0:
            worth = 0 if done else q[i2]
            spread(kind, decay, i, r if done else r + gamma * worth, 1, step_size, before, z, visits, q)
            before = worth
        if over:
            forget(z)


def q_lambda(steps, kind, decay, gamma, pair_ptr, pair_state, step_size, visits, q):
    """Learn from (row, r, s', done, over); traces end as a step is taken whose action is not a best one."""
    z = [0] * len(q)
    for i, r, s2, done, over in steps:
        s = pair_state[i]
        if q[i] < q[best_row(q, pair_ptr[s], pair_ptr[s + 1])]:
            forget(z)
        aim = r if done else r + gamma * q[best_row(q, pair_ptr[s2], pair_ptr[s2 + 1])]
        spread(kind, decay, i, aim, 1, step_size, 0, z, visits, q)
        if over:
            forget(z)


# -- forward views, from their definitions --------------------------------------------------------------------------
# An episode is a list of (s, r, s', done).


def n_step_return(episode, t, n, gamma, v):
    """r_1 + γ r_2 + ... + γ^(n-1) r_n + γ^n v(s_n), fewer rewards where the episode is over: (7.1)."""
    last = min(t + n, len(episode))
    G = sum(gamma ** (k - t) * episode[k][1] for k in range(t, last))
    _, _, s2, done = episode[last - 1]
    return G if done else G + gamma ** (last - t) * v[s2]


def online_lambda_return(episode, v, alpha, gamma, trace):
    """Values after each step of an episode by the online λ-return algorithm: Sutton & Barto (2018), 12.4.

    All updates of the episode are done anew at each horizon h, from the values at its start; they aim at the λ-return
    truncated at h, whose n-step returns take the values that were final at the horizon before: those of horizon
    t + n - 1 after as many updates. `alpha` are the step sizes of the visits, in turn.
    """
    final = [list(v)]  # final[h] = v^h after h updates
    for h in range(1, len(episode) + 1):
        w = list(v)
        for t in range(h):
            G = [n_step_return(episode[:h], t, n, gamma, final[t + n - 1]) for n in range(1, h - t + 1)]
            weight = [(1 - trace) * trace**k for k in range(h - t - 1)] + [trace ** (h - t - 1)]
            s = episode[t][0]
            w[s] += alpha[t] * (sum(map(Fraction.__mul__, weight, G)) - w[s])
        final.append(w)
    return final[1:]


def offline_lambda_return(episode, v, alpha, gamma, trace):
    """Σ_t α_t (G_t^λ - v(s_t)) for each state, with v as it was before the episode: Sutton & Barto (2018), 12.1."""
    change = [Fraction(0)] * len(v)
    for t, (s, *_) in enumerate(episode):
        left = len(episode) - t
        G = [n_step_return(episode, t, n, gamma, v) for n in range(1, left + 1)]
        weight = [(1 - trace) * trace**k for k in range(left - 1)] + [trace ** (left - 1)]
        change[s] += alpha[t] * (sum(map(Fraction.__mul__, weight, G)) - v[s])
    return change


# -- what the tests of these learners share -------------------------------------------------------------------------


def numbers(seed, runs, e, steps):
    """The uniforms that run e draws: two for its start, three for each step."""
    rng = streams(seed, runs)[e]
    return rng.random(2), rng.random((steps, 3))


def step_sizes(text):
    """A step size as a function of the count, apart from schedules.py."""
    if text.startswith("n^-"):
        return lambda n: math.pow(n, -float(text[3:]))
    return (lambda n: 1 / n) if text == "1/n" else lambda n: float(text)


def paths(mdp, weights, steps, s, restart=None):
    """Yield (probability, [(row, r, s', done), ...]) for every path of so many steps from s, in Fractions.

    `weights` (L,) are those of the policy. A path ends where it reaches a terminal state, or goes on from `restart`,
    a list of probabilities.
    """
    if steps == 0:
        yield Fraction(1), []
        return
    for i in range(int(mdp.pair_ptr[s]), int(mdp.pair_ptr[s + 1])):
        for k in range(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1])):
            p = weights[i] * mdp.exact.prob[k]
            if p == 0:
                continue
            s2 = int(mdp.next_state[k])
            done = bool(mdp.terminal[s2])
            r = mdp.exact.r[i] if mdp.reward is None else mdp.exact.reward[k]
            if not done:
                further = [(Fraction(1), s2)]
            elif restart is None:
                yield p, [(i, r, s2, done)]
                continue
            else:
                further = [(c, t) for t, c in enumerate(restart) if c]
            for c, t in further:
                for chance, rest in paths(mdp, weights, steps - 1, t, restart):
                    yield p * c * chance, [(i, r, s2, done), *rest]


def layered_model(seed, gamma="3/4"):
    """A model in which no state is met twice: 0, then 1 or 2, then 3 or 4, then 5 or 6, then the end, 7; in Fractions.

    Two actions, ends at any time, rewards by outcome.
    """
    rng = random.Random(f"layers {seed}")
    rows = []
    for s in range(7):
        layer = (s + 1) // 2
        to = [2 * layer + 1, 2 * layer + 2, 7] if layer < 3 else [7]
        for a in range(2):
            parts = [Fraction(rng.randint(1, 5)) for _ in to]
            outcomes = [
                (s2, x / sum(parts), Fraction(rng.randint(-6, 6), 2)) for s2, x in zip(to, parts, strict=True)
            ]
            rows.append((s, a, outcomes, Fraction(0)))
    start = np.eye(8)[0]
    return assemble(rows, 8, 2, gamma, np.arange(8) == 7, exact=True, by_pair=False, start=start)


def exact_policy(mdp, seed, least=0):
    """Rational probabilities (L,) of a seed, each of them above `least` of its share."""
    rng = random.Random(f"exact policy {seed}")
    weights = []
    for a, b in zip(mdp.pair_ptr[:-1].tolist(), mdp.pair_ptr[1:].tolist(), strict=True):
        parts = [Fraction(rng.randint(1 if least else 0, 6)) for _ in range(b - a)]
        if parts and not sum(parts):
            parts[0] = Fraction(1)
        weights += [x / sum(parts) for x in parts]
    return weights


def as_log(mdp, path):
    """A path, and behind it every row of the model once, as learners of a policy want to see: learn len(path) steps."""
    last = path[-1][2]
    rest = sorted(range(mdp.L), key=lambda i: mdp.state_of_row(i) == last)  # the path does not go on with any
    rows, r, s2, done = zip(*path, *((i, 0, last, True) for i in rest), strict=True)
    return Transitions.of_arrays(mdp, rows, [float(x) for x in r], s2, done)


def expected_backups(mdp, weights, n, v):
    """T_π^n v in Fractions, terminal states worth 0."""
    rows = exact_rows(mdp)
    for _ in range(n):
        v = [
            sum(
                (
                    weights[i]
                    * (
                        rows[i][1]
                        + mdp.gamma_exact * sum((p * v[t] for t, p in rows[i][0].items()), Fraction(0))
                    )
                    for i in range(int(mdp.pair_ptr[s]), int(mdp.pair_ptr[s + 1]))
                ),
                Fraction(0),
            )
            for s in range(mdp.S)
        ]
    return v


def corridor(rewards, gamma):
    """States 0, 1, 2, ... in a row, with a reward for leaving each; the last is the end."""
    S = len(rewards) + 1
    P = np.eye(S, k=1)[:, None, :]
    return MDP(P, np.append(rewards, 0.0)[:, None], gamma, terminal=[str(S - 1)], start={"0": 1})


def models():
    """One of each kind, with a policy and a behaviour."""
    made = [random_model(3), random_model(5, exact=False, sense="min"), random_model(1, "total-reward"),
            random_model(2, "finite-horizon", S=4)]  # fmt: skip
    return [(mdp, random_policy(mdp, 1), random_policy(mdp, 2)) for mdp in made]


def random_log(mdp, seed, steps, breaks=0.1):
    """A walk of the uniform policy with ends and, at this rate, discontinuities, as Transitions."""
    model, cum = sampling_model(mdp), policy_cum(Policy.uniform(mdp))
    start, uniforms = numbers(seed, 1, 0, steps)
    row, log = first_row(model, cum, start), []
    for u in uniforms:
        r, s2, done = transition(model, row, u[0])
        log.append((row, mdp.sign * r, s2, done))
        if done or u[1] < breaks:
            s2 = first_above(model.start, 0, u[1])
        row = first_above(cum, model.pair_ptr[s2], u[2])
    return Transitions.of_arrays(mdp, *zip(*log, strict=True))


def steps_of(log, steps):
    """What a log says, in turn and over again, as a twin takes it."""
    return [
        (
            int(log.row[at]),
            float(log.reward[at]),
            int(log.next_state[at]),
            bool(log.done[at]),
            log.next_row[at] < 0,
        )
        for at in (k % len(log) for k in range(steps))
    ]


def small_exact_model():
    """Two states, two actions, an end; starts in either."""
    F = Fraction
    rows = [
        (0, 0, [(0, F(1, 4), F(1)), (1, F(1, 2), F(1)), (2, F(1, 4), F(0))], 0),
        (0, 1, [(0, F(1, 2), F(-1)), (1, F(1, 2), F(2))], 0),
        (1, 0, [(0, F(1, 2), F(2)), (2, F(1, 2), F(-1))], 0),
        (1, 1, [(0, F(1, 4), F(1, 2)), (1, F(3, 4), F(1, 2))], 0),
    ]
    return assemble(
        rows,
        3,
        2,
        F(1, 2),
        np.array([False, False, True]),
        exact=True,
        by_pair=False,
        start=np.array([0.5, 0.5, 0]),
    )


def errors_of_ten_episodes(run, alpha, seed, runs):
    """The RMS error over the 19 states, averaged over the ends of the first ten episodes: one number a run."""
    from tabular_rl.kernels.one_step import begin

    mdp = load("example:random_walk_19")
    model, cum = sampling_model(mdp), policy_cum(Policy.uniform(mdp))
    walk = settings(cum=cum, rho=np.ones(mdp.L), step_size=Schedule.of(alpha).code)
    live = ~mdp.terminal
    truth = (np.array([int(mdp.states[s]) for s in np.flatnonzero(live)]) - 10) / 10
    v = np.zeros((runs, mdp.S))
    v[:, ~live] = math.nan
    visits, clock, row = np.zeros((runs, mdp.S), np.int64), np.zeros(runs, np.int64), np.zeros(runs, np.int64)
    tables = visits, np.zeros((runs, 0)), np.zeros((runs, 0), np.int64), v
    rngs = streams(seed, runs)
    begin(model, 0, 0.0, cum, 0, cum, visits, v, np.stack([rng.random(2) for rng in rngs]), row)
    found, episodes = np.zeros((runs, 10)), np.zeros(runs, dtype=int)
    while (episodes < 10).any():
        block = np.stack([rng.random((100, 3)) for rng in rngs])
        for k in range(100):
            run(model, walk, block[:, k : k + 1], clock, row, tables)
            over = np.flatnonzero((clock == 0) & (episodes < 10))
            found[over, episodes[over]] = np.sqrt(np.square(v[over][:, live] - truth).mean(axis=1))
            episodes[over] += 1
    return found.mean(axis=1)
