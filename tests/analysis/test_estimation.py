"""A model and a behaviour from a log are the shares of what was seen, counted here again in Fractions."""

# ruff: noqa: E501  (tables of cases: one a line)

from __future__ import annotations

import math
import random
import secrets
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_models import random_model

from tabular_rl import (
    MDP,
    Log,
    ModelError,
    OptionError,
    Policy,
    Transitions,
    behavior_of,
    estimate,
    evaluate,
    load,
    q_evaluation,
    q_learning,
    read_log,
    sample_transitions,
    sarsa_evaluation,
    save,
    td0,
    write_log,
)
from tabular_rl.formats.counts import load_counts, save_counts
from tabular_rl.methods.exact.rational import rational_evaluation

HEAD = "state,action,reward,next_state,done\n"
FALSE_ALARM = 1e-8  # of each statistical test; there are two


@pytest.fixture
def logged(tmp_path):
    def logged(text, header=HEAD):
        (tmp_path / "log.csv").write_text(header + text)
        return read_log(tmp_path / "log.csv")

    return logged


def counted(log):
    """n(s,a), n(s,a,s',done) and the exact rewards of a log, by name, one transition after the other."""
    tries, seen, rewards = Counter(), Counter(), defaultdict(Fraction)
    exact = (
        [Fraction(r) for r in log.reward.tolist()] if log.code is None else [log.spelled[i] for i in log.code]
    )
    assert [float(r) for r in exact] == log.reward.tolist()
    for s, a, r, s2, done in zip(log.s, log.a, exact, log.s2, log.done, strict=True):
        pair = log.states[s], log.actions[a]
        tries[pair] += 1
        seen[(*pair, log.states[s2], bool(done))] += 1
        rewards[(*pair, log.states[s2], bool(done))] += r
    return tries, seen, rewards


def gauss(A, b):
    """The solution of A x = b in Fractions."""
    n = len(b)
    M = [[*row, x] for row, x in zip(A, b, strict=True)]
    for i in range(n):
        pivot = next(k for k in range(i, n) if M[k][i] != 0)
        M[i], M[pivot] = M[pivot], M[i]
        M[i] = [x / M[i][i] for x in M[i]]
        for k in range(n):
            if k != i and M[k][i] != 0:
                M[k] = [x - M[k][i] * y for x, y in zip(M[k], M[i], strict=True)]
    return [row[-1] for row in M]


# -- the model -----------------------------------------------------------------------------------------------------


def test_shares_and_means_by_hand(logged):
    found = estimate(
        logged(
            "a,go,1,b,0\nb,go,1/3,end,1\na,go,2,b,0\nb,go,2/3,a,0\na,go,5,a,0\na,stay,0,b,0\nb,go,0,end,1\n"
        ),
        "9/10",
    )
    mdp = found.mdp
    assert list(mdp.states) == ["a", "b", "end"]
    assert mdp.terminal.tolist() == [False, False, True]
    assert [mdp.rational(i) for i in range(mdp.L)] == [
        ([(0, Fraction(1, 3)), (1, Fraction(2, 3))], Fraction(8, 3)),  # a go: 5 once, 1 and 2
        ([(1, Fraction(1))], Fraction(0)),  # a stay
        ([(0, Fraction(1, 3)), (2, Fraction(2, 3))], Fraction(1, 3)),  # b go: 2/3 once, 1/3 and 0
    ]
    assert mdp.exact.reward[1] == Fraction(3, 2)
    assert mdp.exact.reward[4] == Fraction(1, 6)
    assert found.counts.tolist() == [1, 2, 1, 1, 2]
    assert found.tries.tolist() == [3, 1, 3]
    assert found.untried == [("b", "stay")]
    assert (found.transitions, found.episodes, found.added_end) == (7, 2, None)
    assert list(mdp.exact.start) == [1, 0, 0]  # both episodes begin in a


