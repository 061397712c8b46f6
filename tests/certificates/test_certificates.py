"""Certificates: for any values and any policy the interval holds, exactly, and is no wider than it must be."""

from __future__ import annotations

import ctypes
import math
import platform
import random
from fractions import Fraction

import numpy as np
import pytest
import reference
from random_models import assemble, random_model, random_policy, take_apart

from tabular_rl import MDP, NumericalError, Policy, evaluate, solve
from tabular_rl.certificates import base, certifier
from tabular_rl.certificates import discounted as certificates
from tabular_rl.certificates.base import check_arithmetic
from tabular_rl.certificates.intervals import start_bounds
from tabular_rl.certificates.verdict import proven_by_sweep as verify
from tabular_rl.model import rounding
from tabular_rl.model.rounding import LargeRewards, backup_error, geometric, roundings, shared_reward

U = Fraction(1, 2**53)
GAMMAS = ["0", "1/2", "9/10", "99/100", "9999/10000"]


def adversaries(count, **more):
    """Models of all kinds: ragged, both senses, exact and float with mass defects, cancelling rewards, γ to .9999."""
    for seed in range(count):
        rng = random.Random(f"adversary {seed}")
        exact = seed % 3 == 0
        gamma = rng.choice(GAMMAS)
        given = {
            "exact": exact,
            "sense": rng.choice(["max", "min"]),
            "gamma": gamma if rng.random() < 0.5 else float(Fraction(gamma)),
            "S": rng.randint(1, 5),
            "N": rng.choice([1, 3, 6]),
            "ends": rng.choice([0, 1]),
            "by_pair": False if seed % 3 == 1 else None,
            "cancelling": seed % 3 == 1,
            "scale": rng.choice([1, 1, 1000, Fraction(1, 1000)]) if exact else rng.choice([1.0, 1e6, 1e-6]),
        }
        given |= more
        if given["S"] == 1:
            given["ends"] = 0
        yield rng, random_model(seed, **given)


def starting_values(rng, truth, terminal):
    """Values near the truth and far from it, with garbage at terminal states."""
    size = max([abs(float(x)) for x in truth] + [1.0])
    for noise in (0.0, 1e-12, 1e-3, rng.choice([1.0, 100.0])):
        v = np.array([float(x) + noise * size * rng.uniform(-1, 1) for x in truth])
        v[terminal] = rng.uniform(-9, 9) if noise else 0.0
        yield v


def holds(lower, middle, upper):
    """True where lower ≤ middle ≤ upper in exact arithmetic."""
    return all(a <= x <= b for a, x, b in zip(lower.tolist(), middle, upper.tolist(), strict=True))


def below(lower, values):
    return all(a <= x for a, x in zip(lower.tolist(), values, strict=True))


def inner(mdp, values):
    """Exact values in the sign of maximisation."""
    return [int(mdp.sign) * x for x in values]


def broken(count, spoil=None, **more):
    """How many intervals for v* (or for v_π of their policy) do not hold, of how many."""
    wrong = tried = 0
    for rng, mdp in adversaries(count, **more):
        optimum = inner(mdp, reference.exact_optimal_value(mdp))
        fixed = random_policy(mdp, rng.random(), stochastic=False)
        fixed_value = inner(mdp, reference.exact_policy_value(mdp, fixed))
        mixed = Policy.uniform(mdp) if rng.random() < 0.3 else random_policy(mdp, rng.random())
        mixed_value = inner(mdp, reference.exact_policy_value(mdp, mixed))
        judges = certifier(mdp), certifier(mdp, fixed), certifier(mdp, mixed)
        for judge in judges if spoil else ():
            spoil(judge)
        for v in starting_values(rng, optimum, mdp.terminal):
            free, bound = judges[0].certificate(v), judges[0].certificate(v, fixed.rows)
            tried += 2
            wrong += not holds(free.lower, optimum, free.upper)
            wrong += not (holds(bound.lower, optimum, bound.upper) and below(bound.lower, fixed_value))
        for judge, truth in zip(judges[1:], (fixed_value, mixed_value), strict=True):
            for v in starting_values(rng, truth, mdp.terminal):
                certificate = judge.certificate(v)
                tried += 1
                wrong += not holds(certificate.lower, truth, certificate.upper)
    return wrong, tried


# -- the interval holds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("models", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_interval_holds_for_any_values_and_any_policy(models):
    wrong, tried = broken(models)
    assert tried == models * 16
    assert wrong == 0


