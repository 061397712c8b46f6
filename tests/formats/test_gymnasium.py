"""Gymnasium environments as models. The truth is value iteration over env.P, by hand, or arithmetic."""

from __future__ import annotations

import inspect
import random
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from program import inside

import tabular_rl as t
from tabular_rl import MDP, MissingExtra, ModelError, OptionError, TabularError
from tabular_rl.formats.importers.gymnasium_arguments import texts_of, values_of

FLIP = {0: {0: [(0.5, 0, -1, False), (0.5, 1, -1, True)]}, 1: {0: [(1.0, 0, 100, False)]}}


def values(P, gamma, sweeps=3000):
    """v ← max_a Σ p (r + γ v(s') unless done), the same for every state of P."""
    v = dict.fromkeys(P, 0.0)
    for _ in range(sweeps):
        last = dict(v)
        for s in P:
            v[s] = max(
                sum(p * (r + (0 if done else gamma * last[int(s2)])) for p, s2, r, done in steps)
                for steps in P[s].values()
            )
        if max(abs(v[s] - last[s]) for s in P) < 1e-13:
            break
    return v


def make(*arguments, **options):
    gymnasium = pytest.importorskip("gymnasium")
    return gymnasium.make(*arguments, **options)


def taxi():
    gymnasium = pytest.importorskip("gymnasium")
    return make("Taxi-v4" if "Taxi-v4" in gymnasium.registry else "Taxi-v3")


def plain(**fields):
    """An environment without the package: what is read are its attributes."""
    env = SimpleNamespace(**fields)
    env.unwrapped = env
    return env


def table(P, **options):
    return MDP.from_gymnasium(plain(P=P), **options)


# -- the environments of the package


@pytest.mark.parametrize(
    ("name", "options", "start"),
    [
        ("FrozenLake-v1", {}, 0.542),  # as published for slippery ice at .99
        ("FrozenLake-v1", {"is_slippery": False}, 0.99**5),  # six moves, the last one pays 1
        ("FrozenLake8x8-v1", {}, 0.4146),
        ("FrozenLake-v1", {"success_rate": 0.8}, None),
        ("CliffWalking-v1", {}, -(1 - 0.99**13) / 0.01),  # thirteen moves of -1: -12.25
        ("CliffWalking-v1", {"is_slippery": True}, None),
    ],
)
def test_values_are_those_of_value_iteration_over_P(name, options, start):
    env = make(name, **options)
    mdp = MDP.from_gymnasium(env, gamma=0.99)
    answer = t.solve(mdp, tolerance=1e-9)
    truth = values(env.unwrapped.P, 0.99)
    acting = ~np.asarray(mdp.terminal)
    assert answer.v[acting] == pytest.approx(np.array(list(truth.values()))[acting], abs=1e-8)
    if start is not None:
        assert float(mdp.start @ answer.v) == pytest.approx(start, abs=1e-4)


def test_the_mean_over_the_starts_of_the_taxi():
    env = taxi()
    mdp = MDP.from_gymnasium(env, gamma=0.99)
    answer = t.solve(mdp, tolerance=1e-9)
    truth = values(env.unwrapped.P, 0.99)
    mean = sum(p * truth[s] for s, p in enumerate(env.unwrapped.initial_state_distrib))
    assert float(mdp.start @ answer.v) == pytest.approx(mean, abs=1e-8)
    assert round(mean, 2) == 6.33  # 835 where done is ignored
    assert answer.v[:500] == pytest.approx([truth[s] for s in range(500)], abs=1e-8)


def test_ice_without_slipping_is_exact():
    mdp = MDP.from_gymnasium(make("FrozenLake-v1", is_slippery=False), gamma="99/100")
    assert str(t.solve(mdp, method="rational").exact[0]) == "9509900499/10000000000"


def test_names_and_places_of_the_usual_environments():
    lake = MDP.from_gymnasium(make("FrozenLake-v1"))
    assert list(lake.states)[:5] == ["0,0", "0,1", "0,2", "0,3", "1,0"]
    assert list(lake.actions) == ["left", "down", "right", "up"]
    assert (lake.layout.rows, lake.layout.columns, lake.name) == (4, 4, "FrozenLake-v1")
    holes = [name for name, ends in zip(lake.states, lake.terminal, strict=True) if ends]
    assert holes == ["1,1", "1,3", "2,3", "3,0", "3,3"]
    cliff = MDP.from_gymnasium(make("CliffWalking-v1"))
    assert list(cliff.actions) == ["up", "right", "down", "left"]
    assert (cliff.layout.rows, cliff.layout.columns) == (4, 12)
    cab = MDP.from_gymnasium(taxi())
    there = list(t.load("example:taxi").states)[:500]
    assert list(cab.states)[:500] == there
    assert list(cab.states)[500:] == ["end"]
    assert cab.layout is None


