"""A backup with its numbers: what is printed is reckoned again from its own text, and is that of the textbook."""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction as F

import pytest
from program import inside
from random_models import random_model

from tabular_rl import MDP, NotAnswerable, OptionError, explain, iterates, load, rational, solve

MOVES = [
    ("cool", "slow", "cool", 1, 1), ("cool", "fast", "cool", "1/2", 2), ("cool", "fast", "warm", "1/2", 2),
    ("warm", "slow", "cool", "1/2", 1), ("warm", "slow", "warm", "1/2", 1), ("warm", "fast", "end", 1, -10),
]  # fmt: skip
RACECAR = MDP.from_outcomes(MOVES, "1/2", terminal=["end"])
ONE = MDP([[[1.0], [1.0]]], [[1.0, 1.0]], "1/2", actions=["a", "b"])


def reckoned(text):
    """The value of a sum as it is printed: fractions, · for times, brackets, and what stands after ≈ left out."""
    text = text.split("≈")[0].replace("·", "*").replace("[", "(").replace("]", ")")
    text = re.sub(r"(\d)\s+\(", r"\1 * (", text)
    text = re.sub(r"\d+(?:\.\d+)?(?:e[-+]\d+)?", lambda m: f"F('{m[0]}')", text)
    return eval(text, {"F": F, "max": max, "min": min})


def check_sums(text, tolerance=0):
    """Every line of numbers says the same in each of its parts, which equal signs join; returns how many there were."""
    count = 0
    for line in text.splitlines():
        if ") = " not in line or "Σ" in line or "_a " in line or "terminal" in line:
            continue
        numbers = [reckoned(part) for part in line.partition(") = ")[2].partition(", by ")[0].split(" = ")]
        assert all(abs(x - numbers[-1]) <= tolerance * max(1, abs(x)) for x in numbers), line
        count += len(numbers) > 1
    return count


def test_a_sweep_of_a_published_exercise():
    """V_2(cool) = max(1 + 2/2, 2 + (2 + 1)/4) = 2.75 by fast; slow is worth 2."""
    found = explain(RACECAR, "cool", sweep=2)
    assert [b.q for b in found.actions] == [2, F(11, 4)]
    assert (found.value, found.best, found.gap) == (F(11, 4), (1,), F(3, 4))
    text = str(found)
    assert "V_2(s) = max_a q(s,a)" in text
    assert "q(cool, fast) = 0.5 [2 + 0.5 · 2] + 0.5 [2 + 0.5 · 1] = 2.75" in text
    assert "V_2(cool) = max(2, 2.75) = 2.75, by fast" in text
    assert "the next best action is worse by 0.75" in text
    assert check_sums(text) == 3


@pytest.mark.parametrize(
    "name", ["forest", "recycling_robot", "gridworld_4x4", "commute", "die_rolls", "ties"]
)
def test_what_is_printed_is_right_by_its_own_numbers(name):
    mdp = load(f"example:{name}")
    truth = rational(mdp).exact
    for s in range(mdp.S):
        found = explain(mdp, str(mdp.states[s]))
        check_sums(str(found))
        if found.actions:
            assert found.value == truth[s]
            assert found.gap is None or found.gap >= 0
            assert (len(found.best) > 1) == (found.gap == 0)
        else:
            assert "the state is terminal" in str(found)


@pytest.mark.parametrize("seed", range(6))
def test_sweeps_are_those_of_the_iterates(seed):
    mdp = random_model(seed, exact=True, sense="min" if seed % 2 else "max", S=4, ends=seed % 2)
    for in_place in (False, True):
        steps = iterates(mdp, count=3, exact=True, in_place=in_place)
        for k in (1, 3):
            for s in range(mdp.S):
                found = explain(mdp, s, sweep=k, in_place=in_place)
                assert found.value == steps[k].exact[s]
                assert not found.actions or int(steps[k].policy.rows[s]) == found.best[0]
    uniform = iterates(mdp, "policy-evaluation", 2, policy="uniform", exact=True)
    assert [explain(mdp, s, sweep=2, policy="uniform").value for s in range(mdp.S)] == list(uniform[2].exact)


