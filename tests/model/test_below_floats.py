"""Probabilities that are positive and 0 as floats: what the graph decides is decided on the exact numbers, everywhere.

Expected values are rational arithmetic, or by hand: a probability of 10^-400 is there, however small.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import tabular_rl
from tabular_rl import MDP, Policy
from tabular_rl.errors import NoFiniteAnswer, NumericalError, OptionError
from tabular_rl.methods.exact.rational import rational, rational_evaluation
from tabular_rl.methods.planning.backward_induction import backward_induction

LEAST = Fraction(1, 10**400)
REST = 1 - LEAST


def leave_or_stay():
    """A policy that stays for 0, and leaves for 1 with the least probability: at γ = 1 that is worth 1."""
    mdp = MDP.from_outcomes([("s", "stay", "s", 1, 0), ("s", "leave", "t", 1, 1)], 1, terminal=["t"])
    return mdp, Policy.of_probs(mdp, {"s": {"stay": REST, "leave": LEAST}})


def to_doubt(sense="max"):
    """s leads to u, and with the least probability to d, where two rewards differ by less than floats can tell."""
    sign = 1 if sense == "max" else -1
    return MDP.from_outcomes(
        [("s", "go", "u", REST, 0), ("s", "go", "d", LEAST, 0), ("u", "go", "u", 1, 0), ("d", "one", "u", 1, sign),
         ("d", "two", "u", 1, sign * (1 + Fraction(1, 10**20)))],
        1, horizon=2, sense=sense,
    )  # fmt: skip


@pytest.mark.parametrize("sense", ["max", "min"])
def test_a_policy_is_not_proven_optimal_through_a_state_that_is_left_out(sense):
    mdp = to_doubt(sense)
    found, best = backward_induction(mdp), rational(mdp)
    s, d = mdp.states.find("s"), mdp.states.find("d")
    actual = rational_evaluation(mdp, found.policy).exact
    lost = int(mdp.sign) * (best.exact[s] - actual[s])
    assert lost == LEAST * Fraction(1, 10**20)  # more than nothing
    assert not found.proven_optimal[0, s]
    assert not found.proven_optimal[0, d]
    assert found.proven_optimal[0, mdp.states.find("u")]


def test_no_claim_of_optimality_contradicts_rational_arithmetic():
    # Chains of up to three steps of which each leads aside with the least probability, in every order of the states.
    for gamma, horizon in ((1, 3), ("1/2", None), (1, None)):
        for at in range(3):
            outcomes = [("d", "one", "end", 1, 1), ("d", "two", "end", 1, 1 + Fraction(1, 10**20))]
            for i in range(3):
                ahead = f"s{i + 1}" if i < 2 else "end"
                aside = LEAST if i == at else 0
                outcomes += [(f"s{i}", "go", ahead, 1 - aside, 1)]
                outcomes += [(f"s{i}", "go", "d", aside, 1)] if aside else []
            mdp = MDP.from_outcomes(outcomes, gamma, terminal=["end"], horizon=horizon)
            best = rational(mdp).exact
            found = tabular_rl.solve(mdp, "backward-induction" if horizon else "policy-iteration")
            own = rational_evaluation(mdp, found.policy).exact
            claimed = np.atleast_2d(found.proven_optimal).ravel()
            differs = [x != y for x, y in zip(best, own, strict=True)][: len(claimed)]
            assert any(differs)
            assert not (claimed & np.array(differs)).any()


def test_a_policy_that_leaves_with_the_least_probability_leaves():
    mdp, policy = leave_or_stay()
    assert policy.weights.tolist() == [1, 0]
    assert policy.takes.tolist() == [True, True]
    assert rational_evaluation(mdp, policy).exact == (1, 0)
    found = tabular_rl.evaluate(mdp, policy)  # the method is free: rationals where floats cannot tell
    assert found.exact == (1, 0)
    for method in ("linear-solve", "policy-evaluation"):
        found = tabular_rl.evaluate(mdp, policy, method, **({"sweeps": 50} if "policy" in method else {}))
        assert found.lower is None or found.lower[0] <= 1 <= found.upper[0]


def test_two_policies_are_equal_by_their_exact_probabilities():
    mdp, policy = leave_or_stay()
    assert policy != Policy.of_probs(mdp, {"s": {"stay": 1, "leave": 0}})
    assert policy == Policy.of_probs(mdp, {"s": {"stay": REST, "leave": LEAST}})
    assert Policy.uniform(mdp) == Policy.of_probs(mdp, [0.5, 0.5])


def test_the_chain_of_a_policy_is_left_where_it_can_be():
    from tabular_rl.methods.exact.stationary import stationary_distribution, visit_distribution

    mdp, policy = leave_or_stay()
    found = stationary_distribution(mdp, policy, exact=True)
    assert [c.tolist() for c in found.classes] == [[1]]
    assert found.limit.tolist() == [0, 1]
    assert visit_distribution(mdp, policy, exact=True).tolist() == [10**400, 0]
    with pytest.raises(NumericalError):
        visit_distribution(mdp, policy)
    # Two states that change places with the least probability each: half of the time in both.
    pair = [(a, "go", a, REST, 0) for a in "ab"] + [("a", "go", "b", LEAST, 0), ("b", "go", "a", LEAST, 0)]
    mdp = MDP.from_outcomes(pair, 1)
    assert (
        stationary_distribution(mdp, Policy.uniform(mdp), exact=True).limit.tolist() == [Fraction(1, 2)] * 2
    )
    with pytest.raises(NumericalError, match="exact=True"):
        stationary_distribution(mdp, Policy.uniform(mdp))


def started(p):
    """A model that begins in b with probability p, where it pays forever at γ = 1 until it is stopped at a's end."""
    return MDP.from_outcomes(
        [("a", "go", "end", 1, 0), ("b", "go", "b", 1, 1)], 1, terminal=["end"], start={"a": 1 - p, "b": p}
    )


