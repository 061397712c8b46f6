"""npz archives: never a pickle, never more memory than the bytes that are there, never half a file."""

# ruff: noqa: E501  (tables of cases: one a line)

from __future__ import annotations

import io
import json
import pickle
import tracemalloc
import zipfile
import zlib
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest

from tabular_rl import MDP
from tabular_rl.errors import ModelError
from tabular_rl.formats import load, memory, save


@pytest.fixture
def model():
    return MDP.from_outcomes(
        [
            ("a", "go", "a", "1/3", 1),
            ("a", "go", "b", "2/3", -1),
            ("b", "go", "a", 1, 0),
            ("b", "run", "c", 1, "1/7"),
        ],
        "9/10",
        terminal=["c"],
        start="a",
    )


@pytest.fixture
def members(model, tmp_path):
    """The members of a good archive, as bytes."""
    save(model, tmp_path / "good.npz")
    with zipfile.ZipFile(tmp_path / "good.npz") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def said(tmp_path):
    def said(members, compression=zipfile.ZIP_STORED):
        path = tmp_path / "m.npz"
        if isinstance(members, bytes):
            path.write_bytes(members)
        else:
            with zipfile.ZipFile(path, "w", compression) as archive:
                for name, data in members.items() if isinstance(members, dict) else members:
                    archive.writestr(name, data)
        with pytest.raises(ModelError) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}: ")
        return str(caught.value).removeprefix(f"{path}: ")

    return said


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), **options)
    return file.getvalue()


def header(shape, dtype="<f8", order="False", data=b""):
    text = f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def test_numpy_reads_what_we_write(model, tmp_path):
    save(model, tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["prob"], model.prob)
        assert arrays["prob_num"].tolist() == [1, 2, 1, 1]
        assert arrays["prob_den"].tolist() == [3, 3, 1, 1]
        assert json.loads(bytes(arrays["meta"]))["discount"] == "9/10"


def test_what_numpy_compresses_is_read(model, members, tmp_path):
    arrays = {
        name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(data))
        for name, data in members.items()
    }
    np.savez_compressed(tmp_path / "m.npz", **arrays)
    assert load(tmp_path / "m.npz") == model


def test_fortran_order_versions_and_wide_indices_change_nothing(model, members, tmp_path):
    array = np.lib.format.read_array(io.BytesIO(members["next_state.npy"]))
    members["next_state.npy"] = npy(array.astype("<i8"), version=(2, 0))
    members["prob.npy"] = header((4,), order="True", data=model.prob.tobytes())
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert load(tmp_path / "m.npz") == model


def test_overrides(model, tmp_path):
    save(model, tmp_path / "m.npz")
    mdp = load(tmp_path / "m.npz", gamma="1/3", horizon=2, sense="min", terminal=["c"])
    assert (mdp.gamma_exact, mdp.horizon, mdp.sense) == (Fraction(1, 3), 2, "min")
    with pytest.raises(ModelError, match="state 'b': is declared terminal and has actions"):
        load(tmp_path / "m.npz", terminal=["b", "c"])
    with pytest.raises(ModelError, match="terminal: no such state 'd'"):
        load(tmp_path / "m.npz", terminal=["d"])


