"""tabular_rl.graph, against all policies of small models in fractions."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from graphs import all_policies, as_model, chain_of, policy_values, random_rows

from tabular_rl import ModelError, OptionError, Policy, graph
from tabular_rl.model.graph import search


def hits(law, target):
    """The probability that a chain reaches a target, state by state: 1 is paid on the first step into it."""
    stopped = [{} if target[s] else p for s, p in enumerate(law)]
    paid = [sum((p for s2, p in row.items() if target[s2]), Fraction(0)) for row in stopped]
    return [Fraction(1) if target[s] else x for s, x in enumerate(policy_values(stopped, paid))]


def test_targets_are_reached_as_by_the_best_of_all_policies():
    rng, seen = random.Random("targets"), [0, 0]
    for _ in range(200):
        S = rng.choice((2, 3, 4))
        rows = random_rows(rng, S)
        mdp = as_model(rows)
        target = [rng.random() < 0.4 for _ in range(S)]
        choices = list(all_policies(rows))
        found = [hits(chain_of(rows, choice)[0], target) for choice in choices]
        best = [max(x[s] for x in found) for s in range(S)]
        assert graph.sure(mdp, target).tolist() == [x == 1 for x in best]
        assert graph.possible(mdp, target).tolist() == [x > 0 for x in best]
        at = rng.randrange(len(choices))
        policy = Policy.of_actions(mdp, np.array([-1 if a is None else a for a in choices[at]]))
        assert graph.sure(mdp, target, policy).tolist() == [x == 1 for x in found[at]]
        assert graph.possible(mdp, target, policy).tolist() == [x > 0 for x in found[at]]
        seen[0] += sum(0 < x < 1 for x in best)
        seen[1] += sum(0 < x < 1 for x in found[at])
    assert min(seen) > 10


def test_random_policies_reach_by_all_that_they_mix():
    rng = random.Random("mixed")
    for _ in range(100):
        S = rng.choice((2, 3, 4))
        rows = random_rows(rng, S)
        mdp = as_model(rows)
        target = [rng.random() < 0.4 for _ in range(S)]
        law = []
        for own in rows:
            mixed = {}
            for _, p, _, _ in own:
                for s2 in p:
                    mixed[s2] = mixed.get(s2, Fraction(0)) + p[s2] / len(own)
            law.append(mixed)
        found = hits(law, target)
        assert graph.sure(mdp, target, "uniform").tolist() == [x == 1 for x in found]
        assert graph.possible(mdp, target, "uniform").tolist() == [x > 0 for x in found]


@pytest.mark.small
def test_components_are_those_of_the_searches():
    mdp = as_model(random_rows(random.Random(3), 6))
    assert graph.components(mdp)[0] == search.components(mdp)[0]
    policy = Policy.uniform(mdp)
    assert graph.components(mdp, policy)[1].tolist() == graph.components(mdp)[1].tolist()
    assert graph.end_components(mdp)[0].tolist() == search.end_components(mdp)[0].tolist()


@pytest.mark.small
def test_bad_arguments_are_named():
    mdp = as_model([[(0, {1: Fraction(1)}, Fraction(0), None)], []])
    with pytest.raises(ModelError, match="target: "):
        graph.sure(mdp, "nowhere")
    with pytest.raises(ModelError, match="target: found a mask of length 3, expected 2"):
        graph.possible(mdp, [True, False, True])
    timed = mdp.replace(horizon=2)
    with pytest.raises(OptionError, match="depends on time"):
        graph.components(timed, Policy.of_actions(timed, np.array([[0, -1], [0, -1]])))