def test_a_start_of_the_least_probability_is_a_start():
    from tabular_rl.methods.exact.stationary import visit_distribution
    from tabular_rl.methods.gradient.exact import exact_gradient
    from tabular_rl.report.model import model_lines, remarks
    from tabular_rl.report.words import start_fractions, start_where

    mdp = started(LEAST)
    assert mdp.start.tolist() == [1, 0, 0]
    for exact in (True, False):
        with pytest.raises(NoFiniteAnswer, match="'b'"):
            visit_distribution(mdp, Policy.uniform(mdp), exact=exact)
    with pytest.raises(NoFiniteAnswer, match="'b'"):
        exact_gradient(Policy.uniform(mdp))
    assert remarks(mdp) == []
    assert "reached" in remarks(started(Fraction(0)))[0]
    assert start_where(mdp).endswith("b 1e-400")
    assert "b 1e-400" in "\n".join(model_lines(mdp))
    # Σ start v = 10^-300 by hand: 0 is not an interval that contains it.
    half = MDP.from_outcomes([("a", "go", "a", 1, 0), ("b", "go", "end", 1, 10**100)], "1/2", terminal=["end"],
                             start={"a": REST, "b": LEAST})  # fmt: skip
    best = rational(half)
    assert sum(p * best.exact[s] for s, p in start_fractions(half)) == Fraction(1, 10**300)


def test_an_interval_of_the_start_value_holds_what_floats_lose():
    from tabular_rl.certificates.intervals import start_interval

    low, high = start_interval(np.array([1.0, 0.0]), *[np.array([0.0, 1e100])] * 2, np.array([True, True]))
    assert Fraction(low) <= LEAST * 10**100 <= Fraction(high)
    low, high = start_interval(
        np.array([1.0, 0.0]), np.array([0.0, -math.inf]), np.array([0.0, 1.0]), np.array([True, True])
    )
    assert low == -math.inf


def test_an_outcome_of_the_least_probability_is_not_one_of_probability_0():
    from tabular_rl.report.model import remarks

    assert not any("probability 0" in x for x in remarks(to_doubt()))
    listed = MDP.from_outcomes([("s", "go", "s", 1, 0), ("s", "go", "t", 0, 0)], "1/2", terminal=["t"])
    assert any("1 outcome with probability 0" in x for x in remarks(listed))


def test_the_screen_shows_every_action_that_a_policy_takes():
    from tabular_rl.report.grid import _arrows
    from tabular_rl.report.policy import action_text

    mdp = MDP(
        [[[1, 0], [0, 1]], [[0, 0], [0, 0]]],
        np.zeros((2, 2)),
        "1/2",
        axes="sas",
        terminal=[1],
        actions=["left", "right"],
    )
    policy = Policy.of_probs(mdp, {"0": {"left": REST, "right": LEAST}})
    answer = tabular_rl.evaluate(mdp, policy)
    assert action_text(answer, 0) == "left 1 - 1e-400, right 1e-400"
    assert len(_arrows(answer)[0]) == 2


def test_importance_sampling_is_infinite_through_any_way_however_rare():
    from tabular_rl.laws.importance import importance_law
    from tabular_rl.methods.exact.ratio_moments import weights_are_finite

    # u: the behaviour goes on as the policy does half of the time, ρ = 2: E[ρ²] = 2 each time, forever at p = 3/4.
    mdp = MDP.from_outcomes(
        [("s", "a", "end", REST, 0), ("s", "a", "u", LEAST, 0), ("u", "a", "u", "3/4", 0), ("u", "a", "end", "1/4", 1),
         ("u", "b", "end", 1, 0)],
        1, terminal=["end"], start={"s": 1},
    )  # fmt: skip
    pi = Policy.of_actions(mdp, {"s": "a", "u": "a"})
    b = Policy.of_probs(mdp, {"s": {"a": 1}, "u": {"a": "1/2", "b": "1/2"}})
    s, u = mdp.states.find("s"), mdp.states.find("u")
    assert 2 * Fraction(3, 4) > 1  # so E[W²] = inf in u, and in s, which comes there
    law = importance_law(mdp, pi, b)
    assert law.weight[u] == law.weight[s] == math.inf
    assert weights_are_finite(mdp, pi, b) is False


