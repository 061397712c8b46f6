"""Intervals at γ = 1 hold the truth: found by a search over all policies in rationals, or by hand."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from graphs import as_model, chain_of, policy_values, random_rows, truth
from sized_models import gridworld

from tabular_rl import rational, solve
from tabular_rl.certificates import total, upper
from tabular_rl.certificates.floor import floor_of
from tabular_rl.certificates.total import TotalCertifier
from tabular_rl.certificates.upper import UpperBounds
from tabular_rl.errors import NoFiniteAnswer
from tabular_rl.model.graph.total import total_reward
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import RationalArray
from tabular_rl.solving.sweeps import Sweeper

NOISES = (0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1.0, 1e3)


def inside(lower, values, upper):
    """lower ≤ values ≤ upper, compared as rationals."""
    return all(
        (lo == -math.inf or Fraction(float(lo)) <= x) and (hi == math.inf or x <= Fraction(float(hi)))
        for lo, x, hi in zip(lower, values, upper, strict=True)
    )


def disturbed(rng, values, noise):
    kind = rng.choice(("all", "one", "up", "down"))
    v = np.array([float(x) for x in values])
    error = np.array([rng.uniform(-1, 1) for _ in v]) * noise
    if kind == "one":
        error *= np.arange(len(v)) == rng.randrange(len(v))
    elif kind != "all":
        error = np.abs(error) * (1 if kind == "up" else -1)
    return v + error


@pytest.mark.parametrize("most", [12, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["exact", "float64", "by outcome", "costs"])
def test_control_interval_holds(kind, most):
    rng = random.Random(f"control {kind}")
    narrow = asked = models = decided = sure = 0
    while models < most:
        # Mostly costs: few models of both signs have a finite answer.
        signs = rng.choice(((-1, 0), (-1, -1, 0, 1), (-1, -1, -1, 1), (1, 1, 0)))
        ends = 1.2 if signs[0] > 0 else 0.6
        rows = random_rows(rng, rng.choice((2, 3, 4)), ends=ends, signs=signs, float64=kind == "float64")
        what, best = truth(rows)
        if what != "finite" or all(not own for own in rows):
            continue
        models += 1
        mdp = as_model(
            rows, "min" if kind == "costs" else "max", Fraction(1) if kind == "by outcome" else None
        )
        certifier = TotalCertifier(mdp, total=total_reward(Sweeper(mdp)))
        q_star = [r + sum(p * best[s2] for s2, p in law.items()) for own in rows for _, law, r, _ in own]
        optimal = np.array([q == best[s] for q, s in zip(q_star, mdp.pair_state, strict=True)])
        for noise in NOISES:
            v = disturbed(rng, best, noise)
            given = None
            if rng.random() < 0.5:
                given = np.array([-1 if not own else rng.choice(mdp.rows(s)) for s, own in enumerate(rows)])
            if rng.random() < 0.5:  # a new one, or one that remembers
                certifier = TotalCertifier(mdp)
            proven = certifier.control(v, given)
            assert inside(proven.lower, best, proven.upper)
            choice = [None if i < 0 else int(i) - int(mdp.pair_ptr[s]) for s, i in enumerate(certifier.rows)]
            v_pi = policy_values(*chain_of(rows, choice))
            assert inside(proven.lower, v_pi, proven.upper)
            if given is not None:
                own = policy_values(*chain_of(rows, [None if i < 0 else int(i) - int(mdp.pair_ptr[s])
                                                     for s, i in enumerate(given)]))  # fmt: skip
                assert ("never end" in proven.note) == (-math.inf in own)
            assert proven.keep[optimal].all()
            assert all(v_pi[s] == best[s] for s in np.flatnonzero(proven.proven_optimal))
            decided += int((~proven.keep).sum())
            sure += int(proven.proven_optimal[~mdp.terminal].sum())
            if noise <= 1e-6 and given is None:
                asked += 1
                narrow += proven.width <= 1e3 * (noise + 1e-13)
    assert narrow >= 0.97 * asked, (narrow, asked)
    assert decided > 2.5 * most
    assert sure > 2.5 * most


@pytest.mark.parametrize("most", [30, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["exact", "float64", "by outcome", "costs"])
def test_prediction_interval_holds(kind, most):
    rng = random.Random(f"prediction {kind}")
    narrow = asked = models = 0
    while models < most:
        rows = random_rows(rng, rng.choice((2, 3, 4)), signs=(-1, 0, 1, 1), float64=kind == "float64")
        weights, probs = [], []
        for own in rows:
            cuts = [rng.choice((1, 1, 2, 3, 0)) for _ in own]
            cuts = cuts if sum(cuts) else [1] * len(own)
            if kind == "float64":
                floats = [c / sum(cuts) for c in cuts]
                probs += floats
                weights.append([Fraction(x) / sum(map(Fraction, floats)) for x in floats])
            else:
                weights.append([Fraction(c, sum(cuts)) for c in cuts])
                probs += weights[-1]
        law, r = [], []
        for own, weight in zip(rows, weights, strict=True):
            mixed = {}
            for w, (_, p, _, _) in zip(weight, own, strict=True):
                for s2 in p:
                    mixed[s2] = mixed.get(s2, Fraction(0)) + w * p[s2]
            law.append({s2: p for s2, p in mixed.items() if p})
            r.append(sum((w * x[2] for w, x in zip(weight, own, strict=True)), Fraction(0)))
        values = policy_values(law, r)
        mdp = as_model(
            rows, "min" if kind == "costs" else "max", Fraction(1) if kind == "by outcome" else None
        )
        exact = None if kind == "float64" else RationalArray.of(probs)
        policy = Policy(mdp, probs=np.array([float(p) for p in probs]), exact=exact)
        if not all(isinstance(x, Fraction) for x in values):
            with pytest.raises(NoFiniteAnswer):
                TotalCertifier(mdp).prediction(np.zeros(mdp.S), policy)
            continue
        models += 1
        certifier = TotalCertifier(mdp)
        for noise in NOISES:
            proven = certifier.prediction(disturbed(rng, values, noise), policy)
            assert inside(proven.lower, values, proven.upper)
            asked += 1
            narrow += proven.width <= 1e3 * (noise + 1e-13)
    assert narrow >= 0.99 * asked, (narrow, asked)


@pytest.mark.parametrize("kind", ["exact", "float64", "costs"])
def test_control_interval_holds_beside_penalties(kind):
    """Further actions that cost 10**6 to 10**15 change no value, and no width."""
    rng = random.Random(f"penalties {kind}")
    narrow = models = 0
    while models < 25:
        rows = random_rows(
            rng, 3, signs=rng.choice(((-1, 0), (-1, -1, 0, 1), (1, 1, 0))), float64=kind == "float64"
        )
        what, best = truth(rows)
        if what != "finite" or all(not own for own in rows):
            continue
        models += 1
        for own in rows:
            if own and rng.random() < 0.6:
                _, law, _, floats = rng.choice(own)
                own.append((len(own), law, Fraction(-(10 ** rng.randint(6, 15))), floats))
        assert truth(rows) == (what, best)
        mdp = as_model(rows, "min" if kind == "costs" else "max")
        certifier, scale = TotalCertifier(mdp), max(1.0, *(abs(float(x)) for x in best))
        certifier.sweeps = 500
        for noise in NOISES[:6]:
            v = disturbed(rng, best, noise)
            proven = certifier.control(v)
            assert inside(proven.lower, best, proven.upper)
            if noise == 0:
                narrow += proven.width <= 1e-12 * scale
            chosen = [None if i < 0 else int(i) - int(mdp.pair_ptr[s]) for s, i in enumerate(certifier.rows)]
            values = policy_values(*chain_of(rows, chosen))
            own = TotalCertifier(mdp).prediction(
                disturbed(rng, values, noise), Policy(mdp, rows=certifier.rows)
            )
            assert inside(own.lower, values, own.upper)
    assert narrow >= 0.95 * models


@pytest.mark.slow
def test_one_long_run_of_models():
    """Thousands of intervals around the exact value and around nothing in particular."""
    rng = random.Random("long")
    held = 0
    while held < 2000:
        rows = random_rows(rng, 3, signs=(-1, -1, 0, 1))
        what, best = truth(rows)
        if what != "finite" or all(not own for own in rows):
            continue
        mdp = as_model(rows)
        certifier = TotalCertifier(mdp)
        for _ in range(10):
            v = disturbed(rng, best, 10.0 ** rng.uniform(-17, 3))
            certifier.sweeps = rng.choice((0, 1, 3, 10_000))
            proven = certifier.control(v)
            assert inside(proven.lower, best, proven.upper)
            held += 1


# -- by hand ------------------------------------------------------------------------------------------------------


@pytest.mark.small
def test_uniform_policy_of_the_4x4_grid():
    # Sutton & Barto, figure 4.1: -14, -20, -22 and their mirror images.
    mdp = gridworld()
    book = [0, -14, -20, -22, -14, -18, -20, -20, -20, -20, -18, -14, -22, -20, -14, 0]
    proven = TotalCertifier(mdp).prediction(np.array(book, dtype=float), Policy.uniform(mdp))
    assert inside(proven.lower, map(Fraction, book), proven.upper)
    assert 0.9 * proven.smallest < proven.width < 1e-11
    assert proven.lower[0] == proven.upper[0] == 0


@pytest.mark.small
def test_shortest_ways_of_the_4x4_grid():
    mdp = gridworld()
    steps = [-min(s // 4 + s % 4, 6 - s // 4 - s % 4) for s in range(16)]
    proven = TotalCertifier(mdp).control(np.array(steps, dtype=float))
    assert inside(proven.lower, map(Fraction, steps), proven.upper)
    assert proven.width < 1e-13
    # Kept are exactly the moves that shorten the way.
    shorter = [steps[int(mdp.next_state[i])] > steps[mdp.state_of_row(i)] for i in range(mdp.L)]
    assert proven.keep.tolist() == shorter
    # From cell 1 the one shortest way is west; from 5 there are two.
    assert proven.proven_optimal[1]
    assert not proven.proven_optimal[5]


@pytest.mark.small
def test_staying_for_nothing_is_worth_nothing():
    mdp = MDP.from_outcomes([("s", "leave", "t", 1, -1), ("s", "stay", "s", 1, 0)], 1, terminal=["t"])
    proven = TotalCertifier(mdp).control(np.zeros(2))
    assert inside(proven.lower, [0, 0], proven.upper)
    assert proven.width < 1e-14
    assert proven.keep.tolist() == [False, True]
    assert proven.proven_optimal.all()
    # -1 solves Bellman's equation v = max(-1, v) too.
    wrong = TotalCertifier(mdp).control(np.array([-1.0, 0.0]))
    assert inside(wrong.lower, [0, 0], wrong.upper)
    # The policy that leaves is worth -1, and is not the best.
    leaves = TotalCertifier(mdp)
    proven = leaves.control(np.zeros(2), np.array([0, -1]))
    assert proven.lower[0] <= -1
    assert not proven.proven_optimal[0]
    assert leaves.rows.tolist() == [0, -1]


def test_what_is_not_verified_is_not_claimed():
    """Values a rounding or two beside v* are verified as bounds only where they are."""
    rng = random.Random("verify")
    refused = claimed = 0
    while claimed < 120:
        rows = random_rows(rng, 3, signs=(-1, -1, 1), float64=True)
        what, best = truth(rows)
        if what != "finite" or all(not own for own in rows):
            continue
        mdp = as_model(rows)
        total = total_reward(Sweeper(mdp))
        bounds = UpperBounds(total, Sweeper(total.quotient))
        for off in (-1e-3, -3e-16, -1e-16, 0.0, 1e-16, 1e-15, 1e-3):
            u = np.array([float(x) * (1 + off * rng.random()) for x in best])
            upper = bounds._stepped(u, float(np.abs(u).max()), np.empty(mdp.L))
            verified = bool((upper <= u).all())
            claimed += verified
            refused += not verified
            if verified:
                assert inside([-math.inf] * mdp.S, best, upper)
    assert refused > 120


@pytest.mark.small
def test_a_policy_that_never_ends_is_mended():
    # Staying costs 1 forever.
    mdp = MDP.from_outcomes([("s", "leave", "t", 1, -5), ("s", "stay", "s", 1, -1)], 1, terminal=["t"])
    certifier = TotalCertifier(mdp)
    proven = certifier.control(np.array([-5.0, 0.0]), np.array([1, -1]))
    assert "may never end" in proven.note
    assert certifier.rows.tolist() == [0, -1]
    assert inside(proven.lower, [-5, 0], proven.upper)
    assert proven.width < 1e-13


def test_ring_is_refused():
    ring = MDP([[[0, 1]], [[1, 0]]], [[1], [1]], 1)
    for call in (
        lambda m, v: TotalCertifier(m).control(v),
        lambda m, v: TotalCertifier(m).prediction(v, Policy.uniform(m)),
    ):
        with pytest.raises(NoFiniteAnswer):
            call(ring, np.zeros(2))


@pytest.mark.parametrize("probability", ["1/4", "2/5", "11/20"])
def test_gambler(probability):
    # Bold play is optimal for p ≤ 1/2, timid play for p > 1/2 (Dubins & Savage 1965); v = 1 at the goal of 8.
    p, goal = Fraction(probability), 8
    outcomes = []
    for s in range(1, goal):
        for stake in range(1, min(s, goal - s) + 1):
            outcomes += [(s, stake, s + stake, p, int(s + stake == goal)), (s, stake, s - stake, 1 - p, 0)]
    mdp = MDP.from_outcomes(outcomes, 1, terminal=[0, goal], states=range(goal + 1))
    if p > Fraction(1, 2):
        ratio = (1 - p) / p
        value = [Fraction(0), *((1 - ratio**s) / (1 - ratio**goal) for s in range(1, goal)), Fraction(0)]
    else:
        value = [Fraction(0)] * (goal + 1)
        for step in (4, 2, 1):  # halves, quarters, eighths of the goal
            for s in range(step, goal, 2 * step):
                a = min(s, goal - s)
                up = Fraction(1) if s + a == goal else value[s + a]
                value[s] = p * up + (1 - p) * value[s - a]
    proven = TotalCertifier(mdp).control(np.array([float(x) for x in value]))
    assert inside(proven.lower, value, proven.upper)
    assert proven.width < 1e-13
    # From 4 bold play stakes 4, and only that; timid play 1.
    assert proven.keep[mdp.row("4", "4" if p < Fraction(1, 2) else "1")]
    assert proven.keep[mdp.rows(4)[0] : mdp.rows(4)[-1] + 1].sum() == 1


def test_aima_grid():
    # Russell & Norvig, figure 17.3: .8 as meant, .1 to each side, -0.04 a step, +1 and -1 at the ends.
    cells = [(x, y) for y in (1, 2, 3) for x in (1, 2, 3, 4) if (x, y) != (2, 2)]
    ends = {(4, 3): 1, (4, 2): -1}
    moves = {"up": (0, 1), "right": (1, 0), "down": (0, -1), "left": (-1, 0)}
    names = list(moves)
    outcomes = []
    for c in cells:
        for a in names if c not in ends else ():
            k = names.index(a)
            for side, p in ((0, "4/5"), (1, "1/10"), (-1, "1/10")):
                dx, dy = moves[names[(k + side) % 4]]
                to = (c[0] + dx, c[1] + dy)
                to = to if to in cells else c
                outcomes.append((c, a, to, p, Fraction(-1, 25) + ends.get(to, 0)))
    mdp = MDP.from_outcomes(outcomes, 1, terminal=list(ends), states=cells)
    v = np.zeros(mdp.S)
    for _ in range(200):
        q = mdp.r + mdp.P @ v
        v[~mdp.terminal] = np.maximum.reduceat(q, mdp.pair_ptr[:-1][~mdp.terminal])
    proven = TotalCertifier(mdp).control(v)
    book = {(1, 1): 0.705, (1, 2): 0.762, (1, 3): 0.812, (2, 1): 0.655, (2, 3): 0.868, (3, 1): 0.611, (3, 2): 0.660,
            (3, 3): 0.918, (4, 1): 0.388}  # fmt: skip
    for c, x in book.items():
        s = mdp.states.index(c)
        assert round(float(proven.lower[s]), 3) == round(float(proven.upper[s]), 3) == x
    assert proven.width < 1e-11
    assert proven.proven_optimal.all()


def test_chain_that_fools_value_iteration():
    # Haddad & Monmege (2018): a walk up by 1/2 or back to the start; from the middle both ends are as likely.
    n = 20
    outcomes = []
    for s in range(1, 2 * n):
        far = 0 if s == n else n
        up, down = (s + 1, far) if s > n else (far, s - 1) if s < n else (s + 1, s - 1)
        outcomes += [(s, "go", up, "1/2", int(up == 2 * n)), (s, "go", down, "1/2", int(down == 2 * n))]
    mdp = MDP.from_outcomes(outcomes, 1, terminal=[0, 2 * n], states=range(2 * n + 1))
    # By symmetry 1/2 at n; j steps above it, with probability 2**(j - n) the end is met before n.
    value = [Fraction(0)] * (2 * n + 1)
    value[n] = Fraction(1, 2)
    for j in range(1, n):
        value[n + j] = Fraction(1, 2) + Fraction(1, 2) * Fraction(1, 2 ** (n - j))
        value[n - j] = Fraction(1, 2) - Fraction(1, 2) * Fraction(1, 2 ** (n - j))
    certifier = TotalCertifier(mdp)
    proven = certifier.control(np.array([float(x) for x in value]))
    assert inside(proven.lower, value, proven.upper)
    # It takes 2**20 steps, and each may lose a rounding: narrower than this floats cannot prove.
    assert 0.9 * proven.smallest < proven.width < 1e-7
    # Where value iteration would stop, with changes of 1e-6 a sweep, the interval is as wide as the error is large.
    v = np.zeros(2 * n + 1)
    change = 1.0
    while change > 1e-6:
        new = np.where(mdp.terminal, 0.0, 0.0)
        new[~mdp.terminal] = mdp.r + mdp.P @ v
        change, v = float(np.max(np.abs(new - v))), new
    assert v[n] < 0.01
    proven = TotalCertifier(mdp).control(v)
    assert inside(proven.lower, value, proven.upper)
    assert proven.width > 0.4


def test_values_that_are_no_numbers_prove_nothing():
    mdp = gridworld()
    for bad in (math.nan, math.inf, 1e308):
        proven = TotalCertifier(mdp).control(np.full(16, bad))
        assert not (proven.lower > [-math.inf if s not in (0, 15) else -1 for s in range(16)]).all()
        assert inside(
            proven.lower, [-min(s // 4 + s % 4, 6 - s // 4 - s % 4) for s in range(16)], proven.upper
        )


def test_rewards_by_states_that_end_at_once():
    # One decision: 0.1 + 0.2 against 0.3, which floats hold for different numbers.
    mdp = MDP.from_outcomes(
        [("s", "a", "t", 1, "0.3"), ("s", "b", "m", 1, "0.1"), ("m", "b", "t", 1, "0.2")], 1, terminal=["t"]
    )
    proven = TotalCertifier(mdp).control(np.array([0.3, 0.2, 0.0]))
    assert inside(proven.lower, [Fraction(3, 10), Fraction(1, 5), 0], proven.upper)
    assert proven.keep.all()
    assert not proven.proven_optimal[0]


def test_the_next_certificate_is_cheap():
    mdp = gridworld(60)
    side = 60
    steps = np.array(
        [-float(min(s // side + s % side, 2 * (side - 1) - s // side - s % side)) for s in range(side**2)]
    )
    rng = np.random.default_rng(0)
    certifier = TotalCertifier(mdp)
    certifier.control(steps)
    certifier.sweeps = 3
    for noise in (1e-3, 1e-6, 1e-9):
        v = steps + rng.uniform(-noise, noise, mdp.S)
        v[mdp.terminal] = 0.0
        proven = certifier.control(v)
        assert inside(proven.lower, map(Fraction, steps.astype(int).tolist()), proven.upper)
        assert proven.width < 2000 * noise


def test_large_random_walk():
    # -1 a step on 0 .. n, ends absorb: v(s) = -s (n - s). Sweeps would take n² of them.
    n = 3000
    outcomes = np.stack([np.arange(1, n) - 1, np.arange(1, n) + 1], 1).ravel()
    terminal = np.zeros(n + 1, dtype=bool)
    terminal[[0, n]] = True
    mdp = MDP.from_rows(
        pair_ptr=np.concatenate([[0], np.arange(n), [n - 1]]), pair_action=np.zeros(n - 1, dtype=int),
        row_ptr=2 * np.arange(n), next_state=outcomes, prob=np.full(2 * n - 2, 0.5), r=np.full(n - 1, -1.0), gamma=1,
        terminal=terminal,
    )  # fmt: skip
    s = np.arange(n + 1)
    value = -s * (n - s)
    for proven in (
        TotalCertifier(mdp).prediction(value.astype(float), Policy.uniform(mdp)),
        TotalCertifier(mdp).control(value.astype(float)),
    ):
        assert inside(proven.lower, map(Fraction, value.tolist()), proven.upper)
        assert 0.9 * proven.smallest < proven.width < 0.1


# -- work: chains that hardly end, loops that hardly lose -----------------------------------------------------------


def rare_rows(rng, states):
    """Rows with probabilities and rewards of 1, 2 or a power of ten down to 10**-14; the last state ends it."""
    rows = [[] for _ in range(states + 1)]
    small = [Fraction(1, 10 ** rng.randint(1, 14)) for _ in range(3)]
    signs = rng.choice(((-1, 0), (-1, -1, 0, 1), (-1,), (1, 1, 0)))
    for s in range(states):
        for a in range(rng.choice((1, 2, 2, 3))):
            to = rng.sample(range(states + 1), rng.choice((1, 2, 2, min(3, states))))
            cuts = [rng.choice((Fraction(1), Fraction(1), Fraction(2), rng.choice(small))) for _ in to]
            law = {s2: c / sum(cuts) for s2, c in zip(to, cuts, strict=True)}
            rows[s].append((a, law, rng.choice(signs) * rng.choice((1, 1, 2, *small)), None))
    return [[(a, law, Fraction(r), floats) for a, law, r, floats in own] for own in rows]


def counted(monkeypatch):
    """A list that grows with each sweep of T and each policy sweep."""
    calls = []
    for name in ("optimal", "policy"):
        kept = getattr(Sweeper, name)
        monkeypatch.setattr(Sweeper, name, lambda *a, kept=kept, **k: calls.append(0) or kept(*a, **k))
    return calls


@pytest.mark.parametrize("method", ["policy-iteration", "modified-policy-iteration"])
def test_chains_that_hardly_end_take_few_sweeps(method, monkeypatch):
    """Of 120 models that rounding drives to its limits each interval holds, and takes hundreds of sweeps at most."""
    calls, rng = counted(monkeypatch), random.Random("rare")
    models = narrow = 0
    while models < 120:
        rows = rare_rows(rng, rng.choice((2, 3, 4)))
        what, best = truth(rows)
        if what != "finite":
            continue
        models += 1
        del calls[:]
        answer = solve(as_model(rows), method, **{"sweeps": 200} if method[0] == "m" else {})
        assert inside(answer.lower, best, answer.upper)
        assert len(calls) < 1000
        narrow += answer.bound <= 1e-6
    assert narrow > 90


@pytest.mark.parametrize("S", [100, 300])
def test_loops_that_hardly_lose_take_few_sweeps(S, monkeypatch):
    """To wait costs 10**-9 a step; to leave takes 10**4 steps on average, and never to is worth -∞."""
    lose, leave, outcomes = Fraction(1, 10**9), Fraction(1, 10**4), []
    paid = -1 - lose * (1 / leave - 1)
    for s in range(S):
        outcomes += [(s, 0, s, 1, -lose), (s, 1, s, 1 - leave, -lose), (s, 1, s + 1, leave, paid)]
    mdp = MDP.from_outcomes(outcomes, 1, terminal=[S], states=range(S + 1))
    calls = counted(monkeypatch)
    answer = solve(mdp)
    # The next state is reached after 1 / leave steps, each of which costs what its outcomes do on average.
    step = ((1 - leave) * lose - leave * paid) / leave
    assert inside(answer.lower, [-(S - s) * step for s in range(S + 1)], answer.upper)
    assert answer.bound < 1e-4
    assert len(calls) < 100


@pytest.mark.small
def test_where_no_bound_exists_the_work_ends_at_once(monkeypatch):
    """To wait costs 10**-20, less than rounding of 10**6: no u with T u + E ≤ u is found, and none is claimed."""
    mdp = MDP.from_outcomes(
        [("s", "wait", "s", 1, Fraction(-1, 10**20)), ("s", "go", "t", 1, -(10**6)), ("t", "pay", "end", 1, 10**6)],
        1, terminal=["end"],
    )  # fmt: skip
    calls = counted(monkeypatch)
    proven = TotalCertifier(mdp).control(np.array([0.0, 1e6, 0.0]))
    assert inside(proven.lower, [0, 10**6, 0], proven.upper)
    assert len(calls) < 20


def reachability(seed, S=7):
    """Chances to reach a goal: each row pays the probability with which it ends there."""
    rng = np.random.default_rng(seed)
    moves = []
    for s in range(S):
        for a in range(rng.integers(1, 4)):
            to = rng.choice(S + 2, size=3, replace=False).tolist()
            p = [Fraction(int(x)) for x in rng.integers(1, 9, 3)]
            moves += [(s, a, t, x / sum(p), int(t == S)) for t, x in zip(to, p, strict=True)]
    states = [str(s) for s in range(S + 2)]
    return MDP.from_outcomes(moves, 1, states=states, terminal=[str(S), str(S + 1)])


@pytest.mark.parametrize("seed", range(12))
def test_no_chance_is_more_than_one(seed):
    mdp = reachability(seed)
    best = UpperBounds(TotalCertifier(mdp).total, Sweeper(TotalCertifier(mdp).total.quotient))
    values = rational(mdp).exact
    assert max(values) <= best.ceiling <= 1 + 1e-13
    proven = TotalCertifier(mdp).control(np.zeros(mdp.S))
    assert all(low <= x <= high for low, x, high in zip(proven.lower, values, proven.upper, strict=True))
    assert proven.upper.max() <= best.ceiling


def test_chances_of_one_are_bounded_however_long_one_may_wait():
    """Each of 40 states may wait, and then ends at the goal once in 10**12 steps: the chance is 1 all the same."""
    wait = [(s, "wait", (s + 1) % 40, 1 - Fraction(1, 10**12), 0) for s in range(40)]
    end = [(s, "wait", "goal", Fraction(1, 10**12), 1) for s in range(40)]
    go = [(s, "go", "goal", 1, 1) for s in range(40)]
    mdp = MDP.from_outcomes([*wait, *end, *go], 1, terminal=["goal"])
    proven = TotalCertifier(mdp).control(np.ones(41), np.array([*range(1, 80, 2), -1]))
    assert (proven.upper[:40] >= 1).all()
    assert proven.upper.max() <= 1 + 2.0**-52
    assert proven.lower[:40].min() >= 1 - 1e-12


@pytest.mark.small
def test_a_long_way_among_ties_at_the_ceiling_widens_nothing():
    """From s the goal is certain, at once or once in 10**15 steps; t meets s or the trap by the throw of a coin."""
    p = Fraction(1, 10**15)
    moves = [("s", "go", "goal", 1, 1), ("s", "dither", "goal", p, 1), ("s", "dither", "r", 1 - p, 0)]
    moves += [("r", "back", "s", 1, 0), ("t", "toss", "s", "1/2", 0), ("t", "toss", "trap", "1/2", 0)]
    mdp = MDP.from_outcomes(moves, 1, terminal=["goal", "trap"])
    states = [mdp.states.index(name) for name in "srt"]
    v = np.zeros(mdp.S)
    v[states] = 1, 1, 0.5
    proven = TotalCertifier(mdp).control(v)
    assert inside(proven.lower[states], [1, 1, Fraction(1, 2)], proven.upper[states])
    assert proven.width < 1e-13
    assert solve(mdp).status.reached


@pytest.mark.parametrize("slack", [0.0, 0.05, 0.4, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_bounds_hold_wherever_the_ceiling_is_taken(monkeypatch, seed, slack):
    """The ceiling is a bound everywhere: to take it where values are not near it widens intervals, and no more."""
    monkeypatch.setattr(total.PolicyChain, "slack", lambda *_: slack)
    rng, mdp = random.Random(seed), reachability(seed)
    values = rational(mdp).exact
    for noise in NOISES[:6]:
        proven = TotalCertifier(mdp).control(np.where(mdp.terminal, 0.0, disturbed(rng, values, noise)))
        assert inside(proven.lower, values, proven.upper)
        assert proven.width <= slack * 2.5 + 1e4 * noise + 1e-9


def test_rewards_on_the_way_have_no_ceiling():
    mdp = MDP.from_outcomes([("a", "go", "b", 1, 1), ("b", "go", "end", 1, 1)], 1, terminal=["end"])
    certifier = TotalCertifier(mdp)
    assert UpperBounds(certifier.total, Sweeper(certifier.total.quotient)).ceiling == math.inf
    assert solve(mdp)["a"] == pytest.approx(2)


def test_an_interval_that_will_be_too_wide_is_not_looked_for_where_that_is_of_no_use(monkeypatch):
    """From values 0 of a walk to an end a hundred steps away, each costing 1, no bound is near."""
    n = 101
    outcomes = [(str(s), "on", str(s + 1), 1, -1) for s in range(n)]
    outcomes += [(str(s), "try", t, "1/2", -1) for s in range(n) for t in (str(s), str(s + 1))]
    mdp = MDP.from_outcomes(outcomes, 1, terminal=[str(n)])
    solved = []
    solution = upper.chain_solution
    monkeypatch.setattr(
        upper, "chain_solution", lambda *args, **more: solved.append(1) or solution(*args, **more)
    )
    v, best = np.zeros(n + 1), np.array([-float(n - int(s)) for s in mdp.states])
    v[:] = best + 1e-3 * (best < 0)
    v[mdp.states.index("0")] -= 1e-2
    slow, quick = TotalCertifier(mdp), TotalCertifier(mdp)
    quick.hurried = True
    quick.wanted = slow.wanted = 1e-6
    whole, short = slow.certificate(v), quick.certificate(v)
    assert np.isfinite(whole.upper).all()
    assert np.all((whole.lower <= best) & (best <= whole.upper))
    # At first sweeps tell it, without a chain; when a time to the end is known, that does.
    for kept, chains in ((None, 0), (quick, 1)):
        if kept is not None:
            quick.certificate(best)
            solved.clear()
            short = quick.certificate(v)
        assert np.all(short.lower <= best)
        assert np.isposinf(short.upper[best < 0]).all()
        assert quick.wide > quick.wanted
        assert len(solved) <= chains
    quick.hurried = False  # what was left out is not missed later
    assert np.array_equal(quick.certificate(best).upper, TotalCertifier(mdp).certificate(best).upper)


@pytest.mark.parametrize("seed", range(10))
def test_bounds_hold_where_chances_of_one_are_known(monkeypatch, seed):
    monkeypatch.setattr(total, "MANY", 10**6)
    rng, mdp = random.Random(seed), reachability(seed)
    values = rational(mdp).exact
    for noise in NOISES[:6]:
        proven = TotalCertifier(mdp).control(np.where(mdp.terminal, 0.0, disturbed(rng, values, noise)))
        assert inside(proven.lower, values, proven.upper)


@pytest.mark.parametrize("sense", ["max", "min"])
def test_a_chance_of_one_needs_no_time_to_the_end(sense):
    """20 states lead round and end at the goal once in 10**13 steps; 20 more end at a trap, by the toss of a coin."""
    sign, p = 1 if sense == "max" else -1, Fraction(1, 10**13)
    moves = [(s, "on", (s + 1) % 20, 1 - p, 0) for s in range(20)]
    moves += [(s, "on", "goal", p, sign) for s in range(20)]
    moves += [(s, "on", 20 + (s + 1) % 20, "1/2", 0) for s in range(20, 40)]
    moves += [(s, "on", "trap", "1/2", 0) for s in range(20, 40)]
    mdp = MDP.from_outcomes(moves, 1, terminal=["goal", "trap"], sense=sense)
    v, certifier = np.zeros(mdp.S), TotalCertifier(mdp)
    v[:20] = sign
    rows = np.where(mdp.terminal, -1, mdp.pair_ptr[1:] - 1)
    proven = certifier.control(certifier.checked(v) * sign, rows)
    assert 0 < certifier._chain.time.max() < 3
    values = [Fraction(int(s < 20)) for s in range(mdp.S)]
    assert inside(proven.lower, values, proven.upper)
    assert proven.width <= 1e-12


def test_a_floor_counts_what_leads_to_a_trap():
    """One chance in 10**13 is lost to a trap: less is not claimed than that leaves, nor more."""
    p = Fraction(1, 10**13)
    moves = [("s", "go", "goal", 1 - p, 1), ("s", "go", "trap", p, 0), ("t", "go", "s", 1, 0)]
    mdp = MDP.from_outcomes(moves, 1, states=["s", "t", "goal", "trap"], terminal=["goal", "trap"])
    signs, rows = np.array([1, 0], dtype=np.int8), np.array([0, 1, -1, -1])
    sure, least = floor_of(mdp, rows, mdp.terminal, 1.0, signs)
    assert sure.tolist() == [True, True, False, False]
    assert 1 - p - Fraction(1, 10**14) <= Fraction(least) <= 1 - p
    assert not floor_of(mdp, rows, mdp.terminal, 1.1, signs)[0].any()
    assert not floor_of(mdp, rows, mdp.terminal, math.inf, signs)[0].any()
    assert not floor_of(mdp, rows, mdp.terminal, 1.0, np.array([1, -1], dtype=np.int8))[0][1]
