"""Rational arithmetic: fractions by hand, by elimination, by brute force over policies."""

from __future__ import annotations

import math
import sys
from fractions import Fraction as F
from math import nextafter

import numpy as np
import pytest
from reference import exact_optimal_rows, exact_optimal_value, exact_policy_value, exact_q

from tabular_rl.errors import NoFiniteAnswer, OptionError
from tabular_rl.methods.exact import _integers, _lifting
from tabular_rl.methods.exact._integers import lowest_terms, solve_integers
from tabular_rl.methods.exact._lifting import joined, lifted, powers, remainder_by, small_fraction
from tabular_rl.methods.exact.rational import rational, rational_evaluation, rational_values
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.run import Run, Stop
from tabular_rl.solving.solution import Status


@pytest.fixture
def no_flint(monkeypatch):
    monkeypatch.setitem(sys.modules, "flint", None)


def two_states(gamma):
    """Puterman (1994), Example 6.2.1: stay for 5 and go with 1/2, or go for 10; then -1 forever."""
    return MDP.from_outcomes(
        [(0, "a", 0, "1/2", 5), (0, "a", 1, "1/2", 5), (0, "b", 1, 1, 10), (1, "c", 1, 1, -1)], gamma
    )


def gambler(p="2/5", goal=100):
    outcomes = []
    for s in range(1, goal):
        for stake in range(1, min(s, goal - s) + 1):
            outcomes.append((s, stake, s + stake, p, int(s + stake == goal)))
            outcomes.append((s, stake, s - stake, 1 - F(p), 0))
    return MDP.from_outcomes(outcomes, 1, terminal=[0, goal])


def random_model(rng, gamma, horizon=None, sense="max", exact=True):
    S, ends = int(rng.integers(1, 6)), int(rng.integers(0, 3))
    outcomes = []
    for s in range(S):
        for a in range(rng.integers(1, 4)):
            weights = rng.integers(1, 10, rng.integers(1, 4))
            for w in weights.tolist():
                p, r = F(w, int(weights.sum())), int(rng.integers(-5, 6))
                outcomes.append((s, a, int(rng.integers(0, S + ends)), p if exact else float(p), r))
    terminal = range(S, S + ends)
    return MDP.from_outcomes(
        outcomes, gamma, states=range(S + ends), terminal=terminal, sense=sense, horizon=horizon
    )


def flat(v):
    return [x for row in v for x in row] if isinstance(v[0], list) else v


def check(mdp):
    """Compare every promise of `rational` on a model with the oracle, or return False where it has no finite answer."""
    try:
        v = exact_optimal_value(mdp)
    except ArithmeticError:
        with pytest.raises(NoFiniteAnswer):
            rational(mdp)
        return False
    answer = rational(mdp)
    assert list(answer.exact) == flat(v)
    assert answer.status is Status.EXACT
    assert answer.proven_optimal.all()
    assert exact_policy_value(mdp, answer.policy) == v
    if mdp.horizon is None:
        assert answer.optimal_actions.tolist() == exact_optimal_rows(mdp, v)
    else:
        q = [exact_q(mdp, v[t + 1]) for t in range(mdp.horizon)]
        ties = [[q[t][i] == v[t][mdp.state_of_row(i)] for i in range(mdp.L)] for t in range(mdp.horizon)]
        assert answer.optimal_actions.tolist() == ties
    for x, near, low, high in zip(
        answer.exact, answer.v.ravel(), answer.lower.ravel(), answer.upper.ravel(), strict=True
    ):
        assert near == x.numerator / x.denominator
        assert F(low) <= x <= F(high)
        assert high == (low if F(low) == x else nextafter(low, np.inf))
        assert max(high - near, near - low) <= answer.bound
    return True


# -- by hand --------------------------------------------------------------------------------------------------------


def test_putermans_two_states():
    """γ = .95: going costs 1 / (1 - γ) = 20 each way; 10 - 19 = -9 beats (5 - 9.5) / (1 - .475) = -60/7."""
    answer = rational(two_states("0.95"))
    stay, go = F(5) / (1 - F("0.475")) - F("0.475") * 20 / (1 - F("0.475")), F(10) - 19
    assert answer.exact == (max(stay, go), F(-20))
    assert answer.policy["0"] == ("a" if stay > go else "b")


