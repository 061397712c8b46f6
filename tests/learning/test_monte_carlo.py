"""Monte Carlo: values from returns, on policy and off policy.

Statistical tests: five, with fresh seeds. Four have a false-alarm probability of 1e-8 each, one of 1e-12.
"""

from __future__ import annotations

import itertools
import math
import pickle
import secrets
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import reference
import reference_returns as twins
from learners import settings
from planning_calls import copied
from random_models import random_model, random_policy
from shown import learned_document, never_text, states_table

from tabular_rl import MDP, OptionError, Policy, Status, Transitions, learn, load, monte_carlo
from tabular_rl.kernels import monte_carlo as kernels
from tabular_rl.kernels.one_step import begin
from tabular_rl.methods.lookup import LEARNERS
from tabular_rl.solving.sampling import policy_cum, sampling_model
from tabular_rl.solving.schedules import Schedule

MODELS = Path(__file__).resolve().parents[2] / "mdps"
KINDS = ("ordinary", "weighted", "per-decision")
VISITS = ("first", "every")
HALF = Fraction(1, 2)

# A and B lead to each other, or to the end; two actions in each, γ = 1/2.
TWO = MDP(
    [[[0.25, 0.25, 0.5], [0, 0.5, 0.5]], [[0.5, 0, 0.5], [0.5, 0.25, 0.25]], [[0, 0, 0], [0, 0, 0]]],
    [[1, -2], [4, 0.5], [0, 0]],
    "1/2",
    states=["A", "B", "end"],
    terminal=["end"],
    start="A",
)
PI = Policy.of_probs(TWO, [0.75, 0.25, 0.25, 0.75])
B = Policy.of_probs(TWO, [0.5, 0.5, 0.5, 0.5])  # ratios 3/2 and 1/2
LOG = [("A", 0, 1, "A"), ("A", 1, 2, "B"), ("B", 0, 3, "end"), ("B", 1, 4, "A"), ("A", 0, 1, "end")]


def by_log(log, policy=PI, mdp=TWO, **options):
    return monte_carlo(mdp, policy, data=log, reference=False, **{"steps": len(log), **options})


# -- by hand --------------------------------------------------------------------------------------------------------


def test_returns_by_hand():
    """Episode 1: G = 3 at B, 2 + 3/2 = 7/2 and 1 + 7/4 = 11/4 at A. Episode 2: G = 1 at A, 4 + 1/2 at B."""
    first, every = (by_log(LOG, B, visit=visit) for visit in VISITS)
    assert first.v.tolist() == [(2.75 + 1) / 2, (3 + 4.5) / 2, 0]
    assert first.visits.tolist() == [[2, 2, 0]]
    second = 3.5 + (2.75 - 3.5) / 2
    assert every.v.tolist() == [second + (1 - second) * (1 / 3), (3 + 4.5) / 2, 0]
    assert every.visits.tolist() == [[3, 2, 0]]
    assert every.extra["episodes"] == 2 and every.status is Status.SAMPLED and every.bound == math.inf


def test_constant_steps_by_hand():
    """Sutton & Barto (6.1), α = 1/2 from v = 8: A hears 7/2, 11/4, 1 in turn (every visit)."""
    v = by_log(LOG, B, visit="every", step_size=0.5, start_value=8)["A"]
    assert v == ((((8 + 3.5) / 2) + 2.75) / 2 + 1) / 2
    # α = 1, 7/8, 3/4, ...: by visits 7/2, then 7/8 of the way to 11/4; by steps n = 3 for both, α = 3/4.
    slow = [
        by_log(LOG, B, visit="every", step_size="linear:1:0.5:4", per=per, steps=3)["A"]
        for per in ("visit", "step")
    ]
    assert slow == [3.5 - 0.875 * 0.75, 2.625 + 0.75 * 0.125]


