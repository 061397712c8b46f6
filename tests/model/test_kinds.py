"""Rows that have the outcomes of an earlier one: found while a model is built, whose checks and facts do not change."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from tabular_rl import MDP, ModelError
from tabular_rl.kernels import build
from tabular_rl.model.families import inventory

FIELDS = ("pair_ptr", "pair_action", "row_ptr", "next_state", "prob", "r")


@pytest.fixture
def looked_at(monkeypatch):
    """Let models of any size be looked at by kernels, as large ones are."""
    monkeypatch.setattr("tabular_rl.model.validation.build_kernels", lambda _: build)
    monkeypatch.setattr("tabular_rl.model.validation.FEW", 0)


def stock():
    return inventory(capacity=40, demand=20, gamma=0.9)


def arrays(mdp, **changes):
    return {name: np.array(getattr(mdp, name)) for name in FIELDS} | changes


def rows_of(mdp):
    """The outcomes of each row, as bytes."""
    return [
        (mdp.next_state[i:j].tobytes(), mdp.prob[i:j].tobytes())
        for i, j in zip(mdp.row_ptr, mdp.row_ptr[1:], strict=False)
    ]


def test_kinds_are_those_of_a_dictionary():
    mdp = stock()
    numbers = {}
    expected = [numbers.setdefault(row, len(numbers)) for row in rows_of(mdp)]
    assert mdp.kinds.kind.tolist() == expected
    assert mdp.kinds.first.tolist() == [expected.index(c) for c in range(len(numbers))]
    assert mdp.kinds.known.sum() == mdp.L - len(numbers)
    assert mdp.kinds is mdp.kinds


def test_facts_are_those_of_rows_that_are_all_added_up(looked_at, monkeypatch):
    rows = arrays(stock(), gamma=0.9)
    found = MDP.from_rows(**rows)
    assert found.kinds is not None
    monkeypatch.setattr("tabular_rl.model.validation.FEW", 10**9)
    assert found.facts == MDP.from_rows(**rows).facts


@pytest.mark.parametrize("wrong", [0.75, -0.25, np.nan, np.inf])
def test_a_fault_that_many_rows_share_is_told_as_it_was(looked_at, monkeypatch, wrong):
    """All rows of a kind have it, so that no sum but the first is looked at: NumPy then looks at each."""
    mdp = stock()
    kinds, prob = mdp.kinds, np.array(mdp.prob)
    for i in np.flatnonzero(kinds.kind == 5):
        prob[mdp.row_ptr[i]] = wrong
    said = []
    monkeypatch.setattr(
        "tabular_rl.model.rows.BLOCK", 64
    )  # so that the first row is looked at before the others
    for few in (0, 10**9):
        monkeypatch.setattr("tabular_rl.model.validation.FEW", few)
        with pytest.raises(ModelError) as error:
            MDP.from_rows(**arrays(mdp, prob=prob, gamma=0.9))
        said.append(str(error.value))
    assert said[0] == said[1]


def test_an_empty_row_is_named(looked_at):
    mdp = stock()
    row_ptr = np.array(mdp.row_ptr)
    row_ptr[-2] = row_ptr[-1]
    with pytest.raises(ModelError, match="no outcomes"):
        MDP.from_rows(**arrays(mdp, row_ptr=row_ptr, gamma=0.9))


def test_copies_keep_them_and_pickles_find_them_again():
    mdp = stock()
    kinds = mdp.kinds
    assert mdp.replace(gamma=0.5).kinds is kinds
    assert mdp.replace(r=-mdp.r).kinds is kinds
    again = pickle.loads(pickle.dumps(mdp))
    assert again == mdp
    assert np.array_equal(again.kinds.kind, kinds.kind)


def test_runs_are_where_next_states_follow_each_other():
    """Two dense rows, one without its first state, one without a middle one; kept by copies, found again by pickles."""
    P = [
        [[0.25] * 4, [0, 0.5, 0.25, 0.25]],
        [[0.5, 0, 0.25, 0.25], [0, 0, 0, 1]],
        [[0.25] * 4] * 2,
        [[0.25] * 4] * 2,
    ]
    mdp = MDP(P, np.zeros((4, 2)), 0.9, axes="sas")
    assert mdp.runs.tolist() == [0, 1, -1, 3, 0, 0, 0, 0]
    assert not mdp.runs.flags.writeable
    assert mdp.replace(gamma=0.5).runs is mdp.runs
    again = pickle.loads(pickle.dumps(mdp))
    assert again == mdp
    assert again.runs.tolist() == mdp.runs.tolist()
