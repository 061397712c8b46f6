"""Checkpoints: a run that goes on from a file has the bits of one that never stopped; what does not fit is refused."""

from __future__ import annotations

import io
import json
import re
import select
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from program import command_of, environment, inside, one_line

from tabular_rl import MDP, Policy, sample_transitions
from tabular_rl.errors import ModelError, OptionError, OutputError
from tabular_rl.formats import load
from tabular_rl.formats.checkpoint import checkpoint_to, packed, read_checkpoint, unpacked, write_checkpoint
from tabular_rl.methods.lookup import LEARNERS

ROBOT = "example:recycling_robot"


@pytest.fixture(scope="module")
def robot():
    return load(ROBOT)


def run_of(name, mdp, policy=None, **options):
    function = LEARNERS[name]
    options = {k: x for k, x in options.items() if k in function.defaults}
    if function.task == "control":
        return function(mdp, reference=False, **options)
    return function(mdp, policy or Policy.uniform(mdp), reference=False, **options)


def same(a, b):
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=np.asarray(a).dtype.kind == "f")


# Learners that keep different things always, the others on demand: in memory all of them go on, see the contract.
KEEPERS = (
    "q-learning",
    "double-q-learning",
    "monte-carlo",
    "td-lambda",
    "prioritized-sweeping",
    "batch-td",
    "reinforce",
)


@pytest.mark.parametrize(
    "name", [name if name in KEEPERS else pytest.param(name, marks=pytest.mark.slow) for name in LEARNERS]
)
def test_going_on_from_a_file_gives_the_bits_of_a_run_that_never_stopped(name, robot, tmp_path):
    path = tmp_path / "c.npz"
    more = {"runs": 3, "seed": 5, "average": True, "episode_steps": 7}
    run_of(name, robot, steps=777, checkpoint=checkpoint_to(path), **more)
    went_on = run_of(name, robot, steps=2000, resume=read_checkpoint(path), **more)
    whole = run_of(name, robot, steps=2000, **more)
    assert same(went_on.estimates, whole.estimates)
    assert same(went_on.visits, whole.visits)
    assert went_on.work == whole.work
    assert went_on.steps == 2000
    first = run_of(name, robot, steps=777, **more)
    assert not same(first.estimates, whole.estimates), (
        "the rest of the run changes nothing: this test sees nothing"
    )


def test_a_stop_between_two_records_leaves_no_trace(robot, tmp_path):
    """The curve of a run that was stopped holds the step of the stop; the one that goes on does not."""
    path, more = tmp_path / "c.npz", {"runs": 2, "seed": 1}
    points = set(LEARNERS["q-learning"](robot, steps=2000, **more).curve.steps.tolist())
    stop = next(k for k in range(700, 2000) if k not in points)
    LEARNERS["q-learning"](robot, steps=stop, checkpoint=checkpoint_to(path), **more)
    went_on = LEARNERS["q-learning"](robot, steps=2000, resume=read_checkpoint(path), **more)
    whole = LEARNERS["q-learning"](robot, steps=2000, **more)
    assert stop not in went_on.curve.steps
    tail = whole.curve.steps > stop
    assert same(went_on.curve.sup[went_on.curve.steps > stop], whole.curve.sup[tail])
    assert set(whole.curve.steps[tail]) == set(went_on.curve.steps[went_on.curve.steps > stop])


def test_what_is_written_is_what_is_read(robot, tmp_path):
    learned = LEARNERS["q-learning"](robot, steps=50, runs=2, target="average:0.1")
    write_checkpoint(learned.state, tmp_path / "c.npz")
    found = read_checkpoint(tmp_path / "c.npz")
    for key in ("method", "digest", "inputs", "options", "done", "steps", "streams"):
        assert found[key] == learned.state[key], key
    assert found["arrays"].keys() == learned.state["arrays"].keys()
    for name, array in found["arrays"].items():
        given = learned.state["arrays"][name]
        assert same(array, given)
        assert array.dtype == given.dtype
    for row, given in zip(found["curve"], learned.state["curve"], strict=True):
        assert row[0] == given[0]
        assert all(same(x, y) for x, y in zip(row[1:], given[1:], strict=True))