def test_a_taxi_is_the_taxi_that_comes_along():
    cab = t.solve(MDP.from_gymnasium(taxi(), gamma=0.99), tolerance=1e-9)
    ours = t.solve(t.load("example:taxi"), tolerance=1e-9)
    inside = [s for s, name in enumerate(ours.mdp.states) if " taxi to " in name]
    assert cab.v[inside] == pytest.approx(ours.v[inside], abs=1e-8)


def test_a_lake_of_ones_own():
    mdp = MDP.from_gymnasium(make("FrozenLake-v1", desc=["SF", "FG"], is_slippery=False), gamma=1)
    assert (mdp.S, mdp.layout.rows, list(mdp.start)) == (4, 2, [1, 0, 0, 0])


def test_wrappers():
    gymnasium = pytest.importorskip("gymnasium")
    lake = make("FrozenLake-v1")
    wrapped = gymnasium.wrappers.RecordEpisodeStatistics(lake)
    assert MDP.from_gymnasium(wrapped) == MDP.from_gymnasium(lake)
    doubled = gymnasium.wrappers.TransformReward(lake, lambda r: 2 * r)
    with pytest.raises(ModelError, match=r"found the wrapper TransformReward, .*Give env\.unwrapped"):
        MDP.from_gymnasium(doubled)
    assert MDP.from_gymnasium(doubled.unwrapped).r.max() == pytest.approx(1 / 3)


def test_a_wrapper_of_ones_own_is_told_of():
    gymnasium = pytest.importorskip("gymnasium")

    class Shaped(gymnasium.Wrapper):
        def step(self, action):
            s, r, *rest = super().step(action)
            return s, r - 0.01, *rest

    class Named(gymnasium.Wrapper):
        name = "lake"

    class Rows(gymnasium.ObservationWrapper):
        def observation(self, s):
            return s // 4

    lake = make("FrozenLake-v1")
    with pytest.warns(
        UserWarning, match="the wrapper Shaped has a step or reset of its own, .*env.unwrapped"
    ) as said:
        mdp = MDP.from_gymnasium(Shaped(lake))
    assert mdp == MDP.from_gymnasium(lake.unwrapped, name=mdp.name)
    assert len(said) == 1 and "\n" not in str(said[0].message)
    with pytest.warns(UserWarning, match="the wrapper Rows changes observations: .*those of FrozenLakeEnv"):
        MDP.from_gymnasium(Rows(lake))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MDP.from_gymnasium(Named(lake))
        MDP.from_gymnasium(Shaped(lake).unwrapped)
        MDP.from_gymnasium(gymnasium.wrappers.RecordEpisodeStatistics(lake))


def test_a_time_limit_is_a_horizon_where_asked():
    lake = make("FrozenLake-v1", is_slippery=False)
    assert MDP.from_gymnasium(lake).horizon is None
    assert MDP.from_gymnasium(lake, horizon=True).horizon == 100
    assert MDP.from_gymnasium(lake, horizon=5).horizon == 5
    assert t.load("gymnasium:FrozenLake-v1?max_episode_steps=7").horizon == 7
    assert t.load("gymnasium:FrozenLake-v1?max_episode_steps=7", horizon=3).horizon == 3
    with pytest.raises(ModelError, match="horizon=True: found no TimeLimit"):
        MDP.from_gymnasium(lake.unwrapped, horizon=True)


# -- a table


def test_done_belongs_to_the_step():
    mdp = table(FLIP, start=0)
    assert (list(mdp.states), mdp.terminal.tolist(), mdp.K) == (["0", "1"], [False, True], 2)
    assert t.solve(mdp).v[0] == pytest.approx(-2)  # two tosses on average; 1 leads nowhere, whatever P says


