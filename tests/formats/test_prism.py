"""PRISM's explicit files: the model that they are together, and the file and line of what is wrong with one."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from damage import damage
from program import inside
from reading import same, try_to_read

from tabular_rl import MDP, ModelError, OptionError, load, save, solve
from tabular_rl.formats.remarks import heard

# A coin may be flipped, or passed: s is where one stands, d whether it was heads.
TRA = """# Transitions (MDP)
4 5 7
0 0 1 1 a
1 0 2 0.5 c
1 0 3 0.5 c
1 1 0 0.7 b
1 1 1 0.3 b
2 0 2 1 a
3 0 3 1
"""
LAB = '0="init" 1="deadlock" 2="heads" 3="tails" 4="end"\n0: 0\n2: 2 4\n3: 3 4\n'
STA = "(s,d)\n0:(0,false)\n1:(1,false)\n2:(2,true)\n3:(2,false)\n"
SREW = '# Reward structure "time"\n# State rewards\n4 2\n0 2\n1 1\n'
TREW = '# Reward structure: "time"\n# Transition rewards\n4 5 4\n1 0 2 6\n1 0 3 6\n1 1 0 5\n1 1 1 5\n'
FILES = {"tra": TRA, "lab": LAB, "sta": STA, "srew": SREW, "trew": TREW}


@pytest.fixture
def written(tmp_path):
    def write(stem="m", **files):
        for suffix, text in files.items():
            (tmp_path / f"{stem}.{suffix}").write_text(text)
        return tmp_path / f"{stem}.tra"

    return write


@pytest.mark.small
def test_the_files_are_this_model(written):
    """State and transition rewards are added: flipping costs 1 + 6. So v(1) = 7, v(0) = 2 + 7."""
    said = []
    with heard(said.append):
        mdp = load(written(**FILES), gamma=1, sense="min", terminal=["end"])
    assert mdp.states[:] == ("s=0,d=false", "s=1,d=false", "s=2,d=true", "s=2,d=false")
    assert mdp.actions[:] == ("a", "c", "b")
    assert mdp.r.tolist() == [2, 7, 6]
    assert mdp.prob.tolist() == [1, 0.5, 0.5, 0.7, 0.3]
    assert mdp.start.tolist() == [1, 0, 0, 0]
    assert solve(mdp).v.tolist() == [9, 7, 0, 0]
    assert said == [f"{mdp.origin}: read with m.lab, m.srew, m.sta, m.trew"]


@pytest.mark.small
def test_rewards_of_transitions_of_a_chain(written):
    """The manual's chain with rewards 1 on some transitions: r belongs to the next state."""
    tra = "3 4\n0 1 1/3\n0 2 2/3\n1 0 1\n2 2 1\n"
    trew = '# Reward structure "r"\n# Transition rewards\n3 2\n0 2 6\n1 0 1\n'
    mdp = load(written(tra=tra, trew=trew), gamma=1, sense="max", terminal=["2"])
    assert list(mdp.exact.prob) == [Fraction(1, 3), Fraction(2, 3), 1]
    assert mdp.reward.tolist() == [0, 6, 1]
    # v(0) = 2/3 · 6 + 1/3 (1 + v(0))
    assert solve(mdp, method="rational").v[0] == pytest.approx(6.5)


@pytest.mark.small
def test_several_reward_structures_are_asked_for(written, tmp_path):
    path = written(tra=TRA, lab=LAB)
    (tmp_path / "m1.srew").write_text(SREW)
    (tmp_path / "m1.trew").write_text(TREW)
    (tmp_path / "m2.srew").write_text(SREW.replace("time", "cost").replace("0 2\n", "0 30\n"))
    with pytest.raises(
        ModelError, match=r"m\.tra: reward: found 2 reward models, 'time', 'cost', expected one of them"
    ):
        load(path, gamma=1, sense="max")
    assert load(path, gamma=1, sense="max", reward="cost").r.tolist() == [30, 1, 1, 0, 0]
    assert load(path, gamma=1, sense="max", reward="time").r.tolist() == [2, 7, 6, 0, 0]
    written("m2", tra=TRA)
    assert load(path, gamma=1, sense="max").r.tolist() == [2, 7, 6, 0, 0], "m2.srew belongs to m2.tra"


@pytest.mark.small
def test_files_in_the_form_of_storm(written):
    lines = "".join(line for line in TRA.splitlines(keepends=True)[2:])
    lab = "#DECLARATION\ninit deadlock end\n#END\n0 init\n2 end\n3 end\n"
    mdp = load(written(tra=f"mdp\n{lines}", lab=lab), gamma=1, sense="max", reward="label:end")
    assert mdp.terminal.tolist() == [False, False, True, True]
    assert solve(mdp).v.tolist() == pytest.approx([1, 1, 0, 0])