def test_policies_times_and_single_actions():
    found = explain(load("example:gridworld_4x4"), "1,1", policy="uniform")
    assert found.value == -18
    assert "v_π(1,1) = 0.25 · (-15) + 0.25 · (-21)" in str(found)
    assert check_sums(str(found)) == 5
    timed = RACECAR.replace(horizon=3)
    assert explain(timed, "cool", time=1).value == F(11, 4)
    assert explain(timed, "cool").made == "V_0"
    one = explain(RACECAR, "warm", "fast", sweep=1)
    assert (one.value, len(one.actions), one.actions[0].q) == (None, 1, -10)
    assert "V_1(warm)" not in str(one)
    improved = explain(RACECAR, "cool", sweep=1, method="policy-iteration")
    assert (improved.value, improved.best) == (3, (1,))  # fast, by the values (2, 2) of always slow
    assert "T v_π0(cool) = max(2, 3) = 3, by fast" in str(improved)
    started = explain(RACECAR, "cool", sweep=1, start_from={"warm": F(1, 3)})
    assert started.value == 2 + F(1, 12)


def test_a_tie_is_said():
    text = str(explain(ONE, 0))
    assert "by a = b" in text
    assert "a tie: these actions are equally good" in text


def test_large_models_are_reckoned_in_floats():
    mdp = load("example:taxi")
    found = explain(mdp, mdp.states[7])
    assert isinstance(found.value, float)
    assert found.value == pytest.approx(solve(mdp).v[7], abs=1e-6)
    assert check_sums(str(found), 1e-9) > 1
    assert math.isfinite(found.gap)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"state": "nosuch"}, "nosuch"),
        ({"state": "cool", "action": "nosuch"}, "nosuch"),
        ({"state": "cool", "in_place": True}, "in_place without a sweep"),
        ({"state": "cool", "sweep": 0}, "expected a whole number from 1"),
        ({"state": "cool", "sweep": 1, "method": "sarsa"}, "expected one of value-iteration"),
    ],
)
def test_what_does_not_belong_together_is_refused(more, text):
    with pytest.raises((OptionError, KeyError), match=text):
        explain(RACECAR, **more)


def test_times_and_sweeps_belong_to_other_models():
    with pytest.raises(NotAnswerable, match="no horizon"):
        explain(RACECAR, "cool", time=1)
    with pytest.raises(NotAnswerable, match="Say a time"):
        explain(RACECAR.replace(horizon=2), "cool", sweep=1)
    with pytest.raises(OptionError, match="expected 0 to 1"):
        explain(RACECAR.replace(horizon=2), "cool", time=2)
    ragged = MDP([[[1.0], [0.0]]], [[1.0, 1.0]], "1/2", actions=["a", "b"])
    with pytest.raises(OptionError, match="'b' is not available in state '0'"):
        explain(ragged, 0, "b")


def test_the_command_prints_what_python_returns(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("explain", "example:forest", "--state", "middle")
    done = inside(capsys, *words, "--sweep", 2, "-o", "middle.csv")
    assert done.out.rstrip() == str(explain(load("example:forest"), "middle", sweep=2)).rstrip()
    lines = (tmp_path / "middle.csv").read_text().splitlines()
    assert lines[0] == "action,next_state,probability,reward,value,product"
    assert lines[2] == "wait,old,0.9,0,4,3.24"
    told = json.loads(inside(capsys, *words, "--json", "--policy", "uniform", "--action", "cut").out)
    assert (told["made"], told["value"], len(told["actions"])) == ("v_π", None, 1)
    told = json.loads(
        inside(capsys, "explain", "example:die_rolls", "--state", "4", "--time", 0, "--json").out
    )
    assert (told["value_exact"], told["best"]) == ("4.25", ["roll"])
    more = ("--method", "PI", "--sweep", 1, "--start-policy", "action:cut")
    assert "T v_π0(middle)" in inside(capsys, *words, *more).out
    more = ("--sweep", 1, "--in-place", "--start-from", "young=2")
    assert "0.1 [0 + 0.9 · 1.8]" in inside(capsys, *words, *more).out
    model = (
        "--format",
        "toml",
        "--gamma",
        "1/2",
        "--minimize",
        "--normalize",
        "-q",
        "--quiet",
    )
    assert "v*(middle) = min(" in inside(capsys, *words, *model).out
    assert inside(capsys, *words, "--terminal", "young").code == 2  # which has actions
    assert "V_0(middle)" in inside(capsys, *words, "--horizon", 2).out
    done = inside(capsys, *words, "--action", "nosuch")
    assert done.code == 2