def test_powers_of_weights_by_hand():
    """π / b is 3/2 and 1/2, and n the sum of the ratios: 3/2, 2, 7/2 and so on; α = n^-1/2, by a log read ten times."""
    log = [("A", 0, 1, "end"), ("A", 1, 3, "end"), ("A", 0, 2, "end")]
    v = mass = 0.0
    for _ in range(10):
        for a, r in ((0, 1), (1, 3), (0, 2)):
            rho = (1.5, 0.5)[a]
            mass += rho
            v += mass**-0.5 * rho * (r - v)
    found = by_log(log, behavior=B, importance="weighted", step_size="n^-0.5", steps=30)["A"]
    assert found == pytest.approx(v, rel=1e-12)


def test_importance_by_hand():
    """ρ(A,0) = 3/2, ρ(A,1) = 1/2, ρ(B,0) = 1/2, ρ(B,1) = 3/2.

    Episode 1: W = 1/2 at B, 1/4 at the second A, 3/8 at the first. Episode 2: W = 3/2 at A, 9/4 at B.
    """
    off = {kind: by_log(LOG, behavior=B, importance=kind) for kind in KINDS}
    assert off["ordinary"].v.tolist() == [(2.75 * 3 / 8 + 1.5) / 2, (3 / 2 + 4.5 * 9 / 4) / 2, 0]
    mean = [(2.75 * 3 / 8 + 1.5) / (3 / 8 + 3 / 2), (3 / 2 + 4.5 * 9 / 4) / (1 / 2 + 9 / 4)]
    assert off["weighted"].v[:2].tolist() == pytest.approx(mean, rel=1e-15)
    every = by_log(LOG, behavior=B, visit="every")["A"]
    assert every == pytest.approx((3.5 / 4 + 2.75 * 3 / 8 + 1.5) / (1 / 4 + 3 / 8 + 3 / 2), rel=1e-15)
    # Per decision: B 1/2·3; second A 1/2 (2 + 1/2·3/2); first A 3/2 (1 + 1/2·11/8); then A 3/2, B 3/2 (4 + 3/4).
    assert off["per-decision"].v.tolist() == [(1.5 * (1 + 11 / 16) + 1.5) / 2, (1.5 + 1.5 * 4.75) / 2, 0]
    # Constant steps: α W [ G - v ].
    assert by_log(LOG, behavior=B, step_size=0.5)["A"] == 2.75 * 3 / 16 + 0.75 * (1 - 2.75 * 3 / 16)


def test_what_was_visited_with_weight_0_only_is_not_called_never_visited():
    """π never takes action 1. A by action 0, then 1 to the end: W = 0 in both visits. B is in none."""
    pi = Policy.of_actions(TWO, {"A": 0, "B": 0})
    log = [("A", 0, 1, "A"), ("A", 1, 2, "end")]
    text = never_text(by_log(log, pi, behavior=B))
    assert "visited with weight 0 only: 1 state (A)\nnever visited: 1 state (B)" in text
    assert "not learned" in states_table(by_log(log, pi, behavior=B))
    cut = by_log([*log, ("B", 0, 1, "B")], pi, TWO.replace(gamma=1), behavior=B)
    assert "visited in episodes without an end only: 1 state (B)" in never_text(cut)
    assert "weight" not in never_text(by_log(log, pi, behavior=B, importance="ordinary"))


def test_a_walk_tells_weight_0_from_never_visited():
    """a: "one" pays and ends, "two" ends; π takes "one", the behaviour hardly ever. b is never met."""
    outcomes = [("a", "one", "end", 1, 1), ("a", "two", "end", 1, 0), ("b", "one", "end", 1, 1)]
    mdp = MDP.from_outcomes(outcomes, 1, terminal=["end"], start={"a": 1})
    pi = Policy.of_actions(mdp, {"a": "one", "b": "one"})
    seldom = Policy.of_probs(mdp, {"a": {"one": 1e-9, "two": 1 - 1e-9}, "b": {"one": 1.0}})
    first, every = (
        monte_carlo(mdp, pi, behavior=seldom, steps=50, visit=visit) for visit in ("first", "every")
    )
    assert never_text(first).startswith(
        "visited with weight 0 only: 1 state (a)\nnever visited: 1 state (b)\n"
    )
    assert never_text(every).startswith("never visited, or visited with weight 0 only: 2 states (a, b)\n")
    document = learned_document(first)
    assert document["never_visited"] == ["b"] and document["not_learned"] == {
        "visited with weight 0 only": ["a"]
    }
    assert learned_document(monte_carlo(mdp, pi, steps=50))["not_learned"] == {}


