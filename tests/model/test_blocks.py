"""Large tensors are read by kernels, block by block: the arrays, the facts and the messages are those of small ones."""

from __future__ import annotations

import math
import sys
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse

from tabular_rl import MDP, ModelError, load, save
from tabular_rl.kernels import build
from tabular_rl.kernels._plain import interpreted
from tabular_rl.model import blocks
from tabular_rl.model.rows import build_kernels, hidden_mass, mass_defects, row_blocks

FIELDS = ("pair_ptr", "pair_action", "row_ptr", "next_state", "prob", "reward", "r", "terminal", "start")


def read_by(patch, kernels, block=64):
    """Let models of any size be made by these kernels, or by NumPy, and cut them into small blocks."""
    patch.setattr("tabular_rl.model.blocks.build_kernels", lambda _: kernels)
    patch.setattr("tabular_rl.model.validation.build_kernels", lambda _: kernels)
    patch.setattr(blocks, "BLOCK", block)
    patch.setattr(blocks, "PIECE", 1)


def left(make, *args, **more):
    """The arrays and facts of a model, to the bit, or what is said of it."""
    try:
        mdp = make(*args, **more)
    except ModelError as error:
        return str(error)
    arrays = {name: getattr(mdp, name) for name in FIELDS}
    return repr(mdp.facts), {
        name: None if x is None else (x.dtype.name, x.tobytes(), x.flags.writeable, x.flags.c_contiguous)
        for name, x in arrays.items()
    }


def both(make, *args, **more):
    """What is left by kernels, compiled and interpreted, which must be what is left without."""
    with pytest.MonkeyPatch.context() as patch:
        read_by(patch, None)
        slow = left(make, *args, **more)
        for kernels in (build, interpreted("build")):
            for block in (64, 1 << 16):
                read_by(patch, kernels, block)
                assert left(make, *args, **more) == slow
    return slow


def tensor(seed, S=7, A=3, lost=0.2):
    """P[s, a, s2] with rows of zeros, a terminal state, and probabilities of all sizes."""
    rng = np.random.default_rng(seed)
    P = (
        rng.random((S, A, S))
        * (rng.random((S, A, S)) < 0.5)
        * 2.0 ** -rng.integers(0, 12 * (seed % 3) + 1, (S, A, S))
    )
    P[np.arange(S), :, rng.integers(0, S, S)] += 0.5
    P /= P.sum(axis=2, keepdims=True)
    P[rng.random((S, A)) < lost] = 0.0
    P[:, 0] = np.where(P[:, 0].any(axis=1)[:, None], P[:, 0], np.eye(S))
    P[S - 1] = 0.0
    return rng, P


def rewards(rng, P, shape):
    S, A, _ = P.shape
    R = rng.normal(size={"s": (S,), "sa": (S, A), "as": (A, S)}.get(shape, (S, A, S)))
    R[(slice(None), -1) if shape == "as" else -1] = 0.0
    return R