def test_normalize(tmp_path):
    mdp = MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.5)
    save(mdp, tmp_path / "m.npz")
    with zipfile.ZipFile(tmp_path / "m.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["prob.npy"] = npy([0.25, 0.25, 1.0])
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(ModelError, match=r"state '0', action '0': probabilities sum to 0.5, expected 1"):
        load(tmp_path / "m.npz")
    assert load(tmp_path / "m.npz", normalize=True).prob.tolist() == [0.5, 0.5, 1.0]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("piece", [8, 1 << 18])
def test_a_byte_that_changed_is_found_by_the_checksum(model, members, packed, piece, tmp_path, monkeypatch):
    """In the header of an array, at its start and at its end, whether it is read in one piece or in many."""
    monkeypatch.setattr("tabular_rl.formats.npz.PIECE", piece)
    path, data = tmp_path / "m.npz", members["prob.npy"]
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED

    def write(changed):
        with zipfile.ZipFile(path, "w", kind) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
            archive.getinfo("prob.npy").CRC = zlib.crc32(changed)  # in the directory, at the end of the file

    write(data)
    assert load(path) == model
    for at in (data.index(b"}") + 1, len(data) - 32, len(data) - 1):
        write(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(ModelError, match="'prob': damaged, its data are not those of its checksum"):
            load(path)


def test_every_prefix_is_refused(model, tmp_path):
    save(model, tmp_path / "m.npz")
    whole = (tmp_path / "m.npz").read_bytes()
    path = tmp_path / "cut.npz"
    for size in [*range(0, len(whole) - 300, 5), *range(len(whole) - 300, len(whole))]:
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError):
            load(path)


def test_every_flipped_bit_of_the_data_is_seen(model, tmp_path):
    save(model, tmp_path / "m.npz")
    whole = bytearray((tmp_path / "m.npz").read_bytes())
    path = tmp_path / "m.npz"
    for at in range(0, len(whole), 7):
        whole[at] ^= 1
        path.write_bytes(whole)
        with suppress(ModelError):
            assert load(path) == model  # a date, say
        whole[at] ^= 1


def test_pickles_are_not_opened(members, said):
    class Bomb:
        def __reduce__(self):
            raise AssertionError

    members["prob.npy"] = header((1,), "|O", data=b"\x80\x04cposix\nsystem\n(S'false'\ntR.")
    assert (
        said(members) == "member 'prob': object arrays are not allowed: found dtype object, expected float64"
    )
    assert said(pickle.dumps([1])) == "found a pickle, expected an npz archive"


@pytest.mark.parametrize(
    ("dtype", "found"),
    [
        (">f8", "big-endian float64"), ("<f4", "float32"), ("<f2", "float16"), ("<c16", "complex128"), ("|b1", "bool"),
        ("<U3", "str96"), ("|S4", "bytes32"), ("<M8[s]", "datetime64[s]"), ("<i8", "int64"), ("<u8", "uint64"),
        ("<f16", "float128"),
    ],
)  # fmt: skip
def test_other_types_are_refused(members, said, dtype, found):
    members["prob.npy"] = header((4,), dtype, data=b"\0" * 4 * np.dtype(dtype).itemsize)
    assert said(members) == f"member 'prob': found dtype {found}, expected float64"


def test_structured_types_are_refused(members, said):
    members["prob.npy"] = npy(np.zeros(4, dtype=[("x", "<f8")]))
    assert said(members).startswith("member 'prob': found dtype ")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("(1000000000000,)", "found length 1000000000000, expected 4"),
        ("(3,)", "found length 3, expected 4"),
        ("(4, 1)", "found shape (4, 1), expected one dimension"),
        ("()", "found shape (), expected one dimension"),
        ("(-4,)", "found shape (-4,), expected one dimension"),
        ("(True,)", "found shape (True,), expected one dimension"),
        ("(4.0,)", "not an npy array: "),
        ("4", "not an npy array: "),
    ],
)
def test_shapes_that_do_not_fit(members, said, shape, expected):
    members["prob.npy"] = header(shape, data=b"\0" * 32)
    assert said(members).startswith(f"member 'prob': {expected}")


def test_declared_sizes_are_compared_with_the_bytes_that_are_there(model, members, said):
    meta = json.loads(np.lib.format.read_array(io.BytesIO(members["meta.npy"])).tobytes())
    meta["outcomes"] = 10**12
    members["meta.npy"] = npy(np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8))
    members["prob.npy"] = header((10**12,), data=b"\0" * 64)
    members["next_state.npy"] = header((10**12,), "<i4", data=b"\0" * 64)
    tracemalloc.start()
    try:
        text = said(members)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert text == (
        "member 'next_state': found 1000000000000 entries declared (4000.0 GB), expected the 64 bytes that are there"
    )


def test_meta_that_declares_too_much(members, said):
    meta = json.loads(np.lib.format.read_array(io.BytesIO(members["meta.npy"])).tobytes())
    meta["states"] = 10**9
    meta["state_names"] = None
    members["meta.npy"] = npy(np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8))
    assert said(members) == "member 'pair_ptr': found length 4, expected 1000000001"


