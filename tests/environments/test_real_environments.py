"""Policies of ours earn in Gymnasium's own environments what we say that they earn.

Each test plays with a fresh seed, which it prints, and fails by chance at most once in a million runs: the mean of n
returns is within 4.892 of its standard errors of its expectation that often, by the normal approximation. A model that
is read wrongly, in a way that somebody has read one, is shown to be found.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from blackjack import blackjack

import tabular_rl as t
from tabular_rl import MDP, Policy

gymnasium = pytest.importorskip("gymnasium")

MILLION = 4.892


def make(name, **options):
    return gymnasium.make(name, disable_env_checker=True, **options)


def taxi():
    return make("Taxi-v4" if "Taxi-v4" in gymnasium.registry else "Taxi-v3")


def fresh_seed():
    seed = int(np.random.SeedSequence().entropy % 2**32)
    print("seed", seed)
    return seed


def played(policy, env, episodes, gamma=1.0, **options):
    return policy.as_agent(env, **options).returns(episodes, fresh_seed(), gamma)


def distance(G, value):
    """How many standard errors the mean of returns is from a value; 0 where all are that value."""
    error = float(G.std(ddof=1)) / math.sqrt(len(G))
    off = abs(float(G.mean()) - value)
    return 0.0 if off < 1e-9 else off / error if error else math.inf


def value_of(mdp, policy):
    """The exact value of a policy from the start, at time 0."""
    v = t.evaluate(mdp, policy).v
    return float(mdp.start @ (v[0] if v.ndim == 2 else v))


def without_done(env, gamma):
    """The model that is read where `done` is ignored."""
    P = {
        s: {a: [(p, s2, r, False) for p, s2, r, _ in outcomes] for a, outcomes in row.items()}
        for s, row in env.unwrapped.P.items()
    }
    law = env.unwrapped.initial_state_distrib
    return MDP.from_dictionary(P, gamma, start={s: float(p) for s, p in enumerate(law) if p > 0})


def test_a_lake_with_its_time_limit():
    """100 steps at most: .744 is the chance to get there."""
    lake = make("FrozenLake-v1")
    mdp = MDP.from_gymnasium(lake, horizon=True)
    best = t.solve(mdp).policy
    value = value_of(mdp, best)
    assert value == pytest.approx(0.744, abs=5e-4)
    G = played(best, lake, 1500)
    assert distance(G, value) < MILLION
    # Planted: without the limit one gets there more often.
    endless = MDP.from_gymnasium(lake)
    more = value_of(endless, t.solve(endless).policy)
    assert more == pytest.approx(0.824, abs=5e-4)
    assert distance(G, more) > MILLION


def test_a_cliff_at_a_discount():
    gamma = 0.99
    cliff = make("CliffWalking-v1", is_slippery=True)
    mdp = MDP.from_gymnasium(cliff, gamma=gamma)
    best = t.solve(mdp).policy
    G = played(best, cliff, 300, gamma)
    assert distance(G, value_of(mdp, best)) < MILLION
    # Planted: where done is ignored the walk goes on for ever.
    wrong = without_done(cliff, gamma)
    assert value_of(wrong, t.solve(wrong).policy) == pytest.approx(-100)
    assert distance(G, -100.0) > MILLION


def test_a_taxi_from_all_its_starts():
    gamma, cab = 0.99, taxi()
    mdp = MDP.from_gymnasium(cab, gamma=gamma)
    best = t.solve(mdp).policy
    value = value_of(mdp, best)
    assert value == pytest.approx(6.33, abs=5e-3)
    G = played(best, cab, 500, gamma)
    assert distance(G, value) < MILLION
    # Planted: where done is ignored one passenger pays for ever; and the plain return is another number.
    wrong = without_done(cab, gamma)
    mean = float(wrong.start @ t.solve(wrong).v)
    assert mean == pytest.approx(835, abs=1)
    assert distance(G, mean) > MILLION
    assert distance(played(best, cab, 500), value) > MILLION


def seen(observation):
    """The state of an observation: of the two that look alike, in which one sticks, the later one."""
    return "{},{},{}".format(*observation)


@pytest.mark.parametrize("rules", [{}, {"natural": True}, {"sab": True}], ids=["plain", "natural", "sab"])
def test_cards_by_the_rules(rules):
    """The best policy; and that of the other rules' models is told from it by the pay of naturals alone."""
    cards, mdp = make("Blackjack-v1", **rules), blackjack(**rules)
    best = t.solve(mdp).policy
    assert {best[s] for s in best if s.startswith("21,") and " " in s} <= {"stick"}
    G = played(best, cards, 6000, states=seen)
    assert distance(G, value_of(mdp, best)) < MILLION


def test_copies_play_cards_too():
    """What a hand that is over shows, 26 say, is no state of the model, and need not be one."""
    policy = t.solve(blackjack()).policy
    tables = gymnasium.make_vec("Blackjack-v1", num_envs=4, vectorization_mode="sync")
    assert set(policy.as_agent(tables).returns(200, seed=1).tolist()) == {-1.0, 0.0, 1.0}


def test_cards_by_other_rules_are_found():
    """Planted: a dealer who never busts, and an ace that is never usable, in the model of the random policy."""
    plain = blackjack()
    policy = Policy.uniform(plain)
    G = played(policy, make("Blackjack-v1"), 4000, states=seen)
    assert distance(G, value_of(plain, policy)) < MILLION
    wins = plain.reward == 1
    stern = plain.replace(reward=np.where(wins, 0.0, plain.reward))
    assert distance(G, value_of(stern, policy)) > MILLION


def test_natural_hands_pay_more():
    """1/2 more for a natural that is not met by another 21: it comes 8 times in 169 hands."""
    values = [
        value_of(mdp, t.solve(mdp).policy)
        for mdp in map(lambda how: blackjack(**how), [{}, {"natural": True}])
    ]
    assert 0.02 < values[1] - values[0] < 8 / 169 / 2


def test_the_rules_are_those_of_the_model_that_comes_along():
    """Above 11: mdps/blackjack.toml has the game of the book, without the pay of naturals."""
    ours, theirs = t.solve(blackjack()), t.solve(t.load("example:blackjack"))
    for s, name in enumerate(theirs.mdp.states):
        if name != "over":
            kind, points, _, card = name.split(" ")
            assert ours[f"{points},{card},{int(kind == 'soft')}"] == pytest.approx(theirs.v[s], abs=1e-9)


def test_the_book_has_the_value_of_a_natural():
    """Sutton & Barto's rules: with a natural one draws against a natural dealer, and wins else.

    A dealer who shows a ten has an ace below it once in 13 times, one who shows an ace a ten 4 times in 13.
    """
    mdp = blackjack(sab=True)
    answer = t.solve(mdp, method="rational")
    for card, p in ((10, Fraction(12, 13)), (1, Fraction(9, 13)), (5, Fraction(1))):
        assert answer.exact[mdp.states.at(f"21,{card},1 natural", "state")] == p


def test_an_estimate_earns_what_the_game_pays():
    """The best policy of a sampled model, played in the rules: its loss against the best is small."""
    estimated = MDP.from_gymnasium(make("Blackjack-v1"), sample=10_000, seed=1)
    exact = blackjack()
    actions = t.solve(estimated).policy
    taken = {
        s: actions[s] if estimated.states.find(s) is not None and actions[s] else "stick"
        for s in exact.states
        if s != "over"
    }
    value = value_of(exact, Policy.of_actions(exact, taken))
    assert value_of(exact, t.solve(exact).policy) - 0.05 < value
