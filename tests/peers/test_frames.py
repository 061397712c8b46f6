"""Answers and policies as frames of pandas, polars and pyarrow, and back."""

import math
from importlib import import_module

import documents
import numpy as np
import pytest

import tabular_rl as t
from tabular_rl import MDP, ModelError, OptionError, Policy

LIBRARIES = [pytest.param(name, marks=pytest.mark.peers(name)) for name in ("pandas", "polars", "pyarrow")]
SHAPES = {"pandas": "DataFrame", "polars": "DataFrame", "pyarrow": "Table"}


def columns(frame):
    """What a frame holds, read by its library's own means."""
    kind = type(frame).__module__.partition(".")[0]
    if kind == "pandas":
        return {name: frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame}
    return frame.to_dict(as_series=False) if kind == "polars" else frame.to_pydict()


def frame_of(made, library):
    module = import_module(library)
    return module.table(made) if library == "pyarrow" else module.DataFrame(made)


@pytest.fixture
def chain():
    """Reward 1 a step from (0, "a") to the end: v = 1 + v(next); "wait" pays 0 and stays."""

    def transition(s, action):
        return {s if action == "wait" else (s[0] + 1, "b"): 1}

    def actions(s):
        return [] if s[0] == 2 else ["go", "wait"]

    return MDP.from_functions(
        None, actions, transition, lambda s, a, s2: int(a == "go"), gamma="1/2", start=(0, "a")
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_values(chain, library):
    answer = t.solve(chain)
    frame = answer.to_frame(library)
    assert type(frame).__name__ == SHAPES[library]
    found = columns(frame)
    assert list(found) == ["state", "value", "lower", "upper", "action"]
    assert found["state"] == ["0,a", "1,b", "2,b"]
    assert found["value"] == pytest.approx([1.5, 1, 0])  # 1 + 1/2, 1, and nothing at the end
    assert found["action"] == ["go", "go", None]
    assert t.verify(chain, frame)
    assert not t.verify(chain, answer.but(v=answer.v + 1, lower=None, upper=None).to_frame(library))


@pytest.mark.parametrize("library", LIBRARIES)
def test_q(chain, library):
    frame = t.evaluate(chain, "uniform").to_frame(library, "q")
    found = columns(frame)
    # v(1) = (1 + v(1)/2) / 2, so 2/3; v(0) = (1 + v(1)/2 + v(0)/2) / 2, so 8/9; q is r + v(next) / 2.
    assert list(found) == ["state", "action", "probability", "q"]
    assert list(zip(found["state"], found["action"], strict=True)) == [
        ("0,a", "go"), ("0,a", "wait"), ("1,b", "go"), ("1,b", "wait")]  # fmt: skip
    assert found["q"] == pytest.approx([4 / 3, 4 / 9, 1, 1 / 3])
    assert Policy.from_frame(chain, frame) == Policy.uniform(chain)
    best = columns(t.solve(chain).to_frame(library, what="q"))
    assert best["optimal"] == [True, False, True, False]
    assert best["probability"] == [1, 0, 1, 0]


@pytest.mark.parametrize("library", LIBRARIES)
def test_finite_horizons_have_times(library):
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 2.0]], 1, horizon=2, actions=["low", "high"], axes="sas")
    answer = t.solve(mdp)
    found = columns(answer.to_frame(library))
    assert (found["time"], found["state"]) == ([0, 1, 2], ["0"] * 3)
    assert (found["value"], found["action"]) == ([4, 2, 0], ["high", "high", None])
    assert t.verify(mdp, answer.to_frame(library))
    assert Policy.from_frame(mdp, answer.policy.to_frame(library)) == answer.policy
    pairs = columns(answer.to_frame(library, "q"))
    assert (pairs["time"], pairs["q"]) == ([0, 0, 1, 1], [3, 4, 1, 2])
    still = columns(t.evaluate(mdp, "action:low").to_frame(library))
    assert (still["value"], still["action"]) == ([2, 1, 0], ["low", "low", None])


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_was_learned(chain, library):
    learned = t.learn(chain, "q-learning", steps=200, seed=1)
    found = columns(learned.to_frame(library))
    assert list(found) == ["state", "value", "visits", "action"]
    assert (sum(found["visits"]), found["visits"][2]) == (200, 0)
    assert found["value"] == pytest.approx(learned.v.tolist())
    never = columns(t.learn(chain, "q-learning", steps=1, seed=1).to_frame(library))
    assert never["value"][1] is None, "never visited"


