"""The columns of a log: what they may be called, what is not in them, and what a source of arrays holds.

Expected transitions are written by hand.
"""

from __future__ import annotations

import itertools
import random
import warnings
from fractions import Fraction

import numpy as np
import pytest
from damage import damage

from tabular_rl import MDP, ModelError, OptionError, read_log
from tabular_rl.formats.log_roles import ROLES, LogAsked, asked_columns, roles_of

STEPS = [("a", "go", 1.0, "b", False), ("b", "run", 2.0, "c", True)]
NAMES = ("state", "action", "reward", "next_state", "done")


def told(log):
    """The transitions of a Log, by name."""
    columns = log.s, log.a, log.reward.tolist(), log.s2, log.done.tolist()
    return [
        (log.states[s], log.actions[a], r, log.states[s2], d) for s, a, r, s2, d in zip(*columns, strict=True)
    ]


def columns(*names, steps=STEPS):
    return dict(zip(names, map(list, zip(*steps, strict=True)), strict=True))


def quietly(given, *args, **options):
    """A log that there is nothing to be said of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_log(given, *args, **options)


def said(given, *args, **options):
    """A log, and what is said of it."""
    with pytest.warns(UserWarning, match="^dict: ") as caught:
        log = read_log(given, *args, **options)
    assert len(caught) == 1
    return log, str(caught[0].message).removeprefix("dict: ")


def refused(given, *args, **options):
    with pytest.raises(ModelError) as caught:
        read_log(given, *args, **options)
    return str(caught.value)


# -- names -------------------------------------------------------------------------------------------------------------


def test_no_name_is_that_of_two_roles():
    names = list(itertools.chain(*ROLES.values()))
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "names",
    [
        ("s", "a", "r", "s2", "done"),
        ("obs", "action", "reward", "next_obs", "terminated"),
        ("Observation", "ACT", "rew", "Next State", "is-terminal"),
        ("observations", "actions", "rewards", "next_observations", "terminals"),
    ],
)
def test_usual_names(names):
    assert told(quietly(columns(*names))) == STEPS


@pytest.mark.parametrize(
    "asked", [{"state": "x", "action": "Dose"}, "state=x,action=dose", ["state=x", "action=dose"]]
)
def test_columns_that_are_named(asked):
    assert told(quietly(columns("x", "dose", "reward", "next_state", "done"), columns=asked)) == STEPS


def test_a_column_that_is_named_leaves_others_that_could_be_it():
    given = columns("state", "action", "reward", "next_state", "terminated") | {"done": [True, True]}
    assert refused(given) == (
        "dict: found the columns 'terminated' and 'done', each of which could be done: say "
        'columns="done=terminated" or columns="done=done"'
    )
    log, what = said(given, columns={"done": "terminated"})
    assert told(log) == STEPS
    assert what == "not used: column 'done'"


@pytest.mark.parametrize(
    ("asked", "error", "what"),
    [
        ({"stat": "x"}, OptionError, "columns: found 'stat'; did you mean 'state'?"),
        ("state", OptionError, "columns: found 'state', expected ROLE=NAME such as state=patient_state"),
        ({"state": "x", "next_state": "x"}, OptionError, "columns: found 'x' twice, expected it once"),
        (
            {"state": "stata"},
            ModelError,
            "dict: columns: state: found no column 'stata'; did you mean 'state'?",
        ),
    ],
)
def test_columns_that_cannot_be_named(asked, error, what):
    with pytest.raises(error) as caught:
        read_log(columns(*NAMES), columns=asked)
    assert str(caught.value) == what


def test_keys_of_columns_may_be_words_of_others():
    asked = asked_columns({"terminated": "x", "trajectory": "y", "obs": "z"})
    assert asked == {"done": "x", "episode": "y", "state": "z"}


def test_columns_that_are_not_used_are_named(tmp_path):
    given = columns(*NAMES) | {f"x{i}": [0, 0] for i in range(8)}
    assert said(given)[1] == "not used: columns 'x0', 'x1', 'x2', 'x3', 'x4', 'x5' and 2 more"
    np.savez(tmp_path / "log.npz", **{name: np.array(column) for name, column in given.items()})
    with pytest.warns(UserWarning, match=r"log\.npz: not used: columns 'x0', "):
        assert told(read_log(tmp_path / "log.npz")) == STEPS
    (tmp_path / "log.csv").write_text(
        ",state,action,reward,next_state,done,why\n0,a,go,1,b,0,x\n1,b,run,2,c,1,\n"
    )
    with pytest.warns(
        UserWarning, match=r"log\.csv: not used: column 'why'$"
    ):  # the number of the line has no name
        assert told(read_log(tmp_path / "log.csv")) == STEPS


def test_the_end_is_what_a_model_says():
    mdp = MDP.from_outcomes([("a", "go", "b", 1, 1), ("b", "run", "c", 1, 2)], "1/2", terminal=["c"])
    given = columns(*NAMES)
    del given["done"]
    assert quietly(given, mdp).done.tolist() == [False, True]
    assert refused(given).startswith(
        "dict: found no column 'done', expected it, under a usual name (done, dones"
    )


# -- ends, cuts and next states ----------------------------------------------------------------------------------------


def episodes(**more):
    """Two episodes: a b c, cut off in c, and a b, which ends."""
    given = {"obs": list("abcab"), "act": ["go"] * 5, "rew": [1, 2, 3, 4, 5], "terminated": [0, 0, 0, 0, 1]}
    return given | more


CUT = {"truncated": [0, 0, 1, 0, 0]}
TWO = {"traj": [7, 7, 7, 8, 8]}
FILLED = [("a", "go", 1.0, "b", False), ("b", "go", 2.0, "c", False), ("a", "go", 4.0, "b", False),
          ("b", "go", 5.0, "end", True)]  # fmt: skip
WHAT = (
    "next states are those of the next line of the episode; 1 line is dropped, the last of episodes cut off"
)


@pytest.mark.parametrize("more", [CUT, TWO, CUT | TWO])
def test_next_states_are_those_of_the_next_line(more):
    log, what = said(episodes(**more))
    assert told(log) == FILLED
    assert log.begins.tolist() == [True, False, True, False]
    assert what == WHAT


def test_without_next_states_something_says_where_episodes_are_cut():
    assert refused(episodes()).startswith(
        "dict: found no column 'next_state', and none that says where episodes are cut off, expected the first, or"
    )
    assert "found no transition" in refused(episodes(traj=[1, 2, 3, 4, 5], terminated=[0] * 5))


def test_rewards_and_propensities_of_what_is_left(tmp_path):
    text = "episode,s,a,r,done,prob\n1,a,x,1/3,0,1/2\n1,b,y,2,0,1/4\n2,a,x,1/7,1,1/5\n"
    (tmp_path / "log.csv").write_text(text)
    with pytest.warns(UserWarning, match="1 line is dropped"):
        log = read_log(tmp_path / "log.csv")
    assert [log.spelled[i] for i in log.code] == [Fraction(1, 3), Fraction(1, 7)]
    assert log.propensity.tolist() == [0.5, 0.2]


def test_a_state_called_end_gets_no_company():
    given = {"s": ["end", "a"], "a": [0, 0], "r": [0, 0], "done": [0, 1], "episode": [1, 1]}
    assert [step[3] for step in told(said(given)[0])] == ["a", "end 2"]


def test_the_end_of_a_model_that_a_pair_leads_to():
    rows = [
        ("a", "go", "b", 1, 0),
        ("b", "go", "won", "1/2", 0),
        ("b", "go", "a", "1/2", 0),
        ("b", "no", "lost", 1, 0),
    ]
    given = {"s": ["a", "b"], "a": ["go", "go"], "r": [0, 0], "done": [0, 1], "episode": [1, 1]}
    mdp = MDP.from_outcomes(rows, "1/2", terminal=["won", "lost"])
    assert [mdp.states[s] for s in said(given, mdp)[0].next_state] == ["b", "won"]
    both = MDP.from_outcomes([*rows[:2], ("b", "go", "lost", "1/2", 0)], "1/2", terminal=["won", "lost"])
    assert refused(given, both) == (
        "dict: state 'b', action 'go': an episode ended there, and the log does not say which of 'won', 'lost' it "
        "ended in. Add next_state."
    )


def test_truncated_is_a_cut_and_no_end():
    given = columns("s", "a", "r", "s2", "terminated") | {"truncated": [1, 1]}
    log = quietly(given)
    assert log.done.tolist() == [False, True]  # terminated and truncated: it ended
    assert log.begins.tolist() == [True, True]
    given["done"] = given.pop("terminated")
    assert quietly(given).done.tolist() == [False, True]
    given["done"] = [1, 1]  # done wherever truncated: done means that one of the two holds, as in older logs
    log, what = said(given)
    assert log.done.tolist() == [False, False]
    assert what == "'done' holds wherever an episode was truncated: no end there"


# -- the order of lines ------------------------------------------------------------------------------------------------


def test_episodes_that_alternate_are_put_in_order():
    given = {"obs": list("ababcc"), "act": list("xyxyxy"), "rew": range(6), "ep": [1, 2, 2, 1, 1, 2],
             "t": [0, 1, 0, 1, 2, 2], "terminated": [0, 0, 0, 0, 1, 1]}  # fmt: skip
    log, what = said(given)
    assert told(log) == [
        ("a", "x", 0.0, "b", False), ("b", "y", 3.0, "c", False), ("c", "x", 4.0, "end", True),
        ("a", "x", 2.0, "b", False), ("b", "y", 1.0, "c", False), ("c", "y", 5.0, "end", True),
    ]  # fmt: skip
    assert what.startswith("lines are put in the order of their episodes and steps; next states")


def test_numbers_of_episodes_that_are_used_again():
    given = columns(*NAMES, steps=[("a", "go", 0, "a", 0)] * 6)
    log = quietly(given | {"episode": [1, 1, 2, 1, 1, 1], "step": [0, 1, 0, 0, 1, 2]})
    assert log.begins.tolist() == [True, False, True, True, False, False]
    assert refused(given | {"episode": [1, 1, 2, 1, 1, 1], "step": [0, 1, 0, 0, 1, 1]}) == (
        "dict: state 'a', action 'go': step: found '1' after '1', expected steps of an episode to rise (transition 6)"
    )


def test_steps_that_fall_begin_an_episode():
    given = columns(*NAMES, steps=[("a", "go", 0, "a", 0)] * 4)
    assert quietly(given | {"step": [3, 4, 0, 1]}).begins.tolist() == [True, False, True, False]
    days = ["2024-01-30", "2024-02-01", "2024-01-02", "2024-01-03"]
    assert quietly(given | {"time": days}).begins.tolist() == [True, False, True, False]
    assert "time')" in refused(given | {"time": ["soon", *days[1:]]})
    assert quietly(given | {"t": np.array(days, "datetime64[D]")}).begins.tolist() == [
        True,
        False,
        True,
        False,
    ]


# -- arrays ------------------------------------------------------------------------------------------------------------


def test_arrays_as_d4rl_has_them():
    """Whole numbers are indices of a model, and the names of states without one."""
    given = {
        "observations": np.array([[0], [1], [0], [1]]), "actions": np.zeros(4, np.int32),
        "rewards": np.float32([0.5, 0, 0, 1]), "terminals": np.array([False, False, False, True]),
        "timeouts": np.array([False, True, False, False]),
    }  # fmt: skip
    assert told(said(given)[0]) == [
        ("0", "0", 0.5, "1", False),
        ("0", "0", 0.0, "1", False),
        ("1", "0", 1.0, "end", True),
    ]
    mdp = MDP.from_outcomes([("a", "go", "b", 1, 0), ("b", "go", "c", 1, 1)], "1/2", terminal="c")
    log = said(given, mdp)[0]
    assert log.next_state.tolist() == [1, 1, 2]
    assert log.next_row.tolist() == [-1, 1, -1]


class Minari:
    """As much of a data set of Minari as is looked at: one observation more than actions."""

    def iterate_episodes(self):
        for end in (True, False):
            flags = np.array([False, end]), np.array([False, not end])
            found = [np.array([0, 1, 2]), np.array([0, 1]), np.array([0.0, 1.0]), *flags]
            names = ("observations", "actions", "rewards", "terminations", "truncations")
            yield type("Episode", (), dict(zip(names, found, strict=True)))


def test_a_data_set_of_minari():
    log = quietly(Minari())
    assert told(log) == [("0", "0", 0.0, "1", False), ("1", "1", 1.0, "2", True), ("0", "0", 0.0, "1", False),
                         ("1", "1", 1.0, "2", False)]  # fmt: skip
    assert log.begins.tolist() == [True, False, True, False]


def test_one_episode_with_one_observation_more():
    given = {"observations": [0, 1, 2], "actions": [5, 6], "rewards": [0, 1], "terminations": [0, 1]}
    assert told(quietly(given)) == [("0", "5", 0.0, "1", False), ("1", "6", 1.0, "2", True)]


def test_numbers_that_can_only_be_indices(tmp_path):
    mdp = MDP.from_outcomes([("a", "go", "b", 1, 0), ("b", "go", "a", 1, 1)], "1/2")
    path = tmp_path / "log.csv"
    path.write_text("s,a,r,s2,done\n0,0,1,1,0\n")
    with pytest.warns(
        UserWarning, match="numbers of s are indices of the model; numbers of s2 are"
    ) as caught:
        log = read_log(path, mdp)
    assert (len(caught), log.row.tolist(), log.next_state.tolist()) == (1, [0], [1])
    path.write_text("s,a,r,s2,done\n0,0,1,2,0\n")
    with pytest.raises(ModelError, match=r"log\.csv:2: state '0', action '0', next state '2': no such state"):
        read_log(path, mdp)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"obs": np.zeros((2, 3))}, "column 'obs': found shape (2, 3), expected one number or name an entry"),
        ({"obs": [0.5, 1]}, "state (column 'obs'): found 0.5, expected whole numbers or names"),
        ({"obs": [None, "b"]}, "state (column 'obs'): found an empty cell, expected a name (transition 1)"),
        ({"obs": [{}, 1]}, "column 'obs': found an entry of type dict, expected numbers or texts"),
        ({"act": [1]}, "column 'act': found 1 entries, expected 2"),
        ({"act": [1, 2j]}, "column 'act': found dtype complex128, expected numbers or texts"),
        (
            {"rew": [1, np.nan]},
            "found reward (column 'rew') nan, expected a finite number up to 1e+300 (transition 2)",
        ),
        (
            {"rew": [1, "x"]},
            "found reward (column 'rew') 'x', expected a number such as 1, 0.5 or 2/3 (transition 2)",
        ),
        (
            {"terminated": [0, 2]},
            "done (column 'terminated'): found 2, expected 0, 1, false or true (transition 2)",
        ),
        ({"truncated": ["no", 0]}, "truncated: found 'no', expected 0, 1, false or true (transition 1)"),
        (
            {"prob": [0.5, 0]},
            "propensity (column 'prob'): found 0, expected a probability above 0, at most 1",
        ),
        ({"obs": [], "act": [], "rew": [], "next_obs": [], "terminated": []}, "found no transitions"),
    ],
)
def test_faults_of_arrays(change, what):
    given = columns("obs", "act", "rew", "next_obs", "terminated") | change
    assert what in refused(given)


def test_roles_need_no_model_for_the_end():
    assert roles_of(list("sa") + ["r", "s2"], LogAsked(mdp=object())).at == {  # type: ignore[arg-type]
        "state": 0, "action": 1, "reward": 2, "next_state": 3,
    }  # fmt: skip


# -- inputs that are damaged by chance ---------------------------------------------------------------------------------

TEXT = (
    "ep,t,obs,act,rew,terminated,truncated,pscore,note\n1,0,a,x,1/3,0,0,0.5,\n1,1,b,y,-2e1,0,0,1,why\n"
    '1,2,"c",x,0,1,0,0.25,\n2,0,a,y,1,0,0,1/3,\n2,1,b,x,1,0,1,0.5,\n'
)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("times", [200, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_damaged_logs_are_read_or_refused(suffix, times, tmp_path):
    path, rng = tmp_path / f"log{suffix}", random.Random(f"columns {times}")
    whole = TEXT.encode()
    if suffix == ".npz":
        np.savez(path, **episodes(**CUT, ep=np.array(list("xxxyy")), prob=[0.5] * 5))
        whole = path.read_bytes()
    for _ in range(times):
        path.write_bytes(damage(whole, rng))
        lines = _fault(path).splitlines()
        assert all(line.isprintable() and len(line) < len(str(path)) + 500 for line in lines), lines
        assert all(line.startswith((str(path), "... and ")) for line in lines), lines


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("times", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_arrays_of_anything_are_read_or_refused(times):
    rng = random.Random(f"arrays {times}")
    things = [
        0,
        1,
        -1,
        2.5,
        float("nan"),
        float("inf"),
        None,
        "",
        "a",
        "1/3",
        True,
        10**30,
        [],
        {},
        b"x",
        1j,
        "\ud800",
    ]
    names = ["obs", "act", "rew", "next_obs", "done", "truncated", "t", "ep", "prob", "x"]
    for _ in range(times):
        length = rng.randint(0, 4)
        given = {
            name: [rng.choice(things[: rng.choice([2, 2, 3, len(things)])]) for _ in range(length)]
            for name in rng.sample(names, rng.randint(4, len(names)))
        }
        if rng.random() < 0.5:
            given = {name: np.array(column, dtype=object) for name, column in given.items()}
        assert all(line.isprintable() for line in _fault(given).splitlines())


def _fault(given):
    """What is wrong, or nothing; anything else than our errors passes through."""
    try:
        assert len(told(read_log(given))) > 0
    except ModelError as error:
        return str(error)
    return ""