def test_a_walk_without_an_end_tells_so():
    loop = MDP([[[1.0]]], [[1.0]], "99/100")
    text = never_text(monte_carlo(loop, Policy.uniform(loop), steps=100))
    assert text.startswith("visited in episodes without an end only: 1 state (0)\n")


def test_weight_zero_says_nothing():
    """π never takes action 1: an episode with it has W = 0, a return of 0 for the ordinary mean, none for the other."""
    pi = Policy.of_actions(TWO, {"A": 0, "B": 0})
    log = [("A", 0, 1, "A"), ("A", 1, 2, "end")]
    assert by_log(log, pi, behavior=B, importance="ordinary", start_value=5)["A"] == 0
    weighted = by_log(log, pi, behavior=B, start_value=5)
    assert math.isnan(weighted["A"]) and weighted.never_visited.tolist() == [True, True, False]
    assert weighted.estimates[0].tolist() == [5, 5, 0]


def test_costs_are_costs():
    costs = TWO.replace(sense="min")
    log = [(s, a, -r, s2) for s, a, r, s2 in LOG]
    v = by_log(log, B, costs, start_value=-8, step_size=0.5).v
    assert v.tolist() == (-by_log(LOG, B, start_value=8, step_size=0.5).v).tolist()


def test_on_policy_the_kinds_of_importance_are_one():
    answers = [
        learn(TWO, "monte-carlo", B, steps=500, runs=3, importance=kind, visit="every") for kind in KINDS
    ]
    assert len({x.estimates.tobytes() for x in answers}) == 1


def test_predictor():
    """Sutton & Barto (2018), Example 6.4: Monte Carlo says V(A) = 0, V(B) = 3/4."""
    P = [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]]
    mdp = MDP(P, [[0], [0.5], [0]], 1, states=["A", "B", "end"], terminal=["end"])
    log = [("A", 0, 0, "B"), ("B", 0, 0, "end"), *6 * [("B", 0, 1, "end")], ("B", 0, 0, "end")]
    for visit in VISITS:
        assert by_log(log, Policy.uniform(mdp), mdp, visit=visit).v.tolist() == [0, pytest.approx(0.75), 0]


# -- episodes that are cut off ----------------------------------------------------------------------------------------


def test_cut_by_hand():
    """Reward 1 forever, γ = 1/2, cut after 4: the first two visits are learned from, G = 15/8 and 7/4."""
    loop = MDP([[[1.0]]], [[1.0]], "1/2")
    policy = Policy.uniform(loop)
    assert monte_carlo(loop, policy, steps=4, episode_steps=4)["0"] == 1.875
    every = monte_carlo(loop, policy, steps=11, episode_steps=4, visit="every")
    assert every["0"] == pytest.approx((1.875 + 1.75) / 2) and every.visits.tolist() == [[4]]
    assert (every.extra["episodes"], every.extra["cut"]) == (2, 2)
    assert every.note == "2 of 2 episodes were cut off after 4 steps"
    assert len(every.verdicts) == 1 and "episodes never end from state '0'" in every.verdicts[0]
    assert "up to 0.1 of" in every.verdicts[0]  # (1/2)^3
    assert monte_carlo(loop, policy, steps=1, episode_steps=1)["0"] == 1.0


@pytest.mark.parametrize("gamma", ["0", "1/10", "1/2", "9/10", "99/100"])
def test_cut_bias_is_as_stated(gamma):
    """Reward 1 forever is worth 1 / (1 - γ); every return misses 0.0001 of it at most, and something."""
    loop = MDP([[[1.0]]], [[1.0]], gamma)
    answer = monte_carlo(loop, Policy.uniform(loop), steps=5000, visit="every")
    worth = 1 / (1 - Fraction(gamma))
    assert 0 <= worth - Fraction(answer["0"]) <= worth * Fraction(10001, 10**8)
    assert answer.visits[0, 0] >= 5000 // 2 - 1000


