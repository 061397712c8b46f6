"""Off-policy evaluation: each estimator beside its slow twin, by hand, and beside other algorithms."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import reference_ope as slow

import tabular_rl as t
from tabular_rl.analysis.off_policy import truth
from tabular_rl.analysis.off_policy.episodes import episodes_of, ratios
from tabular_rl.analysis.off_policy.estimators import ESTIMATORS, estimates
from tabular_rl.analysis.off_policy.sums import sums_of
from tabular_rl.analysis.off_policy.truth import law_moments, log_moments, paths
from tabular_rl.solving import run as running

ALL = tuple(ESTIMATORS)


def chain(gamma, horizon=None):
    """Three states and an end, two actions each; rewards of both signs."""
    rows = [("a", "x", "b", "1/2", 1), ("a", "x", "a", "1/2", 0), ("a", "y", "c", 1, -1), ("b", "x", "end", "1/3", 3),
            ("b", "x", "c", "2/3", 2), ("b", "y", "a", 1, "1/2"), ("c", "x", "end", "1/2", -2),
            ("c", "x", "b", "1/2", 1), ("c", "y", "end", 1, 4)]  # fmt: skip
    return t.MDP.from_outcomes(rows, gamma, terminal=["end"], horizon=horizon, start={"a": "1/2", "b": "1/2"})


def policies(mdp, seed, timed=False):
    """A target and a behaviour with random probabilities."""
    rng = np.random.default_rng(seed)
    shape = (mdp.horizon, mdp.L) if timed else (mdp.L,)
    found = []
    for _ in range(2):
        x = rng.uniform(0.1, 1.0, shape)
        total = np.zeros((*shape[:-1], mdp.S))
        for row, s in enumerate(mdp.pair_state):
            total[..., s] += x[..., row]
        found.append(t.Policy(mdp, probs=x / total[..., mdp.pair_state]))
    return found


def listed(e):
    """Episodes as the slow twin takes them."""
    found = [[] for _ in range(len(e))]
    for i, s, row, r, s2 in zip(e.of, e.s, e.row, e.reward, e.s2, strict=True):
        found[i].append((int(s), int(row), float(r), int(s2) if s2 >= 0 else None))
    return found


def slowly(e, pi, rho, gamma):
    """All estimates by the slow twin."""
    episodes, cut = listed(e), e.cut.tolist()
    rows = np.split(rho, e.first[1:])

    def prob(time, _s, row):
        return float(pi.weights[time, row] if pi.timed else pi.weights[row])

    h = e.horizon
    return {
        "ordinary": slow.ordinary(episodes, rows, gamma),
        "weighted": slow.weighted(episodes, rows, gamma),
        "per-decision": slow.per_decision(episodes, rows, gamma),
        "weighted-per-decision": slow.weighted_per_decision(episodes, rows, gamma),
        "direct": slow.direct(episodes, prob, gamma, h),
        "doubly-robust": slow.doubly_robust(episodes, rows, prob, gamma, h, cut),
        "weighted-doubly-robust": slow.weighted_doubly_robust(episodes, rows, prob, gamma, h, cut),
        "marginalized": slow.marginalized(episodes, rows, gamma),
        "occupancy": slow.occupancy(episodes, rows, prob, gamma, h),
    }


CASES = {
    "horizon": dict(gamma="9/10", horizon=3),
    "horizon, cut before": dict(gamma=1, horizon=6, steps=4),
    "times": dict(gamma="9/10", horizon=4, timed=True),
    "discounted, cut": dict(gamma="4/5", steps=5),
    "total": dict(gamma=1),
    "few": dict(gamma="1/2", episodes=1),
}


@pytest.mark.parametrize("case", CASES)
def test_estimators_are_their_equations(case):
    given = CASES[case]
    mdp = chain(given["gamma"], given.get("horizon"))
    pi, b = policies(mdp, 3, given.get("timed", False))
    log = t.sample_transitions(
        mdp, b, 10_000, 5, episodes=given.get("episodes", 12), episode_steps=given.get("steps")
    )
    e = episodes_of(log, mdp.gamma, mdp.horizon)
    rho, weight = ratios(e, pi, b)
    found = estimates(sums_of(e, pi, rho, weight, mdp.gamma), np.ones((1, len(e))), ALL)[0]
    for name, x in slowly(e, pi, rho, mdp.gamma).items():
        assert found[ALL.index(name)] == pytest.approx(x, rel=1e-9, abs=1e-9), name


def test_an_episode_that_counts_twice_is_there_twice():
    mdp = chain("9/10")
    pi, b = policies(mdp, 1)
    log = t.sample_transitions(mdp, b, 10_000, 2, episodes=5)
    e = episodes_of(log, mdp.gamma, None)
    sums = sums_of(e, pi, *ratios(e, pi, b), mdp.gamma)
    c = np.array([[2.0, 0, 1, 1, 3], [1, 1, 1, 1, 1]])
    at = np.concatenate([np.flatnonzero(e.of == i) for i in (0, 0, 2, 3, 4, 4, 4)])
    again = t.Transitions.of_arrays(mdp, log.row[at], log.reward[at], log.next_state[at], log.done[at])
    e2 = episodes_of(again, mdp.gamma, None)
    assert len(e2) == 7
    twice = estimates(sums_of(e2, pi, *ratios(e2, pi, b), mdp.gamma), np.ones((1, 7)), ALL)[0]
    found = estimates(sums, c, ALL)
    assert found[0] == pytest.approx(twice)
    assert found[1] == pytest.approx(estimates(sums, np.ones((1, 5)), ALL)[0])


def test_by_hand():
    """Two states in a row, two actions; π takes y for sure, b with probability 1/2, so that ρ is 0 or 2; γ = 1/2.

    Episodes: a y 1, b y 4: W = 4, G = 3.    a y 1, b x 2: W = 0, and 2 at step 0.    a x 0, b y 2: W = 0.
    """
    mdp = t.MDP.from_outcomes([("a", "x", "b", 1, 0), ("a", "y", "b", 1, 1), ("b", "x", "end", 1, 2),
                               ("b", "y", "end", "1/2", 4), ("b", "y", "end", "1/2", 2)], "1/2", start="a",
                              terminal=["end"])  # fmt: skip
    seen = [("a", "y", 1, "b"), ("b", "y", 4, "end"), ("a", "y", 1, "b"), ("b", "x", 2, "end"), ("a", "x", 0, "b"),
            ("b", "y", 2, "end")]  # fmt: skip
    found = t.ope(t.Transitions.of(mdp, seen), "action:y", behavior="uniform", resamples=0)
    F = Fraction
    want = {
        "ordinary": F(4 * 3, 3),
        "weighted": F(3),
        # step 0: 2 · 1 twice; step 1: 4 · 4 / 2
        "per-decision": F(2 + 2, 3) + F(16, 6),
        # step 0: weights 2, 2, 0; step 1: 4, 0, 0
        "weighted-per-decision": F(4, 4) + F(16, 4) / 2,
        # r̂(a,y) = 1, r̂(b,y) = 3
        "direct": 1 + F(3, 2),
        # v̂ = 5/2, 3; q̂(b,x) = 2: corrections of step 1 are 4 (4 - 3) / 2 and 0 and 0
        "doubly-robust": F(5, 2) + F(2, 3),
        # w of step 1 is 1, 0, 0; that of step 0 1/2, 1/2, 0, with r - q̂ + γ v̂ = 0
        "weighted-doubly-robust": F(5, 2) + F(1, 2),
        # d_1(b) = 4/3; step 1: 2 · 4, 0, 2 · 2, over 3
        "marginalized": F(4, 3) + F(1, 2) * F(4, 3) * F(12, 3),
        # d_π = 1, 1/2, and b is there as often
        "occupancy": F(4, 3) + F(1, 2) * F(12, 3),
    }
    assert {one.name: one.value for one in found.estimates} == pytest.approx(
        {k: float(x) for k, x in want.items()}
    )
    assert (found.effective, found.heaviest, found.tries) == (1.0, 1.0, (2, 2))
    assert found.exact == pytest.approx(2.5)


def test_direct_is_the_value_in_the_estimated_model(tmp_path):
    mdp = chain("9/10")
    pi, b = policies(mdp, 7)
    log = t.sample_transitions(mdp, b, 400, 3, episodes=60)
    model = t.estimate(log, "9/10").mdp
    assert model.L == mdp.L
    want = t.evaluate(model, t.Policy(model, probs=pi.weights)).value_of_start()
    assert t.ope(log, pi, resamples=0, logs=0)["direct"].value == pytest.approx(want)
    t.write_log(log, tmp_path / "log.csv")
    alone = t.ope(str(tmp_path / "log.csv"), "uniform", gamma="9/10", resamples=0)
    assert not alone.known
    assert alone["direct"].value == pytest.approx(t.evaluate(model, "uniform").value_of_start())
    # The propensities of the file are those of b.
    assert alone["ordinary"].value == pytest.approx(
        t.ope(log, "uniform", resamples=0, logs=0)["ordinary"].value
    )


def test_on_policy_all_agree_with_the_mean_return():
    """π = b: each ratio is 1, and importance sampling is the mean of the returns."""
    mdp = chain("9/10", 4)
    pi, _ = policies(mdp, 2)
    log = t.sample_transitions(mdp, pi, 10_000, 4, episodes=30)
    e = episodes_of(log, mdp.gamma, 4)
    mean = sum(0.9 ** int(k) * float(r) for k, r in zip(e.t, e.reward, strict=True)) / len(e)
    found = t.ope(log, pi, behavior=pi, resamples=0, logs=0)
    for name in ("ordinary", "weighted", "per-decision", "weighted-per-decision"):
        assert found[name].value == pytest.approx(mean)
    assert (found.effective, found.heaviest) == (pytest.approx(30), pytest.approx(1 / 30))


def test_behavior_from_counts_makes_marginalized_the_model_by_steps():
    """One decision: with shares as b, ρ-weighted rewards are Σ_a π(a|s) r̂(s,a), the direct method."""
    mdp = chain(1, 1)
    pi, b = policies(mdp, 5)
    found = t.ope(t.sample_transitions(mdp, b, 500, 6, episodes=200), pi, behavior="log", resamples=0, logs=0)
    assert found.behavior == "estimated"
    for name in ("ordinary", "per-decision", "marginalized", "occupancy", "doubly-robust"):
        assert found[name].value == pytest.approx(found["direct"].value)


# -- bias and deviation ----------------------------------------------------------------------------------------------


def small():
    """Two decisions with 8 paths."""
    rows = [("a", "x", "b", "1/2", 1), ("a", "x", "end", "1/2", 0), ("a", "y", "b", 1, 2), ("b", "x", "end", 1, 3),
            ("b", "y", "end", "1/4", -1), ("b", "y", "end", "3/4", 1)]  # fmt: skip
    return t.MDP.from_outcomes(rows, "1/2", terminal=["end"], start="a")


def test_enumerated_moments_are_those_of_all_pairs_of_paths():
    """Two episodes: each ordered pair of paths, estimated by the slow twin."""
    mdp = small()
    pi, b = policies(mdp, 11)
    e, chance = paths(mdp, b, None)
    assert (len(e), chance.sum()) == (7, pytest.approx(1))
    got = log_moments(mdp, pi, b, None, ALL, 2, logs=0, seed=0)
    rho, episodes = ratios(e, pi, b)[0], listed(e)
    rows = [row.tolist() for row in np.split(rho, e.first[1:])]

    def prob(_time, _s, row):
        return float(pi.weights[row])

    first, second = dict.fromkeys(ALL, 0.0), dict.fromkeys(ALL, 0.0)
    for i, j in itertools.product(range(len(e)), repeat=2):
        two, ratio = [episodes[i], episodes[j]], [rows[i], rows[j]]
        x = {
            "ordinary": slow.ordinary(two, ratio, 0.5),
            "weighted": slow.weighted(two, ratio, 0.5),
            "per-decision": slow.per_decision(two, ratio, 0.5),
            "weighted-per-decision": slow.weighted_per_decision(two, ratio, 0.5),
            "direct": slow.direct(two, prob, 0.5, None),
            "doubly-robust": slow.doubly_robust(two, ratio, prob, 0.5, None, [False, False]),
            "weighted-doubly-robust": slow.weighted_doubly_robust(two, ratio, prob, 0.5, None, [False, False]),
            "marginalized": slow.marginalized(two, ratio, 0.5),
            "occupancy": slow.occupancy(two, ratio, prob, 0.5, None),
        }  # fmt: skip
        for name, value in x.items():
            first[name] += chance[i] * chance[j] * value
            second[name] += chance[i] * chance[j] * value**2
    for name in ALL:
        assert got[name].mean == pytest.approx(first[name]), name
        assert got[name].deviation ** 2 == pytest.approx(second[name] - first[name] ** 2, abs=1e-12), name
        assert (got[name].how, got[name].logs) == ("enumerated", 28)


@pytest.mark.parametrize(("horizon", "limit"), [(None, None), (3, 3), (None, 3)])
def test_the_law_is_what_enumeration_finds(horizon, limit):
    mdp = small() if limit is None else chain("9/10", horizon)
    pi, b = policies(mdp, 13)
    law = law_moments(mdp, pi, b, limit, 1)
    all_logs = log_moments(mdp, pi, b, limit, tuple(law), 1, logs=0, seed=0)
    assert set(law) == {"ordinary", "per-decision"}
    for name, found in law.items():
        assert (found.mean, found.deviation) == pytest.approx((all_logs[name].mean, all_logs[name].deviation))
        assert law_moments(mdp, pi, b, limit, 4)[name].deviation == pytest.approx(found.deviation / 2)


def test_simulated_moments_are_near_the_exact_ones():
    """z of the mean of 400 logs from paths and of 60 that are played: |z| > 6 has probability 2e-9."""
    mdp = chain("9/10", 3)
    pi, b = policies(mdp, 17)
    exact = law_moments(mdp, pi, b, 3, 40)["per-decision"]
    drawn = log_moments(mdp, pi, b, 3, ALL, 40, logs=400, seed=3)["per-decision"]
    played = truth._simulated(mdp, pi, b, 3, ALL, 40, 60, 3)["per-decision"]
    for found in (drawn, played):
        assert found.how == "simulated"
        assert abs(found.mean - exact.mean) < 6 * exact.deviation / math.sqrt(found.logs)
        assert found.deviation == pytest.approx(exact.deviation, rel=0.5)


def test_infinite_variance_is_said():
    """The loop of Sutton & Barto's example 5.5: the second moment of the weights is infinite."""
    mdp = t.MDP.from_outcomes([("s", "left", "s", "9/10", 0), ("s", "left", "end", "1/10", 1),
                               ("s", "right", "end", 1, 0)], 1, terminal=["end"])  # fmt: skip
    log = t.sample_transitions(mdp, t.Policy.uniform(mdp), 2000, 1, episodes=50)
    found = t.ope(log, "action:left", behavior="uniform", resamples=50, logs=5)
    assert found["per-decision"].truth.deviation == math.inf
    assert found["ordinary"].bound is None
    assert found["ordinary"].why == "weights without an upper bound"


