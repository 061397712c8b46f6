"""The method that chooses: which one it takes, and that rationals take over where floats cannot prove the tolerance."""

from __future__ import annotations

import re
from fractions import Fraction
from importlib.util import find_spec

import numpy as np
import pytest
from program import inside
from sized_models import far_ends, gridworld

from benchmarks.families import model
from tabular_rl import (
    MDP,
    NumericalError,
    Policy,
    Status,
    action_elimination,
    evaluate,
    modified_policy_iteration,
    policy_evaluation,
    save,
    solve,
)
from tabular_rl.methods.exact import _lifting, linear_solve
from tabular_rl.methods.exact._integers import OWN_STATES, QUICK_STATES, quick_states
from tabular_rl.methods.lookup import METHODS, PLANNERS
from tabular_rl.methods.planning._ordered import successors_first
from tabular_rl.methods.planning.auto import auto, auto_evaluation
from tabular_rl.methods.planning.policy_iteration import SMALL, policy_iteration
from tabular_rl.solving.cost import Cost, Facts
from tabular_rl.solving.sweeps import Sweeper

ONE = MDP([[[1.0]]], [[1.0]], "1/2")


def corridor(n, gamma=0.9, step=1):
    """Going on by `step` earns 1 at the end of n states, where one stays."""
    to = np.arange(n) + step
    return MDP.from_rows(
        pair_ptr=np.arange(n + 1), pair_action=np.zeros(n, dtype=int), row_ptr=np.arange(n + 1),
        next_state=np.minimum(to, n - 1), prob=np.ones(n), r=(np.arange(n) == n - 1) * 1.0,
        gamma=gamma,
    )  # fmt: skip


def scattered(n):
    """The same, with every state leading far away, to four others."""
    return spread(n, (np.arange(n)[:, None] * 7919 + np.arange(1, 5) * 1237) % n)


def near(n, far=50):
    """Every state leads to four others that are at most so far away."""
    return spread(n, (np.arange(n)[:, None] + np.random.default_rng(0).integers(-far, far + 1, (n, 4))) % n)


def spread(n, to):
    """A model of one action, whose states lead to as many others with the same probability."""
    return MDP.from_rows(
        pair_ptr=np.arange(n + 1), pair_action=np.zeros(n, dtype=int), row_ptr=np.arange(n + 1) * 4,
        next_state=np.sort(to, axis=1).ravel(), prob=np.full(4 * n, 0.25), r=np.ones(n), gamma=0.5,
    )  # fmt: skip


def test_choice_follows_the_structure():
    assert auto(ONE).method == "policy-iteration"
    assert auto(ONE.replace(horizon=2)).method == "backward-induction"
    assert auto_evaluation(ONE, Policy.uniform(ONE)).method == "linear-solve"
    timed = ONE.replace(horizon=2)
    assert auto_evaluation(timed, Policy.uniform(timed)).method == "policy-evaluation"


def test_moves_to_neighbours_are_told_from_jumps():
    """A narrow band is solved, a grid's moves are swept in place, jumps with few rows; small models are solved."""
    assert [Facts(m).moves for m in (corridor(5000), corridor(5000, step=50))] == [1, 50]
    assert Facts(scattered(5000)).moves > 1000
    assert auto(corridor(5000)).method == "policy-iteration"
    assert auto(gridworld(40)).method == "ordered-gauss-seidel"
    answer = auto(near(5000))
    assert answer.method == "action-elimination"
    assert answer.why.startswith("moves lead nearby, and nowhere to an end")
    assert auto(scattered(5000)).method == "action-elimination"
    assert auto(scattered(SMALL)).method == "policy-iteration"


PI, ORDERED, LEAVING_OUT = "policy-iteration", "ordered-gauss-seidel", "action-elimination"
ROUTES = {
    "queue-2000": PI, "ring-2000": PI, "tree-2000": PI, "tree-up-2000": PI, "queue-shortcut-2000": PI,
    "consensus-60": PI, "grid-60": ORDERED, "grid-hub-60": ORDERED, "reach-2000": ORDERED,
    "garnet-2000": LEAVING_OUT, "power-law-2000": LEAVING_OUT, "dense-600": LEAVING_OUT, "car-rental-10": LEAVING_OUT,
    "multichain-2000": LEAVING_OUT, "decomposable-2000": LEAVING_OUT, "pendulum-40": LEAVING_OUT,
    "two-queues-40": LEAVING_OUT, "garnet-absorbing-2000": LEAVING_OUT, "layered-2000": LEAVING_OUT,
}  # fmt: skip


