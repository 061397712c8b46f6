"""Where a policy spends its time: by hand, in fractions, and where subtraction would lose every digit."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
from reference import exact_chain, exact_policy_value, exact_weights
from sized_models import garnet

from tabular_rl.errors import NoFiniteAnswer, NotAnswerable, NumericalError
from tabular_rl.methods.exact.stationary import gth, occupancy, stationary_distribution, visit_distribution
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy


def chain_of(rows, gamma=1, **more):
    """A model with one action from {state: {next state: probability}}."""
    return MDP.from_outcomes(
        [(s, "go", s2, p, 0) for s, row in rows.items() for s2, p in row.items()], gamma, **more
    )


def both(mdp, function, **more):
    """The answer in Fractions, after a look that the one in floats is near to it."""
    policy = Policy.uniform(mdp)
    exact, floats = (function(mdp, policy, exact=e, **more) for e in (True, False))
    assert floats == pytest.approx(exact.astype(float), rel=1e-12, abs=1e-15)
    return exact.tolist()


def limit(mdp, policy, *, exact):
    return stationary_distribution(mdp, policy, exact=exact).limit


def test_two_states_by_hand():
    """Left with 1/10 and 1/5: μ = (2/3, 1/3)."""
    mdp = chain_of({"a": {"a": "9/10", "b": "1/10"}, "b": {"a": "1/5", "b": "4/5"}})
    assert both(mdp, limit) == [F(2, 3), F(1, 3)]


def test_weather_of_three_states():
    """Kemeny & Snell's Land of Oz: rain 2/5, nice 1/5, snow 2/5."""
    oz = {
        "rain": {"rain": "1/2", "nice": "1/4", "snow": "1/4"},
        "nice": {"rain": "1/2", "snow": "1/2"},
        "snow": {"rain": "1/4", "nice": "1/4", "snow": "1/2"},
    }
    assert both(chain_of(oz), limit) == [F(2, 5), F(1, 5), F(2, 5)]


def test_period_does_not_matter():
    assert both(chain_of({0: {1: 1}, 1: {2: 1}, 2: {0: 1}}), limit) == [F(1, 3)] * 3


def test_gamblers_ruin_ends_by_the_odds():
    """Fair game from 1 of 4: rich with 1/4. Two absorbing classes, the rest is left for good."""
    rows = {s: {s - 1: "1/2", s + 1: "1/2"} for s in (1, 2, 3)}
    mdp = chain_of(rows, terminal=[0, 4], start={1: 1})
    assert both(mdp, limit) == [0, 0, 0, F(3, 4), F(1, 4)]
    found = stationary_distribution(mdp, Policy.uniform(mdp), exact=True)
    assert [c.tolist() for c in found.classes] == [[3], [4]]
    assert found.weights.tolist() == [F(3, 4), F(1, 4)]


