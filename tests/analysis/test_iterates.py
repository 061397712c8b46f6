"""Iterates as textbooks define them: hand-computed and published tables, and a slow twin in fractions."""

from __future__ import annotations

import json
from fractions import Fraction as F

import pytest
from program import inside
from random_models import random_model

from tabular_rl import MDP, NotAnswerable, OptionError, Policy, iterates, load, solve
from tabular_rl.analysis.iterates import METHODS
from tabular_rl.report.iterates import IteratesReport

MOVES = [
    ("cool", "slow", "cool", 1, 1), ("cool", "fast", "cool", "1/2", 2), ("cool", "fast", "warm", "1/2", 2),
    ("warm", "slow", "cool", "1/2", 1), ("warm", "slow", "warm", "1/2", 1), ("warm", "fast", "end", 1, -10),
]  # fmt: skip
RACECAR = MDP.from_outcomes(MOVES, "1/2", terminal=["end"])
# Four states in a row at γ = 1: a step on costs 1, and the last state ends.
CHAIN = MDP.from_outcomes(
    [(s, "on", s + 1, 1, -1) for s in range(3)] + [(s, "stay", s, 1, -2) for s in range(3)], 1, terminal=[3]
)


def values(found, S=None):
    return [step.v.tolist()[:S] for step in found]


def test_the_racecar_of_a_published_exercise():
    """V_1 = (2, 1), V_2 = (2.75, 1.75); always slow is worth (2, 2), better is (fast, slow), the best (3.5, 2.5)."""
    assert values(iterates(RACECAR, count=2), 2) == [[0, 0], [2, 1], [2.75, 1.75]]
    exact = iterates(RACECAR, count=2, exact=True)
    assert exact[2].exact == (F(11, 4), F(7, 4), 0)
    always = iterates(RACECAR, "policy-iteration", exact=True)
    assert [step.exact[:2] for step in always] == [(2, 2), (F(7, 2), F(5, 2))]
    assert [(step.policy["cool"], step.policy["warm"]) for step in always] == [
        ("slow", "slow"), ("fast", "slow"),
    ]  # fmt: skip
    assert [step.changed for step in always] == [(), (0,)]
    assert always.ended
    assert solve(RACECAR, "rational").exact[:2] == always[-1].exact[:2]
    assert values(iterates(RACECAR, "policy-iteration"), 2) == [[2, 2], [3.5, 2.5]]


def test_a_sweep_in_place_uses_new_values_at_once():
    """cool: 2; warm then sees 2: 1 + (2 + 0)/4 = 1.5. Then cool: 2 + (2 + 1.5)/4 = 2.875."""
    found = iterates(RACECAR, count=2, in_place=True)
    assert values(found, 2) == [[0, 0], [2, 1.5], [2.875, 1 + (2.875 + 1.5) / 4]]
    assert found.order == "each state in turn, new values used at once"


def test_a_chain_learns_of_its_end_one_state_a_sweep():
    assert values(iterates(CHAIN, count=3)) == [
        [0, 0, 0, 0],
        [-1, -1, -1, 0],
        [-2, -2, -1, 0],
        [-3, -2, -1, 0],
    ]


def test_sweeps_of_the_uniform_policy_on_the_small_gridworld():
    """Sutton & Barto (2018), figure 4.1: k = 1, 2, 3 and 10, to one decimal."""
    found = iterates(load("example:gridworld_4x4"), "policy-evaluation", 10, policy="uniform", exact=True)
    assert found[1].exact == (0, *[-1] * 14, 0)
    assert found[2].exact[:8] == (0, F(-7, 4), -2, -2, F(-7, 4), -2, -2, -2)
    assert [float(x) for x in found[3].exact[:8]] == pytest.approx(
        [0, -2.4, -2.9, -3, -2.4, -2.9, -3, -2.9], abs=0.05
    )
    tenth = [0, -6.1, -8.4, -9.0, -6.1, -7.7, -8.4, -8.4]
    assert [float(x) for x in found[10].exact[:8]] == pytest.approx(tenth, abs=0.05)
    assert found[10].exact[::-1] == found[10].exact


def test_values_to_start_from_and_a_policy():
    found = iterates(RACECAR, count=1, start_from={"warm": F(1, 3)}, exact=True)
    assert [step.exact[:2] for step in found] == [(0, F(1, 3)), (2 + F(1, 12), 1 + F(1, 12))]
    assert values(iterates(RACECAR, count=0, start_from=[1, 2, 9])) == [[1, 2, 0]]
    fast = iterates(RACECAR, "policy-iteration", start_policy={"cool": "fast", "warm": "fast"}, exact=True)
    # v(warm) = -10, v(cool) = 2 + v(cool)/4 - 10/4
    assert fast[0].exact[:2] == ((2 - F(10, 4)) / (1 - F(1, 4)), -10)
    assert fast[-1].exact[:2] == (F(7, 2), F(5, 2))


