"""DRN: the model that a file of Storm is, the line of what is wrong with one, and files that Storm reads."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from damage import damage
from reading import same, try_to_read

from tabular_rl import MDP, ModelError, OptionError, load, save, solve
from tabular_rl.formats.remarks import heard

# A walk that costs 1 a step: north is slower and cheaper by state rewards. Two reward models.
WALK = """// Exported by storm
// Original model type: MDP
@type: MDP
@value_type: rational
@parameters

@reward_models
steps fuel
@nr_states
3
@nr_choices
4
@model
state 0 [1, 0] init "at home"
//[x=0\t& done=0]
\taction north [0, 1/2]
\t\t1 : 1/3
\t\t0 : 2/3
\taction __NOLABEL__ [0, 5]
\t\t2 : 1
state 1 [1, 2]
//[x=1\t& done=0]
\taction north [0, 3]
\t\t2 : 1
state 2 [0, 0] goal
//[x=2\t& done=1]
\taction stay [0, 0]
\t\t2 : 1
"""
COIN = """@type: DTMC
@parameters

@reward_models

@nr_states
2
@model
state 0 init
 action 0
  0 : .5
  1 : 0.5

state 1 heads
 action 0
  1 : 1
"""


@pytest.fixture
def written(tmp_path):
    def write(text, name="m.drn"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.mark.small
def test_a_file_of_storm_is_this_model(written):
    """By hand: fuel from 0, the direct way 5, by north 2 (3/2 - 1) + 1/2 3/2 ... = 1/2 · 3 + 2 + 3 = 13/2."""
    said = []
    with heard(said.append):
        mdp = load(written(WALK), gamma=1, reward="fuel", terminal=["goal"])
    assert mdp.states[:] == ("x=0,done=0", "x=1,done=0", "x=2,done=1")
    assert mdp.actions[:] == ("north", "1"), "a choice without a label is its number in the state"
    assert list(mdp.exact.prob) == [Fraction(1, 3), Fraction(2, 3), 1, 1]
    assert list(mdp.exact.r) == [Fraction(1, 2), 5, 5], "rewards of the state and the action are added"
    assert mdp.terminal.tolist() == [False, False, True]
    assert mdp.start.tolist() == [1, 0, 0]
    assert solve(mdp.replace(sense="min"), method="rational").v.tolist() == [5, 5, 0]
    assert solve(mdp, method="rational").v.tolist() == [6.5, 5, 0]
    assert said == [f"{mdp.origin}: rewards are maximised. Say --minimize where they are costs"]


@pytest.mark.small
def test_labels_are_states_and_can_be_reached(written):
    with pytest.warns(UserWarning, match="no reward model: every reward is 0"):
        coin = load(written(COIN), gamma=1)
    assert not coin.r.any()
    assert coin.exact is None, "decimals of a file without a value type are float64"
    said = []
    with heard(said.append):
        coin = load(written(COIN), gamma="9/10", reward="label:heads")
    assert said == [], "there is no choice, of which more or less would be better"
    assert coin.terminal.tolist() == [False, True]
    # p = 1/2 + 9/10 · 1/2 p
    assert solve(coin).v[0] == pytest.approx(0.5 / 0.55, abs=1e-9)
    walk = load(written(WALK), gamma=1, reward="steps", terminal=["label:at home", "x=1,done=0"])
    assert walk.terminal.tolist() == [True, True, False]


@pytest.mark.small
@pytest.mark.filterwarnings("ignore:.*no reward model")
def test_what_storm_leaves_open_is_asked(written):
    with pytest.raises(ModelError, match=r"m\.drn: discount: found none, .*Say gamma=1 for the total reward"):
        load(written(WALK))
    with pytest.raises(
        ModelError, match=r"found 2 reward models, 'steps', 'fuel', expected one of them by reward="
    ):
        load(written(WALK), gamma=1)
    with pytest.raises(ModelError, match=r"no reward model 'feul'; did you mean 'fuel'\?"):
        load(written(WALK), gamma=1, reward="feul")
    with pytest.raises(ModelError, match=r"no label 'gaol'; did you mean 'goal'\?"):
        load(written(WALK), gamma=1, reward="label:gaol")
    with pytest.raises(ModelError, match=r"no such state or label 'gaol'; did you mean 'goal'\?"):
        load(written(WALK), gamma=1, reward="fuel", terminal=["gaol"])
    with pytest.raises(OptionError, match=r"example:forest has no reward models to choose from, only \.drn"):
        load("example:forest", reward="fuel")
    several = COIN.replace("state 1 heads", "state 1 init")
    with pytest.warns(UserWarning, match="2 states have the label init: the start is one of them"):
        assert load(written(several), gamma=1).start.tolist() == [0.5, 0.5]


@pytest.mark.small
def test_a_label_that_a_state_has_twice_gets_a_number(written):
    twice = WALK.replace("__NOLABEL__", "north").replace("stay", "north_2")
    mdp = load(written(twice), gamma=1, reward="fuel")
    assert [mdp.actions[a] for a in mdp.pair_action[:2]] == ["north", "north_2"]


@pytest.mark.small
@pytest.mark.filterwarnings("ignore:.*states without transitions")
def test_states_without_transitions_end(written):
    dead = WALK.replace("\taction stay [0, 0]\n\t\t2 : 1\n", "").replace("@nr_choices\n4", "@nr_choices\n3")
    with pytest.warns(
        UserWarning, match="states without transitions are terminal: 1, the first is 'x=2,done=1'"
    ):
        mdp = load(written(dead), gamma=1, reward="fuel")
    assert mdp.terminal.tolist() == [False, False, True]
    paid = dead.replace("state 2 [0, 0]", "state 2 [0, 7]")
    with pytest.raises(ModelError, match="state 'x=2,done=1': has a reward and no transitions"):
        load(written(paid), gamma=1, reward="fuel")
    with heard(lambda _: None):
        assert load(written(paid), gamma=1, reward="fuel", terminal=["goal"]) == mdp.replace(origin="")


@pytest.mark.small
def test_rounded_rows_name_normalize(written):
    """Storm writes doubles with six digits by default."""
    thirds = COIN.replace(" : .5", " : 0.333333").replace("1 : 0.5", "1 : 0.666666")
    with pytest.raises(
        ModelError, match=r"m\.drn:11: state '0', action '0': probabilities sum to 0\.99999.*normalize=True"
    ):
        load(written(thirds), gamma=1, reward="label:heads")
    mdp = load(written(thirds), gamma=1, reward="label:heads", normalize=True)
    assert mdp.prob.tolist() == pytest.approx([1 / 3, 2 / 3], abs=1e-6)
    assert 0 < mdp.facts.correction < 1e-6
    exact = WALK.replace("0 : 2/3", "0 : 1/3")
    with pytest.raises(ModelError, match=r":17: .*probabilities sum to 2/3, expected 1"):
        load(written(exact), gamma=1, reward="fuel")
    assert (
        list(load(written(exact), gamma=1, reward="fuel", normalize=True).exact.prob[:2])
        == [Fraction(1, 2)] * 2
    )


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("@type: MDP", "@type: CTMC", ":3: found @type: CTMC, a model in continuous time, expected DTMC or MDP"),
        ("@type: MDP", "@type: Markov Automaton", ":3: found @type: MARKOV AUTOMATON, a model in continuous time"),
        ("@type: MDP", "@type: POMDP", ":3: found @type: POMDP, a partially observable model"),
        ("@type: MDP", "@type: mpd", ":3: found @type: 'mpd', expected DTMC or MDP"),
        ("@type: MDP\n", "", "found no @type, expected it above @model"),
        ("rational", "parametric", ":4: found values with parameters, expected numbers. Give them values: 'storm --"),
        ("rational", "double-interval", ":4: found intervals of probabilities"),
        ("@parameters\n\n", "@parameters\np q\n", ":6: found parameters 'p q', expected numbers."),
        ("@nr_states\n3", "@nr_states\n4", "found 3 states, expected 4 as @nr_states says. Is it cut off?"),
        ("@nr_states\n3", "@nr_states\nx", ":10: found @nr_states 'x', expected a whole number"),
        ("@nr_choices\n4", "@nr_choices\n5", "found 4 actions, expected 5 as @nr_choices says. Is it cut off?"),
        ("@nr_choices", "@choices", ":11: found @choices, expected @type:, @reward_models"),
        ("@model", "model", ":13: found 'model', expected a key such as @type: MDP"),
        ("state 1 [1, 2]", "state 2 [1, 2]", ":21: found state 2, expected 1: states stand in their order"),
        ("state 1 [1, 2]", "stat 1", ":21: found 'stat 1', expected state NUMBER [REWARDS] LABELS"),
        ("state 1 [1, 2]", "state 1 [1]", ":21: found 1 rewards, expected 2 as in other lines"),
        ("\taction __NOLABEL__ [0, 5]\n", "\taction\n", ":19: found 'action', expected action NAME [REWARDS]"),
        ("\taction stay [0, 0]\n", "", ":27: found a transition without an action"),
        ("1 : 1/3", "7 : 1/3", ":17: found next state '7', expected a whole number from 0 to 2"),
        ("1 : 1/3", "1 : third", ":17: found probability 'third', expected a number"),
        ("1 : 1/3", "1 = 1/3", ":17: found '1 = 1/3', expected a transition such as 3 : 0.5"),
        ("1 : 1/3", "1 : 4/3", ":17: state 'x=0,done=0', action 'north', next state 'x=1,done=0': found prob"),
        ("1 : 1/3", "one : 1/3", ":17: found 'one : 1/3', expected a state, an action, or a transition"),
        ("[0, 1/2]", "[0, 1/0]", ":16: found reward '1/0', expected"),
        ("steps fuel", "fuel fuel", "@reward_models: found 'fuel fuel', expected distinct names"),
        ("@type: MDP", "@type: MDP\n@type: MDP", ":4: found @type twice, expected once"),
    ],
)  # fmt: skip
@pytest.mark.small
def test_what_is_wrong_is_told_with_its_line(written, old, new, found):
    assert old in WALK
    with pytest.raises(ModelError) as caught:
        load(written(WALK.replace(old, new, 1)), gamma=1, reward="fuel")
    assert found in str(caught.value)
    assert str(caught.value).count("m.drn") == 1


@pytest.mark.small
def test_languages_name_the_program_that_builds_models(tmp_path):
    for name, option in (("walk.jani", "--jani"), ("walk.nm", "--prism"), ("walk.PRISM", "--prism")):
        (tmp_path / name).write_text("mdp\n")
        with pytest.raises(ModelError) as caught:
            load(tmp_path / name)
        assert str(caught.value) == (
            f"{tmp_path / name}: describes a model, expected one that is built. Say 'storm {option} {tmp_path / name} "
            f"--buildfull --buildstateval --buildchoicelab --exportbuild {tmp_path / 'walk.drn'}', then load that"
        )


TWICE = [
    ("a b", "go\tto", "a b", 0.25, 1),
    ("a b", "go\tto", "end", 0.5, -2.5),
    ("a b", "go\tto", "a b", 0.25, 3),
]


@pytest.mark.small
def test_what_is_written_has_the_form_of_storm(tmp_path):
    """r = 1/4 · 1 - 1/2 · 5/2 + 1/4 · 3 = -1/4; Storm has no place for the rest, which stands in remarks."""
    mdp = MDP.from_outcomes(TWICE, "1/2", terminal=["end"], start="a b", name="twice")
    save(mdp, tmp_path / "m.drn")
    text = (tmp_path / "m.drn").read_text()
    assert "".join(line for line in text.splitlines(keepends=True) if not line.startswith("//")) == (
        "@type: DTMC\n@value_type: double\n@parameters\n\n@reward_models\nreward\n"
        "@nr_states\n2\n@nr_choices\n2\n@model\n"
        "state 0 [0] init\n\taction 0 [-0.25]\n\t\t0 : 0.5\n\t\t1 : 0.5\n"
        "state 1 [0] terminal\n\taction __NOLABEL__ [0]\n\t\t1 : 1\n"
    )
    assert "// discount = 0.5\n" in text
    assert "//[a b]\n" in text
    assert "//\t\t0 : 0.25 [1]\n//\t\t1 : 0.5 [-2.5]\n//\t\t0 : 0.25 [3]\n" in text
    same(mdp, load(tmp_path / "m.drn"))


@pytest.mark.small
@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("\t\t0 : 0.5\n\t\t1 : 0.5\n", "\t\t0 : 0.25\n\t\t1 : 0.75\n", "the remarks say another probability than"),
        ("[-0.25]", "[-0.5]", "the remarks say another reward than the transitions of this action"),
        ("discount = 0.5", "discount = 1.5", "discount: found 1.5, expected a number from 0 to 1"),
        ("outcomes = 3", "outcomes = 4", "outcomes: found 3 transitions, expected 4 as stated. Is the file cut off?"),
        ("action 0 [", "action 5 [", "found action '5', expected a whole number from 0 to 0"),
    ],
)  # fmt: skip
def test_a_changed_file_of_ours_is_told(tmp_path, old, new, found):
    save(MDP.from_outcomes(TWICE, "1/2", terminal=["end"]), tmp_path / "m.drn")
    text = (tmp_path / "m.drn").read_text()
    assert old in text
    (tmp_path / "m.drn").write_text(text.replace(old, new, 1))
    with pytest.raises(ModelError) as caught:
        load(tmp_path / "m.drn")
    assert found in str(caught.value)
    assert "m.drn:" in str(caught.value)


@pytest.mark.small
def test_names_that_no_line_holds_stand_at_the_top(tmp_path):
    mdp = MDP.from_outcomes([("a\nb", "go", "c", 1, 1), ("c", "__NOLABEL__", "a\nb", 1, 2)], "1/3")
    save(mdp, tmp_path / "m.drn")
    same(mdp, load(tmp_path / "m.drn"))
    assert '// states = ["a\\nb", "c"]\n' in (tmp_path / "m.drn").read_text()


@pytest.mark.parametrize("trials", [200, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["storm", "ours"])
def test_damaged_files(kind, trials, tmp_path):
    path = tmp_path / "m.drn"
    save(MDP.from_outcomes(TWICE, "1/2", terminal=["end"], start="a b"), path)
    good = path.read_bytes()
    if kind == "storm":
        good = WALK.encode()
    rng = random.Random(f"damage drn {kind}")
    for _ in range(trials):
        path.write_bytes(damage(good, rng))
        with heard(lambda _: None):
            try_to_read(path, path, **({} if kind == "ours" else {"gamma": 1, "reward": "fuel"}))