# -- what is said -----------------------------------------------------------------------------------------------------


def test_what_the_log_does_not_have_is_said():
    mdp = chain("9/10")
    seen = [
        ("a", "x", 1, "b"),
        ("b", "x", 3, "end"),
        ("a", "x", 0, "a"),
        ("a", "x", 1, "b"),
        ("b", "x", 2, "c"),
    ]
    found = t.ope(t.Transitions.of(mdp, seen), "action:y", behavior="uniform", resamples=0, logs=0)
    text = " ".join(found.warnings)
    assert "takes actions that the log never has, such as y in a" in text
    assert "comes to states that the log never leaves, such as c" in text
    assert "cut off before their end: 1 of 2 episodes" in text
    assert found.unknown == pytest.approx(1.0)
    assert found["direct"].value == 0
    assert math.isnan(found["weighted"].value)
    assert "no estimate by weighted" in text
    assert found["ordinary"].value == 0


def test_a_policy_may_name_what_the_log_does_not_have(tmp_path):
    """Without a model: π calls in warm, where the log only mails, so that v̂(new) = -1 and what follows counts 0."""
    head = "episode,state,action,reward,next_state,done\n"
    (tmp_path / "log.csv").write_text(
        head + "1,new,call,-1,warm,0\n1,warm,mail,2,sold,1\n2,new,mail,0,sold,1\n"
    )
    asked = dict(behavior="log", gamma=1, resamples=0)
    found = t.ope(tmp_path / "log.csv", {"new": "call", "warm": "call"}, **asked)
    assert (found["direct"].value, found["per-decision"].value) == (-1.0, -1.0)
    assert (found.tries, found.unknown) == ((0, 1), 1.0)
    assert "takes actions that the log never has, such as call in warm" in found.warnings[0]
    with pytest.raises(t.OptionError, match=r"found action|no such action"):
        t.ope(tmp_path / "log.csv", {"new": "call", "warm": "phone"}, **asked)
    with pytest.raises(t.OptionError):
        t.ope(tmp_path / "log.csv", {"new": "call", "warm": "call"}, **asked | {"behavior": "uniform"})
    same = t.ope(tmp_path / "log.csv", {"new": "call", "warm": "mail"}, **asked)
    assert same["direct"].value == 1.0