def test_a_state_entered_both_ways_has_an_end_beside_it():
    P = {0: {0: [(1, 1, 0, False)], 1: [(1, 1, 5, True)]}, 1: {0: [(1, 0, 1, False)]}}
    mdp = table(P, start=0, gamma="1/2")
    assert list(mdp.states) == ["0", "1", "end"]
    assert mdp.terminal.tolist() == [False, False, True]
    assert t.solve(mdp).v == pytest.approx([5, 3.5, 0])  # 1 + 5/2


def test_a_start_is_entered_alive():
    P = {0: {0: [(1, 0, 3, True)]}, 1: {0: [(1, 0, 0, True)]}}
    assert table(P, start={0: "1/2", 1: "1/2"}).terminal.tolist() == [False, False, True]
    assert table(P, start=1).terminal.tolist() == [True, False]


def test_stopping_where_one_is():
    P = {0: {0: [(1, 0, 5, True)], 1: [(0.5, 0, 0, False), (0.5, 0, 0, True)]}}
    mdp = table(P)
    assert list(mdp.states) == ["0", "end"]
    assert t.solve(mdp).v[0] == pytest.approx(5)


def test_an_end_that_goes_on_for_nothing_is_an_end():
    P = {"a": {"go": [(1, "b", 1, True)]}, "b": {"go": [(1, "b", 0, False)]}}
    assert table(P).terminal.tolist() == [False, True]
    del P["b"]  # and it need not be in P
    assert table(P).terminal.tolist() == [False, True]


def test_what_has_probability_0_does_not_enter():
    P = {0: {0: [(1, 1, 0, False), (0, 1, 0, True)]}, 1: {0: [(1, 2, 0, True)]}}
    assert list(table(P, start=0).states) == ["0", "1", "2"]


def test_duplicates_are_summed_and_thirds_are_rows():
    third = 0.333333333333333333
    P = {0: {0: [(third, 0, 1, False), (third, 0, 4, False), (third, 1, 1, True)]}}
    mdp = table(P, gamma=0.5)
    assert mdp.r[0] == pytest.approx(2)
    assert t.solve(mdp).v[0] == pytest.approx(3)  # v = 2 + 1/2 · 2/3 v


def test_an_empty_list_is_an_unavailable_action():
    P = [[[], [(1, 1, 2, True)]], [[], []]]  # lists count from 0
    mdp = table(P)
    assert (mdp.L, mdp.terminal.tolist(), list(mdp.actions)) == (1, [False, True], ["0", "1"])


def test_names_start_and_numbers_of_an_environment():
    env = plain(
        P={
            np.int64(s): {a: [(np.float64(1), np.int64(1), np.float64(s), np.bool_(True))] for a in (0, 1)}
            for s in (0, 1)
        },
        initial_state_distrib=np.array([1.0, 0.0]),
        shape=(1, 2),
    )
    mdp = MDP.from_gymnasium(env, states=["west", "east"], actions=["stay", "go"], name="two", gamma="9/10")
    assert (list(mdp.states), list(mdp.actions), mdp.name) == (["west", "east"], ["stay", "go"], "two")
    assert (mdp.layout.columns, mdp.start.tolist(), mdp.exact is not None) == (2, [1, 0], True)
    assert MDP.from_gymnasium(env, start="1").start.tolist()[:2] == [0, 1]
    assert MDP.from_gymnasium(env, start=[0.5, 0.5]).start.tolist()[:2] == [0.5, 0.5]
    with pytest.raises(OptionError, match="states: found 1 names, expected 2"):
        MDP.from_gymnasium(env, states=["west"])
    with pytest.raises(OptionError, match="actions: found 'go', expected a list of names"):
        MDP.from_gymnasium(env, actions="go")
    with pytest.raises(ModelError, match="start: found no state 'wst'"):
        MDP.from_gymnasium(env, start="wst")


@pytest.mark.parametrize(
    ("P", "message"),
    [
        (None, "found no P, expected an environment with its transitions"),
        (np.zeros((2, 2, 2)), r"P: found .*Arrays go to MDP\(P, R, gamma\)"),
        ("text", "P: found 'text', expected {state"),
        ({}, "no states"),
        ({0: 3}, "state '0': the actions: found 3"),
        ({0: {1: 3}}, "state '0', action '1': found 3, expected a list of outcomes"),
        ({0: {1: [(1, 0, 0)]}}, "state '0', action '1': outcome 0: found 3 entries, expected 4"),
        ({0: {1: [(1, 0, 0, "no")]}}, "found done 'no', expected true or false"),
        ({0: {1: [(1, [0], 0, True)]}}, "found a list as the next state"),
        ({0: {1: [(1, 7, 0, False)]}}, "state '7': found no actions for it"),
        ({0: {1: [(0.4, 0, 0, False), (0.5, 1, 0, True)]}}, "probabilities sum to 0.9"),
        ({0: {1: [(1, 0, None, False)]}}, "expected a number"),
        ({0: {1: [(float("nan"), 0, 0, False)]}}, "expected a number from 0 to 1"),
    ],
)
def test_what_is_no_table_is_refused(P, message):
    with pytest.raises(ModelError, match=message) as caught:
        MDP.from_gymnasium(plain(P=P))
    assert "\n" not in str(caught.value)