def test_without_the_clamp_of_terminal_states_it_would_not_hold():
    def spoil(judge):
        judge.ends = False

    assert broken(100, spoil, ends=1, S=4)[0] > 20


def test_without_the_rounding_error_it_would_not_hold(monkeypatch):
    monkeypatch.setattr(rounding, "backup_error", lambda *_: 0.0)
    assert broken(100, exact=False, cancelling=True, by_pair=False)[0] > 0


def test_the_largest_reward_counts_not_the_expected_one():
    """r = Σ p r(s,a,s') may cancel to nothing while its terms, and their rounding, are huge."""
    mdp = MDP.from_outcomes([("s", "a", "s", 0.1, 9e15), ("s", "a", "s", 0.9, -1e15)], 0.0)
    truth = reference.exact_optimal_value(mdp)[0]
    certificate = certifier(mdp).certificate(np.zeros(1))
    assert certificate.lower[0] <= truth <= certificate.upper[0]
    assert abs(truth) < 1
    assert certificate.width >= 0.1


def test_mass_defect_counts():
    """A row that sums to 1 - 2**-52 means p / sum(p): at γ = 1 - 2**-10 the value of reward 1 is 1024 all the same."""
    mdp = MDP.from_rows(
        pair_ptr=[0, 1], pair_action=[0], row_ptr=[0, 2], next_state=[0, 0], prob=[0.5, 0.5 - 2.0**-52],
        r=[1.0], gamma=1 - 2.0**-10,
    )  # fmt: skip
    certificate = certifier(mdp).certificate(np.array([1024.0]))
    assert mdp.facts.mass_defect >= 2.0**-52
    assert certificate.lower[0] <= 1024 <= certificate.upper[0]


def test_interval_is_no_wider_than_the_equation_says():
    """Two states, γ = 1/2, v = 0: residuals 1 and 3, so lower = r + 1 and upper = r + 3."""
    mdp = MDP([[[1.0, 0.0]], [[0.0, 1.0]]], [[1.0], [3.0]], "1/2")
    certificate = certifier(mdp).certificate(np.zeros(2))
    assert certificate.lower == pytest.approx([2, 4], rel=1e-14)
    assert certificate.upper == pytest.approx([4, 6], rel=1e-14)


def test_width_at_the_answer_is_rounding_alone():
    for rng, mdp in adversaries(60):
        optimum = inner(mdp, reference.exact_optimal_value(mdp))
        v = next(starting_values(rng, optimum, mdp.terminal))
        certificate = certifier(mdp).certificate(v)
        vmax = float(np.max(np.abs(v)))
        ulp, g, error = 2.0**-52 * vmax, mdp.gamma, backup_error(mdp, vmax)
        # E twice on either side: once as it is claimed, once as it happens.
        assert certificate.width <= (4 * error + 2 * ulp) / (1 - g) * (1 + 1e-9) + 8 * ulp + 1e-300
        assert certificate.smallest <= 2 * error / (1 - g) * (1 + 1e-9) + 1e-300


# -- rewards that stand out ---------------------------------------------------------------------------------------


def with_penalties(rng, mdp, spared=True, bonus=0.0):
    """The model with penalties of 10**6 to 10**15 on about half of its rows, on one outcome or on all of them.

    `spared` leaves the first row of each state as it is; `bonus` is the share of them that are rewards instead.
    """
    parts, seen, rows = take_apart(mdp), set(), []
    for s, a, outcomes, own in parts["rows"]:
        if (s in seen or not spared) and rng.random() < 0.5:
            size = 10 ** rng.randint(6, 15) * (1 if parts["exact"] else 1 + rng.random())
            size *= (1 if rng.random() < bonus else -1) * int(mdp.sign)
            one = rng.randrange(len(outcomes)) if bonus or not spared else None
            outcomes = [(t, p, size if one in (None, k) else x) for k, (t, p, x) in enumerate(outcomes)]
            own = size
        seen.add(s)
        rows.append((s, a, outcomes, own))
    return assemble(**(parts | {"rows": rows}))


def scale_of(mdp, values):
    """The largest |value|, and |reward| in the row of each state where that is smallest."""
    of_rows = [
        np.max(np.abs(mdp.r[i : i + 1] if mdp.reward is None else mdp.reward[slice(*mdp.row_ptr[i : i + 2])]))
        for i in range(mdp.L)
    ]
    least = [min(of_rows[i] for i in mdp.rows(s)) for s in range(mdp.S) if mdp.rows(s)]
    return max([1.0, *map(float, least), *(abs(float(x)) for x in values)])