def test_putermans_tie_at_ten_elevenths():
    """At γ = 10/11 both actions are worth 0 in state 0: (5 + 5 γ v1) / (1 - γ/2) with v1 = -11, and 10 - 10."""
    answer = rational(two_states("10/11"))
    assert answer.exact == (F(0), F(-11))
    assert answer.optimal_actions.tolist() == [True, True, True]
    assert answer.policy["0"] == "a"
    assert answer.bound == 0.0


def test_recycling_robot_in_closed_form():
    """Search when high, recharge when low: h = r / (1 - γ α - γ² (1 - α)) = 2 / (1 - .63 - .243)."""
    mdp = MDP.from_outcomes(
        [("high", "search", "high", "0.7", 2), ("high", "search", "low", "0.3", 2), ("high", "wait", "high", 1, 1),
         ("low", "search", "low", "0.6", 2), ("low", "search", "high", "0.4", -3), ("low", "wait", "low", 1, 1),
         ("low", "recharge", "high", 1, 0)],
        "0.9",
    )  # fmt: skip
    answer = rational(mdp)
    high = 2 / (1 - F("0.63") - F("0.243"))
    assert answer.exact == (high, F(9, 10) * high)
    assert [answer.policy["high"], answer.policy["low"]] == ["search", "recharge"]


@pytest.mark.usefixtures("no_flint")
def test_gambler_ties_and_bold_play():
    """Bold play at p = 2/5: v(50) = p, v(25) = p², v(75) = p + (1 - p) p; at 51 stakes 1 and 49 tie."""
    answer = rational(gambler())
    mdp = answer.mdp
    values = {s: answer.exact[mdp.states.index(str(s))] for s in (25, 50, 75)}
    assert values == {25: F(4, 25), 50: F(2, 5), 75: F(16, 25)}
    tied = [int(mdp.actions[mdp.pair_action[i]]) for i in mdp.rows(50) if answer.optimal_actions[i]]
    assert mdp.states[50] == "51"
    assert tied == [1, 49]
    assert answer.policy["51"] == "1"


@pytest.mark.parametrize("n", [2, 40])
def test_value_half_way_between_far_ends(n):
    """Half forward, half back to the middle: 2**40 steps to an end, where floats lose 5 digits and more."""
    outcomes = [(0, "go", 1, "1/2", 0), (0, "go", -1, "1/2", 0)]
    for k in range(1, n):
        for side in (1, -1):
            win = int(k == n - 1 and side == 1)
            outcomes += [(side * k, "go", side * (k + 1), "1/2", win), (side * k, "go", 0, "1/2", 0)]
    answer = rational(MDP.from_outcomes(outcomes, 1, terminal=[n, -n]))
    # From k the end is reached straight with 2**(k - n), else the middle decides.
    assert answer.exact[0] == F(1, 2)
    assert answer.exact[1] == F(1, 2) + F(1, 2) ** n
    assert answer.mdp.states[1] == "1"


def test_staying_for_nothing_beats_leaving_at_a_price():
    """x = -1 is a fixed point of Bellman's equation too; v* = 0."""
    mdp = MDP.from_outcomes([("s", "leave", "end", 1, -1), ("s", "stay", "s", 1, 0)], 1, terminal=["end"])
    answer = rational(mdp)
    assert answer.exact == (F(0), F(0))
    assert answer.policy["s"] == "stay"
    assert answer.optimal_actions.tolist() == [False, True]


def test_loop_without_reward_before_a_prize():
    """a and b are one for nothing; from b there is 3. All rows that lose nothing are optimal, and the policy ends."""
    mdp = MDP.from_outcomes(
        [("a", "to b", "b", 1, 0), ("b", "to a", "a", 1, 0), ("b", "win", "end", 1, 3)], 1, terminal=["end"]
    )
    answer = rational(mdp)
    assert answer.exact == (F(3), F(3), F(0))
    assert answer.policy["b"] == "win"
    assert answer.optimal_actions.all()


def test_reward_that_recurs_has_no_finite_answer():
    with pytest.raises(NoFiniteAnswer) as found:
        rational(MDP.from_outcomes([("a", "go", "b", 1, 1), ("b", "go", "a", 1, 1)], 1))
    assert set(found.value.states) == {"a", "b"}