def test_a_behaviour_that_hardly_takes_an_action_covers_nothing():
    from tabular_rl.laws.importance import importance_law
    from tabular_rl.methods.learning.td0 import td0

    mdp, rare = leave_or_stay()
    leave, stay = Policy.of_actions(mdp, [1, -1]), Policy.of_actions(mdp, [0, -1])
    for policy, behavior, small in ((leave, rare, " as a float"), (rare, stay, "")):
        for ask in (importance_law, lambda m, p, b: td0(m, p, behavior=b, steps=10, reference=False)):
            with pytest.raises(
                OptionError, match=f"action 'leave': found probability 0{small}, expected more"
            ):
                ask(mdp, policy, behavior)


def test_laws_of_learners_say_where_floats_cannot():
    from tabular_rl.laws.limits import limit
    from tabular_rl.methods.exact.projected import update_distribution

    mdp = MDP.from_outcomes([("a", "go", "a", REST, 0), ("a", "go", "b", LEAST, 0), ("b", "go", "b", 1, 1)], "1/2",
                            start={"a": 1})  # fmt: skip
    # In the long run the trajectory is in b alone; as floats it never gets there.
    with pytest.raises(NumericalError, match="0 as a float"):
        update_distribution(mdp, Policy.uniform(mdp))
    with pytest.raises(NumericalError, match="0 as a float"):
        limit("td0", mdp, Policy.uniform(mdp), step_size=0.1)


def test_a_softmax_policy_tells_0_from_0_as_a_float():
    from tabular_rl.methods.gradient.softmax import SoftmaxPolicy

    _, policy = leave_or_stay()
    with pytest.raises(OptionError, match="found probability 0 as a float, which"):
        SoftmaxPolicy.of(policy)


# Where floats decide, and why that is right there.
FLOATS = {
    "certificates/chain.py": "a first guess of times, verified later",
    "methods/gradient/_actor.py": "a product",
    "methods/gradient/exact.py": "products",
    "methods/gradient/softmax.py": "a logarithm",
    "kernels/": "products and draws; those on graphs read `edges`",
    "laws/_events.py": "moments in floats; where they end up is refused in limits.py",
    "laws/importance.py": "ratios of floats",
    "methods/exact/ratio_moments.py": "ratios of floats",
    "solving/learned.py": "a product",
    "methods/learning/_answer.py": "products",
    "methods/learning/_coverage.py": "what can be drawn",
    "methods/learning/_errors.py": "weights of errors",
    "methods/learning/_inputs.py": "weights of errors",
    "methods/learning/_learning.py": "products",
    "methods/learning/monte_carlo.py": "what can be drawn",
    "laws/verdicts.py": "what can be drawn, and ratios",
    "model/mdp.py": "a start of floats",
    "model/policy.py": "`takes` itself",
    "methods/exact/stationary.py": "a uniform start, that no fraction says",
    "model/graph/search.py": "`edges`, `starts` and `unseen` themselves",
    "model/rows.py": "sums of floats",
    "model/tensors.py": "tensors of floats",
    "methods/gradient/_episodes.py": "a model made of floats",
    "methods/gradient/given.py": "ratios of floats",
    "certificates/finite.py": "those of `edges`",
    "analysis/off_policy/bounds.py": "what happens with a chance far below the risk",
    "analysis/off_policy/ranges.py": "what happens with a chance far below the risk",
    "analysis/off_policy/step_bound.py": "what happens with a chance far below the risk",
    "analysis/off_policy/split_bound.py": "what happens with a chance far below the risk",
    "analysis/off_policy/truth.py": "sums of products",
    "report/maps.py": "what is drawn",
    "report/network.py": "what is drawn",
    "report/against.py": "what is drawn",
    "report/subject.py": "what is drawn",
    "report/page/placement.py": "what is drawn",
}


def test_no_other_place_decides_on_floats_what_is_possible():
    # A new place stands out here: ask `edges`, `starts` or `Policy.takes`, or say above why floats may decide.
    pattern = re.compile(r"\b(prob|probs|weights|start|weight\[\w+\])\)? *(>|==|!=|<=) *0(\.0)?\b")
    root = Path(tabular_rl.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        name = path.relative_to(root).as_posix()
        if any(pattern.search(line) for line in path.read_text(encoding="utf-8").splitlines()):
            found.add("kernels/" if name.startswith("kernels/") else name)
    assert found <= set(FLOATS)
    assert {
        "model/graph/search.py",
        "model/policy.py",
        "kernels/",
    } <= found  # the pattern finds what there is