@pytest.mark.parametrize("kind", ["never taken", "everywhere", "rewards too"])
def test_interval_holds_beside_penalties_of_any_size(kind):
    narrow = dropped = 0
    more = {"cancelling": False} if kind == "never taken" else {}
    for rng, plain in adversaries(120, **more):
        mdp = with_penalties(rng, plain, kind == "never taken", 0.4 if kind == "rewards too" else 0.0)
        truth = reference.exact_optimal_value(mdp)
        optimum, best = inner(mdp, truth), reference.exact_optimal_rows(mdp, truth)
        fixed = random_policy(mdp, rng.random(), stochastic=False)
        mixed = Policy.uniform(mdp) if rng.random() < 0.3 else random_policy(mdp, rng.random())
        judge = certifier(mdp)
        for v in starting_values(rng, optimum, mdp.terminal):
            free = judge.certificate(v, decide=True)
            assert holds(free.lower, optimum, free.upper)
            assert all(kept for kept, optimal in zip(free.keep.tolist(), best, strict=True) if optimal)
            dropped += int((~free.keep).sum())
            bound = judge.certificate(v, fixed.rows)
            assert holds(bound.lower, optimum, bound.upper)
            assert below(bound.lower, inner(mdp, reference.exact_policy_value(mdp, fixed)))
        for policy in (fixed, mixed):
            values = inner(mdp, reference.exact_policy_value(mdp, policy))
            for v in starting_values(rng, values, mdp.terminal):
                certificate = certifier(mdp, policy).certificate(v)
                assert holds(certificate.lower, values, certificate.upper)
        if kind == "never taken":
            width = judge.certificate(np.array([float(x) for x in optimum])).width
            assert width <= 1000 * 2.0**-53 * scale_of(mdp, truth) / (1 - mdp.gamma)
            narrow += mdp.facts.largest_reward > 1e5
    assert dropped > 200
    assert narrow > 40 or kind != "never taken"


def test_a_finite_horizon_interval_holds_beside_penalties():
    for seed in range(60):
        rng = random.Random(f"finite penalties {seed}")
        plain = random_model(
            seed, "finite-horizon", exact=seed % 2 == 0, sense=rng.choice(["max", "min"]), S=rng.randint(2, 4)
        )
        mdp = with_penalties(rng, plain, seed % 3 < 2, 0.2 if seed % 3 == 1 else 0.0)
        truth = reference.exact_optimal_value(mdp)
        policy = random_policy(mdp, seed, stochastic=seed % 4 < 2)
        optimum = [inner(mdp, row) for row in truth]
        of_policy = [inner(mdp, row) for row in reference.exact_policy_value(mdp, policy)]
        for values, judge in ((optimum, certifier(mdp)), (of_policy, certifier(mdp, policy))):
            for v in timed_values(rng, values):
                found = judge.certificate(v)
                for t in range(len(values)):
                    assert holds(found.lower[t], values[t], found.upper[t]), (seed, t)
                if judge.policy is None:
                    for t in range(mdp.horizon):
                        q = inner(mdp, reference.exact_q(mdp, truth[t + 1]))
                        gone = np.flatnonzero(~found.keep[t]).tolist()
                        assert all(q[i] < optimum[t][mdp.state_of_row(i)] for i in gone)
            if judge.policy is None and seed % 3 == 0:
                v = np.array([[float(x) for x in row] for row in optimum])
                wide = 1000 * 2.0**-53 * scale_of(mdp, [x for row in truth for x in row])
                assert judge.certificate(v).width <= wide * (mdp.horizon + 1)


def walled_grid(penalty, gamma, side=6, **more):
    """Walk to the last cell at -1 a step; each move into a wall stays and costs `penalty`."""
    outcomes, end = [], side * side - 1
    for s in range(end):
        y, x = divmod(s, side)
        for action, i, j in (("N", y - 1, x), ("S", y + 1, x), ("W", y, x - 1), ("E", y, x + 1)):
            inside = 0 <= i < side and 0 <= j < side
            outcomes.append((s, action, i * side + j if inside else s, 1, -1 if inside else -penalty))
    return MDP.from_outcomes(outcomes, gamma, terminal=[end], states=range(side * side), **more)