def test_finite_horizon_by_hand():
    """Three decisions, wait for 1 or sell for 4 and stop, γ = 1/2: sell now, or at the end keep the final 10."""
    mdp = MDP.from_outcomes([("s", "wait", "s", 1, 1), ("s", "sell", "end", 1, 4)], "1/2", terminal=["end"])
    mdp = mdp.replace(horizon=3, final_reward=[10.0, 0.0])
    answer = rational(mdp)
    # v_3 = 10; v_2 = max(1 + 5, 4) = 6; v_1 = max(1 + 3, 4) = 4, a tie; v_0 = max(1 + 2, 4) = 4
    assert answer.exact == (F(4), F(0), F(4), F(0), F(6), F(0), F(10), F(0))
    assert answer.v.tolist() == [[4.0, 0.0], [4.0, 0.0], [6.0, 0.0], [10.0, 0.0]]
    assert answer.optimal_actions.tolist() == [[False, True], [True, True], [True, False]]
    assert answer.policy["s"] == ["sell", "wait", "wait"]


def test_finite_horizon_of_costs_by_hand():
    """Two decisions, stay for a cost of 1 or stop for 4, γ = 1/2, and whoever is left pays 10: v_1 = min(1 + 5, 4)."""
    mdp = MDP.from_outcomes(
        [("s", "stay", "s", 1, 1), ("s", "stop", "end", 1, 4)], "1/2", terminal=["end"], sense="min"
    ).replace(horizon=2, final_reward=[10.0, 0.0])
    answer = rational(mdp)
    assert answer.exact == (F(3), F(0), F(4), F(0), F(10), F(0))  # v_0 = min(1 + 4/2, 4)
    assert answer.policy["s"] == ["stay", "stop"]
    staying = Policy.of_actions(mdp, {"s": "stay"})
    assert rational_evaluation(mdp, staying).exact == (F(4), F(0), F(6), F(0), F(10), F(0))


def test_numbers_in_floats_are_their_dyadics_over_their_sum():
    """0.1 is not one tenth there; and three float thirds (they miss 1) are one third each."""
    mdp = MDP([[[1.0]]], [[0.1]], 0.5)
    assert rational(mdp).exact == (2 * F(0.1),)
    third = 1 / 3
    thirds = MDP.from_outcomes([("s", "a", s, third, r) for s, r in (("x", 1.0), ("y", 1.0), ("z", 4.0))], 1,
                               terminal=["x", "y", "z"])  # fmt: skip
    assert sum(map(F, thirds.prob.tolist())) != 1
    assert rational(thirds).exact[0] == 2


def test_costs_are_minimised():
    outcomes = [("s", "stay", "s", 1, 1), ("s", "leave", "end", 1, 3)]
    mdp = MDP.from_outcomes(outcomes, "1/2", terminal=["end"], sense="min")
    answer = rational(mdp)
    assert answer.exact == (F(2), F(0))
    assert answer.policy["s"] == "stay"
    assert answer["s"] == 2.0


# -- against the oracle ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [False, True], ids=["flint", "own"])
@pytest.mark.parametrize("sense", ["max", "min"])
@pytest.mark.parametrize(
    ("gamma", "horizon"), [(0, None), ("9/10", None), ("99/100", None), (1, None), ("9/10", 4)]
)
def test_all_promises_on_random_models(monkeypatch, gamma, horizon, sense, own):
    if own:
        monkeypatch.setitem(sys.modules, "flint", None)
    rng = np.random.default_rng(5)
    finite = sum(check(random_model(rng, gamma, horizon, sense, exact=k % 3 > 0)) for k in range(25))
    assert finite >= 8


@pytest.mark.parametrize(("gamma", "horizon"), [("9/10", None), (0.9, None), (1, None), ("9/10", 3)])
def test_evaluation_on_random_models(gamma, horizon):
    rng, seen = np.random.default_rng(6), 0
    for k in range(40):
        mdp = random_model(rng, gamma, horizon, exact=k % 2 > 0)
        policies = [Policy.uniform(mdp), Policy(mdp, rows=np.where(mdp.terminal, -1, mdp.pair_ptr[:-1]))]
        if mdp.L:
            weights = rng.dirichlet(np.ones(3), mdp.S)[:, : mdp.A]
            q = np.where(np.isinf(mdp.table(np.zeros(mdp.L))), 0, weights) + 0.0
            q[~mdp.terminal] /= q[~mdp.terminal].sum(axis=1, keepdims=True)
            policies.append(Policy.of_table(mdp, q))
        for policy in policies:
            try:
                v = exact_policy_value(mdp, policy)
            except ArithmeticError:
                with pytest.raises(NoFiniteAnswer):
                    rational_evaluation(mdp, policy)
                continue
            answer = rational_evaluation(mdp, policy)
            assert list(answer.exact) == flat(v)
            assert answer.status is Status.EXACT
            seen += 1
    assert seen > 40