@pytest.mark.parametrize("name", ROUTES)
def test_each_family_has_its_method(name):
    """Where several would do, the one of the least estimate is taken; nothing is solved to find out."""
    mdp = model(name)
    facts = Facts(mdp)
    planners = [m for m in PLANNERS.values() if m.task == "control" and m.refuses(mdp) is None]
    estimates = {m.name: m.cost(facts) for m in planners}
    known = {name: cost.sweeps for name, cost in estimates.items() if cost is not None}
    assert min(known, key=known.get) == ROUTES[name]
    assert not all(estimates[name].capped for name in known), "the last one must go on to the end"


def test_evaluation_follows_the_structure_too():
    """Sweeps where moves lead anywhere; where these do not mix in time, a linear solve after them."""
    for mdp, method in ((scattered(5000), "policy-evaluation"), (corridor(5000), "linear-solve")):
        answer = evaluate(mdp, "uniform")
        assert answer.method == method
        assert np.abs(answer.v - evaluate(mdp, "uniform", "linear-solve").v).max() <= 1e-6
    # Two states far apart in storage that lead to each other: the interval never narrows faster than γ.
    n = 1000
    far = MDP.from_rows(
        pair_ptr=np.arange(n + 1), pair_action=np.zeros(n, dtype=int), row_ptr=np.arange(n + 1),
        next_state=(np.arange(n) + n // 2) % n, prob=np.ones(n), r=np.arange(n) % 7.0, gamma=0.9999,
    )  # fmt: skip
    answer = evaluate(far, "uniform")
    assert answer.method == "linear-solve"
    assert set(answer.seconds_of) == {"policy-evaluation", "linear-solve"}
    assert answer.status == Status.CERTIFIED
    v, w = answer["0"], answer[str(n // 2)]  # v = r(0) + γ w, w = r(500) + γ v
    assert v == pytest.approx((0 + 0.9999 * (500 % 7)) / (1 - 0.9999**2), rel=1e-9)
    assert w == pytest.approx(500 % 7 + 0.9999 * v, rel=1e-9)


def test_hubs_are_no_moves():
    """Each of 5,000 states leads on, and back to the first one, or to one of the first ten: moves of 1."""
    n = 5000
    for hubs in (1, 10):
        to = np.stack([np.arange(n) % hubs, np.minimum(np.arange(n) + 1, n - 1)], axis=1)
        mdp = MDP.from_rows(
            pair_ptr=np.arange(n + 1), pair_action=np.zeros(n, dtype=int), row_ptr=np.arange(n + 1) * 2,
            next_state=to.ravel(), prob=np.full(2 * n, 0.5), r=np.ones(n), gamma=0.5,
        )  # fmt: skip
        assert Facts(mdp).moves == 1
    assert Facts(scattered(n)).moves > 1000


def test_the_answer_says_why_its_method_was_taken():
    """Each reason is that of the estimate that was the least; a method that was named needs none."""
    assert auto(ONE).why == "up to 500 states a handful of dense linear solves is quickest"
    assert auto(ONE.replace(horizon=2)).why == "the model has a horizon: one sweep a time step is the answer"
    assert auto(gridworld(40)).why == "states end: values flow backward from those"
    assert solve(ONE, "value-iteration").why == ""
    assert solve(ONE.replace(gamma=1 - Fraction(1, 10**12))).why.endswith("could not prove the tolerance")


def test_the_next_method_goes_on_where_a_capped_one_falls_short(monkeypatch):
    """Ten sweeps of value iteration come first: what they found is where the next method begins."""
    mdp, began = scattered(5000).replace(r=np.arange(5000) % 3), []
    ask = action_elimination._call
    monkeypatch.setattr(METHODS["value-iteration"], "cost", lambda _: Cost(1, "ten", {"sweeps": 10}, True))
    monkeypatch.setattr(
        action_elimination, "_call", lambda *a, **o: began.append(o["start_from"]) or ask(*a, **o)
    )
    answer = solve(mdp)
    assert answer.status is Status.CERTIFIED
    assert answer.method == "action-elimination"
    assert list(answer.seconds_of) == ["value-iteration", "action-elimination"]
    assert answer.why.startswith("ten; that was not enough, and then moves lead anywhere")
    (first,) = began
    assert (first.method, first.work["sweeps"]) == ("value-iteration", 10)
    assert answer.work["evaluation sweeps"] > 0
    assert np.abs(mdp.bellman(answer.v) - answer.v).max() < 1e-6


def test_the_narrower_interval_is_kept_where_both_fall_short(monkeypatch):
    mdp = scattered(5000).replace(r=np.arange(5000) % 3)
    monkeypatch.setattr(METHODS["value-iteration"], "cost", lambda _: Cost(1, "ten", {"sweeps": 10}, True))
    monkeypatch.setattr(modified_policy_iteration, "cost", lambda _: Cost(2, "none", {"sweeps": 1}, True))
    monkeypatch.setattr(action_elimination, "cost", lambda _: None)
    ten = solve(mdp, "value-iteration", sweeps=10)
    answer = solve(mdp)
    assert answer.status is Status.BUDGET_SPENT
    assert answer.bound <= ten.bound
    limited = solve(mdp, time_limit=100.0)
    assert limited.status is Status.BUDGET_SPENT


def test_estimates_are_none_where_nothing_can_be_said():
    facts = Facts(scattered(5000))
    assert policy_iteration.cost(facts) is None
    assert policy_evaluation.cost(Facts(corridor(5000))) is None
    assert modified_policy_iteration.cost(facts).sweeps > policy_iteration.cost(Facts(ONE)).sweeps
    assert all(METHODS[name].cost(facts) is None for name in ("auto", "rational", "td0"))


def test_large_corridor_is_right():
    """v(s) = γ^(distance) / (1 - γ)."""
    n = 2000
    for step in (1, 20):
        v = auto(corridor(n, step=step)).v
        expected = [10 * 0.9 ** -(-(n - 1 - s) // step) for s in range(n)]
        assert v == pytest.approx(expected, abs=1e-6)


def test_rationals_take_over_where_floats_cannot_prove_the_tolerance():
    """γ = 1 - 1e-12 and reward 1: v is exactly 10**12, with no rounding at all."""
    mdp = ONE.replace(gamma=1 - Fraction(1, 10**12))
    answer = solve(mdp)
    assert answer.status is Status.EXACT
    assert answer.exact == (Fraction(10**12),)
    assert answer.method == "rational"
    answer = evaluate(mdp, Policy.uniform(mdp))
    assert answer.status is Status.EXACT
    assert answer.exact == (Fraction(10**12),)


def test_the_time_and_the_work_of_floats_are_told_too(capsys, tmp_path, monkeypatch):
    mdp = ONE.replace(gamma=1 - Fraction(1, 10**12))
    for answer, first in (
        (solve(mdp), "policy-iteration"),
        (evaluate(mdp, Policy.uniform(mdp)), "linear-solve"),
    ):
        assert answer.note == f"{first} in floats could not prove the tolerance"
        assert answer.work["linear solves"] > 0
        assert answer.work["rational solves"] == 1
        assert list(answer.seconds_of) == [first, answer.method]
        assert answer.seconds == pytest.approx(sum(answer.seconds_of.values()))
    save(mdp, tmp_path / "m.toml")
    done = inside(capsys, "solve", tmp_path / "m.toml")
    assert re.search(
        r"rational: .*linear solve.*rational solve.* in \S+ s \(policy-iteration \S+ s, rational \S+ s\)",
        done.err,
    )

    def fail(*_, **__):
        raise NumericalError("singular")

    monkeypatch.setattr(policy_iteration, "_call", fail)
    answer = solve(mdp)
    assert answer.exact == (10**12,)
    assert answer.note == "floats could not solve it"
    assert answer.seconds >= answer.seconds_of["rational"]


def test_rationals_do_not_take_over_where_they_are_too_slow():
    mdp = corridor(QUICK_STATES + 1, 1 - Fraction(1, 10**12))
    answer = solve(mdp, tolerance=1e-12)
    assert answer.status is Status.FLOATS_SPENT
    assert "smallest tolerance" in answer.note


@pytest.mark.parametrize(("flint", "taken"), [(None, OWN_STATES), ("here", QUICK_STATES)])
def test_rationals_take_over_as_far_as_they_are_quick(monkeypatch, flint, taken):
    monkeypatch.setattr(_lifting, "find_spec", lambda name: flint)
    assert taken == (150 if flint else 100) == quick_states()
    for states, exact in ((taken, True), (taken + 1, False)):  # a chain, solved state by state
        answer = solve(corridor(states, 1 - Fraction(1, 10**12)), tolerance=1e-12)
        assert (answer.status is Status.EXACT) is exact


def test_what_is_proven_is_given_where_a_system_is_singular():
    """321 states, ends 2**160 steps away: the last one is worth 1/2 + 1/4, and the float of I - P is singular."""
    mdp = far_ends(160)
    for answer in (solve(mdp), solve(mdp, "policy-iteration"), evaluate(mdp, Policy.uniform(mdp))):
        at = mdp.states.find("159")
        assert not answer.status.reached
        assert 0.49 < answer.lower[at] <= 0.75 <= answer.upper[at]
        assert "rational" in answer.note or find_spec("flint") is None
    small = far_ends(61)  # 123 states
    if find_spec("flint") is not None:
        assert solve(small).exact[small.states.find("0")] == Fraction(1, 2)


def test_policy_iteration_goes_on_by_sweeps_where_a_system_cannot_be_solved(monkeypatch):
    def singular(*args, **more):
        raise linear_solve.Singular("the linear system cannot be solved in floating point (singular)")

    monkeypatch.setattr(linear_solve, "solve_chain", singular)
    answer = solve(corridor(200, "9/10"), "policy-iteration")
    assert answer.status is Status.CERTIFIED
    assert "singular" in answer.note
    assert answer.work["sweeps"] > 0
    assert answer.v == pytest.approx([10 * 0.9 ** (199 - s) for s in range(200)], abs=1e-6)


def test_a_named_method_that_falls_short_says_which_would_do():
    # 81 states in a row, 7/10 back and 3/10 on, -1 a step: 10**28 steps are expected, more than floats can prove.
    moves = [(s, "go", s + 1, "3/10", -1) for s in range(81)] + [
        (s, "go", max(s - 1, 0), "7/10", -1) for s in range(81)
    ]
    mdp = MDP.from_outcomes(moves, 1, terminal=[81])
    policy = Policy.uniform(mdp)
    answer = evaluate(mdp, policy, "linear-solve")
    assert answer.status is Status.FLOATS_SPENT
    assert "method rational-evaluation (--exact) has" in answer.note
    assert evaluate(mdp, policy, "rational-evaluation").exact == evaluate(mdp, policy).exact
    best = solve(mdp, "value-iteration", sweeps=1000)
    assert "method rational (--exact) has" in best.note
    assert solve(corridor(20, "1/2"), "value-iteration").note == ""


def test_exact_discount_below_one_that_is_one_as_a_float():
    mdp = ONE.replace(gamma=1 - Fraction(1, 10**30))
    assert solve(mdp).exact == (Fraction(10**30),)


def retries(n, back=0.0):
    """A state is left once in 2^20 tries, each of which earns 1, to one of two lower ones; `back` is the share to n."""
    rng, to = np.random.default_rng(0), []
    for s in range(1, n + 1):
        away, lower = 2.0**-20, rng.integers(max(0, s - n // 4), s, 2).tolist()
        up = [(s, "go", n, away * back, 1)] if back and s < n else []
        kept = away * (1 - back) if up else away
        to += [(s, "go", s, 1 - away, 1), *up, *((s, "go", x, kept / 2, 1) for x in lower)]
    return MDP.from_outcomes(to, 1, states=range(n + 1), terminal=[0])


@pytest.mark.parametrize("gamma", ["1", "0.99999"])
def test_what_is_seldom_left_is_swept_once_where_no_way_leads_back(gamma):
    """Each visit earns 2^20 on average; the last state but the end is visited once."""
    mdp = retries(600).replace(gamma=gamma)
    answer = solve(mdp, relative=True)
    assert answer.status is Status.CERTIFIED and answer.method == "ordered-gauss-seidel"
    assert answer.work == {"sweeps": 1}
    stays = Fraction(gamma) * (1 - Fraction(1, 2**20))
    assert answer.lower[1] <= 1 / (1 - stays) <= answer.upper[1]


def test_what_is_seldom_left_is_solved_where_sweeps_do_not_do():
    """Where ways lead back the values, by the same visits, are those of linear solves."""
    mdp = retries(600, back=0.5)
    answer = solve(mdp, relative=True)
    assert answer.status is Status.CERTIFIED and answer.method == "policy-iteration"
    assert answer.work["linear solves"] <= 5
    P = mdp.P.toarray()
    P[np.arange(600), np.arange(1, 601)] = 0
    visits = (P / P.sum(axis=1, keepdims=True))[:, 1:]  # of the state that comes next
    v = np.linalg.solve(np.eye(600) - visits, np.full(600, 2.0**20))
    assert answer.v[1:] == pytest.approx(v, rel=1e-9)


def test_ways_that_lead_back_are_found_by_a_walk_or_by_a_search():
    """Loops and what never happens are no ways; the only way back may be the last that is looked at."""
    line = [(s, "go", s + 1, 1 / 2, 0) for s in range(5)] + [(s, "go", s, 1 / 2, 0) for s in range(5)]
    back = [*line, (4, "back", 5, 1 / 2, 0), (4, "back", 0, 1 / 2, 0)]
    for outcomes, ends, walked, searched in (
        (line, [5], False, False),
        (back, [5], False, True),
        ([*line, (5, "go", 0, 1, 0)], [], True, True),
    ):
        mdp = MDP.from_outcomes(outcomes, 1, terminal=ends)
        assert Facts(mdp).returns == walked
        assert (successors_first(Sweeper(mdp)) is None) == searched
