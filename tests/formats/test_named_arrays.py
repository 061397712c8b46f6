"""Arrays in .mat, .npz and JSON: found by name, orders of axes, what ends, and what is wrong with them."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from damage import damage
from program import inside
from reading import try_to_read
from scipy.io import savemat
from scipy.sparse import csc_matrix

from tabular_rl import ModelError, OptionError, load, save, solve
from tabular_rl.formats.importers.mat5 import read_variables
from tabular_rl.formats.remarks import heard

# The forest of MDPtoolbox: P[s, a, s2], R[s, a]. Its values at .9 are in its documentation.
P = np.array([[[0.1, 0.9, 0], [1, 0, 0]], [[0.1, 0, 0.9], [1, 0, 0]], [[0.1, 0, 0.9], [1, 0, 0]]])
R = np.array([[0.0, 0], [0, 1], [4, 2]])
V = [26.244, 29.484, 33.484]
INF = float("inf")


def cell(matrices):
    made = np.empty(len(matrices), dtype=object)
    made[:] = matrices
    return made


@pytest.fixture
def read(tmp_path):
    """Write a file of arrays, and load it."""

    def of(kind, variables, **options):
        path = tmp_path / f"m.{kind}"
        if kind == "mat":
            savemat(path, variables)
        elif kind == "npz":
            np.savez(path, **variables)
        else:
            lists = {k: x.tolist() if isinstance(x, np.ndarray) else x for k, x in variables.items()}
            path.write_text(json.dumps(lists))
        return load(path, **options)

    return of


SHEETS = [csc_matrix(P[:, a]) for a in (0, 1)]
R3 = np.repeat(R[:, :, None], 3, axis=2)  # R[s, a, s2]


@pytest.mark.small
@pytest.mark.parametrize(
    "variables",
    [
        {"P": P.transpose(0, 2, 1), "R": R, "discount": 0.9},
        {"P": P.transpose(0, 2, 1), "R": R3.transpose(0, 2, 1), "gamma": 0.9},
        {"P": cell(SHEETS), "R": R, "discount": 0.9},
        {"Tr": cell(SHEETS), "Rew": cell([csc_matrix(R3[:, a]) for a in (0, 1)]), "discount": 0.9},
        {"P": cell([P[:, 0], P[:, 1]]), "R": cell([R3[:, 0], R3[:, 1]]), "beta": 0.9},
        {"P": P.transpose(1, 0, 2), "R": R, "discount": 0.9, "axes": "ass"},
        {"P": P, "R": R.T, "discount": 0.9},
        {"T": P.transpose(2, 1, 0), "R": R, "discount": 0.9, "axes": "s'as"},
        {"P": cell(SHEETS), "R": csc_matrix(R), "discount": 0.9, "start": [1, 0, 0]},
    ],
)
def test_a_mat_file_in_any_form_has_the_answer_of_the_forest(read, variables):
    mdp = read("mat", variables)
    assert solve(mdp).v.tolist() == pytest.approx(V, abs=1e-9)
    assert (list(mdp.states), list(mdp.actions)) == (["1", "2", "3"], ["1", "2"]), "as MATLAB counts"
    assert mdp.start_given == ("start" in variables)


@pytest.mark.small
def test_names_texts_and_numbers_of_a_mat_file(read):
    more = {"states": cell(["young", "middle", "old"]), "actions": cell(["wait", "cut"]), "name": "forest",
            "sense": "max", "horizon": 3.0, "start": [0, 0.5, 0.5]}  # fmt: skip
    mdp = read("mat", {"P": cell(SHEETS), "R": R, "discount": 0.9, **more})
    assert (list(mdp.states), list(mdp.actions), mdp.name, mdp.horizon) == (
        ["young", "middle", "old"], ["wait", "cut"], "forest", 3,
    )  # fmt: skip
    assert mdp.start.tolist() == [0, 0.5, 0.5]
    rewards = read("mat", {"P": cell(SHEETS), "R": np.array([[0.0], [1], [4]]), "discount": 0.9})
    assert rewards.r.tolist() == [0, 0, 1, 1, 4, 4], "a column of S rewards is R[s]"


@pytest.mark.small
def test_variables_are_named_or_chosen(read):
    with pytest.warns(UserWarning, match=r"not read: 'V', 'policy', which are no part of a model"):
        read("mat", {"P": cell(SHEETS), "R": R, "discount": 0.9, "V": [1.0], "policy": [1.0]})
    with pytest.raises(ModelError, match=r"P: found 'P' and 'T', expected one. Say which: arrays=\"P=T\""):
        read("npz", {"P": P, "R": R, "T": P, "gamma": 0.9})
    mdp = read("npz", {"P": P, "R": R, "T": P[::-1], "gamma": 0.9}, arrays="P=P")
    assert mdp.prob.tolist() == P[P != 0].tolist()
    named = read("npz", {"odds": P.transpose(1, 0, 2), "pay": R}, arrays={"P": "odds", "R": "pay"}, gamma=0.9)
    assert solve(named).v.tolist() == pytest.approx(V, abs=1e-9)
    with pytest.raises(ModelError, match=r"P: no such variable 'od'"):
        read("npz", {"odds": P, "pay": R}, arrays="P=od,R=pay", gamma=0.9)
    with pytest.raises(
        ModelError, match=r"R: found no R or reward or rewards, expected one of 'P', 'pay': arr"
    ):
        read("mat", {"P": P, "pay": R}, gamma=0.9)


@pytest.mark.small
@pytest.mark.parametrize("kind", ["npz", "json"])
def test_arrays_of_julia(read, kind):
    """T[s2, a, s] and R[s, a]: NPZ.jl keeps the order, JSON.jl writes the last axis first."""
    T = P.transpose(2, 1, 0)
    if kind == "npz":
        mdp = read(
            kind, {"T": np.asfortranarray(T), "R": np.asfortranarray(R), "discount": 0.9}, arrays="axes=s'as"
        )
    else:
        mdp = read(kind, {"T": T.transpose(2, 1, 0), "R": R.T, "discount": "9/10"})
        assert mdp.gamma_exact.denominator == 10
    assert solve(mdp).v.tolist() == pytest.approx(V, abs=1e-9)
    if kind == "npz":
        with pytest.raises(
            ModelError, match=r"""They sum to 1 with the next state first: say arrays="axes=s'as"""
        ):
            read(kind, {"T": T, "R": R, "discount": 0.9})


