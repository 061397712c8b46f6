"""Cassandra's .MDP and .POMDP: what each form means, what is told of a fault, and what is written."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from damage import damage
from reading import try_to_read

from tabular_rl import MDP, ModelError, load, save, solve

pytestmark = pytest.mark.small

TOP = "discount: 0.9\nvalues: reward\nstates: a b\nactions: go stay\n"
GO = "T: go\n0.25 0.75\n1 0\nT: stay identity\n"
SEEN = TOP + "observations: x y z\n" + GO


@pytest.fixture
def read(tmp_path):
    def of(text, name="m.MDP", **options):
        path = tmp_path / name
        path.write_text(text)
        return load(path, **options)

    return of


def rows(mdp):
    """{(state, action): {(next state, reward): probability}}, all exact."""
    found = {}
    for i in range(mdp.L):
        place = mdp.states[mdp.state_of_row(i)], mdp.actions[int(mdp.pair_action[i])]
        found[place] = {(mdp.states[s], r): p for s, p, r in mdp.rational_outcomes(i)}
    return found


def law(mdp):
    return [mdp.rational(i)[0] for i in range(mdp.L)]


def test_the_forms_of_a_transition_are_one_model(read):
    """A matrix, rows, entries, numbers for names, later lines and stars say the same."""
    expected = {
        ("a", "go"): {("a", 0): Fraction(1, 4), ("b", 2): Fraction(3, 4)},
        ("a", "stay"): {("a", 0): Fraction(1)},
        ("b", "go"): {("a", 0): Fraction(1)},
        ("b", "stay"): {("b", 2): Fraction(1)},
    }
    reward = "R: * : * : b 2\n"
    for text in (
        GO + reward,
        "T: go : a\n0.25 0.75\nT:go:b\n1.0 0.0\nT: 1\nidentity\n" + reward,
        "T: 0 : 0 : 0 0.25 T: go : a : 1 0.75 # a remark\nT: go : b : a 1 "
        "T: stay : a : a 1\nT: stay:b:b 1\n" + reward,
        "T: * : * : a 1\nT: stay : b : * 0\nT: stay : b : b 1\nT: go : a uniform\nT: go : a 0.25 0.75\n" + reward,
        "T: * identity\nT: go : a : a .25\nT: go : a : b 0.75\nT: go : b 1. 0\n" + reward,
        GO + "R: go\n0 +2\n0 2\nR: stay : *\n0.0 2.0\n",
        GO + "R: * : * : * 7\nR: * : * : a 0\nR: go : * : b 2\nR: stay : b 0 2\n",
        GO + "R: * : * : b : * 2\n",
        GO.replace("T: stay identity", "T: stay : a : a : 1\nT: stay : b : b : 1.0") + "R: * : * : b : 2\n",
    ):  # fmt: skip
        assert rows(read(TOP + text)) == expected, text


def test_uniform_and_reset(read):
    text = "discount: 1\nstates: 3\nactions: 2\n"
    third = [(s, Fraction(1, 3)) for s in range(3)]
    assert law(read(text + "T: * uniform")) == [third] * 6
    start = "start: 0.5 0 0.5\n"
    mdp = read(text + start + "T: 0 : * uniform\nT: 1 : * reset")
    assert law(mdp) == [third, [(0, Fraction(1, 2)), (2, Fraction(1, 2))]] * 3
    assert law(read(text + "T: * : * reset")) == [third] * 6, "without a start all states are alike"


@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("", [0.25] * 4),
        ("start: uniform", [0.25] * 4),
        ("start: c", [0, 0, 1, 0]),
        ("start: 2", [0, 0, 1, 0]),
        ("start: 0.1 0.2 0.3 0.4", [0.1, 0.2, 0.3, 0.4]),
        ("start include: a d", [0.5, 0, 0, 0.5]),
        ("start include: 0 3", [0.5, 0, 0, 0.5]),
        ("start exclude: a", [0, 1 / 3, 1 / 3, 1 / 3]),
        ("start include: *", [0.25] * 4),
    ],
)
def test_start(read, line, start):
    mdp = read(f"discount: 0.5\nstates: a b c d\nactions: go\n{line}\nT: * identity\n")
    assert mdp.start.tolist() == start
    assert mdp.start_given == bool(line)


def test_a_rounded_start_is_rescaled_where_it_is_asked_for(read):
    text = "discount: 0.5\nstates: 3\nactions: 1\nstart: 0.333 0.333 0.333\nT: 0 identity\n"
    with pytest.raises(
        ModelError, match=r"m\.MDP:4: start: .* sum to 0\.999, expected 1\. Load with normalize=True to"
    ):
        read(text)
    assert list(read(text, normalize=True).exact.start) == [Fraction(1, 3)] * 3


def test_a_discount_that_is_asked_for_stands_for_one_that_is_missing(read):
    text = TOP.partition("\n")[2] + GO
    with pytest.raises(ModelError, match=r"discount: found none, .* or say gamma=0\.9$"):
        read(text)
    assert read(text, gamma="1/2").gamma_exact == Fraction(1, 2)


def test_costs_names_and_what_the_caller_asks_for(read):
    mdp = read(TOP.replace("reward", "cost") + GO + "R: go : * : * 1\n")
    assert (mdp.sense, list(mdp.states), list(mdp.actions)) == ("min", ["a", "b"], ["go", "stay"])
    assert solve(mdp).v.tolist() == [0, 0], "to stay costs nothing"
    asked = read(TOP + GO, gamma="1/2", horizon=3, sense="min", terminal=["b"])
    assert (asked.gamma, asked.horizon, asked.sense) == (0.5, 3, "min")
    assert asked.terminal.tolist() == [False, True]
    assert asked.L == 2, "what b does is left out"
    assert read("values: reward\nactions: 1\ndiscount: 1.0 states: 2\nT: 0 identity").S == 2, "in any order"
    odd = read("discount: 1\nstates: T start\nactions: R\nT: R : T : start 1\nT: R : start : start 1")
    assert law(odd) == [[(1, 1)], [(1, 1)]], "names that are words of the format, where they can be told"


def test_observations_that_tell_the_state(read):
    """x and z mean a, y means b; y never comes from a. Rewards by observation are chances."""
    seen = SEEN + "O: * : a 0.5 0 0.5\nO: * : b : y 1\n"
    assert rows(read(seen + "R: go : * : a : x 4\nR: * : b : b : * 1\n", "m.POMDP")) == {
        ("a", "go"): {("a", 4): Fraction(1, 8), ("a", 0): Fraction(1, 8), ("b", 0): Fraction(3, 4)},
        ("a", "stay"): {("a", 0): Fraction(1)},
        ("b", "go"): {("a", 4): Fraction(1, 2), ("a", 0): Fraction(1, 2)},
        ("b", "stay"): {("b", 1): Fraction(1)},
    }
    by_rows = read(seen + "R: go : a : a\n4 9 2\nR: go : b\n1 1 1\n5 5 5\n", "m.POMDP")
    assert rows(by_rows)["a", "go"] == {
        ("a", 4): Fraction(1, 8),
        ("a", 2): Fraction(1, 8),
        ("b", 0): Fraction(3, 4),
    }
    assert rows(by_rows)["b", "go"] == {("a", 1): Fraction(1)}
    unreached = "discount: 1\nstates: 2\nactions: 1\nobservations: 1\nT: * : * : 0 1\nO: * uniform\n"
    assert read(unreached, "m.POMDP").S == 2, "only one state is ever seen"


def test_a_partially_observable_file_says_so(read):
    with pytest.raises(
        ModelError, match=r"m\.POMDP:10: this file is partially observable: after action 'go' the obs"
    ):
        read(SEEN + "O: * uniform\n", "m.POMDP")
    with pytest.raises(
        ModelError, match=r"'y' may mean state 'a' or 'b', expected it to tell the state\. A solver"
    ):
        read(SEEN + "O: * : a 0 1 0\nO: * : b 0 0.01 0.99\n", "m.POMDP")


def test_rounded_rows(read):
    third = "discount: 0.5\nstates: 3\nactions: 1\nT: 0\n" + "0.3333333333333333 " * 9
    mdp = read(third)
    assert mdp.exact is None
    assert mdp.prob.tolist() == [1 / 3] * 9
    short = third.replace("0.3333333333333333", "0.333")
    with pytest.raises(
        ModelError, match=r"m\.MDP:4: state '0', action '0': probabilities sum to 999/1000, .*normalize=True"
    ):
        read(short)
    assert set(read(short, normalize=True).exact.prob) == {Fraction(1, 3)}
    seen = SEEN + "O: * : a 0.3 0 0.6\nO: * : b : y 1\n"
    with pytest.raises(
        ModelError, match=r"m\.POMDP:10: state 'a': observations after .* sum to 0\.9, .*normalize=True"
    ):
        read(seen, "m.POMDP")
    assert read(seen, "m.POMDP", normalize=True).S == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("states: 2\nactions: 1\n", "discount: found none, expected a line discount:"),
        ("discount: 1.5\nstates: 2\nactions: 1\nT: 0 identity", ":1: discount: found '1.5', expected a number from 0"),
        ("discount: x\nstates: 2\nactions: 1\nT: 0 identity", ":1: found 'x', expected a number such as 1.0"),
        ("discount 0.9\n", ":1: found '0.9', expected a colon after discount"),
        ("discount: 0.9\nvalues: gain\nstates: 2\nactions: 1\nT: 0 identity", ":2: values: found 'gain'"),
        ("states: 0\n", ":1: states: found '0', expected names, or how many there are, 1 to 10,000,000"),
        ("states: a a\n", ":1: states: found 'a' twice, expected distinct names"),
        ("states: a 2b\n", ":1: states: found '2b', expected a name, which begins with a letter"),
        ("states: a b\nstates: c\n", ":2: states: found twice, first on line 1, expected once"),
        ("discout: 1\n", ":1: found 'discout'; did you mean 'discount'?"),
        ("T: go : a : b 1\n", ":1: found a line T: before the line actions:, which it needs. Put actions: above it"),
        (TOP + "T: go : a : c 1\n", ":5: states: no such name 'c'"),
        (TOP + "T: go : 2 : a 1\n", ":5: states: found number 2, expected 0 to 1"),
        (TOP + "T: sty : a : a 1\n", ":5: actions: no such name 'sty'; did you mean 'stay'?"),
        (TOP + "T: go : a : a 1.5\n", ":5: T: found probability 1.5, expected a number from 0 to 1"),
        (TOP + "T: go : a\n0.5\n", ":5: T: found 1 numbers, expected 2, or uniform, or reset"),
        (TOP + "T: go\n0.5 0.5 0.5 0.5 0.5\n", ":5: T: found 4 or more numbers, expected 4 (2 x 2), or uniform, or id"),
        (TOP + "T: go\nreset\n", ":6: T: found 'reset', expected 4 numbers (2 x 2), or uniform, or identity"),
        (TOP + "T: go : a : a\n", "T: found 0 numbers, expected 1"),
        (TOP + "T: go : a : a : b 1\n", ":5: T: found 'b' as one index too many"),
        (TOP + "T: go identity\n", "state 'a', action 'stay': found no probability but 0, expected some that sum to 1"),
        (TOP + GO + "T: go : a : a 0.5\n", ":9: state 'a', action 'go': probabilities sum to 5/4, expected 1"),
        (TOP + GO + "R: go : a : a x\n", ":9: R: found 'x', expected 1 numbers"),
        (TOP + GO + "R: go : a : a : x 1\n", ":9: R: found 'x' as one index too many"),
        (TOP + GO + "O: go uniform\n", ":9: O: found, expected observations: at the top"),
        (TOP + "start: c\n" + GO, ":5: states: no such name 'c'"),
        (TOP + "start: 0.5 0.4\n" + GO, ":5: start: found probabilities that sum to 0.9, expected 1"),
        (TOP + "start: 0.5 0.4 0.1\n" + GO, ":5: start: found 3 numbers, expected 2, a state, or start include"),
        (TOP + "start exclude: a b\n" + GO, ":5: start exclude: found all states"),
        (TOP + "start: a\nstart: b\n" + GO, ":6: start: found twice, first on line 5"),
        (TOP + "start:\n" + GO, ":5: start: found nothing behind the colon"),
        (SEEN + "O: * : a 0.5 0 0.5\n", "m.MDP: state 'b': observations after action 'go' have probabilities that sum"),
        ("#! nmae = 1\n" + TOP + GO, ":1: found the remark '#! nmae = 1', expected one of name, source"),
        ('#! states = ["a"]\n' + TOP + GO, "states: found 1 names in the remark #! states, expected 2"),
        ('#! numbers = "float64"\n#! discount = "1/2"\n' + TOP + GO, ":3: discount: found '1/2' in a remark"),
        ("# nothing\n", "states: found none, expected a line states:"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(read, text, found):
    with pytest.raises(ModelError) as caught:
        read(text)
    assert found in str(caught.value)
    assert "m.MDP" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_written_is_what_other_programs_read(tmp_path):
    """A terminal state leads to itself for nothing, and the start is over the others."""
    outcomes = [("s t", "go", "end", "0.5", -1), ("s t", "go", "s t", "0.5", 0)]
    save(MDP.from_outcomes(outcomes, "0.9", terminal=["end"], sense="min"), tmp_path / "m.mdp")
    assert (tmp_path / "m.mdp").read_text() == (
        '#! states = ["s t", "end"]\n#! terminal = ["end"]\n#! start = "default"\n'
        "discount: 0.9\nvalues: cost\nstates: 2\nactions: go\nstart exclude: 1\n\n"
        "T: * : 1 : 1 1.0\nT: go : 0 : 1 0.5\nR: go : 0 : 1 -1.0\nT: go : 0 : 0 0.5\n"
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"horizon": 2}, "found a horizon of 2 decisions, which .MDP cannot hold. Write it as .toml, .csv or .npz"),
        ({"p": "1/3"}, "state 'a', action 'go', next state 'b': found 1/3, no decimal of finite length"),
        ({"gamma": "1/3"}, "discount: found 1/3, no decimal of finite length"),
        ({"start": {"a": "1/3", "b": "2/3"}}, "state 'a': start: found 1/3, no decimal"),
        ({"more": [("a", "run", "a", 1, 0)]}, "state 'b', action 'run': found an unavailable action"),
        ({"more": [("b", "go", "a", 0, 1)]}, "state 'b', action 'go', next state 'a': found an outcome of prob"),
        ({"p": "1/2", "more": [("b", "go", "a", 0, 1)]}, "outcome of probability 0"),
    ],
)  # fmt: skip
def test_what_it_cannot_hold_is_refused(change, text, tmp_path):
    p = Fraction(change.get("p", "1/2"))
    outcomes = [
        ("a", "go", "b", p, 0),
        ("a", "go", "a", 1 - p, 1),
        ("b", "go", "b", 1, 0),
        *change.get("more", []),
    ]
    options = {key: x for key, x in change.items() if key in ("horizon", "start")}
    with pytest.raises(ModelError) as caught:
        save(MDP.from_outcomes(outcomes, change.get("gamma", "0.5"), **options), tmp_path / "m.mdp")
    assert text in str(caught.value)
    assert list(tmp_path.iterdir()) == []


TEXT = b"""#! name = "x"
#! terminal = ["c"]
discount: 0.95
values: cost
states: a b c
actions: go stay
observations: 3
start include: a 1
T: go
0.1 0.9 0.0
uniform
T: go : b uniform
T: go : 2 reset
T: stay identity
O: * identity
O: * : a : 0 1.0
O: * : b : 1 1
O: * : c 0 0 1
R: go : * : * : * -1.5
R: stay : a : b
1 2 3
R: stay : b
1 2 3 4 5 6 7 8 9
""".replace(b"uniform\nT: go : b", b"0.5 0.5 0\n0 0 1\nT: go : b").replace(b"O: * identity\n", b"")


@pytest.mark.parametrize("trials", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_damaged_files(trials, tmp_path):
    path = tmp_path / "bad.POMDP"
    path.write_bytes(TEXT)
    assert load(path).terminal.tolist() == [False, False, True]
    rng = random.Random("damage cassandra")
    for _ in range(trials):
        path.write_bytes(damage(TEXT, rng))
        try_to_read(path, path)
