"""Bounds with an error for each row hold the truth, and are narrow where a few values are far larger than most."""

from __future__ import annotations

import random
from fractions import Fraction as F

import numpy as np
import pytest
from graphs import as_model, random_rows, truth

from tabular_rl import evaluate, rational, solve, verify
from tabular_rl.certificates.fine import FineBounds
from tabular_rl.certificates.total import TotalCertifier
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.solution import Status
from tabular_rl.solving.sweeps import Sweeper
from tests.support.random_models import random_model


def inside(lower, values, upper):
    return all(
        (lo == -np.inf or F(float(lo)) <= x) and (hi == np.inf or x <= F(float(hi)))
        for lo, x, hi in zip(lower, values, upper, strict=True)
    )


@pytest.mark.parametrize("kind", ["exact", "float64", "cancelling"])
def test_no_change_is_off_by_more_than_its_error(kind):
    """r + Σ p (v(s') - v(s)) in floats and in rationals, with values of many sizes, or far from 0 and alike."""
    rng = np.random.default_rng(4)
    for seed in range(40):
        mdp = random_model(
            seed, "total-reward", exact=kind == "exact", cancelling=kind == "cancelling", S=5
        ).replace(gamma=1)
        v = rng.normal(size=mdp.S) * 10.0 ** rng.integers(-8, 8, mdp.S) + rng.choice([0.0, 1e9])
        found = FineBounds(Sweeper(mdp)).changes(v)
        for i, s in enumerate(mdp.pair_state):
            outcomes, r = mdp.rational(i)
            gains = [p * (F(float(v[s2])) - F(float(v[s]))) for s2, p in outcomes]
            assert abs(F(float(found.change[i])) - mdp.sign * r - sum(gains)) <= F(float(found.error[i]))
            # Some ulps of what is added up, and so nothing of the size of values.
            size = float(sum(map(abs, gains))) + max(abs(float(x)) for _, _, x in mdp.rational_outcomes(i))
            assert found.error[i] <= (2 * mdp.facts.mass_defect + 1e-14) * size + 1e-300


def test_probabilities_below_the_floats_count_in_errors():
    """One of 10**-400 leads to a value of 10**300: what is left out is in the error."""
    tiny = F(1, 10**400)
    outcomes = [("s", "go", "far", tiny, 0), ("s", "go", "end", 1 - tiny, 0), ("far", "go", "end", 1, 0)]
    mdp = MDP.from_outcomes(outcomes, 1, terminal=["end"])
    v = np.where(mdp.terminal, 0.0, [1e300 if name == "far" else 0.0 for name in mdp.states])
    found = FineBounds(Sweeper(mdp)).changes(v)
    assert found.change[0] == 0
    assert F(float(found.error[0])) >= tiny * F(1e300) > 0


@pytest.mark.parametrize("kind", ["exact", "float64", "costs"])
def test_intervals_hold_where_every_certificate_is_made_finely(kind):
    """From values that are exact, or off: what is claimed holds, and no interval is wider than the usual one."""
    rng, models, narrower = random.Random(f"fine {kind}"), 0, 0
    while models < 15:
        rows = random_rows(
            rng, rng.choice((2, 3, 4)), ends=0.8, signs=(-1, -1, 0) if kind == "costs" else (-1, -1, 0, 1),
            float64=kind == "float64",
        )  # fmt: skip
        what, best = truth(rows)
        if what != "finite" or all(not own for own in rows):
            continue
        models += 1
        mdp = as_model(rows)
        for noise in (0.0, 1e-15, 1e-9, 1e-3):
            v = np.where(mdp.terminal, 0.0, [float(x) * (1 + noise * rng.uniform(-1, 1)) for x in best])
            usual, fine = TotalCertifier(mdp), TotalCertifier(mdp)
            fine.wanted = 0.0
            proven, plain = fine.control(v), usual.control(v)
            assert inside(proven.lower, best, proven.upper)
            assert (proven.upper <= plain.upper).all()
            assert (proven.lower >= plain.lower).all()
            narrower += proven.width < plain.width
    assert narrower > 10