def test_an_end_in_a_state_that_goes_on_is_an_outcome_of_its_own(logged):
    found = estimate(logged("a,go,1,b,1\nb,go,0,a,0\na,go,0,b,0\nb,go,0,end,0\nend,go,0,b,1\n"), 1)
    assert found.added_end == "end 2"
    assert list(found.mdp.states) == ["a", "b", "end", "end 2"]
    assert found.mdp.rational(0) == ([(1, Fraction(1, 2)), (3, Fraction(1, 2))], Fraction(1, 2))
    assert evaluate(found.mdp, Policy.uniform(found.mdp)).v[3] == 0


def test_episodes_begin_where_the_log_says_so(logged):
    steps = "1,a,go,0,b,0\n1,b,go,0,a,0\n2,a,go,0,b,0\n2,b,go,0,a,1\n2,b,go,0,b,0\n3,a,go,0,a,0\n"
    found = estimate(logged(steps, "episode," + HEAD), "1/2")
    assert found.episodes == 4  # line 1, two changes, and done
    assert list(found.mdp.exact.start)[:2] == [Fraction(3, 4), Fraction(1, 4)]


def test_without_episodes_lines_may_be_independent(logged):
    # Line 1, and line 3, which does not begin in b, where line 2 led.
    found = estimate(logged("a,go,0,b,0\nb,go,0,b,0\na,go,0,a,0\n"), "1/2")
    assert found.episodes == 2
    assert list(found.mdp.exact.start) == [1, 0]


@pytest.mark.parametrize(
    ("text", "terminal", "expected"),
    [
        ("a,go,0,b,0\nb,go,0,x,0\nb,go,0,x,1\n", [], "state 'x': found no transition from it, and transition 2 leads there "
         "without done: what follows is not known. Declare it terminal (terminal=), mark the transition done, or leave "
         "it out."),
        ("a,go,0,b,0\nb,go,0,a,0\n", ["a"], "state 'a': found transition 1 from it, expected none from a terminal state"),
        ("left,go,0,left,0\n", ["letf"], "terminal: no such state 'letf' in the log; did you mean 'left'?"),
    ],
)  # fmt: skip
def test_an_estimate_that_cannot_be_made(logged, text, terminal, expected):
    with pytest.raises(ModelError) as caught:
        estimate(logged(text), 1, terminal=terminal)
    assert str(caught.value) == expected


def test_a_declared_end_needs_no_done(logged):
    found = estimate(logged("a,go,2,x,0\n"), 1, terminal=["x"], sense="min", name="mine")
    assert found.mdp.terminal.tolist() == [False, True]
    assert (found.mdp.sense, found.mdp.name, found.mdp.source) == (
        "min",
        "mine",
        "estimated from 1 transitions",
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.floats(-1e300, 1e300)), min_size=1, max_size=30))
def test_sums_of_floats_are_exact(rewards):
    mdp = MDP([[[1.0], [1.0], [1.0]]], [[0.0, 0.0, 0.0]], "1/2")
    found = estimate(Transitions.of(mdp, [("0", a, r, "0") for a, r in rewards]), "1/2").mdp
    for i in range(found.L):
        own = [Fraction(r) for a, r in rewards if str(a) == found.actions[found.pair_action[i]]]
        assert found.exact.reward[i] == sum(own) / len(own)


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
@pytest.mark.parametrize("seed", range(4))
def test_certainty_equivalence(seed, suffix, tmp_path):
    """Counted, then solved by elimination in Fractions: inside what `evaluate` proves, equal to exact evaluation."""
    model = random_model(seed, S=4, A=2)
    behavior = Policy.uniform(model)
    write_log(sample_transitions(model, behavior, 300, seed), tmp_path / f"log{suffix}")
    log = read_log(tmp_path / f"log{suffix}")
    ends = [s for s in log.states if model.terminal[model.states.index(s)]]
    found = estimate(log, "9/10", terminal=ends).mdp
    tries, seen, rewards = counted(log)
    rng = random.Random(seed)
    weights = {pair: rng.randint(1, 5) for pair in tries}
    live = [s for s in found.states if any(pair[0] == s for pair in tries)]
    pi = {p: Fraction(w, sum(x for q, x in weights.items() if q[0] == p[0])) for p, w in weights.items()}
    A = [[Fraction(i == j) for j in range(len(live))] for i in range(len(live))]
    b = [Fraction(0)] * len(live)
    for (s, a, s2, done), n in seen.items():
        i, share = live.index(s), pi[s, a] * Fraction(n, tries[s, a])
        b[i] += pi[s, a] * rewards[s, a, s2, done] / tries[s, a]
        if not done and s2 in live:
            A[i][live.index(s2)] -= Fraction(9, 10) * share
    expected = gauss(A, b)
    policy = Policy.of_probs(found, {s: {q[1]: pi[q] for q in pi if q[0] == s} for s in live})
    answer = evaluate(found, policy, tolerance=1e-9)
    exact = rational_evaluation(found, policy)
    for s, x in zip(live, expected, strict=True):
        at = found.states.index(s)
        assert answer.lower[at] <= x <= answer.upper[at]
        assert exact.exact[at] == x