def test_walk_goes_on_where_it_was_cut():
    """Start a leads to b, which stays: without episode_steps the walk never comes back to a, with it it does."""
    mdp = MDP([[[0, 1.0]], [[0, 1.0]]], [[1.0], [1.0]], "1/10", states=["a", "b"], start="a")
    on, anew = (monte_carlo(mdp, Policy.uniform(mdp), steps=80, episode_steps=n) for n in (None, 8))
    assert on.extra == {**on.extra, "episodes": 10, "cut": 10} and on.visits.tolist() == [[1, 10]]
    assert anew.visits.tolist() == [[10, 10]]


def test_no_episode_in_so_few_steps():
    loop = MDP([[[1.0]]], [[1.0]], "99/100")
    answer = monte_carlo(loop, Policy.uniform(loop), steps=100)
    assert answer.never_visited.all() and answer.note == "no episode came to its end, so nothing was learned"


def test_unfinished_episode_of_a_log_is_left_out():
    ends = [("A", 0, 1, "end"), ("A", 0, 1, "A"), ("A", 0, 1, "B")]
    answer = by_log(ends, B)
    assert answer.v[0] == 1 and answer.visits.tolist() == [[1, 0, 0]]
    assert answer.verdicts == (
        "data: 2 of 3 transitions are not learned from, as their episode is cut off before 14 rewards have followed",
    )  # (1/2)^14 < 0.0001 < (1/2)^13
    # Long enough: 20 rewards of 1. The first 7 visits have 14 or more; the first return is 2 - 2^-19.
    long = by_log(20 * [("A", 0, 1, "A")], B)
    assert long["A"] == 2 - 2.0**-19 and by_log(20 * [("A", 0, 1, "A")], B, visit="every").visits[0, 0] == 7
    total = TWO.replace(gamma=1)
    assert by_log(20 * [("A", 0, 1, "A")], B, total).never_visited[0]


def test_log_broken_in_the_middle():
    """B is left without having been arrived at: the episode before it has no end."""
    answer = by_log([("A", 0, 9, "A"), ("B", 0, 1, "end")], B)
    assert answer.visits.tolist() == [[0, 1, 0]] and answer["B"] == 1


def test_done_in_a_state_that_goes_on():
    answer = by_log([("A", 0, 1, "B", True), ("B", 0, 1, "end")], B)
    assert answer.v.tolist() == [1, 1, 0]


def test_log_over_again_changes_nothing():
    assert by_log(LOG, B, steps=50).v == pytest.approx(by_log(LOG, B).v, rel=1e-14)


# -- kernel = twin ----------------------------------------------------------------------------------------------------


def same(kernel, *arguments):
    left = []
    for call in (kernel, getattr(twins, kernel.__name__)):
        own = copied(arguments)
        call(*own)
        left.append(pickle.dumps(own))
    assert left[0] == left[1]


SCHEDULES = ("1/n", 0.25, "0.5*n^-0.7", "linear:1:0.1:9", "exponential:0.9:0.5:0.1")