def test_a_dictionary_is_no_environment():
    with pytest.raises(
        ModelError, match=r"found a dictionary, expected an environment\. MDP\.from_dictionary takes"
    ):
        MDP.from_gymnasium(FLIP)


def test_what_is_no_environment_is_said_to_be_none():
    for given, what in ((None, "None"), (5, "5"), (object(), "an object")):
        for options in ({}, {"sample": 9}):
            with pytest.raises(ModelError, match=f"^found {what}, expected an environment, or its ID"):
                MDP.from_gymnasium(given, **options)


def test_a_vector_of_environments_is_told_to_give_one():
    gymnasium = pytest.importorskip("gymnasium")
    lakes = gymnasium.make_vec("FrozenLake-v1", num_envs=2, vectorization_mode="sync")
    for options in ({}, {"sample": 9}):
        with pytest.raises(
            ModelError, match=r"a vector of 2 environments, .*: give one .*, as env\.envs\[0\]$"
        ):
            MDP.from_gymnasium(lakes, **options)
    assert MDP.from_gymnasium(lakes.envs[0]).S == 16


def test_gamma_is_taken_by_position():
    assert MDP.from_gymnasium(plain(P=FLIP), 0.9) == table(FLIP, gamma=0.9)


@pytest.mark.parametrize(
    "call",
    [
        t.solve,
        lambda given: t.evaluate(given, "uniform"),
        lambda given: t.value_iteration(given),
        lambda given: MDP(given, gamma=0.99),
        lambda given: MDP(given, 0.99),
        lambda given: MDP(P=given),
    ],
)
def test_the_maker_of_a_model_is_named(call):
    env = plain(P=FLIP, action_space=None, step=None, reset=None)
    for given, maker in ((env, r"MDP\.from_gymnasium\(env\)"), (FLIP, r"MDP\.from_dictionary\(P, gamma\)")):
        with pytest.raises(OptionError, match=maker) as caught:
            call(given)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gym:FrozenLake-v1", "FrozenLake-v1"),
        ("FrozenLake-v1", "FrozenLake-v1"),
        ("Gymnasium:Taxi-v4?is_rainy=yes", "Taxi-v4?is_rainy=yes"),
        ("ALE/Pong-v5", "ALE/Pong-v5"),
    ],
)
def test_an_ID_in_the_place_of_a_file_is_known(name, meant):
    with pytest.raises(ModelError) as caught:
        t.load(name)
    assert str(caught.value) == f"{name}: no such file; did you mean 'gymnasium:{meant}'?"
    for other in ("lake-v1.toml", "a/b/lake-v1", "gym:FrozenLake"):
        with pytest.raises(ModelError, match=r"no such file(?!.*gymnasium:)"):
            t.load(other)


def test_an_order_of_numbers():
    mdp = table({1: {1: [(1, 0, 2, True)], 0: [(1, 1, 1, True)]}, 0: {1: [(1, 1, 0, False)]}}, start=0)
    assert (list(mdp.states), list(mdp.actions)) == (["0", "1", "end"], ["0", "1"])


def test_a_start_that_does_not_fit():
    with pytest.raises(ModelError, match="initial_state_distrib: found 3 numbers, expected 2"):
        MDP.from_gymnasium(plain(P=FLIP, initial_state_distrib=[1, 0, 0]))


WRONG = [
    None,
    -1,
    0,
    2,
    0.3,
    float("nan"),
    float("inf"),
    "x",
    "",
    [],
    {},
    (),
    True,
    1 << 70,
    b"x",
    object(),
    1e400j,
]