@pytest.mark.small
def test_what_julia_marks_as_unavailable_has_no_row(read):
    """SparseTabularMDP: a row of zeros and a reward -Inf; a terminal state leads to itself for nothing."""
    sheets = P.transpose(1, 0, 2).copy()
    sheets[1, 0], sheets[:, 2] = 0, [0, 0, 1]
    rewards = np.array([[0.0, -INF], [0, 1], [0, 0]])
    mdp = read("npz", {"P": sheets, "R": rewards, "discount": 0.9, "terminal": [0.0, 0, 1], "first_index": 1})
    assert mdp.L == 3
    assert (list(mdp.states), mdp.terminal.tolist()) == (["1", "2", "3"], [False, False, True])


@pytest.mark.small
def test_what_ends(read):
    """A row that only leads to itself for nothing says the same as terminal; any other one is refused."""
    ended, paid = P.copy(), R.copy()
    ended[2], paid[2] = [0, 0, 1], 0
    expected = [False, False, True]
    both = {"P": ended, "R": paid, "gamma": 0.9}
    assert read("npz", both | {"terminal": np.array(expected)}).terminal.tolist() == expected
    assert read("npz", both | {"terminal": [0, 0, 1]}).terminal.tolist() == expected
    assert read("npz", both | {"terminal": [3], "first_index": 1}).terminal.tolist() == expected
    assert list(read("npz", both | {"terminal": [3], "first_index": 1}).states) == ["1", "2", "3"]
    assert read("json", both | {"terminal": [2]}, arrays="first_index=0").terminal.tolist() == expected
    assert read("json", both | {"terminal": ["c"], "states": ["a", "b", "c"]}).terminal.tolist() == expected
    assert read("npz", both, terminal=["2"]).terminal.tolist() == expected
    sheets = cell([csc_matrix(ended[:, a]) for a in (0, 1)])
    assert read("mat", both | {"P": sheets, "terminal": [3.0]}).terminal.tolist() == expected
    assert read("mat", both | {"terminal": np.array(expected)[:, None]}).L == 4
    assert (
        read(
            "npz",
            {"T": ended.transpose(2, 1, 0), "R": paid, "gamma": 1, "terminal": [0, 0, 1]},
            arrays="axes=s'as",
        ).L
        == 4
    )
    with pytest.raises(ModelError, match=r"terminal: found numbers, .* Say arrays=\"first_index=0\""):
        read("npz", both | {"terminal": [2]})
    with pytest.raises(
        ModelError,
        match=r"state '2': is declared terminal and has probabilities in P, .* set the.* or name it with terminal=",
    ):
        read("npz", {"P": P, "R": R, "gamma": 0.9, "terminal": [0, 0, 1]})


