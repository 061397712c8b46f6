"""Frames where their library is missing or unknown; tests/peers/test_frames.py has those that are there."""

import pytest

from tabular_rl import MDP, MissingExtra, OptionError, Policy, solve
from tabular_rl.formats import extras, frames

pytestmark = pytest.mark.small


@pytest.fixture
def answer():
    return solve(MDP([[[1.0]]], [[1.0]], "1/2"))


def test_a_missing_library_names_the_extra(answer, monkeypatch):
    for module in (frames, extras):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    line = r"found {}, expected the extra: pip install 'tabular-rl\[frames\]'"
    with pytest.raises(MissingExtra, match=line.format("neither pandas nor polars")):
        answer.to_frame()
    with pytest.raises(MissingExtra, match=line.format("no pyarrow")):
        answer.to_arrow()
    with pytest.raises(MissingExtra, match="found no polars, expected it: pip install polars"):
        answer.policy.to_frame("polars")


@pytest.mark.parametrize("library", ["panda", "excel", 3])
def test_an_unknown_library_is_refused(answer, library):
    with pytest.raises(
        OptionError, match=r"library: found .*(pandas, polars, pyarrow|did you mean 'pandas')"
    ):
        answer.to_frame(library)


def test_no_frame_is_refused(answer):
    with pytest.raises(OptionError, match="found a dictionary, expected a data frame"):
        Policy.from_frame(answer.mdp, {"state": ["0"]})