def test_a_log_of_a_model_keeps_its_order_and_sense():
    model = MDP.from_outcomes(
        [("b", "go", "a", 1, 1), ("a", "go", "z", 1, 1)], 1, states=list("zba"), terminal="z", sense="min"
    )
    found = estimate(Transitions.of(model, [("a", "go", 1, "z"), ("b", "go", 1, "a")]), 1).mdp
    assert list(found.states) == ["z", "b", "a"]
    assert found.sense == "min"
    assert found.terminal.tolist() == [True, False, False]


def test_logs_of_both_kinds_agree(tmp_path):
    model = load("example:recycling_robot")
    log = sample_transitions(model, Policy.uniform(model), 500, 1)
    write_log(log, tmp_path / "log.csv")
    write_log(log, tmp_path / "log.npz")
    one, two, three = (
        estimate(x, "9/10", terminal=[])
        for x in (read_log(tmp_path / "log.csv"), read_log(tmp_path / "log.npz"), log)
    )
    assert one.mdp.digest == two.mdp.digest  # rewards of the robot are whole numbers
    assert one.counts.sum() == three.counts.sum() == 500
    assert sorted(one.mdp.prob) == sorted(three.mdp.prob)


# -- the counts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".toml", ".csv", ".npz", ""])
def test_counts_are_kept_beside_the_model(tmp_path, logged, suffix):
    # 2 of 4 reduces to 1/2: the probabilities alone do not tell.
    found = estimate(logged("a,go,1,b,0\na,go,1,b,0\na,go,1/7,a,0\na,go,1,a,0\nb,x,0,a,0\n"), "9/10")
    save(found.mdp, tmp_path / f"model{suffix}")
    save_counts(found.mdp, found.counts, tmp_path / "counts.csv")
    again = load(tmp_path / f"model{suffix}")
    assert again == found.mdp
    assert load_counts(tmp_path / "counts.csv", again).tolist() == found.counts.tolist() == [2, 2, 1]
    assert (
        tmp_path / "counts.csv"
    ).read_text() == "state,action,next_state,count\na,go,a,2\na,go,b,2\nb,x,a,1\n"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("action,", "act,", ":1: expected the columns state,action,next_state,count"),
        ("b,x,a,1", "b,x,b,1", ":4: found an outcome that is not one of the model's, expected its own"),
        ("b,x,a,1", "b,x,a", ":4: found an outcome that is not one of the model's, expected its own"),
        ("a,go,b,2", "a,go,b,0", ":3: count: found '0', expected a whole number from 1"),
        ("a,go,b,2", "a,go,a,2", ":3: found an outcome twice, expected it once"),
        ("a,go,b,2", "a,go,b,3", ": state 'a', action 'go': found counts 2, 3, expected shares that are the "
         "probabilities of the model"),
        ("b,x,a,1", "", ": state 'b', action 'x': found counts 0, expected shares that are the probabilities of the model"),
        ("b,x,a,1", '"b,x,a,1', ":4: not valid CSV: unexpected end of data"),
    ],
)  # fmt: skip
def test_counts_of_something_else(tmp_path, logged, old, new, expected):
    found = estimate(logged("a,go,1,b,0\na,go,1,b,0\na,go,1,a,0\na,go,1,a,0\nb,x,0,a,0\n"), "9/10")
    path = tmp_path / "counts.csv"
    save_counts(found.mdp, found.counts, path)
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(ModelError) as caught:
        load_counts(path, found.mdp)
    assert str(caught.value) == f"{path}{expected}"