@pytest.mark.small
@pytest.mark.parametrize("form", ["sas", "as's", "s'as", "cell", "cell of dense"])
def test_what_a_state_does_that_the_caller_ends_is_left_out(read, form):
    """State 3 has rows of its own, as MDPtoolbox wants of every state. v(2) = 0.9 · 0.1 v(1), or 1 by cutting."""
    paid = R.copy()
    paid[2] = 0
    forms = {
        "sas": P, "as's": P.transpose(1, 2, 0), "s'as": P.transpose(2, 1, 0), "cell": cell(SHEETS),
        "cell of dense": cell([P[:, 0], P[:, 1]]),
    }  # fmt: skip
    arrays = f"axes={form}" if "'" in form else None
    said = []
    with heard(said.append):
        mdp = read("mat", {"P": forms[form], "R": paid, "gamma": 0.9}, terminal=["3"], arrays=arrays)
    assert said == [f"{mdp.origin}: what the terminal states that were asked for do is left out"]
    assert (mdp.terminal.tolist(), mdp.L) == ([False, False, True], 4)
    # Young is left alone or is cut for 0; middle is cut for 1: v1 = 0.9 (0.1 v1 + 0.9 v2), v2 = 1 + 0.9 v1.
    first = 0.81 / (1 - 0.09 - 0.729)
    assert solve(mdp).v.tolist() == pytest.approx([first, 1 + 0.9 * first, 0], abs=1e-6)


@pytest.mark.small
def test_what_a_terminal_state_pays_is_paid_on_entry_where_that_is_asked(read):
    paid = np.array([0.0, 0, 4])
    given = {"P": P, "R": paid, "gamma": 0.9}
    with pytest.raises(
        ModelError, match=r'which is never collected: .* or say arrays="terminal_rewards=on-entry"'
    ):
        read("npz", given, terminal=["2"])
    mdp = read("npz", given, terminal=["2"], arrays="terminal_rewards=on-entry")
    assert mdp.r.tolist() == pytest.approx([0, 0, 0.9 * 0.9 * 4, 0])


@pytest.mark.small
@pytest.mark.parametrize("kind", ["mat", "npz", "json"])
def test_rewards_of_minus_infinity(read, kind):
    without = R.copy()
    without[0, 1] = -INF
    with pytest.raises(ModelError) as caught:
        read(kind, {"P": P, "R": without, "gamma": 0.9})
    assert (
        'If it marks an action that is unavailable, say arrays="unavailable=-inf", or set its row of P'
        in str(caught.value)
    )
    asked = read(kind, {"P": P, "R": without, "gamma": 0.9}, arrays="unavailable=-inf")
    assert asked.L == 5
    assert read(kind, {"P": P, "R": without, "gamma": 0.9, "unavailable": "-inf"}) == asked.replace(
        origin=asked.origin
    )
    gone = P.copy()
    gone[0, 1] = 0
    assert read(kind, {"P": gone, "R": R, "gamma": 0.9}).L == 5