def test_a_behavior_that_lacks_an_action_of_the_policy_gives_no_bound():
    mdp = chain("9/10", 2)
    log = t.sample_transitions(mdp, "action:x", 100, 1, episodes=20)
    found = t.ope(log, "uniform", behavior="action:x", resamples=0)
    assert found["ordinary"].why == "the behaviour never takes y in a, which the policy does"
    assert found["ordinary"].truth is None
    assert any("importance sampling is biased" in text for text in found.warnings)


def test_a_log_that_the_model_cannot_have_made_gives_no_bound():
    mdp = chain("9/10", 2)
    seen = [("a", "x", 1, "c"), ("c", "y", 4, "end")]
    found = t.ope(t.Transitions.of(mdp, seen), "uniform", behavior="uniform", resamples=0, logs=0)
    assert found["ordinary"].why == "the model has no transition from a to c, which is in the log"
    assert any("the log is not one of this model" in text for text in found.warnings)
    seen = [("c", "y", 4, "end")]
    found = t.ope(t.Transitions.of(mdp, seen), "uniform", behavior="uniform", resamples=0, logs=0)
    assert found["direct"].why == "an episode of the log begins in c, where none of the model does"
    seen = [("a", "x", 1, "b"), ("b", "y", 7, "a")]
    found = t.ope(t.Transitions.of(mdp, seen), "uniform", behavior="uniform", resamples=0, logs=0)
    assert found["direct"].why == "the log has a reward of 7 in state b, which the model does not"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (dict(behavior=None), "behavior: found none, and no propensities in the log, expected the policy that made"),
        (dict(behavior="action:y"), "behavior: state 'a', action 'x': found probability 0, expected more"),
        (dict(estimators=["direkt"]), "estimators of ope: found 'direkt'; did you mean 'direct'?, expected some of"),
        (dict(level=2), "level: found '2', expected a number from 0.5 to 0.999999"),
        (dict(reward_range=(3, 1)), "reward_range: found 3 to 1, expected the least and the largest reward"),
        (dict(reward_range=(0, 1)), "reward_range: found a reward of 3 in the log, expected all from 0 to 1"),
        (dict(gamma=0.5), "gamma: found with a model, expected one of them. mdp.replace(gamma=...) changes it."),
        (dict(mdp=chain("1/2").replace(horizon=2)), None),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(change, text):
    mdp = chain("9/10")
    log = t.Transitions.of(mdp, [("a", "x", 1, "b"), ("b", "x", 3, "end")])
    asked = {"behavior": "uniform", "resamples": 0, "logs": 0} | change
    if text is None:
        assert t.ope(log, "uniform", **asked).mdp.gamma == 0.5
        return
    with pytest.raises(t.OptionError) as error:
        t.ope(log, "uniform", **asked)
    assert str(error.value).startswith(text)