def test_zip_bomb(members, said):
    members["prob.npy"] = header((20_000_000,), data=bytes(160_000_000))
    text = said(members, zipfile.ZIP_DEFLATED)
    assert "member 'prob.npy': found a declared size of 160.0 MB from 15" in text
    assert text.endswith("limit 100 times as many or 16.8 MB")


def test_memory_that_is_not_there(model, tmp_path, monkeypatch):
    save(model, tmp_path / "m.npz")
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with pytest.raises(ModelError, match=r"needs .* of memory, expected at most the 1.0 kB that are free"):
        load(tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../x.npy", "member '../../x.npy': found a path, expected a plain name"),
        ("/etc/x.npy", "member '/etc/x.npy': found a path, expected a plain name"),
        ("..\\x.npy", "found a path, expected a plain name"),
        ("extra.npy", "member 'extra.npy': unexpected, expected the arrays of a model"),
        ("prob", "member 'prob': unexpected, expected the arrays of a model"),
        ("\x1b[31m.npy", "member '\\x1b[31m.npy': unexpected, expected the arrays of a model"),
        ("cell.npy", "member 'cell': found it, expected none: meta does not list it"),
    ],
)
def test_unexpected_members(members, said, name, expected):
    assert said({**members, name: b""}).endswith(expected)


def test_repeated_and_missing_members(members, said):
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = said([*members.items(), ("prob.npy", members["prob.npy"])])
    assert twice == "member 'prob.npy': found twice, expected once"
    for name in members:
        rest = {key: data for key, data in members.items() if key != name}
        word = (
            "member 'meta.npy', expected the npz of a model"
            if name == "meta.npy"
            else f"member '{name[:-4]}', expected it"
        )
        assert said(rest) == f"found no {word}"


def test_other_compressions_are_refused(members, said):
    assert "found compression 14, expected none or deflate" in said(members, zipfile.ZIP_LZMA)


