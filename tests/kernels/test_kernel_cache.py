"""Compiled code on the disk: what is damaged there is compiled again, and never run."""

from __future__ import annotations

import shutil

import pytest
from program import inside

from tabular_rl.kernels import _jit


def thrice(x):
    return 3 * x


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with the files of one kernel, and how it is used: its result, and whether it came from the folder."""
    folder = tmp_path_factory.mktemp("cache")
    if not hasattr(_jit.kernel(thrice), "stats"):
        pytest.skip("kernels are not compiled")
    assert used(folder) == (21, False)
    assert used(folder) == (21, True)
    return folder


def used(folder):
    before, _jit.CACHE = _jit.CACHE, str(folder)
    try:
        kernel = _jit.kernel(thrice)
        return kernel(7), bool(kernel.stats.cache_hits)
    finally:
        _jit.CACHE = before


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def turn_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def close(path):
    """A folder in its place cannot be read as a file, by root neither."""
    path.unlink()
    path.mkdir()


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": cut,
    "garbage": lambda path: path.write_bytes(b"garbage" * 100),
    "one bit": turn_a_bit,
    "missing": lambda path: path.unlink(),
    "unreadable": close,
}


@pytest.mark.parametrize("suffix", ["nbi", "nbc"], ids=["index", "code"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_compiled_again_and_replaced(written, tmp_path, damage, suffix):
    folder = tmp_path / "cache"
    shutil.copytree(written, folder)
    (path,) = folder.rglob(f"*.{suffix}")
    DAMAGES[damage](path)
    assert used(folder) == (21, False)
    assert used(folder) == (21, damage != "unreadable")


def test_an_end_of_file_where_none_is_expected_is_no_interrupt(capsys, monkeypatch):
    """Click takes EOFError for Ctrl-D."""

    def broken(*_, **__):
        raise EOFError("Ran out of input")

    monkeypatch.setattr("tabular_rl.formats.load", broken)
    done = inside(capsys, "show", "example:forest")
    assert done.code == 70 and "Ran out of input" in done.err and "interrupted" not in done.err