@pytest.mark.small
@pytest.mark.parametrize("kind", ["mat", "npz", "json"])
def test_a_row_that_misses_1_names_normalize(read, kind):
    short = P.copy()
    short[0, 0, 1] = 0.8999
    with pytest.raises(
        ModelError, match=r"state '\d', action '\d': probabilities sum to 0\.9999, .*normalize=True"
    ):
        read(kind, {"P": short, "R": R, "gamma": 0.9})
    assert read(kind, {"P": short, "R": R, "gamma": 0.9}, normalize=True).facts.correction > 0


SQUARE = np.array([[[0.5, 0.5], [0.25, 0.75]], [[0.5, 0.5], [1, 0]]])


@pytest.mark.small
@pytest.mark.parametrize(
    ("kind", "variables", "text"),
    [
        ("mat", {"P": P, "R": R}, "gamma: found no gamma and no discount, expected one: say gamma=0.9"),
        ("mat", {"P": P, "R": R, "gamma": [1.0, 2]}, "gamma: found 2 entries, expected one number"),
        ("mat", {"P": SQUARE, "R": R[:2], "gamma": 0.9},
         'the shape of P cannot tell them. Say arrays="axes=sas" for P[s, a, s2]'),
        ("mat", {"P": "x", "R": R, "gamma": 0.9}, "P: found 'x', expected numbers"),
        ("mat", {"P": P[0], "R": R, "gamma": 0.9}, "P: found shape 2 x 3, expected three axes, or a matrix for each"),
        ("mat", {"P": cell([SHEETS[0], P[:2, 1]]), "R": R, "gamma": 0.9}, "found shape (2, 3), expected (3, 3)"),
        ("mat", {"P": cell([P[:, 0], P[:2, 1]]), "R": R, "gamma": 0.9}, "P: found matrices of different shapes"),
        ("mat", {"P": P, "R": R[:2], "gamma": 0.9}, "R: found shape (2, 2), expected (3, 2)"),
        ("mat", {"P": P, "R": R, "gamma": 0.9, "states": cell(["a"])}, "names: found 1 states and 2 actions, ex"),
        ("mat", {"P": P, "R": R, "gamma": 0.9, "terminal": [4.0]}, "terminal: found 4.0, expected 1 to 3"),
        ("mat", {"P": P, "R": R, "gamma": 0.9, "terminal": [0.5]}, "terminal: found entries such as '0.5', expected a"),
        ("mat", {"P": P, "R": R, "gamma": 0.9, "start": [1.0, 0]}, "start: found 2 numbers, expected 3"),
        ("mat", {"P": P, "R": R, "gamma": 0.9, "horizon": 1.5}, "horizon: found 1.5, expected a whole number"),
        ("mat", {"P": P, "R": R, "gamma": 0.9, "axes": 1.0}, "axes: found 1.0, expected a text"),
        ("mat", {"P": P, "R": R, "gamma": 0.9, "first_index": 2}, "first_index: found 2, expected 0 or 1"),
        ("npz", {"P": P * 1j, "R": R, "gamma": 0.9}, "member 'P': found dtype complex128, expected numbers"),
        ("npz", {"P": P.astype(object), "R": R, "gamma": 0.9}, "member 'P': found dtype object, expected numbers"),
        ("npz", {"P": P, "gamma": 0.9}, "member 'P"),
        ("json", {"P": P, "R": [[0, None], [0, 0], [0, 0]], "gamma": 0.9}, "R: found null, expected numbers. If it is"),
        ("json", {"P": P, "R": [[0], [0, 0]], "gamma": 0.9}, "R: found no rectangular array of numbers"),
        ("json", {"P": P, "R": [["x"]], "gamma": 0.9}, "R: found no rectangular array of numbers"),
        ("json", {"P": SQUARE, "R": [[1, 2], [3, 4]], "gamma": 0.9, "axes": "sas"},
         'Say arrays="reward_axes=sa" for R[s, a], or arrays="reward_axes=as" for R[a, s]'),
        ("json", {"P": SQUARE, "R": [[1, 2], [3, 4]], "gamma": 0.9},
         'axes, reward_axes: found none, and with as many actions as states the shape of P and R cannot tell them. Say '
         'arrays="reward_axes=sa" for R[s, a], or arrays="reward_axes=as" for R[a, s], and arrays="axes=sas" for P'),
        ("json", {"P": P, "R": [[0, -INF], [0, 0], [0, 0]], "gamma": 0.9}, 'say arrays="unavailable=-inf", or set its'),
        ("json", {"P": P, "R": [[0, float("nan")], [0, 0], [0, 0]], "gamma": 0.9}, "found NaN, expected finite num"),
        ("mat", {"P": P[:, :, :2], "R": R, "gamma": 0.9},
         "P of shape 3 x 2 x 2 was read with axes=ass: 2 states, 3 actions"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(read, kind, variables, text):
    with pytest.raises(ModelError) as caught:
        read(kind, variables)
    assert text in str(caught.value)
    assert f"m.{kind}: " in str(caught.value)


@pytest.mark.small
def test_where_nothing_is_asked_it_is_refused(read, tmp_path):
    with pytest.raises(ModelError, match=r"TOML says itself how it is read, expected arrays= for \.mat,"):
        load("example:forest", arrays="axes=sas")
    save(load("example:forest"), tmp_path / "own.npz")
    with pytest.raises(ModelError, match="the archive says itself how it is read"):
        load(tmp_path / "own.npz", arrays="axes=sas")
    for text, found in (
        ("axes", "found 'axes', expected KEY=VALUE"),
        ("axis=ssa", "'axis'; did you mean 'axes'?"),
    ):
        with pytest.raises(OptionError, match=rf"arrays: .*{found[:20]}" if found[0] == "f" else found[:8]):
            load("example:forest", arrays=text)
    (tmp_path / "new.mat").write_bytes(
        b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n"
    )
    with pytest.raises(
        ModelError, match=r"found version 7\.3, which is HDF5, expected version 7 or older\. In MAT"
    ):
        load(tmp_path / "new.mat")


MORE = {
    "solve": [], "evaluate": [], "check": [], "show": [], "convert": ["-o", "made.toml"], "learn": ["--steps", "10"],
    "compare": ["value-iteration"], "simulate": ["--steps", "10"], "explain": ["--state", "1"],
    "verify": ["answer.json"], "gradient": ["--episodes", "10"], "lesson": ["-o", "made.html"],
    "exercise": ["--seed", "1"],
}  # fmt: skip


@pytest.mark.parametrize("command", list(MORE))
def test_every_command_asks_for_the_axes(command, read, tmp_path, monkeypatch, capsys):
    """--arrays goes to whoever reads the model; without it the axes of this one cannot be told."""
    monkeypatch.chdir(tmp_path)
    mdp = read(
        "mat", {"Pr": SQUARE, "pay": R[:2], "gamma": 0.9}, arrays="axes=ssa,P=Pr,R=pay", normalize=True
    )
    solve(mdp).save("answer.json")
    more = MORE[command]
    command_line = [command, "m.mat", *more, "--normalize"]
    assert inside(capsys, *command_line, "--arrays", "P=Pr,R=pay").code == 2
    done = inside(capsys, *command_line, "--arrays", "axes=ssa", "--arrays", "P=Pr,R=pay")
    assert done.code in (0, 1), done.err


def test_a_mat_file_that_was_written_is_what_matlab_takes(tmp_path):
    from scipy.io import loadmat

    forest = load("example:forest")
    for name in ("a", "b"):
        save(forest, tmp_path / f"{name}.mat")
    assert (tmp_path / "a.mat").read_bytes() == (tmp_path / "b.mat").read_bytes(), "same model, same bytes"
    assert load(tmp_path / "a.mat").replace(origin="") == forest.replace(origin="")
    found = loadmat(tmp_path / "a.mat")
    assert [x.toarray().tolist() for x in found["P"].ravel()] == [P[:, 0].tolist(), P[:, 1].tolist()]
    assert found["R"].tolist() == R.tolist()
    assert found["discount"].tolist() == [[0.9]]
    del found["tabular_rl_model"]
    kept = {key: x for key, x in found.items() if not key.startswith("__")}
    savemat(tmp_path / "cleared.mat", kept)
    cleared = load(tmp_path / "cleared.mat")
    assert (list(cleared.states), cleared.prob.tolist()) == (list(forest.states), forest.prob.tolist())
    whole = loadmat(tmp_path / "a.mat", chars_as_strings=True)["tabular_rl_model"]
    savemat(tmp_path / "changed.mat", kept | {"R": R + 1, "tabular_rl_model": whole})
    with pytest.raises(ModelError, match=r"R: found other numbers than in tabular_rl_model, .* clear tab"):
        load(tmp_path / "changed.mat")


@pytest.mark.small
@pytest.mark.parametrize("packed", [False, True])
def test_variables_are_those_of_scipy(packed, tmp_path):
    """Every class of numbers, texts, cells and sparse matrices, as scipy writes and reads them."""
    from scipy.io import loadmat

    rng = np.random.default_rng(7)
    given = {
        name: rng.integers(0, 100, (2, 3, 2)).astype(name)
        for name in ("f8", "f4", "i1", "u1", "i2", "u4", "i8")
    }
    given |= {
        "odd": rng.random((3, 1)),
        "flag": rng.random((2, 2)) < 0.5,
        "none": np.zeros((0, 3)),
        "x": 5,
        "big": 1e300,
    }
    given |= {"text": "état", "empty": "", "rows": np.array(["ab", "c"])}
    given |= {"cells": cell([np.eye(2), "a", cell([1.0, "b"])]), "sparse": csc_matrix(np.diag([1.0, 0, 2]))}
    savemat(tmp_path / "m.mat", given | {"s": {"a": 1}, "z": np.array([1j])}, do_compression=packed)
    found, expected = read_variables((tmp_path / "m.mat").read_bytes()), loadmat(tmp_path / "m.mat")
    assert set(found) == {name for name in expected if not name.startswith("__")}
    for name, array in given.items():
        if isinstance(array, np.ndarray) and array.dtype.kind in "iufb":
            assert found[name].dtype == array.dtype
            assert np.array_equal(found[name], expected[name])
    assert (found["text"], found["empty"], found["rows"].tolist()) == ("état", "", ["ab", "c"])
    assert (found["x"].tolist(), found["big"].tolist()) == ([[5]], [[1e300]])
    assert found["cells"][0].tolist() == [[1, 0], [0, 1]]
    assert (found["cells"][1], found["cells"][2][1]) == ("a", "b")
    assert found["sparse"].toarray().tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 2]]
    assert (found["s"].kind, found["z"].kind) == ("a struct or an object", "complex numbers")


@pytest.mark.parametrize("kind", ["mat", "npz", "json"])
@pytest.mark.parametrize("trials", [200, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore")
def test_damaged_files(kind, trials, tmp_path, read):
    variables = {
        "P": P,
        "R": R,
        "gamma": 0.9,
        "start": [1, 0, 0],
        "terminal": [0, 0, 0],
        "axes": "sas",
        "V": [1, 2],
    }
    if kind == "mat":
        variables |= {"P": cell(SHEETS), "axes": "ass", "states": cell(["a", "b", "c"])}
    if kind == "json":
        variables.pop("V")
    read(kind, variables)
    path = tmp_path / f"m.{kind}"
    good = path.read_bytes()
    rng = random.Random(f"damage arrays {kind}")
    for _ in range(trials):
        path.write_bytes(damage(good, rng))
        try_to_read(path, path)