# -- the behaviour -------------------------------------------------------------------------------------------------


def bandit(*lines):
    """One decision among two, then the end; transitions (action, reward)."""
    mdp = MDP.from_outcomes(
        [("s", "l", "end", 1, 0), ("s", "r", "end", 1, 0), ("t", "l", "end", 1, 0), ("t", "r", "end", 1, 0)], 1,
        terminal=["end"],
    )  # fmt: skip
    return mdp, Transitions.of(mdp, [("s", a, r, "end") for a, r in lines])


def test_the_behaviour_is_the_share_of_each_action():
    _, log = bandit(("l", 1), ("r", 5), ("l", 3))
    assert behavior_of(log).rationals() == [Fraction(2, 3), Fraction(1, 3), Fraction(1, 2), Fraction(1, 2)]


def test_ratios_by_the_estimated_behaviour_give_the_mean_reward_of_each_action():
    """Σ_i ρ_i r_i / N = Σ_a π(a) (mean of the rewards of a) for any log; by the true behaviour only on average."""
    rng = random.Random(3)
    lines = [(rng.choice("llr"), rng.randint(-9, 9)) for _ in range(40)]
    mdp, log = bandit(*lines)
    mean = {a: Fraction(sum(r for b, r in lines if b == a), sum(b == a for b, _ in lines)) for a in "lr"}
    policy = Policy.of_probs(mdp, {s: {"l": "1/4", "r": "3/4"} for s in "st"})
    b = behavior_of(log)
    ratio = dict(
        zip(
            "lr", (p / q for p, q in zip(policy.rationals()[:2], b.rationals()[:2], strict=True)), strict=True
        )
    )
    assert sum(ratio[a] * r for a, r in lines) / 40 == mean["l"] / 4 + mean["r"] * 3 / 4
    v = Fraction(0)
    for n, (a, r) in enumerate(lines, 1):
        v += ratio[a] / n * (r - v)
    learned = td0(mdp, policy, behavior=b, data=log, steps=40, step_size="1/n", reference=False)
    assert learned["s"] == pytest.approx(float(v), rel=1e-12)


# -- coverage ------------------------------------------------------------------------------------------------------


def test_values_of_a_policy_need_its_pairs_in_the_log():
    mdp, log = bandit(("l", 1), ("l", 2))
    expected = (
        r"data: state 's', action 'r': found no transition in the log, expected one, as the policy takes it"
    )
    both, left = Policy.uniform(mdp), Policy.of_actions(mdp, {"s": "l", "t": "r"})
    with pytest.raises(OptionError, match=expected):
        q_evaluation(mdp, both, data=log, steps=2)
    with pytest.raises(OptionError, match=expected):
        td0(mdp, both, behavior=behavior_of(log), data=log, steps=2)
    # No fault: the policy takes what was logged; t is in no transition; on policy, or along the log, nothing lacks.
    assert q_evaluation(mdp, left, data=log, steps=2, step_size=1).q[0] == 2
    assert td0(mdp, both, data=log, steps=2, step_size=1)["s"] == 2
    assert sarsa_evaluation(mdp, both, data=log, steps=2, step_size=1).q[0] == 2