@pytest.mark.parametrize(
    ("suffix", "old", "new", "found"),
    [
        ("tra", "(MDP)", "(CTMC)", "m.tra:1: found CTMC, a model in continuous time"),
        ("tra", "4 5 7", "4 5 7 3", "m.tra:2: found 4 sizes, a partially observable model"),
        ("tra", "4 5 7", "4 5 8", "m.tra: found 7 transitions, expected 8 as the first line says. Is it cut off?"),
        ("tra", "4 5 7", "4 6 7", "m.tra: found 5 choices, expected 6 as the first line says. Is it cut off?"),
        ("tra", "4 5 7", "9999999999 5 7", "m.tra: found 9999999999 states and 7 transitions, expected"),
        ("tra", "4 5 7", "four", "m.tra:2: found 'four', expected STATES TRANSITIONS of a DTMC"),
        ("tra", "1 1 0 0.7 b", "1 1 9 0.7 b", "m.tra:6: found next state '9', expected a whole number from 0 to 3"),
        ("tra", "1 1 0 0.7 b", "1 2 0 0.7 b", "m.tra: found 6 choices, expected 5"),
        ("tra", "1 1 0 0.7 b", "1 1 0 0.7 x", "found action 'b', expected 'x' as in the choice's first line"),
        ("tra", "1 1 0 0.7 b", "1 1 0 seven b", "m.tra:6: found probability 'seven', expected a number"),
        ("tra", "1 1 0 0.7 b", "1 1 0 200 b", "m.tra:6: found 200, expected a probability from 0 to 1. Are these"),
        ("tra", "1 1 0 0.7 b", "1 1 0 0.6 b", "m.tra:6: state 's=1,d=false', action 'b': probabilities sum to 0.8999"),
        ("tra", "1 1 0 0.7 b", "1 0.7:0 b", "m.tra:6: found '1 0.7:0 b', expected STATE CHOICE NEXT PROBABILITY"),
        ("tra", "2 0 2 1 a", "2 1 2 1 a", "m.tra:8: found choice 1, expected 0: choices of a state go from 0 on"),
        ("lab", "2: 2 4", "2: 2 7", "m.lab:3: found label '7', expected a number of the first line"),
        ("lab", "2: 2 4", "9: 2 4", "m.lab:3: found state '9', expected a whole number from 0 to 3"),
        ("lab", '0="init"', "init", "m.lab:1: found 'init 1="),
        ("sta", "2:(2,true)", "2:(2)", "m.sta:4: found '2:(2)', expected 2:(s,d)"),
        ("sta", "3:(2,false)\n", "", "m.sta: found 3 states, expected the 4 of m.tra"),
        ("sta", "(s,d)", "s,d", "m.sta:1: found no variables, expected a line such as (x,y)"),
        ("srew", "4 2", "4 3", "m.srew: found 2 rewards, expected 3 as the first line says. Is it cut off?"),
        ("srew", "1 1\n", "1 1 1\n", "m.srew:5: found '1 1 1', expected STATE REWARD"),
        ("srew", "1 1\n", "0 1\n", "m.srew:5: found a second reward, first on line 4, expected one"),
        ("trew", "1 1 0 5", "1 1 3 5", "m.trew:6: found '1 1 3 5', expected a transition of the .tra file"),
        ("trew", "1 1 0 5", "1 1 0 x", "m.trew:6: found reward 'x', expected a number"),
    ],
)  # fmt: skip
@pytest.mark.small
def test_what_is_wrong_is_told_with_its_file_and_line(written, suffix, old, new, found):
    assert old in FILES[suffix]
    with pytest.raises(ModelError) as caught:
        load(written(**{**FILES, suffix: FILES[suffix].replace(old, new, 1)}), gamma=1, sense="max")
    assert found in str(caught.value)
    assert str(caught.value).count(f"m.{suffix}:") == 1


@pytest.mark.small
def test_what_is_written_has_the_form_of_prism(tmp_path):
    """r = 1/4 · 1 - 1/2 · 5/2 + 1/4 · 3 = -1/4, on each transition, as PRISM has it."""
    twice = [
        ("a b", "go\tto", "a b", 0.25, 1),
        ("a b", "go\tto", "end", 0.5, -2.5),
        ("a b", "go\tto", "a b", 0.25, 3),
    ]
    mdp = MDP.from_outcomes(twice, "1/2", terminal=["end"], start="a b", name="twice")
    save(mdp, tmp_path / "m.tra")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.lab", "m.srew", "m.sta", "m.tra", "m.trew"]
    text = (tmp_path / "m.tra").read_text()
    bare = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    assert bare == "2 2 3\n0 0 0 0.5 a0\n0 0 1 0.5 a0\n1 0 1 1\n"
    assert (tmp_path / "m.lab").read_text() == '0="init" 1="deadlock" 2="terminal"\n0: 0\n1: 2\n'
    assert (tmp_path / "m.trew").read_text().splitlines()[2:] == ["2 2 2", "0 0 0 -0.25", "0 0 1 -0.25"]
    same(mdp, load(tmp_path / "m.tra"))
    (tmp_path / "m.trew").write_text((tmp_path / "m.trew").read_text().replace("-0.25", "-0.5"))
    with pytest.raises(ModelError, match=r"m\.tra:.*the remarks say another reward than the transitions"):
        load(tmp_path / "m.tra")


def test_all_files_or_none_are_written(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.trew").mkdir()  # in the way of the last one
    done = inside(capsys, "convert", "example:recycling_robot", "m.tra")
    assert done.code == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.trew"]
    (tmp_path / "m.trew").rmdir()
    assert inside(capsys, "convert", "example:recycling_robot", "-o", "m.tra").code == 0
    assert load("m.tra") == load("example:recycling_robot")
    with pytest.raises(
        OptionError, match=r"found no name, expected one such as model\.tra: these are five files"
    ):
        save(load("m.tra"), "-", format="prism")


@pytest.mark.parametrize("trials", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_damaged_files(trials, tmp_path, written):
    path = written(**FILES)
    rng = random.Random("damage prism")
    for _ in range(trials):
        suffix = rng.choice(list(FILES))
        (tmp_path / f"m.{suffix}").write_bytes(damage(FILES[suffix].encode(), rng))
        with heard(lambda _: None):
            try_to_read(path, tmp_path / "m.", gamma=1, sense="max")
        written(**{suffix: FILES[suffix]})
