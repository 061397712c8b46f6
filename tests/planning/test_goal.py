"""When a planning loop stops, and what it says of the smallest width that can be proven."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from sized_models import garnet, goal_of_many, gridworld

from tabular_rl import MDP, Policy, evaluate, solve
from tabular_rl.solving.solution import Status

TOLERANCES = (1e-6, 1e-8, 1e-10, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16)


def width(answer):
    return float((answer.upper - answer.lower).max())


def asked(mdp, method, tolerance):
    if method in ("policy-evaluation", "linear-solve"):
        return evaluate(mdp, Policy.uniform(mdp), method, tolerance)
    return solve(mdp, method, tolerance)


def models():
    slow = [(s, "go", s + 1, "1/2", -1) for s in range(5)] + [(s, "go", 0, "1/2", -1) for s in range(5)]
    return {
        "reach": goal_of_many(400, near=20),
        "discounted": garnet(3, "0.999", S=10),
        "back to the start": MDP.from_outcomes(slow, 1, terminal=[5]),
    }


@pytest.mark.parametrize(
    "name", [*list(models())[:2], *(pytest.param(x, marks=pytest.mark.slow) for x in list(models())[2:])]
)
@pytest.mark.parametrize(
    "method",
    ["policy-evaluation", "linear-solve", "value-iteration", "modified-policy-iteration", "policy-iteration"],
)
def test_a_stricter_request_never_gives_a_wider_interval(name, method):
    mdp = models()[name]
    answers = [asked(mdp, method, tolerance) for tolerance in TOLERANCES]
    widths = [width(answer) for answer in answers]
    assert all(after <= before for before, after in pairwise(widths)), widths
    spent = [answer for answer in answers if answer.status is Status.FLOATS_SPENT]
    assert len(spent) > 1
    assert not any(answer.status is Status.BUDGET_SPENT for answer in answers)
    # What is said to be the smallest that can be proven is proven when it is asked for.
    said = float(
        re.search(r"smallest tolerance that can be proven here is about (\S+?)(;|$)", spent[0].note)[1]
    )
    again = asked(mdp, method, said)
    assert again.status is Status.CERTIFIED
    assert width(again) <= said
    assert (
        "rational" in spent[0].note or name == "reach"
    )  # of 400 states that lead to each other, without flint


@pytest.mark.parametrize("method", ["value-iteration", "modified-policy-iteration", "policy-evaluation"])
@pytest.mark.parametrize("kind", ["equal", "random"])
def test_a_wild_start_decides_nothing(method, kind):
    rng = np.random.default_rng(0)
    for mdp in (gridworld(), garnet(1, "99/100", S=12), models()["back to the start"]):
        wild = np.where(
            mdp.terminal, 0.0, 1e12 * (np.ones(mdp.S) if kind == "equal" else rng.normal(size=mdp.S))
        )
        more = {"start_from": wild, "sweeps": 5000}
        if method == "policy-evaluation":
            found = evaluate(mdp, Policy.uniform(mdp), method, **more)
        else:
            found = solve(mdp, method, **more)
        assert found.status is Status.CERTIFIED, found.note
        exact = (
            evaluate(mdp, Policy.uniform(mdp), "rational-evaluation")
            if method == "policy-evaluation"
            else solve(mdp, "rational")
        )
        assert (found.lower <= exact.upper).all()
        assert (exact.lower <= found.upper).all()