@pytest.mark.parametrize("library", LIBRARIES)
def test_policies(chain, library):
    greedy = t.solve(chain).policy
    frame = greedy.to_frame(library)
    assert columns(frame) == {"state": ["0,a", "1,b", "2,b"], "action": ["go", "go", None]}
    assert Policy.from_frame(chain, frame) == greedy == Policy.of(chain, frame)
    mixed = Policy.epsilon_greedy(chain, greedy, 0.25)
    assert columns(mixed.to_frame(library))["probability"] == [0.875, 0.125] * 2
    assert Policy.from_frame(chain, mixed.to_frame(library)) == mixed


@pytest.mark.peers("pandas")
def test_pandas_by_default_and_its_index(chain):
    import pandas as pd

    answer = t.solve(chain)
    frame = answer.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert t.verify(chain, frame.set_index("state"))
    assert Policy.of(chain, frame[["state", "action"]].sample(frac=1, random_state=3)) == answer.policy
    assert Policy.of(chain, frame.assign(action=frame["action"].astype("category"))) == answer.policy


@pytest.mark.peers("pandas")
def test_the_page_shows_what_is_printed():
    page = documents.ROOT / "docs" / "frames.md"
    assert not documents.run(page).faults


@pytest.mark.peers("pandas")
def test_a_frame_as_csv_is_an_answer_file(chain, tmp_path):
    t.solve(chain).to_frame("pandas").to_csv(tmp_path / "a.csv", index=False)
    assert t.verify(chain, str(tmp_path / "a.csv"))


@pytest.mark.peers("polars", "narwhals")
def test_lazy_and_wrapped_frames(chain):
    import narwhals

    answer = t.solve(chain)
    frame = answer.to_frame("polars")
    assert t.verify(chain, frame.lazy())
    assert Policy.of(chain, narwhals.from_native(frame)) == answer.policy


@pytest.mark.peers("pyarrow")
def test_arrow(chain):
    answer = t.solve(chain)
    assert answer.to_arrow().equals(answer.to_frame("pyarrow"))
    assert {str(kind) for kind in answer.to_arrow("q").schema.types} == {"string", "double", "bool"}
    opened = answer.but(lower=np.full(3, -math.inf))
    assert t.verify(chain, opened.to_arrow()), "an open side claims nothing"


@pytest.mark.peers("pandas")
@pytest.mark.parametrize(
    ("made", "says"),
    [
        (
            {"state": ["0,a"], "action": ["fly"]},
            "DataFrame: state '0,a': found action 'fly', expected one of",
        ),
        ({"state": ["9"], "action": ["go"]}, "DataFrame: state '9': no such state"),
        (
            {"state": ["0,a"] * 2, "action": ["go"] * 2},
            "state '0,a': found twice, first in row 0, expected once",
        ),
        ({"state": ["0,a"], "action": ["go"], "note": [1]}, "found the column 'note', expected time, state"),
        ({"state": ["0,a"], "value": [1.0]}, "found a data frame without actions, expected a column action"),
        ({"state": ["0,a"], "action": ["go"], "probability": [0.5]}, "probabilities sum to 0.5, expected 1"),
        ({"state": ["0,a"], "action": ["go"], "probability": [None]}, "state '0,a'"),
        ({"state": [None], "action": ["go"]}, "state: found an empty cell"),
        (
            {"when": [0]},
            "with the columns 'when', expected state and action, or a column for each action: 'go'",
        ),
        ({"wait": [1.0], "go": [0.0]}, "found a data frame of length 1, expected a row for each of 3 states"),
    ],
)
def test_other_frames_are_refused(chain, made, says):
    frame = import_module("pandas").DataFrame(made)
    with pytest.raises((ModelError, OptionError)) as error:
        Policy.from_frame(chain, frame)
    assert says in str(error.value)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_column_for_each_action_is_read_by_its_name(chain, library):
    """In another order than the model's, which was once read by position."""
    wide = {"wait": [0.25, 0.5, None], "go": [0.75, 0.5, None]}
    expected = Policy.of_probs(chain, {"0,a": {"wait": 0.25, "go": 0.75}, "1,b": {"wait": 0.5, "go": 0.5}})
    assert Policy.of(chain, frame_of(wide, library)) == expected
    named = {"state": ["1,b", "0,a"], "wait": [0.5, 0.25], "go": [0.5, 0.75]}
    assert Policy.of(chain, frame_of(named, library)) == expected
    with pytest.raises(OptionError, match=r"with the columns 'stop', expected state and action, or a column"):
        Policy.of(chain, frame_of({"go": [1.0, 1.0, 0.0], "stop": [0.0, 0.0, 0.0]}, library))