SHAPES = ("s", "sa", "as", "sas")
ORDERS = {"sas": (0, 1, 2), "ass": (1, 0, 2), "ssa": (0, 2, 1)}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("axes", ORDERS)
def test_dense_tensors(axes, shape):
    for seed in range(6):
        rng, P = tensor(seed)
        R = rewards(rng, P, shape)
        Q = P.transpose(ORDERS[axes])
        for form in (np.ascontiguousarray(Q), Q, np.asfortranarray(Q), Q.tolist()):
            found = both(MDP, form, R, 0.9, axes=axes, reward_axes=shape, terminal=[6])
            assert not isinstance(found, str), found
        both(MDP, (Q * 64).round().astype(np.int32), R, 0.9, reward_axes=shape, terminal=[6], normalize=True)
        both(
            MDP,
            Q.astype(np.float32),
            R.astype(np.float32),
            0.9,
            reward_axes=shape,
            terminal=[6],
            normalize=True,
        )


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
def test_lists_of_sparse_matrices(kind):
    for seed in range(6):
        rng, P = tensor(seed)
        sheets = [sparse.csr_array(x).asformat(kind) for x in P.transpose(1, 0, 2)]
        for shape in SHAPES[:3]:
            R = rewards(rng, P, shape)
            assert not isinstance(both(MDP, sheets, R, 0.9, axes="ass", reward_axes=shape, terminal=[6]), str)
        R = rewards(rng, P, "sas")
        for some in (R, R * (P > 0) + 0.0, R * (rng.random(P.shape) < 0.5) + 0.0):
            own = [sparse.csr_array(x).asformat(kind) for x in some.transpose(1, 0, 2)]
            found = both(MDP, sheets, own, 0.9, terminal=[6])
            assert not isinstance(found, str), found
            assert found == both(MDP, P.transpose(1, 0, 2).copy(), own, 0.9, terminal=[6])
            assert (
                found[1]["reward"]
                == both(MDP, sheets, some, 0.9, reward_axes="sas", terminal=[6])[1]["reward"]
            )


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil"])
def test_one_sparse_matrix_of_all_rows_is_the_model_of_its_tensor(kind):
    """Row s·A + a, as of `mdp.P`; with axes="ass" row a·S + s, as scipy.sparse.vstack makes it of a list."""
    for seed in range(6):
        rng, P = tensor(seed)
        R = rewards(rng, P, "sa")
        expected = both(MDP, P, R, 0.9, axes="sas", terminal=[6])
        by_state, by_action = (x.reshape(-1, 7) for x in (P, P.transpose(1, 0, 2)))
        one, other = (sparse.csr_array(x).asformat(kind) for x in (by_state, by_action))
        assert (
            both(MDP, one, R, 0.9, terminal=[6])
            == both(MDP, one, R, 0.9, axes="sas", terminal=[6])
            == expected
        )
        assert both(MDP, other, R, 0.9, axes="ass", terminal=[6]) == expected
        T = rewards(rng, P, "sas")
        expected = both(MDP, P, T, 0.9, axes="sas", terminal=[6])
        own, turned = (sparse.csr_array(x.reshape(-1, 7)) for x in (T, T.transpose(1, 0, 2)))
        assert both(MDP, one, own, 0.9, terminal=[6]) == both(MDP, one, T, 0.9, terminal=[6]) == expected
        assert both(MDP, other, turned, 0.9, axes="ass", terminal=[6]) == expected


def test_small_models_are_read_by_kernels_that_are_loaded(monkeypatch):
    called = []
    for name in ("look_at_rows", "lay_out", "pairs_rise"):
        kernel = getattr(build, name)
        monkeypatch.setattr(
            build, name, lambda *args, name=name, kernel=kernel: called.append(name) or kernel(*args)
        )
    with pytest.MonkeyPatch.context() as patch:
        read_by(patch, None)
        slow = left(MDP, tensor(0)[1], np.zeros(7), 0.9, terminal=[6])
    assert not called
    assert left(MDP, tensor(0)[1], np.zeros(7), 0.9, terminal=[6]) == slow
    assert called == ["lay_out", "pairs_rise", "look_at_rows"]


def test_models_without_faults_are_read_by_kernels_alone(monkeypatch):
    def slow(*_):
        raise AssertionError("a second look")

    read_by(monkeypatch, build)
    monkeypatch.setattr("tabular_rl.model.validation._Look.block", slow)
    monkeypatch.setattr("tabular_rl.model.tensors._entries", slow)
    rng, P = tensor(0)
    for R in (rewards(rng, P, "sa"), rewards(rng, P, "sas")):
        MDP(P, R, 0.9, terminal=[6])
        for kind in ("csr", "csc", "coo", "lil", "dok"):
            sheets = [sparse.csr_array(x).asformat(kind) for x in P.transpose(1, 0, 2)]
            MDP(sheets, R, 0.9, terminal=[6], reward_axes="sa" if R.ndim == 2 else "sas")
    P[6] = np.eye(7)[:3]
    mdp = MDP(sparse.csr_array(P.reshape(-1, 7)), sparse.csr_array(R.reshape(-1, 7)), 0.9)
    assert mdp.reward is not None


def test_matrix_of_all_rows_comes_back_as_model():
    mdp = MDP([[[0.5, 0.5], [0, 1]], [[1, 0], [0.25, 0.75]]], [[1, 2], [3, 4]], 0.9, axes="sas")
    assert MDP(mdp.P, mdp.table(mdp.r), 0.9) == mdp
    assert MDP(sparse.csr_array(np.eye(2)), [1, 2], 0.9).A == 1