@pytest.mark.parametrize("gamma", ["99/100", "1"])
@pytest.mark.parametrize("penalty", [10**8, 10**12, 10**15])
def test_a_penalty_that_is_never_taken_widens_nothing(gamma, penalty):
    """Ten steps from the first corner: -(1 - γ**10) / (1 - γ), to 1e-10, whatever hitting a wall would cost."""
    g = Fraction(gamma)
    first = -sum(g**k for k in range(10))
    mdp = walled_grid(penalty, gamma)
    for method in ("value-iteration", "policy-iteration", "linear-programming"):
        answer = solve(mdp, method=method, tolerance=1e-10)
        assert answer.status.name == "CERTIFIED", method
        assert answer.lower[0] <= first <= answer.upper[0]
    assert evaluate(mdp, answer.policy, tolerance=1e-10).status.name == "CERTIFIED"
    assert solve(walled_grid(penalty, gamma, horizon=12), tolerance=1e-10).status.name == "CERTIFIED"
    # Without discount the walls are never shared: each is beyond the rewards that all states can do with.
    judge = certifier(mdp)
    assert mdp.facts.common_reward == 1
    assert len(judge.large.beyond(1.0)[0]) == 22  # 4 sides of 6 cells, less 2 at the end
    assert judge.large.beyond(float(penalty))[0].size == 0


def looks_worse(gamma, **more):
    """Action "plain" gives .4; "huge" gives .412... of terms up to 4e15, which floats add up to .375."""
    to = "end" if more.pop("ends", False) else "s"
    rows = [
        ("s", "plain", to, 1.0, 0.4),
        ("s", "huge", to, 0.1, 4e15),
        ("s", "huge", to, 0.9, -444444444444444.0),
    ]
    mdp = MDP.from_outcomes(rows, gamma, terminal=["end"] if to == "end" else [], **more)
    assert mdp.r[0] == 0.4
    assert mdp.r[1] < 0.4 < float(mdp.rational(1)[1])
    assert mdp.facts.common_reward == 0.4
    return mdp


@pytest.mark.parametrize("gamma", [0.0, 0.9999])
def test_the_better_action_looks_worse_in_floats(gamma):
    """Its own E counts where it is taken, in β, and where actions are eliminated."""
    mdp = looks_worse(gamma)
    truth = reference.exact_optimal_value(mdp)[0]
    proven = certifier(mdp).certificate(np.array([0.4 / (1 - gamma)]), decide=True)
    assert proven.lower[0] <= truth <= proven.upper[0]
    assert proven.keep.tolist() == [True, True]
    assert not proven.proven_optimal[0]
    timed = looks_worse(gamma or 1.0, horizon=100)
    plain = np.array([[sum(0.4 * timed.gamma**k for k in range(100 - t))] for t in range(101)])
    proven = certifier(timed).certificate(plain)
    assert proven.lower[0, 0] <= reference.exact_optimal_value(timed)[0][0] <= proven.upper[0, 0]
    assert proven.keep[99].tolist() == [True, True]
    assert not proven.proven_optimal[99, 0]


def test_the_better_action_looks_worse_in_floats_at_discount_1():
    mdp = looks_worse(1.0, ends=True)
    proven = certifier(mdp).certificate(np.array([0.4, 0.0]), decide=True)
    assert proven.lower[0] <= reference.exact_optimal_value(mdp)[0] <= proven.upper[0]
    assert proven.keep.tolist() == [True, True]
    assert not proven.proven_optimal[0]


def test_a_penalty_that_is_never_taken_costs_no_sweeps():
    """Values start at what the best action of the worst state would bring forever, not at the penalty."""
    swept = []
    for penalty in (1, 10**15):
        rows = [
            ("s", "try", "end", "1/10", -1),
            ("s", "try", "s", "9/10", -1),
            ("s", "wait", "s", 1, -penalty),
        ]
        mdp = MDP.from_outcomes(rows, "99/100", terminal=["end"])
        swept.append(solve(mdp, method="value-iteration").work["sweeps"])
    assert swept[0] == swept[1] < 200  # 100 (.891)**n < 1e-6 from n = 160 on


def test_rows_share_one_error_where_rewards_are_of_one_scale():
    for mdp in (MDP([[[1.0], [1.0]]], [[1.0, 4.0]], "1/2"), MDP([[[1.0], [1.0]]], [[0.0, 0.0]], "1/2")):
        assert shared_reward(mdp, 0.0) == mdp.facts.largest_reward
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 5.0]], "1/2")
    assert [shared_reward(mdp, vmax) for vmax in (0.0, 1.1, 1.25, 1e9, math.inf)] == [1, 1.1, 5, 5, 5]