@pytest.mark.peers("pandas")
def test_an_index_of_states_names_the_rows(chain):
    wide = import_module("pandas").DataFrame({"wait": [0.0, 1.0], "go": [1.0, 0.0]}, index=["1,b", "0,a"])
    assert Policy.of(chain, wide).table.tolist() == [[0, 1], [1, 0], [0, 0]]  # go, wait


@pytest.mark.parametrize("library", LIBRARIES)
def test_logs_estimates_and_evaluations_are_frames(library):
    log = t.read_log(
        [("new", "call", -1, "warm"), ("warm", "call", 9, "sold", True), ("new", "call", -1, "lost", 1)]
    )
    assert columns(log.to_frame(library))["state"] == ["new", "warm", "new"]
    again = t.read_log(log.to_frame(library))
    assert (again.s.tolist(), again.done.tolist()) == (log.s.tolist(), log.done.tolist())
    assert columns(t.estimate(log, "9/10").to_frame(library))["count"] == [1, 1, 1]
    found = columns(t.ope(log, "action:call", gamma=1, behavior="log", resamples=0).to_frame(library))
    assert found["no_bound"][0] == "the behaviour is estimated from the log"
    assert found["bound_lower"] == [None] * 9


@pytest.mark.parametrize("library", LIBRARIES)
def test_comparisons(chain, library):
    compared = t.compare(chain, ["VI", "PI", "q-learning"], steps=100, runs=3)
    found = columns(compared.to_frame(library))
    assert list(found) == ["method", "error_at_least", "error", "bound", "loss", "status", "seconds"]
    assert found["method"] == ["value-iteration", "policy-iteration", "q-learning"]
    assert found["status"] == ["CERTIFIED", "CERTIFIED", "SAMPLED"]
    assert max(found["error"][:2]) < 1e-6
    assert found["error"][2] == sorted(compared.curves[0].learned.sup_error)[1]  # the middle of three
    assert [found[name][2] for name in ("error_at_least", "bound")] == [None, None]
    curves = columns(compared.to_frame(library, "curves"))
    assert {*curves["method"]} == {"q-learning"}
    assert {*curves["run"]} == {0, 1, 2}
    with pytest.raises(OptionError, match="what: found 'q', expected 'methods' or 'curves'"):
        compared.to_frame(library, "q")


@pytest.mark.peers("pandas")
def test_a_named_index_of_pandas_is_a_column_of_a_log():
    pandas = import_module("pandas")
    frame = pandas.DataFrame({"Patient": [1, 2], "state": ["s", "s"], "action": ["L", "L"], "reward": [1, 2],
                              "next_state": ["x", "x"], "done": [1, 1]}).set_index("Patient")  # fmt: skip
    assert t.read_log(frame, columns={"episode": "Patient"}).begins.tolist() == [True, True]