def damaged(P, dice):
    """A copy of a table with one thing in it replaced."""
    P = {s: {a: [list(step) for step in steps] for a, steps in actions.items()} for s, actions in P.items()}
    s = dice.choice(list(P))
    a = dice.choice(list(P[s]))
    wrong = dice.choice(WRONG)
    depth = dice.randrange(5)
    if depth == 0:
        P[s] = wrong
    elif depth == 1:
        P[s][a] = wrong
    elif depth == 2:
        P[s][a][dice.randrange(len(P[s][a]))] = wrong
    else:
        P[s][a][dice.randrange(len(P[s][a]))][dice.randrange(4)] = wrong
    return P


@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_damage_is_one_of_our_errors(count):
    dice = random.Random(count)
    P = {s: {a: [(0.5, (s + a) % 4, s, False), (0.5, 3, 1, True)] for a in (0, 1)} for s in range(4)}
    refused = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(count):
            try:
                table(damaged(P, dice), gamma=0.9)
            except TabularError as error:
                refused.append(str(error))
    assert not [text for text in refused if "\n" in text]
    assert len(refused) > count / 2


# -- by its ID


def test_arguments_of_an_ID():
    ID, texts = texts_of("A-v0?x=1&y=2.5&z=abc&n=none&b=TRUE&s=a%26b&l=[1,2]&h=1/2&e=1/0&w=no")
    assert (ID, values_of(texts, {})) == (
        "A-v0",
        {
            "x": 1, "y": 2.5, "z": "abc", "n": None, "b": True, "s": "a&b", "l": [1, 2], "h": 0.5, "e": "1/0",
            "w": "no",
        },
    )  # fmt: skip
    for text in ("A-v0?x", "A-v0?x y=1", "A-v0?x=1&x=2"):
        with pytest.raises(ModelError):
            texts_of(text)


def make_like(
    flag=True,
    rate=0.5,
    count=3,
    name="4x4",
    prizes=(1, 0),
    rows=None,
    noted: bool | None = None,
    limit: int | None = None,
):
    """What a constructor may take: only its signature is looked at."""


def read(text):
    return values_of(texts_of("A-v0?" + text)[1], inspect.signature(make_like).parameters)


@pytest.mark.parametrize(
    ("word", "value"),
    [(word, True) for word in ("true", "TRUE", "yes", "Yes", "on", "1", '"true"')]
    + [(word, False) for word in ("false", "FALSE", "False", "no", "off", "OFF", "0")],
)
def test_a_default_that_is_true_or_false_makes_words_so(word, value):
    assert read(f"flag={word}&noted={word}") == {"flag": value, "noted": value}
    assert read(f"name={word}") == {"name": word.replace('"', "") if word[0] == '"' else word}


@pytest.mark.parametrize("word", ["f", "maybe", "2", "", "none", "[true]", "falsee", "1.0", "-1"])
def test_no_text_is_silently_true(word):
    with pytest.raises(
        ModelError, match=r"^flag: found .*, expected true or false \(or yes, no, on, off, 1, 0\)$"
    ):
        read(f"flag={word}")


def test_numbers_and_lists_are_those_of_the_defaults():
    assert read("rate=1/4&count=1e2&limit=1e1") == {"rate": 0.25, "count": 100, "limit": 10}
    assert [type(x) for x in read("rate=2.0&count=1e2&limit=1e1").values()] == [float, int, int]
    assert read("limit=none&noted=none") == {"limit": None, "noted": None}
    assert read("prizes=1,1/2") == {"prizes": (1, 0.5)} and read("prizes=[2,0]") == {"prizes": (2, 0)}
    assert read("name=8&rows=a,b") == {"name": "8", "rows": "a,b"}  # nothing says that `rows` is a list


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rate=abc", "^rate: found 'abc', expected a number$"),
        ("rate=true", "^rate: found 'true', expected a number$"),
        ("rate=1/0", "^rate: found '1/0', expected a number$"),
        ("rate=NaN", "^rate: found 'NaN', expected a number$"),
        ("limit=2.5", "^limit: found '2.5', expected a whole number$"),
        ("prizes=1,a", "^prizes: found 'a', expected a number$"),
        ("prizes=1", "^prizes: found 1, expected 2 numbers$"),
        ("rows=no", "^rows: found 'no', expected false, or '\"no\"' for the text$"),
    ],
)
def test_what_does_not_fit_a_default_is_refused(text, message):
    with pytest.raises(ModelError, match=message):
        read(text)