def test_a_mixture_counts_a_penalty_by_its_probability():
    """Ways with probability 1/2 to -10**6 and 1/4 to -8: rewards of the mixture up to 1 + 10**6 / 2 + 8 / 4."""
    mdp = MDP([[[1.0], [1.0], [1.0]]], [[1.0, -(10.0**6), -8.0]], "1/2")
    large = LargeRewards(mdp)
    assert large.beyond(1.0)[0].tolist() == [1, 2]
    mixed = large.of_policy(Policy.of_probs(mdp, [0.25, 0.5, 0.25]), 1.0)
    assert 500003 <= mixed <= 500003 * (1 + 1e-9)
    assert large.of_policy(Policy.of_actions(mdp, [0]), 1.0) == 1
    assert large.of_policy(Policy.of_actions(mdp, [2]), 1.0) == 8
    tiny = Policy.of_probs(mdp, {"0": {"0": 1 - Fraction(1, 10**400), "1": Fraction(1, 10**400)}})
    assert 1 < large.of_policy(tiny, 1.0)


# -- traps --------------------------------------------------------------------------------------------------------


def test_value_at_a_terminal_state_certifies_nothing():
    """v(end) = 5 and v(s) = 5 γ with r = 0 solve the equation; the true value is 0."""
    mdp = MDP([[[0.0, 1.0]], [[0.0, 0.0]]], [[0.0], [0.0]], "9/10", terminal=[1])
    certificate = certifier(mdp).certificate(np.array([4.5, 5.0]))
    assert certificate.lower[0] <= 0 <= certificate.upper[0]
    assert certificate.lower[1] == certificate.upper[1] == 0
    timed = mdp.replace(horizon=2)
    found = certifier(timed).certificate(np.array([[4.05, 4.5], [4.5, 5.0], [0.0, 0.0]]))
    assert (found.lower[:, 0] <= 0).all()
    assert (found.upper[:, 0] >= 0).all()


def test_terminal_state_stops_the_extrapolation():
    """From v = 0, earning 1 and ending: the residual 1 does not recur, v = 1 and not 1 + γ / (1 - γ) = 10."""
    mdp = MDP([[[0.0, 1.0]], [[0.0, 0.0]]], [[1.0], [0.0]], "9/10", terminal=[1])
    certificate = certifier(mdp).certificate(np.zeros(2))
    assert certificate.lower[0] <= 1 <= certificate.upper[0]


def test_discount_of_one_minus_1e_12_is_answered_honestly():
    mdp = MDP([[[1.0]]], [[1.0]], Fraction(10**12 - 1, 10**12))
    answer = certifier(mdp).certificate(np.array([1e12]))
    assert answer.lower[0] <= 10**12 <= answer.upper[0]
    assert 1e-4 < answer.width < 1e12


@pytest.mark.parametrize("gamma", [1 - Fraction(1, 2**60), 1 - Fraction(1, 10**30)])
def test_discount_that_rounds_to_one_has_no_certificate(gamma):
    certificate = certifier(MDP([[[1.0]]], [[1.0]], gamma)).certificate(np.array([1.0]))
    assert certificate.upper[0] == math.inf
    assert certificate.width == math.inf == certificate.smallest