def test_random_streams_go_on_with_the_same_numbers():
    rngs = [np.random.default_rng(seed) for seed in range(3)]
    for rng in rngs:
        rng.random(5)
        rng.integers(10, dtype=np.uint32)  # leaves half a draw behind
    states = unpacked(packed([rng.bit_generator.state for rng in rngs]))
    for rng, state in zip(rngs, states, strict=True):
        other = np.random.default_rng(99)
        other.bit_generator.state = state
        assert other.integers(10**6, dtype=np.uint32) == rng.integers(10**6, dtype=np.uint32)
        assert other.random() == rng.random()


# -- what does not fit ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": 2}, ("seed 1", "seed 2")),
        ({"runs": 3}, ("runs 2", "runs 3")),
        ({"step_size": "1/n"}, ("step_size n^-0.7", "step_size 1/n")),
        ({"steps": 20}, ("after 50 steps", "more than that")),
    ],
)
def test_another_run_is_refused_with_both_sides(robot, change, says):
    state = LEARNERS["q-learning"](robot, steps=50, runs=2, seed=1).state
    with pytest.raises(OptionError) as caught:
        LEARNERS["q-learning"](robot, **{"steps": 100, "runs": 2, "seed": 1} | change, resume=dict(state))
    assert all(text in str(caught.value) for text in says)


def test_another_model_policy_or_method_is_refused(robot):
    uniform = Policy.uniform(robot)
    state = dict(LEARNERS["td0"](robot, uniform, steps=50).state)
    changed = robot.replace(gamma="1/2")
    with pytest.raises(OptionError, match=rf"{robot.digest}.*{changed.digest}"):
        LEARNERS["td0"](changed, Policy.uniform(changed), steps=100, resume=state)
    waiting = Policy.of_actions(robot, {"high": "wait", "low": "wait"})
    with pytest.raises(OptionError, match="policies, data or start values"):
        LEARNERS["td0"](robot, waiting, steps=100, resume=state)
    with pytest.raises(OptionError, match="method td0, expected q-learning"):
        LEARNERS["q-learning"](robot, steps=100, resume=state)


def test_other_data_are_refused():
    mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    policy, data = Policy.uniform(mdp), [("0", 0, 1.0, "0"), ("0", 0, 2.0, "0")]
    state = dict(LEARNERS["td0"](mdp, policy, data=data, steps=3).state)
    LEARNERS["td0"](mdp, policy, data=data, steps=4, resume=state)
    with pytest.raises(OptionError, match="policies, data or start values"):
        LEARNERS["td0"](mdp, policy, data=data[::-1], steps=4, resume=state)


# Each learner, and its ways of running that keep other arrays.
WAYS = [
    *((name, {}) for name in LEARNERS),
    ("q-learning", {"replay": "uniform", "capacity": 12, "batch": 2}),
    ("q-learning", {"replay": "prioritized", "capacity": 12, "batch": 2}),
    ("q-learning", {"target": "copy:3", "average": True}),
    ("td-lambda", {"data": True}),
    ("monte-carlo", {"importance": "ordinary", "visit": "every"}),
    ("reinforce", {"estimator": "reward-to-go-value"}),
    ("advantage-actor-critic", {"batch": 4}),
]


def damaged(array):
    """Copies of an array of a checkpoint that no run of 50 steps on five rows can have left behind."""
    yield np.zeros(array.shape, dtype=np.int64 if array.dtype.kind == "f" else np.float64)
    yield np.concatenate([array, array])
    if array.size == 0:
        return
    sound = np.argwhere(np.isfinite(array))
    for value in (10**7, 2**62, -(10**7), -(2**62)) if array.dtype.kind == "i" else (np.nan, -np.inf):
        for at in map(tuple, sound[[0, -1]] if len(sound) else ()):
            changed = array.copy()
            changed[at] = value
            yield changed


