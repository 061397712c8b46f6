"""Uniforms that no kernel reads are not drawn: a learner's estimates are those that it has with all of them."""

from __future__ import annotations

import numpy as np
import pytest

from tabular_rl import MDP, Policy
from tabular_rl.kernels.uniforms import fill_uniforms
from tabular_rl.methods.learning import _walk
from tabular_rl.methods.lookup import LEARNERS

pytestmark = pytest.mark.skipif(not hasattr(fill_uniforms, "signatures"), reason="numpy draws all of them")


def ring(*, chance, ends):
    """Five states in a circle, one step or two ahead; by chance two, and the last may be the end."""
    P = np.zeros((2, 5, 5))
    for s in range(5):
        P[0, s, (s + 1) % 5] += 1 - chance
        P[0, s, (s + 2) % 5] += chance
        P[1, s, (s + 2) % 5] = 1.0
    terminal = [4] if ends else []
    P[:, terminal] = 0.0
    R = np.arange(10.0).reshape(5, 2)
    R[terminal] = 0.0
    return MDP(P, R, 0.9, terminal=terminal)


MODELS = {  # and the places that no kernel reads
    "nothing is left to chance, and nothing ends": (ring(chance=0.0, ends=False), (0, 1)),
    "nothing ends": (ring(chance=0.5, ends=False), (1,)),
    "nothing is left to chance": (ring(chance=0.0, ends=True), (0,)),
    "all of them are read": (ring(chance=0.5, ends=True), ()),
}
WAYS = {  # and whether a restart may be drawn though nothing ends
    "plain": ({}, False),
    "ties": ({"ties": "first"}, True),
    "cut": ({"episode_steps": 3}, True),
    "independent": ({"source": "independent"}, True),
    "replay": ({"replay": "uniform", "batch": 2}, False),
}
CERTAIN = next(iter(MODELS))


def check(monkeypatch, method, mdp, options):
    """The places that are passed over; the estimates are as where none is."""

    def learned():
        policy = [Policy.uniform(mdp)] if method.task == "prediction" else []
        return method(mdp, *policy, steps=60, runs=2, seed=3, reference=False, **options).estimates

    found, own = [], _walk.unread
    monkeypatch.setattr(_walk, "unread", lambda run, walk: found.append(own(run, walk)) or found[-1])
    quick = learned()
    monkeypatch.setattr(_walk, "unread", lambda *_: ())
    assert np.array_equal(quick, learned(), equal_nan=True)
    return set(found)


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_no_learner_reads_what_is_not_drawn(monkeypatch, name):
    found = check(monkeypatch, LEARNERS[name], MODELS[CERTAIN][0], {})
    assert found <= {(0, 1), (0,)}  # those whose episodes are cut off by default draw restarts


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", WAYS)
def test_restarts_and_outcomes_are_drawn_where_they_may_be_read(monkeypatch, way, model):
    (mdp, places), (options, restarts) = MODELS[model], WAYS[way]
    if restarts:
        places = tuple(j for j in places if j != 1)
    assert check(monkeypatch, LEARNERS["q-learning"], mdp, options) == {places}
