"""Names: any text, or an index that costs no memory."""

from __future__ import annotations

import pytest

from tabular_rl.model.names import Names


def test_names_lead_to_an_index_and_back():
    names = Names(["high", "low", "0"])
    assert [names.index(x) for x in names] == [0, 1, 2]
    assert names[1:] == ("low", "0")
    assert names[-1] == "0"
    assert "low" in names
    assert "mid" not in names
    assert names.given
    assert len(names) == 3
    with pytest.raises(ValueError, match="mid"):
        names.index("mid")
    with pytest.raises(IndexError):
        names[3]


def test_numbers_are_names_without_memory():
    names = Names(10**12)
    assert names[10**11] == "100000000000"
    assert names.index("999999999999") == 10**12 - 1
    assert not names.given
    assert names[3:5] == ("3", "4")
    for wrong in ("01", "-1", "1.0", "+1", " 1", "1_0", "٣", "", "1000000000000", "9" * 400):
        assert names.find(wrong) is None, wrong


def test_names_that_are_their_index_are_numbers():
    assert Names(["0", "1"]) == Names(2)
    assert not Names(["0", "1"]).given
    assert Names(["1", "0"]) != Names(2)
    assert Names(["1", "0"]).index("0") == 1
    assert hash(Names(["0", "1"])) == hash(Names(2))
    assert Names(2) != ["0", "1"]


def test_anything_becomes_text():
    assert list(Names([1.5, None, (0, 1)])) == ["1.5", "None", "(0, 1)"]
    assert Names([3, 4]).index(4) == 1
