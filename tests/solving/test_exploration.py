"""Exploration: choices worked out by hand, each probability from the length of its interval of uniforms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tabular_rl import OptionError
from tabular_rl.solving.exploration import (
    BOLTZMANN,
    EPSILON_GREEDY,
    EPSILON_VISITS,
    FIXED,
    KINDS,
    UCB,
    Exploration,
)
from tabular_rl.solving.options import OPTIONS

q = np.array([[9.0, 1.0, 3.0, 2.0, 9.0]])  # rows 1, 2, 3 are those of the state
CUM = np.array([2.0, 0.25, 0.25, 2.0, 2.0])


def chosen(kind, x, u, visits=(7, 1, 1, 1, 7)):
    from tabular_rl.kernels.walk import explore

    return explore(kind, x, 1, 4, CUM, q, np.array([visits], dtype=np.int64), 0, u)


def shares(kind, x, n=1000):
    """The share of a fine comb of uniforms that leads to each row."""
    rows = [chosen(kind, x, (k + 0.5) / n) for k in range(n)]
    return [rows.count(i) / n for i in (1, 2, 3)]


@pytest.mark.parametrize("u", [0.0, 0.5, 1 - 2**-53])
def test_greedy_takes_the_best_row(u):
    assert chosen(EPSILON_GREEDY, 0.0, u) == 2


def test_ties_are_broken_alike():
    """Three best rows share what ε leaves: with ε = 1/4 each has 1/16 + 1/4, the other row 1/16."""
    from tabular_rl.kernels.walk import explore, greedy

    table, n = np.array([[9.0, 3.0, 1.0, 3.0, 3.0, 9.0]]), 4800
    visits = np.ones((1, 6), dtype=np.int64)
    assert greedy(table, 0, 1, 5) == 1
    rows = [explore(1, 0.25, 1, 5, CUM, table, visits, 0, (k + 0.5) / n) for k in range(n)]
    expected = [1 / 16 + 1 / 4, 1 / 16, 1 / 16 + 1 / 4, 1 / 16 + 1 / 4]
    assert [rows.count(i) / n for i in (1, 2, 3, 4)] == pytest.approx(expected, abs=1 / n)


def test_policy_is_followed():
    """Row 2 has probability 0 and is never taken; 0.25 is the first uniform of row 3."""
    assert [chosen(FIXED, 0.0, u) for u in (0.0, np.nextafter(0.25, 0), 0.25, 1 - 2**-53)] == [1, 1, 3, 3]


@pytest.mark.parametrize("epsilon", [0.3, 0.6, 1.0])
def test_epsilon_greedy_explores_alike(epsilon):
    other = epsilon / 3
    assert shares(EPSILON_GREEDY, epsilon, 3000) == pytest.approx([other, 1 - 2 * other, other], abs=1 / 3000)


def test_last_row_is_the_last():
    """u / ε rounds to 1 just below ε: the row must stay one of the state."""
    for epsilon in (0.1, 0.3, 0.7, 1 / 3):
        assert chosen(EPSILON_GREEDY, epsilon, np.nextafter(epsilon, 0)) == 3


@pytest.mark.parametrize("temperature", [0.5, 1.0, 5.0])
def test_boltzmann_weighs_by_the_exponential(temperature):
    weights = [math.exp(x / temperature) for x in (1.0, 3.0, 2.0)]
    expected = [w / sum(weights) for w in weights]
    assert shares(BOLTZMANN, temperature, 4000) == pytest.approx(expected, abs=1.01 / 4000)


def test_boltzmann_at_the_ends_of_its_range():
    """No overflow at a temperature near 0, and none of the last interval is lost."""
    assert {chosen(BOLTZMANN, 1e-300, u) for u in (0.0, 0.5, 1 - 2**-53)} == {2}
    assert shares(BOLTZMANN, 1e300, 999) == pytest.approx([1 / 3] * 3, abs=1 / 999)
    assert chosen(BOLTZMANN, 1.0, 1 - 2**-53) in (2, 3)


def test_upper_confidence_bounds_by_hand():
    """q + c √(ln n / n_a), n = 8: c = 2 gives 1 + 2 √(2.079) = 3.88, 3 + 2 √(2.079 / 6) = 4.18, 2 + 2.88 = 4.88."""
    visits = (7, 1, 6, 1, 7)
    assert chosen(UCB, 2.0, 0.0, visits) == 3
    assert chosen(UCB, 0.5, 0.0, visits) == 2  # 1.72, 3.29, 2.72
    assert chosen(UCB, 0.0, 0.9, visits) == 2
    assert [chosen(UCB, 9.0, u, visits) for u in (0.0, 0.9)] == [1 + 2] * 2  # no chance in it


def test_untried_rows_come_first():
    assert chosen(UCB, 0.0, 0.5, (7, 3, 0, 0, 7)) == 2
    assert chosen(UCB, 0.0, 0.5, (7, 3, 1, 0, 7)) == 3
    assert chosen(UCB, 0.0, 0.5, (0, 0, 0, 0, 0)) == 1


def test_epsilon_falls_with_the_visits_of_the_state():
    """N = 3: after 1 + 6 + 2 visits of the three actions ε = 3 / 12, after none it is 1."""
    n = 1200
    for visits, epsilon in (((7, 1, 6, 2, 7), 1 / 4), ((7, 0, 0, 0, 7), 1)):
        rows = [chosen(EPSILON_VISITS, 3.0, (k + 0.5) / n, visits) for k in range(n)]
        expected = [epsilon / 3, 1 - 2 * epsilon / 3, epsilon / 3]
        assert [rows.count(i) / n for i in (1, 2, 3)] == pytest.approx(expected, abs=1 / n)


def test_ties_may_go_to_the_first():
    """Three best rows: with ε = 1/4 the first has 1/16 + 3/4, the others 1/16; N = 3 after 9 visits is the same ε."""
    from tabular_rl.kernels.walk import explore

    table, n = np.array([[9.0, 3.0, 1.0, 3.0, 3.0, 9.0]]), 1600
    visits = np.array([[7, 4, 2, 2, 1, 7]])
    for text, x in (("epsilon-greedy:0.1", 0.25), ("epsilon-visits:3", 3.0)):
        kind = Exploration.of(text).first_tie
        rows = [explore(kind, x, 1, 5, CUM, table, visits, 0, (k + 0.5) / n) for k in range(n)]
        shares = [rows.count(i) / n for i in (1, 2, 3, 4)]
        assert shares == pytest.approx([13 / 16, 1 / 16, 1 / 16, 1 / 16], abs=1 / n)
    assert Exploration.of("ucb:1").first_tie == UCB and Exploration.of("boltzmann:1").first_tie == BOLTZMANN


def test_what_is_left_of_a_uniform_is_uniform():
    """State 1 of starts (1/4, 1/2, 1/4) takes [1/4, 3/4): 1/4 is 0 again, 1/2 is 1/2, and nothing is 1."""
    from tabular_rl.kernels.walk import leftover

    cum = np.array([0.25, 0.75, 2.0])
    assert [leftover(cum, s, u) for s, u in ((1, 0.25), (1, 0.5), (0, 0.125), (2, 0.875))] == [
        0,
        0.5,
        0.5,
        0.5,
    ]
    assert leftover(cum, 2, 1 - 2**-53) < 1


def test_spelling():
    found = Exploration.of("epsilon-greedy:linear:1:0.1:1e4")
    assert (KINDS[found.code], found.rate.at(1)) == ("epsilon-greedy", 1.0)
    assert found.rate.at(10**6) == pytest.approx(0.1, rel=1e-15)
    assert Exploration.of("greedy").rate.at(5) == 0.0
    assert Exploration.of(found) is found
    assert str(found) == "epsilon-greedy:linear:1:0.1:1e4"
    assert [Exploration.of(f"{kind}:0.5").code for kind in KINDS[1:]] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "wrong",
    [
        "", "x", "epsilon-greedy", "epsilon-greedy:", "epsilon-greedy:1.1", "epsilon-greedy:-0.1", "boltzmann:0",
        "boltzmann:-1", "boltzmann:nan", "ucb:-1", "ucb", "greedy:0.1", "policy:1", "epsilon:0.1", 0.1, None, [], True,
        "boltzmann:linear:1:-1:5", "epsilon-visits:0", "epsilon-visits:-1", "epsilon-visits:1/n", "epsilon-visits",
    ],
)  # fmt: skip
def test_anything_else_is_refused(wrong):
    with pytest.raises(
        OptionError, match=r"^explore: found .*expected epsilon-greedy:RATE, epsilon-visits:N, boltzmann:"
    ):
        OPTIONS["explore"].check(wrong)