def change(members, **changes):
    meta = json.loads(np.lib.format.read_array(io.BytesIO(members["meta.npy"])).tobytes())
    meta = {key: value for key, value in {**meta, **changes}.items() if value != "DELETE"}
    return {**members, "meta.npy": npy(np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8))}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"version": 2}, "meta: found version 2, expected 1"),
        ({"version": True}, "meta: found version True, expected 1"),
        ({"format": "other"}, "meta: found no format 'tabular-rl', expected a model"),
        ({"states": -1}, "meta: states: found -1, expected a whole number, 1 or more"),
        ({"states": 2.0}, "meta: states: found 2.0, expected a whole number, 1 or more"),
        ({"outcomes": True}, "meta: outcomes: found true, expected a whole number"),
        ({"discount": 0.9}, "meta: discount: found 0.9, expected a fraction such as 9/10"),
        ({"discount": "9/0"}, "meta: discount: found '9/0', expected a fraction"),
        ({"discount": "3/2"}, "gamma: found 1.5, expected a number from 0 to 1"),
        ({"horizon": 0}, "meta: horizon: found 0, expected a whole number or null"),
        ({"sense": "most"}, 'meta: sense: found "most", expected max or min'),
        ({"name": 3}, "meta: name: found 3, expected a text"),
        ({"layout": [1]}, "meta: layout: found [1], expected rows and columns, or null"),
        (
            {"layout": [1, 2]},
            "layout: found 1 x 2 = 2 cells for 3 states, expected as many, or `cell`, which says where each state is drawn",
        ),
        (
            {"layout": [2, 2]},
            "layout: found 2 x 2 = 4 cells for 3 states, expected as many, or `cell`, which says where each state is drawn",
        ),
        ({"colour": "red"}, "meta: unknown key 'colour'"),
        ({"discount": "DELETE"}, "meta: found no discount, expected a fraction such as 9/10"),
        ({"state_names": ["a"]}, "meta: state_names: found 1 names, expected 3"),
        (
            {"state_names": ["a", "a", "c"]},
            "state 'a': found twice, as number 0 and 1, expected distinct names",
        ),
        ({"state_names": [1, 2, 3]}, "meta: state_names: expected a list of texts, or null"),
        ({"arrays": ["prob"]}, "meta: arrays: found no pair_ptr, expected it"),
        ({"arrays": ["prob", "what"]}, 'meta: arrays: found ["prob", "what"], expected a list of arrays'),
    ],
    ids=str,
)
def test_wrong_meta(members, said, changes, expected):
    assert said(change(members, **changes)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a": 1, "a": 2}', "meta: key 'a': found twice, first on line 1, expected once"),
        (b'{"a": NaN}', "meta: found NaN, expected finite numbers, or null"),
        (b'{"a": ', "meta: not valid JSON: Expecting value at column 7"),
        (b"\xff", "meta: found byte 0xff at 0, expected UTF-8"),
        (b"[" * 100000, "meta: found arrays or objects nested too deep, expected a few levels"),
        (b"[]", "meta: found no format 'tabular-rl', expected a model"),
    ],
)
def test_meta_that_is_no_header(members, said, text, expected):
    members["meta.npy"] = npy(np.frombuffer(text, dtype=np.uint8))
    assert said(members) == expected


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("pair_ptr", [0, 1, 3, 2], "pair_ptr: found 0 to 2, expected 0 to 3"),
        ("pair_ptr", [0, 4, 2, 3], "pair_ptr: found it falling at position 2, expected it to rise"),
        ("row_ptr", [0, 3, 2, 4], "row_ptr: found it falling at position 2, expected it to rise"),
        ("row_ptr", [1, 2, 3, 4], "row_ptr: found 1 to 4, expected 0 to 4"),
        (
            "next_state",
            [0, 3, 0, 2],
            "state 'a', action 'go': next_state: found 3 at position 1, expected 0 to 2",
        ),
        (
            "next_state",
            [0, -1, 0, 2],
            "state 'a', action 'go': next_state: found -1 at position 1, expected 0 to 2",
        ),
        (
            "pair_action",
            [0, 1, 0],
            "state 'b', action 'go': row 2 repeats or precedes the action before it, expected rising actions within a state",
        ),
    ],
)
def test_wrong_indices(members, said, name, values, expected):
    assert said({**members, f"{name}.npy": npy(np.array(values, dtype=np.int32))}) == expected


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("prob", [0.25, 0.75, 1.0, 1.0], "prob: found 1/3 at position 0, expected the fraction nearest to 0.25"),
        ("reward", [2.0, -1.0, 0.0, 1 / 7], "reward: found 1/1 at position 0, expected the fraction nearest to 2.0"),
        ("r", [0.0, 0.0, 1 / 7], "r: found 0.0 at position 0, expected Σ p r(s,a,s') of its outcomes"),
        ("start", [0.0, 1.0, 0.0], "start: found 1/1 at position 0, expected the fraction nearest to 0.0"),
        ("prob_den", [3, 3, 0, 1], "prob: found 1/0 at position 2, expected the fraction nearest to 1.0"),
        ("prob_num", [2, 2, 1, 1], "prob: found 2/3 at position 0, expected the fraction nearest to 0.3333333333333333"),
    ],
)  # fmt: skip
def test_exact_numbers_and_floats_must_agree(members, said, name, values, expected):
    dtype = np.int64 if "_" in name else np.float64
    assert said({**members, f"{name}.npy": npy(np.array(values, dtype=dtype))}) == expected


def test_exact_numbers_are_in_lowest_terms(members, said):
    members["prob_num.npy"] = npy(np.array([2, 2, 1, 1]))
    members["prob_den.npy"] = npy(np.array([6, 3, 1, 1]))
    assert said(members) == "prob: found 2/6 at position 0, expected lowest terms"


def test_exact_rows_sum_to_one(members, said):
    near = 2**60 + 1  # its float is a third
    members["prob_num.npy"] = npy(np.array([near, 2, 1, 1]))
    members["prob_den.npy"] = npy(np.array([3 * 2**60, 3, 1, 1]))
    assert said(members) == "state 'a', action 'go': exact probabilities do not sum to 1"
