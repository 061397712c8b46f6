"""Small random models and policies, made of a seed alone: the same in every run.

Every kind of model is here: ragged rows, states that are met twice in a row with different rewards, terminal states,
costs, exact rationals and floats whose rows miss 1 by as much as is allowed.
"""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np

from tabular_rl import MDP, Policy
from tabular_rl.model.rationals import Exact, RationalArray

ARRAYS = "pair_ptr", "pair_action", "row_ptr", "next_state", "prob", "reward", "r", "terminal", "start"
DISCOUNTS = ["0", "1/2", "9/10", "19/20", "99/100"]
TOTAL = ("proper", "costs", "loops", "mixed")  # kinds of total reward that have a finite answer


def exact_row(rng, n):
    """n positive rationals that sum to 1."""
    weights = [rng.randint(1, 9) for _ in range(n)]
    return [Fraction(w, sum(weights)) for w in weights]


def float_row(rng, n, defect=True):
    """n positive floats that sum to 1, or miss it by up to n 2**-52."""
    raw = [rng.random() + 1e-3 for _ in range(n)]
    total = sum(map(Fraction, raw))
    row = [float(Fraction(x) / total) for x in raw]
    if defect:
        miss = Fraction(rng.uniform(-0.95, 0.95)) * n * Fraction(1, 2**52) + 1 - sum(map(Fraction, row))
        row[row.index(max(row))] = float(Fraction(max(row)) + miss)
    return row if abs(sum(map(Fraction, row)) - 1) <= n * Fraction(1, 2**52) else float_row(rng, n, False)


def random_model(seed, problem="discounted", *, exact=True, sense="max", gamma=None, S=5, A=3, N=3, ends=None,
                 kind="proper", by_pair=None, scale=1, cancelling=False):  # fmt: skip
    """Return the model of a seed.

    `ends` is the number of terminal states; `by_pair` gives the reward by state and action; `cancelling` makes the
    expected reward tiny and the rewards of the outcomes huge. `kind` is one of TOTAL, for total reward.
    """
    rng = random.Random(f"{seed} {problem} {kind} {exact} {sense}")
    total = problem == "total-reward"
    ends = (1 if total else rng.choice([0, 0, 1, 2])) if ends is None else ends
    live = S - ends
    by_pair = rng.random() < 0.3 if by_pair is None else by_pair
    sign = 1 if sense == "max" else -1

    def reward(low=-8, high=8):
        x = rng.randint(low * 3, high * 3)
        return scale * (Fraction(x, 3) if exact else x / 3 * (1 + rng.random() / 8))

    rows = []  # (state, action, outcomes, reward of the pair)
    for s in range(live):
        available = sorted(rng.sample(range(A), rng.randint(1, A)))
        for a in available:
            n = rng.randint(1, N)
            to = [rng.randrange(S) for _ in range(n)]
            loop = False
            if total:
                exits = kind == "proper" or a == available[0]
                loop = kind == "loops" and a == available[-1] and len(available) > 1
                if loop:
                    to = [s] * n
                elif exits or kind == "loops":
                    to[0] = rng.randrange(live, S) if s == 0 or kind != "costs" else rng.choice([s - 1, live])
            p = exact_row(rng, n) if exact else float_row(rng, n)
            rewards = [reward() for _ in to]
            if total and kind == "costs":
                rewards = [sign * -(abs(x) + (Fraction(1, 4) if exact else 0.25)) for x in rewards]
            if total and kind == "mixed":
                # Positive rewards only on a way out: whoever never ends loses forever.
                out = all(t >= live for t in to)
                rewards = [
                    x if out else sign * -(abs(x) + (Fraction(1, 4) if exact else 0.25)) for x in rewards
                ]
            if loop:
                rewards = [Fraction(0) if exact else 0.0] * n
            if cancelling and n > 1:
                big = float(2.0 ** rng.randint(20, 40))
                rewards = [big * x for x in rewards]
                rest = sum(Fraction(q) * Fraction(x) for q, x in zip(p[:-1], rewards[:-1], strict=True))
                rewards[-1] = float(-rest / Fraction(p[-1]))
            own = rewards[0]
            rows.append((s, a, list(zip(to, p, rewards, strict=True)), own))
    horizon = final = None
    if problem == "finite-horizon":
        horizon = rng.randint(1, 6)
        final = [reward() if s < live else 0 for s in range(S)] if rng.random() < 0.5 else None
    if gamma is None:
        gamma = "1" if total else rng.choice(DISCOUNTS if horizon is None else [*DISCOUNTS, "1"])
        gamma = gamma if exact else float(Fraction(gamma))
    return assemble(
        rows, S, A, gamma, np.arange(S) >= live, exact=exact, by_pair=by_pair, final=final, horizon=horizon,
        sense=sense,
        name=f"{problem} {kind if total else ''} {'exact' if exact else 'float'} {sense} {seed}",
    )  # fmt: skip