def test_coverage_of_the_states_that_the_log_leads_to():
    mdp = MDP.from_outcomes(
        [("a", "l", "b", 1, 0), ("a", "r", "b", 1, 0), ("b", "l", "a", 1, 0), ("b", "r", "a", 1, 0)], "1/2"
    )
    log = Transitions.of(mdp, [("a", "l", 0, "b"), ("a", "r", 0, "b")])
    with pytest.raises(
        OptionError, match=r"state 'b', action 'l': found no transition in the log \(and 1 more pairs\)"
    ):
        q_evaluation(mdp, Policy.uniform(mdp), data=log, steps=2)
    done = Transitions.of(mdp, [("a", "l", 0, "b", True), ("a", "r", 0, "b", True)])
    q_evaluation(mdp, Policy.uniform(mdp), data=done, steps=2)


def test_control_is_told_what_the_log_never_tries():
    mdp, log = bandit(("l", 1))
    said = "the log never has state 's', action 'r': such values stay at the start value, and may look best"
    assert said in q_learning(mdp, data=log, steps=1).verdicts
    _, log = bandit(("l", 1), ("r", 1))
    assert not any("never has" in x for x in q_learning(mdp, data=log, steps=1).verdicts)


# -- samples -------------------------------------------------------------------------------------------------------


def test_what_is_sampled_says_with_which_probability_actions_were_chosen():
    mdp = MDP.from_outcomes([("a", "l", "a", 1, 0), ("a", "r", "a", 1, 0)], 1, horizon=2)
    often = Policy.of_probs(mdp, {"a": {"l": "1/4", "r": "3/4"}})
    log = sample_transitions(mdp, often, 40)
    assert log.propensity.tolist() == [[0.25, 0.75][a] for a in log.row]
    timed = Policy(mdp, probs=np.array([[0.25, 0.75], [0.5, 0.5]]))
    log = sample_transitions(mdp, timed, 41)
    assert log.propensity.tolist() == [[[0.25, 0.75][a], 0.5][i % 2] for i, a in enumerate(log.row)]


def test_same_seed_same_transitions():
    mdp = load("example:recycling_robot")
    one, two, other = (sample_transitions(mdp, Policy.uniform(mdp), 9000, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.row, two.row)
    assert np.array_equal(one.next_state, two.next_state)
    assert not np.array_equal(one.row, other.row)
    fewer = sample_transitions(mdp, Policy.uniform(mdp), 5000, 1)
    assert np.array_equal(fewer.row, one.row[:5000])
    assert np.array_equal(fewer.next_state, one.next_state[:5000])


def test_episodes_are_cut_and_counted():
    mdp = load("example:recycling_robot")  # it never ends
    log = sample_transitions(mdp, Policy.uniform(mdp), 1000, episodes=3, episode_steps=4)
    assert len(log) == 12
    assert not log.done.any()
    assert (log.next_row < 0).tolist() == ([False] * 3 + [True]) * 3
    assert Log.of(log).begins.tolist() == ([True] + [False] * 3) * 3
    walk = load("example:random_walk_5")
    log = sample_transitions(walk, Policy.uniform(walk), 10**5, episodes=50)
    assert log.done.sum() == 50
    assert log.done[-1]
    assert walk.terminal[log.next_state[log.done]].all()


def test_a_horizon_cuts_and_policies_may_depend_on_time():
    mdp = MDP.from_outcomes([("a", "l", "a", 1, 0), ("a", "r", "a", 1, 1)], 1, horizon=2)
    policy = Policy.of_actions(mdp, np.array([[0], [1]]))
    log = sample_transitions(mdp, policy, 6)
    assert log.row.tolist() == [0, 1] * 3
    assert log.reward.tolist() == [0, 1] * 3
    assert log.next_row.tolist() == [1, -1, 1, -1, 1, -1]


def test_sampling_faults():
    mdp = load("example:recycling_robot")
    with pytest.raises(OptionError, match="steps"):
        sample_transitions(mdp, Policy.uniform(mdp), 0)
    with pytest.raises(OptionError, match="seed"):
        sample_transitions(mdp, Policy.uniform(mdp), 1, -1)


@pytest.mark.parametrize("name", ["recycling_robot", "random_walk_5"])
def test_shares_of_a_sample_are_those_of_the_model(name):
    """n(s,a,s') - n(s,a) p, n(s,a) - n(s) b and the starts are martingales whose steps have range 1 (Azuma, Hoeffding).

    P(|M_N| > √(N ln(2m/α) / 2)) ≤ α over m of them, whatever the chain. With N = 40,000, α = 1e-8 and m < 40 the bound
    is 690: in a pair that is tried 10,000 times a probability that is wrong by 0.07 would be found, half of the time.
    """
    mdp = load(f"example:{name}")
    seed, N = secrets.randbits(50), 40_000
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.5, 1, mdp.L)
    b = Policy(mdp, probs=weights / np.bincount(mdp.pair_state, weights, mdp.S)[mdp.pair_state])
    log = sample_transitions(mdp, b, N, seed, episode_steps=50)
    expected = {
        (i, int(s)): 0.0 for i in range(mdp.L) for s in mdp.next_state[mdp.row_ptr[i] : mdp.row_ptr[i + 1]]
    }
    for i in range(mdp.L):
        for k in range(mdp.row_ptr[i], mdp.row_ptr[i + 1]):
            expected[i, int(mdp.next_state[k])] += mdp.prob[k]
    seen = Counter(zip(log.row.tolist(), log.next_state.tolist(), strict=True))
    assert set(seen) <= set(expected)
    rows, states = (
        np.bincount(log.row, minlength=mdp.L),
        np.bincount(mdp.pair_state[log.row], minlength=mdp.S),
    )
    starts = np.flatnonzero(Log.of(log).begins)
    begun = np.bincount(mdp.pair_state[log.row[starts]], minlength=mdp.S)
    off = [seen[key] - rows[key[0]] * p for key, p in expected.items()]
    off += (rows - states[mdp.pair_state] * b.weights).tolist()
    off += (begun - len(starts) * mdp.start).tolist()
    bound = math.sqrt(N * math.log(2 * len(off) / FALSE_ALARM) / 2)
    assert len(off) < 40
    assert max(map(abs, off)) < bound


