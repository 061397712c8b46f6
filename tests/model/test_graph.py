"""Graph facts, and whether a total reward is finite: against a search over all policies in rationals."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from graphs import all_policies, as_model, chain_of, policy_values, random_rows, truth
from sized_models import gridworld

from tabular_rl.errors import NoFiniteAnswer, NumericalError
from tabular_rl.methods.exact.rational import rational, rational_evaluation
from tabular_rl.model.graph import mean, search
from tabular_rl.model.graph.mean import _largest_mean_sign_exact, largest_mean_sign
from tabular_rl.model.graph.reduction import reduced, unreduced, zero_states
from tabular_rl.model.graph.search import (
    Graph,
    almost_surely_reaching,
    can_reach,
    components,
    end_components,
    policy_can_reach,
    reachable,
    recurring,
    repaired,
)
from tabular_rl.model.graph.total import reward_signs, total_reward, zero_of_policy
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.validation import validate
from tabular_rl.solving.sweeps import Sweeper

KINDS = {
    "+inf": ("diverges to +inf", "cost diverges to -inf"),
    "-inf": ("diverges to -inf", "cost diverges to +inf"),
}


@pytest.mark.parametrize("passes", [0, 1, 2, 12])
def test_where_one_row_of_each_state_leads(monkeypatch, passes):
    """Against powers of the graph, also where ways are longer than the passes."""
    monkeypatch.setattr(search, "PASSES", passes)
    rng = np.random.default_rng(passes)
    for _ in range(10):
        S = int(rng.integers(2, 30))
        P = np.zeros((S, 2, S))
        for s, a in itertools.product(range(S), range(2)):
            P[s, a, rng.choice(S, 2, replace=False)] = 0.5
        P[0] = 0
        mdp = MDP(P, np.zeros((S, 2)), 0.9, terminal=[0])
        action = rng.integers(0, 2, S)
        rows = np.where(mdp.terminal, -1, mdp.pair_ptr[:-1] + action)
        target = rng.random(S) < 0.15
        steps = P[np.arange(S), action] > 0
        ever = np.linalg.matrix_power(steps + np.eye(S), S) @ target > 0
        assert policy_can_reach(mdp, rows, target).tolist() == ever.tolist()


def check_facts(quotient):
    """A look at every number finds what is known of the rows that it is made of; those may be off by more."""
    known, found = quotient.facts, validate(quotient, 0.0)
    assert known.mass_defect >= found.mass_defect
    assert known.r_relative >= found.r_relative
    assert replace(known, mass_defect=found.mass_defect, r_relative=found.r_relative) == found
    assert quotient.start.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("models", [100, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["exact", "float64", "by outcome", "costs"])
def test_finiteness_and_values_agree_with_all_policies(kind, models):
    rng = random.Random(f"total {kind}")
    seen = dict.fromkeys(("+inf", "-inf", "unsettled", "both", "finite", "merged"), 0)
    told = untold = 0  # whether all policies end, where they do
    for _ in range(models):
        # Rewards ≤ 0 in half of them: few models of both signs have a finite answer.
        signs = rng.choice(((-1, 0, 0), (-1, 0), (-1, -1, 0, 1), (-1, -1, 1)))
        rows = random_rows(rng, rng.choice((2, 3, 4)), signs=signs, float64=kind == "float64")
        sense = "min" if kind == "costs" else "max"
        mdp = as_model(rows, sense, by_outcome=Fraction(1) if kind == "by outcome" else None)
        what, best = truth(rows)
        seen[what] += 1
        if what != "finite":
            with pytest.raises(NoFiniteAnswer) as caught:
                total_reward(Sweeper(mdp))
            text = str(caught.value)
            if what == "unsettled":
                assert "does not settle" in text
            elif what != "both":
                assert KINDS[what][sense == "min"] in text
            assert caught.value.states
            if what == "-inf":
                assert caught.value.states == tuple(str(s) for s in range(len(rows)) if best[s] == -math.inf)
            continue
        total = total_reward(Sweeper(mdp))
        seen["merged"] += total.merged
        quotient = total.quotient
        check_facts(quotient)
        # v* of the quotient by the same search over all its policies, lifted.
        qrows = rows_of(quotient)
        qbest = [max(v[s] for v in (policy_values(*chain_of(qrows, c)) for c in all_policies(qrows)))
                 for s in range(quotient.S)]  # fmt: skip
        assert [qbest[q] for q in total.of_state] == best
        assert all(qbest[s] == 0 for s in range(quotient.S) if quotient.terminal[s])
        check_policy(rows, mdp, total, total.proper_rows)
        # Every policy of the quotient that may fail to end is worth -inf somewhere, never anything else.
        may_stay = False
        for choice in itertools.islice(all_policies(qrows), 200):
            law, _ = chain_of(qrows, choice)
            v = policy_values(*chain_of(qrows, choice))
            assert ends_surely(law) or not total.must_end
            may_stay |= not ends_surely(law)
            assert all(x > -math.inf for x in v) == ends_surely(law)
            if all(x > -math.inf for x in v):
                check_policy(rows, mdp, total, np.array([-1 if a is None else quotient.pair_ptr[s] + a
                                                         for s, a in enumerate(choice)]))  # fmt: skip
        told += total.must_end
        untold += not may_stay and not total.must_end
    assert told > models // 20 and untold < told
    assert all(n >= models // 100 for n in seen.values()), seen


def rows_of(mdp):
    """A model back as lists, in the sign of maximisation."""
    rows = []
    for s in range(mdp.S):
        rows.append([])
        for i in mdp.rows(s):
            outcomes, r = mdp.rational(i)
            law = {}
            for s2, p in outcomes:
                law[s2] = law.get(s2, Fraction(0)) + p
            rows[s].append((int(mdp.pair_action[i]), law, int(mdp.sign) * r, None))
    return rows


def ends_surely(law):
    S = len(law)
    can = {s for s in range(S) if not law[s]}
    while more := {s for s in range(S) if s not in can and any(law[s][t] > 0 for t in law[s] if t in can)}:
        can |= more
    return len(can) == S


def check_policy(rows, mdp, total, chosen):
    """A policy of the quotient that ends surely, lifted, is worth the same from every state."""
    qrows, quotient = rows_of(total.quotient), total.quotient
    choice = [None if i < 0 else int(i) - int(quotient.pair_ptr[s]) for s, i in enumerate(chosen)]
    values = policy_values(*chain_of(qrows, choice))
    assert all(isinstance(x, Fraction) for x in values)
    lifted = total.lift_rows(np.asarray(chosen))
    assert ((lifted >= 0) == ~mdp.terminal).all()
    assert (mdp.pair_state[lifted[lifted >= 0]] == np.flatnonzero(~mdp.terminal)).all()
    own = [None if i < 0 else int(i) - int(mdp.pair_ptr[s]) for s, i in enumerate(lifted)]
    assert policy_values(*chain_of(rows, own)) == [values[q] for q in total.of_state]


def test_prediction_agrees_with_the_chain():
    rng = random.Random("policy total")
    seen = {True: 0, False: 0, "zero": 0}
    for _ in range(400):
        rows = random_rows(rng, rng.choice((2, 3, 4)), signs=(-1, 0, 0, 1))
        mdp = as_model(rows, rng.choice(("max", "min")))
        probs = []
        law, r = [], []
        for own in rows:
            cuts = [rng.choice((0, 1, 1, 2)) for _ in own] if len(own) > 1 else [1] * len(own)
            cuts = cuts if sum(cuts) or not own else [1] * len(own)
            weights = [Fraction(c, sum(cuts)) for c in cuts]
            probs += weights
            mixed = {}
            for w, (_, p, _, _) in zip(weights, own, strict=True):
                for s2 in p:
                    mixed[s2] = mixed.get(s2, Fraction(0)) + w * p[s2]
            law.append(mixed)
            r.append(sum((w * x[2] for w, x in zip(weights, own, strict=True)), Fraction(0)))
        from tabular_rl.model.rationals import RationalArray

        policy = Policy(mdp, probs=np.array([float(p) for p in probs]), exact=RationalArray.of(probs))
        values = policy_values(law, r)
        finite = all(isinstance(x, Fraction) for x in values)
        seen[finite] += 1
        if finite:
            zero = zero_of_policy(mdp, policy)
            assert zero[mdp.terminal].all()
            assert all(values[s] == 0 for s in np.flatnonzero(zero))
            seen["zero"] += bool((zero & ~mdp.terminal).any())
        else:
            with pytest.raises(NoFiniteAnswer, match="never terminates"):
                zero_of_policy(mdp, policy)
    assert all(n >= 20 for n in seen.values()), seen


@pytest.mark.small
def test_graph_searches_agree_with_closures():  # noqa: C901
    rng = random.Random("graph")
    for _ in range(300):
        S = rng.choice((2, 3, 5, 6))
        rows = random_rows(rng, S)
        mdp = as_model(rows)
        use = np.array([rng.random() < 0.8 for _ in range(mdp.L)], dtype=bool)
        edge = [[False] * S for _ in range(S)]
        for i in np.flatnonzero(use):
            for s2, p in mdp.rational(i)[0]:
                edge[mdp.state_of_row(i)][s2] |= p > 0
        reach = [[edge[i][j] or i == j for j in range(S)] for i in range(S)]
        for k, i, j in itertools.product(range(S), repeat=3):
            reach[i][j] = reach[i][j] or (reach[i][k] and reach[k][j])
        given = np.array([rng.random() < 0.4 for _ in range(S)])
        expected = [any(given[t] and reach[t][s] for t in range(S)) for s in range(S)]
        assert reachable(mdp, given, use).tolist() == expected
        assert can_reach(mdp, given, use).tolist() == [
            any(given[t] and reach[s][t] for t in range(S)) for s in range(S)
        ]
        count, label = components(mdp, use)
        assert count == len(set(label.tolist()))
        for s, t in itertools.product(range(S), repeat=2):
            assert (label[s] == label[t]) == (reach[s][t] and reach[t][s])
            assert label[t] <= label[s] or not edge[s][t]
        # Which sets of states can be kept forever: all subsets.
        inside = [-1] * S
        laws = [
            [{t for t, p in mdp.rational(i)[0] if p > 0} for i in mdp.rows(s) if use[i]] for s in range(S)
        ]
        for size in range(1, S + 1):
            for states in itertools.combinations(range(S), size):
                if closed_and_connected(states, laws):
                    for s in states:
                        inside[s] = states
        found = end_components(mdp, use)[0]
        for s, t in itertools.product(range(S), repeat=2):
            assert (found[s] < 0) == (inside[s] == -1)
            if found[s] >= 0 and found[t] >= 0:
                assert (found[s] == found[t]) == (inside[s] == inside[t])


def closed_and_connected(states, laws):
    kept = {s: [law for law in laws[s] if law <= set(states)] for s in states}
    if not all(kept.values()):
        return False
    for s in states:
        seen, todo = {s}, [s]
        while todo:
            for t in set().union(*kept[todo.pop()]) - seen:
                seen.add(t)
                todo.append(t)
        if seen != set(states):
            return False
    return True


def test_sure_reaching_agrees_with_all_policies():
    rng = random.Random("sure")
    for _ in range(300):
        rows = random_rows(rng, rng.choice((2, 3, 4)))
        mdp = as_model(rows)
        target = np.array([rng.random() < 0.3 for _ in range(mdp.S)])
        best = [Fraction(0)] * mdp.S
        for choice in all_policies(rows):
            law, _ = chain_of(rows, choice)
            law = [{} if target[s] else law[s] or {s: Fraction(1)} for s in range(mdp.S)]
            for s in range(mdp.S):
                best[s] = max(best[s], Fraction(sure(law, s, target)))
        mask, chosen = almost_surely_reaching(mdp, target)
        assert mask.tolist() == [b == 1 for b in best]
        law = [{} if target[s] or chosen[s] < 0 else dict(mdp.rational(chosen[s])[0]) for s in range(mdp.S)]
        assert all(sure(law, s, target) for s in np.flatnonzero(mask))


def sure(law, s, target):
    """From s the chain meets the target with probability 1: whatever it can reach can reach the target."""
    seen, todo = {s}, [s]
    while todo:
        for t in law[todo.pop()]:
            if t not in seen:
                seen.add(t)
                todo.append(t)

    def can(t):
        met, todo = {t}, [t]
        while todo:
            u = todo.pop()
            if target[u]:
                return True
            todo += [x for x in law[u] if x not in met]
            met |= set(law[u])
        return False

    return all(can(t) for t in seen)


# -- by hand ------------------------------------------------------------------------------------------------------


@pytest.mark.small
def test_ring_with_reward_diverges():
    ring = MDP([[[0, 1]], [[1, 0]]], [[1], [1]], 1, states=["a", "b"])
    with pytest.raises(NoFiniteAnswer, match=r"diverges to \+inf.*'a', 'b'"):
        total_reward(Sweeper(ring))
    with pytest.raises(NoFiniteAnswer, match="diverges to -inf"):
        total_reward(Sweeper(MDP([[[0, 1]], [[1, 0]]], [[-1], [-1]], 1)))
    with pytest.raises(NoFiniteAnswer, match=r"cost diverges to -inf.*'0', '1'"):
        total_reward(Sweeper(MDP([[[0, 1]], [[1, 0]]], [[-1], [-1]], 1, sense="min")))


@pytest.mark.small
def test_ring_with_mean_zero_does_not_settle():
    with pytest.raises(NoFiniteAnswer, match=r"does not settle.*'0', '1'"):
        total_reward(Sweeper(MDP([[[0, 1]], [[1, 0]]], [[1], [-1]], 1)))


def test_a_tenth_ten_times_is_one():
    # 0.1 ten times round the ring and -1: zero in decimals, not in the sum of floats.
    S = 11
    rows = [(s, "go", (s + 1) % S, 1, "0.1" if s < 10 else -1) for s in range(S)]
    with pytest.raises(NoFiniteAnswer, match="does not settle"):
        total_reward(Sweeper(MDP.from_outcomes(rows, 1)))
    # As floats 0.1 is more than a tenth: 10 Fraction(0.1) > 1.
    assert 10 * Fraction(0.1) > 1
    floats = [(s, a, s2, p, float(r)) for s, a, s2, p, r in rows]
    with pytest.raises(NoFiniteAnswer, match=r"\+inf"):
        total_reward(Sweeper(MDP.from_outcomes(floats, 1)))


def test_a_mean_that_floats_cannot_see():
    # +1 and -1 - 1e-40: the mean is negative, by less than any rounding. Leaving is worth 0.
    rows = [("a", "go", "b", 1, 1), ("b", "go", "a", 1, "-1.0000000000000000000000000000000000000001"),
            ("a", "end", "t", 1, 0), ("b", "end", "t", 1, 0)]  # fmt: skip
    total = total_reward(Sweeper(MDP.from_outcomes(rows, 1, terminal=["t"])))
    assert not total.merged


@pytest.mark.small
def test_rewards_that_cancel_are_zero():
    # A fair coin for ±0.1, and a third of three against a half of two: exactly 0, whatever the floats say.
    coin = [("s", "toss", "s", "1/2", "0.1"), ("s", "toss", "s", "1/2", "-0.1"), ("s", "end", "t", 1, "-1")]
    assert total_reward(Sweeper(MDP.from_outcomes(coin, 1, terminal=["t"]))).merged
    uneven = [("s", "toss", "s", "1/3", "0.2"), ("s", "toss", "s", "2/3", "-0.1"), ("s", "end", "t", 1, "-1")]
    assert total_reward(Sweeper(MDP.from_outcomes(uneven, 1, terminal=["t"]))).merged
    floats = [("s", "toss", "s", 0.1, 0.27), ("s", "toss", "s", 0.9, -0.03), ("s", "end", "t", 1.0, -1.0)]
    mdp = MDP.from_outcomes(floats, 1, terminal=["t"])
    expected = Fraction(0.1) * Fraction(0.27) + Fraction(0.9) * Fraction(-0.03)
    assert expected != 0
    assert reward_signs(mdp)[mdp.row("s", "toss")] == (1 if expected > 0 else -1)


def test_a_probability_below_all_floats_is_an_edge():
    rows = [("s", "go", "s", 1 - Fraction(1, 10**400), 0), ("s", "go", "t", Fraction(1, 10**400), 0)]
    mdp = MDP.from_outcomes(rows, 1, terminal=["t"])
    assert mdp.prob.min() == 0
    assert end_components(mdp)[0].tolist() == [-1, -1]
    listed = MDP([[[1, 0], [1, 0]], [[0, 0], [0, 0]]], np.zeros((2, 2)), 1, terminal=[1], axes="sas")
    assert can_reach(listed, listed.terminal).tolist() == [False, True]


def test_a_policy_that_leaves_with_a_probability_below_all_floats_ends():
    # Stay for 0, or leave for 1 with 10^-400: it leaves at last, so s is not worth the 0 of a state that is kept.
    mdp = MDP.from_outcomes([("s", "stay", "s", 1, 0), ("s", "leave", "t", 1, 1)], 1, terminal=["t"])
    least = Fraction(1, 10**400)
    policy = Policy.of_probs(mdp, {"s": {"stay": 1 - least, "leave": least}})
    assert policy.weights.tolist() == [1, 0]
    assert zero_of_policy(mdp, policy).tolist() == [False, True]
    assert rational_evaluation(mdp, policy).exact == (1, 0)


@pytest.mark.small
def test_tiny_rewards_may_stay():
    mdp = MDP.from_outcomes([("s", "leave", "t", 1, -1), ("s", "stay", "s", 1, 0)], 1, terminal=["t"])
    total = total_reward(Sweeper(mdp))
    q = total.quotient
    assert (q.S, q.L, total.row_of.tolist()) == (3, 2, [0, -1])
    stay = np.array([int(np.flatnonzero(total.row_of == -1)[0]), -1, -1])
    assert total.lift_rows(stay).tolist() == [mdp.row("s", "stay"), -1]
    assert total.lift_keep(np.array([False, True])).tolist() == [False, True]
    assert total.lift_keep(np.array([True, False])).tolist() == [True, True]
    assert total.lower_values(np.array([7.0, 3.0])).tolist() == [7, 0, 0]


def test_a_model_without_zero_loops_is_its_own_quotient():
    mdp = MDP.from_outcomes([("s", "go", "t", 1, -1)], 1, terminal=["t"])
    total = total_reward(Sweeper(mdp))
    assert total.quotient is mdp
    assert total.proper_rows.tolist() == [0, -1]


@pytest.mark.small
def test_always_north_never_ends():
    # Sutton & Barto, example 4.1: 4x4, two corners terminal, -1 a move, bumps stay.
    mdp = gridworld()
    north = Policy.of_actions(mdp, np.where(mdp.terminal, -1, 0))
    with pytest.raises(NoFiniteAnswer) as caught:
        zero_of_policy(mdp, north)
    # Column 0 leads to the corner; the top row of the others bumps forever.
    assert caught.value.states == ("1", "2", "3")
    assert zero_of_policy(mdp, Policy.uniform(mdp)).tolist() == mdp.terminal.tolist()


def test_a_random_walk_of_a_hundred_thousand_states_is_quick_to_search():
    # Each state dropped costs it neighbours: one pass a state would take hours.
    S = 100_000
    outcomes = np.stack([np.arange(S) - 1, np.arange(S) + 1], 1)[1:-1].ravel()
    terminal = np.zeros(S, dtype=bool)
    terminal[[0, -1]] = True
    mdp = MDP.from_rows(
        pair_ptr=np.concatenate([[0, 0], np.arange(1, S - 1), [S - 2]]), pair_action=np.zeros(S - 2, dtype=int),
        row_ptr=2 * np.arange(S - 1), next_state=outcomes, prob=np.full(2 * (S - 2), 0.5), r=np.zeros(S - 2), gamma=1,
        terminal=terminal,
    )  # fmt: skip
    assert (end_components(mdp)[0] == -1).all()
    assert almost_surely_reaching(mdp, terminal)[0].all()
    assert components(mdp)[0] == 3


def test_large_component_of_both_signs():
    # A grid of -1 with a bonus of .5 in one cell: back and forth earns -1/2 in two moves, and 1.5 makes it +1/2.
    for bonus, sign in ((0.5, -1), (1.5, 1), (1.0, 0)):
        mdp = gridworld(30, ends=[0])
        r = np.array(mdp.r)
        r[mdp.rows(400)[0] : mdp.rows(400)[-1] + 1] = bonus
        changed = MDP.from_rows(
            pair_ptr=mdp.pair_ptr, pair_action=mdp.pair_action, row_ptr=mdp.row_ptr, next_state=mdp.next_state,
            prob=mdp.prob, r=r, gamma=1, terminal=mdp.terminal,
        )  # fmt: skip
        if sign < 0:
            assert total_reward(Sweeper(changed)).quotient is changed
        else:
            with pytest.raises(NoFiniteAnswer, match="inf" if sign > 0 else "settle") as caught:
                total_reward(Sweeper(changed))
            assert "400" in caught.value.states
            assert len(caught.value.states) == 2


def test_a_zero_cycle_hidden_by_a_bad_policy():
    # Staying in a and going slowly from b has mean -1 with h = (0, -1): then the ring +1, -1 ties with h exactly.
    rows = [
        ("a", "stay", "a", 1, -1),
        ("a", "go", "b", 1, 1),
        ("b", "go", "a", 1, -1),
        ("b", "slow", "a", 1, -2),
    ]
    part = MDP.from_outcomes(rows, 1)
    poor = np.array([part.row("a", "stay"), part.row("b", "slow")])
    sign, cycle = _largest_mean_sign_exact(part, poor)
    assert (sign, cycle.tolist()) == (0, [True, True])
    # And a ring of mean 0 beside a loop of mean 1.
    better = MDP.from_outcomes([*rows, ("b", "earn", "b", 1, 1)], 1)
    even = np.array([better.row("a", "go"), better.row("b", "go")])
    sign, cycle = _largest_mean_sign_exact(better, even)
    assert (sign, cycle.tolist()) == (1, [False, True])


@pytest.mark.parametrize(("gains", "sign"), [(1, -1), (299, 1), (150, 0)])
def test_long_rings(gains, sign):
    # 300 states in a ring, `gains` of them +1 and the rest -1, and a way out.
    S = 300
    order = [1] * gains + [-1] * (S - gains)
    random.Random(0).shuffle(order)
    rows = [(s, "on", (s + 1) % S, 1, r) for s, r in enumerate(order)]
    mdp = MDP.from_outcomes([*rows, (0, "out", "end", 1, 0)], 1, terminal=["end"])
    if sign < 0:
        assert total_reward(Sweeper(mdp)).quotient is mdp
    else:
        with pytest.raises(NoFiniteAnswer, match=r"\+inf" if sign > 0 else "settle") as caught:
            total_reward(Sweeper(mdp))
        assert len(caught.value.states) == S


def ring_of_both_signs(first, S=100):
    """A ring of 1, -1, 1, ..., whose first reward is another, and a free way out of state 0."""
    rewards = [first, *(1 - 2 * (s % 2) for s in range(1, S))]
    rows = [(s, "on", (s + 1) % S, 1, r) for s, r in enumerate(rewards)]
    return MDP.from_outcomes([*rows, (0, "out", "end", 1, 0)], 1, terminal=["end"])


@pytest.mark.parametrize("S", [100, 400])
def test_a_mean_smaller_than_rounding_is_decided_in_rationals(S):
    least = Fraction(1, 10**13)
    mdp = ring_of_both_signs(1 - least, S)
    assert total_reward(Sweeper(mdp)).quotient is mdp  # once round costs 10^-13, so leaving is best
    exact = rational(mdp).exact if S == 100 else None
    assert exact is None or exact[:4] == (0, -1, 0, -1)
    with pytest.raises(NoFiniteAnswer, match=r"\+inf"):
        total_reward(Sweeper(ring_of_both_signs(1 + least, S)))
    with pytest.raises(NoFiniteAnswer, match="does not settle"):
        total_reward(Sweeper(ring_of_both_signs(1, S)))


def test_a_mean_that_is_not_decided_is_no_answer_of_4(monkeypatch):
    # Where neither floats nor the fractions allowed can tell, nothing is known: 3, not 4. By --exact it is decided.
    monkeypatch.setattr(mean, "FRACTIONS", 0)
    monkeypatch.setattr(mean, "MEAN_SWEEPS", 2000)
    for first in (1 - Fraction(1, 10**13), 1 + Fraction(1, 10**13), Fraction(1)):
        mdp = ring_of_both_signs(first)
        with pytest.raises(
            NumericalError, match=r"not settled: .*could not be told from 0.*Use method=\"rational\""
        ) as caught:
            total_reward(Sweeper(mdp))
        assert caught.value.exit_code == 3
        if first < 1:
            assert total_reward(Sweeper(mdp), exactly=True).quotient is mdp
            assert rational(mdp).exact[:2] == (
                0,
                -1,
            )
        else:
            with pytest.raises(NoFiniteAnswer):
                rational(mdp)


def test_all_states_that_never_terminate_are_named():
    ring = MDP([[[0, 1, 0]], [[1, 0, 0]], [[1, 0, 0]]], [[1], [0], [0]], 1)
    with pytest.raises(NoFiniteAnswer) as caught:
        zero_of_policy(ring, Policy.uniform(ring))
    assert caught.value.states == ("0", "1")


def test_sign_of_the_mean_agrees_with_all_policies():
    rng = random.Random("mean")
    seen = {-1: 0, 0: 0, 1: 0}
    for _ in range(300):
        S = rng.choice((2, 3, 4))
        rows = random_rows(rng, S, ends=0, signs=(-1, -1, -1, 1))
        mdp = as_model(rows)
        if (end_components(mdp)[0] != 0).any() or any(not r for r in _inside(mdp)):
            continue
        worths = [x for c in all_policies(rows) for x in recurrent_worth(*chain_of(rows, c))]
        expected = 1 if math.inf in worths else 0 if any(x != x for x in worths) else -1
        seen[expected] += 1
        assert largest_mean_sign(Sweeper(mdp))[0] == expected
    assert all(n > 10 for n in seen.values()), seen


def test_the_mean_is_proven_beside_a_penalty_that_is_never_taken():
    """A ring of 70 states at -1/1000 a step, where standing still costs 10**15: rounding of that row tells nothing."""
    steps = [(s, "go", (s + 1) % 70, 1, Fraction(-1, 1000)) for s in range(70)]
    ring = MDP.from_outcomes([*steps, (0, "stand", 0, 1, -(10**15))], 1, states=range(70))
    assert largest_mean_sign(Sweeper(ring))[0] == -1
    paid = MDP.from_outcomes(
        [*steps, (0, "stand", 0, 1, 10**15), (1, "stand", 1, 1, -(10**15))], 1, states=range(70)
    )
    assert largest_mean_sign(Sweeper(paid))[0] == 1


def _inside(mdp):
    return [list(mdp.rows(s)) for s in range(mdp.S)]


def recurrent_worth(law, r):
    return [x for x in policy_values(law, r) if not isinstance(x, Fraction)]


# -- what proofs are made of, by hand ------------------------------------------------------------------------------


def walk():
    """Left and right in states 0 and 1, "wait" in 2: 0 <-> 1 -> end, 2 stays forever and earns nothing."""
    return MDP.from_outcomes(
        [(0, "go", 1, 1, -1), (1, "back", 0, 1, 0), (1, "out", "end", 1, 5), (2, "wait", 2, 1, 0)],
        1,
        terminal=["end"],
    )


def test_states_that_recur_and_their_components_by_hand():
    mdp = walk()
    turning = np.array([True, True, False, True])  # go, back, wait: 0 and 1 forever, 2 too
    mask, labels = recurring(mdp, turning)
    assert mask.tolist() == [True, True, True, True]  # an end recurs: it is left never
    assert labels[0] == labels[1]
    assert len({int(labels[0]), int(labels[2]), int(labels[3])}) == 3
    mask, _ = recurring(mdp, np.array([True, False, True, True]))
    assert mask.tolist() == [False, False, True, True]


def test_a_policy_that_may_never_end_gets_the_rows_of_one_that_does():
    mdp = walk()
    rows, proper = np.array([0, 1, 3, -1]), np.array([0, 2, 3, -1])
    mended, changed = repaired(mdp, rows, mdp.terminal, proper)
    assert mended.tolist() == [0, 2, 3, -1]
    assert changed.tolist() == [True, True, True, False]
    kept, changed = repaired(mdp, proper, mdp.terminal, rows)
    assert kept.tolist() == [0, 2, 3, -1]
    assert changed.tolist() == [False, False, True, False]


def test_states_of_value_0_are_ends_and_those_never_left_without_reward():
    mdp = walk()
    policy = Policy(mdp, rows=np.array([0, 2, 3, -1]))
    assert zero_states(mdp, policy).tolist() == [False, False, True, True]
    assert zero_states(mdp.replace(gamma="1/2"), policy.replace_model(mdp.replace(gamma="1/2"))).tolist() == [
        False, False, False, True,
    ]  # fmt: skip
    with pytest.raises(NoFiniteAnswer, match="'0', '1'"):
        zero_states(mdp, Policy(mdp, rows=np.array([0, 1, 3, -1])))


def test_a_model_that_must_end_is_reduced_and_others_are_themselves():
    mdp = walk()
    total = reduced(Sweeper(mdp))
    assert total.merged
    assert total.of_state[2] != total.of_state[0]
    assert total.quotient.S == 4  # what stays in 2 for nothing has no other rows: it ends
    assert total.lift_values(np.arange(4.0)).shape == (4,)
    half = mdp.replace(gamma="1/2")
    own = reduced(Sweeper(half))
    assert own.quotient is half
    assert own.proper_rows.tolist() == unreduced(half).proper_rows.tolist() == [0, 1, 3, -1]
    rows = np.array([0, 2, 3, -1])
    assert own.lift_rows(rows) is rows


def test_states_that_fall_off_one_after_the_other_cost_one_search(monkeypatch):
    """A ladder of pairs: from its top, which has no way on, one state after the other loses its only row that stays."""
    n = 40
    outcomes = [(str(s), "up", str(s + 1), 1, 0) for s in range(n)]
    outcomes += [(str(s), "down", str(s2), "1/2", 0) for s in range(1, n) for s2 in (s - 1, s + 1)]
    outcomes += [(str(n), "out", "end", 1, 0), ("0", "wait", "0", 1, 0)]
    mdp = MDP.from_outcomes(outcomes, 1, terminal=["end"])
    calls = []
    components = Graph.components
    monkeypatch.setattr(Graph, "components", lambda graph: calls.append(1) or components(graph))
    labels, stays = end_components(mdp)
    alone = [s for s, label in zip(mdp.states, labels.tolist(), strict=True) if label >= 0]
    assert alone == ["0"]
    assert [mdp.states[s] for s in mdp.pair_state[stays]] == ["0"]
    assert len(calls) == 1