def assemble(rows, S, A, gamma, terminal, *, exact, by_pair, final=None, **more):
    """Return the model of rows (state, action, [(next state, probability, reward)], reward of the pair)."""
    rows = sorted(rows, key=lambda row: row[:2])
    flat = [o for row in rows for o in row[2]]
    prob, rewards, own = [o[1] for o in flat], [o[2] for o in flat], [row[3] for row in rows]

    def floats(values):
        return None if values is None else np.array([float(x) for x in values])

    def rationals(values):
        return None if values is None else RationalArray.of(map(Fraction, values))

    return MDP.from_rows(
        pair_ptr=np.searchsorted([row[0] for row in rows], np.arange(S + 1)),
        pair_action=np.array([row[1] for row in rows], dtype=np.int64),
        row_ptr=np.cumsum([0] + [len(row[2]) for row in rows]),
        next_state=np.array([o[0] for o in flat], dtype=np.int64),
        prob=floats(prob),
        reward=None if by_pair else floats(rewards),
        r=floats(own) if by_pair else None,
        gamma=gamma,
        terminal=terminal,
        actions=A,
        final_reward=floats(final),
        exact=Exact(
            prob=rationals(prob),
            reward=None if by_pair else rationals(rewards),
            r=rationals(own) if by_pair else None,
            final_reward=rationals(final),
        )
        if exact
        else None,
        **more,
    )


def take_apart(mdp):
    """Return what `assemble` takes, as the arguments it takes: rows can then be changed one by one."""
    exact, by_pair = mdp.exact, mdp.reward is None
    prob = list(exact.prob) if exact else mdp.prob.tolist()
    rewards = [0] * mdp.K if by_pair else list(exact.reward) if exact else mdp.reward.tolist()
    own = list(exact.r) if exact and by_pair else mdp.r.tolist()
    final = (
        None if mdp.final_reward is None else list(exact.final_reward) if exact else mdp.final_reward.tolist()
    )
    rows = []
    for i in range(mdp.L):
        ks = range(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1]))
        outcomes = [(int(mdp.next_state[k]), prob[k], rewards[k]) for k in ks]
        rows.append((mdp.state_of_row(i), int(mdp.pair_action[i]), outcomes, own[i]))
    return {
        "rows": rows, "S": mdp.S, "A": mdp.A, "gamma": mdp.gamma_exact, "terminal": np.array(mdp.terminal),
        "exact": exact is not None, "by_pair": by_pair, "final": final, "horizon": mdp.horizon, "sense": mdp.sense,
    }  # fmt: skip


def random_models():
    """Some fifty models: each problem, exact and float, rewards and costs, several sizes."""
    made = []
    for exact in (True, False):
        for sense in ("max", "min"):
            for seed in range(4):
                made.append(
                    random_model(seed, exact=exact, sense=sense, S=1 + 2 * seed, ends=None if seed else 0)
                )
            made += [random_model(seed, "finite-horizon", exact=exact, sense=sense, S=4) for seed in range(2)]
            for seed in range(2):
                made += [
                    random_model(seed, "total-reward", exact=exact, sense=sense, kind=kind) for kind in TOTAL
                ]
    return made


def random_policy(mdp, seed, stochastic=True):
    """Return a policy of a seed: float probabilities with a defect, or one action a state; timed for a horizon."""
    rng = random.Random(f"policy {seed}")

    def one():
        if stochastic:
            return [p for s in range(mdp.S) if mdp.rows(s) for p in float_row(rng, len(mdp.rows(s)))]
        return [int(mdp.pair_action[rng.choice(mdp.rows(s))]) if mdp.rows(s) else -1 for s in range(mdp.S)]

    chosen = np.array(one() if mdp.horizon is None else [one() for _ in range(mdp.horizon)])
    return Policy(mdp, probs=chosen) if stochastic else Policy.of_actions(mdp, chosen)