def test_certificate_of_nan_is_refused_with_the_state():
    mdp = MDP([[[1.0, 0.0]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.5, states=["good", "bad"])
    with pytest.raises(
        NumericalError, match=r"state 'bad' in the answer: found nan, expected a finite value"
    ):
        certifier(mdp).certificate(np.array([0.0, math.nan]))
    with pytest.raises(NumericalError, match="state 'bad'"):
        certifier(mdp).certificate(np.array([0.0, math.inf]))


# -- elimination --------------------------------------------------------------------------------------------------


def test_eliminated_actions_are_worse_and_proven_states_are_optimal():
    dropped = proven = 0
    for rng, mdp in adversaries(250):
        truth = reference.exact_optimal_value(mdp)
        best = reference.exact_optimal_rows(mdp, truth)
        for v in starting_values(rng, inner(mdp, truth), mdp.terminal):
            judge = certifier(mdp)
            rows = np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
            judge.sweeper.optimal(np.where(mdp.terminal, 0.0, v), np.empty(mdp.S), rows)
            certificate = judge.certificate(v, rows, decide=True)
            assert all(kept for kept, optimal in zip(certificate.keep.tolist(), best, strict=True) if optimal)
            own = reference.exact_policy_value(mdp, Policy(mdp, rows=rows))
            sure = certificate.proven_optimal
            assert all(own[s] == truth[s] for s in range(mdp.S) if sure[s])
            dropped += int((~certificate.keep).sum())
            proven += int(sure[~mdp.terminal].sum())
    assert dropped > 500
    assert proven > 500


def test_exact_tie_is_never_eliminated():
    mdp = MDP([[[1.0], [1.0], [1.0]]], [[1.0, 1.0, 1.0 - 1e-9]], "9/10")
    certificate = certifier(mdp).certificate(np.array([10.0]), decide=True)
    assert certificate.keep.tolist() == [True, True, False]
    assert certificate.proven_optimal.tolist() == [False]


def test_optimality_is_proven_only_where_all_that_follows_is():
    """The state before a tie has one good action, but where it leads is open."""
    P = [[[0, 1.0, 0], [0, 0, 1.0]], [[0, 1.0, 0], [0, 1.0, 0]], [[0, 0, 1.0], [0, 0, 0]]]
    mdp = MDP(P, [[5.0, 0.0], [1.0, 1.0], [0.0, 0.0]], "1/2")
    answer = certifier(mdp).certificate(np.array([6.0, 2.0, 0.0]), decide=True)
    assert answer.keep.tolist() == [True, False, True, True, True]
    assert answer.proven_optimal.tolist() == [False, False, True]


# -- finite horizon -----------------------------------------------------------------------------------------------


def timed_values(rng, truth):
    """Values of each time step, near the truth and far from it, also at the last step."""
    size = max(abs(float(x)) for row in truth for x in row) + 1.0
    for noise in (0.0, 1e-12, 1e-3, 1.0):
        yield np.array([[float(x) + noise * size * rng.uniform(-1, 1) for x in row] for row in truth])


def test_finite_horizon_interval_holds_for_any_values():  # noqa: C901
    dropped = proven = 0
    for seed in range(200):
        rng = random.Random(f"finite {seed}")
        mdp = random_model(
            seed, "finite-horizon", exact=seed % 2 == 0, sense=rng.choice(["max", "min"]), S=rng.randint(2, 4),
            cancelling=seed % 4 == 1, by_pair=None if seed % 4 != 1 else False,
        )  # fmt: skip
        policy = random_policy(mdp, seed, stochastic=rng.random() < 0.5)
        of_policy = [inner(mdp, row) for row in reference.exact_policy_value(mdp, policy)]
        truth = reference.exact_optimal_value(mdp)
        optimum = [inner(mdp, row) for row in truth]
        for values, judge in ((optimum, certifier(mdp)), (of_policy, certifier(mdp, policy))):
            for v in timed_values(rng, values):
                found = judge.certificate(v)
                for t in range(len(values)):
                    assert holds(found.lower[t], values[t], found.upper[t]), (seed, t)
                if judge.policy is None:
                    for t in range(mdp.horizon):
                        q = inner(mdp, reference.exact_q(mdp, truth[t + 1]))
                        for i in np.flatnonzero(~found.keep[t]).tolist():
                            assert q[i] < optimum[t][mdp.state_of_row(i)]
                            dropped += 1
        rows = np.empty((mdp.horizon, mdp.S), dtype=mdp.pair_ptr.dtype)
        v = next(timed_values(rng, optimum))
        for t in range(mdp.horizon - 1, -1, -1):
            certifier(mdp).sweeper.optimal(v[t + 1], v[t], rows[t])
        sure = certifier(mdp).certificate(v).proven_optimal
        own = reference.exact_policy_value(mdp, Policy(mdp, rows=rows))
        for t in range(mdp.horizon):
            for s in np.flatnonzero(sure[t]).tolist():
                assert own[t][s] == truth[t][s]
                proven += not mdp.terminal[s]
    assert dropped > 500
    assert proven > 500


def test_finite_horizon_counts_the_rounding_of_the_last_difference():
    """1 - (-1e-17) rounds to 1: the interval at time T must still reach -1e-17."""
    mdp = MDP([[[1.0]]], [[0.0]], 1, horizon=1, final_reward=[-1e-17])
    found = certifier(mdp).certificate(np.array([[1.0], [1.0]]))
    assert (found.lower <= -1e-17).all()
    assert (found.upper >= -1e-17).all()


def test_finite_horizon_certificate_of_nan_is_refused():
    mdp = MDP([[[1.0]]], [[0.0]], 1, horizon=1)
    with pytest.raises(NumericalError, match="state '0'"):
        certifier(mdp).certificate(np.array([[math.nan], [0.0]]))


# -- constants of rounding ----------------------------------------------------------------------------------------


def test_roundings_are_rounded_up_and_no_more():
    for k in (1, 2, 5, 100, 10**6, 2**40):
        exact = k * U / (1 - k * U)
        assert exact <= Fraction(roundings(k)) <= exact * (1 + 8 * U)
    with pytest.raises(NumericalError, match="too long"):
        roundings(2**53)


def test_backup_error_covers_the_formula():
    """E ≥ γ_{n+4} (Rmax + γ Vmax) + n 2**-1074 + τ Vmax + error of r, and not much more."""
    for rng, mdp in adversaries(60):
        vmax = rng.choice([0.0, 1.0, 1e9])
        n = int(np.max(np.diff(mdp.row_ptr)))
        largest = max(float(np.max(np.abs(x))) for x in (mdp.r, mdp.reward) if x is not None)
        rows = zip(mdp.row_ptr[:-1].tolist(), mdp.row_ptr[1:].tolist(), strict=True)
        defect = Fraction(0) if mdp.exact else max(
            abs(1 - sum(Fraction(float(p)) for p in mdp.prob[a:b])) for a, b in rows
        )  # fmt: skip
        k = (n + 4) * U / (1 - (n + 4) * U)
        least = k * (Fraction(largest) + Fraction(mdp.gamma) * Fraction(vmax))
        least += n * Fraction(1, 2**1074) + Fraction(mdp.gamma) * defect * Fraction(vmax)
        found = Fraction(backup_error(mdp, vmax))
        assert found >= least
        summed = mdp.exact is None and mdp.reward is not None
        if summed:
            assert found >= least + ((n + 3) * U + defect) * Fraction(largest)
        else:
            room = Fraction(1, 10**9) * least + defect * Fraction(vmax) + Fraction(1, 10**300)
            assert found <= least + room


def test_backup_of_a_mixture_counts_its_actions():
    mdp = random_model(3, exact=True, S=4)
    sure, mixed = random_policy(mdp, 1, stochastic=False), random_policy(mdp, 1)
    uniform = Policy.uniform(mdp)
    assert backup_error(mdp, 1.0, sure) == backup_error(mdp, 1.0)
    assert backup_error(mdp, 1.0) < backup_error(mdp, 1.0, uniform) < backup_error(mdp, 1.0, mixed)


def test_geometric_sum_is_rounded_toward_where_it_is_told():
    rng = random.Random(7)
    for _ in range(3000):
        gamma = Fraction(rng.randint(0, 10**6), 10**6 + 1) if rng.random() < 0.8 else Fraction(rng.random())
        mdp = MDP([[[1.0]]], [[1.0]], gamma) if gamma < 1 else None
        x = rng.choice([-1, 1]) * 10.0 ** rng.uniform(-300, 200)
        exact = Fraction(x) * gamma / (1 - gamma)
        high, low = geometric(mdp, x, math.inf), geometric(mdp, x, -math.inf)
        assert low <= exact <= high
        assert abs(high - low) <= 1e-9 * abs(float(exact)) + 1e-300


def test_outward_means_outward():
    assert certificates.up(1.0) > 1.0 > certificates.down(1.0)
    assert certificates.up(0.0) == 5e-324 == -certificates.down(0.0)


# -- the arithmetic of the machine --------------------------------------------------------------------------------


class Environment:
    """The floating-point environment of this thread (x86-64, glibc): its control word is at offset 28."""

    def __init__(self):
        self.libm = ctypes.CDLL("libm.so.6")
        self.saved = ctypes.create_string_buffer(64)

    def set(self, bits):
        self.libm.fegetenv(self.saved)
        changed = ctypes.create_string_buffer(self.saved.raw, 64)
        word = ctypes.c_uint32.from_buffer(changed, 28)
        word.value |= bits
        self.libm.fesetenv(changed)

    def restore(self):
        self.libm.fesetenv(self.saved)


@pytest.mark.skipif(
    platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc",
    reason="sets the control word of x86-64",
)
@pytest.mark.parametrize("bits", [0x8000, 0x0040, 0x8040, 0x2000, 0x4000, 0x6000])
def test_flush_to_zero_and_rounding_modes_are_detected(bits):
    environment = Environment()
    environment.set(bits)
    try:
        with pytest.raises(NumericalError, match="not the standard's"):
            check_arithmetic()
    finally:
        environment.restore()
    check_arithmetic()


def test_every_certifier_checks_the_arithmetic(monkeypatch):
    def refuse():
        raise NumericalError("flushed")

    monkeypatch.setattr(base, "check_arithmetic", refuse)
    with pytest.raises(NumericalError, match="flushed"):
        solve(MDP([[[1.0]]], [[1.0]], "1/2"), method="value-iteration")


# -- verify -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", ["discounted", "finite-horizon", "total-reward"])
def test_verify_accepts_the_truth_and_rejects_one_value_moved(problem):
    for seed in range(12):
        for sense in ("max", "min"):
            mdp = random_model(seed, problem, exact=seed % 2 == 0, sense=sense, S=4, ends=1)
            truth = np.array([float(x) for x in np.ravel(np.array(reference.exact_optimal_value(mdp)))])
            truth = truth.reshape(-1, mdp.S) if mdp.horizon is not None else truth
            _, worst = verify(mdp, truth)
            assert worst <= 1e-6, mdp.name
            for at in np.ndindex(truth.shape):
                for step in (1e-4, -1e-4):
                    moved = truth.copy()
                    moved[at] += step
                    _, worst = verify(mdp, moved)
                    assert worst >= 0.99e-4, (mdp.name, at)


def test_verify_of_a_policy_takes_its_own_values():
    mdp = random_model(5, S=4)
    policy = random_policy(mdp, 2)
    own = np.array([float(x) for x in reference.exact_policy_value(mdp, policy)])
    assert verify(mdp, own, policy=policy, evaluation=True)[1] <= 1e-6
    own[0] += 1e-4
    assert verify(mdp, own, policy=policy, evaluation=True)[1] >= 0.99e-4


def test_verify_does_not_believe_the_bounds_of_the_answer():
    mdp = MDP([[[1.0]]], [[1.0]], "1/2")  # v = 2
    certificate, worst = verify(mdp, [3.0], lower=[3.0], upper=[3.0])
    assert certificate.lower[0] <= 2 <= certificate.upper[0]
    assert worst >= 1


def test_the_claimed_upper_end_of_costs_is_tried_as_such():
    """v = 1 + 1/2 · 1/2 v = 4/3 for costs. In the sign of maximisation their upper end is the lower one, and it alone
    gains by the claim."""
    rows = [("s", "go", "s", 0.5, 1), ("s", "go", "end", 0.5, 1)]
    mdp = MDP.from_outcomes(rows, "1/2", terminal=["end"], sense="min")
    rough, right = np.array([5.0, 0.0]), np.array([4 / 3, 0.0])
    alone = verify(mdp, rough)[0]
    above = verify(mdp, rough, upper=right)[0]
    assert alone.lower[0] < -1.4
    assert above.lower[0] == pytest.approx(-4 / 3, abs=1e-12)
    assert np.array_equal(above.upper, alone.upper)
    below = verify(mdp, np.array([0.5, 0.0]), lower=right)[0]
    assert below.upper[0] == pytest.approx(-4 / 3, abs=1e-12)
    assert np.array_equal(below.lower, verify(mdp, np.array([0.5, 0.0]))[0].lower)


def test_verify_judges_the_policy_of_the_answer_too():
    """The optimal values with a policy that does not earn them: the lower bound is the policy's."""
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    certificate, _ = verify(mdp, [2.0], policy=Policy.of_actions(mdp, [1]))
    assert certificate.lower[0] <= 0
    certificate, worst = verify(mdp, [2.0], policy=Policy.of_actions(mdp, [0]))
    assert worst <= 1e-12


@pytest.mark.small
@pytest.mark.parametrize(("gamma", "horizon"), [(0.9, None), (1, None), (1, 3)])
def test_where_every_reward_is_0_so_is_every_value_exactly(gamma, horizon):
    """Sums of zeros are zero. A fraction below the floats is not: its value is not claimed to be 0."""
    third = [("s", "a", "t", "1/3"), ("s", "a", "s", "2/3"), ("s", "b", "t", 1)]

    def of(reward):
        rows = [(*row, reward) for row in third]
        return MDP.from_outcomes(rows, gamma, terminal=["t"], horizon=horizon)

    for found in (solve(of("0")), evaluate(of("0"), Policy.uniform(of("0")))):
        assert not found.lower.any()
        assert not found.upper.any()
        assert (found.bound, start_bounds(found)) == (0, (0, 0))
    assert solve(of("0")).proven_optimal.all()
    small = solve(of("1e-400"))
    assert small.lower.ravel()[0] <= 0 < small.upper.ravel()[0]