def test_a_map_of_ones_own_by_its_rows():
    """The way along the edge of a lake of 3 by 3 has 4 steps, and only the last one pays: 0.9³."""
    pytest.importorskip("gymnasium")
    lake = "gymnasium:FrozenLake-v1?desc=SFF,FHF,FFG&is_slippery="
    for word in ("no", "FALSE"):
        mdp = t.load(lake + word, gamma=0.9)
        assert mdp.start @ t.solve(mdp).v == pytest.approx(0.9**3)
    assert mdp == t.load('gymnasium:FrozenLake-v1?desc=["SFF","FHF","FFG"]&is_slippery=off', gamma=0.9)
    assert t.load("gymnasium:FrozenLake-v1?success_rate=1/2") == MDP.from_gymnasium(
        make("FrozenLake-v1", success_rate=0.5)
    )


def test_an_ID_is_a_model(tmp_path):
    name = "gymnasium:FrozenLake-v1?is_slippery=false"
    lake = make("FrozenLake-v1", is_slippery=False)
    mdp = t.load(name)
    assert mdp == MDP.from_gymnasium(lake) == MDP.from_gymnasium("FrozenLake-v1?is_slippery=false")
    assert (mdp.origin, t.load(name, gamma=0.5).gamma, t.load(name, sense="min").sense) == (name, 0.5, "min")
    for suffix in (".toml", ".csv", ".npz"):
        t.save(mdp, tmp_path / f"lake{suffix}")
        assert t.load(tmp_path / f"lake{suffix}") == mdp
    for wrong in ({"format": "csv"}, {"terminal": ["0,0"]}):
        with pytest.raises(OptionError):
            t.load(name, **wrong)


@pytest.mark.parametrize(
    ("ID", "message"),
    [
        ("Blackjack-v1", "BlackjackEnv: found no P, .* estimate"),
        ("Frozenlake-v1", "Did you mean: `FrozenLake`"),
        ("FrozenLake-v9", "It provides versioned environments: .*v1"),
        ("FrozenLake-v1?slippery=true", "has no argument 'slippery'.*is_slippery"),
        ("FrozenLake-v1?map_name=9x9", "could not be made with map_name='9x9': KeyError"),
        ("FrozenLake-v1?map_name", "expected argument=value"),
        ("FrozenLake-v1?is_slippery=maybe", "is_slippery: found 'maybe', expected true or false"),
        ("FrozenLake-v1?success_rate=abc", "success_rate: found 'abc', expected a number"),
        ("FrozenLake-v1?max_episode_steps=abc", "max_episode_steps: found 'abc', expected a number"),
        ("FrozenLake-v1?desc=SF,FFG", "desc: found rows of 2 to 3 characters, .* as in desc=SFF,FHF,FFG"),
        ("FrozenLake-v1?desc=[1,2]", "desc: found 1, expected rows of one length"),
        ("FrozenLake-v1?desc=3", "desc: found rows of 1 character"),
        ("Blackjack-v1?sab=f", "sab: found 'f', expected true or false"),
        (
            "CartPole-v1",
            r"CartPoleEnv: found no P, .* Nor can .*: observation_space: found Box\((?!.*sample=|.*  )",
        ),
        ("no_such_module:Lake-v0", "no_such_module"),
        ("", "found no ID"),
    ],
)
def test_an_ID_that_cannot_be_made_is_one_line(ID, message):
    pytest.importorskip("gymnasium")
    with pytest.raises(ModelError, match=message) as caught:
        t.load(f"gymnasium:{ID}")
    assert str(caught.value).startswith(f"gymnasium:{ID}".rstrip(":") + ": ")
    assert "\n" not in str(caught.value)


def test_without_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    result = inside(capsys, "check", "gymnasium:FrozenLake-v1")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "pip install 'tabular-rl[gymnasium]'" in result.err
    with pytest.raises(MissingExtra):
        MDP.from_gymnasium("FrozenLake-v1")
    assert table(FLIP).S == 2  # a table needs nothing


def test_on_the_command_line(tmp_path, capsys):
    pytest.importorskip("gymnasium")
    path = str(tmp_path / "model.toml")
    name = "gymnasium:CliffWalking-v1"
    assert inside(capsys, "convert", name, path).code == 0
    for model in (name, path):
        answer = inside(capsys, "solve", model, "--gamma", "0.99")
        assert answer.code == 0
        assert "start: 3,0; value -12.247898" in answer.out
    assert inside(capsys, "check", name).code == inside(capsys, "show", name).code == 0