class Frame:
    """As much of a data frame as is looked at: its columns, by name, as something that becomes an array."""

    columns = ("state", "action", "reward", "next_state", "done")
    text = "state,action,reward,next_state,done\ns,x,1,s,False\ns,x,3,end,True\n"

    def __init__(self, **changed):
        parts = zip(*(line.split(",") for line in self.text.split()[1:]), strict=True)
        self.parts = dict(zip(self.columns, map(list, parts), strict=True)) | changed

    def __getitem__(self, name):
        return np.array(self.parts[name], dtype=object)


def test_a_data_frame_and_a_path_are_logs(tmp_path):
    """Two transitions from s: to s for 1, to the end for 3."""
    (tmp_path / "log.csv").write_text(Frame.text)
    for log in (Frame(), tmp_path / "log.csv", str(tmp_path / "log.csv"), read_log(Frame())):
        mdp = estimate(log, "1/2", terminal="end").mdp
        assert mdp.rational(0) == ([(0, Fraction(1, 2)), (1, Fraction(1, 2))], Fraction(2))
    assert len(read_log(Frame(), mdp)) == 2


@pytest.mark.parametrize("given", [3, None, b"log.csv"])
def test_what_is_no_log_is_told_in_one_line(given):
    for call in (lambda: estimate(given, 0.5), lambda: read_log(given)):
        with pytest.raises(
            OptionError, match=f"log: found {type(given).__name__}, expected the path of a log"
        ):
            call()
    with pytest.raises(OptionError, match=r"behavior_of: found .*, expected Transitions"):
        behavior_of(given)


def test_a_fault_of_a_data_frame_names_its_transition():
    bad = Frame(reward=["much", 1])
    with pytest.raises(
        ModelError, match=r"^Frame: state 's', action 'x': found reward 'much', .* \(transition 1\)"
    ):
        read_log(bad)