def impossible(rows, **options):
    """The warning of propensities, of episodes of one step each."""
    log = {
        "episode": list(range(len(rows))), "state": [x[0] for x in rows], "action": [x[1] for x in rows],
        "reward": [1] * len(rows), "next_state": ["x"] * len(rows), "done": [1] * len(rows),
        "propensity": [x[2] for x in rows],
    }  # fmt: skip
    found = t.ope(t.read_log(log), "uniform", resamples=0, estimators="ordinary", **({"gamma": 1} | options))
    return [text for text in found.warnings if text.startswith("propensities")]


def test_propensities_that_cannot_be_are_told_with_their_state():
    rows = [("u", "L", 0.5), ("u", "R", 0.5), ("v", "L", 0.9), ("v", "R", 0.9)]
    assert impossible(rows) == [
        "propensities of state v sum to 1.8 over its actions, expected 1 at most: these are not b(a|s) of a behaviour "
        "that stays the same"
    ]
    assert impossible(rows, horizon=2) == impossible(rows)
    assert impossible([*rows[:3], ("v", "R", 0.1)]) == []
    assert (
        impossible([*rows, ("v", "L", 0.1), ("v", "R", 0.1)]) == []
    )  # it changed: least ones are 0.1 and 0.1


def test_a_behavior_that_depends_on_the_time_may_choose_each_action_surely():
    log = {
        "episode": [1, 1], "state": ["v", "v"], "action": ["L", "R"], "reward": [1, 1], "next_state": ["v", "v"],
        "done": [0, 0], "propensity": [1.0, 1.0],
    }  # fmt: skip
    asked = {"resamples": 0, "estimators": "ordinary"}
    found = [
        t.ope(t.read_log(log), "uniform", **asked, **more).warnings
        for more in ({"horizon": 2}, {"gamma": 0.9})
    ]
    assert [any("propensities of state v sum to 2" in x for x in told) for told in found] == [False, True]