@pytest.mark.parametrize(("name", "more"), WAYS, ids=lambda x: x if isinstance(x, str) else "-".join(x))
def test_arrays_that_do_not_fit_are_refused_by_every_learner(name, more, robot):
    """Kernels read where these arrays say, so that one number too large ends the program."""
    more = {"runs": 2, "seed": 3, "average": True, "episode_steps": 7} | more
    if more.get("data"):
        uniform = Policy.uniform(robot)
        more["data"] = sample_transitions(robot, uniform, 30, 1)
    state = run_of(name, robot, steps=50, **more).state
    run_of(name, robot, steps=50, resume=state, **more)  # so that the others could pass
    for key, array in state["arrays"].items():
        for changed in damaged(array):
            arrays = {**state["arrays"], key: changed}
            with pytest.raises(OptionError, match=f"resume: array '{key}': found .*start afresh"):
                run_of(name, robot, steps=100, resume={**state, "arrays": arrays}, **more)
        missing = {k: x for k, x in state["arrays"].items() if k != key}
        with pytest.raises(OptionError, match=f"array '{key}': found None"):
            run_of(name, robot, steps=100, resume={**state, "arrays": missing}, **more)


def twice(array):
    array[0, :2] = array[0, 0]


def one_more(array):
    array.reshape(-1)[1] += 1


def none(array):
    array[...] = 0


@pytest.mark.parametrize(
    ("name", "more", "key", "change"),
    [
        ("td-lambda", {}, "count", none),
        ("td-lambda", {}, "active", twice),
        ("q-lambda", {}, "traces", none),
        ("dyna-q", {}, "known", twice),
        ("dyna-q", {}, "size", none),
        ("dyna-q", {}, "counts", one_more),
        ("dyna-q", {}, "tried", none),
        ("prioritized-sweeping", {"threshold": 1e-300, "planning": 0}, "heap", twice),
        ("prioritized-sweeping", {"threshold": 1e-300, "planning": 0}, "place", none),
        ("prioritized-sweeping", {}, "counts", one_more),
        ("double-q-learning", {}, "visits", none),
        ("q-learning", {"replay": "prioritized", "capacity": 12}, "sums", one_more),
        ("q-learning", {"replay": "prioritized", "capacity": 12}, "least", one_more),
    ],
)
def test_arrays_that_contradict_each_other_are_refused(name, more, key, change, robot):
    """Each number is in its range, but a list names an entry twice, or counts do not add up."""
    more = {"runs": 2, "seed": 3} | more
    state = run_of(name, robot, steps=50, **more).state
    arrays = {k: x.copy() for k, x in state["arrays"].items()}
    change(arrays[key])
    assert not same(arrays[key], state["arrays"][key])
    with pytest.raises(OptionError, match=r"array .* found .*start afresh"):
        run_of(name, robot, steps=100, resume={**state, "arrays": arrays}, **more)


def test_priorities_past_the_end_of_the_buffer_are_refused():
    """Trees have a power of two of leaves, buffers need not: leaf 3 of a buffer of 3 is past its end."""
    from tabular_rl.methods.learning._replay import wrong_trees

    sums = np.array([[0.0, 4, 2, 2, 1, 1, 1, 1]])
    least = np.array([[np.inf, 1, 1, 1, 1, 1, 1, 1]])
    assert wrong_trees(sums, least, 4) is None
    assert "priorities" in wrong_trees(sums, least, 3)


def test_a_curve_that_does_not_fit_is_refused(robot):
    state = LEARNERS["q-learning"](robot, steps=50, runs=2).state
    short = [(k, *(x[:1] for x in columns)) for k, *columns in state["curve"]]
    late = [(k + 40, *columns) for k, *columns in state["curve"]]
    for curve in (short, late, state["curve"][::-1]):
        with pytest.raises(OptionError, match=r"curve: found .*start afresh"):
            LEARNERS["q-learning"](robot, steps=100, runs=2, resume={**state, "curve": curve})