def penalty(steps, cost, p="1/1000000"):
    """A walk of steps that cost 1: once in a million it fails, and costs a lot before the end. Or crawl."""
    outcomes = []
    for s in range(steps):
        after = s + 1 if s + 1 < steps else "end"
        outcomes += [(s, "walk", after, 1 - F(p), 1), (s, "walk", "fail", F(p), 1)]
        outcomes += [(s, "crawl", s, "1/2", 1), (s, "crawl", after, "1/2", 1)]
    outcomes.append(("fail", "pay", "end", 1, cost))
    return MDP.from_outcomes(outcomes, 1, terminal=["end"], sense="min")


def test_a_rare_penalty_widens_no_other_interval():
    """Some 2,000 beside 10**7: one error for all rows leaves intervals of 10**-5, where floats prove 10**-7."""
    mdp = penalty(400, 10**7)
    answer = solve(mdp)
    assert answer.status is Status.CERTIFIED
    assert answer.bound < 1e-7
    exact = rational(mdp).exact
    assert inside(answer.lower, exact, answer.upper)
    assert verify(mdp, answer).proven
    assert evaluate(mdp, answer.policy).bound < 1e-7
    certifier = TotalCertifier(mdp)
    rough = certifier.control(-answer.v)
    assert rough.width > 1e-6
    certifier.wanted = 1e-6
    assert certifier.control(-answer.v).width < 1e-7


def steps_down(steps, cost, p=F(1, 3)):
    """A walk of steps that cost a lot, and may fail and be tried again; or a detour that costs as much but for 1."""
    outcomes = []
    for s in range(steps):
        after = s + 1 if s + 1 < steps else "end"
        outcomes += [(s, "walk", after, 1 - p, cost), (s, "walk", s, p, cost)]
        outcomes += [
            (s, "around", f"by {s}", 1, cost),
            (f"by {s}", "on", after, 1, cost / (1 - p) - cost + 1),
        ]
    return MDP.from_outcomes(outcomes, 1, terminal=["end"], sense="min")


@pytest.mark.parametrize("scale", [1, 10**6])
def test_large_values_are_proven_by_what_steps_change(scale):
    """Values of 10**9 over 200 steps: one backup is known to 10**-6, and yet the interval is of 10**-6 or less."""
    mdp, tolerance = steps_down(200, 5 * scale), 1e-9 * scale
    answer = solve(mdp, tolerance=tolerance)
    exact = rational(mdp).exact
    assert answer.status is Status.CERTIFIED
    assert inside(answer.lower, exact, answer.upper)
    assert verify(mdp, answer, tolerance=tolerance).proven
    assert answer.proven_optimal.all()
    given = evaluate(mdp, answer.policy, tolerance=tolerance)
    assert inside(given.lower, exact, given.upper)
    assert given.status is Status.CERTIFIED


def test_no_chain_is_solved_once_a_run_is_stopped(monkeypatch):
    mdp = penalty(40, 10**7)
    v = np.array([-float(x) for x in rational(mdp).exact])
    certifier = TotalCertifier(mdp)
    usual = certifier.control(v)
    certifier.wanted = 0.0
    certifier.use_what_is_known()
    monkeypatch.setattr("tabular_rl.certificates.total.FineBounds", None)
    assert certifier.control(v).width <= usual.width * 1.1


def test_what_is_no_bound_is_not_returned(monkeypatch):
    """Where the chains are solved wrongly nothing is verified."""
    mdp = penalty(10, 1000)
    v = np.array([-float(x) for x in rational(mdp).exact])
    rows = np.where(mdp.terminal, -1, mdp.pair_ptr[:-1])
    policy, ceiling = Policy(mdp, rows=rows), np.where(mdp.terminal, 0.0, np.inf)
    bounds = FineBounds(Sweeper(mdp))
    assert bounds.beside(v, policy, mdp.terminal, -1) is not None
    assert bounds.above(v, mdp.terminal, ceiling, rows) is not None
    monkeypatch.setattr(
        "tabular_rl.certificates.fine.chain_solution", lambda *_, **__: np.where(mdp.terminal, 0, 1e-3)
    )
    assert bounds.beside(v, policy, mdp.terminal, -1) is None
    assert bounds.beside(v, policy, mdp.terminal, 1) is None
    assert bounds.above(v, mdp.terminal, ceiling, rows) is None