def test_backward_induction_shows_each_time():
    found = iterates(RACECAR.replace(horizon=3), "backward-induction", 3, exact=True)
    assert [step.k for step in found] == [3, 2, 1, 0]
    assert [step.exact[:2] for step in found] == [(0, 0), (2, 1), (F(11, 4), F(7, 4)), (F(25, 8), F(17, 8))]
    assert [step.policy["cool"] for step in found[1:]] == ["fast"] * 3
    assert len(iterates(RACECAR.replace(horizon=9), "backward-induction", 2)) == 3
    last = RACECAR.replace(horizon=1, final_reward={"cool": 4, "warm": -4})
    assert iterates(last, "backward-induction", exact=True)[1].exact[:2] == (3, 1)  # slow: 1 + 4/2; 1 + 0


@pytest.mark.parametrize("seed", range(8))
def test_floats_and_fractions_agree_with_a_slow_twin(seed):
    mdp = random_model(seed, exact=True, sense="min" if seed % 2 else "max", S=5, ends=seed % 2)
    found, floats = iterates(mdp, count=3, exact=True), iterates(mdp, count=3)
    v, best = [F(0)] * mdp.S, max if mdp.sense == "max" else min
    for step, near in zip(found, floats, strict=True):
        assert list(step.exact) == v
        assert near.v == pytest.approx(step.v, abs=1e-9)
        q = [
            sum(p * (r + mdp.gamma_exact * v[s2]) for s2, p, r in mdp.rational_outcomes(i))
            for i in range(mdp.L)
        ]
        v = [best((q[i] for i in mdp.rows(s)), default=F(0)) for s in range(mdp.S)]


def test_policy_iteration_keeps_its_action_where_none_is_better():
    tie = MDP([[[1.0], [1.0]]], [[1.0, 1.0]], "1/2", actions=["a", "b"])
    for exact in (True, False):
        found = iterates(tie, "policy-iteration", start_policy={"0": "b"}, exact=exact)
        assert len(found) == 1
        assert found.ended
        assert found[0].policy["0"] == "b"
    assert not iterates(RACECAR, "policy-iteration", 0).ended


@pytest.mark.parametrize("exact", [False, True])
def test_policy_iteration_may_start_from_the_random_policy(exact):
    """Sutton & Barto (2018), figure 4.1: v of the random policy, and the policy greedy by it is already the best."""
    grid = load("example:gridworld_4x4")
    found = iterates(grid, "policy-iteration", 9, start_policy="uniform", exact=exact)
    random = [0, -14, -20, -22, -14, -18, -20, -20, -20, -20, -18, -14, -22, -20, -14, 0]
    best = [0, -1, -2, -3, -1, -2, -3, -2, -2, -3, -2, -1, -3, -2, -1, 0]
    assert [step.v == pytest.approx(v) for step, v in zip(found, [random, best], strict=True)] == [True, True]
    assert found[0].policy == Policy.uniform(grid)
    assert found[1].policy.deterministic
    assert found[1].changed == tuple(range(1, 15))
    assert found.ended


def test_policy_iteration_keeps_a_mixture_where_no_action_is_better():
    """At γ = 1/2 both actions of "toss" are worth 1. v(s) = (1 + 1/2)/2 + v(s)/4 = 1 mixed, 1 + 1/2 with "go"."""
    moves = [("s", "go", "toss", 1, 1), ("s", "stay", "s", 1, 0), ("toss", "a", "end", 1, 1),
             ("toss", "b", "end", 1, 1)]  # fmt: skip
    mdp = MDP.from_outcomes(moves, "1/2", terminal=["end"])
    for exact in (True, False):
        found = iterates(mdp, "policy-iteration", start_policy="uniform", exact=exact)
        assert values(found) == [[1, 1, 0], [1.5, 1, 0]]
        assert found[1].policy["toss"] == {"a": 0.5, "b": 0.5}
        assert found[1].changed == (0,)
        assert found.ended
        lines = [line.split() for line in str(found).splitlines()]
        assert ["s", "each", "1/2", "1", "go", "3/2" if exact else "1.5"] in lines
        steps = IteratesReport(found).entries()["steps"]
        assert steps[1]["policy"] == {"s": "go", "toss": {"a": 0.5, "b": 0.5}}
    one = iterates(
        mdp, "policy-iteration", 0, start_policy={"s": {"go": F(1, 3), "stay": F(2, 3)}, "toss": {"a": 1}}
    )
    assert "go 1/3, stay 2/3" in str(one)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"method": "sarsa"}, "expected one of value-iteration"),
        ({"count": -1}, "expected a whole number from 0"),
        ({"policy": "uniform"}, "found policy"),
        ({"method": "policy-evaluation"}, "found no policy"),
        ({"start_policy": [0, 0, -1]}, "found start_policy"),
        ({"method": "policy-iteration", "start_policy": [[0, 0, -1]]}, "start_policy: found"),
        ({"method": "policy-iteration", "in_place": True}, "found in_place"),
        ({"start_from": {"nosuch": 1}}, "nosuch"),
    ],
)
def test_what_is_no_option_is_refused(more, text):
    with pytest.raises((OptionError, KeyError), match=text):
        iterates(RACECAR, **more)