def test_several_classes():
    """From a with 1/3 into the swap of b and c, with 2/3 into d, which stays."""
    mdp = chain_of(
        {"a": {"b": "1/3", "d": "2/3"}, "b": {"c": 1}, "c": {"b": 1}, "d": {"d": 1}}, start={"a": 1}
    )
    assert both(mdp, limit) == [0, F(1, 6), F(1, 6), F(2, 3)]
    found = stationary_distribution(mdp, Policy.uniform(mdp))
    assert found.distributions.tolist() == [[0, 0.5, 0.5, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("seed", range(8))
def test_distributions_are_kept_by_the_chain(seed):
    mdp = garnet(seed, S=7, actions=2, branching=2, ends=seed % 2)
    policy = Policy.uniform(mdp)
    rows = exact_chain(mdp, exact_weights(policy))
    found = stationary_distribution(mdp, policy, exact=True)
    for mu in [*found.distributions, found.limit]:
        after = [mu[s] if mdp.terminal[s] else F(0) for s in range(mdp.S)]
        for s, (successors, _) in enumerate(rows):
            for s2, p in successors.items():
                after[s2] += mu[s] * p
        assert after == mu.tolist()
        assert sum(mu) == 1
    assert sum(found.weights) == 1
    assert stationary_distribution(mdp, policy).limit == pytest.approx(found.limit.astype(float), rel=1e-12)


def test_no_digits_are_lost_where_states_hardly_meet():
    """Two pairs of states that meet with 1e-14: all entries right to 15 digits, where I - P is singular to working
    precision."""
    e = 2.0**-46
    P = np.array(
        [[0.5 - e, 0.5, e, 0], [0.25, 0.75, 0, 0], [0, 0, 0.5, 0.5], [3 * e, 0, 0.125 - 3 * e, 0.875]]
    )
    E = F(1, 2**46)
    # Flow across the cut: μ0 e = μ3 3e. Within: (μ0 + ...) by balance of states 1 and 2.
    mu0 = F(1)
    mu3 = mu0 / 3
    mu1 = mu0 * F(1, 2) / F(1, 4)
    mu2 = (mu0 * E + mu3 * (F(1, 8) - 3 * E)) / F(1, 2)
    total = mu0 + mu1 + mu2 + mu3
    assert gth(P) == pytest.approx([float(x / total) for x in (mu0, mu1, mu2, mu3)], rel=1e-15, abs=0)


def test_large_class_is_solved_sparse():
    """A walk on 1500 states, up with 1/4 and down with 1/5: μ(k + 1) / μ(k) = 5/4 up to the edges."""
    n = 1500
    rows = {k: {max(k - 1, 0): "1/5", min(k + 1, n - 1): "1/4"} for k in range(n)}
    for k, row in rows.items():
        row[k] = 1 - sum(F(p) for s, p in row.items() if s != k)
    mdp = chain_of(rows)
    mu = stationary_distribution(mdp, Policy.uniform(mdp)).limit
    assert mu[-1] == pytest.approx(0.2, rel=1e-9)  # 1 - 4/5
    assert mu.sum() == pytest.approx(1)
    assert mu[-300:][1:] / mu[-300:][:-1] == pytest.approx(1.25, rel=1e-9)


def test_large_class_that_hardly_meets_is_an_error():
    """Two rings of 600 states, from one to the other with 2**-40."""
    e = F(1, 2**40)
    rows = {k: {(k + 1) % 600: 1} for k in range(600)} | {
        k: {600 + (k - 599) % 600: 1} for k in range(600, 1200)
    }
    rows[0], rows[600] = {1: 1 - e, 600: e}, {601: 1 - e, 0: e}
    mdp = chain_of(rows)
    with pytest.raises(NumericalError, match="hardly meet"):
        stationary_distribution(mdp, Policy.uniform(mdp))


# -- visits ---------------------------------------------------------------------------------------------------------


def test_visits_by_hand():
    """Half of the time one goes on: 1 + 1/2 + 1/4 + ... = 2 visits at γ = 1, 4/3 at γ = 1/2; none at the end."""
    rows = {"s": {"s": "1/2", "end": "1/2"}}
    assert both(chain_of(rows, terminal=["end"]), visit_distribution) == [2, 0]
    assert both(chain_of(rows, "1/2", terminal=["end"]), visit_distribution) == [F(4, 3), 0]
    assert both(chain_of(rows, "1/2", terminal=["end"]), visit_distribution, normalized=True) == [1, 0]


@pytest.mark.parametrize("ends", [0, 1])
@pytest.mark.parametrize("seed", range(5))
def test_visits_earn_what_the_start_is_worth(seed, ends):
    mdp = garnet(seed, S=7, actions=2, branching=2, ends=ends)
    policy = Policy.of_table(mdp, np.where(mdp.terminal, 0, 1)[:, None] * np.array([[0.3, 0.7]]))
    x = occupancy(mdp, policy, exact=True)
    live = mdp.S - ends
    rewards = [mdp.rational(i)[1] for i in range(mdp.L)]
    assert sum(a * r for a, r in zip(x, rewards, strict=True)) == sum(exact_policy_value(mdp, policy)) / live
    if not ends:
        assert sum(x) == 10  # 1 / (1 - γ)
    assert occupancy(mdp, policy) == pytest.approx(x.astype(float), rel=1e-12)
    assert occupancy(mdp, policy, normalized=True).sum() == pytest.approx(1)


def test_endless_visits_are_refused_only_where_they_are_met():
    rows = {"a": {"end": 1}, "b": {"b": 1}}
    with pytest.raises(NoFiniteAnswer, match="'b'"):
        visit_distribution(chain_of(rows, terminal=["end"]), Policy.uniform(chain_of(rows, terminal=["end"])))
    mdp = chain_of(rows, terminal=["end"], start={"a": 1})
    assert both(mdp, visit_distribution) == [1, 0, 0]
    with pytest.raises(NotAnswerable):
        visit_distribution(mdp.replace(horizon=2), Policy.uniform(mdp))