@pytest.mark.parametrize("seed", range(12))
def test_walk_and_log_equal_their_twins(seed):
    """12 random models with all options in turn; tables of terminal states are NaN, work arrays are garbage."""
    importance, first, average = seed % 3, bool(seed % 2), bool(seed // 2 % 2)
    problem = ("discounted", "total-reward")[seed % 2]
    mdp = random_model(seed, problem, exact=False, sense=("max", "min")[seed // 3 % 2], ends=1)
    pi, b = random_policy(mdp, seed), random_policy(mdp, seed + 100)
    rho = pi.weights / b.weights
    model, cum, S, runs = sampling_model(mdp), policy_cum(b), mdp.S, 3
    rng = np.random.default_rng(seed)
    longest = (3, 5, 40)[seed // 4]
    code = Schedule.of(SCHEDULES[seed % 5]).code
    v = rng.normal(size=(runs, S))
    v[:, mdp.terminal] = math.nan
    row = np.zeros(runs, dtype=np.int64)
    visits = np.zeros((runs, S), dtype=np.int64)
    begin(model, 0, 0.0, cum, 0, cum, visits, v, rng.random((runs, 2)), row)
    total = np.zeros((runs, S if average else 0))
    mass = np.zeros((runs, S if importance == 1 else 0))
    zeros = np.zeros(runs, dtype=np.int64)
    tables = kernels.Counts(mass, visits, total, total.astype(np.int64)), v
    rows, rewards = rng.integers(0, mdp.L, (runs, longest)), rng.normal(size=(runs, longest))
    seen = np.full((runs, S), -1) if first else np.full((runs, 0), -1)
    episodes = kernels.Episodes(rows, rewards, seen, zeros, zeros.copy())
    none = np.zeros(0, dtype=np.int64)
    how = kernels.Returns(importance, first, min(2, longest // 2), none, none, none)
    walk = settings(
        cum=cum, rho=rho, step_size=code, per_step=bool(seed // 6), episode_steps=longest * (seed // 5 % 2)
    )
    uniforms = rng.random((runs, 120, 3))
    same(kernels.monte_carlo, model, None, walk, uniforms, 7, zeros.copy(), row, how, episodes, *tables)
    log = Transitions.of_arrays(
        mdp, rng.integers(0, mdp.L, 60), rng.normal(size=60), rng.integers(0, S, 60), rng.random(60) < 0.3
    )
    begun = np.full(60, -1)
    ends = np.flatnonzero(log.next_row < 0)
    begun[ends] = np.append(0, ends[:-1] + 1)
    keep = np.where(log.done, np.arange(60) + 1, np.arange(60))
    signed = np.where(rng.random(60) < 0.2, -log.row - 1, log.row)
    how = kernels.Returns(importance, first, 0, signed, begun, keep)
    given, uniforms = log.arrays(), np.zeros((runs, 100, 0))
    same(kernels.monte_carlo, model, given, walk, uniforms, 7, None, row, how, episodes, *tables)


def test_walk_equals_log_of_the_same_steps():
    """A walk that visits everything in a known order (deterministic), and its log written down."""
    chain = MDP([[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]], [[1], [2], [0]], "1/2", terminal=[2], start="0")
    policy = Policy.uniform(chain)
    walked = monte_carlo(chain, policy, steps=7, step_size=0.25)
    log = 3 * [(0, 0, 1, 1), (1, 0, 2, 2)] + [(0, 0, 1, 1)]
    assert walked.v.tobytes() == by_log(log, policy, chain, step_size=0.25).v.tobytes()


@pytest.mark.parametrize("cut", [None, 3])
def test_resumed_in_the_middle_of_an_episode(cut):
    options = {"steps": 1000, "runs": 2, "seed": 5, "behavior": B, "visit": "first", "episode_steps": cut}
    whole = monte_carlo(TWO, PI, **options)
    part = monte_carlo(TWO, PI, **{**options, "steps": 501})
    rest = monte_carlo(TWO, PI, **options, resume=part)
    assert (
        rest.estimates.tobytes() == whole.estimates.tobytes()
        and rest.extra["episodes"] == whole.extra["episodes"]
    )


# -- exact expectations of one and two episodes -----------------------------------------------------------------------


def paths(mdp, weights, s, steps, terminal):
    """Every way to go on from s: (probability, [(row, reward, next state)]), in Fractions."""
    if steps == 0 or terminal[s]:
        return [(Fraction(1), [])]
    found = []
    for i in mdp.rows(s):
        for k in range(mdp.row_ptr[i], mdp.row_ptr[i + 1]):
            s2, p = int(mdp.next_state[k]), weights[i] * Fraction(float(mdp.prob[k]))
            if p:
                reward = float(mdp.r[i] if mdp.reward is None else mdp.reward[k])
                for q, rest in paths(mdp, weights, s2, steps - 1, terminal):
                    found.append((p * q, [(i, reward, s2), *rest]))
    return found


STEPS = 3  # at most; dyadic throughout, so that floats are exact
EPISODES = paths(TWO, reference.exact_weights(B), 0, STEPS, TWO.terminal)


def worth(policy, steps, s):
    """The value of going `steps` steps from s, in Fractions: backward induction."""
    chain = reference.exact_chain(TWO, reference.exact_weights(policy))
    v = [Fraction(0)] * TWO.S
    for _ in range(steps):
        v = [r + HALF * reference.dot(p, v) for p, r in chain]
    return v[s]


def estimate(episodes, **options):
    """What is learned of A from such episodes; the last step of each counts as the end."""
    log = [x for episode in episodes for x in episode]
    done = [x is episode[-1] for episode in episodes for x in episode]
    row, reward, next_state = zip(*log, strict=True)
    data = Transitions.of_arrays(TWO, row, reward, next_state, done)
    return Fraction(float(by_log(data, behavior=B, **options).estimates[0, 0]))


@pytest.mark.parametrize("kind", KINDS)
def test_mean_of_one_episode(kind):
    """Ordinary and per decision: v_π exactly. Weighted: v_b exactly, as W G / W = G."""
    assert sum(p for p, _ in EPISODES) == 1
    mean = sum(p * estimate([path], importance=kind) for p, path in EPISODES)
    assert mean == worth(B if kind == "weighted" else PI, STEPS, 0)
    assert worth(B, STEPS, 0) != worth(PI, STEPS, 0)


def test_second_moment_of_one_episode():
    """Per decision: E[G²] = Σ b ρ² p (r + γ G')², solved backward, equals the sum over all paths. Exact."""
    pi, b = reference.exact_weights(PI), reference.exact_weights(B)
    first, second = [Fraction(0)] * TWO.S, [Fraction(0)] * TWO.S
    for _ in range(STEPS):
        new = [[Fraction(0), Fraction(0)] for _ in range(TWO.S)]
        for i in range(TWO.L):
            for k in range(TWO.row_ptr[i], TWO.row_ptr[i + 1]):
                s2, r = int(TWO.next_state[k]), Fraction(float(TWO.r[i]))
                p, ratio = b[i] * Fraction(float(TWO.prob[k])), pi[i] / b[i]
                moments = new[TWO.state_of_row(i)]
                moments[0] += p * ratio * (r + HALF * first[s2])
                moments[1] += p * ratio**2 * (r**2 + 2 * r * HALF * first[s2] + HALF**2 * second[s2])
        first, second = ([x[n] for x in new] for n in (0, 1))
    assert first[0] == worth(PI, STEPS, 0)
    assert second[0] == sum(p * estimate([path], importance="per-decision") ** 2 for p, path in EPISODES)


def test_weighted_mean_of_two_episodes():
    """E[(W₁G₁ + W₂G₂) / (W₁ + W₂)] by Fractions over all pairs of episodes: between v_b and v_π."""
    pi, b = reference.exact_weights(PI), reference.exact_weights(B)

    def weigh(path):
        G, W = Fraction(0), Fraction(1)
        for i, r, _ in reversed(path):
            G, W = Fraction(r) + HALF * G, W * pi[i] / b[i]
        return W, G

    mean, learned = Fraction(0), 0.0
    short = paths(TWO, b, 0, 2, TWO.terminal)
    for (p, x), (q, y) in itertools.product(short, short):
        (W1, G1), (W2, G2) = weigh(x), weigh(y)
        mean += p * q * (W1 * G1 + W2 * G2) / (W1 + W2)
        learned += float(p * q) * float(estimate([x, y], importance="weighted"))
    assert learned == pytest.approx(float(mean), rel=1e-12)
    low, high = sorted([worth(B, 2, 0), worth(PI, 2, 0)])
    assert low < mean < high


def test_every_visit_is_biased_and_first_visit_is_not():
    """Sutton & Barto (2018), Exercise 5.5: ten steps of reward 1 with γ = 1: 10 by first visit, 5.5 by every visit."""
    mdp = MDP([[[0.5, 0.5]], [[0, 0]]], [[1], [0]], 1, states=["on", "end"], terminal=["end"])
    log = [*9 * [("on", 0, 1, "on")], ("on", 0, 1, "end")]
    found = {visit: by_log(log, Policy.uniform(mdp), mdp, visit=visit)["on"] for visit in VISITS}
    assert found == {"first": 10, "every": pytest.approx(5.5)}


# -- samples against exact moments ----------------------------------------------------------------------------------


FALSE_ALARM = 1e-8


def slack(n):
    """A mean of n numbers from [0, 1] is further off with probability below FALSE_ALARM / 2 (Hoeffding)."""
    return math.sqrt(math.log(4 / FALSE_ALARM) / (2 * n))


def bernstein(n, variance, width):
    """The same of numbers with a known variance from an interval of a known width (Bernstein)."""
    log = math.log(4 / FALSE_ALARM)
    return (width * log / 3 + math.sqrt((width * log / 3) ** 2 + 2 * n * variance * log)) / n


def first_estimates(importance, longest, n, policy=PI):
    """What n runs know of A after their first episode, `longest` steps at most; with fresh random numbers."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    model, cum, rho = sampling_model(TWO), policy_cum(B), policy.weights / B.weights
    row, clock, episode, cut = (np.zeros(n, dtype=np.int64) for _ in range(4))
    mass, total, v = np.zeros((n, 3 if importance == 1 else 0)), np.zeros((n, 0)), np.full((n, 3), 0.0)
    counts = kernels.Counts(mass, np.zeros((n, 3), dtype=np.int64), total, np.zeros((n, 0), dtype=np.int64))
    begin(model, 0, 0.0, cum, 0, cum, counts.visits, v, rng.random((n, 2)), row)
    v[:, 2] = math.nan
    rows, rewards = np.zeros((n, longest), dtype=np.int64), np.zeros((n, longest))
    episodes = kernels.Episodes(rows, rewards, np.full((n, 3), -1), episode, cut)
    none, first = np.zeros(0, dtype=np.int64), np.full(n, math.nan)
    how = kernels.Returns(importance, True, 0, none, none, none)
    walk = settings(cum=cum, rho=rho, step_size=Schedule.of("1/n").code, episode_steps=longest)
    for step in range(longest):
        tables = clock, row, how, episodes, counts, v
        kernels.monte_carlo(model, None, walk, rng.random((n, 1, 3)), step, *tables)
        now = (episode == 1) & np.isnan(first)
        first[now] = v[now, 0]
    assert not np.isnan(first).any()
    return first


@pytest.mark.parametrize("kind", KINDS)
def test_moments_of_a_return(kind):
    """The mean and the mean square of 200,000 estimates after one episode of STEPS steps at most, against all paths."""
    n = 200_000
    first = first_estimates(KINDS.index(kind), STEPS, n)
    values = [(float(p), float(estimate([path], importance=kind))) for p, path in EPISODES]
    low, high = min(x for _, x in values), max(x for _, x in values)
    mean, square = sum(p * x for p, x in values), sum(p * x * x for p, x in values)
    close = (high - low) * slack(n), max(low * low, high * high) * slack(n)
    print(f"mean {mean:.4g} +- {close[0]:.2g}, mean square {square:.4g} +- {close[1]:.2g}")
    assert abs(first.mean() - mean) <= close[0] and abs(np.square(first).mean() - square) <= close[1]
    # It would tell the value of π from that of b.
    assert abs(worth(PI, STEPS, 0) - worth(B, STEPS, 0)) > 2 * close[0]


def test_moments_of_endless_revisits():
    """First visits of a state that is met again and again: mean and mean square by linear equations, in Fractions.

    m = E[G²] solves m(s) = Σ p [ r² + 2 γ r v(s') + γ² m(s') ]. 100,000 episodes; -4 < G < 8, and what is cut off after
    32 steps is 2^-29 at most. Bernstein: a mean is off by t with probability 2 exp(-n t² / (2 σ² + 2 R t / 3)) at most,
    where R is the range; σ² is exact for G, and at most 64 m for G². It finds 0.04, where the deviation of G is 1.6.
    """
    n = 100_000
    first = first_estimates(0, 32, n, B)
    mdp, b = TWO, reference.exact_weights(B)
    v = reference.exact_policy_value(mdp, B)
    chain = []
    for s in range(mdp.S):
        successors, constant = {}, Fraction(0)
        for i in mdp.rows(s):
            r = Fraction(float(mdp.r[i]))
            for k in range(mdp.row_ptr[i], mdp.row_ptr[i + 1]):
                p, s2 = b[i] * Fraction(float(mdp.prob[k])), int(mdp.next_state[k])
                successors[s2] = successors.get(s2, Fraction(0)) + p
                constant += p * (r**2 + 2 * HALF * r * v[s2])
        chain.append((successors, constant))
    m = reference.chain_value(chain, HALF**2, mdp.terminal)
    close = [bernstein(n, float(m[0] - v[0] ** 2), 12), bernstein(n, float(64 * m[0]), 64)]
    print(f"mean {float(v[0]):.4g} +- {close[0]:.2g}, mean square {float(m[0]):.4g} +- {close[1]:.2g}")
    assert close[0] < 0.04
    assert abs(first.mean() - v[0]) <= close[0]
    assert abs(np.square(first).mean() - m[0]) <= close[1]


def test_random_walk_is_learned():
    """Sutton & Barto (2018), Example 6.2: v = 1/6 ... 5/6, by 8 runs of 300,000 steps, some 33,000 episodes each.

    Returns are 0 or 1. Means of independent returns are a reversed martingale: by Hoeffding and Doob one of 40 means is
    off by 0.04 at any count from 10,000 on with probability 80 exp(-2 · 10,000 · 0.04²) = 1e-12.
    """
    seed = secrets.randbits(31)
    print(f"seed {seed}")
    mdp = load(MODELS / "random_walk_5.toml")
    answer = monte_carlo(mdp, Policy.uniform(mdp), steps=300_000, runs=8, seed=seed)
    assert answer.visits[:, :5].min() >= 10_000  # A is met in 3/5 of the episodes
    assert np.abs(answer.estimates[:, :5] - np.arange(1, 6) / 6).max() < 0.04
    assert (answer.sup_error < 0.04).all() and answer.extra["cut"] == 0


def test_finite_horizon_has_a_table_for_each_time():
    """Every value of a deterministic model is known after one episode."""
    mdp = MDP([[[0, 1.0]], [[1.0, 0]]], [[1.0], [3.0]], 1, horizon=3, start="0")
    answer = monte_carlo(mdp, Policy.uniform(mdp), steps=3)
    assert answer.v[:, 0].tolist() == [5, pytest.approx(math.nan, nan_ok=True), 1, 0] and answer.v[1, 1] == 4
    assert answer.extra["cut"] == 0


# -- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"visit": "last"}, {"importance": "none"}, {"step_size": 0}, {"episode_steps": 0}, {"steps": 0}],
)
def test_options_out_of_range(options):
    with pytest.raises(OptionError, match=f"^{next(iter(options))}: found"):
        monte_carlo(TWO, PI, **options)


def test_episodes_beyond_memory_are_refused():
    with pytest.raises(OptionError, match=r"episode_steps: found 1000000; the episodes of 2000 runs take"):
        monte_carlo(TWO, PI, runs=2000, episode_steps=10**6, steps=1, reference=False)


def test_behavior_must_take_what_the_policy_takes():
    with pytest.raises(OptionError, match="state 'A', action '1': found probability 0"):
        monte_carlo(TWO, PI, behavior=Policy.of_actions(TWO, {"A": 0, "B": 0}))


def test_it_is_listed():
    assert LEARNERS["monte-carlo"] is monte_carlo