@pytest.fixture(scope="module")
def written(robot, tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "c.npz"
    LEARNERS["q-learning"](robot, steps=3, checkpoint=checkpoint_to(path))
    return path.read_bytes()


def test_a_file_that_is_cut_off_is_refused(written, tmp_path):
    path = tmp_path / "cut.npz"
    for size in [*range(0, len(written), 97), len(written) - 1]:
        path.write_bytes(written[:size])
        with pytest.raises(ModelError) as caught:
            read_checkpoint(path)
        assert str(path) in str(caught.value)
        assert "start afresh" in str(caught.value)


def test_damaged_bytes_never_crash(written, tmp_path):
    """Each bit that is turned is either found or where it does not matter."""
    path, rng, found = tmp_path / "damaged.npz", np.random.default_rng(7), 0
    for _ in range(150):
        data = bytearray(written)
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        try:
            read_checkpoint(path)
        except ModelError:
            found += 1
    assert found > 50


def repacked(written, change):
    """The archive with its members changed: {name: bytes} in, {name: bytes} out."""
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in change(members).items():
            archive.writestr(name, data)
    return out.getvalue()


def npy(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def meta(members, **more):
    text = json.loads(np.load(io.BytesIO(members["meta.npy"])).tobytes()) | more
    return {**members, "meta.npy": npy(np.frombuffer(json.dumps(text).encode(), dtype=np.uint8))}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda m: m | {"array_estimates.npy": npy(np.array([{}], dtype=object))},
            "array_estimates.npy': found object",
        ),
        (lambda m: meta(m, version=2), "version '2', expected 1"),
        (lambda m: meta(m, schema="tabular-rl answer"), "another schema"),
        (lambda m: meta(m, done="3"), "meta: done: found '3'"),
        (lambda m: m | {"streams.npy": npy(np.zeros((1, 5), dtype=np.uint64))}, "streams.npy"),
        (
            lambda m: m | {"streams.npy": npy(np.full((1, 6), 2**64 - 1, dtype=np.uint64))},
            "streams.npy': found numbers that no random stream has",
        ),
        (lambda m: m | {"curve.npy": npy(np.zeros((2, 1)))}, "curve.npy"),
        (lambda m: {k: x for k, x in m.items() if k != "meta.npy"}, "no member 'meta.npy'"),
        (lambda m: {k: x for k, x in m.items() if k != "streams.npy"}, "streams"),
        (lambda m: m | {"readme.txt": b"hello"}, "readme.txt': unexpected"),
    ],
)
def test_what_is_no_checkpoint_is_refused(written, tmp_path, change, says):
    path = tmp_path / "c.npz"
    path.write_bytes(repacked(written, change))
    with pytest.raises(ModelError, match=re.escape(says)):
        read_checkpoint(path)
    path.write_bytes(repacked(written, lambda members: members))
    assert read_checkpoint(path)["done"] == 3


def test_a_checkpoint_that_cannot_be_written_says_so(robot, tmp_path):
    with pytest.raises(OutputError, match="none"):
        LEARNERS["q-learning"](robot, steps=3, checkpoint=checkpoint_to(tmp_path / "none" / "c.npz"))


def test_a_row_past_the_end_of_the_model_is_refused_with_the_file(capsys, tmp_path, written):
    path = tmp_path / "c.npz"
    path.write_bytes(repacked(written, lambda m: m | {"array_row.npy": npy(np.array([10**7]))}))
    done = inside(capsys, "learn", ROBOT, "--resume", path, "--steps", 10)
    assert (done.code, done.out) == (2, "")
    assert one_line(done.err).startswith(f"{path}: array 'row': found 10000000, expected 0 to 4.")
    assert "start afresh, without --resume" in done.err


# -- on the command line -------------------------------------------------------------------------------------------