def test_costs_and_mean_rewards():
    """Costs keep their sign; where a model has lost the rewards of its outcomes, bounds need a range of rewards."""
    mdp = chain("9/10", 3)
    pi, b = policies(mdp, 19)
    log = t.sample_transitions(mdp, b, 10_000, 1, episodes=30)
    asked = {"behavior": b, "resamples": 0, "logs": 0}
    rewards, cheap = t.ope(log, pi, **asked), mdp.replace(sense="min")
    costs = t.ope(log, pi.replace_model(cheap), mdp=cheap, **asked | {"behavior": b.replace_model(cheap)})
    assert costs.exact == pytest.approx(rewards.exact)
    for one, other in zip(rewards.estimates, costs.estimates, strict=True):
        assert (one.value, one.bound) == (pytest.approx(other.value), pytest.approx(other.bound))
    assert costs["ordinary"].bias == pytest.approx(0, abs=1e-9)
    mean = mdp.replace(r=mdp.r)
    asked = {"behavior": b.replace_model(mean), "resamples": 0, "logs": 0, "mdp": mean}
    found = t.ope(log, pi.replace_model(mean), **asked)
    assert found["direct"].why == found["ordinary"].why == "the model has lost the rewards of its outcomes"
    found = t.ope(log, pi.replace_model(mean), reward_range=(-2, 4), **asked)
    assert found["ordinary"].bound[0] <= rewards.exact <= found["ordinary"].bound[1]


def test_progress_counts_logs(monkeypatch):
    told = []
    monkeypatch.setattr(running, "listener", lambda *line: told.append(line))
    log = t.read_log([("s", "call", 1, "end", True), ("s", "wait", 0, "end", True)])
    t.ope(log, "uniform", gamma=1, behavior="uniform", resamples=7)
    assert told[-1] == ("bootstrap", 1.0, "7 of 7 logs")
    mdp = chain("9/10", 3)
    pi, b = policies(mdp, 17)
    for call in (log_moments, truth._simulated):
        told.clear()
        call(mdp, pi, b, 3, ALL, 40, logs=3, seed=0)
        assert told[-1] == ("truth", 1.0, "3 of 3 logs")


def test_printing_and_looking_up():
    mdp = chain("9/10", 2)
    found = t.ope(t.sample_transitions(mdp, "uniform", 100, 1, episodes=20), "action:y", resamples=20, logs=5)
    assert "doubly-robust" in str(found)
    assert "estimators" not in repr(found)
    with pytest.raises(t.OptionError, match="did you mean 'weighted'"):
        found["weigted"]
