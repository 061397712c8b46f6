"""Messages that say the way out: what was meant, what is a wall, which names there are."""

from __future__ import annotations

import dataclasses
import re

import pytest
from program import inside, one_line

import tabular_rl.commands.solve as saying
from tabular_rl import OptionError, load, solve
from tabular_rl.formats import bundled

GRID = """discount = 0.9
[grid]
map = '''
..+
.#.
'''
[grid.legend]
"+" = { terminal = true, reward = 1 }
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grid.toml").write_text(GRID)
    return tmp_path


def test_a_wall_is_called_one_and_states_are_named(capsys, folder):
    for words in (("explain", "grid.toml", "--state"), ("solve", "grid.toml", "--state")):
        assert "--state: found '1,1', which is a wall" in inside(capsys, *words, "1,1").err
        done = inside(capsys, *words, "hot")
        assert done.code == 2
        assert "no state 'hot', expected one such as 0,0, 0,1, 0,2, 1,0, 1,2" in done.err


def test_of_files_that_differ_in_their_suffix_a_model_is_meant(capsys, folder):
    for name in ("grid.html", "grid.a", "grid.png"):
        (folder / name).write_text("")
    assert "did you mean 'grid.toml'?" in inside(capsys, "solve", "gird.toml").err
    (folder / "grid.csv").write_text("")
    assert "did you mean 'grid.toml'?" in inside(capsys, "solve", "gird.csv").err


def test_a_json_file_is_read_as_json(capsys, folder):
    (folder / "answer.json").write_text("not")
    done = inside(capsys, "verify", "grid.toml", "answer.json")
    assert "JSON" in done.err
    assert "column" not in done.err.partition("JSON")[0]


def test_a_method_that_compare_does_not_know(capsys):
    done = inside(capsys, "compare", "example:forest", "--method", "foo")
    assert "no such method" in done.err
    assert "value-iteration, " in done.err
    assert "policy-evaluation" not in done.err


def test_an_example_that_is_not_there_names_a_few(capsys):
    done = inside(capsys, "solve", "example:gridword")
    assert "did you mean" in done.err or "nearest" in done.err
    done = inside(capsys, "solve", "example:racecar")
    assert "`tabular-rl examples` lists all" in done.err
    assert done.err.count(",") < 5


def test_a_comma_before_a_brace_is_named(capsys, folder):
    (folder / "m.toml").write_text('discount = 0.9\n[state.a]\ngo = { to = "a", reward = 1, }\n')
    assert "A table in braces ends without a comma." in inside(capsys, "solve", "m.toml").err


JUNK = bytes([0x86, 0xA5, 0xFF, 0x0A])
ONE = 'discount = 0.9\n[state.a]\ngo = { to = "a", reward = 1e300 }\n'
A_MODEL = (
    "found a model, expected an answer or a policy: a value or an action for each state, as "
    "`tabular-rl solve MODEL -o answer.json` writes"
)
A_MATRIX = "Give a matrix of numbers, .csv or .npy, with a row for each state or pair, in their order"
A_MIXTURE = (
    "expected epsilon-greedy:E:POLICY, with E from 0 to 1 and a policy that is followed otherwise, as in "
    "epsilon-greedy:0.1:optimal"
)
JSON_MODEL = '{"gamma": 0.9, "P": {STATE: {ACTION: [[PROBABILITY, NEXT_STATE, REWARD, DONE]]}}}'
ONE_STEP = "td0, sarsa, sarsa-evaluation, expected-sarsa, q-evaluation, q-learning, double-q-learning"
NO_SWEEPS = (
    f"expected one of value-iteration, policy-iteration, policy-evaluation with --sweep, or one of {ONE_STEP} with "
    "--step or --transition"
)
FOREST = "example:forest"
FEATURES = f"learn {FOREST} --method linear-td --policy uniform --features"


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("junk.csv", "junk.parquet", "junk.umb"):
        (tmp_path / name).write_bytes(JUNK * 20)
    texts = {
        "junk.json": "hello",
        "list.json": "[1, 2]",
        "bytes.csv": "1\n2\n",
        "words.csv": "1,2\nold,2\n3,4\n",
        "ragged.csv": "1,2\n\n2\n",
        "one.toml": ONE,
        "model.csv": "# discount = 0.9\nstate,action,next_state,probability,reward\na,go,a,1,0\n",
        "bare.csv": "state,action,next_state,probability,reward\na,go,a,1,0\n",
        "model.json": '{"gamma": 0.9, "P": {"a": {"go": [[1, "a", 0, false]]}}}',
        "start.toml": '[state.a]\ngo = { to = "a", reward = 1 }\n',
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            f"explain {FOREST}",
            "explain: found no state, expected --state with one such as young, middle, old, or --transition or --step "
            "of a learner",
        ),
        (f"explain {FOREST} --state old --method foo", f"explain: found method 'foo', {NO_SWEEPS}"),
        (
            f"explain {FOREST} --state old --method linear-programming",
            f"explain: found method 'linear-programming', {NO_SWEEPS}",
        ),
        (
            f"explain {FOREST} --state old --method value-iteration",
            "explain: found method without a sweep, expected both: add --sweep 1, or leave method out for the solution",
        ),
        (
            f"explain {FOREST} --state old --method sarsa",
            "explain: sarsa learns, expected --step 1 or --transition, an update of it",
        ),
        (
            f"explain {FOREST} --state old --action foo",
            "action 'foo': no such action. State 'old' has wait, cut.",
        ),
        (
            f"explain {FOREST} --state old --action wat",
            "action 'wat': no such action; did you mean 'wait'? State 'old' has wait, cut.",
        ),
        (
            "explain example:recycling_robot --state high --action recharge",
            "action: 'recharge' is not available in state 'high', which has search, wait",
        ),
        (
            f"evaluate {FOREST} --policy action:foo",
            "--policy: no action 'foo', expected one such as wait, cut",
        ),
        (f"{FEATURES} junk.csv", f"junk.csv:1: found byte 0x86, expected UTF-8 text. {A_MATRIX}"),
        (
            f"{FEATURES} words.csv",
            f"words.csv:2: found 'old', expected a number: rows and columns have no names. {A_MATRIX}",
        ),
        (
            f"{FEATURES} ragged.csv",
            f"ragged.csv:3: found a row of length 1, expected 2 as before. {A_MATRIX}",
        ),
        ("check junk.json", f"junk.json: found text, expected a JSON object such as {JSON_MODEL}"),
        ("check list.json", f"list.json: found a list, expected a JSON object such as {JSON_MODEL}"),
        (
            f"verify {FOREST} junk.parquet",
            "junk.parquet: found other bytes than a Parquet file has, expected one, or JSON or CSV",
        ),
        *(
            (f"verify one.toml {name}", f"{name}: {A_MODEL}")
            for name in ("one.toml", "start.toml", "model.json")
        ),
        *((f"evaluate one.toml --policy {name}", f"{name}: {A_MODEL}") for name in ("model.csv", "bare.csv")),
        (
            f"simulate {FOREST} --log x.foo",
            "--log: found suffix '.foo', expected one of .csv, .npz, .parquet",
        ),
        (
            f"gradient {FOREST} --estimator foo",
            "--estimator: found 'foo', expected one of return, return-mean, return-best, reward-to-go, "
            "reward-to-go-value, reward-to-go-best, q, bootstrap, advantage, gae:LAMBDA",
        ),
        (
            f"gradient {FOREST} --estimator gae:2",
            "--estimator: found 'gae:2', expected gae:λ with λ from 0 to 1",
        ),
        *(
            (f"learn {FOREST} --behavior {name}", f"--behavior: found '{name}', {A_MIXTURE}")
            for name in ("epsilon-greedy:2", "epsilon-greedy:2:uniform", "epsilon-greedy:x:uniform")
        ),
    ],
)
def test_a_refusal_says_the_way_out(capsys, inputs, words, says):
    done = inside(capsys, *words.split())
    assert (done.err, done.code, done.out) == (f"{says}\n", 2, "")


def test_one_near_example_is_one(monkeypatch):
    monkeypatch.setattr(bundled.difflib, "get_close_matches", lambda *_, **__: ["forest_horizon"])
    with pytest.raises(OptionError, match=r"no example 'hills'; the nearest is forest_horizon\. "):
        bundled.example_path("hills")


def test_a_damaged_umb_file_is_told_without_loose_ends(capsys, inputs):
    pytest.importorskip("umbi")
    done = inside(capsys, "check", "junk.umb")
    assert done.code == 2 and re.search(r"[a-z]\. Is the file cut off or damaged\?$", one_line(done.err))


@pytest.mark.parametrize("name", ["gymnasium:", "gymnasium::"])
def test_an_environment_without_a_name(capsys, name):
    pytest.importorskip("gymnasium")
    done = inside(capsys, "solve", name)
    assert one_line(done.err) == "gymnasium: found no ID, expected one, as in gymnasium:FrozenLake-v1"
    done = inside(capsys, "solve", "gymnasium::FrozenLake-v1")
    assert one_line(done.err).endswith("two colons before the ID; did you mean 'gymnasium:FrozenLake-v1'?")


def test_a_range_of_rewards_is_shown_as_it_is_written(capsys, inputs):
    assert inside(capsys, "simulate", FOREST, "--horizon", 5, "--log", "log.csv").code == 0
    done = inside(capsys, "ope", "log.csv", "--policy", "uniform", "--reward-range", 5, 1, "--horizon", 5)
    assert one_line(done.err) == (
        "--reward-range: found 5 to 1, expected the least and the largest reward, two finite numbers in this order"
    )


def test_without_work_the_time_stands_alone(capsys):
    answer = solve(load(FOREST))
    saying._say_rest(
        dataclasses.replace(answer, work={}, seconds=0.25),
        {"output": None, "quiet": False, "as_json": False, "plot": None},
    )
    assert "policy-iteration: 0.25 s\n" in capsys.readouterr().err


def test_one_of_a_kind_is_told_in_the_singular(capsys, inputs):
    done = inside(capsys, "check", "one.toml")
    assert "\n  1 state (0 terminal), 1 action, 1 pair, 1 outcome\n" in done.out


def test_a_long_whole_number_has_no_denominator(capsys, inputs):
    # 1e300 / (1 - 0.9) = 1e301, of 302 digits.
    done = inside(capsys, "solve", "one.toml", "--exact")
    assert "(302 digits)  " in done.out and "/(1 digit)" not in done.out