def test_policy_that_changes_with_time():
    mdp = MDP.from_outcomes([("s", "one", "s", 1, 1), ("s", "two", "s", 1, 2)], "1/2", horizon=2)
    policy = Policy.of_actions(mdp, np.array([[1], [0]]))
    assert rational_evaluation(mdp, policy).exact == (F(5, 2), F(1), F(0))


def test_values_are_in_the_sign_of_maximisation():
    mdp = MDP.from_outcomes([("s", "pay", "s", 1, 1)], "1/2", sense="min")
    assert rational_values(mdp, Policy.uniform(mdp)) == [F(-2)]
    assert rational_evaluation(mdp, Policy.uniform(mdp)).exact == (F(2),)


# -- the arithmetic -------------------------------------------------------------------------------------------------


def gauss(A, b):
    """x of A x = b by elimination in Fractions."""
    n = len(b)
    work = [[F(A[i].get(j, 0)) for j in range(n)] + [F(b[i])] for i in range(n)]
    for j in range(n):
        pivot = next(i for i in range(j, n) if work[i][j])
        work[j], work[pivot] = work[pivot], work[j]
        work[j] = [x / work[j][j] for x in work[j]]
        for i in range(n):
            if i != j:
                work[i] = [x - work[i][j] * y for x, y in zip(work[i], work[j], strict=True)]
    return [row[n] for row in work]


