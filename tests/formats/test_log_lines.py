"""Lines of an episode that do not connect, and lists of transitions. Expected messages are written by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tabular_rl import MDP, ModelError, OptionError, Transitions, estimate, ope, q_learning, read_log, td0

pytestmark = pytest.mark.small
HEAD = "episode,state,action,reward,next_state,done\n"
CUT = HEAD + "1,s,L,0,t,0\n1,t,L,0,x,1\n2,s,R,2,u,0\n2,v,L,4,x,1\n"
WAY_OUT = "expected the same. Give what does not belong together another number of an episode, or leave that column out"
CALLS = [("new", "call", -1, "warm"), ("warm", "call", "19/2", "sold", True), ("new", "call", -1, "lost", 1)]


@pytest.fixture
def logged(tmp_path):
    def write(text, name="log.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def model():
    rows = [(s, a, s2, 1, 0) for s in "stuv" for a in "LR" for s2 in "x"]
    return MDP.from_outcomes(rows, 1, terminal=["x"])


def test_lines_of_an_episode_that_do_not_connect_are_an_error_with_the_line(logged, model):
    path = logged(CUT)
    for given in (None, model):
        with pytest.raises(ModelError) as caught:
            read_log(path, given)
        expected = f"{path}:5: episode 2: the state is 'v', the line before led to 'u', {WAY_OUT}"
        assert str(caught.value) == expected


def test_each_place_where_an_episode_does_not_connect_is_told(logged):
    path = logged(HEAD + "7,a,go,0,b,0\n7,a,go,0,b,0\n7,a,go,0,b,0\n")
    with pytest.raises(ModelError) as caught:
        read_log(path)
    assert [fault.line for fault in caught.value.faults] == [3, 4]


@pytest.mark.parametrize(
    "text",
    [
        CUT.replace("2,v,L", "3,v,L"),  # another episode
        CUT.replace("2,u,0", "2,u,1"),  # the end of the one before
        "\n".join(line.partition(",")[2] for line in CUT.splitlines()),  # no episodes
    ],
)
def test_what_need_not_connect(logged, text):
    assert len(read_log(logged(text))) == 4


def test_what_was_cut_off_need_not_connect(logged):
    text = CUT.replace("done\n", "done,truncated\n").replace("0\n", "0,0\n").replace("1\n", "1,0\n")
    assert len(read_log(logged(text.replace("u,0,0", "u,0,1")))) == 4
    with pytest.raises(ModelError, match="the line before led to 'u'"):
        read_log(logged(text))


def test_lines_are_put_in_order_before_they_must_connect():
    log = {
        "episode": [1, 1, 2], "step": [2, 1, 1], "state": ["b", "a", "a"], "action": ["go", "go", "go"],
        "reward": [0, 0, 0], "next_state": ["c", "b", "b"], "done": [1, 0, 0],
    }  # fmt: skip
    with pytest.warns(UserWarning, match="put in the order"):
        read_log(log)
    log["state"][0] = "d"
    with pytest.raises(ModelError, match=r"^dict: episode 1: the state is 'd', .* \(transition 1\)$"):
        read_log(log)


def test_a_list_of_transitions_is_a_log():
    log = read_log(CALLS)
    assert (list(log.states), list(log.actions)) == (["lost", "new", "sold", "warm"], ["call"])
    assert (log.s.tolist(), log.s2.tolist(), log.done.tolist()) == ([1, 3, 1], [3, 2, 0], [False, True, True])
    assert [log.spelled[i] for i in log.code] == [-1, Fraction(19, 2), -1]


def test_a_list_of_transitions_of_a_model():
    model = MDP.from_outcomes([("s", "L", "x", 1, 0), ("s", "R", "x", 1, 0)], 1, terminal=["x"])
    for given in ([("s", "R", 1, "x")], [(0, 1, 1, 1)], iter([("s", "R", 1, "x")])):
        found = read_log(given, model)
        assert (found.row.tolist(), found.done.tolist()) == ([1], [True])


def test_a_list_of_transitions_is_estimated_and_evaluated():
    found = estimate(CALLS, "9/10")
    assert found.mdp.rational(0) == ([(0, Fraction(1, 2)), (3, Fraction(1, 2))], -1)
    assert ope(CALLS, "action:call", behavior="log", gamma=1, resamples=0)["direct"].value == 3.75


def test_whole_numbers_in_a_list_are_names():
    assert list(read_log([(10, 0, 1, 9), (9, 0, 1, 10)]).states) == ["9", "10"]


@pytest.mark.parametrize(
    ("given", "error", "expected"),
    [
        ([3], OptionError, "transition 1: found '3', expected (state, action, reward, next state)"),
        (["abcd"], OptionError, "transition 1: found 'abcd', expected (state, action, reward, next state)"),
        ([("a", "b", 1, "c", 0, 1)], OptionError, "transition 1: found .*, expected"),
        ([], (ModelError, OptionError), "found no.*, expected at least one"),
        ([("a", "b", "much", "c")], ModelError, "found reward 'much'"),
        ([((0, 1), 1, 0, (0, 2))], ModelError, "column 'state': found shape"),
    ],
)
def test_a_list_that_is_no_log(given, error, expected):
    with pytest.raises(error, match=expected.replace("(s", r"\(s").replace("e)", r"e\)")):
        read_log(given)
    with pytest.raises(OptionError, match="columns: found with a list of transitions"):
        read_log(given, columns={"state": "s"})


class Indexed:
    """A frame as pandas has them: a named index, which is no column until it is asked for."""

    def __init__(self, names, columns):
        self.table, self.columns = columns, [name for name in columns if name not in names]
        self.index = type("Index", (), {"names": names})()

    def reset_index(self, drop):
        return self if drop else Indexed([None], self.table)

    def __getitem__(self, name):
        if name not in self.columns:
            raise KeyError(name)
        return self.table[name]


def test_a_named_index_is_a_column():
    columns = {
        "Patient": [1, 1], "state": ["s", "u"], "action": ["L", "L"], "reward": [1, 2],
        "next_state": ["u", "x"], "done": [0, 1],
    }  # fmt: skip
    log = read_log(Indexed(["Patient"], columns), columns={"episode": "Patient"})
    assert log.begins.tolist() == [True, False]
    columns["Patient"] = [1, 2]
    assert read_log(Indexed(["Patient"], columns), columns={"episode": "Patient"}).begins.tolist() == [
        True,
        True,
    ]


TABLE = {"Cell": ["new"], "act": ["call"], "rew": [-1], "next_state": ["lost"], "done": [1]}
CELL = {"state": "Cell"}


def test_estimate_and_ope_take_the_names_of_columns():
    assert estimate(TABLE, "1/2", columns=CELL).mdp.states[1] == "new"
    asked = {"behavior": "log", "columns": CELL, "estimators": "direct", "resamples": 0}
    assert ope(TABLE, "action:call", gamma=1, **asked)["direct"].value == -1
    model = MDP.from_outcomes([("new", "call", "lost", 1, 3)], 1, terminal=["lost"])
    assert ope(TABLE, "action:call", mdp=model, **asked)["direct"].value == -1


def test_a_log_that_was_read_has_no_columns_to_name():
    log = read_log(TABLE, columns=CELL)
    model = MDP.from_outcomes([("new", "call", "lost", 1, 3)], 1, terminal=["lost"])
    calls = [
        lambda: estimate(log, 1, columns=CELL),
        lambda: ope(log, "action:call", gamma=1, behavior="log", columns=CELL),
        lambda: ope(Transitions.of(model, [(0, 0, 1, 1)]), "action:call", mdp=model, columns=CELL),
    ]
    for call in calls:
        with pytest.raises(
            OptionError, match=r"columns: found with .*, expected read_log\(log, columns=...\)"
        ):
            call()


def test_learners_say_where_the_names_of_columns_go():
    model = MDP.from_outcomes([("new", "call", "lost", 1, 3)], 1, terminal=["lost"])
    for call in (
        lambda: q_learning(model, data=TABLE, columns=CELL),
        lambda: td0(model, "uniform", data=TABLE, columns=CELL),
    ):
        with pytest.raises(
            OptionError, match=r"columns: .*; they belong to the log: data=read_log\(log, mdp, columns"
        ):
            call()