def test_resume_takes_method_and_options_from_the_file(capsys, tmp_path):
    path = tmp_path / "c.npz"
    options = (
        "--method",
        "sarsa",
        "--runs",
        2,
        "--seed",
        3,
        "--target",
        "copy:10",
        "--explore",
        "boltzmann:1/2",
    )
    assert inside(capsys, "learn", ROBOT, *options, "--steps", 500, "--checkpoint", path, "-q").code == 0
    whole = inside(capsys, "learn", ROBOT, *options, "--steps", 1500, "-q")
    went_on = inside(capsys, "learn", ROBOT, "--resume", path, "--steps", 1500, "-q")
    assert (went_on.code, went_on.out) == (0, whole.out)
    other = inside(capsys, "learn", ROBOT, "--resume", path, "--steps", 1500, "--seed", 4)
    assert other.code == 2
    assert "--seed 3" in one_line(other.err)
    assert "--seed 4" in other.err
    other = inside(capsys, "learn", ROBOT, "--resume", path, "--gamma", "1/2")
    assert other.code == 2
    assert "model (digest)" in one_line(other.err)
    other = inside(capsys, "learn", ROBOT, "--resume", tmp_path / "none.npz")
    assert other.code == 2
    assert "none.npz: no such file" in one_line(other.err)


def test_resume_of_a_behavior_needs_it_again(capsys, tmp_path):
    path = tmp_path / "c.npz"
    given = ("learn", ROBOT, "--behavior", "uniform", "-q")
    assert inside(capsys, *given, "--steps", 100, "--checkpoint", path).code == 0
    assert inside(capsys, *given, "--steps", 200, "--resume", path).code == 0
    done = inside(capsys, "learn", ROBOT, "--steps", 200, "--resume", path)
    assert done.code == 2
    assert "--explore" in one_line(done.err)


@pytest.mark.parametrize(
    ("path", "code"),
    [("-", 2), ("", 2), ("none/c.npz", 5), ("same.json", 2)],
    ids=["-", "empty", "folder", "output"],
)
def test_where_a_checkpoint_cannot_be_is_said_before_the_run(capsys, tmp_path, monkeypatch, path, code):
    monkeypatch.chdir(tmp_path)
    done = inside(capsys, "learn", ROBOT, "--steps", "1e15", "--checkpoint", path, "-o", "same.json")
    assert done.code == code
    one_line(done.err)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupted_run_goes_on_with_the_same_bits(capsys, tmp_path):
    """A process is stopped by SIGINT somewhere; what it leaves, gone on with, is the answer of a run without a stop."""
    path, answer = tmp_path / "c.npz", tmp_path / "a.json"
    options = ("--runs", 2, "--average", "--explore", "boltzmann:1", "--seed", 11)
    process = subprocess.Popen(
        command_of("learn", ROBOT, "--steps", "1e12", *options, "--checkpoint", path),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert select.select([process.stderr], [], [], 280)[0], "no progress was shown"
    assert b"steps" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=280)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert b"what was learned is kept" in out
    assert b"search" in out
    assert f"{path}: written".encode() in err
    done = read_checkpoint(path)["done"]
    assert 0 < done < 10**12
    last = done + 100_003
    went_on = inside(capsys, "learn", ROBOT, "--resume", path, "--steps", last, "-q", "-o", answer)
    assert went_on.code == 0
    whole = inside(capsys, "learn", ROBOT, "--steps", last, *options, "-q", "--json")
    a, b = json.loads(answer.read_text()), json.loads(whole.out)
    for key in b.keys() - {"seconds", "steps_a_second", "curve"}:
        assert a[key] == b[key], key
    assert a["curve"]["start_value"][-1] == b["curve"]["start_value"][-1]


def test_a_checkpoint_that_cannot_be_written_does_not_lose_the_run(capsys, monkeypatch, tmp_path):
    def full(path):
        def write(state):
            raise OutputError(f"{path}: No space left on device")

        return write

    monkeypatch.setattr("tabular_rl.commands.learn.checkpoint_to", full)
    path = tmp_path / "c.npz"
    done = inside(capsys, "learn", "example:recycling_robot", "--steps", 100, "--checkpoint", path)
    assert done.code == 5
    assert "largest error" in done.out
    assert done.err.count("No space left") == 2
    assert "The run goes on." in done.err
    assert "written" not in done.err