def number(rng, bits):
    return int.from_bytes(rng.bytes(bits // 8 + 1), "big") - (1 << bits)


@pytest.mark.parametrize("bits", [3, 53, 200])
@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_all_ways_to_solve_a_system_agree(monkeypatch, n, bits):
    rng = np.random.default_rng(n * bits)
    A = [{j: number(rng, bits) for j in range(n)} for _ in range(n)]
    b = [number(rng, bits) for _ in range(n)]
    x = gauss(A, b)

    def check(solve):
        num, den = solve(A, b, Run("", {}))
        assert den > 0
        assert [F(y, den) for y in num] == x

    check(solve_integers)
    check(lifted)
    monkeypatch.setattr(_lifting, "SMALL", 0)  # along the order of least degree
    check(lifted)
    monkeypatch.setitem(sys.modules, "flint", None)
    check(lifted)


@pytest.mark.parametrize("own", [False, True], ids=["flint", "own"])
def test_sparse_systems_of_any_size_of_numbers(monkeypatch, own):
    """Diagonally dominant ones, as those of chains are; right-hand sides up to 300 bits; denominators that cancel."""
    if own:
        monkeypatch.setitem(sys.modules, "flint", None)
    monkeypatch.setattr(_lifting, "SMALL", 4)
    rng = np.random.default_rng(8)
    for _ in range(60):
        n, bits = int(rng.integers(1, 11)), int(rng.integers(1, 90))
        A = [
            {int(j): -abs(number(rng, bits)) - 1 for j in rng.choice(n, min(n, 3), replace=False)}
            for _ in range(n)
        ]
        for i, row in enumerate(A):
            row[i] = 1 - sum(a for j, a in row.items() if j != i)
        b = [number(rng, int(rng.integers(1, 300))) for _ in range(n)]
        num, den = lifted(A, b, Run("", {}))
        assert [F(y, den) for y in num] == gauss(A, b)


def test_nothing_on_the_right_is_nothing():
    assert lifted([{0: 2, 1: -1}, {1: 3}], [0, 0], Run("", {})) == ([0, 0], 1)


def test_lifting_survives_a_matrix_that_is_singular_modulo_the_first_prime():
    p = 268435399  # the largest prime below 2**28
    A, b, run = [{0: p, 1: 1}, {1: 1}], [1, 1], Run("", {})
    num, den = lifted(A, b, run)
    assert [F(x, den) for x in num] == [F(0), F(1)]
    assert _lifting.Lifting(A, b, run).p < p
    assert _lifting.Lifting([{0: 1}, {1: 1}], b, run).p == p


def test_denominators_that_cancel_in_the_mixture_are_found(monkeypatch):
    """x = (1/2, 1/2): a mixture of weights 1 and 1 is 1, and says nothing of the halves; nor of 2**-60."""
    monkeypatch.setattr(np.random, "default_rng", lambda _: Ones())
    for d in (2, 2**60):
        num, den = lifted([{0: d}, {1: d}], [1, d - 1], Run("", {}))
        assert [F(x, den) for x in num] == [F(1, d), F(d - 1, d)]


class Ones:
    """Weights that are all 1."""

    def integers(self, _low, _high, size):
        return np.ones(size, dtype=np.int64)


def test_a_solution_is_never_taken_unproven(monkeypatch):
    """Digits that are wrong lead to no answer: numerators that do not obey A x = b are not returned."""
    monkeypatch.setattr(_lifting.Lifting, "_values", lambda self, _: [1] * self.n)
    with pytest.raises(AssertionError, match="beyond"):
        lifted([{0: 2, 1: 1}, {1: 3}], [1, 1], Run("", {}))


def test_small_fractions_are_met_on_the_way_of_euclid():
    rng = np.random.default_rng(5)
    for bits in (5, 40, 200, 900):
        v = abs(number(rng, bits)) | 1
        u, M = number(rng, bits), 268435399 ** (2 + 2 * bits // 27)
        assert F(*small_fraction(u * pow(v, -1, M) % M, M, math.isqrt(M // 2))) == F(u, v)


@pytest.mark.parametrize("kind", [int, _lifting.whole_kind()], ids=["own", "flint"])
def test_remainders_without_division(kind):
    rng = np.random.default_rng(7)
    for m in (
        1,
        2,
        3,
        4,
        2**64 - 1,
        2**64,
        2**64 + 1,
        268435399**40,
        *(abs(number(rng, 3000)) | 1 for _ in range(9)),
    ):
        remainder = remainder_by(kind(m))
        some = [abs(number(rng, 2 * m.bit_length())) % m**2 for _ in range(20)]
        for x in {0, 1, m - 1, m, m + 1, m * m - m, m * m - 1, *some}:
            if 0 <= x < m * m:
                assert remainder(kind(x)) == x % m


def test_digits_are_joined_whatever_their_number():
    for count in (1, 2, 3, 8, 13):
        digits = list(range(3, 3 + count))
        assert joined(digits, powers(100, count)) == sum(x * 100**k for k, x in enumerate(digits))


@pytest.mark.parametrize("own", [False, True], ids=["flint", "own"])
def test_a_long_denominator_is_kept_once(monkeypatch, own):
    """Numerators that have nothing in common with it share one denominator, which may have a million digits."""
    if own:
        monkeypatch.setitem(sys.modules, "flint", None)
    den = 3**2000
    first, second, third = lowest_terms([2, 3, -(2**9000)], den, Run("", {}))
    assert first.denominator is den is third.denominator
    assert (second.numerator, second.denominator) == (1, 3**1999)


def test_long_fractions_are_in_lowest_terms(monkeypatch):
    rng = np.random.default_rng(6)
    den = abs(number(rng, 3000)) * 2**40 * 3
    num = [number(rng, 2500) * 2**k for k in range(6)] + [den * 7, 5]
    expected = [F(n, den) for n in num]
    for _ in range(2):
        for found, x in zip(lowest_terms(num, den, Run("", {})), expected, strict=True):
            assert (found.numerator, found.denominator) == (x.numerator, x.denominator)
        monkeypatch.setitem(sys.modules, "flint", None)


def ring(S):
    """S states that lead to each other."""
    outcomes = [(s, "go", s2, "1/2", s % 7) for s in range(S) for s2 in ((s + 1) % S, (s + 3) % S)]
    return MDP.from_outcomes(outcomes, "9/10")


@pytest.mark.parametrize("own", [False, True], ids=["flint", "own"])
def test_a_sparse_block_of_hundreds_of_states(monkeypatch, own):
    if own:
        monkeypatch.setitem(sys.modules, "flint", None)
    x = rational(ring(700)).exact
    assert all(x[s] == s % 7 + F(9, 20) * (x[(s + 1) % 700] + x[(s + 3) % 700]) for s in range(700))


def gamblers_coin(n):
    """A fair coin moves a counter up or down between two ends: n - 1 states that lead to each other, v(s) = s / n."""
    outcomes = [(s, "toss", s + d, "1/2", int(s + d == n)) for s in range(1, n) for d in (-1, 1)]
    return MDP.from_outcomes(outcomes, 1, terminal=[0, n])


def test_a_chain_of_thousands_of_states():
    answer = rational(gamblers_coin(2500))
    states = [int(name) for name in answer.mdp.states]
    assert all(x == (F(s, 2500) if s < 2500 else 0) for s, x in zip(states, answer.exact, strict=True))
    assert answer.work["rational solves"] == 1


def test_gains_that_floats_cannot_see_take_few_policies():
    """In each of 60 states one action is better by 10**-30 of a step further: floats take both for the same.

    From s, `left` costs 1 and moves on; `right` costs 1 - 10**-30 k. All are found from the first policy's gaps.
    """
    outcomes = []
    for s in range(60):
        outcomes += [(s, "left", s + 1, 1, 1), (s, "right", s + 1, 1, 1 - F(1 + s % 3, 10**30))]
    answer = rational(MDP.from_outcomes(outcomes, 1, terminal=[60], sense="min"))
    assert answer.exact[0] == sum(1 - F(1 + s % 3, 10**30) for s in range(60))
    assert answer.work["rational solves"] == 2


def test_work_beyond_the_limit_is_refused_with_a_way_out(monkeypatch):
    mdp = ring(200)
    monkeypatch.setattr(_lifting, "MOST", 1e5)
    with pytest.raises(
        OptionError, match=r"found 200 states that lead to each other, .* 1e\+05\. .* without"
    ) as found:
        rational(mdp)
    assert found.value.exit_code == 2
    monkeypatch.setattr(_lifting, "MOST", 1e12)
    monkeypatch.setattr(_lifting, "LONGEST", 1000)
    with pytest.raises(OptionError, match=r"to find them takes .* kB, expected at most 4.0 kB"):
        rational_evaluation(mdp, Policy.uniform(mdp))


def test_lifting_stops_when_its_time_is_over():
    rng = np.random.default_rng(3)
    A = [{j: number(rng, 400) for j in range(120)} for _ in range(120)]
    run = Run("", {}, time_limit=0.05)
    with pytest.raises(Stop):
        lifted(A, [1] * 120, run)


@pytest.mark.usefixtures("no_flint")
def test_limit_is_for_a_block_not_for_the_model():
    """300 states in a row, each with a loop: each is a block of its own. x_s = 1 + (x_s + x_{s+1}) / 4."""
    outcomes = [(s, "go", s2, "1/2", 1) for s in range(300) for s2 in (s, s + 1)]
    x = rational(MDP.from_outcomes(outcomes, "1/2", terminal=[300])).exact
    assert all(x[s] == 1 + (x[s] + x[s + 1]) / 4 for s in range(300))
    assert x[299] == F(4, 3)


def test_time_limit_is_kept():
    mdp = two_states("9/10")
    answer = rational(mdp, time_limit=0)
    assert answer.status is Status.TIME_SPENT
    assert answer.exact is None
    v = exact_optimal_value(mdp)
    assert all(low <= x <= high for low, x, high in zip(answer.lower, v, answer.upper, strict=True))
    answer = rational_evaluation(mdp, Policy.uniform(mdp), time_limit=0)
    assert answer.status is Status.TIME_SPENT
    assert answer.exact is None
    assert rational(mdp.replace(horizon=3), time_limit=0).status is Status.TIME_SPENT


@pytest.mark.parametrize("horizon", [None, 50])
def test_digits_past_the_memory_are_an_error(monkeypatch, horizon):
    monkeypatch.setattr(_integers, "MEMORY", 2000)
    outcomes = [(s, "go", s2, "1/2", 1) for s in range(50) for s2 in (s, s + 1)]
    with pytest.raises(OptionError, match="values of more than 1 GB"):
        rational(MDP.from_outcomes(outcomes, "1/2", terminal=[50], horizon=horizon))


def test_a_policy_on_the_way_that_loses_more_than_floats_hold():
    """The way with the fewest steps costs 1 a try and succeeds once in 10^330; the other costs 1 a step."""
    tries = 10**330
    slow = [("a", "try", "end", F(1, tries), -1), ("a", "try", "a", 1 - F(1, tries), -1)]
    quick = [("a", "walk", "b", 1, -1), ("b", "walk", "end", 1, -1)]
    mdp = MDP.from_outcomes([*slow, *quick], 1, terminal=["end"])
    answer = rational(mdp)
    assert list(answer.exact) == [F(-2), F(-1), F(0)]
    assert answer.optimal_actions.tolist() == [False, True, True]
    assert rational_values(mdp, Policy(mdp, rows=np.array([0, 2, -1])))[0] == -tries