def test_entries_that_are_out_of_order_or_stand_twice():
    """Entries that stand twice at a place stay two outcomes, in the order in which they are stored."""
    ptr = np.array([0, 3, 5, 6])
    index, prob = np.array([2, 0, 2, 1, 0, 2]), np.array([0.125, 0.5, 0.375, 0.25, 0.75, 1.0])
    for dtype in (np.int32, np.int64):
        one = sparse.csr_matrix((prob, index.astype(dtype), ptr.astype(dtype)), shape=(3, 3))
        for form in ([one], one, [one.tocsc()], [one.tocoo()]):
            fields = both(MDP, form, [1.0, 2.0, 3.0], 0.9)[1]
            assert np.frombuffer(fields["next_state"][1], np.int32).tolist() == [0, 2, 2, 0, 1, 2]
            assert np.frombuffer(fields["prob"][1]).tolist() == [0.5, 0.125, 0.375, 0.75, 0.25, 1.0]
        R = sparse.csr_matrix((np.arange(6.0), index.astype(dtype), ptr.astype(dtype)), shape=(3, 3))
        both(MDP, [one], [R], 0.9)


def test_zeros_and_negative_zeros_that_are_stored():
    data, index = np.array([0.0, 1.0, -0.0, 0.5, 0.0, 0.5]), np.array([0, 1, 1, 0, 1, 1])
    P = sparse.csr_array((data, index, np.array([0, 2, 6])), shape=(2, 2))
    R = sparse.csr_array((-data, index, np.array([0, 2, 6])), shape=(2, 2))
    S = sparse.csr_array((np.array([-0.0, -1.0]), np.array([1, 0]), np.array([0, 1, 2])), shape=(2, 2))
    for reward in ([R], [S], [-0.0, 0.0]):
        assert not isinstance(both(MDP, [P], reward, 0.9), str)


