"""Rational arithmetic: fractions by hand, by elimination, by brute force over policies."""

from __future__ import annotations

import signal
import subprocess
import sys
from fractions import Fraction as F
from math import nextafter

import numpy as np
import pytest
from reference import exact_optimal_rows, exact_optimal_value, exact_policy_value, exact_q

from tabular_rl.errors import MissingExtra, NoFiniteAnswer, NumericalError, OptionError
from tabular_rl.methods.exact import _integers
from tabular_rl.methods.exact._integers import dixon, solve_integers
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


@pytest.mark.parametrize("bits", [3, 53, 200])
@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_three_ways_to_solve_a_system_agree(n, bits):
    rng = np.random.default_rng(n * bits)

    def number():
        return int.from_bytes(rng.bytes(bits // 8 + 1), "big") - (1 << bits)

    A = [{j: number() for j in range(n)} for _ in range(n)]
    b = [number() for _ in range(n)]
    x = gauss(A, b)
    for solve in (solve_integers, dixon):
        num, den = solve(A, b, Run("", {}))
        assert den > 0
        assert [F(y, den) for y in num] == x


def test_lifting_survives_a_matrix_that_is_singular_modulo_the_first_prime():
    p = 268435399  # the largest prime below 2**28
    num, den = dixon([{0: p, 1: 1}, {1: 1}], [1, 1], Run("", {}))
    assert [F(x, den) for x in num] == [F(0), F(1)]
    assert _integers.inverse_mod(np.array([[p, 1], [0, 1]], dtype=object))[0] < p


def test_flint_in_a_process_of_its_own(monkeypatch):
    """It holds the interpreter's lock: a long solve runs beside this process, and is killed when time is over."""
    pytest.importorskip("flint")
    A, b = [{0: 2, 1: 1}, {0: -1, 1: 3}], [1, 2**70]
    monkeypatch.setattr(_integers, "QUICK", 0)
    num, den = solve_integers(A, b, Run("", {}))
    assert [F(x, den) for x in num] == gauss(A, b)
    wide = [
        {j: 10**9 * (i == j) + (i * j) % 1009 for j in range(300)} for i in range(300)
    ]  # more than a pipe holds
    num, den = solve_integers(wide, [1] * 300, Run("", {}))
    assert all(sum(a * num[j] for j, a in row.items()) == den for row in wide)
    n = 400
    hard = [{j: 3 ** (50 + (i * j) % 101) + (i == j) * 10**90 for j in range(n)} for i in range(n)]
    children, start = [], subprocess.Popen

    def started(*args, **more):
        children.append(start(*args, **more))
        return children[-1]

    monkeypatch.setattr(subprocess, "Popen", started)
    with pytest.raises(Stop):
        solve_integers(hard, [1] * n, Run("", {}, time_limit=0.3))
    assert [child.returncode for child in children] == [-signal.SIGKILL]
    monkeypatch.setattr(_integers._flint_child, "__file__", "no such file")
    with pytest.raises(NumericalError, match="python-flint ended with code 2"):
        solve_integers(A, b, Run("", {}))


def ring(S):
    """S states that lead to each other."""
    outcomes = [(s, "go", s2, "1/2", s % 7) for s in range(S) for s2 in ((s + 1) % S, (s + 3) % S)]
    return MDP.from_outcomes(outcomes, "9/10")


@pytest.mark.usefixtures("no_flint")
def test_own_arithmetic_ends_at_a_hundred_states():
    answer = rational(ring(100))
    x, mdp = answer.exact, answer.mdp
    assert all(x[s] == s % 7 + F(9, 20) * (x[(s + 1) % 100] + x[(s + 3) % 100]) for s in range(100)), mdp
    for solve in (rational, lambda mdp: rational_evaluation(mdp, Policy.uniform(mdp))):
        with pytest.raises(
            MissingExtra, match=r"found 101 states .* pip install 'tabular-rl\[exact\]'"
        ) as found:
            solve(ring(101))
        assert found.value.exit_code == 2


def test_flint_ends_at_five_hundred_states():
    pytest.importorskip("flint")
    x = rational(ring(500)).exact
    assert all(x[s] == s % 7 + F(9, 20) * (x[(s + 1) % 500] + x[(s + 3) % 500]) for s in range(500))
    with pytest.raises(OptionError, match="found 501 states"):
        rational(ring(501))


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