def test_a_method_that_does_not_fit_the_model_is_refused():
    for method in METHODS[:3]:
        with pytest.raises(NotAnswerable, match="Take backward-induction"):
            iterates(RACECAR.replace(horizon=2), method)
    with pytest.raises(NotAnswerable, match="Take value-iteration"):
        iterates(RACECAR, "backward-induction")


def test_the_command_shows_what_python_returns(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = inside(capsys, "solve", "example:forest", "--iterates", 2, "--start-from", "young=1/2")
    lines = [line.split() for line in done.out.splitlines()]
    assert ["state", "V_0", "V_1", "V_2"] in lines
    found = iterates(load("example:forest"), count=2, start_from={"young": 0.5})
    (young,) = (line for line in lines if line[:1] == ["young"])
    assert [float(x) for x in young[1:]] == pytest.approx([step.v[0] for step in found], rel=1e-9)
    assert str(found).rstrip() == done.out.rstrip()
    told = json.loads(inside(capsys, "solve", "example:forest", "--iterates", 2, "--json", "--exact").out)
    assert told["steps"][2]["exact"] == {"young": "0.81", "middle": "3.24", "old": "7.24"}
    assert told["steps"][2]["changed"] == ["middle"]
    words = ("--iterates", 5, "--method", "PI", "--start-policy", "action:cut", "-o", "steps.csv")
    done = inside(capsys, "solve", "example:forest", *words)
    assert "the action changed in 3 states (young, middle, old)" in done.out
    assert "no action is better" in done.out
    rows = [line.split(",") for line in (tmp_path / "steps.csv").read_text().splitlines()]
    assert rows[0] == ["k", "state", "value", "action"]
    assert rows[3] == ["0", "old", "2.0", "cut"]
    done = inside(capsys, "evaluate", "example:forest", "--iterates", 1, "--in-place", "--state", "old")
    assert "old" in done.out
    assert "young " not in done.out
    assert "in turn" in done.out


def test_a_short_form_of_the_steps():
    assert repr(iterates(RACECAR, count=2)) == "Iterates(value-iteration, 3 states, steps 0 to 2)"


def test_the_command_refuses_what_belongs_to_no_step(capsys):
    for words, text in (
        (
            ("--start-policy", "action:cut"),
            "--start-policy: found with value-iteration, expected --method policy-",
        ),
        (("--start-policy", "action:jump", "--method", "PI"), "--start-policy: no action 'jump'"),
        (("--sweeps", 3), "--sweeps: found with --iterates"),
        (("--method", "linear-programming"), "expected one of"),
        (("--method", "policy-evaluation"), "Take value-iteration"),
        (("--start-from", "nosuch=1"), "no state 'nosuch'"),
        (("--start-from", "young=x"), "expected a number"),
        (("--start-from", "young=1", "--start-from", "file"), "expected STATE=VALUE"),
    ):
        done = inside(capsys, "solve", "example:forest", "--iterates", 1, *words)
        assert done.code == 2
        assert text in done.err
    done = inside(capsys, "solve", "example:forest", "--start-policy", "action:cut")
    assert "without --iterates" in done.err


def test_a_method_may_start_from_named_values_too(capsys):
    words = ("solve", "example:forest", "--method", "VI", "--json", "--start-from", "young=26.244")
    near = json.loads(
        inside(capsys, *words, "--start-from", "middle=29.484", "--start-from", "old=33.484").out
    )
    far = json.loads(inside(capsys, *words[:5]).out)
    assert near["reached"]
    assert near["work"]["sweeps"] < far["work"]["sweeps"]