FAULTS = {
    "a sum": lambda P, R: P.__setitem__((2, 0), P[2, 0] * 0.9),
    "sums": lambda P, R: P.__imul__(0.99),
    "barely": lambda P, R: P.__setitem__((2, 0), P[2, 0] * (1 - 2.0**-49)),
    "negative": lambda P, R: P.__setitem__((2, 0), [-0.5, 1.5, 0, 0, 0, 0, 0]),
    "above 1": lambda P, R: P.__setitem__((2, 0, 0), 1.5),
    "nan": lambda P, R: P.__setitem__((1, 0, 2), math.nan),
    "inf": lambda P, R: P.__setitem__((1, 0, 2), math.inf),
    "tiny": lambda P, R: P.__setitem__((1, 0), [1.0, 1e-17, 0, 0, 0, 0, 1e-300]),
    "reward nan": lambda P, R: R.__setitem__((0, 0), math.nan),
    "reward inf": lambda P, R: R.__setitem__((0, 0), -math.inf),
    "large": lambda P, R: R.__setitem__((0, 0), 1e301),
    "as large as may be": lambda P, R: R.__setitem__((0, 0), -1e300),
    "no actions": lambda P, R: P.__setitem__(3, 0.0),
    "terminal with actions": lambda P, R: P.__setitem__((6, 1, 0), 1.0),
    "terminal reward": lambda P, R: R.__setitem__(6, 2.0),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_told_alike(name):
    told = set()
    for seed in range(3):
        for shape in ("sa", "sas"):
            rng, P = tensor(seed, lost=0.0)
            R = rewards(rng, P, shape)
            FAULTS[name](P, R)
            for more in ({}, {"terminal_rewards": "on entry"}, {"normalize": True}):
                found = both(MDP, P, R, 0.9, terminal=[6], **more)
                sheets = [sparse.csr_array(x) for x in P.transpose(1, 0, 2)]
                assert both(MDP, sheets, R, 0.9, terminal=[6], reward_axes=shape, **more) == found
                assert both(MDP, sparse.csr_array(P.reshape(-1, 7)), R, 0.9, terminal=[6], **more) == found
                told.add(isinstance(found, str))
            own = [sparse.csr_array(x) for x in rewards(rng, P, "sas").transpose(1, 0, 2)]
            both(MDP, sheets, own, 0.9, terminal=[6])
    assert (True in told) == (name != "tiny")


def test_sparse_rewards_of_terminal_states_are_told_alike():
    rng, P = tensor(1)
    R = rewards(rng, P, "sas")
    R[6, 1, 3] = 5.0
    sheets, own = ([sparse.csr_array(x) for x in tensor.transpose(1, 0, 2)] for tensor in (P, R))
    assert "terminal state '6' has reward 5, which is never collected" in both(
        MDP, sheets, own, 0.9, terminal=[6]
    )


@pytest.mark.parametrize("what", ["falling", "past the end", "index", "negative index", "shape", "types"])
def test_matrices_that_are_damaged_or_of_another_kind_are_left_to_the_slow_way(what):
    P = sparse.csr_array(np.full((3, 3), 1 / 3))
    ptr, index, data = P.indptr.copy(), P.indices.copy(), P.data.copy()
    if what == "falling":
        ptr[1], ptr[2] = 6, 3
    elif what == "past the end":
        ptr[3] = 12
    elif what.endswith("index"):
        index[4] = 3 if what == "index" else -1
    sheets = P.copy()
    sheets.indptr, sheets.indices, sheets.data = ptr, index, data
    if what == "types":
        sheets.data = data.astype(np.longdouble)
    listed = [sheets, sparse.csr_array(np.eye(2))] if what == "shape" else [sheets]
    for kernels in (build, None):
        with pytest.MonkeyPatch.context() as patch:
            read_by(patch, kernels)
            assert blocks.pairs_of(listed, "ass") is None


@pytest.mark.parametrize(
    ("P", "more", "text"),
    [
        (sparse.csr_array(np.ones((5, 3))), {}, "P: found one sparse matrix of shape 5 x 3, expected a list"),
        (sparse.csr_array((0, 3)), {}, "no states: found 0, expected at least 1"),
        (sparse.csr_array(np.eye(3)), {"axes": "ssa"}, "axes: found 'ssa' for one sparse matrix, expected 'sas'"),
        (sparse.csr_array(np.eye(3)), {"R": np.ones((3, 2))}, "R: found shape (3, 2), expected (3, 1)"),
        (sparse.csr_array(np.eye(3)), {"R": sparse.csr_array(np.ones((6, 3)))}, "R: found one sparse matrix of shape"),
        ([sparse.csr_array(np.eye(3))], {"R": sparse.csr_array(np.ones((3, 3)))}, "R: found one sparse matrix"),
        (sparse.csr_array(np.eye(3)), {"R": [sparse.csr_array(np.eye(2))]}, "R: found 1 matrices of shape (2, 2)"),
    ],
)  # fmt: skip
def test_matrices_that_do_not_fit_are_refused(P, more, text):
    R = more.pop("R", np.ones(3))
    assert both(MDP, P, R, 0.9, **more).startswith(text)


def test_rows_with_rewards_of_outcomes_and_of_pairs():
    """`r` beside `reward` is compared with its mean: to rounding, as without a kernel."""
    for seed in range(6):
        rng, P = tensor(seed)
        mdp = MDP(P, rewards(rng, P, "sas"), 0.9, terminal=[6])
        rows = {name: getattr(mdp, name) for name in FIELDS if name != "start"}
        assert both(MDP.from_rows, **rows, gamma=0.9)[0] == repr(mdp.facts)
        n = np.diff(mdp.row_ptr)
        for times in (0.5, 1.0, 1.5, 2.0, 3.0, 100.0):
            moved = mdp.r + times * n * 2.0**-52 * np.abs(mdp.reward).max()
            both(MDP.from_rows, **{**rows, "r": moved}, gamma=0.9)
        for name, value in (("pair_action", 1), ("pair_action", -1), ("next_state", 7), ("next_state", -1)):
            wrong = getattr(mdp, name).copy()
            wrong[len(wrong) // 2] = value
            both(MDP.from_rows, **{**rows, name: wrong}, gamma=0.9)


def test_rows_of_any_sizes_of_probabilities_have_the_defect_of_their_sum():
    """The order of a sum does not change its bits, whatever the sizes: the kernel's, numpy's and that of fractions."""
    rng = np.random.default_rng(7)
    for wide in (0, 30, 60, 200):
        p = rng.random((40, 50)) * 2.0 ** -rng.integers(0, wide + 1, (40, 50))
        p /= p.sum(axis=1, keepdims=True)
        ptr = np.arange(0, 2001, 50)
        rows = {
            "pair_ptr": np.arange(41),
            "pair_action": np.zeros(40, int),
            "row_ptr": ptr,
            "prob": p.ravel(),
        }
        found = both(MDP.from_rows, **rows, next_state=np.tile(np.arange(40), 50), r=np.zeros(40), gamma=0.5)
        worst = float((np.abs(mass_defects(p.ravel(), ptr)) + hidden_mass(p.ravel(), ptr)).max())
        exact = max(abs(1 - sum(map(Fraction, row.tolist()))) for row in p)
        told = math.nextafter(worst * (1 + 2.0**-40), math.inf)
        assert exact <= told <= exact * (1 + Fraction(1, 2**39)) + Fraction(50, 2**106)
        assert f"mass_defect={told!r}," in found[0]


def test_what_tiny_probabilities_may_hide_is_in_the_defect():
    rows = {"pair_ptr": [0, 1], "pair_action": [0], "row_ptr": [0, 3], "next_state": [0, 0, 0], "r": [0.0]}
    for tiny in (2.0**-200, 2.0**-108, 5e-324):
        facts, _ = both(MDP.from_rows, **rows, prob=[0.5, tiny, 0.5], gamma=0.5)
        told = float(facts.partition("mass_defect=")[2].partition(",")[0])
        assert tiny <= told <= 2.0**-104
    facts, _ = both(MDP.from_rows, **rows, prob=[0.5, 0.0, 0.5], gamma=0.5)
    assert "mass_defect=0.0," in facts


def test_exact_models_and_files(tmp_path):
    outcomes = [(s, a, (s + a) % 5, "1/3", s) for s in range(5) for a in range(2)]
    outcomes += [(s, a, (s + a + 1) % 5, "2/3", a) for s in range(5) for a in range(2)]
    both(MDP.from_outcomes, outcomes, "9/10")
    mdp = MDP.from_outcomes(outcomes, "9/10")
    for name in ("m.npz", "m.csv", "m"):
        save(mdp, tmp_path / name)
        both(load, tmp_path / name)


def test_kernels_are_taken_where_they_pay(monkeypatch):
    """Tiny models by plain Python, others by NumPy until they are large, or Numba is there and they are not small."""
    asked, plain = [], interpreted("build")
    monkeypatch.setattr("tabular_rl.model.rows.import_module", lambda name: asked.append(name) or build)
    monkeypatch.setattr("tabular_rl.model.rows.ready", lambda _: None)
    monkeypatch.setitem(sys.modules, "tabular_rl.kernels._jit", build)
    assert [build_kernels(n) for n in (3, 128, 129, 19_999, 20_000)] == [plain, plain, None, None, build]
    monkeypatch.delitem(sys.modules, "tabular_rl.kernels._jit")
    assert [build_kernels(n) for n in (128, 20_000, 99_999, 100_000)] == [plain, None, None, build]
    assert asked == ["tabular_rl.kernels.build"] * 2
    monkeypatch.setattr("tabular_rl.model.rows.ready", lambda _: build)
    assert build_kernels(1) is build_kernels(1_000) is build, "they are there"


@pytest.mark.parametrize("form", ["list", "matrix", "matrix by action", "dense", "by action", "rows"])
def test_memory_above_that_of_the_caller_is_the_model_and_a_fifth(form):
    rng = np.random.default_rng(0)
    S, A, n = (400, 4, 400) if form in ("dense", "by action") else (20_000, 6, 6)
    if n == S:
        P = rng.random((S, A, S))
        P /= P.sum(axis=2, keepdims=True)
        given = P if form == "dense" else P.transpose(1, 0, 2).copy()
        more = {"axes": "sas" if form == "dense" else "ass"}
    else:
        index = np.sort(rng.integers(0, S, (S * A, n)).astype(np.int32), axis=1).ravel()
        ptr = np.arange(0, S * A * n + 1, n, dtype=np.int32)
        rows = sparse.csr_array((np.full(S * A * n, 1 / n), index, ptr), shape=(S * A, S))
        given = rows if form.startswith("matrix") else [rows[a * S : (a + 1) * S] for a in range(A)]
        more = {"axes": {"list": "ass", "matrix by action": "ass"}.get(form)}
    R = rng.random((S, A))
    mdp = MDP(given, R, 0.9, **more)  # and the kernels are there
    arrays = {name: getattr(mdp, name) for name in FIELDS}
    tracemalloc.start()
    if form == "rows":
        MDP.from_rows(**arrays, gamma=0.9)
    else:
        MDP(given, R, 0.9, **more)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert mdp.nbytes < peak < 1.2 * mdp.nbytes


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_blocks_are_cut_alike_whatever_the_type(dtype, monkeypatch):
    monkeypatch.setattr("tabular_rl.model.rows.BLOCK", 5)
    ptr = np.array([0, 3, 3, 9, 10, 12, 12, 30], dtype=dtype)
    assert list(row_blocks(ptr)) == [(0, 2, 0, 3), (2, 3, 3, 9), (3, 6, 9, 12), (6, 7, 12, 30)]
